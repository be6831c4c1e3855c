"""The base class of the course's widgets: controls → pure function → picture, sentence, numbers.

A widget names its controls and gives four functions of their values:

    state(**values)  the mathematics, pure: tested without a browser
    picture(state)   a PNG (bytes, see `Canvas`) or an inline SVG (text)
    alt(state)       the picture in one sentence, for readers who cannot see it
    status(state)    what has just happened in one sentence, spoken by screen readers

The base class does the rest: sliders with a number field each, Reset, the keyboard, one lock, a box for errors and
for what the functions print, and a still picture for places where no kernel runs.

ipykernel calls us back in a thread of its own. So nothing here uses pyplot, and a widget's functions must not lean on
what belongs to the main thread (a context variable such as no_grad, a current device).
"""

from __future__ import annotations

import contextlib
import html
import io
import sys
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from widgets import style
from widgets.figure import figure_html, image_html, png_of_pixels

# One lock for all widgets: matplotlib's font cache and sys.stdout are shared by all of them.
_lock = threading.RLock()

_ARROW = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E"
    "%3Cpath fill='white' d='M5 7l4 4 4-4 1 1-5 5-5-5z'/%3E%3C/svg%3E"
)
_STYLE_SHEET = """
.gradschool-widget{max-width:752px;padding:4px 0 8px}
.gradschool-widget .gradschool-title{font-weight:600;font-size:var(--jp-ui-font-size2,15px);margin:0 0 2px}
.gradschool-widget .widget-label{color:var(--jp-ui-font-color0,inherit);text-align:left}
.gradschool-widget .widget-html,.gradschool-widget .widget-html-content{height:auto;line-height:1.45}
.gradschool-widget .gradschool-slider input{width:72px;flex:none}
.gradschool-widget .gradschool-picture .widget-html-content{background:PAPER;border-radius:8px;
 overflow-x:auto;overflow-y:hidden}
/* ipywidgets draws the arrow of a list in black, in the dark theme too. */
[data-jp-theme-light=false] .gradschool-widget select{background-image:url("ARROW")}
.gradschool-widget .gradschool-stale{opacity:.35}
.gradschool-widget p{margin:0}
.gradschool-widget .gradschool-status{margin-top:8px;font-size:var(--jp-content-font-size1,14px)}
.gradschool-widget .gradschool-details p{white-space:pre-wrap}
.gradschool-widget .gradschool-details{font-family:var(--jp-code-font-family,monospace);
 font-size:var(--jp-code-font-size,13px);overflow-x:auto}
.gradschool-widget .gradschool-error{border-left:4px solid var(--jp-error-color1,#d32f2f);padding:4px 10px;margin:2px 0}
.gradschool-widget .gradschool-printed{white-space:pre-wrap;margin:2px 0;padding:4px 10px;
 border-left:4px solid var(--jp-border-color1,#bdbdbd)}
""".replace("PAPER", style.PAPER).replace("ARROW", _ARROW)

# ipywidgets cannot give a slider's handle an accessible name nor an element a role. Once the widget stands in the page,
# this names each handle after the number field of its row, and makes the sentence a live region that stays in the page
# while its text changes (screen readers do not announce a region that is itself new). A picture wider than its place
# scrolls: it can be reached with Tab and moved with the arrow keys, and what it points out comes into view.
LOOK_HERE = "gradschool-look-here"
_NAME_ELEMENTS = """
const root=this.closest('.gradschool-widget');
const name=()=>{
 root.setAttribute('role','group');
 root.setAttribute('aria-label',root.querySelector('.gradschool-title').textContent);
 for(const row of root.querySelectorAll('.gradschool-slider')){
  const handle=row.querySelector('[role=slider]'),label=row.querySelector('label');
  if(handle&&label)handle.setAttribute('aria-label',label.textContent);
 }
 for(const list of root.querySelectorAll('select'))
  // or JupyterLab takes the arrow keys for its own
  list.setAttribute('data-lm-suppress-shortcuts','true');
 for(const [place,role] of [['status','status'],['error-box','alert']]){
  const region=root.querySelector('.gradschool-'+place+' .widget-html-content');
  if(region)region.setAttribute('role',role);
 }
 const frame=root.querySelector('.gradschool-picture .widget-html-content');
 if(!frame)return;
 const scrolls=frame.scrollWidth>frame.clientWidth+1;
 const reachable={tabindex:'0',role:'region','aria-label':'picture, scrolls sideways',
  'data-lm-suppress-shortcuts':'true'};
 for(const [attribute,value] of Object.entries(reachable))
  if(scrolls)frame.setAttribute(attribute,value);else frame.removeAttribute(attribute);
 const shown=[...frame.querySelectorAll('.LOOK_HERE')].map(element=>element.getBoundingClientRect());
 if(scrolls&&shown.length){
  const left=Math.min(...shown.map(box=>box.left)),right=Math.max(...shown.map(box=>box.right));
  const place=frame.getBoundingClientRect();
  frame.scrollLeft+=(left+right-place.left-place.right)/2;
 }
};
name();
new MutationObserver(name).observe(root,{childList:true,subtree:true});
new ResizeObserver(name).observe(root);
""".replace("LOOK_HERE", LOOK_HERE)


@dataclass(frozen=True)
class Slider:
    """A number between two limits: a slider, and beside it the field that names it. Whole if all four numbers are."""

    label: str
    value: float
    minimum: float
    maximum: float
    step: float

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        """(the widget whose `value` is the control's, the widget to lay out), its label in the given style."""
        whole = all(isinstance(number, int) for number in (self.value, self.minimum, self.maximum, self.step))
        limits = {"value": self.value, "min": self.minimum, "max": self.maximum, "step": self.step}
        field = (ipywidgets.BoundedIntText if whole else ipywidgets.BoundedFloatText)(
            **limits, description=self.label, style=label, layout=ipywidgets.Layout(width="auto", flex="0 0 auto")
        )
        slider = (ipywidgets.IntSlider if whole else ipywidgets.FloatSlider)(
            **limits, readout=False, layout=ipywidgets.Layout(width="auto", flex="1 1 80px", margin="2px 12px")
        )
        decimals = len(f"{self.step:.10f}".rstrip("0").partition(".")[2])

        # A browser's slider says 1.0999999999999996 for 1.1: the field gets the number that is meant. The slider gets
        # what is typed, but no echo of its own value, which would pull the handle back while it is dragged.
        def from_slider(change: Any) -> None:
            if abs(change["new"] - field.value) > 1e-9:
                field.value = round(change["new"], decimals)

        def from_field(change: Any) -> None:
            if abs(change["new"] - slider.value) > 1e-9:
                slider.value = change["new"]

        slider.observe(from_slider, names="value")
        field.observe(from_field, names="value")
        # A widget may move the limit of the field: the last step of what is shown now.
        ipywidgets.dlink((field, "max"), (slider, "max"))
        row = ipywidgets.HBox([field, slider], layout=ipywidgets.Layout(align_items="center"))
        row.add_class("gradschool-slider")
        return field, row


@dataclass(frozen=True)
class Choice:
    """One of several options: a list to open. `options` are texts, or (text, value) pairs."""

    label: str
    value: Any
    options: Sequence[Any]

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        field = ipywidgets.Dropdown(
            options=self.options, value=self.value, description=self.label, style=label, layout=_FIELD
        )
        return field, field


@dataclass(frozen=True)
class Text:
    """One line to type."""

    label: str
    value: str

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        field = ipywidgets.Text(value=self.value, description=self.label, style=label, layout=_FIELD)
        return field, field


@dataclass(frozen=True)
class Checkbox:
    """Yes or no."""

    label: str
    value: bool

    def build(self, label: dict[str, str]) -> tuple[ipywidgets.Widget, ipywidgets.Widget]:
        field = ipywidgets.Checkbox(value=self.value, description=self.label, indent=False)
        return field, field


Control = Slider | Choice | Text | Checkbox

_FIELD = {"width": "auto"}


class Canvas:
    """A matplotlib figure whose background is kept: only the artists that move are drawn again.

    Drawing axes costs a hundred milliseconds, drawing a line a fraction of one. The background is drawn again only
    when a limit of the axes or the figure's size has changed, or when `surface`, whatever else the background depends
    on, is not the one of last time.

    >>> figure, axes = style.subplots(width=200, height=100)
    >>> line, = axes.plot([0, 1], [0, 1])
    >>> canvas = Canvas(figure, [line])
    >>> canvas.png()[:4], canvas.backgrounds_drawn
    (b'\\x89PNG', 1)
    >>> line.set_ydata([1, 0])
    >>> canvas.png()[:4], canvas.backgrounds_drawn
    (b'\\x89PNG', 1)
    """

    def __init__(self, figure: Figure, moving: Sequence[Artist]) -> None:
        figure.set_dpi(style.PIXELS_PER_INCH * style.PIXEL_RATIO)
        self._canvas = FigureCanvasAgg(figure)
        self._moving = list(moving)
        for artist in self._moving:
            artist.set_animated(True)
        self._background: Any = None
        self._drawn_for: Hashable = None
        self.backgrounds_drawn = 0

    def png(self, surface: Hashable = None) -> bytes:
        figure = self._canvas.figure
        wanted = (
            surface,
            tuple(figure.get_size_inches()),
            tuple((*axes.get_xlim(), *axes.get_ylim()) for axes in figure.axes),
        )
        with _lock:
            if self._background is None or wanted != self._drawn_for:
                self._canvas.draw()
                # The layout is settled once drawn; left on, it would measure every moving text again.
                figure.set_layout_engine("none")
                self._background = self._canvas.copy_from_bbox(figure.bbox)
                self._drawn_for = wanted
                self.backgrounds_drawn += 1
            else:
                self._canvas.restore_region(self._background)
            for artist in self._moving:
                figure.draw_artist(artist)
            return png_of_pixels(self._canvas.buffer_rgba())


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

    def picture(self, state: Any) -> bytes | str:
        """A PNG as bytes or an SVG as text."""
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

    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Buttons: label → function from the controls' values to those that change. Reset comes by itself."""
        return {}

    def __init__(self) -> None:
        self._controls = dict(self.controls())
        # Labels of one width, that of the longest, so that the fields stand in a column.
        longest = max(len(control.label) for control in self._controls.values())
        label = {"description_width": f"{8 * longest + 8}px"}
        built = {name: control.build(label) for name, control in self._controls.items()}
        self._fields = {name: field for name, (field, _) in built.items()}
        self._picture, self._status, self._details, self._error = (ipywidgets.HTML() for _ in range(4))
        for element, name in (
            (self._picture, "picture"),
            (self._status, "status"),
            (self._details, "details"),
            (self._error, "error-box"),
        ):
            element.add_class(f"gradschool-{name}")
        buttons = []
        for label, action in {**self.actions(), "Reset": lambda values: self.defaults}.items():
            button = ipywidgets.Button(description=label, layout=ipywidgets.Layout(width="auto"))
            button.on_click(lambda _, action=action: self.set(**action(self.values)))
            buttons.append(button)
        head = ipywidgets.HTML(
            f'<style onload="{html.escape(_NAME_ELEMENTS, quote=True)}">{_STYLE_SHEET}</style>'
            f'<p class="gradschool-title">{html.escape(self.title)}</p>'
        )
        rows = [row for _, row in built.values()]
        half = (len(rows) + 1) // 2
        # Two columns of controls in a wide notebook; in a narrow one the second wraps below the first.
        panel = ipywidgets.HBox(
            [ipywidgets.VBox(column, layout={"flex": "1 1 300px"}) for column in (rows[:half], rows[half:]) if column],
            layout={"flex_flow": "row wrap", "grid_gap": "0 32px"},
        )
        bar = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([head, panel, bar, self._error, self._picture, self._status, self._details])
        self.widget.add_class("gradschool-widget")
        self._held = False
        self._shown: tuple[bytes | str, str, str] | None = None
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
            ValueError: there is no control of that name, or `state` refuses the values.
        """
        unknown = [name for name in values if name not in self._fields]
        if unknown:
            raise ValueError(
                f"{type(self).__name__}.set: there is no control {unknown[0]!r}; "
                f"the controls are {', '.join(self._fields)}."
            )
        with _lock:
            self._held = True
            try:
                for name, value in values.items():
                    self._fields[name].value = value
            finally:
                self._held = False
            self._show()

    def reset(self) -> None:
        """Put every control back to where it was at the start."""
        self.set(**self.defaults)

    @property
    def error(self) -> str:
        """The sentence in the error box, as HTML; empty when all is well."""
        return self._error.value

    def _changed(self, _change: Any) -> None:
        with _lock:
            if self._held:
                return
            # A refused value is an answer, not an accident: the box shows it and the student goes on.
            with contextlib.suppress(ValueError):
                self._show()

    def _show(self) -> None:
        with _lock, _prints() as printed:
            try:
                state = self.state(**self.values)
                picture, alt, status = self.picture(state), self.alt(state), self.status(state)
                details = self.details(state)
            except Exception as error:
                # An exception in a callback never reaches the cell: show it first, then raise it for caller and log.
                sentence = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                self._tell(sentence, printed.text())
                self._picture.add_class("gradschool-stale")
                raise
            self._tell("", printed.text())
            self._picture.remove_class("gradschool-stale")
            self._picture.value = image_html(picture, alt)
            self._status.value = f"<p>{html.escape(status)}</p>"
            self._details.value = "".join(f"<p>{html.escape(line)}</p>" for line in details.splitlines())
            self._shown = picture, alt, status

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
        _, _, status = self._shown
        # A list says the chosen option's name, which its value (an index, say) need not tell.
        controls = ", ".join(
            f"{self._controls[name].label} = {field.label if isinstance(field, ipywidgets.Dropdown) else field.value}"
            for name, field in self._fields.items()
        )
        return f"{self.title}. {status} (Controls: {controls}.)"

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        picture, alt, status = self._shown
        caption = f"{self.title}. {status} Run this cell to move the controls."
        return {
            **self.widget._repr_mimebundle_(),
            "text/html": figure_html(picture, alt, caption),
            "text/plain": self.summary(),
        }
