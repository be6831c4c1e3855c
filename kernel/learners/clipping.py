"""Gradients that are too large, made smaller: element by element, by tensor, or all together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import RangeError
from ..op import DEFAULT_FLOAT, HALF
from ..schedules import Counts, as_schedule
from ..tape import no_grad
from ..tensor import Tensor
from ..xp import send
from .learner import named_parameters


def _norm_squared(gradient: Tensor) -> Any:
    """The sum of the squares, in double precision: large gradients, which clipping is for, must not overflow."""
    with gradient.device.guard():
        wide = gradient._array.astype("float64")
        return (wide * wide).sum()


def _total(squares: Mapping[Tensor, Any]) -> Any:
    """Their sum, where the first of the gradients is."""
    first = next(iter(squares)).device
    with first.guard():
        return sum(square if p.device is first else send(square, p.device, first) for p, square in squares.items())


def shrinking(by: str, gradients: Mapping[Tensor, Tensor], scale: float, largest: float) -> dict[Tensor, Any]:
    """For each parameter by what its gradient is to be multiplied: by ``scale``, and so that it is not too large."""
    squares = {p: _norm_squared(g) for p, g in gradients.items()}
    if by == "global norm":
        first, total = next(iter(gradients)).device, _total(squares)
        squares = {p: total if p.device is first else send(total, first, p.device) for p in squares}
    found = {}
    for p, square in squares.items():
        with p.device.guard():
            size = p.device.xp.sqrt(square) * math.fabs(scale)
            factor = scale * (largest / p.device.xp.maximum(size, largest)) if largest else 0 * size
            found[p] = factor.astype(DEFAULT_FLOAT if p.dtype == HALF else p.dtype)
    return found


def clip_grad_value_(parameters: Iterable, clip_value: float) -> None:
    """Cut every element of the gradients to [−clip_value, clip_value], in place.

    >>> w = kernel.Parameter([1.0])
    >>> w.grad = kernel.tensor([5.0])
    >>> kernel.clip_grad_value_([w], 2)
    >>> w.grad
    tensor([2.])
    """
    name = "clip_grad_value_"
    limit = as_schedule(name, "clip_value", clip_value).now(Counts())
    with no_grad():
        for parameter in named_parameters(name, parameters).values():
            if parameter.grad is not None:
                parameter.grad.copy_(parameter.grad.clip(-limit, limit))


def clip_grad_norm_(parameters: Iterable, max_norm: float) -> float:
    """Scale the gradients, in place, so that the norm of all of them is at most ``max_norm``; returns what it was.

    With ``max_norm`` infinite it only tells. Source: Pascanu and others 2013, arXiv:1211.5063.

    >>> w = kernel.Parameter([1.0, 1.0])
    >>> w.grad = kernel.tensor([3.0, 4.0])
    >>> kernel.clip_grad_norm_([w], 1.0), [round(x, 4) for x in w.grad.tolist()]
    (5.0, [0.6, 0.8])
    """
    name = "clip_grad_norm_"
    limit = max_norm if max_norm == math.inf else as_schedule(name, "max_norm", max_norm).now(Counts())
    gradients = [p.grad for p in named_parameters(name, parameters).values() if p.grad is not None]
    if not gradients:
        return 0.0
    norm = math.sqrt(gradients[0].device.xp.read(_total({g: _norm_squared(g) for g in gradients})))
    if not math.isfinite(norm):
        raise RangeError(f"{name}: the gradients hold {norm}; no factor makes them finite. Lower the learning rate.")
    if norm > limit:
        with no_grad():
            for g in gradients:
                g *= limit / norm
    return norm
