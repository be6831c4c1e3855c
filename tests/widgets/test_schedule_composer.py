"""Lesson 06's widget: what it draws is what a learner does, and every line that it writes is read again."""

import itertools
import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from kernel.schedules import parse
from widgets import ScheduleComposer
from widgets.schedule_composer import (
    AS_TYPED,
    MEANINGS,
    MOST_UPDATES,
    SHAPES,
    compose,
    meant_for,
    read_rate,
    read_sizes,
    schedule_state,
)

SHAPE = st.sampled_from([shape for shape in SHAPES if shape != AS_TYPED])
COMPOSED = st.builds(
    compose,
    SHAPE,
    st.floats(1e-4, 1.0).map(lambda rate: float(f"{rate:.2g}")),
    st.integers(1, 12),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.sampled_from([0, 10, 64, 100]),
    st.sampled_from(list(MEANINGS)),
)
SIZES = st.sampled_from(["7", "[4] * 2 + [16]", "[(1, 64), (0, 3)]", "[5, 10, 20], 32"])


@pytest.fixture(scope="module")
def composer():
    widget = ScheduleComposer(sweep=64)
    yield widget


@given(COMPOSED, SIZES, st.integers(1, 100), st.integers(1, 5))
def test_the_curves_are_what_a_learner_does_with_gradients_of_1(line, sizes, sweep, sweeps):
    state = schedule_state(line, sizes, sweep, sweeps)
    w = kernel.Parameter(np.zeros(1))
    learner = kernel.sgd([w], parse(line))
    seen = 0
    for n, value, rate, step, total in zip(
        state.sizes.tolist(), state.values, state.rates, state.steps, state.totals, strict=False
    ):
        before = w.value[0]
        assert learner.samples == seen and learner.learning_rate() == value
        assert before == pytest.approx(-total, rel=1e-9, abs=1e-12)
        learner.update({w: kernel.tensor(np.full(1, float(n)))}, n, sweep_end=(seen + n) % sweep == 0)
        assert before - w.value[0] == pytest.approx(rate, rel=1e-6, abs=1e-12)
        assert step * n == pytest.approx(rate)
        seen += n
    assert seen == sweep * sweeps and -w.value[0] == pytest.approx(state.totals[-1], rel=1e-9, abs=1e-12)


@given(COMPOSED, SIZES)
def test_with_the_other_meaning_it_begins_alike(line, sizes):
    state = schedule_state(line, sizes, 64, 4)
    per = state.schedule.minibatch_size
    other = 0 if per else 1
    # The number that gives the first minibatch the same rate.
    scale = state.sizes[0] / per if per else 1 / state.sizes[0]
    swapped = schedule_state(meant_for(state.schedule, other).code, sizes, 64, 4)
    np.testing.assert_allclose(state.others, swapped.rates * scale, rtol=1e-9)
    assert state.others[0] == pytest.approx(state.rates[0])
    assert state.differs == (not np.allclose(state.others, state.rates, rtol=1e-9, atol=0))


@pytest.mark.parametrize("shape, per, epoch_size", list(itertools.product(SHAPES[:-1], MEANINGS, (0, 100))))
def test_a_line_that_is_written_is_read_again(shape, per, epoch_size):
    line = compose(shape, 0.4, 10, 0.5, epoch_size, per)
    schedule = read_rate(line)
    assert schedule.minibatch_size == MEANINGS[per]
    if shape != "constant":
        assert (schedule.epoch_size, schedule.unit) == ((100, "sample") if epoch_size else (None, "sweep"))
    # Python makes the same of it.
    assert repr(eval(line, {"kernel": kernel})) == repr(schedule)


@given(COMPOSED, st.sampled_from(list(MEANINGS.values())))
def test_meant_for_something_else_the_numbers_are_the_same(line, per):
    schedule = read_rate(line)
    other = meant_for(schedule, per)
    assert other.minibatch_size == per
    assert [other[i] for i in range(0, 500, 7)] == [schedule[i] for i in range(0, 500, 7)]


def test_the_list_of_the_learners_seed_counts_samples():
    line = (
        "lr = C.learning_rate_schedule(unit=C.UnitType.minibatch, epoch_size=100, lr=[0.05]*3 + [0.025]*2 + [0.0125])"
    )
    state = schedule_state(line, "50", sweep=1000, sweeps=1)
    changes = np.flatnonzero(np.diff(state.values)) + 1
    assert changes.tolist() == [6, 10] and state.seen[changes].tolist() == [300, 500]


@pytest.mark.parametrize(
    "line, sizes, sentence",
    [
        ("Cosin(0.1, 100)", "32", "did you mean Cosine"),
        ("[0.1, 0.2]", "32", "a number or a schedule"),
        ("Cosine(-0.1, 100)", "32", "0 or more"),
        ("momentum_as_time_constant_schedule(300)", "32", "a learning rate is drawn"),
        ("Exponential(1, 10)", "32", "grows beyond"),
        ("Exponential(1, 1e80)", "32", "grows beyond"),
        ("__import__('os')", "32", "no schedule __import__"),
        ("", "32", "an example is Cosine"),
        ("0.1", "", r"as 32, or as \[32\]"),
        ("0.1", "[32", r"as 32, or as \[32\]"),
        ("0.1", "0", "1 or more"),
        ("0.1", "[32, 12.5]", "whole number"),
        ("0.1", "many", "has no meaning"),
        ("0.1", "1", f"More than {MOST_UPDATES} updates"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_in_a_sentence(line, sizes, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        schedule_state(line, sizes, sweep=9000, sweeps=9)
    assert str(raised.value)[-1] in ".?"


@pytest.mark.parametrize("rate", [1e-5, 1e-4, 0.001, 0.004, 0.02, 0.3, 2.0, 10.0])
@pytest.mark.parametrize("sweep", [64, 1024, 40_000, 1_000_000])
def test_numbers_at_the_axes_have_room_and_titles_say_their_unit(rate, sweep):
    composer = ScheduleComposer()
    composer.set(rate=rate, sweep=sweep, sizes="512")
    state = composer.state(**composer.values)
    for axes, values in zip(composer._panels, (state.rates, state.steps, state.totals, state.sizes), strict=True):
        _, _, power = axes.get_title(loc="left").partition(", in 10")
        unit = 10.0 ** int(unicodedata.normalize("NFKC", power or "⁰").replace("−", "-"))
        told = [float(label.get_text()) * unit for label in axes.get_yticklabels()]
        assert told == pytest.approx(axes.get_yticks(), rel=1e-6, abs=0)
        assert len([number for number in told if 0 < number <= 2.2 * values.max()]) >= 2
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            assert len(label.get_text()) <= 5
        assert min(label.get_window_extent().x0 for label in axes.get_yticklabels()) >= 0


def test_a_sweep_has_samples():
    with pytest.raises(ValueError, match="give a sweep size of at least 1"):
        schedule_state("0.1", sweep=0)


def test_the_most_that_is_drawn_is_drawn():
    assert len(schedule_state("0.1", "1", MOST_UPDATES, 1).rates) == MOST_UPDATES


@pytest.mark.parametrize("text", ["32", " [32] * 2 + [64]", "minibatch_size_schedule([32] * 2 + [64])"])
def test_sizes_may_be_a_number_a_list_or_a_line(text):
    assert [read_sizes(text)[i] for i in (0, 1, 2)] == ([32] * 3 if text == "32" else [32, 32, 64])


def test_controls_write_the_line_and_a_typed_line_stays(composer):
    composer.reset()
    assert composer.values["line"] == compose("list", 0.4, 9, 0.5, 1024, "minibatch")
    composer.set(shape="cosine", rate=0.1)
    assert composer.values["line"] == "kernel.schedules.Cosine(0.1, 9, epoch_size=1024, minibatch_size=0)"
    composer.set(line="WarmUp(Cosine(0.2, 50, minibatch_size=32), 10)")
    assert (composer.values["shape"], composer.values["per"]) == (AS_TYPED, "32 samples")
    composer.set(rate=0.3)
    assert composer.values["line"] == "WarmUp(Cosine(0.2, 50, minibatch_size=32), 10)"
    composer.set(per="sample")
    assert composer.values["line"] == "WarmUp(Cosine(0.2, 50, minibatch_size=1), 10)"
    composer.set(line="StepDecay(0.1, 9, minibatch_size=64)")
    assert composer.values["per"] == AS_TYPED
    composer.set(shape="step decay")
    assert composer.values["line"] == compose("step decay", 0.3, 9, 0.5, 1024, "minibatch")


def test_what_is_typed_wrong_is_answered_and_can_be_mended(composer):
    composer.reset()
    before = composer.summary()
    with pytest.raises(ValueError, match="Cosine"):
        composer.set(line="Cosin(1, 2)")
    assert "did you mean Cosine?" in composer.error and composer.values["shape"] == AS_TYPED
    with pytest.raises(ValueError, match="Cosine"):
        composer.set(per="sample")
    composer.set(shape="list", per="minibatch")
    assert composer.error == "" and composer.summary() == before


def test_the_sentence_names_the_other_meaning_only_where_it_matters(composer):
    composer.reset()
    composer.set(epoch_size=64)
    assert "adds up to 4.2." in composer.summary() and "Meant" not in composer.summary()
    composer.set(sizes="[32] * 3 + [64]")
    assert "goes from 0.4 to 0.1, and adds up to 3.3. Meant per sample" in composer.summary()
    composer.set(line="Plateau(0.1)")
    assert "nobody reports" in composer.summary()


def test_table_and_details_are_the_state(composer):
    composer.reset()
    composer.set(epoch_size=64, sizes="[32] * 3 + [64]", at=200)
    state = composer.state(**composer.values)
    headings, rows = composer.table(state)
    assert [row[0] for row in rows] == [0, 192, 384] and all(len(row) == len(headings) for row in rows)
    assert rows[1] == (192, 7, "0.2", 64, "0.2", "0.003125", "2.4")
    assert state.at == 6 and composer.details(state).startswith("Update 7, after 192 samples: the schedule says 0.2")
    composer.set(shape="cosine")
    assert len(composer.table(composer.state(**composer.values))[1]) == 7


def test_pressing_a_curve_looks_there(composer):
    composer.reset()
    state = composer.state(**composer.values)
    pointers = composer.pointers(state)
    assert [pointer.picture for pointer in pointers] == [0, 0, 1, 1]
    for pointer in pointers:
        assert pointer.at(0.5, 0.2)["at"] == pytest.approx(288)


@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_every_shape_has_pictures_that_show_its_numbers(composer, shape):
    composer.reset()
    composer.set(shape=shape, sizes="[8] * 4 + [32]", epoch_size=64)
    state = composer.state(**composer.values)
    pictures = composer.picture(state)
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    shown = (state.rates, state.steps, state.totals, state.sizes)
    dashed = (state.others, state.others / state.sizes, np.cumsum(state.others), state.sizes)
    for axes, curve, values, others in zip(composer._panels, composer._curves, shown, dashed, strict=True):
        assert curve.get_xdata().tolist() == [*state.seen, 64 * 9]
        assert curve.get_ydata()[: len(values)].tolist() == values.tolist()
        highest = max(*values, *others)
        assert axes.get_ylim()[0] == 0 and 0.999 * highest <= axes.get_ylim()[1] <= 2.6 * highest


def test_a_rate_of_nothing_is_drawn():
    state = schedule_state("0.0", "32", 64, 2)
    assert state.totals.tolist() == [0.0] * 5 and not math.isnan(state.others.sum())
    assert "stays at 0, and adds up to 0." in ScheduleComposer("0.0", sweep=64, sweeps=2).summary()


def test_the_composer_begins_where_it_is_told():
    widget = ScheduleComposer('learning_rate_schedule([0.1, 0.2], "sample", 64)', "16", sweep=128, sweeps=2)
    assert widget.values["per"] == "sample" and widget.values["shape"] == AS_TYPED
    widget.set(shape="cosine")
    widget.reset()
    assert widget.values["line"] == 'learning_rate_schedule([0.1, 0.2], "sample", 64)'
    with pytest.raises(ValueError, match="did you mean"):
        ScheduleComposer("Cosin(0.1, 3)")
