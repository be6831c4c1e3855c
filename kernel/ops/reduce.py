"""Operations that take axes away: sums, extremes, and the normalised exponentials.

``axis`` is None (all axes), a whole number, or a tuple of them; ``keepdims`` leaves the axes in place with size 1.
"""

from __future__ import annotations

import math

from ..errors import DtypeError, ShapeError
from ..op import (
    BOOL,
    DEFAULT_INTEGER,
    HALF,
    ArrayType,
    Op,
    deliver,
    normalise_axis,
    require_float,
    require_whole,
    spell,
)
from .elementwise import _floating


def axes_of(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes that ``axis`` names, counted from the left.

    >>> axes_of(None, 2), axes_of(-1, 2)
    ((0, 1), (1,))
    """
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(normalise_axis(a, ndim) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis} names the same axis twice.")
    return axes


def reduced(shape, axis, keepdims):
    """The shape that is left when ``axis`` is taken away."""
    if shape is None:
        return None
    axes = axes_of(axis, len(shape))
    if keepdims:
        return tuple(1 if k in axes else size for k, size in enumerate(shape))
    return tuple(size for k, size in enumerate(shape) if k not in axes)


def stretch(xp, value, shape, axis, keepdims):
    """A reduced ``value`` (the gradient, or the extreme) stretched back to ``shape``."""
    if not keepdims and value.shape:
        value = value.reshape(reduced(shape, axis, True))
    return xp.stretch(value, shape)


def _count(shape, axis):
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[k] for k in axes_of(axis, len(shape)))


def _not_empty(x, axis):
    """An extreme or a mean of nothing does not exist."""
    if x.shape is not None and any(x.shape[k] == 0 for k in axes_of(axis, x.ndim)):
        raise ShapeError(
            f"along the reduced axes a tensor of shape {spell(x.shape)} has no element, and nothing has no largest, "
            "smallest or mean."
        )


def wide(x):
    """x for a sum: one of halves would stand still at 2048, and one of their squares overflow at 256."""
    return x.astype("float32") if x.dtype == HALF else x


def widened(*operands):
    """The operands for a computation in single precision or more; numbers as they are."""
    return tuple(operand if isinstance(operand, int | float) else wide(operand) for operand in operands)


def in_dtype(dtype, value):
    """``value`` back in the dtype that was widened."""
    return value if value.dtype == dtype else value.astype(dtype)


def total(x, axis):
    """The sum along an axis, which keeps its place."""
    return in_dtype(x.dtype, wide(x).sum(axis=axis, keepdims=True))


def over(g, count):
    """g / count, where a count beyond the largest half would be infinite."""
    return g / count if count < 65504 else g * (1 / count)


def _one_axis(axis):
    if isinstance(axis, tuple):
        raise DtypeError(f"axis must be one whole number here, since an index counts along one axis; {axis} came.")


class sum(Op):
    """The sum over the axes; booleans and whole numbers are summed as int64."""

    onnx = "ReduceSum"
    vjp = (lambda xp, g, y, x, axis=None, keepdims=False: stretch(xp, g, x.shape, axis, keepdims),)

    def infer(x, axis=None, keepdims=False):
        dtype = x.dtype if x.dtype.kind == "f" else DEFAULT_INTEGER
        return (x,), (ArrayType(reduced(x.shape, axis, keepdims), dtype),)

    def forward(xp, x, out=None, axis=None, keepdims=False):
        if x.dtype == HALF:
            return deliver(xp, in_dtype(x.dtype, xp.add.reduce(wide(x), axis, None, None, keepdims)), out)
        # Said outright, since NumPy would count booleans and int32 in an integer as wide as the platform's.
        dtype = x.dtype if x.dtype.kind == "f" else DEFAULT_INTEGER
        return xp.add.reduce(x, axis, dtype, out, keepdims)


class mean(Op):
    """The sum over the axes divided by the number of elements; whole numbers are taken as float32."""

    onnx = "ReduceMean"

    def infer(x, axis=None, keepdims=False):
        _not_empty(x, axis)
        dtype = _floating(x.dtype)
        return (ArrayType(x.shape, dtype),), (ArrayType(reduced(x.shape, axis, keepdims), dtype),)

    def forward(xp, x, out=None, axis=None, keepdims=False):
        if x.dtype == HALF:  # NumPy's mean sums halves as float32; their sum would overflow at 65504
            return deliver(xp, x.mean(axis=axis, keepdims=keepdims), out)  # in out itself NumPy would sum halves
        total = xp.add.reduce(x, axis, None, out, keepdims)
        return total / _count(x.shape, axis) if out is None else xp.divide(total, _count(x.shape, axis), out=out)

    def _x(xp, g, y, x, axis=None, keepdims=False):
        return stretch(xp, over(g, _count(x.shape, axis)), x.shape, axis, keepdims)

    vjp = (_x,)


class var(Op):
    """Σ(x - mean)² / (n - correction) over the axes."""

    reads = ("x",)

    def infer(x, axis=None, keepdims=False, correction=0):
        require_whole("correction", correction)
        _not_empty(x, axis)
        if x.shape is not None and None not in x.shape and _count(x.shape, axis) <= correction:
            raise ShapeError(
                f"along the reduced axes a tensor of shape {spell(x.shape)} has {_count(x.shape, axis)} element, which "
                f"leaves nothing to divide by with correction {correction}; use correction=0."
            )
        dtype = _floating(x.dtype)
        return (ArrayType(x.shape, dtype),), (ArrayType(reduced(x.shape, axis, keepdims), dtype),)

    def forward(xp, x, out=None, axis=None, keepdims=False, correction=0):
        return deliver(xp, in_dtype(x.dtype, xp.var(wide(x), axis=axis, keepdims=keepdims, ddof=correction)), out)

    def _x(xp, g, y, x, axis=None, keepdims=False, correction=0):
        deviation = x - xp.mean(x, axis=axis, keepdims=True)
        factor = 2.0 / (_count(x.shape, axis) - correction)
        return stretch(xp, g * factor, x.shape, axis, keepdims) * deviation

    vjp = (_x,)


class norm(Op):
    """√Σx² over the axes; its slope at 0 is taken as 0."""

    onnx = "ReduceL2"
    reads = ("x y",)

    def infer(x, axis=None, keepdims=False):
        require_float("x", x.dtype)
        return (x,), (ArrayType(reduced(x.shape, axis, keepdims), x.dtype),)

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return deliver(xp, in_dtype(x.dtype, xp.sqrt(xp.sum(xp.square(wide(x)), axis=axis, keepdims=keepdims))), out)

    def _x(xp, g, y, x, axis=None, keepdims=False):
        scale = g / xp.where(y == 0, xp.ones_like(y), y)
        return stretch(xp, scale, x.shape, axis, keepdims) * x

    vjp = (_x,)


class Extreme(Op, register=False):
    """The largest or smallest element over the axes; equal ones share the gradient."""

    reads = ("x y",)

    def infer(x, axis=None, keepdims=False):
        _not_empty(x, axis)
        return (x,), (ArrayType(reduced(x.shape, axis, keepdims), x.dtype),)

    def _x(xp, g, y, x, axis=None, keepdims=False):
        chosen = x == stretch(xp, y, x.shape, axis, keepdims)
        share = stretch(xp, g, x.shape, axis, keepdims) * chosen
        count = xp.sum(chosen, axis=axis, keepdims=True)
        return in_dtype(x.dtype, wide(share) / count.astype(wide(share).dtype))

    vjp = (_x,)


class amax(Extreme):
    """The largest element over the axes; equal ones share the gradient, as in PyTorch."""

    onnx = "ReduceMax"

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return x.max(axis=axis, keepdims=keepdims, out=out)


class amin(Extreme):
    """The smallest element over the axes; equal ones share the gradient, as in PyTorch."""

    onnx = "ReduceMin"

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return x.min(axis=axis, keepdims=keepdims, out=out)


class Position(Op, register=False):
    """Where the extreme stands along one axis (the first one on a tie), or in the flattened tensor if axis is None."""

    vjp = (None,)

    def infer(x, axis=None, keepdims=False):
        _one_axis(axis)
        _not_empty(x, axis)
        if x.dtype == BOOL:
            raise DtypeError("booleans have no order; convert them with .int().")
        return (x,), (ArrayType(reduced(x.shape, axis, keepdims), DEFAULT_INTEGER),)


class argmax(Position):
    """Where the largest element stands."""

    onnx = "ArgMax"

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return deliver(xp, xp.argmax(x, axis=axis, keepdims=keepdims), out)


class argmin(Position):
    """Where the smallest element stands."""

    onnx = "ArgMin"

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return deliver(xp, xp.argmin(x, axis=axis, keepdims=keepdims), out)


class ExtremeWithIndex(Op, register=False):
    """An extreme along one axis and where it stands; the element there gets the whole gradient, as in PyTorch."""

    outputs = 2
    reads = ("y",)

    def infer(x, axis, keepdims=False):
        _one_axis(axis)
        require_whole("axis", axis)
        _not_empty(x, axis)
        if x.dtype == BOOL:
            raise DtypeError("booleans have no order; convert them with .int().")
        shape = reduced(x.shape, axis, keepdims)
        return (x,), (ArrayType(shape, x.dtype), ArrayType(shape, DEFAULT_INTEGER))

    def _x(xp, g, y, x, axis, keepdims=False):
        values, index = g[0], y[1]
        if not keepdims:
            values, index = xp.expand_dims(values, axis), xp.expand_dims(index, axis)
        return xp.scatter_along_axis(values, index, axis % len(x.shape), x.shape)

    vjp = (_x,)

    def _take(xp, x, index, out, axis, keepdims):
        values = xp.take_along_axis(x, index, axis)
        if not keepdims:
            values, index = xp.squeeze(values, axis), xp.squeeze(index, axis)
        if out is None:
            return (values, index), ()
        return (deliver(xp, values, out[0]), deliver(xp, index, out[1])), ()


class max_with_index(ExtremeWithIndex):
    """(the largest along one axis, where it stands)."""

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return ExtremeWithIndex._take(xp, x, xp.argmax(x, axis=axis, keepdims=True), out, axis, keepdims)


class min_with_index(ExtremeWithIndex):
    """(the smallest along one axis, where it stands)."""

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return ExtremeWithIndex._take(xp, x, xp.argmin(x, axis=axis, keepdims=True), out, axis, keepdims)


class all_(Op):
    """Whether every element is true."""

    vjp = (None,)

    def infer(x, axis=None, keepdims=False):
        return (x,), (ArrayType(reduced(x.shape, axis, keepdims), BOOL),)

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return deliver(xp, xp.all(x, axis=axis, keepdims=keepdims), out)


class any_(Op):
    """Whether some element is true."""

    vjp = (None,)
    infer = all_.infer

    def forward(xp, x, out=None, axis=None, keepdims=False):
        return deliver(xp, xp.any(x, axis=axis, keepdims=keepdims), out)


class logsumexp(Op):
    """log Σ e^x over the axes, shifted by the maximum so that nothing overflows."""

    onnx = "ReduceLogSumExp"
    reads = ("x y",)

    def infer(x, axis=None, keepdims=False):
        _not_empty(x, axis)
        dtype = _floating(x.dtype)
        return (ArrayType(x.shape, dtype),), (ArrayType(reduced(x.shape, axis, keepdims), dtype),)

    def forward(xp, x, out=None, axis=None, keepdims=False):
        top = x.max(axis=axis, keepdims=True)
        # A row of nothing but -inf (or one with +inf) must not turn into inf - inf.
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
        y = xp.log(total(xp.exp(x - top), axis)) + top
        return deliver(xp, y if keepdims else y.reshape(reduced(x.shape, axis, False)), out)

    def _x(xp, g, y, x, axis=None, keepdims=False):
        return stretch(xp, g, x.shape, axis, keepdims) * xp.exp(x - stretch(xp, y, x.shape, axis, keepdims))

    vjp = (_x,)


class AlongAxis(Op, register=False):
    """A function along one axis that keeps the shape."""

    def infer(x, axis=-1):
        require_whole("axis", axis)
        _not_empty(x, axis)
        dtype = _floating(x.dtype)
        return (ArrayType(x.shape, dtype),), (ArrayType(x.shape, dtype),)


class softmax(AlongAxis):
    """e^x / Σ e^x along one axis, shifted by the maximum so that nothing overflows."""

    onnx = "Softmax"
    vjp = (lambda xp, g, y, x, axis=-1: y * (g - total(g * y, axis)),)
    reads = ("y",)

    def forward(xp, x, out=None, axis=-1):
        y = xp.exp(xp.subtract(x, x.max(axis=axis, keepdims=True), out=out), out=out)
        return xp.divide(y, total(y, axis), out=out)


class log_softmax(AlongAxis):
    """x - log Σ e^x along one axis, shifted by the maximum so that nothing overflows."""

    onnx = "LogSoftmax"
    vjp = (lambda xp, g, y, x, axis=-1: g - xp.exp(y) * total(g, axis),)
    reads = ("y",)

    def forward(xp, x, out=None, axis=-1):
        shifted = x - x.max(axis=axis, keepdims=True)
        return xp.subtract(shifted, xp.log(total(xp.exp(shifted), axis)), out=out)
