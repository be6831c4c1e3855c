"""Recurrent layers are their cells in a loop; cells have second derivatives, layers say that they have none."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import kernel

T, N, IN, K = 5, 3, 2, 4
rng = numpy.random.default_rng(6)


def draw(*shape: int) -> Any:
    return kernel.tensor(rng.standard_normal(shape), requires_grad=True)


def operands(kind: str) -> tuple[list, list]:
    """(the states, the weights) of a layer of this kind."""
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
    states = [draw(N, K) for _ in range(2 if kind == "lstm" else 1)]
    weights = [draw(IN, gates * K), draw(K, (2 if kind == "gru" else gates) * K), draw(gates * K)]
    if kind == "gru":
        weights.insert(2, draw(K, K))
    return states, weights


def loop(kind: str, x: Any, states: list, weights: list, **attributes: Any) -> tuple:
    cell, found = getattr(kernel, f"{kind}_cell"), []
    for t in range(len(x)):
        states = cell(x[t], *states, *weights, **attributes)
        states = states if isinstance(states, tuple) else (states,)
        found.append(states[0])
    return kernel.stack(found), *states


CASES = [("rnn", {"activation": name}) for name in ("sigmoid", "tanh", "relu")] + [("lstm", {}), ("gru", {})]


@pytest.mark.parametrize(("kind", "attributes"), CASES)
def test_a_layer_is_its_cell_in_a_loop(kind: str, attributes: dict):
    x = draw(T, N, IN)
    states, weights = operands(kind)
    leaves = [x, *states, *weights]
    found = []
    for outputs in (
        getattr(kernel, kind)(x, *states, *weights, **attributes),
        loop(kind, x, states, weights, **attributes),
    ):
        weighted = [(y * kernel.tensor(numpy.cos(numpy.arange(int(y.size))).reshape(y.shape))).sum() for y in outputs]
        found.append(([y.detach().numpy() for y in outputs], kernel.grad(sum(weighted), leaves)))
    for mine, other in zip(found[0][0], found[1][0], strict=True):
        numpy.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13)
    for mine, other in zip(found[0][1], found[1][1], strict=True):
        numpy.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "attributes"), CASES)
def test_a_cell_has_second_derivatives(kind: str, attributes: dict):
    states, weights = operands(kind)
    x, step = draw(N, IN), 1e-6
    leaves = [x, *states, *weights]
    cell = getattr(kernel, f"{kind}_cell")

    def slopes(create_graph: bool) -> list:
        outputs = cell(x, *states, *weights, **attributes)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return kernel.grad(sum((y * y).sum() for y in outputs), leaves, create_graph=create_graph)

    total = sum((g * g).sum() for g in slopes(True))
    found = kernel.grad(total, leaves)
    directions = [rng.standard_normal(leaf.shape) for leaf in leaves]
    costs = []
    for sign in (1, -2):
        with kernel.no_grad():
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf.add_(kernel.tensor(sign * step * direction))
        costs.append(sum(float((g * g).sum()) for g in slopes(False)))
    expected = (costs[0] - costs[1]) / (2 * step)
    slope = sum((g.numpy() * direction).sum() for g, direction in zip(found, directions, strict=True))
    numpy.testing.assert_allclose(slope, expected, rtol=1e-5)


def test_none_is_a_state_of_zeros_and_no_bias():
    x, weight, recurrent = draw(T, N, IN), draw(IN, 4 * K), draw(K, 4 * K)
    zeros = kernel.zeros(N, K, dtype="float64")
    plain = kernel.lstm(x, zeros, zeros, weight, recurrent, kernel.zeros(4 * K, dtype="float64"))
    for mine, other in zip(kernel.lstm(x, None, None, weight, recurrent), plain, strict=True):
        numpy.testing.assert_array_equal(mine.detach().numpy(), other.detach().numpy())


@pytest.mark.parametrize("kind", ("rnn", "lstm", "gru"))
def test_a_batch_of_none(kind: str):
    states, weights = operands(kind)
    outputs = getattr(kernel, kind)(kernel.zeros(T, 0, IN, dtype="float64"), *(None for _ in states), *weights)
    assert outputs[0].shape == (T, 0, K) and outputs[1].shape == (0, K)
    outputs[0].sum().backward()
    assert all((w.grad.numpy() == 0).all() for w in weights)


def test_backward_twice_over_one_layer():
    """The walk back leaves what forward kept as it was."""
    x = draw(T, N, IN)
    for kind in ("rnn", "lstm", "gru"):
        states, weights = operands(kind)
        y = getattr(kernel, kind)(x, *states, *weights)[0].sum()
        first = kernel.grad(y, [x, *states, *weights], retain_graph=True)
        for mine, other in zip(first, kernel.grad(y, [x, *states, *weights]), strict=True):
            numpy.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_large_numbers_saturate_and_do_not_overflow():
    x = kernel.full((2, 1, IN), 1e4, dtype="float32")
    weights = kernel.ones(IN, 4 * K), kernel.ones(K, 4 * K)
    for y in kernel.lstm(x, None, None, *weights):
        assert numpy.isfinite(y.numpy()).all()


def test_cells_refuse_what_broadcasting_would_stretch():
    x, h, weight, recurrent = kernel.ones(N, IN), kernel.ones(N, K), kernel.ones(IN, 4 * K), kernel.ones(K, 4 * K)
    for call, words in (
        (lambda: kernel.lstm_cell(x, h, kernel.ones(1, K), weight, recurrent), r"argument cell should .*\(3, 4\)"),
        (lambda: kernel.lstm_cell(x, kernel.ones(1, K), h, weight, recurrent), r"argument hidden should .*\(3, 4\)"),
        (lambda: kernel.lstm_cell(x[0], h, h, weight, recurrent), r"argument x should have shape \(N, in\)"),
        (lambda: kernel.lstm_cell(x, h, h, weight, recurrent, kernel.ones(1)), r"argument bias should .*\(16,\)"),
        (lambda: kernel.lstm_cell(x, h, h, weight, weight), r"argument recurrent should .*\(4, 16\)"),
    ):
        with pytest.raises(kernel.ShapeError, match=f"^lstm_cell: {words}"):
            call()


@pytest.mark.parametrize("empty", ("N", "IN", "K"))
@pytest.mark.parametrize("kind", ("rnn", "lstm", "gru"))
def test_any_size_but_the_number_of_steps_may_be_zero(kind: str, empty: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), empty, 0)
    x, (states, weights) = draw(T, N, IN), operands(kind)
    y, *_ = getattr(kernel, kind)(x, *states, *weights)
    leaves = [x, *states, *weights]
    for leaf, g in zip(leaves, kernel.grad(y.sum(), leaves), strict=True):
        assert g.shape == leaf.shape
        numpy.testing.assert_array_equal(numpy.isfinite(g.numpy()), True)
