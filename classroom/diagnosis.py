"""The one sentence that a student reads: what went wrong, from what happened."""

import math
from typing import Any

import numpy as np

from classroom.cell import names, similar
from classroom.compare import Difference, Plain, word
from classroom.sandbox import MEMORY
from classroom.spec import Exercise

# Names under which other libraries are commonly known; a check offers none of them.
LIBRARIES = (
    *("autograd", "cntk", "cupy", "flax", "jax", "jnp", "keras", "matplotlib", "mx", "mxnet", "nn", "numba"),
    *("pandas", "pd", "plt", "scipy", "seaborn", "sklearn", "sns", "tensorflow", "tf", "tinygrad", "torch"),
)
NOT_OFFERED = "which a check does not offer: answer with kernel and NumPy"

LONGEST_CELL = 2000
LONGEST_SENTENCE = 600
LONGEST_MESSAGE = 300
MOST_NUMBERS = 3000
# How many entries are shown of a list, tuple or dict, and of those inside it.
MOST_ENTRIES = (20, 8, 8)
DEEPEST_SHOWN = len(MOST_ENTRIES) - 1
# Up to so many words to choose from are listed.
MOST_CHOICES = 6

ENDINGS = {
    "flood": "{name} printed more than 10 MB: take the print out of the loop.",
    "large": "{name} returned more than 64 MB: the result should be as small as the example's.",
    "damaged": "What came back from {name} could not be read: return tensors, arrays, numbers, strings or lists.",
    "start": "The check could not start its own Python process; run `gradschool doctor` to see what is missing.",
}


def not_attempted(exercise: Exercise) -> str:
    """An answer that is still the stub of the notebook."""
    stub = "three dots" if exercise.is_value else "marked line"
    return f"{exercise.name} has no answer yet: write it in place of the {stub}, run the cell, and check again."


def unreadable(problem: str, line: int | None, source: str) -> str:
    """A cell that Python cannot parse."""
    where = f"line {line} (`{text_of(source, line)}`)" if line and text_of(source, line) else "the cell"
    return f"Python cannot read {where} of your cell: {problem}.".replace("the cell of your cell", "your cell")


def by_library(exercise: Exercise, name: str, line: int) -> str:
    """A cell that has the work done which it is to do itself."""
    return f"{exercise.name} uses {name} (line {line}), which does the work for you: write the steps yourself."


def ending(exercise: Exercise, ended: str, code: int | None, seconds: float) -> str:
    """A run that did not come to its end."""
    if ended == "time":
        return f"{exercise.name} did not finish within {seconds:g} seconds: look for a loop that never ends."
    if ended in ENDINGS:
        return ENDINGS[ended].format(name=exercise.name)
    if code == -9:
        return (
            f"The process that ran {exercise.name} was killed: it filled the memory of this machine, "
            "or the cell closed what a check writes its results to."
        )
    if code is not None and code < 0:
        return (
            f"The process that ran {exercise.name} crashed (signal {-code}): your notebook is not touched, "
            "but the cell asks for something that Python does not survive."
        )
    return (
        f"The cell ended its own process before {exercise.name} was done: take exit and os._exit out of it, "
        "and leave Python's own functions as they are."
    )


def missing(exercise: Exercise, event: dict) -> str:
    """A cell that ran, and did not define what was asked for."""
    name = exercise.name
    if event["exists"]:
        return f"{name} should be a function that can be called as {exercise.signature}, but the cell makes it a value."
    what = f"a value named {name}" if exercise.is_value else f"a function {exercise.signature}"
    others = [each for each in event["defined"] if isinstance(each, str)]
    instead = f"; it defines {', '.join(others[:4])}" if others else ""
    return f"The cell does not define {what}{instead}."


def failure(exercise: Exercise, error: dict, source: str, circumstance: str, loading: bool = False) -> str:
    """An error that the cell raised while it was loaded or called."""
    name = "The cell" if loading else exercise.name
    line, message = error["line"], one_line(error["message"], LONGEST_MESSAGE)
    bases = error["bases"]
    on_line = f" (line {line})" if line else ""
    if "NotImplementedError" in bases:
        return not_attempted(exercise)
    if "SystemExit" in bases or (error["type"] == "NameError" and error["name"] in ("exit", "quit")):
        return f"The cell calls exit or sys.exit{on_line}: {exercise.name} should return its result instead."
    if error["type"] == "NameError" and error["name"]:
        if error["name"] in LIBRARIES:
            return f"{name} uses {error['name']}{on_line}, {NOT_OFFERED}."
        meant = similar(error["name"], names(source) - {exercise.name})
        advice = f"did you mean {meant}?" if meant else "define or import it here."
        return f"{name} uses {error['name']}, which this cell does not define{on_line}: {advice}"
    if "SyntaxError" in bases:
        return unreadable(message, line, source)
    if "ModuleNotFoundError" in bases and error["name"]:
        return f"The cell imports {error['name']}{on_line}, {NOT_OFFERED}."
    if "ImportError" in bases:
        # Python adds the file of the module in brackets, which says nothing to a student.
        return f"The cell stops at an import{on_line}: {message.partition(' (')[0]}."
    if error["type"] == "GradError" and message.startswith("numpy:"):
        return (
            f"{name} takes the numbers out with .numpy(){on_line}, and no gradient finds its way back from there: "
            "compute with the tensor itself."
        )
    if "MemoryError" in bases:
        return f"{name} asks for more memory than an answer may use, which is {MEMORY >> 30} GB{on_line}."
    if "RecursionError" in bases:
        return f"{name} calls itself without end{on_line}: Python's recursion limit was reached."
    if "TooLarge" in bases:
        return ENDINGS["large"].format(name=name)
    if "EOFError" in bases:
        return f"{name} asks for input{on_line}: an answer computes with its arguments alone."
    if "PermissionError" in bases and message.startswith("an answer may not"):
        return f"{name} does what a check refuses{on_line}: {message}."
    if "TypeError" in bases and line is None and not loading:
        return f"{name} cannot be called as {exercise.signature}: {message}."
    where = f" on line {line} (`{text_of(source, line)}`)" if line else ""
    return f"{name} stops with {error['type']}{where}{circumstance}: {message or 'it gives no message'}."


def lasting(exercise: Exercise, parameter: str) -> str:
    """An argument that is not what it was before the call."""
    return f"{exercise.name} changes its argument {parameter}: compute a new value and leave the argument as it came."


def wrong(exercise: Exercise, found: Difference, circumstance: str) -> str:
    """A result that differs from the reference's; the value of a value is never given away."""
    if exercise.is_value and found.kind in ("value", "nan", "shape"):
        if found.word and exercise.choices and found.word not in exercise.choices:
            few = f"choose {', '.join(exercise.choices[:-1])} or {exercise.choices[-1]}"
            advice = few if len(exercise.choices) <= MOST_CHOICES else "copy one letter for letter"
            return f"{subject(exercise, found.path)} is {found.word!r}, which is not on offer: {advice}."
        return f"{subject(exercise, found.path)} is not right yet."
    return f"{subject(exercise, found.path)} {found.text}{circumstance}."


def wrong_gradient(exercise: Exercise, parameter: str, found: Difference, circumstance: str) -> str:
    """A right value with a wrong derivative."""
    return (
        f"The values of {exercise.name} are right, but its gradient with respect to {parameter} "
        f"{found.text}{circumstance}."
    )


def right(exercise: Exercise, trials: int) -> str:
    """A right answer."""
    if exercise.is_value:
        return f"{exercise.name} is as it should be."
    return f"All {trials} cases agree with the reference, in {' and '.join(exercise.dtypes)}."


def subject(exercise: Exercise, path: tuple) -> str:
    """What a difference is about."""
    whole = exercise.name if exercise.is_value else f"the result of {exercise.name}"
    parts = [f"entry {key!r}" if isinstance(key, str) else f"item {key}" for key in reversed(path)]
    text = " of ".join([*parts, whole])
    return text if exercise.is_value and not path else text[0].upper() + text[1:]


def one_line(message: str, longest: int) -> str:
    """A message without line breaks and closing full stop, and not longer than a sentence may be."""
    text = " ".join(message.split())
    return (text if len(text) <= longest else text[:longest] + "…").rstrip(".")


def text_of(source: str, line: int | None) -> str:
    """The text of one line of the cell."""
    lines = source.splitlines()
    return lines[line - 1].strip()[:80] if line and 0 < line <= len(lines) else ""


def show(value: Any, precision: int = 4) -> str:
    """A result for the table: arrays with `precision` decimals, long ones with dots in the middle."""
    text = _show(value, precision, 0)
    return text if len(text) <= LONGEST_CELL else text[:LONGEST_CELL] + "…"


def _show(value: Any, precision: int, depth: int) -> str:
    if isinstance(value, Plain):
        return _show_numbers(value.array, precision)
    if isinstance(value, (list, tuple, dict)):
        if depth > DEEPEST_SHOWN:
            return "…"
        entries = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
        most = MOST_ENTRIES[depth]
        texts = [
            (f"{key!r}: " if isinstance(value, dict) else "") + _show(item, precision, depth + 1)
            for key, item in entries[:most]
        ]
        left, right = {dict: "{}", list: "[]", tuple: "()"}[type(value)]
        return left + ", ".join([*texts, "…"] if len(entries) > most else texts) + right
    return "..." if word(value) == "" and not isinstance(value, str) else repr(word(value))[:400]


def _show_numbers(array: np.ndarray, precision: int) -> str:
    with np.printoptions(precision=precision, suppress=True, threshold=60, edgeitems=3, linewidth=76):
        if math.prod(min(length, 7) for length in array.shape) > MOST_NUMBERS:
            # NumPy leaves out the middle of each axis, which is little where there are many axes.
            return f"shape {array.shape}, which begins {array[(0,) * (array.ndim - 1)]}"
        number = array[()]
        rounded = array.ndim == 0 and array.dtype.kind in "fc"
        return str(np.round(number, precision) if rounded else number)


def pair(expected: Any, got: Any) -> tuple[str, str]:
    """Expected and got with as many decimals as it takes to see that they differ."""
    pairs = [(show(expected, precision), show(got, precision)) for precision in (4, 8, 16)]
    return next((texts for texts in pairs if texts[0] != texts[1]), pairs[0])
