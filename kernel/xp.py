"""Devices: where arrays live, and which namespace ``xp`` computes on them. The only file that imports CuPy.

A device is "cpu" (NumPy), "gpu:0", "gpu:1", … (CuPy) or "strict" (NumPy behind an array type that refuses every
implicit conversion, as CuPy's does, so that code for the GPU can be tested without one). Operations receive
``device.xp``: the functions of NumPy, and beside them the few that NumPy and CuPy spell differently.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy

from .errors import DeviceError, DtypeError, show


class Memory(NamedTuple):
    """Bytes of a GPU's memory."""

    used: int  # by arrays that exist
    held: int  # by CuPy's pool, which keeps what was freed for the next array; ``used`` is part of it
    free: int  # for anybody
    total: int

    def __str__(self) -> str:
        used, held, free, total = (f"{size / 2**20:,.0f} MiB" for size in self)
        return f"{used} used by arrays, {held} held in the pool; {free} of {total} free"


class Device:
    """A place for arrays: its name, its namespace ``xp``, its array type, and how to get there and back.

    There is one object for each device; ``device(name)`` finds it. It is equal to its name in any spelling. On a GPU
    work is done inside ``with device.guard():``, which makes that GPU the current one; elsewhere it changes nothing.

    >>> from kernel.xp import device
    >>> device("cpu").xp.exp(0.0)
    np.float64(1.0)
    >>> device("cpu") == "cpu", device("cpu") == "cuda:0"
    (True, False)
    """

    __slots__ = (
        "array_type",
        "from_host",
        "guard",
        "index",
        "kind",
        "kinds",
        "memory",
        "name",
        "stream",
        "synchronise",
        "to_host",
        "xp",
    )

    def __init__(
        self,
        kind: str,
        index: int | None,
        xp: SimpleNamespace,
        array_type: type,
        from_host: Callable[[numpy.ndarray], Any],
        to_host: Callable[[Any], numpy.ndarray],
        guard: Callable[[], contextlib.AbstractContextManager] = lambda: _UNGUARDED,
        synchronise: Callable[[], None] = lambda: None,
        stream: Callable[[], contextlib.AbstractContextManager] = lambda: _UNGUARDED,
        memory: Callable[[], Memory] | None = None,
    ):
        self.kind, self.index = kind, index
        self.name = kind if index is None else f"{kind}:{index}"
        self.xp, self.array_type = xp, array_type
        self.from_host, self.to_host = from_host, to_host
        self.guard, self.synchronise, self.stream, self.memory = guard, synchronise, stream, memory
        self.kinds: dict[tuple, Any] = {}  # of arrays that have been here; see Kind

    def __eq__(self, other: Any) -> bool:
        return self is other or (isinstance(other, str) and _spelled(other) == self.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"device('{self.name}')"

    def __str__(self) -> str:
        return self.name


_UNGUARDED = contextlib.nullcontext()


def device(name: str | Device) -> Device:
    """The device called ``name``: "cpu", "gpu" (the first), "gpu:1", "strict"; PyTorch's "cuda:0" means "gpu:0".

    Raises DeviceError, with the devices that exist, for any other.

    >>> device("cpu")
    device('cpu')
    >>> device("tpu")
    Traceback (most recent call last):
    ...
    kernel.errors.DeviceError: there is no device 'tpu' here; this machine has cpu.
    """
    if isinstance(name, Device):
        return name
    if not isinstance(name, str):
        raise DeviceError(f'a device is named by a string such as "cpu" or "gpu:0", but {show(name)} came.')
    return _device(_spelled(name))


def devices() -> list[str]:
    """The names of the devices of this machine, the CPU first.

    >>> devices()[0]
    'cpu'
    """
    return ["cpu", *(f"gpu:{i}" for i in range(gpu_count()))]


def gpu_available() -> bool:
    """Whether a GPU can really compute here (CuPy is installed, the driver answers, one small sum came out right).

    >>> gpu_available() == (gpu_count() > 0)
    True
    """
    return gpu_count() > 0


@functools.cache
def gpu_count() -> int:
    """How many GPUs can compute here; 0 without CuPy. Found out once, by one real operation."""
    try:
        import cupy
    except ImportError:
        return 0
    try:
        with cupy.cuda.Device(0):
            if int(cupy.arange(4).sum()) != 6:
                return 0
        return cupy.cuda.runtime.getDeviceCount()
    except (RuntimeError, ImportError, OSError, cupy.cuda.compiler.CompileException):
        # No driver (a RuntimeError of CuPy), no card, or no compiler for it: the driver alone would have said yes.
        return 0


def synchronise(name: str | Device = "gpu:0") -> None:
    """Wait until a device has done all that it was given: a GPU works on while Python goes ahead. Do it before timing.

    >>> import kernel
    >>> kernel.synchronise("cpu")
    """
    device(name).synchronise()


def stream(name: str | Device = "gpu:0") -> contextlib.AbstractContextManager:
    """``with kernel.stream("gpu:0"):``: what is done inside goes to a stream of its own, beside other streams' work.

    It begins after what was given to the current stream before, and what comes after the block waits for it. On the CPU
    nothing changes.

    >>> import kernel
    >>> with kernel.stream("cpu"):
    ...     x = kernel.ones(2) + 1
    >>> x
    tensor([2., 2.])
    """
    return device(name).stream()


def memory(name: str | Device = "gpu:0") -> Memory:
    """The memory of a GPU, in bytes: used by arrays, held by CuPy's pool, free, and in total.

    Raises DeviceError for the CPU, whose memory is the operating system's to report.
    """
    place = device(name)
    if place.memory is None:
        raise DeviceError(f"memory: of {place} the operating system keeps account; this tells of a GPU.")
    return place.memory()


def send(array: Any, source: Device, target: Device) -> Any:
    """``array`` of device ``source`` copied to device ``target``: always a copy, never an alias."""
    if source is target:
        with source.guard():
            return array.copy()
    return target.from_host(source.to_host(array))


def _spelled(name: str) -> str:
    """PyTorch's and short names in the kernel's spelling: cuda:1 -> gpu:1, gpu -> gpu:0."""
    name = "gpu" + name.removeprefix("cuda") if name.startswith("cuda") else name
    return "gpu:0" if name == "gpu" else name


@functools.cache
def _device(name: str) -> Device:
    if name == "cpu":
        return Device("cpu", None, _numpy_namespace(), numpy.ndarray, numpy.array, numpy.array)
    if name == "strict":
        from .strict import StrictArray, strict_namespace

        return Device("strict", None, strict_namespace(), StrictArray, StrictArray.from_host, StrictArray.get)
    if name in devices():
        return _gpu(int(name.removeprefix("gpu:")))
    hint = ""
    if name.startswith("gpu") and gpu_count() == 0:
        hint = ' A GPU needs an NVIDIA driver and CuPy: pip install "gradschool[gpu]", then gradschool doctor.'
    raise DeviceError(f"there is no device {show(name)} here; this machine has {', '.join(devices())}.{hint}")


def _gpu(index: int) -> Device:
    import cupy

    def guard() -> contextlib.AbstractContextManager:
        return cupy.cuda.Device(index)

    def from_host(array: numpy.ndarray) -> Any:
        with guard():
            return cupy.array(array)

    def synchronise() -> None:
        with guard():
            cupy.cuda.Device(index).synchronize()

    @contextlib.contextmanager
    def stream() -> Iterator[None]:
        with guard():
            own = cupy.cuda.Stream(non_blocking=True)
            own.wait_event(cupy.cuda.get_current_stream().record())  # what is used inside may still be in the making
            with own:
                yield
            cupy.cuda.get_current_stream().wait_event(own.record())

    def memory() -> Memory:
        with guard():
            pool, (free, total) = cupy.get_default_memory_pool(), cupy.cuda.runtime.memGetInfo()
            return Memory(pool.used_bytes(), pool.total_bytes(), free, total)

    namespace = _cupy_namespace()
    ways = (from_host, cupy.asnumpy, guard, synchronise, stream, memory)
    return Device("gpu", index, namespace, cupy.ndarray, *ways)


def _numpy_namespace() -> SimpleNamespace:
    names = {name: function for name, function in vars(numpy).items() if not name.startswith("_")}
    own = extras(numpy, numpy.add.at, lambda array: array.item(), _scipy_csr)

    # NumPy takes longer to convert a Python number than to compute with an array as small as those of a lesson.
    zero = {dtype: numpy.zeros((), dtype) for dtype in map(numpy.dtype, ("f2", "f4", "f8", "u1", "i4", "i8"))}
    whole = {numpy.dtype(f"f{size}"): f"i{size}" for size in (2, 4, 8)}
    infinity = {dtype: numpy.full((), numpy.inf, dtype) for dtype in map(numpy.dtype, ("f2", "f4", "f8"))}

    def rectify(x: numpy.ndarray, out: numpy.ndarray | None = None) -> numpy.ndarray:
        """max(x, 0). NumPy's maximum uses vector instructions for two arrays, not for an array and a number."""
        if x.size < 2048 or x.dtype.kind != "f":
            return numpy.maximum(x, zero[x.dtype], out=out)
        return x.clip(zero[x.dtype], infinity[x.dtype], out=out)

    def gate(g: numpy.ndarray, y: numpy.ndarray, out: numpy.ndarray | None = None) -> numpy.ndarray:
        """0 where y <= 0, else g."""
        nothing = zero[g.dtype]
        closed = y <= nothing
        if g.size < 2048:
            return numpy.where(closed, nothing, g)
        bits = closed.view("i1")
        bits -= 1  # no bit where closed, every bit elsewhere
        kind = whole[g.dtype]
        return numpy.bitwise_and(g.view(kind), bits, out=None if out is None else out.view(kind)).view(g.dtype)

    def keep(g: numpy.ndarray, chosen: numpy.ndarray, out: numpy.ndarray | None = None) -> numpy.ndarray:
        """g where chosen, 0 elsewhere. On large arrays NumPy's where is ten times slower than a choice bit by bit."""
        # A true byte read as a number is 1; its negative has every bit set, in integers of any width.
        bits = numpy.negative(chosen.view("i1"))
        kind = whole[g.dtype]
        return numpy.bitwise_and(g.view(kind), bits, out=None if out is None else out.view(kind)).view(g.dtype)

    changed = {"CACHE": 2 * 2**20, "WORKSPACE": 8 * 2**20, "gate": gate, "keep": keep, "rectify": rectify}
    return with_apply(SimpleNamespace(**names | own | changed))


@functools.cache
def _scipy_csr() -> Callable | None:
    """SciPy's sparse matrix, None without SciPy: looked for when one is first multiplied."""
    try:
        from scipy.sparse import csr_matrix
    except ImportError:
        return None
    return csr_matrix


def _cupy_namespace() -> SimpleNamespace:
    """One for each GPU: what ``extras`` keeps lies on the device where it was made."""
    import cupy
    import cupyx

    def csr() -> Callable:
        from cupyx.scipy.sparse import csr_matrix

        return functools.partial(csr_matrix, copy=True)  # it puts the elements of a row in order, where they lie

    names = {name: function for name, function in vars(cupy).items() if not name.startswith("_")}
    return with_apply(SimpleNamespace(**names | extras(cupy, cupyx.scatter_add, lambda array: array.item(), csr)))


def with_apply(xp: SimpleNamespace) -> SimpleNamespace:
    """``xp`` with ``xp.apply(op, *arrays, **attributes)``: how one operation computes with another."""

    def apply(op: Any, *arrays: Any, **attributes: Any) -> Any:
        return op.forward(xp, *arrays, **attributes)

    xp.apply = apply
    return xp


# In what repeated additions are done: halves would stand still at 2048, and CuPy adds none of the other two.
WIDER = {numpy.dtype("float16"): "float32", numpy.dtype("uint8"): "int32", numpy.dtype("bool"): "int32"}
KEPT = 4096  # helper arrays of up to so many elements are kept for the next time


def read_only(array: Any) -> Any:
    """``array``, protected where its library can protect one (CuPy cannot): it will be handed out again."""
    if hasattr(array.flags, "writeable"):
        array.flags.writeable = False
    return array


def extras(
    xp: Any,
    scatter: Callable[[Any, Any, Any], None],
    read: Callable[[Any], Any],
    csr: Callable[[], Callable | None] = lambda: None,
) -> dict[str, Callable]:
    """What every namespace offers beside NumPy's names, built from what that library does in a way of its own.

    ``scatter`` adds values at possibly repeated indices, where a plain ``a[i] += v`` keeps one of them; ``read`` copies
    one number to the host, which on a GPU waits for the device: an operation does so only to refuse a bad index.
    ``csr`` finds the type of sparse matrices that is made for the library's arrays, if there is one.
    """

    def scatter_add(values: Any, index: tuple, shape: tuple[int, ...]) -> Any:
        """Zeros of ``shape`` with ``values`` added at ``index``: the transpose of indexing."""
        wider = WIDER.get(values.dtype)
        if wider is not None:
            return scatter_add(values.astype(wider), index, shape).astype(values.dtype)
        target = xp.zeros(shape, values.dtype)
        if len(index) == 1 and len(shape) > 1 and hasattr(index[0], "dtype"):
            # Whole rows, as single elements of flat memory: two to six times faster in NumPy.
            width = math.prod(shape[1:])
            places = xp.multiply(index[0].reshape(-1, 1), width, dtype="int64") + positions((width,))[0]
            scatter(target.reshape(-1), (places.reshape(-1),), values.reshape(-1))
        else:
            scatter(target, index, values)
        return target

    def scatter_along_axis(values: Any, index: Any, axis: int, shape: tuple[int, ...]) -> Any:
        """Zeros of ``shape`` with ``values`` added along ``axis`` at ``index``: the transpose of gather."""
        return scatter_add(values, along_axis(index, axis), shape)

    def grid(shape: tuple[int, ...]) -> list:
        grid = []
        for k, size in enumerate(shape):
            ones = [1] * len(shape)
            ones[k] = size
            grid.append(read_only(xp.arange(size).reshape(ones)))
        return grid

    def ones(length: int, dtype: Any) -> Any:
        return read_only(xp.ones(length, dtype))

    kept_ones = functools.lru_cache(64)(ones)
    kept_grids: dict[tuple[int, ...], list] = {}

    def positions(shape: tuple[int, ...]) -> list:
        """For each axis of ``shape`` its positions 0, 1, …, ready to broadcast and read only; small ones are kept."""
        found = kept_grids.get(shape)
        if found is None:
            found = grid(shape)
            if max(shape, default=0) < KEPT and len(kept_grids) < 256:
                kept_grids[shape] = found
        return found

    def along_axis(index: Any, axis: int) -> tuple:
        """``index`` completed to one index array per axis: its own positions on all axes but ``axis``."""
        grid = list(positions(index.shape))
        grid[axis] = index
        return tuple(grid)

    def gather(array: Any, axis: int, index: Any) -> Any:
        """The elements of ``array`` at ``index`` along ``axis``."""
        return array[along_axis(index, axis)]

    def rectify(x: Any, out: Any = None) -> Any:
        """max(x, 0)."""
        return xp.maximum(x, 0, out=out)

    def gate(g: Any, y: Any, out: Any = None) -> Any:
        """0 where y <= 0, else g; ``out`` may take it, or may not."""
        return xp.where(y <= 0, 0, g)

    def keep(g: Any, chosen: Any, out: Any = None) -> Any:
        """g where chosen, 0 elsewhere: chosen, not multiplied, since infinity times 0 would be nan."""
        result = xp.where(chosen, g, 0)
        if out is None:
            return result
        out[...] = result
        return out

    def stretch(value: Any, shape: tuple[int, ...]) -> Any:
        """``value`` repeated to fill ``shape``, written out: faster than NumPy's broadcast_to for small arrays."""
        result = xp.empty(shape, value.dtype)
        result[...] = value
        return result

    def sum_rows(matrix: Any) -> Any:
        """(N, C) -> (C,), as a product with ones: several times faster than a sum over the first axis."""
        n = len(matrix)
        return matrix.T.dot(kept_ones(n, matrix.dtype) if n < KEPT else ones(n, matrix.dtype))

    def csr_rows(indptr: Any, count: int) -> Any:
        """The row of each of the ``count`` elements of a sparse matrix, of which ``indptr`` says where rows begin."""
        return xp.searchsorted(indptr, positions((count,))[0], side="right") - 1

    def csr_product(data: Any, indices: Any, indptr: Any, dense: Any, shape: tuple[int, int], transposed: bool) -> Any:
        """A sparse matrix of ``shape``, or its transpose, times a dense one; work and memory go with what is stored."""
        matrix = csr()
        if matrix is None or not data.size or not dense.size:
            rows = csr_rows(indptr, data.size)
            taken, put = (rows, indices) if transposed else (indices, rows)
            return scatter_add(data[:, None] * dense[taken], (put,), (shape[transposed], dense.shape[1]))
        matrix = matrix((data, indices, indptr), shape=shape)
        return (matrix.T if transposed else matrix).dot(dense)

    def through_tanh(g: Any, y: Any, out: Any = None) -> Any:
        """g (1 - y²), in one array: on large activations a second one would be the peak of a training step's memory."""
        slope = xp.empty_like(y) if out is None else out
        xp.multiply(y, y, out=slope)
        xp.subtract(1, slope, out=slope)
        slope *= g
        return slope

    def transfer(array: Any, source: str, target: str, out: Any = None) -> Any:
        """A copy of ``array`` on another device."""
        result, place = send(array, device(source), device(target)), device(target)
        if out is None:
            return result
        place.xp.copyto(out, result)
        return out

    return {
        # Bytes, for operations that compute block by block: what should stay close to the processor while it is looked
        # at again and again, and what a block of intermediate results may take. A GPU does best with few large blocks.
        "CACHE": 256 * 2**20,
        "WORKSPACE": 256 * 2**20,
        "along_axis": along_axis,
        "csr_product": csr_product,
        "csr_rows": csr_rows,
        "gate": gate,
        "gather": gather,
        "keep": keep,
        "positions": positions,
        "read": read,
        "rectify": rectify,
        "scatter_add": scatter_add,
        "scatter_along_axis": scatter_along_axis,
        "stretch": stretch,
        "sum_rows": sum_rows,
        "through_tanh": through_tanh,
        "transfer": transfer,
    }


class Generator:
    """A stream of random numbers that depends on its seed alone.

    Numbers are drawn on the host and then sent to the device, so that every device sees the same ones.

    Args:
        seed: a whole number; None takes one from the operating system.

    >>> import kernel
    >>> a = kernel.randn(3, generator=kernel.Generator(0))
    >>> b = kernel.randn(3, generator=kernel.Generator(0))
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: int | None = None):
        self.manual_seed(seed)

    def manual_seed(self, seed: int | None) -> Generator:
        """Start again from ``seed``."""
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | numpy.integer) or seed < 0):
            raise DtypeError(f"manual_seed: a whole number, 0 or more, was expected, but {show(seed)} came.")
        self.host = numpy.random.default_rng(seed)
        return self


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the kernel's own random numbers again from ``seed``: what follows is repeatable.

    >>> import kernel
    >>> _ = kernel.manual_seed(0)
    >>> first = kernel.rand(2).tolist()
    >>> _ = kernel.manual_seed(0)
    >>> first == kernel.rand(2).tolist()
    True
    """
    return default_generator.manual_seed(seed)
