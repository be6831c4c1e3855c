"""What a student calls in a notebook: check, hint, solution, reset and progress_map. Each returns a box."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from classroom import progress
from classroom.box import PRINTED_SHOWN, Box, Listing, Table
from classroom.cell import defined, prepare, similar
from classroom.clerk import ClerkError, ask
from classroom.progress import Record
from classroom.verdict import NOT_ATTEMPTED, RIGHT, UNAVAILABLE, WRONG, Verdict

ATTEMPTS_BEFORE_SOLUTION = 3
WORDS = {RIGHT: "Right", WRONG: "Not right yet", NOT_ATTEMPTED: "Not attempted", UNAVAILABLE: "No check"}


def _on_exercise(command: Callable[[str], Box]) -> Callable[[str | Callable], Box]:
    """`command` for a name or the function that bears it; what the clerk cannot do is told in a box."""

    @functools.wraps(command)
    def polite(name: str | Callable) -> Box:
        name = name if isinstance(name, str) else getattr(name, "__name__", str(name))
        try:
            return command(name)
        except ClerkError as error:
            return Box(UNAVAILABLE, f"{command.__name__}({name!r})", str(error))

    return polite


@_on_exercise
def check(name: str | Callable) -> Box:
    """Check the answer named `name`, as its cell was last run, and say in one sentence what is wrong with it.

    Arguments:
        name: of the exercise, which is the name that the cell defines: check("softmax"); the function itself will do.
    """
    source = last_cell(name)
    reply = ask({"ask": "check", "name": name, "source": source})
    verdict, remarks = Verdict(**reply["verdict"]), []
    if source is None:
        verdict.sentence = _without_cell(name)
    elif verdict.status == WRONG and _checked.get(name) == source:
        remarks.append("The cell is the same as at the check before: after a change, run it again and then check.")
    _checked[name] = source
    remarks.append(progress.note(verdict))
    record = progress.read()[0].get(verdict.exercise, Record())
    return verdict_box(verdict, reply["hints"], record, remarks)


@_on_exercise
def hint(name: str | Callable) -> Box:
    """The next of the three hints of an exercise; those already seen stay in the box."""
    exercise = ask({"ask": "describe", "name": name})
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
    exercise = ask({"ask": "describe", "name": name})
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
    """Forget the attempts, points and hints of one exercise; the notebook's cells stay as they are."""
    exercise = ask({"ask": "describe", "name": name})
    trouble = progress.forget(exercise["name"])
    sentence = f"{exercise['name']} is back at its beginning: no attempts, no hints, no points; your cell is untouched."
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
    shell = _shell()
    trees = [prepare(source).tree for source in _cells(shell)] if shell else []
    other = similar(name, (each for tree in trees if tree for each in defined(tree)))
    if other:
        return f"No cell that was run defines {name}, but one defines {other}: name it {name}, run it, then check."
    return f"No cell that defines {name} was run in this session: run your answer's cell, then check."


def last_cell(name: str) -> str | None:
    """The source of the cell that was last run and defines `name`; None where there is none, or no notebook."""
    shell = _shell()
    if shell is None:
        return None
    # A cell that does not parse was run too: it is the answer, and its line is what the student wants to hear of.
    looks_like_it = re.compile(rf"^(\s*(def|class)\s+{re.escape(name)}\b|{re.escape(name)}\s*=)", re.MULTILINE)
    for source in _cells(shell):
        cell = prepare(source)
        if cell.tree is None and looks_like_it.search(source):
            return source
        if cell.tree is not None and name in defined(cell.tree):
            return source
    return None


def _cells(shell: Any) -> list[str]:
    """The cells of this session, the latest first."""
    return [*reversed(_cells_run), *reversed(shell.history_manager.input_hist_raw)]


def _shell() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


# The answer of each exercise as it was last checked.
_checked: dict[str, str | None] = {}
# Every cell since the import: IPython's history lacks those that are run without one, as nbval runs all of them.
_cells_run: list[str] = []
if (_here := _shell()) is not None:
    _here.events.register("pre_run_cell", lambda info: _cells_run.append(info.raw_cell))


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
