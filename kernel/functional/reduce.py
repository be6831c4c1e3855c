"""Functions that take axes away."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..apply import apply
from ..errors import DtypeError, show
from ..ops import elementwise, reduce
from .axes import Axis, axis_or_dim, reduce_over


def sum(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Σx over the axes, all of them by default. Booleans and whole numbers are summed as int64.

    >>> kernel.sum(kernel.ones(2, 3), axis=1)
    tensor([3., 3.])
    """
    return reduce_over(reduce.sum, x, axis, dim, keepdims, keepdim)


def mean(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Σx / n over the axes, all of them by default.

    >>> kernel.mean(kernel.tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return reduce_over(reduce.mean, x, axis, dim, keepdims, keepdim)


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
    return reduce_over(reduce.var, x, axis, None if dim is _BY_NAME else dim, keepdims, keepdim, correction=correction)


def norm(
    x: Any, p: float = 2, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False
) -> Any:
    """The p-norm of the elements over the axes: p = 1, 2 or infinity.

    >>> kernel.norm(kernel.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if isinstance(p, int | float | numpy.integer | numpy.floating):
        if p == 2:
            return reduce_over(reduce.norm, x, axis, dim, keepdims, keepdim)
        if p == 1:
            return reduce_over(reduce.sum, abs(x), axis, dim, keepdims, keepdim)
        if p == math.inf:
            return reduce_over(reduce.amax, abs(x), axis, dim, keepdims, keepdim)
    raise DtypeError(f"norm: p must be 1, 2 or infinity, but {show(p)} came.")


def amax(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """The largest element over the axes; equal ones share the gradient.

    >>> kernel.amax(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([5., 7.])
    """
    return reduce_over(reduce.amax, x, axis, dim, keepdims, keepdim)


def amin(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """The smallest element over the axes; equal ones share the gradient.

    >>> kernel.amin(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([1., 3.])
    """
    return reduce_over(reduce.amin, x, axis, dim, keepdims, keepdim)


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
        return reduce_over(values, x, axis, None, keepdims, keepdim)
    if axis is not None:
        raise DtypeError(f"{values.name[1:]}: axis and dim are two names of one argument; give one of them.")
    if isinstance(dim, int | numpy.integer) and not isinstance(dim, bool):
        return reduce_over(with_index, x, dim, None, keepdims, keepdim)
    return apply(elementwise_op, x, dim)


def argmax(
    x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> Any:
    """Where the largest element stands along an axis, the first one on a tie; in the flattened tensor if axis is None.

    >>> kernel.argmax(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([1, 0])
    """
    return reduce_over(reduce.argmax, x, axis, dim, keepdims, keepdim)


def argmin(
    x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None, keepdim: bool = False
) -> Any:
    """Where the smallest element stands along an axis, the first one on a tie; in the flattened tensor if axis is None.

    >>> kernel.argmin(kernel.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=1)
    tensor([0, 1])
    """
    return reduce_over(reduce.argmin, x, axis, dim, keepdims, keepdim)


def all(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Whether every element is true.

    >>> kernel.all(kernel.tensor([True, False]))
    tensor(False)
    """
    return reduce_over(reduce.all_, x, axis, dim, keepdims, keepdim)


def any(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """Whether some element is true.

    >>> kernel.any(kernel.tensor([True, False]))
    tensor(True)
    """
    return reduce_over(reduce.any_, x, axis, dim, keepdims, keepdim)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool = False) -> Any:
    """log Σ e^x over the axes, computed around the maximum so that nothing overflows.

    >>> kernel.logsumexp(kernel.tensor([1000.0, 1000.0]))
    tensor(1000.6932)
    """
    return reduce_over(reduce.logsumexp, x, axis, dim, keepdims, keepdim)


def softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """e^x / Σ e^x along one axis (the last by default): positive, and 1 in sum.

    >>> kernel.softmax(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([0.09  , 0.2447, 0.6652])
    """
    where_ = axis_or_dim("softmax", axis, dim)
    return apply(reduce.softmax, x, axis=-1 if where_ is None else where_)


def log_softmax(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """x - log Σ e^x along one axis (the last by default): the logarithm of softmax, without its underflow.

    >>> kernel.log_softmax(kernel.tensor([1.0, 2.0, 3.0]))
    tensor([-2.4076, -1.4076, -0.4076])
    """
    where_ = axis_or_dim("log_softmax", axis, dim)
    return apply(reduce.log_softmax, x, axis=-1 if where_ is None else where_)


__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "softmax",
    "sum",
    "var",
]
