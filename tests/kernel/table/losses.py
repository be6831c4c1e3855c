"""Rows of kernel/ops/losses.py."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, kink, of_floats, rng, row, shape_error, truth, u, whole


def _reduced(losses: numpy.ndarray, reduction: str) -> Any:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _log_probabilities(logits: numpy.ndarray) -> numpy.ndarray:
    return logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))


def _distribution(rows: int, classes: int) -> numpy.ndarray:
    raw = rng.random((rows, classes)) + 0.1
    return raw / raw.sum(axis=1, keepdims=True)


row(
    "cross_entropy",
    lambda logits, labels, reduction="mean": _reduced(
        -_log_probabilities(logits)[range(len(labels)), labels.astype(int)], reduction
    ),
    lambda torch, logits, labels, reduction="mean": torch.nn.functional.cross_entropy(
        logits, labels.long(), reduction=reduction
    ),
    call(u(5, 3), whole(5, high=3)),
    call(u(5, 3), whole(5, high=3), reduction="sum"),
    call(u(5, 3), whole(5, high=3), reduction="none"),
    call(u(300, 4), whole(300, high=4).astype("uint8")),
    call(u(5, 3), whole(5, high=3).astype("int32")),
    call(u(1, 1), numpy.array([0])),
    call(u(0, 3), whole(0, high=3), reduction="none"),
    call(u(0, 3), whole(0, high=3), reduction="sum"),
    kink([[800.0, -800.0]], numpy.array([1])),
    shape_error("argument logits", "(B, C)", "(3,)", of=(u(3), whole(3))),
    shape_error("argument labels", "(5,)", "(5, 3)", "(4,)", of=(u(5, 3), whole(4, high=3))),
    shape_error("label", "3", "0 to 2", of=(u(2, 3), numpy.array([0, 3]))),
    shape_error("label", "-1", "0 to 2", of=(u(2, 3), numpy.array([0, -1]))),
    shape_error("no sample", of=(u(0, 3), whole(0))),
    dtype_error("labels", "float", ".long()", of=(u(2, 3), u(2))),
    dtype_error("logits", "float", "int64", of=(whole(2, 3), whole(2))),
    dtype_error("reduction", '"mean"', "'average'", of=(u(2, 3), whole(2)), reduction="average"),
    whole=False,
    boolean=False,
    tolerance=4,
)
row(
    "soft_cross_entropy",
    lambda logits, target, reduction="mean": _reduced(-(target * _log_probabilities(logits)).sum(axis=1), reduction),
    lambda torch, logits, target, reduction="mean": torch.nn.functional.cross_entropy(
        logits, target.to(logits.dtype), reduction=reduction
    ),
    call(u(5, 3), _distribution(5, 3)),
    call(u(5, 3), _distribution(5, 3), reduction="sum"),
    call(u(5, 3), _distribution(5, 3), reduction="none"),
    call(u(5, 3), u(5, 3)),
    call(u(2, 3), numpy.array([[0, 1, 0], [1, 0, 0]])),
    call(u(1, 1), numpy.array([[1.0]])),
    call(u(0, 3), u(0, 3), reduction="sum"),
    shape_error("argument logits", "(B, C)", "(3,)", of=(u(3), u(1, 3))),
    shape_error("argument target", "(5, 3)", "(5, 4)", of=(u(5, 3), u(5, 4))),
    shape_error("no sample", of=(u(0, 3), u(0, 3))),
    dtype_error("logits", "float", "int64", of=(whole(2, 3), u(2, 3))),
    dtype_error("reduction", '"mean"', "'average'", of=(u(2, 3), u(2, 3)), reduction="average"),
    whole=False,
    boolean=False,
    tolerance=4,
)
row(
    "nll_loss",
    lambda log_probabilities, labels, reduction="mean": _reduced(
        -log_probabilities[range(len(labels)), labels.astype(int)], reduction
    ),
    lambda torch, log_probabilities, labels, reduction="mean": torch.nn.functional.nll_loss(
        log_probabilities, labels.long(), reduction=reduction
    ),
    call(u(5, 3), whole(5, high=3)),
    call(u(5, 3), whole(5, high=3), reduction="sum"),
    call(u(5, 3), whole(5, high=3).astype("int32"), reduction="none"),
    call(u(300, 4), whole(300, high=4).astype("uint8")),
    call(u(0, 3), whole(0, high=3), reduction="sum"),
    shape_error("argument log_probabilities", "(B, C)", "(3,)", of=(u(3), whole(3))),
    shape_error("argument labels", "(5,)", "(5, 3)", "(4,)", of=(u(5, 3), whole(4, high=3))),
    shape_error("label", "-1", "0 to 2", of=(u(2, 3), numpy.array([0, -1]))),
    shape_error("no class", of=(u(2, 0), whole(2))),
    shape_error("no sample", of=(u(0, 3), whole(0))),
    dtype_error("labels", "float", ".long()", of=(u(2, 3), u(2))),
    dtype_error("log_probabilities", "float", "int64", of=(whole(2, 3), whole(2))),
    dtype_error("reduction", '"mean"', "3", of=(u(2, 3), whole(2)), reduction=3),
    whole=False,
    boolean=False,
)


def _misses(output: numpy.ndarray, labels: numpy.ndarray, top_n: int = 1) -> Any:
    order = numpy.argsort(-output, axis=1, kind="stable")[:, :top_n]
    missed = numpy.asarray([label not in row for label, row in zip(labels, order, strict=True)], "int64")
    return missed if top_n == 1 else missed.sum()


def _misses_of_torch(torch: Any, output: Any, labels: Any, top_n: int = 1) -> Any:
    order = torch.sort(output, dim=1, descending=True, stable=True).indices[:, :top_n]
    missed = (order != labels[:, None]).all(dim=1).long()
    return missed if top_n == 1 else missed.sum()


row(
    "classification_error",
    _misses,
    _misses_of_torch,
    call(u(5, 3), whole(5, high=3)),
    call(u(50, 6), whole(50, high=6), top_n=3),
    call(numpy.zeros((3, 3)), numpy.array([0, 1, 2])),
    call(numpy.zeros((3, 3)), numpy.array([0, 1, 2]), top_n=2),
    call(u(0, 3), whole(0, high=3)),
    call(u(4, 1), numpy.zeros(4, "int32")),
    shape_error("argument output", "(B, C)", "(3,)", of=(u(3), whole(3))),
    shape_error("label", "3", "0 to 2", of=(u(2, 3), numpy.array([0, 3]))),
    shape_error("top_n", "0", "3", of=(u(2, 3), whole(2, high=3)), top_n=0),
    shape_error("top_n", "4", "3", of=(u(2, 3), whole(2, high=3)), top_n=4),
    dtype_error("top_n", "1.5", of=(u(2, 3), whole(2, high=3)), top_n=1.5),
    dtype_error("labels", "float", of=(u(2, 3), u(2))),
    whole=False,
    boolean=False,
)


def _elementwise(
    name: str, reference: Any, samples: tuple, *entries: Any, twin: str | None = None, theirs: Any = None, **facts: Any
) -> None:
    """A row of a loss of predictions and targets of one shape; torch's function is that of the same name."""

    def reduced(predictions: Any, targets: Any, reduction: str = "mean", **attributes: Any) -> Any:
        found = reference(predictions, targets, **attributes)
        return found.sum() / len(found) if reduction == "batchmean" else _reduced(found, reduction)

    def of_torch(torch: Any, predictions: Any, targets: Any, reduction: str = "mean", **attributes: Any) -> Any:
        if theirs is None:
            function = getattr(torch.nn.functional, twin or name)
            return function(predictions, targets.to(predictions.dtype), reduction=reduction, **attributes)
        losses = theirs(torch, predictions, targets)
        if reduction == "batchmean":
            return losses.sum() / len(losses)
        return losses if reduction == "none" else getattr(losses, reduction)()

    predictions, targets = samples
    row(
        name,
        reduced,
        of_torch,
        of_floats(predictions(4, 3), targets(4, 3)),
        of_floats(predictions(4, 3), targets(4, 3), reduction="sum"),
        of_floats(predictions(2, 3, 2), targets(2, 3, 2), reduction="none"),
        of_floats(predictions(5), targets(5).round().astype("int64")),
        of_floats(predictions(), targets()),
        of_floats(predictions(0, 3), targets(0, 3), reduction="sum"),
        shape_error("argument targets", "(4, 1)", "(4,)", of=(predictions(4, 1), targets(4))),
        shape_error("argument targets", "(2, 3)", "(3,)", of=(predictions(2, 3), targets(3))),
        shape_error("no sample", "sum", of=(predictions(0, 3), targets(0, 3))),
        dtype_error("predictions", "float", "int64", of=(whole(3), whole(3))),
        dtype_error("argument targets", "number", of=(predictions(), 0.5)),
        dtype_error("reduction", '"mean"', "'average'", of=(predictions(3), targets(3)), reduction="average"),
        *entries,
        whole=False,
        boolean=False,
        **facts,
    )


def _above(*shape: int) -> numpy.ndarray:
    """Targets for ``u`` at least .05 above or below it, and at least .05 away from 1 below: huber's corner."""
    return rng.choice([-1.55, -0.6, 0.3, 1.4], shape)


def _near(*shape: int) -> numpy.ndarray:
    return numpy.asarray(u(*shape, low=-0.2, high=0.2))


def _probabilities(*shape: int) -> numpy.ndarray:
    return numpy.asarray(u(*shape, low=0.05, high=0.95))


def _logarithms(*shape: int) -> numpy.ndarray:
    return numpy.asarray(numpy.log(_probabilities(*shape)))


def _signs(*shape: int) -> numpy.ndarray:
    return numpy.asarray(rng.choice([-1.0, 1.0], shape))


_elementwise("mse_loss", lambda p, t: (p - t) ** 2, (u, u), tolerance=4)
_elementwise(
    "l1_loss",
    lambda p, t: abs(p - t),
    (_near, _above),
    kink([1.0, 2.0, 3.0], numpy.array([1.0, 2.5, 3.0])),
    gap=lambda p, t, **_: abs(p - t).min(initial=1),
)
_elementwise(
    "huber_loss",
    lambda p, t, delta=1.0: numpy.where(abs(p - t) <= delta, (p - t) ** 2 / 2, delta * (abs(p - t) - delta / 2)),
    (_near, _above),
    of_floats(_near(4, 3), _above(4, 3), delta=0.25),
    of_floats(_near(4, 3), _above(4, 3), delta=9, reduction="none"),
    kink([1.0, 2.0, 3.0], numpy.array([0.0, 3.0, 3.0])),
    dtype_error("delta", "0", of=(u(3), u(3)), delta=0),
    dtype_error("delta", "number", "'a'", of=(u(3), u(3)), delta="a"),
    gap=lambda p, t, delta=1.0, **_: abs(abs(p - t) - delta).min(initial=1),
    tolerance=4,
)
_elementwise(
    "binary_cross_entropy",
    lambda p, t: -t * numpy.log(p) - (1 - t) * numpy.log(1 - p),
    (_probabilities, _probabilities),
    kink([0.0, 1.0], numpy.array([0, 1]), reduction="none"),
    tolerance=10,
)
_elementwise(
    "binary_cross_entropy_with_logits",
    lambda x, t: t * numpy.log1p(numpy.exp(-x)) + (1 - t) * numpy.log1p(numpy.exp(x)),
    (u, _probabilities),
    kink([800.0, -800.0, 800.0, 0.0], numpy.array([1.0, 0.0, 0.0, 1.0]), reduction="none"),
    tolerance=4,
)
_elementwise(
    "kl_div",
    lambda q, t: t * (numpy.log(numpy.where(t == 0, 1, t)) - q),
    (_logarithms, _probabilities),
    of_floats(_logarithms(4, 3), _probabilities(4, 3), reduction="batchmean"),
    of_floats(_logarithms(2, 2), numpy.array([[1, 0], [0, 1]]), reduction="batchmean"),
    shape_error("batchmean", "()", of=(u(), u()), reduction="batchmean"),
    shape_error("no sample", of=(u(0, 2), u(0, 2)), reduction="batchmean"),
    dtype_error("reduction", '"batchmean"', "none", of=(u(3), u(3)), reduction="median"),
    # Torch's own "mean" warns that it is not the mean of the divergence.
    theirs=lambda torch, q, t: torch.nn.functional.kl_div(q, t.to(q.dtype), reduction="none"),
    tolerance=4,
)
_elementwise(
    "hinge_loss",
    lambda s, t: numpy.maximum(0, 1 - s * t),
    (u, _signs),
    kink([1.0, -1.0, 1.0], numpy.array([1.0, -1.0, -1.0])),
    gap=lambda s, t, **_: abs(1 - s * t).min(initial=1),
    theirs=lambda torch, s, t: torch.relu(1 - s * t),
    tolerance=4,
)


def _cosine(a: numpy.ndarray, b: numpy.ndarray, axis: int = -1, eps: float = 1e-8) -> numpy.ndarray:
    a, b = numpy.broadcast_arrays(a, b)
    lengths = (numpy.maximum(numpy.sqrt((x * x).sum(axis=axis)), eps) for x in (a, b))
    return (a * b).sum(axis=axis) / next(lengths) / next(lengths)


row(
    "cosine_similarity",
    _cosine,
    lambda torch, a, b, axis=-1, eps=1e-8: torch.nn.functional.cosine_similarity(a, b, dim=axis, eps=eps),
    of_floats(u(4, 3), u(4, 3)),
    of_floats(u(4, 3), u(3)),
    of_floats(u(2, 1, 3), u(5, 1), axis=1),
    of_floats(u(4, 1), u(1, 3), axis=0),
    of_floats(u(0, 3), u(0, 3)),
    kink([[0.0, 0.0], [1.0, 2.0]], numpy.array([[1.0, 2.0], [0.0, 0.0]])),
    shape_error("broadcast", "(2, 3)", "(4,)", of=(u(2, 3), u(4))),
    shape_error("axis 2", "2 axes", of=(u(2, 3), u(2, 3)), axis=2),
    dtype_error("axis", "whole number", of=(u(2, 3), u(2, 3)), axis=0.5),
    dtype_error("argument b", "number", of=(u(2, 3), 1.5)),
    dtype_error("eps", "-1", of=(u(2, 3), u(2, 3)), eps=-1),
    dtype_error("float", "bool", of=(truth(2, 3), truth(2, 3))),
    whole=False,
    boolean=False,
    tolerance=4,
)


def _counted(labels: numpy.ndarray, ignore: int | None) -> numpy.ndarray:
    return numpy.ones(len(labels), bool) if ignore is None else labels.astype(int) != ignore


def _torch_softmax_output(torch: Any, logits: Any, labels: Any, **options: Any) -> Any:
    """torch's softmax, with a backward that ignores what comes in, as MXNet's documentation has it."""
    scale, normalization = options.get("scale", 1.0), options.get("normalization", "null")
    counted = torch.tensor(_counted(labels.detach().numpy(), options.get("ignore")))

    class Output(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            y = torch.softmax(x, 1)
            context.save_for_backward(y)
            return y

        @staticmethod
        def backward(context: Any, _: Any) -> Any:
            (y,) = context.saved_tensors
            found = y.clone()
            for i, label in enumerate(labels.detach().long().tolist()):
                if counted[i]:
                    found[i, label] -= 1
                else:
                    found[i] = 0
            count = {"null": 1, "batch": max(len(y), 1), "valid": max(int(counted.sum()), 1)}[normalization]
            return found * scale / count

    return Output.apply(logits)


row(
    "softmax_output",
    lambda logits, labels, **options: numpy.exp(_log_probabilities(logits)),
    _torch_softmax_output,
    call(u(5, 3), whole(5, high=3)),
    call(u(5, 3), whole(5, high=3).astype("float64")),
    call(u(5, 3), whole(5, high=3), scale=0.5),
    call(u(5, 3), whole(5, high=3), normalization="batch", scale=2),
    call(u(5, 3), numpy.array([0, -1, 2, -1, 1]), ignore=-1),
    call(u(5, 3), numpy.array([0, 7, 2, 7, 1]), ignore=7, normalization="valid"),
    call(u(5, 3), numpy.array([0, 1, 2, 0, 1]), ignore=1, normalization="batch"),
    call(u(2, 3), numpy.array([7, 7]), ignore=7, normalization="valid"),
    call(u(0, 3), whole(0, high=3)),
    shape_error("argument logits", "(B, C)", "(3,)", of=(u(3), whole(3))),
    shape_error("argument labels", "(5,)", "(4,)", of=(u(5, 3), whole(4, high=3))),
    shape_error("label is 3", "0 to 2", of=(u(5, 3), numpy.array([0, 1, 2, 3, 0]))),
    shape_error("label is -1", "0 to 2", of=(u(5, 3), numpy.array([0, 1, 2, -1, 0]))),
    shape_error("no class", of=(u(5, 0), whole(5, high=1))),
    dtype_error("normalization", "'mean'", of=(u(5, 3), whole(5, high=3)), normalization="mean"),
    dtype_error("scale", "number", of=(u(5, 3), whole(5, high=3)), scale="2"),
    dtype_error("ignore", "whole number", of=(u(5, 3), whole(5, high=3)), ignore=1.0),
    dtype_error("float", "int64", of=(whole(5, 3), whole(5, high=3))),
    whole=False,
    boolean=False,
    tolerance=4,
)
