"""What lesson 03 and its exercises say of training and metrics holds of the kernel, and of the recorded runs."""

import ast
import csv
import runpy
from pathlib import Path

import numpy as np
import pytest

import kernel
from classroom import spec
from kernel.layers import Linear, Sequential
from kernel.schedules import Cosine, StepDecay

LESSON = Path(__file__).parents[2] / "course" / "03_training_loop"
EXERCISES = {exercise.name: exercise for exercise in spec.load(LESSON / "checks.py")}
ANSWERS = {name: exercise.function for name, exercise in EXERCISES.items()}
LEARNERS = ("SGD", "momentum", "Adam", "Adadelta")
# How far, in per cent, a recorded accuracy may lie from one of another machine: 30 of 10,000 points.
MACHINES_DIFFER = 0.3


def from_the_lesson(*wanted: str) -> dict:
    """Functions and assigned names of the lesson, run in their order."""

    def names(node: ast.stmt) -> set[str]:
        targets = node.targets if isinstance(node, ast.Assign) else []
        return {getattr(node, "name", "")} | {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}

    body = [node for node in ast.parse((LESSON / "lesson.py").read_text("utf-8")).body if names(node) & set(wanted)]
    space = {"np": np, "kernel": kernel, "Linear": Linear, "Sequential": Sequential, "StepDecay": StepDecay}
    exec(compile(ast.Module(body, []), "lesson", "exec"), space)
    return space


@pytest.fixture(scope="module")
def lesson() -> dict:
    functions = (
        "zones",
        "begin",
        "forward",
        "softmax",
        "crossentropy",
        "step",
        "gradient",
        "fresh_net",
        "train",
        "per_cent_right",
    )
    return from_the_lesson("points", "X", "test", "learners", *functions)


@pytest.fixture(scope="module")
def runs() -> list[dict]:
    with (LESSON / "data" / "runs.csv").open(encoding="utf-8") as file:
        return [{**run, "seed": int(run["seed"])} for run in csv.DictReader(file)]


def mean(runs: list[dict], column: str = "test", **wanted: str) -> float:
    found = [float(run[column]) for run in runs if all(run[key] == value for key, value in wanted.items())]
    return sum(found) / len(found)


# --- section 1 ---


def test_of_the_perceptron_only_the_column_sums_learn():
    cells = from_the_lesson("shapes", "cost", "learn")
    kernel.manual_seed(7)
    shapes = {"theta1": (32, 20), "bias1": (32,), "theta2": (32, 32), "bias2": (32,)}
    net = cells["net"] = {name: (0.1 * kernel.randn(*shape)).requires_grad_() for name, shape in shapes.items()}
    before = {name: p.data.numpy().copy() for name, p in net.items()}
    rate = StepDecay(0.001, 100, start=500)
    cells["learn"](1000, rate)
    cells["learn"](8000, kernel.schedules.Constant(0.001))
    after = {name: p.data.numpy() for name, p in net.items()}
    for name in ("theta1", "theta2"):
        assert 0.95 < np.linalg.norm(after[name]) / np.linalg.norm(before[name]) < 1
    was, now = before["theta2"], after["theta2"]
    np.testing.assert_allclose(now - now.mean(0), was - was.mean(0), atol=1e-4)
    assert np.linalg.norm(now.sum(0)) < 0.1 * np.linalg.norm(was.sum(0))
    assert abs(after["bias2"].sum()) < 0.02
    assert rate[999] == pytest.approx(1e-7)


# --- sections 3 and 4 ---


def test_the_last_rate_is_the_one_that_was_printed():
    assert repr(StepDecay(0.5, 1000, start=100)[4999]) == "5.000000000000001e-05"


def test_the_lost_sign_in_the_decay_makes_the_rate_fall_200_steps_too_soon_each_time():
    right, wrong = ([0.5 * 0.1 ** (max(i + lost, 0) // 1000) for i in range(5000)] for lost in (-100, 100))
    falls, early = ([i for i in range(1, 5000) if rates[i] < rates[i - 1]] for rates in (right, wrong))
    assert falls == [1100, 2100, 3100, 4100]
    assert early == [each - 200 for each in falls] + [4900]


def test_four_times_the_samples_have_half_the_noise(lesson):
    lesson["halfway"] = lesson["begin"](0)
    everything = lesson["gradient"](slice(50_000))

    def noise(size: int) -> float:
        found = [lesson["gradient"](slice(size * k, size * (k + 1))) for k in range(300)]
        return np.sqrt(np.mean(np.sum((np.array(found) - everything) ** 2, axis=1)))

    assert noise(16) / noise(64) == pytest.approx(2, rel=0.1)


# --- sections 5 to 7 ---


def test_the_numbers_about_size_and_doubt():
    net = Sequential(Linear(2, 64), kernel.relu, Linear(64, 64), kernel.relu, Linear(64, 3))
    assert round(sum(p.size for p in net.parameters()), -2) == 4500
    assert np.sqrt(0.99 * 0.01 / 10_000) == pytest.approx(0.001, rel=0.01)


def test_report_and_auc_agree_with_the_kernels_metrics():
    rng = np.random.default_rng(0)
    for count in (5, 50):
        answers, labels = (kernel.tensor(rng.integers(0, 3, count)) for _ in range(2))
        for k in range(4):
            found = ANSWERS["report"](answers, labels, k)
            assert found["accuracy"] == kernel.accuracy(answers, labels)
            assert found["precision"] == kernel.precision(answers == k, labels == k)
            assert found["recall"] == kernel.recall(answers == k, labels == k)
        scores, ones = kernel.tensor(rng.integers(0, 6, count) / 5), kernel.tensor(np.arange(count) % 2)
        assert ANSWERS["auc"](scores, ones) == pytest.approx(kernel.roc_auc(scores, ones))


# --- sections 8 and 9 ---


def test_one_step_by_hand_is_one_step_of_the_learner():
    rng = np.random.default_rng(0)
    theta, x, labels = (
        rng.normal(size=(2, 3)),
        kernel.tensor(rng.normal(size=(7, 2))),
        kernel.tensor(rng.integers(0, 3, 7)),
    )
    learned = [kernel.Parameter(kernel.tensor(theta)) for _ in range(3)]
    loss, rate = ANSWERS["mended"](learned[0], x, labels, 1100)
    for parameter in learned[1:]:
        kernel.cross_entropy(x @ parameter, labels).backward()
    kernel.SGD(learned[1:2], lr=rate).step()
    ANSWERS["update"](learned[2:], rate)
    for parameter in learned[1:]:
        np.testing.assert_allclose(parameter.value, learned[0].value, rtol=1e-12)
    assert loss == pytest.approx(kernel.cross_entropy(x @ kernel.tensor(theta), labels).item())
    schedule = StepDecay(0.5, 1000, start=100)
    for i in (0, 99, 1099, 1100, 2100, 4999):
        assert ANSWERS["mended"](kernel.Parameter(kernel.tensor(theta)), x, labels, i)[1] == schedule[i]


def test_a_sweep_of_batches_holds_every_sample_once():
    x, labels = kernel.arange(11)[:, None], kernel.arange(11)
    order = kernel.tensor(np.random.default_rng(0).permutation(11))
    pairs = ANSWERS["batches"](x, labels, order, 4)
    assert [len(rows) for rows, _ in pairs] == [4, 4, 3]
    assert sorted(kernel.concatenate([rows[:, 0] for rows, _ in pairs]).tolist()) == list(range(11))
    assert all((rows[:, 0] == their).all() for rows, their in pairs)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("experiment", ["constant", "falling"])
def test_the_recorded_runs_are_those_of_the_lessons_loop(lesson, runs, name, experiment):
    rate = {"SGD": 0.3, "momentum": 0.3, "Adam": 0.03, "Adadelta": 3}[name]
    net = lesson["fresh_net"](1)
    schedule = rate if experiment == "constant" else Cosine(rate, 400)
    lesson["train"](net, lesson["learners"][name](net.parameters(), schedule))
    recorded = mean(runs, experiment=experiment, learner=name, rate=str(rate), seed=1)
    assert lesson["per_cent_right"](net, lesson["test"]) == pytest.approx(recorded, abs=MACHINES_DIFFER)


def test_the_recorded_loop_by_hand_is_that_of_section_3(lesson, runs):
    theta, rate, X = lesson["begin"](6), StepDecay(0.5, 1000, start=100), lesson["X"]
    for i in range(5000):
        rows = slice(20 * i, 20 * (i + 1))
        lesson["step"](theta, X[rows], lesson["Y"][rows], rate[i])
    with kernel.no_grad():
        share = kernel.accuracy(lesson["forward"](theta, X[lesson["test"]]), lesson["Y"][lesson["test"]])
    assert 100 * share == pytest.approx(mean(runs, experiment="small", seed=6), abs=MACHINES_DIFFER)


def test_one_net_after_another_is_what_was_recorded_and_adadelta_is_not_the_best_of_it(runs):
    measure = runpy.run_path(str(LESSON / "data" / "measure.py"))
    walk = measure["one_after_another"]()
    found = [next(walk) for _ in range(4)]  # the beginning, and the first order of the first seed
    assert [each[1] for each in found] == ["SGD", "momentum", "Adam", "Adadelta"]
    for experiment, name, _, seed, _, test in found:
        assert test == pytest.approx(mean(runs, experiment=experiment, learner=name, seed=seed), abs=MACHINES_DIFFER)
    assert found[2][-1] > found[3][-1]


def test_adadelta_is_not_the_best_from_a_fresh_net_with_any_rate(runs):
    for experiment in ("constant", "falling"):
        best = {}
        for name in LEARNERS:
            rates = {run["rate"] for run in runs if run["experiment"] == experiment}
            chosen = max(
                rates, key=lambda rate: mean(runs, "validation", experiment=experiment, learner=name, rate=rate)
            )
            best[name] = mean(runs, experiment=experiment, learner=name, rate=chosen)
        assert max(best, key=best.get) == "momentum"
        assert best["momentum"] - best["Adadelta"] > 0.1
    orders = {run["experiment"] for run in runs if ", " in run["experiment"]}
    assert len(orders) == 6
    for order in orders:
        ends = {name: mean(runs, experiment=order, learner=name) for name in order.split(", ")}
        assert max(ends, key=ends.get) != "Adadelta"


def test_a_trainer_runs_the_loop_of_the_table():
    x, y = kernel.input_variable(2), kernel.input_variable(3)
    net = Sequential(Linear(2, 12), kernel.relu, Linear(12, 3))(x)
    loss, error = kernel.cross_entropy_with_softmax(net, y), kernel.classification_error(net, y)
    learner = kernel.momentum_sgd(net.parameters, 0.1, 0.9, unit_gain=False)
    trainer = kernel.Trainer(net, (loss, error), [learner])
    points = np.random.default_rng(0).random((500, 2), dtype=np.float32)
    labels = np.eye(3, dtype=np.float32)[(points[:, 0] > points[:, 1]).astype(int)]
    losses = []
    for _ in range(20):
        trainer.train_minibatch({x: points, y: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    assert losses[-1] < 0.9 * losses[0]
