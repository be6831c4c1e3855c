"""Options that many layers share, and how a block of code sets them for all the layers made in it."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import DtypeError, show
from ..initialisers import glorot_uniform
from ..module import Module
from ..op import require_flag

STANDARD = {"activation": None, "init": glorot_uniform(), "bias": True, "init_bias": 0, "pad": False}
_scope: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("default_options", default=STANDARD)


class _Default:
    def __repr__(self) -> str:
        return "the default"


DEFAULT: Any = _Default()  # of an option: "as default_options says"


@contextlib.contextmanager
def default_options(**options: Any) -> Iterator[None]:
    """The options of every layer that is made inside and does not say otherwise.

    Args:
        activation: a function, a layer, or None.
        init: the initialiser of weights.
        bias: whether there is a bias; ``init_bias``: its initialiser.
        pad: whether convolutions and pooling pad so that the size stays.

    They count for the layers that have them: those named as in CNTK (Dense, Convolution2D, MaxPooling, …).

    >>> from kernel.layers import Dense, Sequential, default_options
    >>> with default_options(activation=kernel.relu):
    ...     net = Sequential([Dense(12), Dense(3, activation=None)])
    >>> net
    Sequential(
      (0): Dense(12, activation=relu)
      (1): Dense(3)
    )
    """
    unknown = sorted(set(options) - set(STANDARD))
    if unknown:
        raise DtypeError(f"default_options: there is no option {', '.join(unknown)}; there are {', '.join(STANDARD)}.")
    token = _scope.set(_scope.get() | options)
    try:
        yield
    finally:
        _scope.reset(token)


def option(name: str, given: Any) -> Any:
    """``given``, or what holds here if nothing was given."""
    return _scope.get()[name] if given is DEFAULT else given


def has_bias(layer: str, given: Any) -> bool:
    """Whether a layer is to have a bias."""
    chosen = option("bias", given)
    require_flag(f"{layer}: bias", chosen)
    return bool(chosen)


def activation_of(layer: str, given: Any) -> Callable | None:
    """The activation of a layer: any function of a tensor, a layer, or None."""
    chosen = option("activation", given)
    if isinstance(chosen, type) and issubclass(chosen, Module):
        chosen = chosen()
    if chosen is not None and not callable(chosen):
        hint = f"; write kernel.{chosen}, without quotes" if isinstance(chosen, str) else ""
        raise DtypeError(
            f"{layer}: activation must be a function such as kernel.relu, a layer, or None, but {show(chosen)} "
            f"came{hint}."
        )
    return chosen


def name_of(function: Callable) -> str:
    """A function as a repr shows it: relu."""
    return repr(function) if isinstance(function, Module) else getattr(function, "__name__", repr(function))
