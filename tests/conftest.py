"""What all tests share: which need torch or Chromium, and that CI never goes without them."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

from classroom.doctor import chromium_mend, find_chromium

IN_CI = os.environ.get("CI") == "true"
BROWSER_TESTS = Path(__file__).parent / "browser"

# How long an example takes says something of the machine, and of what else runs on it.
settings.register_profile("without a clock", settings(), deadline=None)
settings.load_profile("without a clock")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run; in CI nothing may be missing, so there it fails."""
    without = {}
    if importlib.util.find_spec("torch") is None:
        without["oracle"] = 'torch is not installed: python -m pip install "torch==2.13.0"'
    for item in items:
        if BROWSER_TESTS in item.path.parents:
            item.add_marker("browser")
    if any(item.get_closest_marker("browser") for item in items) and find_chromium() is None:
        without["browser"] = f"Chromium is not installed: {chromium_mend()}"
    if IN_CI and without:
        raise pytest.UsageError("; ".join(without.values()))
    for item in items:
        for marker, reason in without.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the progress of the person who runs it."""
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(tmp_path / "workspace"))
