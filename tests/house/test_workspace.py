"""The student's workspace: nothing of the student's is lost, whatever the course and the student do."""

import errno
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path, PurePosixPath

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classroom import course
from classroom import workspace as student_folder
from classroom.files import write_atomically
from classroom.workspace import Fingerprint, Step, decide
from kernel import tuning
from tests.house import server

EXERCISES = PurePosixPath("00_first/exercises.ipynb")
LESSON = PurePosixPath("00_first/lesson.ipynb")
NUMBERS = PurePosixPath("00_first/data/numbers.csv")


def edit(notebook: Path, text: str, cell: int = 1) -> None:
    """What a student does in a cell, and JupyterLab saves."""
    content = nbformat.read(notebook, as_version=4)
    content.cells[cell].source = text
    nbformat.write(content, notebook)


def run(notebook: Path) -> None:
    """What running leaves in the file: other outputs, the same cells."""
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.execution_count = 99
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="my own run\n")]
    nbformat.write(content, notebook)


def cells(notebook: Path) -> list:
    """All of a lesson that does not depend on the machine."""
    return nbformat.read(notebook, as_version=4).cells


def append(file: Path, text: str) -> None:
    """What a student adds to a file that is no notebook; what the course wrote there stays."""
    file.write_text(f"{file.read_text()}\n{text}")


def texts(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_new_workspace_gets_all_that_a_student_needs_and_no_answer(small_course: Path, workspace: Path) -> None:
    changes = _update(workspace)
    assert [(change.step, str(change.path)) for change in changes] == [
        (Step.ADD, "00_first/lesson.ipynb"),
        (Step.ADD, "00_first/exercises.ipynb"),
        (Step.ADD, "00_first/data/numbers.csv"),
        (Step.ADD, "01_second/lesson.ipynb"),
    ]
    assert cells(workspace / LESSON) == cells(small_course / LESSON)
    assert (workspace / NUMBERS).read_bytes() == (small_course / NUMBERS).read_bytes()
    visible = sorted(str(path.relative_to(workspace)) for path in workspace.rglob("*.*") if path.is_file())
    assert visible == [
        ".gradschool/shipped.json",
        "00_first/data/numbers.csv",
        "00_first/exercises.ipynb",
        "00_first/lesson.ipynb",
        "01_second/lesson.ipynb",
    ]
    assert "return 2 * x" not in texts(workspace)


def test_updating_twice_does_nothing_the_second_time(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}
    assert _update(workspace) == []
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before


def change_course(small_course: Path, path: PurePosixPath) -> None:
    if path.suffix == ".ipynb":
        edit(small_course / path, "# a better first cell", cell=0)
    else:
        (small_course / path).write_text("4,5,6\n")


def change_student(workspace: Path, path: PurePosixPath) -> None:
    if path.suffix == ".ipynb":
        edit(workspace / path, "my own answer")
    else:
        (workspace / path).write_text("my own answer\n")


@pytest.mark.parametrize("path", [LESSON, EXERCISES, NUMBERS], ids=str)
@pytest.mark.parametrize(
    ("student", "course_changed", "expected"),
    [
        ("untouched", False, None),
        ("untouched", True, Step.UPDATE),
        ("edited", False, None),
        ("edited", True, Step.BESIDE),
        ("deleted", False, Step.RESTORE),
        ("deleted", True, Step.RESTORE),
    ],
)
def test_every_meeting_of_student_and_course(
    small_course: Path, workspace: Path, path: PurePosixPath, student: str, course_changed: bool, expected: Step | None
) -> None:
    _update(workspace)
    if student == "edited":
        change_student(workspace, path)
    elif student == "deleted":
        (workspace / path).unlink()
    if course_changed:
        change_course(small_course, path)
    changes = _update(workspace)
    assert [change.step for change in changes] == ([expected] if expected else [])
    handed_out = dict(_handed_out())[path]
    if student == "edited":
        assert "my own answer" in (workspace / path).read_text()
    else:
        assert (workspace / path).read_bytes() == handed_out
    if expected is Step.BESIDE:
        (change,) = changes
        assert change.other == path.with_stem(path.stem + "-new-version")
        assert (workspace / change.other).read_bytes() == handed_out
    assert _update(workspace) == []


def test_a_notebook_that_was_only_run_is_updated_and_its_outputs_kept(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    run(workspace / LESSON)
    assert _update(workspace) == []
    change_course(small_course, LESSON)
    (change,) = _update(workspace)
    assert change.step is Step.UPDATE
    assert cells(workspace / LESSON) == cells(small_course / LESSON)
    assert "my own run" in (workspace / change.other).read_text()


def test_a_notebook_names_the_kernel_and_the_python_that_will_run_it(small_course: Path, workspace: Path) -> None:
    """As JupyterLab does on opening it, which otherwise would take the notebook for changed and not saved."""
    _update(workspace)
    student_folder.lab_command(workspace, course.lessons()[0])
    kernel = json.loads((workspace / ".gradschool" / "jupyter" / "kernels" / "python3" / "kernel.json").read_text())
    for path in (LESSON, EXERCISES):
        metadata = nbformat.read(workspace / path, as_version=4).metadata
        named = {"name": "python3", "display_name": kernel["display_name"], "language": kernel["language"]}
        assert metadata.kernelspec == named
        assert metadata.language_info.version == platform.python_version()


def test_new_outputs_of_the_course_alone_make_no_second_copy(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    edit(workspace / LESSON, "my own answer")
    run(small_course / LESSON)
    assert _update(workspace) == []


def test_a_second_new_version_gets_a_name_of_its_own(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    change_student(workspace, NUMBERS)
    names = []
    for text in ("4\n", "5\n"):
        (small_course / NUMBERS).write_text(text)
        (change,) = _update(workspace)
        names.append(change.other.name)
    assert names == ["numbers-new-version.csv", "numbers-new-version-2.csv"]


def test_a_lost_or_broken_record_makes_every_file_the_students(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    change_student(workspace, NUMBERS)
    for broken in (None, "{", "[]", '{"00_first/data/numbers.csv": 3}'):
        record = workspace / ".gradschool" / "shipped.json"
        record.unlink() if broken is None else record.write_text(broken)
        changes = _update(workspace)
        assert [change.step for change in changes] == [Step.BESIDE]
        assert (workspace / NUMBERS).read_text() == "my own answer\n"


def test_a_folder_in_the_way_is_named(small_course: Path, workspace: Path) -> None:
    (workspace / LESSON).mkdir(parents=True)
    with pytest.raises(student_folder.WorkspaceError, match=r"lesson\.ipynb is no file; move it away"):
        _update(workspace)


@pytest.mark.parametrize("name", [".gradschool", "00_first", "00_first/data"])
@pytest.mark.parametrize("as_link", [False, True], ids=["file", "link to nothing"])
def test_a_file_where_a_folder_belongs_is_named(small_course: Path, workspace: Path, name: str, as_link: bool) -> None:
    in_the_way = workspace / name
    in_the_way.parent.mkdir(parents=True)
    in_the_way.symlink_to("nowhere") if as_link else in_the_way.write_text("mine")
    with pytest.raises(student_folder.WorkspaceError, match=rf"{name} is a file, and a folder must stand there; move"):
        _update(workspace)
    assert as_link or in_the_way.read_text() == "mine"
    in_the_way.rename(workspace / "moved-away")
    _update(workspace)
    assert all((workspace / path).is_file() for path, _ in _handed_out())


def test_a_file_named_backups_stops_a_reset_before_anything_is_lost(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    edit(workspace / EXERCISES, "my own answer")
    (workspace / "backups").write_text("")
    with pytest.raises(student_folder.WorkspaceError, match="backups is a file, and a folder must stand there"):
        student_folder.reset(workspace, course.find_lesson("00"))
    assert "my own answer" in (workspace / EXERCISES).read_text()


def test_what_is_to_be_typed_can_be_copied_into_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert student_folder.to_type(Path("~/gradschool").expanduser(), "lab", "00") == "gradschool lab 00"
    line = student_folder.to_type(Path("/a student's/$HOME"), "reset", "00")
    assert shlex.split(line) == ["gradschool", "reset", "00", "--dir", "/a student's/$HOME"]


NESTED = b"[" * 100_000


def test_a_file_nested_without_end_is_no_notebook_and_no_record(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    (workspace / ".gradschool" / "shipped.json").write_bytes(NESTED)
    (workspace / EXERCISES).write_bytes(NESTED)
    assert [change.step for change in _update(workspace)] == [Step.BESIDE]
    with pytest.raises(student_folder.WorkspaceError, match="cannot be read as a notebook"):
        student_folder.read_notebook(workspace / EXERCISES, course.find_lesson("00"))


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b"3", b'{"nbformat": 4}', b"\xff", b'{"cells": 3}'])
def test_a_file_that_is_no_notebook_is_compared_by_its_bytes(data: bytes) -> None:
    print_ = Fingerprint.of(data, "a.ipynb")
    assert print_.work == print_.content


def test_decide_overwrites_no_work() -> None:
    """Over all ways in which three versions may agree: what replaces a student's file never replaces work."""
    versions = [Fingerprint(content, work) for content, work in [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")]]
    for shipped, current, new in product([None, *versions], [None, *versions], versions):
        step = decide(shipped, current, new)
        if step in (Step.ADD, Step.RESTORE):
            assert current is None
        if step is Step.UPDATE:
            assert shipped is not None and current.work == shipped.work
        if step is Step.LEAVE and shipped != new:
            assert new.work in {current.work, shipped.work if shipped else None}, "the student has all that is new"


ACTIONS = st.lists(st.sampled_from(["edit", "run", "delete", "course", "update"]), max_size=8)


@settings(max_examples=40, deadline=None)
@example(actions=["course", "update", "edit", "update"], path=NUMBERS)
@given(actions=ACTIONS, path=st.sampled_from([EXERCISES, NUMBERS]))
def test_no_sequence_of_events_loses_work(built_course: Path, actions: list[str], path: PurePosixPath) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        source, folder = Path(scratch, "course"), Path(scratch, "student")
        shutil.copytree(built_course, source)
        patch.setenv(course.COURSE_VARIABLE, str(source))
        _update(folder)
        mine = theirs = None
        for number, action in enumerate(actions):
            if action == "course":
                theirs = f"theirs {number}"
                edit(source / path, theirs, 0) if path.suffix == ".ipynb" else (source / path).write_text(theirs)
            elif action == "update":
                _update(folder)
                assert _update(folder) == []
                visible = "\n".join(file.read_text() for file in (folder / path.parent).iterdir() if file.is_file())
                assert theirs is None or theirs in visible
            elif not (folder / path).exists():
                continue
            elif action == "edit":
                mine = f"mine {number}"
                edit(folder / path, mine) if path.suffix == ".ipynb" else append(folder / path, mine)
            elif action == "run" and path.suffix == ".ipynb":
                run(folder / path)
            elif action == "delete":
                (folder / path).unlink()
                mine = None
            if mine is not None:
                assert mine in (folder / path).read_text()


def test_reset_gives_one_cell_back_and_keeps_a_copy(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    edit(workspace / EXERCISES, "def double(x):\n    return x")
    edit(workspace / EXERCISES, "print('my note')", cell=2)
    kept = student_folder.reset(workspace, course.find_lesson("00"), "double")
    cells = nbformat.read(workspace / EXERCISES, as_version=4).cells
    assert "NotImplementedError" in cells[1].source
    assert cells[2].source == "print('my note')"
    assert kept.parts[0] == "backups"
    assert nbformat.read(workspace / kept, as_version=4).cells[1].source == "def double(x):\n    return x"


def test_reset_gives_a_whole_lesson_back_even_if_it_is_broken(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    handed_out = (workspace / EXERCISES).read_bytes()
    (workspace / EXERCISES).write_text("{ broken")
    with pytest.raises(student_folder.WorkspaceError, match=r"`gradschool reset 00 --dir .*` puts a fresh one in its"):
        student_folder.reset(workspace, course.find_lesson("00"), "double")
    kept = student_folder.reset(workspace, course.find_lesson("00"))
    assert (workspace / EXERCISES).read_bytes() == handed_out
    assert (workspace / kept).read_text() == "{ broken"
    (workspace / EXERCISES).unlink()
    assert student_folder.reset(workspace, course.find_lesson("00")) is None
    assert (workspace / EXERCISES).read_bytes() == handed_out


def test_reset_says_what_it_cannot_find(small_course: Path, workspace: Path) -> None:
    lesson = course.find_lesson("00")
    with pytest.raises(
        student_folder.WorkspaceError, match=r"there is no workspace at .*; `gradschool lab --dir .*` makes"
    ):
        student_folder.reset(workspace, lesson, "double")
    assert not workspace.exists()
    workspace.mkdir(parents=True)
    with pytest.raises(
        student_folder.WorkspaceError, match=r"00_first does not exist; `gradschool lab --dir .*` puts it"
    ):
        student_folder.reset(workspace, lesson)
    assert list(workspace.iterdir()) == []
    _update(workspace)
    with pytest.raises(student_folder.WorkspaceError, match="no exercise 'duoble' in exercises"):
        student_folder.reset(workspace, lesson, "duoble")
    with pytest.raises(student_folder.WorkspaceError, match="01_second has no exercises"):
        student_folder.reset(workspace, course.find_lesson("01"))


def test_reset_keeps_no_copy_of_what_holds_nothing_of_the_students(small_course: Path, workspace: Path) -> None:
    lesson = course.find_lesson("00")
    _update(workspace)
    handed_out = (workspace / EXERCISES).read_bytes()
    for exercise in (None, "double"):
        run(workspace / EXERCISES)
        assert student_folder.reset(workspace, lesson, exercise) is None
    assert not (workspace / "backups").exists()
    edit(workspace / EXERCISES, "print('my note')", cell=2)
    assert student_folder.reset(workspace, lesson, "double") is None, "a note outside the exercise is not replaced"
    kept = student_folder.reset(workspace, lesson)
    assert "my note" in (workspace / kept).read_text()
    assert (workspace / EXERCISES).read_bytes() == handed_out


def test_a_notebook_without_cell_ids_is_read(small_course: Path, workspace: Path) -> None:
    _update(workspace)
    content = json.loads((workspace / EXERCISES).read_text())
    for cell in content["cells"]:
        del cell["id"]
    (workspace / EXERCISES).write_text(json.dumps(content))
    assert len(student_folder.read_notebook(workspace / EXERCISES, course.find_lesson("00")).cells) == len(
        content["cells"]
    )


def test_a_workspace_that_cannot_be_written_is_named(
    small_course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    with pytest.raises(student_folder.WorkspaceError, match=f"nothing can be written into {tmp_path}; "):
        _update(tmp_path / "a" / "gradschool")


def test_writing_leaves_no_second_file_and_touches_no_equal_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    write_atomically(target, b"text\n")
    stamp = target.stat().st_mtime_ns
    write_atomically(target, b"text\n")
    assert target.stat().st_mtime_ns == stamp
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_writing_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(part: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(part))

    target = tmp_path / "a.txt"
    target.write_text("old")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


def test_notebooks_get_the_settings_for_fast_arrays(tmp_path: Path) -> None:
    """Those of kernel.tuning, unless the user chose some; nothing that was there is lost."""
    given = student_folder.lab_environment(tmp_path, {"HOME": "/home/ada"})
    assert given["HOME"] == "/home/ada"
    assert tuning.settings({}).items() <= given.items()
    own = student_folder.lab_environment(tmp_path, {"MALLOC_TRIM_THRESHOLD_": "131072"})
    assert {name: value for name, value in own.items() if "MALLOC" in name} == {"MALLOC_TRIM_THRESHOLD_": "131072"}


def test_jupyterlab_opens_on_the_workspace_with_this_python(
    small_course: Path, workspace: Path, tmp_path: Path
) -> None:
    """A real server: its kernel is this interpreter, news are off, and the user's own folders stay empty."""
    _update(workspace)
    command = student_folder.lab_command(workspace, course.find_lesson("00"), port=0, browser=False)
    home = tmp_path / "home"
    decoy = home / ".local/share/jupyter/kernels/python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text('{"argv": ["/another/python"], "display_name": "Decoy", "language": "python"}')
    runtime = tmp_path / "runtime"
    environment = student_folder.lab_environment(
        workspace, {**os.environ, "HOME": str(home), "JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_TOKEN": "t"}
    )
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as lab:
        try:
            address = server.wait_for(runtime, lab)
            specs = server.ask(f"{address}api/kernelspecs")
            setting = server.ask(f"{address}lab/api/settings/@jupyterlab/apputils-extension:notification")
            listing = server.ask(f"{address}api/contents/00_first")
            opened = server.landing_page(address)
        finally:
            lab.terminate()
    assert specs["kernelspecs"]["python3"]["spec"]["argv"][0] == sys.executable
    assert setting["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert setting["schema"]["properties"]["checkForUpdates"]["default"] is False
    assert {entry["name"] for entry in listing["content"]} == {"lesson.ipynb", "exercises.ipynb", "data"}
    assert "/lab/tree/00_first/lesson.ipynb" in opened
    assert not (home / ".jupyter" / "lab").exists()


def _update(folder: Path) -> list[student_folder.Change]:
    return student_folder.update(folder, course.lessons())


def _handed_out() -> list[tuple[PurePosixPath, bytes]]:
    return list(student_folder.handed_out(course.lessons()))
