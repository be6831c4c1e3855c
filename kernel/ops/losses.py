"""Losses computed in one step with what they normalise: safer than the parts, and faster."""

from __future__ import annotations

import math

from ..errors import DtypeError, ShapeError, show
from ..op import (
    BOOL,
    DEFAULT_INTEGER,
    HALF,
    NUMBERS,
    ArrayType,
    Op,
    broadcast,
    deliver,
    normalise_axis,
    promote,
    require_float,
    require_number,
    require_whole,
    spell,
    unify,
)
from .elementwise import sigmoid
from .reduce import in_dtype, norm, over, reduced, softmax, total, wide
from .shape import outside
from .sparse import check_stored, require_matrix, require_stored

REDUCTIONS = ("mean", "sum", "none")


# --- what all losses share -------------------------------------------------------------------------------------------


def _check_reduction(reduction, known=REDUCTIONS):
    if not isinstance(reduction, str) or reduction not in known:
        names = ", ".join(f'"{name}"' for name in known[:-1])
        raise DtypeError(f'reduction must be {names} or "{known[-1]}", but {show(reduction)} came.')


def _need_tensors(**operands):
    for name, t in operands.items():
        if t.dtype in NUMBERS:
            raise DtypeError(f"argument {name} is a plain number; make it a tensor with kernel.tensor(…).")


def _need_samples(name, shape, reduction):
    if "mean" in reduction and shape is not None and 0 in shape:
        raise ShapeError(
            f'{name} of shape {spell(shape)} hold no sample, and nothing has no mean; use reduction="sum".'
        )


def _reduce(xp, losses, reduction):
    if reduction == "none":
        return losses
    if losses.dtype == HALF:
        return _reduce(xp, wide(losses), reduction).astype(HALF)
    cost = xp.add.reduce(losses, None)
    if reduction == "sum":
        return cost
    return cost / (losses.size if reduction == "mean" else len(losses))


def _each(g, shape, reduction):
    """The gradient of each single loss, a number or of the losses' ``shape``: a mean divides."""
    if reduction in ("none", "sum"):
        return g
    return over(g, math.prod(shape) if reduction == "mean" else shape[0])


def _out(shape, reduction, dtype):
    return ArrayType(shape if reduction == "none" else (), dtype)


# --- of scores for classes, one row for each sample ------------------------------------------------------------------


def _check_scores(name, scores, reduction):
    _check_reduction(reduction)
    require_float(name, scores.dtype)
    if scores.shape is not None and scores.ndim != 2:
        one = f"for one sample use {name}.unsqueeze(0)."
        many = "with permute make the classes the last axis, and rows of all others with reshape(-1, C)."
        raise ShapeError(
            f"argument {name} should have shape (B, C), one row of C scores per sample, but it has shape "
            f"{spell(scores.shape)}; {one if scores.ndim < 2 else many}"
        )


def _need_class(name, shape):
    if shape is not None and shape[1] == 0:
        raise ShapeError(f"{name} of shape {spell(shape)} hold no class to choose from; C must be 1 or more.")


def _of_labels(name, scores, labels, reduction):
    """What ``infer`` says of scores (B, C) called ``name`` and class indices (B,): (scores, labels), the B losses."""
    _check_scores(name, scores, reduction)
    if labels.dtype not in ("int32", "int64", "uint8"):
        came = "a plain number" if isinstance(labels.dtype, type) else labels.dtype
        soft = "" if name == "log_probabilities" else ", or give soft labels of shape (B, C)"
        raise DtypeError(
            f"labels must be class indices of an integer dtype, but they are {came}; convert them with .long(){soft}."
        )
    _need_class(name, scores.shape)
    rows = None if scores.shape is None else scores.shape[:1]
    _need_samples(name, scores.shape, reduction)
    shape = unify("argument labels", labels.shape, rows, f"{name} has shape {spell(scores.shape)}")
    shape = (None,) if shape is None else shape
    inputs = scores if scores.shape is None else ArrayType((shape[0], scores.shape[1]), scores.dtype)
    return (inputs, ArrayType(shape, labels.dtype)), shape


def _check_labels(xp, name, scores, labels):
    classes = scores.shape[1]
    wrong = outside(xp, labels, classes)  # indexing with a negative one would count from the end
    if wrong is not None:
        raise ShapeError(f"a label is {wrong}, but {name} of shape {scores.shape} have classes 0 to {classes - 1}.")


def _column(g, shape, reduction):
    """The gradient of each sample's loss, (B, 1) or a number."""
    share = _each(g, shape[:1], reduction)
    return share.reshape(-1, 1) if reduction == "none" else share


def _log_softmax(xp, logits):
    shifted = logits - xp.amax(logits, axis=1, keepdims=True)
    return shifted - xp.log(total(xp.exp(shifted), 1))


class cross_entropy(Op):
    """-log softmax(logits)[label] of each row: (B, C) and class indices (B,) -> () or, not reduced, (B,)."""

    residuals = ("exponentials", "sums", "chosen")
    reads = ("logits labels exponentials sums chosen", "")

    def infer(logits, labels, reduction="mean"):
        inputs, shape = _of_labels("logits", logits, labels, reduction)
        return inputs, (_out(shape, reduction, logits.dtype),)

    def forward(xp, logits, labels, out=None, reduction="mean"):
        _check_labels(xp, "logits", logits, labels)
        # Batch-last, (C, B): reductions run along the batch, and one flat index finds each sample's own class.
        scores = xp.ascontiguousarray(wide(logits).T)
        n = len(logits)
        chosen = xp.multiply(labels, n, dtype="int64")
        chosen += xp.positions((n,))[0]
        scores = scores - scores.max(axis=0)
        exponentials = xp.exp(scores)
        sums = xp.sum_rows(exponentials)
        losses = xp.log(sums)
        losses -= scores.reshape(-1)[chosen]
        loss = in_dtype(logits.dtype, _reduce(xp, losses, reduction))
        return (loss if out is None else deliver(xp, loss, out[0]),), (exponentials, sums, chosen)

    def _logits(xp, g, y, logits, labels, exponentials, sums, chosen, reduction="mean"):
        if exponentials is None:  # second order: the probabilities must depend on the logits
            target = xp.one_hot(labels, logits.shape[1], dtype=logits.dtype)
            return _column(g, logits.shape, reduction) * (xp.softmax(logits, axis=1) - target)
        share = _each(g, logits.shape[:1], reduction)
        gradient = exponentials * (share / sums)
        flat = gradient.reshape(-1)
        flat[chosen] -= share
        return gradient.T

    vjp = (_logits, None)


class softmax_output(Op):
    """softmax(logits) of each row, (B, C); and for a gradient softmax - one_hot(labels), whatever comes from behind.

    MXNet's last layer: output and loss in one. ``labels`` (B,) are class indices, also as floats; rows whose label is
    ``ignore`` get no gradient. It is multiplied by ``scale`` and, with ``normalization`` "batch", divided by B; with
    "valid" by the number of rows that are not ignored.
    """

    onnx = "Softmax"
    is_loss = once = True
    reads = ("y labels", "")

    def infer(logits, labels, scale=1.0, normalization="null", ignore=None):
        require_number("scale", scale)
        _check_reduction_of_output(normalization)
        if ignore is not None:
            require_whole("ignore", ignore)
        _check_scores("logits", logits, "sum")
        _need_class("logits", logits.shape)
        rows = None if logits.shape is None else logits.shape[:1]
        shape = unify("argument labels", labels.shape, rows, f"logits has shape {spell(logits.shape)}")
        if labels.dtype in NUMBERS or labels.dtype == BOOL:
            raise DtypeError(f"labels must be a tensor of class indices, but {labels.dtype} came.")
        return (logits, ArrayType((None,) if shape is None else shape, labels.dtype)), (logits,)

    def forward(xp, logits, labels, out=None, scale=1.0, normalization="null", ignore=None):
        index, _ = _indices(xp, labels, ignore)
        _check_labels(xp, "logits", logits, index)
        return softmax.forward(xp, logits, out=out, axis=1)

    def _logits(xp, g, y, logits, labels, scale=1.0, normalization="null", ignore=None):
        index, counted = _indices(xp, labels, ignore)
        gradient = y - (xp.positions((y.shape[1],))[0] == index[:, None])
        if counted is not None:
            gradient *= counted[:, None]
        if normalization == "valid" and counted is not None:
            return gradient * (scale / xp.maximum(counted.sum(), 1).astype(y.dtype))
        if normalization != "null":
            scale = scale / max(len(y), 1)
        return gradient if scale == 1 else gradient * scale

    vjp = (_logits, lambda xp, g, y, logits, labels, **options: xp.zeros(labels.shape, labels.dtype))


def _check_reduction_of_output(normalization):
    if not isinstance(normalization, str) or normalization not in ("null", "batch", "valid"):
        raise DtypeError(f'normalization must be "null", "batch" or "valid", but {show(normalization)} came.')


def _indices(xp, labels, ignore):
    """Labels as whole numbers, and which of them count, None for all; those that do not are 0."""
    index = labels if labels.dtype.kind in "iu" else labels.astype("int64")
    if ignore is None:
        return index, None
    counted = index != ignore
    return index * counted, counted


class soft_cross_entropy(Op):
    """-Σ target · log softmax(logits) of each row: (B, C) and distributions (B, C) -> () or, not reduced, (B,)."""

    reads = ("logits target", "logits")

    def infer(logits, target, reduction="mean"):
        _check_scores("logits", logits, reduction)
        dtype = promote(logits.dtype, target.dtype)
        _need_class("logits", logits.shape)
        shape = unify("argument target", target.shape, logits.shape, f"logits has shape {spell(logits.shape)}")
        shape = shape if logits.shape is None else broadcast(logits.shape, shape)
        _need_samples("logits", shape, reduction)
        rows = (None,) if shape is None else shape[:1]
        return (ArrayType(shape, dtype), ArrayType(shape, dtype)), (_out(rows, reduction, dtype),)

    def forward(xp, logits, target, out=None, reduction="mean"):
        dtype, logits, target = logits.dtype, wide(logits), wide(target)
        losses = -(_log_softmax(xp, logits) * target).sum(axis=1)
        return deliver(xp, in_dtype(dtype, _reduce(xp, losses, reduction)), out)

    def _logits(xp, g, y, logits, target, reduction="mean"):
        weight = total(target, 1)  # 1 for a distribution
        return _column(g, logits.shape, reduction) * (weight * xp.exp(_log_softmax(xp, logits)) - target)

    def _target(xp, g, y, logits, target, reduction="mean"):
        return -_column(g, logits.shape, reduction) * _log_softmax(xp, logits)

    vjp = (_logits, _target)


class csr_cross_entropy(Op):
    """soft_cross_entropy whose target (B, C) is a sparse matrix: data (E,), indices (E,) and indptr (B + 1,)."""

    residuals = ("rows",)
    reads = ("logits data indices rows", "logits indices rows", "", "")

    def infer(logits, data, indices, indptr, shape, reduction="mean"):
        _check_scores("logits", logits, reduction)
        require_matrix(shape)
        found = unify("argument logits", logits.shape, shape, f"the target has shape {spell(shape)}")
        _need_class("logits", found)
        _need_samples("logits", found, reduction)
        stored, starts = require_stored(data.shape, indices, indptr, shape[0])
        dtype = promote(logits.dtype, data.dtype)
        inputs = (
            ArrayType(found, dtype),
            ArrayType(stored, dtype),
            ArrayType(stored, indices.dtype),
            ArrayType(starts, indptr.dtype),
        )
        return inputs, (_out(shape[:1], reduction, dtype),)

    def forward(xp, logits, data, indices, indptr, out=None, shape=None, reduction="mean"):
        check_stored(xp, indices, indptr, shape[1])
        rows = xp.csr_rows(indptr, data.size)
        each = wide(data) * _log_softmax(xp, wide(logits))[rows, indices]
        losses = -xp.scatter_add(each, (rows,), shape[:1])
        loss = deliver(xp, in_dtype(data.dtype, _reduce(xp, losses, reduction)), None if out is None else out[0])
        return (loss,), (rows,)

    def _logits(xp, g, y, logits, data, indices, indptr, rows, shape, reduction="mean"):
        weight = xp.scatter_add(data, (rows,), shape[:1]).reshape(-1, 1)  # 1 for a distribution
        target = xp.scatter_add(data, (rows, indices), shape)
        return _column(g, shape, reduction) * (weight * xp.exp(_log_softmax(xp, logits)) - target)

    def _data(xp, g, y, logits, data, indices, indptr, rows, shape, reduction="mean"):
        share = xp.stretch(_column(g, shape, reduction), (shape[0], 1)).reshape(-1)
        return -share[rows] * _log_softmax(xp, logits)[rows, indices]

    vjp = (_logits, _data, None, None)


class nll_loss(Op):
    """-log_probabilities[label] of each row: (B, C) and class indices (B,) -> () or, not reduced, (B,)."""

    reads = ("labels", "")

    def infer(log_probabilities, labels, reduction="mean"):
        inputs, shape = _of_labels("log_probabilities", log_probabilities, labels, reduction)
        return inputs, (_out(shape, reduction, log_probabilities.dtype),)

    def forward(xp, log_probabilities, labels, out=None, reduction="mean"):
        _check_labels(xp, "log_probabilities", log_probabilities, labels)
        losses = -xp.gather(log_probabilities, 1, labels.reshape(-1, 1)).reshape(-1)
        return deliver(xp, _reduce(xp, losses, reduction), out)

    def _log_probabilities(xp, g, y, log_probabilities, labels, reduction="mean"):
        rows, classes = log_probabilities.shape
        share = xp.stretch(-_column(g, (rows, classes), reduction), (rows, 1))
        return xp.scatter_along_axis(share, labels.reshape(-1, 1), 1, (rows, classes))

    vjp = (_log_probabilities, None)


class classification_error(Op):
    """1 where the label has not the highest score, else 0: (B, C), (B,) -> (B,). Of equal scores the first is highest.

    With top_n above 1, how many labels are not among the top_n highest scores of their rows: one number for the batch.
    """

    vjp = (None, None)

    def infer(output, labels, top_n=1):
        inputs, shape = _of_labels("output", output, labels, "none")
        require_whole("top_n", top_n)
        classes = None if output.shape is None else output.shape[1]
        if top_n < 1 or (classes is not None and top_n > classes):
            raise ShapeError(f"top_n is {top_n}, but it must be from 1 to the number of classes, {classes or '?'}.")
        return inputs, (ArrayType(shape if top_n == 1 else (), DEFAULT_INTEGER),)

    def forward(xp, output, labels, out=None, top_n=1):
        _check_labels(xp, "output", output, labels)
        labels = labels.reshape(-1, 1)
        own = xp.gather(output, 1, labels)
        earlier = xp.positions((output.shape[1],))[0] < labels
        # Not "higher": a score that is nan beats, and is beaten by, every other.
        beaten = ~(output < own) & (earlier | (output != own))
        missed = (beaten.sum(axis=1) >= top_n).astype(DEFAULT_INTEGER)
        return deliver(xp, missed if top_n == 1 else missed.sum(), out)


# --- of two tensors of one shape, element by element -----------------------------------------------------------------


class ElementwiseLoss(Op, register=False):
    """A loss of each prediction and its target, two tensors of one shape -> () or, not reduced, that shape.

    No broadcasting: (B, 1) against (B,) would compare each prediction with each target.
    """

    reads = ("predictions targets", "predictions targets")

    def infer(predictions, targets, reduction="mean"):
        _check_reduction(reduction)
        return ElementwiseLoss._types(predictions, targets, reduction)

    def _types(predictions, targets, reduction):
        _need_tensors(predictions=predictions, targets=targets)
        require_float("the predictions", predictions.dtype)
        dtype = promote(predictions.dtype, targets.dtype)
        because = f"it holds one target for each prediction, and these have shape {spell(predictions.shape)}"
        shape = unify("argument targets", targets.shape, predictions.shape, because)
        if None not in (predictions.shape, shape):
            shape = broadcast(predictions.shape, shape)  # sizes that only one of them knows
        _need_samples("predictions", shape, reduction)
        return (ArrayType(shape, dtype), ArrayType(shape, dtype)), (_out(shape, reduction, dtype),)

    def _delivered(xp, losses, reduction, dtype, out):
        return deliver(xp, in_dtype(dtype, _reduce(xp, losses, reduction)), out)


def _of_difference(rule):
    """The rules of a loss of prediction - target alone: what pulls the one up pulls the other down."""
    return rule, lambda *arguments, **attributes: -rule(*arguments, **attributes)


class mse_loss(ElementwiseLoss):
    """(prediction - target)²."""

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        difference = wide(predictions) - wide(targets)
        return ElementwiseLoss._delivered(xp, difference * difference, reduction, predictions.dtype, out)

    def _slope(xp, g, y, predictions, targets, reduction="mean"):
        return 2 * _each(g, predictions.shape, reduction) * (predictions - targets)

    vjp = _of_difference(_slope)


class l1_loss(ElementwiseLoss):
    """|prediction - target|; its slope at 0 is taken as 0."""

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        losses = xp.absolute(wide(predictions) - wide(targets))
        return ElementwiseLoss._delivered(xp, losses, reduction, predictions.dtype, out)

    def _slope(xp, g, y, predictions, targets, reduction="mean"):
        return _each(g, predictions.shape, reduction) * xp.sign(predictions - targets)

    vjp = _of_difference(_slope)


class huber_loss(ElementwiseLoss):
    """d²/2 of d = prediction - target where |d| <= delta, and the line delta·(|d| - delta/2) beyond."""

    def infer(predictions, targets, reduction="mean", delta=1.0):
        require_number("delta", delta)
        if not 0 < delta < math.inf:
            raise DtypeError(f"delta must be above 0 and finite, but {show(delta)} came.")
        return ElementwiseLoss.infer(predictions, targets, reduction)

    def forward(xp, predictions, targets, out=None, reduction="mean", delta=1.0):
        difference = wide(predictions) - wide(targets)
        slope = xp.clip(difference, -delta, delta)
        return ElementwiseLoss._delivered(xp, slope * (difference - slope / 2), reduction, predictions.dtype, out)

    def _slope(xp, g, y, predictions, targets, reduction="mean", delta=1.0):
        return _each(g, predictions.shape, reduction) * xp.clip(predictions - targets, -delta, delta)

    vjp = _of_difference(_slope)


def _log(xp, probabilities):
    """log p, but -100 where that would be less: a wrong answer given with certainty costs much and not infinity."""
    nothing = probabilities == 0
    return xp.where(nothing, -100, xp.maximum(xp.log(xp.where(nothing, 1, probabilities)), -100))


class binary_cross_entropy(ElementwiseLoss):
    """-target·log p - (1 - target)·log(1 - p), each logarithm at least -100."""

    reads = ("predictions targets", "predictions")

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        p, t = wide(predictions), wide(targets)
        losses = (t - 1) * _log(xp, 1 - p) - t * _log(xp, p)
        return ElementwiseLoss._delivered(xp, losses, reduction, predictions.dtype, out)

    def _predictions(xp, g, y, predictions, targets, reduction="mean"):
        p = wide(predictions)
        # Away from infinity at 0 and 1, by as much as PyTorch.
        slope = (p - targets) / xp.maximum(p * (1 - p), 1e-12)
        return _each(g, predictions.shape, reduction) * slope

    def _targets(xp, g, y, predictions, targets, reduction="mean"):
        p = wide(predictions)
        return _each(g, predictions.shape, reduction) * (_log(xp, 1 - p) - _log(xp, p))

    vjp = (_predictions, _targets)


class binary_cross_entropy_with_logits(ElementwiseLoss):
    """The same of p = sigmoid(x): log(1 + e^-|x|) + max(x, 0) - target·x, where nothing overflows or is lost."""

    reads = ("predictions targets", "predictions")

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        x, t = wide(predictions), wide(targets)
        losses = xp.log1p(xp.exp(-xp.absolute(x))) + (xp.rectify(x) - t * x)
        return ElementwiseLoss._delivered(xp, losses, reduction, predictions.dtype, out)

    vjp = (
        lambda xp, g, y, predictions, targets, reduction="mean": (
            _each(g, predictions.shape, reduction) * (xp.apply(sigmoid, predictions) - targets)
        ),
        lambda xp, g, y, predictions, targets, reduction="mean": _each(g, predictions.shape, reduction) * -predictions,
    )


def _log_or_nothing(xp, target):
    """log target, and 0 where the target is 0, since what it is multiplied with is 0."""
    return xp.log(xp.where(target == 0, 1, target))


class kl_div(ElementwiseLoss):
    """target·(log target - prediction), the prediction being a logarithm; 0·log 0 is 0, and its slope taken as 1."""

    reads = ("targets", "predictions targets")

    def infer(predictions, targets, reduction="mean"):
        _check_reduction(reduction, ("mean", "batchmean", "sum", "none"))
        if reduction == "batchmean" and predictions.shape == ():
            raise ShapeError('predictions of shape () have no axis of samples for "batchmean"; use reduction="sum".')
        return ElementwiseLoss._types(predictions, targets, reduction)

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        t = wide(targets)
        losses = t * (_log_or_nothing(xp, t) - wide(predictions))
        return ElementwiseLoss._delivered(xp, losses, reduction, predictions.dtype, out)

    vjp = (
        lambda xp, g, y, predictions, targets, reduction="mean": -_each(g, predictions.shape, reduction) * targets,
        lambda xp, g, y, predictions, targets, reduction="mean": (
            _each(g, predictions.shape, reduction) * (_log_or_nothing(xp, targets) + 1 - predictions)
        ),
    )


class hinge_loss(ElementwiseLoss):
    """max(0, 1 - target·score) for targets -1 and 1; its slope at the corner is taken as 0."""

    def forward(xp, predictions, targets, out=None, reduction="mean"):
        losses = xp.rectify(1 - wide(targets) * wide(predictions))
        return ElementwiseLoss._delivered(xp, losses, reduction, predictions.dtype, out)

    vjp = (
        lambda xp, g, y, predictions, targets, reduction="mean": xp.gate(
            -targets * _each(g, predictions.shape, reduction), 1 - targets * predictions
        ),
        lambda xp, g, y, predictions, targets, reduction="mean": xp.gate(
            -predictions * _each(g, predictions.shape, reduction), 1 - targets * predictions
        ),
    )


# --- of two vectors --------------------------------------------------------------------------------------------------


class cosine_similarity(Op):
    """a·b / (|a| |b|) along one axis, no length below eps; a and b broadcast."""

    reads = ("a b y", "a b y")

    def infer(a, b, axis=-1, eps=1e-8):
        require_whole("axis", axis)
        require_number("eps", eps)
        if not 0 <= eps < math.inf:
            raise DtypeError(f"eps must be 0 or more and finite, but {show(eps)} came.")
        _need_tensors(a=a, b=b)
        dtype = promote(a.dtype, b.dtype)
        require_float("the operands of cosine_similarity", dtype)
        shape = broadcast(a.shape, b.shape)
        if shape is not None:
            normalise_axis(axis, len(shape))
        return (ArrayType(a.shape, dtype), ArrayType(b.shape, dtype)), (ArrayType(reduced(shape, axis, False), dtype),)

    def _together(xp, a, b):
        """Both stretched to their one shape: an axis of size 1 counts as often as the other's is long."""
        shape = broadcast(a.shape, b.shape)
        return xp.broadcast_to(wide(a), shape), xp.broadcast_to(wide(b), shape)

    def _length(xp, a, axis, eps):
        return xp.maximum(xp.apply(norm, a, axis=axis, keepdims=True), eps)

    def forward(xp, a, b, out=None, axis=-1, eps=1e-8):
        dtype = a.dtype
        a, b = cosine_similarity._together(xp, a, b)
        lengths = cosine_similarity._length(xp, a, axis, eps) * cosine_similarity._length(xp, b, axis, eps)
        return deliver(xp, in_dtype(dtype, (a * b / lengths).sum(axis=axis)), out)

    def _turn(xp, g, y, a, b, axis, eps):
        """The gradient in a: what of b stands across a, and where a has a length that counts."""
        g, y = xp.expand_dims(wide(g), axis), xp.expand_dims(wide(y), axis)
        length = cosine_similarity._length(xp, a, axis, eps)
        along = xp.where(length > eps, y / length, 0)
        return g / length * (b / cosine_similarity._length(xp, b, axis, eps) - along * a)

    def _a(xp, g, y, a, b, axis=-1, eps=1e-8):
        a, b = cosine_similarity._together(xp, a, b)
        return cosine_similarity._turn(xp, g, y, a, b, axis, eps)

    def _b(xp, g, y, a, b, axis=-1, eps=1e-8):
        a, b = cosine_similarity._together(xp, a, b)
        return cosine_similarity._turn(xp, g, y, b, a, axis, eps)

    vjp = (_a, _b)
