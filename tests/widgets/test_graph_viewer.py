"""The graph viewer without a browser: what it shows is what the tape says."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import kernel
from widgets.base import LOOK_HERE
from widgets.graph_viewer import EXAMPLES, GraphViewer, graph_state, leaves_text, parse_leaves


@pytest.fixture(params=list(EXAMPLES))
def example(request):
    return request.param


def final(example, **leaves):
    return graph_state(example, {name: np.atleast_1d(value) for name, value in leaves.items()}, step=99)


def test_every_gradient_is_the_sum_of_what_was_handed_on(example):
    state = graph_state(example, EXAMPLES[example].leaves)
    sums = {}
    for visit in state.visits:
        for delivery in visit.deliveries:
            name = delivery.arrow.source
            sums[name] = sums.get(name, 0) + delivery.part
            np.testing.assert_allclose(delivery.total, sums[name])
    arrived = {visit.name: visit.incoming for visit in state.visits[1:]} | dict(state.grads)
    assert arrived.keys() == sums.keys()
    for name in arrived:
        np.testing.assert_allclose(sums[name], arrived[name], rtol=1e-12)


def test_arrows_are_the_operands_that_each_line_names(example):
    run, leaves = EXAMPLES[example].run, EXAMPLES[example].leaves
    state = graph_state(example, leaves)
    tensors = {name: kernel.tensor(list(numbers), requires_grad=True) for name, numbers in leaves.items()}
    written = [
        (operand, line.name, slot)
        for line in run(**{name: t if t.size > 1 else t.sum() for name, t in tensors.items()})
        for slot, operand in enumerate(line.operands)
        if operand in state.boxes
    ]
    assert sorted(written) == sorted((arrow.source, arrow.target, arrow.slot) for arrow in state.arrows)


def test_a_node_is_visited_after_all_that_read_its_result(example):
    state = graph_state(example, EXAMPLES[example].leaves)
    visited = [visit.name for visit in state.visits]
    for arrow in state.arrows:
        if arrow.source in visited:
            assert visited.index(arrow.source) > visited.index(arrow.target)


def test_known_gradients():
    product = final("product", x=3.0, y=4.0)
    assert (product.grads["x"], product.grads["y"]) == (24, 9)
    assert final("accumulation", a=7.0).grads["a"] == 4
    assert final("loop", x=2.0).grads["x"] == 32
    probabilities = np.exp([1.0, 3.0]) / np.exp([1.0, 3.0]).sum()
    np.testing.assert_allclose(final("crossentropy", z=[1.0, 3.0]).grads["z"], probabilities - [1, 0])
    bias = final("broadcasting", w=2.0, b=5.0)
    assert (bias.grads["w"], bias.grads["b"]) == (1.5, 1)
    tie = final("tie", x=3.0, y=3.0)
    assert (tie.grads["x"], tie.grads["y"]) == (4.5, 1.5)


def test_accumulation_says_what_is_added_to_what():
    first, second = graph_state("accumulation", {"a": (1.0,)}).visits[0].deliveries
    assert first.before is None and second.before == 1
    assert second.sentence() == "b gets g · 1 = 1, added to 1: 2"


def test_stretched_operand_is_summed():
    state = graph_state("broadcasting", {"w": (2.0,), "b": (1.0,)})
    [to_p, to_b] = state.visits[1].deliveries
    assert not to_p.stretched and to_p.part.shape == (2,)
    assert to_b.sentence() == "b gets g · 1, summed over the stretched axis, = 1"


def test_gradients_appear_step_by_step():
    leaves = {"x": (5.0,), "y": (2.0,)}
    names = [set(graph_state("product", leaves, step).gradients) for step in range(4)]
    assert names == [set(), {"c", "s", "y"}, {"c", "s", "y", "x"}, {"c", "s", "y", "x"}]
    assert [graph_state("product", leaves, step).step for step in (-1, 3, 99)] == [0, 3, 3]


def test_state_ignores_no_grad_around_it():
    with kernel.no_grad():
        assert graph_state("loop", {"x": (2.0,)}).grads["x"] == 32


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = five, y = 2", "after x = a number should stand, such as 2 or -0.5; got 'five'"),
        ("x = , y = 2", "after x = a number should stand"),
        ("x = 1e999, y = 2", "after x = a number should stand"),
        ("x = 500, y = 2", "x must lie between −100 and 100 to be drawn; got 500."),
        ("x = 5, y = 2, x = 3", "x stands there twice; give it one value"),
    ],
)
def test_typed_values_are_refused_in_words(text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_leaves(text)


@pytest.mark.parametrize("leaves", [{}, {"x": (1.0,)}, {"x": (1.0,), "z": (2.0,)}, {"x": (1.0, 2.0), "y": (2.0,)}])
def test_other_leaves_than_the_computation_has(leaves):
    with pytest.raises(ValueError, match=re.escape("c = x² · y are written like this: x = 5, y = 2")):
        graph_state("product", leaves)


@pytest.mark.parametrize(
    ("x", "sentence"), [(1.0, "after 6 squarings y is still below 10"), (12.0, "not below 10, so the loop never runs")]
)
def test_a_loop_that_does_not_end_or_begin(x, sentence):
    with pytest.raises(ValueError, match=sentence):
        graph_state("loop", {"x": (x,)})


def test_an_example_that_does_not_exist():
    for make in (lambda: graph_state("product2", {}), lambda: GraphViewer("product2")):
        with pytest.raises(ValueError, match="there is no example 'product2'; there are product, accumulation"):
            make()


def test_leaves_survive_writing_and_reading(example):
    leaves = EXAMPLES[example].leaves
    assert parse_leaves(leaves_text(leaves)) == leaves
    assert parse_leaves("x = −1.5; y = 1e-3") == {"x": (-1.5,), "y": (0.001,)}


def test_every_step_has_picture_alt_and_sentence(example):
    viewer = GraphViewer(example)
    pictures = set()
    last = graph_state(example, EXAMPLES[example].leaves).last
    for step in range(last + 1):
        viewer.set(step=step)
        picture, alt, status = viewer._shown
        assert status.startswith(f"Step {step} of {last}") and alt.startswith("A graph of")
        svg = ElementTree.fromstring(picture)
        assert svg.get("fill") == "currentColor"
        # What comes into view where the picture is wider than the page: the node of this step and its arrows.
        pointed_out = [each.tag for each in svg.iter() if each.get("class") == LOOK_HERE]
        visit = viewer.state(**viewer.values).visit
        assert sorted(pointed_out) == (["path"] * len(visit.deliveries) + ["rect"] if visit else [])
        pictures.add(picture)
        written = "".join(svg.itertext())
        for box in viewer.state(**viewer.values).boxes.values():
            assert box.equation in written
    assert len(pictures) == last + 1


def test_boxes_do_not_overlap_and_stand_still(example):
    def rectangles(step):
        state = graph_state(example, EXAMPLES[example].leaves, step)
        viewer.set(example=example, step=step)
        svg = ElementTree.fromstring(viewer._shown[0])
        found = [tuple(float(r.get(key)) for key in ("x", "y", "width", "height")) for r in svg.iter("rect")]
        assert len(found) == len(state.boxes)
        return found

    viewer = GraphViewer(example)
    first = rectangles(0)
    assert all(rectangles(step) == first for step in range(1, 4))
    for i, (x, y, width, height) in enumerate(first):
        for other_x, other_y, other_width, other_height in first[:i]:
            apart = x >= other_x + other_width or other_x >= x + width
            assert apart or y >= other_y + other_height + 30 or other_y >= y + height + 30


def test_a_new_computation_brings_its_values_and_starts_at_the_beginning():
    viewer = GraphViewer()
    viewer.set(leaves="x = 3, y = 4", step=2)
    viewer._fields["example"].value = "loop"  # as the list in the browser does
    assert viewer.values == {"example": "loop", "leaves": "x = 2", "step": 0}
    viewer.set(example="tie", step=1)
    assert viewer.values == {"example": "tie", "leaves": "x = 3, y = 3", "step": 1}
    viewer.reset()
    assert viewer.values == {"example": "product", "leaves": "x = 5, y = 2", "step": 0}


def test_buttons_step_and_stop_at_both_ends():
    viewer = GraphViewer()
    actions = viewer.actions()
    assert actions["◂ Previous"](viewer.values) == {"step": 0}
    for expected in (1, 2, 3, 3):
        viewer.set(**actions["Next ▸"](viewer.values))
        assert viewer.values["step"] == expected
    assert actions["◂ Previous"](viewer.values) == {"step": 2}
    viewer.reset()
    assert actions["To the end"](viewer.values) == {"step": 3}


def test_the_slider_ends_where_the_walk_does():
    viewer = GraphViewer("loop")
    slider = viewer._fields["step"]
    assert slider.max == 3
    viewer.set(leaves="x = 1.1", step=6)
    assert (slider.max, viewer.values["step"]) == (6, 6)
    viewer.set(leaves="x = 3")
    assert (slider.max, viewer.values["step"]) == (3, 3)
    assert viewer._shown[2].startswith("Step 3 of 3")


def test_a_refused_value_leaves_the_picture_and_says_why():
    viewer = GraphViewer()
    picture = viewer._shown[0]
    viewer._fields["leaves"].value = "x = two, y = 2"
    assert "after x = a number should stand" in viewer.error
    assert viewer._shown[0] == picture
    viewer._fields["leaves"].value = "x = 2, y = 2"
    assert viewer.error == ""
