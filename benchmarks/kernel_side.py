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
    LENET,
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

    def descend(params: list) -> None:
        with kernel.no_grad():
            for p in params:
                p.sub_(p.grad, alpha=RATE)
                p.grad = None

    def descend_with_momentum(params: list, velocities: list, momentum: float) -> None:
        with kernel.no_grad():
            for p, v in zip(params, velocities, strict=True):
                v *= momentum
                v += p.grad
                p.sub_(v, alpha=RATE)
                p.grad = None

    def one_sample() -> Step:
        params = w1, b1, w2, b2 = parameters(arrays((32, 20), (32,), (32, 32), (32,)))
        x = kernel.tensor(samples(1, (20,), 2)[0][0], device=device)

        def step() -> list:
            z = kernel.linear(kernel.relu(kernel.linear(x, w1, b1)), w2, b2)
            (z.sum() ** 2).backward()
            descend(params)
            return params

        return step

    def dense(sizes: tuple[int, ...], count: int, momentum: float) -> Callable[[], Step]:
        def prepare() -> Step:
            shapes = [shape for n, m in itertools.pairwise(sizes) for shape in ((m, n), (m,))]
            params = parameters(arrays(*shapes))
            velocities = [kernel.zeros_like(p) for p in params]
            x, labels = batch(samples(count, sizes[:1], sizes[-1]))

            def step() -> list:
                h = kernel.linear(x, params[0], params[1])
                if len(params) > 2:
                    h = kernel.linear(kernel.relu(h), params[2], params[3])
                kernel.cross_entropy(h, labels).backward()
                if momentum:
                    descend_with_momentum(params, velocities, momentum)
                else:
                    descend(params)
                return params

            return step

        return prepare

    def lenet(count: int) -> Callable[[], Step]:
        def prepare() -> Step:
            params = k1, c1, k2, c2, w1, b1, w2, b2 = parameters(arrays(*LENET))
            x, labels = batch(samples(count, IMAGE, CLASSES))

            def step() -> list:
                h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(x, k1, c1)), 2)
                h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(h, k2, c2)), 2)
                h = kernel.tanh(kernel.linear(kernel.flatten(h, 1), w1, b1))
                kernel.cross_entropy(kernel.linear(h, w2, b2), labels).backward()
                descend(params)
                return params

            return step

        return prepare

    def guided_tour(rate: float = 0.5) -> Step:
        params = k1, c1, k2, c2, k3, c3, w1, b1, w2, b2 = parameters(arrays(*GUIDED_TOUR))
        velocities = [kernel.zeros_like(p) for p in params]
        x, labels = batch(samples(256, IMAGE, CLASSES))

        def step() -> list:
            h = kernel.max_pool2d(kernel.relu(kernel.conv2d(x, k1, c1, padding=2)), 3, 2)
            h = kernel.max_pool2d(kernel.relu(kernel.conv2d(h, k2, c2)), 3, 2)
            h = kernel.relu(kernel.conv2d(h, k3, c3))
            h = kernel.relu(kernel.linear(kernel.flatten(h, 1), w1, b1))
            h = kernel.dropout(h, rate)
            kernel.cross_entropy(kernel.linear(h, w2, b2), labels).backward()
            descend_with_momentum(params, velocities, 0.9)
            return params

        return step

    def recurrent(gates: int) -> Callable[[], Step]:
        def prepare() -> Step:
            params = w, h, b1, b2, w_out, b_out = parameters(recurrent_arrays(gates))
            x, labels = batch(sequences())

            def step() -> list:
                if gates == 4:
                    _, last, _ = kernel.lstm(x, None, None, w, h, b1 + b2)
                else:
                    _, last = kernel.rnn(x, None, w, h, b1 + b2, activation="tanh")
                kernel.cross_entropy(kernel.linear(last, w_out, b_out), labels).backward()
                descend(params)
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
    }


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    device_of(device).synchronise()
