"""Lesson 01's widget: the rule against NumPy's, what is typed, and the drawing cell by cell."""

import re
import xml.etree.ElementTree as ElementTree
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.broadcasting import Broadcasting, broadcast_state, parse_shape

SHAPES = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@given(SHAPES, SHAPES)
def test_rule_is_numpys(shape_a, shape_b):
    try:
        expected = np.broadcast_shapes(shape_a, shape_b)
    except ValueError:
        expected = None
    state = broadcast_state(shape_a, shape_b)
    assert state.shape == expected
    assert len(state.rules) == max(len(shape_a), len(shape_b))
    assert all("differ and neither is 1" in rule.sentence() for rule in state.rules if rule.size is None)


@pytest.mark.parametrize(
    ("shapes", "sentences"),
    [
        (((3, 1), (1, 4)), ["axis -1: 1 is stretched to 4", "axis -2: 1 is stretched to 3"]),
        (
            ((2, 3), (3,)),
            ["axis -1: 3 and 3 agree", "axis -2: b has no such axis, so it counts as 1 and is stretched to 2"],
        ),
        (((3,), (1, 3)), ["axis -1: 3 and 3 agree", "axis -2: a has no such axis, so it counts as 1"]),
        (((4,), (3,)), ["axis -1: 4 and 3 differ and neither is 1"]),
        # Where one axis does not fit, no other is stretched.
        (((3, 1), (2, 4)), ["axis -1: 1 could be stretched to 4", "axis -2: 3 and 2 differ and neither is 1"]),
        (
            ((3, 2), (3,)),
            [
                "axis -1: 2 and 3 differ and neither is 1",
                "axis -2: b has no such axis, so it counts as 1 and could be stretched to 3",
            ],
        ),
        (((), ()), []),
    ],
)
def test_each_axis_in_words(shapes, sentences):
    assert broadcast_state(*shapes).sentences() == sentences


@pytest.mark.parametrize("text", ["(3, 1)", "3, 1", "3 1", "[3,1]", " (3,1,) ", "(3, 1"])
def test_a_shape_is_read_as_it_is_typed(text):
    assert parse_shape(text) == (3, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "write whole numbers in brackets"),
        ("three", "got 'three'"),
        ("(-1, 2)", r"such as \(3, 1\)"),
        ("(2.5,)", "write whole numbers"),
        ("(0, 2)", "between 1 and 6"),
        ("(7,)", "between 1 and 6"),
        ("(2, 2, 2, 2)", "at most 3 axes"),
    ],
)
def test_what_is_no_shape_is_refused_in_words(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_shape(text)


@pytest.mark.parametrize("shape", [(0,), (2.0,), (-1, 3)])
def test_impossible_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="broadcast_state: shape_b must hold whole numbers of at least 1"):
        broadcast_state((1,), shape)


def drawing(widget):
    return ElementTree.fromstring(widget._shown[0])


def cells(tree):
    """The rectangles that hold a number: those of cell size."""
    return [rectangle for rectangle in tree.iter("rect") if rectangle.get("width") == "34"]


@given(SHAPES.filter(lambda shape: len(shape) <= 3), SHAPES.filter(lambda shape: len(shape) <= 3))
def test_every_cell_is_drawn_and_every_copy_hatched(shape_a, shape_b):
    shape = broadcast_state(shape_a, shape_b).shape
    if shape is None or prod(shape) > 24:
        return
    tree = drawing(Broadcasting(str(shape_a), str(shape_b)))
    assert len(cells(tree)) == 3 * prod(shape)
    hatched = [cell for cell in cells(tree) if cell.get("fill").startswith("url(")]
    assert len(hatched) == 2 * prod(shape) - prod(shape_a) - prod(shape_b)


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("add", ["11", "21", "12", "22"]),
        ("subtract", ["−9", "−19", "−8", "−18"]),
        ("multiply", ["10", "20", "20", "40"]),
    ],
)
def test_result_holds_the_operations_numbers(operation, result):
    tree = drawing(Broadcasting("(2, 1)", "(1, 2)", operation))
    numbers = [text.text for text in tree.iter("text") if text.get("font-size") == "13"]
    # a, b, result, and the legend last
    assert numbers[:-1] == ["1", "1", "2", "2", "10", "20", "10", "20", *result]


def test_shapes_that_do_not_fit_have_no_result():
    widget = Broadcasting("(3, 2)", "(3,)")
    assert "add: a (3, 2) and b (3,) do not fit. From the right, axis -1: 2 and 3 differ" in widget.summary()
    assert "no result" in widget._shown[1]
    # The kernel's sentence below counts the axes in the same way.
    assert "axis -1 has sizes 2 and 3" in widget._details.value
    assert "→" not in widget._shown[0]
    assert re.fullmatch(r"<p>ShapeError: add: shapes \(3, 2\) and \(3,\) .*</p>", widget._details.value)
    assert len(cells(drawing(widget))) == 6 + 3


def test_too_large_a_result_is_refused_and_the_picture_stays():
    widget = Broadcasting()
    before = widget._shown
    with pytest.raises(ValueError, match=r"The result \(6, 6, 6\) has 216 cells, too many to draw"):
        widget.set(shape_a="(6, 6, 1)", shape_b="(6, 1, 6)")
    assert widget._shown == before
    assert "216 cells" in widget.error


def test_swap():
    widget = Broadcasting("(2, 1)", "(3,)")
    widget.set(**widget.actions()["Swap a and b"](widget.values))
    assert (widget.values["shape_a"], widget.values["shape_b"]) == ("(3,)", "(2, 1)")
