"""Answers that students write to the exercises of lessons 03 and 05, in words of their own, right and wrong."""

from collections.abc import Callable

import pytest

from classroom.catalogue import find
from classroom.engine import check_answer
from classroom.verdict import RIGHT, WRONG, Verdict

HEADS = {
    "update": "parameters, rate",
    "batches": "x, labels, order, size",
    "report": "answers, labels, k",
    "auc": "scores, labels",
    "early_stop": "training, validation, patience",
    "mended": "theta, x, labels, i",
    "sgd_update": "w, gradient, rate, samples, per",
    "adagrad_path": "w, gradients, rate, epsilon",
    "adam_path": "w, gradients, rate, beta1, beta2, epsilon",
    "adadelta_path": "w, gradients, rho, epsilon",
}
COUNTS = "a, l = answers == k, labels == k; h = (a & l).sum()"
THREE = "return {'accuracy': accuracy, 'precision': p, 'recall': r}"
STOP = "b = 0\nfor t, v in enumerate(validation):\n    if v < validation[b]: b = t\n    elif t - b >= patience: break\n"
STEP = (
    "rate = 0.5 * 0.1 ** ({decay} // 1000)\nloss = kernel.cross_entropy(x @ theta, labels)\nloss.backward()\n"
    "theta.data -= rate * theta.grad\n{end}"
)
PAIR = "return loss.item(), rate"
AVERAGES = (
    "m = a = 0\nfor t, g in enumerate(gradients, {first}):\n    m = beta1 * m + (1 - beta1) * g\n"
    "    a = beta2 * a + (1 - beta2) * g**2\n    {step}\nreturn w"
)
RIGHT_ANSWERS = [
    ("update", "for p in parameters:\n    p.data = p.data - rate * p.grad\n    p.grad = None"),
    ("update", "with kernel.no_grad():\n    for p in parameters:\n        p -= rate * p.grad\n        p.grad *= 0"),
    ("batches", "return list(zip(kernel.split(x[order], size), kernel.split(labels[order], size)))"),
    # Means of float32 and shares of integer tensors, whose last digits are not those of float64.
    (
        "report",
        f"{COUNTS}\naccuracy = (answers == labels).float().mean()\n"
        f"p, r = h / max(a.sum(), 1), h / max(l.sum(), 1)\n{THREE}",
    ),
    (
        "report",
        f"{COUNTS}\naccuracy = (answers == labels).float().mean().item()\n"
        f"p, r = (h / (each.sum() + 1e-12) for each in (a, l))\n{THREE}",
    ),
    ("auc", "d = scores[labels == 1][:, None] - scores[labels == 0]\nreturn (d.sign().mean().item() + 1) / 2"),
    (
        "early_stop",
        "for t in range(len(validation)):\n    b = validation.index(min(validation[: t + 1]))\n"
        "    if t - b == patience: break\nreturn [b, t]",
    ),
    ("mended", STEP.format(decay="max(i - 100, 0)", end=PAIR)),
    ("sgd_update", "return w - gradient * {'sample': rate, 'minibatch': rate / samples}[per]"),
    ("adagrad_path", "return w - (rate * gradients / (gradients**2).cumsum(0).add(epsilon).sqrt()).sum(0)"),
    (
        "adam_path",
        AVERAGES.format(first=1, step="w = w - rate / (1 - beta1**t) * m / ((a / (1 - beta2**t)) ** 0.5 + epsilon)"),
    ),
    (
        "adadelta_path",
        "a = x = 0.0\nfor g in gradients:\n    a = rho * a + (1 - rho) * g**2\n"
        "    d = ((x + epsilon) / (a + epsilon)) ** 0.5 * g\n    x = rho * x + (1 - rho) * d**2\n"
        "    w = w - d\nreturn w",
    ),
]
WRONG_ANSWERS = [
    ("update", "for p in parameters:\n    p.grad.zero_()\n    p.data.sub_(rate * p.grad)", "rebound"),
    (
        "update",
        "parameters = [p - rate * p.grad for p in parameters]\nfor p in parameters: p.grad.zero_()",
        "rebound_then_cleared",
    ),
    ("update", "for p in parameters:\n    p.sub_(rate * p.grad)\n    p.grad.zero_()", "change_without_no_grad"),
    (
        "batches",
        "p = np.array_split(order.numpy(), -(-len(order) // size))\n"
        "return [(x[kernel.tensor(r)], labels[kernel.tensor(r)]) for r in p]",
        "spread_evenly",
    ),
    (
        "batches",
        "r = [order[k * size : (k + 1) * size] for k in range(len(order) // size + 1)]\n"
        "return [(x[k], labels[k]) for k in r]",
        "empty_last",
    ),
    (
        "batches",
        "for i in range(0, len(order), size):\n    return [(x[order[i : i + size]], labels[order[i : i + size]])]",
        "first_alone",
    ),
    (
        "report",
        f"{COUNTS}.item()\naccuracy = (answers == labels).float().mean().item()\n"
        f"p, r = h / a.sum().item(), h / l.sum().item()\n{THREE}",
        "nothing_divides",
    ),
    (
        "report",
        f"{COUNTS}\naccuracy = (answers == labels).float().mean()\np, r = h / a.sum(), h / l.sum()\n{THREE}",
        "nothing_is_nan",
    ),
    (
        "auc",
        "o, z = scores[labels == 1].tolist(), scores[labels == 0].tolist()\n"
        "return sum(1 if p > q else 0.5 for p in o for q in z) / len(o) / len(z)",
        "half_for_a_lost_pair",
    ),
    (
        "auc",
        "d = scores[labels == 1][:, None] - scores[labels == 0]\nreturn d.sign().mean().item()",
        "lost_pairs_subtracted",
    ),
    ("early_stop", f"{STOP}return validation[b], t", "loss_for_turn"),
    ("early_stop", f"{STOP}return int(np.argmin(validation)), t", "hindsight"),
    (
        "early_stop",
        STOP.replace("validation[b]:", "validation[b] and training[t] < training[b]:") + "return b, t",
        "both_improve",
    ),
    ("mended", STEP.format(decay="max(i, 0)", end=PAIR), "delay_dropped"),
    ("mended", STEP.format(decay="max(i + 100, 0)", end=PAIR), "decay_only_positive"),
    ("mended", STEP.format(decay="max(i - 100, 0)", end="return rate, loss.item()"), "results_swapped"),
    ("mended", STEP.format(decay="max(i - 100, 0)", end="return loss.item()"), "loss_alone"),
    ("mended", STEP.format(decay="max(i - 100, 0)", end=""), "no_return"),
    ("sgd_update", "for _ in range(samples): w = w - rate * gradient\nreturn w", "always_multiplied"),
    (
        "adagrad_path",
        "a = 0\nfor g in gradients:\n    a = a + g**2\n    w = w - rate * g / kernel.sqrt(a + epsilon)\n    return w",
        "first_step_only",
    ),
    (
        "adam_path",
        AVERAGES.format(
            first=0, step="c = math.sqrt(1 - beta2**t) / (1 - beta1**t); w = w - rate * c * m / (a**0.5 + epsilon)"
        ),
        "counted_from_zero_in_numbers",
    ),
    (
        "adam_path",
        AVERAGES.format(
            first=1, step="c = math.sqrt(1 - beta2**t) / (1 - beta1**t); w = w - rate * c * m / (a**0.5 + epsilon)"
        ),
        "epsilon_before_the_correction",
    ),
    # Changed in place, a and x are one tensor; and with g² for d² they hold the same numbers.
    (
        "adadelta_path",
        "a = x = 0 * w\nfor g in gradients:\n    a *= rho; a += (1 - rho) * g * g\n"
        "    d = ((x + epsilon) / (a + epsilon)) ** 0.5 * g\n    x *= rho; x += (1 - rho) * d * d\n"
        "    w = w - d\nreturn w",
        "the_old_a",
    ),
    (
        "adadelta_path",
        "a = x = 0 * w\nfor g in gradients:\n    a = rho * a + (1 - rho) * g * g\n"
        "    x = rho * x + (1 - rho) * g * g\n    w = w - ((x + epsilon) / (a + epsilon)) ** 0.5 * g\n"
        "return w",
        "the_old_a",
    ),
]


def cell(name: str, body: str) -> str:
    """The cell of a student whose function has this body."""
    return f"def {name}({HEADS[name]}):\n" + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(("name", "body"), RIGHT_ANSWERS)
def test_an_unusual_answer_may_be_right(judged_here: Callable[..., Verdict], name: str, body: str) -> None:
    for seed in range(3):
        verdict = judged_here(find(name)[1], cell(name, body), seed)
        assert verdict.status == RIGHT, verdict.sentence


@pytest.mark.parametrize(("name", "body", "misconception"), WRONG_ANSWERS)
def test_a_mistake_is_named(judged_here: Callable[..., Verdict], name: str, body: str, misconception: str) -> None:
    for seed in range(3):
        verdict = judged_here(find(name)[1], cell(name, body), seed)
        assert (verdict.status, verdict.misconception) == (WRONG, misconception), verdict.sentence


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        ("update", "SGD(parameters, lr=rate)"),
        ("sgd_update", "sgd([w], rate)"),
        ("adagrad_path", "Adagrad([w], lr=rate)"),
        ("adam_path", "Adam([w], lr=rate)"),
        ("adadelta_path", "Adadelta([w])"),
    ],
)
def test_the_kernels_learner_is_no_answer(name: str, learner: str) -> None:
    verdict = check_answer(find(name)[1], cell(name, f"return kernel.{learner}"))
    assert verdict.status == WRONG
    assert f"uses kernel.{learner.split('(')[0]} (line 2), which does the work for you" in verdict.sentence


@pytest.mark.parametrize("result", ["None", "3.0", "(loss.item(), rate, theta)", "'loss'", "object()"])
def test_what_is_no_loss_and_rate_is_told_without_a_word_of_the_driver(
    judged_here: Callable[..., Verdict], result: str
) -> None:
    body = STEP.format(decay="max(i - 100, 0)", end=f"return {result}")
    sentence = judged_here(find("mended")[1], cell("mended", body)).sentence
    assert "unpack" not in sentence
    assert "cannot be called" not in sentence
    assert "loss" in sentence or "rate" in sentence


def test_a_parameter_that_came_out_wrong_is_called_by_what_it_is(judged_here: Callable[..., Verdict]) -> None:
    body = "for p in parameters:\n    p.data.sub_(2 * rate * p.grad)\n    p.grad.zero_()"
    sentence = judged_here(find("update")[1], cell("update", body)).sentence
    assert sentence.startswith("Item 0 of entry 'parameters afterwards' of the result of update is 0.76")
