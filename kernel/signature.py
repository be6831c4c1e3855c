"""What is known of a call before it computes: worked out once for operands of one kind, then looked up."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy

from . import functional
from .errors import DeviceError, DtypeError, ShapeError, show
from .op import HALF, MOST_AXES, ArrayType, Kind, Op, spell
from .xp import Device, device


class Record:
    """What a node must keep of a call, for one choice of operands that require a gradient.

    ============== =================================================================================================
    needs          the operands, by number, that get a gradient: those that require one and have a rule
    rules          for each of them its rule as a function of (g, y, *arrays, *residuals), and the shape and dtype that
                   its gradient has in the end; ``recorded_rules`` the same in the kernel's own functions
    shared         what prepares g for all of them, a function of the same arguments; None for most operations.
                   ``recorded_shared`` likewise
    read           the operands that those rules look at
    unread         (operand, its type) for each array that they do not: the type is kept in its place
    keep_output    whether they look at what came out; ``keep_residuals`` likewise
    keeps          whether any of that is kept, so that there is something to free
    single         whether the operation has one output, so that one gradient arrives and not a tuple
    guard          that of the operands' device; None unless it is a GPU
    ============== =================================================================================================
    """

    __slots__ = (
        "guard",
        "keep_output",
        "keep_residuals",
        "keeps",
        "needs",
        "read",
        "recorded_rules",
        "recorded_shared",
        "rules",
        "shared",
        "signature",
        "single",
        "unread",
    )

    def __init__(self, signature: Signature, wanted: int):
        op, inputs = signature.op, signature.inputs
        self.signature = signature
        rules = op.vjp
        if not any(t.dtype.kind == "f" for t in signature.outputs):  # as of a cast to whole numbers
            rules = (None,) * len(inputs)
        elif op.variadic:
            rules = [functools.partial(op.vjp, i) if op.vjp else None for i in range(len(inputs))]
        self.needs = tuple(i for i in range(len(inputs)) if wanted >> i & 1 and rules[i] is not None)
        self.rules, self.recorded_rules = (
            tuple(
                (functools.partial(rules[i], xp, **signature.attributes), inputs[i].shape, inputs[i].dtype)
                for i in self.needs
            )
            for xp in (signature.home.xp, functional)
        )
        self.shared, self.recorded_shared = (
            functools.partial(op.shared, xp, **signature.attributes) if op.shared else None
            for xp in (signature.home.xp, functional)
        )
        words = set()
        for i in self.needs:
            if op.reads:
                words.update(op.reads[0 if op.variadic else i].split())
        named = [op.argument(i) for i in range(len(inputs))]
        is_array = [isinstance(t.dtype, numpy.dtype) for t in inputs]
        self.read = tuple(i for i, name in enumerate(named) if name in words and is_array[i])
        self.unread = tuple((i, inputs[i]) for i, name in enumerate(named) if name not in words and is_array[i])
        self.keep_output = "y" in words
        self.keep_residuals = not words.isdisjoint(op.residuals)
        self.keeps = bool(self.read or self.keep_output or self.keep_residuals)
        self.single = op.outputs == 1
        self.guard = signature.home.guard if signature.home.kind == "gpu" else None

    def parts(self, g: Any, output: Any, saved: Any, recorded: bool = False) -> list:
        """Given the gradient ``g`` of the result, those of the operands that need one, in the order of ``needs``.

        ``saved`` are the operands and residuals as the rules read them. Where the walk is ``recorded`` all are tensors.
        """
        rules, shared = (self.recorded_rules, self.recorded_shared) if recorded else (self.rules, self.shared)
        if shared is not None:
            g = shared(g, output, *saved)
        found = []
        for rule, shape, dtype in rules:
            part = rule(g, output, *saved)
            try:
                fits = part.shape == shape
            except AttributeError:
                name, came = self.signature.backward_name, show(part)
                raise TypeError(f"{name}: a gradient rule should return an array, but {came} came.") from None
            if not fits:
                try:
                    part = unbroadcast(functional if recorded else self.signature.home.xp, part, shape)
                except ShapeError as error:
                    raise ShapeError(f"{self.signature.backward_name}: {error}") from None
            if part.dtype is not dtype and part.dtype != dtype:
                part = part.astype(dtype)
            found.append(part)
        return found


def unbroadcast(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of a stretched operand: summed over the axes along which it was repeated."""
    axes = _stretched(g.shape, shape)
    if axes:
        if axes == (0,) and len(g.shape) == 2:
            g = xp.sum_rows(g)
        elif g.dtype == HALF:  # NumPy adds halves up to 2048 and no further
            g = g.astype("float32").sum(axis=axes).astype("float16")
        else:
            g = g.sum(axis=axes)
    return g if g.shape == shape else g.reshape(shape)


@functools.lru_cache(4096)
def _stretched(shape: tuple[int, ...], original: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of ``shape`` along which ``original`` was repeated."""
    added = len(shape) - len(original)
    if added < 0 or any(size not in (1, shape[added + k]) for k, size in enumerate(original)):
        raise ShapeError(
            f"a gradient rule returned shape {spell(shape)} for an argument of shape {spell(original)}; return that "
            "shape, or one to which it was stretched."
        )
    return tuple(range(added)) + tuple(
        added + k for k, size in enumerate(original) if size == 1 and shape[added + k] != 1
    )


class Signature:
    """All of a call that kinds and attributes decide: worked out by ``infer`` once, then looked up.

    ========== =====================================================================================================
    compute    ``forward`` as a function of the arrays alone; ``attributes`` is what else it was called with
    inputs     the kinds of the operands as they came (an ArrayType for a Python number)
    casts      (operand, dtype) for those that must be converted before the operation computes
    outputs    the types of what comes out; ``kind`` is that of a single output, None where it depends on the data
    home       the device of the operands; ``device`` is that of what comes out, another one if the operation moves it
    short      one output of known shape, nothing to convert or to move, no GPU to enter: may take the short way
    plain      that it may, and that a first call has verified what infer announced
    records    what a node must keep, by the set of operands that require a gradient
    ========== =====================================================================================================
    """

    __slots__ = (
        "attributes",
        "casts",
        "compute",
        "device",
        "home",
        "inputs",
        "kind",
        "op",
        "outputs",
        "plain",
        "records",
        "short",
    )

    def __init__(self, op: type[Op], types: tuple[ArrayType, ...], attributes: dict[str, Any]):
        self.home = one_device(op, [t.device for t in types if isinstance(t, Kind)])
        require_call(op, types, attributes)
        try:
            inputs, self.outputs = op.infer(*types, **attributes)
        except (ShapeError, DtypeError) as error:
            raise type(error)(f"{op.name}: {error}") from None
        for t in self.outputs:
            if t.shape is not None and len(t.shape) > MOST_AXES:
                raise ShapeError(f"{op.name}: the result would have {len(t.shape)} axes, more than {MOST_AXES}.")
        self.op, self.inputs, self.attributes = op, types, attributes
        # A Python number stays one where an array beside it has the dtype in which the operation computes.
        arrays = {t.dtype for given, t in zip(types, inputs, strict=True) if isinstance(given, Kind)}
        self.casts = tuple(
            (i, t.dtype)
            for i, (given, t) in enumerate(zip(types, inputs, strict=True))
            if given.dtype != t.dtype and (isinstance(given, Kind) or op.variadic or t.dtype not in arrays)
        )
        self.device = device(attributes["target"]) if op.moves else self.home
        if op.function is not None:
            self.compute = getattr(self.home.xp, op.function)
        else:
            self.compute = functools.partial(op.forward, self.home.xp, **attributes)
        single = len(self.outputs) == 1 and op.outputs == 1
        first = self.outputs[0]
        known = single and first.shape is not None and None not in first.shape
        self.kind = Kind.of(first.shape, first.dtype, self.device) if known else None
        self.short = known and not self.casts and not op.moves and self.home.kind != "gpu"
        self.plain = False
        self.records: dict[int, Record] = {}

    @property
    def backward_name(self) -> str:
        """PyTorch's kind of name for its gradient: AddBackward for the op add."""
        return "".join(part.capitalize() for part in self.op.name.split("_")) + "Backward"

    def record(self, wanted: int) -> Record:
        """What to keep if the operands whose bits are set in ``wanted`` require a gradient."""
        found = self.records.get(wanted)
        if found is None:
            found = self.records[wanted] = Record(self, wanted)
        return found

    def unpack(self, result: Any) -> tuple[tuple, tuple]:
        """What ``forward`` returned as (outputs, residuals); a TypeError where it is not what the op declares."""
        op = self.op
        if op.outputs == 1 and not op.residuals:
            return (result,), ()
        declared = (len(self.outputs), len(op.residuals))
        if not (isinstance(result, tuple) and len(result) == 2 and tuple(map(len, result)) == declared):
            raise TypeError(
                f"{op.name}: forward should return two tuples, {declared[0]} outputs and {declared[1]} residuals, as "
                "the op declares."
            )
        return result

    def verify(self, array: Any, expected: ArrayType) -> None:
        """Raise where ``forward`` gave something else than ``infer`` announced: a mistake of the operation's author."""
        known = expected.shape is not None and None not in expected.shape
        if known and (array.shape != expected.shape or array.dtype != expected.dtype):
            raise ShapeError(
                f"{self.op.name}: infer announced {expected.dtype} of shape {spell(expected.shape)}, but forward "
                f"returned {array.dtype} of shape {spell(array.shape)}; correct one of the two."
            )


def one_device(op: type[Op], devices: list[Device]) -> Device:
    """The device that all operands are on; raises DeviceError if they are on several."""
    first, *others = dict.fromkeys(devices)
    if others:
        raise DeviceError(f"{op.name}: the operands are on {first} and {others[0]}; move one with .to('{first}').")
    return first


def require_call(op: type[Op], types: tuple, attributes: dict[str, Any]) -> None:
    """Raise unless the operands are as many as the operation has, and the attributes those of its own."""
    if not op.variadic and len(types) != len(op.arguments):
        raise DtypeError(f"{op.name}: it takes {', '.join(op.arguments)}, but {len(types)} operands came.")
    for name in attributes:
        if name not in op.options:
            has = f"it has {', '.join(op.options)}" if op.options else "it has none"
            raise DtypeError(f"{op.name}: there is no attribute {name}; {has}.")


signatures: dict[tuple, Signature] = {}


def new_signature(op: type[Op], key: tuple, types: tuple[ArrayType, ...], attributes: dict[str, Any]) -> Signature:
    """The signature of a call, remembered under ``key``, which is everything that decides it."""
    signature = Signature(op, types, attributes)
    if len(signatures) >= 8192:
        signatures.clear()
    with contextlib.suppress(TypeError):  # an attribute without a hash: worked out anew each time
        signatures[key] = signature
    return signature
