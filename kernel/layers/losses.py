"""Losses as layers, for those who keep one beside the model."""

from __future__ import annotations

from typing import Any

from .. import functional
from ..errors import RangeError, show
from ..module import Module

REDUCTIONS = ("mean", "sum", "none")


class CrossEntropyLoss(Module):
    """``cross_entropy`` as a layer: -log softmax(logits)[label], averaged over the batch.

    Args:
        reduction: "mean" or "sum" over the batch, or "none" for a loss of each sample.

    >>> criterion = kernel.layers.CrossEntropyLoss()
    >>> criterion(kernel.tensor([[2.0, 0.0, 0.0]]), kernel.tensor([0]))
    tensor(0.2395)
    """

    def __init__(self, reduction: str = "mean"):
        if reduction not in REDUCTIONS:
            raise RangeError(
                f"CrossEntropyLoss: reduction should be one of {', '.join(map(repr, REDUCTIONS))}, but "
                f"{show(reduction)} came."
            )
        self.reduction = reduction

    def forward(self, logits: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits, labels, self.reduction)

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction}"
