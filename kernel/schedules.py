"""Schedules: numbers that change while a network is trained, such as its learning rate.

A schedule is a pure map from a count to a number: ``schedule[i]``. It knows two units. What it counts along: samples,
minibatches or sweeps through the data (``unit``). And what the number is meant for: a minibatch of whatever size, one
sample, or k samples (``minibatch_size`` 0, 1, k); ``effective_rate`` and ``effective_momentum`` say what that makes of
it for a minibatch of n. Wherever a schedule is accepted, a bare number is too.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import enum
import itertools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy

from .errors import DtypeError, RangeError, show

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "MultiStep",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "Schedule",
    "StepDecay",
    "Steps",
    "TimeConstant",
    "UnitType",
    "WarmUp",
    "as_schedule",
    "effective_momentum",
    "effective_rate",
    "half_life_of_momentum",
    "learning_parameter_schedule",
    "learning_parameter_schedule_per_sample",
    "learning_rate_schedule",
    "minibatch_size_schedule",
    "momentum_as_time_constant_schedule",
    "momentum_of_half_life",
    "momentum_of_time_constant",
    "momentum_schedule",
    "momentum_schedule_per_sample",
    "parse",
    "time_constant_of_momentum",
]


class UnitType(enum.Enum):
    """What a learning rate is meant for: a whole minibatch, or each of its samples."""

    minibatch = "minibatch"
    sample = "sample"


UNITS = ("minibatch", "sample", "sweep")


class Counts(NamedTuple):
    """How far training is: what a learner has seen so far."""

    samples: int = 0
    minibatches: int = 0
    sweeps: int = 0

    def __sub__(self, origin: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(self, origin, strict=True)))


# --- units ---


def effective_rate(rate: float, minibatch_size: int, n: int, means: bool = False) -> float:
    """By what a gradient is multiplied: the learning rate of one update with ``n`` samples.

    ================== =============== ===============
    gradients are      per minibatch   per M samples
    ================== =============== ===============
    sums over samples  rate / n        rate / M
    means              rate            rate · n / M
    ================== =============== ===============

    Args:
        rate: the number in the schedule.
        minibatch_size: what it is meant for: 0 a minibatch of any size, 1 a sample, M as many samples.
        n: samples in this minibatch.
        means: whether the gradient is the mean over the samples; otherwise it is the sum.

    >>> effective_rate(0.5, 1, n=2), effective_rate(0.5, 0, n=2)
    (0.5, 0.25)
    """
    if type(rate) is not float or not 0 <= rate < math.inf:
        _require("effective_rate", "rate", rate, *AT_LEAST_0)
    _require_sizes("effective_rate", minibatch_size, n)
    if means:
        return rate * n / minibatch_size if minibatch_size else rate
    return rate / (minibatch_size or n)


def effective_momentum(momentum: float, minibatch_size: int, n: int) -> float:
    """What is left of a velocity after an update with ``n`` samples: m, or m^(n/M) where m is meant for M samples.

    >>> round(effective_momentum(math.exp(-1 / 300), 1, n=10), 4)
    0.9672
    """
    if type(momentum) is not float or not 0 <= momentum < 1:
        _require("effective_momentum", "momentum", momentum, *MOMENTUM)
    _require_sizes("effective_momentum", minibatch_size, n)
    return momentum ** (n / minibatch_size) if minibatch_size else momentum


def momentum_of_time_constant(time_constant: float, n: float = 1) -> float:
    """exp(-n / T): what is left after ``n`` samples if 1/e is left after ``time_constant`` samples; 0 for T = 0.

    >>> momentum_of_time_constant(300, n=10)
    0.9672161004820059
    """
    _require("momentum_of_time_constant", "time_constant", time_constant, *AT_LEAST_0)
    _require("momentum_of_time_constant", "n", n, *ABOVE_0)
    return math.exp(-n / time_constant) if time_constant else 0.0


def time_constant_of_momentum(momentum: float, n: float = 1) -> float:
    """n / log(1 / m): after so many samples 1/e of a gradient is left, if m is left after ``n``.

    >>> round(time_constant_of_momentum(0.9672161004820059, n=10), 4)
    300.0
    """
    _require("time_constant_of_momentum", "momentum", momentum, *MOMENTUM)
    _require("time_constant_of_momentum", "n", n, *ABOVE_0)
    return n / -math.log(momentum) if momentum else 0.0


def momentum_of_half_life(half_life: float, n: float = 1) -> float:
    """2^(-n / h): what is left after ``n`` samples if half is left after ``half_life`` samples; 0 for h = 0.

    >>> momentum_of_half_life(10, n=10)
    0.5
    """
    _require("momentum_of_half_life", "half_life", half_life, *AT_LEAST_0)
    _require("momentum_of_half_life", "n", n, *ABOVE_0)
    return 2.0 ** (-n / half_life) if half_life else 0.0


def half_life_of_momentum(momentum: float, n: float = 1) -> float:
    """n log 2 / log(1 / m): after so many samples half of a gradient is left, if m is left after ``n``.

    >>> round(half_life_of_momentum(0.9672161004820059, n=10), 2)
    207.94
    """
    return time_constant_of_momentum(momentum, n) * math.log(2)


# --- what a number may be ---

LARGEST = sys.float_info.max  # whole numbers of Python may be larger
AT_LEAST_0 = (0.0, math.inf, "0 or more")
MOMENTUM = (0.0, math.nextafter(1.0, 0.0), "at least 0 and below 1")
ABOVE_0 = (math.nextafter(0.0, 1.0), math.inf, "above 0")
ANY = (-math.inf, math.inf, "finite")


def is_number(value: Any) -> bool:
    """Whether it is a real number, of Python or NumPy; True and False are not."""
    return isinstance(value, int | float | numpy.integer | numpy.floating) and not isinstance(value, bool)


def _require(name: str, argument: str, value: Any, low: float, high: float, words: str) -> None:
    """Raise unless ``value`` is a finite number from ``low`` to ``high``, which ``words`` describe."""
    if not is_number(value):
        raise DtypeError(f"{name}: {argument} should be a number, but {show(value)} came.")
    plain = value.item() if isinstance(value, numpy.generic) else value  # NumPy would round the limits to its dtype
    if not (low <= plain <= high and abs(plain) <= LARGEST):
        raise RangeError(f"{name}: {argument} should be {words}, but {show(value)} came.")


def require_count(name: str, argument: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, int | numpy.integer) or isinstance(value, bool):
        raise DtypeError(f"{name}: {argument} should be a whole number, but {show(value)} came.")
    if value < least:
        raise RangeError(f"{name}: {argument} should be {least} or more, but {show(value)} came.")


def require_one_of(name: str, argument: str, value: Any, words: Sequence[str]) -> None:
    if not isinstance(value, str) or value not in words:
        *others, last = map(repr, words)
        raise RangeError(f"{name}: {argument} should be {', '.join(others)} or {last}, but {show(value)} came.")


def require_flag(name: str, argument: str, value: Any) -> None:
    if not isinstance(value, bool | numpy.bool):
        raise DtypeError(f"{name}: {argument} should be True or False, but {show(value)} came.")


def _require_sizes(name: str, minibatch_size: Any, n: Any) -> None:
    if type(minibatch_size) is int and minibatch_size >= 0 and type(n) is int and n > 0:
        return  # every update comes by here
    require_count(name, "minibatch_size", minibatch_size, least=0)
    _require(name, "n", n, *ABOVE_0)


# --- schedules ---


def _made_with(**defaults: Any) -> Any:
    return dataclasses.field(kw_only=True, **defaults)


# All classes share one comparison: made for each, it would double the time of this file's import.
_settings = dataclasses.dataclass(frozen=True, eq=False, repr=False)


@_settings
class Schedule:
    """A number that depends on a count. ``schedule[i]`` is its value at count i.

    What every schedule is told by keyword:

    ================ ===============================================================================================
    unit             what it counts along: "minibatch", "sample" or "sweep"
    epoch_size       so many samples are one unit; then it counts samples, whatever the number is meant for
    minibatch_size   what the number is meant for: 0 a minibatch of any size, 1 a sample, k as many samples; None leaves
                     that to the learner
    ================ ===============================================================================================

    >>> rate = kernel.schedules.Steps([0.05, 0.05, 0.025], epoch_size=100, minibatch_size=0)
    >>> rate
    <0.05 for 200 samples, then 0.025; per minibatch>
    >>> rate[0], rate[199], rate[200], rate[10_000]
    (0.05, 0.05, 0.025, 0.025)
    """

    unit: str = _made_with(default="minibatch")
    epoch_size: int | None = _made_with(default=None)
    minibatch_size: int | None = _made_with(default=None)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.init:
                object.__setattr__(self, field.name, _plain(getattr(self, field.name)))
        require_one_of(self._name, "unit", self.unit, UNITS)
        if self.epoch_size is not None:
            require_count(self._name, "epoch_size", self.epoch_size)
            object.__setattr__(self, "unit", "sample")
        if self.minibatch_size is not None:
            require_count(self._name, "minibatch_size", self.minibatch_size, least=0)
        self._check()

    def _check(self) -> None:
        """Raise for arguments that make no schedule."""

    def _value(self, position: float) -> float:
        """The number at so many units."""
        raise NotImplementedError

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number that it can give."""
        raise NotImplementedError

    def _words(self) -> str:
        raise NotImplementedError

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _number(self, argument: str, words: tuple = ANY) -> None:
        _require(self._name, argument, getattr(self, argument), *words)

    def at(self, count: int) -> float:
        """The number at a count of samples, minibatches or sweeps, whichever ``unit`` says."""
        return self._value(count / self.epoch_size if self.epoch_size else count)

    def __getitem__(self, count: int) -> float:
        require_count(self._name, "the count in brackets", count, least=0)
        return self.at(int(count))

    __iter__ = None  # or a loop over it would never end

    def now(self, counts: Counts) -> float:
        """The number when a learner has seen so much."""
        return self.at(getattr(counts, _COUNTED[self.unit]))

    @property
    def counts_samples(self) -> bool:
        """Whether nobody can say its effective value without knowing how many samples a minibatch has."""
        return bool(self.minibatch_size) or self.unit == "sample"

    def meant_for(self, minibatch_size: int) -> Schedule:
        """The same schedule, for so many samples if it does not say itself for how many."""
        return dataclasses.replace(self, minibatch_size=minibatch_size) if self.minibatch_size is None else self

    @property
    def memory(self) -> dict[str, float]:
        """What it remembers beside its arguments: nothing, save that of a plateau."""
        return {}

    @property
    def code(self) -> str:
        """The line of Python that makes it; ``parse`` reads it.

        >>> kernel.schedules.WarmUp(kernel.schedules.Cosine(0.1, 900), 100).code
        'WarmUp(Cosine(0.1, 900), 100)'
        """
        positional, keywords = [], []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.init or value == field.default or (field.name == "unit" and self.epoch_size):
                continue
            text = (
                value.code if isinstance(value, Schedule) else _literal(list(value) if type(value) is tuple else value)
            )
            if field.kw_only or len(positional) < self._place(field.name):
                keywords.append(f"{field.name}={text}")
            else:
                positional.append(text)
        return f"{self._name}({', '.join(positional + keywords)})"

    def _place(self, name: str) -> int:
        return [field.name for field in dataclasses.fields(self) if not field.kw_only].index(name)

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self._compared()))

    def _compared(self) -> tuple:
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self) if field.compare)

    def __repr__(self) -> str:
        return f"<{self._words()}{_meant_for(self.minibatch_size)}>"

    def _span(self, count: float) -> str:
        """So many units in words: 200 samples."""
        count = count * self.epoch_size if self.epoch_size else count
        return f"{_short(count)} {self.unit if count == 1 else _PLURAL[self.unit]}"


def _plain(value: Any) -> Any:
    """Lists as tuples, which do not change, and NumPy's numbers as Python's, which do not widen what they multiply."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, numpy.generic) else value


_COUNTED = {"sample": "samples", "minibatch": "minibatches", "sweep": "sweeps"}
_PLURAL = {"sample": "samples", "minibatch": "minibatches", "sweep": "sweeps"}


def _meant_for(minibatch_size: int | None) -> str:
    if minibatch_size is None:
        return ""
    return f"; per {['minibatch', 'sample'][minibatch_size] if minibatch_size < 2 else f'{minibatch_size} samples'}"


def _short(value: float) -> str:
    """A number as a sentence shows it: 0.05, 1e-05, 300."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _literal(value: Any) -> str:
    """A number, text or list as Python writes it."""
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_literal, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
    return repr(value)


@_settings
class Constant(Schedule):
    """One number for ever."""

    value: float

    def _check(self) -> None:
        self._number("value")

    def at(self, count: int) -> float:
        return self.value

    now = _value = at

    @property
    def limits(self) -> tuple[float, float]:
        return self.value, self.value

    @property
    def counts_samples(self) -> bool:
        return bool(self.minibatch_size)

    def _words(self) -> str:
        return _short(self.value)


@_settings
class Steps(Schedule):
    """Numbers one after the other: v_i holds for k_i units, the last for ever.

    Args:
        values: [v0, v1, …], where each holds for one unit, or pairs [(k0, v0), (k1, v1), …].

    Unless told otherwise a unit is one sweep through the data. A count of 0 is for the last pair only. Source: the
    schedules of CNTK, established by running them.

    >>> kernel.schedules.Steps([(3, 0.1), (2, 0.05), (0, 0.01)])
    <0.1 for 3 sweeps, then 0.05 for 2 sweeps, then 0.01>
    """

    values: Sequence[Any]
    unit: str = _made_with(default="sweep")
    _segments: tuple = dataclasses.field(init=False, repr=False, compare=False)

    def _check(self) -> None:
        given = self.values
        if not isinstance(given, list | tuple) or isinstance(given, str):
            raise DtypeError(
                f"{self._name}: values should be a list of numbers or of pairs (count, number), but {show(given)} came."
            )
        if not given:
            raise RangeError(f"{self._name}: values should hold a number at least, but the list is empty.")
        pairs = [v if isinstance(v, list | tuple) else (1, v) for v in given]
        if len({isinstance(v, list | tuple) for v in given}) > 1:
            raise DtypeError(f"{self._name}: values should be numbers or pairs, but {show(given)} mixes the two.")
        segments = []
        for i, pair in enumerate(pairs):
            if len(pair) != 2:
                raise DtypeError(
                    f"{self._name}: values[{i}] should be a pair (count, number), but {show(given[i])} came."
                )
            count, value = pair
            _require(self._name, f"values[{i}]", value, *ANY)
            require_count(self._name, f"the count of values[{i}]", count, least=int(i < len(pairs) - 1))
            self._meaning(value)
            segments.append((int(count), value))
        object.__setattr__(self, "_segments", tuple(segments))

    def _meaning(self, value: Any) -> float:
        """The number that is meant by one of the values."""
        return value

    def _value(self, position: float) -> float:
        end = 0
        for count, value in self._segments[:-1]:
            end += count
            if end > position:
                return self._meaning(value)
        return self._meaning(self._segments[-1][1])

    @property
    def limits(self) -> tuple[float, float]:
        values = [self._meaning(value) for _, value in self._segments]
        return min(values), max(values)

    def _told(self, value: float) -> str:
        return _short(value)

    def _words(self) -> str:
        runs = [
            (sum(count for count, _ in run), value)
            for value, run in ((v, list(r)) for v, r in itertools.groupby(self._segments, operator.itemgetter(1)))
        ]
        parts = [f"{self._told(value)} for {self._span(count)}" for count, value in runs[:-1]]
        return ", then ".join([*parts, self._told(runs[-1][1])])


@_settings
class TimeConstant(Steps):
    """Momentum, told by after how many samples 1/e of a gradient is left: exp(-1 / T) per sample, 0 for T = 0.

    >>> momentum = kernel.schedules.TimeConstant([0, 300], epoch_size=5000)
    >>> momentum
    <time constant of 0 samples for 5000 samples, then time constant of 300 samples>
    >>> round(momentum[5000] ** 10, 4)
    0.9672
    """

    minibatch_size: int | None = _made_with(default=1)

    def _meaning(self, value: float) -> float:
        _require(self._name, "a time constant", value, *AT_LEAST_0)
        return momentum_of_time_constant(value)

    def _told(self, value: float) -> str:
        return f"time constant of {_short(value)} samples"

    def __repr__(self) -> str:
        return f"<{self._words()}>"


@_settings
class StepDecay(Schedule):
    """value · factor^(max(i - start, 0) // every): falls by a constant factor every so many units.

    >>> rate = kernel.schedules.StepDecay(0.001, 100, start=500)
    >>> rate
    <0.001, times 0.1 every 100 minibatches after 500>
    >>> rate[0], rate[599], rate[600]
    (0.001, 0.001, 0.0001)
    """

    value: float
    every: float
    factor: float = 0.1
    start: float = 0

    def _check(self) -> None:
        self._number("value")
        self._number("every", ABOVE_0)
        self._number("factor", ABOVE_0)
        self._number("start", AT_LEAST_0)

    def _value(self, position: float) -> float:
        return _times(self, max(position - self.start, 0) // self.every)

    @property
    def limits(self) -> tuple[float, float]:
        return _growing(self.value, self.factor)

    def _words(self) -> str:
        after = f" after {_short(self.start * (self.epoch_size or 1))}" if self.start else ""
        every = self._span(self.every).removeprefix("1 ")
        return f"{_short(self.value)}, times {_short(self.factor)} every {every}{after}"


def _times(schedule: StepDecay | MultiStep | Exponential, count: float) -> float:
    """Its value, multiplied so many times by its factor."""
    try:
        return schedule.value * float(schedule.factor) ** count
    except OverflowError:
        raise RangeError(f"{schedule._name}: {schedule!r} has grown too large for a number.") from None


def _growing(value: float, factor: float) -> tuple[float, float]:
    """Between what numbers value, value · factor, value · factor², … lie."""
    end = 0.0 if factor < 1 else value if factor == 1 else math.copysign(math.inf, value)
    return min(value, end), max(value, end)


@_settings
class MultiStep(Schedule):
    """value · factor^(how many of the milestones are behind).

    >>> kernel.schedules.MultiStep(0.1, [30, 60], unit="sweep")
    <0.1, times 0.1 after 30 and 60 sweeps>
    """

    value: float
    milestones: Sequence[float]
    factor: float = 0.1

    def _check(self) -> None:
        self._number("value")
        self._number("factor", ABOVE_0)
        if not isinstance(self.milestones, list | tuple) or not self.milestones:
            raise DtypeError(
                f"{self._name}: milestones should be a list of counts, as [30, 60], but {show(self.milestones)} came."
            )
        for milestone in self.milestones:
            _require(self._name, "a milestone", milestone, *AT_LEAST_0)
        object.__setattr__(self, "milestones", tuple(self.milestones))

    def _value(self, position: float) -> float:
        return _times(self, sum(position >= milestone for milestone in self.milestones))

    @property
    def limits(self) -> tuple[float, float]:
        return _growing(self.value, self.factor)

    def _words(self) -> str:
        *others, last = sorted(self.milestones)
        before = ", ".join(_short(m * (self.epoch_size or 1)) for m in others) + (" and " if others else "")
        return f"{_short(self.value)}, times {_short(self.factor)} after {before}{self._span(last)}"


@_settings
class Exponential(Schedule):
    """value · factor^i: a constant factor with every unit.

    >>> kernel.schedules.Exponential(0.1, 0.5)[3]
    0.0125
    """

    value: float
    factor: float

    def _check(self) -> None:
        self._number("value")
        self._number("factor", ABOVE_0)

    def _value(self, position: float) -> float:
        return _times(self, position)

    @property
    def limits(self) -> tuple[float, float]:
        return _growing(self.value, self.factor)

    def _words(self) -> str:
        return f"{_short(self.value)}, times {_short(self.factor)} with every {self._span(1).removeprefix('1 ')}"


@_settings
class _Ramp(Schedule):
    """From one number to another over so many units, where it then stays."""

    def _check(self) -> None:
        for field in ("value", "last"):
            self._number(field)
        self._number("over", ABOVE_0)

    def _shape(self, done: float) -> float:
        """How much of the way is left when the share ``done`` of the time is over."""
        raise NotImplementedError

    def _value(self, position: float) -> float:
        return self.last + (self.value - self.last) * self._shape(min(position / self.over, 1.0))

    @property
    def limits(self) -> tuple[float, float]:
        return min(self.value, self.last), max(self.value, self.last)

    def _words(self) -> str:
        return f"{_short(self.value)} {self._way} {_short(self.last)} over {self._span(self.over)}"

    _way: ClassVar[str]


@_settings
class Linear(_Ramp):
    """From the first number in a straight line to the last, over so many units.

    >>> kernel.schedules.Linear(1.0, 0.0, 4)[1]
    0.75
    """

    value: float
    last: float
    over: float
    _way = "in a straight line to"

    def _shape(self, done: float) -> float:
        return 1 - done


@_settings
class Polynomial(_Ramp):
    """last + (value - last) · (1 - i / over)^power.

    >>> kernel.schedules.Polynomial(1.0, 4, power=2)[2]
    0.25
    """

    value: float
    over: float
    power: float = 1.0
    last: float = 0.0
    _way = "along a polynomial to"

    def _check(self) -> None:
        super()._check()
        self._number("power", ABOVE_0)

    def _shape(self, done: float) -> float:
        return (1 - done) ** self.power


@_settings
class Cosine(_Ramp):
    """last + (value - last) · (1 + cos(π i / over)) / 2. Source: Loshchilov and Hutter 2017, arXiv:1608.03983.

    >>> rate = kernel.schedules.Cosine(0.1, 1000)
    >>> rate
    <0.1 along a cosine to 0 over 1000 minibatches>
    >>> round(rate[500], 4), rate[2000]
    (0.05, 0.0)
    """

    value: float
    over: float
    last: float = 0.0
    _way = "along a cosine to"

    def _shape(self, done: float) -> float:
        return (1 + math.cos(math.pi * done)) / 2


@_settings
class WarmUp(Schedule):
    """Rises in a straight line to the first number of another schedule, which then begins.

    Args:
        then: the other schedule, or a number. It also says what is counted, and what the number is meant for.
        over: for how many units it rises.
        first: where it begins.

    Source: Goyal and others 2017, arXiv:1706.02677.

    >>> rate = kernel.schedules.WarmUp(kernel.schedules.Cosine(0.1, 900), 100)
    >>> [round(rate[i], 4) for i in (0, 50, 100, 550)]
    [0.0, 0.05, 0.1, 0.05]
    """

    then: Any
    over: float
    first: float = 0.0

    def __post_init__(self) -> None:
        then = as_schedule(self._name, "then", self.then, ANY)
        object.__setattr__(self, "then", then)
        if not isinstance(then, Constant):
            for field, default in (("unit", "minibatch"), ("epoch_size", None), ("minibatch_size", None)):
                if getattr(self, field) not in (default, getattr(then, field)):
                    raise RangeError(
                        f"{self._name}: {field} is said by the schedule that comes then, {then!r}; leave it out here."
                    )
                object.__setattr__(self, field, getattr(then, field))
        super().__post_init__()

    def _check(self) -> None:
        self._number("over", ABOVE_0)
        self._number("first")

    def _value(self, position: float) -> float:
        if position < self.over:
            return self.first + (self.then._value(0) - self.first) * position / self.over
        return self.then._value(position - self.over)

    @property
    def limits(self) -> tuple[float, float]:
        low, high = self.then.limits
        return min(low, self.first), max(high, self.first)

    @property
    def code(self) -> str:
        then = self.then.code if not isinstance(self.then, Constant) else _literal(self.then.value)
        text = f"{self._name}({then}, {_literal(self.over)}{f', {_literal(self.first)}' if self.first else ''}"
        if isinstance(self.then, Constant):
            own = {"unit": "minibatch", "epoch_size": None, "minibatch_size": None}
            given = {name: getattr(self, name) for name, default in own.items() if getattr(self, name) != default}
            if self.epoch_size:
                given.pop("unit")
            text += "".join(f", {name}={_literal(value)}" for name, value in given.items())
        return text + ")"

    @property
    def memory(self) -> dict[str, float]:
        return self.then.memory

    def meant_for(self, minibatch_size: int) -> Schedule:
        return WarmUp(
            self.then.meant_for(minibatch_size),
            self.over,
            self.first,
            unit=self.unit,
            epoch_size=self.epoch_size,
            minibatch_size=minibatch_size if self.minibatch_size is None else self.minibatch_size,
        )

    def _words(self) -> str:
        return f"{_short(self.first)} rising over {self._span(self.over)}, then {self.then._words()}"


@_settings
class OneCycle(Schedule):
    """Rises to the highest number and then falls to almost nothing, in one cycle of ``over`` units.

    Args:
        highest: the number at the top.
        over: how many units the cycle takes; afterwards the last number holds.
        rise: which share of them it rises.
        start_divisor: it begins at highest / start_divisor.
        end_divisor: it ends at the first number / end_divisor.
        shape: "cos" or "linear".

    Source: Smith and Topin 2018, arXiv:1708.07120, with the shape of PyTorch's OneCycleLR.

    >>> rate = kernel.schedules.OneCycle(1.0, 100, shape="linear")
    >>> [round(rate[i], 6) for i in (0, 29, 99)]
    [0.04, 1.0, 4e-06]
    """

    highest: float
    over: int
    rise: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4
    shape: str = "cos"

    def _check(self) -> None:
        self._number("highest")
        _require(self._name, "over", self.over, 2, math.inf, "2 or more")
        _require(self._name, "rise", self.rise, math.nextafter(0.0, 1.0), 1.0, "above 0 and at most 1")
        self._number("start_divisor", ABOVE_0)
        self._number("end_divisor", ABOVE_0)
        require_one_of(self._name, "shape", self.shape, ("cos", "linear"))

    @property
    def _ends(self) -> tuple[float, float]:
        first = self.highest / self.start_divisor
        return first, first / self.end_divisor

    def _value(self, position: float) -> float:
        count = 1 / (self.epoch_size or 1)  # its last place, as PyTorch's, is one count before the end
        top, end = self.rise * self.over - count, self.over - count
        first, last = self._ends
        if position <= top:
            return self._between(first, self.highest, position / top if top else 1.0)
        return self._between(self.highest, last, min((position - top) / (end - top), 1.0) if end > top else 1.0)

    def _between(self, a: float, b: float, done: float) -> float:
        return a + (b - a) * (done if self.shape == "linear" else (1 - math.cos(math.pi * done)) / 2)

    @property
    def limits(self) -> tuple[float, float]:
        return min(self.highest, *self._ends), max(self.highest, *self._ends)

    def _words(self) -> str:
        first, last = self._ends
        rise = self._span(round(self.rise * self.over * (self.epoch_size or 1)) / (self.epoch_size or 1))
        return (
            f"{_short(first)} up to {_short(self.highest)} in {rise}, down to {_short(last)} by {self._span(self.over)}"
        )


@_settings
class Plateau(Schedule):
    """A number that is cut when a score, reported after every evaluation, has stopped getting better.

    Args:
        value: the number to begin with.
        factor: what it is multiplied by at each cut.
        patience: how many reports without a better score are borne; the next one cuts.
        threshold: by how much a score must be better to count.
        relative: whether ``threshold`` is a share of the best score so far.
        better: "lower" for losses, "higher" for accuracies.
        lowest: it is not cut below this.
        cooldown: so many reports after a cut do not count.

    It is the one schedule with a memory: ``report`` changes it. Source: PyTorch's ReduceLROnPlateau.

    >>> rate = kernel.schedules.Plateau(0.1, factor=0.5, patience=1)
    >>> [rate.report(loss) for loss in (1.0, 0.9, 0.9, 0.9)], rate[0]
    ([False, False, False, True], 0.05)
    """

    value: float
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    relative: bool = True
    better: str = "lower"
    lowest: float = 0.0
    cooldown: int = 0
    _memory: dict[str, float] = dataclasses.field(init=False, compare=False)

    def _check(self) -> None:
        self._number("value")
        _require(self._name, "factor", self.factor, ABOVE_0[0], MOMENTUM[1], "above 0 and below 1")
        self._number("threshold", AT_LEAST_0)
        self._number("lowest")
        require_count(self._name, "patience", self.patience, least=0)
        require_count(self._name, "cooldown", self.cooldown, least=0)
        require_one_of(self._name, "better", self.better, ("lower", "higher"))
        require_flag(self._name, "relative", self.relative)
        worst = math.inf if self.better == "lower" else -math.inf
        object.__setattr__(self, "_memory", {"value": self.value, "best": worst, "worse": 0, "resting": 0})

    @property
    def memory(self) -> dict[str, float]:
        return self._memory

    def report(self, score: float) -> bool:
        """Take note of a score; returns whether the number was cut."""
        _require(f"{self._name}.report", "score", score, *ANY)
        memory, sign = self.memory, 1 if self.better == "lower" else -1
        margin = self.threshold * (abs(memory["best"]) if self.relative else 1)
        if math.isinf(memory["best"]) or sign * score < sign * memory["best"] - margin:
            memory["best"], memory["worse"] = float(score), 0
        else:
            memory["worse"] += 1
        if memory["resting"]:
            memory["resting"] -= 1
            memory["worse"] = 0
        if memory["worse"] <= self.patience:
            return False
        before, memory["value"] = memory["value"], max(memory["value"] * self.factor, self.lowest)
        memory["worse"], memory["resting"] = 0, self.cooldown
        return memory["value"] < before

    def at(self, count: int) -> float:
        return self.memory["value"]

    def _value(self, position: float) -> float:
        return self.memory["value"]

    @property
    def counts_samples(self) -> bool:
        return bool(self.minibatch_size)

    def meant_for(self, minibatch_size: int) -> Schedule:
        meant = super().meant_for(minibatch_size)
        object.__setattr__(meant, "_memory", self._memory)  # reports come to this one, and reach all
        return meant

    @property
    def limits(self) -> tuple[float, float]:
        return min(self.lowest, self.value), self.value

    def _words(self) -> str:
        now = f", {_short(self.memory['value'])} now" if self.memory["value"] != self.value else ""
        reports = f"{self.patience + 1} report{'s' if self.patience else ''}"
        return f"{_short(self.value)}, times {_short(self.factor)} after {reports} of no {self.better} score{now}"


def as_schedule(name: str, argument: str, value: Any, words: tuple = AT_LEAST_0) -> Schedule:
    """A number or a schedule as a schedule; an error of ``name`` where it is neither, or leaves the limits."""
    if is_number(value):
        _require(name, argument, value, *words)
        return Constant(value)
    if not isinstance(value, Schedule):
        hint = ", made by learning_parameter_schedule, say" if isinstance(value, list | tuple) else ""
        hint = " (.item() makes a number of it)" if hasattr(value, "item") else hint
        raise DtypeError(f"{name}: {argument} should be a number or a schedule{hint}, but {show(value)} came.")
    low, high, meaning = words
    lowest, highest = value.limits
    if lowest < low or (highest > high and math.isfinite(high)):
        raise RangeError(f"{name}: {argument} should be {meaning}, but {value!r} came.")
    return value


# --- CNTK's constructors ---


def _steps(name: str, values: Any, minibatch_size: int | None, epoch_size: int | None, words: tuple) -> Schedule:
    """A number, a list or pairs as a schedule; errors are those of the constructor ``name``."""
    if epoch_size is not None:
        require_count(name, "epoch_size", epoch_size)
    if not isinstance(values, Schedule):
        kind, options = (Constant, {}) if is_number(values) else (Steps, {"epoch_size": epoch_size})
        try:
            made = kind(values, minibatch_size=minibatch_size, **options)
        except (DtypeError, RangeError) as error:
            raise type(error)(str(error).replace(kind.__name__, name, 1)) from None
    else:
        made = values if minibatch_size is None else values.meant_for(minibatch_size)
        if epoch_size not in (None, made.epoch_size) or minibatch_size not in (None, made.minibatch_size):
            raise RangeError(
                f"{name}: {values!r} says itself what it counts and what it is meant for; give its numbers."
            )
    return as_schedule(name, "the schedule", made, words)


def learning_rate_schedule(lr: Any, unit: UnitType | str, epoch_size: int | None = None) -> Schedule:
    """A learning rate per minibatch or per sample.

    Args:
        lr: a number, [v0, v1, …] or [(k0, v0), …]; see ``Steps``.
        unit: ``UnitType.minibatch`` or ``UnitType.sample``, or the words.
        epoch_size: so many samples are one unit of the list; without it, one sweep through the data.

    >>> kernel.learning_rate_schedule([0.05] * 3 + [0.025] * 2 + [0.0125], kernel.UnitType.minibatch, epoch_size=100)
    <0.05 for 300 samples, then 0.025 for 200 samples, then 0.0125; per minibatch>
    """
    name = "learning_rate_schedule"
    unit = unit.value if isinstance(unit, UnitType) else unit
    require_one_of(name, "unit", unit, tuple(UnitType.__members__))
    return _steps(name, lr, int(unit == "sample"), epoch_size, AT_LEAST_0)


def learning_parameter_schedule(
    schedule: Any, minibatch_size: int | None = None, epoch_size: int | None = None
) -> Schedule:
    """A learning rate or another number, meant for ``minibatch_size`` samples (0: for a minibatch of any size).

    Without ``minibatch_size`` the learner's own counts.

    >>> kernel.learning_parameter_schedule(0.5, minibatch_size=32)
    <0.5; per 32 samples>
    """
    return _steps("learning_parameter_schedule", schedule, minibatch_size, epoch_size, AT_LEAST_0)


def learning_parameter_schedule_per_sample(schedule: Any, epoch_size: int | None = None) -> Schedule:
    """A learning rate or another number per sample.

    >>> kernel.learning_parameter_schedule_per_sample([0.001, 0.0005], epoch_size=60_000)
    <0.001 for 60000 samples, then 0.0005; per sample>
    """
    return _steps("learning_parameter_schedule_per_sample", schedule, 1, epoch_size, AT_LEAST_0)


def momentum_schedule(momentum: Any, epoch_size: int | None = None, minibatch_size: int | None = None) -> Schedule:
    """A momentum per minibatch, or for ``minibatch_size`` samples; mind the order of the two sizes.

    >>> kernel.momentum_schedule([0, 0.9], epoch_size=5000)
    <0 for 5000 samples, then 0.9>
    """
    return _steps("momentum_schedule", momentum, minibatch_size, epoch_size, MOMENTUM)


def momentum_schedule_per_sample(momentum: Any, epoch_size: int | None = None) -> Schedule:
    """A momentum per sample: m^n of a velocity is left after a minibatch of n.

    >>> kernel.momentum_schedule_per_sample(0.999)
    <0.999; per sample>
    """
    return _steps("momentum_schedule_per_sample", momentum, 1, epoch_size, MOMENTUM)


def momentum_as_time_constant_schedule(time_constant: Any, epoch_size: int | None = None) -> Schedule:
    """A momentum told by its time constant T in samples: exp(-n / T) of a velocity is left after a minibatch of n.

    >>> schedule = kernel.momentum_as_time_constant_schedule(300)
    >>> schedule
    <time constant of 300 samples>
    >>> round(schedule[0] ** 10, 4)
    0.9672
    """
    values = (time_constant,) if is_number(time_constant) else time_constant
    try:
        return TimeConstant(values, epoch_size=epoch_size)
    except (DtypeError, RangeError) as error:
        name = "momentum_as_time_constant_schedule"
        raise type(error)(str(error).replace(TimeConstant.__name__, name, 1)) from None


def minibatch_size_schedule(schedule: Any, epoch_size: int | None = None) -> Schedule:
    """How many samples a minibatch has: whole numbers, 1 or more.

    >>> kernel.minibatch_size_schedule([256] * 6 + [512], epoch_size=50_000)
    <256 for 300000 samples, then 512>
    """
    name = "minibatch_size_schedule"
    made = _steps(name, schedule, None, epoch_size, (1, math.inf, "1 or more"))
    values = (made.value,) if isinstance(made, Constant) else [v for _, v in getattr(made, "_segments", ())]
    for value in values:
        require_count(name, "a size", value)
    return made


# --- from text ---

CONSTRUCTORS: dict[str, Callable[..., Schedule]] = {
    made.__name__: made
    for made in (
        Constant,
        Cosine,
        Exponential,
        Linear,
        MultiStep,
        OneCycle,
        Plateau,
        Polynomial,
        StepDecay,
        Steps,
        TimeConstant,
        WarmUp,
        learning_parameter_schedule,
        learning_parameter_schedule_per_sample,
        learning_rate_schedule,
        minibatch_size_schedule,
        momentum_as_time_constant_schedule,
        momentum_schedule,
        momentum_schedule_per_sample,
    )
}
LONGEST_TEXT, LONGEST_LIST, LARGEST_IN_TEXT = 200_000, 10_000, 1e100
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
_NAMES = {"None": None, "True": True, "False": False, "inf": math.inf, "pi": math.pi, "e": math.e}


def parse(text: str) -> Schedule:
    """The schedule that a line of Python makes; nothing is run: only schedules, numbers and lists are understood.

    >>> parse("kernel.learning_rate_schedule([.1] * 3 + [.05], UnitType.sample, epoch_size=100)")
    <0.1 for 300 samples, then 0.05; per sample>
    >>> parse("Cosin(0.1, 100)")
    Traceback (most recent call last):
    ...
    kernel.errors.RangeError: parse: there is no schedule Cosin; did you mean Cosine?
    """
    if not isinstance(text, str):
        raise DtypeError(f"parse: a line of Python was expected, but {show(text)} came.")
    if len(text) > LONGEST_TEXT:
        raise RangeError(f"parse: a line of {LONGEST_TEXT} characters at most was expected, but {len(text)} came.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" (column {error.offset})" if isinstance(error, SyntaxError) and error.offset else ""
        raise RangeError(
            f"parse: this is no line of Python that makes a schedule{where}; an example is Cosine(0.1, 1000)."
        ) from None
    try:
        made = _read(tree)
    except (ZeroDivisionError, OverflowError):
        raise RangeError("parse: a number in the line divides by 0 or is too large.") from None
    except RecursionError:
        raise RangeError("parse: the line is nested too deeply; write it more simply.") from None
    return as_schedule("parse", "the line", made, ANY)


def _read(node: ast.expr) -> Any:
    """What an expression of numbers, lists and schedules means."""
    match node:
        case ast.Constant(value=int() | float() | str() | None as value):
            if is_number(value) and abs(value) > LARGEST_IN_TEXT and not math.isinf(value):
                raise OverflowError
            return value
        case ast.List(elts=elements):
            return [_read(element) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(_read(element) for element in elements)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_arithmetic(_read(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _combine(op, _read(left), _read(right))
        case ast.Attribute(value=ast.Name(id="UnitType") | ast.Attribute(attr="UnitType"), attr=unit):
            return unit
        case ast.Name() | ast.Attribute():
            name = _last_name(node)
            if name in _NAMES:
                return _NAMES[name]
            raise RangeError(f"parse: {name} has no meaning here; write numbers, lists and schedules.")
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return _call(function, arguments, keywords)
    raise RangeError(
        f"parse: {show(ast.unparse(node))} is neither a number, nor a list, nor a schedule; write what it stands for."
    )


def _last_name(node: ast.expr) -> str:
    """The name that is meant: of kernel.schedules.Cosine it is Cosine."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name() | ast.Attribute() as before, attr=name):
            _last_name(before)
            return name
    raise RangeError(f"parse: the name of a schedule was expected, but {show(ast.unparse(node))} came.")


def _arithmetic(value: Any) -> Any:
    if not is_number(value):
        raise RangeError(f"parse: a number was expected, but {show(value)} came.")
    return value


def _combine(op: ast.operator, left: Any, right: Any) -> Any:
    lists = [isinstance(side, list) for side in (left, right)]
    if any(lists):
        repeated = isinstance(op, ast.Mult) and sum(lists) == 1 and isinstance(right if lists[0] else left, int)
        if not (repeated or (isinstance(op, ast.Add) and all(lists))):
            raise RangeError("parse: lists can be joined with + and repeated with * by a whole number, no more.")
        size = (
            len(left) + len(right) if all(lists) else len(left if lists[0] else right) * (right if lists[0] else left)
        )
        if size > LONGEST_LIST:
            raise RangeError(f"parse: a list of {LONGEST_LIST} at most was expected, but {size} came.")
    elif isinstance(op, ast.Pow) and (abs(_arithmetic(right)) > 1000 or abs(_arithmetic(left)) > LARGEST_IN_TEXT):
        raise OverflowError
    else:
        left, right = _arithmetic(left), _arithmetic(right)
        left = float(left) if isinstance(op, ast.Pow) and not abs(left) ** 0.5 < 1000 else left
    found = _OPERATORS[type(op)](left, right)
    if isinstance(found, complex) or (is_number(found) and math.isfinite(found) and abs(found) > LARGEST_IN_TEXT):
        raise OverflowError
    return found


def _call(function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Any:
    name = _last_name(function)
    given = [_read(argument) for argument in arguments]
    named = {keyword.arg: _read(keyword.value) for keyword in keywords}
    if len(named) < len(keywords):
        raise RangeError(f"parse: {name} is given the same argument twice; leave one out.")
    if name == "exp" and len(given) == 1 and not named:
        return math.exp(_arithmetic(given[0]))
    if name not in CONSTRUCTORS:
        close = difflib.get_close_matches(name, CONSTRUCTORS, 1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(CONSTRUCTORS)}."
        raise RangeError(f"parse: there is no schedule {name}; {known}")
    if None in named:
        raise RangeError("parse: write the arguments out; ** is not understood here.")
    try:
        return CONSTRUCTORS[name](*given, **named)
    except DtypeError:
        raise
    except TypeError as error:  # Python's own, about arguments that are missing or too many
        raise RangeError(f"parse: {str(error).replace('.__init__()', '').replace('()', '')}.") from None
