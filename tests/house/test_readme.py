"""What README shows is run: its Python, its links, and the commands that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import kernel

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: text.split("\n")[2][:30])
def test_its_programs_run_and_print_what_they_say(program):
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    for said in re.findall(r"print\(.*\)  # ((?:tensor\(|Sequential\(|Adam\(|\[).*)", program):
        assert said.partition(", …")[0] in ran.stdout


def test_the_sentence_it_quotes_is_the_kernels():
    quoted = re.search(r"`(matmul: argument b .*?); …`", README.replace("\n", " ")).group(1)
    with pytest.raises(kernel.ShapeError) as error:
        kernel.zeros(2, 3) @ kernel.zeros(4, 5)
    assert quoted in str(error.value)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {target for path in DOCUMENTS for target in re.findall(r"`make (\w+)", path.read_text(encoding="utf-8"))}
    assert named <= targets
