"""The training steps that are measured, each written twice: as one types it with the kernel, and with PyTorch.

a        x(20) -> 32 relu -> 32, cost (sum z)^2, one sample, SGD
b raw    2 -> 12 relu -> 3, batch 20, SGD: softmax and loss typed by hand (exp, sum, gather, log, mean) on both sides
b fused  the same net and batch
c        the same net, batch 500, SGD with momentum 0.9
d        2 -> 2, batch 32: logistic regression, SGD
e        100 -> 128 relu -> 10, batch 100, SGD
f 64     LeNet on 28x28: conv 5x5x20 tanh, max pool 2, conv 5x5x50 tanh, max pool 2, 500 tanh, 10, batch 64, SGD
f 1024   the same net, batch 1024
g        conv 5x5x32 pad 2 relu, max pool 3 stride 2, conv 3x3x48 relu, max pool 3 stride 2, conv 3x3x64 relu, 96 relu,
         dropout 0.5, 10, on 28x28, batch 256, SGD with momentum 0.9
h rnn    32 steps of 32 numbers -> tanh RNN 64, its last output -> 10, batch 32, SGD
h lstm   the same with an LSTM
i …      one update of 20 parameters of 250x200, a million numbers, by each learner; no pass forward or backward

All but a and i end in the cross-entropy of class labels. In b raw both sides update the parameters by hand. In the
others the kernel's side is functions (linear, conv2d, relu, cross_entropy, …) and its learners; PyTorch's is what its
users type: nn.Sequential of layers, nn.CrossEntropyLoss, its optimizers. Both start from the same numbers and do the
same arithmetic, which a test compares; so the kernel's recurrent side adds the two biases that PyTorch's has.

"Tuned" means, for the kernel, the environment of kernel.tuning.settings(); for PyTorch the same environment, images and
convolutions in its channels_last layout, and in i the fused kernel, where an optimizer has one.

A workload is a function that prepares everything and returns a step: a function of no argument that does one forward
pass, one backward pass and one update (of i the update alone), and returns the parameters. That of g takes the rate of
its dropout.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy

Step = Callable[[], list]
RATE = 0.01
IMAGE = (1, 28, 28)
CLASSES = 10
SEQUENCE = (32, 32, 32)  # steps, batch, features
HIDDEN = 64


class Target(NamedTuple):
    """The ratio of kernel to torch that must not be exceeded on one thread, and which columns it compares."""

    kernel: str
    torch: str
    ratio: float


TARGETS = {
    "a": [Target("typed", "default", 0.4)],
    "b raw": [Target("typed", "default", 0.5)],
    "b fused": [Target("typed", "default", 0.4)],
    "c": [Target("typed", "default", 0.4)],
    "d": [Target("typed", "default", 0.4)],
    "e": [Target("typed", "default", 0.6)],
    "f 64": [Target("tuned", "default", 0.6), Target("tuned", "tuned", 0.9)],
    "f 1024": [Target("tuned", "default", 0.6), Target("tuned", "tuned", 0.9)],
    "g": [Target("tuned", "default", 0.75)],
    "h rnn": [Target("tuned", "default", 0.4)],
    "h lstm": [Target("tuned", "default", 1.1)],
    "i sgd": [Target("typed", "default", 1.4)],
    "i momentum": [Target("typed", "default", 0.95)],
    "i nesterov": [],
    "i adagrad": [],
    "i rmsprop": [],
    "i adadelta": [],
    "i adam": [Target("typed", "default", 0.85)],
    "i adamw": [],
    "i adamax": [],
    "i nadam": [],
    "i radam": [],
}
# The learners of workload i, called alike by both sides.
LEARNERS: dict[str, tuple[str, dict]] = {
    "i sgd": ("SGD", {}),
    "i momentum": ("SGD", {"momentum": 0.9}),
    "i nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "i adagrad": ("Adagrad", {}),
    "i rmsprop": ("RMSprop", {}),
    "i adadelta": ("Adadelta", {}),
    "i adam": ("Adam", {}),
    "i adamw": ("AdamW", {}),
    "i adamax": ("Adamax", {}),
    "i nadam": ("NAdam", {}),
    "i radam": ("RAdam", {}),
}
MILLION = ((250, 200),) * 20
# How much of the eager step's time the executor's may take, both typed and both tuned, on one thread.
GRAPH_TARGETS = {"b fused": 0.8, "e": 0.95, "f 64": 1.0, "f 1024": 1.0}
# The sizes of the layers, the batch and the momentum of the workloads that are linear layers with relu between them.
DENSE = {"b fused": ((2, 12, 3), 20, 0.0), "c": ((2, 12, 3), 500, 0.9), "d": ((2, 2), 32, 0.0)}
DENSE |= {"e": ((100, 128, 10), 100, 0.0)}
LENET = ((20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (500, 800), (500,), (10, 500), (10,))
GUIDED_TOUR = (
    *((32, 1, 5, 5), (32,), (48, 32, 3, 3), (48,), (64, 48, 3, 3), (64,)),
    *((96, 576), (96,), (10, 96), (10,)),
)


def arrays(*shapes: tuple[int, ...]) -> list[numpy.ndarray]:
    """Small random parameters, the same for both sides."""
    rng = numpy.random.default_rng(0)
    return [(0.1 * rng.standard_normal(shape)).astype("float32") for shape in shapes]


def samples(batch: int, shape: tuple[int, ...], classes: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """One batch of inputs and labels, the same for both sides."""
    rng = numpy.random.default_rng(1)
    return rng.random((batch, *shape), "float32"), rng.integers(0, classes, batch)


def sequences() -> tuple[numpy.ndarray, numpy.ndarray]:
    """One batch of sequences (steps, batch, features) and a label for each."""
    rng = numpy.random.default_rng(1)
    return rng.random(SEQUENCE, "float32"), rng.integers(0, CLASSES, SEQUENCE[1])


def recurrent_arrays(gates: int) -> list[numpy.ndarray]:
    """Of a recurrent layer and the layer behind it, as the kernel lays them out: W (in, gates k), H (k, gates k)."""
    width = gates * HIDDEN
    return arrays((SEQUENCE[2], width), (HIDDEN, width), (width,), (width,), (CLASSES, HIDDEN), (CLASSES,))


def as_torch_has_it(array: numpy.ndarray, gates: int) -> numpy.ndarray:
    """A parameter of a recurrent layer in PyTorch's layout: (gates k, in), the gates of an LSTM as i f g o."""
    array = array.T
    if gates == 1:
        return array
    i, g, f, o = numpy.split(array, 4)
    return numpy.concatenate((i, f, g, o))


def raw(library: ModuleType, **place: str) -> Step:
    """Workload b raw. The kernel has PyTorch's names, so that one text serves both."""
    params = w1, b1, w2, b2 = [
        library.tensor(array, requires_grad=True, **place) for array in arrays((2, 12), (12,), (12, 3), (3,))
    ]
    x, labels = (library.tensor(array, **place) for array in samples(20, (2,), 3))
    zero = library.zeros(1, **place)

    def step() -> list:
        z = library.max(x.mm(w1) + b1, zero).mm(w2) + b2
        e = library.exp(z)
        p = e / library.sum(e, 1, keepdim=True)
        loss = -library.mean(library.log(library.gather(p, 1, library.unsqueeze(labels, 1))))
        loss.backward()
        for p in params:
            p.data.sub_(RATE * p.grad.data)
            p.grad.zero_()
        return params

    return step
