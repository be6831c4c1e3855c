"""Live training in JupyterLab: its buttons, the kernel that stays free, its cell run again, two themes, two widths."""

import pytest

TITLE = "Live training, side by side"
OTHER, AGAIN = "print('still free:', 6 * 7)", "before = globals().get('training')"


@pytest.fixture(scope="module", autouse=True)
def opened(notebook, lab):
    path = lab.write(
        "live_training.ipynb",
        "# Live training",
        f"from widgets import LiveTraining\n{AGAIN}\ntraining = LiveTraining()\ntraining",
        OTHER,
        "print(None if before is None else before.phase)",
    )
    notebook.open(path)
    notebook.run_all()


@pytest.fixture
def training(widget):
    found = widget(TITLE)
    found.button("Reset").click()
    found.wait_until(lambda: progress(found) == "Not started: update 0 of 600")
    return found


def progress(training):
    return training.root.locator(".gradschool-progress").inner_text().strip()


def step(training):
    return int(progress(training).split()[-3])


def output(notebook, source):
    """What the cell with that text has printed."""
    number = notebook.code_cell(source)
    return notebook.page.evaluate(
        """number => window.jupyterapp.shell.currentWidget.content.widgets[number].model.outputs.toJSON()
            .map(output => output.text ?? '').join('')""",
        number,
    )


def test_the_keyboard_starts_pauses_goes_on_and_stops(training):
    before = training.seen()
    training.button("Start").focus()
    training.page.keyboard.press("Enter")
    training.wait_until(lambda: step(training) > 5)
    training.wait_until_all_changed({**before, "details": None})
    assert progress(training).startswith("Training: update")
    # The button has kept the focus, and says what it does now.
    assert training.button("Pause").evaluate("button => button === document.activeElement")
    training.page.keyboard.press("Space")
    training.wait_until(lambda: progress(training).startswith("Paused"))
    training.page.wait_for_timeout(300)
    paused, picture = step(training), training.seen()
    training.page.wait_for_timeout(300)
    assert (step(training), training.seen()) == (paused, picture)
    assert f"After {paused} of 600 updates" in training.status()
    training.page.keyboard.press("Space")
    training.wait_until(lambda: step(training) > paused)
    training.button("Stop").focus()
    training.page.keyboard.press("Enter")
    training.wait_until(lambda: progress(training).startswith("Stopped"))
    assert training.button("Start again").is_visible()


def test_it_goes_step_by_step_with_a_table_of_what_is_seen(training):
    for number in range(1, 4):
        training.button("Step").click()
        training.wait_until(lambda number=number: progress(training) == f"Paused: update {number} of 600")
    training.wait_for_status("After 3 of 600 updates")
    for learner in ("SGD", "momentum", "Adam"):
        assert training.root.get_by_role("rowheader", name=learner, exact=True).is_visible()


def test_another_cell_answers_while_it_trains(training, notebook, capsys):
    training.control("pace").select_option(label="as fast as it goes")
    training.control("updates").select_option(label="2000")
    training.button("Start").click()
    training.wait_until(lambda: step(training) > 10)
    began = notebook.page.evaluate("() => performance.now()")
    notebook.run(notebook.code_cell(OTHER))
    took = notebook.page.evaluate("() => performance.now()") - began
    assert "still free: 42" in output(notebook, OTHER)
    assert progress(training).startswith("Training"), "it was still training"
    with capsys.disabled():
        print(f"\nlive training: another cell answered after {took:.0f} ms")
    training.button("Stop").click()
    training.wait_until(lambda: progress(training).startswith("Stopped"))


def test_it_trains_to_its_end(training):
    training.control("pace").select_option(label="as fast as it goes")
    training.control("updates").select_option(label="200")
    training.button("Start").click()
    training.wait_until(lambda: progress(training) == "Done: update 200 of 200")
    training.wait_for_status("After 200 of 200 updates")


def test_a_rate_moved_while_it_trains_begins_anew_and_runs_on(training):
    training.button("Start").click()
    training.wait_until(lambda: step(training) > 30)
    training.slider("rate of SGD").focus()
    training.page.keyboard.press("ArrowRight")
    training.wait_until(lambda: step(training) < 25)
    training.wait_until(lambda: step(training) > 30)
    assert progress(training).startswith("Training")


def test_what_is_compared_decides_which_controls_stand_there(training):
    assert training.control("rate of SGD").is_visible()
    assert training.control("rate of Lion").is_hidden()
    training.root.get_by_role("checkbox", name="Lion", exact=True).check()
    training.control("rate of Lion").wait_for()
    training.control("compare").select_option(label="schedules")
    training.root.get_by_role("group", name="schedules", exact=True).wait_for()
    assert training.control("rate of SGD").is_hidden()
    assert training.root.get_by_role("group", name="learners", exact=True).is_hidden()
    training.root.get_by_role("rowheader", name="cosine").wait_for()


def test_nothing_chosen_is_answered_in_a_sentence(training):
    for name in ("SGD", "momentum", "Adam"):
        training.root.get_by_role("checkbox", name=name, exact=True).uncheck()
    box = training.root.get_by_role("alert")
    box.get_by_text("choose at least one of the learners").wait_for()
    training.root.get_by_role("checkbox", name="Nesterov", exact=True).check()
    box.get_by_text("choose at least one").wait_for(state="hidden")


def test_time_from_key_press_to_picture(training, capsys):
    times = {}
    for data in ("three zones", "digits"):
        training.control("data").select_option(label=data)
        training.page.wait_for_timeout(1000)
        times[data] = training.milliseconds(training.button("Step"), "Enter", presses=15)
    with capsys.disabled():
        told = ", ".join(f"{data} {time:.0f} ms" for data, time in times.items())
        print(f"\nlive training: median key press to new picture {told} (aim: at most 100 ms)")
    assert min(times.values()) > 0


def test_it_ends_when_its_cell_runs_again(training, notebook):
    training.button("Start").click()
    training.wait_until(lambda: step(training) > 5)
    notebook.run(notebook.code_cell(AGAIN))
    notebook.run(notebook.code_cell("before.phase"))
    assert output(notebook, "before.phase").strip() == "stopped"


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_no_serious_finding_of_axe(training, notebook, theme):
    notebook.theme(theme)
    assert notebook.violations() == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1300, 900])
@pytest.mark.parametrize("data", ["three zones", "digits"])
def test_fits_its_place(training, notebook, widget, data, width, theme):
    notebook.page.set_viewport_size({"width": width, "height": 1100})
    notebook.theme(theme)
    training.control("data").select_option(label=data)
    training.control("pace").select_option(label="as fast as it goes")
    training.button("Start").click()
    training.wait_until(lambda: progress(training).startswith("Done"))
    widget(TITLE)
    notebook.screenshot(f"live-training-{data.split()[-1]}-{width}-{theme.lower()}")
    overflowing = training.root.evaluate(
        """root => [...root.querySelectorAll('*')]
            .filter(element => element.getBoundingClientRect().right > root.getBoundingClientRect().right + 1)
            .map(element => element.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
