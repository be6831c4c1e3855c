"""What every run of pytest shares: a workspace of its own, and the name that docstring examples are written with."""

import os
import tempfile
from pathlib import Path

import pytest

import kernel


def pytest_configure(config: pytest.Config) -> None:
    """A person's own progress, start-up files and settings are neither read nor written, by notebooks neither."""
    scratch = tempfile.TemporaryDirectory(prefix="gradschool-tests-")
    config.add_cleanup(scratch.cleanup)
    os.environ["GRADSCHOOL_WORKSPACE"] = str(Path(scratch.name, "workspace"))
    os.environ["IPYTHONDIR"] = str(Path(scratch.name, "ipython"))


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict) -> None:
    doctest_namespace["kernel"] = kernel
