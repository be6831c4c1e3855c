"""One sentence for each thing that can go wrong with an answer."""

import pytest

RIGHT = """
import kernel

def softmax(logits):
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
"""
BODY = RIGHT.split("def softmax(logits):\n")[1]


TINY = "    return -kernel.log(kernel.gather(softmax(logits), 1, labels.reshape(-1, 1)) + tiny).mean()"


def softmax(first_lines: str, before: str = "") -> str:
    """A right softmax after the given lines, which stand on line 2 of the cell when nothing is before it."""
    lines = "".join(f"    {line}\n" for line in first_lines.splitlines())
    return f"{before}def softmax(logits):\n{lines}{BODY}"


def test_a_right_answer_earns_the_points(answer) -> None:
    verdict = answer("softmax", RIGHT)
    assert (verdict.status, verdict.points, verdict.possible) == ("right", 3, 3)
    assert verdict.sentence == "All 6 cases agree with the reference, in float64 and float32."
    assert verdict.confinement.startswith("Level ")
    assert verdict.seconds < 5


@pytest.mark.parametrize(
    "source",
    [
        None,
        "",
        "# only a comment",
        'def softmax(logits):\n    raise NotImplementedError("write your answer here")',
        'def softmax(logits):\n    """Docs."""\n    ...',
        'def softmax(logits):\n    x = 1\n    raise NotImplementedError("write your answer here")',
        "%matplotlib inline",
    ],
)
def test_not_attempted(answer, source: str | None) -> None:
    verdict = answer("softmax", source)
    assert (verdict.status, verdict.points) == ("not attempted", 0)
    assert verdict.sentence.startswith("softmax has no answer yet")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "def softmax(logits):\n    return (",
            "Python cannot read line 2 (`return (`) of your cell: '(' was never closed.",
        ),
        ("x = 3\n1 / 0", "The cell stops with ZeroDivisionError on line 2 (`1 / 0`): division by zero."),
        (
            "import matplotlib",
            "The cell imports matplotlib (line 1), which a check does not offer: answer with kernel and NumPy.",
        ),
        (
            "from kernel import soft_max_of",
            "The cell stops at an import (line 1): cannot import name 'soft_max_of' from 'kernel'.",
        ),
        ("import kernel.nn", "The cell imports kernel.nn (line 1), which a check does not offer: answer with"),
        ("def softmaks(x):\n    return x", "The cell does not define a function softmax(logits); it defines softmaks."),
        (
            "softmax = 3",
            "softmax should be a function that can be called as softmax(logits), but the cell makes it a value.",
        ),
        (
            softmax("logits + eps"),
            "softmax uses eps, which this cell does not define (line 2): define or import it here.",
        ),
        (
            softmax("logit + 1"),
            "softmax uses logit, which this cell does not define (line 2): did you mean logits?",
        ),
        (
            softmax("softmax = logits", "softmax = my_softmax\n"),
            "The cell uses my_softmax, which this cell does not define (line 1): define or import it here.",
        ),
        ("await x\n" + RIGHT, "Python cannot read line 1 (`await x`) of your cell: 'await' outside function."),
        (
            "open('data.txt')\n" + RIGHT,
            "The cell does what a check refuses (line 1): an answer may not read data.txt.",
        ),
        (
            "def softmax(a, b):\n    return a",
            "softmax cannot be called as softmax(logits): softmax() missing 1 required positional argument: 'b'.",
        ),
        (
            softmax("return None"),
            "The result of softmax is None (is there a `return`?) where a kernel tensor is wanted.",
        ),
        (
            softmax("return [1.0]"),
            "The result of softmax is a list where a kernel tensor is wanted: "
            "put its parts into one with kernel.stack.",
        ),
        (
            softmax("return logits.sum().item()"),
            "The result of softmax is a number where a kernel tensor is wanted: leave out `.item()` and `float()`.",
        ),
        (
            softmax("return torch.exp(logits)"),
            "softmax uses torch (line 2), which a check does not offer: answer with kernel and NumPy.",
        ),
        (softmax("exit()"), "The cell calls exit or sys.exit (line 2): softmax should return its result instead."),
        (
            softmax("return kernel.tensor(logits.numpy())"),
            "softmax takes the numbers out with .numpy() (line 2), and no gradient finds its way back from there: "
            "compute with the tensor itself.",
        ),
        (
            # The first case wants no gradient and lets the assignment through, the others refuse it.
            softmax("logits[0] = logits[0] * 2"),
            "softmax changes its argument logits: compute a new value and leave the argument as it came.",
        ),
        (
            softmax("return logits.detach().numpy()"),
            "The result of softmax is a NumPy array where a kernel tensor is wanted: "
            "use kernel's functions in place of NumPy's.",
        ),
        (softmax("return logits.reshape(-1)"), "The result of softmax has shape (3,) where (1, 3) is wanted."),
        (
            softmax("logits = kernel.tensor(logits.detach().numpy(), dtype='float16')"),
            "The result of softmax has dtype float16 where float64 is wanted.",
        ),
        (
            softmax("logits = logits.detach()"),
            "The result of softmax has lost its history: compute with the tensor itself, not with its numbers "
            "(in another case, float64).",
        ),
        (
            softmax("logits.data = logits.data * 0"),
            "softmax changes its argument logits: compute a new value and leave the argument as it came.",
        ),
        (
            softmax("return logits * 0"),
            "The result of softmax is 0 at [0, 0] where 0.0900306 is expected.",
        ),
        (
            softmax("return logits / 0"),
            "The result of softmax is inf at [0, 0] where 0.0900306 is expected.",
        ),
        (
            softmax("if logits.shape != (1, 3):\n    return logits * 0 / 0"),
            "The result of softmax is nan at [0, 0] where",
        ),
        (
            softmax("raise SystemExit"),
            "The cell calls exit or sys.exit (line 2): softmax should return its result instead.",
        ),
        (
            softmax("sys.exit(0)", "import sys\n"),
            "The cell calls exit or sys.exit (line 3): softmax should return its result instead.",
        ),
        (softmax("input('name?')"), "softmax asks for input (line 2): an answer computes with its arguments alone."),
        (
            softmax("return softmax(logits)"),
            "softmax calls itself without end (line 2): Python's recursion limit was reached.",
        ),
        (softmax("raise KeyboardInterrupt"), "softmax stops with KeyboardInterrupt on line 2"),
        ("x = (" * 500, "Python cannot read"),
        ("x = 1\0", "Python cannot read"),
    ],
)
def test_one_sentence_says_what_is_wrong(answer, source: str, sentence: str) -> None:
    verdict = answer("softmax", source)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert verdict.sentence.startswith(sentence)
    assert "\n" not in verdict.sentence


def test_a_wrong_derivative_of_right_values(answer) -> None:
    verdict = answer("softmax", softmax("logits = 2 * logits - logits.detach()"))
    assert verdict.sentence.startswith("The values of softmax are right, but its gradient with respect to logits is ")
    assert [row[0] for row in verdict.table] == ["logits", "expected gradient of logits", "got gradient of logits"]


def test_the_public_case_is_shown_with_expected_and_got(answer) -> None:
    verdict = answer("softmax", softmax("return logits * 0"))
    assert verdict.table == [
        ("logits", "[[1. 2. 3.]]"),
        ("expected", "[[0.09   0.2447 0.6652]]"),
        ("got", "[[0. 0. 0.]]"),
    ]
    assert verdict.case == "float64"


def test_a_note_says_which_case_fails(answer) -> None:
    verdict = answer("softmax", softmax("if abs(logits.detach()).max().item() > 99:\n    return logits"))
    assert "(large logits, float64)" in verdict.sentence


def test_a_misconception_is_recognised_in_other_words(answer) -> None:
    verdict = answer("softmax", "def softmax(z):\n    e = kernel.exp(z)\n    return e / e.sum(axis=-1, keepdims=True)")
    assert verdict.misconception == "without_shift"
    assert verdict.sentence.startswith("exp(1000) is inf and inf/inf is nan")


def test_prints_are_shown_and_do_not_count(answer) -> None:
    verdict = answer("softmax", softmax("print('shape', logits.shape)"))
    assert verdict.status == "right"
    assert verdict.printed.startswith("shape (1, 3)\n")


def test_what_belongs_to_the_notebook_is_left_out(answer) -> None:
    source = (
        f"%matplotlib inline\n!ls\nfrom classroom import check, hint\n{RIGHT}\ncheck('softmax')\nhint(\n 'softmax'\n)"
    )
    assert answer("softmax", source).status == "right"


def test_a_used_reference_stands_before_the_answer(answer) -> None:
    source = """
def crossentropy(logits, labels):
    return -kernel.log(kernel.gather(softmax(logits), 1, labels.reshape(-1, 1))).mean()
"""
    assert answer("crossentropy", source).status == "right"


def test_changing_an_argument_on_purpose(answer) -> None:
    right = "def rescale(weights, rate):\n    weights *= 1 - rate\n    return weights"
    assert answer("rescale", right).status == "right"
    verdict = answer("rescale", "def rescale(weights, rate):\n    weights[0] = 7\n    return weights * 0")
    assert verdict.sentence == "rescale leaves an argument weights that is 7 at [0] where 0.9 is expected."


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("def softmax(logits):\n    return kernel.softmax(logits)", "kernel.softmax (line 2)"),
        ("def softmax(logits):\n    return kernel.exp((logits * 1).log_softmax(1))", ".log_softmax (line 2)"),
        ("from kernel import softmax as s\ndef softmax(logits):\n    return s(logits)", "softmax (line 1)"),
    ],
)
def test_an_answer_that_lets_the_library_do_the_work(answer, cell: str, name: str) -> None:
    verdict = answer("softmax", cell)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert verdict.sentence == f"softmax uses {name}, which does the work for you: write the steps yourself."


def test_values_to_fill_in(answer) -> None:
    assert answer("half_life", "half_life = 1 / 2").status == "right"
    assert answer("half_life", "half_life = ...").status == "not attempted"
    wrong = answer("half_life", "half_life = 0.25")
    assert wrong.sentence == "half_life is not right yet."
    assert wrong.table == []
    assert answer(
        "promoted", "promoted = {'int64 + float32': 'float32', 'bool + int64': 'bool', 'items': 4}"
    ).table == [("bool + int64", "'bool'")]
    keys = ("int64 + float32", "bool + int64", "items")
    right = ("float32", "int64", 3)
    for given, sentence in [
        (
            (...,) * 3,
            "promoted has no answer yet: write it in place of the three dots, run the cell, and check again.",
        ),
        (("float32", ..., 3), "Entry 'bool + int64' of promoted is still open: write your answer in place of `...`."),
        (("float32", "int64", 4), "Entry 'items' of promoted is not right yet."),
        (
            ("single", "int64", 3),
            "Entry 'int64 + float32' of promoted is 'single', which is not on offer: "
            "choose bool, int64, float32 or float64.",
        ),
        (("float32", 64, 3), "Entry 'bool + int64' of promoted is a number where a string is wanted."),
        (("float64", "int64", 4), "NumPy widens to float64 here; the kernel keeps the dtype of the floating operand."),
        (right, "promoted is as it should be."),
        (("Float32", " INT64", 3), "promoted is as it should be."),
    ]:
        filled = ", ".join(
            f"{key!r}: {'...' if value is ... else repr(value)}" for key, value in zip(keys, given, strict=True)
        )
        assert answer("promoted", f"promoted = {{{filled}}}").sentence == sentence
    verdict = answer("promoted", "promoted = {'items': 3}")
    assert verdict.sentence == "promoted lacks the entry 'int64 + float32'."
    assert answer("promoted", "promoted = {'bool + int64': kernel.tensor([1]).dtype}").points == 0


def test_the_seed_repeats_the_inputs(answer) -> None:
    source = softmax("print(logits.detach().numpy().sum())")
    one, again, other = (answer("softmax", source, seed=seed).printed for seed in (5, 5, 6))
    assert one == again
    assert one != other


def test_numbers_that_look_alike_are_shown_with_more_decimals_only_if_they_differ(answer) -> None:
    work = "e = kernel.exp(logits - logits.max(axis=1, keepdims=True)); p = e / e.sum(axis=1, keepdims=True); "
    nearly = answer("softmax", softmax(f"{work}return p + 1e-6"))
    assert [row[1] for row in nearly.table[1:]] == [
        "[[0.09003057 0.24472847 0.66524096]]",
        "[[0.09003157 0.24472947 0.66524196]]",
    ]
    array = answer("softmax", softmax(f"{work}return p.detach().numpy()"))
    assert [row[1] for row in array.table[1:]] == ["[[0.09   0.2447 0.6652]]"] * 2


def test_a_number_of_the_students_own_is_found_in_the_cell(answer) -> None:
    for tiny in ("1e-3", "2.5e-07", "0.25"):
        verdict = answer("crossentropy", f"def crossentropy(logits, labels):\n    tiny = {tiny}\n{TINY}")
        assert verdict.misconception == "tiny_added", tiny
    unknown = answer("crossentropy", f"def crossentropy(logits, labels):\n    tiny = 1 / 777\n{TINY}")
    assert unknown.misconception == ""
    assert answer("crossentropy", f"def crossentropy(logits, labels):\n    tiny = 1e999\n{TINY}").status == "wrong"


def test_the_first_wrong_entry_is_told_first(answer) -> None:
    """all_bool, about the second entry, stands before off_by_one, about the third; here both are wrong."""
    both = "promoted = {'int64 + float32': 'float32', 'bool + int64': 'bool', 'items': 4}"
    assert answer("promoted", both).misconception == "all_bool"
