"""Lesson 08: type an update rule, and see the path that it takes beside that of plain SGD."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import ipywidgets
import numpy as np

import kernel
from kernel.op import Kind
from widgets import style
from widgets.base import Choice, Interactive, Number, Pointer, Slider, Table
from widgets.canvas import Backdrop, Canvas, pixel_ratio
from widgets.controls import Text
from widgets.racing import FAR
from widgets.surfaces import SURFACES, relief
from widgets.update_rules import Formula, read

STEPS = 100
LOWEST_RATE, HIGHEST_RATE = 1e-5, 10.0
SHOWN = ("quadratic", "quadratic, turned", "Rosenbrock")
OWN = "your own"
PLAIN = "w = w - rate*g"


@dataclass(frozen=True)
class Example:
    """A rule to begin with, and a rate for it: on the quadratics, and in Rosenbrock's valley."""

    text: str
    rate: float
    valley_rate: float

    def rate_on(self, surface: str) -> float:
        return self.valley_rate if surface == "Rosenbrock" else self.rate


EXAMPLES = {
    "SGD": Example(PLAIN, 1.0, 0.001),
    "momentum": Example("v = 0.9*v + g\nw = w - rate*v", 0.2, 0.0003),
    "a falling rate": Example("w = w - rate/(1 + 0.05*t)*g", 1.5, 0.001),
    "clipped": Example("g = maximum(minimum(g, 0.2), -0.2)\nw = w - rate*g", 1.0, 0.05),
    "signs only": Example("w = w - rate*sign(g)", 0.03, 0.01),
    "RMSProp": Example("a = 0.9*a + 0.1*g**2\nw = w - rate*g/(sqrt(a) + 1e-8)", 0.05, 0.02),
    "Adam": Example(
        "m = 0.9*m + 0.1*g\na = 0.999*a + 0.001*g**2\nw = w - rate*m/(1 - 0.9**t)/(sqrt(a/(1 - 0.999**t)) + 1e-8)",
        0.1,
        0.1,
    ),
    "find the bug": Example("w = w - rate*g/sqrt(a)\na = 0.9*a + 0.1*g**2", 0.05, 0.02),
}


def _said(number: float) -> str:
    """A number in a sentence: three digits, and a true minus sign."""
    return f"{number:.3g}".replace("-", "−")


@dataclass(frozen=True)
class Run:
    """Where a rule was at each step, (STEPS + 1, 2), and the loss there; nan once it was lost.

    `lost` says when it was, and how: (step, name, "nan", "infinite" or "far").
    """

    places: np.ndarray
    losses: np.ndarray
    lost: tuple[int, str, str] | None

    @property
    def last(self) -> int:
        """The last step at which it was still there."""
        return STEPS if self.lost is None else self.lost[0] - 1

    @property
    def words(self) -> str:
        """What became of it, to go on a sentence that begins with its name."""
        if self.lost is None:
            first, last = self.losses[[0, -1]]
            way = "falls" if last < first else "climbs"
            return f"{way} from a loss of {_said(first)} to {_said(last)} in {STEPS} steps"
        step, name, how = self.lost
        return {
            "nan": f"is lost at step {step}, where {name} is nan, not a number: 0/0, or the root or logarithm of a "
            "negative number",
            "infinite": f"is lost at step {step}, where {name} is infinite: something is divided by 0, as by a state "
            "that still is 0, or has grown too large",
            "far": f"diverges: at step {step} w is more than a million away",
        }[how]


class _Runner:
    """A rule that goes down, step by step."""

    def __init__(self, formula: Formula, rate: float, start: tuple[float, float]) -> None:
        self._program, self._rate = formula.program, np.array(rate)
        self.w = np.array(start)
        self._kept = {name: np.zeros(2) for name in formula.state}
        self._kind = Kind.of(self.w.shape, self.w.dtype, kernel.zeros(1).device)

    def step(self, g: np.ndarray, t: int) -> tuple[str, str] | None:
        """One step by a gradient; what is lost then, and how."""
        self._program.run(self._kind, (self.w, g, *self._kept.values()), (self._rate, np.array(float(t))))
        for name, value in (*self._kept.items(), ("w", self.w)):
            if not np.isfinite(value).all():
                return name, "nan" if np.isnan(value).any() else "infinite"
        return ("w", "far") if np.abs(self.w).max() > FAR else None


def runs(
    rules: Sequence[tuple[Formula, float]], surface: str, condition: float, start: tuple[float, float]
) -> list[Run]:
    """Let rules run side by side, each with its rate: gradients come from the tape, for all of them at once.

    >>> [plain] = runs([(read(PLAIN), 0.5)], "quadratic", 10.0, (1.0, 1.0))
    >>> plain.places[:3].round(4).tolist()
    [[1.0, 1.0], [0.95, 0.5], [0.9025, 0.25]]
    """
    runners = [_Runner(formula, rate, start) for formula, rate in rules]
    places, losses = np.full((len(rules), STEPS + 1, 2), np.nan), np.full((len(rules), STEPS + 1), np.nan)
    lost: list[tuple[int, str, str] | None] = [None] * len(rules)
    with np.errstate(all="ignore"):
        for step in range(STEPS + 1):
            running = [i for i, gone in enumerate(lost) if gone is None]
            if not running:
                break
            here = kernel.tensor(np.stack([runners[i].w for i in running]), requires_grad=True)
            loss = SURFACES[surface].loss(here, condition)
            loss.sum().backward()
            places[running, step], losses[running, step] = here.detach().numpy(), loss.detach().numpy()
            if step < STEPS:
                for i, gradient in zip(running, here.grad.numpy(), strict=True):
                    found = runners[i].step(gradient.copy(), step + 1)
                    lost[i] = found and (step + 1, *found)
    return [Run(*each) for each in zip(places, losses, lost, strict=True)]


# Moving one control leaves most of what was typed as it is.
_read = lru_cache(64)(read)


@dataclass(frozen=True)
class PathState:
    """A rule's run, and plain SGD's beside it."""

    formula: Formula
    surface: str
    condition: float
    start: tuple[float, float]
    rate: float
    plain_rate: float
    own: Run
    plain: Run


def path_state(
    text: str, surface: str, condition: float, start: tuple[float, float], rate: float, plain_rate: float
) -> PathState:
    """What a typed rule does on a surface.

    Arguments:
        text: the rule, see `update_rules`.
        surface: one of SHOWN.
        condition: the condition number of the quadratics, at least 1.
        start: where both begin.
        rate, plain_rate: the learning rates of the rule and of plain SGD.

    Raises:
        ValueError: the text is no rule (the sentence says where), or another argument is not as above.

    >>> state = path_state("w = w - rate*sign(g)", "quadratic", 10.0, (1.0, 1.0), 0.25, 1.0)
    >>> state.own.places[:3].tolist(), state.own.lost
    ([[1.0, 1.0], [0.75, 0.75], [0.5, 0.5]], None)
    """
    if surface not in SHOWN:
        raise ValueError(f"path_state: surface must be one of {', '.join(map(repr, SHOWN))}; got {surface!r}.")
    if not 1 <= condition < np.inf:
        raise ValueError(f"path_state: condition must be at least 1; got {condition}.")
    if not all(abs(number) < FAR for number in start):
        raise ValueError(f"path_state: start must be two numbers below {FAR:g}; got {start}.")
    if not all(0 < each < np.inf for each in (rate, plain_rate)):
        raise ValueError(f"path_state: rates must be above 0; got {rate} and {plain_rate}.")
    formula = _read(text)
    own, plain = runs([(formula, rate), (_read(PLAIN), plain_rate)], surface, condition, start)
    return PathState(formula, surface, condition, start, rate, plain_rate, own, plain)


@dataclass(frozen=True)
class _Lines(Text):
    """Several lines to type."""

    wide: ClassVar[bool] = True

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        field = ipywidgets.Textarea(
            value=self.value, description=self.label, rows=3, style=label, layout={"width": "auto", "margin": "2px"}
        )
        field.add_class("gradschool-lines")
        return field, field


class FormulaPath(Interactive):
    """Type an update rule in two or three lines, and see its path and its loss beside those of plain SGD.

    Arguments:
        example: one of EXAMPLES, what stands there at the start.
        surface: "quadratic", "quadratic, turned" or "Rosenbrock".
        condition: the condition number of the quadratics.

    >>> FormulaPath("momentum").values["rule"]
    'v = 0.9*v + g\\nw = w - rate*v'
    """

    title = "Type a rule, see its path"

    def __init__(self, example: str = "momentum", surface: str = "quadratic", condition: float = 50.0) -> None:
        if example not in EXAMPLES:
            raise ValueError(f"FormulaPath: there is no example {example!r}; there are {', '.join(EXAMPLES)}.")
        self._example = example
        rule, plain = EXAMPLES[example], EXAMPLES["SGD"]
        self._start = path_state(
            *(rule.text, surface, condition, SURFACES[surface].start if surface in SURFACES else (0.0, 0.0)),
            *(rule.rate_on(surface), plain.rate_on(surface)),
        )
        self._draw_axes()
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        start = self._start
        rates = {"minimum": LOWEST_RATE, "maximum": HIGHEST_RATE, "step": 1.1, "logarithmic": True}
        return {
            "example": Choice("example", self._example, (*EXAMPLES, OWN)),
            "rate": Slider("rate", start.rate, **rates),
            "plain_rate": Slider("plain SGD's rate", start.plain_rate, **rates),
            "surface": Choice("surface", start.surface, SHOWN),
            "condition": Slider("condition number", start.condition, 1.0, 1000.0, 1.1, logarithmic=True),
            "start_x": Number("start, across", start.start[0], -5.0, 5.0, 0.01),
            "start_y": Number("start, up", start.start[1], -5.0, 5.0, 0.01),
            "rule": _Lines("rule", EXAMPLES[self._example].text),
        }

    def follow(self, moved: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        surface, example = values["surface"], EXAMPLES.get(values["example"])
        if moved == "rule":
            same = (name for name, example in EXAMPLES.items() if example.text == values["rule"])
            return {"example": next(same, OWN)}
        if moved == "example" and example:
            return {"rule": example.text, "rate": example.rate_on(surface)}
        if moved == "surface":
            start = dict(zip(("start_x", "start_y"), SURFACES[surface].start, strict=True))
            rates = {"rate": example.rate_on(surface)} if example else {}
            return {**start, **rates, "plain_rate": EXAMPLES["SGD"].rate_on(surface)}
        return {}

    def unused(self, values: Mapping[str, Any]) -> Collection[str]:
        return () if SURFACES[values["surface"]].conditioned else ("condition",)

    def state(self, *, example: str, rule: str, start_x: float, start_y: float, **values: Any) -> PathState:
        return path_state(text=rule, start=(start_x, start_y), **values)

    def pointers(self, state: PathState) -> Sequence[Pointer]:
        return (Pointer(self._map, x="start_x", y="start_y"),)

    def formula(self, state: PathState) -> str:
        names = ", ".join(html.escape(name) for name in state.formula.state)
        begins = f"; {names} begin{'' if ',' in names else 's'} with 0" if names else ""
        return (
            f"{style.term('your rule', style.BLUE)} and {style.term('plain SGD', style.VERMILLION)}, "
            f"{STEPS} steps each{begins}"
        )

    def _draw_axes(self) -> None:
        """The backgrounds, and the artists that move over them."""
        (left, area), (right, fall) = (style.subplots(width=368, height=372) for _ in range(2))
        self._map, self._fall = area, fall
        for figure, axes, place in ((left, area, (0.18, 0.13, 0.78, 0.772)), (right, fall, (0.14, 0.13, 0.82, 0.772))):
            figure.set_layout_engine("none")
            axes.set_position(place)
        area.set_title("Paths", size=10.5)
        area.set_title("pale: low loss", size=8, weight="normal", loc="right")
        self._image = Backdrop(area)
        fall.set(yscale="log", xlim=(0, STEPS), xlabel="step")
        fall.set_title("Loss", size=10.5)
        fall.minorticks_off()
        edged = {"markeredgecolor": style.PAPER, "markeredgewidth": 0.8, "markersize": 6}
        looks = {
            "plain": {**style.series(1), **edged, "linewidth": 1.6, "markevery": 10},
            "own": {**style.series(0), **edged, "markevery": 10},
        }
        self._paths = {name: area.plot([], [], **look)[0] for name, look in looks.items()}
        self._falls = {name: fall.plot([], [], **look)[0] for name, look in looks.items()}
        # Where a run was lost.
        cross = {"linestyle": "", "marker": "X", "markersize": 11, "markeredgecolor": style.PAPER}
        self._ends = {
            name: fall.plot([], [], color=look["color"], clip_on=False, **cross)[0] for name, look in looks.items()
        }
        fall.legend([self._falls["own"], self._falls["plain"]], ["yours", "plain SGD"], loc="upper right", fontsize=9)
        (self._begin,) = area.plot([], [], "o", markersize=10, markerfacecolor="none", markeredgecolor=style.INK)
        self._canvases = (
            Canvas(left, [*self._paths.values(), self._begin], seldom=[self._image, *area.spines.values()]),
            Canvas(right, [*self._falls.values(), *self._ends.values()]),
        )

    def picture(self, state: PathState) -> tuple[bytes, bytes]:
        shown = SURFACES[state.surface]
        (left, right), (foot, top) = ((middle - shown.reach, middle + shown.reach) for middle in shown.middle)
        self._map.set(xlim=(left, right), ylim=(foot, top), xlabel=shown.axes[0], ylabel=shown.axes[1])
        self._fall.set_ylim(shown.lowest, shown.highest)
        self._image.image = relief(state.surface, state.condition, pixel_ratio.get())
        self._begin.set_data(*np.array([state.start]).T)
        for name, each in (("plain", state.plain), ("own", state.own)):
            there = slice(each.last + 1)
            losses = np.clip(each.losses[there], shown.lowest, 10 * shown.highest)
            # A path that swings wider and wider would cover the picture: it ends where it leaves it for good.
            inside = np.abs(each.places[there] - shown.middle).max(axis=1) <= shown.reach
            until = np.flatnonzero(inside)[-1] + 2 if inside.any() else 1
            self._paths[name].set_data(*each.places[there][:until].T)
            self._falls[name].set_data(np.arange(len(losses)), losses)
            end = ([], []) if each.lost is None else ([each.last], [min(losses[-1], 0.7 * shown.highest)])
            self._ends[name].set_data(*end)
        paths, losses = self._canvases
        return paths.png((state.surface, state.condition)), losses.png()

    def alt(self, state: PathState) -> str:
        def end(each: Run) -> str:
            x, y = each.places[each.last]
            return f"({_said(x)}, {_said(y)})"

        x, y = map(_said, state.start)
        return (
            f"Two paths on {SURFACES[state.surface].words}, from ({x}, {y}): that of the typed rule comes to "
            f"{end(state.own)}, that of plain SGD to {end(state.plain)}; beside them both losses, step by step."
        )

    def status(self, state: PathState) -> str:
        return (
            f"Your rule, at rate {state.rate:.3g}, {state.own.words}. Plain SGD, at rate {state.plain_rate:.3g}, "
            f"{state.plain.words}."
        )

    def table(self, state: PathState) -> Table:
        shown = (0, 1, 10, 30, STEPS)

        def loss(each: Run, step: int) -> str:
            return _said(each.losses[step]) if step <= each.last else "lost"

        headings = ("rule", "rate", *(f"loss, step {step}" for step in shown))
        return headings, [
            (name, f"{rate:.4g}", *(loss(each, step) for step in shown))
            for name, rate, each in (("yours", state.rate, state.own), ("plain SGD", state.plain_rate, state.plain))
        ]

    def code(self, state: PathState) -> str:
        return state.formula.code(state.rate)

    def details(self, state: PathState) -> str:
        return f"What your rule becomes, in place:\n{state.formula.program.python}"
