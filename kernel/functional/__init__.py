"""The public functions: each operation under the names that NumPy and PyTorch give it, and what is composed of several.

Where the two libraries give one name two meanings, one rule decides: **the keyword ``axis`` speaks NumPy; a bare
position or the keyword ``dim`` speaks PyTorch.** ``max(x, axis=1)`` is the values, ``max(x, 1)`` the pair (values,
indices); ``split(x, 3, axis=0)`` makes three parts, ``split(x, 3)`` parts of three. Beyond that, ``axis`` and ``dim``,
``keepdims`` and ``keepdim`` may be used for one another.

The files are those of ``ops``. As a whole the module also stands in for ``xp`` when gradient rules are recorded.
"""

from ..apply import apply
from . import convolutions, elementwise, losses, noise, normalisation, ordering, products, recurrent, reduce, shape
from .convolutions import *
from .elementwise import *
from .losses import *
from .noise import *
from .normalisation import *
from .ordering import *
from .products import *
from .recurrent import *
from .reduce import *
from .rules import *
from .shape import *

__all__ = [
    name
    for module in (
        convolutions,
        elementwise,
        losses,
        noise,
        normalisation,
        ordering,
        products,
        recurrent,
        reduce,
        shape,
    )
    for name in module.__all__
]
