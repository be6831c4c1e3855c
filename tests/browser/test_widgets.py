"""The widgets in JupyterLab: keyboard, mouse, sentence, numbers, error box, two themes, two widths."""

import re

import pytest

from widgets.logits import logits_state

LOGITS, BROADCASTING = "From logits to loss", "Broadcasting, axis by axis"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    path = lab.write(
        "widgets.ipynb",
        "# Widgets",
        "from widgets import Broadcasting, Logits, show, subplots\n\nLogits()",
        "Broadcasting()",
        "figure, axes = subplots(width=400, height=240)\n"
        "axes.plot([0, 1, 2], [1.0, 0.5, 0.25])\n"
        "axes.set_title('Loss')\n"
        "show(figure, alt='A curve that falls from 1 to a quarter.', caption='Each step halves the loss.')",
    )
    notebook.open(path)
    notebook.run_all()


@pytest.fixture
def logits(widget):
    found = widget(LOGITS)
    if "0.4076" not in found.status():
        alt = found.alt()
        found.button("Reset").click()
        found.wait_for_change(alt)
    return found


def test_keyboard_moves_picture_sentence_and_numbers(logits):
    before = logits.seen()
    logits.slider("logit of dog").focus()
    logits.page.keyboard.press("ArrowRight")
    logits.wait_until_all_changed(before)
    assert logits.control("logit of dog").input_value() == "1.1"
    assert f"{logits_state([2.0, 1.1, 0.0], 0).loss:.4f}" in logits.status()


def test_mouse_moves_picture_sentence_and_numbers(logits):
    before = logits.seen()
    logits.drag(logits.slider("logit of cat"), -40)
    logits.wait_until_all_changed(before)

    def loss_of_the_number_field() -> str:
        return f"{logits_state([float(logits.control('logit of cat').input_value()), 1.0, 0.0], 0).loss:.4f}"

    # A drag is several moves, and the field follows them one by one.
    logits.wait_until(lambda: loss_of_the_number_field() in logits.status())
    assert float(logits.control("logit of cat").input_value()) < 2


def test_number_field_and_list_move_the_widget(logits):
    alt = logits.alt()
    logits.control("logit of owl").fill("3")
    logits.control("logit of owl").press("Enter")
    logits.wait_for_change(alt)
    logits.wait_for_status(f"{logits_state([2.0, 1.0, 3.0], 0).loss:.4f}")
    logits.control("truth").select_option(label="owl")
    logits.wait_for_status(f"{logits_state([2.0, 1.0, 3.0], 2).loss:.4f}")
    assert "The truth, owl," in logits.status()


def test_buttons_work_from_the_keyboard(logits):
    logits.button("Sure and wrong").focus()
    logits.page.keyboard.press("Enter")
    logits.wait_for_status(f"{logits_state([-3.0, 3.0, 3.0], 0).loss:.4f}")
    logits.button("Reset").focus()
    logits.page.keyboard.press("Space")
    logits.wait_for_status("0.4076")
    assert logits.control("logit of cat").input_value() == "2"


def test_time_from_key_press_to_picture(logits, capsys):
    milliseconds = logits.milliseconds(logits.slider("logit of dog"), "ArrowRight", presses=15)
    with capsys.disabled():
        print(f"\nlogits widget: median key press to new picture {milliseconds:.0f} ms (aim: at most 100 ms)")
    assert milliseconds > 0


def test_typed_shapes_are_drawn_and_explained(widget):
    drawer = widget(BROADCASTING)
    alt = drawer.alt()
    drawer.control("shape of b").fill("(2, 1, 4)")
    drawer.wait_for_change(alt)
    drawer.wait_for_status("give (2, 3, 4)")
    assert "axis -3: a has no such axis, so it counts as 1 and is stretched to 2" in drawer.status()
    drawer.control("shape of b").fill("(2, 4)")
    drawer.wait_for_status("axis -2: 3 and 2 differ and neither is 1")


def test_a_refused_value_is_answered_in_one_sentence(widget):
    drawer = widget(BROADCASTING)
    drawer.control("shape of a").fill("three")
    box = drawer.root.get_by_role("alert")
    box.get_by_text("shape of a: write whole numbers in brackets").wait_for()
    drawer.control("shape of a").fill("(3, 1)")
    box.get_by_text("shape of a").wait_for(state="hidden")


def test_figure_has_its_two_texts(notebook):
    assert notebook.page.get_by_role("img", name="A curve that falls from 1 to a quarter.").is_visible()
    assert notebook.page.locator("figcaption", has_text=re.compile("^Each step halves the loss.$")).is_visible()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_no_serious_finding_of_axe(notebook, theme):
    notebook.theme(theme)
    assert notebook.violations() == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place(notebook, widget, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.theme(theme)
    for name, title in (("logits", LOGITS), ("broadcasting", BROADCASTING)):
        found = widget(title)
        notebook.screenshot(f"{name}-{width}-{theme.lower()}")
        overflowing = found.root.evaluate(
            """root => [...root.querySelectorAll('*')]
                .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
                .map(element => element.outerHTML.slice(0, 120))"""
        )
        assert overflowing == []
