"""docs/adding-an-op.md is run, cell after cell in a fresh Python: what it shows is what comes out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "adding-an-op.md"
BLOCKS = re.findall(r"```(python|text)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_what_it_shows_is_what_comes_out(tmp_path: Path) -> None:
    program = "\n".join(text for kind, text in BLOCKS if kind == "python")
    shown = "".join(text for kind, text in BLOCKS if kind == "text")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == shown


def test_the_operation_is_one_screen() -> None:
    first = BLOCKS[0][1]
    assert "class diagonal(Op)" in first
    assert len(first.splitlines()) <= 25 and max(map(len, first.splitlines())) <= 120
