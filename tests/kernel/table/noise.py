"""Rows of kernel/ops/noise.py."""

from __future__ import annotations

import numpy

from tests.kernel.table.entry import call, dtype_error, row, u, whole


def _factor(shape: tuple, seed: int, rate: float) -> numpy.ndarray:
    """What each number is multiplied with: drawn one by one, in the order (…, N)."""
    bits = numpy.random.PCG64(seed)
    size = int(numpy.prod(shape))
    drawn = b"".join(int(word).to_bytes(8, "little") for word in bits.random_raw(-(-size // 8)))[:size]
    limit, share = divmod((1 - rate) * 256, 1)
    kept = [
        byte < limit or (byte == limit and share > 0 and (bits.random_raw() >> 11) / 2**53 < share) for byte in drawn
    ]
    kept = numpy.array(kept, bool)
    if shape:
        kept = numpy.moveaxis(kept.reshape(*shape[1:], shape[0]), -1, 0)
    return kept.reshape(shape) * (0.0 if rate == 1 else 1 / (1 - rate))


row(
    "dropout",
    lambda x, seed, rate=0.5: x * _factor(x.shape, seed, rate),
    lambda torch, x, seed, rate=0.5: x * torch.tensor(_factor(tuple(x.shape), seed, rate)).to(x.dtype),
    call(u(3, 4), 7),
    call(u(2, 3, 2, 2), 11, rate=0.3),
    call(u(30, 40), 5, rate=0.3),
    call(u(5), 2**63, rate=0.9),
    call(u(), 0, rate=0.1),
    call(u(0, 3), 1),
    call(u(3, 4), 3, rate=0),
    call(u(3, 4), 3, rate=1),
    dtype_error("rate", "from 0 to 1", "1.5", of=(u(3), 1), rate=1.5),
    dtype_error("rate", "from 0 to 1", "-0.1", of=(u(3), 1), rate=-0.1),
    dtype_error("rate", "from 0 to 1", "nan", of=(u(3), 1), rate=float("nan")),
    dtype_error("rate", "number", "'half'", of=(u(3), 1), rate="half"),
    dtype_error("seed", "whole", "float", of=(u(3), 1.5)),
    dtype_error("seed", "whole", "(2,)", of=(u(3), whole(2))),
    dtype_error("seed", "0 or more", "-1", of=(u(3), -1)),
    dtype_error("float", "int64", of=(whole(3), 1)),
    whole=False,
    boolean=False,
)
