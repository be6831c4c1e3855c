"""Losses of two numbers, on which learners race and rules are tried: in functions of the kernel, which finds gradients.

`relief` is such a loss from above, as an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

import kernel

_PIXELS = 250  # of the map, at least, where the screen has one for each of CSS
# Colours, each as one number of its four bytes: NumPy copies those ten times as fast.
_LOWEST, _HIGHEST, _LINE = ((255, 255, 255, 255), (196, 206, 217, 255), (160, 172, 186, 255))
_BANDS = np.linspace(_LOWEST, _HIGHEST, 18).astype(np.uint8).view(np.uint32).ravel()
_BETWEEN = np.array(_LINE, np.uint8).view(np.uint32)


def _quadratic(places: Any, condition: float) -> Any:
    return places**2 @ _half_curvatures(condition)


@lru_cache(64)
def _half_curvatures(condition: float) -> Any:
    return kernel.tensor([0.5 / condition, 0.5], dtype="float64")


_TURN = kernel.from_numpy(np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2))


def _turned(places: Any, condition: float) -> Any:
    return _quadratic(places @ _TURN, condition)


def _rosenbrock(places: Any, condition: float) -> Any:
    x, y = places[:, 0], places[:, 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _beale(places: Any, condition: float) -> Any:
    x, y = places[:, 0], places[:, 1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _saddle(places: Any, condition: float) -> Any:
    x, y = places[:, 0], places[:, 1]
    return x**2 / 2 + (y**2 - 1) ** 2 / 4


# The network: 2 numbers, 6 hidden units with tanh, 3 classes; its 39 weights in one row.
_SHAPES = ((2, 6), (1, 6), (6, 3), (1, 3))


@cache
def _zones() -> tuple[Any, Any]:
    """48 points, (48, 2), and which of the three zones of lesson 04 each lies in, one-hot, (48, 3)."""
    points = np.random.default_rng(3).uniform(-1, 1, (48, 2))
    x, y = points.T
    zones = np.where(y > abs(x) - 0.2, 2, np.where(y < -0.6, 0, 1))
    return kernel.tensor(points), kernel.tensor(np.eye(3)[zones])


def _network_loss(weights: Any) -> Any:
    """The mean cross-entropy of the network for each row of weights, (L, 39) to (L,)."""
    points, truth = _zones()
    ends = np.cumsum([0, *(math.prod(shape) for shape in _SHAPES)])
    w1, b1, w2, b2 = (
        weights[:, start:end].reshape(-1, *shape)
        for start, end, shape in zip(ends[:-1], ends[1:], _SHAPES, strict=True)
    )
    scores = kernel.tanh(points @ w1 + b1) @ w2 + b2
    return (kernel.logsumexp(scores, axis=2) - (scores * truth).sum(axis=2)).mean(axis=1)


@cache
def _network_plane() -> tuple[np.ndarray, np.ndarray]:
    """Where a training of the network began, (39,), and two directions, (2, 39): to where it ended, and across."""
    generator = np.random.default_rng(3)
    begin = generator.normal(0, 0.7, sum(map(math.prod, _SHAPES)))
    weights = kernel.Parameter(begin[None])
    learner = kernel.SGD([weights], lr=0.5, momentum=0.9)
    for _ in range(150):
        learner.zero_grad()
        _network_loss(weights).sum().backward()
        learner.step()
    along, across = weights.detach().numpy()[0] - begin, generator.normal(size=len(begin))
    across -= along * (along @ across) / (along @ along)
    return begin, np.stack([along, across * np.linalg.norm(along) / np.linalg.norm(across)])


def _network(places: Any, condition: float) -> Any:
    begin, directions = _network_plane()
    return _network_loss(kernel.tensor(begin) + places @ kernel.tensor(directions))


@dataclass(frozen=True)
class Surface:
    """A loss of two numbers: `loss(places (L, 2), condition) -> (L,)`, in the kernel's functions, and how it is shown.

    `middle` and `reach` are the middle of the map and how far it goes, `lowest` and `highest` the losses shown.
    `noise` is the spread of a tilt that every minibatch adds: its gradient is off by so much. For the map the loss is
    computed in `grid` times `grid` places. `conditioned` says whether the condition number matters.
    """

    loss: Callable[[Any, float], Any]
    words: str
    start: tuple[float, float]
    middle: tuple[float, float] = (0.0, 0.0)
    reach: float = 2.0
    lowest: float = 1e-6
    highest: float = 10.0
    noise: float = 0.0
    grid: int = 273
    conditioned: bool = False
    axes: tuple[str, str] = ("w₁", "w₂")


SURFACES = {
    "quadratic": Surface(_quadratic, "the quadratic", (-1.7, 1.2), conditioned=True),
    "quadratic, turned": Surface(_turned, "the turned quadratic", (-1.7, -0.6), conditioned=True),
    "quadratic, noisy": Surface(
        _quadratic, "the noisy quadratic", (-1.7, 1.2), lowest=1e-4, noise=0.5, conditioned=True
    ),
    "Rosenbrock": Surface(_rosenbrock, "Rosenbrock's valley", (-1.5, 2.0), (0.0, 1.0), 2.2, 1e-4, 1e4),
    "Beale": Surface(_beale, "Beale's plain", (-1.0, -1.5), reach=4.5, lowest=1e-4, highest=1e4),
    "saddle": Surface(_saddle, "the saddle", (1.5, 0.02)),
    "a small network": Surface(
        _network,
        "a slice through the loss of a network",
        *((-0.4, 0.7), (0.5, 0.0), 1.25, 5e-3, 20.0),
        grid=137,
        axes=("0: where a training began, 1: where it ended", "across"),
    ),
}


def _twice_as_fine(values: np.ndarray) -> np.ndarray:
    """A table of values with the means of neighbours between them: (N, N) to (2 N - 1, 2 N - 1)."""
    fine = np.empty([2 * size - 1 for size in values.shape])
    fine[::2, ::2] = values
    fine[1::2, ::2] = (values[1:] + values[:-1]) / 2
    fine[:, 1::2] = (fine[:, 2::2] + fine[:, :-2:2]) / 2
    return fine


@lru_cache(16)
def relief(surface: str, condition: float, pixel_ratio: int = 2) -> np.ndarray:
    """The loss from above, as an image: bands of equal ratios, white where it is lowest, with lines between them.

    The lines are a pixel wide: the image must not be drawn smaller than it is.
    """
    shown = SURFACES[surface]
    x, y = (middle + shown.reach * np.linspace(-1, 1, shown.grid) for middle in shown.middle)
    places = kernel.tensor(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    losses = shown.loss(places, condition).numpy().reshape(shown.grid, shown.grid)
    lowest = losses.min()
    # The logarithm, so that valleys show; a little is added, or the deepest point would take most of the bands.
    heights = np.log(losses - lowest + 1e-3 * (np.median(losses) - lowest))
    while len(heights) < pixel_ratio * _PIXELS:
        heights = _twice_as_fine(heights)
    bands = ((heights - heights.min()) * ((len(_BANDS) - 1e-6) / np.ptp(heights))).astype(np.uint8)
    image = _BANDS[bands]
    image[1:][bands[1:] != bands[:-1]] = _BETWEEN
    image[:, 1:][bands[:, 1:] != bands[:, :-1]] = _BETWEEN
    return image.view(np.uint8).reshape(*bands.shape, 4)
