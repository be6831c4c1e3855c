"""Losses.

Each takes what the model says first and what is true second. ``reduction`` is "mean" (over all losses) or "sum", or
"none" for the losses themselves. Predictions and targets have one shape: nothing is stretched, since (B, 1) against
(B,) would compare each prediction with each target.
"""

from __future__ import annotations

import math
from typing import Any

from ..apply import apply
from ..errors import DtypeError, ShapeError, show
from ..op import spell
from ..ops import losses
from .axes import ndim_of, python_number
from .reduce import argmax, logsumexp, sum


def cross_entropy(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits)[label], averaged over the batch: softmax, logarithm and choice in one safe step.

    Args:
        logits: scores (B, C), any numbers.
        labels: class indices (B,) of an integer dtype, or soft labels (B, C): one distribution per row, dense or a
            SparseTensor.
        reduction: "mean" or "sum" over the batch, or "none" for the B losses.

    Raises ShapeError for shapes that do not fit and for a label outside 0 … C - 1.

    >>> logits = kernel.tensor([[2.0, 0.0, 0.0]])
    >>> kernel.cross_entropy(logits, kernel.tensor([0]))
    tensor(0.2395)
    >>> kernel.cross_entropy(logits, kernel.tensor([[0.8, 0.1, 0.1]]))
    tensor(0.6395)
    """
    if getattr(labels, "ndim", 1) != 2:
        return apply(losses.cross_entropy, logits, labels, reduction=reduction)
    try:
        if hasattr(labels, "indptr"):
            parts = labels.data, labels.indices, labels.indptr
            return apply(losses.csr_cross_entropy, logits, *parts, shape=labels.shape, reduction=reduction)
        return apply(losses.soft_cross_entropy, logits, labels, reduction=reduction)
    except (ShapeError, DtypeError) as error:
        column = isinstance(error, ShapeError) and labels.shape[1] == 1
        hint = "; class indices have shape (B,), as labels.reshape(-1)." if column else "."
        raise type(error)(f"cross_entropy: {str(error).partition(': ')[2][:-1]}{hint}") from None


def softmax_output(
    logits: Any, labels: Any, scale: float = 1.0, normalization: str = "null", ignore: int | None = None
) -> Any:
    """softmax(logits) of each row, whose gradient is softmax - one_hot(labels), whatever comes from behind.

    MXNet's SoftmaxOutput: the probabilities come out, and backward is that of the cross-entropy, summed over the batch.

    Args:
        logits: scores (B, C).
        labels: class indices (B,), whole numbers or floats.
        scale: multiplies the gradient.
        normalization: "batch" divides the gradient by B, "valid" by the number of rows that count, "null" by nothing.
        ignore: a label whose rows get no gradient; None for none.

    Raises ShapeError for shapes that do not fit and for a label outside 0 … C - 1.

    >>> logits = kernel.tensor([[0.0, 0.0]], requires_grad=True)
    >>> probabilities = kernel.softmax_output(logits, kernel.tensor([1]))
    >>> probabilities.backward(kernel.ones_like(probabilities))
    >>> probabilities.detach(), logits.grad
    (tensor([[0.5, 0.5]]), tensor([[ 0.5, -0.5]]))
    """
    options = {"scale": python_number(scale), "normalization": normalization, "ignore": ignore}
    return apply(losses.softmax_output, logits, labels, **options)


def cross_entropy_with_softmax(output: Any, target: Any) -> Any:
    """logsumexp(output) - Σ target · output of each row: (B, C) and labels as for cross_entropy -> the B losses.

    CNTK's name and formula. For class indices, and for rows of ``target`` that sum to 1, it is
    ``cross_entropy(output, target, "none")``.

    >>> kernel.cross_entropy_with_softmax(kernel.tensor([[2.0, 0.0], [0.0, 2.0]]), kernel.tensor([0, 0]))
    tensor([0.1269, 2.1269])
    """
    found = cross_entropy(output, target, "none")
    if target.ndim == 1:
        return found
    return found + (1 - target.sum(1)) * logsumexp(output, 1)  # no rounding unless the row's sum is not 1


def nll_loss(log_probabilities: Any, labels: Any, reduction: str = "mean") -> Any:
    """-log_probabilities[label], averaged over the batch: what cross_entropy does after its log_softmax.

    Args:
        log_probabilities: (B, C), as log_softmax gives them.
        labels: class indices (B,) of an integer dtype.
        reduction: "mean" or "sum" over the batch, or "none" for the B losses.

    Raises ShapeError for shapes that do not fit and for a label outside 0 … C - 1.

    >>> kernel.nll_loss(kernel.log_softmax(kernel.tensor([[2.0, 0.0, 0.0]])), kernel.tensor([0]))
    tensor(0.2395)
    """
    return apply(losses.nll_loss, log_probabilities, labels, reduction=reduction)


def binary_cross_entropy(probabilities: Any, targets: Any, reduction: str = "mean") -> Any:
    """-t·log p - (1 - t)·log(1 - p) of each probability p and its target t.

    Each logarithm is at least -100, so that a wrong answer given with certainty costs 100 and not infinity, as in
    PyTorch. What is no probability, such as 1.5, gives nan; for scores take binary_cross_entropy_with_logits. CNTK's
    function of this name does not reduce: ``reduction="none"``.

    Args:
        probabilities: of any shape, each from 0 to 1.
        targets: of the same shape, from 0 to 1.
        reduction: "mean", "sum" or "none".

    >>> kernel.binary_cross_entropy(kernel.tensor([0.9, 0.2]), kernel.tensor([1, 0]), "none")
    tensor([0.1054, 0.2231])
    """
    return apply(losses.binary_cross_entropy, probabilities, targets, reduction=reduction)


def binary_cross_entropy_with_logits(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    """binary_cross_entropy(sigmoid(logits), targets) in one step, which neither overflows nor loses a small loss.

    >>> kernel.binary_cross_entropy_with_logits(kernel.tensor([0.0, 1000.0]), kernel.tensor([1, 0]), "none")
    tensor([   0.6931, 1000.    ])
    """
    return apply(losses.binary_cross_entropy_with_logits, logits, targets, reduction=reduction)


def mse_loss(predictions: Any, targets: Any, reduction: str = "mean") -> Any:
    """(prediction - target)², averaged over all elements.

    >>> kernel.mse_loss(kernel.tensor([1.0, 5.0]), kernel.tensor([1.0, 2.0]))
    tensor(4.5)
    """
    return apply(losses.mse_loss, predictions, targets, reduction=reduction)


def squared_error(output: Any, target: Any) -> Any:
    """Σ (output - target)² of each sample: (B, …) -> (B,). CNTK's name: a sum within the sample, no mean.

    >>> kernel.squared_error(kernel.tensor([[1.0, 2.0], [0.0, 3.0]]), kernel.zeros(2, 2))
    tensor([5., 9.])
    """
    found = mse_loss(output, target, "none")
    if found.ndim == 0:
        raise ShapeError("squared_error: output should have shape (B, …), but it has shape (); use mse_loss.")
    return found if found.ndim == 1 else sum(found, tuple(range(1, found.ndim)))


def l1_loss(predictions: Any, targets: Any, reduction: str = "mean") -> Any:
    """|prediction - target|, averaged over all elements; its slope at 0 is taken as 0.

    >>> kernel.l1_loss(kernel.tensor([1.0, 5.0]), kernel.tensor([1.0, 2.0]))
    tensor(1.5)
    """
    return apply(losses.l1_loss, predictions, targets, reduction=reduction)


def huber_loss(predictions: Any, targets: Any, delta: float = 1.0, reduction: str = "mean") -> Any:
    """d²/2 where |d| <= delta, and delta·(|d| - delta/2) beyond, of d = prediction - target; averaged.

    A parabola that goes on as a straight line, so that one outlier does not outweigh the rest.

    >>> kernel.huber_loss(kernel.tensor([0.5, 5.0]), kernel.tensor([0.0, 2.0]), reduction="none")
    tensor([0.125, 2.5  ])
    """
    return apply(losses.huber_loss, predictions, targets, reduction=reduction, delta=python_number(delta))


def smooth_l1_loss(predictions: Any, targets: Any, beta: float = 1.0, reduction: str = "mean") -> Any:
    """huber_loss with delta = beta, divided by beta: far from the target its slope is 1, whatever beta.

    >>> kernel.smooth_l1_loss(kernel.tensor([0.5, 5.0]), kernel.tensor([0.0, 2.0]), beta=0.5, reduction="none")
    tensor([0.25, 2.75])
    """
    beta = python_number(beta)
    if not isinstance(beta, int | float) or not 0 < beta < math.inf:
        raise DtypeError(f"smooth_l1_loss: beta must be a number above 0 and finite, but {show(beta)} came.")
    return huber_loss(predictions, targets, beta, reduction) / beta


def kl_div(log_probabilities: Any, target: Any, reduction: str = "mean") -> Any:
    """target·(log target - log_probability): summed, how far the model is from the distribution ``target``.

    The first operand holds logarithms and the second does not, as in PyTorch. 0·log 0 is 0. The divergence of
    distributions is the sum over a row: "mean" divides by the number of elements, which is not its mean;
    "batchmean" divides the sum by the number of rows, which is.

    Args:
        log_probabilities: of any shape, as log_softmax gives them.
        target: probabilities of the same shape.
        reduction: "mean", "batchmean", "sum" or "none".

    >>> p = kernel.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> q = kernel.tensor([[0.9, 0.1], [0.9, 0.1]])
    >>> kernel.kl_div(q.log(), p, "batchmean")
    tensor(0.3081)
    """
    return apply(losses.kl_div, log_probabilities, target, reduction=reduction)


def hinge_loss(scores: Any, targets: Any, reduction: str = "mean") -> Any:
    """max(0, 1 - target·score), averaged: nothing where the score is on the right side by 1 or more.

    Args:
        scores: of any shape; the sign is the model's answer.
        targets: of the same shape, -1 or 1 (not 0).
        reduction: "mean", "sum" or "none".

    >>> kernel.hinge_loss(kernel.tensor([2.0, 0.5, 0.5]), kernel.tensor([1, 1, -1]), "none")
    tensor([0. , 0.5, 1.5])
    """
    return apply(losses.hinge_loss, scores, targets, reduction=reduction)


def cosine_similarity(a: Any, b: Any, axis: int = -1, eps: float = 1e-8) -> Any:
    """a·b / (|a| |b|) along one axis: 1 for the same direction, 0 for right angles, -1 for opposite ones.

    Args:
        a, b: vectors along ``axis``; the shapes broadcast, so that one vector may be compared with many.
        axis: that of the vectors, of the shape to which both are stretched.
        eps: no length is taken to be below it, so that a vector of zeros has the similarity 0.

    >>> kernel.cosine_similarity(kernel.tensor([[3.0, 4.0], [0.0, 1.0]]), kernel.tensor([4.0, 3.0]))
    tensor([0.96, 0.6 ])
    """
    return apply(losses.cosine_similarity, a, b, axis=axis, eps=python_number(eps))


def cosine_distance(a: Any, b: Any) -> Any:
    """cosine_similarity of each sample, (B, D) -> (B,), by the name that CNTK gives it: 1 means near, not far.

    >>> kernel.cosine_distance(kernel.tensor([[3.0, 4.0]]), kernel.tensor([[3.0, 4.0]]))
    tensor([1.])
    """
    return cosine_similarity(a, b)


def classification_error(output: Any, target: Any, top_n: int = 1) -> Any:
    """1 where the highest score is not the label's, else 0: (B, C) -> (B,). Of equal scores the first is the highest.

    With ``top_n`` above 1 ONE number for the batch: how many labels are not among the top_n highest scores. Both as
    in CNTK. It counts, and has no gradient.

    Args:
        output: scores (B, C).
        target: class indices (B,), or rows (B, C) in which the label is the largest, dense or a SparseTensor.
        top_n: 1 … C.

    >>> scores = kernel.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    >>> kernel.classification_error(scores, kernel.tensor([1, 2]))
    tensor([0, 1])
    >>> kernel.classification_error(scores, kernel.tensor([1, 2]), top_n=2)
    tensor(0)
    """
    return apply(
        losses.classification_error, output, class_indices("classification_error", output, target), top_n=top_n
    )


def class_indices(name: str, output: Any, target: Any) -> Any:
    """``target`` as class indices (B,): itself, or where the largest element of each of its rows (B, C) stands."""
    if ndim_of(name, target) != 2:
        return target
    if ndim_of(name, output) == 2 and target.shape != output.shape:
        raise ShapeError(
            f"{name}: the labels should have shape {spell(output.shape)} or {spell(output.shape[:1])}, but they have "
            f"shape {spell(target.shape)}."
        )
    return argmax(target, 1)


__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "classification_error",
    "cosine_distance",
    "cosine_similarity",
    "cross_entropy",
    "cross_entropy_with_softmax",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "softmax_output",
    "squared_error",
]
