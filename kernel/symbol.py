"""Symbols: what is to be computed, before anything is.

A ``Node`` is a variable or one operation, with the outputs of other nodes for operands; a ``Symbol`` points at one or
several outputs of nodes. Functions, operators and layers that get a Symbol add a node and return another Symbol. What
shapes and dtypes there are follows from the same ``infer`` that checks eager calls. Running it is the executor's work.

Nothing here knows of tensors. A tensor that stands beside a symbol says itself what it is in a graph (``role``).
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy

from . import functional
from .errors import DtypeError, ShapeError, UnknownSizeError, show
from .functional.axes import UFUNCS, python_number
from .op import DEFAULT_FLOAT, NUMBERS, ArrayType, Op, dtype_of, is_float, promote, require_sizes, spell, unify
from .operand import Operand
from .ops import elementwise
from .signature import require_call

ROLES = ("argument", "auxiliary", "constant", "draw")


class Entry(NamedTuple):
    """One output of a node."""

    node: Node
    index: int


class Node:
    """A variable, or one operation of a graph.

    ============ ===================================================================================================
    op           the operation, None for a variable; ``attributes`` is what else it is called with
    inputs       its operands: outputs of other nodes (``Entry``), and Python numbers
    name         unique in its graph; what errors, drawings and bindings call it
    role         of a variable: "argument", which is given from outside and may be learned; "auxiliary", which training
                 updates by itself; "constant"; or "draw", a seed that is drawn anew for each pass in training
    value        of a variable: the tensor that it stands for, if that is known; of a draw its generator, or None
    declared     of a variable: (shape, dtype) as far as they were said; a shape may hold None, either may be None
    attr         {key: text}: what its author wants to remember of it
    types        of what comes out, None where that does not follow from what was declared
    updates      (auxiliary variable, its new value) for what a pass in training is to write
    layers       (module, what it was given) for each module of whose call this is the result, the innermost first
    auto         whether the name was made up here
    ============ ===================================================================================================
    """

    __slots__ = (
        "__weakref__",
        "attr",
        "attributes",
        "auto",
        "declared",
        "inputs",
        "layers",
        "name",
        "op",
        "role",
        "types",
        "updates",
        "value",
    )

    def __init__(
        self, op: type[Op] | None, inputs: tuple = (), attributes: dict | None = None, name: str | None = None
    ):
        self.op, self.inputs, self.attributes = op, inputs, attributes or {}
        self.auto = name is None
        self.name = _names.get().of(op.name) if name is None else name
        self.attr: dict[str, str] = {}
        self.role = self.value = self.types = None
        self.declared: tuple = (None, None)
        self.updates: tuple = ()
        self.layers: tuple = ()

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        if self.types is not None:
            return len(self.types)
        if self.op is None or self.op.outputs == 1:
            return 1
        unknown = (
            ArrayType((), type(x)) if type(x) in NUMBERS else ArrayType(None, DEFAULT_FLOAT) for x in self.inputs
        )
        return len(self.op.infer(*unknown, **self.attributes)[1])

    def output_name(self, index: int) -> str:
        """What one of its outputs is called: fc1_output; a variable is its own."""
        if self.op is None:
            return self.name
        return f"{self.name}_output{index if self.outputs > 1 else ''}"

    def __repr__(self) -> str:
        return f"<{self.op.name if self.op else self.role} {self.name}>"


class by_mode(Op, register=False):
    """In training the first operand, in use the second: which of the two is settled when the graph is run."""

    name = "by_mode"
    arguments = ("training", "inference")
    vjp = (lambda xp, g, y, training, inference: g, None)
    keeps_shape = True

    def infer(training, inference):
        shape = unify("what is computed in use", inference.shape, training.shape, "training computes that")
        return (ArrayType(shape, training.dtype), ArrayType(shape, inference.dtype)), (
            ArrayType(shape, training.dtype),
        )


# --- names ---


class NameManager:
    """Gives names to what has none: convolution0, convolution1, … Inside ``with NameManager():`` it counts from 0.

    Every name begins with ``prefix``.

    >>> from kernel import sym
    >>> with sym.NameManager():
    ...     sym.Activation(sym.Variable("data"), act_type="relu").name
    'activation0'
    """

    def __init__(self, prefix: str = "") -> None:
        if not isinstance(prefix, str):
            raise DtypeError(f"NameManager: prefix must be a text, but {show(prefix)} came.")
        self._prefix = prefix
        self._counts: dict[str, Iterator[int]] = collections.defaultdict(itertools.count)
        self._before: list[NameManager] = []

    def of(self, hint: str) -> str:
        """The next name for this kind of thing."""
        return f"{self._prefix}{hint}{next(self._counts[hint])}"

    def __enter__(self) -> NameManager:
        self._before.append(_names.get())
        _names.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _names.set(self._before.pop())


_everywhere = NameManager()
_names: contextvars.ContextVar[NameManager] = contextvars.ContextVar("names", default=_everywhere)


def name_for(hint: str, name: str | None) -> str:
    """``name``, or the next automatic one."""
    if name is None:
        return _names.get().of(hint)
    if not isinstance(name, str) or not name:
        raise DtypeError(f"{hint}: name must be a text, but {show(name)} came.")
    return name


# --- walking ---


def topological(roots: Iterable[Node], through: Callable[[Node], Iterable] | None = None) -> list[Node]:
    """Every node that ``roots`` depend on, and they themselves: operands first, depth first, each once.

    ``through`` gives the entries that a node depends on; by default its operands, and then its updates.
    """
    through = through or _dependencies
    order, seen = [], set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, entered = stack.pop()
            if entered:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                below = [x.node for x in through(node) if type(x) is Entry and x.node not in seen]
                stack.extend((child, False) for child in reversed(below))
    return order


def _dependencies(node: Node) -> Iterator:
    yield from node.inputs
    for target, value in node.updates:
        yield target
        yield value


# --- types ---


def infer_node(node: Node, given: list[ArrayType]) -> tuple[tuple[ArrayType, ...], tuple[ArrayType, ...]]:
    """What the operation of ``node`` makes of operands of these types: (operands, outputs); errors name the node."""
    try:
        return node.op.infer(*given, **node.attributes)
    except (ShapeError, DtypeError) as error:
        operands = (
            f"{node.op.argument(i)} is {x.node.output_name(x.index) if type(x) is Entry else x}"
            for i, x in enumerate(node.inputs)
        )
        said = f"{node.name} ({node.op.name}): {error} Here {', '.join(operands)}."
        free = [x.node.name for x in node.inputs if type(x) is Entry and _has_no_dtype(x.node)]
        if isinstance(error, DtypeError) and free:
            declared = f"Variable('{free[0]}', dtype='int64')"
            said += f" A variable is {DEFAULT_FLOAT} unless its dtype is declared, as {declared}."
        raise type(error)(said) from None


def _has_no_dtype(node: Node) -> bool:
    return node.op is None and node.role != "draw" and node.value is None and node.declared[1] is None


def infer_types(
    roots: Iterable[Node],
    shapes: Mapping[Node, tuple | None] | None = None,
    dtypes: Mapping[Node, Any] | None = None,
) -> dict[Node, list[ArrayType]]:
    """The types of all outputs of all nodes below ``roots``, as far as they follow from those of the variables.

    Shapes travel along the operations and, where an operation learns an operand from the others, back to where that
    came from, until nothing new is learned.
    """
    order = topological(roots)
    types = _infer_dtypes(order, shapes or {}, dtypes or {})
    forwards, changed = True, True
    while changed:
        changed = False
        for node in order if forwards else reversed(order):
            if node.op is not None:
                changed |= _learn(node, types)
        forwards = not forwards
    return types


def _infer_dtypes(order: list[Node], shapes: Mapping, dtypes: Mapping) -> dict[Node, list[ArrayType]]:
    """Dtypes, and the shapes of variables. A variable without a dtype takes that of the floats that it first meets."""
    types: dict[Node, list[ArrayType]] = {}
    for node in order:
        if node.op is None:
            shape, dtype = _declared(node)
            shape = unify(f"{node.name}: the variable", shapes.get(node), shape, "so it was declared")
            types[node] = [ArrayType(shape, dtypes.get(node, dtype))]
            continue
        given = [_type_of(x, types) for x in node.inputs]
        known = [t.dtype for t in given if t.dtype is not None and is_float(t.dtype)]
        meeting = promote(*known) if known else DEFAULT_FLOAT
        for x, t in zip(node.inputs, given, strict=True):
            if t.dtype is None:
                types[x.node] = [ArrayType(t.shape, meeting)]
        given = [ArrayType(None if type(x) is Entry else (), _type_of(x, types).dtype) for x in node.inputs]
        types[node] = list(infer_node(node, given)[1])
    for node, (t, *_) in types.items():
        if t.dtype is None:  # a variable that nothing uses
            types[node] = [ArrayType(t.shape, DEFAULT_FLOAT)]
    return types


def _declared(node: Node) -> tuple:
    if node.role == "draw":
        return (), int
    if node.value is not None:
        return node.value.shape, node.value.dtype
    return node.declared


def _type_of(x: Any, types: Mapping[Node, list]) -> ArrayType:
    return types[x.node][x.index] if type(x) is Entry else ArrayType((), type(x))


def _learn(node: Node, types: dict[Node, list[ArrayType]]) -> bool:
    """Infer once more at ``node``; whether anything was learned."""
    given = [_type_of(x, types) for x in node.inputs]
    before = types[node]
    if node.op.keeps_shape and type(node.inputs[0]) is Entry:
        back = unify(f"{node.name}: the operand", given[0].shape, before[0].shape, "what uses the result needs that")
        given[0] = ArrayType(back, given[0].dtype)
    inputs, outputs = infer_node(node, given)
    changed = False
    for x, found in zip(node.inputs, inputs, strict=True):
        if type(x) is Entry and found.shape != types[x.node][x.index].shape:
            changed |= _fill(types, x.node, x.index, found.shape, node)
    for k, found in enumerate(outputs):
        changed |= _fill(types, node, k, found.shape, node)
    return changed


def _fill(types: dict, node: Node, k: int, shape: tuple | None, by: Node) -> bool:
    known = types[node][k]
    merged = unify(f"{by.name}: {node.output_name(k)}", known.shape, shape, "the operation says so")
    if merged == known.shape:
        return False
    types[node][k] = ArrayType(merged, known.dtype)
    return True


def is_known(shape: tuple | None) -> bool:
    """Whether no size is missing."""
    return shape is not None and None not in shape


# --- the symbol ---


class Symbol(Operand):
    """One or several outputs of a graph.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    >>> net = kernel.relu(net * 2)
    >>> net.list_arguments()
    ['data', 'fc_weight', 'fc_bias']
    >>> executor = net.simple_bind(data=(5, 4))
    >>> executor.forward()[0].shape
    (5, 3)
    """

    __slots__ = ("__weakref__", "_entries")
    in_graph = True

    # How a graph is run; executor.py says it, which needs this class.
    simple_bind: Callable
    bind: Callable
    eval: Callable

    def __init__(self, entries: Iterable[Entry]):
        self._entries = tuple(entries)

    # --- making ---

    @staticmethod
    def _apply(op: type[Op], operands: tuple, attributes: dict[str, Any]) -> Any:
        """A node for ``op``: what every operator and function ends in."""
        if op.data_dependent:
            raise DtypeError(
                f"{op.name}: the shape of its result depends on the numbers, which a graph has not got; compute it on "
                "tensors, outside of the graph."
            )
        inputs = tuple(_as_input(op, i, operand) for i, operand in enumerate(operands))
        node = Node(op, inputs, attributes)
        kinds = {type(x) for x in operands if isinstance(x, Symbol)}
        kind = max(kinds, key=lambda cls: len(cls.__mro__))
        return _finished(node, kind)

    @classmethod
    def _draw(cls, generator: Any) -> Symbol:
        """A seed that is drawn from ``generator`` for each pass in training."""
        node = Node(None, name=_names.get().of("seed"))
        node.role, node.value, node.types = "draw", generator, (ArrayType((), int),)
        return cls._of([Entry(node, 0)])

    @classmethod
    def _by_mode(cls, training: Symbol, inference: Symbol, updates: Iterable[tuple] = ()) -> Any:
        """In training the one, in use the other; ``updates`` are (auxiliary variable, its new value in training)."""
        operands = training, inference
        node = Node(by_mode, tuple(_as_input(by_mode, i, x) for i, x in enumerate(operands)))
        node.updates = tuple((_as_input(by_mode, 0, a), _as_input(by_mode, 0, b)) for a, b in updates)
        kind = max(map(type, operands), key=lambda cls: len(cls.__mro__))
        return _finished(node, kind)

    @classmethod
    def _of_tensor(cls, tensor: Any) -> Any:
        """The symbol that stands for ``tensor``."""
        return cls._of([Entry(node_of(tensor), 0)])

    @classmethod
    def _of(cls, entries: Iterable[Entry]) -> Any:
        """A symbol of this class that points at ``entries``."""
        symbol = object.__new__(cls)
        Symbol.__init__(symbol, entries)
        return symbol

    def _single(self, what: str) -> Entry:
        if len(self._entries) != 1:
            raise ShapeError(
                f"{what}: one output was expected, but this symbol has {len(self._entries)}; choose one, as symbol[0]."
            )
        return self._entries[0]

    # --- facts ---

    @property
    def name(self) -> str | None:
        """The name of the node that it is an output of; None for a group of several."""
        nodes = {entry.node for entry in self._entries}
        return nodes.pop().name if len(nodes) == 1 else None

    def _type(self, what: str) -> ArrayType:
        node, index = self._single(what)
        if node.op is None and node.role != "draw" and node.value is not None:
            return ArrayType(node.value.shape, node.value.dtype)
        if node.types is None or (what != "dtype" and node.types[index].shape is None):
            raise UnknownSizeError(
                f"{what}: that of {node.output_name(index)} is not known while the graph is built; declare the shapes "
                'of its variables, as Variable("data", shape=(None, 3)), where None is for any size.'
            )
        return node.types[index]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The sizes along the axes, None for those that are not known; UnknownSizeError if nothing is."""
        return self._type("shape").shape

    @property
    def ndim(self) -> int:
        """The number of axes; UnknownSizeError if it is not known."""
        return len(self._type("ndim").shape)

    @property
    def dtype(self) -> numpy.dtype:
        """The dtype; UnknownSizeError if it is not known."""
        return self._type("dtype").dtype

    def list_arguments(self) -> list[str]:
        """The names of the variables that must be given, depth first: data, fc1_weight, fc1_bias, …"""
        return [node.name for node in self._variables("argument")]

    def list_auxiliary_states(self) -> list[str]:
        """The names of the variables that training updates by itself, such as running means."""
        return [node.name for node in self._variables("auxiliary")]

    def list_outputs(self) -> list[str]:
        """The names of the outputs: fc2_output."""
        return [node.output_name(index) for node, index in self._entries]

    def _nodes(self) -> list[Node]:
        return topological(entry.node for entry in self._entries)

    def _holds(self) -> Iterable[tuple[str, Any]]:
        """(name, layer or parameter) of what a module that holds this has to take care of."""
        return ()

    def _variables(self, role: str) -> list[Node]:
        return [node for node in self._nodes() if node.op is None and node.role == role]

    def __repr__(self) -> str:
        names = ", ".join(self.list_outputs())
        return (
            f"<{type(self).__name__} {names}>"
            if len(self._entries) == 1
            else f"<{type(self).__name__} group [{names}]>"
        )

    # --- types ---

    def infer_shape(self, **shapes: Any) -> tuple[list, list, list]:
        """The shapes of (arguments, outputs, auxiliary states) that follow from those of some arguments.

        Each list in the order of its names. Raises ShapeError where shapes do not fit, which names the node, and where
        they do not follow from what was given.

        >>> from kernel import sym
        >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
        >>> net.infer_shape(data=(5, 4))
        ([(5, 4), (3, 4), (3,)], [(5, 3)], [])
        """
        found = self.infer_shape_partial(**shapes)
        names = self.list_arguments(), self.list_outputs(), self.list_auxiliary_states()
        unknown = [
            f"{name} {spell(shape)}"
            for some_names, some in zip(names, found, strict=True)
            for name, shape in zip(some_names, some, strict=True)
            if not is_known(shape)
        ]
        if unknown:
            given = ", ".join(f"{name}={shape}" for name, shape in shapes.items()) or "nothing"
            raise ShapeError(
                f"infer_shape: {given} was given, and from that the shapes of these do not follow: "
                f"{', '.join(unknown)}; give more shapes."
            )
        return found

    def infer_shape_partial(self, **shapes: Any) -> tuple[list, list, list]:
        """``infer_shape``, with None for a size, or a whole shape, that does not follow from what was given."""
        types = self._infer("infer_shape", shapes, {})
        return tuple([t.shape for t in some] for some in types)

    def infer_type(self, **dtypes: Any) -> tuple[list, list, list]:
        """The dtypes of (arguments, outputs, auxiliary states), given those of some arguments.

        A variable whose dtype nobody said has that of the floats that it meets first, and float32 if it meets none.

        >>> from kernel import sym
        >>> sym.FullyConnected(sym.Variable("data"), num_hidden=3).infer_type(data="float64")[1]
        [dtype('float64')]
        """
        return tuple([t.dtype for t in some] for some in self._infer("infer_type", {}, dtypes))

    def _infer(self, what: str, shapes: Mapping[str, Any], dtypes: Mapping[str, Any]) -> tuple[list, list, list]:
        types = infer_types((e.node for e in self._entries), *self.by_node(what, shapes, dtypes))
        arguments, auxiliary = self._variables("argument"), self._variables("auxiliary")
        return (
            [types[node][0] for node in arguments],
            [types[node][index] for node, index in self._entries],
            [types[node][0] for node in auxiliary],
        )

    def by_node(self, what: str, shapes: Mapping[str, Any], dtypes: Mapping[str, Any]) -> tuple[dict, dict]:
        """Shapes and dtypes that were given by name, checked, by the variable that they belong to."""
        variables: dict[str, Node] = {}
        for node in self._variables("argument") + self._variables("auxiliary"):
            if node.name in variables:
                raise ShapeError(
                    f"{what}: two variables are called {node.name}, and a name must say which is meant; rename one."
                )
            variables[node.name] = node
        for name in (*shapes, *dtypes):
            if name not in variables:
                raise ShapeError(f"{what}: there is no argument called {name}; there are {', '.join(variables)}.")
        found_shapes = {}
        for name, shape in shapes.items():
            shape = tuple(shape) if isinstance(shape, tuple | list) else shape
            require_sizes(f"{what}: the sizes of {name}", _known_sizes(shape))
            found_shapes[variables[name]] = shape
        return found_shapes, {
            variables[name]: dtype_of(f"{what}: the dtype of {name}", d) for name, d in dtypes.items()
        }

    # --- structure ---

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Any]:
        return (self._of([entry]) for entry in self._entries)

    def __getitem__(self, index: Any) -> Any:
        """``s[0]`` and ``s["fc1_output"]`` are outputs; ``s[:, 1:]`` is a part of the numbers, as of a tensor."""
        if isinstance(index, str):
            names = self.list_outputs()
            if names.count(index) != 1:
                which = "no output is" if index not in names else "several outputs are"
                raise ShapeError(f"symbol: {which} called {index}; there are {', '.join(names)}.")
            index = names.index(index)
        if isinstance(index, int | numpy.integer) and not isinstance(index, bool):
            if not -len(self) <= index < len(self):
                raise ShapeError(f"symbol: there is no output {index}; there are {len(self)}, numbered from 0.")
            return self._of([self._entries[index]])
        return functional.getitem(self, index)

    def get_internals(self) -> Symbol:
        """A group of every output of every node, in the order of computing.

        >>> from kernel import sym
        >>> net = kernel.relu(sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc"))
        >>> net.get_internals()["fc_output"]
        <Symbol fc_output>
        """
        return Symbol(Entry(node, k) for node in self._nodes() if node.role != "draw" for k in range(node.outputs))

    def get_children(self) -> Symbol | None:
        """A group of what its node is computed from; None for a variable."""
        children = [x for entry in self._entries for x in entry.node.inputs if type(x) is Entry]
        return Symbol(children) if children else None

    def attr(self, key: str) -> str | None:
        """What its node remembers under ``key``; None if nothing."""
        return self._single("attr").node.attr.get(key)

    def list_attr(self) -> dict[str, str]:
        """All that its node remembers."""
        return dict(self._single("list_attr").node.attr)

    def attr_dict(self) -> dict[str, dict[str, str]]:
        """{name: what it remembers} of all nodes that remember something."""
        return {node.name: dict(node.attr) for node in self._nodes() if node.attr}

    def __call__(self, *symbols: Any, name: str | None = None, **by_name: Any) -> Any:
        """The same graph with other symbols in the place of its arguments: composition. This one does not change.

        Args:
            symbols: for the first arguments, in their order.
            name: of the result.
            by_name: for arguments, by their names.

        >>> from kernel import sym
        >>> shared = sym.Variable("weight")
        >>> layer = sym.FullyConnected(sym.Variable("x"), weight=shared, num_hidden=4, no_bias=True)
        >>> layer(x=layer(x=sym.Variable("data"))).list_arguments()
        ['data', 'weight']
        """
        arguments = self._variables("argument")
        if len(symbols) > len(arguments):
            raise DtypeError(f"compose: there are {len(arguments)} arguments, but {len(symbols)} symbols came.")
        given = dict(zip(arguments, symbols, strict=False))
        named = {node.name: node for node in arguments}
        for key, symbol in by_name.items():
            if key not in named:
                raise ShapeError(f"compose: there is no argument called {key}; there are {', '.join(named)}.")
            if named[key] in given:
                raise DtypeError(f"compose: argument {key} came twice, by its position and by its name.")
            given[named[key]] = symbol
        for node, symbol in given.items():
            if not isinstance(symbol, Symbol):
                raise DtypeError(f"compose: argument {node.name} should be a symbol, but {show(symbol)} came.")
            variable = symbol._single("compose").node
            if variable.op is None and node.declared[0] is not None:  # as num_hidden says it of a weight
                declare(variable, node.declared[0], f"{node.name}, for which it stands, was declared so")
        composed = self._of(substitute(self._entries, {node: s._single("compose") for node, s in given.items()}))
        if name is not None:
            old = {entry.node for s in (self, *given.values()) for entry in s._entries}
            for node in {entry.node for entry in composed._entries} - old:
                node.name = name_for("compose", name)
        return composed

    # --- operators: what they mean is the operations' to say ---

    __hash__ = object.__hash__

    def __copy__(self) -> Any:
        return self  # it does not change

    def __deepcopy__(self, memo: dict) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise DtypeError("pickle: a symbol is not pickled, since unpickling runs code; keep tojson(), or save(path).")

    def __neg__(self) -> Any:
        return functional.negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return functional.abs(self)

    def __invert__(self) -> Any:
        return functional.logical_not(self)

    def __bool__(self) -> bool:
        raise DtypeError(
            "bool: a symbol has no value yet, so an if or while cannot look at it; use kernel.where, or bind it first."
        )

    def __float__(self) -> float:
        raise DtypeError(
            "float: a symbol has no number yet, so Python's float and its math cannot take it; use kernel's functions, "
            "as kernel.sqrt."
        )

    __int__ = __index__ = __float__

    def __array_ufunc__(self, function: Any, method: str, *operands: Any, **options: Any) -> Any:
        """Beside NumPy's scalars a symbol computes itself, all else is refused."""
        name = "divide" if function is numpy.divide else function.__name__
        ours = getattr(functional, UFUNCS.get(name, name), None)
        numbers = [o.item() for o in operands if isinstance(o, numpy.generic | numpy.ndarray) and o.ndim == 0]
        if ours and method == "__call__" and not options and len(operands) == 2 and len(numbers) == 1:
            return ours(numbers[0], self) if operands[1] is self else ours(self, numbers[0])
        raise DtypeError(
            f"{name}: NumPy's functions and arrays do not take a symbol, which has no numbers yet; use kernel's "
            "functions, and make an array a constant with kernel.tensor(…)."
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise DtypeError("numpy.asarray: a symbol has no numbers yet; bind it and run it forward first.")

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return functional.transpose(self)

    def astype(self, dtype: Any) -> Any:
        """In another dtype."""
        return self._apply(elementwise.cast, (self,), {"dtype": dtype_of("astype: dtype", dtype)})

    def view(self, *shape: Any) -> Any:
        """In another shape, as ``reshape``, so that code for tensors works on symbols."""
        return functional.reshape(self, *shape)

    def t(self) -> Any:
        """The transpose of a matrix."""
        return functional.transpose(self)

    def detach(self) -> Any:
        """The same numbers, through which no gradient flows."""
        return self._apply(elementwise.stop_gradient, (self,), {})

    def __getattr__(self, name: str) -> Any:
        function = getattr(functional, name, None) if name in functional.__all__ else None
        if function is None:
            raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}.")
        return lambda *arguments, **options: function(self, *arguments, **options)


def _operator(function: Callable) -> tuple[Callable, Callable]:
    def method(self: Symbol, other: Any) -> Any:
        return function(self, other)

    def reflected(self: Symbol, other: Any) -> Any:
        return function(other, self)

    return method, reflected


for _name, _function in {
    "add": functional.add,
    "sub": functional.subtract,
    "mul": functional.multiply,
    "truediv": functional.divide,
    "pow": functional.power,
    "matmul": functional.matmul,
    "and": functional.logical_and,
    "or": functional.logical_or,
}.items():
    _method, _reflected = _operator(_function)
    setattr(Symbol, f"__{_name}__", _method)
    setattr(Symbol, f"__r{_name}__", _reflected)
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Symbol, f"__{_name}__", _operator(getattr(functional, _name))[0])


def _finished(node: Node, kind: type) -> Any:
    """``node``, once it is finished, as a symbol, or as a tuple of them if it has several outputs."""
    finish(node)
    found = tuple(kind._of([Entry(node, k)]) for k in range(node.outputs))
    return found if node.op.outputs > 1 else found[0]


def finish(node: Node) -> None:
    """Check a new node, and work out its types as far as they follow from what was declared."""
    given = [_known_type(x) for x in node.inputs]
    if None not in given:
        require_call(node.op, tuple(given), node.attributes)
        inputs, node.types = infer_node(node, given)
        for x, found in zip(node.inputs, inputs, strict=True):
            if type(x) is Entry:
                complete(x.node, found.shape)
    else:
        require_call(node.op, node.inputs, node.attributes)
        with contextlib.suppress(DtypeError):  # which may be due to the dtypes that are assumed here
            infer_node(node, [t or ArrayType(None, DEFAULT_FLOAT) for t in given])


def note_layer(layer: Any, inputs: tuple, output: Any) -> None:
    """Remember that a module made ``output`` of ``inputs``, and call its own parameters after it."""
    given = tuple(entry for x in inputs if isinstance(x, Symbol) for entry in x._entries)
    before = {entry.node for entry in given}
    for symbol in output if isinstance(output, tuple | list) else (output,):
        for entry in symbol._entries if isinstance(symbol, Symbol) else ():
            if entry.node not in before:
                entry.node.layers += ((layer, given),)
                before.add(entry.node)
    for name, value in layer._held():
        node = _standing.get(id(value))
        if node is not None and node.value is value and node.auto:
            if layer._graph_name is None:
                layer._graph_name = name_for(type(layer).__name__.lower(), None)
            node.name, node.auto = f"{layer._graph_name}.{name}", False


def complete(node: Node, shape: tuple | None) -> None:
    """Fill in the parameter that ``node`` stands for, if it has waited for its shape."""
    if is_known(shape) and node.op is None and hasattr(node.value, "complete"):
        node.value.complete(shape)
        node.types = (ArrayType(node.value.shape, node.value.dtype),)


def _known_type(x: Any) -> ArrayType | None:
    if type(x) is not Entry:
        return ArrayType((), type(x))
    if x.node.value is not None and x.node.role != "draw":
        return ArrayType(x.node.value.shape, x.node.value.dtype)
    return None if x.node.types is None else x.node.types[x.index]


def _as_input(op: type[Op], i: int, operand: Any) -> Any:
    """An operand as a node has it: the entry that a symbol points at, a Python number, or a node for a tensor."""
    if isinstance(operand, Symbol):
        return operand._single(op.name)
    operand = python_number(operand)
    for kind in (bool, int, float):
        if isinstance(operand, kind):
            return kind(operand)
    if getattr(operand, "role", None) == "result":
        raise DtypeError(
            f"{op.name}: argument {op.argument(i)} was computed eagerly from tensors that require a gradient, which "
            "the graph would not reach; compute it from symbols too, or detach() it."
        )
    if getattr(operand, "role", None) not in ROLES:
        raise DtypeError(
            f"{op.name}: argument {op.argument(i)} should be a symbol, a tensor or a number, but {show(operand)} came; "
            "make an array a constant with kernel.tensor(…)."
        )
    return Entry(node_of(operand), 0)


_standing: weakref.WeakValueDictionary[int, Node] = weakref.WeakValueDictionary()


def node_of(tensor: Any) -> Node:
    """The variable that stands for ``tensor`` in every graph, so that what is shared in Python is shared there too."""
    node = _standing.get(id(tensor))
    if node is None or node.value is not tensor or node.role != tensor.role:
        node = Node(None, name=_names.get().of({"argument": "parameter"}.get(tensor.role, tensor.role)))
        node.role, node.value, node.auto = tensor.role, tensor, True
        _standing[id(tensor)] = node
    return node


def variable(name: str, shape: Any = None, dtype: Any = None, role: str = "argument") -> Node:
    """A variable that is given later."""
    if not isinstance(name, str) or not name:
        raise DtypeError(f"Variable: name must be a text, but {show(name)} came.")
    node = Node(None, name=name)
    if shape is not None:
        shape = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        require_sizes(f"Variable {name}: sizes", _known_sizes(shape))
    node.role = role
    node.declared = None, None if dtype is None else dtype_of(f"Variable {name}: dtype", dtype)
    if shape is not None:
        declare(node, shape, "")
    return node


def declare(node: Node, shape: tuple, because: str) -> None:
    """Note what is known of the shape of a variable, beside what is known already."""
    known = node.declared[0] if node.value is None else node.value.shape
    shape = unify(node.name, known, shape, because)
    if node.value is None:
        node.declared = shape, node.declared[1]
        node.types = (ArrayType(shape, node.declared[1] or DEFAULT_FLOAT),)


def _known_sizes(shape: Any) -> Any:
    return tuple(0 if size is None else size for size in shape) if isinstance(shape, tuple) else shape


def copy_node(node: Node, name: str, inputs: tuple | None = None, updates: tuple | None = None) -> Node:
    """The same operation once more, under a name, of the same operands or of others."""
    copy = Node(node.op, node.inputs if inputs is None else inputs, node.attributes, name)
    copy.attr, copy.layers, copy.auto = node.attr, node.layers, node.auto
    copy.updates = node.updates if updates is None else updates
    finish(copy)
    return copy


def substitute(
    entries: Iterable[Entry], given: Mapping[Node, Entry], layers: Mapping[int, Any] | None = None
) -> list[Entry]:
    """``entries`` of the same graph, in which other outputs stand for those of the nodes in ``given``.

    What does not depend on them is shared; the rest is made anew, under the same names. ``layers`` says, by their id,
    which modules the results belong to now.
    """
    entries = list(entries)
    made: dict[Node, Node] = {}

    def now(x: Any) -> Any:
        if type(x) is not Entry:
            return x
        return given[x.node] if x.node in given else Entry(made.get(x.node, x.node), x.index)

    for node in topological(entry.node for entry in entries):
        if node.op is None or node in given:
            continue
        inputs = tuple(map(now, node.inputs))
        updates = tuple((now(target), now(value)) for target, value in node.updates)
        if inputs == node.inputs and updates == node.updates:
            continue
        copy = made[node] = copy_node(node, node.name, inputs, updates)
        copy.layers = tuple(
            ((layers or {}).get(id(layer), layer), tuple(map(now, taken))) for layer, taken in node.layers
        )
    return [now(entry) for entry in entries]
