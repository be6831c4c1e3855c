"""The base class of widgets that train, in an event loop of the test's own: buttons, controls, accidents, ends."""

import asyncio
import itertools
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import kernel
from widgets import live
from widgets.base import Checkbox, Slider
from widgets.live import Frame, Live


@dataclass(frozen=True)
class Counted(Frame):
    total: float


class Counting(Live):
    """Adds the rate up, step by step."""

    title = "Counting"
    views = ("loud",)
    preview = 5

    def controls(self):
        return {"rate": Slider("rate", 1, 0, 9, 1), "loud": Checkbox("loud", False)}

    def train(self, *, rate):
        if rate == 0:
            raise ValueError("Counting: rate must not be 0.")
        total = kernel.tensor(0.0)
        yield Counted(0, 300, 0.0)
        for step in range(1, 301):
            time.sleep(0.001)
            if (rate, step) == (9, 7):
                raise ZeroDivisionError("nine times seven")
            assert kernel.is_grad_enabled()
            total = total + rate
            yield Counted(step, 300, total.item())

    def state(self, frame, *, rate, loud):
        return SimpleNamespace(frame=frame, loud=loud)

    def picture(self, state):
        return f"<svg><text>{state.frame.total:g}{'!' * state.loud}</text></svg>"

    def alt(self, state):
        return f"The number {state.frame.total:g}."

    def status(self, state):
        return f"The total is {state.frame.total:g}."


def shown(widget):
    return widget._picture.value.partition("<text>")[2].partition("</text>")[0]


async def until(holds):
    """Let the loop run until something holds."""
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came to hold")


def in_a_loop(check):
    """A test that runs in an event loop, as a cell does."""

    def run():
        async def main():
            await asyncio.wait_for(check(Counting()), timeout=30)

        asyncio.run(main())

    run.__name__ = check.__name__
    return run


def from_another_thread(press):
    """Press a button as the kernel does: not in the thread of the loop."""
    thread = threading.Thread(target=press)
    thread.start()
    thread.join()


@in_a_loop
async def test_it_trains_to_its_end_while_others_run(widget):
    turns = 0
    from_another_thread(widget._go.click)
    while widget.phase == "running":
        turns += 1
        await asyncio.sleep(0)
    assert widget.phase == "finished"
    assert (widget.frame, shown(widget)) == (Counted(300, 300, 300.0), "300")
    assert turns > 2
    assert "Done: update 300 of 300" in widget._progress.value
    assert widget._status.value == "<p>The total is 300.</p>"


@in_a_loop
async def test_it_pauses_goes_on_and_stops(widget):
    widget.start()
    await until(lambda: widget.frame.step > 0)
    from_another_thread(widget._go.click)
    await until(lambda: not widget._working)
    paused = widget.frame
    assert widget.phase == "paused" and 0 < paused.step < 300
    assert (widget._go.description, shown(widget)) == ("Continue", f"{paused.total:g}")
    await asyncio.sleep(0.05)
    assert widget.frame is paused
    widget.start()
    await until(lambda: widget.frame.step > paused.step)
    widget.stop()
    await until(lambda: not widget._working)
    stopped = widget.frame
    assert widget.phase == "stopped"
    assert f"Stopped: update {stopped.step} of 300" in widget._progress.value
    widget.step()
    await until(lambda: not widget._working)
    assert widget.frame.step == 1, "a stopped training begins anew"


@in_a_loop
async def test_steps_go_one_by_one(widget):
    for _ in range(3):
        from_another_thread(widget.step)
    await until(lambda: not widget._working)
    assert (widget.frame.step, widget.phase, shown(widget)) == (3, "paused", "3")


@in_a_loop
async def test_a_moved_control_begins_anew_and_runs_on(widget):
    widget.start()
    await until(lambda: widget.frame.step > 0)
    from_another_thread(lambda: widget.set(rate=2))
    assert widget.phase == "running"
    await until(lambda: widget.phase == "finished")
    assert widget.frame.total == 600
    widget.set(rate=3)
    assert (widget.phase, shown(widget)) == ("ready", "0")


@in_a_loop
async def test_a_control_of_the_view_leaves_the_training_alone(widget):
    widget.advance(4)
    widget.set(loud=True)
    assert (widget.frame.step, shown(widget)) == (4, "4!")


@in_a_loop
async def test_nothing_is_trained_before_it_is_asked_for(widget):
    asked = []
    widget._foresee = lambda *given: asked.append(given)
    widget._fields["rate"].value = 2
    await asyncio.sleep(0.1)
    assert asked == []


@in_a_loop
async def test_reset_goes_back_to_the_start(widget):
    widget.start()
    await until(lambda: widget.frame.step > 0)
    widget.reset()
    await until(lambda: not widget._working)
    assert (widget.phase, widget.frame.step, shown(widget)) == ("ready", 0, "0")


@in_a_loop
async def test_a_refused_value_is_shown_and_another_one_mends_it(widget):
    widget.start()
    with pytest.raises(ValueError, match="rate must not be 0"):
        widget.set(rate=0)
    await until(lambda: not widget._working)
    assert "rate must not be 0" in widget.error
    widget._go.click()
    assert "rate must not be 0" in widget.error
    widget.set(rate=5)
    assert (widget.error, widget.phase, widget.frame.step) == ("", "ready", 0)


@in_a_loop
async def test_an_accident_while_it_trains_is_shown(widget):
    widget.set(rate=9)
    widget.start()
    await until(lambda: widget.phase == "failed")
    assert "ZeroDivisionError: nine times seven" in widget.error
    widget.set(rate=1)
    assert (widget.error, widget.phase) == ("", "ready")


@in_a_loop
async def test_it_records_whatever_the_cell_was_in_the_middle_of(widget):
    with kernel.no_grad():
        widget.start()
    await until(lambda: widget.phase == "finished")


@in_a_loop
async def test_a_closed_widget_trains_no_more(widget):
    widget.start()
    await until(lambda: widget.frame.step > 0)
    widget.widget.close()
    await until(lambda: not widget._working)
    assert widget.frame.step < 300
    await asyncio.wait_for(widget._task, 5)


@in_a_loop
async def test_pictures_come_as_fast_as_eyes_follow_and_sentences_as_ears(widget):
    drawn, said = [], []
    widget._picture.observe(lambda change: drawn.append(time.monotonic()), names="value")
    widget._status.observe(lambda change: said.append(change["new"]), names="value")
    began = time.monotonic()
    widget.start()
    await until(lambda: widget.phase == "finished")
    assert 3 <= len(drawn) <= 2 + live.PICTURES_PER_SECOND * (time.monotonic() - began)
    assert len(said) <= 2
    assert said[-1] == "<p>The total is 300.</p>"


@in_a_loop
async def test_the_first_sentence_of_a_training_comes_soon(widget):
    original, live.SECONDS_TO_FIRST_SENTENCE = live.SECONDS_TO_FIRST_SENTENCE, 0.05
    try:
        widget.start()
        before = widget._status.value
        await until(lambda: widget._status.value != before)
        assert widget.phase == "running"
        widget.stop()
    finally:
        live.SECONDS_TO_FIRST_SENTENCE = original


@in_a_loop
async def test_it_ends_when_its_cell_runs_again(widget):
    registered = []
    events = SimpleNamespace(
        register=lambda event, call: registered.append((event, call)),
        unregister=lambda event, call: registered.remove((event, call)),
    )
    shell = SimpleNamespace(events=events, get_parent=lambda: {"metadata": {"cellId": "a"}})
    original, live.get_ipython = live.get_ipython, lambda: shell
    try:
        widget._repr_mimebundle_()
        ((event, call),) = registered
        assert event == "pre_run_cell"
        widget.start()
        call(SimpleNamespace(cell_id="b"))
        assert widget.phase == "running"
        call(SimpleNamespace(cell_id="a"))
        assert widget.phase == "stopped"
        assert registered == []
    finally:
        live.get_ipython = original


@in_a_loop
async def test_a_training_that_ends_early_has_ended(widget):
    whole = widget.train
    widget.train = lambda **values: itertools.islice(whole(**values), 8)
    widget.set(rate=2)
    widget.start()
    await until(lambda: widget.phase == "finished")
    assert widget.frame.step == 7


def test_code_trains_without_a_loop():
    widget = Counting()
    widget.advance(10)
    assert (widget.frame.total, shown(widget), widget.phase) == (10, "10", "paused")
    widget.advance(5000)
    assert (widget.frame.step, widget.phase) == (300, "finished")
    widget.advance(1)
    assert widget.frame.step == 1
    with pytest.raises(RuntimeError, match=r"Counting: no kernel's loop runs here; advance\(steps\) trains at once"):
        widget.start()
    assert widget.phase == "paused"


def test_without_a_kernel_there_is_a_picture_of_something_learnt():
    widget = Counting()
    bundle = widget._repr_mimebundle_()
    assert 'alt="The number 5."' in bundle["text/html"]
    assert (widget.frame.step, shown(widget)) == (0, "0"), "the live one waits for its button"
    widget.advance(8)
    assert 'alt="The number 8."' in widget._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("name", ["train", "state"])
def test_a_widget_without_one_of_its_parts_says_which(name):
    parts = {part: getattr(Counting, part) for part in ("controls", "train", "state", "picture", "alt", "status")}
    del parts[name]
    incomplete = type("Half", (Live,), {"title": "Half", "views": ("loud",), **parts})
    with pytest.raises(NotImplementedError, match=rf"Half must define {name}\("):
        incomplete()
