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


def find(name: str | None, seen: Iterable[str] = ()) -> tuple[Lesson, Exercise]:
    """The exercise called `name` with its lesson.

    Arguments:
        seen: names in a student's cells, the latest first; the first exercise among them tells which lesson it is.

    Errors: UnknownExercise, with the nearest names, or those of the lesson.
    """
    known = catalogue()
    if name in known:
        return known[name]
    here = next((known[each][0].name for each in seen if each in known), None)
    of_lesson = f" of {here}" if here else ""
    offered = [each for each, (lesson, _) in known.items() if here in (None, lesson.name)]
    exercises = f"the exercises{of_lesson} are {', '.join(offered)}." if offered else "the course has no exercises."
    if name is None:
        example = f', such as "{offered[0]}"' if offered else ""
        raise UnknownExercise(f"Say which exercise you mean by its name in quotes{example}: {exercises}")
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    nearest = f"did you mean {' or '.join(repr(each) for each in close)}?" if close else exercises
    raise UnknownExercise(f"There is no exercise named {name[:60]!r}; {nearest}")


def used_by(exercise: Exercise) -> list[Exercise]:
    """The exercises whose references stand before the answer, each after those that it uses itself.

    Errors: SpecError when one of them does not exist.
    """
    if not exercise.uses:
        return []
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
