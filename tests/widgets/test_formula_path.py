"""Lesson 08's widget: its runs next to the kernel's learners, what it says of runs that are lost, its controls."""

import numpy as np
import pytest

import kernel
from widgets.formula_path import EXAMPLES, OWN, PLAIN, SHOWN, STEPS, FormulaPath, path_state, runs
from widgets.racing import FAR
from widgets.surfaces import SURFACES
from widgets.update_rules import RuleError, read


def state(text=PLAIN, surface="quadratic", rate=0.5, plain_rate=1.0, condition=10.0, start=(-1.7, 1.2)):
    return path_state(text, surface, condition, start, rate, plain_rate)


def beside(learner_of, rate, surface, condition=10.0, start=(-1.7, 1.2)):
    """The places of a learner of the kernel's own on the same surface."""
    w = kernel.Parameter(np.array([start]))
    learner, places = learner_of([w], rate), [start]
    for _ in range(STEPS):
        learner.zero_grad()
        SURFACES[surface].loss(w, condition).sum().backward()
        learner.step()
        places.append(tuple(w.value[0]))
    return np.array(places)


@pytest.mark.parametrize("surface", SHOWN)
@pytest.mark.parametrize(
    ("name", "learner"),
    [
        ("SGD", kernel.SGD),
        ("momentum", lambda p, rate: kernel.SGD(p, rate, momentum=0.9)),
        ("RMSProp", lambda p, rate: kernel.RMSprop(p, rate, alpha=0.9)),
        ("Adam", kernel.Adam),
    ],
)
def test_examples_go_where_the_learners_of_their_names_go(name, learner, surface):
    rate = EXAMPLES[name].rate_on(surface)
    found = state(EXAMPLES[name].text, surface, rate).own
    np.testing.assert_allclose(found.places, beside(learner, rate, surface), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("surface", SHOWN)
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_but_the_bug_goes_down(name, surface):
    own = state(EXAMPLES[name].text, surface, EXAMPLES[name].rate_on(surface), condition=50.0).own
    if name == "find the bug":
        assert own.lost == (1, "w", "infinite")
    else:
        assert own.lost is None
        assert own.losses[-1] < 0.6 * own.losses[0]


def test_both_run_as_they_do_alone():
    both = runs([(read(PLAIN), 0.5), (read("w = w - rate*sign(g)"), 0.1)], "Rosenbrock", 1.0, (-1.0, 1.0))
    for each, (text, rate) in zip(both, ((PLAIN, 0.5), ("w = w - rate*sign(g)", 0.1)), strict=True):
        [alone] = runs([(read(text), rate)], "Rosenbrock", 1.0, (-1.0, 1.0))
        np.testing.assert_array_equal(each.places, alone.places)
        assert each.lost == alone.lost


def test_a_run_that_diverges_is_left_when_it_is_far_away():
    own = state(rate=2.5).own
    step, name, how = own.lost
    assert (name, how) == ("w", "far")
    expected = 1.2 * 1.5 ** np.arange(STEPS)  # the steep direction turns over, and grows by half
    assert step == np.argmax(expected > FAR)
    assert np.isnan(own.losses[step:]).all()
    assert f"diverges: at step {step} w is more than a million away" in own.words


@pytest.mark.parametrize(
    ("text", "lost", "words"),
    [
        ("w = w - rate*g/sqrt(a); a = a + g**2", (1, "w", "infinite"), "something is divided by 0"),
        ("w = w - log(w)", (1, "w", "nan"), "the root or logarithm of a negative number"),
        ("v = v/v + g; w = w - v", (1, "v", "nan"), "where v is nan, not a number: 0/0"),
        ("a = exp(1000*t) + 0*g; w = w + 0*a", (1, "w", "nan"), "nan"),
        ("a = a + exp(1000*t); w = w - g", (1, "a", "infinite"), "where a is infinite"),
    ],
)
def test_numbers_that_are_none_are_told_by_name(text, lost, words):
    own = state(text).own
    assert own.lost == lost
    assert words in own.words


def test_climbing_is_not_called_falling():
    assert "climbs from a loss of" in state("w = w + 0.001*rate*g").own.words
    assert "falls from a loss of" in state().own.words


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"surface": "moon"}, "surface must be one of"),
        ({"condition": 0.5}, "condition must be at least 1"),
        ({"start": (np.nan, 0.0)}, "start must be two numbers"),
        ({"rate": 0.0}, "rates must be above 0"),
        ({"plain_rate": np.inf}, "rates must be above 0"),
        ({"text": "w = w - rate*v"}, "column 14: no line gives v a value"),
    ],
)
def test_what_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        state(**wrong)


def test_a_widget_that_cannot_be_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="FormulaPath: there is no example 'Adadelta'; there are SGD, momentum, "):
        FormulaPath("Adadelta")
    with pytest.raises(ValueError, match="surface must be one of 'quadratic', 'quadratic, turned', 'Rosenbrock'; got"):
        FormulaPath(surface="hill")


@pytest.fixture
def widget():
    return FormulaPath()


def test_an_example_brings_its_text_and_its_rate_and_typing_is_ones_own(widget):
    widget.set(example="Adam")
    assert (widget.values["rule"], widget.values["rate"]) == (EXAMPLES["Adam"].text, EXAMPLES["Adam"].rate)
    widget.set(surface="Rosenbrock")
    assert widget.values["plain_rate"] == EXAMPLES["SGD"].valley_rate
    assert (widget.values["start_x"], widget.values["start_y"]) == SURFACES["Rosenbrock"].start
    widget.set(rule="w = w - 0.5*rate*g", rate=0.002)
    assert (widget.values["example"], widget.values["rate"]) == (OWN, 0.002)
    widget.set(example=OWN)
    assert widget.values["rule"] == "w = w - 0.5*rate*g"
    widget.set(rule=EXAMPLES["momentum"].text)
    assert widget.values["example"] == "momentum"


def test_a_condition_number_stands_only_beside_a_quadratic(widget):
    assert "condition" not in widget.unused(widget.values)
    widget.set(surface="Rosenbrock")
    assert "condition" in widget.unused(widget.values)


def test_a_mistake_is_shown_and_the_picture_stays(widget):
    picture, alt, _ = widget._shown
    with pytest.raises(RuleError):
        widget.set(rule="v = 0.9*v + g\nw = w - rate*")
    assert "line 2, column 14: the line ends too soon" in widget.error
    assert widget._shown[0] is picture
    widget.set(rule="v = 0.9*v + g\nw = w - rate*v")
    assert widget.error == ""
    assert widget._shown[1] == alt


def test_what_is_seen_is_said(widget):
    widget.set(rate=0.2, plain_rate=2.5)
    picture, alt, status = widget._shown
    assert [each[:4] for each in picture] == [b"\x89PNG"] * 2
    assert "Two paths on the quadratic, from (−1.7, 1.2)" in alt
    assert "Your rule, at rate 0.2, falls from a loss of 0.749 to" in status
    assert "Plain SGD, at rate 2.5, diverges" in status
    now = widget.state(**widget.values)
    headings, rows = widget.table(now)
    assert headings[0] == "rule"
    assert [row[-1] for row in rows] == [f"{now.own.losses[-1]:.3g}".replace("-", "−"), "lost"]
    assert "kernel.assign(v, 0.9 * v + g)" in widget.code(now)
    assert "multiply(0.9, v, out=v)" in widget.details(now)
    assert "v begins with 0" in widget.formula(now)


def test_the_path_ends_where_it_leaves_the_picture_for_good(widget):
    widget.set(plain_rate=2.5)
    now = widget.state(**widget.values)
    drawn = widget._paths["plain"].get_xydata()
    assert len(drawn) < now.plain.last
    assert abs(drawn[:-1]).max() <= SURFACES["quadratic"].reach < abs(drawn[-1]).max()


def test_pointing_moves_the_start(widget):
    [pointer] = widget.pointers(widget.state(**widget.values))
    assert pointer.at(0.5, 0.5) == pytest.approx({"start_x": 0.0, "start_y": 0.0})


def test_reset_brings_back_the_first_rule(widget):
    before = widget.values
    widget.set(example="signs only", surface="quadratic, turned", condition=3.0)
    widget.reset()
    assert widget.values == before
