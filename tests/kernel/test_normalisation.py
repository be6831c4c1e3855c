"""Batch normalisation over several steps: running statistics, both ways of using them, and the order in memory."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest

import kernel

rng = numpy.random.default_rng(4)


def batches(*shape: int, count: int = 4) -> list[numpy.ndarray]:
    return [(rng.standard_normal(shape) * 3 + 5).astype("float32") for _ in range(count)]


@pytest.mark.oracle
@pytest.mark.parametrize("shape", ((6, 3), (6, 3, 4), (6, 3, 4, 2)))
@pytest.mark.parametrize("momentum", (0.1, 1.0, 0))
def test_running_statistics_are_torchs(shape: tuple, momentum: float):
    import torch

    mean, var = kernel.zeros(3), kernel.ones(3)
    their_mean, their_var = torch.zeros(3), torch.ones(3)
    scale, bias = (rng.standard_normal(3).astype("float32") for _ in range(2))
    for training in (True, True, True, False):
        (x,) = batches(*shape, count=1)
        arguments = (kernel.tensor(scale), kernel.tensor(bias), mean, var)
        y = kernel.batch_norm(kernel.tensor(x), *arguments, training=training, momentum=momentum)
        theirs = torch.nn.functional.batch_norm(
            torch.tensor(x), their_mean, their_var, torch.tensor(scale), torch.tensor(bias), training, momentum
        )
        tolerance = {"rtol": 1e-5, "atol": 1e-5}
        numpy.testing.assert_allclose(y.numpy(), theirs.numpy(), **tolerance)
        numpy.testing.assert_allclose(mean.numpy(), their_mean.numpy(), **tolerance)
        numpy.testing.assert_allclose(var.numpy(), their_var.numpy(), **tolerance)


def test_any_share_of_the_batch_may_be_used():
    """CNTK's rules are shares that change: n / (count + n) makes the plain average of all batches."""
    data = batches(6, 2)
    mean, var, count = kernel.zeros(2), kernel.zeros(2), 0
    for x in data:
        kernel.batch_norm(kernel.tensor(x), None, None, mean, var, momentum=len(x) / (count + len(x)))
        count += len(x)
    numpy.testing.assert_allclose(mean.numpy(), numpy.concatenate(data).mean(axis=0), rtol=1e-5)
    numpy.testing.assert_allclose(var.numpy(), numpy.mean([x.var(axis=0, ddof=1) for x in data], axis=0), rtol=1e-5)
    share = 1 - math.exp(-6 / 100)
    before = mean.tolist()
    kernel.batch_norm(kernel.tensor(data[0]), None, None, mean, var, momentum=share)
    expected = (1 - share) * numpy.array(before) + share * data[0].mean(axis=0)
    numpy.testing.assert_allclose(mean.numpy(), expected, rtol=1e-5)


def test_running_statistics_have_no_history():
    x = kernel.tensor(batches(6, 2, count=1)[0], requires_grad=True)
    mean, var = kernel.zeros(2), kernel.ones(2)
    kernel.batch_norm(x, None, None, mean, var).sum().backward()
    assert not mean.requires_grad and not var.requires_grad
    x.grad = None
    kernel.batch_norm(x, None, None, mean, var, training=False).sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), numpy.broadcast_to(1 / numpy.sqrt(var.numpy() + 1e-5), x.shape), 1e-5)


@pytest.mark.parametrize("order", ((0, 1, 2, 3), (1, 2, 3, 0), (0, 2, 3, 1), (3, 1, 0, 2)))
def test_the_order_in_memory_is_kept(order: tuple):
    """In y and in the gradient; the values are those of any other order."""
    data, push = rng.standard_normal((2, 4, 3, 5, 2))

    def laid_out(array: numpy.ndarray) -> numpy.ndarray:
        return numpy.ascontiguousarray(array.transpose(order)).transpose(numpy.argsort(order))

    given = laid_out(data)
    leaf = kernel.from_numpy(given).requires_grad_()
    y = kernel.batch_norm(leaf)
    assert y._array.strides == given.strides
    zeros = numpy.zeros(3)
    (g,) = y.grad_fn.parts((laid_out(push), zeros, zeros))
    assert g.strides == given.strides
    plain = kernel.tensor(data, requires_grad=True)
    expected = kernel.batch_norm(plain)
    expected.backward(kernel.tensor(push))
    numpy.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    numpy.testing.assert_allclose(g, plain.grad.numpy(), rtol=1e-10)


def test_wrong_calls_of_batch_norm():
    x, one = kernel.ones(4, 3), kernel.ones(3)
    for call, words in (
        (lambda: kernel.batch_norm(x, running_mean=one), "both or neither"),
        (lambda: kernel.batch_norm(x, training=False), "there must be a running_mean"),
        (lambda: kernel.batch_norm(x, None, None, kernel.ones(1), one), r"running_mean should have shape \(3,\)"),
        (lambda: kernel.batch_norm(x, None, None, one, kernel.ones(4, 3), False), r"running_var should have shape"),
        (lambda: kernel.batch_norm(one, None, None, one, one, False), r"should have shape \(N, C, …\)"),
        (lambda: kernel.batch_norm(x, one, one, one, one, True, 1.5), "momentum must be from 0 to 1"),
    ):
        with pytest.raises((kernel.ShapeError, kernel.DtypeError), match=f"^batch_norm: .*{words}"):
            call()
    with pytest.raises(kernel.ShapeError, match="no variance"):
        kernel.batch_norm(kernel.ones(1, 3), None, None, one, one)
    assert one.tolist() == [1.0, 1.0, 1.0], "statistics changed by a call that failed"


@pytest.mark.parametrize("shape", [(4, 6), (4, 5, 6), (4, 3, 5, 6)], ids=str)
def test_channels_may_stand_last(shape: tuple):
    """EN05: the same numbers, and the same gradients, in either layout."""
    x = kernel.randn(*shape, dtype="float64", generator=kernel.Generator(0))
    scale, bias = (kernel.randn(6, dtype="float64", generator=kernel.Generator(seed)) for seed in (1, 2))
    pull = kernel.randn(*shape, dtype="float64", generator=kernel.Generator(3))
    first = (0, len(shape) - 1, *range(1, len(shape) - 1))  # the axes of x, channels first
    running = {"running_mean": bias, "running_var": scale * scale, "training": False}
    for function in (
        lambda t, **layout: kernel.batch_norm(t, scale, bias, **layout),
        lambda t, **layout: kernel.batch_norm(t, scale, bias, **running, **layout),
        lambda t, **layout: kernel.group_norm(t, 2, scale, bias, **layout),
    ):
        here, there = x.clone().requires_grad_(), x.clone().requires_grad_()
        last, moved = function(here, layout="NHWC"), function(there.permute(first))
        numpy.testing.assert_allclose(last.detach().permute(first).numpy(), moved.detach().numpy(), rtol=1e-12)
        last.backward(pull)
        moved.backward(pull.permute(first))
        numpy.testing.assert_allclose(here.grad.numpy(), there.grad.numpy(), rtol=1e-12)
    with pytest.raises(kernel.DtypeError, match=r'layout must be "NCHW" or "NHWC", but .NCWH. came'):
        kernel.group_norm(x, 2, layout="NCWH")


@pytest.mark.parametrize(
    ("var", "words"),
    (
        (kernel.ones(3, dtype="int64"), "running_var must be of a float dtype"),
        (kernel.ones(3, requires_grad=True), "running_var requires a gradient"),
        (kernel.ones(3, device="strict"), "running_var is on strict, but x is on cpu"),
    ),
)
def test_no_running_statistic_changes_where_one_of_them_cannot(var: Any, words: str):
    mean = kernel.zeros(3)
    with pytest.raises((kernel.DtypeError, kernel.GradError, kernel.DeviceError), match=f"^batch_norm: .*{words}"):
        kernel.batch_norm(kernel.tensor(batches(6, 3, count=1)[0]), None, None, mean, var)
    assert mean.tolist() == [0, 0, 0]
