"""What gradient rules call beside the public functions, under the names that ``xp`` has for it."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..ops import shape as shapes
from .elementwise import where
from .reduce import sum
from .shape import broadcast_to


def gate(g: Any, y: Any) -> Any:
    """0 where y <= 0, else g: what comes back through relu.

    >>> kernel.functional.gate(kernel.tensor([5.0, float("inf")]), kernel.tensor([2.0, 0.0]))
    tensor([5., 0.])
    """
    return where(y <= 0, 0, g)


def keep(g: Any, chosen: Any) -> Any:
    """g where chosen, 0 elsewhere: what comes back through max_pool2d.

    >>> kernel.functional.keep(kernel.tensor([5.0, float("inf")]), kernel.tensor([True, False]))
    tensor([5., 0.])
    """
    return where(chosen, g, 0)


def sum_rows(x: Any) -> Any:
    """(N, C) -> (C,): the sum over the first axis.

    >>> kernel.functional.sum_rows(kernel.ones(3, 2))
    tensor([3., 3.])
    """
    return sum(x, 0)


def stretch(x: Any, shape: tuple[int, ...]) -> Any:
    """broadcast_to, under the name by which gradient rules call it: there the namespaces of arrays write it out."""
    return broadcast_to(x, shape)


def through_tanh(g: Any, y: Any) -> Any:
    """g (1 - y²): what comes back through y = tanh(x).

    >>> kernel.functional.through_tanh(kernel.tensor([2.0]), kernel.tensor([0.5]))
    tensor([1.5])
    """
    return g * (1 - y * y)


def transfer(x: Any, source: str, target: str) -> Any:
    """A copy of x, which is on the device ``source``, on the device ``target``; what ``x.to`` calls."""
    return apply(shapes.transfer, x, source=source, target=target)


__all__ = ["gate", "keep", "stretch", "sum_rows", "through_tanh", "transfer"]
