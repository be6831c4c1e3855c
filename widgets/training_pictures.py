"""The pictures of live training: losses over the updates, zones of the plane, digits that are read right and wrong.

Each is made for certain runs, has what stays drawn once and moves the rest: `png(frame)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator
from matplotlib.transforms import ScaledTranslation

from widgets import style
from widgets.base import Canvas
from widgets.training_runs import Data, Frame, Run, probabilities

WIDTH, HEIGHT = 368, 300


class Curves:
    """Losses over the updates, thick on the points held out, thin on the minibatches; names at the lines' ends."""

    def __init__(self, runs: Sequence[Run], updates: int, limits: tuple[float, float]) -> None:
        self._limits = limits
        figure, axes = style.subplots(width=WIDTH, height=HEIGHT)
        # To the right of the last update there is room for the names.
        axes.set(xlim=(0, 1.4 * updates), ylim=limits, yscale="log", title="Loss")
        axes.set_xlabel("update", x=1 / 2.8)
        axes.set_xticks([0, updates // 2, updates])
        ticks = [loss for loss in (0.01, 0.03, 0.1, 0.3, 1, 3) if limits[0] <= loss <= limits[1]]
        axes.set_yticks(ticks, [f"{loss:g}" for loss in ticks])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.spines.bottom.set_bounds(0, updates)
        key = {"transform": axes.transAxes, "ha": "right", "va": "bottom", "fontsize": 9, "color": style.MUTED}
        axes.text(1, 1.02, "thick: held out\nthin: minibatches", **key)
        axes.hlines(ticks, 0, updates, color=style.RULE, linewidth=0.6, zorder=0)
        self._thin, self._thick, self._ends, self._names = [], [], [], []
        for run in runs:
            look = style.series(run.look)
            colour, marker = look["color"], look["marker"]
            self._thin += axes.plot([], [], color=colour, linewidth=0.9, linestyle="-", alpha=0.5)
            self._thick += axes.plot([], [], color=colour, linewidth=2, linestyle=look["linestyle"])
            self._ends += axes.plot([], [], color=colour, marker=marker, markersize=7, linestyle="none")
            self._names.append(axes.text(0, 1, run.name, color=style.INK, fontsize=9, va="center"))
        self._canvas = Canvas(figure, [*self._thin, *self._thick, *self._ends, *self._names])

    def png(self, frame: Frame) -> bytes:
        ends = [_last(frame.looked, held) for held in frame.held]
        low, high = np.log(self._limits)
        heights = np.clip([math.log(loss) for _, loss in ends], low, high)
        names = style.apart(heights.tolist(), gap=(high - low) / 16)
        for number, (update, loss) in enumerate(ends):
            self._thin[number].set_data(np.arange(1, frame.step + 1), frame.losses[number])
            self._thick[number].set_data(frame.looked, frame.held[number])
            self._ends[number].set_data([update], [loss])
            self._names[number].set_position((update + 0.035 * frame.steps, math.exp(names[number])))
        return self._canvas.png()


def _last(looked: np.ndarray, held: np.ndarray) -> tuple[float, float]:
    """The last update at which a run had a loss, and that loss: one that diverged ends before the others."""
    there = np.flatnonzero(np.isfinite(held))
    return float(looked[there[-1]]), float(held[there[-1]])


class Zones:
    """What each run says of the square: tints for the three zones, dashed lines where they should meet, some points."""

    # Letters and points can be read on them.
    TINTS = np.array([matplotlib.colors.to_rgb(tint) for tint in ("#BFE1F6", "#FBE3AE", "#EBC9DC")])
    CELLS = 40
    POINTS = 40

    def __init__(self, runs: Sequence[Run], data: Data) -> None:
        columns = min(math.ceil(math.sqrt(len(runs))), 3)
        rows = math.ceil(len(runs) / columns)
        figure, grid = style.subplots(rows, columns, width=WIDTH, height=HEIGHT, squeeze=False)
        side = (np.arange(self.CELLS) + 0.5) / self.CELLS
        self._cells = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        self._points, self._labels = data.held_inputs[: self.POINTS], data.held_labels[: self.POINTS]
        self._runs, self._images, self._marks, self._names = runs, [], [], []
        size = max(3.0, 5.5 - columns)
        for axes in grid.flat:
            axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
            axes.spines[:].set_visible(False)
        for axes in grid.flat[len(runs) :]:
            axes.set_visible(False)
        for run, axes in zip(runs, grid.flat, strict=False):
            blank = np.ones((self.CELLS, self.CELLS, 3))
            self._images.append(axes.imshow(blank, extent=(0, 1, 0, 1), origin="lower", interpolation="bilinear"))
            lines = axes.plot([0, 0.5, np.nan, 0, 1], [0, 0.5, np.nan, 1, 0], "--", color=style.MUTED, linewidth=1)
            marks = [
                axes.plot(*self._points[self._labels == label].T, marker, color=style.INK, markersize=size, mew=0)[0]
                for label, marker in enumerate("os^")
            ]
            wrong = axes.plot([], [], "o", markersize=size + 4, fillstyle="none", color=style.DARK_VERMILLION)
            self._marks.append([*lines, *marks, *wrong])
            # An empty title keeps the room for a mark and a name, so many points from the corner.
            axes.set_title(" ", fontsize=9, pad=4)
            mark, name = (
                axes.transAxes + ScaledTranslation(points / 72, 9 / 72, figure.dpi_scale_trans) for points in (4, 11)
            )
            axes.plot([0], [1], **{**style.series(run.look), "markersize": 6}, transform=mark, clip_on=False)
            self._names.append(axes.text(0, 1, "", fontsize=9, va="center", transform=name))
        moving = [artist for image, marks in zip(self._images, self._marks, strict=True) for artist in (image, *marks)]
        self._canvas = Canvas(figure, [*moving, *self._names])

    def png(self, frame: Frame) -> bytes:
        for number, weights in enumerate(frame.weights):
            likely = np.nan_to_num(probabilities(weights, self._cells), nan=1 / 3)
            colours = likely @ self.TINTS
            self._images[number].set_data(colours.reshape(self.CELLS, self.CELLS, 3))
            said = probabilities(weights, self._points).argmax(axis=1)
            self._marks[number][-1].set_data(*self._points[said != self._labels].T)
            self._names[number].set_text(_score(self._runs[number], frame.right[number, -1]))
        return self._canvas.png()


class Digits:
    """Some digits held out, and below them what each run reads: what is wrong stands in a box."""

    # How many digits; how wide the names beside them are, and how high all rows may be, in digits.
    COUNT, NAMES, ROWS = 8, 4.4, 7.6

    def __init__(self, runs: Sequence[Run], data: Data) -> None:
        figure, axes = style.subplots(width=WIDTH, height=HEIGHT)
        self._runs = runs
        self._apart = min(1.5, self.ROWS / len(runs))
        chosen = _hard(data)[::5][: self.COUNT]
        self._inputs, self._labels = data.held_inputs[chosen], data.held_labels[chosen]
        axes.set_title("Digits held out, and what is read")
        axes.axis("off")
        for column, pixels in enumerate(self._inputs):
            place = (column + 0.04, column + 0.96, 0.46, -0.46)
            axes.imshow(pixels.reshape(8, 8), cmap="Greys", extent=place)
        self._names = []
        for row, run in enumerate(runs, start=1):
            height = row * self._apart
            axes.plot([0.2 - self.NAMES], [height], **{**style.series(run.look), "markersize": 7, "clip_on": False})
            self._names.append(axes.text(0.55 - self.NAMES, height, "", fontsize=9, va="center"))
        # A marker for each of the ten digits: quicker than that many texts.
        self._read = [
            axes.plot([], [], linestyle="none", marker=f"${digit}$", color=style.INK, markersize=10, mew=0.3)[0]
            for digit in range(10)
        ]
        (self._wrong,) = axes.plot([], [], "s", color=style.VERMILLION, fillstyle="none", markersize=18, mew=1.5)
        # Last, as each image moves them.
        foot = max(len(runs), 4) * self._apart + 0.7
        axes.set(xlim=(-self.NAMES, self.COUNT), ylim=(foot, -0.7), aspect="equal", anchor="N")
        self._canvas = Canvas(figure, [*self._names, *self._read, self._wrong])

    def png(self, frame: Frame) -> bytes:
        said = np.array([probabilities(weights, self._inputs) for weights in frame.weights])
        said = np.nan_to_num(said).argmax(axis=-1)
        for digit, marks in enumerate(self._read):
            self._place(marks, said == digit)
        self._place(self._wrong, said != self._labels)
        for number, name in enumerate(self._names):
            name.set_text(_score(self._runs[number], frame.right[number, -1]))
        return self._canvas.png()

    def _place(self, marks: Line2D, there: np.ndarray) -> None:
        rows, columns = np.nonzero(there)
        marks.set_data(columns + 0.5, (rows + 1) * self._apart)


def _score(run: Run, right: float) -> str:
    return f"{run.name} {right:.0%}" if math.isfinite(right) else f"{run.name} –"


def _hard(data: Data) -> np.ndarray:
    """The points held out, first those that lie about as near to another class's mean as to their own."""
    means = np.stack([data.inputs[data.labels == label].mean(axis=0) for label in range(data.sizes[-1])])
    distances = ((data.held_inputs[:, None] - means) ** 2).sum(axis=-1)
    points = np.arange(len(distances))
    own = distances[points, data.held_labels]
    distances[points, data.held_labels] = np.inf
    return np.argsort(np.abs(distances.min(axis=1) - own), kind="stable")
