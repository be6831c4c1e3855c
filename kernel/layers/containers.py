"""Layers made of layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import functional
from ..errors import DtypeError, ShapeError, show
from ..module import Module
from .activations import Activation


def _layers(name: str, given: Any) -> list[Module]:
    """Layers and functions, also in nested lists, as a flat list of modules."""
    if isinstance(given, Module):
        return [given]
    if isinstance(given, list | tuple):
        return [layer for entry in given for layer in _layers(name, entry)]
    if isinstance(given, type) and issubclass(given, Module):
        raise DtypeError(f"{name}: {given.__name__} is a class; make a layer of it, as {given.__name__}().")
    if not callable(given):
        raise DtypeError(f"{name}: layers and functions were expected, but {show(given)} came.")
    return [Activation(given)]


class Sequential(Module):
    """x through one layer after the other. What it holds is fixed; make another to change it.

    Args:
        layers: layers and functions, one by one or in lists, which may be nested.

    A slice of it is a Sequential of the same layers; ``clone`` with ``replace`` makes one with others.

    >>> from kernel.layers import Dense, Sequential
    >>> net = Sequential([Dense(4, activation=kernel.tanh), Dense(2)])
    >>> net(kernel.ones(5, 3)).shape, net[0](kernel.ones(5, 3)).shape, len(net[:1])
    ((5, 2), (5, 4), 1)
    """

    layers: tuple[Module, ...]

    def __init__(self, *layers: Any):
        object.__setattr__(self, "layers", tuple(_layers("Sequential", layers)))

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise DtypeError(
                f"Sequential: it cannot be changed, so {name} cannot be set; make another one, as "
                "Sequential(net[:-1], Dense(2)), or net.clone('share', replace={'1': Dense(2)})."
            )
        super().__setattr__(name, value)

    def _held(self) -> Iterator[tuple[str, Any]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    # The argument has CNTK's name of what a Sequential hands on; a Function of one prints it.
    def forward(self, keep: Any) -> Any:
        for layer in self.layers:
            keep = layer(keep)
        return keep

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int | slice) -> Module:
        try:
            chosen = self.layers[index]
        except (IndexError, TypeError):
            raise ShapeError(
                f"Sequential: there is no layer {show(index)}; there are {len(self)}, numbered from 0."
            ) from None
        return Sequential(*chosen) if isinstance(index, slice) else chosen


def For(steps: Iterable[Any] | int, make: Callable[..., Any]) -> Sequential:
    """A Sequential of what ``make`` makes for each of ``steps``: For(range(3), lambda i: Dense(2 ** i)).

    Args:
        steps: what to go over, or how many times.
        make: called with each step (or with nothing, if it takes nothing), returns a layer or a list of layers.

    >>> from kernel.layers import Dense, For
    >>> For(3, lambda i: Dense(2**i))
    Sequential(
      (0): Dense(1)
      (1): Dense(2)
      (2): Dense(4)
    )
    """
    if not callable(make):
        raise DtypeError(f"For: a function that makes a layer was expected, but {show(make)} came.")
    if isinstance(steps, bool) or not isinstance(steps, int | Iterable):
        raise DtypeError(f"For: a range or a number of steps was expected, but {show(steps)} came.")
    try:
        takes = bool(inspect.signature(make).parameters)
    except ValueError:  # of some functions written in C
        raise DtypeError(f"For: a function that makes a layer was expected, but {show(make)} came.") from None
    each = range(steps) if isinstance(steps, int) else steps
    return Sequential([make(i) if takes else make() for i in each])


class Residual(Module):
    """x + f(x): what the layers inside add to what goes past them.

    Args:
        layers: those of f, as for Sequential.
        shortcut: what x goes through on its way past, where its shape must change; nothing by default.

    Source: He et al., arXiv 1512.03385.

    >>> from kernel.layers import Dense, Residual
    >>> Residual(Dense(3, init=0))(kernel.ones(1, 3))
    tensor([[1., 1., 1.]], grad_fn=<AddBackward>)
    """

    def __init__(self, *layers: Any, shortcut: Any = None):
        self.inside = Sequential(*layers)
        self.shortcut = None if shortcut is None else Sequential(shortcut)

    def forward(self, x: Any) -> Any:
        return (x if self.shortcut is None else self.shortcut(x)) + self.inside(x)


class Concat(Module):
    """x through several branches side by side, and what comes out put together along an axis.

    Args:
        branches: layers, or lists of them.
        axis: along which; 1 is that of features and of channels.

    >>> from kernel.layers import Concat, Dense
    >>> Concat(Dense(3), [Dense(8), Dense(2)])(kernel.ones(4, 5)).shape
    (4, 5)
    """

    def __init__(self, *branches: Any, axis: int = 1):
        if len(branches) == 1 and isinstance(branches[0], list | tuple):
            branches = tuple(branches[0])
        if not branches:
            raise DtypeError("Concat: give at least one branch.")
        self.branches = [Sequential(branch) for branch in branches]
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return functional.concatenate([branch(x) for branch in self.branches], axis=self.axis)

    def extra_repr(self) -> str:
        return "" if self.axis == 1 else f"axis={self.axis}"
