"""What races in the learner race, on what, and how it went: the mathematics of that widget.

The learners are the kernel's own, on a `Parameter` of two numbers; gradients come from the tape. All runs take their
steps together: one `backward` for all places, then one `step` for each learner. What has run once is kept, so that
scrubbing through time computes nothing, and a rate that moves starts one learner again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

import kernel
from widgets import style
from widgets.surfaces import SURFACES, Surface

STEPS = 80
# A run that is further away than this has diverged: it is not followed into overflow.
FAR = 1e6
LOWEST_RATE, HIGHEST_RATE = 1e-4, 1e4

# --- the learners ---

_G, _V, _D = (
    style.term(letter, colour) for letter, colour in (("g", style.VERMILLION), ("v", style.BLUE), ("d", style.GREEN))
)
_AVERAGE, _SQUARES = f"{_V} ← β v + (1 − β) {_G}", "a ← β₂ a + (1 − β₂) g²"


@dataclass(frozen=True)
class Racer:
    """A learner of the kernel as the race runs it: its function, its options, its velocity's name, its lines."""

    function: str
    options: Mapping[str, Any]
    velocity: str | None
    lines: tuple[str, ...]

    def learner(self, parameter: Any, rate: float) -> Any:
        return getattr(kernel, self.function)([parameter], rate, **self.options)

    def code(self, rate: float) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"kernel.{self.function}(model.parameters(), {rate:g}{options})"


_LIKE_ADAM = {"momentum": 0.9, "variance_momentum": 0.999}
_SIZES = {"gamma": 0.95, "inc": 1.2, "dec": 0.75, "max": 10, "min": 1e-6}
RACERS = {
    "sgd": Racer("sgd", {}, None, (f"{_D} = η {_G}",)),
    "momentum_sgd": Racer("momentum_sgd", {"momentum": 0.9}, "v", (f"{_V} ← β v + (1 − β) η {_G}", f"{_D} = v")),
    "nesterov": Racer(
        "nesterov", {"momentum": 0.9}, "v", (f"{_V} ← β v + (1 − β) η {_G}", f"{_D} = β v + (1 − β) η g")
    ),
    "adagrad": Racer("adagrad", {"need_ave_multiplier": False}, None, ("a ← a + g²", f"{_D} = η {_G} / √a")),
    "rmsprop": Racer(
        "rmsprop",
        {**_SIZES, "need_ave_multiplier": False},
        None,
        ("a ← γ a + (1 − γ) g²", "s ← 1.2 s or 0.75 s", f"{_D} = η s {_G} / √a"),
    ),
    "fsadagrad": Racer("fsadagrad", _LIKE_ADAM, "v", (_SQUARES, f"{_AVERAGE} √c / √a", f"{_D} = η v")),
    "adam": Racer("adam", _LIKE_ADAM, "m", (_AVERAGE, _SQUARES, f"{_D} = η v̂ / (√â + ε)")),
    "adamax": Racer(
        "adam", {**_LIKE_ADAM, "adamax": True}, "m", (_AVERAGE, "a ← max(β₂ a, |g|)", f"{_D} = η v̂ / (a + ε)")
    ),
    "adadelta": Racer(
        "adadelta",
        {"rho": 0.95, "epsilon": 1e-6},
        None,
        ("a ← ρ a + (1 − ρ) g²", f"{_D} = η √(x + ε) / √(a + ε) {_G}", "x ← ρ x + (1 − ρ) (d / η)²"),
    ),
    "Lion": Racer("Lion", {}, "m", (f"{_D} = η sign(β₁ v + (1 − β₁) g)", f"{_V} ← β₂ v + (1 − β₂) {_G}")),
}
NAMES = tuple(RACERS)

# --- the runs ---


@dataclass(frozen=True)
class Run:
    """Where a learner was at each step, (STEPS + 1, 2), the loss there, and the gradient; nan once it has diverged."""

    places: np.ndarray
    losses: np.ndarray
    gradients: np.ndarray

    @property
    def lost_at(self) -> int | None:
        """The step at which it was too far away to be followed; None if it never was."""
        lost = np.isnan(self.losses)
        return int(lost.argmax()) if lost.any() else None


@lru_cache
def _tilts(noise: float) -> np.ndarray:
    """What each minibatch's tilt adds to the gradient, (STEPS + 1, 2): the same for all learners."""
    return noise * np.random.default_rng(0).normal(size=(STEPS + 1, 2))


def _begin(
    start: tuple[float, float], entries: Sequence[tuple[str, float]]
) -> tuple[list[Any], list[np.ndarray], np.ndarray]:
    """(learners, each with a parameter of its own; where these are, (2,) each; their gradients, (len(entries), 2)).

    The arrays are the parameters' own memory: a learner reads the gradient that is written there, and moves the place.
    """
    parameters = [kernel.Parameter(np.array(start, np.float64)) for _ in entries]
    learners = [RACERS[name].learner(p, rate) for p, (name, rate) in zip(parameters, entries, strict=True)]
    gradients = np.zeros((len(entries), 2))
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = kernel.from_numpy(gradient)
    return learners, [parameter.detach().numpy() for parameter in parameters], gradients


def race(surface: str, condition: float, start: tuple[float, float], entries: Sequence[tuple[str, float]]) -> list[Run]:
    """Let learners run side by side, each by its name and with its rate.

    >>> [run] = race("quadratic", 10.0, (1.0, 1.0), [("sgd", 0.5)])
    >>> run.places[:3].round(4).tolist(), run.losses[:2].round(4).tolist()
    ([[1.0, 1.0], [0.95, 0.5], [0.9025, 0.25]], [0.55, 0.1701])
    """
    shown, tilts = SURFACES[surface], _tilts(SURFACES[surface].noise)
    learners, now, pulls = _begin(start, entries)
    places, gradients = np.full((2, len(entries), STEPS + 1, 2), np.nan)
    losses = np.full((len(entries), STEPS + 1), np.nan)
    running = np.arange(len(entries))
    for step in range(STEPS + 1):
        found = np.array([now[i] for i in running])
        near = np.abs(found).max(axis=1) < FAR
        if not near.all():
            running, found = running[near], found[near]
        if not len(running):
            break
        here = kernel.tensor(found, requires_grad=True)
        loss = shown.loss(here, condition)
        loss.backward(kernel.ones_like(loss))  # as of their sum, with an operation less
        places[running, step], losses[running, step] = found, loss.detach().numpy()
        gradients[running, step] = pulls[running] = here.grad.numpy() + tilts[step]
        for i in running:
            learners[i].step(1)
    return [Run(*arrays) for arrays in zip(places, losses, gradients, strict=True)]


_RUNS: dict[tuple, Run] = {}
_KEPT = 5000  # of 3 kB each


def runs(surface: str, condition: float, start: tuple[float, float], rates: Mapping[str, float]) -> dict[str, Run]:
    """The run of each learner; those that have run before are not run again.

    >>> rates = {"sgd": 0.5, "adam": 0.1}
    >>> first = runs("saddle", 1.0, (1.0, 0.1), rates)
    >>> runs("saddle", 1.0, (1.0, 0.1), rates | {"adam": 0.2})["sgd"] is first["sgd"]
    True
    """
    track = (surface, condition, start)
    found = {name: _RUNS.get((*track, name, rate)) for name, rate in rates.items()}
    missing = [(name, rates[name]) for name, run in found.items() if run is None]
    if missing:
        if len(_RUNS) > _KEPT:
            _RUNS.clear()
        for (name, rate), run in zip(missing, race(*track, missing), strict=True):
            found[name] = _RUNS[*track, name, rate] = run
    return found


def inside(racer: str, rate: float, run: Run, step: int) -> tuple[np.ndarray | None, np.ndarray]:
    """(the velocity, if the learner has one, and the step), (2,) each, that it makes of a run's gradients up to there.

    >>> [run] = race("quadratic", 10.0, (1.0, 1.0), [("momentum_sgd", 0.5)])
    >>> [array.round(4).tolist() for array in inside("momentum_sgd", 0.5, run, 0)]
    [[0.005, 0.05], [-0.005, -0.05]]
    """
    [learner], [place], [pull] = _begin((0.0, 0.0), [(racer, rate)])
    for gradient in run.gradients[: step + 1]:
        before = place.copy()
        pull[:] = gradient
        learner.step(1)
    name = RACERS[racer].velocity
    velocity = None if name is None else learner.state_dict()[f"0.{name}"].numpy()
    return velocity, place - before


# --- retuning ---

_DIVERGED = 10.0  # where a curve counts as being that is no more


def area(surface: Surface, losses: np.ndarray) -> np.ndarray:
    """How high the curves (…, STEPS + 1) of losses run, on average: 0 is the foot of their picture and 1 its top."""
    low, high = math.log(surface.lowest), math.log(surface.highest)
    heights = (np.log(np.maximum(losses, surface.lowest)) - low) / (high - low)
    return np.nan_to_num(heights, nan=_DIVERGED).mean(axis=-1)


@lru_cache(64)
def retuned(surface: str, condition: float, start: tuple[float, float]) -> tuple[float, ...]:
    """The best rate of each learner, in the order of NAMES: the one with the least area under the curve of its loss.

    First three rates in each decade are tried, then twelve around the best of them.

    >>> sgd, *_, lion = retuned("quadratic", 10.0, (1.0, 1.0))
    >>> 0.5 < sgd < 2 and lion < sgd
    True
    """

    def best(tried: Mapping[str, Iterable[float]]) -> dict[str, float]:
        entries = [(name, float(f"{rate:.3g}")) for name, rates in tried.items() for rate in rates]
        areas = area(SURFACES[surface], np.stack([run.losses for run in race(surface, condition, start, entries)]))
        found = sorted(zip(areas, entries, strict=True), reverse=True)
        return {name: rate for _, (name, rate) in found}

    decades = range(round(math.log10(LOWEST_RATE)) * 3, round(math.log10(HIGHEST_RATE)) * 3 + 1)
    coarse = best({name: [10 ** (third / 3) for third in decades] for name in NAMES})
    fine = best({name: [rate * 10 ** (twelfth / 12) for twelfth in range(-3, 4)] for name, rate in coarse.items()})
    return tuple(min(max(fine[name], LOWEST_RATE), HIGHEST_RATE) for name in NAMES)


# --- the state ---


@dataclass(frozen=True)
class RaceState:
    """The race at one step: who takes part, who is looked at, and that one's gradient, velocity and step, (2,) each.

    There are rates of all learners, and runs of those that are shown.
    """

    surface: str
    condition: float
    start: tuple[float, float]
    step: int
    shown: tuple[str, ...]
    chosen: str
    rates: dict[str, float]
    runs: dict[str, Run]
    gradient: np.ndarray
    velocity: np.ndarray | None
    move: np.ndarray

    def place(self, name: str) -> np.ndarray:
        return self.runs[name].places[self.step]

    def loss(self, name: str) -> float:
        return float(self.runs[name].losses[self.step])

    def is_lost(self, name: str) -> bool:
        return math.isnan(self.loss(name))

    @property
    def ranking(self) -> list[str]:
        """The learners that are shown and still there, the lowest loss first."""
        return sorted((name for name in self.shown if not self.is_lost(name)), key=self.loss)

    @property
    def extremes(self) -> tuple[str, str]:
        """The learners with the smallest and the largest rate."""
        return min(NAMES, key=self.rates.__getitem__), max(NAMES, key=self.rates.__getitem__)

    @property
    def turned_by(self) -> float:
        """The angle between the step and straight downhill, in degrees; nan where one of them is 0."""
        length = np.linalg.norm(self.gradient) * np.linalg.norm(self.move)
        if not length > 0:
            return math.nan
        return math.degrees(math.acos(np.clip(-self.gradient @ self.move / length, -1, 1)))


def race_state(
    surface: str,
    condition: float,
    start: tuple[float, float],
    rates: Sequence[float],
    shown: Sequence[str],
    chosen: str,
    step: int,
) -> RaceState:
    """All learners from one start on one surface, at one step.

    Arguments:
        surface: one of SURFACES.
        condition: the condition number of the quadratics, at least 1.
        start: where all begin.
        rates: a learning rate for each of NAMES.
        shown: the learners that are to be seen; the chosen one always is.
        chosen: the learner whose gradient, velocity and step are wanted.
        step: 0 to STEPS.

    Raises:
        ValueError: an argument is not as above.

    >>> state = race_state("quadratic", 10.0, (1.0, 1.0), [0.5] * len(NAMES), ["adam"], "sgd", step=1)
    >>> state.shown, state.place("sgd").round(4).tolist(), state.move.round(4).tolist()
    (('sgd', 'adam'), [0.95, 0.5], [-0.0475, -0.25])
    """
    if surface not in SURFACES:
        raise ValueError(f"race_state: surface must be one of {', '.join(map(repr, SURFACES))}; got {surface!r}.")
    if not 1 <= condition < math.inf:
        raise ValueError(f"race_state: condition must be at least 1; got {condition}.")
    if not all(abs(number) < FAR for number in start):
        raise ValueError(f"race_state: start must be two numbers below {FAR:g}; got {start}.")
    if len(rates) != len(NAMES) or not all(isinstance(rate, Real) and 0 < rate < math.inf for rate in rates):
        raise ValueError(f"race_state: rates must be {len(NAMES)} numbers above 0; got {rates}.")
    for name in (*shown, chosen):
        if name not in NAMES:
            raise ValueError(f"race_state: there is no learner {name!r}; there are {', '.join(NAMES)}.")
    if not 0 <= step <= STEPS:
        raise ValueError(f"race_state: step must be 0 to {STEPS}; got {step}.")
    if not SURFACES[surface].conditioned:
        condition = 1.0  # so that what has run under another one is found
    by_name = dict(zip(NAMES, map(float, rates), strict=True))
    taking_part = tuple(name for name in NAMES if name in shown or name == chosen)
    found = runs(surface, condition, start, {name: by_name[name] for name in taking_part})
    run = found[chosen]
    gradient = run.gradients[step]
    if run.lost_at is not None and run.lost_at <= step:
        moving, move = None, np.full(2, np.nan)
    else:
        moving, move = inside(chosen, by_name[chosen], run, step)
    return RaceState(
        surface,
        condition,
        start,
        step,
        taking_part,
        chosen,
        by_name,
        found,
        gradient,
        moving,
        move,
    )
