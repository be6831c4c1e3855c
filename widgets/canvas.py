"""A picture that is drawn again and again: of a matplotlib figure only what has changed is drawn."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
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


class Name(Line2D):
    """A word that moves: its left end, halfway up, stands at the place given by `set_data`.

    matplotlib sets a `Text` anew whenever it is drawn, for a millisecond; the outlines of a marker are kept.

    >>> name = Name("adam", size=9)
    >>> name.say("adam ✗", "bold")
    >>> name.word
    'adam ✗'
    """

    def __init__(self, word: str, size: float, **look: Any) -> None:
        super().__init__([], [], linestyle="", markeredgewidth=0, color=style.INK, **look)
        self._size = size
        self.say(word)

    def say(self, word: str, weight: str = "normal") -> None:
        self.word = word
        path, reach = _outlines(word, self._size, weight)
        self.set_marker(path)
        # A marker is scaled to its size by what lies farthest from its middle.
        self.set_markersize(2 * reach)


@lru_cache(256)
def _outlines(word: str, size: float, weight: str) -> tuple[Any, float]:
    path = TextPath((0, 0), word, size, prop=FontProperties(family=style.RC["font.family"], weight=weight))
    # Halfway between what reaches up and what hangs down, as a centred `Text` stands.
    path = path.transformed(Affine2D().translate(0, -0.23 * size))
    return path, float(np.abs(path.vertices).max())
