"""What a student has done so far: one small JSON file in the workspace, written whole or not at all."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from classroom.files import write_atomically

WORKSPACE_VARIABLE = "GRADSCHOOL_WORKSPACE"
VERSION = 1


@dataclass
class Record:
    """One exercise: how often it was checked, the best points, the hints opened, whether the solution was shown."""

    attempts: int = 0
    points: int = 0
    solved: bool = False
    hints: int = 0
    solution_shown: bool = False
    misconception: str = ""


def workspace_folder() -> Path:
    """The student's own folder: the environment variable GRADSCHOOL_WORKSPACE names it, by default ~/gradschool."""
    return Path(os.environ.get(WORKSPACE_VARIABLE) or "~/gradschool").expanduser()


def progress_file() -> Path:
    """Where progress is kept."""
    return workspace_folder() / ".gradschool" / "progress.json"


def read() -> tuple[dict[str, Record], str]:
    """Every record by the exercise's name, and a sentence ("" when all is well).

    A file that cannot be read is kept under another name, and progress begins anew.
    """
    file = progress_file()
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): _record(entry) for name, entry in stored["exercises"].items()}, ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"Progress could not be read from {file} ({error.strerror}); this result is shown and not counted."
    except (ValueError, KeyError, TypeError, AttributeError):
        kept = _free_name(file)
        with contextlib.suppress(OSError):
            file.replace(kept)
        return {}, f"The progress file was damaged; it is kept as {kept.name} beside it, and progress begins anew."


def get(name: str) -> Record:
    """The record of one exercise, blank if it was never touched."""
    return read()[0].get(name, Record())


def update(name: str, record: Record) -> str:
    """Store one record; returns a sentence when that was not possible ("" otherwise)."""
    records, sentence = read()
    return _write({**records, name: record}) or sentence


def note(name: str, *, points: int, solved: bool, misconception: str) -> str:
    """Count one attempt; the best points stay. Returns a sentence when that was not possible ("" otherwise)."""
    record = get(name)
    record.attempts += 1
    record.points = max(record.points, points)
    record.solved = record.solved or solved
    record.misconception = misconception
    return update(name, record)


def forget(name: str) -> str:
    """Take an exercise back to the beginning; returns a sentence when that was not possible ("" otherwise)."""
    records, sentence = read()
    records.pop(name, None)
    return _write(records) or sentence


def _record(entry: dict) -> Record:
    known = {each.name: entry[each.name] for each in fields(Record) if each.name in entry}
    record = Record(**known)
    if any(type(value) is not type(blank) for value, blank in zip(asdict(record).values(), _BLANK, strict=True)):
        raise TypeError("a record with values of other types")
    return record


_BLANK = tuple(asdict(Record()).values())


def _write(records: dict[str, Record]) -> str:
    file = progress_file()
    content = {"version": VERSION, "exercises": {name: asdict(record) for name, record in records.items()}}
    try:
        write_atomically(file, json.dumps(content, indent=1).encode())
    except OSError as error:
        return f"Progress could not be written to {file} ({error.strerror}); the result above still holds."
    return ""


def _free_name(file: Path) -> Path:
    number = 1
    while (candidate := file.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    return candidate
