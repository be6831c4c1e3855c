"""The next step of a number is drawn before it is asked for: in an event loop of the test's own, as in a kernel."""

import asyncio
import threading

import pytest

from widgets import style
from widgets.base import Canvas, Interactive, Number, Pointer, Slider


class Growing(Interactive):
    """A line as long as the axes, which grow with it; 7 is printed, 8 is refused, 1 cannot be computed."""

    title = "Growing"

    def __init__(self):
        figure, self.axes = style.subplots(width=200, height=100)
        (self.line,) = self.axes.plot([], [])
        self.canvas = Canvas(figure, [self.line])
        self.drawn = []
        super().__init__()

    def controls(self):
        return {"end": Slider("end", 4, 1, 10, 1), "twice": Number("twice", 8, 2, 20, 2)}

    def follow(self, moved, values):
        if values["end"] == 1:
            raise ZeroDivisionError("end - 1")
        return {"twice": 2 * values["end"]} if moved == "end" else {"end": values["twice"] // 2}

    def state(self, *, end, twice):
        if end == 8:
            raise ValueError("Growing: end must not be 8.")
        return end, twice

    def picture(self, state):
        end, twice = state
        if end == 7:
            print("seven")
        self.axes.set_xlim(0, end)
        self.line.set_data([0, end], [0, twice])
        self.drawn.append(end)
        return self.canvas.png()

    def alt(self, state):
        return f"A line of {state[0]}."

    def status(self, state):
        return f"It ends at {state[0]}."

    def pointers(self, state):
        return (Pointer(self.axes, x="end"),)


def in_a_loop(check):
    """A test that runs in an event loop, as a cell does."""

    def run():
        accidents = []

        async def main():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: accidents.append(context))
            widget = Growing()
            slider = widget._places["end"].children[-1]

            def press(value):
                # As the kernel does, not in the thread of the loop.
                thread = threading.Thread(target=setattr, args=(slider, "value", value))
                thread.start()
                thread.join()

            await asyncio.wait_for(check(widget, press), timeout=30)

        asyncio.run(main())
        assert accidents == []

    run.__name__ = check.__name__
    return run


async def rest():
    """Let the loop do all that it was asked to do meanwhile."""
    await asyncio.sleep(0.1)


@in_a_loop
async def test_the_next_step_is_drawn_before_it_is_asked_for(widget, press):
    press(5)
    assert widget.drawn == [4, 5], "the one that is asked for comes first"
    await rest()
    assert widget.drawn == [4, 5, 6]
    assert (widget.values, widget._shown[1:]) == ({"end": 5, "twice": 10}, ("A line of 5.", "It ends at 5."))
    press(6)
    assert widget.drawn == [4, 5, 6]
    assert (widget.values, widget._shown[1:]) == ({"end": 6, "twice": 12}, ("A line of 6.", "It ends at 6."))
    alone = Growing()
    alone.set(end=6)
    assert (widget._shown, widget._picture.value) == (alone._shown, alone._picture.value)


@in_a_loop
async def test_a_number_without_a_slider_looks_ahead_too(widget, press):
    widget._fields["twice"].value = 10
    await rest()
    assert (widget.drawn, widget.values) == ([4, 5, 6], {"end": 5, "twice": 10})


@in_a_loop
async def test_whoever_turns_back_gets_what_is_asked_for(widget, press):
    press(5)
    await rest()
    press(4)
    assert widget.drawn == [4, 5, 6, 4]
    assert (widget.values["end"], widget._shown[1]) == (4, "A line of 4.")
    await rest()
    press(3)
    assert (widget.drawn, widget._shown[1]) == ([4, 5, 6, 4, 3], "A line of 3.")


@in_a_loop
async def test_presses_that_follow_at_once_are_not_delayed(widget, press):
    press(5)
    press(6)
    await rest()
    assert widget.drawn == [4, 5, 6, 7], "6 was not drawn ahead"


@in_a_loop
async def test_first_the_page_gets_what_is_shown(widget, press):
    waits = []
    widget._loop.call_later = lambda wait, *_: waits.append(wait)
    press(5)
    await asyncio.sleep(0)
    assert waits[0] > 0.01


@in_a_loop
async def test_after_a_leap_and_at_the_end_there_is_nothing_to_draw(widget, press):
    press(9)
    await rest()
    assert widget.drawn == [4, 9]
    press(10)
    await rest()
    assert widget.drawn == [4, 9, 10]


@in_a_loop
async def test_what_is_refused_is_told_when_it_is_asked_for(widget, press):
    widget.set(end=6)
    press(7)
    await rest()
    assert "must not be 8" not in widget.error and widget._shown[1] == "A line of 7."
    press(8)
    assert "Growing: end must not be 8." in widget.error
    widget.set(end=3)
    press(2)
    await rest()
    assert (widget.error, widget._shown[1]) == ("", "A line of 2.")


@in_a_loop
async def test_what_is_printed_is_shown_with_its_picture(widget, press):
    widget.set(end=5)
    press(6)
    await rest()
    assert (widget.drawn[-1], widget.error) == (7, "")
    press(7)
    assert (widget.drawn.count(7), "seven" in widget.error) == (1, True)


@in_a_loop
async def test_the_mouse_points_at_the_picture_that_is_shown(widget, press):
    press(5)
    await rest()
    assert widget.axes.get_xlim() == (0, 6)
    widget._pointed.value = "[0, 0.68, 0.5]"
    assert widget.values["end"] == 3, "two thirds of 5"


@in_a_loop
async def test_another_screen_gets_pictures_of_its_own(widget, press):
    widget._pixels.value = "1"
    press(5)
    await rest()
    press(6)
    alone = Growing()
    alone._pixels.value = "1"
    alone.set(end=6)
    assert (widget._shown, widget.drawn.count(6)) == (alone._shown, 1)
    await rest()
    widget._pixels.value = alone._pixels.value = "2"
    press(7)
    alone.set(end=7)
    assert (widget._shown, widget.drawn.count(7)) == (alone._shown, 2)


async def a_widget():
    return Growing()


@pytest.mark.parametrize(
    "make", [Growing, lambda: asyncio.run(a_widget())], ids=["without a loop", "whose loop is over"]
)
def test_without_a_running_loop_nothing_is_drawn_ahead(make):
    widget = make()
    widget._fields["end"].value = 5
    assert widget.drawn == [4, 5]
