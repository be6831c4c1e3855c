"""The exercises on learners of one's own: right answers, wrong ones that students give, and hints."""

import numpy as np

import kernel
from classroom.spec import Case, Exercise

# --- my_rmsprop -----------------------------------------------------------------------------------------------------


def my_rmsprop(parameters, gradients):
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def after_updates(function, values, gradients):
    parameters = [kernel.Parameter(value.clone()) for value in values]
    learner = kernel.universal(function, parameters)
    for each in gradients:
        learner.update(dict(zip(parameters, each, strict=True)), 1)
    return [p.detach() for p in parameters]


def old_average(parameters, gradients):
    """The step divides by the old average, since a stands for its value before the update: use what assign returned."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        steps.append(kernel.assign(a, 0.999 * a + 0.001 * g * g))
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(a)))
    return steps


def average_not_returned(parameters, gradients):
    """The new average is neither returned nor divided by, so it is lost: divide by what assign returned for a."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(a)))
    return steps


def shared_average(parameters, gradients):
    """One average serves all parameters, and each of them would assign to it: make a constant inside the loop."""
    a = kernel.constant(1e-6, parameters[0].shape, parameters[0].dtype)
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def nothing_remembered(parameters, gradients):
    """The average begins anew at every update, since nothing is assigned to it: keep it in a kernel.constant."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        new = 0.999 * 1e-6 + 0.001 * g * g
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def returned_too_soon(parameters, gradients):
    """The function returns from inside the loop, after the first parameter: put the return behind the loop."""
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        return [kernel.assign(p, p - 0.01 * g / kernel.sqrt(new))]


def root_forgotten(parameters, gradients):
    """The step divides by the average of the squares itself: it should divide by its root."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / new))
    return steps


def square_forgotten(parameters, gradients):
    """The average is one of gradients, which may be negative: it should be one of their squares, g * g."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def weights_swapped(parameters, gradients):
    """The two weights are swapped: the old average keeps ρ = 0.999 of itself, and the new square counts 0.001."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.001 * a + 0.999 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def sum_for_average(parameters, gradients):
    """This is Adagrad, which adds up all squares: here the average keeps 0.999 of itself and takes 0.001 of the new."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, a + g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def share_forgotten(parameters, gradients):
    """The new square counts in full, so the sum of the weights is 1.999: multiply it by 1 − ρ."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def begins_with_zero(parameters, gradients):
    """The averages begin at 0, which shows where gradients are small: here they begin at 1e-6."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(0, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)))
    return steps


def rate_forgotten(parameters, gradients):
    """The steps are a hundred times too long: the rate 0.01 is missing."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p - g / kernel.sqrt(new)))
    return steps


def uphill_rmsprop(parameters, gradients):
    """The parameters go uphill: the step is taken from p, not added to it."""
    steps = []
    for p, g in zip(parameters, gradients, strict=True):
        a = kernel.constant(1e-6, p.shape, p.dtype)
        new = kernel.assign(a, 0.999 * a + 0.001 * g * g)
        steps.append(kernel.assign(p, p + 0.01 * g / kernel.sqrt(new)))
    return steps


def rmsprop_cases(random, dtype):
    def tensors(*arrays):
        return [kernel.tensor(array, dtype=dtype) for array in arrays]

    def drawn(*shape):
        return tensors(*random.normal(size=(2, *shape)))

    zeros, ones = [[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]
    yield Case(tensors(*zeros), [tensors(*ones), tensors(*ones)])
    yield Case(drawn(3), [drawn(3) for _ in range(3)])
    yield Case(drawn(2, 2), [drawn(2, 2) for _ in range(4)])
    small = [[0.01 * gradient for gradient in drawn(3)] for _ in range(3)]
    yield Case(drawn(3), small, note="small gradients")


# --- MyDescent ------------------------------------------------------------------------------------------------------


class MyDescent(kernel.UserLearner):
    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() / n_samples * g
        return True


def several_minibatches(learner_class, values, gradients, sizes, rates):
    parameters = [kernel.Parameter(value.clone()) for value in values]
    schedule = kernel.learning_rate_schedule(rates, kernel.UnitType.minibatch, epoch_size=40)
    learner = learner_class(parameters, schedule)
    for each, size in zip(gradients, sizes, strict=True):
        learner.update(dict(zip(parameters, each, strict=True)), size)
    return [p.detach() for p in parameters], learner.samples


class IgnoresSamples(kernel.UserLearner):
    """The sum of n gradients is used as it comes, so steps grow with the minibatch: divide the rate by n_samples."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() * g
        return True


class TimesSamples(kernel.UserLearner):
    """The gradient is a sum already, and here it is multiplied by n once more: divide by n_samples."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() * n_samples * g
        return True


class ParametersForSamples(kernel.UserLearner):
    """This divides by the number of parameters: the sum is one over samples, so divide by n_samples."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() / len(gradients) * g
        return True


class FirstRate(kernel.UserLearner):
    """The rate is that of the beginning for ever, though the schedule goes on: ask self.learning_rate() in update."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.rate = lr_schedule[0]

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.rate / n_samples * g
        return True


class NoRate(kernel.UserLearner):
    """The learning rate has no part in the step: multiply by self.learning_rate()."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - g / n_samples
        return True


class SaysFalse(kernel.UserLearner):
    """It changes the parameters and returns False, so nothing is counted and the schedule stands still: return True."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() / n_samples * g
        return False


class OnlyTheName(kernel.UserLearner):
    """The name p gets a new array and the parameter stays what it was: assign to p.value."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p = p.value - self.learning_rate() / n_samples * g
        return True


class OnlyTheFirst(kernel.UserLearner):
    """Only the first parameter is changed, since return stands inside the loop: put it behind the loop."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() / n_samples * g
            return True


class OldValueLost(kernel.UserLearner):
    """Each step begins at 0 again: take it from what the parameter was, p.value − …."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = -self.learning_rate() / n_samples * g
        return True


class Uphill(kernel.UserLearner):
    """The parameters go uphill: the step is taken from p.value, not added to it."""

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value + self.learning_rate() / n_samples * g
        return True


def descent_cases(random, dtype):
    def tensors(*arrays):
        return [kernel.tensor(array, dtype=dtype) for array in arrays]

    ones = tensors([1.0, 1.0])
    yield Case(tensors([0.0, 0.0]), [ones] * 10, [64] * 10, [1.0])
    for rates in ([0.5], [0.4, 0.1]):
        sizes = [int(size) for size in random.integers(10, 30, size=6)]
        gradients = [tensors(random.normal(size=3), random.normal(size=(2, 2))) for _ in sizes]
        note = "" if len(rates) == 1 else "the rate falls after 40 samples"
        yield Case(tensors(random.normal(size=3), random.normal(size=(2, 2))), gradients, sizes, rates, note=note)


# --- HeavyBall ------------------------------------------------------------------------------------------------------


class HeavyBall(kernel.UserLearner):
    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True


def interrupted(learner_class, values, gradients, size, rates):
    def learner_of(tensors):
        parameters = [kernel.Parameter(tensor.detach().clone()) for tensor in tensors]
        schedule = kernel.learning_rate_schedule(rates, kernel.UnitType.minibatch, epoch_size=2 * size)
        return parameters, learner_class(parameters, schedule)

    parameters, learner = learner_of(values)
    for number, each in enumerate(gradients):
        if number == len(gradients) // 2:
            state = learner.state_dict()
            parameters, learner = learner_of(parameters)
            learner.load_state_dict(state)
        learner.update(dict(zip(parameters, each, strict=True)), size)
    return [p.detach() for p in parameters]


class AsShown(kernel.UserLearner):
    """The velocity is one number for all parameters, and begins anew at every update: keep one for each in self."""

    def update(self, gradients, n_samples, sweep_end):
        velocity = 0
        for p, g in gradients.items():
            velocity = 0.9 * velocity + g / n_samples
            p.value = p.value - self.learning_rate() * velocity
        return True


class BeginsAnew(kernel.UserLearner):
    """The velocities are made anew at every update, so nothing is remembered: make them in __init__, in self."""

    def update(self, gradients, n_samples, sweep_end):
        velocity = {p: 0 for p in gradients}
        for p, g in gradients.items():
            velocity[p] = 0.9 * velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * velocity[p]
        return True


class SharedVelocity(kernel.UserLearner):
    """One velocity is handed on from parameter to parameter: keep one for each, in a dict by parameter."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = np.zeros(self.parameters[0].shape)

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity = 0.9 * self.velocity + g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity
        return True


class NotSaved(kernel.UserLearner):
    """All is right until the learner is restored, and then the velocities begin at 0: keep them in an attribute of self
    whose name does not begin with an underscore, for only such are saved."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self._velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self._velocity[p] = 0.9 * self._velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * self._velocity[p]
        return True


class SumsForMeans(kernel.UserLearner):
    """The velocity takes sums over the samples as they come: divide g by n_samples."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + g
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True


class OldVelocity(kernel.UserLearner):
    """The step is made with the old velocity: bring the velocity up to date first, then step."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            p.value = p.value - self.learning_rate() * self.velocity[p]
            self.velocity[p] = 0.9 * self.velocity[p] + g / n_samples
        return True


class RateInside(kernel.UserLearner):
    """The rate is inside the velocity, so a new rate does not act on what is remembered: here it stands outside,
    w ← w − η v."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + self.learning_rate() * g / n_samples
            p.value = p.value - self.velocity[p]
        return True


class UnitGain(kernel.UserLearner):
    """This is unit gain, where a new gradient counts 0.1: here it counts in full."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = 0.9 * self.velocity[p] + 0.1 * g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True


class NeverForgets(kernel.UserLearner):
    """The velocity adds up all gradients and forgets none: it keeps 0.9 of itself in each update."""

    def __init__(self, parameters, lr_schedule):
        super().__init__(parameters, lr_schedule)
        self.velocity = {p: np.zeros(p.shape) for p in self.parameters}

    def update(self, gradients, n_samples, sweep_end):
        for p, g in gradients.items():
            self.velocity[p] = self.velocity[p] + g / n_samples
            p.value = p.value - self.learning_rate() * self.velocity[p]
        return True


def heavy_cases(random, dtype):
    def tensors(array):
        return [kernel.tensor(each, dtype=dtype) for each in array]

    first = [[1.0, 2.0], [-1.0, 0.5]], [[[2.0, -2.0], [4.0, 0.0]]] * 4
    yield Case(tensors(first[0]), [tensors(each) for each in first[1]], 2, [0.5])
    for shape, rates in (((3,), [0.3]), ((2, 2), [0.4, 0.1])):
        gradients = [tensors(random.normal(size=(2, *shape))) for _ in range(6)]
        note = "" if len(rates) == 1 else "the rate falls"
        yield Case(tensors(random.normal(size=(2, *shape))), gradients, int(random.integers(3, 9)), rates, note=note)


# --- lion_rule ------------------------------------------------------------------------------------------------------


def lion_rule(w, g, state, hyper):
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    w = w - hyper["rate"] * (direction + hyper["decay"] * w)
    return w, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def average_first(w, g, state, hyper):
    """The average is brought up to date before the step looks at it: the direction is made of the old m."""
    m = hyper["beta2"] * state["m"] + (1 - hyper["beta2"]) * g
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    return w - hyper["rate"] * (direction + hyper["decay"] * w), {"m": m}


def old_state(w, g, state, hyper):
    """The state that is returned is the old one, so nothing is remembered: return the new m."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    return w - hyper["rate"] * (direction + hyper["decay"] * w), {"m": m}


def first_beta_only(w, g, state, hyper):
    """One average does both, with β₁: the step mixes with β₁, what is kept with β₂."""
    m = hyper["beta1"] * state["m"] + (1 - hyper["beta1"]) * g
    return w - hyper["rate"] * (kernel.sign(m) + hyper["decay"] * w), {"m": m}


def second_beta_only(w, g, state, hyper):
    """One average does both, with β₂: the step mixes with β₁, what is kept with β₂."""
    m = hyper["beta2"] * state["m"] + (1 - hyper["beta2"]) * g
    return w - hyper["rate"] * (kernel.sign(m) + hyper["decay"] * w), {"m": m}


def betas_swapped(w, g, state, hyper):
    """The betas are swapped: β₁ belongs to the step, β₂ to the average that is kept."""
    m = state["m"]
    direction = kernel.sign(hyper["beta2"] * m + (1 - hyper["beta2"]) * g)
    w = w - hyper["rate"] * (direction + hyper["decay"] * w)
    return w, {"m": hyper["beta1"] * m + (1 - hyper["beta1"]) * g}


def sign_forgotten(w, g, state, hyper):
    """The direction keeps the size of the gradients: only its sign counts, so that all steps have one length."""
    m = state["m"]
    direction = hyper["beta1"] * m + (1 - hyper["beta1"]) * g
    w = w - hyper["rate"] * (direction + hyper["decay"] * w)
    return w, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def sign_of_gradient(w, g, state, hyper):
    """The direction is the sign of the new gradient alone: it is that of the mixture β₁ m + (1 − β₁) g."""
    w = w - hyper["rate"] * (kernel.sign(g) + hyper["decay"] * w)
    return w, {"m": hyper["beta2"] * state["m"] + (1 - hyper["beta2"]) * g}


def decay_forgotten(w, g, state, hyper):
    """The decay is missing, which does not show where λ is 0: add λ w to the direction."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    return w - hyper["rate"] * direction, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def decay_in_gradient(w, g, state, hyper):
    """The decay goes into the gradient, and sign and average take it over: add λ w to the direction, beside it."""
    m = state["m"]
    g = g + hyper["decay"] * w
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    return w - hyper["rate"] * direction, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def decay_inside_sign(w, g, state, hyper):
    """The decay stands inside the sign, which leaves nothing of its size: add λ w to the sign."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g + hyper["decay"] * w)
    return w - hyper["rate"] * direction, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def decay_without_rate(w, g, state, hyper):
    """The decay is taken from w without the rate: η multiplies both, the direction and λ w."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    w = w - hyper["rate"] * direction - hyper["decay"] * w
    return w, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def direction_kept(w, g, state, hyper):
    """The direction is kept in the place of the average: m is the average of the gradients themselves."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    return w - hyper["rate"] * (direction + hyper["decay"] * w), {"m": direction}


def uphill_lion(w, g, state, hyper):
    """The sign of the step is turned: the step is taken from w, not added to it."""
    m = state["m"]
    direction = kernel.sign(hyper["beta1"] * m + (1 - hyper["beta1"]) * g)
    w = w + hyper["rate"] * (direction + hyper["decay"] * w)
    return w, {"m": hyper["beta2"] * m + (1 - hyper["beta2"]) * g}


def lion_cases(random, dtype):
    def case(w, g, m, note="", **hyper):
        w, g, m = (kernel.tensor(values, dtype=dtype) for values in (w, g, m))
        return Case(w, g, {"m": m}, hyper, note=note)

    yield case([1.0, 1.0], [2.0, -1.0], [0.0, 1.0], rate=0.1, beta1=0.5, beta2=0.9, decay=0.0)
    # Each of these tells one wrong mixture from the right one.
    yield case(
        *([2.0, -1.0, 3.0, -2.0], [1.0, -3.0, -0.95, 1.0], [-1.5, 1.0, 1.0, -3.0]),
        note="with decay",
        rate=0.1,
        beta1=0.5,
        beta2=0.9,
        decay=0.2,
    )
    for size in (6, 8):
        yield case(
            *(random.normal(size=size) for _ in range(3)),
            rate=float(random.uniform(0.05, 0.3)),
            beta1=float(random.uniform(0.4, 0.6)),
            beta2=float(random.uniform(0.8, 0.95)),
            decay=float(random.uniform(0.1, 0.3)),
        )


# --- clipped --------------------------------------------------------------------------------------------------------


def clipped(gradients, largest):
    norm = sum((g * g).sum() for g in gradients).item() ** 0.5
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def tensor_by_tensor(gradients, largest):
    """Each tensor is clipped by its own norm, which turns the whole step: all get one factor, from the norm of all."""
    norms = [(g * g).sum().item() ** 0.5 for g in gradients]
    return [g * (largest / norm if norm > largest else 1) for g, norm in zip(gradients, norms, strict=True)]


def value_by_value(gradients, largest):
    """Each value is cut off by itself, which turns the whole step: multiply all by one factor."""
    return [kernel.minimum(kernel.maximum(g, -largest), largest) for g in gradients]


def always_scaled(gradients, largest):
    """Small gradients are scaled up: leave them as they are where the norm is at most the largest."""
    norm = sum((g * g).sum() for g in gradients).item() ** 0.5
    return [largest / norm * g for g in gradients]


def square_for_norm(gradients, largest):
    """This compares with the square of the norm: take the root of the sum of squares."""
    norm = sum((g * g).sum() for g in gradients).item()
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def sum_of_norms(gradients, largest):
    """The norms of the tensors are added up: add up the squares of all values, and take one root of that."""
    norm = sum((g * g).sum().item() ** 0.5 for g in gradients)
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def largest_of_norms(gradients, largest):
    """The factor is that of the largest tensor: the norm of all together counts the others, too."""
    norm = max((g * g).sum().item() ** 0.5 for g in gradients)
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def largest_of_values(gradients, largest):
    """The factor is that of the largest single value: the norm is the root of the sum of all squares."""
    norm = max(abs(g).max().item() for g in gradients)
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def sum_of_sizes(gradients, largest):
    """The sizes of all values are added up: the norm is the root of the sum of their squares."""
    norm = sum(abs(g).sum() for g in gradients).item()
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def mean_for_sum(gradients, largest):
    """The squares are averaged: the norm is the root of their sum, however many there are."""
    norm = (sum((g * g).sum() for g in gradients).item() / sum(g.size for g in gradients)) ** 0.5
    factor = largest / norm if norm > largest else 1
    return [factor * g for g in gradients]


def scaled_to_one(gradients, largest):
    """Large gradients come out with a norm of 1: multiply by largest / norm, not by 1 / norm."""
    norm = sum((g * g).sum() for g in gradients).item() ** 0.5
    factor = 1 / norm if norm > largest else 1
    return [factor * g for g in gradients]


def turned_over(gradients, largest):
    """The factor is upside down, so large gradients grow: multiply by largest / norm."""
    norm = sum((g * g).sum() for g in gradients).item() ** 0.5
    factor = norm / largest if norm > largest else 1
    return [factor * g for g in gradients]


def clip_cases(random, dtype):
    def tensors(*arrays):
        return [kernel.tensor(array, dtype=dtype) for array in arrays]

    yield Case(tensors([[3.0, 4.0]], [[0.0], [12.0]]), 6.5)
    yield Case(tensors([0.3, -0.4], [[1.2]]), 2.6, note="small gradients")
    for largest in (0.5, 1.5):
        yield Case(tensors(3 * random.normal(size=(2, 3)), random.normal(size=4), 2 * random.normal(size=1)), largest)


exercises = [
    Exercise(
        my_rmsprop,
        title="RMSProp as an expression",
        points=3,
        cases=rmsprop_cases,
        driver=after_updates,
        misconceptions=(
            old_average,
            average_not_returned,
            shared_average,
            nothing_remembered,
            returned_too_soon,
            root_forgotten,
            square_forgotten,
            weights_swapped,
            sum_for_average,
            share_forgotten,
            begins_with_zero,
            rate_forgotten,
            uphill_rmsprop,
        ),
        hints=(
            "In a loop over the pairs: a constant for the average, an assignment to it, an assignment to p.",
            "What kernel.assign returns is the new value; the constant itself stands for the old one.",
            "new = kernel.assign(a, 0.999 * a + 0.001 * g * g) and kernel.assign(p, p - 0.01 * g / kernel.sqrt(new)).",
        ),
    ),
    Exercise(
        MyDescent,
        title="Descent as a class",
        points=2,
        cases=descent_cases,
        driver=several_minibatches,
        misconceptions=(
            IgnoresSamples,
            TimesSamples,
            ParametersForSamples,
            FirstRate,
            NoRate,
            SaysFalse,
            OnlyTheName,
            OnlyTheFirst,
            OldValueLost,
            Uphill,
        ),
        hints=(
            "One method, update(self, gradients, n_samples, sweep_end), with one loop over gradients.items().",
            "The gradients are sums over n_samples, and the rate is meant for a minibatch as a whole.",
            "p.value = p.value - self.learning_rate() / n_samples * g in the loop, and return True behind it.",
        ),
    ),
    Exercise(
        HeavyBall,
        title="A velocity without a home",
        points=3,
        cases=heavy_cases,
        driver=interrupted,
        misconceptions=(
            AsShown,
            BeginsAnew,
            SharedVelocity,
            NotSaved,
            SumsForMeans,
            OldVelocity,
            RateInside,
            UnitGain,
            NeverForgets,
        ),
        hints=(
            "What is a velocity of, and how long must it live?",
            "Give the class an __init__ that calls super().__init__(parameters, lr_schedule) and makes the velocities.",
            "self.velocity = {p: np.zeros(p.shape) for p in self.parameters}, and self.velocity[p] in update.",
        ),
    ),
    Exercise(
        lion_rule,
        title="A rule from a paper",
        points=2,
        public=2,
        cases=lion_cases,
        misconceptions=(
            average_first,
            old_state,
            first_beta_only,
            second_beta_only,
            betas_swapped,
            sign_forgotten,
            sign_of_gradient,
            decay_forgotten,
            decay_in_gradient,
            decay_inside_sign,
            decay_without_rate,
            direction_kept,
            uphill_lion,
        ),
        hints=(
            "Three lines, in the order of the formula; the old m stands in the first and in the last.",
            "kernel.sign makes the direction; the rate multiplies the direction and the decay.",
            "w - hyper['rate'] * (direction + hyper['decay'] * w), and as state {'m': the average with beta2}.",
        ),
    ),
    Exercise(
        clipped,
        title="Clip them all alike",
        points=2,
        public=2,
        cases=clip_cases,
        misconceptions=(
            tensor_by_tensor,
            value_by_value,
            always_scaled,
            square_for_norm,
            sum_of_norms,
            largest_of_norms,
            largest_of_values,
            sum_of_sizes,
            mean_for_sum,
            scaled_to_one,
            turned_over,
        ),
        hints=(
            "First one number, the norm of everything; then one factor; then all gradients times that factor.",
            "The norm is the root of the sum of all squares, over all values of all tensors.",
            "The factor is largest / norm where the norm is above largest, and else 1.",
        ),
    ),
]
