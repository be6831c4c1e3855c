"""Layers for images and signals: convolutions and pooling.

Each comes under two names, with the arguments that each name's users expect: ``Conv2d(in, out, 5)`` as in PyTorch,
``Convolution2D((5, 5), num_filters=32, activation=relu, pad=True)`` as in CNTK. What they compute is the same.
"""

from __future__ import annotations

from typing import Any

from .. import functional
from ..errors import DtypeError, ShapeError, show
from ..functional.convolutions import pair
from ..functional.layouts import require_layout
from ..module import Module
from ..op import require_whole
from ..parameter import Parameter
from .dense import TORCH, require_size
from .options import DEFAULT, activation_of, has_bias, name_of, option


def _layout(layer: str, layout: Any) -> str:
    require_layout(layer, layout)
    return layout


def _check_channels(layer: str, channels: Any, out: Any, groups: Any) -> None:
    """Raise unless there are channels, as many as the groups can share; the input's may be unknown (None)."""
    counts = {"out_channels": out} | ({} if channels is None else {"in_channels": channels})
    for what, count in ({"groups": groups} | counts).items():
        require_size(layer, what, count)
    for what, count in counts.items():
        if count % groups:
            raise ShapeError(f"{layer}: groups must divide {what}, but {groups} does not divide {count}.")


def _more(**options: Any) -> str:
    """The options that are not what they usually are, for a repr."""
    usual = {"stride": (1, 1), "padding": 0, "dilation": (1, 1), "groups": 1, "bias": True, "layout": "NCHW"}
    usual |= {"ceil_mode": False, "count_include_pad": True, "output_padding": (0, 0)}
    usual |= {"strides": (1, 1), "pad": False, "reduction_rank": 1, "ceil_out_dim": False, "include_pad": False}
    return "".join(f", {name}={value}" for name, value in options.items() if value != usual[name])


class Conv2d(Module):
    """Each of ``out_channels`` kernels slides over the images: (N, C, H, W) -> (N, out, H', W').

    Args:
        in_channels: C; None finds it on the first call.
        out_channels: how many kernels.
        kernel_size: one number, or (height, width); likewise stride and dilation.
        padding: as in ``kernel.conv2d``: numbers, "same" or "valid".
        groups: of channels, each with its own kernels.
        bias: whether there is one; it begins at 0.
        layout: "NHWC" takes and gives (N, H, W, C); the weight (out, C / groups, kh, kw) is the same.

    >>> layer = kernel.layers.Conv2d(1, 20, 5)
    >>> layer(kernel.ones(2, 1, 28, 28)).shape
    (2, 20, 24, 24)
    """

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        layout: str = "NCHW",
    ):
        self._prepare(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, layout)
        self.weight = Parameter.later(self._weight_shape, TORCH, "convolution")
        self.bias = Parameter.later((out_channels,)) if has_bias("Conv2d", bias) else None

    def _prepare(
        self, channels: Any, out: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: Any, layout: Any
    ):
        layer = type(self).__name__
        _check_channels(layer, channels, out, groups)
        self._kernel = pair(layer, "kernel_size", kernel)
        self._stride, self._dilation = pair(layer, "stride", stride), pair(layer, "dilation", dilation)
        self._padding, self._groups, self._layout = padding, groups, _layout(layer, layout)
        self._weight_shape = (out, None if channels is None else channels // groups, *self._kernel)

    def forward(self, x: Any) -> Any:
        return functional.conv2d(
            x, self.weight, self.bias, self._stride, self._padding, self._dilation, self._groups, layout=self._layout
        )

    def extra_repr(self) -> str:
        out, per_group = self.weight.shape[:2]
        channels = "?" if per_group is None else per_group * self._groups
        return f"{channels}, {out}, kernel_size={self._kernel}" + _more(
            stride=self._stride,
            padding=self._padding,
            dilation=self._dilation,
            groups=self._groups,
            bias=self.bias is not None,
            layout=self._layout,
        )


class Convolution2D(Conv2d):
    """activation(conv(x, W) + b), with as many channels as the first call brings; the kernel is not flipped.

    Args:
        filter_shape: (height, width) of the kernels.
        num_filters: how many there are.
        activation: any function of a tensor, a layer, or None.
        init: the initialiser of W; ``init_bias`` that of b, if ``bias``.
        pad: True pads so that the size stays (⌈size / stride⌉ with strides), False not at all; or what
            ``kernel.conv2d`` takes for padding.
        strides: one number, or (height, width); likewise dilation.
        reduction_rank: 0 for images without an axis of channels, (N, H, W).
        groups: of channels, each with its own kernels.
        layout: "NHWC" for (N, H, W, C).

    >>> layer = kernel.layers.Convolution2D((5, 5), num_filters=32, reduction_rank=0, pad=True)
    >>> layer(kernel.ones(2, 28, 28)).shape, layer.W.shape
    ((2, 32, 28, 28), (32, 1, 5, 5))
    """

    def __init__(
        self,
        filter_shape: Any,
        num_filters: int,
        activation: Any = DEFAULT,
        init: Any = DEFAULT,
        pad: Any = DEFAULT,
        strides: Any = 1,
        bias: Any = DEFAULT,
        init_bias: Any = DEFAULT,
        reduction_rank: int = 1,
        dilation: Any = 1,
        groups: int = 1,
        layout: str = "NCHW",
    ):
        layer = type(self).__name__
        require_whole(f"{layer}: reduction_rank", reduction_rank)
        if reduction_rank not in (0, 1):
            raise DtypeError(f"{layer}: reduction_rank must be 0 or 1, but {show(reduction_rank)} came.")
        self._reduction_rank = reduction_rank
        channels = None if reduction_rank else 1
        self._prepare(channels, num_filters, filter_shape, strides, padding(layer, pad), dilation, groups, layout)
        self.weight = Parameter.later(self._weight_shape, option("init", init), "convolution")
        self.bias = Parameter.later((num_filters,), option("init_bias", init_bias)) if has_bias(layer, bias) else None
        self.activation = activation_of(layer, activation)

    @property
    def W(self) -> Parameter:
        """The kernels, under CNTK's name."""
        return self.weight

    @property
    def b(self) -> Parameter | None:
        """The bias, under CNTK's name."""
        return self.bias

    def forward(self, x: Any) -> Any:
        if not self._reduction_rank:
            x = functional.expand_dims(x, 1 if self._layout == "NCHW" else -1)
        y = super().forward(x)
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        options = {"pad": _pad_of(self._padding), "strides": self._stride, "bias": self.bias is not None}
        options |= {"reduction_rank": self._reduction_rank, "dilation": self._dilation, "groups": self._groups}
        return (
            f"{self._kernel}, {self.weight.shape[0]}"
            + _more(**options, layout=self._layout)
            + _activated(self.activation)
        )


def _activated(activation: Any) -> str:
    """An activation for a repr; a layer shows itself."""
    shown = activation is not None and not isinstance(activation, Module)
    return f", activation={name_of(activation)}" if shown else ""


def _pad_of(padding: Any) -> Any:
    """Padding as CNTK's pad."""
    if isinstance(padding, str):
        return padding == "same"
    return False if isinstance(padding, int) and padding == 0 else padding


def padding(layer: str, pad: Any) -> Any:
    """CNTK's pad as padding: True is "same", False none."""
    chosen = option("pad", pad)
    if isinstance(chosen, bool):
        return "same" if chosen else 0
    if chosen is None:
        raise DtypeError(f"{layer}: pad must be True, False or numbers, but None came.")
    return chosen


class Conv1d(Module):
    """Each of ``out_channels`` kernels slides along the signals: (N, C, L) -> (N, out, L').

    The arguments are those of Conv2d, with whole numbers for pairs.

    >>> kernel.layers.Conv1d(3, 8, 5, padding="same")(kernel.ones(2, 3, 50)).shape
    (2, 8, 50)
    """

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Any = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        layer = type(self).__name__
        _check_channels(layer, in_channels, out_channels, groups)
        require_size(layer, "kernel_size", kernel_size)
        self._options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        per_group = None if in_channels is None else in_channels // groups
        self.weight = Parameter.later((out_channels, per_group, kernel_size), TORCH, "convolution")
        self.bias = Parameter.later((out_channels,)) if has_bias(layer, bias) else None

    def forward(self, x: Any) -> Any:
        return functional.conv1d(x, self.weight, self.bias, **self._options)

    def extra_repr(self) -> str:
        out, per_group, length = self.weight.shape
        channels = "?" if per_group is None else per_group * self._options["groups"]
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        more = "".join(f", {name}={value}" for name, value in self._options.items() if value != usual[name])
        return f"{channels}, {out}, kernel_size={length}{more}" + ("" if self.bias is not None else ", bias=False")


class Convolution1D(Conv1d):
    """activation(conv(x, W) + b) along signals (N, C, L); the arguments are those of Convolution2D.

    >>> kernel.layers.Convolution1D(3, 8, activation=kernel.relu, pad=True)(kernel.ones(2, 4, 10)).shape
    (2, 8, 10)
    """

    def __init__(
        self,
        filter_shape: Any,
        num_filters: int,
        activation: Any = DEFAULT,
        init: Any = DEFAULT,
        pad: Any = DEFAULT,
        strides: int = 1,
        bias: Any = DEFAULT,
        init_bias: Any = DEFAULT,
        dilation: int = 1,
        groups: int = 1,
    ):
        if isinstance(filter_shape, tuple | list) and len(filter_shape) == 1:
            filter_shape = filter_shape[0]
        super().__init__(
            None, num_filters, filter_shape, strides, padding("Convolution1D", pad), dilation, groups, bias=False
        )
        self.weight = Parameter.later((num_filters, None, filter_shape), option("init", init), "convolution")
        with_bias = has_bias("Convolution1D", bias)
        self.bias = Parameter.later((num_filters,), option("init_bias", init_bias)) if with_bias else None
        self.activation = activation_of("Convolution1D", activation)

    W = property(lambda self: self.weight, doc="The kernels, under CNTK's name.")
    b = property(lambda self: self.bias, doc="The bias, under CNTK's name.")

    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        out, _, length = self.weight.shape
        given = self._options
        options = {"pad": _pad_of(given["padding"]), "dilation": given["dilation"], "groups": given["groups"]}
        usual = {"strides": 1, "pad": False, "dilation": 1, "groups": 1, "bias": True}
        options |= {"strides": given["stride"], "bias": self.bias is not None}
        more = "".join(f", {name}={options[name]}" for name in usual if options[name] != usual[name])
        return f"{length}, {out}{more}" + _activated(self.activation)


def Convolution(filter_shape: Any, num_filters: int, *arguments: Any, **options: Any) -> Module:
    """Convolution1D or Convolution2D, by the number of sizes in ``filter_shape``.

    >>> kernel.layers.Convolution((3, 3), 8)
    Convolution2D((3, 3), 8)
    """
    sizes = filter_shape if isinstance(filter_shape, tuple | list) else (filter_shape,)
    if len(sizes) not in (1, 2):
        raise DtypeError(f"Convolution: filter_shape must hold one or two sizes, but {show(filter_shape)} came.")
    return (Convolution1D, Convolution2D)[len(sizes) - 1](filter_shape, num_filters, *arguments, **options)


class ConvTranspose2d(Module):
    """Each place spread over a window of larger images, with learned weights: (N, C, H, W) -> (N, out, H', W').

    Args:
        in_channels: C; None finds it on the first call.
        out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, layout: those of
            ``kernel.conv_transpose2d``.

    >>> up = kernel.layers.ConvTranspose2d(3, 3, 4, stride=2, padding=1, groups=3)
    >>> up(kernel.ones(1, 3, 8, 8)).shape
    (1, 3, 16, 16)
    """

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        layout: str = "NCHW",
    ):
        layer = type(self).__name__
        _check_channels(layer, in_channels, out_channels, groups)
        self._options = {
            "stride": pair(layer, "stride", stride),
            "padding": padding,
            "output_padding": pair(layer, "output_padding", output_padding),
            "groups": groups,
            "dilation": pair(layer, "dilation", dilation),
            "layout": _layout(layer, layout),
        }
        shape = (in_channels, out_channels // groups, *pair(layer, "kernel_size", kernel_size))
        self.weight = Parameter.later(shape, TORCH, "transposed convolution")
        self.bias = Parameter.later((out_channels,)) if has_bias(layer, bias) else None

    def forward(self, x: Any) -> Any:
        return functional.conv_transpose2d(x, self.weight, self.bias, **self._options)

    def extra_repr(self) -> str:
        channels, per_group, *kernel = self.weight.shape
        sizes = f"{'?' if channels is None else channels}, {per_group * self._options['groups']}"
        return f"{sizes}, kernel_size={tuple(kernel)}" + _more(**self._options, bias=self.bias is not None)


class ConvolutionTranspose2D(ConvTranspose2d):
    """activation of a transposed convolution, with as many channels as the first call brings.

    Args:
        filter_shape, num_filters, activation, init, strides, bias, init_bias, dilation, layout: as in Convolution2D.
        pad: True makes images of size · stride, False of (size - 1) · stride + kernel.

    >>> kernel.layers.ConvolutionTranspose2D((4, 4), 3, strides=2, pad=True)(kernel.ones(1, 5, 8, 8)).shape
    (1, 3, 16, 16)
    """

    def __init__(
        self,
        filter_shape: Any,
        num_filters: int,
        activation: Any = DEFAULT,
        init: Any = DEFAULT,
        pad: Any = DEFAULT,
        strides: Any = 1,
        bias: Any = DEFAULT,
        init_bias: Any = DEFAULT,
        dilation: Any = 1,
        layout: str = "NCHW",
    ):
        chosen = padding("ConvolutionTranspose2D", pad)
        super().__init__(None, num_filters, filter_shape, strides, chosen, 0, 1, False, dilation, layout)
        self._pad = _pad_of(chosen)
        if isinstance(chosen, str) and chosen == "same":
            self._options |= _exact(self.weight.shape[2:], self._options["stride"], self._options["dilation"])
        shape = (None, num_filters, *self.weight.shape[2:])
        self.weight = Parameter.later(shape, option("init", init), "transposed convolution")
        with_bias = has_bias("ConvolutionTranspose2D", bias)
        self.bias = Parameter.later((num_filters,), option("init_bias", init_bias)) if with_bias else None
        self.activation = activation_of("ConvolutionTranspose2D", activation)

    W = property(lambda self: self.weight, doc="The kernels, under CNTK's name.")
    b = property(lambda self: self.bias, doc="The bias, under CNTK's name.")

    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        _, out, *kernel = self.weight.shape
        options = {"pad": self._pad, "strides": self._options["stride"], "dilation": self._options["dilation"]}
        more = _more(**options, bias=self.bias is not None, layout=self._options["layout"])
        return f"{tuple(kernel)}, {out}{more}" + _activated(self.activation)


def _exact(kernel: tuple, stride: tuple, dilation: tuple) -> dict[str, Any]:
    """Padding, and output padding where the kernel is too small, that make images of exactly size · stride."""
    padding, extra = [], []
    for k, s, d in zip(kernel, stride, dilation, strict=True):
        surplus = d * (k - 1) + 1 - s
        padding.append((max(surplus, 0) // 2, max(surplus, 0) - max(surplus, 0) // 2))
        extra.append(max(-surplus, 0))
    return {"padding": tuple(padding), "output_padding": tuple(extra)}


class _Pooling(Module):
    """What pooling layers have in common."""

    function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, **options: Any):
        layer = type(self).__name__
        self._kernel = pair(layer, "kernel_size", kernel_size)
        self._stride = self._kernel if stride is None else pair(layer, "stride", stride)
        self._padding, self._options = padding, options
        _layout(layer, options["layout"])

    def forward(self, x: Any) -> Any:
        return type(self).function(x, self._kernel, self._stride, self._padding, **self._options)

    def extra_repr(self) -> str:
        return f"{self._kernel}, stride={self._stride}" + _more(padding=self._padding, **self._options)


class MaxPool2d(_Pooling):
    """The largest value in each window: (N, C, H, W) -> (N, C, H', W'); the arguments of ``kernel.max_pool2d``.

    >>> kernel.layers.MaxPool2d(2)(kernel.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    function = staticmethod(functional.max_pool2d)

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, layout: str = "NCHW"
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode, layout=layout)


class AvgPool2d(_Pooling):
    """The mean of each window: (N, C, H, W) -> (N, C, H', W'); the arguments of ``kernel.avg_pool2d``.

    >>> kernel.layers.AvgPool2d(2)(kernel.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    function = staticmethod(functional.avg_pool2d)

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        layout: str = "NCHW",
    ):
        super().__init__(
            kernel_size, stride, padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad, layout=layout
        )


class MaxPooling(MaxPool2d):
    """The largest value in each window, with CNTK's arguments: windows one step apart unless ``strides`` says more.

    Args:
        filter_shape: (height, width) of the window.
        strides: one number, or (height, width).
        pad: whether to pad so that the size stays; padding never wins.
        ceil_out_dim: whether a last window that reaches beyond the images counts too.

    >>> kernel.layers.MaxPooling((3, 3), strides=(2, 2))(kernel.ones(1, 32, 28, 28)).shape
    (1, 32, 13, 13)
    """

    def __init__(
        self, filter_shape: Any, strides: Any = 1, pad: Any = DEFAULT, ceil_out_dim: bool = False, layout: str = "NCHW"
    ):
        super().__init__(filter_shape, strides, padding("MaxPooling", pad), ceil_out_dim, layout)

    def extra_repr(self) -> str:
        return _window_in_words(self)


class AveragePooling(AvgPool2d):
    """The mean of each window, with CNTK's arguments, those of MaxPooling; padding is not counted.

    >>> kernel.layers.AveragePooling((3, 3), strides=2, pad=True)(kernel.ones(1, 3, 8, 8)).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self,
        filter_shape: Any,
        strides: Any = 1,
        pad: Any = DEFAULT,
        ceil_out_dim: bool = False,
        include_pad: bool = False,
        layout: str = "NCHW",
    ):
        super().__init__(filter_shape, strides, padding("AveragePooling", pad), ceil_out_dim, include_pad, layout)

    def extra_repr(self) -> str:
        return _window_in_words(self, include_pad=self._options["count_include_pad"])


def _window_in_words(layer: _Pooling, **more: Any) -> str:
    """A pooling layer by CNTK's names."""
    options = {"strides": layer._stride, "pad": _pad_of(layer._padding), "ceil_out_dim": layer._options["ceil_mode"]}
    return f"{layer._kernel}" + _more(**options, **more, layout=layer._options["layout"])


class GlobalMaxPooling(Module):
    """The largest value of each channel: (N, C, H, W) -> (N, C)."""

    def __init__(self, layout: str = "NCHW"):
        self._layout = _layout("GlobalMaxPooling", layout)

    def forward(self, x: Any) -> Any:
        return functional.global_max_pool(x, layout=self._layout)


class GlobalAveragePooling(Module):
    """The mean of each channel: (N, C, H, W) -> (N, C).

    >>> kernel.layers.GlobalAveragePooling()(kernel.ones(2, 3, 4, 4)).shape
    (2, 3)
    """

    def __init__(self, layout: str = "NCHW"):
        self._layout = _layout("GlobalAveragePooling", layout)

    def forward(self, x: Any) -> Any:
        return functional.global_average_pool(x, layout=self._layout)
