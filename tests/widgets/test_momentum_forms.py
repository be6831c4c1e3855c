"""Lesson 07's widget: its map against runs, its critical curves and its optimum against the eigenvalues."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from widgets.momentum_forms import (
    FORMS,
    HIGHEST_MOMENTUM,
    MomentumForms,
    best,
    critical_rates,
    eigenvalues,
    factor,
    kinds,
    losses,
    memory,
    momentum_state,
    path,
    step_matrix,
)

FORM = st.sampled_from(FORMS)
RATE = st.floats(-2, 2).map(lambda exponent: 10**exponent)
MOMENTUM = st.floats(0, 0.99)
CONDITION = st.floats(1, 1000)
GAIN = st.booleans()


def run(form, rate, momentum, curvature, unit_gain, steps):
    """The learners' two lines as they stand in the lesson, on the gradient curvature * w; w and v after each step."""
    w, v, seen = 1.0, 0.0, []
    for _ in range(steps):
        d = (1 - momentum if unit_gain else 1) * rate * curvature * w
        v = momentum * v + d
        w -= v if form == "heavy ball" else momentum * v + d
        seen.append((w, v))
    return np.array(seen)


@given(FORM, RATE, MOMENTUM, st.floats(0.001, 1), GAIN)
def test_the_matrix_is_one_step_and_its_eigenvalues_are_those_of_the_formula(form, rate, momentum, curvature, gain):
    matrix = step_matrix(form, rate, momentum, curvature, gain)
    np.testing.assert_allclose(matrix @ [1, 0], run(form, rate, momentum, curvature, gain, 1)[0], atol=1e-12)
    (one, two), numeric = eigenvalues(form, rate, momentum, curvature, gain), np.linalg.eigvals(matrix)
    scale = max(1, abs(one), abs(two))
    assert abs(one + two - numeric.sum()) < 1e-9 * scale
    assert abs(one * two - numeric.prod()) < 1e-9 * scale**2


@settings(deadline=None)
@given(FORM, RATE, MOMENTUM, CONDITION, GAIN)
def test_what_the_map_says_happens(form, rate, momentum, condition, gain):
    kind = kinds(form, rate, momentum, condition, gain)
    shrinks = factor(form, rate, momentum, condition, gain)
    if abs(shrinks - 1) < 0.003:
        return  # too near to the edge for a run of some length to tell
    steps = 6000
    with np.errstate(over="ignore", invalid="ignore"):
        runs = np.stack([run(form, rate, momentum, c, gain, steps) for c in (1, 1 / condition)])
    w = runs[:, :, 0]
    if kind == 2:
        assert not np.isfinite(w).all() or np.abs(w[:, -100:]).max() > 1
        return
    assert np.abs(w[:, -100:]).max() < 1e-3
    # Beyond the last digits a sign says nothing.
    crossed = (w < -1e-12).any()
    if kind == 0:
        assert not crossed
        assert (np.diff(w) < 1e-12).all(), "it glides: every step goes down"
    elif rate > 1.05 * critical_rates(form, momentum, gain)[0]:
        # Nearer to the curve, the first crossing comes late, and is too small to be seen.
        smallest = np.abs(eigenvalues(form, rate, momentum, 1, gain)).max()
        turn = np.abs(np.angle(eigenvalues(form, rate, momentum, 1, gain))).max()
        assert crossed or smallest ** (math.pi / turn) < 1e-9


@given(FORM, MOMENTUM, CONDITION, GAIN)
def test_the_critical_curves_are_the_borders_of_the_map(form, momentum, condition, gain):
    ripples, diverges = critical_rates(form, np.array(momentum), gain)
    assert ripples < diverges
    for rate, below, above in ((ripples, 0, 1), (diverges, 1, 2)):
        assert kinds(form, rate * (1 - 1e-6), momentum, condition, gain) == below
        assert kinds(form, rate * (1 + 1e-6), momentum, condition, gain) == above


@given(FORM, st.floats(1.5, 1000), GAIN, st.floats(-0.5, 0.5), st.floats(-0.2, 0.2))
def test_nothing_is_faster_than_the_optimum(form, condition, gain, exponent, shift):
    rate, momentum = best(form, condition, gain)
    smallest = factor(form, rate, momentum, condition, gain)
    root = math.sqrt(condition) if form == "heavy ball" else math.sqrt(3 * condition + 1) / 2
    # The square root of an eigenvalue's rounding error stands at a double one.
    expected = (root - 1) / (root + 1) if form == "heavy ball" else 1 - 1 / root
    assert smallest == pytest.approx(expected, abs=1e-7)
    other = min(max(momentum + shift, 0), 0.99)
    assert factor(form, rate * 10**exponent, other, condition, gain) >= smallest - 1e-7


@given(FORM, RATE, MOMENTUM, CONDITION)
def test_unit_gain_with_the_rate_divided_goes_the_same_path(form, rate, momentum, condition):
    plain = path(form, rate, momentum, condition)
    unit = path(form, rate / (1 - momentum), momentum, condition, unit_gain=True)
    np.testing.assert_allclose(plain, unit, rtol=1e-6, atol=1e-6 * np.abs(plain).max())


@given(FORM, st.floats(0.01, 1), st.floats(0, 0.9), CONDITION, GAIN)
def test_the_path_is_the_run(form, rate, momentum, condition, gain):
    places = path(form, rate, momentum, condition, gain)
    for column, curvature in ((0, 1 / condition), (1, 1)):
        np.testing.assert_allclose(
            places[1:, column], run(form, rate, momentum, curvature, gain, len(places) - 1)[:, 0], atol=1e-9
        )


def test_a_run_that_diverges_has_losses_that_are_numbers():
    places = path("heavy ball", 100.0, 0.99, 1.0)
    assert np.isfinite(losses(places, 1.0)).all()


LASTING = st.floats(1, 1000)


@given(st.floats(0.01, 0.995), LASTING, LASTING, st.integers(1, 4096))
def test_linked_numbers_say_the_same_whichever_moved(momentum, time_constant, half_life, samples):
    numbers = {"momentum": momentum, "time_constant": time_constant, "half_life": half_life}
    for moved in (*numbers, "samples"):
        now = memory(moved, **numbers, samples=samples)
        lasts = -samples / math.log(now["momentum"]) if now["momentum"] else 0
        if now["momentum"] > 0.01:
            assert now["time_constant"] == pytest.approx(lasts, rel=1e-3)
        assert now["half_life"] == pytest.approx(math.log(2) * now["time_constant"], rel=1e-4)
        if moved in numbers and now["momentum"] < HIGHEST_MOMENTUM:
            assert now[moved] == pytest.approx(numbers[moved], rel=1e-4)
    kept = memory("samples", **numbers, samples=samples)
    if kept["momentum"] < HIGHEST_MOMENTUM:
        assert kept["time_constant"] == pytest.approx(time_constant, rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gain", [False, True])
def test_the_path_is_that_of_the_kernels_learner(form, gain):
    places = path(form, 0.8, 0.7, 20.0, gain, steps=30)
    w = kernel.Parameter(np.ones(2))
    make = kernel.momentum_sgd if form == "heavy ball" else kernel.nesterov
    learner = make([w], 0.8, 0.7, unit_gain=gain)
    curvatures = np.array([1 / 20, 1.0])
    for place in places[1:]:
        learner.update({w: curvatures * w.value}, 1)
        np.testing.assert_allclose(w.value, place, atol=1e-12)


def test_the_code_line_makes_the_learner_that_is_shown():
    widget = MomentumForms(form="Nesterov", rate=0.5, momentum=0.8, unit_gain=True, samples=10)
    model = kernel.layers.Linear(1, 1, bias=False)
    (w,) = model.parameters()
    with kernel.no_grad():
        w.copy_(kernel.ones(1, 1))
    state = widget.state(**widget.values)
    learner = eval(widget.code(state), {"kernel": kernel, "model": model})
    # On the steepest direction, with gradients that are sums over ten samples.
    for place in state.chosen.places[1:6, 1]:
        learner.update({w: 10 * w.value}, 10)
        assert w.item() == pytest.approx(place, abs=1e-4)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"form": "heavy"}, "form must be 'heavy ball' or 'Nesterov'; got 'heavy'"),
        ({"rate": 0.0}, "rate must be above 0; got 0.0"),
        ({"rate": math.nan}, "rate must be above 0; got nan"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1; got 1.0"),
        ({"condition": 0.5}, "condition must be at least 1; got 0.5"),
        ({"samples": 0}, "samples must be at least 1; got 0"),
    ],
)
def test_wrong_arguments_are_refused_in_words(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        momentum_state(**{"form": "heavy ball", "rate": 1.0, "momentum": 0.5, "condition": 10.0} | changed)


@pytest.fixture(scope="module")
def shown():
    return MomentumForms()


@pytest.fixture
def widget(shown):
    shown.reset()
    return shown


def test_the_widget_says_what_the_function_computes(widget):
    state = momentum_state("heavy ball", 1.0, 0.9, 50.0, samples=10)
    assert (
        "Heavy ball without unit gain, rate 1 and momentum 0.9 (a time constant of 94.91 samples)" in widget.summary()
    )
    assert f"in the long run every {state.chosen.steps} steps leave a hundredth of the distance" in widget.summary()
    headings, rows = widget.table(state)
    assert [row[0] for row in rows] == [
        "chosen, no unit gain",
        "same rate, unit gain",
        "same path, unit gain",
        "fastest, no unit gain",
    ]
    assert all(len(row) == len(headings) for row in rows)
    chosen, _, same_path, _ = rows
    assert chosen[2:] == same_path[2:], "the same path ends at the same loss"
    assert (chosen[1], same_path[1]) == ("1", "10")


def test_about_so_many_steps_is_about_right():
    for form in FORMS:
        state = momentum_state(form, 0.1, 0.5, 20.0)
        places = path(form, 0.1, 0.5, 20.0, steps=2 * state.chosen.steps)
        far = np.abs(places).max(axis=1)
        assert far[state.chosen.steps // 2] > 0.01 > far[2 * state.chosen.steps]


def test_linked_fields_follow_and_the_time_constant_outlives_the_minibatch(widget):
    widget.set(samples=10, time_constant=300.0)
    assert widget.values["momentum"] == 0.967216
    assert widget.values["half_life"] == 207.94
    widget._fields["samples"].value = 20
    assert widget.values["momentum"] == 0.935507
    assert widget.values["time_constant"] == 300.0
    widget._fields["momentum"].value = 0.5
    assert widget.values["half_life"] == 20.0
    widget._fields["half_life"].value = 5000.0
    assert widget.values["momentum"] == HIGHEST_MOMENTUM, "the map ends there, and so does its memory"
    assert widget.values["half_life"] == pytest.approx(20 * math.log(0.5) / math.log(HIGHEST_MOMENTUM), rel=1e-4)


def test_a_place_on_the_map_is_a_rate_and_a_momentum(widget):
    (pointer,) = widget.pointers(None)
    assert pointer.at(0.5, 0.0) == pytest.approx({"rate": 1.0, "momentum": 0.0})
    assert pointer.at(0.25, 1.0) == pytest.approx({"rate": 0.1, "momentum": HIGHEST_MOMENTUM})
    before = widget._shown
    widget._pointed.value = "[0, 0.25, 0.5]"
    assert widget.values["rate"] == 0.1
    assert widget.values["momentum"] == pytest.approx(1 - (1 - HIGHEST_MOMENTUM) ** 0.5, abs=0.003)
    assert widget.values["time_constant"] == pytest.approx(-10 / math.log(widget.values["momentum"]), rel=1e-4)
    assert all(now != then for now, then in zip(widget._shown, before, strict=True))


def test_the_picture_is_another_for_each_form_and_gain_and_comes_back(widget):
    first = widget._shown
    pictures = set()
    for form in FORMS:
        for gain in (False, True):
            widget.set(form=form, unit_gain=gain)
            pictures.add(widget._shown[0])
    assert len(pictures) == 4
    widget.reset()
    assert widget._shown == first
    drawn = widget._map.backgrounds_drawn
    widget.set(rate=0.3, momentum=0.5)
    assert widget._map.backgrounds_drawn == drawn, "only the markers have moved"
    assert widget._runs.backgrounds_drawn == 1


def test_buttons_go_to_the_fastest_and_to_the_same_path(widget):
    widget.set(**widget.actions()["Fastest"](widget.values))
    state = widget.state(**widget.values)
    assert state.chosen.steps == pytest.approx(state.best.steps, abs=1)
    widget.set(rate=0.5, momentum=0.9)
    before = widget.state(**widget.values).chosen
    widget.set(**widget.actions()["Other gain, same path"](widget.values))
    after = widget.state(**widget.values).chosen
    assert after.unit_gain and not before.unit_gain
    np.testing.assert_allclose(after.places, before.places, atol=1e-9)
    widget.set(rate=100.0, momentum=0.9, unit_gain=False)
    with pytest.raises(ValueError, match="needs a rate of 1000, which is off the map"):
        widget.actions()["Other gain, same path"](widget.values)


@settings(deadline=None, max_examples=30)
@given(FORM, RATE, MOMENTUM, CONDITION, GAIN)
def test_every_place_of_the_map_can_be_drawn_and_said(shown, form, rate, momentum, condition, gain):
    state = momentum_state(form, rate, momentum, condition, gain, 10)
    assert all(picture[:4] == b"\x89PNG" for picture in shown.picture(state))
    for text in (shown.alt(state), shown.status(state), str(shown.table(state))):
        assert "nan" not in text and "inf" not in text


def test_a_memory_that_is_too_long_for_the_map_is_cut_and_that_is_said():
    widget = MomentumForms(samples=1)
    assert widget.details(widget.state(**widget.values)) == ""
    widget.set(time_constant=300.0)
    assert widget.values["time_constant"] == 199.5
    assert widget.details(widget.state(**widget.values)) == (
        "The map ends at momentum 0.995: with this minibatch, a time constant of 199.5 samples is the longest."
    )
