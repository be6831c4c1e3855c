"""Rows of kernel/ops/shape.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from kernel.errors import DeviceError
from tests.kernel.table.entry import Refusal, call, dtype_error, of_floats, row, shape_error, singles, truth, u, whole

row(
    "reshape",
    lambda x, shape: numpy.reshape(x, shape),
    lambda torch, x, shape: torch.reshape(x, shape),
    call(u(3, 4), shape=(4, 3)),
    call(u(3, 4), shape=(2, -1)),
    call(u(2, 3, 4), shape=(-1,)),
    call(u(), shape=(1, 1)),
    call(u(1), shape=()),
    call(u(0, 3), shape=(3, 0, 2)),
    shape_error("(3, 4)", "12 elements", "(5, 2)", "10", of=(u(3, 4),), shape=(5, 2)),
    shape_error("(5, -1)", "5 does not divide 12", of=(u(3, 4),), shape=(5, -1)),
    shape_error("one -1", of=(u(3, 4),), shape=(-1, -1)),
    shape_error("negative", of=(u(3, 4),), shape=(-2, 6)),
    dtype_error("sizes", "whole numbers", of=(u(3, 4),), shape=(2.0, 6)),
)
row(
    "broadcast_to",
    lambda x, shape: numpy.broadcast_to(x, shape),
    lambda torch, x, shape: torch.broadcast_to(x, shape),
    call(u(4), shape=(3, 4)),
    call(u(3, 1), shape=(2, 3, 4)),
    call(u(), shape=(2, 2)),
    call(u(3), shape=(3,)),
    call(u(1), shape=(0,)),
    shape_error("(3,)", "(2, 4)", "stretched", of=(u(3),), shape=(2, 4)),
    shape_error("(2, 3)", "(3,)", "stretched", of=(u(2, 3),), shape=(3,)),
    shape_error("(1, 3)", "(2, 1)", "stretched", of=(u(1, 3),), shape=(2, 1)),
    shape_error("negative", of=(u(1),), shape=(-1,)),
    dtype_error("sizes", "whole numbers", of=(u(1),), shape=(2.0,)),
)
row(
    "flatten",
    lambda x, start=0: (
        numpy.reshape(x, (*x.shape[: start % max(x.ndim, 1)], -1)) if x.size else x.reshape(x.shape[0], 6)
    ),
    lambda torch, x, start=0: torch.flatten(x, start),
    call(u(2, 3, 4)),
    call(u(2, 3, 4), start=1),
    call(u(2, 3, 4), start=-1),
    call(u(2, 3, 4), start=-2),
    call(u(5), start=0),
    call(u()),
    call(u(0, 2, 3), start=1),
    shape_error("axis 3", "3 axes", of=(u(2, 3, 4),), start=3),
    dtype_error("start", "whole number", of=(u(2, 3),), start=1.0),
)
row(
    "extent",
    lambda x, axis=0: numpy.int64(x.shape[axis]),
    lambda torch, x, axis=0: torch.tensor(x.shape[axis]),
    call(u(3, 4)),
    call(u(3, 4), axis=-1),
    call(u(0, 2)),
    shape_error("axis 2", "2 axes", of=(u(3, 4),), axis=2),
    shape_error("no axis", of=(u(),)),
)
row(
    "permute",
    lambda x, axes: numpy.transpose(x, axes),
    lambda torch, x, axes: torch.permute(x, axes),
    call(u(3, 4), axes=(1, 0)),
    call(u(2, 3, 4), axes=(2, 0, 1)),
    call(u(2, 3, 4), axes=(0, -1, -2)),
    call(u(), axes=()),
    call(u(0, 3), axes=(1, 0)),
    shape_error("(0, 0)", "once", of=(u(2, 3),), axes=(0, 0)),
    shape_error("(0,)", "2 axes", of=(u(2, 3),), axes=(0,)),
    shape_error("axis 2", of=(u(2, 3),), axes=(0, 2)),
    dtype_error("axis", "whole number", of=(u(2, 3),), axes=(0, 1.0)),
)
row(
    "expand_dims",
    lambda x, axis: numpy.expand_dims(x, axis),
    lambda torch, x, axis: torch.unsqueeze(x, axis),
    call(u(3, 4), axis=1),
    call(u(3, 4), axis=-1),
    call(u(), axis=0),
    call(u(0, 2), axis=0),
    shape_error("axis 3", of=(u(2, 3),), axis=3),
    dtype_error("axis", "whole number", of=(u(2, 3),), axis=None),
)
row(
    "squeeze",
    lambda x, axis: numpy.squeeze(x, axis),
    lambda torch, x, axis: torch.squeeze(x, axis),
    call(u(3, 1, 4), axis=1),
    call(u(3, 1), axis=-1),
    call(u(1, 0), axis=0),
    shape_error("axis 0", "(3, 1)", "size 3", of=(u(3, 1),), axis=0),
    shape_error("axis 2", of=(u(3, 1),), axis=2),
    dtype_error("axis", "whole number", of=(u(1, 3),), axis="0"),
)
row(
    "flip",
    lambda x, axis: numpy.flip(x, axis),
    lambda torch, x, axis: torch.flip(x, axis),
    call(u(3, 4), axis=(0,)),
    call(u(2, 3, 4), axis=(0, -1)),
    call(u(3), axis=()),
    call(u(0, 3), axis=(1,)),
    shape_error("axis 2", of=(u(2, 3),), axis=(2,)),
    shape_error("twice", of=(u(2, 3),), axis=(0, -2)),
)


def _torch_pad(torch: Any, x: Any, widths: tuple, value: float = 0) -> Any:
    flat = [w for pair in reversed(widths) for w in pair]
    return torch.nn.functional.pad(x, flat, value=value)


row(
    "pad",
    lambda x, widths, value=0: numpy.pad(x, widths, constant_values=value),
    _torch_pad,
    call(u(3, 4), widths=((1, 2), (0, 3))),
    call(u(3), widths=((2, 0),), value=7),
    of_floats(u(3), widths=((2, 0),), value=0.5),
    call(u(2, 3, 4), widths=((0, 0), (1, 1), (2, 0)), value=1),
    of_floats(u(2, 3), widths=((0, 0), (1, 1)), value=-1),
    call(u(0, 3), widths=((1, 0), (0, 0))),
    shape_error("1 pair", "2 axes", "(2, 3)", of=(u(2, 3),), widths=((1, 1),)),
    shape_error("negative", of=(u(3),), widths=((-1, 1),)),
    dtype_error("widths", "pairs", of=(u(3),), widths=((1, 1, 1),)),
    dtype_error("widths", "whole numbers", of=(u(3),), widths=((0.5, 1),)),
    dtype_error("value", "number", of=(u(3),), widths=((1, 1),), value="0"),
    dtype_error("value", "0.5", "int64", of=(whole(3),), widths=((1, 1),), value=0.5),
)
row(
    "concatenate",
    lambda *tensors, axis=0: numpy.concatenate(tensors, axis),
    lambda torch, *tensors, axis=0: torch.cat(tensors, axis),
    call(u(3, 4), u(2, 4)),
    call(u(3, 4), u(3, 1), u(3, 2), axis=-1),
    call(u(3)),
    call(u(0, 2), u(3, 2)),
    shape_error("tensor 1", "(?, 4)", "(3, 4)", "(2, 5)", "axis 0", of=(u(3, 4), u(2, 5))),
    shape_error("tensor 1", "(4,)", of=(u(3, 4), u(4))),
    shape_error("()", "stack", of=(u(), u())),
    shape_error("axis 2", of=(u(3, 4), u(3, 4)), axis=2),
    dtype_error("axis", "whole number", of=(u(3, 4), u(3, 4)), axis=None),
)
row(
    "stack",
    lambda *tensors, axis=0: numpy.stack(tensors, axis),
    lambda torch, *tensors, axis=0: torch.stack(tensors, axis),
    call(u(3, 4), u(3, 4)),
    call(u(3, 4), u(3, 4), u(3, 4), axis=-1),
    call(u(), u(), u()),
    call(u(0, 2), axis=1),
    shape_error("tensor 1", "(3, 4)", "(4, 3)", of=(u(3, 4), u(4, 3))),
    shape_error("axis 3", of=(u(3, 4), u(3, 4)), axis=3),
    dtype_error("axis", "whole number", of=(u(3, 4), u(3, 4)), axis=0.5),
)
row(
    "split",
    lambda x, sizes, axis=0: tuple(numpy.split(x, numpy.cumsum(sizes)[:-1], axis)),
    lambda torch, x, sizes, axis=0: torch.split(x, sizes, axis),
    call(u(5, 3), sizes=(2, 3)),
    call(u(3, 6), sizes=(1, 2, 3), axis=-1),
    call(u(4), sizes=(4,)),
    call(u(4, 2), sizes=(0, 4)),
    call(u(0, 2), sizes=(0,)),
    shape_error("(2, 2)", "axis 0", "(5, 3)", of=(u(5, 3),), sizes=(2, 2)),
    shape_error("(-1, 6)", "axis 0", of=(u(5, 3),), sizes=(-1, 6)),
    shape_error("axis 2", of=(u(5, 3),), sizes=(2, 3), axis=2),
    dtype_error("sizes", "whole numbers", of=(u(5, 3),), sizes=(2.5, 2.5)),
)

FULL = ("slice", None, None, None)


def _index(pattern: tuple, indices: tuple, number: Callable = int) -> tuple:
    """The index that a pattern spells, written anew; ``number`` makes an entry of a whole number."""
    rest = list(indices)
    found: list[Any] = []
    for entry in pattern:
        if isinstance(entry, tuple):
            found.append(slice(*entry[1:]))
        else:
            found.append(rest.pop(0) if isinstance(entry, str) else number(entry) if type(entry) is int else entry)
    return tuple(found)


def _torch_getitem(torch: Any, x: Any, *indices: Any, pattern: tuple) -> Any:
    """torch takes a whole number beside index tensors as a step of its own; NumPy (and the kernel) as one of them."""
    return x[_index(pattern, indices, (lambda i: torch.full_like(indices[0], i)) if indices else int)]


INDEXINGS = [
    ((4, 3), (1,), ()),
    ((4, 3), (("slice", 1, None, 2), -1), ()),
    ((4, 3), (None, FULL, None, 0), ()),
    ((2, 3, 4), (Ellipsis, 1), ()),
    ((2, 3, 4), (0, Ellipsis, ("slice", None, -1, None)), ()),
    ((), (), ()),
    ((0, 3), (FULL, 1), ()),
    ((4, 3), (("slice", 9, None, None),), ()),
    ((4, 3), ("array",), (numpy.array([1, 1, -1]),)),
    ((4, 3), ("array", "array"), (numpy.array([0, 0, 3]), numpy.array([1, 1, 2]))),
    ((2, 3, 4), (0, FULL, "array"), (numpy.array([3, 3]),)),
    ((2, 3, 4), ("array", FULL, "array"), (numpy.array([[1], [0]]), numpy.array([3, 3]))),
    ((2, 3, 4), (FULL, "array", "array"), (numpy.array([2, 2]), numpy.array([0, 0]))),
    ((2, 3, 4), (FULL, "array", None, 1), (numpy.array([2, 2]),)),
    ((2, 3, 2, 4), (FULL, "array", FULL, "array"), (numpy.array([2, 2, 0]), numpy.array([0, 3, 3]))),
    ((2, 3, 2, 4), (FULL, 1, FULL, "array"), (numpy.array([0, 3, 3]),)),
    ((2, 3, 4), (Ellipsis, "array"), (numpy.array(2),)),
    ((3, 4), (FULL, "array"), (numpy.zeros(0, int),)),
]
row(
    "getitem",
    lambda x, *indices, pattern: x[_index(pattern, indices)],
    _torch_getitem,
    *(call(u(*shape), *indices, pattern=pattern) for shape, pattern, indices in INDEXINGS),
    shape_error("index 5", "size 3", of=(u(4, 3),), pattern=(0, 5)),
    shape_error("3", "2", "axes", of=(u(4, 3),), pattern=(0, 0, 0)),
    shape_error("7", "axis 1", "size 3", of=(u(4, 3), numpy.array([0, 7])), pattern=(FULL, "array")),
    shape_error("-5", "axis 0", "size 4", of=(u(4, 3), numpy.array([0, -5])), pattern=("array",)),
    shape_error("(2,)", "(3,)", of=(u(4, 3), numpy.array([0, 1]), numpy.array([0, 1, 2])), pattern=("array", "array")),
    dtype_error("whole numbers", "float", of=(u(4, 3), u(2)), pattern=("array",)),
)


def _scattered(x: numpy.ndarray, *indices: numpy.ndarray, pattern: tuple, shape: tuple) -> numpy.ndarray:
    """Added element by element, in a loop."""
    positions = numpy.arange(math.prod(shape)).reshape(shape)[_index(pattern, indices)]
    target = numpy.zeros(math.prod(shape), x.dtype)
    for position, value in zip(positions.ravel(), numpy.broadcast_to(x, positions.shape).ravel(), strict=True):
        target[position] += value
    return target.reshape(shape)


row(
    "scatter_add",
    _scattered,
    None,
    *(
        call(u(*numpy.zeros(shape)[_index(pattern, indices)].shape), *indices, pattern=pattern, shape=shape)
        for shape, pattern, indices in INDEXINGS
    ),
    shape_error("argument x", "(3,)", "(2,)", of=(u(2), numpy.array([0, 2, 0])), pattern=("array",), shape=(3,)),
    shape_error("9", "axis 0", "size 3", of=(u(3), numpy.array([0, 9, 0])), pattern=("array",), shape=(3,)),
    shape_error("negative", of=(u(3), numpy.array([0, 1, 0])), pattern=("array",), shape=(-3,)),
    dtype_error("whole numbers", "float", of=(u(2), u(2)), pattern=("array",), shape=(3,)),
    boolean=False,
)
row(
    "gather",
    lambda x, index, axis: numpy.take_along_axis(
        x[tuple(slice(None) if k == axis % x.ndim else slice(n) for k, n in enumerate(index.shape))], index, axis
    ),
    lambda torch, x, index, axis: torch.gather(x, axis, index),
    call(u(4, 3), whole(4, 2, high=3), axis=1),
    call(u(4, 3), whole(6, 3, high=4), axis=0),
    call(u(4, 3), whole(2, 3, high=3), axis=-1),
    call(u(2, 3, 4), whole(2, 5, 4, high=3), axis=1),
    call(u(4, 3), whole(0, 3, high=3), axis=1),
    call(u(4), whole(6, high=4), axis=0),
    shape_error("argument index", "(4, ?)", "(4, 3)", "(4,)", of=(u(4, 3), whole(4, high=3)), axis=1),
    shape_error("argument index", "(4, ?)", "(5, 1)", of=(u(4, 3), whole(5, 1, high=3)), axis=1),
    shape_error("3", "axis 1", "size 3", of=(u(4, 3), numpy.full((4, 1), 3)), axis=1),
    shape_error("axis 2", of=(u(4, 3), whole(4, 1)), axis=2),
    dtype_error("argument index", "whole numbers", "float", of=(u(4, 3), u(4, 1)), axis=1),
    dtype_error("axis", "whole number", of=(u(4, 3), whole(4, 1)), axis=None),
)


def _scattered_along(x: numpy.ndarray, index: numpy.ndarray, axis: int, shape: tuple) -> numpy.ndarray:
    target = numpy.zeros(shape, x.dtype)
    for position in numpy.ndindex(*x.shape):
        where = list(position)
        where[axis] = index[position]
        target[tuple(where)] += x[position]
    return target


row(
    "scatter_along_axis",
    _scattered_along,
    lambda torch, x, index, axis, shape: torch.zeros(shape, dtype=x.dtype).scatter_add(axis, index, x),
    call(u(4, 2), whole(4, 2, high=3), axis=1, shape=(4, 3)),
    call(u(6, 3), whole(6, 3, high=4), axis=0, shape=(4, 3)),
    call(u(2, 3), whole(2, 3, high=3), axis=-1, shape=(4, 3)),
    call(u(0, 3), whole(0, 3, high=3), axis=1, shape=(4, 3)),
    shape_error("argument index", "(4, 2)", "(4, 1)", of=(u(4, 2), whole(4, 1)), axis=1, shape=(4, 3)),
    shape_error("3", "axis 1", "size 3", of=(u(4, 1), numpy.full((4, 1), 3)), axis=1, shape=(4, 3)),
    shape_error("argument x", "(4, ?)", "(5, 2)", of=(u(5, 2), whole(5, 2)), axis=1, shape=(4, 3)),
    dtype_error("argument index", "whole numbers", of=(u(4, 2), u(4, 2)), axis=1, shape=(4, 3)),
    boolean=False,
)
row(
    "nonzero",
    lambda x: numpy.argwhere(x),
    lambda torch, x: torch.nonzero(x),
    call(truth(3, 4)),
    call(whole(5, high=2)),
    call(u(2, 2)),
    call(truth(0, 3)),
    call(numpy.zeros((2, 3))),
    shape_error("()", "axis", of=(u(),)),
)
row(
    "one_hot",
    lambda labels, classes, dtype: numpy.eye(classes)[labels].astype(dtype),
    lambda torch, labels, classes, dtype: torch.nn.functional.one_hot(labels.long(), classes).to(getattr(torch, dtype)),
    call(whole(5, high=3), classes=3, dtype="float32"),
    call(whole(2, 3, high=4), classes=5, dtype="int64"),
    call(numpy.array(1), classes=2, dtype="float64"),
    call(whole(0, high=3), classes=3, dtype="bool"),
    call(whole(3, high=3).astype("uint8"), classes=300, dtype="float16"),
    shape_error("3", "0 to 2", of=(numpy.array([0, 3]),), classes=3, dtype="float32"),
    shape_error("-1", "0 to 2", of=(numpy.array([0, -1]),), classes=3, dtype="float32"),
    shape_error("classes", "-1", of=(numpy.array([0]),), classes=-1, dtype="float32"),
    dtype_error("labels", "whole numbers", "float", of=(u(3),), classes=3, dtype="float32"),
    dtype_error("classes", "whole number", "3.0", of=(whole(3),), classes=3.0, dtype="float32"),
    dtype_error("'nonsense'", of=(whole(3),), classes=3, dtype="nonsense"),
)
row(
    "transfer",
    lambda x, source, target: x.copy(),
    lambda torch, x, source, target: x.clone(),
    *(call(*sample.operands, source="cpu", target="cpu") for sample in singles()),
    Refusal(DeviceError, ("'tpu'", "cpu"), (u(3),), {"source": "cpu", "target": "tpu"}),
)
row(
    "full_like",
    lambda x, value: numpy.full(x.shape, value, x.dtype),
    lambda torch, x, value: torch.full_like(x, value),
    call(u(3, 4), value=0),
    of_floats(u(), value=1.5),
    call(u(0, 3), value=1),
    call(whole(3), value=7),
    dtype_error("value", "number", "'0'", of=(u(3),), value="0"),
)
