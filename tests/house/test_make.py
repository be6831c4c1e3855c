"""The README's first command, in a folder where nothing is installed yet."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house import server

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="installs everything anew: CI does it")
@pytest.mark.timeout(500)
def test_make_lab_opens_lesson_00_twice(tmp_path: Path) -> None:
    """With Python and make alone; the second time nothing is installed, and what the student wrote is there."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment |= {"PIP_CACHE_DIR": str(Path.home() / ".cache" / "pip"), "PIP_ROOT_USER_ACTION": "ignore"}
    environment |= {"HOME": str(home), "JUPYTER_TOKEN": "t", "BROWSER": "true"}  # the command true opens no window
    base = Path(sys.base_prefix, "bin", "python3")
    command = [shutil.which("make"), "lab", f"VENV={tmp_path / 'venv'}", f"PYTHON={base}"]
    seconds = []
    for turn in ("first", "second"):
        runtime = tmp_path / turn
        runtime.mkdir()
        start = time.monotonic()
        log = tmp_path / f"{turn}.log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | {"JUPYTER_RUNTIME_DIR": str(runtime)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as make,
        ):
            try:
                address = server.wait_for(runtime, make, seconds=400)
                seconds.append(time.monotonic() - start)
                opened = server.landing_page(address)
                lessons = server.ask(f"{address}api/contents/")["content"]
            except AssertionError as error:
                raise AssertionError(f"{error}:\n{log.read_text()}") from None
            finally:
                os.killpg(make.pid, signal.SIGTERM)
        assert "/lab/tree/00_crossentropy/lesson.ipynb" in opened
        assert {"00_crossentropy", "01_tensors", "02_autodiff"} <= {entry["name"] for entry in lessons}
        assert (home / "gradschool" / "00_crossentropy" / "exercises.ipynb").is_file()
        assert ("Installing" in log.read_text()) == (turn == "first")
        (home / "gradschool" / "00_crossentropy" / "mine.txt").write_text("mine")
    assert (home / "gradschool" / "00_crossentropy" / "mine.txt").read_text() == "mine"
    print(f"make lab: {seconds[0]:.0f} s, again {seconds[1]:.1f} s")
