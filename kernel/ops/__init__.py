"""The operations, by family. Importing this package registers all of them."""

from . import (
    convolutions,
    elementwise,
    losses,
    noise,
    normalisation,
    ordering,
    pooling,
    products,
    recurrent,
    reduce,
    shape,
    sparse,
)

__all__ = [
    "convolutions",
    "elementwise",
    "losses",
    "noise",
    "normalisation",
    "ordering",
    "pooling",
    "products",
    "recurrent",
    "reduce",
    "shape",
    "sparse",
]
