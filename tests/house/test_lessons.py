"""Every notebook of the course is what its text twin says; with no lesson in it, pytest reports a skipped test."""

import re
from pathlib import Path

import nbformat
import pytest

from classroom.author import differences, lint, read_twin
from classroom.student import student_version

COURSE = Path(__file__).resolve().parents[2] / "course"
TWINS = sorted(COURSE.glob("[0-9][0-9]_*/lesson.py")) + sorted(COURSE.glob("[0-9][0-9]_*/exercises.py"))

every_twin = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: f"{twin.parent.name}/{twin.name}")


@every_twin
def test_the_notebook_agrees_with_its_twin(twin: Path) -> None:
    assert differences(twin) == [], f"build it: gradschool author build {twin.parent.name}"


@every_twin
def test_the_twin_holds_plain_python(twin: Path) -> None:
    assert list(lint(read_twin(twin))) == []


@every_twin
def test_the_notebook_is_valid_and_so_is_what_a_student_gets(twin: Path) -> None:
    notebook = nbformat.read(twin.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    student = student_version(notebook)
    nbformat.validate(student)
    assert not any("SOLUTION" in cell.source for cell in student.cells if cell.cell_type == "code")


@every_twin
def test_a_lesson_that_is_named_in_full_can_be_opened_from_there(twin: Path) -> None:
    for lesson in COURSE.glob("[0-9][0-9]_*/lesson.py"):
        [title] = re.findall("title: (.*)", lesson.read_text(encoding="utf-8"))
        name = f"{lesson.parent.name[:2]} {title}"
        for cell in read_twin(twin).cells:
            text = " ".join(cell.source.split()).replace(f"[{name}](../{lesson.parent.name}/lesson.ipynb)", "")
            assert cell.cell_type == "code" or name not in text, f"make a link of {name}"


def test_every_notebook_has_a_twin() -> None:
    notebooks = {path for path in COURSE.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    assert notebooks <= {twin.with_suffix(".ipynb") for twin in TWINS}
