"""Symbols: names and their order, shapes found from a few, structure, composition, text and back, and wrong input."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import kernel
from kernel import DtypeError, ShapeError, UnknownSizeError, sym
from tests.kernel.refusals import OURS, refused
from tests.kernel.test_errors import FUNCTIONS


@pytest.fixture(autouse=True)
def names_from_0() -> Any:
    with sym.NameManager():
        yield


def mlp() -> Any:
    net = sym.Variable("data")
    net = sym.FullyConnected(data=net, name="fc1", num_hidden=128)
    net = sym.Activation(data=net, name="relu1", act_type="relu")
    net = sym.FullyConnected(data=net, name="fc2", num_hidden=10)
    return sym.SoftmaxOutput(data=net, name="out")


def lenet() -> Any:
    net = sym.Variable("data")
    for filters in (20, 50):
        net = sym.Convolution(data=net, kernel=(5, 5), num_filter=filters)
        net = sym.Activation(data=net, act_type="tanh")
        net = sym.Pooling(data=net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = sym.FullyConnected(data=sym.Flatten(data=net), num_hidden=500)
    net = sym.Activation(data=net, act_type="tanh")
    return sym.SoftmaxOutput(data=sym.FullyConnected(data=net, num_hidden=10), name="out")


# --- names ---


def test_the_names_of_the_mlp():
    net = mlp()
    assert net.list_arguments() == ["data", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias", "out_label"]
    assert net.list_outputs() == ["out_output"]
    assert net.list_auxiliary_states() == []
    assert net.name == "out"
    internals = net.get_internals().list_outputs()
    assert internals == [
        *("data", "fc1_weight", "fc1_bias", "fc1_output", "relu1_output"),
        *("fc2_weight", "fc2_bias", "fc2_output", "out_label", "out_output"),
    ]


def test_automatic_names_count_by_kind():
    net = lenet()
    assert net.list_arguments() == [
        *("data", "convolution0_weight", "convolution0_bias", "convolution1_weight", "convolution1_bias"),
        *("fullyconnected0_weight", "fullyconnected0_bias", "fullyconnected1_weight", "fullyconnected1_bias"),
        "out_label",
    ]
    names = [name for name in net.get_internals().list_outputs() if name.endswith("_output")]
    assert names == [
        *("convolution0_output", "activation0_output", "pooling0_output"),
        *("convolution1_output", "activation1_output", "pooling1_output", "flatten0_output"),
        *("fullyconnected0_output", "activation2_output", "fullyconnected1_output", "out_output"),
    ]


def test_counters_are_global_and_a_name_manager_starts_afresh():
    data = sym.Variable("data")
    assert sym.Activation(data, act_type="relu").name == "activation0"
    with sym.NameManager() as names:
        assert sym.Activation(data, act_type="relu").name == "activation0"
        with sym.NameManager():
            assert sym.Flatten(data).name == "flatten0"
        assert sym.Activation(data, act_type="relu").name == "activation1"
    assert sym.Activation(data, act_type="relu").name == "activation1"
    with names:
        assert sym.Activation(data, act_type="relu").name == "activation2"
    given = sym.FullyConnected(data, num_hidden=2, name="mine")
    assert given.list_arguments() == ["data", "mine_weight", "mine_bias"]
    assert sym.FullyConnected(data, num_hidden=2).name == "fullyconnected0"


def test_names_of_operators_are_unique():
    x = sym.Variable("x")
    y = kernel.relu(x + x) * 2 - x / 3
    names = y.get_internals().list_outputs()
    assert len(set(names)) == len(names)


def test_every_layer_by_keywords_in_any_order_and_with_data_first():
    data = sym.Variable("data", shape=(2, 3, 8, 8))
    flat = sym.Flatten(data)
    made = [
        sym.FullyConnected(num_hidden=4, name="a", data=flat),
        sym.FullyConnected(flat, num_hidden=4, no_bias=True, name="b"),
        sym.Activation(act_type="sigmoid", data=flat, name="c"),
        sym.Convolution(num_filter=4, kernel=(3, 3), data=data, name="d"),
        sym.Pooling(pool_type="avg", kernel=(2, 2), data=data, stride=(2, 2), name="e"),
        sym.SoftmaxOutput(flat, name="f"),
        sym.BatchNorm(data, name="g"),
        sym.Dropout(data, p=0.3, name="h"),
        sym.Concat(data, data, dim=1, name="i"),
        sym.Embedding(sym.Variable("words"), input_dim=10, output_dim=3, name="j"),
    ]
    assert [s.list_outputs()[0] for s in made] == [f"{letter}_output" for letter in "abcdefghij"]
    assert [s.list_arguments()[1:] for s in made] == [
        *(["a_weight", "a_bias"], ["b_weight"], [], ["d_weight", "d_bias"], [], ["f_label"]),
        *(["g_gamma", "g_beta"], [], [], ["j_weight"]),
    ]
    assert made[6].list_auxiliary_states() == ["g_moving_mean", "g_moving_var"]


def test_given_weights_keep_their_names_and_are_shared():
    w, b, data = sym.Variable("w"), sym.Variable("b"), sym.Variable("data")
    first = sym.FullyConnected(data, num_hidden=4, weight=w, bias=b, name="first")
    second = sym.FullyConnected(first, num_hidden=4, weight=w, bias=b, name="second")
    assert second.list_arguments() == ["data", "w", "b"]
    assert second.infer_shape(data=(2, 4)) == ([(2, 4), (4, 4), (4,)], [(2, 4)], [])
    refused(lambda: second.infer_shape(data=(2, 5)), "second", "(2, 4)")


def test_the_label_may_be_given():
    net = sym.SoftmaxOutput(sym.Variable("data"), label=sym.Variable("y"), name="out")
    assert net.list_arguments() == ["data", "y"]


# --- shapes ---


def test_the_shapes_of_the_mlp():
    args, outs, auxs = mlp().infer_shape(data=(100, 100))
    assert args == [(100, 100), (128, 100), (128,), (10, 128), (10,), (100,)]
    assert outs == [(100, 10)] and auxs == []


def test_the_shapes_of_lenet():
    net = lenet()
    args, outs, _ = net.infer_shape(data=(128, 1, 28, 28))
    assert args == [
        *((128, 1, 28, 28), (20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,)),
        *((500, 800), (500,), (10, 500), (10,), (128,)),
    ]
    assert outs == [(128, 10)]
    internals = net.get_internals()
    found = dict(zip(internals.list_outputs(), internals.infer_shape(data=(128, 1, 28, 28))[1], strict=True))
    assert found["convolution0_output"] == (128, 20, 24, 24)
    assert found["pooling0_output"] == (128, 20, 12, 12)
    assert found["convolution1_output"] == (128, 50, 8, 8)
    assert found["pooling1_output"] == (128, 50, 4, 4)
    assert found["flatten0_output"] == (128, 800)
    assert found["fullyconnected0_output"] == (128, 500)
    assert found["fullyconnected1_output"] == (128, 10)


def test_the_shapes_of_the_other_layers():
    data = sym.Variable("data")

    def shapes(s: Any, shape: tuple) -> tuple:
        args, outs, auxs = s.infer_shape(data=shape)
        return args[1:], outs[0], auxs

    images = (2, 4, 9, 8)
    pooled = {"kernel": (2, 3), "stride": (2, 2)}
    assert shapes(sym.Pooling(data, **pooled), images)[1] == (2, 4, 4, 3)
    assert shapes(sym.Pooling(data, pooling_convention="full", **pooled), images)[1] == (2, 4, 5, 4)
    assert shapes(sym.Pooling(data, kernel=(2, 2), pad=(1, 1), stride=(2, 2)), images)[1] == (2, 4, 5, 5)
    assert shapes(sym.Pooling(data, kernel=(2, 2)), images)[1] == (2, 4, 8, 7)  # the stride is 1, as in MXNet
    assert shapes(sym.Pooling(data, global_pool=True, kernel=(2, 2), pool_type="avg"), images)[1] == (2, 4, 1, 1)
    convolution = sym.Convolution(data, kernel=(3, 3), num_filter=6, stride=(2, 1), pad=(1, 0), num_group=2)
    assert shapes(convolution, images) == ([(6, 2, 3, 3), (6,)], (2, 6, 5, 6), [])
    dilated = sym.Convolution(data, kernel=(3, 3), num_filter=6, dilate=(2, 2), no_bias=True)
    assert shapes(dilated, images) == ([(6, 4, 3, 3)], (2, 6, 5, 4), [])
    assert shapes(sym.BatchNorm(data), images) == ([(4,), (4,)], images, [(4,), (4,)])
    assert shapes(sym.Flatten(data), images)[1] == (2, 288)
    assert shapes(sym.FullyConnected(data, num_hidden=3), images) == ([(3, 288), (3,)], (2, 3), [])
    unflattened = sym.FullyConnected(data, num_hidden=3, flatten=False)
    assert shapes(unflattened, (2, 5, 7)) == ([(3, 7), (3,)], (2, 5, 3), [])
    assert shapes(sym.Embedding(data, input_dim=9, output_dim=4), (2, 5)) == ([(9, 4)], (2, 5, 4), [])
    assert shapes(sym.Concat(data, data, dim=1), images)[1] == (2, 8, 9, 8)
    assert shapes(sym.Concat(data, data, dim=0), images)[1] == (4, 4, 9, 8)
    assert shapes(sym.Dropout(data), images)[1] == images
    for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign"):
        assert shapes(sym.Activation(data, act_type=kind), images)[1] == images


def test_shapes_are_found_backwards():
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, flatten=False, name="fc")
    args, _, _ = net.infer_shape_partial(fc_weight=(3, 7))
    assert args[1:] == [(3, 7), (3,)] and args[0] in (None, (None, 7))
    assert net.infer_shape(data=(5, None), fc_weight=(3, 7)) == ([(5, 7), (3, 7), (3,)], [(5, 3)], [])
    a, b = (sym.Variable(name, shape=(None, None)) for name in "ab")
    assert (a @ b).infer_shape(a=(2, 3), b=(None, 4))[0] == [(2, 3), (3, 4)]
    through = kernel.relu(a) @ sym.Variable("b", shape=(3, 4))
    assert through.infer_shape(a=(2, None))[0] == [(2, 3), (3, 4)]


def test_declared_shapes():
    net = mlp()
    assert net(data=sym.Variable("data", shape=(5, 6))).infer_shape()[1] == [(5, 10)]
    declared = sym.Variable("data", shape=(None, 6))
    assert net(data=declared).infer_shape(data=(4, None))[0][:2] == [(4, 6), (128, 6)]
    refused(lambda: net(data=declared).infer_shape(data=(4, 7)), "data", "(?, 6)", "(4, 7)", error=ShapeError)


def test_what_cannot_be_found_is_named():
    net = mlp()
    refused(lambda: net.infer_shape(), "data", "fc1_weight", "out_label", error=ShapeError)
    refused(lambda: net.infer_shape(fc2_bias=(10,)), "data", "fc1_weight", error=ShapeError)
    refused(lambda: net.simple_bind(fc2_bias=(10,)), "data", "fc1_weight", error=ShapeError)
    args, outs, auxs = net.infer_shape_partial(fc1_weight=(128, 100))
    assert args[1:3] == [(128, 100), (128,)] and args[3] in ((10, None), (10, 128)) and auxs == []
    assert args[5] in (None, (None,)) and outs[0] in (None, (None, 10))
    assert net.infer_shape_partial()[0][2] == (128,)


def test_what_does_not_fit_is_named():
    net = mlp()
    refused(lambda: net.infer_shape(data=(5, 4), fc1_weight=(128, 5)), "fc1", "(?, 4)", "(128, 5)", error=ShapeError)
    refused(lambda: net.infer_shape(data=(5, 4), out_label=(6,)), "out", "(5,)", "(6,)", error=ShapeError)
    refused(lambda: net.infer_shape(data=(5, 4), fc1_bias=(12,)), "fc1", "(128,)", "(12,)", error=ShapeError)
    refused(lambda: net.infer_shape(data=(5, 4), fc1_weight=(12, 4)), "fc1", "128", error=ShapeError)
    refused(lambda: lenet().infer_shape(data=(5, 1, 6, 6)), "pooling", error=ShapeError)
    with sym.NameManager():
        refused(lambda: lenet().infer_shape(data=(5, 10)), "convolution0", "(5, 10)", error=ShapeError)
    refused(lambda: net.infer_shape(dta=(5, 4)), "dta", "data", error=ShapeError)
    for wrong in (5, "5, 4", None, (5, -4), (5.0, 4), [5, "4"], ((5, 4),), {5: 4}, numpy.zeros(2)):
        if wrong is not None:
            refused(lambda wrong=wrong: net.infer_shape(data=wrong))
    refused(lambda: (sym.Variable("a") + sym.Variable("b")).infer_shape(a=(2, 3), b=(4,)), "a", "b", "(2, 3)", "(4,)")


def test_types():
    net = mlp()
    args, outs, auxs = net.infer_type(data="float64")
    assert outs == [numpy.dtype("float64")] and args[:5] == [numpy.dtype("float64")] * 5 and auxs == []
    assert net.infer_type()[1] == [numpy.dtype("float32")]
    mixed = kernel.where(sym.Variable("a") > 0, sym.Variable("b", dtype="int64"), 0.5)
    assert mixed.infer_type()[1] == [numpy.dtype("float32")]
    assert (sym.Variable("n", dtype="int32") + 1).infer_type()[1] == [numpy.dtype("int32")]
    assert (sym.Variable("n", dtype="int32") > 1).infer_type()[1] == [numpy.dtype("bool")]
    refused(lambda: net.infer_type(data="nonsense"), "nonsense")
    refused(lambda: net.infer_type(dta="float32"), "dta")
    refused(lambda: sym.Variable("x", dtype="complex64"), "complex64")


def test_what_is_known_while_the_graph_is_built():
    x = sym.Variable("x", shape=(2, None, 3))
    assert x.shape == (2, None, 3) and x.ndim == 3 and x.dtype == "float32"
    assert kernel.relu(x).shape == (2, None, 3)
    assert (x + 1).sum(axis=0).shape == (None, 3)
    assert (x > 0).dtype == bool
    y = sym.Variable("y")
    for read in (lambda: y.shape, lambda: y.ndim, lambda: kernel.relu(y).shape, lambda: (y @ y).ndim):
        refused(read, "declare", error=UnknownSizeError)


# --- operators, functions, methods ---


def test_operators_and_methods_compute_what_they_do_on_tensors():
    numbers = {"a": numpy.array([[1.0, -2.0], [3.0, 0.5]], "f4"), "b": numpy.array([[2.0, 1.0], [0.25, -1.0]], "f4")}
    formulas: list[Callable[[Any, Any], Any]] = [
        lambda a, b: a + b,
        lambda a, b: 1 + a,
        lambda a, b: a - b,
        lambda a, b: 2.5 - a,
        lambda a, b: a * b,
        lambda a, b: 2 * a,
        lambda a, b: a / b,
        lambda a, b: 1 / b,
        lambda a, b: a**2,
        lambda a, b: 2**a,
        lambda a, b: a @ b,
        lambda a, b: -a,
        lambda a, b: abs(a),
        lambda a, b: (a > b) * 1.0,
        lambda a, b: (a <= 0.5) * 1.0,
        lambda a, b: (a == b) * 1.0,
        lambda a, b: (a != b) * 1.0,
        lambda a, b: ((a > 0) & ~(b > 0) | (a < b)) * 1.0,
        lambda a, b: (a.ge(0.5)) * 1.0,
        lambda a, b: a.sum(axis=1),
        lambda a, b: a.mean(),
        lambda a, b: a.reshape(4, 1),
        lambda a, b: a.reshape((-1,)),
        lambda a, b: a.relu().tanh().exp(),
        lambda a, b: a.T @ b,
        lambda a, b: a.transpose(1, 0),
        lambda a, b: a.permute(1, 0),
        lambda a, b: a.unsqueeze(0).squeeze(0),
        lambda a, b: a.softmax(1),
        lambda a, b: a.max(1)[0],
        lambda a, b: kernel.concatenate([a, b], axis=1),
        lambda a, b: kernel.stack([a, b]),
        lambda a, b: kernel.split(a, [1, 1])[1],
        lambda a, b: a[:, 1:],
        lambda a, b: a[..., 0],
        lambda a, b: a[None, :, 0],
        lambda a, b: a.clip(-1, 1),
        lambda a, b: a.astype("float64"),
        lambda a, b: kernel.where(a > 0, a, b),
        lambda a, b: kernel.einsum("ij,jk->ik", a, b),
        lambda a, b: kernel.linear(a, b),
        lambda a, b: kernel.log_softmax(a, 0),
        lambda a, b: kernel.mse_loss(a, b),
        lambda a, b: kernel.maximum(a, 0.0),
    ]
    for i, formula in enumerate(formulas):
        expected = formula(*(kernel.tensor(array) for array in numbers.values()))
        for declared in (False, True):
            facts = {"shape": (2, 2)} if declared else {}
            try:
                symbol = formula(sym.Variable("a", **facts), sym.Variable("b", **facts))
            except UnknownSizeError:
                assert not declared, i
                continue
            names = symbol.list_arguments()
            found = symbol.eval(**{name: kernel.tensor(numbers[name]) for name in names})
            found = found[0] if isinstance(found, list | tuple) else found
            assert found.dtype == expected.dtype and found.shape == expected.shape, i
            numpy.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=str(i))


def test_a_symbol_is_no_number():
    x = sym.Variable("x")
    refused(lambda: bool(x > 0), "symbol", "where")
    refused(lambda: float(x))
    refused(lambda: int(x))
    refused(lambda: [1, 2][x])
    refused(lambda: numpy.asarray(x))
    refused(lambda: numpy.ones(2) + x)
    refused(lambda: x + numpy.ones(2), "kernel.tensor")
    refused(lambda: x + "2", "'2'")
    refused(lambda: x + None)
    refused(lambda: x * [1, 2])
    refused(lambda: kernel.matmul(x, None))
    with pytest.raises(AttributeError, match="smu"):
        x.smu()
    with pytest.raises(AttributeError, match="gradd"):
        x.gradd  # noqa: B018
    assert hash(x) == hash(x) and x in {x}
    assert "x" in repr(x) and "\n" not in repr(x)
    two = numpy.float32(2)
    assert (two * x).list_arguments() == (x * two).list_arguments() == ["x"]
    assert (two * x).eval(x=kernel.tensor([1.5]))[0].dtype == "float32"


def test_a_shape_that_depends_on_numbers_has_no_place_in_a_graph():
    x = sym.Variable("x", shape=(3,))
    refused(lambda: kernel.nonzero(x), "nonzero", "graph")
    refused(lambda: x[x > 0])


def test_tensors_and_parameters_beside_symbols():
    x = sym.Variable("x", shape=(2,))
    constant = kernel.tensor([1.0, 2.0])
    parameter = kernel.Parameter(kernel.tensor([3.0, 4.0]))
    for y in (x * constant + parameter, constant * x + parameter, parameter + constant * x):
        assert len(y.list_arguments()) == 2 and y.list_arguments().count("x") == 1
        executor = y.simple_bind(x=(2,))
        assert executor.forward(x=numpy.array([10.0, 20.0]))[0].tolist() == [13.0, 44.0]
    refused(lambda: y + kernel.ones(3), "(2,)", "(3,)")


def test_layers_work_on_symbols():
    kernel.manual_seed(0)
    net = kernel.layers.Sequential(
        kernel.layers.Linear(6, 4), kernel.layers.ReLU(), kernel.layers.Dropout(0.5), kernel.layers.Linear(4, 2)
    )
    y = net(sym.Variable("data", shape=(None, 6)))
    assert "data" in y.list_arguments() and len(y.list_arguments()) == 5
    x = kernel.randn(3, 6)
    executor = y.simple_bind(data=(3, 6))
    net.eval()
    assert executor.forward(is_train=False, data=x)[0].tolist() == net(x).tolist()


# --- structure ---


def test_groups():
    x = sym.Variable("x")
    a, b = kernel.relu(x), sym.FullyConnected(x, num_hidden=3, name="fc")
    group = sym.Group([a, b, a])
    assert len(group) == 3
    assert group.list_outputs() == [a.list_outputs()[0], "fc_output", a.list_outputs()[0]]
    assert group.list_arguments() == ["x", "fc_weight", "fc_bias"]
    assert group["fc_output"].list_outputs() == ["fc_output"] == group[1].list_outputs() == group[-2].list_outputs()
    assert [s.list_outputs() for s in group] == [[name] for name in group.list_outputs()]
    assert group.infer_shape(x=(2, 5))[1] == [(2, 5), (2, 3), (2, 5)]
    assert sym.Group([group, x]).list_outputs()[-1] == "x" and len(sym.Group([group, x])) == 4
    refused(lambda: group["fc2_output"], "fc2_output", "fc_output")
    refused(lambda: group[a.list_outputs()[0]], "several")
    refused(lambda: group[3], "3")
    refused(lambda: group[-4], "-4")
    refused(lambda: group + 1, "3")
    refused(lambda: kernel.relu(group))
    refused(lambda: group.shape)
    assert group.name is None
    for wrong in ([], [a, None], [a, kernel.ones(2)], None, 3, [1], "ab"):
        refused(lambda wrong=wrong: sym.Group(wrong))


def test_outputs_of_one_node():
    x = sym.Variable("x", shape=(4, 6))
    first, second = kernel.split(x, [1, 3])
    assert first.name == second.name and first.list_outputs() != second.list_outputs()
    assert second.infer_shape()[1] == [(3, 6)]
    values, places = kernel.max(x, 1)
    group = sym.Group([places, values, first])
    assert group.infer_shape()[1] == [(4,), (4,), (1, 6)]
    assert group.infer_type()[1] == [numpy.dtype("int64"), numpy.dtype("float32"), numpy.dtype("float32")]
    assert len(set(group.list_outputs())) == 3


def test_internals_and_children():
    net = mlp()
    internals = net.get_internals()
    assert len(internals) == 10
    features = internals["fc1_output"]
    assert features.list_arguments() == ["data", "fc1_weight", "fc1_bias"]
    assert features.infer_shape(data=(2, 4))[1] == [(2, 128)]
    assert net.get_children().list_outputs() == ["fc2_output", "out_label"]
    assert sym.Variable("x").get_children() is None
    again = sym.Activation(internals["relu1_output"], act_type="tanh")
    assert again.list_arguments() == ["data", "fc1_weight", "fc1_bias"]
    refused(lambda: internals["nothing_output"], "nothing_output")


def test_composition():
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    below = sym.Activation(sym.Variable("pixels"), act_type="relu", name="below")
    composed = net(data=below, name="above")
    assert composed.list_arguments() == ["pixels", "fc_weight", "fc_bias"]
    assert composed.name == "above" and composed.list_outputs() == ["above_output"]
    assert net.list_arguments() == ["data", "fc_weight", "fc_bias"] and net.name == "fc"
    assert net(below).list_arguments() == composed.list_arguments()
    both = net(below, sym.Variable("w"))
    assert both.list_arguments() == ["pixels", "w", "fc_bias"]
    assert composed.infer_shape(pixels=(2, 5))[1] == [(2, 3)]
    twice = net(data=net(data=sym.Variable("data"), name="once"), name="twice")
    assert twice.list_arguments() == ["data", "fc_weight", "fc_bias"]
    swapped = (sym.Variable("a") - sym.Variable("b"))(a=sym.Variable("b"), b=sym.Variable("a"))
    assert swapped.eval(a=kernel.tensor(1.0), b=kernel.tensor(5.0))[0].item() == 4.0
    group = sym.Group([net, sym.Variable("data")])(data=below)
    assert group.list_outputs()[1] == "below_output" and len(group) == 2
    variable = sym.Variable("data")(data=below)
    assert variable.list_outputs() == ["below_output"] and below.name == "below"


def test_composition_in_wrong_words():
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    below = sym.Variable("below")
    refused(lambda: net(dta=below), "dta", "data")
    refused(lambda: net(below, data=below), "data", "twice")
    refused(lambda: net(below, below, below, below), "3", "4")
    refused(lambda: net(data=kernel.ones(2, 3)), "data", "symbol")
    refused(lambda: net(3), "symbol")
    refused(lambda: net(data=sym.Group([below, below])), "one")
    refused(lambda: net(data=below, name=3), "name")
    refused(lambda: net(data=sym.Variable("x", shape=(2, 3)), fc_weight=sym.Variable("w", shape=(3, 4))), "fc")


def test_composing_with_a_name_does_not_rename_what_was_given():
    below = sym.Activation(sym.Variable("x"), act_type="relu", name="below")
    identity = sym.Variable("data")
    identity(data=below, name="renamed")
    assert below.name == "below"


def test_attributes():
    x = sym.Variable("x", attr={"lr_mult": "2", "mood": "good"})
    assert x.attr("lr_mult") == "2" and x.attr("nothing") is None
    net = sym.FullyConnected(x, num_hidden=2, name="fc")
    assert net.attr_dict()["x"] == {"lr_mult": "2", "mood": "good"}
    assert sym.load_json(net.tojson()).attr_dict() == net.attr_dict()
    refused(lambda: sym.Variable("x", attr={"a": 1}))
    refused(lambda: sym.Variable("x", attr="a"))


# --- text and back ---


def everything() -> Any:
    """One graph with attributes of every kind: None, truth, numbers, texts, dtypes, tuples in tuples, slices, dots."""
    x = sym.Variable("x", shape=(2, 4, 6, 6), attr={"note": "ä 'quoted' \"twice\" \\ \n line"})
    n = sym.Variable("n", shape=(2, 4), dtype="int64")
    y = sym.Convolution(x, kernel=(3, 2), num_filter=4, pad=(1, 1), stride=(2, 1), name="conv")
    y = sym.BatchNorm(y, name="bn", eps=2e-5, fix_gamma=False)
    y = sym.Dropout(y, p=0.25, name="drop")
    y = sym.Pooling(y, kernel=(2, 2), pool_type="avg", name="pool")
    parts = [
        y.sum(axis=(0, -1), keepdims=True),
        y.mean(axis=None),
        y[0, ..., 1:, None],
        y[:, 1:3:2, -1, :],
        y.clip(-math.inf, 1e-300),
        y.astype("float64"),
        kernel.pad(y, ((0, 0), (0, 1), (2, 0), (0, 0)), value=-1.5),
        kernel.permute(y, (3, 2, 1, 0)),
        kernel.einsum("abcd->da", y),
        *kernel.split(y, [1, 3], 1),
        *kernel.max(y, 1),
        kernel.one_hot(n, 7),
        n * 2 + True,
        y**2 - 0.1 * y + 1e30,
        kernel.where(y > 0, y, -1),
        sym.Embedding(n, input_dim=9, output_dim=3, name="embedding"),
        sym.SoftmaxOutput(kernel.flatten(y, 1), use_ignore=True, ignore_label=3, grad_scale=0.5, name="out"),
        y[:, :, kernel.tensor([1, 0])],
        x * kernel.tensor([[0.1], [1 / 3]], dtype="float64")[0, 0],
    ]
    return sym.Group(parts)


def values_of(symbol: Any) -> dict[str, Any]:
    kernel.manual_seed(5)
    shapes, _, auxiliary = symbol.infer_shape()
    dtypes, _, _ = symbol.infer_type()
    executor = symbol.simple_bind()
    rng = numpy.random.default_rng(0)
    for name, shape, dtype in zip(symbol.list_arguments(), shapes, dtypes, strict=True):
        array = rng.integers(0, 3, shape) if dtype.kind == "i" or name.endswith("label") else rng.normal(size=shape)
        executor.arg_dict[name][...] = kernel.tensor(array.astype(dtype))
    for name, shape in zip(symbol.list_auxiliary_states(), auxiliary, strict=True):
        executor.aux_dict[name][...] = kernel.tensor(rng.uniform(0.5, 1, shape).astype("float32"))
    found = {}
    for is_train in (False, True):
        kernel.manual_seed(6)
        for k, y in enumerate(executor.forward(is_train=is_train)):
            found[f"{k} {is_train}"] = y.numpy().copy()
    return found


def test_text_and_back(tmp_path: Path):
    symbol = everything()
    text = symbol.tojson()
    assert isinstance(json.loads(text), dict)
    symbol.save(tmp_path / "net.json")
    symbol.save(str(tmp_path / "again.json"))
    expected = values_of(symbol)
    for back in (sym.load_json(text), sym.load(tmp_path / "net.json"), sym.load(str(tmp_path / "again.json"))):
        assert back.list_arguments() == symbol.list_arguments()
        assert back.list_outputs() == symbol.list_outputs()
        assert back.list_auxiliary_states() == symbol.list_auxiliary_states()
        assert back.attr_dict() == symbol.attr_dict()
        assert back.infer_shape() == symbol.infer_shape()
        assert back.infer_type() == symbol.infer_type()
        assert back.tojson() == text
        found = values_of(back)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype and found[name].tobytes() == array.tobytes(), name


def test_text_of_the_nets_of_the_seed():
    for net in (mlp(), lenet()):
        back = sym.load_json(net.tojson())
        assert back.list_arguments() == net.list_arguments() and back.list_outputs() == net.list_outputs()
        assert back.tojson() == net.tojson()
    back = sym.load_json(mlp().tojson())
    assert back.infer_shape(data=(100, 100)) == mlp().infer_shape(data=(100, 100))
    shared = sym.Variable("w")
    net = sym.FullyConnected(sym.Variable("x"), num_hidden=3, weight=shared, no_bias=True)
    net = sym.FullyConnected(net, num_hidden=3, weight=shared, no_bias=True)
    assert sym.load_json(net.tojson()).list_arguments() == ["x", "w"]


def test_text_that_is_no_graph(tmp_path: Path):
    good = json.loads(mlp().tojson())
    for wrong in ("", "{", "[]", "3", "null", "{}", '"text"', '{"nodes": 3}', None, 3, b"{}"):
        refused(lambda wrong=wrong: sym.load_json(wrong))
    for path in list(_paths(good))[:400]:
        for other in (None, -1, 10**6, "x", [], {}, [[99, 0]]):
            changed = json.loads(json.dumps(good))
            _put(changed, path, other)
            try:
                symbol = sym.load_json(json.dumps(changed))
                symbol.list_arguments()
                symbol.tojson()
            except OURS as error:
                assert str(error).endswith(".") and "\n" not in str(error), (path, other, error)
    for path in list(_paths(good))[:400]:
        changed = json.loads(json.dumps(good))
        _remove(changed, path)
        try:
            sym.load_json(json.dumps(changed)).list_arguments()
        except OURS as error:
            assert str(error).endswith("."), (path, error)
    refused(lambda: sym.load(tmp_path / "missing.json"), "missing.json")
    (tmp_path / "bytes.json").write_bytes(bytes(range(256)))
    refused(lambda: sym.load(tmp_path / "bytes.json"), "bytes.json")
    refused(lambda: sym.load(tmp_path), error=OURS)
    refused(lambda: mlp().save(tmp_path / "no" / "folder.json"), "folder.json")
    refused(lambda: sym.load(3))
    refused(lambda: mlp().save(3))


def _paths(value: Any, at: tuple = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from _paths(inner, (*at, key))


def _put(value: Any, path: tuple, other: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = other


def _remove(value: Any, path: tuple) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


# --- wrong input ---


def test_wrong_calls_of_the_layers():
    data = sym.Variable("data")
    wrong: list[Callable[[], Any]] = [
        lambda: sym.Variable(),
        lambda: sym.Variable(3),
        lambda: sym.Variable(""),
        lambda: sym.Variable("x", shape="abc"),
        lambda: sym.Variable("x", shape=(2, -1)),
        lambda: sym.Variable("x", shape=(2.5,)),
        lambda: sym.Variable("x", dtype=3),
        lambda: sym.FullyConnected(data),
        lambda: sym.FullyConnected(num_hidden=3),
        lambda: sym.FullyConnected(data, num_hidden=0),
        lambda: sym.FullyConnected(data, num_hidden=-2),
        lambda: sym.FullyConnected(data, num_hidden=2.5),
        lambda: sym.FullyConnected(data, num_hidden="3"),
        lambda: sym.FullyConnected(data, num_hidden=True),
        lambda: sym.FullyConnected(data, num_hidden=3, no_bias=3),
        lambda: sym.FullyConnected(data, num_hidden=3, weight="w"),
        lambda: sym.FullyConnected(data, num_hidden=3, name=5),
        lambda: sym.FullyConnected(numpy.ones((2, 3)), num_hidden=3),
        lambda: sym.FullyConnected("data", num_hidden=3),
        lambda: sym.FullyConnected(None, num_hidden=3),
        lambda: sym.FullyConnected(data, num_hiden=3),
        lambda: sym.Activation(data),
        lambda: sym.Activation(data, act_type="rellu"),
        lambda: sym.Activation(data, act_type=3),
        lambda: sym.Activation(data, act_type=None),
        lambda: sym.Convolution(data, num_filter=3),
        lambda: sym.Convolution(data, kernel=(3, 3)),
        lambda: sym.Convolution(data, kernel=(3, 0), num_filter=2),
        lambda: sym.Convolution(data, kernel="3x3", num_filter=2),
        lambda: sym.Convolution(data, kernel=(3, 3), num_filter=0),
        lambda: sym.Convolution(data, kernel=(3, 3), num_filter=2, stride=(0, 1)),
        lambda: sym.Convolution(data, kernel=(3, 3), num_filter=2, pad=(-1, 0)),
        lambda: sym.Convolution(data, kernel=(3, 3), num_filter=3, num_group=2),
        lambda: sym.Convolution(data, kernel=(3, 3), num_filter=2, dilate="a"),
        lambda: sym.Pooling(data, kernel=(2, 2), pool_type="median"),
        lambda: sym.Pooling(data),
        lambda: sym.Pooling(data, kernel=(2, 2), pooling_convention="same"),
        lambda: sym.Pooling(data, kernel=(2, 2), pad=(2, 2)),
        lambda: sym.Pooling(data, kernel=(2, 2), stride=(2, 2.5)),
        lambda: sym.Flatten(),
        lambda: sym.Flatten(3),
        lambda: sym.SoftmaxOutput(data, normalization="mean"),
        lambda: sym.SoftmaxOutput(data, grad_scale="1"),
        lambda: sym.SoftmaxOutput(data, use_ignore=3),
        lambda: sym.SoftmaxOutput(data, ignore_label=1.5, use_ignore=True),
        lambda: sym.SoftmaxOutput(data, label=3),
        lambda: sym.BatchNorm(data, eps=-1),
        lambda: sym.BatchNorm(data, momentum=2),
        lambda: sym.BatchNorm(data, fix_gamma="no"),
        lambda: sym.Dropout(data, p=1.5),
        lambda: sym.Dropout(data, p="half"),
        lambda: sym.Embedding(data, input_dim=3),
        lambda: sym.Embedding(data, input_dim=0, output_dim=2),
        lambda: sym.Concat(),
        lambda: sym.Concat(data, 3),
        lambda: sym.Concat(data, data, dim="a"),
        lambda: sym.Group(data, data),
        lambda: sym.NameManager(3),
    ]
    answered = {}
    for i, call in enumerate(wrong):
        try:
            call()
        except OURS as error:
            if not (str(error).endswith(".") and "\n" not in str(error)):
                answered[i] = f"no sentence: {error}"
        except TypeError as error:  # Python's own words for an argument that does not exist, or is missing
            if "argument" not in str(error):
                answered[i] = repr(error)
        except Exception as error:
            answered[i] = repr(error)
        else:
            answered[i] = "taken"
    assert not answered


# --- long chains ---


def test_a_long_chain():
    """20,000 nodes: nothing recurses, and everything takes a few seconds."""
    x = y = sym.Variable("x", shape=(2,))
    for k in range(20_000):
        y = y + x if k % 2 else kernel.tanh(y)
    assert y.list_arguments() == ["x"]
    assert y.infer_shape(x=(2,))[1] == [(2,)]
    assert len(y.get_internals()) == 20_001
    back = sym.load_json(y.tojson())
    assert back.list_outputs() == y.list_outputs()
    composed = y(x=kernel.relu(sym.Variable("z", shape=(2,))))
    assert composed.list_arguments() == ["z"]
    del y, back, composed, x
    gc.collect()


# --- every public function ---


def on_symbols(value: Any, given: dict[str, Any]) -> Any:
    """The same arguments, with a variable of known shape and dtype in the place of every tensor."""
    if isinstance(value, kernel.Tensor):
        name = f"t{len(given)}"
        given[name] = value.detach()
        return sym.Variable(name, shape=value.shape, dtype=value.dtype)
    if isinstance(value, tuple | list):
        return type(value)(on_symbols(item, given) for item in value)
    return value


def flat(result: Any) -> list:
    if isinstance(result, tuple | list):
        return [part for item in result for part in flat(item)]
    return [result]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_on_symbols(name: str):
    """On variables of known shape a function makes the graph of what it computes on tensors, bit for bit."""
    positional, keywords = FUNCTIONS[name]()
    given: dict[str, Any] = {}
    symbols = on_symbols(positional, given)
    function = getattr(kernel, name)
    if name == "nonzero":
        refused(lambda: function(*symbols, **keywords), "graph", error=DtypeError)
        return
    made = flat(function(*symbols, **keywords))
    expected = flat(function(*positional, **keywords))
    assert len(made) == len(expected)
    assert all(isinstance(s, sym.Symbol) for s in made)
    for s, y in zip(made, expected, strict=True):
        assert s.shape == y.shape and s.dtype == y.dtype
    group = sym.Group(made)
    executor = group.bind("cpu", {key: t for key, t in given.items() if key in group.list_arguments()})
    for is_train in (False, True):
        if name == "dropout" and not is_train:
            continue
        for found, y in zip(executor.forward(is_train=is_train), expected, strict=True):
            assert found.dtype == y.dtype and found.shape == y.shape
            numpy.testing.assert_array_equal(found.numpy(), y.detach().numpy())
    back = sym.load_json(group.tojson())
    assert back.list_arguments() == group.list_arguments() and back.list_outputs() == group.list_outputs()
    dtypes = {key: given[key].dtype for key in back.list_arguments()}
    assert back.infer_type(**dtypes)[1] == [y.dtype for y in expected]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_on_symbols_of_unknown_shape(name: str):
    """On variables of which nothing is known: a graph of the same values, or a sentence that says what is missing."""
    positional, keywords = FUNCTIONS[name]()
    given: dict[str, Any] = {}

    def unknown(value: Any) -> Any:
        if isinstance(value, kernel.Tensor):
            key = f"t{len(given)}"
            given[key] = value.detach()
            return sym.Variable(key)
        return type(value)(map(unknown, value)) if isinstance(value, tuple | list) else value

    expected = flat(getattr(kernel, name)(*positional, **keywords))
    try:
        group = sym.Group(flat(getattr(kernel, name)(*map(unknown, positional), **keywords)))
        executor = group.bind("cpu", {key: t for key, t in given.items() if key in group.list_arguments()})
    except OURS as error:
        assert str(error).endswith(".") and "\n" not in str(error), error
        return
    for found, y in zip(executor.forward(is_train=name == "dropout"), expected, strict=True):
        numpy.testing.assert_array_equal(found.numpy(), y.detach().numpy())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_with_a_symbol_where_a_tensor_stands(name: str):
    """A symbol beside tensors, in each place in turn: a graph in which they are constants, or a sentence."""
    positional, keywords = FUNCTIONS[name]()
    expected = flat(getattr(kernel, name)(*positional, **keywords))
    for place, value in enumerate(positional):
        if not isinstance(value, kernel.Tensor):
            continue
        mixed = list(positional)
        mixed[place] = sym.Variable("x", shape=value.shape, dtype=value.dtype)
        try:
            group = sym.Group(flat(getattr(kernel, name)(*mixed, **keywords)))
            found = group.simple_bind(x=value.shape).forward(is_train=name == "dropout", x=value)
        except OURS as error:
            assert str(error).endswith(".") and "\n" not in str(error), error
            assert "symbol" in str(error) or "graph" in str(error), (place, error)
            continue
        for y, wanted in zip(found, expected, strict=True):
            numpy.testing.assert_array_equal(y.numpy(), wanted.detach().numpy())


def test_what_takes_tensors_alone_says_so():
    x = sym.Variable("x", shape=(2, 3))
    t = kernel.ones(2, 3)
    calls: list[Callable[[], Any]] = [
        lambda: kernel.tensor(x),
        lambda: kernel.from_numpy(x),
        lambda: kernel.Parameter(x),
        lambda: kernel.accuracy(x, kernel.tensor([0, 1])),
        lambda: kernel.gradcheck(kernel.exp, x),
        lambda: kernel.grad(x, t),
        lambda: t.copy_(x),
        lambda: t.add_(x),
        lambda: t.__iadd__(x),
        lambda: t.__setitem__(0, x),
        lambda: t[x],
        lambda: t.backward(x),
        lambda: kernel.save({"x": x}, "x.safetensors"),
        lambda: kernel.zeros(x),
        lambda: t.reshape(x),
        lambda: t.sum(x),
        lambda: kernel.where(True, x, x),
        lambda: None in sym.Group([x, x]),
        lambda: kernel.relu(sym.Group([x, x])),
        lambda: x[x],
        lambda: x["x":"y"],
        lambda: x[1.5],
        lambda: x[3],
        lambda: x[True],
        lambda: kernel.stack([x, None]),
        lambda: kernel.concatenate([x, numpy.ones((2, 3))]),
        lambda: kernel.einsum("ij,jk", x, 3),
    ]
    answered = {}
    for i, call in enumerate(calls):
        try:
            call()
        except OURS as error:
            if not (str(error).endswith(".") and "\n" not in str(error)):
                answered[i] = f"no sentence: {error}"
        except Exception as error:
            answered[i] = repr(error)
        else:
            answered[i] = "taken"
    assert not answered
    assert t.tolist() == [[1] * 3] * 2
