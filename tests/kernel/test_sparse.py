"""Sparse tensors: what goes in and comes out, products and labels that are never made dense, rows for minibatches."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel
from kernel import DeviceError, DtypeError, ShapeError, SparseTensor, sparse_csr, xp


def random_matrix(rows: int = 6, columns: int = 8, seed: int = 0, dtype: str = "float64") -> scipy.sparse.csr_matrix:
    return scipy.sparse.random(rows, columns, 0.3, "csr", dtype, random_state=seed)


def dense(x: SparseTensor) -> numpy.ndarray:
    return x.to_dense().detach().cpu().numpy()


@pytest.fixture(params=("with scipy", "without scipy"))
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways of multiplying on the CPU."""
    if request.param == "without scipy":
        monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    xp._scipy_csr.cache_clear()
    yield request.param
    xp._scipy_csr.cache_clear()


def test_what_comes_in_comes_out() -> None:
    matrix = random_matrix()
    x = sparse_csr(matrix)
    assert x.shape == (6, 8) and x.ndim == 2 and len(x) == 6 and x.dtype == "float64" and x.device == "cpu"
    numpy.testing.assert_array_equal(dense(x), matrix.toarray())
    assert repr(x) == f"SparseTensor(shape=(6, 8), stored={matrix.nnz}, dtype=float64)"
    assert sparse_csr(matrix, dtype="float32").dtype == "float32" == x.to("float32").dtype
    there = x.to("strict")
    assert there.device == "strict" and "device='strict'" in repr(there)
    numpy.testing.assert_array_equal(dense(there.to("cpu")), matrix.toarray())
    numpy.testing.assert_array_equal(dense(sparse_csr(matrix, device="strict")), matrix.toarray())


@pytest.mark.parametrize("form", ("coo", "csc", "lil", "dok", "bsr", "dia"))
def test_every_format_of_scipy_is_taken(form: str) -> None:
    matrix = random_matrix()
    numpy.testing.assert_array_equal(dense(sparse_csr(matrix.asformat(form))), matrix.toarray())
    numpy.testing.assert_array_equal(dense(sparse_csr(scipy.sparse.coo_array(matrix))), matrix.toarray())


def test_it_is_a_copy() -> None:
    matrix = random_matrix()
    x, before = sparse_csr(matrix), matrix.toarray()
    matrix.data[:] = 9
    numpy.testing.assert_array_equal(dense(x), before)


def test_places_named_twice_count_together() -> None:
    x = sparse_csr(([1.0, 2.0, 4.0], [1, 1, 0], [0, 2, 3]), (2, 2))
    assert x.to_dense().tolist() == [[0.0, 3.0], [4.0, 0.0]]
    assert (x @ kernel.tensor([[1.0], [10.0]])).tolist() == [[30.0], [4.0]]


def test_products(library: str) -> None:
    x, matrix = sparse_csr(random_matrix()), random_matrix().toarray()
    weight, vector, bias = (numpy.random.default_rng(1).standard_normal(shape) for shape in ((8, 3), 8, 3))
    w, v, b = map(kernel.tensor, (weight, vector, bias))
    for found, expected in (
        (x @ w, matrix @ weight),
        (kernel.matmul(x, w), matrix @ weight),
        (x @ v, matrix @ vector),
        (kernel.linear(x, w.T), matrix @ weight),
        (kernel.linear(x, w.T, b), matrix @ weight + bias),
        (kernel.dense(x, w, b), matrix @ weight + bias),
        (kernel.dense(x, w), matrix @ weight),
        (kernel.apply(kernel.ops.products.linear, x, w, b, transposed=True), matrix @ weight + bias),
        (x.sum(), matrix.sum()),
        (x.sum(0), matrix.sum(axis=0)),
        (x.sum(1), matrix.sum(axis=1)),
        (kernel.sum(x, -1, keepdims=True), matrix.sum(axis=1, keepdims=True)),
    ):
        numpy.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("device", ("cpu", "strict"))
def test_the_gradients_are_those_of_the_dense_product(library: str, device: str) -> None:
    matrix, weight = random_matrix(), numpy.random.default_rng(1).standard_normal((8, 3))
    x = sparse_csr(matrix, device=device)
    x.data.requires_grad_()
    assert x.requires_grad
    w = kernel.tensor(weight, device=device, requires_grad=True)
    ((x @ w) ** 2).sum().backward()
    full = kernel.tensor(matrix.toarray(), requires_grad=True)
    other = kernel.tensor(weight, requires_grad=True)
    ((full @ other) ** 2).sum().backward()
    numpy.testing.assert_allclose(w.grad.cpu().numpy(), other.grad.numpy(), rtol=1e-10)
    numpy.testing.assert_allclose(
        x.data.grad.cpu().numpy(), full.grad.numpy()[x.rows.cpu().numpy(), x.indices.cpu().numpy()], rtol=1e-10
    )


def test_one_hot_labels_are_embedded_and_compared_without_being_dense() -> None:
    """A thousand words of ten million: dense they would take 40 GB."""
    words = 10_000_000
    labels = kernel.randint(0, words, (1000,), generator=kernel.Generator(0))
    weight = kernel.ones(words, 1).requires_grad_()
    for _ in range(2):  # the first time scipy is loaded
        weight.grad = None
        tracemalloc.start()
        x = SparseTensor.one_hot(labels, words)
        y = x @ weight
        y.sum().backward()
        part = x[100:300]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert y.tolist() == [[1.0]] * 1000 and part.shape == (200, words)
    assert weight.grad.sum().item() == 1000.0
    assert peak < 3 * words * 4, "more than the weight's gradient and what finds it"


def test_the_input_may_lack_scipy_s_sorted_order(library: str) -> None:
    x = sparse_csr(([1.0, 2.0, 3.0], [2, 0, 1], [0, 3]), (1, 3))
    x.data.requires_grad_()
    (x @ kernel.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert x.data.grad.tolist() == [100.0, 1.0, 10.0]
    assert x.indices.tolist() == [2, 0, 1]


def test_labels_of_a_loss() -> None:
    logits, labels = kernel.randn(5, 4, dtype="float64"), kernel.tensor([3, 0, 1, 1, 2])
    target = SparseTensor.one_hot(labels, 4, "float64")
    for reduction in ("mean", "sum", "none"):
        a, b = (logits.clone().requires_grad_() for _ in range(2))
        ours, plain = kernel.cross_entropy(a, target, reduction), kernel.cross_entropy(b, labels, reduction)
        numpy.testing.assert_allclose(ours.detach().numpy(), plain.detach().numpy(), rtol=1e-12)
        ours.sum().backward()
        plain.sum().backward()
        numpy.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-10, atol=1e-15)
    numpy.testing.assert_allclose(
        kernel.cross_entropy_with_softmax(logits, target).numpy(),
        kernel.cross_entropy_with_softmax(logits, labels).numpy(),
        rtol=1e-12,
    )
    soft = sparse_csr(scipy.sparse.random(5, 4, 0.6, "csr", random_state=1))
    numpy.testing.assert_allclose(
        kernel.cross_entropy_with_softmax(logits, soft).numpy(),
        kernel.cross_entropy_with_softmax(logits, soft.to_dense()).numpy(),
        rtol=1e-12,
    )
    assert kernel.classification_error(logits, target).tolist() == kernel.classification_error(logits, labels).tolist()


def test_the_largest_element_of_each_row() -> None:
    x = sparse_csr(([0.2, 0.7, 0.1, 1.0], [3, 1, 0, 2], [0, 3, 4]), (2, 4))
    assert x.to("strict").device == "strict"
    for device in ("cpu", "strict"):
        assert kernel.argmax(x.to(device), axis=1).tolist() == [1, 2]
    for wrong in (
        sparse_csr(([1.0], [0], [0, 1, 1]), (2, 4)),
        sparse_csr(([-1.0, 1.0], [0, 1], [0, 1, 2]), (2, 4)),
    ):
        with pytest.raises(ShapeError, match=r"^argmax: .*to_dense\(\)"):
            kernel.argmax(wrong, axis=1)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_rows_are_chosen_as_of_a_dense_matrix(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 7))
    matrix = scipy.sparse.random(rows, 5, 0.4, "csr", random_state=data.draw(st.integers(0, 99)))
    x, full = sparse_csr(matrix), matrix.toarray()
    bound = st.none() | st.integers(-9, 9)
    cut = slice(data.draw(bound), data.draw(bound), data.draw(st.sampled_from((None, 1, 2, -1))))
    numpy.testing.assert_array_equal(dense(x[cut]), full[cut])
    if rows:
        order = data.draw(st.lists(st.integers(-rows, rows - 1), max_size=9))
        index = kernel.tensor(numpy.array(order, "int64"))
        numpy.testing.assert_array_equal(dense(x[index]), full[order])
        numpy.testing.assert_array_equal(dense(x.to("strict")[index.to("strict")]), full[order])
    mask = numpy.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)), bool)
    numpy.testing.assert_array_equal(dense(x[kernel.tensor(mask)]), full[mask])


def test_gradients_pass_through_rows_and_dense_form() -> None:
    x = sparse_csr(([1.0, 2.0, 3.0], [0, 1, 0], [0, 1, 3]), (2, 2))
    x.data.requires_grad_()
    (x[1:].to_dense() * 2 + x[kernel.tensor([1])].to_dense()).sum().backward()
    assert x.data.grad.tolist() == [0.0, 3.0, 3.0]


def vectors(data: Any = (1.0, 2.0), indices: Any = (0, 1), indptr: Any = (0, 1, 2)) -> tuple:
    return list(data), list(indices), list(indptr)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: sparse_csr(vectors(indices=(0, 5)), (2, 3)), ShapeError, ("column is 5", "0 to 2")),
        (lambda: sparse_csr(vectors(indices=(0, -1)), (2, 3)), ShapeError, ("column is -1", "0 to 2")),
        (lambda: sparse_csr(vectors(indptr=(0, 2)), (2, 3)), ShapeError, ("indptr", "(3,)", "(2,)")),
        (lambda: sparse_csr(vectors(indptr=(0, 3, 2)), (2, 3)), ShapeError, ("indptr", "fall")),
        (lambda: sparse_csr(vectors(indptr=(1, 1, 2)), (2, 3)), ShapeError, ("indptr", "begins with 1")),
        (lambda: sparse_csr(vectors(indptr=(0, 1, 9)), (2, 3)), ShapeError, ("indptr", "2", "ends with 9")),
        (lambda: sparse_csr(vectors(data=(1.0,)), (2, 3)), ShapeError, ("data", "(2,)", "(1,)")),
        (lambda: sparse_csr(vectors(indices=(0.5, 1.0)), (2, 3)), DtypeError, ("indices", "int32", "float32")),
        (lambda: sparse_csr(vectors()), DtypeError, ("shape", "None")),
        (lambda: sparse_csr(vectors(), (2,)), ShapeError, ("shape", "two", "(2,)")),
        (lambda: sparse_csr(vectors(), (2, "a")), DtypeError, ("shape", "whole numbers")),
        (lambda: sparse_csr(vectors(), (2, -3)), ShapeError, ("shape", "negative")),
        (lambda: sparse_csr(numpy.eye(2), (2, 2)), DtypeError, ("SciPy", "indices")),
        (lambda: sparse_csr(random_matrix(), (2, 2)), ShapeError, ("(6, 8)", "(2, 2)")),
        (lambda: sparse_csr(random_matrix().astype("complex64")), DtypeError, ("numbers",)),
        (lambda: sparse_csr(("text", [0], [0, 1]), (1, 1)), DtypeError, ("numbers", "text")),
    ],
)
def test_what_is_no_matrix_is_refused_in_words(make: Any, error: type[Exception], words: tuple) -> None:
    with pytest.raises(error) as caught:
        make()
    message = str(caught.value)
    assert message.startswith("sparse_csr: ") and message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda x: x @ kernel.ones(5, 2), ShapeError, ("matmul", "argument b", "(8, ?)", "(5, 2)")),
        (lambda x: x @ kernel.ones(8, 2, device="strict"), DeviceError, ("strict", "cpu")),
        (lambda x: x @ kernel.ones(2, 8, 2), ShapeError, ("weight", "(8, ?)")),
        (lambda x: x @ [1.0], DtypeError, ("matmul", "argument b", "list", "kernel.tensor")),
        (lambda x: kernel.ones(2, 6) @ x, DtypeError, ("matmul", "argument b", ".to_dense()")),
        (lambda x: kernel.linear(x, kernel.ones(8, 4)), ShapeError, ("linear", "argument weight", "(?, 8)", "(8, 4)")),
        (lambda x: kernel.linear(x, kernel.ones(4, 8), kernel.ones(3)), ShapeError, ("linear", "bias", "(4,)")),
        (lambda x: kernel.exp(x), DtypeError, ("exp", ".to_dense()")),
        (lambda x: kernel.add(1, x), DtypeError, ("add", ".to_dense()")),
        (lambda x: kernel.ones(6, 8) * x, DtypeError, ("mul", "argument b", ".to_dense()")),
        (lambda x: x[0], DtypeError, ("slice", "0")),
        (lambda x: x["a":], DtypeError, ("slice", "'a'")),
        (lambda x: x[0:4, 1], DtypeError, ("slice",)),
        (lambda x: x[kernel.tensor([6])], ShapeError, ("6",)),
        (lambda x: x[kernel.tensor([0.0])], DtypeError, ("slice", "whole numbers")),
        (lambda x: x.sum(2), ShapeError, ("axis 2",)),
        (lambda x: kernel.cross_entropy(kernel.ones(6, 7), x), ShapeError, ("logits", "(6, 8)", "(6, 7)")),
        (lambda x: kernel.classification_error(kernel.ones(6, 7), x), ShapeError, ("labels", "(6, 7)", "(6, 8)")),
        (lambda x: SparseTensor.one_hot(kernel.tensor([1.5]), 3), DtypeError, ("labels", "whole numbers")),
        (lambda x: SparseTensor.one_hot(kernel.tensor([3]), 3), ShapeError, ("3", "0 to 2")),
        (lambda x: SparseTensor.one_hot(kernel.tensor([1]), "3"), DtypeError, ("classes", "'3'")),
    ],
)
def test_a_wrong_use_is_refused_in_words(use: Any, error: type[Exception], words: tuple) -> None:
    with pytest.raises(error) as caught:
        use(sparse_csr(random_matrix(dtype="float32")))
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message, message
