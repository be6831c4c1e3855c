"""Lesson 00's widget: its pure function against formulas, its sentences against its numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from widgets.logits import Logits, logits_state, losses_along

LOGITS = st.lists(st.floats(-50, 50), min_size=2, max_size=6)
SMOOTHING = st.floats(0, 1)


@given(LOGITS, st.data(), SMOOTHING)
def test_probabilities_loss_and_gradient_are_those_of_the_formulas(logits, data, smoothing):
    target = data.draw(st.integers(0, len(logits) - 1))
    state = logits_state(logits, target, smoothing)
    normaliser = math.fsum(math.exp(z) for z in logits)
    p = [math.exp(z) / normaliser for z in logits]
    y = [(1 - smoothing) * (index == target) + smoothing / len(logits) for index in range(len(logits))]
    loss = math.fsum(share * (math.log(normaliser) - z) for share, z in zip(y, logits, strict=True))
    assert state.probabilities == pytest.approx(p, rel=1e-9, abs=1e-12)
    assert state.truth == pytest.approx(y)
    assert state.loss == pytest.approx(loss, rel=1e-9, abs=1e-9)
    assert state.gradient.sum() == pytest.approx(0, abs=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=5), SMOOTHING)
def test_gradient_is_the_slope_of_the_loss(logits, smoothing):
    step = 1e-5
    state = logits_state(logits, 0, smoothing)
    for index, slope in enumerate(state.gradient):
        up, down = (np.array(logits) + sign * step * np.eye(len(logits))[index] for sign in (1, -1))
        difference = logits_state(up, 0, smoothing).loss - logits_state(down, 0, smoothing).loss
        assert slope == pytest.approx(difference / (2 * step), abs=1e-6)


@given(LOGITS, SMOOTHING)
def test_the_kernel_computes_the_same(logits, smoothing):
    state = logits_state(logits, 0, smoothing)
    z = kernel.tensor([logits], dtype=kernel.float64, requires_grad=True)
    loss = kernel.cross_entropy(z, kernel.tensor(state.truth[None], dtype=kernel.float64))
    loss.backward()
    assert loss.item() == pytest.approx(state.loss, rel=1e-9, abs=1e-9)
    assert z.grad.numpy()[0] == pytest.approx(state.gradient, abs=1e-9)


@given(LOGITS, st.floats(-500, 500))
def test_a_shift_of_all_logits_changes_nothing(logits, shift):
    moved = logits_state(np.array(logits) + shift, 0)
    assert moved.probabilities == pytest.approx(logits_state(logits, 0).probabilities, abs=1e-9)


@given(LOGITS, st.floats(0, 0.9), st.floats(1e-6, 1 - 1e-6))
def test_the_loss_along_p_is_that_of_logits_which_give_this_p(logits, smoothing, share):
    state = logits_state(logits, 0, smoothing)
    # The truth's logit alone moves p: the others keep their parts of the rest.
    moved = [math.log(share / (1 - share)) + math.log(math.fsum(map(math.exp, logits[1:]))), *logits[1:]]
    assert losses_along(state, np.array(share)) == pytest.approx(logits_state(moved, 0, smoothing).loss, abs=1e-6)


@given(LOGITS)
def test_without_smoothing_the_loss_along_p_is_minus_log_p(logits):
    shares = np.linspace(0.01, 0.99, 50)
    assert losses_along(logits_state(logits, 0), shares) == pytest.approx(-np.log(shares))


@given(LOGITS, st.floats(0.05, 0.9))
def test_the_smoothed_loss_is_lowest_where_p_is_the_target(logits, smoothing):
    state = logits_state(logits, 0, smoothing)
    lowest = losses_along(state, state.truth[:1])
    assert (losses_along(state, np.linspace(0.001, 0.999, 200)) >= lowest - 1e-12).all()


def test_the_point_lies_on_the_curve_that_is_drawn():
    widget = Logits()
    assert not widget._smoothed.get_visible()
    assert "without smoothing" not in widget.summary()
    widget.set(logit_0=3.0, logit_1=-3.0, logit_2=-3.0, smoothing=0.1)
    assert widget._smoothed.get_visible() and widget._smoothed_name.get_visible()
    p, losses = widget._smoothed.get_data()
    ((share,), (height,)) = widget._point.get_data()
    assert height == pytest.approx(np.interp(share, p, losses), abs=0.005)
    assert "the loss is 0.4049, 0.0049 without smoothing;" in widget.summary()
    assert "on the curve of the smoothed loss" in widget._shown[1]


def test_logits_that_overflow_exp_are_no_trouble():
    state = logits_state([1000.0, 0.0], 1)
    assert state.loss == 1000
    assert state.gradient.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1.0], 0), r"logits must be a list of at least 2 numbers; got shape \(1,\)"),
        (([[1.0, 2.0]], 0), r"got shape \(1, 2\)"),
        (([1.0, math.inf], 0), "logits must be finite"),
        (([1.0, 2.0], 2), "target must be a class from 0 to 1; got 2"),
        (([1.0, 2.0], -1), "got -1"),
        (([1.0, 2.0], 0, 1.5), "smoothing must lie between 0 and 1; got 1.5"),
    ],
)
def test_wrong_arguments_are_refused_in_words(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        logits_state(*arguments)


def test_widget_says_and_draws_what_the_function_computes():
    widget = Logits((0.5, -1.0, 2.0, 3.0), ("a", "b", "c", "d"), target=2)
    widget.set(smoothing=0.1)
    state = logits_state([0.5, -1.0, 2.0, 3.0], 2, 0.1)
    assert f"The truth, c, has p = {state.probabilities[2]:.4f} and the loss is {state.loss:.4f}" in widget.summary()
    assert "raises the logits of b and c and lowers the logits of a and d" in widget.summary()
    assert f"{state.loss:.4f}" in widget.alt(state)
    assert widget.details(state).splitlines()[-1].endswith(f"{state.loss:.4f}")


def test_picture_moves_with_the_controls_and_its_background_stays():
    widget = Logits()
    first, alt = widget._shown[:2]
    widget.set(logit_0=-1.0, target=1)
    second, moved_alt = widget._shown[:2]
    assert first != second
    assert alt != moved_alt
    assert widget._canvas.backgrounds_drawn == 1
    widget.reset()
    assert widget._shown[:2] == (first, alt)


def test_buttons_put_the_truth_where_they_say():
    widget = Logits()
    widget.set(target=2)
    widget.set(**widget.actions()["Sure and right"](widget.values))
    assert [widget.values[f"logit_{index}"] for index in range(3)] == [-3, -3, 3]
    widget.set(**widget.actions()["Undecided"](widget.values))
    assert widget.state(**widget.values).loss == pytest.approx(math.log(3))


def test_no_gradient_is_said():
    widget = Logits()
    widget.set(smoothing=0.5)
    y = np.array([2 / 3, 1 / 6, 1 / 6])
    state = logits_state(np.log(y), 0, 0.5)
    assert "a step changes nothing" in widget.status(state)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((1.0, 2.0), ("a", "b")), "three to five logits"),
        (((1.0, 2.0, 3.0), ("a", "b")), "as many class names; got 3 and 2"),
        (((1.0, 2.0, 7.0), ("a", "b", "c")), "between -5 and 5"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Logits(*arguments)
