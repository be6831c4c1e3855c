"""Named layers for symbols, in MXNet's words: what is missing of weight, bias and label becomes a variable of its own.

>>> from kernel import sym
>>> net = sym.Variable("data")
>>> net = sym.FullyConnected(data=net, num_hidden=128, name="fc1")
>>> net = sym.SoftmaxOutput(data=net, name="out")
>>> net.list_arguments()
['data', 'fc1_weight', 'fc1_bias', 'out_label']
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import functional
from .apply import apply
from .errors import DtypeError, FileError, ShapeError, show
from .graph import from_json
from .op import require_flag, require_number, require_whole
from .ops import elementwise, noise, normalisation, products
from .symbol import Entry, NameManager, Symbol, declare, name_for, variable

__all__ = [
    "Activation",
    "BatchNorm",
    "BlockGrad",
    "Concat",
    "Convolution",
    "Dropout",
    "Embedding",
    "Flatten",
    "FullyConnected",
    "Group",
    "NameManager",
    "Pooling",
    "SoftmaxOutput",
    "Symbol",
    "Variable",
    "load",
    "load_json",
    "var",
]


def Variable(
    name: str, shape: Any = None, dtype: Any = None, attr: Mapping[str, str] | None = None, **more: str
) -> Symbol:
    """A variable, which is given when the graph is bound.

    Args:
        name: what it is called.
        shape: its sizes as far as they are known, None for those that are not.
        dtype: by default that of the floats that it meets.
        attr: {key: text} to remember.

    >>> from kernel import sym
    >>> sym.Variable("data", shape=(None, 3)).shape
    (None, 3)
    """
    node = variable(name, shape, dtype)
    node.attr = _texts(f"Variable {name}", attr) | _texts(f"Variable {name}", more)
    return Symbol([Entry(node, 0)])


var = Variable


def _texts(what: str, attr: Any) -> dict[str, str]:
    """What a node is to remember, checked."""
    if not isinstance(attr, Mapping | None):
        raise DtypeError(f"{what}: attr should be {{key: text}}, but {show(attr)} came.")
    for key, text in (attr or {}).items():
        if not (isinstance(key, str) and isinstance(text, str)):
            raise DtypeError(f"{what}: attributes are texts, but {show(key)}: {show(text)} came.")
    return dict(attr or {})


def Group(symbols: Any) -> Symbol:
    """Several outputs as one symbol, to be bound together.

    >>> from kernel import sym
    >>> a = sym.Variable("a")
    >>> sym.Group([a * 2, a + 1]).simple_bind(a=(2,)).forward(a=[1.0, 2.0])
    [tensor([2., 4.]), tensor([2., 3.])]
    """
    if not isinstance(symbols, list | tuple) or not symbols or not all(isinstance(s, Symbol) for s in symbols):
        raise DtypeError(f"Group: a list of symbols was expected, but {show(symbols)} came.")
    return Symbol(entry for symbol in symbols for entry in symbol._entries)


# --- what the layers share ---


def _data(layer: str, data: Any) -> Symbol:
    if not isinstance(data, Symbol):
        raise DtypeError(f"{layer}: data should be a symbol, but {show(data)} came; sym.Variable('data') makes one.")
    return data


def _given(layer: str, name: str, what: str, symbol: Any, role: str = "argument", shape: Any = None) -> Symbol:
    """An operand that was given, or a variable called after the layer in its place."""
    if symbol is None:
        return Symbol([Entry(variable(f"{name}_{what}", shape, role=role), 0)])
    if not isinstance(symbol, Symbol):
        raise DtypeError(f"{layer} {name}: {what} should be a symbol, but {show(symbol)} came.")
    node = symbol._single(f"{layer} {name}: {what}").node
    if node.op is None and shape is not None:
        declare(node, shape, f"{layer} {name} needs that")
    if node.op is None and node.value is None and role == "auxiliary":
        node.role = role  # training moves it by itself, whatever it was made as
    return symbol


def _layer(hint: str) -> Callable:
    """A layer called ``name``, or by the next automatic name; whatever else it adds to the graph is NAME_something.

    ``attr`` is {key: text} for its node to remember.
    """

    def named(make: Callable) -> Callable:
        @functools.wraps(make)
        def layer(*data: Any, name: str | None = None, attr: Any = None, **options: Any) -> Symbol:
            name = name_for(hint, name)
            remembered = _texts(name, attr)
            with NameManager(f"{name}_"):
                made = make(*data, name=name, **options)
            made._entries[0].node.attr = remembered
            return made

        return layer

    return named


def _named(symbol: Symbol, name: str) -> Symbol:
    """The symbol, its node under this name."""
    symbol._entries[0].node.name = name
    symbol._entries[0].node.auto = False
    return symbol


def _count(layer: str, what: str, value: Any) -> int:
    require_whole(f"{layer}: {what}", value)
    if value < 1:
        raise ShapeError(f"{layer}: {what} must be 1 or more, but {value} came.")
    return int(value)


@_layer("fullyconnected")
def FullyConnected(
    data: Symbol,
    num_hidden: int,
    weight: Symbol | None = None,
    bias: Symbol | None = None,
    no_bias: bool = False,
    flatten: bool = True,
    *,
    name: str,
) -> Symbol:
    """data · weightᵀ + bias: (N, …) -> (N, num_hidden), with weight (num_hidden, in).

    Args:
        data: with ``flatten`` all its axes but the first are joined; otherwise only the last is multiplied.
        num_hidden: how many numbers come out.
        weight, bias: symbols; by default new variables called NAME_weight and NAME_bias.
        no_bias: leave the bias out.
        name: fullyconnected0, … by default.
    """
    hidden = _count(f"FullyConnected {name}", "num_hidden", num_hidden)
    require_flag(f"FullyConnected {name}: no_bias", no_bias)
    require_flag(f"FullyConnected {name}: flatten", flatten)
    weight = _given("FullyConnected", name, "weight", weight, shape=(hidden, None))
    bias = 0 if no_bias else _given("FullyConnected", name, "bias", bias, shape=(hidden,))
    options = {"flatten": True} if flatten else {}
    return _named(apply(products.linear, _data("FullyConnected", data), weight, bias, **options), name)


_ACTIVATIONS: dict[str, Callable] = {
    "relu": functional.relu,
    "sigmoid": functional.sigmoid,
    "tanh": functional.tanh,
    "softrelu": functional.softplus,
    "softsign": lambda x: x / (1 + functional.abs(x)),
}


@_layer("activation")
def Activation(data: Symbol, act_type: str, *, name: str) -> Symbol:
    """relu, sigmoid, tanh, softrelu (log(1 + e^x)) or softsign (x / (1 + |x|)) of each number."""
    if act_type not in _ACTIVATIONS:
        raise DtypeError(f"Activation {name}: act_type must be {', '.join(_ACTIVATIONS)}, but {show(act_type)} came.")
    return _named(_ACTIVATIONS[act_type](_data("Activation", data)), name)


@_layer("convolution")
def Convolution(
    data: Symbol,
    kernel: Any,
    num_filter: int,
    stride: Any = 1,
    pad: Any = 0,
    dilate: Any = 1,
    num_group: int = 1,
    no_bias: bool = False,
    weight: Symbol | None = None,
    bias: Symbol | None = None,
    *,
    name: str,
) -> Symbol:
    """Kernels sliding over images: (N, C, H, W) -> (N, num_filter, H', W'), as ``kernel.conv2d``.

    Args:
        kernel: (height, width).
        num_filter: how many kernels.
        stride, pad, dilate: one number, or (height, width).
        num_group: of channels, each with its own kernels.
        weight, bias: symbols; by default new variables called NAME_weight, of shape (num_filter, C / num_group, height,
            width), and NAME_bias.
    """
    layer = f"Convolution {name}"
    size = functional.convolutions.pair(layer, "kernel", kernel)
    filters = _count(layer, "num_filter", num_filter)
    require_flag(f"{layer}: no_bias", no_bias)
    weight = _given("Convolution", name, "weight", weight, shape=(filters, None, *size))
    bias = None if no_bias else _given("Convolution", name, "bias", bias, shape=(filters,))
    options = {"stride": stride, "padding": pad, "dilation": dilate, "groups": num_group}
    return _named(functional.conv2d(_data("Convolution", data), weight, bias, **options), name)


@_layer("pooling")
def Pooling(
    data: Symbol,
    kernel: Any = None,
    pool_type: str = "max",
    stride: Any = None,
    pad: Any = 0,
    global_pool: bool = False,
    pooling_convention: str = "valid",
    *,
    name: str,
) -> Symbol:
    """The maximum ("max"), mean ("avg") or sum ("sum") of each window: (N, C, H, W) -> (N, C, H', W').

    Args:
        kernel: (height, width) of the window.
        stride: by default 1, as in MXNet.
        pad: zeros around the images, which count in a mean.
        global_pool: one window of all, whatever ``kernel`` says: (N, C, 1, 1).
        pooling_convention: "valid" for whole windows only, "full" for a last one that reaches beyond.
    """
    layer, data = f"Pooling {name}", _data("Pooling", data)
    if pool_type not in ("max", "avg", "sum"):
        raise DtypeError(f'{layer}: pool_type must be "max", "avg" or "sum", but {show(pool_type)} came.')
    if pooling_convention not in ("valid", "full"):
        raise DtypeError(f'{layer}: pooling_convention must be "valid" or "full", but {show(pooling_convention)} came.')
    require_flag(f"{layer}: global_pool", global_pool)
    if global_pool:
        over = {"max": functional.amax, "avg": functional.mean, "sum": functional.sum}[pool_type]
        return _named(over(data, axis=(2, 3), keepdims=True), name)
    if kernel is None:
        raise DtypeError(f"{layer}: kernel, the size of the window, is missing; give it, or global_pool=True.")
    size = functional.convolutions.pair(layer, "kernel", kernel)
    options = {"stride": 1 if stride is None else stride, "padding": pad, "ceil_mode": pooling_convention == "full"}
    if pool_type == "max":
        return _named(functional.max_pool2d(data, size, **options), name)
    return _named(
        functional.avg_pool2d(data, size, divisor_override=1 if pool_type == "sum" else None, **options), name
    )


@_layer("flatten")
def Flatten(data: Symbol, *, name: str) -> Symbol:
    """All axes but the first joined: (N, …) -> (N, features)."""
    return _named(functional.flatten(_data("Flatten", data), 1), name)


@_layer("softmaxoutput")
def SoftmaxOutput(
    data: Symbol,
    label: Symbol | None = None,
    grad_scale: float = 1.0,
    normalization: str = "null",
    use_ignore: bool = False,
    ignore_label: int = -1,
    *,
    name: str,
) -> Symbol:
    """softmax of each row, whose gradient is softmax - one_hot(label): output and loss in one.

    The gradient is not divided by the batch, and none is needed from behind.

    Args:
        data: scores (N, C).
        label: class indices (N,); by default a new variable called NAME_label. Its own gradient is 0.
        grad_scale: multiplies the gradient.
        normalization: "batch" divides it by N, "valid" by the number of rows that are not ignored.
        use_ignore: whether rows whose label is ``ignore_label`` get no gradient.
    """
    require_number(f"SoftmaxOutput {name}: grad_scale", grad_scale)
    require_flag(f"SoftmaxOutput {name}: use_ignore", use_ignore)
    options = {"scale": grad_scale, "normalization": normalization, "ignore": ignore_label if use_ignore else None}
    if normalization not in ("null", "batch", "valid"):
        raise DtypeError(
            f'SoftmaxOutput {name}: normalization must be "null", "batch" or "valid", but {show(normalization)} came.'
        )
    require_whole(f"SoftmaxOutput {name}: ignore_label", ignore_label)
    label = _given("SoftmaxOutput", name, "label", label, shape=(None,))
    return _named(functional.softmax_output(_data("SoftmaxOutput", data), label, **options), name)


@_layer("batchnorm")
def BatchNorm(
    data: Symbol,
    gamma: Symbol | None = None,
    beta: Symbol | None = None,
    moving_mean: Symbol | None = None,
    moving_var: Symbol | None = None,
    eps: float = 1e-3,
    momentum: float = 0.9,
    fix_gamma: bool = True,
    use_global_stats: bool = False,
    *,
    name: str,
) -> Symbol:
    """gamma · (x - mean) / √(variance + eps) + beta for each channel: (N, C, …) -> (N, C, …).

    In training mean and variance are the batch's, and moving = momentum · moving + (1 - momentum) · batch, the variance
    unbiased; in use the moving ones are taken.

    Args:
        gamma, beta: symbols (C,); by default new variables called NAME_gamma and NAME_beta.
        moving_mean, moving_var: auxiliary states, NAME_moving_mean and NAME_moving_var.
        fix_gamma: take 1 for gamma, whatever it holds; MXNet does so unless told otherwise.
        use_global_stats: take the moving statistics in training too, and leave them alone.
    """
    require_flag(f"BatchNorm {name}: fix_gamma", fix_gamma)
    require_flag(f"BatchNorm {name}: use_global_stats", use_global_stats)
    functional.normalisation._require_share(momentum)
    data = _data("BatchNorm", data)
    gamma = _given("BatchNorm", name, "gamma", gamma, shape=(None,))
    beta = _given("BatchNorm", name, "beta", beta, shape=(None,))
    mean = _given("BatchNorm", name, "moving_mean", moving_mean, "auxiliary", shape=(None,))
    variance = _given("BatchNorm", name, "moving_var", moving_var, "auxiliary", shape=(None,))
    if fix_gamma:
        gamma = functional.ones_like(gamma)
    inference = apply(normalisation.normalise, data, gamma, beta, mean, variance, eps=eps)
    if use_global_stats:
        return _named(inference, name)
    training, batch_mean, batch_variance = apply(normalisation.batch_norm, data, gamma, beta, eps=eps)
    updates = [
        (moving, moving * momentum + batch * (1 - momentum))
        for moving, batch in ((mean, batch_mean), (variance, batch_variance))
    ]
    return _named(Symbol._by_mode(training, inference, updates), name)


@_layer("dropout")
def Dropout(data: Symbol, p: float = 0.5, *, name: str) -> Symbol:
    """In training each number is 0 with probability p, and otherwise divided by 1 - p; in use it stays."""
    noise.require_rate(p)
    dropped = functional.dropout(_data("Dropout", data), p)
    return _named(apply(elementwise.clone, data) if dropped is data else dropped, name)


@_layer("embedding")
def Embedding(data: Symbol, input_dim: int, output_dim: int, weight: Symbol | None = None, *, name: str) -> Symbol:
    """The rows of weight (input_dim, output_dim) at the indices in data (…), also as floats: (…, output_dim)."""
    layer = f"Embedding {name}"
    sizes = _count(layer, "input_dim", input_dim), _count(layer, "output_dim", output_dim)
    weight = _given("Embedding", name, "weight", weight, shape=sizes)
    return _named(functional.embedding(_data("Embedding", data).astype("int64"), weight), name)


@_layer("concat")
def Concat(*data: Symbol, dim: int = 1, name: str) -> Symbol:
    """Symbols put together along an axis, by default that of features or channels."""
    if not data:
        raise DtypeError("Concat: give at least one symbol.")
    require_whole(f"Concat {name}: dim", dim)
    return _named(functional.concatenate([_data("Concat", one) for one in data], axis=dim), name)


@_layer("blockgrad")
def BlockGrad(data: Symbol, *, name: str) -> Symbol:
    """data itself, through which no gradient flows."""
    return _named(_data("BlockGrad", data).detach(), name)


def load_json(text: str) -> Symbol:
    """The symbol that ``symbol.tojson()`` spelled; raises FileError for anything else."""
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise FileError(f"load_json: this is no JSON ({error}).") from None
    return from_json(data)


def load(path: str | os.PathLike) -> Symbol:
    """The symbol in a file that ``symbol.save`` wrote."""
    if not isinstance(path, str | os.PathLike):
        raise DtypeError(f"load: a path was expected, but {show(path)} came.")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"load: {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    return load_json(text)
