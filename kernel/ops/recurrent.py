"""Recurrent layers over whole sequences: one operation walks through the T steps, and its rules walk back.

Sequences are (T, N, in), time first, as in PyTorch. Weights are (in, gates · k) and (k, gates · k), one matrix for all
gates, as in CNTK. Initial states are (N, k), or a number that fills them. What makes the walks fast:

- Memory is batch-last within a step: each gate is one contiguous slab (k, N).
- What a step multiplies stands together in one matrix (k + in + 1, N): the state before it, its input, and a 1 for the
  bias. A step is one product, and the gradient of all weights is one product over all steps.
- The logistic function is a tanh, sigmoid(a) = ½ tanh(½ a) + ½, so that one tanh serves all gates of a step.
"""

from __future__ import annotations

from ..errors import DtypeError, ShapeError, show
from ..op import NUMBERS, ArrayType, Op, deliver, promote, require_float, spell, unify
from .reduce import in_dtype, wide, widened


def require_activation(activation):
    """Raise unless it is the name of one that a plain recurrent layer may have."""
    if not isinstance(activation, str) or activation not in ("sigmoid", "tanh", "relu"):
        raise DtypeError(f'activation must be "sigmoid", "tanh" or "relu", but {show(activation)} came.')


def fit(gates, axes, x, states, matrices, bias):
    """(dtype, types, k): the operands' types with every size that another one decides; a ShapeError where two disagree.

    Args:
        gates: their number; axes: the names of those of x.
        states: the initial states by name.
        matrices: (type, number of gates that it serves) by name; the weights of the input first.
    """
    weights = [t for t, _ in matrices.values()]
    dtype = promote(*(t.dtype for t in (x, *states.values(), *weights, bias)))
    require_float("the operands", dtype)
    if x.shape is not None and x.ndim != len(axes):
        raise ShapeError(
            f"argument x should have shape ({', '.join(axes)}), but it has shape {spell(x.shape)}; for one sample add "
            f"the axis N with x.unsqueeze({len(axes) - 2})."
        )
    arrays = {name: t for name, t in states.items() if t.dtype not in NUMBERS}
    first, *others = matrices.values()
    n = _first(_size(x, -2), *(_size(t, 0) for t in arrays.values()))
    n_in = _first(_size(x, -1), _size(first[0], 0))
    k = _first(
        *(_size(t, 1) for t in arrays.values()), *(_size(t, 0) for t, _ in others), _part(_size(first[0], 1), gates)
    )
    because = f"x has shape {spell(x.shape)}, a state has {'k' if k is None else k} numbers and there are {gates} gates"
    because = because.replace("there are 1 gates", "there is one gate")
    steps = () if len(axes) == 2 else (None if x.shape is None else x.shape[0],)
    types = [ArrayType((*steps, n, n_in), dtype)]
    for name, t in states.items():
        types.append(t if name not in arrays else _typed(name, t, (n, k), because, dtype))
    for (name, (t, count)), rows in zip(matrices.items(), (n_in, *(k for _ in others)), strict=True):
        types.append(_typed(name, t, (rows, None if k is None else count * k), because, dtype))
    if bias.dtype in NUMBERS:
        types.append(bias)
    else:
        types.append(_typed("bias", bias, (None if k is None else gates * k,), because, dtype))
    return dtype, tuple(types), k


def _typed(name, t, shape, because, dtype):
    return ArrayType(unify(f"argument {name}", t.shape, shape, because), dtype)


def _first(*sizes):
    return next((size for size in sizes if size is not None), None)


def _size(t, axis):
    if t.shape is None or (len(t.shape) < -axis if axis < 0 else len(t.shape) != 2):
        return None  # of what is no matrix no size is to be trusted
    return t.shape[axis]


def _part(size, gates):
    return None if size is None else size // gates


def _sequence(gates, x, states, matrices, bias, count):
    """infer of an operation whose outputs are all hidden states and ``count`` last states."""
    if x.shape is not None and len(x.shape) == 3 and x.shape[0] == 0:
        raise ShapeError(f"x of shape {spell(x.shape)} has no step, and so no last state; T must be 1 or more.")
    dtype, types, k = fit(gates, ("T", "N", "in"), x, states, matrices, bias)
    steps, n, _ = types[0].shape
    return types, (ArrayType((steps, n, k), dtype), *(ArrayType((n, k), dtype) for _ in range(count)))


def _joined(xp, x, hidden, k, below=0):
    """(T + 1, k + in + 1 + below, N): the state before each step, its input and 1. Later states are still to come."""
    steps, n, n_in = x.shape
    joined = xp.empty((steps + 1, k + n_in + 1 + below, n), x.dtype)
    joined[0, :k] = _slab(hidden)
    joined[:-1, k : k + n_in] = x.transpose(0, 2, 1)
    joined[:, k + n_in] = 1
    joined[-1, k:] = 0  # after the last step nothing is multiplied
    return joined


def _slab(state):
    """A state (N, k) as the memory of a step holds it, (k, N)."""
    return state if isinstance(state, int | float) else state.T


def _stacked(xp, upper, lower, bias):
    """The weights of one product: two matrices, and the bias, one above the other."""
    rows = len(upper)
    stacked = xp.empty((rows + len(lower) + 1, upper.shape[1]), upper.dtype)
    stacked[:rows] = upper
    stacked[rows:-1] = lower
    stacked[-1] = bias
    return stacked


def _outputs(xp, dtype, out, joined, k, *more):
    """The outputs (all hidden states, the last one, what else is last) of what was computed batch-last."""
    found = (joined[1:, :k].copy().transpose(0, 2, 1), joined[-1, :k].copy().T, *(slab.copy().T for slab in more))
    found = tuple(in_dtype(dtype, y) for y in found)
    return found if out is None else tuple(map(deliver, (xp,) * len(found), found, out))


def _incoming(xp, g):
    """The gradients of the outputs, batch-last: (T, k, N), and (k, N) for each last state, to be written into."""
    sequence, *last = map(wide, g)
    return xp.ascontiguousarray(sequence.transpose(0, 2, 1)), *(part.T.copy() for part in last)


def _over_time(xp, joined, deltas):
    """The gradient of all weights: what the steps multiplied, with the gradients of what came out, in one product."""
    steps, columns, n = deltas.shape
    inputs = xp.ascontiguousarray(joined[:-1].transpose(1, 0, 2)).reshape(joined.shape[1], steps * n)
    return inputs.dot(xp.ascontiguousarray(deltas.transpose(0, 2, 1)).reshape(steps * n, columns))


def _to_inputs(xp, weight, deltas):
    """The gradient of x, (T, N, in), from that of what the gates are functions of, (T, gates · k, N)."""
    return xp.matmul(wide(weight), deltas).transpose(0, 2, 1)


class rnn(Op):
    """h' = f(x W + h H + b): (T, N, in), (N, k), (in, k), (k, k), (k,) -> all h (T, N, k), the last (N, k)."""

    onnx = "RNN"
    once = True
    outputs = 2
    residuals = ("joined",)
    reads = ("weight recurrent joined", *("recurrent joined",) * 4)

    def infer(x, hidden, weight, recurrent, bias, activation="sigmoid"):
        require_activation(activation)
        matrices = {"weight": (weight, 1), "recurrent": (recurrent, 1)}
        return _sequence(1, x, {"hidden": hidden}, matrices, bias, 1)

    def forward(xp, x, hidden, weight, recurrent, bias, out=None, activation="sigmoid"):
        dtype, k = x.dtype, len(recurrent)
        x, hidden, weight, recurrent, bias = widened(x, hidden, weight, recurrent, bias)
        joined = _joined(xp, x, hidden, k)
        weights = _stacked(xp, recurrent, weight, bias)
        if activation == "sigmoid":
            weights *= 0.5
        product, squash = weights.T, xp.rectify if activation == "relu" else xp.tanh
        for t in range(len(x)):
            state = joined[t + 1, :k]
            product.dot(joined[t], out=state)
            squash(state, out=state)
            if activation == "sigmoid":
                state *= 0.5
                state += 0.5
        return _outputs(xp, dtype, out, joined, k), (joined,)

    def shared(xp, g, y, x, hidden, weight, recurrent, bias, joined, activation="sigmoid"):
        k, recurrent = len(recurrent), wide(recurrent)
        incoming, back = _incoming(xp, g)
        states = joined[1:, :k]
        if activation == "relu":
            deltas = (states > 0).astype(states.dtype)
        else:
            deltas = states * states
            xp.subtract(states if activation == "sigmoid" else 1, deltas, out=deltas)
        for t in range(len(deltas) - 1, -1, -1):
            delta = deltas[t]
            back += incoming[t]
            delta *= back
            recurrent.dot(delta, out=back)
        return deltas, _over_time(xp, joined, deltas), back

    vjp = (
        lambda xp, g, y, x, hidden, weight, *_, **__: _to_inputs(xp, weight, g[0]),
        lambda xp, g, *_, **__: g[2].T,
        lambda xp, g, y, x, hidden, weight, recurrent, *_, **__: g[1][len(recurrent) : -1],
        lambda xp, g, y, x, hidden, weight, recurrent, *_, **__: g[1][: len(recurrent)],
        lambda xp, g, *_, **__: g[1][-1],
    )


class lstm(Op):
    """c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c') with [i g f o] = x W + h H + b.

    (T, N, in), (N, k), (N, k), (in, 4k), (k, 4k), (4k,) -> all h (T, N, k), the last h and the last c (N, k).
    """

    onnx = "LSTM"
    once = True
    outputs = 3
    residuals = ("joined", "gates", "cells", "squashed")
    reads = ("weight recurrent joined gates cells squashed", *("recurrent joined gates cells squashed",) * 5)

    def infer(x, hidden, cell, weight, recurrent, bias):
        matrices = {"weight": (weight, 4), "recurrent": (recurrent, 4)}
        return _sequence(4, x, {"hidden": hidden, "cell": cell}, matrices, bias, 2)

    def forward(xp, x, hidden, cell, weight, recurrent, bias, out=None):
        dtype, k = x.dtype, len(recurrent)
        x, hidden, cell, weight, recurrent, bias = widened(x, hidden, cell, weight, recurrent, bias)
        steps, n, _ = x.shape
        joined = _joined(xp, x, hidden, k)
        stacked = xp.empty((steps, 4 * k, n), x.dtype)
        gates = stacked.reshape(steps, 4, k, n)
        cells = xp.empty((steps + 1, k, n), x.dtype)
        squashed = xp.empty((steps, k, n), x.dtype)
        cells[0] = _slab(cell)
        weights = _stacked(xp, recurrent, weight, bias)
        half = xp.asarray(0.5, x.dtype)
        for logistic in (weights[:, :k], weights[:, 2 * k :]):
            logistic *= half
        product = weights.T
        added = xp.empty((k, n), x.dtype)
        for t in range(steps):
            gate, after = gates[t], cells[t + 1]
            product.dot(joined[t], out=stacked[t])
            xp.tanh(gate, out=gate)
            for logistic in (gate[0], gate[2:]):
                logistic *= half
                logistic += half
            xp.multiply(gate[2], cells[t], out=after)
            xp.multiply(gate[0], gate[1], out=added)
            after += added
            xp.tanh(after, out=squashed[t])
            xp.multiply(gate[3], squashed[t], out=joined[t + 1, :k])
        return _outputs(xp, dtype, out, joined, k, cells[-1]), (joined, gates, cells, squashed)

    def shared(xp, g, y, x, hidden, cell, weight, recurrent, bias, joined, gates, cells, squashed):
        recurrent = wide(recurrent)
        steps, _, k, n = gates.shape
        incoming, back, back_cell = _incoming(xp, g)
        into, new, kept, shown = (gates[:, j] for j in range(4))
        # How each gate, times its partner, changes with what it is a function of: by g - g² or, a tanh, by 1 - g².
        deltas = gates * gates
        for j, partner in enumerate((new, into, cells[:-1], squashed)):
            slope = deltas[:, j]
            xp.subtract(1 if j == 1 else gates[:, j], slope, out=slope)
            slope *= partner
        stacked = deltas.reshape(steps, 4 * k, n)
        through = squashed * squashed
        xp.subtract(1, through, out=through)
        through *= shown
        added = xp.empty_like(back)
        for t in range(steps - 1, -1, -1):
            delta = deltas[t]
            back += incoming[t]
            xp.multiply(back, through[t], out=added)
            back_cell += added
            first, last = delta[:3], delta[3]
            first *= back_cell
            last *= back
            back_cell *= kept[t]
            recurrent.dot(stacked[t], out=back)
        return stacked, _over_time(xp, joined, stacked), back, back_cell

    vjp = (
        lambda xp, g, y, x, hidden, cell, weight, *_: _to_inputs(xp, weight, g[0]),
        lambda xp, g, *_: g[2].T,
        lambda xp, g, *_: g[3].T,
        lambda xp, g, y, x, hidden, cell, weight, recurrent, *_: g[1][len(recurrent) : -1],
        lambda xp, g, y, x, hidden, cell, weight, recurrent, *_: g[1][: len(recurrent)],
        lambda xp, g, *_: g[1][-1],
    )


class gru(Op):
    """h' = (1 - z) c + z h, c = tanh(x Wc + bc + (h r) H1) with [z r] = sigmoid(x Wzr + h H + bzr) and W = [Wz Wr Wc].

    (T, N, in), (N, k), (in, 3k), (k, 2k), (k, k), (3k,) -> all h (T, N, k), the last (N, k).
    """

    onnx = "GRU"
    once = True
    outputs = 2
    residuals = ("joined", "gates")
    reads = ("weight recurrent candidate joined gates", *("recurrent candidate joined gates",) * 5)

    def infer(x, hidden, weight, recurrent, candidate, bias):
        matrices = {"weight": (weight, 3), "recurrent": (recurrent, 2), "candidate": (candidate, 1)}
        return _sequence(3, x, {"hidden": hidden}, matrices, bias, 1)

    def forward(xp, x, hidden, weight, recurrent, candidate, bias, out=None):
        dtype, k = x.dtype, len(recurrent)
        x, hidden, weight, recurrent, candidate, bias = widened(x, hidden, weight, recurrent, candidate, bias)
        steps, n, n_in = x.shape
        below = k + n_in + 1
        joined = _joined(xp, x, hidden, k, below=k)  # and below them h r, so that both products read one block of rows
        gates = xp.empty((steps, 3 * k, n), x.dtype)
        first, second = (bias, bias) if isinstance(bias, int | float) else (bias[: 2 * k], bias[2 * k :])
        opening = _stacked(xp, recurrent, weight[:, : 2 * k], first)
        opening *= 0.5
        proposing = xp.empty((n_in + 1 + k, k), x.dtype)
        proposing[:n_in], proposing[n_in], proposing[n_in + 1 :] = weight[:, 2 * k :], second, candidate
        opening, proposing = opening.T, proposing.T
        for t in range(steps):
            before, gate, new = joined[t, :k], gates[t, : 2 * k], gates[t, 2 * k :]
            opening.dot(joined[t, :below], out=gate)
            xp.tanh(gate, out=gate)
            gate *= 0.5
            gate += 0.5
            xp.multiply(before, gate[k:], out=joined[t, below:])
            proposing.dot(joined[t, k:], out=new)
            xp.tanh(new, out=new)
            after = joined[t + 1, :k]
            xp.subtract(before, new, out=after)
            after *= gate[:k]
            after += new
        return _outputs(xp, dtype, out, joined, k), (joined, gates)

    def shared(xp, g, y, x, hidden, weight, recurrent, candidate, bias, joined, gates):
        k, recurrent, candidate = len(recurrent), wide(recurrent), wide(candidate)
        steps, below = len(gates), joined.shape[1] - k
        incoming, back = _incoming(xp, g)
        before = joined[:-1, :k]
        keep, reset, new = (gates[:, j * k : (j + 1) * k] for j in range(3))
        # How the new state changes with what z and c are functions of, and h r with what r is a function of.
        deltas = gates * gates
        xp.subtract(gates, deltas, out=deltas)
        deltas[:, :k] *= before - new
        deltas[:, k : 2 * k] *= before
        deltas[:, 2 * k :] = (1 - keep) * (1 - new * new)
        added = xp.empty_like(back)
        for t in range(steps - 1, -1, -1):
            delta = deltas[t]
            back += incoming[t]
            delta[:k] *= back
            delta[2 * k :] *= back
            candidate.dot(delta[2 * k :], out=added)
            delta[k : 2 * k] *= added
            added *= reset[t]
            back *= keep[t]
            back += added
            recurrent.dot(delta[: 2 * k], out=added)
            back += added
        opening = _over_time(xp, joined[:, :below], deltas[:, : 2 * k])
        return deltas, opening, _over_time(xp, joined[:, k:], deltas[:, 2 * k :]), back

    vjp = (
        lambda xp, g, y, x, hidden, weight, *_: _to_inputs(xp, weight, g[0]),
        lambda xp, g, *_: g[3].T,
        lambda xp, g, y, x, hidden, weight, recurrent, *_: xp.concatenate(
            (g[1][len(recurrent) : -1], g[2][: x.shape[2]]), axis=1
        ),
        lambda xp, g, y, x, hidden, weight, recurrent, *_: g[1][: len(recurrent)],
        lambda xp, g, y, x, *_: g[2][x.shape[2] + 1 :],
        lambda xp, g, y, x, *_: xp.concatenate((g[1][-1], g[2][x.shape[2]])),
    )
