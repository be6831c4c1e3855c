"""The controls of a widget: each is a description that builds its ipywidgets.

`build` gives (the widget whose `value` is the control's, the widget to lay out). A `wide` control stands below the
columns of the others. Numbers have `nearest`: what a place pointed at on the picture is rounded to.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets

Built = tuple[ipywidgets.Widget, ipywidgets.Widget]


def _decimals(number: float) -> int:
    return len(f"{number:.10f}".rstrip("0").partition(".")[2])


class NumberRow(ipywidgets.HBox):
    """A number's field, and its slider if it has one. `further` is where it comes to if it goes on by one step more."""

    further: float | None = None


@dataclass(frozen=True)
class Number:
    """A number between two limits, in a field. Whole if all four numbers are."""

    label: str
    value: float
    minimum: float
    maximum: float
    step: float
    wide: ClassVar[bool] = False

    @property
    def whole(self) -> bool:
        return all(isinstance(number, int) for number in (self.value, self.minimum, self.maximum, self.step))

    def nearest(self, value: float) -> float:
        """The value on the control's steps that is nearest.

        >>> Number("rate", 0.1, 0.0, 1.0, 0.05).nearest(0.3333)
        0.35
        """
        near = self.minimum + round((value - self.minimum) / self.step) * self.step
        return near if self.whole else round(near, max(_decimals(self.minimum), _decimals(self.step)))

    def _limits(self) -> dict[str, float]:
        return {"value": self.value, "min": self.minimum, "max": self.maximum, "step": self.step}

    def _field(self, label: dict[str, str]) -> ipywidgets.Widget:
        field = (ipywidgets.BoundedIntText if self.whole else ipywidgets.BoundedFloatText)(
            **self._limits(), description=self.label, style=label, layout={"width": "auto", "flex": "0 0 auto"}
        )
        field.add_class("gradschool-number")
        return field

    def _steps(self, one: float, other: float) -> float:
        """How many steps lie between two values."""
        return abs(one - other) / self.step

    def _beyond(self, before: float, now: float) -> float:
        return 2 * now - before

    def _moves_on(self, row: NumberRow, moved: ipywidgets.Widget, field: ipywidgets.Widget) -> None:
        """Let the row tell where the number comes to next, by what moves it; after a leap nobody knows."""

        def look(change: Any) -> None:
            before, now = change["old"], change["new"]
            row.further = None
            if self._steps(before, now) < 1.5:
                end, further = field.max if now > before else field.min, self._beyond(before, now)
                further = end if (further - end) * (now - before) >= 0 else self.nearest(further)
                if not (_same(further, now) or _same(further, self.nearest(now))):
                    row.further = further

        moved.observe(look, names="value")

    def build(self, label: dict[str, str]) -> Built:
        field = self._field(label)
        row = NumberRow([field])
        self._moves_on(row, field, field)
        return field, row


@dataclass(frozen=True)
class Slider(Number):
    """A number with a slider, and beside it the field that names it.

    A logarithmic slider moves by factors: `step` is the factor, and what it gives is rounded to two digits,
    or to three where the factor is below 1.1: each step of the slider is to give another number.

    >>> Slider("rate", 0.1, 1e-4, 10.0, 10**0.05, logarithmic=True).nearest(0.033333)
    0.033
    """

    logarithmic: bool = False

    def nearest(self, value: float) -> float:
        return float(f"{value:.{2 if self.step >= 1.1 else 3}g}") if self.logarithmic else super().nearest(value)

    def _steps(self, one: float, other: float) -> float:
        return abs(math.log(one / other, self.step)) if self.logarithmic else super()._steps(one, other)

    def _beyond(self, before: float, now: float) -> float:
        return now * now / before if self.logarithmic else super()._beyond(before, now)

    def _slider(self) -> ipywidgets.Widget:
        options = {"readout": False, "layout": {"width": "auto", "flex": "1 1 80px", "margin": "2px 12px"}}
        if not self.logarithmic:
            return (ipywidgets.IntSlider if self.whole else ipywidgets.FloatSlider)(**self._limits(), **options)
        low, high, step = (math.log10(number) for number in (self.minimum, self.maximum, self.step))
        return ipywidgets.FloatLogSlider(value=self.value, min=low, max=high, step=step, **options)

    def build(self, label: dict[str, str]) -> Built:
        field, slider = self._field(label), self._slider()
        row = NumberRow([field, slider], layout={"align_items": "center", "width": "100%"})
        self._moves_on(row, slider, field)

        # A browser's slider says 1.0999999999999996 for 1.1: the field gets the number that is meant. The slider gets
        # what is typed, but no echo of its own value, which would pull the handle back while it is dragged. And what
        # is typed between two steps stays, though the slider, which then stands at the nearest, tells where it stands.
        def from_slider(change: Any) -> None:
            end = [limit for limit in (field.min, field.max) if _same(change["new"], limit)]
            if end or self._steps(change["new"], field.value) > _HALF:
                field.value = end[0] if end else self.nearest(change["new"])

        def from_field(change: Any) -> None:
            if not _same(self.nearest(slider.value), change["new"]):
                slider.value = change["new"]

        slider.observe(from_slider, names="value")
        field.observe(from_field, names="value")
        # A widget may move the limits of the field: the last step of what is shown now.
        scale = math.log10 if self.logarithmic else None
        ipywidgets.dlink((field, "min"), (slider, "min"), scale)
        ipywidgets.dlink((field, "max"), (slider, "max"), scale)
        row.add_class("gradschool-slider")
        if self.logarithmic:
            row.add_class("gradschool-logarithmic")
            # The arrow keys change the number's second digit, however small it is.
            ipywidgets.dlink((field, "value"), (field, "step"), lambda value: 10 ** (math.floor(math.log10(value)) - 1))
        return field, row


@dataclass(frozen=True)
class Player(Slider):
    """A slider that plays: a button moves it by a step every so many milliseconds until its end."""

    interval: int = 100
    wide: ClassVar[bool] = True

    def build(self, label: dict[str, str]) -> Built:
        field, row = super().build(label)
        # ipywidgets plays whole numbers only: it counts the steps.
        play = ipywidgets.Play(interval=self.interval, show_repeat=False, layout={"flex": "0 0 auto"})

        def measure(_change: Any = None) -> None:
            play.max = round((field.max - field.min) / self.step)

        stopped = False

        def from_play(change: Any) -> None:
            if stopped and not play.playing:
                # The page had played on before it heard that it was to stop.
                from_field()
            else:
                field.value = self.nearest(field.min + change["new"] * self.step)

        def from_field(_change: Any = None) -> None:
            nonlocal stopped
            step = round((field.value - field.min) / self.step)
            if step != play.value:
                # Moved by another hand: that is where it stays.
                stopped = stopped or play.playing
                play.playing = False
                play.value = step

        def from_button(change: Any) -> None:
            nonlocal stopped
            stopped = stopped and not change["new"]

        measure()
        from_field()
        play.observe(from_play, names="value")
        play.observe(from_button, names="playing")
        field.observe(measure, names=["min", "max"])
        field.observe(from_field, names="value")
        row.children = (field, play, *row.children[1:])
        row.add_class("gradschool-player")
        return field, row


@dataclass(frozen=True)
class Choice:
    """One of several options: a list to open. `options` are texts, or (text, value) pairs."""

    label: str
    value: Any
    options: Sequence[Any]
    wide: ClassVar[bool] = False

    def build(self, label: dict[str, str]) -> Built:
        field = ipywidgets.Dropdown(
            options=self.options, value=self.value, description=self.label, style=label, layout=_FIELD
        )
        return field, field


@dataclass(frozen=True)
class Several:
    """Any of several options: checkboxes in a row that wraps; the value is a tuple of those ticked.

    `options` are texts, or (text, value) pairs; `marks` may give each a sign of its own, as HTML (`style.mark`).
    """

    label: str
    value: tuple[Any, ...]
    options: Sequence[Any]
    marks: Sequence[str] = ()
    wide: ClassVar[bool] = True

    def build(self, label: dict[str, str]) -> Built:
        # Never shown: it keeps which are chosen, and the checkboxes follow it.
        field = ipywidgets.SelectMultiple(options=self.options, value=self.value)
        names = [option[0] if isinstance(option, tuple) else option for option in self.options]
        boxes = [
            ipywidgets.Checkbox(
                number in field.index,
                description=f"{mark} {html.escape(name)}" if mark else name,
                description_allow_html=bool(mark),
                indent=False,
                layout={"width": "auto"},
            )
            for number, (name, mark) in enumerate(zip(names, self.marks or [""] * len(names), strict=True))
        ]
        moving = False

        def from_box(_change: Any) -> None:
            if not moving:
                field.index = tuple(number for number, box in enumerate(boxes) if box.value)

        def from_field(change: Any) -> None:
            nonlocal moving
            moving = True
            try:
                for number, box in enumerate(boxes):
                    box.value = number in change["new"]
            finally:
                moving = False

        for box in boxes:
            box.observe(from_box, names="value")
        field.observe(from_field, names="index")
        name = ipywidgets.Label(self.label, layout={"flex": "0 0 auto", "margin": "2px 12px 2px 2px"})
        row = ipywidgets.HBox([name, ipywidgets.HBox(boxes, layout={"flex_flow": "row wrap", "grid_gap": "0 14px"})])
        row.add_class("gradschool-several")
        return field, row


@dataclass(frozen=True)
class Text:
    """One line to type."""

    label: str
    value: str
    wide: ClassVar[bool] = False

    def build(self, label: dict[str, str]) -> Built:
        field = ipywidgets.Text(value=self.value, description=self.label, style=label, layout=_FIELD)
        return field, field


@dataclass(frozen=True)
class Checkbox:
    """Yes or no."""

    label: str
    value: bool
    wide: ClassVar[bool] = False

    def build(self, label: dict[str, str]) -> Built:
        field = ipywidgets.Checkbox(value=self.value, description=self.label, indent=False)
        return field, field


Control = Number | Choice | Several | Text | Checkbox

_FIELD = {"width": "auto"}
# Half a step, and a little for what floats lose.
_HALF = 0.5 + 1e-6


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
