"""The two sides of every benchmark do the same arithmetic: else their times could not be compared."""

import numpy as np
import pytest

from benchmarks.workloads import SIDES, TARGETS


@pytest.mark.oracle
@pytest.mark.parametrize("name", TARGETS)
def test_both_sides_reach_the_same_parameters(name):
    ours, theirs = SIDES["kernel"]()[name](), SIDES["torch"]()[name]()
    for _ in range(5):
        mine, other = ours(), theirs()
    start = SIDES["kernel"]()[name]
    for p, q in zip(mine, other, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-4, atol=1e-6)
    before = [p.detach().numpy().copy() for p in start()()]
    assert any(abs(p.detach().numpy() - q).max() > 1e-5 for p, q in zip(mine, before, strict=True))
