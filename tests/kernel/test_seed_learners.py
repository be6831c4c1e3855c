"""The learners that count samples: the printed figures of the learners course, and plain NumPy with every option."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import UnitType, layers
from kernel.errors import RangeError
from tests.kernel.every_learner import BY_SAMPLES, SHAPES, bits, some_gradients, some_parameters
from tests.kernel.reference_learners import Plan, Reference, always
from tests.kernel.refusals import refused

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
            parameters, lr, min=1e-30, max=numpy.inf, dec=1.0 - 1e-9, inc=1.0 + 1e-9, gamma=0.999
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
        accumulators = [kernel.constant(1e-6, dtype=p.dtype, shape=p.shape) for p in parameters]
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


@pytest.mark.parametrize("seed", range(30))
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


@pytest.mark.parametrize("name", BY_SAMPLES)
@pytest.mark.parametrize("minibatch_size", [None, 0, 16])
def test_a_rate_of_zero_changes_nothing(name: str, minibatch_size: int | None) -> None:
    """Neither the parameters nor what the rule remembers; L1, noise and decay rest too. Only time goes on."""
    parameters, twins = some_parameters(), some_parameters()
    rate = kernel.learning_parameter_schedule([0.1, 0.0, 0.1], epoch_size=10)
    options = {"minibatch_size": minibatch_size, "l2": 0.1, "l1": 0.1}
    learner = BY_SAMPLES[name](parameters, rate, **options)
    twin = BY_SAMPLES[name](twins, 0.1, **options)
    assert learner.update(some_gradients(parameters, 0), 10) and twin.update(some_gradients(twins, 0), 10)
    assert learner.learning_rate() == 0.0
    before = bits(parameters)
    assert learner.update(some_gradients(parameters, 1), 10) is False
    assert bits(parameters) == before
    assert (learner.samples, learner.minibatches) == (20, 2)
    assert learner.update(some_gradients(parameters, 2), 10) and twin.update(some_gradients(twins, 2), 10)
    if name != "fsadagrad":  # what it counts of the samples may go on
        assert bits(parameters) == bits(twins)


def test_a_warm_up_begins() -> None:
    """Its first number is 0, and yet it rises."""
    w = kernel.Parameter([1.0])
    learner = kernel.sgd([w], kernel.schedules.WarmUp(0.4, 4))
    done = [learner.update({w: kernel.ones(1)}, 1) for _ in range(6)]
    assert done == [False] + [True] * 5
    assert w.value[0] == pytest.approx(1 - 0.1 - 0.2 - 0.3 - 0.4 - 0.4)


@pytest.mark.parametrize("name", BY_SAMPLES)
def test_no_samples_no_update(name: str) -> None:
    parameters = some_parameters()
    learner = BY_SAMPLES[name](parameters)
    before = bits(parameters)
    for wrong in (0, -1, 1.5, math.nan, math.inf, "3", None, True, [3]):
        with pytest.raises((RangeError, kernel.DtypeError)) as caught:
            learner.update(some_gradients(parameters, 0), wrong)
        message = str(caught.value)
        assert message.endswith(".") and f"{name.split(',')[0]}.update: n_samples" in message, message
    with pytest.raises(ValueError, match="n_samples"):
        learner.update(some_gradients(parameters, 0), 0)
    assert bits(parameters) == before and (learner.samples, learner.minibatches) == (0, 0)
    assert learner.update(some_gradients(parameters, 0), numpy.float32(64)), "as the course calls it"
    assert learner.samples == 64


@pytest.mark.parametrize("name", BY_SAMPLES)
@pytest.mark.parametrize("minibatch_size", [None, 0, 16])
def test_step_takes_means(name: str, minibatch_size: int | None) -> None:
    """step(n) on the gradient of a mean loss is update(sums, n)."""
    parameters, twins = some_parameters(dtype="float64"), some_parameters(dtype="float64")
    options = {"minibatch_size": minibatch_size, "l2": 0.1, "clip": 0.8, "clip_by": "norm"}
    rate = kernel.learning_parameter_schedule([0.1, 0.05], epoch_size=100)
    learner, twin = BY_SAMPLES[name](parameters, rate, **options), BY_SAMPLES[name](twins, rate, **options)
    for i in range(6):
        n = 20 + i
        for p, g in some_gradients(parameters, i).items():
            p.grad = kernel.tensor(g)
        assert learner.step(n, sweep_end=i == 3)
        assert twin.update({p: n * g for p, g in some_gradients(twins, i).items()}, n, i == 3)
    for p, q in zip(parameters, twins, strict=True):
        assert abs(p.value - q.value).max() < 1e-13
    assert learner.counts == twin.counts == (135, 6, 1)


@pytest.mark.parametrize("name", ["sgd", "momentum_sgd", "nesterov", "adagrad", "rmsprop"])
def test_where_n_says_nothing_it_may_be_left_out(name: str) -> None:
    parameters, twins = some_parameters(dtype="float64"), some_parameters(dtype="float64")
    learner, twin = BY_SAMPLES[name](parameters), BY_SAMPLES[name](twins)
    for i in range(5):
        for p, q in zip(parameters, twins, strict=True):
            p.grad = q.grad = kernel.tensor(some_gradients(parameters, i)[p])
        assert learner.step() and twin.step(32)
    for p, q in zip(parameters, twins, strict=True):
        assert abs(p.value - q.value).max() < 1e-5, "but for the epsilon inside of the rule"
    assert learner.minibatches == 5


@pytest.mark.parametrize(
    "make",
    [
        lambda p: kernel.sgd(p, kernel.learning_rate_schedule(0.1, "sample")),
        lambda p: kernel.sgd(p, kernel.learning_rate_schedule([0.1, 0.2], "minibatch", 100)),
        lambda p: kernel.sgd(p, kernel.schedules.Cosine(0.1, 10, unit="sample")),
        lambda p: kernel.sgd(p, 0.1, minibatch_size=16),
        lambda p: kernel.momentum_sgd(p, 0.1, kernel.momentum_as_time_constant_schedule(300)),
        lambda p: kernel.adam(p, 0.1, 0.9),
        lambda p: kernel.fsadagrad(p, 0.1, 0.9),
        lambda p: kernel.Adam(p, kernel.learning_rate_schedule(0.1, "sample")),
    ],
)
def test_where_n_counts_it_is_asked_for(make: Any) -> None:
    parameters = some_parameters()
    learner = make(parameters)
    for p, g in some_gradients(parameters, 0).items():
        p.grad = kernel.tensor(g)
    before = bits(parameters)
    with pytest.raises(RangeError, match=r"step\(n_samples\)\.$"):
        learner.step()
    assert bits(parameters) == before and learner.minibatches == 0
    assert learner.step(8) and learner.samples == 8


def test_a_new_rate_begins_now() -> None:
    w = kernel.Parameter([0.0])
    learner = kernel.momentum_sgd([w], kernel.learning_rate_schedule([0.1, 0.2], "sample", 10), 0.5, unit_gain=False)
    for _ in range(3):
        learner.update({w: kernel.ones(1)}, 10)
    assert learner.learning_rate() == 0.2
    learner.reset_learning_rate(kernel.learning_rate_schedule([1.0, 2.0], "sample", 15))
    seen = []
    for _ in range(3):
        seen.append(learner.learning_rate())
        learner.update({w: kernel.zeros(1)}, 10)
    assert seen == [1.0, 1.0, 2.0], "it counts from here"
    assert learner.samples == 60, "the learner counts on"
    velocity = 0.2 + 0.5 * (0.2 + 0.5 * 0.1)
    assert w.value[0] == pytest.approx(-(0.1 + 0.25 + velocity * (1 + 0.5 + 0.25 + 0.125))), "the velocity stays"
    learner.reset_learning_rate(7)
    assert learner.learning_rate() == 7


def test_a_rate_of_the_learner_is_what_the_learner_says() -> None:
    """``minibatch_size`` is for numbers that do not say themselves what they are meant for."""
    for rate, size, change in [
        (0.5, None, 0.5 / 4),
        (0.5, 8, 0.5 / 8),
        (0.5, 0, 0.5 / 4),  # of the mean of four ones that came as their sum
        (kernel.learning_parameter_schedule(0.5), 8, 0.5 / 8),
        (kernel.learning_parameter_schedule(0.5, 2), 8, 0.5 / 2),
        (kernel.learning_rate_schedule(0.5, "minibatch"), 8, 0.5 / 4),
        (kernel.learning_parameter_schedule_per_sample(0.5), 8, 0.5),
        (kernel.learning_parameter_schedule_per_sample(0.5), 0, 0.5),
        (kernel.schedules.Cosine(0.5, 10), 8, 0.5 / 8),
    ]:
        w = kernel.Parameter([0.0])
        learner = kernel.sgd([w], rate, minibatch_size=size)
        learner.update({w: kernel.ones(1)}, 4)
        assert w.value[0] == pytest.approx(-change, rel=1e-6), (rate, size)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["momentum_sgd", "nesterov"]),
    st.floats(0.01, 0.99),
    st.integers(1, 64),
    st.floats(1e-4, 1.0),
    st.booleans(),
)
def test_forms_of_momentum_are_one(name: str, momentum: float, n: int, rate: float, unit_gain: bool) -> None:
    """Momentum per minibatch, per sample, for k samples, by time constant; unit gain with rate / (1 - momentum)."""
    forms = [
        kernel.momentum_schedule(momentum),
        kernel.momentum_schedule(momentum, minibatch_size=n),
        kernel.momentum_schedule_per_sample(momentum ** (1 / n)),
        kernel.momentum_as_time_constant_schedule(n / -math.log(momentum)),
    ]
    results = []
    for form in forms:
        for gain in (True, False):
            w = kernel.Parameter(kernel.tensor([0.0, 0.5], dtype="float64"))
            scaled = rate * (
                1 / (1 - momentum) if gain and not unit_gain else 1 - momentum if unit_gain and not gain else 1
            )
            learner = getattr(kernel, name)([w], scaled, form, unit_gain=gain)
            for i in range(5):
                learner.update({w: numpy.array([1.0, i - 2.0])}, n)
            results.append(w.value)
    assert all(result == pytest.approx(results[0], rel=1e-9) for result in results)


# Noise, clipping, L1.
def test_noise_is_normal_and_ones_own() -> None:
    size = 40_000
    w = kernel.Parameter(kernel.zeros(size))
    spread = kernel.learning_parameter_schedule([0.5, 0.0, 2.0], epoch_size=10)
    learner = kernel.sgd([w], 0.1, noise=spread, generator=kernel.Generator(7))
    changes = []
    for _ in range(3):
        before = w.value.copy()
        learner.update({w: kernel.zeros(size)}, 10)
        changes.append((w.value - before).astype("float64"))
    for change, sd in ((changes[0], 0.5), (changes[2], 2.0)):
        assert abs(change.mean()) < 5 * sd / math.sqrt(size)
        assert change.std() == pytest.approx(sd, rel=5 / math.sqrt(2 * size))
        z = change / change.std()
        assert abs((z**3).mean()) < 5 * math.sqrt(6 / size) and abs((z**4).mean() - 3) < 5 * math.sqrt(24 / size)
        assert (abs(z) < 1).mean() == pytest.approx(0.6827, abs=0.02)
    assert not changes[1].any(), "a spread of 0 is no noise"
    assert abs(numpy.corrcoef(changes[0], changes[2])[0, 1]) < 5 / math.sqrt(size)


def test_noise_can_be_drawn_again_and_differs_by_parameter() -> None:
    def run(seed: int) -> list[numpy.ndarray]:
        parameters = [kernel.Parameter(kernel.zeros(50)), kernel.Parameter(kernel.zeros(50))]
        learner = kernel.sgd(parameters, 0.1, noise=1.0, generator=kernel.Generator(seed))
        for _ in range(2):
            learner.update({p: kernel.zeros(50) for p in parameters}, 3)
        return [p.value for p in parameters]

    one, again, other = run(1), run(1), run(2)
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert (one[0] != one[1]).all() and (one[0] != other[0]).all()


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_l1_pulls_to_nought_and_no_further(name: str) -> None:
    w = kernel.Parameter([1.0, 0.004, -0.004, -1.0, 0.0])
    learner = kernel.sgd([w], 0.1, l1=0.1) if name == "sgd" else kernel.Adam([w], lr=0.1, l1=0.1)
    learner.update({w: kernel.zeros(5)}, 4)
    assert w.value == pytest.approx([0.99, 0.0, 0.0, -0.99, 0.0])
    assert not numpy.signbit(w.value[4])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["value", "norm", "global norm"]), st.floats(1e-3, 10), st.integers(1, 40), st.booleans(),
    st.integers(0, 10**6),
)  # fmt: skip
def test_clipped_gradients_are_no_longer_than_that(by: str, most: float, n: int, means: bool, seed: int) -> None:
    """For sums the threshold grows with n, as if each sample had its own; what is short enough passes unchanged."""
    draw = numpy.random.default_rng(seed)
    parameters = [kernel.Parameter(kernel.zeros(*shape, dtype="float64")) for shape in ((3, 2), (4,))]
    gradients = {p: draw.normal(size=p.shape) * 10 ** draw.uniform(-2, 2) for p in parameters}
    learner = kernel.sgd(parameters, kernel.learning_rate_schedule(1.0, "sample"), clip=most, clip_by=by,
                         minibatch_size=0 if means else None)  # fmt: skip
    learner.update(gradients, n)
    seen = [-p.value / (1 if not means else n) for p in parameters]
    given_ = [g / (n if means else 1) for g in gradients.values()]
    limit = most * (1 if means else n)

    def sizes(arrays: list) -> list[float]:
        if by == "value":
            return [float(abs(a).max()) for a in arrays]
        norms = [float(numpy.sqrt((a**2).sum())) for a in arrays]
        return norms if by == "norm" else [math.hypot(*norms)] * 2

    for after, before, a, b in zip(sizes(seen), sizes(given_), seen, given_, strict=True):
        assert after == pytest.approx(min(before, limit), rel=1e-9)
        if before <= limit * (1 - 1e-9):
            assert a == pytest.approx(b, rel=1e-12)
        assert (numpy.sign(a) == numpy.sign(b)).all()


def test_a_gradient_of_zero_is_clipped_to_zero() -> None:
    for by in ("value", "norm", "global norm"):
        w = kernel.Parameter([1.0, 2.0])
        kernel.sgd([w], 0.1, clip=1.0, clip_by=by).update({w: kernel.zeros(2)}, 3)
        assert (w.value == [1.0, 2.0]).all()


@pytest.mark.parametrize("rule", ["sgd", "momentum_sgd", "adam", "fsadagrad"])
def test_every_size_of_minibatch_counts_by_itself(rule: str) -> None:
    """Two hundred sizes, twice: whatever is computed once and kept belongs to its own size, count and rate."""
    w = kernel.Parameter(kernel.tensor([0.5, -1.0], dtype="float64"))
    with_momentum = [] if rule == "sgd" else [kernel.momentum_as_time_constant_schedule(50)]
    learner = getattr(kernel, rule)([w], 0.01, *with_momentum)
    plan = None if rule == "sgd" else always(math.exp(-1 / 50), 1)
    reference = Reference(rule, [w.value], always(0.01), plan)
    for i in range(400):
        n, g = i % 200 + 1, numpy.array([math.sin(i), math.cos(i)])
        if i == 250:
            learner.reset_learning_rate(kernel.learning_rate_schedule(0.002, "sample"))
            reference.reset(always(0.002, 1))
        assert learner.update({w: g}, n) and reference.update([g], n)
    assert abs(w.value - reference.values[0]).max() < 1e-11 * reference.sizes[0]


@pytest.mark.parametrize("name", ["sgd", "momentum_sgd", "adam"])
def test_a_plateau_acts_at_once(name: str) -> None:
    w, v = kernel.Parameter([1.0]), kernel.Parameter([1.0])
    plateau = kernel.schedules.Plateau(0.5, 0.5, patience=0)
    learner = BY_SAMPLES[name]([w], plateau)
    twin = BY_SAMPLES[name]([v], 0.5)
    for i in range(6):
        assert learner.update({w: kernel.ones(1)}, 4) and twin.update({v: kernel.ones(1)}, 4)
        assert w.value == v.value
        if i % 2:
            assert plateau.report(1.0) == (i > 1)
            twin.reset_learning_rate(plateau[0])
    assert learner.learning_rate() == 0.125


def test_a_learner_resumes_its_noise():
    w = kernel.Parameter(kernel.zeros(5))
    learner, gradient = kernel.sgd([w], 0.1, noise=0.3), {w: kernel.ones(5)}
    learner.update(gradient, 1)
    state, before = learner.state_dict(), w.value
    learner.update(gradient, 1)
    after = w.value
    w.value = before
    learner.load_state_dict(state)
    learner.update(gradient, 1)
    numpy.testing.assert_array_equal(w.value, after)


@pytest.mark.parametrize("name", ["rate", "generator"])
def test_a_damaged_state_is_refused_and_nothing_is_loaded(name):
    w = kernel.Parameter(kernel.zeros(5))
    learner = kernel.sgd([w], 0.1, noise=0.3)
    damaged = {**learner.state_dict(), name: kernel.tensor([65, 255]).astype("uint8")}
    learner.update({w: kernel.ones(5)}, 1)
    refused(lambda: learner.load_state_dict(damaged), "load_state_dict", name, "nothing was loaded")
    assert learner.minibatches == 1


@pytest.mark.parametrize(
    ("make", "asks"),
    [
        (lambda w: kernel.sgd(w, 0.1), False),
        (lambda w: kernel.momentum_sgd(w, 0.1, 0.9), False),
        (lambda w: kernel.nesterov(w, 0.1, 0.9), False),
        (lambda w: kernel.adagrad(w, 0.1), False),
        (lambda w: kernel.rmsprop(w, 0.1, 0.9, 1.2, 0.5, 10, 0.01), False),
        (lambda w: kernel.adagrad(w, 0.1, need_ave_multiplier=False), True),
        (lambda w: kernel.rmsprop(w, 0.1, 0.9, 1.2, 0.5, 10, 0.01, need_ave_multiplier=False), True),
        (lambda w: kernel.adadelta(w), True),
        (lambda w: kernel.adam(w, 0.1, 0.9, variance_momentum=0.99), True),
        (lambda w: kernel.adam(w, 0.1, 0.9, variance_momentum=0.99, minibatch_size=0), False),
        (lambda w: kernel.fsadagrad(w, 0.1, 0.9, minibatch_size=0), True),
    ],
)
def test_step_asks_for_the_samples_where_they_matter(make, asks):
    """Where it does not ask, 1 sample and 32 make the same step."""
    found = []
    for n in (1, 32):
        w = kernel.Parameter(kernel.ones(3))
        w.grad = kernel.tensor([0.5, -1.0, 2.0])
        learner = make([w])
        if asks:
            refused(lambda learner=learner: learner.step(), "step", "how many samples")
        learner.step(n)
        found.append(w.value)
    assert numpy.allclose(*found, rtol=1e-6) != asks
