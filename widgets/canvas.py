"""A picture that is drawn again and again: of a matplotlib figure only what has changed is drawn."""

from __future__ import annotations

import math
import threading
from collections.abc import Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from widgets import style
from widgets.figure import png_of_pixels

# One lock for all widgets: matplotlib's font cache and sys.stdout are shared by all of them.
lock = threading.RLock()

# How many pixels the picture that is being drawn has for each CSS pixel. Half of a widget's time goes into pixels: a
# screen that has one for each gets no more.
pixel_ratio: ContextVar[int] = ContextVar("pixel_ratio", default=style.PIXEL_RATIO)


class Canvas:
    """A matplotlib figure in three layers: its axes, what changes `seldom`, and above both what is always `moving`.

    Drawing axes costs a hundred milliseconds, drawing a line a fraction of one. So the axes are drawn again only when
    a limit or a label of them or the figure's size has changed, and the artists of `seldom` when besides `key`, all
    that they hang on, is not the one of last time.

    >>> figure, axes = style.subplots(width=200, height=100)
    >>> line, = axes.plot([0, 1], [0, 1])
    >>> canvas = Canvas(figure, [line])
    >>> canvas.png()[:4], canvas.backgrounds_drawn
    (b'\\x89PNG', 1)
    >>> line.set_ydata([1, 0])
    >>> canvas.png()[:4], canvas.backgrounds_drawn
    (b'\\x89PNG', 1)
    """

    def __init__(self, figure: Figure, moving: Sequence[Artist], seldom: Sequence[Artist] = ()) -> None:
        self._canvas = FigureCanvasAgg(figure)
        self._moving, self._seldom = list(moving), list(seldom)
        for artist in (*self._moving, *self._seldom):
            artist.set_animated(True)
        self._axes: Any = None
        self._axes_for: Hashable = None
        self._below: Any = None
        self._below_for: Hashable = None
        self.backgrounds_drawn = 0

    def png(self, key: Hashable = None) -> bytes:
        figure, ratio = self._canvas.figure, pixel_ratio.get()
        wanted = (
            ratio,
            tuple(figure.get_size_inches()),
            tuple((*axes.get_xlim(), *axes.get_ylim(), axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes),
        )
        with lock:
            if wanted != self._axes_for:
                figure.set_dpi(style.PIXELS_PER_INCH * ratio)
                self._canvas.draw()
                # The layout is settled once drawn; left on, it would measure every moving text again.
                figure.set_layout_engine("none")
                self._axes, self._axes_for = self._canvas.copy_from_bbox(figure.bbox), wanted
                self.backgrounds_drawn += 1
            if (wanted, key) != self._below_for:
                self._canvas.restore_region(self._axes)
                for artist in self._seldom:
                    figure.draw_artist(artist)
                self._below, self._below_for = self._canvas.copy_from_bbox(figure.bbox), (wanted, key)
            else:
                self._canvas.restore_region(self._below)
            for artist in self._moving:
                figure.draw_artist(artist)
            return png_of_pixels(self._canvas.buffer_rgba(), ratio)


class Backdrop(Artist):
    """An image that fills its axes, drawn as it comes: five times as fast as `imshow`, which blends and interpolates.

    `image` is (rows, columns, 4) bytes of an opaque picture, its first row at the foot.
    """

    def __init__(self, axes: Axes) -> None:
        super().__init__()
        self.set_zorder(0)
        axes.add_artist(self)
        self.image = np.full((1, 1, 4), 255, np.uint8)

    def draw(self, renderer: Any) -> None:
        box = self.axes.bbox
        left, foot, right, top = (round(edge) for edge in (box.x0, box.y0, box.x1, box.y1))
        # Each pixel as one number: NumPy copies those faster than its four bytes.
        pixels = np.ascontiguousarray(self.image).view(np.uint32)[..., 0]
        height, width = top - foot, right - left
        rows, columns = np.arange(height) * len(pixels) // height, np.arange(width) * pixels.shape[1] // width
        drawn = pixels[rows[:, None], columns].view(np.uint8).reshape(height, width, 4)
        context = renderer.new_gc()
        renderer.draw_image(context, left, foot, drawn)
        context.restore()


@dataclass(frozen=True)
class Mark:
    """Outlines in points, at a place in the data of some axes: `marker` and `word` give such outlines."""

    outlines: Path
    place: tuple[float, float]
    fill: str = style.INK
    rim: str = style.PAPER
    rim_width: float = 0.0


class Marks(Artist):
    """Markers and words, drawn in a twelfth of the time that matplotlib takes for so many lines and texts.

    They are not clipped: who stands at the edge of the axes is seen whole, and names stand outside.

    >>> figure, axes = style.subplots(width=200, height=100)
    >>> marks = Marks(axes)
    >>> marks.shown = [Mark(marker("o", 8), (0.2, 0.5), style.BLUE), Mark(word("adam", 9), (0.3, 0.5))]
    >>> Canvas(figure, [marks]).png()[:4]
    b'\\x89PNG'
    """

    def __init__(self, axes: Axes) -> None:
        super().__init__()
        axes.add_artist(self)
        self.shown: Sequence[Mark] = ()

    def draw(self, renderer: Any) -> None:
        if not (self.get_visible() and self.shown):
            return
        context, point = renderer.new_gc(), renderer.points_to_pixels(1)
        places = self.axes.transData.transform([mark.place for mark in self.shown])
        for mark, (x, y) in zip(self.shown, places, strict=True):
            context.set_foreground(mark.rim)
            context.set_linewidth(mark.rim_width)
            there = Affine2D(np.array([[point, 0, x], [0, point, y], [0, 0, 1]]))
            renderer.draw_path(context, mark.outlines, there, _rgba(mark.fill))
        context.restore()


class Arrow(Artist):
    """An arrow with a letter beside its tip, both with a rim of paper: a tenth of a `FancyArrowPatch` and its `Text`.

    `begin`, `end` and `beside`, the middle of the letter, are places in the data of its axes. The arrow ends where
    these do, the letter does not; one without a length is not drawn.
    """

    def __init__(self, axes: Axes, colour: str, letter: str, size: float = 9.5) -> None:
        super().__init__()
        axes.add_artist(self)
        self.begin = self.end = self.beside = np.zeros(2)
        outlines = word(letter, size)
        self._letter = outlines.transformed(Affine2D().translate(-outlines.get_extents().width / 2, 0))
        self._colour = colour

    def draw(self, renderer: Any) -> None:
        begin, end, beside = self.axes.transData.transform([self.begin, self.end, self.beside])
        length, point = math.dist(begin, end), renderer.points_to_pixels(1)
        if not (self.get_visible() and length):
            return
        head = min(6.5 * point, length)
        along = np.array([0, length - head, length - head, length, length - head, length - head, 0, 0])
        across = np.array([0.9, 0.9, 3.5, 0, -3.5, -0.9, -0.9, 0.9]) * point
        ahead = (end - begin) / length
        corners = begin + np.outer(along, ahead) + np.outer(across, (-ahead[1], ahead[0]))
        for outlines, there, fill, rim_width, is_clipped in (
            (Path(corners, closed=True), Affine2D(), self._colour, 1.5, True),
            (self._letter, Affine2D().scale(point).translate(*beside), style.INK, 2.5, False),
        ):
            context = renderer.new_gc()
            if is_clipped:
                self._set_gc_clip(context)
            context.set_foreground(style.PAPER)
            # First the rim, half of which lies inside.
            context.set_linewidth(rim_width)
            renderer.draw_path(context, outlines, there)
            context.set_linewidth(0)
            renderer.draw_path(context, outlines, there, _rgba(fill))
            context.restore()


@lru_cache(64)
def _rgba(colour: str) -> tuple[float, ...]:
    return to_rgba(colour)


@lru_cache(64)
def marker(shape: str, size: float) -> Path:
    """The outlines of one of matplotlib's markers, `size` points wide."""
    style_of = MarkerStyle(shape)
    return style_of.get_path().transformed(style_of.get_transform() + Affine2D().scale(size))


@lru_cache(256)
def word(text: str, size: float, weight: str = "normal") -> Path:
    """The outlines of a word whose left end, halfway up, lies at (0, 0), where a centred `Text` would stand.

    matplotlib sets a `Text` anew whenever it is drawn, for a millisecond; outlines are kept.
    """
    outlines = TextPath((0, 0), text, size, prop=FontProperties(family=style.RC["font.family"], weight=weight))
    # Halfway between what reaches up and what hangs down.
    return outlines.transformed(Affine2D().translate(0, -0.23 * size))
