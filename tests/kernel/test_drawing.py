"""Drawings and summaries: what is shown and what is not, places, escaping, the same in words, and wrong input."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import kernel
from kernel import DtypeError, FileError, ShapeError, drawing, layers, sym
from kernel.drawing import text_width

SVG = "{http://www.w3.org/2000/svg}"
LENET = 20 * 25 + 20 + 50 * 20 * 25 + 50 + 800 * 500 + 500 + 500 * 10 + 10
NASTY = "<script>\"alert('x')\" & `#1;`]\n--> |y| \x00"


@pytest.fixture(autouse=True)
def names_from_0() -> Any:
    with sym.NameManager():
        yield


def refused(call: Callable[[], Any], *words: str, error: Any = (ShapeError, DtypeError, FileError)) -> None:
    """The call is answered by an error of the kernel, in one sentence that holds the words."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message, message
    for word in words:
        assert word in message, message


# --- networks ---


def mlp() -> Any:
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=128, name="fc1")
    net = sym.Activation(net, act_type="relu", name="relu1")
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=10, name="fc2"), name="softmax")


def lenet() -> Any:
    net = sym.Variable("data")
    for i, filters in enumerate((20, 50), 1):
        net = sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=f"conv{i}")
        net = sym.Activation(net, act_type="tanh", name=f"tanh{i}")
        net = sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{i}")
    net = sym.FullyConnected(sym.Flatten(net, name="flat"), num_hidden=500, name="fc1")
    net = sym.Activation(net, act_type="tanh", name="tanh3")
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=10, name="fc2"), name="softmax")


def residual() -> Any:
    """Batch normalisation, dropout, a line past several layers, branches that meet."""
    net = sym.Convolution(sym.Variable("data"), kernel=(3, 3), num_filter=8, pad=1, no_bias=True, name="conv")
    for fixed in (True, False):
        side = sym.Activation(sym.BatchNorm(net, fix_gamma=fixed), act_type="relu")
        side = sym.Dropout(sym.Convolution(side, kernel=(3, 3), num_filter=8, pad=1), p=0.3)
        net = net + side
    branches = [sym.Convolution(net, kernel=(k, k), pad=k // 2, num_filter=4) for k in (1, 3, 5)]
    branches[2] = sym.Activation(branches[2], act_type="sigmoid")
    net = sym.Pooling(sym.Concat(*branches), global_pool=True, pool_type="avg")
    return sym.SoftmaxOutput(sym.FullyConnected(sym.Flatten(net), num_hidden=10), name="softmax")


def dense_connections() -> Any:
    outputs = [sym.Variable("data")]
    for _ in range(4):
        joined = sym.Concat(*outputs) if len(outputs) > 1 else outputs[0]
        outputs.append(sym.Convolution(joined, kernel=(3, 3), pad=1, num_filter=12))
    return sym.Concat(*outputs)


def twins() -> Any:
    weight = sym.Variable("w_weight", shape=(8, 5))
    sides = [
        sym.FullyConnected(sym.Variable(name), num_hidden=8, weight=weight, no_bias=True, name=f"{name}_side")
        for name in ("left", "right")
    ]
    return sym.FullyConnected(kernel.abs(sides[0] - sides[1]), num_hidden=1, name="score")


def several_outputs() -> Any:
    x = sym.Variable("x", shape=(None, 6))
    a, b, c = kernel.split(x, 3, axis=1)
    values, _ = kernel.topk(a * 2, 1)
    return sym.Group([kernel.relu(a) + b, c * a, kernel.sigmoid(c), c, values])


def long_names() -> Any:
    x = sym.Variable("a_variable_with_quite_a_name_" * 3)
    y = sym.Variable("目黒区の変数名" * 3, shape=(2, 3))
    return kernel.relu(sym.FullyConnected(x, num_hidden=3, name="WWWMMM@@@%%%" * 4) + y.reshape((2, 3)))


def tour() -> Any:
    with layers.default_options(activation=kernel.relu):
        net = layers.Sequential(
            layers.Convolution2D((5, 5), 32, pad=True),
            layers.MaxPooling((3, 3), strides=2),
            layers.Dense(96),
            layers.Dropout(0.5),
            layers.BatchNormalization(),
            layers.Dense(10, activation=None),
        )
    return net(sym.Variable("features", shape=(None, 1, 28, 28)))


NETS = {
    "mlp": mlp,
    "lenet": lenet,
    "residual": residual,
    "dense_connections": dense_connections,
    "twins": twins,
    "several_outputs": several_outputs,
    "long_names": long_names,
    "tour": tour,
}
SHAPES = {"mlp": {"data": (32, 784)}, "lenet": {"data": (128, 1, 28, 28)}, "residual": {"data": (4, 3, 16, 16)}}
every_net = pytest.mark.parametrize("name", NETS)
both_ways = pytest.mark.parametrize("direction", ["down", "right"])
hidden_or_not = pytest.mark.parametrize("hide", [True, False], ids=["hidden", "all"])


def lines_of(drawn: Any) -> list[list[str]]:
    """The lines of the text twin, in cells."""
    lines = drawn.text.splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines[1:-1]]


def labels(drawn: Any) -> list[str]:
    return [cells[1] for cells in lines_of(drawn)]


# --- what is shown ---


def test_lenet_says_what_mxnet_says():
    drawn = kernel.plot_network(lenet(), shape={"data": (128, 1, 28, 28)})
    assert labels(drawn) == [
        *("variable", "Convolution 5x5/1, 20", "Activation tanh", "Pooling max 2x2/2"),
        *("Convolution 5x5/1, 50", "Activation tanh", "Pooling max 2x2/2", "Flatten"),
        *("FullyConnected 500", "Activation tanh", "FullyConnected 10", "SoftmaxOutput"),
    ]
    assert lines_of(drawn)[1] == [
        *("2", "Convolution 5x5/1, 20", "conv1", "(128, 20, 24, 24)", "520", "data; conv1_weight, conv1_bias")
    ]
    assert drawn.text.splitlines()[-1] == f"It gives softmax_output, with {LENET:,} parameters in all."
    for words in ("(128, 20, 24, 24)", "(128, 800)", "softmax_output (128, 10)", "fc1 · 400,500 parameters"):
        assert f">{words}</text>" in drawn.svg
    assert (
        'role="img" aria-label="A network of 11 layers from data (128, 1, 28, 28) to softmax_output (128, 10) with '
        f'{LENET:,} parameters, drawn from top to bottom."'
    ) in drawn.svg


def test_weights_and_labels_are_hidden_unless_asked_for():
    net = mlp()
    assert [cells[2] for cells in lines_of(kernel.plot_network(net))] == ["data", "fc1", "relu1", "fc2", "softmax"]
    shown = {cells[2]: cells[1] for cells in lines_of(kernel.plot_network(net, hide_weights=False))}
    assert shown["fc1_weight"] == shown["fc2_bias"] == "parameter" and shown["softmax_label"] == "label"
    assert list(shown) == [
        *("data", "fc1_weight", "fc1_bias", "fc1", "relu1", "fc2_weight", "fc2_bias", "fc2", "softmax_label"),
        "softmax",
    ]


def test_without_shapes_what_was_declared_is_shown():
    assert "(?, ?" not in kernel.plot_network(sym.Activation(sym.Variable("x"), "relu")).svg
    assert "(?, 3)" in kernel.plot_network(kernel.relu(sym.Variable("x", shape=(None, 3)))).svg


@pytest.mark.parametrize("fixed", [True, False])
def test_dropout_and_batch_normalisation_are_one_layer_each(fixed):
    net = sym.BatchNorm(sym.Dropout(sym.Variable("data"), p=0.3, name="drop"), fix_gamma=fixed, name="bn")
    drawn = kernel.plot_network(net, shape={"data": (8, 4)})
    assert lines_of(drawn) == [
        ["1", "variable", "data", "(8, 4)"],
        ["2", "Dropout 0.3", "drop", "(8, 4)", "data"],
        ["3", "BatchNorm", "bn", "(8, 4)", "8", "drop; bn_gamma, bn_beta"],
    ]
    shown = [cells[2] for cells in lines_of(kernel.plot_network(net, hide_weights=False))]
    assert sorted(shown) == sorted(["data", "drop", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var", "bn"])


def test_layers_that_are_several_nodes_are_one_box():
    x = sym.Variable("x", shape=(2, 3, 8, 8))
    assert labels(kernel.plot_network(sym.Pooling(x, kernel=(2, 2), pool_type="sum"))) == [
        "variable",
        "Pooling sum 2x2/1",
    ]
    index = sym.Variable("i", shape=(4,))
    assert labels(kernel.plot_network(sym.Embedding(index, input_dim=10, output_dim=3))) == [
        "variable",
        "Embedding 10 to 3",
    ]
    up = layers.ConvTranspose2d(3, 6, 4, stride=2)(x)
    assert labels(kernel.plot_network(up)) == ["variable", "Deconvolution 4x4/2, 6"]
    assert lines_of(kernel.plot_network(up))[1][4] == str(3 * 6 * 16 + 6)


def test_labels_of_layers():
    x = sym.Variable("x", shape=(2, 4, 9, 9))
    cases = {
        "Convolution 3x5/2x1, 6, 2 groups": sym.Convolution(x, (3, 5), 6, stride=(2, 1), num_group=2),
        "Pooling avg 3x3/2": sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="avg"),
        "Pooling max global": sym.Pooling(x, global_pool=True),
        "Activation softrelu": sym.Activation(x, "softrelu"),
        "Activation sigmoid": sym.Activation(x, "sigmoid"),
        "Activation leaky_relu 0.01": kernel.leaky_relu(x),
        "Concat dim=2": sym.Concat(x, x, dim=2),
        "LayerNorm": layers.LayerNorm((9,))(x),
        "GroupNorm 2": layers.GroupNorm(2)(x),
        "BlockGrad": sym.BlockGrad(x),
        "Dense 5": layers.Dense(5)(x),
        "FullyConnected 5": layers.Linear(5)(kernel.flatten(x, 1)),
        "mul …, 2": x * 2,
        "sub 1, …": 1 - x,
        "sum axis=1": x.sum(axis=1),
        "reshape shape=(2, 324)": x.reshape((2, 324)),
    }
    for label, net in cases.items():
        assert labels(kernel.plot_network(net))[-1] == label


def test_what_a_user_computes_himself_is_not_hidden():
    x = sym.Variable("x", shape=(2, 3))
    net = kernel.ones_like(x) + sym.FullyConnected(kernel.relu(x), num_hidden=3)
    assert labels(kernel.plot_network(net)) == [
        *("variable", "full_like value=1", "Activation relu", "FullyConnected 3", "add")
    ]
    inner = kernel.relu(x)
    both = sym.Group([sym.Dropout(inner), inner])
    assert labels(kernel.plot_network(both)) == ["variable", "Activation relu", "Dropout 0.5"]
    assert "relu1 · output" in kernel.plot_network(both).svg


def test_every_output_leaves_the_drawing():
    drawn = kernel.plot_network(several_outputs())
    last = drawn.text.splitlines()[-1]
    for name in several_outputs().list_outputs():
        kind = re.sub(r"\d+", "", name.split("_")[0])
        assert kind in last
    assert drawn.svg.count("_output") >= 4


def test_a_parameter_that_two_layers_read_is_said_to_be_shared():
    drawn = kernel.plot_network(twins(), shape={"left": (4, 5), "right": (4, 5)})
    assert drawn.svg.count("40 parameters, shared</text>") == 2
    assert drawn.text.splitlines()[-1].endswith("with 49 parameters in all.")


def test_functions_and_modules_are_drawn_too():
    net = layers.Sequential([layers.Dense(4, activation=kernel.relu), layers.Dropout(0.5), layers.Dense(2)])
    words = ["variable", "Dense 4", "Activation relu", "Dropout 0.5", "Dense 2"]
    assert labels(kernel.plot_network(net, shape={"x": (5, 3)})) == words
    if hasattr(kernel, "Function"):
        drawn = kernel.plot_network(net(kernel.input_variable(3, name="features")))
        assert labels(drawn) == words and "features" in drawn.text and "26 parameters in all" in drawn.text
        code = kernel.Function(lambda x: kernel.exp(x) * 2)
        assert labels(kernel.plot_network(code, shape={"x": (None, 3)})) == ["variable", "exp", "mul …, 2"]
        assert labels(kernel.plot_network(code)) == ["variable", "exp", "mul …, 2"]


# --- places ---


def geometry(svg: str) -> tuple[list[dict], list[ElementTree.Element], ElementTree.Element]:
    """(boxes with their rectangle and texts, lines, the whole)."""
    root = ElementTree.fromstring(svg)
    boxes = []
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "gs-node":
            rect = next(r for r in group.iter(f"{SVG}rect") if "gs-box" in r.get("class", ""))
            x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
            boxes.append(
                {"area": (x, y, x + width, y + height), "group": group, "texts": list(group.iter(f"{SVG}text"))}
            )
    return boxes, [path for path in root.iter(f"{SVG}path") if path.get("class") == "gs-line"], root


def extent(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """The area of a text, by the estimate."""
    size = {"gs-label": 13, "gs-small": 11.5, "gs-title": 15}[text.get("class")]
    width = text_width(text.text or "", size, bold=text.get("class") != "gs-small")
    x, y = float(text.get("x")), float(text.get("y"))
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return left, y - 0.75 * size, left + width, y + 0.2 * size


def overlap(a: tuple, b: tuple, by: float = 0.0) -> bool:
    return a[0] + by < b[2] and b[0] + by < a[2] and a[1] + by < b[3] and b[1] + by < a[3]


def points(path: ElementTree.Element) -> list[tuple[float, float]]:
    """Points all along a line."""
    found, at = [], (0.0, 0.0)
    for command, numbers in re.findall(r"([MLC])([^MLC]+)", path.get("d")):
        values = list(map(float, numbers.split()))
        corners = list(itertools.batched(values, 2)) if hasattr(itertools, "batched") else None
        corners = corners or [tuple(values[i : i + 2]) for i in range(0, len(values), 2)]
        if command != "M":
            controls = [at, *corners] if command == "C" else [at, at, corners[0], corners[0]]
            for t in numpy.linspace(0, 1, 60):
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                found.append(tuple(sum(w * c[k] for w, c in zip(weights, controls, strict=True)) for k in (0, 1)))
        at = corners[-1]
    return found


@every_net
@both_ways
@hidden_or_not
def test_nothing_is_on_top_of_anything(name, direction, hide):
    drawn = kernel.plot_network(
        NETS[name](), shape=SHAPES.get(name), title="A title", hide_weights=hide, direction=direction
    )
    boxes, lines, root = geometry(drawn.svg)
    assert len(boxes) == len(lines_of(drawn)) - 1  # one line is the title's
    for one, other in itertools.combinations(boxes, 2):
        assert not overlap(one["area"], other["area"])
    whole = (0.0, 0.0, float(root.get("width")), float(root.get("height")))
    loose = []
    inside = {text for box in boxes for text in box["texts"]}
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        assert left >= 0 and top >= 0 and right <= whole[2] and bottom <= whole[3], text.text
        if text not in inside:
            loose.append((text.text, extent(text)))
    for box in boxes:
        left, top, right, bottom = box["area"]
        for text in box["texts"]:
            area = extent(text)
            assert left < area[0] and area[2] < right and top < area[1] and area[3] < bottom, text.text
        for words, area in loose:
            assert not overlap(area, box["area"]), words
    for (_, one), (_, other) in itertools.combinations(loose, 2):
        assert not overlap(one, other)
    for line in lines:
        for x, y in points(line):
            spot = (x, y, x, y)
            for box in boxes:
                assert not overlap(spot, box["area"], by=0.5)
            for words, area in loose:
                assert not overlap(spot, area, by=0.5), words


@both_ways
def test_data_flows_one_way(direction):
    net = residual()
    drawn = kernel.plot_network(net, direction=direction)
    boxes, _, _ = geometry(drawn.svg)
    start = {box["group"].get("aria-label").split(";")[0]: box["area"] for box in boxes}
    along = 1 if direction == "down" else 0
    rows = lines_of(drawn)
    names = [cells[2] for cells in rows]
    by_name = dict(zip(names, start.values(), strict=True))
    for cells in rows:
        reads = cells[-1].split(";")[0].split(", ") if cells[-1].split(";")[0].split(", ")[0] in names else []
        for source in reads:
            if source != cells[2]:
                assert by_name[source][along + 2] < by_name[cells[2]][along]


def test_a_chain_is_one_straight_column():
    boxes, lines, _ = geometry(kernel.plot_network(lenet(), shape=SHAPES["lenet"]).svg)
    assert len({(box["area"][0] + box["area"][2]) / 2 for box in boxes}) == 1
    assert all("C" not in line.get("d") for line in lines)


def test_the_main_line_of_a_residual_network_is_straight():
    drawn = kernel.plot_network(residual())
    middles = {
        cells[2]: (box["area"][0] + box["area"][2]) / 2
        for cells, box in zip(lines_of(drawn), geometry(drawn.svg)[0], strict=True)
    }
    assert len({x for name, x in middles.items() if re.match(r"conv$|batchnorm|dropout|add", name)}) == 1


def test_a_large_graph_is_drawn_in_a_moment():
    net = sym.Variable("x", shape=(2, 3))
    sides = []
    for i in range(120):
        net = kernel.tanh(net)
        if i % 10 == 0:
            sides.append(net)
    drawn = kernel.plot_network(sum(sides, net))
    assert len(geometry(drawn.svg)[0]) == 1 + 120 + len(sides)


# --- texts ---


@every_net
def test_the_same_symbol_gives_the_same_drawing(name):
    net = NETS[name]()
    first, second = (kernel.plot_network(net, shape=SHAPES.get(name)) for _ in range(2))
    assert first.svg == second.svg and first.text == second.text and first.mermaid() == second.mermaid()
    assert first._repr_html_() == second._repr_html_()


def test_there_are_no_ids_that_could_meet_on_one_page():
    assert not re.search(r"\b(id|url|href)=?[\"(]", kernel.plot_network(residual())._repr_html_())


def test_the_html_has_the_drawing_and_the_words():
    drawn = kernel.plot_network(lenet(), title="LeNet & co")
    root = ElementTree.fromstring(drawn._repr_html_())
    assert [child.tag for child in root] == ["div", "details"]
    assert "".join(root.find("details/pre").itertext()) == drawn.text == repr(drawn)
    nodes = [g for g in root.iter(f"{SVG}g") if g.get("class") == "gs-node"]
    assert all(g.get("tabindex") == "0" and g.find(f"{SVG}title").text == g.get("aria-label") for g in nodes)
    assert "Convolution 5x5/1, 20, called conv1" in nodes[1].get("aria-label")
    assert "#000" not in drawn.svg and "white" not in drawn.svg and "currentColor" in drawn.svg


@every_net
@hidden_or_not
def test_the_words_name_everything_once(name, hide):
    net = NETS[name]()
    drawn = kernel.plot_network(net, hide_weights=hide)
    boxes, _, _ = geometry(drawn.svg)
    rows = lines_of(drawn)
    assert [cells[0] for cells in rows] == [str(i + 1) for i in range(len(boxes))]
    for node in net._nodes():
        if node.op is None and node.role in ("argument", "constant"):
            assert node.name in drawn.text
    for output in net.list_outputs():
        assert output in drawn.text


def test_names_are_escaped_everywhere(tmp_path):
    x = sym.Variable(NASTY, shape=(2, 3))
    net = sym.FullyConnected(x, num_hidden=3, name=NASTY[::-1])
    drawn = kernel.plot_network(net, title=NASTY)
    for text in (drawn._repr_html_(), drawn.svg, kernel.summary(net)._repr_html_(), drawn.mermaid()):
        assert "<script" not in text and "\x00" not in text
    shown = [text.text for text in ElementTree.fromstring(drawn.svg).iter(f"{SVG}text")]
    assert any("<script>" in text for text in shown)
    check_mermaid(drawn.mermaid())
    drawn.save(tmp_path / "net.svg")
    ElementTree.parse(tmp_path / "net.svg")


def check_mermaid(text: str) -> None:
    """Each line is one that Mermaid understands."""
    words = r'"(?:[^"<>&`\n#]|#\w+;|<br/>)*"'
    known = [
        r"flowchart (TD|LR)",
        rf"    n\d+(\[{words}\]|\(\[{words}\]\))",
        rf"    n\d+ -->(\|{words}\|)? n\d+",
        r"    classDef \w+ stroke:#[0-9A-F]{6},stroke-width:2px",
        r"    class n\d+(,n\d+)* \w+",
    ]
    for line in text.splitlines():
        assert any(re.fullmatch(pattern, line) for pattern in known), line


@every_net
def test_mermaid_understands_the_text(name):
    drawn = kernel.plot_network(NETS[name](), shape=SHAPES.get(name))
    text = drawn.mermaid()
    check_mermaid(text)
    assert len(re.findall(r"^    n\d+[(\[]", text, re.MULTILINE)) == len(lines_of(drawn))
    assert kernel.plot_network(mlp(), direction="right").mermaid().startswith("flowchart LR")


def test_a_drawing_is_saved_as_a_file_that_stands_alone(tmp_path):
    drawn = kernel.plot_network(mlp())
    drawn.save(str(tmp_path / "net.svg"))
    root = ElementTree.parse(tmp_path / "net.svg").getroot()
    assert root.tag == f"{SVG}svg" and "background:#fff" in root.get("style")
    refused(lambda: drawn.save(tmp_path / "net.png"), "net.png", ".svg", error=FileError)
    refused(lambda: drawn.save(Path(tmp_path, "nowhere", "net.svg")), "cannot be written", error=FileError)


# --- summaries ---


def test_the_summary_of_lenet():
    table = kernel.summary(lenet(), data=(128, 1, 28, 28))
    assert table.parameters == LENET and table.bytes == 4 * LENET
    assert table.rows[1] == ("conv1", "Convolution 5x5/1, 20", (128, 20, 24, 24), 520)
    assert [row.parameters for row in table.rows if row.parameters] == [520, 25_050, 400_500, 5_010]
    text = str(table)
    assert f"{LENET:,}" in text and f"{4 * LENET:,} bytes" in text
    root = ElementTree.fromstring(f"<div>{table._repr_html_()}</div>")
    assert root.find("table/caption").text == "Layers of softmax_output"
    assert {th.get("scope") for th in root.iter("th")} == {"col", "row"}
    assert len(root.findall("table/tbody/tr")) == len(table.rows) == 12


def test_a_summary_without_shapes_says_what_is_missing():
    table = kernel.summary(mlp())
    assert table.parameters is None and table.bytes is None and "?" in str(table) and "not known" in str(table)


def test_what_is_shared_is_counted_once():
    table = kernel.summary(twins(), left=(4, 5), right=(4, 5))
    assert table.parameters == 40 + 9 and [row.parameters for row in table.rows].count(40) == 2
    assert "40 of them are shared" in str(table)
    layer = layers.Linear(4, 4)
    table = kernel.summary(layers.Sequential([layer, kernel.relu, layer]), data=(2, 4))
    assert table.parameters == 20 and len(table.rows) == 2


def test_the_summary_of_a_module():
    net = layers.Sequential([layers.Dense(16, activation=kernel.relu), layers.Dropout(0.5), layers.BatchNorm()])
    before = kernel.summary(net)
    assert before.parameters is None and [row.shape for row in before.rows] == [None] * 3
    table = kernel.summary(net, data=(1, 8))
    assert [row.shape for row in table.rows] == [(1, 16)] * 3
    assert [row.parameters for row in table.rows] == [8 * 16 + 16, 0, 32] and table.parameters == 176
    assert "33 numbers" in str(table)  # the moving statistics and how often
    assert net.training and net[1].training and net[0].types == "Dense(?) -> ?"
    net(kernel.ones(5, 8))
    assert [row.shape for row in kernel.summary(net).rows] == [(None, 16)] * 3


def test_a_module_of_two_inputs_by_name_and_of_whole_numbers():
    class Pair(kernel.Module):
        def __init__(self):
            self.words, self.scores = layers.Embedding(10, 4), layers.Linear(3)

        def forward(self, indices, extra):
            return self.scores(kernel.concatenate([self.words(indices), extra], axis=1))

    table = kernel.summary(Pair(), extra=(5, 2), indices=numpy.zeros(5, int))
    assert [(row.layer, row.shape, row.parameters) for row in table.rows] == [
        ("words", (5, 4), 40),
        ("scores", (5, 3), 21),
    ]


def test_bytes_follow_the_dtype():
    x = sym.Variable("x", shape=(2, 3), dtype="float64")
    assert kernel.summary(sym.FullyConnected(x, num_hidden=1)).bytes == 4 * 8
    assert kernel.summary(layers.Linear(3, 1).to("float64")).bytes == 4 * 8


# --- wrong input ---


def test_what_is_no_network_is_refused_in_words():
    for call in (kernel.plot_network, kernel.summary):
        refused(lambda call=call: call(3), call.__name__, "symbol", "3", error=DtypeError)
        refused(lambda call=call: call(kernel.ones(2)), "symbol", error=DtypeError)
        refused(lambda call=call: call(layers.Linear(3)), "Linear", "data") if call is kernel.plot_network else None


def test_wrong_options_are_refused_in_words():
    net = mlp()
    refused(lambda: kernel.plot_network(net, shape={"date": (1, 2)}), "plot_network", "date", "data", error=ShapeError)
    refused(lambda: kernel.plot_network(net, shape=(1, 2)), "shapes", error=DtypeError)
    refused(lambda: kernel.plot_network(net, shape={"data": "big"}), "data", "'big'", error=DtypeError)
    refused(lambda: kernel.plot_network(net, shape={"data": (-1, 2)}), "negative", error=ShapeError)
    refused(lambda: kernel.plot_network(net, title=3), "title", error=DtypeError)
    refused(lambda: kernel.plot_network(net, direction="up"), "direction", "down", error=DtypeError)
    refused(lambda: kernel.plot_network(net, hide_weights=1), "hide_weights", error=DtypeError)
    refused(lambda: kernel.summary(net, date=(1, 2)), "summary", "date", error=ShapeError)
    refused(lambda: kernel.summary(lenet(), data=(1, 1, 2, 2)), "conv1", error=ShapeError)


def test_every_operation_has_a_kind_and_a_label():
    assert {kind for kind in drawing._KIND.values()} <= set(drawing.KINDS)
    assert set(drawing._KIND) <= set(kernel.op.registry) and set(drawing._LABELS) <= set(kernel.op.registry)
    losses = {name for name, op in kernel.op.registry.items() if op.__module__.endswith("ops.losses")}
    assert losses - {"cosine_similarity"} <= {name for name, kind in drawing._KIND.items() if kind == "loss"}
