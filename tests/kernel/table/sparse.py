"""Rows of kernel/ops/sparse.py, and of the loss whose target is sparse."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, of_floats, rng, row, shape_error, u, whole
from tests.kernel.table.losses import _log_probabilities, _reduced


def _places(rows: int, columns: int, stored: int, dtype: str = "int64") -> tuple[numpy.ndarray, numpy.ndarray]:
    """indices and indptr of ``stored`` elements, no two of them at one place; some rows may be empty."""
    flat = numpy.sort(rng.choice(rows * columns, stored, replace=False))
    starts = numpy.searchsorted(flat, numpy.arange(rows + 1) * columns)
    return (flat % columns).astype(dtype), starts.astype(dtype)


def _rows(indptr: numpy.ndarray) -> numpy.ndarray:
    return numpy.repeat(numpy.arange(len(indptr) - 1), numpy.diff(indptr))


def _dense(data: Any, indices: Any, indptr: Any, shape: tuple) -> numpy.ndarray:
    matrix = numpy.zeros(shape)
    numpy.add.at(matrix, (_rows(indptr), indices), data)
    return matrix


def _dense_of_torch(torch: Any, data: Any, indices: Any, indptr: Any, shape: tuple) -> Any:
    rows = torch.tensor(_rows(indptr.numpy()))
    return torch.zeros(shape, dtype=data.dtype).index_put((rows, indices.long()), data, accumulate=True)


def _csr_matmul(data: Any, indices: Any, indptr: Any, weight: Any, shape: tuple, transposed: bool = False) -> Any:
    matrix = _dense(data, indices, indptr, shape)
    return numpy.einsum("kn,km->nm" if transposed else "nk,km->nm", matrix, weight)


def _csr_matmul_of_torch(
    torch: Any, data: Any, indices: Any, indptr: Any, weight: Any, shape: tuple, transposed: bool = False
) -> Any:
    matrix = _dense_of_torch(torch, data, indices, indptr, shape)
    return (matrix.T if transposed else matrix) @ weight


TWICE = numpy.array([1, 1, 0]), numpy.array([0, 3])  # one place named twice, in no order: the values are added
NOTHING = numpy.zeros(0, "int64"), numpy.zeros(4, "int64")
ONE = numpy.array([1.0])

row(
    "csr_matmul",
    _csr_matmul,
    _csr_matmul_of_torch,
    of_floats(u(7), *_places(4, 5, 7), u(5, 3), shape=(4, 5)),
    of_floats(u(7), *_places(4, 5, 7), u(4, 3), shape=(4, 5), transposed=True),
    of_floats(u(7), *_places(4, 5, 7, "int32"), u(5, 1), shape=(4, 5)),
    of_floats(u(3), *TWICE, u(2, 2), shape=(1, 2)),
    of_floats(u(3), *TWICE, u(1, 2), shape=(1, 2), transposed=True),
    of_floats(u(0), *NOTHING, u(5, 2), shape=(3, 5)),
    of_floats(u(0), *NOTHING, u(3, 2), shape=(3, 5), transposed=True),
    of_floats(u(3), *TWICE, u(2, 0), shape=(1, 2)),
    shape_error("argument weight", "(5, ?)", "(4, 5)", "(4, 3)", of=(u(7), *_places(4, 5, 7), u(4, 3)), shape=(4, 5)),
    shape_error("argument data", "(7,)", "(6,)", of=(u(6), *_places(4, 5, 7), u(5, 3)), shape=(4, 5)),
    shape_error("argument indptr", "(4,)", "(5,)", of=(u(7), *_places(4, 5, 7), u(5, 3)), shape=(3, 5)),
    shape_error("column is 2", "0 to 1", of=(ONE, numpy.array([2]), numpy.array([0, 1]), u(2, 2)), shape=(1, 2)),
    shape_error("column is -1", "0 to 1", of=(ONE, numpy.array([-1]), numpy.array([0, 1]), u(2, 2)), shape=(1, 2)),
    shape_error("indptr", "end with 1", "9", of=(ONE, numpy.array([0]), numpy.array([0, 9]), u(2, 2)), shape=(1, 2)),
    shape_error("indptr", "begin", "1", of=(ONE, numpy.array([0]), numpy.array([1, 1]), u(2, 2)), shape=(1, 2)),
    shape_error("indptr", "fall", of=(ONE, numpy.array([0]), numpy.array([0, 5, 1]), u(2, 2)), shape=(2, 2)),
    shape_error("shape", "two", "(4,)", of=(u(7), *_places(4, 5, 7), u(5, 3)), shape=(4,)),
    dtype_error("shape", "whole numbers", of=(u(7), *_places(4, 5, 7), u(5, 3)), shape=(4.5, 5)),
    dtype_error("indices", "int32", "float64", of=(ONE, ONE, numpy.array([0, 1]), u(2, 2)), shape=(1, 2)),
    dtype_error("float", "int64", of=(whole(3), *TWICE, whole(2, 2)), shape=(1, 2)),
    whole=False,
    boolean=False,
    tolerance=4,
)
row(
    "sampled_matmul",
    lambda a, b, indices, indptr: numpy.einsum("nm,km->nk", a, b)[_rows(indptr), indices],
    lambda torch, a, b, indices, indptr: (a @ b.T)[torch.tensor(_rows(indptr.numpy())), indices.long()],
    of_floats(u(4, 3), u(5, 3), *_places(4, 5, 7)),
    of_floats(u(4, 1), u(5, 1), *_places(4, 5, 7, "int32")),
    of_floats(u(1, 3), u(2, 3), *TWICE),
    of_floats(u(3, 2), u(5, 2), *NOTHING),
    shape_error("argument a", "(?, ?)", "(4,)", of=(u(4), u(5, 3), *_places(4, 5, 7))),
    shape_error("argument b", "(?, 3)", "(5, 2)", of=(u(4, 3), u(5, 2), *_places(4, 5, 7))),
    shape_error("argument indptr", "(4,)", "(5,)", of=(u(3, 3), u(5, 3), *_places(4, 5, 7))),
    shape_error("column is 4", "0 to 1", of=(u(1, 2), u(2, 2), numpy.array([4]), numpy.array([0, 1]))),
    dtype_error("float", "int64", of=(whole(1, 2), whole(2, 2), *TWICE)),
    whole=False,
    boolean=False,
    tolerance=4,
)


def _loss(logits: Any, data: Any, indices: Any, indptr: Any, shape: tuple, reduction: str = "mean") -> Any:
    target = _dense(data, indices, indptr, shape)
    return _reduced(-(target * _log_probabilities(logits)).sum(axis=1), reduction)


def _loss_of_torch(
    torch: Any, logits: Any, data: Any, indices: Any, indptr: Any, shape: tuple, reduction: str = "mean"
) -> Any:
    target = _dense_of_torch(torch, data, indices, indptr, shape)
    return torch.nn.functional.cross_entropy(logits, target, reduction=reduction)


row(
    "csr_cross_entropy",
    _loss,
    _loss_of_torch,
    of_floats(u(4, 5), abs(u(7)), *_places(4, 5, 7), shape=(4, 5)),
    of_floats(u(4, 5), abs(u(7)), *_places(4, 5, 7), shape=(4, 5), reduction="sum"),
    of_floats(u(4, 5), abs(u(7)), *_places(4, 5, 7, "int32"), shape=(4, 5), reduction="none"),
    of_floats(u(1, 2), abs(u(3)), *TWICE, shape=(1, 2)),
    of_floats(u(3, 2), u(0), *NOTHING, shape=(3, 2)),
    call(u(0, 2), u(0), numpy.zeros(0, "int64"), numpy.zeros(1, "int64"), shape=(0, 2), reduction="sum"),
    shape_error("argument logits", "(4, 5)", "(4, 6)", of=(u(4, 6), u(7), *_places(4, 5, 7)), shape=(4, 5)),
    shape_error("argument logits", "(B, C)", "(4,)", of=(u(4), u(7), *_places(4, 5, 7)), shape=(4, 5)),
    shape_error("column is 2", "0 to 1", of=(u(1, 2), ONE, numpy.array([2]), numpy.array([0, 1])), shape=(1, 2)),
    shape_error("no sample", of=(u(0, 2), u(0), numpy.zeros(0, "int64"), numpy.zeros(1, "int64")), shape=(0, 2)),
    dtype_error("reduction", "'all'", of=(u(1, 2), u(3), *TWICE), shape=(1, 2), reduction="all"),
    dtype_error("logits", "float", of=(whole(1, 2), u(3), *TWICE), shape=(1, 2)),
    whole=False,
    boolean=False,
    tolerance=4,
)
