"""Losses where the table does not reach: certain mistakes, CNTK's names, what losses mean together."""

from __future__ import annotations

import math

import numpy
import pytest

import kernel


def numbers(*shape: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).standard_normal(shape)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_a_certain_mistake_costs_a_hundred_as_in_torch(dtype: str) -> None:
    import torch

    given, targets = numpy.array([0.0, 1.0, 0.0, 1.0, 1e-30], dtype), numpy.array([1.0, 0.0, 0.5, 0.5, 1.0], dtype)
    p, theirs = kernel.tensor(given, requires_grad=True), torch.tensor(given, requires_grad=True)
    ours = kernel.binary_cross_entropy(p, kernel.tensor(targets), "none")
    other = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(targets), reduction="none")
    numpy.testing.assert_allclose(ours.detach().numpy(), other.detach().numpy(), rtol=1e-6)
    assert ours.tolist()[:2] == [100.0, 100.0]
    ours.sum().backward()
    other.sum().backward()
    numpy.testing.assert_allclose(p.grad.numpy(), theirs.grad.numpy(), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_no_probability_is_no_loss() -> None:
    for p in (1.5, -0.5):
        loss = kernel.binary_cross_entropy(kernel.tensor([p]), kernel.tensor([1.0])).item()
        assert math.isnan(loss)


def test_the_similarity_of_short_vectors_has_the_slope_of_its_value() -> None:
    """Where eps stands for the length, the length has no slope (PyTorch gives it one)."""
    a, b = kernel.tensor(numbers(3)), kernel.tensor(numbers(3, seed=1))
    kernel.gradcheck(lambda a, b: kernel.cosine_similarity(a, b, eps=100.0), a, b)


def test_cross_entropy_is_nll_of_log_softmax() -> None:
    logits, labels = kernel.tensor(numbers(6, 4)), kernel.tensor([0, 3, 1, 1, 2, 0])
    for reduction in ("mean", "sum", "none"):
        numpy.testing.assert_allclose(
            kernel.nll_loss(kernel.log_softmax(logits, axis=1), labels, reduction).numpy(),
            kernel.cross_entropy(logits, labels, reduction).numpy(),
            rtol=1e-12,
        )


def test_soft_labels_have_the_divergence_and_their_own_entropy() -> None:
    logits = kernel.tensor(numbers(6, 4))
    target = kernel.softmax(kernel.tensor(numbers(6, 4, seed=1)), axis=1)
    entropy = -(target * target.log()).sum(1).mean()
    divergence = kernel.kl_div(kernel.log_softmax(logits, axis=1), target, "batchmean")
    assert float(kernel.cross_entropy(logits, target)) == pytest.approx(float(divergence + entropy), rel=1e-12)


def test_cntk_s_cross_entropy_is_logsumexp_less_the_target_s_scores() -> None:
    """Its slope is softmax - target, whatever the rows of the target sum to."""
    output, target = numbers(5, 3), abs(numbers(5, 3, seed=1))
    o = kernel.tensor(output, requires_grad=True)
    losses = kernel.cross_entropy_with_softmax(o, kernel.tensor(target))
    expected = numpy.log(numpy.exp(output).sum(axis=1)) - (target * output).sum(axis=1)
    numpy.testing.assert_allclose(losses.detach().numpy(), expected, rtol=1e-12)
    losses.sum().backward()
    softmax = numpy.exp(output) / numpy.exp(output).sum(axis=1, keepdims=True)
    numpy.testing.assert_allclose(o.grad.numpy(), softmax - target, rtol=1e-10, atol=1e-12)


def test_cntk_s_squared_error_is_a_sum_within_the_sample() -> None:
    a, b = numbers(4, 2, 3), numbers(4, 2, 3, seed=1)
    found = kernel.squared_error(kernel.tensor(a), kernel.tensor(b))
    numpy.testing.assert_allclose(found.numpy(), ((a - b) ** 2).sum(axis=(1, 2)), rtol=1e-12)
    assert kernel.squared_error(kernel.ones(3), kernel.zeros(3)).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(kernel.ShapeError, match=r"^squared_error: .*\(B, …\)"):
        kernel.squared_error(kernel.tensor(1.0), kernel.tensor(2.0))


def test_a_diverged_network_is_wrong() -> None:
    scores = kernel.tensor([[float("nan")] * 3, [0.0, float("nan"), 5.0], [0.0, 1.0, 5.0]])
    assert kernel.classification_error(scores, kernel.tensor([2, 2, 2])).tolist() == [1, 1, 0]


def test_classification_error_takes_the_label_in_any_form() -> None:
    scores = kernel.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.3, 0.3, 0.4]])
    labels = kernel.tensor([1, 2, 2])
    for target in (labels, kernel.one_hot(labels, 3), labels.int()):
        assert kernel.classification_error(scores, target).tolist() == [0, 1, 0]
        assert kernel.classification_error(scores, target, top_n=2).item() == 0
    with pytest.raises(kernel.ShapeError, match=r"^classification_error: the labels .*\(3, 4\)"):
        kernel.classification_error(scores, kernel.ones(3, 4))


def test_halves_beyond_256_have_a_squared_error() -> None:
    far = kernel.full((8,), 200.0, "float16")
    assert kernel.mse_loss(far, -far / 100).item() == pytest.approx(202.0**2, rel=1e-3)


def test_halves_of_more_classes_than_a_half_counts() -> None:
    logits = kernel.zeros(2, 70000, dtype="float16", requires_grad=True)
    loss = kernel.cross_entropy(logits, kernel.tensor([0, 69999]))
    assert loss.dtype == "float16" and loss.item() == pytest.approx(math.log(70000), rel=1e-3)
    assert kernel.grad(loss, logits)[0, :2].tolist() == pytest.approx([-0.5, 0.5 / 70000], rel=1e-2, abs=6e-8)


def test_labels_on_another_device_are_refused() -> None:
    with pytest.raises(kernel.DeviceError, match=r"^mse_loss: .*strict"):
        kernel.mse_loss(kernel.ones(2), kernel.ones(2, device="strict"))
