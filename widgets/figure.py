"""Figures for reading: a picture with its alternative text and its caption."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.image import imsave

from widgets import style

CARD = f"background:{style.PAPER};border-radius:8px;max-width:100%;height:auto;box-sizing:border-box"


def image_html(picture: bytes | str, alt: str, width: int | None = None) -> str:
    """The picture as one HTML element that carries its alternative text.

    A PNG (bytes) becomes an `<img>` of `width` CSS pixels (half its own pixels when not given); an SVG (text that
    begins with `<svg`) stays inline, so that it keeps the colours and the font of the page around it.

    >>> image_html("<svg></svg>", "Two nodes and one arrow.")
    '<div role="img" aria-label="Two nodes and one arrow."><svg></svg></div>'
    """
    text = html.escape(alt, quote=True)
    if isinstance(picture, str):
        return f'<div role="img" aria-label="{text}">{picture}</div>'
    # A PNG states its size in bytes 16 to 24.
    pixels_wide, pixels_high = int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")
    width = width or pixels_wide // style.PIXEL_RATIO
    height = round(width * pixels_high / pixels_wide)
    data = base64.b64encode(picture).decode("ascii")
    # decoding=sync: the next picture of a widget must not flash white while the browser decodes it.
    return (
        f'<img alt="{text}" width="{width}" height="{height}" decoding="sync" style="{CARD}" '
        f'src="data:image/png;base64,{data}">'
    )


def figure_html(picture: bytes | str, alt: str, caption: str) -> str:
    """`<figure>` with the picture and its caption below it."""
    return (
        '<figure style="margin:0.75em 0">'
        f"{image_html(picture, alt)}"
        f'<figcaption style="max-width:44em;margin-top:0.5em;line-height:1.45">{html.escape(caption)}</figcaption>'
        "</figure>"
    )


def png(figure: Figure) -> bytes:
    """The figure as PNG, twice as many pixels as its CSS size, with nothing in it that changes from run to run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=style.PIXELS_PER_INCH * style.PIXEL_RATIO, metadata={"Software": None})
    return buffer.getvalue()


def png_of_pixels(pixels: memoryview) -> bytes:
    """An RGBA pixel buffer as PNG. The lowest compression: a widget's picture travels one hop and should leave soon."""
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


@dataclass(frozen=True)
class ShownFigure:
    """What `show` returns: the last line of a cell displays it."""

    picture: bytes | str
    alt: str
    caption: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": figure_html(self.picture, self.alt, self.caption), "text/plain": self.caption}

    def __repr__(self) -> str:
        return self.caption


def show(figure: Figure | str, *, alt: str | None = None, caption: str | None = None) -> ShownFigure:
    """Display a figure with the two texts that every figure of the course carries.

    Arguments:
        figure: a matplotlib `Figure` (from `widgets.subplots` or from pyplot), or an SVG as text.
        alt: one sentence that says what is seen, for readers who cannot see it.
        caption: what the figure argues; it stands below the picture.

    Raises:
        ValueError: `alt` or `caption` is missing.
        TypeError: `figure` is neither a matplotlib figure nor an SVG.

    >>> figure, axes = style.subplots(width=300, height=200)
    >>> lines = axes.plot([0, 1, 2], [1.0, 0.5, 0.25])
    >>> show(figure, alt="A falling curve: 1, 0.5, 0.25.", caption="The loss halves with each step.")
    The loss halves with each step.
    """
    for name, text, purpose in (
        ("alt", alt, "one sentence that says what the picture shows, for readers who cannot see it"),
        ("caption", caption, "the sentence below the picture that says what it argues"),
    ):
        if not (isinstance(text, str) and text.strip()):
            raise ValueError(f"show: {name} must be {purpose}; got {text!r}. Write show(figure, alt=..., caption=...).")
    if isinstance(figure, Figure):
        return ShownFigure(png(figure), alt, caption)
    if isinstance(figure, str) and figure.lstrip().startswith("<svg"):
        return ShownFigure(figure, alt, caption)
    raise TypeError(
        f"show: figure must be a matplotlib Figure or a text that begins with <svg; got {type(figure).__name__}. "
        "An Axes has its figure in axes.figure."
    )
