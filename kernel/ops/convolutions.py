"""Convolutions: three operations, each the gradient of the other two.

A convolution of the images x with the weights w is linear in x and in w. So its gradients are again such products: that
of x is ``conv2d_transposed`` of g and w, that of w is ``conv2d_weight`` of x and g, and the gradients of those two are
found in the same triangle. Every order of differentiation is there, with nothing more to write.

Inside, images lie batch-last, (C, H, W, N): each position of the kernel is then one slice of long contiguous runs. The
slices are gathered as the columns of a matrix, a block of them that fits into the processor's cache at a time, and one
product with the weights does the rest.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from ..errors import DtypeError, ShapeError, show
from ..op import ArrayType, Op, deliver, promote, require_float, require_whole, spell, unify
from .reduce import in_dtype, wide

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # (before, after) of the height and of the width


def require_pair(what: str, value: Any, least: int) -> None:
    """Raise unless ``value`` is a pair of whole numbers, none below ``least``: for the height and for the width."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise DtypeError(f"{what} must be two whole numbers, for height and width, but {show(value)} came.")
    for number in value:
        require_whole(what, number)
        if not least <= number < 2**31:
            raise ShapeError(f"{what} must be {least} or more, and below 2**31, but {show(value)} came.")


def require_padding(value: Any) -> None:
    """Raise unless ``value`` is ((top, bottom), (left, right))."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise DtypeError(f"padding must be ((top, bottom), (left, right)), but {show(value)} came.")
    for pair in value:
        require_pair("padding", pair, 0)


def require_images(name: str, t: ArrayType) -> tuple:
    """The shape of ``t``, which must have the four axes of a batch of images."""
    if t.shape is None:
        return (None,) * 4
    if len(t.shape) != 4:
        hint = "; one image gets its batch axis with .unsqueeze(0)" if len(t.shape) == 3 else ""
        raise ShapeError(
            f"argument {name} should have shape (N, C, H, W), a batch of images, but it has shape "
            f"{spell(t.shape)}{hint}."
        )
    return t.shape


def windows_along(what: str, size: int | None, kernel: int | None, stride: int, pad: Pair, dilation: int) -> int | None:
    """How many positions a kernel takes along an axis, ⌊(size + padding - extent) / stride⌋ + 1."""
    if size is None or kernel is None:
        return None
    extent = dilation * (kernel - 1) + 1
    if extent > size + sum(pad):
        padded = f", padded to {size + sum(pad)}" if sum(pad) else ""
        dilated = f", dilated to {extent}," if dilation > 1 else ""
        raise ShapeError(
            f"a kernel of {what} {kernel}{dilated} does not fit into images of {what} {size}{padded}; make the kernel "
            "smaller or pad more."
        )
    return (size + sum(pad) - extent) // stride + 1


def _windows(size: tuple, kernel: tuple, stride: Pair, padding: Padding, dilation: Pair) -> tuple:
    """``windows_along`` of the height and of the width."""
    return tuple(map(windows_along, ("height", "width"), size, kernel, stride, padding, dilation))


def batch_last(xp: Any, x: Any) -> Any:
    """(N, C, H, W) -> (C, H, W, N), contiguous: no copy where the images lie so already."""
    return xp.ascontiguousarray(x.transpose((1, 2, 3, 0)))


def batch_first(x: Any) -> Any:
    """(C, H, W, N) -> (N, C, H, W), without copying."""
    return x.transpose((3, 0, 1, 2))


def padded(xp: Any, x: Any, padding: Padding, value: float = 0) -> Any:
    """Images (N, C, H, W) batch-last, with a border."""
    (top, bottom), (left, right) = padding
    if not (top or bottom or left or right):
        return batch_last(xp, x)
    n, c, h, w = x.shape
    result = xp.full((c, h + top + bottom, w + left + right, n), value, x.dtype)
    result[:, top : top + h, left : left + w] = x.transpose((1, 2, 3, 0))
    return result


def unpadded(x: Any, padding: Padding, size: Pair) -> Any:
    """Without the border, and batch-first again."""
    (top, _), (left, _) = padding
    return batch_first(x[:, top : top + size[0], left : left + size[1]])


def window(x: Any, at: Pair, count: Pair, stride: Pair, start: Pair = (0, 0)) -> Any:
    """What one position ``at`` of the kernel sees of batch-last images, from ``start`` on, at ``count`` places."""
    rows, columns = (
        slice(begin * s + k, (begin + n - 1) * s + k + 1, s)
        for begin, n, s, k in zip(start, count, stride, at, strict=True)
    )
    return x[:, rows, columns]


def positions(kernel: Pair, dilation: Pair = (1, 1)) -> list[Pair]:
    """Where the weights of a kernel stand, row by row."""
    return [(i * dilation[0], j * dilation[1]) for i, j in itertools.product(range(kernel[0]), range(kernel[1]))]


def blocks(xp: Any, count: Pair, place_bytes: int):
    """(start, count) of rectangles of places, whole rows if they can be, that keep within the workspace."""
    rows, columns = count
    if rows * columns == 0:
        return
    high = max(1, min(rows, xp.WORKSPACE // max(1, place_bytes * columns)))
    broad = columns if high > 1 else max(1, min(columns, xp.WORKSPACE // max(1, place_bytes)))
    for row, column in itertools.product(range(0, rows, high), range(0, columns, broad)):
        yield (row, column), (min(high, rows - row), min(broad, columns - column))


def memory_of(xp: Any, out: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Batch-last memory for a result of ``shape``: that of ``out``, if it lies so behind its axes; else new memory."""
    if out is not None and out.dtype == dtype:
        last = out.transpose(1, 2, 3, 0)
        if last.flags.c_contiguous:
            return last
    return xp.empty(shape, dtype)


def delivered(xp: Any, y: Any, out: Any) -> Any:
    """``deliver`` of what may have been computed in the memory of ``out``."""
    return out if out is not None and xp.may_share_memory(y, out) else deliver(xp, y, out)


def matrix(x: Any, start: Pair, count: Pair) -> Any:
    """A block of batch-last images as a matrix with one row per channel: a view of them."""
    block = x[:, start[0] : start[0] + count[0], start[1] : start[1] + count[1]]
    return block.reshape(len(block), math.prod(block.shape[1:]))


class Columns:
    """The matrix of what a kernel sees, (C·kh·kw, places·N), made or taken apart block by block in one buffer."""

    def __init__(self, xp: Any, channels: int, kernel: Pair, stride: Pair, dilation: Pair, batch: int, dtype: Any):
        self.channels, self.stride, self.batch = channels, stride, batch
        self.positions = positions(kernel, dilation)
        self.height = channels * len(self.positions)
        self.place_bytes = self.height * batch * dtype.itemsize
        self.xp, self.dtype, self.buffer = xp, dtype, None

    def block(self, count: Pair) -> Any:
        """The buffer as (C, kernel position, rows, columns, N)."""
        size = self.height * count[0] * count[1] * self.batch
        if self.buffer is None:
            self.buffer = self.xp.empty(size, self.dtype)  # the first block is the largest
        return self.buffer[:size].reshape(self.channels, len(self.positions), *count, self.batch)

    def gather(self, x: Any, start: Pair, count: Pair) -> Any:
        """The columns of one block of places."""
        block = self.block(count)
        for k, at in enumerate(self.positions):
            block[:, k] = window(x, at, count, self.stride, start)
        return block.reshape(self.height, math.prod(block.shape[2:]))

    def scatter(self, x: Any, start: Pair, count: Pair) -> None:
        """Add the columns in the buffer to the places that they were gathered from."""
        block = self.block(count)
        for k, at in enumerate(self.positions):
            seen = window(x, at, count, self.stride, start)
            seen += block[:, k]


def _groups(x: Any, groups: int) -> list:
    """The channels (or rows of weights) of each group: slices along the first axis."""
    size = len(x) // groups
    return [x[k * size : (k + 1) * size] for k in range(groups)]


def _flat(weight: Any, groups: int) -> list:
    """The weights of each group as a matrix (out, in·kh·kw)."""
    return [w.reshape(len(w), math.prod(w.shape[1:])) for w in _groups(weight, groups)]


def _options(stride: Any, padding: Any, dilation: Any, groups: Any) -> None:
    require_pair("stride", stride, 1)
    require_padding(padding)
    require_pair("dilation", dilation, 1)
    require_whole("groups", groups)
    if groups < 1:
        raise ShapeError(f"groups must be 1 or more, but {groups} came.")


def _weight_shape(weight: ArrayType) -> tuple:
    if weight.shape is None:
        return (None,) * 4
    if len(weight.shape) != 4:
        raise ShapeError(
            f"argument weight should have shape (out, in, kernel height, kernel width), but it has shape "
            f"{spell(weight.shape)}."
        )
    if 0 in weight.shape[2:]:
        raise ShapeError(f"argument weight should hold kernels of 1 or more, but it has shape {spell(weight.shape)}.")
    return weight.shape


def _divides(groups: int, what: str, channels: int | None) -> None:
    if channels is not None and channels % groups:
        raise ShapeError(f"groups must divide the channels, but {groups} does not divide the {channels} {what}.")


class conv2d(Op):
    """y[n, o, i, j] = b[o] + Σ x[n, c, i·s + p·d, j·s + q·d] w[o, c, p, q]: (N, C, H, W) -> (N, O, H', W').

    The kernel is not flipped: this is what statistics calls a cross-correlation. Of ``groups`` groups of channels each
    output channel sees one: w is (O, C / groups, kh, kw). The bias may be a number, 0 for none.
    """

    onnx = "Conv"
    reads = ("weight", "x", "")

    def infer(x, weight, bias, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
        _options(stride, padding, dilation, groups)
        with_bias = not isinstance(bias.dtype, type)  # a number is added as it is
        dtype = promote(x.dtype, weight.dtype, *([bias.dtype] if with_bias else []))
        require_float("the operands of a convolution", dtype)
        (n, c, h, w), (out, per_group, kh, kw) = require_images("x", x), _weight_shape(weight)
        _divides(groups, "channels of x", c)
        _divides(groups, "output channels", out)
        if None not in (c, per_group) and c != per_group * groups:
            wanted = (out, c // groups, kh, kw)
            because = f"x has {c} channels" + (f" in {groups} groups" if groups > 1 else "")
            last = '; if the channels of x stand last, move them to axis 1, or say layout="NHWC"'
            raise ShapeError(
                f"argument weight should have shape {spell(wanted)} because {because}, but it has shape "
                f"{spell(weight.shape)}{last if w == per_group * groups else ''}."
            )
        c = per_group * groups if c is None and per_group is not None else c
        per_group = c // groups if per_group is None and c is not None else per_group
        if with_bias and bias.shape is not None:
            (out,) = unify("argument bias", bias.shape, (out,), f"weight has shape {spell(weight.shape)}")
        places = _windows((h, w), (kh, kw), stride, padding, dilation)
        inputs = (
            ArrayType((n, c, h, w), dtype),
            ArrayType((out, per_group, kh, kw), dtype),
            ArrayType((out,), dtype) if with_bias else bias,
        )
        return inputs, (ArrayType((n, out, *places), dtype),)

    def forward(xp, x, weight, bias, out=None, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
        dtype, x, weight = x.dtype, wide(x), wide(weight)
        images, kernel = padded(xp, x, padding), weight.shape[2:]
        count = _windows(x.shape[2:], kernel, stride, padding, dilation)
        y = memory_of(xp, out, (len(weight), *count, len(x)), x.dtype)
        added = [bias] * groups if isinstance(bias, int | float) else _groups(wide(bias).reshape(-1, 1), groups)
        for seen, w, b, made in zip(
            _groups(images, groups), _flat(weight, groups), added, _groups(y, groups), strict=True
        ):
            columns = Columns(xp, len(seen), kernel, stride, dilation, len(x), x.dtype)
            for start, size in blocks(xp, count, columns.place_bytes):
                part = xp.matmul(w, columns.gather(seen, start, size), out=matrix(made, start, size))
                if not isinstance(b, int) or b:
                    part += b
        return delivered(xp, in_dtype(dtype, batch_first(y)), out)

    def _x(xp, g, y, x, weight, bias, **options):
        return xp.apply(conv2d_transposed, g, weight, size=x.shape[2:], **options)

    def _weight(xp, g, y, x, weight, bias, **options):
        return xp.apply(conv2d_weight, x, g, kernel=weight.shape[2:], **options)

    def _bias(xp, g, y, x, weight, bias, **options):
        # One row per channel: with g batch-last in memory that is a view, summed along contiguous runs.
        rows = xp.transpose(wide(g), (1, 2, 3, 0)).reshape(g.shape[1], math.prod((g.shape[0], *g.shape[2:])))
        return in_dtype(g.dtype, xp.sum(rows, axis=1))

    vjp = (_x, _weight, _bias)


class conv2d_transposed(Op):
    """What conv2d does to gradients of its x: (N, O, H', W') and w (O, C / groups, kh, kw) -> (N, C, *size).

    Each place of x is spread over the window that it would have come from. By itself this is an up-sampling with
    learned weights. ``size`` is said outright, since with a stride several sizes lead to one (H', W').
    """

    onnx = "ConvTranspose"
    reads = ("weight", "x")

    def infer(x, weight, size, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
        _options(stride, padding, dilation, groups)
        require_pair("size", size, 0)
        dtype = promote(x.dtype, weight.dtype)
        require_float("the operands of a convolution", dtype)
        (n, out, rows, columns), (out_, per_group, kh, kw) = require_images("x", x), _weight_shape(weight)
        _divides(groups, "channels of x", out)
        if None not in (out, out_) and out != out_:
            raise ShapeError(
                f"argument weight should have shape {spell((out, None, kh, kw))} because x has {out} channels, but it "
                f"has shape {spell(weight.shape)}."
            )
        out = out_ if out is None else out
        expected = _windows(size, (kh, kw), stride, padding, dilation)
        made = (n, out, *(a if a is not None else b for a, b in zip((rows, columns), expected, strict=True)))
        if any(None not in (a, b) and a != b for a, b in zip((rows, columns), expected, strict=True)):
            raise ShapeError(
                f"argument x should have shape {spell((n, out, *expected))}, which is what a convolution makes of "
                f"images of size {size}, but it has shape {spell(x.shape)}."
            )
        channels = None if per_group is None else per_group * groups
        inputs = (ArrayType(made, dtype), ArrayType((out, per_group, kh, kw), dtype))
        return inputs, (ArrayType((n, channels, *size), dtype),)

    def forward(xp, x, weight, out=None, size=None, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
        dtype, x, weight = x.dtype, wide(x), wide(weight)
        count, kernel = x.shape[2:], weight.shape[2:]
        shape = tuple(s + sum(pad) for s, pad in zip(size, padding, strict=True))
        images = xp.zeros((weight.shape[1] * groups, *shape, len(x)), x.dtype)
        given = batch_last(xp, x)
        for spread, w, part in zip(_groups(images, groups), _flat(weight, groups), _groups(given, groups), strict=True):
            columns = Columns(xp, len(spread), kernel, stride, dilation, len(x), x.dtype)
            for start, places in blocks(xp, count, columns.place_bytes):
                block = columns.block(places)
                xp.matmul(
                    w.T, matrix(part, start, places), out=block.reshape(columns.height, math.prod(block.shape[2:]))
                )
                columns.scatter(spread, start, places)
        return deliver(xp, in_dtype(dtype, unpadded(images, padding, size)), out)

    def _x(xp, g, y, x, weight, size, **options):
        return xp.apply(conv2d, g, weight, 0, **options)

    def _weight(xp, g, y, x, weight, size, **options):
        return xp.apply(conv2d_weight, g, x, kernel=weight.shape[2:], **options)

    vjp = (_x, _weight)


class conv2d_weight(Op):
    """What conv2d does to gradients of w: (N, C, H, W) and the result's (N, O, H', W') -> (O, C / groups, *kernel)."""

    reads = ("slope", "x")

    def infer(x, slope, kernel, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
        _options(stride, padding, dilation, groups)
        require_pair("kernel", kernel, 1)
        dtype = promote(x.dtype, slope.dtype)
        require_float("the operands of a convolution", dtype)
        (n, c, h, w), given = require_images("x", x), require_images("slope", slope)
        _divides(groups, "channels of x", c)
        _divides(groups, "channels of slope", given[1])
        expected = (n, None, *_windows((h, w), kernel, stride, padding, dilation))
        made = unify("argument slope", given, expected, f"x has shape {spell(x.shape)}")
        inputs = (ArrayType((made[0], c, h, w), dtype), ArrayType(made, dtype))
        return inputs, (ArrayType((made[1], None if c is None else c // groups, *kernel), dtype),)

    def forward(
        xp, x, slope, out=None, kernel=None, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1
    ):
        dtype, x, slope = x.dtype, wide(x), wide(slope)
        images, given, count = padded(xp, x, padding), batch_last(xp, slope), slope.shape[2:]
        made = []
        for seen, part in zip(_groups(images, groups), _groups(given, groups), strict=True):
            columns = Columns(xp, len(seen), kernel, stride, dilation, len(x), x.dtype)
            total = xp.zeros((len(part), columns.height), x.dtype)
            for start, places in blocks(xp, count, columns.place_bytes):
                total += matrix(part, start, places).dot(columns.gather(seen, start, places).T)
            made.append(total.reshape(len(part), len(seen), *kernel))
        result = made[0] if groups == 1 else xp.concatenate(made)
        return deliver(xp, in_dtype(dtype, result), out)

    def _x(xp, g, y, x, slope, kernel, **options):
        return xp.apply(conv2d_transposed, slope, g, size=x.shape[2:], **options)

    def _slope(xp, g, y, x, slope, kernel, **options):
        return xp.apply(conv2d, x, g, 0, **options)

    vjp = (_x, _slope)
