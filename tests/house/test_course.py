"""The course folder and what the lessons say of themselves."""

from pathlib import Path

import pytest

from classroom import course


def test_lessons_are_read_by_number(small_course: Path) -> None:
    first, second = course.lessons()
    assert (first.number, first.slug, first.name) == ("00", "first", "00_first")
    assert (first.title, first.minutes) == ("A first lesson", 5)
    assert [path.name for path in first.notebooks] == ["lesson.ipynb", "exercises.ipynb"]
    assert [path.name for path in first.data] == ["numbers.csv"]
    assert [path.name for path in second.notebooks] == ["lesson.ipynb"]


@pytest.mark.parametrize("name", ["01", "1", "second", "01_second", "Second", "01_second/"])
def test_a_lesson_is_found_by_every_name_a_person_types(small_course: Path, name: str) -> None:
    assert course.find_lesson(name).name == "01_second"


def test_an_unknown_lesson_is_answered_with_the_known_ones(small_course: Path) -> None:
    with pytest.raises(course.CourseError, match="no lesson 'frist'; the lessons are 00_first, 01_second"):
        course.find_lesson("frist")


def test_a_folder_that_is_no_lesson_is_not_listed(small_course: Path) -> None:
    (small_course / "__pycache__").mkdir()
    (small_course / "02_draft").mkdir()
    assert [lesson.number for lesson in course.lessons()] == ["00", "01"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# %%\n1\n", "must state its title and minutes"),
        ("# ---\n# jupyter:\n#   gradschool:\n#     title: No minutes\n# ---\n", "must state its title and minutes"),
        ("# ---\n# jupyter: a word\n# ---\n", "must state its title and minutes"),
        ("# ---\n# - a list\n# ---\n", "must state its title and minutes"),
        ("# ---\n# jupyter: [\n# ---\n", r"the header of .*lesson\.py is not YAML"),
        ("# ---\n# jupyter:\n", "is not closed"),
    ],
)
def test_a_header_without_title_and_minutes_is_refused(small_course: Path, text: str, sentence: str) -> None:
    (small_course / "00_first" / "lesson.py").write_text(text)
    with pytest.raises(course.CourseError, match=sentence):
        course.lessons()


def test_a_course_folder_without_lessons_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(course.COURSE_VARIABLE, str(tmp_path))
    with pytest.raises(course.CourseError, match=f"the folder {tmp_path} holds no lesson: .*unset GRADSCHOOL_COURSE"):
        course.lessons()


def test_a_missing_course_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(course.COURSE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(course.CourseError, match="does not exist"):
        course.lessons()


def test_a_checkout_reads_its_own_course_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(course.COURSE_VARIABLE, raising=False)
    assert course.course_folder() == Path(__file__).resolve().parents[2] / "course"
