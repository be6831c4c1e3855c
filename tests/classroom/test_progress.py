"""Progress: kept whole, survives damage, and says so."""

import json
from pathlib import Path

import pytest

from classroom import progress
from classroom.progress import Record


def stored(name: str) -> progress.Record:
    return progress.read()[0].get(name, progress.Record())


def test_the_environment_names_the_workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(tmp_path))
    assert progress.progress_file() == tmp_path / ".gradschool" / "progress.json"
    monkeypatch.delenv("GRADSCHOOL_WORKSPACE")
    assert progress.workspace_folder() == Path("~/gradschool").expanduser()


def test_records_are_kept_by_exercise() -> None:
    assert progress.read() == ({}, "")
    assert progress.note("softmax", points=0, solved=False, misconception="base_two") == ""
    assert progress.note("softmax", points=3, solved=True, misconception="") == ""
    assert progress.note("softmax", points=0, solved=False, misconception="") == ""
    progress.update("other", lambda record: setattr(record, "hints", 2))
    assert stored("softmax") == Record(attempts=3, points=3, solved=True)
    assert stored("other").hints == 2
    progress.forget("softmax")
    assert stored("softmax") == Record()
    assert stored("other").hints == 2
    assert [path.name for path in progress.progress_file().parent.iterdir()] == ["progress.json"]


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
    ],
)
def test_a_damaged_file_is_kept_and_told(text: str) -> None:
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert "kept as progress.damaged-1.json" in progress.note("softmax", points=1, solved=True, misconception="")
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
    sentence = progress.note("softmax", points=1, solved=True, misconception="")
    assert sentence.startswith("Progress could not be ")
