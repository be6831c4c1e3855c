"""Drawings of networks, and tables of their layers: what a graph looks like before it is computed.

A drawing is read off the graph in three steps. ``_view`` decides what a reader wants to see: layers, not the nodes that
they are made of. ``_Layout`` finds places: longest paths give the rows, barycentres their order, and what continues
straight shares a column. Then it is written down: as SVG, as text that says the same, and for Mermaid.
"""

from __future__ import annotations

import bisect
import collections
import html
import inspect
import itertools
import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import DtypeError, FileError, ShapeError, show
from .op import ArrayType, require_flag, spell
from .sym import Variable
from .symbol import Entry, Node, Symbol, by_mode, infer_types, is_known, topological

__all__ = ["Drawing", "Summary", "plot_network", "summary"]

# --- what a reader calls it ---

# Okabe and Ito's colours, which stay apart for colour-blind readers; the label of each box says the same in words.
KINDS = {
    "layer": ("convolution, dense", "#0072B2"),
    "activation": ("activation", "#E69F00"),
    "pooling": ("pooling", "#009E73"),
    "normalisation": ("normalisation", "#CC79A7"),
    "loss": ("loss, metric", "#D55E00"),
    "other": ("other", None),
    "variable": ("variable", None),
}
_KIND_OF_OPS = {
    "layer": "conv2d conv2d_transposed linear dense embedding matmul mv dot einsum csr_matmul rnn lstm gru",
    "activation": "relu leaky_relu elu softplus gelu tanh sigmoid softmax log_softmax",
    "pooling": "max_pool2d avg_pool2d max_unpool2d",
    "normalisation": "batch_norm normalise layer_norm group_norm",
    "loss": "cross_entropy softmax_output soft_cross_entropy csr_cross_entropy nll_loss classification_error mse_loss "
    "l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div hinge_loss",
}
_KIND = {op: kind for kind, ops in _KIND_OF_OPS.items() for op in ops.split()}
_LEARNED = frozenset(("weight", "bias", "scale", "recurrent", "candidate"))  # operands that are parameters
_TARGETS = frozenset(("labels", "target", "targets"))
_PARAMETER = re.compile(r"_(weight|bias|gamma|beta)$")
_GLOBAL = {"amax": "max", "mean": "avg", "sum": "sum"}


def _kind(node: Node) -> str:
    if node.op is None:
        return "variable"
    if node.op.name in _GLOBAL and node.attributes.get("axis") == (2, 3):
        return "pooling"
    return _KIND.get(node.op.name, "loss" if node.op.is_loss else "other")


class _Facts:
    """What is said of one node: its operands' shapes and its attributes, as a label wants them."""

    def __init__(self, node: Node, types: Mapping[Node, list[ArrayType]]):
        self.node, self.options = node, node.attributes
        self.types = types

    def size(self, operand: int, axis: int) -> int | None:
        """One size of an operand, if it is known."""
        x = self.node.inputs[operand]
        shape = self.types[x.node][x.index].shape if type(x) is Entry else None
        return None if shape is None or not -len(shape) <= axis < len(shape) else shape[axis]

    def window(self, kernel: tuple, *more: Any) -> str:
        """5x5/1, 20: the window, its stride, and what else there is; as much as is known."""
        stride = self.options["stride"]
        step = str(stride[0]) if len(set(stride)) == 1 else _times(stride)
        known = f"{_times(kernel)}/{step}" if None not in kernel else ""
        return ", ".join([known] * bool(known) + [str(x) for x in more if x is not None])


def _times(sizes: Iterable) -> str:
    return "x".join(map(str, sizes))


def _with(name: str) -> Callable[[_Facts], str]:
    return lambda facts: name


def _activation(name: str) -> Callable[[_Facts], str]:
    return lambda facts: f"Activation {name}"


def _convolution(name: str, filters: int) -> Callable[[_Facts], str]:
    def label(f: _Facts) -> str:
        groups = f.options.get("groups", 1)
        count = f.size(1, filters)
        if filters and count is not None:
            count *= groups
        more = f"{groups} groups" if groups > 1 else None
        return f"{name} {f.window((f.size(1, 2), f.size(1, 3)), count, more)}"

    return label


_LABELS: dict[str, Callable[[_Facts], str]] = {
    "conv2d": _convolution("Convolution", 0),
    "conv2d_transposed": _convolution("Deconvolution", 1),
    "linear": lambda f: f"FullyConnected {f.size(1, 1 if f.options.get('transposed') else 0) or ''}",
    "dense": lambda f: f"Dense {f.size(1, -1) or f.size(2, -1) or ''}",
    "embedding": lambda f: f"Embedding {f.size(1, 0) or '?'} to {f.size(1, 1) or '?'}",
    **{name: _activation(name) for name in ("relu", "tanh", "sigmoid", "gelu", "elu", "softmax", "log_softmax")},
    "softplus": _activation("softrelu"),
    "leaky_relu": lambda f: f"Activation leaky_relu {_plain(f.options['slope'])}",
    "max_pool2d": lambda f: f"Pooling max {f.window(f.options['kernel'])}",
    "avg_pool2d": lambda f: (
        f"Pooling {'sum' if f.options.get('divisor') == 1 else 'avg'} {f.window(f.options['kernel'])}"
    ),
    "batch_norm": _with("BatchNorm"),
    "normalise": _with("BatchNorm"),
    "layer_norm": _with("LayerNorm"),
    "group_norm": lambda f: f"GroupNorm {f.options['groups']}",
    "dropout": lambda f: f"Dropout {_plain(f.options['rate'])}",
    "flatten": _with("Flatten"),
    "concatenate": lambda f: "Concat" if f.options["axis"] == 1 else f"Concat dim={f.options['axis']}",
    "softmax_output": _with("SoftmaxOutput"),
    "stop_gradient": _with("BlockGrad"),
}


def _label(node: Node, types: Mapping[Node, list[ArrayType]]) -> str:
    """What MXNet's plot says of a node; else the name of the operation with its numbers and attributes."""
    name = node.op.name
    if _kind(node) == "pooling" and name in _GLOBAL:
        return f"Pooling {_GLOBAL[name]} global"
    if name in _LABELS:
        return " ".join(_LABELS[name](_Facts(node, types)).split())
    numbers = [_plain(x) if type(x) is not Entry else "…" for x in node.inputs]
    parts = numbers if any(type(x) is not Entry for x in node.inputs) else []
    parts = parts + [
        f"{key}={_plain(value)}"
        for key, value in node.attributes.items()
        if value is not None and not isinstance(value, bool) and (key, value) != ("reduction", "mean")
    ]
    return " ".join([name, ", ".join(parts)]).strip()


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())


# --- what is shown ---


class _Box(NamedTuple):
    """One thing in a drawing: a variable, or a layer with all the nodes that it is made of."""

    node: Node
    name: str
    label: str  # of a variable: what it is to the others
    kind: str
    shapes: tuple  # of its outputs, None where nothing is known
    reads: tuple  # (number of the box, which of its outputs), what it is computed from
    hidden: tuple  # names of variables that it reads too, which are not shown
    parameters: tuple  # (node, ArrayType) of what it has to learn
    shared: bool  # whether another box learns one of them too
    heads: tuple  # (which of its outputs, name) that the graph gives out
    goes_on: bool  # whether one of these is read by another box too

    @property
    def count(self) -> int | None:
        """How many numbers it has to learn; None if a size is missing."""
        return _count(self.parameters)

    @property
    def spelled(self) -> str:
        """The shapes of its outputs in words."""
        return ", ".join("" if shape is None else spell(shape) for shape in self.shapes)


def _says(shape: tuple | None) -> bool:
    """Whether anything is known of a shape but how many axes there are."""
    return shape is not None and (not shape or any(size is not None for size in shape))


def _count(parameters: Iterable[tuple[Node, ArrayType]]) -> int | None:
    shapes = [t.shape for _, t in parameters]
    return sum(map(math.prod, shapes)) if all(map(is_known, shapes)) else None


class _View:
    """What of a graph is shown: the boxes, in the order of computing."""

    def __init__(self, entries: tuple[Entry, ...], types: Mapping[Node, list[ArrayType]], hide: bool):
        self.entries, self.types, self.hide = entries, types, hide
        self.heads = {entry.node for entry in entries}
        self.order = topological((entry.node for entry in entries), self._through)
        self.uses: dict[Node, list[tuple[Node, int]]] = {node: [] for node in self.order}
        for node in self.order:
            for i, x in enumerate(self._through(node)):
                if type(x) is Entry:
                    self.uses[x.node].append((node, i))
        self.roles = {node: self._role(node) for node in self.order if node.op is None}
        self.empty: dict[Node, bool] = {}  # whether nothing that is shown is above a node
        for node in self.order:
            above = [x.node for x in self._through(node) if type(x) is Entry]
            self.empty[node] = self._is_hidden(node) if node.op is None else all(self.empty[x] for x in above)
        self.owner: dict[Node, Node] = {}
        self.inner: dict[Node, list[Node]] = {node: [] for node in self.order}
        for node in reversed(self.order):
            consumers = {self.owner[by] for by, _ in self.uses[node]}
            whole = consumers.pop() if len(consumers) == 1 else node
            self.owner[node] = owner = whole if self._serves(node, whole) else node
            self.inner[owner].insert(0, node)
        self.boxes = self._boxes()

    def _through(self, node: Node) -> list:
        """What a node reads: of one that differs by mode, what it reads in training."""
        if node.op is not by_mode:
            return list(node.inputs)
        return [node.inputs[0]] + ([] if self.hide else [target for target, _ in node.updates])

    def _role(self, node: Node) -> str:
        """What a variable is to those that read it."""
        uses = [(by, by.op.argument(i)) for by, i in self.uses[node]]
        if node.role != "argument":
            return "seed" if node.role == "draw" else node.role
        if (
            node.value is not None
            or _PARAMETER.search(node.name)
            or any(operand in _LEARNED for _, operand in uses)
            or (uses and all(by.op.name == "full_like" for by, _ in uses))
        ):
            return "parameter"
        if node.name.endswith("_label") or (
            uses and all(operand in _TARGETS and _kind(by) == "loss" for by, operand in uses)
        ):
            return "label"
        return "variable"

    def _is_hidden(self, node: Node) -> bool:
        role = self.roles[node]
        if node in self.heads or role in ("variable", "constant"):
            return False
        return self.hide or role == "seed"

    def _serves(self, node: Node, whole: Node) -> bool:
        """Whether a node is only there for the sake of ``whole``, and not for a reader."""
        if node is whole or node.op is None or node in self.heads or not node.auto:
            return False
        if self.hide and self.empty[node]:
            return True
        if node.op.name == "full_like":  # a parameter that does not count: BatchNorm's gamma while it is fixed
            return all(type(x) is Entry and self.roles.get(x.node) == "parameter" for x in node.inputs)
        if whole.op is by_mode:
            kept = topological([whole.inputs[1].node] if type(whole.inputs[1]) is Entry else [])
            return node not in set(kept)
        if node.op.name == "cast":
            return whole.op.name == "embedding"
        others = [x for x in whole.inputs if type(x) is not Entry or x.node is not node]
        if node.op.name == "conv2d_transposed":  # whose bias is added
            return whole.op.name == "add" and all(type(x) is Entry and self.empty[x.node] for x in others)
        return False

    def _boxes(self) -> list[_Box]:
        shown = [
            node for node in self.order if self.owner[node] is node and not (node.op is None and self._is_hidden(node))
        ]
        number = {node: i for i, node in enumerate(shown)}
        learned_by: dict[Node, set[Node]] = {}
        for node in self.order:
            if self.roles.get(node) == "parameter":
                learned_by[node] = {self.owner[by] for by, _ in self.uses[node]}
        boxes = []
        for node in shown:
            reads, hidden, parameters = [], [], []
            for x in [x for part in self.inner[node] for x in self._through(part) if type(x) is Entry]:
                if self.owner[x.node] is node:
                    continue
                if x.node in number:
                    reads.append((number[x.node], x.index))
                elif self.roles[x.node] != "seed":
                    hidden.append(x.node.name)
                if x.node in learned_by:
                    parameters.append(x.node)
            if node in learned_by:  # a parameter that is shown, and is nobody else's
                parameters = [node] if not learned_by[node] else []
            main = self._main(node)
            name = main.name if node.op is by_mode and node.auto else node.name
            heads = [(entry.index, node.output_name(entry.index)) for entry in self.entries if entry.node is node]
            boxes.append(
                _Box(
                    node=node,
                    name=name,
                    label=self.roles[node] if node.op is None else _label(main, self.types),
                    kind=_kind(main),
                    shapes=tuple(t.shape if _says(t.shape) else None for t in self.types[node]),
                    reads=tuple(dict.fromkeys(reads)),
                    hidden=tuple(dict.fromkeys(hidden)),
                    parameters=tuple((p, self.types[p][0]) for p in dict.fromkeys(parameters)),
                    shared=any(len(learned_by[p]) > 1 for p in parameters),
                    heads=tuple(dict.fromkeys(heads)),
                    goes_on=any(self._is_read(node, index) for index, _ in heads),
                )
            )
        return boxes

    def _is_read(self, node: Node, index: int) -> bool:
        return any(self._through(by)[i].index == index for by, i in self.uses[node])

    def _main(self, node: Node) -> Node:
        """The node inside of a box that a reader would name it by."""
        inside = [part for part in self.inner[node] if part.op is not None and part.op is not by_mode]
        named = [part for part in inside if _kind(part) != "other" or part.op.name == "dropout"]
        return named[-1] if named else inside[-1] if inside else node

    def parameters(self) -> dict[Node, ArrayType]:
        """All that is to be learned, each once."""
        return {node: self.types[node][0] for node in self.order if self.roles.get(node) == "parameter"}


def _view_of(what: str, symbol: Any, shapes: Any, hide: bool) -> _View:
    """What is shown of ``symbol``, or of a module or a function once it is applied to variables of these shapes."""
    if shapes is None:
        shapes = {}
    if not isinstance(shapes, Mapping) or not all(isinstance(key, str) for key in shapes):
        raise DtypeError(f"{what}: shapes should be {{name of a variable: shape}}, but {show(shapes)} came.")
    if not isinstance(symbol, Symbol) and hasattr(symbol, "named_modules"):
        symbol = _applied(what, symbol, symbol.forward, shapes)
    elif getattr(symbol, "_of_function", None) is not None and shapes:
        symbol = _applied(what, symbol, symbol._of_function[0], shapes)
    if not isinstance(symbol, Symbol):
        raise DtypeError(
            f"{what}: a symbol, a function or a module was expected, but {show(symbol)} came; build a "
            "network from sym.Variable('data')."
        )
    entries = symbol._entries
    given = {key: _shape_of(value) for key, value in shapes.items()}
    given_by_node = symbol.by_node(what, given, {})[0] if given else {}
    types = infer_types((entry.node for entry in entries), given_by_node)
    return _View(tuple(entries), types, hide)


def _shape_of(value: Any) -> Any:
    return getattr(value, "shape", value)


def _applied(what: str, module: Any, code: Callable, shapes: Mapping[str, Any]) -> Symbol:
    """What a module makes of variables of these shapes."""
    code = getattr(code, "forward", code)
    if not shapes:
        example = "shape={'data': (1, 28, 28)}" if what == "plot_network" else "data=(1, 28, 28)"
        kind = type(module).__name__
        raise ShapeError(f"{what}: what goes into this {kind} must be said, as {what}(net, {example}).")
    variables = {}
    for name, value in shapes.items():
        dtype = getattr(value, "dtype", None)
        variables[name] = Variable(name, _shape_of(value), dtype)
    try:
        names = set(inspect.signature(code).parameters)
    except (TypeError, ValueError):
        names = set()
    found = module(**variables) if set(variables) <= names else module(*variables.values())
    several = found if isinstance(found, tuple | list) else (found,)
    if not all(isinstance(one, Symbol) for one in several):
        raise DtypeError(f"{what}: {type(module).__name__} should return symbols for symbols, but {show(found)} came.")
    return Symbol(entry for one in several for entry in one._entries)


# --- how wide a text is ---

# Advances in DejaVu Sans, the widest of the fonts that are asked for, in hundredths of the font's size: bold, regular.
_WIDTHS = (
    ("ijlI'|\\/ ,.·:;J", 40, 35),
    ("ft-![]()", 48, 41),
    ('r_`–"*zcs?', 61, 56),
    ("LvxyakeFTEoΣ", 69, 66),
    ("$0123456789hnu{}SYbdgpqCPZ", 74, 70),
    ("BAKRVXÄUGD#+<>=HN^~×÷→OQ&", 87, 85),
    ("w%@Mm…W", 110, 101),
)
_ADVANCE = {letter: (bold, plain) for letters, bold, plain in _WIDTHS for letter in letters}


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide ``text`` is at most, in pixels, in any of the fonts that a drawing asks for.

    >>> text_width("Convolution", 13, bold=True) > text_width("Convolution", 13) > 70
    True
    """
    total = 0
    for letter in text:
        if unicodedata.combining(letter):
            continue
        wide = unicodedata.east_asian_width(letter) in "WF"
        found = _ADVANCE.get(letter, (140, 140) if wide or ord(letter) > 0xFFFF else (90, 85))
        total += found[0 if bold else 1]
    return total * size / 100


_UNDRAWN = ("Cc", "Cs", "Zl", "Zp")  # control characters and the like


def _cut(text: str, most: int) -> str:
    """``text`` without what cannot be drawn, and not longer than ``most``."""
    clean = "".join(" " if unicodedata.category(c) in _UNDRAWN or c in "\ufffe\uffff" else c for c in text)
    return clean if len(clean) <= most else f"{clean[: most - 1].rstrip()}…"


# --- where it stands ---

LABEL, SMALL = 13.0, 11.5  # the sizes of letters
HEIGHT, PILL = 46.0, 30.0  # of a layer's box, of a variable's
INSET = 20.0  # from the left edge of a box to its letters; on the right the half
LANE = 9.0  # half of the room of a line that passes by


class _Port(NamedTuple):
    """Where one output leaves a box: how far from its middle, and what is written beside it."""

    output: int
    offset: float
    words: str
    ends: bool  # whether it leaves the drawing here


class _Vertex:
    """A box, or a place where a line passes a row; ``across`` is along its row, ``along`` with the data."""

    def __init__(self, box: _Box | None, row: int):
        self.box, self.row = box, row
        self.across = self.along = 0.0
        self.width = self.height = 0.0  # as drawn
        self.before = self.after = LANE  # what it needs of its row, from its middle
        self.thick = 0.0  # what it needs along
        self.ports: tuple[_Port, ...] = ()
        self.up: list[tuple[_Vertex, int]] = []  # (where a line comes from, which output that is)
        self.down: list[tuple[_Vertex, int]] = []
        self.place = 0


class _Layout:
    """Places for boxes: rows along the data, an order in each row, columns for what continues straight."""

    def __init__(self, boxes: list[_Box], down: bool):
        self.boxes, self.down = boxes, down
        self.vertices = [_Vertex(box, row) for box, row in zip(boxes, self._rows(), strict=True)]
        self._connect()
        self._measure()
        self._arrange()
        self._columns()
        self._stack()

    # --- rows ---

    def _rows(self) -> list[int]:
        """The row of each box: below all that it reads; what reads nothing stands right above what reads it."""
        rows = [0] * len(self.boxes)
        readers: list[list[int]] = [[] for _ in self.boxes]
        for i, box in enumerate(self.boxes):
            for source, _ in box.reads:
                rows[i] = max(rows[i], rows[source] + 1)
                readers[source].append(i)
        for i, box in enumerate(self.boxes):
            if not box.reads and readers[i]:
                rows[i] = min(rows[reader] for reader in readers[i]) - 1
        return rows

    def _connect(self) -> None:
        """Lines from row to row; one output is one line until it reaches those that read it."""
        targets: dict[tuple[int, int], list[int]] = {}
        for i, box in enumerate(self.boxes):
            for source, output in box.reads:
                targets.setdefault((source, output), []).append(i)
        passing: list[_Vertex] = []
        for (source, output), readers in targets.items():
            here, at = self.vertices[source], output
            last = max(self.vertices[i].row for i in readers)
            for row in range(here.row + 1, last + 1):
                for i in readers:
                    if self.vertices[i].row == row:
                        _join(here, at, self.vertices[i])
                if row < last:
                    lane = _Vertex(None, row)
                    passing.append(lane)
                    _join(here, at, lane)
                    here, at = lane, 0
        self.all = [*self.vertices, *passing]
        self.rows: list[list[_Vertex]] = [[] for _ in range(1 + max(v.row for v in self.all))]
        for vertex in self.all:
            self.rows[vertex.row].append(vertex)
        for row in self.rows:
            _number(row)

    # --- sizes ---

    def _measure(self) -> None:
        for vertex in self.vertices:
            vertex.width, vertex.height = _size(vertex.box)
        common = max((v.width for v in self.vertices if v.box.kind != "variable" and v.width <= 230), default=0)
        crowded = max(sum(v.box is not None for v in row) for row in self.rows) > 3
        for vertex in self.vertices:
            if vertex.box.kind != "variable" and not crowded:
                vertex.width = max(vertex.width, common)
            self._give_ports(vertex)

    def _give_ports(self, vertex: _Vertex) -> None:
        """A port for each output that is read or given out, and the room that it needs."""
        box = vertex.box
        read = dict.fromkeys(sorted(output for _, output in vertex.down))
        ends = {output: name for output, name in box.heads if output not in read}
        words = {}
        for output in sorted({*read, *ends}):
            shape = box.shapes[output] if output < len(box.shapes) else None
            spelled = "" if shape is None else spell(shape)
            words[output] = " ".join(filter(None, [_cut(ends[output], 32) if output in ends else "", spelled]))
        widths = {output: text_width(text, SMALL) for output, text in words.items()}
        several = len(words) > 1
        if self.down:
            step = max([16.0, *(w + 18 for w in widths.values())]) if several else 0.0
            vertex.width = max(vertex.width, step * len(words))
        else:
            step = 20.0 if several else 0.0
            vertex.height = max(vertex.height, step * len(words) + 6)
        first = -step * (len(words) - 1) / 2
        vertex.ports = tuple(_Port(k, first + i * step, text, k in ends) for i, (k, text) in enumerate(words.items()))
        size = (vertex.width, vertex.height) if self.down else (vertex.height, vertex.width)
        vertex.before = vertex.after = size[0] / 2
        for port in vertex.ports:
            if self.down and port.ends:  # the words stand below the arrow
                vertex.before = max(vertex.before, widths[port.output] / 2 - port.offset)
                vertex.after = max(vertex.after, widths[port.output] / 2 + port.offset)
            elif self.down and port.words:  # they stand to the right of the line
                vertex.after = max(vertex.after, port.offset + 8 + widths[port.output])
        vertex.thick = size[1]

    # --- the order within rows ---

    def _arrange(self) -> None:
        """Barycentres, down and up, and then neighbours change places as long as lines cross less often."""
        best, order = self._crossings(), [list(row) for row in self.rows]
        for sweep in range(16):
            if best == 0:
                break
            upwards = bool(sweep % 2)
            for row in reversed(self.rows) if upwards else self.rows:
                middle = {v: _barycentre(v, upwards) for v in row}
                row.sort(key=lambda v: middle[v])
                _number(row)
            self._exchange()
            crossings = self._crossings()
            if crossings < best:
                best, order = crossings, [list(row) for row in self.rows]
        self.rows = order
        for row in self.rows:
            _number(row)

    def _exchange(self) -> None:
        for _ in range(4):
            better = False
            for row in self.rows:
                for i in range(len(row) - 1):
                    left, right = row[i], row[i + 1]
                    above = [[_spot(*up) for up in v.up] for v in (left, right)]
                    below = [[v.place for v, _ in one.down] for one in (left, right)]
                    now = _pair(*above) + _pair(*below)
                    then = _pair(*reversed(above)) + _pair(*reversed(below))
                    if then < now:
                        row[i], row[i + 1] = right, left
                        _number(row)
                        better = True
            if not better:
                return

    def _crossings(self) -> int:
        total = 0
        for row in self.rows:
            lines = sorted({(_spot(v, output), below.place) for v in row for below, output in v.down})
            ends: list[int] = []
            for _, some in itertools.groupby(lines, key=lambda line: line[0]):
                found = [end for _, end in some]
                total += sum(len(ends) - bisect.bisect_right(ends, end) for end in found)
                for end in found:
                    bisect.insort(ends, end)
        return total

    # --- columns ---

    def _columns(self) -> None:
        """Straight lines where a line simply goes on; everything else near the middle of what it is connected with."""
        block = self._blocks()
        members: dict[_Vertex, list[_Vertex]] = {}
        for vertex in self.all:
            members.setdefault(block[vertex], []).append(vertex)
        left: dict[_Vertex, list[tuple[_Vertex, float]]] = {b: [] for b in members}
        right: dict[_Vertex, list[tuple[_Vertex, float]]] = {b: [] for b in members}
        for row in self.rows:
            for a, b in itertools.pairwise(row):
                gap = a.after + b.before + (22.0 if a.box and b.box else 14.0)
                left[block[b]].append((block[a], gap))
                right[block[a]].append((block[b], gap))
        pulls: dict[_Vertex, list[tuple[_Vertex, float, float]]] = {b: [] for b in members}
        for vertex in self.all:
            for below, output in vertex.down:
                one, other = block[vertex], block[below]
                if one is not other:
                    offset = _offset(vertex, output)
                    pulls[one].append((other, -offset, 1.0))
                    pulls[other].append((one, offset, 1.0))
        at = dict.fromkeys(members, 0.0)
        for _ in members:  # as far to the left as they go
            moved = False
            for b in members:
                x = max((at[a] + gap for a, gap in left[b]), default=0.0)
                moved |= x > at[b]
                at[b] = max(at[b], x)
            if not moved:
                break
        order = sorted(members, key=lambda b: (at[b], b.row))
        for turn in range(60):
            for b in order if turn % 2 else reversed(order):
                self._pull(b, at, pulls, left, right)
        for b, inside in members.items():
            for vertex in inside:
                vertex.across = at[b]
        edge = min(v.across - v.before for v in self.all)
        for vertex in self.all:
            vertex.across = round(vertex.across - edge, 1)

    @staticmethod
    def _pull(b: _Vertex, at: dict, pulls: dict, left: dict, right: dict) -> None:
        """Move a block towards what it is connected with, together with those that it would have to push."""
        if not pulls[b]:
            return
        force = sum(w * (at[o] + d - at[b]) for o, d, w in pulls[b])
        sign, ahead = (1, right) if force > 0 else (-1, left)
        moving, queue = {b}, [b]
        while queue:
            one = queue.pop()
            for other, gap in ahead[one]:
                if other not in moving and abs(at[other] - at[one]) - gap < 1e-6:
                    moving.add(other)
                    queue.append(other)
        outside = [(w, at[o] + d - at[m]) for m in moving for o, d, w in pulls[m] if o not in moving]
        weight = sum(w for w, _ in outside)
        shift = sum(w * distance for w, distance in outside) / weight if weight else 0.0
        if shift * sign <= 0:
            return
        room = [abs(at[o] - at[m]) - gap for m in moving for o, gap in ahead[m] if o not in moving]
        step = sign * min([abs(shift), *room])
        for m in moving:
            at[m] += step

    def _blocks(self) -> dict[_Vertex, _Vertex]:
        """The first vertex of the column that each one stands in."""
        block = {vertex: vertex for vertex in self.all}
        wanted = []
        for vertex in self.all:
            for below, output in vertex.down:
                straight = _offset(vertex, output) == 0
                if vertex.box is None and below.box is None:
                    wanted.append((0, vertex, below))
                elif straight and _preferred(vertex.down) is below and _preferred(below.up) is vertex:
                    wanted.append((1, vertex, below))
        taken: dict[int, list[tuple[int, int]]] = {}
        for _, vertex, below in sorted(wanted, key=lambda w: w[0]):
            lines = taken.setdefault(vertex.row, [])
            if all((vertex.place - a) * (below.place - b) > 0 for a, b in lines):
                lines.append((vertex.place, below.place))
                block[below] = vertex
        for vertex in sorted(self.all, key=lambda v: v.row):
            block[vertex] = block[block[vertex]]
        return block

    # --- along the data ---

    def _stack(self) -> None:
        at = 0.0
        self.starts: list[float] = []
        self.ends: list[float] = []  # where lines begin to bend
        for row in self.rows:
            thick = max(v.thick for v in row)
            self.starts.append(at)
            for vertex in row:
                vertex.along = at + thick / 2
            ports = [(v, p) for v in row for p in v.ports]
            if self.down:
                words = max((SMALL + 5 if p.words else 4.0 for v, p in ports if not p.ends), default=0.0)
                ending = max((22.0 + SMALL for v, p in ports if p.ends), default=0.0)
            else:
                words = max((text_width(p.words, SMALL) + 10 for _, p in ports if not p.ends), default=0.0)
                ending = max((28.0 + text_width(p.words, SMALL) for _, p in ports if p.ends), default=0.0)
            words = max(words, ending)
            self.ends.append(at + thick + words)
            bends = [abs(v.across + _offset(v, output) - below.across) for v in row for below, output in v.down]
            at += thick + words + (22 + min(max(bends) * 0.12, 40.0) if bends else 0.0)
        self.along = at
        self.across = max(v.across + v.after for v in self.all)


def _join(above: _Vertex, output: int, below: _Vertex) -> None:
    above.down.append((below, output))
    below.up.append((above, output))


def _number(row: list[_Vertex]) -> None:
    for place, vertex in enumerate(row):
        vertex.place = place


def _barycentre(vertex: _Vertex, upwards: bool) -> float:
    spots = [other.place for other, _ in vertex.down] if upwards else [_spot(*up) for up in vertex.up]
    return sum(spots) / len(spots) if spots else vertex.place


def _spot(vertex: _Vertex, output: int) -> float:
    """Where a line leaves its row: the place of its box, and a little more for each port further right."""
    before = sum(port.output < output for port in vertex.ports)
    return vertex.place + (before / len(vertex.ports) / 2 if before else 0.0)


def _pair(left: list[float], right: list[float]) -> int:
    """How often the lines of two neighbours cross."""
    return sum(a > b for a in left for b in right)


def _preferred(others: list[tuple[_Vertex, int]]) -> _Vertex | None:
    """Which of several lines goes straight on: the middle one of those to boxes; none of an even number."""
    boxes = [other for other, _ in others if other.box is not None] or [other for other, _ in others]
    boxes = sorted(dict.fromkeys(boxes), key=lambda v: v.place)
    return boxes[len(boxes) // 2] if len(boxes) % 2 else None


def _offset(vertex: _Vertex, output: int) -> float:
    return next((port.offset for port in vertex.ports if port.output == output), 0.0)


def _size(box: _Box) -> tuple[float, float]:
    """Width and height that the words of a box need."""
    first, second = _words(box)
    width = max(text_width(first, LABEL, bold=True), text_width(second, SMALL))
    if box.kind == "variable":
        return math.ceil(width + 32), PILL
    return math.ceil(max(width, 90) + 1.5 * INSET), HEIGHT


def _words(box: _Box) -> tuple[str, str]:
    """What stands in a box: the label, and below it the name and the number of parameters."""
    if box.kind == "variable":
        return _cut(box.name, 36), ""
    parts = [_cut(box.name, 32)]
    if box.parameters and box.count is not None:
        parts.append(f"{_parameters(box.count)}{', shared' if box.shared else ''}")
    elif box.shared:
        parts.append("shared")
    if box.goes_on:
        parts.append("output")
    return _cut(box.label, 44), " · ".join(parts)


def _parameters(count: int) -> str:
    return f"{count:,} parameter{'' if count == 1 else 's'}"


# --- how it is written down ---

_FONT = "'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, 'DejaVu Sans', sans-serif"
_STYLE = (
    f".gs-network{{font-family:{_FONT};color:inherit}}"
    ".gs-network text{fill:currentColor;stroke:none}"
    ".gs-network .gs-label{font-size:13px;font-weight:600}"
    ".gs-network .gs-small{font-size:11.5px;font-weight:400;fill-opacity:.78}"
    ".gs-network .gs-title{font-size:15px;font-weight:600}"
    ".gs-network .gs-box{fill:currentColor;fill-opacity:.045;stroke:currentColor;stroke-opacity:.42;stroke-width:1}"
    ".gs-network .gs-pill{fill:none;stroke-opacity:.6}"
    ".gs-network .gs-none{fill:currentColor;fill-opacity:.45}"
    ".gs-network .gs-line{fill:none;stroke:currentColor;stroke-opacity:.62;stroke-width:1.4}"
    ".gs-network .gs-tip{fill:currentColor;fill-opacity:.75}"
    ".gs-network .gs-node:hover .gs-box{stroke-opacity:1}"
    ".gs-network .gs-node:focus{outline:none}"
    ".gs-network .gs-node:focus .gs-box{stroke-opacity:1;stroke-width:2.5}"
)
MARGIN, TITLE, LEGEND = 10.0, 32.0, 20.0


class _Pen:
    """The SVG text of a layout."""

    def __init__(self, layout: _Layout, down: bool):
        self.layout, self.down = layout, down
        self.parts: list[str] = []
        self.top = MARGIN

    def point(self, across: float, along: float) -> str:
        """A place as SVG has it: x y."""
        x, y = (across, along) if self.down else (along, across)
        return f"{_number_of(MARGIN + x)} {_number_of(self.top + y)}"

    def text(self, across: float, along: float, kind: str, words: str, anchor: str = "start") -> None:
        x, y = self.point(across, along).split()
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y}"{where}>{_escaped(words)}</text>')

    # --- lines ---

    def lines(self) -> None:
        """All lines, an arrow where one arrives, and the shapes beside them."""
        self.parts.append('<g class="gs-edges" aria-hidden="true">')
        entries = {v: self._entries(v) for v in self.layout.vertices}
        for vertex in self.layout.vertices:
            for port in vertex.ports:
                self._line(vertex, port, entries)
        self.parts.append("</g>")

    def _entries(self, vertex: _Vertex) -> dict[tuple[_Vertex, int], float]:
        """Where each line arrives at a box: one that comes straight, in the middle; the others beside it."""
        coming = sorted(dict.fromkeys(vertex.up), key=lambda up: up[0].across + _offset(*up))
        aligned = [abs(v.across + _offset(v, output) - vertex.across) < 0.6 for v, output in coming]
        middle = aligned.index(True) if True in aligned else (len(coming) - 1) / 2
        size = vertex.width if self.down else vertex.height
        step = min(16.0, (size / 2 - 9) / max(1.0, max(middle, len(coming) - 1 - middle)))
        return {up: vertex.across + (i - middle) * step for i, up in enumerate(coming)}

    def _line(self, vertex: _Vertex, port: _Port, entries: Mapping) -> None:
        across, edge = vertex.across + port.offset, vertex.along + vertex.thick / 2
        tips: list[tuple[float, float]] = []
        if port.ends:
            path = [f"M{self.point(across, edge)}L{self.point(across, edge + 14)}"]
            tips.append((across, edge + 18))
        else:
            path = [f"M{self.point(across, edge)}L{self.point(across, self.layout.ends[vertex.row])}"]
            self._branches(vertex, port.output, across, entries, path, tips)
        self.parts.append(f'<path class="gs-line" d="{"".join(path)}"/>')
        for a, tip in tips:
            corners = " ".join(self.point(a + da, tip - dl) for da, dl in ((-4, 7.5), (4, 7.5), (0, 0)))
            self.parts.append(f'<polygon class="gs-tip" points="{corners}"/>')
        if port.ends and self.down:
            self.text(across, edge + 18 + SMALL, "gs-small", port.words, "middle")
        elif port.ends:
            self.text(across + SMALL * 0.35, edge + 24, "gs-small", port.words)
        elif port.words and self.down:
            self.text(across + 8, edge + SMALL + 2, "gs-small", port.words)
        elif port.words:
            self.text(across - 5, edge + 6, "gs-small", port.words)

    def _branches(
        self, vertex: _Vertex, output: int, across: float, entries: Mapping, path: list[str], tips: list
    ) -> None:
        """The bends from the end of a row to the next, and on from there."""
        begin = self.layout.ends[vertex.row]
        lanes = []
        for below, found in vertex.down:
            if found != output:
                continue
            start = self.layout.starts[below.row]
            to = entries[below][vertex, output] if below.box is not None else below.across
            stop = start if below.box is None else below.along - below.thick / 2
            final = stop if below.box is None else stop - 4
            path.append(f"M{self.point(across, begin)}")
            if abs(to - across) < 0.6:
                path.append(f"L{self.point(across, final)}")
                to = across
            else:
                until = min(start, final) - (6 if below.box is not None else 0)
                middle = (begin + until) / 2
                bend = f"C{self.point(across, middle)} {self.point(to, middle)} {self.point(to, until)}"
                path.append(bend + (f"L{self.point(to, final)}" if final > until else ""))
            if below.box is None:
                lanes.append(below)
            else:
                tips.append((to, stop))
        for lane in lanes:
            path.append(f"M{self.point(lane.across, self.layout.starts[lane.row])}")
            path.append(f"L{self.point(lane.across, self.layout.ends[lane.row])}")
            self._branches(lane, 0, lane.across, entries, path, tips)

    # --- boxes ---

    def boxes(self) -> None:
        """All boxes, each to be reached by the keyboard and with its sentence."""
        for i, vertex in enumerate(self.layout.vertices):
            box = vertex.box
            a, b = (vertex.across, vertex.along) if self.down else (vertex.along, vertex.across)
            x, y = MARGIN + a - vertex.width / 2, self.top + b - vertex.height / 2
            sentence = _escaped(_sentence(self.layout.boxes, i))
            self.parts.append(f'<g class="gs-node" tabindex="0" role="img" aria-label="{sentence}">')
            self.parts.append(f"<title>{sentence}</title>")
            pill = box.kind == "variable"
            self.parts.append(
                f'<rect class="gs-box{" gs-pill" if pill else ""}" x="{_number_of(x)}" y="{_number_of(y)}" '
                f'width="{_number_of(vertex.width)}" height="{_number_of(vertex.height)}" '
                f'rx="{_number_of(PILL / 2 if pill else 7)}"/>'
            )
            first, second = _words(box)
            middle = y + vertex.height / 2
            if pill:
                self._words(x + vertex.width / 2, middle + 4.5, "gs-label", first, ' text-anchor="middle"')
            else:
                self._accent(box.kind, x + 7, y + 8, vertex.height - 16)
                self._words(x + INSET, middle - 4, "gs-label", first)
                self._words(x + INSET, middle + 13.5, "gs-small", second)
            self.parts.append("</g>")

    def _words(self, x: float, y: float, kind: str, words: str, more: str = "") -> None:
        self.parts.append(
            f'<text class="{kind}" x="{_number_of(x)}" y="{_number_of(y)}"{more}>{_escaped(words)}</text>'
        )

    def _accent(self, kind: str, x: float, y: float, height: float) -> None:
        colour = KINDS[kind][1]
        fill = f'fill="{colour}"' if colour else 'class="gs-none"'
        self.parts.append(
            f'<rect {fill} x="{_number_of(x)}" y="{_number_of(y)}" width="5" height="{_number_of(height)}" rx="2.5"/>'
        )

    def legend(self, width: float, y: float) -> float:
        """What the colours mean, in lines no wider than ``width``; where it ends."""
        present = {box.kind for box in self.layout.boxes} - {"variable"}
        x = MARGIN
        self.parts.append('<g class="gs-legend" aria-hidden="true">')
        for kind, (words, _) in KINDS.items():
            if kind not in present:
                continue
            size = 11 + text_width(words, SMALL)
            if x > MARGIN and x + size > MARGIN + width:
                x, y = MARGIN, y + LEGEND
            self._accent(kind, x, y, 12)
            self._words(x + 11, y + 10, "gs-small", words)
            x += size + 14
        self.parts.append("</g>")
        return y + LEGEND


def _number_of(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"


def _escaped(words: str) -> str:
    return html.escape(_cut(words, 2000), quote=True)


def _sentence(boxes: list[_Box], i: int) -> str:
    """A box in one sentence."""
    box = boxes[i]
    parts = [f"{box.label.capitalize()} {box.name}" if box.kind == "variable" else f"{box.label}, called {box.name}"]
    if box.spelled.strip(" ,"):
        parts.append(f"shape {box.spelled}" if box.kind == "variable" else f"output {box.spelled}")
    if box.parameters:
        count = "parameters of unknown size" if box.count is None else _parameters(box.count)
        parts.append(f"{count}, shared with another layer" if box.shared else count)
    if box.reads:
        parts.append(f"reads {', '.join(dict.fromkeys(boxes[source].name for source, _ in box.reads))}")
    return "; ".join(parts) + "."


def _svg(layout: _Layout, down: bool, about: str, title: str | None) -> str:
    pen = _Pen(layout, down)
    wide, high = (layout.across, layout.along) if down else (layout.along, layout.across)
    if title:
        wide = max(wide, text_width(title, 15, bold=True))
        pen.text(0, 14, "gs-title", title) if down else pen.text(14, 0, "gs-title", title)
        pen.top += TITLE
    pen.lines()
    pen.boxes()
    wide = max(wide, 200.0)
    bottom = pen.top + high
    if len({box.kind for box in layout.boxes} - {"variable"}) > 1:
        bottom = pen.legend(wide, bottom + 18)
    width, height = math.ceil(wide + 2 * MARGIN), math.ceil(bottom + MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gs-network" role="img" aria-label="{_escaped(about)}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" style="max-width:none">'
        f"<style>{_STYLE}</style>{''.join(pen.parts)}</svg>"
    )


def _aligned(header: tuple, rows: list[tuple], right: tuple[int, ...]) -> list[str]:
    """Rows of texts as lines in columns; those of ``right`` end flush."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [x.rjust(w) if i in right else x.ljust(w) for i, (x, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


class Drawing:
    """A network, drawn: what ``plot_network`` returns. A notebook shows it, with the same in words below it.

    ``svg`` is the drawing, ``text`` the words, ``mermaid()`` a flowchart for Mermaid; ``save(path)`` writes a file.
    """

    def __init__(self, view: _View, title: str | None, down: bool):
        self._boxes, self._title, self._down = view.boxes, title, down
        total = _count(view.parameters().items())
        self._about = _about(view.boxes, total, title, down)
        self.svg: str = _svg(_Layout(view.boxes, down), down, self._about, title)
        self.text: str = self._in_words(total)

    def _in_words(self, total: int | None) -> str:
        names = [_cut(box.name, 200) for box in self._boxes]
        rows = []
        for i, box in enumerate(self._boxes):
            reads = ", ".join(dict.fromkeys(names[source] for source, _ in box.reads))
            hidden = ", ".join(_cut(name, 200) for name in box.hidden)
            count = "" if not box.parameters else "?" if box.count is None else f"{box.count:,}"
            words = "; ".join(filter(None, [reads, hidden]))
            rows.append((str(i + 1), _cut(box.label, 200), names[i], box.spelled, count, words))
        lines = _aligned(("", "operation", "name", "output", "parameters", "reads"), rows, (0, 4))
        gives = ", ".join(_cut(name, 200) for box in self._boxes for _, name in box.heads)
        end = f"It gives {gives}" + ("." if total is None or not total else f", with {_parameters(total)} in all.")
        return "\n".join(([_cut(self._title, 200)] if self._title else []) + [*lines, end])

    def mermaid(self) -> str:
        """The drawing as text for Mermaid: put it between ```mermaid and ``` in Markdown.

        >>> from kernel import sym
        >>> print(kernel.plot_network(sym.Activation(sym.Variable("x"), "relu", name="a")).mermaid())
        flowchart TD
            n0(["x"])
            n1["Activation relu<br/>a"]
            n0 --> n1
            classDef activation stroke:#E69F00,stroke-width:2px
            class n1 activation
        """
        lines = [f"flowchart {'TD' if self._down else 'LR'}"]
        edges = []
        for i, box in enumerate(self._boxes):
            first, second = map(_for_mermaid, _words(box))
            shape = '(["{}"])' if box.kind == "variable" else '["{}"]'
            lines.append(f"    n{i}" + shape.format("<br/>".join(filter(None, [first, second]))))
            for source, output in box.reads:
                known = self._boxes[source].shapes[output]
                words = "" if known is None else f'|"{_for_mermaid(spell(known))}"|'
                edges.append(f"    n{source} -->{words} n{i}")
        lines += edges
        for kind, (_, colour) in KINDS.items():
            numbers = ",".join(f"n{i}" for i, box in enumerate(self._boxes) if box.kind == kind)
            if colour and numbers:
                lines += [f"    classDef {kind} stroke:{colour},stroke-width:2px", f"    class {numbers} {kind}"]
        return "\n".join(lines)

    def save(self, path: str | os.PathLike) -> None:
        """Write the drawing to an SVG file, dark on white wherever it is shown."""
        path = Path(path)
        if path.suffix.lower() != ".svg":
            raise FileError(f"save: a drawing is written as SVG, so {path} should end in .svg.")
        card = self.svg.replace("max-width:none", "max-width:none;background:#fff;color:#1b1f24", 1)
        try:
            path.write_text(card + "\n", encoding="utf-8")
        except OSError as error:
            raise FileError(f"save: {path} cannot be written: {error.strerror}.") from None

    def _repr_html_(self) -> str:
        return (
            '<figure class="gs-figure" style="margin:0">'
            f'<div style="overflow-x:auto">{self.svg}</div>'
            '<details style="margin:4px 0 0 10px"><summary>The same in words</summary>'
            f'<pre style="overflow-x:auto" tabindex="0" role="group" aria-label="The network in words">'
            f"{html.escape(self.text)}</pre></details></figure>"
        )

    def __repr__(self) -> str:
        return self.text


def _for_mermaid(words: str) -> str:
    """Words that stand between quotes in Mermaid, where # begins a code."""
    codes = {"#": "#35;", '"': "#quot;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;"}
    return "".join(codes.get(c, c) for c in _cut(words, 200))


def _about(boxes: list[_Box], total: int | None, title: str | None, down: bool) -> str:
    """The drawing in one sentence."""
    layers = sum(box.kind != "variable" for box in boxes)

    def named(found: list[tuple[str, Any]]) -> str:
        words = [name if shape is None else f"{name} {spell(shape)}" for name, shape in found]
        return " and ".join(words) if len(words) < 4 else f"{', '.join(words[:3])} and {len(words) - 3} more"

    start = named([(box.name, box.shapes[0]) for box in boxes if box.label in ("variable", "constant")])
    end = named([(name, box.shapes[k]) for box in boxes for k, name in box.heads])
    parts = [f"{title}: a" if title else "A", f"network of {layers} {'layer' if layers == 1 else 'layers'}"]
    parts.append(f"from {start} to {end}" if start else f"that gives {end}")
    parts += [f"with {_parameters(total)}"] if total else []
    return " ".join(parts) + f", drawn from {'top to bottom' if down else 'left to right'}."


def plot_network(
    symbol: Any,
    shape: Mapping[str, Any] | None = None,
    title: str | None = None,
    hide_weights: bool = True,
    direction: str = "down",
) -> Drawing:
    """A drawing of a network, layer by layer.

    Args:
        symbol: a symbol or a function; or a module, whose input ``shape`` then names.
        shape: {name of a variable: its sizes}; then shapes stand at the lines, and numbers of parameters in the boxes.
            Without it, what was declared.
        title: stands above the drawing.
        hide_weights: whether to leave out weights, biases, labels and states; what is computed on is always shown.
        direction: "down", or "right".

    Dropout and batch normalisation are shown as one layer, as in training.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    >>> kernel.plot_network(net, shape={"data": (5, 4)})
       operation         name  output  parameters  reads
    1  variable          data  (5, 4)
    2  FullyConnected 3  fc    (5, 3)          15  data; fc_weight, fc_bias
    It gives fc_output, with 15 parameters in all.
    """
    if title is not None and not isinstance(title, str):
        raise DtypeError(f"plot_network: title should be a text, but {show(title)} came.")
    require_flag("plot_network: hide_weights", hide_weights)
    if direction not in ("down", "right"):
        raise DtypeError(f'plot_network: direction must be "down" or "right", but {show(direction)} came.')
    return Drawing(_view_of("plot_network", symbol, shape, bool(hide_weights)), title, direction == "down")


# --- tables ---


class Row(NamedTuple):
    """One line of a ``Summary``; ``parameters`` is None where a size is missing."""

    layer: str
    kind: str
    shape: tuple | None
    parameters: int | None


class Summary:
    """The layers of a network and what they have to learn, as a table: what ``summary`` returns.

    ``rows`` are its lines; ``parameters`` is how many numbers there are to be learned, ``bytes`` what they need, each
    counted once; None while a size is missing.
    """

    def __init__(self, name: str, layers: list[tuple[str, str, tuple | None, list]], kept: Iterable[ArrayType]):
        self.name = name
        self.rows = [Row(layer, kind, shape, _count(learned)) for layer, kind, shape, learned in layers]
        learners = collections.Counter(key for *_, learned in layers for key, _ in learned)
        owned = {key: t for *_, learned in layers for key, t in learned}
        self.parameters = _count(owned.items())
        self.bytes = None
        if self.parameters is not None:
            self.bytes = sum(math.prod(t.shape) * t.dtype.itemsize for t in owned.values())
        shared = _count((key, t) for key, t in owned.items() if learners[key] > 1)
        self._notes = [f"{shared:,} of them are shared by several layers, and counted once."] if shared else []
        kept = list(kept)
        if kept:
            count = _count((None, t) for t in kept)
            known = "a size is missing" if count is None else f"{count:,} numbers"
            self._notes.append(f"Beside them there are states that training keeps by itself: {known}.")

    def _total(self) -> str:
        if self.parameters is None:
            return "not known before the shapes are"
        return f"{self.parameters:,}"

    def _room(self) -> str:
        return "" if self.bytes is None else f"{self.bytes:,} bytes"

    def _cells(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                _cut(row.layer, 200),
                _cut(row.kind, 200),
                "" if row.shape is None else spell(row.shape),
                "?" if row.parameters is None else f"{row.parameters:,}",
            )
            for row in self.rows
        ]

    def __repr__(self) -> str:
        cells = self._cells()
        lines = _aligned(
            ("layer", "kind", "output shape", "parameters"), [*cells, ("total", "", "", self._total())], (3,)
        )
        rule = "─" * max(map(len, lines))
        body = [lines[0], rule, *lines[1:-1], rule, lines[-1]]
        if self.bytes is not None:
            body.append(self._room().rjust(len(rule)))
        return "\n".join(body + self._notes)

    def _repr_html_(self) -> str:
        cell = 'style="text-align:left"'
        figure = 'style="text-align:right;font-variant-numeric:tabular-nums"'
        header = "".join(
            f'<th scope="col" {figure if words == "parameters" else cell}>{words}</th>'
            for words in ("layer", "kind", "output shape", "parameters")
        )
        body = "".join(
            f'<tr><th scope="row" {cell}>{_escaped(layer)}</th><td {cell}>{_escaped(kind)}</td>'
            f"<td {cell}>{_escaped(shape)}</td><td {figure}>{_escaped(count)}</td></tr>"
            for layer, kind, shape, count in self._cells()
        )
        room = f'<tr><th scope="row" colspan="3" {cell}>bytes</th><td {figure}>{self.bytes:,}</td></tr>'
        notes = "".join(f"<p>{note}</p>" for note in self._notes)
        return (
            f'<table><caption style="text-align:left">Layers of {_escaped(self.name)}</caption>'
            f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
            f'<tfoot><tr><th scope="row" colspan="3" {cell}>total</th><td {figure}>{self._total()}</td></tr>'
            f"{room if self.bytes is not None else ''}</tfoot></table>{notes}"
        )


def summary(symbol_or_module: Any, **shapes: Any) -> Summary:
    """A table of the layers of a network: name, kind, output shape, number of parameters.

    Args:
        symbol_or_module: a symbol, a function, or a module.
        shapes: name=shape of variables; for a module those of its inputs, in order, or by the names in its ``forward``.
            A tensor or an array says its shape and dtype, too.

    A module is applied to variables of these shapes, which makes parameters that wait for their sizes, as a first call
    does. Without shapes it shows what its first call found. What several layers share is counted once.

    >>> from kernel.layers import Dense, Sequential
    >>> kernel.summary(Sequential([Dense(16, activation=kernel.relu), Dense(2)]), data=(32, 8))
    layer  kind                        output shape  parameters
    ───────────────────────────────────────────────────────────
    0      Dense(16, activation=relu)  (32, 16)             144
    1      Dense(2)                    (32, 2)               34
    ───────────────────────────────────────────────────────────
    total                                                   178
                                                      712 bytes
    """
    module = symbol_or_module
    if not isinstance(module, Symbol) and hasattr(module, "named_modules"):
        return _of_module(module, shapes)
    view = _view_of("summary", module, shapes, True)
    layers = [
        (box.name, "variable" if box.kind == "variable" else box.label, box.shapes[0], list(box.parameters))
        for box in view.boxes
    ]
    kept = [view.types[node][0] for node in topological(e.node for e in view.entries) if node.role == "auxiliary"]
    names = [name for box in view.boxes for _, name in box.heads]
    return Summary(", ".join(names), layers, kept)


def _of_module(module: Any, shapes: Mapping[str, Any]) -> Summary:
    """The modules that hold parameters of their own or no other modules."""
    found: Mapping[Any, tuple | None] = {}
    layers = []
    for name, inner in module.named_modules():
        own = [value for _, value in inner._held() if hasattr(value, "requires_grad")]
        if own or not list(inner.children()):
            layers.append((name, inner, own))
    if shapes:
        found = _shapes_inside(module, shapes)
    rows = []
    for name, inner, own in layers:
        kind = f"{type(inner).__name__}({inner.extra_repr()})"
        shape = found.get(inner) if shapes else _found_before(inner)
        learned = [(p, ArrayType(p.shape, p.dtype)) for p in own if p.role == "argument"]
        rows.append((name or type(module).__name__, kind, shape, learned))
    kept = [ArrayType(b.shape, b.dtype) for b in module.buffers()]
    return Summary(f"this {type(module).__name__}", rows, kept)


def _shapes_inside(module: Any, shapes: Mapping[str, Any]) -> dict[Any, tuple | None]:
    """The shape that each module inside gives, for inputs of these shapes."""
    given: dict[Any, tuple | None] = {}

    def arrives(layer: Any, inputs: tuple) -> None:
        nodes = [x._entries[0].node for x in inputs if isinstance(x, Symbol)]
        given.setdefault(layer, nodes[0].types[0].shape if nodes and nodes[0].types else None)

    modes = [(m, m.training, m.register_forward_pre_hook(arrives)) for m in module.modules()]
    module.eval()  # in which a batch of one is enough for every layer
    try:
        symbol = _applied("summary", module, module.forward, shapes)
    finally:
        for m, training, remove in modes:
            object.__setattr__(m, "training", training)
            remove()
    found: dict[Any, tuple | None] = {}
    for node in symbol._nodes():
        for layer, _ in node.layers:
            found.setdefault(layer, node.types[0].shape if node.types else None)
    return given | found  # what adds nothing to the graph gives what it got


def _found_before(module: Any) -> tuple | None:
    """The shape that came out of a module's first call, the minibatch free; None before it."""
    if module._types is None or len(module._types[1]) != 1:
        return None
    sizes = re.search(r"\[(.*)\]$", module._types[1][0])
    if sizes is None:
        return None
    return (None, *(int(size) if size.isdigit() else None for size in filter(None, sizes[1].split(", "))))
