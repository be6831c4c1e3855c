"""Every learner by name, and parameters and gradients for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy

import kernel

BY_SAMPLES: dict[str, Callable[..., Any]] = {
    "sgd": lambda p, lr=0.1, **o: kernel.sgd(p, lr, **o),
    "momentum_sgd": lambda p, lr=0.1, **o: kernel.momentum_sgd(p, lr, 0.9, **o),
    "nesterov": lambda p, lr=0.1, **o: kernel.nesterov(p, lr, 0.9, **o),
    "adagrad": lambda p, lr=0.1, **o: kernel.adagrad(p, lr, **o),
    "rmsprop": lambda p, lr=0.1, **o: kernel.rmsprop(p, lr, 0.9, 1.2, 0.5, 10.0, 0.001, **o),
    "adadelta": lambda p, lr=0.1, **o: kernel.adadelta(p, lr, **o),
    "fsadagrad": lambda p, lr=0.1, **o: kernel.fsadagrad(p, lr, 0.9, **o),
    "adam": lambda p, lr=0.1, **o: kernel.adam(p, lr, 0.9, **o),
    "adam, adamax": lambda p, lr=0.1, **o: kernel.adam(p, lr, 0.9, adamax=True, **o),
}
EVERYDAY: dict[str, Callable[..., Any]] = {
    "SGD": lambda p, lr=0.1, **o: kernel.SGD(p, lr, **o),
    "SGD, momentum": lambda p, lr=0.1, **o: kernel.SGD(p, lr, momentum=0.9, dampening=0.1, **o),
    "SGD, nesterov": lambda p, lr=0.1, **o: kernel.SGD(p, lr, momentum=0.9, nesterov=True, **o),
    "Adam": lambda p, lr=0.01, **o: kernel.Adam(p, lr, **o),
    "Adam, amsgrad": lambda p, lr=0.01, **o: kernel.Adam(p, lr, amsgrad=True, **o),
    "AdamW": lambda p, lr=0.01, **o: kernel.AdamW(p, lr, **o),
    "NAdam": lambda p, lr=0.01, **o: kernel.NAdam(p, lr, **o),
    "RAdam": lambda p, lr=0.01, **o: kernel.RAdam(p, lr, **o),
    "Adamax": lambda p, lr=0.01, **o: kernel.Adamax(p, lr, **o),
    "Adagrad": lambda p, lr=0.1, **o: kernel.Adagrad(p, lr, lr_decay=0.01, **o),
    "Adadelta": lambda p, lr=1.0, **o: kernel.Adadelta(p, lr, **o),
    "RMSprop": lambda p, lr=0.01, **o: kernel.RMSprop(p, lr, **o),
    "RMSprop, centred": lambda p, lr=0.01, **o: kernel.RMSprop(p, lr, momentum=0.9, centered=True, **o),
    "Lion": lambda p, lr=0.01, **o: kernel.Lion(p, lr, **o),
}
EVERY = BY_SAMPLES | EVERYDAY
SHAPES: list[tuple[int, ...]] = [(3, 4), (5,), (), (2, 1, 3)]


def decay(name: str, amount: float) -> dict[str, float]:
    """The option that adds ``amount`` times the weight to the gradient, or takes it from the weight."""
    return {"weight_decay" if name in EVERYDAY else "l2": amount}


def some_parameters(seed: int = 0, dtype: str = "float32") -> list[kernel.Parameter]:
    draw = numpy.random.default_rng(seed)
    return [kernel.Parameter(kernel.tensor(draw.normal(size=shape), dtype=dtype)) for shape in SHAPES]


def some_gradients(parameters: Iterable, seed: int) -> dict:
    """The same numbers for parameters of the same shapes, in the parameters' dtype."""
    draw = numpy.random.default_rng(seed + 1000)
    return {p: draw.normal(size=p.shape).astype(p.value.dtype) for p in parameters}


def bits(parameters: Iterable) -> list[bytes]:
    return [p.value.tobytes() for p in parameters]
