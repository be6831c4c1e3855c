"""Learners by CNTK's names: they know how many samples a gradient is of, and what a rate is meant for.

Gradients are sums over the samples of a minibatch, as backward of a summed criterion gives them. Options of all of
them, by keyword: ``minibatch_size``, what schedules are meant for that do not say it themselves (0 makes gradients
means besides), and ``l1``, ``l2``, ``decay``, ``noise``, ``clip``, ``clip_by``, ``generator`` and ``maximize``, see
``RuleLearner``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy

from ..errors import DtypeError, RangeError, show
from ..schedules import is_number, momentum_schedule_per_sample, require_count, require_flag
from . import rules
from .by_rule import MEANT, OPTIONS, RuleLearner, require_known
from .rule import Rule

__all__ = ["adadelta", "adagrad", "adam", "fsadagrad", "momentum_sgd", "nesterov", "rmsprop", "sgd"]

VARIANCE_MOMENTUM = momentum_schedule_per_sample(math.exp(-1 / 720_000))  # samples; CNTK's default
# Rules whose steps grow with the gradient: rate / n times the sum is the same as rate times the mean.
LINEAR = (
    *(rules.sgd, rules.momentum, rules.nesterov),
    *(rules.averaged_adagrad, rules.averaged_rmsprop_with_steps),
)
LARGEST = 1e38  # a step size without a limit: what float32 can hold


class BySamples(RuleLearner):
    """A learner of this file: the functions below make them, and it is called as the function is."""

    UNSAID_IF_0 = (*RuleLearner.UNSAID_IF_0, "epsilon")  # their adagrad has an inner one only
    MEANT: ClassVar[dict[str, str]] = {
        **MEANT,
        **dict.fromkeys(("l2_regularization_weight", "weight_decay"), "l2"),
        "use_mean_gradient": "minibatch_size=0",
    }

    def __init__(
        self,
        name: str,
        parameters: Iterable,
        lr: Any,
        rule: type[Rule],
        hyper: dict[str, Any],
        unit_gain: bool = True,
        said: tuple[str, ...] = (),
        /,
        *,
        minibatch_size: int | None = None,
        **options: Any,
    ):
        require_known(name, options, ("minibatch_size", "l2", "decay", *OPTIONS), self.MEANT)
        require_flag(name, "unit_gain", unit_gain)
        if minibatch_size is not None:
            require_count(name, "minibatch_size", minibatch_size, least=0)
        inside = rule in (rules.momentum, rules.nesterov)  # the rate is inside the velocity
        self._unit_gain, self._inside = unit_gain, inside
        said += () if unit_gain else ("no unit gain",)
        said += ("gradients as means",) if minibatch_size == 0 else ()
        super().__init__(
            parameters,
            lr,
            rule,
            hyper,
            name=name,
            means=minibatch_size == 0,
            minibatch_size=minibatch_size or 0,
            ones=("rate",) if inside else (),
            said=said,
            **options,
        )

    def _needs_samples(self) -> Iterator[str]:
        yield from super()._needs_samples()
        if not self.means and self.rule not in LINEAR:
            yield "its rule, which sees the sum over the samples,"

    def _derived(self, hyper: dict[str, float], dtype: numpy.dtype) -> dict[str, float]:
        gain = 1 - hyper.get("momentum", 0) if self._unit_gain else 1.0
        if "variance" in hyper:
            # CNTK subtracts in the parameter's dtype: of a variance momentum near 1 float32 leaves four digits, and
            # float16 none.
            at_least_float32 = numpy.promote_types(dtype, numpy.float32).type
            hyper = hyper | {"fresh": float(1 - at_least_float32(hyper["variance"]))}
        # The velocity is made of steps, not of gradients: a change of the rate changes the steps to come, not those
        # past.
        steps = {"inside": gain * hyper["rate"], "rate": 1.0} if self._inside else {}
        return hyper | {"gain": gain} | steps


def sgd(parameters: Iterable, lr: Any, **options: Any) -> RuleLearner:
    """w ← w − η g (``rules.sgd``).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate, a number or a schedule; a number is meant for a minibatch.

    >>> w = kernel.Parameter([0.0])
    >>> for unit in kernel.UnitType:
    ...     kernel.inspect_update(kernel.sgd([w], kernel.learning_rate_schedule(0.5, unit)), minibatch_size=2)
    [array([-0.25], dtype=float32)]
    [array([-0.5], dtype=float32)]
    """
    return BySamples("sgd", parameters, lr, rules.sgd, {}, **options)


def momentum_sgd(parameters: Iterable, lr: Any, momentum: Any, unit_gain: bool = True, **options: Any) -> RuleLearner:
    """v ← β v + u η g, w ← w − v (``rules.momentum``): u is 1 − β with unit gain, else 1.

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        momentum: β, a number or a schedule such as ``momentum_as_time_constant_schedule``.
        unit_gain: whether the velocity is an average of gradients; otherwise it is their sum.

    >>> w = kernel.Parameter([0.0])
    >>> learner = kernel.momentum_sgd([w], 1, kernel.momentum_as_time_constant_schedule(300), unit_gain=False)
    >>> kernel.inspect_update(learner, minibatch_size=10, count=5)[0].round(3)
    array([-1.436], dtype=float32)
    """
    hyper = {"momentum": momentum, "dampening": 0}
    return BySamples("momentum_sgd", parameters, lr, rules.momentum, hyper, unit_gain, **options)


def nesterov(parameters: Iterable, lr: Any, momentum: Any, unit_gain: bool = True, **options: Any) -> RuleLearner:
    """d = u η g, v ← β v + d, w ← w − (β v + d) (``rules.nesterov``). Arguments as of ``momentum_sgd``.

    >>> w = kernel.Parameter([0.0])
    >>> kernel.inspect_update(kernel.nesterov([w], 1, 0.5, unit_gain=False), minibatch_size=1)
    [array([-1.5], dtype=float32)]
    """
    hyper = {"momentum": momentum}
    return BySamples("nesterov", parameters, lr, rules.nesterov, hyper, unit_gain, **options)


def adagrad(parameters: Iterable, lr: Any, need_ave_multiplier: bool = True, **options: Any) -> RuleLearner:
    """a ← a + g², w ← w − η g / √(a + 1e-16), divided by the mean of 1 / √a (``rules.averaged_adagrad``).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        need_ave_multiplier: whether to divide by that mean.

    >>> w = kernel.Parameter([0.0])
    >>> kernel.inspect_update(kernel.adagrad([w], 1), minibatch_size=32, count=10)
    [array([-0.3125], dtype=float32)]
    """
    require_flag("adagrad", "need_ave_multiplier", need_ave_multiplier)
    if need_ave_multiplier:
        return BySamples("adagrad", parameters, lr, rules.averaged_adagrad, {"inner_epsilon": 1e-16}, **options)
    hyper = {"rate_decay": 0, "inner_epsilon": 1e-16, "epsilon": 0}
    return BySamples("adagrad", parameters, lr, rules.adagrad, hyper, True, ("no average multiplier",), **options)


def rmsprop(
    parameters: Iterable,
    lr: Any,
    gamma: float,
    inc: float,
    dec: float,
    max: float,
    min: float,
    need_ave_multiplier: bool = True,
    **options: Any,
) -> RuleLearner:
    """RMSProp with step sizes, which grow while a gradient keeps its sign (``rules.rmsprop_with_steps``).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        gamma: how long the average of squares remembers, between 0 and 1.
        inc, dec: by what a size grows (above 1) and shrinks (between 0 and 1).
        max, min: between what sizes.
        need_ave_multiplier: whether to divide by the mean of the factors.

    >>> w = kernel.Parameter([0.0])
    >>> learner = kernel.rmsprop([w], 1, gamma=0.999, inc=1 + 1e-9, dec=1 - 1e-9, max=float("inf"), min=1e-30)
    >>> kernel.inspect_update(learner, minibatch_size=32, count=10)[0].round(4)
    array([-0.3125], dtype=float32)
    """
    given = {"gamma": gamma, "inc": inc, "dec": dec, "max": max, "min": min}
    for name, value in given.items():
        if not is_number(value):
            raise DtypeError(f"rmsprop: {name} should be a number, but {show(value)} came.")
    for holds, what in (
        (0 < gamma < 1, f"gamma should be between 0 and 1, but {show(gamma)} came"),
        (inc > 1, f"inc should be above 1, but {show(inc)} came"),
        (0 < dec < 1, f"dec should be between 0 and 1, but {show(dec)} came"),
        (0 < min < max, f"min should be above 0 and below max, but {show(min)} and {show(max)} came"),
    ):
        if not holds:
            raise RangeError(f"rmsprop: {what}.")
    hyper = given | {"max": LARGEST if max > LARGEST else max}
    require_flag("rmsprop", "need_ave_multiplier", need_ave_multiplier)
    rule = rules.averaged_rmsprop_with_steps if need_ave_multiplier else rules.rmsprop_with_steps
    said = () if need_ave_multiplier else ("no average multiplier",)
    return BySamples("rmsprop", parameters, lr, rule, hyper, True, said, **options)


def fsadagrad(
    parameters: Iterable,
    lr: Any,
    momentum: Any,
    unit_gain: bool = True,
    variance_momentum: Any = VARIANCE_MOMENTUM,
    **options: Any,
) -> RuleLearner:
    """Momentum over gradients that are brought to one size (``rules.fsadagrad``).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        momentum: β.
        unit_gain: whether the velocity is an average; otherwise it is a sum.
        variance_momentum: β₂, how long the average of squares remembers.

    >>> w = kernel.Parameter([0.0])
    >>> learner = kernel.fsadagrad([w], 1, kernel.momentum_as_time_constant_schedule(1000), unit_gain=False)
    >>> kernel.inspect_update(learner, minibatch_size=32, count=10)[0].round(4)
    array([-8.8573], dtype=float32)
    """
    hyper = {"momentum": momentum, "variance": variance_momentum}
    return BySamples("fsadagrad", parameters, lr, rules.fsadagrad, hyper, unit_gain, **options)


def adam(
    parameters: Iterable,
    lr: Any,
    momentum: Any,
    unit_gain: bool = True,
    variance_momentum: Any = VARIANCE_MOMENTUM,
    epsilon: float = 1e-8,
    adamax: bool = False,
    **options: Any,
) -> RuleLearner:
    """Adam, or with ``adamax`` Adamax (``rules.adam``, ``rules.adamax``), ε outside of the correction.

    The correction of the average's beginning assumes unit gain; without it steps are larger by 1 / (1 − β).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        momentum: β₁.
        unit_gain: whether the first average is one; otherwise it is a sum.
        variance_momentum: β₂.
        epsilon: ε.
        adamax: whether to divide by the largest gradient of late.

    >>> w = kernel.Parameter([0.0])
    >>> learner = kernel.adam([w], 1, kernel.momentum_as_time_constant_schedule(1000), unit_gain=False)
    >>> kernel.inspect_update(learner, minibatch_size=32, count=10)[0].round(4)
    array([-9.9203], dtype=float32)
    """
    hyper = {"momentum": momentum, "variance": variance_momentum, "epsilon": epsilon}
    require_flag("adam", "adamax", adamax)
    hyper |= {"inner_epsilon": 0} if adamax else {"epsilon_hat": 1}
    rule = rules.adamax if adamax else rules.adam
    return BySamples("adam", parameters, lr, rule, hyper, unit_gain, ("adamax",) if adamax else (), **options)


def adadelta(parameters: Iterable, lr: Any = 1, rho: Any = 0.95, epsilon: float = 1e-8, **options: Any) -> RuleLearner:
    """a ← ρ a + (1 − ρ) g², d = √(x + ε) / √(a + ε) g, x ← ρ x + (1 − ρ) d², w ← w − η d (``rules.adadelta``).

    Args:
        parameters: the parameters of a model.
        lr: the learning rate η.
        rho: ρ.
        epsilon: ε.

    >>> w = kernel.Parameter([0.0])
    >>> kernel.inspect_update(kernel.adadelta([w], 1, 0.999, 1e-6), minibatch_size=32, count=10)[0].round(4)
    array([-0.0099], dtype=float32)
    """
    return BySamples("adadelta", parameters, lr, rules.adadelta, {"rho": rho, "epsilon": epsilon}, **options)
