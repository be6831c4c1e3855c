"""Devices: copies that do not alias, operands that must be together, and a strict device as unforgiving as a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

import kernel
from kernel import DeviceError
from kernel.strict import StrictArray
from kernel.xp import device, send

DEVICES = ["strict", *(pytest.param(name, marks=pytest.mark.gpu) for name in kernel.devices() if name != "cpu")]
every_device = pytest.mark.parametrize("place", DEVICES)


def test_what_exists():
    assert kernel.devices()[0] == "cpu" and kernel.gpu_available() == (len(kernel.devices()) > 1)
    assert device("cpu") is device("cpu") is kernel.ones(1).device and str(device("cpu")) == "cpu"
    assert repr(device("cpu")) == "device('cpu')"


def test_unknown_devices_are_named_with_those_that_exist():
    for name in ("tpu", "gpu:99", "cuda:99", "gpu:-1", "", "CPU:0"):
        with pytest.raises(DeviceError, match=r"there is no device .* this machine has cpu"):
            kernel.ones(1, device=name)
    with pytest.raises(DeviceError, match="this machine has"):
        kernel.ones(1).cuda(99)


@pytest.mark.skipif(kernel.gpu_available(), reason="there is a GPU here")
def test_without_a_gpu_the_way_to_one_is_told():
    for use in (lambda: kernel.ones(1).cuda(), lambda: kernel.ones(1).gpu(), lambda: kernel.ones(1).to("cuda:0")):
        with pytest.raises(DeviceError, match=r"gpu:0.*CuPy.*gradschool doctor"):
            use()


@every_device
def test_copies_do_not_alias(place: str):
    a = kernel.ones(5)
    there = a.to(place)
    a.add_(1)
    back = there.cpu()
    there.add_(5)
    assert there.tolist() == [6] * 5 and back.tolist() == [1] * 5 and a.tolist() == [2] * 5
    assert str(there.device) == place and str((there + 1).device) == place and there.to(place) is there
    assert repr(there) == f"tensor([6., 6., 6., 6., 6.], device='{place}')"
    assert a.cpu() is a and a.to("cpu") is a


@every_device
def test_the_gradient_travels_back(place: str):
    x = kernel.tensor([1.0, 2.0], requires_grad=True)
    (x.to(place) * 3).to("cpu").sum().backward()
    assert x.grad.tolist() == [3, 3] and str(x.grad.device) == "cpu"
    there = x.detach().to(place).requires_grad_()
    (there**2).sum().backward()
    assert str(there.grad.device) == place and there.grad.tolist() == [2, 4]


@every_device
def test_operands_on_different_devices_are_refused(place: str):
    a, b = kernel.ones(2), kernel.ones(2, device=place)
    leaf = kernel.ones(2, requires_grad=True)
    for use in (
        lambda: a + b,
        lambda: kernel.where(a > 0, a, b),
        lambda: kernel.concatenate([a, b]),
        lambda: a.add_(b),
        lambda: b[kernel.tensor([0])],
        lambda: a.__setitem__(0, b[0]),
        lambda: b.__setitem__(kernel.tensor([0]), 1.0),
        lambda: (leaf * 1).backward(b),
    ):
        with pytest.raises(DeviceError, match=rf"(cpu.*{place}|{place}.*cpu).*\.to\("):
            use()
    a.copy_(b)  # the one that crosses
    b[...] = 7
    assert b.tolist() == [7, 7]


@every_device
def test_numpy_asks_for_a_copy_on_the_host(place: str):
    with pytest.raises(DeviceError, match=r"numpy: .*\.cpu\(\)\.numpy\(\)"):
        kernel.ones(2, device=place).numpy()
    assert kernel.ones(2, device=place).cpu().numpy().tolist() == [1, 1]


@every_device
def test_creation_and_training_on_a_device(place: str):
    g = kernel.Generator(0)
    w = kernel.randn(2, 3, device=place, generator=g, requires_grad=True)
    b = kernel.zeros(2, device=place, requires_grad=True)
    x, labels = kernel.randn(6, 3, device=place, generator=g), kernel.tensor([0, 1, 0, 1, 1, 0], device=place)
    losses = []
    for _ in range(20):
        loss = kernel.cross_entropy(kernel.linear(x, w, b), labels)
        w.grad = b.grad = None
        loss.backward()
        with kernel.no_grad():
            for p in (w, b):
                p -= 0.5 * p.grad
        losses.append(loss.item())
    assert losses[-1] < losses[0] and str(w.grad.device) == place
    x[0] = 0.0
    x[x > 1] = 1.0
    assert (x <= 1).all() and kernel.arange(3, device=place).tolist() == [0, 1, 2]
    assert kernel.eye(2, device=place).tolist() == [[1, 0], [0, 1]] and kernel.full((2,), 3, device=place).tolist() == [
        3,
        3,
    ]


@every_device
def test_gradcheck_on_a_device(place: str):
    assert kernel.gradcheck(lambda x: (x.exp() * x[0]).sum(), kernel.tensor([0.5, 1.0], device=place))


@every_device
def test_saved_values_do_not_depend_on_the_device(place: str):
    assert kernel.tensor(kernel.ones(2, device=place)).tolist() == [1, 1]
    nested = kernel.tensor([kernel.ones(2, device=place), kernel.zeros(2)])
    assert nested.tolist() == [[1, 1], [0, 0]] and str(nested.device) == "cpu"


# --- the strict device itself ------------------------------------------------------------------------------------


def test_a_strict_array_refuses_the_host():
    s, array = StrictArray.from_host(numpy.ones(3)), numpy.ones(3)
    for leak in (
        lambda: numpy.asarray(s),
        lambda: numpy.exp(s),
        lambda: s + array,
        lambda: array + s,
        lambda: s * numpy.float64(2),
        lambda: float(s[0]),
        lambda: int(s[0]),
        lambda: bool(s[0]),
        lambda: list(s),
        lambda: s[numpy.array([0])],
        lambda: s.__setitem__(0, numpy.float64(1)),
        lambda: [1, 2, 3][s[0].astype("int64")],
        lambda: device("strict").xp.exp(array),
        lambda: device("strict").xp.concatenate([s, array]),
        lambda: device("strict").xp.where(s > 0, s, array),
        lambda: hash(s),
    ):
        with pytest.raises(TypeError):
            leak()
    assert s.get().tolist() == [1, 1, 1] and s.get() is not s.get()


def test_a_strict_array_refuses_repeated_indices():
    xp = device("strict").xp
    s, index = xp.zeros(3), xp.array([0, 0])
    with pytest.raises(TypeError, match="scatter_add"):
        s[index] = xp.ones(2)
    assert xp.scatter_add(xp.ones(2), (index,), (3,)).get().tolist() == [2, 0, 0]


def test_the_strict_device_offers_no_more_arguments_than_cupy():
    xp = device("strict").xp
    x = xp.ones((2, 2))
    for call in (
        lambda: xp.einsum("ij->ji", x, out=xp.ones((2, 2))),
        lambda: xp.argsort(x, kind="quicksort"),
        lambda: xp.amax(x, initial=0),
        lambda: x.max(initial=0),
        lambda: xp.sum(x, where=x > 0),
        lambda: xp.add.reduce(x, initial=1.0),
        lambda: xp.take(x, xp.array([0]), mode="clip"),
        lambda: xp.scatter_add(x.astype("complex64"), (xp.array([0, 0]),), (1, 2)),
    ):
        with pytest.raises(TypeError, match="CuPy"):
            call()
    assert xp.argsort(x, kind="stable").shape == (2, 2)


def test_memory_of_the_strict_device_that_nobody_wrote_holds_nan():
    xp = device("strict").xp
    for array in (xp.empty((2, 3), "float32"), xp.empty_like(xp.zeros(3)), xp.empty_like(xp.zeros(3), dtype="float16")):
        assert type(array) is StrictArray and numpy.isnan(array.get()).all()
    assert xp.empty(2, "int64").get().all() and xp.empty(2, bool).get().all()


def test_the_strict_device_offers_only_what_cupy_has():
    xp = device("strict").xp
    listed = (Path(kernel.__file__).parent / "cupy_names.txt").read_text().split()
    for name in ("einsum_path", "errstate", "nditer", "frompyfunc", "apply_along", "add_docstring"):
        assert name not in listed and not hasattr(xp, name)
    assert all(hasattr(xp, name) for name in ("exp", "where", "scatter_add"))


def test_send_copies_even_to_where_it_is():
    cpu = device("cpu")
    array = numpy.ones(2)
    assert not numpy.shares_memory(send(array, cpu, cpu), array)
