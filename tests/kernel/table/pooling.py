"""Rows of kernel/ops/pooling.py."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, kink, row, shape_error, u, whole

NONE = ((0, 0), (0, 0))


def _windows(size: tuple, kernel: tuple, stride: tuple, padding: tuple, ceil: bool):
    """(place in the result, rows, columns) of every window, cut off at the edge of the images."""
    ranges = []
    for length, k, s, (before, after) in zip(size, kernel, stride, padding, strict=True):
        begin, found = -before, []
        while begin + k <= length + after or (ceil and begin < length and (begin + k - s < length + after)):
            found.append(range(begin, begin + k))
            begin += s
        ranges.append(found)
    for (i, rows), (j, columns) in itertools.product(*map(enumerate, ranges)):
        yield (i, j), [r for r in rows if 0 <= r < size[0]], [c for c in columns if 0 <= c < size[1]]


def _pool(x, reduce, kernel, stride, padding=NONE, ceil=False):
    found = {
        at: reduce(x[:, :, rows][:, :, :, columns])
        for at, rows, columns in _windows(x.shape[2:], kernel, stride, padding, ceil)
    }
    sizes = tuple(max((at[k] for at in found), default=-1) + 1 for k in (0, 1))
    y = numpy.zeros((*x.shape[:2], *sizes))
    for (i, j), value in found.items():
        y[:, :, i, j] = value
    return y


def _max(x, kernel, stride, padding=NONE, ceil=False):
    return _pool(x, lambda seen: seen.max(axis=(2, 3)), kernel, stride, padding, ceil)


def _avg(x, kernel, stride, padding=NONE, ceil=False, include_pad=False, divisor=None):
    if divisor:
        return _pool(x, lambda seen: seen.sum(axis=(2, 3)), kernel, stride, padding, ceil) / divisor
    if include_pad:
        x = numpy.pad(x, ((0, 0), (0, 0), *padding))
        padding = NONE
    return _pool(x, lambda seen: seen.mean(axis=(2, 3)), kernel, stride, padding, ceil)


def _places(chosen: numpy.ndarray, kernel: tuple, stride: tuple, padding: tuple):
    """(place in the pooled images, place in the images) of every choice."""
    for n, c, i, j in itertools.product(*map(range, chosen.shape)):
        row_, column = divmod(int(chosen[n, c, i, j]), kernel[1])
        yield (n, c, i, j), (n, c, i * stride[0] - padding[0][0] + row_, j * stride[1] - padding[1][0] + column)


def _unpool(x, chosen, size, kernel, stride, padding=NONE, ceil=False):
    images = numpy.zeros((*x.shape[:2], *size))
    for pooled, place in _places(chosen, kernel, stride, padding):
        images[place] += x[pooled]
    return images


def _pick(x, chosen, kernel, stride, padding=NONE, ceil=False):
    y = numpy.zeros(chosen.shape)
    for pooled, place in _places(chosen, kernel, stride, padding):
        y[pooled] = x[place]
    return y


def _unavg(x, size, **options):
    """The transpose, column by column: each unit image pooled, and weighted with x."""
    images = numpy.zeros((*x.shape[:2], *size))
    for i, j in itertools.product(*map(range, size)):
        unit = numpy.zeros((1, 1, *size))
        unit[0, 0, i, j] = 1
        images[:, :, i, j] = (x * _avg(unit, **options)).sum(axis=(2, 3))
    return images


def _torch_max(torch: Any, x, kernel, stride, padding=NONE, ceil=False):
    functional = torch.nn.functional
    if all(before == after for before, after in padding):
        return functional.max_pool2d(x, kernel, stride, (padding[0][0], padding[1][0]), ceil_mode=ceil)
    return functional.max_pool2d(functional.pad(x, (*padding[1], *padding[0]), value=-math.inf), kernel, stride)


def _torch_avg(torch: Any, x, kernel, stride, padding=NONE, ceil=False, include_pad=False, divisor=None):
    functional = torch.nn.functional
    if all(before == after for before, after in padding):
        pads = (padding[0][0], padding[1][0])
        return functional.avg_pool2d(x, kernel, stride, pads, ceil, include_pad, divisor)

    def summed(images: Any) -> Any:
        return functional.avg_pool2d(
            functional.pad(images, (*padding[1], *padding[0])), kernel, stride, divisor_override=1
        )

    if divisor:
        return summed(x) / divisor
    return summed(x) / (kernel[0] * kernel[1] if include_pad else summed(torch.ones_like(x)))


def _torch_pull(torch: Any, pool: Any, x, size, **options):
    """What carries x back through a pooling of images of ``size``, by torch's own gradient."""
    images = torch.zeros((*x.shape[:2], *size), dtype=x.dtype, requires_grad=True)
    (found,) = torch.autograd.grad(pool(torch, images, **options), images, x, create_graph=True)
    return found


def _torch_pick(torch: Any, x, chosen, kernel, stride, padding=NONE, ceil=False):
    index = torch.tensor([list(place) for _, place in _places(chosen.numpy(), kernel, stride, padding)]).T
    return x[tuple(index)].reshape(chosen.shape)


def _torch_unpool(torch: Any, x, chosen, size, **options):
    return _torch_pull(torch, lambda t, images: _torch_pick(t, images, chosen, **options), x, size)


def _gap(x: numpy.ndarray, **_: Any) -> float:
    return numpy.diff(numpy.unique(x)).min(initial=1)


CASES = (
    ((2, 3, 4, 6), {"kernel": (2, 2), "stride": (2, 2)}),
    ((2, 2, 5, 7), {"kernel": (3, 2), "stride": (2, 1)}),
    ((1, 2, 5, 6), {"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1))}),
    ((1, 2, 5, 6), {"kernel": (3, 3), "stride": (2, 3), "padding": ((0, 1), (2, 0))}),
    ((2, 1, 6, 7), {"kernel": (3, 2), "stride": (2, 2), "ceil": True}),
    ((1, 1, 6, 6), {"kernel": (3, 3), "stride": (4, 2), "padding": ((1, 1), (1, 1)), "ceil": True}),
    ((1, 1, 3, 4), {"kernel": (1, 2), "stride": (3, 3)}),
    ((1, 2, 4, 4), {"kernel": (1, 2), "stride": (2, 2)}),
    ((0, 2, 4, 4), {"kernel": (2, 2), "stride": (2, 2)}),
)
REFUSED = (
    shape_error("(N, C, H, W)", "(2, 4, 6)", of=(u(2, 4, 6),), kernel=(2, 2), stride=(2, 2)),
    shape_error("height 5", "does not fit", "height 4", of=(u(1, 1, 4, 6),), kernel=(5, 2), stride=(1, 1)),
    shape_error(
        "padding 2", "window of 2", of=(u(1, 1, 4, 6),), kernel=(2, 2), stride=(2, 2), padding=((2, 0), (0, 0))
    ),
    shape_error(
        "images of height 0.", of=(u(1, 1, 0, 6),), kernel=(2, 2), stride=(2, 2), padding=((1, 1), (0, 0)), ceil=True
    ),
    shape_error("stride", "1 or more", of=(u(1, 1, 4, 6),), kernel=(2, 2), stride=(2, 0)),
    dtype_error("kernel", "two whole numbers", of=(u(1, 1, 4, 6),), kernel=2, stride=(2, 2)),
    dtype_error("ceil", "1", of=(u(1, 1, 4, 6),), kernel=(2, 2), stride=(2, 2), ceil=1),
    dtype_error("float", "int64", of=(whole(1, 1, 4, 6),), kernel=(2, 2), stride=(2, 2)),
)
row(
    "max_pool2d",
    _max,
    _torch_max,
    *(call(u(*shape), **options) for shape, options in CASES),
    kink([[[[1.0, 1.0], [1.0, 0.0]]]], kernel=(2, 2), stride=(2, 2)),
    kink([[[[-1.0, -2.0, -3.0]]]], kernel=(1, 2), stride=(1, 2), padding=((0, 0), (1, 1))),
    kink([[[[-math.inf] * 3] * 3]], kernel=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1))),
    *REFUSED,
    whole=False,
    boolean=False,
    gap=_gap,
)
row(
    "avg_pool2d",
    _avg,
    _torch_avg,
    *(call(u(*shape), **options) for shape, options in CASES),
    *(call(u(*shape), **options, include_pad=True) for shape, options in CASES[2:4]),
    *(call(u(*shape), **options, divisor=3) for shape, options in CASES[:4]),
    shape_error("divisor", "1 or more", "0", of=(u(1, 1, 4, 4),), kernel=(2, 2), stride=(2, 2), divisor=0),
    *REFUSED,
    whole=False,
    boolean=False,
    tolerance=4,
)


def _choice(shape: tuple, kernel: tuple, stride: tuple, padding: tuple = NONE, ceil: bool = False) -> numpy.ndarray:
    """For each window the number of a place that lies inside the images."""
    y = _max(numpy.zeros(shape), kernel, stride, padding, ceil)
    chosen = numpy.zeros(y.shape, "int64")
    for (i, j), rows, columns in _windows(shape[2:], kernel, stride, padding, ceil):
        top, left = i * stride[0] - padding[0][0], j * stride[1] - padding[1][0]
        inside = [(r - top) * kernel[1] + c - left for r in rows for c in columns]
        chosen[:, :, i, j] = numpy.random.default_rng(i + j).choice(inside, chosen.shape[:2])
    return chosen


SIZE = {"size": (4, 6), "kernel": (2, 2), "stride": (2, 2)}
WRONG_SIZE = shape_error("argument x", "(?, ?, 2, 3)", "(1, 1, 3, 3)", of=(u(1, 1, 3, 3), whole(1, 1, 3, 3)), **SIZE)
row(
    "max_unpool2d",
    _unpool,
    _torch_unpool,
    *(
        call(u(*(chosen := _choice(shape, **options)).shape), chosen, size=shape[2:], **options)
        for shape, options in CASES[:-1]
    ),
    WRONG_SIZE,
    shape_error("argument chosen", "(1, 1, 2, 3)", of=(u(1, 1, 2, 3), whole(1, 1, 2, 2)), **SIZE),
    dtype_error("chosen", "whole numbers", of=(u(1, 1, 2, 3), u(1, 1, 2, 3)), **SIZE),
    whole=False,
    boolean=False,
)
row(
    "max_pick2d",
    _pick,
    _torch_pick,
    *(call(u(*shape), _choice(shape, **options), **options) for shape, options in CASES[:-1]),
    shape_error("argument chosen", "(1, 1, 2, 3)", of=(u(1, 1, 4, 6), whole(1, 1, 2, 2)), kernel=(2, 2), stride=(2, 2)),
    whole=False,
    boolean=False,
)
row(
    "avg_unpool2d",
    _unavg,
    lambda torch, x, size, **options: _torch_pull(torch, _torch_avg, x, size, **options),
    *(call(u(*_max(numpy.zeros(shape), **options).shape), size=shape[2:], **options) for shape, options in CASES[:-1]),
    call(u(1, 2, 3, 3), size=(5, 6), kernel=(3, 3), stride=(2, 2), padding=((1, 1), (1, 0)), include_pad=True),
    call(u(1, 2, 3, 3), size=(5, 6), kernel=(3, 3), stride=(2, 2), padding=((1, 1), (1, 0)), divisor=2),
    shape_error("argument x", "(?, ?, 2, 3)", "(1, 1, 3, 3)", of=(u(1, 1, 3, 3),), **SIZE),
    whole=False,
    boolean=False,
    tolerance=4,
)
