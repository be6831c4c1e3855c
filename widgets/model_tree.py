"""Lesson 04: a model as a tree of layers, with the numbers that leave each of them and those that it holds."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

import kernel
from widgets import style
from widgets.base import Choice, Interactive, Text
from widgets.figure import svg

_BINS = 25


@dataclass(frozen=True)
class Histogram:
    """How often numbers fall into bins of equal width; those that are not finite are only counted."""

    counts: np.ndarray
    edges: np.ndarray
    mean: float
    deviation: float
    zeros: float
    size: int
    not_finite: int


@dataclass(frozen=True)
class Row:
    """One module under one of its names.

    `shapes` are those of what its last call gave: () if the example did not reach it, None if there was no example.
    `parameters` counts the numbers that it and all below hold, each once; None while one of them waits for its size.
    `shared_with` is the name under which the same module stands further up, None if it does not.
    """

    place: int
    name: str
    label: str
    depth: int
    layer: str
    options: str
    held: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...] | None
    calls: int
    parameters: int | None
    shared_with: str | None
    has_children: bool
    activations: Histogram | None
    weights: Histogram | None


@dataclass(frozen=True)
class TreeState:
    """The rows to be seen, and the one that is chosen. `total` counts every parameter once; None if unknown."""

    visible: tuple[Row, ...]
    folded: frozenset[str]
    selected: Row
    total: int | None
    size: int

    def share(self, row: Row) -> float | None:
        """The share of all parameters that a row holds."""
        return row.parameters / self.total if row.parameters is not None and self.total else None


def histogram(values: np.ndarray) -> Histogram | None:
    """The numbers of an array, of any shape, in 25 bins from the smallest to the largest; None if there is none.

    >>> found = histogram(np.array([0.0, 0.0, 1.0, np.nan]))
    >>> found.counts.sum().item(), round(found.mean, 4), round(found.zeros, 4), found.not_finite
    (3, 0.3333, 0.6667, 1)
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    counts, edges = np.histogram(finite, _BINS)
    zeros = float((finite == 0).mean())
    return Histogram(
        counts, edges, float(finite.mean()), float(finite.std()), zeros, finite.size, numbers.size - finite.size
    )


def model_rows(model: kernel.Module, *inputs: Any) -> tuple[Row, ...]:
    """The modules of a model from the top down, and what each gives for an example.

    A copy of the model computes it, as in use (`eval`), so that the model itself, its running statistics and its random
    numbers stay as they are. Without inputs nothing is computed, and sizes that only a call would tell stay unknown.

    Errors: TypeError if `model` is no module; what the model itself says of an example that does not fit.

    >>> rows = model_rows(kernel.layers.Linear(2, 3), kernel.ones(4, 2))
    >>> rows[0].layer, rows[0].shapes, rows[0].parameters
    ('Linear', ((4, 3),), 9)
    """
    if not isinstance(model, kernel.Module):
        raise TypeError(f"ModelTree: model must be a kernel.Module; got {type(model).__name__}.")
    copy = model.clone().eval()
    given: dict[kernel.Module, list[list[kernel.Tensor]]] = {module: [] for module in copy.modules()}
    for module in given:
        module.register_forward_hook(lambda module, _, output: given[module].append(list(_tensors(output))))
    if inputs:
        with kernel.no_grad():
            copy(*inputs)
    first_name: dict[kernel.Module, str] = {}
    rows = []
    for name, label, depth, module in _walk(copy):
        parameters = list(module.parameters())
        calls = given[module]
        numbers = [each.cpu().numpy().ravel() for call in calls for each in call]
        rows.append(
            Row(
                place=len(rows),
                name=name,
                label=label,
                depth=depth,
                layer=type(module).__name__,
                options=module.extra_repr(),
                held=tuple(f"{path} {_shape(each.shape)}" for path, each in module.named_parameters()),
                shapes=(tuple(each.shape for each in calls[-1]) if calls else ()) if inputs else None,
                calls=len(calls),
                parameters=_count(parameters),
                shared_with=first_name.get(module),
                has_children=any(True for _ in module.children()),
                activations=histogram(np.concatenate(numbers)) if numbers else None,
                weights=_weights(parameters),
            )
        )
        first_name.setdefault(module, name)
    return tuple(rows)


def _walk(
    module: kernel.Module, name: str = "", label: str = "model", above: tuple[kernel.Module, ...] = ()
) -> Iterator[tuple[str, str, int, kernel.Module]]:
    yield name, label, len(above), module
    for child_label, child in module.named_children():
        if child not in above:  # one that holds a module above it would be walked for ever
            yield from _walk(child, f"{name}.{child_label}" if name else child_label, child_label, (*above, module))


def _tensors(output: Any) -> Iterator[kernel.Tensor]:
    if isinstance(output, kernel.Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for each in output:
            yield from _tensors(each)


def _count(parameters: list[kernel.Parameter]) -> int | None:
    shapes = [parameter.shape for parameter in parameters]
    if any(shape is None or None in shape for shape in shapes):
        return None
    return sum(map(math.prod, shapes))


def _weights(parameters: list[kernel.Parameter]) -> Histogram | None:
    """What multiplies: parameters of two axes or more. Biases, which begin at 0, would hide them; alone they show."""
    if not parameters or _count(parameters) is None:
        return None
    chosen = [each for each in parameters if each.ndim > 1] or parameters
    return histogram(np.concatenate([each.detach().cpu().numpy().ravel() for each in chosen]))


def tree_state(rows: tuple[Row, ...], layer: str, folded: str = "") -> TreeState:
    """What is to be seen when `layer` is chosen and the modules named in `folded`, with commas, are folded.

    A chosen layer inside a folded module is not to be seen: the module is chosen in its stead. The model itself, whose
    name is "", stays open.

    Errors: ValueError, in words, for a name that no module has.

    >>> from kernel.layers import Linear, Residual, Sequential
    >>> rows = model_rows(Sequential([Linear(2, 2), Residual(Linear(2, 2))]))
    >>> [row.name for row in tree_state(rows, "0").visible]
    ['', '0', '1', '1.inside', '1.inside.0']
    >>> state = tree_state(rows, "1.inside.0", folded="1")
    >>> [row.name for row in state.visible], state.selected.name
    (['', '0', '1'], '1')
    """
    by_name = {row.name: row for row in rows}
    closed = _words(folded)
    for control, words in (("layer", [layer]), ("folded", sorted(closed))):
        for word in words:
            if word not in by_name:
                names = ", ".join(name for name in by_name if name) or "no others"
                raise ValueError(f"{control}: the model holds no module {word!r}; it holds {names}.")
    visible = tuple(row for row in rows if closed.isdisjoint(_above(row.name)))
    while by_name[layer] not in visible:
        layer = next(name for name in _above(layer) if name in by_name)
    return TreeState(visible, closed, by_name[layer], rows[0].parameters, len(rows))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


def _above(name: str) -> Iterator[str]:
    """The names of all modules that hold this one, the nearest first, and names that no module has among them."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _title(row: Row) -> str:
    """A row in the list of layers."""
    return f"{row.name or 'model'} · {row.layer}"


def _shape(shape: tuple | None) -> str:
    if shape is None:
        return "?"
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes}{',' if len(shape) == 1 else ''})"


def _shapes(row: Row) -> str:
    return "?" if row.shapes is None else " ".join(map(_shape, row.shapes)) or "not called"


def _grouped(count: int | None) -> str:
    return "?" if count is None else f"{count:,}".replace(",", " ")


def _percent(share: float | None) -> str:
    if share is None:
        return "?"
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")


class ModelTree(Interactive):
    """The layers of a model as a tree: shapes, parameters, and for one layer what leaves it and what it holds.

    Arguments:
        model: any `kernel.Module`; it is copied, and stays as it is.
        inputs: an example, as the model is called with it. Without one there are no shapes and no activations.

    >>> from kernel.layers import Dense, Sequential
    >>> print(ModelTree(Sequential([Dense(4), Dense(2)]), kernel.ones(5, 3)).tree_text())
    model  Sequential  (5, 2)  26  100 %
      0    Dense       (5, 4)  16   62 %
      1    Dense       (5, 2)  10   38 %
    """

    title = "The model as a tree, layer by layer"

    def __init__(self, model: kernel.Module, *inputs: Any) -> None:
        self._rows = model_rows(model, *inputs)
        super().__init__()

    def controls(self) -> Mapping[str, Any]:
        # The first that has parameters of its own: something to see in both histograms.
        first = next((row.name for row in self._rows if row.parameters and not row.has_children), "")
        options = [(_title(row), row.name) for row in self._rows]
        return {"layer": Choice("layer", first, options), "folded": Text("folded", "")}

    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "▴ Previous": lambda values: self._move(values, -1),
            "Next ▾": lambda values: self._move(values, 1),
            "Fold / unfold": self._fold,
            "Unfold all": lambda values: {"folded": ""},
        }

    def _move(self, values: dict[str, Any], by: int) -> dict[str, Any]:
        state = self.state(**values)
        place = state.visible.index(state.selected) + by
        return {"layer": state.visible[min(max(place, 0), len(state.visible) - 1)].name}

    def _fold(self, values: dict[str, Any]) -> dict[str, Any]:
        """Fold the chosen module, or the one that holds it; unfold it if it is folded."""
        state = self.state(**values)
        name = state.selected.name
        if name in state.folded:
            return {"folded": ", ".join(sorted(state.folded - {name}))}
        if not state.selected.has_children:
            name = next(above for above in (*_above(name), "") if any(row.name == above for row in self._rows))
        return {"layer": name, "folded": ", ".join(sorted(state.folded | {name} - {""}))}

    def state(self, *, layer: str, folded: str) -> TreeState:
        return tree_state(self._rows, layer, folded)

    def _changed(self, change: Any) -> None:
        if change["owner"] is self._fields["layer"] and not self._held:
            # Whoever chooses a layer wants to see it: what hides it unfolds.
            folded = sorted(_words(self.values["folded"]) - set(_above(change["new"])))
            # A refused name is answered in the box, as in the base class.
            with suppress(ValueError):
                self.set(layer=change["new"], folded=", ".join(folded))
        else:
            super()._changed(change)

    def picture(self, state: TreeState) -> str:
        return _svg(state)

    def alt(self, state: TreeState) -> str:
        rows = "; ".join(
            f"{row.name or 'model'}, {row.layer}, {_shapes(row)}, {_parameters(row)}" for row in state.visible
        )
        return f"A tree of {len(state.visible)} rows, {_name(state.selected)} chosen: {rows}."

    def status(self, state: TreeState) -> str:
        row = state.selected
        share = state.share(row)
        holds = f"{_parameters(row)}, {_percent(share)} of all" if share else _parameters(row)
        gives = f"gives {_shapes(row)} and " if row.shapes else "was not called, and " if row.shapes == () else ""
        sentence = f"{_name(row)} {gives}holds {holds}"
        if row.shared_with is not None:
            sentence += f", shared with {row.shared_with}"
        if row.calls > 1:
            sentence += f"; it was called {row.calls} times"
        if row.activations:
            sentence += (
                f"; its activations have mean {_number(row.activations.mean)}, standard deviation "
                f"{_number(row.activations.deviation)}, and {_percent(row.activations.zeros)} of them are zero"
            )
        return f"{sentence}."

    def details(self, state: TreeState) -> str:
        row = state.selected
        lines = [f"layer       = {row.layer}({row.options})", f"parameters  = {', '.join(row.held) or 'none'}"]
        for name, found in (("activations", row.activations), ("weights", row.weights)):
            if found:
                low, high = _number(found.edges[0]), _number(found.edges[-1])
                lines.append(
                    f"{name:11} = {_grouped(found.size)} numbers from {low} to {high}, mean {_number(found.mean)}, "
                    f"standard deviation {_number(found.deviation)}"
                    + (f", {_grouped(found.not_finite)} more are not finite" if found.not_finite else "")
                )
        return "\n".join(lines)

    def tree_text(self) -> str:
        """The tree as it is shown now, in lines of text."""
        state = self.state(**self.values)
        cells = [
            (
                "  " * row.depth + row.label + _mark(state, row),
                row.layer,
                _shapes(row),
                _count_text(row),
                _percent(state.share(row)),
            )
            for row in state.visible
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(
                text.rjust(width) if place > 2 else text.ljust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        )

    def summary(self) -> str:
        return f"{super().summary()}\n{self.tree_text()}"


def _name(row: Row) -> str:
    return f"{row.layer} {row.name}" if row.name else f"{row.layer}, the model,"


def _parameters(row: Row) -> str:
    if row.parameters is None:
        return "parameters that wait for their size"
    return "no parameters" if not row.parameters else f"{_grouped(row.parameters)} parameters"


def _count_text(row: Row) -> str:
    return _grouped(row.parameters) + (" shared" if row.shared_with is not None and row.parameters else "")


def _mark(state: TreeState, row: Row) -> str:
    return " …" if row.name in state.folded and row.has_children else ""


# The picture: one SVG in the ink of the white card it lies on, sizes in CSS pixels.

# So narrow that a window of 900 pixels holds it beside the list of files.
_WIDTH = 580
_MARGIN = 12
_ROW = 25
_HEAD = 26
_INDENT = 14
# Where the columns begin; shapes end before the numbers, which are aligned at their right.
_LAYER, _SHAPE, _NUMBER, _BAR, _BAR_WIDTH = 138, 260, 444, 456, 64
_MOST_ROWS = 16
_HISTOGRAM, _GAP = 112, 24


def _svg(state: TreeState) -> str:
    place = state.visible.index(state.selected)
    first = max(0, min(place - _MOST_ROWS // 2, len(state.visible) - _MOST_ROWS))
    shown = state.visible[first : first + _MOST_ROWS]
    hidden = (first, len(state.visible) - first - len(shown))
    parts = [
        _text(x, _MARGIN + 14, title, anchor, weight=600, size=12)
        for x, title, anchor in (
            (_MARGIN + 18, "name", "start"),
            (_LAYER, "layer", "start"),
            (_SHAPE, "gives", "start"),
            (_NUMBER, "parameters", "end"),
            (_BAR, "share", "start"),
        )
    ]
    top = float(_MARGIN + _HEAD)
    for count, end in zip(hidden, ("above", "below"), strict=True):
        if count and end == "above":
            parts.append(_text(_MARGIN + 18, top + 16, f"… {count} more {end}", size=12))
            top += _ROW
    parts.append(f'<path d="M{_MARGIN} {_MARGIN + _HEAD - 5}H{_WIDTH - _MARGIN}" stroke="{style.RULE}"/>')
    for row in shown:
        parts += _row(state, row, top)
        top += _ROW
    if hidden[1]:
        parts.append(_text(_MARGIN + 18, top + 16, f"… {hidden[1]} more below", size=12))
        top += _ROW
    top += 30
    half = (_WIDTH - 2 * _MARGIN - _GAP) / 2
    row = state.selected
    for x, title, found, colour, nothing in (
        (_MARGIN, "Activations", row.activations, style.BLUE, _no_activations(row)),
        (_MARGIN + half + _GAP, "Weights", row.weights, style.ORANGE, _no_weights(row)),
    ):
        parts += _bars(_cut(f"{title} of {_name(row).removesuffix(',')}", half), found, nothing, x, top, half, colour)
    return svg(parts, _WIDTH, top + _HISTOGRAM + 44, font_size=13)


def _no_activations(row: Row) -> str:
    return "there was no example to call it with" if row.shapes is None else "the example did not reach it"


def _no_weights(row: Row) -> str:
    return "its parameters wait for their size" if row.parameters is None else "it holds no parameters"


def _text(x: float, y: float, text: str, anchor: str = "start", weight: int = 400, size: int = 13) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}">'
        f"{html.escape(text)}</text>"
    )


# A click on a row chooses it in the list of layers, which the keyboard reaches: one way to the kernel, not two.
_CHOOSE = (
    "const list=this.closest('.gradschool-widget').querySelector('select');"
    "list.selectedIndex=this.dataset.place;"
    "list.dispatchEvent(new Event('change',{bubbles:true}))"
)


def _row(state: TreeState, row: Row, top: float) -> list[str]:
    chosen, middle = row is state.selected, top + 17
    weight = 700 if chosen else 400
    left = _MARGIN + 18 + _INDENT * row.depth
    parts = [
        f'<g data-place="{row.place}" style="cursor:pointer" onclick="{_CHOOSE}">',
        f'<rect x="{_MARGIN}" y="{top:g}" width="{_WIDTH - 2 * _MARGIN}" height="{_ROW}" rx="4" '
        f'fill="{style.BLUE}" fill-opacity="{0.12 if chosen else 0}"/>',
    ]
    if chosen:
        parts.append(f'<rect x="{_MARGIN}" y="{top:g}" width="4" height="{_ROW}" rx="2" fill="{style.BLUE}"/>')
    if row.has_children:
        x, y = left - 10, top + _ROW / 2
        triangle = (
            f"M{x - 3:g} {y - 4.5:g}l6 4.5l-6 4.5z" if row.name in state.folded else f"M{x - 4.5:g} {y - 3:g}h9l-4.5 6z"
        )
        parts.append(f'<path d="{triangle}" fill="{style.MUTED}"/>')
    parts.append(_text(left, middle, _cut(row.label + _mark(state, row), _LAYER - left), weight=weight))
    parts.append(_text(_LAYER, middle, _cut(row.layer, _SHAPE - _LAYER), weight=weight))
    parts.append(_text(_SHAPE, middle, _cut(_shapes(row), _NUMBER - _SHAPE - 50), weight=weight))
    if row.shared_with is not None and row.parameters:
        parts.append(_text(_NUMBER, middle, _grouped(row.parameters), "end", weight))
        parts.append(_text(_BAR, middle, _cut(f"⟲ same as {row.shared_with}", _WIDTH - _MARGIN - _BAR), size=12))
    else:
        parts.append(_text(_NUMBER, middle, _grouped(row.parameters), "end", weight))
        parts += _share(state.share(row), middle)
    return [*parts, "</g>"]


def _share(share: float | None, middle: float) -> list[str]:
    if not share:
        return [] if share is None else [_text(_WIDTH - _MARGIN - 4, middle, "–", "end", size=12)]
    bar = (
        f'<rect x="{_BAR}" y="{middle - 10:g}" width="{_BAR_WIDTH}" height="11" fill="none" stroke="{style.RULE}"/>'
        f'<rect x="{_BAR}" y="{middle - 10:g}" width="{_BAR_WIDTH * share:.1f}" height="11" fill="{style.MUTED}"/>'
    )
    return [bar, _text(_WIDTH - _MARGIN - 4, middle, _percent(share), "end", size=12)]


def _cut(text: str, room: float) -> str:
    """So much of a text as a column has room for, at 7.3 pixels a letter."""
    most = int(room / 7.3)
    return text if len(text) <= most else text[: most - 1] + "…"


def _bars(
    title: str, found: Histogram | None, nothing: str, x: float, top: float, width: float, colour: str
) -> list[str]:
    floor = top + 14 + _HISTOGRAM
    parts = [
        _text(x, top, title, weight=600),
        f'<path d="M{x:g} {floor:g}h{width:g}" stroke="{style.MUTED}"/>',
    ]
    if found is None:
        return [*parts, _text(x + width / 2, floor - _HISTOGRAM / 2, nothing, "middle")]
    step, highest = width / _BINS, _HISTOGRAM - 8
    heights = highest * found.counts / found.counts.max()
    bars = "".join(
        f"M{x + step * place + 0.5:.1f} {floor:g}v{-height:.1f}h{step - 1:.1f}v{height:.1f}z"
        for place, height in enumerate(heights)
        if height
    )
    parts.append(f'<path d="{bars}" fill="{colour}"/>')
    low, high = found.edges[0], found.edges[-1]
    if low < 0 < high:
        zero = x - width * low / (high - low)
        parts.append(
            f'<path d="M{zero:.1f} {floor + 4:g}V{floor - _HISTOGRAM:g}" stroke="currentColor" stroke-dasharray="3 3"/>'
        )
        if 40 < zero - x < width - 40:
            parts.append(_text(zero, floor + 17, "0", "middle", size=12))
    parts.append(_text(x, floor + 17, _number(low), size=12))
    parts.append(_text(x + width, floor + 17, _number(high), "end", size=12))
    return parts
