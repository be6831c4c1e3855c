"""The tensors that a module owns: parameters, which are learned, and buffers, which are kept.

Either may wait for its size. ``Linear(12)`` cannot know how many inputs it will meet; its weight has the shape (12, ?)
until the first operation that meets it finds the missing size, by the same ``infer`` that checks every call. Then it is
filled in, and is an ordinary tensor from there on: the same object, so whoever holds it has it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy

from .creation import tensor
from .errors import ShapeError, UnknownSizeError
from .initialisers import as_initialiser, fans
from .op import DEFAULT_FLOAT, ArrayType, dtype_of, spell, unify
from .tape import no_grad
from .tensor import Tensor, _of_kind
from .xp import Device, Generator
from .xp import device as device_of


class Owned(Tensor):
    """A tensor that a module owns.

    ``layout`` says what its axes mean, for initialisers that must know (see ``kernel.initialisers.fans``); None for a
    bias and its like. ``_plan`` is how to make it, while its size is unknown.
    """

    __slots__ = ("_plan", "layout")

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        values = tensor(data)
        owned = _of_kind(values._array, values._kind, cls)
        owned._plan = owned.layout = None
        return owned.requires_grad_(requires_grad)

    @classmethod
    def later(
        cls,
        shape: tuple | None,
        initialiser: Any = 0,
        layout: str | None = None,
        dtype: Any = DEFAULT_FLOAT,
        device: Any = "cpu",
    ) -> Any:
        """One that will have the shape ``shape`` once the sizes that are None in it are known; at once if none is.

        Args:
            shape: with None for each unknown size, or None if not even the number of axes is known.
            initialiser: makes the first values; a number, an array or one of ``kernel.initialisers``.
            layout: what the axes mean, as ``kernel.initialisers.fans`` has it.
            dtype: a float.
            device: where it will be.

        >>> weight = kernel.Parameter.later((3, None), 1)
        >>> weight.shape
        (3, None)
        >>> kernel.linear(kernel.ones(1, 2), weight)
        tensor([[2., 2., 2.]], grad_fn=<LinearBackward>)
        >>> weight.shape
        (3, 2)
        """
        waiting = object.__new__(_WAITING[cls])
        waiting._plan = {
            "shape": shape,
            "initialiser": as_initialiser(initialiser),
            "dtype": dtype_of("dtype", dtype),
            "device": device_of(device),
        }
        waiting.layout, waiting._written = layout, [0]
        waiting._place = waiting._hooks = waiting.grad = None
        waiting._requires_grad = cls is Parameter
        if shape is not None and None not in shape:
            waiting.complete(shape)
        return waiting

    @property
    def value(self) -> numpy.ndarray:
        """The numbers, a copy, as a NumPy array; set it to write others, of the same shape, into the same tensor.

        >>> weight = kernel.Parameter([1.0, 2.0])
        >>> weight.value = weight.value * 10
        >>> weight.value
        array([10., 20.], dtype=float32)
        """
        return self.detach().cpu().numpy().copy()

    @value.setter
    def value(self, values: Any) -> None:
        given = values.detach() if isinstance(values, Tensor) else tensor(values, dtype=self.dtype)
        if given.shape != self.shape:
            raise ShapeError(
                f"value: shape {spell(self.shape)} was expected, but {spell(given.shape)} came; a parameter keeps its "
                "shape."
            )
        with no_grad():
            self.copy_(given)

    def set_value(self, values: Any) -> None:
        """Write other numbers into the same tensor: ``parameter.value = values``."""
        self.value = values

    def initialise(self, initialiser: Any, generator: Generator | None = None, name: str | None = None) -> None:
        """Begin afresh, with the numbers of another initialiser; while the size is unknown, as soon as it is known.

        >>> weight = kernel.Parameter.later((3, 2), 1)
        >>> weight.initialise(0.5)
        >>> weight[0]
        tensor([0.5, 0.5], grad_fn=<GetitemBackward>)
        """
        made = _made(as_initialiser(initialiser), self.shape, self.layout, self.dtype, generator, name)
        with no_grad():
            self.copy_(made)

    def move(self, there: Device | None, dtype: numpy.dtype | None) -> None:
        """Be on another device, in another dtype, or both, and the gradient too; None changes nothing."""
        target = [t for t in (there, dtype) if t is not None]
        value = functools.reduce(Tensor.to, target, self.detach())
        self._array, self._kind, self._written = value._array, value._kind, value._written
        if self.grad is not None:
            self.grad = functools.reduce(Tensor.to, target, self.grad.detach())

    def __deepcopy__(self, memo: dict) -> Any:
        copy = super().__deepcopy__(memo)
        copy._plan, copy.layout = None, self.layout
        return copy


class Parameter(Owned):
    """A tensor that is to be learned: a leaf that requires a gradient.

    Args:
        data: the first values.
        requires_grad: False for one that is to stay as it is.

    >>> kernel.Parameter([1.0, 2.0])
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()
    role = "argument"

    def __new__(cls, data: Any, requires_grad: bool = True) -> Parameter:
        return super().__new__(cls, data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Owned):
    """A tensor that belongs to a module's state but is not learned: a running mean, say.

    >>> kernel.Buffer([0.0, 0.0])
    Buffer containing:
    tensor([0., 0.])
    """

    __slots__ = ()
    role = "auxiliary"

    def __new__(cls, data: Any) -> Buffer:
        return super().__new__(cls, data)

    def __repr__(self) -> str:
        return f"Buffer containing:\n{super().__repr__()}"


class Waiting:
    """What is different while the size is unknown."""

    __slots__ = ()

    def complete(self, shape: tuple | None) -> None:
        """Be filled in, now that the whole shape is known; raises ShapeError if it is not, or contradicts ``shape``."""
        self.fill(self.begin(shape))

    def begin(self, shape: tuple | None) -> Tensor:
        """The first values for a shape that is known at last."""
        plan = self._plan
        shape = unify("the parameter", shape, plan["shape"], "so it was made")
        if shape is None or None in shape:
            raise UnknownSizeError(self._why())
        return _made(plan["initialiser"], shape, self.layout, plan["dtype"])

    def fill(self, values: Tensor) -> None:
        """Take over ``values``, and wait no more."""
        made = values.astype(self._plan["dtype"]).to(self._plan["device"])
        self.__class__ = _COMPLETE[type(self)]
        self._array, self._kind, self._plan = made._array, made._kind, None

    def initialise(self, initialiser: Any, generator: Generator | None = None, name: str | None = None) -> None:
        chosen = as_initialiser(initialiser)
        self._plan["initialiser"] = functools.partial(chosen, generator=generator, name=name)

    def _why(self) -> str:
        return (
            f"a parameter of {self._shape_in_words()} has no values yet, since its size is not known; call the module "
            "on data once, or name the input size where the layer is made."
        )

    def _shape_in_words(self) -> str:
        shape = self._plan["shape"]
        return "unknown shape" if shape is None else f"shape {spell(shape)}"

    def _refuse(self) -> Any:
        raise UnknownSizeError(self._why())

    _array = property(_refuse)
    _kind = property(_refuse)
    shape = property(lambda self: self._plan["shape"])
    dtype = property(lambda self: self._plan["dtype"])

    @property
    def device(self) -> Device:
        return self._plan["device"]

    @property
    def ndim(self) -> int:
        return self._refuse() if self._plan["shape"] is None else len(self._plan["shape"])

    def __len__(self) -> int:
        return self._refuse()

    def move(self, there: Device | None, dtype: numpy.dtype | None) -> None:
        """Be made there, once the size is known."""
        self._plan |= {"device": there or self.device, "dtype": dtype or self.dtype}

    def __repr__(self) -> str:
        return f"{_COMPLETE[type(self)].__name__} of {self._shape_in_words()}, waiting for its size"

    def __deepcopy__(self, memo: dict) -> Any:
        plan = self._plan
        copy = _COMPLETE[type(self)].later(plan["shape"])
        copy._plan, copy.layout = dict(plan), self.layout
        copy._requires_grad = self._requires_grad
        memo[id(self)] = copy
        return copy


def _made(
    initialiser: Any,
    shape: tuple[int, ...],
    layout: str | None,
    dtype: Any,
    generator: Generator | None = None,
    name: str | None = None,
) -> Tensor:
    """The first values, on the host."""
    options = fans(shape, layout) if layout else {}
    if generator is not None or name is not None:
        options |= {"generator": generator, "name": name}
    return initialiser(shape, dtype=dtype, **options)


class WaitingParameter(Waiting, Parameter):
    """A parameter whose size is not known yet."""

    __slots__ = ()


class WaitingBuffer(Waiting, Buffer):
    """A buffer whose size is not known yet."""

    __slots__ = ()


def complete_all(operands: Iterable, found: Iterable[ArrayType]) -> None:
    """Fill in those operands that wait for their size, by the types that ``infer`` found; all of them or none."""
    shapes = {x: t.shape for x, t in zip(operands, found, strict=True) if isinstance(x, Waiting)}
    begun = {waiting: waiting.begin(shape) for waiting, shape in shapes.items()}
    for waiting, values in begun.items():
        waiting.fill(values)


_WAITING = {Parameter: WaitingParameter, Buffer: WaitingBuffer}
_COMPLETE = {waiting: complete for complete, waiting in _WAITING.items()}
