"""Weights in files: they come back as they were, and of a file that is damaged or foreign nothing is loaded."""

from __future__ import annotations

import errno
import json
import os
import pickle
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import safetensors.numpy

import kernel
from kernel import DtypeError, FileError, ShapeError, UnknownSizeError, layers
from kernel.layers import BatchNorm, Dense, Linear, Sequential
from kernel.op import DTYPES
from kernel.serialize import VERSION, header
from tests.kernel.test_layers import LAYERS, built


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def network() -> Sequential:
    return Sequential(Linear(2, 3), BatchNorm(3))


def small(place: Path) -> bytes:
    """A file with a few numbers."""
    kernel.save({"weight": kernel.tensor([[1.0, 2.0]]), "steps": kernel.tensor([3])}, place)
    return place.read_bytes()


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tolist() == b[k].tolist() for k in a
    )


def refused(call: Callable, *arguments: Any) -> str:
    """The one sentence in which a FileError says what is wrong."""
    with pytest.raises(FileError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


# --- what comes back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [str(dtype) for dtype in DTYPES])
@pytest.mark.parametrize("shape", ((), (3,), (2, 3), (0, 4), (2, 1, 3, 1)))
def test_numbers_come_back_as_they_were(dtype: str, shape: tuple, place: Path):
    numbers = numpy.arange(-3, 3).astype(dtype)[: max(1, numpy.prod(shape, dtype=int))]
    for device in ("cpu", "strict"):
        state = {"x": kernel.tensor(numpy.resize(numbers, shape), device=device)}
        kernel.save(state, place)
        assert same(kernel.load(place), state) and header(place).shapes == {"x": shape}


def test_extreme_numbers_and_any_order_in_memory(place: Path):
    extreme = kernel.tensor([float("inf"), -0.0, 1e-45, 3.4e38])
    turned = kernel.arange(24).reshape(2, 3, 4).permute(2, 0, 1)
    kernel.save({"e": extreme, "t": turned, "s": kernel.flip(turned, 0)}, place)
    state = kernel.load(place)
    assert str(state["e"].tolist()) == str(extreme.tolist())
    assert state["t"].tolist() == turned.tolist() and state["s"].tolist() == turned.tolist()[::-1]
    kernel.save({"n": kernel.tensor([float("nan")])}, place)
    assert str(kernel.load(place)["n"].item()) == "nan"


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_comes_back(name: str, place: Path):
    layer, x = built(name, seed=1), kernel.tensor(LAYERS[name].x)
    layer(x)
    for device in ("cpu", "strict"):
        kernel.save(layer.to(device), place)
        other = LAYERS[name].make()  # with sizes that are not known yet
        state = kernel.load(place, into=other)
        assert same(state, {k: v.cpu() for k, v in layer.state_dict().items()})
    assert other.eval()(x).tolist() == layer.cpu().eval()(x).tolist()


@pytest.mark.parametrize("name", ("größe.ü", "a.b.c", "", " ", "😀", 'quote"and\\backslash\n', "x" * 300))
def test_any_name(name: str, place: Path):
    kernel.save({name: kernel.ones(2), "other": kernel.zeros(1)}, place)
    assert kernel.load(place)[name].tolist() == [1, 1]


def test_shared_parameters_are_there_under_all_names(place: Path):
    layer = Linear(2, 2)
    net = Sequential(layer, layer)
    kernel.save(net, place)
    other = Sequential(shared := Linear(None, 2), shared)
    assert len(kernel.load(place, into=other)) == 4 and other[1].weight.tolist() == layer.weight.tolist()


def test_a_file_says_what_it_holds(place: Path):
    net = Sequential(Dense(3, activation=kernel.tanh), BatchNorm())
    net(kernel.ones(5, 2))
    kernel.save(net, place)
    about = header(place)
    assert about.version == VERSION and about.model == repr(net)
    assert about.types == "Sequential(Tensor[2]) -> Tensor[3]"
    assert about.shapes == {name: value.shape for name, value in net.state_dict().items()}
    kernel.save({"x": kernel.ones(1)}, str(place))
    assert header(str(place)) == (VERSION, "", "", {"x": (1,)})


@pytest.mark.parametrize("with_torch", (False, pytest.param(True, marks=pytest.mark.oracle)))
def test_files_of_other_programs(with_torch: bool, place: Path):
    expected = {"weight": numpy.ones((3, 2), "float32"), "bias": numpy.arange(3, dtype="float32")}
    if with_torch:
        import torch
        from safetensors.torch import save_file

        save_file({k: torch.tensor(v) for k, v in expected.items()}, place)
    else:
        safetensors.numpy.save_file(expected, place, metadata={"format": "pt"})
    layer = Linear(3)
    state = kernel.load(place, into=layer)
    assert layer.weight.tolist() == [[1, 1]] * 3 and layer.bias.tolist() == [0, 1, 2] and set(state) == set(expected)
    assert header(place) == (None, "", "", {"weight": (3, 2), "bias": (3,)})


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ("int8", "int16", "uint16", "uint32", "uint64"))
def test_numbers_that_no_tensor_has(kind: str, place: Path):
    safetensors.numpy.save_file({"fine": numpy.ones(2), "odd": numpy.ones(2, kind)}, place)
    assert "holds odd in" in refused(kernel.load, place)


def raw(place: Path, entries: dict, data: bytes) -> None:
    """A safetensors file made by hand."""
    text = json.dumps(entries).encode()
    place.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_halves_of_the_other_kind(place: Path):
    raw(place, {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4)
    layer = Linear(2, 1)
    before = layer.state_dict()
    message = refused(kernel.load, place, layer)
    assert "holds w in BF16, which no tensor here can have; nothing was loaded" in message and "float16" in message
    assert same(layer.state_dict(), before)


@pytest.mark.parametrize(
    ("version", "refuses"), ((VERSION + 1, True), (999999999, True), (VERSION, False), (0, False), ("²", False))
)
def test_a_newer_version(version: Any, refuses: bool, place: Path):
    """What is no number is not ours, and is read as any other program's file."""
    small(place)
    with safetensors.safe_open(place, framework="numpy") as file:
        about, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    safetensors.numpy.save_file(arrays, place, metadata=about | {"version": str(version)})
    if refuses:
        assert f"is of version {version} of the format, and this kernel reads up to 1" in refused(kernel.load, place)
        assert header(place).version == version
    else:
        assert kernel.load(place)["steps"].tolist() == [3]


def test_a_file_that_was_cut_off_anywhere(place: Path):
    whole = small(place)
    net = Linear(2, 1)
    before = net.state_dict()
    for length in range(len(whole)):
        place.write_bytes(whole[:length])
        for call, *more in ((kernel.load, net), (header,)):
            message = refused(call, place, *more)
            assert "is no safetensors file, or is damaged or cut off" in message
    place.write_bytes(whole + b"\0")
    refused(kernel.load, place)
    assert same(net.state_dict(), before)


@pytest.mark.parametrize("bit", (0, 3, 5))
def test_a_file_with_a_flipped_bit_anywhere(bit: int, place: Path):
    """It is refused, or the bit did not matter: of the numbers, their names and their shapes every one does."""
    whole = small(place)
    good, start = kernel.load(place), 8 + struct.unpack("<Q", whole[:8])[0]
    for i in range(len(whole)):
        place.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1 :])
        try:
            state = kernel.load(place)
        except FileError as error:
            assert str(error).endswith(".") and "nothing was loaded" in str(error)
        else:
            assert i < start and same(state, good)


@pytest.mark.parametrize(
    ("content", "words"),
    (
        (b"", "no safetensors file"),
        (b"hello, world\n" * 10, "no safetensors file"),
        (pickle.dumps({"w": [1.0]}), "is a pickle, not a safetensors file"),
        (pickle.dumps({"w": [1.0] * 99}, 2), "is a pickle"),
        (b"PK\x03\x04" + b"\0" * 99, "is a zip archive, as torch.save or numpy.savez make them"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "is an HDF5 file"),
        (b"\x93NUMPY\x01\0" + b"\0" * 99, "is a NumPy array"),
        (struct.pack("<Q", 2**63) + b"{}", "no safetensors file"),
        (struct.pack("<Q", 2) + b"[]", "no safetensors file"),
        *((struct.pack("<Q", n) + b"{" * 9, "is no safetensors file, or is damaged") for n in (128, 640, 0x0580)),
    ),
)
def test_files_that_are_something_else(content: bytes, words: str, place: Path):
    place.write_bytes(content)
    for call in (kernel.load, header):
        assert words in refused(call, place)


@pytest.mark.parametrize(
    "entry",
    (
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]},
        {"dtype": "X", "shape": [2], "data_offsets": [0, 8]},
        {"shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
    ),
)
def test_entries_that_lie(entry: dict, place: Path):
    raw(place, {"w": entry}, b"\0" * 8)
    assert "nothing was loaded" in refused(kernel.load, place)


def test_places_that_hold_no_file(tmp_path: Path):
    for call in (kernel.load, header):
        assert "cannot be read: No such file or directory" in refused(call, tmp_path / "missing")
        assert "cannot be read: Is a directory" in refused(call, tmp_path)
        assert "no file can be called" in refused(call, "a\0b")
        for wrong in (None, 3, b"x", ["x"]):
            with pytest.raises(DtypeError, match=r"a path was expected, but"):
                call(wrong)


# --- saving --------------------------------------------------------------------------------------------------------


def test_places_that_cannot_be_written(tmp_path: Path):
    net = network()
    for place in (tmp_path, tmp_path / "no" / "such", tmp_path / ("x" * 300), "a\0b"):
        message = refused(kernel.save, net, place)
        assert message.startswith("save: ")
    assert list(tmp_path.iterdir()) == [], "no scraps are left"


@pytest.mark.parametrize("error", (OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()))
@pytest.mark.parametrize("step", ("write", "replace"))
def test_a_save_that_is_interrupted_leaves_the_old_file(
    error: BaseException, step: str, place: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = small(place)

    def fail(*_: Any) -> None:
        raise error

    if step == "replace":
        monkeypatch.setattr(os, "replace", fail)
    else:
        real = Path.open

        def opened(self: Path, *arguments: Any) -> Any:
            return Broken(real(self, *arguments))

        class Broken:
            def __init__(self, file: Any):
                self.file = file

            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: Any) -> None:
                self.file.close()

            def write(self, data: bytes) -> None:
                self.file.write(data[:20])
                raise error

        monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        kernel.save(network(), place)
    monkeypatch.undo()
    assert not isinstance(error, OSError) or "cannot be written: No space left on device" in str(caught.value)
    assert place.read_bytes() == whole and list(place.parent.iterdir()) == [place]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_others_may_read_what_was_saved_as_any_other_file(place: Path):
    place.touch()
    expected = stat.S_IMODE(place.stat().st_mode)
    place.unlink()
    kernel.save(network(), place)
    assert stat.S_IMODE(place.stat().st_mode) == expected


def test_only_modules_and_states_are_saved(place: Path):
    for wrong in (
        None,
        kernel.ones(2),
        [kernel.ones(2)],
        {"x": 1.0},
        {"x": numpy.ones(2)},
        {1: kernel.ones(2)},
        {"__metadata__": kernel.ones(2)},
        Linear,
    ):
        with pytest.raises(DtypeError, match=r"^save: a module or a state dict \{name: tensor\} was expected, but"):
            kernel.save(wrong, place)
    with pytest.raises(UnknownSizeError, match="has no values yet"):
        kernel.save(Linear(3), place)
    assert not place.exists()
    kernel.save(layers.ReLU(), place)
    assert kernel.load(place, into=layers.ReLU()) == {}


def test_a_module_takes_all_or_nothing(place: Path):
    kernel.save(network().initialise(5), place)
    net = Sequential(Linear(2, 3), BatchNorm(4)).initialise(1)
    before = net.state_dict()
    with pytest.raises(ShapeError, match="nothing was loaded") as caught:
        kernel.load(place, into=net)
    assert str(caught.value).count("should have shape (4,), but has (3,)") == 4 and same(net.state_dict(), before)
    with pytest.raises(ShapeError, match=r"2\.weight is missing"):
        kernel.load(place, into=Sequential(network(), network(), Linear(1, 1)))
    longer = Sequential(Linear(2, 3), BatchNorm(3), Linear(3, 1)).initialise(1)
    kernel.load(place, into=longer, strict=False)
    assert [p.mean().item() for p in longer.parameters()] == [5, 5, 5, 5, 1, 1]
    for wrong in (Linear, {}, "net"):
        with pytest.raises(DtypeError, match=r"^load: into must be a module"):
            kernel.load(place, into=wrong)
