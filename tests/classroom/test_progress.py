"""Progress: kept whole, survives damage, and says so."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from classroom import progress
from classroom.progress import Record
from classroom.verdict import Verdict


def verdict(status: str, points: int = 0, misconception: str = "") -> Verdict:
    return Verdict("softmax", "Softmax", status, "", points, 3, misconception)


def stored(name: str) -> progress.Record:
    return progress.read()[0].get(name, progress.Record())


def test_the_environment_names_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(tmp_path))
    assert progress.progress_file() == tmp_path / ".gradschool" / "progress.json"
    monkeypatch.delenv("GRADSCHOOL_WORKSPACE")
    assert progress.workspace_folder() == Path("~/gradschool").expanduser()


def test_records_are_kept_by_exercise() -> None:
    assert progress.read() == ({}, "")
    assert progress.note(verdict("wrong", misconception="base_two")) == ""
    assert progress.note(verdict("right", points=3)) == ""
    assert progress.note(verdict("wrong")) == ""
    progress.update("other", lambda record: setattr(record, "hints", 2))
    assert stored("softmax") == Record(attempts=3, points=3, solved=True)
    assert stored("other").hints == 2
    progress.update("softmax", lambda record: setattr(record, "hints", 3))
    assert progress.forget("softmax") == ""
    assert stored("softmax") == Record(points=3, solved=True)
    assert stored("other").hints == 2
    assert {path.name for path in progress.progress_file().parent.iterdir()} == {"progress.json", "progress.lock"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"exercises": []}',
        '{"exercises": {"a": 3}}',
        '{"exercises": {"a": {"attempts": "many"}}}',
        '{"exercises": {"a": {"solved": 1}}}',
        "\udcff",
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_kept_and_told(text: str) -> None:
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert "kept as progress.damaged-1.json" in progress.note(verdict("right", points=1))
    assert file.with_name("progress.damaged-1.json").read_bytes() == text.encode(errors="surrogateescape")
    assert stored("softmax").points == 1


def test_a_second_damage_does_not_overwrite_the_first() -> None:
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    for number in (1, 2):
        file.write_text(f"damage {number}")
        records, sentence = progress.read()
        assert records == {}
        assert sentence == (
            f"The progress file was damaged; it is kept as progress.damaged-{number}.json beside it, "
            "and progress begins anew."
        )
    assert file.with_name("progress.damaged-1.json").read_text() == "damage 1"


def test_entries_of_a_later_version_are_ignored() -> None:
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 9, "exercises": {"a": {"attempts": 2, "stars": 5}}}))
    assert stored("a") == Record(attempts=2)


def test_a_workspace_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(tmp_path / "file"))
    sentence = progress.note(verdict("right", points=1))
    assert sentence.startswith("Progress could not be ")


NOTEBOOK = """
from classroom import progress
from classroom.verdict import Verdict
for attempt in range(40):
    assert progress.note(Verdict("softmax", "Softmax", "wrong", "", 0, 3)) == ""
    progress.update("other", lambda record: setattr(record, "hints", record.hints + 1))
"""


def test_notebooks_that_write_at_once_lose_nothing() -> None:
    notebooks = [subprocess.Popen([sys.executable, "-c", NOTEBOOK]) for _ in range(4)]
    assert [notebook.wait(60) for notebook in notebooks] == [0] * 4
    assert stored("softmax").attempts == 160
    assert stored("other").hints == 160


def test_a_damaged_file_is_put_aside_once_by_notebooks_that_read_at_once() -> None:
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    file.write_text("{")
    code = "from classroom import progress; assert progress.read()[0] == {}"
    notebooks = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [notebook.wait(60) for notebook in notebooks] == [0] * 4
    assert sorted(path.name for path in file.parent.iterdir()) == ["progress.damaged-1.json", "progress.lock"]


def test_a_folder_that_cannot_be_written_is_told_and_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root every folder can be written, so the refusal is made here."""
    progress.note(verdict("right", points=2))

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    sentence = progress.note(verdict("right", points=3))
    assert sentence.startswith("Progress could not be kept in ")
    assert sentence.endswith("(Permission denied); the result shown here still holds.")
    monkeypatch.undo()


def test_a_person_without_a_home_is_told_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", "~no-such-person/work")
    sentence = progress.note(verdict("right", points=1))
    assert "no home folder is known; name a workspace in GRADSCHOOL_WORKSPACE" in sentence
    assert "no home folder is known" in progress.read()[1]
