"""Function objects: print, compose, evaluate, differentiate, clone, keep in files; and three styles side by side."""

from __future__ import annotations

import copy
import functools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
import scipy.sparse

import kernel
from kernel import DeviceError, DtypeError, FileError, Function, GradError, ShapeError, UnknownSizeError, sym
from kernel.graph import from_data, to_data
from kernel.layers import (
    BatchNorm,
    BatchNormalization,
    Convolution2D,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    MaxPooling,
    Residual,
    Sequential,
    default_options,
)
from tests.kernel.refusals import OURS, refused
from tests.kernel.test_errors import FUNCTIONS
from tests.kernel.test_layers import LAYERS, built


@pytest.fixture(autouse=True)
def afresh() -> Any:
    kernel.manual_seed(0)
    with sym.NameManager():
        yield


def floats(*shape: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(size=shape).astype("float32")


def one_hot(labels: Any, classes: int) -> scipy.sparse.csr_matrix:
    n = len(labels)
    return scipy.sparse.csr_matrix((numpy.ones(n, "float32"), (range(n), labels)), shape=(n, classes))


def same(a: Any, b: Any) -> None:
    a, b = (x.detach().cpu().numpy() if isinstance(x, kernel.Tensor) else x for x in (a, b))
    assert a.dtype == b.dtype and a.shape == b.shape
    numpy.testing.assert_array_equal(a, b)


def criterion_of(model: Any) -> Any:
    def measure(data, label_one_hot):
        z = model(data)
        loss = kernel.cross_entropy_with_softmax(z, label_one_hot)
        metric = kernel.classification_error(z, label_one_hot)
        return loss, metric

    return measure


def tour() -> Sequential:
    """The convolutional network of the guided tour."""
    with default_options(activation=kernel.relu, pad=False):
        return Sequential(
            [
                Convolution2D((5, 5), num_filters=32, reduction_rank=0, pad=True),
                MaxPooling((3, 3), strides=(2, 2)),
                Convolution2D((3, 3), num_filters=48),
                MaxPooling((3, 3), strides=(2, 2)),
                Convolution2D((3, 3), num_filters=64),
                Dense(96),
                Dropout(dropout_rate=0.5),
                Dense(10, activation=None),
            ]
        )


# --- print ---


def test_the_prints_of_the_logistic_regression():
    factory = Dense(2, activation=None)
    x = kernel.input_variable(2)
    y = kernel.input_variable(2, is_sparse=True)
    assert str(factory(x)) == "Dense(Tensor[2]) -> Tensor[2]"
    criterion = Function(criterion_of(factory))(x, y)
    assert str(criterion) == "Composite(Tensor[2], SparseTensor[2]) -> Tuple[Tensor[1], Tensor[1]]"
    assert factory(x).W is factory.W and isinstance(factory.W.value, numpy.ndarray)


def test_the_prints_of_the_guided_tour():
    model = tour()
    assert str(Function(model)) == "Composite(keep: Sequence[tensor]) -> Sequence[tensor]"
    assert str(Function(model)(kernel.input_variable((28, 28)))) == "Composite(Tensor[28,28]) -> Tensor[10]"
    assert str(model(kernel.input_variable((28, 28)))) == "Composite(Tensor[28,28]) -> Tensor[10]"
    assert str(Function(model)) == "Composite(keep: Sequence[tensor]) -> Sequence[tensor]"
    images = kernel.input_variable((28, 28), name="images")
    labels = kernel.input_variable(10, is_sparse=True, name="labels")
    r = images
    for layer in tour():
        r = layer(r)
    assert str(r) == "Composite(images: Tensor[28,28]) -> Tensor[10]"
    criterion = kernel.combine([kernel.cross_entropy_with_softmax(r, labels), kernel.classification_error(r, labels)])
    assert str(criterion) == (
        "Composite(images: Tensor[28,28], labels: SparseTensor[10]) -> Tuple[Tensor[1], Tensor[1]]"
    )


def test_the_prints_of_everything_else():
    x, y = kernel.input_variable(3), kernel.input_variable((2, 3), name="y")
    i = kernel.input_variable((), dtype="int64", name="i")
    whole = kernel.input_variable(3, name="whole")
    prints = {
        "Input(Tensor[3]) -> Tensor[3]": x,
        "Input(y: Tensor[2,3]) -> Tensor[2,3]": y,
        "Input(i: Tensor[1]) -> Tensor[1]": i,
        "Input(SparseTensor[3]) -> SparseTensor[3]": kernel.input_variable(3, is_sparse=True),
        "Input(Sequence[tensor]) -> Sequence[tensor]": kernel.placeholder(),
        "Input(p: Sequence[tensor]) -> Sequence[tensor]": kernel.placeholder("p"),
        "Relu(Tensor[3]) -> Tensor[3]": kernel.relu(x),
        "Add(Tensor[3], whole: Tensor[3]) -> Tensor[3]": x + whole,
        "Mul(Tensor[3]) -> Tensor[3]": x * x,
        "Composite(Tensor[3]) -> Tensor[1]": (2 * x).sum(axis=1),
        "Dense(y: Tensor[2,3]) -> Tensor[5]": Dense(5)(y),
        "Dense(Tensor[3]) -> Tensor[5]": Dense(5, activation=kernel.tanh)(x),
        "Composite(Tensor[3]) -> Tensor[4]": Dense(4)(Dense(5)(x)),
        "Embedding(i: Tensor[1]) -> Tensor[2]": Embedding(5, 2)(i),
        "half(Tensor[3]) -> Tensor[3]": (kernel.exp(x) / 2).as_block("half"),
        "Composite(Tensor[3]) -> Tuple[Tensor[3], Tensor[3]]": kernel.combine([x + 1, x * 2]),
        "Add(a: Sequence[tensor], b: Sequence[tensor]) -> Sequence[tensor]": Function(lambda a, b: a + b),
        "Composite(a: Sequence[tensor], b: Sequence[tensor]) -> Sequence[tensor]": Function(lambda a, b: b),
        "Composite(a: Sequence[tensor]) -> Tuple[Sequence[tensor], Sequence[tensor]]": Function(lambda a: (a + 1, a)),
        "Linear(x: Sequence[tensor]) -> Sequence[tensor]": Function(Linear(2)),
        "Composite(u: Sequence[tensor]) -> Sequence[tensor]": Function(lambda u: LayerNorm()(u)),
        "Matmul(m: Sequence[tensor], n: Sequence[tensor]) -> Sequence[tensor]": Function(lambda m, n: m @ n),
    }
    for expected, f in prints.items():
        assert str(f) == repr(f) == expected
    layer = Dense(2)
    w = layer(x)
    assert [str(v) for v in w.inputs] == [
        "Input(Tensor[3]) -> Tensor[3]",
        "Parameter() -> Tensor[3,2]",
        "Parameter() -> Tensor[2]",
    ]
    moved = (x * kernel.tensor([1.0, 2.0, 3.0])).inputs[1]
    assert str(moved) == "Constant() -> Tensor[3]"
    alone = w.clone("share", {x: (x * kernel.ones(1, 3)).inputs[1]})
    assert str(alone) == "Composite() -> Tensor[1,2]"
    assert alone.arguments == () and alone().shape == alone.eval().shape == alone.clone()().shape == (1, 2)
    assert alone.grad(wrt=layer.W).shape == (3, 2)


# --- the seed's first network ---


def synthetic(n: int, seed: int = 0) -> tuple:
    """The data of the seed: two classes of points, one-hot labels."""
    numpy.random.seed(seed)
    labels = numpy.random.randint(size=n, low=0, high=2)
    points = (numpy.random.randn(n, 2) + 3) * (labels[:, None] + 1)
    return points.astype("float32"), one_hot(labels, 2)


def test_logistic_regression_by_a_minibatch_loop():
    points, labels = synthetic(20000)
    assert numpy.allclose(points[:2], [[2.2741797, 3.56347561], [5.12873602, 5.79089499]])
    test_points, test_labels = synthetic(1024, seed=1)
    factory = Dense(2, activation=None)
    criterion = kernel.criterion(criterion_of(factory))(kernel.input_variable(2), kernel.input_variable(2, True))
    x, y = criterion.arguments
    losses = []
    for start in range(0, len(points), 32):
        batch = {x: points[start : start + 32], y: labels[start : start + 32]}
        found, (loss, metric) = criterion.grad(batch, wrt=list(factory.parameters()), outputs=True)
        assert loss.shape == metric.shape == (32,) and set(metric.tolist()) <= {0.0, 1.0}
        for p in factory.parameters():
            p.value = p.value - 0.1 * found[p] / 32
        losses.append(loss.mean())
    assert numpy.mean(losses[-100:]) < 0.35 < 0.6 < numpy.mean(losses[:10])
    loss, metric = criterion(test_points, test_labels)
    assert metric.mean() < 0.13
    z = factory(kernel.input_variable(2))(test_points[:20])
    assert isinstance(z, numpy.ndarray) and z.shape == (20, 2)
    truth = numpy.asarray(test_labels[:20].todense()).argmax(axis=1)
    assert (z.argmax(axis=1) != truth).sum() == metric[:20].sum()


def test_the_loss_is_summed_and_may_be_one_number():
    model = Dense(2)
    x, y = kernel.input_variable(3, name="x"), kernel.input_variable(2, name="y")
    each = kernel.cross_entropy_with_softmax(model(x), y)
    data = {x: floats(5, 3), y: numpy.eye(2)[[0, 1, 1, 0, 1]]}
    a = each.grad(data, wrt=model.W)
    b = each.sum().grad(data, wrt=model.W)
    same(a, b)
    numpy.testing.assert_allclose(each.mean().grad(data, wrt=model.W), a / 5, rtol=1e-5)
    assert each.eval(data).shape == (5,) and each.sum().eval(data).shape == ()


def test_criterion_refuses_in_words():
    x, y = kernel.input_variable(3), kernel.input_variable(3)
    t = kernel.topk
    refused(lambda: kernel.criterion(lambda a, b: (a, b, a))(x, y), "3 outputs", error=DtypeError)
    refused(lambda: kernel.criterion(kernel.combine([x, y, x])), "3 outputs", error=DtypeError)
    refused(lambda: kernel.criterion(lambda a, b: (kernel.combine([a, b]), a))(x, y), "loss", "2", error=DtypeError)
    refused(lambda: kernel.criterion(lambda a, b: (a, kernel.combine([a, b])))(x, y), "metric", error=DtypeError)
    refused(lambda: kernel.criterion(lambda a, b: t(a, 2)[1])(x, y), "float", "int64", error=DtypeError)
    refused(lambda: kernel.criterion(lambda a, b: (a.argmax(axis=1), b))(x, y), "wrong way round", error=DtypeError)
    refused(lambda: kernel.criterion(3), "function", error=DtypeError)
    p = kernel.placeholder("p")
    untyped = kernel.criterion(p * 2)
    refused(lambda: untyped(kernel.input_variable(3, dtype="int64")), "float", error=DtypeError)
    needs_shapes = kernel.criterion(Function(lambda a, b: (LayerNorm()(a) - b, b)))
    assert [y.shape for y in needs_shapes(floats(2, 3), floats(2, 3))] == [(2, 3), (2, 3)]
    alone = kernel.criterion(lambda a, b: (a - b) ** 2)
    assert alone([[2.0]], [[1.0]]).tolist() == [[1.0]]
    assert alone.clone()._is_criterion and copy.deepcopy(alone)._is_criterion and alone(x, y).clone()._is_criterion


# --- the three styles: the same numbers bit for bit ---


def run_module(net: Any, x: numpy.ndarray, onehot: numpy.ndarray, training: bool) -> tuple:
    (net.train if training else net.eval)()
    net.zero_grad()
    z = net(kernel.tensor(x))
    loss = kernel.cross_entropy_with_softmax(z, kernel.tensor(onehot)).sum()
    loss.backward()
    net.train()
    return loss.detach().numpy(), z.detach().numpy(), [p.grad.numpy() for p in net.parameters()]


def run_arrays(net: Any, x: numpy.ndarray, onehot: numpy.ndarray, training: bool) -> tuple:
    data = kernel.input_variable(x.shape[1:])
    labels = kernel.input_variable(onehot.shape[1:], is_sparse=True)
    z = net(data)
    f = kernel.combine([kernel.cross_entropy_with_softmax(z, labels).sum(), z])
    wrt = list(net.parameters())
    feed = {data: x, labels: scipy.sparse.csr_matrix(onehot)}
    found, (loss, scores) = f.grad(feed, wrt=wrt, outputs=True, training=training)
    return loss, scores, [found[p] for p in wrt]


def run_tensors(net: Any, x: numpy.ndarray, onehot: numpy.ndarray, training: bool) -> tuple:
    net.zero_grad()
    data, labels = kernel.input_variable(x.shape[1:]), kernel.input_variable(onehot.shape[1:])
    z = net(data)
    f = kernel.combine([kernel.cross_entropy_with_softmax(z, labels).sum(), z])
    loss, scores = f(kernel.tensor(x), kernel.tensor(onehot), training=training)
    loss.backward()
    return loss.detach().numpy(), scores.detach().numpy(), [p.grad.numpy() for p in net.parameters()]


def run_executor(net: Any, x: numpy.ndarray, onehot: numpy.ndarray, training: bool) -> tuple:
    (net.train if training else net.eval)()
    z = net(sym.Variable("data", shape=x.shape))
    net.train()
    loss = kernel.cross_entropy_with_softmax(z, sym.Variable("label", shape=onehot.shape)).sum()
    executor = sym.Group([loss, z]).simple_bind(data=x.shape, label=onehot.shape)
    found = executor.forward(is_train=True, data=x, label=onehot)
    executor.backward([kernel.tensor(1.0), None])
    bound = {id(t): gradient for t, gradient in zip(executor.arg_arrays, executor.grad_arrays, strict=True)}
    return found[0].numpy().copy(), found[1].numpy().copy(), [bound[id(p)].numpy() for p in net.parameters()]


STYLES = {"module": run_module, "arrays": run_arrays, "tensors": run_tensors, "executor": run_executor}


def mlp() -> Any:
    return Sequential([Linear(100, 128), kernel.relu, Linear(128, 10)])


def lenet() -> Any:
    def block(filters):
        return [Convolution2D((5, 5), filters, activation=kernel.tanh), MaxPooling((2, 2), strides=2)]

    return Sequential([block(20), block(50), Dense(500, activation=kernel.tanh), Dense(10)])


NETS: dict[str, tuple] = {
    "mlp": (mlp, (100,)),
    "lenet": (lenet, (1, 28, 28)),
    "tour": (tour, (28, 28)),
}


@pytest.mark.parametrize("training", (False, True))
@pytest.mark.parametrize("name", NETS)
def test_the_styles_give_the_same_numbers(name: str, training: bool):
    make, shape = NETS[name]
    net = make()
    x = floats(6, *shape)
    net(kernel.tensor(x))  # sizes found
    onehot = numpy.eye(10, dtype="float32")[[0, 3, 9, 3, 1, 7]]
    results = {}
    for style, run in STYLES.items():
        kernel.manual_seed(5)  # what drops is the same
        results[style] = run(net, x, onehot, training)
    for style, (loss, scores, gradients) in results.items():
        same(loss, results["module"][0])
        same(scores, results["module"][1])
        assert len(gradients) == len(results["module"][2]) > 0
        for mine, expected in zip(gradients, results["module"][2], strict=True):
            numpy.testing.assert_array_equal(mine, expected, err_msg=style)


@pytest.mark.parametrize("name", NETS)
def test_ten_updates_in_each_style(name: str):
    make, shape = NETS[name]
    first = make()
    first(kernel.ones(1, *shape))
    nets = {style: first.clone() for style in STYLES}
    rng = numpy.random.default_rng(3)
    losses: dict[str, list] = {style: [] for style in STYLES}
    for step in range(10):
        x = rng.normal(size=(4, *shape)).astype("float32")
        onehot = numpy.eye(10, dtype="float32")[rng.integers(10, size=4)]
        for style, run in STYLES.items():
            kernel.manual_seed(step)
            loss, _, gradients = run(nets[style], x, onehot, True)
            losses[style].append(float(loss))
            for p, g in zip(nets[style].parameters(), gradients, strict=True):
                p.value = p.value - numpy.float32(0.01) * g
    for style in STYLES:
        assert losses[style] == losses["module"], style
        for p, q in zip(nets[style].parameters(), nets["module"].parameters(), strict=True):
            same(p, q)
    assert len(set(losses["module"])) == 10


def test_the_gradient_of_softmax_output_is_that_of_the_criterion():
    net = mlp()
    x = floats(8, 100)
    labels = numpy.arange(8)
    onehot = numpy.eye(10, dtype="float32")[labels]
    z = net(kernel.input_variable(100))
    y = kernel.input_variable(10)
    g = kernel.cross_entropy_with_softmax(z, y).grad({z.arguments[0]: x, y: onehot}, wrt=list(net.parameters()))
    out = sym.SoftmaxOutput(data=net(sym.Variable("data")), name="out")
    executor = out.simple_bind(data=(8, 100))
    (p,) = executor.forward(is_train=True, data=x, out_label=labels)
    executor.backward()
    bound = {id(t): gradient for t, gradient in zip(executor.arg_arrays, executor.grad_arrays, strict=True)}
    for parameter in net.parameters():
        numpy.testing.assert_allclose(bound[id(parameter)].numpy(), g[parameter], rtol=1e-4, atol=1e-5)
    v = kernel.input_variable(10)
    scores = net(kernel.tensor(x)).detach().numpy()
    by_hand = kernel.cross_entropy_with_softmax(v, y).grad({v: scores, y: onehot}, wrt=v)
    numpy.testing.assert_allclose(by_hand, p.numpy() - onehot, rtol=1e-4, atol=1e-6)


def test_the_graph_api_is_the_functional_form():
    net = tour()
    x, y = kernel.input_variable((28, 28)), kernel.input_variable(10, is_sparse=True)
    functional = Function(criterion_of(net))(x, y)
    images = kernel.input_variable((28, 28), name="images")
    labels = kernel.input_variable(10, is_sparse=True, name="labels")
    r = images
    for layer in net:
        r = layer(r)
    graph = kernel.combine([kernel.cross_entropy_with_softmax(r, labels), kernel.classification_error(r, labels)])
    data, targets = floats(5, 28, 28), one_hot([1, 2, 3, 9, 0], 10)
    for training in (False, True):
        kernel.manual_seed(1)
        a = functional(data, targets, training=training)
        kernel.manual_seed(1)
        b = graph(data, targets, training=training)
        for p, q in zip(a, b, strict=True):
            same(p, q)
    assert functional.parameters == tuple(graph.parameters)
    assert [p.shape for p in functional.parameters[:4]] == [(96, 10), (10,), (64, 3, 3, 96), (96,)]
    kernel.manual_seed(1)
    ga = functional.grad((data, targets), wrt=list(net.parameters()), training=True)
    kernel.manual_seed(1)
    gb = graph.grad((data, targets), wrt=list(net.parameters()), training=True)
    for p in net.parameters():
        same(ga[p], gb[p])


# --- what becomes a Function ---


class Doubler:
    def __call__(self, a):
        return 2 * a

    def method(self, a):
        return 3 * a


def test_everything_that_can_be_a_function():
    def with_default(a, b=2.0):
        return a * b

    @Function
    def several(first, second):
        total = first + second
        difference = first - second
        return total, difference

    x = [[3.0, 4.0]]
    outer = 10.0
    assert [y.tolist() for y in several(x, [[1.0, 1.0]])] == [[[4.0, 5.0]], [[2.0, 3.0]]]
    assert isinstance(several, Function)
    assert Function(lambda a: a * outer)(x).tolist() == [[30.0, 40.0]]
    assert Function(with_default)(x).tolist() == [[6.0, 8.0]]
    assert Function(functools.partial(with_default, b=3.0))(x).tolist() == [[9.0, 12.0]]
    assert Function(functools.partial(lambda a, b: a - b, 3.0))(x).tolist() == [[0.0, -1.0]]
    assert Function(Doubler())(x).tolist() == [[6.0, 8.0]]
    assert Function(Doubler().method)(x).tolist() == [[9.0, 12.0]]
    assert Function(kernel.relu)([[-1.0, 1.0]]).tolist() == [[0.0, 1.0]]
    assert Function(lambda a: [a, a * 2])(x)[1].tolist() == [[6.0, 8.0]]
    assert Function(lambda a: (a,))(x).tolist() == x
    assert Function(lambda a, b: a @ b)(numpy.ones((2, 3)), numpy.ones((3, 2))).tolist() == [[3.0, 3.0]] * 2
    layer = Dense(2)
    same(Function(layer)(x), layer(kernel.tensor(x)))
    net = Sequential([Dense(3), Dense(2)])
    same(Function(net)(x), net(kernel.tensor(x)))
    inner = Function(lambda a: a + 1)
    nested = Function(lambda a, b: inner(a) * inner(b))
    assert nested(x, x).tolist() == [[16.0, 25.0]]
    assert Function(lambda a: a * 2, name="twice")(kernel.input_variable(2)).name == "twice"
    assert inner(kernel.input_variable(2), name="more").name == "more"


def test_code_for_tensors_works_on_symbols():
    class Net(kernel.Module):
        def __init__(self):
            self.scores = Linear(12, 2)

        def forward(self, x):
            x = kernel.relu(+x.float()).view(-1, 12)
            return self.scores(x).t().T * numpy.float32(2)

    net, data = Net(), floats(3, 3, 4)
    f = net(kernel.input_variable((3, 4)))
    same(f(data), net(kernel.tensor(data)))
    x = kernel.input_variable(3)
    for name, dtype in {
        "half": "float16",
        "double": "float64",
        "int": "int32",
        "long": "int64",
        "bool": "bool",
    }.items():
        assert getattr(x, name)()(floats(2, 3)).dtype == dtype
    same((numpy.float32(2) - x)(floats(2, 3)), 2 - floats(2, 3))
    assert (numpy.float64(0) < x)([[1.0, -1.0, 0.0]]).tolist() == [[True, False, False]]
    for call in (lambda: numpy.exp(x), lambda: numpy.ones(3) + x, lambda: x * numpy.ones(3), lambda: numpy.add(x, x)):
        refused(call, "symbol", "kernel", error=DtypeError)
    refused(lambda: Function(lambda a: numpy.tanh(a))([[1.0]]), "tanh", "kernel's functions", error=DtypeError)


def test_what_cannot_be_a_function():
    x = [[1.0]]
    for wrong in (3, None, numpy.ones(2), "relu", kernel.input_variable(2)):
        refused(lambda wrong=wrong: Function(wrong), "function", error=DtypeError)
    refused(lambda: Function(Doubler), "class", "Doubler(", error=DtypeError)
    refused(lambda: Function(Dense), "class", "Dense(", error=DtypeError)
    refused(lambda: Function(kernel.relu, name=3), "name", error=DtypeError)
    for code in (lambda *a: a, lambda *, a: a, lambda a, **b: a):
        refused(lambda code=code: Function(code)(x), "name of its own", error=DtypeError)
    refused(lambda: Function(max)(x), "lambda", error=DtypeError)
    for result in (None, 3, numpy.ones(2), {"a": 1}, "text", (), [], kernel.ones(2)):
        refused(lambda result=result: Function(lambda a: result)(x), "returned", error=DtypeError)
    refused(lambda: Function(lambda a: ((a, a), a))(x), "returned", error=DtypeError)
    refused(lambda: Function(lambda a: a if a > 0 else -a)(x), "where", error=DtypeError)
    refused(lambda: Function(lambda a: float(a) * a)(x), "no number yet", error=DtypeError)
    needs = Function(lambda a: LayerNorm()(a))
    for use in (
        lambda: needs.parameters,
        lambda: needs.outputs,
        lambda: needs.clone(),
        lambda: needs.find_by_name("a"),
    ):
        refused(use, "shapes of a", "input_variable", error=UnknownSizeError)
    assert needs([[1.0, 3.0]]).round(2).tolist() == [[-1.0, 1.0]]
    assert needs.eval([[1.0, 3.0]]).round(2).tolist() == [[-1.0, 1.0]]
    assert needs.grad([[1.0, 3.0]]).shape == (1, 2)
    assert needs.eval({needs.arguments[0]: [[1.0, 3.0]]}).shape == needs.eval({"a": [[1.0, 3.0]]}).shape == (1, 2)


def test_layers_that_are_made_inside_are_made_once():
    @Function
    def model(x):
        return Dense(2)(x)

    data = floats(4, 3)
    first = model(data)
    same(model(data), first)
    numpy.testing.assert_allclose(model(data.astype("float64")), first, rtol=1e-5)
    same(model(kernel.tensor(data)), first)
    assert len(model.parameters) == 2 and model.parameters[0].shape == (3, 2)
    u, v = model(kernel.input_variable(3)), model(kernel.input_variable(3))
    assert u.parameters == v.parameters == model.parameters
    model.parameters[0].value = model.parameters[0].value * 0
    assert not model(data).any() and not u(data).any()
    refused(lambda: model(floats(4, 5)), "weight", error=ShapeError)
    refused(lambda: model(kernel.input_variable(5)), "weight", error=ShapeError)

    without_bias = Function(lambda x: Dense(2, bias=False)(x))
    same(without_bias(data), without_bias(data))
    assert without_bias(data[:1]).shape == (1, 2)

    @Function
    def by_shape(x):
        return Dense(x.shape[1])(x)

    assert by_shape(data).shape == (4, 3)
    refused(lambda: by_shape(floats(4, 5)), "outside", error=DtypeError)
    outside = Dense(2)
    fine = Function(lambda x: outside(x) * x.shape[1])
    assert fine(data).shape == fine(data.astype("float64")).shape == (4, 2)
    runs = []
    counted = Function(lambda x: runs.append(1) or x * 2)
    for n in range(1, 5):
        counted(floats(n, 2)), counted(floats(n, 3)), counted(kernel.input_variable(n))
    assert len(runs) == 1
    products = Function(lambda a, b: a @ b)
    a, b = floats(2, 4, 3), floats(2, 3, 5)
    same(products(a, b), a @ b)
    same(products(a[0], b[0]), a[0] @ b[0])


def test_a_name_does_not_rename_what_was_given():
    x = kernel.input_variable(3, name="x")
    y = kernel.relu(x)
    itself = Function(lambda a: a)
    assert itself(x, name="q").name == "x" and itself(y, name="q").name == y.name != "q"
    two = Function(lambda a: (a * 2, a * 3))
    assert "q" not in [f.name for f in two(x, name="q")]
    refused(lambda: (y + 1)(x, name=3), "name", error=DtypeError)


def test_modules_in_use_and_in_training():
    """The mode of a module counts when its graph is made, and a Function of it makes another in the other mode."""
    net = Sequential([BatchNorm()])
    f = Function(net)
    data = floats(4, 3)
    net.eval()
    f(data, training=True)
    assert net[0].num_batches_tracked.item() == 0
    net.train()
    f(data)
    assert net[0].num_batches_tracked.item() == 0
    f(data, training=True)
    assert net[0].num_batches_tracked.item() == 1


def test_arguments_come_in_the_order_of_the_signature():
    f = Function(lambda a, b, c: c / b)
    assert [v.name for v in f.arguments] == ["a", "b", "c"]
    assert f([[1.0]], [[2.0]], [[8.0]]).tolist() == [[4.0]]
    assert f([[1.0]], c=[[8.0]], b=[[2.0]]).tolist() == [[4.0]]
    assert f.eval({"c": [[8.0]], "b": [[2.0]], "a": [[1.0]]}).tolist() == [[4.0]]
    x, y, z = (kernel.input_variable(1, name=name) for name in "xyz")
    g = f(x, y, z)
    assert g.arguments == (x, y, z)
    assert str(g) == "Div(x: Tensor[1], y: Tensor[1], z: Tensor[1]) -> Tensor[1]"
    assert g([[1.0]], [[2.0]], [[8.0]]).tolist() == [[4.0]]
    assert g.grad(([[1.0]], [[2.0]], [[8.0]]))[x].tolist() == [[0.0]]  # in no use
    assert g(kernel.ones(1, 1), kernel.tensor([[2.0]]), kernel.tensor([[8.0]])).tolist() == [[4.0]]
    assert g.clone().arguments == (x, y, z)
    twice = Function(lambda a, b: a * b)(x, x)
    assert twice.arguments == (x,) and twice([[3.0]]).tolist() == [[9.0]]
    assert twice.grad({x: [[3.0]]}).tolist() == [[6.0]]
    assert [v.name for v in Function(lambda a, b: b - a)(y, x).arguments] == ["y", "x"]
    assert [v.name for v in (y - x).arguments] == ["y", "x"]
    for call in (lambda: f([[1.0]]), lambda: f([[1.0]], [[1.0]], [[1.0]], [[1.0]]), lambda: f([[1.0]], q=1)):
        refused(call, "a, b, c", error=DtypeError)
    refused(lambda: f([[1.0]], [[1.0]], a=[[1.0]]), "a", error=DtypeError)


def test_calling_twice_shares_the_parameters():
    layer = Dense(3)
    x = kernel.input_variable(3)
    f = layer(layer(x))
    assert len(f.parameters) == 2 and f.parameters[0] is layer.W
    g = Function(lambda a, b: layer(a) + layer(b))(x, kernel.input_variable(3))
    assert len(g.parameters) == 2
    data = floats(4, 3)
    gradient = g.grad((data, data), wrt=layer.W)
    numpy.testing.assert_allclose(gradient, 2 * layer(x).grad(data, wrt=layer.W), rtol=1e-6)
    other = Dense(3)
    assert len(layer(other(x)).parameters) == 4


def test_functions_inside_layers():
    x, data = kernel.input_variable(3), floats(4, 3)
    twice = Function(lambda a: 2 * a)
    dense = Dense(2, activation=twice)
    same(dense(x)(data), dense(kernel.tensor(data)))
    inner = Dense(2)
    traced = inner(kernel.placeholder())
    traced(data)
    for member in (traced, Function(inner)):
        net = Sequential([member, kernel.relu, twice])
        assert len(list(net.parameters())) == 2 and net.clone("share").state_dict().keys() == net.state_dict().keys()
        same(net(x)(data), net(kernel.tensor(data)))
        assert {id(p) for p in net(x).parameters} == {id(p) for p in net.parameters()}
        twin = net.clone()
        same(twin(x)(data), net(x)(data))
        for p in twin.parameters():
            p.value = p.value * 0
        assert not twin(kernel.tensor(data)).detach().numpy().any() and net(kernel.tensor(data)).detach().numpy().any()
        assert not any(p.requires_grad for p in net.clone("freeze").parameters())
        assert net.to("float64")(x)(data).dtype == numpy.float64
        net.to("float32")
    branch = Residual(Function(lambda a: a * 2))
    assert branch(x)([[1.0, 2.0, 3.0]]).tolist() == [[3.0, 6.0, 9.0]]


def test_layers_complete_themselves():
    x, data = kernel.input_variable(3), floats(4, 3)
    for make in (lambda: Dense(2), lambda: Linear(2), lambda: Sequential([Dense(4), BatchNorm(), Dense(2)])):
        composed, evaluated, placed = make(), make(), make()
        assert [p.shape for p in composed(x).parameters] == [p.value.shape for p in composed(x).parameters]
        f = Function(evaluated)
        f(data)
        assert all(None not in p.shape for p in evaluated.parameters())
        p = kernel.placeholder("p")
        waiting = placed(p)
        assert "Sequence[tensor]" in str(waiting)
        assert waiting(data).shape == (4, 2)
        assert waiting.replace_placeholders({p: x})(data).shape == (4, 2)
        refused(
            lambda p=p, w=waiting: w.replace_placeholders({p: kernel.input_variable(5)}), "weight", error=ShapeError
        )
        same(waiting(data), waiting(x)(data))
    f = Dense(2)(kernel.placeholder("p"))
    refused(lambda: f.save("unused.cmf"), "no values yet", error=UnknownSizeError)
    refused(lambda: Dense(2)(x)(kernel.input_variable(4)), "weight", error=ShapeError)


# --- values ---


def test_what_a_function_takes():
    x, y = kernel.input_variable(2, name="x"), kernel.input_variable(2, is_sparse=True, name="y")
    f = x - y
    a, b = numpy.array([[1.0, 2.0], [3.0, 4.0]], "float32"), numpy.array([[0.0, 1.0], [1.0, 0.0]], "float32")
    expected = a - b
    for left in (a, a.tolist(), a.astype("float64"), a.astype("float16"), a.astype("int8"), a.astype("uint64"), a[::1]):
        for right in (b, b.tolist(), b.astype(bool), scipy.sparse.csr_matrix(b), scipy.sparse.csc_array(b)):
            same(f(left, right), expected)
    same(f(numpy.asfortranarray(a), b[:, ::-1][:, ::-1]), expected)
    same(f(a, scipy.sparse.csr_matrix(b).todense()), expected)
    for right in (b, b.tolist(), kernel.tensor(b), kernel.sparse_csr(scipy.sparse.csr_matrix(b))):
        found = f(kernel.tensor(a), right)
        assert isinstance(found, kernel.Tensor)
        same(found, expected)
    same(f(a, kernel.sparse_csr(scipy.sparse.csr_matrix(b))), expected)
    same(f(kernel.tensor(a), scipy.sparse.csr_matrix(b)), expected)
    same(f(kernel.tensor(a).double(), kernel.tensor(b).long()), expected)
    same(f(a[0], b[0]), expected[0])
    same(f(a[0], scipy.sparse.csr_matrix(b)[0]), expected[0])
    same(f(kernel.tensor(a[0]), kernel.tensor(b[0])), expected[0])
    rows = scipy.sparse.csr_matrix(b)
    same(f([a[0], a[1]], [rows[0], rows[1]]), expected)
    same(f(a[:0], b[:0]), expected[:0])
    same(f(kernel.tensor(a[:0]), b[:0]), expected[:0])
    for n in (1, 2, 7, 1, 3, 4, 5, 6, 2):
        same(f(floats(n, 2, seed=n), floats(n, 2, seed=n + 1)), floats(n, 2, seed=n) - floats(n, 2, seed=n + 1))


def test_one_sample():
    x = kernel.input_variable(2)
    f = kernel.combine([x * 2, x.sum(axis=1), x.sum(axis=0), x.sum()])
    for given in ([1.0, 2.0], kernel.tensor([1.0, 2.0])):
        each, row, column, total = f(given)
        assert each.tolist() == [2.0, 4.0] and row.tolist() == 3.0
        assert column.tolist() == [1.0, 2.0] and total.tolist() == 3.0  # they have no axis of the minibatch
    model = tour()(kernel.input_variable((28, 28)))
    scores = model(floats(28, 28))
    assert scores.shape == (10,) and isinstance(scores.argmax(), numpy.integer)
    assert (x * x).grad({x: [1.0, 2.0]}).tolist() == [2.0, 4.0]
    i = kernel.input_variable((), dtype="int64")
    assert (i * 2)(3) == 6 and (i * 2)([3]).tolist() == [6]


def test_what_a_function_does_not_take():
    x, y = kernel.input_variable(2, name="x"), kernel.input_variable(2, name="y")
    f = x - y
    a = floats(3, 2)
    for wrong in (floats(3, 3), floats(3, 1, 2), 1.0, [], floats(3)):
        refused(lambda wrong=wrong: (x * 2)(wrong), "x", "(N, 2)", error=ShapeError)
        refused(lambda wrong=wrong: (x * 2)(kernel.tensor(wrong)), "x", "(N, 2)", error=ShapeError)
        refused(lambda wrong=wrong: (x * 2).eval({x: wrong}), "x", "(N, 2)", error=ShapeError)
    refused(lambda: (x * 2)([[1.0], [1.0, 2.0]]), "lengths", error=ShapeError)
    strange = ("a", None, {"a": 1}, object(), [["a", "b"]], numpy.array([["a", "b"]]), numpy.array([[1j, 2]]))
    for wrong in (*strange, numpy.array([[object(), 1]]), numpy.ma.array([[1.0, 2.0]], mask=[[1, 0]])):
        refused(lambda wrong=wrong: (x * 2)(wrong), "tensor", error=DtypeError)
        refused(lambda wrong=wrong: (x * 2).eval({x: wrong}), "tensor", error=DtypeError)
    for other in (floats(2, 2), floats(1, 2), floats(0, 2), floats(2)):
        refused(lambda other=other: f(a, other), "as many samples", "x 3", error=ShapeError)
        refused(lambda other=other: f(kernel.tensor(a), kernel.tensor(other)), "as many samples", error=ShapeError)
        refused(lambda other=other: f.grad((a, other)), "as many samples", error=ShapeError)
    i = kernel.input_variable((), dtype="int64", name="i")
    for fractions in ([1.5], kernel.tensor([1.0]), numpy.ones(2)):
        refused(lambda fractions=fractions: (i * 2)(fractions), "i takes int64", error=DtypeError)
    loss = kernel.cross_entropy_with_softmax(kernel.input_variable(3), kernel.input_variable((), dtype="int64"))
    assert loss(floats(2, 3), [0, 2]).shape == (2,)
    refused(lambda: loss(floats(2, 3), [0, 3]), "3", "classes 0 to 2", error=ShapeError)
    small = kernel.input_variable(2, dtype="uint8")
    assert (small * 1)([[255, 0]]).tolist() == [[255, 0]]
    refused(lambda: (small * 1)([[300, 0]]), "300", error=DtypeError)
    refused(lambda: (small * 1)([[-1, 0]]), "-1", error=DtypeError)
    refused(lambda: (kernel.input_variable(2, dtype="int32") * 1)([[2**40, 0]]), "int32", error=DtypeError)
    refused(lambda: f(a, a, training="yes"), "training", error=DtypeError)
    refused(lambda: f(a, a, training=1), "training", error=DtypeError)
    refused(lambda: f(a, a, device="tpu"), "tpu", error=DeviceError)
    refused(lambda: f(x, kernel.input_variable(3)), "do not broadcast", error=ShapeError)


def test_numpy_outputs_are_copies():
    f = Dense(2)(kernel.input_variable(3))
    data = floats(4, 3)
    first = f(data)
    kept = first.copy()
    second = f(2 * data)
    same(first, kept)
    assert first is not second and first.flags.writeable and first.flags.owndata
    first[:] = 0
    same(f(data), kept)
    g = f.grad(data, wrt=f.W)
    kept = g.copy()
    f.grad(3 * data, wrt=f.W)
    same(g, kept)
    x = kernel.input_variable(3)
    out = x(data)
    out[:] = 7
    assert not (data == 7).any() and not (x(2 * data) == 7).any()


def test_changed_parameters_are_seen():
    layer = Dense(2)
    x = kernel.input_variable(3)
    f = layer(x)
    data = floats(4, 3)

    def check() -> None:
        expected = layer(kernel.tensor(data)).detach().numpy()
        same(f(data), expected)
        same(f.eval({x: data}), expected)
        same(f.grad({x: data}, wrt=layer.b), numpy.full(2, 4, expected.dtype))
        same(f.grad({x: data}, wrt=layer.W).astype("float32"), numpy.repeat(data.sum(0)[:, None], 2, 1))

    data = numpy.round(data * 8) / 8  # sums of these are exact
    check()
    layer.W.value = layer.W.value * 2
    check()
    layer.load_state_dict({"W": numpy.ones((3, 2), "float32"), "b": numpy.ones(2, "float32")})
    check()
    assert f(data).tolist() == (data.sum(1, keepdims=True) + numpy.ones(2)).tolist()
    for p in layer.parameters():
        p.grad = kernel.ones(*p.shape)
    with kernel.no_grad():
        for p in layer.parameters():
            p.sub_(0.5 * p.grad)
    check()
    layer.to("float64")
    check()
    assert f(data).dtype == f.grad({x: data}, wrt=layer.W).dtype == numpy.float64
    layer.to("float32")
    check()
    layer.initialise(0.25)
    check()
    layer.to("strict")
    same(f(data), layer(kernel.tensor(data).to("strict")).detach().cpu())
    layer.to("cpu")
    check()
    layer.W.set_value(numpy.zeros((3, 2)))
    check()
    refused(lambda: setattr(layer.W, "value", numpy.zeros((2, 2))), "shape (3, 2)", error=ShapeError)
    refused(lambda: setattr(f.W, "value", "a"), "numbers", error=DtypeError)


def test_training_and_use():
    layer = BatchNorm(momentum=0.5)
    x = kernel.input_variable(3)
    f = layer(x)
    data = floats(8, 3) + 5
    twin = BatchNorm(momentum=0.5)
    for training in (False, True, True, False, True):
        (twin.train if training else twin.eval)()
        expected = twin(kernel.tensor(data))
        numpy.testing.assert_allclose(f(data, training=training), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
        for mine, its in zip(layer.buffers(), twin.buffers(), strict=True):
            numpy.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-6)
    before = layer.running_mean.value
    f(data), f.eval(data), f.grad(data), f(kernel.tensor(data)), f.grad(data, wrt=layer.weight)
    same(layer.running_mean.value, before)
    assert layer.num_batches_tracked.item() == 3
    f.grad(data, training=True)
    f.eval(data, training=True)
    f(kernel.tensor(data), training=True)
    assert layer.num_batches_tracked.item() == 6
    in_use = layer.eval()(x)
    in_use(data, training=True)
    assert layer.num_batches_tracked.item() == 6
    drop = Dropout(0.5)(kernel.input_variable(100))
    ones = numpy.ones((2, 100), "float32")
    same(drop(ones), ones)
    same(drop.grad(ones), ones)
    a, b = drop(ones, training=True), drop(ones, training=True)
    assert set(a.reshape(-1)) == {0.0, 2.0} and (a != b).any()
    (g, value) = drop.grad(ones, outputs=True, training=True)
    same(g, value)  # what drops in forward drops in backward
    assert set(drop(kernel.tensor(ones), training=True).numpy().reshape(-1)) == {0.0, 2.0}
    same(Dropout(0.5).eval()(kernel.input_variable(100))(ones, training=True), ones)
    time = BatchNormalization(normalization_time_constant=100)
    twin = BatchNormalization(normalization_time_constant=100)
    g = time(x)
    for n in (4, 8, 8):
        g(data[:n], training=True)
        twin(kernel.tensor(data[:n]))
    for mine, its in zip(time.buffers(), twin.buffers(), strict=True):
        numpy.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-6)


@pytest.mark.parametrize("training", (False, True))
def test_gradients_with_statistics_are_those_of_the_module(training: bool):
    net = Sequential([Dense(4), BatchNorm(), kernel.tanh, Dropout(0.3), Dense(2), LayerNorm()])
    x, data, head = kernel.input_variable(3), floats(8, 3), floats(2)
    z = net(x)
    z(data, training=True)
    (net.train if training else net.eval)()
    twin = net.clone()
    net.train()
    kernel.manual_seed(1)
    (twin(kernel.tensor(data)) * kernel.tensor(head)).sum().backward()
    kernel.manual_seed(1)
    found = (z * kernel.tensor(head)).grad(data, wrt=list(net.parameters()), training=training)
    for mine, its in zip(net.parameters(), twin.parameters(), strict=True):
        numpy.testing.assert_allclose(found[mine], its.grad.numpy(), rtol=1e-4, atol=1e-5)
    for mine, its in zip(net.buffers(), twin.buffers(), strict=True):
        numpy.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-6)


def test_a_network_against_its_clone():
    """As of a generator and a frozen critic: names that come twice do no harm."""
    x, data = kernel.input_variable(3), floats(4, 3)
    critic = Sequential([Dense(4, activation=kernel.tanh), Dense(1)])(x)
    generator = Dense(3)(x)
    frozen = critic.clone("freeze", {x: generator})
    assert frozen.arguments == (x,) and set(frozen.parameters) == set(generator.parameters)
    same(frozen(data), critic(generator(data)))
    both = kernel.combine([critic, critic.clone()])
    a, b = both(data)
    same(a, b)
    assert len(both.parameters) == 8
    gradient = frozen.grad(data, wrt=generator.W)
    t = generator(kernel.tensor(data))
    critic(t).sum().backward()
    numpy.testing.assert_allclose(gradient, generator.W.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_a_layer_with_statistics_that_is_called_twice():
    layer, twin = BatchNorm(), BatchNorm()
    f = layer(layer(kernel.input_variable(3)))
    data = floats(4, 3)
    for k in range(4):
        found = f(data, training=True) if k % 2 else f(kernel.tensor(data), training=True).detach().numpy()
        numpy.testing.assert_allclose(found, twin(twin(kernel.tensor(data))).detach().numpy(), rtol=1e-5, atol=1e-6)
        assert layer.num_batches_tracked.item() == twin.num_batches_tracked.item() == 2 * (k + 1)
        numpy.testing.assert_allclose(layer.running_mean.numpy(), twin.running_mean.numpy(), rtol=1e-5, atol=1e-6)
        numpy.testing.assert_allclose(layer.running_var.numpy(), twin.running_var.numpy(), rtol=1e-5)


def test_devices():
    layer = Dense(2)
    f = layer(kernel.input_variable(3))
    data = floats(4, 3)
    expected = f(data)
    same(f(data, device="strict"), expected)
    assert layer.W.device == layer.b.device == kernel.xp.device("strict")
    same(f(data), expected)
    same(f.eval(data), expected)
    assert f.grad(data, wrt=layer.W).shape == (3, 2)
    assert isinstance(f(data), numpy.ndarray)
    refused(lambda: f(kernel.tensor(data)), "strict", error=DeviceError)
    found = f(kernel.tensor(data), device="strict")
    assert found.device is layer.W.device
    found.sum().backward()
    assert layer.W.grad.device is layer.W.device
    same(f(data, device="cpu"), expected)
    same(f.eval(data, device="strict"), expected)
    assert f.grad(data, device="cpu").shape == (4, 3) and layer.W.device == kernel.xp.device("cpu")
    constant = kernel.input_variable(3) * kernel.tensor([1.0, 2.0, 3.0])
    refused(lambda: constant(data, device="strict"), "constant", error=DeviceError)
    late = Function(Dense(2))
    assert late(data, device="strict").shape == (4, 2)


def test_float64_and_half():
    wide = Dense(2)(kernel.input_variable(3, dtype="float64"))
    assert wide(floats(4, 3)).dtype == numpy.float64
    assert Function(lambda a: a * 2)(numpy.ones((2, 2))).dtype == numpy.float64
    assert (kernel.input_variable(2, dtype="float16") * 2)(numpy.ones((2, 2))).dtype == numpy.float16
    f = kernel.input_variable(2, name="x") * 2
    t = kernel.ones(1, 2).double().requires_grad_(True)
    f(t).sum().backward()
    assert t.grad.dtype == numpy.float64 and t.grad.tolist() == [[2.0, 2.0]]


def test_eager_calls_are_recorded():
    net = Sequential([Dense(4, activation=kernel.tanh), Dense(2)])
    f = net(kernel.input_variable(3))
    t = kernel.tensor(floats(5, 3), requires_grad=True)
    f(t).sum().backward()
    mine = [p.grad.numpy() for p in net.parameters()], t.grad.numpy()
    net.zero_grad()
    t.grad = None
    net(t).sum().backward()
    for a, b in zip(mine[0], [p.grad.numpy() for p in net.parameters()], strict=True):
        same(a, b)
    same(mine[1], t.grad)
    with kernel.no_grad():
        assert not f(t).requires_grad


# --- eval and grad ---


def test_eval():
    x, y = kernel.input_variable(2, name="x"), kernel.input_variable(2, name="y", is_sparse=True)
    f = x * 2 + y
    a, b = floats(3, 2), floats(3, 2, seed=1)
    for feed in ({x: a, y: b}, {"x": a, "y": b}, {"y": b, x: a}, (a, b), {f.arguments[0]: a, f.arguments[1]: b}):
        same(f.eval(feed), a * 2 + b)
    both = kernel.combine([f, x])
    assert [r.shape for r in both.eval({x: a, y: b})] == [(3, 2), (3, 2)]
    same((x * 2).eval(a), a * 2)
    refused(lambda: f.eval(), "x: Tensor[2]", "y: SparseTensor[2]", error=ShapeError)
    refused(lambda: f.eval({}), "x: Tensor[2]", "y: SparseTensor[2]", error=ShapeError)
    refused(lambda: f.eval({x: a}), "nothing was given for y: SparseTensor[2]", error=ShapeError)
    refused(lambda: f.eval(a), "nothing was given for y", error=ShapeError)
    refused(lambda: f.eval((a, b, a)), "x, y", "3", error=ShapeError)
    refused(lambda: f.eval({x: a, y: b, "z": a}), "'z'", "x, y", error=ShapeError)
    refused(lambda: f.eval({x: a, y: b, kernel.input_variable(2, name="z"): a}), "z", "x, y", error=ShapeError)
    refused(lambda: f.eval({x: a, y: b, "x": a}), "twice", error=DtypeError)
    refused(lambda: f.eval({x: a, y: b, 3: a}), "variable", error=DtypeError)
    layer = Dense(2)
    refused(lambda: layer(x).eval({x: a, layer.W: a}), "has its value already", error=DtypeError)
    refused(lambda: f.eval({x: a, y: b}, training="x"), "training", error=DtypeError)
    other = kernel.input_variable(2, name="x")
    clash = x - other
    same(clash.eval({x: a, other: b}), a - b)
    refused(lambda: clash.eval({"x": a}), "several", "x", error=ShapeError)


def test_grad():
    layer = Dense(2)
    x, y = kernel.input_variable(3, name="x"), kernel.input_variable(2, name="y")
    f = (layer(x) * y).sum(axis=1)
    a, b = floats(4, 3), floats(4, 2)
    feed = {x: a, y: b}
    found = f.grad(feed)
    assert set(map(id, found)) == {id(x), id(y)}
    numpy.testing.assert_allclose(found[x], b @ layer.W.value.T, rtol=1e-6)
    same(found[y], layer(kernel.tensor(a)).detach())
    by_position = f.grad((a, b))
    same(by_position[x], found[x])
    assert list(f.grad({"x": a, "y": b})) == ["x", "y"]
    same(f.grad(feed, wrt=x), found[x])
    same(f.grad(feed, wrt="x"), found[x])
    same(f.grad(feed, wrt=["x"])["x"], found[x])
    several = f.grad(feed, wrt=[layer.W, x, layer.b])
    numpy.testing.assert_allclose(several[layer.W], a.T @ b, rtol=1e-5)
    numpy.testing.assert_allclose(several[layer.b], b.sum(0), rtol=1e-5)
    same(several[x], found[x])
    (gradients, value) = f.grad(feed, wrt=layer.W, outputs=True)
    same(gradients, several[layer.W])
    same(value, f.eval(feed))
    one = f.grad({x: a[0], y: b[0]}, wrt=[x, layer.W])
    assert one[x].shape == (3,) and one[layer.W].shape == (3, 2)
    first = kernel.combine([f, layer(x)])
    same(first.grad(feed, wrt=x), found[x])
    assert f.grad({x: a[:0], y: b[:0]}, wrt=layer.W).tolist() == numpy.zeros((3, 2)).tolist()
    same((x * 1).detach().grad({x: a}), numpy.zeros_like(a))


def test_grad_refuses_in_words():
    layer = Dense(2)
    x = kernel.input_variable(3, name="x")
    i = kernel.input_variable((), dtype="int64", name="i")
    hidden = kernel.relu(layer(x))
    f = hidden.sum(axis=1)
    a = {x: floats(4, 3)}
    refused(lambda: f.grad(a, wrt=[]), "nothing to differentiate", error=GradError)
    refused(lambda: f.grad(a, wrt=hidden), "computed", error=GradError)
    refused(lambda: f.grad(a, wrt=Dense(2).b), "does not depend", error=GradError)
    refused(lambda: f.grad(a, wrt=kernel.input_variable(2, name="q")), "does not depend on q", error=GradError)
    refused(lambda: f.grad(a, wrt=kernel.tensor([1.0])), "does not depend", error=GradError)
    refused(lambda: f.grad(a, wrt="q"), "'q'", "x", error=ShapeError)
    refused(lambda: f.grad(a, wrt=3), "variable", error=DtypeError)
    refused(lambda: f.grad({}), "x: Tensor[3]", error=ShapeError)
    refused(lambda: f.grad(a, outputs=1), "outputs", error=DtypeError)
    refused(lambda: (i * 2.0).grad([1]), "nothing to differentiate", error=GradError)
    refused(lambda: (i * 2.0).grad([1], wrt=i), "int64", error=GradError)
    refused(lambda: x.argmax(axis=1).grad(a), "whole numbers", error=GradError)
    constant = kernel.tensor([1.0, 2.0, 3.0])
    refused(lambda: (x * constant).grad(a, wrt=constant), "constant", error=GradError)
    norm = BatchNorm()
    refused(lambda: norm(x).grad(a, wrt=norm.running_mean), "constant", error=GradError)
    frozen = f.clone("freeze")
    refused(lambda: frozen.grad(a, wrt=frozen.constants[0]), "frozen", error=GradError)
    refused(lambda: frozen.grad(a, wrt=layer.W), "does not depend", error=GradError)
    assert frozen.grad(a).shape == (4, 3)


# --- what it consists of ---


def test_parameters_from_the_output_down():
    x = kernel.input_variable(3)
    z = Sequential([Dense(4), Dense(2)])(x)
    assert [p.shape for p in z.parameters] == [(4, 2), (2,), (3, 4), (4,)]
    values = [p.value for p in z.parameters]
    for p in z.parameters:
        p.value = 0 * p.value
    assert not z(floats(2, 3)).any()
    for p, value in zip(z.parameters, values, strict=True):
        p.value = value
    norm = Sequential([Dense(4), BatchNorm(), Dense(2)])
    f = norm(x)
    assert [p.shape for p in f.parameters] == [(4, 2), (2,), (4,), (4,), (3, 4), (4,)]
    assert f.constants == () and f.arguments == (x,)
    assert len(f.inputs) == 1 + 6 + 3 or len(f.inputs) == 1 + 6 + 2
    c = kernel.tensor([1.0, 2.0, 3.0])
    assert (x * c).constants == (c,) and (x * c).parameters == ()
    layer = Dense(2)
    g = layer(x)
    layer.W.requires_grad_(False)
    assert g.parameters == (layer.b,) and g.constants == (layer.W,)


def test_members():
    class Net(kernel.Module):
        def __init__(self):
            self.hidden, self.scores = Dense(4), Dense(2)

        def forward(self, x):
            return self.scores(self.hidden(x))

    net = Net()
    f = net(kernel.input_variable(3))
    assert f.hidden is net.hidden and f.scores.W is net.scores.W
    twin = f.clone()
    assert twin.hidden is not net.hidden
    assert {id(twin.hidden.W), id(twin.scores.W)} <= {id(p) for p in twin.parameters}
    assert Function(net).hidden is net.hidden
    dense = Dense(2)
    g = dense(kernel.input_variable(3))
    assert g.W is dense.W and g.b is dense.b
    assert (g + 1).W is dense.W  # the only one of this name
    with pytest.raises(AttributeError):
        f.W  # there are two  # noqa: B018
    with pytest.raises(AttributeError):
        g.nothing  # noqa: B018
    with pytest.raises(AttributeError):
        g._private  # noqa: B018


def test_outputs_and_indexing():
    x = kernel.input_variable(3, name="x")
    f = kernel.combine([x + 1, (x * 2).sum(axis=1)])
    assert len(f) == 2 and [str(o) for o in f.outputs] == [
        "Add(x: Tensor[3]) -> Tensor[3]",
        "Composite(x: Tensor[3]) -> Tensor[1]",
    ]
    data = floats(2, 3)
    for k, output in enumerate(f):
        same(output(data), f(data)[k])
        same(f[k](data), f(data)[k])
        same(f.outputs[k].eval({x: data}), f(data)[k])
    refused(lambda: f[2], "no output 2", error=ShapeError)
    refused(lambda: kernel.relu(f), "2", error=ShapeError)
    refused(lambda: Dense(2)(x)(f), "2", error=ShapeError)
    assert len(kernel.combine([f, x])) == len(kernel.combine(f, x)) == 3
    for wrong in ([], [1], [x, floats(2, 3)]):
        refused(lambda wrong=wrong: kernel.combine(wrong), "list of functions", error=DtypeError)
    refused(lambda: kernel.combine(), "list of functions", error=DtypeError)


def test_it_does_not_change():
    f = Dense(2)(kernel.input_variable(3))
    for name in ("W", "name", "anything", "_entries", "_ordered", "parameters"):
        refused(lambda name=name: setattr(f, name, 1), "does not change", name, error=DtypeError)
        refused(lambda name=name: delattr(f, name), "does not change", name, error=DtypeError)
    for many in (f.parameters, f.arguments, f.outputs, f.constants, f.inputs):
        assert isinstance(many, tuple)
    with pytest.raises(AttributeError):
        f.append(Dense(2))
    assert copy.copy(f) is f
    refused(lambda: pickle.dumps(f), "f.save", error=DtypeError)
    data, before = floats(2, 3), f(floats(2, 3))
    f(kernel.input_variable(3, name="u"), name="renamed")
    f.clone("freeze"), f.as_block("b"), f.replace_placeholders({f.arguments[0]: kernel.input_variable(3)}), f + 1
    same(f(data), before)
    assert f.name == "dense1" or f.name.startswith("dense")
    assert all(p.requires_grad for p in f.parameters)


# --- clones ---


def test_clone():
    net = Sequential([Dense(4, activation=kernel.tanh), BatchNorm(), Dense(2)])
    x, data = kernel.input_variable(3), floats(6, 3)
    f = net(x)
    f(data, training=True)
    before = f(data)
    shared, cloned, frozen = (f.clone(method) for method in ("share", "clone", "freeze"))
    for other in (shared, cloned, frozen, f.clone(), copy.deepcopy(f)):
        same(other(data), before)
        assert str(other) == str(f) and other.arguments == (x,)
    assert all(a is b for a, b in zip(shared.parameters, f.parameters, strict=True))
    assert not any(a is b for a in cloned.parameters for b in f.parameters)
    assert frozen.parameters == () and [c.shape for c in frozen.constants] == [p.shape for p in f.parameters]
    state = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    cloned(data, training=True)
    for p in cloned.parameters:
        p.value = p.value + 1
    same(f(data), before)
    assert (cloned(data) != before).any()
    for name, value in net.state_dict().items():
        same(value, state[name])
    f(data, training=True)
    assert (f(data) != before).any()
    same(frozen(data), before)
    same(shared(data), f(data))
    refused(lambda: f.clone("copy"), '"share"', error=DtypeError)
    refused(lambda: f.clone(3), '"share"', error=DtypeError)


def test_clones_hang_together():
    layer = Dense(3)
    x = kernel.input_variable(3)
    tied = layer(layer(x))
    twin = tied.clone()
    assert len(twin.parameters) == 2 and twin.W is twin.parameters[0] is not layer.W
    assert layer(x).clone("freeze").W.requires_grad is False and layer.W.requires_grad
    drop = Dropout(0.5, seed=3)
    f = drop(kernel.input_variable(50))
    g = f.clone()
    ones = numpy.ones((1, 50), "float32")
    expected = Dropout(0.5, seed=3)(kernel.tensor(ones)).numpy()
    same(g(ones, training=True), expected)
    same(f(ones, training=True), expected)  # the clone draws from its own
    bare = kernel.Parameter([1.0, 2.0, 3.0])
    h = (x * bare).clone()
    assert h.parameters[0] is not bare and h.parameters[0].tolist() == bare.tolist()
    model = Sequential([Dense(2)])
    whole = kernel.combine([model(x), model(x) * 2])
    assert len(whole.clone().parameters) == 2


def test_substitutions():
    layer = Dense(2)
    x, u = kernel.input_variable(3, name="x"), kernel.input_variable(3, name="u")
    hidden = kernel.tanh(x)
    f = layer(hidden)
    data = floats(4, 3)
    g = f.clone("share", {hidden: kernel.relu(u)})
    assert g.arguments == (u,)
    same(g(data), layer(kernel.relu(kernel.tensor(data))).detach())
    same(f.clone("clone", {x: u})(data), f(data))
    same(f.clone("clone", {"x": u})(data), f(data))
    h = f.clone("freeze", {x: Dense(3)(u)})
    assert len(h.parameters) == 2 and len(h.constants) == 2  # what is put in keeps learning
    refused(lambda: f.clone("share", {x: kernel.input_variable(4)}), "weight", error=ShapeError)
    refused(lambda: f.clone("share", {u: x}), "does not come up", error=ShapeError)
    refused(lambda: f.clone("share", {x: data}), "function", error=DtypeError)
    refused(lambda: f.clone("share", [x]), "{variable: function}", error=DtypeError)
    refused(lambda: f.clone("share", {3: x}), "variable", error=DtypeError)
    values, places = kernel.topk(x, 2)
    refused(lambda: (values + places).clone("share", {values: u}), "2 outputs", error=ShapeError)
    p = kernel.placeholder("p")
    q = 2 * p + x
    assert str(q.replace_placeholders({p: u})) == "Composite(u: Tensor[3], x: Tensor[3]) -> Tensor[3]"
    same(q.replace_placeholders({p: x})(data), 3 * data)
    same(q.replace_placeholders({"p": kernel.tanh(x)})(data), 2 * numpy.tanh(data) + data)
    refused(lambda: f.replace_placeholders({hidden: u}), "no placeholder", error=ShapeError)
    assert q.arguments == (p, x)


def test_blocks_and_searching():
    x = kernel.input_variable(3, name="x")
    half = (kernel.exp(x) / 2).as_block("half")
    assert str(half) == "half(x: Tensor[3]) -> Tensor[3]" and half.name == "half"
    f = kernel.relu(half + 1)
    assert str(f) == "Composite(x: Tensor[3]) -> Tensor[3]"
    assert str(f.find_by_name("half")) == str(half)
    assert f.find_by_name("nothing") is None and f.find_by_name("x") is not None
    same(f.find_by_name("half")(floats(2, 3)), half(floats(2, 3)))
    same(half(floats(2, 3)), (kernel.exp(x) / 2)(floats(2, 3)))
    assert str(half(kernel.input_variable(3, name="k"))) == "half(k: Tensor[3]) -> Tensor[3]"
    named = Dense(2)(x).as_block("mine")
    assert str(named) == "mine(x: Tensor[3]) -> Tensor[2]" and named.W.shape == (3, 2)
    refused(lambda: half.as_block(""), "name", error=DtypeError)
    refused(lambda: half.as_block(3), "name", error=DtypeError)
    refused(lambda: x.as_block("v"), "variable", error=ShapeError)
    refused(lambda: kernel.combine([x, half]).as_block("v"), "2", error=ShapeError)


def test_variables():
    assert kernel.input_variable(3).shape == (None, 3)
    assert kernel.input_variable((3, 4)).shape == (None, 3, 4) == kernel.input_variable([3, 4]).shape
    assert kernel.input_variable(()).shape == (None,)
    assert kernel.input_variable(3, dtype="float64").dtype == numpy.float64
    assert kernel.input_variable(shape=3, is_sparse=False, dtype="float32", name="q").name == "q"
    for call in (
        lambda: kernel.input_variable(-1),
        lambda: kernel.input_variable(1.5),
        lambda: kernel.input_variable("3"),
        lambda: kernel.input_variable(3, is_sparse="yes"),
        lambda: kernel.input_variable(3, dtype="complex64"),
        lambda: kernel.input_variable(3, name=5),
        lambda: kernel.placeholder(5),
    ):
        refused(call)


# --- every layer ---


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_as_a_function(name: str):
    """On an input_variable, and traced for the arrays: the numbers of the module, in use and in training."""
    x = LAYERS[name].x
    layer, twin = built(name), built(name)
    f = Function(layer)(kernel.input_variable(x.shape[1:], dtype=x.dtype))
    by_code = Function(layer)
    for training in (False, True, False):
        (twin.train if training else twin.eval)()
        kernel.manual_seed(4)
        expected = twin(kernel.tensor(x)).detach().numpy()
        kernel.manual_seed(4)
        found = f(x, training=training)
        assert found.dtype == expected.dtype
        numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        if not training:
            numpy.testing.assert_allclose(by_code(x), expected, rtol=1e-5, atol=1e-6)
            same(f(x[:1]), f(kernel.tensor(x[:1])))
        for mine, its in zip(layer.buffers(), twin.buffers(), strict=True):
            numpy.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-5, atol=1e-6)
    numpy.testing.assert_allclose(f.clone()(x), f(x))


# --- every public function ---


def as_variables(value: Any, given: list) -> Any:
    """The same arguments, with an input variable in the place of the first tensor and of those that are like it."""
    first = given[0][1].shape if given else None
    if isinstance(value, kernel.Tensor) and value.ndim and first in (None, value.shape):
        variable = kernel.input_variable(value.shape[1:], dtype=value.dtype, name=f"t{len(given)}")
        given.append((variable, value.detach()))
        return variable
    if isinstance(value, kernel.Tensor):
        return value.detach()
    return type(value)(as_variables(v, given) for v in value) if isinstance(value, tuple | list) else value


def flat(result: Any) -> list:
    return [part for item in result for part in flat(item)] if isinstance(result, tuple | list) else [result]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_on_input_variables(name: str):
    """With batches of any size a function computes the numbers of an eager call."""
    positional, keywords = FUNCTIONS[name]()
    if name == "dropout":
        return
    expected = flat(getattr(kernel, name)(*positional, **keywords))
    given: list = []
    try:
        made = kernel.combine(flat(getattr(kernel, name)(*as_variables(positional, given), **keywords)))
        nodes = [v for v in made.arguments]
        feed = {v: t.numpy() for v, t in given if any(v is a for a in nodes)}
        found = made.eval(feed)
    except DtypeError as error:
        assert name == "nonzero" and "graph" in str(error), error
        return
    for mine, y in zip(flat(found), expected, strict=True):
        same(mine, y)
    eager = made(*[kernel.tensor(feed[v]) for v in made.arguments]) if feed else expected
    for mine, y in zip(flat(eager), expected, strict=True):
        same(mine, y)


# --- files ---


def round_trip(f: Function, path: Path, *data: Any) -> Function:
    f.save(path)
    back = Function.load(path)
    assert str(back) == str(f)
    assert [v.name for v in back.arguments] == [v.name for v in f.arguments]
    assert [p.shape for p in back.parameters] == [p.shape for p in f.parameters]
    assert [c.shape for c in back.constants] == [c.shape for c in f.constants]
    a, b = f(*data), back(*data)
    for mine, its in zip(a if isinstance(a, tuple) else (a,), b if isinstance(b, tuple) else (b,), strict=True):
        same(mine, its)
    return back


def test_files(tmp_path: Path):
    path = tmp_path / "model.cmf"
    x, y = kernel.input_variable(3), kernel.input_variable(3, name="y")
    labels = kernel.input_variable(2, is_sparse=True)
    data, targets = floats(4, 3), one_hot([0, 1, 1, 0], 2)
    net = Sequential([Dense(4, activation=kernel.relu), BatchNorm(), Dropout(0.5), Dense(2)])
    z = net(x)
    z(data, training=True)
    back = round_trip(z, path, data)
    a, b = (f.grad(data, training=False) for f in (z, back))
    same(a, b)
    kernel.manual_seed(2)
    first = z(data, training=True)
    kernel.manual_seed(2)
    same(back(data, training=True), first)
    same(back(data), z(data))  # the running statistics moved in both
    round_trip(kernel.combine([kernel.cross_entropy_with_softmax(z, labels), z]), path, data, targets)
    turned = kernel.criterion(lambda b, a: criterion_of(net)(a, b))(labels, x)
    assert str(turned) == "Composite(SparseTensor[2], Tensor[3]) -> Tuple[Tensor[1], Tensor[1]]"
    round_trip(turned, path, targets, data)
    round_trip(Function(lambda a, b: b * 2)(x, y), path, data, data)
    round_trip(Function(lambda a, b: b - a)(x, y), path, data, data + 1)
    assert not round_trip(z.clone("freeze"), path, data).parameters
    round_trip(tour()(kernel.input_variable((28, 28))), path, floats(2, 28, 28))
    for f in (
        Dense(2)(x),
        Dense(2, activation=kernel.tanh)(x),
        kernel.relu(x),
        (kernel.exp(x) / 2).as_block("half"),
        x * kernel.tensor([1.0, 2.0, 3.0]),
        x * kernel.tensor([1, 2, 3]),
        x * kernel.tensor([1.0, 2.0, 3.0]).half(),
        x * kernel.Parameter(kernel.ones(3).double()),
        kernel.where(kernel.tensor([True, False, True]), x, 0.0),
        x[:, 1:],
        x[..., None],
        kernel.clip(x, -float("inf"), 0.5),
        x.astype("float64"),
        kernel.einsum("ij,ij->i", x, x),
        kernel.combine(kernel.topk(x, 2)),
        x.sum(axis=(0, 1), keepdims=True),
        Function(net),
        LayerNorm()(x),
    ):
        round_trip(f, path, data)
    round_trip(Embedding(5, 2)(kernel.input_variable((), dtype="int64")), path, [1, 4])
    round_trip(y - kernel.input_variable(3, name="y"), path, data, data * 2)
    dense = Dense(3)
    assert len(round_trip(dense(dense(x)), path, data).parameters) == 2
    again = round_trip(dense(x), path, data)
    assert again.W.value.tolist() == dense.W.value.tolist()
    again.W.value = again.W.value * 0
    assert dense.W.value.any()
    kernel.save(dense(x), path)
    assert str(Function.load(path)) == "Dense(Tensor[3]) -> Tensor[3]"
    assert kernel.serialize.header(path).types == "Dense(Tensor[3]) -> Tensor[3]"
    dense.to("strict")
    dense(x).save(path)
    same(Function.load(path)(data), dense(x)(data))


def test_deploying(tmp_path: Path):
    model = tour()(kernel.input_variable((28, 28)))
    model.save(tmp_path / "mnist.cmf")
    classify_digit = Function.load(tmp_path / "mnist.cmf")
    image = floats(28, 28)
    scores = classify_digit(image)
    same(scores, model(image))
    assert scores.shape == (10,) and 0 <= scores.argmax() < 10
    assert str(classify_digit) == "Composite(Tensor[28,28]) -> Tensor[10]"


def test_files_that_are_none(tmp_path: Path):
    path = tmp_path / "f.cmf"
    f = Dense(2)(kernel.input_variable(3))
    f.save(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        refused(lambda: Function.load(path), error=FileError)
    flipped = 0
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            Function.load(path)
        except FileError as error:
            assert "\n" not in str(error)
            flipped += 1
    assert flipped > len(whole) / 11 / 3
    kernel.save(Dense(2)(kernel.input_variable(3)), path)
    kernel.save({"a": kernel.ones(2)}, tmp_path / "numbers")
    refused(lambda: Function.load(tmp_path / "numbers"), "no function", error=FileError)
    refused(lambda: Function.load(tmp_path / "missing"), error=FileError)
    refused(lambda: Function.load(tmp_path), error=FileError)
    refused(lambda: Function.load(3), "path", error=DtypeError)
    refused(lambda: f.save(3), "path", error=DtypeError)
    refused(lambda: f.save(tmp_path / "no" / "folder"), error=FileError)


def graph_in_words() -> tuple[dict, dict]:
    """A graph as a file has it, and the values beside it."""
    x, labels = kernel.input_variable((6, 6)), kernel.input_variable(3, is_sparse=True, name="L")
    net = Sequential([BatchNorm(layout="NHWC"), Dense(3, activation=kernel.relu), Dropout(0.5)])
    z = net(x)
    f = kernel.combine(
        [
            kernel.cross_entropy_with_softmax(z, labels),
            (z[:, 1:] * kernel.tensor([1.0, 2.0])).sum(axis=1),
            kernel.clip(z, -float("inf"), 1),
        ]
    )
    f(floats(4, 6, 6), numpy.eye(3)[[0, 1, 2, 0]], training=True)
    kept = {n: n.name for n in f._nodes() if n.op is None and n.value is not None and n.role != "draw"}
    data = json.loads(json.dumps(to_data(f._entries, kept, f._argument_nodes())))
    return data, {name: node.value.detach() for node, name in kept.items()}


GONE = object()
NASTY: list = [
    *(None, True, -1, 0, 10**6, 10**30, 1.5, float("nan"), "", "x", "float32", "object", [], [0], [[0, 0]], {}),
    *({"a": 1}, {"tuple": [1, None]}, {"tuple": 3}, {"float": []}, {"dtype": "O"}, {"number": 1}, {"number": None}),
    *({"number": {"tuple": [1]}}, {"ellipsis": 1}, {"k": 1, "l": 2}, [1, 2, 3], [-1, 0], [0, 5], "relu", "nonzero"),
    *("by_mode", "constant", "draw", GONE),
]


def places(data: Any, path: tuple = ()) -> Any:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@pytest.mark.parametrize("nasty", range(len(NASTY)))
def test_hostile_graphs(nasty: int):
    """Anything anywhere in the text of a graph: it is refused as a file, or computes, or says why it cannot."""
    whole, values = graph_in_words()
    images, labels = floats(4, 6, 6), numpy.eye(3)[[0, 1, 2, 0]]
    text = json.dumps(whole)
    refusals = 0
    for path in list(places(whole))[1:]:
        data = json.loads(text)
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        if NASTY[nasty] is GONE:
            del inner[path[-1]]
        else:
            inner[path[-1]] = NASTY[nasty]
        try:
            symbol, arguments = from_data(data, values)
        except FileError as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            refusals += 1
            continue
        f = Function._of(symbol._entries, arguments)
        assert repr(f)
        try:
            f(images, labels)
        except OURS as error:
            assert "\n" not in str(error)
    assert refusals > 100


def test_hostile_graphs_at_large():
    whole, values = graph_in_words()
    for wrong in (
        None,
        3,
        "text",
        [],
        {},
        {"format": whole["format"]},
        {**whole, "version": 99},
        {**whole, "nodes": 3},
    ):
        refused(lambda wrong=wrong: from_data(wrong, values), error=FileError)
    refused(lambda: sym.load_json("[" * 100_000), error=FileError)
    refused(lambda: sym.load_json("{"), "JSON", error=FileError)
    loop = json.loads(json.dumps(whole))
    place = next(k for k, node in enumerate(loop["nodes"]) if node["op"] is not None)
    loop["nodes"][place]["inputs"][0] = [place, 0]
    refused(lambda: from_data(loop, values), "before it", error=FileError)
    huge = json.loads(json.dumps(whole))
    constant = next(node for node in huge["nodes"] if node.get("role") == "constant")
    constant["shape"] = {"tuple": [10**9, 10**9]}
    refused(
        lambda: from_data(
            {**huge, "nodes": [{**n, "kept": "none"} if n is constant else n for n in huge["nodes"]]}, values
        )
    )
