"""Networks that train to the same losses on every device.

On the strict device every number is computed by the same code in the same order, so the losses are equal. A GPU adds up
in another order: there each loss may differ by 1e-3 of its size after twenty steps in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy
import pytest

import kernel
from kernel import layers
from kernel.xp import device as device_of

TOLERANCE = {"strict": 0.0, "gpu:0": 1e-3}
PLACES = [
    "strict",
    pytest.param(
        "gpu:0",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not kernel.gpu_available(), reason="no GPU here")],
    ),
]
STEPS = 20
rng = numpy.random.default_rng(4)
IMAGES = rng.random((32, 1, 12, 12), "float32")
VECTORS = rng.random((32, 6), "float32")
SIGNALS = rng.random((32, 3, 9), "float32")
LABELS = rng.integers(0, 3, 32)


class Recurrent(kernel.Module):
    """The last state of a sequence, classified; the samples' features are taken for its steps."""

    def __init__(self, gates: int):
        self.gates = gates
        draw = kernel.initialisers.glorot_uniform()
        self.w = kernel.Parameter(draw((1, 8 * gates), fan_in=1, fan_out=8))
        self.h = kernel.Parameter(draw((8, 8 * (2 if gates == 3 else gates)), fan_in=8, fan_out=8))
        self.candidate = kernel.Parameter(draw((8, 8), fan_in=8, fan_out=8))
        self.out = layers.Linear(8, 3)

    def forward(self, x):
        steps = x.T.unsqueeze(-1)
        if self.gates == 1:
            _, last = kernel.rnn(steps, None, self.w, self.h, activation="tanh")
        elif self.gates == 3:
            _, last = kernel.gru(steps, None, self.w, self.h, self.candidate)
        else:
            _, last, _ = kernel.lstm(steps, None, None, self.w, self.h)
        return self.out(last)


NETWORKS: dict[str, tuple[Callable[[], kernel.Module], numpy.ndarray]] = {
    "dense": (lambda: layers.Sequential(layers.Linear(6, 16), kernel.relu, layers.Dense(3)), VECTORS),
    "convolutional": (
        lambda: layers.Sequential(
            layers.Convolution2D((3, 3), 4, pad=True),
            layers.BatchNorm(),
            kernel.tanh,
            layers.MaxPooling((3, 3), strides=2, pad=True),
            layers.Conv2d(4, 6, 3, groups=2, stride=2),
            kernel.leaky_relu,
            layers.AveragePooling((2, 2)),
            layers.Dropout(0.25, seed=3),
            layers.Dense(3),
        ),
        IMAGES,
    ),
    "up and down": (
        lambda: layers.Sequential(
            layers.ConvTranspose2d(1, 2, 3, stride=2),
            layers.GroupNorm(2),
            layers.Residual(layers.Convolution2D((3, 3), 2, activation=kernel.gelu, pad=True)),
            layers.Concat(layers.GlobalMaxPooling(), layers.GlobalAveragePooling()),
            layers.LayerNorm(),
            layers.Linear(4, 3),
        ),
        IMAGES,
    ),
    "signals": (
        lambda: layers.Sequential(layers.Conv1d(3, 5, 3), kernel.elu, layers.Flatten(), layers.Dense(3)),
        SIGNALS,
    ),
    "rnn": (lambda: Recurrent(1), VECTORS),
    "gru": (lambda: Recurrent(3), VECTORS),
    "lstm": (lambda: Recurrent(4), VECTORS),
}


def losses(make: Callable[[], kernel.Module], inputs: numpy.ndarray, place: str) -> list[float]:
    """The losses of twenty steps of gradient descent, from the same seed on every device."""
    kernel.manual_seed(0)
    net = make()
    net(kernel.tensor(inputs[:2]))  # on the CPU, so that every parameter has its size before it moves
    kernel.manual_seed(1)
    net = net.to(place)
    x, labels = kernel.tensor(inputs, device=place), kernel.tensor(LABELS, device=place)
    found = []
    for _ in range(STEPS):
        loss = kernel.cross_entropy(net(x), labels)
        loss.backward()
        with kernel.no_grad():
            for parameter in net.parameters():
                if parameter.grad is not None:
                    parameter -= 0.2 * parameter.grad
        net.zero_grad()
        found.append(loss.item())
    device_of(place).synchronise()
    return found


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_alike_on_every_device(name: str, place: str) -> None:
    make, inputs = NETWORKS[name]
    here, there = losses(make, inputs, "cpu"), losses(make, inputs, place)
    assert here[-1] < here[0], "it does not learn"
    numpy.testing.assert_allclose(there, here, rtol=TOLERANCE[place], atol=0)


@pytest.mark.parametrize("place", PLACES)
def test_random_numbers_are_the_same_on_every_device(place: str) -> None:
    for draw in (kernel.rand, kernel.randn):
        a, b = (draw(50, device=p, generator=kernel.Generator(5)).cpu().numpy() for p in ("cpu", place))
        numpy.testing.assert_array_equal(a, b)
    x = numpy.ones((20, 30), "float32")
    a, b = (
        kernel.dropout(kernel.tensor(x, device=p), 0.5, generator=kernel.Generator(5)).cpu().numpy()
        for p in ("cpu", place)
    )
    numpy.testing.assert_array_equal(a, b)


@pytest.mark.gpu
@pytest.mark.skipif(not kernel.gpu_available(), reason="no GPU here")
def test_memory_and_streams_of_a_gpu() -> None:
    before = kernel.memory("gpu:0")
    x = kernel.ones(1024, 1024, device="gpu:0")
    after = kernel.memory("gpu:0")
    assert after.used - before.used == 4 * 2**20 and after.held >= after.used and 0 < after.free <= after.total
    assert "MiB" in str(after)
    with kernel.stream("gpu:0"):
        y = (x * 2).sum()
    kernel.synchronise("gpu:0")
    assert y.item() == 2 * 2**20


def test_the_host_has_no_memory_report_and_needs_no_stream() -> None:
    for place in ("cpu", "strict"):
        with pytest.raises(kernel.DeviceError, match=f"of {place} the operating system"):
            kernel.memory(place)
        kernel.synchronise(place)
        with kernel.stream(place):
            assert (kernel.ones(2, device=place) + 1).tolist() == [2, 2]
    if not kernel.gpu_available():
        for ask in (kernel.memory, kernel.stream, kernel.synchronise):
            with pytest.raises(kernel.DeviceError, match="there is no device 'gpu:0'"):
                ask()
