"""Layers without parameters: activations, and the little helpers that go between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import functional
from ..errors import DtypeError, show
from ..functional.axes import axis_or_dim
from ..module import Module
from ..op import require_whole
from ..xp import Generator
from .options import DEFAULT, activation_of, name_of


class Activation(Module):
    """A function as a layer: any function of a tensor.

    >>> kernel.layers.Activation(kernel.relu)(kernel.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    >>> kernel.layers.Activation(lambda x: kernel.element_max(x, 0))(kernel.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, activation: Any = DEFAULT):
        chosen = activation_of("Activation", activation)
        self.function = _itself if chosen is None else chosen

    def forward(self, x: Any) -> Any:
        return self.function(x)

    def extra_repr(self) -> str:
        return "" if isinstance(self.function, Module) else name_of(self.function)


def _itself(x: Any) -> Any:
    return x


class _Function(Module):
    """One function, with the options that it was given."""

    function: Callable

    def __init__(self, **options: Any):
        self._options = options

    def forward(self, x: Any) -> Any:
        return type(self).function(x, **self._options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._options.items())


class ReLU(_Function):
    """max(x, 0), as a layer."""

    function = staticmethod(functional.relu)

    def __init__(self) -> None:
        super().__init__()


class Tanh(_Function):
    """tanh(x), as a layer."""

    function = staticmethod(functional.tanh)

    def __init__(self) -> None:
        super().__init__()


class Sigmoid(_Function):
    """1 / (1 + e^-x), as a layer."""

    function = staticmethod(functional.sigmoid)

    def __init__(self) -> None:
        super().__init__()


class Softplus(_Function):
    """log(1 + e^x), as a layer."""

    function = staticmethod(functional.softplus)

    def __init__(self) -> None:
        super().__init__()


class GELU(_Function):
    """x Φ(x) in its tanh form, as a layer."""

    function = staticmethod(functional.gelu)

    def __init__(self) -> None:
        super().__init__()


class LeakyReLU(_Function):
    """x where positive, slope · x elsewhere, as a layer."""

    function = staticmethod(functional.leaky_relu)

    def __init__(self, slope: float = 0.01):
        super().__init__(slope=slope)


class ELU(_Function):
    """x where positive, alpha (e^x - 1) elsewhere, as a layer."""

    function = staticmethod(functional.elu)

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha=alpha)


class SELU(_Function):
    """The self-normalising ELU, as a layer."""

    function = staticmethod(functional.selu)

    def __init__(self) -> None:
        super().__init__()


def _one_axis(layer: str, axis: Any, dim: Any) -> int:
    """The axis, by NumPy's name or by PyTorch's; the last if nothing is said."""
    chosen = axis_or_dim(layer, axis, dim)
    if chosen is None:
        return -1
    require_whole(f"{layer}: axis", chosen)
    return chosen


class Softmax(_Function):
    """e^x / Σ e^x along an axis, as a layer; losses that take scores do without it."""

    function = staticmethod(functional.softmax)

    def __init__(self, axis: int | None = None, *, dim: int | None = None):
        super().__init__(axis=_one_axis("Softmax", axis, dim))


class LogSoftmax(_Function):
    """x - log Σ e^x along an axis, as a layer."""

    function = staticmethod(functional.log_softmax)

    def __init__(self, axis: int | None = None, *, dim: int | None = None):
        super().__init__(axis=_one_axis("LogSoftmax", axis, dim))


class Flatten(_Function):
    """All axes behind the batch joined into one: (N, …) -> (N, features).

    >>> kernel.layers.Flatten()(kernel.ones(5, 2, 3)).shape
    (5, 6)
    """

    function = staticmethod(functional.flatten)

    def __init__(self, start_dim: int = 1):
        super().__init__(start_dim=start_dim)


class Identity(Module):
    """x as it is."""

    def forward(self, x: Any) -> Any:
        return x


class Dropout(Module):
    """In training each value is dropped with probability ``rate``, and the kept ones are scaled by 1 / (1 - rate).

    Args:
        dropout_rate: how many are dropped, 0 … 1.
        keep_prob: instead, how many are kept.
        seed: of this layer's own random numbers; by default the kernel's are used.

    In evaluation x comes out as it is. Source: Srivastava et al., JMLR 15 (2014).

    >>> layer = kernel.layers.Dropout(0.5, seed=0)
    >>> sorted(set(layer(kernel.ones(100)).tolist()))
    [0.0, 2.0]
    >>> layer.eval()(kernel.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, dropout_rate: float | None = None, keep_prob: float | None = None, seed: int | None = None):
        if (dropout_rate is None) == (keep_prob is None):
            raise DtypeError("Dropout: give dropout_rate or keep_prob, one of the two.")
        given = keep_prob if dropout_rate is None else dropout_rate
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
            raise DtypeError(f"Dropout: a number from 0 to 1 was expected, but {show(given)} came.")
        self.rate = 1 - given if dropout_rate is None else given
        self._generator = None if seed is None else Generator(seed)

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.rate, generator=self._generator) if self.training else x

    def extra_repr(self) -> str:
        return f"{self.rate}"
