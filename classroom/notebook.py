"""What a student calls in a notebook: check, hint, solution, reset and progress_map. Each returns a box."""

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from classroom import progress
from classroom.box import PRINTED_SHOWN, Box, Listing, Table
from classroom.cell import defined, mentioned, prepare, similar
from classroom.clerk import ClerkError, ask
from classroom.progress import Record
from classroom.verdict import NOT_ATTEMPTED, RIGHT, UNAVAILABLE, WRONG, Verdict

ATTEMPTS_BEFORE_SOLUTION = 3
WORDS = {RIGHT: "Right", WRONG: "Not right yet", NOT_ATTEMPTED: "Not attempted", UNAVAILABLE: "No check"}


def _on_exercise(command: Callable[[str], Box]) -> Callable[[str | Callable | None], Box]:
    """`command` for a name or the function that bears it; what the clerk cannot do is told in a box."""

    @functools.wraps(command)
    def polite(name: str | Callable | None = None) -> Box:
        if name is not None and not isinstance(name, str):
            name = getattr(name, "__name__", str(name))
        try:
            return command(name)
        except ClerkError as error:
            return Box(UNAVAILABLE, f"{command.__name__}({'' if name is None else repr(name)})", str(error))

    return polite


@_on_exercise
def check(name: str | Callable) -> Box:
    """Check the answer named `name`, as its cell was last run, and say in one sentence what is wrong with it.

    Arguments:
        name: of the exercise, which is the name that the cell defines: check("softmax"); the function itself will do.
    """
    source = last_cell(name) if name else None
    reply = _ask("check", name, source=source)
    verdict, remarks = Verdict(**reply["verdict"]), []
    runs = _runs()
    if source is None:
        verdict.sentence = _without_cell(name)
    elif verdict.status == WRONG and name in _checked and not any(map(_does_something, runs[_checked[name] :])):
        remarks.append("No cell was run since the check before: after a change, run the cell and then check.")
    _checked[name] = len(runs)
    remarks.append(progress.note(verdict))
    record = progress.read()[0].get(verdict.exercise, Record())
    return verdict_box(verdict, reply["hints"], record, remarks)


@_on_exercise
def hint(name: str | Callable) -> Box:
    """The next of the three hints of an exercise; those already seen stay in the box."""
    exercise = _ask("describe", name)
    hints = exercise["hints"]
    record, more = Record(), True

    def open_next(stored: Record) -> None:
        nonlocal record, more
        more = stored.hints < len(hints)
        stored.hints = min(stored.hints + 1, len(hints))
        record = stored

    trouble = progress.update(exercise["name"], open_next)
    if more:
        sentence = hints[record.hints - 1]
        earlier = hints[: record.hints - 1]
    else:
        sentence = f"These are all the hints; {_way_to_solution(exercise['name'], record)}"
        earlier = hints
    rows = [(str(number), text) for number, text in enumerate(earlier, start=1)]
    parts = [Table("Hints before this one" if more else "The hints", rows)] if rows else []
    heading = f"Hint {record.hints} of {len(hints)} · {exercise['title']}"
    return Box("note", heading, sentence, (*parts, *filter(None, [trouble])))


@_on_exercise
def solution(name: str | Callable) -> Box:
    """A model answer, once the exercise is solved or has been tried three times with all three hints."""
    exercise = _ask("describe", name)
    records, trouble = progress.read()
    record = records.get(exercise["name"], Record())
    heading = f"Solution · {exercise['title']}"
    if not may_see_solution(record):
        sentence = _way_to_solution(exercise["name"], record, start=True)
        return Box(NOT_ATTEMPTED, heading, sentence, tuple(filter(None, [trouble])))

    def shown(stored: Record) -> None:
        stored.solution_shown = True

    trouble = progress.update(exercise["name"], shown)
    listing = Listing("The reference that answers are compared with:", exercise["solution"].rstrip())
    return Box("note", heading, "One way to write it; yours may look different.", (listing, *filter(None, [trouble])))


@_on_exercise
def reset(name: str | Callable) -> Box:
    """Forget the attempts and hints of one exercise; points that were earned stay, and so do the notebook's cells."""
    exercise = _ask("describe", name)
    trouble = progress.forget(exercise["name"])
    sentence = (
        f"The attempts at {exercise['name']} and the hints that you opened are forgotten; points already earned stay "
        "earned, and your cell stays as it is."
    )
    return Box("note", f"Reset · {exercise['title']}", trouble or sentence)


def progress_map(lesson: str = "") -> Box:
    """Every exercise with its points, attempts and hints; `lesson` (such as "00") keeps to one lesson."""
    try:
        lessons = ask({"ask": "map"})["lessons"]
    except ClerkError as error:
        return Box(UNAVAILABLE, "Progress", str(error))
    records, trouble = progress.read()
    chosen = [each for each in lessons if each["exercises"] and each["name"].startswith(str(lesson))]
    several = len(chosen) > 1
    rows, points, possible = [], 0, 0
    for each in chosen:
        for exercise in each["exercises"]:
            record = records.get(exercise["name"], Record())
            points, possible = points + record.points, possible + exercise["points"]
            state = "✔ solved" if record.solved else ("… tried" if record.attempts else "○ open")
            earned = f"{record.points} of {exercise['points']}"
            lesson_column = (each["name"],) if several else ()
            rows.append((exercise["name"], *lesson_column, state, earned, str(record.attempts), f"{record.hints} of 3"))
    if not rows:
        names = ", ".join(each["name"] for each in lessons if each["exercises"])
        return Box(UNAVAILABLE, "Progress", f"No lesson begins with {lesson!r}; those with exercises are {names}.")
    heads = ("exercise", *(("lesson",) if several else ()), "state", "points", "attempts", "hints")
    table = Table("Exercises", rows, heads)
    heading = "Progress" if several else f"Progress · {chosen[0]['name']}"
    return Box("note", heading, trouble or f"{points} of {possible} points.", (table,))


def verdict_box(verdict: Verdict, hints: list[str], record: Record, remarks: Sequence[str]) -> Box:
    """The box of one check."""
    parts: list = []
    if verdict.table:
        parts.append(Table(f"The case ({verdict.case})" if verdict.case else "You wrote", verdict.table))
    if verdict.printed.strip():
        text = verdict.printed
        shown = text if len(text) <= PRINTED_SHOWN else f"{text[:PRINTED_SHOWN]}\n… and more"
        parts.append(Listing("Your cell printed, over all the cases it was run on:", shown))
    if record.hints and verdict.status != RIGHT:
        seen = [(str(number), text) for number, text in enumerate(hints[: record.hints], start=1)]
        parts.append(Table("Hints so far", seen))
    elif verdict.status == WRONG:
        parts.append(f'For a hint: `hint("{verdict.exercise}")`.')
    parts += filter(None, remarks)
    plural = "point" if verdict.possible == 1 else "points"
    heading = f"{WORDS[verdict.status]} · {verdict.title} · {verdict.points} of {verdict.possible} {plural}"
    return Box(verdict.status, heading, verdict.sentence, tuple(parts))


def may_see_solution(record: Record) -> bool:
    """The policy: after a right answer, or after three attempts with all the hints."""
    return record.solved or (record.attempts >= ATTEMPTS_BEFORE_SOLUTION and record.hints >= 3)


def _without_cell(name: str) -> str:
    """What to say where no cell defines the answer."""
    trees = [prepare(source).tree for source in _cells()]
    other = similar(name, (each for tree in trees if tree for each in defined(tree)))
    if other:
        return f"No cell that was run defines {name}, but one defines {other}: name it {name}, run it, then check."
    return f"No cell that defines {name} was run in this session: run your answer's cell, then check."


def last_cell(name: str) -> str | None:
    """The source of the cell that was last run and defines `name`; None where there is none, or no notebook."""
    # A cell that does not parse was run too: it is the answer, and its line is what the student wants to hear of.
    looks_like_it = re.compile(rf"^(\s*(def|class)\s+{re.escape(name)}\b|{re.escape(name)}\s*=)", re.MULTILINE)
    for source in _cells():
        cell = prepare(source)
        if cell.tree is None and looks_like_it.search(source):
            return source
        if cell.tree is not None and name in defined(cell.tree):
            return source
    return None


@dataclass(frozen=True)
class Run:
    """One run of a cell: its source then, and the cell's id, "" where it is not known."""

    source: str
    cell: str = ""


def _runs() -> list[Run]:
    """The runs of this session, the earliest first; none where there is no notebook."""
    shell = _shell()
    if shell is None:
        return []
    # The history knows no ids, so that it serves for the cells before the import alone.
    return [*map(Run, shell.history_manager.input_hist_raw[:_already_run]), *_runs_seen]


def _cells() -> list[str]:
    """The cells as they were last run, the latest first: what a cell held before it was run again is gone."""
    sources, seen = [], set()
    for run in reversed(_runs()):
        if not run.cell or run.cell not in seen:
            sources.append(run.source)
        seen.add(run.cell)
    return sources


def _does_something(run: Run) -> bool:
    """Whether a run was more than calls of check and its like."""
    tree = prepare(run.source).tree
    return tree is None or bool(tree.body)


def _ask(what: str, name: str | None, **more: Any) -> dict:
    """Ask the clerk about an exercise; the names in the cells tell it the lesson, should it not know this one."""
    return ask({"ask": what, "name": name, "seen": [each for source in _cells() for each in mentioned(source)], **more})


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _note_run(info: Any) -> None:
    _runs_seen.append(Run(info.raw_cell, getattr(info, "cell_id", None) or ""))


# How many cells had been run when an exercise was last checked.
_checked: dict[str, int] = {}
# Every run since the import: IPython's history lacks those that are run without one, as nbval runs all of them.
_runs_seen: list[Run] = []
# How many runs of the history are from before the import; all of them where nobody tells of runs.
_already_run: int | None = None
if (_here := _shell()) is not None:
    _already_run = len(_here.history_manager.input_hist_raw)
    _here.events.register("pre_run_cell", _note_run)


def _way_to_solution(name: str, record: Record, start: bool = False) -> str:
    if may_see_solution(record):
        return f'solution("{name}") shows a model answer.'
    missing = []
    if record.attempts < ATTEMPTS_BEFORE_SOLUTION:
        more = ATTEMPTS_BEFORE_SOLUTION - record.attempts
        missing.append(f"{more} more {'attempt' if more == 1 else 'attempts'}")
    if record.hints < 3:
        more = 3 - record.hints
        missing.append(f"{more} more {'hint' if more == 1 else 'hints'}")
    sentence = f"the solution opens with a right answer, or after {' and '.join(missing)}."
    return sentence[0].upper() + sentence[1:] if start else sentence
