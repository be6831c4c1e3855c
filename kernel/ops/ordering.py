"""Operations in which the order along an axis matters: running sums, sorting, the largest few.

Sorting is stable: of equal elements the one that came first stays first, ascending or descending. nan counts as larger
than every number.
"""

from __future__ import annotations

from ..errors import ShapeError
from ..op import DEFAULT_INTEGER, ArrayType, Op, deliver, normalise_axis, require_flag, require_whole, spell
from .reduce import in_dtype, wide


def _along(x, axis):
    """``axis`` counted from the left; None where the number of axes is not known yet."""
    require_whole("axis", axis)
    if x.shape == ():
        raise ShapeError("argument x has shape () and no axis to go along; give it one with reshape(1).")
    return None if x.shape is None else normalise_axis(axis, x.ndim)


class cumsum(Op):
    """y[i] = x[0] + … + x[i] along an axis; booleans and whole numbers are summed as int64."""

    onnx = "CumSum"

    def infer(x, axis):
        _along(x, axis)
        dtype = x.dtype if x.dtype.kind == "f" else DEFAULT_INTEGER
        return (ArrayType(x.shape, dtype),), (ArrayType(x.shape, dtype),)

    def forward(xp, x, out=None, axis=None):
        return deliver(xp, in_dtype(x.dtype, xp.cumsum(wide(x), axis)), out)

    def _x(xp, g, y, x, axis):
        # x[i] is in y[i] and all that follow: the running sum from the other end.
        return xp.flip(xp.apply(cumsum, xp.flip(g, axis), axis=axis), axis)

    vjp = (_x,)


class Sorted(Op, register=False):
    """(values, where they stood), in order along one axis; each value gives its gradient to the element it was."""

    outputs = 2
    reads = ("y",)

    def _x(xp, g, y, x, axis=-1, **_):
        return xp.scatter_along_axis(g[0], y[1], axis % len(x.shape), x.shape)

    vjp = (_x,)

    def _order(xp, x, axis, descending):
        if not descending:
            return xp.argsort(x, axis=axis, kind="stable")
        # Sorted from the back and read from the back, so that equal elements keep their order.
        last = x.shape[axis] - 1
        return last - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)

    def _take(xp, x, index, out, axis):
        values = xp.take_along_axis(x, index, axis)
        if out is None:
            return (values, index), ()
        return (deliver(xp, values, out[0]), deliver(xp, index, out[1])), ()


class sort(Sorted):
    """All elements along one axis, the smallest first; or, ``descending``, the largest."""

    def infer(x, axis=-1, descending=False):
        _along(x, axis)
        require_flag("descending", descending)
        return (x,), (x, ArrayType(x.shape, DEFAULT_INTEGER))

    def forward(xp, x, out=None, axis=-1, descending=False):
        return Sorted._take(xp, x, Sorted._order(xp, x, axis, descending), out, axis)


class topk(Sorted):
    """The ``largest`` (or smallest) k elements along one axis, the most extreme first."""

    onnx = "TopK"

    def infer(x, k, axis=-1, largest=True):
        place = _along(x, axis)
        require_flag("largest", largest)
        require_whole("k", k)
        size = None if place is None else x.shape[place]
        if k < 0 or (size is not None and k > size):
            raise ShapeError(
                f"k is {k}, but axis {axis} of shape {spell(x.shape)} offers 0 to {'?' if size is None else size}."
            )
        shape = None if place is None else (*x.shape[:place], k, *x.shape[place + 1 :])
        return (x,), (ArrayType(shape, x.dtype), ArrayType(shape, DEFAULT_INTEGER))

    def forward(xp, x, out=None, k=None, axis=-1, largest=True):
        first = (*(slice(None),) * (axis % x.ndim), slice(k))
        return Sorted._take(xp, x, Sorted._order(xp, x, axis, largest)[first], out, axis)
