"""The table that the tests of the operations run over: one row for every op of the registry.

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

from kernel.errors import DeviceError, DtypeError, GradError, ShapeError

__all__ = ["TABLE", "DeviceError", "GradError", "Refusal", "Row", "Sample", "arrays_of"]

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


# --- elementwise --------------------------------------------------------------------------------------------------

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

# --- products -----------------------------------------------------------------------------------------------------

row(
    "matmul",
    lambda a, b: numpy.einsum("...ij,...jk->...ik", a, b),
    lambda torch, a, b: a @ b,
    call(u(3, 4), u(4, 2)),
    call(u(2, 3, 4), u(4, 2)),
    call(u(3, 4), u(5, 4, 2)),
    call(u(2, 1, 3, 4), u(5, 4, 2)),
    call(u(0, 4), u(4, 2)),
    call(u(3, 0), u(0, 2)),
    shape_error("argument b", "(3, ?)", "(2, 3)", "(4, 5)", of=(u(2, 3), u(4, 5))),
    shape_error("argument b", "(4,)", "mv", of=(u(2, 4), u(4))),
    shape_error("argument a", "()", of=(u(), u(2, 2))),
    shape_error("broadcast", "(2,)", "(3,)", of=(u(2, 3, 4), u(3, 4, 5))),
    dtype_error("bool", of=(truth(2, 3), truth(3, 2))),
    boolean=False,
    tolerance=4,
)
row(
    "mv",
    lambda matrix, vector: numpy.einsum("ij,j->i", matrix, vector),
    lambda torch, matrix, vector: matrix.mv(vector),
    call(u(3, 4), u(4)),
    call(u(1, 1), u(1)),
    call(u(0, 4), u(4)),
    call(u(3, 0), u(0)),
    shape_error("argument vector", "(4,)", "(3, 4)", "(3,)", of=(u(3, 4), u(3))),
    shape_error("argument matrix", "(?, ?)", "(4,)", of=(u(4), u(4))),
    shape_error("argument vector", "(?,)", "(4, 2)", "matmul", of=(u(3, 4), u(4, 2))),
    dtype_error("bool", of=(truth(2, 3), truth(3))),
    boolean=False,
    tolerance=4,
)
row(
    "dot",
    lambda a, b: (a * b).sum(),
    lambda torch, a, b: a.dot(b),
    call(u(4), u(4)),
    call(u(1), u(1)),
    call(u(0), u(0)),
    shape_error("argument b", "(4,)", "(3,)", of=(u(4), u(3))),
    shape_error("argument a", "(?,)", "(2, 2)", "matmul", of=(u(2, 2), u(2))),
    dtype_error("bool", of=(truth(3), truth(3))),
    boolean=False,
    tolerance=4,
)
row(
    "linear",
    lambda x, weight, bias, transposed=False: (
        numpy.einsum("...i,io->...o" if transposed else "...i,oi->...o", x, weight) + bias
    ),
    lambda torch, x, weight, bias, transposed=False: torch.nn.functional.linear(
        x, weight.T if transposed else weight, bias
    ),
    call(u(5, 3), u(4, 3), u(4)),
    call(u(3, 3), u(3, 3), u(3)),
    call(u(5, 3), u(3, 4), u(4), transposed=True),
    call(u(2, 5, 3), u(4, 3), u(4)),
    call(u(2, 5, 3), u(3, 4), u(4), transposed=True),
    call(u(3), u(4, 3), u(4)),
    call(u(3), u(3, 4), u(4), transposed=True),
    call(u(0, 3), u(4, 3), u(4)),
    call(u(0, 2, 3), u(4, 3), u(4)),
    call(u(2, 0), u(4, 0), u(4)),
    shape_error("argument weight", "(?, 3)", "(5, 3)", "(3, 4)", of=(u(5, 3), u(3, 4), u(4))),
    shape_error("argument weight", "(3, ?)", "(in, out)", of=(u(5, 3), u(4, 3), u(4)), transposed=True),
    shape_error("argument bias", "(4,)", "(5,)", of=(u(5, 3), u(4, 3), u(5))),
    shape_error("argument weight", "(?, ?)", "(3,)", of=(u(5, 3), u(3), u(4))),
    shape_error("argument bias", "(?,)", "(1, 4)", of=(u(5, 3), u(4, 3), u(1, 4))),
    shape_error("argument x", "()", of=(u(), u(4, 3), u(4))),
    dtype_error("float", "int64", of=(whole(5, 3), whole(4, 3), whole(4))),
    whole=False,
    boolean=False,
    tolerance=4,
)

# --- losses -------------------------------------------------------------------------------------------------------


def _reduced(losses: numpy.ndarray, reduction: str) -> Any:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _log_probabilities(logits: numpy.ndarray) -> numpy.ndarray:
    return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))


def _distribution(rows: int, classes: int) -> numpy.ndarray:
    raw = rng.random((rows, classes)) + 0.1
    return raw / raw.sum(axis=1, keepdims=True)


row(
    "cross_entropy",
    lambda logits, labels, reduction="mean": _reduced(
        -_log_probabilities(logits)[range(len(labels)), labels.astype(int)], reduction
    ),
    lambda torch, logits, labels, reduction="mean": torch.nn.functional.cross_entropy(
        logits, labels.long(), reduction=reduction
    ),
    call(u(5, 3), whole(5, high=3)),
    call(u(5, 3), whole(5, high=3), reduction="sum"),
    call(u(5, 3), whole(5, high=3), reduction="none"),
    call(u(300, 4), whole(300, high=4).astype("uint8")),
    call(u(5, 3), whole(5, high=3).astype("int32")),
    call(u(1, 1), numpy.array([0])),
    call(u(0, 3), whole(0, high=3), reduction="none"),
    call(u(0, 3), whole(0, high=3), reduction="sum"),
    kink([[800.0, -800.0]], numpy.array([1])),
    shape_error("argument logits", "(B, C)", "(3,)", of=(u(3), whole(3))),
    shape_error("argument labels", "(5,)", "(5, 3)", "(4,)", of=(u(5, 3), whole(4, high=3))),
    shape_error("label", "3", "0 to 2", of=(u(2, 3), numpy.array([0, 3]))),
    shape_error("label", "-1", "0 to 2", of=(u(2, 3), numpy.array([0, -1]))),
    shape_error("no sample", of=(u(0, 3), whole(0))),
    dtype_error("labels", "float", ".long()", of=(u(2, 3), u(2))),
    dtype_error("logits", "float", "int64", of=(whole(2, 3), whole(2))),
    dtype_error("reduction", '"mean"', "'average'", of=(u(2, 3), whole(2)), reduction="average"),
    whole=False,
    boolean=False,
    tolerance=4,
)
row(
    "soft_cross_entropy",
    lambda logits, target, reduction="mean": _reduced(-(target * _log_probabilities(logits)).sum(axis=1), reduction),
    lambda torch, logits, target, reduction="mean": torch.nn.functional.cross_entropy(
        logits, target.to(logits.dtype), reduction=reduction
    ),
    call(u(5, 3), _distribution(5, 3)),
    call(u(5, 3), _distribution(5, 3), reduction="sum"),
    call(u(5, 3), _distribution(5, 3), reduction="none"),
    call(u(5, 3), u(5, 3)),
    call(u(2, 3), numpy.array([[0, 1, 0], [1, 0, 0]])),
    call(u(1, 1), numpy.array([[1.0]])),
    call(u(0, 3), u(0, 3), reduction="sum"),
    shape_error("argument logits", "(B, C)", "(3,)", of=(u(3), u(1, 3))),
    shape_error("argument target", "(5, 3)", "(5, 4)", of=(u(5, 3), u(5, 4))),
    shape_error("no sample", of=(u(0, 3), u(0, 3))),
    dtype_error("logits", "float", "int64", of=(whole(2, 3), u(2, 3))),
    dtype_error("reduction", '"mean"', "'average'", of=(u(2, 3), u(2, 3)), reduction="average"),
    whole=False,
    boolean=False,
    tolerance=4,
)

# --- reductions ---------------------------------------------------------------------------------------------------


def reductions(**limits: Any) -> list[Sample]:
    return [
        call(u(3, 4, **limits)),
        call(u(3, 4, **limits), axis=1),
        call(u(3, 4, **limits), axis=-2, keepdims=True),
        call(u(2, 3, 4, **limits), axis=(0, -1)),
        call(u(2, 3, 4, **limits), axis=(2, 1), keepdims=True),
        call(u(2, 3, **limits), axis=None, keepdims=True),
        call(u(**limits)),
    ]


AXES = (
    shape_error("axis 2", "2 axes", of=(u(2, 3),), axis=2),
    shape_error("axis 0", "()", of=(u(),), axis=0),
    shape_error("twice", of=(u(2, 3),), axis=(0, -2)),
    dtype_error("axis", "whole number", "1.0", of=(u(2, 3),), axis=1.0),
    dtype_error("axis", "whole number", "True", of=(u(2, 3),), axis=True),
    dtype_error("axis", "whole number", "'rows'", of=(u(2, 3),), axis="rows"),
)
NOTHING = shape_error("(0, 3)", "no element", of=(u(0, 3),), axis=0)


def _torch_axis(name: str) -> Callable:
    """A torch reduction, called with all axes where NumPy says None."""

    def twin(torch: Any, x: Any, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:
        dim = tuple(range(x.ndim)) if axis is None else axis
        return getattr(torch, name)(x, dim=dim, keepdim=keepdims, **more)

    return twin


row("sum", numpy.sum, _torch_axis("sum"), *reductions(), call(u(0, 3), axis=0), call(u(0, 3)), *AXES, tolerance=4)
row("mean", numpy.mean, _torch_axis("mean"), *reductions(), *AXES, NOTHING)
row(
    "var",
    lambda x, axis=None, keepdims=False, correction=0: numpy.var(x, axis=axis, keepdims=keepdims, ddof=correction),
    lambda torch, x, axis=None, keepdims=False, correction=0: torch.var(
        x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims, correction=correction
    ),
    *reductions(),
    call(u(3, 4), axis=0, correction=1),
    call(u(3, 4), correction=2, keepdims=True),
    *AXES,
    NOTHING,
    shape_error("1 element", "correction", of=(u(1, 3),), axis=0, correction=1),
    dtype_error("correction", "whole number", "'one'", of=(u(2, 3),), correction="one"),
    tolerance=8,
)
row(
    "norm",
    lambda x, axis=None, keepdims=False: numpy.sqrt((x * x).sum(axis=axis, keepdims=keepdims)),
    lambda torch, x, axis=None, keepdims=False: torch.linalg.vector_norm(
        x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims
    ),
    *reductions(low=0.5, high=2),
    kink([0.0, 0.0]),
    *AXES,
    dtype_error("float", "int64", of=(whole(3),)),
    whole=False,
    boolean=False,
    tolerance=4,
)
for name, function in (("amax", numpy.max), ("amin", numpy.min)):
    row(
        name,
        function,
        _torch_axis(name),
        *reductions(),
        call(u(0, 3), axis=1),
        kink([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [1.0, 1.0, 5.0]], axis=1),
        kink([2.0, 2.0]),
        *AXES,
        NOTHING,
    )
for name, function in (("argmax", numpy.argmax), ("argmin", numpy.argmin)):
    row(
        name,
        function,
        lambda torch, x, axis=None, keepdims=False, name=name: getattr(torch, name)(x, dim=axis, keepdim=keepdims),
        call(u(3, 4)),
        call(u(3, 4), axis=1),
        call(u(2, 3, 4), axis=-2, keepdims=True),
        call(u(5), axis=0),
        call(numpy.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), axis=1),
        *(refusal for refusal in AXES if "twice" not in refusal.words),
        NOTHING,
        dtype_error("one whole number", of=(u(2, 3),), axis=(0, 1)),
        dtype_error("booleans", ".int()", of=(truth(2, 3),)),
        boolean=False,
    )
for name, take in (("max", numpy.argmax), ("min", numpy.argmin)):

    def with_index(x: numpy.ndarray, axis: int, keepdims: bool = False, take: Callable = take) -> tuple:
        index = take(x, axis=axis, keepdims=True)
        values = numpy.take_along_axis(x, index, axis)
        return (values, index) if keepdims else (values.squeeze(axis), index.squeeze(axis))

    row(
        f"{name}_with_index",
        with_index,
        lambda torch, x, axis, keepdims=False, name=name: tuple(getattr(torch, name)(x, dim=axis, keepdim=keepdims)),
        call(u(3, 4), axis=1),
        call(u(2, 3, 4), axis=-2, keepdims=True),
        call(u(4), axis=0),
        call(u(0, 3), axis=1),
        kink([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], axis=1),
        *(refusal for refusal in AXES if "twice" not in refusal.words),
        NOTHING,
        dtype_error("one whole number", of=(u(2, 3),), axis=(0, 1)),
        dtype_error("booleans", ".int()", of=(truth(2, 3),), axis=0),
        boolean=False,
    )
for name, function in (("all", numpy.all), ("any", numpy.any)):
    row(
        name,
        lambda x, axis=None, keepdims=False, function=function: function(x != 0, axis=axis, keepdims=keepdims),
        _torch_axis(name),
        call(truth(3, 4)),
        call(truth(3, 4), axis=0),
        call(truth(2, 3, 4), axis=(0, -1), keepdims=True),
        call(whole(5, high=2)),
        call(truth(0, 3), axis=0),
        call(truth()),
        *AXES,
    )
row(
    "logsumexp",
    lambda x, axis=None, keepdims=False: numpy.log(numpy.exp(x).sum(axis=axis, keepdims=keepdims)),
    _torch_axis("logsumexp"),
    *reductions(),
    kink([[800.0, 800.0], [-800.0, -900.0]], axis=1),
    kink([[-numpy.inf, 0.0]], axis=1),
    *AXES,
    NOTHING,
    tolerance=2,
)
for name in ("softmax", "log_softmax"):

    def normalised(x: numpy.ndarray, axis: int = -1, name: str = name) -> numpy.ndarray:
        e = numpy.exp(x)
        p = e / e.sum(axis=axis, keepdims=True)
        return p if name == "softmax" else numpy.log(p)

    row(
        name,
        normalised,
        lambda torch, x, axis=-1, name=name: getattr(torch, name)(x * 1.0, dim=axis),
        call(u(3, 4)),
        call(u(3, 4), axis=0),
        call(u(2, 3, 4), axis=-2),
        call(u(5)),
        call(u(0, 3)),
        kink([[800.0, -800.0, 799.0]]),
        *(refusal for refusal in AXES if "twice" not in refusal.words),
        dtype_error("axis", "whole number", of=(u(2, 3),), axis=(0, 1)),
        shape_error("(3, 0)", "no element", of=(u(3, 0),)),
        tolerance=4,
    )

# --- shapes -------------------------------------------------------------------------------------------------------

row(
    "reshape",
    lambda x, shape: numpy.reshape(x, shape),
    lambda torch, x, shape: torch.reshape(x, shape),
    call(u(3, 4), shape=(4, 3)),
    call(u(3, 4), shape=(2, -1)),
    call(u(2, 3, 4), shape=(-1,)),
    call(u(), shape=(1, 1)),
    call(u(1), shape=()),
    call(u(0, 3), shape=(3, 0, 2)),
    shape_error("(3, 4)", "12 elements", "(5, 2)", "10", of=(u(3, 4),), shape=(5, 2)),
    shape_error("(5, -1)", "5 does not divide 12", of=(u(3, 4),), shape=(5, -1)),
    shape_error("one -1", of=(u(3, 4),), shape=(-1, -1)),
    shape_error("negative", of=(u(3, 4),), shape=(-2, 6)),
    dtype_error("sizes", "whole numbers", of=(u(3, 4),), shape=(2.0, 6)),
)
row(
    "broadcast_to",
    lambda x, shape: numpy.broadcast_to(x, shape),
    lambda torch, x, shape: torch.broadcast_to(x, shape),
    call(u(4), shape=(3, 4)),
    call(u(3, 1), shape=(2, 3, 4)),
    call(u(), shape=(2, 2)),
    call(u(3), shape=(3,)),
    call(u(1), shape=(0,)),
    shape_error("(3,)", "(2, 4)", "stretched", of=(u(3),), shape=(2, 4)),
    shape_error("(2, 3)", "(3,)", "stretched", of=(u(2, 3),), shape=(3,)),
    shape_error("(1, 3)", "(2, 1)", "stretched", of=(u(1, 3),), shape=(2, 1)),
    shape_error("negative", of=(u(1),), shape=(-1,)),
    dtype_error("sizes", "whole numbers", of=(u(1),), shape=(2.0,)),
)
row(
    "permute",
    lambda x, axes: numpy.transpose(x, axes),
    lambda torch, x, axes: torch.permute(x, axes),
    call(u(3, 4), axes=(1, 0)),
    call(u(2, 3, 4), axes=(2, 0, 1)),
    call(u(2, 3, 4), axes=(0, -1, -2)),
    call(u(), axes=()),
    call(u(0, 3), axes=(1, 0)),
    shape_error("(0, 0)", "once", of=(u(2, 3),), axes=(0, 0)),
    shape_error("(0,)", "2 axes", of=(u(2, 3),), axes=(0,)),
    shape_error("axis 2", of=(u(2, 3),), axes=(0, 2)),
    dtype_error("axis", "whole number", of=(u(2, 3),), axes=(0, 1.0)),
)
row(
    "expand_dims",
    lambda x, axis: numpy.expand_dims(x, axis),
    lambda torch, x, axis: torch.unsqueeze(x, axis),
    call(u(3, 4), axis=1),
    call(u(3, 4), axis=-1),
    call(u(), axis=0),
    call(u(0, 2), axis=0),
    shape_error("axis 3", of=(u(2, 3),), axis=3),
    dtype_error("axis", "whole number", of=(u(2, 3),), axis=None),
)
row(
    "squeeze",
    lambda x, axis: numpy.squeeze(x, axis),
    lambda torch, x, axis: torch.squeeze(x, axis),
    call(u(3, 1, 4), axis=1),
    call(u(3, 1), axis=-1),
    call(u(1, 0), axis=0),
    shape_error("axis 0", "(3, 1)", "size 3", of=(u(3, 1),), axis=0),
    shape_error("axis 2", of=(u(3, 1),), axis=2),
    dtype_error("axis", "whole number", of=(u(1, 3),), axis="0"),
)
row(
    "flip",
    lambda x, axis: numpy.flip(x, axis),
    lambda torch, x, axis: torch.flip(x, axis),
    call(u(3, 4), axis=(0,)),
    call(u(2, 3, 4), axis=(0, -1)),
    call(u(3), axis=()),
    call(u(0, 3), axis=(1,)),
    shape_error("axis 2", of=(u(2, 3),), axis=(2,)),
    shape_error("twice", of=(u(2, 3),), axis=(0, -2)),
)


def _torch_pad(torch: Any, x: Any, widths: tuple, value: float = 0) -> Any:
    flat = [w for pair in reversed(widths) for w in pair]
    return torch.nn.functional.pad(x, flat, value=value)


row(
    "pad",
    lambda x, widths, value=0: numpy.pad(x, widths, constant_values=value),
    _torch_pad,
    call(u(3, 4), widths=((1, 2), (0, 3))),
    call(u(3), widths=((2, 0),), value=7),
    of_floats(u(3), widths=((2, 0),), value=0.5),
    call(u(2, 3, 4), widths=((0, 0), (1, 1), (2, 0)), value=1),
    of_floats(u(2, 3), widths=((0, 0), (1, 1)), value=-1),
    call(u(0, 3), widths=((1, 0), (0, 0))),
    shape_error("1 pair", "2 axes", "(2, 3)", of=(u(2, 3),), widths=((1, 1),)),
    shape_error("negative", of=(u(3),), widths=((-1, 1),)),
    dtype_error("widths", "pairs", of=(u(3),), widths=((1, 1, 1),)),
    dtype_error("widths", "whole numbers", of=(u(3),), widths=((0.5, 1),)),
    dtype_error("value", "number", of=(u(3),), widths=((1, 1),), value="0"),
    dtype_error("value", "0.5", "int64", of=(whole(3),), widths=((1, 1),), value=0.5),
)
row(
    "concatenate",
    lambda *tensors, axis=0: numpy.concatenate(tensors, axis),
    lambda torch, *tensors, axis=0: torch.cat(tensors, axis),
    call(u(3, 4), u(2, 4)),
    call(u(3, 4), u(3, 1), u(3, 2), axis=-1),
    call(u(3)),
    call(u(0, 2), u(3, 2)),
    shape_error("tensor 1", "(?, 4)", "(3, 4)", "(2, 5)", "axis 0", of=(u(3, 4), u(2, 5))),
    shape_error("tensor 1", "(4,)", of=(u(3, 4), u(4))),
    shape_error("()", "stack", of=(u(), u())),
    shape_error("axis 2", of=(u(3, 4), u(3, 4)), axis=2),
    dtype_error("axis", "whole number", of=(u(3, 4), u(3, 4)), axis=None),
)
row(
    "stack",
    lambda *tensors, axis=0: numpy.stack(tensors, axis),
    lambda torch, *tensors, axis=0: torch.stack(tensors, axis),
    call(u(3, 4), u(3, 4)),
    call(u(3, 4), u(3, 4), u(3, 4), axis=-1),
    call(u(), u(), u()),
    call(u(0, 2), axis=1),
    shape_error("tensor 1", "(3, 4)", "(4, 3)", of=(u(3, 4), u(4, 3))),
    shape_error("axis 3", of=(u(3, 4), u(3, 4)), axis=3),
    dtype_error("axis", "whole number", of=(u(3, 4), u(3, 4)), axis=0.5),
)
row(
    "split",
    lambda x, sizes, axis=0: tuple(numpy.split(x, numpy.cumsum(sizes)[:-1], axis)),
    lambda torch, x, sizes, axis=0: torch.split(x, sizes, axis),
    call(u(5, 3), sizes=(2, 3)),
    call(u(3, 6), sizes=(1, 2, 3), axis=-1),
    call(u(4), sizes=(4,)),
    call(u(4, 2), sizes=(0, 4)),
    call(u(0, 2), sizes=(0,)),
    shape_error("(2, 2)", "axis 0", "(5, 3)", of=(u(5, 3),), sizes=(2, 2)),
    shape_error("(-1, 6)", "axis 0", of=(u(5, 3),), sizes=(-1, 6)),
    shape_error("axis 2", of=(u(5, 3),), sizes=(2, 3), axis=2),
    dtype_error("sizes", "whole numbers", of=(u(5, 3),), sizes=(2.5, 2.5)),
)

FULL = ("slice", None, None, None)


def _index(pattern: tuple, indices: tuple, number: Callable = int) -> tuple:
    """The index that a pattern spells, written anew; ``number`` makes an entry of a whole number."""
    rest = list(indices)
    found: list[Any] = []
    for entry in pattern:
        if isinstance(entry, tuple):
            found.append(slice(*entry[1:]))
        else:
            found.append(rest.pop(0) if isinstance(entry, str) else number(entry) if type(entry) is int else entry)
    return tuple(found)


def _torch_getitem(torch: Any, x: Any, *indices: Any, pattern: tuple) -> Any:
    """torch takes a whole number beside index tensors as a step of its own; NumPy (and the kernel) as one of them."""
    return x[_index(pattern, indices, (lambda i: torch.full_like(indices[0], i)) if indices else int)]


INDEXINGS = [
    ((4, 3), (1,), ()),
    ((4, 3), (("slice", 1, None, 2), -1), ()),
    ((4, 3), (None, FULL, None, 0), ()),
    ((2, 3, 4), (Ellipsis, 1), ()),
    ((2, 3, 4), (0, Ellipsis, ("slice", None, -1, None)), ()),
    ((), (), ()),
    ((0, 3), (FULL, 1), ()),
    ((4, 3), (("slice", 9, None, None),), ()),
    ((4, 3), ("array",), (numpy.array([1, 1, -1]),)),
    ((4, 3), ("array", "array"), (numpy.array([0, 0, 3]), numpy.array([1, 1, 2]))),
    ((2, 3, 4), (0, FULL, "array"), (numpy.array([3, 3]),)),
    ((2, 3, 4), ("array", FULL, "array"), (numpy.array([[1], [0]]), numpy.array([3, 3]))),
    ((2, 3, 4), (FULL, "array", "array"), (numpy.array([2, 2]), numpy.array([0, 0]))),
    ((2, 3, 4), (FULL, "array", None, 1), (numpy.array([2, 2]),)),
    ((2, 3, 2, 4), (FULL, "array", FULL, "array"), (numpy.array([2, 2, 0]), numpy.array([0, 3, 3]))),
    ((2, 3, 2, 4), (FULL, 1, FULL, "array"), (numpy.array([0, 3, 3]),)),
    ((2, 3, 4), (Ellipsis, "array"), (numpy.array(2),)),
    ((3, 4), (FULL, "array"), (numpy.zeros(0, int),)),
]
row(
    "getitem",
    lambda x, *indices, pattern: x[_index(pattern, indices)],
    _torch_getitem,
    *(call(u(*shape), *indices, pattern=pattern) for shape, pattern, indices in INDEXINGS),
    shape_error("index 5", "size 3", of=(u(4, 3),), pattern=(0, 5)),
    shape_error("3", "2", "axes", of=(u(4, 3),), pattern=(0, 0, 0)),
    shape_error("7", "axis 1", "size 3", of=(u(4, 3), numpy.array([0, 7])), pattern=(FULL, "array")),
    shape_error("-5", "axis 0", "size 4", of=(u(4, 3), numpy.array([0, -5])), pattern=("array",)),
    shape_error("(2,)", "(3,)", of=(u(4, 3), numpy.array([0, 1]), numpy.array([0, 1, 2])), pattern=("array", "array")),
    dtype_error("whole numbers", "float", of=(u(4, 3), u(2)), pattern=("array",)),
)


def _scattered(x: numpy.ndarray, *indices: numpy.ndarray, pattern: tuple, shape: tuple) -> numpy.ndarray:
    """Added element by element, in a loop."""
    positions = numpy.arange(math.prod(shape)).reshape(shape)[_index(pattern, indices)]
    target = numpy.zeros(math.prod(shape), x.dtype)
    for position, value in zip(positions.ravel(), numpy.broadcast_to(x, positions.shape).ravel(), strict=True):
        target[position] += value
    return target.reshape(shape)


row(
    "scatter_add",
    _scattered,
    None,
    *(
        call(u(*numpy.zeros(shape)[_index(pattern, indices)].shape), *indices, pattern=pattern, shape=shape)
        for shape, pattern, indices in INDEXINGS
    ),
    shape_error("argument x", "(3,)", "(2,)", of=(u(2), numpy.array([0, 2, 0])), pattern=("array",), shape=(3,)),
    shape_error("9", "axis 0", "size 3", of=(u(3), numpy.array([0, 9, 0])), pattern=("array",), shape=(3,)),
    shape_error("negative", of=(u(3), numpy.array([0, 1, 0])), pattern=("array",), shape=(-3,)),
    dtype_error("whole numbers", "float", of=(u(2), u(2)), pattern=("array",), shape=(3,)),
    boolean=False,
)
row(
    "gather",
    lambda x, index, axis: numpy.take_along_axis(
        x[tuple(slice(None) if k == axis % x.ndim else slice(n) for k, n in enumerate(index.shape))], index, axis
    ),
    lambda torch, x, index, axis: torch.gather(x, axis, index),
    call(u(4, 3), whole(4, 2, high=3), axis=1),
    call(u(4, 3), whole(6, 3, high=4), axis=0),
    call(u(4, 3), whole(2, 3, high=3), axis=-1),
    call(u(2, 3, 4), whole(2, 5, 4, high=3), axis=1),
    call(u(4, 3), whole(0, 3, high=3), axis=1),
    call(u(4), whole(6, high=4), axis=0),
    shape_error("argument index", "(4, ?)", "(4, 3)", "(4,)", of=(u(4, 3), whole(4, high=3)), axis=1),
    shape_error("argument index", "(4, ?)", "(5, 1)", of=(u(4, 3), whole(5, 1, high=3)), axis=1),
    shape_error("3", "axis 1", "size 3", of=(u(4, 3), numpy.full((4, 1), 3)), axis=1),
    shape_error("axis 2", of=(u(4, 3), whole(4, 1)), axis=2),
    dtype_error("argument index", "whole numbers", "float", of=(u(4, 3), u(4, 1)), axis=1),
    dtype_error("axis", "whole number", of=(u(4, 3), whole(4, 1)), axis=None),
)


def _scattered_along(x: numpy.ndarray, index: numpy.ndarray, axis: int, shape: tuple) -> numpy.ndarray:
    target = numpy.zeros(shape, x.dtype)
    for position in numpy.ndindex(*x.shape):
        where = list(position)
        where[axis] = index[position]
        target[tuple(where)] += x[position]
    return target


row(
    "scatter_along_axis",
    _scattered_along,
    lambda torch, x, index, axis, shape: torch.zeros(shape, dtype=x.dtype).scatter_add(axis, index, x),
    call(u(4, 2), whole(4, 2, high=3), axis=1, shape=(4, 3)),
    call(u(6, 3), whole(6, 3, high=4), axis=0, shape=(4, 3)),
    call(u(2, 3), whole(2, 3, high=3), axis=-1, shape=(4, 3)),
    call(u(0, 3), whole(0, 3, high=3), axis=1, shape=(4, 3)),
    shape_error("argument index", "(4, 2)", "(4, 1)", of=(u(4, 2), whole(4, 1)), axis=1, shape=(4, 3)),
    shape_error("3", "axis 1", "size 3", of=(u(4, 1), numpy.full((4, 1), 3)), axis=1, shape=(4, 3)),
    shape_error("argument x", "(4, ?)", "(5, 2)", of=(u(5, 2), whole(5, 2)), axis=1, shape=(4, 3)),
    dtype_error("argument index", "whole numbers", of=(u(4, 2), u(4, 2)), axis=1, shape=(4, 3)),
    boolean=False,
)
row(
    "nonzero",
    lambda x: numpy.argwhere(x),
    lambda torch, x: torch.nonzero(x),
    call(truth(3, 4)),
    call(whole(5, high=2)),
    call(u(2, 2)),
    call(truth(0, 3)),
    call(numpy.zeros((2, 3))),
    shape_error("()", "axis", of=(u(),)),
)
row(
    "one_hot",
    lambda labels, classes, dtype: numpy.eye(classes)[labels].astype(dtype),
    lambda torch, labels, classes, dtype: torch.nn.functional.one_hot(labels.long(), classes).to(getattr(torch, dtype)),
    call(whole(5, high=3), classes=3, dtype="float32"),
    call(whole(2, 3, high=4), classes=5, dtype="int64"),
    call(numpy.array(1), classes=2, dtype="float64"),
    call(whole(0, high=3), classes=3, dtype="bool"),
    call(whole(3, high=3).astype("uint8"), classes=300, dtype="float16"),
    shape_error("3", "0 to 2", of=(numpy.array([0, 3]),), classes=3, dtype="float32"),
    shape_error("-1", "0 to 2", of=(numpy.array([0, -1]),), classes=3, dtype="float32"),
    shape_error("classes", "-1", of=(numpy.array([0]),), classes=-1, dtype="float32"),
    dtype_error("labels", "whole numbers", "float", of=(u(3),), classes=3, dtype="float32"),
    dtype_error("classes", "whole number", "3.0", of=(whole(3),), classes=3.0, dtype="float32"),
    dtype_error("'nonsense'", of=(whole(3),), classes=3, dtype="nonsense"),
)
row(
    "transfer",
    lambda x, source, target: x.copy(),
    lambda torch, x, source, target: x.clone(),
    *(call(*sample.operands, source="cpu", target="cpu") for sample in singles()),
    Refusal(DeviceError, ("'tpu'", "cpu"), (u(3),), {"source": "cpu", "target": "tpu"}),
)
row(
    "full_like",
    lambda x, value: numpy.full(x.shape, value, x.dtype),
    lambda torch, x, value: torch.full_like(x, value),
    call(u(3, 4), value=0),
    of_floats(u(), value=1.5),
    call(u(0, 3), value=1),
    call(whole(3), value=7),
    dtype_error("value", "number", "'0'", of=(u(3),), value="0"),
)
