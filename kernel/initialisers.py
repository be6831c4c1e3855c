"""How parameters begin: callables that draw the numbers of one parameter.

An initialiser is called as ``initialiser(shape, fan_in=…, fan_out=…, dtype=…, generator=…, name=…)`` and returns a
tensor on the CPU. The fans, how many numbers enter an output and how many outputs a number enters, are said by the
layer, which knows what its axes mean; ``fans`` works them out by hand. Numbers are drawn in float64 on the host: one
seed gives the same ones on every device and, but for rounding, in every dtype.

Wherever an initialiser is expected a number, an array, a function of the shape, or a dict of name patterns will do:
``as_initialiser`` makes one of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import numpy

from .creation import _host_generator, tensor
from .errors import DtypeError, ShapeError, show
from .op import DEFAULT_FLOAT, dtype_of, require_float, require_number, require_sizes, require_whole, spell
from .tensor import Tensor

# Which axes of a weight count as inputs and which as outputs; what is left of a shape is the kernel's area.
LAYOUTS = {
    "linear": "(out, in)",
    "dense": "(in…, out)",
    "convolution": "(out, in / groups, kernel…)",
    "transposed convolution": "(in, out / groups, kernel…)",
    "embedding": "(classes, dim)",
}


def fans(shape: tuple[int, ...], layout: str = "linear") -> dict[str, int]:
    """The fans of a weight: ``{"fan_in": …, "fan_out": …}``, to be handed on with ``**``.

    Args:
        shape: the weight's.
        layout: what its axes mean: "linear" (out, in), "dense" (in…, out), "convolution" (out, in / groups, kernel…),
            "transposed convolution" (in, out / groups, kernel…), "embedding" (classes, dim), which is a dense layer of
            one-hot rows. The area of a kernel counts in both fans.

    >>> fans((500, 800))
    {'fan_in': 800, 'fan_out': 500}
    >>> fans((50, 20, 5, 5), "convolution")
    {'fan_in': 500, 'fan_out': 1250}
    """
    require_sizes("fans: shape", shape)
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise DtypeError(f"fans: layout must be one of {', '.join(map(show, LAYOUTS))}, but {show(layout)} came.")
    if len(shape) < 2 or (layout in ("linear", "embedding") and len(shape) > 2):
        raise ShapeError(f"fans: a {layout} weight has shape {LAYOUTS[layout]}, but shape {spell(shape)} came.")
    area = math.prod(shape[2:])
    if layout in ("dense", "embedding"):
        fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
    elif layout == "transposed convolution":
        fan_in, fan_out = shape[0] * area, shape[1] * area
    else:
        fan_in, fan_out = shape[1] * area, shape[0] * area
    return {"fan_in": fan_in, "fan_out": fan_out}


# Each class gets its __init__ from its fields and shares the rest: made for each, that would double the import time.
settings = dataclass(eq=False, repr=False)


@settings
class Initialiser:
    """What all have in common: ``draw(rng, shape, fan_in, fan_out)`` gives a NumPy array; calling makes a tensor."""

    draw: ClassVar[Callable[..., numpy.ndarray]]  # a subclass says it

    def __post_init__(self) -> None:
        for what, value in vars(self).items():
            require_number(f"{type(self).__name__}: {what}", value)
            if not math.isfinite(value):
                raise DtypeError(f"{type(self).__name__}: {what} must be finite, but {value} came.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{what}={value!r}' for what, value in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        mine, theirs = vars(self), getattr(other, "__dict__", {})
        return type(self) is type(other) and all(numpy.array_equal(mine[what], theirs[what]) for what in mine)

    def __hash__(self) -> int:
        return hash(type(self))

    def __call__(
        self,
        shape: tuple[int, ...],
        *,
        fan_in: int | None = None,
        fan_out: int | None = None,
        dtype: Any = DEFAULT_FLOAT,
        generator: Any = None,
        name: str | None = None,
    ) -> Tensor:
        """The numbers of a parameter of this shape.

        Args:
            shape: the parameter's.
            fan_in: how many numbers enter each output; fan_out: how many outputs each number enters.
            dtype: a float.
            generator: a kernel.Generator; the kernel's own if left out.
            name: the parameter's, for initialisers that go by names.
        """
        me = type(self).__name__
        shape = (shape,) if isinstance(shape, int) else tuple(shape) if isinstance(shape, list) else shape
        require_sizes(f"{me}: sizes", shape)
        kind = dtype_of(f"{me}: dtype", dtype)
        require_float(f"{me}: a parameter", kind)
        for what, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
            if fan is not None:
                require_whole(f"{me}: {what}", fan)
        return tensor(self.draw(_host_generator(me, generator), shape, fan_in, fan_out).astype(kind))

    def _need(self, **fans: int | None) -> None:
        for what, fan in fans.items():
            if fan is None:
                raise ShapeError(
                    f"{type(self).__name__}: {what} is needed, and nobody said it; by hand give **fans(shape, layout)."
                )


@settings
class constant(Initialiser):
    """One value everywhere; or, of an array, a copy of it.

    >>> constant(0.5)((2,))
    tensor([0.5, 0.5])
    """

    value: Any

    def __post_init__(self) -> None:
        # Kept as an array that is not the caller's, so that a later write to it changes nothing here.
        value = self.value
        host = tensor(value).cpu().numpy() if not isinstance(value, bool | int | float) else value
        self.value = host.item() if getattr(host, "shape", None) == () else host

    def __repr__(self) -> str:
        shape = getattr(self.value, "shape", None)
        return f"constant({self.value if shape is None else f'an array of shape {spell(shape)}'})"

    def draw(self, rng, shape, fan_in, fan_out):
        if isinstance(self.value, numpy.ndarray) and self.value.shape != shape:
            raise ShapeError(
                f"constant: the array should have shape {spell(shape)}, but has {spell(self.value.shape)}."
            )
        return numpy.broadcast_to(numpy.asarray(self.value), shape)


@settings
class zeros(Initialiser):
    """0 everywhere, as biases usually begin."""

    def draw(self, rng, shape, fan_in, fan_out):
        return numpy.zeros(shape)


@settings
class ones(Initialiser):
    """1 everywhere, as scales usually begin."""

    def draw(self, rng, shape, fan_in, fan_out):
        return numpy.ones(shape)


@settings
class uniform(Initialiser):
    """Equally likely between low and high; of one number s between -s and s.

    >>> uniform(0.1)
    uniform(low=-0.1, high=0.1)
    >>> uniform(0, 2)
    uniform(low=0, high=2)
    """

    low: float = 0.05
    high: float | None = None

    def __post_init__(self) -> None:
        if self.high is None:
            require_number("uniform: low", self.low)
            self.low, self.high = -self.low, self.low
        super().__post_init__()
        if self.low > self.high:
            raise DtypeError(f"uniform: low must not be above high, but {self.low} and {self.high} came.")

    def draw(self, rng, shape, fan_in, fan_out):
        return rng.uniform(self.low, self.high, shape)


@settings
class normal(Initialiser):
    """Normal with mean 0 (or ``mean``) and standard deviation std."""

    std: float = 0.05
    mean: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.std < 0:
            raise DtypeError(f"{type(self).__name__}: std must not be negative, but {self.std} came.")

    def draw(self, rng, shape, fan_in, fan_out):
        return rng.normal(self.mean, self.std, shape)


@settings
class truncated_normal(normal):
    """Normal with standard deviation std, but what lies further than 2 std from the mean is drawn again.

    What comes out has a standard deviation of 0.880 std.
    """

    def draw(self, rng, shape, fan_in, fan_out):
        z = rng.standard_normal(math.prod(shape))
        far = numpy.flatnonzero(abs(z) > 2)
        while far.size:
            z[far] = rng.standard_normal(far.size)
            far = far[abs(z[far]) > 2]
        return self.mean + self.std * z.reshape(shape)


@settings
class glorot_uniform(Initialiser):
    """Uniform within ±gain √(6 / (fan_in + fan_out)): keeps the size of values and of gradients (Glorot, Bengio 2010).

    >>> w = glorot_uniform()((300, 100), fan_in=100, fan_out=300)
    >>> bool(w.abs().max() <= (6 / 400) ** 0.5)
    True
    """

    gain: float = 1

    def draw(self, rng, shape, fan_in, fan_out):
        self._need(fan_in=fan_in, fan_out=fan_out)
        bound = self.gain * math.sqrt(6 / max(1, fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


@settings
class glorot_normal(Initialiser):
    """Normal with standard deviation gain √(2 / (fan_in + fan_out)) (Glorot, Bengio 2010)."""

    gain: float = 1

    def draw(self, rng, shape, fan_in, fan_out):
        self._need(fan_in=fan_in, fan_out=fan_out)
        return rng.normal(0, self.gain * math.sqrt(2 / max(1, fan_in + fan_out)), shape)


@settings
class he_uniform(Initialiser):
    """Uniform within ±√(6 / ((1 + slope²) fan_in)): keeps the size of values behind relu (He et al. 2015).

    ``slope`` is that of a leaky relu where it is negative; √5 gives ±1 / √fan_in.
    """

    slope: float = 0

    def draw(self, rng, shape, fan_in, fan_out):
        self._need(fan_in=fan_in)
        bound = math.sqrt(6 / ((1 + self.slope**2) * max(1, fan_in)))
        return rng.uniform(-bound, bound, shape)


@settings
class he_normal(Initialiser):
    """Normal with standard deviation √(2 / ((1 + slope²) fan_in)) (He et al. 2015)."""

    slope: float = 0

    def draw(self, rng, shape, fan_in, fan_out):
        self._need(fan_in=fan_in)
        return rng.normal(0, math.sqrt(2 / ((1 + self.slope**2) * max(1, fan_in))), shape)


@settings
class orthogonal(Initialiser):
    """Rows (or, where there are more of them, columns) at right angles and of length gain (Saxe et al. 2013).

    All axes after the first count as columns.

    >>> w = orthogonal()((2, 3))
    >>> bool((abs(w @ w.T - kernel.eye(2)) < 1e-6).all())
    True
    """

    gain: float = 1

    def draw(self, rng, shape, fan_in, fan_out):
        if len(shape) < 2:
            raise ShapeError(f"orthogonal: a matrix or more was expected, but shape {spell(shape)} came.")
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = numpy.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        # With the signs of r's diagonal every rotation is equally likely.
        q = q * numpy.copysign(1, numpy.diagonal(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@settings
class bilinear(Initialiser):
    """What makes a transposed convolution interpolate: kernels (C, C, kh, kw), or (C, 1, kh, kw) with C groups.

    Along each axis the weights fall off as a straight line, 1 - |x - centre| / f with f = ⌊(k + 1) / 2⌋; between
    different channels they are 0. To upsample by f, take k = 2f - f mod 2 and stride f.

    >>> bilinear()((1, 1, 3, 3))
    tensor([[[[0.25, 0.5 , 0.25],
              [0.5 , 1.  , 0.5 ],
              [0.25, 0.5 , 0.25]]]])
    """

    def draw(self, rng, shape, fan_in, fan_out):
        if len(shape) != 4 or shape[1] not in (1, shape[0]):
            raise ShapeError(f"bilinear: shape (C, C, kh, kw) or (C, 1, kh, kw) was expected, but {spell(shape)} came.")
        kernel = numpy.outer(*map(_tent, shape[2:]))
        same = numpy.ones(shape[:2]) if shape[1] == 1 else numpy.eye(shape[0])
        return same[:, :, None, None] * kernel


def _tent(size: int) -> numpy.ndarray:
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    return 1 - abs(numpy.arange(size) - centre) / factor


@settings
class from_function(Initialiser):
    """What a function of the shape returns: an array, a tensor, or nested lists."""

    function: Callable[[tuple[int, ...]], Any]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise DtypeError(f"from_function: a function of the shape was expected, but {show(self.function)} came.")

    def __repr__(self) -> str:
        return f"from_function({getattr(self.function, '__name__', self.function)})"

    def draw(self, rng, shape, fan_in, fan_out):
        host = tensor(self.function(shape)).cpu().numpy()
        if host.shape != shape:
            raise ShapeError(f"{self!r}: shape {spell(shape)} was asked for, but {spell(host.shape)} was returned.")
        return host


@settings
class by_name(Initialiser):
    """For each parameter the initialiser of the first pattern that its name matches; * stands for anything.

    >>> begin = by_name({"*weight": uniform(-0.1, 0.1), "*bias": 0})
    >>> begin((2,), name="fc1_bias")
    tensor([0., 0.])
    >>> begin((2,), name="fc1_gamma")
    Traceback (most recent call last):
    ...
    kernel.errors.DtypeError: by_name: no pattern of '*weight', '*bias' matches the name 'fc1_gamma'; add one, or '*'.
    """

    patterns: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.patterns, dict) or not all(isinstance(pattern, str) for pattern in self.patterns):
            raise DtypeError(
                f"by_name: a dict from patterns to initialisers was expected, but {show(self.patterns)} came."
            )
        self.patterns = {pattern: as_initialiser(value) for pattern, value in self.patterns.items()}

    def __repr__(self) -> str:
        return f"by_name({self.patterns})"

    def __call__(self, shape: tuple[int, ...], *, name: str | None = None, **more: Any) -> Tensor:
        if not isinstance(name, str):
            raise DtypeError(f"by_name: the parameter's name is needed, but {show(name)} came; give name=….")
        return self.of(name)(shape, name=name, **more)

    def of(self, name: str) -> Initialiser:
        """The initialiser for the parameter called ``name``."""
        for pattern, initialiser in self.patterns.items():
            if fnmatchcase(name, pattern):
                return initialiser
        known = ", ".join(map(show, self.patterns))
        raise DtypeError(f"by_name: no pattern of {known} matches the name {show(name)}; add one, or '*'.")


def as_initialiser(value: Any) -> Initialiser:
    """``value`` as an initialiser: a number or array is ``constant``, a dict ``by_name``, or a function of the shape.

    >>> as_initialiser(0), as_initialiser(glorot_uniform)
    (constant(0), glorot_uniform(gain=1))
    """
    if isinstance(value, Initialiser):
        return value
    if isinstance(value, type) and issubclass(value, Initialiser):
        return value()
    if isinstance(value, dict):
        return by_name(value)
    if callable(value) and not isinstance(value, Tensor | type):
        return from_function(value)
    try:
        return constant(value)
    except (DtypeError, ShapeError):
        raise DtypeError(
            "an initialiser must be a number, an array, a function of the shape, or one of kernel.initialisers, such "
            f"as uniform(0.1), but {show(value)} came."
        ) from None


# PyTorch's names.
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal
