"""The table that the tests of the operations run over: one row for every op of the registry.

A row says what an operation is, in words of its own: a NumPy reference written independently of the kernel, the torch
twin, sample inputs inside the domain and away from kinks, samples on the kinks (compared with torch alone), and inputs
that must be refused with the words that the refusal must hold. ``test_table.py`` derives every test from these facts.
"""

from tests.kernel.table import (
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
from tests.kernel.table.entry import TABLE, Refusal, Row, Sample, arrays_of

__all__ = ["TABLE", "Refusal", "Row", "Sample", "arrays_of"]
