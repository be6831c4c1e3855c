"""Where the lessons lie and what each says of itself.

A lesson is a folder `NN_name` with `lesson.py` and `lesson.ipynb`, and mostly `exercises.py`, `exercises.ipynb`,
`checks.py` and a folder `data`. Its title and minutes are written in one place, the header of `lesson.py`:

    # ---
    # jupyter:
    #   gradschool:
    #     title: Cross-entropy
    #     minutes: 45
    # ---
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

COURSE_VARIABLE = "GRADSCHOOL_COURSE"
NOTEBOOKS = ("lesson", "exercises")
_FOLDER_NAME = re.compile(r"(?P<number>\d\d)_(?P<slug>[a-z][a-z0-9_]*)")


class CourseError(ValueError):
    """Something that whoever typed the command can mend; the message says what, in one sentence."""


@dataclass(frozen=True)
class Lesson:
    """One lesson folder: `number` "00", `slug` "crossentropy", `title`, `minutes`, and its files."""

    number: str
    slug: str
    folder: Path
    title: str
    minutes: int

    @property
    def name(self) -> str:
        """The folder's name, which is also its name in a student's workspace: 00_crossentropy."""
        return f"{self.number}_{self.slug}"

    @property
    def notebooks(self) -> tuple[Path, ...]:
        """The lesson's notebooks that exist, in the order in which they are read."""
        candidates = (self.folder / f"{stem}.ipynb" for stem in NOTEBOOKS)
        return tuple(path for path in candidates if path.is_file())

    @property
    def twins(self) -> tuple[Path, ...]:
        """The text twins, which are the source of the notebooks."""
        candidates = (self.folder / f"{stem}.py" for stem in NOTEBOOKS)
        return tuple(path for path in candidates if path.is_file())

    @property
    def data(self) -> tuple[Path, ...]:
        """Every file in the lesson's data folder: with the notebooks, all that a student is given."""
        return tuple(sorted(path for path in (self.folder / "data").rglob("*") if path.is_file()))


def course_folder() -> Path:
    """The folder that holds the lessons: beside this file in an installed wheel, `course` in a checkout.

    The environment variable GRADSCHOOL_COURSE names another one.
    """
    named = os.environ.get(COURSE_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    packaged = Path(__file__).resolve().parent / "course"
    return packaged if packaged.is_dir() else packaged.parents[1] / "course"


def lessons() -> list[Lesson]:
    """Every lesson of the course, by number."""
    folder = course_folder()
    if not folder.is_dir():
        raise CourseError(f"the folder {folder} does not exist: reinstall gradschool, or unset {COURSE_VARIABLE}")
    candidates = (path for path in sorted(folder.iterdir()) if _FOLDER_NAME.fullmatch(path.name))
    found = [read_lesson(path) for path in candidates if (path / "lesson.py").is_file()]
    if not found:
        raise CourseError(f"the folder {folder} holds no lesson: reinstall gradschool, or unset {COURSE_VARIABLE}")
    return found


def find_lesson(name: str) -> Lesson:
    """The lesson that a person means by `name`: "00", "0", "crossentropy" or "00_crossentropy"."""
    known = lessons()
    wanted = name.strip().strip("/").lower()
    for lesson in known:
        numbers = {lesson.number, str(int(lesson.number))}
        if wanted in numbers or wanted in {lesson.slug, lesson.name}:
            return lesson
    names = ", ".join(lesson.name for lesson in known)
    raise CourseError(f"there is no lesson {name!r}; the lessons are {names}")


def read_lesson(folder: Path) -> Lesson:
    """Read the lesson in `folder`; its header must give a title and the minutes."""
    folder_name = _FOLDER_NAME.fullmatch(folder.name)
    if folder_name is None:
        raise CourseError(f"{folder.name!r} is no lesson folder: its name must look like 00_crossentropy")
    source = folder / "lesson.py"
    match header(source):
        case {"jupyter": {"gradschool": {"title": str(title), "minutes": int(minutes)}}}:
            return Lesson(folder_name["number"], folder_name["slug"], folder, title, minutes)
    raise CourseError(
        f"{source} must state its title and minutes in its header, as '#   gradschool:', "
        "'#     title: Cross-entropy', '#     minutes: 45' under '# jupyter:'"
    )


def header(twin: Path) -> Mapping:
    """The YAML header of a text twin (jupytext takes a second to import; the map of the course need not wait)."""
    with twin.open(encoding="utf-8") as file:
        if file.readline().strip() != "# ---":
            return {}
        lines = []
        for line in file:
            if line.strip() == "# ---":
                return _mapping("".join(lines), twin)
            lines.append(line.removeprefix("# ") if line.strip() != "#" else "\n")
    raise CourseError(f"the header of {twin} is not closed: its last line must be '# ---'")


def _mapping(text: str, twin: Path) -> Mapping:
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise CourseError(f"the header of {twin} is not YAML ({reason})") from None
    return read if isinstance(read, Mapping) else {}
