"""The training steps that are measured, each written twice: as one types it with the kernel, and with PyTorch.

a        x(20) -> 32 relu -> 32, cost (sum z)^2, one sample, SGD
b raw    2 -> 12 relu -> 3, batch 20, SGD: softmax and loss typed by hand (exp, sum, gather, log, mean) on both sides
b fused  the same net and batch
c        the same net, batch 500, SGD with momentum 0.9
d        2 -> 2, batch 32: logistic regression, SGD
e        100 -> 128 relu -> 10, batch 100, SGD

In b raw both sides update the parameters by hand. In the others the kernel's side is functions (linear, relu,
cross_entropy) and an update by hand; PyTorch's is what its users type: nn.Sequential of nn.Linear and nn.ReLU,
nn.CrossEntropyLoss, optim.SGD. Both start from the same numbers and do the same arithmetic, which a test compares.

A workload is a function that prepares everything and returns a step: a function of no argument that does one forward
pass, one backward pass and one update, and returns the parameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType

import numpy

Step = Callable[[], list]
RATE = 0.01


def arrays(*shapes: tuple[int, ...]) -> list[numpy.ndarray]:
    """Small random parameters, the same for both sides."""
    rng = numpy.random.default_rng(0)
    return [(0.1 * rng.standard_normal(shape)).astype("float32") for shape in shapes]


def samples(batch: int, features: int, classes: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """One batch of inputs and labels, the same for both sides."""
    rng = numpy.random.default_rng(1)
    return rng.random((batch, features), "float32"), rng.integers(0, classes, batch)


def raw(library: ModuleType) -> Step:
    """Workload b raw. The kernel has PyTorch's names, so that one text serves both."""
    params = w1, b1, w2, b2 = [
        library.tensor(array, requires_grad=True) for array in arrays((2, 12), (12,), (12, 3), (3,))
    ]
    x, labels = map(library.tensor, samples(20, 2, 3))
    zero = library.zeros(1)

    def step() -> list:
        z = library.max(x.mm(w1) + b1, zero).mm(w2) + b2
        e = library.exp(z)
        p = e / library.sum(e, 1, keepdim=True)
        loss = -library.mean(library.log(library.gather(p, 1, library.unsqueeze(labels, 1))))
        loss.backward()
        for p in params:
            p.data.sub_(RATE * p.grad.data)
            p.grad.zero_()
        return params

    return step


def _kernel_side() -> dict[str, Callable[[], Step]]:
    import kernel

    def parameters(*shapes: tuple[int, ...]) -> list:
        return [kernel.tensor(array, requires_grad=True) for array in arrays(*shapes)]

    def update(params: list) -> None:
        with kernel.no_grad():
            for p in params:
                p.sub_(p.grad, alpha=RATE)
                p.grad = None

    def one_sample() -> Step:
        params = w1, b1, w2, b2 = parameters((32, 20), (32,), (32, 32), (32,))
        x = kernel.tensor(samples(1, 20, 2)[0][0])

        def step() -> list:
            z = kernel.linear(kernel.relu(kernel.linear(x, w1, b1)), w2, b2)
            (z.sum() ** 2).backward()
            update(params)
            return params

        return step

    def net(sizes: tuple[int, ...], batch: int, momentum: float = 0.0) -> Callable[[], Step]:
        def prepare() -> Step:
            shapes = [shape for n, m in itertools.pairwise(sizes) for shape in ((m, n), (m,))]
            params = parameters(*shapes)
            velocities = [kernel.zeros(p.shape) for p in params]
            inputs, targets = samples(batch, sizes[0], sizes[-1])
            x, labels = kernel.tensor(inputs), kernel.tensor(targets)

            def step() -> list:
                h = kernel.linear(x, params[0], params[1])
                if len(params) > 2:
                    h = kernel.linear(kernel.relu(h), params[2], params[3])
                kernel.cross_entropy(h, labels).backward()
                if not momentum:
                    update(params)
                    return params
                with kernel.no_grad():
                    for p, v in zip(params, velocities, strict=True):
                        v *= momentum
                        v += p.grad
                        p.sub_(v, alpha=RATE)
                        p.grad = None
                return params

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": lambda: raw(kernel),
        "b fused": net((2, 12, 3), 20),
        "c": net((2, 12, 3), 500, momentum=0.9),
        "d": net((2, 2), 32),
        "e": net((100, 128, 10), 100),
    }


def _torch_side() -> dict[str, Callable[[], Step]]:
    import torch

    def network(sizes: tuple[int, ...], momentum: float) -> tuple:
        """Layers, optimizer and parameters, which hold the same numbers as on the other side."""
        layers: list = []
        for n, m in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        params = list(model.parameters())
        with torch.no_grad():
            for p, array in zip(params, arrays(*(tuple(p.shape) for p in params)), strict=True):
                p.copy_(torch.tensor(array))
        return model, torch.optim.SGD(params, lr=RATE, momentum=momentum), params

    def one_sample() -> Step:
        model, optimizer, params = network((20, 32, 32), 0.0)
        x = torch.tensor(samples(1, 20, 2)[0][0])

        def step() -> list:
            optimizer.zero_grad()
            (model(x).sum() ** 2).backward()
            optimizer.step()
            return params

        return step

    def net(sizes: tuple[int, ...], batch: int, momentum: float = 0.0) -> Callable[[], Step]:
        def prepare() -> Step:
            model, optimizer, params = network(sizes, momentum)
            criterion = torch.nn.CrossEntropyLoss()
            inputs, targets = samples(batch, sizes[0], sizes[-1])
            x, labels = torch.tensor(inputs), torch.tensor(targets)

            def step() -> list:
                optimizer.zero_grad()
                criterion(model(x), labels).backward()
                optimizer.step()
                return params

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": lambda: raw(torch),
        "b fused": net((2, 12, 3), 20),
        "c": net((2, 12, 3), 500, momentum=0.9),
        "d": net((2, 2), 32),
        "e": net((100, 128, 10), 100),
    }


SIDES = {"kernel": _kernel_side, "torch": _torch_side}
# The ratio of kernel to torch that each workload must not exceed, one thread, kernel as typed, torch as it comes.
TARGETS = {"a": 0.4, "b raw": 0.5, "b fused": 0.4, "c": 0.4, "d": 0.4, "e": 0.6}
