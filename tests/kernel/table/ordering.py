"""Rows of kernel/ops/ordering.py."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, kink, row, shape_error, truth, u

TIES = [[2.0, 1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 1.0, 1.0]]


def _sorted(x: numpy.ndarray, axis: int = -1, descending: bool = False) -> tuple[numpy.ndarray, numpy.ndarray]:
    """By Python's sort of (value, position), row by row."""

    def order(row: numpy.ndarray) -> list[int]:
        return [i for _, i in sorted(zip(-row if descending else row, range(len(row)), strict=True))]

    indices = numpy.apply_along_axis(order, axis, x).astype("int64") if x.size else numpy.zeros(x.shape, "int64")
    return numpy.take_along_axis(x, indices, axis), indices


def _topk(x: numpy.ndarray, k: int, axis: int = -1, largest: bool = True) -> tuple[numpy.ndarray, numpy.ndarray]:
    return tuple(part.take(range(k), axis) for part in _sorted(x, axis, largest))


def _topk_twin(torch: Any, x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    """torch.topk leaves open which of equal elements it takes; its stable sort does not."""
    values, indices = torch.sort(x, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, k), indices.narrow(axis, 0, k)


row(
    "cumsum",
    lambda x, axis: numpy.moveaxis(
        numpy.moveaxis(x, axis, -1) @ numpy.triu(numpy.ones((x.shape[axis], x.shape[axis]))), -1, axis
    ),
    lambda torch, x, axis: torch.cumsum(x, axis),
    call(u(5), axis=0),
    call(u(3, 4), axis=1),
    call(u(3, 4), axis=-2),
    call(u(2, 3, 4), axis=1),
    call(u(2, 0, 3), axis=1),
    call(u(1), axis=0),
    shape_error("axis 2", "2 axes", of=(u(2, 3),), axis=2),
    shape_error("argument x", "()", "reshape(1)", of=(u(),), axis=0),
    dtype_error("axis", "whole number", "1.5", of=(u(2, 3),), axis=1.5),
    tolerance=4,
)
row(
    "sort",
    _sorted,
    lambda torch, x, axis=-1, descending=False: tuple(torch.sort(x, dim=axis, descending=descending, stable=True)),
    call(u(5)),
    call(u(3, 4), axis=0),
    call(u(3, 4), descending=True),
    call(u(2, 3, 4), axis=1, descending=True),
    call(u(0, 3), axis=0),
    call(u(1, 3), axis=0),
    kink(TIES),
    kink(TIES, descending=True),
    kink(TIES, axis=0),
    kink([[1.0, float("nan"), -1.0, float("inf")]], descending=True),
    kink([[1.0, float("nan"), -1.0, float("inf")]]),
    shape_error("axis 2", "2 axes", of=(u(2, 3),), axis=2),
    shape_error("argument x", "()", "reshape(1)", of=(u(),)),
    dtype_error("descending", "True or False", "1", of=(u(2, 3),), descending=1),
    dtype_error("axis", "whole number", "None", of=(truth(2, 3),), axis=None),
)
row(
    "topk",
    _topk,
    _topk_twin,
    call(u(5), k=2),
    call(u(3, 4), k=3, largest=False),
    call(u(2, 3, 4), k=2, axis=1),
    call(u(3, 4), k=0),
    call(u(3, 4), k=4),
    call(u(0, 3), k=2),
    kink(TIES, k=2),
    kink(TIES, k=3, largest=False),
    kink(TIES, k=1, axis=0),
    shape_error("k is 4", "axis 1", "(2, 3)", "0 to 3", of=(u(2, 3),), k=4, axis=1),
    shape_error("k is -1", of=(u(2, 3),), k=-1),
    shape_error("argument x", "()", "reshape(1)", of=(u(),), k=1),
    dtype_error("k", "whole number", "1.5", of=(u(2, 3),), k=1.5),
    dtype_error("largest", "True or False", "'yes'", of=(u(2, 3),), k=1, largest="yes"),
)
