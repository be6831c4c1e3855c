"""Operations that draw random numbers: from a seed, so that the same call gives the same numbers, on every device."""

from __future__ import annotations

import math

import numpy

from ..errors import DtypeError, show
from ..op import Op, deliver, require_float, require_number, spell


def require_rate(rate):
    """Raise unless it is a probability."""
    require_number("rate", rate)
    if not 0 <= rate <= 1:
        raise DtypeError(f"rate must be a probability, from 0 to 1, but {show(rate)} came.")


class dropout(Op):
    """0 with probability ``rate``, else x / (1 - rate), elementwise: (…), a seed -> (…).

    Srivastava et al., JMLR 15 (2014). The seed is an operand, a Python number: a graph can replay it, and a new one for
    each call is no new kind of call, as a new attribute would be.
    """

    onnx = "Dropout"
    keeps_shape = True
    residuals = ("kept",)
    reads = ("kept", "")

    def infer(x, seed, rate=0.5):
        require_rate(rate)
        if seed.dtype is not int:
            came = (
                f"tensor of shape {spell(seed.shape)}" if isinstance(seed.dtype, numpy.dtype) else seed.dtype.__name__
            )
            raise DtypeError(f"seed must be a whole Python number, but it is a {came}.")
        require_float("x", x.dtype)
        return (x, seed), (x,)

    def forward(xp, x, seed, out=None, rate=0.5):
        if seed < 0:
            raise DtypeError(f"seed must be 0 or more, but {seed} came.")
        # Batch-last, as most activations lie in memory; which numbers are kept does not depend on how x itself lies.
        batch, *rest = x.shape or (1,)
        kept = xp.asarray(kept_of(seed, rate, (*rest, batch)))
        kept = kept.transpose(len(rest), *range(len(rest))).reshape(x.shape)
        y = _scaled(xp, x, kept, rate)
        return (y if out is None else deliver(xp, y, out[0]),), (kept,)

    vjp = (lambda xp, g, y, x, seed, kept, rate=0.5: _scaled(xp, g, kept, rate), None)


def _scaled(xp, x, kept, rate):
    """x / (1 - rate) where kept; a product, since choosing takes NumPy twenty times as long."""
    factor = kept.astype(x.dtype)
    factor *= 0.0 if rate == 1 else 1 / (1 - rate)
    return factor * x


def kept_of(seed: int, rate: float, shape: tuple[int, ...]) -> numpy.ndarray:
    """True with probability 1 - rate, each by itself, as ``seed`` decides.

    A random byte settles all but one case in 256: it is below the limit or above it. Where it is equal, 53 further bits
    decide, so that the rate is kept to 2**-61 for little more than the price of one byte a number.

    >>> kept_of(0, 0.5, (2, 3))
    array([[ True, False, False],
           [False, False, False]])
    """
    bits = numpy.random.PCG64(seed)
    size = math.prod(shape)
    # Bytes in the order in which a little-endian machine holds a word.
    drawn = bits.random_raw(-(-size // 8)).astype("<u8", copy=False).view("uint8")[:size]
    share, limit = math.modf((1 - rate) * 256)
    kept = drawn < int(limit)
    if share:
        ties = numpy.flatnonzero(drawn == int(limit))
        kept[ties] = (bits.random_raw(len(ties)) >> 11) * 2.0**-53 < share
    return kept.reshape(shape)
