"""Check every exercise of a lesson from a notebook's file, as `gradschool check 00` does."""

from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from classroom.catalogue import exercises_of, used_by
from classroom.cell import defined, prepare
from classroom.course import Lesson
from classroom.engine import check_answer
from classroom.spec import Exercise
from classroom.verdict import Verdict
from classroom.workspace import read_notebook


def check_lesson(lesson: Lesson, notebook: Path, *, seed: int | None = None) -> Iterator[Verdict]:
    """The verdict on each exercise of `lesson`, in its order, from the cells of `notebook`; one by one, as they come.

    Arguments:
        seed: of the random inputs; fresh ones by default.

    Errors: WorkspaceError for a file that is no notebook.
    """
    cells = read_notebook(notebook, lesson).cells
    for exercise in exercises_of(lesson):
        yield check_answer(exercise, answer_in(cells, exercise), used_by(exercise), seed=seed)


def answer_in(cells: list[NotebookNode], exercise: Exercise) -> str | None:
    """The source of an exercise's cell: by nbgrader's grade_id, else the last cell that defines its name."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    for cell in code:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise.name:
            return cell.source
    for cell in reversed(code):
        prepared = prepare(cell.source)
        if prepared.tree is not None and exercise.name in defined(prepared.tree):
            return cell.source
    return None
