"""The learners that count samples once more, from their formulas: plain NumPy in float64, written to be read.

Only what the parameters' dtype decides visibly is taken from it: the complement 1 - b of a decay near 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy


@dataclasses.dataclass
class Plan:
    """A schedule: v holds for k units; a unit is ``epoch_size`` samples or a sweep; v is meant for ``size`` samples."""

    values: Sequence[tuple[int, float]]
    epoch_size: int | None = None
    size: int | None = 0

    def at(self, samples: int, sweeps: int) -> float:
        count = sweeps if self.epoch_size is None else samples
        end = 0
        for length, value in self.values[:-1]:
            end += length * (self.epoch_size or 1)
            if end > count:
                return value
        return self.values[-1][1]


def always(value: float, size: int | None = 0) -> Plan:
    return Plan([(0, value)], None, size)


VARIANCE = always(math.exp(-1 / 720_000), 1)


def sign_of(values: numpy.ndarray) -> numpy.ndarray:
    """-1, 0 or 1, by comparisons."""
    return (values > 0) * 1.0 - (values < 0) * 1.0


class Reference:
    """A learner over a list of float64 arrays, ``values``, which are changed by ``update(gradients, n, sweep_end)``.

    ``sizes`` are the largest numbers that ever stood in for a parameter: what rounding errors are measured by.
    """

    def __init__(
        self,
        rule: str,
        values: Sequence[numpy.ndarray],
        rate: Plan,
        momentum: Plan | None = None,
        variance: Plan = VARIANCE,
        *,
        unit_gain: bool = True,
        minibatch_size: int | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        clip: float | None = None,
        clip_by: str = "value",
        dtype: str = "float64",
        **options: Any,
    ):
        self.rule = getattr(self, rule)
        self.values = [numpy.array(value, "float64") for value in values]
        self.states: list[dict[str, Any]] = [{} for _ in values]
        self.rate, self.momentum, self.variance = rate, momentum, variance
        self.unit_gain, self.means, self.default = unit_gain, minibatch_size == 0, minibatch_size or 0
        self.l1, self.l2, self.clip, self.clip_by = l1, l2, clip, clip_by
        self.dtype, self.options = numpy.dtype(dtype).type, options
        self.samples = self.minibatches = self.sweeps = 0
        self.zero = (0, 0)
        self.seen = 0.0
        self.sizes = [float(abs(value).max()) for value in self.values]

    # --- units ---

    def size(self, plan: Plan) -> int:
        return self.default if plan.size is None else plan.size

    def rate_now(self) -> float:
        return self.rate.at(self.samples - self.zero[0], self.sweeps - self.zero[1])

    def reset(self, rate: Plan) -> None:
        self.rate, self.zero = rate, (self.samples, self.sweeps)

    def effective_rate(self, n: int) -> float:
        rate, size = self.rate_now(), self.size(self.rate)
        if self.means:
            return rate * n / size if size else rate
        return rate / size if size else rate / n

    def decay(self, plan: Plan, n: int) -> float:
        value, size = plan.at(self.samples, self.sweeps), self.size(plan)
        return value ** (n / size) if size else value

    def complement(self, decay: float) -> float:
        return float(self.dtype(1) - self.dtype(decay))

    # --- one update ---

    def update(self, gradients: Sequence[numpy.ndarray], n: int, sweep_end: bool = False) -> bool:
        eta = self.effective_rate(n)
        if eta == 0:
            self.count(n, sweep_end)
            return False
        k = 1 if self.means else n
        given = [numpy.array(g, "float64") / (n if self.means else 1) for g in gradients]
        given = self.clipped(given, k)
        self.b = self.decay(self.momentum, n) if self.momentum else 0.0
        self.u = 1 - self.b if self.unit_gain else 1.0
        self.b2 = self.decay(self.variance, n)
        self.seen = self.b2 * self.seen + (1 - self.b2) * n
        for i, g in enumerate(given):
            before = self.values[i]
            step = self.rule(g + self.l2 * k * before, eta, self.states[i])
            w = before + step
            self.sizes[i] = max(self.sizes[i], *(float(abs(part).max()) for part in (step, w)))
            self.values[i] = sign_of(w) * numpy.maximum(abs(w) - eta * self.l1 * k, 0) if self.l1 else w
        self.count(n, sweep_end)
        return True

    def count(self, n: int, sweep_end: bool) -> None:
        """Time goes on at a rate of 0 too, or a rate that begins at 0 would never rise; there CNTK stands still."""
        self.samples, self.minibatches, self.sweeps = self.samples + n, self.minibatches + 1, self.sweeps + sweep_end

    def clipped(self, gradients: list[numpy.ndarray], k: int) -> list[numpy.ndarray]:
        if self.clip is None:
            return gradients
        most = self.clip * k
        if self.clip_by == "value":
            return [numpy.clip(g, -most, most) for g in gradients]
        norms = [math.sqrt((g**2).sum()) for g in gradients]
        if self.clip_by == "global norm":
            norms = [math.sqrt(sum(norm**2 for norm in norms))] * len(gradients)
        return [g * most / norm if norm > most else g for g, norm in zip(gradients, norms, strict=True)]

    # --- the rules: what is added to a parameter ---

    def sgd(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        return -eta * g

    def momentum_sgd(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        state["v"] = self.b * state.get("v", 0) + self.u * eta * g
        return -state["v"]

    def nesterov(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        d = self.u * eta * g
        state["v"] = self.b * state.get("v", 0) + d
        return -(self.b * state["v"] + d)

    def adagrad(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        state["a"] = state.get("a", 0) + g**2
        r = 1 / numpy.sqrt(state["a"] + 1e-16)
        return -eta / self.average(r) * g * r

    def average(self, factors: numpy.ndarray) -> float:
        return float(factors.mean()) if self.options.get("need_ave_multiplier", True) else 1.0

    def rmsprop(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        o, gamma = self.options, self.options["gamma"]
        state.setdefault("var", g**2)
        state.setdefault("sign", numpy.zeros(g.shape))
        state.setdefault("step", numpy.full(g.shape, 0.02))
        state["var"] = gamma * state["var"] + self.complement(gamma) * g**2
        now = sign_of(g)
        longer, shorter = (
            numpy.minimum(state["step"] * o["inc"], o["max"]),
            numpy.maximum(state["step"] * o["dec"], o["min"]),
        )
        state["step"] = numpy.where(now * state["sign"] > 0, longer, shorter)
        state["sign"] = now
        a = state["step"] / numpy.sqrt(state["var"] + 1e-6)
        return -eta / self.average(a) * g * a

    def adadelta(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        rho, epsilon = self.options.get("rho", 0.95), self.options.get("epsilon", 1e-8)
        rest = self.complement(rho)
        state["a"] = rho * state.get("a", 0) + rest * g**2
        d = -numpy.sqrt(state.get("x", 0) + epsilon) / numpy.sqrt(state["a"] + epsilon) * g
        state["x"] = rho * state.get("x", 0) + rest * d**2
        return eta * d

    def fsadagrad(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        state["a"] = self.b2 * state.get("a", 0) + self.complement(self.b2) * g**2
        pulled = state["a"] > 0
        f = numpy.where(
            pulled, numpy.minimum(math.sqrt(self.seen) / numpy.sqrt(numpy.where(pulled, state["a"], 1)), 10), 1
        )
        h = g * f
        if self.b > 0:
            h = state["v"] = self.b * state.get("v", 0) + self.u * h
        return -eta * h

    def moments(self, g: numpy.ndarray, state: dict) -> numpy.ndarray:
        state["t"] = state.get("t", 0) + 1
        state["v"] = self.b * state.get("v", 0) + self.u * g
        return state["v"]

    def adam(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        v = self.moments(g, state)
        state["a"] = self.b2 * state.get("a", 0) + self.complement(self.b2) * g**2
        correction = math.sqrt(1 - self.b2 ** state["t"]) / (1 - self.b ** state["t"])
        return -eta * correction * v / (numpy.sqrt(state["a"]) + self.options.get("epsilon", 1e-8))

    def adamax(self, g: numpy.ndarray, eta: float, state: dict) -> numpy.ndarray:
        v = self.moments(g, state)
        state["a"] = numpy.maximum(self.b2 * state.get("a", numpy.zeros(g.shape)), abs(g))
        return -eta / (1 - self.b ** state["t"]) * v / (state["a"] + self.options.get("epsilon", 1e-8))
