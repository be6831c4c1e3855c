"""Whatever is typed wrongly is answered by one of the kernel's four errors, in a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest

import kernel
from kernel import DeviceError, DtypeError, GradError, ShapeError

OURS = (ShapeError, DtypeError, DeviceError, GradError)


def x() -> Any:
    return kernel.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def v() -> Any:
    return kernel.tensor([1.0, 2.0, 3.0])


def signals() -> Any:
    return kernel.ones(1, 2, 5)


def images() -> Any:
    return kernel.ones(1, 2, 5, 6)


def whole() -> Any:
    return kernel.tensor([[0, 1, 2], [2, 1, 0]])


def labels() -> Any:
    return kernel.tensor([0, 2])


def truth() -> Any:
    return kernel.tensor([[True, False, True], [False, False, True]])


UNARY = """
    abs cos exp gelu log neg negative relu sigmoid sign sin softplus sqrt square tanh zeros_like ones_like
"""
BINARY = """
    add div divide eq ge gt le lt maximum minimum element_max mul multiply ne pow power sub subtract
"""
REDUCTIONS = "sum mean amax amin all any logsumexp argmax argmin"
# One good call of every public function: (positional arguments, keywords), made afresh for every use.
FUNCTIONS: dict[str, Callable[[], tuple[tuple, dict]]] = {
    **dict.fromkeys(UNARY.split(), lambda: ((x(),), {})),
    **dict.fromkeys(BINARY.split(), lambda: ((x(), v()), {})),
    **dict.fromkeys(REDUCTIONS.split(), lambda: ((x(),), {"axis": 1, "keepdims": True})),
    **dict.fromkeys(("logical_and", "logical_or"), lambda: ((truth(), truth()), {})),
    "logical_not": lambda: ((truth(),), {}),
    **dict.fromkeys(("clip", "clamp"), lambda: ((x(), 1, 2.5), {})),
    "where": lambda: ((truth(), x(), 0.0), {}),
    **dict.fromkeys(("matmul", "mm"), lambda: ((x(), x().T), {})),
    "mv": lambda: ((x(), v()), {}),
    "dot": lambda: ((v(), v()), {}),
    "linear": lambda: ((x(), kernel.ones(4, 3), kernel.ones(4)), {}),
    "dense": lambda: ((x(), kernel.ones(3, 4), kernel.ones(4), 1), {}),
    "leaky_relu": lambda: ((x(), 0.1), {}),
    "elu": lambda: ((x(), 0.5), {}),
    "selu": lambda: ((x(),), {}),
    "conv1d": lambda: ((signals(), kernel.ones(4, 2, 3), kernel.ones(4), 1, 1, 1, 1), {}),
    "conv2d": lambda: ((images(), kernel.ones(4, 2, 3, 3), kernel.ones(4), 1, 1, 1, 1), {"layout": "NCHW"}),
    "conv_transpose2d": lambda: (
        (images(), kernel.ones(2, 4, 3, 3), kernel.ones(4), 2, 1, 1, 1, 1),
        {"layout": "NCHW"},
    ),
    "max_pool1d": lambda: ((signals(), 2, 2, 0), {"ceil_mode": True}),
    "max_pool2d": lambda: ((images(), 2, 2, 0), {"ceil_mode": True, "layout": "NCHW"}),
    "avg_pool1d": lambda: ((signals(), 2, 2, 0), {"ceil_mode": True, "count_include_pad": True}),
    "avg_pool2d": lambda: ((images(), 2, 2, 0), {"ceil_mode": True, "count_include_pad": True, "layout": "NCHW"}),
    **dict.fromkeys(("global_max_pool", "global_average_pool"), lambda: ((images(),), {"layout": "NHWC"})),
    "var": lambda: ((x(), 1, 1, True), {}),
    "norm": lambda: ((x(), 2), {"axis": 1}),
    **dict.fromkeys(("max", "min"), lambda: ((x(), 1, True), {})),
    **dict.fromkeys(("softmax", "log_softmax"), lambda: ((x(), 1), {})),
    "reshape": lambda: ((x(), (3, 2)), {}),
    "broadcast_to": lambda: ((x(), (4, 2, 3)), {}),
    "permute": lambda: ((x(), 1, 0), {}),
    "transpose": lambda: ((x(), 0, 1), {}),
    "swapaxes": lambda: ((x(), 0, 1), {}),
    **dict.fromkeys(("expand_dims", "unsqueeze"), lambda: ((x(), 1), {})),
    "squeeze": lambda: ((kernel.ones(2, 1), 1), {}),
    "flatten": lambda: ((x(), 0), {}),
    "extent": lambda: ((x(), 0), {}),
    "flip": lambda: ((x(), 0), {}),
    "pad": lambda: ((x(), ((1, 1), (0, 2)), 0.5), {}),
    **dict.fromkeys(("concatenate", "cat", "stack"), lambda: (([x(), x()], 1), {})),
    "split": lambda: ((x(), 2, 1), {}),
    "gather": lambda: ((x(), 1, whole()), {}),
    "take_along_axis": lambda: ((x(), whole(), 1), {}),
    "one_hot": lambda: ((labels(), 3, "float32"), {}),
    "nonzero": lambda: ((x(),), {}),
    "getitem": lambda: ((x(), (0, labels())), {}),
    "scatter_add": lambda: ((kernel.ones(2), (labels(),), (3,)), {}),
    "scatter_along_axis": lambda: ((x(), whole(), 1, (2, 3)), {}),
    "einsum": lambda: (("ij,kj->ik", x(), x()), {}),
    "embedding": lambda: ((whole(), kernel.ones(4, 2)), {}),
    "cumsum": lambda: ((x(), 1), {}),
    "sort": lambda: ((x(), 1, True), {}),
    "argsort": lambda: ((x(), 1, True), {}),
    "topk": lambda: ((x(), 2, 1, False), {}),
    **dict.fromkeys(("cross_entropy", "nll_loss"), lambda: ((x(), labels(), "mean"), {})),
    "cross_entropy_with_softmax": lambda: ((x(), labels()), {}),
    "softmax_output": lambda: ((x(), labels(), 1.0, "null", 0), {}),
    "classification_error": lambda: ((x(), labels(), 2), {}),
    **dict.fromkeys(
        ("mse_loss", "l1_loss", "binary_cross_entropy_with_logits", "hinge_loss"), lambda: ((x(), x(), "mean"), {})
    ),
    "binary_cross_entropy": lambda: ((x() / 10, x() / 10, "mean"), {}),
    "kl_div": lambda: ((x(), x(), "batchmean"), {}),
    **dict.fromkeys(("huber_loss", "smooth_l1_loss"), lambda: ((x(), x(), 0.5, "mean"), {})),
    **dict.fromkeys(("squared_error", "cosine_distance"), lambda: ((x(), x()), {})),
    "cosine_similarity": lambda: ((x(), v(), 1, 1e-8), {}),
    "rnn_cell": lambda: ((x(), kernel.ones(2, 4), kernel.ones(3, 4), kernel.eye(4), kernel.ones(4), "tanh"), {}),
    "lstm_cell": lambda: (
        (x(), kernel.ones(2, 4), kernel.ones(2, 4), kernel.ones(3, 16), kernel.ones(4, 16), kernel.ones(16)),
        {},
    ),
    "gru_cell": lambda: (
        (x(), kernel.ones(2, 4), kernel.ones(3, 12), kernel.ones(4, 8), kernel.eye(4), kernel.ones(12)),
        {},
    ),
    "rnn": lambda: ((kernel.ones(5, 2, 3), None, kernel.ones(3, 4), kernel.eye(4), kernel.ones(4), "tanh"), {}),
    "lstm": lambda: (
        (kernel.ones(5, 2, 3), None, kernel.ones(2, 4), kernel.ones(3, 16), kernel.ones(4, 16), kernel.ones(16)),
        {},
    ),
    "gru": lambda: (
        (kernel.ones(5, 2, 3), None, kernel.ones(3, 12), kernel.ones(4, 8), kernel.eye(4), kernel.ones(12)),
        {},
    ),
    "batch_norm": lambda: (
        (x(), kernel.ones(3), kernel.ones(3), kernel.zeros(3), kernel.ones(3), False, 0.1, 1e-5),
        {},
    ),
    "batch_norm_with_statistics": lambda: ((x(), kernel.ones(3), kernel.ones(3), 1e-5), {}),
    "layer_norm": lambda: ((x(), (3,), kernel.ones(3), kernel.ones(3), 1e-5), {}),
    "group_norm": lambda: ((x(), 3, kernel.ones(3), kernel.ones(3), 1e-5), {}),
    "dropout": lambda: ((x(), 0.25), {"training": True, "seed": 3, "generator": kernel.Generator(0)}),
}
CREATION: dict[str, Callable[[], tuple[tuple, dict]]] = {
    "tensor": lambda: (([[1.0, 2.0]], "float32", "cpu"), {}),
    "from_numpy": lambda: ((numpy.ones(3),), {}),
    **dict.fromkeys(("empty", "zeros", "ones"), lambda: ((2, 3), {"dtype": "float64", "device": "cpu"})),
    "full": lambda: (((2, 3), 1.5), {"dtype": "float64", "device": "cpu"}),
    "eye": lambda: ((2, 3), {"dtype": "float64", "device": "cpu"}),
    "arange": lambda: ((0, 5, 2), {"dtype": "float64", "device": "cpu"}),
    "linspace": lambda: ((0, 1, 5), {"dtype": "float64", "device": "cpu"}),
    "rand": lambda: ((2, 3), {"dtype": "float64", "device": "cpu", "generator": kernel.Generator(0)}),
    "randn": lambda: ((2, 3), {"dtype": "float64", "device": "cpu", "generator": kernel.Generator(0)}),
    "randint": lambda: ((0, 5, (2, 3)), {"device": "cpu", "generator": kernel.Generator(0)}),
    "Tensor": lambda: ((2, 3), {}),
    "manual_seed": lambda: ((0,), {}),
    "Generator": lambda: ((0,), {}),
    "gradcheck": lambda: ((kernel.exp, x()), {}),
    "grad": lambda: ((x().requires_grad_().sum(), x().requires_grad_()), {}),
    "Parameter": lambda: (([1.0],), {}),
}
METRICS: dict[str, Callable[[], tuple[tuple, dict]]] = {
    "accuracy": lambda: ((x(), labels()), {}),
    "confusion_matrix": lambda: ((x(), labels(), 3), {}),
    **dict.fromkeys(("precision", "recall", "f1_score"), lambda: ((truth()[0], truth()[1], "macro"), {})),
    **dict.fromkeys(("precision_recall_curve", "roc_curve", "pr_auc", "roc_auc"), lambda: ((x()[0], truth()[0]), {})),
    "sparse_csr": lambda: ((([1.0, 2.0], [0, 2], [0, 1, 2]), (2, 3), "float64", "cpu"), {}),
    "SparseTensor": lambda: ((v(), whole()[0], kernel.tensor([0, 2, 3]), (2, 3)), {}),
}
METHODS: dict[str, Callable[[], tuple[tuple, dict]]] = {
    "view": lambda: ((3, 2), {}),
    "astype": lambda: (("float64",), {}),
    "to": lambda: (("float64",), {}),
    "type": lambda: (("LongTensor",), {}),
    "type_as": lambda: ((whole(),), {}),
    "cuda": lambda: ((0,), {}),
    "size": lambda: ((0,), {}),
    "__getitem__": lambda: (((0, 1),), {}),
    "__setitem__": lambda: (((0, 1), 5.0), {}),
    **dict.fromkeys(("add_", "sub_"), lambda: ((x(),), {"alpha": 2.0})),
    **dict.fromkeys(("mul_", "div_"), lambda: ((x(),), {})),
    "fill_": lambda: ((1.5,), {}),
    "copy_": lambda: ((x(),), {}),
    "backward": lambda: ((x(),), {}),
    "register_hook": lambda: ((print,), {}),
    "__add__": lambda: ((x(),), {}),
    "__rsub__": lambda: ((2.0,), {}),
    "__pow__": lambda: ((2,), {}),
    "__matmul__": lambda: ((v(),), {}),
    "__lt__": lambda: ((x(),), {}),
    "__and__": lambda: ((x(),), {}),
    "__len__": lambda: ((), {}),
    "__float__": lambda: ((), {}),
    "__bool__": lambda: ((), {}),
    "__index__": lambda: ((), {}),
    "item": lambda: ((), {}),
    "numpy": lambda: ((), {}),
    "t": lambda: ((), {}),
    "squeeze": lambda: ((0,), {}),
}
WRONG: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "text": lambda: "text",
    "list": lambda: [1.0, 2.0],
    "ragged": lambda: [[1.0], [2.0, 3.0]],
    "array": lambda: numpy.ones((2, 3)),
    "object": object,
    "dict": lambda: {"a": 1},
    "negative": lambda: -7,
    "far": lambda: 99,
    "half": lambda: 1.5,
    "nan": lambda: float("nan"),
    "huge": lambda: 10**30,
    "complex": lambda: 1j,
    "bool": lambda: True,
    "far axes": lambda: (0, 99),
    "same axes": lambda: (1, 1),
    "half axes": lambda: (0.5, 1),
    "empty": lambda: (),
    "nested": lambda: ((1, "a"),),
    "type": lambda: int,
    "function": lambda: print,
    "tensor": lambda: kernel.ones(7, 5, 4),
    "scalar": lambda: kernel.tensor(2.0),
    "whole": lambda: kernel.tensor([5, -9]),
    "truth": lambda: kernel.tensor([True]),
    "strict": lambda: kernel.ones(2, 3, device="strict"),
    "list of tensors": lambda: [kernel.ones(2), None],
}


def in_words(error: BaseException) -> bool:
    message = str(error)
    return type(error) in OURS and message.endswith(".") and "\n" not in message


def attempts() -> list:
    found = []
    for kind, table in (("function", FUNCTIONS), ("creation", CREATION), ("metric", METRICS), ("method", METHODS)):
        for name, make in table.items():
            positional, keywords = make()
            places = [*range(len(positional)), *keywords]
            found.extend(pytest.param(kind, table, name, place, id=f"{name}-{place}") for place in places)
            if kind == "method" and not places:
                found.append(pytest.param(kind, table, name, None, id=name))
    return found


RECEIVERS: dict[str, Callable[[], Any]] = {
    "plain": x,
    "whole": whole,
    "scalar": lambda: kernel.tensor(1.5),
    "leaf": lambda: x().requires_grad_(),
    "result": lambda: x().requires_grad_() * 2,
    "strict": lambda: kernel.ones(2, 3, device="strict"),
    "empty": lambda: kernel.ones(0, 3),
    "read only": lambda: kernel.ones(1, 3).broadcast_to(2, 3),
}


def test_every_public_function_is_tried():
    assert set(FUNCTIONS) == set(kernel.functional.__all__)
    names = {name for name in dir(kernel) if not name.startswith("_")}
    assert set(FUNCTIONS) | set(CREATION) | set(METRICS) <= names
    assert set(kernel.metrics.__all__) <= set(METRICS)


@pytest.mark.parametrize("name", [*FUNCTIONS, *CREATION, *METRICS])
def test_the_good_call_is_good(name: str):
    if name != "grad":  # its good call is one that does not depend on the input
        positional, keywords = (FUNCTIONS | CREATION | METRICS)[name]()
        getattr(kernel, name)(*positional, **keywords)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of values, such as log(-7): they are no errors
@pytest.mark.parametrize(("kind", "table", "name", "place"), attempts())
def test_wrong_arguments_are_answered_in_words(kind: str, table: dict, name: str, place: Any):
    """Each argument in turn is replaced by something that hardly belongs there."""
    receivers = RECEIVERS if kind == "method" else {"": None}
    for receiver, make_receiver in receivers.items():
        for wrong, make_wrong in WRONG.items():
            positional, keywords = table[name]()
            positional = list(positional)
            if isinstance(place, int):
                positional[place] = make_wrong()
            elif place is not None:
                keywords[place] = make_wrong()
            function = getattr(make_receiver(), name) if kind == "method" else getattr(kernel, name)
            try:
                function(*positional, **keywords)
            except Exception as error:
                assert in_words(error), f"{name} of {receiver}, argument {place}: {wrong}: {type(error)}: {error}"


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "signals with their channels last": (
        lambda: kernel.conv1d(kernel.ones(2, 8, 3), kernel.ones(4, 3, 3)),
        "conv1d: as images of height 1, argument weight .* because x has 8 channels, .* move them to axis 1",
    ),
    "a kernel longer than the signal": (
        lambda: kernel.max_pool1d(kernel.ones(2, 3, 2), 3),
        "max_pool1d: as images of height 1, a window of width 3 does not fit into images of width 2",
    ),
    "a transposed convolution of other channels": (
        lambda: kernel.conv_transpose2d(kernel.ones(2, 3, 8, 8), kernel.ones(4, 3, 3, 3)),
        r"conv_transpose2d: argument weight should have shape \(3, \?, 3, 3\)",
    ),
    "no stride": (
        lambda: kernel.conv_transpose2d(kernel.ones(2, 3, 8, 8), kernel.ones(3, 3, 3, 3), stride=0),
        "conv_transpose2d: stride must be 1 or more",
    ),
    "more padding than there is": (
        lambda: kernel.conv_transpose2d(kernel.ones(2, 3, 1, 1), kernel.ones(3, 3, 3, 3), padding=3),
        r"conv_transpose2d: the result would have size \(-3, -3\) .*; pad less",
    ),
    "flat padding": (
        lambda: kernel.conv2d(images(), kernel.ones(4, 2, 3, 3), padding=(1, 1, 1, 1)),
        r"conv2d: padding must be .*\(\(top, bottom\), \(left, right\)\)",
    ),
    "a column of labels": (
        lambda: kernel.cross_entropy(x(), labels().reshape(2, 1)),
        r"cross_entropy: .* class indices have shape \(B,\), as labels.reshape\(-1\)",
    ),
    "one distribution too few": (
        lambda: kernel.cross_entropy(x(), kernel.ones(1, 3)),
        r"cross_entropy: argument target should have shape \(2, 3\)[^;]*",
    ),
    "scores of every pixel": (
        lambda: kernel.cross_entropy(kernel.ones(2, 3, 4, 4), labels()),
        r"cross_entropy: .* reshape\(-1, C\)",
    ),
    "soft labels where there are none": (
        lambda: kernel.nll_loss(x(), kernel.ones(2)),
        r"nll_loss: .*float32; convert them with .long\(\)",
    ),
    "a number for labels": (lambda: kernel.cross_entropy(x(), 3), "cross_entropy: .* but they are a plain number"),
    "no beta": (lambda: kernel.smooth_l1_loss(v(), v(), 0), "smooth_l1_loss: beta must be .* above 0"),
    "PyTorch's state of layers": (
        lambda: kernel.lstm(kernel.ones(5, 4, 3), kernel.ones(1, 4, 2), None, kernel.ones(3, 8), kernel.ones(2, 8)),
        r"lstm: argument hidden should have shape \(4, 2\)",
    ),
    "a tensor for a seed": (
        lambda: kernel.dropout(x(), seed=kernel.tensor(1)),
        r"dropout: seed must be a whole Python number, but it is a tensor of shape \(\)",
    ),
    "a number added to a sparse tensor": (
        lambda: kernel.SparseTensor.one_hot(labels(), 3) + 1,
        r"add: a sparse tensor can be .* \.to_dense\(\)",
    ),
    "a number times a sparse tensor": (lambda: 2 * kernel.SparseTensor.one_hot(labels(), 3), "mul: a sparse tensor"),
    "a class that is not there": (lambda: kernel.confusion_matrix(labels(), labels(), 2), "an answer is 2, but"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_beginners_are_answered_with_what_to_do(mistake: str):
    call, words = MISTAKES[mistake]
    with pytest.raises(OURS, match=f"{words}.*[.]$") as caught:
        call()
    assert in_words(caught.value)
