"""Metrics: what is reported of a model, never differentiated.

Each takes what the model says first and what is true second (scikit-learn has them the other way round), as tensors on
one device. A metric that is one number comes as a Python float: to refuse labels that are none the device is asked
anyway. Curves and counts come as tensors on that device, curves in float64. ``classification_error``, the count of
misses that CNTK reports, stands among the losses.

A share of nothing, 0/0, is 0, as in scikit-learn (which adds a warning); a curve of nothing is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import DtypeError, ShapeError, show
from .functional import argmax, argsort, concatenate, cumsum, flip, nonzero, ones_like, scatter_add, zeros_like
from .functional.axes import ndim_of
from .functional.losses import class_indices
from .op import is_float, require_sizes, require_whole, spell


def accuracy(output: Any, labels: Any) -> float:
    """The share of right answers: from 0 to 1.

    Args:
        output: scores (B, C), of which the largest is the answer (the first, of equal ones), or classes (B,).
        labels: class indices (B,), or rows (B, C) in which the label is the largest.

    >>> kernel.accuracy(kernel.tensor([[0.1, 0.9], [0.8, 0.2]]), kernel.tensor([1, 1]))
    0.5
    """
    answers, truth = _classes("accuracy", output, labels)
    return float((answers == truth).sum()) / len(truth)


def confusion_matrix(output: Any, labels: Any, classes: int | None = None) -> Any:
    """How often class j was the answer where class i was true, at [i, j]: (classes, classes), whole numbers.

    Args:
        output: scores (B, C), of which the largest is the answer, or classes (B,).
        labels: class indices (B,), or rows (B, C) in which the label is the largest.
        classes: how many there are; by default as many as there are scores, or as the largest class in sight asks for.

    >>> kernel.confusion_matrix(kernel.tensor([0, 1, 1]), kernel.tensor([0, 1, 0]))
    tensor([[1, 1],
            [0, 1]])
    """
    return _confusion("confusion_matrix", output, labels, classes)


def precision(predictions: Any, labels: Any, average: str = "binary") -> float:
    """Of those that were predicted 1 the share that is 1; 0 if none was predicted 1.

    Args:
        predictions: 0 or 1, or booleans such as ``scores > 0.5``: (N,).
        labels: 0 or 1, (N,).
        average: "binary", or "macro" for more classes: the mean over all that occur, each in turn taken as the 1.

    >>> kernel.precision(kernel.tensor([1, 1, 0, 0]), kernel.tensor([1, 0, 1, 1]))
    0.5
    """
    return _averaged("precision", predictions, labels, average, lambda hits, predicted, actual: _ratio(hits, predicted))


def recall(predictions: Any, labels: Any, average: str = "binary") -> float:
    """Of those that are 1 the share that was predicted 1; 0 if none is 1.

    Args:
        predictions: 0 or 1, or booleans such as ``scores > 0.5``: (N,).
        labels: 0 or 1, (N,).
        average: "binary", or "macro" for more classes: the mean over all that occur, each in turn taken as the 1.

    >>> kernel.recall(kernel.tensor([1, 1, 0, 0]), kernel.tensor([1, 0, 1, 1]))
    0.3333333333333333
    """
    return _averaged("recall", predictions, labels, average, lambda hits, predicted, actual: _ratio(hits, actual))


def f1_score(predictions: Any, labels: Any, average: str = "binary") -> float:
    """2 · precision · recall / (precision + recall), near the smaller of the two; 0 if nothing is or was predicted 1.

    Args:
        predictions: 0 or 1, or booleans such as ``scores > 0.5``: (N,).
        labels: 0 or 1, (N,).
        average: "binary", or "macro" for more classes: the mean over all that occur, each in turn taken as the 1.

    >>> kernel.f1_score(kernel.tensor([1, 1, 0, 0]), kernel.tensor([1, 0, 1, 1]))
    0.4
    """
    return _averaged(
        "f1_score", predictions, labels, average, lambda hits, predicted, actual: _ratio(2 * hits, predicted + actual)
    )


def precision_recall_curve(scores: Any, labels: Any) -> tuple[Any, Any, Any]:
    """(precision, recall, thresholds): what predicting 1 from each threshold on gives, thresholds rising.

    One threshold for each distinct score, so that equal scores are never told apart; after them, as in scikit-learn,
    the point of precision 1 and recall 0 where nothing is predicted 1: T + 1 points for T thresholds.

    Args:
        scores: the higher, the surer of 1, (N,); any numbers, since only their order counts.
        labels: 0 or 1, (N,). Raises ShapeError if none is 1, since recall would be a share of nothing.

    >>> scores, labels = kernel.tensor([0.1, 0.4, 0.35, 0.8]), kernel.tensor([0, 0, 1, 1])
    >>> for curve in kernel.precision_recall_curve(scores, labels):
    ...     print(curve.float())
    tensor([0.5   , 0.6667, 0.5   , 1.    , 1.    ])
    tensor([1. , 1. , 0.5, 0.5, 0. ])
    tensor([0.1 , 0.35, 0.4 , 0.8 ])
    """
    hits, misses, thresholds = _ranked("precision_recall_curve", scores, labels, need=(1,))
    share, found = hits / (hits + misses), hits / hits[-1]
    share = concatenate([flip(share, 0), ones_like(share[:1])])
    found = concatenate([flip(found, 0), zeros_like(found[:1])])
    return share, found, flip(thresholds, 0)


def roc_curve(scores: Any, labels: Any) -> tuple[Any, Any, Any]:
    """(false positive rate, true positive rate, thresholds): thresholds falling, from infinity, where nothing is 1.

    The false positive rate is the share of the zeros that are predicted 1, the true positive rate the recall. One point
    for each distinct score (scikit-learn's ``drop_intermediate=False``).

    Args:
        scores: the higher, the surer of 1, (N,); any numbers, since only their order counts.
        labels: 0 or 1, (N,). Raises ShapeError unless both occur, since each rate is a share of one of them.

    >>> scores, labels = kernel.tensor([0.1, 0.4, 0.35, 0.8]), kernel.tensor([0, 0, 1, 1])
    >>> for curve in kernel.roc_curve(scores, labels):
    ...     print(curve.float())
    tensor([0. , 0. , 0.5, 0.5, 1. ])
    tensor([0. , 0.5, 0.5, 1. , 1. ])
    tensor([ inf, 0.8 , 0.4 , 0.35, 0.1 ])
    """
    hits, misses, thresholds = _ranked("roc_curve", scores, labels, need=(0, 1))
    nothing = zeros_like(hits[:1])
    false, true = (concatenate([nothing, counts]) / counts[-1] for counts in (misses, hits))
    return false, true, concatenate([nothing + float("inf"), thresholds])


def pr_auc(scores: Any, labels: Any) -> float:
    """The area under the precision-recall curve, its points joined by straight lines (the trapezoid rule).

    1 for a perfect ranking; by chance about the share of ones. *Average precision*, which scikit-learn prefers, joins
    the points by steps instead: Σ (recall gained) · precision. Lines between points promise combinations of the two
    that no threshold gives, mostly a little too good; on many distinct scores the two agree.

    Args:
        scores: the higher, the surer of 1, (N,).
        labels: 0 or 1, (N,). Raises ShapeError if none is 1.

    >>> kernel.pr_auc(kernel.tensor([0.1, 0.4, 0.35, 0.8]), kernel.tensor([0, 0, 1, 1]))  # doctest: +ELLIPSIS
    0.7916666...
    """
    share, found, _ = precision_recall_curve(scores, labels)
    return _area(share, -found)


def roc_auc(scores: Any, labels: Any) -> float:
    """The area under the ROC curve: how likely a one, drawn by chance, has a higher score than a zero; a tie is half.

    1 for a perfect ranking, 0.5 by chance.

    Args:
        scores: the higher, the surer of 1, (N,).
        labels: 0 or 1, (N,). Raises ShapeError unless both occur.

    >>> kernel.roc_auc(kernel.tensor([0.1, 0.4, 0.35, 0.8]), kernel.tensor([0, 0, 1, 1]))
    0.75
    """
    false, true, _ = roc_curve(scores, labels)
    return _area(true, false)


def _area(height: Any, along: Any) -> float:
    """The area under points joined by straight lines, from left to right."""
    return float(((along[1:] - along[:-1]) * (height[1:] + height[:-1])).sum()) / 2


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _classes(name: str, output: Any, labels: Any) -> tuple[Any, Any]:
    """Answers and labels as class indices (B,), int64."""
    truth = class_indices(name, output, labels)
    answers = argmax(output, 1) if ndim_of(name, output) == 2 else output
    for what, found in (("output", answers), ("labels", truth)):
        if is_float(found.dtype):
            raise DtypeError(
                f"{name}: {what} (B,) should be classes, whole numbers or booleans, but they are {found.dtype}; scores "
                "become classes by a threshold, as in scores > 0.5."
            )
    _need_pairs(name, answers, truth, "output")
    return answers.long(), truth.long()


def _need_pairs(name: str, answers: Any, truth: Any, what: str) -> None:
    """Raise unless there is one label for each answer, and one at all."""
    for argument, found in ((what, answers), ("labels", truth)):
        if ndim_of(name, found) != 1:
            raise ShapeError(
                f"{name}: argument {argument} should have shape (N,), but it has shape {spell(found.shape)}."
            )
    if len(answers) != len(truth):
        raise ShapeError(
            f"{name}: argument labels should have shape {spell(answers.shape)} because {what} has, but it has shape "
            f"{spell(truth.shape)}."
        )
    if not len(truth):
        raise ShapeError(f"{name}: labels of shape (0,) hold no sample, and of nothing there is nothing to report.")


def _binary(name: str, what: str, values: Any) -> Any:
    """0 and 1 of any dtype as int64."""
    low, high = (values.min().item(), values.max().item()) if values.dtype != bool else (0, 1)
    for value in (low, high):
        if value not in (0, 1):
            raise ShapeError(f"{name}: {what} should be 0 or 1, but {value} came; make them so, as in {what} > 0.")
    found = values.long()
    if is_float(values.dtype) and bool((found != values).any()):
        raise ShapeError(
            f"{name}: {what} should be 0 or 1, but there are fractions between; a threshold makes them so."
        )
    return found


def _confusion(name: str, output: Any, labels: Any, classes: int | None = None) -> Any:
    answers, truth = _classes(name, output, labels)
    if classes is None:
        classes = output.shape[1] if output.ndim == 2 else 1 + max(int(answers.max()), int(truth.max()))
    require_whole(f"{name}: classes", classes)
    require_sizes(f"{name}: classes", (classes,))
    for what, found in (("an answer", answers), ("a label", truth)):
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= classes:
            wrong = low if low < 0 else high
            raise ShapeError(f"{name}: {what} is {wrong}, but there are classes 0 to {classes - 1}.")
    return scatter_add(ones_like(truth), (truth, answers), (classes, classes))


def _averaged(name: str, predictions: Any, labels: Any, average: str, score: Callable[[int, int, int], float]) -> float:
    """``score`` of how many are 1 and were predicted 1, were predicted 1, and are 1."""
    if not isinstance(average, str) or average not in ("binary", "macro"):
        raise DtypeError(f'{name}: average must be "binary" or "macro", but {show(average)} came.')
    if average == "binary":
        _need_pairs(name, predictions, labels, "predictions")
        answers, truth = _binary(name, "predictions", predictions), _binary(name, "labels", labels)
        return score(int((answers * truth).sum()), int(answers.sum()), int(truth.sum()))
    matrix = _confusion(name, predictions, labels)
    predicted, actual = matrix.sum(0).tolist(), matrix.sum(1).tolist()
    occurring = [k for k in range(len(actual)) if predicted[k] or actual[k]]
    return sum(score(matrix[k, k].item(), predicted[k], actual[k]) for k in occurring) / len(occurring)


def _ranked(name: str, scores: Any, labels: Any, need: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """(ones, zeros, thresholds): for each distinct score, falling, how many ones and zeros have it or a higher one."""
    _need_pairs(name, scores, labels, "scores")
    truth, scores = _binary(name, "labels", labels), scores.detach().double()
    if bool((scores != scores).any()):
        raise ShapeError(f"{name}: a score is nan, which has no place in an order; the model has probably diverged.")
    ones = int(truth.sum())
    for label, count in ((0, len(truth) - ones), (1, ones)):
        if label in need and not count:
            raise ShapeError(f"{name}: no label is {label}, and a share of none of them is no number.")
    order = argsort(scores, descending=True)
    ranked, truth = scores[order], truth[order]
    # Where a run of equal scores ends: a threshold takes all of it or nothing.
    ends = nonzero(concatenate([ranked[1:] != ranked[:-1], ranked[-1:] == ranked[-1:]]))[:, 0]
    hits = cumsum(truth, axis=0)[ends]
    return hits.double(), (ends + 1 - hits).double(), ranked[ends]


__all__ = [
    "accuracy",
    "confusion_matrix",
    "f1_score",
    "pr_auc",
    "precision",
    "precision_recall_curve",
    "recall",
    "roc_auc",
    "roc_curve",
]
