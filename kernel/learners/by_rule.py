"""Learners that apply a pure rule, and what can be done to a gradient before it and to a weight after it."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy

from ..creation import tensor
from ..errors import DtypeError, GradError, show
from ..functional import abs as absolute
from ..functional import maximum, minimum, sign
from ..op import DEFAULT_FLOAT, HALF, Kind
from ..schedules import (
    AT_LEAST_0,
    MOMENTUM,
    Constant,
    Counts,
    Schedule,
    as_schedule,
    effective_momentum,
    effective_rate,
    is_number,
    require_flag,
    require_one_of,
)
from ..tape import serials
from ..tensor import Tensor, _is_read_only, _wrap
from ..xp import Generator, default_generator, send
from .clipping import shrinking
from .learner import LR_TOLD, Learner, Whole, as_bytes, bare
from .rule import Program, Rule

CLIPS = ("value", "norm", "global norm")
KEPT = 64  # sizes of minibatches for which the numbers of an update are kept
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
    "inner_epsilon": "epsilon",
    "rate_decay": "rate decay",
    "momentum_decay": "momentum decay",
}
OPTIONS = ("l1", "noise", "clip", "clip_by", "generator", "maximize")  # of every learner
HOW = ("foreach", "fused", "capturable")  # options of PyTorch's that change no result
MEANT = {  # CNTK's names of options, and a slip
    "l1_regularization_weight": "l1",
    "gaussian_noise_injection_std_dev": "noise",
    "gradient_clipping_threshold_per_sample": "clip",
    "gradient_clipping_with_truncation": "clip_by",
    "learning_rate": "lr",
}


def require_known(name: str, options: Iterable[str], known: Iterable[str], meant: Mapping[str, str]) -> None:
    """Raise for an option that the learner does not have."""
    for option in options:
        if option in HOW:
            raise DtypeError(f"{name}: there is no option {option}; leave it out, it says how PyTorch computes.")
        if option not in known:
            told = f"beside its arguments there are {', '.join(known)}"
            told = f"it is called {meant[option]} here" if option in meant else told
            raise DtypeError(f"{name}: there is no option {option}; {told}.")


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
        name: what it is called in words; the class's name by default.
        said: what else is to be said of it in words.
    """

    DECAYS: ClassVar[tuple[str, ...]] = ("momentum", "variance")
    ARGUMENTS: ClassVar[dict[str, str]] = {"variance": "variance_momentum"}  # whose name is not the rule's
    UNSAID: ClassVar[tuple[str, ...]] = ("inner_epsilon", "epsilon_hat")
    UNSAID_IF_0: ClassVar[tuple[str, ...]] = ("dampening", "rate_decay")
    OPTION_WORDS: ClassVar[dict[str, str]] = {}
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
        said: Iterable[str] = (),
    ):
        super().__init__(parameters, rate, minibatch_size, name)
        require_flag(self._name, "maximize", maximize)
        self.rule, self.means, self._ones = rule, means, ones
        self._hyper: dict[str, Schedule] = {}
        for name, value in hyper.items():
            limits = LIMITS.get(name, AT_LEAST_0)
            schedule = as_schedule(self._name, self.ARGUMENTS.get(name, name), value, limits)
            self._hyper[name] = schedule.meant_for(minibatch_size if name in self.DECAYS else 0)
        self._begin = {**rule.state, **(begin or {})}
        options = {"l1": l1, "l2": l2, "decay": decay, "noise": noise}
        self._options = {
            name: as_schedule(self._name, self.ARGUMENTS.get(name, name), value) for name, value in options.items()
        }
        self._off = {name for name, value in options.items() if is_number(value) and value == 0}
        self._clip = None if clip is None else as_schedule(self._name, "clip", clip)
        require_one_of(self._name, "clip_by", clip_by, CLIPS)
        self._said = (*said, *(("uphill",) if maximize else ()))
        self._clip_by, self._sign = clip_by, -1.0 if maximize else 1.0
        if generator is not None and not isinstance(generator, Generator):
            raise DtypeError(f"{self._name}: generator should be a kernel.Generator, but {show(generator)} came.")
        if "noise" not in self._off and generator is None:  # one of its own, so that a state can bring it back
            generator = Generator(int(default_generator.host.integers(2**63)))
        self._generator = generator
        self._states: dict[Tensor, _State] = {}
        self._programs: dict[tuple, Program] = {}

    @property
    def lr(self) -> Any:
        """What PyTorch's users look for: there is none, and setting it would change nothing."""
        raise AttributeError(LR_TOLD)  # and so to __getattr__

    @lr.setter
    def lr(self, value: Any) -> None:
        raise AttributeError(f"{self._name}: {LR_TOLD}")

    # --- one update ---

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if self._lasting is None:
            self._settle()
        now = self._lasting.get((n, are_means)) or self._now(n or 1, are_means)
        hyper, options, spread, program, kept, values_at = now
        if hyper["rate"] == 0 and self.RESTS:
            self._count(n, sweep_end)  # or a rate that begins at 0 would never rise
            return False
        if self._is_steady:
            self._lasting[n, are_means] = now
        if self._asks_step:
            values_at = {}
        scales = self._scales(gradients, n or 1, options) if self._clip is not None else {}
        # What can go wrong does so before the first parameter has changed.
        for p in gradients:
            state = self._states.get(p)
            if state is None or state.kind is not p._kind:
                self._states[p] = self._state(p)
        for p, g in gradients.items():
            state, kind = self._states[p], p._kind
            state.step += 1
            key = (state.step, kind.scalar, *state.memory.values()) if self._asks_step else kind.scalar
            found = values_at.get(key)
            if found is None:
                found = values_at[key] = self._values(program, kind.scalar, state, hyper, options, kept)
            values, state.memory = found
            # A gradient that is the parameter itself, as some write a decay, must not change on the way.
            gradient = g._array if g._written is not p._written else g.clone()._array
            arrays = [p._array, gradient, *state.arrays]
            if spread:
                arrays.insert(2, self._noise(p, spread))
            program.run(kind, arrays, (scales[p], *values[1:]) if scales else values)
            p._written[0] = next(serials)
        self._count(n, sweep_end)
        return True

    def _settle(self) -> None:
        """Find out whether anything depends on how far training is; what does not is computed once."""
        schedules = (self._rate, *self._schedules().values())
        self._is_steady = all(isinstance(schedule, Constant) for schedule in schedules)
        off = {name for name, schedule in self._hyper.items() if schedule.limits == (0, 0)}
        steps_matter = not self.rule.steps_for or not off.issuperset(self.rule.steps_for)
        self._asks_step = ("step" in self.rule.asks and steps_matter) or bool(self.rule.memory)
        self._lasting = {}

    def _now(self, n: int, are_means: bool) -> tuple[dict, dict, float, Program, dict, dict]:
        """(hyperparameters, numbers of the options, spread of the noise, the program, {} for what ``_values`` keeps,
        {} for what it returns)."""
        counts = self.counts
        hyper = self._hyper_now(counts, n)
        options = self._options_now(counts, n, hyper["rate"], are_means)
        spread = options.pop("noise", 0)
        if len(self._lasting) >= KEPT:
            self._lasting.clear()
        return hyper, options, spread, self._program(tuple(options), spread > 0), {}, {}

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
        return shrinking(self._clip_by, gradients, options["scale"], self._clip.now(self.counts) * samples)

    def _values(
        self, program: Program, scalar: Kind, state: _State, hyper: dict, options: dict, kept: dict
    ) -> tuple[list, dict]:
        """(the numbers of the program, the next memory of the rule), for parameters of any shape.

        ``kept`` has, for each dtype on a device, what the next step needs again: what was derived from the
        hyperparameters, and each number with its array.
        """
        if scalar not in kept:
            kept[scalar] = self._derived(hyper, scalar.dtype), {}
        derived, arrays = kept[scalar]
        known = {**derived, **state.memory, "step": state.step}
        numbers = self.rule.numbers(**{name: known[name] for name in self.rule.asks}) | options
        values = [numbers[name] for name in program.numbers]
        if scalar.device.kind == "cpu":  # NumPy takes longer to convert a Python number than to use an array of one
            dtype = DEFAULT_FLOAT if scalar.dtype == HALF else scalar.dtype
            for k, value in enumerate(values):
                before, array = arrays.get(k, (None, None))
                if before != value:
                    array = numpy.array(value, dtype)
                    arrays[k] = value, array
                values[k] = array
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
            # A copy has scratch arrays of its own, since two learners may compute at the same time.
            program = self._programs[extra, noisy] = copy.copy(_program_of(self.rule, extra, noisy, self._ones))
        return program

    def _state(self, parameter: Tensor) -> _State:
        """What is kept for a parameter: on its device and in its dtype, also when it has moved."""
        state, kind = self._states.get(parameter), parameter._kind
        dtype = DEFAULT_FLOAT if kind.dtype == HALF else kind.dtype
        if _is_read_only(parameter):
            raise GradError(
                f"{self._name}: the memory of parameter {self._name_of(parameter)} cannot be written to; make it "
                "of a copy, .clone()."
            )
        if state is None:
            with kind.device.guard():
                begin, like = self._begin.values(), parameter._array
                arrays = [kind.device.xp.full_like(like, value, dtype=dtype) for value in begin]
            state = _State(0, dict(self.rule.memory), arrays, kind)
        elif state.kind is not kind:
            before = state.kind.device
            moved = [old if before is kind.device else send(old, before, kind.device) for old in state.arrays]
            with kind.device.guard():
                state.arrays = [old.astype(dtype) for old in moved]
            state.kind = kind
        return state

    def _noise(self, parameter: Tensor, spread: float) -> Any:
        drawn = self._generator.host.standard_normal(parameter.shape) * spread
        return parameter.device.from_host(numpy.asarray(drawn, parameter.dtype))

    def _schedules(self) -> dict[str, Schedule]:
        """All of them, save the rate's."""
        return self._hyper | self._options | ({"clip": self._clip} if self._clip is not None else {})

    def _needs_samples(self) -> Iterator[str]:
        yield from super()._needs_samples()
        for name, schedule in self._schedules().items():
            if schedule.counts_samples:
                yield f"the {WORDS.get(name, name)} ({schedule!r})"
        if "samples" in self.rule.asks:
            yield "its rule"

    # --- state ---

    def state_dict(self) -> dict[str, Tensor]:
        state = super().state_dict()
        for name, parameter in self._named.items():
            kept = self._states.get(parameter)
            state[f"{name}.step"] = tensor(kept.step if kept else 0)
            if kept is not None and kept.step:
                state |= {f"{name}.{key}": tensor(value, dtype="float64") for key, value in kept.memory.items()}
                for key, array in zip(self.rule.state, kept.arrays, strict=True):
                    state[f"{name}.{key}"] = _wrap(array, kept.kind.device).clone()
        state |= self._memories(self._schedules())
        if "noise" not in self._off:
            state["generator"] = as_bytes(json.dumps(self._generator.host.bit_generator.state))
        return state

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        wanted, take_counts = super()._loading(state)
        wanted |= {name: memory.shape for name, memory in self._memories(self._schedules()).items()}
        if "noise" not in self._off:
            wanted["generator"] = None
            drawn = self._read(state, "generator", _generator_state)
        wanted |= {f"{name}.step": Whole() for name in self._named}
        # A parameter that has made no step has nothing to remember.
        present = {name: p for name, p in self._named.items() if not _is_zero(state.get(f"{name}.step", 0))}
        for name, parameter in present.items():
            wanted |= {f"{name}.{key}": () for key in self.rule.memory}
            wanted |= {f"{name}.{key}": tuple(parameter.shape) for key in self.rule.state}

        def take() -> None:
            states, self._states = self._states, {}
            try:
                made = {parameter: self._state(parameter) for parameter in present.values()}
            except GradError:
                self._states = states
                raise
            take_counts()
            self._remember(self._schedules(), state)
            self._states = made
            for name, parameter in present.items():
                kept = made[parameter]
                kept.step = int(state[f"{name}.step"].item())
                kept.memory = {key: state[f"{name}.{key}"].item() for key in self.rule.memory}
                with parameter.device.guard():
                    for key, array in zip(self.rule.state, kept.arrays, strict=True):
                        array[...] = state[f"{name}.{key}"].detach().to(parameter.device)._array
            if "generator" in wanted:
                self._generator.host.bit_generator.state = drawn

        return wanted, take

    def _is_said(self, name: str, schedule: Schedule) -> bool:
        is_0 = isinstance(schedule, Constant) and schedule.value == 0
        return name not in self.UNSAID and not (is_0 and name in self.UNSAID_IF_0)

    def _words(self) -> str:
        known = {WORDS.get(name, name): s for name, s in self._hyper.items() if self._is_said(name, s)}
        known |= {self.OPTION_WORDS.get(name, name): s for name, s in self._options.items() if name not in self._off}
        if self._clip is not None:
            known[f"clip by {self._clip_by}"] = self._clip
        said = "".join(f"{name} {bare(schedule)}, " for name, schedule in known.items())
        said += "".join(f"{what}, " for what in self._said)
        rate, count = super()._words().rsplit(", ", 1)
        return f"{rate}, {said}{count}"


def _is_zero(step: Any) -> bool:
    return isinstance(step, Tensor) and not step.ndim and step.item() == 0


def _generator_state(text: str) -> Any:
    """The state of a generator that a text holds; an error if it holds none."""
    state = json.loads(text)
    Generator(0).host.bit_generator.state = state
    return state


class _State:
    """What is kept for one parameter: how many steps it has made, the rule's numbers, the rule's arrays."""

    __slots__ = ("arrays", "kind", "memory", "step")

    def __init__(self, step: int, memory: dict[str, float], arrays: list, kind: Any):
        self.step, self.memory, self.arrays, self.kind = step, memory, arrays, kind


def _parameters_of(function: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


@functools.lru_cache(256)
def _program_of(rule: type[Rule], extra: tuple[str, ...], noisy: bool, ones: tuple[str, ...]) -> Program:
    """A rule with those options around it whose numbers are named, as a program; made once for all learners."""
    kept = tuple(rule.state)
    numbers = [name for name in _parameters_of(rule.update) if name not in ("w", "g", *kept)]
    arrays = ("w", "g", *(("noise",) if noisy else ()), *kept)
    return Program(_with_options(rule), arrays, ("w", *kept), (*extra, *numbers), ones)


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
