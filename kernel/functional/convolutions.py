"""Convolutions and pooling of images (N, C, H, W) and of signals (N, C, L)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from ..apply import apply
from ..errors import DtypeError, ShapeError, show
from ..op import ArrayType, Op, is_float, require_flag, spell
from ..ops import convolutions, pooling
from .axes import beside, ndim_of
from .layouts import channels_first, in_layout
from .reduce import amax, mean
from .shape import expand_dims, reshape, squeeze


def _whole(value: Any) -> bool:
    return isinstance(value, int | numpy.integer) and not isinstance(value, bool)


def pair(name: str, what: str, value: Any) -> tuple[int, int]:
    """A whole number for both height and width, or one for each."""
    if _whole(value):
        return (int(value), int(value))
    if isinstance(value, tuple | list) and len(value) == 2 and all(map(_whole, value)):
        return (int(value[0]), int(value[1]))
    raise DtypeError(f"{name}: {what} must be a whole number or two, for height and width, but {show(value)} came.")


def padding_of(name: str, padding: Any, kernel: Callable[[], Any], dilation: tuple[int, int] = (1, 1)) -> tuple:
    """((top, bottom), (left, right)): from a number, two, two pairs, "valid" (none) or "same".

    "same" adds what the extent of the ``kernel``, asked for its size then only, exceeds 1 by, the smaller half first;
    with a stride s the output then has size ⌈size / s⌉.
    """
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise DtypeError(f'{name}: padding must be "same", "valid" or numbers, but {show(padding)} came.')
        if padding == "valid":
            return ((0, 0), (0, 0))
        total = [d * (k - 1) for k, d in zip(kernel(), dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    if isinstance(padding, tuple | list) and len(padding) == 2 and all(isinstance(p, tuple | list) for p in padding):
        return tuple(pair(name, "padding", p) for p in padding)
    if _whole(padding) or (isinstance(padding, tuple | list) and len(padding) == 2):
        height, width = pair(name, "padding", padding)
        return ((height, height), (width, width))
    raise DtypeError(
        f'{name}: padding must be a number, (height, width), ((top, bottom), (left, right)), "same" or "valid", but '
        f"{show(padding)} came."
    )


def _as_signals(name: str, x: Any) -> Any:
    """Signals (N, C, L) as images (N, C, 1, L)."""
    if ndim_of(name, x) != 3:
        raise ShapeError(
            f"{name}: argument x should have shape (N, C, L), a batch of signals, but it has shape {spell(x.shape)}."
        )
    return expand_dims(x, 2)


def _of_signals(name: str, op: type[Op], signals: Any, *operands: Any, **options: Any) -> Any:
    """``op`` of signals that are images of height 1, as signals (N, C, L) again."""
    try:
        return squeeze(apply(op, signals, *operands, **options), 2)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: as images of height 1, {str(error).partition(': ')[2]}") from None


def _one(name: str, what: str, value: Any) -> int:
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if not _whole(value):
        raise DtypeError(f"{name}: {what} must be a whole number, but {show(value)} came.")
    return int(value)


def _padding_1d(name: str, padding: Any, kernel: int, dilation: int = 1) -> tuple:
    if isinstance(padding, str):
        return padding_of(name, padding, lambda: (1, kernel), (1, dilation))
    if isinstance(padding, tuple | list) and len(padding) == 2:
        return ((0, 0), pair(name, "padding", padding))
    one = _one(name, "padding", padding)
    return ((0, 0), (one, one))


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    layout: str = "NCHW",
) -> Any:
    """y[n, o, i, j] = b[o] + Σ x[n, c, i·s + p·d, j·s + q·d] w[o, c, p, q], summed over c, p and q.

    The kernel is not flipped: what deep learning calls a convolution is a cross-correlation.

    Args:
        x: images (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``.
        weight: (O, C / groups, kh, kw), in either layout.
        bias: (O,), or None.
        stride: of the window, one number or (height, width); likewise dilation, the step inside the kernel.
        padding: zeros around the images: a number, (height, width), ((top, bottom), (left, right)), "valid" (none), or
            "same": the output has size ⌈size / stride⌉, and of an odd total the smaller half comes first.
        groups: the channels are cut into so many groups, each with its own O / groups kernels.

    Returns images (N, O, H', W') with H' = ⌊(H + top + bottom - d (kh - 1) - 1) / s⌋ + 1, likewise W'.

    >>> x = kernel.arange(16, dtype="float32").reshape(1, 1, 4, 4)
    >>> edge = kernel.tensor([[[[-1.0, 1.0]]]])
    >>> kernel.conv2d(x, edge)[0, 0, 0]
    tensor([1., 1., 1.])
    >>> kernel.conv2d(x, kernel.ones(2, 1, 3, 3), stride=2, padding="same").shape
    (1, 2, 2, 2)
    """
    images, stride, dilation = channels_first("conv2d", x, layout, 4), *_steps("conv2d", stride, dilation)
    y = apply(
        convolutions.conv2d,
        images,
        weight,
        0 if bias is None else bias,
        stride=stride,
        padding=padding_of("conv2d", padding, lambda: _kernel_of("conv2d", weight), dilation),
        dilation=dilation,
        groups=groups,
    )
    return in_layout(y, layout)


def _steps(name: str, stride: Any, dilation: Any) -> tuple:
    return pair(name, "stride", stride), pair(name, "dilation", dilation)


def _kernel_of(name: str, weight: Any, ndim: int = 4) -> tuple:
    if ndim_of(name, weight) != ndim:
        sizes = "kernel height, kernel width" if ndim == 4 else "kernel length"
        raise ShapeError(
            f"{name}: argument weight should have shape (out, in, {sizes}), but it has shape {spell(weight.shape)}."
        )
    return weight.shape[2:]


def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """y[n, o, i] = b[o] + Σ x[n, c, i·s + p·d] w[o, c, p]: signals (N, C, L) and (O, C / groups, k) -> (N, O, L').

    The options are those of conv2d; padding is a number, (before, after), "same" or "valid".

    >>> kernel.conv1d(kernel.tensor([[[1.0, 2.0, 4.0, 8.0]]]), kernel.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2., 4.]]])
    """
    signals, (length,) = _as_signals("conv1d", x), _kernel_of("conv1d", weight, 3)
    stride, dilation = _one("conv1d", "stride", stride), _one("conv1d", "dilation", dilation)
    options = {
        "stride": (1, stride),
        "padding": _padding_1d("conv1d", padding, length, dilation),
        "dilation": (1, dilation),
        "groups": groups,
    }
    if hasattr(weight, "complete"):  # it waits for its size, and so cannot be given another axis
        out, per_group, _ = weight.shape
        types = ArrayType(signals.shape, signals.dtype), ArrayType((out, per_group, 1, length), weight.dtype)
        try:
            found, _ = convolutions.conv2d.infer(*types, ArrayType((), int), **options)
        except (ShapeError, DtypeError) as error:
            raise type(error)(f"conv1d: as images of height 1, {error}") from None
        weight.complete((out, found[1].shape[1], length))
    operands = signals, expand_dims(beside(signals, weight), 2), 0 if bias is None else bias
    return _of_signals("conv1d", convolutions.conv2d, *operands, **options)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    layout: str = "NCHW",
) -> Any:
    """Each place of x spread over a window of the result: the transpose of conv2d, an up-sampling with learned weights.

    Args:
        x: images (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``.
        weight: (C, O / groups, kh, kw): what a conv2d from O to C channels would have.
        bias: (O,), or None.
        stride, padding, dilation, groups: those of that conv2d.
        output_padding: added to the size of the result, where several sizes lead back to that of x; less than the
            stride.

    Returns images (N, O, H', W') with H' = (H - 1) s - top - bottom + d (kh - 1) + 1 + output_padding, likewise W'.

    >>> x = kernel.tensor([[[[1.0, 2.0]]]])
    >>> kernel.conv_transpose2d(x, kernel.ones(1, 1, 1, 2), stride=(1, 2))
    tensor([[[[1., 1., 2., 2.]]]])
    """
    name = "conv_transpose2d"
    images, stride, dilation = channels_first(name, x, layout, 4), *_steps(name, stride, dilation)
    if ndim_of(name, images) != 4:
        raise ShapeError(f"{name}: argument x should have shape (N, C, H, W), but it has shape {spell(x.shape)}.")
    extra, kernel = pair(name, "output_padding", output_padding), _kernel_of(name, weight)
    pads = padding_of(name, padding, lambda: kernel, dilation)
    if min(stride) < 1:
        raise ShapeError(f"{name}: stride must be 1 or more, but {stride} came.")
    for more, step in zip(extra, stride, strict=True):
        if not 0 <= more < step:
            raise ShapeError(f"{name}: output_padding must be 0 or more and less than the stride, but {extra} came.")
    size = tuple(
        (n - 1) * s - sum(pad) + d * (k - 1) + 1 + more
        for n, s, pad, d, k, more in zip(images.shape[2:], stride, pads, dilation, kernel, extra, strict=True)
    )
    if min(size) < 0:
        raise ShapeError(f"{name}: the result would have size {size} with so much padding; pad less.")
    options = {"size": size, "stride": stride, "padding": pads, "dilation": dilation, "groups": groups}
    try:
        y = apply(convolutions.conv2d_transposed, images, weight, **options)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {str(error).partition(': ')[2]}") from None
    if bias is not None:
        if getattr(bias, "shape", None) != (y.shape[1],):
            came = f"shape {spell(bias.shape)}" if hasattr(bias, "shape") else show(bias)
            raise ShapeError(f"{name}: argument bias should have shape ({y.shape[1]},), but {came} came.")
        y = y + reshape(beside(y, bias), (-1, 1, 1))
    return in_layout(y, layout)


def _pooling_options(name: str, kernel_size: Any, stride: Any, padding: Any, ceil: Any) -> dict[str, Any]:
    kernel = pair(name, "kernel_size", kernel_size)
    stride = kernel if stride is None else pair(name, "stride", stride)
    return {"kernel": kernel, "stride": stride, "padding": padding_of(name, padding, lambda: kernel), "ceil": ceil}


def _pooling_options_1d(name: str, kernel_size: Any, stride: Any, padding: Any, ceil: Any) -> dict[str, Any]:
    length = _one(name, "kernel_size", kernel_size)
    step = length if stride is None else _one(name, "stride", stride)
    return {"kernel": (1, length), "stride": (1, step), "padding": _padding_1d(name, padding, length), "ceil": ceil}


def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *, ceil_mode: bool = False, layout: str = "NCHW"
) -> Any:
    """The largest value in each window; padding never wins, and of equal values the first gets the gradient.

    Args:
        x: images (N, C, H, W), or (N, H, W, C) with ``layout="NHWC"``.
        kernel_size: of the window, one number or (height, width).
        stride: by default that of the window, so that windows do not overlap.
        padding: as in conv2d, but less than the window.
        ceil_mode: whether a last window that reaches beyond the images counts too.

    >>> x = kernel.arange(16, dtype="float32").reshape(1, 1, 4, 4)
    >>> kernel.max_pool2d(x, 2)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    options = _pooling_options("max_pool2d", kernel_size, stride, padding, ceil_mode)
    return in_layout(apply(pooling.max_pool2d, channels_first("max_pool2d", x, layout, 4), **options), layout)


def max_pool1d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *, ceil_mode: bool = False) -> Any:
    """The largest value in each window of signals (N, C, L); the options are those of max_pool2d.

    >>> kernel.max_pool1d(kernel.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[3., 4.]]])
    """
    options = _pooling_options_1d("max_pool1d", kernel_size, stride, padding, ceil_mode)
    return _of_signals("max_pool1d", pooling.max_pool2d, _as_signals("max_pool1d", x), **options)


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: str = "NCHW",
) -> Any:
    """The mean of each window, of the zeros around the images too; or, without ``count_include_pad``, only inside them.

    With ``divisor_override`` the sum of each window, divided by that. The options are those of max_pool2d.

    >>> x = kernel.arange(16, dtype="float32").reshape(1, 1, 4, 4)
    >>> kernel.avg_pool2d(x, 2)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
    require_flag("avg_pool2d: count_include_pad", count_include_pad)
    options = _pooling_options("avg_pool2d", kernel_size, stride, padding, ceil_mode)
    images = channels_first("avg_pool2d", x, layout, 4)
    if divisor_override is not None:
        options["divisor"] = divisor_override
    return in_layout(apply(pooling.avg_pool2d, images, **options, include_pad=count_include_pad), layout)


def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean of each window of signals (N, C, L); the options are those of avg_pool2d.

    >>> kernel.avg_pool1d(kernel.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2)
    tensor([[[2., 3.]]])
    """
    require_flag("avg_pool1d: count_include_pad", count_include_pad)
    options = _pooling_options_1d("avg_pool1d", kernel_size, stride, padding, ceil_mode)
    signals = _as_signals("avg_pool1d", x)
    return _of_signals("avg_pool1d", pooling.avg_pool2d, signals, **options, include_pad=count_include_pad)


def global_max_pool(x: Any, *, layout: str = "NCHW") -> Any:
    """The largest value of each channel: images (N, C, H, W) -> (N, C); equal ones share the gradient.

    >>> kernel.global_max_pool(kernel.arange(8, dtype="float32").reshape(1, 2, 2, 2))
    tensor([[3., 7.]])
    """
    return amax(_float_images("global_max_pool", x, layout), axis=(2, 3))


def global_average_pool(x: Any, *, layout: str = "NCHW") -> Any:
    """The mean of each channel: images (N, C, H, W) -> (N, C).

    >>> kernel.global_average_pool(kernel.arange(8, dtype="float32").reshape(1, 2, 2, 2))
    tensor([[1.5, 5.5]])
    """
    return mean(_float_images("global_average_pool", x, layout), axis=(2, 3))


def _float_images(name: str, x: Any, layout: str) -> Any:
    images = channels_first(name, x, layout, 4)
    if ndim_of(name, images) != 4:
        raise ShapeError(f"{name}: argument x should have shape (N, C, H, W), but it has shape {spell(x.shape)}.")
    if not is_float(x.dtype):
        raise DtypeError(f"{name}: argument x must be of a float dtype, but it is {x.dtype}; convert it with .float().")
    return images


__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "conv_transpose2d",
    "global_average_pool",
    "global_max_pool",
    "max_pool1d",
    "max_pool2d",
]
