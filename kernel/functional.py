"""The public functions: each operation under the names that NumPy and PyTorch give it, and what is composed of several.

Where the two libraries give one name two meanings, one rule decides: **the keyword ``axis`` speaks NumPy; a bare
position or the keyword ``dim`` speaks PyTorch.** ``max(x, axis=1)`` is the values, ``max(x, 1)`` the pair (values,
indices); ``split(x, 3, axis=0)`` makes three parts, ``split(x, 3)`` parts of three. Beyond that, ``axis`` and ``dim``,
``keepdims`` and ``keepdim`` may be used for one another.
"""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy

from .apply import apply
from .errors import DtypeError, ShapeError, show
from .op import DEFAULT_FLOAT, normalise_axis, spell
from .ops import elementwise, loss, reduce
from .ops import linear as products
from .ops import shape as shapes

Axis = int | tuple[int, ...] | None


# --- elementwise --------------------------------------------------------------------------------------------------


def add(a: Any, b: Any) -> Any:
    """a + b, elementwise, both stretched to one shape.

    >>> kernel.add(kernel.tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return apply(elementwise.add, a, b)


def subtract(a: Any, b: Any) -> Any:
    """a - b, elementwise.

    >>> kernel.subtract(kernel.tensor([1.0, 2.0]), 10)
    tensor([-9., -8.])
    """
    return apply(elementwise.sub, a, b)


def multiply(a: Any, b: Any) -> Any:
    """a · b, elementwise; for the product of matrices see matmul.

    >>> kernel.multiply(kernel.tensor([1.0, 2.0]), kernel.tensor([3.0, 4.0]))
    tensor([3., 8.])
    """
    return apply(elementwise.mul, a, b)


def divide(a: Any, b: Any) -> Any:
    """a / b, elementwise; whole numbers are divided as float32.

    >>> kernel.divide(kernel.tensor([1, 2]), 4)
    tensor([0.25, 0.5 ])
    """
    return apply(elementwise.div, a, b)


def power(a: Any, b: Any) -> Any:
    """a to the power b, elementwise.

    >>> kernel.power(kernel.tensor([2.0, 3.0]), 2)
    tensor([4., 9.])
    """
    return apply(elementwise.pow, a, b)


def square(x: Any) -> Any:
    """x · x, elementwise.

    >>> kernel.square(kernel.tensor([-3.0]))
    tensor([9.])
    """
    return apply(elementwise.pow, x, 2)


def negative(x: Any) -> Any:
    """-x, elementwise.

    >>> kernel.negative(kernel.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return apply(elementwise.neg, x)


def abs(x: Any) -> Any:
    """The distance of each element from 0; the slope at 0 is taken as 0.

    >>> kernel.abs(kernel.tensor([1.0, -2.0]))
    tensor([1., 2.])
    """
    return apply(elementwise.abs, x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, as each element is negative, zero or positive.

    >>> kernel.sign(kernel.tensor([3.0, 0.0, -2.0]))
    tensor([ 1.,  0., -1.])
    """
    return apply(elementwise.sign, x)


def exp(x: Any) -> Any:
    """e to the power x, elementwise.

    >>> kernel.exp(kernel.tensor([0.0, 1.0]))
    tensor([1.    , 2.7183])
    """
    return apply(elementwise.exp, x)


def log(x: Any) -> Any:
    """The natural logarithm, elementwise.

    >>> kernel.log(kernel.tensor([1.0, 2.0]))
    tensor([0.    , 0.6931])
    """
    return apply(elementwise.log, x)


def sqrt(x: Any) -> Any:
    """The square root, elementwise.

    >>> kernel.sqrt(kernel.tensor([4.0, 2.0]))
    tensor([2.    , 1.4142])
    """
    return apply(elementwise.sqrt, x)


def sin(x: Any) -> Any:
    """The sine of x in radians, elementwise.

    >>> kernel.sin(kernel.tensor([0.0, 1.0]))
    tensor([0.    , 0.8415])
    """
    return apply(elementwise.sin, x)


def cos(x: Any) -> Any:
    """The cosine of x in radians, elementwise.

    >>> kernel.cos(kernel.tensor([0.0, 1.0]))
    tensor([1.    , 0.5403])
    """
    return apply(elementwise.cos, x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, elementwise: between -1 and 1.

    >>> kernel.tanh(kernel.tensor([0.0, 1.0]))
    tensor([0.    , 0.7616])
    """
    return apply(elementwise.tanh, x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), elementwise: between 0 and 1, without overflow.

    >>> kernel.sigmoid(kernel.tensor([0.0, 2.0]))
    tensor([0.5   , 0.8808])
    """
    return apply(elementwise.sigmoid, x)


def relu(x: Any) -> Any:
    """max(x, 0), elementwise; the slope at 0 is 0.

    >>> kernel.relu(kernel.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply(elementwise.relu, x)


def softplus(x: Any) -> Any:
    """log(1 + e^x), elementwise: a smooth relu, without overflow.

    >>> kernel.softplus(kernel.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.    ])
    """
    return apply(elementwise.softplus, x)


def gelu(x: Any) -> Any:
    """x · Φ(x) in its tanh form, elementwise (Hendrycks and Gimpel, arXiv 1606.08415).

    >>> kernel.gelu(kernel.tensor([-1.0, 1.0]))
    tensor([-0.1588,  0.8412])
    """
    return apply(elementwise.gelu, x)


def clip(x: Any, low: float | None = None, high: float | None = None) -> Any:
    """x limited to [low, high]; None leaves that side open.

    >>> kernel.clip(kernel.tensor([-2.0, 0.5, 7.0]), 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    low, high = (limit.item() if isinstance(limit, numpy.generic) else limit for limit in (low, high))
    return apply(elementwise.clip, x, low=low, high=high)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two elements; on a tie each gets half the gradient.

    >>> kernel.maximum(kernel.tensor([1.0, 5.0]), 3)
    tensor([3., 5.])
    """
    return apply(elementwise.maximum, a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two elements; on a tie each gets half the gradient.

    >>> kernel.minimum(kernel.tensor([1.0, 5.0]), 3)
    tensor([1., 3.])
    """
    return apply(elementwise.minimum, a, b)


def element_max(a: Any, b: Any) -> Any:
    """The larger of two elements; on a tie the second gets the whole gradient, as in CNTK.

    >>> x = kernel.tensor([3.0], requires_grad=True)
    >>> kernel.element_max(x, 3.0).backward()
    >>> x.grad
    tensor([0.])
    """
    return apply(elementwise.element_max, a, b)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, b elsewhere; all three stretched to one shape.

    >>> x = kernel.tensor([-1.0, 2.0])
    >>> kernel.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    return apply(elementwise.where, condition, a, b)


def eq(a: Any, b: Any) -> Any:
    """a == b, elementwise.

    >>> kernel.eq(kernel.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(elementwise.eq, a, b)


def ne(a: Any, b: Any) -> Any:
    """a != b, elementwise.

    >>> kernel.ne(kernel.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(elementwise.ne, a, b)


def lt(a: Any, b: Any) -> Any:
    """a < b, elementwise.

    >>> kernel.lt(kernel.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(elementwise.lt, a, b)


def le(a: Any, b: Any) -> Any:
    """a <= b, elementwise.

    >>> kernel.le(kernel.tensor([1, 2]), 2)
    tensor([ True,  True])
    """
    return apply(elementwise.le, a, b)


def gt(a: Any, b: Any) -> Any:
    """a > b, elementwise.

    >>> kernel.gt(kernel.tensor([1, 2]), 2)
    tensor([False, False])
    """
    return apply(elementwise.gt, a, b)


def ge(a: Any, b: Any) -> Any:
    """a >= b, elementwise.

    >>> kernel.ge(kernel.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(elementwise.ge, a, b)


def logical_and(a: Any, b: Any) -> Any:
    """Whether both hold, elementwise; also a & b.

    >>> x = kernel.tensor([1.0, 2.0, 3.0])
    >>> (x > 1) & (x < 3)
    tensor([False,  True, False])
    """
    return apply(elementwise.logical_and, a, b)


def logical_or(a: Any, b: Any) -> Any:
    """Whether one of the two holds, elementwise; also a | b.

    >>> x = kernel.tensor([1.0, 2.0, 3.0])
    >>> (x < 2) | (x > 2)
    tensor([ True, False,  True])
    """
    return apply(elementwise.logical_or, a, b)


def logical_not(x: Any) -> Any:
    """Whether x does not hold, elementwise; also ~x.

    >>> kernel.logical_not(kernel.tensor([True, False]))
    tensor([False,  True])
    """
    return apply(elementwise.logical_not, x)


def zeros_like(x: Any) -> Any:
    """0 in the shape and dtype of x, on its device.

    >>> kernel.zeros_like(kernel.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return apply(shapes.full_like, x, value=0)


def ones_like(x: Any) -> Any:
    """1 in the shape and dtype of x, on its device.

    >>> kernel.ones_like(kernel.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return apply(shapes.full_like, x, value=1)


# --- products -----------------------------------------------------------------------------------------------------


def matmul(a: Any, b: Any) -> Any:
    """(…, N, K) @ (…, K, M) -> (…, N, M); vectors are taken as in NumPy: a row at the left, a column at the right.

    Raises ShapeError unless the inner sizes are equal.

    >>> kernel.ones(2, 3) @ kernel.ones(3, 1)
    tensor([[3.],
            [3.]])
    """
    if getattr(a, "ndim", 2) == 2 == getattr(b, "ndim", 2):
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


def stretch(x: Any, shape: tuple[int, ...]) -> Any:
    """broadcast_to, under the name by which gradient rules call it: there the namespaces of arrays write it out."""
    return broadcast_to(x, shape)


def sum_rows(x: Any) -> Any:
    """(N, C) -> (C,): the sum over the first axis.

    >>> kernel.functional.sum_rows(kernel.ones(3, 2))
    tensor([3., 3.])
    """
    return sum(x, 0)


def gate(g: Any, y: Any) -> Any:
    """0 where y <= 0, else g: what comes back through relu.

    >>> kernel.functional.gate(kernel.tensor([5.0, math.inf]), kernel.tensor([2.0, 0.0]))
    tensor([5., 0.])
    """
    return where(y <= 0, 0, g)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b: x (…, in), W (out, in), b (out,) -> (…, out), in one step.

    >>> kernel.linear(kernel.ones(1, 2), kernel.tensor([[1.0, 2.0]]), kernel.tensor([0.5]))
    tensor([[3.5]])
    """
    if bias is None:
        _ndim("linear", weight)
        return matmul(x, transpose(weight))
    return apply(products.linear, x, weight, bias)


# --- reductions ---------------------------------------------------------------------------------------------------


def _axis(name: str, axis: Any, dim: Any) -> Axis:
    """``axis`` and ``dim`` are one thing; a list is a tuple."""
    if dim is not None:
        if axis is not None:
            raise DtypeError(f"{name}: axis and dim are two names of one argument; give one of them.")
        axis = dim
    return _tuple(name, "axis", axis) if isinstance(axis, tuple | list) else axis


def _tuple(name: str, what: str, values: Any) -> tuple[int, ...]:
    """Whole numbers, exactly, as one tuple: (1.0, True) would equal (1, 1) and pass for it."""
    for value in values:
        if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | numpy.integer)):
            raise DtypeError(f"{name}: {what} must be whole numbers, but {show(value)} came.")
    return tuple(map(int, values))


def _over(op: Any, x: Any, axis: Any, dim: Any, keepdims: Any, keepdim: Any, **more: Any) -> Any:
    """A reduction, with what the two libraries call its arguments."""
    if type(keepdims) is not bool or type(keepdim) is not bool:
        raise DtypeError(
            f"{op.name}: keepdims must be True or False, but {show(keepdim if keepdims is False else keepdims)} came."
        )
    return apply(op, x, axis=_axis(op.name, axis, dim), keepdims=keepdims or keepdim, **more)


def _ndim(name: str, x: Any) -> int:
    """How many axes x has; a DtypeError if it is no tensor."""
    if not hasattr(type(x), "_apply"):
        raise DtypeError(f"{name}: a kernel tensor was expected, but {show(x)} came; kernel.tensor(…) makes one.")
    return x.ndim


def _axis_of(name: str, axis: Any, ndim: int) -> int:
    """normalise_axis for a function that needs it before its operation."""
    try:
        return normalise_axis(axis, ndim)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def sum(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Σx over the axes, all of them by default. Booleans and whole numbers are summed as int64.

    >>> kernel.sum(kernel.ones(2, 3), axis=1)
    tensor([3., 3.])
    """
    return _over(reduce.sum, x, axis, dim, keepdims, keepdim)


def mean(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Σx / n over the axes, all of them by default.

    >>> kernel.mean(kernel.tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return _over(reduce.mean, x, axis, dim, keepdims, keepdim)


_BY_NAME = object()


def var(
    x: Any,
    dim: Any = _BY_NAME,
    correction: int | None = None,
    keepdim: bool = False,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ddof: int | None = None,
) -> Any:
    """Σ(x - mean)² / (n - correction) over the axes.

    By the rule of this module the correction is NumPy's 0 with ``axis`` (and with no axis at all), PyTorch's 1 with a
    bare position or ``dim``; ``correction`` (or NumPy's ``ddof``) says it outright.

    >>> x = kernel.tensor([1.0, 2.0, 3.0])
    >>> kernel.var(x, axis=0), kernel.var(x, 0)
    (tensor(0.6667), tensor(1.))
    """
    if correction is None:
        correction = ddof if ddof is not None else int(dim is not _BY_NAME)
    return _over(reduce.var, x, axis, None if dim is _BY_NAME else dim, keepdims, keepdim, correction=correction)


def norm(
    x: Any, p: float = 2, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False
) -> Any:
    """The p-norm of the elements over the axes: p = 1, 2 or infinity.

    >>> kernel.norm(kernel.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if isinstance(p, int | float | numpy.integer | numpy.floating):
        if p == 2:
            return _over(reduce.norm, x, axis, dim, keepdims, keepdim)
        if p == 1:
            return _over(reduce.sum, abs(x), axis, dim, keepdims, keepdim)
        if p == math.inf:
            return _over(reduce.amax, abs(x), axis, dim, keepdims, keepdim)
    raise DtypeError(f"norm: p must be 1, 2 or infinity, but {show(p)} came.")


def amax(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """The largest element over the axes; equal ones share the gradient.

    >>> kernel.amax(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([5., 7.])
    """
    return _over(reduce.amax, x, axis, dim, keepdims, keepdim)


def amin(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """The smallest element over the axes; equal ones share the gradient.

    >>> kernel.amin(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([1., 3.])
    """
    return _over(reduce.amin, x, axis, dim, keepdims, keepdim)


def max(x: Any, dim: Any = _BY_NAME, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest element, in the four ways of NumPy and PyTorch.

    ``max(x)`` of all elements; ``max(x, axis=1)`` the values along an axis (ties share the gradient); ``max(x, 1)`` or
    ``max(x, dim=1)`` the pair (values, indices) (the indexed element gets the gradient); ``max(a, b)`` elementwise.

    >>> x = kernel.tensor([[1.0, 5.0], [7.0, 3.0]])
    >>> kernel.max(x), kernel.max(x, axis=1)
    (tensor(7.), tensor([5., 7.]))
    >>> kernel.max(x, 1)
    (tensor([5., 7.]), tensor([1, 0]))
    >>> kernel.max(x, kernel.tensor([4.0, 4.0]))
    tensor([[4., 5.],
            [7., 4.]])
    """
    return _extreme((reduce.amax, reduce.max_with_index, elementwise.maximum), x, dim, keepdim, axis, keepdims)


def min(x: Any, dim: Any = _BY_NAME, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest element, in the four ways that max has.

    >>> x = kernel.tensor([[1.0, 5.0], [7.0, 3.0]])
    >>> kernel.min(x), kernel.min(x, axis=1)
    (tensor(1.), tensor([1., 3.]))
    >>> kernel.min(x, 1)
    (tensor([1., 3.]), tensor([0, 1]))
    """
    return _extreme((reduce.amin, reduce.min_with_index, elementwise.minimum), x, dim, keepdim, axis, keepdims)


def _extreme(ops: tuple, x: Any, dim: Any, keepdim: bool, axis: Axis, keepdims: bool) -> Any:
    values, with_index, elementwise_op = ops
    if dim is _BY_NAME:
        return _over(values, x, axis, None, keepdims, keepdim)
    if axis is not None:
        raise DtypeError(f"{values.name[1:]}: axis and dim are two names of one argument; give one of them.")
    if isinstance(dim, int | numpy.integer) and not isinstance(dim, bool):
        return _over(with_index, x, dim, None, keepdims, keepdim)
    return apply(elementwise_op, x, dim)


def argmax(
    x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> Any:
    """Where the largest element stands along an axis, the first one on a tie; in the flattened tensor if axis is None.

    >>> kernel.argmax(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([1, 0])
    """
    return _over(reduce.argmax, x, axis, dim, keepdims, keepdim)


def argmin(
    x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> Any:
    """Where the smallest element stands along an axis, the first one on a tie; in the flattened tensor if axis is None.

    >>> kernel.argmin(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([0, 1])
    """
    return _over(reduce.argmin, x, axis, dim, keepdims, keepdim)


def all(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Whether every element is true.

    >>> kernel.all(kernel.tensor([True, False]))
    tensor(False)
    """
    return _over(reduce.all_, x, axis, dim, keepdims, keepdim)


def any(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Whether some element is true.

    >>> kernel.any(kernel.tensor([True, False]))
    tensor(True)
    """
    return _over(reduce.any_, x, axis, dim, keepdims, keepdim)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """log Σ e^x over the axes, computed around the maximum so that nothing overflows.

    >>> kernel.logsumexp(kernel.tensor([1000.0, 1000.0]))
    tensor(1000.6932)
    """
    return _over(reduce.logsumexp, x, axis, dim, keepdims, keepdim)


def softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """e^x / Σ e^x along one axis (the last by default): positive, and 1 in sum.

    >>> kernel.softmax(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([0.09  , 0.2447, 0.6652])
    """
    where_ = _axis("softmax", axis, dim)
    return apply(reduce.softmax, x, axis=-1 if where_ is None else where_)


def log_softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """x - log Σ e^x along one axis (the last by default): the logarithm of softmax, without its underflow.

    >>> kernel.log_softmax(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([-2.4076, -1.4076, -0.4076])
    """
    where_ = _axis("log_softmax", axis, dim)
    return apply(reduce.log_softmax, x, axis=-1 if where_ is None else where_)


# --- shapes -------------------------------------------------------------------------------------------------------


def _sizes(name: str, sizes: tuple, what: str = "sizes") -> tuple[int, ...]:
    """Sizes (or axes) given one by one, or as one tuple or list."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = sizes[0]
    return _tuple(name, what, sizes)


def reshape(x: Any, *shape: Any) -> Any:
    """The same elements in row-major order under another shape; one size may be -1 and is worked out.

    >>> kernel.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return apply(shapes.reshape, x, shape=_sizes("reshape", shape))


def broadcast_to(x: Any, *shape: Any) -> Any:
    """x stretched to a shape without copying: axes are added at the left, axes of size 1 repeat.

    >>> kernel.broadcast_to(kernel.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return apply(shapes.broadcast_to, x, shape=_sizes("broadcast_to", shape))


def permute(x: Any, *dims: Any) -> Any:
    """The axes in the given order, without copying.

    >>> kernel.permute(kernel.zeros(2, 3, 4), 2, 0, 1).shape
    (4, 2, 3)
    """
    return apply(shapes.permute, x, axes=_sizes("permute", dims, "axes"))


def transpose(x: Any, *axes: Any) -> Any:
    """Axes exchanged: ``transpose(x)`` reverses them all, ``transpose(x, 0, 1)`` swaps two (PyTorch),
    ``transpose(x, (1, 0))`` gives the whole order (NumPy).

    >>> kernel.transpose(kernel.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    ndim = _ndim("transpose", x)
    if not axes or axes[0] is None:
        return apply(shapes.permute, x, axes=tuple(range(ndim))[::-1])
    if len(axes) == 1:
        return permute(x, *axes)
    if len(axes) == 2:
        return swapaxes(x, *axes)
    raise DtypeError(f"transpose: give two axes to swap, or all of them as one tuple, but {show(axes)} came.")


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Two axes exchanged, without copying.

    >>> kernel.swapaxes(kernel.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    ndim = _ndim("swapaxes", x)
    order = list(range(ndim))
    i, j = _axis_of("swapaxes", a, ndim), _axis_of("swapaxes", b, ndim)
    order[i], order[j] = order[j], order[i]
    return apply(shapes.permute, x, axes=tuple(order))


def expand_dims(x: Any, axis: int) -> Any:
    """A new axis of size 1 at a position; PyTorch calls it unsqueeze.

    >>> kernel.expand_dims(kernel.zeros(3), 1).shape
    (3, 1)
    """
    return apply(shapes.expand_dims, x, axis=axis)


def squeeze(x: Any, axis: Axis = None, *, dim: Axis = None) -> Any:
    """Axes of size 1 taken away: the named ones, or all of them.

    >>> kernel.squeeze(kernel.zeros(1, 3, 1)).shape
    (3,)
    """
    ndim, where_ = _ndim("squeeze", x), _axis("squeeze", axis, dim)
    if where_ is None:
        where_ = tuple(k for k, size in enumerate(x.shape) if size == 1)
    axes = where_ if isinstance(where_, tuple) else (where_,)
    for k in sorted((_axis_of("squeeze", a, ndim) for a in axes), reverse=True):
        x = apply(shapes.squeeze, x, axis=k)
    return x


def flatten(x: Any, start_dim: int = 0) -> Any:
    """All axes from ``start_dim`` on joined into one.

    >>> kernel.flatten(kernel.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    k = _axis_of("flatten", start_dim, builtins.max(_ndim("flatten", x), 1))
    return reshape(x, (*x.shape[:k], math.prod(x.shape[k:])))


def flip(x: Any, axis: Axis = None, *, dims: Axis = None) -> Any:
    """The elements in reverse order along the axes, all of them by default.

    >>> kernel.flip(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """
    ndim, axes = _ndim("flip", x), _axis("flip", axis, dims)
    axes = tuple(range(ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    return apply(shapes.flip, x, axis=axes)


def pad(x: Any, widths: Any, value: float = 0) -> Any:
    """A border of one value around x.

    Pairs speak NumPy: ((before, after) of axis 0, (before, after) of axis 1, …). Flat numbers speak PyTorch, last axis
    first: (left, right) or (left, right, top, bottom).

    >>> kernel.pad(kernel.tensor([1.0, 2.0]), ((1, 2),))
    tensor([0., 1., 2., 0., 0.])
    >>> kernel.pad(kernel.ones(1, 1), (1, 0))
    tensor([[0., 1.]])
    """
    ndim = _ndim("pad", x)
    if not isinstance(widths, list | tuple):
        raise DtypeError(f"pad: widths must be pairs, or whole numbers last axis first, but {show(widths)} came.")
    if builtins.any(isinstance(w, list | tuple) for w in widths):
        widths = tuple(_tuple("pad", "widths", w) if isinstance(w, list | tuple) else w for w in widths)
    else:
        widths = _tuple("pad", "widths", widths)
        if len(widths) % 2 or len(widths) > 2 * ndim:
            raise ShapeError(
                f"pad: flat widths come in pairs, at most {ndim} of them for shape {spell(x.shape)}; {widths} came."
            )
        pairs = [widths[k : k + 2] for k in range(0, len(widths), 2)][::-1]
        widths = ((0, 0),) * (ndim - len(pairs)) + tuple(pairs)
    value = value.item() if isinstance(value, numpy.generic) else value
    value = 0.0 if isinstance(value, float) and value == 0 else value  # -0.0 equals it, and so would pass for it
    return apply(shapes.pad, x, widths=widths, value=value)


def concatenate(tensors: Sequence[Any], axis: int = 0, *, dim: int | None = None) -> Any:
    """Tensors put one behind the other along an axis that they have; PyTorch calls it cat.

    >>> kernel.concatenate([kernel.ones(2), kernel.zeros(1)])
    tensor([1., 1., 0.])
    """
    return apply(shapes.concatenate, *_several("concatenate", tensors), axis=axis if dim is None else dim)


def stack(tensors: Sequence[Any], axis: int = 0, *, dim: int | None = None) -> Any:
    """Tensors of one shape put beside each other along a new axis.

    >>> kernel.stack([kernel.ones(2), kernel.zeros(2)], 1)
    tensor([[1., 0.],
            [1., 0.]])
    """
    return apply(shapes.stack, *_several("stack", tensors), axis=axis if dim is None else dim)


def _several(name: str, tensors: Any) -> Any:
    if not isinstance(tensors, list | tuple):
        raise DtypeError(f"{name}: a list or tuple of tensors was expected, but a {type(tensors).__name__} came.")
    if not tensors:
        raise DtypeError(f"{name}: the list holds no tensor.")
    return tensors


def split(x: Any, parts: int | Sequence[int], dim: int = 0, *, axis: int | None = None) -> tuple:
    """x cut along an axis into a tuple of parts.

    ``split(x, 3)`` or ``dim=`` speaks PyTorch: parts of 3, or a list of sizes. ``split(x, 3, axis=0)`` speaks NumPy: 3
    equal parts, or a list of the positions to cut at.

    >>> kernel.split(kernel.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> kernel.split(kernel.arange(4), 2, axis=0)
    (tensor([0, 1]), tensor([2, 3]))
    """
    ndim, where_ = _ndim("split", x), dim if axis is None else axis
    where_ = _axis_of("split", where_, ndim)
    total = x.shape[where_]
    even = not isinstance(parts, list | tuple)
    if even and (isinstance(parts, bool) or not isinstance(parts, int | numpy.integer)):
        raise DtypeError(f"split: a whole number or a list of them was expected, but {show(parts)} came.")
    if even and parts <= 0:
        raise ShapeError(f"split: the parts must be positive, but {parts} came.")
    parts = parts if even else _tuple("split", "sizes", parts)
    if axis is None:
        sizes = [builtins.min(parts, total - k) for k in range(0, total or 1, parts)] if even else parts
    elif even:
        if total % parts:
            raise ShapeError(
                f"split: axis {axis} of shape {spell(x.shape)} has size {total}, which {parts} does not divide."
            )
        sizes = [total // parts] * parts
    else:
        sizes = [b - a for a, b in itertools.pairwise((0, *parts, total))]
    return apply(shapes.split, x, sizes=tuple(sizes), axis=where_)


def gather(x: Any, dim: int, index: Any) -> Any:
    """y[i, j] = x[i, index[i, j]] for dim 1, and likewise for any dim: one chosen element per position.

    >>> kernel.gather(kernel.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, kernel.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    return apply(shapes.gather, x, index, axis=dim)


def take_along_axis(x: Any, index: Any, axis: int) -> Any:
    """gather, under NumPy's name and order of arguments.

    >>> kernel.take_along_axis(kernel.tensor([[1.0, 2.0]]), kernel.tensor([[1]]), 1)
    tensor([[2.]])
    """
    return gather(x, axis, index)


def one_hot(labels: Any, classes: int, dtype: Any = DEFAULT_FLOAT) -> Any:
    """1 at each label and 0 elsewhere: (…,) -> (…, classes).

    Raises ShapeError for a label outside 0 … classes - 1.

    >>> kernel.one_hot(kernel.tensor([1, 0]), 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """
    return apply(shapes.one_hot, labels, classes=classes, dtype=dtype)


def nonzero(x: Any) -> Any:
    """The positions of the elements that are not 0, one row of indices each: (n, ndim).

    >>> kernel.nonzero(kernel.tensor([0.0, 3.0, 0.0, 4.0]))
    tensor([[1],
            [3]])
    """
    return apply(shapes.nonzero, x)


def getitem(x: Any, index: Any) -> Any:
    """x[index]: whole numbers, slices, None, ..., and tensors of whole numbers or booleans.

    >>> x = kernel.tensor([5.0, 6.0, 7.0])
    >>> kernel.getitem(x, x > 5)
    tensor([6., 7.])
    """
    _ndim("getitem", x)
    pattern, arrays = _index("getitem", x, index)
    return apply(shapes.getitem, x, *arrays, pattern=pattern)


def _index(name: str, x: Any, index: Any) -> tuple[tuple, list]:
    """An index of x as (pattern, index tensors of whole numbers): a boolean tensor becomes its positions."""
    given = index if isinstance(index, tuple) else (index,)
    axes = [_axes_taken(name, entry) for entry in given]
    left = x.ndim - builtins.sum(axes)  # what a ... stands for
    if left < 0:
        raise ShapeError(
            f"{name}: {x.ndim - left} axes are indexed, but a tensor of shape {spell(x.shape)} has {x.ndim}."
        )
    entries, axis = [], 0
    for entry, taken in zip(given, axes, strict=True):
        if _is_mask(entry):
            entries.extend(_positions(name, x, entry, axis))
        else:
            entries.append(entry)
        axis += left if entry is Ellipsis else taken
    return _pattern(name, tuple(entries), x.ndim)


def _is_mask(entry: Any) -> bool:
    return hasattr(type(entry), "_apply") and entry.dtype == bool


def _axes_taken(name: str, entry: Any) -> int:
    """How many axes of a tensor an entry of its index is about."""
    if isinstance(entry, list | numpy.ndarray):
        kind = "list" if isinstance(entry, list) else "NumPy array"
        raise DtypeError(f"{name}: a {kind} is no index; make it a tensor with kernel.tensor(…).")
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if _is_mask(entry) else 1


def _pattern(name: str, index: Any, ndim: int) -> tuple[tuple, list]:
    """shapes.pattern_of, with errors that name the operation."""
    try:
        return shapes.pattern_of(index, lambda i: hasattr(type(i), "_apply"), ndim)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def _positions(name: str, x: Any, mask: Any, axis: int) -> list:
    """A boolean index that begins at ``axis``, as one index tensor of whole numbers per axis of the mask."""
    wanted = x.shape[axis : axis + mask.ndim]
    if mask.shape != wanted:
        raise ShapeError(
            f"{name}: a boolean index should have shape {spell(wanted)} because x has shape {spell(x.shape)}, but it "
            f"has shape {spell(mask.shape)}."
        )
    rows = nonzero(mask)
    return [rows[:, k] for k in range(mask.ndim)]


def scatter_add(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``values`` added at ``index``; repeated positions are summed. The transpose of indexing.

    >>> kernel.scatter_add(kernel.ones(3), (kernel.tensor([0, 2, 0]),), (3,))
    tensor([2., 0., 1.])
    """
    sizes = _sizes("scatter_add", (shape,))
    for entry in index if isinstance(index, tuple) else (index,):
        if _is_mask(entry):
            raise DtypeError("scatter_add: a boolean index is none here; give the positions, nonzero(mask)[:, 0].")
    pattern, arrays = _pattern("scatter_add", index, len(sizes))
    return apply(shapes.scatter_add, values, *arrays, pattern=pattern, shape=sizes)


def scatter_along_axis(values: Any, index: Any, axis: int, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``values`` added along ``axis`` at ``index``. The transpose of gather.

    >>> kernel.functional.scatter_along_axis(kernel.ones(1, 2), kernel.tensor([[1, 1]]), 1, (1, 3))
    tensor([[0., 2., 0.]])
    """
    return apply(shapes.scatter_along_axis, values, index, axis=axis, shape=_sizes("scatter_along_axis", (shape,)))


def transfer(x: Any, source: str, target: str) -> Any:
    """A copy of x, which is on the device ``source``, on the device ``target``; what ``x.to`` calls."""
    return apply(shapes.transfer, x, source=source, target=target)


# --- losses -------------------------------------------------------------------------------------------------------


def cross_entropy(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits)[label], averaged over the batch: softmax, logarithm and choice in one safe step.

    Args:
        logits: scores (B, C), any numbers.
        labels: class indices (B,) of an integer dtype, or soft labels (B, C): one distribution per row.
        reduction: "mean" or "sum" over the batch, or "none" for the B losses.

    Raises ShapeError for shapes that do not fit and for a label outside 0 … C - 1.

    >>> logits = kernel.tensor([[2.0, 0.0, 0.0]])
    >>> kernel.cross_entropy(logits, kernel.tensor([0]))
    tensor(0.2395)
    >>> kernel.cross_entropy(logits, kernel.tensor([[0.8, 0.1, 0.1]]))
    tensor(0.6395)
    """
    soft = getattr(labels, "ndim", 1) == 2
    return apply(loss.soft_cross_entropy if soft else loss.cross_entropy, logits, labels, reduction=reduction)


cat, unsqueeze, sub, mul, div, pow, neg = concatenate, expand_dims, subtract, multiply, divide, power, negative
clamp = clip

__all__ = [
    "abs",
    "add",
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "broadcast_to",
    "cat",
    "clamp",
    "clip",
    "concatenate",
    "cos",
    "cross_entropy",
    "div",
    "divide",
    "dot",
    "element_max",
    "eq",
    "exp",
    "expand_dims",
    "flatten",
    "flip",
    "gather",
    "ge",
    "gelu",
    "getitem",
    "gt",
    "le",
    "linear",
    "log",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "lt",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mm",
    "mul",
    "multiply",
    "mv",
    "ne",
    "neg",
    "negative",
    "nonzero",
    "norm",
    "one_hot",
    "ones_like",
    "pad",
    "permute",
    "pow",
    "power",
    "relu",
    "reshape",
    "scatter_add",
    "scatter_along_axis",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "sub",
    "subtract",
    "sum",
    "swapaxes",
    "take_along_axis",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "where",
    "zeros_like",
]
