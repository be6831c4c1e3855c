"""The graph workbench without a browser: what it reads from the kernel, what it counts, what each step shows."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import kernel
from widgets import style
from widgets.graph_workbench import (
    COMPUTE,
    MODES,
    NETS,
    GraphWorkbench,
    bound,
    call_lines,
    draw_calls,
    draw_plan,
    eager_calls,
    graph_calls,
    workbench_state,
)

every_net = pytest.mark.parametrize("net", NETS)
every_mode = pytest.mark.parametrize("mode", MODES)


@every_net
def test_the_operations_are_those_that_the_executor_runs(net):
    _, make, shape = NETS[net]
    executor = make().simple_bind(data=shape)
    names = [node.name for node in executor.order(True) if node.op is not None]
    for mode in MODES:
        found = bound(net, mode)
        assert [operation.name for operation in found.operations] == names
        assert found.planned == executor.plan(mode == "training").bytes
        assert found.steps == len(names) * (2 if mode == "training" else 1)
    assert found.operations[-1].shape == executor.forward()[0].shape


@every_net
@every_mode
def test_no_two_values_lie_in_the_same_memory_at_the_same_time(net, mode):
    found = bound(net, mode)
    for step in range(1, found.steps + 1):
        taken = np.zeros(found.planned, bool)
        for area in workbench_state(net, mode, step).alive:
            piece = slice(area.offset, area.offset + area.size)
            assert not taken[piece].any(), (step, area.title)
            taken[piece] = True
        assert workbench_state(net, mode, step).in_use == taken.sum()


@every_net
def test_every_value_has_its_place(net):
    found = bound(net, "training")
    placed = [name for area in found.areas for name in area.names]
    assert sorted(placed) == sorted(operation.name for operation in found.operations)


def test_training_keeps_what_use_gives_away():
    mlp = {mode: bound("mlp", mode) for mode in MODES}
    assert mlp["use"].planned < mlp["training"].planned < mlp["training"].naive
    first = {mode: mlp[mode].areas[0] for mode in MODES}
    assert first["use"].title == first["training"].title == "fc1 → relu1"
    assert (first["use"].death, first["training"].death) == (2, 6)
    lenet = next(area for area in bound("lenet", "use").areas if "flatten" in area.names)
    assert lenet.title == "pool2 ⊃ flatten"


def test_a_skip_connection_is_an_arrow_from_further_up():
    found = bound("skip", "training")
    assert [operation.after for operation in found.operations] == [(), (0,), (1,), (1, 2), (3,), (4,), (5,)]
    picture = GraphWorkbench().picture(workbench_state("skip", "training", 0))
    assert picture.count("M24 ") == 1, "one bent arrow"


def test_the_tape_rises_and_falls_and_use_records_nothing():
    assert [workbench_state("mlp", "training", step).notes for step in range(9)] == [0, 1, 2, 3, 4, 3, 2, 1, 0]
    assert {workbench_state("mlp", "use", step).notes for step in range(5)} == {0}


@every_net
@every_mode
def test_both_ways_compute_the_same_and_the_graph_does_little_else(net, mode):
    found = bound(net, mode)
    views = sum(operation.view for operation in found.operations)
    eager, graph = (
        [call for step in range(1, found.steps + 1) for call in counted(found, step)]
        for counted in (eager_calls, graph_calls)
    )
    assert eager.count(COMPUTE) == found.steps == graph.count(COMPUTE) + views
    assert 2 * len(graph) < len(eager)
    end = workbench_state(net, mode, found.steps)
    assert (end.calls(eager_calls), end.calls(graph_calls)) == (len(eager), len(graph))


def test_the_tape_of_the_kernel_is_as_long_as_is_said():
    found, x = bound("mlp", "training"), kernel.ones(4, 3, requires_grad=True)
    h = kernel.relu(kernel.linear(x, kernel.ones(5, 3), kernel.ones(5)))
    y = kernel.softmax_output(kernel.linear(h, kernel.ones(2, 5), kernel.ones(2)), kernel.tensor([0, 1, 0, 1]))
    nodes, waiting = set(), [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and type(node).__name__ != "AccumulateGrad" and node not in nodes:
            nodes.add(node)
            waiting += [each for each, _ in node.next_functions]
    assert len(nodes) == len(found.operations)


def test_steps_beyond_the_last_are_the_last_and_other_names_are_refused():
    assert workbench_state("mlp", "use", 99).step == 4
    with pytest.raises(ValueError, match=re.escape("net: there is no 'resnet'; there are mlp, lenet, skip.")):
        workbench_state("resnet", "use", 0)
    with pytest.raises(ValueError, match=re.escape("mode: there is no 'test'; there are training, use.")):
        workbench_state("mlp", "test", 0)


@every_net
@every_mode
def test_every_step_has_picture_alt_and_sentence(net, mode):
    workbench = GraphWorkbench()
    workbench.set(net=net, mode=mode)
    seen = set()
    for step in range(bound(net, mode).steps + 1):
        workbench.set(step=step)
        picture, alt, status = workbench._shown
        root = ElementTree.fromstring(picture)
        assert root.get("fill") == "currentColor"
        words = "".join(root.itertext())
        for operation in bound(net, mode).operations:
            assert operation.name in words and operation.name in alt
        assert f"Step {step} of " in status
        assert status.count(".") == 1
        seen.add(picture)
    assert len(seen) == bound(net, mode).steps + 1


def test_buttons_walk_and_stop_at_both_ends():
    workbench = GraphWorkbench()
    actions = workbench.actions()
    workbench.set(**actions["Next ▸"](workbench.values))
    assert workbench._shown[2].startswith("Step 1 of 8, forward, fc1 gives (100, 128); 51 kB of 59 kB hold something")
    workbench.set(**actions["To the end"](workbench.values))
    workbench.set(**actions["Next ▸"](workbench.values))
    assert workbench.values["step"] == 8
    assert workbench._shown[2].startswith("Step 8 of 8, backward, the rules of fc1")
    workbench.reset()
    workbench.set(**actions["◂ Previous"](workbench.values))
    assert workbench.values == {"net": "mlp", "mode": "training", "step": 0}


def test_another_net_starts_at_its_beginning_and_moves_the_end_of_the_slider():
    workbench = GraphWorkbench()
    workbench.set(step=6)
    workbench._fields["net"].value = "lenet"  # as the list in the browser does
    assert workbench.values == {"net": "lenet", "mode": "training", "step": 0}
    assert workbench._fields["step"].max == 22
    workbench.set(step=21)
    workbench._fields["mode"].value = "use"
    assert workbench.values["step"] == 0 and workbench._fields["step"].max == 11
    workbench.set(net="skip", mode="training", step=14)
    assert workbench.values == {"net": "skip", "mode": "training", "step": 14}
    workbench.reset()
    assert workbench.values == workbench.defaults


def test_a_view_leaves_the_graph_nothing_to_do():
    state = workbench_state("lenet", "training", 7)
    assert state.bound.operations[state.current].name == "flatten"
    assert graph_calls(state.bound, 7) == ()
    assert "a view, and nothing is left to do" in GraphWorkbench().status(state)


def test_without_a_kernel_there_is_a_still_picture_and_its_sentence():
    bundle = GraphWorkbench()._repr_mimebundle_()
    assert bundle["text/html"].startswith('<figure style="margin:0.75em 0"><img alt="A net of 4 operations, fc1')
    assert "Step 0 of 8" in bundle["text/plain"]


@every_net
def test_the_time_lines_bind_once_and_draw_a_box_for_each_call(net):
    lines, once = call_lines(net, 3), call_lines(net, 1)
    operations = len(bound(net, "training").operations)
    assert len(lines["eager"]) == 3 * len(once["eager"])
    assert len(lines["graph"]) == 3 * len(once["graph"]) - 2 * (operations + 1)
    _, axes = style.subplots()
    draw_calls(axes, net, 3)
    assert len(axes.patches) == sum(map(len, lines.values()))
    assert [text.get_text() for text in axes.texts] == ["pass 1", "pass 2", "pass 3"] * 2 + ["bind"]
    assert len(axes.get_legend().get_texts()) == 4


@every_net
@pytest.mark.parametrize("training", [True, False])
def test_the_drawn_plan_holds_every_value_in_its_place(net, training):
    _, make, shape = NETS[net]
    plan = make().simple_bind(data=shape).plan(training)
    _, axes = style.subplots()
    draw_plan(axes, plan)
    drawn = [row for row in plan.rows if row.place in ("buffer", "in place", "view")]
    faces = [patch for patch in axes.patches if patch.get_fill()]
    assert len(faces) == len(drawn)
    for row, face in zip(drawn, faces, strict=True):
        assert (face.get_x(), face.get_y()) == (row.birth, row.offset / 1000)
        assert face.get_y() + face.get_height() <= plan.bytes / 1000
        if row.place == "buffer":
            assert face.get_width() == min(row.death + 1, plan.steps) - row.birth
