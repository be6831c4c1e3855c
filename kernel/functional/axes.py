"""How axes, sizes and numbers are given: NumPy's way, and PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy

from ..apply import apply
from ..errors import DtypeError, ShapeError, show
from ..op import normalise_axis

Axis = int | tuple[int, ...] | None


# NumPy's names for what its scalars ask of a tensor, where ours differ.
UFUNCS = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}


def axis_or_dim(name: str, axis: Any, dim: Any) -> Axis:
    """``axis`` and ``dim`` are one thing; a list is a tuple."""
    if dim is not None:
        if axis is not None:
            raise DtypeError(f"{name}: axis and dim are two names of one argument; give one of them.")
        axis = dim
    return whole_numbers(name, "axis", axis) if isinstance(axis, tuple | list) else axis


def whole_numbers(name: str, what: str, values: Any) -> tuple[int, ...]:
    """Whole numbers, exactly, as one tuple: (1.0, True) would equal (1, 1) and pass for it."""
    for value in values:
        if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | numpy.integer)):
            hint = "; a size that a graph does not know yet is None: write -1 for one of them" if value is None else ""
            raise DtypeError(f"{name}: {what} must be whole numbers, but {show(value)} came{hint}.")
    return tuple(map(int, values))


def python_number(value: Any) -> Any:
    """A number of NumPy as Python's, which does not widen what it meets; anything else as it is."""
    return value.item() if isinstance(value, numpy.generic) else value


def beside(x: Any, tensor: Any) -> Any:
    """``tensor`` as it stands beside x: beside a symbol it is one too, so that what is done to it is in the graph."""
    return x._of_tensor(tensor) if hasattr(type(x), "in_graph") and hasattr(tensor, "role") else tensor


def reduce_over(op: Any, x: Any, axis: Any, dim: Any, keepdims: Any, keepdim: Any, **more: Any) -> Any:
    """A reduction, with what the two libraries call its arguments."""
    if type(keepdims) is not bool or type(keepdim) is not bool:
        raise DtypeError(
            f"{op.name}: keepdims must be True or False, but {show(keepdim if keepdims is False else keepdims)} came."
        )
    return apply(op, x, axis=axis_or_dim(op.name, axis, dim), keepdims=keepdims or keepdim, **more)


def require_tensor(name: str, x: Any) -> None:
    """A DtypeError unless x is a tensor, or a symbol of one."""
    if not hasattr(type(x), "_apply"):
        raise DtypeError(f"{name}: a kernel tensor was expected, but {show(x)} came; kernel.tensor(…) makes one.")


def ndim_of(name: str, x: Any) -> int:
    """How many axes x has; a DtypeError if it is no tensor."""
    require_tensor(name, x)
    return x.ndim


def axis_of(name: str, axis: Any, ndim: int) -> int:
    """normalise_axis for a function that needs it before its operation."""
    try:
        return normalise_axis(axis, ndim)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {error}") from None


def sizes_of(name: str, sizes: tuple, what: str = "sizes") -> tuple[int, ...]:
    """Sizes (or axes) given one by one, or as one tuple or list."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = sizes[0]
    return whole_numbers(name, what, sizes)
