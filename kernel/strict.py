"""The strict device: NumPy behind an array type as unforgiving as CuPy's.

A GPU array cannot slip into a NumPy function, take part in arithmetic with a NumPy array, or become a Python number
unasked. Nor can a StrictArray, so code that runs on "strict" leaks nothing to the host. Its namespace holds only names
that CuPy has (``cupy_names.txt``), and it refuses what CuPy leaves undefined: writing to repeated indices. Memory that
nobody has written to yet holds nan, so that reading it shows.
"""

from __future__ import annotations

import operator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy

from .xp import extras, with_apply

_PLAIN = (bool, int, float, type(None), slice, type(Ellipsis), str, numpy.dtype, type)


class StrictArray:
    """An array that refuses implicit conversion; ``get()`` is the explicit way to the host."""

    __slots__ = ("_host",)
    __array_ufunc__ = None

    def __init__(self, host: numpy.ndarray):
        self._host = host

    @staticmethod
    def from_host(array: numpy.ndarray) -> StrictArray:
        return StrictArray(numpy.array(array))

    def get(self) -> numpy.ndarray:
        """A copy on the host."""
        return numpy.array(self._host)

    def item(self) -> Any:
        return self._host.item()

    def _refuse(self, *_: Any) -> Any:
        raise TypeError("a strict array refuses implicit conversion to the host, as a CuPy array would; ask with get()")

    __array__ = __bool__ = __float__ = __int__ = __index__ = __iter__ = _refuse
    __hash__ = None

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    base = property(lambda self: None if self._host.base is None else StrictArray(self._host.base))
    T = property(lambda self: StrictArray(self._host.T))

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return f"strict {self._host!r}"

    def __getitem__(self, index: Any) -> StrictArray:
        return _wrap(self._host[_unwrap_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        where = _unwrap_index(index)
        if isinstance(index, StrictArray | tuple) and any(
            isinstance(i, StrictArray) and i.dtype.kind in "iu"
            for i in (index if isinstance(index, tuple) else (index,))
        ):
            positions = numpy.arange(self._host.size).reshape(self._host.shape)[where]
            if numpy.unique(positions).size != positions.size:
                raise TypeError("writing to repeated indices is undefined on a GPU; use xp.scatter_add")
        self._host[where] = _unwrap(value)


def _unwrap(value: Any) -> Any:
    if isinstance(value, StrictArray):
        return value._host
    if isinstance(value, list | tuple):
        return type(value)(_unwrap(v) for v in value)
    if isinstance(value, _PLAIN) and not isinstance(value, numpy.generic):
        return value
    raise TypeError(
        f"a strict array meets a {type(value).__name__}: the GPU would refuse it; send it to the device first"
    )


def _unwrap_index(index: Any) -> Any:
    return tuple(map(_unwrap, index)) if isinstance(index, tuple) else _unwrap(index)


def _wrap(value: Any) -> Any:
    if isinstance(value, numpy.ndarray | numpy.generic):
        return StrictArray(numpy.asarray(value))
    if isinstance(value, list | tuple):
        return type(value)(_wrap(v) for v in value)
    return value


# What functions of NumPy understand and those of CuPy do not.
_UNKNOWN = {"einsum": {"out", "order", "casting"}, "take": {"mode"}, "copyto": set()}


def _guarded(function: Any) -> Any:
    name = function.__name__
    unknown = _UNKNOWN.get(name, {"initial", "where"})

    def call(*args: Any, **kwargs: Any) -> Any:
        if unknown.intersection(kwargs) or (name == "argsort" and kwargs.get("kind") not in (None, "stable")):
            raise TypeError(f"CuPy's {name} does not know all of {', '.join(kwargs)}")
        return _wrap(function(*map(_unwrap, args), **{key: _unwrap(value) for key, value in kwargs.items()}))

    return call


def _reflected(function: Any) -> Any:
    return lambda a, b: _wrap(function(_unwrap(b), a._host))


def _in_place(function: Any) -> Any:
    def write(a: StrictArray, b: Any) -> StrictArray:
        function(a._host, _unwrap(b))
        return a

    return write


def _give_methods() -> None:
    """The operators and methods that a CuPy array has, each checking its operands."""
    for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "and", "or", "xor", "mod", "floordiv"):
        plain = getattr(operator, {"and": "and_", "or": "or_"}.get(name, name))
        setattr(StrictArray, f"__{name}__", _guarded(plain))
        setattr(StrictArray, f"__r{name}__", _reflected(plain))
        setattr(StrictArray, f"__i{name}__", _in_place(getattr(operator, f"i{name}")))
    for name in ("lt", "le", "eq", "ne", "gt", "ge", "neg", "abs", "invert"):
        setattr(StrictArray, f"__{name}__", _guarded(getattr(operator, name)))
    methods = (
        "all any argmax argmin astype clip copy cumsum dot fill max mean min ravel reshape sort squeeze sum swapaxes "
        "take transpose view"
    )
    for name in methods.split():
        setattr(StrictArray, name, _guarded(getattr(numpy.ndarray, name)))


_give_methods()


def strict_namespace() -> SimpleNamespace:
    """NumPy's functions that CuPy has too, each refusing arrays that are not on the device."""
    listed = [line for line in (Path(__file__).parent / "cupy_names.txt").read_text().splitlines() if line[:1] != "#"]
    names = {}
    for name in " ".join(listed).split():
        value = getattr(numpy, name)
        names[name] = value if isinstance(value, type) else _guarded(value)
        if name in ("add", "multiply"):  # the only ones that CuPy reduces with
            names[name].reduce = _guarded(value.reduce)
    for name in ("newaxis", "pi", "e", "inf", "nan"):
        names[name] = getattr(numpy, name)

    def from_anywhere(value: Any, dtype: Any = None) -> StrictArray:
        """``array`` and ``asarray`` are the explicit ways onto the device, so they do take host data."""
        return StrictArray(numpy.array(value._host if isinstance(value, StrictArray) else value, dtype))

    def unwritten(function: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> StrictArray:
            array = function(*map(_unwrap, args), **kwargs)
            array.fill(numpy.nan if array.dtype.kind == "f" else 85)
            return StrictArray(array)

        return make

    for name in ("empty", "empty_like"):
        names[name] = unwritten(getattr(numpy, name))

    namespace = SimpleNamespace(**names)
    namespace.array = namespace.asarray = from_anywhere

    def scatter(target: StrictArray, index: Any, values: StrictArray) -> None:
        if target.dtype.name not in ("int32", "int64", "float16", "float32", "float64"):
            raise TypeError(f"CuPy adds at repeated indices in no {target.dtype}; use a wider dtype")
        numpy.add.at(target._host, _unwrap_index(index), _unwrap(values))

    for name, function in extras(namespace, scatter, StrictArray.item).items():
        setattr(namespace, name, function)
    namespace.CACHE, namespace.WORKSPACE = 2 * 2**20, 8 * 2**20  # as on the CPU, so that sums add up in the same order
    return with_apply(namespace)
