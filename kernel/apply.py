"""The one door through which every operation is called, whatever the programming style."""

from __future__ import annotations

from typing import Any

from .errors import DtypeError
from .op import Op


def apply(op: type[Op], *operands: Any, **attributes: Any) -> Any:
    """Hand ``op`` over to the class of its operands: a Tensor computes it now, a Symbol makes it a node of a graph.

    Args:
        op: the class that defines the operation.
        operands: tensors and Python numbers.
        attributes: what else the operation takes, such as ``axis``.

    >>> import kernel
    >>> from kernel.ops.elementwise import add
    >>> apply(add, kernel.tensor([1.0]), 2)
    tensor([3.])
    """
    for operand in operands:
        run = getattr(operand, "_apply", None)
        if run is not None:
            return run(op, operands, attributes)
    came = ", ".join(type(operand).__name__ for operand in operands) or "nothing"
    raise DtypeError(f"{op.name}: an operand must be a kernel tensor, but {came} came; kernel.tensor(…) makes one.")
