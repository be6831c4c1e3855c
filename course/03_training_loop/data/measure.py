"""Measures what lesson 03 says of learners, rates and beginnings, and writes runs.csv: python measure.py, a minute.

Each row is one training on the three zones: experiment, learner, rate, seed, and the accuracy in per cent on 10,000
points for validation and on 10,000 for the test. The points are drawn here; there is nothing to license.
"""

import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import kernel
from kernel.layers import Linear, Sequential
from kernel.schedules import Cosine, StepDecay

LEARNERS: dict[str, Callable] = {
    "SGD": lambda parameters, rate: kernel.SGD(parameters, lr=rate),
    "momentum": lambda parameters, rate: kernel.SGD(parameters, lr=rate, momentum=0.9),
    "Adam": lambda parameters, rate: kernel.Adam(parameters, lr=rate),
    "Adadelta": lambda parameters, rate: kernel.Adadelta(parameters, lr=rate),
}
FIRST_RATES = {"SGD": 0.1, "momentum": 0.1, "Adam": 0.001, "Adadelta": 1.0}
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
VALIDATION, TEST = slice(200_000, 210_000), slice(210_000, 220_000)


def zones(points: np.ndarray) -> np.ndarray:
    """1 above the falling diagonal; below it 2 on the right of the rising one and 0 on its left."""
    x, y = points.T
    return np.where(x + y > 1, 1, np.where(x > y, 2, 0))


POINTS = np.random.default_rng(0).random((220_000, 2))
X, Y = kernel.tensor(POINTS, kernel.float32), kernel.tensor(zones(POINTS))


def fresh_net(seed: int) -> Sequential:
    kernel.manual_seed(seed)
    return Sequential(Linear(2, 12), kernel.relu, Linear(12, 3))


def train(net: Callable, learner: kernel.learners.Learner, batch: int, steps: int) -> None:
    for start in range(0, steps * batch, batch):
        rows = slice(start, start + batch)
        learner.zero_grad()
        kernel.cross_entropy(net(X[rows]), Y[rows]).backward()
        learner.step()


def scores(net: Callable) -> tuple[float, float]:
    """Accuracy in per cent, on the points for validation and on those for the test."""
    with kernel.no_grad():
        return tuple(100 * kernel.accuracy(net(X[part]), Y[part]) for part in (VALIDATION, TEST))


def rates_tried() -> Iterator[tuple]:
    """A fresh net, one sweep of 400 minibatches of 500; the rate stays, or falls to 0."""
    for name, rate, seed in itertools.product(LEARNERS, RATES, range(5)):
        for experiment, schedule in (("constant", rate), ("falling", Cosine(rate, 400))):
            net = fresh_net(seed)
            train(net, LEARNERS[name](net.parameters(), schedule), batch=500, steps=400)
            yield experiment, name, rate, seed, *scores(net)


def one_after_another() -> Iterator[tuple]:
    """A net that has learned by the loop of section 3, then three learners in turn, in every order."""
    for seed in range(5):
        learned = fresh_net(seed)
        train(learned, kernel.SGD(learned.parameters(), StepDecay(0.5, 1000, start=100)), batch=20, steps=5000)
        yield "begin", "SGD", 0.5, seed, *scores(learned)
        for order in itertools.permutations(("momentum", "Adam", "Adadelta")):
            net = learned.clone()
            for name in order:
                train(net, LEARNERS[name](net.parameters(), FIRST_RATES[name]), batch=500, steps=400)
                yield ", ".join(order), name, FIRST_RATES[name], seed, *scores(net)


def beginnings() -> Iterator[tuple]:
    """The loop of section 3, begun with 0.01 times normal numbers, or as Linear begins."""
    for seed in range(8):
        small, layers = fresh_net(seed), fresh_net(seed)
        kernel.manual_seed(seed)
        for name, shape in (("0", (2, 12)), ("2", (12, 3))):
            small[int(name)].load_state_dict(
                {"weight": 0.01 * kernel.randn(*shape).T, "bias": 0.01 * kernel.randn(shape[1])}
            )
        for experiment, net in (("small", small), ("as Linear", layers)):
            train(net, kernel.SGD(net.parameters(), StepDecay(0.5, 1000, start=100)), batch=20, steps=5000)
            yield experiment, "SGD", 0.5, seed, *scores(net)


if __name__ == "__main__":
    # A rate that is too high ends in numbers that are none, and that is a result.
    with np.errstate(all="ignore"), Path(__file__).with_name("runs.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["experiment", "learner", "rate", "seed", "validation", "test"])
        for *what, validation, test in itertools.chain(rates_tried(), one_after_another(), beginnings()):
            writer.writerow([*what, f"{validation:.2f}", f"{test:.2f}"])
