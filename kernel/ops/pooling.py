"""Pooling: the largest, or the mean, of what a window sees, and the operations that carry gradients back and forth.

As in convolutions, images lie batch-last inside, and each position of the window is one slice of long contiguous runs.
Padding never wins and is never counted, unless a mean is told to include it. With ``ceil`` a last window may reach
beyond the images, but it must begin inside them or in the padding before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from ..errors import DtypeError, ShapeError
from ..op import ArrayType, Op, deliver, require_flag, require_float, require_whole, spell, unify
from .convolutions import (
    Padding,
    Pair,
    batch_first,
    batch_last,
    delivered,
    memory_of,
    padded,
    positions,
    require_images,
    require_padding,
    require_pair,
    unpadded,
    window,
)
from .reduce import in_dtype, wide


def places_along(what: str, size: int | None, kernel: int, stride: int, pad: Pair, ceil: bool) -> int | None:
    """How many windows stand along an axis."""
    if size is None:
        return None
    room = size + sum(pad) - kernel
    if not size or (room < 0 and not (ceil and room > -stride)):
        of = f"{size}, padded to {size + sum(pad)}" if size and sum(pad) else str(size)
        raise ShapeError(f"a window of {what} {kernel} does not fit into images of {what} {of}.")
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + pad[0] else count


def _places(size: tuple, kernel: Pair, stride: Pair, padding: Padding, ceil: bool) -> tuple:
    return tuple(
        places_along(what, s, k, step, pad, ceil)
        for what, s, k, step, pad in zip(("height", "width"), size, kernel, stride, padding, strict=True)
    )


def _options(kernel: Any, stride: Any, padding: Any, ceil: Any) -> None:
    require_pair("kernel", kernel, 1)
    require_pair("stride", stride, 1)
    require_padding(padding)
    require_flag("ceil", ceil)
    for k, pad in zip(kernel, padding, strict=True):
        if max(pad) >= k:
            raise ShapeError(f"with padding {max(pad)} a window of {k} may see padding alone; use less than {k}.")


def _pooled(x: ArrayType, kernel: Pair, stride: Pair, padding: Padding, ceil: bool) -> tuple:
    """The shape of pooled images."""
    _options(kernel, stride, padding, ceil)
    require_float("x", x.dtype)
    n, c, h, w = require_images("x", x)
    return (n, c, *_places((h, w), kernel, stride, padding, ceil))


def _reach(count: Pair, size: Pair, kernel: Pair, stride: Pair, padding: Padding) -> Padding:
    """The padding with which every window lies inside: with ``ceil`` more than was asked for."""
    return tuple(
        (before, max(after, (n - 1) * s + k - before - length))
        for n, length, k, s, (before, after) in zip(count, size, kernel, stride, padding, strict=True)
    )


def _channels(xp: Any, images: Any) -> Iterator[slice]:
    """The channels, as many at a time as keep within the cache: the windows look at each number again and again."""
    step = max(1, xp.CACHE // max(1, math.prod(images.shape[1:]) * images.dtype.itemsize))
    return (slice(start, start + step) for start in range(0, len(images), step))


def _spread(xp: Any, part: Callable, size: Pair, kernel: Pair, stride: Pair, reach: Padding, like: Any) -> Any:
    """Batch-first images of ``size``: to what window position k sees of channels c, ``part(k, c, out)`` is added.

    The positions within one stride see each place for the first time, so they may write (``out``) instead.
    """
    channels, *count, batch = like.shape
    shape = tuple(s + sum(pad) for s, pad in zip(size, reach, strict=True))
    tiled = all(
        n * step == length and k >= step for n, step, length, k in zip(count, stride, shape, kernel, strict=True)
    )
    images = (xp.empty if tiled else xp.zeros)((channels, *shape, batch), like.dtype)
    for some in _channels(xp, images):
        for k, at in enumerate(positions(kernel)):
            seen = window(images[some], at, tuple(count), stride)
            if at[0] < stride[0] and at[1] < stride[1]:
                part(k, some, seen)
            else:
                seen += part(k, some, None)
    return unpadded(images, reach, size)


def _first_inside(xp: Any, count: Pair, kernel: Pair, stride: Pair, padding: Padding, dtype: Any) -> Any:
    """The first position of each window, (H', W', 1), that sees no padding: it has won where all are minus infinity."""
    rows, columns = (
        numpy.maximum(0, before - step * numpy.arange(n))
        for n, step, (before, _) in zip(count, stride, padding, strict=True)
    )
    return xp.asarray((rows[:, None] * kernel[1] + columns).astype(dtype)[:, :, None])


class max_pool2d(Op):
    """The largest value in each window: (N, C, H, W) -> (N, C, H', W'); on a tie the first gets the gradient."""

    onnx = "MaxPool"
    residuals = ("chosen",)
    reads = ("chosen",)

    def infer(x, kernel, stride, padding=((0, 0), (0, 0)), ceil=False):
        return (x,), (ArrayType(_pooled(x, kernel, stride, padding, ceil), x.dtype),)

    def forward(xp, x, out=None, kernel=None, stride=None, padding=((0, 0), (0, 0)), ceil=False):
        count = _places(x.shape[2:], kernel, stride, padding, ceil)
        images = padded(xp, x, _reach(count, x.shape[2:], kernel, stride, padding), -math.inf)
        largest = memory_of(xp, None if out is None else out[0], (len(images), *count, len(x)), x.dtype)
        chosen = xp.zeros(largest.shape, "uint8" if math.prod(kernel) <= 256 else "int32")
        if padding[0][0] or padding[1][0]:
            chosen[...] = _first_inside(xp, count, kernel, stride, padding, chosen.dtype)
        for some in _channels(xp, images):
            index, so_far = chosen[some], None
            for k, at in enumerate(positions(kernel)):
                seen = window(images[some], at, count, stride)
                if so_far is None:
                    so_far = seen
                    continue
                higher = xp.maximum(so_far, seen)
                # Compared with what was, not with the window: columns picked out are slow to look at twice.
                xp.maximum(index, xp.multiply(higher > so_far, k, dtype=index.dtype), out=index)
                so_far = higher
            largest[some] = so_far
        y = batch_first(largest)
        return (y if out is None else delivered(xp, y, out[0]),), (batch_first(chosen),)

    def _x(xp, g, y, x, chosen, **options):
        return xp.apply(max_unpool2d, g, chosen, size=x.shape[2:], **options)

    vjp = (_x,)


def _chosen(x: ArrayType, chosen: ArrayType, shape: tuple, because: str) -> tuple[ArrayType, ArrayType]:
    if chosen.dtype not in ("uint8", "int32", "int64"):
        raise DtypeError(f"argument chosen must hold whole numbers, positions in the window, but it is {chosen.dtype}.")
    return ArrayType(unify("argument chosen", chosen.shape, shape, because), chosen.dtype)


class max_unpool2d(Op):
    """Each x put back at the place of its window that ``chosen`` numbers: what max_pool2d does to gradients."""

    reads = ("chosen", "")

    def infer(x, chosen, size, kernel, stride, padding=((0, 0), (0, 0)), ceil=False):
        require_pair("size", size, 0)
        pooled = _pooled(ArrayType((None, None, *size), x.dtype), kernel, stride, padding, ceil)
        shape = unify("argument x", x.shape, pooled, f"images have size {size}")
        index = _chosen(x, chosen, shape, f"x has shape {spell(x.shape)}")
        return (ArrayType(index.shape, x.dtype), index), (ArrayType((*index.shape[:2], *size), x.dtype),)

    def forward(xp, x, chosen, out=None, size=None, kernel=None, stride=None, padding=((0, 0), (0, 0)), ceil=False):
        given, index = batch_last(xp, x), batch_last(xp, chosen)
        reach = _reach(x.shape[2:], size, kernel, stride, padding)

        def part(k, some, out):
            return xp.keep(given[some], index[some] == k, out)

        return deliver(xp, _spread(xp, part, size, kernel, stride, reach, given), out)

    def _x(xp, g, y, x, chosen, size, **options):
        return xp.apply(max_pick2d, g, chosen, **options)

    vjp = (_x, None)


class max_pick2d(Op):
    """Of each window the value that stands where ``chosen`` says: max_pool2d with the choice already made."""

    reads = ("chosen", "")

    def infer(x, chosen, kernel, stride, padding=((0, 0), (0, 0)), ceil=False):
        shape = _pooled(x, kernel, stride, padding, ceil)
        index = _chosen(x, chosen, shape, f"x has shape {spell(x.shape)}")
        return (x, index), (ArrayType(index.shape, x.dtype),)

    def forward(xp, x, chosen, out=None, kernel=None, stride=None, padding=((0, 0), (0, 0)), ceil=False):
        count, index = chosen.shape[2:], batch_last(xp, chosen)
        images = padded(xp, x, _reach(count, x.shape[2:], kernel, stride, padding))
        y = xp.zeros(index.shape, x.dtype)
        for k, at in enumerate(positions(kernel)):
            y += xp.keep(window(images, at, count, stride), index == k)
        return deliver(xp, batch_first(y), out)

    def _x(xp, g, y, x, chosen, **options):
        return xp.apply(max_unpool2d, g, chosen, size=x.shape[2:], **options)

    vjp = (_x, None)


def _divisors(
    xp: Any, size: Pair, kernel: Pair, stride: Pair, padding: Padding, count: Pair, include: bool, dtype: Any
):
    """How many values each window averages: (H', W', 1), or one number where all see the same."""
    lengths = []
    for length, k, s, (before, after), n in zip(size, kernel, stride, padding, count, strict=True):
        low, high = (-before, length + after) if include else (0, length)
        lengths.append([min(i * s - before + k, high) - max(i * s - before, low) for i in range(n)])
    rows, columns = lengths
    if len(set(rows)) <= 1 and len(set(columns)) <= 1:
        return max(rows, default=1) * max(columns, default=1)
    return xp.asarray(numpy.outer(rows, columns).astype(dtype)[:, :, None])


def _require_divisor(divisor: Any) -> None:
    if divisor is not None:
        require_whole("divisor", divisor)
        if divisor < 1:
            raise ShapeError(f"divisor must be 1 or more, but {divisor} came.")


class avg_pool2d(Op):
    """The mean of each window, of the values inside the images only or, with ``include_pad``, of the padding too.

    With a ``divisor`` their sum, divided by that.
    """

    onnx = "AveragePool"

    def infer(x, kernel, stride, padding=((0, 0), (0, 0)), ceil=False, include_pad=False, divisor=None):
        _require_divisor(divisor)
        return (x,), (ArrayType(_pooled(x, kernel, stride, padding, ceil), x.dtype),)

    def forward(
        xp, x, out=None, kernel=None, stride=None, padding=((0, 0), (0, 0)), ceil=False, include_pad=False, divisor=None
    ):
        dtype, x, size = x.dtype, wide(x), x.shape[2:]
        count = _places(size, kernel, stride, padding, ceil)
        images = padded(xp, x, _reach(count, size, kernel, stride, padding))
        first, *others = (window(images, at, count, stride) for at in positions(kernel))
        y = first.copy()
        for seen in others:
            y += seen
        y /= divisor or _divisors(xp, size, kernel, stride, padding, count, include_pad, x.dtype)
        return deliver(xp, in_dtype(dtype, batch_first(y)), out)

    def _x(xp, g, y, x, **options):
        return xp.apply(avg_unpool2d, g, size=x.shape[2:], **options)

    vjp = (_x,)


class avg_unpool2d(Op):
    """Each x divided among the places of its window: what avg_pool2d does to gradients."""

    def infer(x, size, kernel, stride, padding=((0, 0), (0, 0)), ceil=False, include_pad=False, divisor=None):
        require_pair("size", size, 0)
        pooled = _pooled(ArrayType((None, None, *size), x.dtype), kernel, stride, padding, ceil)
        shape = unify("argument x", x.shape, pooled, f"images have size {size}")
        return (ArrayType(shape, x.dtype),), (ArrayType((*shape[:2], *size), x.dtype),)

    def forward(
        xp,
        x,
        out=None,
        size=None,
        kernel=None,
        stride=None,
        padding=((0, 0), (0, 0)),
        ceil=False,
        include_pad=False,
        divisor=None,
    ):
        dtype, x, count = x.dtype, wide(x), x.shape[2:]
        by = divisor or _divisors(xp, size, kernel, stride, padding, count, include_pad, x.dtype)
        given = batch_last(xp, x) / by
        reach = _reach(count, size, kernel, stride, padding)

        def part(k, some, to):
            if to is not None:
                to[...] = given[some]
            return given[some]

        return deliver(xp, in_dtype(dtype, _spread(xp, part, size, kernel, stride, reach, given)), out)

    def _x(xp, g, y, x, size, **options):
        return xp.apply(avg_pool2d, g, **options)

    vjp = (_x,)
