"""What lesson 07 and its exercises say of momentum holds of the kernel as it is."""

import math
from pathlib import Path

import numpy as np
import pytest

import kernel
from classroom import spec
from kernel.layers import Dense, Sequential
from kernel.schedules import half_life_of_momentum, time_constant_of_momentum
from widgets.momentum_forms import best, eigenvalues, factor, path

LESSON = Path(__file__).parents[2] / "course" / "07_momentum"
EXERCISES = {exercise.name: exercise for exercise in spec.load(LESSON / "checks.py")}
ANSWERS = {name: exercise.function for name, exercise in EXERCISES.items()}


def test_the_three_forms_agree_in_every_parameter_in_single_precision():
    z = Sequential([Dense(4, activation=kernel.relu), Dense(2)])(kernel.input_variable(3))
    n, time_constant = 10, 300
    m = math.exp(-n / time_constant)
    assert m == 0.9672161004820059
    as_time = kernel.momentum_as_time_constant_schedule(time_constant)
    for rate, momentum, unit_gain in ((1, m, False), (1, as_time, False), (1 / (1 - m), m, True)):
        learner = kernel.momentum_sgd(z.parameters, rate, momentum, unit_gain=unit_gain)
        for moved in kernel.inspect_update(learner, n, 5):
            assert moved.dtype == np.float32
            np.testing.assert_array_equal(moved.round(4), np.full(moved.shape, -1.436, np.float32))


def test_the_memory_of_exercise_1_is_the_kernels():
    for case in EXERCISES["memory"].generate(0, "float64"):
        expected = (time_constant_of_momentum(*case.arguments), half_life_of_momentum(*case.arguments))
        assert ANSWERS["memory"](*case.arguments) == pytest.approx(expected)


def test_the_number_of_exercise_2_is_that_of_a_time_constant_of_1024():
    assert math.exp(-1 / 1024) == 0.9990239141819757
    w = kernel.Parameter(np.zeros(1))
    rest = []
    for schedule in (
        kernel.momentum_schedule_per_sample([0] * 5 + [0.9990239141819757], epoch_size=256),
        kernel.momentum_as_time_constant_schedule([0] * 5 + [1024], epoch_size=256),
    ):
        learner = kernel.momentum_sgd([w], 1, schedule, unit_gain=False, minibatch_size=0)
        places = [w.item()]
        for gradient in (1, 0, 0, 0, 1, 0):
            learner.update({w: np.full(1, 256.0 * gradient)}, 256)
            places.append(w.item())
        steps = -np.diff(places)
        assert steps[:5].tolist() == [1, 0, 0, 0, 1], "no momentum in the first five epochs, of one minibatch each"
        rest.append(steps[5])
    assert rest == pytest.approx([ANSWERS["hidden"]()["momentum for minibatches of 256"]] * 2, rel=1e-5)


@pytest.mark.parametrize("unit_gain", [True, False])
def test_the_step_of_exercise_3_is_the_kernels(unit_gain):
    rng = np.random.default_rng(0)
    x = kernel.Parameter(rng.normal(size=3))
    w, v = kernel.tensor(x.value), kernel.zeros(3, dtype="float64")
    learner = kernel.momentum_sgd([x], 0.3, 0.8, unit_gain=unit_gain)
    for gradient in rng.normal(size=(5, 3)):
        learner.update({x: gradient}, 1)
        w, v = ANSWERS["momentum_step"](w, v, kernel.tensor(gradient), 0.3, 0.8, unit_gain)
        np.testing.assert_allclose(x.value, w.numpy(), rtol=1e-12)


def test_the_rate_of_exercise_4_makes_the_forms_agree():
    rate, time_constant, samples = EXERCISES["unit_gain_rate"].generate(0, "float64")[2].arguments
    momentum = kernel.momentum_as_time_constant_schedule(time_constant)
    ends = []
    for own_rate, unit_gain in ((rate, False), (ANSWERS["unit_gain_rate"](rate, time_constant, samples), True)):
        w = kernel.Parameter(np.zeros(2))
        learner = kernel.momentum_sgd([w], own_rate, momentum, unit_gain=unit_gain)
        ends.append(kernel.inspect_update(learner, samples, 7)[0])
    np.testing.assert_allclose(*ends, rtol=1e-12)


def test_the_step_of_exercise_5_looks_where_the_kernels_parameter_stands():
    curvature, rate, m = np.array([0.1, 1.0]), 0.5, 0.9
    x = kernel.Parameter(np.ones(2))
    learner = kernel.nesterov([x], rate, m, unit_gain=False)
    w, v = np.ones(2), np.zeros(2)
    for _ in range(6):
        learner.update({x: curvature * x.value}, 1)
        w, v = ANSWERS["nesterov_step"](w, v, lambda place: curvature * place, rate, m)
        np.testing.assert_allclose(x.value, w - m * v, rtol=1e-12)


def test_nothing_near_the_answer_of_exercise_6_is_faster():
    for case in EXERCISES["fastest"].generate(0, "float64"):
        smallest, largest = case.arguments
        rate, momentum = ANSWERS["fastest"](smallest, largest)
        found = factor("heavy ball", largest * rate, momentum, largest / smallest)
        assert found == pytest.approx(math.sqrt(momentum), abs=1e-6)
        for longer, more in ((0.98, 0), (1.02, 0), (1, -0.02), (1, 0.02), (0.98, 0.02), (1.02, -0.02)):
            other = factor("heavy ball", longer * largest * rate, momentum + more * (1 - momentum), largest / smallest)
            assert other > found


@pytest.mark.parametrize("m", [0.1, 0.5, 0.9])
def test_what_ripples_is_a_pair_up_to_a_border_and_then_two_that_jump(m):
    low, high, last = (1 - math.sqrt(m)) ** 2, (1 + math.sqrt(m)) ** 2, 2 * (1 + m)
    assert (eigenvalues("heavy ball", 0.99 * low, m, 1.0).real > 0).all()
    for rate in (1.01 * low, 1.0, 0.999 * high):
        pair = eigenvalues("heavy ball", rate, m, 1.0)
        assert pair.imag.all() and abs(pair) == pytest.approx([math.sqrt(m)] * 2)
    jumping = eigenvalues("heavy ball", (high + last) / 2, m, 1.0)
    assert not jumping.imag.any() and (jumping.real < 0).all() and math.sqrt(m) < abs(jumping).max() < 1
    assert abs(eigenvalues("heavy ball", 1.001 * last, m, 1.0)).max() > 1


def test_a_momentum_raised_without_unit_gain_lengthens_steps_and_leaves_the_limit():
    """Steps five times as long are no divergence: on a quadratic the heavy ball's limit even rises with m."""
    for rate in (1.0, 2.9):
        assert factor("heavy ball", rate, 0.5, 10) < 1 and factor("heavy ball", rate, 0.9, 10) < 1


@pytest.mark.parametrize("form", ["heavy ball", "Nesterov"])
def test_the_steps_of_section_6_are_those_of_the_long_run(form):
    condition = 1000
    shrinks = factor(form, *best(form, condition), condition)
    steps = math.ceil(math.log(0.01) / math.log(shrinks))
    away = abs(path(form, *best(form, condition), condition, steps=12 * steps)).max(axis=1)
    # The double eigenvalue leaves a factor k before the power.
    assert away[12 * steps] / away[11 * steps] == pytest.approx(0.01, rel=0.12)
    assert away[steps] > 0.02, "the first hundredth takes longer"
