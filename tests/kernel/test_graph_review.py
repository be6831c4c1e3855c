"""Executors in unusual company: memory that others see, passes that fail, layers in two places, several threads."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import numpy
import pytest

import kernel
from kernel import DeviceError, GradError, sym
from tests.kernel.test_symbol import refused


@pytest.fixture(autouse=True)
def names_from_0() -> Any:
    with sym.NameManager():
        yield


# --- memory that others see ---


def test_arguments_that_change_places():
    executor = (sym.Variable("a") - sym.Variable("b")).simple_bind(a=(2,), b=(2,))
    executor.forward(a=[1.0, 2.0], b=[3.0, 5.0])
    a, b = executor.arg_arrays
    assert executor.forward(a=b, b=a)[0].tolist() == [2, 3]
    executor.copy_params_from({"a": b, "b": a})
    assert (a.tolist(), b.tolist()) == ([1, 2], [3, 5])


def test_gradients_in_memory_that_numpy_shares():
    net = sym.Variable("a") * sym.Variable("b")
    memory = numpy.ones(6, "float32")
    given = {"a": kernel.from_numpy(memory[:3]), "b": kernel.ones(3)}
    gradient = kernel.from_numpy(memory)
    refused(lambda: net.bind("cpu", given, args_grad={"b": gradient[1:4]}), "memory", error=GradError)
    executor = net.bind("cpu", given, args_grad={"b": gradient[3:]})
    executor.forward(is_train=True)
    executor.backward(kernel.tensor([1.0, 2.0, 3.0]))
    assert memory.tolist() == [1, 1, 1, 1, 2, 3]


# --- passes that fail ---


def test_nothing_follows_a_pass_that_failed():
    labels = numpy.array([0, 1])
    net = kernel.cross_entropy(kernel.tanh(sym.Variable("x")), sym.Variable("labels", shape=(None,), dtype="int64"))
    executor = net.bind("cpu", {"x": kernel.ones(2, 2), "labels": kernel.from_numpy(labels)})
    executor.forward(is_train=True)
    labels[0] = 7  # behind the back of every tensor
    refused(lambda: executor.forward(is_train=True), "cross_entropy0", "7")
    refused(executor.backward, "forward", error=GradError)
    refused(lambda: executor.outputs, "forward", error=GradError)
    labels[0] = 1
    executor.forward(is_train=True)
    executor.backward()


def test_outputs_that_are_views_of_an_argument():
    """Who has recorded one of them hears of it when the argument is written to."""
    x = kernel.tensor([[1.0, 2.0], [3.0, 4.0]])
    weight = kernel.ones(4, requires_grad=True)
    executor = sym.Variable("x").reshape((4,)).bind("cpu", {"x": x}, grad_req="null")
    loss = (executor.forward()[0] * weight).sum()
    executor.forward()  # changes nothing
    x[...] = 9
    refused(loss.backward, "changed in place", error=GradError)
    loss = (executor.outputs[0] * weight).sum()
    loss.backward()
    assert weight.grad.tolist() == [9] * 4


def test_two_outputs_in_one_memory():
    y = sym.Variable("x") * 2
    executor = sym.Group([y, y.reshape((4,))]).simple_bind(x=(2, 2))
    weight = kernel.ones(4, requires_grad=True)
    whole, flat = executor.forward()
    loss = (flat * weight).sum()
    whole[...] = 1
    refused(loss.backward, "changed in place", error=GradError)


def test_a_state_that_is_read_and_written_in_one_pass():
    """Forward reads what it was, and backward must not read what it is then."""
    norm = kernel.layers.BatchNorm(2)
    x, w = sym.Variable("x", shape=(None, 2)), sym.Variable("w", shape=(2,))
    executor = (norm(x).sum() + (w * norm.running_mean).sum()).simple_bind(x=(4, 2))
    executor.forward(is_train=True, x=numpy.arange(8.0).reshape(4, 2))
    refused(executor.backward, "running_mean", "before this pass", error=GradError)
    norm = kernel.layers.BatchNorm(2)
    copied = kernel.multiply(sym.Symbol._of_tensor(norm.running_mean), 1)
    executor = (norm(x).sum() + (w * copied).sum()).simple_bind(x=(4, 2))
    for k in range(2):
        before = norm.running_mean.tolist()
        executor.forward(is_train=True, x=numpy.arange(8.0).reshape(4, 2) + k)
        executor.backward()
        assert executor.grad_dict["w"].tolist() == before != norm.running_mean.tolist()


LAYERS_WITH_STATES = {
    "BatchNorm": lambda: kernel.layers.BatchNorm(3),
    "average": lambda: kernel.layers.BatchNorm(3, momentum=None),
    "BatchNormalization": lambda: kernel.layers.BatchNormalization(normalization_time_constant=10),
    "infinite": lambda: kernel.layers.BatchNormalization(normalization_time_constant=-1),
}


@pytest.mark.parametrize("nested", (False, True))
@pytest.mark.parametrize("name", LAYERS_WITH_STATES)
def test_a_layer_with_statistics_that_is_called_twice(name: str, nested: bool):
    """The second call goes on from what the first one leaves, as in Python."""
    layer, twin = LAYERS_WITH_STATES[name](), LAYERS_WITH_STATES[name]()
    rng = numpy.random.default_rng(0)
    a, b = (kernel.tensor(rng.normal(k, 1 + k, (5, 3)).astype("float32")) for k in (1, 2))

    def net(layer: Any, a: Any, b: Any) -> Any:
        return layer(layer(a) * 3 + b) if nested else layer(a) * layer(b)

    executor = net(layer, *(sym.Variable(n, shape=(None, 3)) for n in "ab")).simple_bind(a=(5, 3), b=(5, 3))
    for _ in range(3):
        (y,) = executor.forward(is_train=True, a=a, b=b)
        expected = net(twin, a, b)
        numpy.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
        assert layer.num_batches_tracked.item() == twin.num_batches_tracked.item()
        numpy.testing.assert_allclose(layer.running_mean.numpy(), twin.running_mean.numpy(), rtol=1e-5)
        numpy.testing.assert_allclose(layer.running_var.numpy(), twin.running_var.numpy(), rtol=1e-5)


# --- memory that is let go ---


@pytest.mark.parametrize(
    "layer",
    (
        lambda data: sym.FullyConnected(data, num_hidden=3),
        lambda data: sym.Dropout(sym.FullyConnected(data, num_hidden=3)),
        lambda data: sym.BatchNorm(sym.FullyConnected(data, num_hidden=3)),
        lambda data: kernel.amax(data * 2, axis=1),
        lambda data: kernel.logsumexp(kernel.concatenate([data.T, data.T]), axis=0),
    ),
)
def test_programs_are_freed_without_the_collector(layer: Any):
    gc.collect()
    gc.disable()
    try:
        executor = layer(sym.Variable("data", shape=(None, 5))).simple_bind(data=(4, 5))
        outputs = executor.forward(is_train=True)
        executor.backward([kernel.ones(*y.shape) for y in outputs])
        program = weakref.ref(executor._programs[True])
        del executor, outputs
        assert program() is None
    finally:
        gc.enable()


# --- what MXNet's users do ---


def test_one_sample_in_use():
    """In use batch normalisation needs no batch, so a graph with it takes one sample."""
    net = sym.BatchNorm(sym.FullyConnected(sym.Variable("data"), num_hidden=2, name="fc"), name="bn")
    executor = net.simple_bind(data=(1, 3))
    assert executor.forward()[0].shape == (1, 2)
    refused(lambda: executor.forward(is_train=True), "bn_batch_norm0", "(1, 2)", "larger batch")
    model = kernel.layers.Sequential([kernel.layers.Dense(2), kernel.layers.BatchNormalization()])(
        kernel.input_variable(3)
    )
    assert model(numpy.ones(3, "float32")).shape == (2,)
    refused(lambda: model(numpy.ones((1, 3), "float32"), training=True), "larger batch")


def test_a_weight_keeps_its_shape_when_another_stands_in_for_it():
    layer = sym.FullyConnected(sym.Variable("x"), num_hidden=4, no_bias=True, name="fc")
    other = layer(fc_weight=sym.Variable("w"))
    assert other.infer_shape(x=(5, 3)) == ([(5, 3), (4, 3)], [(5, 4)], [])
    refused(lambda: layer(fc_weight=sym.Variable("w", shape=(5, 3))), "w", "fc_weight", "(4, ?)")


def test_layers_remember_attributes():
    net = sym.Convolution(sym.Variable("x"), kernel=(1, 1), num_filter=1, name="conv", attr={"mood": "so so"})
    assert (net.attr("mood"), net.attr_dict()) == ("so so", {"conv": {"mood": "so so"}})
    assert sym.load_json(net.tojson()).attr("mood") == "so so"
    refused(lambda: sym.Flatten(net, attr={"mood": 3}), "flatten0", "mood", "3")
    refused(lambda: sym.Flatten(net, attr="mood"), "flatten", "mood")


def test_moving_statistics_that_are_given_are_auxiliary_states():
    mean, variance = sym.Variable("mean"), sym.Variable("variance")
    x = sym.Variable("x")
    net = sym.BatchNorm(x, moving_mean=mean, moving_var=variance, name="first")
    net = sym.BatchNorm(net, moving_mean=mean, moving_var=variance, name="second")
    assert net.list_auxiliary_states() == ["mean", "variance"]
    executor = net.simple_bind(x=(4, 2))
    executor.forward(is_train=True, x=numpy.arange(8.0).reshape(4, 2))
    # 0.9 · (0.9 · 0 + 0.1 · 3) + 0.1 · 0, since what the first one makes has the mean 0
    numpy.testing.assert_allclose(executor.aux_dict["mean"].numpy(), [0.27, 0.36], rtol=1e-5)


def test_a_tensor_that_is_to_be_learned_from_now_on():
    t, x = kernel.ones(2), sym.Variable("x")
    assert (x * t).list_arguments() == ["x"]
    t.requires_grad_()
    net = x * t
    executor = net.simple_bind(x=(2,))
    executor.forward(is_train=True, x=[3.0, 4.0])
    executor.backward(kernel.ones(2))
    assert executor.grad_arrays[1].tolist() == [3, 4]


def test_names_are_given_once_whichever_thread_asks():
    manager, names = sym.NameManager(), []

    def ask() -> None:
        for _ in range(20_000):
            names.append(manager.of("x"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == len(names)


# --- function objects in company ---


def test_one_function_in_two_threads():
    model = kernel.layers.Sequential([kernel.layers.Dense(200), kernel.layers.Dense(200)])(kernel.input_variable(200))
    batches = [numpy.random.default_rng(k).normal(size=(100, 200)).astype("float32") for k in range(2)]
    expected = [model(batch) for batch in batches]
    wrong = []

    def compute(k: int) -> None:
        for _ in range(40):
            if not numpy.array_equal(model(batches[k]), expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=compute, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_function_forgets_shapes_that_it_has_not_seen_for_long():
    from kernel.function import TRACED

    seen = []

    @kernel.Function
    def double(x: Any) -> Any:
        seen.append(None)
        return x * x.shape[1]

    for size in range(1, TRACED + 20):
        assert double(numpy.ones((1, size), "float32")).tolist() == [[size] * size]
    assert len(double._traced) == TRACED
    before = len(seen)
    double(numpy.ones((3, size), "float32"))
    assert len(seen) == before


def test_a_call_of_a_large_function_costs_no_walk_over_its_graph():
    z = x = kernel.input_variable(3)
    for _ in range(2000):
        z = kernel.tanh(z)
    model = kernel.combine([z, x + 1])
    array = numpy.ones((2, 3), "float32")
    model(array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernel.symbol.topological", lambda *_: pytest.fail("the graph was walked again"))
        model(array)


def test_states_have_memory_of_their_own():
    """A pass in training writes to them, and what else lies there would change between forward and backward."""
    net = sym.BatchNorm(sym.Variable("x"), name="bn")
    x, gamma, beta = kernel.tensor([[1.0, 2.0], [3.0, 5.0]]), kernel.ones(2), kernel.zeros(2)
    arguments = {"x": x, "bn_gamma": gamma, "bn_beta": beta}
    mean, variance = kernel.zeros(2), kernel.ones(2)
    fixed = kernel.broadcast_to(kernel.zeros(1), (2,))
    for wrong in ((gamma, variance), (mean, mean), (x[0], variance), (fixed, variance)):
        states = dict(zip(("bn_moving_mean", "bn_moving_var"), wrong, strict=True))
        refused(lambda states=states: net.bind("cpu", arguments, aux_states=states), "bn_moving", error=GradError)
    states = {"bn_moving_mean": mean, "bn_moving_var": variance}
    refused(lambda: net.bind("cpu", arguments, {"bn_beta": mean}, aux_states=states), "moving_mean", error=GradError)
    net.bind("cpu", arguments, aux_states=states).forward(is_train=True)
    numpy.testing.assert_allclose(mean.numpy(), [0.2, 0.35], rtol=1e-5)


@pytest.mark.parametrize("request_", ("write", "add"))
def test_heads_in_the_arrays_for_gradients(request_: str):
    a, b = sym.Variable("a"), sym.Variable("b")
    for name in "ab":
        for in_numpy in (False, True):
            executor = (a * 2 + b * 3).simple_bind(a=(3,), b=(3,), grad_req=request_)
            executor.forward(is_train=True)
            head = executor.grad_dict[name]
            head[...] = kernel.tensor([1.0, 2.0, 3.0])
            before = numpy.stack([t.numpy() for t in executor.grad_arrays]) * (request_ == "add")
            executor.backward(head.numpy() if in_numpy else head)
            expected = before + numpy.outer([2, 3], [1, 2, 3])
            assert [t.tolist() for t in executor.grad_arrays] == expected.tolist()


# --- layers beside symbols ---


def test_hooks_of_layers_work_in_graphs():
    layer = kernel.layers.Linear(2, 2)
    layer.register_forward_hook(lambda _, inputs, output: output * 100 + inputs[0])
    net = layer(sym.Variable("x", shape=(None, 2)))
    x = kernel.tensor([[1.0, 2.0]])
    assert net.simple_bind(x=(1, 2)).forward(x=x)[0].tolist() == layer(x).tolist()


def test_layers_that_get_symbols_by_name_or_second():
    class Both(kernel.Module):
        def __init__(self) -> None:
            self.weight = kernel.Parameter([1.0, 2.0])

        def forward(self, a: Any, b: Any) -> Any:
            return a * b * self.weight

    for call in (lambda layer, b: layer(kernel.ones(2), b), lambda layer, b: layer(b=b, a=kernel.ones(2))):
        layer = Both()
        net = call(layer, sym.Variable("b"))
        assert len(net._entries[0].node.layers) == 1
        assert layer.types == "Both(?) -> ?"  # which the first call on tensors tells
    layer = kernel.layers.Linear(2, 2)
    names = layer(x=sym.Variable("x")).list_arguments()
    assert [name.partition(".")[2] for name in names] == ["", "weight", "bias"]


def test_parameters_on_another_device_are_named():
    layer = kernel.layers.Linear(3, 3).to("strict")
    net = layer(sym.Variable("x", shape=(None, 3)))
    refused(lambda: net.simple_bind("cpu", x=(4, 3)), "weight", "strict", "cpu", error=DeviceError)
    refused(lambda: net.bind("cpu", {"x": kernel.ones(4, 3)}), "weight", "strict", "cpu", error=DeviceError)
    net.simple_bind("strict", x=(4, 3)).forward()


def test_constants_that_json_has_no_word_for():
    values = [[1.0, float("inf")], [float("-inf"), 0.5]]
    net = kernel.maximum(sym.Variable("x"), kernel.tensor(values))
    text = net.tojson()
    assert "Infinity" not in text
    (found,) = sym.load_json(text).eval(x=[[0.0, 0.0], [0.0, 0.0]])
    assert found.tolist() == [[1.0, float("inf")], [0.0, 0.5]]


def test_copies_of_a_symbol():
    net = sym.Variable("x")
    for _ in range(2000):
        net = net + 1
    assert copy.deepcopy(net) is net and copy.copy(net) is net
    with pytest.raises(kernel.DtypeError, match="tojson"):
        pickle.dumps(net)
