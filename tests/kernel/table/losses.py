"""Rows of kernel/ops/losses.py."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, kink, rng, row, shape_error, u, whole


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
