"""The learner race without a browser: its gradients, its runs, its search for rates, and what it says and shows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from widgets import racing, style, surfaces
from widgets.canvas import word
from widgets.learner_race import LearnerRace
from widgets.racing import (
    HIGHEST_RATE,
    LOWEST_RATE,
    NAMES,
    RACERS,
    STEPS,
    Run,
    area,
    inside,
    race,
    race_state,
    retuned,
    runs,
)
from widgets.surfaces import SURFACES, relief

every_surface = pytest.mark.parametrize("surface", SURFACES)
every_learner = pytest.mark.parametrize("name", NAMES)


def loss_at(surface, x, y, condition=20.0):
    return SURFACES[surface].loss(kernel.tensor(np.array([[x, y]])), condition).numpy()[0]


@every_surface
def test_the_gradient_is_the_slope_of_the_loss_and_the_tilt_of_the_minibatch(surface):
    x, y = SURFACES[surface].start
    [run] = race(surface, 20.0, (x, y), [("sgd", LOWEST_RATE)])
    assert run.losses[0] == pytest.approx(loss_at(surface, x, y), rel=1e-12)
    h = 1e-5
    slope = [
        (loss_at(surface, x + h, y) - loss_at(surface, x - h, y)) / (2 * h),
        (loss_at(surface, x, y + h) - loss_at(surface, x, y - h)) / (2 * h),
    ]
    tilt = SURFACES[surface].noise * np.random.default_rng(0).normal(size=(STEPS + 1, 2))[0]
    np.testing.assert_allclose(run.gradients[0], slope + tilt, rtol=1e-6, atol=1e-7)
    assert bool(tilt.any()) == (surface == "quadratic, noisy")


def test_the_slice_is_the_loss_of_a_network_from_the_beginning_to_the_end_of_a_training():
    begin, directions = surfaces._network_plane()
    points, truth = (tensor.numpy() for tensor in surfaces._zones())

    def loss(weights):
        w1, b1, w2, b2 = np.split(weights, [12, 18, 36])
        scores = np.tanh(points @ w1.reshape(2, 6) + b1) @ w2.reshape(6, 3) + b2
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return -np.log((p * truth).sum(axis=1)).mean()

    for a, b in ((0.0, 0.0), (1.0, 0.0), (0.3, -0.7)):
        assert loss_at("a small network", a, b) == pytest.approx(loss(begin + a * directions[0] + b * directions[1]))
    assert loss(begin) > 1 > 0.05 > loss(begin + directions[0])
    assert directions[0] @ directions[1] == pytest.approx(0, abs=1e-9)


@every_learner
def test_a_racer_is_the_kernels_learner_stepping_by_itself(name):
    start = SURFACES["Beale"].start
    w = kernel.Parameter(np.array(start))
    learner = RACERS[name].learner(w, 0.01)
    places = [start]
    for _ in range(STEPS):
        learner.zero_grad()
        x, y = w[0], w[1]
        loss = (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y * y * y) ** 2
        loss.backward()
        learner.step(1)
        places.append(w.tolist())
    # With others beside it, too.
    run = race("Beale", 1.0, start, [(name, 0.01), ("sgd", 0.02), (name, 0.5)])[0]
    np.testing.assert_allclose(run.places, places, rtol=1e-8, atol=1e-10)


@every_learner
def test_the_step_and_the_velocity_are_those_that_the_run_takes(name):
    [run] = race("quadratic, turned", 20.0, (1.0, 0.5), [(name, 0.05)])
    for step in (0, 1, 17, STEPS - 1):
        velocity, move = inside(name, 0.05, run, step)
        np.testing.assert_allclose(run.places[step] + move, run.places[step + 1], rtol=1e-9, atol=1e-12)
        assert (velocity is None) == (name in ("sgd", "adagrad", "rmsprop", "adadelta"))
    if name == "momentum_sgd":
        np.testing.assert_allclose(velocity, -move)
    elif name == "adam":
        decay = 0.9 ** np.arange(STEPS - 1, -1, -1)
        np.testing.assert_allclose(velocity, 0.1 * decay @ run.gradients[:STEPS])


@every_surface
@pytest.mark.parametrize("rate", [LOWEST_RATE, 1.0, HIGHEST_RATE])
def test_runs_that_diverge_end_quietly(surface, rate):
    found = runs(surface, 50.0, SURFACES[surface].start, dict.fromkeys(NAMES, rate))
    for name, run in found.items():
        lost = run.lost_at
        assert np.isfinite(run.places[:lost]).all(), name
        assert lost is None or np.isnan(run.losses[lost:]).all()
        assert np.isfinite(area(SURFACES[surface], run.losses))
    if rate == HIGHEST_RATE and surface != "a small network":
        assert found["sgd"].lost_at in (1, 2, 3), "a network's loss is nearly flat far out, the others are steep"


def test_a_rate_that_moves_runs_one_learner_again_and_a_step_none(monkeypatch):
    ran = []

    def counted(*arguments):
        ran.append([name for name, _ in arguments[-1]])
        return race(*arguments)

    monkeypatch.setattr(racing, "race", counted)
    monkeypatch.setattr(racing, "_RUNS", {})
    widget = LearnerRace()
    widget.set(step=STEPS)
    widget.set(chosen="Lion")
    widget.set(rate=0.01)
    widget.set(rate=0.3)
    shown = ["sgd", "momentum_sgd", "adagrad", "adam", "adadelta"]
    assert ran == [shown, ["Lion"], ["Lion"]]
    widget.set(surface="saddle")
    widget.set(condition=2.0)
    assert ran[3:] == [[*shown, "Lion"]], "the saddle has no condition number"


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(racing, "_RUNS", {})
    monkeypatch.setattr(racing, "_KEPT", 3)
    rates = dict.fromkeys(NAMES[:3], 0.1)
    first = runs("saddle", 1.0, (1.0, 0.1), rates)
    again = runs("saddle", 1.0, (1.0, 0.1), rates | {"sgd": 0.2})
    assert again["nesterov"] is first["nesterov"]
    third = runs("saddle", 1.0, (1.0, 0.1), rates | {"sgd": 0.4})
    assert list(third) == list(rates) and len(racing._RUNS) <= 4


def test_the_area_is_the_height_of_the_curve_in_its_picture():
    shown = SURFACES["quadratic"]
    flat = np.ones(STEPS + 1)
    assert area(shown, shown.highest * flat) == pytest.approx(1)
    assert area(shown, shown.lowest * flat) == area(shown, 0 * flat) == pytest.approx(0)
    assert area(shown, np.sqrt(shown.lowest * shown.highest) * flat) == pytest.approx(0.5)
    assert area(shown, np.full(STEPS + 1, np.nan)) > 5


@pytest.mark.parametrize("surface", ["quadratic, turned", "Rosenbrock"])
def test_no_rate_that_was_tried_is_better_than_the_retuned_one(surface):
    shown = SURFACES[surface]
    best = retuned(surface, 50.0, shown.start)
    assert all(LOWEST_RATE <= rate <= HIGHEST_RATE for rate in best)
    tried = [float(f"{10 ** (third / 3):.3g}") for third in range(-12, 13)]
    for name, rate in zip(NAMES, best, strict=True):
        entries = [(name, other) for other in (rate, *tried)]
        mine, *others = area(shown, np.stack([run.losses for run in race(surface, 50.0, shown.start, entries)]))
        assert mine <= min(others) + 1e-12, name


def test_sgd_on_a_quadratic_is_retuned_to_nearly_the_rate_that_theory_gives():
    # The factor per step is max(|1 - rate|, |1 - rate / k|): smallest at 2 / (1 + 1 / k).
    [sgd, *_] = retuned("quadratic", 20.0, (1.0, 1.0))
    assert 0.7 * 2 / (1 + 1 / 20) < sgd < 2


def test_a_state_knows_who_leads_and_who_is_lost():
    rates = [2.5 if name == "sgd" else 0.1 for name in NAMES]
    state = race_state("quadratic", 50.0, (1.0, 1.0), rates, ["adam", "adagrad"], "sgd", STEPS)
    assert state.shown == ("sgd", "adagrad", "adam")
    assert state.is_lost("sgd") and state.ranking == sorted(["adagrad", "adam"], key=state.loss)
    assert state.velocity is None and np.isnan(state.move).all() and math.isnan(state.turned_by)
    assert state.extremes[1] == "sgd"


def test_the_angle_between_step_and_slope():
    rates = [0.1] * len(NAMES)
    straight = race_state("quadratic", 50.0, (1.0, 1.0), rates, [], "sgd", 3)
    assert straight.turned_by == pytest.approx(0, abs=1e-5)
    # The first step of Adam goes by the signs: 45 degrees; the slope at (1, 1) is (1/50, 1).
    turned = race_state("quadratic", 50.0, (1.0, 1.0), rates, [], "adam", 0)
    assert turned.turned_by == pytest.approx(45 - math.degrees(math.atan(1 / 50)), abs=0.01)
    still = race_state("quadratic", 50.0, (0.0, 0.0), rates, [], "sgd", 3)
    assert math.isnan(still.turned_by)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"surface": "flat"}, "surface must be one of 'quadratic'"),
        ({"condition": 0.5}, "condition must be at least 1"),
        ({"start": (math.nan, 1.0)}, "start must be two numbers"),
        ({"rates": [0.1]}, "rates must be 10 numbers above 0"),
        ({"rates": [0.0] * len(NAMES)}, "rates must be 10 numbers above 0"),
        ({"chosen": "SGD"}, "there is no learner 'SGD'"),
        ({"step": STEPS + 1}, "step must be 0 to 80"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(changed, said):
    asked = {
        "surface": "saddle",
        "condition": 2.0,
        "start": (1.0, 1.0),
        "rates": [0.1] * len(NAMES),
        "shown": ["sgd"],
        "chosen": "sgd",
        "step": 0,
    }
    with pytest.raises(ValueError, match=said):
        race_state(**{**asked, **changed})


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"surface": "hill"}, "surface must be one of 'quadratic', 'quadratic, turned', "),
        ({"rate": "fast"}, "rates must be 10 numbers above 0; got \\('fast', "),
        ({"shown": ["lion"]}, "there is no learner 'lion'"),
    ],
)
def test_a_widget_that_cannot_be_is_refused_in_a_sentence(asked, said):
    with pytest.raises(ValueError, match=said):
        LearnerRace(**asked)


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=10))
def test_names_stand_apart_in_the_order_of_their_curves(heights):
    heights = np.array(heights)
    placed = np.array(style.apart(heights.tolist(), 0.05, 0, 1))
    order = np.argsort(heights, kind="stable")
    assert (np.diff(placed[order]) >= 0.05 - 1e-8).all()
    assert placed.max() <= 1 + 1e-8
    assert placed.min() >= -1e-8
    alone = np.clip(heights[order], 0, 1)
    if (np.diff(alone) >= 0.05).all():
        np.testing.assert_allclose(placed[order], alone, atol=1e-8)


@every_surface
def test_the_map_is_palest_where_the_loss_is_lowest(surface):
    shown = SURFACES[surface]
    image = surfaces.relief(surface, 20.0).astype(int)
    size = len(image)
    tones = []
    for row, column in np.random.default_rng(1).integers(0, size, (300, 2)):
        x, y = (m + shown.reach * (2 * at / (size - 1) - 1) for m, at in zip(shown.middle, (column, row), strict=True))
        tones.append((loss_at(surface, x, y), image[row, column, 0]))
    # The lines between the bands are darker than any of them; what is left rises and falls with the loss.
    losses, tones = np.array([pair for pair in sorted(tones) if pair[1] >= 196]).T
    assert len(losses) > 100 and set(image[..., 3].flat) == {255}
    assert (np.diff(tones) <= 4).all() and tones[0] - tones[-1] > 30


# --- the widget ---


def test_a_learners_rate_is_its_own():
    widget = LearnerRace(rate=0.1)
    widget.set(rate=0.5)
    widget.set(chosen="sgd")
    assert widget.values["rate"] == 0.1
    assert widget.values["rates"] == [0.5 if name == "adam" else 0.1 for name in NAMES]
    widget.set(chosen="adam")
    assert widget.values["rate"] == 0.5
    widget._press(widget.actions()["Same rate for all"])
    assert set(widget.values["rates"]) == {0.5}
    widget.reset()
    assert widget.values == widget.defaults and set(widget.values["rates"]) == {0.1}


def test_retune_gives_each_its_best_rate_and_says_how_unequal_they_are():
    widget = LearnerRace()
    assert "all have the same rate" in widget.summary()
    widget._press(widget.actions()["Retune all"])
    best = retuned("quadratic", 50.0, SURFACES["quadratic"].start)
    assert widget.values["rates"] == list(best)
    assert widget.values["rate"] == best[NAMES.index("adam")]
    low, high = min(best), max(best)
    assert f"the rates run from {low:g} ({NAMES[best.index(low)]}) to {high:g} ({NAMES[best.index(high)]})" in (
        widget.summary()
    )
    assert high / low > 100


def test_another_surface_starts_where_it_is_interesting():
    widget = LearnerRace()
    widget.set(start_x=0.5)
    widget.set(surface="saddle")
    assert (widget.values["start_x"], widget.values["start_y"]) == SURFACES["saddle"].start
    widget.set(surface="Beale", start_x=1.0, start_y=1.0)
    assert (widget.values["start_x"], widget.values["start_y"]) == (1.0, 1.0)


@every_surface
def test_every_surface_is_drawn_and_described_for_every_learner(surface):
    widget = LearnerRace(surface, shown=NAMES)
    pictures = set()
    for step, name in enumerate(NAMES):
        widget.set(step=8 * step, chosen=name)
        state = widget.state(**widget.values)
        (left, right), alt = widget.picture(state), widget.alt(state)
        pictures |= {left, right}
        assert SURFACES[surface].words in alt and f"the step of {name};" in alt
        assert ("velocity" in alt) == (RACERS[name].velocity is not None and not state.is_lost(name))
        headings, rows = widget.table(state)
        assert [row[0] for row in rows] == list(NAMES) and {len(row) for row in rows} == {len(headings)}
    assert len(pictures) == 2 * len(NAMES), "a step is seen in both"


def test_a_learner_that_is_lost_is_said_and_stands_at_the_edge():
    widget = LearnerRace(rate=2.5, chosen="sgd", shown=("adagrad",))
    widget.set(step=STEPS)
    state = widget.state(**widget.values)
    assert "sgd diverged: lower the rate" in widget.status(state)
    assert widget.details(state) == "sgd has diverged: there is no step to show."
    rows = {row[0]: row for row in widget.table(state)[1]}
    assert rows["sgd"][-1].startswith("diverged at step ") and rows["sgd"][-2] == "–"
    assert state.shown[0] == "sgd"
    assert widget._names.shown[1].outlines is word("sgd ✗", 9, "bold")
    spot, dot = widget._spots.shown[0], widget._dots.shown[0]
    assert dot.place[1] == SURFACES["quadratic"].highest and (dot.fill, dot.rim) == (style.PAPER, style.BLUE)
    low, high = -SURFACES["quadratic"].reach, SURFACES["quadratic"].reach
    place = np.array(spot.place)
    assert ((place == low) | (place == high)).any() and (place >= low).all() and (place <= high).all()
    assert (spot.fill, spot.rim) == (style.PAPER, style.BLUE)
    assert not widget._trail["Lion"].get_visible()
    widget.set(chosen="adagrad", shown=(), step=0)
    assert [name for name in NAMES if widget._trail[name].get_visible()] == ["adagrad"], "who is chosen is shown"
    assert len(widget._spots.shown) == len(widget._dots.shown) == 1 and len(widget._names.shown) == 2


def test_the_background_is_kept_while_only_learners_move():
    widget = LearnerRace()
    drawn = widget._trails.backgrounds_drawn, widget._losses.backgrounds_drawn
    widget.set(step=3)
    widget.set(rate=0.05)
    widget.set(start_x=1.0)
    assert (widget._trails.backgrounds_drawn, widget._losses.backgrounds_drawn) == drawn
    widget.set(condition=5.0)
    assert (widget._trails.backgrounds_drawn, widget._losses.backgrounds_drawn) == drawn, "only the map below them"
    assert widget._image.image is relief("quadratic", 5.0, 2)
    widget.set(surface="Beale")
    assert (widget._trails.backgrounds_drawn, widget._losses.backgrounds_drawn) == (drawn[0] + 1, drawn[1] + 1)


def test_the_mouse_moves_the_start_on_the_map_and_time_on_the_curves():
    widget = LearnerRace()
    start, time = widget.pointers(widget.state(**widget.values))
    assert start.at(0.75, 0.25) == pytest.approx({"start_x": 1.0, "start_y": -1.0})
    assert time.at(0.5, 0.9) == pytest.approx({"step": STEPS / 2})


@every_learner
def test_the_line_of_code_makes_the_learner(name):
    model = kernel.layers.Linear(2, 1)
    learner = eval(RACERS[name].code(0.25), {"kernel": kernel, "model": model})
    assert learner.learning_rate() == 0.25
    assert repr(learner).startswith(f"{RACERS[name].function}(rate 0.25")


def test_runs_do_not_share_their_arrays():
    one, other = race("saddle", 1.0, (1.0, 0.1), [("sgd", 0.1), ("sgd", 0.1)])
    assert isinstance(one, Run) and not np.shares_memory(one.places, other.places)
    np.testing.assert_array_equal(one.places, other.places)


@pytest.mark.parametrize("step", [10, 25, 40])
def test_the_arrows_letters_stay_on_the_map(step):
    race = LearnerRace("Beale")
    race.set(step=step)
    (left, right), (foot, top) = race._map.get_xlim(), race._map.get_ylim()
    for arrow in race._arrows:
        across, up = arrow.beside
        assert not arrow.get_visible() or (left < across < right and foot < up < top)
