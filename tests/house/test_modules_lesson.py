"""What lesson 04 and its exercises say of modules holds of the kernel as it is."""

import ast
from pathlib import Path

import numpy as np
import pytest

import kernel
from classroom import spec
from kernel.initialisers import uniform
from kernel.layers import Convolution2D, Dense, Linear, MaxPooling, Sequential

LESSON = Path(__file__).parents[2] / "course" / "04_modules"
ANSWERS = {exercise.name: exercise.function for exercise in spec.load(LESSON / "checks.py")}


def from_the_lesson(*wanted: str) -> dict:
    """Functions and classes of the lesson, by name."""
    tree = ast.parse((LESSON / "lesson.py").read_text(encoding="utf-8"))
    body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    names = {"kernel": kernel, "Linear": Linear}
    exec(compile(ast.Module(body, []), "lesson", "exec"), names)
    return names


def trained(begin: dict, steps: int = 400, activation=None):
    """SimpleNet after some steps on the three zones, and its parameters as they began."""
    lesson = from_the_lesson("SimpleNet", "zones", "step")
    kernel.manual_seed(0)
    if activation is not None:
        net = Sequential(Linear(2, 12), activation, Linear(12, 3))
        begin = {name.replace("lin1", "0").replace("lin2", "2"): value for name, value in begin.items()}
    else:
        net = lesson["SimpleNet"]()
    net.initialise(begin)
    before = {name: values.numpy() for name, values in net.state_dict().items()}
    for _ in range(steps):
        x = 2 * kernel.rand(50, 2) - 1
        lesson["step"](net, x, lesson["zones"](x), 0.5)
    return net, before


def moved(net, before) -> int:
    return sum(not np.array_equal(values.numpy(), before[name]) for name, values in net.state_dict().items())


def different_rows(net) -> int:
    rows = net.lin1.weight.data.numpy()
    apart = [row for i, row in enumerate(rows) if all(abs(row - other).max() > 1e-5 for other in rows[:i])]
    return len(apart)


def test_the_answers_about_symmetry_are_what_training_gives():
    some = uniform(-0.5, 0.5)
    beginnings = {
        "A": moved(*trained({"*": 0})),
        "B": different_rows(trained({"*": 0.5})[0]),
        "C": different_rows(trained({"lin1.weight": some, "*": 0})[0]),
        "D": different_rows(trained({"lin1.bias": some, "*": 0.5})[0]),
        "E": moved(*trained({"lin2.weight": some, "*": 0}, activation=kernel.tanh)),
    }
    assert {**beginnings, "remedy": "random weights"} == ANSWERS["symmetry"]()


def test_the_number_of_parameters_is_that_of_the_layers():
    net = Sequential([Convolution2D((3, 3), 8, pad=True), MaxPooling((2, 2), 2), Convolution2D((3, 3), 16), Dense(10)])
    net(kernel.ones(1, 1, 8, 8))
    said = ANSWERS["count_parameters"]([("conv", 1, 8, 3), ("pool", 2), ("conv", 8, 16, 3), ("dense", 64, 10)])
    assert sum(parameter.size for parameter in net.parameters()) == said == 1898


def test_the_gradient_of_the_tied_net_is_the_tapes():
    rng = np.random.default_rng(0)
    w = kernel.tensor(rng.normal(size=(4, 3)), requires_grad=True)
    x = kernel.tensor(rng.normal(size=(5, 4)))
    (((x @ w @ w.T - x) ** 2).sum() / 2).backward()
    np.testing.assert_allclose(ANSWERS["tied_gradient"](w.data, x).numpy(), w.grad.numpy(), rtol=1e-10)


def test_a_renamed_state_loads_and_gives_the_same_scores():
    net, other = Sequential([Dense(12, activation=kernel.relu), Dense(3)]), from_the_lesson("SimpleNet")["SimpleNet"]()
    x = kernel.randn(5, 2)
    scores = net(x)
    assert other.load_state_dict(ANSWERS["renamed"](net.state_dict())) == ([], [])
    np.testing.assert_allclose(other(x).detach().numpy(), scores.detach().numpy(), atol=1e-6)
    with pytest.raises(kernel.ShapeError, match=r"lin1\.weight is missing"):
        other.load_state_dict(net.state_dict())


def test_a_sharing_net_may_be_cloned_and_still_shares():
    layer = Linear(2, 2)
    copy = Sequential(layer, layer).clone()
    assert copy[0] is copy[1] and copy[0] is not layer
