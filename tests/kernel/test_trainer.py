"""The trainer: minibatches, several learners, sums and means, schedules of sizes; and learners of one's own in it."""

import numpy
import pytest

import kernel
from kernel.errors import DtypeError, GradError, RangeError, ShapeError
from kernel.layers import Dense, Sequential

from .refusals import refused

POINTS = numpy.random.default_rng(0).standard_normal((60, 3)).astype("float32")
LABELS = numpy.eye(2, dtype="float32")[(POINTS.sum(1) > 0).astype(int)]


def network():
    """(variables, output) of the net 3-4-2."""
    kernel.manual_seed(0)
    x, y = kernel.input_variable(3, name="x"), kernel.input_variable(2, name="y")
    return x, y, Sequential([Dense(4, activation=kernel.relu), Dense(2)])(x)


def criterion_of(z, y):
    return kernel.cross_entropy_with_softmax(z, y), kernel.classification_error(z, y)


def values(z):
    return [p.value for p in z.parameters]


def test_a_minibatch_is_an_update_by_the_sum_of_the_gradients():
    x, y, z = network()
    loss, metric = criterion_of(z, y)
    before = values(z)
    gradients, losses = loss.grad({x: POINTS, y: LABELS}, z.parameters, outputs=True)
    rate = kernel.learning_rate_schedule(0.01, kernel.UnitType.sample)
    trainer = kernel.Trainer(z, (loss, metric), kernel.sgd(z.parameters, rate))
    assert trainer.train_minibatch({x: POINTS, y: LABELS}) is True
    for p, old in zip(z.parameters, before, strict=True):
        numpy.testing.assert_allclose(p.value, old - 0.01 * gradients[p], rtol=1e-6, atol=1e-7)
    assert trainer.previous_minibatch_sample_count == trainer.total_number_of_samples_seen == 60
    assert trainer.previous_minibatch_loss_average == pytest.approx(losses.mean(), rel=1e-6)
    assert 0 < trainer.previous_minibatch_evaluation_average < 1


def test_a_loss_of_one_number_is_taken_as_the_mean():
    """So a criterion of PyTorch's kind and one of CNTK's make the same step."""
    found = []
    for reduce in (lambda loss: loss, kernel.mean):
        x, y, z = network()
        loss = reduce(kernel.cross_entropy_with_softmax(z, y))
        trainer = kernel.Trainer(z, loss, kernel.sgd(z.parameters, 0.5))
        trainer.train_minibatch({x: POINTS, y: LABELS})
        found.append((values(z), trainer.previous_minibatch_loss_average))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-6)


def test_several_learners_and_parameters_of_none():
    x, y, z = network()
    weight, bias, *rest = z.parameters
    before = values(z)
    learners = [kernel.sgd([weight], 0.5), kernel.adam([bias], 0.1, 0.9)]
    trainer = kernel.Trainer(z, kernel.cross_entropy_with_softmax(z, y), learners)
    trainer.train_minibatch({x: POINTS, y: LABELS})
    moved = [bool((p.value != old).any()) for p, old in zip(z.parameters, before, strict=True)]
    assert moved == [True, True, *[False] * len(rest)]
    refused(
        lambda: kernel.Trainer(z, kernel.cross_entropy_with_softmax(z, y), [*learners, kernel.sgd([bias], 1)]),
        "parameter",
        "learners[1]",
        "learners[2]",
        "one learner only",
        error=RangeError,
    )


def test_train_goes_through_the_data_epoch_by_epoch():
    _, y, z = network()
    summary = kernel.criterion(kernel.combine(*criterion_of(z, y))).train(
        (POINTS, LABELS), kernel.sgd(z.parameters, 1.0), minibatch_size=10, max_epochs=20
    )
    losses = [epoch.loss for epoch in summary.epoch_summaries]
    assert len(losses) == 20
    assert losses[-1] < 0.3 < losses[0]
    assert summary.epoch_summaries[-1].metric < 0.1
    assert all(epoch.samples == 60 for epoch in summary.epoch_summaries)


class Sizes(kernel.UserLearner):
    """Notes what it is told, and changes nothing."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.told = []

    def update(self, gradients, n_samples, sweep_end):
        self.told.append((n_samples, sweep_end))
        return True


def test_a_schedule_of_minibatch_sizes_counts_samples():
    """[5] for one epoch of 20 samples, then [8]: cut where an epoch and where a sweep of 60 ends."""
    _, y, z = network()
    learner = Sizes(z.parameters)
    sizes = kernel.minibatch_size_schedule([5, 8], epoch_size=20)
    loss = kernel.criterion(kernel.cross_entropy_with_softmax(z, y))
    loss.train((POINTS, LABELS), learner, minibatch_size=sizes, max_epochs=4, epoch_size=20)
    epoch = [(8, False), (8, False)]
    assert learner.told == [(5, False)] * 4 + [*epoch, (4, False)] + [*epoch, (4, True)] + [*epoch, (4, False)]
    assert (learner.samples, learner.minibatches, learner.sweeps) == (80, 13, 1)


def test_the_list_of_the_guided_tour_is_accepted():
    sizes = kernel.minibatch_size_schedule([256] * 6 + [512] * 9 + [1024], epoch_size=100)
    assert [sizes[i] for i in (0, 599, 600, 1499, 1500, 10**6)] == [256, 256, 512, 512, 1024, 1024]


def test_a_learner_of_ones_own_in_the_trainer():
    """Built in, as an expression and as a class: the same step to the last bit but rounding."""

    class Descent(kernel.UserLearner):
        def update(self, gradients, n_samples, sweep_end):
            for p, g in gradients.items():
                p.value = p.value - self.learning_rate() / n_samples * g
            return True

    def expression(parameters, gradients):
        return [kernel.assign(p, p - 0.5 / len(POINTS) * g) for p, g in zip(parameters, gradients, strict=True)]

    found = []
    for learner in (
        lambda p: kernel.sgd(p, 0.5),
        lambda p: kernel.universal(expression, p),
        lambda p: Descent(p, 0.5),
    ):
        x, y, z = network()
        trainer = kernel.Trainer(z, kernel.cross_entropy_with_softmax(z, y), learner(z.parameters))
        for _ in range(5):
            assert trainer.train_minibatch({x: POINTS, y: LABELS}) is True
        found.append(values(z))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_trainer_on_the_strict_device_computes_as_on_the_cpu():
    found = []
    for place in ("cpu", "strict"):
        x, y, z = network()
        for p in z.parameters:
            p.move(kernel.xp.device(place), None)
        trainer = kernel.Trainer(z, kernel.cross_entropy_with_softmax(z, y), kernel.adam(z.parameters, 0.1, 0.9))
        for _ in range(3):
            trainer.train_minibatch({x: POINTS, y: LABELS})
        found.append(values(z))
    for a, b in zip(*found, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_wrong_calls():
    x, y, z = network()
    loss = kernel.cross_entropy_with_softmax(z, y)
    trainer = kernel.Trainer(z, loss, kernel.sgd(z.parameters, 0.5))
    refused(
        lambda: trainer.train_minibatch({x: POINTS, y: LABELS[:59]}),
        "train_minibatch",
        "x 60",
        "y 59",
        error=ShapeError,
    )
    refused(
        lambda: trainer.train_minibatch({x: POINTS[:0], y: LABELS[:0]}), "train_minibatch", "empty", error=ShapeError
    )
    refused(lambda: trainer.train_minibatch({x: POINTS}), "train_minibatch", "y", error=ShapeError)
    refused(lambda: kernel.Trainer(z, 7, kernel.sgd(z.parameters, 0.5)), "Trainer", "criterion", "7", error=DtypeError)
    refused(lambda: kernel.Trainer(z, loss, [7]), "Learners", "7", error=DtypeError)
    refused(
        lambda: kernel.Trainer(z, loss, kernel.sgd([kernel.Parameter([1.0])], 1)).train_minibatch(
            {x: POINTS, y: LABELS}
        ),
        "train_minibatch",
        "does not depend on parameter 0",
        error=GradError,
    )
    measure = kernel.criterion(loss)
    learner = kernel.sgd(z.parameters, 0.5)
    refused(lambda: measure.train((POINTS, LABELS[:5]), learner), "train", "as many samples", error=ShapeError)
    refused(
        lambda: measure.train((POINTS, LABELS), learner, max_epochs=0), "train", "max_epochs", "0", error=RangeError
    )
    refused(
        lambda: measure.train((POINTS, LABELS), learner, minibatch_size=0),
        "minibatch_size_schedule",
        "0",
        error=RangeError,
    )
    for wrong in ({"max_epochs": 2.0}, {"epoch_size": float("inf")}, {"max_epochs": float("nan")}):
        refused(
            lambda wrong=wrong: measure.train((POINTS, LABELS), learner, **wrong),
            "train",
            *wrong,
            "whole number",
            error=DtypeError,
        )
    shrinking = kernel.schedules.Linear(8, 0, 3)
    refused(
        lambda: measure.train((POINTS, LABELS), learner, minibatch_size=shrinking),
        "minibatch_size_schedule",
        "1 or more",
        error=RangeError,
    )
    for wrong in (None, 3.0, {"x": POINTS}, (POINTS, numpy.float32(1)), (POINTS, "labels")):
        refused(lambda wrong=wrong: measure.train(wrong, learner), "train", "(x, y)", error=DtypeError)


def test_a_metric_that_is_no_number_is_told_as_it_is():
    _, y, z = network()
    nothing = numpy.full_like(POINTS, numpy.nan)
    loss = kernel.cross_entropy_with_softmax(z, y)
    learner = kernel.sgd(z.parameters, 0.5)
    (epoch,) = kernel.criterion(kernel.combine(loss, 2 * loss)).train((nothing, LABELS), learner).epoch_summaries
    assert numpy.isnan(epoch.loss) and numpy.isnan(epoch.metric)
    (epoch,) = kernel.criterion(loss).train((nothing, LABELS), learner).epoch_summaries
    assert epoch.metric is None


def test_the_words_of_a_trainer():
    x, y, z = network()
    trainer = kernel.Trainer(z, criterion_of(z, y), kernel.sgd(z.parameters, 0.5))
    trainer.train_minibatch({x: POINTS, y: LABELS})
    assert repr(trainer) == "Trainer(Learners([sgd(rate 0.5, 4 parameters)]), 60 samples seen)"
