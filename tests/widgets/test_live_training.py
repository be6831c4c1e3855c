"""Live training without a browser: the runs against the kernel by hand, what is drawn and said of them."""

import asyncio
import re
import time

import numpy as np
import pytest

import kernel
from widgets import style
from widgets.live_training import LiveTraining
from widgets.training_runs import (
    DATA,
    LEARNERS,
    SCHEDULES,
    Run,
    first_weights,
    judge,
    probabilities,
    runs,
    train,
    zone,
)

ZONES, DIGITS = (DATA[name]() for name in ("three zones", "digits"))


def last(frames):
    *_, frame = frames
    return frame


def by_name(learner, rate=None):
    return Run(learner, 0, learner, LEARNERS[learner][2] if rate is None else rate)


def test_the_zones_are_those_of_the_rule():
    points = np.random.default_rng(1).random((500, 2))
    for (x, y), label in zip(points, zone(points), strict=True):
        expected = 0
        if x > y:
            expected = 2
        if x + y > 1:
            expected = 1
        assert label == expected


@pytest.mark.parametrize("data", [ZONES, DIGITS], ids=["zones", "digits"])
def test_what_is_held_out_is_not_learnt_from(data):
    seen = {tuple(row) for row in data.inputs.tolist()}
    assert not seen & {tuple(row) for row in data.held_inputs.tolist()}
    assert data.inputs.shape[1:] == data.held_inputs.shape[1:] == (data.sizes[0],)
    assert set(data.labels.tolist()) == set(range(data.sizes[-1]))


def test_a_run_is_what_the_kernel_does_by_hand():
    """Ten updates of Adam, written out with layers and step()."""
    net = kernel.layers.Sequential(kernel.layers.Linear(2, 12), kernel.layers.Tanh(), kernel.layers.Linear(12, 3))
    generator = np.random.default_rng(5)
    for parameter, value in zip(net.parameters(), first_weights(ZONES.sizes, generator), strict=True):
        parameter.data.copy_(kernel.tensor(value))
    learner = kernel.Adam(net.parameters(), lr=0.02)
    order = generator.permutation(len(ZONES.labels))
    losses = []
    for number in range(10):
        batch = order[20 * number : 20 * (number + 1)]
        learner.zero_grad()
        loss = kernel.cross_entropy(net(kernel.tensor(ZONES.inputs[batch])), kernel.tensor(ZONES.labels[batch]))
        loss.backward()
        learner.step()
        losses.append(loss.item())
    frame = last(train([by_name("SGD"), by_name("Adam")], ZONES, 20, 10, seed=5))
    for parameter, ours in zip(net.parameters(), frame.weights[1], strict=True):
        np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=1e-5, atol=1e-7)
    shares = 0.9 ** np.arange(9, -1, -1)
    assert frame.losses[1, -1] == pytest.approx(np.dot(shares, losses) / shares.sum(), rel=1e-5)
    scores = net(kernel.tensor(ZONES.held_inputs)).detach()
    labels = kernel.tensor(ZONES.held_labels)
    assert frame.held[1, -1] == pytest.approx(kernel.cross_entropy(scores, labels).item(), rel=1e-4)
    assert frame.right[1, -1] == pytest.approx((scores.argmax(axis=1) == labels).float().mean().item())


def test_all_begin_alike_and_see_the_same():
    frames = train([by_name("SGD", 0.3), by_name("Adam"), by_name("SGD", 0.3)], ZONES, 20, 40, seed=0)
    start = next(frames)
    assert start.step == 0
    assert len({held.tobytes() for held in start.held}) == 1
    end = last(frames)
    assert end.held[0].tolist() == end.held[2].tolist() != end.held[1].tolist()
    other = last(train([by_name("SGD", 0.3)], ZONES, 20, 40, seed=1))
    assert other.held[0].tolist() != end.held[0].tolist()


@pytest.mark.parametrize(
    ("data", "updates", "least"), [(ZONES, 600, 0.93), (DIGITS, 300, 0.9)], ids=["zones", "digits"]
)
def test_every_learner_learns_with_the_rate_it_comes_with(data, updates, least):
    frame = last(train([by_name(name) for name in LEARNERS], data, 20, updates, seed=0))
    assert dict(zip(LEARNERS, frame.right[:, -1] > least, strict=True)) == dict.fromkeys(LEARNERS, True)
    assert (frame.held[:, -1] < frame.held[:, 0] / 3).all()


def test_a_run_that_diverges_rests_and_the_others_go_on():
    frame = last(train([by_name("SGD", 1e6), by_name("Adam")], DIGITS, 20, 60, seed=0))
    assert np.isnan(frame.held[0, -1]) and np.isnan(frame.losses[0, -1])
    assert frame.right[1, -1] > 0.8


def test_frames_keep_what_they_were():
    frames = train([by_name("SGD")], ZONES, 20, 30, seed=0)
    third = [next(frames) for _ in range(4)][-1]
    before = third.losses.copy(), [part.copy() for part in third.weights[0]]
    last(frames)
    np.testing.assert_array_equal(third.losses, before[0])
    for now, then in zip(third.weights[0], before[1], strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_minibatch_may_be_larger_than_what_is_left_of_a_sweep():
    frame = last(train([by_name("SGD")], ZONES, 700, 5, seed=0))
    assert frame.step == 5


def test_schedules_end_where_they_say():
    values = {"learner": "SGD", "rate": 0.8, "schedules": tuple(SCHEDULES)}
    frame = last(train(runs("schedules", 60, **values), ZONES, 20, 60, seed=0))
    rates = dict(zip(SCHEDULES, frame.rates, strict=True))
    assert rates["constant"] == 0.8
    assert rates["cosine"] == rates["warm-up"] == rates["linear"] == pytest.approx(0, abs=1e-9)
    assert rates["steps"] == pytest.approx(0.8 * 0.3**3)


def test_the_code_makes_the_learner():
    values = {"rate": 0.8, "schedules": tuple(SCHEDULES)}
    chosen = [by_name(name) for name in LEARNERS]
    for learner in LEARNERS:
        chosen += runs("schedules", 60, learner=learner, **values)
    names = {name: getattr(kernel.schedules, name) for name in kernel.schedules.__all__} | vars(kernel)
    for run in chosen:
        model = kernel.layers.Linear(2, 2)
        made = eval(run.code, {"model": model, **names})
        assert repr(made) == repr(run.make(list(model.parameters())))


def test_probabilities_of_large_numbers_stay_numbers():
    weights = tuple(1e3 * part for part in first_weights((2, 12, 3), np.random.default_rng(0)))
    likely = probabilities(weights, ZONES.held_inputs)
    assert np.isfinite(likely).all()
    assert judge(weights, ZONES.held_inputs, ZONES.held_labels)[1] <= 1


@pytest.mark.parametrize("data", list(DATA))
@pytest.mark.parametrize("compare", ["learners", "schedules"])
def test_picture_sentence_and_table_follow_the_training(data, compare):
    training = LiveTraining(data, compare)
    assert training._status.value.startswith("<p>All 3 start from the same parameters: loss ")
    start = training._shown
    training.advance(30)
    pictures, alt, status = training._shown
    assert all(now != then for now, then in zip(pictures, start[0], strict=True))
    assert status.startswith("After 30 of 600 updates ")
    frame, state = training.frame, training._state()
    best = np.nanargmin(frame.held[:, -1])
    assert f"{state.runs[best].name} leads: loss {frame.held[best, -1]:.4f}" in status
    headings, rows = training.table(state)
    assert [row[0] for row in rows] == [run.name for run in state.runs]
    assert [len(row) for row in rows] == [len(headings)] * 3
    for number, row in enumerate(rows):
        assert row[3] == f"{frame.held[number, -1]:.4f}"
        assert f"{row[0]} at {row[3]} with {row[4]} right" in alt


def test_all_of_them_and_one_alone_can_be_drawn():
    training = LiveTraining()
    for learners in (tuple(LEARNERS), ("Lion",)):
        training.set(learners=learners)
        training.advance(3)
        assert len(training.table(training._state())[1]) == len(learners)
    assert "last is" not in training._shown[2], "one alone is not behind itself"


def test_a_run_that_diverged_is_drawn_and_said():
    training = LiveTraining("digits")
    training.set(learners=("SGD", "Adam"), rate_SGD=10.0, minibatch=1)
    training.advance(120)
    # A loss is told as long as it is a number, however unlikely the network holds what is right.
    assert 100 < training.frame.held[0, -1] < 1e4
    assert "Diverged" not in training._shown[2]
    training.set(learners=("Adam", "Lion"), rate_Lion=10.0)
    training.advance(120)
    assert not np.isfinite(training.frame.held[1, -1])
    _, alt, status = training._shown
    assert status.endswith("Diverged: Lion.")
    assert "Lion diverged" in alt
    assert training.table(training._state())[1][1] == ["Lion", "10", "diverged", "–", "–"]


def test_nothing_to_compare_is_a_sentence():
    training = LiveTraining()
    with pytest.raises(ValueError, match="choose at least one of the learners"):
        training.set(learners=())
    training.set(learners=("Adam",))
    assert training.error == ""


@pytest.mark.parametrize("wrong", [{"data": "cats"}, {"compare": "rates"}])
def test_what_there_is_not_is_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"LiveTraining: {name} must be one of .*, but '{value}' came"):
        LiveTraining(**wrong)


def test_the_pace_is_kept():
    async def main():
        training = LiveTraining()
        training.set(pace=60)
        began = time.monotonic()
        training.start()
        await asyncio.sleep(1)
        return training.frame.step, time.monotonic() - began

    steps, seconds = asyncio.run(main())
    # A picture may delay steps, which are then made good.
    assert 5 < steps <= 60 * seconds + 7


def test_without_a_kernel_there_is_a_trained_picture():
    training = LiveTraining()
    html = training._repr_mimebundle_()["text/html"]
    assert html.startswith("<figure")
    assert "After 200 of 600 updates" in html
    assert training.frame.step == 0


def test_the_students_random_numbers_are_left_alone():
    kernel.manual_seed(3)
    np.random.seed(3)
    expected = kernel.rand(3).tolist(), np.random.rand()
    kernel.manual_seed(3)
    np.random.seed(3)
    training = LiveTraining()
    training.advance(5)
    assert (kernel.rand(3).tolist(), np.random.rand()) == expected


@pytest.mark.parametrize("heights", [[1, 2, 3], [1, 1, 1], [3, 1.1, 1.0, 2.9], [0.0], [5, 5.2, 4.9, 5.1, 0]])
def test_names_stand_apart_in_the_lines_order(heights):
    places = style.apart(heights, gap=0.5)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(np.array(places)[order]) >= 0.5 - 1e-9).all()
    assert np.mean(places) == pytest.approx(np.mean(heights))


def test_sentences_have_no_numbers_with_too_many_digits():
    training = LiveTraining()
    training.advance(20)
    told = training.summary().partition(" (Controls")[0] + repr(training.table(training._state()))
    assert not re.search(r"\d\.\d{5}", told)


@pytest.mark.parametrize("count", [1, 3, len(LEARNERS)])
def test_digits_are_square_and_no_row_overlaps_another(count):
    widget = LiveTraining(data="digits")
    widget.set(learners=tuple(LEARNERS)[:count])
    widget.advance(1)
    _, answers = widget._pictures
    axes = answers._wrong.axes
    boxes = [image.get_window_extent() for image in axes.images]
    assert len(boxes) == answers.COUNT
    for box in boxes:
        assert box.width == pytest.approx(box.height, rel=0.02)
    rows = axes.transData.transform([(0, row * answers._apart) for row in range(count + 1)])[:, 1]
    assert (-np.diff(rows) >= boxes[0].height).all() and rows[-1] > axes.bbox.y0
