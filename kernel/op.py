"""What an operation is: a class of facts about arrays, the only definition that every programming style reads.

An ``Op`` never sees a Tensor. It says what comes out of which shapes and dtypes (``infer``), how to compute it
(``forward``), one gradient rule per argument (``vjp``), and what those rules look at (``reads``). The eager tape, and
every other way of running a network, works from these facts alone.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar, NamedTuple

import numpy

from .errors import DtypeError, ShapeError, show
from .xp import Device

FLOATS = tuple(map(numpy.dtype, ("float16", "float32", "float64")))
HALF = FLOATS[0]
INTEGERS = tuple(map(numpy.dtype, ("uint8", "int32", "int64")))
# Of the same width: to see a negative number as a huge one.
UNSIGNED = {numpy.dtype(f"{kind}{width}"): numpy.dtype(f"u{width}") for kind, width in (("u", 1), ("i", 4), ("i", 8))}
BOOL = numpy.dtype("bool")
DTYPES = (*FLOATS, *INTEGERS, BOOL)
DEFAULT_FLOAT = numpy.dtype("float32")
DEFAULT_INTEGER = numpy.dtype("int64")
# PyTorch's old names for a type of tensor, understood wherever a dtype is.
TENSOR_TYPES = {
    "HalfTensor": "float16",
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "ByteTensor": "uint8",
    "IntTensor": "int32",
    "LongTensor": "int64",
    "BoolTensor": "bool",
}

NUMBERS = frozenset((float, int, bool))  # the types of Python numbers that may stand beside tensors

MOST_AXES = 32  # of a tensor

Shape = tuple[int | None, ...]


class ArrayType(NamedTuple):
    """What is known of an array before it exists: shape and dtype.

    In a graph that is still being completed ``shape`` may hold None for an unknown size, or be None when not even the
    number of axes is known. A Python number has shape () and a Python type (float, int, bool) for a dtype: it never
    widens the result. An ArrayType also stands in for every argument that a gradient rule does not read.
    """

    shape: Shape | None
    dtype: Any

    @property
    def ndim(self) -> int:
        """The number of axes, where the shape is known."""
        return len(self.shape)

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        """Computing with it means that the op's ``reads`` forgot to name it."""
        raise TypeError(
            f"a gradient rule computes with an argument of which only shape {spell(self.shape)} and dtype {self.dtype} "
            "were kept; name it in the op's reads."
        )


class Kind(ArrayType):
    """The ArrayType of arrays that exist: also says on which device, and there is one object for each.

    So that a call is known by the identity of its operands' kinds, without looking at shapes and dtypes again.
    """

    __eq__, __ne__, __hash__ = object.__eq__, object.__ne__, object.__hash__
    device: Device
    direct: bool  # floats that the host computes with: what fits may be written straight into their memory
    scalar: Kind  # that of one number of this dtype there

    def __deepcopy__(self, memo: dict) -> Kind:
        return self  # the one object

    @staticmethod
    def of(shape: tuple[int, ...], dtype: numpy.dtype, device: Device) -> Kind:
        """The kind of arrays of this shape and dtype on ``device``."""
        kinds = device.kinds
        found = kinds.get((shape, dtype))
        if found is None:
            if len(kinds) >= 8192:  # ever new shapes, as when slicing along: start afresh
                kinds.clear()
            found = Kind(shape, dtype)
            found.device = device
            found.direct = dtype.kind == "f" and device.kind != "gpu"
            found.scalar = Kind.of((), dtype, device) if shape else found
            kinds[shape, dtype] = found  # now that it is whole: another thread may ask for it
        return found


def is_float(dtype: Any) -> bool:
    """Whether a dtype, or the type of a Python number, is one that has gradients."""
    return dtype is float or dtype in FLOATS


def _category(dtype: Any) -> int:
    """0 for booleans, 1 for whole numbers, 2 for floats: the higher one wins a promotion."""
    if dtype in (bool, BOOL):
        return 0
    return 2 if is_float(dtype) else 1


def dtype_of(what: str, dtype: Any) -> numpy.dtype:
    """``dtype``, however it is spelled, as a NumPy dtype; a DtypeError that begins with ``what`` for any other.

    >>> dtype_of("zeros: dtype", "float32"), dtype_of("type: dtype", "LongTensor")
    (dtype('float32'), dtype('int64'))
    """
    found = None
    if isinstance(dtype, str | type | numpy.dtype):  # of all else NumPy would guess: of None float64
        with contextlib.suppress(TypeError, ValueError, SyntaxError):
            found = numpy.dtype(TENSOR_TYPES.get(dtype, dtype) if isinstance(dtype, str) else dtype)
    if found is None or found not in DTYPES:
        came = show(dtype) if found is None else found
        raise DtypeError(f"{what} {came} does not exist here; there are {', '.join(map(str, DTYPES))}.")
    return found


def promote(*dtypes: Any) -> Any:
    """The dtype in which operands of these dtypes meet, by PyTorch's table.

    The highest kind wins (bool < whole numbers < floats), within it the widest array dtype; a Python number brings its
    kind but no width. Only dtypes decide, never shapes.

    >>> promote(numpy.dtype("int64"), numpy.dtype("float16"))
    dtype('float16')
    >>> promote(numpy.dtype("int64"), float)
    dtype('float32')
    >>> promote(numpy.dtype("float16"), float)
    dtype('float16')
    """
    kind = max(map(_category, dtypes))
    widths = [d for d in dtypes if isinstance(d, numpy.dtype) and _category(d) == kind]
    if not widths:
        return (BOOL, DEFAULT_INTEGER, DEFAULT_FLOAT)[kind]
    result = widths[0]
    for d in widths[1:]:
        result = numpy.promote_types(result, d)
    return result


def spell(shape: Shape | None) -> str:
    """A shape as errors print it, with ? for what is free.

    >>> spell((None, 3))
    '(?, 3)'
    """
    if shape is None:
        return "of any shape"
    sizes = ["?" if s is None else str(s) for s in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def broadcast(*shapes: Shape | None) -> Shape | None:
    """The shape to which ``shapes`` are stretched: aligned at the right, sizes equal or 1. Unknown sizes stay unknown.

    >>> broadcast((4, 1), (3,))
    (4, 3)
    >>> broadcast((None, 3), (2, 1))
    (2, 3)
    """
    if None in shapes:
        return None
    ndim = max(map(len, shapes))
    result: list[int | None] = []
    for axis in range(-ndim, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis}
        known = sizes - {1, None}
        if len(known) > 1:
            raise ShapeError(
                f"shapes {' and '.join(map(spell, shapes))} do not broadcast: aligned at the right, axis {axis} has "
                f"sizes {' and '.join(str(shape[axis]) for shape in shapes if len(shape) >= -axis)}, "
                "which are neither equal nor 1."
            )
        result.append(known.pop() if known else (None if None in sizes else 1))
    return tuple(result)


def unify(what: str, shape: Shape | None, expected: Shape | None, because: str) -> Shape | None:
    """``shape`` with its unknown sizes filled from ``expected``; a ShapeError that names ``what`` where they differ.

    >>> unify("argument b", (None, 5), (3, None), "a has 3 columns")
    (3, 5)
    """
    if shape is None or expected is None:
        return shape if expected is None else expected
    if len(shape) != len(expected) or any(s != e for s, e in zip(shape, expected, strict=True) if None not in (s, e)):
        raise ShapeError(
            f"{what} should have shape {spell(expected)} because {because}, but it has shape {spell(shape)}."
        )
    return tuple(e if s is None else s for s, e in zip(shape, expected, strict=True))


def normalise_axis(axis: int, ndim: int) -> int:
    """``axis`` counted from the left.

    >>> normalise_axis(-1, 3)
    2
    """
    require_whole("axis", axis)
    if not -ndim <= axis < ndim:
        if ndim == 0:
            raise ShapeError(f"axis {axis} does not exist: the tensor has shape () and no axis; leave axis out.")
        raise ShapeError(f"axis {axis} does not exist: the tensor has {ndim} axes, {-ndim} to {ndim - 1}.")
    return int(axis) % ndim


def require_sizes(what: str, sizes: Any) -> None:
    """Raise unless ``sizes`` is a tuple of whole numbers that are not negative, of a tensor that memory could hold."""
    if not isinstance(sizes, tuple) or not all(map(_is_whole, sizes)):
        raise DtypeError(f"{what} must be whole numbers, but {show(sizes)} came.")
    if any(size < 0 for size in sizes):
        raise ShapeError(f"{what} must not be negative, but {spell(sizes)} came.")
    if math.prod(sizes) >= 2**60 or len(sizes) > MOST_AXES:
        raise ShapeError(f"{what} {spell(sizes)} make a tensor that no memory holds.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | numpy.integer) and not isinstance(value, bool)


def require_whole(what: str, value: Any) -> None:
    """Raise unless ``value`` is a whole number; True is none."""
    if not _is_whole(value):
        raise DtypeError(f"{what} must be a whole number, but {show(value)} came.")


def require_number(what: str, value: Any) -> None:
    """Raise unless ``value`` is one number, Python's or NumPy's."""
    if not isinstance(value, bool | int | float | numpy.integer | numpy.floating | numpy.bool):
        raise DtypeError(f"{what} must be a number, but {show(value)} came.")


def require_flag(what: str, value: Any) -> None:
    """Raise unless ``value`` is True or False."""
    if not isinstance(value, bool | numpy.bool):
        raise DtypeError(f"{what} must be True or False, but {show(value)} came.")


def require_fits(what: str, values: Any, dtype: numpy.dtype) -> None:
    """Raise unless numbers (one, or a NumPy array of them) can be written in ``dtype``: whole numbers have an end.

    >>> require_fits("full: argument value", 300, numpy.dtype("uint8"))
    Traceback (most recent call last):
    ...
    kernel.errors.DtypeError: full: argument value 300 does not fit into uint8, which holds 0 to 255.
    """
    if dtype.kind not in "iu":
        return
    array = numpy.asarray(values)
    if array.dtype.kind == "b" or array.size == 0:
        return
    limits = numpy.iinfo(dtype)
    for extreme in (array.max(), array.min()):
        extreme = extreme.item() if isinstance(extreme, numpy.generic) else extreme
        # As Python numbers, which are compared exactly; nan is within no limits.
        if not limits.min <= extreme <= limits.max:
            raise DtypeError(f"{what} {extreme} does not fit into {dtype}, which holds {limits.min} to {limits.max}.")


def require_float(what: str, dtype: Any) -> None:
    """Raise unless ``dtype`` is a float."""
    if not is_float(dtype):
        raise DtypeError(f"{what} must be of a float dtype, not {dtype}; convert with .float().")


class Op:
    """One operation. Subclass it to define one; the class itself is what ``apply`` takes, there are no instances.

    ============== =====================================================================================================
    infer          ``infer(*types, **attributes) -> (inputs, outputs)``: every shape and dtype rule and every check.
                   Takes and returns ArrayTypes; the returned inputs have unknown sizes filled in where the rule
                   determines them (never through a broadcast), and the dtype in which the operation computes.
    forward        ``forward(xp, *arrays, out=None, **attributes)``: the array that comes out, written into ``out`` if
                   one is given. An op that declares ``outputs`` > 1 or ``residuals`` returns two tuples (outputs,
                   residuals), and its ``out`` is a tuple, one for each output.
    function       instead of ``forward``, where one function of xp is all of it: its name, as "exp" for ``xp.exp``.
    arguments      the names of the operands: those of ``forward``; to be declared beside a ``function``. ``options``
                   are the names of the attributes; beside a ``function`` there are none.
    vjp            one rule per argument, ``rule(xp, g, y, *arrays, *residuals, **attributes)``: the gradient with
                   respect to that argument, given the gradient ``g`` of the output ``y``; None where there is none.
                   Written in functions that NumPy and the kernel both have, so that with ``xp`` = the kernel's own
                   functions it is itself recorded, which gives second derivatives. ``xp.apply(op, …)`` calls another
                   operation, such as the one that is this one's gradient. The engine undoes broadcasting.
    shared         ``shared(xp, g, y, *arrays, *residuals, **attributes)``: work that the rules have in common, such as
                   the walk back through time, done once; what it returns comes to the rules in the place of ``g``.
    reads          one string per rule: the names it looks at, of arguments, of residuals, or "y". What no rule reads is
                   not kept; the rule gets its ArrayType instead.
    outputs        how many arrays come out. With more than one, ``g`` and ``y`` are tuples; in ``g`` stand zeros for an
                   output that no gradient reached, and None for one whose dtype is not a float.
    residuals      the names of what ``forward`` computes beside its outputs for the rules alone. While a walk is itself
                   recorded, a float residual is None, since it may depend on the arguments in ways that nobody
                   recorded: the rule computes it again from them. Others (indices, masks) are constants.
    variadic       any number of arguments, ``forward(xp, *tensors, out=None)``: then ``vjp`` is one function that takes
                   the argument's number first, and ``reads`` one string. Found out from ``forward``.
    inplace        the arguments whose buffer the output may take over.
    overwrites     the rule of a single argument takes ``out=``, an array for the gradient, which may be y itself.
    view           the output shares its memory with the first argument (where strides allow).
    moves          the output is on another device, the one that the attribute ``target`` names.
    keeps_shape    the output has the shape of the first argument, so that a graph learns the one from the other.
    is_loss        its rules ignore the gradient of the output: it is where a walk back begins.
    once           its rules cannot be recorded: a second derivative through it raises, saying so.
    data_dependent the shape of the output depends on values: ``infer`` leaves None in it, and a graph refuses it.
    onnx           the name of the same operation in ONNX, or None.
    c              the same operation on one number in C, as "{0} + {1}", for kernels that fuse several; or None.
    ============== =====================================================================================================

    >>> from kernel.ops.elementwise import Unary
    >>> class cube(Unary):
    ...     "x**3, elementwise."
    ...     reads = ("x",)
    ...     def forward(xp, x, out=None):
    ...         return xp.power(x, 3, out=out)
    ...     vjp = (lambda xp, g, y, x: g * (3 * x * x),)
    >>> import kernel
    >>> x = kernel.tensor([2.0], requires_grad=True)
    >>> kernel.apply(cube, x).backward()
    >>> x.grad
    tensor([12.])
    >>> del registry["cube"]
    """

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[str, ...]] = ()
    function: ClassVar[str | None] = None
    variadic: ClassVar[bool] = False
    outputs: ClassVar[int] = 1
    residuals: ClassVar[tuple[str, ...]] = ()
    vjp: ClassVar[tuple[Callable | None, ...] | Callable] = ()
    shared: ClassVar[Callable | None] = None
    reads: ClassVar[tuple[str, ...]] = ()
    inplace: ClassVar[tuple[int, ...]] = ()
    overwrites: ClassVar[bool] = False
    view: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    keeps_shape: ClassVar[bool] = False
    is_loss: ClassVar[bool] = False
    once: ClassVar[bool] = False
    data_dependent: ClassVar[bool] = False
    onnx: ClassVar[str | None] = None
    c: ClassVar[str | None] = None

    def __init_subclass__(cls, register: bool = True):
        for name, value in list(vars(cls).items()):
            if isinstance(value, FunctionType):
                setattr(cls, name, staticmethod(value))
        if not register:
            return
        cls.name = cls.__name__.rstrip("_")
        if cls.name in registry:
            raise TypeError(f"an op called {cls.name} exists already; choose another name.")
        if "forward" in vars(cls):
            cls.function = None
        if cls.function is not None:
            cls.forward = staticmethod(_calling(cls.function))
        else:
            parameters = list(inspect.signature(cls.forward).parameters.values())[1:]
            cls.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            names = [p.name for p in parameters]
            if "out" not in names:
                raise TypeError(f"{cls.name}: forward needs an argument out=None, the array to write the result into.")
            cls.arguments = tuple(names[: names.index("out")])
            cls.options = tuple(names[names.index("out") + 1 :])
        if not cls.variadic and len(cls.vjp) != len(cls.arguments):
            raise TypeError(
                f"{cls.name}: vjp needs one rule (or None) per argument of forward, {len(cls.arguments)} of them, but "
                f"has {len(cls.vjp)}."
            )
        if cls.reads and not cls.variadic and len(cls.reads) != len(cls.vjp):
            raise TypeError(f"{cls.name}: reads needs one string per rule, {len(cls.vjp)} of them.")
        known = {*cls.arguments, *cls.residuals, "y"}
        unknown = {word for words in cls.reads for word in words.split()} - known
        if unknown:
            raise TypeError(f"{cls.name}: reads names {sorted(unknown)}, but the op has only {sorted(known)}.")
        registry[cls.name] = cls

    @classmethod
    def argument(cls, i: int) -> str:
        """The name of operand ``i``; those of a variadic op share the last."""
        return cls.arguments[min(i, len(cls.arguments) - 1)]

    @staticmethod
    def infer(*types: ArrayType, **attributes: Any) -> tuple[tuple[ArrayType, ...], tuple[ArrayType, ...]]:
        raise TypeError("an op must define infer.")

    @staticmethod
    def forward(xp: Any, *arrays: Any, out: Any = None, **attributes: Any) -> Any:
        raise TypeError("an op must define forward.")


def _calling(function: str) -> Callable:
    """The ``forward`` of an op that one function of xp computes."""

    def forward(xp: Any, *arrays: Any, out: Any = None) -> Any:
        return getattr(xp, function)(*arrays, out=out)

    return forward


registry: dict[str, type[Op]] = {}


def deliver(xp: Any, result: Any, out: Any) -> Any:
    """``result``, written into ``out`` if there is one: for computations that cannot write there themselves."""
    if out is None:
        return result
    out[...] = result
    return out
