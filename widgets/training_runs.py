"""What live training trains: one small network, from the same start, by several learners or schedules at once.

All runs see the same minibatches in the same order, and begin with the same parameters: what differs is the learner, or
how its rate changes. Two sets of data: points of a square in three zones, and scikit-learn's handwritten digits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import kernel
from widgets import live

Weights = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Data:
    """Points to learn from, points held out, and the sizes of the network: inputs, hidden units, classes."""

    inputs: np.ndarray
    labels: np.ndarray
    held_inputs: np.ndarray
    held_labels: np.ndarray
    sizes: tuple[int, int, int]


def zone(points: np.ndarray) -> np.ndarray:
    """The zone of each point: 1 above the diagonal that falls, below it 2 right and 0 left of the one that rises.

    >>> zone(np.array([[0.2, 0.5], [0.9, 0.8], [0.5, 0.2]]))
    array([0, 1, 2])
    """
    x, y = points.T
    return np.where(x + y > 1, 1, np.where(x > y, 2, 0))


@functools.cache
def three_zones() -> Data:
    points = np.random.default_rng(0).random((1500, 2), dtype=np.float32)
    return _split(points, zone(points), 1000, (2, 12, 3))


@functools.cache
def digits() -> Data:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return _split((images[order] / 16).astype(np.float32), labels[order], 1437, (64, 32, 10))


def _split(inputs: np.ndarray, labels: np.ndarray, count: int, sizes: tuple[int, int, int]) -> Data:
    return Data(inputs[:count], labels[:count], inputs[count:], labels[count:], sizes)


DATA: Mapping[str, Callable[[], Data]] = {"three zones": three_zones, "digits": digits}

# By name: the learner's class, what else it is made with, and a rate that suits it.
LEARNERS: Mapping[str, tuple[Any, dict[str, Any], float]] = {
    "SGD": (kernel.SGD, {}, 0.5),
    "momentum": (kernel.SGD, {"momentum": 0.9}, 0.1),
    "Nesterov": (kernel.SGD, {"momentum": 0.9, "nesterov": True}, 0.1),
    "Adagrad": (kernel.Adagrad, {}, 0.2),
    "RMSprop": (kernel.RMSprop, {}, 0.02),
    "Adam": (kernel.Adam, {}, 0.02),
    "Lion": (kernel.Lion, {}, 0.005),
}

# By name: a rate and how many updates there are → the number or the schedule.
SCHEDULES: Mapping[str, Callable[[float, int], Any]] = {
    "constant": lambda rate, updates: rate,
    "steps": lambda rate, updates: kernel.schedules.StepDecay(rate, updates // 3, 0.3),
    "linear": lambda rate, updates: kernel.schedules.Linear(rate, 0.0, updates),
    "cosine": lambda rate, updates: kernel.schedules.Cosine(rate, updates),
    "warm-up": lambda rate, updates: kernel.schedules.WarmUp(
        kernel.schedules.Cosine(rate, updates - updates // 10), updates // 10
    ),
    "one cycle": lambda rate, updates: kernel.schedules.OneCycle(rate, updates),
}


@dataclass(frozen=True)
class Run:
    """One that takes part: its name in the picture, its learner, and its rate, a number or a schedule."""

    name: str
    # Of `style.series` and `style.mark`.
    look: int
    learner: str
    rate: Any

    def make(self, parameters: Sequence[kernel.Parameter]) -> Any:
        learner, options, _ = LEARNERS[self.learner]
        return learner(parameters, lr=self.rate, **options)

    @property
    def code(self) -> str:
        learner, options, _ = LEARNERS[self.learner]
        rate = f"{self.rate:g}" if isinstance(self.rate, float) else self.rate.code
        said = "".join(f", {name}={value}" for name, value in options.items())
        return f"{learner.__name__}(model.parameters(), lr={rate}{said})"


def runs(compare: str, updates: int, **values: Any) -> list[Run]:
    """Those that take part, of the widget's controls.

    >>> [run.code for run in runs("schedules", 300, learner="SGD", rate=0.5, schedules=("cosine",))]
    ['SGD(model.parameters(), lr=Cosine(0.5, 300))']
    """
    if compare == "learners":
        chosen = [
            Run(name, look, name, values[rate_of(name)])
            for look, name in enumerate(LEARNERS)
            if name in values["learners"]
        ]
    else:
        chosen = [
            Run(name, look, values["learner"], make(values["rate"], updates))
            for look, (name, make) in enumerate(SCHEDULES.items())
            if name in values["schedules"]
        ]
    if not chosen:
        raise ValueError(f"LiveTraining: choose at least one of the {compare}.")
    return chosen


def rate_of(learner: str) -> str:
    """The name of the control that holds a learner's rate."""
    return f"rate_{learner}"


@dataclass(frozen=True)
class Frame(live.Frame):
    """All runs after some updates; arrays have a row for each run."""

    # Losses of the minibatches so far, as running means, and the rates now.
    losses: np.ndarray
    rates: tuple[float, ...]
    # After which updates the points held out were looked at, with what loss, and what share of them was right.
    looked: np.ndarray
    held: np.ndarray
    right: np.ndarray
    weights: tuple[Weights, ...]


def first_weights(sizes: tuple[int, int, int], generator: np.random.Generator) -> Weights:
    """Where every run begins: uniform, as a Linear layer begins."""
    inputs, hidden, classes = sizes

    def draw(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        bound = 1 / math.sqrt(columns)
        return generator.uniform(-bound, bound, (rows, columns)), generator.uniform(-bound, bound, rows)

    return tuple(part.astype(np.float32) for part in (*draw(hidden, inputs), *draw(classes, hidden)))


def log_probabilities(weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """What the network says of each input: the logarithm of how likely each class is."""
    first, first_bias, second, second_bias = weights
    # A run that diverged has no numbers to say anything with.
    with np.errstate(all="ignore"):
        logits = np.tanh(inputs @ first.T + first_bias) @ second.T + second_bias
        below = logits - logits.max(axis=1, keepdims=True)
        return below - np.log(np.exp(below).sum(axis=1, keepdims=True))


def probabilities(weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """
    >>> probabilities(first_weights((2, 12, 3), np.random.default_rng(0)), np.zeros((5, 2))).sum(axis=1).round(6)
    array([1., 1., 1., 1., 1.])
    """
    return np.exp(log_probabilities(weights, inputs))


def judge(weights: Weights, inputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean loss, and the share of inputs whose most likely class is their label.

    >>> certain = tuple(np.float32(part) for part in ([[99.0]], [0.0], [[0.0], [900.0]], [0.0, 0.0]))
    >>> judge(certain, np.array([[1.0]]), np.array([0]))
    (900.0, 0.0)
    """
    said = log_probabilities(weights, inputs)
    return float(-said[np.arange(len(labels)), labels].mean()), float((said.argmax(axis=1) == labels).mean())


# A run whose loss is beyond this has diverged, and rests.
_LOST = 1e4
# How much of the running mean of the losses stays with each update.
_KEPT = 0.9
# How often the points held out are looked at in a training.
_LOOKS = 60


class _Racer:
    """One run under way: its parameters and its learner."""

    def __init__(self, run: Run, weights: Weights) -> None:
        self.parameters = [kernel.Parameter(kernel.tensor(part)) for part in weights]
        self.learner = run.make(self.parameters)
        self.lost = False

    def update(self, inputs: kernel.Tensor, labels: kernel.Tensor) -> float:
        """One update with a minibatch; its loss before."""
        if self.lost:
            return math.nan
        first, first_bias, second, second_bias = self.parameters
        self.learner.zero_grad()
        with np.errstate(all="ignore"):
            hidden = kernel.tanh(kernel.linear(inputs, first, first_bias))
            loss = kernel.cross_entropy(kernel.linear(hidden, second, second_bias), labels)
            loss.backward()
            self.learner.step()
        value = loss.item()
        self.lost = not value < _LOST
        return math.nan if self.lost else value

    def weights(self) -> Weights:
        return tuple(np.array(parameter.detach().numpy()) for parameter in self.parameters)


def train(chosen: Sequence[Run], data: Data, minibatch: int, updates: int, seed: int) -> Iterator[Frame]:
    """All runs side by side, one update each per step: the same start, the same minibatches."""
    generator = np.random.default_rng(seed)
    start = first_weights(data.sizes, generator)
    racers = [_Racer(run, start) for run in chosen]
    losses = np.full((len(chosen), updates), np.nan)
    looks = sorted({round(updates * look / _LOOKS) for look in range(_LOOKS + 1)})
    held, right = np.full((2, len(chosen), len(looks)), np.nan)
    sums = np.zeros(len(chosen))
    looked = 0
    order = np.empty(0, int)
    for step in range(updates + 1):
        if step:
            while len(order) < minibatch:
                order = np.concatenate([order, generator.permutation(len(data.labels))])
            batch, order = order[:minibatch], order[minibatch:]
            inputs, labels = kernel.tensor(data.inputs[batch]), kernel.tensor(data.labels[batch])
            sums = _KEPT * sums + (1 - _KEPT) * np.array([racer.update(inputs, labels) for racer in racers])
            # Without the share that the start, which was no loss, has in the sum.
            losses[:, step - 1] = sums / (1 - _KEPT**step)
        weights = tuple(racer.weights() for racer in racers)
        if step in looks:
            for number, racer in enumerate(racers):
                if not racer.lost:
                    held[number, looked], right[number, looked] = judge(
                        weights[number], data.held_inputs, data.held_labels
                    )
            looked += 1
        yield Frame(
            step,
            updates,
            losses[:, :step],
            tuple(racer.learner.learning_rate() for racer in racers),
            np.array(looks[:looked]),
            held[:, :looked],
            right[:, :looked],
            weights,
        )
