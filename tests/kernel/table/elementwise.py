"""Rows of kernel/ops/elementwise.py."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import (
    NO_BROADCAST,
    call,
    dtype_error,
    kink,
    of_floats,
    pairs,
    row,
    shape_error,
    singles,
    truth,
    u,
    whole,
)

row("add", lambda a, b: a + b, lambda torch, a, b: a + b, *pairs(), NO_BROADCAST)
row(
    "sub",
    lambda a, b: a - b,
    lambda torch, a, b: a - b,
    *pairs(),
    NO_BROADCAST,
    dtype_error("booleans", "subtracted", of=(truth(3), truth(3))),
    boolean=False,
)
row("mul", lambda a, b: a * b, lambda torch, a, b: a * b, *pairs(), NO_BROADCAST)
row(  # booleans are divided too, but half of them by 0
    "div",
    lambda a, b: a / b,
    lambda torch, a, b: a / b,
    *pairs(away=0.4),
    NO_BROADCAST,
    boolean=False,
    tolerance=4,
)
row(
    "pow",
    lambda a, b: numpy.power(numpy.asarray(a, float), b),
    lambda torch, a, b: a**b,
    *pairs(low=0.3, high=2.5),
    call(u(3, 4), 2),
    call(u(3, 4), 3),
    of_floats(u(3, 4, away=0.5), -1),
    call(u(3, 4), 0),
    call(u(3, 4), True),
    call(u(3, 4, low=0.3, high=2), 0.5),
    call(0, u(3, low=0.5, high=2.0)),
    kink([0.0, 0.0, 2.0], [0.0, 1.0, 0.0]),
    kink([0.0, -1.0], 2),
    kink([0.0, -1.0], 1),
    kink([0.0, -1.0], 3.0),
    NO_BROADCAST,
    dtype_error("power", "-1", "float", of=(whole(3), -1)),
    dtype_error("power", "-2", "float", of=(whole(3), numpy.array([-2, 1, 0]))),
    dtype_error("power", "-2", "float", of=(3, numpy.array([-2, 1, 0]))),
    boolean=False,
    tolerance=4,
)
row("neg", lambda x: -x, lambda torch, x: -x, *singles(), dtype_error("negative", of=(truth(3),)), boolean=False)
row("abs", numpy.abs, lambda torch, x: x.abs(), *singles(away=0.1), kink([0.0, 1.0]))
row(
    "sign",
    numpy.sign,
    lambda torch, x: x.sign(),
    *singles(away=0.1),
    kink([0.0, 1.0, -3.0]),
    dtype_error("sign", of=(truth(3),)),
    boolean=False,
)
row("exp", numpy.exp, lambda torch, x: x.exp(), *singles())
row("log", numpy.log, lambda torch, x: x.log(), *singles(low=0.3, high=3))
row("sqrt", numpy.sqrt, lambda torch, x: x.sqrt(), *singles(low=0.3, high=3))
row("sin", numpy.sin, lambda torch, x: x.sin(), *singles())
row("cos", numpy.cos, lambda torch, x: x.cos(), *singles())
row("tanh", numpy.tanh, lambda torch, x: x.tanh(), *singles())
row("sigmoid", lambda x: 1 / (1 + numpy.exp(-x)), lambda torch, x: x.sigmoid(), *singles(), kink([-700.0, 700.0]))
row("relu", lambda x: x * (x > 0), lambda torch, x: x.relu(), *singles(away=0.1), kink([0.0, -1.0, 2.0]), boolean=False)
row(
    "leaky_relu",
    lambda x, slope=0.01: numpy.maximum(x, 0) + slope * numpy.minimum(x, 0),
    lambda torch, x, slope=0.01: torch.nn.functional.leaky_relu(x, slope),
    *singles(away=0.1),
    call(u(5, away=0.1), slope=0.3),
    kink([0.0, -1.0, 2.0]),
    dtype_error("slope", "number", "'0'", of=(u(3),), slope="0"),
)
row(
    "elu",
    lambda x, alpha=1.0, scale=1.0: scale * (numpy.maximum(x, 0) + alpha * (numpy.exp(numpy.minimum(x, 0)) - 1)),
    lambda torch, x, alpha=1.0, scale=1.0: scale * torch.nn.functional.elu(x, alpha),
    *singles(away=0.1),
    call(u(5, away=0.1), alpha=1.5, scale=1.1),
    kink([0.0, -1.0, 2.0]),
    kink([700.0, -700.0]),
    dtype_error("alpha", "number", of=(u(3),), alpha=None),
    tolerance=4,
)
row(
    "softplus",
    lambda x: numpy.log1p(numpy.exp(x)),
    lambda torch, x: torch.nn.functional.softplus(x, threshold=1e9 if x.numel() and x.max() < 50 else 50),
    *singles(),
    kink([-80.0, 700.0]),
)
row(
    "gelu",
    lambda x: x / 2 * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (x + 0.044715 * x**3))),
    lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
    *singles(),
    tolerance=4,
)
row(
    "clip",
    lambda x, low=None, high=None: numpy.minimum(
        numpy.maximum(x, -numpy.inf if low is None else low), numpy.inf if high is None else high
    ),
    lambda torch, x, low=None, high=None: x.clamp(low, high),
    call(u(3, 4), low=-0.501, high=1.003),
    call(u(2, 3, 4), low=0.001, high=None),
    call(u(5), low=None, high=1),
    call(u(), low=-1, high=1),
    call(u(0, 2), low=0, high=1.0),
    kink([-1.0, 0.0, 1.0, 2.0], low=0.0, high=1.0),
    dtype_error("low", "number", "'0'", of=(u(3),), low="0", high=1),
    dtype_error("low", "high", of=(u(3),), low=None, high=None),
    gap=lambda x, low=None, high=None: min(
        (abs(x - limit).min() for limit in (low, high) if limit is not None and x.size), default=1
    ),
)


def _tie(a: Any, b: Any) -> float:
    return numpy.abs(numpy.subtract(a, b)).min(initial=1)


for name, function in (("maximum", numpy.maximum), ("minimum", numpy.minimum)):
    row(
        name,
        function,
        lambda torch, a, b, name=name: getattr(torch, name)(torch.as_tensor(a), torch.as_tensor(b)),
        *pairs(),
        kink([1.0, 2.0, 3.0], [1.0, 5.0, 2.0]),
        kink([1.0, 2.0, 3.0], 2.0),
        NO_BROADCAST,
        gap=_tie,
    )
row("element_max", numpy.maximum, None, *pairs(), NO_BROADCAST, gap=_tie)
row(
    "where",
    numpy.where,
    lambda torch, condition, a, b: torch.where(torch.as_tensor(condition), a, b),
    call(truth(3, 4), u(3, 4), u(3, 4)),
    call(truth(3, 1), u(4), u(2, 1, 1)),
    call(truth(3), u(3), 0.0),
    call(truth(3), 1.5, u(3)),
    call(truth(0, 3), u(3), u(1, 3)),
    call(numpy.array(True), u(3), u(3)),
    call(truth(2, 2), 1.0, 0.0),
    shape_error("(2, 3)", "(4,)", "broadcast", of=(truth(2, 3), u(4), u(1))),
    dtype_error("condition", "boolean", "int64", of=(whole(3), u(3), u(3))),
    dtype_error("condition", "boolean", "number", of=(True, u(3), u(3))),
)
row(
    "cast",
    lambda x, dtype: x.astype(dtype),
    lambda torch, x, dtype: x.to(getattr(torch, dtype)),
    call(u(3, 4), dtype="float32"),
    call(u(3), dtype="float64"),
    call(u(), dtype="float16"),
    call(u(3, 4, high=4.0, away=0.2), dtype="int64"),
    call(u(0, 3), dtype="int32"),
    call(u(2, 3), dtype="bool"),
    call(whole(3), dtype="float32"),
    dtype_error("complex64", "float32", of=(u(3),), dtype="complex64"),
    dtype_error("'nonsense'", of=(u(3),), dtype="nonsense"),
)
row("clone", lambda x: x.copy(), lambda torch, x: x.clone(), *singles())
row("stop_gradient", lambda x: x.copy(), lambda torch, x: x.detach(), *singles())

COMPARISONS = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
for name, function in COMPARISONS.items():
    row(
        name,
        function,
        lambda torch, a, b, name=name: getattr(torch, name)(*((a, b) if hasattr(a, "dtype") else (torch.tensor(a), b))),
        *pairs(),
        call(whole(4, 5), whole(5)),
        call(numpy.array([1.0, 2.0]), numpy.array([1.0, 3.0])),
        NO_BROADCAST,
    )
LOGICAL = shape_error("(2, 3)", "(4,)", "broadcast", of=(truth(2, 3), truth(4)))
for name, function in (("logical_and", numpy.logical_and), ("logical_or", numpy.logical_or)):
    row(
        name,
        function,
        lambda torch, a, b, name=name: getattr(torch, name)(torch.as_tensor(a), torch.as_tensor(b)),
        call(truth(3, 4), truth(3, 4)),
        call(truth(2, 3, 1), truth(4)),
        call(truth(), truth()),
        call(truth(0, 3), truth(3)),
        call(truth(3), True),
        call(False, truth(3)),
        LOGICAL,
        dtype_error("boolean", "float", of=(truth(3), u(3))),
        dtype_error("boolean", "int", of=(truth(3), 1)),
    )
row(
    "logical_not",
    numpy.logical_not,
    lambda torch, x: torch.logical_not(x),
    call(truth(3, 4)),
    call(truth()),
    call(truth(0, 2)),
    dtype_error("boolean", "float", of=(u(3),)),
)
