"""The workloads as one types them with the kernel. See workloads.py for what they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import kernel
from kernel.xp import device as device_of

from .workloads import (
    CLASSES,
    DENSE,
    GUIDED_TOUR,
    IMAGE,
    LEARNERS,
    LENET,
    MILLION,
    RATE,
    Step,
    arrays,
    raw,
    recurrent_arrays,
    samples,
    sequences,
)


def workloads(device: str) -> dict[str, Callable[..., Step]]:
    """All of them, on ``device``."""

    def parameters(numbers: list) -> list:
        return [kernel.tensor(array, device=device, requires_grad=True) for array in numbers]

    def batch(given: tuple) -> list:
        return [kernel.tensor(array, device=device) for array in given]

    def learning(params: list, loss: Callable[[], kernel.Tensor], momentum: float = 0.0) -> Step:
        """A step by a learner; ``loss`` does the forward pass."""
        learner = kernel.SGD(params, lr=RATE, momentum=momentum)

        def step() -> list:
            learner.zero_grad()
            loss().backward()
            learner.step()
            return params

        return step

    def one_sample() -> Step:
        params = w1, b1, w2, b2 = parameters(arrays((32, 20), (32,), (32, 32), (32,)))
        x = kernel.tensor(samples(1, (20,), 2)[0][0], device=device)

        def loss() -> kernel.Tensor:
            return kernel.linear(kernel.relu(kernel.linear(x, w1, b1)), w2, b2).sum() ** 2

        return learning(params, loss)

    def dense(sizes: tuple[int, ...], count: int, momentum: float) -> Callable[[], Step]:
        def prepare() -> Step:
            shapes = [shape for n, m in itertools.pairwise(sizes) for shape in ((m, n), (m,))]
            params = parameters(arrays(*shapes))
            x, labels = batch(samples(count, sizes[:1], sizes[-1]))

            def loss() -> kernel.Tensor:
                h = kernel.linear(x, params[0], params[1])
                if len(params) > 2:
                    h = kernel.linear(kernel.relu(h), params[2], params[3])
                return kernel.cross_entropy(h, labels)

            return learning(params, loss, momentum)

        return prepare

    def lenet(count: int) -> Callable[[], Step]:
        def prepare() -> Step:
            params = k1, c1, k2, c2, w1, b1, w2, b2 = parameters(arrays(*LENET))
            x, labels = batch(samples(count, IMAGE, CLASSES))

            def loss() -> kernel.Tensor:
                h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(x, k1, c1)), 2)
                h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(h, k2, c2)), 2)
                h = kernel.tanh(kernel.linear(kernel.flatten(h, 1), w1, b1))
                return kernel.cross_entropy(kernel.linear(h, w2, b2), labels)

            return learning(params, loss)

        return prepare

    def guided_tour(rate: float = 0.5) -> Step:
        params = k1, c1, k2, c2, k3, c3, w1, b1, w2, b2 = parameters(arrays(*GUIDED_TOUR))
        x, labels = batch(samples(256, IMAGE, CLASSES))

        def loss() -> kernel.Tensor:
            h = kernel.max_pool2d(kernel.relu(kernel.conv2d(x, k1, c1, padding=2)), 3, 2)
            h = kernel.max_pool2d(kernel.relu(kernel.conv2d(h, k2, c2)), 3, 2)
            h = kernel.relu(kernel.conv2d(h, k3, c3))
            h = kernel.relu(kernel.linear(kernel.flatten(h, 1), w1, b1))
            h = kernel.dropout(h, rate)
            return kernel.cross_entropy(kernel.linear(h, w2, b2), labels)

        return learning(params, loss, 0.9)

    def recurrent(gates: int) -> Callable[[], Step]:
        def prepare() -> Step:
            params = w, h, b1, b2, w_out, b_out = parameters(recurrent_arrays(gates))
            x, labels = batch(sequences())

            def loss() -> kernel.Tensor:
                if gates == 4:
                    _, last, _ = kernel.lstm(x, None, None, w, h, b1 + b2)
                else:
                    _, last = kernel.rnn(x, None, w, h, b1 + b2, activation="tanh")
                return kernel.cross_entropy(kernel.linear(last, w_out, b_out), labels)

            return learning(params, loss)

        return prepare

    def update(name: str, options: dict) -> Callable[[], Step]:
        def prepare() -> Step:
            params = parameters(arrays(*MILLION))
            for p, gradient in zip(params, arrays(*MILLION), strict=True):
                p.grad = kernel.tensor(gradient, device=device)
            learner = getattr(kernel, name)(params, **options)

            def step() -> list:
                learner.step()
                return params

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": lambda: raw(kernel, device=device),
        **{name: dense(*facts) for name, facts in DENSE.items()},
        "f 64": lenet(64),
        "f 1024": lenet(1024),
        "g": guided_tour,
        "h rnn": recurrent(1),
        "h lstm": recurrent(4),
        **{name: update(*learner) for name, learner in LEARNERS.items()},
    }


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    device_of(device).synchronise()
