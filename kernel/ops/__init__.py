"""The operations, by family. Importing this package registers all of them."""

from . import elementwise, losses, ordering, products, reduce, shape

__all__ = ["elementwise", "losses", "ordering", "products", "reduce", "shape"]
