"""One call of an operation on tensors: compute now and, where a gradient is wanted, leave a node on the tape."""

from __future__ import annotations

from typing import Any

from .errors import DtypeError, ShapeError, UnknownSizeError, in_words
from .op import NUMBERS, ArrayType, Op, is_float, require_fits
from .parameter import complete_all
from .signature import Record, Signature, new_signature, one_device, signatures
from .tape import Node, grad_enabled, place, serials
from .tensor import Tensor, _as_array, _plain_number, _wrap

_new = object.__new__
# What ``forward`` may raise because of the values that came; anything else is a mistake in the operation itself.
_PLAIN_ERRORS = (ShapeError, DtypeError, OverflowError, IndexError, MemoryError)


class _InGraph(Exception):
    """A symbol stands among the tensors, so the operation is a node of its graph."""

    def __init__(self, symbol: Any):
        self.symbol = symbol


def run(op: type[Op], operands: tuple, attributes: dict[str, Any]) -> Any:
    """Compute ``op`` now, and record it if an operand requires a gradient. What every operator and function ends in."""
    try:
        arrays, key, wanted = _look_up(op, operands)
    except _InGraph as other:
        return other.symbol._apply(op, operands, attributes)
    except UnknownSizeError:
        symbol = next((x for x in operands if hasattr(type(x), "in_graph")), None)
        if symbol is not None:
            return symbol._apply(op, operands, attributes)
        _complete(op, operands, attributes)
        arrays, key, wanted = _look_up(op, operands)
    if attributes:  # 1, 1.0 and True are equal, and yet not the same: the types count too
        key = (*key, *attributes, *attributes.values(), *map(type, attributes.values()))
    try:
        signature = signatures.get(key)
    except TypeError:  # an attribute without a hash
        signature = None
    if signature is None:
        signature = new_signature(op, key, tuple(map(_kind, operands, arrays)), attributes)
    if not signature.plain:
        return _run_long(signature, operands, arrays, wanted)
    device = signature.device
    try:
        result = signature.compute(*arrays)
    except _PLAIN_ERRORS as error:
        raise in_words(op.name, error) from None
    if op.residuals:
        (result,), residuals = result
    if type(result) is not device.array_type:
        result = device.xp.asarray(result)  # NumPy returns its scalars for arrays without axes
    tensor = _new(Tensor)
    tensor._array = result
    tensor._kind = signature.kind
    if op.view and device.xp.may_share_memory(result, operands[0]._array):
        tensor._written = operands[0]._written
    else:
        tensor._written = [0]
    tensor.grad = tensor._hooks = None
    tensor._place = None
    tensor._requires_grad = False
    if wanted and grad_enabled.get():
        node = _node(signature.records.get(wanted) or signature.record(wanted), operands, arrays)
        if node is not None:
            tensor._place = node
            tensor._requires_grad = True
            if node.record.keep_output:
                node.output = result
                node.reads.append(tensor._written)
            if op.residuals:
                _keep_residuals(node, residuals)
    return tensor


def _complete(op: type[Op], operands: tuple, attributes: dict[str, Any]) -> None:
    """Fill in the parameters that wait for their size: ``infer`` finds it from the operands beside them."""
    one_device(op, [x.device for x in operands if isinstance(x, Tensor)])
    types = [ArrayType(x.shape, x.dtype) if isinstance(x, Tensor) else ArrayType((), type(x)) for x in operands]
    try:
        inputs, _ = op.infer(*types, **attributes)
        complete_all(operands, inputs)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{op.name}: {error}") from None


def _look_up(op: type[Op], operands: tuple) -> tuple[list, tuple, int]:
    """The operands' arrays, the key of the call so far, and a bit for each operand that requires a gradient."""
    # One to three tensors, which most calls have, are spelled out: a loop over them takes three times as long.
    if len(operands) == 1:
        (a,) = operands
        if isinstance(a, Tensor):
            return [a._array], (op, a._kind), a._requires_grad
    elif len(operands) == 2:
        a, b = operands
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            wanted = a._requires_grad | b._requires_grad << 1
            return [a._array, b._array], (op, a._kind, b._kind), wanted
    elif len(operands) == 3:
        a, b, c = operands
        if isinstance(a, Tensor) and isinstance(b, Tensor) and isinstance(c, Tensor):
            wanted = a._requires_grad | b._requires_grad << 1 | c._requires_grad << 2
            return [a._array, b._array, c._array], (op, a._kind, b._kind, c._kind), wanted
    arrays, key, wanted = [], [op], 0
    for i, operand in enumerate(operands):
        if isinstance(operand, Tensor):
            arrays.append(operand._array)
            key.append(operand._kind)
            wanted |= operand._requires_grad << i
        else:
            if type(operand) not in NUMBERS:
                if hasattr(type(operand), "in_graph"):
                    raise _InGraph(operand)
                operand = _plain_number(op.name, op.argument(i), operand)
            arrays.append(operand)
            key.append(type(operand))
    return arrays, tuple(key), wanted


def _run_long(signature: Signature, operands: tuple, arrays: list, wanted: int) -> Any:
    """The way of the calls that convert an operand, guard a device, or give views, residuals or several outputs."""
    op, device = signature.op, signature.device
    xp = signature.home.xp
    with signature.home.guard():
        try:
            for i, dtype in signature.casts:
                if not isinstance(operands[i], Tensor):
                    require_fits(f"argument {op.argument(i)}", arrays[i], dtype)
                    arrays[i] = xp.asarray(arrays[i])
                arrays[i] = arrays[i].astype(dtype)
            result = signature.compute(*arrays)
        except _PLAIN_ERRORS as error:
            raise in_words(op.name, error) from None
        outputs, residuals = signature.unpack(result)
        outputs = [_as_array(y, device) for y in outputs]
        shares = [op.view and y.size and xp.may_share_memory(y, operands[0]._array) for y in outputs]
    node = None
    if wanted and grad_enabled.get():
        node = _node(signature.record(wanted), operands, arrays)
    tensors = []
    for k, (y, t) in enumerate(zip(outputs, signature.outputs, strict=True)):
        signature.verify(y, t)
        tensor = _wrap(y, device)
        if shares[k]:
            tensor._written = operands[0]._written
        if node is not None and is_float(t.dtype):
            tensor._place, tensor._requires_grad = place(node, k), True
        tensors.append(tensor)
    signature.plain = signature.short  # from now on, since what infer announced has been compared
    if node is not None:
        if op.residuals:
            _keep_residuals(node, residuals)
        if node.record.keep_output:
            node.output = tuple(outputs) if op.outputs > 1 else outputs[0]
            node.reads.extend(tensor._written for tensor in tensors)
    return tuple(tensors) if op.outputs > 1 else tensors[0]


def _keep_residuals(node: Node, residuals: tuple) -> None:
    """What ``forward`` computed for the rules alone, if a rule that is needed reads it."""
    node.residuals = residuals if node.record.keep_residuals else (None,) * len(residuals)


def _node(record: Record, operands: tuple, arrays: list) -> Node | None:
    """What is recorded of a call; None where no rule leads back to an operand that requires a gradient."""
    if not record.needs:
        return None
    node = _new(Node)
    node.record = record
    node.edges = edges = []
    for i in record.needs:
        edges.append(operands[i]._place or operands[i])
    node.reads = reads = []
    for i in record.read:
        reads.append(operands[i]._written)
    for i, unread in record.unread:
        arrays[i] = unread
    node.saved = arrays
    node.output = node.residuals = node.hooks = None
    node.serial = next(serials)
    return node


def _kind(operand: Any, array: Any) -> ArrayType:
    return operand._kind if isinstance(operand, Tensor) else ArrayType((), type(array))


Tensor._apply = staticmethod(run)  # what ``apply`` and the operators look for
