"""Controls and the optional parts of a widget without a browser: numbers, players, several choices, pointing, texts."""

import json
import math

import ipywidgets
import pytest

from widgets import style
from widgets.base import Canvas, Interactive, Number, Player, Pointer, Several, Slider


class Everything(Interactive):
    """A point on a plane of two numbers, with all that a widget may have."""

    title = "Everything"

    def __init__(self):
        figure, self.plane = style.subplots(width=300, height=200)
        self.plane.set(xlim=(1e-4, 1), xscale="log", ylim=(0, 2))
        (self.dot,) = self.plane.plot([0.1], [1.0], "o")
        other, self.time = style.subplots(width=400, height=200)
        self.time.set(xlim=(0, 10), xlabel="time")
        self.canvases = Canvas(figure, [self.dot]), Canvas(other, [])
        self.drawn = 0
        super().__init__()

    def controls(self):
        return {
            "rate": Slider("rate", 0.1, 1e-4, 1.0, 10**0.05, logarithmic=True),
            "start": Number("start", 1.0, 0.0, 2.0, 0.05),
            "step": Player("step", 0, 0, 10, 1),
            "shown": Several("show", ("sgd", "lion"), [("SGD", "sgd"), ("Adam", "adam"), ("Lion <3", "lion")]),
        }

    def state(self, *, rate, start, step, shown):
        if start == 0.5:
            raise ValueError("start must not be a half.")
        return rate, start, step, shown

    def picture(self, state):
        self.drawn += 1
        self.dot.set_data([state[0]], [state[1]])
        return [canvas.png() for canvas in self.canvases]

    def alt(self, state):
        return f"A dot at {state[0]:g} and {state[1]:g}."

    def status(self, state):
        return f"The rate is {state[0]:g}."

    def formula(self, state):
        return style.term("g", style.BLUE) if state[2] else ""

    def table(self, state):
        return ["learner", "rate < 1"], [[name, state[0]] for name in state[3]]

    def code(self, state):
        return f"SGD(parameters, lr={state[0]})  # < 1"

    def pointers(self, state):
        return [Pointer(self.plane, x="rate", y="start"), Pointer(self.time, x="step", picture=1)]


@pytest.fixture
def widget():
    return Everything()


def inside(root, kind):
    found = [root] if isinstance(root, kind) else []
    return found + [each for child in getattr(root, "children", ()) for each in inside(child, kind)]


def point(widget, *place):
    widget._pointed.value = json.dumps(place)


def test_a_place_on_the_picture_becomes_two_numbers_in_one_drawing(widget):
    before = widget.drawn
    point(widget, 0, 0.51, 0.3)
    # 10 ** (-4 + 4 * 0.51) to two digits; 0.6 is a step of the start.
    assert widget.values["rate"] == float(f"{10 ** (-4 + 4 * 0.51):.2g}")
    assert widget.values["start"] == 0.6
    assert widget.drawn == before + 1
    assert widget._pointed.value == "", "the page waits for the empty field before it sends the next place"


def test_a_place_is_rounded_to_the_steps_of_its_control(widget):
    point(widget, 1, 0.33, 0.9)
    assert (widget.values["step"], widget.values["start"]) == (3, 1.0)
    point(widget, 0, 1.0, 0.161)
    assert (widget.values["rate"], widget.values["start"]) == (1.0, 0.3)


def test_a_refused_place_is_shown_and_the_next_one_is_heard(widget):
    point(widget, 0, 0.5, 0.25)
    assert "start must not be a half." in widget.error
    assert widget._pointed.value == ""
    point(widget, 0, 0.5, 0.5)
    assert widget.error == ""
    assert widget.values["start"] == 1.0


def test_the_picture_says_where_it_takes_the_mouse(widget):
    attribute = widget._picture.value.partition('data-pointers="')[2].partition('"')[0]
    boxes = json.loads(attribute.replace("&quot;", '"'))
    assert [(box[0], box[-1]) for box in boxes] == [(0, "crosshair"), (1, "ew-resize")]
    for axes, (_, left, top, right, bottom, _) in zip((widget.plane, widget.time), boxes, strict=True):
        frame = axes.get_window_extent()
        width, height = axes.figure.get_size_inches() * axes.figure.dpi
        assert left * width == pytest.approx(frame.x0, abs=0.1)
        assert right * width == pytest.approx(frame.x1, abs=0.1)
        assert (1 - top) * height == pytest.approx(frame.y1, abs=0.1)
        assert (1 - bottom) * height == pytest.approx(frame.y0, abs=0.1)


def test_several_pictures_have_one_sentence(widget):
    for text in (widget._picture.value, widget._repr_mimebundle_()["text/html"]):
        assert text.count("<img") == 2
        assert text.count('role="img" aria-label="A dot at 0.1 and 1."') == 1


def test_a_logarithmic_slider_moves_by_factors(widget):
    (slider,) = inside(widget.widget, ipywidgets.FloatLogSlider)
    assert slider.step == pytest.approx(0.05)
    slider.value = 0.012345
    field = widget._fields["rate"]
    assert field.value == 0.012
    assert slider.value == 0.012345, "no echo that would pull the handle back"
    assert field.step == pytest.approx(0.001)
    field.value = 0.5
    assert slider.value == 0.5
    field.value = 1e-9
    assert (field.value, math.log10(slider.value)) == (1e-4, pytest.approx(-4))


@pytest.mark.parametrize("factor", [1.03, 1.05, 1.1, 10**0.05, 1.25, 2.0])
@pytest.mark.parametrize("begin, way", [(0.01, 1), (10.0, -1)])
def test_each_step_of_a_logarithmic_slider_gives_another_number(factor, begin, way):
    field, row = Slider("rate", begin, 0.01, 10.0, factor, logarithmic=True).build({})
    given, place = [field.value], begin * factor**way
    while 0.01 <= place <= 10.0:
        row.children[-1].value = place
        given.append(field.value)
        place *= factor**way
    assert len(set(given)) == len(given) > 9
    assert given == sorted(given)[::way]


def test_what_is_typed_between_two_steps_stays(widget):
    (slider,) = inside(widget.widget, ipywidgets.FloatLogSlider)
    widget.set(rate=0.0333)
    # What the browser answers, where the handle stands at the nearest step.
    slider.value = 10**-1.5
    assert widget.values["rate"] == 0.0333
    slider.value = 10**-1.45
    assert widget.values["rate"] == 0.035


def test_a_slider_reaches_limits_that_are_no_step():
    field, row = Slider("x", 0.9, 0.0, 1.0, 0.3).build({})
    (slider,) = inside(row, ipywidgets.FloatSlider)
    slider.value = 1.0
    assert field.value == 1.0


@pytest.mark.parametrize(
    "control, moves, further",
    [
        (Slider("step", 5, 0, 10, 1), [6], 7),
        (Slider("step", 8, 0, 10, 1), [9], 10),
        (Slider("step", 9, 0, 10, 1), [10], None),
        (Slider("step", 5, 0, 10, 1), [6, 8], None),  # a leap
        (Slider("step", 5, 0, 10, 1), [6, 5, 4], 3),
        (Slider("share", 0.5, 0.0, 1.0, 0.1), [0.6000000000000001], 0.7),
        (Slider("share", 0.0, 0.0, 0.25, 0.1), [0.1, 0.2], 0.25),
        (Slider("share", 0.0, 0.0, 0.25, 0.1), [0.1, 0.2, 0.25], None),
        # The slider stands at 60.5 and 66.55 where the field says 60 and 67.
        (Slider("condition", 50.0, 1.0, 1000.0, 1.1, logarithmic=True), [55.0, 60.5, 66.55], 73.0),
        (Slider("condition", 50.0, 1.0, 1000.0, 1.1, logarithmic=True), [45.4545454545], 41.0),
        (Slider("condition", 900.0, 1.0, 1000.0, 1.1, logarithmic=True), [990.0], 1000.0),
        (Slider("condition", 50.0, 1.0, 1000.0, 1.1, logarithmic=True), [51.0], 52.0),  # the key of its field
        (Slider("condition", 50.0, 1.0, 1000.0, 1.1, logarithmic=True), [55.0, 500.0], None),
        (Number("half-life", 1.0, 0.0, 9.0, 0.5), [1.5], 2.0),
        (Number("half-life", 1.0, 0.0, 9.0, 0.5), [math.nan], None),
    ],
)
def test_a_number_tells_where_it_comes_to_if_it_goes_on(control, moves, further):
    _, row = control.build({})
    assert row.further is None
    for value in moves:
        row.children[-1].value = value
    assert row.further == further


def test_a_number_has_limits_and_no_slider(widget):
    field = widget._fields["start"]
    field.value = 7
    assert widget.values["start"] == 2.0
    assert not [each for each in inside(widget.widget, ipywidgets.FloatSlider) if each.max == 2.0]


def test_a_player_moves_its_number_and_stops_for_another_hand(widget):
    (play,) = inside(widget.widget, ipywidgets.Play)
    play.playing = True
    play.value = 4
    assert widget.values["step"] == 4
    assert play.playing
    widget.set(step=9)
    assert (play.value, play.playing) == (9, False)
    # What the page had sent before it heard of that comes too late.
    play.set_state({"value": 5})
    assert (widget.values["step"], play.value) == (9, 9)
    play.set_state({"playing": True})
    play.set_state({"value": 10, "playing": False})
    assert widget.values["step"] == 10


def test_a_player_counts_from_limits_that_move(widget):
    (play,) = inside(widget.widget, ipywidgets.Play)
    (slider,) = inside(widget.widget, ipywidgets.IntSlider)
    field = widget._fields["step"]
    field.max = 40
    field.min = 5
    assert (slider.min, slider.max, play.max) == (5, 40, 35)
    play.value = 35
    assert widget.values["step"] == 40


def test_a_player_of_fractions_says_the_number_that_is_meant():
    field, row = Player("time", 0.0, 0.0, 1.0, 0.1).build({})
    (play,) = inside(row, ipywidgets.Play)
    play.value = 3
    assert field.value == 0.3


def test_several_ticks_in_the_options_order(widget):
    boxes = {box.description: box for box in inside(widget.widget, ipywidgets.Checkbox)}
    assert [boxes[name].value for name in ("SGD", "Adam", "Lion <3")] == [True, False, True]
    boxes["Adam"].value = True
    assert widget.values["shown"] == ("sgd", "adam", "lion")
    before = widget.drawn
    widget.set(shown=("sgd", "lion"))
    assert widget.values["shown"] == ("sgd", "lion")
    assert not boxes["Adam"].value
    assert widget.drawn == before + 1
    assert "show = SGD + Lion <3" in repr(widget)
    widget.set(shown=())
    assert "show = none" in repr(widget)


def test_a_mark_stands_before_its_option():
    _, row = Several("show", ("a & b",), ["a & b"], marks=[style.mark(0)]).build({})
    (box,) = inside(row, ipywidgets.Checkbox)
    assert box.description == f"{style.mark(0)} a &amp; b"
    assert box.description_allow_html


def test_a_control_that_makes_no_difference_takes_no_place(widget):
    widget.unused = lambda values: ["start"] if "sgd" not in values["shown"] else []
    widget.set(shown=("lion",))
    assert [name for name, row in widget._places.items() if row.layout.display == "none"] == ["start"]
    widget.reset()
    assert widget._places["start"].layout.display is None


def test_optional_parts_are_there_when_they_say_something(widget):
    assert widget._formula.layout.display == "none"
    widget.set(step=1)
    assert widget._formula.layout.display is None
    assert ">g</span>" in widget._formula.value
    assert '<th scope="col">rate &lt; 1</th>' in widget._table.value
    assert '<tr><th scope="row">lion</th><td>0.1</td></tr>' in widget._table.value
    assert widget._code.value == "<pre>SGD(parameters, lr=0.1)  # &lt; 1</pre>"
