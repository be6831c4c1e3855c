"""Learners by PyTorch's names next to torch.optim, and what every learner has to bear."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import DeviceError, DtypeError, GradError, ShapeError, layers, learners, schedules
from kernel.errors import RangeError
from kernel.learners import rules
from tests.kernel.every_learner import BY_SAMPLES, EVERY, EVERYDAY, SHAPES, bits, decay, some_gradients, some_parameters
from tests.kernel.refusals import OURS, refused

OURS = (*OURS, RangeError)


def combinations(**choices: list) -> list[dict[str, Any]]:
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


# Next to torch.optim.
YES_NO = [False, True]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        o
        for o in combinations(
            momentum=[0, 0.9], dampening=[0, 0.3], weight_decay=[0, 0.05], nesterov=YES_NO, maximize=YES_NO
        )
        if not (o["nesterov"] and (o["dampening"] or not o["momentum"])) and not (o["dampening"] and not o["momentum"])
    ],
    "Adam": [
        *combinations(amsgrad=YES_NO, weight_decay=[0, 0.05], maximize=YES_NO, decoupled_weight_decay=YES_NO),
        {"betas": (0.5, 0.9), "eps": 1e-3},
        {"betas": (0.0, 0.0), "eps": 1e-2},
        {"betas": (0.0, 0.99), "amsgrad": True, "eps": 0.1},
    ],
    "AdamW": combinations(amsgrad=YES_NO, weight_decay=[1e-2, 0, 0.3], maximize=YES_NO),
    "NAdam": [
        *combinations(weight_decay=[0, 0.1], decoupled_weight_decay=YES_NO, maximize=YES_NO),
        {"momentum_decay": 0.1},
        {"betas": (0.5, 0.9), "eps": 1e-3},
    ],
    "RAdam": [
        *combinations(weight_decay=[0, 0.05], decoupled_weight_decay=YES_NO, maximize=YES_NO),
        {"betas": (0.5, 0.7), "eps": 1e-3},
        {"betas": (0.9, 0.9999), "eps": 1e-4},
    ],
    "Adamax": [*combinations(weight_decay=[0, 0.05], maximize=YES_NO), {"betas": (0.5, 0.9), "eps": 1e-2}],
    "Adagrad": [
        *combinations(lr_decay=[0, 0.02], weight_decay=[0, 0.05], initial_accumulator_value=[0, 0.5], maximize=YES_NO),
        {"eps": 1e-2},
    ],
    "Adadelta": combinations(rho=[0.9, 0.5], eps=[1e-6, 1e-3], weight_decay=[0, 0.05], maximize=YES_NO),
    "RMSprop": [
        *combinations(momentum=[0, 0.9], centered=YES_NO, weight_decay=[0, 0.05], maximize=YES_NO),
        {"alpha": 0.5, "eps": 1e-3},
        {"alpha": 0.9, "eps": 1e-2, "centered": True},
    ],
}  # fmt: skip
CASES = [(name, options) for name, all_options in OPTIONS.items() for options in [{}, *all_options]]
STEPS = 200


@pytest.fixture(autouse=True)
def default_dtype() -> Iterator[None]:
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_default_dtype(sys.modules["torch"].float32)


def walk(name: str, options: dict, dtype: str, steps: int = STEPS, seed: int = 0) -> tuple[list, list, list]:
    """(ours, torch's, the largest numbers on the way) after so many steps by the same gradients, some of them None."""
    import torch

    torch.set_default_dtype(
        getattr(torch, dtype)
    )  # NAdam's product has torch's default dtype, whatever the parameters'
    draw = numpy.random.default_rng(seed)
    starts = [draw.normal(size=shape).astype("float32").astype(dtype) for shape in SHAPES]
    ours = [kernel.Parameter(kernel.tensor(start)) for start in starts]
    theirs = [torch.tensor(start, requires_grad=True) for start in starts]
    learner = getattr(kernel, name)(ours, **options)
    optimizer = getattr(torch.optim, name)(theirs, **options)
    sizes = [1e-3] * len(starts)
    for _ in range(steps):
        for p, q in zip(ours, theirs, strict=True):
            g = (draw.normal(size=p.shape) * 10 ** draw.uniform(-2, 1) + 0.3).astype("float32").astype(dtype)
            left_alone = draw.random() < 0.1
            p.grad = None if left_alone else kernel.tensor(g)
            q.grad = None if left_alone else torch.tensor(g)
        if all(p.grad is None for p in ours):
            continue
        learner.step()
        optimizer.step()
        for k, q in enumerate(theirs):
            sizes[k] = max(sizes[k], float(abs(q.detach()).max()))
    return [p.value for p in ours], [q.detach().numpy() for q in theirs], sizes


@pytest.mark.oracle
@pytest.mark.parametrize("name, options", CASES, ids=lambda value: value if isinstance(value, str) else str(value))
def test_as_in_torch(name: str, options: dict[str, Any]) -> None:
    """In float64 to 1e-11; in float32 as near to the truth as torch is."""

    def error(values: list) -> float:
        return max(abs(v - true).max() / size for v, true, size in zip(values, truth, sizes, strict=True))

    ours, truth, sizes = walk(name, options, "float64")
    assert all(value.dtype == numpy.float64 for value in ours) and error(ours) <= 1e-11
    ours, theirs, _ = walk(name, options, "float32")
    assert all(value.dtype == numpy.float32 for value in ours) and error(ours) <= 1.5 * error(theirs) + 1e-7


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", OPTIONS)
def test_as_in_torch_with_any_numbers(name: str, seed: int) -> None:
    draw = numpy.random.default_rng([seed, len(name)])
    options: dict[str, Any] = {"lr": 10 ** draw.uniform(-4, -1), "maximize": bool(draw.random() < 0.5)}
    some = {
        "momentum": lambda: draw.uniform(0, 0.95),
        "weight_decay": lambda: 10 ** draw.uniform(-4, -1),
        "betas": lambda: (draw.uniform(0, 0.95), draw.uniform(0.5, 0.9999)),
        "eps": lambda: 10 ** draw.uniform(-9, -2),
        "alpha": lambda: draw.uniform(0.5, 0.999),
        "rho": lambda: draw.uniform(0.5, 0.99),
        "lr_decay": lambda: draw.uniform(0, 0.1),
        "momentum_decay": lambda: draw.uniform(0, 0.1),
    }
    known = set().union(*OPTIONS[name]) | ({"eps"} if name != "SGD" else set())
    known |= {"betas"} if name.startswith(("Ada", "NA", "RA")) and name not in ("Adagrad", "Adadelta") else set()
    for option in sorted(known & set(some)):
        if draw.random() < 0.7:
            value = some[option]()
            options[option] = tuple(map(float, value)) if isinstance(value, tuple) else float(value)
    ours, theirs, sizes = walk(name, options, "float64", 60, seed)
    for mine, other, size in zip(ours, theirs, sizes, strict=True):
        assert abs(mine - other).max() <= 1e-11 * size, options


@pytest.mark.oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_defaults_are_torchs(name: str) -> None:
    import inspect

    import torch

    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    ours = inspect.signature(getattr(kernel, name)).parameters
    extra = {"foreach", "capturable", "differentiable", "fused"}
    wanted = {key: value.default for key, value in theirs.items() if key not in extra}
    assert {key: value.default for key, value in ours.items() if key != "options"} == wanted
    positional = [key for key, value in ours.items() if value.kind is value.POSITIONAL_OR_KEYWORD]
    assert list(theirs)[: len(positional)] == positional
    assert getattr(kernel, name) is getattr(learners, name)


@pytest.mark.parametrize(
    "options", combinations(betas=[(0.9, 0.99), (0.5, 0.8)], weight_decay=[0, 0.1], maximize=YES_NO)
)
def test_lion(options: dict[str, Any]) -> None:
    """torch has none: w is moved by the sign of b1 m + (1 - b1) g, then m = b2 m + (1 - b2) g, decay decoupled."""
    (b1, b2), decay = options["betas"], options["weight_decay"]
    parameters = some_parameters(dtype="float64")
    w, m = [p.value.copy() for p in parameters], [0.0] * len(SHAPES)
    learner = kernel.Lion(parameters, lr=0.01, **options)
    for i in range(100):
        for k, (p, g) in enumerate(some_gradients(parameters, i).items()):
            p.grad = kernel.tensor(g)
            g = -g if options["maximize"] else g
            w[k] = w[k] * (1 - 0.01 * decay) - 0.01 * numpy.sign(b1 * m[k] + (1 - b1) * g)
            m[k] = b2 * m[k] + (1 - b2) * g
        assert learner.step()
    for p, value in zip(parameters, w, strict=True):
        assert abs(p.value - value).max() < 1e-12
    assert learner.learning_rate() == 0.01 and kernel.Lion(parameters).learning_rate() == 1e-4


PLANS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "steps": (schedules.StepDecay(0.1, 7, 0.5), "StepLR", {"step_size": 7, "gamma": 0.5}),
    "milestones": (schedules.MultiStep(0.1, [5, 20], 0.3), "MultiStepLR", {"milestones": [5, 20], "gamma": 0.3}),
    "exponential": (schedules.Exponential(0.1, 0.95), "ExponentialLR", {"gamma": 0.95}),
    "cosine": (schedules.Cosine(0.1, 39, 0.001), "CosineAnnealingLR", {"T_max": 39, "eta_min": 0.001}),
    "one cycle": (
        schedules.OneCycle(0.1, 40),
        "OneCycleLR",
        {"max_lr": 0.1, "total_steps": 40, "cycle_momentum": False},
    ),
    "linear": (schedules.Linear(0.1 / 3, 0.1, 5), "LinearLR", {}),
    "polynomial": (schedules.Polynomial(0.1, 30, 2.0), "PolynomialLR", {"total_iters": 30, "power": 2.0}),
}


@pytest.mark.oracle
@pytest.mark.parametrize("plan", [*PLANS, "plateau"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_schedules_as_in_torch(name: str, plan: str) -> None:
    """The rate in use and what comes of it, with velocities and decay that go on while the rate changes."""
    import torch

    options: dict[str, Any] = {"momentum": 0.9} if name == "SGD" else {"weight_decay": 0.1}
    ours, theirs = some_parameters(dtype="float64"), [torch.tensor(p.value) for p in some_parameters(dtype="float64")]
    for q in theirs:
        q.requires_grad_(True)
    optimizer = getattr(torch.optim, name)(theirs, lr=0.1, **options)
    if plan == "plateau":
        schedule = schedules.Plateau(0.1, 0.5, patience=2)
        scheduler: Any = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    else:
        schedule, theirs_by, scheduler_options = PLANS[plan]
        scheduler = getattr(torch.optim.lr_scheduler, theirs_by)(optimizer, **scheduler_options)
    learner = getattr(kernel, name)(ours, lr=schedule, **options)
    rates = set()
    for i in range(40):
        assert learner.learning_rate() == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-15)
        rates.add(learner.learning_rate())
        for (p, g), q in zip(some_gradients(ours, i).items(), theirs, strict=True):
            p.grad, q.grad = kernel.tensor(g), torch.tensor(g)
        learner.step()
        optimizer.step()
        if i < 39:
            loss = 1 / (1 + min(i, 12))
            scheduler.step(*([loss] if plan == "plateau" else []))
            if plan == "plateau":
                schedule.report(loss)
    assert len(rates) > 1
    for p, q in zip(ours, theirs, strict=True):
        assert abs(p.value - q.detach().numpy()).max() < 1e-10


@pytest.mark.oracle
def test_a_network_trains_as_in_torch() -> None:
    import torch

    draw = numpy.random.default_rng(3)
    x, y = draw.normal(size=(32, 6)).astype("float32"), draw.integers(0, 3, 32)
    ours = layers.Sequential(layers.Linear(6, 8), kernel.relu, layers.Linear(8, 3))
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.shape == tuple(q.shape)
        p.value = q.detach().numpy().copy()
    learner, optimizer = kernel.Adam(ours.parameters(), lr=0.01), torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(50):
        loss = kernel.cross_entropy(ours(kernel.tensor(x)), kernel.tensor(y))
        true = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
        learner.zero_grad()
        optimizer.zero_grad()
        loss.backward()
        true.backward()
        assert loss.item() == pytest.approx(true.item(), rel=1e-4)
        learner.step()
        optimizer.step()
    assert loss.item() < 0.8


@pytest.mark.oracle
@pytest.mark.parametrize("most", [0.1, 1.0, 100.0])
def test_gradients_are_clipped_as_in_torch(most: float) -> None:
    import torch

    parameters = [*some_parameters(), kernel.Parameter([1.0])]
    theirs = []
    for p, g in some_gradients(parameters[:-1], 5).items():
        p.grad = kernel.tensor(g)
        theirs.append(torch.zeros(p.shape, requires_grad=True))
        theirs[-1].grad = torch.tensor(g)
    total = kernel.clip_grad_norm_(parameters, most)
    assert float(total) == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, most)), rel=1e-6)
    for p, q in zip(parameters, theirs, strict=False):
        assert p.grad.numpy() == pytest.approx(q.grad.numpy(), rel=1e-5)
    kernel.clip_grad_value_(parameters, most / 20)
    torch.nn.utils.clip_grad_value_(theirs, most / 20)
    for p, q in zip(parameters, theirs, strict=False):
        assert p.grad.numpy() == pytest.approx(q.grad.numpy(), rel=1e-5)
    assert parameters[-1].grad is None
    for wrong in (-1, math.nan, "1", None):
        refused(lambda wrong=wrong: kernel.clip_grad_norm_(parameters, wrong), "clip_grad_norm_", error=OURS)
        refused(lambda wrong=wrong: kernel.clip_grad_value_(parameters, wrong), "clip_grad_value_", error=OURS)


# The pure rules, and what the learners do with them.
def t(step: int, **numbers: float) -> dict[str, float]:
    return numbers | {"step": step}


RULES: dict[str, tuple[Callable, Any, Callable[[int], dict]]] = {
    "sgd": (lambda p: kernel.SGD(p, 0.1), rules.sgd, lambda i: {"rate": 0.1}),
    "momentum": (
        lambda p: kernel.SGD(p, 0.1, momentum=0.9, dampening=0.2),
        rules.momentum,
        lambda i: t(i, rate=0.1, momentum=0.9, dampening=0.2, inside=1.0),
    ),
    "momentum, rate inside": (
        lambda p: kernel.momentum_sgd(p, 0.1, 0.9, minibatch_size=0),
        rules.momentum,
        lambda i: t(i, rate=1.0, momentum=0.9, dampening=0, inside=0.1 * (1 - 0.9)),
    ),
    "nesterov": (
        lambda p: kernel.SGD(p, 0.1, momentum=0.9, nesterov=True),
        rules.nesterov,
        lambda i: {"rate": 0.1, "momentum": 0.9, "inside": 1.0},
    ),
    "adagrad": (
        lambda p: kernel.Adagrad(p, 0.1, lr_decay=0.1),
        rules.adagrad,
        lambda i: t(i, rate=0.1, inner_epsilon=0, epsilon=1e-10, rate_decay=0.1),
    ),
    "rmsprop": (
        lambda p: kernel.RMSprop(p, 0.1, alpha=0.9),
        rules.rmsprop,
        lambda i: {"rate": 0.1, "alpha": 0.9, "epsilon": 1e-8},
    ),
    "rmsprop_with_steps": (
        lambda p: kernel.rmsprop(p, 0.1, 0.9, 1.2, 0.5, 10.0, 0.01, need_ave_multiplier=False, minibatch_size=0),
        rules.rmsprop_with_steps,
        lambda i: t(i, rate=0.1, gamma=0.9, inc=1.2, dec=0.5, max=10.0, min=0.01),
    ),
    "averaged_rmsprop_with_steps": (
        lambda p: kernel.rmsprop(p, 0.1, 0.9, 1.2, 0.5, 10.0, 0.01, minibatch_size=0),
        rules.averaged_rmsprop_with_steps,
        lambda i: t(i, rate=0.1, gamma=0.9, inc=1.2, dec=0.5, max=10.0, min=0.01),
    ),
    "adadelta": (
        lambda p: kernel.Adadelta(p, 1.0),
        rules.adadelta,
        lambda i: {"rate": 1.0, "rho": 0.9, "epsilon": 1e-6},
    ),
    "fsadagrad": (
        lambda p: kernel.fsadagrad(p, 0.1, 0.9, variance_momentum=0.99, minibatch_size=0),
        rules.fsadagrad,
        lambda i: {"rate": 0.1, "momentum": 0.9, "gain": 1 - 0.9, "variance": 0.99, "fresh": 1 - 0.99, "samples": 4},
    ),
    "adam": (
        lambda p: kernel.Adam(p, 0.1, (0.9, 0.99), eps=1e-3),
        rules.adam,
        lambda i: t(i, rate=0.1, momentum=0.9, gain=0.1, variance=0.99, fresh=0.01, epsilon=1e-3, epsilon_hat=0),
    ),
    "adamax": (
        lambda p: kernel.Adamax(p, 0.1),
        rules.adamax,
        lambda i: t(i, rate=0.1, momentum=0.9, gain=1 - 0.9, variance=0.999, inner_epsilon=1e-8, epsilon=0),
    ),
    "nadam": (
        lambda p: kernel.NAdam(p, 0.1),
        rules.nadam,
        lambda i: t(i, rate=0.1, momentum=0.9, variance=0.999, epsilon=1e-8, momentum_decay=0.004),
    ),
    "radam": (
        lambda p: kernel.RAdam(p, 0.1, betas=(0.9, 0.9)),
        rules.radam,
        lambda i: t(i, rate=0.1, momentum=0.9, variance=0.9, epsilon=1e-8),
    ),
    "lion": (lambda p: kernel.Lion(p, 0.1), rules.lion, lambda i: {"rate": 0.1, "momentum": 0.9, "variance": 0.99}),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_a_learner_does_what_its_pure_rule_says(name: str) -> None:
    make, rule, hyper = RULES[name]
    parameters = some_parameters(dtype="float64")
    learner = make(parameters)
    pure = [(kernel.tensor(p.value), rule.begin(kernel.tensor(p.value))) for p in parameters]
    for i in range(1, 9):
        gradients = some_gradients(parameters, i)
        for k, g in enumerate(gradients.values()):
            w, state = pure[k]
            told = hyper(i)
            kept = {key: value.numpy().copy() for key, value in state.items() if isinstance(value, kernel.Tensor)}
            before = w.numpy().copy(), g.copy()
            pure[k] = rule(w, kernel.tensor(g), state, told)
            assert told == hyper(i) and (w.numpy() == before[0]).all() and (g == before[1]).all(), "pure"
            assert all((state[key].numpy() == value).all() for key, value in kept.items())
        assert learner.update({p: 4 * g for p, g in gradients.items()}, 4)
    for p, (w, _) in zip(parameters, pure, strict=True):
        assert abs(p.value - w.numpy()).max() < 1e-12
    assert learner.rule is rule or issubclass(learner.rule, rule.__mro__[-2])


# What every learner has to bear.
def stepped(name: str, parameters: list, steps: int = 5, n: int = 4, **options: Any) -> Any:
    learner = EVERY[name](parameters, **options)
    for i in range(steps):
        learner.update(some_gradients(parameters, i), n, i == 2)
    return learner


@pytest.mark.parametrize("name", EVERY)
def test_the_caller_keeps_his_gradients(name: str) -> None:
    parameters = some_parameters()
    learner = EVERY[name](parameters, **decay(name, 0.1), l1=0.01, clip=0.5, clip_by="global norm")
    for i in range(3):
        gradients = some_gradients(parameters, i)
        kept = {p: g.copy() for p, g in gradients.items()}
        for g in gradients.values():
            g.flags.writeable = False
        learner.update(gradients, 4)
        assert all((gradients[p] == kept[p]).all() for p in parameters)
        as_tensors = {p: kernel.tensor(g) for p, g in kept.items()}
        learner.update(as_tensors, 4)
        assert all((as_tensors[p].numpy() == kept[p]).all() for p in parameters)
        for p in parameters:
            p.grad = as_tensors[p]
        learner.step(4)
        assert all(p.grad is as_tensors[p] and (p.grad.numpy() == kept[p]).all() for p in parameters)
    learner.zero_grad()
    assert all(p.grad is None for p in parameters)
    refused(lambda: learner.step(4), "backward()", error=GradError)
    assert learner.counts == (36, 9, 0)


@pytest.mark.parametrize("name", EVERY)
def test_the_strict_device_has_the_same_bits(name: str) -> None:
    results = []
    for place in ("cpu", "strict"):
        model = layers.Sequential(layers.Linear(4, 3), layers.Linear(3, 2))
        for i, p in enumerate(model.parameters()):
            p.value = numpy.random.default_rng(i).normal(size=p.shape).astype("float32")
        model.to(place)
        parameters = list(model.parameters())
        learner = EVERY[name](
            parameters, **decay(name, 0.1), l1=0.001, noise=0.01, clip=0.5, generator=kernel.Generator(5)
        )
        for i in range(5):
            gradients = {p: kernel.tensor(g).to(place) for p, g in some_gradients(parameters, i).items()}
            learner.update(gradients, 4)
        assert all(str(p.device) == place for p in parameters)
        state = {key: value.cpu().numpy().tobytes() for key, value in learner.state_dict().items()}
        results.append(
            (
                bits(p.cpu() for p in parameters)
                if place == "cpu"
                else [p.detach().cpu().numpy().tobytes() for p in parameters],
                state,
            )
        )
    assert results[0] == results[1]


@pytest.mark.parametrize("name", EVERY)
def test_state_goes_on_where_it_was(name: str, tmp_path: Any) -> None:
    """Saved in the middle, loaded into a fresh learner: the same bits as without a pause."""
    rate = schedules.Steps([0.1, 0.02, 0.05], unit="sample", epoch_size=15)
    straight, paused, resumed = some_parameters(), some_parameters(), some_parameters(9)
    one, first = EVERY[name](straight, rate, **decay(name, 0.1)), EVERY[name](paused, rate, **decay(name, 0.1))
    for i in range(4):
        one.update(some_gradients(straight, i), 4, i == 2)
        first.update(some_gradients(paused, i), 4, i == 2)
    state = first.state_dict()
    assert all(isinstance(key, str) and isinstance(value, kernel.Tensor) for key, value in state.items())
    kernel.save(state, str(tmp_path / "state.safetensors"))
    frozen = {key: value.numpy().tobytes() for key, value in state.items()}
    first.update(some_gradients(paused, 99), 4)
    assert {key: value.numpy().tobytes() for key, value in state.items()} == frozen, "copies"
    for p, q in zip(resumed, straight, strict=True):
        p.value = q.value
    second = EVERY[name](resumed, 0.7, **decay(name, 0.1))
    second.update(some_gradients(resumed, 77), 4)
    for p, q in zip(resumed, straight, strict=True):
        p.value = q.value
    second.load_state_dict(kernel.load(str(tmp_path / "state.safetensors")))
    assert second.counts == one.counts == (16, 4, 1)
    assert second.learning_rate() == one.learning_rate()
    for i in range(4, 9):
        assert one.update(some_gradients(straight, i), 5, i == 7) == second.update(
            some_gradients(resumed, i), 5, i == 7
        )
        assert bits(straight) == bits(resumed)
    assert second.counts == one.counts
    ours, others = one.state_dict(), second.state_dict()
    assert ours.keys() == others.keys()
    assert all(ours[key].numpy().tobytes() == others[key].numpy().tobytes() for key in ours)


@pytest.mark.parametrize("name", ["Adam", "NAdam", "fsadagrad", "rmsprop", "SGD, momentum"])
def test_a_state_that_does_not_fit_changes_nothing(name: str) -> None:
    parameters = some_parameters()
    learner = stepped(name, parameters)
    good, before = learner.state_dict(), bits(parameters)
    kept = {key: value.numpy().tobytes() for key, value in good.items()}
    array_key = next(key for key in good if key.endswith((".m", ".v", ".a", ".s")) and good[key].shape == (3, 4))
    refused(lambda: learner.load_state_dict({}), error=OURS)
    refused(lambda: learner.load_state_dict({k: v for k, v in good.items() if k != array_key}), array_key, error=OURS)
    refused(lambda: learner.load_state_dict(good | {"9.m": kernel.zeros(2)}), "9.m", error=OURS)
    refused(lambda: learner.load_state_dict(good | {array_key: kernel.zeros(4, 3)}), array_key, error=OURS)
    refused(lambda: learner.load_state_dict(good | {array_key: "a"}), array_key, error=OURS)
    refused(lambda: learner.load_state_dict(None), error=OURS)
    refused(lambda: learner.load_state_dict([1]), error=OURS)
    for key in good:
        refused(lambda key=key: learner.load_state_dict(good | {key: kernel.zeros(7, 7)}), error=OURS)
    other = stepped("Adagrad", some_parameters()).state_dict()
    refused(lambda: learner.load_state_dict(other), error=OURS)
    assert {key: value.numpy().tobytes() for key, value in learner.state_dict().items()} == kept
    assert bits(parameters) == before
    learner.load_state_dict(good)


LAYOUTS: dict[str, Callable[[numpy.ndarray], numpy.ndarray]] = {
    "rows": numpy.ascontiguousarray,
    "columns": numpy.asfortranarray,
    "transposed": lambda a: numpy.ascontiguousarray(a.T).T,
    "every other": lambda a: numpy.repeat(numpy.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "backwards": lambda a: numpy.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "broadcast": lambda a: numpy.broadcast_to(a[:1], a.shape),
}


@pytest.mark.parametrize("name", EVERY)
def test_layouts_of_gradients_do_not_matter(name: str) -> None:
    def run(layout: Callable, as_tensor: bool) -> bytes:
        p = kernel.Parameter(kernel.tensor(numpy.random.default_rng(1).normal(size=(6, 5)), dtype="float64"))
        learner = EVERY[name]([p], **decay(name, 0.1))
        for i in range(4):
            g = numpy.random.default_rng(i).normal(size=(6, 5))
            g = layout(numpy.broadcast_to(g[:1], g.shape) if layout is LAYOUTS["broadcast"] or broadcast else g)
            learner.update({p: kernel.tensor(g) if as_tensor else g}, 3)
        return p.value

    broadcast = False
    expected = run(numpy.ascontiguousarray, False)
    for key in list(LAYOUTS)[:-1]:
        for as_tensor in (False, True):
            assert run(LAYOUTS[key], as_tensor) == pytest.approx(expected, rel=1e-12), key
    broadcast = True
    assert run(LAYOUTS["broadcast"], False) == pytest.approx(run(numpy.ascontiguousarray, False), rel=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_layouts_of_parameters_do_not_matter(name: str) -> None:
    """A parameter may be a view: what lies beside it in memory is left alone."""
    start = numpy.random.default_rng(1).normal(size=(6, 4)).astype("float32")
    whole = kernel.tensor(numpy.zeros((8, 12), "float32"))
    views: dict[str, Callable[[], Any]] = {
        "rows": lambda: kernel.tensor(start),
        "transposed": lambda: kernel.tensor(numpy.ascontiguousarray(start.T)).T,
        "columns": lambda: kernel.tensor(numpy.asfortranarray(start)),
        "sliced": lambda: whole[1:7, ::3],
    }
    results = {}
    for key, make in views.items():
        parameter = make()
        if key == "sliced":
            parameter.copy_(kernel.tensor(start))
        parameter = parameter.detach().requires_grad_(True)
        assert parameter.shape == (6, 4) and (parameter.detach().numpy() == start).all()
        learner = EVERY[name]([parameter], **decay(name, 0.1))
        for i in range(5):
            g = numpy.random.default_rng(i).normal(size=(6, 4)).astype("float32")
            learner.update({parameter: g}, 3)
        results[key] = parameter.detach().numpy().copy()
    for key, result in results.items():
        assert result == pytest.approx(results["rows"], rel=1e-5, abs=1e-6), key
        assert not (result == start).any()
    beside = whole.numpy().copy()
    assert (beside[1:7, ::3] == results["sliced"]).all(), "the same memory"
    beside[1:7, ::3] = 0
    assert not beside.any()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("clip_by", [None, "value", "norm", "global norm"])
def test_empty_parameters_and_scalars(name: str, clip_by: str | None) -> None:
    parameters = [kernel.Parameter(kernel.zeros(*shape)) for shape in ((0,), (3, 0), (0, 2), (1, 1))]
    parameters.append(kernel.Parameter(kernel.tensor(1.0)))
    options = {"clip": 0.5, "clip_by": clip_by} if clip_by else {}
    learner = EVERY[name](parameters, **decay(name, 0.1), l1=0.01, noise=0.1, **options)
    for i in range(3):
        assert learner.update(some_gradients(parameters, i), 2)
        for p in parameters:
            p.grad = kernel.ones(*p.shape)
        assert learner.step(2)
    assert [p.shape for p in parameters] == [(0,), (3, 0), (0, 2), (1, 1), ()]
    assert parameters[4].value != 1.0 and numpy.isfinite(parameters[4].value)
    only = kernel.Parameter(kernel.zeros(0))
    assert EVERY[name]([only], **options).update({only: kernel.zeros(0)}, 2), "and nothing but empty ones"
    learner.load_state_dict(learner.state_dict())


PLAIN = {  # without the average over a tensor, elements do not know of each other
    "adagrad": {"need_ave_multiplier": False},
    "rmsprop": {"need_ave_multiplier": False},
}


@pytest.mark.parametrize("name", EVERY)
def test_large_parameters_are_many_small_ones(name: str) -> None:
    """Whatever blocks they are worked on in, no element is left out or taken twice: bit for bit."""
    size = 131_101
    draw = numpy.random.default_rng(0)
    start, steps = draw.normal(size=size).astype("float32"), draw.normal(size=(3, size)).astype("float32")
    cuts = [0, 1, 1000, 65_536, 65_537, 131_072, size]
    large = kernel.Parameter(kernel.tensor(start))
    small = [kernel.Parameter(kernel.tensor(start[a:b])) for a, b in itertools.pairwise(cuts)]
    options = decay(name, 0.1) | {"l1": 0.001, "clip": 0.7} | PLAIN.get(name, {})
    one, many = EVERY[name]([large], **options), EVERY[name](small, **options)
    for g in steps:
        one.update({large: g}, 4)
        many.update({p: g[a:b] for p, (a, b) in zip(small, itertools.pairwise(cuts), strict=True)}, 4)
    together = numpy.concatenate([p.value for p in small])
    assert (large.value == together).all()
    assert (large.value != start).mean() > 0.99


@pytest.mark.parametrize("name", EVERY)
def test_large_matrices_are_seen_whole(name: str) -> None:
    """Averages and norms over a large tensor, in an odd shape and a transposed one."""
    start = numpy.random.default_rng(0).normal(size=(331, 317))
    results = []
    for dtype, turned in (("float64", False), ("float32", False), ("float32", True)):
        p = kernel.Parameter(kernel.tensor(start.T if turned else start, dtype=dtype))
        learner = EVERY[name]([p], clip=0.7, clip_by="norm")
        for i in range(3):
            g = numpy.random.default_rng(i).normal(size=(331, 317)).astype("float32").astype(dtype)
            learner.update({p: g.T if turned else g}, 4)
        results.append(p.value.T if turned else p.value)
    # 1 - b of a variance momentum near 1 has four digits in float32.
    tolerance = 1e-3 if name.startswith(("adam", "fsadagrad")) else 2e-6
    assert abs(results[1] - results[0]).max() < tolerance * abs(results[0]).max()
    assert abs(results[2] - results[1]).max() < 2e-6 * abs(results[0]).max()


@pytest.mark.parametrize("name", EVERY)
def test_halves(name: str) -> None:
    """float16 stays float16 and goes where float32 goes, as far as three digits can tell."""
    draw = numpy.random.default_rng(2)
    start = draw.normal(size=(8, 8)).astype("float16")
    ends = []
    for dtype in ("float16", "float32"):
        p = kernel.Parameter(kernel.tensor(start, dtype=dtype))
        learner = EVERY[name]([p])
        for i in range(8):
            g = (numpy.random.default_rng(i).uniform(0.5, 1.5, size=(8, 8))).astype("float16").astype(dtype)
            learner.update({p: g}, 4)
        assert p.value.dtype == dtype and numpy.isfinite(p.value).all()
        ends.append(p.value.astype("float64"))
    moved = abs(ends[1] - start.astype("float64")).max()
    assert moved > 0
    assert abs(ends[0] - ends[1]).max() <= 0.05 * moved + 0.02


@pytest.mark.parametrize("name", EVERY)
def test_the_learner_follows_its_model(name: str) -> None:
    """model.to(...) in the middle: the same parameters, and what was remembered goes on in the new dtype or place."""

    def run(moves: dict[int, str]) -> tuple[list[numpy.ndarray], list]:
        model = layers.Sequential(layers.Linear(4, 3), layers.Linear(3, 2))
        for i, p in enumerate(model.parameters()):
            p.value = numpy.random.default_rng(i).normal(size=p.shape).astype("float32")
        learner = EVERY[name](model.parameters())
        parameters = list(model.parameters())
        for i in range(8):
            if i in moves:
                model.to(moves[i])
                assert all(p is q for p, q in zip(parameters, model.parameters(), strict=True))
            gradients = {
                p: kernel.tensor(numpy.random.default_rng([i, k]).normal(size=p.shape), dtype=p.dtype).to(p.device)
                for k, p in enumerate(parameters)
            }
            assert learner.update(gradients, 4)
        assert learner.counts == (32, 8, 0)
        return [p.detach().cpu().numpy() for p in parameters], parameters

    straight, _ = run({})
    there_and_back, _ = run({2: "strict", 5: "cpu"})
    assert all((a == b).all() for a, b in zip(straight, there_and_back, strict=True))
    wider, parameters = run({4: "float64"})
    assert all(a.dtype == numpy.float64 and abs(a - b).max() < 1e-3 for a, b in zip(wider, straight, strict=True))
    assert parameters[0].dtype == kernel.float64
    narrower, _ = run({3: "float64", 6: "float32"})
    assert all(a.dtype == numpy.float32 and abs(a - b).max() < 1e-3 for a, b in zip(narrower, straight, strict=True))


@pytest.mark.parametrize("options", [{}, {"l1": 0.001, "clip": 0.5}], ids=["plain", "all"])
@pytest.mark.parametrize("name", EVERY)
def test_no_memory_is_taken_by_a_step(name: str, options: dict) -> None:
    """A million float32 parameters are four million bytes; a step takes none of that."""
    p = kernel.Parameter(kernel.ones(1_000_000))
    p.grad = kernel.ones(1_000_000)
    learner = EVERY[name]([p], **options, **(decay(name, 0.1) if options else {}))
    for _ in range(3):
        learner.step(4)
    tracemalloc.start()
    try:
        begin = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        learner.step(4)
        taken = tracemalloc.get_traced_memory()[1] - begin
    finally:
        tracemalloc.stop()
    assert taken < 400_000, "at most a block of work, not an array for the parameter"


def test_a_model_may_learn_its_sizes_later() -> None:
    """A learner may be made before the model has seen data; what has no size yet is named, and waits."""
    kernel.manual_seed(0)  # or, once in a while, no hidden unit of the four is awake
    model = layers.Sequential(layers.Dense(4, activation=kernel.relu), layers.Dense(2))
    learner = kernel.Adam(model.named_parameters(), lr=0.1)
    refused(lambda: learner.step(), "backward()", error=GradError)
    refused(lambda: learner.update(dict.fromkeys(learner.parameters, 0.0), 2), "no size yet", error=OURS)
    before = None
    for _ in range(2):
        learner.zero_grad()
        (model(kernel.ones(5, 3)) ** 2).mean().backward()
        after = bits(model.parameters())
        assert after != before
        before = after
        assert learner.step()
    assert [p.shape for p in learner.parameters] == [p.shape for p in model.parameters()]
    assert any(key.startswith("0.") for key in learner.state_dict()), "the names of the model"


def test_a_step_between_forward_and_backward_is_noticed() -> None:
    w = kernel.Parameter([1.0, 2.0])
    learner = kernel.SGD([w], lr=0.1)
    loss = (w * w).sum()
    learner.update({w: kernel.ones(2)}, 1)
    refused(loss.backward, error=GradError)
    (w * w).sum().backward()
    assert learner.step(), "and a new forward goes"


@pytest.mark.parametrize("name", EVERY)
def test_a_gradient_may_be_the_parameter_itself(name: str) -> None:
    """As some write a decay; also a view of it, turned, and one tensor for two parameters."""
    square = kernel.Parameter(kernel.tensor(numpy.arange(9.0).reshape(3, 3) - 4, dtype="float64"))
    twin = kernel.Parameter(kernel.tensor(square.value))
    ours, theirs = EVERY[name]([square]), EVERY[name]([twin])
    for look in (lambda p: p.detach(), lambda p: p.detach().T, lambda p: p):
        ours.update({square: look(square)}, 4)
        theirs.update({twin: look(twin).detach().numpy().copy()}, 4)
        assert (square.value == twin.value).all()
    one, other = some_parameters()[0], some_parameters()[0]
    shared = kernel.tensor(some_gradients([one], 0)[one])
    EVERY[name]([one, other]).update({one: shared, other: shared}, 4)
    assert (one.value == other.value).all()


@pytest.mark.parametrize("name", EVERYDAY)
def test_everyday_learners_take_sums_in_update(name: str) -> None:
    parameters, twins = some_parameters(dtype="float64"), some_parameters(dtype="float64")
    options = {"clip": 0.5, "clip_by": "norm", "l1": 0.01, **decay(name, 0.1)}
    learner, twin = EVERY[name](parameters, **options), EVERY[name](twins, **options)
    for i in range(5):
        for p, q in zip(parameters, twins, strict=True):
            p.grad = q.grad = kernel.tensor(some_gradients(parameters, i)[p])
        assert learner.step() and twin.update({q: 8 * q.grad for q in twins}, 8)
    for p, q in zip(parameters, twins, strict=True):
        assert abs(p.value - q.value).max() < 1e-13
    assert (learner.minibatches, twin.counts) == (5, (40, 5, 0))


@pytest.mark.parametrize("name", EVERY)
def test_only_some_have_a_gradient(name: str) -> None:
    """Those without stay, their state too: each goes as if it were alone."""
    together, alone = some_parameters(dtype="float64"), some_parameters(dtype="float64")
    learner = EVERY[name](together)
    singles = [EVERY[name]([p]) for p in alone]
    for i in range(9):
        for k, (p, g) in enumerate(some_gradients(together, i).items()):
            p.grad = kernel.tensor(g) if (i + k) % 3 else None
            before = p.value.copy()
            if p.grad is not None:
                alone[k].grad = p.grad
                singles[k].step(4)
            assert (p.value == before).all()
        learner.step(4)
    if not name.startswith("fsadagrad"):  # which counts samples once for all
        assert bits(together) == bits(alone)
    assert learner.minibatches == 9


def test_several_learners_are_one() -> None:
    parameters, twins = some_parameters(), some_parameters()
    rate = kernel.learning_rate_schedule([0.1, 0.01], "minibatch", 8)
    both = learners.Learners([kernel.sgd(parameters[:2], rate), kernel.Adam(parameters[2:3], lr=0.1)])
    apart = [kernel.sgd(twins[:2], rate), kernel.Adam(twins[2:3], lr=0.1)]
    assert both.parameters == tuple(parameters[:3])
    for i in range(4):
        given_ = some_gradients(parameters, i)
        assert both.update({p: given_[p] for p in both.parameters}, 4, i == 1)
        for one in apart:
            assert one.update({p: some_gradients(twins, i)[p] for p in one.parameters}, 4, i == 1)
    assert bits(parameters) == bits(twins), "and the last, under no learner, stays"
    state = both.state_dict()
    again = some_parameters()
    for p, q in zip(again, parameters, strict=True):
        p.value = q.value
    other = learners.Learners([kernel.sgd(again[:2], 0.5), kernel.Adam(again[2:3], lr=0.1)])
    other.load_state_dict(state)
    for group, ps in ((both, parameters), (other, again)):
        for p, g in some_gradients(ps, 9).items():
            p.grad = kernel.tensor(g)
        assert group.step(4)
    assert bits(parameters) == bits(again)
    both.zero_grad()
    assert all(p.grad is None for p in both.parameters) and parameters[3].grad is not None
    refused(lambda: both.step(4), "backward()", error=GradError)
    broken = dict(state)
    del broken[next(key for key in broken if key.endswith(".m"))]
    before = {key: value.numpy().tobytes() for key, value in other.state_dict().items()}
    refused(lambda: other.load_state_dict(broken), error=OURS)
    assert {key: value.numpy().tobytes() for key, value in other.state_dict().items()} == before, "all or none"


def test_one_of_several_may_rest() -> None:
    a, b = kernel.Parameter([1.0]), kernel.Parameter([1.0])
    both = learners.Learners([kernel.sgd([a], 0), kernel.sgd([b], 0.5)])
    assert both.update({a: kernel.ones(1), b: kernel.ones(1)}, 1) is True
    assert (a.value, b.value) == (1.0, 0.5)
    neither = learners.Learners([kernel.sgd([a], 0), kernel.sgd([b], 0)])
    assert neither.update({a: kernel.ones(1), b: kernel.ones(1)}, 1) is False


def test_no_parameter_is_under_two() -> None:
    model = layers.Sequential(layers.Linear(3, 2), layers.Linear(2, 2))
    first, second = (
        kernel.SGD(model.named_parameters(), lr=0.1),
        kernel.SGD(list(model.named_parameters())[2:3], lr=0.1),
    )
    refused(lambda: learners.Learners([first, second]), "1.weight", error=OURS)
    refused(lambda: learners.Learners([first, first]), "0.weight", error=OURS)
    refused(lambda: learners.Learners([]), error=OURS)
    refused(lambda: learners.Learners([first, None]), error=OURS)


def test_a_wrong_gradient_for_one_leaves_all_as_they_were() -> None:
    """Checks come first: never half an update."""
    parameters = some_parameters()
    both = learners.Learners([kernel.Adam(parameters[:2]), kernel.Adam(parameters[2:])])
    for learner in (kernel.Adam(parameters), both):
        before, state = bits(parameters), {k: v.numpy().tobytes() for k, v in learner.state_dict().items()}
        wrong = some_gradients(parameters, 0) | {parameters[3]: numpy.ones((2, 3), "float32")}
        refused(lambda learner=learner, wrong=wrong: learner.update(wrong, 4), "(2, 1, 3)", "(2, 3)", error=ShapeError)
        for p, g in wrong.items():
            p.grad = kernel.tensor(g) if p is not parameters[3] else None
        parameters[0].grad = parameters[0].grad.to("strict")
        refused(learner.step, "strict", error=DeviceError)
        assert bits(parameters) == before
        assert {k: v.numpy().tobytes() for k, v in learner.state_dict().items()} == state


def w() -> kernel.Parameter:
    return kernel.Parameter([1.0, 2.0])


@pytest.mark.parametrize("name", EVERY)
def test_wrong_gradients(name: str) -> None:
    p, q = w(), w()
    learner = EVERY[name]([p])
    called = name.split(",")[0] + ".update"
    for wrong in (kernel.ones(3), numpy.ones((2, 1), "float32"), kernel.ones(()), numpy.ones((1, 2))):
        refused(lambda wrong=wrong: learner.update({p: wrong}, 2), called, "shape (2,)", error=ShapeError)
    for wrong in (
        None,
        1.0,
        [1.0, 2.0],
        "ones",
        numpy.array([1, 2]),
        numpy.array([True, False]),
        kernel.tensor([1, 2]),
    ):
        refused(lambda wrong=wrong: learner.update({p: wrong}, 2), called, error=DtypeError)
    refused(lambda: learner.update({p: kernel.ones(2).to("strict")}, 2), called, "strict", "cpu", error=DeviceError)
    for wrong in ({}, {q: kernel.ones(2)}, {p: kernel.ones(2), q: kernel.ones(2)}):
        refused(lambda wrong=wrong: learner.update(wrong, 2), called, error=OURS)
    for wrong in ([kernel.ones(2)], kernel.ones(2), None, {"w": kernel.ones(2)}):
        refused(lambda wrong=wrong: learner.update(wrong, 2), called, error=OURS)
    assert (p.value == [1.0, 2.0]).all() and learner.counts == (0, 0, 0)
    assert learner.update({p: numpy.ones(2, "float64")}, 2), "other floats are converted"
    assert p.value.dtype == numpy.float32


@pytest.mark.parametrize("name", EVERY)
def test_wrong_parameters_and_options(name: str) -> None:
    make, p = EVERY[name], w()
    called = name.split(",")[0]
    for wrong in ([], (), {}, iter([]), None, 3, p, "w", [1.0], [p, None], [p, "w"], [numpy.ones(2)], [[p]]):
        refused(lambda wrong=wrong: make(wrong), called, error=OURS)
    refused(lambda: make([p, p]), called, "twice", error=OURS)
    refused(lambda: make([("a", p), ("b", p)]), called, "twice", "a", "b", error=OURS)
    refused(lambda: make([("a", p), ("a", w())]), called, "a", error=OURS)
    refused(lambda: make([kernel.tensor([1, 2])]), called, error=OURS)
    for wrong in (-0.1, math.nan, math.inf, "0.1", None, [0.1], (0.1,), True, kernel.ones(1)):
        refused(lambda wrong=wrong: make([p], wrong), called, "rate", error=OURS)
    for option in ("l1", "noise", "clip"):
        for wrong in (-1.0, math.nan, "1", [1.0]):
            refused(lambda option=option, wrong=wrong: make([p], **{option: wrong}), called, option, error=OURS)
    for wrong in ("global", "l2", None, 1, ["value"]):
        refused(lambda wrong=wrong: make([p], clip=1.0, clip_by=wrong), called, "clip_by", error=OURS)
    refused(lambda: make([p], noise=0.1, generator=5), called, "generator", error=OURS)
    with pytest.raises(TypeError, match="colour"):
        make([p], colour=3)
    assert make([("some.name", p)]).parameters == (p,)
    assert make(iter([p])).parameters == make((p,)).parameters == (p,)


NAN = math.nan
WRONG: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        *({"momentum": m} for m in (1.0, -0.1, NAN, "a", None)),
        *({"weight_decay": d} for d in (-1, NAN, "a")),
        *({"dampening": d} for d in (NAN, "a")),
        {"nesterov": True},
        {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
    ],
    "Adam": [
        *(
            {"betas": b}
            for b in (0.9, (0.9,), (0.9, 1.0), (-0.1, 0.9), ("a", 0.9), (0.9, 0.99, 0.999), None, (NAN, 0.9))
        ),
        *({"eps": e} for e in (-1, NAN, None)),
        {"weight_decay": -1},
    ],
    "AdamW": [{"weight_decay": -1}, {"betas": (1.0, 0.9)}],
    "NAdam": [{"momentum_decay": -1}, {"momentum_decay": NAN}, {"betas": (1.0, 0.9)}],
    "RAdam": [{"betas": (1.0, 0.9)}, {"eps": -1}],
    "Adamax": [{"betas": (0.9, 1.5)}, {"eps": -1}],
    "Adagrad": [{"lr_decay": -1}, {"eps": -1}, *({"initial_accumulator_value": a} for a in (-1, "a", NAN))],
    "Adadelta": [{"rho": 1.5}, {"rho": -0.1}, {"eps": -1}],
    "RMSprop": [{"alpha": -0.1}, {"alpha": 1.5}, {"momentum": -1}, {"momentum": 1.0}],
    "Lion": [{"betas": (0.9, 1.0)}, {"weight_decay": -1}],
    "sgd": [{"l2": -1}, *({"minibatch_size": m} for m in (-1, 1.5, "a", True))],
    "momentum_sgd": [*({"momentum": m} for m in (1.0, -0.1, None, [0.9])), {"unit_gain": 1}],
    "nesterov": [{"momentum": -0.1}, {"unit_gain": None}],
    "rmsprop": [
        *({"gamma": g} for g in (0, 1, -1, "a", NAN)),
        *({"inc": i} for i in (1, 0.5, NAN)),
        *({"dec": d} for d in (0, 1, None)),
        *({"min": m} for m in (0, 1, 2, NAN)),
        *({"max": m} for m in (0.05, NAN)),
    ],
    "adadelta": [{"rho": 1.5}, {"rho": "a"}, {"epsilon": -1}],
    "fsadagrad": [{"variance_momentum": 1.0}, {"momentum": 1.5}],
    "adam": [{"epsilon": -1}, {"variance_momentum": "a"}, {"momentum": [0.9]}],
}
RIGHT: dict[str, dict[str, Any]] = {
    **{name: {"lr": 0.1, "momentum": 0.9} for name in ("momentum_sgd", "nesterov", "fsadagrad", "adam")},
    "sgd": {"lr": 0.1},
    "rmsprop": {"lr": 0.1, "gamma": 0.9, "inc": 1.2, "dec": 0.5, "max": 1, "min": 0.1},
}


@pytest.mark.parametrize(
    "name, wrong", [(name, wrong) for name, all_wrong in WRONG.items() for wrong in all_wrong], ids=str
)
def test_wrong_numbers(name: str, wrong: dict[str, Any]) -> None:
    right = RIGHT.get(name, {})
    getattr(kernel, name)([w()], **right)
    argument = next(iter(wrong))
    said = "min" if (name, argument) == ("rmsprop", "max") else argument
    if argument == "betas" and isinstance(wrong["betas"], tuple) and len(wrong["betas"]) == 2:
        said = "betas[0]" if wrong["betas"][1] in (0.9, 0.99) else "betas[1]"
    refused(lambda: getattr(kernel, name)([w()], **right | wrong), name, said, error=OURS)


@pytest.mark.parametrize("name", EVERY)
def test_words(name: str) -> None:
    parameters = some_parameters()
    text = repr(EVERY[name](parameters, schedules.Cosine(0.25, 100)))
    assert text.startswith(name.split(",")[0] + "(") and "0.25" in text and "cosine" in text, text
    assert "4 parameters" in text and "\n" not in text
    plain = repr(EVERY[name]([w()], clip=0.125, clip_by="norm", noise=0.375))
    assert "1 parameter" in plain and "1 parameters" not in plain and "0.125" in plain and "0.375" in plain, plain


# Properties.
@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*EVERY]), st.permutations(range(4)), st.integers(0, 10**6))
def test_the_order_of_parameters_does_not_matter(name: str, order: list[int], seed: int) -> None:
    parameters, twins = some_parameters(seed), some_parameters(seed)
    learner, twin = EVERY[name](parameters), EVERY[name]([twins[k] for k in order])
    for i in range(3):
        learner.update(some_gradients(parameters, i), 4)
        given_ = some_gradients(twins, i)
        twin.update({twins[k]: given_[twins[k]] for k in reversed(order)}, 4)
    assert bits(parameters) == bits(twins)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*EVERY]), st.integers(0, 10**6), st.integers(1, 50))
def test_a_rate_of_zero_moves_no_parameter(name: str, seed: int, n: int) -> None:
    parameters = some_parameters(seed)
    before = bits(parameters)
    learner = EVERY[name](parameters, 0, **decay(name, 0.1), l1=0.1)
    for i in range(3):
        learner.update(some_gradients(parameters, i), n)
    assert bits(parameters) == before
    assert learner.counts == (3 * n, 3, 0)


SCALELESS = {
    "Adam": {"eps": 0.0}, "Adam, amsgrad": {"eps": 0.0}, "NAdam": {"eps": 0.0}, "Adagrad": {"eps": 0.0},
    "RMSprop": {"eps": 0.0}, "Lion": {}, "adam": {"epsilon": 0.0}, "adam, adamax": {"epsilon": 0.0},
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([*SCALELESS]), st.integers(-12, 12), st.integers(0, 10**6))
def test_rules_that_do_not_see_the_scale_of_gradients(name: str, power: int, seed: int) -> None:
    """Twice the loss, the same steps: bit for bit, as a power of two loses nothing."""
    parameters, twins = some_parameters(seed), some_parameters(seed)
    learner, twin = EVERY[name](parameters, **SCALELESS[name]), EVERY[name](twins, **SCALELESS[name])
    for i in range(4):
        learner.update(some_gradients(parameters, i), 4)
        twin.update({p: g * numpy.float32(2.0**power) for p, g in some_gradients(twins, i).items()}, 4)
    assert bits(parameters) == bits(twins)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["sgd", "momentum_sgd", "nesterov", "SGD", "SGD, momentum", "SGD, nesterov"]),
    st.integers(-8, 8),
    st.integers(0, 10**6),
)
def test_rules_in_which_only_rate_times_gradient_counts(name: str, power: int, seed: int) -> None:
    parameters, twins = some_parameters(seed), some_parameters(seed)
    scale = 2.0**power
    learner, twin = EVERY[name](parameters, 0.125), EVERY[name](twins, 0.125 / scale)
    for i in range(4):
        learner.update(some_gradients(parameters, i), 4)
        twin.update({p: g * numpy.float32(scale) for p, g in some_gradients(twins, i).items()}, 4)
    assert bits(parameters) == bits(twins)


@pytest.mark.parametrize("name", EVERYDAY)
def test_uphill_is_downhill_of_the_negative(name: str) -> None:
    parameters, twins = some_parameters(), some_parameters()
    learner, twin = EVERY[name](parameters, maximize=True), EVERY[name](twins)
    for i in range(4):
        learner.update(some_gradients(parameters, i), 4)
        twin.update({p: -g for p, g in some_gradients(twins, i).items()}, 4)
    assert bits(parameters) == bits(twins)


@pytest.mark.parametrize("name", BY_SAMPLES)
def test_looking_at_a_learner_leaves_it_as_it_was(name: str) -> None:
    """inspect_update in the middle of training: values, state and counts are put back, to the bit."""
    parameters, twins = some_parameters(), some_parameters()
    rate = kernel.learning_rate_schedule([0.1, 0.2], "minibatch", 10)
    learner, twin = EVERY[name](parameters, rate), EVERY[name](twins, rate)
    for i in range(6):
        learner.update(some_gradients(parameters, i), 4)
        twin.update(some_gradients(twins, i), 4)
        before = learner.state_dict()
        looked = kernel.inspect_update(learner, 8, 3)
        assert [value.shape for value in looked] == SHAPES and all(value.dtype == numpy.float32 for value in looked)
        after = learner.state_dict()
        assert {k: v.numpy().tobytes() for k, v in before.items()} == {k: v.numpy().tobytes() for k, v in after.items()}
        assert bits(parameters) == bits(twins) and learner.counts == twin.counts


@pytest.mark.parametrize("name", ["Adam", "momentum_sgd"])
def test_a_state_goes_where_the_model_is(name: str) -> None:
    """Saved from float32 on one device, loaded by a learner of float64 or of another device."""
    source = stepped(name, some_parameters())
    state = source.state_dict()
    for dtype, place in (("float64", "cpu"), ("float32", "strict")):
        model = layers.Linear(4, 3)
        model.to(dtype)
        parameters = [p for p in model.parameters() if p.shape == (3, 4)]
        model.to(place)
        learner = EVERY[name]([("0", parameters[0])])
        learner.load_state_dict({k: v for k, v in state.items() if k[:2] not in ("1.", "2.", "3.")})
        assert learner.counts == source.counts
        gradient = kernel.tensor(numpy.ones((3, 4)), dtype=dtype).to(place)
        assert learner.update({parameters[0]: gradient}, 4)
        assert str(parameters[0].dtype) == dtype and str(parameters[0].device) == place
        kept = [value for key, value in learner.state_dict().items() if value.shape == (3, 4)]
        assert kept and all(str(value.dtype) == dtype for value in kept)


def test_what_can_be_changed_and_what_cannot() -> None:
    whole = kernel.ones(4)
    left, right = whole[:2], whole[2:]
    assert kernel.sgd([left, right], 0.5).update({left: kernel.ones(2), right: 2 * kernel.ones(2)}, 1)
    assert whole.tolist() == [0.5, 0.5, 0, 0], "views write where they look"
    spread = kernel.zeros(1).expand(3)
    refused(lambda: kernel.sgd([spread], 0.5).update({spread: kernel.ones(3)}, 1), "clone()", error=OURS)
    double = w() * 2
    refused(lambda: kernel.sgd([double], 0.5), "computed from others", error=GradError)
    frozen = w()
    frozen.requires_grad_(False)
    assert kernel.sgd([frozen], 0.5).update({frozen: kernel.ones(2)}, 1) and frozen.value.tolist() == [0.5, 1.5]


def test_a_recorded_gradient_is_not_recorded_further() -> None:
    x = w()
    learner = kernel.Adam([x], lr=0.1)
    for _ in range(2):
        learner.zero_grad()
        (x**3).sum().backward(create_graph=True)
        assert x.grad.requires_grad and learner.step()
    assert x.is_leaf and x.requires_grad
    assert all(not value.requires_grad for value in learner.state_dict().values())


def test_many_steps_take_no_memory() -> None:
    x = kernel.Parameter(kernel.ones(10))
    learner = kernel.Adam([x], lr=schedules.Cosine(0.1, 10_000), clip=1.0, clip_by="norm", l1=0.1)

    def steps(count: int) -> None:
        for i in range(count):
            learner.update({x: kernel.ones(10)}, 1 + i % 300)

    steps(600)
    gc.collect()
    tracemalloc.start()
    try:
        begin = tracemalloc.get_traced_memory()[0]
        steps(1500)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - begin
    finally:
        tracemalloc.stop()
    assert kept < 100_000, "67 bytes for a step would be too much"


# What users of other systems type.


def test_names_of_other_systems_are_told_ours() -> None:
    learner = kernel.SGD([w()], lr=0.1)
    refused(lambda: kernel.Adam([w()], foreach=True), "Adam", "foreach", "leave it out", error=DtypeError)
    refused(lambda: kernel.Adam([w()], differentiable=True), "Adam", "differentiable", "clip_by", error=DtypeError)
    refused(lambda: kernel.AdamW([w()], decoupled_weight_decay=False), "AdamW", "decoupled", error=DtypeError)
    refused(lambda: kernel.SGD([w()], learning_rate=1), "SGD", "learning_rate", "called lr", error=DtypeError)
    refused(lambda: kernel.sgd([w()], 1, l1_regularization_weight=1), "sgd", "called l1", error=DtypeError)
    refused(lambda: kernel.sgd([w()], 1, weight_decay=1), "sgd", "called l2", error=DtypeError)
    refused(lambda: kernel.sgd([w()], 1, use_mean_gradient=True), "sgd", "minibatch_size=0", error=DtypeError)
    refused(lambda: kernel.sgd([w()], 1, unit_gain=False), "sgd", "unit_gain", "l2", error=DtypeError)
    for name in ("l2", "decay", "l2_regularization_weight"):
        refused(lambda name=name: kernel.Adam([w()], **{name: 1}), "Adam", name, "called weight_decay")
    refused(lambda: learner.param_groups, "SGD", "reset_learning_rate", "Learners", error=AttributeError)
    refused(lambda: learners.Learners([learner]).param_groups, "Learners", "reset_learning_rate", error=AttributeError)
    refused(lambda: learner.lr, "SGD", "reset_learning_rate", error=AttributeError)
    refused(lambda: setattr(learner, "lr", 0.5), "SGD", "reset_learning_rate", error=AttributeError)
    refused(lambda: learner.step(lambda: 0), "SGD.step", "closure", "backward()", error=DtypeError)
    refused(lambda: kernel.SGD(layers.Sequential([layers.Linear(2, 1)])), "model.parameters()", error=DtypeError)
    refused(lambda: kernel.SGD([w()], lr=kernel.tensor(0.1)), "SGD", ".item()", error=DtypeError)
    assert not hasattr(learner, "no_such_thing")


def test_words_tell_the_epsilon_that_was_given() -> None:
    assert "epsilon 0.001," in repr(kernel.Adamax([w()], eps=1e-3))
    assert "epsilon" not in repr(kernel.adagrad([w()], 0.1))


def test_counts_stay_whole() -> None:
    parameter = w()
    learner = kernel.sgd([parameter], 0.1)
    learner.update({parameter: kernel.ones_like(parameter)}, 2.0)
    assert type(learner.samples) is int
    assert learner.state_dict()["counts"].dtype == "int64"


def test_every_plateau_is_saved() -> None:
    def learner() -> tuple[Any, list[schedules.Plateau]]:
        plateaus = [schedules.Plateau(0.1, 0.5, patience=0) for _ in range(3)]
        decaying, clipping, cooling = plateaus
        return kernel.SGD([w()], lr=cooling, weight_decay=decaying, clip=clipping), plateaus

    first, reported = learner()
    for plateau in reported:
        plateau.report(1.0)
        plateau.report(1.0)
    second, plateaus = learner()
    second.load_state_dict(first.state_dict())
    assert [plateau[0] for plateau in plateaus[:2]] == [0.05, 0.05]
    assert second.learning_rate() == 0.05


def test_a_long_rate_is_loaded_by_a_learner_that_began_with_another() -> None:
    values = [1 / (i + 3) for i in range(300)]
    first = kernel.sgd([w()], kernel.learning_rate_schedule(values, "minibatch", 1))
    second = kernel.sgd([w()], 0.5)
    second.load_state_dict(first.state_dict())
    assert second.learning_rate() == values[0]


@pytest.mark.parametrize("name", EVERY)
def test_a_deep_copy_goes_on_by_itself(name: str) -> None:
    parameters = some_parameters()
    learner = EVERY[name](parameters, noise=0.01)
    learner.update(some_gradients(parameters, 0), 4)
    copied, copies = copy.deepcopy((learner, parameters))
    assert all(a is b for a, b in zip(copied.parameters, copies, strict=True))
    before = bits(copies)
    learner.update(some_gradients(parameters, 1), 4)
    assert bits(copies) == before
    copied.update(some_gradients(copies, 1), 4)
    assert bits(copies) == bits(parameters)


def test_the_norm_can_be_asked_for_alone() -> None:
    parameters = [w(), w()]
    for parameter in parameters:
        parameter.grad = kernel.full(parameter.shape, 3.0)
    before = [p.grad.tolist() for p in parameters]
    norm = kernel.clip_grad_norm_(parameters, math.inf)
    assert norm == pytest.approx(math.sqrt(sum(9 * p.grad.numel() for p in parameters)))
    assert [p.grad.tolist() for p in parameters] == before
    assert kernel.clip_grad_norm_([w()], 1.0) == 0.0


def test_the_norm_of_gradients_on_two_devices() -> None:
    parameters = [kernel.Parameter(kernel.ones(2).to(place)) for place in ("strict", "cpu")]
    for parameter, value in zip(parameters, (3.0, 4.0), strict=True):
        parameter.grad = kernel.tensor([value, 0.0]).to(parameter.device)
    assert kernel.clip_grad_norm_(parameters, 1.0) == 5.0
    assert [[round(x, 4) for x in p.grad.tolist()] for p in parameters] == [[0.6, 0.0], [0.8, 0.0]]


def test_gradients_are_forgotten_or_set_to_zero():
    w = kernel.Parameter([1.0])
    w.grad = kernel.tensor([2.0])
    learner = kernel.SGD([w])
    learner.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0]
    learner.zero_grad()
    assert w.grad is None
    learner.zero_grad(set_to_none=False)
    assert w.grad is None


INNER = ["ones", "begin", "said", "name", "means", "rule", "hyper", "inside"]


@pytest.mark.parametrize("option", INNER)
@pytest.mark.parametrize("name", EVERY)
def test_what_learners_tell_each_other_is_no_option(name: str, option: str) -> None:
    refused(lambda: EVERY[name]([w()], **{option: ()}), name.split(",")[0], f"no option {option}", error=DtypeError)


FLAGS: list[tuple[Callable[..., Any], tuple, str]] = [
    (kernel.SGD, (0.1, 0.9), "nesterov"),
    *((getattr(kernel, name), (), "maximize") for name in ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax")),
    *((getattr(kernel, name), (), "maximize") for name in ("Adagrad", "Adadelta", "RMSprop", "Lion")),
    *((kernel.Adam, (), flag) for flag in ("amsgrad", "decoupled_weight_decay")),
    *((make, (), "decoupled_weight_decay") for make in (kernel.NAdam, kernel.RAdam)),
    (kernel.AdamW, (), "amsgrad"),
    (kernel.RMSprop, (), "centered"),
    *(
        (make, (0.1, 0.9), "unit_gain")
        for make in (kernel.momentum_sgd, kernel.nesterov, kernel.fsadagrad, kernel.adam)
    ),
    (kernel.adam, (0.1, 0.9), "adamax"),
    (kernel.adagrad, (0.1,), "need_ave_multiplier"),
    (kernel.rmsprop, (0.1, 0.9, 1.2, 0.5, 10.0, 0.01), "need_ave_multiplier"),
]


@pytest.mark.parametrize(("make", "arguments", "flag"), FLAGS)
def test_a_flag_is_true_or_false(make: Callable[..., Any], arguments: tuple, flag: str) -> None:
    """Whatever is not 0 would be True: "False", a momentum in the wrong place."""
    for wrong in ("False", 0.9, 1, None, [True], numpy.array([True, False])):
        refused(lambda wrong=wrong: make([w()], *arguments, **{flag: wrong}), flag, "True or False", error=DtypeError)
    for right in (True, numpy.bool(False)):
        make([w()], *arguments, **{flag: right})


def test_a_momentum_is_a_number() -> None:
    for make in (kernel.SGD, kernel.RMSprop):
        for wrong in (numpy.array([0.9, 0.8]), kernel.tensor(0.9), False, 10**400):
            refused(lambda make=make, wrong=wrong: make([w()], momentum=wrong), make.__name__, "momentum", error=OURS)


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        (lambda p: kernel.SGD(p, 0.1, 0.9, nesterov=True), "nesterov"),
        (lambda p: kernel.SGD(p, 0.1, 0.9, 0.5), "dampening 0.5"),
        (lambda p: kernel.SGD(p, 0.1, weight_decay=0.5), "weight decay 0.5"),
        (lambda p: kernel.Adam(p, amsgrad=True, maximize=True), "amsgrad, uphill"),
        (lambda p: kernel.RMSprop(p, centered=True), "centred"),
        (lambda p: kernel.Adagrad(p, lr_decay=0.5), "rate decay 0.5, epsilon 1e-10"),
        (lambda p: kernel.momentum_sgd(p, 0.1, 0.9, unit_gain=False), "no unit gain"),
        (lambda p: kernel.adam(p, 0.1, 0.9, adamax=True, minibatch_size=0), "adamax, gradients as means"),
        (lambda p: kernel.adagrad(p, 0.1, need_ave_multiplier=False), "no average multiplier"),
    ],
)
def test_words_tell_what_was_chosen(learner: Callable[..., Any], words: str) -> None:
    assert f"{words}, 1 parameter)" in repr(learner([w()]))


@pytest.mark.parametrize("name", EVERY)
def test_a_parameter_that_cannot_be_written_to_keeps_all_from_changing(name: str) -> None:
    free, stretched = w(), kernel.zeros(1).expand(3)
    learner = EVERY[name]([free, stretched])
    before, kept = bits([free]), learner.state_dict()
    gradients = {p: kernel.ones_like(p).detach() for p in (free, stretched)}
    refused(lambda: learner.update(gradients, 2), "parameter 1", ".clone()", error=GradError)
    assert bits([free]) == before and learner.minibatches == 0
    after = learner.state_dict()
    assert {k: v.tolist() for k, v in after.items()} == {k: v.tolist() for k, v in kept.items()}


DAMAGED: dict[str, Callable[[], Any]] = {
    "counts": lambda: kernel.tensor([1.5, 2.0, 3.0]),
    "since": lambda: kernel.tensor([-1, 0, 0]),
    "0.step": lambda: kernel.tensor(math.nan),
    "1.step": lambda: kernel.tensor(-1),
    "rate": lambda: kernel.tensor(numpy.frombuffer(b"Constant(-5.0, minibatch_size=0)", "uint8")),
}


@pytest.mark.parametrize("key", DAMAGED)
def test_a_state_of_impossible_numbers_is_refused(key: str) -> None:
    parameters = [w(), w()]
    learner = kernel.Adam(parameters)
    gradients = {p: kernel.ones_like(p).detach() for p in parameters}
    learner.update(gradients, 1)
    good = learner.state_dict()
    learner.update(gradients, 1)
    before = {k: v.tolist() for k, v in learner.state_dict().items()}
    refused(lambda: learner.load_state_dict(good | {key: DAMAGED[key]()}), key, "nothing was loaded", error=ShapeError)
    assert {k: v.tolist() for k, v in learner.state_dict().items()} == before


def test_a_rate_from_elsewhere_is_meant_as_the_learners() -> None:
    parameter = w()
    learner = kernel.Adam([parameter])
    text = kernel.tensor(numpy.frombuffer(b"Constant(0.5)", "uint8"))
    learner.load_state_dict(learner.state_dict() | {"rate": text})
    assert learner.update({parameter: kernel.ones_like(parameter)}, 3) and learner.learning_rate() == 0.5


def test_the_state_of_other_parameters_is_refused() -> None:
    """Also where they have made no step, or the rule keeps nothing."""
    one, two = kernel.SGD([w()]), kernel.SGD([w(), w()])
    refused(lambda: two.load_state_dict(one.state_dict()), "1.step is missing", error=ShapeError)
    refused(lambda: one.load_state_dict(two.state_dict()), "'1.step' was not expected", error=ShapeError)
    named, renamed = kernel.Adam([("a", w())]), kernel.Adam([("b", w())])
    refused(lambda: renamed.load_state_dict(named.state_dict()), "b.step is missing", error=ShapeError)


def test_several_learners_have_several_rates() -> None:
    both = learners.Learners([kernel.SGD([w()]), kernel.Adam([w()])])
    for name in ("learning_rate", "reset_learning_rate", "samples", "minibatches", "sweeps"):
        refused(lambda name=name: getattr(both, name), name, "learners[0]", error=AttributeError)
    refused(lambda: both.colour, "colour", error=AttributeError)
    assert copy.deepcopy(both).learners[1].learning_rate() == 0.001
