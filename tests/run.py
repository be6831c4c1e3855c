"""Run every part of the tests, whatever fails, and end with one line that counts them all.

    python tests/run.py            all parts
    python tests/run.py ruff unit  these parts

nbval and playwright disturb each other, so each runs without the other; docs/testing.md says more.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NBVAL = (
    "--nbval",
    "--nbval-current-env",
    f"--nbval-sanitize-with={ROOT / 'tests/nbval.cfg'}",
    "--nbval-cell-timeout=60",
)
IN_CI = os.environ.get("CI") == "true"


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def ruff() -> Counts:
    """Style: ruff's rules, and its formatting; each counts as one test."""
    counts = Counts()
    for arguments in (["check"], ["format", "--check"]):
        good = _run("-m", "ruff", *arguments, ".") == 0
        counts += Counts(passed=int(good), failed=int(not good))
    return counts


def unit() -> Counts:
    """Everything in tests/ that needs no browser."""
    return _pytest("tests", "--ignore=tests/browser", "-p", "no:nbval", "-p", "no:playwright")


def doctests() -> Counts:
    """The examples in the docstrings."""
    return _pytest("--doctest-modules", "kernel", "widgets", "classroom", "-p", "no:nbval", "-p", "no:playwright")


def notebooks() -> Counts:
    """Every cell of every notebook of the course, its output compared with the saved one."""
    return _pytest("course", *NBVAL, "-p", "no:playwright")


def browser() -> Counts:
    """JupyterLab in Chromium."""
    counts = _pytest("tests/browser", "-p", "no:nbval")
    if IN_CI and (counts.skipped or not counts.passed):
        print("CI needs every browser test to run: one was skipped, or none was found.")
        counts.failed += 1
    return counts


PARTS: dict[str, Callable[[], Counts]] = {part.__name__: part for part in (ruff, unit, doctests, notebooks, browser)}


def main(names: list[str]) -> int:
    unknown = set(names) - set(PARTS)
    if unknown:
        print(f"there is no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
        return 2
    results = []
    for name in names or PARTS:
        print(f"\n== {name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        start = time.monotonic()
        results.append((name, PARTS[name](), time.monotonic() - start))
    print()
    for name, counts, seconds in results:
        print(f"{name:<10} {seconds / 60:5.1f} min   {counts}")
    print(f"{'together':<10} {sum(seconds for *_, seconds in results) / 60:5.1f} min")
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed: the oracle tests, which compare with it, were left out.")
    total = sum((counts for _, counts, _ in results), Counts())
    print(total, flush=True)
    return 1 if total.failed else 0


def _run(*arguments: str) -> int:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode


def _pytest(*arguments: str) -> Counts:
    """Run pytest and count what it reports; a run that ends badly without a failed test counts as one."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.xml")
        code = _run("-m", "pytest", "-q", "-rfEs", f"--junitxml={report}", *arguments)
        counts = _read_report(report)
    if code != 0 and counts.failed == 0:
        print(f"pytest ended with exit code {code} and reported no failed test: that counts as one failure.")
        counts.failed = 1
    return counts


def _read_report(report: Path) -> Counts:
    if not report.is_file():
        return Counts()
    counts = Counts()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total, failures, errors, skipped = (int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped"))
        counts += Counts(total - failures - errors - skipped, failures + errors, skipped)
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
