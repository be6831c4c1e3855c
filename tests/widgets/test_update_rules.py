"""The language of update rules: what it means, what it becomes, and what a mistake is told."""

import ast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import kernel
from widgets.formula_path import EXAMPLES
from widgets.update_rules import FUNCTIONS, LONGEST, Formula, RuleError, read


def test_state_is_what_is_read_before_it_is_written():
    assert read("v = 0.9*v + g\nw = w - rate*v").state == ("v",)
    assert read("v = g*g\nw = w - rate*v").state == ()
    assert read("w = w - rate*v\nv = 0.9*v + g").state == ("v",)
    assert read("g = g + 0.1*w; w -= rate*g").state == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rule_its_program_and_its_code_agree(name):
    formula, random = read(EXAMPLES[name].text), np.random.default_rng(0)
    if name == "find the bug":
        formula = read(EXAMPLES[name].text.replace("sqrt(a)", "sqrt(a + 1)"))
    w = kernel.Parameter(random.normal(size=(3, 2)))
    namespace = {"kernel": kernel, "model": kernel.layers.Sequential([])}
    made = formula.code(0.1).replace("model.parameters()", "[w]")
    exec(made, namespace | {"w": w}, namespace)
    learner, rate = namespace["learner"], 0.1

    by_hand, kept = w.detach().clone(), {name: kernel.zeros(3, 2, dtype="float64") for name in formula.state}
    arrays = [w.value.copy(), None, *(np.zeros((3, 2)) for _ in formula.state)]
    for step in range(1, 4):
        g = random.normal(size=(3, 2))
        learner.update({w: g}, 1)
        by_hand, *new = formula(by_hand, kernel.tensor(g), rate, step, **kept)
        kept = dict(zip(formula.state, new, strict=True))
        arrays[1] = g.copy()
        formula.program.run(by_hand._kind, arrays, (np.array(rate), np.array(float(step))))
        np.testing.assert_allclose(w.value, by_hand.numpy(), rtol=1e-12)
        np.testing.assert_allclose(arrays[0], by_hand.numpy(), rtol=1e-12)
        for array, name in zip(arrays[2:], formula.state, strict=True):
            np.testing.assert_allclose(array, kept[name].numpy(), rtol=1e-12)


def test_several_values_in_a_step_are_assigned_once():
    code = read("w = w - rate*g\nw = maximum(w, 0)").code(0.1)
    assert code.count("kernel.assign") == 1
    w = kernel.Parameter([1.0, -1.0])
    namespace = {}
    exec(code.replace("model.parameters()", "[w]"), {"kernel": kernel, "w": w}, namespace)
    namespace["learner"].update({w: np.array([3.0, 3.0])}, 1)
    np.testing.assert_allclose(w.value, [0.7, 0], rtol=1e-6)


@settings(deadline=None)  # the machine may be busy
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 1))
def test_expressions_mean_what_python_means(w, g, rate):
    text = "w = -w + 2*g/(3 - rate) - (w - g)**2 * +rate + abs(g) - sign(w)*exp(rate) + maximum(w, 1)/minimum(g, -1)"
    wanted = (
        *(-w + 2 * g / (3 - rate) - (w - g) ** 2 * rate + abs(g) - np.sign(w) * np.exp(rate),),
        max(w, 1) / min(g, -1),
    )
    np.testing.assert_allclose(read(text)(w, g, rate, 1)[0], sum(wanted), rtol=1e-12, atol=1e-12)


def test_functions_of_numbers_are_numbers():
    formula = read("w = w - sqrt(4)*g + log(1) + 0*maximum(1, 2)")
    assert "sqrt" not in ast.unparse(formula.lines[0][1])
    assert formula(1.0, 0.25, 1, 1) == (0.5,)
    assert read("w = 3").program.python.startswith("def update(")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "No line gives w a new value"),
        ("v = 0.9*v + g", "No line gives w a new value"),
        ("w - rate*g", "column 1: give the result a name"),
        ("w == g", "column 1: == compares"),
        ("w = w - rate*v", "column 14: no line gives v a value; the names are w, g, rate, t."),
        ("v = g\nw = w - rat*v", "line 2, column 9: no line gives rat a value; did you mean rate?"),
        ("w = w - rate*sqr(g)", "column 14: there is no function sqr; did you mean sqrt?"),
        ("w = max(w, 0)", "did you mean maximum?"),
        ("w = maximum(w)", "column 5: maximum takes two values"),
        ("w = sqrt(w, g)", "column 5: sqrt takes one value"),
        ("w = sqrt(*g)", "sqrt takes one value"),
        ("w = sqrt*g", "column 5: sqrt is a function; what of?"),
        ("w = w - 2g", "column 10: write * after 2"),
        ("w = w - .5(g)", "column 11: write * after .5"),
        ("w = w(1 - rate)", "column 5: w is no function; a product is written"),
        ("w = (w + 1)(g)", "column 5: a * is missing before this bracket"),
        ("w = w - rate g", "column 14: this is not understood"),
        ("w = w - g^2", "column 5: a power is written with **"),
        ("w = w − g", "column 7: write - in the place of −."),
        ("w = w - (rate*g", "column 9: this bracket is opened and never closed"),
        ("w = w - rate*g)", "column 15: this bracket is closed and was never opened"),
        ("w = w -", "column 8: the line ends too soon; what comes after -?"),
        ("a = b = w", "column 5: one name should stand on the left of one ="),
        ("w[0] = g", "column 1: one name should stand on the left"),
        ("t = t + 1; w = g", "column 1: t counts the steps by itself"),
        ("exp = 3", "column 1: exp has a meaning already"),
        ("zip = g; w = zip", "column 1: zip has a meaning already"),
        ("lambda = 3", "column 1: lambda is a word of Python's own"),
        ("w = g if g > 0 else w", "column 5: there are no conditions"),
        ("if g > 0: w = g", "column 1: there are no conditions"),
        ("while g", "column 1: there are no conditions"),
        ("w = np.sqrt(g)", "column 5: nothing stands before a dot here"),
        ("w = [g]", "column 5: only numbers, names"),
        ("w = w // 2", "column 5: only numbers, names"),
        ("w = True", "column 5: only numbers, names"),
        ("import os", "column 1: only lines that give a name a value"),
        ("w = __import__('os')", "column 5: there is no function __import__"),
        ("w = 1/0", "column 5: 1 / 0 is no number"),
        ("w = 9**9**9**9", "9 ** 9 ** 9 is no number"),
        ("w = sqrt(-1)", "column 5: sqrt(-1) is no number"),
        ("w = (-8)**0.5", "column 5: (-8) ** 0.5 is no number"),
        ("w = 1e400", "column 5: this number is too large"),
        ("w = " + "w + " * 60 + "w", f"column {LONGEST + 1}: a line has at most {LONGEST} characters"),
        ("w = w\n" * 21, "at most 20 lines, and this one has 21"),
        ("ü = g; w = x*ü", "column 12: no line gives x a value"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, sentence):
    with pytest.raises(RuleError) as found:
        read(text)
    assert sentence in str(found.value)
    assert str(found.value)[-1] in ".?"


PIECES = "w g rate t v = + - * ** / ( ) , ; 2 .5 1e9 0x 1_0 == := if lambda . [ ' \\ # @ { : ü"
WORDS = st.sampled_from([*FUNCTIONS, *PIECES.split(), "\n", "\t", " ", "\x00"])


@settings(deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=30).map("".join), st.text(max_size=60)))
@example("w = " + "(" * 195)
@example("w=" + "-" * 190 + "w")
def test_any_text_is_a_rule_or_a_mistake(text):
    try:
        formula = read(text)
    except RuleError:
        return
    assert isinstance(formula, Formula)
    assert formula.program.python
    compile(formula.code(0.1), "code", "exec")
