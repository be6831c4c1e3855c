"""Dropout: how often, how reproducibly, and at what price for the cache of calls."""

from __future__ import annotations

import math

import numpy
import pytest

import kernel
from kernel.signature import signatures


def dropped(rate: float, seed: int, *shape: int) -> numpy.ndarray:
    return kernel.dropout(kernel.ones(*shape), rate, seed=seed).numpy() == 0


@pytest.mark.parametrize("rate", (0.5, 0.3, 0.1, 0.9, 1 / 3, 0.001, 0.9999))
def test_the_rate_is_the_share_of_what_is_dropped(rate: float):
    """Within five standard deviations, over several seeds, and in each row and column alike."""
    n = 400_000
    for seed in range(3):
        share = dropped(rate, seed, n).mean()
        assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / n)
    table = dropped(rate, 9, 600, 600)
    bound = 5.5 * math.sqrt(rate * (1 - rate) / 600) + 1 / 600
    assert abs(table.mean(axis=0) - rate).max() < bound and abs(table.mean(axis=1) - rate).max() < bound


def test_neighbours_are_dropped_independently():
    drop = dropped(0.3, 4, 200_000)
    both = (drop[1:] & drop[:-1]).mean()
    assert abs(both - 0.09) < 5 * math.sqrt(0.09 * 0.91 / 200_000)


def test_the_expected_value_stays():
    y = kernel.dropout(kernel.ones(200_000), 0.25, seed=0)
    assert set(numpy.unique(y.numpy())) == {numpy.float32(0), numpy.float32(1 / 0.75)}
    assert abs(float(y.mean()) - 1) < 0.01


def test_a_seed_decides_alone():
    """Not the device, not the dtype, not the order in memory."""
    plain = dropped(0.4, 8, 5, 6)
    assert (plain == dropped(0.4, 8, 5, 6)).all()
    assert (plain != dropped(0.4, 9, 5, 6)).any()
    for device, dtype in (("strict", "float32"), ("cpu", "float64"), ("cpu", "float16")):
        y = kernel.dropout(kernel.ones(5, 6, device=device, dtype=dtype), 0.4, seed=8)
        assert ((y.cpu().numpy() == 0) == plain).all()
    turned = kernel.from_numpy(numpy.ones((6, 5), "float32")).T
    assert ((kernel.dropout(turned, 0.4, seed=8).numpy() == 0) == plain).all()


def test_the_generator_gives_the_seeds():
    x = kernel.ones(50)
    kernel.manual_seed(3)
    first = [kernel.dropout(x).tolist() for _ in range(3)]
    kernel.manual_seed(3)
    assert [kernel.dropout(x).tolist() for _ in range(3)] == first
    assert first[0] != first[1]
    own = [kernel.dropout(x, generator=kernel.Generator(3)).tolist() for _ in range(2)]
    assert own == [first[0], first[0]]


def test_without_training_it_is_x_itself():
    x = kernel.ones(3)
    assert kernel.dropout(x, 0.5, training=False) is x
    assert kernel.dropout(x, 0) is x
    assert kernel.dropout(x, 1).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(kernel.DtypeError, match=r"^dropout: rate must be a probability"):
        kernel.dropout(x, 1.5, training=False)


def test_a_new_seed_is_no_new_kind_of_call():
    x = kernel.ones(3, requires_grad=True)
    kernel.dropout(x).sum().backward()
    before = len(signatures)
    for _ in range(20):
        kernel.dropout(x).sum().backward()
    assert len(signatures) == before
