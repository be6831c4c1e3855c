"""Every layer: it trains, on both devices alike, computes what its function does, and answers nonsense in words."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import pytest

import kernel
from kernel import DtypeError, ShapeError, layers
from kernel.layers import Dense, For, Sequential, default_options
from tests.kernel.test_errors import WRONG, in_words

rng = numpy.random.default_rng(11)


def u(*shape: int) -> numpy.ndarray:
    """Numbers from 0.5 to 1.5, so that no activation is all closed."""
    return rng.uniform(0.5, 1.5, shape).astype("float32")


VECTORS, SIGNALS, IMAGES = u(6, 4), u(3, 4, 9), u(3, 4, 6, 5)
INDICES = numpy.array([[0, 2, 1], [3, 3, 0]])


@dataclass
class Row:
    """One layer."""

    make: Callable[[], kernel.Module]  # with sizes to be found, if it has any
    x: numpy.ndarray
    same: Callable[[Any, Any], Any]  # what the layer gives, by functions
    sized: Callable[[], kernel.Module] | None = None  # the same layer with every size said
    required: dict[str, Any] = field(default_factory=dict)  # the arguments that have no default
    evaluates: bool = True  # its repr makes a layer like it


F = kernel.functional
CONV = {"out_channels": 6, "kernel_size": 3}
CNTK_CONV = {"filter_shape": (3, 3), "num_filters": 6}
LAYERS: dict[str, Row] = {
    "Linear": Row(
        lambda: layers.Linear(3),
        VECTORS,
        lambda m, x: F.linear(x, m.weight, m.bias),
        lambda: layers.Linear(4, 3),
        {"in_features": 4, "out_features": 3},
    ),
    "Dense": Row(
        lambda: layers.Dense(3, activation=kernel.tanh),
        SIGNALS,
        lambda m, x: F.tanh(F.linear(F.flatten(x, 1), m.W.reshape(36, 3).T, m.b)),
        required={"shape": 3},
    ),
    "Embedding": Row(
        lambda: layers.Embedding(4, 2),
        INDICES,
        lambda m, x: F.matmul(kernel.one_hot(x, 4), m.E),
    ),
    "Conv1d": Row(
        lambda: layers.Conv1d(None, 6, 3, stride=2, padding=1, groups=2),
        SIGNALS,
        lambda m, x: F.conv1d(x, m.weight, m.bias, 2, 1, 1, 2),
        lambda: layers.Conv1d(4, 6, 3, 2, 1, 1, 2),
        {"in_channels": 4, **CONV},
    ),
    "Conv2d": Row(
        lambda: layers.Conv2d(None, 6, (3, 2), stride=(2, 1), padding="same", dilation=(1, 2), groups=2),
        IMAGES,
        lambda m, x: F.conv2d(x, m.weight, m.bias, (2, 1), ((1, 1), (1, 1)), (1, 2), 2),
        lambda: layers.Conv2d(4, 6, (3, 2), (2, 1), "same", (1, 2), 2),
        {"in_channels": 4, **CONV},
        evaluates=False,  # as PyTorch writes it, "same" has no quotes
    ),
    "ConvTranspose2d": Row(
        lambda: layers.ConvTranspose2d(None, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        IMAGES,
        lambda m, x: F.conv_transpose2d(x, m.weight, m.bias, 2, 1, 1, 2),
        lambda: layers.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2),
        {"in_channels": 4, **CONV},
    ),
    "Convolution": Row(
        lambda: layers.Convolution((3, 3), 6),
        IMAGES,
        lambda m, x: F.conv2d(x, m.W, m.b),
        evaluates=False,
        required=CNTK_CONV,
    ),
    "Convolution1D": Row(
        lambda: layers.Convolution1D(3, 6, activation=kernel.tanh, pad=True),
        SIGNALS,
        lambda m, x: F.tanh(F.conv1d(x, m.W, m.b, padding="same")),
        evaluates=False,
        required={"filter_shape": 3, "num_filters": 6},
    ),
    "Convolution2D": Row(
        lambda: layers.Convolution2D((3, 3), 6, activation=kernel.tanh, pad=True, strides=2),
        IMAGES,
        lambda m, x: F.tanh(F.conv2d(x, m.W, m.b, 2, 1)),
        evaluates=False,
        required=CNTK_CONV,
    ),
    "ConvolutionTranspose2D": Row(
        lambda: layers.ConvolutionTranspose2D((4, 4), 6, activation=kernel.tanh, strides=2, pad=True),
        IMAGES,
        lambda m, x: F.tanh(F.conv_transpose2d(x, m.W, m.b, 2, 1)),
        evaluates=False,
        required=CNTK_CONV,
    ),
    "MaxPool2d": Row(
        lambda: layers.MaxPool2d(3, padding=1),
        IMAGES,
        lambda m, x: F.max_pool2d(x, 3, 3, 1),
        required={"kernel_size": 2},
    ),
    "AvgPool2d": Row(
        lambda: layers.AvgPool2d(3, stride=2, padding=1),
        IMAGES,
        lambda m, x: F.avg_pool2d(x, 3, 2, 1),
        required={"kernel_size": 2},
    ),
    "MaxPooling": Row(
        lambda: layers.MaxPooling((2, 3)),
        IMAGES,
        lambda m, x: F.max_pool2d(x, (2, 3), 1),
        evaluates=False,
        required={"filter_shape": 2},
    ),
    "AveragePooling": Row(
        lambda: layers.AveragePooling((3, 3), strides=2, pad=True),
        IMAGES,
        lambda m, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        evaluates=False,
        required={"filter_shape": 2},
    ),
    "GlobalMaxPooling": Row(layers.GlobalMaxPooling, IMAGES, lambda m, x: x.amax(axis=(2, 3))),
    "GlobalAveragePooling": Row(layers.GlobalAveragePooling, IMAGES, lambda m, x: x.mean(axis=(2, 3))),
    "BatchNorm": Row(
        layers.BatchNorm,
        IMAGES,
        lambda m, x: F.batch_norm(x, m.weight, m.bias),
        lambda: layers.BatchNorm(4),
    ),
    "BatchNormalization": Row(
        layers.BatchNormalization,
        IMAGES,
        lambda m, x: F.batch_norm(x, m.scale, m.bias),
        evaluates=False,
    ),
    "LayerNorm": Row(
        layers.LayerNorm,
        IMAGES,
        lambda m, x: F.layer_norm(x, (4, 6, 5), m.weight, m.bias),
        lambda: layers.LayerNorm((4, 6, 5)),
    ),
    "LayerNormalization": Row(
        layers.LayerNormalization,
        IMAGES,
        lambda m, x: F.layer_norm(x, (4, 6, 5), m.scale, m.bias),
        evaluates=False,
    ),
    "GroupNorm": Row(
        lambda: layers.GroupNorm(2),
        IMAGES,
        lambda m, x: F.group_norm(x, 2, m.weight, m.bias),
        lambda: layers.GroupNorm(2, 4),
        {"num_groups": 2},
    ),
    "Dropout": Row(
        lambda: layers.Dropout(0.5, seed=3),
        VECTORS,
        lambda m, x: F.dropout(x, 0.5, generator=kernel.Generator(3)),
        required={"dropout_rate": 0.25},
    ),
    "Activation": Row(
        lambda: layers.Activation(kernel.tanh), VECTORS, lambda m, x: F.tanh(x), required={"activation": None}
    ),
    "ReLU": Row(layers.ReLU, VECTORS, lambda m, x: F.relu(x)),
    "Tanh": Row(layers.Tanh, VECTORS, lambda m, x: F.tanh(x)),
    "Sigmoid": Row(layers.Sigmoid, VECTORS, lambda m, x: F.sigmoid(x)),
    "Softplus": Row(layers.Softplus, VECTORS, lambda m, x: F.softplus(x)),
    "GELU": Row(layers.GELU, VECTORS, lambda m, x: F.gelu(x)),
    "SELU": Row(layers.SELU, VECTORS, lambda m, x: F.selu(x)),
    "ELU": Row(lambda: layers.ELU(0.5), VECTORS, lambda m, x: F.elu(x, 0.5)),
    "LeakyReLU": Row(lambda: layers.LeakyReLU(0.1), VECTORS, lambda m, x: F.leaky_relu(x, 0.1)),
    "Softmax": Row(layers.Softmax, VECTORS, lambda m, x: F.softmax(x, -1)),
    "LogSoftmax": Row(layers.LogSoftmax, VECTORS, lambda m, x: F.log_softmax(x, -1)),
    "Flatten": Row(layers.Flatten, IMAGES, lambda m, x: x.reshape(3, 120)),
    "Identity": Row(layers.Identity, VECTORS, lambda m, x: x),
    "Sequential": Row(
        lambda: layers.Sequential([layers.Linear(3), [kernel.tanh, layers.Linear(2)]]),
        VECTORS,
        lambda m, x: m[2](m[0](x).tanh()),
        lambda: layers.Sequential(layers.Linear(4, 3), kernel.tanh, layers.Linear(3, 2)),
        evaluates=False,
    ),
    "For": Row(
        lambda: layers.For(range(2), lambda i: layers.Linear(3 - i)),
        VECTORS,
        lambda m, x: m[1](m[0](x)),
        evaluates=False,
        required={"steps": 2, "make": lambda: layers.Linear(3)},
    ),
    "Residual": Row(
        lambda: layers.Residual(layers.Linear(3), shortcut=layers.Linear(3)),
        VECTORS,
        lambda m, x: m.inside[0](x) + m.shortcut[0](x),
        evaluates=False,
    ),
    "Concat": Row(
        lambda: layers.Concat(layers.Linear(3), [kernel.tanh, layers.Linear(2)]),
        VECTORS,
        lambda m, x: kernel.concatenate([m.branches[0](x), m.branches[1](x)], axis=1),
        evaluates=False,
    ),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def built(name: str, seed: int = 0) -> kernel.Module:
    """The layer, its sizes found, beginning with numbers of ``seed``."""
    kernel.manual_seed(seed)
    row = LAYERS[name]
    layer = row.make()
    layer.eval()(kernel.tensor(row.x))
    return layer.train()


def numbers(tensor: Any) -> numpy.ndarray:
    return tensor.detach().cpu().numpy()


def alike(a: Any, b: Any, tolerance: float = 0.0) -> None:
    numpy.testing.assert_allclose(numbers(a), numbers(b), rtol=tolerance, atol=tolerance)


def test_every_layer_has_a_row():
    # A loss takes two tensors and is tested at the end of this file.
    others = {"default_options", "BatchNorm1d", "BatchNorm2d", "CrossEntropyLoss"}
    assert set(LAYERS) | others == set(layers.__all__)


@every_layer
def test_trains_on_the_cpu_and_the_strict_device_alike(name: str):
    """Towards some target: its parameters, and what goes in, where that can be learned."""
    found = {}
    for place in ("cpu", "strict"):
        layer, host = built(name).to(place), LAYERS[name].x
        x = kernel.tensor(host, device=place, requires_grad=host.dtype.kind == "f")
        target = kernel.tensor(numpy.full(layer(x).shape, 0.3, "float32"), device=place)
        layer = copy.deepcopy(layer)  # the first call has taken random numbers on both
        learned = [*layer.parameters(), *([x] if x.requires_grad else [])]
        assert learned
        found[place] = []
        for _ in range(20):
            loss = kernel.mse_loss(layer(x), target)
            loss.backward()
            with kernel.no_grad():
                for parameter in learned:
                    parameter -= 0.1 * parameter.grad
                    parameter.grad = None
            found[place].append(loss.item())
    assert found["cpu"][-1] < found["cpu"][0], "it does not learn"
    assert found["cpu"] == found["strict"]


@every_layer
def test_computes_what_its_function_does(name: str):
    layer, x = built(name), kernel.tensor(LAYERS[name].x)
    alike(layer(x), LAYERS[name].same(layer, x), 1e-5)


@pytest.mark.parametrize("name", [name for name, row in LAYERS.items() if row.sized])
def test_sizes_that_are_found_are_those_that_would_be_said(name: str):
    row = LAYERS[name]
    kernel.manual_seed(0)
    sized = row.sized()
    found = built(name)
    assert repr(sized) == repr(found)
    alike(sized(kernel.tensor(row.x)), found(kernel.tensor(row.x)))


@pytest.mark.parametrize("name", [name for name, row in LAYERS.items() if row.evaluates])
def test_its_repr_makes_a_layer_like_it(name: str):
    layer, x = built(name), kernel.tensor(LAYERS[name].x)
    again = eval(repr(layer), {**vars(kernel), **vars(layers)})
    assert repr(again) == repr(layer) and again(x).shape == layer(x).shape


@pytest.mark.parametrize("name", [name for name, row in LAYERS.items() if not row.evaluates])
def test_its_repr_names_it(name: str):
    made = built(name)
    assert repr(made).startswith(f"{type(made).__name__}(") and repr(made).endswith(")")


@every_layer
def test_a_deep_copy_computes_the_same_and_shares_nothing(name: str):
    layer, x = built(name), kernel.tensor(LAYERS[name].x)
    other = copy.deepcopy(layer)
    alike(layer(x), other(x))
    assert not {*layer.parameters(), *layer.buffers()} & {*other.parameters(), *other.buffers()}
    before = numbers(other.eval()(x))
    for owned in (*layer.parameters(), *layer.buffers()):
        with kernel.no_grad():
            owned.zero_()
    numpy.testing.assert_array_equal(before, numbers(other(x)))


@every_layer
def test_a_state_goes_into_another_layer_even_before_its_first_call(name: str):
    row, layer = LAYERS[name], built(name, seed=1)
    other, x = row.make(), kernel.tensor(row.x)
    layer(x)  # so that running statistics are no longer those of the beginning
    assert other.load_state_dict(layer.state_dict()) == ([], [])
    alike(layer.eval()(x), other.eval()(x))
    assert list(layer.state_dict()) == list(other.state_dict())


@every_layer
def test_computes_in_float64(name: str):
    row, layer = LAYERS[name], built(name).eval()
    single = layer(kernel.tensor(row.x))
    x = kernel.tensor(row.x.astype("float64") if row.x.dtype.kind == "f" else row.x)
    double = layer.to("float64")(x)
    assert double.dtype == kernel.float64
    assert all(p.dtype == kernel.float64 for p in (*layer.parameters(), *layer.buffers()) if p.dtype.kind == "f")
    alike(single, double, 1e-5)


# --- nonsense ------------------------------------------------------------------------------------------------------


def attempts() -> list[tuple[str, str]]:
    """(layer, argument) of every argument that a layer has."""
    found = []
    for name in LAYERS:
        parameters = inspect.signature(getattr(layers, name)).parameters.values()
        found += [(name, p.name) for p in parameters if p.kind is not p.VAR_KEYWORD]
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of values, such as those of a huge number: they are no errors
@pytest.mark.parametrize(("name", "argument"), attempts())
def test_wrong_arguments_are_answered_in_words(name: str, argument: str):
    """Each argument in turn is something that hardly belongs there; where it is taken, the first call may refuse it."""
    make, row = getattr(layers, name), LAYERS[name]
    for wrong, make_wrong in WRONG.items():
        if (argument, wrong) == ("steps", "huge"):
            continue  # as many layers as that are no mistake that could be found in time
        if argument in ("sizes", "layers", "branches", "arguments"):  # those that come without a name
            positional, named = [*row.required.values(), make_wrong()], {}
        else:
            positional, named = [], {} if argument == "keep_prob" else dict(row.required)
            named[argument] = make_wrong()
        try:
            make(*positional, **named)(kernel.tensor(row.x))
        except Exception as error:
            assert in_words(error), f"{argument} of {name}: {wrong}: {type(error)}: {error}"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@every_layer
def test_wrong_inputs_are_answered_in_words_and_leave_no_trace(name: str):
    """A call that fails leaves the layer as it was, so that the next may succeed."""
    row = LAYERS[name]
    for wrong, make_wrong in WRONG.items():
        layer = row.make()
        before = repr(layer)
        try:
            layer(make_wrong())
        except Exception as error:
            assert in_words(error), f"{name}: {wrong}: {type(error)}: {error}"
            if name not in ("Sequential", "For", "Residual", "Concat"):  # in these the first layers may have succeeded
                assert repr(layer) == before, f"{name}: {wrong}"
                layer(kernel.tensor(row.x))


# --- PyTorch's layers ----------------------------------------------------------------------------------------------


def torch_pairs() -> dict[str, tuple[Callable, Callable, numpy.ndarray]]:
    """(our layer, PyTorch's, input) for each that PyTorch has under the same name."""
    conv = (4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2)
    return {
        "linear": (lambda: layers.Linear(4, 3), lambda nn: nn.Linear(4, 3), VECTORS),
        "linear lazy, no bias": (lambda: layers.Linear(None, 3, False), lambda nn: nn.Linear(9, 3, False), SIGNALS),
        "conv1d": (
            lambda: layers.Conv1d(4, 6, 3, 2, 1, 2, 2),
            lambda nn: nn.Conv1d(4, 6, 3, 2, 1, 2, 2),
            SIGNALS,
        ),
        "conv2d": (lambda: layers.Conv2d(*conv), lambda nn: nn.Conv2d(*conv), IMAGES),
        "conv2d lazy": (lambda: layers.Conv2d(None, 6, 3), lambda nn: nn.Conv2d(4, 6, 3), IMAGES),
        "conv2d same": (
            lambda: layers.Conv2d(4, 6, (3, 5), padding="same"),
            lambda nn: nn.Conv2d(4, 6, (3, 5), padding="same"),
            IMAGES,
        ),
        "conv_transpose2d": (
            lambda: layers.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, True, (1, 2)),
            lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, True, (1, 2)),
            IMAGES,
        ),
        "batch_norm": (lambda: layers.BatchNorm(), lambda nn: nn.BatchNorm2d(4), IMAGES),
        "batch_norm, plain average": (
            lambda: layers.BatchNorm(4, 1e-3, None),
            lambda nn: nn.BatchNorm2d(4, 1e-3, None),
            IMAGES,
        ),
        "batch_norm of vectors": (lambda: layers.BatchNorm(4), lambda nn: nn.BatchNorm1d(4), VECTORS),
        "layer_norm": (lambda: layers.LayerNorm((6, 5), 1e-3), lambda nn: nn.LayerNorm((6, 5), 1e-3), IMAGES),
        "layer_norm lazy": (layers.LayerNorm, lambda nn: nn.LayerNorm((4, 6, 5)), IMAGES),
        "group_norm": (lambda: layers.GroupNorm(2, 4), lambda nn: nn.GroupNorm(2, 4), IMAGES),
        "embedding": (lambda: layers.Embedding(4, 2), lambda nn: nn.Embedding(4, 2), INDICES),
        "max_pool2d": (
            lambda: layers.MaxPool2d((3, 2), (2, 1), (1, 0), True),
            lambda nn: nn.MaxPool2d((3, 2), (2, 1), (1, 0), ceil_mode=True),
            IMAGES,
        ),
        "avg_pool2d": (
            lambda: layers.AvgPool2d((3, 2), (2, 1), (1, 0), True, False),
            lambda nn: nn.AvgPool2d((3, 2), (2, 1), (1, 0), True, count_include_pad=False),
            IMAGES,
        ),
        "avg_pool2d with the padding": (
            lambda: layers.AvgPool2d(3, 2, 1),
            lambda nn: nn.AvgPool2d(3, 2, 1),
            IMAGES,
        ),
    }


@pytest.mark.oracle
@pytest.mark.parametrize("name", torch_pairs())
def test_takes_over_pytorchs_state_and_computes_the_same(name: str):
    """Outputs, gradients and running statistics, over three steps of training and one of evaluation."""
    import torch

    make, make_torch, host = torch_pairs()[name]
    ours, theirs = make(), make_torch(torch.nn)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.tensor(u(*parameter.shape)))
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    for step in range(4):
        if step == 3:
            ours.eval(), theirs.eval()
        data = host if host.dtype.kind == "i" else host * (step + 1)
        x, t = kernel.tensor(data), torch.tensor(data)
        if host.dtype.kind == "f":
            x.requires_grad_(), t.requires_grad_()
        y, z = ours(x), theirs(t)
        numpy.testing.assert_allclose(numbers(y), z.detach().numpy(), rtol=2e-5, atol=2e-5)
        push = u(*y.shape)
        ours.zero_grad(), theirs.zero_grad()
        y.backward(kernel.tensor(push)), z.backward(torch.tensor(push))
        learned = [*ours.parameters(), *([x] if x.requires_grad else [])]
        learned_there = [*theirs.parameters(), *([t] if t.requires_grad else [])]
        for p, q in zip(learned, learned_there, strict=True):
            numpy.testing.assert_allclose(numbers(p.grad), q.grad.numpy(), rtol=2e-4, atol=2e-4)
        for p, q in zip(ours.buffers(), theirs.buffers(), strict=True):
            numpy.testing.assert_allclose(numbers(p), q.numpy(), rtol=1e-5)


# --- CNTK's layers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("window", (1, 2, 3, 4, 5))
@pytest.mark.parametrize("stride", (1, 2, 3))
def test_pad_keeps_the_size_and_puts_the_smaller_half_first(size: int, window: int, stride: int):
    """⌈size / stride⌉ places; the one that sees the first pixel at position (window - 1) // 2 is the first."""
    x = kernel.arange(1, size + 1, dtype="float32").reshape(1, 1, 1, size)
    options = {"strides": (1, stride), "pad": True}
    pick = numpy.zeros((1, 1, 1, window), "float32")
    pick[..., (window - 1) // 2] = 1
    convolve = layers.Convolution2D((1, window), 1, init=pick, bias=False, **options)
    expected = [[[[float(v) for v in range(1, size + 1, stride)]]]]
    assert convolve(x).tolist() == expected and len(expected[0][0][0]) == -(-size // stride)
    assert layers.MaxPooling((1, window), **options)(-x).shape == convolve(x).shape
    for pooling in (layers.MaxPooling, layers.AveragePooling):
        ones = pooling((1, window), **options)(kernel.ones(1, 1, 1, size))
        assert ones.tolist() == kernel.ones(*ones.shape).tolist(), "padding is not counted and never wins"


@pytest.mark.parametrize("window", (1, 2, 3, 4))
@pytest.mark.parametrize("stride", (1, 2, 3))
@pytest.mark.parametrize("dilation", (1, 2))
def test_a_padded_transposed_convolution_multiplies_the_size(window: int, stride: int, dilation: int):
    options = {"strides": (1, stride), "dilation": (1, dilation)}
    x, extent = kernel.ones(1, 2, 1, 5), dilation * (window - 1) + 1
    for pad, size in ((True, 5 * stride), (False, 4 * stride + extent)):
        layer = layers.ConvolutionTranspose2D((1, window), 3, pad=pad, **options)
        assert layer(x).shape == (1, 3, 1, size)


def test_pooling_steps_by_one_and_pads_nothing_unless_told():
    x = kernel.tensor(IMAGES)
    for pooling, function in ((layers.MaxPooling, kernel.max_pool2d), (layers.AveragePooling, kernel.avg_pool2d)):
        alike(pooling(3)(x), function(x, 3, 1))
        with default_options(pad=True):
            assert pooling((3, 3), strides=2)(x).shape == (3, 4, 3, 3)
            assert pooling((3, 3), strides=2, pad=False)(x).shape == (3, 4, 2, 2)


@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
def test_images_without_an_axis_of_channels(layout: str):
    layer = layers.Convolution2D((3, 3), 5, reduction_rank=0, layout=layout)
    assert layer.W.shape == (5, 1, 3, 3), "known at once"
    x = kernel.tensor(IMAGES[:, 0])
    y = layer(x)
    expected = kernel.conv2d(x.unsqueeze(1), layer.W, layer.b)
    alike(y, expected if layout == "NCHW" else expected.permute(0, 2, 3, 1))
    with pytest.raises(ShapeError, match="conv2d: argument x should have shape"):
        layer(kernel.tensor(IMAGES))


def test_dense_takes_whole_samples_or_maps_over_their_first_axes():
    x = kernel.tensor(IMAGES)
    for map_rank in (None, 0, 1, 2):
        layer = Dense(7, map_rank=map_rank)
        y, kept = layer(x), 1 + (map_rank or 0)
        assert layer.W.shape == (*x.shape[kept:], 7) and y.shape == (*x.shape[:kept], 7)
        expected = numbers(x).reshape(*x.shape[:kept], -1) @ numbers(layer.W).reshape(-1, 7) + numbers(layer.b)
        numpy.testing.assert_allclose(numbers(y), expected, rtol=1e-5, atol=1e-6)
    bare = Dense(7, bias=False)
    assert bare.b is None and bare(x).shape == (3, 7) and [name for name, _ in bare.named_parameters()] == ["W"]
    with pytest.raises(ShapeError, match=r"^dense: argument x should have 3 axes and then those that are multiplied"):
        Dense(7, map_rank=2)(x[0])
    with pytest.raises(ShapeError, match=r"^dense: argument weight should have shape \(3, 7\)"):
        layer(kernel.ones(2, 4, 6, 3))


def cntk_share(constant: float, batch: int, seen: int) -> float:
    """The share of a batch in CNTK's running statistics, when ``seen`` samples have been before."""
    if constant < 0:
        return batch / (seen + batch)
    return 1 - math.exp(-batch / constant) if constant else 1.0


@pytest.mark.parametrize("constant", (-1, 0, 3, 5000))
def test_running_statistics_by_a_time_constant(constant: float):
    layer = layers.BatchNormalization(normalization_time_constant=constant, epsilon=1e-3)
    mean, variance, seen = numpy.zeros(4), numpy.ones(4), 0
    for batch in (6, 2, 5, 3):
        host = u(batch, 4)
        layer(kernel.tensor(host))
        share = cntk_share(constant, batch, seen)
        mean = (1 - share) * mean + share * host.mean(axis=0)
        variance = (1 - share) * variance + share * host.var(axis=0, ddof=1)
        seen += batch
        numpy.testing.assert_allclose(numbers(layer.running_mean), mean, rtol=1e-4)
        numpy.testing.assert_allclose(numbers(layer.running_var), variance, rtol=1e-4)
    assert layer.num_batches_tracked.item() == 16, "CNTK counts samples"
    host = u(3, 4)
    expected = (host - mean) / numpy.sqrt(variance + 1e-3)
    numpy.testing.assert_allclose(numbers(layer.eval()(kernel.tensor(host))), expected, rtol=1e-3, atol=1e-4)


def test_default_options_nest_and_give_way():
    with default_options(activation=kernel.relu, init=1, bias=False):
        with default_options(activation=kernel.tanh, pad=True):
            inner, other = Dense(2), layers.Convolution2D((3, 3), 2, activation=None, bias=True, init_bias=3)
        outer, plain = Dense(2, init=5), layers.Linear(2)
    assert inner.activation is kernel.tanh and inner.b is None
    assert other.activation is None and other(kernel.zeros(1, 1, 4, 4)).shape == (1, 2, 4, 4) and other.b[0].item() == 3
    assert outer.activation is kernel.relu
    assert plain.bias is not None, "PyTorch's names keep PyTorch's rules"
    x = kernel.ones(1, 3)
    assert inner(x)[0, 0].item() == pytest.approx(math.tanh(3)) and outer(x)[0, 0].item() == 15
    with pytest.raises(ZeroDivisionError), default_options(activation=kernel.relu):
        raise ZeroDivisionError
    assert Dense(2).activation is None, "the options end with their block, however it ends"
    with pytest.raises(DtypeError, match=r"^default_options: there is no option padding; there are activation, "):
        default_options(padding=True).__enter__()


@pytest.mark.parametrize("make", (Dense, lambda n, **a: layers.Convolution2D(1, n, **a)))
def test_an_activation_is_any_function_a_layer_or_none(make: Callable):
    """Dense and convolutions alike; a layer may have parameters of its own."""
    x = kernel.tensor(IMAGES) - 1
    kernel.manual_seed(1)
    expected = make(5, activation=None)(x)
    for activation in (
        lambda x: kernel.element_max(x, 0),
        kernel.relu,
        layers.ReLU(),
        layers.ReLU,
        Sequential(kernel.relu, layers.Identity()),
    ):
        kernel.manual_seed(1)
        alike(make(5, activation=activation)(x), expected.relu())
    layer = make(5, activation=layers.BatchNorm())
    layer(x)
    assert [name for name, _ in layer.named_parameters()][-2:] == ["activation.weight", "activation.bias"]
    with pytest.raises(DtypeError, match=r"activation must be a function .* but 'relu' came; write kernel.relu, "):
        make(5, activation="relu")


def test_sequential_is_flat_fixed_and_sliced():
    first, second = Dense(3), Dense(2)
    net = Sequential([first, [kernel.tanh, [second]]])
    assert [*net] == [net[0], net[1], net[2]] and net[0] is first and net[-1] is second and len(net) == 3
    part = net[:2]
    assert isinstance(part, Sequential) and part[0] is first and len(net[::-1]) == 3 and len(net[5:]) == 0
    x = kernel.ones(1, 4)
    alike(net(x), second(first(x).tanh()))
    alike(Sequential()(x), x)
    for change in (
        lambda: setattr(net, "layers", ()),
        lambda: setattr(net, "extra", second),
        lambda: setattr(net, "training", False),
    ):
        with pytest.raises(DtypeError, match=r"^Sequential: it cannot be changed"):
            change()
    with pytest.raises(TypeError):
        net[0] = second
    assert not hasattr(net, "Add") and not hasattr(net, "append")
    for index in (3, -4, "0", 1.5, None):
        with pytest.raises(ShapeError, match=r"^Sequential: there is no layer .*; there are 3, numbered from 0"):
            net[index]
    for wrong, words in ((Dense, "Dense is a class; make a layer of it, as Dense()"), (3, "but 3 came")):
        with pytest.raises(DtypeError) as caught:
            Sequential(first, [wrong])
        assert words in str(caught.value)


def test_for_makes_layers_of_steps():
    nets = (
        For(range(1, 4), lambda i: [Dense(i), kernel.relu]),
        For([1, 2, 3], lambda i: Sequential(Dense(i), kernel.relu)),
        For(iter((1, 2, 3)), lambda i: Dense(i, activation=kernel.relu)),
    )
    x = kernel.ones(2, 5)
    assert [len(net) for net in nets] == [6, 3, 3] and all(net(x).shape == (2, 3) for net in nets)
    same = For(2, lambda: Dense(5))
    assert same[0] is not same[1] and len(same) == 2
    layer = Dense(5)
    shared = For(2, lambda: layer)
    shared(x)
    assert shared[0] is shared[1] and len(list(shared.parameters())) == 2
    assert len(For(0, lambda i: Dense(i))) == 0


def test_what_residual_and_concat_hold_learns():
    net = layers.Residual(Dense(3), kernel.tanh, shortcut=layers.Concat(Dense(1), [Dense(4), Dense(2)]))
    net(kernel.ones(2, 5)).sum().backward()
    assert [name for name, _ in net.named_parameters()] == [
        f"{where}.{which}"
        for where in ("inside.0", "shortcut.0.branches.0.0", "shortcut.0.branches.1.0", "shortcut.0.branches.1.1")
        for which in ("W", "b")
    ]
    assert all(p.grad is not None for p in net.parameters())
    with pytest.raises(DtypeError, match=r"^Concat: give at least one branch"):
        layers.Concat()


def test_embedding_of_indices_of_one_hot_rows_and_of_sparse_ones():
    """The seed's way: a product with one-hot rows, which says how many classes there are."""
    indices = kernel.tensor([1, 3, 3])
    dense, sparse = kernel.one_hot(indices, 5), kernel.SparseTensor.one_hot(indices, 5)
    rows = [layer(x) for x in (dense, sparse) for layer in (layers.Embedding(2, init=kernel.eye(5)[:, :2]),)]
    alike(*rows)
    table = layers.Embedding(5, 2)
    for x in (dense, sparse):
        alike(table(x), table(indices))
    with pytest.raises(ShapeError, match=r"^Embedding: class indices .*, as Embedding\(1000, 2\)"):
        layers.Embedding(2)(indices)
    for x in (dense, sparse):
        kernel.manual_seed(0)
        lazily, by_linear = layers.Embedding(2, init=1), layers.Linear(None, 2, False)
        by_linear.initialise(1)
        alike(lazily(x), by_linear(x))


def test_dropout_only_drops_while_training():
    layer, x = layers.Dropout(keep_prob=0.75, seed=1), kernel.ones(40, 50)
    y = layer(x)
    assert 0.2 < (y == 0).float().mean().item() < 0.3 and y.max().item() == pytest.approx(4 / 3)
    assert bool((layer(x) != y).any()) and layer.eval()(x) is x
    assert layers.Dropout(1)(x).sum().item() == 0 and layers.Dropout(0)(x) is x
    for wrong in ((), (0.5, 0.5)):
        with pytest.raises(DtypeError, match=r"^Dropout: give dropout_rate or keep_prob, one of the two"):
            layers.Dropout(*wrong)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_loss_as_a_layer_is_torchs(reduction):
    import torch

    rng = numpy.random.default_rng(0)
    logits, labels = rng.standard_normal((6, 4)).astype("float32"), rng.integers(0, 4, 6)
    ours = layers.CrossEntropyLoss(reduction)(kernel.tensor(logits), kernel.tensor(labels))
    theirs = torch.nn.CrossEntropyLoss(reduction=reduction)(torch.tensor(logits), torch.tensor(labels))
    numpy.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
