"""The graph viewer in JupyterLab: stepping from the keyboard, a new computation from the list, two themes."""

import pytest

TITLE = "Backward through the graph, node by node"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(
        lab.write("graph_viewer.ipynb", "# The graph viewer", "from widgets import GraphViewer\n\nGraphViewer()")
    )
    notebook.run_all()


@pytest.fixture
def viewer(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("Step 0 of 3: forward is done, c = 50")
    return found


def test_the_keyboard_steps_backward_and_everything_follows(viewer):
    before = viewer.seen()
    viewer.button("Next ▸").focus()
    viewer.page.keyboard.press("Enter")
    viewer.wait_for_status("s gets g · y = 2; y gets g · s = 25")
    viewer.wait_until_all_changed(before)
    viewer.slider("step").focus()
    viewer.page.keyboard.press("ArrowRight")
    viewer.wait_for_status("Step 2 of 3, PowBackward of s = x²: g = 2 has arrived; x gets g · 2x = 20")
    viewer.button("◂ Previous").focus()
    viewer.page.keyboard.press("Space")
    viewer.wait_for_status("Step 1 of 3")


def test_a_computation_from_the_list_brings_its_values_and_its_steps(viewer):
    viewer.control("computation").select_option(label="cross-entropy, two classes")
    viewer.wait_for_status("Step 0 of 6")
    assert viewer.control("values").input_value() == "z = (2, 0)"
    viewer.button("To the end").click()
    viewer.wait_for_status("z.grad = (−0.1192, 0.1192)")
    assert float(viewer.slider("step").get_attribute("aria-valuemax")) == 6


def test_a_refused_value_is_answered_in_one_sentence(viewer):
    viewer.control("values").fill("x = five, y = 2")
    box = viewer.root.get_by_role("alert")
    box.get_by_text("after x = a number should stand").wait_for()
    viewer.control("values").fill("x = 4, y = 2")
    viewer.wait_for_status("c = 32")


def test_a_graph_wider_than_the_page_stays_legible_and_scrolls_from_the_keyboard(viewer, notebook):
    notebook.page.set_viewport_size({"width": 900, "height": 900})
    notebook.sidebar(shown=True)
    viewer.control("computation").select_option(label="cross-entropy, two classes")
    viewer.wait_for_status("Step 0 of 6")
    frame = viewer.root.get_by_role("region", name="picture, scrolls sideways")
    letters = frame.locator("text").first.evaluate("text => text.getScreenCTM().a * 13")
    assert letters >= 10
    # The loss, where the walk starts, comes into view by itself; so does the way back to z.
    viewer.button("Next ▸").click()
    viewer.wait_for_status("Step 1 of 6")
    sight = "frame => [frame.scrollLeft, frame.scrollWidth - frame.clientWidth]"
    start, furthest = frame.evaluate(sight)
    assert start > 0.9 * furthest > 50
    notebook.screenshot("graph-viewer-narrow")
    viewer.control("step").fill("5")
    viewer.control("step").press("Enter")
    viewer.wait_for_status("Step 5 of 6")
    before, _ = frame.evaluate(sight)
    assert before < 0.5 * furthest
    frame.focus()
    notebook.page.keyboard.press("ArrowRight")
    notebook.page.wait_for_function(
        "([frame, before]) => frame.scrollLeft > before", arg=[frame.element_handle(), before]
    )
    assert notebook.violations() == []
    # With room enough it is no stop on the way of the Tab key.
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    frame.wait_for(state="detached")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_sticks_out_and_axe_has_no_serious_finding(viewer, notebook, theme):
    notebook.theme(theme)
    viewer.control("computation").select_option(label="cross-entropy, two classes")
    viewer.button("To the end").click()
    viewer.wait_for_status("z.grad")
    viewer.button("◂ Previous").click()
    viewer.wait_for_status("Step 5 of 6")
    notebook.screenshot(f"graph-viewer-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = viewer.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
