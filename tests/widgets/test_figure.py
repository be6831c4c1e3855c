"""Figures: both texts are asked for, carried along, and the same on every run."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from widgets import show, style, subplots
from widgets.figure import png_of_pixels, svg


def drawn():
    figure, axes = subplots(width=300, height=200)
    axes.plot([0, 1, 2], [1.0, 0.5, 0.25], **style.series(0))
    axes.set_title("Loss")
    return figure


def test_png_carries_alt_and_caption():
    bundle = show(drawn(), alt='A "falling" curve.', caption="Loss < 1 after one step.")._repr_mimebundle_()
    assert bundle["text/plain"] == "Loss < 1 after one step."
    assert re.match(
        r'<figure [^>]*><img alt="A &quot;falling&quot; curve." width="300" height="200"', bundle["text/html"]
    )
    assert "<figcaption" in bundle["text/html"]
    assert "Loss &lt; 1 after one step.</figcaption></figure>" in bundle["text/html"]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (200, 301)])
def test_a_buffer_of_pixels_is_read_back_as_it_was(shape):
    pixels = np.random.default_rng(0).integers(256, size=(*shape, 4)).astype(np.uint8)
    read = imread(io.BytesIO(png_of_pixels(memoryview(pixels))), format="png")
    np.testing.assert_array_equal((255 * read).round().astype(np.uint8), pixels[..., :3])


def test_svg_becomes_an_image_that_stands_alone():
    html = show("<svg viewBox='0 0 9 9'></svg>", alt="Nothing.", caption="Empty.")._repr_mimebundle_()["text/html"]
    (data,) = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    assert ElementTree.fromstring(base64.b64decode(data)).tag == "{http://www.w3.org/2000/svg}svg"


def test_an_svg_shrinks_while_its_letters_can_be_read():
    """The saved picture like the live one; what is narrower still, scrolls."""
    drawn = svg(["<path d='M0 0h9'/>"], 500, 50, font_size=13)
    saved = show(drawn, alt="A line.", caption="It is level.")._repr_mimebundle_()["text/html"]
    for html in (drawn, saved):
        (rules,) = re.findall(r'style="([^"]*min-width[^"]*)"', html)
        assert "width:500px;max-width:100%;min-width:400px;height:auto" in rules


def test_same_figure_same_bytes():
    first, second = (show(drawn(), alt="A curve.", caption="It falls.") for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "texts", [{"caption": "c"}, {"alt": " ", "caption": "c"}, {"alt": "a"}, {"alt": "a", "caption": ""}]
)
def test_a_missing_text_is_asked_for(texts):
    with pytest.raises(
        ValueError, match=r"show: (alt|caption) must be .*Write show\(figure, alt=\.\.\., caption=\.\.\.\)"
    ):
        show(drawn(), **texts)


def test_what_is_no_figure_is_refused_in_words():
    _, axes = subplots()
    with pytest.raises(TypeError, match=r"got Axes\. An Axes has its figure in axes\.figure"):
        show(axes, alt="a", caption="c")


def test_lines_differ_in_colour_and_in_shape():
    looks = [style.series(index) for index in range(len(style.COLOURS))]
    for key in ("color", "marker", "linestyle"):
        assert len({look[key] for look in looks}) == len(looks)
