"""Recurrent cells, one step of a sequence, and recurrent layers, all steps in one operation."""

from __future__ import annotations

import functools
from typing import Any

from ..apply import apply
from ..errors import DtypeError, ShapeError
from ..op import ArrayType
from ..ops import products
from ..ops import recurrent as sequences
from .axes import ndim_of
from .elementwise import relu, sigmoid, tanh
from .products import matmul
from .shape import split


def rnn_cell(x: Any, hidden: Any, weight: Any, recurrent: Any, bias: Any = None, activation: str = "sigmoid") -> Any:
    """h' = f(x W + h H + b), one step of the plainest recurrent network.

    Args:
        x: the input (N, in).
        hidden: h, the state before (N, k).
        weight: W (in, k).
        recurrent: H (k, k).
        bias: b (k,), or None.
        activation: f: "sigmoid", "tanh" or "relu".

    Raises ShapeError for sizes that do not fit together.

    >>> h = kernel.rnn_cell(kernel.ones(1, 2), kernel.zeros(1, 3), kernel.ones(2, 3), kernel.eye(3), activation="relu")
    >>> h
    tensor([[2., 2., 2.]])
    """
    try:
        sequences.require_activation(activation)
    except DtypeError as error:
        raise DtypeError(f"rnn_cell: {error}") from None
    _require_fit("rnn_cell", 1, x, {"hidden": hidden}, {"weight": (weight, 1), "recurrent": (recurrent, 1)}, bias)
    return {"sigmoid": sigmoid, "tanh": tanh, "relu": relu}[activation](_step(x, hidden, weight, recurrent, bias))


def lstm_cell(x: Any, hidden: Any, cell: Any, weight: Any, recurrent: Any, bias: Any = None) -> tuple[Any, Any]:
    """(h', c'): c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c') with [i g f o] = x W + h H + b.

    Hochreiter and Schmidhuber, Neural Computation 9 (1997); the gates stand in CNTK's order i, g, f, o.

    Args:
        x: the input (N, in).
        hidden: h, the state before (N, k); cell: c, likewise.
        weight: W (in, 4k).
        recurrent: H (k, 4k).
        bias: b (4k,), or None.

    Raises ShapeError for sizes that do not fit together.

    >>> zeros = kernel.zeros(1, 3)
    >>> h, c = kernel.lstm_cell(kernel.ones(1, 2), zeros, zeros, kernel.ones(2, 12), kernel.zeros(3, 12))
    >>> h
    tensor([[0.6083, 0.6083, 0.6083]])
    """
    matrices = {"weight": (weight, 4), "recurrent": (recurrent, 4)}
    _require_fit("lstm_cell", 4, x, {"hidden": hidden, "cell": cell}, matrices, bias)
    into, new, kept, shown = split(_step(x, hidden, weight, recurrent, bias), 4, axis=1)
    cell = sigmoid(kept) * cell + sigmoid(into) * tanh(new)
    return sigmoid(shown) * tanh(cell), cell


def gru_cell(x: Any, hidden: Any, weight: Any, recurrent: Any, candidate: Any, bias: Any = None) -> Any:
    """h' = (1 - z) c + z h, c = tanh(x Wc + bc + (h r) H1) with [z r] = sigmoid(x Wzr + h H + bzr).

    Cho et al., arXiv 1406.1078. As in CNTK r acts on h before the product with H1 (in PyTorch, after it), and the gates
    stand in the order z, r, c.

    Args:
        x: the input (N, in).
        hidden: h, the state before (N, k).
        weight: W = [Wz Wr Wc] (in, 3k).
        recurrent: H (k, 2k), for z and r.
        candidate: H1 (k, k).
        bias: b (3k,), or None.

    Raises ShapeError for sizes that do not fit together.

    >>> h = kernel.zeros(1, 3)
    >>> kernel.gru_cell(kernel.ones(1, 2), h, kernel.ones(2, 9), kernel.zeros(3, 6), kernel.zeros(3, 3))
    tensor([[0.1149, 0.1149, 0.1149]])
    """
    matrices = {"weight": (weight, 3), "recurrent": (recurrent, 2), "candidate": (candidate, 1)}
    k = _require_fit("gru_cell", 3, x, {"hidden": hidden}, matrices, bias)
    inputs = _affine(x, weight, bias)
    keep, reset = split(sigmoid(inputs[:, : 2 * k] + matmul(hidden, recurrent)), 2, axis=1)
    new = tanh(inputs[:, 2 * k :] + matmul(hidden * reset, candidate))
    return new + keep * (hidden - new)


def rnn(
    x: Any, hidden: Any, weight: Any, recurrent: Any, bias: Any = None, activation: str = "sigmoid"
) -> tuple[Any, Any]:
    """h' = f(x W + h H + b) over a whole sequence; returns (all h, the last h).

    It can be differentiated once; for second derivatives write the loop over ``rnn_cell``.

    Args:
        x: the sequence (T, N, in), time first.
        hidden: the initial state (N, k); None for 0, or a number that fills it.
        weight: W (in, k).
        recurrent: H (k, k).
        bias: b (k,), or None.
        activation: f: "sigmoid", "tanh" or "relu".

    Raises ShapeError for sizes that do not fit together and for T = 0.

    >>> states, last = kernel.rnn(kernel.ones(4, 1, 2), None, kernel.ones(2, 3), kernel.eye(3), activation="relu")
    >>> states.shape, last
    ((4, 1, 3), tensor([[8., 8., 8.]]))
    """
    return apply(sequences.rnn, x, _or_zero(hidden), weight, recurrent, _or_zero(bias), activation=activation)


def lstm(x: Any, hidden: Any, cell: Any, weight: Any, recurrent: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    """``lstm_cell`` over a whole sequence; returns (all h, the last h, the last c).

    It can be differentiated once; for second derivatives write the loop over ``lstm_cell``.

    Args:
        x: the sequence (T, N, in), time first.
        hidden: the initial h (N, k); None for 0, or a number that fills it; cell: the initial c, likewise.
        weight: W (in, 4k), the gates in the order i, g, f, o.
        recurrent: H (k, 4k).
        bias: b (4k,), or None.

    Raises ShapeError for sizes that do not fit together and for T = 0.

    >>> states, h, c = kernel.lstm(kernel.ones(4, 1, 2), None, None, kernel.ones(2, 12), kernel.zeros(3, 12))
    >>> states.shape, h
    ((4, 1, 3), tensor([[0.8748, 0.8748, 0.8748]]))
    """
    states = (_or_zero(hidden), _or_zero(cell))
    return apply(sequences.lstm, x, *states, weight, recurrent, _or_zero(bias))


def gru(x: Any, hidden: Any, weight: Any, recurrent: Any, candidate: Any, bias: Any = None) -> tuple[Any, Any]:
    """``gru_cell`` over a whole sequence; returns (all h, the last h).

    It can be differentiated once; for second derivatives write the loop over ``gru_cell``.

    Args:
        x: the sequence (T, N, in), time first.
        hidden: the initial state (N, k); None for 0, or a number that fills it.
        weight: W (in, 3k), the gates in the order z, r, c.
        recurrent: H (k, 2k), for z and r.
        candidate: H1 (k, k).
        bias: b (3k,), or None.

    Raises ShapeError for sizes that do not fit together and for T = 0.

    >>> weights = kernel.ones(2, 9), kernel.zeros(3, 6), kernel.zeros(3, 3)
    >>> states, last = kernel.gru(kernel.ones(4, 1, 2), None, *weights)
    >>> states.shape, last
    ((4, 1, 3), tensor([[0.3838, 0.3838, 0.3838]]))
    """
    return apply(sequences.gru, x, _or_zero(hidden), weight, recurrent, candidate, _or_zero(bias))


def _or_zero(operand: Any) -> Any:
    return 0 if operand is None else operand


def _affine(x: Any, weight: Any, bias: Any) -> Any:
    return matmul(x, weight) if bias is None else apply(products.linear, x, weight, bias, transposed=True)


def _step(x: Any, hidden: Any, weight: Any, recurrent: Any, bias: Any) -> Any:
    """x W + h H + b."""
    return _affine(x, weight, bias) + matmul(hidden, recurrent)


def _require_fit(name: str, gates: int, x: Any, states: dict, matrices: dict, bias: Any) -> int | None:
    """Raise unless the operands of a cell fit together: broadcasting would make something of many that do not."""
    ndim_of(name, x)
    for operand in (*states.values(), *(matrix for matrix, _ in matrices.values())):
        ndim_of(name, operand)
    if bias is not None:
        ndim_of(name, bias)
    return _fitting(
        name,
        gates,
        ArrayType(x.shape, x.dtype),
        tuple((key, ArrayType(t.shape, t.dtype)) for key, t in states.items()),
        tuple((key, ArrayType(t.shape, t.dtype), count) for key, (t, count) in matrices.items()),
        ArrayType((), int) if bias is None else ArrayType(bias.shape, bias.dtype),
    )


@functools.lru_cache(512)
def _fitting(name: str, gates: int, x: ArrayType, states: tuple, matrices: tuple, bias: ArrayType) -> int | None:
    """The size k of the state, worked out once for operands of these types."""
    weights = {key: (t, count) for key, t, count in matrices}
    try:
        return sequences.fit(gates, ("N", "in"), x, dict(states), weights, bias)[2]
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{name}: {error}") from None


__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn", "rnn_cell"]
