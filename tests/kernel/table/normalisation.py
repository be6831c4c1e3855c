"""Rows of kernel/ops/normalisation.py."""

from __future__ import annotations

from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, row, shape_error, u, whole


def _column(values: Any, x: numpy.ndarray) -> Any:
    return values if isinstance(values, int) else values.reshape(-1, *(1,) * (x.ndim - 2))


def _standardised(x: numpy.ndarray, axes: tuple, eps: float) -> numpy.ndarray:
    return (x - numpy.mean(x, axis=axes, keepdims=True)) / numpy.sqrt(numpy.var(x, axis=axes, keepdims=True) + eps)


def _batch_norm(x: Any, scale: Any, bias: Any, eps: float = 1e-5) -> tuple:
    axes = (0, *range(2, x.ndim))
    y = _standardised(x, axes, eps) * _column(scale, x) + _column(bias, x)
    return y, numpy.mean(x, axis=axes), numpy.var(x, axis=axes, ddof=1)


def _torch_batch_norm(torch: Any, x: Any, scale: Any, bias: Any, eps: float = 1e-5) -> tuple:
    axes = (0, *range(2, x.ndim))
    weight, bias = (None if isinstance(t, int) else t for t in (scale, bias))
    y = torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return y, x.mean(axes), x.var(axes)


def _group_norm(x: Any, scale: Any, bias: Any, groups: int, eps: float = 1e-5) -> numpy.ndarray:
    parts = numpy.split(x, groups, axis=1)
    y = numpy.concatenate([_standardised(part, tuple(range(1, x.ndim)), eps) for part in parts], axis=1)
    return y * _column(scale, x) + _column(bias, x)


row(
    "batch_norm",
    _batch_norm,
    _torch_batch_norm,
    call(u(5, 3), u(3), u(3)),
    call(u(4, 3, 5), u(3), u(3)),
    call(u(4, 3, 2, 3), u(3), u(3)),
    call(u(2, 1, 2, 2), u(1), u(1), eps=0.1),
    call(u(1, 2, 3), u(2), u(2)),
    call(u(3, 2, 2, 1, 2), u(2), u(2)),
    call(u(4, 3, 2, 2), 1, 0),
    call(u(5, 3), u(3), 0),
    shape_error("argument x", "(N, C, …)", "(3,)", of=(u(3), u(3), u(3))),
    shape_error("argument scale", "(3,)", "(4,)", of=(u(5, 3), u(4), u(3))),
    shape_error("argument bias", "(3,)", "(1, 3)", of=(u(5, 3), u(3), u(1, 3))),
    shape_error("(1, 3)", "2", "variance", "training=False", of=(u(1, 3), u(3), u(3))),
    shape_error("(0, 3)", "variance", of=(u(0, 3), u(3), u(3))),
    dtype_error("eps", "0 or more", "-1", of=(u(5, 3), u(3), u(3)), eps=-1),
    dtype_error("float", "int64", of=(whole(5, 3), whole(3), whole(3))),
    whole=False,
    boolean=False,
    tolerance=16,
)
row(
    "normalise",
    lambda x, scale, bias, mean, variance, eps=1e-5: (
        (x - _column(mean, x)) / numpy.sqrt(_column(variance, x) + eps) * _column(scale, x) + _column(bias, x)
    ),
    lambda torch, x, scale, bias, mean, variance, eps=1e-5: (
        (x - _column(mean, x)) / torch.sqrt(_column(variance, x) + eps) * _column(scale, x) + _column(bias, x)
    ),
    call(u(5, 3), u(3), u(3), u(3), u(3, low=0.5)),
    call(u(4, 3, 5), u(3), u(3), u(3), u(3, low=0.5)),
    call(u(2, 3, 2, 3), u(3), u(3), u(3), u(3, low=0.5), eps=0.1),
    call(u(1, 3, 2, 3), 1, 0, u(3), u(3, low=0.5)),
    call(u(5, 3), u(3), 0, u(3), u(3, low=0.5)),
    call(u(0, 3), u(3), u(3), u(3), u(3, low=0.5)),
    shape_error("argument x", "(N, C, …)", "(3,)", of=(u(3), u(3), u(3), u(3), u(3))),
    shape_error("argument scale", "(3,)", "(4,)", of=(u(5, 3), u(4), u(3), u(3), u(3))),
    shape_error("argument running_mean", "(3,)", "(4,)", of=(u(5, 3), u(3), u(3), u(4), u(3))),
    shape_error("argument running_var", "(3,)", "(1, 3)", of=(u(5, 3), u(3), u(3), u(3), u(1, 3))),
    dtype_error("running_mean", "plain number", of=(u(5, 3), u(3), u(3), 0.0, u(3))),
    dtype_error("eps", "0 or more", "-1", of=(u(5, 3), u(3), u(3), u(3), u(3)), eps=-1),
    dtype_error("float", "int64", of=(whole(5, 3), whole(3), whole(3), whole(3), whole(3))),
    whole=False,
    boolean=False,
    tolerance=16,
)
row(
    "layer_norm",
    lambda x, scale, bias, shape, eps=1e-5: _standardised(x, tuple(range(-len(shape), 0)), eps) * scale + bias,
    lambda torch, x, scale, bias, shape, eps=1e-5: torch.nn.functional.layer_norm(
        x, shape, *(None if isinstance(t, int) else t for t in (scale, bias)), eps
    ),
    call(u(5, 4), u(4), u(4), shape=(4,)),
    call(u(2, 3, 4), u(4), u(4), shape=(4,)),
    call(u(2, 3, 4), u(3, 4), u(3, 4), shape=(3, 4), eps=0.1),
    call(u(6), u(6), u(6), shape=(6,)),
    call(u(5, 4), 1, 0, shape=(4,)),
    call(u(2, 3, 4), u(4), 0, shape=(4,)),
    call(u(0, 4), u(4), u(4), shape=(4,)),
    shape_error("argument x", "(5, 3)", "(5, 4)", of=(u(5, 4), u(3), u(3)), shape=(3,)),
    shape_error("argument x", "(2, 4)", "(4,)", of=(u(4), u(2, 4), u(2, 4)), shape=(2, 4)),
    shape_error("argument scale", "(4,)", "(3,)", of=(u(5, 4), u(3), u(4)), shape=(4,)),
    shape_error("argument bias", "(4,)", "(5, 4)", of=(u(5, 4), u(4), u(5, 4)), shape=(4,)),
    shape_error("no number", "(0,)", of=(u(5, 0), u(0), u(0)), shape=(0,)),
    dtype_error("normalized_shape", "4", of=(u(5, 4), u(4), u(4)), shape=4),
    dtype_error("eps", "number", "'a'", of=(u(5, 4), u(4), u(4)), shape=(4,), eps="a"),
    dtype_error("float", "int64", of=(whole(5, 3), whole(3), whole(3)), shape=(3,)),
    whole=False,
    boolean=False,
    tolerance=16,
)
row(
    "group_norm",
    _group_norm,
    lambda torch, x, scale, bias, groups, eps=1e-5: torch.nn.functional.group_norm(
        x, groups, *(None if isinstance(t, int) else t for t in (scale, bias)), eps
    ),
    call(u(3, 4), u(4), u(4), groups=2),
    call(u(3, 4, 5), u(4), u(4), groups=2),
    call(u(2, 6, 2, 3), u(6), u(6), groups=3, eps=0.1),
    call(u(2, 4, 2, 2), u(4), u(4), groups=1),
    call(u(2, 4, 2, 2), 1, 0, groups=4),
    call(u(0, 4, 2), u(4), u(4), groups=2),
    shape_error("groups", "4 channels", "3", of=(u(2, 4, 3), u(4), u(4)), groups=3),
    shape_error("groups", "1 or more", "0", of=(u(2, 4, 3), u(4), u(4)), groups=0),
    shape_error("argument x", "(N, C, …)", "(4,)", of=(u(4), u(4), u(4)), groups=2),
    shape_error("argument scale", "(4,)", "(2,)", of=(u(2, 4, 3), u(2), u(4)), groups=2),
    shape_error("no number", "(2, 4, 0)", of=(u(2, 4, 0), u(4), u(4)), groups=2),
    dtype_error("groups", "whole", "2.0", of=(u(2, 4, 3), u(4), u(4)), groups=2.0),
    dtype_error("float", "int64", of=(whole(5, 4), whole(4), whole(4)), groups=2),
    whole=False,
    boolean=False,
    tolerance=16,
)
