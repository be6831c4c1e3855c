"""The operations, by family. Importing this package registers all of them."""

from . import elementwise, linear, loss, reduce, shape

__all__ = ["elementwise", "linear", "loss", "reduce", "shape"]
