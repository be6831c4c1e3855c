"""Functions that draw random numbers."""

from __future__ import annotations

from typing import Any

from ..apply import apply
from ..errors import DtypeError, show
from ..op import require_flag
from ..ops import noise
from ..xp import Generator, default_generator
from .axes import require_tensor


def dropout(
    x: Any, rate: float = 0.5, training: bool = True, *, seed: int | None = None, generator: Generator | None = None
) -> Any:
    """While training each number of x is 0 with probability ``rate``, and otherwise divided by 1 - rate.

    So that the expected value stays; without training it is x itself. Srivastava et al., JMLR 15 (2014).

    Args:
        x: a tensor of floats, of any shape.
        rate: a probability, from 0 to 1; PyTorch calls it p.
        training: False for x itself.
        seed: which numbers are dropped: a whole number, 0 or more. The same seed drops the same ones, on every device
            and whatever the order of x in memory. None takes one from the generator.
        generator: by default the one that ``kernel.manual_seed`` starts.

    >>> kernel.dropout(kernel.ones(6), 0.5, seed=1)
    tensor([0., 0., 2., 2., 0., 0.])
    """
    require_flag("dropout: training", training)
    try:
        noise.require_rate(rate)
    except DtypeError as error:
        raise DtypeError(f"dropout: {error}") from None
    if not isinstance(generator, Generator | None):
        raise DtypeError(f"dropout: generator must be a kernel.Generator, but {show(generator)} came.")
    require_tensor("dropout", x)
    if not training or rate == 0:
        return x
    if hasattr(type(x), "in_graph"):  # whether it is training shows when the graph is run, and a seed is drawn then
        return x._by_mode(apply(noise.dropout, x, x._draw(generator) if seed is None else seed, rate=rate), x)
    if seed is None:
        seed = int((generator or default_generator).host.integers(2**63))
    return apply(noise.dropout, x, seed, rate=rate)


__all__ = ["dropout"]
