"""Losses."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..ops import losses


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
    return apply(losses.soft_cross_entropy if soft else losses.cross_entropy, logits, labels, reduction=reduction)


__all__ = [
    "cross_entropy",
]
