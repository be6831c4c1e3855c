"""Products of matrices and vectors, sums of products in general, and rows looked up."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..errors import ShapeError, UnknownSizeError
from ..op import spell
from ..ops import products
from .shape import expand_dims, squeeze


def matmul(a: Any, b: Any) -> Any:
    """(…, N, K) @ (…, K, M) -> (…, N, M); vectors are taken as in NumPy: a row at the left, a column at the right.

    Raises ShapeError unless the inner sizes are equal.

    >>> kernel.ones(2, 3) @ kernel.ones(3, 1)
    tensor([[3.],
            [3.]])
    """
    try:
        plain = getattr(a, "ndim", 2) == 2 == getattr(b, "ndim", 2)
    except UnknownSizeError:  # of a symbol: it shall be a matrix, which the graph checks once it knows
        plain = True
    if plain:
        return apply(products.matmul, a, b)
    if not (hasattr(type(a), "_apply") and hasattr(type(b), "_apply")):
        return apply(products.matmul, a, b)  # which refuses it
    if a.ndim == 1 and b.ndim == 1:
        return apply(products.dot, a, b)
    if a.ndim == 2 and b.ndim == 1:
        return apply(products.mv, a, b)
    if b.ndim == 1:
        return squeeze(apply(products.matmul, a, expand_dims(b, -1)), -1)
    if a.ndim == 1:
        return squeeze(apply(products.matmul, expand_dims(a, 0), b), -2)
    return apply(products.matmul, a, b)


def mm(a: Any, b: Any) -> Any:
    """(N, K) @ (K, M) -> (N, M): two matrices and nothing else.

    >>> kernel.mm(kernel.eye(2), kernel.tensor([[1.0], [2.0]]))
    tensor([[1.],
            [2.]])
    """
    product = apply(products.matmul, a, b)
    if product.ndim != 2:
        raise ShapeError(
            f"mm: two matrices were expected, but shapes {spell(a.shape)} and {spell(b.shape)} came; use matmul."
        )
    return product


def mv(matrix: Any, vector: Any) -> Any:
    """(N, K) @ (K,) -> (N,): a matrix with a vector.

    >>> kernel.mv(kernel.eye(2), kernel.tensor([3.0, 4.0]))
    tensor([3., 4.])
    """
    return apply(products.mv, matrix, vector)


def dot(a: Any, b: Any) -> Any:
    """(K,) · (K,) -> (): the inner product of two vectors; of two matrices their product, as in NumPy.

    >>> kernel.dot(kernel.tensor([1.0, 2.0]), kernel.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return apply(products.matmul if getattr(a, "ndim", 1) == 2 else products.dot, a, b)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b: x (…, in), W (out, in), b (out,) or None -> (…, out), in one step.

    >>> kernel.linear(kernel.ones(1, 2), kernel.tensor([[1.0, 2.0]]), kernel.tensor([0.5]))
    tensor([[3.5]])
    """
    return apply(products.linear, x, weight, 0 if bias is None else bias)


def dense(x: Any, weight: Any, bias: Any = None, first: int = 1) -> Any:
    """x W + b: x (N, in…), W (in…, out), b (out,) or None -> (N, out), over all axes of x but the ``first`` ones.

    >>> kernel.dense(kernel.ones(1, 2), kernel.tensor([[1.0], [2.0]]), kernel.tensor([0.5]))
    tensor([[3.5]])
    >>> kernel.dense(kernel.ones(5, 28, 28), kernel.ones(28, 28, 10)).shape
    (5, 10)
    """
    return apply(products.dense, x, weight, 0 if bias is None else bias, first=first)


def einsum(subscripts: str, *operands: Any) -> Any:
    """Σ of the products of operands whose axes are named by letters.

    Axes of one letter run together; letters that the result lacks are summed. Without an arrow the result has the
    letters that occur once, in the order of the alphabet.

    Args:
        subscripts: the letters of each operand, separated by commas, then -> and those of the result.
        operands: tensors, as many as there are groups of letters.

    Raises ShapeError where one letter has two sizes, saying which, and DtypeError for subscripts that make no sense.

    >>> a, b = kernel.tensor([[1.0, 2.0], [3.0, 4.0]]), kernel.tensor([10.0, 1.0])
    >>> kernel.einsum("ij,j->i", a, b)
    tensor([12., 34.])
    >>> kernel.einsum("ii", a), kernel.einsum("ii->i", a)
    (tensor(5.), tensor([1., 4.]))
    """
    return apply(products.einsum, *operands, subscripts=subscripts)


def embedding(indices: Any, weight: Any) -> Any:
    """The rows of ``weight`` (classes, dim) at whole-number ``indices`` of any shape (…): (…, dim).

    The same as one_hot(indices) @ weight, without the multiplications by 0. Raises ShapeError for an index outside
    0 … classes - 1.

    >>> weight = kernel.tensor([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]])
    >>> kernel.embedding(kernel.tensor([2, 0]), weight)
    tensor([[2. , 2.1],
            [0. , 0.1]])
    """
    return apply(products.embedding, indices, weight)


__all__ = [
    "dense",
    "dot",
    "einsum",
    "embedding",
    "linear",
    "matmul",
    "mm",
    "mv",
]
