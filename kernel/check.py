"""Whether a gradient is right: compared with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .creation import tensor
from .errors import DtypeError, GradError, show
from .op import is_float, require_whole
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
