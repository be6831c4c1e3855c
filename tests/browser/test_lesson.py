"""The lessons as a student meets them; of lesson 00 also the widget, and an exercise answered wrongly and rightly."""

import re

import pytest

from classroom.catalogue import find
from classroom.course import lessons
from classroom.workspace import update

LESSONS = lessons()
EXERCISE = "softmax"
WRONG = """def softmax(logits):
    exponentials = kernel.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)"""
RIGHT = WRONG.replace("exp(logits)", "exp(logits - logits.max(axis=1, keepdims=True))")


@pytest.fixture(scope="module", autouse=True)
def workspace(lab):
    update(lab.workspace, LESSONS)


def plain(sentence):
    """A sentence as it reads on the page."""
    return " ".join(sentence.replace("`", "").split())


def test_lesson_opens_runs_and_its_widget_moves(notebook, widget, capsys):
    notebook.open("00_crossentropy/lesson.ipynb")
    # Its saved pictures are there before anything has run.
    notebook.page.locator(".jp-OutputArea-output figure img").first.wait_for()
    notebook.screenshot("lesson-00-top")
    notebook.run_all()

    logits = widget("From logits to loss")
    notebook.screenshot("lesson-00-widget")
    handle = logits.root.get_by_role("slider").first
    before = logits.seen()
    handle.focus()
    notebook.page.keyboard.press("ArrowRight")
    logits.wait_until_all_changed(before)
    before = logits.seen()
    logits.drag(handle, -60)
    logits.wait_until_all_changed(before)

    milliseconds = logits.milliseconds(handle, "ArrowRight", presses=15)
    with capsys.disabled():
        print(
            f"\nlesson 00, logits widget: median key press to new picture {milliseconds:.0f} ms (aim: at most 100 ms)"
        )
    assert notebook.violations() == []


@pytest.mark.parametrize("name", [lesson.name for lesson in LESSONS[1:]])
def test_every_other_lesson_runs_and_axe_has_no_serious_finding(notebook, name):
    notebook.open(f"{name}/lesson.ipynb")
    notebook.run_all()
    notebook.screenshot(f"{name}-end")
    assert notebook.violations() == []


@pytest.mark.parametrize("name", [lesson.name for lesson in LESSONS])
@pytest.mark.parametrize("file", ["lesson", "exercises"])
def test_nothing_of_a_lesson_is_cut_off_in_a_narrow_window(notebook, name, file):
    notebook.page.set_viewport_size({"width": 900, "height": 900})
    notebook.open(f"{name}/{file}.ipynb")
    notebook.sidebar(shown=False)
    assert notebook.cut_off() == []
    assert not notebook.unsaved(), "a notebook that was only looked at"


def test_a_wide_table_a_long_line_and_a_long_output_are_found(notebook, lab):
    table = f"# Wide\n\n| a | b |\n|:--|:--|\n| `{'x' * 60}` | `{'y' * 60}` |"
    notebook.open(lab.write("wide.ipynb", table, f"text = '{'w' * 100}'", "print('words ' * 20)", "print('short')"))
    notebook.sidebar(shown=False)
    notebook.run_all()
    assert sorted({each.partition(":")[0] for each in notebook.cut_off()}) == ["cell 0", "cell 1", "cell 2"]


def test_exercise_is_answered_wrongly_and_rightly(notebook, lab):
    _, exercise = find(EXERCISE)
    mistake = next(each for each in exercise.wrong if each.name == "without_shift")
    notebook.page.set_viewport_size({"width": 1300, "height": 900})
    notebook.open("00_crossentropy/exercises.ipynb")
    assert not notebook.unsaved(), "exercises that were only opened"
    notebook.run(notebook.code_cell("import"))
    answer, check = notebook.answer_cell(EXERCISE), notebook.code_cell(f'check("{EXERCISE}")')

    notebook.run(check)
    assert notebook.box(check).get_attribute("aria-label").startswith(("Not attempted", "No check"))

    notebook.type(answer, WRONG)
    assert notebook.unsaved()
    notebook.run(answer)
    notebook.run(check)
    box = notebook.box(check)
    assert box.get_attribute("aria-label").startswith("Not right yet")
    assert plain(box.get_by_role("status").inner_text()) == plain(mistake.sentence)
    notebook.screenshot("lesson-00-check-wrong")
    assert notebook.violations() == []

    notebook.type(answer, RIGHT)
    notebook.run(answer)
    notebook.run(check)
    box = notebook.box(check)
    label = box.get_attribute("aria-label")
    assert re.match(rf"Right .* {exercise.points} of {exercise.points} points?$", label)
    notebook.screenshot("lesson-00-check-right")
    assert notebook.violations() == []
    assert notebook.errors() == []
