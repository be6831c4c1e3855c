"""What only a browser shows of the controls: pointing on a picture, playing, ticking, copying, in both themes."""

import pytest

TITLE = "A point on a plane"

PLANE = """
import numpy as np
from widgets import style
from widgets.base import Canvas, Interactive, Number, Player, Pointer, Several, Slider

class Plane(Interactive):
    title = "A point on a plane"

    def __init__(self):
        figure, self.map = style.subplots(width=368, height=280)
        self.map.set(xlim=(1e-4, 1), xscale="log", ylim=(0, 2), xlabel="rate", ylabel="momentum", title="Map")
        other, self.time = style.subplots(width=368, height=280)
        self.time.set(xlim=(0, 20), ylim=(0, 1.1), xlabel="step", title="Loss")
        self.dot, = self.map.plot([0.01], [1.0], **style.series(0))
        self.now, = self.time.plot([0], [1], **style.series(1))
        self.time.plot(np.arange(21), 0.8 ** np.arange(21), color=style.MUTED)
        self.canvases = Canvas(figure, [self.dot]), Canvas(other, [self.now])
        super().__init__()

    def controls(self):
        return {
            "rate": Slider("rate", 0.01, 1e-4, 1.0, 10**0.05, logarithmic=True),
            "momentum": Number("momentum", 1.0, 0.0, 2.0, 0.05),
            "step": Player("step", 0, 0, 20, 1, interval=50),
            "shown": Several("show", ("SGD",), ["SGD", "Adam", "Lion"], marks=[style.mark(i) for i in range(3)]),
        }

    def state(self, **values):
        return values

    def picture(self, state):
        self.dot.set_data([state["rate"]], [state["momentum"]])
        self.now.set_data([state["step"]], [0.8 ** state["step"]])
        return [canvas.png() for canvas in self.canvases]

    def alt(self, state):
        return "A dot at rate {rate:g} and momentum {momentum:g}, step {step}, {shown}.".format(**state)

    def status(self, state):
        return "The rate is {rate:g}, the momentum {momentum:g}, the step {step}.".format(**state)

    def formula(self, state):
        return f"w ← w − {style.term('rate · g', style.VERMILLION)} + {style.term('m v', style.BLUE)}"

    def table(self, state):
        return ["learner", "rate", "step"], [[name, f"{state['rate']:g}", state["step"]] for name in state["shown"]]

    def code(self, state):
        return f"SGD(parameters, lr={state['rate']:g}, momentum={state['momentum']:g})"

    def details(self, state):
        return f"rate = {state['rate']:g}"

    def pointers(self, state):
        return [Pointer(self.map, x="rate", y="momentum"), Pointer(self.time, x="step", picture=1)]

Plane()
"""


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(lab.write("controls.ipynb", "# Controls", PLANE))
    notebook.run_all()


@pytest.fixture
def plane(widget):
    found = widget(TITLE)
    if "The rate is 0.01, the momentum 1, the step 0." not in found.status():
        found.button("Reset").click()
        found.wait_for_status("The rate is 0.01, the momentum 1, the step 0.")
    return found


def places(plane):
    """The two parts of the picture that take the mouse, in pixels of the page."""
    return plane.root.locator(".gradschool-picture").evaluate(
        """frame => {
            const images = [...frame.querySelectorAll('img')].map(image => image.getBoundingClientRect());
            return JSON.parse(frame.querySelector('[data-pointers]').dataset.pointers).map(
                ([which, left, top, right, bottom]) => ({
                    left: images[which].left + left * images[which].width,
                    right: images[which].left + right * images[which].width,
                    top: images[which].top + top * images[which].height,
                    bottom: images[which].top + bottom * images[which].height}));
        }"""
    )


def at(part, across, up):
    return (
        part["left"] + across * (part["right"] - part["left"]),
        part["bottom"] + up * (part["top"] - part["bottom"]),
    )


def test_a_picture_has_as_many_pixels_as_the_screen(plane):
    def pixels():
        return plane.root.locator(".gradschool-picture img").evaluate_all(
            "images => images.map(image => [image.naturalWidth, image.naturalHeight, image.width, image.height])"
        )

    plane.wait_until(lambda: all(image[:2] == image[2:] for image in pixels()))
    session = plane.page.context.new_cdp_session(plane.page)
    size = dict(plane.page.viewport_size, mobile=False)
    session.send("Emulation.setDeviceMetricsOverride", size | {"deviceScaleFactor": 2})
    plane.slider("rate").press("ArrowRight")
    plane.wait_until(lambda: all(image[:2] == [2 * side for side in image[2:]] for image in pixels()))
    session.send("Emulation.setDeviceMetricsOverride", size | {"deviceScaleFactor": 1})
    plane.slider("rate").press("ArrowRight")
    plane.wait_until(lambda: all(image[:2] == image[2:] for image in pixels()))


def test_two_windows_on_unlike_screens_do_not_contradict_each_other(plane):
    def another_window_tells(pixels):
        plane.root.locator(".gradschool-pixels input").evaluate(
            "(field, pixels) => { field.value = pixels; field.dispatchEvent(new Event('input', {bubbles: true})); }",
            pixels,
        )

    picture = plane.root.locator(".gradschool-picture")
    another_window_tells("2")
    plane.wait_until(lambda: picture.locator("img").first.evaluate("image => image.naturalWidth === 2 * image.width"))
    drawn = picture.evaluate(
        """async picture => {
            let count = 0;
            const observer = new MutationObserver(() => { count += 1; });
            observer.observe(picture, {childList: true, subtree: true});
            await new Promise(over => setTimeout(over, 1500));
            observer.disconnect();
            return count;
        }"""
    )
    assert drawn == 0, "this window does not answer"
    another_window_tells("1")
    plane.wait_until(lambda: picture.locator("img").first.evaluate("image => image.naturalWidth === image.width"))


def test_a_press_on_the_picture_writes_both_numbers(plane):
    before = plane.seen()
    plane.page.mouse.click(*at(places(plane)[0], 0.75, 0.25))
    plane.wait_until_all_changed(before)
    assert float(plane.control("rate").input_value()) == pytest.approx(0.1, rel=0.05)
    assert float(plane.control("momentum").input_value()) == pytest.approx(0.5)


def test_a_drag_leads_the_picture_and_may_leave_it(plane):
    mouse, (first, second) = plane.page.mouse, places(plane)
    mouse.move(*at(first, 0.5, 0.5))
    mouse.down()
    for step in range(20):
        mouse.move(*at(first, 0.5 + step / 20, 0.5 + step / 40))
    # Beyond the edge it stays at the limit, and over the other part it is still the first that is dragged.
    mouse.move(*at(second, 0.5, 1.0))
    mouse.up()
    plane.wait_for_status("The rate is 1, the momentum 2, the step 0.")
    mouse.move(*at(second, 0.5, 0.5))
    plane.page.wait_for_timeout(300)
    assert "the step 0." in plane.status(), "nothing is held any more"


def test_one_update_is_on_its_way_and_the_last_place_wins(plane):
    plane.root.evaluate(
        """root => {
            window.sent = [];
            root.querySelector('.gradschool-pointed input')
                .addEventListener('input', event => window.sent.push(JSON.parse(event.target.value)));
        }"""
    )
    mouse, (_, time) = plane.page.mouse, places(plane)
    mouse.move(*at(time, 0.0, 0.5))
    mouse.down()
    for step in range(200):
        mouse.move(*at(time, step / 400, 0.5))
    mouse.up()
    plane.wait_for_status("the step 10.")
    sent = plane.page.evaluate("() => window.sent")
    assert 1 < len(sent) < 150
    assert sent[-1][0] == 1
    assert sent[-1][1] == pytest.approx(199 / 400, abs=0.005)


def test_elsewhere_on_the_picture_nothing_is_taken(plane):
    mouse, (first, second) = plane.page.mouse, places(plane)
    between = (first["right"] + second["left"]) / 2
    mouse.click(between, first["top"] - 20)
    mouse.move(*at(first, 0.5, 0.5))
    assert plane.root.locator(".gradschool-picture").evaluate("frame => frame.style.cursor") == "crosshair"
    mouse.move(between, first["top"] - 20)
    assert plane.root.locator(".gradschool-picture").evaluate("frame => frame.style.cursor") == ""
    plane.page.wait_for_timeout(300)
    assert "The rate is 0.01, the momentum 1, the step 0." in plane.status()


def test_playing_goes_to_the_end_and_starts_again(plane):
    plane.button("Play step").focus()
    plane.page.keyboard.press("Enter")
    plane.button("Pause step").wait_for()
    plane.wait_for_status("the step 20.")
    plane.button("Play step").wait_for()
    plane.page.keyboard.press("Space")
    plane.wait_until(lambda: 0 < step(plane) < 15)
    plane.button("Pause step").click()
    plane.button("Play step").wait_for()
    # At most the step that was on its way still comes; from then on it stands.
    plane.page.wait_for_timeout(300)
    stopped = step(plane)
    plane.page.wait_for_timeout(300)
    assert 0 < step(plane) == stopped < 20


def step(plane):
    return int(plane.status().removesuffix(".").rpartition(" ")[2])


def test_several_are_ticked_from_the_keyboard(plane):
    group = plane.root.get_by_role("group", name="show", exact=True)
    box = group.get_by_role("checkbox", name="Adam", exact=True)
    assert not box.is_checked()
    assert group.locator("[title]").count() == 0, "no tooltips of HTML"
    before = plane.root.get_by_role("row").count()
    box.focus()
    plane.page.keyboard.press("Space")
    plane.root.get_by_role("rowheader", name="Adam").wait_for()
    assert plane.root.get_by_role("row").count() == before + 1
    plane.button("Reset").click()
    plane.root.get_by_role("rowheader", name="Adam").wait_for(state="detached")


def test_the_arrow_keys_move_a_rate_by_factors(plane):
    plane.slider("rate").focus()
    plane.page.keyboard.press("ArrowRight")
    plane.wait_for_status("The rate is 0.011,")
    plane.wait_until(lambda: plane.slider("rate").get_attribute("aria-valuetext") == "0.011")
    plane.control("rate").focus()
    plane.page.keyboard.press("ArrowUp")
    plane.page.keyboard.press("Enter")
    plane.wait_for_status("The rate is 0.012,")


def test_a_rate_typed_between_two_steps_stays(plane):
    plane.control("rate").fill("0.0333")
    plane.control("rate").press("Enter")
    plane.wait_for_status("The rate is 0.0333,")
    plane.page.wait_for_timeout(500)
    assert "The rate is 0.0333," in plane.status()
    plane.slider("rate").focus()
    plane.page.keyboard.press("ArrowRight")
    plane.wait_for_status("The rate is 0.035,")


@pytest.mark.parametrize("clipboard", ["of the page", "of old"])
def test_the_line_of_code_is_copied(plane, clipboard):
    plane.page.evaluate(
        """works => {
            window.copied = null;
            Object.defineProperty(navigator, 'clipboard', {configurable: true, value: works
                ? {writeText: async text => { window.copied = text; }} : undefined});
            document.addEventListener('copy', () => { window.copied = String(document.activeElement.value); },
                {once: true});
        }""",
        clipboard == "of the page",
    )
    plane.button("Copy the code").focus()
    plane.page.keyboard.press("Enter")
    plane.root.get_by_text("copied", exact=True).wait_for()
    assert plane.page.evaluate("() => window.copied") == "SGD(parameters, lr=0.01, momentum=1)"
    assert plane.button("Copy the code").evaluate("button => button === document.activeElement")


def test_a_notebook_that_was_run_shows_its_pictures_where_no_kernel_runs(notebook, lab, widget):
    path = lab.write("saved.ipynb", "# Saved", PLANE)
    notebook.open(path)
    notebook.run_all()
    shown = widget(TITLE)
    shown.slider("rate").press("ArrowRight")
    notebook.save_and_end_the_kernel()
    notebook.open(path)
    still = notebook.page.locator("figure", has_text="Run this cell to move the controls.")
    still.wait_for()
    assert still.locator("img").count() == 2 and not shown.root.is_visible()
    notebook.open("controls.ipynb")
    notebook.run_all()


def test_time_from_key_press_to_picture(plane, capsys):
    milliseconds = plane.milliseconds(plane.slider("step"), "ArrowRight", presses=15)
    with capsys.disabled():
        print(f"\na point on a plane: median key press to new picture {milliseconds:.0f} ms (aim: at most 100 ms)")
    assert milliseconds > 0


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_no_serious_finding_of_axe(notebook, theme):
    notebook.theme(theme)
    assert notebook.violations() == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place(notebook, widget, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1100})
    notebook.theme(theme)
    found = widget(TITLE)
    notebook.screenshot(f"controls-{width}-{theme.lower()}")
    overflowing = found.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
