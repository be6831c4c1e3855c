"""The look of every picture in the course: colours, markers, line styles, sizes.

Colours are those of Okabe and Ito, which stay apart for colour-blind readers. Colour never stands alone: `series(i)`
gives each line its colour together with a marker and a line style, and `HATCHES` does the same for areas. Every picture
is a white card, so that it reads the same in a light and in a dark notebook.

Nothing here touches pyplot: widgets draw in threads where pyplot's global state is not safe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
BLACK = "#000000"
# Vermillion as text: as it is, it falls short of the contrast of 4.5 that small letters need on white.
DARK_VERMILLION = "#A84A00"
# Yellow belongs to the palette but has no contrast on white: for areas with a dark edge only, never for lines or text.
YELLOW = "#F0E442"

INK = "#1B1F24"
MUTED = "#57606A"
RULE = "#D0D7DE"
PAPER = "#FFFFFF"

COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
HATCHES = ("", "//", "\\\\", "..", "xx", "--", "++")

# One inch is 100 CSS pixels, so that 10 points are 14 pixels: the size of the text around the picture.
PIXELS_PER_INCH = 100
# Two image pixels for each CSS pixel: crisp on high-density screens.
PIXEL_RATIO = 2

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlecolor": INK,
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "axes.unicode_minus": True,
    "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINE_STYLES) + cycler(linewidth=[2.0] * len(COLOURS)),
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "hatch.linewidth": 0.8,
    "lines.markersize": 6,
}


def _shape(index: int) -> int:
    """Which marker and line style: from the eighth line on the colours come again, with other ones."""
    return (index + 3 * (index // len(COLOURS))) % len(MARKERS)


def series(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the `index`-th line of a picture, as keywords of `Axes.plot`.

    >>> series(1)
    {'color': '#D55E00', 'marker': 's', 'linestyle': '--', 'linewidth': 2.0}
    """
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[_shape(index)],
        "linestyle": LINE_STYLES[_shape(index)],
        "linewidth": 2.0,
    }


def subplots(
    rows: int = 1, columns: int = 1, *, width: int = 640, height: int = 360, **keywords: Any
) -> tuple[Figure, Any]:
    """A figure in the course's style with its axes, as `pyplot.subplots` gives them but without pyplot.

    It sets matplotlib's defaults to the course's, so that what is added later (titles, lines) follows them too.

    Arguments:
        rows, columns: the grid of axes.
        width, height: size in CSS pixels.
        keywords: passed on to `Figure.subplots` (`sharex`, `width_ratios`, ...).

    >>> figure, axes = subplots(1, 2, width=600, height=300)
    >>> len(axes), figure.get_size_inches().tolist()
    (2, [6.0, 3.0])
    """
    matplotlib.rcParams.update(RC)
    figure = Figure(
        figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH, layout="constrained"
    )
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **keywords)


def number(value: float, digits: int = 4, sign: bool = False) -> str:
    """A number as the course prints it: fixed digits, a true minus sign, never "-0.0000".

    >>> number(-0.33476), number(-0.00001), number(0.2447, sign=True)
    ('−0.3348', '0.0000', '+0.2447')
    """
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return f"{round(float(value), digits) + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def mark(index: int) -> str:
    """Colour and marker of `series(index)` as HTML, to stand before the line's name; on white, in a dark page too.

    >>> mark(1)[-8:]
    '■</span>'
    """
    sign = "●■▲◆▼✚✖"[_shape(index)]
    look = f"color:{COLOURS[index % len(COLOURS)]};background:{PAPER};border-radius:4px;padding:0 2px"
    return f'<span aria-hidden="true" style="{look}">{sign}</span>'


def term(text: str, colour: str) -> str:
    """A term of a formula as HTML, underlined in its colour: letters in ink read well, whatever the colour.

    >>> term("g", VERMILLION)
    '<span style="border-bottom:4px solid #D55E00">g</span>'
    """
    return f'<span style="border-bottom:4px solid {colour}">{text}</span>'


def label_line_end(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Write a line's name just right of its last point, in its colour: read sooner than a legend.

    >>> figure, axes = subplots()
    >>> label_line_end(axes, 1.0, 2.0, "loss", BLUE)
    >>> axes.texts[0].get_text()
    'loss'
    """
    axes.annotate(
        text,
        (x, y),
        xytext=(6, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=10,
        fontweight="bold",
        annotation_clip=False,
    )


def apart(heights: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """The heights, moved just so far that each two are a gap apart: where names stand beside the ends of lines.

    None comes below `low` or above `high`, as long as there is room for all between them.

    >>> apart([1.0, 1.1, 3.0], gap=0.5)
    [0.8, 1.3, 3.0]
    >>> apart([0.0, 0.0, 0.9], gap=0.1, low=0, high=1)
    [0.0, 0.1, 0.9]
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[int]] = []  # of names that touch: each stands around the mean of its heights

    def lowest(group: list[int]) -> float:
        middle = sum(min(max(float(heights[number]), low), high) for number in group) / len(group)
        return max(low, min(middle - gap * (len(group) - 1) / 2, high - gap * (len(group) - 1)))

    for number in order:
        groups.append([number])
        while len(groups) > 1 and lowest(groups[-1]) < lowest(groups[-2]) + gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    places = {number: round(lowest(group) + gap * rank, 9) for group in groups for rank, number in enumerate(group)}
    return [places[number] for number in range(len(heights))]
