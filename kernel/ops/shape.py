"""Operations that move elements about: other shapes, other orders, parts of tensors and tensors put together."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import numpy

from ..errors import DtypeError, ShapeError, show
from ..op import (
    BOOL,
    INTEGERS,
    UNSIGNED,
    ArrayType,
    Op,
    broadcast,
    deliver,
    dtype_of,
    is_float,
    normalise_axis,
    promote,
    require_fits,
    require_number,
    require_sizes,
    require_whole,
    spell,
    unify,
)


def _need_whole(what: str, values: Any) -> None:
    if not isinstance(values, tuple) or any(
        isinstance(v, bool) or not isinstance(v, int | numpy.integer) for v in values
    ):
        raise DtypeError(f"{what} must be whole numbers, but {show(values)} came.")


def resolve(shape: tuple[int, ...], size: int | None, was: Any) -> tuple[int | None, ...]:
    """``shape`` with a -1 replaced by what makes ``size`` elements.

    >>> resolve((2, -1), 6, (6,))
    (2, 3)
    """
    _need_whole("sizes", shape)
    if shape.count(-1) > 1 or any(s < -1 for s in shape):
        raise ShapeError(f"sizes must not be negative, but for one -1 that is worked out; {spell(shape)} came.")
    if size is None:
        return tuple(None if s == -1 else s for s in shape)
    known = math.prod(s for s in shape if s != -1)
    if -1 in shape and known and size % known == 0:
        return tuple(size // known if s == -1 else s for s in shape)
    if -1 in shape or known != size:
        raise ShapeError(
            f"shape {spell(was)} has {size} elements, which do not fill {spell(shape)}"
            + (f": {known} does not divide {size}." if -1 in shape and known else f" with its {known} elements.")
        )
    return shape


class reshape(Op):
    """The same elements in row-major order under another shape; one size may be -1. A view where strides allow."""

    onnx = "Reshape"
    view = True
    vjp = (lambda xp, g, y, x, shape: xp.reshape(g, x.shape),)
    inplace = (0,)

    def infer(x, shape):
        size = None if x.shape is None or None in x.shape else math.prod(x.shape)
        return (x,), (ArrayType(resolve(shape, size, x.shape), x.dtype),)

    def forward(xp, x, out=None, shape=None):
        return deliver(xp, x.reshape(shape), out)


class flatten(Op):
    """All axes from ``start`` on joined into one, in row-major order. A view where strides allow."""

    onnx = "Flatten"
    view = True
    vjp = (lambda xp, g, y, x, start=0: xp.reshape(g, x.shape),)

    def infer(x, start=0):
        require_whole("start", start)
        if x.shape is None:
            return (x,), (ArrayType((None,) * (start + 1) if start >= 0 else None, x.dtype),)
        k = normalise_axis(start, max(x.ndim, 1))
        joined = None if None in x.shape[k:] else math.prod(x.shape[k:])
        return (x,), (ArrayType((*x.shape[:k], joined), x.dtype),)

    def forward(xp, x, out=None, start=0):
        k = start % max(x.ndim, 1)
        return deliver(xp, x.reshape((*x.shape[:k], math.prod(x.shape[k:]))), out)


class broadcast_to(Op):
    """x stretched to a shape, without copying: axes are added at the left, axes of size 1 repeat."""

    onnx = "Expand"
    view = True
    vjp = (lambda xp, g, y, x, shape: g,)

    def infer(x, shape):
        require_sizes("sizes", shape)
        if x.shape is not None and (
            len(x.shape) > len(shape)
            or any(size not in (None, 1, wanted) for size, wanted in zip(x.shape[::-1], shape[::-1], strict=False))
        ):
            raise ShapeError(
                f"shape {spell(x.shape)} cannot be stretched to {spell(shape)}: aligned at the right, each of its "
                "sizes must be 1 or the wanted one."
            )
        return (x,), (ArrayType(shape, x.dtype),)

    def forward(xp, x, out=None, shape=None):
        return deliver(xp, xp.broadcast_to(x, shape), out)


class permute(Op):
    """The axes in another order, without copying."""

    onnx = "Transpose"
    view = True

    def infer(x, axes):
        if x.shape is None:
            return (x,), (ArrayType((None,) * len(axes), x.dtype),)
        order = [normalise_axis(a, x.ndim) for a in axes]
        if sorted(order) != list(range(x.ndim)):
            raise ShapeError(f"axes {axes} must name each of the {x.ndim} axes of shape {spell(x.shape)} once.")
        return (x,), (ArrayType(tuple(x.shape[a] for a in order), x.dtype),)

    def forward(xp, x, out=None, axes=None):
        return deliver(xp, x.transpose(axes), out)

    def _x(xp, g, y, x, axes):
        back = [0] * len(axes)
        for position, axis in enumerate(axes):
            back[axis % len(axes)] = position
        return xp.transpose(g, tuple(back))

    vjp = (_x,)


class expand_dims(Op):
    """A new axis of size 1 at a position."""

    onnx = "Unsqueeze"
    view = True
    vjp = (lambda xp, g, y, x, axis: xp.squeeze(g, axis),)
    inplace = (0,)

    def infer(x, axis):
        if x.shape is None:
            return (x,), (ArrayType(None, x.dtype),)
        k = normalise_axis(axis, x.ndim + 1)
        return (x,), (ArrayType((*x.shape[:k], 1, *x.shape[k:]), x.dtype),)

    def forward(xp, x, out=None, axis=None):
        k = axis % (x.ndim + 1)
        return deliver(xp, x.reshape((*x.shape[:k], 1, *x.shape[k:])), out)


class squeeze(Op):
    """One axis of size 1 taken away."""

    onnx = "Squeeze"
    view = True
    vjp = (lambda xp, g, y, x, axis: xp.expand_dims(g, axis),)
    inplace = (0,)

    def infer(x, axis):
        if x.shape is None:
            return (x,), (ArrayType(None, x.dtype),)
        k = normalise_axis(axis, x.ndim)
        if x.shape[k] not in (1, None):
            raise ShapeError(
                f"axis {axis} of shape {spell(x.shape)} has size {x.shape[k]}; only an axis of size 1 can go."
            )
        return (x,), (ArrayType(x.shape[:k] + x.shape[k + 1 :], x.dtype),)

    def forward(xp, x, out=None, axis=None):
        k = axis % x.ndim
        return deliver(xp, x.reshape(x.shape[:k] + x.shape[k + 1 :]), out)


class flip(Op):
    """The elements in reverse order along the axes."""

    vjp = (lambda xp, g, y, x, axis: xp.flip(g, axis),)

    def infer(x, axis):
        axes = [a if x.shape is None else normalise_axis(a, x.ndim) for a in axis]
        if len(set(axes)) != len(axes):
            raise ShapeError(f"axis {axis} names the same axis twice.")
        return (x,), (x,)

    def forward(xp, x, out=None, axis=None):
        # A copy: a view with negative strides is one that few libraries take back.
        return deliver(xp, xp.flip(x, axis).copy(), out)


class pad(Op):
    """A border of one value: ``widths`` holds (before, after) for each axis."""

    onnx = "Pad"

    def infer(x, widths, value=0):
        if not isinstance(widths, tuple) or any(not isinstance(w, tuple) or len(w) != 2 for w in widths):
            raise DtypeError(f"widths must be pairs (before, after), one for each axis, but {show(widths)} came.")
        _need_whole("widths", tuple(w for pair in widths for w in pair))
        require_number("value", value)
        if isinstance(value, float) and not is_float(x.dtype):
            raise DtypeError(f"value is {value}, which a tensor of {x.dtype} cannot hold; convert it with .float().")
        if isinstance(x.dtype, numpy.dtype):
            require_fits("value", value, x.dtype)
        if x.shape is None:
            return (x,), (ArrayType((None,) * len(widths), x.dtype),)
        if len(widths) != x.ndim:
            pairs = "1 pair" if len(widths) == 1 else f"{len(widths)} pairs"
            raise ShapeError(f"{pairs} of widths came for the {x.ndim} axes of shape {spell(x.shape)}.")
        if any(w < 0 for pair in widths for w in pair):
            raise ShapeError(f"widths must not be negative, but {widths} came; to cut off a border, index the tensor.")
        shape = tuple(None if s is None else s + a + b for s, (a, b) in zip(x.shape, widths, strict=True))
        return (x,), (ArrayType(shape, x.dtype),)

    def forward(xp, x, out=None, widths=None, value=0):
        return deliver(xp, xp.pad(x, widths, constant_values=value), out)

    def _x(xp, g, y, x, widths, value=0):
        return g[tuple(slice(before, before + size) for (before, _), size in zip(widths, x.shape, strict=True))]

    vjp = (_x,)


class concatenate(Op):
    """Tensors put one behind the other along an axis that they already have."""

    onnx = "Concat"

    def infer(*tensors, axis=0):
        require_whole("axis", axis)
        dtype = promote(*(t.dtype for t in tensors))
        inputs = tuple(ArrayType(t.shape, dtype) for t in tensors)
        if any(t.shape is None for t in tensors):
            return inputs, (ArrayType(None, dtype),)
        first = tensors[0].shape
        if not first:
            raise ShapeError("numbers of shape () have no axis to be put together along; use stack.")
        k = normalise_axis(axis, len(first))
        shape = list(first)
        for i, t in enumerate(tensors[1:], 1):
            if len(t.shape) != len(first) or any(
                a != b for j, (a, b) in enumerate(zip(first, t.shape, strict=True)) if j != k and None not in (a, b)
            ):
                wanted = (*first[:k], None, *first[k + 1 :])
                raise ShapeError(
                    f"tensor {i} should have shape {spell(wanted)} because tensor 0 has shape {spell(first)}, "
                    f"but it has shape {spell(t.shape)}; only axis {k} may differ."
                )
            shape[k] = None if None in (shape[k], t.shape[k]) else shape[k] + t.shape[k]
        return inputs, (ArrayType(tuple(shape), dtype),)

    def forward(xp, *tensors, out=None, axis=0):
        return deliver(xp, xp.concatenate(tensors, axis), out)

    def vjp(i, xp, g, y, *tensors, axis=0):
        k = axis % len(tensors[0].shape)
        start = 0
        for t in tensors[:i]:
            start += t.shape[k]
        return g[(*(slice(None),) * k, slice(start, start + tensors[i].shape[k]))]


class stack(Op):
    """Tensors of one shape put beside each other along a new axis."""

    def infer(*tensors, axis=0):
        require_whole("axis", axis)
        dtype = promote(*(t.dtype for t in tensors))
        shape = None
        for i, t in enumerate(tensors):
            shape = unify(f"tensor {i}", t.shape, shape, "all that are stacked have one shape")
        inputs = (ArrayType(shape, dtype),) * len(tensors)
        if shape is None:
            return inputs, (ArrayType(None, dtype),)
        k = normalise_axis(axis, len(shape) + 1)
        return inputs, (ArrayType((*shape[:k], len(tensors), *shape[k:]), dtype),)

    def forward(xp, *tensors, out=None, axis=0):
        return deliver(xp, xp.stack(tensors, axis), out)

    def vjp(i, xp, g, y, *tensors, axis=0):
        return g[(*(slice(None),) * (axis % len(g.shape)), i)]


class split(Op):
    """A tensor cut along an axis into parts of the given sizes."""

    onnx = "Split"
    view = True

    def infer(x, sizes, axis=0):
        _need_whole("sizes", sizes)
        require_whole("axis", axis)
        if x.shape is None:
            return (x,), tuple(ArrayType(None, x.dtype) for _ in sizes)
        k = normalise_axis(axis, x.ndim)
        if min(sizes, default=0) < 0 or (x.shape[k] is not None and sum(sizes) != x.shape[k]):
            raise ShapeError(f"parts of sizes {sizes} do not add up to axis {k} of shape {spell(x.shape)}.")
        return (x,), tuple(ArrayType((*x.shape[:k], size, *x.shape[k + 1 :]), x.dtype) for size in sizes)

    outputs = 2  # or more: as many as there are sizes

    def forward(xp, x, out=None, sizes=None, axis=0):
        k, start, parts = axis % x.ndim, 0, []
        for i, size in enumerate(sizes):
            part = x[(*(slice(None),) * k, slice(start, start + size))]
            parts.append(deliver(xp, part, out and out[i]))
            start += size
        return tuple(parts), ()

    vjp = (lambda xp, g, y, x, sizes, axis=0: xp.concatenate(g if isinstance(g, tuple) else (g,), axis),)


# An index is an attribute of its operation, apart from the arrays in it, which are operands: ``pattern`` holds one
# entry per position, with slices spelled as tuples (a slice has no hash) and ARRAY where the next operand belongs.
ARRAY = "array"


def pattern_of(index: Any, is_array: Any, ndim: int) -> tuple[tuple, list]:
    """An index of a tensor with ``ndim`` axes as (pattern, arrays).

    >>> pattern_of((slice(1, None), 0, None), lambda i: False, 2)
    ((('slice', 1, None, None), 0, None), [])
    """
    entries, arrays = [], []
    for i in index if isinstance(index, tuple) else (index,):
        if is_array(i):
            entries.append(ARRAY)
            arrays.append(i)
        elif isinstance(i, slice):
            bounds = tuple(map(_bound, (i.start, i.stop, i.step)))
            if bounds[2] is not None and bounds[2] <= 0:
                raise ShapeError(f"a step must be positive, but it is {bounds[2]}; use flip to reverse an axis.")
            entries.append(("slice", *bounds))
        elif i is None or i is Ellipsis:
            entries.append(i)
        elif isinstance(i, int | numpy.integer) and not isinstance(i, bool):
            entries.append(int(i))
        else:
            raise DtypeError(
                "an index must be a whole number, a slice, None, ... or a tensor of whole numbers or booleans, but "
                f"{show(i)} came."
            )
    if entries.count(Ellipsis) > 1:
        raise ShapeError("an index may hold ... only once.")
    if arrays and Ellipsis in entries and len(entries) - 1 - entries.count(None) == ndim:
        entries.remove(Ellipsis)
    return tuple(entries), arrays


def _bound(value: Any) -> int | None:
    """A limit of a slice as a Python number, so that equal patterns mean equal slices."""
    if value is None:
        return None
    try:
        return operator.index(value)
    except TypeError:
        raise DtypeError(f"the limits of a slice must be whole numbers, but {show(value)} came.") from None


def index_from(pattern: tuple, arrays: Any) -> tuple:
    """The index that ``pattern`` and ``arrays`` spell."""
    arrays = iter(arrays)
    return tuple(
        next(arrays) if entry == ARRAY else slice(*entry[1:]) if isinstance(entry, tuple) else entry
        for entry in pattern
    )


def check_indices(xp, pattern, shape, arrays):
    """Refuse an index array beyond its axis: a GPU would wrap it silently."""
    arrays = iter(arrays)
    after = pattern[pattern.index(Ellipsis) + 1 :] if Ellipsis in pattern else ()
    axis = 0
    for entry in pattern:
        if entry is Ellipsis:
            axis = len(shape) - sum(1 for e in after if e is not None)
            continue
        if entry == ARRAY:
            check_range(xp, next(arrays), shape[axis], axis, "an index")
        axis += entry is not None


def check_range(xp: Any, index: Any, size: int, axis: int, what: str) -> None:
    """A ShapeError unless -size <= index < size everywhere."""
    # Seen as unsigned, a negative number is a huge one: mostly this one look is enough.
    if index.size == 0 or xp.read(index.view(UNSIGNED[index.dtype]).max()) < size:
        return
    low, high = xp.read(index.min()), xp.read(index.max())
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise ShapeError(f"{what} is {wrong}, but axis {axis} has size {size}: 0 to {size - 1} exist.")


def outside(xp: Any, index: Any, size: int) -> int | None:
    """One of the whole numbers that are not from 0 to size - 1, None if all are."""
    if index.size == 0:
        return None
    # Seen as unsigned, a negative number is a huge one: mostly this one look is enough. (NumPy finds where the largest
    # stands in a third of the time in which it finds what it is.)
    seen = index.view(UNSIGNED[index.dtype])
    seen = seen if seen.ndim == 1 else seen.reshape(-1)
    if xp.read(seen[seen.argmax()]) < size:
        return None
    low, high = xp.read(index.min()), xp.read(index.max())
    return low if low < 0 else high


def check_labels(xp: Any, labels: Any, classes: int, what: str) -> None:
    """A ShapeError unless 0 <= label < classes everywhere."""
    wrong = outside(xp, labels, classes)
    if wrong is not None:
        raise ShapeError(f"{what} is {wrong}, but there are classes 0 to {classes - 1}.")


def indexed(shape: tuple | None, pattern: tuple, indices: tuple) -> tuple | None:
    """The shape of a tensor of ``shape`` under an index, by NumPy's rules; sizes may be unknown (None).

    Axes between slices keep their place. Index tensors are broadcast together, a whole number beside them being one of
    them; what they broadcast to stands where they stood, or in front if a slice stands between them. (A ... that stands
    for no axis stands between nothing: here PyTorch is followed, and ``pattern_of`` has left it out.)

    >>> indexed((4, 5, 6), (("slice", 1, None, None), 0), ())
    (3, 6)
    """
    for t in indices:
        if t.dtype.kind not in "iu":
            raise DtypeError(f"an index tensor must hold whole numbers or booleans, but it is {t.dtype}.")
    if shape is None:
        return None
    given = sum(1 for entry in pattern if entry is not None and entry is not Ellipsis)
    if given > len(shape):
        raise ShapeError(f"{given} axes are indexed, but a tensor of shape {spell(shape)} has {len(shape)}.")
    rest = (_ALL,) * (len(shape) - given)
    at = pattern.index(Ellipsis) if Ellipsis in pattern else len(pattern)
    arrays, axis = iter(indices), 0
    sizes: list[int | None] = []
    places, blocks = [], []  # where index tensors (and, beside them, whole numbers) stand among ``sizes``
    for position, entry in enumerate((*pattern[:at], *rest, *pattern[at + 1 :])):
        if entry is None:
            sizes.append(1)
            continue
        size = shape[axis]
        if entry == ARRAY:
            blocks.append(next(arrays).shape)
            places.append((position, len(sizes)))
        elif isinstance(entry, tuple):
            whole = entry[1:] in ((None, None, None), (None, None, 1), (0, None, None), (0, None, 1))
            sizes.append(size if size is None or whole else len(range(*slice(*entry[1:]).indices(size))))
        else:
            if size is not None and not -size <= entry < size:
                raise ShapeError(
                    f"index {entry} does not exist: axis {axis} of shape {spell(shape)} has size {size}, with 0 to "
                    f"{size - 1}."
                )
            if indices:
                places.append((position, len(sizes)))
        axis += 1
    if not indices:
        return tuple(sizes)
    if None in blocks:
        return None
    together = all(b - a == 1 for (a, _), (b, _) in itertools.pairwise(places))
    start = places[0][1] if together else 0
    return (*sizes[:start], *broadcast(*blocks), *sizes[start:])


_ALL = ("slice", None, None, None)


class getitem(Op):
    """Elements, slices or rows of x: basic indices give a view, index tensors (whole numbers) a copy.

    A boolean index becomes its positions first (``nonzero``), which is the step whose shape depends on the data.
    """

    view = True

    def infer(x, *indices, pattern):
        return (x, *indices), (ArrayType(indexed(x.shape, pattern, indices), x.dtype),)

    def forward(xp, x, *indices, out=None, pattern=()):
        index = index_from(pattern, indices)
        if indices:
            check_indices(xp, pattern, x.shape, indices)
        elif Ellipsis not in pattern:
            index = (*index, Ellipsis)  # or NumPy would copy a single element, where every other part is a view
        return deliver(xp, x[index], out)

    def vjp(i, xp, g, y, x, *indices, pattern):
        return xp.scatter_add(g, index_from(pattern, indices), x.shape)

    reads = ("indices",)


class scatter_add(Op):
    """Zeros of a shape with x added at an index, repeated positions summed: what indexing does, transposed."""

    def infer(x, *indices, pattern, shape):
        require_sizes("sizes", shape)
        wanted = indexed(shape, pattern, indices)
        filled = unify("argument x", x.shape, wanted, f"that is what the index takes from shape {spell(shape)}")
        return (ArrayType(filled, x.dtype), *indices), (ArrayType(shape, x.dtype),)

    def forward(xp, x, *indices, out=None, pattern=(), shape=()):
        if indices:
            check_indices(xp, pattern, shape, indices)
        return deliver(xp, xp.scatter_add(x, index_from(pattern, indices), shape), out)

    def vjp(i, xp, g, y, x, *indices, pattern, shape):
        return g[index_from(pattern, indices)]

    reads = ("indices",)


def _need_index(index):
    if index.dtype not in INTEGERS:
        came = index.dtype if isinstance(index.dtype, numpy.dtype) else "a plain number"
        raise DtypeError(f"argument index must hold whole numbers, but it is {came}; convert it with .long().")


def _need_along(name, given, shape, k, of):
    """On every axis but k, an index along k lies inside ``shape``."""
    if given is None:
        return
    wanted = tuple(None if j == k else size for j, size in enumerate(shape))
    fits = len(given) == len(shape) and all(
        j == k or None in (size, limit) or size <= limit
        for j, (size, limit) in enumerate(zip(given, shape, strict=True))
    )
    if not fits:
        raise ShapeError(
            f"argument {name} should have shape {spell(wanted)}, or less, because {of} has shape {spell(shape)}, but "
            f"it has shape {spell(given)}; it needs {len(shape)} axes (unsqueeze adds one)."
        )


class gather(Op):
    """y[i, j] = x[i, index[i, j]] for axis 1, and likewise for any axis: one chosen element per position."""

    onnx = "GatherElements"
    vjp = (lambda xp, g, y, x, index, axis: xp.scatter_along_axis(g, index, axis % len(x.shape), x.shape), None)
    reads = ("index", "")

    def infer(x, index, axis):
        require_whole("axis", axis)
        _need_index(index)
        if x.shape is not None:
            _need_along("index", index.shape, x.shape, normalise_axis(axis, x.ndim), "x")
        return (x, index), (ArrayType(index.shape, x.dtype),)

    def forward(xp, x, index, out=None, axis=None):
        axis %= x.ndim
        check_range(xp, index, x.shape[axis], axis, "an index")
        return deliver(xp, x[xp.along_axis(index, axis)], out)


class scatter_along_axis(Op):
    """Zeros of a shape with x added along an axis at an index: what gather does, transposed."""

    vjp = (lambda xp, g, y, x, index, axis, shape: xp.gather(g, axis % len(shape), index), None)
    reads = ("index", "")

    def infer(x, index, axis, shape):
        require_sizes("sizes", shape)
        _need_index(index)
        k = normalise_axis(axis, len(shape))
        filled = unify("argument index", index.shape, x.shape, f"x has shape {spell(x.shape)}")
        _need_along("x", filled, shape, k, "shape")
        return (ArrayType(filled, x.dtype), ArrayType(filled, index.dtype)), (ArrayType(shape, x.dtype),)

    def forward(xp, x, index, out=None, axis=None, shape=None):
        axis %= x.ndim
        check_range(xp, index, shape[axis], axis, "an index")
        return deliver(xp, xp.scatter_along_axis(x, index, axis, shape), out)


class nonzero(Op):
    """The positions of the elements that are not 0, one row of indices each: (n, ndim), n depending on the data."""

    onnx = "NonZero"
    data_dependent = True
    vjp = (None,)

    def infer(x):
        if x.shape == ():
            raise ShapeError("a tensor of shape () has no axis along which a position could be told.")
        return (x,), (ArrayType((None, None if x.shape is None else x.ndim), numpy.dtype("int64")),)

    def forward(xp, x, out=None):
        return deliver(xp, xp.stack(xp.nonzero(x), 1), out)


class one_hot(Op):
    """1 at each label and 0 elsewhere: labels (…,) -> (…, classes)."""

    onnx = "OneHot"
    vjp = (None,)

    def infer(labels, classes, dtype):
        if is_float(labels.dtype) or labels.dtype == BOOL:
            raise DtypeError(f"labels must be whole numbers, but they are {labels.dtype}; convert them with .long().")
        require_whole("classes", classes)
        require_sizes("classes", (classes,))
        return (labels,), (
            ArrayType(None if labels.shape is None else (*labels.shape, classes), dtype_of("dtype", dtype)),
        )

    def forward(xp, labels, out=None, classes=None, dtype=None):
        check_labels(xp, labels, classes, "a label")
        return deliver(xp, (xp.expand_dims(labels, -1) == xp.arange(classes)).astype(dtype), out)


class transfer(Op):
    """A copy on another device."""

    moves = True
    vjp = (lambda xp, g, y, x, source, target: xp.transfer(g, target, source),)

    def infer(x, source, target):
        return (x,), (x,)

    def forward(xp, x, out=None, source=None, target=None):
        return xp.transfer(x, source, target, out)


class extent(Op):
    """How long x is along an axis, as a number: (…) -> (). In a graph, where it may not be known before it is run."""

    onnx = "Size"
    vjp = (None,)

    def infer(x, axis=0):
        if x.shape is not None:
            normalise_axis(axis, x.ndim)
        return (x,), (ArrayType((), numpy.dtype("int64")),)

    def forward(xp, x, out=None, axis=0):
        return deliver(xp, xp.asarray(x.shape[axis], dtype="int64"), out)


class full_like(Op):
    """One value in the shape and dtype of x."""

    onnx = "ConstantOfShape"
    vjp = (None,)
    inplace = (0,)
    keeps_shape = True

    def infer(x, value):
        require_number("value", value)
        if isinstance(x.dtype, numpy.dtype):
            require_fits("value", value, x.dtype)
        return (x,), (x,)

    def forward(xp, x, out=None, value=0):
        return deliver(xp, xp.full_like(x, value), out)
