"""The learner race in JupyterLab: start and time by mouse, rates by keyboard, retuning, two themes, two widths."""

import re

import pytest

from widgets.racing import NAMES, retuned
from widgets.surfaces import SURFACES

TITLE = "Learner race"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(lab.write("race.ipynb", "# The race", "from widgets import LearnerRace\n\nLearnerRace()"))
    notebook.run_all()


@pytest.fixture
def race(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 1400})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("Step 25 of 80 on the quadratic: ")
    found.wait_until(lambda: number(found, "start, across") == SURFACES["quadratic"].start[0])
    return found


def number(race, label):
    return float(race.control(label).input_value())


def row(race, learner):
    """The table's row: rate, rate over that of sgd, two losses, where it is."""
    return race.root.locator("tr", has=race.page.get_by_role("rowheader", name=learner, exact=True)).locator("td")


def place(race, picture, across, up):
    """A point of the page: the part of the picture that takes the mouse, so far from its left and from its foot."""
    return race.root.locator(".gradschool-picture").evaluate(
        """(frame, [picture, across, up]) => {
            const parts = JSON.parse(frame.querySelector('[data-pointers]').dataset.pointers);
            const [left, top, right, bottom] = parts[picture].slice(-5, -1);
            const image = frame.querySelectorAll('img')[picture].getBoundingClientRect();
            return [image.left + (left + across * (right - left)) * image.width,
                    image.top + (bottom + up * (top - bottom)) * image.height];
        }""",
        [picture, across, up],
    )


def test_the_start_is_dragged_on_the_map_and_all_run_from_there(race):
    before = race.seen()

    def start():
        across, up = re.search(r"from \((.+?),\s(.+?)\) to step", race.alt()).groups()
        return [float(each.replace("−", "-")) for each in (across, up)]

    race.page.mouse.move(*place(race, 0, 0.5, 0.5))
    race.page.mouse.down()
    race.page.mouse.move(*place(race, 0, 0.75, 0.25), steps=5)
    race.page.mouse.up()
    race.wait_until(lambda: start() == pytest.approx([1, -1], abs=0.03))
    race.wait_until_all_changed(before)
    assert [number(race, "start, across"), number(race, "start, up")] == start()


def test_a_start_is_typed(race):
    race.control("start, up").fill("0")
    race.control("start, up").press("Enter")
    race.wait_until(lambda: "from (−1.7,\N{NO-BREAK SPACE}0) to step 25" in race.alt())


def test_time_is_scrubbed_on_the_curves_and_from_the_keyboard(race):
    race.page.mouse.click(*place(race, 1, 0.5, 0.5))
    race.wait_for_status("Step 40 of 80")
    race.slider("step").focus()
    race.page.keyboard.press("ArrowRight")
    race.wait_for_status("Step 41 of 80")
    race.button("Play step").focus()
    race.page.keyboard.press("Enter")
    race.wait_for_status("Step 80 of 80")


def test_every_learner_has_a_rate_of_its_own(race):
    assert row(race, "adam").nth(0).inner_text() == row(race, "sgd").nth(0).inner_text() == "0.3"
    race.slider("its rate").focus()
    race.page.keyboard.press("ArrowLeft")
    race.wait_until(lambda: row(race, "adam").nth(0).inner_text() == "0.27")
    assert row(race, "sgd").nth(0).inner_text() == "0.3"
    race.control("learner").select_option(label="sgd")
    race.wait_until(lambda: number(race, "its rate") == 0.3)
    race.button("Same rate for all").click()
    race.wait_for_status("all have the same rate")


def test_retuning_says_how_unequal_the_rates_are(race):
    race.button("Retune all").focus()
    race.page.keyboard.press("Enter")
    race.wait_for_status("-fold.")
    best = retuned("quadratic", 50.0, SURFACES["quadratic"].start)
    race.wait_until(lambda: [float(row(race, name).nth(0).inner_text()) for name in NAMES] == list(best))
    assert number(race, "its rate") == best[NAMES.index("adam")]


def test_a_rate_that_is_too_large_is_said_in_words(race):
    race.control("learner").select_option(label="sgd")
    race.wait_until(lambda: "step of sgd" in race.alt())
    race.control("its rate").fill("3")
    race.control("its rate").press("Enter")
    race.slider("step").focus()
    race.page.keyboard.press("End")
    race.wait_for_status("sgd diverged: lower the rate")
    race.wait_until(lambda: row(race, "sgd").nth(4).inner_text().startswith("diverged at step"))


def test_another_surface_and_another_set_of_learners(race):
    race.control("surface").select_option(label="a small network")
    race.wait_for_status("Step 25 of 80 on a slice through the loss of a network")
    assert number(race, "start, across") == SURFACES["a small network"].start[0]
    race.root.get_by_role("checkbox", name="Lion", exact=True).check()
    race.wait_until(lambda: "adadelta and Lion from" in race.alt())


def test_time_from_key_press_to_picture(race, capsys):
    def measure(shown):
        for label in ("step", "its rate", "condition number"):
            milliseconds = race.milliseconds(race.slider(label), "ArrowRight", presses=15)
            with capsys.disabled():
                print(f"\nlearner race, {label}, {shown}: median key press to new picture {milliseconds:.0f} ms")
            assert milliseconds > 0

    measure("five learners")
    for name in NAMES:
        race.root.get_by_role("checkbox", name=name, exact=True).check()
    race.wait_until(lambda: "adadelta and Lion from" in race.alt())
    measure("all ten")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(race, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1600})
    notebook.theme(theme)
    notebook.screenshot(f"learner-race-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = race.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('.gradschool-table table'))
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
