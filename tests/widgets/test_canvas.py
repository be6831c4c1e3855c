"""The layers of a widget's picture, its pixels, and the artists that are drawn sooner than matplotlib's own."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from widgets import GraphWorkbench, LearnerRace, MomentumForms, style
from widgets.canvas import Arrow, Backdrop, Canvas, Mark, Marks, marker, pixel_ratio, word


def pixels(png):
    return np.round(imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


@pytest.fixture
def plane():
    figure, axes = style.subplots(width=200, height=160)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return figure, axes


def test_what_changes_seldom_is_drawn_when_its_key_is_another(plane):
    figure, axes = plane
    [below] = axes.plot([0, 1], [0.5, 0.5], color=style.BLUE)
    [above] = axes.plot([0.2], [0.2], "o", color=style.VERMILLION)
    canvas = Canvas(figure, [above], seldom=[below])
    first = canvas.png("first")
    below.set_ydata([0.9, 0.9])
    assert canvas.png("first") == first, "the key is the same"
    second = canvas.png("second")
    assert second != first
    above.set_data([0.8], [0.8])
    third = canvas.png("second")
    assert third != second
    fresh, axes = style.subplots(width=200, height=160)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    lines = axes.plot([0, 1], [0.9, 0.9], color=style.BLUE), axes.plot([0.8], [0.8], "o", color=style.VERMILLION)
    assert (pixels(third) == pixels(Canvas(fresh, [], seldom=[line for [line] in lines]).png())).all()
    assert canvas.backgrounds_drawn == 1


def test_limits_labels_and_pixels_draw_the_axes_again(plane):
    figure, axes = plane
    canvas = Canvas(figure, [])
    canvas.png()
    for number, change in enumerate((lambda: axes.set_xlim(0, 2), lambda: axes.set_xlabel("rate")), start=2):
        change()
        canvas.png()
        canvas.png()
        assert canvas.backgrounds_drawn == number
    before = pixel_ratio.set(1)
    assert pixels(canvas.png()).shape == (160, 200, 3)
    pixel_ratio.reset(before)
    assert pixels(canvas.png()).shape == (320, 400, 3)


@pytest.mark.parametrize("widget", [LearnerRace, MomentumForms])
def test_a_picture_has_the_pixels_of_the_screen_and_the_still_one_twice_as_many(widget):
    shown = widget()
    doubled, html = shown._shown[0], shown._picture.value
    still = shown._repr_mimebundle_()["text/html"]
    shown._pixels.value = "1"
    single = shown._shown[0]
    assert [pixels(each).shape[:2] for each in doubled] == [
        tuple(2 * size for size in pixels(each).shape[:2]) for each in single
    ]
    sizes, now = ([image.split("src")[0] for image in page.split("<img")[1:]] for page in (html, shown._picture.value))
    assert len(sizes) == 2 and sizes == now, "as large as before"
    assert sizes[0] in still
    shown._pixels.value = "2"
    assert shown._shown[0] == doubled


def test_an_svg_suits_all_screens():
    shown = GraphWorkbench()
    drawn = shown._shown
    shown._pixels.value = "1"
    assert shown._shown is drawn


def test_a_backdrop_fills_its_axes_with_its_pixels(plane):
    figure, axes = plane
    backdrop = Backdrop(axes)
    backdrop.image = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
    backdrop.image[..., 3] = 255
    drawn = pixels(Canvas(figure, [backdrop]).png())
    box = axes.get_window_extent()
    for row, column in np.ndindex(7, 5):
        across = round(box.x0 + (column + 0.5) / 5 * box.width)
        up = round(box.y0 + (row + 0.5) / 7 * box.height)
        assert drawn[drawn.shape[0] - 1 - up, across].tolist() == backdrop.image[row, column, :3].tolist()


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_a_word_looks_like_a_text(plane, weight):
    figure, axes = plane
    marks = Marks(axes)
    marks.shown = [Mark(word("adagrad", 9, weight), (0.2, 0.5))]
    drawn = pixels(Canvas(figure, [marks]).png())
    marks.shown = []
    text = axes.text(0.2, 0.5, "adagrad", size=9, va="center", weight=weight)
    written = pixels(Canvas(figure, [text]).png())
    blank = pixels(Canvas(figure, []).png())
    places = [np.argwhere((each != blank).any(axis=-1)) for each in (drawn, written)]
    for edge in (np.min, np.max):
        # Pixels, two of which are one of CSS.
        assert (np.abs(edge(places[0], axis=0) - edge(places[1], axis=0)) <= 3).all()
    assert 0.8 < len(places[0]) / len(places[1]) < 1.25


@pytest.mark.parametrize("shape", style.MARKERS)
def test_a_mark_looks_like_the_marker_of_a_line(plane, shape):
    figure, axes = plane
    marks = Marks(axes)
    marks.shown = [Mark(marker(shape, 10), (0.4, 0.6), style.BLUE, rim_width=1)]
    drawn = pixels(Canvas(figure, [marks]).png())
    marks.shown = []
    [line] = axes.plot([0.4], [0.6], shape, color=style.BLUE, markersize=10, markeredgecolor=style.PAPER)
    written = pixels(Canvas(figure, [line]).png())
    # matplotlib moves a marker to the middle of a pixel.
    assert np.abs(drawn - written).mean() < 0.5
    blue = [(each[..., 0] < 100).sum() for each in (drawn, written)]
    assert 0.85 < blue[0] / blue[1] < 1.15


def test_an_arrow_goes_from_where_it_begins_to_where_it_ends(plane):
    figure, axes = plane
    arrow = Arrow(axes, style.VERMILLION, "g")
    arrow.begin, arrow.end, arrow.beside = np.array([0.2, 0.5]), np.array([0.7, 0.5]), np.array([0.7, 0.8])
    canvas = Canvas(figure, [arrow])
    drawn = pixels(canvas.png())
    red = np.argwhere((drawn[..., 0] > 150) & (drawn[..., 2] < 100))
    box, height = axes.bbox, len(drawn)
    places = box.x0 + np.array([0.2, 0.7]) * box.width
    assert np.abs(red[:, 1].min() - places[0]) <= 2 and np.abs(red[:, 1].max() - places[1]) <= 2
    assert abs(np.median(height - red[:, 0]) - (box.y0 + 0.5 * box.height)) <= 2
    tallest = np.bincount(red[:, 1]).argmax()
    assert tallest > places[1] - 25, "its head is at its end"
    arrow.end = np.array([1.3, 0.5])
    across = np.argwhere((pixels(canvas.png())[..., 0] > 150) & (pixels(canvas.png())[..., 2] < 100))[:, 1]
    assert abs(across.max() - box.x1) <= 1, "it ends with the axes"
    blank = pixels(Canvas(figure, []).png())
    arrow.end = arrow.begin
    assert (pixels(canvas.png()) == blank).all(), "without a length there is none"
    arrow.end = np.array([0.7, 0.5])
    arrow.set_visible(False)
    assert (pixels(canvas.png()) == blank).all()
