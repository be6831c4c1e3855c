"""The model tree without a browser: what it counts and measures, what is seen when rows are chosen and folded."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

import kernel
from kernel.layers import BatchNorm, Concat, Dense, Dropout, For, Linear, Residual, Sequential
from widgets.model_tree import ModelTree, histogram, model_rows, tree_state


class SimpleNet(kernel.Module):
    def __init__(self):
        self.lin1, self.lin2 = Linear(2, 12), Linear(12, 3)

    def forward(self, x):
        return self.lin2(kernel.relu(self.lin1(x)))


class Twice(kernel.Module):
    """One layer under two names, another that is never called, and an output of two tensors."""

    def __init__(self):
        self.first = Linear(3, 3)
        self.again = self.first
        self.spare = Linear(5)

    def forward(self, x):
        return self.again(self.first(x)), x


def nested():
    return Sequential([Dense(4), Residual(Dense(4), Dense(4)), Concat(Dense(3), [Dense(8), Dense(2)])])


def by_name(model, *inputs):
    return {row.name: row for row in model_rows(model, *inputs)}


def test_rows_name_every_module_with_its_shape_and_its_parameters():
    rows = by_name(SimpleNet(), kernel.ones(5, 2))
    assert list(rows) == ["", "lin1", "lin2"]
    assert [row.shapes for row in rows.values()] == [((5, 3),), ((5, 12),), ((5, 3),)]
    assert [row.parameters for row in rows.values()] == [75, 36, 39]
    assert rows["lin1"].held == ("weight (12, 2)", "bias (12,)")
    assert [row.depth for row in rows.values()] == [0, 1, 1]
    state = tree_state(tuple(rows.values()), "lin1")
    assert (state.share(rows["lin1"]), state.share(rows["lin2"])) == (36 / 75, 39 / 75)


def test_the_numbers_are_those_that_the_layers_give():
    kernel.manual_seed(0)
    net, x = SimpleNet(), kernel.randn(50, 2)
    rows = by_name(net, x)
    hidden, weight = net.lin1(x).detach().numpy(), net.lin1.weight.detach().numpy()
    found = rows["lin1"].activations
    assert found.counts.sum() == found.size == 600
    assert (found.edges[0], found.edges[-1]) == (hidden.min(), hidden.max())
    assert found.mean == pytest.approx(hidden.mean(), abs=1e-6)
    assert found.deviation == pytest.approx(hidden.std(), abs=1e-6)
    counts, _ = np.histogram(weight.astype(np.float64), 25)
    assert rows["lin1"].weights.counts.tolist() == counts.tolist()


def test_a_bias_shows_only_where_nothing_multiplies():
    assert by_name(Linear(2, 3))[""].weights.size == 6
    assert by_name(BatchNorm(4))[""].weights.size == 8
    assert by_name(Dropout(0.5))[""].weights is None


def test_the_model_stays_as_it_is():
    net = Sequential([Dense(4), BatchNorm(), Dropout(0.5)]).train()
    kernel.manual_seed(7)
    net(kernel.ones(6, 3))
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    kernel.manual_seed(1)
    expected = kernel.randn(3).tolist()
    kernel.manual_seed(1)
    rows = by_name(net, kernel.randn(6, 3).detach())
    kernel.manual_seed(1)
    model_rows(net, kernel.ones(6, 3))
    assert kernel.randn(3).tolist() == expected, "it drew random numbers"
    assert net.training and rows["2"].activations.zeros == 0, "as in use, nothing drops"
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_waiting_model_still_waits_afterwards_and_its_copy_is_counted():
    net = nested()
    assert by_name(net, kernel.ones(5, 3))[""].parameters == 16 + 40 + 15 + 58
    assert all(parameter.shape is None for name, parameter in net.named_parameters() if name.endswith("W"))


def test_without_an_example_what_waits_is_a_question_mark():
    net = Sequential([Dense(4), Linear(4, 2)])
    tree = ModelTree(net)
    assert [(row.shapes, row.parameters) for row in model_rows(net)] == [(None, None), (None, None), (None, 10)]
    assert tree.tree_text().splitlines() == [
        "model  Sequential  ?   ?  ?",
        "  0    Dense       ?   ?  ?",
        "  1    Linear      ?  10  ?",
    ]
    tree.set(layer="0")
    assert tree._shown[2] == "Dense 0 holds parameters that wait for their size."
    assert "its parameters wait for their size" in tree._shown[0]
    assert "there was no example to call it with" in tree._shown[0]


def test_what_is_shared_is_marked_and_counted_once():
    model = Twice()
    rows = by_name(model, kernel.ones(2, 3))
    assert list(rows) == ["", "first", "again", "spare"]
    assert (rows["first"].shared_with, rows["again"].shared_with) == (None, "first")
    assert rows["first"].calls == rows["again"].calls == 2
    assert rows["first"].activations.size == 12
    assert rows[""].shapes == ((2, 3), (2, 3))
    assert rows["spare"].shapes == () and rows["spare"].calls == 0 and rows["spare"].activations is None
    assert rows["first"].parameters == 12 and rows[""].parameters is None, "spare still waits"
    model.spare = None
    assert by_name(model, kernel.ones(2, 3))[""].parameters == 12
    tree = ModelTree(Twice(), kernel.ones(2, 3))
    tree.set(layer="again")
    picture, alt, status = tree._shown
    assert "⟲ same as first" in picture and "shared with first" in status and "called 2 times" in status
    assert "again, Linear, (2, 3), 12 parameters" in alt
    tree.set(layer="spare")
    assert tree._shown[2].startswith("Linear spare was not called, and holds parameters that wait")


def test_a_histogram_of_equal_of_missing_and_of_infinite_numbers():
    assert histogram(np.zeros((2, 3))).zeros == 1
    assert histogram(np.array([])) is None and histogram(np.array([np.nan])) is None
    found = histogram(np.array([1.0, np.inf, 3.0]))
    assert (found.counts.sum(), found.mean, found.not_finite) == (2, 2.0, 1)
    tree = ModelTree(Sequential([kernel.log, Linear(1, 1)]), kernel.tensor([[1.0], [2.0]]))
    assert "not finite" not in tree.details(tree.state(**tree.values))
    with np.errstate(divide="ignore"):
        tree = ModelTree(Sequential([kernel.log]), kernel.tensor([[0.0], [2.0]]))
    assert "1 more are not finite" in tree.details(tree.state(**tree.values))


def test_folding_hides_what_is_inside_and_chooses_the_one_that_holds_it():
    rows = model_rows(nested(), kernel.ones(5, 3))
    state = tree_state(rows, "2.branches.1.0", "2, 1.inside")
    assert [row.name for row in state.visible] == ["", "0", "1", "1.inside", "2"]
    assert state.selected.name == "2"
    assert tree_state(rows, "2.branches.1.0", "2.branches.1").selected.name == "2.branches.1"
    assert tree_state(rows, "0", "").visible == rows


@pytest.mark.parametrize("names", ["branches", "2, nothing"])
def test_a_name_that_no_module_has_is_refused_in_words(names):
    rows = model_rows(nested(), kernel.ones(5, 3))
    with pytest.raises(ValueError, match=r"folded: the model holds no module '(branches|nothing)'; it holds 0, 1, "):
        tree_state(rows, "0", names)


def test_what_is_no_module_and_what_the_model_refuses_is_said():
    with pytest.raises(TypeError, match=re.escape("ModelTree: model must be a kernel.Module; got function.")):
        ModelTree(lambda x: x)
    with pytest.raises(kernel.ShapeError, match=r"linear: .*\(12, 2\)"):
        ModelTree(SimpleNet(), kernel.ones(5, 3))


def test_buttons_walk_over_what_is_seen_and_stop_at_both_ends():
    tree = ModelTree(nested(), kernel.ones(5, 3))
    actions = tree.actions()
    tree.set(layer="0", folded="1")
    seen = []
    for _ in range(4):
        tree.set(**actions["Next ▾"](tree.values))
        seen.append(tree.values["layer"])
    assert seen == ["1", "2", "2.branches.0", "2.branches.0.0"]
    for _ in range(9):
        tree.set(**actions["▴ Previous"](tree.values))
    assert tree.values["layer"] == ""


def test_one_button_folds_and_unfolds():
    tree = ModelTree(nested(), kernel.ones(5, 3))
    fold = tree.actions()["Fold / unfold"]
    tree.set(layer="1.inside.0")
    tree.set(**fold(tree.values))
    assert tree.values == {"layer": "1.inside", "folded": "1.inside"}
    assert "inside …" in tree.tree_text()
    tree.set(**fold(tree.values))
    assert tree.values == {"layer": "1.inside", "folded": ""}
    tree.set(layer="2.branches.0")
    tree.set(**fold(tree.values))
    tree.set(layer="1")
    tree.set(**fold(tree.values))
    assert tree.values["folded"] == "1, 2.branches.0"
    tree.set(layer="0", folded="")
    tree.set(**fold(tree.values))
    assert tree.values == {"layer": "", "folded": ""}, "the model itself stays open"


def test_a_layer_from_the_list_unfolds_what_hides_it():
    tree = ModelTree(nested(), kernel.ones(5, 3))
    tree.set(layer="1", folded="1, 2")
    tree._fields["layer"].value = "2.branches.1.1"  # as the list in the browser does
    assert tree.values == {"layer": "2.branches.1.1", "folded": "1"}
    assert tree._shown[2].startswith("Dense 2.branches.1.1 gives (5, 2)")
    tree.reset()
    assert tree.values == {"layer": "0", "folded": ""}


def test_a_refused_name_leaves_the_picture_and_says_why():
    tree = ModelTree(nested(), kernel.ones(5, 3))
    picture = tree._shown[0]
    tree._fields["folded"].value = "seven"
    assert "the model holds no module" in tree.error and tree._shown[0] == picture
    tree._fields["layer"].value = "1"
    assert tree.values["layer"] == "1", "the list still answers"
    tree._fields["folded"].value = "1"
    assert tree.error == ""


@pytest.mark.parametrize("model", [SimpleNet(), nested(), Twice(), For(30, lambda: Linear(3, 3))], ids=repr)
def test_every_row_has_picture_alt_and_sentence(model):
    width = 2 if isinstance(model, SimpleNet) else 3
    tree = ModelTree(model, kernel.ones(5, width))
    pictures = set()
    for row in tree._rows:
        tree.set(layer=row.name)
        picture, alt, status = tree._shown
        root = ElementTree.fromstring(picture)
        assert root.get("fill") == "currentColor"
        words = "".join(root.itertext())
        assert f"Activations of {row.layer}" in words and row.layer in status
        assert alt.startswith("A tree of ")
        rows = [each for each in root.iter("g") if each.get("data-place")]
        assert len(rows) == min(len(tree._rows), 16)
        assert str(row.place) in [each.get("data-place") for each in rows]
        assert tree._controls["layer"].options[row.place][1] == row.name
        pictures.add(picture)
    assert len(pictures) == len(tree._rows)
    if len(tree._rows) > 16:
        assert "more above" in picture


def test_columns_do_not_run_into_one_another():
    class ALayerWithAnExceedinglyLongName(kernel.Module):
        def forward(self, x):
            return kernel.reshape(x, (1, 1, 1, 1, 1, 1, 1, 15))

    model = Sequential([ALayerWithAnExceedinglyLongName()])
    text = ModelTree(model, kernel.ones(5, 3))._shown[0]
    starts = {138: 260, 260: 400}
    for each in ElementTree.fromstring(text).iter("text"):
        x = float(each.get("x"))
        if each.get("text-anchor") == "start" and x in starts:
            assert x + 7.3 * len(each.text) <= starts[x] + 1, each.text


def test_without_a_kernel_there_is_a_still_picture_and_the_tree_in_words():
    bundle = ModelTree(SimpleNet(), kernel.ones(5, 2))._repr_mimebundle_()
    assert bundle["text/html"].startswith('<figure style="margin:0.75em 0"><img alt="A tree of 3 rows')
    assert "  lin1  Linear     (5, 12)  36   48 %" in bundle["text/plain"].splitlines()
