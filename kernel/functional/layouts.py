"""Where the channels stand: behind the batch, as in PyTorch, or last, as in TensorFlow."""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError, show
from ..op import spell
from .axes import ndim_of
from .shape import permute

LAYOUTS = ("NCHW", "NHWC")


def require_layout(name: str, layout: Any) -> None:
    """Raise unless ``layout`` is "NCHW" or "NHWC"."""
    if not isinstance(layout, str) or layout not in LAYOUTS:
        raise DtypeError(f'{name}: layout must be "NCHW" or "NHWC", but {show(layout)} came.')


def channels_first(name: str, x: Any, layout: str, ndim: int | None = None) -> Any:
    """x with the channels on axis 1, without copying; ``ndim`` is how many axes it must have, if that is known."""
    require_layout(name, layout)
    if layout == "NCHW":
        return x
    found = ndim_of(name, x)
    if found < 2 or ndim not in (None, found):
        wanted = "(N, H, W, C), a batch of images" if ndim == 4 else "(N, …, C)"
        raise ShapeError(f"{name}: argument x should have shape {wanted}, but it has shape {spell(x.shape)}.")
    return permute(x, 0, found - 1, *range(1, found - 1))


def in_layout(y: Any, layout: str) -> Any:
    """What was computed channels first, in the layout that was asked for."""
    return y if layout == "NCHW" else permute(y, 0, *range(2, y.ndim), 1)
