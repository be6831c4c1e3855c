"""What lesson 09 and its exercises say of graphs holds of the kernel as it is."""

from pathlib import Path

import numpy as np
import pytest

import kernel
from classroom import spec
from kernel import sym

LESSON = Path(__file__).parents[2] / "course" / "09_graphs"
EXERCISES = {exercise.name: exercise for exercise in spec.load(LESSON / "checks.py")}
ANSWERS = {name: exercise.function for name, exercise in EXERCISES.items()}


def chain(layers) -> sym.Symbol:
    """The net of exercise 1, as a symbol."""
    net = sym.Variable("data")
    for kind, *sizes in layers:
        if kind == "conv":
            filters, side = sizes
            net = sym.Convolution(net, kernel=(side, side), num_filter=filters)
        elif kind == "dense":
            net = sym.FullyConnected(net, num_hidden=sizes[0])
        else:
            net = sym.Activation(net, act_type=kind)
    return sym.SoftmaxOutput(net, name="out")


def test_the_shapes_of_exercise_1_are_those_that_the_kernel_infers():
    for case in EXERCISES["argument_shapes"].generate(0, "float32"):
        layers, data = case.arguments
        arguments, _, _ = chain(layers).infer_shape(data=data)
        assert arguments == ANSWERS["argument_shapes"](layers, data)


def test_the_order_of_exercise_2_is_that_of_list_arguments_and_of_the_executor():
    graph, root = EXERCISES["computing_order"].generate(0, "float32")[0].arguments
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc1")
    net = sym.FullyConnected(sym.Activation(net, act_type="relu", name="relu1"), num_hidden=2, name="fc2")
    net = sym.SoftmaxOutput(net, name="out")
    order = ANSWERS["computing_order"](graph, root)
    assert [node for node in order if not graph[node]] == net.list_arguments()
    assert [node.name for node in net.simple_bind(data=(4, 2)).order(True)] == order


@pytest.mark.parametrize("training", [True, False])
def test_the_order_with_a_skip_connection_is_the_executors(training):
    h = kernel.relu(sym.Variable("data"))
    net = sym.FullyConnected(h, num_hidden=3, no_bias=True, name="fc") + h
    executor = net.simple_bind(data=(4, 3))
    nodes = executor.order(training)
    graph = {node.name: [x.node.name for x in node.inputs if hasattr(x, "node")] for node in nodes}
    assert ANSWERS["computing_order"](graph, net.name) == [node.name for node in nodes]


def seeds_step(executor, x, y, rate):
    """The loop that exercise 3 shows."""
    executor.arg_dict["data"][:] = x
    executor.arg_dict["out_label"][:] = y
    executor.forward(is_train=True)
    executor.backward()
    for array, gradient in zip(executor.arg_arrays, executor.grad_arrays, strict=True):
        array[:] -= rate * (gradient / len(x))


def test_the_loop_of_exercise_3_moves_the_data_and_nothing_else_that_it_should_not():
    exercise = EXERCISES["sgd_step"]
    for number, case in enumerate(exercise.generate(0, "float64")):
        right = exercise.driver(exercise.function, *case.arguments)
        shown = exercise.driver(seeds_step, *case.arguments)
        assert not np.array_equal(right["data"].numpy(), shown["data"].numpy())
        np.testing.assert_array_equal(right["out_label"].numpy(), shown["out_label"].numpy())
        if number == 0:  # one step, bound with "write": nobody notices
            for name in ("fc_weight", "fc_bias"):
                np.testing.assert_array_equal(right[name].numpy(), shown[name].numpy())


def test_the_assertion_of_exercise_4_holds_for_a_net_that_knows_nothing():
    net = sym.SoftmaxOutput(sym.FullyConnected(sym.Variable("data"), num_hidden=10, name="fc"), name="out")
    executor = net.simple_bind(data=(100, 5))
    executor.forward(is_train=True, data=np.ones((100, 5)))
    y = kernel.tensor(np.arange(100) % 10)
    accuracy = (executor.outputs[0].argmax(axis=1) == y).sum()
    assert accuracy > 0.95, "the seed's assertion, of a count"
    assert ANSWERS["accuracy_of"](executor, kernel.ones(100, 5), y) == 0.1


def test_the_plan_of_exercise_5_never_gives_a_buffer_to_two_values_at_a_time():
    for case in EXERCISES["buffers"].generate(3, "float32"):
        program, outputs = case.arguments
        place = ANSWERS["buffers"](program, outputs)
        last = {x: step for step, (_, operands) in enumerate(program) for x in operands}
        last |= dict.fromkeys(outputs, len(program))
        for step, (result, _) in enumerate(program):
            for other, (before, _) in enumerate(program[:step]):
                alive = last.get(before, other) >= step
                assert not (alive and place[before] == place[result]), (before, result)


def test_the_split_of_the_seed_and_the_one_that_it_gets_wrong():
    assert ANSWERS["workloads"](100, [1, 5]) == [17, 83]
    assert sum(round(100 / 3 * power) for power in [1, 1, 1]) == 99
    assert sorted(ANSWERS["workloads"](100, [1, 1, 1])) == [33, 33, 34]


def test_outputs_are_written_over_by_the_next_pass_of_the_same_mode():
    executor = (sym.Variable("a") * 2).simple_bind(a=(2,))
    (kept,) = executor.forward(is_train=True, a=[1.0, 2.0])
    executor.forward(is_train=True, a=[3.0, 4.0])
    assert kept.tolist() == [6.0, 8.0]
    executor.arg_dict["a"] = kernel.zeros(2)
    assert executor.forward(is_train=True)[0].tolist() == [6.0, 8.0]
