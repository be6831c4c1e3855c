"""Training: a criterion, learners and data, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from .errors import DtypeError, GradError, ShapeError, show
from .function import Function, combine, criterion
from .learners import Learner, Learners
from .schedules import Counts, Schedule, minibatch_size_schedule, require_count
from .symbol import Symbol, node_of


class EpochSummary(NamedTuple):
    """What an epoch came to: averages over its samples. ``metric`` is None for a criterion without one."""

    loss: float
    metric: float | None
    samples: int


class TrainingSummary(NamedTuple):
    """What ``train`` returns."""

    epoch_summaries: tuple[EpochSummary, ...]


class Trainer:
    """Changes parameters by the gradients of a loss, minibatch by minibatch.

    Args:
        model: what is trained; None will do, it is only kept.
        criterion: the loss, (loss, metric), or a function that gives the one or the two. A loss with a number for each
            sample is summed over them; one number is taken as the mean over the minibatch.
        learners: one or several, of different parameters. Parameters of no learner stay as they are.

    >>> from kernel.layers import Dense
    >>> x, y = kernel.input_variable(2), kernel.input_variable(2)
    >>> z = Dense(2)(x)
    >>> loss = kernel.cross_entropy_with_softmax(z, y)
    >>> trainer = kernel.Trainer(z, loss, kernel.sgd(z.parameters, kernel.learning_rate_schedule(0.1, "sample")))
    >>> trainer.train_minibatch({x: [[1.0, 2.0], [3.0, 4.0]], y: [[0.0, 1.0], [1.0, 0.0]]})
    True
    >>> trainer.previous_minibatch_sample_count, trainer.total_number_of_samples_seen
    (2, 2)
    """

    def __init__(self, model: Any, criterion: Any, learners: Learner | Iterable[Learner]):
        self.model, self.criterion = model, _as_criterion("Trainer", criterion)
        self.learners = learners if isinstance(learners, Learners) else Learners(learners)
        self.previous_minibatch_sample_count = self.total_number_of_samples_seen = 0
        self._read: tuple = ()  # of loss and metric: the sum, and by what it is divided

    @property
    def previous_minibatch_loss_average(self) -> float:
        """The loss of the minibatch before, averaged over its samples, before its update."""
        return self._average(0)

    @property
    def previous_minibatch_evaluation_average(self) -> float:
        """The metric of the minibatch before, averaged over its samples; nan for a criterion without one."""
        return self._average(1)

    def __repr__(self) -> str:
        return f"Trainer({self.learners!r}, {self.total_number_of_samples_seen} samples seen)"

    def _average(self, which: int) -> float:
        # On a GPU this waits for the minibatch to be done with: so it is read only when somebody asks.
        if which >= len(self._read):
            return float("nan")
        total, count = self._read[which]
        return total.item() / count

    def train_minibatch(self, arguments: Any, sweep_end: bool = False) -> bool:
        """An update by one minibatch.

        Args:
            arguments: {variable or its name: array}, or the arrays alone in a tuple. The first axis counts samples.
            sweep_end: whether the data have been gone through with it.

        Returns whether anything was changed.
        """
        function, given = self.criterion._fed("train_minibatch", arguments)
        sizes = {node.name: len(array) if array.ndim else None for node, array in given.items()}
        if len(set(sizes.values())) != 1 or None in sizes.values():
            told = ", ".join(f"{name} {'none' if size is None else size}" for name, size in sizes.items())
            raise ShapeError(f"train_minibatch: every argument should bring as many samples, but they bring {told}.")
        n = next(iter(sizes.values()))
        if n == 0:
            raise ShapeError("train_minibatch: one sample at least was expected, but the minibatch is empty.")
        # What was traced from Python code has its parameters only now.
        known = set(function._nodes())
        parameters = self.learners.parameters
        strangers = [i for i, p in enumerate(parameters) if node_of(p) not in known]
        if strangers:
            raise GradError(
                f"train_minibatch: the loss does not depend on parameter {strangers[0]} of the learners; give learners "
                "the parameters of this criterion."
            )
        with function._passed(given, True, tuple(map(node_of, parameters))) as (outputs, gradients):
            # One number is a mean already. A copy of it: the executor writes over its outputs.
            self._read = tuple((y.sum(), n) if y.ndim else (y.clone(), 1) for y in outputs)
            found = dict(zip(parameters, gradients, strict=True))
            changed = self.learners._share(found, n, sweep_end, are_means=not outputs[0].ndim)
        self.previous_minibatch_sample_count = n
        self.total_number_of_samples_seen += n
        return changed


def _as_criterion(name: str, given: Any) -> Function:
    if isinstance(given, list | tuple):
        given = combine(*given)
    if isinstance(given, Symbol | Callable):
        return criterion(given)
    raise DtypeError(f"{name}: criterion should be a loss, (loss, metric) or a function, but {show(given)} came.")


def _train(
    self: Function,
    data: tuple,
    parameter_learners: Learner | Iterable[Learner],
    minibatch_size: int | Schedule | list = 32,
    max_epochs: int = 1,
    epoch_size: int | None = None,
) -> TrainingSummary:
    """Train a criterion on arrays.

    Args:
        data: one array for each argument, in their order; they are gone through from the first sample to the last, and
            again.
        parameter_learners: one or several.
        minibatch_size: a whole number or a schedule of them; a minibatch ends where an epoch or a sweep does.
        max_epochs: how many epochs.
        epoch_size: how many samples are one; all by default.

    >>> from kernel.layers import Dense
    >>> model = Dense(2)
    >>> @kernel.criterion
    ... def measure(x, y):
    ...     z = model(x)
    ...     return kernel.cross_entropy_with_softmax(z, y), kernel.classification_error(z, y)
    >>> import numpy
    >>> points = numpy.array([[0.0, 1.0], [1.0, 0.0]] * 50, "float32")
    >>> _ = model(kernel.input_variable(2))
    >>> summary = measure.train((points, points), kernel.sgd(model.parameters(), 1.0), minibatch_size=10, max_epochs=3)
    >>> [epoch.samples for epoch in summary.epoch_summaries], summary.epoch_summaries[-1].metric
    ([100, 100, 100], 0.0)
    """
    sizes = minibatch_size_schedule(minibatch_size)
    arrays = data if isinstance(data, tuple | list) else (data,)
    for array in arrays:
        if not hasattr(array, "__len__") or isinstance(array, str | Mapping) or not getattr(array, "ndim", 1):
            raise DtypeError(
                f"train: data should be an array for each argument, as (x, y), but {show(array)} is among them."
            )
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or 0 in lengths:
        raise ShapeError(f"train: data should be arrays of as many samples each, but they have {sorted(lengths)}.")
    total = lengths.pop()
    epoch_size = total if epoch_size is None else epoch_size
    require_count("train", "max_epochs", max_epochs)
    require_count("train", "epoch_size", epoch_size)
    trainer = Trainer(None, self, parameter_learners)
    at, seen, summaries = 0, Counts(), []
    for _ in range(max_epochs):
        left, loss, metric = epoch_size, 0.0, 0.0
        while left:
            size = min(int(sizes.now(seen)), left, total - at)
            sweep_end = at + size == total
            trainer.train_minibatch(tuple(array[at : at + size] for array in arrays), sweep_end)
            seen = Counts(seen.samples + size, seen.minibatches + 1, seen.sweeps + sweep_end)
            loss += trainer.previous_minibatch_loss_average * size
            metric += trainer.previous_minibatch_evaluation_average * size
            at, left = (at + size) % total, left - size
        measured = metric / epoch_size if len(trainer._read) > 1 else None
        summaries.append(EpochSummary(loss / epoch_size, measured, epoch_size))
    return TrainingSummary(tuple(summaries))


Function.train = _train
