"""Convolutions and pooling as functions: any sizes, any order in memory, block by block, channels first or last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import kernel
from kernel import DtypeError, ShapeError
from kernel.xp import device as device_of

rng = numpy.random.default_rng(5)


def u(*shape: int) -> numpy.ndarray:
    return rng.uniform(-1, 1, shape)


IMAGES, WEIGHT, BIAS = u(3, 4, 7, 6), u(6, 2, 3, 2), u(6)
SIGNALS = u(3, 4, 9)
# Calls of every function: name: (its function of tensors, the arrays).
CALLS: dict[str, tuple[Callable, tuple[numpy.ndarray, ...]]] = {
    "conv2d": (
        lambda x, w, b, **more: kernel.conv2d(x, w, b, (2, 1), ((1, 0), (0, 1)), (1, 2), 2, **more),
        (IMAGES, WEIGHT, BIAS),
    ),
    "conv_transpose2d": (
        lambda x, w, b, **more: kernel.conv_transpose2d(x, w, b, (2, 3), (1, 0), (1, 2), 2, **more),
        (IMAGES, u(4, 3, 3, 2), BIAS),
    ),
    "max_pool2d": (lambda x, **more: kernel.max_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True, **more), (IMAGES,)),
    "avg_pool2d": (lambda x, **more: kernel.avg_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True, **more), (IMAGES,)),
    "global_max_pool": (kernel.global_max_pool, (IMAGES,)),
    "global_average_pool": (kernel.global_average_pool, (IMAGES,)),
    "conv1d": (lambda x, w, b: kernel.conv1d(x, w, b, 2, (1, 2), 2, 2), (SIGNALS, u(6, 2, 3), BIAS)),
    "max_pool1d": (lambda x: kernel.max_pool1d(x, 3, 2, 1, ceil_mode=True), (SIGNALS,)),
    "avg_pool1d": (lambda x: kernel.avg_pool1d(x, 3, 2, 1, ceil_mode=True), (SIGNALS,)),
}
OF_IMAGES = [name for name in CALLS if name not in ("conv1d", "max_pool1d", "avg_pool1d")]


def evaluated(function: Callable, arrays: Any, place: str = "cpu", copy: bool = True, **more: Any) -> list:
    """What comes out, and the gradients of its sum with fixed weights, as arrays."""
    make = kernel.tensor if copy else lambda a, **_: kernel.from_numpy(a)
    tensors = [make(a, device=place).requires_grad_() for a in arrays]
    y = function(*tensors, **more)
    weights = numpy.random.default_rng(1).uniform(0.5, 1.5, y.shape)
    (y * kernel.tensor(weights, device=place)).sum().backward()
    return [t.detach().cpu().numpy() for t in (y, *(t.grad for t in tensors))]


def assert_alike(a: list, b: list, tolerance: float = 1e-12) -> None:
    for one, other in zip(a, b, strict=True):
        numpy.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("place", ("cpu", "strict"))
@pytest.mark.parametrize("name", OF_IMAGES)
def test_channels_last_give_the_same_numbers_and_gradients(name: str, place: str):
    function, (x, *others) = CALLS[name]
    tensors = [kernel.tensor(a, device=place, requires_grad=True) for a in (x, *others)]
    turned = [kernel.tensor(a, device=place, requires_grad=True) for a in (x.transpose(0, 2, 3, 1), *others)]
    y, z = function(*tensors), function(*turned, layout="NHWC")
    pooled = y.ndim == 4
    push = u(*y.shape)
    y.backward(kernel.tensor(push, device=place))
    z.backward(kernel.tensor(push.transpose(0, 2, 3, 1) if pooled else push, device=place))
    back = [z.permute(0, 3, 1, 2) if pooled else z, turned[0].grad.permute(0, 3, 1, 2), *(t.grad for t in turned[1:])]
    assert_alike(
        [t.detach().cpu().numpy() for t in (y, *(t.grad for t in tensors))], [t.detach().cpu().numpy() for t in back]
    )


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_wrong_layout_or_number_of_axes(name: str):
    function, (x, *others) = CALLS[name]
    rest = [kernel.tensor(other) for other in others]
    with pytest.raises(DtypeError, match=f'^{name}: layout must be "NCHW" or "NHWC", but .CHWN. came'):
        function(kernel.tensor(x), *rest, layout="CHWN")
    for layout, wanted in (("NCHW", r"\(N, C, H, W\)"), ("NHWC", r"\(N, H, W, C\)")):
        with pytest.raises(
            ShapeError, match=rf"^{name}: argument x should have shape {wanted}.* has shape \(4, 7, 6\)"
        ):
            function(kernel.tensor(x[0]), *rest, layout=layout)
    with pytest.raises(DtypeError, match=f"^{name}: "):
        function(None, *rest)


@pytest.mark.parametrize("workspace", (1, 200, 3000))
@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("global")])
def test_block_by_block_gives_the_same_numbers(name: str, workspace: int, monkeypatch: pytest.MonkeyPatch):
    """Blocks of one place, of some places, of some rows."""
    function, arrays = CALLS[name]
    expected = evaluated(function, arrays)
    for place in ("cpu", "strict"):
        monkeypatch.setattr(device_of(place).xp, "WORKSPACE", workspace)
        monkeypatch.setattr(device_of(place).xp, "CACHE", workspace)
        assert_alike(evaluated(function, arrays, place), expected)


@pytest.mark.parametrize("order", ((0, 1, 2, 3), (1, 2, 3, 0), (0, 2, 3, 1), (3, 2, 1, 0)))
@pytest.mark.parametrize("name", OF_IMAGES)
def test_the_order_in_memory_changes_nothing(name: str, order: tuple):
    """Batch-last is what convolutions give, channels-last what the transposed view of other data is."""
    function, (x, *others) = CALLS[name]
    laid_out = numpy.ascontiguousarray(x.transpose(order)).transpose(numpy.argsort(order))
    assert laid_out.strides != x.strides or order == (0, 1, 2, 3)
    assert_alike(evaluated(function, (laid_out, *others), copy=False), evaluated(function, (x, *others)))


@pytest.mark.parametrize("name", CALLS)
def test_an_empty_batch(name: str):
    function, (x, *others) = CALLS[name]
    full = evaluated(function, (x, *others))
    y, g, *rest = evaluated(function, (x[:0], *others))
    assert y.shape == (0, *full[0].shape[1:]) and g.shape == (0, *x.shape[1:])
    assert all(not part.any() and part.shape == other.shape for part, other in zip(rest, others, strict=True))


@pytest.mark.parametrize("name", CALLS)
def test_a_batch_is_its_samples(name: str):
    function, (x, *others) = CALLS[name]
    y, g, *rest = evaluated(function, (x, *others))
    push = numpy.random.default_rng(1).uniform(0.5, 1.5, y.shape)
    total = [numpy.zeros_like(part) for part in rest]
    for k in range(len(x)):
        tensors = [kernel.tensor(a, requires_grad=True) for a in (x[k : k + 1], *others)]
        one = function(*tensors)
        one.backward(kernel.tensor(push[k : k + 1]))
        assert_alike([one.detach().numpy(), tensors[0].grad.numpy()], [y[k : k + 1], g[k : k + 1]])
        for part, t in zip(total, tensors[1:], strict=True):
            part += t.grad.numpy()
    assert_alike(total, rest)


def test_padding_in_all_its_spellings():
    x, w = kernel.tensor(IMAGES), kernel.tensor(u(2, 4, 3, 2))
    for padding, pairs in (
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, 2], ((1, 1), (2, 2))),
        ("valid", ((0, 0), (0, 0))),
        ("same", ((1, 1), (0, 1))),
        ([[1, 0], (2, 1)], ((1, 0), (2, 1))),
    ):
        expected = kernel.conv2d(kernel.pad(x, ((0, 0), (0, 0), *pairs)), w)
        numpy.testing.assert_allclose(kernel.conv2d(x, w, padding=padding).numpy(), expected.numpy(), atol=1e-12)
    signals, w1 = kernel.tensor(SIGNALS), kernel.tensor(u(2, 4, 4))
    for padding, pair in ((1, (1, 1)), ((2, 0), (2, 0)), ("same", (1, 2)), ((1,), (1, 1))):
        expected = kernel.conv1d(kernel.pad(signals, ((0, 0), (0, 0), pair)), w1)
        numpy.testing.assert_allclose(kernel.conv1d(signals, w1, padding=padding).numpy(), expected.numpy(), atol=1e-12)
    for padding in ("full", (1, 2, 3), ((1, 2), 3), 1.5, None, True):
        with pytest.raises(DtypeError, match=r"^conv2d: padding must be "):
            kernel.conv2d(x, w, padding=padding)


def test_a_transposed_convolution_is_the_transpose():
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩, for whatever x and g."""
    options = {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    w = kernel.tensor(u(6, 2, 3, 2))
    x = kernel.tensor(u(2, 4, 7, 9))
    y = kernel.conv2d(x, w, **options)
    g = kernel.tensor(u(*y.shape))
    back = kernel.conv_transpose2d(g, w, output_padding=(0, 0), **options)
    assert (y * g).sum().item() == pytest.approx((x * back).sum().item())
    with pytest.raises(ShapeError, match=r"^conv_transpose2d: output_padding must be 0 or more and less than the str"):
        kernel.conv_transpose2d(g, w, output_padding=(2, 0), **options)


def test_weights_without_a_kernel_are_refused():
    for shape in ((6, 4, 0, 3), (6, 4, 3, 0)):
        with pytest.raises(ShapeError, match=r"^conv2d: argument weight should hold kernels of 1 or more"):
            kernel.conv2d(kernel.tensor(IMAGES), kernel.zeros(*shape))


def test_of_equal_values_the_first_gets_the_gradient_and_padding_never():
    x = kernel.full((1, 1, 3, 3), -5.0, requires_grad=True)
    y = kernel.max_pool2d(x, 3, 3, 1)
    assert y.tolist() == [[[[-5.0]]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]]


# --- against torch ---------------------------------------------------------------------------------------------------

sizes, few = st.integers(1, 7), st.integers(1, 3)
pairs = st.tuples(few, few)


@st.composite
def convolutions(draw: st.DrawFn) -> dict[str, Any]:
    groups = draw(few)
    return {
        "x": (draw(st.integers(0, 3)), groups * draw(st.integers(1, 2)), draw(sizes), draw(sizes)),
        "out": groups * draw(st.integers(1, 2)),
        "kernel": draw(pairs),
        "stride": draw(pairs),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": draw(pairs),
        "groups": groups,
    }


def torch_evaluated(function: Callable, arrays: Any) -> list:
    import torch

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*tensors)
    weights = numpy.random.default_rng(1).uniform(0.5, 1.5, tuple(y.shape))
    (y * torch.tensor(weights)).sum().backward()
    return [t.detach().numpy() for t in (y, *(t.grad for t in tensors))]


@pytest.mark.oracle
@settings(max_examples=150, deadline=None)
@given(case=convolutions())
def test_any_convolution_is_torchs(case: dict):
    import torch

    _, channels, *size = case["x"]
    extents = [d * (k - 1) + 1 for k, d in zip(case["kernel"], case["dilation"], strict=True)]
    assume(all(s + 2 * p >= e for s, p, e in zip(size, case["padding"], extents, strict=True)))
    options = {key: case[key] for key in ("stride", "padding", "dilation", "groups")}
    arrays = (u(*case["x"]), u(case["out"], channels // case["groups"], *case["kernel"]), u(case["out"]))
    ours = evaluated(lambda x, w, b: kernel.conv2d(x, w, b, **options), arrays)
    assert_alike(ours, torch_evaluated(lambda x, w, b: torch.nn.functional.conv2d(x, w, b, **options), arrays), 1e-9)


@pytest.mark.oracle
@settings(max_examples=100, deadline=None)
@given(case=convolutions(), extra=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_any_transposed_convolution_is_torchs(case: dict, extra: tuple):
    import torch

    n, channels, *size = case["x"]
    options = {key: case[key] for key in ("stride", "padding", "dilation", "groups")}
    assume(all(e < s for e, s in zip(extra, case["stride"], strict=True)))
    made = [
        (s - 1) * step - 2 * p + d * (k - 1) + 1 + e
        for s, step, p, d, k, e in zip(
            size, case["stride"], case["padding"], case["dilation"], case["kernel"], extra, strict=True
        )
    ]
    assume(n and min(made) > 0)
    arrays = (u(*case["x"]), u(channels, case["out"] // case["groups"], *case["kernel"]), u(case["out"]))
    options["output_padding"] = extra
    ours = evaluated(lambda x, w, b: kernel.conv_transpose2d(x, w, b, **options), arrays)
    theirs = torch_evaluated(lambda x, w, b: torch.nn.functional.conv_transpose2d(x, w, b, **options), arrays)
    assert_alike(ours, theirs, 1e-9)


@pytest.mark.oracle
@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 2), sizes, sizes),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    ceil=st.booleans(),
    include_pad=st.booleans(),
)
def test_any_pooling_is_torchs(shape, window, stride, padding, ceil, include_pad):
    import torch

    functional = torch.nn.functional
    assume(all(p <= k // 2 for p, k in zip(padding, window, strict=True)))
    assume(all(s + 2 * p >= k for s, p, k in zip(shape[2:], padding, window, strict=True)))
    arrays = (u(*shape),)
    assert_alike(
        evaluated(lambda x: kernel.max_pool2d(x, window, stride, padding, ceil_mode=ceil), arrays),
        torch_evaluated(lambda x: functional.max_pool2d(x, window, stride, padding, ceil_mode=ceil), arrays),
    )
    assert_alike(
        evaluated(
            lambda x: kernel.avg_pool2d(x, window, stride, padding, ceil_mode=ceil, count_include_pad=include_pad),
            arrays,
        ),
        torch_evaluated(lambda x: functional.avg_pool2d(x, window, stride, padding, ceil, include_pad), arrays),
    )
