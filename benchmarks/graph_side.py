"""The workloads as graphs: built of symbols with the functions of the eager side, bound once, run by an executor.

The numbers are those of kernel_side.py, to the last bit; a test compares them.
"""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import kernel
from kernel import sym
from kernel.xp import device as device_of

from .workloads import CLASSES, DENSE, IMAGE, LENET, RATE, Step, arrays, samples


def workloads(device: str) -> dict[str, Callable[..., Step]]:
    """Those whose steps are compared with eager ones, on ``device``."""
    return {
        **{name: lambda name=name: step_of(dense(*DENSE[name][:2], device)) for name in ("b fused", "e")},
        "f 64": lambda: step_of(lenet(64, device)),
        "f 1024": lambda: step_of(lenet(1024, device)),
    }


def dense(sizes: tuple[int, ...], count: int, device: str = "cpu") -> kernel.Executor:
    """Linear layers with relu between them."""
    numbers = arrays(*(shape for n, m in itertools.pairwise(sizes) for shape in ((m, n), (m,))))
    params = [sym.Variable(f"p{i}") for i in range(len(numbers))]
    h = kernel.linear(sym.Variable("x"), params[0], params[1])
    for weight, bias in zip(params[2::2], params[3::2], strict=True):
        h = kernel.linear(kernel.relu(h), weight, bias)
    return bound(h, numbers, *samples(count, sizes[:1], sizes[-1]), device)


def lenet(count: int, device: str = "cpu") -> kernel.Executor:
    """LeNet, as the eager side has it."""
    numbers = arrays(*LENET)
    k1, c1, k2, c2, w1, b1, w2, b2 = (sym.Variable(f"p{i}") for i in range(len(numbers)))
    h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(sym.Variable("x"), k1, c1)), 2)
    h = kernel.max_pool2d(kernel.tanh(kernel.conv2d(h, k2, c2)), 2)
    h = kernel.tanh(kernel.linear(kernel.flatten(h, 1), w1, b1))
    return bound(kernel.linear(h, w2, b2), numbers, *samples(count, IMAGE, CLASSES), device)


def bound(scores: kernel.Symbol, numbers: list, x: Any, labels: Any, device: str) -> kernel.Executor:
    """An executor of the loss, with ``numbers`` in its parameters and one batch in its inputs."""
    loss = kernel.cross_entropy(scores, sym.Variable("labels", shape=labels.shape, dtype="int64"))
    named = {f"p{i}": array for i, array in enumerate(numbers)}
    shapes = {name: array.shape for name, array in named.items()}
    executor = loss.simple_bind(device, dict.fromkeys(named, "write"), x=x.shape, **shapes)
    for name, array in {**named, "x": x, "labels": labels}.items():
        executor.arg_dict[name][...] = array
    return executor


def step_of(executor: kernel.Executor) -> Step:
    """One forward pass, one backward pass and one update."""
    learned = [name for name, gradient in executor.grad_dict.items() if gradient is not None]
    learned.sort(key=lambda name: int(name[1:]))
    params, gradients = ([named[name] for name in learned] for named in (executor.arg_dict, executor.grad_dict))
    for p, g in zip(params, gradients, strict=True):
        p.requires_grad, p.grad = True, g  # which each backward pass writes anew
    learner = kernel.SGD(params, lr=RATE)

    def step() -> list:
        executor.forward(is_train=True)
        executor.backward()
        learner.step()
        return params

    return step


def planned_bytes(executor: kernel.Executor) -> int:
    """What an executor has planned for a step, its gradient arrays included."""
    gradients = (g for g in executor.grad_arrays if g is not None)
    return executor.plan(is_train=True).total_bytes + sum(g._array.nbytes for g in gradients)


def peak_bytes(step: Step) -> int:
    """The most that one step holds at a time beyond what there was before it, as Python's allocator counts."""
    step()
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    device_of(device).synchronise()
