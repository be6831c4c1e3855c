"""The base class of the course's widgets: controls → pure function → picture, sentence, numbers.

A widget names its controls and gives four functions of their values:

    state(**values)  the mathematics, pure: tested without a browser
    picture(state)   a PNG (bytes, see `Canvas`), several of them, or an inline SVG (text)
    alt(state)       the picture in one sentence, for readers who cannot see it
    status(state)    what has just happened in one sentence, spoken by screen readers

The base class does the rest: sliders with a number field each, Reset, the keyboard, one lock, a box for errors and
for what the functions print, and a still picture for places where no kernel runs.

A widget may also give:

    details(state)   numbers, a line each, below the sentence
    formula(state)   trusted HTML on white above the picture: `style.term(text, colour)` underlines a term in the colour
                     of its arrow
    table(state)     (headings, rows): an HTML table below, the picture's text twin; the first cell names its row
    code(state)      a line of Python, with a button that copies it
    pointers(state)  parts of the picture that take the mouse: Pointer(axes, x="rate", y="momentum") writes the place
                     pressed or dragged to into those controls, rounded to their steps (x or y alone: along one axis)
    follow(moved, values)  linked numbers: the controls that say the same as the one that moved, and their values now
    unused(values)   the controls that make no difference beside the others' values now: they take no place
    actions()        buttons: label → function from the controls' values to those that change; a ValueError is shown

Controls, all with a label and a value first: Slider, Number (no slider) and Player (a slider that plays, `interval` in
milliseconds) go on with minimum, maximum, step; Slider(..., logarithmic=True) moves by factors of `step`. Choice and
Several (checkboxes, the value is a tuple; `marks` may be [style.mark(i), ...]) go on with options. Text, Checkbox.
Limits of numbers can be moved: `self._fields["step"].max = 12`.

Two pictures side by side are two figures, each with its Canvas, 368 pixels wide: `picture` returns both PNGs, which
stand one below the other where 752 pixels are not to be had (a page of 900 pixels leaves 464). A Pointer says on which
of them its axes are: Pointer(axes, x="step", picture=1). A single figure shrinks: not too much in it.

What the next press of a number's key will ask for is drawn ahead, while the kernel has nothing else to do. So the
functions go by what they are given alone, and whoever moves on with the keyboard waits for the page only.

ipykernel calls us back in a thread of its own. So nothing here uses pyplot, and a widget's functions must not lean on
what belongs to the main thread (a context variable such as no_grad, a current device).
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import json
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import ipywidgets
from matplotlib.axes import Axes
from traitlets import TraitError

from widgets import style
from widgets.canvas import Canvas, pixel_ratio
from widgets.canvas import lock as _lock
from widgets.controls import Checkbox, Choice, Control, Number, NumberRow, Player, Several, Slider, Text
from widgets.figure import Picture, figure_html, image_html

__all__ = [
    "LOOK_HERE",
    "Canvas",
    "Checkbox",
    "Choice",
    "Control",
    "Interactive",
    "Number",
    "Player",
    "Pointer",
    "Several",
    "Slider",
    "Table",
    "Text",
]

# What the page gets with each widget: its style sheet, and the script that names elements, points and copies. An SVG's
# elements of the class LOOK_HERE are scrolled into view.
LOOK_HERE = "gradschool-look-here"
_ARROW = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E"
    "%3Cpath fill='white' d='M5 7l4 4 4-4 1 1-5 5-5-5z'/%3E%3C/svg%3E"
)
_HERE = Path(__file__).parent
_STYLE_SHEET = (
    (_HERE / "page.css")
    .read_text(encoding="utf-8")
    .replace("PAPER", style.PAPER)
    .replace("INK", style.INK)
    .replace("ARROW", _ARROW)
)
_SCRIPT = (_HERE / "page.js").read_text(encoding="utf-8").replace("LOOK_HERE", LOOK_HERE)
_COPY = (
    '<button type="button" class="gradschool-copy jupyter-button" data-lm-suppress-shortcuts="true" '
    'aria-label="Copy the code">Copy</button> <span class="gradschool-copied" aria-live="polite"></span>'
)

# A text twin of the picture: headings, and rows whose first cell is the row's heading.
Table = tuple[Sequence[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Pointer:
    """A part of the picture that takes the mouse: pressing or dragging on `axes` writes where into the controls named.

    >>> figure, axes = style.subplots()
    >>> _ = axes.set(xlim=(1e-4, 1), xscale="log", ylim=(0, 2))
    >>> [round(float(value), 4) for value in Pointer(axes, x="rate", y="momentum").at(0.5, 0.25).values()]
    [0.01, 0.5]
    """

    axes: Axes
    x: str | None = None
    y: str | None = None
    # Which, where there are several.
    picture: int = 0

    def __post_init__(self) -> None:
        # Now: the axes may soon be drawn for a picture that nobody sees yet.
        place = (self.axes.transAxes + self.axes.transData.inverted()).frozen()
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "_box", self.axes.get_position())

    def at(self, across: float, up: float) -> dict[str, float]:
        """The controls' values at a place, given as fractions of the axes' width and height; any scale will do."""
        place = self._place.transform((across, up))
        return {name: float(value) for name, value in zip((self.x, self.y), place, strict=True) if name is not None}

    def box(self) -> list[Any]:
        """Which picture, the axes' left, top, right and bottom as fractions of it, and the mouse's shape there."""
        box = self._box
        cursor = "crosshair" if self.x and self.y else "ew-resize" if self.x else "ns-resize"
        edges = (box.x0, 1 - box.y1, box.x1, 1 - box.y0)
        return [self.picture, *(round(float(edge), 5) for edge in edges), cursor]


class _Seen(NamedTuple):
    """All that is seen of a state."""

    picture: Picture
    alt: str
    status: str
    details: str
    formula: str
    table: Table | None
    code: str
    pointers: Sequence[Pointer]


# Seconds: first the page gets what is shown now.
_BEFORE_LOOKING_AHEAD = 0.03


class _ThisThread(io.TextIOBase):
    """Stands in for sys.stdout: keeps what this thread prints, passes on what other threads print."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self._thread = threading.get_ident()
        self._kept = io.StringIO()

    def write(self, text: str) -> int:
        return (self._kept if threading.get_ident() == self._thread else self._original).write(text)

    def flush(self) -> None:
        self._original.flush()

    def text(self) -> str:
        return self._kept.getvalue()


@contextlib.contextmanager
def _drawn_for(pixels: int) -> Iterator[None]:
    """Pictures have so many pixels for each CSS pixel."""
    before = pixel_ratio.set(pixels)
    try:
        yield
    finally:
        pixel_ratio.reset(before)


@contextlib.contextmanager
def _prints() -> Iterator[_ThisThread]:
    original = sys.stdout
    sys.stdout = kept = _ThisThread(original)
    try:
        yield kept
    finally:
        sys.stdout = original


class Interactive:
    """A widget: derive from it, name the controls, give `state`, `picture`, `alt` and `status`.

    Displayed as the last line of a cell it is live; where no kernel runs it is a still picture with the same sentence.
    `set` moves controls from code, `values` reads them, `reset` puts them back.
    """

    title: ClassVar[str]

    # From here to _show: what a widget defines.

    def controls(self) -> Mapping[str, Control]:
        """The controls by the name under which `state` takes their value, in the order in which they stand."""
        raise NotImplementedError(f"{type(self).__name__} must define controls().")

    def state(self, **values: Any) -> Any:
        """The mathematics: a pure function of the controls. A ValueError is shown to the student as it is written."""
        raise NotImplementedError(f"{type(self).__name__} must define state(**values).")

    def picture(self, state: Any) -> Picture:
        """A PNG as bytes, several of them, or an SVG as text."""
        raise NotImplementedError(f"{type(self).__name__} must define picture(state).")

    def alt(self, state: Any) -> str:
        """The picture in one sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define alt(state).")

    def status(self, state: Any) -> str:
        """What is seen now, in one sentence."""
        raise NotImplementedError(f"{type(self).__name__} must define status(state).")

    def details(self, state: Any) -> str:
        """The numbers behind the sentence, one line each; none unless the widget says so."""
        return ""

    def formula(self, state: Any) -> str:
        """What is computed, as HTML above the picture; none unless the widget says so."""
        return ""

    def table(self, state: Any) -> Table | None:
        """The picture's text twin: headings, and rows that begin with their name; none unless the widget says so."""
        return None

    def code(self, state: Any) -> str:
        """The Python that does what is seen, ready to copy; none unless the widget says so."""
        return ""

    def pointers(self, state: Any) -> Sequence[Pointer]:
        """The parts of the picture that take the mouse; none unless the widget says so."""
        return ()

    def follow(self, moved: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The controls that say the same as the one that moved, in another unit, and their values; none by itself."""
        return {}

    def unused(self, values: Mapping[str, Any]) -> Collection[str]:
        """The controls that make no difference beside the others' values: they take no place; none by itself."""
        return ()

    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Buttons: label → function from the controls' values to those that change. Reset comes by itself."""
        return {}

    def __init__(self) -> None:
        self._controls = dict(self.controls())
        # Labels of one width, that of the longest, so that the fields stand in a column.
        longest = max(_width(control.label) for control in self._controls.values())
        label = {"description_width": f"{longest + 8}px"}
        built = {name: control.build(label) for name, control in self._controls.items()}
        self._fields = {name: field for name, (field, _) in built.items()}
        names = ("error-box", "formula", "picture", "status", "table", "details")
        elements = [ipywidgets.HTML() for _ in names]
        for element, name in zip(elements, names, strict=True):
            element.add_class(f"gradschool-{name}")
        self._error, self._formula, self._picture, self._status, self._table, self._details = elements
        self._code = ipywidgets.HTML()
        code = ipywidgets.HBox([self._code, ipywidgets.HTML(_COPY)], layout={"flex_flow": "row wrap"})
        code.add_class("gradschool-code")
        # Where the mouse has been, from the page; emptied when that is drawn.
        self._pointed = ipywidgets.Text(layout={"display": "none"})
        self._pointed.add_class("gradschool-pointed")
        self._pointed.observe(self._point, names="value")
        self._pointers: Sequence[Pointer] = ()
        # How many pixels the screen has for each CSS pixel, from the page.
        self._pixels = ipywidgets.Text(str(style.PIXEL_RATIO), layout={"display": "none"})
        self._pixels.add_class("gradschool-pixels")
        self._pixels.observe(self._suit_the_screen, names="value")
        # What a widget does not have takes no place.
        self._optional = {self._formula: self._formula, self._table: self._table, self._code: code}
        buttons = []
        for label, action in {**self.actions(), "Reset": lambda values: self._beginning()}.items():
            button = ipywidgets.Button(description=label, layout=ipywidgets.Layout(width="auto"))
            button.on_click(lambda _, action=action: self._press(action))
            buttons.append(button)
        head = ipywidgets.HTML(
            f'<style onload="{html.escape(_SCRIPT, quote=True)}">{_STYLE_SHEET}</style>'
            f'<p class="gradschool-title">{html.escape(self.title)}</p>'
        )
        self._places = {name: row for name, (_, row) in built.items()}
        rows = [self._places[name] for name, control in self._controls.items() if not control.wide]
        wide = [self._places[name] for name, control in self._controls.items() if control.wide]
        half = (len(rows) + 1) // 2
        # Two columns of controls in a wide notebook; in a narrow one the second wraps below the first.
        panel = ipywidgets.HBox(
            [ipywidgets.VBox(column, layout={"flex": "1 1 300px"}) for column in (rows[:half], rows[half:]) if column],
            layout={"flex_flow": "row wrap", "grid_gap": "0 32px"},
        )
        self._bar = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox(
            [
                *(head, panel, *wide, self._bar, self._error, self._formula, self._picture, self._status),
                *(self._table, code, self._details, self._pixels),
                *((self._pointed,) if type(self).pointers is not Interactive.pointers else ()),
            ]
        )
        self.widget.add_class("gradschool-widget")
        self._held = False
        self._moved: Collection[str] = ()
        self._shown: tuple[Picture, str, str] | None = None
        # The controls and what will be seen of them, if a number moves on as it just has, and what was printed for it.
        self._foreseen: tuple[dict[str, Any], _Seen, str] | None = None
        try:
            # The kernel's: cells run in it, controls do not.
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._show()
        for field in self._fields.values():
            field.observe(self._changed, names="value")

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values now."""
        return {name: field.value for name, field in self._fields.items()}

    @property
    def defaults(self) -> dict[str, Any]:
        """The controls' values at the start."""
        return {name: control.value for name, control in self._controls.items()}

    def set(self, **values: Any) -> None:
        """Move controls from code; the picture is drawn once.

        Raises:
            ValueError: there is no control of that name, it takes no such value, or `state` refuses the values.
        """
        unknown = [name for name in values if name not in self._fields]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.set: there is no control {unknown[0]!r}; "
                f"the controls are {', '.join(self._fields)}."
            )
        with _lock:
            before, self._held = self.values, True
            try:
                for name, value in values.items():
                    self._fields[name].value = value
            except TraitError:
                for each in values:
                    self._fields[each].value = before[each]
                options = getattr(self._controls[name], "options", ())
                named = ", ".join(repr(option[1] if isinstance(option, tuple) else option) for option in options)
                takes = f"there are {named}" if options else f"now it is {before[name]!r}"
                raise ValueError(f"{type(self).__name__}.set: {name} cannot be {value!r}; {takes}.") from None
            finally:
                self._held = False
            self._moved = values
            self._show()

    def reset(self) -> None:
        """Put every control back to where it was at the start."""
        self.set(**self._beginning())

    @property
    def error(self) -> str:
        """The sentence in the error box, as HTML; empty when all is well."""
        return self._error.value

    def _changed(self, change: Any) -> None:
        with _lock:
            if self._held:
                return
            name = next(name for name, field in self._fields.items() if field is change["owner"])
            self._moved = [name]
            # A refused value is an answer, not an accident: the box shows it and the student goes on.
            with contextlib.suppress(ValueError):
                self._show()
                self._look_ahead(name)

    def _press(self, action: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        with _lock, contextlib.suppress(ValueError):
            try:
                changes = action(self.values)
            except Exception as error:
                self._tell(_told(error), "")
                raise
            self.set(**changes)

    def _point(self, change: Any) -> None:
        if not change["new"]:
            return
        number, across, up = json.loads(change["new"])
        try:
            with _lock, contextlib.suppress(ValueError):
                place = self._pointers[number].at(across, up)
                self.set(**{name: self._controls[name].nearest(value) for name, value in place.items()})
        finally:
            self._pointed.value = ""

    def _suit_the_screen(self, change: Any) -> None:
        # An SVG suits all screens.
        if not isinstance(self._shown[0], str):
            with contextlib.suppress(ValueError):
                self._show()

    def _let_follow(self) -> None:
        """Move what follows the controls that moved; a control that was moved itself stays."""
        moved, self._moved, self._held = self._moved, (), True
        try:
            for each in moved:
                for name, value in self.follow(each, self.values).items():
                    if name == each or name not in moved:
                        self._fields[name].value = value
        finally:
            self._held = False

    def _show(self) -> None:
        with _lock, _drawn_for(int(self._pixels.value)), _prints() as printed:
            try:
                self._let_follow()
                foreseen, self._foreseen = self._foreseen, None
                if foreseen and foreseen[0] == self.values:
                    _, seen, told = foreseen
                    print(told, end="")
                else:
                    seen = self._look_at(self._state())
            except Exception as error:
                # An exception in a callback never reaches the cell: show it first, then raise it for caller and log.
                self._fail(error, printed.text())
                raise
            self._tell("", printed.text())
            self._picture.remove_class("gradschool-stale")
            image = image_html(seen.picture, seen.alt)
            if seen.pointers:
                boxes = html.escape(json.dumps([pointer.box() for pointer in seen.pointers]), quote=True)
                image = f'<div data-pointers="{boxes}">{image}</div>'
            self._pointers = seen.pointers
            self._picture.value = image
            self._say(seen.status)
            self._details.value = "".join(f"<p>{html.escape(line)}</p>" for line in seen.details.splitlines())
            self._fill(self._formula, seen.formula)
            self._fill(self._table, _table_html(seen.table) if seen.table else "")
            self._fill(self._code, f"<pre>{html.escape(seen.code)}</pre>" if seen.code else "")
            unused = self.unused(self.values)
            for name, row in self._places.items():
                row.layout.display = "none" if name in unused else None
            self._shown = seen[:3]

    def _look_at(self, state: Any) -> _Seen:
        return _Seen(
            picture=self.picture(state),
            alt=self.alt(state),
            status=self.status(state),
            details=self.details(state),
            formula=self.formula(state),
            table=self.table(state),
            code=self.code(state),
            pointers=self.pointers(state),
        )

    def _look_ahead(self, moved: str) -> None:
        """Whoever has pressed a key of a number may press it again: the next picture is drawn while nobody waits."""
        row = self._places[moved]
        if self._loop and self._loop.is_running() and isinstance(row, NumberRow) and row.further is not None:
            values = {**self.values, moved: row.further}
            self._loop.call_soon_threadsafe(
                self._loop.call_later, _BEFORE_LOOKING_AHEAD, self._foresee, moved, values, self._shown
            )

    def _foresee(self, moved: str, values: dict[str, Any], shown: tuple[Picture, str, str]) -> None:
        with _lock:
            if self._shown is not shown:
                return  # The controls have moved again.
            # What is refused, or cannot be computed, is told when it is asked for.
            if_wrong = contextlib.suppress(ValueError, ArithmeticError)
            with _drawn_for(int(self._pixels.value)), _prints() as printed, if_wrong:
                values |= self.follow(moved, values)
                seen = self._look_at(self.state(**values))
                self._foreseen = values, seen, printed.text()

    # What a widget whose state has more to it than the controls does otherwise (`widgets.live`).

    def _beginning(self) -> dict[str, Any]:
        return self.defaults

    def _state(self) -> Any:
        return self.state(**self.values)

    def _say(self, status: str) -> None:
        self._status.value = f"<p>{html.escape(status)}</p>"

    def _still(self) -> tuple[Picture, str, str]:
        """Picture, alternative text and sentence for places where no kernel runs."""
        return self._shown

    def _fill(self, element: ipywidgets.HTML, content: str) -> None:
        element.value = content
        self._optional[element].layout.display = None if content else "none"

    def _fail(self, error: Exception, printed: str = "") -> None:
        """Show what went wrong; the last picture stays, but it is not that of the controls."""
        self._tell(_told(error), printed)
        self._picture.add_class("gradschool-stale")

    def _tell(self, error: str, printed: str) -> None:
        """Fill the box, or empty it."""
        told = ""
        if error:
            told += f'<p class="gradschool-error">✗ {html.escape(error)}</p>'
        if printed:
            told += f'<p class="gradschool-printed">{html.escape(printed.rstrip())}</p>'
        self._error.value = told

    def summary(self) -> str:
        """The widget in words: its title, its sentence, its controls."""
        # A list says the chosen option's name, which its value (an index, say) need not tell.
        said = {name: getattr(field, "label", field.value) for name, field in self._fields.items()}
        controls = ", ".join(
            f"{self._controls[name].label} = {(' + '.join(value) or 'none') if isinstance(value, tuple) else value}"
            for name, value in said.items()
        )
        return f"{self.title}. {self._shown[2]} (Controls: {controls}.)"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        picture, alt, status = self._still()
        caption = f"{self.title}. {status} Run this cell to move the controls."
        return {
            **self.widget._repr_mimebundle_(),
            "text/html": figure_html(picture, alt, caption),
            "text/plain": self.summary(),
        }


def _told(error: Exception) -> str:
    """A refused value is answered in its own sentence; what is an accident says its kind."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _width(label: str) -> int:
    """About how many pixels a label needs.

    >>> _width("rate"), _width("momentum")
    (32, 82)
    """
    return sum(14 if letter in "mwMW" else 8 for letter in label)


def _table_html(table: Table) -> str:
    """
    >>> _table_html((["learner", "loss"], [["sgd", 0.25]]))[:60]
    '<table><thead><tr><th scope="col">learner</th><th scope="col'
    """
    headings, rows = table

    def cells(row: Sequence[Any]) -> str:
        name, *numbers = (html.escape(str(cell)) for cell in row)
        return f'<th scope="row">{name}</th>' + "".join(f"<td>{number}</td>" for number in numbers)

    head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{cells(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
