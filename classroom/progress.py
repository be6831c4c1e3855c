"""What a student has done so far: one small JSON file in the workspace, written whole or not at all."""

import contextlib
import errno
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from classroom.files import locked, write_atomically
from classroom.verdict import RIGHT, WRONG, Verdict

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
    """The student's own folder: the environment variable GRADSCHOOL_WORKSPACE names it, by default ~/gradschool.

    Errors: FileNotFoundError where that is below a home folder and there is none.
    """
    folder = Path(os.environ.get(WORKSPACE_VARIABLE) or "~/gradschool")
    try:
        return folder.expanduser()
    except RuntimeError:
        advice = f"no home folder is known; name a workspace in {WORKSPACE_VARIABLE} or with --dir"
        raise FileNotFoundError(errno.ENOENT, advice, str(folder)) from None


def progress_file() -> Path:
    """Where progress is kept."""
    return workspace_folder() / ".gradschool" / "progress.json"


def read() -> tuple[dict[str, Record], str]:
    """Every record by the exercise's name, and a sentence ("" when all is well).

    A file that is damaged is kept under another name, and progress begins anew.
    """
    try:
        with contextlib.suppress(DamagedProgress):
            return _load(), ""
        with locked(_lock()):
            return _load_or_begin()
    except OSError as error:
        return {}, f"Progress could not be read from {error.filename} ({error.strerror})."


def update(name: str, change: Callable[[Record], None]) -> str:
    """Change the record of one exercise; returns a sentence when all is not well ("" otherwise)."""

    def changed(records: dict[str, Record]) -> None:
        change(records.setdefault(name, Record()))

    return _rewrite(changed)


def note(verdict: Verdict) -> str:
    """Count one attempt, if there was one; the best points stay. Returns a sentence when all is not well."""
    if verdict.status not in (RIGHT, WRONG):
        return ""

    def attempt(record: Record) -> None:
        record.attempts += 1
        record.points = max(record.points, verdict.points)
        record.solved = record.solved or verdict.status == RIGHT
        record.misconception = verdict.misconception

    return update(verdict.exercise, attempt)


def forget(name: str) -> str:
    """Forget the attempts at an exercise and the hints that were opened, while what was earned stays earned.

    Returns a sentence when all is not well ("" otherwise).
    """

    def begun_anew(record: Record) -> None:
        record.attempts, record.hints, record.misconception = 0, 0, ""

    return update(name, begun_anew)


class DamagedProgress(ValueError):
    """A progress file that cannot be understood."""


def _lock() -> Path:
    return progress_file().with_name("progress.lock")


def _load() -> dict[str, Record]:
    file = progress_file()
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): _record(entry) for name, entry in stored["exercises"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedProgress from error


def _load_or_begin() -> tuple[dict[str, Record], str]:
    """Every record; a damaged file is put aside, which the sentence says. The caller holds the lock."""
    try:
        return _load(), ""
    except DamagedProgress:
        kept = _free_name(progress_file())
        progress_file().replace(kept)
        return {}, f"The progress file was damaged; it is kept as {kept.name} beside it, and progress begins anew."


def _rewrite(change: Callable[[dict[str, Record]], object]) -> str:
    try:
        # Another notebook may be reading, changing and writing the same file.
        with locked(_lock()):
            # A file that cannot be read now may be readable later: it is never replaced by what little is known here.
            records, sentence = _load_or_begin()
            change(records)
            content = {"version": VERSION, "exercises": {name: asdict(record) for name, record in records.items()}}
            write_atomically(progress_file(), json.dumps(content, indent=1).encode())
    except OSError as error:
        where = f" in {error.filename}" if error.filename else ""
        return f"Progress could not be kept{where} ({error.strerror}); the result shown here still holds."
    return sentence


def _record(entry: dict) -> Record:
    known = {each.name: entry[each.name] for each in fields(Record) if each.name in entry}
    record = Record(**known)
    if any(type(value) is not type(blank) for value, blank in zip(asdict(record).values(), _BLANK, strict=True)):
        raise TypeError("a record with values of other types")
    return record


_BLANK = tuple(asdict(Record()).values())


def _free_name(file: Path) -> Path:
    number = 1
    while (candidate := file.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    return candidate
