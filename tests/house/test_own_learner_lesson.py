"""What lesson 08 says of the widget and of its buggy class, which no cell compares."""

import ast
import re
from pathlib import Path

import numpy as np

import kernel
from classroom import spec
from widgets.formula_path import EXAMPLES, path_state
from widgets.surfaces import SURFACES

LESSON = Path(__file__).parents[2] / "course" / "08_own_learner"
EXERCISES = {exercise.name: exercise for exercise in spec.load(LESSON / "checks.py")}


def from_the_lesson() -> dict:
    """Functions and classes of the lesson, by name."""
    tree = ast.parse((LESSON / "lesson.py").read_text(encoding="utf-8"))
    names = {"np": np, "kernel": kernel}
    kept = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    exec(compile(ast.Module(kept, []), "lesson", "exec"), names)
    return names


def last_loss(rule: str, rate: float, surface: str, condition: float) -> float:
    return path_state(rule, surface, condition, SURFACES[surface].start, rate, 1.0).own.losses[-1]


def test_the_bug_of_the_widget_is_mended_by_swapping_its_two_lines():
    bug = EXAMPLES["find the bug"]
    one, other = bug.text.splitlines()
    assert np.isnan(last_loss(bug.text, bug.rate, "quadratic", 50.0))
    assert last_loss(f"{other}\n{one}", bug.rate, "quadratic", 50.0) < 1e-6


def test_what_beats_momentum_along_the_axes_does_not_across_them():
    losses = {
        (name, surface): last_loss(EXAMPLES[name].text, EXAMPLES[name].rate, surface, 200.0)
        for name in ("momentum", "RMSProp", "Adam", "signs only")
        for surface in ("quadratic", "quadratic, turned")
    }
    for name in ("RMSProp", "Adam", "signs only"):
        assert losses[name, "quadratic"] < losses["momentum", "quadratic"]
        assert losses[name, "quadratic, turned"] > losses["momentum", "quadratic, turned"]


def test_the_class_with_the_bug_is_the_first_misconception():
    text = (LESSON / "exercises.py").read_text(encoding="utf-8")
    [shown] = re.findall(r"# ```python\n(.*?)# ```", text, flags=re.DOTALL)
    names = {"kernel": kernel}
    exec(re.sub(r"^# ?", "", shown, flags=re.MULTILINE), names)
    exercise = EXERCISES["HeavyBall"]
    for case in exercise.generate(0, "float64"):
        wrong = exercise.driver(exercise.misconceptions[0], *case.arguments)
        for one, other in zip(exercise.driver(names["HeavyBall"], *case.arguments), wrong, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_lion_and_clipping_are_the_kernels():
    """The right answers are what the built-in learners do."""
    random = np.random.default_rng(0)
    w, g, m = (kernel.tensor(random.normal(size=5)) for _ in range(3))
    hyper = {"rate": 0.1, "beta1": 0.5, "beta2": 0.9, "decay": 0.2}
    by_rule, state = EXERCISES["lion_rule"].function(w, g, {"m": m}, hyper)
    parameter = kernel.Parameter(w.clone())
    learner = kernel.Lion([parameter], lr=0.1, betas=(0.5, 0.9), weight_decay=0.2)
    learner.update({parameter: kernel.zeros_like(g)}, 1)  # makes its state, which then is what the case says
    parameter.value = w.numpy()
    learner.load_state_dict(learner.state_dict() | {"0.m": m})
    learner.update({parameter: g}, 1)
    np.testing.assert_allclose(parameter.value, by_rule.numpy(), rtol=1e-12)
    np.testing.assert_allclose(learner.state_dict()["0.m"].numpy(), state["m"].numpy(), rtol=1e-12)

    pair = [kernel.Parameter(np.zeros(5)), kernel.Parameter(np.zeros(5))]
    kernel.SGD(pair, lr=1, clip=1.5, clip_by="global norm").update(dict(zip(pair, (g, m), strict=True)), 1)
    for parameter, answer in zip(pair, EXERCISES["clipped"].function([g, m], 1.5), strict=True):
        np.testing.assert_allclose(-parameter.value, answer.numpy(), rtol=1e-12)
