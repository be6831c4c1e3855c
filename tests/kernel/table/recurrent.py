"""Rows of kernel/ops/recurrent.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from tests.kernel.table.entry import call, dtype_error, row, shape_error, u, whole


def _sigma(a: numpy.ndarray) -> numpy.ndarray:
    return 1 / (1 + numpy.exp(-a))


NUMPY = {"sigmoid": _sigma, "tanh": numpy.tanh, "relu": lambda a: numpy.where(a > 0, a, 0.0)}


def _filled(state: Any, x: numpy.ndarray, k: int) -> numpy.ndarray:
    return numpy.broadcast_to(state, (x.shape[1], k))


def _rnn(x: Any, h: Any, weight: Any, recurrent: Any, bias: Any, activation: str = "sigmoid") -> tuple:
    h, states = _filled(h, x, len(recurrent)), []
    for step in x:
        h = NUMPY[activation](step @ weight + h @ recurrent + bias)
        states.append(h)
    return numpy.stack(states), h


def _lstm(x: Any, h: Any, c: Any, weight: Any, recurrent: Any, bias: Any) -> tuple:
    k = len(recurrent)
    h, c, states = _filled(h, x, k), _filled(c, x, k), []
    for step in x:
        i, g, f, o = numpy.split(step @ weight + h @ recurrent + bias, 4, axis=1)
        c = _sigma(f) * c + _sigma(i) * numpy.tanh(g)
        h = _sigma(o) * numpy.tanh(c)
        states.append(h)
    return numpy.stack(states), h, c


def _gru(x: Any, h: Any, weight: Any, recurrent: Any, candidate: Any, bias: Any) -> tuple:
    k = len(recurrent)
    h, states = _filled(h, x, k), []
    for step in x:
        a = step @ weight + bias * numpy.ones(3 * k)
        z, r = numpy.split(_sigma(a[:, : 2 * k] + h @ recurrent), 2, axis=1)
        c = numpy.tanh(a[:, 2 * k :] + (h * r) @ candidate)
        h = (1 - z) * c + z * h
        states.append(h)
    return numpy.stack(states), h


def _tensor(torch: Any, value: Any, shape: tuple, like: Any) -> Any:
    return torch.full(shape, float(value), dtype=like.dtype) if isinstance(value, int | float) else value


def _torch_lstm(torch: Any, x: Any, h: Any, c: Any, weight: Any, recurrent: Any, bias: Any) -> tuple:
    """torch's own: gates in the order i, f, g, o, weights (4k, in), two biases, a leading axis of layers."""
    k, n = len(recurrent), x.shape[1]
    states = [_tensor(torch, state, (n, k), x).unsqueeze(0) for state in (h, c)]

    def permuted(t: Any) -> Any:
        i, g, f, o = t.split(k, dim=-1)
        return torch.cat((i, f, g, o), dim=-1).mT if t.ndim == 2 else torch.cat((i, f, g, o))

    bias = permuted(_tensor(torch, bias, (4 * k,), x))
    weights = [permuted(weight), permuted(recurrent), bias, torch.zeros_like(bias)]
    y, h, c = torch.lstm(x, states, weights, True, 1, 0.0, False, False, False)
    return y, h[0], c[0]


def _torch_rnn(
    torch: Any, x: Any, h: Any, weight: Any, recurrent: Any, bias: Any, activation: str = "sigmoid"
) -> tuple:
    """torch's own for tanh and relu; it has no logistic recurrent layer."""
    k, n = len(recurrent), x.shape[1]
    h, bias = _tensor(torch, h, (n, k), x), _tensor(torch, bias, (k,), x)
    if activation == "sigmoid":
        states = []
        for step in x:
            h = torch.sigmoid(step @ weight + h @ recurrent + bias)
            states.append(h)
        return torch.stack(states), h
    run = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu
    weights = [weight.T, recurrent.T, bias, torch.zeros_like(bias)]
    y, h = run(x, h.unsqueeze(0), weights, True, 1, 0.0, False, False, False)
    return y, h[0]


def _torch_gru(torch: Any, x: Any, h: Any, weight: Any, recurrent: Any, candidate: Any, bias: Any) -> tuple:
    """By hand: torch's GRU multiplies with r after the product with H1."""
    k, states = len(recurrent), []
    h = _tensor(torch, h, (x.shape[1], k), x)
    for step in x:
        a = step @ weight + _tensor(torch, bias, (3 * k,), x)
        z, r = torch.sigmoid(a[:, : 2 * k] + h @ recurrent).split(k, dim=1)
        c = torch.tanh(a[:, 2 * k :] + (h * r) @ candidate)
        h = (1 - z) * c + z * h
        states.append(h)
    return torch.stack(states), h


def _samples(make: Callable, **attributes: Any) -> list:
    """Several steps, one step, one sample, one number in the state, numbers for the initial state and the bias."""
    sizes = ((4, 3, 2, 5), (1, 3, 2, 5), (3, 1, 4, 2), (2, 2, 1, 1))
    return [call(*make(*size), **attributes) for size in sizes]


def _rnn_operands(steps: int, n: int, n_in: int, k: int, hidden: Any = None, bias: Any = None) -> tuple:
    hidden, bias = u(n, k) if hidden is None else hidden, u(k) if bias is None else bias
    return u(steps, n, n_in), hidden, u(n_in, k), u(k, k, low=-1, high=1), bias


def _lstm_operands(steps: int, n: int, n_in: int, k: int, hidden: Any = None, cell: Any = None, bias: Any = None):
    hidden, cell = u(n, k) if hidden is None else hidden, u(n, k) if cell is None else cell
    return u(steps, n, n_in), hidden, cell, u(n_in, 4 * k), u(k, 4 * k), u(4 * k) if bias is None else bias


def _gru_operands(steps: int, n: int, n_in: int, k: int, hidden: Any = None, bias: Any = None) -> tuple:
    hidden, bias = u(n, k) if hidden is None else hidden, u(3 * k) if bias is None else bias
    return u(steps, n, n_in), hidden, u(n_in, 3 * k), u(k, 2 * k), u(k, k), bias


row(
    "rnn",
    _rnn,
    _torch_rnn,
    *_samples(_rnn_operands),
    *_samples(_rnn_operands, activation="tanh"),
    *_samples(_rnn_operands, activation="relu"),
    call(*_rnn_operands(3, 2, 2, 3, hidden=0, bias=0)),
    call(*_rnn_operands(3, 2, 2, 3, hidden=0.5, bias=0), activation="tanh"),
    shape_error("argument x", "(T, N, in)", "(3, 2)", "unsqueeze(1)", of=(u(3, 2), *_rnn_operands(1, 3, 2, 4)[1:])),
    shape_error("no step", "T", "1 or more", of=(u(0, 3, 2), *_rnn_operands(1, 3, 2, 4)[1:])),
    shape_error("argument weight", "(2, 4)", "(4, 2)", of=(u(3, 2, 2), u(2, 4), u(4, 2), u(4, 4), 0)),
    shape_error("argument recurrent", "(4, 4)", "(5, 5)", of=(u(3, 2, 2), u(2, 4), u(2, 4), u(5, 5), 0)),
    shape_error("argument hidden", "(2, 4)", "(3, 4)", of=(u(3, 2, 2), u(3, 4), u(2, 4), u(4, 4), 0)),
    shape_error("argument bias", "(4,)", "(5,)", of=(u(3, 2, 2), u(2, 4), u(2, 4), u(4, 4), u(5))),
    dtype_error("activation", '"tanh"', "'swish'", of=_rnn_operands(1, 1, 1, 1), activation="swish"),
    dtype_error("float", "int64", of=(whole(3, 2, 2), whole(2, 4), whole(2, 4), whole(4, 4), 0)),
    whole=False,
    boolean=False,
    tolerance=8,
)
row(
    "lstm",
    _lstm,
    _torch_lstm,
    *_samples(_lstm_operands),
    call(*_lstm_operands(3, 2, 2, 3, hidden=0, cell=0, bias=0)),
    call(*_lstm_operands(3, 2, 2, 3, hidden=0.25, cell=-0.5)),
    shape_error("argument x", "(T, N, in)", "(3, 2)", of=(u(3, 2), *_lstm_operands(1, 3, 2, 4)[1:])),
    shape_error("no step", "T", "1 or more", of=(u(0, 3, 2), *_lstm_operands(1, 3, 2, 4)[1:])),
    shape_error("argument weight", "(2, 16)", "(2, 12)", of=(u(3, 2, 2), 0, 0, u(2, 12), u(4, 16), 0)),
    shape_error("argument recurrent", "(4, 16)", "(16, 4)", of=(u(3, 2, 2), u(2, 4), 0, u(2, 16), u(16, 4), 0)),
    shape_error("argument cell", "(2, 4)", "(2, 5)", of=(u(3, 2, 2), u(2, 4), u(2, 5), u(2, 16), u(4, 16), 0)),
    shape_error("argument bias", "(16,)", "4 gates", "(4,)", of=(u(3, 2, 2), 0, 0, u(2, 16), u(4, 16), u(4))),
    dtype_error("float", "int64", of=(whole(3, 2, 2), 0, 0, whole(2, 16), whole(4, 16), 0)),
    whole=False,
    boolean=False,
    tolerance=8,
)
row(
    "gru",
    _gru,
    _torch_gru,
    *_samples(_gru_operands),
    call(*_gru_operands(3, 2, 2, 3, hidden=0, bias=0)),
    call(*_gru_operands(3, 2, 2, 3, hidden=0.25)),
    shape_error("argument x", "(T, N, in)", "(3, 2)", of=(u(3, 2), *_gru_operands(1, 3, 2, 4)[1:])),
    shape_error("no step", "T", "1 or more", of=(u(0, 3, 2), *_gru_operands(1, 3, 2, 4)[1:])),
    shape_error("argument weight", "(2, 12)", "(2, 16)", of=(u(3, 2, 2), 0, u(2, 16), u(4, 8), u(4, 4), 0)),
    shape_error("argument recurrent", "(4, 8)", "(4, 12)", of=(u(3, 2, 2), 0, u(2, 12), u(4, 12), u(4, 4), 0)),
    shape_error("argument candidate", "(4, 4)", "(3, 4)", of=(u(3, 2, 2), 0, u(2, 12), u(4, 8), u(3, 4), 0)),
    dtype_error("float", "int64", of=(whole(3, 2, 2), 0, whole(2, 12), whole(4, 8), whole(4, 4), 0)),
    whole=False,
    boolean=False,
    tolerance=8,
)
