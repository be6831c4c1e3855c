"""What tensors and symbols are asked in the same words."""

from __future__ import annotations

from typing import Any


class Operand:
    """The base class of what operations are applied to: PyTorch's names for the dtypes, as conversions.

    >>> kernel.tensor([1.7]).long(), kernel.input_variable(2).double().dtype
    (tensor([1]), dtype('float64'))
    """

    __slots__ = ()

    def half(self) -> Any:
        """In float16."""
        return self.astype("float16")

    def float(self) -> Any:
        """In float32."""
        return self.astype("float32")

    def double(self) -> Any:
        """In float64."""
        return self.astype("float64")

    def int(self) -> Any:
        """In int32; fractions are cut off."""
        return self.astype("int32")

    def long(self) -> Any:
        """In int64; fractions are cut off."""
        return self.astype("int64")

    def bool(self) -> Any:
        """In bool: whether each number is not 0."""
        return self.astype("bool")
