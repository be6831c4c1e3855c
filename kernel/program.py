"""Programs: a graph in one mode, compiled to a list of calls.

Compiling settles once what an eager call finds out each time: shapes, dtypes, conversions, where each result lies,
which rules are needed. What is left for a pass is a list of calls of NumPy on arrays that stay where they are.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy

from .errors import DeviceError, DtypeError, ShapeError, in_words
from .op import ArrayType, Kind, is_float, require_fits, spell
from .plan import Plan, Value, allocate
from .signature import Signature
from .symbol import Entry, Node, by_mode, substitute, topological
from .tape import serials
from .tensor import Tensor, _as_array, _of_kind
from .xp import default_generator

WRITTEN = object()  # stands for a gradient that is already where it belongs
_PLAIN_ERRORS = (ShapeError, DtypeError, OverflowError, IndexError, MemoryError)


# --- a graph in one of its two modes ---


def specialise(entries: Iterable[Entry], training: bool) -> tuple[list[Entry], list[tuple[Node, Entry]], list[Node]]:
    """The graph as training, or use, runs it: (outputs, (variable, its new value) to be written, nodes in order).

    Where a layer is called twice, the second call goes on from the running statistics that the first one leaves.
    """
    updates: dict[Node, tuple] = {}

    def settled(x: Any) -> Any:
        while type(x) is Entry and x.node.op is by_mode:
            if training and x.node.updates:
                updates[x.node] = x.node.updates
            x = x.node.inputs[0 if training else 1]
        return x

    def through(node: Node) -> Iterable:
        return map(settled, node.inputs)

    outputs, written = [settled(entry) for entry in entries], -1
    while written < len(updates):  # what is to be written may itself depend on the mode
        written = len(updates)
        values = [settled(value) for some in list(updates.values()) for _, value in some]
        order = topological([entry.node for entry in (*outputs, *values)], through)
    made: dict[Node, Node] = {}

    def now(x: Any) -> Any:
        x = settled(x)
        return Entry(made.get(x.node, x.node), x.index) if type(x) is Entry else x

    for node in order:
        inputs = tuple(map(now, node.inputs))
        if inputs != node.inputs:
            made[node] = Node(node.op, inputs, node.attributes, node.name)
    outputs = [now(entry) for entry in outputs]
    turn = {node: number for number, node in enumerate(order)}
    latest: dict[Node, Entry] = {}
    for node in sorted(updates, key=lambda node: turn[settled(node.inputs[0]).node]):
        states = [target.node for target, _ in updates[node]]
        values = [now(value) for _, value in updates[node]]
        if not latest.keys().isdisjoint(states):
            values = substitute(values, latest)
        latest.update(zip(states, values, strict=True))
    ends = [entry.node for entry in (*outputs, *latest.values())]
    return outputs, list(latest.items()), topological([*ends, *latest])


# --- one mode of an executor, compiled ---


class _Call:
    """One node on its way to being a step: its operands and results as values, and what is known of the call."""

    __slots__ = ("casts", "node", "operands", "outputs", "record", "residuals", "signature", "step")

    def __init__(self, node: Node, step: int):
        self.node, self.step = node, step
        self.record = None
        self.casts: dict[int, Value] = {}
        self.residuals: list[Value] = []


class Program:
    """A graph in one mode, with memory for all that comes up in it, as lists of calls without arguments."""

    def __init__(self, executor: Any, training: bool):
        self.device, self.training = executor.device, training
        self.outputs, self.updates, self.order = specialise(executor.entries, training)
        self.bound = {node: executor.tensor_of(node) for node in self.order if node.op is None and node.role != "draw"}
        self.gradients = executor.gradients if training else {}
        self.stale = [(t, t._array) for t in self.bound.values()]
        self.written = [t._written for t in self.bound.values()]
        self.values: dict[tuple[Node, int], Value] = {}
        self.spoilt = ""  # why there is no way back, where that is so
        with self.device.guard():
            self._trace()
            self._differentiate()
            self._plan()
            self._compile()

    # --- what there is ---

    def _trace(self) -> None:
        """Compute once, with what the arrays hold now, to learn how each operation lays out its results."""
        self.calls: list[_Call] = []
        self.layouts: dict[Value, tuple | None] = {}
        self.arrays: dict[Value, Any] = {}  # of variables for good; while tracing, of everything
        self.draws = {node: [0] for node in self.order if node.role == "draw"}
        for node, t in self.bound.items():
            value = self.values[node, 0] = Value(node.name, t._kind, 0, -1)
            value.place = "bound"
            self.arrays[value] = t._array
        last = {x: node for node in self.order for x in node.inputs if type(x) is Entry}
        with numpy.errstate(all="ignore"):  # of numbers that nobody has asked for yet
            for node in self.order:
                if node.op is None:
                    continue
                call = _Call(node, len(self.calls))
                self._trace_call(call)
                self.calls.append(call)
                for x in node.inputs:
                    if type(x) is Entry and last[x] is node and x.node.op is not None:
                        self.arrays[self.values[x]] = None
        for value in self.values.values():
            if value.place != "bound":
                self.arrays[value] = None

    def _trace_call(self, call: _Call) -> None:
        node, xp = call.node, self.device.xp
        call.operands = [self.values[x] if type(x) is Entry and x.node.role != "draw" else x for x in node.inputs]
        kinds = tuple(_kind_of(x) for x in call.operands)
        try:
            signature = call.signature = Signature(node.op, kinds, node.attributes)
        except (ShapeError, DtypeError, DeviceError) as error:
            raise type(error)(f"{node.name}: {error}") from None
        if node.op.moves:
            raise DeviceError(f"{node.name}: a graph stays on one device; move its arrays before they are bound.")
        arrays = [self._now(x) for x in call.operands]
        for i, dtype in signature.casts:
            if type(call.operands[i]) is Value:
                arrays[i] = arrays[i].astype(dtype)
                call.casts[i] = self._value(f"{node.name}: {node.op.argument(i)} as {dtype}", arrays[i], call)
            else:
                require_fits(f"{node.name}: argument {node.op.argument(i)}", arrays[i], dtype)
                call.operands[i] = arrays[i] = xp.asarray(arrays[i]).astype(dtype)
        try:
            outputs, residuals = signature.unpack(signature.compute(*arrays))
        except _PLAIN_ERRORS as error:
            raise in_words(f"{node.name} ({node.op.name})", error) from None
        call.outputs = []
        for k, array in enumerate(outputs):
            array = _as_array(array, self.device)
            signature.verify(array, signature.outputs[k])
            value = self.values[node, k] = self._value(node.output_name(k), array, call)
            call.outputs.append(value)
            self._find_memory(value, array, call, arrays)
            self.arrays[value] = array
        for name, array in zip(node.op.residuals, residuals, strict=True):
            value = self._value(f"{node.name}: {name}", array, call)
            value.place = "residual"
            call.residuals.append(value)

    def _value(self, name: str, array: Any, call: _Call) -> Value:
        value = Value(name, Kind.of(array.shape, array.dtype, self.device), array.nbytes, call.step)
        self.layouts[value] = _layout(array)
        return value

    def _find_memory(self, value: Value, array: Any, call: _Call, arrays: list) -> None:
        """Whether a result is a view of an operand, and whether memory for it can be planned."""
        may_share = self.device.xp.may_share_memory
        for i, x in enumerate(call.operands):
            if type(x) is Value and array.size and may_share(array, arrays[i]):
                value.lie_in("view", call.casts.get(i, x))
                return
        if self.layouts[value] is None:
            value.place = "operation"

    def _now(self, x: Any) -> Any:
        """An operand as it is while tracing."""
        if type(x) is Value:
            return self.arrays[x]
        return 0 if type(x) is Entry else x

    # --- who needs gradients ---

    def _differentiate(self) -> None:
        """Which operands need a gradient, and which nodes get one: only those keep what their rules read."""
        learned = [
            node for node, (_, gradient) in self.gradients.items() if gradient is not None and node in self.bound
        ]
        wanting = {self.values[node, 0] for node in learned if is_float(self.bound[node].dtype)}
        for call in self.calls:
            wanted = sum(1 << i for i, x in enumerate(call.operands) if type(x) is Value and x in wanting)
            if wanted:
                record = call.signature.record(wanted)
                if record.needs:
                    call.record = record
                    wanting |= {value for value in call.outputs if is_float(value.type.dtype)}
        reached = {self.values[entry] for entry in self.outputs if self.values[entry] in wanting}
        for call in reversed(self.calls):
            if call.record is None or reached.isdisjoint(call.outputs):
                call.record = None
                continue
            reached |= {call.operands[i] for i in call.record.needs}
        self.reached = reached
        self.asked = {self.values[node, 0]: asked for node, asked in self.gradients.items() if node in self.bound}
        self.contributions = collections.Counter(self.values[entry] for entry in self.outputs)
        for call in self.calls:
            if call.record is not None:
                self.contributions.update(call.operands[i] for i in call.record.needs)

    # --- how long each value lives, and where ---

    def _plan(self) -> None:
        forward = len(self.calls)
        steps = self.steps = 2 * forward if self.training else forward
        states = {self.values[target, 0] for target, _ in self.updates}
        for call in self.calls:
            backward = steps - 1 - call.step
            for i, x in enumerate(call.operands):
                if type(x) is Value:
                    x.read(call.step)
                    if call.record is not None and i in call.record.read:
                        call.casts.get(i, x).read(backward)
                        if i not in call.casts and x.root in states:
                            self.spoilt = (
                                f"{call.node.name} needs {x.root.name} as it was before this pass wrote to it; let "
                                "it read a copy that is made in the graph"
                            )
            if call.record is None or not call.record.keep_residuals:
                call.residuals = []
            for value in call.residuals:
                value.read(backward)
            for value in call.outputs if call.record is not None and call.record.keep_output else ():
                value.read(backward)
        for entry in self.outputs:
            self.values[entry].read(steps)
        for _, entry in self.updates:
            self.values[entry].read(forward)
        for call in self.calls:
            self._write_over(call)
        listed = []
        for call in self.calls:
            listed += [*call.casts.values(), *call.outputs, *call.residuals]
        self.plan = Plan(listed, allocate(listed), self._gradient_bytes(), steps)

    def _write_over(self, call: _Call) -> None:
        """Let the result of ``call`` take the memory of an operand that dies here, if the operation allows it."""
        op, value = call.node.op, call.outputs[0]
        if op.outputs > 1 or value.place != "buffer" or not value.size:
            return
        for i in op.inplace:
            x = call.operands[i] if i < len(call.operands) else None
            if type(x) is not Value or i in call.casts or x.root.place != "buffer" or x.root.death != call.step:
                continue
            same = x.type is value.type and self.layouts[x] == self.layouts[value] is not None
            others = [y for y in (*call.operands, *call.casts.values()) if type(y) is Value and y is not x]
            if same and x.size == x.root.size and all(y.root is not x.root for y in others):
                value.lie_in("in place", x)
                return

    def _gradient_bytes(self) -> int:
        """The most that gradients take at a time, beside the arrays that they end in and the memory of dead values."""
        alive = {self.values[entry]: _bytes(self.values[entry]) for entry in self.outputs}
        alive = {value: size for value, size in alive.items() if value in self.reached}
        most = sum(alive.values())
        for call in reversed(self.calls):
            if call.record is None:
                continue
            over = self._may_overwrite(call)
            born = {call.operands[i]: 0 if over else _bytes(call.operands[i]) for i in call.record.needs}
            now = {**alive, **{value: size for value, size in born.items() if value not in alive}}
            most = max(most, sum(now.values()))
            gone = {*call.outputs, *(value for value in born if self._leaf(value) is not None)}
            alive = {value: size for value, size in now.items() if value not in gone}
        return most

    # --- the calls ---

    def _compile(self) -> None:
        xp = self.device.xp
        self.memory = xp.empty(self.plan.bytes, "uint8") if self.plan.bytes else None
        self.forward_steps: list[Callable] = []
        self.names: list[str] = []
        self.slots: dict[Any, list] = {}  # of what each pass makes anew: [array]
        for call in self.calls:
            for i, value in call.casts.items():
                self._place(value)
                self._add(call, self._copy(call.operands[i], value))
            self._compile_forward(call)
        for target, entry in self.updates:
            self._add(None, self._copy(self.values[entry], self.values[target, 0]))
        self.numbers: dict[Value, int] = {}
        self.backward_steps = [self._compile_backward(call) for call in reversed(self.calls) if call.record is not None]
        reached = [self.values[entry] for entry in self.outputs]
        self.heads = [self._number(value) if value in self.reached else None for value in reached]
        counters = {self.values[node, 0]: t._written for node, t in self.bound.items()}
        self.tensors = [self._output(entry, counters) for entry in self.outputs]
        self.written += [t._written for t in self.tensors]
        values = [self.values[entry] for entry in self.outputs]
        self.passing = [(t, self.slots[v]) for t, v in zip(self.tensors, values, strict=True) if v in self.slots]
        self.rewritten = [t._written for t, v in zip(self.tensors, values, strict=True) if v.root.place != "bound"]
        self.rewritten += [self.bound[target]._written for target, _ in self.updates]
        self.own_heads, self.why_no_heads = self._own_heads()
        self.leaves = []  # (whether to add, the tensor for the gradient, the gradient's number)
        for node, (request, gradient) in self.gradients.items():
            if gradient is not None:
                value = self.values.get((node, 0))
                self.leaves.append((request == "add", gradient, self.numbers.get(value)))
        at_once = {id(leaf) for step in self.backward_steps for _, leaf in step[2] if leaf is not None}
        self.late = [facts for facts in self.leaves if id(facts[1]) not in at_once]

    def _place(self, value: Value) -> None:
        """Give ``value`` its array, or a slot for what each pass makes anew."""
        if value.place in ("operation", "residual"):
            self.slots[value] = [None]
            return
        xp, (axes, back) = self.device.xp, self.layouts[value]
        shape = tuple(value.type.shape[a] for a in axes)
        if value.size:
            offset = value.root.offset
            block = self.memory[offset : offset + value.size].view(value.type.dtype)
            self.arrays[value] = block.reshape(shape).transpose(back)
        else:
            self.arrays[value] = xp.empty(shape, value.type.dtype).transpose(back)

    # Steps hold arrays and slots, not the program: nothing then goes round in a circle, and memory is free at once.

    def _copy(self, source: Value, target: Value) -> Callable:
        copyto, into, slot = self.device.xp.copyto, self.arrays[target], self._slot(source)
        if source in self.slots:
            return lambda: copyto(into, slot[0], casting="unsafe")
        return functools.partial(copyto, into, slot[0], casting="unsafe")

    def _slot(self, x: Any) -> list:
        """[an operand as it is in this pass]."""
        if type(x) is Value:
            return self.slots[x] if x in self.slots else [self.arrays[x]]
        return self.draws[x.node] if type(x) is Entry else [x]

    def _read(self, x: Any) -> Any:
        """An operand as it is now."""
        return self._slot(x)[0]

    def _add(self, call: _Call | None, step: Callable) -> None:
        self.forward_steps.append(step)
        self.names.append("" if call is None else f"{call.node.name} ({call.node.op.name})")

    def _compile_forward(self, call: _Call) -> None:
        op, compute = call.node.op, call.signature.compute
        operands = [call.casts.get(i, x) for i, x in enumerate(call.operands)]
        moving = any(x in self.slots if type(x) is Value else type(x) is Entry for x in operands)
        if all(value.place == "view" for value in call.outputs) and not moving:
            outputs, _ = call.signature.unpack(compute(*map(self._read, operands)))
            self.arrays.update(zip(call.outputs, outputs, strict=True))
            return  # a view of memory that stays where it is: nothing is left to do
        for value in call.outputs:
            if value.place == "view":
                self.slots[value] = [None]
            else:
                self._place(value)
        for value in call.residuals:
            self._place(value)
        fixed = not any(value in self.slots for value in call.outputs)
        out = tuple(self.arrays[value] for value in call.outputs) if fixed else None
        single = op.outputs == 1 and not op.residuals
        if fixed and single and not moving:
            (out,) = out
            arrays = [self._read(x) for x in operands]
            self._add(call, functools.partial(compute, *arrays, out=out))
            return
        if fixed:
            compute = functools.partial(compute, out=out[0] if single else out)
        made = [] if fixed else [self.slots.get(value) for value in call.outputs]
        kept = [self.slots[value] for value in call.residuals]
        unpack, into = call.signature.unpack, [self.arrays.get(value) for value in call.outputs]
        given = [self._slot(x) for x in operands]

        def step() -> None:
            outputs, residuals = unpack(compute(*[slot[0] for slot in given]))
            for slot, array, target in zip(made, outputs, into, strict=False):
                if slot is None:
                    target[...] = array
                else:
                    slot[0] = array
            for slot, array in zip(kept, residuals, strict=False):  # all of them, or none
                slot[0] = array

        self._add(call, step)

    def _compile_backward(self, call: _Call) -> tuple:
        """One node on the way back: (rules, number of its gradient, those of its operands, output, what is read, …).

        Gradients are filed by number. What rules read is a list that stands ready, but for what each pass makes anew.
        """
        record, saved, moving = call.record, [], []
        for i, x in enumerate(call.operands):
            value = call.casts.get(i, x)
            if type(x) is Entry:
                moving.append((saved, i, self.draws[x.node]))
            elif type(x) is Value and i in record.read and value in self.slots:
                moving.append((saved, i, self.slots[value]))
            read = type(x) is not Value or i in record.read
            saved.append(self._read(value) if read else call.signature.inputs[i])
        moving += [(saved, len(saved) + k, self.slots[value]) for k, value in enumerate(call.residuals)]
        saved += [None] * len(call.node.op.residuals)
        outputs: list[Any] = []
        for k, value in enumerate(call.outputs if record.keep_output else ()):
            if value in self.slots:
                moving.append((outputs, k, self.slots[value]))
            outputs.append(self._read(value))
        numbers = tuple(map(self._number, call.outputs))
        outgoing = tuple((self._number(x), self._leaf(x)) for x in (call.operands[i] for i in record.needs))
        over = record.rules[0][0] if self._may_overwrite(call) else None
        output = tuple(outputs) if not record.single else outputs[0] if outputs else None
        special, zeros = None, self.device.xp.zeros
        if moving or not record.single:

            def special(g: Any, gradients: list) -> tuple:
                """(gradient, output) where there are several outputs, or arrays that each pass makes anew."""
                if not record.single:
                    g = _several(call, [g, *(gradients[number] for number in numbers[1:])], zeros)
                for into, i, slot in moving:
                    into[i] = slot[0]
                return g, tuple(outputs) if not record.single else outputs[0] if outputs else None

        return record.parts, numbers[0], outgoing, output, saved, over, special

    def _leaf(self, value: Value) -> Tensor | None:
        """The tensor for the gradient of a variable that gets it from one place, and so can be written at once."""
        request, gradient = self.asked.get(value, ("null", None))
        return gradient if request == "write" and self.contributions[value] == 1 else None

    def _may_overwrite(self, call: _Call) -> bool:
        """Whether the rule of ``call`` may write the gradient over the output, which nobody reads after it."""
        value = call.outputs[0]
        x = call.operands[0]
        return (
            call.node.op.overwrites
            and call.record.needs == (0,)
            and 0 not in call.casts
            and value.place in ("buffer", "in place")
            and x.type is value.type
            and value.size == value.root.size
            and value.root.death == self.steps - 1 - call.step
        )

    def _number(self, value: Value) -> int:
        """The place of the gradient of ``value`` in a walk back."""
        return self.numbers.setdefault(value, len(self.numbers))

    def _own_heads(self) -> tuple[list | None, str]:
        """The gradients of the outputs where nobody gives any, or None and the reason why somebody must."""
        heads: list = []
        for entry, output in zip(self.outputs, self.tensors, strict=True):
            value = self.values[entry]
            if value not in self.reached:
                heads.append(None)
            elif value.type.shape != () and not (entry.node.op is not None and entry.node.op.is_loss):
                return None, (
                    f"backward: output {value.name} has shape {spell(value.type.shape)}; say what gradient comes from "
                    "behind, as backward(kernel.ones(…)), or end the graph in a loss."
                )
            else:  # the rules of a loss do not look at it
                shape = value.type.shape
                heads.append(self.device.xp.ones((), value.type.dtype) if shape == () else output._array)
        return heads, ""

    def _output(self, entry: Entry, counters: dict[Value, list]) -> Tensor:
        """A tensor for an output; a view counts what is written with what it is a view of."""
        value = self.values[entry]
        if entry.node in self.bound:
            return self.bound[entry.node]
        array = self.arrays.get(value) if value not in self.slots else None
        t = _of_kind(array, value.type)
        t._written = counters.setdefault(value.root, t._written)
        return t

    # --- running ---

    def forward(self) -> None:
        """One pass; what comes out is in ``tensors``."""
        for node, seed in self.draws.items():
            seed[0] = int((node.value or default_generator).host.integers(2**63)) if self.training else 0
        done = 0
        with self.device.guard():
            try:
                for step in self.forward_steps:
                    step()
                    done += 1
            except _PLAIN_ERRORS as error:
                raise in_words(self.names[done], error) from None
        for output, slot in self.passing:
            output._array = slot[0]
        for written in self.rewritten:
            written[0] = next(serials)

    def backward(self, heads: list) -> None:
        """Write the gradients of the variables that want one, given those of the outputs, None for no gradient."""
        gradients: list = [None] * len(self.numbers)
        complete = True
        for number, head in zip(self.heads, heads, strict=True):
            if number is not None and head is not None:
                known = gradients[number]
                gradients[number] = head if known is None else known + head
        for parts, first, outgoing, output, saved, over, special in self.backward_steps:
            g, gradients[first] = gradients[first], None
            if special is not None:
                g, output = special(g, gradients)
            if g is None:
                complete = False
                continue
            if over is not None and g.strides == output.strides:
                found = (over(g, output, *saved, out=output),)
            else:
                found = parts(g, output, saved)
            for (number, leaf), part in zip(outgoing, found):  # noqa: B905
                if leaf is None:
                    known = gradients[number]
                    gradients[number] = part if known is None else known + part
                else:
                    leaf._array[...] = part
                    leaf._written[0] = next(serials)
                    gradients[number] = WRITTEN
        for add, leaf, number in self.late if complete else self.leaves:
            found, array = None if number is None else gradients[number], leaf._array
            if found is WRITTEN:
                continue
            if add:
                if found is not None:
                    array += found
            elif found is None:
                array.fill(0)
            else:
                array[...] = found
            leaf._written[0] = next(serials)


def _several(call: _Call, parts: list, zeros: Callable) -> tuple | None:
    """The gradients of several outputs, with zeros for floats that none reached; None if none reached any."""
    if all(part is None for part in parts):
        return None
    return tuple(
        zeros(v.type.shape, v.type.dtype) if part is None and v.type.dtype.kind == "f" else part
        for v, part in zip(call.outputs, parts, strict=True)
    )


def _layout(array: Any) -> tuple | None:
    """How an array lies in memory: (its axes from the slowest to the fastest, the way back); None if it has gaps."""
    ways = [tuple(sorted(range(array.ndim), key=lambda a: (-array.strides[a], sign * a))) for sign in (1, -1)]
    dense = [axes for axes in ways if array.transpose(axes).flags.c_contiguous]
    if not dense:
        return None
    # Where an axis of size 1 stands is a matter of taste to all but products of matrices: take the exact strides.
    axes = next((axes for axes in dense if _strides(array, axes) == array.strides), dense[0])
    return axes, tuple(sorted(range(array.ndim), key=axes.__getitem__))


def _strides(array: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Those that an array of this shape has when its axes, in this order, go from the slowest to the fastest."""
    strides, step = [0] * array.ndim, array.itemsize
    for a in reversed(axes):
        strides[a] = step
        step *= array.shape[a]
    return tuple(strides)


def _kind_of(x: Any) -> ArrayType:
    if type(x) is Value:
        return x.type
    return ArrayType((), int if type(x) is Entry else type(x))


def _bytes(value: Value) -> int:
    size = value.type.dtype.itemsize
    for length in value.type.shape:
        size *= length
    return size
