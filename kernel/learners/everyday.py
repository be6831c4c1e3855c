"""Learners by PyTorch's names, with its arguments and defaults: for ``loss.backward()`` and ``step()``.

They take gradients as means over a minibatch, as backward of a mean loss gives them. Every number may be a schedule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy

from ..errors import DtypeError, RangeError, show
from ..schedules import MOMENTUM, Constant, Schedule, as_schedule, require_flag
from . import rules
from .by_rule import LIMITS, MEANT, OPTIONS, RuleLearner, require_known

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "NAdam", "RAdam", "RMSprop"]


OF_THE_REST = {"momentum": "gain", "variance": "fresh"}  # what averages take of the new


def _is_0(schedule: Schedule) -> bool:
    return isinstance(schedule, Constant) and schedule.value == 0


class Everyday(RuleLearner):
    """What these learners have in common; the options of every learner are described at ``RuleLearner``.

    ``weight_decay`` is ``l2`` (added to the gradient), or ``decay`` where it is decoupled (taken from the weight).
    """

    RESTS = False  # PyTorch's gather momentum meanwhile
    ARGUMENTS: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("epsilon", "inner_epsilon"), "eps"),
        **dict.fromkeys(("l2", "decay"), "weight_decay"),
        "rate_decay": "lr_decay",
    }
    OPTION_WORDS: ClassVar[dict[str, str]] = {"l2": "weight decay"}
    MEANT: ClassVar[dict[str, str]] = {
        **MEANT,
        **dict.fromkeys(("l2_regularization_weight", "l2", "decay"), "weight_decay"),
    }

    def __init__(
        self,
        params: Iterable,
        lr: Any,
        rule: Any,
        hyper: dict[str, Any],
        weight_decay: Any = 0,
        decoupled: bool = False,
        inner: dict[str, Any] | None = None,
        /,
        **options: Any,
    ):
        name = type(self).__name__
        require_known(name, options, OPTIONS, self.MEANT)
        require_flag(name, "decoupled_weight_decay", decoupled)
        penalty = {"decay" if decoupled else "l2": weight_decay}
        super().__init__(params, lr, rule, hyper, means=True, **penalty, **(inner or {}), **options)

    def _derived(self, hyper: dict[str, float], dtype: numpy.dtype) -> dict[str, float]:
        return hyper | {OF_THE_REST[name]: 1 - hyper[name] for name in OF_THE_REST if name in hyper}


class WithBetas(Everyday):
    """Those that average gradients, and what they divide by, with a beta for each."""

    ARGUMENTS: ClassVar[dict[str, str]] = {**Everyday.ARGUMENTS, "momentum": "betas[0]", "variance": "betas[1]"}

    def __init__(
        self, params: Iterable, lr: Any, betas: Any, rule: Any, hyper: dict[str, Any], /, *args: Any, **kw: Any
    ):
        if not isinstance(betas, list | tuple) or len(betas) != 2:
            raise DtypeError(
                f"{type(self).__name__}: betas should be two numbers, as (0.9, 0.999), but {show(betas)} came."
            )
        super().__init__(params, lr, rule, {"momentum": betas[0], "variance": betas[1], **hyper}, *args, **kw)


class SGD(Everyday):
    """w ← w − η g; with momentum v ← β v + (1 − dampening) g, w ← w − η v (``rules.momentum``, ``rules.nesterov``).

    Args:
        params: the parameters of a model.
        lr: the rate η.
        momentum: β.
        dampening: what share of a gradient the velocity does not take; of the first it takes all.
        weight_decay: adds weight_decay · w to the gradient.
        nesterov: whether to look ahead; needs momentum, and no dampening.
        maximize: whether to go uphill.

    >>> w = kernel.Parameter([1.0])
    >>> learner = kernel.SGD([w], lr=0.1, momentum=0.9)
    >>> learner
    SGD(rate 0.1, momentum 0.9, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-3,
        momentum: Any = 0,
        dampening: Any = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        # Without momentum nobody else looks at the dampening.
        damped = not _is_0(as_schedule("SGD", "dampening", dampening, LIMITS["dampening"]))
        rolls = not _is_0(as_schedule("SGD", "momentum", momentum, MOMENTUM))
        require_flag("SGD", "nesterov", nesterov)
        if nesterov and (not rolls or damped):
            raise RangeError("SGD: nesterov needs a momentum above 0 and no dampening.")
        rule = rules.nesterov if nesterov else rules.momentum if rolls else rules.sgd
        hyper = {"momentum": momentum, "dampening": dampening} if rolls else {}
        inner = {"ones": ("inside",) if rolls and not damped else (), "said": ("nesterov",) if nesterov else ()}
        super().__init__(params, lr, rule, hyper, weight_decay, False, inner, maximize=maximize, **options)

    def _derived(self, hyper: dict[str, float], dtype: numpy.dtype) -> dict[str, float]:
        return hyper | {"inside": 1.0}


class Adam(WithBetas):
    """The rule ``rules.adam``: every weight has a rate of its own, by the size of its gradients.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        betas: β₁ and β₂, how long the averages of gradients and of their squares remember.
        eps: ε, what keeps the divisor away from 0.
        weight_decay: adds weight_decay · w to the gradient; decoupled, it takes the share lr · weight_decay of w.
        amsgrad: whether the divisor may not shrink (``rules.amsgrad``).
        maximize: whether to go uphill.
        decoupled_weight_decay: as in ``AdamW``.

    >>> kernel.Adam([kernel.Parameter([1.0])])
    Adam(rate 0.001, momentum 0.9, variance momentum 0.999, epsilon 1e-08, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **options: Any,
    ):
        require_flag(type(self).__name__, "amsgrad", amsgrad)
        hyper = {"epsilon": eps, "epsilon_hat": 0}
        rule = rules.amsgrad if amsgrad else rules.adam
        inner = {"said": ("amsgrad",) if amsgrad else ()}
        super().__init__(
            params, lr, betas, rule, hyper, weight_decay, decoupled_weight_decay, inner, maximize=maximize, **options
        )


class AdamW(Adam):
    """Adam whose weight decay is no part of the gradient: w ← (1 − η λ) w before each step.

    Arguments as of ``Adam``. Source: Loshchilov and Hutter 2019, arXiv:1711.05101.

    >>> kernel.AdamW([kernel.Parameter([1.0])])
    AdamW(rate 0.001, momentum 0.9, variance momentum 0.999, epsilon 1e-08, decay 0.01, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        require_known("AdamW", options, OPTIONS, self.MEANT)  # decoupled_weight_decay, too
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            **options,
        )


class NAdam(WithBetas):
    """The rule ``rules.nadam``: Adam that looks ahead.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        betas: β₁ and β₂, how long the averages of gradients and of their squares remember.
        eps: ε, what keeps the divisor away from 0.
        weight_decay: adds weight_decay · w to the gradient; decoupled, it takes the share lr · weight_decay of w.
        momentum_decay: how fast β₁ grows from its half to its whole.
        decoupled_weight_decay: as in ``AdamW``.
        maximize: whether to go uphill.

    >>> kernel.NAdam([kernel.Parameter([1.0])])
    NAdam(rate 0.002, momentum 0.9, variance momentum 0.999, epsilon 1e-08, momentum decay 0.004, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0,
        momentum_decay: Any = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        hyper = {"epsilon": eps, "momentum_decay": momentum_decay}
        super().__init__(
            params, lr, betas, rules.nadam, hyper, weight_decay, decoupled_weight_decay, maximize=maximize, **options
        )


class RAdam(WithBetas):
    """The rule ``rules.radam``: Adam that begins with care.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        betas: β₁ and β₂, how long the averages of gradients and of their squares remember.
        eps: ε, what keeps the divisor away from 0.
        weight_decay: adds weight_decay · w to the gradient; decoupled, it takes the share lr · weight_decay of w.
        decoupled_weight_decay: as in ``AdamW``.
        maximize: whether to go uphill.

    >>> kernel.RAdam([kernel.Parameter([1.0])])
    RAdam(rate 0.001, momentum 0.9, variance momentum 0.999, epsilon 1e-08, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-3,
        betas: tuple = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        hyper = {"epsilon": eps}
        super().__init__(
            params, lr, betas, rules.radam, hyper, weight_decay, decoupled_weight_decay, maximize=maximize, **options
        )


class Adamax(WithBetas):
    """The rule ``rules.adamax``: Adam with the largest gradient of late in the divisor.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        betas: β₁ and β₂, how long the averages of gradients and of their squares remember.
        eps: ε, what keeps the divisor away from 0.
        weight_decay: adds weight_decay · w to the gradient.
        maximize: whether to go uphill.

    >>> kernel.Adamax([kernel.Parameter([1.0])])
    Adamax(rate 0.002, momentum 0.9, variance momentum 0.999, epsilon 1e-08, 1 parameter)
    """

    UNSAID = ("epsilon",)  # the outer one, which is 0

    def __init__(
        self,
        params: Iterable,
        lr: Any = 2e-3,
        betas: tuple = (0.9, 0.999),
        eps: Any = 1e-8,
        weight_decay: Any = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        hyper = {"inner_epsilon": eps, "epsilon": 0}
        super().__init__(params, lr, betas, rules.adamax, hyper, weight_decay, maximize=maximize, **options)


class Adagrad(Everyday):
    """The rule ``rules.adagrad``: the more a weight has been pulled, the smaller its steps.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        lr_decay: lowers it: η / (1 + (t − 1) lr_decay).
        weight_decay: adds weight_decay · w to the gradient.
        initial_accumulator_value: with what the sums of squares begin.
        eps: ε, what keeps the divisor away from 0.
        maximize: whether to go uphill.

    >>> kernel.Adagrad([kernel.Parameter([1.0])])
    Adagrad(rate 0.01, epsilon 1e-10, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-2,
        lr_decay: Any = 0,
        weight_decay: Any = 0,
        initial_accumulator_value: float = 0,
        eps: Any = 1e-10,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        begin = as_schedule("Adagrad", "initial_accumulator_value", initial_accumulator_value)[0]
        hyper = {"rate_decay": lr_decay, "inner_epsilon": 0, "epsilon": eps}
        inner = {"begin": {"a": begin}}
        super().__init__(params, lr, rules.adagrad, hyper, weight_decay, False, inner, maximize=maximize, **options)


class Adadelta(Everyday):
    """The rule ``rules.adadelta``: steps in the unit of the weights.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        rho: ρ, how long the averages remember.
        eps: ε; the first step is about its root.
        weight_decay: adds weight_decay · w to the gradient.
        maximize: whether to go uphill.

    >>> kernel.Adadelta([kernel.Parameter([1.0])])
    Adadelta(rate 1, rho 0.9, epsilon 1e-06, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1.0,
        rho: Any = 0.9,
        eps: Any = 1e-6,
        weight_decay: Any = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        hyper = {"rho": rho, "epsilon": eps}
        super().__init__(params, lr, rules.adadelta, hyper, weight_decay, maximize=maximize, **options)


class RMSprop(Everyday):
    """The rules ``rules.rmsprop``, ``rmsprop_with_momentum`` and ``centred_rmsprop``: Adagrad that forgets.

    Args:
        params: the parameters of a model.
        lr: the rate η.
        alpha: α, how long the average of squares remembers.
        eps: ε, what keeps the divisor away from 0.
        weight_decay: adds weight_decay · w to the gradient.
        momentum: β.
        centered: whether to divide by the standard deviation of the gradients.
        maximize: whether to go uphill.

    >>> kernel.RMSprop([kernel.Parameter([1.0])])
    RMSprop(rate 0.01, alpha 0.99, epsilon 1e-08, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-2,
        alpha: Any = 0.99,
        eps: Any = 1e-8,
        weight_decay: Any = 0,
        momentum: Any = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        rolls = not _is_0(as_schedule("RMSprop", "momentum", momentum, MOMENTUM))
        require_flag("RMSprop", "centered", centered)
        rule = rules.rmsprop_with_momentum if rolls else rules.rmsprop
        hyper = {"alpha": alpha, "epsilon": eps} | ({"momentum": momentum} if rolls or centered else {})
        rule = rules.centred_rmsprop if centered else rule
        inner = {"said": ("centred",) if centered else ()}
        super().__init__(params, lr, rule, hyper, weight_decay, False, inner, maximize=maximize, **options)


class Lion(WithBetas):
    """The rule ``rules.lion``: steps of one size for every weight, and one state.

    Args:
        params: the parameters of a model.
        lr: the rate η; a tenth of what Adam takes is a good start.
        betas: β₁, of the step, and β₂, of the average.
        weight_decay: takes the share lr · weight_decay of w.
        maximize: whether to go uphill.

    >>> kernel.Lion([kernel.Parameter([1.0])])
    Lion(rate 0.0001, momentum 0.9, variance momentum 0.99, 1 parameter)
    """

    def __init__(
        self,
        params: Iterable,
        lr: Any = 1e-4,
        betas: tuple = (0.9, 0.99),
        weight_decay: Any = 0,
        *,
        maximize: bool = False,
        **options: Any,
    ):
        super().__init__(params, lr, betas, rules.lion, {}, weight_decay, True, maximize=maximize, **options)
