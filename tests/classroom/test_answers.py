"""Answers that students write to the exercises of the course, with the mistake that a check should find in each."""

from collections.abc import Callable

import pytest

from classroom.catalogue import find
from classroom.verdict import RIGHT, WRONG, Verdict

SOFTMAX = """
def softmax(logits):
    e = kernel.exp(logits - {shift})
    return e / e.sum(axis=1, keepdims=True)
"""
CROSSENTROPY = """
def crossentropy(logits, labels):
    m = {shift}
    truth = kernel.gather(logits, 1, kernel.expand_dims(labels, 1))
    return (m + kernel.log(kernel.exp(logits - m).sum(axis=1, keepdims=True)) - truth).mean()
"""
SOFT = """
def soft_crossentropy(logits, targets):
    m = {shift}
    logsumexp = m + kernel.log(kernel.exp(logits - m).sum(axis=1, keepdims=True))
    return -(targets * (logits - logsumexp)).sum(axis=1).mean()
"""
ROW, BATCH = "logits.{name}(axis=1, keepdims=True)", "logits.max()"
SHIFTS = [
    (SOFTMAX, ROW.format(name="min"), "below_the_largest"),
    (SOFTMAX, ROW.format(name="mean"), "below_the_largest"),
    (SOFTMAX, "logits[:, :1]", "first_for_largest"),
    (SOFTMAX, "logits[:, -1:]", "last_for_largest"),
    (SOFTMAX, BATCH, "one_shift_for_all"),
    (SOFTMAX, "logits.max(dim=1, keepdim=True)", "pair_of_max"),
    (CROSSENTROPY, ROW.format(name="min"), "shift_below_the_largest"),
    (CROSSENTROPY, ROW.format(name="mean"), "shift_below_the_largest"),
    (CROSSENTROPY, BATCH, "one_shift_for_the_batch"),
    (SOFT, ROW.format(name="min"), "soft_shift_below_the_largest"),
    (SOFT, ROW.format(name="mean"), "soft_shift_below_the_largest"),
    (SOFT, BATCH, "soft_one_shift_for_the_batch"),
]
TINY = [
    (
        "crossentropy",
        "def crossentropy(logits, labels):\n    p = kernel.softmax(logits, 1)\n"
        "    return -kernel.log(kernel.gather(p, 1, kernel.expand_dims(labels, 1)) + {tiny}).mean()",
        "tiny_added",
    ),
    (
        "crossentropy",
        "def crossentropy(logits, labels):\n    p = kernel.softmax(logits, 1).clip({tiny}, 1)\n"
        "    return -kernel.log(kernel.gather(p, 1, kernel.expand_dims(labels, 1))).mean()",
        "tiny_at_least",
    ),
    (
        "soft_crossentropy",
        "def soft_crossentropy(logits, targets):\n    p = kernel.softmax(logits, 1)\n"
        "    return -(targets * kernel.log(p + {tiny})).sum(axis=1).mean()",
        "soft_tiny_added",
    ),
    (
        "soft_crossentropy",
        "def soft_crossentropy(logits, targets):\n    p = kernel.softmax(logits, 1).clip({tiny}, 1)\n"
        "    return -(targets * kernel.log(p)).sum(axis=1).mean()",
        "soft_tiny_at_least",
    ),
]
SLOPES = "def slopes(x, y):\n    f = {f}\n    f.backward()\n    return {result}"
LOOP = (
    "def loop_slope(x):\n    y = x\n    while {condition}:\n        y = y * y\n    y.backward()\n    return y, x.grad"
)
WALK = """
from collections import Counter, OrderedDict, defaultdict
def walk_back(tape):
    gradients = {start}
    {first}
    for result, operands, slopes in reversed(tape):
        for operand, slope in zip(operands, slopes):
            gradients[operand] = gradients.get(operand, 0.0) + {part} * slope
    return gradients
"""
FIRST = "gradients[tape[-1][0]] = 1.0"


@pytest.fixture
def told(judged_here: Callable[..., Verdict]) -> Callable[[str, str], Verdict]:
    """told("softmax", source) → the verdict of the course's own exercise."""
    return lambda name, source: judged_here(find(name)[1], source)


@pytest.mark.parametrize(("cell", "shift", "misconception"), SHIFTS)
def test_a_shift_that_is_not_the_largest_logit_of_the_row(told, cell: str, shift: str, misconception: str) -> None:
    name = cell.split("(")[0].split()[1]
    verdict = told(name, cell.format(shift=shift))
    assert (verdict.status, verdict.misconception) == (WRONG, misconception), verdict
    largest = "logits.max(axis=1, keepdims=True)"
    assert told(name, cell.format(shift=largest)).status == RIGHT


@pytest.mark.parametrize(("name", "cell", "misconception"), TINY)
def test_any_tiny_number_in_the_logarithm_is_seen(told, name: str, cell: str, misconception: str) -> None:
    for tiny in ("1e-5", "1e-7", "3e-9"):
        assert told(name, cell.format(tiny=tiny)).misconception == misconception, tiny
    # No number shows any more whether so small a one is added or is the least that counts.
    for tiny in ("1e-15", "1e-30"):
        verdict = told(name, cell.format(tiny=tiny))
        assert verdict.misconception == misconception.replace("at_least", "added"), tiny
        assert verdict.sentence.startswith("A small number inside the logarithm hides the inf")


def test_log_of_softmax_is_not_taken_for_another_shift(told) -> None:
    cell = "def crossentropy(logits, labels):\n    p = kernel.softmax(logits, 1)\n"
    cell += "    return -kernel.log(kernel.gather(p, 1, kernel.expand_dims(labels, 1))).mean()"
    assert told("crossentropy", cell).misconception == "log_of_softmax"
    cell = "def soft_crossentropy(logits, targets):\n    p = kernel.softmax(logits, 1)\n"
    cell += "    return -(targets * kernel.log(p)).sum(axis=1).mean()"
    assert told("soft_crossentropy", cell).misconception == "soft_log_of_softmax"


@pytest.mark.parametrize(
    ("source", "misconception"),
    [
        (SLOPES.format(f="x**2 * y + y**3", result="y.grad, x.grad"), "swapped"),
        (SLOPES.format(f="x**2 * y", result="x.grad, y.grad"), "one_use_of_y"),
        (SLOPES.format(f="x**2 * y + y**3", result="x, y"), "leaves_for_slopes"),
        ("def slopes(x, y):\n    f = x**2 * y + y**3\n    return x.grad, y.grad", "without_backward"),
        ("def slopes(x, y):\n    f = x**2 * y + y**3\n    return kernel.grad(f, [y, x])", "swapped"),
        ("def slopes(x, y):\n    return x**2 + 3 * y**2, 2 * x * y", "swapped"),
    ],
)
def test_slopes_are_told_by_their_values(told, source: str, misconception: str) -> None:
    verdict = told("slopes", source)
    assert (verdict.status, verdict.misconception) == (WRONG, misconception)


def test_slopes_may_come_in_a_named_tuple(told) -> None:
    cell = SLOPES.format(f="x**2 * y + y**3", result="Pair(x.grad, y.grad)")
    assert (
        told("slopes", f"from collections import namedtuple\nPair = namedtuple('Pair', 'x y')\n{cell}").status == RIGHT
    )


@pytest.mark.parametrize(
    ("condition", "misconception"), [("y < 10", ""), ("y <= 10", "ten_is_below_ten"), ("abs(y) < 10", "size_for_value")]
)
def test_the_condition_of_the_loop_is_the_one_that_was_asked_for(told, condition: str, misconception: str) -> None:
    verdict = told("loop_slope", LOOP.format(condition=condition))
    assert (verdict.status, verdict.misconception) == (WRONG if misconception else RIGHT, misconception)


@pytest.mark.parametrize("start", ["{}", "dict()", "defaultdict(float)", "OrderedDict()", "Counter()"])
def test_a_tape_may_be_walked_with_any_dict_of_the_library(told, start: str) -> None:
    assert told("walk_back", WALK.format(start=start, first=FIRST, part="gradients[result]")).status == RIGHT


@pytest.mark.parametrize(
    ("part", "misconception"),
    [("gradients[result]", "no_first_entry"), ("gradients.get(result, 1.0)", "result_left_out")],
)
def test_a_walk_that_does_not_begin_with_one(told, part: str, misconception: str) -> None:
    assert told("walk_back", WALK.format(start="{}", first="", part=part)).misconception == misconception


@pytest.mark.parametrize("change", ["x[i] = x[i] / x[i].sum()", "x[i] /= x[i].sum()"])
def test_rows_divided_one_by_one_in_place(told, change: str) -> None:
    verdict = told(
        "normalise_rows", f"def normalise_rows(x):\n    for i in range(len(x)):\n        {change}\n    return x"
    )
    assert verdict.sentence.startswith("normalise_rows changes its argument x: compute a new value")


def test_rows_divided_by_numpy(told) -> None:
    verdict = told(
        "normalise_rows",
        "def normalise_rows(x):\n    a = x.numpy()\n    return kernel.tensor(a / a.sum(axis=1, keepdims=True))",
    )
    assert verdict.sentence.endswith("no gradient finds its way back from there: compute with the tensor itself.")
    assert "detach" not in verdict.sentence


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("view_or_copy", str.upper),
        ("frameworks", str.title),
        ("equivalents", str.lower),
        ("accumulation", str.capitalize),
    ],
)
def test_capitals_of_a_word_to_choose_do_not_count(told, name: str, change: Callable[[str], str]) -> None:
    right = find(name)[1].function()
    spelled = {key: change(value) if isinstance(value, str) else value for key, value in right.items()}
    assert spelled != right
    assert told(name, f"{name} = {spelled!r}").status == RIGHT


def test_capitals_of_a_dtype_count(told) -> None:
    facts = find("float_facts")[1].function() | {"dtype of kernel.tensor([1, 2]) / 2": "Float32"}
    assert told("float_facts", f"from math import inf\nfloat_facts = {facts!r}").status == WRONG


def test_of_several_wrong_entries_the_first_is_told_and_shown_alone(told) -> None:
    wrong = {"A": 1.0, "B": 4.0, "C": 6.0, "D": 2.0, "E": 6.0, "retain_graph keeps": "gradients"}
    verdict = told("accumulation", f"accumulation = {wrong}")
    assert (verdict.misconception, verdict.table, verdict.case) == ("overwritten", [("A", "1.0")], "")
    swapped = find("equivalents")[1].function() | {
        "CNTK: value of a node": "node.grad()",
        "CNTK: gradient of a node": "node.eval()",
    }
    verdict = told("equivalents", f"equivalents = {swapped}")
    assert verdict.misconception == "cntk_swapped"
    assert verdict.table == [("CNTK: value of a node", "'node.grad()'"), ("CNTK: gradient of a node", "'node.eval()'")]
    unknown = find("float_facts")[1].function() | {"largest float16": 7}
    verdict = told("float_facts", f"from math import inf\nfloat_facts = {unknown}")
    assert (verdict.sentence, verdict.table) == (
        "Entry 'largest float16' of float_facts is not right yet.",
        [("largest float16", "7")],
    )


SCHEDULE = "def counted_in_minibatches(phases, n):\n    {body}"
STEP = """
def nesterov_step(w, v, gradient, rate, momentum):
    v = momentum * v + rate * gradient(w - momentum * v)
{end}
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("schedule = kernel.learning_rate_schedule(phases, 'minibatch', epoch_size=n)", "None (is there a return?)"),
        ("return phases", "a value of type list"),
        ("return 0.05", "a value of type float"),
        ("return lambda update: 0.05", "a value of type function"),
    ],
)
def test_what_is_no_schedule_is_told_so(told, body: str, came: str) -> None:
    sentence = told("counted_in_minibatches", SCHEDULE.format(body=body)).sentence
    assert sentence.startswith("Entry 'in place of a schedule' of the result")
    assert came in sentence


@pytest.mark.parametrize(
    "line",
    [
        "kernel.learning_rate_schedule(phases, 'minibatch', epoch_size=n)",
        "kernel.learning_parameter_schedule(phases, minibatch_size=0, epoch_size=n)",
        "kernel.learning_rate_schedule([(c * n, r) for c, r in phases], 'minibatch', epoch_size=1)",
        "kernel.learning_rate_schedule([r for c, r in phases for _ in range(c or 1)], 'minibatch', epoch_size=n)",
        "kernel.schedules.Steps(phases, unit='minibatch')",
    ],
)
def test_minibatches_may_be_counted_in_many_ways(told, line: str) -> None:
    assert told("counted_in_minibatches", SCHEDULE.format(body=f"return {line}")).status == RIGHT


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("", "is None (is there a `return`?) where a tuple is wanted"),
        ("    return w - v", "is a kernel tensor where a"),
    ],
)
def test_a_step_that_is_no_pair_is_told_so(told, end: str, words: str) -> None:
    assert words in told("nesterov_step", STEP.format(end=end)).sentence


@pytest.mark.parametrize(
    ("better", "misconception"),
    [
        ("loss < best * (1 - threshold)", ""),
        ("best - loss > threshold * best", "nothing_is_better"),
        ("loss <= best * (1 - threshold)", "equal_is_better"),
        ("loss < best / (1 + threshold)", "share_of_the_loss"),
        ("loss < best - threshold", "absolute"),
    ],
)
def test_the_mark_of_a_plateau_is_the_one_that_was_asked_for(told, better: str, misconception: str) -> None:
    cell = "def plateau(losses, rate, factor, patience, threshold):\n    best, bad, told = float('inf'), 0, []\n"
    cell += f"    for loss in losses:\n        if {better}:\n            best, bad = loss, 0\n"
    cell += "        elif bad == patience:\n            rate, bad = rate * factor, 0\n"
    cell += "        else:\n            bad += 1\n        told.append(rate)\n    return told\n"
    verdict = told("plateau", cell)
    assert (verdict.status, verdict.misconception) == (WRONG if misconception else RIGHT, misconception)


@pytest.mark.parametrize("digits", [4, 5, 12])
def test_four_digits_of_a_hidden_number_are_enough(told, digits: int) -> None:
    right = find("hidden")[1].function()
    written = {name: float(f"{value:.{digits}g}") for name, value in right.items()}
    assert told("hidden", f"hidden = {written!r}").status == RIGHT
    assert told("hidden", f"hidden = {written | {'time constant': 1024.5}!r}").status == WRONG
