"""The model tree in JupyterLab: rows chosen and folded from the keyboard and with the mouse, two themes, two widths."""

import pytest

TITLE = "The model as a tree, layer by layer"
MODEL = """import kernel
from kernel.layers import Convolution2D, Dense, MaxPooling, Residual, Sequential
from widgets import ModelTree

kernel.manual_seed(0)
net = Sequential([
    Convolution2D((3, 3), 8, activation=kernel.relu, pad=True),
    MaxPooling((2, 2), strides=2),
    Residual(Convolution2D((3, 3), 8, pad=True), kernel.relu),
    Dense(10),
])
ModelTree(net, kernel.randn(64, 1, 8, 8))"""


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    notebook.open(lab.write("model_tree.ipynb", "# The model tree", MODEL))
    notebook.run_all()


@pytest.fixture
def tree(widget, notebook):
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_for_status("Convolution2D 0 gives (64, 8, 8, 8) and holds 80 parameters")
    return found


def row(tree, place):
    return tree.root.locator(f".gradschool-picture [data-place='{place}']")


def test_arrow_keys_choose_a_layer_and_everything_follows(tree):
    before = tree.seen()
    tree.control("layer").focus()
    tree.page.keyboard.press("ArrowDown")
    tree.wait_until_all_changed(before)
    tree.wait_for_status("MaxPooling 1 gives (64, 8, 4, 4) and holds no parameters")
    tree.button("Next ▾").focus()
    tree.page.keyboard.press("Enter")
    tree.wait_for_status("Residual 2 gives (64, 8, 4, 4)")
    tree.button("▴ Previous").focus()
    tree.page.keyboard.press("Space")
    tree.wait_for_status("MaxPooling 1")


def test_time_from_key_press_to_picture(tree, capsys):
    presses = 6
    milliseconds = tree.milliseconds(tree.control("layer"), "ArrowDown", presses)
    tree.wait_for_status("Dense 3 gives (64, 10)")
    with capsys.disabled():
        print(f"\nmodel tree: median key press to new picture {milliseconds:.0f} ms (aim: at most 100 ms)")
    assert milliseconds > 0


def test_a_click_on_a_row_chooses_it(tree):
    row(tree, 7).click()
    tree.wait_for_status("Dense 3 gives (64, 10) and holds 1 290 parameters")
    assert tree.control("layer").input_value() == "3 · Dense"


def test_folding_from_the_keyboard_and_unfolding_by_choosing(tree):
    tree.control("layer").select_option(label="2.inside.0 · Convolution2D")
    tree.wait_for_status("Convolution2D 2.inside.0")
    tree.button("Fold / unfold").focus()
    tree.page.keyboard.press("Enter")
    tree.wait_for_status("Sequential 2.inside gives")
    assert tree.control("folded").input_value() == "2.inside"
    row(tree, 5).wait_for(state="detached")
    tree.control("layer").select_option(label="2.inside.1 · Activation")
    tree.wait_for_status("Activation 2.inside.1")
    row(tree, 5).wait_for()


def test_a_name_that_is_not_there_is_answered_in_one_sentence(tree):
    tree.control("folded").fill("7")
    box = tree.root.get_by_role("alert")
    box.get_by_text("folded: the model holds no module '7'; it holds 0, 1, 2").wait_for()
    tree.control("folded").fill("2")
    box.get_by_text("folded").wait_for(state="hidden")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
def test_fits_its_place_and_axe_has_no_serious_finding(tree, notebook, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.theme(theme)
    tree.control("layer").select_option(label="2.inside.0 · Convolution2D")
    tree.wait_for_status("Convolution2D 2.inside.0")
    notebook.screenshot(f"model-tree-{width}-{theme.lower()}")
    assert notebook.violations() == []
    overflowing = tree.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => !element.closest('svg') || element.tagName === 'svg')
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    scrolls = tree.root.get_by_role("region", name="picture, scrolls sideways").count()
    assert overflowing == [] or scrolls
