"""Lesson 02: the graph behind a small computation, and the walk backward through it, one node at a time.

What is shown is read from the kernel's tape: the nodes and their order from `kernel.tape.walk`, the arrows from
`next_functions`, the gradient that arrives at a node from a hook, and what the node hands on from its own rules.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import kernel
from kernel.tape import AccumulateGrad, walk
from widgets import style
from widgets.base import LOOK_HERE, Choice, Interactive, Slider, Text
from widgets.figure import svg

_LARGEST_LEAF = 100.0
_MOST_SQUARINGS = 6


class Line(NamedTuple):
    """One line of a computation: `c = s · y` is Line("c", "{} · {}", ("s", "y"), s * y)."""

    name: str
    template: str
    operands: tuple[str, ...]
    result: kernel.Tensor

    @property
    def equation(self) -> str:
        return f"{self.name} = {self.template.format(*self.operands)}"


@dataclass(frozen=True)
class Example:
    """A computation to look at: its leaves with the values they start from, and the lines that it runs."""

    label: str
    leaves: Mapping[str, tuple[float, ...]]
    run: Callable[..., Iterator[Line]]


def _square_times(x: kernel.Tensor, y: kernel.Tensor) -> Iterator[Line]:
    s = x**2
    yield Line("s", "{}²", ("x",), s)
    yield Line("c", "{} · {}", ("s", "y"), s * y)


def _doubled_twice(a: kernel.Tensor) -> Iterator[Line]:
    b = a + a
    yield Line("b", "{} + {}", ("a", "a"), b)
    yield Line("c", "{} + {}", ("b", "b"), b + b)


def _squared_until_ten(x: kernel.Tensor) -> Iterator[Line]:
    if x >= 10:
        raise ValueError(f"x = {_number(x.item())} is not below 10, so the loop never runs; choose a smaller x.")
    y, name, count = x, "x", 0
    while y < 10:
        count += 1
        if count > _MOST_SQUARINGS:
            raise ValueError(
                f"x = {_number(x.item())}: after {_MOST_SQUARINGS} squarings y is still below 10; "
                "between −1 and 1 squares never grow, so choose x above 1.04 or below −1.04."
            )
        y = y**2
        square = f"y{'₀₁₂₃₄₅₆'[count]}"
        yield Line(square, "{}²", (name,), y)
        name = square


def _cross_entropy(z: kernel.Tensor) -> Iterator[Line]:
    e = kernel.exp(z)
    yield Line("e", "exp {}", ("z",), e)
    s = e.sum()
    yield Line("s", "Σ {}", ("e",), s)
    m = kernel.log(s)
    yield Line("m", "log {}", ("s",), m)
    t = z[0]
    yield Line("t", "{}[0]", ("z",), t)
    yield Line("loss", "{} − {}", ("m", "t"), m - t)


def _line_with_bias(w: kernel.Tensor, b: kernel.Tensor) -> Iterator[Line]:
    x = kernel.tensor([1.0, 2.0], dtype=kernel.float64)
    p = w * x
    yield Line("p", "{} · {}", ("w", "x"), p)
    q = p + b
    yield Line("q", "{} + {}", ("p", "b"), q)
    yield Line("c", "mean {}", ("q",), q.mean())


def _larger(x: kernel.Tensor, y: kernel.Tensor) -> Iterator[Line]:
    m = kernel.maximum(x, y)
    yield Line("m", "max({}, {})", ("x", "y"), m)
    yield Line("c", "{} · {}", ("m", "x"), m * x)


EXAMPLES: Mapping[str, Example] = {
    "product": Example("c = x² · y", {"x": (5.0,), "y": (2.0,)}, _square_times),
    "accumulation": Example("b = a + a, c = b + b", {"a": (1.0,)}, _doubled_twice),
    "loop": Example("while y < 10: y = y²", {"x": (2.0,)}, _squared_until_ten),
    "crossentropy": Example("cross-entropy, two classes", {"z": (2.0, 0.0)}, _cross_entropy),
    "broadcasting": Example("mean of w · x + b, x = (1, 2)", {"w": (2.0,), "b": (1.0,)}, _line_with_bias),
    "tie": Example("c = max(x, y) · x, a tie", {"x": (3.0,), "y": (3.0,)}, _larger),
}

# The local slopes of each operation, one per operand, from the names of its result, of its operands and its size.
_SLOPES: Mapping[str, Callable[..., tuple[str, ...]]] = {
    "AddBackward": lambda c, a, b, n: ("1", "1"),
    "SubBackward": lambda c, a, b, n: ("1", "(−1)"),
    "MulBackward": lambda c, a, b, n: (b, a),
    "PowBackward": lambda c, a, n: (f"2{a}",),
    "ExpBackward": lambda c, a, n: (c,),
    "LogBackward": lambda c, a, n: (f"1/{a}",),
    "SumBackward": lambda c, a, n: ("(1 for every element)",),
    "MeanBackward": lambda c, a, n: (f"(1/{n} for every element)",),
    "GetitemBackward": lambda c, a, n: ("(1 at the place taken, 0 elsewhere)",),
    "MaximumBackward": lambda c, a, b, n: (_larger_of(a, b), _larger_of(b, a)),
}


def _larger_of(mine: str, other: str) -> str:
    return f"(1 if {mine} > {other}, ½ at a tie, else 0)"


@dataclass(frozen=True)
class Box:
    """A leaf or a result: its name, the line that computed it (a leaf's is its name), its value, its place."""

    name: str
    equation: str
    value: np.ndarray
    leaf: bool
    column: int
    row: float


@dataclass(frozen=True)
class Arrow:
    """Operand number `slot` of `target` is `source`."""

    source: str
    target: str
    slot: int


@dataclass(frozen=True)
class Delivery:
    """What a node hands to one operand: the local slope in words, the part, and the operand's sum before and after."""

    arrow: Arrow
    slope: str
    part: np.ndarray
    before: np.ndarray | None
    total: np.ndarray
    stretched: bool

    def sentence(self) -> str:
        summed = ", summed over the stretched axis," if self.stretched else ""
        text = f"{self.arrow.source} gets g · {self.slope}{summed} = {_numbers(self.part)}"
        if self.before is not None:
            text += f", added to {_numbers(self.before)}: {_numbers(self.total)}"
        return text


@dataclass(frozen=True)
class Visit:
    """One node of the tape on the way back: whose result it is, the gradient that has arrived, what it hands on."""

    name: str
    node: str
    incoming: np.ndarray
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True)
class GraphState:
    """The graph, all visits of the walk backward, and how many steps of it have been taken.

    Step 0 is the forward computation, step k the k-th visit, the last step writes `grad` of the leaves.
    """

    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    visits: tuple[Visit, ...]
    grads: Mapping[str, np.ndarray]
    step: int

    @property
    def last(self) -> int:
        """The number of the last step."""
        return len(self.visits) + 1

    @property
    def result(self) -> Box:
        """The box from which the walk starts."""
        return self.boxes[self.visits[0].name]

    @property
    def visit(self) -> Visit | None:
        """The visit of this step, if it is one."""
        return self.visits[self.step - 1] if 1 <= self.step <= len(self.visits) else None

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The sum that has arrived at each box by now."""
        arrived = {} if self.step == 0 else {self.result.name: self.visits[0].incoming}
        for visit in self.visits[: self.step]:
            arrived |= {delivery.arrow.source: delivery.total for delivery in visit.deliveries}
        return arrived

    @property
    def visited(self) -> set[str]:
        """The results whose node has handed on its gradient."""
        return {visit.name for visit in self.visits[: self.step]}


def graph_state(example: str, leaves: Mapping[str, tuple[float, ...]], step: int = 0) -> GraphState:
    """Compute an example in float64, walk backward through its tape, and say what happens at every node.

    Arguments:
        example: a key of EXAMPLES.
        leaves: the numbers of each leaf, by name; a leaf with one number is a scalar, shape ().
        step: how many steps have been taken; more than there are count as all.

    Raises:
        ValueError: there is no such example, or its leaves are others, or the loop does not end.

    >>> state = graph_state("accumulation", {"a": (1.0,)})
    >>> [visit.node for visit in state.visits], state.grads["a"].item()
    (['AddBackward', 'AddBackward'], 4.0)
    >>> state.visits[0].deliveries[1].sentence()
    'b gets g · 1 = 1, added to 1: 2'
    """
    if example not in EXAMPLES:
        raise ValueError(f"graph_state: there is no example {example!r}; there are {', '.join(EXAMPLES)}.")
    wanted = EXAMPLES[example].leaves
    if set(leaves) != set(wanted) or any(len(leaves[name]) != len(wanted[name]) for name in wanted):
        raise ValueError(f"The leaves of {EXAMPLES[example].label} are written like this: {leaves_text(wanted)}.")
    # A widget's functions run in a thread of their own, and the student may have switched recording off.
    with kernel.enable_grad():
        tensors = {
            name: kernel.tensor(list(numbers) if len(numbers) > 1 else numbers[0], kernel.float64, requires_grad=True)
            for name, numbers in leaves.items()
        }
        lines = list(EXAMPLES[example].run(**tensors))
        incoming: dict[str, np.ndarray] = {}
        for line in lines:
            line.result.register_hook(lambda g, name=line.name: incoming.update({name: np.array(g.numpy())}))
        root = lines[-1].result
        root.backward(retain_graph=True)
    order = list(walk(root.grad_fn))
    named: dict[Any, str] = {tensor: name for name, tensor in tensors.items()}
    named |= {line.result.grad_fn: line.name for line in lines}
    by_name = {line.name: line for line in lines}
    values = {name: np.array(tensor.detach().numpy()) for name, tensor in tensors.items()}
    values |= {line.name: np.array(line.result.detach().numpy()) for line in lines}

    arrows: list[Arrow] = []
    visits: list[Visit] = []
    sums: dict[str, np.ndarray] = {}
    for node in order:
        name = named[node]
        sources = [
            (slot, named[parent.variable if isinstance(parent, AccumulateGrad) else parent])
            for slot, (parent, _) in enumerate(node.next_functions)
            if parent is not None
        ]
        line = by_name[name]
        slopes = _SLOPES[node.name](name, *line.operands, values[line.operands[0]].size)
        deliveries = []
        for (slot, source), part in zip(sources, node.parts(incoming[name]), strict=True):
            arrow, before = Arrow(source, name, slot), sums.get(source)
            sums[source] = part if before is None else before + part
            stretched = values[source].shape != values[name].shape and len(line.operands) > 1
            deliveries.append(Delivery(arrow, slopes[slot], part, before, sums[source], stretched))
            arrows.append(arrow)
        visits.append(Visit(name, node.name, incoming[name], tuple(deliveries)))

    equations = {name: name for name in tensors} | {line.name: line.equation for line in lines}
    places = _places(list(tensors), [visit.name for visit in visits], arrows)
    boxes = {
        name: Box(name, equation, values[name], name in tensors, *places[name]) for name, equation in equations.items()
    }
    grads = {name: np.array(tensor.grad.numpy()) for name, tensor in tensors.items()}
    return GraphState(boxes, tuple(arrows), tuple(visits), grads, max(0, min(step, len(visits) + 1)))


def _places(leaves: list[str], newest_first: list[str], arrows: list[Arrow]) -> dict[str, tuple[int, float]]:
    """(column, row) of every box: as far right as its readers allow, at the height of the one that reads it."""
    readers: dict[str, list[Arrow]] = {}
    for arrow in arrows:
        readers.setdefault(arrow.source, []).append(arrow)
    column, row = {}, {}
    for name in [*newest_first, *leaves]:
        column[name] = min((column[arrow.target] - 1 for arrow in readers.get(name, ())), default=0)
    first = min(column.values())
    for place in sorted(set(column.values()), reverse=True):
        here = [name for name in column if column[name] == place]
        wished = {
            name: np.mean([row[arrow.target] for arrow in readers[name]]) if name in readers else 0.0 for name in here
        }
        here.sort(key=lambda name: (wished[name], min((arrow.slot for arrow in readers.get(name, ())), default=0)))
        middle = np.mean(list(wished.values()))
        for position, name in enumerate(here):
            row[name] = float(middle + position - (len(here) - 1) / 2)
    return {name: (column[name] - first, row[name]) for name in column}


def leaves_text(leaves: Mapping[str, tuple[float, ...]]) -> str:
    """Leaves as a student types them.

    >>> leaves_text({"x": (5.0,), "z": (2.0, 0.5)})
    'x = 5, z = (2, 0.5)'
    """
    return ", ".join(f"{name} = {_numbers(np.array(numbers)).replace('−', '-')}" for name, numbers in leaves.items())


def parse_leaves(text: str) -> dict[str, tuple[float, ...]]:
    """The values that a student types for the leaves.

    Raises:
        ValueError: something is no number, or one too large to draw, or a name stands there twice.

    >>> parse_leaves("x = 5, y=-2.5"), parse_leaves("z = (2, 0)")
    ({'x': (5.0,), 'y': (-2.5,)}, {'z': (2.0, 0.0)})
    """
    pieces = re.split(r"([A-Za-z]\w*)\s*=", text)
    found: dict[str, tuple[float, ...]] = {}
    for name, written in zip(pieces[1::2], pieces[2::2], strict=True):
        words = re.findall(r"[^\s,;()\[\]]+", written.replace("−", "-"))
        numbers = []
        for word in words:
            with suppress(ValueError):
                numbers.append(float(word))
        if not words or len(numbers) != len(words) or not all(map(math.isfinite, numbers)):
            raise ValueError(
                f"values: after {name} = a number should stand, such as 2 or -0.5; got {written.strip(' ,;')!r}."
            )
        if max(map(abs, numbers)) > _LARGEST_LEAF:
            raise ValueError(f"values: {name} must lie between −100 and 100 to be drawn; got {written.strip(' ,;')}.")
        if name in found:
            raise ValueError(f"values: {name} stands there twice; give it one value.")
        found[name] = tuple(numbers)
    return found


def _number(value: float, digits: int = 4) -> str:
    """A number with so many digits that count, whole numbers whole.

    >>> _number(0.119203), _number(25.0), _number(-1234.5678), _number(1.5e9)
    ('0.1192', '25', '−1235', '1.5e+09')
    """
    size = abs(float(value))
    if size == 0 or not 1e-4 <= size < 1e7:
        text = f"{float(value) + 0.0:.{digits - 1}g}"
    else:
        text = f"{float(value):.{max(0, digits - 1 - math.floor(math.log10(size)))}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def _numbers(value: np.ndarray, digits: int = 4) -> str:
    words = [_number(each, digits) for each in np.ravel(value)]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


class GraphViewer(Interactive):
    """Choose a computation, set its leaves, and step backward through its graph.

    Arguments:
        example: the one shown first, a key of EXAMPLES.

    >>> GraphViewer("loop").values["leaves"]
    'x = 2'
    """

    title = "Backward through the graph, node by node"

    def __init__(self, example: str = "product") -> None:
        if example not in EXAMPLES:
            raise ValueError(f"GraphViewer: there is no example {example!r}; there are {', '.join(EXAMPLES)}.")
        self._example = example
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        options = [(example.label, key) for key, example in EXAMPLES.items()]
        leaves = EXAMPLES[self._example].leaves
        return {
            "example": Choice("computation", self._example, options),
            "leaves": Text("values", leaves_text(leaves)),
            "step": Slider("step", 0, 0, graph_state(self._example, leaves).last, 1),
        }

    def actions(self) -> Mapping[str, Any]:
        return {
            "◂ Previous": lambda values: {"step": max(values["step"] - 1, 0)},
            "Next ▸": lambda values: {"step": min(values["step"] + 1, self.state(**values).last)},
            "To the end": lambda values: {"step": self.state(**values).last},
        }

    def state(self, *, example: str, leaves: str, step: int) -> GraphState:
        return graph_state(example, parse_leaves(leaves), step)

    def set(self, **values: Any) -> None:
        """Move controls from code; a new computation starts from its own values, at step 0."""
        if values.get("example") in EXAMPLES:
            values = {"leaves": leaves_text(EXAMPLES[values["example"]].leaves), "step": 0, **values}
        # The new values may have more steps than the old ones; _show puts the limit where it belongs.
        field = self._fields["step"]
        field.max = max(field.max, values.get("step", 0))
        super().set(**values)

    def _changed(self, change: Any) -> None:
        if change["owner"] is self._fields["example"] and not self._held:
            self.set(example=change["new"])
        else:
            super()._changed(change)

    def _show(self) -> None:
        super()._show()
        # A loop that runs longer has more steps: the slider ends where the walk does.
        self._fields["step"].max = self.state(**self.values).last

    def picture(self, state: GraphState) -> str:
        return _svg(state)

    def alt(self, state: GraphState) -> str:
        boxes = ", ".join(
            box.equation if box.equation.endswith(value) else f"{box.equation} = {value}"
            for box in state.boxes.values()
            for value in [_numbers(box.value)]
        )
        arrived = ", ".join(f"{name} {_numbers(value)}" for name, value in state.gradients.items()) or "none yet"
        return f"A graph of {len(state.boxes)} boxes joined by arrows: {boxes}; gradients: {arrived}."

    def status(self, state: GraphState) -> str:
        of = f"Step {state.step} of {state.last}"
        if state.step == 0:
            result = state.result
            return f"{of}: forward is done, {result.name} = {_numbers(result.value)}; press Next to walk backward."
        if state.visit is None:
            grads = " and ".join(f"{name}.grad = {_numbers(value)}" for name, value in state.grads.items())
            return f"{of}: every path has arrived, and backward adds the sums to the leaves: {grads}."
        visit = state.visit
        handed = "; ".join(delivery.sentence() for delivery in visit.deliveries)
        g = f"{'the walk starts with ' if state.step == 1 else ''}g = {_numbers(visit.incoming)}"
        arrived = "" if state.step == 1 else " has arrived"
        return f"{of}, {visit.node} of {state.boxes[visit.name].equation}: {g}{arrived}; {handed}."

    def details(self, state: GraphState) -> str:
        nodes = [f"{'▸ ' if state.visit is visit else ''}{visit.node} ({visit.name})" for visit in state.visits]
        lines = [f"tape, newest first: {', '.join(nodes)}"]
        if state.visit is not None:
            slopes = [
                f"∂{state.visit.name}/∂{delivery.arrow.source} = {delivery.slope}"
                for delivery in state.visit.deliveries
            ]
            lines.append(f"local slopes: {', '.join(slopes)}")
        if state.step:
            arrived = ", ".join(f"{name} {_numbers(value)}" for name, value in state.gradients.items())
            lines.append(f"gradients so far: {arrived}")
        return "\n".join(lines)


# The picture: one SVG in the ink of the white card it lies on, sizes in CSS pixels.

_MARGIN = 12
_BOX_HEIGHT = 46
_ROW = 112
_GAP = 56
_CHARACTER = 7.5
_DIGITS = 3
# What stands out: thickness and weight say the same without colour.
_ACCENT = style.VERMILLION

Point = tuple[float, float]


def _svg(state: GraphState) -> str:
    boxes = state.boxes
    final = {visit.name: visit.incoming for visit in state.visits} | dict(state.grads)
    lefts, widths, total_width = _columns(state, final)
    rows = [box.row for box in boxes.values()]
    middles = {name: _MARGIN + 18 + (box.row - min(rows)) * _ROW + _BOX_HEIGHT / 2 for name, box in boxes.items()}
    total_height = 2 * _MARGIN + (max(rows) - min(rows)) * _ROW + _BOX_HEIGHT + 44

    parts = []
    handed = {delivery.arrow: delivery.part for delivery in state.visit.deliveries} if state.visit else {}
    for arrow in state.arrows:
        source, target = boxes[arrow.source], boxes[arrow.target]
        # An operand used twice by one node has two arrows, which bend apart.
        twins = [each for each in state.arrows if (each.source, each.target) == (arrow.source, arrow.target)]
        side = 2.0 * arrow.slot - 1 if len(twins) > 1 else 0.0
        start = (lefts[source.column] + widths[source.column], middles[source.name] + 9 * side)
        end = (lefts[target.column], middles[target.name] + 9 * side)
        # A long arrow runs level past the boxes between, and turns just before its target.
        turn = lefts[target.column - 1] + widths[target.column - 1]
        parts += _arrow(start, turn, end, 18 * side, handed.get(arrow))
    for name, box in boxes.items():
        corner = (lefts[box.column], middles[name])
        parts += _box(state, box, corner, widths[box.column])
    return svg(parts, total_width, total_height, font_size=13)


def _columns(state: GraphState, final: Mapping[str, np.ndarray]) -> tuple[list[float], list[float], float]:
    """Left edge and width of every column, wide enough for the whole walk: boxes stand still while one steps."""
    count = 1 + max(box.column for box in state.boxes.values())
    widths, gaps = [64.0] * count, [float(_GAP)] * count
    for name, box in state.boxes.items():
        texts = box.equation, _numbers(box.value, _DIGITS), f"∂ {_numbers(final[name], _DIGITS)}"
        widths[box.column] = max(widths[box.column], _CHARACTER * max(map(len, texts)) + 16)
    for delivery in (each for visit in state.visits for each in visit.deliveries):
        source, target = state.boxes[delivery.arrow.source], state.boxes[delivery.arrow.target]
        if source.row == target.row:
            room = _CHARACTER * len(_numbers(delivery.part, _DIGITS)) + 20
            gaps[target.column] = max(gaps[target.column], room)
    lefts = [float(_MARGIN)]
    for column in range(1, count):
        lefts.append(lefts[-1] + widths[column - 1] + gaps[column])
    return lefts, widths, lefts[-1] + widths[-1] + _MARGIN


def _text(x: float, y: float, text: str, anchor: str = "middle", weight: int = 400) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'


def _arrow(start: Point, turn: float, end: Point, bend: float, part: np.ndarray | None) -> list[str]:
    """A forward arrow; while a gradient travels along it, a thick one that points back, with that part beside it."""
    (x0, y0), (x1, y1) = start, end
    reach = (x1 - turn) / 2
    curve = f"M{x0:g} {y0:g}H{turn:g}C{turn + reach:g} {y0 + bend:g} {x1 - reach:g} {y1 + bend:g} {x1:g} {y1:g}"
    if part is None:
        tip = f"M{x1:g} {y1:g}l-8 -4v8z"
        return [f'<g opacity=".6"><path d="{curve}" fill="none" stroke="currentColor"/><path d="{tip}"/></g>']
    tip = f"M{x0:g} {y0:g}l10 -5.5v11z"
    x, y, text = (turn + x1) / 2, (y0 + y1) / 2, _numbers(part, _DIGITS)
    if y0 < y1:
        label = _text(x + 9, y, text, "start", 700)
    elif y0 > y1:
        label = _text(x - 9, y, text, "end", 700)
    else:
        label = _text(x, y + 0.75 * bend + (17 if bend > 0 else -8), text, weight=700)
    return [
        f'<path class="{LOOK_HERE}" d="{curve}" fill="none" stroke="{_ACCENT}" stroke-width="3"/>',
        f'<path d="{tip}" fill="{_ACCENT}"/>',
        label,
    ]


def _box(state: GraphState, box: Box, corner: Point, width: float) -> list[str]:
    """Equation and value, below it the gradient. This step's node has a thick edge, a visited one a tinted face."""
    (x, y), arrived = corner, state.gradients
    now = state.visit is not None and state.visit.name == box.name
    edge = 'stroke="currentColor" stroke-opacity=".6"'
    if now:
        edge = f'class="{LOOK_HERE}" stroke="{_ACCENT}" stroke-width="3"'
    tint = 0.1 if box.name in state.visited else 0
    parts = [
        f'<rect x="{x:g}" y="{y - _BOX_HEIGHT / 2:g}" width="{width:g}" height="{_BOX_HEIGHT}" '
        f'rx="{_BOX_HEIGHT / 2 if box.leaf else 6:g}" fill-opacity="{tint}" {edge}/>',
        _text(x + width / 2, y - 5, box.equation, weight=600),
        _text(x + width / 2, y + 14, _numbers(box.value, _DIGITS)),
    ]
    if box.name in arrived:
        gradient = f"∂ {_numbers(arrived[box.name], _DIGITS)}"
        parts.append(_text(x + width / 2, y + _BOX_HEIGHT / 2 + 18, gradient, weight=700))
    return parts
