"""The learners that count samples: the printed figures of the learners course, and plain NumPy with every option."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernel.reference_learners import Plan, Reference, always

import kernel
from kernel import UnitType, layers
from kernel.errors import RangeError

PER_MINIBATCH, PER_SAMPLE = UnitType.minibatch, UnitType.sample


@pytest.fixture
def net() -> kernel.Module:
    """The network of the course: 3 inputs, 4 hidden units, 2 outputs."""
    model = layers.Sequential(layers.Dense(4, activation=kernel.relu), layers.Dense(2))
    model(kernel.zeros(1, 3))
    return model


def printed(learner: Any, n: int, count: int = 1) -> set[str]:
    """Every element of every parameter, printed with four digits, after updates by gradients of 1."""
    before = [p.value.copy() for p in learner.parameters]
    values = kernel.inspect_update(learner, n, count)
    assert all(value.dtype == numpy.float32 for value in values)
    assert [value.shape for value in values] == [p.shape for p in learner.parameters]
    for parameter, value in zip(learner.parameters, before, strict=True):
        assert (parameter.value == value).all(), "the values are put back"
    with numpy.printoptions(precision=4):
        return {str(element.reshape(1))[1:-1] for value in values for element in value.reshape(-1)}


def test_units_of_the_course(net: kernel.Module) -> None:
    parameters = list(net.parameters())
    assert sorted(p.shape for p in parameters) == [(2,), (3, 4), (4,), (4, 2)]
    assert printed(kernel.sgd(parameters, kernel.learning_rate_schedule(0.5, PER_SAMPLE)), 2) == {"-0.5"}
    assert printed(kernel.sgd(parameters, kernel.learning_rate_schedule(0.5, PER_MINIBATCH)), 2) == {"-0.25"}
    assert printed(kernel.sgd(parameters, 0.5), 2) == {"-0.25"}


def test_three_forms_of_momentum(net: kernel.Module) -> None:
    n, constant = 10, 300
    momentum = math.exp(-n / constant)
    assert str(momentum) == "0.9672161004820059"
    rate = kernel.learning_rate_schedule(1, PER_MINIBATCH)
    gained = kernel.learning_rate_schedule(1 / (1 - momentum), PER_MINIBATCH)
    m, t = kernel.momentum_schedule(momentum), kernel.momentum_as_time_constant_schedule(constant)
    for learner in (
        kernel.momentum_sgd(net.parameters(), rate, m, unit_gain=False),
        kernel.momentum_sgd(net.parameters(), rate, t, unit_gain=False),
        kernel.momentum_sgd(net.parameters(), gained, m, unit_gain=True),
        kernel.momentum_sgd(net.parameters(), gained, t),
    ):
        assert printed(learner, n, 5) == {"-1.436"}


def of_the_course(name: str, parameters: Any, rate: float = 1) -> Any:
    lr = kernel.learning_rate_schedule(rate, PER_MINIBATCH)
    t = kernel.momentum_as_time_constant_schedule(1000)
    return {
        "adadelta": lambda: kernel.adadelta(parameters, lr, 0.999, 1e-6),
        "adagrad": lambda: kernel.adagrad(parameters, lr),
        "adam": lambda: kernel.adam(parameters, lr, t, unit_gain=False),
        "adamax": lambda: kernel.adam(parameters, lr, t, unit_gain=False, adamax=True),
        "fsadagrad": lambda: kernel.fsadagrad(parameters, lr, t, unit_gain=False),
        "rmsprop": lambda: kernel.rmsprop(
            parameters, lr, gamma=0.999, inc=1.0 + 1e-9, dec=1.0 - 1e-9, max=numpy.inf, min=1e-30
        ),
    }[name]()


FIGURES = {
    "adadelta": "-0.0099",
    "adagrad": "-0.3125",
    "adam": "-9.9203",
    "adamax": "-9.9227",
    "fsadagrad": "-8.8573",
    "rmsprop": "-0.3125",
}


@pytest.mark.parametrize("name", FIGURES)
def test_learners_of_the_course(net: kernel.Module, name: str) -> None:
    learner = of_the_course(name, net.parameters())
    assert printed(learner, 32, 10) == {FIGURES[name]}
    assert printed(learner, 32, 10) == {FIGURES[name]}, "looking changes nothing"
    assert (learner.samples, learner.minibatches, learner.sweeps) == (0, 0, 0)


def test_retuned(net: kernel.Module) -> None:
    assert printed(of_the_course("adadelta", net.parameters(), 1004), 32, 10) == {"-9.9228"}


def test_double_precision_prints_other_digits(net: kernel.Module) -> None:
    """Two of the figures come from 1 - b in float32; in float64 they are -9.9227 and -8.8595."""
    net.to("float64")
    for name, figure in (("adam", -9.92270085), ("fsadagrad", -8.85950084)):
        for value in kernel.inspect_update(of_the_course(name, net.parameters()), 32, 10):
            assert value.dtype == numpy.float64 and abs(value - figure).max() < 5e-9


def test_expressions_of_the_course(net: kernel.Module) -> None:
    def my_rmsprop(parameters: list, gradients: list) -> Any:
        rho, lr = 0.999, 0.01
        accumulators = [kernel.constant(1e-6, shape=p.shape, dtype=p.dtype) for p in parameters]
        updates = []
        for p, g, a in zip(parameters, gradients, accumulators, strict=True):
            new = kernel.assign(a, rho * a + (1 - rho) * g * g)
            updates.append(kernel.assign(p, p - lr * g / kernel.sqrt(new)))
        return kernel.combine(updates)

    learner = kernel.universal(my_rmsprop, net.parameters())
    assert printed(learner, 10, 2) == {"-0.5397"}
    assert printed(learner, 10, 2) == {"-0.5397"}, "its constants are put back"


def test_classes_of_the_course(net: kernel.Module) -> None:
    class MySgd(kernel.UserLearner):
        def __init__(self, parameters: Any, lr_schedule: Any):
            super().__init__(parameters, lr_schedule, as_numpy=False)
            self.lr = lr_schedule[0]

        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            for p, g in gradients.items():
                p.value = p.value - self.lr / n_samples * g.numpy()
            return True

    learner = MySgd(net.parameters(), kernel.learning_rate_schedule(1, PER_MINIBATCH))
    with numpy.printoptions(precision=4):
        assert {str(v) for value in kernel.inspect_update(learner, 64, 10) for v in value.ravel().round(5)} == {
            "-0.15625"
        }
        assert str(kernel.inspect_update(learner, 64, 10)[-1]) in (
            "[-0.1562 -0.1562]",
            "[-0.1562 -0.1562 -0.1562 -0.1562]",
        )


def test_an_epoch_size_counts_samples_per_minibatch_too() -> None:
    """.1 four times, .2 three times, then .4, by minibatches of 32 and epochs of 100; "300 minibatches" is a slip."""
    for unit in UnitType:
        w = kernel.Parameter([0.0])
        learner = kernel.sgd([w], kernel.learning_rate_schedule([0.1, 0.2, 0.4], unit, epoch_size=100))
        rates = []
        for _ in range(10):
            rates.append(learner.learning_rate())
            assert learner.update({w: kernel.ones(1)}, 32)
        assert rates == [0.1] * 4 + [0.2] * 3 + [0.4] * 3
        total = 0.4 + 0.6 + 1.2
        assert w.value[0] == pytest.approx(-total / (32 if unit is PER_MINIBATCH else 1), rel=1e-6)


# Every option, at random, next to plain NumPy.
RULES = ["sgd", "momentum_sgd", "nesterov", "adagrad", "rmsprop", "adadelta", "fsadagrad", "adam", "adamax"]
SHAPES = [(3, 4), (5,), (), (2, 1, 3)]


def pick(draw: numpy.random.Generator, *choices: Any) -> Any:
    return choices[draw.integers(len(choices))]


def planned(draw: numpy.random.Generator, low: float, high: float, can_stop: bool) -> tuple[Plan, Callable[[str], Any]]:
    """A schedule as the formulas say it, and how ours is made for a "rate" or a "momentum"."""
    size, epoch_size = pick(draw, None, 0, 1, 16), pick(draw, None, 10, 37)
    values = [round(float(v), 4) for v in draw.uniform(low, high, draw.integers(1, 4))]
    if can_stop and draw.random() < 0.1:
        values.append(0.0)
    if size in (1, 16) and low > 0.5:  # a momentum for a few samples is a small one for many
        values = [v ** (size / 16) for v in values]
    lengths = [int(k) for k in draw.integers(1, 3, len(values) - 1)]
    plan = Plan([*zip(lengths, values, strict=False), (0, values[-1])], epoch_size, size)
    told: Any = [(k, v) for k, v in plan.values]
    if draw.random() < 0.5:
        told = [v for k, v in plan.values for _ in range(max(k, 1))]
    if len(values) == 1 and draw.random() < 0.7:
        told = values[0]

    def make(kind: str) -> Any:
        if isinstance(told, float) and size is None and draw.random() < 0.5:
            return told
        if kind == "momentum":
            if size == 1:
                return kernel.momentum_schedule_per_sample(told, epoch_size)
            return kernel.momentum_schedule(told, epoch_size, size)
        if size in (0, 1) and draw.random() < 0.5:
            return kernel.learning_rate_schedule(told, ["minibatch", "sample"][size], epoch_size)
        if size == 1 and draw.random() < 0.5:
            return kernel.learning_parameter_schedule_per_sample(told, epoch_size)
        return kernel.learning_parameter_schedule(told, size, epoch_size)

    return plan, make


@pytest.mark.parametrize("seed", range(45))
@pytest.mark.parametrize("rule", RULES)
def test_every_option_at_random(rule: str, seed: int) -> None:
    draw = numpy.random.default_rng([seed, RULES.index(rule)])
    rate, make_rate = planned(draw, 0.001, 0.3, can_stop=True)
    frame: dict[str, Any] = {
        "minibatch_size": pick(draw, None, None, 0, 8),
        "l1": pick(draw, 0.0, 0.0, 0.01),
        "l2": pick(draw, 0.0, 0.0, 0.01),
        "clip": pick(draw, None, None, 0.5, 2.0),
        "clip_by": pick(draw, "value", "norm", "global norm"),
    }
    options: dict[str, Any] = {}
    if rule in ("adagrad", "rmsprop"):
        options["need_ave_multiplier"] = bool(draw.random() < 0.6)
    if rule == "rmsprop":
        options |= {"gamma": pick(draw, 0.9, 0.99), "inc": 1.3, "dec": pick(draw, 0.5, 0.9), "max": 0.1, "min": 0.001}
    if rule == "adadelta":
        options |= pick(draw, {}, {"rho": 0.9, "epsilon": 1e-6})
    if rule in ("adam", "adamax"):
        options |= pick(draw, {}, {"epsilon": 1e-3})
    with_momentum: dict[str, Any] = {}
    plans: dict[str, Any] = {}
    if rule in ("momentum_sgd", "nesterov", "fsadagrad", "adam", "adamax"):
        plans["momentum"], make = planned(draw, *pick(draw, (0.6, 0.95), (0.6, 0.95), (0.0, 1e-9)), can_stop=False)
        with_momentum = {"momentum": make("momentum")}
        if draw.random() < 0.3:
            constant = pick(draw, 20.0, 300.0)
            plans["momentum"] = always(math.exp(-1 / constant), 1)
            with_momentum = {"momentum": kernel.momentum_as_time_constant_schedule(constant)}
        options["unit_gain"] = bool(draw.random() < 0.5)
    if rule in ("fsadagrad", "adam", "adamax") and draw.random() < 0.6:
        size = pick(draw, None, 1)
        plans["variance"] = always(0.99, size)
        with_momentum["variance_momentum"] = kernel.momentum_schedule(0.99, minibatch_size=size)
    starts = [draw.normal(size=shape) * pick(draw, 0.0, 0.3) for shape in SHAPES]
    steps = []
    for _ in range(10):
        gradients = [draw.normal(size=shape) * pick(draw, 0.1, 1.0, 5.0) for shape in SHAPES]
        gradients[0][0] = 0.0  # weights that no sample reaches
        steps.append(([g.astype("float32") for g in gradients], int(draw.integers(1, 30)), bool(draw.random() < 0.3)))
    other, make_other = planned(draw, 0.001, 0.3, can_stop=False)
    ours_rate, ours_other = make_rate("rate"), make_other("rate")
    reset_at = pick(draw, None, 4)
    # The steps of rmsprop are ten factors, multiplied up in float32.
    for dtype, tolerance in (("float32", 1.2e-6 if rule == "rmsprop" else 6e-7), ("float64", 1e-14)):
        parameters = [kernel.Parameter(kernel.tensor(start.astype("float32"), dtype=dtype)) for start in starts]
        name = "adam" if rule == "adamax" else rule
        extra = {"adamax": True} if rule == "adamax" else {}
        learner = getattr(kernel, name)(parameters, ours_rate, **with_momentum, **options, **frame, **extra)
        reference = Reference(rule, [p.value for p in parameters], rate, **plans, **frame, **options, dtype=dtype)
        for i, (gradients, n, sweep_end) in enumerate(steps):
            if i == reset_at:
                learner.reset_learning_rate(ours_other)
                reference.reset(other)
            assert learner.learning_rate() == pytest.approx(reference.rate_now(), rel=1e-15)
            given = {p: g.astype(dtype) for p, g in zip(parameters, gradients, strict=True)}
            before = [p.value.copy() for p in parameters]
            done = learner.update(given, n, sweep_end)
            assert done == reference.update(gradients, n, sweep_end)
            assert (learner.samples, learner.minibatches, learner.sweeps) == (
                reference.samples,
                reference.minibatches,
                reference.sweeps,
            )
            for k, (parameter, value) in enumerate(zip(parameters, reference.values, strict=True)):
                if not done:
                    assert (parameter.value == before[k]).all()
                error = abs(parameter.value - value).max() / (reference.sizes[k] or 1)
                assert error <= tolerance, (i, k, dtype, error)
            for (parameter, g), gradient in zip(given.items(), gradients, strict=True):
                assert (g == gradient).all(), "what was handed over is not written to"
                assert parameter.value.dtype == dtype
