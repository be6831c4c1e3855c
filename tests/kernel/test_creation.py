"""Tensors out of nothing, out of data and out of chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

import kernel
from kernel import DeviceError, DtypeError, ShapeError
from kernel.op import DTYPES


@pytest.mark.parametrize(
    ("data", "dtype"),
    (
        (1, "int64"),
        (1.5, "float32"),
        (True, "bool"),
        ([1, 2], "int64"),
        ([1, 2.5], "float32"),
        ([True, 2], "int64"),
        ([[1.0], [2.0]], "float32"),
        ([], "float32"),
        (numpy.float64(1.5), "float64"),
        (numpy.ones(2), "float64"),
        (numpy.ones(2, "float32"), "float32"),
        (numpy.ones(2, "int16"), "int64"),
        (range(3), "int64"),
        ([numpy.ones(2), numpy.ones(2)], "float64"),
        ([numpy.float64(1.5)], "float64"),
        ([numpy.float32(1.5), 2.5], "float32"),
    ),
)
def test_the_dtype_of_data(data: Any, dtype: str):
    x = kernel.tensor(data)
    assert x.dtype == dtype and x.shape == numpy.shape(data)
    numpy.testing.assert_array_equal(x.numpy(), numpy.asarray(data).astype(dtype))


def test_tensor_copies():
    array = numpy.ones(3)
    x = kernel.tensor(array)
    array[0] = 5
    y = kernel.tensor(x)
    x[1] = 7
    assert x.tolist() == [1, 7, 1] and y.tolist() == [1, 1, 1] and y.dtype == "float64"
    nested = kernel.tensor([kernel.ones(2), kernel.zeros(2)])
    assert nested.tolist() == [[1, 1], [0, 0]] and nested.dtype == "float32"
    leaf = kernel.tensor([1.0], requires_grad=True)
    assert leaf.requires_grad and not kernel.tensor(leaf).requires_grad


def test_from_numpy_shares():
    array = numpy.ones(5)
    x = kernel.from_numpy(array)
    assert repr(x) == "tensor([1., 1., 1., 1., 1.], dtype=float64)"
    array += 1
    assert x.tolist() == [2] * 5
    x.add_(1)
    assert array.tolist() == [3] * 5 and x.numpy() is array
    for dtype in map(str, DTYPES):
        assert kernel.from_numpy(numpy.ones(2, dtype)).dtype == dtype


@pytest.mark.parametrize("array", (numpy.ones(2, "int16"), numpy.ones(2, complex), numpy.array(["a"]), [1.0], None))
def test_from_numpy_refuses(array: Any):
    with pytest.raises(DtypeError, match="from_numpy"):
        kernel.from_numpy(array)


def test_foreign_byte_order_is_refused_or_converted():
    swapped = numpy.arange(3.0).astype(">f8")
    assert kernel.tensor(swapped).tolist() == [0, 1, 2] and kernel.tensor(swapped)._array.dtype.isnative
    with pytest.raises(DtypeError, match="from_numpy"):
        kernel.from_numpy(swapped)


def test_a_mapped_file_is_shared(tmp_path: Path):
    """Its class is not NumPy's plain one; its memory is."""
    mapped = numpy.memmap(tmp_path / "data", "float32", "w+", shape=(3,))
    x = kernel.from_numpy(mapped)
    x.add_(1)
    assert mapped.tolist() == [1, 1, 1] and type(x._array) is numpy.ndarray and (x * 2).tolist() == [2, 2, 2]


def test_a_read_only_array_is_not_written():
    array = numpy.ones(3)
    array.flags.writeable = False
    with pytest.raises(kernel.GradError, match=r"read only.*clone"):
        kernel.from_numpy(array).add_(1)


def test_filled():
    assert (
        kernel.zeros(2, 3).tolist() == [[0] * 3] * 2 == kernel.zeros((2, 3)).tolist() == kernel.zeros([2, 3]).tolist()
    )
    assert kernel.ones(5).tolist() == [1] * 5 and kernel.ones(()).shape == () and kernel.ones(5).dtype == "float32"
    assert kernel.full((2,), 0.5).tolist() == [0.5, 0.5] and kernel.full(2, 3).tolist() == [3, 3]
    assert kernel.full((2,), 1).dtype == "int64" and kernel.full((2,), 1.0).dtype == "float32"
    assert kernel.full((2,), True).dtype == "bool" and kernel.full((2,), 1, dtype="float16").dtype == "float16"
    assert kernel.empty(2, 3).shape == (2, 3) and kernel.empty(0).shape == (0,)
    assert kernel.eye(2).tolist() == [[1, 0], [0, 1]] and kernel.eye(1, 3).tolist() == [[1, 0, 0]]
    assert kernel.zeros(2, dtype="int32").dtype == "int32" and kernel.zeros(2, requires_grad=True).requires_grad
    assert kernel.zeros_like(kernel.ones(2, dtype="float16")).dtype == "float16"
    assert kernel.ones_like(kernel.zeros(2, dtype="int64")).tolist() == [1, 1]


def test_ranges():
    assert kernel.arange(3).tolist() == [0, 1, 2] and kernel.arange(3).dtype == "int64"
    assert kernel.arange(1, 2, 0.5).tolist() == [1, 1.5] and kernel.arange(3.0).dtype == "float32"
    assert kernel.arange(5, 0, -2).tolist() == [5, 3, 1] and kernel.arange(3, 1).shape == (0,)
    assert kernel.arange(3, dtype="float16").dtype == "float16"
    assert kernel.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1] and kernel.linspace(0, 1).shape == (50,)
    assert kernel.linspace(2, 1, 1).tolist() == [2] and kernel.linspace(0, 1, 0).shape == (0,)
    with pytest.raises(DtypeError, match="step"):
        kernel.arange(0, 3, 0)


@pytest.mark.oracle
def test_ranges_as_torch():
    import torch

    for arguments in ((7,), (1, 7), (1, 7, 2), (0, 1, 0.1), (1.0, 3.0), (5, 0, -1), (0.5, -2, -0.5), (2, 2)):
        ours, theirs = kernel.arange(*arguments), torch.arange(*arguments)
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        numpy.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    for arguments in ((0, 1, 7), (-2, 5, 3), (3, 3, 4)):
        numpy.testing.assert_allclose(
            kernel.linspace(*arguments).numpy(), torch.linspace(*arguments).numpy(), rtol=1e-6, atol=1e-6
        )


def test_chance_depends_on_the_seed_alone():
    for draw in (
        lambda g: kernel.rand(100, generator=g),
        lambda g: kernel.randn(100, generator=g),
        lambda g: kernel.randint(0, 1000, (100,), generator=g),
    ):
        first, second, other = draw(kernel.Generator(1)), draw(kernel.Generator(1)), draw(kernel.Generator(2))
        assert first.tolist() == second.tolist() != other.tolist()
        g = kernel.Generator(1)
        assert draw(g).tolist() != draw(g).tolist()
        assert draw(g.manual_seed(1)).tolist() == first.tolist()
    kernel.manual_seed(3)
    first = kernel.randn(3).tolist()
    numpy.random.seed(0)  # NumPy's own state has no part in it
    assert (first == kernel.manual_seed(3) and False) or first == (kernel.manual_seed(3), kernel.randn(3).tolist())[1]


def test_chance_is_the_same_on_every_device():
    for draw in (kernel.rand, kernel.randn):
        here, there = (draw(5, device=d, generator=kernel.Generator(0)) for d in ("cpu", "strict"))
        assert here.tolist() == there.tolist() and str(there.device) == "strict"


def test_distributions():
    g = kernel.Generator(0)
    uniform, normal = kernel.rand(20_000, generator=g).numpy(), kernel.randn(20_000, generator=g).numpy()
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.01
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.03
    whole = kernel.randint(-2, 3, (2000,), generator=g)
    assert sorted(set(whole.tolist())) == [-2, -1, 0, 1, 2] and whole.dtype == "int64"
    for dtype in ("float16", "float32", "float64"):
        assert kernel.randn(3, dtype=dtype).dtype == kernel.rand(3, dtype=dtype).dtype == dtype
    assert kernel.rand(1000, dtype="float16", generator=g).numpy().max() < 1
    assert kernel.randn(()).shape == () and kernel.rand(2, 3).shape == (2, 3) and kernel.randint(0, 9, 4).shape == (4,)


def test_refusals():
    for error, words, make in (
        (ShapeError, "zeros: .*negative.*-1", lambda: kernel.zeros(-1)),
        (DtypeError, "zeros: .*whole numbers.*'a'", lambda: kernel.zeros("a")),
        (DtypeError, "ones: .*whole numbers.*2.5", lambda: kernel.ones(2.5)),
        (DtypeError, "complex128.*float32", lambda: kernel.zeros(2, dtype=complex)),
        (DtypeError, "'nonsense'.*float32", lambda: kernel.zeros(2, dtype="nonsense")),
        (DeviceError, "'tpu'.*cpu", lambda: kernel.zeros(2, device="tpu")),
        (DtypeError, "randn: .*float.*int64", lambda: kernel.randn(2, dtype="int64")),
        (DtypeError, "randint: .*high", lambda: kernel.randint(3, 3, (2,))),
        (ShapeError, "tensor: .*different lengths", lambda: kernel.tensor([[1, 2], [3]])),
        (DtypeError, "tensor: .*'text'", lambda: kernel.tensor("text")),
        (DtypeError, "requires_grad: .*int64.*float", lambda: kernel.tensor([1], requires_grad=True)),
        (DtypeError, "requires_grad: .*bool", lambda: kernel.zeros(2, dtype="bool", requires_grad=True)),
    ):
        with pytest.raises(error, match=words):
            make()


def test_parameters():
    p = kernel.Parameter([1.0, 2.0])
    assert p.requires_grad and p.is_leaf and isinstance(p, kernel.Tensor) and type(p * 2) is kernel.Tensor
    (p * 2).sum().backward()
    assert p.grad.tolist() == [2, 2]
    assert not kernel.Parameter([1.0], requires_grad=False).requires_grad


def test_a_python_number_beside_tensors_in_a_list_widens_nothing():
    for dtype in ("float16", "float32", "float64"):
        one = kernel.tensor(1.0, dtype=dtype)
        assert kernel.tensor([one, 2.5]).dtype == kernel.tensor([[2.5], [one]]).dtype == dtype
    assert kernel.tensor([kernel.tensor(1), 2.5]).dtype == kernel.float32


@pytest.mark.parametrize(
    ("make", "says"),
    (
        (lambda: kernel.tensor([2.0**63], dtype="int64"), "tensor: the number 9.223372036854776e+18 does not fit"),
        (lambda: kernel.full((2,), 2.0**63, dtype="int64"), "full: argument value 9.223372036854776e+18 does not fit"),
        (lambda: kernel.tensor(numpy.float32([2**31]), dtype="int32"), "tensor: the number 2147483648.0 does not fit"),
        (lambda: kernel.arange(298, 302, dtype="uint8"), "arange: the number 301 does not fit into uint8"),
        (lambda: kernel.linspace(0, 300, 4, dtype="uint8"), "linspace: the number 300.0 does not fit into uint8"),
        (
            lambda: kernel.where(kernel.tensor([True]), kernel.zeros(1, dtype="uint8"), 300),
            "where: argument b 300 does",
        ),
        (lambda: kernel.stack([kernel.zeros((), dtype="uint8"), 300]), "stack: argument tensors 300 does not fit"),
        (lambda: kernel.full((2,), 2**1100, dtype="float32"), "full: "),
        (lambda: kernel.tensor([1.0, 2**70]), "tensor: a number among [1.0, 1180591620717411303424] is too large"),
        (lambda: kernel.tensor([numpy.ma.array([1.0], mask=[True])]), "tensor: a masked array has gaps"),
        (
            lambda: kernel.zeros(2, dtype="uint8").add_(kernel.zeros(2, dtype="uint8"), alpha=300),
            "add_: Python integer",
        ),
    ),
)
def test_numbers_too_large_for_their_dtype(make: Any, says: str):
    with pytest.raises(DtypeError) as told:
        make()
    assert str(told.value).startswith(says)


def test_numbers_of_numpy_do_not_compute_in_their_own_dtypes():
    assert kernel.arange(numpy.uint8(5), numpy.uint8(3)).tolist() == []
    assert kernel.arange(numpy.uint8(5), numpy.uint8(3), -1).tolist() == [5, 4]
    assert kernel.arange(numpy.int8(-100), numpy.int8(100), 50).tolist() == [-100, -50, 0, 50]
    assert kernel.linspace(numpy.float16(0), numpy.float16(60000), 3).tolist() == [0, 30000, 60000]
    assert kernel.tensor(numpy.float16([1]), dtype="int32").tolist() == [1]


@pytest.mark.parametrize("device", ("cpu", "strict"))
def test_numbers_of_numpy_are_written_on_every_device(device: str):
    x, y = kernel.zeros(2, device=device), kernel.ones(2, device=device)
    x.fill_(numpy.float64(1.5))
    x[0] = numpy.float64(2.5)
    x.add_(y, alpha=numpy.float64(0.5))
    assert x.tolist() == [3, 2]
