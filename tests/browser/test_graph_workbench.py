"""The graph workbench in JupyterLab: stepping from the keyboard, another net from the list, two themes, two widths."""

import pytest

TITLE = "A graph at work, step by step"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(
        lab.write("workbench.ipynb", "# The workbench", "from widgets import GraphWorkbench\n\nGraphWorkbench()")
    )
    notebook.run_all()


@pytest.fixture
def workbench(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("Step 0 of 8: bound for training")
    return found


def test_the_keyboard_steps_and_everything_follows(workbench):
    before = workbench.seen()
    workbench.button("Next ▸").focus()
    workbench.page.keyboard.press("Enter")
    workbench.wait_for_status("Step 1 of 8, forward, fc1 gives (100, 128)")
    workbench.wait_until_all_changed(before)
    workbench.slider("step").focus()
    workbench.page.keyboard.press("ArrowRight")
    workbench.wait_for_status("Step 2 of 8, forward, relu1")
    workbench.button("◂ Previous").focus()
    workbench.page.keyboard.press("Space")
    workbench.wait_for_status("Step 1 of 8")
    workbench.button("To the end").click()
    workbench.wait_for_status("Step 8 of 8, backward, the rules of fc1")


def test_time_from_key_press_to_picture(workbench, capsys):
    workbench.control("net").select_option(label="LeNet")
    workbench.wait_for_status("Step 0 of 22")
    milliseconds = workbench.milliseconds(workbench.slider("step"), "ArrowRight", presses=10)
    workbench.wait_for_status("Step 10 of 22, forward, fc2")
    with capsys.disabled():
        print(f"\ngraph workbench: median key press to new picture {milliseconds:.0f} ms (aim: at most 100 ms)")
    assert milliseconds > 0


def test_another_net_and_another_mode_start_at_their_beginning(workbench):
    workbench.control("net").select_option(label="a skip connection")
    workbench.wait_for_status("Step 0 of 14")
    workbench.button("Next ▸").click()
    workbench.wait_for_status("Step 1 of 14")
    workbench.control("mode").select_option(label="use, forward only")
    workbench.wait_for_status("Step 0 of 7: bound for use")
    assert float(workbench.slider("step").get_attribute("aria-valuemax")) == 7


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(workbench, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.theme(theme)
    workbench.control("net").select_option(label="LeNet")
    workbench.wait_for_status("Step 0 of 22")
    for _ in range(4):
        workbench.button("Next ▸").click()
    workbench.wait_for_status("Step 4 of 22, forward, conv2")
    notebook.screenshot(f"graph-workbench-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = workbench.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('svg') || element.tagName === 'svg')
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    scrolls = workbench.root.get_by_role("region", name="picture, scrolls sideways").count()
    assert overflowing == [] or scrolls
