"""Executors: a graph bound to arrays, with its memory planned, ready to run forward and backward.

Binding settles once what an eager call finds out each time: shapes, dtypes, conversions, where each result lies, which
rules are needed. What is left for a pass is a list of calls of NumPy on arrays that stay where they are.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy

from .creation import tensor
from .errors import DeviceError, DtypeError, GradError, ShapeError, in_words, show
from .op import ArrayType, Kind, is_float, require_fits, require_flag, spell
from .plan import Plan, Value, allocate
from .signature import Signature
from .symbol import Entry, Node, Symbol, by_mode, complete, infer_types, is_known, topological
from .tape import no_grad, serials
from .tensor import Tensor, _as_array, _is_read_only, _of_kind
from .xp import Device, default_generator
from .xp import device as device_of

REQUESTS = ("write", "add", "null")
WRITTEN = object()  # stands for a gradient that is already where it belongs
_PLAIN_ERRORS = (ShapeError, DtypeError, OverflowError, IndexError, MemoryError)


# --- a graph in one of its two modes ---


def specialise(entries: Iterable[Entry], training: bool) -> tuple[list[Entry], list[tuple[Node, Entry]], list[Node]]:
    """The graph as training, or use, runs it: (outputs, (variable, its new value) to be written, nodes in order)."""
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
        targets = [(target.node, settled(value)) for some in list(updates.values()) for target, value in some]
        order = topological([entry.node for entry in (*outputs, *(value for _, value in targets))], through)
    made: dict[Node, Node] = {}

    def now(x: Any) -> Any:
        x = settled(x)
        return Entry(made.get(x.node, x.node), x.index) if type(x) is Entry else x

    for node in order:
        inputs = tuple(map(now, node.inputs))
        if inputs != node.inputs:
            made[node] = Node(node.op, inputs, node.attributes, node.name)
    order = [made.get(node, node) for node in order]
    return [now(entry) for entry in outputs], [(node, now(value)) for node, value in targets], order


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

    def __init__(self, executor: Executor, training: bool):
        self.device, self.training = executor.device, training
        self.outputs, self.updates, self.order = specialise(executor.entries, training)
        self.bound = {node: executor.tensor_of(node) for node in self.order if node.op is None and node.role != "draw"}
        self.gradients = executor.gradients if training else {}
        self.stale = [(t, t._array) for t in self.bound.values()]
        self.written = [t._written for t in self.bound.values()]
        self.values: dict[tuple[Node, int], Value] = {}
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
        for call in self.calls:
            backward = steps - 1 - call.step
            for i, x in enumerate(call.operands):
                if type(x) is Value:
                    x.read(call.step)
                    if call.record is not None and i in call.record.read:
                        call.casts.get(i, x).read(backward)
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
        self.tensors = [self._output(entry) for entry in self.outputs]
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

    def _copy(self, source: Value, target: Value) -> Callable:
        xp = self.device.xp
        if source in self.slots:
            return lambda: xp.copyto(self._read(target), self._read(source), casting="unsafe")
        return functools.partial(xp.copyto, self.arrays[target], self.arrays[source], casting="unsafe")

    def _read(self, x: Any) -> Any:
        """An operand as it is in this pass."""
        if type(x) is Value:
            return self.slots[x][0] if x in self.slots else self.arrays[x]
        return self.draws[x.node][0] if type(x) is Entry else x

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
        unpack, read, into = call.signature.unpack, self._read, [self.arrays.get(value) for value in call.outputs]

        def step() -> None:
            outputs, residuals = unpack(compute(*map(read, operands)))
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
        special = None
        if moving or not record.single:

            def special(g: Any, gradients: list) -> tuple:
                """(gradient, output) where there are several outputs, or arrays that each pass makes anew."""
                if not record.single:
                    g = self._several(call, [g, *(gradients[number] for number in numbers[1:])])
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

    def _output(self, entry: Entry) -> Tensor:
        value = self.values[entry]
        if entry.node in self.bound:
            return self.bound[entry.node]
        array = self.arrays.get(value) if value not in self.slots else None
        return _of_kind(array, value.type)

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
        for entry, output in zip(self.outputs, self.tensors, strict=True):
            value = self.values[entry]
            if value in self.slots:
                output._array = self.slots[value][0]
            if value.place != "bound":
                output._written[0] = next(serials)
        for target, _ in self.updates:
            self.bound[target]._written[0] = next(serials)

    def backward(self, heads: list) -> None:
        """Write the gradients of the variables that want one, given those of the outputs, None for no gradient."""
        gradients: list = [None] * len(self.numbers)
        write, complete = self.device.xp.copyto, True
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
                    write(leaf._array, part)
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
                write(array, found)
            leaf._written[0] = next(serials)

    def _several(self, call: _Call, parts: list) -> tuple | None:
        """The gradients of several outputs, with zeros for floats that none reached; None if none reached any."""
        if all(part is None for part in parts):
            return None
        zeros = self.device.xp.zeros
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


# --- the executor ---


class Executor:
    """A graph with arrays for its variables, and for their gradients.

    ``symbol.simple_bind`` and ``symbol.bind`` make one. The arrays are kernel tensors that stay the same objects: write
    to them (``executor.arg_dict["data"][:] = x``), run ``forward``, read ``outputs``. The next ``forward`` overwrites
    the outputs.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=1, name="fc")
    >>> executor = net.simple_bind(data=(2, 3))
    >>> executor.copy_params_from({"fc_weight": kernel.ones(1, 3), "fc_bias": kernel.zeros(1)})
    >>> executor.forward(is_train=True, data=[[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    [tensor([[6.],
            [1.]])]
    >>> executor.backward(kernel.ones(2, 1))
    >>> executor.grad_dict["fc_weight"]
    tensor([[1., 2., 4.]])
    """

    def __init__(self, symbol: Symbol, device: Device, given: Mapping[Node, Tensor], gradients: Mapping[Node, Any]):
        self.symbol, self.device, self.entries = symbol, device, symbol._entries
        self._given, self.gradients = dict(given), dict(gradients)
        self._arguments, self._auxiliary = symbol._variables("argument"), symbol._variables("auxiliary")
        self._programs: dict[bool, Program] = {}
        self._last: Program | None = None
        self._seen: list[int] = []
        self._spent = False  # whether backward has been run since the last forward

    def tensor_of(self, node: Node) -> Tensor:
        """What a variable is bound to."""
        return self._given.get(node, node.value)

    # --- arrays ---

    @property
    def arg_arrays(self) -> list[Tensor]:
        """The tensors of the arguments, in the order of ``symbol.list_arguments()``."""
        return [self.tensor_of(node) for node in self._arguments]

    @property
    def grad_arrays(self) -> list[Tensor | None]:
        """The tensors that backward writes gradients to; None for an argument that wants none."""
        return [self.gradients[node][1] for node in self._arguments]

    @property
    def aux_arrays(self) -> list[Tensor]:
        """The tensors of the auxiliary states."""
        return [self.tensor_of(node) for node in self._auxiliary]

    @property
    def outputs(self) -> list[Tensor]:
        """What the last forward computed."""
        if self._last is None:
            raise GradError("outputs: there are none yet; call forward first.")
        return list(self._last.tensors)

    @property
    def arg_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of the arguments."""
        return {node.name: self.tensor_of(node) for node in self._arguments}

    @property
    def grad_dict(self) -> dict[str, Tensor | None]:
        """{name: gradient} of the arguments."""
        return {node.name: self.gradients[node][1] for node in self._arguments}

    @property
    def aux_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of the auxiliary states."""
        return {node.name: self.tensor_of(node) for node in self._auxiliary}

    @property
    def output_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of what the last forward computed."""
        return dict(zip(self.symbol.list_outputs(), self.outputs, strict=True))

    # --- running ---

    def _program(self, training: bool) -> Program:
        program = self._programs.get(training)
        if program is not None:
            for t, array in program.stale:
                if t._array is not array:  # it was moved to another device, or given other data
                    break
            else:
                return program
        if self._last is program:
            self._last = None
        program = self._programs[training] = Program(self, training)
        return program

    def plan(self, is_train: bool = True) -> Plan:
        """What memory a pass takes and where each value lies; prints as a table.

        >>> from kernel import sym
        >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
        >>> net = sym.Activation(net, act_type="relu", name="relu")
        >>> net.simple_bind(data=(2, 4)).plan(is_train=False)
        value        shape   bytes  place                  steps
        fc_output    (2, 3)     24  at 0                   0-2
        relu_output  (2, 3)     24  in place of fc_output  1-2
        64 bytes planned; 128 if every value had its own.
        """
        require_flag("plan: is_train", is_train)
        return self._program(is_train).plan

    def order(self, is_train: bool = True) -> list[Node]:
        """The nodes in the order of computing, as a pass in training, or in use, runs them."""
        require_flag("order: is_train", is_train)
        return list(self._program(is_train).order)

    def forward(self, is_train: bool = False, **arrays: Any) -> list[Tensor]:
        """Compute the outputs from what the arrays hold now.

        Args:
            is_train: whether backward may follow, dropout drops and running statistics are updated.
            arrays: new contents of arguments, by name; they are copied.

        Returns ``outputs``.
        """
        require_flag("forward: is_train", is_train)
        if arrays:
            self._write("forward", arrays, self.arg_dict)
        program = self._program(bool(is_train))
        program.forward()
        self._last, self._spent = program, False
        self._seen = [written[0] for written in program.written]
        return list(program.tensors)

    def backward(self, out_grads: Any = None) -> None:
        """Write (or add) the gradients of the arguments that want them to ``grad_arrays``.

        Args:
            out_grads: the gradient of each output, a tensor or an array, or a list of them; None in it for an output
                whose gradient is 0. It may be left out where every output is one number, or ends in a loss that has no
                use for it.
        """
        program = self._last
        if program is None or not program.training:
            raise GradError("backward: the last forward was not in training; call forward(is_train=True) first.")
        if self._seen != [written[0] for written in program.written]:
            raise GradError(
                "backward: an argument was written to after forward, and the gradient would mix the two; call forward "
                "again."
            )
        heads = self._heads(program, out_grads)
        if self._spent:
            raise GradError("backward: it has been run since the last forward and took its memory; call forward again.")
        self._spent = True
        with self.device.guard():
            program.backward(heads)

    def _heads(self, program: Program, out_grads: Any) -> list:
        if out_grads is None:
            if program.own_heads is None:
                raise GradError(program.why_no_heads)
            return program.own_heads
        given = list(out_grads) if isinstance(out_grads, list | tuple) else [out_grads]
        if len(given) != len(program.tensors):
            raise ShapeError(
                f"backward: there are {len(program.tensors)} outputs, but gradients for {len(given)} came."
            )
        names = self.symbol.list_outputs()
        return [self._given_head(*facts) for facts in zip(given, program.tensors, names, strict=True)]

    def _given_head(self, gradient: Any, output: Tensor, name: str) -> Any:
        if gradient is None:
            return None
        given = gradient.detach() if isinstance(gradient, Tensor) else tensor(gradient, device=self.device)
        if given.device is not self.device:
            raise DeviceError(
                f"backward: the gradient of {name} is on {given.device}, not on {self.device}; use .to()."
            )
        if given.shape != output.shape:
            raise ShapeError(
                f"backward: the gradient of {name} should have shape {spell(output.shape)}, but it has shape "
                f"{spell(given.shape)}."
            )
        return given.astype(output.dtype)._array

    # --- contents ---

    def _write(self, what: str, arrays: Mapping[str, Any], into: Mapping[str, Tensor]) -> None:
        """Copy arrays into tensors by name, all or none."""
        values = {}
        for name, value in arrays.items():
            target = into.get(name)
            if target is None:
                raise ShapeError(f"{what}: there is nothing called {show(name)}; there are {', '.join(into)}.")
            value = value.detach() if isinstance(value, Tensor) else tensor(value, dtype=_dtype_for(value, target))
            if value.shape != target.shape:
                raise ShapeError(
                    f"{what}: {name} should have shape {spell(target.shape)}, but {spell(value.shape)} came; for other "
                    "shapes use executor.reshape(…)."
                )
            if is_float(value.dtype) and not is_float(target.dtype):
                raise DtypeError(f"{what}: {name} is {target.dtype}, but {value.dtype} came; convert it with .long().")
            values[name] = value.to(self.device)
        with no_grad():
            for name, value in values.items():
                into[name].copy_(value)

    def copy_params_from(
        self,
        arg_params: Mapping[str, Any],
        aux_params: Mapping[str, Any] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy values by name into arguments and auxiliary states; all of them, or nothing.

        Raises ShapeError for another shape and, unless ``allow_extra_params``, for a name that the graph has not got.
        """
        for given, into in ((arg_params, self.arg_dict), (aux_params or {}, self.aux_dict)):
            if not isinstance(given, Mapping):
                raise DtypeError(f"copy_params_from: {{name: values}} was expected, but {show(given)} came.")
            for name in given:
                if name not in into and not allow_extra_params:
                    raise ShapeError(
                        f"copy_params_from: there is nothing called {show(name)}; there are {', '.join(into)}. With "
                        "allow_extra_params=True what is not known is left out."
                    )
        everything = self.arg_dict | self.aux_dict
        wanted = {**arg_params, **(aux_params or {})}
        self._write("copy_params_from", {k: v for k, v in wanted.items() if k in everything}, everything)

    def reshape(self, partial_shaping: bool = False, **shapes: Any) -> Executor:
        """An executor of the same graph for other shapes; arrays whose shape stays are shared with this one.

        Args:
            partial_shaping: whether arguments that are not named may change their shape too.
            shapes: the new ones, by name.
        """
        require_flag("reshape: partial_shaping", partial_shaping)
        types, by_name = self._types_for(shapes, partial_shaping)
        given, gradients = {}, {}
        for node in (*self._arguments, *self._auxiliary):
            t, shape = self.tensor_of(node), types[node][0].shape
            if shape != t.shape and node.name not in by_name and not partial_shaping:
                raise ShapeError(
                    f"reshape: {node.name} would get shape {spell(shape)} for {spell(t.shape)}, though it was not "
                    "named; give its shape too, or allow it with partial_shaping=True."
                )
            given[node] = t if shape == t.shape else zeros_of(shape, t.dtype, self.device)
        for node, (request, gradient) in self.gradients.items():
            same = gradient is None or gradient.shape == given[node].shape
            new = gradient if same else zeros_of(given[node].shape, gradient.dtype, self.device)
            gradients[node] = (request, new)
        return Executor(self.symbol, self.device, given, gradients)

    def _types_for(self, shapes: Mapping[str, Any], partial: bool) -> tuple[dict, set]:
        """All types after a change of shapes: what is not named keeps its own as far as that still fits."""
        by_node, _ = self.symbol.by_node("reshape", shapes, {})
        dtypes = {node: self.tensor_of(node).dtype for node in (*self._arguments, *self._auxiliary)}
        types = infer_types((e.node for e in self.entries), by_node, dtypes)
        for node in (*self._arguments, *self._auxiliary):
            if not is_known(types[node][0].shape):
                by_node[node] = self.tensor_of(node).shape
        return infer_types((e.node for e in self.entries), by_node, dtypes), set(shapes)

    def __repr__(self) -> str:
        return f"<Executor of {', '.join(self.symbol.list_outputs())} on {self.device}>"


def _dtype_for(value: Any, target: Tensor) -> Any:
    """In which dtype plain numbers are read: the target's, unless that would lose what is behind the point."""
    try:
        kind = numpy.asarray(value).dtype.kind
    except ValueError:  # rows of several lengths, which tensor() refuses in words
        return None
    return target.dtype if kind in "iub" or is_float(target.dtype) else None


def zeros_of(shape: tuple, dtype: Any, device: Device) -> Tensor:
    """A tensor of zeros, off the tape."""
    with device.guard():
        return _of_kind(device.xp.zeros(shape, dtype), Kind.of(shape, dtype, device))


def _requests(symbol: Symbol, arguments: list[Node], grad_req: Any) -> dict[Node, str]:
    """What is to become of each argument's gradient."""
    if isinstance(grad_req, str):
        wanted = dict.fromkeys(arguments, grad_req)
    elif isinstance(grad_req, Mapping):
        names = {node.name for node in arguments}
        for name in grad_req:
            if name not in names:
                raise ShapeError(
                    f"bind: grad_req names {show(name)}, but there are {', '.join(symbol.list_arguments())}."
                )
        wanted = {node: grad_req.get(node.name, "null") for node in arguments}
    elif isinstance(grad_req, list | tuple) and len(grad_req) == len(arguments):
        wanted = dict(zip(arguments, grad_req, strict=True))
    else:
        raise DtypeError(
            f"bind: grad_req should be one of {', '.join(REQUESTS)}, a list of one for each of the {len(arguments)} "
            f"arguments, or {{name: request}}, but {show(grad_req)} came."
        )
    for node, request in wanted.items():
        if request not in REQUESTS:
            raise DtypeError(f"bind: grad_req of {node.name} must be {', '.join(REQUESTS)}, but {show(request)} came.")
    return wanted


def _simple_bind(
    self: Symbol, device: Any = None, grad_req: Any = "write", type_dict: Any = None, *, ctx: Any = None, **shapes: Any
) -> Executor:
    """An executor with new arrays of zeros, whose shapes follow from those of some arguments.

    Args:
        device: where it runs; MXNet calls it ``ctx``.
        grad_req: what backward does with the gradient of each argument: "write", "add" to what is there, or "null" for
            none; one for all, a list in the order of ``list_arguments()``, or {name: request}, "null" for the others.
        type_dict: {name: dtype}; float32 if nothing is said.
        shapes: of arguments, by name.

    Raises ShapeError where shapes do not fit, and where some do not follow from what was given, naming them.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    >>> [array.shape for array in net.simple_bind(data=(5, 4)).arg_arrays]
    [(5, 4), (3, 4), (3,)]
    """
    if device is not None and ctx is not None:
        raise DtypeError("simple_bind: device and ctx are two names of one argument; give one of them.")
    place = device_of("cpu" if device is None and ctx is None else ctx if device is None else device)
    if type_dict is not None and not isinstance(type_dict, Mapping):
        raise DtypeError(f"simple_bind: type_dict should be {{name: dtype}}, but {show(type_dict)} came.")
    arguments, auxiliary = self._variables("argument"), self._variables("auxiliary")
    requests = _requests(self, arguments, grad_req)
    types = infer_types((e.node for e in self._entries), *self.by_node("simple_bind", shapes, type_dict or {}))
    unknown = [
        f"{node.name} {spell(types[node][0].shape)}"
        for node in (*arguments, *auxiliary)
        if not is_known(types[node][0].shape)
    ]
    if unknown:
        given = ", ".join(f"{name}={shape}" for name, shape in shapes.items()) or "nothing"
        raise ShapeError(
            f"simple_bind: {given} was given, and from that the shapes of these arguments do not follow: "
            f"{', '.join(unknown)}; give more shapes."
        )
    given = {}
    for node in (*arguments, *auxiliary):
        complete(node, types[node][0].shape)
        given[node] = zeros_of(*types[node][0], place) if node.value is None else node.value
    return _executor(self, place, given, requests, {})


def _bind(
    self: Symbol,
    device: Any,
    args: Any,
    args_grad: Any = None,
    grad_req: Any = "write",
    aux_states: Any = None,
) -> Executor:
    """An executor on arrays that are given, which it uses as they are.

    Args:
        device: where it runs, and where the arrays are.
        args: kernel tensors for the arguments: a list in the order of ``list_arguments()``, or {name: tensor}.
        args_grad: where gradients are written, likewise; made here where there is none and grad_req wants one.
        grad_req: as for ``simple_bind``.
        aux_states: tensors for the auxiliary states.
    """
    place = device_of(device)
    arguments, auxiliary = self._variables("argument"), self._variables("auxiliary")
    given = _by_node("args", arguments, args) | _by_node(
        "aux_states", auxiliary, {} if aux_states is None else aux_states
    )
    for node in (*arguments, *auxiliary):
        if node not in given and node.value is None:
            raise ShapeError(
                f"bind: nothing was given for {node.name}; there are "
                f"{', '.join(n.name for n in (*arguments, *auxiliary))}."
            )
        if node in given and given[node].device is not place:
            raise DeviceError(
                f"bind: {node.name} is on {given[node].device}, but the executor on {place}; use .to('{place}')."
            )
    shapes = {node: t.shape for node, t in given.items()}
    types = infer_types((e.node for e in self._entries), shapes, {node: t.dtype for node, t in given.items()})
    for node in (*arguments, *auxiliary):
        complete(node, types[node][0].shape)
        given.setdefault(node, node.value)
    gradients = _by_node("args_grad", arguments, {} if args_grad is None else args_grad)
    for node, gradient in gradients.items():
        if _is_read_only(gradient):
            raise GradError(
                f"bind: the gradient of {node.name} would be written to memory that cannot be written to; give a copy, "
                "with .clone()."
            )
        if gradient.shape != given[node].shape or gradient.dtype != given[node].dtype or gradient.device is not place:
            raise ShapeError(
                f"bind: the gradient of {node.name} should be {given[node].dtype} of shape "
                f"{spell(given[node].shape)} on {place}, but it is {gradient.dtype} of shape "
                f"{spell(gradient.shape)} on {gradient.device}."
            )
    return _executor(self, place, given, _requests(self, arguments, grad_req), gradients)


def _by_node(what: str, nodes: list[Node], given: Any) -> dict[Node, Tensor]:
    """Tensors that were given by name, or as a list, by their variables."""
    if isinstance(given, Mapping):
        named = {node.name: node for node in nodes}
        for name in given:
            if name not in named:
                raise ShapeError(f"bind: {what} names {show(name)}, but there are {', '.join(named) or 'none'}.")
        found = {named[name]: t for name, t in given.items()}
    elif isinstance(given, list | tuple):
        if len(given) != len(nodes):
            names = ", ".join(node.name for node in nodes)
            raise ShapeError(f"bind: {what} should hold {len(nodes)} tensors ({names}), but {len(given)} came.")
        found = dict(zip(nodes, given, strict=True))
    else:
        raise DtypeError(f"bind: {what} should be a list of tensors or {{name: tensor}}, but {show(given)} came.")
    for node, t in found.items():
        if not (isinstance(t, Tensor) or (t is None and what == "args_grad")):
            raise DtypeError(f"bind: {node.name} should be a kernel tensor, but {show(t)} came; use kernel.tensor(…).")
    return {node: t for node, t in found.items() if t is not None}


def _executor(symbol: Symbol, device: Device, given: dict, requests: dict, gradients: dict) -> Executor:
    kept = {}
    for node, request in requests.items():
        t = given[node]
        kept[node] = (request, None)
        if request != "null":
            kept[node] = (request, gradients[node] if node in gradients else zeros_of(t.shape, t.dtype, device))
    return Executor(symbol, device, given, kept)


def _eval(self: Symbol, device: Any = "cpu", **arrays: Any) -> list[Tensor]:
    """The outputs for these arrays, as in use: bound, run forward once, and forgotten.

    >>> from kernel import sym
    >>> (sym.Variable("a") + 1).eval(a=[1.0, 2.0])
    [tensor([2., 3.])]
    """
    place = device_of(device)
    given = {
        name: x.detach().to(place) if isinstance(x, Tensor) else tensor(x, device=place) for name, x in arrays.items()
    }
    return self.bind(place, given, grad_req="null").forward()


Symbol.simple_bind, Symbol.bind, Symbol.eval = _simple_bind, _bind, _eval
