"""Products with a sparse matrix in CSR form, which is never made dense.

Of a matrix (N, K) only the elements that are not 0 are stored, row after row: ``data`` their values, ``indices`` their
columns, and row i is what stands from ``indptr[i]`` to ``indptr[i + 1]``. The two operations here are each other's
gradients, so both have derivatives of every order.
"""

from __future__ import annotations

from ..errors import DtypeError, ShapeError, show
from ..op import UNSIGNED, ArrayType, Op, deliver, promote, require_float, require_sizes, spell, unify
from .reduce import in_dtype, wide
from .shape import outside


def require_matrix(shape):
    """Raise unless ``shape`` is that of a matrix."""
    require_sizes("shape", shape)
    if len(shape) != 2:
        raise ShapeError(f"shape should be two numbers, rows and columns, but {spell(shape)} came.")


def require_stored(data, indices, indptr, rows):
    """The shapes of data (E,), indices (E,) and indptr (rows + 1,); errors where they do not fit together."""
    for name, t in (("indices", indices), ("indptr", indptr)):
        if t.dtype not in ("int32", "int64"):
            raise DtypeError(f"argument {name} must be of dtype int32 or int64, but it is {show(t.dtype)}.")
    stored = unify("argument indices", indices.shape, (None,), "it holds a column for each element")
    stored = unify("argument data", data, stored, "it holds a value for each element, as indices hold a column")
    wanted = (None if rows is None else rows + 1,)
    starts = unify(
        "argument indptr", indptr.shape, wanted, "it says where each row begins, and where the last one ends"
    )
    return stored, starts


def check_stored(xp, indices, indptr, columns):
    """Raise unless the rows lie one behind the other and every element in a column that exists.

    Before any product: the libraries that compute it would read and write wherever a wrong index points.
    """
    wrong = (indptr[1:] < indptr[:-1]).any() | (indptr[0] != 0) | (indptr[-1] != indices.size)
    if indices.size:
        wrong = wrong | (indices.view(UNSIGNED[indices.dtype]).max() >= columns)
    if not xp.read(wrong):
        return
    if xp.read(indptr[0]) != 0 or xp.read(indptr[-1]) != indices.size:
        raise ShapeError(
            f"indptr must begin with 0 and end with {indices.size}, the number of elements, but it begins with "
            f"{xp.read(indptr[0])} and ends with {xp.read(indptr[-1])}."
        )
    if xp.read((indptr[1:] < indptr[:-1]).any()):
        raise ShapeError("indptr must not fall from one row to the next, since it says where each row begins.")
    raise ShapeError(f"a column is {outside(xp, indices, columns)}, but there are columns 0 to {columns - 1}.")


class csr_matmul(Op):
    """The matrix (N, K) of data, indices and indptr times weight (K, M) -> (N, M); ``transposed``: (N, M) -> (K, M)."""

    reads = ("indices indptr weight", "", "", "data indices indptr")

    def infer(data, indices, indptr, weight, shape, transposed=False):
        require_matrix(shape)
        stored, starts = require_stored(data.shape, indices, indptr, shape[0])
        dtype = promote(data.dtype, weight.dtype)
        require_float("the operands of csr_matmul", dtype)
        inner, outer = shape if transposed else shape[::-1]
        because = f"the sparse matrix has shape {spell(shape)}"
        dense = unify("argument weight", weight.shape, (inner, None), because)
        inputs = (
            ArrayType(stored, dtype),
            ArrayType(stored, indices.dtype),
            ArrayType(starts, indptr.dtype),
            ArrayType(dense, dtype),
        )
        return inputs, (ArrayType((outer, dense[1]), dtype),)

    def forward(xp, data, indices, indptr, weight, out=None, shape=None, transposed=False):
        check_stored(xp, indices, indptr, shape[1])
        y = xp.csr_product(wide(data), indices, indptr, wide(weight), shape, transposed)
        return deliver(xp, in_dtype(data.dtype, y), out)

    def _data(xp, g, y, data, indices, indptr, weight, shape, transposed=False):
        a, b = (weight, g) if transposed else (g, weight)
        return xp.apply(sampled_matmul, a, b, indices, indptr)

    def _weight(xp, g, y, data, indices, indptr, weight, shape, transposed=False):
        return xp.apply(csr_matmul, data, indices, indptr, g, shape=shape, transposed=not transposed)

    vjp = (_data, None, None, _weight)


class sampled_matmul(Op):
    """a bᵀ, of which only the elements at the places of a sparse matrix are computed: (N, M), (K, M) -> (E,)."""

    reads = ("b indices indptr", "a indices indptr", "", "")

    def infer(a, b, indices, indptr):
        dtype = promote(a.dtype, b.dtype)
        require_float("the operands of sampled_matmul", dtype)
        rows, size = unify("argument a", a.shape, (None, None), "both operands are matrices")
        because = f"a has shape {spell(a.shape)}"
        b_shape = unify("argument b", b.shape, (None, size), because)
        stored, starts = require_stored(None, indices, indptr, rows)
        inputs = (
            ArrayType((rows, b_shape[1]), dtype),
            ArrayType(b_shape, dtype),
            ArrayType(stored, indices.dtype),
            ArrayType(starts, indptr.dtype),
        )
        return inputs, (ArrayType(stored, dtype),)

    def forward(xp, a, b, indices, indptr, out=None):
        check_stored(xp, indices, indptr, len(b))
        products = wide(a)[xp.csr_rows(indptr, indices.size)] * wide(b)[indices]
        return deliver(xp, in_dtype(a.dtype, products.sum(axis=1)), out)

    vjp = (
        lambda xp, g, y, a, b, indices, indptr: xp.apply(
            csr_matmul, g, indices, indptr, b, shape=(a.shape[0], b.shape[0])
        ),
        lambda xp, g, y, a, b, indices, indptr: xp.apply(
            csr_matmul, g, indices, indptr, a, shape=(a.shape[0], b.shape[0]), transposed=True
        ),
        None,
        None,
    )
