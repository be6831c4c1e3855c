"""Tensors out of nothing, out of data, and out of chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from .errors import DtypeError, in_words, show
from .op import DEFAULT_FLOAT, DTYPES, dtype_of, is_float, require_fits, require_number, require_sizes, require_whole
from .tensor import Tensor, _host_array, _wrap
from .xp import Generator, default_generator
from .xp import device as device_of


def _put(name: str, make: Callable[[], numpy.ndarray], device: Any, requires_grad: bool) -> Tensor:
    there = device_of("cpu" if device is None else device)
    try:
        host = make()
    except (MemoryError, OverflowError) as error:
        raise in_words(name, error) from None
    result = _wrap(host if there.kind == "cpu" else there.from_host(host), there)
    return result.requires_grad_() if requires_grad else result


def _sizes(name: str, sizes: tuple) -> tuple[int, ...]:
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    require_sizes(f"{name}: sizes", sizes)
    return tuple(map(int, sizes))


def _dtype(name: str, dtype: Any) -> numpy.dtype:
    return DEFAULT_FLOAT if dtype is None else dtype_of(f"{name}: dtype", dtype)


def _numbers(name: str, **arguments: Any) -> list[float]:
    """The arguments as Python numbers: NumPy's would compute in their own small dtypes."""
    found = []
    for argument, value in arguments.items():
        require_number(f"{name}: argument {argument}", value)
        value = value.item() if isinstance(value, numpy.generic) else value
        if not math.isfinite(value) or abs(value) >= 2**63:
            raise DtypeError(f"{name}: argument {argument} must be finite and fit into 64 bits, but {value} came.")
        found.append(value)
    return found


def _fitting(name: str, host: numpy.ndarray, kind: numpy.dtype) -> numpy.ndarray:
    require_fits(f"{name}: the number", host, kind)
    return host.astype(kind)


def _host_generator(name: str, generator: Any) -> numpy.random.Generator:
    if generator is None:
        return default_generator.host
    if not isinstance(generator, Generator):
        raise DtypeError(f"{name}: generator must be a kernel.Generator, but {show(generator)} came.")
    return generator.host


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``.

    Args:
        data: a number, nested lists, a NumPy array or a tensor.
        dtype: by default float32 for Python floats, int64 for whole numbers, and what a NumPy array has.
        device: by default "cpu", or where data is if that is a tensor.
        requires_grad: whether backward shall find its gradient.

    >>> kernel.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if device is None and isinstance(data, Tensor):
        device = data.device
    return _put("tensor", lambda: _host_array("tensor", data, dtype), device, requires_grad)


def from_numpy(array: numpy.ndarray) -> Tensor:
    """A CPU tensor on the memory of ``array``: a change of one is a change of the other.

    >>> import numpy
    >>> a = numpy.ones(2)
    >>> x = kernel.from_numpy(a)
    >>> a += 1
    >>> x
    tensor([2., 2.], dtype=float64)
    """
    if not isinstance(array, numpy.ndarray):
        raise DtypeError(
            f"from_numpy: a NumPy array was expected, but a {type(array).__name__} came; kernel.tensor copies any data."
        )
    if array.dtype not in DTYPES:
        raise DtypeError(
            f"from_numpy: memory of dtype {array.dtype} cannot be shared; there are {', '.join(map(str, DTYPES))}. "
            "Convert the array with .astype(…) first."
        )
    return _wrap(array if type(array) is numpy.ndarray else numpy.asarray(array), device_of("cpu"))


def empty(*sizes: Any, dtype: Any = DEFAULT_FLOAT, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given sizes whose values are whatever the memory held.

    >>> kernel.empty(2, 3).shape
    (2, 3)
    """
    shape, kind = _sizes("empty", sizes), _dtype("empty", dtype)
    return _put("empty", lambda: numpy.empty(shape, kind), device, requires_grad)


def zeros(*sizes: Any, dtype: Any = DEFAULT_FLOAT, device: Any = None, requires_grad: bool = False) -> Tensor:
    """0 everywhere.

    >>> kernel.zeros(2)
    tensor([0., 0.])
    """
    shape, kind = _sizes("zeros", sizes), _dtype("zeros", dtype)
    return _put("zeros", lambda: numpy.zeros(shape, kind), device, requires_grad)


def ones(*sizes: Any, dtype: Any = DEFAULT_FLOAT, device: Any = None, requires_grad: bool = False) -> Tensor:
    """1 everywhere.

    >>> kernel.ones(2)
    tensor([1., 1.])
    """
    shape, kind = _sizes("ones", sizes), _dtype("ones", dtype)
    return _put("ones", lambda: numpy.ones(shape, kind), device, requires_grad)


def full(shape: Any, value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere; the dtype is that of the value unless given.

    >>> kernel.full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    sizes = _sizes("full", shape if isinstance(shape, tuple | list) else (shape,))
    require_number("full: argument value", value)
    kind = _host_array("full", value, None).dtype if dtype is None else _dtype("full", dtype)
    require_fits("full: argument value", value, kind)
    return _put("full", lambda: numpy.full(sizes, value, kind), device, requires_grad)


def eye(
    n: int, m: int | None = None, dtype: Any = DEFAULT_FLOAT, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix (n, n), or (n, m) with ones on the diagonal.

    >>> kernel.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = _sizes("eye", (n, n if m is None else m))
    kind = _dtype("eye", dtype)
    return _put("eye", lambda: numpy.eye(rows, columns, dtype=kind), device, requires_grad)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None, device: Any = None) -> Tensor:
    """start, start + step, … below stop; from 0 if only one number is given. Whole numbers give int64, floats float32.

    >>> kernel.arange(3), kernel.arange(1, 2, 0.5)
    (tensor([0, 1, 2]), tensor([1. , 1.5]))
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = _numbers("arange", start=start, stop=stop, step=step)
    if step == 0:
        raise DtypeError("arange: step must not be 0.")
    _sizes("arange", (max(0, math.ceil((stop - start) / step)),))
    if dtype is None:
        dtype = DEFAULT_FLOAT if any(isinstance(v, float) for v in (start, stop, step)) else "int64"
    kind = _dtype("arange", dtype)
    return _put("arange", lambda: _fitting("arange", numpy.arange(start, stop, step), kind), device, False)


def linspace(start: float, stop: float, steps: int = 50, dtype: Any = DEFAULT_FLOAT, device: Any = None) -> Tensor:
    """``steps`` equally spaced numbers from start to stop, both included.

    >>> kernel.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    start, stop = _numbers("linspace", start=start, stop=stop)
    require_whole("linspace: argument steps", steps)
    (count,) = _sizes("linspace", (steps,))
    kind = _dtype("linspace", dtype)
    return _put("linspace", lambda: _fitting("linspace", numpy.linspace(start, stop, count), kind), device, False)


def rand(
    *sizes: Any,
    dtype: Any = DEFAULT_FLOAT,
    device: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform on [0, 1). The numbers depend on the generator's seed alone, on every device alike.

    >>> x = kernel.rand(1000, generator=kernel.Generator(0))
    >>> bool((x >= 0).all()), bool((x < 1).all())
    (True, True)
    """
    return _draw("rand", "random", sizes, dtype, device, requires_grad, generator)


def randn(
    *sizes: Any,
    dtype: Any = DEFAULT_FLOAT,
    device: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with mean 0 and variance 1. The numbers depend on the generator's seed alone, on every device alike.

    >>> kernel.randn(2, 3, generator=kernel.Generator(0)).shape
    (2, 3)
    """
    return _draw("randn", "standard_normal", sizes, dtype, device, requires_grad, generator)


def _draw(name: str, method: str, sizes: tuple, dtype: Any, device: Any, requires_grad: bool, generator: Any) -> Tensor:
    kind = _dtype(name, dtype)
    if not is_float(kind):
        raise DtypeError(f"{name}: a float dtype was expected, but {kind} came; use randint for whole numbers.")
    drawn = numpy.dtype("float32") if kind == "float16" else kind  # NumPy draws no halves
    draw, shape = getattr(_host_generator(name, generator), method), _sizes(name, sizes)
    return _put(name, lambda: numpy.asarray(draw(shape, dtype=drawn)).astype(kind, copy=False), device, requires_grad)


def randint(low: int, high: int, shape: Any, device: Any = None, generator: Generator | None = None) -> Tensor:
    """Whole numbers low … high - 1, equally likely, int64.

    >>> x = kernel.randint(0, 3, (100,), generator=kernel.Generator(0))
    >>> sorted(set(x.tolist()))
    [0, 1, 2]
    """
    for argument, value in (("low", low), ("high", high)):
        require_whole(f"randint: argument {argument}", value)
    if not -(2**63) <= low < high <= 2**63:
        raise DtypeError(f"randint: high must be above low, both in 64 bits, but low {low} and high {high} came.")
    sizes = _sizes("randint", shape if isinstance(shape, tuple | list) else (shape,))
    draw = _host_generator("randint", generator).integers
    return _put("randint", lambda: numpy.asarray(draw(low, high, sizes), numpy.int64), device, False)
