"""Docstring examples are written for a reader who has typed `import kernel`."""

import pytest

import kernel


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict) -> None:
    doctest_namespace["kernel"] = kernel
