"""The test runner itself: it counts what pytest reports, and what pytest could not report."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("tests_run", ROOT / "tests" / "run.py")
run = importlib.util.module_from_spec(spec)
sys.modules["tests_run"] = run  # a dataclass looks its module up
spec.loader.exec_module(run)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inner runs see neither this run's options nor its own environment of CI."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("CI", "false")


def count(folder: Path, text: str) -> "run.Counts":
    (folder / "test_inner.py").write_text(text)
    return run._pytest(str(folder), "-p", "no:nbval", "-p", "no:playwright", "-c", os.devnull, "--rootdir", str(folder))


def test_what_pytest_reports_is_counted(tmp_path: Path, quiet: None) -> None:
    text = (
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert 0\n"
        "@pytest.mark.skip\ndef test_c(): pass\n"
        "@pytest.fixture\ndef broken(): raise ValueError\n"
        "def test_d(broken): pass\n"
    )
    assert str(count(tmp_path, text)) == "1 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize("text", ["x = 1\n", "import no_such_module\n", "import os\nos._exit(3)\n"])
def test_a_run_that_tests_nothing_or_dies_is_a_failure(tmp_path: Path, quiet: None, text: str) -> None:
    assert str(count(tmp_path, text)) == "0 passed, 1 failed, 0 skipped"


def test_all_parts_run_whatever_fails_and_one_line_counts_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def one() -> run.Counts:
        """First."""
        return run.Counts(passed=3, failed=1)

    def two() -> run.Counts:
        """Second."""
        return run.Counts(passed=4, skipped=2)

    monkeypatch.setattr(run, "PARTS", {"one": one, "two": two})
    assert run.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "7 passed, 1 failed, 2 skipped"
    assert len([line for line in lines if re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", line)]) == 1
    assert run.main(["two"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 0 failed, 2 skipped"
    assert run.main(["three"]) == 2


@pytest.mark.parametrize(("counts", "failed"), [((3, 0, 0), 0), ((3, 0, 1), 1), ((0, 0, 0), 1), ((0, 0, 9), 1)])
def test_ci_wants_every_browser_test_to_run(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int, int], failed: int
) -> None:
    monkeypatch.setattr(run, "IN_CI", True)
    monkeypatch.setattr(run, "_pytest", lambda *arguments: run.Counts(*counts))
    assert run.browser().failed == failed


def test_saved_outputs_are_compared_but_not_the_pixels(built_course: Path, tmp_path: Path, quiet: None) -> None:
    """nbval, as the part `notebooks` calls it: other pixels pass; another output, or another caption, fails."""
    course = tmp_path / "course"
    shutil.copytree(built_course, course)
    notebook = course / "00_first" / "lesson.ipynb"
    text = notebook.read_text()

    def verdict() -> "run.Counts":
        command = ["-p", "no:playwright", "-c", os.devnull, "--rootdir", str(course)]
        return run._pytest(str(course / "00_first"), *run.NBVAL, *command)

    pixels = text.replace("data:image/png;base64,AAAA", "data:image/png;base64,BBBB", 1)
    assert nbformat.reads(pixels, as_version=4).cells[3].outputs[0].data["text/html"].endswith('BBBB">')
    notebook.write_text(pixels)
    assert str(verdict()) == "6 passed, 0 failed, 0 skipped"
    # In the file an output stands before the source that made it.
    notebook.write_text(text.replace("[0 1 2]", "[0 1 3]", 1).replace("a slider at 1", "a slider at 2", 1))
    assert str(verdict()) == "4 passed, 2 failed, 0 skipped"


def test_ci_fails_where_torch_or_chromium_is_missing(tmp_path: Path) -> None:
    """The shared options of the tests, in a pytest of their own that sees no torch."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_inner.py").write_text(
        "import pytest\n@pytest.mark.oracle\ndef test_a(): pass\ndef test_b(): pass\n"
    )
    hide = "import sys; sys.modules['torch'] = None; import importlib.util as u; f = u.find_spec; "
    hide += "u.find_spec = lambda name, *a: None if name == 'torch' else f(name, *a); import pytest; "
    hide += "sys.exit(pytest.main(sys.argv[1:]))"
    options = ["-q", "-rs", "-p", "no:nbval", "-p", "no:playwright", "-c", str(ROOT / "pyproject.toml")]
    results = {}
    for ci in ("false", "true"):
        environment = {**os.environ, "CI": ci}
        command = [sys.executable, "-c", hide, *options, f"--rootdir={tmp_path}", str(tmp_path)]
        results[ci] = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert results["false"].returncode == 0, results["false"].stdout
    assert "1 passed, 1 skipped" in results["false"].stdout
    assert 'torch is not installed: python -m pip install "torch==2.13.0"' in results["false"].stdout
    assert results["true"].returncode == 4
    assert "torch is not installed" in results["true"].stderr
