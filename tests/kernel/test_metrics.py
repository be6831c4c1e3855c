"""Metrics against scikit-learn's, on ties and degenerate cases too."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import DtypeError, ShapeError


@st.composite
def rankings(draw: st.DrawFn) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Scores with many ties, and labels of which both kinds occur."""
    size = draw(st.integers(2, 30))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size).filter(lambda found: len(set(found)) == 2))
    scores = draw(st.lists(st.sampled_from((-2.0, -0.5, 0.0, 0.25, 0.5, 3.0)), min_size=size, max_size=size))
    return numpy.array(scores), numpy.array(labels)


@st.composite
def answers(draw: st.DrawFn, classes: int = 2) -> tuple[numpy.ndarray, numpy.ndarray]:
    size = draw(st.integers(1, 30))
    numbers = st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)
    return numpy.array(draw(numbers)), numpy.array(draw(numbers))


def assert_curves(ours: tuple, theirs: tuple) -> None:
    for found, expected in zip(ours, theirs, strict=True):
        assert found.dtype == "float64"
        numpy.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-12, atol=1e-15)


@settings(deadline=None, max_examples=100)
@given(rankings(), st.sampled_from(("cpu", "strict")))
def test_curves_and_areas_are_scikit_learns(ranking: tuple, device: str) -> None:
    scores, labels = ranking
    s, t = kernel.tensor(scores, device=device), kernel.tensor(labels, device=device)
    theirs = sklearn.metrics.precision_recall_curve(labels, scores)
    assert_curves(kernel.precision_recall_curve(s, t), theirs)
    assert kernel.pr_auc(s, t) == pytest.approx(sklearn.metrics.auc(theirs[1], theirs[0]), rel=1e-12)
    assert_curves(kernel.roc_curve(s, t), sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False))
    assert kernel.roc_auc(s, t) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(rankings())
def test_the_area_under_roc_is_a_chance(ranking: tuple) -> None:
    scores, labels = ranking
    ones, zeros = scores[labels == 1, None], scores[labels == 0]
    chance = ((ones > zeros) + 0.5 * (ones == zeros)).mean()
    s, t = kernel.tensor(scores), kernel.tensor(labels)
    assert kernel.roc_auc(s, t) == pytest.approx(chance, rel=1e-12)
    assert kernel.roc_auc(-s, t) == pytest.approx(1 - chance, rel=1e-12)
    assert kernel.pr_auc(kernel.exp(s), t) == kernel.pr_auc(s, t)  # only the order counts


def test_the_trapezoid_is_not_average_precision() -> None:
    """The docstring says how they differ; on many distinct scores they nearly do not."""
    scores, labels = kernel.tensor([0.1, 0.4, 0.35, 0.8]), kernel.tensor([0, 0, 1, 1])
    average = sklearn.metrics.average_precision_score(labels.numpy(), scores.numpy())
    assert kernel.pr_auc(scores, labels) == pytest.approx(0.7916666667) and average == pytest.approx(0.8333333333)
    rng = numpy.random.default_rng(0)
    many = rng.integers(0, 2, 5000)
    noisy = many + rng.standard_normal(5000)
    average = sklearn.metrics.average_precision_score(many, noisy)
    assert kernel.pr_auc(kernel.tensor(noisy), kernel.tensor(many)) == pytest.approx(average, abs=1e-3)


def test_perfect_and_worthless_rankings() -> None:
    labels = kernel.tensor([0, 1, 0, 1])
    perfect, constant = kernel.tensor([0.0, 1.0, 0.0, 1.0]), kernel.zeros(4)
    assert kernel.roc_auc(perfect, labels) == kernel.pr_auc(perfect, labels) == 1.0
    assert kernel.roc_auc(constant, labels) == 0.5
    assert kernel.roc_auc(-perfect, labels) == 0.0
    assert kernel.pr_auc(perfect, kernel.tensor([1, 1, 1, 1])) == 1.0


@settings(deadline=None, max_examples=100)
@given(answers(), st.sampled_from(("cpu", "strict")))
def test_of_two_classes(pair: tuple, device: str) -> None:
    predictions, labels = pair
    p, t = kernel.tensor(predictions, device=device), kernel.tensor(labels, device=device)
    for ours, theirs in (
        (kernel.precision, sklearn.metrics.precision_score),
        (kernel.recall, sklearn.metrics.recall_score),
        (kernel.f1_score, sklearn.metrics.f1_score),
    ):
        expected = theirs(labels, predictions, zero_division=0)
        assert ours(p, t) == pytest.approx(expected, rel=1e-12)
        assert ours(p.bool(), t.float()) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=100)
@given(answers(classes=4), st.sampled_from(("cpu", "strict")))
def test_of_several_classes(pair: tuple, device: str) -> None:
    predictions, labels = pair
    p, t = kernel.tensor(predictions, device=device), kernel.tensor(labels, device=device)
    assert kernel.accuracy(p, t) == pytest.approx(sklearn.metrics.accuracy_score(labels, predictions), rel=1e-12)
    assert kernel.accuracy(kernel.one_hot(p, 4), t) == kernel.accuracy(p, kernel.one_hot(t, 4)) == kernel.accuracy(p, t)
    theirs = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(4))
    assert kernel.confusion_matrix(p, t, 4).tolist() == theirs.tolist()
    assert kernel.confusion_matrix(kernel.one_hot(p, 4), t).tolist() == theirs.tolist()
    for ours, theirs in (
        (kernel.precision, sklearn.metrics.precision_score),
        (kernel.recall, sklearn.metrics.recall_score),
        (kernel.f1_score, sklearn.metrics.f1_score),
    ):
        expected = theirs(labels, predictions, average="macro", zero_division=0)
        assert ours(p, t, average="macro") == pytest.approx(expected, rel=1e-12)


def test_nothing_predicted_and_nothing_there() -> None:
    no, yes = kernel.tensor([0, 0]), kernel.tensor([1, 1])
    assert kernel.precision(no, yes) == kernel.recall(yes, no) == kernel.f1_score(no, no) == 0.0
    assert type(kernel.precision(no, yes)) is float


def test_accuracy_and_the_error_add_up() -> None:
    output, labels = kernel.randn(50, 5), kernel.randint(0, 5, (50,))
    assert kernel.accuracy(output, labels) == pytest.approx(
        1 - kernel.classification_error(output, labels).mean().item()
    )
    sparse = kernel.SparseTensor.one_hot(labels, 5)
    assert kernel.accuracy(output, sparse) == kernel.accuracy(output, labels)


def test_scores_that_require_a_gradient_are_taken() -> None:
    scores, labels = kernel.tensor([0.1, 0.9, 0.4], requires_grad=True), kernel.tensor([0, 1, 1])
    assert kernel.roc_auc(scores, labels) == 1.0
    assert not any(curve.requires_grad for curve in kernel.roc_curve(scores, labels))


def t(*values: Any) -> Any:
    return kernel.tensor(list(values))


@pytest.mark.parametrize("name", ("precision", "recall", "f1_score", "precision_recall_curve", "roc_curve", "pr_auc"))
def test_what_is_not_binary_is_refused_in_words(name: str) -> None:
    """pr_auc speaks with the name of the curve under which it is the area."""
    speaks = "precision_recall_curve" if name == "pr_auc" else name
    metric = getattr(kernel, name)
    for predictions, labels, error, words in (
        (t(0, 1), t(0, 2), ShapeError, ("labels", "0 or 1", "2")),
        (t(0, 1), t(-1, 1), ShapeError, ("labels", "0 or 1", "-1")),
        (t(0, 1), t(0.0, 0.5, 1.0)[:2], ShapeError, ("labels", "0 or 1", "0.5")),
        (t(0, 1, 1), t(0.0, 0.5, 1.0), ShapeError, ("labels", "fractions")),
        (t(0, 1), t(0, 1, 1), ShapeError, ("labels", "(2,)", "(3,)")),
        (kernel.ones(2, 1), t(0, 1), ShapeError, ("(N,)", "(2, 1)")),
        (t(0, 1), kernel.ones(2, 1), ShapeError, ("labels", "(N,)", "(2, 1)")),
        (kernel.ones(0), kernel.ones(0), ShapeError, ("no sample",)),
        ([0, 1], t(0, 1), DtypeError, ("kernel.tensor",)),
        (t(0, 1), [0, 1], DtypeError, ("kernel.tensor",)),
    ):
        with pytest.raises(error) as caught:
            metric(predictions, labels)
        message = str(caught.value)
        assert message.startswith(f"{speaks}: ") and message.endswith(".") and "\n" not in message
        for word in words:
            assert word in message, message


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda: kernel.precision(t(0, 3), t(0, 1)), ShapeError, ("precision: predictions", "3")),
        (lambda: kernel.precision(t(0, 1), t(0, 1), "weighted"), DtypeError, ("precision: average", '"macro"')),
        (lambda: kernel.recall(t(0, 1), t(0, -2), "macro"), ShapeError, ("recall: a label is -2",)),
        (lambda: kernel.roc_auc(t(0.1, 0.2), t(1, 1)), ShapeError, ("roc_curve", "no label is 0")),
        (lambda: kernel.roc_auc(t(0.1, 0.2), t(0, 0)), ShapeError, ("roc_curve", "no label is 1")),
        (lambda: kernel.pr_auc(t(0.1, 0.2), t(0, 0)), ShapeError, ("precision_recall_curve", "no label is 1")),
        (lambda: kernel.pr_auc(t(0.1, float("nan")), t(0, 1)), ShapeError, ("nan", "diverged")),
        (lambda: kernel.accuracy(t(0.1, 0.7), t(0, 1)), DtypeError, ("accuracy: output", "scores > 0.5")),
        (lambda: kernel.accuracy(kernel.ones(2, 3), t(0, 1, 2)), ShapeError, ("accuracy: argument labels", "(2,)")),
        (lambda: kernel.accuracy(kernel.ones(2, 3), kernel.ones(2, 2)), ShapeError, ("labels", "(2, 3)", "(2, 2)")),
        (lambda: kernel.accuracy(kernel.ones(0, 3), kernel.zeros(0).long()), ShapeError, ("accuracy", "no sample")),
        (lambda: kernel.confusion_matrix(t(0, 5), t(0, 1), 3), ShapeError, ("answer is 5", "0 to 2")),
        (lambda: kernel.confusion_matrix(t(0, 1), t(0, 3), 3), ShapeError, ("label is 3", "0 to 2")),
        (lambda: kernel.confusion_matrix(t(0, 1), t(0, 1), 1.5), DtypeError, ("classes", "1.5")),
    ],
)
def test_a_wrong_use_is_refused_in_words(use: Any, error: type[Exception], words: tuple) -> None:
    with pytest.raises(error) as caught:
        use()
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message, message
