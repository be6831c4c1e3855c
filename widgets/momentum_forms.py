"""Lesson 07: momentum on a quadratic loss: which rates and momenta converge, ripple or diverge, and how fast.

A quadratic falls apart into directions of its own, each with its curvature c and the gradient c·w. In each of them one
step of a learner is a 2 × 2 matrix on (parameter w, velocity v), and the matrix's eigenvalues say what happens. The
steepest direction has curvature 1, the flattest 1 / condition number: what is between them is never worse than both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from kernel.schedules import half_life_of_momentum, momentum_of_time_constant, time_constant_of_momentum
from widgets import style
from widgets.base import Checkbox, Choice, Interactive, Number, Pointer, Slider, Table
from widgets.canvas import Backdrop, Canvas

FORMS = ("heavy ball", "Nesterov")
# What becomes of a run, in the order of `kinds`.
KINDS = ("glides", "ripples", "diverges")
STEPS = 120


def step_matrix(form: str, rate: float, momentum: float, curvature: float, unit_gain: bool = False) -> np.ndarray:
    """One step on the loss curvature · w² / 2, as the matrix that takes (w, v) to the next (w, v).

    Heavy ball:  v = m v + u rate c w;  w -= v.  Nesterov:  d = u rate c w;  v = m v + d;  w -= m v + d.
    Here m is the momentum, and u is 1 - m with unit gain, 1 without.

    >>> step_matrix("heavy ball", 1.0, 0.5, curvature=0.5).tolist()
    [[0.5, -0.5], [0.5, 0.5]]
    """
    m = momentum
    d = (1 - m if unit_gain else 1) * rate * curvature
    if form == "heavy ball":
        return np.array([[1 - d, -m], [d, m]])
    return np.array([[1 - (1 + m) * d, -m * m], [d, m]])


def eigenvalues(form: str, rate: Any, momentum: Any, curvature: float, unit_gain: bool = False) -> np.ndarray:
    """The two eigenvalues of `step_matrix`, the larger real part first; rate and momentum may be arrays.

    >>> eigenvalues("heavy ball", 1.0, 0.5, curvature=0.5)
    array([0.5+0.5j, 0.5-0.5j])
    """
    d = (1 - momentum if unit_gain else 1) * rate * curvature
    if form == "heavy ball":
        half_trace, determinant = (1 + momentum - d) / 2, momentum + 0 * d
    else:
        half_trace, determinant = (1 + momentum) * (1 - d) / 2, momentum * (1 - d)
    root = np.sqrt(half_trace**2 - determinant + 0j)
    return np.stack([half_trace + root, half_trace - root])


def factor(form: str, rate: Any, momentum: Any, condition: float, unit_gain: bool = False) -> np.ndarray:
    """By what the distance to the minimum shrinks per step in the long run: the largest absolute eigenvalue.

    >>> factor("heavy ball", 1.0, 0.0, condition=10).item()
    0.9
    """
    ends = [eigenvalues(form, rate, momentum, curvature, unit_gain) for curvature in (1, 1 / condition)]
    return np.abs(ends).max(axis=(0, 1))


def kinds(form: str, rate: Any, momentum: Any, condition: float, unit_gain: bool = False) -> np.ndarray:
    """0 where a run glides into the minimum, 1 where it crosses it on the way, 2 where it does not arrive.

    Positive eigenvalues below 1 die out without a change of sign; a complex pair turns, a negative one jumps.

    >>> kinds("heavy ball", np.array([0.05, 1.0, 4.0]), 0.5, condition=10).tolist()
    [0, 1, 2]
    """
    ends = np.stack([eigenvalues(form, rate, momentum, curvature, unit_gain) for curvature in (1, 1 / condition)])
    crosses = ((ends.imag != 0) | (ends.real < 0)).any(axis=(0, 1))
    # Two zeros: Nesterov's first step goes too far by as much as the second comes back.
    crosses |= (~ends.any(axis=1)).any(axis=0) & (np.asarray(momentum) > 0)
    return np.where(np.abs(ends).max(axis=(0, 1)) >= 1, 2, np.where(crosses, 1, 0))


def critical_rates(form: str, momentum: Any, unit_gain: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(the rate above which a run ripples, the rate from which it diverges), for curvatures up to 1.

    >>> [rate.item() for rate in critical_rates("heavy ball", np.array(0.25))]
    [0.25, 2.5]
    """
    m = np.asarray(momentum, dtype=np.float64)
    gain = 1 - m if unit_gain else 1
    if form == "heavy ball":
        return (1 - np.sqrt(m)) ** 2 / gain, 2 * (1 + m) / gain
    return ((1 - m) / (1 + m)) ** 2 / gain, 2 * (1 + m) / (1 + 2 * m) / gain


def best(form: str, condition: float, unit_gain: bool = False) -> tuple[float, float]:
    """(rate, momentum) with the smallest factor for a condition number k.

    Heavy ball: momentum ((√k − 1) / (√k + 1))². Nesterov: (√(3k + 1) − 2) / (√(3k + 1) + 2).

    >>> best("heavy ball", condition=9)
    (2.25, 0.25)
    """
    if form == "heavy ball":
        root = math.sqrt(condition)
        rate, momentum = (2 * root / (root + 1)) ** 2, ((root - 1) / (root + 1)) ** 2
    else:
        root = math.sqrt(3 * condition + 1)
        rate, momentum = 4 * condition / (3 * condition + 1), (root - 2) / (root + 2)
    return rate / (1 - momentum if unit_gain else 1), momentum


def path(
    form: str, rate: float, momentum: float, condition: float, unit_gain: bool = False, steps: int = STEPS
) -> np.ndarray:
    """The places of a run from (1, 1), shape (steps + 1, 2): flattest direction first, then the steepest.

    >>> path("heavy ball", 1.0, 0.5, condition=2, steps=2).tolist()
    [[1.0, 1.0], [0.5, 0.0], [0.0, -0.5]]
    """
    places = np.empty((steps + 1, 2))
    for column, curvature in enumerate((1 / condition, 1.0)):
        matrix, now = step_matrix(form, rate, momentum, curvature, unit_gain), np.array([1.0, 0.0])
        for step in range(steps + 1):
            places[step, column] = now[0]
            now = matrix @ now
    return places


def losses(places: np.ndarray, condition: float) -> np.ndarray:
    """The loss at each place, (w_flat² / condition + w_steep²) / 2, shape (len(places),).

    >>> losses(np.array([[1.0, 1.0], [0.0, 1.0]]), condition=4).tolist()
    [0.625, 0.5]
    """
    # A run that diverges may be too far off to square.
    flat, steep = np.clip(places, -1e100, 1e100).T
    return (flat**2 / condition + steep**2) / 2


@dataclass(frozen=True)
class Run:
    """One run on the quadratic: how the learner was set, what becomes of it, and where it went."""

    form: str
    unit_gain: bool
    rate: float
    momentum: float
    kind: str
    factor: float
    places: np.ndarray
    losses: np.ndarray

    @property
    def gain(self) -> str:
        return "unit gain" if self.unit_gain else "no unit gain"

    @property
    def having(self) -> str:
        return "with unit gain" if self.unit_gain else "without unit gain"

    @property
    def steps(self) -> int | None:
        """In the long run, about how many steps shrink the distance a hundredfold; None if it does not shrink.

        At first the distance may even grow: two eigenvalues that are equal have k z^(k - 1) in the path.
        """
        if self.factor >= 1:
            return None
        return math.ceil(math.log(0.01) / math.log(self.factor)) if self.factor > 0 else 1


@dataclass(frozen=True)
class MomentumState:
    """A chosen run; two with the other gain, at the same rate and at the rate of the same path; and the fastest run."""

    condition: float
    time_constant: float
    half_life: float
    chosen: Run
    same_rate: Run
    same_path: Run
    best: Run


def momentum_state(
    form: str, rate: float, momentum: float, condition: float, unit_gain: bool = False, samples: int = 1
) -> MomentumState:
    """A learner's settings on a quadratic with curvatures from 1 / condition to 1, and what becomes of them.

    Arguments:
        form: "heavy ball" or "Nesterov".
        rate: above 0; without momentum 2 is where it begins to diverge.
        momentum: at least 0 and below 1, per minibatch.
        condition: the largest curvature over the smallest, at least 1.
        unit_gain: whether the velocity is an average of gradients; otherwise it is their sum.
        samples: in a minibatch; they turn the momentum into a time constant.

    Raises:
        ValueError: an argument is not as above.

    >>> state = momentum_state("heavy ball", 1.0, 0.9, condition=50, samples=10)
    >>> state.chosen.kind, round(state.chosen.factor, 4), round(state.time_constant, 4), round(state.same_path.rate, 4)
    ('ripples', 0.9487, 94.9122, 10.0)
    """
    if form not in FORMS:
        raise ValueError(f"momentum_state: form must be {' or '.join(map(repr, FORMS))}; got {form!r}.")
    for name, value, right, wanted in (
        ("rate", rate, 0 < rate < math.inf, "above 0"),
        ("momentum", momentum, 0 <= momentum < 1, "at least 0 and below 1"),
        ("condition", condition, 1 <= condition < math.inf, "at least 1"),
        ("samples", samples, 1 <= samples < math.inf, "at least 1"),
    ):
        if not right:
            raise ValueError(f"momentum_state: {name} must be {wanted}; got {value}.")

    def run(rate: float, momentum: float, unit_gain: bool) -> Run:
        settings = (form, rate, momentum, condition, unit_gain)
        places = path(*settings)
        kind, shrinks = KINDS[int(kinds(*settings))], float(factor(*settings))
        return Run(form, unit_gain, rate, momentum, kind, shrinks, places, losses(places, condition))

    return MomentumState(
        condition,
        time_constant_of_momentum(momentum, samples),
        half_life_of_momentum(momentum, samples),
        chosen=run(rate, momentum, unit_gain),
        same_rate=run(rate, momentum, not unit_gain),
        same_path=run(rate * (1 - momentum) if unit_gain else rate / (1 - momentum), momentum, not unit_gain),
        best=run(*best(form, condition, unit_gain), unit_gain),
    )


def memory(moved: str, momentum: float, time_constant: float, half_life: float, samples: int) -> dict[str, float]:
    """Momentum, time constant and half-life after one of them, or the samples of a minibatch, was moved.

    Another minibatch size leaves the time constant: that is the point of having one.

    >>> memory("time_constant", 0.9, 300.0, 0.0, samples=10)
    {'momentum': 0.967216, 'time_constant': 300.0, 'half_life': 207.94}
    >>> memory("samples", 0.9, 300.0, 0.0, samples=100)
    {'momentum': 0.716531, 'time_constant': 300.0, 'half_life': 207.94}
    """
    if moved == "half_life":
        time_constant = half_life / math.log(2)
    if moved != "momentum":
        momentum = momentum_of_time_constant(time_constant, samples)
    if moved == "momentum" or momentum > HIGHEST_MOMENTUM:
        momentum = min(momentum, HIGHEST_MOMENTUM)
        time_constant = time_constant_of_momentum(momentum, samples)
    lasting = {"time_constant": time_constant, "half_life": time_constant * math.log(2)}
    return {"momentum": round(momentum, 6), **{name: float(f"{value:.5g}") for name, value in lasting.items()}}


# The map: its limits, its pixels, and how many steps shrink the distance a hundredfold, with how much colour that gets.
LOWEST_RATE, HIGHEST_RATE, HIGHEST_MOMENTUM = 0.01, 100.0, 0.995
_PIXELS = 280
_BANDS = {10: 0.85, 30: 0.62, 100: 0.44, 300: 0.28, math.inf: 0.14}
_TINTS = {"glides": style.GREEN, "ripples": style.SKY_BLUE}


def _pale(colour: str, share: float) -> np.ndarray:
    return 1 - share * (1 - np.array(to_rgb(colour)))


def _map(form: str, condition: float, unit_gain: bool) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """The map as an image, momentum upward and rate to the right, and the middle of each region for its name."""
    rates = np.geomspace(LOWEST_RATE, HIGHEST_RATE, _PIXELS)[None]
    momenta = 1 - np.geomspace(1, 1 - HIGHEST_MOMENTUM, _PIXELS)[:, None]
    kind = kinds(form, rates, momenta, condition, unit_gain)
    with np.errstate(divide="ignore"):
        steps = np.log(0.01) / np.log(factor(form, rates, momenta, condition, unit_gain))
    tints = np.array([[_pale(_TINTS[name], share) for share in _BANDS.values()] for name in KINDS[:2]])
    row, column = np.indices(kind.shape)
    stripes = np.where((row + column) % 12 < 4, 0.84, 0.95)[..., None]
    converging = tints[np.minimum(kind, 1), np.searchsorted(list(_BANDS)[:-1], steps)]
    names = {
        name: tuple((inside.mean(axis=0)[::-1] + 0.5) / _PIXELS)
        for number, name in enumerate(KINDS)
        if len(inside := np.argwhere(kind == number))
    }
    image = np.where((kind == 2)[..., None], stripes, converging)
    return np.concatenate([255 * image, np.full((*kind.shape, 1), 255)], axis=-1).astype(np.uint8), names


class MomentumForms(Interactive):
    """Choose a rate and a momentum on a map of what becomes of them, and see the run beside it.

    Arguments:
        form: "heavy ball" or "Nesterov", where the widget starts.
        rate, momentum, condition, unit_gain, samples: where the controls start.

    >>> MomentumForms(momentum=0.5).values["half_life"]
    10.0
    """

    title = "Momentum forms"

    def __init__(
        self,
        form: str = "heavy ball",
        rate: float = 1.0,
        momentum: float = 0.9,
        condition: float = 50.0,
        unit_gain: bool = False,
        samples: int = 10,
    ) -> None:
        self._start = momentum_state(form, rate, momentum, condition, unit_gain, samples)
        self._samples = samples
        self._mapped: Any = None
        self._draw_axes()
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        start = self._start.chosen
        lasts = memory("momentum", start.momentum, 0.0, 0.0, self._samples)
        return {
            "form": Choice("form", start.form, FORMS),
            "unit_gain": Checkbox("unit gain", start.unit_gain),
            "rate": Slider("rate", start.rate, LOWEST_RATE, HIGHEST_RATE, 1.05, logarithmic=True),
            "condition": Slider("condition number", self._start.condition, 1.0, 1000.0, 1.1, logarithmic=True),
            "momentum": Slider("momentum", lasts["momentum"], 0.0, HIGHEST_MOMENTUM, 0.005),
            "samples": Number("minibatch size", self._samples, 1, 4096, 1),
            "time_constant": Number("time constant", lasts["time_constant"], 0.0, 1e6, 1.0),
            "half_life": Number("half-life", lasts["half_life"], 0.0, 1e6, 1.0),
        }

    def follow(self, moved: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        linked = ("momentum", "time_constant", "half_life", "samples")
        return memory(moved, *(values[name] for name in linked)) if moved in linked else {}

    def state(self, *, time_constant: float, half_life: float, **values: Any) -> MomentumState:
        return momentum_state(**values)

    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        def fastest(values: dict[str, Any]) -> dict[str, Any]:
            rate, momentum = best(values["form"], values["condition"], values["unit_gain"])
            return {"rate": float(f"{rate:.4g}"), "momentum": round(max(momentum, 0.0), 4)}

        def other_gain(values: dict[str, Any]) -> dict[str, Any]:
            share, unit_gain = 1 - values["momentum"], values["unit_gain"]
            rate = values["rate"] * share if unit_gain else values["rate"] / share
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(f"The same path with the other gain needs a rate of {rate:.4g}, which is off the map.")
            return {"rate": rate, "unit_gain": not unit_gain}

        return {"Fastest": fastest, "Other gain, same path": other_gain}

    def pointers(self, state: MomentumState) -> Sequence[Pointer]:
        return (Pointer(self._area, x="rate", y="momentum"),)

    def _draw_axes(self) -> None:
        """The background, and the artists that move over it."""
        figure, area = style.subplots(width=372, height=490)
        self._area = area
        area.set(title="Rate and momentum", xlabel="rate · largest curvature", ylabel="momentum")
        area.set(xscale="log", xlim=(LOWEST_RATE, HIGHEST_RATE), ylim=(0, HIGHEST_MOMENTUM))
        area.set_yscale("function", functions=(lambda m: -np.log10(1 - m), lambda height: 1 - 10.0**-height))
        area.minorticks_off()
        for axis, ticks in ((area.xaxis, (0.01, 0.1, 1, 10, 100)), (area.yaxis, (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99))):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        self._image = Backdrop(area)
        border = {"color": style.INK, "linewidth": 1.4}
        (self._ripples,) = area.plot([], [], linestyle="--", **border)
        (self._diverges,) = area.plot([], [], linestyle="-", **border)
        centred = {"ha": "center", "va": "center", "transform": area.transAxes}
        halo = [withStroke(linewidth=3, foreground=style.PAPER)]
        self._names = [area.text(0.5, 0.5, name, path_effects=halo, **centred) for name in KINDS]
        (self._shift,) = area.plot([], [], color=style.INK, linewidth=1.2, linestyle=":")
        edged = {"linestyle": "", "markeredgecolor": style.PAPER}
        (self._other,) = area.plot([], [], marker="s", color=style.VERMILLION, markersize=9, **edged)
        (self._best,) = area.plot([], [], marker="*", color=style.YELLOW, markersize=16, markeredgecolor=style.INK)
        (self._here,) = area.plot([], [], marker="o", color=style.BLUE, markersize=11, **edged)
        for marker in (self._other, self._best, self._here):
            marker.set_clip_on(False)
        key = {"loc": "upper left", "fontsize": 9, "columnspacing": 1.1, "handletextpad": 0.4, "handlelength": 1.2}
        bands = area.legend(
            [Patch(facecolor=_pale(style.SKY_BLUE, share), edgecolor=style.MUTED) for share in _BANDS.values()],
            [f"{steps:g}" if steps < math.inf else "more" for steps in _BANDS],
            **key,
            ncols=5,
            title="in the long run, at most so many steps per 1/100:",
            title_fontsize=9,
            alignment="left",
            bbox_to_anchor=(-0.24, -0.21),
        )
        area.add_artist(bands)
        area.legend(
            [self._here, self._other, self._best],
            ["chosen", "other gain, same rate", "fastest"],
            **key,
            ncols=3,
            markerscale=0.8,
            bbox_to_anchor=(-0.24, -0.13),
        )

        seldom = [self._image, self._ripples, self._diverges, *self._names, self._best, *area.spines.values()]
        self._map = Canvas(figure, [self._shift, self._other, self._here], seldom)

        figure, (way, fall) = style.subplots(2, 1, width=372, height=490)
        way.set(title="The way from (1, 1)", xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        way.set(xlabel="flattest direction", ylabel="steepest")
        self._valley = [way.plot([], [], color=style.RULE, linewidth=1, linestyle="-")[0] for _ in range(4)]
        way.plot([0], [0], "+", color=style.INK, markersize=9)
        fall.set(title="Loss", yscale="log", xlim=(0, STEPS), ylim=(1e-9, 30), xlabel="step")
        fall.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
        fall.minorticks_off()
        looks = (
            {"color": style.VERMILLION, "linestyle": (0, (4, 2)), "linewidth": 1.6},
            {"color": style.BLUE, "linestyle": "-", "linewidth": 2},
            {"color": style.GREEN, "linestyle": "", "marker": "o", "markersize": 6, "markerfacecolor": "none"},
        )
        self._ways = [way.plot([], [], **look)[0] for look in looks]
        self._falls = [fall.plot([], [], **look)[0] for look in looks]
        fall.legend(
            [Line2D([], [], **looks[number]) for number in (1, 0, 2)],
            ["chosen", "other gain, same rate", "other gain, same path"],
            loc="upper left",
            bbox_to_anchor=(-0.05, -0.3),
            fontsize=9,
            handlelength=2.6,
        )
        self._runs = Canvas(figure, [*self._ways, *self._falls], seldom=self._valley)

    def _draw_map(self, form: str, condition: float, unit_gain: bool) -> None:
        """The regions, their borders, the fastest run and the valley, which hang on these three."""
        image, names = _map(form, condition, unit_gain)
        self._image.image = image
        momenta = 1 - np.geomspace(1, 1 - HIGHEST_MOMENTUM, 200)
        for border, rates in zip(
            (self._ripples, self._diverges), critical_rates(form, momenta, unit_gain), strict=True
        ):
            border.set_data(rates, momenta)
        for text in self._names:
            text.set(visible=text.get_text() in names, position=names.get(text.get_text(), (0, 0)))
        turn = np.linspace(0, 2 * np.pi, 200)
        for line, level in zip(self._valley, (1, 0.5, 0.2, 0.05), strict=True):
            height = math.sqrt(level * (1 + 1 / condition))
            line.set_data(height * math.sqrt(condition) * np.cos(turn), height * np.sin(turn))
        rate, momentum = best(form, condition, unit_gain)
        self._best.set_data([rate], [max(momentum, 0)])

    def picture(self, state: MomentumState) -> tuple[bytes, bytes]:
        chosen, other = state.chosen, state.same_rate
        valley = chosen.form, state.condition, chosen.unit_gain
        if valley != self._mapped:
            self._draw_map(*valley)
            self._mapped = valley
        # The other gain at the same rate goes the way that the chosen gain goes at this one.
        equal = chosen.rate / (1 - chosen.momentum) if chosen.unit_gain else chosen.rate * (1 - chosen.momentum)
        for marker, rate in ((self._here, chosen.rate), (self._other, equal)):
            marker.set_data([rate], [chosen.momentum])
            marker.set_visible(LOWEST_RATE <= rate <= HIGHEST_RATE)
        self._shift.set_data([chosen.rate, equal], [chosen.momentum] * 2)
        every = (slice(None), slice(None), slice(None, None, 6))
        for number, run in enumerate((other, chosen, state.same_path)):
            # What has left the picture need not be drawn where it is.
            self._ways[number].set_data(*np.clip(run.places[every[number]], -50, 50).T)
            self._falls[number].set_data(
                np.arange(STEPS + 1)[every[number]], np.clip(run.losses[every[number]], 1e-30, 1e30)
            )
        return self._map.png(valley), self._runs.png(valley)

    def alt(self, state: MomentumState) -> str:
        chosen, other = state.chosen, state.same_rate
        ripples, diverges = critical_rates(chosen.form, chosen.momentum, chosen.unit_gain)
        return (
            f"Map of rate and momentum for {chosen.form} {chosen.having}: at momentum {chosen.momentum:.4g} a run "
            f"glides up to rate {ripples:.3g}, ripples up to {diverges:.3g} and then diverges; the chosen rate "
            f"{chosen.rate:.4g} {chosen.kind}, and its loss comes to {chosen.losses[-1]:.2g} in {STEPS} steps, "
            f"{other.having} at the same rate to {other.losses[-1]:.2g}."
        )

    def status(self, state: MomentumState) -> str:
        chosen, best = state.chosen, state.best
        settings = f"rate {chosen.rate:.4g} and momentum {chosen.momentum:.4g}"
        if chosen.kind == "diverges":
            happens = f"the run diverges: the distance grows, or stays, by a factor of {chosen.factor:.4g} per step"
        else:
            way = "glides into" if chosen.kind == "glides" else "ripples around"
            happens = (
                f"the run {way} the minimum, and in the long run every {chosen.steps} steps leave a hundredth of the "
                "distance"
            )
        return (
            f"{chosen.form.capitalize()} {chosen.having}, {settings} (a time constant of {state.time_constant:.4g} "
            f"samples): {happens}; the fastest, rate {best.rate:.3g} and momentum {max(best.momentum, 0):.3g}, needs "
            f"{best.steps}."
        )

    def details(self, state: MomentumState) -> str:
        if state.chosen.momentum < HIGHEST_MOMENTUM:
            return ""
        return (
            f"The map ends at momentum {HIGHEST_MOMENTUM}: with this minibatch, a time constant of "
            f"{state.time_constant:.4g} samples is the longest."
        )

    def table(self, state: MomentumState) -> Table:
        headings = ("run", "rate", "momentum", "outcome", "factor per step", "steps per 1/100", f"loss after {STEPS}")
        runs = {
            "chosen": state.chosen,
            "same rate": state.same_rate,
            "same path": state.same_path,
            "fastest": state.best,
        }
        return headings, [
            (
                *(f"{name}, {run.gain}", f"{run.rate:.4g}", f"{run.momentum:.4g}", run.kind, f"{run.factor:.4f}"),
                *(run.steps or "never", f"{run.losses[-1]:.2g}"),
            )
            for name, run in runs.items()
        ]

    def code(self, state: MomentumState) -> str:
        chosen = state.chosen
        learner = "momentum_sgd" if chosen.form == "heavy ball" else "nesterov"
        return (
            f"kernel.{learner}(model.parameters(), {chosen.rate:.4g}, "
            f"kernel.momentum_as_time_constant_schedule({state.time_constant:.4g}), unit_gain={chosen.unit_gain})"
        )
