"""Layers that multiply: every input with every output, or one row looked up."""

from __future__ import annotations

from typing import Any

from .. import functional
from ..errors import DtypeError, ShapeError, UnknownSizeError, show
from ..initialisers import he_uniform, normal
from ..module import Module
from ..op import is_float, require_whole
from ..parameter import Parameter
from .options import DEFAULT, activation_of, has_bias, name_of, option

TORCH = he_uniform(slope=5**0.5)  # uniform within ±1 / √fan_in, which is how PyTorch's layers begin


def require_size(layer: str, what: str, size: Any) -> None:
    """Raise unless ``size`` is a whole number, 1 or more."""
    require_whole(f"{layer}: {what}", size)
    if size < 1:
        raise ShapeError(f"{layer}: {what} must be 1 or more, but {size} came.")


class Linear(Module):
    """x Wᵀ + b: (…, in) -> (…, out), with W (out, in) as in PyTorch.

    Args:
        in_features: how many numbers go in; Linear(12) alone says how many come out, and finds the rest on its first
            call.
        out_features: how many come out.
        bias: whether there is one; it begins at 0.

    >>> layer = kernel.layers.Linear(12)
    >>> layer(kernel.ones(5, 2)).shape, layer.weight.shape
    ((5, 12), (12, 2))
    """

    def __init__(self, in_features: int | None, out_features: int | None = None, bias: bool = True):
        if out_features is None:
            in_features, out_features = None, in_features
        require_size("Linear", "out_features", out_features)
        if in_features is not None:
            require_size("Linear", "in_features", in_features)
        self.weight = Parameter.later((out_features, in_features), TORCH, "linear")
        self.bias = Parameter.later((out_features,)) if has_bias("Linear", bias) else None

    def forward(self, x: Any) -> Any:
        return functional.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        n_out, n_in = self.weight.shape
        known = "?" if n_in is None else n_in
        return f"in_features={known}, out_features={n_out}, bias={self.bias is not None}"


class Dense(Module):
    """activation(x W + b): (N, in…) -> (N, out), with W (in…, out) as in CNTK, found on the first call.

    Args:
        shape: how many numbers come out.
        activation: any function of a tensor, a layer, or None.
        init: the initialiser of W; glorot_uniform unless ``default_options`` says otherwise.
        map_rank: how many axes of a sample, from the first, are kept and not multiplied; by default none is, and images
            need no flattening.
        bias: whether there is one; ``init_bias``: its initialiser.

    >>> layer = kernel.layers.Dense(10, activation=kernel.tanh)
    >>> layer(kernel.ones(5, 28, 28)).shape, layer.W.shape
    ((5, 10), (28, 28, 10))
    >>> kernel.layers.Dense(10, map_rank=1)(kernel.ones(5, 7, 28)).shape
    (5, 7, 10)
    """

    def __init__(
        self,
        shape: int,
        activation: Any = DEFAULT,
        init: Any = DEFAULT,
        map_rank: int | None = None,
        bias: Any = DEFAULT,
        init_bias: Any = DEFAULT,
    ):
        if isinstance(shape, tuple | list) and len(shape) == 1:
            shape = shape[0]
        require_size("Dense", "shape", shape)
        if map_rank is not None:
            require_whole("Dense: map_rank", map_rank)
            if map_rank < 0:
                raise ShapeError(f"Dense: map_rank must be 0 or more, but {map_rank} came.")
        self._first = 1 + (map_rank or 0)
        self.activation = activation_of("Dense", activation)
        self.W = Parameter.later(None, option("init", init), "dense")
        self.b = Parameter.later((shape,), option("init_bias", init_bias)) if has_bias("Dense", bias) else None
        self._shape = shape

    def forward(self, x: Any) -> Any:
        # Without a bias only the layer knows how many numbers come out. What x lacks, the operation says in words.
        if hasattr(self.W, "complete") and hasattr(type(x), "_apply"):
            try:
                inputs = x.shape[self._first :]
            except UnknownSizeError:  # of a symbol: the graph finds it, if the bias says how many numbers come out
                if self.b is None:
                    raise
                inputs = ()
            if inputs and None not in inputs and getattr(x, "device", self.W.device) is self.W.device:
                self.W.complete((*inputs, self._shape))
        y = functional.dense(x, self.W, self.b, first=self._first)
        return y if self.activation is None else self.activation(y)

    def extra_repr(self) -> str:
        parts = [str(self._shape)]
        if self._first > 1:
            parts.append(f"map_rank={self._first - 1}")
        if self.activation is not None and not isinstance(self.activation, Module):
            parts.append(f"activation={name_of(self.activation)}")
        return ", ".join(parts + ([] if self.b is not None else ["bias=False"]))


class Embedding(Module):
    """One row of E for each class: class indices (…,) or one-hot rows (…, classes), dense or sparse, -> (…, dim).

    Args:
        sizes: (classes, dim), or dim alone, whereupon one-hot input says how many classes there are.
        init: the initialiser of E.

    >>> layer = kernel.layers.Embedding(10, 4)
    >>> layer(kernel.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    >>> bool((layer(kernel.one_hot(kernel.tensor([7]), 10)) == layer.weight[7]).all())
    True
    """

    def __init__(self, *sizes: int, init: Any = DEFAULT):
        if len(sizes) not in (1, 2):
            raise DtypeError(f"Embedding: (classes, dim) or dim was expected, but {show(sizes)} came.")
        for what, size in zip(("classes", "dim")[-len(sizes) :], sizes, strict=True):
            require_size("Embedding", what, size)
        classes = sizes[0] if len(sizes) == 2 else None
        chosen = normal(1.0) if len(sizes) == 2 and init is DEFAULT else option("init", init)
        self.weight = Parameter.later((classes, sizes[-1]), chosen, "embedding")

    @property
    def E(self) -> Parameter:
        """The rows, under CNTK's name."""
        return self.weight

    def forward(self, x: Any) -> Any:
        if getattr(x, "dtype", None) is not None and is_float(x.dtype):
            return functional.matmul(x, self.weight)
        if self.weight.shape[0] is None:
            raise ShapeError(
                "Embedding: class indices do not say how many classes there are; make it with both sizes, as "
                f"Embedding(1000, {self.weight.shape[1]})."
            )
        return functional.embedding(x, self.weight)

    def extra_repr(self) -> str:
        classes, dim = self.weight.shape
        return f"{'?' if classes is None else classes}, {dim}"
