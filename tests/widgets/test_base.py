"""The base class without a browser: what is shown, said and raised when controls move."""

import re
import subprocess
import sys
import threading
from dataclasses import dataclass

import pytest

from widgets.base import Checkbox, Choice, Interactive, Slider, Text


@dataclass(frozen=True)
class Product:
    value: float


class Multiply(Interactive):
    """Two numbers and their product; a few values are refused or broken, to see what becomes of them."""

    title = "Multiply & divide"

    def controls(self):
        return {
            "x": Slider("x", 1.0, -5.0, 5.0, 0.1),
            "times": Slider("times", 2, 0, 10, 1),
            "sign": Choice("sign", 1, [("plus", 1), ("minus", -1)]),
            "loud": Checkbox("loud", False),
            "note": Text("note", ""),
        }

    def actions(self):
        return {"Double": lambda values: {"times": 2 * values["times"]}}

    def state(self, *, x, times, sign, loud, note):
        if loud:
            print(f"x is {x} < 10")
        if note == "refuse":
            raise ValueError("Multiply: note must not be <refuse>.")
        if note == "break":
            raise ZeroDivisionError("division by zero")
        return Product(x * times * sign)

    def picture(self, state):
        return f"<svg><text>{state.value:g}</text></svg>"

    def alt(self, state):
        return f"The number {state.value:g}."

    def status(self, state):
        return f"The product is {state.value:g}."

    def details(self, state):
        return f"product = {state.value:.4f}\nsquare = {state.value**2:.4f}"


@pytest.fixture
def multiply() -> Multiply:
    return Multiply()


def rows(widget):
    """Every ipywidget inside, so that a test can move what a browser would move."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from rows(child)


def inside(multiply, kind, description=None):
    return [
        found
        for found in rows(multiply.widget)
        if type(found).__name__ == kind and description in (None, found.description)
    ]


def test_a_moved_control_changes_picture_sentence_and_numbers(multiply):
    multiply.set(x=3.0)
    bundle = multiply._repr_mimebundle_()
    assert multiply.values == {"x": 3.0, "times": 2, "sign": 1, "loud": False, "note": ""}
    assert 'aria-label="The number 6."' in multiply._picture.value
    assert multiply._status.value == "<p>The product is 6.</p>"
    assert multiply._details.value == "<p>product = 6.0000</p><p>square = 36.0000</p>"
    assert "The product is 6." in bundle["text/plain"]


def test_the_display_carries_live_widget_still_picture_and_words(multiply):
    bundle = multiply._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == multiply.widget.model_id
    assert bundle["text/html"].startswith("<figure")
    assert 'alt="The number 2."' in bundle["text/html"]
    assert "Multiply &amp; divide. The product is 2. Run this cell to move the controls." in bundle["text/html"]
    assert bundle["text/plain"] == (
        "Multiply & divide. The product is 2. (Controls: x = 1.0, times = 2, sign = plus, loud = False, note = .)"
    )


def test_slider_and_its_number_field_move_together(multiply):
    (slider,) = inside(multiply, "FloatSlider")
    (field,) = inside(multiply, "BoundedFloatText", "x")
    slider.value = 1.0999999999999996
    assert field.value == multiply.values["x"] == 1.1
    field.value = 2.345
    assert slider.value == multiply.values["x"] == 2.345


def test_whole_numbers_stay_whole(multiply):
    (slider,) = inside(multiply, "IntSlider")
    slider.value = 7
    assert multiply.values["times"] == 7
    assert isinstance(multiply.values["times"], int)


def test_a_field_clamps_to_its_limits(multiply):
    (field,) = inside(multiply, "BoundedFloatText", "x")
    field.value = 99.0
    assert multiply.values["x"] == 5.0


def test_buttons_and_reset(multiply):
    (double,), (reset,) = inside(multiply, "Button", "Double"), inside(multiply, "Button", "Reset")
    multiply.set(x=-4.0, sign=-1, note="hello")
    double.click()
    assert multiply.values["times"] == 4
    reset.click()
    assert multiply.values == multiply.defaults
    assert multiply._status.value == "<p>The product is 2.</p>"


def test_a_refused_value_is_shown_and_the_last_picture_stays(multiply):
    (note,) = inside(multiply, "Text", "note")
    before = multiply._picture.value
    note.value = "refuse"
    assert "✗ Multiply: note must not be &lt;refuse&gt;." in multiply.error
    assert multiply._picture.value == before
    assert "gradschool-stale" in multiply._picture._dom_classes
    note.value = ""
    assert multiply.error == ""
    assert "gradschool-stale" not in multiply._picture._dom_classes


def test_from_code_a_refused_value_raises(multiply):
    with pytest.raises(ValueError, match="note must not be"):
        multiply.set(note="refuse")


def test_an_accident_is_shown_and_raised_even_in_a_callback(multiply):
    (note,) = inside(multiply, "Text", "note")
    with pytest.raises(ZeroDivisionError):
        note.value = "break"
    assert "ZeroDivisionError: division by zero" in multiply.error


def test_an_unknown_control_is_named(multiply):
    with pytest.raises(ValueError, match="there is no control 'y'; the controls are x, times, sign, loud, note"):
        multiply.set(y=1)


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"x": 3.0, "sign": 7}, "Multiply.set: sign cannot be 7; there are 1, -1."),
        ({"times": 3, "x": "three"}, "Multiply.set: x cannot be 'three'; now it is 1.0."),
    ],
)
def test_a_value_that_a_control_does_not_take_changes_nothing(multiply, values, sentence):
    before = multiply.values
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        multiply.set(**values)
    assert multiply.values == before
    multiply.set(x=2.0)
    assert multiply._shown[1] == "The number 4."


def test_prints_are_shown_and_those_of_other_threads_pass(multiply, capsys):
    class Chatty(Multiply):
        def status(self, state):
            other = threading.Thread(target=print, args=["from elsewhere"])
            other.start()
            other.join()
            return super().status(state)

    chatty = Chatty()
    capsys.readouterr()
    chatty.set(loud=True)
    assert '<p class="gradschool-printed">x is 1.0 &lt; 10</p>' in chatty.error
    assert capsys.readouterr().out == "from elsewhere\n"


def test_one_set_draws_once(multiply):
    drawn = []
    multiply.picture = lambda state: drawn.append(state) or "<svg></svg>"
    multiply.set(x=2.0, times=3, sign=-1)
    assert drawn == [Product(-6.0)]


def test_threads_never_mix_their_pictures(multiply):
    """Two threads move the widget; whatever order they come in, picture and sentence belong together."""
    mixed = []

    def move(values):
        for value in values:
            multiply.set(x=value)

    def together(change):
        number = change["new"].removeprefix("<p>The product is ").removesuffix(".</p>")
        if f"<text>{number}</text>" not in multiply._picture.value:
            mixed.append((number, multiply._picture.value))

    multiply._status.observe(together, names="value")
    threads = [
        threading.Thread(target=move, args=[[sign * step / 10 for step in range(1, 40)]]) for sign in (1.0, -1.0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed == []


@pytest.mark.parametrize("name", ["controls", "state", "picture", "alt", "status"])
def test_a_widget_without_one_of_its_parts_says_which(name):
    complete = {part: getattr(Multiply, part) for part in ("controls", "state", "picture", "alt", "status")}
    del complete[name]
    incomplete = type("Half", (Interactive,), {"title": "Half", **complete})
    with pytest.raises(NotImplementedError, match=rf"Half must define {name}\("):
        incomplete()


def test_importing_costs_nothing_and_nothing_uses_pyplot():
    program = (
        "import sys, widgets\n"
        "assert not {'matplotlib', 'ipywidgets', 'numpy'} & set(sys.modules)\n"
        "widgets.Logits(), widgets.Broadcasting(), widgets.show, widgets.subplots()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


class Halves(Multiply):
    """Two controls that say the same number."""

    def controls(self):
        return {"x": Slider("x", 1.0, -5.0, 5.0, 0.1), "half": Slider("half", 0.5, -2.5, 2.5, 0.1)}

    def follow(self, moved, values):
        return (
            {"half": values["x"] / 2} if moved == "x" else {"x": min(2 * values["half"], 3.0), "half": values["half"]}
        )

    def state(self, *, x, half):
        return Product(x)


def test_controls_that_follow_another_move_with_it_whatever_moved_it():
    widget = Halves()
    widget._fields["x"].value = 3.0
    assert widget.values == {"x": 3.0, "half": 1.5}
    widget.set(half=0.25)
    assert widget.values == {"x": 0.5, "half": 0.25}
    assert "The product is 0.5." in widget.summary()
    widget.set(half=0.25, x=4.0)
    assert widget.values == {"x": 4.0, "half": 0.25}, "what is given stays as it is given"
    widget.reset()
    assert widget.values == widget.defaults


def test_an_error_in_following_is_shown():
    class Refuses(Halves):
        def follow(self, moved, values):
            raise ValueError("Halves: no.")

    widget = Refuses()
    widget._fields["x"].value = 2.0
    assert "Halves: no." in widget.error


def test_a_button_that_refuses_says_why():
    class Refuses(Multiply):
        def actions(self):
            def refuse(values):
                raise ValueError(f"Refuses: {values['x']} is no good.")

            return {"Refuse": refuse, "Fail": lambda values: {"x": values["x"] / 0}}

    widget = Refuses()
    before = widget.values
    inside(widget, "Button", "Refuse")[0].click()
    assert "Refuses: 1.0 is no good." in widget.error
    inside(widget, "Button", "Fail")[0].click()
    assert "ZeroDivisionError: " in widget.error
    assert widget.values == before
