"""Lesson 05: all learners on one loss surface, each with a rate of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from widgets import style
from widgets.base import Choice, Interactive, Number, Player, Pointer, Several, Slider, Table
from widgets.canvas import Backdrop, Canvas, Name, pixel_ratio
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


@dataclass(frozen=True)
class _Drawn:
    """What is drawn of one learner: on the map its trail and where it is; of the loss all, what has been, and now."""

    trail: Line2D
    spot: Line2D
    whole: Line2D
    curve: Line2D
    dot: Line2D
    lead: Line2D
    name: Name

    @classmethod
    def on(cls, area: Axes, fall: Axes, number: int, name: str) -> _Drawn:
        look = style.series(number)
        colour, marker = {"color": look["color"]}, {"color": look["color"], "marker": look["marker"]}
        trail = area.plot([], [], **colour, marker=".", markersize=4, linewidth=1.2, linestyle="-")
        spot, dot = (axes.plot([], [], **marker, linestyle="", clip_on=False) for axes in (area, fall))
        whole = fall.plot([], [], **colour, linewidth=1, linestyle="-", alpha=0.35)
        curve = fall.plot([], [], **colour, linewidth=1.8, linestyle=look["linestyle"])
        lead = fall.plot([], [], **marker, linewidth=0.6, linestyle="-", markersize=6, markevery=[1], clip_on=False)
        label = Name(name, size=9, clip_on=False)
        fall.add_line(label)
        return cls(*(line for [line] in (trail, spot, whole, curve, dot, lead)), label)


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
        rates = (float(rate),) * len(NAMES)
        self._start = race_state(surface, condition, SURFACES[surface].start, rates, shown, chosen, step=25)
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
        self._map, self._fall = area, fall
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

        self._drawn = {name: _Drawn.on(area, fall, number, name) for number, name in enumerate(NAMES)}
        (self._now,) = fall.plot([], [], color=style.MUTED, linewidth=0.8, linestyle=":")
        (self._begin,) = area.plot([], [], "o", markersize=9, markerfacecolor="none", markeredgecolor=style.INK)
        (self._move,) = area.plot([], [], color=style.GREEN, linewidth=6, alpha=0.75, solid_capstyle="round")
        halo = [withStroke(linewidth=2.5, foreground=style.PAPER)]
        arrow = {"arrowstyle": "-|>", "linewidth": 1.8, "mutation_scale": 12, "path_effects": halo}
        self._arrows = [
            (
                area.add_patch(FancyArrowPatch((0, 0), (1, 1), color=colour, **arrow)),
                area.text(0, 0, letter, size=9.5, ha="center", va="center", path_effects=halo),
            )
            for letter, colour in (("−v", style.BLUE), ("−g", style.VERMILLION))
        ]
        drawn = self._drawn.values()
        arrows = [artist for pair in self._arrows for artist in pair]
        trails, spots = [each.trail for each in drawn], [each.spot for each in drawn]
        curves, dots = [each.curve for each in drawn], [each.dot for each in drawn]
        ends = [artist for each in drawn for artist in (each.whole, each.lead, each.name)]
        frame = area.spines.values()
        self._trails = Canvas(left, [*trails, self._begin, self._move, *spots, *arrows], seldom=[self._image, *frame])
        self._losses = Canvas(right, [self._now, *curves, *dots], seldom=ends)

    def picture(self, state: RaceState) -> tuple[bytes, bytes]:
        shown = SURFACES[state.surface]
        (left, right), (foot, top) = ((middle - shown.reach, middle + shown.reach) for middle in shown.middle)
        self._map.set(xlim=(left, right), ylim=(foot, top), xlabel=shown.axes[0], ylabel=shown.axes[1])
        self._fall.set_ylim(shown.lowest, shown.highest)
        self._image.image = relief(state.surface, state.condition, pixel_ratio.get())
        self._begin.set_data(*np.array([state.start]).T)
        self._now.set_data([state.step] * 2, [shown.lowest, shown.highest])
        for name, drawn in self._drawn.items():
            for field in fields(drawn):
                getattr(drawn, field.name).set_visible(name in state.shown)
        whole = shown.highest / shown.lowest
        seen = [(self._draw_learner(state, name), self._drawn[name]) for name in state.shown]
        heights = np.log([end / shown.lowest for end, _ in seen]) / math.log(whole)
        for (end, drawn), height in zip(seen, style.apart(heights, 0.052, 0, 1), strict=True):
            level = shown.lowest * whole**height
            drawn.lead.set_data([STEPS, STEPS + 6], [end, level])
            drawn.name.set_data([STEPS + 11], [level])
        self._draw_arrows(state)
        below = (state.surface, state.condition)
        whole = (*below, state.start, *state.rates.values(), state.shown, state.chosen)
        return self._trails.png(below), self._losses.png(whole)

    def _draw_learner(self, state: RaceState, name: str) -> float:
        """Trail, curve and where they stand now; returns where the curve ends in the picture."""
        shown, run, drawn = SURFACES[state.surface], state.runs[name], self._drawn[name]
        until, steps = slice(state.step + 1), np.arange(STEPS + 1)
        # What is far out of the picture need not be drawn where it is.
        places = np.clip(run.places, -100, 100)
        losses = np.clip(run.losses, shown.lowest, 1e3 * shown.highest)
        drawn.trail.set_data(*places[until].T)
        drawn.whole.set_data(steps, losses)
        drawn.curve.set_data(steps[until], losses[until])
        lost = run.lost_at is not None
        # Who is out of the picture stands at its edge, as an outline; who is lost, where it was seen last.
        now = min(state.step, run.lost_at - 1) if lost else state.step
        inside = np.clip(places[now], *(np.array(shown.middle) + side * shown.reach for side in (-1, 1)))
        drawn.spot.set_data(*inside[:, None])
        drawn.dot.set_data([now], [min(losses[now], shown.highest)])
        for marker, is_out in ((drawn.spot, (inside != places[now]).any()), (drawn.dot, losses[now] > shown.highest)):
            colour = marker.get_color()
            marker.set_markerfacecolor(style.PAPER if is_out else colour)
            marker.set_markeredgecolor(colour if is_out else style.PAPER)
            marker.set_markersize(10 if name == state.chosen else 8)
        drawn.name.say(f"{name} ✗" if lost else name, "bold" if name == state.chosen else "normal")
        return shown.highest if lost else min(losses[-1], shown.highest)

    def _draw_arrows(self, state: RaceState) -> None:
        """The chosen learner's step, and beside it the directions of its velocity and of its gradient."""
        here, shown = state.place(state.chosen), SURFACES[state.surface]
        is_inside = bool((abs(here - shown.middle) <= shown.reach).all())
        # A letter beyond it would be cut off by the edge of the picture.
        edge = np.full(2, 0.92 * shown.reach)
        self._move.set_data(*np.clip([here, here + state.move], -100, 100).T)
        # Of two lengths and with letters on two sides, so that none hides the other where they point the same way.
        for (arrow, letter), vector, share, side in zip(
            self._arrows, (state.velocity, state.gradient), (0.5, 0.3), (1, -1), strict=True
        ):
            size = 0.0 if vector is None else np.linalg.norm(vector)
            arrow.set_visible(is_inside and size > 0)
            letter.set_visible(is_inside and size > 0)
            if is_inside and size > 0:
                ahead = -vector / size * shown.reach
                arrow.set_positions(here, here + share * ahead)
                beside = here + share * ahead + 0.1 * side * ahead[::-1] * (-1, 1)
                letter.set_position(np.clip(beside, shown.middle - edge, shown.middle + edge))

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
