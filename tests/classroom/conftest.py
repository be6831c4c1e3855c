"""The sample course of these tests, and a short way to check a cell against one of its exercises."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from classroom.catalogue import find, used_by
from classroom.engine import check_answer
from classroom.verdict import Verdict

COURSE = Path(__file__).parent / "course"


@pytest.fixture
def sample_course(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADSCHOOL_COURSE", str(COURSE))
    return COURSE


@pytest.fixture
def answer(sample_course: Path) -> Callable[..., Verdict]:
    """answer("softmax", source, seconds=2.0) → the verdict."""

    def check(name: str, source: str | None, seconds: float = 10.0, **options: object) -> Verdict:
        exercise = dataclasses.replace(find(name)[1], seconds=seconds)
        return check_answer(exercise, source, used_by(exercise), **options)

    return check
