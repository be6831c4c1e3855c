"""The momentum forms in JupyterLab: the map by mouse and keyboard, linked fields, two themes, two widths."""

import re

import pytest

from widgets.momentum_forms import momentum_state

TITLE = "Momentum forms"
BEGIN = "Heavy ball without unit gain, rate 1 and momentum 0.9 (a time constant of 94.91 samples)"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(lab.write("momentum.ipynb", "# Momentum", "from widgets import MomentumForms\n\nMomentumForms()"))
    notebook.run_all()


@pytest.fixture
def forms(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status(BEGIN)
    return found


def number(forms, label):
    return float(forms.control(label).input_value())


def seen(forms):
    """All that is to change when the run does."""
    texts = {place: forms.root.locator(f".gradschool-{place}").inner_text() for place in ("table", "code")}
    return {name: value for name, value in forms.seen().items() if name != "details"} | texts


def wait_until_all_changed(forms, before):
    forms.wait_until(lambda: all(now != then for now, then in zip(seen(forms).values(), before.values(), strict=True)))


def test_the_keyboard_moves_momentum_and_all_that_hangs_on_it(forms):
    before, lasting = seen(forms), number(forms, "time constant")
    forms.slider("momentum").focus()
    forms.page.keyboard.press("ArrowRight")
    wait_until_all_changed(forms, before)
    forms.wait_until(lambda: number(forms, "time constant") > lasting)
    state = momentum_state("heavy ball", 1.0, number(forms, "momentum"), 50.0, samples=10)
    forms.wait_for_status(f"a time constant of {state.time_constant:.4g} samples")
    forms.wait_until(lambda: number(forms, "half-life") == pytest.approx(state.half_life, rel=1e-3))


def test_fields_that_are_linked_follow_what_is_typed(forms):
    forms.control("time constant").fill("300")
    forms.control("time constant").press("Enter")
    forms.wait_for_status("momentum 0.9672 (a time constant of 300 samples)")
    forms.wait_until(lambda: number(forms, "half-life") == 207.94)
    forms.control("minibatch size").fill("20")
    forms.control("minibatch size").press("Enter")
    forms.wait_for_status("momentum 0.9355 (a time constant of 300 samples)")
    forms.wait_until(lambda: number(forms, "momentum") == 0.935507)


def test_a_click_on_the_map_chooses_rate_and_momentum(forms):
    left, top, right, bottom = forms.root.locator(".gradschool-picture").evaluate(
        """frame => {
            const image = frame.querySelector('img').getBoundingClientRect();
            const box = JSON.parse(frame.querySelector('[data-pointers]').dataset.pointers)[0];
            const [left, top, right, bottom] = box.slice(-5, -1);
            return [image.left + left * image.width, image.top + top * image.height,
                    image.left + right * image.width, image.top + bottom * image.height];
        }"""
    )
    before = seen(forms)
    # Half of the way across is rate 1, nine tenths of it rate 40: there everything diverges.
    forms.page.mouse.click(left + 0.9 * (right - left), bottom + 0.3 * (top - bottom))
    forms.wait_for_status("the run diverges")
    wait_until_all_changed(forms, before)
    forms.wait_until(lambda: number(forms, "rate") == pytest.approx(10 ** (-2 + 0.9 * 4), rel=0.05))
    forms.wait_until(lambda: number(forms, "momentum") == pytest.approx(1 - 0.005**0.3, abs=0.02))


def test_the_map_is_left_for_that_of_the_other_form(forms):
    alt = forms.alt()
    forms.control("form").select_option(label="Nesterov")
    forms.wait_for_change(alt)
    forms.wait_for_status("Nesterov without unit gain, rate 1 and momentum 0.9")
    forms.root.get_by_role("checkbox", name="unit gain").check()
    forms.wait_for_status("Nesterov with unit gain, rate 1 and momentum 0.9")


def test_buttons_say_why_they_do_not(forms):
    forms.button("Other gain, same path").focus()
    forms.page.keyboard.press("Enter")
    forms.wait_for_status("Heavy ball with unit gain, rate 10 and momentum 0.9")
    forms.button("Reset").click()
    forms.wait_for_status(BEGIN)
    forms.control("rate").fill("50")
    forms.control("rate").press("Enter")
    forms.wait_for_status("the run diverges")
    forms.button("Other gain, same path").click()
    box = forms.root.get_by_role("alert")
    box.get_by_text(re.compile("needs a rate of 500, which is off the map")).wait_for()
    forms.button("Fastest").click()
    box.get_by_text("off the map").wait_for(state="hidden")
    forms.wait_for_status("in the long run every 17 steps")


def test_time_from_key_press_to_picture(forms, capsys):
    for label in ("momentum", "rate", "condition number"):
        milliseconds = forms.milliseconds(forms.slider(label), "ArrowLeft", presses=12)
        with capsys.disabled():
            print(
                f"\nmomentum forms, {label}: median key press to new picture {milliseconds:.0f} ms (aim: at most 100)"
            )
        assert milliseconds > 0


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(forms, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1250})
    notebook.theme(theme)
    notebook.screenshot(f"momentum-forms-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = forms.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('.gradschool-table table'))
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
