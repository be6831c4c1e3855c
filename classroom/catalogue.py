"""Every exercise of the course by its name."""

import difflib
from collections.abc import Iterable

from classroom.course import CourseError, Lesson, lessons
from classroom.spec import Exercise, SpecError, load


class UnknownExercise(CourseError):
    """A name that no exercise has; the message offers the nearest."""


def exercises_of(lesson: Lesson) -> list[Exercise]:
    """The exercises of one lesson, in its order; none where the lesson has no checks.py."""
    file = lesson.folder / "checks.py"
    return load(file) if file.is_file() else []


def catalogue() -> dict[str, tuple[Lesson, Exercise]]:
    """Name → (lesson, exercise), in the order of the course.

    Errors: SpecError when two exercises have one name.
    """
    found: dict[str, tuple[Lesson, Exercise]] = {}
    for lesson in lessons():
        for exercise in exercises_of(lesson):
            if exercise.name in found:
                first = found[exercise.name][0].name
                raise SpecError(f"{exercise.name} is an exercise of {first} and of {lesson.name}; rename one.")
            found[exercise.name] = (lesson, exercise)
    return found


def find(name: str) -> tuple[Lesson, Exercise]:
    """The exercise called `name` with its lesson.

    Errors: UnknownExercise, with the nearest names.
    """
    known = catalogue()
    if name in known:
        return known[name]
    raise UnknownExercise(f"There is no exercise named {str(name)[:60]!r}; {_nearest(str(name), known)}")


def used_by(exercise: Exercise) -> list[Exercise]:
    """The exercises whose references stand before the answer, each after those that it uses itself.

    Errors: SpecError when one of them does not exist.
    """
    known = catalogue()
    order: dict[str, Exercise] = {}

    def add(each: Exercise, path: tuple[str, ...]) -> None:
        for name in each.uses:
            if name not in known or name in path:
                raise SpecError(f"exercise {each.name} uses {name}, which is no other exercise of the course.")
            add(known[name][1], (*path, name))
            order.setdefault(name, known[name][1])

    add(exercise, (exercise.name,))
    return list(order.values())


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(each) for each in close)}?"
    return f"the exercises are {', '.join(names)}." if names else "the course has no exercises."
