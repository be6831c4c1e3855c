"""Losses computed in one step with what they normalise: safer than the parts, and faster."""

from __future__ import annotations

from ..errors import DtypeError, ShapeError, show
from ..op import HALF, UNSIGNED, ArrayType, Op, broadcast, deliver, promote, require_float, spell, unify
from .reduce import in_dtype, over, total, wide

REDUCTIONS = ("mean", "sum", "none")


def _check(logits, reduction):
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise DtypeError(f'reduction must be "mean", "sum" or "none", but {show(reduction)} came.')
    require_float("logits", logits.dtype)
    if logits.shape is not None and logits.ndim != 2:
        raise ShapeError(
            f"argument logits should have shape (B, C), one row of C scores per sample, but it has shape "
            f"{spell(logits.shape)}; for one sample use logits.unsqueeze(0)."
        )


def _not_empty(shape, reduction):
    if shape is not None and shape[1] == 0:
        raise ShapeError(f"logits of shape {spell(shape)} hold no class to choose from; C must be 1 or more.")
    if reduction == "mean" and shape is not None and shape[0] == 0:
        raise ShapeError(
            f'logits of shape {spell(shape)} hold no sample, and nothing has no mean; use reduction="sum".'
        )


def _scaled(g, shape, reduction):
    """The gradient of each sample's loss, (B, 1) or a number: a mean divides by B."""
    if reduction == "none":
        return g.reshape(-1, 1)
    return over(g, shape[0]) if reduction == "mean" else g


def _reduce(xp, losses, reduction):
    if reduction == "none":
        return losses
    if losses.dtype == HALF:
        return _reduce(xp, wide(losses), reduction).astype(HALF)
    cost = xp.add.reduce(losses, 0)
    return cost / len(losses) if reduction == "mean" else cost


def _log_softmax(xp, logits):
    shifted = logits - xp.amax(logits, axis=1, keepdims=True)
    return shifted - xp.log(total(xp.exp(shifted), 1))


def _out(logits, reduction, dtype):
    if reduction != "none":
        return ArrayType((), dtype)
    return ArrayType((None,) if logits.shape is None else logits.shape[:1], dtype)


class cross_entropy(Op):
    """-log softmax(logits)[label] of each row: (B, C) and class indices (B,) -> () or, not reduced, (B,)."""

    residuals = ("exponentials", "sums", "chosen")
    reads = ("logits labels exponentials sums chosen", "")

    def infer(logits, labels, reduction="mean"):
        _check(logits, reduction)
        if labels.dtype not in ("int32", "int64", "uint8"):
            raise DtypeError(
                f"labels must be class indices of an integer dtype, but they are {labels.dtype}; convert them with "
                ".long(), or give soft labels of shape (B, C)."
            )
        _not_empty(logits.shape, reduction)
        rows = None if logits.shape is None else logits.shape[:1]
        shape = unify("argument labels", labels.shape, rows, f"logits has shape {spell(logits.shape)}")
        shape = (None,) if shape is None else shape
        inputs = logits if logits.shape is None else ArrayType((shape[0], logits.shape[1]), logits.dtype)
        return (inputs, ArrayType(shape, labels.dtype)), (_out(inputs, reduction, logits.dtype),)

    def forward(xp, logits, labels, out=None, reduction="mean"):
        n, classes = logits.shape
        # Seen as unsigned, a negative label is a huge one: one comparison finds both kinds, which indexing would not.
        if n and xp.read(labels.view(UNSIGNED[labels.dtype]).max()) >= classes:
            low, high = xp.read(labels.min()), xp.read(labels.max())
            wrong = low if low < 0 else high
            raise ShapeError(f"a label is {wrong}, but logits of shape {logits.shape} have classes 0 to {classes - 1}.")
        # Batch-last, (C, B): reductions run along the batch, and one flat index finds each sample's own class.
        scores = xp.ascontiguousarray(logits.T)
        chosen = xp.multiply(labels, n, dtype="int64")
        chosen += xp.positions((n,))[0]
        scores = scores - scores.max(axis=0)
        exponentials = xp.exp(scores)
        sums = xp.sum_rows(exponentials)
        losses = xp.log(sums)
        losses -= scores.reshape(-1)[chosen]
        loss = _reduce(xp, losses, reduction)
        return (loss if out is None else deliver(xp, loss, out[0]),), (exponentials, sums, chosen)

    def _logits(xp, g, y, logits, labels, exponentials, sums, chosen, reduction="mean"):
        if exponentials is None:  # second order: the probabilities must depend on the logits
            target = xp.one_hot(labels, logits.shape[1], dtype=logits.dtype)
            return _scaled(g, logits.shape, reduction) * (xp.softmax(logits, axis=1) - target)
        scale = g if reduction != "mean" else over(g, logits.shape[0])
        gradient = exponentials * (scale / sums)
        flat = gradient.reshape(-1)
        flat[chosen] -= scale
        return gradient.T

    vjp = (_logits, None)


class soft_cross_entropy(Op):
    """-Σ target · log softmax(logits) of each row: (B, C) and distributions (B, C) -> () or, not reduced, (B,)."""

    reads = ("logits target", "logits")

    def infer(logits, target, reduction="mean"):
        _check(logits, reduction)
        dtype = promote(logits.dtype, target.dtype)
        _not_empty(logits.shape, reduction)
        shape = unify("argument target", target.shape, logits.shape, f"logits has shape {spell(logits.shape)}")
        shape = shape if logits.shape is None else broadcast(logits.shape, shape)
        return (ArrayType(shape, dtype), ArrayType(shape, dtype)), (_out(ArrayType(shape, dtype), reduction, dtype),)

    def forward(xp, logits, target, out=None, reduction="mean"):
        dtype, logits, target = logits.dtype, wide(logits), wide(target)
        losses = -(_log_softmax(xp, logits) * target).sum(axis=1)
        return deliver(xp, in_dtype(dtype, _reduce(xp, losses, reduction)), out)

    def _logits(xp, g, y, logits, target, reduction="mean"):
        weight = total(target, 1)  # 1 for a distribution
        return _scaled(g, logits.shape, reduction) * (weight * xp.exp(_log_softmax(xp, logits)) - target)

    def _target(xp, g, y, logits, target, reduction="mean"):
        return -_scaled(g, logits.shape, reduction) * _log_softmax(xp, logits)

    vjp = (_logits, _target)
