"""The training steps that are measured. Each is written twice with the same layers, sizes, loss and update.

a        x(20) -> 32 relu -> 32, cost (sum z)^2, one sample, SGD            parameters updated by hand
b raw    2 -> 12 relu -> 3, batch 20, softmax and loss typed by hand       exp, sum, gather, log, mean; SGD by hand
b fused  the same net and batch                                            linear, cross_entropy; SGD by hand
c        the same net, batch 500, SGD with momentum 0.9                    linear, cross_entropy; update by hand
d        2 -> 2, batch 32: logistic regression                             linear, cross_entropy; SGD by hand
e        100 -> 128 relu -> 10, batch 100                                  linear, cross_entropy; SGD by hand

A workload is a function that prepares everything and returns a step: a function of no argument that does one forward
pass, one backward pass and one update.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy

Step = Callable[[], None]
RATE = 0.01


def arrays(*shapes: tuple[int, ...]) -> list[numpy.ndarray]:
    """Small random parameters, the same for both sides."""
    rng = numpy.random.default_rng(0)
    return [(0.1 * rng.standard_normal(shape)).astype("float32") for shape in shapes]


def samples(batch: int, features: int, classes: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """One batch of inputs and labels, the same for both sides."""
    rng = numpy.random.default_rng(1)
    return rng.random((batch, features), "float32"), rng.integers(0, classes, batch)


def _kernel_side() -> dict[str, Callable[[], Step]]:
    import kernel

    def parameters(*shapes: tuple[int, ...]) -> list:
        return [kernel.tensor(array, requires_grad=True) for array in arrays(*shapes)]

    def update(params: list) -> None:
        with kernel.no_grad():
            for p in params:
                p -= RATE * p.grad
                p.grad = None

    def one_sample() -> Step:
        params = w1, b1, w2, b2 = parameters((32, 20), (32,), (32, 32), (32,))
        x = kernel.tensor(samples(1, 20, 2)[0][0])

        def step() -> None:
            z = kernel.linear(kernel.relu(kernel.linear(x, w1, b1)), w2, b2)
            (z.sum() ** 2).backward()
            update(params)

        return step

    def raw() -> Step:
        params = w1, b1, w2, b2 = parameters((2, 12), (12,), (12, 3), (3,))
        inputs, targets = samples(20, 2, 3)
        x, labels = kernel.tensor(inputs), kernel.tensor(targets)
        zero = kernel.zeros(1)

        def step() -> None:
            z = kernel.maximum(x.mm(w1) + b1, zero).mm(w2) + b2
            e = kernel.exp(z)
            p = e / kernel.sum(e, 1, keepdim=True)
            loss = -kernel.mean(kernel.log(kernel.gather(p, 1, kernel.unsqueeze(labels, 1))))
            loss.backward()
            for p in params:
                p.data.sub_(RATE * p.grad.data)
                p.grad.zero_()

        return step

    def net(sizes: tuple[int, ...], batch: int, momentum: float = 0.0) -> Callable[[], Step]:
        def prepare() -> Step:
            shapes = [shape for n, m in zip(sizes, sizes[1:], strict=False) for shape in ((m, n), (m,))]
            params = parameters(*shapes)
            velocities = [kernel.zeros(p.shape) for p in params]
            inputs, targets = samples(batch, sizes[0], sizes[-1])
            x, labels = kernel.tensor(inputs), kernel.tensor(targets)

            def step() -> None:
                h = kernel.linear(x, params[0], params[1])
                if len(params) > 2:
                    h = kernel.linear(kernel.relu(h), params[2], params[3])
                kernel.cross_entropy(h, labels).backward()
                if not momentum:
                    update(params)
                    return
                with kernel.no_grad():
                    for p, v in zip(params, velocities, strict=True):
                        v *= momentum
                        v += p.grad
                        p -= RATE * v
                        p.grad = None

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": raw,
        "b fused": net((2, 12, 3), 20),
        "c": net((2, 12, 3), 500, momentum=0.9),
        "d": net((2, 2), 32),
        "e": net((100, 128, 10), 100),
    }


def _torch_side() -> dict[str, Callable[[], Step]]:
    import torch
    import torch.nn.functional as F

    def parameters(*shapes: tuple[int, ...]) -> list:
        return [torch.tensor(array, requires_grad=True) for array in arrays(*shapes)]

    def update(params: list) -> None:
        with torch.no_grad():
            for p in params:
                p -= RATE * p.grad
                p.grad = None

    def one_sample() -> Step:
        params = w1, b1, w2, b2 = parameters((32, 20), (32,), (32, 32), (32,))
        x = torch.tensor(samples(1, 20, 2)[0][0])

        def step() -> None:
            z = F.linear(torch.relu(F.linear(x, w1, b1)), w2, b2)
            (z.sum() ** 2).backward()
            update(params)

        return step

    def raw() -> Step:
        params = w1, b1, w2, b2 = parameters((2, 12), (12,), (12, 3), (3,))
        inputs, targets = samples(20, 2, 3)
        x, labels = torch.tensor(inputs), torch.tensor(targets)
        zero = torch.zeros(1)

        def step() -> None:
            z = torch.max(x.mm(w1) + b1, zero).mm(w2) + b2
            e = torch.exp(z)
            p = e / torch.sum(e, 1, keepdim=True)
            loss = -torch.mean(torch.log(torch.gather(p, 1, torch.unsqueeze(labels, 1))))
            loss.backward()
            for p in params:
                p.data.sub_(RATE * p.grad.data)
                p.grad.zero_()

        return step

    def net(sizes: tuple[int, ...], batch: int, momentum: float = 0.0) -> Callable[[], Step]:
        def prepare() -> Step:
            shapes = [shape for n, m in zip(sizes, sizes[1:], strict=False) for shape in ((m, n), (m,))]
            params = parameters(*shapes)
            velocities = [torch.zeros(p.shape) for p in params]
            inputs, targets = samples(batch, sizes[0], sizes[-1])
            x, labels = torch.tensor(inputs), torch.tensor(targets)

            def step() -> None:
                h = F.linear(x, params[0], params[1])
                if len(params) > 2:
                    h = F.linear(torch.relu(h), params[2], params[3])
                F.cross_entropy(h, labels).backward()
                if not momentum:
                    update(params)
                    return
                with torch.no_grad():
                    for p, v in zip(params, velocities, strict=True):
                        v *= momentum
                        v += p.grad
                        p -= RATE * v
                        p.grad = None

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": raw,
        "b fused": net((2, 12, 3), 20),
        "c": net((2, 12, 3), 500, momentum=0.9),
        "d": net((2, 2), 32),
        "e": net((100, 128, 10), 100),
    }


SIDES = {"kernel": _kernel_side, "torch": _torch_side}
# The ratio of kernel to torch that each workload must not exceed, one thread, kernel as typed, torch as it comes.
TARGETS = {"a": 0.4, "b raw": 0.5, "b fused": 0.4, "c": 0.4, "d": 0.4, "e": 0.6}
