"""Normalisation over the batch, over a sample, and over groups of its channels."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..errors import DeviceError, DtypeError, GradError, ShapeError, show
from ..op import is_float, require_flag, require_number, spell
from ..ops import normalisation
from .axes import ndim_of, python_number, whole_numbers
from .layouts import channels_first, in_layout


def batch_norm(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    layout: str = "NCHW",
) -> Any:
    """scale · (x - mean) / √(variance + eps) + bias for each channel: (N, C, …) -> (N, C, …).

    While training, mean and biased variance are the batch's, and running statistics that are given are updated in
    place: running = (1 - momentum) · running + momentum · batch, with the batch's unbiased variance. Otherwise the
    running statistics take the place of the batch's. Ioffe and Szegedy, arXiv 1502.03167.

    Args:
        x: a batch, channels on axis 1: (N, C), (N, C, L), (N, C, H, W), …
        scale, bias: (C,), or None for 1 and 0.
        running_mean, running_var: (C,); both or neither, and both if not training.
        training: whether to use the batch's statistics.
        momentum: the batch's share in the running statistics, from 0 to 1.
        eps: added to the variance.
        layout: "NHWC" where the channels are on the last axis.

    Raises ShapeError for sizes that do not fit and for a batch with one number in a channel, which has no variance.

    >>> x = kernel.tensor([[1.0], [3.0]])
    >>> mean, var = kernel.zeros(1), kernel.ones(1)
    >>> kernel.batch_norm(x, running_mean=mean, running_var=var)
    tensor([[-1.],
            [ 1.]])
    >>> mean, var
    (tensor([0.2]), tensor([1.1]))
    >>> kernel.batch_norm(x, running_mean=mean, running_var=var, training=False)
    tensor([[0.7628],
            [2.6697]])
    """
    if (running_mean is None) != (running_var is None):
        raise DtypeError("batch_norm: give running_mean and running_var, both or neither.")
    require_flag("batch_norm: training", training)
    _require_share(momentum)
    x = channels_first("batch_norm", x, layout)
    if not training:
        if running_mean is None:
            raise DtypeError("batch_norm: with training=False there must be a running_mean and a running_var to use.")
        return in_layout(_by_statistics(x, scale, bias, running_mean, running_var, eps), layout)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None:
            _require_channels(name, running, x)
            _require_writable(name, running, x)
    y, mean, variance = batch_norm_with_statistics(x, scale, bias, eps)
    if running_mean is not None:
        for running, batch in ((running_mean, mean), (running_var, variance)):
            running.mul_(1 - momentum).add_(batch.detach(), alpha=momentum)
    return in_layout(y, layout)


def batch_norm_with_statistics(
    x: Any, scale: Any = None, bias: Any = None, eps: float = 1e-5, *, layout: str = "NCHW"
) -> tuple[Any, Any, Any]:
    """(y, mean, variance): batch_norm while training, with the batch's mean (C,) and unbiased variance (C,).

    All three depend on x and pass gradients on to it; ``detach()`` what is only kept.

    >>> y, mean, variance = kernel.batch_norm_with_statistics(kernel.tensor([[1.0], [3.0]]))
    >>> mean, variance
    (tensor([2.]), tensor([2.]))
    """
    x = channels_first("batch_norm", x, layout)
    if not hasattr(type(x), "in_graph") and ndim_of("batch_norm", x) >= 2:
        try:  # before a parameter that waits for its size is filled in
            normalisation.require_variance(x.shape)
        except ShapeError as error:
            raise ShapeError(f"batch_norm: {error}") from None
    y, mean, variance = apply(normalisation.batch_norm, x, *_affine(scale, bias), eps=python_number(eps))
    return in_layout(y, layout), mean, variance


def layer_norm(x: Any, normalized_shape: Any, scale: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """scale · (x - mean) / √(variance + eps) + bias, each sample by itself, over its last axes. arXiv 1607.06450.

    Args:
        x: (…, *normalized_shape).
        normalized_shape: the sizes of the last axes, or one whole number for the last axis.
        scale, bias: of shape normalized_shape, or None for 1 and 0.
        eps: added to the variance.

    Raises ShapeError for sizes that do not fit.

    >>> kernel.layer_norm(kernel.tensor([[1.0, 3.0], [10.0, 30.0]]), 2)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    sizes = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    shape = whole_numbers("layer_norm", "normalized_shape", sizes)
    return apply(normalisation.layer_norm, x, *_affine(scale, bias), shape=shape, eps=python_number(eps))


def group_norm(
    x: Any, groups: int, scale: Any = None, bias: Any = None, eps: float = 1e-5, *, layout: str = "NCHW"
) -> Any:
    """scale · (x - mean) / √(variance + eps) + bias, over groups of each sample's channels. arXiv 1803.08494.

    Args:
        x: (N, C, …).
        groups: how many groups of channels; it divides C. With 1 it is a layer's norm, with C an instance's.
        scale, bias: (C,), or None for 1 and 0.
        eps: added to the variance.
        layout: "NHWC" where the channels are on the last axis.

    Raises ShapeError for sizes that do not fit.

    >>> kernel.group_norm(kernel.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.,  1., -1.,  1.]])
    """
    x = channels_first("group_norm", x, layout)
    return in_layout(
        apply(normalisation.group_norm, x, *_affine(scale, bias), groups=groups, eps=python_number(eps)), layout
    )


def _affine(scale: Any, bias: Any) -> tuple[Any, Any]:
    return 1 if scale is None else scale, 0 if bias is None else bias


def _by_statistics(x: Any, scale: Any, bias: Any, mean: Any, variance: Any, eps: Any) -> Any:
    """batch_norm with a mean and a variance that are given."""
    try:
        return apply(normalisation.normalise, x, *_affine(scale, bias), mean, variance, eps=python_number(eps))
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"batch_norm: {str(error).removeprefix('normalise: ')}") from None


def _require_channels(name: str, t: Any, x: Any) -> None:
    """Raise unless x is (N, C, …) and t (C,): stretched, others would pass."""
    if ndim_of("batch_norm", x) < 2:
        raise ShapeError(
            f"batch_norm: argument x should have shape (N, C, …), channels on axis 1, but it has shape "
            f"{spell(x.shape)}."
        )
    if ndim_of("batch_norm", t) != 1 or t.shape != x.shape[1:2]:
        raise ShapeError(
            f"batch_norm: argument {name} should have shape {spell(x.shape[1:2])} because x has shape "
            f"{spell(x.shape)}, but it has shape {spell(t.shape)}."
        )


def _require_writable(name: str, running: Any, x: Any) -> None:
    """Raise unless a running statistic can take the batch's: before the first of the two is written to."""
    if not is_float(running.dtype):
        raise DtypeError(
            f"batch_norm: argument {name} must be of a float dtype, but it is {running.dtype}; use .float()."
        )
    if running.requires_grad:
        raise GradError(f"batch_norm: argument {name} requires a gradient, but is written to; .detach() it.")
    if running.device != x.device:
        raise DeviceError(
            f"batch_norm: argument {name} is on {running.device}, but x is on {x.device}; move it with "
            f".to('{x.device}')."
        )


def _require_share(momentum: Any) -> None:
    try:
        require_number("momentum", momentum)
    except DtypeError as error:
        raise DtypeError(f"batch_norm: {error}") from None
    if not 0 <= momentum <= 1:
        raise DtypeError(f"batch_norm: momentum must be from 0 to 1, but {show(momentum)} came.")


__all__ = ["batch_norm", "batch_norm_with_statistics", "group_norm", "layer_norm"]
