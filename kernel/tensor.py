"""The tensor: an array on a device, its place in a history, and the ways to ask for gradients and to write in place."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy

from . import functional
from .errors import DeviceError, DtypeError, GradError, ShapeError, in_words, show
from .functional.axes import UFUNCS, axis_of
from .functional.shape import index_of
from .op import (
    DEFAULT_FLOAT,
    DEFAULT_INTEGER,
    DTYPES,
    NUMBERS,
    TENSOR_TYPES,
    Kind,
    Op,
    dtype_of,
    is_float,
    promote,
    require_fits,
    require_number,
    require_sizes,
    spell,
)
from .operand import Operand
from .ops import elementwise
from .ops import shape as shapes
from .tape import RETAINED, Node, enable_grad, grad_enabled, no_grad, pull_back, serials
from .xp import Device, read_only
from .xp import device as device_of

_new = object.__new__
_NONE: dict[str, Any] = {}  # the attributes of an operation that has none


class Size(int):
    """The number of elements, as in NumPy; called, the shape, as in PyTorch.

    >>> x = kernel.zeros(2, 3)
    >>> x.size, x.size(), x.size(0)
    (6, (2, 3), 2)
    """

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[axis_of("size", dim, len(self.shape))]


class Tensor(Operand):
    """An array on a device that can remember how it was computed.

    ``Tensor(5, 3)`` is an uninitialised 5×3 matrix and ``Tensor([[1, 2]])`` holds data, float32 both, as in PyTorch;
    ``kernel.tensor`` is the constructor that keeps the dtype of its data.

    >>> x = kernel.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x ** 2).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # How an operation is applied to tensors. eager.py says it, since it needs this class to make results of.
    _apply: ClassVar[Callable]

    # _place: where it came from, as in the edges of a node; None for a leaf. _written: [the serial of the last write in
    # place], one list for all tensors that share the memory.
    __slots__ = ("__weakref__", "_array", "_hooks", "_kind", "_place", "_requires_grad", "_written", "grad")

    def __new__(cls, *args: Any) -> Tensor:
        if args and all(isinstance(size, int) for size in args):
            require_sizes("Tensor: sizes", args)
            return _wrap(numpy.empty(args, DEFAULT_FLOAT), device_of("cpu"), cls)
        if len(args) != 1:
            raise DtypeError(
                f"Tensor: whole numbers as sizes or one list of data were expected, but {show(args)} came."
            )
        return _wrap(_host_array("Tensor", args[0], DEFAULT_FLOAT), device_of("cpu"), cls)

    # --- facts ---

    @property
    def role(self) -> str:
        """What it is in a graph of symbols: a constant, an argument if it is to be learned; no graph takes a result."""
        return "constant" if not self._requires_grad else "argument" if self._place is None else "result"

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes along the axes."""
        return self._array.shape

    @property
    def dtype(self) -> numpy.dtype:
        """The kind of number, a NumPy dtype."""
        return self._array.dtype

    @property
    def device(self) -> Device:
        """Where the array lives; compares equal to its name, as in ``x.device == "cpu"``."""
        return self._kind.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> Size:
        """The number of elements, as in NumPy; called, the shape, as in PyTorch."""
        size = Size(self._array.size)
        size.shape = self.shape
        return size

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    def dim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def T(self) -> Tensor:
        """The axes in reverse order: of a matrix the transpose."""
        return functional.transpose(self)

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor; None for a leaf.

        >>> (kernel.ones(2).requires_grad_() + 1).grad_fn
        <AddBackward>
        """
        return self._place[0] if isinstance(self._place, tuple) else self._place

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made by hand, not computed from one that requires a gradient."""
        return self._place is None

    @property
    def requires_grad(self) -> bool:
        """Whether a backward looks for the gradient with respect to this tensor."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, value: bool = True) -> Tensor:
        """Want (or no longer want) the gradient of this leaf."""
        if self._place is not None:
            if value:
                return self
            raise GradError("requires_grad: this tensor was computed from one that requires a gradient; use .detach().")
        if value and not is_float(self.dtype):
            raise DtypeError(
                f"requires_grad: only floats have a gradient, but this tensor is {self.dtype}; use .float()."
            )
        self._requires_grad = bool(value)
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without a history. Writing here goes unseen by the tape; no_grad is the safer way."""
        return _of_kind(self._array, self._kind)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise DtypeError(f"data: a tensor was expected, but a {type(value).__name__} came.")
        if not _alike(value, self):
            raise ShapeError(
                f"data: {self.dtype} of shape {spell(self.shape)} on {self.device} was expected, but "
                f"{value.dtype} of shape {spell(value.shape)} on {value.device} came."
            )
        self._array, self._written = value._array, value._written

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in row-major order."""
        return bool(self._array.flags.c_contiguous)

    def contiguous(self) -> Tensor:
        """This tensor, or a copy in row-major order."""
        return self if self.is_contiguous() else self._apply(elementwise.clone, (self,), {"order": "C"})

    # --- to the host and to other devices ---

    def numpy(self) -> numpy.ndarray:
        """The NumPy array behind a CPU tensor: the same memory, not a copy.

        >>> x = kernel.ones(2)
        >>> x.numpy()[0] = 5
        >>> x
        tensor([5., 1.])
        """
        if self._requires_grad:
            raise GradError(
                "numpy: NumPy would not record what it does with a tensor that requires a gradient; use "
                ".detach().numpy()."
            )
        if self.device.kind != "cpu":
            raise DeviceError(f"numpy: the tensor is on {self.device}; copy it to the host first: .cpu().numpy().")
        return self._array

    def item(self) -> Any:
        """The only element as a Python number; on a GPU this waits for it."""
        if self._array.size != 1:
            raise ShapeError(
                f"item: one element was expected, but shape {spell(self.shape)} has {self._array.size}; use tolist()."
            )
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._host().tolist()

    def _host(self) -> numpy.ndarray:
        return self._array if self.device.kind == "cpu" else self.device.to_host(self._array)

    def to(self, target: Any) -> Tensor:
        """This tensor on another device (always a copy there), in another dtype, or both as another tensor has them.

        Itself if it is there already.

        >>> kernel.ones(2).to("cpu").to(kernel.float64)
        tensor([1., 1.], dtype=float64)
        """
        there, dtype = destination(target)
        if there is None or there is self.device:
            moved = self
        else:
            moved = functional.transfer(self, source=self.device.name, target=there.name)
        return moved if dtype is None else moved.astype(dtype)

    def cpu(self) -> Tensor:
        """A copy on the host (itself if it is there already)."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> Tensor:
        """A copy on GPU number ``index``."""
        return self.to(f"gpu:{index}")

    gpu = cuda

    def astype(self, dtype: Any) -> Tensor:
        """This tensor in another dtype; itself if it has it already."""
        dtype = dtype_of("astype: dtype", dtype)
        return self if dtype == self.dtype else self._apply(elementwise.cast, (self,), {"dtype": str(dtype)})

    def type(self, dtype: Any = None) -> Any:
        """Without an argument PyTorch's name of this kind of tensor; else this tensor as that kind or dtype.

        >>> kernel.tensor([1.7]).type(kernel.LongTensor)
        tensor([1])
        """
        if dtype is None:
            return next(f"kernel.{name}" for name, value in TENSOR_TYPES.items() if value == str(self.dtype))
        return self.astype(dtype.rsplit(".", 1)[-1] if isinstance(dtype, str) else dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """This tensor in the dtype of another."""
        if not isinstance(other, Tensor):
            raise DtypeError(f"type_as: a tensor was expected, but {show(other)} came; .astype takes a dtype.")
        return self.astype(other.dtype)

    # --- the tape ---

    def backward(
        self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add to ``grad`` of every leaf that this tensor was computed from its gradient.

        Args:
            gradient: d(cost)/d(this tensor), of this tensor's shape; may be left out where it has one element.
            retain_graph: keep what the rules need, for another backward. By default only with ``create_graph``.
            create_graph: record the walk itself, so that the gradients can be differentiated again.

        Raises GradError where nothing was recorded, where a gradient is needed and missing, and where values were freed
        by an earlier backward or overwritten; then no ``grad`` has changed.

        >>> x = kernel.tensor([1.0, 1.0], requires_grad=True)
        >>> (x ** 2).backward(kernel.tensor([1.0, 1.0]))
        >>> x.grad
        tensor([2., 2.])
        """
        gradients = self._gradients("backward", gradient, None, retain_graph, create_graph)
        for leaf in gradients:  # what may raise comes first, and leaves every grad as it was
            if gradients[leaf].dtype != leaf._kind.dtype:
                raise GradError(
                    f"backward: a leaf is {leaf.dtype} now, but was {gradients[leaf].dtype} when it was used; compute "
                    "the result again."
                )
            if leaf.grad is not None and getattr(leaf.grad, "_kind", None) is not leaf._kind:
                _check_grad(leaf)
            if leaf._hooks:
                gradients[leaf] = _run_hooks(leaf._hooks, gradients[leaf], leaf.device)
        for leaf, g in gradients.items():
            if not leaf._requires_grad:  # no longer
                continue
            before, kind = leaf.grad, leaf._kind
            if not create_graph:
                g = _of_kind(_as_array(g, kind.device), kind)
            if before is None:
                leaf.grad = g
            elif create_graph:
                with enable_grad():
                    leaf.grad = before + g
            elif before._requires_grad or _is_read_only(before):
                with no_grad():
                    leaf.grad = before + g
            else:
                before.add_(g)

    def _gradients(self, name: str, gradient: Any, targets: set | None, retain: Any, create: bool) -> dict:
        if not self._requires_grad:
            raise GradError(
                f"{name}: nothing was recorded for this tensor; make the tensors it depends on with "
                "requires_grad=True, and compute it outside no_grad."
            )
        if gradient is None:
            if self._array.size != 1:
                raise GradError(
                    f"{name}: a tensor of shape {spell(self.shape)} has no single slope; reduce it to one number, as "
                    "with .sum(), or pass the gradient of the cost with respect to it."
                )
            gradient = _one(self._kind)
        elif not isinstance(gradient, Tensor):
            kind = type(gradient).__name__
            raise DtypeError(f"{name}: gradient should be a tensor, but a {kind} came; use kernel.tensor(…).")
        elif gradient.shape != self.shape:
            raise ShapeError(
                f"{name}: gradient should have shape {spell(self.shape)}, but it has shape {spell(gradient.shape)}."
            )
        elif gradient.device is not self.device:
            raise DeviceError(
                f"{name}: gradient is on {gradient.device}, but the tensor is on {self.device}; move it with .to()."
            )
        else:
            gradient = gradient.astype(self.dtype)
            gradient = gradient if create else gradient._array
        device = self._kind.device
        root, retain = self._place or self, create if retain is None else retain
        if create:
            gradient = gradient if isinstance(gradient, Tensor) else _wrap(gradient, device)
            with enable_grad():
                if root is self:
                    gradient = gradient.clone()
                return pull_back(root, gradient, targets, retain, _lift, _run_hooks)
        if root is self:
            with device.guard():
                gradient = gradient.copy()
        return pull_back(root, gradient, targets, retain, None, _run_hooks)

    def detach(self) -> Tensor:
        """The same memory without a history: what is computed from it has no gradient with respect to this tensor."""
        tensor = _of_kind(self._array, self._kind)
        tensor._written = self._written
        return tensor

    def retain_grad(self) -> None:
        """Have backward fill ``grad`` of this tensor too, though it is no leaf: with what its hooks have made of it.

        >>> x = kernel.tensor([1.0], requires_grad=True)
        >>> y = 3 * x
        >>> y.retain_grad()
        >>> (y * y).backward()
        >>> y.grad
        tensor([6.])
        """
        if not self._requires_grad:
            raise GradError("retain_grad: this tensor requires no gradient, so backward would never find one.")
        if self._place is not None:
            # Weakly: the node must not keep the tensor that keeps the node.
            self._hooks_of_place()[RETAINED] = weakref.ref(self)

    def _hooks_of_place(self) -> dict:
        """The hooks of this recorded result, which its node keeps."""
        node = self.grad_fn
        node.hooks = {} if node.hooks is None else node.hooks
        return node.hooks.setdefault(self._place[1] if isinstance(self._place, tuple) else 0, {})

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call ``hook`` with the gradient of this tensor in every backward; what it returns, if anything, replaces it.

        Returns a function that takes the hook away again.

        >>> x = kernel.tensor([1.0], requires_grad=True)
        >>> remove = x.register_hook(lambda g: 10 * g)
        >>> (2 * x).backward()
        >>> x.grad
        tensor([20.])
        """
        if not callable(hook):
            raise DtypeError(f"register_hook: a function of the gradient was expected, but {show(hook)} came.")
        if not self._requires_grad:
            raise GradError("register_hook: this tensor requires no gradient, so the hook would never be called.")
        if self._place is None:
            self._hooks = hooks = {} if self._hooks is None else self._hooks
        else:
            hooks = self._hooks_of_place()
        key = object()
        hooks[key] = hook

        def remove() -> None:
            hooks.pop(key, None)

        return remove

    # --- writing in place ---

    def _writable(self, name: str) -> Any:
        """The array, if it may be written to here and now; the writer then leaves its serial in ``_written``."""
        array = self._array
        if self._requires_grad and grad_enabled.get():
            if self._place is None:
                raise GradError(
                    f"{name}: this leaf requires a gradient, and a change in place would escape the tape; write inside "
                    "`with kernel.no_grad():`, or compute a new tensor."
                )
            raise GradError(
                f"{name}: this tensor is the recorded result of {self.grad_fn.name}; compute a new tensor instead, "
                "such as y = y + 1."
            )
        if _is_read_only(self):
            raise GradError(
                f"{name}: this tensor shares memory that is read only (a stretched view or a read-only array); "
                ".clone() it first."
            )
        return array

    def _in_place(self, name: str, op: type[Op], other: Any, alpha: float = 1) -> Tensor:
        array, kind = self._array, self._kind
        if self._requires_grad and grad_enabled.get():
            self._writable(name)
        if type(alpha) not in NUMBERS:
            require_number(f"{name}: argument alpha", alpha)
            alpha = alpha.item() if isinstance(alpha, numpy.generic) else alpha
        if isinstance(other, Tensor):
            if other._requires_grad and grad_enabled.get():
                raise GradError(
                    f"{name}: the operand requires a gradient, which a change in place cannot record; use a = a + b, "
                    "or no_grad."
                )
            fits, theirs = other._kind is kind, other._array
        else:
            if type(other) not in NUMBERS:
                other = _plain_number(name, "other", other)
            fits, theirs = True, other
        if fits and kind.direct:
            # Nothing to convert, nothing to stretch: straight into the memory.
            try:
                getattr(kind.device.xp, op.function)(array, theirs if alpha == 1 else theirs * alpha, array)
            except (OverflowError, ValueError) as error:
                self._writable(name)
                raise in_words(name, error) from None
            self._written[0] = next(serials)
            return self
        self._writable(name)
        with no_grad():
            try:
                result = self._apply(op, (self, other if alpha == 1 else other * alpha), _NONE)
            except (ShapeError, DtypeError, DeviceError) as error:
                what = str(error).removeprefix("mul: ").removeprefix(f"{op.name}: ")
                raise type(error)(f"{name}: {what}") from None
        if result.shape != self.shape:
            raise ShapeError(
                f"{name}: the result has shape {spell(result.shape)}, which does not fit into {spell(self.shape)}."
            )
        if not numpy.can_cast(result.dtype, self.dtype, "same_kind"):
            raise DtypeError(
                f"{name}: the result is {result.dtype}, which {self.dtype} cannot hold; convert the tensor "
                "with .float()."
            )
        with kind.device.guard():
            array[...] = result._array
        self._written[0] = next(serials)
        return self

    def add_(self, other: Any, alpha: float = 1) -> Tensor:
        """Add alpha · other in place, into the memory that views and NumPy share.

        >>> kernel.ones(2).add_(kernel.ones(2), alpha=-0.5)
        tensor([0.5, 0.5])
        """
        return self._in_place("add_", elementwise.add, other, alpha)

    def sub_(self, other: Any, alpha: float = 1) -> Tensor:
        """Subtract alpha · other in place."""
        return self._in_place("sub_", elementwise.sub, other, alpha)

    def mul_(self, other: Any) -> Tensor:
        """Multiply in place."""
        return self._in_place("mul_", elementwise.mul, other)

    def div_(self, other: Any) -> Tensor:
        """Divide in place; a tensor of whole numbers cannot hold the result and refuses."""
        return self._in_place("div_", elementwise.div, other)

    def zero_(self) -> Tensor:
        """Write 0 everywhere."""
        return self._fill("zero_", 0)

    def fill_(self, value: Any) -> Tensor:
        """Write one number everywhere."""
        require_number("fill_: argument value", value)
        return self._fill("fill_", value)

    def _fill(self, name: str, value: Any) -> Tensor:
        array = self._writable(name)
        require_fits(f"{name}: argument value", value, self.dtype)
        value = value.item() if isinstance(value, numpy.generic) else value
        try:
            with self._kind.device.guard():
                array.fill(value)
        except OverflowError as error:
            raise DtypeError(f"{name}: {error}; the tensor is {self.dtype}.") from None
        self._written[0] = next(serials)
        return self

    def copy_(self, other: Tensor) -> Tensor:
        """Write the elements of another tensor, stretched to this shape; it may be on another device."""
        self._assign("copy_", ..., other.to(self.device) if isinstance(other, Tensor) else other)
        return self

    def copyto(self, other: Tensor) -> Tensor:
        """Write these elements into ``other``, of the same shape, on whichever device it is; MXNet's direction.

        >>> there = kernel.zeros(2)
        >>> kernel.tensor([1.0, 2.0]).copyto(there)
        tensor([1., 2.])
        """
        if not isinstance(other, Tensor):
            raise DtypeError(f"copyto: a tensor to write into was expected, but {show(other)} came.")
        if other.shape != self.shape:
            raise ShapeError(
                f"copyto: a tensor of shape {spell(self.shape)} was expected, but one of shape {spell(other.shape)} "
                "came."
            )
        return other.copy_(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._assign("item assignment", index, value)

    def _assign(self, name: str, index: Any, value: Any) -> None:
        device = self._kind.device
        where = self._where(name, index)
        value = value.item() if isinstance(value, numpy.generic) else value
        if isinstance(value, Tensor):
            if value._requires_grad and grad_enabled.get():
                raise GradError(
                    f"{name}: the value requires a gradient, which an assignment cannot record; use where or "
                    "concatenate."
                )
            if value.device is not device:
                raise DeviceError(
                    f"{name}: the value is on {value.device}, the tensor on {device}; move it with .to()."
                )
            value = value._array
        elif isinstance(value, bool | int | float):
            require_fits(f"{name}: value", value, self.dtype)
        else:
            value = device.from_host(_host_array(name, value, self.dtype))
        array = self._writable(name)
        try:
            with device.guard():
                if not isinstance(value, bool | int | float) and device.xp.may_share_memory(array, value):
                    value = value.copy()  # a GPU copies in no certain order, and would read what it has written
                array[where] = value
            self._written[0] = next(serials)
        except (ValueError, IndexError) as error:
            raise ShapeError(f"{name}: into shape {spell(self.shape)}: {error}.") from None
        except OverflowError as error:  # of a Python number beyond all floats
            raise DtypeError(f"{name}: {error}; the tensor is {self.dtype}.") from None

    def _where(self, name: str, index: Any) -> tuple:
        """The index of an assignment, for the arrays of this device."""
        device = self._kind.device
        pattern, tensors = index_of(name, self, index)
        for tensor in tensors:
            if tensor.device is not device:
                raise DeviceError(
                    f"{name}: the index is on {tensor.device}, the tensor on {device}; move it with .to()."
                )
        arrays = [tensor._array for tensor in tensors]
        try:
            shapes.indexed(self.shape, pattern, tuple(tensor._kind for tensor in tensors))
            if arrays:
                with device.guard():
                    shapes.check_indices(device.xp, pattern, self.shape, arrays)
        except (ShapeError, DtypeError) as error:
            raise type(error)(f"{name}: {error}") from None
        return shapes.index_from(pattern, arrays)

    def __iadd__(self, other: Any) -> Tensor:
        return self + other if self._place is not None and grad_enabled.get() else self.add_(other)

    def __isub__(self, other: Any) -> Tensor:
        return self - other if self._place is not None and grad_enabled.get() else self.sub_(other)

    def __imul__(self, other: Any) -> Tensor:
        return self * other if self._place is not None and grad_enabled.get() else self.mul_(other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self / other if self._place is not None and grad_enabled.get() else self.div_(other)

    # --- operators ---

    def __add__(self, other: Any) -> Tensor:
        return self._apply(elementwise.add, (self, other), _NONE)

    def __radd__(self, other: Any) -> Tensor:
        return self._apply(elementwise.add, (other, self), _NONE)

    def __sub__(self, other: Any) -> Tensor:
        return self._apply(elementwise.sub, (self, other), _NONE)

    def __rsub__(self, other: Any) -> Tensor:
        return self._apply(elementwise.sub, (other, self), _NONE)

    def __mul__(self, other: Any) -> Tensor:
        return self._apply(elementwise.mul, (self, other), _NONE)

    def __rmul__(self, other: Any) -> Tensor:
        return self._apply(elementwise.mul, (other, self), _NONE)

    def __truediv__(self, other: Any) -> Tensor:
        return self._apply(elementwise.div, (self, other), _NONE)

    def __rtruediv__(self, other: Any) -> Tensor:
        return self._apply(elementwise.div, (other, self), _NONE)

    def __pow__(self, other: Any) -> Tensor:
        return self._apply(elementwise.pow, (self, other), _NONE)

    def __rpow__(self, other: Any) -> Tensor:
        return self._apply(elementwise.pow, (other, self), _NONE)

    def __matmul__(self, other: Any) -> Tensor:
        return functional.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return functional.matmul(other, self)

    def __neg__(self) -> Tensor:
        return self._apply(elementwise.neg, (self,), _NONE)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return self._apply(elementwise.abs, (self,), _NONE)

    def __eq__(self, other: Any) -> Tensor:
        return self._apply(elementwise.eq, (self, other), _NONE)

    def __ne__(self, other: Any) -> Tensor:
        return self._apply(elementwise.ne, (self, other), _NONE)

    def __lt__(self, other: Any) -> Tensor:
        return self._apply(elementwise.lt, (self, other), _NONE)

    def __le__(self, other: Any) -> Tensor:
        return self._apply(elementwise.le, (self, other), _NONE)

    def __gt__(self, other: Any) -> Tensor:
        return self._apply(elementwise.gt, (self, other), _NONE)

    def __ge__(self, other: Any) -> Tensor:
        return self._apply(elementwise.ge, (self, other), _NONE)

    def __and__(self, other: Any) -> Tensor:
        return self._apply(elementwise.logical_and, (self, other), _NONE)

    def __or__(self, other: Any) -> Tensor:
        return self._apply(elementwise.logical_or, (self, other), _NONE)

    def __invert__(self) -> Tensor:
        return self._apply(elementwise.logical_not, (self,), _NONE)

    __hash__ = object.__hash__

    def __array_ufunc__(self, function: Any, method: str, *operands: Any, **options: Any) -> Tensor:
        """NumPy must not take a tensor apart: beside its scalars a tensor computes itself, all else is refused."""
        name = "divide" if function is numpy.divide else function.__name__
        ours = getattr(functional, UFUNCS.get(name, name), None)
        numbers = [o.item() for o in operands if isinstance(o, numpy.generic | numpy.ndarray) and o.ndim == 0]
        if ours and method == "__call__" and not options and len(operands) == 2 and len(numbers) == 1:
            return ours(numbers[0], self) if operands[1] is self else ours(self, numbers[0])
        raise DtypeError(
            f"{name}: NumPy's functions and arrays do not take kernel tensors; use kernel's functions on tensors, or "
            ".numpy() to get the array."
        )

    def __array__(self, *_: Any, **__: Any) -> numpy.ndarray:
        raise DtypeError(
            "numpy.asarray: a tensor does not turn into a NumPy array by itself, because on a GPU that would copy "
            "unseen; use kernel's functions on it, or .numpy() to get the array."
        )

    def __getitem__(self, index: Any) -> Tensor:
        return functional.getitem(self, index)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ShapeError("len: a tensor of shape () has no axis to count along.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def _number(self, what: str) -> Any:
        if self._array.size != 1:
            remedy = "compare a sum or use .any() or .all()" if what == "bool" else "use .tolist(), or index it first"
            raise ShapeError(f"{what}: a tensor of shape {spell(self.shape)} is not one number; {remedy}.")
        return self._array.item()

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __float__(self) -> float:
        return float(self._number("float"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DtypeError(f"index: a {self.dtype} is not a whole number; convert it with int().")
        return int(self._number("index"))

    def __format__(self, spec: str) -> str:
        return format(self._number("format"), spec) if spec else repr(self)

    def __repr__(self) -> str:
        host = self._host()
        if host.dtype == "float16":  # which NumPy writes as 2.048e+03 from a thousand on
            host = host.astype("float32")
        body = numpy.array2string(
            host, precision=4, separator=", ", prefix="tensor(", suppress_small=True, threshold=1000
        )
        return f"tensor({', '.join([body, *self._marks()])})"

    def _marks(self) -> list[str]:
        """What a tensor's repr says beside the values."""
        marks = []
        if self.device.kind != "cpu":
            marks.append(f"device='{self.device}'")
        if self.dtype not in ("float32", "int64", "bool"):
            marks.append(f"dtype={self.dtype}")
        if self._place is not None:
            marks.append(f"grad_fn={self.grad_fn!r}")
        elif self._requires_grad:
            marks.append("requires_grad=True")
        return marks

    def __copy__(self) -> Tensor:
        return self.clone() if self._place is not None else self.__deepcopy__({})

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self._place is not None:
            raise GradError("deepcopy: a recorded result cannot be copied with its history; use .detach().clone().")
        copy = _of_kind(self.detach().clone()._array, self._kind, type(self))
        copy._requires_grad = self._requires_grad
        copy.grad = None if self.grad is None else self.grad.detach().clone()
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> Any:
        raise DtypeError(
            "pickle: a tensor is not pickled; save its values with numpy.savez(path, x=x.detach().cpu().numpy())."
        )

    # --- methods that are functions ---

    add, sub, mul, div, pow = functional.add, functional.sub, functional.mul, functional.div, functional.pow
    subtract, multiply, divide, power = functional.subtract, functional.multiply, functional.divide, functional.power
    neg, abs, sign, square = functional.negative, functional.abs, functional.sign, functional.square
    exp, log, sqrt, sin, cos, tanh = (
        functional.exp,
        functional.log,
        functional.sqrt,
        functional.sin,
        functional.cos,
        functional.tanh,
    )
    sigmoid, relu, softplus, gelu = functional.sigmoid, functional.relu, functional.softplus, functional.gelu
    clip, clamp, maximum, minimum = functional.clip, functional.clamp, functional.maximum, functional.minimum
    eq, ne, lt, le, gt, ge = functional.eq, functional.ne, functional.lt, functional.le, functional.gt, functional.ge
    logical_and, logical_or, logical_not = functional.logical_and, functional.logical_or, functional.logical_not
    matmul, mm, mv, dot = functional.matmul, functional.mm, functional.mv, functional.dot
    sum, mean, var, norm = functional.sum, functional.mean, functional.var, functional.norm
    max, min, amax, amin = functional.max, functional.min, functional.amax, functional.amin
    argmax, argmin, all, any = functional.argmax, functional.argmin, functional.all, functional.any
    logsumexp, softmax, log_softmax = functional.logsumexp, functional.softmax, functional.log_softmax
    cumsum, sort, argsort, topk = functional.cumsum, functional.sort, functional.argsort, functional.topk
    reshape, permute, transpose, swapaxes = (
        functional.reshape,
        functional.permute,
        functional.transpose,
        functional.swapaxes,
    )
    expand_dims, unsqueeze, squeeze, flatten = (
        functional.expand_dims,
        functional.unsqueeze,
        functional.squeeze,
        functional.flatten,
    )
    flip, split, gather, nonzero = functional.flip, functional.split, functional.gather, functional.nonzero
    broadcast_to = expand = functional.broadcast_to

    def t(self) -> Tensor:
        """The transpose of a matrix."""
        if self.ndim > 2:
            raise ShapeError(f"t: a matrix was expected, but the tensor has shape {spell(self.shape)}; use permute.")
        return functional.transpose(self)

    def view(self, *shape: Any) -> Tensor:
        """reshape that never copies: where the memory's order does not allow it, an error says so.

        >>> kernel.arange(4).view(2, 2)
        tensor([[0, 1],
                [2, 3]])
        """
        if len(shape) == 1 and not isinstance(shape[0], int | tuple | list):
            raise DtypeError(
                f"view: sizes were expected, but {show(shape[0])} came; another dtype is made with .astype(…)."
            )
        result = functional.reshape(self, *shape)
        if result._written is not self._written and result._array.size:
            raise ShapeError(
                f"view: the elements of this tensor of shape {spell(self.shape)} do not lie in row-major order in "
                "memory (it was transposed, or computed batch-last); use .reshape(…), which copies where it must."
            )
        return result

    def clone(self) -> Tensor:
        """A copy in memory of its own; the gradient flows through it."""
        return self._apply(elementwise.clone, (self,), _NONE)


# NumPy takes microseconds to say the name of a dtype.
_DTYPE_NAMES = frozenset(map(str, DTYPES))


def destination(target: Any) -> tuple[Device | None, numpy.dtype | None]:
    """What ``to`` was told: a device, a dtype, or both as another tensor has them."""
    if isinstance(target, Tensor):
        return target.device, target.dtype
    if isinstance(target, str | Device) and not (target in TENSOR_TYPES or target in _DTYPE_NAMES):
        return device_of(target), None
    return None, dtype_of("to: dtype", target)


def _of_kind(array: Any, kind: Kind, cls: type = Tensor) -> Tensor:
    """A tensor without a history around an array of a known kind."""
    tensor = _new(cls)
    tensor._array = array
    tensor._kind = kind
    tensor._written = [0]
    tensor._requires_grad = False
    tensor.grad = tensor._hooks = tensor._place = None
    return tensor


def _wrap(array: Any, device: Device, cls: type = Tensor) -> Tensor:
    """A tensor without a history around an array of ``device``."""
    return _of_kind(array, Kind.of(array.shape, array.dtype, device), cls)


def _plain_number(name: str, argument: str, operand: Any) -> Any:
    """What is not a tensor as a Python number; anything else is refused, as a GPU could not take it either."""
    if isinstance(operand, numpy.generic) or (isinstance(operand, numpy.ndarray) and operand.ndim == 0):
        operand = operand.item()
    for kind in (bool, int, float):
        if isinstance(operand, kind):
            return kind(operand)  # of a subclass of int, such as Size, NumPy would make an array of int64
    kind = "NumPy array" if isinstance(operand, numpy.ndarray) else type(operand).__name__
    how = ".to_dense()" if hasattr(operand, "to_dense") else "kernel.tensor(…)"
    raise DtypeError(f"{name}: argument {argument} is a {kind}; make it a tensor first with {how}.")


def _lift(array: Any, place: Any, device: Device) -> Tensor:
    """An array that a node kept, as the tensor it was: the leaf itself, or one with its place in the history."""
    if isinstance(place, Tensor):
        if place._array is not array and place.dtype == array.dtype:
            raise GradError(
                "backward: the data of a leaf was replaced after it was used, and create_graph would mix the old "
                "values with the new; write to .data after backward."
            )
        return place
    tensor = _wrap(array, device)
    tensor._place, tensor._requires_grad = place, place is not None
    return tensor


@functools.lru_cache(64)
def _one(kind: Kind) -> Any:
    """The slope of a cost with respect to itself; kept, and copied wherever somebody could write into it."""
    with kind.device.guard():
        return read_only(kind.device.xp.ones(kind.shape, kind.dtype))


def _check_grad(leaf: Tensor) -> None:
    """Raise unless what was assigned to the ``grad`` of a leaf can take a gradient."""
    if not isinstance(leaf.grad, Tensor):
        raise GradError(
            f"backward: grad of a leaf is {show(leaf.grad)}, to which no gradient can be added; set it to None."
        )
    if not _alike(leaf.grad, leaf):
        raise GradError(
            f"backward: grad of a leaf is {leaf.grad.dtype} of shape {spell(leaf.grad.shape)} on {leaf.grad.device}, "
            f"but the leaf is {leaf.dtype} of shape {spell(leaf.shape)} on {leaf.device}; set it to None."
        )


def _run_hooks(hooks: dict, g: Any, device: Device) -> Any:
    """What becomes of the gradient ``g``, an array (a tensor while the walk is recorded), when the hooks have seen it.

    Copied on the way in and on the way out: hooks may write into what they see, keep it, or return a tensor that is in
    use elsewhere.
    """
    with device.guard():
        given = g.clone() if isinstance(g, Tensor) else _wrap(device.xp.array(g), device)
    for key, hook in list(hooks.items()):
        if key is RETAINED:
            continue
        returned = hook(given)
        if returned is None:
            continue
        if not isinstance(returned, Tensor) or not _alike(returned, given):
            raise GradError(
                f"hook: None or a gradient like the one given, {given.dtype} of shape {spell(given.shape)} on "
                f"{given.device}, should be returned, but {show(returned)} came."
            )
        given = returned
    return given.clone() if isinstance(g, Tensor) else given.detach().clone()._array


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether shape, dtype and device are the same."""
    return a._kind is b._kind or (a.shape == b.shape and a.dtype == b.dtype and a.device is b.device)


def _as_array(value: Any, device: Device) -> Any:
    """NumPy returns its scalars where an array without axes is meant."""
    return value if type(value) is device.array_type else device.xp.asarray(value)


def _is_read_only(tensor: Tensor) -> bool:
    """Whether the memory must not be written to: a read-only array, or a stretched one, whose elements share it."""
    array = tensor._array
    if tensor._kind.device.kind == "gpu":  # CuPy marks no array as read only
        return array.size > 1 and 0 in array.strides
    return not array.flags.writeable


def _host_array(name: str, data: Any, dtype: Any) -> numpy.ndarray:
    """``data`` (numbers, nested lists, NumPy arrays, tensors) as a new host array in one of our dtypes."""
    dtypes: set[Any] = set()
    host = _on_the_host(name, data, dtypes)
    try:
        array = numpy.array(host)
    except ValueError:
        raise ShapeError(
            f"{name}: the rows of the nested list have different lengths; a tensor needs them equal."
        ) from None
    if array.dtype == object and all(isinstance(item, int | float) for item in array.flat):
        raise DtypeError(f"{name}: a number among {show(data)} is too large; give it as a float, such as 2.0**70.")
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: numbers or booleans were expected, but {show(data)} came.")
    if not array.dtype.isnative:  # as files of other machines have it
        array = array.astype(array.dtype.newbyteorder("="))
    if dtype is None and all(d in DTYPES or d in NUMBERS for d in dtypes):
        dtype = promote(*dtypes) if dtypes else DEFAULT_FLOAT
    if dtype is None and array.dtype.kind in "iu":
        dtype = DEFAULT_INTEGER
    target = dtype_of(f"{name}: dtype", array.dtype if dtype is None else dtype)
    if array.dtype != target:
        require_fits(f"{name}: the number", array, target)
    return array.astype(target, copy=False)


def _on_the_host(name: str, data: Any, dtypes: set) -> Any:
    """``data`` with NumPy arrays in the place of tensors; ``dtypes`` gets their dtypes, of Python numbers the types."""
    if isinstance(data, numpy.ndarray) and hasattr(data, "mask"):  # numpy.ma itself need not be loaded for this
        raise DtypeError(f"{name}: a masked array has gaps, which a tensor cannot hold; fill them with .filled(…).")
    if isinstance(data, list | tuple):
        return [_on_the_host(name, item, dtypes) for item in data]
    if isinstance(data, Tensor):
        data = data._host()
    dtypes.add(data.dtype if isinstance(data, numpy.ndarray | numpy.generic) else type(data))
    return data


def grad(
    output: Tensor,
    inputs: Tensor | list[Tensor] | tuple[Tensor, ...],
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> Any:
    """d(output)/d(inputs), without touching any ``grad``; with ``create_graph`` it can be differentiated again.

    Returns a tensor, or a tuple of them for several inputs. Raises GradError for an input on which output does not
    depend.

    >>> x = kernel.tensor(3.0, requires_grad=True)
    >>> slope = kernel.grad(x ** 3, x, create_graph=True)
    >>> slope, kernel.grad(slope, x)
    (tensor(27., grad_fn=<CloneBackward>), tensor(18.))
    """
    several = isinstance(inputs, list | tuple)
    wanted = list(inputs) if several else [inputs]
    for t in (output, *wanted):
        if not isinstance(t, Tensor):
            raise DtypeError(f"grad: tensors were expected, but {show(t)} came.")
    keys = [t._place or t for t in wanted]
    found = output._gradients("grad", gradient, set(keys), retain_graph, create_graph)
    results, handed_out = [], set()
    for i, (t, key) in enumerate(zip(wanted, keys, strict=True)):
        if key not in found:
            raise GradError(f"grad: the output does not depend on input {i} (or it does not require a gradient).")
        g = found[key]
        if t._place is None and t._hooks:
            g = _run_hooks(t._hooks, g, t.device)
        elif key in handed_out:
            g = g.clone() if isinstance(g, Tensor) else g.copy()
        handed_out.add(key)
        results.append(g if isinstance(g, Tensor) else _wrap(_as_array(g, t.device), t.device))
    return tuple(results) if several else results[0]
