"""Rows of kernel/ops/convolutions.py."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, row, shape_error, u, whole

NONE = ((0, 0), (0, 0))


def _border(x: numpy.ndarray, padding: tuple) -> numpy.ndarray:
    return numpy.pad(x, ((0, 0), (0, 0), *padding))


def _every(x: numpy.ndarray, weight_shape: tuple, y_shape: tuple, stride: tuple, dilation: tuple, groups: int):
    """(place in y, in w, in the padded x) of every product that a convolution adds up, for one sample."""
    out, per_group, kh, kw = weight_shape
    for o, i, j in itertools.product(range(out), *map(range, y_shape[2:])):
        first = o // (out // groups) * per_group
        for c, p, q in itertools.product(range(per_group), range(kh), range(kw)):
            at = (first + c, i * stride[0] + p * dilation[0], j * stride[1] + q * dilation[1])
            yield (o, i, j), (o, c, p, q), at


def _size(size: int, kernel: int, stride: int, dilation: int) -> int:
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def _conv2d(x, weight, bias, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    x = _border(x, padding)
    sizes = map(_size, x.shape[2:], weight.shape[2:], stride, dilation)
    y = numpy.zeros((len(x), len(weight), *sizes)) + numpy.reshape(bias, (-1, 1, 1))
    for (o, i, j), w_at, (c, p, q) in _every(x, weight.shape, y.shape, stride, dilation, groups):
        y[:, o, i, j] += weight[w_at] * x[:, c, p, q]
    return y


def _transposed(x, weight, size, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    (top, bottom), (left, right) = padding
    result = numpy.zeros((len(x), weight.shape[1] * groups, size[0] + top + bottom, size[1] + left + right))
    for (o, i, j), w_at, (c, p, q) in _every(result, weight.shape, x.shape, stride, dilation, groups):
        result[:, c, p, q] += weight[w_at] * x[:, o, i, j]
    return result[:, :, top : top + size[0], left : left + size[1]]


def _weight(x, slope, kernel, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    x = _border(x, padding)
    result = numpy.zeros((slope.shape[1], x.shape[1] // groups, *kernel))
    for (o, i, j), w_at, (c, p, q) in _every(x, result.shape, slope.shape, stride, dilation, groups):
        result[w_at] += (x[:, c, p, q] * slope[:, o, i, j]).sum()
    return result


def _torch_conv2d(torch: Any, x, weight, bias, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    functional = torch.nn.functional
    bordered = functional.pad(x, (*padding[1], *padding[0]))
    y = functional.conv2d(bordered, weight, bias if hasattr(bias, "dtype") else None, stride, 0, dilation, groups)
    return y if hasattr(bias, "dtype") else y + bias


def _torch_transposed(torch: Any, x, weight, size, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    functional, (top, bottom), (left, right) = torch.nn.functional, *padding
    full = functional.conv_transpose2d(x, weight, None, stride, 0, 0, groups, dilation)
    height, width = size[0] + top + bottom, size[1] + left + right
    full = functional.pad(full, (0, width - full.shape[3], 0, height - full.shape[2]))
    return full[:, :, top : top + size[0], left : left + size[1]]


def _torch_weight(torch: Any, x, slope, kernel, stride=(1, 1), padding=NONE, dilation=(1, 1), groups=1):
    shape = (slope.shape[1], x.shape[1] // groups, *kernel)
    weight = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
    y = _torch_conv2d(torch, x, weight, 0, stride, padding, dilation, groups)
    (found,) = torch.autograd.grad(y, weight, slope, create_graph=True)
    return found


NOT_IMAGES = "argument x"
row(
    "conv2d",
    _conv2d,
    _torch_conv2d,
    call(u(2, 3, 5, 4), u(4, 3, 3, 2), u(4)),
    call(u(2, 3, 5, 4), u(4, 3, 3, 2), 0),
    call(u(2, 1, 5, 5), u(3, 1, 3, 3), 0.5),
    call(u(1, 2, 7, 6), u(2, 2, 3, 3), u(2), stride=(2, 3), padding=((1, 2), (0, 1))),
    call(u(2, 2, 7, 5), u(3, 2, 2, 2), u(3), dilation=(3, 2), padding=((1, 1), (1, 1))),
    call(u(2, 4, 4, 4), u(6, 2, 3, 3), u(6), groups=2),
    call(u(3, 3, 4, 4), u(3, 1, 2, 2), u(3), groups=3, stride=(2, 1)),
    call(u(2, 3, 4, 4), u(2, 3, 1, 1), u(2)),
    call(u(0, 2, 4, 4), u(3, 2, 2, 2), u(3)),
    shape_error(NOT_IMAGES, "(N, C, H, W)", "(3, 5, 4)", "unsqueeze", of=(u(3, 5, 4), u(4, 3, 3, 2), 0)),
    shape_error("argument weight", "(4, 3, 3, 2)", "(4, 2, 3, 2)", of=(u(2, 3, 5, 4), u(4, 2, 3, 2), 0)),
    shape_error("argument weight", "(4, 2, 3, 2)", "groups", of=(u(2, 4, 5, 4), u(4, 4, 3, 2), 0), groups=2),
    shape_error("argument weight", "(out, in, kernel height", "(4, 3)", of=(u(2, 3, 5, 4), u(4, 3), 0)),
    shape_error("(4, 5, 3, 2)", 'layout="NHWC"', of=(u(2, 5, 4, 3), u(4, 3, 3, 2), 0)),
    shape_error("argument bias", "(4,)", "(3,)", of=(u(2, 3, 5, 4), u(4, 3, 3, 2), u(3))),
    shape_error("height 6", "does not fit", "height 5", of=(u(2, 3, 5, 4), u(4, 3, 6, 2), 0)),
    shape_error(
        "width 2",
        "dilated to 6",
        "padded to 5",
        of=(u(2, 3, 5, 4), u(4, 3, 1, 2), 0),
        dilation=(1, 5),
        padding=((0, 0), (0, 1)),
    ),
    shape_error("groups", "2", "3 channels", of=(u(2, 3, 5, 4), u(4, 3, 3, 2), 0), groups=2),
    shape_error("stride", "1 or more", "(0, 1)", of=(u(2, 3, 5, 4), u(4, 3, 3, 2), 0), stride=(0, 1)),
    dtype_error("stride", "two whole numbers", "2", of=(u(2, 3, 5, 4), u(4, 3, 3, 2), 0), stride=2),
    dtype_error("float", "int64", of=(whole(2, 3, 5, 4), whole(4, 3, 3, 2), 0)),
    whole=False,
    boolean=False,
    tolerance=16,
)
row(
    "conv2d_transposed",
    _transposed,
    _torch_transposed,
    call(u(2, 3, 3, 3), u(3, 2, 3, 2), size=(5, 4)),
    call(u(1, 2, 3, 2), u(2, 2, 3, 3), size=(6, 5), stride=(2, 3), padding=((1, 1), (0, 1))),
    call(u(1, 2, 2, 2), u(2, 3, 2, 2), size=(7, 5), dilation=(3, 2), padding=((0, 0), (0, 1)), stride=(2, 2)),
    call(u(2, 6, 2, 2), u(6, 2, 3, 3), size=(4, 4), groups=2),
    call(u(0, 3, 3, 3), u(3, 2, 3, 2), size=(5, 4)),
    shape_error("argument x", "(2, 3, 4, 4)", "(2, 3, 3, 3)", of=(u(2, 3, 3, 3), u(3, 2, 2, 2)), size=(5, 5)),
    shape_error("argument weight", "(3, ?, 2, 2)", "(4, 2, 2, 2)", of=(u(2, 3, 3, 3), u(4, 2, 2, 2)), size=(4, 4)),
    whole=False,
    boolean=False,
    tolerance=16,
)
row(
    "conv2d_weight",
    _weight,
    _torch_weight,
    call(u(2, 3, 5, 4), u(2, 4, 3, 3), kernel=(3, 2)),
    call(u(1, 2, 7, 6), u(1, 2, 4, 2), kernel=(3, 3), stride=(2, 3), padding=((1, 1), (0, 1))),
    call(u(2, 2, 7, 5), u(2, 3, 6, 5), kernel=(2, 2), dilation=(3, 2), padding=((1, 1), (1, 1))),
    call(u(2, 4, 4, 4), u(2, 6, 2, 2), kernel=(3, 3), groups=2),
    call(u(0, 3, 5, 4), u(0, 4, 3, 3), kernel=(3, 2)),
    shape_error("argument slope", "(2, ?, 3, 3)", "(2, 4, 3, 2)", of=(u(2, 3, 5, 4), u(2, 4, 3, 2)), kernel=(3, 2)),
    whole=False,
    boolean=False,
    tolerance=16,
)
