"""Learners of one's own: what they keep, and what they say to those who get them wrong."""

import math

import numpy
import pytest

import kernel
from kernel import assign, constant, inspect_update, universal
from kernel.errors import DtypeError, GradError, RangeError, ShapeError


def parameter(*values):
    return kernel.Parameter(numpy.array(values or (0, 0), "float32"))


def descent(parameters, gradients, rate):
    return [assign(p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)]


def rmsprop(parameters, gradients, rho=0.999):
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        squares = constant(1e-6, p.shape, p.dtype)
        squares = assign(squares, rho * squares + (1 - rho) * g * g)
        steps.append(assign(p, p - 0.01 * g / kernel.sqrt(squares)))
    return kernel.combine(steps)


def test_only_what_asks_for_the_rate_gets_it():
    assert inspect_update(universal(descent, [parameter()], 0.5), 1)[0].tolist() == [-0.5, -0.5]
    assert inspect_update(universal(descent, [parameter()]), 1)[0].tolist() == [-1, -1]
    # rho has its own value, and no rate may take its place.
    assert inspect_update(universal(rmsprop, [parameter()]), 10, 2)[0].round(4).tolist() == pytest.approx([-0.5397] * 2)
    with pytest.raises(RangeError, match="does not ask for it; give it a third argument"):
        universal(rmsprop, [parameter()], 0.5)


@pytest.mark.parametrize(
    ("function", "error", "sentence"),
    [
        (lambda parameters: [], DtypeError, r"should take \(parameters, gradients\), .* but takes \(parameters\)"),
        (lambda p, g, rate, more: [], DtypeError, r"but takes \(p, g, rate, more\)"),
        (lambda p, g: None, DtypeError, "should return assignments, made by kernel.assign .* but None came"),
        (lambda p, g: [p[0] - g[0]], RangeError, "assigns nothing to parameter 0"),
        (lambda p, g: [assign(p[0], g[0]), assign(p[0], g[0])], RangeError, "does one constant serve two parameters"),
        (lambda p, g: [assign(g[0], p[0])], DtypeError, "target should be a parameter or a constant"),
        (lambda p, g: [assign(kernel.zeros(2), p[0])], DtypeError, r"take the parameters as the function gets them"),
        (lambda p, g: [assign(p[0], numpy.ones(3))], DtypeError, "make an array a constant"),
        (lambda p, g: [assign(p[0], kernel.ones(3))], ShapeError, r"should have shape \(2,\)"),
        (lambda p, g: [assign(p[0], math.sqrt(g[0]))], DtypeError, "use kernel's functions, as kernel.sqrt"),
        (lambda p, g: [assign(p[0], numpy.sqrt(g[0]))], DtypeError, "use kernel's functions"),
        (lambda p, g: [assign(p[0], p[0] if g[0] > 0 else 0)], DtypeError, "use kernel.where"),
    ],
)
def test_what_an_expression_that_is_wrong_is_told(function, error, sentence):
    with pytest.raises(error, match=sentence):
        inspect_update(universal(function, [parameter()]), 1)


def adam(parameters, gradients, rate):
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        m, a, t = constant(0, p.shape, p.dtype), constant(0, p.shape, p.dtype), constant(0, dtype=p.dtype)
        t = assign(t, t + 1)
        m, a = assign(m, 0.9 * m + 0.1 * g), assign(a, 0.999 * a + 0.001 * g**2)
        steps.append(assign(p, p - rate * (m / (1 - 0.9**t)) / (kernel.sqrt(a / (1 - 0.999**t)) + 1e-8)))
    return steps


def exchange(parameters, gradients):
    (one, other), (g, h) = parameters, gradients
    return [assign(one, other - g), assign(other, one - h)]


def counted(parameters, gradients):
    t = constant(0.0, dtype=parameters[0].dtype)
    later = assign(t, t + 1)
    return [assign(p, p - (t + later) * g) for p, g in zip(parameters, gradients, strict=True)]


def by_the_norm(parameters, gradients):
    norm = kernel.sqrt(sum((g * g).sum() for g in gradients))
    return [assign(p, p - g / kernel.maximum(norm, 1)) for p, g in zip(parameters, gradients, strict=True)]


def plain(parameters, gradients):
    return [assign(parameters[0], 3), assign(parameters[1], gradients[1])]


@pytest.mark.parametrize("device", ["cpu", "strict"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("function", "programs"), [(adam, 2), (exchange, 1), (counted, 2), (by_the_norm, 0), (plain, 1), (rmsprop, 2)]
)
def test_programs_compute_what_the_operations_do(function, programs, dtype, device, monkeypatch):
    def run():
        random = numpy.random.default_rng(0)
        parameters = [
            kernel.Parameter(kernel.tensor(random.normal(size=(3, 2)).astype(dtype)).to(device)) for _ in "ab"
        ]
        learner = universal(function, parameters)
        for _ in range(4):
            learner.update({p: random.normal(size=(3, 2)).astype(dtype) for p in parameters}, 3)
        return [p.detach().cpu().numpy() for p in parameters], len(learner.programs)

    fast, made = run()
    monkeypatch.setattr("kernel.learners.expression._part_of", lambda targets: None)
    slow, none = run()
    assert (made, none) == (programs, 0)
    for one, other in zip(fast, slow, strict=True):
        numpy.testing.assert_array_equal(one, other)


def test_a_gradient_that_is_the_parameter_is_read_before_it_is_written_over():
    w = parameter(1, 2)
    universal(lambda p, g: [assign(p[0], 2 * p[0] + g[0] * p[0])], [w]).update({w: w}, 1)
    assert w.tolist() == [3, 8]


def test_an_assignment_that_nobody_returns_is_noticed():
    def forgetful(parameters, gradients):
        squares = constant(1.0, (2,))
        assign(squares, squares + gradients[0] ** 2)
        return [assign(parameters[0], parameters[0] - gradients[0] / kernel.sqrt(squares))]

    with pytest.raises(RangeError, match=r"tensor of shape \(2,\) is neither returned nor computed with"):
        inspect_update(universal(forgetful, [parameter()]), 1)


class Kept(kernel.UserLearner):
    """Momentum that keeps its velocities in the ways people do, and counts its steps."""

    def __init__(self, parameters, as_numpy=True):
        super().__init__(parameters, 0.1, as_numpy)
        new = (lambda p: numpy.zeros(p.shape, "float32")) if as_numpy else kernel.zeros_like
        self.velocity = {p: new(p.detach()) for p in self.parameters}
        self.listed = [new(p.detach()) for p in self.parameters]
        self.lazy, self.steps, self.longest = {}, 0, 0.0
        self.mine = list(self.parameters)  # the parameters themselves are no state

    def update(self, gradients, n_samples, sweep_end):
        self.steps += 1
        for i, (p, g) in enumerate(gradients.items()):
            self.velocity[p] = 0.9 * self.velocity[p] + g
            self.listed[i] = 0.5 * self.listed[i] + g
            self.lazy[p] = 0.1 * self.lazy.get(p, 0 * g) + g
            self.longest = max(self.longest, float(abs(self.velocity[p]).max()))
            step = (self.velocity[p] + self.listed[i] + self.lazy[p]) / self.steps / self.longest
            p.value = p.value - self.learning_rate() * (step if self._as_numpy else step.numpy())
        return True


@pytest.mark.parametrize("as_numpy", [True, False])
def test_resumed_is_uninterrupted(as_numpy, tmp_path):
    random = numpy.random.default_rng(0)
    gradients = random.normal(size=(8, 2, 3)).astype("float32")

    def run(learner, part):
        for pair in part:
            learner.update(dict(zip(learner.parameters, pair, strict=True)), 4)

    through = Kept([parameter(1, 2, 3), parameter(4, 5, 6)], as_numpy)
    run(through, gradients)

    first = Kept([parameter(1, 2, 3), parameter(4, 5, 6)], as_numpy)
    run(first, gradients[:5])
    kernel.save(first.state_dict(), tmp_path / "state.safetensors")
    second = Kept([kernel.Parameter(p.value) for p in first.parameters], as_numpy)
    second.load_state_dict(kernel.load(tmp_path / "state.safetensors"))
    run(second, gradients[5:])
    for one, other in zip(through.parameters, second.parameters, strict=True):
        numpy.testing.assert_array_equal(one.value, other.value)
    assert (second.steps, type(second.steps), type(second.longest)) == (8, int, float)
    assert all(p is q for p, q in zip(second.mine, second.parameters, strict=True))


def test_a_state_that_does_not_fit_changes_nothing():
    learner = Kept([parameter(1, 2)])
    learner.update({learner.parameters[0]: numpy.ones(2)}, 1)
    before = learner.state_dict()
    with pytest.raises(ShapeError, match=r"listed.0 should have shape \(2,\), but has \(3,\).*steps is missing"):
        learner.load_state_dict({k: v for k, v in before.items() if k != "steps"} | {"listed.0": kernel.zeros(3)})
    assert all((before[name] == value).all() for name, value in learner.state_dict().items())


def test_inspecting_puts_back_what_a_class_keeps():
    learner = Kept([parameter(7, 7)])
    first, second = (inspect_update(learner, 2, 3)[0] for _ in range(2))
    assert first.tolist() == second.tolist()
    assert (learner.steps, learner.lazy, learner.parameters[0].tolist()) == (0, {}, [7, 7])


def test_a_class_that_forgets_its_base_is_told():
    class NoBase(kernel.UserLearner):
        def __init__(self, parameters):
            self.mine = parameters

        def update(self, gradients, n_samples, sweep_end):
            return True

    learner = NoBase([parameter()])
    with pytest.raises(DtypeError, match=r"should begin with super\(\).__init__"):
        learner.learning_rate()


def test_the_arguments_of_update_are_checked_where_the_class_is_written():
    with pytest.raises(DtypeError, match=r"should take \(self, gradients, n_samples, sweep_end\), but is \(self, g\)"):
        type("Short", (kernel.UserLearner,), {"update": lambda self, g: True})


@pytest.mark.parametrize("answer", [None, 1, "yes"])
def test_what_update_returns_is_true_or_false(answer):
    made = type("Odd", (kernel.UserLearner,), {"update": lambda self, g, n, sweep_end: answer})
    learner = made([parameter()])
    with pytest.raises(DtypeError, match="should return True, or False if it changed nothing"):
        learner.update({learner.parameters[0]: numpy.ones(2)}, 1)
    assert learner.minibatches == 0


class Telling(kernel.UserLearner):
    """Keeps what a state has a name for already."""

    def __init__(self, parameters, rate):
        super().__init__(parameters, rate)
        self.rate, self.since = rate, 0

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.rate * g
        self.since += 1
        return True


def test_an_attribute_may_be_called_as_something_in_the_state(tmp_path):
    first = Telling([parameter(1, 2)], 0.5)
    first.update({first.parameters[0]: numpy.ones(2)}, 1)
    kernel.save(first.state_dict(), tmp_path / "state.safetensors")
    second = Telling([parameter(1, 2)], 0.25)
    second.load_state_dict(kernel.load(tmp_path / "state.safetensors"))
    assert (second.rate, second.since, second.learning_rate(), second.samples) == (0.5, 1, 0.5, 1)
    assert inspect_update(second, 1)[0].tolist() == [-0.5, -0.5]


@pytest.mark.parametrize("name", ["parameters", "counts", "learning_rate", "step", "update", "_rate"])
def test_what_every_learner_has_is_not_written_over(name):
    learner = Telling([parameter(1, 2)], 0.5)
    with pytest.raises(AttributeError, match=f"^Telling: every learner has {name}.*something else.$"):
        setattr(learner, name, 0.1)
    learner.momentum = 0.1


class AsksItsBase(kernel.UserLearner):
    def update(self, gradients, n_samples, sweep_end):
        return super().update(gradients, n_samples, sweep_end)


class Steps(kernel.UserLearner):
    def update(self, gradients, n_samples, sweep_end):
        return self.step()


@pytest.mark.parametrize("kind", [AsksItsBase, Steps])
def test_an_update_that_calls_itself_is_told(kind):
    learner = kind([parameter(1, 2)])
    (learner.parameters[0] ** 2).sum().backward()
    with pytest.raises(GradError, match=f"^{kind.__name__}.update: it calls itself .*p.value = ….$"):
        learner.step()
    assert learner.minibatches == 0


def test_as_numpy_is_true_or_false():
    with pytest.raises(DtypeError, match=r"^Telling: as_numpy should be True or False, but 'no' came\.$"):
        kernel.UserLearner.__init__(Telling.__new__(Telling), [parameter(1, 2)], 1, "no")
