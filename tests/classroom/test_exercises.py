"""Every exercise of the course, and those of the sample course: its reference, its misconceptions, its cases."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest

from classroom import program
from classroom.catalogue import catalogue, exercises_of, used_by
from classroom.course import COURSE_VARIABLE, Lesson, lessons
from classroom.engine import check_answer, make_trials, run_here, source_of
from classroom.lesson_check import check_lesson
from classroom.spec import Exercise, Program
from classroom.student import student_version
from classroom.verdict import NOT_ATTEMPTED, RIGHT, WRONG, Verdict

COURSES = (Path(__file__).parents[2] / "course", Path(__file__).parent / "course")


def _exercises() -> Iterator:
    with pytest.MonkeyPatch.context() as patch:
        for course in COURSES:
            patch.setenv(COURSE_VARIABLE, str(course))
            for name, (lesson, exercise) in catalogue().items():
                yield pytest.param((course, exercise), id=f"{lesson.name}-{name}")


def _notebooks() -> Iterator:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(COURSE_VARIABLE, str(COURSES[0]))
        for lesson in lessons():
            if exercises_of(lesson):
                yield pytest.param(lesson, id=lesson.name)


@pytest.fixture(params=list(_exercises()))
def exercise(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exercise:
    course, found = request.param
    monkeypatch.setenv(COURSE_VARIABLE, str(course))
    return found


def _as_cell(exercise: Exercise, wrong: Program) -> str:
    """A misconception as a student's cell; of a dict to fill in, the other entries are right."""
    source = source_of(exercise, wrong)
    if not exercise.is_value or not isinstance(exercise.function(), dict):
        return source
    return (
        f"{source}\n{exercise.reference.source}\n{exercise.name} = {{**{exercise.reference.name}(), **{wrong.name}()}}"
    )


def test_the_reference_is_right_in_a_worker_on_every_device(exercise: Exercise) -> None:
    assert {"float32", "float64"} <= set(exercise.dtypes) or exercise.is_value or not exercise.wide_reference
    for device in exercise.devices:
        verdict = check_answer(exercise, exercise.solution(), used_by(exercise), device=device)
        assert (verdict.status, verdict.points) == (RIGHT, exercise.points), (device, verdict)


def test_every_misconception_gets_its_own_sentence(exercise: Exercise, judged_here: Callable[..., Verdict]) -> None:
    for seed in (0, 1):
        for wrong in exercise.wrong:
            verdict = judged_here(exercise, _as_cell(exercise, wrong), seed)
            assert (verdict.status, verdict.points) == (WRONG, 0), wrong.name
            assert (verdict.misconception, verdict.sentence) == (wrong.name, wrong.sentence)


def test_a_misconception_stops_only_as_a_student_would(exercise: Exercise) -> None:
    """Not by a mistake of ours, an unknown name or another signature: it would explain whatever else stops so."""
    of_itself = re.compile(rf"({exercise.name}|{'|'.join(wrong.name for wrong in exercise.wrong)})(\.\w+)*\(\)")
    used = used_by(exercise)
    arrays, trials = make_trials(exercise, used, 0, exercise.devices[0])
    for wrong in exercise.wrong:
        for result in run_here(exercise, used, source_of(exercise, wrong), arrays, trials, exercise.devices[0]):
            if result.error:
                kinds, message = {result.error["type"], *result.error["bases"]}, result.error["message"]
                assert kinds.isdisjoint(("NameError", "ImportError")), (wrong.name, message)
                assert not of_itself.match(message), (wrong.name, message)
                assert not re.match(r"module '[\w.]+' has no attribute", message), (wrong.name, message)


def test_the_right_and_the_wrong_words_are_among_those_to_choose_from(exercise: Exercise) -> None:
    if exercise.choices:
        for function in (exercise.function, *exercise.misconceptions):
            words = {word for word in function().values() if isinstance(word, str)}
            assert words <= set(exercise.choices), function.__name__


def test_misconceptions_and_hints_are_complete(exercise: Exercise) -> None:
    sentences = [wrong.sentence for wrong in exercise.wrong]
    assert len(sentences) >= 4
    assert len(set(sentences)) == len(sentences)
    for text in (*sentences, *exercise.hints):
        assert text == text.strip()
        assert text.endswith((".", "!", "?", "`"))
        assert len(text) <= 400
    for text in sentences:
        assert not re.search(r"[.!?][`'\")]*\s+[^a-z\s]", text), f"two sentences: {text}"
    assert len(set(exercise.hints)) == 3
    assert exercise.points > 0
    assert exercise.title


def test_public_cases_are_fixed_and_others_fresh(exercise: Exercise) -> None:
    if exercise.is_value:
        assert len(exercise.generate(0, "float64")) == 1
        return
    for dtype in exercise.dtypes:
        packed = []
        for seed in (1, 2):
            cases = exercise.generate(seed, dtype)
            assert len(cases) > exercise.public
            arrays: list[dict] = [{} for _ in cases]
            trees = [program.pack(case.arguments, each) for case, each in zip(cases, arrays, strict=True)]
            packed.append([program.to_bytes(tree, each) for tree, each in zip(trees, arrays, strict=True)])
        one, other = packed
        assert one[: exercise.public] == other[: exercise.public]
        assert one != other


def test_a_generator_uses_the_dtype_that_it_is_given(exercise: Exercise) -> None:
    if exercise.is_value:
        return
    for dtype in exercise.dtypes:
        arrays: dict[str, np.ndarray] = {}
        for case in exercise.generate(0, dtype):
            program.pack(case.arguments, arrays)
        floats = {array.dtype.name for array in arrays.values() if array.dtype.kind == "f"}
        assert not floats or dtype in floats


@pytest.mark.parametrize("lesson", list(_notebooks()))
def test_the_notebook_has_a_right_answer_for_every_exercise_and_the_student_none(
    lesson: Lesson, tmp_path: Path
) -> None:
    written = lesson.folder / "exercises.ipynb"
    verdicts = check_lesson(lesson, written)
    assert {verdict.exercise: verdict.status for verdict in verdicts} == {
        each.name: RIGHT for each in exercises_of(lesson)
    }
    handed_out = tmp_path / "exercises.ipynb"
    nbformat.write(student_version(nbformat.read(written, as_version=4)), handed_out)
    for verdict in check_lesson(lesson, handed_out):
        assert verdict.status == NOT_ATTEMPTED, verdict
