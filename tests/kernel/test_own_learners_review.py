"""Learners of one's own next to those that are built in: values before the update, devices, counts, exceptions."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import GradError, ShapeError, learners, schedules
from kernel.errors import RangeError
from tests.kernel.every_learner import EVERY, SHAPES, bits, some_gradients, some_parameters
from tests.kernel.refusals import OURS, refused

OURS = (*OURS, RangeError)
Lists = tuple[list, list]


def sgd(parameters: list, gradients: list) -> list:
    return [kernel.assign(p, p - 0.125 * g) for p, g in zip(parameters, gradients, strict=True)]


def momentum(parameters: list, gradients: list) -> Any:
    velocities = [kernel.constant(0.0, p.shape, p.dtype) for p in parameters]
    steps = []
    for p, g, v in zip(parameters, gradients, velocities, strict=True):
        steps.append(kernel.assign(p, p - 0.125 * kernel.assign(v, 0.5 * v + g)))
    return kernel.combine(steps)


def adagrad(parameters: list, gradients: list) -> list:
    kept = [kernel.constant(0.0, p.shape, p.dtype) for p in parameters]
    steps = []
    for p, g, a in zip(parameters, gradients, kept, strict=True):
        more = kernel.assign(a, a + g * g)
        steps.append(kernel.assign(p, p - 0.125 * g / kernel.sqrt(more + 1e-16)))
    return steps


class Descent(kernel.UserLearner):
    """Sums of gradients, a rate per minibatch."""

    def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
        for p, g in gradients.items():
            p.value = p.value - numpy.float32(self.learning_rate() / n_samples) * numpy.asarray(g)
        return True


TWINS: dict[str, tuple[Any, Any]] = {
    "sgd": (
        lambda p: kernel.universal(sgd, p),
        lambda p: kernel.sgd(p, kernel.learning_rate_schedule(0.125, "sample")),
    ),
    "momentum": (
        lambda p: kernel.universal(momentum, p),
        lambda p: kernel.momentum_sgd(p, kernel.learning_rate_schedule(0.125, "sample"), 0.5, unit_gain=False),
    ),
    "adagrad": (
        lambda p: kernel.universal(adagrad, p),
        lambda p: kernel.adagrad(p, kernel.learning_rate_schedule(0.125, "sample"), need_ave_multiplier=False),
    ),
    "class": (lambda p: Descent(p, 0.125), lambda p: kernel.sgd(p, 0.125)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TWINS)
def test_as_built_in(name: str, dtype: str) -> None:
    """A hundred updates and steps; the rounding is that of other orders of the same operations."""
    own, built_in = TWINS[name]
    parameters, twins = some_parameters(dtype=dtype), some_parameters(dtype=dtype)
    learner, twin = own(parameters), built_in(twins)
    for i in range(50):
        assert learner.update(some_gradients(parameters, i), 4, i == 3) == twin.update(
            some_gradients(twins, i), 4, i == 3
        )
        for (p, g), q in zip(some_gradients(parameters, -i).items(), twins, strict=True):
            p.grad = q.grad = kernel.tensor(g)
        assert learner.step(4) == twin.step(4)
        kept = [p.grad.numpy().copy() for p in parameters]
        assert all((p.grad.numpy() == k).all() for p, k in zip(parameters, kept, strict=True))
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for p, q in zip(parameters, twins, strict=True):
        assert p.value.dtype == dtype
        assert abs(p.value - q.value).max() < tolerance * max(1, abs(q.value).max())
    assert learner.counts == twin.counts == (400, 100, 1)


@pytest.mark.parametrize("name", TWINS)
def test_many_shapes_and_none(name: str) -> None:
    own, built_in = TWINS[name]
    for shapes in ([(0,)], [(), (0, 3), (1, 1)], [(131_101,)], [(2, 3, 4, 5)]):
        results = []
        for make in (own, built_in):
            parameters = [kernel.Parameter(kernel.ones(*shape)) for shape in shapes]
            learner = make(parameters)
            for i in range(3):
                assert learner.update(some_gradients(parameters, i), 2)
            results.append([p.value for p in parameters])
        for a, b in zip(*results, strict=True):
            assert a.shape == b.shape and a == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("name", TWINS)
def test_the_strict_device_and_back(name: str) -> None:
    """The model moves in the middle; what the learner keeps comes along."""
    own, _ = TWINS[name]
    ends = []
    for places in ({}, {2: "strict"}, {1: "strict", 4: "cpu"}):
        model = kernel.layers.Linear(4, 3)
        for i, p in enumerate(model.parameters()):
            p.value = numpy.random.default_rng(i).normal(size=p.shape).astype("float32")
        learner = own(model.parameters())
        for i in range(6):
            model.to(places.get(i, next(model.parameters()).device))
            gradients = some_gradients([kernel.Parameter(p.detach().cpu()) for p in model.parameters()], i).values()
            assert learner.update(
                {p: kernel.tensor(g).to(p.device) for p, g in zip(model.parameters(), gradients, strict=True)}, 4
            )
        ends.append([p.detach().cpu().numpy().tobytes() for p in model.parameters()])
    assert ends[0] == ends[1] == ends[2]


# Values before the update.
def test_a_plain_mention_is_the_value_before() -> None:
    """Wherever the assignments stand, and in whatever order they are returned."""

    def turned(parameters: list, gradients: list) -> list:
        a, b, c = parameters
        steps = [kernel.assign(a, b + gradients[0]), kernel.assign(b, c), kernel.assign(c, a * 2)]
        return steps[::-1]

    ps = [kernel.Parameter([float(v)]) for v in (1, 10, 100)]
    learner = kernel.universal(turned, ps)
    zeros = {p: kernel.zeros(1) for p in ps}
    learner.update(zeros, 1)
    assert [p.value[0] for p in ps] == [10, 100, 2]
    learner.update(zeros, 1)
    assert [p.value[0] for p in ps] == [100, 2, 20]


def test_what_assign_returns_is_the_value_after() -> None:
    def both(parameters: list, gradients: list) -> list:
        (p,), (g,) = parameters, gradients
        kept = kernel.constant(1.0, p.shape, p.dtype)
        after = kernel.assign(kept, kept + g)
        return [kernel.assign(p, 100 * p + 10 * kept + after)]

    w = kernel.Parameter([1.0])
    learner = kernel.universal(both, [w])
    learner.update({w: kernel.ones(1)}, 1)
    assert w.value[0] == 100 + 10 * 1 + 2
    learner.update({w: kernel.ones(1)}, 1)
    assert w.value[0] == 100 * 112 + 10 * 2 + 3


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(-3, 3), min_size=8, max_size=8), st.integers(1, 4))
def test_assignments_together(order: list[int], factors: list[int], steps: int) -> None:
    """Any linear mixture of four parameters and gradients, next to NumPy."""

    def mixed(parameters: list, gradients: list) -> list:
        made = []
        for i, target in enumerate(order):
            value = factors[i] * parameters[i] + factors[4 + i] * gradients[(i + 1) % 4]
            made.append(kernel.assign(parameters[target], value))
        return made

    ps = [kernel.Parameter(kernel.tensor([i + 1.0, -i], dtype="float64")) for i in range(4)]
    values = [p.value.copy() for p in ps]
    learner = kernel.universal(mixed, ps)
    for step in range(steps):
        gradients = [numpy.array([step + i, 1.0 - i]) for i in range(4)]
        learner.update(dict(zip(ps, gradients, strict=True)), 1)
        new = [factors[i] * values[i] + factors[4 + i] * gradients[(i + 1) % 4] for i in range(4)]
        for i, target in enumerate(order):
            values[target] = new[i]
    assert all((p.value == value).all() for p, value in zip(ps, values, strict=True))


def test_the_function_is_called_once() -> None:
    calls = []

    def counted(parameters: list, gradients: list) -> list:
        calls.append((len(parameters), [g.shape for g in gradients]))
        return sgd(parameters, gradients)

    parameters = some_parameters()
    learner = kernel.universal(counted, parameters)
    for i in range(5):
        learner.update(some_gradients(parameters, i), 2)
    kernel.inspect_update(learner, 2, 3)
    assert calls == [(4, SHAPES)]


def test_tensors_and_numbers_of_outside() -> None:
    """A tensor that the function mentions is read anew at every update, as parameters are."""
    outside = kernel.tensor([1.0, 2.0])

    def drawn(parameters: list, gradients: list) -> list:
        return [kernel.assign(parameters[0], parameters[0] + kernel.constant([1.0, 1.0]) * outside * gradients[0])]

    w = kernel.Parameter([0.0, 0.0])
    learner = kernel.universal(drawn, [w])
    learner.update({w: kernel.ones(2)}, 1)
    assert w.value.tolist() == [1, 2] and outside.tolist() == [1, 2]


def test_a_gradient_that_nobody_wants_is_no_fault() -> None:
    def decays(parameters: list, gradients: list) -> list:
        return [kernel.assign(p, 0.5 * p) for p in parameters]

    w = kernel.Parameter([4.0])
    assert kernel.universal(decays, [w]).update({w: kernel.ones(1)}, 1) and w.value == 2.0


def test_layouts_and_writing() -> None:
    start = numpy.arange(12.0, dtype="float32").reshape(3, 4)
    for layout in (numpy.ascontiguousarray, numpy.asfortranarray, lambda a: numpy.repeat(a, 2, 1)[:, ::2]):
        p = kernel.Parameter(kernel.tensor(start))
        g = layout(start + 1)
        g.flags.writeable = False
        kernel.universal(sgd, [p]).update({p: g}, 1)
        assert (p.value == start - 0.125 * (start + 1)).all() and (g == start + 1).all()


@pytest.mark.parametrize("name", [*TWINS, "Adam"])
def test_step_takes_the_mean_over_n(name: str) -> None:
    parameters, twins = some_parameters(dtype="float64"), some_parameters(dtype="float64")
    make = TWINS[name][0] if name in TWINS else EVERY[name]
    learner, twin = make(parameters), make(twins)
    for i in range(3):
        for p, g in some_gradients(parameters, i).items():
            p.grad = kernel.tensor(g)
        assert learner.step(8) and twin.update({p: 8 * g for p, g in some_gradients(twins, i).items()}, 8)
    for p, q in zip(parameters, twins, strict=True):
        assert abs(p.value - q.value).max() < (1e-6 if name == "class" else 1e-13)


def test_those_without_gradient_stay() -> None:
    for name, (own, _) in TWINS.items():
        parameters = some_parameters()
        learner = own(parameters)
        refused(lambda learner=learner: learner.step(2), "backward()", error=GradError)
        before = bits(parameters)
        parameters[1].grad = kernel.ones(5)
        try:
            learner.step(2)
        except OURS as error:  # an expression may need all of them; then it says so
            assert name != "class" and str(error).endswith("."), str(error)
            assert bits(parameters) == before
        else:
            assert [a == b for a, b in zip(bits(parameters), before, strict=True)] == [True, False, True, True]


@pytest.mark.parametrize("name", TWINS)
def test_saved_and_resumed(name: str, tmp_path: Any) -> None:
    own, _ = TWINS[name]
    straight, paused, resumed = some_parameters(), some_parameters(), some_parameters(5)
    one, first, second = own(straight), own(paused), own(resumed)
    for i in range(3):
        one.update(some_gradients(straight, i), 4, i == 1)
        first.update(some_gradients(paused, i), 4, i == 1)
    kernel.save(first.state_dict(), str(tmp_path / "own.safetensors"))
    second.update(some_gradients(resumed, 50), 4)
    for p, q in zip(resumed, paused, strict=True):
        p.value = q.value
    second.load_state_dict(kernel.load(str(tmp_path / "own.safetensors")))
    for i in range(3, 6):
        one.update(some_gradients(straight, i), 4)
        second.update(some_gradients(resumed, i), 4)
    assert bits(straight) == bits(resumed) and one.counts == second.counts == (24, 6, 1)


def test_all_kinds_side_by_side() -> None:
    parameters, twins = some_parameters(), some_parameters()
    makers = [lambda p: kernel.universal(momentum, p), lambda p: Descent(p, 0.5), lambda p: kernel.Adam(p)]
    both = learners.Learners([make([p]) for make, p in zip(makers, parameters, strict=False)])
    apart = [make([p]) for make, p in zip(makers, twins, strict=False)]
    for i in range(4):
        gradients = some_gradients(parameters, i)
        assert both.update({p: gradients[p] for p in both.parameters}, 4)
        for one, (p, g) in zip(apart, some_gradients(twins, i).items(), strict=False):
            one.update({p: g}, 4)
        for p, q in zip(parameters, twins, strict=True):
            p.grad = q.grad = kernel.ones(*p.shape)
        assert both.step(4)
        for one in apart:
            one.step(4)
    assert bits(parameters) == bits(twins)
    refused(lambda: learners.Learners([Descent(parameters), kernel.universal(sgd, parameters[:1])]), error=OURS)


# Classes.
def test_a_class_gets_sums_numbers_and_words() -> None:
    seen = []

    class Looks(kernel.UserLearner):
        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            seen.append((gradients, n_samples, sweep_end, self.learning_rate(), self.counts))
            return n_samples != 5

    w = kernel.Parameter([1.0, 2.0])
    rate = kernel.learning_rate_schedule([0.5, 0.25], "minibatch", 8)
    assert rate[0] == 0.5
    learner = Looks([w], rate)
    w.grad = kernel.ones(2)
    assert learner.update({w: numpy.full(2, 3.0)}, numpy.float32(8), True) is True
    assert learner.update({w: kernel.ones(2)}, 5) is False
    assert learner.step(4) is True
    assert [(n, end, lr, counts) for _, n, end, lr, counts in seen] == [
        (8, True, 0.5, (0, 0, 0)),
        (5, False, 0.25, (8, 1, 1)),
        (4, False, 0.25, (8, 1, 1)),
    ]
    assert [list(g) for g, *_ in seen] == [[w]] * 3
    arrays = [g[w] for g, *_ in seen]
    assert all(type(a) is numpy.ndarray and a.dtype == numpy.float32 for a in arrays)
    assert [a.tolist() for a in arrays] == [[3, 3], [1, 1], [4, 4]], "sums"
    assert learner.counts == (12, 2, 1), "what was not done does not count"
    assert (w.value == [1, 2]).all()


@pytest.mark.parametrize("as_numpy", [True, False])
@pytest.mark.parametrize("place", ["cpu", "strict"])
def test_what_a_class_does_to_its_gradients_stays_with_it(as_numpy: bool, place: str) -> None:
    class Ruins(kernel.UserLearner):
        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            for p in list(gradients):
                g = gradients.pop(p)
                assert isinstance(g, numpy.ndarray if as_numpy else kernel.Tensor)
                assert as_numpy or (str(g.device) == place and not g.requires_grad)
                g *= 0
            return True

    w = kernel.Parameter(kernel.tensor([1.0, 2.0]).to(place))
    learner = Ruins([w], 0.1, as_numpy=as_numpy)
    tensor, array = kernel.ones(2).to(place), numpy.ones(2, "float32")
    given_ = {w: tensor}
    learner.update(given_, 1)
    assert given_ == {w: tensor} and tensor.cpu().tolist() == [1, 1]
    if place == "cpu":
        learner.update({w: array}, 1)
        assert array.tolist() == [1, 1]
    w.grad = tensor
    learner.step(1)
    learner.step()
    assert w.grad.cpu().tolist() == [1, 1]


def test_an_exception_in_a_class_comes_through_and_nothing_is_counted() -> None:
    class Fails(kernel.UserLearner):
        broken = True

        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            for p in gradients:
                p.value = p.value + 1
                if self.broken:
                    raise ZeroDivisionError("mine")
            return True

    w = kernel.Parameter([1.0])
    learner = Fails([w], 0.1)
    with pytest.raises(ZeroDivisionError, match="mine"):
        learner.update({w: kernel.ones(1)}, 4)
    assert learner.counts == (0, 0, 0)
    w.value = numpy.ones(1, "float32")
    with pytest.raises(ZeroDivisionError, match="mine"):
        kernel.inspect_update(learner, 4)
    assert w.value == 1.0 and learner.counts == (0, 0, 0), "put back all the same"
    learner.broken = False
    assert learner.update({w: kernel.ones(1)}, 4) and learner.counts == (4, 1, 0)
    assert kernel.inspect_update(learner, 4, 3)[0] == 3.0


def test_a_class_of_a_class() -> None:
    class Twice(Descent):
        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            return super().update({p: 2 * g for p, g in gradients.items()}, n_samples, sweep_end)

    w = kernel.Parameter([0.0])
    learner = Twice([w], 0.5)
    assert learner.update({w: numpy.ones(1, "float32")}, 4) and w.value == -0.25 and learner.counts == (4, 1, 0)
    refused(lambda: learner.update({w: kernel.ones(3)}, 4), "Twice.update", "shape (1,)", error=ShapeError)
    refused(lambda: learner.update({}, 4), "Twice.update", error=OURS)
    for wrong in (0, -1, 1.5, "4", math.nan):
        refused(lambda wrong=wrong: learner.update({w: kernel.ones(1)}, wrong), "n_samples", error=OURS)
    learner.reset_learning_rate(schedules.Exponential(4.0, 0.5))
    assert learner.learning_rate() == 4.0 and "Twice(" in repr(learner) and "1 parameter" in repr(learner)
    refused(lambda: Twice([], 0.1), "Twice", error=OURS)
    refused(lambda: Twice([w, w], 0.1), "Twice", "twice", error=OURS)
    refused(lambda: Twice([w], -0.1), "Twice", "rate", error=OURS)
    refused(lambda: kernel.UserLearner([w], 0.1).update({w: kernel.ones(1)}, 1), "update", error=OURS)


def test_no_tape_runs_in_an_update() -> None:
    """Computing with tensors in an update of one's own records nothing and needs no detach."""

    class OfTensors(kernel.UserLearner):
        def update(self, gradients: dict, n_samples: int, sweep_end: bool) -> bool:
            for p, g in gradients.items():
                new = p - 0.5 * g
                assert not new.requires_grad
                p.copy_(new)
            return True

    w = kernel.Parameter([1.0])
    learner = OfTensors([w], 1, as_numpy=False)
    (w * w).sum().backward()
    assert learner.step() and w.value == 0.0 and w.requires_grad and w.is_leaf


# Looking.
@pytest.mark.parametrize("name", [*TWINS, *EVERY])
def test_looking_puts_everything_back(name: str) -> None:
    make = TWINS[name][0] if name in TWINS else EVERY[name]
    parameters = some_parameters()
    fresh = kernel.inspect_update(make(some_parameters(7)), 8, 3)
    learner = make(parameters)
    learner.update(some_gradients(parameters, 1), 4, True)
    before, state = bits(parameters), {k: v.numpy().tobytes() for k, v in learner.state_dict().items()}
    for p in parameters:
        p.grad = kernel.ones(*p.shape)
    looked = kernel.inspect_update(learner, 8, 3)
    assert [v.shape for v in looked] == SHAPES
    assert bits(parameters) == before and learner.counts == (4, 1, 1)
    assert {k: v.numpy().tobytes() for k, v in learner.state_dict().items()} == state
    assert all((p.grad.numpy() == 1).all() for p in parameters), "gradients are left alone"
    assert len(fresh) == 4 and all(numpy.isfinite(v).all() for v in fresh)


def test_looking_refuses_in_words() -> None:
    w = kernel.Parameter([1.0])
    learner = kernel.sgd([w], 0.5)
    for wrong in (0, -1, 1.5, "2", None):
        refused(lambda wrong=wrong: kernel.inspect_update(learner, wrong), error=OURS)
    for wrong in (-1, 1.5, "2", None):
        refused(lambda wrong=wrong: kernel.inspect_update(learner, 2, wrong), error=OURS)
    for wrong in (None, [w], w, "sgd"):
        refused(lambda wrong=wrong: kernel.inspect_update(wrong, 2), "inspect_update", error=OURS)
    assert w.value == 1.0 and learner.counts == (0, 0, 0)


@pytest.mark.parametrize("wrong", [None, "sgd", 3, [sgd]])
def test_universal_wants_a_function(wrong: Any) -> None:
    refused(lambda: kernel.universal(wrong, [kernel.Parameter([1.0])]), "universal", error=OURS)
    for parameters in ([], None, [1.0], kernel.Parameter([1.0])):
        refused(lambda parameters=parameters: kernel.universal(sgd, parameters), "universal", error=OURS)


def test_what_an_expression_keeps_follows_the_parameters_into_another_dtype():
    def normed(parameters, gradients, rate):
        steps = []
        for p, g in zip(parameters, gradients, strict=True):
            v = kernel.constant(0.0, p.shape)
            now = kernel.assign(v, 0.5 * v + g)
            steps.append(kernel.assign(p, p - rate * now / kernel.sqrt(kernel.mean(now * now))))
        return steps

    w = kernel.Parameter([1.0, 2.0])
    model = kernel.Module()
    model.w = w
    learner = kernel.universal(normed, [w], 0.25)
    w.grad = kernel.ones(2)
    learner.step()
    model.to("float64")
    w.grad = kernel.ones(2, dtype="float64")
    learner.step()
    assert w.dtype == learner.state_dict()["kept.0"].dtype == "float64"
    numpy.testing.assert_allclose(w.value, [0.5, 1.5])
