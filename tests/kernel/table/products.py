"""Rows of kernel/ops/products.py."""

from __future__ import annotations

import numpy

from tests.kernel.table.entry import call, dtype_error, row, shape_error, truth, u, whole

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
