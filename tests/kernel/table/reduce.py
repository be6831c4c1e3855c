"""Rows of kernel/ops/reduce.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from tests.kernel.table.entry import Sample, call, dtype_error, kink, row, shape_error, truth, u, whole


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
