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
from types import FunctionType
from typing import Any, ClassVar

from ..errors import DtypeError
from ..op import HALF
from ..ops import elementwise, reduce
from ..symbol import Entry, Node, Symbol, topological

BLOCK = 2**16  # elements; in float32 four arrays of so many, and two for what is in between, are 1.5 MB
KEPT_VIEWS = 256


class Rule:
    """A rule of learning. Subclass it to define one; there are no instances, the class itself is called.

    ========= ==========================================================================================================
    state     {name: what it begins with} of the arrays, shaped as the parameter, that it keeps from step to step
    memory    {name: what it begins with} of the plain numbers that it keeps; ``numbers`` returns their next values too
    numbers   ``numbers(rate, momentum, …)``: the numbers in the formula, from the hyperparameters and memory that it
              names. It is called once for an update and computes in double precision.
    update    ``update(w, g, …)``: the formula, of the parameter, the gradient, the state and the numbers, by name; it
              returns (new w, new states in the order of ``state``).
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

    def __init_subclass__(cls) -> None:
        for name, value in list(vars(cls).items()):
            if isinstance(value, FunctionType):
                setattr(cls, name, staticmethod(value))
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
        arrays: the names of the arrays, all of one shape.
        targets: those of them that are written to.
        numbers: the names of the numbers.
        ones: those of them that are always 1: by which nothing is multiplied.

    A result is written over an array only when nobody reads any more what stands there.
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
        names = (*self.arrays, *self.numbers)
        inputs = [_variable(name) for name in names]
        given = {node.name: Symbol._of([Entry(node, 0)]) for node in inputs}
        outputs = _without_ones(
            [symbol._entries[0] for symbol in formula(**given)], {given[one]._entries[0] for one in ones}
        )
        self._outputs = _of_their_own([entry.node for entry in outputs], inputs)
        self._order = [node for node in topological(self._outputs) if node.op is not None]
        self._full = set(inputs[: len(self.arrays)])  # of the arrays' shape; everything else is one number
        for node in self._order:
            if not _reduces(node) and any(x.node in self._full for x in _operands(node)):
                self._full.add(node)
        # A mean looks at the whole array, so there can be no blocks then.
        self.is_blockwise = not any(map(_reduces, self._order))
        self._slots = {node: place for place, node in enumerate(inputs)}
        self._places = len(inputs)
        self._scratch: list[int] = []
        self._place(inputs)
        self._views: dict[tuple, list] = {}
        self._memory: dict[tuple, Any] = {}
        self._kernels: dict[Any, Any] = {}

    def _place(self, inputs: list[Node]) -> None:
        """Decide into which slot each result is written."""
        last = {x.node: k for k, node in enumerate(self._order) for x in _operands(node)}
        last |= dict.fromkeys(self._outputs, len(self._order))
        target_slots = [self.arrays.index(name) for name in self.targets]
        final = dict(zip(self._outputs, target_slots, strict=True))
        finished = {slot: self._order.index(node) for node, slot in final.items()}
        owner: dict[int, Node | None] = {slot: inputs[slot] for slot in target_slots}

        def is_free(slot: int, k: int, node: Node) -> bool:
            old = owner[slot]
            end = -1 if old is None else last.get(old, -1)
            places = [i for i, x in enumerate(node.inputs) if type(x) is Entry and x.node is old]
            return end < k or (end == k and all(i in node.op.inplace for i in places))

        for k, node in enumerate(self._order):
            if node not in self._full:
                self._slots[node] = self._new_place()
                continue
            # Its own target; else a target that waits for its new values; else scratch.
            waiting = [slot for slot in target_slots if node not in final and last[node] <= finished[slot]]
            wished = [final[node]] if node in final else waiting
            slot = next((s for s in (*wished, *self._scratch) if is_free(s, k, node)), None)
            if slot is None:
                slot = self._new_place()
                self._scratch.append(slot)
            owner[slot], self._slots[node] = node, slot
        self._calls = [(node.op, node.attributes, *self._call(node)) for node in self._order]
        self._copies = [(slot, self._slots[node]) for node, slot in final.items() if self._slots[node] != slot]

    def _new_place(self) -> int:
        self._places += 1
        return self._places - 1

    def _call(self, node: Node) -> tuple:
        """(the operands: slots, or numbers in a tuple of one; the slot of the result; whether it is an array there)."""
        operands = [self._slots[x.node] if type(x) is Entry else (x,) for x in node.inputs]
        return operands, self._slots[node], node in self._full

    def run(self, xp: Any, arrays: list, numbers: list) -> None:
        """Compute, and write the targets.

        Args:
            xp: the namespace of the device.
            arrays: of one shape and dtype, in the order of ``arrays``; in whatever order of memory.
            numbers: in the order of ``numbers``; Python's, or arrays of one element.
        """
        if arrays[0].dtype == HALF:  # squares of small halves would be 0
            wide = [array.astype("float32") for array in arrays]
            self.run(xp, wide, numbers)
            for name in self.targets:
                place = self.arrays.index(name)
                arrays[place][...] = wide[place]
            return
        compiled = self._kernel(xp, arrays[0].dtype)
        if compiled is not None:
            return compiled(*arrays, *numbers)
        if arrays[0].size <= BLOCK or not self.is_blockwise:
            return self._compute(xp, arrays, numbers)
        for block in _blocks(arrays):
            self._compute(xp, block, numbers)

    def _compute(self, xp: Any, arrays: list, numbers: list) -> None:
        slots = [*arrays, *numbers, *[None] * (self._places - len(arrays) - len(numbers))]
        for place, view in zip(self._scratch, self._room(xp, arrays[0]), strict=True):
            slots[place] = view
        for call, operands, out, is_array in self._resolved(xp):
            values = [slots[x] if type(x) is int else x[0] for x in operands]
            if is_array:
                result = call(*values, out=slots[out])
                if result is not slots[out]:
                    slots[out][...] = result
            else:
                slots[out] = call(*values)
        for target, source in self._copies:
            slots[target][...] = slots[source]

    def _resolved(self, xp: Any) -> list[tuple]:
        """The calls with the functions of this namespace."""
        found = self._kernels.get(id(xp))
        if found is None:
            found = self._kernels[id(xp)] = [
                (
                    getattr(xp, op.function) if op.function else functools.partial(op.forward, xp, **attributes),
                    *placed,
                )
                for op, attributes, *placed in self._calls
            ]
        return found

    def _room(self, xp: Any, like: Any) -> list:
        """Scratch arrays that lie in memory like ``like``: views of a few flat ones, kept for the next step."""
        if not self._scratch:
            return []
        key = id(xp), like.dtype, like.shape, like.strides
        found = self._views.get(key)
        if found is None:
            memory = self._memory.get(key[:2], ())
            if not memory or memory[0].size < like.size:
                if len(self._views) >= KEPT_VIEWS or memory:
                    self._views.clear()
                size = max(like.size, min(BLOCK, 2 * like.size))
                memory = self._memory[key[:2]] = [xp.empty(size, like.dtype) for _ in self._scratch]
            axes = sorted(range(like.ndim), key=lambda axis: -like.strides[axis])
            back = sorted(range(like.ndim), key=axes.__getitem__)
            shape = tuple(like.shape[axis] for axis in axes)
            found = [flat[: like.size].reshape(shape).transpose(back) for flat in memory]
            self._views[key] = found
        return found

    # --- one kernel for a GPU ---

    def _kernel(self, xp: Any, dtype: Any) -> Callable | None:
        """The whole program as one kernel, where the library makes kernels of C; None elsewhere."""
        make = getattr(xp, "ElementwiseKernel", None)
        source = self.source if make is not None and self.is_blockwise else None
        if source is None:
            return None
        kernel = self._kernels.get((id(xp), dtype))
        if kernel is None:
            read = [name for name in self.arrays if name not in self.targets]
            arguments = ", ".join(f"T x_{name}" for name in (*read, *self.numbers))
            results = ", ".join(f"T x_{name}" for name in self.targets)
            compiled = make(arguments, results, source, "update")
            order = [self.arrays.index(name) for name in read], [self.arrays.index(name) for name in self.targets]

            def kernel(*given: Any) -> None:
                numbers = given[len(self.arrays) :]
                compiled(*(given[k] for k in order[0]), *numbers, *(given[k] for k in order[1]))

            self._kernels[id(xp), dtype] = kernel
        return kernel

    @functools.cached_property
    def source(self) -> str | None:
        """The program in C, for one element of type T; None if one of its operations has no text in C."""
        if any(node.op.c is None or node.attributes for node in self._order):
            return None
        named = {node: f"x_{node.name}" for node in self._slots if node.op is None}
        lines = []
        for k, node in enumerate(self._order):
            operands = (named[x.node] if type(x) is Entry else f"T({float(x)!r})" for x in node.inputs)
            named[node] = f"t_{k}"
            lines.append(f"T t_{k} = {node.op.c.format(*operands)};")
        lines += [f"x_{name} = {named[node]};" for name, node in zip(self.targets, self._outputs, strict=True)]
        return "\n".join(lines)


def _variable(name: str) -> Node:
    node = Node(None, name=name)
    node.role = "argument"
    return node


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
        own.append(Symbol._of([Entry(node, 0)]).clone()._entries[0].node if copied else node)
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
