"""The workloads as PyTorch's users type them. See workloads.py for what they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .workloads import (
    CLASSES,
    DENSE,
    HIDDEN,
    IMAGE,
    LEARNERS,
    MILLION,
    RATE,
    SEQUENCE,
    Step,
    arrays,
    as_torch_has_it,
    raw,
    recurrent_arrays,
    samples,
    sequences,
)

FUSED = ("SGD", "Adam", "AdamW", "Adagrad")  # those of which PyTorch has one kernel for the whole update


class LastOutput(nn.Module):
    """A recurrent layer, and a linear one behind its last output."""

    def __init__(self, kind: type[nn.Module]):
        super().__init__()
        self.layer = kind(SEQUENCE[2], HIDDEN)
        self.linear = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.layer(x)
        return self.linear(outputs[-1])


def workloads(device: str, tuned: bool = False) -> dict[str, Callable[..., Step]]:
    """All of them, on ``device``; ``tuned`` lays images and convolutions out as channels_last."""
    layout = {"memory_format": torch.channels_last} if tuned else {}

    def start(model: nn.Module, numbers: list) -> list:
        params = list(model.parameters())
        with torch.no_grad():
            for p, array in zip(params, numbers, strict=True):
                p.copy_(torch.tensor(array))
        return params

    def train(model: nn.Module, numbers: list, given: tuple, momentum: float = 0.0, **layout: Any) -> Step:
        """A step of a model that starts with these numbers, on one batch of inputs and labels."""
        params = start(model, numbers)
        model.to(device, **layout)
        optimizer = torch.optim.SGD(params, lr=RATE, momentum=momentum)
        criterion = nn.CrossEntropyLoss()
        inputs, targets = given
        x, labels = torch.tensor(inputs, device=device).to(**layout), torch.tensor(targets, device=device)

        def step() -> list:
            optimizer.zero_grad()
            criterion(model(x), labels).backward()
            optimizer.step()
            return params

        return step

    def one_sample() -> Step:
        model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32)).to(device)
        params = start(model, arrays((32, 20), (32,), (32, 32), (32,)))
        optimizer = torch.optim.SGD(params, lr=RATE)
        x = torch.tensor(samples(1, (20,), 2)[0][0], device=device)

        def step() -> list:
            optimizer.zero_grad()
            (model(x).sum() ** 2).backward()
            optimizer.step()
            return params

        return step

    def dense(sizes: tuple[int, ...], count: int, momentum: float) -> Callable[[], Step]:
        def prepare() -> Step:
            layers: list[nn.Module] = []
            for n, m in itertools.pairwise(sizes):
                layers += [nn.Linear(n, m), nn.ReLU()]
            model = nn.Sequential(*layers[:-1])
            numbers = arrays(*(tuple(p.shape) for p in model.parameters()))
            return train(model, numbers, samples(count, sizes[:1], sizes[-1]), momentum)

        return prepare

    def lenet(count: int) -> Callable[[], Step]:
        def prepare() -> Step:
            model = nn.Sequential(
                *(nn.Conv2d(1, 20, 5), nn.Tanh(), nn.MaxPool2d(2)),
                *(nn.Conv2d(20, 50, 5), nn.Tanh(), nn.MaxPool2d(2)),
                *(nn.Flatten(), nn.Linear(800, 500), nn.Tanh(), nn.Linear(500, CLASSES)),
            )
            numbers = arrays(*(tuple(p.shape) for p in model.parameters()))
            return train(model, numbers, samples(count, IMAGE, CLASSES), **layout)

        return prepare

    def guided_tour(rate: float = 0.5) -> Step:
        model = nn.Sequential(
            *(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(32, 48, 3), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(48, 64, 3), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(576, 96), nn.ReLU(), nn.Dropout(rate), nn.Linear(96, CLASSES)),
        )
        numbers = arrays(*(tuple(p.shape) for p in model.parameters()))
        return train(model, numbers, samples(256, IMAGE, CLASSES), 0.9, **layout)

    def recurrent(kind: type[nn.Module], gates: int) -> Callable[[], Step]:
        def prepare() -> Step:
            *layer, weight, bias = recurrent_arrays(gates)
            numbers = [*(as_torch_has_it(array, gates) for array in layer), weight, bias]
            return train(LastOutput(kind), numbers, sequences())

        return prepare

    def update(name: str, options: dict) -> Callable[[], Step]:
        def prepare() -> Step:
            params = [nn.Parameter(torch.tensor(array, device=device)) for array in arrays(*MILLION)]
            for p, gradient in zip(params, arrays(*MILLION), strict=True):
                p.grad = torch.tensor(gradient, device=device)
            fused = {"fused": True} if tuned and name in FUSED else {}
            optimizer = getattr(torch.optim, name)(params, **options, **fused)

            def step() -> list:
                optimizer.step()
                return params

            return step

        return prepare

    return {
        "a": one_sample,
        "b raw": lambda: raw(torch, device=device),
        **{name: dense(*facts) for name, facts in DENSE.items()},
        "f 64": lenet(64),
        "f 1024": lenet(1024),
        "g": guided_tour,
        "h rnn": recurrent(nn.RNN, 1),
        "h lstm": recurrent(nn.LSTM, 4),
        **{name: update(*learner) for name, learner in LEARNERS.items()},
    }


def synchronise(device: str) -> None:
    """Wait until the device has done all that it was told."""
    if device != "cpu":
        torch.cuda.synchronize(device)
