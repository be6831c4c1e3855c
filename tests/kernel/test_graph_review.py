"""Executors in unusual company: memory that others see, passes that fail, layers in two places, several threads."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import kernel
from kernel import GradError, sym
from tests.kernel.test_symbol import refused


@pytest.fixture(autouse=True)
def names_from_0() -> Any:
    with sym.NameManager():
        yield


# --- memory that others see ---


def test_arguments_that_change_places():
    executor = (sym.Variable("a") - sym.Variable("b")).simple_bind(a=(2,), b=(2,))
    executor.forward(a=[1.0, 2.0], b=[3.0, 5.0])
    a, b = executor.arg_arrays
    assert executor.forward(a=b, b=a)[0].tolist() == [2, 3]
    executor.copy_params_from({"a": b, "b": a})
    assert (a.tolist(), b.tolist()) == ([1, 2], [3, 5])


def test_gradients_in_memory_that_numpy_shares():
    net = sym.Variable("a") * sym.Variable("b")
    memory = numpy.ones(6, "float32")
    given = {"a": kernel.from_numpy(memory[:3]), "b": kernel.ones(3)}
    gradient = kernel.from_numpy(memory)
    refused(lambda: net.bind("cpu", given, args_grad={"b": gradient[1:4]}), "memory", error=GradError)
    executor = net.bind("cpu", given, args_grad={"b": gradient[3:]})
    executor.forward(is_train=True)
    executor.backward(kernel.tensor([1.0, 2.0, 3.0]))
    assert memory.tolist() == [1, 1, 1, 1, 2, 3]


# --- passes that fail ---


def test_nothing_follows_a_pass_that_failed():
    labels = numpy.array([0, 1])
    net = kernel.cross_entropy(kernel.tanh(sym.Variable("x")), sym.Variable("labels", shape=(None,), dtype="int64"))
    executor = net.bind("cpu", {"x": kernel.ones(2, 2), "labels": kernel.from_numpy(labels)})
    executor.forward(is_train=True)
    labels[0] = 7  # behind the back of every tensor
    refused(lambda: executor.forward(is_train=True), "cross_entropy0", "7")
    refused(executor.backward, "forward", error=GradError)
    refused(lambda: executor.outputs, "forward", error=GradError)
    labels[0] = 1
    executor.forward(is_train=True)
    executor.backward()
