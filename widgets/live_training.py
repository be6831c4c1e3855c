"""Lesson 03: the same small network trained by several learners or schedules at once, while one looks on.

What is trained stands in `widgets.training_runs`, what is drawn in `widgets.training_pictures`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from widgets import style
from widgets.base import Choice, Control, Number, Several, Slider, Table
from widgets.live import Live
from widgets.training_pictures import Curves, Digits, Zones
from widgets.training_runs import DATA, LEARNERS, SCHEDULES, Frame, Run, rate_of, runs, train

# A rate moves by factors, twenty to a decade.
_RATES = (1e-4, 10.0, 10**0.05)


@dataclass(frozen=True)
class TrainingState:
    """A frame, and what it is a frame of."""

    data: str
    compare: str
    runs: Sequence[Run]
    frame: Frame

    def held(self, number: int) -> tuple[float, float]:
        """Loss and share of right answers on the points held out, when a run was last looked at."""
        return float(self.frame.held[number, -1]), float(self.frame.right[number, -1])

    @property
    def ranking(self) -> list[int]:
        """The runs that have not diverged, the lowest loss first."""
        there = [number for number in range(len(self.runs)) if math.isfinite(self.held(number)[0])]
        return sorted(there, key=lambda number: self.held(number)[0])


class LiveTraining(Live):
    """Several learners, or several schedules of one learner, train the same small network side by side.

    Arguments:
        data: "three zones" of a square, or "digits".
        compare: "learners", each with its rate, or "schedules" of one learner.

    >>> training = LiveTraining()
    >>> training.advance(100)
    >>> training.frame.step, [run.name for run in training.state(training.frame, **training.values).runs]
    (100, ['SGD', 'momentum', 'Adam'])
    """

    title = "Live training, side by side"
    views = ("pace",)
    preview = 200

    def __init__(self, data: str = "three zones", compare: str = "learners") -> None:
        for name, value, known in (("data", data, DATA), ("compare", compare, ("learners", "schedules"))):
            if value not in known:
                raise ValueError(f"LiveTraining: {name} must be one of {', '.join(known)}, but {value!r} came.")
        self._chosen = data, compare
        self._pictures: tuple[Any, Any] | None = None
        self._pictures_of: Any = None
        super().__init__()

    def controls(self) -> Mapping[str, Control]:
        data, compare = self._chosen
        low, high, factor = _RATES
        rates = {
            rate_of(name): Slider(f"rate of {name}", rate, low, high, factor, logarithmic=True)
            for name, (_, _, rate) in LEARNERS.items()
        }
        return {
            "data": Choice("data", data, list(DATA)),
            "compare": Choice("compare", compare, ["learners", "schedules"]),
            "minibatch": Slider("minibatch", 20, 1, 200, 1),
            "updates": Choice("updates", 600, [("200", 200), ("600", 600), ("2000", 2000)]),
            **{name: rates.pop(name) for name in list(rates)[:4]},
            # From here in the second column: what is left of the rates stands in both.
            "pace": Choice(
                "pace", 60, [("5 updates a second", 5), ("60 updates a second", 60), ("as fast as it goes", 0)]
            ),
            "seed": Number("start number", 0, 0, 99, 1),
            "learner": Choice("learner", "SGD", list(LEARNERS)),
            "rate": Slider("highest rate", 1.0, low, high, factor, logarithmic=True),
            **rates,
            "learners": Several("learners", ("SGD", "momentum", "Adam"), list(LEARNERS), marks=_marks(len(LEARNERS))),
            "schedules": Several(
                "schedules", ("constant", "cosine", "warm-up"), list(SCHEDULES), marks=_marks(len(SCHEDULES))
            ),
        }

    def unused(self, values: Mapping[str, Any]) -> Collection[str]:
        if values["compare"] == "learners":
            out = [rate_of(name) for name in LEARNERS if name not in values["learners"]]
            return ["learner", "rate", "schedules", *out]
        return ["learners", *(rate_of(name) for name in LEARNERS)]

    def pace(self, values: Mapping[str, Any]) -> float:
        return values["pace"]

    def train(self, *, data: str, minibatch: int, seed: int, **values: Any) -> Iterator[Frame]:
        return train(runs(**values), DATA[data](), minibatch, values["updates"], seed)

    def state(self, frame: Frame, *, data: str, compare: str, **values: Any) -> TrainingState:
        return TrainingState(data, compare, runs(compare=compare, **values), frame)

    def picture(self, state: TrainingState) -> Sequence[bytes]:
        names = tuple((run.name, run.look) for run in state.runs)
        wanted = state.data, names, state.frame.steps
        if wanted != self._pictures_of:
            answers, limits = (Zones, (0.03, 2.0)) if state.data == "three zones" else (Digits, (0.01, 4.0))
            self._pictures = Curves(state.runs, state.frame.steps, limits), answers(state.runs, DATA[state.data]())
            self._pictures_of = wanted
        return [picture.png(state.frame) for picture in self._pictures]

    def alt(self, state: TrainingState) -> str:
        what = "the zones they tell apart" if state.data == "three zones" else "the digits they read"
        said = ", ".join(
            f"{run.name} at {_loss(state.held(number)[0])} with {state.held(number)[1]:.1%} right"
            if number in state.ranking
            else f"{run.name} diverged"
            for number, run in enumerate(state.runs)
        )
        return f"Curves of the loss over {state.frame.step} updates, beside them {what}: {said}."

    def status(self, state: TrainingState) -> str:
        step, steps = state.frame.step, state.frame.steps
        lost = [run.name for number, run in enumerate(state.runs) if number not in state.ranking]
        diverged = f" Diverged: {', '.join(lost)}." if lost else ""
        if step == 0:
            loss, right = state.held(0)
            who = f"All {len(state.runs)} start from the same parameters" if state.runs[1:] else "At the start"
            return f"{who}: loss {_loss(loss)} on what was held out, {right:.1%} right."
        after = f"After {step} of {steps} updates"
        if not state.ranking:
            return f"{after} nothing is left to compare.{diverged}"
        best, worst = state.ranking[0], state.ranking[-1]
        loss, right = state.held(best)
        behind = f"; last is {state.runs[worst].name} with {_loss(state.held(worst)[0])}" if worst != best else ""
        return (
            f"{after} {state.runs[best].name} leads: loss {_loss(loss)} on what was held out, {right:.1%} right"
            f"{behind}.{diverged}"
        )

    def table(self, state: TrainingState) -> Table:
        headings = [
            state.compare.removesuffix("s"),
            "rate now",
            "loss, trained on",
            "loss, held out",
            "right, held out",
        ]
        frame = state.frame
        rows = []
        for number, run in enumerate(state.runs):
            loss, right = state.held(number)
            trained = float(frame.losses[number, -1]) if frame.step else math.nan
            if number in state.ranking:
                told = [_loss(trained) if frame.step else "–", _loss(loss), f"{right:.1%}"]
            else:
                told = ["diverged", "–", "–"]
            rows.append([run.name, f"{frame.rates[number]:.3g}", *told])
        return headings, rows

    def code(self, state: TrainingState) -> str:
        return "\n".join(run.code for run in state.runs)


def _marks(count: int) -> list[str]:
    return [style.mark(look) for look in range(count)]


def _loss(loss: float) -> str:
    return style.number(loss, 4)
