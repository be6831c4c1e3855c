"""The update rules: one formula each, with where it comes from.

In all of them w is the parameter, g its gradient, η the rate. Products and quotients of tensors are elementwise. What
is a hyperparameter may change from step to step; t counts the steps from 1.
"""

from __future__ import annotations

import math

from ..functional import abs as absolute
from ..functional import maximum, mean, minimum, sign, sqrt
from .rule import Rule

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "amsgrad",
    "averaged_adagrad",
    "averaged_rmsprop_with_steps",
    "centred_rmsprop",
    "fsadagrad",
    "lion",
    "momentum",
    "nadam",
    "nesterov",
    "radam",
    "rmsprop",
    "rmsprop_with_momentum",
    "rmsprop_with_steps",
    "sgd",
]


class sgd(Rule):
    """w ← w − η g.

    Source: Robbins and Monro 1951, doi:10.1214/aoms/1177729586.

    >>> w, _ = kernel.learners.rules.sgd(kernel.zeros(2), kernel.ones(2), {}, {"rate": 0.5})
    >>> w
    tensor([-0.5, -0.5])
    """

    def numbers(rate):
        return {"rate": rate}

    def update(w, g, rate):
        return (w - rate * g,)


class momentum(Rule):
    """v ← β v + a g, w ← w − b v: a ball that rolls downhill.

    The learning rate is b = ``rate``, outside of the velocity (PyTorch), or part of a = ``inside`` (CNTK), which makes
    a difference when it changes. ``dampening`` takes its share of all gradients but the first. Source: Polyak 1964,
    doi:10.1016/0041-5553(64)90137-5.

    >>> rule = kernel.learners.rules.momentum
    >>> hyper = {"rate": 1.0, "momentum": 0.5, "inside": 0.1, "dampening": 0, "step": 2}
    >>> w, state = rule(kernel.zeros(1), kernel.ones(1), {"v": kernel.ones(1)}, hyper)
    >>> w, state
    (tensor([-0.6]), {'v': tensor([0.6])})
    """

    state = {"v": 0.0}
    steps_for = ("dampening",)

    def numbers(rate, momentum, inside, dampening, step):
        return {"rate": rate, "momentum": momentum, "inside": inside * (1 - dampening if step > 1 else 1)}

    def update(w, g, v, rate, momentum, inside):
        v = momentum * v + inside * g
        return w - rate * v, v


class nesterov(Rule):
    """d = a g, v ← β v + d, w ← w − b (β v + d): momentum whose gradient is taken where the ball will be.

    w is the point ahead, to which the velocity carries the ball; there g is taken. Numbers as in ``momentum``. Source:
    Sutskever and others 2013, proceedings.mlr.press/v28/sutskever13.html.

    >>> rule, hyper = kernel.learners.rules.nesterov, {"rate": 1.0, "momentum": 0.5, "inside": 0.1}
    >>> w, state = rule(kernel.zeros(1), kernel.ones(1), {"v": kernel.ones(1)}, hyper)
    >>> w, state
    (tensor([-0.4]), {'v': tensor([0.6])})
    """

    state = {"v": 0.0}

    def numbers(rate, momentum, inside):
        return {"rate": rate, "momentum": momentum, "inside": inside}

    def update(w, g, v, rate, momentum, inside):
        step = inside * g
        v = momentum * v + step
        return w - rate * (momentum * v + step), v


class adagrad(Rule):
    """a ← a + g², w ← w − η g / (√(a + δ) + ε): the more a weight has been pulled, the smaller its steps.

    ``rate_decay`` lowers the rate besides: η / (1 + (t − 1) rate_decay). Source: Duchi and others 2011, JMLR 12, page
    2121.

    >>> rule = kernel.learners.rules.adagrad
    >>> hyper = {"rate": 0.1, "inner_epsilon": 0, "epsilon": 0, "rate_decay": 0, "step": 1}
    >>> rule(kernel.zeros(1), kernel.full((1,), 4.0), {"a": kernel.zeros(1)}, hyper)
    (tensor([-0.1]), {'a': tensor([16.])})
    """

    state = {"a": 0.0}
    steps_for = ("rate_decay",)

    def numbers(rate, inner_epsilon, epsilon, rate_decay, step):
        return {"rate": rate / (1 + (step - 1) * rate_decay), "inner_epsilon": inner_epsilon, "epsilon": epsilon}

    def update(w, g, a, rate, inner_epsilon, epsilon):
        a = a + g * g
        return w - rate * (g / (sqrt(a + inner_epsilon) + epsilon)), a


class averaged_adagrad(Rule):
    """a ← a + g², r = 1 / √(a + δ), w ← w − (η / mean(r)) g r: Adagrad that shares out the rate over a tensor.

    The factors are divided by their mean, so that the larger of them do not lower the smaller ones' pace. Source: CNTK
    2.7, established by running it.

    >>> rule, hyper = kernel.learners.rules.averaged_adagrad, {"rate": 0.1, "inner_epsilon": 1e-16}
    >>> w, _ = rule(kernel.zeros(2), kernel.tensor([1.0, 3.0]), {"a": kernel.zeros(2)}, hyper)
    >>> w
    tensor([-0.15, -0.15])
    """

    state = {"a": 0.0}

    def numbers(rate, inner_epsilon):
        return {"rate": rate, "inner_epsilon": inner_epsilon}

    def update(w, g, a, rate, inner_epsilon):
        a = a + g * g
        factor = 1 / sqrt(a + inner_epsilon)
        return w - rate / mean(factor) * (g * factor), a


class rmsprop(Rule):
    """a ← α a + (1 − α) g², w ← w − η g / (√a + ε): Adagrad that forgets, so that its steps do not die away.

    Source: Tieleman and Hinton 2012, lecture 6e of Neural networks for machine learning.

    >>> rule, hyper = kernel.learners.rules.rmsprop, {"rate": 0.1, "alpha": 0.75, "epsilon": 0}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.2])
    """

    state = {"a": 0.0}

    def numbers(rate, alpha, epsilon):
        return {"rate": rate, "alpha": alpha, "fresh": 1 - alpha, "epsilon": epsilon}

    def update(w, g, a, rate, alpha, fresh, epsilon):
        a = alpha * a + fresh * g * g
        return w - rate * (g / (sqrt(a) + epsilon)), a


class rmsprop_with_momentum(Rule):
    """a ← α a + (1 − α) g², v ← β v + g / (√a + ε), w ← w − η v.

    Source: Graves 2013, arXiv:1308.0850, with the numbers of PyTorch.

    >>> rule = kernel.learners.rules.rmsprop_with_momentum
    >>> hyper = {"rate": 0.1, "alpha": 0.75, "momentum": 0.9, "epsilon": 0}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.2])
    """

    state = {"a": 0.0, "v": 0.0}

    def numbers(rate, alpha, momentum, epsilon):
        return {"rate": rate, "alpha": alpha, "fresh": 1 - alpha, "momentum": momentum, "epsilon": epsilon}

    def update(w, g, a, v, rate, alpha, fresh, momentum, epsilon):
        a = alpha * a + fresh * g * g
        v = momentum * v + g / (sqrt(a) + epsilon)
        return w - rate * v, a, v


class centred_rmsprop(Rule):
    """RMSProp with the variance of the gradients in the place of their mean square: a − m², m ← α m + (1 − α) g.

    Source: Graves 2013, arXiv:1308.0850.

    >>> rule, hyper = kernel.learners.rules.centred_rmsprop, {"rate": 0.1, "alpha": 0.5, "momentum": 0, "epsilon": 0}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.2])
    """

    state = {"a": 0.0, "v": 0.0, "m": 0.0}
    numbers = rmsprop_with_momentum.numbers

    def update(w, g, a, v, m, rate, alpha, fresh, momentum, epsilon):
        a = alpha * a + fresh * g * g
        m = alpha * m + fresh * g
        v = momentum * v + g / (sqrt(maximum(a - m * m, 0)) + epsilon)
        return w - rate * v, a, v, m


def _with_steps(g, a, sign_before, size, gamma, fresh, inc, dec, largest, smallest):
    """(a, the sign of g, the step sizes, by what g is multiplied): what the two rules below have in common."""
    a = gamma * a + fresh * g * g
    sign_now = sign(g)
    same = maximum(sign_now * sign_before, 0)  # 1 or 0
    size = same * minimum(size * inc, largest) + (1 - same) * maximum(size * dec, smallest)
    return a, sign_now, size, size / sqrt(a + 1e-6)


class rmsprop_with_steps(Rule):
    """RMSProp with a step size of its own for each weight, which grows while the gradient keeps its sign.

    a ← γ a + (1 − γ) g² (at first g²); s ← min(s·inc, max) where g has the sign it had, else max(s·dec, min), beginning
    with 0.02; f = s / √(a + 1e-6); w ← w − η g f. Source: CNTK 2.7, established by running it.

    >>> rule = kernel.learners.rules.rmsprop_with_steps
    >>> hyper = {"rate": 10, "gamma": 0.9, "inc": 1.2, "dec": 0.5, "max": 10, "min": 0.01, "step": 1}
    >>> w, _ = rule(kernel.zeros(2), kernel.tensor([1.0, 3.0]), rule.begin(kernel.zeros(2)), hyper)
    >>> w
    tensor([-0.1, -0.1])
    """

    state = {"a": 0.0, "sign_before": 0.0, "size": 0.02}

    def numbers(rate, gamma, inc, dec, max, min, step):
        gamma = gamma if step > 1 else 0.0
        # No size is infinite: 0 times infinity would be nan.
        sizes = {"inc": inc, "dec": dec, "largest": max if max < 1e38 else 1e38, "smallest": min}
        return {"rate": rate, "gamma": gamma, "fresh": 1 - gamma, **sizes}

    def update(w, g, a, sign_before, size, rate, gamma, fresh, inc, dec, largest, smallest):
        numbers = gamma, fresh, inc, dec, largest, smallest
        a, sign_now, size, factor = _with_steps(g, a, sign_before, size, *numbers)
        return w - rate * (g * factor), a, sign_now, size


class averaged_rmsprop_with_steps(Rule):
    """The same, w ← w − (η / mean f) g f: the factors are divided by their mean and share out the rate.

    >>> rule = kernel.learners.rules.averaged_rmsprop_with_steps
    >>> hyper = {"rate": 0.1, "gamma": 0.9, "inc": 1.2, "dec": 0.5, "max": 10, "min": 0.01, "step": 1}
    >>> w, _ = rule(kernel.zeros(2), kernel.tensor([1.0, 3.0]), rule.begin(kernel.zeros(2)), hyper)
    >>> w
    tensor([-0.15, -0.15])
    """

    state = rmsprop_with_steps.state
    numbers = rmsprop_with_steps.numbers

    def update(w, g, a, sign_before, size, rate, gamma, fresh, inc, dec, largest, smallest):
        numbers = gamma, fresh, inc, dec, largest, smallest
        a, sign_now, size, factor = _with_steps(g, a, sign_before, size, *numbers)
        return w - rate / mean(factor) * (g * factor), a, sign_now, size


class adadelta(Rule):
    """a ← ρ a + (1 − ρ) g², d = √(x + ε) / √(a + ε) g, x ← ρ x + (1 − ρ) d², w ← w − η d.

    Steps in the unit of the weights, whatever the unit of the gradients. Source: Zeiler 2012, arXiv:1212.5701.

    >>> rule, hyper = kernel.learners.rules.adadelta, {"rate": 1.0, "rho": 0.5, "epsilon": 1.0}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-1.3333])
    """

    state = {"a": 0.0, "x": 0.0}

    def numbers(rate, rho, epsilon):
        return {"rate": rate, "rho": rho, "fresh": 1 - rho, "epsilon": epsilon}

    def update(w, g, a, x, rate, rho, fresh, epsilon):
        a = rho * a + fresh * g * g
        d = sqrt(x + epsilon) / sqrt(a + epsilon) * g
        return w - rate * d, a, rho * x + fresh * d * d


class fsadagrad(Rule):
    """a ← β₂ a + (1 − β₂) g², f = min(√c / √a, 10), v ← β v + u f g, w ← w − η v.

    c ← β₂ c + (1 − β₂) n, once for a minibatch of n samples: what a would be if every gradient were 1. So f brings
    gradients to the same size; where a is 0 it is 1. Without momentum w ← w − η f g. Source: CNTK 2.7, established by
    running it.

    >>> rule = kernel.learners.rules.fsadagrad
    >>> hyper = {"rate": 0.1, "momentum": 0.5, "gain": 1.0, "variance": 0.5, "fresh": 0.5, "samples": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.1])
    """

    state = {"a": 0.0, "v": 0.0}
    memory = {"c": 0.0}

    def numbers(rate, momentum, gain, variance, fresh, samples, c):
        c = variance * c + (1 - variance) * samples
        # Without momentum the velocity stays what it was, and has no part in the step.
        along, direct, momentum, gain = (rate, 0.0, momentum, gain) if momentum else (0.0, rate, 1.0, 0.0)
        averages = {"momentum": momentum, "gain": gain, "variance": variance, "fresh": fresh}
        return {"along": along, "direct": direct, **averages, "target": math.sqrt(c), "c": c}

    def update(w, g, a, v, along, direct, momentum, gain, variance, fresh, target):
        a = variance * a + fresh * g * g
        seen = sign(a)  # 0 where a is 0, else 1
        factor = seen * minimum(target / (sqrt(a) + (1 - seen)), 10) + (1 - seen)
        even = factor * g
        v = momentum * v + gain * even
        return w - (along * v + direct * even), a, v


class adam(Rule):
    """m ← β₁ m + u g, a ← β₂ a + f g², w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√a + ε).

    ``gain`` u is 1 − β₁ and ``fresh`` f is 1 − β₂: averages, which begin at 0; the quotient makes up for that. (CNTK's
    u is 1 without unit gain, and its f what float32 makes of 1 − β₂.) ``epsilon_hat`` says where ε stands: added to √a
    as here (CNTK), or to √a once that is corrected (PyTorch), which is ε √(1 − β₂ᵗ) here. Source: Kingma and Ba 2015,
    arXiv:1412.6980, section 2.

    >>> rule = kernel.learners.rules.adam
    >>> hyper = {"rate": 0.1, "momentum": 0.9, "gain": 0.1, "variance": 0.999, "fresh": 0.001}
    >>> hyper |= {"epsilon": 1e-8, "epsilon_hat": 0, "step": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.1])
    """

    state = {"m": 0.0, "a": 0.0}

    def numbers(rate, momentum, gain, variance, fresh, epsilon, epsilon_hat, step):
        grown = math.sqrt(1 - variance**step)
        return {
            "rate": rate * grown / (1 - momentum**step),
            "momentum": momentum,
            "gain": gain,
            "variance": variance,
            "fresh": fresh,
            "epsilon": epsilon if epsilon_hat else epsilon * grown,
        }

    def update(w, g, m, a, rate, momentum, gain, variance, fresh, epsilon):
        m = momentum * m + gain * g
        a = variance * a + fresh * g * g
        return w - rate * (m / (sqrt(a) + epsilon)), m, a


class amsgrad(Rule):
    """Adam whose divisor never shrinks: √h in the place of √a, h ← max(h, a).

    Source: Reddi and others 2018, openreview.net/forum?id=ryQu7f-RZ.

    >>> rule = kernel.learners.rules.amsgrad
    >>> hyper = {"rate": 0.1, "momentum": 0.9, "gain": 0.1, "variance": 0.999, "fresh": 0.001}
    >>> hyper |= {"epsilon": 1e-8, "epsilon_hat": 0, "step": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.1])
    """

    state = {"m": 0.0, "a": 0.0, "highest": 0.0}
    numbers = adam.numbers

    def update(w, g, m, a, highest, rate, momentum, gain, variance, fresh, epsilon):
        m = momentum * m + gain * g
        a = variance * a + fresh * g * g
        highest = maximum(highest, a)
        return w - rate * (m / (sqrt(highest) + epsilon)), m, a, highest


class adamax(Rule):
    """m ← β₁ m + u g, a ← max(β₂ a, |g| + δ), w ← w − η / (1 − β₁ᵗ) · m / (a + ε): the largest gradient of late.

    ``inner_epsilon`` is δ (PyTorch), ``epsilon`` is ε (CNTK). Source: Kingma and Ba 2015, arXiv:1412.6980, section 7.1.

    >>> rule, hyper = kernel.learners.rules.adamax, {"rate": 0.1, "momentum": 0.9, "gain": 0.1, "variance": 0.999}
    >>> hyper |= {"inner_epsilon": 1e-8, "epsilon": 0, "step": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.1])
    """

    state = {"m": 0.0, "a": 0.0}

    def numbers(rate, momentum, gain, variance, inner_epsilon, epsilon, step):
        kept = {"momentum": momentum, "gain": gain, "variance": variance}
        return {"rate": rate / (1 - momentum**step), **kept, "inner_epsilon": inner_epsilon, "epsilon": epsilon}

    def update(w, g, m, a, rate, momentum, gain, variance, inner_epsilon, epsilon):
        m = momentum * m + gain * g
        a = maximum(variance * a, absolute(g) + inner_epsilon)
        return w - rate * (m / (a + epsilon)), m, a


class nadam(Rule):
    """Adam with Nesterov's look ahead: w ← w − η (p m + q g) / (√a + ε) · √(1 − β₂ᵗ).

    With μₜ = β₁ (1 − 0.96^(t δ) / 2), δ the ``momentum_decay``: q = (1 − μₜ) / (1 − Πμ), p = μₜ₊₁ / (1 − μₜ₊₁ Πμ).
    Source: Dozat 2016, openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.

    >>> rule = kernel.learners.rules.nadam
    >>> hyper = {"rate": 0.1, "momentum": 0.9, "variance": 0.999, "epsilon": 1e-8, "momentum_decay": 0.004, "step": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.1056])
    """

    state = {"m": 0.0, "a": 0.0}
    memory = {"product": 1.0}

    def numbers(rate, momentum, variance, epsilon, momentum_decay, step, product):
        now, following = (momentum * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
        product, grown = product * now, math.sqrt(1 - variance**step)
        return {
            "along": rate * grown * following / (1 - product * following),
            "ahead": rate * grown * (1 - now) / (1 - product),
            "momentum": momentum,
            "gain": 1 - momentum,
            "variance": variance,
            "fresh": 1 - variance,
            "epsilon": epsilon * grown,
            "product": product,
        }

    def update(w, g, m, a, along, ahead, momentum, gain, variance, fresh, epsilon):
        m = momentum * m + gain * g
        a = variance * a + fresh * g * g
        return w - (along * m + ahead * g) / (sqrt(a) + epsilon), m, a


class radam(Rule):
    """Adam that does without its divisor while too few gradients have been seen to trust it.

    With ρ = 2 / (1 − β₂) − 1 and ρₜ = ρ − 2 t β₂ᵗ / (1 − β₂ᵗ): while ρₜ ≤ 5, w ← w − η m / (1 − β₁ᵗ); then Adam's step
    times √((ρₜ − 4)(ρₜ − 2) ρ / ((ρ − 4)(ρ − 2) ρₜ)). Source: Liu and others 2020, arXiv:1908.03265.

    >>> rule = kernel.learners.rules.radam
    >>> hyper = {"rate": 0.1, "momentum": 0.9, "variance": 0.999, "epsilon": 1e-8, "step": 1}
    >>> w, _ = rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    >>> w
    tensor([-0.4])
    """

    state = {"m": 0.0, "a": 0.0}

    def numbers(rate, momentum, variance, epsilon, step):
        left = variance**step
        limit = 2 / (1 - variance) - 1
        length = limit - 2 * step * left / (1 - left)
        plain, adaptive = 1.0, 0.0
        if length > 5:
            trust = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            plain, adaptive = 0.0, math.sqrt(trust * (1 - left))
        kept = {"momentum": momentum, "gain": 1 - momentum, "variance": variance, "fresh": 1 - variance}
        scale = rate / (1 - momentum**step)
        return {"plain": scale * plain, "adaptive": scale * adaptive, "epsilon": epsilon, **kept}

    def update(w, g, m, a, plain, adaptive, momentum, gain, variance, fresh, epsilon):
        m = momentum * m + gain * g
        a = variance * a + fresh * g * g
        return w - m * (plain + adaptive / (sqrt(a) + epsilon)), m, a


class lion(Rule):
    """w ← w − η sign(β₁ m + (1 − β₁) g), m ← β₂ m + (1 − β₂) g: steps of one size, and one state.

    Source: Chen and others 2023, arXiv:2302.06675.

    >>> rule, hyper = kernel.learners.rules.lion, {"rate": 0.1, "momentum": 0.9, "variance": 0.99}
    >>> rule(kernel.zeros(1), kernel.full((1,), 4.0), rule.begin(kernel.zeros(1)), hyper)
    (tensor([-0.1]), {'m': tensor([0.04])})
    """

    state = {"m": 0.0}

    def numbers(rate, momentum, variance):
        return {"rate": rate, "momentum": momentum, "gain": 1 - momentum, "slow": variance, "fresh": 1 - variance}

    def update(w, g, m, rate, momentum, gain, slow, fresh):
        return w - rate * sign(momentum * m + gain * g), slow * m + fresh * g
