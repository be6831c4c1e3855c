"""Initialisers: the numbers they draw against their formulas and PyTorch's, their fans, names, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest

import kernel
from kernel import DtypeError, ShapeError
from kernel.initialisers import (
    Initialiser,
    as_initialiser,
    bilinear,
    by_name,
    constant,
    fans,
    from_function,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    normal,
    ones,
    orthogonal,
    truncated_normal,
    uniform,
    xavier_normal,
    xavier_uniform,
    zeros,
)

SHAPE = (400, 250)
FANS = fans(SHAPE)  # fan_in 250, fan_out 400


def drawn(initialiser: Any, shape: tuple = SHAPE, seed: int = 0, **more: Any) -> numpy.ndarray:
    given = {**FANS, "generator": kernel.Generator(seed), **more}
    return initialiser(shape, **given).numpy()


@pytest.mark.parametrize(
    ("initialiser", "bound"),
    [
        (uniform(0.1), 0.1),
        (glorot_uniform(), math.sqrt(6 / 650)),
        (glorot_uniform(gain=2), 2 * math.sqrt(6 / 650)),
        (he_uniform(), math.sqrt(6 / 250)),
        (he_uniform(slope=math.sqrt(5)), 1 / math.sqrt(250)),
    ],
    ids=repr,
)
def test_uniform_ones_fill_their_bounds(initialiser: Initialiser, bound: float):
    """100,000 numbers reach the bounds within a thousandth; the variance of a uniform is bound² / 3."""
    x = drawn(initialiser)
    assert abs(x).max() <= bound * (1 + 1e-6)
    assert x.max() > 0.999 * bound and x.min() < -0.999 * bound
    assert x.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert abs(x.mean()) < 0.01 * bound


@pytest.mark.parametrize(
    ("initialiser", "std"),
    [
        (normal(0.3), 0.3),
        (truncated_normal(0.3), 0.3 * 0.8796256610342398),
        (glorot_normal(), math.sqrt(2 / 650)),
        (glorot_normal(gain=3), 3 * math.sqrt(2 / 650)),
        (he_normal(), math.sqrt(2 / 250)),
        (he_normal(slope=1), math.sqrt(1 / 250)),
    ],
    ids=repr,
)
def test_normal_ones_have_their_deviation(initialiser: Initialiser, std: float):
    x = drawn(initialiser)
    assert x.std() == pytest.approx(std, rel=0.01)
    assert abs(x.mean()) < 0.02 * std


def test_a_truncated_normal_is_cut_and_not_clipped():
    x = drawn(truncated_normal(0.5))
    assert abs(x).max() <= 1.0
    assert (abs(x) > 0.999).mean() < 0.001  # clipping would pile up a twentieth there
    # The shares of a normal between 0, 1 and 2 standard deviations, among what lies within 2.
    assert (abs(x) < 0.5).mean() == pytest.approx(0.6827 / 0.9545, abs=0.01)
    assert drawn(truncated_normal(0.5, mean=3)).mean() == pytest.approx(3, abs=0.01)


def test_uniform_between_two_numbers():
    x = drawn(uniform(2, 3))
    assert x.min() >= 2 and x.max() <= 3 and x.mean() == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("shape", [(30, 70), (70, 30), (50, 50), (10, 3, 2, 4)])
def test_orthogonal(shape: tuple):
    w = drawn(orthogonal(gain=2), shape, dtype="float64").reshape(shape[0], -1)
    rows, columns = w.shape
    product = w @ w.T if rows <= columns else w.T @ w
    numpy.testing.assert_allclose(product, 4 * numpy.eye(min(rows, columns)), atol=1e-12)


def test_orthogonal_prefers_no_direction():
    """Without the signs of the decomposition's diagonal the first column would mostly point one way."""
    corner = [drawn(orthogonal(), (3, 3), seed=seed)[0, 0] for seed in range(400)]
    assert abs(numpy.mean(corner)) < 0.1


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("shape", "layout"), [((500, 800), "linear"), ((50, 20, 5, 5), "convolution"), ((8, 4, 3), "convolution")]
)
def test_fans_are_torchs(shape: tuple, layout: str):
    import torch

    theirs = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert tuple(fans(shape, layout).values()) == theirs


@pytest.mark.parametrize(
    ("shape", "layout", "fan_in", "fan_out"),
    [
        ((3, 4), "linear", 4, 3),
        ((3, 4), "dense", 3, 4),
        ((2, 3, 4), "dense", 6, 4),
        ((6, 2, 5, 3), "convolution", 30, 90),
        ((6, 2, 5, 3), "transposed convolution", 90, 30),
        ((1000, 16), "embedding", 1000, 16),
    ],
)
def test_fans_by_layout(shape: tuple, layout: str, fan_in: int, fan_out: int):
    assert fans(shape, layout) == {"fan_in": fan_in, "fan_out": fan_out}


def test_fans_keep_the_size_of_what_passes():
    """What the rules are for: through a linear layer with glorot or he weights the second moment stays as it is."""
    rng = numpy.random.default_rng(1)
    x = rng.standard_normal((500, 300)).astype("float32")
    w = drawn(glorot_uniform(), (300, 300), **fans((300, 300)))
    assert (x @ w.T).var() == pytest.approx(1, rel=0.05)
    w = drawn(he_normal(), (200, 300), **fans((200, 300)))
    assert (numpy.maximum(x @ w.T, 0) ** 2).mean() == pytest.approx(1, rel=0.05)


@pytest.mark.oracle
@pytest.mark.parametrize("factor", (2, 3))
def test_bilinear_interpolates(factor: int):
    """A ramp that is upsampled is a ramp again, away from the border; channels are not mixed."""
    import torch

    k = 2 * factor - factor % 2
    ramp = torch.arange(6.0).repeat(6, 1)
    image = torch.stack([ramp, ramp.T])[None]
    for shape, groups in (((2, 2, k, k), 1), ((2, 1, k, k), 2)):
        weight = torch.tensor(drawn(bilinear(), shape))
        big = torch.nn.functional.conv_transpose2d(image, weight, stride=factor, groups=groups).numpy()[0]
        inner = big[:, k:-k, k:-k]
        numpy.testing.assert_allclose(numpy.diff(inner[0], axis=1), 1 / factor, atol=1e-5)
        numpy.testing.assert_allclose(numpy.diff(inner[0], axis=0), 0, atol=1e-5)
        numpy.testing.assert_allclose(inner[1], inner[0].T, atol=1e-5)


@pytest.mark.parametrize(
    "initialiser",
    [
        uniform(),
        normal(),
        truncated_normal(),
        glorot_uniform(),
        glorot_normal(),
        he_uniform(),
        he_normal(),
        orthogonal(),
    ],
    ids=repr,
)
def test_a_seed_repeats_the_numbers(initialiser: Initialiser):
    first, second, other = (drawn(initialiser, seed=seed) for seed in (0, 0, 1))
    numpy.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert first.dtype == "float32"
    exact = drawn(initialiser, dtype="float64")
    assert exact.dtype == "float64"
    numpy.testing.assert_array_equal(exact.astype("float32"), first)
    assert drawn(initialiser, dtype="float16").dtype == "float16"


def test_without_a_generator_the_kernels_own_is_used():
    kernel.manual_seed(7)
    first = normal()((5,)).numpy()
    kernel.manual_seed(7)
    numpy.testing.assert_array_equal(normal()((5,)).numpy(), first)
    numpy.testing.assert_array_equal(drawn(normal(), (5,), seed=7), first)


def test_constants():
    assert drawn(zeros(), (2,)).tolist() == [0, 0]
    assert drawn(ones(), (2,)).tolist() == [1, 1]
    assert drawn(constant(2), (2,)).tolist() == [2, 2]
    given = numpy.array([1.0, 2.0])
    kept = constant(given)
    given[0] = 99
    first = kept((2,))
    first.fill_(5)
    assert drawn(kept, (2,)).tolist() == [1, 2]


def test_what_they_are_is_what_they_print():
    assert repr(glorot_uniform()) == "glorot_uniform(gain=1)"
    assert repr(uniform(0.1)) == "uniform(low=-0.1, high=0.1)"
    assert repr(normal(0.5)) == "normal(std=0.5, mean=0.0)"
    assert repr(zeros()) == "zeros()"
    assert repr(constant(numpy.ones((2, 3)))) == "constant(an array of shape (2, 3))"
    assert repr(by_name({"*weight": uniform(1), "*": 0})) == (
        "by_name({'*weight': uniform(low=-1, high=1), '*': constant(0)})"
    )


def test_equal_settings_are_equal_initialisers():
    assert uniform(1) == uniform(-1, 1) != uniform(2)
    assert glorot_uniform() != he_uniform() and hash(zeros()) == hash(zeros())
    assert constant([1.0, 2.0]) == constant(numpy.array([1.0, 2.0], "float32")) != constant([1.0, 3.0])
    assert by_name({"*": 0}) == by_name({"*": constant(0)}) != by_name({"*": 1})
    assert (zeros() == 0) is False


def test_pytorchs_names():
    assert (xavier_uniform, xavier_normal) == (glorot_uniform, glorot_normal)
    assert (kaiming_uniform, kaiming_normal) == (he_uniform, he_normal)


def test_what_may_stand_for_an_initialiser():
    assert as_initialiser(0) == constant(0)
    assert as_initialiser(he_normal) == he_normal()
    assert as_initialiser(uniform(2)) == uniform(2)
    assert drawn(as_initialiser([1.0, 2.0]), (2,)).tolist() == [1, 2]
    assert drawn(as_initialiser(kernel.tensor([1.0, 2.0])), (2,)).tolist() == [1, 2]
    assert drawn(as_initialiser(lambda shape: numpy.full(shape, 3.0)), (2,)).tolist() == [3, 3]


def test_by_name_the_first_pattern_wins():
    """Row MX05: uniform weights, no bias."""
    begin = as_initialiser({"*weight": uniform(-0.1, 0.1), "fc1*": 7, "*bias": 0})
    weight = drawn(begin, (20, 30), name="fc1_weight")
    assert 0.09 < abs(weight).max() <= 0.1
    assert drawn(begin, (3,), name="fc1_bias").tolist() == [7, 7, 7]
    assert drawn(begin, (3,), name="fc2_bias").tolist() == [0, 0, 0]
    with pytest.raises(DtypeError, match=r"by_name: no pattern of .* matches the name 'bn_gamma'; add one"):
        begin((3,), name="bn_gamma")
    with pytest.raises(DtypeError, match="by_name: the parameter's name is needed"):
        begin((3,))
    assert drawn(as_initialiser({"*weight": he_normal}), (4, 5), name="weight").shape == (4, 5)


def test_empty_parameters():
    for initialiser in (uniform(), truncated_normal(), glorot_uniform(), he_uniform(), orthogonal()):
        assert drawn(initialiser, (0, 3), **fans((0, 3))).shape == (0, 3)
        assert drawn(initialiser, (3, 0), **fans((3, 0))).shape == (3, 0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: glorot_uniform()((3, 4)), ShapeError, "glorot_uniform: fan_in is needed"),
        (lambda: he_normal()((3,), fan_out=3), ShapeError, "he_normal: fan_in is needed"),
        (lambda: glorot_normal()((3, 4), fan_in=4.5, fan_out=3), DtypeError, "fan_in must be a whole number"),
        (lambda: normal(-1), DtypeError, "normal: std must not be negative, but -1"),
        (lambda: truncated_normal(-1), DtypeError, "truncated_normal: std must not be negative"),
        (lambda: normal("wide"), DtypeError, "normal: std must be a number, but 'wide' came"),
        (lambda: uniform(3, 2), DtypeError, "uniform: low must not be above high"),
        (lambda: uniform(-0.1), DtypeError, "uniform: low must not be above high"),
        (lambda: uniform("a"), DtypeError, "uniform: low must be a number"),
        (lambda: glorot_uniform(float("nan")), DtypeError, "gain must be finite"),
        (lambda: orthogonal()((3,)), ShapeError, r"orthogonal: a matrix or more was expected, but shape \(3,\)"),
        (lambda: bilinear()((3, 2, 4, 4)), ShapeError, r"bilinear: shape \(C, C, kh, kw\)"),
        (lambda: constant([1.0, 2.0])((3,)), ShapeError, r"should have shape \(3,\), but has \(2,\)"),
        (lambda: constant("text"), DtypeError, "text"),
        (lambda: from_function(3), DtypeError, "from_function: a function of the shape was expected, but 3"),
        (lambda: from_function(len)((3,)), ShapeError, r"shape \(3,\) was asked"),
        (lambda: normal()((3,), dtype="int64"), DtypeError, "float"),
        (lambda: normal()((3, -1)), ShapeError, "negative"),
        (lambda: normal()("ab"), DtypeError, "whole numbers"),
        (lambda: normal()((3,), generator=5), DtypeError, "generator must be a kernel.Generator"),
        (lambda: fans((3,)), ShapeError, r"a linear weight has shape \(out, in\), but shape \(3,\)"),
        (lambda: fans((3, 4, 5)), ShapeError, r"\(out, in\)"),
        (lambda: fans((3, 4), "conv"), DtypeError, "layout must be one of 'linear'"),
        (lambda: by_name({3: 4}), DtypeError, "by_name: a dict from patterns"),
        (lambda: as_initialiser(None), DtypeError, "None"),
    ],
)
def test_refusals(call: Any, error: type, words: str):
    with pytest.raises(error, match=words) as caught:
        call()
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
