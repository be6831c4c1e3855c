"""What all learners have in common: units, counting, clipping, decay, noise, and a state that can be saved."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy

from ..creation import tensor
from ..errors import DeviceError, DtypeError, GradError, RangeError, ShapeError, UnknownSizeError, show
from ..functional import abs as absolute
from ..functional import maximum, minimum, sign
from ..op import DEFAULT_FLOAT, HALF, Kind, is_float, spell
from ..parameter import Waiting
from ..schedules import (
    AT_LEAST_0,
    MOMENTUM,
    Constant,
    Counts,
    Plateau,
    Schedule,
    as_schedule,
    effective_momentum,
    effective_rate,
    is_number,
    parse,
)
from ..tape import no_grad, serials
from ..tensor import Tensor, _is_read_only, _wrap
from ..xp import Generator, default_generator, send
from .rule import Program, Rule

CLIPS = ("value", "norm", "global norm")
KEPT = 64  # sizes of minibatches for which the numbers of an update are kept


class Learner:
    """What has parameters and changes them: the part that every learner has.

    ``step()`` changes them by their ``grad``, after ``backward()`` of a mean loss; ``update({parameter: gradient}, n)``
    by gradients that are sums over n samples. ``zero_grad()`` forgets the gradients, ``learning_rate()`` says what the
    schedule says now, ``reset_learning_rate(schedule)`` begins another. ``samples``, ``minibatches`` and ``sweeps``
    count what was seen. ``state_dict()`` is all that it remembers.
    """

    def __init__(self, parameters: Iterable, rate: Any, minibatch_size: int = 0, name: str | None = None):
        self._name = name or type(self).__name__
        self._named = _named(self._name, parameters)
        self.samples = self.minibatches = self.sweeps = 0
        self._since = Counts()
        self._default_size = minibatch_size
        self._rate = self._as_rate(rate)
        self._lasting: dict | None = None  # what stays the same from update to update; None until that is found out

    def _as_rate(self, rate: Any) -> Schedule:
        return as_schedule(self._name, "the learning rate", rate).meant_for(self._default_size)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The parameters that it changes."""
        return tuple(self._named.values())

    @property
    def counts(self) -> Counts:
        """(samples, minibatches, sweeps) that it has seen."""
        return Counts(self.samples, self.minibatches, self.sweeps)

    def learning_rate(self) -> float:
        """The learning rate as its schedule says it now, for the next update; what it is meant for is not reckoned in.

        >>> w = kernel.Parameter([1.0])
        >>> rate = kernel.learning_parameter_schedule_per_sample([0.5, 0.25], epoch_size=100)
        >>> learner = kernel.sgd([w], rate)
        >>> learner.update({w: kernel.ones(1)}, 100), learner.learning_rate()
        (True, 0.25)
        """
        return self._rate.now(self.counts - self._since)

    def reset_learning_rate(self, rate: Any) -> None:
        """Go on with another learning rate: a number, or a schedule that begins now."""
        self._rate, self._since, self._lasting = self._as_rate(rate), self.counts, None

    def zero_grad(self) -> None:
        """Forget the gradients of its parameters."""
        for parameter in self._named.values():
            parameter.grad = None

    def step(self, n_samples: int | None = None, sweep_end: bool = False) -> bool:
        """Change the parameters by their ``grad``.

        Args:
            n_samples: of how many samples the loss was the mean. It may be left out where no hyperparameter is meant
                for a number of samples and no schedule counts samples.
            sweep_end: whether the data have been gone through with this minibatch.

        A parameter without ``grad`` stays as it is. Raises GradError if none has one.

        >>> w = kernel.Parameter([1.0, 2.0])
        >>> learner = kernel.SGD([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> learner.step()
        True
        >>> w.value
        array([0.8, 1.6], dtype=float32)
        """
        gradients = {p: p.grad for p in self._named.values() if p.grad is not None}
        if not gradients:
            raise GradError(
                f"{self._name}.step: no parameter has a gradient; call backward() of the loss before step()."
            )
        for p, g in gradients.items():
            if getattr(g, "_kind", None) is not p._kind:
                self._check("step: grad", p, g)
        if n_samples is None:
            self._require_no_count()
        else:
            self._require_samples("step", n_samples)
        return self._learn(gradients, n_samples, sweep_end, True)

    def update(self, gradients: Mapping[Tensor, Any], n_samples: int, sweep_end: bool = False) -> bool:
        """Change the parameters by gradients that are sums over the samples of a minibatch.

        Args:
            gradients: {parameter: gradient}, a tensor or a NumPy array; for each of the learner's parameters, and no
                other. They are not written to.
            n_samples: how many samples the minibatch has.
            sweep_end: whether the data have been gone through with this minibatch.

        Returns whether anything was changed; with a rate of 0 nothing is.

        >>> w = kernel.Parameter([0.0])
        >>> kernel.sgd([w], 0.5).update({w: kernel.ones(1)}, n_samples=2)
        True
        >>> w.value
        array([-0.25], dtype=float32)
        """
        if not isinstance(gradients, Mapping):
            raise DtypeError(f"{self._name}.update: {{parameter: gradient}} was expected, but {show(gradients)} came.")
        given = {id(p): g for p, g in gradients.items()}
        missing = [name for name, p in self._named.items() if id(p) not in given]
        if missing or len(given) > len(self._named):
            what = f"none came for {', '.join(missing)}" if missing else "some belong to no parameter"
            raise ShapeError(
                f"{self._name}.update: a gradient for each of its {len(self._named)} parameters was expected, but "
                f"{what}; a Learners of several hands each its own."
            )
        if is_number(n_samples) and n_samples == 0 and self.learning_rate() == 0:
            return False
        self._require_samples("update", n_samples)
        found = {p: self._as_gradient(p, given[id(p)]) for p in self._named.values()}
        return self._learn(found, n_samples, sweep_end, False)

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        """Change the parameters, and count."""
        raise NotImplementedError

    def _count(self, n: int | None, sweep_end: bool) -> None:
        self.samples += n or 0
        self.minibatches += 1
        self.sweeps += bool(sweep_end)

    # --- checks ---

    def _needs_samples(self) -> Iterator[str]:
        """What it cannot know without the number of samples."""
        if self._rate.counts_samples:
            yield f"the learning rate ({self._rate!r})"

    def _require_no_count(self) -> None:
        if self._lasting is not None and (None, True) in self._lasting:  # as it was before
            return
        for what in self._needs_samples():
            raise RangeError(
                f"{self._name}.step: {what} needs to know how many samples the minibatch has; call step(n_samples)."
            )

    def _require_samples(self, method: str, n: Any) -> None:
        if not is_number(n) or not float(n).is_integer():
            raise DtypeError(f"{self._name}.{method}: n_samples should be a whole number, but {show(n)} came.")
        if n < 1:
            raise RangeError(f"{self._name}.{method}: n_samples should be 1 or more, but {show(n)} came.")

    def _name_of(self, parameter: Tensor) -> str:
        return next(name for name, p in self._named.items() if p is parameter)

    def _as_gradient(self, parameter: Tensor, given: Any) -> Tensor:
        """What stands for a gradient in ``update``, as a tensor like the parameter."""
        if isinstance(parameter, Waiting):
            raise UnknownSizeError(
                f"{self._name}.update: parameter {self._name_of(parameter)} has no size yet; call the model on data "
                "once."
            )
        if isinstance(given, numpy.ndarray | numpy.generic):
            given = tensor(numpy.asarray(given)).to(parameter.device)
        if isinstance(given, Tensor) and is_float(given.dtype) and given.dtype != parameter.dtype:
            given = given.detach().astype(parameter.dtype)
        if getattr(given, "_kind", None) is not parameter._kind:
            self._check("update: the gradient", parameter, given)
        return given

    def _check(self, what: str, parameter: Tensor, gradient: Any) -> None:
        """Raise unless ``gradient`` is like the parameter."""
        what = f"{self._name}.{what} of parameter {self._name_of(parameter)}"
        if not isinstance(gradient, Tensor):
            raise DtypeError(f"{what} should be a tensor, but {show(gradient)} came.")
        if gradient.shape != parameter.shape:
            raise ShapeError(
                f"{what} should have shape {spell(parameter.shape)}, as the parameter, but has {spell(gradient.shape)}."
            )
        if gradient.device is not parameter.device:
            raise DeviceError(
                f"{what} is on {gradient.device}, but the parameter is on {parameter.device}; move it with .to()."
            )
        if gradient.dtype != parameter.dtype:
            raise DtypeError(f"{what} should be {parameter.dtype}, as the parameter, but is {gradient.dtype}.")

    # --- state ---

    def state_dict(self) -> dict[str, Tensor]:
        """All that it remembers, as {name: tensor}: copies, which can be saved with ``kernel.save``.

        Counts, the learning rate's schedule (its line of code, as bytes) and what the rule keeps for each parameter.

        >>> w = kernel.Parameter([1.0])
        >>> learner = kernel.SGD([w], lr=0.1, momentum=0.9)
        >>> list(learner.state_dict())
        ['counts', 'since', 'rate']
        """
        state = {
            "counts": tensor(list(self.counts)),
            "since": tensor(list(self._since)),
            "rate": _text(self._rate.code),
        }
        if isinstance(self._rate, Plateau):
            state["rate.memory"] = tensor(list(self._rate.memory.values()), dtype="float64")
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another learner with the same parameters and options was.

        Raises ShapeError, which lists what is missing, not expected or of another shape; nothing is changed then.
        """
        if not isinstance(state, Mapping):
            raise DtypeError(f"{self._name}.load_state_dict: {{name: tensor}} was expected, but {show(state)} came.")
        wanted, take = self._loading(state)
        faults = [f"{name} is missing" for name in wanted if name not in state]
        faults += [f"{show(name)} was not expected" for name in state if name not in wanted]
        for name, like in wanted.items():
            if name in state and not isinstance(state[name], Tensor):
                faults.append(f"{name} should be a tensor, but is {show(state[name])}")
            elif name in state and like is not None and state[name].shape != like:
                faults.append(f"{name} should have shape {spell(like)}, but has {spell(state[name].shape)}")
        if faults:
            raise ShapeError(
                f"{self._name}.load_state_dict: the state does not fit this learner, and nothing was loaded: "
                f"{'; '.join(sorted(faults))}."
            )
        take()

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        """({name: shape} of what a state must hold; None for any shape, what takes it over once that is so)."""
        wanted: dict[str, tuple | None] = {"counts": (3,), "since": (3,), "rate": None}
        code = _read_text(state["rate"]) if isinstance(state.get("rate"), Tensor) else self._rate.code
        rate = self._rate if code == self._rate.code else parse(code)
        if isinstance(rate, Plateau):
            wanted["rate.memory"] = (4,)

        def take() -> None:
            self.samples, self.minibatches, self.sweeps = state["counts"].tolist()
            self._rate, self._since, self._lasting = rate, Counts(*state["since"].tolist()), None
            if isinstance(rate, Plateau):
                rate.memory.update(zip(rate.memory, state["rate.memory"].tolist(), strict=True))

        return wanted, take

    def __repr__(self) -> str:
        return f"{self._name}({self._words()})"

    def _words(self) -> str:
        return f"rate {_bare(self._rate)}, {len(self._named)} parameter{'s' if len(self._named) > 1 else ''}"


class RuleLearner(Learner):
    """A learner that applies a pure rule.

    At an update the gradient is clipped and L2 is added to it, the parameter decays, the rule is applied, noise is
    added, L1 pulls towards 0.

    Args:
        parameters: tensors that require gradients, or (name, tensor) pairs.
        rate: the learning rate, a number or a schedule.
        rule: the pure rule.
        hyper: what else the rule asks for: numbers or schedules. Those in ``DECAYS`` are momentums, for which the
            size of the minibatch counts.
        means: whether the rule sees gradients as means over the samples, or as sums.
        minibatch_size: what schedules are meant for that do not say it themselves.
        ones: the numbers of the rule that are always 1.
        l1: pulls every weight towards 0 by rate · l1, and no further than 0.
        l2: adds l2 · w to the mean gradient.
        decay: takes the share rate · decay from every weight.
        noise: standard deviation of the normal noise that is added to the weights.
        clip: the largest size of a mean gradient; None for any.
        clip_by: of what that is the size: of each "value", of a tensor's "norm", or of the "global norm" of all.
        maximize: whether to go uphill.
        generator: where the noise comes from.
    """

    DECAYS: ClassVar[tuple[str, ...]] = ("momentum", "variance")
    RESTS: ClassVar[bool] = True  # whether nothing changes while the rate is 0, the velocity neither

    def __init__(
        self,
        parameters: Iterable,
        rate: Any,
        rule: type[Rule],
        hyper: Mapping[str, Any],
        *,
        means: bool,
        minibatch_size: int = 0,
        ones: tuple[str, ...] = (),
        begin: Mapping[str, float] | None = None,
        l1: Any = 0,
        l2: Any = 0,
        decay: Any = 0,
        noise: Any = 0,
        clip: Any = None,
        clip_by: str = "value",
        maximize: bool = False,
        generator: Generator | None = None,
        name: str | None = None,
    ):
        super().__init__(parameters, rate, minibatch_size, name)
        self.rule, self.means, self._ones = rule, means, ones
        self._hyper: dict[str, Schedule] = {}
        for name, value in hyper.items():
            limits = LIMITS.get(name, AT_LEAST_0)
            schedule = as_schedule(self._name, WORDS.get(name, name), value, limits)
            self._hyper[name] = schedule.meant_for(minibatch_size if name in self.DECAYS else 0)
        self._begin = {**rule.state, **(begin or {})}
        options = {"l1": l1, "l2": l2, "decay": decay, "noise": noise}
        self._options = {name: as_schedule(self._name, name, value) for name, value in options.items()}
        self._off = {name for name, value in options.items() if is_number(value) and value == 0}
        self._clip = None if clip is None else as_schedule(self._name, "clip", clip)
        if clip_by not in CLIPS:
            raise RangeError(
                f"{self._name}: clip_by should be one of {', '.join(map(repr, CLIPS))}, but {show(clip_by)} came."
            )
        self._clip_by, self._sign = clip_by, -1.0 if maximize else 1.0
        if generator is not None and not isinstance(generator, Generator):
            raise DtypeError(f"{self._name}: generator should be a kernel.Generator, but {show(generator)} came.")
        self._generator = generator
        self._states: dict[Tensor, _State] = {}
        self._programs: dict[tuple, Program] = {}

    # --- one update ---

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if self._lasting is None:
            self._settle()
        now = self._lasting.get((n, are_means)) or self._now(n or 1, are_means)
        hyper, options, spread, program, values_at = now
        if hyper["rate"] == 0 and self.RESTS:
            self._count(n, sweep_end)  # or a rate that begins at 0 would never rise
            return False
        if self._is_steady:
            self._lasting[n, are_means] = now
        if self._asks_step:
            values_at = {}
        scales = self._scales(gradients, n or 1, options) if self._clip is not None else {}
        for p, g in gradients.items():
            kind, state = p._kind, self._states.get(p)
            if state is None or state.kind is not kind:
                state = self._state(p)
            state.step += 1
            key = (state.step, kind, *state.memory.values()) if self._asks_step else kind
            found = values_at.get(key)
            if found is None:
                found = values_at[key] = self._values(program, kind, state, hyper, options)
            values, state.memory = found
            with kind.device.guard():
                # A gradient that is the parameter itself, as some write a decay, must not change on the way.
                gradient = g._array if g._written is not p._written else g._array.copy()
                arrays = [p._array, gradient, *state.arrays]
                if spread:
                    arrays.insert(2, self._noise(p, spread))
                program.run(kind, arrays, (scales[p], *values[1:]) if scales else values)
            p._written[0] = next(serials)
        self._count(n, sweep_end)
        return True

    def _settle(self) -> None:
        """Find out whether anything depends on how far training is; what does not is computed once."""
        schedules = (self._rate, *self._hyper.values(), *self._options.values(), *([self._clip] if self._clip else []))
        self._is_steady = all(isinstance(schedule, Constant) for schedule in schedules)
        self._asks_step = "step" in self.rule.asks or bool(self.rule.memory)
        self._lasting = {}

    def _now(self, n: int, are_means: bool) -> tuple[dict, dict, float, Program, dict]:
        """(hyperparameters, numbers of the options, spread of the noise, the program, its numbers by kind)."""
        counts = self.counts
        hyper = self._hyper_now(counts, n)
        options = self._options_now(counts, n, hyper["rate"], are_means)
        spread = options.pop("noise", 0)
        if len(self._lasting) >= KEPT:
            self._lasting.clear()
        return hyper, options, spread, self._program(tuple(options), spread > 0), {}

    def _options_now(self, counts: Counts, n: int, rate: float, are_means: bool) -> dict[str, float]:
        """The numbers of what is done beside the rule; what is off has none."""
        samples = 1 if self.means else n  # a threshold or a penalty is meant for a mean gradient
        scale = self._sign * (1 if self.means == are_means else n if are_means else 1 / n)
        now = {name: s.now(counts) for name, s in self._options.items() if name not in self._off}
        numbers = {}
        if scale != 1 or (self._clip is not None and self._clip_by != "value"):
            numbers["scale"] = scale
        if self._clip is not None and self._clip_by == "value":
            numbers["clip_high"] = self._clip.now(counts) * samples
            numbers["clip_low"] = -numbers["clip_high"]
        if "l2" in now:
            numbers["l2"] = now["l2"] * samples
        if "decay" in now:
            numbers["left"] = 1 - rate * now["decay"]
        if "l1" in now:
            numbers["pull"] = rate * now["l1"] * samples
        if "noise" in now:
            numbers["noise"] = now["noise"]
        return numbers

    def _scales(self, gradients: dict, n: int, options: dict) -> dict[Tensor, Any]:
        """By what each gradient is multiplied so that its norm is no larger than ``clip``; {} if that is off."""
        if self._clip_by == "value":
            return {}
        samples = 1 if self.means else n
        return _shrinking(self._clip_by, gradients, options["scale"], self._clip.now(self.counts) * samples)

    def _values(self, program: Program, kind: Kind, state: _State, hyper: dict, options: dict) -> tuple[list, dict]:
        """(the numbers of the program, the next memory of the rule)."""
        known = self._derived(hyper, kind.dtype) | state.memory | {"step": state.step}
        numbers = self.rule.numbers(**{name: known[name] for name in self.rule.asks}) | options
        values = [numbers[name] for name in program.numbers]
        if kind.device.kind == "cpu":  # NumPy takes longer to convert a Python number than to use an array of one
            values = [numpy.array(value, DEFAULT_FLOAT if kind.dtype == HALF else kind.dtype) for value in values]
        return values, {name: numbers[name] for name in self.rule.memory}

    def _hyper_now(self, counts: Counts, n: int) -> dict[str, float]:
        """The hyperparameters of this update, for a minibatch of ``n`` samples."""
        hyper: dict[str, float] = {"samples": n}
        for name, schedule in self._hyper.items():
            value = schedule.now(counts)
            hyper[name] = effective_momentum(value, schedule.minibatch_size, n) if name in self.DECAYS else value
        hyper["rate"] = effective_rate(self._rate.now(counts - self._since), self._rate.minibatch_size, n, self.means)
        return hyper

    def _derived(self, hyper: dict[str, float], dtype: numpy.dtype) -> dict[str, float]:
        """``hyper`` with what the learner makes of it before the rule sees it, for parameters of a dtype."""
        return hyper

    def _program(self, extra: tuple[str, ...], noisy: bool) -> Program:
        program = self._programs.get((extra, noisy))
        if program is None:
            kept = tuple(self.rule.state)
            numbers = [name for name in _parameters_of(self.rule.update) if name not in ("w", "g", *kept)]
            program = self._programs[extra, noisy] = Program(
                _with_options(self.rule),
                ("w", "g", *(("noise",) if noisy else ()), *kept),
                ("w", *kept),
                (*extra, *numbers),
                self._ones,
            )
        return program

    def _state(self, parameter: Tensor) -> _State:
        """What is kept for a parameter: on its device and in its dtype, also when it has moved."""
        state, kind = self._states.get(parameter), parameter._kind
        dtype = DEFAULT_FLOAT if kind.dtype == HALF else kind.dtype
        if state is None:
            if _is_read_only(parameter):
                raise GradError(
                    f"{self._name}: the memory of parameter {self._name_of(parameter)} cannot be written to; make it "
                    "of a copy, .clone()."
                )
            with kind.device.guard():
                begin, like = self._begin.values(), parameter._array
                arrays = [kind.device.xp.full_like(like, value, dtype=dtype) for value in begin]
            state = self._states[parameter] = _State(0, dict(self.rule.memory), arrays, kind)
        elif state.kind is not kind:
            before = state.kind.device
            moved = [old if before is kind.device else send(old, before, kind.device) for old in state.arrays]
            with kind.device.guard():
                state.arrays = [old.astype(dtype) for old in moved]
            state.kind = kind
        return state

    def _noise(self, parameter: Tensor, spread: float) -> Any:
        drawn = (self._generator or default_generator).host.standard_normal(parameter.shape) * spread
        return parameter.device.from_host(numpy.asarray(drawn, parameter.dtype))

    def _needs_samples(self) -> Iterator[str]:
        yield from super()._needs_samples()
        schedules = self._hyper | self._options | ({"clip": self._clip} if self._clip is not None else {})
        for name, schedule in schedules.items():
            if schedule.counts_samples:
                yield f"the {WORDS.get(name, name)} ({schedule!r})"
        if "samples" in self.rule.asks:
            yield "its rule"

    # --- state ---

    def state_dict(self) -> dict[str, Tensor]:
        state = super().state_dict()
        for name, parameter in self._named.items():
            kept = self._states.get(parameter)
            if kept is not None:
                state[f"{name}.step"] = tensor(kept.step)
                state |= {f"{name}.{key}": tensor(value, dtype="float64") for key, value in kept.memory.items()}
                for key, array in zip(self.rule.state, kept.arrays, strict=True):
                    state[f"{name}.{key}"] = _wrap(array, kept.kind.device).clone()
        if "noise" not in self._off and self._generator is not None:
            state["generator"] = _text(json.dumps(self._generator.host.bit_generator.state))
        return state

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        wanted, take_counts = super()._loading(state)
        if "noise" not in self._off and self._generator is not None:
            wanted["generator"] = None
        present = {name: p for name, p in self._named.items() if f"{name}.step" in state}
        for name, parameter in present.items():
            wanted |= dict.fromkeys((f"{name}.step", *(f"{name}.{key}" for key in self.rule.memory)), ())
            wanted |= {f"{name}.{key}": tuple(parameter.shape) for key in self.rule.state}

        def take() -> None:
            take_counts()
            self._states.clear()
            for name, parameter in present.items():
                kept = self._state(parameter)
                kept.step = int(state[f"{name}.step"].item())
                kept.memory = {key: state[f"{name}.{key}"].item() for key in self.rule.memory}
                for key, array in zip(self.rule.state, kept.arrays, strict=True):
                    array[...] = state[f"{name}.{key}"].detach().to(parameter.device)._array
            if "generator" in wanted:
                self._generator.host.bit_generator.state = json.loads(_read_text(state["generator"]))

        return wanted, take

    def _words(self) -> str:
        known = {WORDS.get(name, name): s for name, s in self._hyper.items() if name not in UNSAID}
        known |= {name: s for name, s in self._options.items() if name not in self._off}
        if self._clip is not None:
            known[f"clip by {self._clip_by}"] = self._clip
        said = "".join(f"{name} {_bare(schedule)}, " for name, schedule in known.items())
        rate, count = super()._words().rsplit(", ", 1)
        return f"{rate}, {said}{count}"


class _State:
    """What is kept for one parameter: how many steps it has made, the rule's numbers, the rule's arrays."""

    __slots__ = ("arrays", "kind", "memory", "step")

    def __init__(self, step: int, memory: dict[str, float], arrays: list, kind: Any):
        self.step, self.memory, self.arrays, self.kind = step, memory, arrays, kind


# What a hyperparameter may be, and what it is called in sentences; 0 or more is the rule.
LIMITS = {
    "momentum": MOMENTUM,
    "variance": MOMENTUM,
    "rho": (0.0, 1.0, "from 0 to 1"),
    "alpha": (0.0, 1.0, "from 0 to 1"),
    "gamma": (0.0, 1.0, "from 0 to 1"),
    "dampening": (-math.inf, math.inf, "finite"),
}
WORDS = {
    "variance": "variance momentum",
    "inner_epsilon": "inner epsilon",
    "rate_decay": "rate decay",
    "momentum_decay": "momentum decay",
}
UNSAID = ("dampening", "inner_epsilon", "epsilon_hat", "averaged")


def _bare(schedule: Schedule) -> str:
    return repr(schedule).removeprefix("<").removesuffix(">").removesuffix("; per minibatch")


def _parameters_of(function: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _with_options(rule: type[Rule]) -> Callable:
    """The formula of a rule with those options around it whose numbers are given."""

    def formula(
        w: Any,
        g: Any,
        scale: Any = None,
        clip_low: Any = None,
        clip_high: Any = None,
        l2: Any = None,
        left: Any = None,
        noise: Any = None,
        pull: Any = None,
        **others: Any,
    ) -> tuple:
        if scale is not None:
            g = scale * g
        if clip_low is not None:
            g = minimum(maximum(g, clip_low), clip_high)
        if l2 is not None:
            g = g + l2 * w
        if left is not None:
            w = left * w
        w, *states = rule.update(w, g, **others)
        if noise is not None:
            w = w + noise
        if pull is not None:
            w = sign(w) * maximum(absolute(w) - pull, 0)
        return w, *states

    return formula


def _norm_squared(gradient: Tensor) -> Any:
    """The sum of the squares, in double precision: large gradients, which clipping is for, must not overflow."""
    with gradient.device.guard():
        wide = gradient._array.astype("float64")
        return (wide * wide).sum()


def _shrinking(by: str, gradients: Mapping[Tensor, Tensor], scale: float, largest: float) -> dict[Tensor, Any]:
    """For each parameter by what its gradient is to be multiplied: by ``scale``, and so that it is not too large."""
    squares = {p: _norm_squared(g) for p, g in gradients.items()}
    first = next(iter(gradients)).device
    if by == "global norm":
        total = sum(square if p.device is first else send(square, p.device, first) for p, square in squares.items())
        squares = {p: total if p.device is first else send(total, first, p.device) for p in squares}
    found = {}
    for p, square in squares.items():
        with p.device.guard():
            size = p.device.xp.sqrt(square) * math.fabs(scale)
            factor = scale * (largest / p.device.xp.maximum(size, largest)) if largest else 0 * size
            found[p] = factor.astype(DEFAULT_FLOAT if p.dtype == HALF else p.dtype)
    return found


def _named(name: str, parameters: Any) -> dict[str, Tensor]:
    """{name: parameter} of what a learner was given; those without a name are called by their place."""
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        hint = "; call it, as model.parameters()" if callable(parameters) else ", in a list or from model.parameters()"
        raise DtypeError(f"{name}: parameters should be several tensors{hint}, but {show(parameters)} came.")
    named: dict[str, Tensor] = {}
    for i, entry in enumerate(parameters):
        key, parameter = entry if isinstance(entry, tuple) and len(entry) == 2 else (str(i), entry)
        if isinstance(parameter, Mapping):
            raise DtypeError(
                f"{name}: parameters should be tensors, but a group of options came; make a learner for each group and "
                "put them together, as kernel.learners.Learners([a, b])."
            )
        if not isinstance(parameter, Tensor) or not isinstance(key, str):
            raise DtypeError(f"{name}: parameters[{i}] should be a tensor, but {show(entry)} came.")
        if not parameter.is_leaf:
            raise GradError(
                f"{name}: parameter {key} was computed from others, so backward() gives it no gradient; give those."
            )
        if not is_float(parameter.dtype):
            raise DtypeError(f"{name}: parameter {key} should be of floats, but is {parameter.dtype}.")
        if any(parameter is other for other in named.values()):
            first = next(other for other, p in named.items() if p is parameter)
            raise RangeError(f"{name}: parameter {key} stands there twice, as {first} too; name it once.")
        if key in named:
            raise RangeError(f"{name}: two parameters are called {key}; names should differ.")
        named[key] = parameter
    if not named:
        raise RangeError(f"{name}: parameters is empty; give those of a model, as model.parameters().")
    return named


def _text(text: str) -> Tensor:
    """A text as a tensor of bytes, which a file of weights can hold."""
    return tensor(numpy.frombuffer(text.encode(), "uint8"))


def _read_text(values: Tensor) -> str:
    return bytes(values.cpu().numpy().astype("uint8")).decode()


class Learners:
    """Several learners of disjoint parameters as one. What belongs to none of them stays as it is.

    Args:
        learners: two or more, or one.

    Raises RangeError if a parameter belongs to two of them.

    >>> net = kernel.layers.Sequential([kernel.layers.Linear(2, 3), kernel.layers.Linear(3, 1)])
    >>> slow, fast = kernel.SGD(net[0].parameters(), lr=0.01), kernel.Adam(net[1].parameters())
    >>> learner = kernel.learners.Learners([slow, fast])
    >>> (net(kernel.ones(4, 2)) ** 2).mean().backward()
    >>> learner.step()
    True
    """

    def __init__(self, learners: Iterable[Learner]):
        self.learners = tuple(learners) if isinstance(learners, Iterable) else (learners,)
        if not self.learners:
            raise RangeError("Learners: at least one learner was expected, but the list is empty.")
        owner: dict[Tensor, int] = {}
        for i, learner in enumerate(self.learners):
            if not isinstance(learner, Learner):
                raise DtypeError(f"Learners: learners[{i}] should be a learner, but {show(learner)} came.")
            for name, parameter in learner._named.items():
                if parameter in owner:
                    other = self.learners[owner[parameter]]
                    raise RangeError(
                        f"Learners: parameter {other._name_of(parameter)} of learners[{owner[parameter]}] is parameter "
                        f"{name} of learners[{i}] too; a parameter can be changed by one learner only."
                    )
                owner[parameter] = i

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The parameters of all."""
        return tuple(p for learner in self.learners for p in learner.parameters)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for learner in self.learners:
            learner.zero_grad()

    def step(self, n_samples: int | None = None, sweep_end: bool = False) -> bool:
        """A step of each learner one of whose parameters has a gradient; see ``Learner.step``."""
        ready = [learner for learner in self.learners if any(p.grad is not None for p in learner.parameters)]
        if not ready:
            raise GradError("Learners.step: no parameter has a gradient; call backward() of the loss before step().")
        return any([learner.step(n_samples, sweep_end) for learner in ready])

    def _share(self, gradients: dict[Tensor, Tensor], n: int, sweep_end: bool, are_means: bool) -> bool:
        """Hand each learner the gradients of its own parameters."""
        shares = [{p: gradients[p] for p in learner.parameters} for learner in self.learners]
        return any(
            [
                learner._learn(share, n, sweep_end, are_means)
                for learner, share in zip(self.learners, shares, strict=True)
            ]
        )

    def update(self, gradients: Mapping[Tensor, Any], n_samples: int, sweep_end: bool = False) -> bool:
        """An update of each learner by the gradients of its own parameters; see ``Learner.update``."""
        if not isinstance(gradients, Mapping):
            raise DtypeError(f"Learners.update: {{parameter: gradient}} was expected, but {show(gradients)} came.")
        known = {id(p) for p in self.parameters}
        if any(id(p) not in known for p in gradients):
            raise ShapeError(
                "Learners.update: there is a gradient of a parameter that belongs to no learner; leave it out."
            )
        given = {id(p): g for p, g in gradients.items()}
        shares = [{p: given[id(p)] for p in learner.parameters if id(p) in given} for learner in self.learners]
        return any(
            [learner.update(share, n_samples, sweep_end) for learner, share in zip(self.learners, shares, strict=True)]
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Of each learner, its names behind its number: "0.counts"."""
        return {
            f"{i}.{name}": value
            for i, learner in enumerate(self.learners)
            for name, value in learner.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where others were; see ``Learner.load_state_dict``."""
        for i, learner in enumerate(self.learners):
            learner.load_state_dict(
                {name.removeprefix(f"{i}."): v for name, v in state.items() if name.startswith(f"{i}.")}
            )

    def __repr__(self) -> str:
        return f"Learners([{', '.join(map(repr, self.learners))}])"


def clip_grad_value_(parameters: Iterable, clip_value: float) -> None:
    """Cut every element of the gradients to [−clip_value, clip_value], in place.

    >>> w = kernel.Parameter([1.0])
    >>> w.grad = kernel.tensor([5.0])
    >>> kernel.clip_grad_value_([w], 2)
    >>> w.grad
    tensor([2.])
    """
    name = "clip_grad_value_"
    limit = as_schedule(name, "clip_value", clip_value).now(Counts())
    with no_grad():
        for parameter in _named(name, parameters).values():
            if parameter.grad is not None:
                parameter.grad.copy_(parameter.grad.clip(-limit, limit))


def clip_grad_norm_(parameters: Iterable, max_norm: float) -> float:
    """Scale the gradients, in place, so that the norm of all of them is at most ``max_norm``; returns what it was.

    Source: Pascanu and others 2013, arXiv:1211.5063.

    >>> w = kernel.Parameter([1.0, 1.0])
    >>> w.grad = kernel.tensor([3.0, 4.0])
    >>> kernel.clip_grad_norm_([w], 1.0), [round(x, 4) for x in w.grad.tolist()]
    (5.0, [0.6, 0.8])
    """
    name = "clip_grad_norm_"
    limit = as_schedule(name, "max_norm", max_norm).now(Counts())
    gradients = [p.grad for p in _named(name, parameters).values() if p.grad is not None]
    norm = math.sqrt(sum(float(_norm_squared(g)) for g in gradients))
    if not math.isfinite(norm):
        raise RangeError(f"{name}: the gradients hold {norm}; no factor makes them finite. Lower the learning rate.")
    if norm > limit:
        with no_grad():
            for g in gradients:
                g *= limit / norm
    return norm
