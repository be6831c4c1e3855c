"""Whether a gradient is right, compared with finite differences; and what a learner makes of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .creation import tensor
from .errors import DtypeError, GradError, show
from .functional import ones_like, zeros_like
from .learners import Learner, Learners
from .op import is_float, require_whole
from .schedules import require_count
from .tape import no_grad
from .tensor import Tensor


def gradcheck(
    f: Callable[..., Any], *inputs: Tensor, step: float = 1e-6, tolerance: float = 1e-6, seed: int = 0
) -> bool:
    """Compare the gradients of ``f`` with central differences (f(x + h·d) - f(x - h·d)) / 2h in float64.

    Each output is weighted with random numbers, and each input that is a float is moved along a random direction d; so
    one pass over a large input tells as much as one entry of its Jacobian would.

    Args:
        f: takes tensors, returns a tensor or a tuple of tensors.
        inputs: tensors; the floats among them are taken in float64.
        step: h.
        tolerance: the difference that is still accepted, relative to the size of the slope (absolute below 1).
        seed: of the weights and directions.

    Returns True. Raises GradError, naming the input and both slopes, where they differ.

    >>> x = kernel.tensor([0.5, 2.0])
    >>> kernel.gradcheck(lambda x: (x.exp() * x).sum(), x)
    True
    """
    if not callable(f):
        raise DtypeError(f"gradcheck: f must be a function of tensors, but {show(f)} came.")
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise DtypeError(f"gradcheck: input {i} must be a kernel tensor, but {show(x)} came.")
    require_whole("gradcheck: seed", seed)
    rng = numpy.random.default_rng(seed)
    places = [x.device for x in inputs]
    hosts = [x.detach().cpu().numpy() for x in inputs]
    hosts = [host.astype("float64") if is_float(host.dtype) else host for host in hosts]
    weights: list[numpy.ndarray] = []

    def cost(arrays: list[numpy.ndarray], requires_grad: bool) -> tuple[Any, list[Tensor]]:
        xs = [
            tensor(a, device=p, requires_grad=requires_grad and is_float(a.dtype))
            for a, p in zip(arrays, places, strict=True)
        ]
        outputs = f(*xs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        outputs = [y for y in outputs if isinstance(y, Tensor) and is_float(y.dtype)]
        if not outputs:
            raise DtypeError("gradcheck: f returned no float tensor, and only floats have a gradient.")
        if not weights:
            weights.extend(rng.uniform(0.5, 1.5, y.shape) for y in outputs)
        return sum((y * tensor(w, device=y.device)).sum() for y, w in zip(outputs, weights, strict=True)), xs

    total, xs = cost(hosts, True)
    if total.requires_grad:
        total.backward()
    for i, (host, x) in enumerate(zip(hosts, xs, strict=True)):
        if not x.requires_grad:
            continue
        direction = rng.standard_normal(host.shape)
        moved = [[*hosts[:i], host + sign * step * direction, *hosts[i + 1 :]] for sign in (1, -1)]
        up, down = (cost(arrays, False)[0].item() for arrays in moved)
        numeric = (up - down) / (2 * step)
        found = 0.0 if x.grad is None else float((x.grad.cpu().numpy() * direction).sum())
        if not abs(found - numeric) <= tolerance * max(1.0, abs(numeric)):
            raise GradError(
                f"gradcheck: input {i} has slope {found:.6g} along a random direction, but finite differences give "
                f"{numeric:.6g}."
            )
    return True


def inspect_update(learner: Learner | Learners, minibatch_size: int, count: int = 1) -> list[numpy.ndarray]:
    """What a learner makes of parameters that are 0 by gradients that are 1: how rules and units are compared.

    Args:
        learner: any learner; its parameters, what it remembers and its counts are put back afterwards.
        minibatch_size: of how many samples it is told that the gradients are the sum.
        count: how many updates are made.

    Returns the parameters' values, in their order.

    >>> w = kernel.Parameter([7.0])
    >>> kernel.inspect_update(kernel.sgd([w], 0.5), minibatch_size=2), w.value
    ([array([-0.25], dtype=float32)], array([7.], dtype=float32))
    """
    if not isinstance(learner, Learner | Learners):
        raise DtypeError(f"inspect_update: a learner was expected, but {show(learner)} came.")
    require_count("inspect_update", "count", count, least=0)
    parameters, before = learner.parameters, learner.state_dict()
    values = [p.detach().clone() for p in parameters]
    try:
        with no_grad():
            for p in parameters:
                p.copy_(zeros_like(p))
        gradients = {p: ones_like(p).detach() for p in parameters}
        for _ in range(count):
            learner.update(gradients, minibatch_size)
        return [p.detach().cpu().numpy().copy() for p in parameters]
    finally:
        with no_grad():
            for p, value in zip(parameters, values, strict=True):
                p.copy_(value)
        learner.load_state_dict(before)
