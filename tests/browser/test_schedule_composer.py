"""The schedule composer in JupyterLab: lines written, pasted and copied, the curves pressed, two themes, two widths."""

import pytest

from widgets.schedule_composer import schedule_state

TITLE = "Schedule composer"
PASTED = "lr = C.learning_rate_schedule(unit=C.UnitType.minibatch, epoch_size=1024, lr=[0.05]*3 + [0.025]*2 + [0.0125])"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    cell = "from widgets import ScheduleComposer\n\nScheduleComposer()"
    notebook.open(lab.write("schedules.ipynb", "# Schedules", cell))
    notebook.run_all()


@pytest.fixture
def composer(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("in 288 updates the rate per update goes from 0.4 to 0.1, and adds up to 67.2.")
    return found


def line(composer):
    return composer.control("line").input_value()


def type_into(composer, label, text):
    composer.control(label).fill(text)
    composer.control(label).press("Enter")


def test_the_keyboard_moves_the_rate_and_the_line_with_it(composer):
    before = composer.seen()
    composer.slider("rate").focus()
    composer.page.keyboard.press("ArrowRight")
    composer.wait_until_all_changed(before)
    composer.wait_for_status("0.45 for 3072 samples, then 0.225 for 3072 samples")
    assert "[0.45] * 3 + [0.225] * 3 + [0.1125]" in line(composer)


def test_a_line_that_is_pasted_is_drawn(composer):
    before = composer.seen()
    field = composer.control("line")
    field.focus()
    composer.page.keyboard.press("ControlOrMeta+A")
    composer.page.keyboard.insert_text(PASTED)
    composer.wait_until_all_changed(before)
    state = schedule_state(PASTED)
    composer.wait_for_status(
        f"0.05 for 3072 samples, then 0.025 for 2048 samples, then 0.0125; per minibatch: in "
        f"{len(state.rates)} updates the rate per update goes from 0.05 to 0.0125"
    )
    assert composer.control("shape").input_value() == "as typed"
    assert composer.root.locator(".gradschool-code pre").inner_text() == PASTED
    composer.control("meant per").select_option(label="sample")
    composer.wait_for_status("then 0.0125; per sample: in 288 updates the rate per update goes from 1.6 to 0.4")
    assert line(composer).startswith("Steps([0.05, ")


def test_a_line_that_makes_no_schedule_is_answered_in_a_sentence(composer):
    type_into(composer, "line", "Cosin(0.1, 9)")
    box = composer.root.get_by_role("alert")
    box.get_by_text("there is no schedule Cosin; did you mean Cosine?").wait_for()
    type_into(composer, "line", "Cosine(0.1, 9, unit='sweep')")
    box.get_by_text("Cosin").wait_for(state="hidden")
    composer.wait_for_status("0.1 along a cosine to 0 over 9 sweeps")


def test_the_minibatch_grows_and_the_two_meanings_part(composer):
    type_into(composer, "minibatch", "[32] * 3 + [128]")
    composer.wait_for_status("Meant per sample, and the same at the start, it goes from 0.4 by way of 0.8 to 0.4")
    composer.control("meant per").select_option(label="sample")
    composer.wait_for_status("Meant per minibatch, and the same at the start")
    rows = composer.root.locator(".gradschool-table tbody tr")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["0", "3072", "6144"]


def test_every_shape_is_a_choice(composer):
    for shape, words in (
        ("warm-up, then cosine", "0 rising over 1024 samples, then 0.4 along a cosine"),
        ("one cycle", "0.016 up to 0.4 in 2765 samples"),
        ("pairs", "0.4 for 3072 samples, then 0.2 for 3072 samples"),
    ):
        alt = composer.alt()
        composer.control("shape").select_option(label=shape)
        composer.wait_for_change(alt)
        composer.wait_for_status(words[0].upper() + words[1:])


def test_pressing_a_curve_says_what_holds_there(composer):
    x, y = composer.root.locator(".gradschool-picture").evaluate(
        """frame => {
            const images = [...frame.querySelectorAll('img')].map(image => image.getBoundingClientRect());
            const [which, left, top, right, bottom] = JSON.parse(
                frame.querySelector('[data-pointers]').dataset.pointers)[2];
            const image = images[which];
            return [image.left + (left + right) / 2 * image.width, image.top + (top + bottom) / 2 * image.height];
        }"""
    )
    composer.page.mouse.click(x, y)
    composer.wait_until(lambda: "Update 145, after 4608 samples: the schedule says 0.2" in composer.details())
    assert float(composer.control("look at").input_value()) == 4608


def test_the_line_can_be_copied(composer):
    composer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    composer.button("Copy the code").click()
    composer.root.locator(".gradschool-copied").get_by_text("opied").wait_for()
    assert composer.page.evaluate("() => navigator.clipboard.readText()") == line(composer)


def test_time_from_key_press_to_picture(composer, capsys):
    type_into(composer, "minibatch", "[32] * 3 + [128]")
    composer.wait_for_status("Meant per sample")
    composer.control("shape").select_option(label="cosine")
    composer.wait_for_status("0.4 along a cosine to 0")
    size = composer.control("sweep size")
    samples = int(size.input_value())
    for label, control, key in (
        ("rate", composer.slider("rate"), "ArrowLeft"),
        ("over units", composer.slider("over units"), "ArrowRight"),
        ("sweep size", size, "ArrowUp"),
    ):
        milliseconds = composer.milliseconds(control, key, presses=12)
        with capsys.disabled():
            print(f"\nschedule composer, {label}: median key press to new picture {milliseconds:.0f} ms (aim: 100)")
        assert milliseconds > 0
    assert int(size.input_value()) == samples + 12 * 64


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(composer, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1250})
    notebook.theme(theme)
    type_into(composer, "minibatch", "[32] * 3 + [128]")
    composer.wait_for_status("Meant per sample")
    notebook.screenshot(f"schedule-composer-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = composer.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('.gradschool-table table'))
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
