"""What a row of the table is made of.

A row says what an operation is, in words of its own: a NumPy reference written independently of the kernel, the torch
twin, sample inputs inside the domain and away from kinks, samples on the kinks (compared with torch alone), and inputs
that must be refused with the words that the refusal must hold. ``test_table.py`` derives every test from these facts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy

from kernel.errors import DtypeError, ShapeError

rng = numpy.random.default_rng(20)


@dataclass(frozen=True)
class Sample:
    """Operands (float64, whole-number or boolean arrays, or Python numbers) and attributes of one call."""

    operands: tuple
    attributes: dict[str, Any]
    smooth: bool = True  # False on a kink, where finite differences say nothing
    whole: bool = True  # do whole numbers make sense in the place of its floats?

    def __repr__(self) -> str:
        shapes = ", ".join(str(getattr(operand, "shape", operand)) for operand in self.operands)
        return f"({shapes}; {self.attributes})"


@dataclass(frozen=True)
class Refusal:
    """A call that must raise ``error`` with all the ``words`` in its message."""

    error: type[Exception]
    words: tuple[str, ...]
    operands: tuple
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Row:
    reference: Callable
    twin: Callable | None  # (torch, *tensors, **attributes); None where torch has no such operation
    samples: list[Sample]
    refusals: list[Refusal] = field(default_factory=list)
    whole: bool = True  # are whole numbers taken in the place of floats?
    boolean: bool = True  # are booleans?
    tolerance: float = 1.0  # a factor, for operations that lose digits
    gap: Callable | None = None  # (*operands, **attributes) -> the distance to the nearest kink


TABLE: dict[str, Row] = {}


def row(name: str, reference: Callable, twin: Callable | None, *entries: Sample | Refusal, **facts: Any) -> None:
    assert name not in TABLE, name
    samples = [entry for entry in entries if isinstance(entry, Sample)]
    refusals = [entry for entry in entries if isinstance(entry, Refusal)]
    TABLE[name] = Row(reference, twin, samples, refusals, **facts)


def call(*operands: Any, **attributes: Any) -> Sample:
    return Sample(operands, attributes)


def of_floats(*operands: Any, **attributes: Any) -> Sample:
    return Sample(operands, attributes, whole=False)


def kink(*operands: Any, **attributes: Any) -> Sample:
    return Sample(tuple(numpy.asarray(o, float) if isinstance(o, list) else o for o in operands), attributes, False)


def shape_error(*words: str, of: tuple, **attributes: Any) -> Refusal:
    return Refusal(ShapeError, words, of, attributes)


def dtype_error(*words: str, of: tuple, **attributes: Any) -> Refusal:
    return Refusal(DtypeError, words, of, attributes)


def arrays_of(sample: Sample) -> list[numpy.ndarray]:
    return [operand for operand in sample.operands if isinstance(operand, numpy.ndarray)]


def u(*shape: int, low: float = -2.0, high: float = 2.0, away: float = 0.0) -> numpy.ndarray:
    """Distinct numbers in [low, high], shuffled, none within ``away`` of 0: no tie, and no step over a kink."""
    size = math.prod(shape)
    grid = numpy.linspace(low, high, size + 1)[:size] + rng.uniform(0.1, 0.9, size) * (high - low) / (size + 1)
    grid = numpy.where(abs(grid) < away, away + abs(grid), grid)
    return rng.permutation(grid).reshape(shape)


def whole(*shape: int, low: int = 0, high: int = 5) -> numpy.ndarray:
    return numpy.asarray(rng.integers(low, high, shape))


def truth(*shape: int) -> numpy.ndarray:
    return numpy.asarray(rng.random(shape) < 0.5)


def pairs(**limits: Any) -> list[Sample]:
    """Two operands in all the ways that broadcasting and Python numbers allow."""
    return [
        call(u(3, 4, **limits), u(3, 4, **limits)),
        call(u(2, 3, 4, **limits), u(3, 1, **limits)),
        call(u(3, 1, **limits), u(1, 4, **limits)),
        call(u(**limits), u(5, **limits)),
        call(u(**limits), u(**limits)),
        call(u(0, 3, **limits), u(3, **limits)),
        call(u(3, 4, **limits), 1.5),
        call(0.75, u(3, 4, **limits)),
        call(u(2, 3, **limits), 2),
    ]


def singles(**limits: Any) -> list[Sample]:
    return [call(u(3, 4, **limits)), call(u(2, 3, 4, **limits)), call(u(**limits)), call(u(0, 3, **limits))]


NO_BROADCAST = shape_error("(2, 3)", "(4,)", "broadcast", of=(u(2, 3), u(4)))
