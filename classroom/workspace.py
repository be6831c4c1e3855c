"""The student's own folder: lessons are copied into it, and nothing of the student's is ever overwritten.

`gradschool lab` brings the workspace up to date and opens JupyterLab on it. What was handed out is remembered in
`.gradschool/shipped.json`, so that a file the student changed can be told from one that only the course changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from classroom.course import CourseError, Lesson
from classroom.files import write_atomically
from classroom.student import KERNEL_DISPLAY_NAME, settled, student_version

if TYPE_CHECKING:
    from nbformat import NotebookNode  # takes most of a second, and is here for its name alone

PRIVATE = ".gradschool"
BACKUPS = "backups"
EXERCISES = "exercises.ipynb"
NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
_SHIPPED = PurePosixPath(PRIVATE, "shipped.json")


class WorkspaceError(CourseError):
    """Something in the workspace stands in the way; the message is one sentence for the student."""


@dataclass(frozen=True)
class Fingerprint:
    """What a file holds: `content`, the hash of its bytes, and `work`, the hash of what a person wrote in it.

    Running a notebook changes its bytes and not its cells: that is no work, and needs no second copy.
    """

    content: str
    work: str

    @classmethod
    def of(cls, data: bytes, name: str) -> Fingerprint:
        content = hashlib.sha256(data).hexdigest()
        if not name.endswith(".ipynb"):
            return cls(content, content)
        try:
            written = [[cell["cell_type"], "".join(cell["source"])] for cell in json.loads(data)["cells"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(content, content)  # no notebook, whatever its name says
        return cls(content, hashlib.sha256(json.dumps(written).encode()).hexdigest())


class Step(Enum):
    """What an update does with one file."""

    ADD = "added"
    RESTORE = "put back"
    UPDATE = "updated"
    BESIDE = "changed by you and by the course"
    LEAVE = "left alone"


@dataclass(frozen=True)
class Change:
    """One line of what an update tells the student: `path` in the workspace, and where the new or old version went."""

    step: Step
    path: PurePosixPath
    other: PurePosixPath | None = None


def no_folder(workspace: Path) -> str:
    """Why there is no folder `workspace` and cannot be one, in one sentence; "" if there is or can be."""
    nearest = _nearest(workspace)
    return "" if nearest.is_dir() else f"{nearest} is a file, and a workspace is a folder; choose another with --dir"


def obstacle(workspace: Path) -> str:
    """What keeps a student from working in `workspace`, in one sentence; "" if nothing does."""
    if sentence := no_folder(workspace):
        return sentence
    nearest = _nearest(workspace)
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"nothing can be written into {nearest}; choose another workspace with --dir"
    return ""


def decide(shipped: Fingerprint | None, current: Fingerprint | None, new: Fingerprint) -> Step:
    """What to do with a file, from its last handed-out version, the student's version and the course's new one."""
    if current is None:
        return Step.ADD if shipped is None else Step.RESTORE
    if current == new or shipped == new:
        return Step.LEAVE
    if shipped is None:
        return Step.LEAVE if current.work == new.work else Step.BESIDE
    if current == shipped:
        return Step.UPDATE
    if new.work in (shipped.work, current.work):
        return Step.LEAVE  # the course changed nothing that the student has not got
    return Step.UPDATE if current.work == shipped.work else Step.BESIDE


def update(workspace: Path, lessons: Sequence[Lesson]) -> list[Change]:
    """Bring `workspace` up to date with the course; returns what changed, in order."""
    _require_room(workspace)
    _require_place(workspace, _SHIPPED)
    workspace.mkdir(parents=True, exist_ok=True)
    shipped = _read_shipped(workspace)
    changes = []
    for path, data in handed_out(lessons):
        _require_place(workspace, path)
        target = workspace / path
        new = Fingerprint.of(data, path.name)
        old = shipped.get(str(path))
        current_data = target.read_bytes() if target.exists() else None
        current = None if current_data is None else Fingerprint.of(current_data, path.name)
        step, other = decide(old, current, new), None
        if step is Step.BESIDE:
            other = _free_name(workspace, path)
            write_atomically(workspace / other, data)
        elif step is not Step.LEAVE:
            if step is Step.UPDATE and current != old:
                other = back_up(workspace, path)  # the outputs of the student's own runs
            write_atomically(target, data)
        if old != new:
            shipped[str(path)] = new
            # After each file: an update that is broken off must not take a new version for the student's work.
            _write_shipped(workspace, shipped)
        if step is not Step.LEAVE:
            changes.append(Change(step, path, other))
    return changes


def handed_out(lessons: Sequence[Lesson]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Everything a student is given, by its path in the workspace: the notebooks and the files in `data`."""
    for lesson in lessons:
        for notebook in lesson.notebooks:
            yield PurePosixPath(lesson.name, notebook.name), _for_student(notebook)
        for file in lesson.data:
            yield PurePosixPath(lesson.name, *file.relative_to(lesson.folder).parts), file.read_bytes()


def reset(workspace: Path, lesson: Lesson, exercise: str | None = None) -> PurePosixPath | None:
    """Give the student's exercises of `lesson`, or one of them, their first state back.

    Returns where the student's version was kept, or None if nothing of the student's was in what is replaced.
    """
    _require_room(workspace)
    path = exercises(workspace, lesson)
    target = workspace / path
    fresh = _for_student(lesson.folder / EXERCISES)
    if exercise is not None:
        fresh = _with_one_cell_reset(target, lesson, fresh, exercise)
    kept = None
    if target.exists() and Fingerprint.of(target.read_bytes(), path.name).work != Fingerprint.of(fresh, path.name).work:
        kept = back_up(workspace, path)
    write_atomically(target, fresh)
    return kept


def begun(workspace: Path, lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those of `lessons` whose exercises the student was given.

    Errors: WorkspaceError when there are none.
    """
    _require_workspace(workspace)
    mine = [each for each in lessons if _has_exercises(each) and os.path.lexists(workspace / each.name)]
    if not mine:
        raise WorkspaceError(f"{workspace} holds no exercises; `{to_type(workspace, 'lab')}` puts them there")
    return mine


def exercises(workspace: Path, lesson: Lesson) -> PurePosixPath:
    """Where the student's exercises of `lesson` lie in `workspace`; the notebook itself may be gone.

    Errors: WorkspaceError when the lesson has none, or was not handed out here.
    """
    if not _has_exercises(lesson):
        raise WorkspaceError(f"lesson {lesson.name} has no exercises")
    _require_workspace(workspace)
    path = PurePosixPath(lesson.name, EXERCISES)
    _require_place(workspace, path)
    if not (workspace / lesson.name).is_dir():
        raise WorkspaceError(f"{workspace / lesson.name} does not exist; `{to_type(workspace, 'lab')}` puts it there")
    return path


def read_notebook(path: Path, lesson: Lesson) -> NotebookNode:
    """The student's notebook of `lesson` that lies at `path`.

    Errors: WorkspaceError when it is missing or no notebook.
    """
    import nbformat
    from nbformat.warnings import MissingIDFieldWarning

    workspace = path.parents[1]
    if not path.is_file():
        raise WorkspaceError(f"{path} does not exist; `{to_type(workspace, 'lab')}` puts it there")
    # By the way in which it is broken.
    failures = (ValueError, nbformat.ValidationError, KeyError, AttributeError, TypeError, RecursionError)
    try:
        with warnings.catch_warnings():
            # Some front ends write no cell ids, and a student's cells are found without them.
            warnings.simplefilter("ignore", MissingIDFieldWarning)
            return nbformat.read(path, as_version=4)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be opened ({error.strerror})") from None
    except failures:
        raise WorkspaceError(
            f"{path} cannot be read as a notebook; `{to_type(workspace, 'reset', lesson.number)}` puts a fresh one in "
            "its place and keeps yours in `backups`"
        ) from None


def back_up(workspace: Path, path: PurePosixPath) -> PurePosixPath:
    """Copy the student's file to the folder `backups`, under the time of day; returns where."""
    kept = PurePosixPath(BACKUPS, f"{datetime.now():%Y-%m-%d %H.%M.%S.%f}", path)
    _require_place(workspace, kept)
    (workspace / kept).parent.mkdir(parents=True)
    shutil.copy2(workspace / path, workspace / kept)
    return kept


def lab_command(workspace: Path, lesson: Lesson, port: int | None = None, browser: bool = True) -> list[str]:
    """The command that opens JupyterLab at `lesson`, in this very Python.

    Settings, layout and kernel lie in the workspace, so that the student's other use of JupyterLab stays as it is.
    """
    private = workspace / PRIVATE
    settings = private / "lab-settings"
    write_atomically(settings / "overrides.json", json.dumps(NO_NEWS, indent=1).encode())
    _write_kernelspec(private / "jupyter" / "kernels" / "python3")
    command = [
        # -P: a json.py in the folder where the command is typed must not be imported by the server.
        *(sys.executable, "-P", "-m", "jupyterlab"),
        f"--ServerApp.root_dir={workspace}",
        f"--LabApp.default_url=/lab/tree/{lesson.name}/lesson.ipynb",
        f"--LabApp.app_settings_dir={settings}",
        f"--LabApp.workspaces_dir={private / 'lab-workspaces'}",
        "--LabApp.extension_manager=readonly",
        "--ContentsManager.pre_save_hook=classroom.saving.keep_still_pictures",
        "--Application.log_level=WARN",  # of forty lines, the address is left
    ]
    if port is not None:
        # This one and no other: if it is taken, the server says so.
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container has no other user
    return command


def to_type(workspace: Path, *words: str) -> str:
    """What to type so that the command of these `words` uses `workspace`."""
    # Unlike Path.expanduser, os.path's does not mind that there may be no home.
    usual = workspace == Path(os.path.expanduser("~/gradschool"))
    return typed("gradschool", *words, *([] if usual else ["--dir", workspace]))


def typed(*words: str | Path) -> str:
    """A command as this system's shell wants it typed: what the shell would split or redirect is quoted.

    >>> typed("pip", "install", "numpy<3")
    "pip install 'numpy<3'"
    """
    if os.name == "posix":
        return shlex.join(map(str, words))
    return " ".join(f'"{word}"' if set(str(word)) & set(" <>&|^") else str(word) for word in words)


def lab_environment(workspace: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of JupyterLab and of its kernels: progress goes to this workspace, "python3" is this Python.

    With the settings of kernel.tuning, under which large arrays are faster; the user's own are left as they are.
    """
    from kernel import tuning  # brings NumPy along, which no other command needs

    search = [str(workspace / PRIVATE / "jupyter"), *filter(None, [environ.get("JUPYTER_PATH")])]
    ours = {"GRADSCHOOL_WORKSPACE": str(workspace), "JUPYTER_PATH": os.pathsep.join(search)}
    return {**environ, **tuning.settings(environ), **ours}


def run_lab(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run JupyterLab until it ends; Ctrl-C is JupyterLab's to answer."""
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _for_student(notebook: Path) -> bytes:
    import nbformat  # takes most of a second, which no other command should wait for

    content = nbformat.read(notebook, as_version=4)
    if notebook.name == EXERCISES:
        content = student_version(content)
    return (nbformat.writes(settled(content)) + "\n").encode()


def _with_one_cell_reset(target: Path, lesson: Lesson, fresh: bytes, exercise: str) -> bytes:
    """The student's notebook with the cells of `exercise` as they were handed out."""
    import nbformat

    student = read_notebook(target, lesson)
    stubs = {name: cell for cell in nbformat.reads(fresh.decode(), as_version=4).cells if (name := _grade_id(cell))}
    if exercise not in stubs:
        raise WorkspaceError(f"there is no exercise {exercise!r} in {target.name}; there are {', '.join(stubs)}")
    places = [index for index, cell in enumerate(student.cells) if _grade_id(cell) == exercise]
    if not places:
        line = to_type(target.parents[1], "reset", lesson.number)
        raise WorkspaceError(
            f"the cell of {exercise!r} is gone from {target.name}; `{line}` starts the lesson's exercises over"
        )
    for index in places:
        student.cells[index] = stubs[exercise]
    return (nbformat.writes(student) + "\n").encode()


def _nearest(folder: Path) -> Path:
    """`folder` itself or, where it does not exist, the nearest folder above it that does."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))


def _has_exercises(lesson: Lesson) -> bool:
    return (lesson.folder / EXERCISES).is_file()


def _require_room(workspace: Path) -> None:
    if sentence := obstacle(workspace):
        raise WorkspaceError(sentence)


def _require_workspace(workspace: Path) -> None:
    if not workspace.is_dir():
        raise WorkspaceError(f"there is no workspace at {workspace}; `{to_type(workspace, 'lab')}` makes one")


def _require_place(workspace: Path, path: PurePosixPath) -> None:
    """That nothing but a file stands where the file `path` belongs, and nothing but folders above it."""
    for folder in (workspace / each for each in path.parents):
        if os.path.lexists(folder) and not folder.is_dir():
            raise WorkspaceError(f"{folder} is a file, and a folder must stand there; move it away, then try again")
    target = workspace / path
    if target.exists() and not target.is_file():
        raise WorkspaceError(f"{target} is no file; move it away, so that the lesson's own can be put there")


def _grade_id(cell: Mapping) -> str | None:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def _free_name(workspace: Path, path: PurePosixPath) -> PurePosixPath:
    """`exercises-new-version.ipynb`, or with the first number that is free."""
    number = 1
    while True:
        name = path.with_stem(f"{path.stem}-new-version" + (f"-{number}" if number > 1 else ""))
        if not (workspace / name).exists():
            return name
        number += 1


def _write_kernelspec(folder: Path) -> None:
    from ipykernel.kernelspec import get_kernel_dict

    spec = {**get_kernel_dict(), "display_name": KERNEL_DISPLAY_NAME}
    write_atomically(folder / "kernel.json", json.dumps(spec, indent=1).encode())


def _read_shipped(workspace: Path) -> dict[str, Fingerprint]:
    """What was handed out. Without it, or if it is broken, every file counts as the student's own work."""
    try:
        known = json.loads((workspace / _SHIPPED).read_text(encoding="utf-8"))
        return {path: Fingerprint(**entry) for path, entry in known.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _write_shipped(workspace: Path, shipped: Mapping[str, Fingerprint]) -> None:
    text = json.dumps({path: asdict(entry) for path, entry in sorted(shipped.items())}, indent=1)
    write_atomically(workspace / _SHIPPED, text.encode())
