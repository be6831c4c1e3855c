"""The operations, by family. Importing this package registers all of them."""

from . import convolutions, elementwise, losses, ordering, pooling, products, reduce, shape

__all__ = ["convolutions", "elementwise", "losses", "ordering", "pooling", "products", "reduce", "shape"]
