"""Weights in files: safetensors, which hold numbers and names and nothing that could run.

Beside the numbers a file says which version of this format it is, what the model looked like and what it took and gave,
so that whoever opens it knows what to feed. Files of other programs load too, if they are safetensors.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from .creation import tensor
from .errors import DtypeError, FileError, UnknownSizeError, show
from .function import Function
from .graph import from_data, to_data
from .module import Module
from .op import DTYPES
from .tensor import Tensor

FORMAT, VERSION = "gradschool", 1
_FOREIGN = {
    rb"PK\x03\x04": "a zip archive, as torch.save or numpy.savez make them",
    rb"\x80[\x02-\x05][^\0]": "a pickle",  # a safetensors file may begin with 128, but then with zeros soon
    rb"\x89HDF": "an HDF5 file, as Keras makes them",
    rb"\x93NUMPY": "a NumPy array",
}


class Header(NamedTuple):
    """What a file of weights says about itself."""

    version: int | None  # of this format; None in a file of another program
    model: str  # how the model printed itself
    types: str  # what it took and gave: Dense(Tensor[5]) -> Tensor[2]
    shapes: dict[str, tuple[int, ...]]


def save(model: Module | Mapping[str, Tensor], path: str | os.PathLike) -> None:
    """Write the parameters and buffers of a module, or a state dict, to a safetensors file.

    The file is written beside its place and then moved there, so that what was there before is lost only when the new
    one is whole. On every device the numbers are saved in row-major order. A checksum tells later whether they are
    still the same.

    Raises DtypeError for anything else than a module or {name: tensor}, UnknownSizeError while the module has
    parameters without a size.

    >>> import tempfile
    >>> from pathlib import Path
    >>> layer = kernel.layers.Linear(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kernel.save(layer, Path(folder, "layer.safetensors"))
    ...     _ = kernel.load(Path(folder, "layer.safetensors"), into=kernel.layers.Linear(2, 3))
    """
    if isinstance(model, Function):
        return _save_function(model, path)
    library = _library("save")
    is_module = isinstance(model, Module)
    if not is_module and not (isinstance(model, Mapping) and all(map(_is_entry, model, model.values()))):
        raise DtypeError(f"save: a module or a state dict {{name: tensor}} was expected, but {show(model)} came.")
    state = model.state_dict() if is_module else model
    arrays = {name: numpy.asarray(value.detach().cpu().numpy(), order="C") for name, value in state.items()}
    about = {"format": FORMAT, "version": str(VERSION), "checksum": _checksum(arrays)}
    if is_module:
        about |= {"model": repr(model), "types": model.types}
    _write(path, library.numpy.save(arrays, metadata=about))


def _write(path: Any, data: bytes) -> None:
    """Write a file beside its place, and then move it there."""
    place = _path("save", path)
    scratch = place.parent / f".{place.name}.{secrets.token_hex(4)}"
    try:
        with scratch.open("xb") as file:
            file.write(data)
        os.replace(scratch, place)
    except OSError as error:
        raise FileError(f"save: {place} cannot be written: {error.strerror}.") from None
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()  # if it still is there


def load(path: str | os.PathLike, into: Module | None = None, strict: bool = True) -> dict[str, Tensor]:
    """The state dict in a safetensors file; with ``into`` a module takes it over as well, all of it or nothing.

    Raises FileError, in words, for a file that is missing, damaged, cut off, of another kind or of a newer version, and
    ShapeError where it does not fit the module; nothing is loaded then.
    """
    if into is not None and not isinstance(into, Module):
        raise DtypeError(f"load: into must be a module, but {show(into)} came.")
    place = _path("load", path)
    with _opened("load", place) as file:
        about = file.metadata() or {}
        _check_version(place, about)
        state = {name: _read(place, file, name) for name in list(file.keys())}
    if _is_ours(about) and about.get("checksum") != _checksum({name: value.numpy() for name, value in state.items()}):
        raise FileError(f"load: {place} is damaged, its numbers are not those that were saved; nothing was loaded.")
    if into is not None:
        into.load_state_dict(state, strict)
    return state


def _save_function(self: Function, path: str | os.PathLike) -> None:
    """Write a function to one file: its graph, and the values of its parameters, which are safetensors.

    What is computed by Python code that needs to know the shapes must be called on variables first. Where modules know
    only numbers and names, a function can be loaded without the code that made it; nothing in the file can run.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from kernel.layers import Dense
    >>> model = Dense(2)(kernel.input_variable(3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(Path(folder, "model.cmf"))
    ...     again = kernel.Function.load(Path(folder, "model.cmf"))
    >>> again
    Dense(Tensor[3]) -> Tensor[2]
    >>> bool((again([1.0, 2.0, 3.0]) == model([1.0, 2.0, 3.0])).all())
    True
    """
    library = _library("save")
    kept: dict[Any, str] = {}
    for node in self._nodes():
        if node.op is None and node.value is not None and node.role != "draw":
            name = node.name if node.name not in kept.values() else f"{node.name}#{len(kept)}"
            kept[node] = name
    waiting = [name for node, name in kept.items() if hasattr(node.value, "complete")]
    if waiting:
        raise UnknownSizeError(
            f"save: the parameters {', '.join(waiting)} have no values yet; call the function on data, or on variables "
            "with a shape, once."
        )
    arrays = {name: numpy.asarray(node.value.detach().cpu().numpy(), order="C") for node, name in kept.items()}
    data = to_data(self._entries, kept, self._argument_nodes())
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "checksum": _checksum(arrays),
        "model": repr(self),
        "types": repr(self),
        "graph": json.dumps(data),
    }
    _write(path, library.numpy.save(arrays, metadata=about))


def _load_function(path: str | os.PathLike) -> Function:
    """The function that ``save`` wrote to a file; raises FileError, in words, for any other file."""
    place = _path("load", path)
    with _opened("load", place) as file:
        about = file.metadata() or {}
        _check_version(place, about)
        values = {name: _read(place, file, name) for name in list(file.keys())}
    if not _is_ours(about) or "graph" not in about:
        raise FileError(
            f"load: {place} holds numbers, but no function; make the model in Python, and load them into it with "
            "kernel.load(path, into=model)."
        )
    if about.get("checksum") != _checksum({name: value.numpy() for name, value in values.items()}):
        raise FileError(f"load: {place} is damaged, its numbers are not those that were saved; nothing was loaded.")
    try:
        data = json.loads(about["graph"])
    except (ValueError, RecursionError) as error:
        raise FileError(f"load: {place} is damaged, its graph cannot be read: {error}.") from None
    symbol, arguments = from_data(data, values)
    function = Function._of(symbol._entries, arguments)
    left = set(Function._of(symbol._entries)._argument_nodes()) - set(arguments)
    if left or len(set(arguments)) < len(arguments):
        raise FileError(f"load: {place} is damaged, its graph does not list each of its arguments once.")
    return function


Function.save, Function.load = _save_function, staticmethod(_load_function)


def header(path: str | os.PathLike) -> Header:
    """What a file of weights says about itself, without reading the numbers.

    >>> import tempfile
    >>> from pathlib import Path
    >>> layer = kernel.layers.Linear(2, 3)
    >>> _ = layer(kernel.ones(1, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kernel.save(layer, Path(folder, "layer.safetensors"))
    ...     kernel.serialize.header(Path(folder, "layer.safetensors")).types
    'Linear(Tensor[2]) -> Tensor[3]'
    """
    place = _path("header", path)
    with _opened("header", place) as file:
        about = file.metadata() or {}
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in list(file.keys())}
    version = int(about["version"]) if _is_ours(about) else None
    return Header(version, about.get("model", ""), about.get("types", ""), shapes)


def _library(name: str) -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise FileError(
            f"{name}: weights are kept in safetensors files; install it: pip install safetensors."
        ) from None
    return safetensors


def _path(name: str, path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise DtypeError(f"{name}: a path was expected, but {show(path)} came.")
    if "\0" in str(path):
        raise FileError(f"{name}: no file can be called {show(path)}.")
    return Path(path)


def _opened(name: str, path: Path) -> Any:
    library = _library(name)
    try:
        with path.open("rb") as file:
            start = file.read(8)
        return library.safe_open(path, framework="numpy")
    except OSError as error:
        raise FileError(f"{name}: {path} cannot be read: {error.strerror or error}.") from None
    except library.SafetensorError as error:
        for magic, what in _FOREIGN.items():
            if re.match(magic, start):
                raise FileError(
                    f"{name}: {path} is {what}, not a safetensors file; nothing was loaded. Save it as safetensors in "
                    "the program that made it."
                ) from None
        raise FileError(
            f"{name}: {path} is no safetensors file, or is damaged or cut off ({error}); nothing was loaded."
        ) from None


def _is_entry(name: Any, value: Any) -> bool:
    return isinstance(name, str) and name != "__metadata__" and isinstance(value, Tensor)


def _checksum(arrays: Mapping[str, numpy.ndarray]) -> str:
    """Of names, dtypes, shapes and numbers, whatever their order in the file."""
    total = 0
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} {array.dtype} {array.shape} ".encode(), total)
        total = zlib.crc32(array.reshape(-1).view("u1"), total)
    return f"{total:08x}"


def _is_ours(about: Mapping[str, str]) -> bool:
    return about.get("format") == FORMAT and re.fullmatch("[0-9]{1,9}", about.get("version", "")) is not None


def _check_version(path: Path, about: Mapping[str, str]) -> None:
    if _is_ours(about) and int(about["version"]) > VERSION:
        raise FileError(
            f"load: {path} is of version {about['version']} of the format, and this kernel reads up to {VERSION}; "
            "nothing was loaded. Update gradschool."
        )


def _read(path: Path, file: Any, name: str) -> Tensor:
    kind = file.get_slice(name).get_dtype()
    known = {"F16", "F32", "F64", "U8", "I32", "I64", "BOOL"}
    if kind not in known:
        raise FileError(
            f"load: {path} holds {name} in {kind}, which no tensor here can have; nothing was loaded. There are "
            f"{', '.join(map(str, DTYPES))}."
        )
    return tensor(file.get_tensor(name))
