"""Figures for reading: a picture with its alternative text and its caption."""

from __future__ import annotations

import base64
import html
import io
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from widgets import style

CARD = f"background:{style.PAPER};color:{style.INK};border-radius:8px"
FITTING = "max-width:100%;height:auto"
# An SVG shrinks no further than this: its letters would be too small, so the box around it scrolls instead.
SMALLEST_SCALE = 0.8
# One PNG, several PNGs, or one SVG.
Picture = bytes | str | Sequence[bytes]
_WIDTH = re.compile(r'<svg[^>]*\swidth="([\d.]+)"')


def svg(parts: Iterable[str], width: float, height: float, font_size: int) -> str:
    """An SVG in the ink of the card it lies on, of so many CSS pixels, which shrinks with its place but stays legible.

    >>> print(svg(['<path d="M0 0h9"/>'], 100, 50, font_size=13)[:60])
    <svg viewBox="0 0 100 50" width="100" height="50" font-size=
    """
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" font-size="{font_size}" '
        'font-family="var(--jp-ui-font-family, sans-serif)" fill="currentColor" '
        f'style="{_shrinking(width)};display:block">{"".join(parts)}</svg>'
    )


def _shrinking(width: float) -> str:
    return f"width:{width:g}px;max-width:100%;min-width:{SMALLEST_SCALE * width:g}px;height:auto"


def image_html(picture: Picture, alt: str) -> str:
    """The picture of a live widget as one HTML element that carries its alternative text.

    A PNG (bytes) becomes an `<img>` with 100 CSS pixels for each inch that it says it has; an SVG (text) stays inline,
    so that it keeps the font of the page around it. Both lie on a white card. Several PNGs stand side by side where
    there is room, else one below the other.

    >>> image_html("<svg></svg>", "Two nodes and one arrow.")[:54]
    '<div role="img" aria-label="Two nodes and one arrow." '
    """
    text = html.escape(alt, quote=True)
    if isinstance(picture, str):
        return f'<div role="img" aria-label="{text}" style="{CARD}">{picture}</div>'
    if not isinstance(picture, bytes):
        images = "".join(image_html(each, "") for each in picture)
        beside = f"{CARD};display:flex;flex-wrap:wrap;justify-content:space-evenly"
        return f'<div role="img" aria-label="{text}" style="{beside}">{images}</div>'
    # A PNG states its size in bytes 16 to 24, and after "pHYs" how many pixels a metre has.
    dense = picture.index(b"pHYs") + 4
    per_metre = int.from_bytes(picture[dense : dense + 4], "big")
    ratio = round(per_metre * 0.0254 / style.PIXELS_PER_INCH)
    width, height = (int.from_bytes(picture[at : at + 4], "big") // ratio for at in (16, 20))
    # decoding=sync: the next picture of a widget must not flash white while the browser decodes it.
    return (
        f'<img alt="{text}" width="{width}" height="{height}" decoding="sync" style="{CARD};{FITTING}" '
        f'src="{_data_address("png", picture)}">'
    )


def figure_html(picture: Picture, alt: str, caption: str) -> str:
    """A picture for reading: `<figure>` with the picture and its caption below it.

    JupyterLab drops inline SVG from a saved notebook that has not been run yet but keeps `<img>`: an SVG becomes one.
    """
    if isinstance(picture, str):
        if "xmlns=" not in picture:
            picture = picture.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        source = _data_address("svg+xml", picture.encode())
        fitting = _shrinking(float(width[1])) if (width := _WIDTH.search(picture)) else FITTING
        image = f'<img alt="{html.escape(alt, quote=True)}" style="{CARD};{fitting}" src="{source}">'
    else:
        image = image_html(picture, alt)
    return (
        f'<figure style="margin:0.75em 0">{image}'
        f'<figcaption style="max-width:44em;margin-top:0.5em;line-height:1.45">{html.escape(caption)}</figcaption>'
        "</figure>"
    )


def _data_address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png(figure: Figure) -> bytes:
    """The figure as PNG, twice as many pixels as its CSS size, with nothing in it that changes from run to run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=style.PIXELS_PER_INCH * style.PIXEL_RATIO, metadata={"Software": None})
    return buffer.getvalue()


def png_of_pixels(pixels: memoryview, ratio: int = style.PIXEL_RATIO) -> bytes:
    """An opaque RGBA pixel buffer as PNG, in a fifth of the time that matplotlib takes: a widget's picture is awaited.

    Arguments:
        pixels: (height, width, 4) bytes.
        ratio: how many of them a CSS pixel has.

    >>> png_of_pixels(memoryview(bytes([255, 0, 0, 255])).cast("B", (1, 1, 4)))[1:4]
    b'PNG'
    """
    rgba = np.asarray(pixels)
    height, width, _ = rgba.shape
    # Each row begins with its filter: 0, none. Pictures of lines and areas are as small with it as with another.
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    # Colour by colour: NumPy copies three bytes of every four much more slowly.
    for colour in range(3):
        rows[:, 1 + colour :: 3] = rgba[..., colour]

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    # Eight bits for each of three colours.
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    per_metre = round(ratio * style.PIXELS_PER_INCH / 0.0254)
    density = struct.pack(">IIB", per_metre, per_metre, 1)
    content = zlib.compress(rows, 1)
    chunks = {b"IHDR": head, b"pHYs": density, b"IDAT": content, b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks.items())


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
