"""The sample course of these tests, and a short way to check a cell against one of its exercises."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from classroom import program, sandbox
from classroom.catalogue import find, used_by
from classroom.cell import prepare
from classroom.engine import check_answer, job, judge, make_trials
from classroom.spec import Exercise
from classroom.verdict import WRONG, Verdict

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


@pytest.fixture
def judged_here() -> Callable[..., Verdict]:
    """judged_here(exercise, source, seed) → the verdict; run in this process, since workers would take a minute."""

    def check(exercise: Exercise, source: str, seed: int = 0) -> Verdict:
        device, used = exercise.devices[0], used_by(exercise)
        arrays, trials = make_trials(exercise, used, seed, device)
        events = list(program.run(job(exercise, used, source, trials, device), arrays))
        verdict = Verdict(exercise.name, exercise.title, WRONG, "", 0, exercise.points)
        judge(verdict, exercise, used, prepare(source), sandbox.Outcome("done", events), arrays, trials, device)
        return verdict

    return check
