"""Normalisation: numbers brought to mean 0 and variance 1 over some axes, then scaled and shifted.

``scale`` and ``bias`` may be the numbers 1 and 0, which leave the normalised numbers as they are.
"""

from __future__ import annotations

import math

from ..errors import DtypeError, ShapeError, show
from ..op import NUMBERS, ArrayType, Op, deliver, promote, require_float, require_number, require_whole, spell, unify
from .reduce import in_dtype, widened


def _typed(x, scale, bias, shape, because, eps):
    """(x, scale, bias) in the dtype in which they meet; ``shape`` is what scale and bias should have."""
    require_number("eps", eps)
    if not eps >= 0:
        raise DtypeError(f"eps must be 0 or more, but {show(eps)} came.")
    dtype = promote(x.dtype, scale.dtype, bias.dtype)
    require_float("the operands", dtype)
    scale, bias = (
        t if t.dtype in NUMBERS else ArrayType(unify(f"argument {name}", t.shape, shape, because), dtype)
        for name, t in (("scale", scale), ("bias", bias))
    )
    return ArrayType(x.shape, dtype), scale, bias


def _channels(x, scale, bias):
    """How many channels x (N, C, …) has, as far as one of the operands says so."""
    if x.shape is not None and len(x.shape) < 2:
        raise ShapeError(
            f"argument x should have shape (N, C, …), channels on axis 1, but it has shape {spell(x.shape)}."
        )
    known = (None if x.shape is None else x.shape[1], *(t.shape[0] for t in (scale, bias) if t.shape))
    return next((size for size in known if size is not None), None)


def _with_channels(x, channels):
    return x if x.shape is None else ArrayType((x.shape[0], channels, *x.shape[2:]), x.dtype)


def _mean(x, axes):
    return x.sum(axis=axes, keepdims=True) / math.prod(x.shape[axis] for axis in axes)


def _standardise(xp, x, axes, eps):
    """(deviations from the mean, the mean, 1 / standard deviation)."""
    mean = _mean(x, axes)
    deviation = x - mean
    return deviation, mean, 1 / xp.sqrt(_mean(deviation * deviation, axes) + eps)


def _normalised(xp, x, centre, inverse, axes, eps):
    """(the normalised numbers, 1 / standard deviation), from what forward kept or, where that is None, from x alone."""
    if centre is None:
        deviation, _, inverse = _standardise(xp, x, axes, eps)
    else:
        deviation = x - centre
    return deviation * inverse, inverse


def _pulled(g, normalised, inverse, axes):
    """The gradient of what was normalised, given that of the normalised numbers."""
    return inverse * (g - _mean(g, axes) - normalised * _mean(g * normalised, axes))


def _but_channels(x):
    return (0, *range(2, x.ndim))


def _within(x):
    """The axes of x, its channels in groups, that belong to one sample's group."""
    return tuple(range(2, x.ndim + 1))


def _column(values, x):
    """One value for each channel, ready to be stretched to the shape of x."""
    return values if isinstance(values, int | float) else values.reshape((-1, *(1,) * (x.ndim - 2)))


def require_variance(shape):
    """Raise unless there are two numbers or more in each channel of x (N, C, …)."""
    if math.prod(shape) <= shape[1]:
        raise ShapeError(
            f"x of shape {spell(shape)} has fewer than 2 numbers in a channel, and they have no variance; give a "
            "larger batch, or use the running statistics with training=False."
        )


class batch_norm(Op):
    """(x - mean) / √(variance + eps) · scale + bias for each channel, over the batch: (N, C, …), (C,), (C,).

    -> (y, the batch's mean (C,), its unbiased variance (C,)). Ioffe and Szegedy, arXiv 1502.03167.

    Works on (outer, C, inner), a view of x whatever its order in memory, and leaves y and the gradient in that order.
    """

    onnx = "BatchNormalization"
    outputs = 3
    residuals = ("centre", "inverse")
    reads = ("x scale centre inverse",) * 3

    def infer(x, scale, bias, eps=1e-5):
        channels = _channels(x, scale, bias)
        x, scale, bias = _typed(x, scale, bias, (channels,), f"x has shape {spell(x.shape)}", eps)
        x = _with_channels(x, channels)
        statistic = ArrayType((channels,), x.dtype)
        return (x, scale, bias), (x, statistic, statistic)

    def forward(xp, x, scale, bias, out=None, eps=1e-5):
        dtype = x.dtype
        x, scale, bias = widened(x, scale, bias)
        order = _memory_order(x)
        y = _by_channel(x, order)
        count = y.shape[0] * y.shape[2]
        require_variance(x.shape)  # not in infer: a graph has this beside what is computed in use, where one will do
        mean = _sums(xp, y) / count
        y = y - mean[:, None]
        variance = _sums_of_products(xp, y, y) / count
        inverse = 1 / xp.sqrt(variance + eps)
        y *= (inverse * scale)[:, None]
        y += bias if isinstance(bias, int | float) else bias[:, None]
        outputs = (_restored(y, x.shape, order), mean, variance * (count / (count - 1)))
        outputs = tuple(in_dtype(dtype, output) for output in outputs)
        outputs = outputs if out is None else tuple(map(deliver, (xp,) * 3, outputs, out))
        return outputs, (mean.copy(), inverse)  # the mean that is handed out may be written to

    def shared(xp, g, y, x, scale, bias, centre, inverse, eps=1e-5):
        """The gradients of x, scale and bias: their sums over the batch are the same."""
        x, scale, g, g_mean, g_variance = widened(x, scale, *g)
        if centre is None:
            axes, count = _but_channels(x), x.size // x.shape[1]
            deviation, _, inverse = _standardise(xp, x, axes, eps)
            normalised = deviation * inverse
            by_statistics = _column(g_mean / count, x) + deviation * _column(g_variance * (2 / (count - 1)), x)
            pulled = _pulled(g * _column(scale, x), normalised, inverse, axes) + by_statistics
            return pulled, (g * normalised).sum(axis=axes), g.sum(axis=axes)
        order = _memory_order(x)
        incoming, deviation = _by_channel(g, order), _by_channel(x, order) - centre[:, None]
        count = deviation.shape[0] * deviation.shape[2]
        for_bias = _sums(xp, incoming)
        for_scale = _sums_of_products(xp, incoming, deviation) * inverse
        factor = inverse * scale
        deviation *= (g_variance * (2 / (count - 1)) - factor * inverse * for_scale / count)[:, None]
        deviation += incoming * factor[:, None]
        deviation += ((g_mean - factor * for_bias) / count)[:, None]
        return _restored(deviation, x.shape, order), for_scale, for_bias

    vjp = (lambda xp, g, *_, **__: g[0], lambda xp, g, *_, **__: g[1], lambda xp, g, *_, **__: g[2])


class normalise(Op):
    """(x - running_mean) / √(running_var + eps) · scale + bias for each channel: batch_norm with statistics given.

    (N, C, …), four times (C,) -> (N, C, …).
    """

    onnx = "BatchNormalization"
    keeps_shape = True
    reads = (
        "scale running_var",
        "x running_mean running_var",
        "",
        "scale running_var",
        "x scale running_mean running_var",
    )

    def infer(x, scale, bias, running_mean, running_var, eps=1e-5):
        channels = next((c for c in (_channels(x, scale, bias), _channels(x, running_mean, running_var)) if c), None)
        because = f"x has shape {spell(x.shape)}"
        typed, scale, bias = _typed(x, scale, bias, (channels,), because, eps)
        statistics = []
        for name, t in (("running_mean", running_mean), ("running_var", running_var)):
            require_float(f"argument {name}", t.dtype)
            if t.dtype in NUMBERS:
                raise DtypeError(f"argument {name} is a plain number; give a tensor with a number for each channel.")
            statistics.append(ArrayType(unify(f"argument {name}", t.shape, (channels,), because), t.dtype))
        dtype = promote(typed.dtype, *(t.dtype for t in statistics))
        x, *others = (t if t.dtype in NUMBERS else ArrayType(t.shape, dtype) for t in (typed, scale, bias, *statistics))
        x = _with_channels(x, channels)
        return (x, *others), (x,)

    def forward(xp, x, scale, bias, running_mean, running_var, out=None, eps=1e-5):
        dtype = x.dtype
        x, scale, bias, running_mean, running_var = widened(x, scale, bias, running_mean, running_var)
        factor = scale / xp.sqrt(running_var + eps)
        shift = bias - running_mean * factor
        return deliver(xp, in_dtype(dtype, x * _column(factor, x) + _column(shift, x)), out)

    def _sum_of_deviations(xp, g, x, running_mean):
        return (g * (x - _column(running_mean, x))).sum(axis=_but_channels(x))

    def _x(xp, g, y, x, scale, bias, running_mean, running_var, eps=1e-5):
        return g * _column(scale / xp.sqrt(running_var + eps), g)

    def _scale(xp, g, y, x, scale, bias, running_mean, running_var, eps=1e-5):
        g, x, running_mean, running_var = widened(g, x, running_mean, running_var)
        return normalise._sum_of_deviations(xp, g, x, running_mean) / xp.sqrt(running_var + eps)

    def _bias(xp, g, y, x, scale, bias, running_mean, running_var, eps=1e-5):
        return widened(g)[0].sum(axis=_but_channels(g))

    def _mean(xp, g, y, x, scale, bias, running_mean, running_var, eps=1e-5):
        scale, running_var = widened(scale, running_var)
        return -(scale / xp.sqrt(running_var + eps)) * widened(g)[0].sum(axis=_but_channels(g))

    def _var(xp, g, y, x, scale, bias, running_mean, running_var, eps=1e-5):
        g, x, scale, running_mean, running_var = widened(g, x, scale, running_mean, running_var)
        slope = scale * (-0.5 / ((running_var + eps) * xp.sqrt(running_var + eps)))
        return slope * normalise._sum_of_deviations(xp, g, x, running_mean)

    vjp = (_x, _scale, _bias, _mean, _var)


def _memory_order(x):
    """The axes from the slowest to the fastest in memory."""
    return tuple(sorted(range(x.ndim), key=lambda axis: -x.strides[axis]))


def _by_channel(x, order):
    """x as (outer, C, inner): its axes in ``order``, those before and after the channels made one."""
    place = order.index(1)
    shape = [x.shape[axis] for axis in order]
    return x.transpose(order).reshape(math.prod(shape[:place]), shape[place], math.prod(shape[place + 1 :]))


def _restored(values, shape, order):
    """(outer, C, inner) back in the axes of ``shape``, without moving anything."""
    places = tuple(sorted(range(len(order)), key=order.__getitem__))
    return values.reshape(tuple(shape[axis] for axis in order)).transpose(places)


def _sums(xp, x):
    """(outer, C, inner) -> (C,), as products with ones."""
    outer, channels, inner = x.shape
    rows = xp.sum_rows(x.reshape(outer * channels, inner).T)
    return rows if outer == 1 else xp.sum_rows(rows.reshape(outer, channels))


def _sums_of_products(xp, x, y):
    """The sums of x · y: (outer, C, inner) twice -> (C,)."""
    outer, channels, inner = x.shape
    if inner == 1:  # no run of memory to multiply along
        return _sums(xp, x * y)
    rows = outer * channels
    products = xp.matmul(x.reshape(rows, 1, inner), y.reshape(rows, inner, 1))
    return products.reshape(rows) if outer == 1 else xp.sum_rows(products.reshape(outer, channels))


class layer_norm(Op):
    """(x - mean) / √(variance + eps) · scale + bias over the last axes, those of ``shape``: (…, *shape), shape, shape.

    Ba, Kiros and Hinton, arXiv 1607.06450.
    """

    onnx = "LayerNormalization"
    residuals = ("centre", "inverse")
    reads = ("x scale centre inverse", "x centre inverse", "x centre inverse")

    def infer(x, scale, bias, shape, eps=1e-5):
        if not isinstance(shape, tuple) or not shape:
            raise DtypeError(f"normalized_shape must be the sizes of the last axes, but {show(shape)} came.")
        for size in shape:
            require_whole("a size in normalized_shape", size)
        if x.shape is not None:
            ending = (*x.shape[: -len(shape)], *shape)
            x = ArrayType(unify("argument x", x.shape, ending, f"normalized_shape is {spell(shape)}"), x.dtype)
        if 0 in shape:
            raise ShapeError(f"normalized_shape {spell(shape)} holds no number, and nothing has no mean.")
        inputs = _typed(x, scale, bias, shape, f"normalized_shape is {spell(shape)}", eps)
        return inputs, inputs[:1]

    def forward(xp, x, scale, bias, out=None, shape=None, eps=1e-5):
        dtype = x.dtype
        x, scale, bias = widened(x, scale, bias)
        y, mean, inverse = _standardise(xp, x, _last(shape), eps)
        y *= inverse
        y = in_dtype(dtype, y * scale + bias)
        return (y if out is None else deliver(xp, y, out[0]),), (mean, inverse)

    def shared(xp, g, y, x, scale, bias, centre, inverse, shape=None, eps=1e-5):
        g, x = widened(g, x)
        return g, *_normalised(xp, x, centre, inverse, _last(shape), eps)

    def _x(xp, g, y, x, scale, bias, centre, inverse, shape=None, eps=1e-5):
        g, normalised, inverse = g
        return _pulled(g * widened(scale)[0], normalised, inverse, _last(shape))

    vjp = (_x, lambda xp, g, *_, **__: g[0] * g[1], lambda xp, g, *_, **__: g[0])


def _last(shape):
    return tuple(range(-len(shape), 0))


class group_norm(Op):
    """(x - mean) / √(variance + eps) · scale + bias, over one sample's channels in groups: (N, C, …), (C,), (C,).

    Wu and He, arXiv 1803.08494.
    """

    onnx = "GroupNormalization"
    residuals = ("centre", "inverse")
    reads = ("x scale centre inverse", "x centre inverse", "x centre inverse")

    def infer(x, scale, bias, groups, eps=1e-5):
        require_whole("groups", groups)
        channels = _channels(x, scale, bias)
        if groups < 1 or (channels is not None and channels % groups):
            came = "" if channels is None else f" into which the {channels} channels of x can be divided"
            raise ShapeError(f"groups must be a whole number, 1 or more,{came}, but {groups} came.")
        x, scale, bias = _typed(x, scale, bias, (channels,), f"x has shape {spell(x.shape)}", eps)
        x = _with_channels(x, channels)
        if x.shape is not None and 0 in x.shape[1:]:
            raise ShapeError(f"a sample of x, of shape {spell(x.shape)}, holds no number, and nothing has no mean.")
        return (x, scale, bias), (x,)

    def forward(xp, x, scale, bias, out=None, groups=None, eps=1e-5):
        dtype, shape = x.dtype, x.shape
        x, scale, bias = widened(x, scale, bias)
        y, mean, inverse = _standardise(xp, _grouped(x, groups), _within(x), eps)
        y *= inverse
        y = in_dtype(dtype, y.reshape(shape) * _column(scale, x) + _column(bias, x))
        return (y if out is None else deliver(xp, y, out[0]),), (mean, inverse)

    def shared(xp, g, y, x, scale, bias, centre, inverse, groups=None, eps=1e-5):
        g, x = widened(g, x)
        return g, *_normalised(xp, _grouped(x, groups), centre, inverse, _within(x), eps)

    def _x(xp, g, y, x, scale, bias, centre, inverse, groups=None, eps=1e-5):
        g, normalised, inverse = g
        scaled = _grouped(g * _column(widened(scale)[0], x), groups)
        return _pulled(scaled, normalised, inverse, _within(x)).reshape(x.shape)

    vjp = (
        _x,
        lambda xp, g, y, x, *_, **__: (g[0] * g[1].reshape(x.shape)).sum(axis=_but_channels(x)),
        lambda xp, g, y, x, *_, **__: g[0].sum(axis=_but_channels(x)),
    )


def _grouped(x, groups):
    """(N, C, …) as (N, groups, C / groups, …)."""
    return x.reshape((x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
