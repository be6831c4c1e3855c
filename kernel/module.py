"""What a layer is made of."""

from __future__ import annotations

from typing import Any

from .creation import tensor
from .tensor import Tensor, _of_kind


class Parameter(Tensor):
    """A tensor that is to be learned: a leaf that requires a gradient.

    >>> kernel.Parameter([1.0, 2.0])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data: Any, requires_grad: bool = True) -> Parameter:
        values = tensor(data)
        return _of_kind(values._array, values._kind, cls).requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
