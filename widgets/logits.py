"""Lesson 00: logits become probabilities, a loss and a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.patches import Polygon

from widgets import style
from widgets.base import Canvas, Choice, Interactive, Slider

_LIMIT = 5.0
_HIGHEST_LOSS = 5.0


@dataclass(frozen=True)
class LogitsState:
    """What C logits z and a target say about one sample; every array has shape (C,)."""

    logits: np.ndarray
    target: int
    truth: np.ndarray
    probabilities: np.ndarray
    loss: float
    gradient: np.ndarray


def logits_state(logits: Sequence[float], target: int, smoothing: float = 0.0) -> LogitsState:
    """Softmax cross-entropy of one sample, in float64.

    p = exp(z - logsumexp(z)),  y = (1 - s) onehot(target) + s / C,  loss = -sum(y log p),  d loss / d z = p - y

    Arguments:
        logits: z, shape (C,), C at least 2.
        target: the class that is true, 0 to C - 1.
        smoothing: s, the share of the target spread over all classes, 0 to 1.

    Raises:
        ValueError: an argument is not as above.

    >>> state = logits_state([2.0, 1.0, 0.0], target=0)
    >>> state.probabilities.round(4).tolist(), round(state.loss, 4), state.gradient.round(4).tolist()
    ([0.6652, 0.2447, 0.09], 0.4076, [-0.3348, 0.2447, 0.09])
    """
    z = np.asarray(logits, dtype=np.float64)
    if z.ndim != 1 or len(z) < 2:
        raise ValueError(f"logits_state: logits must be a list of at least 2 numbers; got shape {z.shape}.")
    if not np.isfinite(z).all():
        raise ValueError(f"logits_state: logits must be finite numbers; got {z.tolist()}.")
    if not 0 <= target < len(z):
        raise ValueError(f"logits_state: target must be a class from 0 to {len(z) - 1}; got {target}.")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"logits_state: smoothing must lie between 0 and 1; got {smoothing}.")
    shifted = z - z.max()
    log_probabilities = shifted - np.log(np.exp(shifted).sum())
    probabilities = np.exp(log_probabilities)
    truth = (1 - smoothing) * np.eye(len(z))[target] + smoothing / len(z)
    return LogitsState(
        logits=z,
        target=int(target),
        truth=truth,
        probabilities=probabilities,
        loss=float(-(truth * log_probabilities).sum()),
        gradient=probabilities - truth,
    )


def losses_along(state: LogitsState, shares: np.ndarray) -> np.ndarray:
    """The loss if the truth had each of `shares` as its probability p, and the other classes divided the rest as now.

    With q the other classes' parts of the rest:  -y_target log p - sum over the others of y_c log((1 - p) q_c).
    Without smoothing that is -log p; with it the lowest loss lies at p = y_target.

    Arguments:
        shares: p, any shape, between 0 and 1 without the ends.

    >>> state = logits_state([2.0, 1.0, 0.0], target=0, smoothing=0.1)
    >>> losses_along(state, state.probabilities[:1]).round(4).item() == round(state.loss, 4)
    True
    """
    others = np.arange(len(state.logits)) != state.target
    z = state.logits[others] - state.logits[others].max()
    # From the logits: as probabilities the others may be too small to divide.
    log_parts = z - np.log(np.exp(z).sum())
    rest = 1 - state.truth[state.target]
    return -(
        state.truth[state.target] * np.log(shares) + rest * np.log1p(-shares) + float(state.truth[others] @ log_parts)
    )


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(map(style.number, values)) + ")"


def _arrow(length: float, row: int) -> np.ndarray:
    """Corners of an arrow from 0 to exactly `length` in a row: a picture of a number, so no cap may make it longer."""
    head = min(abs(length), 0.13)
    neck = length - np.copysign(head, length)
    half, shaft = 0.95 * head, min(0.035, 0.4 * head)
    heights = np.array([-shaft, -shaft, -half, 0, half, shaft, shaft])
    return np.column_stack([[0, neck, neck, length, neck, neck, 0], row + heights])


class Logits(Interactive):
    """Move the logits of three to five classes and see probabilities, loss and gradient follow.

    Arguments:
        logits: where the sliders start, -5 to 5.
        classes: a name for each.
        target: the class that is true at the start.

    >>> Logits().values["target"]
    0
    """

    title = "From logits to loss"

    def __init__(
        self,
        logits: Sequence[float] = (2.0, 1.0, 0.0),
        classes: Sequence[str] = ("cat", "dog", "owl"),
        target: int = 0,
    ) -> None:
        if not 3 <= len(logits) <= 5 or len(classes) != len(logits):
            raise ValueError(
                f"Logits: give three to five logits and as many class names; got {len(logits)} and {len(classes)}."
            )
        if not all(abs(logit) <= _LIMIT for logit in logits):
            raise ValueError(f"Logits: each logit must lie between -5 and 5; got {list(logits)}.")
        self._logits, self._classes, self._target = tuple(map(float, logits)), tuple(classes), target
        self._draw_axes()
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        sliders = {
            f"logit_{index}": Slider(f"logit of {name}", logit, -_LIMIT, _LIMIT, 0.1)
            for index, (name, logit) in enumerate(zip(self._classes, self._logits, strict=True))
        }
        options = [(name, index) for index, name in enumerate(self._classes)]
        return {
            **sliders,
            "target": Choice("truth", self._target, options),
            "smoothing": Slider("smoothing", 0.0, 0.0, 0.5, 0.01),
        }

    def actions(self) -> Mapping[str, Any]:
        def logits(right: float, wrong: float):
            return lambda values: {
                f"logit_{index}": right if index == values["target"] else wrong for index in range(len(self._classes))
            }

        return {"Undecided": logits(0.0, 0.0), "Sure and right": logits(3.0, -3.0), "Sure and wrong": logits(-3.0, 3.0)}

    def state(self, *, target: int, smoothing: float, **logits: float) -> LogitsState:
        return logits_state([logits[f"logit_{index}"] for index in range(len(logits))], target, smoothing)

    def _draw_axes(self) -> None:
        """The background, and the artists that move over it."""
        count = len(self._classes)
        rows = range(count)
        figure, (bars, arrows, curve) = style.subplots(
            1, 3, width=680, height=92 + 54 * count, width_ratios=[1.25, 1.05, 1]
        )
        figure.get_layout_engine().set(wspace=0.07)

        bars.set(title="Probability p", xlim=(0, 1.3), xticks=[0, 0.5, 1], xlabel="bar: p      ▼: target y")
        bars.spines["bottom"].set_bounds(0, 1)
        bars.set(ylim=(count - 0.45, -0.6), yticks=[])
        arrows.set(title="Gradient p − y", xlim=(-1.05, 1.05), xticks=[-1, 0, 1], ylim=bars.get_ylim(), yticks=[])
        arrows.set_xlabel("◂ z will rise      z will fall ▸")
        arrows.spines["left"].set_visible(False)
        arrows.axvline(0, color=style.MUTED, linewidth=0.8)
        curve.set(title="Loss", xlim=(0, 1.02), ylim=(0, _HIGHEST_LOSS * 1.05), xticks=[0, 0.5, 1])
        curve.set_xlabel("p of the truth")
        p = np.linspace(np.exp(-_HIGHEST_LOSS * 1.05), 1, 300)
        curve.plot(p, -np.log(p), color=style.MUTED, linewidth=2, linestyle="-")
        curve.text(0.06, 0.25, "−log p", color=style.MUTED)
        # Closest at the right end, where the smoothed curve turns up.
        self._along = 1 - np.geomspace(1 - p[0], 1e-7, 300)
        (self._smoothed,) = curve.plot([], [], color=style.BLUE, linewidth=1.6, linestyle="--")
        self._smoothed_name = curve.text(
            0.93, 0.76 * _HIGHEST_LOSS, "╌ smoothed", color=style.BLUE, size=9.5, ha="right"
        )

        left = {"textcoords": "offset points", "ha": "right", "va": "center"}
        # The widest text that each name will have, so that the layout leaves room for it.
        self._names = [
            bars.annotate(f"{name} (truth)", (0, row), (-10, 7), fontweight="bold", **left)
            for row, name in enumerate(self._classes)
        ]
        self._scores = [bars.annotate("", (0, row), (-10, -7), fontsize=9, color=style.MUTED, **left) for row in rows]
        self._bars = list(bars.barh(rows, [0.5] * count, height=0.44, linewidth=1.2))
        self._shares = [bars.text(0, row, "", va="center", fontsize=9.5) for row in rows]
        (self._targets,) = bars.plot([0] * count, np.array(rows) - 0.34, "v", color=style.BLACK, markersize=7)
        self._targets.set_clip_on(False)
        self._arrows = [arrows.add_patch(Polygon(_arrow(1, row), linewidth=0)) for row in rows]
        self._gradients = [arrows.text(0, row, "", va="center", fontsize=9.5) for row in rows]
        (self._drop,) = curve.plot([0, 0], [0, 1], color=style.BLUE, linewidth=1, linestyle=":")
        (self._point,) = curve.plot([0], [0], "o", color=style.BLUE, markersize=10, markeredgecolor=style.PAPER)
        self._point.set_clip_on(False)
        self._loss = curve.text(0.93, 0.9 * _HIGHEST_LOSS, "", color=style.BLUE, weight="bold", size=13, ha="right")
        self._canvas = Canvas(
            figure,
            [
                *(*self._names, *self._scores, *self._bars, *self._shares, self._targets),
                *(*self._arrows, *self._gradients),
                *(self._smoothed, self._smoothed_name, self._drop, self._point, self._loss),
            ],
        )

    def picture(self, state: LogitsState) -> bytes:
        for row, name in enumerate(self._classes):
            true = row == state.target
            colour = style.BLUE if true else style.VERMILLION
            share, slope = state.probabilities[row], state.gradient[row]
            self._names[row].set(text=f"{name} (truth)" if true else name, fontweight="bold" if true else "normal")
            self._scores[row].set(text=f"z = {style.number(state.logits[row], 2)}")
            self._bars[row].set(width=share, edgecolor=colour, facecolor=colour if true else style.PAPER)
            self._bars[row].set_hatch("" if true else "///")
            self._shares[row].set(text=style.number(share), x=share + 0.03)
            self._arrows[row].set(xy=_arrow(slope, row), facecolor=colour)
            # On the side of zero that the arrow leaves free.
            side, alignment = (-0.07, "right") if slope > 0 else (0.07, "left")
            self._gradients[row].set(text=style.number(slope, sign=True), x=side, horizontalalignment=alignment)
        self._targets.set_xdata(state.truth)
        smoothed = state.truth[state.target] < 1
        self._smoothed.set_visible(smoothed)
        self._smoothed_name.set_visible(smoothed)
        self._smoothed.set_data(self._along, losses_along(state, self._along))
        share, height = state.probabilities[state.target], min(state.loss, _HIGHEST_LOSS)
        self._drop.set_data([share, share], [0, height])
        self._point.set_data([share], [height])
        # A loss above the axis is an arrow at its edge, not a point that lies.
        self._point.set_marker("o" if state.loss <= _HIGHEST_LOSS else "^")
        self._loss.set(text=style.number(state.loss))
        return self._canvas.png()

    def alt(self, state: LogitsState) -> str:
        shares = ", ".join(map(" ".join, zip(self._classes, map(style.number, state.probabilities), strict=True)))
        slopes = ", ".join(
            f"{name} {style.number(slope, sign=True)}"
            for name, slope in zip(self._classes, state.gradient, strict=True)
        )
        return (
            f"Bars of the probabilities: {shares}; arrows of the gradient: {slopes}; "
            f"a point at loss {style.number(state.loss)} on the curve of "
            f"{'the smoothed loss, dashed beside that of ' if state.truth[state.target] < 1 else ''}minus log p."
        )

    def status(self, state: LogitsState) -> str:
        def logits_of(names: list[str]) -> str:
            if len(names) == 1:
                return f"the logit of {names[0]}"
            return f"the logits of {', '.join(names[:-1])} and {names[-1]}"

        share = state.probabilities[state.target]
        rising = [name for name, slope in zip(self._classes, state.gradient, strict=True) if slope < -0.00005]
        falling = [name for name, slope in zip(self._classes, state.gradient, strict=True) if slope > 0.00005]
        if rising and falling:
            step = f"a step against the gradient raises {logits_of(rising)} and lowers {logits_of(falling)}"
        else:
            step = "the gradient is zero to four decimals, so a step changes nothing"
        loss = f"the loss is {state.loss:.4f}"
        if state.truth[state.target] < 1:
            loss += f", {style.number(-np.log(share))} without smoothing"
        return f"The truth, {self._classes[state.target]}, has p = {share:.4f} and {loss}; {step}."

    def details(self, state: LogitsState) -> str:
        return "\n".join(
            [
                f"p     = {_numbers(state.probabilities)}",
                f"y     = {_numbers(state.truth)}",
                f"p − y = {_numbers(state.gradient)}",
                f"loss  = −Σ y log p = {state.loss:.4f}",
            ]
        )
