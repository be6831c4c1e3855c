"""What lesson 06 and its exercises say of schedules holds of the kernel as it is."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from classroom import spec
from kernel.layers import Dense, Sequential
from kernel.schedules import Cosine, Plateau, effective_rate

LESSON = Path(__file__).parents[2] / "course" / "06_schedules"
EXERCISES = {exercise.name: exercise for exercise in spec.load(LESSON / "checks.py")}
ANSWERS = {name: exercise.function for name, exercise in EXERCISES.items()}


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
    st.integers(1, 200),
    st.integers(1, 200),
    st.integers(0, 30),
)
def test_the_rates_of_exercise_1_are_those_of_a_learner(values, epoch_size, n, updates):
    w = kernel.Parameter([0.0])
    learner = kernel.sgd([w], kernel.learning_rate_schedule(values, "minibatch", epoch_size))
    said = []
    for _ in range(updates):
        said.append(learner.learning_rate())
        learner.update({w: kernel.zeros(1)}, n)
    assert ANSWERS["rates"](values, epoch_size, n, updates) == said


@given(st.floats(0.001, 1), st.sampled_from([0, 1, 32]), st.integers(1, 4096), st.integers(1, 4096))
def test_the_number_of_exercise_2_keeps_the_step_of_a_sample(rate, size, old, new):
    number = ANSWERS["carried_over"](rate, size, old, new)
    assert effective_rate(number, size, new) == pytest.approx(effective_rate(rate, size, old))


@given(st.lists(st.floats(0.01, 2), max_size=40), st.integers(0, 4), st.sampled_from([0.0, 0.01, 0.2]))
def test_the_plateau_of_exercise_3_is_the_kernels(losses, patience, threshold):
    schedule = Plateau(0.4, 0.5, patience, threshold)
    # The kernel subtracts a share of the best, the exercise multiplies: where the two differ by a rounding, look away.
    bests = np.minimum.accumulate([np.inf, *losses])[:-1] * (1 - threshold)
    if any(abs(loss - best) < 1e-9 for loss in losses for best in bests):
        return
    expected = []
    for loss in losses:
        schedule.report(loss)
        expected.append(schedule[0])
    assert ANSWERS["plateau"](losses, 0.4, 0.5, patience, threshold) == pytest.approx(expected)


def test_the_schedule_of_exercise_4_counts_minibatches_and_the_seeds_does_not():
    schedule = ANSWERS["counted_in_minibatches"]([(300, 0.05), (200, 0.025), (0, 0.0125)], 64)
    changes = [update for update in range(1, 600) if schedule[64 * update] != schedule[64 * (update - 1)]]
    assert changes == [300, 500]
    bug = kernel.learning_rate_schedule([0.05] * 3 + [0.025] * 2 + [0.0125], "minibatch", epoch_size=100)
    assert [bug[64 * update] for update in (4, 5)] == [0.05, 0.025], "after five minibatches, as the exercise says"


def train():
    """The lesson's function of that name, with its digits."""
    tree = ast.parse((LESSON / "lesson.py").read_text(encoding="utf-8"))
    at = next(number for number, node in enumerate(tree.body) if getattr(node, "name", "") == "train")
    # The lines before it, back to the import of the digits, make what it trains on.
    first = max(i for i in range(at) if getattr(tree.body[i], "module", "") == "sklearn.datasets")
    names = {"np": np, "kernel": kernel, "Dense": Dense, "Sequential": Sequential}
    exec(compile(ast.Module(tree.body[first : at + 1], []), "lesson", "exec"), names)
    return names["train"]


def test_slopes_and_cliffs_are_as_section_4_draws_them():
    """The curves are a picture, which nbval does not compare."""
    run = train()
    small, large = (run(0.00625 * n / 16, n, 8)[-1] for n in (64, 256))
    assert small == pytest.approx(large, rel=0.15), "small rates: the rate per sample decides"
    assert run(0.1, 64, 8)[-1] < 0.5 * run(0.1, 256, 8)[-1], "and not the rate per update"
    for n in (64, 256):
        assert run(0.8, n, 8)[-1] < 0.5 and run(1.6, n, 8)[-1] > 1, "the cliff lies between 0.8 and 1.6 per update"


def test_no_constant_rate_ends_as_low_as_one_that_falls():
    """Section 5 tells it of three nets and many rates; here are one net, the best constant rate and two beside it."""
    run = train()
    falls = run(Cosine(0.25, 30, epoch_size=1437, minibatch_size=0), 8, 30, noise=0.5)[-1]
    for rate in (0.035, 0.07, 0.14):
        assert run(rate, 8, 30, noise=0.5)[-1] > 1.04 * falls, rate
