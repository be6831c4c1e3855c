"""The two sides of every benchmark do the same arithmetic: else their times could not be compared."""

import numpy as np
import pytest

from benchmarks import kernel_side
from benchmarks.workloads import TARGETS, as_torch_has_it

GATES = {"h rnn": 1, "h lstm": 4}
WITHOUT_CHANCE = {"g": {"rate": 0.0}}  # two libraries never drop the same


@pytest.mark.oracle
@pytest.mark.parametrize("tuned", (False, True), ids=("default", "tuned"))
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "f 1024"])  # f 64 is the same text
def test_both_sides_reach_the_same_parameters(name, tuned):
    from benchmarks import torch_side

    chance = WITHOUT_CHANCE.get(name, {})
    ours, theirs = kernel_side.workloads("cpu")[name](**chance), torch_side.workloads("cpu", tuned)[name](**chance)
    begin = [p.detach().numpy().copy() for p in kernel_side.workloads("cpu")[name](**chance)()]
    for _ in range(5):
        mine, other = ours(), theirs()
    mine, other = ([p.detach().numpy() for p in params] for params in (mine, other))
    moved = [abs(p - q).max() > 1e-5 for p, q in zip(mine, begin, strict=True)]
    assert any(moved)
    if name in GATES:
        mine = [*(as_torch_has_it(array, GATES[name]) for array in mine[:-2]), *mine[-2:]]
    for p, q in zip(mine, other, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-4, atol=1e-6)


@pytest.mark.oracle
def test_both_sides_drop_at_the_rate_that_they_say():
    """With dropout the parameters differ from those without it, on both sides."""
    from benchmarks import torch_side

    for side in (kernel_side, torch_side):
        with_it, without = side.workloads("cpu")["g"](), side.workloads("cpu")["g"](rate=0.0)
        pairs = zip(with_it(), without(), strict=True)
        assert any(abs(p.detach().numpy() - q.detach().numpy()).max() > 1e-6 for p, q in pairs)
