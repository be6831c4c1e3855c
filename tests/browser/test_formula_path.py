"""Typing an update rule in JupyterLab: letter by letter, with a mistake and without, two themes, two widths."""

import pytest

from widgets.formula_path import EXAMPLES

TITLE = "Type a rule, see its path"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(lab.write("formula_path.ipynb", "# A rule", "from widgets import FormulaPath\n\nFormulaPath()"))
    notebook.run_all()


@pytest.fixture
def path(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 1600})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("Your rule, at rate 0.2, falls from a loss of 0.749")
    found.wait_until(lambda: found.control("rule").input_value() == EXAMPLES["momentum"].text)
    return found


def code(path):
    return path.root.locator(".gradschool-code pre").inner_text()


def test_what_is_typed_is_drawn_letter_by_letter(path):
    before = path.seen()
    rule = path.control("rule")
    rule.focus()
    path.page.keyboard.press("Control+A")
    path.page.keyboard.type("a = 0.9*a + 0.1*g**2")
    path.page.keyboard.press("Enter")
    path.page.keyboard.type("w = w - 0.1*rate*g/(sqrt(a) + 1e-8)")
    path.wait_until(lambda: "kernel.assign(a, 0.9 * a + 0.1 * g ** 2)" in code(path))
    path.wait_until_all_changed(before)
    assert rule.input_value().count("\n") == 1, "Enter begins a line, and runs no cell"
    assert path.control("example").input_value() == "your own"
    assert "sqrt(a, out=" in path.details()


def test_a_mistake_is_told_with_its_place_and_mended(path):
    rule = path.control("rule")
    rule.fill("v = 0.9*v + g\nw = w - rate*u")
    box = path.root.get_by_role("alert")
    box.get_by_text("line 2, column 14: no line gives u a value").wait_for()
    rule.press("Control+End")
    rule.press("Backspace")
    box.get_by_text("line 2, column 14: the line ends too soon").wait_for()
    path.page.keyboard.type("v")
    box.get_by_text("line 2").wait_for(state="hidden")


def test_an_example_brings_its_lines(path):
    path.control("example").select_option(label="find the bug")
    path.wait_for_status("is lost at step 1, where w is infinite: something is divided by 0")
    assert path.control("rule").input_value() == EXAMPLES["find the bug"].text
    path.control("example").select_option(label="Adam")
    path.wait_for_status("Your rule, at rate 0.1, falls")


def test_the_start_is_dragged_and_the_surface_chosen(path):
    frame = path.root.locator(".gradschool-picture img").first.bounding_box()
    path.page.mouse.move(frame["x"] + 0.4 * frame["width"], frame["y"] + 0.4 * frame["height"])
    path.page.mouse.down()
    path.page.mouse.move(frame["x"] + 0.8 * frame["width"], frame["y"] + 0.6 * frame["height"], steps=4)
    path.page.mouse.up()
    path.wait_until(lambda: float(path.control("start, across").input_value()) > 0.5)
    path.control("surface").select_option(label="Rosenbrock")
    path.wait_until(lambda: "Rosenbrock's valley, from (−1.5, 2)" in path.alt())


def test_time_from_key_press_to_picture(path, capsys):
    rule = path.control("rule")
    rule.fill("v = 0.9*v + g\nw = w - rate*v*0.1")
    path.wait_until(lambda: "rate * v * 0.1)" in code(path))
    rule.press("Control+End")
    # Few letters: with more of them the numbers, and so the pictures, no longer differ.
    typing = path.milliseconds(rule, "5", presses=4)
    sliding = path.milliseconds(path.slider("rate"), "ArrowRight", presses=15)
    with capsys.disabled():
        print(f"\nformula path: key press to new picture {typing:.0f} ms, rate {sliding:.0f} ms (aim: at most 100)")
    assert min(typing, sliding) > 0


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(path, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1800})
    notebook.theme(theme)
    notebook.screenshot(f"formula-path-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = path.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('.gradschool-table table'))
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
