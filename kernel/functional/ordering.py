"""Functions in which the order along an axis matters."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..errors import DtypeError
from ..ops import ordering
from .axes import axis_or_dim, require_tensor
from .shape import flatten


def cumsum(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """y[i] = x[0] + … + x[i] along an axis; without one of all elements in a row, as in NumPy.

    Booleans and whole numbers are summed as int64.

    >>> kernel.cumsum(kernel.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([[1., 3.],
            [3., 7.]])
    """
    along = axis_or_dim("cumsum", axis, dim)
    if along is None:
        require_tensor("cumsum", x)
        return apply(ordering.cumsum, flatten(x), axis=0)
    return apply(ordering.cumsum, x, axis=along)


_BY_NAME = object()


def sort(x: Any, dim: Any = _BY_NAME, descending: bool = False, *, axis: int | None = None) -> Any:
    """The elements in order along one axis, the last by default, the smallest first.

    By the rule of this module ``sort(x, 1)`` and ``sort(x, dim=1)`` return the pair (values, indices), where each value
    is x at its index; ``sort(x, axis=1)`` the values alone. Equal elements keep their order, also ``descending``; nan
    counts as the largest.

    >>> x = kernel.tensor([3.0, 1.0, 2.0, 1.0])
    >>> kernel.sort(x)
    (tensor([1., 1., 2., 3.]), tensor([1, 3, 2, 0]))
    >>> kernel.sort(x, descending=True)
    (tensor([3., 2., 1., 1.]), tensor([0, 2, 1, 3]))
    >>> kernel.sort(x, axis=0)
    tensor([1., 1., 2., 3.])
    """
    if axis is None:
        return apply(ordering.sort, x, axis=-1 if dim is _BY_NAME else dim, descending=descending)
    if dim is not _BY_NAME:
        raise DtypeError("sort: axis and dim are two names of one argument; give one of them.")
    return apply(ordering.sort, x, axis=axis, descending=descending)[0]


def argsort(x: Any, axis: int | None = None, descending: bool = False, *, dim: int | None = None) -> Any:
    """The indices that put x in order along one axis, the last by default; equal elements keep their order.

    >>> kernel.argsort(kernel.tensor([3.0, 1.0, 2.0, 1.0]))
    tensor([1, 3, 2, 0])
    """
    along = axis_or_dim("argsort", axis, dim)
    return apply(ordering.sort, x, axis=-1 if along is None else along, descending=descending)[1]


def topk(x: Any, k: int, axis: int | None = None, largest: bool = True, *, dim: int | None = None) -> Any:
    """(values, indices) of the k largest (or smallest) elements along one axis, the last by default, in order.

    Of equal elements the first ones are taken.

    >>> kernel.topk(kernel.tensor([3.0, 1.0, 2.0, 3.0]), 2)
    (tensor([3., 3.]), tensor([0, 3]))
    """
    along = axis_or_dim("topk", axis, dim)
    return apply(ordering.topk, x, k=k, axis=-1 if along is None else along, largest=largest)


__all__ = [
    "argsort",
    "cumsum",
    "sort",
    "topk",
]
