"""What an update rule is, and how it comes to run in place.

A ``Rule`` is a pure function: (parameter, gradient, state, hyperparameters) give a new parameter and a new state. Its
formula is written once, in kernel functions, so it can be called on tensors. For training the same lines are called on
symbols, once, and the graph that comes out becomes a list of calls that write where the old numbers lie: on the CPU one
function after the other, on blocks that fit into the processor's cache; on a GPU a single kernel.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any, ClassVar

from ..errors import DtypeError
from ..op import DEFAULT_FLOAT, HALF, Kind
from ..ops import elementwise, reduce
from ..symbol import Entry, Node, Symbol, topological

BLOCK = 2**16  # elements; in float32 four arrays of so many, and two for what is in between, are 1.5 MB
KEPT = 4096  # kinds of arrays for which a program stands ready


class Rule:
    """A rule of learning. Subclass it to define one; there are no instances, the class itself is called.

    ========= ==========================================================================================================
    state     {name: what it begins with} of the arrays, shaped as the parameter, that it keeps from step to step
    memory    {name: what it begins with} of the plain numbers that it keeps; ``numbers`` returns their next values too
    numbers   ``numbers(rate, momentum, …)``: the numbers in the formula, from the hyperparameters and memory that it
              names, in double precision. It depends on these alone, and is called when one of them has changed.
    update    ``update(w, g, …)``: the formula, of the parameter, the gradient, the state and the numbers, by name; it
              returns (new w, new states in the order of ``state``).
    steps_for names of hyperparameters: while all of them are 0, ``numbers`` is the same at every ``step``
    ========= ==========================================================================================================

    >>> from kernel.learners.rules import momentum
    >>> hyper = {"rate": 0.1, "momentum": 0.9, "inside": 1.0, "dampening": 0, "step": 1}
    >>> w, state = momentum(kernel.zeros(2), kernel.ones(2), momentum.begin(kernel.zeros(2)), hyper)
    >>> w, state
    (tensor([-0.1, -0.1]), {'v': tensor([1., 1.])})
    """

    state: ClassVar[dict[str, float]] = {}
    memory: ClassVar[dict[str, float]] = {}
    asks: ClassVar[tuple[str, ...]]  # what ``numbers`` names
    steps_for: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for name, value in list(vars(cls).items()):
            if isinstance(value, FunctionType):
                setattr(cls, name, staticmethod(value))
        if "numbers" in vars(cls) and "steps_for" not in vars(cls):  # what was said of other numbers
            cls.steps_for = ()
        cls.asks = tuple(inspect.signature(cls.numbers).parameters)

    def __new__(cls, param: Any, grad: Any, state: Mapping[str, Any], hyper: Mapping[str, float]) -> tuple[Any, dict]:
        """(the new parameter, the new state), of tensors; nothing is written over."""
        known = {**hyper, **{name: state[name] for name in cls.memory}}
        missing = [name for name in cls.asks if name not in known]
        if missing:
            raise DtypeError(
                f"{cls.__name__}: hyper should name {', '.join(cls.asks)}, but {', '.join(missing)} is missing."
            )
        numbers = cls.numbers(**{name: known[name] for name in cls.asks})
        memory = {name: numbers.pop(name) for name in cls.memory}
        param, *new = cls.update(param, grad, **{name: state[name] for name in cls.state}, **numbers)
        return param, dict(zip(cls.state, new, strict=True)) | memory

    @classmethod
    def begin(cls, param: Any) -> dict[str, Any]:
        """The state before the first step, for a parameter like ``param``."""
        return {name: 0 * param + value for name, value in cls.state.items()} | cls.memory

    @staticmethod
    def numbers(**hyper: float) -> dict[str, float]:
        raise TypeError("a rule must define numbers.")

    @staticmethod
    def update(w: Any, g: Any, **others: Any) -> tuple:
        raise TypeError("a rule must define update.")


class Program:
    """A formula of elementwise functions as a list of calls that write where the old numbers lie.

    Args:
        formula: of arrays and numbers, all by name; it returns the new values of ``targets``, in their order.
        arrays: the names of the arrays, all of one shape and dtype; the first is written to.
        targets: those of them that are written to.
        numbers: the names of the numbers.
        ones: those of them that are always 1: by which nothing is multiplied.

    A result is written over an array only when nobody reads any more what stands there.

    >>> print(Program(lambda w, g, rate: (w - rate * g,), "wg", "w", ["rate"]).python)
    def update(s1, w, g, rate):
        multiply(rate, g, out=s1)
        subtract(w, s1, out=w)
    """

    def __init__(
        self,
        formula: Callable,
        arrays: Iterable[str],
        targets: Iterable[str],
        numbers: Iterable[str],
        ones: Iterable[str] = (),
    ):
        self.arrays, self.targets, self.numbers = tuple(arrays), tuple(targets), tuple(numbers)
        inputs = {name: _variable(name) for name in (*self.arrays, *self.numbers)}
        results = formula(**{name: _symbol(node) for name, node in inputs.items()})
        outputs = _without_ones([result._entries[0] for result in results], {Entry(inputs[name], 0) for name in ones})
        self._outputs = _of_their_own([entry.node for entry in outputs], list(inputs.values()))
        self._order = [node for node in topological(self._outputs) if node.op is not None]
        self._names = {node: name for name, node in inputs.items()}  # of every value: where it lies
        self._full = {inputs[name] for name in self.arrays}  # shaped as the arrays; everything else is one number
        for node in self._order:
            if not _reduces(node) and any(x.node in self._full for x in _operands(node)):
                self._full.add(node)
        # A mean looks at the whole array, so there can be no blocks then.
        self.is_blockwise = not any(map(_reduces, self._order))
        self.scratch: list[str] = []
        self._place(inputs)
        self._ready: dict[Kind, Callable] = {}
        self._memory: dict[tuple, list] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_ready": {}, "_memory": {}}  # a copy has scratch arrays of its own

    def _place(self, inputs: dict[str, Node]) -> None:
        """Decide where each result is written."""
        last = {x.node: k for k, node in enumerate(self._order) for x in _operands(node)}
        last |= dict.fromkeys(self._outputs, len(self._order))
        final = dict(zip(self._outputs, self.targets, strict=True))
        finished = {name: self._order.index(node) for node, name in final.items()}
        owner = {name: inputs[name] for name in self.targets}

        def is_free(place: str, k: int, node: Node) -> bool:
            end = last.get(owner[place], -1)
            operands = [i for i, x in enumerate(node.inputs) if type(x) is Entry and x.node is owner[place]]
            return end < k or (end == k and all(i in node.op.inplace for i in operands))

        for k, node in enumerate(self._order):
            if node not in self._full:
                self._names[node] = f"n{k}"
                continue
            # Over its own old values; or over those of an array that is still to get its new ones; or into scratch.
            waiting = [name for name in self.targets if last[node] <= finished[name]]
            wished = [final[node]] if node in final else waiting
            place = next((p for p in (*wished, *self.scratch) if is_free(p, k, node)), None)
            if place is None:
                place = f"s{len(self.scratch) + 1}"
                self.scratch.append(place)
            owner[place], self._names[node] = node, place

    @property
    def python(self) -> str:
        """The program in Python, where ``multiply`` and the others are functions of the device's namespace."""
        lines = [f"def update({', '.join((*self.scratch, *self.arrays, *self.numbers))}):"]
        for k, node in enumerate(self._order):
            operands = ", ".join(self._names[x.node] if type(x) is Entry else repr(x) for x in node.inputs)
            call, place = _function_of(k, node), self._names[node]
            lines.append(f"{call}({operands}, out={place})" if node in self._full else f"{place} = {call}({operands})")
        found = (self._names[node] for node in self._outputs)
        lines += [f"{name}[...] = {place}" for name, place in zip(self.targets, found, strict=True) if name != place]
        return "\n    ".join(lines)

    @property
    def c(self) -> str | None:
        """The program in C, for one element of type T; None if one of its operations has no text in C."""
        if not self.is_blockwise or any(node.op.c is None or node.attributes for node in self._order):
            return None
        numbers = [x for node in self._order for x in node.inputs if type(x) is not Entry]
        if not all(map(math.isfinite, numbers)):  # C has no word for infinity that every compiler knows
            return None
        named = {node: f"x_{name}" for node, name in self._names.items() if node.op is None}
        lines = []
        for k, node in enumerate(self._order):
            operands = (named[x.node] if type(x) is Entry else f"T({float(x)!r})" for x in node.inputs)
            named[node] = f"t{k}"
            lines.append(f"T t{k} = {node.op.c.format(*operands)};")
        lines += [f"x_{name} = {named[node]};" for name, node in zip(self.targets, self._outputs, strict=True)]
        return "\n".join(lines)

    def run(self, kind: Kind, arrays: Iterable, numbers: Iterable) -> None:
        """Compute, and write the targets; of empty arrays nothing is to be computed.

        Args:
            kind: of the arrays.
            arrays: in the order of ``arrays``, in whatever order of memory.
            numbers: in the order of ``numbers``; Python's, or arrays of one element.
        """
        ready = self._ready.get(kind)
        if ready is None:
            if len(self._ready) >= KEPT:
                self._ready.clear()
            with kind.device.guard():
                ready = self._ready[kind] = self._prepare(kind, arrays[0])
        if kind.device.kind != "gpu":
            ready(*arrays, *numbers)
        else:
            with kind.device.guard():
                ready(*arrays, *numbers)

    def _prepare(self, kind: Kind, like: Any) -> Callable:
        """What is called with arrays of this kind, which lie in memory like the first."""
        xp, dtype = kind.device.xp, kind.dtype
        if 0 in kind.shape:
            return lambda *_: None
        if dtype == HALF:  # squares of small halves would be 0
            return self._widened(Kind.of(kind.shape, DEFAULT_FLOAT, kind.device))
        if getattr(xp, "ElementwiseKernel", None) and self.c:
            return self._kernel(xp)
        namespace = {
            _function_of(k, node): getattr(xp, node.op.function)
            if node.op.function
            else functools.partial(node.op.forward, xp, **node.attributes)
            for k, node in enumerate(self._order)
        }
        namespace |= {"inf": math.inf, "nan": math.nan}
        exec(_compiled(self.python), namespace)  # its text is made of our own names and numbers only
        update = namespace["update"]
        # Blocks are for the processor's cache; to a GPU they are launches.
        if like.size <= BLOCK or not self.is_blockwise or kind.device.kind != "cpu":
            return functools.partial(update, *self._room(xp, like))
        return self._in_blocks(update, xp)

    def _room(self, xp: Any, like: Any) -> list:
        """Scratch arrays that lie in memory like ``like``: views of a few flat ones, which all kinds share."""
        if not self.scratch:
            return []
        flat = self._memory.get((id(xp), like.dtype))
        if flat is None or flat[0].size < like.size:
            flat = [xp.empty(max(like.size, BLOCK), like.dtype) for _ in self.scratch]
            self._memory[id(xp), like.dtype] = flat
        axes = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])
        back = sorted(range(like.ndim), key=axes.__getitem__)
        shape = tuple(like.shape[axis] for axis in axes)
        return [memory[: like.size].reshape(shape).transpose(back) for memory in flat]

    def _in_blocks(self, update: Callable, xp: Any) -> Callable:
        def blockwise(*given: Any) -> None:
            arrays, numbers = list(given[: len(self.arrays)]), given[len(self.arrays) :]
            room: dict[tuple, list] = {}  # all blocks but the last are of one shape
            for block in _blocks(arrays):
                shape = block[0].shape
                if shape not in room:
                    room[shape] = self._room(xp, block[0])
                update(*room[shape], *block, *numbers)

        return blockwise

    def _widened(self, kind: Kind) -> Callable:
        def wide(*given: Any) -> None:
            arrays, numbers = given[: len(self.arrays)], given[len(self.arrays) :]
            singles = [array.astype(DEFAULT_FLOAT) for array in arrays]
            self.run(kind, singles, numbers)
            for name, array, single in zip(self.arrays, arrays, singles, strict=True):
                if name in self.targets:
                    array[...] = single

        return wide

    def _kernel(self, xp: Any) -> Callable:
        """The whole program as one kernel of a GPU."""
        read = [name for name in self.arrays if name not in self.targets]
        arguments = ", ".join(f"T x_{name}" for name in (*read, *self.numbers))
        results = ", ".join(f"T x_{name}" for name in self.targets)
        kernel = xp.ElementwiseKernel(arguments, results, self.c, "update")
        names = (*self.arrays, *self.numbers)
        order = [names.index(name) for name in (*read, *self.numbers, *self.targets)]
        return lambda *given: kernel(*(given[place] for place in order))


@functools.lru_cache(256)
def _compiled(text: str) -> CodeType:
    return compile(text, "<a program>", "exec")


def _function_of(k: int, node: Node) -> str:
    """What the function of a step is called in the program's text."""
    return node.op.function or f"{node.op.name}_{k}"


def _variable(name: str) -> Node:
    node = Node(None, name=name)
    node.role = "argument"
    return node


def _symbol(node: Node) -> Symbol:
    return Symbol._of([Entry(node, 0)])


def _without_ones(outputs: list[Entry], ones: set[Entry]) -> tuple[Entry, ...]:
    """The same outputs, computed without multiplying by those inputs."""
    replaced: dict[Entry, Entry] = {}
    for node in topological(entry.node for entry in outputs):
        operands = [replaced.get(x, x) if type(x) is Entry else x for x in node.inputs]
        node.inputs = tuple(operands)
        if node.op is elementwise.mul and any(x in ones for x in operands):
            replaced[Entry(node, 0)] = operands[0] if operands[1] in ones else operands[1]
    return tuple(replaced.get(entry, entry) for entry in outputs)


def _of_their_own(outputs: list[Node], inputs: list[Node]) -> list[Node]:
    """Outputs that are neither inputs nor the same node twice: such are copied."""
    own: list[Node] = []
    for node in outputs:
        copied = node in own or node in inputs
        own.append(Symbol._apply(elementwise.clone, (_symbol(node),), {})._entries[0].node if copied else node)
    return own


def _operands(node: Node) -> Iterator[Entry]:
    return (x for x in node.inputs if type(x) is Entry)


def _reduces(node: Node) -> bool:
    return node.op in (reduce.mean, reduce.sum)


def _blocks(arrays: list) -> Iterator[list]:
    """The same part of each array, of BLOCK elements at most where that is possible without copying."""
    first = arrays[0]
    if all(array.flags.c_contiguous for array in arrays):
        arrays = [array.reshape(-1) for array in arrays]
        axis, rows = 0, BLOCK
    else:
        axis = max(range(first.ndim), key=lambda k: (first.shape[k] > 1, abs(first.strides[k])))
        rows = max(1, BLOCK // math.prod(size for k, size in enumerate(first.shape) if k != axis))
    for begin in range(0, arrays[0].shape[axis], rows):
        part = (slice(None),) * axis + (slice(begin, begin + rows),)
        yield [array[part] for array in arrays]
