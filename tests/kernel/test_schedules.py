"""Schedules: what they say at a count, in words and in code, next to PyTorch's and next to plain formulas."""

from __future__ import annotations

import bisect
import copy
import dataclasses
import itertools
import math
import pickle
import time
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import DtypeError, GradError, ShapeError, schedules
from kernel.errors import RangeError
from kernel.schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    StepDecay,
    Steps,
    WarmUp,
    parse,
)

OURS = (RangeError, DtypeError, ShapeError, GradError)
SEED = [0.05] * 3 + [0.025] * 2 + [0.0125]
TC_1024 = 0.9990239141819757


def answered(call: Any, *words: str) -> None:
    """The call is refused by an error of the kernel, in one sentence that holds the words."""
    with pytest.raises(OURS) as caught:
        call()
    message = str(caught.value)
    assert message.endswith((".", "?")) and "\n" not in message and len(message) > 25, message
    for word in words:
        assert word in message, message


# What they say.
def of_segments(segments: list[tuple[float, float]], count: float) -> float:
    """The value of the first segment whose cumulative end is beyond the count; the last holds for ever."""
    ends = list(itertools.accumulate(length for length, _ in segments))
    return segments[min(bisect.bisect_right(ends, count), len(segments) - 1)][1]


def test_the_list_of_the_seed_counts_samples() -> None:
    for unit in (kernel.UnitType.minibatch, kernel.UnitType.sample, "minibatch", "sample"):
        rate = kernel.learning_rate_schedule(SEED, unit, epoch_size=100)
        assert [rate[i] for i in (0, 99, 100, 299, 300, 499, 500, 10**12)] == [0.05] * 4 + [0.025] * 2 + [0.0125] * 2
        assert (rate.at(0), rate.at(300)) == (0.05, 0.025)
        assert rate.epoch_size == 100 and rate.minibatch_size == (1 if "sample" in str(unit) else 0)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    epoch_size=st.none() | st.integers(1, 1000),
    last=st.booleans(),
    data=st.data(),
)
def test_values_hold_for_their_units(
    lengths: list[int], epoch_size: int | None, last: bool, data: st.DataObject
) -> None:
    values = [0.5 / (k + 1) for k in range(len(lengths))]
    pairs = [*zip(lengths, values, strict=True)]
    told = [*pairs[:-1], (0, values[-1])] if last else pairs
    plain = [value for length, value in pairs for _ in range(length)]
    unit = epoch_size or 1
    segments = [(length * unit, value) for length, value in pairs]
    ends = [0, *itertools.accumulate(length for length, _ in segments)]
    counts = [near for end in ends for near in (end - 1, end, end + 1) if near >= 0]
    counts.append(data.draw(st.integers(0, 10**9)))
    made = [
        kernel.learning_parameter_schedule(told, 7, epoch_size),
        kernel.learning_parameter_schedule(plain, epoch_size=epoch_size),
        kernel.learning_parameter_schedule_per_sample(told, epoch_size),
        kernel.learning_rate_schedule(told, "sample", epoch_size),
        kernel.momentum_schedule(told, epoch_size, 3),
        kernel.momentum_schedule_per_sample(plain, epoch_size),
        Steps(told, epoch_size=epoch_size),
    ]
    assert [schedule.minibatch_size for schedule in made] == [7, None, 1, 1, 3, 1, None]
    for schedule in made:
        assert schedule.epoch_size == epoch_size
        assert [schedule[i] for i in counts] == [of_segments(segments, i) for i in counts]


@pytest.mark.parametrize("number", [0.5, 1, 0, numpy.float32(0.5), numpy.float64(0.25), numpy.int64(1)])
def test_a_bare_number_holds_for_ever(number: Any) -> None:
    made = [
        kernel.learning_rate_schedule(number, "sample"),
        kernel.learning_parameter_schedule(number),
        kernel.learning_parameter_schedule_per_sample(number, epoch_size=5),
        Steps([number]),
        Constant(number),
    ]
    for schedule in made:
        assert [schedule[i] for i in (0, 1, 10**15)] == [float(number)] * 3
        assert isinstance(schedule[0], int | float), "a number of Python"


def test_momentum_may_be_told_by_its_time_constant() -> None:
    schedule = kernel.momentum_as_time_constant_schedule([0, 300, 1024], epoch_size=10)
    assert (schedule.minibatch_size, schedule.epoch_size) == (1, 10)
    assert schedule[9] == 0.0
    assert schedule[10] == pytest.approx(math.exp(-1 / 300), rel=1e-15)
    assert schedule[20] == pytest.approx(TC_1024, rel=1e-15)
    assert kernel.momentum_as_time_constant_schedule(1e300)[0] <= 1.0


def test_momentum_time_constant_and_half_life_are_one_number() -> None:
    momentum, back = schedules.momentum_of_time_constant, schedules.time_constant_of_momentum
    assert f"{momentum(300, 10):.16f}" == "0.9672161004820059"
    assert back(0.9672161004820059, 10) == pytest.approx(300, rel=1e-12)
    assert back(TC_1024) == pytest.approx(1024, rel=1e-12)
    assert momentum(0) == 0.0 and back(0.0) == 0.0
    assert schedules.momentum_of_half_life(7, 7) == 0.5
    assert schedules.half_life_of_momentum(0.5, 7) == pytest.approx(7)


@given(st.floats(0.01, 1e6), st.integers(1, 5000))
def test_conversions_are_inverse(constant: float, n: int) -> None:
    momentum = schedules.momentum_of_time_constant(constant, n)
    assert momentum == pytest.approx(math.exp(-n / constant), rel=1e-12, abs=1e-300)
    if 1e-250 < momentum < 1 - 1e-9:
        assert schedules.time_constant_of_momentum(momentum, n) == pytest.approx(constant, rel=1e-5)
        half_life = schedules.half_life_of_momentum(momentum, n)
        assert half_life == pytest.approx(constant * math.log(2), rel=1e-5)
        assert schedules.momentum_of_half_life(half_life, n) == pytest.approx(momentum, rel=1e-9)
        assert momentum == pytest.approx(schedules.effective_momentum(math.exp(-1 / constant), 1, n), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 32, 1000])
def test_effective_numbers(n: int) -> None:
    rate, momentum = schedules.effective_rate, schedules.effective_momentum
    assert rate(0.5, 0, n) == 0.5 / n
    assert rate(0.5, 0, n, means=True) == 0.5
    for size in (1, 7, 256):
        assert rate(0.5, size, n) == pytest.approx(0.5 / size, rel=1e-15)
        assert rate(0.5, size, n, means=True) == pytest.approx(0.5 * n / size, rel=1e-15)
        assert momentum(0.9, size, n) == pytest.approx(0.9 ** (n / size), rel=1e-14)
    assert momentum(0.9, 0, n) == 0.9
    assert momentum(0.0, 1, n) == 0.0


def test_sizes_of_minibatches_are_whole() -> None:
    schedule = kernel.minibatch_size_schedule([256] * 6 + [512] * 9 + [1024], epoch_size=50_000)
    sizes = [schedule[i] for i in (0, 299_999, 300_000, 749_999, 750_000, 10**9)]
    assert sizes == [256, 256, 512, 512, 1024, 1024] and all(float(size).is_integer() for size in sizes)
    assert kernel.minibatch_size_schedule(32)[0] == 32
    assert kernel.minibatch_size_schedule([(2, 32), (0, 64)])[2] == 64
    for wrong in (0, 1.5, -1, [32, 0], [(1, 32), (0, 1.5)]):
        answered(lambda wrong=wrong: kernel.minibatch_size_schedule(wrong), "minibatch_size_schedule")


def test_the_decay_of_the_course() -> None:
    rate = StepDecay(0.001, 100, 0.1, 500)
    for i in [*range(0, 1200, 7), 499, 500, 599, 600, 601, 699, 700]:
        assert rate[i] == pytest.approx(0.001 * 0.1 ** (max(i - 500, 0) // 100), rel=1e-12)
    zones = StepDecay(0.05, 1000, 0.1, 2000)
    assert zones[4999] == pytest.approx(5e-4, rel=1e-12) and zones[5000] == pytest.approx(5e-5, rel=1e-12)


def test_formulas_of_today() -> None:
    for i in [*range(60), 1000]:
        share = min(i, 40) / 40
        assert MultiStep(0.1, [10, 30], 0.5)[i] == pytest.approx(0.1 * 0.5 ** ((i >= 10) + (i >= 30)), rel=1e-12)
        assert Exponential(0.1, 0.9)[i] == pytest.approx(0.1 * 0.9**i, rel=1e-12)
        assert Linear(0.1, 0.3, 40)[i] == pytest.approx(0.1 + 0.2 * share, rel=1e-12)
        assert Polynomial(0.1, 40, 2.0, 0.01)[i] == pytest.approx(0.01 + 0.09 * (1 - share) ** 2, rel=1e-12)
        assert Cosine(0.1, 40, 0.01)[i] == pytest.approx(0.01 + 0.045 * (1 + math.cos(math.pi * share)), rel=1e-12)
    assert Cosine(0.1, 40)[40] == Cosine(0.1, 40)[10**9] == Polynomial(0.1, 40)[40] == 0.0
    assert Cosine(0.1, 3, 0.07)[3] == 0.07 and Linear(0.1, 0.3, 3)[3] == 0.3, "the last number exactly"


@pytest.mark.parametrize("epoch_size", [None, 100])
def test_warm_up_rises_and_then_the_other_begins(epoch_size: int | None) -> None:
    unit = epoch_size or 1
    then = Steps([0.4, 0.2, 0.1], unit="sample", epoch_size=epoch_size, minibatch_size=3)
    rate = WarmUp(then, 10, 0.1)
    assert (rate.unit, rate.epoch_size, rate.minibatch_size) == (then.unit, epoch_size, 3)
    assert [rate[k * unit] for k in range(10)] == pytest.approx([0.1 + 0.03 * k for k in range(10)], rel=1e-12)
    assert [rate[(10 + k) * unit] for k in range(4)] == [0.4, 0.2, 0.1, 0.1]
    assert [WarmUp(Cosine(1.0, 20), 10)[i] for i in (0, 5, 10, 20, 30)] == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-15)
    assert WarmUp(0.5, 4)[2] == 0.25 and WarmUp(0.5, 4)[4] == 0.5
    nested = WarmUp(WarmUp(Exponential(1.0, 0.5), 2, 0.5), 2)
    assert [nested[i] for i in range(7)] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.25])


TODAY = [
    lambda **options: Constant(0.3, **options),
    lambda **options: StepDecay(0.1, 3, 0.5, 1, **options),
    lambda **options: MultiStep(0.1, [2, 5], 0.5, **options),
    lambda **options: Exponential(0.1, 0.9, **options),
    lambda **options: Linear(0.1, 0.2, 7, **options),
    lambda **options: Polynomial(0.1, 7, 2.0, 0.01, **options),
    lambda **options: Cosine(0.1, 7, 0.01, **options),
    lambda **options: OneCycle(0.1, 7, **options),
    lambda **options: Plateau(0.1, **options),
    lambda **options: WarmUp(Cosine(0.1, 7, **options), 3),
]


@pytest.mark.parametrize("make", TODAY)
def test_an_epoch_size_is_so_many_samples(make: Any) -> None:
    plain = make()
    assert (plain.unit, plain.epoch_size, plain.minibatch_size) == ("minibatch", None, None)
    for unit in ("minibatch", "sample", "sweep"):
        schedule = make(unit=unit, minibatch_size=5)
        assert (schedule.unit, schedule.minibatch_size) == (unit, 5)
        assert [schedule[i] for i in range(12)] == [plain[i] for i in range(12)]
    stretched = make(epoch_size=100)
    assert stretched.epoch_size == 100
    if isinstance(plain, OneCycle):  # it ends with its last count, here a sample
        plain = OneCycle(0.1, 700)
        assert [stretched[i] for i in range(900)] == pytest.approx([plain[i] for i in range(900)], rel=1e-9)
    else:
        assert [stretched[100 * i] for i in range(12)] == [plain[i] for i in range(12)]


@pytest.mark.parametrize("make", [*TODAY, lambda: Steps([0.1, 0.2]), lambda: kernel.momentum_schedule(0.9)])
def test_a_schedule_is_a_value(make: Any) -> None:
    """It can be copied and sent; it is no list, so that nobody walks it for ever."""
    schedule = make()
    for twin in (copy.copy(schedule), copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert type(twin) is type(schedule) and repr(twin) == repr(schedule) and twin.code == schedule.code
        assert [twin[i] for i in range(9)] == [schedule[i] for i in range(9)]
    before = [schedule[i] for i in range(9)]
    assert [schedule.at(i) for i in reversed(range(9))] == before[::-1], "a pure map"
    with pytest.raises(TypeError):
        iter(schedule)
    with pytest.raises(TypeError):
        0.123 in schedule  # noqa: B015
    with pytest.raises(TypeError):
        len(schedule)
    for wrong in (-1, math.nan, "1", None, True, slice(0, 3), (1, 2)):
        answered(lambda wrong=wrong: schedule[wrong])


# Next to PyTorch.
@pytest.mark.oracle
@pytest.mark.parametrize(
    "ours, name, options, steps",
    [
        (StepDecay(0.1, 7, 0.3), "StepLR", {"step_size": 7, "gamma": 0.3}, 50),
        (MultiStep(0.1, [3, 11, 12], 0.3), "MultiStepLR", {"milestones": [3, 11, 12], "gamma": 0.3}, 50),
        (Exponential(0.1, 0.93), "ExponentialLR", {"gamma": 0.93}, 50),
        (Cosine(0.1, 31, 0.003), "CosineAnnealingLR", {"T_max": 31, "eta_min": 0.003}, 31),
        (Cosine(0.1, 8), "CosineAnnealingLR", {"T_max": 8}, 8),
        (Linear(0.1 / 3, 0.1, 5), "LinearLR", {}, 20),
        (
            Linear(0.02, 0.09, 13),
            "LinearLR",
            {"start_factor": 0.2, "end_factor": 0.9, "total_iters": 13},
            20,
        ),
        (Polynomial(0.1, 5), "PolynomialLR", {}, 20),
        (Polynomial(0.1, 17, 2.5), "PolynomialLR", {"total_iters": 17, "power": 2.5}, 25),
        *(
            (
                OneCycle(0.1, over, rise, 10, 1e3, shape),
                "OneCycleLR",
                {
                    "max_lr": 0.1,
                    "total_steps": over,
                    "pct_start": rise,
                    "div_factor": 10,
                    "final_div_factor": 1e3,
                    "anneal_strategy": shape,
                },
                over - 1,
            )
            for over in (7, 50, 101)
            for rise in (0.3, 0.25, 0.77)
            for shape in ("cos", "linear")
        ),
        (OneCycle(0.1, 40), "OneCycleLR", {"max_lr": 0.1, "total_steps": 40}, 39),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_as_in_torch(ours: Any, name: str, options: dict, steps: int) -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    for i in range(steps + 1):
        assert ours[i] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-10, abs=1e-17), i
        if i < steps:
            optimizer.step()
            theirs.step()


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(24))
def test_plateau_as_in_torch(seed: int) -> None:
    import torch

    draw = numpy.random.default_rng(seed)
    higher, relative = bool(seed % 2), bool(seed // 2 % 2)
    factor, patience, cooldown = float(draw.uniform(0.1, 0.9)), int(draw.integers(0, 5)), int(draw.integers(0, 4))
    threshold, lowest = float(draw.choice([0.0, 1e-4, 0.05])), float(draw.choice([0.0, 0.01]))
    ours = Plateau(0.1, factor, patience, threshold, relative, "higher" if higher else "lower", lowest, cooldown)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="max" if higher else "min",
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode="rel" if relative else "abs",
        cooldown=cooldown,
        min_lr=lowest,
        eps=0,
    )
    scores = numpy.round(numpy.exp(-numpy.arange(80) / 20) + draw.normal(0, 0.02, 80), 2)
    cuts = 0
    for score in (-scores if higher else scores) + 1.5 * higher:
        before = optimizer.param_groups[0]["lr"]
        theirs.step(float(score))
        now = optimizer.param_groups[0]["lr"]
        cut = ours.report(float(score))
        assert cut == (now < before)
        assert ours[0] == ours[10**6] == pytest.approx(now, rel=1e-12)
        cuts += cut
    assert cuts, "or the test says nothing"


def test_plateau_takes_numbers_for_scores() -> None:
    rate = Plateau(0.1, 0.5, patience=1)
    assert not rate.report(1.0)
    for wrong in (math.nan, -math.inf, "0.5", None, [1.0], True):
        answered(lambda wrong=wrong: rate.report(wrong), "score")
    assert not rate.report(1.0), "what is refused does not count"
    assert rate.report(numpy.float32(1.0)) and rate[0] == 0.05


# In words and in code.
@pytest.mark.parametrize(
    "schedule, words",
    [
        (
            kernel.learning_rate_schedule(SEED, "minibatch", 100),
            "0.05 for 300 samples, then 0.025 for 200 samples, then 0.0125; per minibatch",
        ),
        (kernel.learning_rate_schedule(0.5, "sample"), "0.5; per sample"),
        (kernel.learning_parameter_schedule(0.5, 32), "0.5; per 32 samples"),
        (kernel.learning_parameter_schedule([0.1, 0.2]), "0.1 for 1 sweep, then 0.2"),
        (kernel.momentum_as_time_constant_schedule(300), "300 samples"),
        (kernel.learning_rate_schedule([0.1, 0.2, 0.2], "sample", 1), "0.1 for 1 sample, then 0.2; per sample"),
    ],
)
def test_words(schedule: Any, words: str) -> None:
    assert words in repr(schedule)


def test_words_name_every_unit() -> None:
    for make in TODAY[1:6]:
        for unit in ("minibatch", "sample", "sweep"):
            text = repr(make(unit=unit, minibatch_size=16))
            assert unit in text.split(";")[0], text
            assert "per 16 samples" in text, text
        assert "00 samples" in repr(make(epoch_size=100)), repr(make(epoch_size=100))


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    assert (one.unit, one.epoch_size, one.minibatch_size) == (other.unit, other.epoch_size, other.minibatch_size)
    assert repr(one) == repr(other) and one.code == other.code
    counts = [0, 1, 2, 3, 5, 8, 13, 21, 34, 99, 100, 101, 299, 300, 1000, 12_345, 10**7]
    assert [one[i] for i in counts] == [other[i] for i in counts]


positive = st.floats(1e-12, 1e6)
below_one = st.floats(0, 0.999999)
length = st.integers(1, 400)
options = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(["minibatch", "sample", "sweep"]),
        "minibatch_size": st.none() | st.integers(0, 512),
        "epoch_size": st.none() | st.integers(1, 1000),
    },
)


def told(numbers: st.SearchStrategy) -> st.SearchStrategy:
    """A number, a list of numbers, or pairs."""
    pairs = st.lists(st.tuples(length, numbers), min_size=1, max_size=5)
    ending = st.tuples(pairs, numbers).map(lambda both: [*both[0], (0, both[1])])
    return numbers | st.lists(numbers, min_size=1, max_size=6) | pairs | ending


def of(make: Any, *arguments: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(lambda told, options: make(*told, **options), st.tuples(*arguments), options)


sizes = st.none() | st.integers(1, 1000)
simple = st.one_of(
    st.builds(kernel.learning_rate_schedule, told(positive), st.sampled_from(["minibatch", "sample"]), sizes),
    st.builds(kernel.learning_parameter_schedule, told(positive), st.none() | st.integers(0, 64), sizes),
    st.builds(kernel.learning_parameter_schedule_per_sample, told(positive), sizes),
    st.builds(kernel.momentum_schedule, told(below_one), sizes, st.none() | st.integers(0, 64)),
    st.builds(kernel.momentum_schedule_per_sample, told(below_one), sizes),
    st.builds(kernel.momentum_as_time_constant_schedule, told(st.floats(0, 1e5)), sizes),
    st.builds(kernel.minibatch_size_schedule, told(st.integers(1, 4096)), sizes),
    st.builds(Constant, positive, minibatch_size=st.none() | st.integers(0, 64)),
    of(Steps, told(positive).filter(lambda value: isinstance(value, list))),
    of(StepDecay, positive, length, st.floats(0.01, 1), st.integers(0, 100)),
    of(MultiStep, positive, st.lists(length, min_size=1, max_size=4, unique=True).map(sorted), st.floats(0.01, 1)),
    of(Exponential, positive, st.floats(0.01, 1)),
    of(Linear, positive, positive, length),
    of(Polynomial, positive, length, st.floats(0.1, 5)),
    of(Cosine, positive, length),
    of(OneCycle, positive, st.integers(10, 400), st.floats(0.2, 0.8)),
    of(Plateau, positive, st.floats(0.05, 0.95), st.integers(0, 20)),
)
any_schedule = st.recursive(
    simple, lambda inner: st.builds(WarmUp, inner | positive, length, st.just(0.0)), max_leaves=3
)


@settings(max_examples=300)
@given(any_schedule)
def test_code_makes_the_same_schedule(schedule: Any) -> None:
    again = parse(schedule.code)
    same(schedule, again)
    same(schedule, parse(again.code))
    assert "\n" not in schedule.code and "\n" not in repr(schedule)
    assert not repr(schedule)[1:].startswith("kernel."), "words, not an address"


@settings(max_examples=200)
@given(any_schedule, st.integers(0, 10**9))
def test_values_are_numbers_of_python(schedule: Any, count: int) -> None:
    value = schedule[count]
    assert isinstance(value, int | float) and not isinstance(value, bool)
    assert math.isfinite(value) and value >= 0


@pytest.mark.parametrize(
    "text, schedule",
    [
        (
            'learning_rate_schedule([0.05, 0.025], "minibatch", 100)',
            kernel.learning_rate_schedule([0.05, 0.025], "minibatch", 100),
        ),
        (
            "C.learning_rate_schedule([.1]*3 + [.2], C.UnitType.sample)",
            kernel.learning_rate_schedule([0.1] * 3 + [0.2], "sample"),
        ),
        (
            "kernel.learning_rate_schedule(1/(1-0.9), unit=UnitType.minibatch)",
            kernel.learning_rate_schedule(1 / (1 - 0.9), "minibatch"),
        ),
        ("kernel.schedules.Cosine(0.1, 1000)", Cosine(0.1, 1000)),
        ("schedules.Cosine(0.1, over=10**3, last=1e-3)", Cosine(0.1, 1000, 0.001)),
        ("  Cosine(\n 0.1, # the rate\n 1000)\n", Cosine(0.1, 1000)),
        ("WarmUp(Cosine(0.1, 900), 100, first=-(-0.01))", WarmUp(Cosine(0.1, 900), 100, 0.01)),
        ("momentum_schedule([0]*5 + [0.999], 100)", kernel.momentum_schedule([0] * 5 + [0.999], 100)),
        (
            "Steps([(2, 0.1), (0, 0.05)], epoch_size=2*50, minibatch_size=None)",
            Steps([(2, 0.1), (0, 0.05)], epoch_size=100),
        ),
        (
            "minibatch_size_schedule([256]*6+[512]*9+[1024], epoch_size=50000)",
            kernel.minibatch_size_schedule([256] * 6 + [512] * 9 + [1024], 50_000),
        ),
        ("learning_parameter_schedule(3*[0.1])", kernel.learning_parameter_schedule([0.1] * 3)),
        ("MultiStep(0.1, (30, 60), factor=0.1, unit='sweep')", MultiStep(0.1, [30, 60], 0.1, unit="sweep")),
        ("Plateau(0.1, relative=False, better='higher')", Plateau(0.1, relative=False, better="higher")),
    ],
)
def test_lines_are_read(text: str, schedule: Any) -> None:
    same(parse(text), schedule)


HOSTILE = [
    "", " ", "\n", "#", "Cosine", "Cosine(", "Cosine(0.1, 1000", "Cosine(0.1, 1000))", "Cosine 0.1", "0.1, 0.2", ")(",
    "'Cosine(0.1, 10)'", "None", "True", "...", "[]", "{}", "()", "nan", "lambda: 1", "yield 1", "await x", "x := 1",
    "Cosine(0.1, 10); Cosine(0.1, 10)", "Cosine(0.1, 10)\nCosine(0.1, 10)", "import os", "del kernel", "pass",
    # Code that would do something.
    "__import__('os').system('true')", "Cosine(__import__('os').getpid(), 10)", "eval('1')", "exec('1')", "open('f')",
    "print(1)", "Cosine(print(1), 10)", "(lambda: Cosine(0.1, 10))()", "Cosine.__class__(0.1, 10)", "kernel.tensor(1)",
    "Cosine(0.1, 10).__class__", "Cosine(0.1, 10)[0]", "Cosine(0.1, 10).at(3)", "Cosine.__init__(0.1, 10)",
    "kernel.schedules.math.sqrt(1)", "schedules.__builtins__", "os.getpid(0.1, 10)", "kernel.Cosine.mro()",
    "kernel().Cosine(0.1, 10)", "UnitType.sample", "UnitType.epoch(1)", "getattr(kernel, 'os')",
    "[Cosine(x, 10) for x in [0.1]][0]", "Cosine(0.1, [i for i in range(9)])", "Cosine(*[0.1, 10])",
    "Cosine(**{'value': 0.1, 'over': 10})", "Cosine(0.1, 10 if 1 else 2)", "Cosine(0.1, 10 and 2)",
    "Cosine(0.1, not 1)",
    "Cosine(0.1, 1 < 2)", "Cosine(0.1, (x := 10))", "Cosine(f'{0.1}', 10)", "Cosine(0.1, '10')", "Cosine(b'1', 10)",
    "learning_rate_schedule({0.1: 1}, 'sample')", "learning_rate_schedule({0.1}, 'sample')", "Cosine(1j, 10)",
    # Helpers of the module are no schedules.
    "parse('Cosine(0.1, 10)')", "effective_rate(0.5, 0, 2)", "momentum_of_time_constant(300)", "Schedule()",
    "as_schedule('a', 'b', 0.1)", "show(1)", "Any", "RangeError('x')",
    # Numbers that take for ever, or for ever more memory.
    "Cosine(9**9**9, 10)", "Cosine(0.1, 9**9**9)", "Cosine(10**1000, 10)", "Cosine(2**-9**9**9, 10)",
    "Cosine(0.1**-999, 1)",
    "learning_rate_schedule([0.1]*10**9, 'sample')", "learning_rate_schedule([0.1]*9**9**9, 'sample')",
    "learning_rate_schedule([[0.1]*10**5]*10**5, 'sample')", "learning_rate_schedule('x'*10**9, 'sample')",
    "learning_rate_schedule(((([0.1]*9999)*9999)*9999)*9999, 'sample')", "Cosine(1<<10**9, 10)", "Cosine(1e308*10, 10)",
    "learning_rate_schedule(" + "+".join(["[0.1]*10000"] * 5000) + ", 'sample')",
    "learning_rate_schedule([(10**4000, 0.1), (0, 0.2)], 'sample', 100)", "Cosine(" + "9" * 5000 + ", 10)",
    "learning_rate_schedule([(10**400, 0.1), (0, 0.2)], 'sample', 100)",
    "Cosine((-8)**0.5, 10)", "Cosine(1/0, 10)", "Cosine(1//0, 10)", "Cosine(1%0, 10)", "Cosine(0**-1, 10)",
    "Cosine(inf, 10)", "Cosine(inf-inf, 10)", "learning_rate_schedule(-0.1, 'sample')", "Cosine(0.1, 'a'*3)",
    "Cosine([0.1]*-1, 10)",
    "Cosine(0.1*[1.5], 10)", "Cosine([0.1]*1.5, 10)", "Cosine([0.1]-[0.1], 10)", "Cosine(-[0.1], 10)", "Cosine(~1, 10)",
    # Depth.
    "(" * 150 + "1" + ")" * 149, "(" * 20_000 + "1" + ")" * 20_000, "-" * 20_000 + "1",
    "Cosine(" + "-" * 3000 + "1, 10)",
    "Cosine(" + "1+" * 50_000 + "1, 10", "WarmUp(" * 20_000 + "0.1" + ", 1)" * 20_000, "[" * 5000, "a." * 20_000 + "b",
    # Signs that no source has.
    "Cosine(0.1, 10\x00)", "Cosine(0.1\ud800, 10)", "\ufeffCosine(0.1", "Cosine(0.1, 10)\\", "Cosine(0.1,\t10",
    # What Python itself would warn of.
    "Cosine(0.1, 1 is 1)", "Cosine(1if 1else 2, 10)", r"Cosine('\d', 10)", "0.1(10)", "'a'[1.5]", "Cosine(0.1, 10)()",
    # Wrong calls of what there is.
    "Cosine()", "Cosine(0.1)", "Cosine(0.1, 10, 0.0, 5, 6)", "Cosine(0.1, 10, lasts=0.0)", "Cosine(0.1, 10, over=10)",
    "Cosine(0.1, 10, last=0, last=0)", "Cosine(Cosine(0.1, 10), 10)", "WarmUp([0.1], 10)",
    "Cosine(0.1, 10, unit='epoch')",
    "learning_rate_schedule(0.1, UnitType.epoch)", "learning_rate_schedule(0.1, 'minibatches')",
    "learning_rate_schedule(0.1)",
    "learning_rate_schedule(0.1, Cosine)", "learning_rate_schedule(0.1, inf)", "learning_rate_schedule([], 'sample')",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:40]))
def test_hostile_lines_are_refused_in_a_sentence(text: str) -> None:
    begin = time.perf_counter()
    answered(lambda: parse(text))
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize("text", [None, 0.1, b"Cosine(0.1, 10)", ["Cosine(0.1, 10)"], Cosine(0.1, 10)])
def test_only_text_is_read(text: Any) -> None:
    answered(lambda: parse(text), "parse")


@pytest.mark.parametrize(
    "text, meant",
    [
        ("Cosin(0.1, 10)", "Cosine"),
        ("cosine(0.1, 10)", "Cosine"),
        ("learning_rate_schedul(0.1, 'sample')", "learning_rate_schedule"),
        ("Warmup(0.1, 10)", "WarmUp"),
        ("kernel.momentum_as_time_constant(300)", "momentum_as_time_constant_schedule"),
        ("schedules.OneCyle(0.1, 100)", "OneCycle"),
    ],
)
def test_a_slip_is_answered_by_what_was_meant(text: str, meant: str) -> None:
    answered(lambda: parse(text), meant)


@settings(max_examples=400)
@given(
    st.lists(
        st.sampled_from(
            [
                "Cosine",
                "WarmUp",
                "Steps",
                "learning_rate_schedule",
                "kernel.",
                "UnitType.sample",
                "(",
                ")",
                "[",
                "]",
                ",",
                ",",
                ",",
                "0.1",
                "1",
                "10",
                "-1",
                "*",
                "+",
                "-",
                "/",
                "**",
                "=",
                "over",
                "unit",
                "'sample'",
                '"minibatch"',
                "inf",
                "None",
                "True",
                "epoch_size",
                "for",
                "in",
                "if",
                "lambda",
                ":",
                ".",
                "1e5",
                "\n",
                "#",
                "{",
                "}",
                "@",
                "~",
                "nan",
            ]
        ),
        max_size=14,
    )
)
def test_any_text_is_a_schedule_or_a_sentence(pieces: list[str]) -> None:
    text = " ".join(pieces)
    try:
        schedule = parse(text)
    except OURS as error:
        assert str(error).endswith((".", "?")) and "\n" not in str(error) and len(str(error)) > 25, str(error)
    else:
        assert math.isfinite(schedule[0])
        same(schedule, parse(schedule.code))


# Bad values.
BAD = [-0.1, math.nan, math.inf, -math.inf, "0.1", None, True, 1j, b"1", {}, object(), [], [[]], [0.1, -0.1],
       [0.1, math.nan], [0.1, "0.2"], [0.1, None], [(1, 0.1, 2)], [(1,)], [(-1, 0.1)], [(0, 0.1), (1, 0.2)],
       [(1.5, 0.1), (0, 0.2)], [(1, 0.1), 0.2], [0.1, (1, 0.2)], [(math.nan, 0.1)], [(True, 0.1), (0, 0.1)],
       [("1", 0.1)], {"a": 1}, [(1, -0.1)], [(math.inf, 0.1)], [()]]  # fmt: skip
CONSTRUCTORS = {
    "learning_rate_schedule": lambda value: kernel.learning_rate_schedule(value, "sample"),
    "learning_parameter_schedule": kernel.learning_parameter_schedule,
    "learning_parameter_schedule_per_sample": kernel.learning_parameter_schedule_per_sample,
    "momentum_schedule": kernel.momentum_schedule,
    "momentum_schedule_per_sample": kernel.momentum_schedule_per_sample,
    "momentum_as_time_constant_schedule": kernel.momentum_as_time_constant_schedule,
    "minibatch_size_schedule": kernel.minibatch_size_schedule,
    "Steps": Steps,
}


@pytest.mark.parametrize("value", BAD, ids=repr)
@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_bad_values(name: str, value: Any) -> None:
    if name == "Steps" and value in ([0.1, -0.1], [(1, -0.1)]):
        name, schedule = "the learning rate", Steps(value)  # good for something, but not for a learning rate
        answered(lambda: kernel.sgd([kernel.Parameter([1.0])], schedule), name, repr(schedule))
    else:
        answered(lambda: CONSTRUCTORS[name](value), name)


@pytest.mark.parametrize("momentum", [1, 1.0, 1.5, [0.9, 1.0], [(3, 0.9), (0, 2)]])
def test_momentum_is_below_one(momentum: Any) -> None:
    answered(lambda: kernel.momentum_schedule(momentum), "momentum_schedule", "1")
    answered(lambda: kernel.momentum_schedule_per_sample(momentum), "momentum_schedule_per_sample")


@pytest.mark.parametrize("size", [0, -1, 1.5, math.nan, math.inf, "100", True, [100], 1j])
def test_epoch_sizes_are_whole_and_positive(size: Any) -> None:
    for name, make in {
        "learning_rate_schedule": lambda: kernel.learning_rate_schedule([0.1], "sample", size),
        "learning_parameter_schedule": lambda: kernel.learning_parameter_schedule([0.1], epoch_size=size),
        "momentum_schedule": lambda: kernel.momentum_schedule([0.1], size),
        "momentum_as_time_constant_schedule": lambda: kernel.momentum_as_time_constant_schedule([300], size),
        "minibatch_size_schedule": lambda: kernel.minibatch_size_schedule([32], size),
        "Cosine": lambda: Cosine(0.1, 10, epoch_size=size),
    }.items():
        answered(make, name, "epoch_size")


@pytest.mark.parametrize("size", [-1, 1.5, math.nan, math.inf, "32", True, [32]])
def test_minibatch_sizes_are_whole(size: Any) -> None:
    answered(lambda: kernel.learning_parameter_schedule(0.1, size), "learning_parameter_schedule", "minibatch_size")
    answered(lambda: kernel.momentum_schedule(0.1, minibatch_size=size), "momentum_schedule", "minibatch_size")
    answered(lambda: Cosine(0.1, 10, minibatch_size=size), "Cosine", "minibatch_size")


@pytest.mark.parametrize("unit", ["epoch", "samples", "", None, 1, kernel.float32, ["sample"]])
def test_units_are_three(unit: Any) -> None:
    answered(lambda: kernel.learning_rate_schedule(0.1, unit), "learning_rate_schedule", "unit")
    answered(lambda: Cosine(0.1, 10, unit=unit), "Cosine", "unit")


UNEFFECTIVE = (-0.1, math.nan, math.inf, "0.1", None, True, 1j, numpy.ones(2), kernel.ones(2))
NO_WORDS = (numpy.array([1.0, 2.0]), kernel.tensor(1.0), ["sample"], 0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StepDecay(0.1, 0), lambda: StepDecay(0.1, -1), lambda: StepDecay(0.1, 10, -0.1),
        lambda: StepDecay(0.1, 10, math.nan), lambda: StepDecay(0.1, 10, 0.1, -5), lambda: StepDecay("a", 10),
        lambda: MultiStep(0.1, []), lambda: MultiStep(0.1, [-1], 0.1),
        lambda: MultiStep(0.1, 30, 0.1), lambda: MultiStep(0.1, ["a"], 0.1), lambda: MultiStep(0.1, [10], math.inf),
        lambda: Exponential(0.1, -0.5), lambda: Exponential(0.1, math.nan),
        lambda: Linear(0.1, 0.2, 0), lambda: Linear(0.1, 0.2, math.inf),
        lambda: Polynomial(0.1, 0), lambda: Polynomial(0.1, 10, -1),
        lambda: Cosine(0.1, 0), lambda: Cosine(0.1, -10), lambda: Cosine(math.inf, 10),
        lambda: Cosine(None, 10), lambda: Cosine(0.1, "10"), lambda: Cosine(True, 10), lambda: Cosine(0.1, math.nan),
        lambda: WarmUp(0.1, 0), lambda: WarmUp(0.1, -3), lambda: WarmUp("a", 3), lambda: WarmUp([0.1], 3),
        lambda: WarmUp(None, 3),
        lambda: OneCycle(0.1, 0), lambda: OneCycle(0.1, 10, 1.5), lambda: OneCycle(0.1, 10, -0.1),
        lambda: OneCycle(0.1, 10, 0.3, 0), lambda: OneCycle(0.1, 10, 0.3, 25, 0),
        lambda: OneCycle(0.1, 10, shape="cosine"),
        lambda: Plateau(0.1, 1.0), lambda: Plateau(0.1, 1.5), lambda: Plateau(0.1, -0.1),
        lambda: Plateau(0.1, patience=-1), lambda: Plateau(0.1, patience=1.5), lambda: Plateau(0.1, better="smaller"),
        lambda: Plateau(0.1, cooldown=-1), lambda: Plateau(0.1, threshold=-1),
        lambda: Constant(math.nan), lambda: Constant("a"), lambda: Constant(None),
        lambda: schedules.effective_rate(0.5, 0, 0), lambda: schedules.effective_rate(0.5, -1, 2),
        lambda: schedules.effective_rate(0.5, 1, -2), lambda: schedules.effective_rate(0.5, 1, "2"),
        lambda: schedules.effective_momentum(0.9, 1, -1), lambda: schedules.effective_momentum(0.9, 1.5, 1),
        *(lambda wrong=wrong: schedules.effective_rate(wrong, 1, 2) for wrong in UNEFFECTIVE),
        *(lambda wrong=wrong: schedules.effective_momentum(wrong, 1, 2) for wrong in (1, *UNEFFECTIVE)),
        lambda: Plateau(0.1, relative="no"), lambda: Constant(10**400), lambda: Cosine(0.1, 10**400),
        *(lambda wrong=wrong: Cosine(0.1, 10, unit=wrong) for wrong in NO_WORDS),
        *(lambda wrong=wrong: OneCycle(0.1, 10, shape=wrong) for wrong in NO_WORDS),
        *(lambda wrong=wrong: Plateau(0.1, better=wrong) for wrong in NO_WORDS),
        *(lambda wrong=wrong: kernel.learning_rate_schedule(0.1, wrong) for wrong in NO_WORDS),
        lambda: schedules.momentum_of_time_constant(-1), lambda: schedules.momentum_of_time_constant(math.nan),
        lambda: schedules.momentum_of_time_constant("a"), lambda: schedules.momentum_of_half_life(-1),
        lambda: schedules.time_constant_of_momentum(1.0), lambda: schedules.time_constant_of_momentum(-0.1),
        lambda: schedules.half_life_of_momentum(1.5), lambda: schedules.half_life_of_momentum(None),
        lambda: schedules.time_constant_of_momentum(0.9, 0), lambda: schedules.momentum_of_time_constant(300, -1),
    ],
)  # fmt: skip
def test_other_bad_values(make: Any) -> None:
    answered(make)


@pytest.mark.parametrize(
    "schedule", [Exponential(0.1, 2), StepDecay(0.1, 1, 2.0), MultiStep(0.1, [1, 2, 3], 1e200)], ids=repr
)
def test_a_number_that_has_grown_too_large_is_answered(schedule: Any) -> None:
    assert schedule[1] > schedule[0]
    answered(lambda: schedule[100_000])


@pytest.mark.parametrize("dtype", [numpy.float16, numpy.float32, numpy.float64])
def test_limits_hold_for_numbers_of_any_precision(dtype: Any) -> None:
    """The number before 1 is 1 in float32."""
    answered(lambda: kernel.momentum_schedule(dtype(1)))
    answered(lambda: kernel.momentum_sgd([kernel.Parameter([0.0])], 0.1, dtype(1)))
    assert kernel.momentum_schedule(dtype(0.5))[0] == 0.5


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(-1, 10),
        Exponential(-0.1, 0.5),
        Linear(0.1, -0.1, 10),
        Polynomial(0.1, 10, 1, -0.1),
        Cosine(0.1, 10, -0.1),
        WarmUp(0.1, 3, -0.1),
        WarmUp(-0.1, 3),
        WarmUp(Linear(0.1, -0.1, 10), 3),
        OneCycle(-0.1, 10),
        Plateau(-0.1),
        Constant(-1),
        -0.5,
    ],
    ids=repr,
)
def test_no_rate_is_below_zero_and_no_momentum_one(schedule: Any) -> None:
    """What a schedule is good for is for the learner to say; the least of its numbers counts, not only the first."""
    parameter = kernel.Parameter([1.0])
    answered(lambda: kernel.sgd([parameter], schedule), "sgd", "rate", "0 or more")
    answered(lambda: kernel.Adam([parameter], lr=schedule), "Adam", "rate")
    answered(lambda: kernel.momentum_sgd([parameter], 0.1, schedule), "momentum_sgd", "momentum")
    learner = kernel.sgd([parameter], 0.1)
    answered(lambda: learner.reset_learning_rate(schedule), "sgd")
    assert learner.learning_rate() == 0.1
    for high in (Linear(0.1, 1.0, 10), Exponential(0.5, 1.5), Steps([0.9, 1.0]), WarmUp(1.0, 3), 1.0):
        answered(lambda high=high: kernel.momentum_sgd([parameter], 0.1, high), "momentum", "below 1")


def test_a_schedule_passes_through_the_constructors() -> None:
    """It takes on what they say of it, and nothing is passed over in silence."""
    rate = kernel.learning_rate_schedule(Cosine(0.1, 10), "sample")
    assert rate.minibatch_size == 1 and [rate[i] for i in range(11)] == [Cosine(0.1, 10)[i] for i in range(11)]
    assert kernel.learning_parameter_schedule(Cosine(0.1, 10), 32).minibatch_size == 32
    assert kernel.learning_parameter_schedule(Cosine(0.1, 10, minibatch_size=7)).minibatch_size == 7
    per_sample = kernel.learning_rate_schedule(0.1, "sample")
    answered(lambda: kernel.learning_rate_schedule(per_sample, "minibatch"), "learning_rate_schedule", "per sample")
    answered(lambda: kernel.momentum_schedule(Cosine(0.1, 10), epoch_size=5), "momentum_schedule")
    plateau = Plateau(0.1, 0.5, patience=0)
    cut = kernel.learning_rate_schedule(plateau, "sample")
    assert [plateau.report(1.0), plateau.report(1.0)] == [False, True] and cut[0] == 0.05, "reports come to this one"


def test_wrong_calls_are_type_errors() -> None:
    for call in (lambda: Cosine(), lambda: Cosine(0.1, 10, colour=1), lambda: kernel.learning_rate_schedule(0.1)):
        with pytest.raises(TypeError):
            call()


def test_huge_counts_are_no_trouble() -> None:
    for make in TODAY:
        schedule = make()
        assert 0 <= schedule[10**18] <= 1
    assert StepDecay(0.1, 1, 0.5)[10**9] == 0.0, "it falls to nothing"
    assert Exponential(0.1, 0.5)[10**9] == 0.0


def test_two_learners_share_a_plateau_and_each_has_its_own_unit():
    plateau = kernel.schedules.Plateau(0.5, factor=0.5, patience=0)
    first, second = plateau.meant_for(0), plateau.meant_for(32)
    assert (first.minibatch_size, second.minibatch_size, plateau.minibatch_size) == (0, 32, None)
    plateau.report(1.0)
    assert plateau.report(1.0)
    assert first[0] == second[0] == plateau[0] == 0.25


def test_a_warm_up_counts_as_what_comes_then():
    cosine = kernel.schedules.Cosine(0.1, 900, unit="sample")
    assert kernel.schedules.WarmUp(cosine, 100, unit="sample").unit == "sample"
    with pytest.raises(kernel.errors.RangeError, match="WarmUp: unit is said by the schedule that comes then"):
        kernel.schedules.WarmUp(cosine, 100, unit="sweep")
    with pytest.raises(kernel.errors.RangeError, match="WarmUp: minibatch_size is said"):
        kernel.schedules.WarmUp(cosine, 100, minibatch_size=32)


def test_schedules_are_equal_when_their_arguments_are():
    steps = schedules.Steps([0.1, 0.2], epoch_size=10)
    assert steps == schedules.Steps((0.1, 0.2), epoch_size=10) and hash(steps) == hash(copy.copy(steps))
    assert steps != schedules.Steps([0.1, 0.2], epoch_size=11) and steps != steps.meant_for(1)
    assert steps != schedules.Steps([0.1, 0.3], epoch_size=10)
    assert schedules.Exponential(0.1, 0.5) != schedules.Cosine(0.1, 0.5) and steps != 0.1
    assert len({schedules.Plateau(0.1), schedules.Plateau(0.1), schedules.Plateau(0.2)}) == 2
    reported = schedules.Plateau(0.1, patience=0)
    assert not reported.report(1.0) and reported.report(2.0)
    assert reported == schedules.Plateau(0.1, patience=0), "what it remembers is no argument"
    assert schedules.TimeConstant([9], minibatch_size=1) != schedules.Steps([9], minibatch_size=1)
    assert steps.__eq__(0.1) is NotImplemented
    with pytest.raises(dataclasses.FrozenInstanceError):
        steps.epoch_size = 20
