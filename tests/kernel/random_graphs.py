"""Random graphs for the test of the executor: typed by construction, made of nearly every kind of operation.

A graph is a plain list of nodes, independent of symbols and executors. Values of all shapes and dtypes are kept and
picked again, late ones and early ones, so that lifetimes cross. While it is being made the graph is computed eagerly:
what would not be finite and of moderate size is left out.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy

import kernel
from kernel.op import Op, registry

LARGEST = 60.0  # of the absolute values in a graph, so that gradients through 25 nodes do not overflow


class Ref(NamedTuple):
    """Output ``output`` of node ``node``, by number."""

    node: int
    output: int


@dataclass
class Node:
    """A variable (no op, a name, and how to draw its numbers), or a call of an op, or of a ``function`` of operands.

    A function is one that means something else in training than in use; on tensors it is called as in use.
    """

    op: type[Op] | None
    operands: tuple[Any, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    name: str = ""
    draw: Callable[[numpy.random.Generator], numpy.ndarray] | None = None
    function: Callable | None = None

    @property
    def is_variable(self) -> bool:
        return self.draw is not None

    def call(self, operands: list) -> tuple:
        """Its outputs for tensors, or for symbols."""
        if self.function is not None:
            return as_tuple(self.function(*operands))
        return as_tuple(kernel.apply(self.op, *operands, **self.attributes))


@dataclass
class Graph:
    seed: int
    nodes: list[Node]
    outputs: list[Ref]
    scalar: bool  # whether every output has one element, so that backward needs no heads
    traits: set[str]

    def __str__(self) -> str:
        def spelled(operand: Any) -> str:
            return f"%{operand.node}.{operand.output}" if isinstance(operand, Ref) else repr(operand)

        lines = [f"graph of seed {self.seed}"]
        for i, node in enumerate(self.nodes):
            if node.is_variable:
                sample = node.draw(numpy.random.default_rng(0))
                lines.append(f"  %{i} = {node.name}: {sample.dtype} {sample.shape}")
            else:
                operands = ", ".join(map(spelled, node.operands))
                lines.append(f"  %{i} = {node.op.name if node.op else node.name}({operands}) {node.attributes or ''}")
        return "\n".join([*lines, f"  outputs {', '.join(map(spelled, self.outputs))}"])

    def data(self, number: int) -> dict[str, numpy.ndarray]:
        """Numbers for every variable: another set for each ``number``. Some lie in memory as no new array does."""
        rng = numpy.random.default_rng((self.seed, number))
        return {node.name: node.draw(rng) for node in self.nodes if node.is_variable}

    def used(self) -> set[int]:
        """The nodes that an output depends on."""
        found, stack = set(), [ref.node for ref in self.outputs]
        while stack:
            number = stack.pop()
            if number not in found:
                found.add(number)
                stack += [x.node for x in self.nodes[number].operands if isinstance(x, Ref)]
        return found


def evaluate(graph: Graph, leaves: dict[str, Any]) -> list[tuple]:
    """The outputs of every node, computed eagerly in the order of the list."""
    values: list[tuple] = []
    for node in graph.nodes:
        if node.is_variable:
            values.append((leaves[node.name],))
        else:
            values.append(node.call([values[x.node][x.output] if isinstance(x, Ref) else x for x in node.operands]))
    return values


def as_tuple(result: Any) -> tuple:
    return result if isinstance(result, tuple) else (result,)


def in_some_order(rng: numpy.random.Generator, array: numpy.ndarray) -> numpy.ndarray:
    """The same numbers, now and then in other strides: Fortran order, axes exchanged, every second element."""
    choice = rng.integers(8)
    if choice == 0:
        return array.copy("F")
    if choice == 1 and array.ndim >= 2:
        axes = rng.permutation(array.ndim)
        return numpy.ascontiguousarray(array.transpose(axes)).transpose(numpy.argsort(axes))
    if choice == 2 and array.ndim and array.size:
        return numpy.repeat(array, 2, axis=-1)[..., ::2]
    return array


class Nothing(Exception):
    """No value in the graph is what a template looks for, or what it would compute is of no use."""


class Value(NamedTuple):
    ref: Ref
    tensor: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape

    @property
    def dtype(self) -> numpy.dtype:
        return self.tensor.dtype

    @property
    def is_float(self) -> bool:
        return self.tensor.dtype.kind == "f"


class Builder:
    """A graph in the making, and everything computed so far."""

    def __init__(self, seed: int):
        self.rng = rng = numpy.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.values: list[Value] = []
        self.read: set[Ref] = set()
        self.traits: set[str] = set()
        self.data_rng = numpy.random.default_rng((seed, 0))
        self.dtype = "float64" if rng.random() < 0.3 else "float32"
        large = rng.random() < 0.2
        self.n, self.c = (
            (int(rng.integers(9, 40)), int(rng.integers(6, 30))) if large else rng.integers(1, 7, 2).tolist()
        )

    # --- making nodes ---

    def variable(self, *shape: int, dtype: str = "", high: int = 0, low: float = -2.0, top: float = 2.0) -> Value:
        kind = dtype or self.dtype

        def draw(rng: numpy.random.Generator) -> numpy.ndarray:
            array = rng.integers(0, high, shape) if high else rng.uniform(low, top, shape)
            return in_some_order(rng, numpy.asarray(array).astype(kind))

        name = f"v{sum(node.is_variable for node in self.nodes)}"
        self.nodes.append(Node(None, name=name, draw=draw))
        value = Value(Ref(len(self.nodes) - 1, 0), kernel.from_numpy(draw(self.data_rng)))
        self.values.append(value)
        return value

    def call(self, name: str, *operands: Any, **attributes: Any) -> list[Value]:
        refs = tuple(x.ref if isinstance(x, Value) else x for x in operands)
        return self.node(Node(registry[name], refs, attributes), operands)

    def function(self, name: str, function: Callable, *operands: Value) -> Value:
        return self.node(Node(None, tuple(x.ref for x in operands), name=name, function=function), operands)[0]

    def node(self, node: Node, operands: tuple) -> list[Value]:
        try:
            results = node.call([x.tensor if isinstance(x, Value) else x for x in operands])
        except (kernel.ShapeError, kernel.DtypeError):
            raise Nothing from None
        for y in results:
            array = y.numpy()
            if y.numel() > 20_000 or (array.size and not abs(array.astype(float)).max() <= LARGEST):
                raise Nothing
        if node.op is None:
            self.traits.add(node.name)
        else:
            self._note(node.op, node.operands)
        self.read |= {x for x in node.operands if isinstance(x, Ref)}
        node.outputs = len(results)
        self.nodes.append(node)
        found = [Value(Ref(len(self.nodes) - 1, k), y) for k, y in enumerate(results)]
        self.values += found
        return found

    def one(self, name: str, *operands: Any, **attributes: Any) -> Value:
        return self.call(name, *operands, **attributes)[0]

    def _note(self, op: type[Op], refs: tuple) -> None:
        traits = self.traits
        traits.add(op.name)
        given = [x for x in refs if isinstance(x, Ref)]
        if len(set(given)) < len(given):
            traits.add("an operand twice")
        if len(given) < len(refs):
            traits.add("a number on the left" if not isinstance(refs[0], Ref) else "a number on the right")
        if op.view and self.nodes[given[0].node].op is not None and self.nodes[given[0].node].op.view:
            traits.add("a view of a view")
        kinds = {self.of(x).dtype for x in given if self.of(x).is_float}
        if len(kinds) > 1:
            traits.add("floats of two dtypes")
        if len(self.nodes) - min((x.node for x in given), default=len(self.nodes)) > 12:
            traits.add("an early value late")

    def of(self, ref: Ref) -> Value:
        return next(value for value in self.values if value.ref == ref)

    # --- picking values ---

    def pick(self, fits: Callable[[Value], bool]) -> Value:
        candidates = [value for value in self.values if fits(value)]
        if not candidates:
            raise Nothing
        unread = [value for value in candidates if value.ref not in self.read]
        if unread and self.chance(0.6):
            candidates = unread
        elif self.chance(0.3):
            candidates = candidates[-3:]
        return candidates[self.rng.integers(len(candidates))]

    def some_float(self, least_axes: int = 0) -> Value:
        return self.pick(lambda v: v.is_float and len(v.shape) >= least_axes)

    def beside(self, a: Value) -> Value:
        """A value of any dtype that broadcasts with ``a``; a itself now and then."""
        if self.chance(0.15):
            return a

        def fits(v: Value) -> bool:
            try:
                return math.prod(numpy.broadcast_shapes(v.shape, a.shape)) <= 4000
            except ValueError:
                return False

        return self.pick(fits)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choose(self, *options: Any) -> Any:
        return options[self.rng.integers(len(options))]

    def axis(self, v: Value) -> int:
        return int(self.rng.integers(-len(v.shape), len(v.shape)))

    def number(self) -> Any:
        return self.choose(2, -1, 3, 0.5, -1.25, 1.5, True, 0)


# --- the vocabulary: each template adds one node, or a few ---


UNARY = ("neg", "abs", "sign", "sin", "cos", "tanh", "sigmoid", "relu", "softplus", "gelu", "clone", "leaky_relu")
UNARY = (*UNARY, "elu", "clip", "relu", "tanh", "neg")


def unary(b: Builder) -> None:
    x = b.some_float()
    name = b.choose(*UNARY)
    options = {"leaky_relu": {"slope": 0.2}, "elu": {"alpha": 0.7}, "clip": {"low": -0.5, "high": 0.75}}
    b.one(name, x, **options.get(name, {}))


def inner_function(b: Builder) -> None:
    """Functions whose domain is not the whole line, of what lies inside it."""
    x = b.some_float()
    name = b.choose("exp", "log", "sqrt", "pow", "div")
    if name == "exp":
        b.one("exp", b.one(b.choose("tanh", "sin"), x))
        return
    positive = b.one("add", b.one("mul", x, x) if b.chance(0.5) else b.one("abs", x), 0.5)
    if name == "pow":
        b.one("pow", positive, b.choose(0.5, -1, b.one("tanh", b.beside(x))))
    elif name == "div":
        b.one("div", b.beside(x), positive)
    else:
        b.one(name, positive)


def binary(b: Builder) -> None:
    a = b.pick(lambda v: v.dtype != bool)
    other = b.beside(a)
    operands = (a, other) if b.chance(0.5) else (other, a)
    b.one(b.choose("add", "sub", "mul", "maximum", "minimum", "element_max", "add", "mul", "sub"), *operands)


def twice(b: Builder) -> None:
    x = b.some_float()
    b.one(b.choose("add", "mul", "sub", "maximum"), x, x)


def with_number(b: Builder) -> None:
    a = b.pick(lambda v: v.dtype != bool)
    name = b.choose("add", "sub", "mul", "maximum", "div", "pow")
    if name == "div":
        b.one("div", a, b.choose(2, -4, 0.5, 3))
    elif name == "pow":
        b.one("pow", a, b.choose(2, 3, 1, 0))
    else:
        operands = (a, b.number()) if b.chance(0.5) else (b.number(), a)
        b.one(name, *operands)


def comparison(b: Builder) -> None:
    a = b.pick(lambda v: v.dtype != bool)
    b.one(b.choose("gt", "lt", "ge", "le", "eq", "ne"), a, b.beside(a) if b.chance(0.6) else b.number())


def logic(b: Builder) -> None:
    condition = b.pick(lambda v: v.dtype == bool)
    if b.chance(0.5):
        b.one("logical_not", condition)
    else:
        other = b.beside(condition)
        b.one(b.choose("logical_and", "logical_or"), condition, other if other.dtype == bool else condition)


def where(b: Builder) -> None:
    condition = b.pick(lambda v: v.dtype == bool)
    a = b.beside(condition)
    other = b.beside(a)
    operands = b.choose((a, other), (other, a), (a, b.number()), (b.number(), a))
    b.one("where", condition, *operands)


def cast(b: Builder) -> None:
    v = b.pick(lambda v: True)
    dtype = b.choose("float32", "float64", "float32", "float16" if b.chance(0.2) else "float64")
    b.one("cast", v, dtype=numpy.dtype("int64" if b.chance(0.1) else dtype))


def reshape(b: Builder) -> None:
    v = b.pick(lambda v: math.prod(v.shape) <= 2000)
    size = math.prod(v.shape)
    divisors = [d for d in range(1, size + 1) if size % d == 0] or [0]
    first = int(b.choose(*divisors))
    shape = b.choose((-1,), (size,), (first, size // max(first, 1)), (1, *v.shape), v.shape[::-1])
    b.one("reshape", v, shape=shape)


def permute(b: Builder) -> None:
    v = b.pick(lambda v: len(v.shape) >= 2)
    axes = tuple(b.rng.permutation(len(v.shape)).tolist()) if b.chance(0.5) else tuple(range(len(v.shape)))[::-1]
    b.one("permute", v, axes=axes)


def axes_about(b: Builder) -> None:
    v = b.pick(lambda v: len(v.shape) < 4)
    narrow = [k for k, size in enumerate(v.shape) if size == 1]
    if narrow and b.chance(0.5):
        b.one("squeeze", v, axis=int(b.choose(*narrow)))
    else:
        b.one("expand_dims", v, axis=int(b.rng.integers(-len(v.shape) - 1, len(v.shape) + 1)))


def stretched(b: Builder) -> None:
    v = b.pick(lambda v: len(v.shape) < 4 and math.prod(v.shape) <= 1000)
    shape = tuple(int(b.rng.integers(1, 4)) if size == 1 else size for size in v.shape)
    b.one("broadcast_to", v, shape=(int(b.rng.integers(1, 4)), *shape) if b.chance(0.6) else shape)


def views_of_views(b: Builder) -> None:
    for _ in range(b.rng.integers(2, 4)):
        b.choose(reshape, permute, axes_about, stretched, sliced)(b)


def sliced(b: Builder) -> None:
    v = b.pick(lambda v: len(v.shape) >= 1 and min(v.shape) >= 1)
    pattern: list[Any] = []
    for size in v.shape[: b.rng.integers(1, len(v.shape) + 1)]:
        begin = int(b.rng.integers(0, size))
        end = int(b.rng.integers(begin + 1, size + 1))
        pattern.append(
            b.choose(begin, -size, ("slice", begin, end, None), ("slice", None, None, 2), ("slice", begin, None, None))
        )
    if b.chance(0.2):
        pattern.append(Ellipsis)
    if b.chance(0.2):
        pattern.insert(0, None)
    b.one("getitem", v, pattern=tuple(pattern))


def turned_or_padded(b: Builder) -> None:
    v = b.pick(lambda v: 1 <= len(v.shape) <= 4)
    if b.chance(0.5):
        b.one("flip", v, axis=(b.axis(v),))
    else:
        widths = tuple(tuple(b.rng.integers(0, 3, 2).tolist()) for _ in v.shape)
        b.one("pad", v, widths=widths, value=b.choose(0, 1))


def plus_its_transpose(b: Builder) -> None:
    x = b.pick(lambda v: v.is_float and len(v.shape) == 2)
    square = x if x.shape[0] == x.shape[1] else b.one("matmul", x, b.one("permute", x, axes=(1, 0)))
    b.one(b.choose("add", "mul", "sub"), square, b.one("permute", square, axes=(1, 0)))


def reduction(b: Builder) -> None:
    x = b.pick(lambda v: v.is_float or b.chance(0.2))
    name = b.choose("sum", "mean", "sum", "mean", "amax", "amin", "var", "logsumexp", "norm")
    axes: list[Any] = [None]
    if x.shape:
        axes += [b.axis(x), tuple(range(len(x.shape)))]
    if len(x.shape) >= 2:
        axes += [(0, 1), (-1, 0), b.axis(x)]
    if name == "norm":
        x = b.one("add", b.one("abs", x), 0.5)
    b.one(name, x, axis=b.choose(*axes), keepdims=b.chance(0.5))


def product(b: Builder) -> None:
    a = b.some_float(1)
    name = b.choose("matmul", "matmul", "linear", "linear", "dense", "mv", "dot", "einsum", "weights")
    k, out = a.shape[-1], int(b.rng.integers(1, 6))
    if k == 0:
        raise Nothing
    scale = 1.5 / math.sqrt(k)
    if name == "matmul":
        b.one("matmul", a, b.pick(lambda v: v.is_float and len(v.shape) >= 2 and v.shape[-2] == k))
    elif name == "linear":
        transposed = b.chance(0.3)
        weight = b.variable(*((k, out) if transposed else (out, k)), low=-scale, top=scale)
        b.one("linear", a, weight, b.choose(0, b.variable(out)), transposed=transposed)
    elif name == "dense":
        weight = b.variable(*a.shape[1:], out, low=-scale, top=scale)
        b.one("dense", a, weight, b.variable(out))
    elif name == "mv":
        b.one("mv", a, b.pick(lambda v: v.is_float and v.shape == (k,)))
    elif name == "dot":
        b.one("dot", a, b.pick(lambda v: v.is_float and v.shape == a.shape))
    elif name == "einsum":
        other = b.pick(lambda v: v.is_float and len(v.shape) == 2 and v.shape[0] == k)
        b.one("einsum", a, other, subscripts=b.choose("ij,jk->ik", "ij,jk->ki", "ij,jk->i"))
    else:
        weight = b.variable(k, out, low=-scale, top=scale)
        b.one("matmul", b.one("matmul", a, weight), b.one("permute", weight, axes=(1, 0)))


def along_an_axis(b: Builder) -> None:
    x = b.some_float(1)
    name = b.choose("softmax", "log_softmax", "softmax", "cumsum")
    b.one(name, x, axis=b.axis(x))


def joined(b: Builder) -> None:
    first = b.pick(lambda v: 1 <= len(v.shape) <= 3)
    axis = b.axis(first)
    k = axis % len(first.shape)
    if b.chance(0.5):
        others = [b.pick(lambda v: v.shape == first.shape) for _ in range(b.rng.integers(0, 3))]
        b.one("stack", first, *others, axis=axis)
        return

    def fits(v: Value) -> bool:
        return len(v.shape) == len(first.shape) and all(
            m == n for j, (m, n) in enumerate(zip(v.shape, first.shape, strict=True)) if j != k
        )

    b.one("concatenate", first, *(b.pick(fits) for _ in range(b.rng.integers(0, 3))), axis=axis)


def cut(b: Builder) -> None:
    v = b.pick(lambda v: len(v.shape) >= 1 and max(v.shape) >= 2)
    axis = int(numpy.argmax(v.shape))
    first = int(b.rng.integers(0, v.shape[axis] + 1))
    rest = v.shape[axis] - first
    sizes = b.choose((first, rest), (first, rest), (v.shape[axis],), (first, rest // 2, rest - rest // 2))
    parts = b.call("split", v, sizes=sizes, axis=axis)
    if b.chance(0.3):
        b.one("add", parts[0], parts[0])


def with_places(b: Builder) -> None:
    x = b.some_float(1)
    axis = b.axis(x)
    name = b.choose("max_with_index", "min_with_index", "sort", "topk", "argmax", "max_with_index")
    if name == "sort":
        b.call("sort", x, axis=axis, descending=b.chance(0.5))
    elif name == "topk":
        b.call("topk", x, k=int(b.rng.integers(1, x.shape[axis] + 1)) if x.shape[axis] else 0, axis=axis)
    else:
        places = b.call(name, x, axis=axis, keepdims=True)[-1]
        if b.chance(0.6):
            b.one("gather", b.pick(lambda v: v.shape == x.shape), places, axis=axis)


def looked_up(b: Builder) -> None:
    table = b.some_float(1)
    size = table.shape[0]
    if not size:
        raise Nothing
    indices = b.variable(*b.choose((3,), (2, 2)), dtype=b.choose("int64", "int32"), high=size)
    if len(table.shape) == 2 and b.chance(0.5):
        b.one("embedding", indices, table)
    else:
        b.one("getitem", table, indices, pattern=("array",))


def noisy(b: Builder) -> None:
    b.one("dropout", b.some_float(), int(b.rng.integers(0, 2**40)), rate=b.choose(0.3, 0.5, 0.9))


def images(b: Builder) -> None:
    def fits(v: Value) -> bool:
        return v.is_float and len(v.shape) == 4 and min(v.shape) >= 1 and min(v.shape[2:]) >= 2

    x = b.pick(fits) if b.chance(0.6) and any(map(fits, b.values)) else b.variable(int(b.choose(2, 3)), 2, 6, 5)
    channels, filters = x.shape[1], int(b.choose(2, 3))
    name = b.choose("conv2d", "conv2d", "max_pool2d", "avg_pool2d")
    if name == "conv2d":
        weight = b.variable(filters, channels, 2, 2, low=-0.5, top=0.5)
        options = b.choose({}, {"padding": ((1, 0), (1, 1))}, {"stride": (2, 1)})
        b.one("conv2d", x, weight, b.choose(0, b.variable(filters)), **options)
    else:
        b.one(name, x, kernel=(2, 2), stride=b.choose((2, 2), (1, 1), (1, 2)))


def normalised(b: Builder) -> None:
    x = b.some_float(2)
    name = b.choose("batch_norm", "batch_norm", "layer_norm", "group_norm")
    size = x.shape[-1] if name == "layer_norm" else x.shape[1]
    scale, bias = b.choose((1, 0), (b.variable(size), b.variable(size)))
    options = {"layer_norm": {"shape": (size,)}, "group_norm": {"groups": 1}}.get(name, {})
    b.call(name, x, scale, bias, eps=0.1, **options)


def recurrent(b: Builder) -> None:
    features, units, batch, steps = 3, 2, 2, int(b.choose(1, 3))
    x = b.variable(steps, batch, features)
    name = b.choose("rnn", "lstm")
    gates = 4 * units if name == "lstm" else units
    states = [b.variable(batch, units) for _ in range(2 if name == "lstm" else 1)]
    b.call(name, x, *states, b.variable(features, gates), b.variable(units, gates), b.variable(gates))


def loss(b: Builder) -> None:
    pairs = ("mse_loss", "huber_loss", "l1_loss", "binary_cross_entropy_with_logits", "cosine_similarity")
    name = b.choose("cross_entropy", "cross_entropy", "nll_loss", *pairs)
    reduction = b.choose("mean", "sum", "none")
    if name in ("cross_entropy", "nll_loss"):
        x = b.pick(lambda v: v.is_float and len(v.shape) == 2 and min(v.shape) >= 1)
        labels = b.variable(x.shape[0], dtype="int64", high=x.shape[1])
        b.one(name, x if name == "cross_entropy" else b.one("log_softmax", x, axis=1), labels, reduction=reduction)
    else:
        x = b.some_float(1)
        other = b.pick(lambda v: v.is_float and v.shape == x.shape)
        if name == "cosine_similarity":
            b.one(name, x, other, axis=b.axis(x))
        else:
            b.one(name, x, b.one("sigmoid", other) if "logits" in name else other, reduction=reduction)


def made_of_whole_numbers(b: Builder) -> None:
    v = b.pick(lambda v: v.dtype.kind == "i")
    if b.chance(0.5):
        b.one(b.choose("add", "mul", "sub"), v, b.choose(v, 2, -1))
    else:
        b.one("mul", v, b.choose(0.5, b.beside(v)))


def in_training_only(b: Builder) -> None:
    """What drops in training and not in use, or has statistics that training moves; other seeds in every pass."""
    if b.chance(0.5):
        rate = b.choose(0.3, 0.5)
        x = b.some_float()
        b.function("dropout while training", lambda x: kernel.dropout(x, rate, not isinstance(x, kernel.Tensor)), x)
        return
    x = b.pick(lambda v: v.is_float and 2 <= len(v.shape) <= 4 and math.prod(v.shape) > v.shape[1] > 0)
    fixed, momentum = b.chance(0.3), b.choose(0.9, 0.5)

    def norm(data: Any, gamma: Any, beta: Any) -> Any:
        if isinstance(data, kernel.Tensor):
            return kernel.batch_norm(data, None if fixed else gamma, beta, eps=0.1)
        return kernel.sym.BatchNorm(data, gamma, beta, eps=0.1, momentum=momentum, fix_gamma=fixed)

    b.function("norm while training", norm, x, b.variable(x.shape[1]), b.variable(x.shape[1]))


def with_constant(b: Builder) -> None:
    x = b.some_float()
    constant = kernel.tensor(b.rng.uniform(-1, 1, x.shape[-1:]).astype("float32"))
    b.function("plus a constant", lambda x: x + constant, x)


def without_gradient(b: Builder) -> None:
    name = b.choose("full_like", "one_hot", "argmin", "all", "any")
    if name == "one_hot":
        v = b.pick(lambda v: v.dtype.kind == "i" and len(v.shape) < 3)
        b.one(name, b.one("clip", v, low=0, high=4), classes=5, dtype="float32")
    else:
        v = b.pick(lambda v: v.dtype != bool or name in ("all", "any"))
        b.one(name, v, **({"value": b.choose(0, 1, 2)} if name == "full_like" else {}))


VOCABULARY: dict[Callable[[Builder], None], float] = {
    unary: 6,
    inner_function: 2,
    binary: 7,
    twice: 2,
    with_number: 4,
    comparison: 2,
    logic: 1.5,
    where: 3,
    cast: 1.5,
    reshape: 2,
    permute: 2,
    axes_about: 2,
    stretched: 1.5,
    views_of_views: 1.5,
    sliced: 3,
    turned_or_padded: 1,
    plus_its_transpose: 1,
    reduction: 4,
    product: 4,
    along_an_axis: 2,
    joined: 3,
    cut: 2,
    with_places: 1.5,
    looked_up: 0.7,
    noisy: 0.7,
    images: 0.8,
    normalised: 0.8,
    recurrent: 0.3,
    loss: 1,
    made_of_whole_numbers: 1,
    without_gradient: 1,
    in_training_only: 1,
    with_constant: 0.4,
}


def number_of(b: Builder, v: Value) -> Value:
    """One number made of many, of moderate size."""
    try:
        return b.one(b.choose("mean", "sum", "amax"), v, axis=None, keepdims=False)
    except Nothing:
        return b.one("mean", v, axis=None, keepdims=False)


def sum_of(b: Builder, x: Value, y: Value) -> Value:
    """The sum of two numbers, or the larger one if that is too large."""
    try:
        return b.one("add", x, y)
    except Nothing:
        return b.one("maximum", x, y)


def chosen_outputs(b: Builder, scalar: bool) -> list[Ref]:
    """Mostly what nobody read, some of it brought together by sums, so that little of the graph is left out."""
    floats = [value for value in b.values if value.is_float and not b.nodes[value.ref.node].is_variable]
    ends = [value for value in floats if value.ref not in b.read]
    b.rng.shuffle(ends)
    few = 0 if scalar else int(b.rng.integers(0, 4))
    outputs, rest = ends[:few], ends[few:]
    if not outputs or b.chance(0.8):
        numbers = [number_of(b, v) for v in rest or floats[-1:]]
        together = functools.reduce(lambda x, y: sum_of(b, x, y), numbers)
        outputs.append(together)
        if scalar:
            return [together.ref]
    if b.chance(0.4):
        outputs.append(floats[b.rng.integers(len(floats))])
    if b.chance(0.15):
        outputs.append(outputs[b.rng.integers(len(outputs))])
    if b.chance(0.2):
        base = outputs[b.rng.integers(len(outputs))]
        outputs.append(b.one("reshape", base, shape=(-1,)))
    if b.chance(0.15):
        outputs.append(b.pick(lambda v: v.is_float and b.nodes[v.ref.node].is_variable))
    if b.chance(0.15):
        outputs.append(b.pick(lambda v: not v.is_float or b.chance(0.2)))
    b.rng.shuffle(order := list(range(len(outputs))))
    return [outputs[i].ref for i in order]


def note_outputs(graph: Graph, b: Builder) -> None:
    outputs, used = graph.outputs, graph.used()
    read = {x for number in used for x in graph.nodes[number].operands if isinstance(x, Ref)}
    traits = graph.traits
    if len(set(outputs)) < len(outputs):
        traits.add("an output twice")
    if read & {ref for ref in outputs if not graph.nodes[ref.node].is_variable}:
        traits.add("an output that is read")
    if any(graph.nodes[ref.node].is_variable for ref in outputs):
        traits.add("a variable as output")
    if any(graph.nodes[ref.node].op and graph.nodes[ref.node].op.view for ref in outputs):
        traits.add("a view as output")
    if any(not b.of(ref).is_float for ref in outputs):
        traits.add("an output without gradient")
    for number in used:
        refs = {Ref(number, k) for k in range(graph.nodes[number].outputs)}
        if not refs <= read | set(outputs):
            traits.add("an output of several that nobody reads")


@functools.lru_cache(1000)
def graph_of(seed: int) -> Graph:
    """The graph of a seed, always the same."""
    b = Builder(seed)
    n, c = b.n, b.c
    shapes = [(n, c), (c,), (n, 1), (), (n, n), (c, n), (2, n, c), (1, c), (n, c)]
    b.variable(n, c)
    b.variable(*shapes[b.rng.integers(len(shapes))])
    for shape in shapes:
        if b.chance(0.3):
            b.variable(*shape)
    if b.chance(0.3):
        b.variable(n, c, dtype="float32" if b.dtype == "float64" else "float64")
    if b.chance(0.4):
        b.variable(*shapes[b.rng.integers(5)], dtype=b.choose("int64", "int32", "uint8"), high=4)
    wanted = int(b.rng.integers(2, 21))
    templates = list(VOCABULARY)
    weights = numpy.array(list(VOCABULARY.values()))

    def calls() -> int:
        return sum(not node.is_variable for node in b.nodes)

    while calls() < wanted or not any(v.is_float and not b.nodes[v.ref.node].is_variable for v in b.values):
        before = len(b.nodes), len(b.values), set(b.traits), set(b.read)
        try:
            templates[b.rng.choice(len(templates), p=weights / weights.sum())](b)
        except Nothing:
            del b.nodes[before[0] :], b.values[before[1] :]
            b.traits, b.read = before[2:]
    scalar = b.chance(1 / 6)
    while True:
        before = len(b.nodes), len(b.values), set(b.read)
        try:
            outputs = chosen_outputs(b, scalar)
            break
        except Nothing:
            del b.nodes[before[0] :], b.values[before[1] :]
            b.read = before[2]
    graph = Graph(seed, b.nodes, outputs, scalar, b.traits)
    note_outputs(graph, b)
    return graph
