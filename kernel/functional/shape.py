"""Functions that move elements about."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Sequence
from typing import Any

import numpy

from ..apply import apply
from ..errors import DtypeError, ShapeError, UnknownSizeError, show
from ..op import DEFAULT_FLOAT, spell
from ..ops import shape as shapes
from .axes import Axis, axis_of, axis_or_dim, ndim_of, python_number, sizes_of, whole_numbers


def reshape(x: Any, *shape: Any) -> Any:
    """The same elements in row-major order under another shape; one size may be -1 and is worked out.

    >>> kernel.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return apply(shapes.reshape, x, shape=sizes_of("reshape", shape))


def broadcast_to(x: Any, *shape: Any) -> Any:
    """x stretched to a shape without copying: axes are added at the left, axes of size 1 repeat.

    >>> kernel.broadcast_to(kernel.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return apply(shapes.broadcast_to, x, shape=sizes_of("broadcast_to", shape))


def permute(x: Any, *dims: Any) -> Any:
    """The axes in the given order, without copying.

    >>> kernel.permute(kernel.zeros(2, 3, 4), 2, 0, 1).shape
    (4, 2, 3)
    """
    return apply(shapes.permute, x, axes=sizes_of("permute", dims, "axes"))


def transpose(x: Any, *axes: Any) -> Any:
    """Axes exchanged: ``transpose(x)`` reverses them all, ``transpose(x, 0, 1)`` swaps two (PyTorch),
    ``transpose(x, (1, 0))`` gives the whole order (NumPy).

    >>> kernel.transpose(kernel.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    ndim = ndim_of("transpose", x)
    if not axes or axes[0] is None:
        return apply(shapes.permute, x, axes=tuple(range(ndim))[::-1])
    if len(axes) == 1:
        return permute(x, *axes)
    if len(axes) == 2:
        return swapaxes(x, *axes)
    raise DtypeError(f"transpose: give two axes to swap, or all of them as one tuple, but {show(axes)} came.")


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Two axes exchanged, without copying.

    >>> kernel.swapaxes(kernel.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    ndim = ndim_of("swapaxes", x)
    order = list(range(ndim))
    i, j = axis_of("swapaxes", a, ndim), axis_of("swapaxes", b, ndim)
    order[i], order[j] = order[j], order[i]
    return apply(shapes.permute, x, axes=tuple(order))


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of size 1 at a position; PyTorch calls it unsqueeze.

    >>> kernel.expand_dims(kernel.zeros(3), 1).shape
    (3, 1)
    """
    return apply(shapes.expand_dims, x, axis=axis)


def squeeze(x: Any, axis: Axis = None, *, dim: Axis = None) -> Any:
    """Axes of size 1 taken away: the named ones, or all of them.

    >>> kernel.squeeze(kernel.zeros(1, 3, 1)).shape
    (3,)
    """
    ndim, where_ = ndim_of("squeeze", x), axis_or_dim("squeeze", axis, dim)
    if where_ is None:
        where_ = tuple(k for k, size in enumerate(x.shape) if size == 1)
    axes = where_ if isinstance(where_, tuple) else (where_,)
    for k in sorted((axis_of("squeeze", a, ndim) for a in axes), reverse=True):
        x = apply(shapes.squeeze, x, axis=k)
    return x


def flatten(x: Any, start_dim: int = 0) -> Any:
    """All axes from ``start_dim`` on joined into one.

    >>> kernel.flatten(kernel.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    return apply(shapes.flatten, x, start=start_dim)


def flip(x: Any, axis: Axis = None, *, dims: Axis = None) -> Any:
    """The elements in reverse order along the axes, all of them by default.

    >>> kernel.flip(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """
    ndim, axes = ndim_of("flip", x), axis_or_dim("flip", axis, dims)
    axes = tuple(range(ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    return apply(shapes.flip, x, axis=axes)


def pad(x: Any, widths: Any, value: float = 0) -> Any:
    """A border of one value around x.

    Pairs speak NumPy: ((before, after) of axis 0, (before, after) of axis 1, …). Flat numbers speak PyTorch, last axis
    first: (left, right) or (left, right, top, bottom).

    >>> kernel.pad(kernel.tensor([1.0, 2.0]), ((1, 2),))
    tensor([0., 1., 2., 0., 0.])
    >>> kernel.pad(kernel.ones(1, 1), (1, 0))
    tensor([[0., 1.]])
    """
    ndim = ndim_of("pad", x)
    if not isinstance(widths, list | tuple):
        raise DtypeError(f"pad: widths must be pairs, or whole numbers last axis first, but {show(widths)} came.")
    if builtins.any(isinstance(w, list | tuple) for w in widths):
        widths = tuple(whole_numbers("pad", "widths", w) if isinstance(w, list | tuple) else w for w in widths)
    else:
        widths = whole_numbers("pad", "widths", widths)
        if len(widths) % 2 or len(widths) > 2 * ndim:
            raise ShapeError(
                f"pad: flat widths come in pairs, at most {ndim} of them for shape {spell(x.shape)}; {widths} came."
            )
        pairs = [widths[k : k + 2] for k in range(0, len(widths), 2)][::-1]
        widths = ((0, 0),) * (ndim - len(pairs)) + tuple(pairs)
    value = python_number(value)
    value = 0.0 if isinstance(value, float) and value == 0 else value  # -0.0 equals it, and so would pass for it
    return apply(shapes.pad, x, widths=widths, value=value)


def concatenate(tensors: Sequence[Any], axis: int = 0, *, dim: int | None = None) -> Any:
    """Tensors put one behind the other along an axis that they have; PyTorch calls it cat.

    >>> kernel.concatenate([kernel.ones(2), kernel.zeros(1)])
    tensor([1., 1., 0.])
    """
    return apply(shapes.concatenate, *_several("concatenate", tensors), axis=axis if dim is None else dim)


def stack(tensors: Sequence[Any], axis: int = 0, *, dim: int | None = None) -> Any:
    """Tensors of one shape put beside each other along a new axis.

    >>> kernel.stack([kernel.ones(2), kernel.zeros(2)], 1)
    tensor([[1., 0.],
            [1., 0.]])
    """
    return apply(shapes.stack, *_several("stack", tensors), axis=axis if dim is None else dim)


def _several(name: str, tensors: Any) -> Any:
    if not isinstance(tensors, list | tuple):
        raise DtypeError(f"{name}: a list or tuple of tensors was expected, but a {type(tensors).__name__} came.")
    if not tensors:
        raise DtypeError(f"{name}: the list holds no tensor.")
    return tensors


def split(x: Any, parts: int | Sequence[int], dim: int = 0, *, axis: int | None = None) -> tuple:
    """x cut along an axis into a tuple of parts.

    ``split(x, 3)`` or ``dim=`` speaks PyTorch: parts of 3, or a list of sizes. ``split(x, 3, axis=0)`` speaks NumPy: 3
    equal parts, or a list of the positions to cut at.

    >>> kernel.split(kernel.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> kernel.split(kernel.arange(4), 2, axis=0)
    (tensor([0, 1]), tensor([2, 3]))
    """
    ndim, where_ = ndim_of("split", x), dim if axis is None else axis
    where_ = axis_of("split", where_, ndim)
    total = x.shape[where_]
    if total is None:
        raise UnknownSizeError(f"split: axis {where_} of the symbol has no size yet; give the sizes of the parts.")
    even = not isinstance(parts, list | tuple)
    if even and (isinstance(parts, bool) or not isinstance(parts, int | numpy.integer)):
        raise DtypeError(f"split: a whole number or a list of them was expected, but {show(parts)} came.")
    if even and parts <= 0:
        raise ShapeError(f"split: the parts must be positive, but {parts} came.")
    parts = parts if even else whole_numbers("split", "sizes", parts)
    if axis is None:
        sizes = [builtins.min(parts, total - k) for k in range(0, total or 1, parts)] if even else parts
    elif even:
        if total % parts:
            raise ShapeError(
                f"split: axis {axis} of shape {spell(x.shape)} has size {total}, which {parts} does not divide."
            )
        sizes = [total // parts] * parts
    else:
        sizes = [b - a for a, b in itertools.pairwise((0, *parts, total))]
    return apply(shapes.split, x, sizes=tuple(sizes), axis=where_)


def gather(x: Any, dim: int, index: Any) -> Any:
    """y[i, j] = x[i, index[i, j]] for dim 1, and likewise for any dim: one chosen element per position.

    >>> kernel.gather(kernel.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, kernel.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    return apply(shapes.gather, x, index, axis=dim)


def take_along_axis(x: Any, index: Any, axis: int) -> Any:
    """gather, under NumPy's name and order of arguments.

    >>> kernel.take_along_axis(kernel.tensor([[1.0, 2.0]]), kernel.tensor([[1]]), 1)
    tensor([[2.]])
    """
    return gather(x, axis, index)


def one_hot(labels: Any, classes: int, dtype: Any = DEFAULT_FLOAT) -> Any:
    """1 at each label and 0 elsewhere: (…,) -> (…, classes).

    Raises ShapeError for a label outside 0 … classes - 1.

    >>> kernel.one_hot(kernel.tensor([1, 0]), 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """
    return apply(shapes.one_hot, labels, classes=classes, dtype=dtype)


def extent(x: Any, axis: int = 0) -> Any:
    """How long x is along an axis, as a tensor (): what ``x.shape[axis]`` is, also in a graph that is not bound yet.

    >>> kernel.extent(kernel.zeros(5, 2))
    tensor(5)
    """
    return apply(shapes.extent, x, axis=axis)


def nonzero(x: Any) -> Any:
    """The positions of the elements that are not 0, one row of indices each: (n, ndim).

    >>> kernel.nonzero(kernel.tensor([0.0, 3.0, 0.0, 4.0]))
    tensor([[1],
            [3]])
    """
    return apply(shapes.nonzero, x)


def getitem(x: Any, index: Any) -> Any:
    """x[index]: whole numbers, slices, None, ..., and tensors of whole numbers or booleans.

    >>> x = kernel.tensor([5.0, 6.0, 7.0])
    >>> kernel.getitem(x, x > 5)
    tensor([6., 7.])
    """
    ndim_of("getitem", x)
    pattern, arrays = index_of("getitem", x, index)
    return apply(shapes.getitem, x, *arrays, pattern=pattern)


def index_of(name: str, x: Any, index: Any) -> tuple[tuple, list]:
    """An index of x as (pattern, index tensors of whole numbers): a boolean tensor becomes its positions."""
    given = index if isinstance(index, tuple) else (index,)
    axes = [_axes_taken(name, entry) for entry in given]
    left = x.ndim - builtins.sum(axes)  # what a ... stands for
    if left < 0:
        raise ShapeError(
            f"{name}: {x.ndim - left} axes are indexed, but a tensor of shape {spell(x.shape)} has {x.ndim}."
        )
    entries, axis = [], 0
    for entry, taken in zip(given, axes, strict=True):
        if _is_mask(entry):
            entries.extend(_positions(name, x, entry, axis))
        else:
            entries.append(entry)
        axis += left if entry is Ellipsis else taken
    return _pattern(name, tuple(entries), x.ndim)


def _is_mask(entry: Any) -> bool:
    return hasattr(type(entry), "_apply") and entry.dtype == bool


def _axes_taken(name: str, entry: Any) -> int:
    """How many axes of a tensor an entry of its index is about."""
    if isinstance(entry, list | numpy.ndarray):
        kind = "list" if isinstance(entry, list) else "NumPy array"
        raise DtypeError(f"{name}: a {kind} is no index; make it a tensor with kernel.tensor(…).")
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if _is_mask(entry) else 1


def _pattern(name: str, index: Any, ndim: int) -> tuple[tuple, list]:
    """shapes.pattern_of, with errors that name the operation."""
    try:
        return shapes.pattern_of(index, lambda i: hasattr(type(i), "_apply"), ndim)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def _positions(name: str, x: Any, mask: Any, axis: int) -> list:
    """A boolean index that begins at ``axis``, as one index tensor of whole numbers per axis of the mask."""
    wanted = x.shape[axis : axis + mask.ndim]
    if mask.shape != wanted:
        raise ShapeError(
            f"{name}: a boolean index should have shape {spell(wanted)} because x has shape {spell(x.shape)}, but it "
            f"has shape {spell(mask.shape)}."
        )
    rows = nonzero(mask)
    return [rows[:, k] for k in range(mask.ndim)]


def scatter_add(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``values`` added at ``index``; repeated positions are summed. The transpose of indexing.

    >>> kernel.scatter_add(kernel.ones(3), (kernel.tensor([0, 2, 0]),), (3,))
    tensor([2., 0., 1.])
    """
    sizes = sizes_of("scatter_add", (shape,))
    for entry in index if isinstance(index, tuple) else (index,):
        if _is_mask(entry):
            raise DtypeError("scatter_add: a boolean index is none here; give the positions, nonzero(mask)[:, 0].")
    pattern, arrays = _pattern("scatter_add", index, len(sizes))
    return apply(shapes.scatter_add, values, *arrays, pattern=pattern, shape=sizes)


def scatter_along_axis(values: Any, index: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``values`` added along ``axis`` at ``index``. The transpose of gather.

    >>> kernel.functional.scatter_along_axis(kernel.ones(1, 2), kernel.tensor([[1, 1]]), 1, (1, 3))
    tensor([[0., 2., 0.]])
    """
    return apply(shapes.scatter_along_axis, values, index, axis=axis, shape=sizes_of("scatter_along_axis", (shape,)))


cat, unsqueeze = concatenate, expand_dims

__all__ = [
    "broadcast_to",
    "cat",
    "concatenate",
    "expand_dims",
    "extent",
    "flatten",
    "flip",
    "gather",
    "getitem",
    "nonzero",
    "one_hot",
    "pad",
    "permute",
    "reshape",
    "scatter_add",
    "scatter_along_axis",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "take_along_axis",
    "transpose",
    "unsqueeze",
]
