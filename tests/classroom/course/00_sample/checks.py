"""Exercises for the tests of the check engine: a function, one that uses it, a derivative in place, and two values."""

import numpy as np

import kernel
from classroom.spec import Case, Exercise


def softmax(logits):
    """Probabilities of each row, (B, C) -> (B, C)."""
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def without_shift(logits):
    """exp(1000) is inf and inf/inf is nan: subtract each row's largest logit before the exponential."""
    exponentials = kernel.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def down_the_batch(logits):
    """Each column adds up to 1, not each row: the classes are axis 1."""
    exponentials = kernel.exp(logits - logits.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=0, keepdims=True)


def over_everything(logits):
    """The whole batch adds up to 1 together: give the sum an axis."""
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum()


def the_logarithm(logits):
    """These are the logarithms of the probabilities: take exp of them."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - kernel.log(kernel.exp(shifted).sum(axis=1, keepdims=True))


def softmax_cases(random, dtype):
    yield Case(kernel.tensor([[1.0, 2.0, 3.0]], dtype=dtype))
    yield Case(kernel.tensor(random.normal(size=(4, 5)), dtype=dtype, requires_grad=True))
    yield Case(kernel.tensor(500 + 100 * random.normal(size=(3, 2)), dtype=dtype), note="large logits")


def crossentropy(logits, labels):
    """Mean negative log-likelihood of the labels (B,) under the logits (B, C)."""
    picked = kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))
    return -kernel.log(picked).mean()


def without_minus(logits, labels):
    """The loss of a sure and right prediction should be near 0, and of a wrong one large: a minus is missing."""
    picked = kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))
    return kernel.log(picked).mean()


def sum_for_mean(logits, labels):
    """The loss grows with the size of the batch: take the mean over it, not the sum."""
    picked = kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))
    return -kernel.log(picked).sum()


def mean_over_classes(logits, labels):
    """The mean runs over B·C numbers, of which only B count: divide by B."""
    picked = kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))
    return -kernel.log(picked).mean() / logits.shape[1]


def base_two(logits, labels):
    """This loss is measured in bits: use the natural logarithm."""
    picked = kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))
    return -kernel.log(picked).mean() / np.log(2)


def tiny_added(logits, labels, *, tiny=1e-6):
    """A small number stands inside the logarithm: leave it out."""
    return -kernel.log(kernel.gather(softmax(logits), 1, labels.reshape(-1, 1)) + tiny).mean()


def crossentropy_cases(random, dtype):
    logits = kernel.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=dtype, requires_grad=True)
    yield Case(logits, kernel.tensor([0, 0]))
    yield Case(
        kernel.tensor(random.normal(size=(3, 4)), dtype=dtype, requires_grad=True),
        kernel.tensor(random.integers(4, size=3)),
    )


def rescale(weights, rate):
    """weights *= 1 - rate, in place and returned."""
    weights *= 1 - rate
    return weights


def a_copy(weights, rate):
    """The caller's array is still what it was: write into it with `*=`."""
    return weights * (1 - rate)


def plus(weights, rate):
    """The weights grow: decay multiplies by 1 - rate."""
    weights *= 1 + rate
    return weights


def by_the_rate(weights, rate):
    """Only the part that should go is left: multiply by 1 - rate, not by rate."""
    weights *= rate
    return weights


def subtracted(weights, rate):
    """Every weight loses the same amount: decay takes a share of each, so multiply."""
    weights -= rate
    return weights


def rescale_cases(random, dtype):
    yield Case(np.array([1.0, -2.0], dtype=dtype), 0.1)
    yield Case(random.normal(size=3).astype(dtype), 0.25)


def promoted():
    return {"int64 + float32": "float32", "bool + int64": "int64", "items": 3}


def numpy_rule():
    """NumPy widens to float64 here; the kernel keeps the dtype of the floating operand."""
    return {"int64 + float32": "float64"}


def first_operand():
    """The order of the operands does not matter: the higher kind wins."""
    return {"int64 + float32": "int64", "bool + int64": "bool"}


def all_bool():
    """A bool beside an integer counts as 0 or 1 and takes the integer's dtype."""
    return {"bool + int64": "bool", "int64 + float32": "float32"}


def off_by_one():
    """Count the items from 1."""
    return {"items": 2}


def half_life():
    return 0.5


def doubled():
    """It halves: the base is 1/2."""
    return 2.0


def all_gone():
    """Something is left after one half-life."""
    return 0.0


def unchanged():
    """After one half-life half of it is gone."""
    return 1.0


def euler():
    """1/e is left after one time constant, not after one half-life."""
    return 0.36787944117144233


class Scale:
    """A layer that multiplies by a factor which it holds."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


class Forgetful:
    """The second layer changed the first: keep the factor in self, not in the class."""

    def __init__(self, factor):
        Forgetful.factor = factor

    def __call__(self, x):
        return x * self.factor


class Added:
    """This adds the factor: a scale multiplies."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x + self.factor


class Inverse:
    """This divides by the factor: a scale multiplies."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x / self.factor


class Fixed:
    """The factor that was given is not used: keep it in self."""

    def __init__(self, factor):
        self.factor = 1.0

    def __call__(self, x):
        return x * self.factor


def two_layers(scale, x, first, second):
    """Both layers are made before either is used."""
    layers = scale(first), scale(second)
    return [layer(x) for layer in layers]


def scale_cases(random, dtype):
    yield Case(kernel.tensor([1.0, 2.0], dtype=dtype), 3.0, 0.5)
    yield Case(kernel.tensor(random.normal(size=4), dtype=dtype), 2.0, float(random.uniform(2, 3)))


HINTS = ("Look at the formula.", "Look at the axis.", "It is one line.")

exercises = [
    Exercise(
        softmax,
        title="Probabilities from logits",
        without=("softmax", "log_softmax"),
        points=3,
        cases=softmax_cases,
        misconceptions=(without_shift, down_the_batch, over_everything, the_logarithm),
        hints=HINTS,
    ),
    Exercise(
        crossentropy,
        title="The loss",
        points=2,
        cases=crossentropy_cases,
        uses=("softmax",),
        misconceptions=(without_minus, sum_for_mean, mean_over_classes, base_two, tiny_added),
        hints=HINTS,
    ),
    Exercise(
        rescale,
        title="Decay in place",
        points=1,
        cases=rescale_cases,
        mutates=("weights",),
        misconceptions=(a_copy, plus, by_the_rate, subtracted),
        hints=HINTS,
    ),
    Exercise(
        Scale,
        title="A layer",
        points=1,
        cases=scale_cases,
        driver=two_layers,
        misconceptions=(Forgetful, Added, Inverse, Fixed),
        hints=HINTS,
    ),
    Exercise(
        promoted,
        title="Which dtype?",
        points=1,
        choices=("bool", "int64", "float32", "float64"),
        misconceptions=(numpy_rule, first_operand, all_bool, off_by_one),
        hints=HINTS,
    ),
    Exercise(
        half_life,
        title="What is left?",
        points=1,
        misconceptions=(doubled, all_gone, unchanged, euler),
        hints=HINTS,
    ),
]
