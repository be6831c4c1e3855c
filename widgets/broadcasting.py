"""Lesson 01: two shapes, aligned at the right, stretched where one has a 1."""

from __future__ import annotations

import html
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

import kernel
from widgets import style
from widgets.base import Choice, Interactive, Text
from widgets.figure import svg

_MOST_AXES = 3
_LONGEST_AXIS = 6
_MOST_CELLS = 72

_OPERATIONS = {"add": ("+", operator.add), "subtract": ("−", operator.sub), "multiply": ("×", operator.mul)}


@dataclass(frozen=True)
class AxisRule:
    """What broadcasting does on one axis of the result. A size is None where the array has no such axis.

    Axes count from the right, -1, -2, …, as shapes are aligned: so does the kernel's error.
    """

    axis: int
    size_a: int | None
    size_b: int | None

    @property
    def size(self) -> int | None:
        """The size of the result on this axis; None where the two sizes do not fit."""
        a, b = self.size_a or 1, self.size_b or 1
        return max(a, b) if a == b or 1 in (a, b) else None

    def sentence(self, fits: bool = True) -> str:
        """The rule on this axis in words. Where the shapes do not fit on another axis, nothing is stretched here."""
        if self.size is None:
            return f"axis {self.axis}: {self.size_a} and {self.size_b} differ and neither is 1"
        is_stretched = f"{'is' if fits else 'could be'} stretched to {self.size}"
        for name, size in (("a", self.size_a), ("b", self.size_b)):
            if size is None:
                stretched = f" and {is_stretched}" if self.size > 1 else ""
                return f"axis {self.axis}: {name} has no such axis, so it counts as 1{stretched}"
        if self.size_a == self.size_b:
            return f"axis {self.axis}: {self.size_a} and {self.size_b} agree"
        return f"axis {self.axis}: 1 {is_stretched}"


@dataclass(frozen=True)
class BroadcastState:
    """Two shapes, the rule on every axis, and the shape of the result: None where they do not fit."""

    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    rules: tuple[AxisRule, ...]
    shape: tuple[int, ...] | None

    def sentences(self) -> list[str]:
        """The rule on every axis in words, from the right."""
        return [rule.sentence(fits=self.shape is not None) for rule in reversed(self.rules)]


def broadcast_state(shape_a: tuple[int, ...], shape_b: tuple[int, ...]) -> BroadcastState:
    """The broadcasting rule, axis by axis: shapes are aligned at the right, and equal sizes or a 1 go together.

    Raises:
        ValueError: a size is not a whole number of at least 1.

    >>> broadcast_state((3, 1), (4,)).shape
    (3, 4)
    >>> broadcast_state((3, 2), (3,)).sentences()[0]
    'axis -1: 2 and 3 differ and neither is 1'
    """
    for name, shape in (("shape_a", shape_a), ("shape_b", shape_b)):
        if not all(isinstance(size, int) and size >= 1 for size in shape):
            raise ValueError(f"broadcast_state: {name} must hold whole numbers of at least 1; got {shape}.")
    count = max(len(shape_a), len(shape_b))

    def aligned(shape: tuple[int, ...]) -> tuple[int | None, ...]:
        return (None,) * (count - len(shape)) + tuple(shape)

    rules = tuple(
        AxisRule(axis, *sizes)
        for axis, sizes in enumerate(zip(aligned(shape_a), aligned(shape_b), strict=True), start=-count)
    )
    sizes = tuple(rule.size for rule in rules)
    return BroadcastState(tuple(shape_a), tuple(shape_b), rules, None if None in sizes else sizes)


def parse_shape(text: str, name: str = "shape") -> tuple[int, ...]:
    """A shape as a student types it: (3, 1), 3 1, [3,1] or () for a single number.

    Raises:
        ValueError: it is no shape, or one too large to draw.

    >>> parse_shape("(3, 1)"), parse_shape("4"), parse_shape("()")
    ((3, 1), (4,), ())
    """
    inside = re.fullmatch(r"\s*[(\[]?([\d\s,]*)[)\]]?\s*", text)
    if inside is None or not text.strip():
        raise ValueError(f"{name}: write whole numbers in brackets, such as (3, 1); got {text.strip()!r}.")
    shape = tuple(map(int, re.findall(r"\d+", inside[1])))
    if len(shape) > _MOST_AXES:
        raise ValueError(f"{name}: at most {_MOST_AXES} axes can be drawn; {shape} has {len(shape)}.")
    if not all(1 <= size <= _LONGEST_AXIS for size in shape):
        raise ValueError(f"{name}: each size must lie between 1 and {_LONGEST_AXIS} to be drawn; got {shape}.")
    return shape


@dataclass(frozen=True)
class _Drawn:
    """What the picture needs: the broadcast and the operation's name."""

    broadcast: BroadcastState
    operation: str


class Broadcasting(Interactive):
    """Type two shapes and see which axes stretch, and why some shapes do not fit.

    >>> print(Broadcasting("(3, 1)", "(1, 4)").summary()[:39])
    Broadcasting, axis by axis. a (3, 1) an
    """

    title = "Broadcasting, axis by axis"

    def __init__(self, shape_a: str = "(3, 1)", shape_b: str = "(1, 4)", operation: str = "add") -> None:
        self._start = {"shape_a": shape_a, "shape_b": shape_b, "operation": operation}
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        return {
            "shape_a": Text("shape of a", self._start["shape_a"]),
            "shape_b": Text("shape of b", self._start["shape_b"]),
            "operation": Choice("operation", self._start["operation"], list(_OPERATIONS)),
        }

    def actions(self) -> Mapping[str, Any]:
        return {
            "Swap a and b": lambda values: {"shape_a": values["shape_b"], "shape_b": values["shape_a"]},
            "Row and column": lambda values: {"shape_a": "(3, 1)", "shape_b": "(1, 4)"},
            "Three axes": lambda values: {"shape_a": "(2, 1, 4)", "shape_b": "(3, 1)"},
            "No fit": lambda values: {"shape_a": "(3, 2)", "shape_b": "(3,)"},
        }

    def state(self, *, shape_a: str, shape_b: str, operation: str) -> _Drawn:
        state = broadcast_state(parse_shape(shape_a, "shape of a"), parse_shape(shape_b, "shape of b"))
        if state.shape is not None and prod(state.shape) > _MOST_CELLS:
            raise ValueError(
                f"The result {state.shape} has {prod(state.shape)} cells, too many to draw; choose smaller sizes, "
                f"for at most {_MOST_CELLS}."
            )
        return _Drawn(state, operation)

    def picture(self, state: _Drawn) -> str:
        return _svg(state.broadcast, state.operation)

    def alt(self, state: _Drawn) -> str:
        broadcast = state.broadcast
        arrays = f"Array a of shape {broadcast.shape_a} and array b of shape {broadcast.shape_b} as grids of cells"
        if broadcast.shape is None:
            return f"{arrays}, with no result because an axis does not fit."
        return f"{arrays}, stretched copies hatched, and the result of shape {broadcast.shape}."

    def status(self, state: _Drawn) -> str:
        broadcast = state.broadcast
        shapes = f"a {broadcast.shape_a} and b {broadcast.shape_b}"
        rules = "; ".join(broadcast.sentences()) or "neither has an axis"
        if broadcast.shape is None:
            return f"{state.operation}: {shapes} do not fit. From the right, {rules}."
        return f"{shapes} give {broadcast.shape}. From the right, {rules}."

    def details(self, state: _Drawn) -> str:
        broadcast = state.broadcast
        if broadcast.shape is None:
            return f"ShapeError: {_kernel_says(broadcast.shape_a, broadcast.shape_b, state.operation)}"
        return (
            f"a stores {prod(broadcast.shape_a)}, b stores {prod(broadcast.shape_b)}, "
            f"the result {prod(broadcast.shape)} numbers; hatched copies are read again, never stored."
        )


def _kernel_says(shape_a: tuple[int, ...], shape_b: tuple[int, ...], operation: str) -> str:
    """The kernel's own sentence about two shapes that do not fit: what a student's cell would show."""
    try:
        _OPERATIONS[operation][1](kernel.zeros(shape_a), kernel.zeros(shape_b))
    except kernel.ShapeError as error:
        return str(error)
    raise AssertionError(f"The kernel broadcasts {shape_a} and {shape_b}, which the rule does not.")


# The picture: one SVG, sizes in CSS pixels.

_MARGIN = 24
_CELL_WIDTH, _CELL_HEIGHT = 36, 28
_SIGN = 40
_PLANE_GAP = 14
_TABLE_ROW = 26

_EDGE = {"a": style.BLUE, "b": style.DARK_VERMILLION, "result": style.INK}
_FILL = {"a": "#CFE4F2", "b": "#F9DCC9", "result": style.PAPER}


def _text(x: float, y: float, text: str, anchor: str = "start", **attributes: Any) -> str:
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{written}>{html.escape(text)}</text>'


def _grid(name: str, values: np.ndarray, given: np.ndarray, x: float, y: float) -> list[str]:
    """The cells of one array: planes below one another, a cell that is no stretched copy in full colour."""
    parts = []
    # Every array is drawn as (planes, rows, columns).
    lifted = (1,) * (_MOST_AXES - values.ndim) + values.shape
    values, given = values.reshape(lifted), given.reshape(lifted)
    for plane, row, column in product(*map(range, lifted)):
        left = x + column * _CELL_WIDTH
        top = y + plane * (lifted[1] * _CELL_HEIGHT + _PLANE_GAP) + row * _CELL_HEIGHT
        own = given[plane, row, column]
        fill = _FILL[name] if own else f"url(#gradschool-hatch-{name})"
        dashes = "" if own else ' stroke-dasharray="3 2"'
        parts.append(
            f'<rect x="{left + 1:g}" y="{top + 1:g}" width="{_CELL_WIDTH - 2}" height="{_CELL_HEIGHT - 2}" rx="3" '
            f'fill="{fill}" stroke="{_EDGE[name]}"{dashes}/>'
        )
        parts.append(
            _text(
                left + _CELL_WIDTH / 2,
                top + _CELL_HEIGHT / 2 + 4.5,
                style.number(values[plane, row, column], 0),
                "middle",
                font_size=13,
                fill=style.INK if own else style.MUTED,
            )
        )
    return parts


def _height(shape: tuple[int, ...]) -> float:
    planes, rows, _ = (1,) * (_MOST_AXES - len(shape)) + shape
    return planes * rows * _CELL_HEIGHT + (planes - 1) * _PLANE_GAP


def _columns(shape: tuple[int, ...]) -> float:
    return (shape[-1] if shape else 1) * _CELL_WIDTH


def _table(state: BroadcastState) -> list[str]:
    """The two shapes written below one another, aligned at the right, with the rule in the last line."""
    step, first = 84, _MARGIN + 150
    top = _MARGIN + 16
    parts = [_text(_MARGIN, top, "axis", fill=style.MUTED)]
    lines = (("a", str(state.shape_a)), ("b", str(state.shape_b)), ("result", str(state.shape or "none")))
    for line, (name, shape) in enumerate(lines, start=1):
        y = top + line * _TABLE_ROW
        label = f"{name} {shape}"
        parts.append(_text(_MARGIN, y, label, font_weight=600, fill=_EDGE[name]))
    for place, rule in enumerate(state.rules):
        x = first + place * step
        parts.append(_text(x, top, str(rule.axis), "middle", fill=style.MUTED))
        for line, (name, size) in enumerate((("a", rule.size_a), ("b", rule.size_b)), start=1):
            stretched = state.shape is not None and (size or 1) != rule.size
            text = ("·" if size is None else str(size)) + (f" → {rule.size}" if stretched else "")
            weight = 600 if stretched else 400
            parts.append(_text(x, top + line * _TABLE_ROW, text, "middle", font_weight=weight, fill=_EDGE[name]))
        fits = rule.size is not None
        parts.append(
            _text(
                x,
                top + 3 * _TABLE_ROW,
                str(rule.size) if fits else "✗ no fit",
                "middle",
                font_weight=600,
                fill=style.INK if fits else style.DARK_VERMILLION,
            )
        )
    right = first + max(len(state.rules) - 1, 0) * step + step / 2
    y = top + 2 * _TABLE_ROW + 9
    parts.append(f'<line x1="{_MARGIN}" x2="{right:g}" y1="{y:g}" y2="{y:g}" stroke="{style.RULE}"/>')
    return parts


def _svg(state: BroadcastState, operation: str) -> str:
    sign, function = _OPERATIONS[operation]
    a = np.arange(1, prod(state.shape_a) + 1).reshape(state.shape_a)
    b = 10 * np.arange(1, prod(state.shape_b) + 1).reshape(state.shape_b)
    parts = _table(state)
    top = _MARGIN + 16 + 3 * _TABLE_ROW + 52
    tallest = max(map(_height, (state.shape_a, state.shape_b, state.shape or ())))
    x = _MARGIN
    for name, array in (("a", a), ("b", b)):
        if state.shape is not None:
            # A cell is the array's own where its index does not go past the array's size on any axis.
            lifted = (1,) * (len(state.shape) - array.ndim) + array.shape
            given = np.all([index < size for index, size in zip(np.indices(state.shape), lifted, strict=True)], axis=0)
            given, array = np.broadcast_to(given, state.shape), np.broadcast_to(array, state.shape)
        else:
            given = np.ones(array.shape, bool)
        parts.append(_text(x + 2, top - 12, name, font_weight=600, fill=_EDGE[name]))
        parts += _grid(name, array, given, x, top)
        x += _columns(array.shape)
        middle = top + tallest / 2
        parts.append(
            _text(x + _SIGN / 2, middle + 7, sign if name == "a" else "=", "middle", font_size=22, fill=style.INK)
        )
        x += _SIGN
    if state.shape is None:
        parts.append(_text(x, middle + 5, "✗ no result", font_weight=600, fill=style.DARK_VERMILLION))
        x += 80
    else:
        result = function(a, b)
        parts.append(_text(x + 2, top - 12, f"a {sign} b", font_weight=600, fill=style.INK))
        parts += _grid("result", result, np.ones(result.shape, bool), x, top)
        x += _columns(result.shape)
    bottom = top + tallest
    if state.shape is not None and (state.shape_a != state.shape or state.shape_b != state.shape):
        bottom += 30
        parts.append(
            f'<rect x="{_MARGIN + 1}" y="{bottom - 12:g}" width="22" height="15" rx="3" stroke-dasharray="3 2" '
            f'fill="url(#gradschool-hatch-copy)" stroke="{style.MUTED}"/>'
        )
        parts.append(_text(_MARGIN + 32, bottom + 1, "stretched copy, not stored", font_size=13, fill=style.MUTED))
    hatches = "".join(
        f'<pattern id="gradschool-hatch-{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate({angle})"><rect width="6" height="6" fill="{style.PAPER}"/>'
        f'<line x1="0" y1="0" x2="0" y2="6" stroke="{colour}" stroke-width="2"/></pattern>'
        for name, angle, colour in (("a", 45, _FILL["a"]), ("b", -45, _FILL["b"]), ("copy", 45, style.RULE))
    )
    return svg([f"<defs>{hatches}</defs>", *parts], max(x + _MARGIN, 470), bottom + _MARGIN, font_size=14)
