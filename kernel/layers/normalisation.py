"""Layers that bring values to mean 0 and variance 1, and then to a scale and bias that are learned."""

from __future__ import annotations

import math
from typing import Any

from .. import functional
from ..errors import DtypeError, ShapeError, show
from ..functional.layouts import require_layout
from ..module import Module
from ..op import require_flag, require_number
from ..parameter import Buffer, Parameter
from ..tape import no_grad
from .dense import require_size


def _require_eps(layer: str, eps: Any) -> None:
    require_number(f"{layer}: eps", eps)
    if not eps >= 0:
        raise DtypeError(f"{layer}: eps must be 0 or more, but {eps} came.")


def _complete(channels: int, *owned: Any) -> None:
    """Give those that wait for it the number of channels."""
    for each in owned:
        if hasattr(each, "complete"):
            each.complete((channels,))


class BatchNorm(Module):
    """weight · (x - mean) / √(variance + eps) + bias for each channel: (N, C, …) -> (N, C, …).

    In training, mean and variance are the batch's, and running ones are kept; in evaluation the running ones are used.

    Args:
        num_features: C; None finds it on the first call.
        eps: added to the variance.
        momentum: the batch's share in the running statistics; None weighs all batches alike.
        affine: whether there are a weight and a bias; they begin at 1 and 0.
        layout: "NHWC" where the channels are on the last axis.

    Its state is PyTorch's: weight, bias, running_mean, running_var, num_batches_tracked. Source: Ioffe and Szegedy,
    arXiv 1502.03167.

    >>> layer = kernel.layers.BatchNorm()
    >>> y = layer(kernel.tensor([[1.0], [3.0]]))
    >>> y.detach()
    tensor([[-1.],
            [ 1.]])
    >>> layer.running_mean, layer.eval()(kernel.tensor([[1.0]])).detach()
    (Buffer containing:
    tensor([0.2]), tensor([[0.7628]]))
    """

    def __init__(
        self,
        num_features: int | None = None,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        layout: str = "NCHW",
    ):
        layer = type(self).__name__
        _require_eps(layer, eps)
        require_flag(f"{layer}: affine", affine)
        if num_features is not None:
            require_size(layer, "num_features", num_features)
        if momentum is not None:
            require_number(f"{layer}: momentum", momentum)
            if not 0 <= momentum <= 1:
                raise DtypeError(f"{layer}: momentum must be from 0 to 1, or None, but {show(momentum)} came.")
        require_layout(layer, layout)
        self.eps, self.momentum, self._layout = eps, momentum, layout
        self.weight = Parameter.later((num_features,), 1) if affine else None
        self.bias = Parameter.later((num_features,), 0) if affine else None
        self.running_mean = Buffer.later((num_features,), 0)
        self.running_var = Buffer.later((num_features,), 1)
        self.num_batches_tracked = Buffer(0)

    def _share(self, samples: Any, tracked: Any) -> Any:
        """The share of a batch of so many samples in the running statistics, now that so much has been counted."""
        return 1 / tracked if self.momentum is None else self.momentum

    def _counted(self, samples: Any) -> Any:
        """What a batch of so many samples adds to the count."""
        return 1

    def _in_graph(self, x: Any) -> Any:
        """Both modes as nodes of a graph, and what training writes to the running statistics."""
        mean, var, count = self.running_mean, self.running_var, self.num_batches_tracked
        use = functional.batch_norm(
            x, self.weight, self.bias, mean, var, training=False, eps=self.eps, layout=self._layout
        )
        if not self.training:
            return use
        y, batch_mean, batch_var = functional.batch_norm_with_statistics(
            x, self.weight, self.bias, self.eps, layout=self._layout
        )
        samples = functional.extent(x)
        tracked = count + self._counted(samples) * functional.ones_like(samples)
        share = self._share(samples, tracked)
        moved = ((mean, batch_mean), (var, batch_var))
        # (batch first: a tensor and a number beside each other would be multiplied now.)
        updates = [(running, running + (batch - running) * share) for running, batch in moved]
        return x._by_mode(y, use, [(count, tracked), *updates])

    def forward(self, x: Any) -> Any:
        if hasattr(type(x), "in_graph"):
            return self._in_graph(x)
        if not self.training:
            if hasattr(type(x), "_apply") and x.ndim >= 2:
                channels = x.shape[1 if self._layout == "NCHW" else -1]
                _complete(channels, self.weight, self.bias, self.running_mean, self.running_var)
            running = {"running_mean": self.running_mean, "running_var": self.running_var}
            return functional.batch_norm(
                x, self.weight, self.bias, **running, training=False, eps=self.eps, layout=self._layout
            )
        y, mean, variance = functional.batch_norm_with_statistics(
            x, self.weight, self.bias, self.eps, layout=self._layout
        )
        _complete(len(mean), self.running_mean, self.running_var)
        with no_grad():
            self.num_batches_tracked.add_(self._counted(len(x)))
            share = self._share(len(x), self.num_batches_tracked.item())
            for running, batch in ((self.running_mean, mean), (self.running_var, variance)):
                running.mul_(1 - share).add_(batch.detach(), alpha=share)
        return y

    def extra_repr(self) -> str:
        (channels,) = self.running_mean.shape
        parts = ["?" if channels is None else str(channels), f"eps={self.eps}", f"momentum={self.momentum}"]
        parts += [] if self.weight is not None else ["affine=False"]
        return ", ".join(parts + ([] if self._layout == "NCHW" else [f"layout={self._layout}"]))


BatchNorm1d = BatchNorm2d = BatchNorm  # as PyTorch calls it


class BatchNormalization(BatchNorm):
    """Batch normalisation with CNTK's arguments, and its rule for the share of a batch in the running statistics.

    Args:
        normalization_time_constant: T; a batch of n samples has the share 1 - exp(-n / T). 0 keeps the last batch
            alone, a negative one weighs all samples seen alike.
        init_scale: with what the scale begins.
        epsilon: added to the variance.

    >>> layer = kernel.layers.BatchNormalization(normalization_time_constant=-1)
    >>> _ = layer(kernel.tensor([[1.0], [3.0]]))
    >>> layer.running_mean.tolist()
    [2.0]
    """

    def __init__(self, normalization_time_constant: float = 5000, init_scale: float = 1, epsilon: float = 1e-5):
        require_number("BatchNormalization: normalization_time_constant", normalization_time_constant)
        super().__init__(eps=epsilon)
        self.weight = Parameter.later((None,), init_scale)
        self.time_constant = normalization_time_constant

    @property
    def scale(self) -> Parameter:
        """The weight, under CNTK's name."""
        return self.weight

    def _counted(self, samples: Any) -> Any:
        return samples  # as CNTK does

    def _share(self, samples: Any, tracked: Any) -> Any:
        if self.time_constant > 0:
            late = samples / -self.time_constant
            return -math.expm1(late) if isinstance(samples, int) else 1 - functional.exp(late)
        return 1.0 if self.time_constant == 0 else samples / tracked

    def extra_repr(self) -> str:
        (channels,) = self.running_mean.shape
        return f"{'?' if channels is None else channels}, time_constant={self.time_constant}, epsilon={self.eps}"


class LayerNorm(Module):
    """weight · (x - mean) / √(variance + eps) + bias, each sample by itself, over its last axes.

    Args:
        normalized_shape: the sizes of the axes, or one whole number; None takes all of a sample's, on the first call.
        eps: added to the variance.
        affine: whether there are a weight and a bias, of that shape; they begin at 1 and 0.

    Source: Ba et al., arXiv 1607.06450.

    >>> kernel.layers.LayerNorm()(kernel.tensor([[1.0, 3.0], [10.0, 30.0]])).detach()
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """

    def __init__(self, normalized_shape: Any = None, eps: float = 1e-5, affine: bool = True):
        layer = type(self).__name__
        _require_eps(layer, eps)
        require_flag(f"{layer}: affine", affine)
        if normalized_shape is not None:
            normalized_shape = (
                tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
            )
            for size in normalized_shape:
                require_size(layer, "normalized_shape", size)
        self.eps = eps
        self._shape = normalized_shape
        self.weight = Parameter.later(normalized_shape, 1) if affine else None
        self.bias = Parameter.later(normalized_shape, 0) if affine else None

    def forward(self, x: Any) -> Any:
        if self._shape is None and getattr(x, "ndim", 0) < 2:
            raise ShapeError(f"{type(self).__name__}: a batch (N, …) was expected, but {show(x)} came.")
        shape = x.shape[1:] if self._shape is None else self._shape
        y = functional.layer_norm(x, shape, self.weight, self.bias, self.eps)
        self._shape = shape  # only now that it has been found to fit
        return y

    def extra_repr(self) -> str:
        return f"{'?' if self._shape is None else self._shape}, eps={self.eps}" + (
            "" if self.weight is not None else ", affine=False"
        )


class LayerNormalization(LayerNorm):
    """Layer normalisation of whole samples, with CNTK's arguments; √(variance + eps), as PyTorch has it.

    Args:
        initial_scale, initial_bias: with what scale and bias begin.
        epsilon: added to the variance.
    """

    def __init__(self, initial_scale: float = 1, initial_bias: float = 0, epsilon: float = 1e-5):
        super().__init__(eps=epsilon)
        self.weight = Parameter.later(None, initial_scale)
        self.bias = Parameter.later(None, initial_bias)

    @property
    def scale(self) -> Parameter:
        """The weight, under CNTK's name."""
        return self.weight


class GroupNorm(Module):
    """weight · (x - mean) / √(variance + eps) + bias, over groups of each sample's channels: (N, C, …) -> (N, C, …).

    Args:
        num_groups: how many groups; it divides C.
        num_channels: C; None finds it on the first call.
        eps: added to the variance.
        affine: whether there are a weight and a bias for each channel; they begin at 1 and 0.
        layout: "NHWC" where the channels are on the last axis.

    Source: Wu and He, arXiv 1803.08494.

    >>> kernel.layers.GroupNorm(2)(kernel.tensor([[1.0, 3.0, 10.0, 30.0]])).detach()
    tensor([[-1.,  1., -1.,  1.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int | None = None,
        eps: float = 1e-5,
        affine: bool = True,
        layout: str = "NCHW",
    ):
        require_layout("GroupNorm", layout)
        require_size("GroupNorm", "num_groups", num_groups)
        if num_channels is not None:
            require_size("GroupNorm", "num_channels", num_channels)
            if num_channels % num_groups:
                raise ShapeError(
                    f"GroupNorm: num_groups must divide num_channels, but {num_groups} does not divide {num_channels}."
                )
        _require_eps("GroupNorm", eps)
        require_flag("GroupNorm: affine", affine)
        self.groups, self.eps, self._layout = num_groups, eps, layout
        self.weight = Parameter.later((num_channels,), 1) if affine else None
        self.bias = Parameter.later((num_channels,), 0) if affine else None

    def forward(self, x: Any) -> Any:
        return functional.group_norm(x, self.groups, self.weight, self.bias, self.eps, layout=self._layout)

    def extra_repr(self) -> str:
        known = "" if self.weight is None or self.weight.shape[0] is None else f", {self.weight.shape[0]}"
        more = "" if self.weight is not None else ", affine=False"
        return f"{self.groups}{known}, eps={self.eps}{more}" + ("" if self._layout == "NCHW" else ", layout=NHWC")
