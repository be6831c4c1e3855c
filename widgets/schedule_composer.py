"""Lesson 06: a learning rate schedule and a minibatch-size schedule, and what the two make of each other.

A learner multiplies the mean gradient of a minibatch by the rate of the update; a sample has an n-th part in it. Added
up over all updates, that is how far training would have gone if the gradient had never changed.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from kernel.errors import DtypeError, RangeError
from kernel.schedules import (
    Constant,
    Counts,
    Plateau,
    Schedule,
    TimeConstant,
    WarmUp,
    as_schedule,
    effective_rate,
    minibatch_size_schedule,
    parse,
)
from widgets import style
from widgets.base import Canvas, Choice, Interactive, Number, Pointer, Slider, Table, Text

# More updates than this would take too long between a key press and the picture.
MOST_UPDATES = 20_000
LARGEST_RATE = 1e9
AS_TYPED = "as typed"
SHAPES = (
    "constant",
    "list",
    "pairs",
    "step decay",
    "exponential",
    "straight line",
    "cosine",
    "warm-up, then cosine",
    "one cycle",
    AS_TYPED,
)
_TITLES = ("Rate per update", "Step per sample", "Steps added up", "Minibatch size")
# What a number may be meant for, and the schedule's minibatch_size that says so.
MEANINGS = {"minibatch": 0, "sample": 1, "32 samples": 32}


def compose(shape: str, rate: float, over: int, factor: float, epoch_size: int, per: str) -> str:
    """The line of Python that makes a schedule of one of the SHAPES.

    Arguments:
        shape: one of SHAPES, but not "as typed".
        rate: where it begins, or its highest.
        over: units in all; lists have three phases, the last of which lasts.
        factor: from phase to phase, or from unit to unit.
        epoch_size: so many samples are one unit; with 0, a sweep is.
        per: one of MEANINGS.

    >>> compose("list", 0.05, 9, 0.5, 100, "minibatch")
    'kernel.learning_rate_schedule([0.05] * 3 + [0.025] * 3 + [0.0125], "minibatch", epoch_size=100)'
    >>> compose("cosine", 0.1, 10, 0.5, 0, "sample")
    'kernel.schedules.Cosine(0.1, 10, unit="sweep", minibatch_size=1)'
    """
    first, second, third = (f"{rate * factor**phase:.4g}" for phase in range(3))
    phase, rise = max(over // 3, 1), max(over // 5, 1)
    sized = f", epoch_size={epoch_size}" if epoch_size else ""
    values = {
        "constant": first,
        "list": f"[{first}] * {phase} + [{second}] * {phase} + [{third}]",
        "pairs": f"[({phase}, {first}), ({phase}, {second}), (0, {third})]",
    }
    if shape in values:
        sized = sized if shape != "constant" else ""
        if per in ("minibatch", "sample"):
            return f'kernel.learning_rate_schedule({values[shape]}, "{per}"{sized})'
        return f"kernel.learning_parameter_schedule({values[shape]}, minibatch_size={MEANINGS[per]}{sized})"
    unit = ', unit="sweep"'
    units = f"{sized or unit}, minibatch_size={MEANINGS[per]}"
    made = {
        "step decay": f"StepDecay({first}, {phase}, {factor:g}{units})",
        "exponential": f"Exponential({first}, {factor:g}{units})",
        "straight line": f"Linear({first}, 0, {over}{units})",
        "cosine": f"Cosine({first}, {over}{units})",
        "warm-up, then cosine": f"WarmUp(kernel.schedules.Cosine({first}, {max(over - rise, 1)}{units}), {rise})",
        "one cycle": f"OneCycle({first}, {max(over, 2)}{units})",
    }
    return f"kernel.schedules.{made[shape]}"


def read_rate(line: str) -> Schedule:
    """The learning rate that a line of Python makes; what stands before an = is passed over.

    Raises:
        ValueError: it makes none; the sentence is that of `kernel.schedules.parse`, where it is about the line.

    >>> read_rate("lr = learning_rate_schedule([.05] * 3 + [.025], UnitType.minibatch, epoch_size=100)")
    <0.05 for 300 samples, then 0.025; per minibatch>
    """
    try:
        schedule = parse(re.sub(r"^\s*\w+\s*=(?!=)", "", line))
        if isinstance(schedule, TimeConstant):
            raise ValueError("The line makes a momentum, told by its time constant; a learning rate is drawn here.")
        return as_schedule("ScheduleComposer", "the line", schedule)
    except DtypeError as error:
        raise ValueError(str(error)) from None


def read_sizes(text: str) -> Schedule:
    """Minibatch sizes: a number, a list or pairs, where a unit is a sweep, or the line that makes a schedule of them.

    Raises:
        ValueError: it is none of these.

    >>> read_sizes("[32] * 3 + [128]")
    <32 for 3 sweeps, then 128>
    """
    try:
        return minibatch_size_schedule(parse(f"minibatch_size_schedule({text})"))
    except (DtypeError, RangeError) as error:
        told = str(error)
        if told.startswith("parse: this is no line") or not text.strip():
            told = f"minibatch sizes should be as 32, or as [32] * 3 + [128], but {text!r} came."
        raise ValueError(told) from None


def meant_for(schedule: Schedule, minibatch_size: int) -> Schedule:
    """The same numbers, meant for something else.

    >>> meant_for(WarmUp(parse("Cosine(0.1, 100, minibatch_size=0)"), 10), 1).code
    'WarmUp(Cosine(0.1, 100, minibatch_size=1), 10)'
    """
    if isinstance(schedule, WarmUp) and not isinstance(schedule.then, Constant):
        return WarmUp(meant_for(schedule.then, minibatch_size), schedule.over, schedule.first)
    return dataclasses.replace(schedule, minibatch_size=minibatch_size)


def in_words(minibatch_size: int) -> str:
    """
    >>> in_words(0), in_words(32)
    ('per minibatch', 'per 32 samples')
    """
    return f"per {['minibatch', 'sample'][minibatch_size] if minibatch_size < 2 else f'{minibatch_size} samples'}"


@dataclass(frozen=True)
class ComposerState:
    """Every update of a training, and what the schedules make of it. Arrays have an entry for each update."""

    line: str
    schedule: Schedule
    sweep: int
    sweeps: int
    # Samples seen before the update, and the samples in it.
    seen: np.ndarray
    sizes: np.ndarray
    # What the schedule says; by what the learner multiplies the mean gradient; the same with the other meaning.
    values: np.ndarray
    rates: np.ndarray
    others: np.ndarray
    # The update that is looked at.
    at: int
    # Whether the line was typed, and not written by the controls.
    is_typed: bool = False

    @property
    def meaning(self) -> str:
        return in_words(self.schedule.minibatch_size or 0)

    @property
    def other_meaning(self) -> str:
        return in_words(0 if self.schedule.minibatch_size else 1)

    @property
    def differs(self) -> bool:
        """Whether the other meaning, with the same rate at the start, makes a difference: as soon as sizes change."""
        return not np.allclose(self.others, self.rates, rtol=1e-9, atol=0)

    @property
    def steps(self) -> np.ndarray:
        """By what the gradient of one sample is multiplied."""
        return self.rates / self.sizes

    @property
    def totals(self) -> np.ndarray:
        """The rates of all updates before each, added up; one entry more, for the end."""
        return _added_up(self.rates)

    @property
    def phases(self) -> np.ndarray:
        """Updates with which a new rate or a new size begins."""
        changed = np.diff(self.rates) != 0, np.diff(self.sizes) != 0
        return np.concatenate([[0], np.flatnonzero(np.logical_or(*changed)) + 1])


def schedule_state(line: str, sizes: str = "32", sweep: int = 1024, sweeps: int = 9, at: int = 0) -> ComposerState:
    """A training of so many sweeps through the data, update by update.

    Arguments:
        line: a line of Python that makes a learning rate; one that is meant for nothing is taken per minibatch.
        sizes: minibatch sizes as text, see `read_sizes`; a minibatch ends where a sweep does.
        sweep: samples in a sweep.
        sweeps: how many.
        at: the sample that is looked at.

    Raises:
        ValueError: a text makes no schedule, a sweep has no samples, or there is too much to draw.

    >>> state = schedule_state('learning_rate_schedule([0.5, 0.25], "sample", 64)', "[32, 64]", 64, 2)
    >>> state.sizes.tolist(), state.rates.tolist(), state.totals.tolist()
    ([32, 32, 64], [16.0, 16.0, 16.0], [0.0, 16.0, 32.0, 48.0])
    """
    schedule, size = read_rate(line), read_sizes(sizes)
    if sweep < 1:
        raise ValueError("A sweep through no samples makes no update; give a sweep size of at least 1.")
    seen, updates = Counts(), []
    try:
        while seen.sweeps < sweeps:
            left = sweep * (seen.sweeps + 1) - seen.samples
            n = min(int(size.now(seen)), left)
            updates.append((seen.samples, n, schedule.now(seen)))
            seen = Counts(seen.samples + n, seen.minibatches + 1, seen.sweeps + (n == left))
            if len(updates) > MOST_UPDATES:
                raise ValueError(
                    f"More than {MOST_UPDATES} updates are too many to draw; make the minibatches larger, or show "
                    "fewer sweeps."
                )
    except RangeError:  # it has grown too large for a number
        updates.append((0, 1, math.inf))
    before, ns, values = (np.array(column) for column in zip(*updates, strict=True))
    if not values.max() < LARGEST_RATE:
        raise ValueError(f"The rate grows beyond {LARGEST_RATE:g}; there is nothing to see up there.")
    per = schedule.minibatch_size or 0
    rates = np.array(
        [effective_rate(value, per, n, means=True) for value, n in zip(values.tolist(), ns.tolist(), strict=True)]
    )
    others = values * ns[0] / per if per else values * ns / ns[0]
    here = int(np.searchsorted(before, at, side="right")) - 1
    return ComposerState(line.strip(), schedule, sweep, sweeps, before, ns, values, rates, others, max(here, 0))


class Line(Text):
    """One line to type, as wide as the widget."""

    wide: ClassVar[bool] = True


class ScheduleComposer(Interactive):
    """Build a schedule, or paste the line that makes one, and see what a learner makes of it.

    Arguments:
        line: the line where it begins; a list, if it is not given.
        sizes: minibatch sizes, as 32 or [32] * 3 + [128].
        sweep, sweeps: samples in a sweep through the data, and how many sweeps are shown.

    >>> ScheduleComposer("StepDecay(0.1, 3, unit='sweep')", sweeps=6).values["shape"]
    'as typed'
    """

    title = "Schedule composer"

    def __init__(self, line: str | None = None, sizes: str = "32", sweep: int = 1024, sweeps: int = 9) -> None:
        built = {"shape": "list", "rate": 0.4, "over": 9, "factor": 0.5, "epoch_size": 1024, "per": "minibatch"}
        self._line = compose(**built) if line is None else line
        self._built = built if line is None else built | {"shape": AS_TYPED, "per": self._per(line, "minibatch")}
        self._start = schedule_state(self._line, sizes, sweep, sweeps)
        self._sizes = sizes
        self._draw_axes()
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        built, start = self._built, self._start
        return {
            "shape": Choice("shape", built["shape"], SHAPES),
            "rate": Slider("rate", built["rate"], 1e-5, 10.0, 10**0.05, logarithmic=True),
            "over": Slider("over units", built["over"], 1, 60, 1),
            "factor": Number("factor", built["factor"], 0.05, 0.95, 0.05),
            "epoch_size": Number("epoch_size", built["epoch_size"], 0, 10**6, 64),
            "per": Choice("meant per", built["per"], [*MEANINGS, AS_TYPED]),
            "sizes": Text("minibatch", self._sizes),
            # From 0: a browser counts the steps of its arrow keys from the minimum.
            "sweep": Number("sweep size", start.sweep, 0, 10**6, 64),
            "sweeps": Number("sweeps", start.sweeps, 1, 100, 1),
            "at": Number("look at", 0, 0, 10**8, 256),
            "line": Line("line", self._line),
        }

    def follow(self, moved: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The line says what the controls say; of one that was typed they change only what it is meant for."""
        if moved == "line":
            return {"shape": AS_TYPED, "per": self._per(values["line"], values["per"])}
        if moved not in self._built:
            return {}
        if values["shape"] != AS_TYPED:
            per = values["per"] if values["per"] != AS_TYPED else "minibatch"
            return {"per": per, "line": compose(**{name: values[name] for name in self._built} | {"per": per})}
        if moved == "per" and values["per"] != AS_TYPED:
            try:
                return {"line": meant_for(read_rate(values["line"]), MEANINGS[values["per"]]).code}
            except ValueError:
                return {}  # what is wrong with the line is told when it is drawn
        return {}

    @staticmethod
    def _per(line: str, otherwise: str) -> str:
        """What a line's numbers are meant for, as a list of MEANINGS and one more says it."""
        try:
            size = read_rate(line).minibatch_size or 0
        except ValueError:
            return otherwise
        return {size: name for name, size in MEANINGS.items()}.get(size, AS_TYPED)

    def state(self, line: str, sizes: str, sweep: int, sweeps: int, at: int, **built: Any) -> ComposerState:
        """The line is all that counts: the other controls only write it."""
        state = schedule_state(line, sizes, sweep, sweeps, at)
        return dataclasses.replace(state, is_typed=built["shape"] == AS_TYPED)

    def _draw_axes(self) -> None:
        pairs = [style.subplots(2, width=352, height=350, sharex=True)[1] for _ in range(2)]
        self._panels = [*pairs[0], *pairs[1]]
        for above, below in pairs:
            # By hand: the numbers at the axes change, and find room on the left whatever they are.
            above.figure.set_layout_engine("none")
            above.set_position((0.13, 0.605, 0.835, 0.3))
            below.set_position((0.13, 0.145, 0.835, 0.3))
            for axes in (above, below):
                # Else each drawing would measure all numbers to find out where the labels may stand.
                axes.xaxis.set_label_coords(0.5, -0.26)
                axes.yaxis.set_label_coords(0, 0.5)
        self._curves, self._others, self._dots = [], [], []
        for number, (axes, title) in enumerate(zip(self._panels, _TITLES, strict=True)):
            axes.grid(axis="y")
            axes.locator_params(nbins=5)
            drawn = {"drawstyle": "default" if title == "Steps added up" else "steps-post"}
            self._others += axes.plot([], [], color=style.MUTED, linewidth=1.3, linestyle="--", **drawn)
            look = style.series(number) | {"markersize": 5, "linestyle": "-", "clip_on": False}
            self._curves += axes.plot([], [], **look, **drawn)
            ring = {"color": style.INK, "markersize": 8, "markerfacecolor": "none", "clip_on": False}
            self._dots += axes.plot([], [], "o", **ring)
        self._legend = pairs[0][0].legend([self._others[0]], ["if"], fontsize=8, handlelength=2)
        moving = list(zip(self._others, self._curves, self._dots, strict=True))
        self._canvases = [
            Canvas(pairs[0][0].figure, [*moving[0], *moving[1], self._legend]),
            Canvas(pairs[1][0].figure, [*moving[2], *moving[3]]),
        ]

    def picture(self, state: ComposerState) -> Sequence[bytes]:
        end = state.sweep * state.sweeps
        x = np.append(state.seen, end)
        others = (state.others, state.others / state.sizes, _added_up(state.others), None)
        shown = (state.rates, state.steps, state.totals, state.sizes)
        # Signs stand where something changes; where it changes all the time, here and there.
        signs = state.phases if len(state.phases) <= 12 else np.linspace(0, len(state.seen) - 1, 9).astype(int)
        for number, (axes, values, other) in enumerate(zip(self._panels, shown, others, strict=True)):
            # What holds during an update begins with it, and lasts to the end of the last.
            last = (len(x) - len(values)) * [-1]
            self._curves[number].set_data(x, np.append(values, values[last]))
            self._curves[number].set_markevery(signs.tolist())
            visible = other is not None and state.differs
            self._others[number].set_visible(visible)
            if visible:
                self._others[number].set_data(x, np.append(other, other[last]))
            self._dots[number].set_data([x[state.at]], [values[state.at]])
            highest = max(values.max(), other.max() if visible else 0)
            top = _ceiling(highest)
            axes.set(xlim=(0, end), ylim=(0, top))
            (unit, told), (samples, counted) = _in_powers(top), _in_powers(end)
            axes.yaxis.set_major_formatter(lambda value, _, unit=unit: f"{value / unit:g}")
            axes.xaxis.set_major_formatter(lambda value, _, unit=samples: f"{value / unit:g}")
            # y, since to find out that nothing lies above the axes takes a fifth of a drawing.
            axes.set_title(_TITLES[number] + told, y=1.0)
            axes.set_xlabel(f"samples seen{counted}" if number % 2 else "")
        self._legend.set_visible(state.differs)
        self._legend.get_texts()[0].set_text(f"if it were {state.other_meaning}")
        return [canvas.png() for canvas in self._canvases]

    def pointers(self, state: ComposerState) -> Sequence[Pointer]:
        return [Pointer(axes, x="at", picture=number // 2) for number, axes in enumerate(self._panels)]

    def _course(self, rates: np.ndarray) -> str:
        """From where to where rates go, and what they come to."""
        low, high, first, last = (f"{rate:.4g}" for rate in (rates.min(), rates.max(), rates[0], rates[-1]))
        if low == high:
            way = f"stays at {first}"
        else:
            top = "" if high in (first, last) else f" by way of {high}"
            bottom = "" if low in (first, last) else f", never below {low}"
            way = f"goes from {first}{top} to {last}{bottom}"
        return f"{way}, and adds up to {rates.sum():.4g}"

    def alt(self, state: ComposerState) -> str:
        sizes = np.unique(state.sizes)
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        return (
            f"Four curves over {state.sweep * state.sweeps} samples, with minibatches of {size}: the rate per update "
            f"{self._course(state.rates)} in the third curve; the step per sample goes from {state.steps[0]:.4g} to "
            f"{state.steps[-1]:.4g}."
        )

    def status(self, state: ComposerState) -> str:
        words = repr(state.schedule)[1:-1]
        told = (
            f"{words[0].upper()}{words[1:]}: in {len(state.seen)} updates the rate per update "
            f"{self._course(state.rates)}."
        )
        if state.differs:
            told += f" Meant {state.other_meaning}, and the same at the start, it {self._course(state.others)}."
        if isinstance(state.schedule, Plateau):
            told += " It is cut by reports of scores only, and here nobody reports any."
        return told

    def details(self, state: ComposerState) -> str:
        at = state.at
        told = (
            f"Update {at + 1}, after {state.seen[at]} samples: the schedule says {state.values[at]:.4g} "
            f"{state.meaning}; the minibatch has {state.sizes[at]}.\n"
            f"Rate {state.rates[at]:.4g}, step per sample {state.steps[at]:.4g}, "
            f"added up before it {state.totals[at]:.4g}"
        )
        if state.is_typed:
            told += "\nThe line was typed: choose a shape, and rate, units, factor and epoch_size write it again."
        return told

    def table(self, state: ComposerState) -> Table:
        rows = state.phases if len(state.phases) <= 8 else np.linspace(0, len(state.seen) - 1, 7).astype(int)
        headings = ("from sample", "update", "schedule says", "minibatch", "rate per update", "per sample", "added up")
        return headings, [
            (
                *(state.seen[i], i + 1, f"{state.values[i]:.4g}", state.sizes[i]),
                *(f"{state.rates[i]:.4g}", f"{state.steps[i]:.4g}", f"{state.totals[i]:.4g}"),
            )
            for i in rows
        ]

    def code(self, state: ComposerState) -> str:
        return state.line


def _added_up(rates: np.ndarray) -> np.ndarray:
    """
    >>> _added_up(np.array([1.0, 2.0])).tolist()
    [0.0, 1.0, 3.0]
    """
    return np.concatenate([[0.0], np.cumsum(rates)])


def _in_powers(top: float) -> tuple[float, str]:
    """The unit in which an axis up to there has short numbers, and how its title says so.

    >>> _in_powers(3e-5), _in_powers(0.4)
    ((1e-05, ', in 10⁻⁵'), (1.0, ''))
    """
    power = math.floor(math.log10(top))
    return (1.0, "") if -2 < power < 4 else (10.0**power, f", in 10{str(power).translate(_RAISED)}")


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _ceiling(highest: float) -> float:
    """A little above: a round number that seldom changes, since axes take long to draw again.

    >>> _ceiling(0.4), _ceiling(0.0)
    (0.55, 1.0)
    """
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    steps = (1.1, 2.2, 5.5, 11)
    return next(round(step * power, 12) for step in steps if highest <= step * power * (1 + 1e-9))
