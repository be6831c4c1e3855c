"""Check one answer: fresh inputs, the answer in a worker, the reference here, and a verdict in one sentence.

The order of the diagnosis: not attempted; a cell that cannot be read or stops; a function that is missing; a run that
did not come to its end; a known misconception, when it explains every case; an argument that the call should have left
alone; an error, type, shape or dtype; an argument changed otherwise than it should be; the value, on the first case
that fails, a public one before others; the gradient.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classroom import diagnosis, program, sandbox
from classroom.cell import LONGEST, Cell, borrowed, defined, is_stub, prepare
from classroom.compare import (
    LONGEST_NAME,
    Difference,
    Plain,
    difference,
    has_history,
    in_words_of,
    is_open,
    kind_difference,
    plain,
    same,
    value_difference,
    without_history,
)
from classroom.program import Arrays
from classroom.spec import Case, Exercise, Program, SpecError
from classroom.verdict import NOT_ATTEMPTED, RIGHT, UNAVAILABLE, WRONG, Verdict, printable


@dataclass(frozen=True)
class Result:
    """What one program gave on one case, as plain data: value, gradients and arguments afterwards, or an error."""

    value: Any = None
    gradients: list | None = None
    after: tuple = ()
    error: dict | None = None


@dataclass(frozen=True)
class Trial:
    """One case in one dtype, packed, with what the reference gives: `own` in that dtype, `wide` in float64."""

    case: Case
    dtype: str
    public: bool
    tree: Any
    before: tuple
    own: Result = Result()
    wide: Result = Result()


def check_answer(
    exercise: Exercise,
    source: str | None,
    used: Sequence[Exercise] = (),
    *,
    seed: int | None = None,
    device: str | None = None,
    memory: int = sandbox.MEMORY,
) -> Verdict:
    """Check the source of a student's cell against an exercise.

    Arguments:
        source: the cell's text; None or blank means not attempted.
        used: the exercises that this one `uses`, in the order in which their references are run.
        seed: of the random inputs; by default a fresh one, which the verdict records.
        device: where the answer's Tensors live; the exercise's first device by default.
        memory: bytes of address space for the answer.
    """
    started = time.monotonic()
    seed = secrets.randbits(48) if seed is None else seed
    verdict = Verdict(exercise.name, exercise.title, WRONG, "", 0, exercise.points, seed=seed)
    verdict.confinement = sandbox.level()
    cell = prepare(source or "")
    if early := _without_running(exercise, cell):
        verdict.status, verdict.sentence = early
    else:
        device = device or exercise.devices[0]
        with sandbox.Worker(exercise.seconds, memory) as worker:
            arrays, trials = make_trials(exercise, used, seed, device)
            outcome = worker.run(job(exercise, used, cell.source, trials, device), arrays)
        verdict.printed = outcome.printed
        judge(verdict, exercise, used, cell, outcome, arrays, trials, device)
    verdict.sentence = printable(diagnosis.one_line(verdict.sentence, diagnosis.LONGEST_SENTENCE))
    if not verdict.sentence.endswith("?"):
        verdict.sentence += "."
    verdict.table = [(head, printable(text)) for head, text in verdict.table]
    verdict.points = exercise.points if verdict.status == RIGHT else 0
    verdict.seconds = round(time.monotonic() - started, 3)
    return verdict


def job(exercise: Exercise, used: Sequence[Exercise], source: str, trials: Sequence[Trial], device: str) -> dict:
    """The job of a worker: everything but the arrays."""
    drive = exercise.drive
    return {
        "name": exercise.name,
        "value": exercise.is_value,
        "prelude": [exercise.setup, *(each.reference.source for each in used)],
        "source": source,
        "driver": {"name": drive.name, "source": drive.source} if drive else None,
        "cases": [trial.tree for trial in trials],
        "device": device,
    }


def source_of(exercise: Exercise, wanted: Program, number: float | None = None) -> str:
    """A reference or a misconception as a student's cell would hold it; `number` is the one that it leaves free."""
    if exercise.is_value:
        return f"{wanted.source}\n{exercise.name} = {wanted.name}()\n"
    return wanted.binding(exercise.name, number)


def make_trials(
    exercise: Exercise, used: Sequence[Exercise], seed: int, device: str, dtypes: Sequence[str] | None = None
) -> tuple[Arrays, list[Trial]]:
    """Fresh cases in every dtype, packed, with the results of the reference."""
    dtypes = exercise.dtypes if dtypes is None else dtypes
    arrays: Arrays = {}
    trials = []
    for dtype in dtypes if not exercise.is_value else dtypes[:1]:
        for index, case in enumerate(exercise.generate(seed, dtype)):
            tree = program.pack(case.arguments, arrays)
            trials.append(Trial(case, dtype, index < exercise.public, tree, plain(tree, arrays)))
    source = source_of(exercise, exercise.reference)
    own = run_here(exercise, used, source, arrays, trials, device)
    wide = own
    if exercise.wide_reference:
        widened = {key: each.astype(np.float64) if each.dtype.kind == "f" else each for key, each in arrays.items()}
        wide = run_here(exercise, used, source, widened, trials, device)
    for result, trial in zip(own + wide, trials + trials, strict=True):
        if result.error:
            case = f"a case in {trial.dtype}{trial.case.note and f' ({trial.case.note})'}"
            raise SpecError(f"the reference of {exercise.name} stops on {case}: {result.error['message']}")
    return arrays, [replace(each, own=mine, wide=far) for each, mine, far in zip(trials, own, wide, strict=True)]


def run_here(
    exercise: Exercise, used: Sequence[Exercise], source: str, arrays: Arrays, trials: Sequence[Trial], device: str
) -> list[Result]:
    """Run a program of the author's in this process: a reference or a misconception."""
    events = list(program.run(job(exercise, used, source, trials, device), arrays))
    if "error" in events[0][0] or not events[0][0]["found"]:
        raise SpecError(f"a program of {exercise.name} cannot be loaded: {events[0][0].get('error', 'no such name')}")
    return [result(event, values) for event, values in events[1:]]


def result(event: dict, arrays: Arrays) -> Result:
    """An event as plain data. Errors: sandbox.Damaged for one that no worker of ours writes."""
    try:
        if "error" in event:
            return Result(error=_error(event["error"]))
        after, gradients = event["after"], event["gradients"]
        return Result(
            plain(event["value"], arrays),
            None if gradients is None else [plain(each, arrays) for each in gradients],
            tuple(plain(each, arrays) for each in after),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise sandbox.Damaged(str(error)) from error


def _error(error: dict) -> dict:
    line, bases = error["line"], error["bases"]
    if not (line is None or (isinstance(line, int) and 0 < line <= LONGEST)) or not isinstance(bases, list):
        raise sandbox.Damaged("an error that is none")
    texts = {key: str(error[key]) for key in ("message", "name")}
    return {**texts, "type": str(error["type"])[:LONGEST_NAME], "line": line, "bases": [str(each) for each in bases]}


def _complete(trials: Sequence[Trial], results: Sequence[Result]) -> bool:
    """Whether every case has its result, with all its arguments and either all gradients or none."""
    return len(results) == len(trials) and all(
        got.error
        or (
            len(got.after) == len(trial.before)
            and len(got.gradients or ()) in (0, sum(map(_has_gradient, trial.before)))
        )
        for trial, got in zip(trials, results, strict=True)
    )


def _has_gradient(argument: Any) -> bool:
    return isinstance(argument, Plain) and argument.requires_grad


def _without_running(exercise: Exercise, cell: Cell) -> tuple[str, str] | None:
    if not cell.problem and not cell.tree.body:
        return NOT_ATTEMPTED, diagnosis.not_attempted(exercise)
    if cell.problem:
        return WRONG, diagnosis.unreadable(cell.problem, cell.line, cell.source)
    statement = defined(cell.tree).get(exercise.name)
    if statement is not None and is_stub(statement):
        return NOT_ATTEMPTED, diagnosis.not_attempted(exercise)
    if found := borrowed(cell.tree, exercise.without):
        return WRONG, diagnosis.by_library(exercise, *found)
    return None


def judge(
    verdict: Verdict,
    exercise: Exercise,
    used: Sequence[Exercise],
    cell: Cell,
    outcome: sandbox.Outcome,
    arrays: Arrays,
    trials: list[Trial],
    device: str,
) -> None:
    """Fill in status, sentence, misconception and table of a verdict from what came out of a run."""
    events = outcome.events
    if outcome.ended == "start":
        verdict.status, verdict.sentence = UNAVAILABLE, diagnosis.ENDINGS["start"]
        return
    try:
        if events and "error" in events[0][0]:
            error = _error(events[0][0]["error"])
            _not_attempted_or(verdict, exercise, error, cell, "", loading=True)
            return
        if events and events[0][0].get("found") is not True and outcome.ended == "done":
            verdict.sentence = diagnosis.missing(exercise, {"exists": False, "defined": [], **events[0][0]})
            return
        results = [result(event, values) for event, values in events[1:]]
    except (sandbox.Damaged, KeyError, TypeError):
        outcome.ended, results = "damaged", []
    if outcome.ended == "done" and not _complete(trials, results):
        outcome.ended = "damaged"
    if outcome.ended != "done":
        verdict.sentence = diagnosis.ending(exercise, outcome.ended, outcome.code, exercise.seconds)
        return
    if exercise.is_value and results[0].error is None:
        if is_open(results[0].value):
            verdict.status = NOT_ATTEMPTED
            verdict.sentence = diagnosis.not_attempted(exercise)
            return
        results = [replace(results[0], value=in_words_of(results[0].value, exercise.choices))]
        found = kind_difference(trials[0].own.value, results[0].value)
        if found and found.kind == "open":
            verdict.sentence = diagnosis.wrong(exercise, found, "")
            return
    faults = [_fault(exercise, trial, got) for trial, got in zip(trials, results, strict=True)]
    if not any(faults):
        verdict.status, verdict.sentence = RIGHT, diagnosis.right(exercise, len(trials))
        return
    explanation = _explanation(exercise, used, cell, arrays, trials, results, device)
    if explanation:
        verdict.misconception, verdict.sentence = explanation[0].name, explanation[0].sentence
    if exercise.is_value and not results[0].error:
        entries = explanation[1] if explanation else faults[0].found.path[:1]
        verdict.table = _entries(results[0].value, entries)
    _first_failure(verdict, exercise, cell, trials, results, faults)


def _explanation(
    exercise: Exercise,
    used: Sequence[Exercise],
    cell: Cell,
    arrays: Arrays,
    trials: Sequence[Trial],
    results: Sequence[Result],
    device: str,
) -> tuple[Program, list[str]] | None:
    """The misconception that gives what the answer gave, and the entries that it is about; None if there is none.

    Of several that explain a dict, it is the one whose first entry comes first, since a student reads from the top.
    """
    right = trials[0].own.value
    order = list(right) if exercise.is_value and isinstance(right, dict) else []
    found = []
    for wrong in exercise.wrong:
        for number in wrong.numbers_to_try(cell.tree):
            given = run_here(exercise, used, source_of(exercise, wrong, number), arrays, trials, device)
            if explains(exercise, trials, given, results):
                if not order:
                    return wrong, []
                told = given[0].value
                found.append((wrong, [key for key in order if key in told and not same(right[key], told[key], 0.0)]))
    return min(found, key=lambda each: order.index(each[1][0]), default=None)


def explains(exercise: Exercise, trials: Sequence[Trial], given: Sequence[Result], results: Sequence[Result]) -> bool:
    """Whether a misconception gives what the answer gave, on every case.

    A history counts where the reference's result has one, and gradients where they alone are wrong: a misconception may
    be written as a formula where the student's answer calls backward.
    """
    values_are_right = all(
        not other.error and same(trial.own.value, other.value, exercise.tolerance[trial.dtype])
        for trial, other in zip(trials, results, strict=True)
    )
    for trial, one, other in zip(trials, given, results, strict=True):
        if one.error or other.error:
            texts = [(each.error["type"], each.error["message"]) if each.error else None for each in (one, other)]
            if texts[0] != texts[1]:
                return False
            continue
        value = other.value
        if exercise.is_value and isinstance(one.value, dict) and isinstance(value, dict):
            value = {key: value[key] for key in one.value if key in value}
        tolerance = exercise.tolerance[trial.dtype]
        mine = one.value if has_history(trial.own.value) else without_history(one.value)
        pairs = [(mine, value), (one.after, other.after)]
        if values_are_right:
            pairs.append((one.gradients, other.gradients))
        if not all(same(mine, yours, tolerance) for mine, yours in pairs):
            return False
    return True


# The order in which faults are told; a fault of an earlier kind on any case comes before one of a later kind.
ORDER = ("lasting", "error", "kind", "after", "value", "gradient")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one result: its place in ORDER, and the difference with the parameter that it is about."""

    order: str
    found: Difference | None = None
    parameter: str = ""


def _fault(exercise: Exercise, trial: Trial, got: Result) -> Fault | None:
    tolerance = exercise.tolerance[trial.dtype]
    if got.error:
        return Fault("error")
    changed = [
        Fault("after" if name in exercise.mutates else "lasting", found, name)
        for name, mine, wide, yours in zip(
            exercise.parameters, trial.own.after, trial.wide.after, got.after, strict=False
        )
        if (found := difference(mine, wide, yours, tolerance))
    ]
    unasked = [fault for fault in changed if fault.order == "lasting"]
    if unasked:
        return unasked[0]
    if found := kind_difference(trial.own.value, got.value):
        return Fault("kind", found)
    if changed:
        return changed[0]
    if found := value_difference(trial.wide.value, got.value, tolerance):
        return Fault("value", found)
    if trial.own.gradients is None:
        return None
    names = [name for name, argument in zip(exercise.parameters, trial.before, strict=False) if _has_gradient(argument)]
    yours = got.gradients or [None] * len(names)
    for name, mine, wide, other in zip(names, trial.own.gradients, trial.wide.gradients, yours, strict=False):
        if found := difference(mine, wide, other, tolerance):
            return Fault("gradient", found, name)
    return None


def _not_attempted_or(
    verdict: Verdict, exercise: Exercise, error: dict, cell: Cell, circumstance: str, loading: bool = False
) -> None:
    if "NotImplementedError" in error["bases"]:
        verdict.status = NOT_ATTEMPTED
    verdict.sentence = diagnosis.failure(exercise, error, cell.source, circumstance, loading)


def _first_failure(
    verdict: Verdict,
    exercise: Exercise,
    cell: Cell,
    trials: list[Trial],
    results: list[Result],
    faults: list[Fault | None],
) -> None:
    failing = [index for index, fault in enumerate(faults) if fault]
    index = min(failing, key=lambda each: (ORDER.index(faults[each].order), not trials[each].public, each))
    trial, got, fault = trials[index], results[index], faults[index]
    first = min(index for index, trial in enumerate(trials) if trial.public)
    circumstance = "" if index == first else f" (in another case, {trial.dtype})"
    if trial.case.note:
        circumstance = f" ({trial.case.note}, {trial.dtype})"
    if not verdict.sentence:
        if fault.order == "error":
            _not_attempted_or(verdict, exercise, got.error, cell, circumstance)
        elif fault.order == "lasting":
            verdict.sentence = diagnosis.lasting(exercise, fault.parameter)
        elif fault.order == "after":
            words = f"leaves an argument {fault.parameter} that {fault.found.text}{circumstance}"
            verdict.sentence = f"{exercise.name} {words}."
        elif fault.order == "gradient":
            verdict.sentence = diagnosis.wrong_gradient(exercise, fault.parameter, fault.found, circumstance)
        else:
            verdict.sentence = diagnosis.wrong(exercise, fault.found, circumstance)
    if verdict.status == NOT_ATTEMPTED or exercise.is_value:
        return
    verdict.case = ", ".join(part for part in (trial.case.note, trial.dtype) if part)
    verdict.table = _table(exercise, trial, got, fault)


def _entries(value: Any, keys: Sequence[str]) -> list[tuple[str, str]]:
    """What the student wrote in the entries in question; what was expected there would be the answer itself."""
    if not isinstance(value, dict):
        return []
    return [(str(key), diagnosis.show(value[key])) for key in keys if key in value]


def _table(exercise: Exercise, trial: Trial, got: Result, fault: Fault) -> list[tuple[str, str]]:
    rows = [(name, diagnosis.show(each)) for name, each in zip(exercise.parameters, trial.before, strict=False)]
    if fault.order == "error":
        return [*rows, ("expected", diagnosis.show(trial.wide.value)), ("got", got.error["type"])]
    expected, came = trial.wide.value, got.value
    if fault.order in ("lasting", "after"):
        place = exercise.parameters.index(fault.parameter)
        expected, came = trial.wide.after[place], got.after[place]
    elif fault.order == "gradient":
        place = exercise.parameters.index(fault.parameter)
        leaves = [index for index, each in enumerate(trial.before) if _has_gradient(each)]
        place = leaves.index(place)
        expected, came = trial.wide.gradients[place], got.gradients[place] if got.gradients else None
    afterwards = f" {fault.parameter} afterwards"
    what = {"lasting": afterwards, "after": afterwards, "gradient": f" gradient of {fault.parameter}"}
    texts = diagnosis.pair(expected, came)
    return [*rows, *zip((f"{word}{what.get(fault.order, '')}" for word in ("expected", "got")), texts, strict=True)]
