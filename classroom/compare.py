"""Compare what an answer gave with what the reference gave, on plain data in the parent.

Kinds come first (tensor or array, shape, dtype), values second. NaN stands where NaN is expected and nowhere else; an
infinity equals the infinity of its sign; other numbers differ by at most tolerance · max(1, largest finite magnitude
expected). A difference says where it is and what it is, in words that follow the name of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classroom.program import DEEPEST, Arrays
from classroom.sandbox import Damaged

LONGEST_NAME = 80

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Plain:
    """Numbers from a Tensor ("tensor"), a NumPy array ("array") or a NumPy or Python number ("number")."""

    kind: str
    array: np.ndarray
    requires_grad: bool = False


@dataclass(frozen=True)
class Named:
    """What is not numbers: kind "dtype", "open" (the `...` of a stub) or "other", and its name."""

    kind: str
    name: str = ""


@dataclass(frozen=True)
class Difference:
    """Where two results part: `kind` is "type", "shape", "dtype", "keys", "open", "nan" or "value".

    `word` is the string that came where another one was wanted.
    """

    kind: str
    path: Path
    text: str
    word: Any = ""


ARTICLES = {"tensor": "a kernel tensor", "array": "a NumPy array", "number": "a number"}


def plain(tree: Any, arrays: Arrays, depth: int = 0) -> Any:
    """A packed value as Plain and Named leaves in lists, tuples and dicts.

    Errors: Damaged where the tree is none that `pack` writes.
    """
    if depth > DEEPEST:
        raise Damaged("deeper than any result")
    if tree is None or isinstance(tree, (bool, str)):
        return tree
    if isinstance(tree, float) or (isinstance(tree, int) and abs(tree) < 2**63):
        return Plain("number", np.asarray(tree))
    match tree:
        case {"tensor": str(key), "requires_grad": bool(requires_grad)} if key in arrays:
            return Plain("tensor", arrays[key], requires_grad)
        case {"array": str(key)} if key in arrays:
            return Plain("array", arrays[key])
        case {"scalar": str(key)} if key in arrays and arrays[key].ndim == 0:
            return Plain("number", arrays[key])
        case {"dtype": str(name)}:
            return Named("dtype", name[:LONGEST_NAME])
        case {"open": True}:
            return Named("open")
        case {"other": str(name)}:
            return Named("other", name[:LONGEST_NAME])
        case {"list": [*items]}:
            return [plain(item, arrays, depth + 1) for item in items]
        case {"tuple": [*items]}:
            return tuple(plain(item, arrays, depth + 1) for item in items)
        case {"dict": [*items]} if all(isinstance(item, list) and len(item) == 2 for item in items):
            return {_key(plain(key, arrays, depth + 1)): plain(value, arrays, depth + 1) for key, value in items}
    raise Damaged(f"{str(tree)[:80]} is no result")


def _key(key: Any) -> Any:
    if isinstance(key, Plain):
        return key.array.item() if key.array.ndim == 0 else "array"
    if isinstance(key, tuple):
        return tuple(_key(each) for each in key)
    return key if isinstance(key, (str, bool, type(None))) else str(key)


def is_open(value: Any) -> bool:
    """Whether a value is still the stub of the notebook: `...`, or nothing but that inside."""
    if isinstance(value, dict):
        return bool(value) and all(is_open(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return bool(value) and all(is_open(item) for item in value)
    return value is None or (isinstance(value, Named) and value.kind == "open")


def a(value: Any) -> str:
    """A value's kind with its article, for a sentence: "a kernel tensor", "None", "a list"."""
    if value is None:
        return "None"
    if isinstance(value, Plain):
        return ARTICLES[value.kind]
    if isinstance(value, Named):
        return {"dtype": f"the dtype {value.name}", "open": "..."}.get(value.kind, f"a value of type {value.name}")
    return {bool: "a bool", str: "a string"}.get(type(value), f"a {type(value).__name__}")


def kind_difference(wanted: Any, got: Any, path: Path = ()) -> Difference | None:
    """The first difference of type, shape, dtype, length or keys between two plain results, or None."""
    if isinstance(got, Named) and got.kind == "open":
        return Difference("open", path, "is still open: write your answer in place of `...`")
    if isinstance(wanted, Plain):
        return _plain_difference(wanted, got, path)
    if isinstance(wanted, bool):
        if isinstance(got, Plain) and got.array.dtype == bool and got.array.ndim == 0:
            return None
        return None if isinstance(got, bool) else _type_difference(wanted, got, path)
    if isinstance(wanted, str) or (isinstance(wanted, Named) and wanted.kind == "dtype"):
        fits = isinstance(got, str) or (isinstance(got, Named) and got.kind == "dtype")
        return None if fits else _type_difference(wanted, got, path)
    if isinstance(wanted, (list, tuple)):
        if not isinstance(got, (list, tuple)):
            return _type_difference(wanted, got, path)
        if len(got) != len(wanted):
            return Difference("shape", path, f"has {len(got)} items where {len(wanted)} are wanted")
        pairs = enumerate(zip(wanted, got, strict=True))
        differences = (kind_difference(each, other, (*path, index)) for index, (each, other) in pairs)
        return next((each for each in differences if each), None)
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return _type_difference(wanted, got, path)
        if missing := [key for key in wanted if key not in got]:
            return Difference("keys", path, f"lacks the entry {missing[0]!r}")
        if strange := [key for key in got if key not in wanted]:
            return Difference("keys", path, f"has an entry {strange[0]!r} that was not asked for")
        differences = (kind_difference(wanted[key], got[key], (*path, key)) for key in wanted)
        return next((each for each in differences if each), None)
    return None if wanted == got else _type_difference(wanted, got, path)


def _plain_difference(wanted: Plain, got: Any, path: Path) -> Difference | None:
    if not isinstance(got, Plain):
        return _type_difference(wanted, got, path)
    if wanted.kind == "number":
        if got.array.ndim:
            return Difference("shape", path, f"has shape {got.array.shape} where a single number is wanted")
        return None
    scalar = wanted.kind == "array" and wanted.array.ndim == 0 and got.kind == "number"
    if wanted.kind != got.kind and not scalar:
        return _type_difference(wanted, got, path)
    if wanted.array.shape != got.array.shape:
        return Difference("shape", path, f"has shape {got.array.shape} where {wanted.array.shape} is wanted")
    integers = wanted.array.dtype.kind in "iu" and got.array.dtype.kind in "iu"
    if wanted.array.dtype != got.array.dtype and not integers and not scalar:
        return Difference("dtype", path, f"has dtype {got.array.dtype} where {wanted.array.dtype} is wanted")
    if wanted.requires_grad and not got.requires_grad:
        return Difference("type", path, "has lost its history: compute with the tensor itself, not with its numbers")
    return None


def _type_difference(wanted: Any, got: Any, path: Path) -> Difference:
    came = f"{a(got)} (is there a `return`?)" if got is None and not path else a(got)
    advice = _towards_a_tensor(got) if isinstance(wanted, Plain) and wanted.kind == "tensor" else ""
    return Difference("type", path, f"is {came} where {a(wanted)} is wanted{advice}")


def _towards_a_tensor(got: Any) -> str:
    if isinstance(got, Plain):
        what = {"array": "use kernel's functions in place of NumPy's", "number": "leave out `.item()` and `float()`"}
        return f": {what[got.kind]}"
    return ": put its parts into one with kernel.stack" if isinstance(got, (list, tuple)) else ""


def has_history(value: Any) -> bool:
    """Whether any tensor of a result knows where it came from."""
    if isinstance(value, dict):
        return any(map(has_history, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(has_history, value))
    return isinstance(value, Plain) and value.requires_grad


def without_history(value: Any) -> Any:
    """A result with the same numbers, as if nothing of it had been recorded."""
    if isinstance(value, dict):
        return {key: without_history(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(without_history, value))
    return replace(value, requires_grad=False) if isinstance(value, Plain) else value


def in_words_of(value: Any, choices: Sequence[str]) -> Any:
    """A value to fill in, with every string that is one of `choices` but for its capitals written as there."""
    spelled = {each.lower(): each for each in choices}
    if isinstance(value, dict):
        return {key: in_words_of(each, choices) for key, each in value.items()}
    return spelled.get(value.strip().lower(), value) if isinstance(value, str) else value


def value_difference(wanted: Any, got: Any, tolerance: float, path: Path = ()) -> Difference | None:
    """The first difference of value between two results of the same kinds, or None."""
    if isinstance(wanted, Plain):
        return _number_difference(wanted.array, got.array, tolerance, path)
    if isinstance(wanted, (list, tuple)):
        pairs = enumerate(zip(wanted, got, strict=True))
        differences = (value_difference(each, other, tolerance, (*path, index)) for index, (each, other) in pairs)
        return next((each for each in differences if each), None)
    if isinstance(wanted, dict):
        differences = (value_difference(wanted[key], got[key], tolerance, (*path, key)) for key in wanted)
        return next((each for each in differences if each), None)
    if word(wanted) == word(got):
        return None
    return Difference("value", path, f"is {word(got)!r}, which is not right", word(got))


def word(value: Any) -> Any:
    """A leaf that is no number, as it is compared: a dtype is its name, spaces around a string do not count."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, Plain):
        return value.array.item()
    return value.strip() if isinstance(value, str) else value


def _number_difference(wanted: np.ndarray, got: np.ndarray, tolerance: float, path: Path) -> Difference | None:
    if wanted.dtype.kind in "biu" and got.dtype.kind in "biu":
        wrong = wanted != got
    else:
        wide = complex if "c" in (wanted.dtype.kind, got.dtype.kind) else float
        wanted, got = wanted.astype(wide), got.astype(wide)
        finite = np.isfinite(wanted)
        scale = max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))
        with np.errstate(invalid="ignore"):
            close = np.abs(wanted - got) <= tolerance * scale
        wrong = ~((close & finite) | (wanted == got) | (np.isnan(wanted) & np.isnan(got)))
    if not wrong.any():
        return None
    where = tuple(int(index) for index in np.argwhere(wrong)[0])
    place = f" at {list(where)}" if where else ""
    number, right = got[where], wanted[where]
    if np.isnan(number):
        return Difference("nan", path, f"is nan{place} where {right:.6g} is expected")
    if np.isinf(number):
        return Difference("nan", path, f"is {number}{place} where {right:.6g} is expected")
    if isinstance(number, (np.bool_, np.integer)):
        return Difference("value", path, f"is {number}{place} where {right} is expected")
    digits = 6 if f"{number:.6g}" != f"{right:.6g}" else 12
    return Difference("value", path, f"is {number:.{digits}g}{place} where {right:.{digits}g} is expected")


def difference(kinds: Any, values: Any, got: Any, tolerance: float) -> Difference | None:
    """The first difference of `got` from a reference that ran twice: for its kinds, and in float64 for its values."""
    return kind_difference(kinds, got) or value_difference(values, got, tolerance)


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two results are the same in kind and in value."""
    return difference(one, one, other, tolerance) is None
