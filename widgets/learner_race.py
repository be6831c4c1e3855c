"""Lesson 05: all learners on one loss surface, each with a rate of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.path import Path

from widgets import style
from widgets.base import Choice, Interactive, Number, Player, Pointer, Several, Slider, Table
from widgets.canvas import Arrow, Backdrop, Canvas, Mark, Marks, marker, pixel_ratio, word
from widgets.racing import HIGHEST_RATE, LOWEST_RATE, NAMES, RACERS, STEPS, RaceState, race_state, retuned
from widgets.surfaces import SURFACES, relief


@dataclass(frozen=True)
class _Kept:
    """The rates of all learners: the slider shows one of them at a time, the table all."""

    label: str
    value: list[float]
    wide: ClassVar[bool] = True

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        return ipywidgets.FloatsInput(value=self.value), ipywidgets.HBox(layout={"display": "none"})


_LOOKS = {name: style.series(number) for number, name in enumerate(NAMES)}


def _pair(vector: np.ndarray) -> str:
    return "(" + ",\N{NO-BREAK SPACE}".join(f"{number + 0.0:.4g}".replace("-", "−") for number in vector) + ")"


def _times(ratio: float) -> str:
    """
    >>> _times(31652.9), _times(0.25)
    ('31650', '0.25')
    """
    return f"{float(f'{ratio:.4g}'):.12g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _word(state: RaceState, name: str) -> Path:
    lost = state.runs[name].lost_at is not None
    return word(f"{name} ✗" if lost else name, 9, "bold" if name == state.chosen else "normal")


class LearnerRace(Interactive):
    """Nine learners of the course, and Lion, race on one loss surface; drag their start, tune their rates.

    Arguments:
        surface: one of SURFACES, where the widget starts.
        rate: the rate of all learners at the start.
        condition: the condition number of the quadratics at the start.
        shown: the learners that are shown at the start.
        chosen: the one whose gradient, velocity and step are shown.

    >>> LearnerRace(rate=0.1).values["rate"]
    0.1
    """

    title = "Learner race"

    def __init__(
        self,
        surface: str = "quadratic",
        rate: float = 0.3,
        condition: float = 50.0,
        shown: Sequence[str] = ("sgd", "momentum_sgd", "adagrad", "adam", "adadelta"),
        chosen: str = "adam",
    ) -> None:
        begin = SURFACES[surface].start if surface in SURFACES else (0.0, 0.0)  # which race_state refuses
        self._start = race_state(surface, condition, begin, (rate,) * len(NAMES), shown, chosen, step=25)
        self._draw_axes()
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        start = self._start
        rates = list(start.rates.values())
        return {
            "surface": Choice("surface", start.surface, tuple(SURFACES)),
            "start_x": Number("start, across", start.start[0], -5.0, 5.0, 0.01),
            "start_y": Number("start, up", start.start[1], -5.0, 5.0, 0.01),
            "condition": Slider("condition number", start.condition, 1.0, 1000.0, 1.1, logarithmic=True),
            "chosen": Choice("learner", start.chosen, NAMES),
            "rate": Slider("its rate", rates[0], LOWEST_RATE, HIGHEST_RATE, 1.1, logarithmic=True),
            "step": Player("step", start.step, 0, STEPS, 1, interval=100),
            "shown": Several("show", start.shown, NAMES, [style.mark(number) for number in range(len(NAMES))]),
            "rates": _Kept("rates", rates),
        }

    def follow(self, moved: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        number = NAMES.index(values["chosen"])
        if moved == "rate":
            return {"rates": [*values["rates"][:number], values["rate"], *values["rates"][number + 1 :]]}
        if moved in ("chosen", "rates"):
            return {"rate": values["rates"][number]}
        if moved == "surface":
            return dict(zip(("start_x", "start_y"), SURFACES[values["surface"]].start, strict=True))
        return {}

    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        def retune(values: dict[str, Any]) -> dict[str, Any]:
            start = (values["start_x"], values["start_y"])
            # It takes seconds.
            self._say("Looking for the best rate of each learner …")
            return {"rates": list(retuned(values["surface"], values["condition"], start))}

        def one_rate(values: dict[str, Any]) -> dict[str, Any]:
            return {"rates": [values["rate"]] * len(NAMES)}

        return {"Retune all": retune, "Same rate for all": one_rate}

    def state(self, *, start_x: float, start_y: float, rate: float, **values: Any) -> RaceState:
        return race_state(start=(start_x, start_y), **values)

    def pointers(self, state: RaceState) -> Sequence[Pointer]:
        return Pointer(self._map, x="start_x", y="start_y"), Pointer(self._fall, x="step", picture=1)

    def formula(self, state: RaceState) -> str:
        lines = (*RACERS[state.chosen].lines, "w ← w − d")
        return " ".join(f'<span style="white-space:nowrap;margin-right:1.2em">{line}</span>' for line in lines)

    def code(self, state: RaceState) -> str:
        return RACERS[state.chosen].code(state.rates[state.chosen])

    def _draw_axes(self) -> None:
        """The backgrounds, and the artists that move over them."""
        (left, area), (right, fall) = (style.subplots(width=368, height=392) for _ in range(2))
        self._map, self._fall, self._axes_for = area, fall, None
        # By hand: the map is square, both are of one height, and the names need room on the right.
        for figure, axes, place in ((left, area, (0.17, 0.13, 0.8, 0.751)), (right, fall, (0.13, 0.13, 0.49, 0.751))):
            figure.set_layout_engine("none")
            axes.set_position(place)
        area.set_title("Trails", size=10.5)
        area.set_title("pale: low loss · thick green: the next step", size=8, weight="normal", loc="right")
        self._image = Backdrop(area)
        fall.set(yscale="log", xlim=(0, STEPS), xlabel="step")
        fall.set_title("Loss", size=10.5)
        fall.minorticks_off()

        line = {"marker": ".", "markersize": 4, "linewidth": 1.2, "linestyle": "-"}
        self._trail = {name: area.plot([], [], color=_LOOKS[name]["color"], **line)[0] for name in NAMES}
        (self._now,) = fall.plot([], [], color=style.MUTED, linewidth=0.8, linestyle=":")
        (self._begin,) = area.plot([], [], "o", markersize=9, markerfacecolor="none", markeredgecolor=style.INK)
        (self._move,) = area.plot([], [], color=style.GREEN, linewidth=6, alpha=0.75, solid_capstyle="round")
        self._arrows = [Arrow(area, style.BLUE, "−v"), Arrow(area, style.VERMILLION, "−g")]
        # One collection is drawn in half the time of ten lines.
        self._whole, self._curves, self._leads = (
            fall.add_collection(LineCollection([], **look), autolim=False)
            for look in (
                {"linewidths": 1, "alpha": 0.35, "zorder": 2},
                {"linewidths": 1.8, "zorder": 2},
                {"linewidths": 0.6, "clip_on": False, "zorder": 2},
            )
        )
        self._spots, self._dots, self._names = Marks(area), Marks(fall), Marks(fall)
        moving = [*self._trail.values(), self._begin, self._move, self._spots, *self._arrows]
        self._trails = Canvas(left, moving, seldom=[self._image, *area.spines.values()])
        self._losses = Canvas(
            right, [self._now, self._curves, self._dots], seldom=[self._whole, self._leads, self._names]
        )

    def picture(self, state: RaceState) -> tuple[bytes, bytes]:
        shown = SURFACES[state.surface]
        if state.surface != self._axes_for:
            (left, right), (foot, top) = ((middle - shown.reach, middle + shown.reach) for middle in shown.middle)
            self._map.set(xlim=(left, right), ylim=(foot, top), xlabel=shown.axes[0], ylabel=shown.axes[1])
            self._fall.set_ylim(shown.lowest, shown.highest)
            self._axes_for = state.surface
        self._image.image = relief(state.surface, state.condition, pixel_ratio.get())
        self._begin.set_data(*np.array([state.start]).T)
        self._now.set_data([state.step] * 2, [shown.lowest, shown.highest])
        for name, trail in self._trail.items():
            trail.set_visible(name in state.shown)
        self._spots.shown, self._dots.shown = zip(
            *(self._draw_learner(state, name) for name in state.shown), strict=True
        )
        self._draw_curves(state)
        self._draw_arrows(state)
        below = (state.surface, state.condition)
        whole = (*below, state.start, *state.rates.values(), state.shown, state.chosen)
        return self._trails.png(below), self._losses.png(whole)

    def _draw_learner(self, state: RaceState, name: str) -> tuple[Mark, Mark]:
        """Draw the trail; returns the marks where it stands now, on the map and in the curves."""
        shown, run = SURFACES[state.surface], state.runs[name]
        # What is far out of the picture need not be drawn where it is.
        places = np.clip(run.places, -100, 100)
        self._trail[name].set_data(*places[: state.step + 1].T)
        # Who is out of the picture stands at its edge, as an outline; who is lost, where it was seen last.
        now = state.step if run.lost_at is None else min(state.step, run.lost_at - 1)
        inside = np.clip(places[now], *(np.array(shown.middle) + side * shown.reach for side in (-1, 1)))
        loss = np.clip(run.losses[now], shown.lowest, shown.highest)
        look, size = _LOOKS[name], 10 if name == state.chosen else 8

        def standing(place: tuple[float, float], is_out: bool) -> Mark:
            colours = (style.PAPER, look["color"]) if is_out else (look["color"], style.PAPER)
            return Mark(marker(look["marker"], size), place, *colours, rim_width=1)

        is_above = bool(run.losses[now] > shown.highest)
        return standing(tuple(inside), bool((inside != places[now]).any())), standing((now, loss), is_above)

    def _draw_curves(self, state: RaceState) -> None:
        """The losses, all and until now, and at their ends, kept apart, the learners' names."""
        shown, steps = SURFACES[state.surface], np.arange(STEPS + 1)
        losses = np.clip([state.runs[name].losses for name in state.shown], shown.lowest, 1e3 * shown.highest)
        curves = np.stack([np.broadcast_to(steps, losses.shape), losses], axis=-1)
        # A run that was lost ends at the top, as does one that is above it.
        ends = np.minimum(np.nan_to_num(losses[:, -1], nan=math.inf), shown.highest)
        whole = shown.highest / shown.lowest
        levels = shown.lowest * whole ** np.array(
            style.apart(np.log(ends / shown.lowest) / math.log(whole), 0.052, 0, 1)
        )
        looks = [_LOOKS[name] for name in state.shown]
        self._curves.set_linestyle([look["linestyle"] for look in looks])
        self._curves.set_segments(curves[:, : state.step + 1])
        self._whole.set_segments(curves)
        self._leads.set_segments([[(STEPS, end), (STEPS + 6, level)] for end, level in zip(ends, levels, strict=True)])
        for lines in (self._curves, self._whole, self._leads):
            lines.set_color([look["color"] for look in looks])
        self._names.shown = [
            each
            for name, look, level in zip(state.shown, looks, levels, strict=True)
            for each in (
                Mark(marker(look["marker"], 7), (STEPS + 6, level), look["color"]),
                Mark(_word(state, name), (STEPS + 11, level)),
            )
        ]

    def _draw_arrows(self, state: RaceState) -> None:
        """The chosen learner's step, and beside it the directions of its velocity and of its gradient."""
        here, shown = state.place(state.chosen), SURFACES[state.surface]
        is_inside = bool((abs(here - shown.middle) <= shown.reach).all())
        # A letter beyond it would be cut off by the edge of the picture.
        edge = np.full(2, 0.92 * shown.reach)
        self._move.set_data(*np.clip([here, here + state.move], -100, 100).T)
        # Of two lengths and with letters on two sides, so that none hides the other where they point the same way.
        for arrow, vector, share, side in zip(
            self._arrows, (state.velocity, state.gradient), (0.5, 0.3), (1, -1), strict=True
        ):
            size = 0.0 if vector is None else np.linalg.norm(vector)
            arrow.set_visible(is_inside and size > 0)
            if is_inside and size > 0:
                ahead = -vector / size * shown.reach
                arrow.begin, arrow.end = here, here + share * ahead
                beside = arrow.end + 0.1 * side * ahead[::-1] * (-1, 1)
                arrow.beside = np.clip(beside, shown.middle - edge, shown.middle + edge)

    def alt(self, state: RaceState) -> str:
        losses = ", ".join(f"{name} {state.loss(name):.2g}" for name in state.ranking) or "none is left"
        arrows = "the gradient, the velocity" if state.velocity is not None else "the gradient"
        return (
            f"Map of {SURFACES[state.surface].words} with the trails of {_listed(state.shown)} from "
            f"{_pair(np.array(state.start))} to step {state.step}, with arrows for {arrows} and the step of "
            f"{state.chosen}; curves of the losses: {losses}."
        )

    def status(self, state: RaceState) -> str:
        words, ranking = SURFACES[state.surface].words, state.ranking
        lost = [name for name in state.shown if state.is_lost(name)]
        if ranking:
            parts = [f"{ranking[0]} has the lowest loss, {state.loss(ranking[0]):.2g}"]
            if len(ranking) > 1:
                parts[0] += f", and {ranking[-1]} the highest, {state.loss(ranking[-1]):.2g}"
        else:
            parts = ["nobody is left"]
        if lost:
            parts.append(f"{_listed(lost)} diverged: lower the rate")
        low, high = state.extremes
        ratio = state.rates[high] / state.rates[low]
        parts.append(
            "all have the same rate"
            if ratio == 1
            else f"the rates run from {state.rates[low]:g} ({low}) to {state.rates[high]:g} ({high}), "
            f"{_times(ratio)}-fold"
        )
        return f"Step {state.step} of {STEPS} on {words}: {'; '.join(parts)}."

    def table(self, state: RaceState) -> Table:
        headings = ("learner", "rate", "rate / sgd's", f"loss, step {state.step}", f"loss, step {STEPS}", "where")
        rows = []
        for name, rate in state.rates.items():
            told, where = ["–", "–"], "not shown"
            if name in state.shown:
                run = state.runs[name]
                losses = [run.losses[step] for step in (state.step, STEPS)]
                told = ["–" if math.isnan(loss) else f"{loss:.2g}" for loss in losses]
                where = f"diverged at step {run.lost_at}" if state.is_lost(name) else _pair(state.place(name).round(3))
            rows.append((name, f"{rate:g}", _times(rate / state.rates["sgd"]), *told, where))
        return headings, rows

    def details(self, state: RaceState) -> str:
        if state.is_lost(state.chosen):
            return f"{state.chosen} has diverged: there is no step to show."
        lines = [f"{state.chosen}, step {state.step}:", f"g = {_pair(state.gradient)}"]
        if state.velocity is not None:
            lines.append(f"v = {_pair(state.velocity)}")
        lines.append(f"d = {_pair(-state.move)}")
        if not math.isnan(state.turned_by):
            lines.append(f"the step is turned by {state.turned_by:.0f}° from straight downhill")
        return "\n".join(lines)
