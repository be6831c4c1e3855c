"""The tensor: every name that the seed types, printing, promotion, indexing, writing."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import operator
import pickle
import tracemalloc
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kernel
from kernel import DeviceError, DtypeError, GradError, ShapeError
from kernel.op import DTYPES, broadcast, promote
from kernel.signature import unbroadcast
from kernel.xp import device as device_of

quick = settings(max_examples=60, deadline=None, derandomize=True)
cpu = device_of("cpu").xp


def values(x: Any) -> Any:
    return x.detach().tolist()


# --- the table of the seed: NumPy's command, PyTorch's, one result --------------------------------------------------


def test_tensor_makes_room_or_takes_data():
    assert kernel.Tensor(5, 3).shape == (5, 3) and kernel.Tensor(5, 3).dtype == "float32"
    assert values(kernel.Tensor([[1, 2]])) == [[1.0, 2.0]] and kernel.Tensor([[1, 2]]).dtype == "float32"
    assert values(kernel.Tensor([0])) == [0.0]
    assert kernel.Tensor(0).shape == (0,)


def test_shape_and_size():
    x = kernel.zeros(5, 3)
    assert x.shape == x.size() == (5, 3) and x.size == 15 and x.size(0) == 5 and x.size(-1) == 3
    assert x.numel() == 15 and x.dim() == x.ndim == 2 and len(x) == 5
    assert (x / x.size).dtype == "float32", "a size is a plain whole number"


NUMPY_AND_TORCH = {
    "addition": (lambda x, y: x + y, lambda x, y: kernel.add(x, y)),
    "matrix product": (lambda x, y: x.matmul(y.T), lambda x, y: x.mm(y.t())),
    "matrix and vector": (lambda x, y: kernel.matmul(x, y[0]), lambda x, y: x.mv(y[0])),
    "reshape": (lambda x, y: x.reshape((3, 2)), lambda x, y: x.view(3, 2)),
    "transpose": (lambda x, y: kernel.transpose(x, (1, 0)), lambda x, y: kernel.transpose(x, 0, 1)),
    "concatenate": (lambda x, y: kernel.concatenate([x, y]), lambda x, y: kernel.cat([x, y])),
    "stack": (lambda x, y: kernel.stack([x, y], axis=1), lambda x, y: kernel.stack([x, y], 1)),
    "add a dimension": (lambda x, y: kernel.expand_dims(x, 1), lambda x, y: x.unsqueeze(1)),
    "squeeze": (lambda x, y: kernel.squeeze(x[:1], 0), lambda x, y: x[:1].squeeze(0)),
    "maximum of the array": (lambda x, y: kernel.amax(x, axis=1), lambda x, y: kernel.max(x, 1)[0]),
    "elementwise maximum": (lambda x, y: kernel.maximum(x, y), lambda x, y: kernel.max(x, y)),
    "sum": (lambda x, y: x.sum(axis=1, keepdims=True), lambda x, y: kernel.sum(x, 1, keepdim=True)),
    "take along an axis": (
        lambda x, y: kernel.take_along_axis(x, kernel.tensor([[2], [0]]), 1),
        lambda x, y: kernel.gather(x, 1, kernel.tensor([[2], [0]])),
    ),
    "clip": (lambda x, y: kernel.clip(x, 1, 3), lambda x, y: x.clamp(1, 3)),
}


@pytest.mark.parametrize("row", NUMPY_AND_TORCH)
def test_two_names_one_result(row: str):
    x = kernel.tensor([[1.0, 5.0, 2.0], [4.0, 0.0, 3.0]])
    y = kernel.tensor([[2.0, 2.0, 2.0], [0.0, 6.0, 3.0]])
    numpys, torchs = NUMPY_AND_TORCH[row]
    assert values(numpys(x, y)) == values(torchs(x, y))


def test_the_second_column():
    x = kernel.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert values(x[:, 1]) == [2.0, 4.0]


def test_max_in_four_ways():
    x = kernel.tensor([[1.0, 5.0], [7.0, 3.0]])
    assert values(x.max()) == 7.0 and values(x.max(axis=1)) == [5.0, 7.0]
    for pair in (x.max(1), x.max(dim=1), kernel.max(x, 1)):
        assert [values(part) for part in pair] == [[5.0, 7.0], [1, 0]]
    assert values(kernel.max(x, kernel.tensor([0]))) == [[1.0, 5.0], [7.0, 3.0]]
    assert values(kernel.max(x, 1)[1]) == [1, 0]
    with pytest.raises(DtypeError, match="axis and dim"):
        x.max(1, axis=0)


def test_var_follows_the_rule_of_its_axis():
    x = kernel.tensor([1.0, 2.0, 3.0])
    assert values(x.var(axis=0)) == pytest.approx(2 / 3) and values(x.var(0)) == 1.0 == values(x.var(dim=0))
    assert values(x.var(axis=0, ddof=1)) == 1.0 and values(x.var(0, correction=0)) == pytest.approx(2 / 3)


def test_split_follows_the_rule_of_its_axis():
    x = kernel.arange(6)
    assert [values(p) for p in x.split(4)] == [[0, 1, 2, 3], [4, 5]]
    assert [values(p) for p in x.split(2, axis=0)] == [[0, 1, 2], [3, 4, 5]]
    assert [values(p) for p in x.split([1, 5])] == [[0], [1, 2, 3, 4, 5]]
    assert [values(p) for p in x.split([1, 5], axis=0)] == [[0], [1, 2, 3, 4], [5]]
    whole = x.split(10)
    assert isinstance(whole, tuple) and len(whole) == 1 and values(whole[0]) == [0, 1, 2, 3, 4, 5]
    assert [values(p) for p in kernel.zeros(0).split(3)] == [[]]
    y = kernel.ones(4, requires_grad=True)
    (y.split(9)[0] * 2).sum().backward()
    assert values(y.grad) == [2.0] * 4


def test_type():
    x = kernel.tensor([1.7, -1.7])
    assert values(x.type(kernel.LongTensor)) == [1, -1] and x.type(kernel.LongTensor).dtype == "int64"
    assert x.type("torch.DoubleTensor").dtype == x.type(kernel.float64).dtype == x.double().dtype == "float64"
    assert x.type() == "kernel.FloatTensor" and x.long().type() == "kernel.LongTensor"
    assert x.to(kernel.float16).dtype == x.half().dtype == x.to("float16").dtype == "float16"
    assert x.int().dtype == "int32" and x.bool().dtype == "bool" and x.type_as(x.long()).dtype == "int64"
    assert x.float() is x and x.astype("float32") is x
    accuracy = kernel.sum(kernel.eq(kernel.tensor([1, 2]), kernel.tensor([1, 0])).type(kernel.LongTensor))
    assert int(accuracy) == 1


def test_data_is_read_and_written():
    x = kernel.tensor([1.0, 2.0], requires_grad=True)
    assert not x.data.requires_grad and x.data.grad_fn is None
    x.data.sub_(0.5 * kernel.ones(2))
    assert values(x) == [0.5, 1.5]
    x.data = x.data - 1
    assert values(x) == [-0.5, 0.5] and x.requires_grad and x.is_leaf
    x.data[0] = 9.0
    assert values(x) == [9.0, 0.5]
    with pytest.raises(ShapeError, match=r"data: .*\(2,\).*\(3,\)"):
        x.data = kernel.ones(3)
    with pytest.raises(DtypeError, match="data"):
        x.data = [1.0, 2.0]


def test_the_training_loop_of_the_seed():
    kernel.manual_seed(0)
    theta = (kernel.randn(4, 3) * 0.1).requires_grad_()
    bias = kernel.zeros(4, requires_grad=True)
    costs = []
    for _ in range(200):
        y = kernel.max(theta.mv(kernel.tensor([1.0, -2.0, 0.5])) + bias, kernel.Tensor([0]))
        cost = (kernel.sum(y) - 3) ** 2
        cost.backward()
        theta.data = theta.data - 0.01 * theta.grad.data
        bias.data.sub_(0.01 * bias.grad.data)
        theta.grad.zero_()
        bias.grad.zero_()
        costs.append(cost.data.item())
    assert costs[-1] < 1e-3 < costs[0]


def test_in_place_operations():
    x = kernel.tensor([1.0, 2.0])
    memory = x.numpy()
    assert x.add_(1) is x and x.sub_(kernel.tensor([1.0, 0.0])) is x and x.mul_(2) is x and x.div_(4) is x
    assert values(x) == [0.5, 1.5] and memory is x.numpy()
    x += 1
    x -= 0.5
    x *= 2
    x /= 2
    assert values(x) == [1.0, 2.0] and numpy.shares_memory(memory, x.numpy())
    assert values(x.fill_(7)) == [7.0, 7.0] and values(x.zero_()) == [0.0, 0.0]
    assert values(x.copy_(kernel.tensor([3.0, 4.0]))) == [3.0, 4.0] and values(x.copy_(kernel.tensor(5))) == [5.0, 5.0]
    assert values(kernel.ones(2).add_(kernel.ones(2), alpha=-0.5)) == [0.5, 0.5]
    y = x * 2  # `*` itself is not in place
    assert values(x) == [5.0, 5.0] and values(y) == [10.0, 10.0]


def test_in_place_operations_keep_shape_and_dtype():
    with pytest.raises(ShapeError, match=r"add_: .*\(2, 3\).*\(3,\)"):
        kernel.ones(3).add_(kernel.ones(2, 3))
    with pytest.raises(DtypeError, match=r"add_: .*float32.*int64"):
        kernel.arange(3).add_(0.5)
    with pytest.raises(DtypeError, match=r"div_: .*float32.*int64"):
        kernel.arange(3).div_(2)
    x = kernel.ones(3, dtype="float16")
    assert x.add_(kernel.ones(3, dtype="float64")).dtype == "float16"
    with pytest.raises(GradError, match=r"read only.*clone"):
        kernel.ones(1).broadcast_to(3).add_(1)
    x = kernel.arange(4)
    assert values(x.add_(x)) == [0, 2, 4, 6]
    y = kernel.arange(3).float()
    y[1:].add_(y[:-1])  # operands that overlap
    assert values(y) == [0.0, 1.0, 3.0]


def test_a_failed_write_changes_nothing_and_counts_for_nothing():
    x, w = kernel.ones(3, requires_grad=True), kernel.ones(3)
    y = (x * w).sum()
    for write in (
        lambda: w.add_(kernel.ones(2, 3)),
        lambda: w.__setitem__(7, 1.0),
        lambda: w.__setitem__(0, [1.0, 2.0]),
        lambda: w.__setitem__("a", 1.0),
        lambda: w.fill_("text"),
        lambda: w.copy_(kernel.ones(4)),
    ):
        with pytest.raises((ShapeError, DtypeError)):
            write()
    assert values(w) == [1.0, 1.0, 1.0]
    y.backward()
    assert values(x.grad) == [1.0, 1.0, 1.0]


# --- printing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    (
        (lambda: kernel.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: kernel.tensor(3), "tensor(3)"),
        (lambda: kernel.tensor([True, False]), "tensor([ True, False])"),
        (lambda: kernel.from_numpy(numpy.ones(2)), "tensor([1., 1.], dtype=float64)"),
        (lambda: kernel.tensor([1], dtype="int32"), "tensor([1], dtype=int32)"),
        (lambda: kernel.tensor([2048.0], dtype="float16"), "tensor([2048.], dtype=float16)"),
        (lambda: kernel.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: kernel.tensor([1.0], requires_grad=True) ** 2, "tensor([1.], grad_fn=<PowBackward>)"),
        (lambda: kernel.tensor([1.0], device="strict"), "tensor([1.], device='strict')"),
        (lambda: kernel.Parameter([1.0]), "Parameter containing:\ntensor([1.], requires_grad=True)"),
        (lambda: kernel.zeros(2, 2), "tensor([[0., 0.],\n        [0., 0.]])"),
        (lambda: kernel.zeros(0), "tensor([])"),
        (lambda: kernel.tensor([float("nan"), float("inf")]), "tensor([nan, inf])"),
        (lambda: kernel.tensor(1 / 3), "tensor(0.3333)"),
    ),
)
def test_repr(make: Any, text: str):
    assert repr(make()) == text == str(make())


def test_printing_ignores_the_print_options_of_numpy():
    with numpy.printoptions(precision=1):
        assert repr(kernel.tensor([0.123456])) == "tensor([0.1235])"


def test_a_long_tensor_is_abridged():
    assert len(repr(kernel.zeros(100, 100))) < 400


def test_format():
    x = kernel.tensor(1 / 3, requires_grad=True)
    assert f"{x:.2f}" == "0.33" and f"{kernel.tensor([2])}" == "tensor([2])"
    with pytest.raises(ShapeError, match="format"):
        f"{kernel.ones(2):.2f}"


# --- to Python and NumPy --------------------------------------------------------------------------------------------


def test_one_element_is_a_number():
    for x in (kernel.tensor(2.0), kernel.tensor([[2.0]]), kernel.tensor([2.0], requires_grad=True)):
        assert x.item() == float(x) == int(x) == 2 and bool(x) and x < 10
    assert [10, 20, 30][kernel.tensor(1)] == 20
    with pytest.raises(DtypeError, match="index"):
        operator.index(kernel.tensor(1.0))
    for use in (bool, float, int, lambda x: x.item(), lambda x: 1 if x > 0 else 0):
        with pytest.raises(ShapeError, match=r"\(2,\)"):
            use(kernel.ones(2))
    assert not kernel.tensor(0) and not kernel.tensor([False])


def test_iteration():
    assert [values(row) for row in kernel.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(ShapeError, match=r"\(\)"):
        iter(kernel.tensor(1.0))
    with pytest.raises(ShapeError, match=r"\(\)"):
        len(kernel.tensor(1.0))
    first, second = kernel.tensor([1, 2])
    assert (first + second).item() == 3


def test_numpy_shares_and_refuses():
    x = kernel.ones(5)
    array = x.numpy()
    array += 1
    x.add_(1)
    assert values(x) == [3.0] * 5 and array.tolist() == [3.0] * 5
    with pytest.raises(GradError, match=r"detach\(\)\.numpy\(\)"):
        x.requires_grad_().numpy()
    assert numpy.shares_memory(x.detach().numpy(), array)


def test_numpy_does_not_take_a_tensor_apart():
    x, array = kernel.ones(3), numpy.ones(3)
    for use in (
        lambda: array + x,
        lambda: x + array,
        lambda: array @ x,
        lambda: array < x,
        lambda: numpy.exp(x),
        lambda: numpy.add(array, x),
        lambda: numpy.array(x),
        lambda: numpy.asarray(x),
        lambda: numpy.maximum(x, x),
    ):
        with pytest.raises(DtypeError, match=r"NumPy.*\."):
            use()
    assert values(numpy.float32(2) * x) == values(x * numpy.float64(2)) == [2.0] * 3
    assert (numpy.float64(2) * x).dtype == (x - numpy.int64(1)).dtype == "float32"
    assert values(numpy.float64(6) / (x * 2)) == [3.0] * 3 and values(numpy.float64(2) > x) == [True] * 3


def test_a_tensor_is_not_pickled_but_copied():
    with pytest.raises(DtypeError, match=r"numpy\.savez"):
        pickle.dumps(kernel.ones(2))
    assert values(copy.deepcopy(kernel.ones(2))) == [1.0, 1.0]


def test_a_tensor_can_be_a_key():
    x, y = kernel.ones(2), kernel.ones(2)
    assert len({x: 1, y: 2}) == 2 and {x: 1}[x] == 1


def test_a_typo_in_an_attribute_raises():
    x = kernel.ones(2)
    with pytest.raises(AttributeError):
        x.requires_gard = True
    with pytest.raises(AttributeError):
        _ = x.shap
    with pytest.raises(TypeError):
        x.sum(axsi=0)


# --- promotion ------------------------------------------------------------------------------------------------------


PAIRS = list(itertools.product(map(str, DTYPES), repeat=2))
NUMBERS = (True, 2, 2.0)


@pytest.mark.oracle
def test_promotion_of_arrays_as_torch():
    import torch

    for a, b in PAIRS:
        expected = torch.result_type(torch.ones(2, dtype=getattr(torch, a)), torch.ones(2, dtype=getattr(torch, b)))
        assert str(promote(numpy.dtype(a), numpy.dtype(b))) == str(expected).removeprefix("torch."), (a, b)


@pytest.mark.oracle
def test_promotion_of_numbers_as_torch():
    import torch

    for dtype, number in itertools.product(map(str, DTYPES), NUMBERS):
        expected = str(torch.result_type(torch.ones(2, dtype=getattr(torch, dtype)), number)).removeprefix("torch.")
        x = kernel.ones(2, dtype=dtype)
        assert str((x + number).dtype) == str((number + x).dtype) == expected, (dtype, number)
        assert str((x * number).dtype) == str(kernel.maximum(x, number).dtype) == expected, (dtype, number)
        assert str(kernel.where(x == x, x, number).dtype) == expected


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_promotion_of_results(a: str, b: str):
    """The announced dtype is the one that comes, for dimensioned and for 0-d tensors, and float64 does not leak."""
    wanted = str(promote(numpy.dtype(a), numpy.dtype(b)))
    for shapes in (((2,), (2,)), ((2,), ()), ((), (2,)), ((), ()), ((0,), (0,))):
        x, y = (
            kernel.ones(*s, dtype=d) if s else kernel.tensor(1, dtype=d) for s, d in zip(shapes, (a, b), strict=True)
        )
        results = [x + y, x * y, kernel.maximum(x, y), kernel.where(x == y, x, y)]
        results.append(kernel.concatenate([x.reshape(-1), y.reshape(-1)]))
        results += [x - y, x**y] if wanted != "bool" else []
        assert {str(r.dtype) for r in results} == {wanted}
        quotient = wanted if wanted.startswith("float") else "float32"
        assert str((x / y).dtype) == quotient
        assert (x < y).dtype == (x == y).dtype == "bool"


@pytest.mark.parametrize("dtype", ("float16", "float32", "int64", "int32", "uint8", "bool"))
def test_float64_does_not_leak(dtype: str):
    """No function of a tensor that is not float64, whatever the scalar beside it, is float64."""
    x = kernel.tensor([[1, 2], [3, 4]], dtype=dtype)
    found = [f(x) for f in (kernel.exp, kernel.log, kernel.sqrt, kernel.tanh, kernel.sigmoid, kernel.softplus)]
    found += [kernel.gelu(x), kernel.softmax(x), kernel.logsumexp(x), x.mean(), x.var(axis=0), x.sum(), x / 3, 3 / x]
    found += [x * 2.5, 2.5 * x, x + numpy.float64(1), x**2.0, x**0.5, kernel.clip(x, 0.5, 2.5), x.abs() * math.pi]
    assert "float64" not in {str(y.dtype) for y in found}
    if dtype.startswith("float"):
        assert {str(y.dtype) for y in found} == {dtype}


def test_a_cached_call_is_not_taken_for_another():
    """1, 1.0 and True are equal as keys, and yet not the same."""
    x = kernel.arange(3)
    assert kernel.clip(x, 0, 1).dtype == "int64" and kernel.clip(x, 0.0, 1.0).dtype == "float32"
    assert kernel.clip(x, 0, 1).dtype == "int64"
    y = kernel.ones(2, 3)
    assert y.sum(axis=1).shape == (2,)
    for axis in (True, 1.0, (True,), (1.0,)):
        with pytest.raises(DtypeError, match="axis"):
            y.sum(axis=axis)
    assert y.reshape(3, 2).shape == (3, 2)
    with pytest.raises(DtypeError, match="sizes"):
        y.reshape(3.0, 2)
    assert (x + 1).dtype == "int64" and (x + 1.0).dtype == "float32" and (x + True).dtype == "int64"


def test_numbers_out_of_range_are_refused():
    for use in (
        lambda: kernel.tensor([1], dtype="uint8") + 300,
        lambda: kernel.tensor([1], dtype="uint8") * -1,
        lambda: kernel.tensor([1]) + 10**30,
        lambda: kernel.tensor([1], dtype="int32").__setitem__(0, 10**12),
    ):
        with pytest.raises(DtypeError):
            use()


# --- views and layout -----------------------------------------------------------------------------------------------


def test_view_never_copies():
    x = kernel.arange(6)
    y = x.view(2, 3)
    y[0, 0] = 9
    assert values(x)[0] == 9
    with pytest.raises(ShapeError, match=r"view: .*reshape"):
        y.T.view(6)
    assert values(y.T.reshape(6)) == [9, 3, 1, 4, 2, 5]
    with pytest.raises(DtypeError, match=r"view: .*astype"):
        x.view(kernel.float32)
    assert kernel.zeros(0, 3).view(3, 0).shape == (3, 0)


def test_batch_last_memory_shows_in_strides_alone():
    x, w, b = kernel.randn(5, 3), kernel.randn(4, 3), kernel.randn(4)
    y = kernel.linear(x, w, b)
    assert y.shape == (5, 4) and y._array.flags.f_contiguous
    numpy.testing.assert_allclose(y.numpy(), x.numpy() @ w.numpy().T + b.numpy(), rtol=1e-5, atol=1e-6)
    assert y.contiguous().is_contiguous() and values(y.contiguous()) == values(y)
    assert values(y.relu().reshape(20)) == [v for row in values(y.relu()) for v in row]


def test_user_arrays_are_not_laid_anew():
    array = numpy.asfortranarray(numpy.ones((3, 4)))
    assert kernel.from_numpy(array)._array is array
    assert kernel.from_numpy(array[::2]).numpy().strides == array[::2].strides


# --- indexing -------------------------------------------------------------------------------------------------------


@st.composite
def array_and_index(draw: Any) -> tuple:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    entries: list[Any] = []
    axis = 0
    together = draw(st.integers(1, 3))
    while axis < len(shape):
        kind = draw(st.sampled_from(("int", "slice", "none", "array", "mask", "ellipsis", "stop")))
        size = shape[axis]
        if kind == "stop":
            break
        if kind == "none":
            if len(entries) > 5:
                break
            entries.append(None)
            continue
        if kind == "ellipsis":
            entries.append(Ellipsis)
            axis = draw(st.integers(axis, len(shape)))
            skipped = axis
            remaining = len(shape) - skipped
            entries.extend(
                draw(st.integers(-shape[k], shape[k] - 1)) for k in range(len(shape) - remaining, len(shape))
            )
            break
        if kind == "int":
            entries.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            start, stop = (draw(st.one_of(st.none(), st.integers(-5, 5))) for _ in range(2))
            entries.append(slice(start, stop, draw(st.one_of(st.none(), st.integers(1, 3)))))
        elif kind == "array":
            n = draw(st.sampled_from((1, together)))
            entries.append(numpy.array(draw(st.lists(st.integers(-size, size - 1), min_size=n, max_size=n))))
        else:
            mask = numpy.zeros(size, bool)
            mask[draw(st.lists(st.integers(0, size - 1), min_size=together, max_size=together))] = True
            if any(isinstance(e, numpy.ndarray) for e in entries):
                break  # two masks need equally many places
            entries.append(mask)
            together = int(mask.sum())
        axis += 1
    return shape, tuple(entries)


@quick
@given(array_and_index())
def test_indexing_as_numpy(case: tuple):
    """Values, the announced shape, and the gradient: one for each time that an element was taken."""
    shape, index = case
    array = numpy.arange(math.prod(shape), dtype=float).reshape(shape)
    try:
        expected = array[index]
    except IndexError:
        with pytest.raises(ShapeError):
            _ = kernel.tensor(array)[tuple(kernel.tensor(e) if isinstance(e, numpy.ndarray) else e for e in index)]
        return
    x = kernel.tensor(array, requires_grad=True)
    y = x[tuple(kernel.tensor(e) if isinstance(e, numpy.ndarray) else e for e in index)]
    numpy.testing.assert_array_equal(y.detach().numpy(), expected)
    weight = numpy.arange(1.0, 1 + expected.size).reshape(expected.shape)
    if y.size:
        (y * kernel.tensor(weight)).sum().backward()
        counted = numpy.zeros(shape)
        numpy.add.at(counted, index, weight)
        numpy.testing.assert_array_equal(x.grad.numpy(), counted)


def test_boolean_and_integer_indices():
    x = kernel.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert values(x[x > 1.5]) == [2.0, 3.0, 4.0] and values(x[kernel.tensor([True, False])]) == [[1.0, 2.0]]
    assert values(x[kernel.tensor([1, 1, 0])]) == [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]
    assert values(x[kernel.tensor([0, 1]), kernel.tensor([1, 0])]) == [2.0, 3.0]
    assert values(x[:, kernel.tensor([False, True])]) == [[2.0], [4.0]]
    assert x[x > 9].shape == (0,) and values(x[kernel.tensor(1)]) == [3.0, 4.0]
    with pytest.raises(ShapeError, match=r"boolean index.*\(2,\).*\(3,\)"):
        _ = x[kernel.tensor([True, False, True])]
    for wrong in ([0, 1], numpy.array([0, 1]), 0.5, "a", True, slice(None, None, -1)):
        with pytest.raises((DtypeError, ShapeError), match="getitem"):
            _ = x[wrong]


def test_item_assignment():
    x = kernel.zeros(3, 3)
    x[0, 0] = 1
    x[1] = kernel.tensor([1.0, 2.0, 3.0])
    x[2, 1:] = [8, 9]
    x[:, 0] = numpy.array([5.0, 6.0, 7.0])
    assert values(x) == [[5.0, 0.0, 0.0], [6.0, 2.0, 3.0], [7.0, 8.0, 9.0]]
    x[x > 6] = -1
    x[kernel.tensor([0, 0])] = kernel.tensor([1.0, 1.0, 1.0])
    assert values(x) == [[1.0, 1.0, 1.0], [6.0, 2.0, 3.0], [-1.0, -1.0, -1.0]]
    x[...] = 0
    assert values(x.sum()) == 0.0
    with pytest.raises(ShapeError, match=r"item assignment.*\(3, 3\)"):
        x[0] = kernel.ones(2)
    with pytest.raises(ShapeError, match="item assignment"):
        x[5] = 1.0


# --- shapes against NumPy, by hypothesis ----------------------------------------------------------------------------


shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4, min_side=0)


@quick
@given(shapes)
def test_broadcast_as_numpy(case: Any):
    a, b = case.input_shapes
    assert broadcast(a, b) == case.result_shape == numpy.broadcast_shapes(a, b)
    g = numpy.arange(math.prod(case.result_shape), dtype=float).reshape(case.result_shape)
    for shape in (a, b):
        back = unbroadcast(cpu, g, shape)
        assert back.shape == shape
        counted = numpy.zeros(shape)
        positions = numpy.broadcast_to(numpy.arange(math.prod(shape)).reshape(shape), case.result_shape)
        numpy.add.at(counted.reshape(-1), positions.ravel(), g.ravel())
        numpy.testing.assert_array_equal(back, counted)


@quick
@given(hnp.array_shapes(max_dims=3, max_side=4), hnp.array_shapes(max_dims=3, max_side=4))
def test_broadcast_refuses_what_numpy_refuses(a: tuple, b: tuple):
    try:
        expected = numpy.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ShapeError):
            broadcast(a, b)
    else:
        assert broadcast(a, b) == expected


@quick
@given(hnp.array_shapes(max_dims=4, max_side=4, min_side=0), st.data())
def test_broadcast_of_less_contradicts_nothing(shape: tuple, data: Any):
    other = tuple(data.draw(st.sampled_from((1, s))) for s in shape)
    full = broadcast(shape, other)
    hidden = tuple(data.draw(st.sampled_from((None, s))) for s in shape)
    known = broadcast(hidden, other)
    assert all(k in (None, f) for k, f in zip(known, full, strict=True))


REDUCTIONS = {
    "sum": numpy.sum,
    "mean": numpy.mean,
    "amax": numpy.max,
    "amin": numpy.min,
    "var": lambda x, axis, keepdims: numpy.var(x, axis=axis, keepdims=keepdims),
    "all": lambda x, axis, keepdims: numpy.all(x != 0, axis=axis, keepdims=keepdims),
    "any": lambda x, axis, keepdims: numpy.any(x != 0, axis=axis, keepdims=keepdims),
    "norm": lambda x, axis, keepdims: numpy.sqrt((x * x).sum(axis=axis, keepdims=keepdims)),
    "logsumexp": lambda x, axis, keepdims: numpy.log(numpy.exp(x).sum(axis=axis, keepdims=keepdims)),
}


@quick
@given(
    hnp.arrays(float, hnp.array_shapes(max_dims=4, max_side=4), elements=st.integers(-3, 3).map(float)),
    st.sampled_from(sorted(REDUCTIONS)),
    st.booleans(),
    st.data(),
)
def test_reductions_as_numpy(array: numpy.ndarray, name: str, keepdims: bool, data: Any):
    axes = st.lists(st.integers(-array.ndim, array.ndim - 1), unique_by=lambda a: a % array.ndim)
    axis = data.draw(st.one_of(st.none(), st.integers(-array.ndim, array.ndim - 1), axes.map(tuple)))
    expected = REDUCTIONS[name](array, axis=axis, keepdims=keepdims)
    found = getattr(kernel, name)(kernel.tensor(array), axis=axis, keepdims=keepdims)
    assert found.shape == expected.shape
    numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@quick
@given(hnp.array_shapes(max_dims=4, max_side=4, min_side=0), st.data())
def test_permutations_and_reshapes_as_numpy(shape: tuple, data: Any):
    array = numpy.arange(math.prod(shape)).reshape(shape)
    axes = tuple(data.draw(st.permutations(range(len(shape)))))
    x = kernel.tensor(array).permute(axes)
    numpy.testing.assert_array_equal(x.numpy(), array.transpose(axes))
    flat = x.reshape(math.prod(shape))
    numpy.testing.assert_array_equal(flat.numpy(), array.transpose(axes).reshape(math.prod(shape)))
    numpy.testing.assert_array_equal(flat.reshape(x.shape).numpy(), x.numpy())


def test_composites():
    x = kernel.tensor([[3.0, -4.0], [0.0, 1.0]])
    assert values(x.norm(1, axis=1)) == [7.0, 1.0] and values(x.norm(float("inf"))) == 4.0 and x.norm(axis=1)[0] == 5
    assert x.flatten().shape == (4,) and kernel.zeros(2, 3, 4).flatten(1).shape == (2, 12)
    assert kernel.zeros(1, 3, 1).squeeze().shape == (3,) and kernel.zeros(1, 3, 1).squeeze((0, -1)).shape == (3,)
    assert values(kernel.flip(x)) == [[1.0, 0.0], [-4.0, 3.0]] and values(kernel.flip(x, 0)) == [
        [0.0, 1.0],
        [3.0, -4.0],
    ]
    assert kernel.pad(x, (1, 2)).shape == (2, 5) and kernel.pad(x, (1, 2, 3, 0)).shape == (5, 5)
    assert x.swapaxes(0, 1).shape == x.T.shape == x.t().shape and kernel.zeros(3).t().shape == (3,)
    assert values(kernel.one_hot(kernel.tensor([1]), 2)) == [[0.0, 1.0]] and kernel.zeros_like(x).shape == (2, 2)
    assert values(kernel.linear(x, x)) == values(x @ x.T) and values(kernel.square(x)) == values(x * x)
    assert (kernel.tensor([1.0, 2.0]) @ kernel.tensor([3.0, 4.0])).shape == () and (x @ x[0]).shape == (2,)
    assert (x[0] @ x).shape == (2,) and (kernel.ones(5, 2, 2) @ x[0]).shape == (5, 2)
    with pytest.raises(ShapeError, match=r"argument b.*\(2,\)"):
        kernel.mm(x, x[0])
    with pytest.raises(ShapeError, match=r"t: .*\(1, 2, 2\)"):
        kernel.zeros(1, 2, 2).t()


def test_sums_of_halves_do_not_stand_still():
    many = kernel.ones(4096, 3, dtype="float16")
    assert many.sum(0).tolist() == [4096] * 3
    assert kernel.zeros(4096, 2).half().softmax(0)[0].tolist() == [2**-12] * 2
    assert abs(kernel.zeros(4096, 2).half().logsumexp(0)[0].item() - 12 * numpy.log(2)) < 0.01
    bias = kernel.zeros(3, dtype="float16", requires_grad=True)
    (kernel.ones(4096, 2, 3, dtype="float16") + bias).sum().backward()
    assert bias.grad.tolist() == [8192] * 3


def test_sums_of_squares_of_halves_do_not_overflow():
    x = kernel.tensor([300.0, 400.0]).half()
    assert x.norm().item() == 500 and x.norm().dtype == kernel.float16
    assert kernel.tensor([300.0, 800.0]).half().var().item() == 62496  # the half nearest to 62500, as in PyTorch


def test_limits_of_slices_are_numbers_when_they_are_taken():
    x, n = kernel.arange(10), kernel.tensor(3)
    assert x[1:n].shape == (2,)
    n.add_(2)
    part = x[1:n]
    assert part.shape == (4,) and (part + 1).tolist() == [2, 3, 4, 5]
    assert x[kernel.tensor(8) :].tolist() == [8, 9] and x[: numpy.int64(2)].tolist() == [0, 1]
    for wrong in (slice(None, 2.0), slice("a", None), slice(0.5, None)):
        with pytest.raises(DtypeError, match=r"^getitem: the limits of a slice must be whole numbers"):
            x[wrong]
    with pytest.raises(ShapeError, match="a step must be positive"):
        x[::0]


def test_masks_beside_other_index_tensors_and_after_dots():
    a = numpy.arange(12.0, dtype="float32").reshape(3, 4)
    x = kernel.tensor(a)
    rows, mask = numpy.array([0, 1]), numpy.array([True, False, True, False])
    assert x[kernel.tensor(rows), kernel.tensor(mask)].tolist() == a[rows, mask].tolist()
    assert x[..., kernel.tensor(mask)].tolist() == a[..., mask].tolist()
    x[..., kernel.tensor(mask)] = 0
    assert x.sum(0).tolist() == [0, 15, 0, 21]
    for short in ([True, True], [True] * 5):
        with pytest.raises(ShapeError, match=r"boolean index should have shape \(4,\)"):
            x[..., kernel.tensor(short)]


def test_dots_for_no_axis_separate_nothing():
    x = kernel.arange(8).reshape(2, 2, 2)
    ones = kernel.tensor([0, 1])
    assert x[:, 1, ..., ones].tolist() == x[:, 1, ones].tolist()
    assert kernel.zeros(4, 3, 2, 3)[0:4:2, -2, ..., kernel.tensor([-2]), 0:2].shape == (2, 1, 2)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: kernel.tensor(2**63), "tensor: the number 9223372036854775808 does not fit into int64"),
        (lambda: kernel.tensor([300], dtype="uint8"), "tensor: the number 300 does not fit into uint8"),
        (lambda: kernel.tensor([1.0, math.nan], dtype="int64"), "tensor: the number nan does not fit into int64"),
        (lambda: kernel.full((2,), 300, dtype="uint8"), "full: argument value 300 does not fit into uint8"),
        (lambda: kernel.full((2,), math.nan, dtype="int64"), "full: argument value nan does not fit into int64"),
        (lambda: kernel.zeros(2, dtype="uint8").fill_(300), "fill_: argument value 300 does not fit into uint8"),
        (
            lambda: kernel.zeros(2, dtype="uint8").__setitem__(0, 300),
            "item assignment: value 300 does not fit into uint8",
        ),
        (lambda: kernel.zeros(2, dtype="int64").__setitem__(0, math.nan), "item assignment: value nan does not fit"),
        (lambda: kernel.zeros(2, dtype="uint8").__setitem__(slice(None), [300, 1]), "the number 300 does not fit"),
        (lambda: kernel.pad(kernel.zeros(1, dtype="uint8"), ((1, 0),), 300), "pad: value 300 does not fit into uint8"),
        (lambda: kernel.tensor(numpy.ma.masked_array([1.0], [True])), "tensor: a masked array has gaps"),
        (lambda: kernel.ones(2).fill_(numpy.complex64(1j)), "fill_: argument value must be a number"),
        (lambda: kernel.ones(2).to(None), "to: dtype None does not exist"),
        (lambda: kernel.zeros(2, dtype="i4,,"), "zeros: dtype 'i4,,' does not exist"),
        (lambda: kernel.zeros(2, dtype=kernel.ones(2)), "zeros: dtype tensor"),
        (lambda: kernel.ones(2).add_([1, 2]), "add_: argument other is a list"),
        (lambda: kernel.apply(kernel.ops.elementwise.add, kernel.ones(2)), "add: it takes a, b, but 1 operands came"),
        (lambda: kernel.apply(kernel.ops.elementwise.add, kernel.ones(2), 1, foo=3), "add: there is no attribute foo"),
        (lambda: kernel.gradcheck(kernel.exp, kernel.ones(2), seed="a"), "gradcheck: seed must be a whole number"),
        (lambda: numpy.add(numpy.float32(1), kernel.ones(2), out=numpy.ones(2)), "add: NumPy's functions"),
    ],
)
def test_values_and_calls_that_cannot_be_are_refused_in_words(call, says: str):
    with pytest.raises(DtypeError) as told:
        call()
    assert str(told.value).startswith(says) or says in str(told.value)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: kernel.ones(2).add_(kernel.ones(3)), ShapeError, "add_: shapes"),
        (lambda: kernel.ones(2).add_(kernel.ones(2).to("strict")), DeviceError, "add_: the operands are on"),
        (lambda: kernel.tensor([kernel.ones(2), kernel.ones(3)]), ShapeError, "tensor: the rows"),
        (lambda: kernel.zeros(10**14), MemoryError, "zeros: "),
        (lambda: kernel.randint(0, 3, (10**14,)), MemoryError, "randint: "),
        (lambda: kernel.ones(10**8, 1) + kernel.ones(10**8), MemoryError, "add: "),
        (lambda: functools.reduce(lambda x, _: x.unsqueeze(0), range(40), kernel.ones(1)), ShapeError, "expand_dims: "),
    ],
)
def test_errors_begin_with_the_name_that_was_typed(call, error: type, says: str):
    with pytest.raises(error) as told:
        call()
    assert str(told.value).startswith(says)


def test_numbers_of_numpy_count_as_numbers():
    assert kernel.arange(0, 1, numpy.float32(0.25)).tolist() == [0, 0.25, 0.5, 0.75]
    assert len(kernel.split(kernel.arange(4), numpy.int64(2))) == 2
    assert kernel.norm(kernel.tensor([3.0, 4.0]), numpy.int64(2)).item() == 5
    x = kernel.ones(2)
    assert (x * numpy.array(2.0)).tolist() == (numpy.array(2.0) * x).tolist() == [2, 2]
    assert kernel.stack([kernel.tensor(1.0), 2.0]).tolist() == [1, 2]


def test_to_takes_what_another_tensor_has():
    other = kernel.ones(1, dtype="float64").to("strict")
    moved = kernel.ones(2).to(other)
    assert moved.device == "strict" and moved.dtype == kernel.float64


def test_tensors_deep_in_lists_are_data():
    one, two = kernel.tensor(1.0), kernel.tensor(2.0)
    assert kernel.tensor([[one, two], [two, one]]).tolist() == [[1, 2], [2, 1]]


def test_copies_of_a_leaf_are_leaves():
    p = kernel.Parameter([1.0, 2.0])
    (p * p).sum().backward()
    for twin in (copy.copy(p), copy.deepcopy(p)):
        assert type(twin) is kernel.Parameter and twin.requires_grad and twin.is_leaf
        assert twin.grad.tolist() == [2, 4] and twin.grad is not p.grad


def test_minus_zero_is_no_second_border():
    for value in (0.0, -0.0):
        assert not numpy.signbit(kernel.pad(kernel.ones(1), ((1, 0),), value).numpy()).any()


def test_an_empty_range_of_clip_has_no_slope():
    x = kernel.tensor([1.0], requires_grad=True)
    x.clip(2, 1).sum().backward()
    assert x.grad.tolist() == [0]


def test_large_helper_arrays_are_not_kept():
    x, index = kernel.zeros(10, 30000), kernel.zeros(10, 30000, dtype="int64")
    tracemalloc.start()
    try:
        for width in range(20000, 20040):
            x.gather(1, index[:, :width])
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()


def test_dots_are_counted_before_they_are_dropped():
    x = kernel.zeros(2, 3)
    for wrong in ((..., ..., 0), (0, ..., ..., kernel.tensor([0]))):
        with pytest.raises(ShapeError, match=r"^getitem: an index may hold \.\.\. only once"):
            x[wrong]
    i = kernel.tensor([0, 1])
    filled = kernel.scatter_add(kernel.ones(3, 2), (slice(None), i, ..., i), (3, 3, 4))
    assert filled.sum().item() == 6


def test_too_many_axes_are_told_under_the_name_that_was_typed():
    x, mask = kernel.zeros(2, 3), kernel.ones(2, 3) > 0
    for name, use in (("getitem", lambda i: x[i]), ("item assignment", lambda i: x.__setitem__(i, 1.0))):
        for index in ((0, 0, 0), (mask, mask), (..., mask, mask), (kernel.tensor(True), 0, 0, 0)):
            with pytest.raises(ShapeError, match=rf"^{name}: \d axes are indexed, but a tensor of shape"):
                use(index)
        with pytest.raises(ShapeError, match=rf"^{name}: index 5 does not exist"):
            use(5)
    with pytest.raises(DtypeError, match="scatter_add: a boolean index is none here"):
        kernel.scatter_add(kernel.ones(2), kernel.tensor([True, False, True]), (3,))


def test_copyto():
    there = kernel.zeros(2, 3, dtype="float64")
    kernel.ones(2, 3).copyto(there)
    assert there.tolist() == [[1, 1, 1]] * 2
    away = kernel.zeros(2, 3, device="strict")
    assert kernel.ones(2, 3).copyto(away) is away and away.cpu().tolist() == [[1, 1, 1]] * 2
    with pytest.raises(ShapeError, match=r"copyto: .*\(2, 3\).*\(3,\)"):
        kernel.ones(2, 3).copyto(kernel.zeros(3))
    with pytest.raises(DtypeError, match="copyto: a tensor"):
        kernel.ones(2).copyto([0, 0])
