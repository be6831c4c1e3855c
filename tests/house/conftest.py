"""A small course of two lessons, so that the command's tests do not wait for the real one."""

import shutil
from pathlib import Path

import pytest

from classroom import author, course

SMALL_COURSE = Path(__file__).parent / "small_course"


@pytest.fixture(scope="session")
def built_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small course with its notebooks built; shared, so never write to it."""
    folder = tmp_path_factory.mktemp("built") / "course"
    shutil.copytree(SMALL_COURSE, folder)
    for lesson_folder in sorted(folder.iterdir()):
        author.build(course.read_lesson(lesson_folder))
    return folder


@pytest.fixture
def small_course(built_course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built small course that a test may change; the command reads this one."""
    folder = tmp_path / "course"
    shutil.copytree(built_course, folder)
    monkeypatch.setenv(course.COURSE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's workspace folder that does not exist yet."""
    folder = tmp_path / "a student" / "gradschool"
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(folder))
    return folder
