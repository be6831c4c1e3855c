"""What every learner has: parameters, a learning rate, counts, checks, and a state that can be saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy

from ..creation import tensor
from ..errors import DeviceError, DtypeError, GradError, RangeError, ShapeError, UnknownSizeError, show
from ..functional import zeros_like
from ..module import Module
from ..op import is_float, spell
from ..parameter import Waiting
from ..schedules import Counts, Schedule, as_schedule, is_number, parse
from ..tensor import Tensor

# What users of PyTorch look for.
GROUPS = ("param_groups", "add_param_group")
GROUPS_TOLD = (
    "reset_learning_rate(…) gives another rate, and a learner for each group of parameters, put together by "
    "kernel.learners.Learners([a, b]), gives each its options."
)
LR_TOLD = "learning_rate() says the rate, and reset_learning_rate(…) gives another."


class Learner:
    """What has parameters and changes them: the part that every learner has.

    ``step()`` changes them by their ``grad``, after ``backward()`` of a mean loss; ``update({parameter: gradient}, n)``
    by gradients that are sums over n samples. ``zero_grad()`` forgets the gradients, ``learning_rate()`` says what the
    schedule says now, ``reset_learning_rate(schedule)`` begins another. ``samples``, ``minibatches`` and ``sweeps``
    count what was seen. ``state_dict()`` is all that it remembers.
    """

    def __init__(self, parameters: Iterable, rate: Any, minibatch_size: int = 0, name: str | None = None):
        self._name = name or type(self).__name__
        self._named = named_parameters(self._name, parameters)
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

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of its parameters; or, as PyTorch has it too, set them to 0."""
        for parameter in self._named.values():
            parameter.grad = None if set_to_none or parameter.grad is None else zeros_like(parameter.grad).detach()

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
        gradients = self._from_backward(n_samples)
        if not gradients:
            raise GradError(
                f"{self._name}.step: no parameter has a gradient; call backward() of the loss before step()."
            )
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
        found = self._from_caller(gradients, n_samples)
        return found is not None and self._learn(found, n_samples, sweep_end, False)

    def _from_backward(self, n_samples: int | None) -> dict[Tensor, Tensor]:
        """``grad`` of each parameter that has one, checked."""
        gradients = {}
        for p in self._named.values():
            g = p.grad
            if g is not None:
                if getattr(g, "_kind", None) is not p._kind:
                    self._check("step: grad", p, g)
                gradients[p] = g
        if n_samples is not None:
            self._require_samples("step", n_samples)
        elif gradients:
            self._require_no_count()
        return gradients

    def _from_caller(self, gradients: Mapping[Tensor, Any], n_samples: int) -> dict[Tensor, Tensor] | None:
        """What came to ``update``, checked; None where there is nothing to do."""
        if not isinstance(gradients, Mapping):
            raise DtypeError(f"{self._name}.update: {{parameter: gradient}} was expected, but {show(gradients)} came.")
        given = {id(p): g for p, g in gradients.items()}
        missing = [name for name, p in self._named.items() if id(p) not in given]
        if missing or len(given) > len(self._named):
            what = f"none came for {', '.join(missing)}" if missing else "some belong to no parameter"
            raise ShapeError(
                f"{self._name}.update: a gradient for each of its {len(self._named)} parameters was expected, but "
                f"{what}; kernel.learners.Learners hands each of several learners the gradients of its own."
            )
        if is_number(n_samples) and n_samples == 0 and self.learning_rate() == 0:
            return None
        self._require_samples("update", n_samples)
        return {p: self._as_gradient(p, given[id(p)]) for p in self._named.values()}

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        """Change the parameters, and count."""
        raise NotImplementedError

    def _count(self, n: int | None, sweep_end: bool) -> None:
        self.minibatches += 1
        if n:
            self.samples += int(n)  # 2.0 samples are two
        if sweep_end:
            self.sweeps += 1

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
        if type(n) is int and n > 0:  # every update comes by here
            return
        if callable(n):
            raise DtypeError(f"{self._name}.{method}: it takes no closure; call backward() of the loss before it.")
        if not is_number(n) or (isinstance(n, float | numpy.floating) and not n.is_integer()):
            raise DtypeError(f"{self._name}.{method}: n_samples should be a whole number, but {show(n)} came.")
        if n < 1:
            raise RangeError(f"{self._name}.{method}: n_samples should be 1 or more, but {show(n)} came.")

    def __getattr__(self, name: str) -> Any:
        called = vars(self).get("_name", type(self).__name__)
        if name in GROUPS:
            raise AttributeError(f"{called}: there is no {name}; {GROUPS_TOLD}")
        if name == "lr":
            raise AttributeError(f"{called}: {LR_TOLD}")
        raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}.")

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
        ['counts', 'since', 'rate', '0.step']
        """
        state = {
            "counts": tensor(list(self.counts)),
            "since": tensor(list(self._since)),
            "rate": as_bytes(self._rate.code),
        }
        return state | self._memories({"rate": self._rate})

    @staticmethod
    def _memories(schedules: Mapping[str, Schedule]) -> dict[str, Tensor]:
        """What those schedules remember that have a memory."""
        return {
            f"{name}.memory": tensor(list(schedule.memory.values()), dtype="float64")
            for name, schedule in schedules.items()
            if schedule.memory
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another learner with the same parameters and options was.

        Raises ShapeError, which lists what is missing, not expected or of another shape; nothing is changed then.
        """
        self._checked_state(state)()

    def _checked_state(self, state: Mapping[str, Any]) -> Callable[[], None]:
        """What takes over the state, once it is found to fit."""
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
            elif name in state and isinstance(like, Whole) and not is_whole(state[name]):
                faults.append(f"{name} should be whole numbers, 0 or more, but is {show(state[name])}")
        if faults:
            raise ShapeError(
                f"{self._name}.load_state_dict: the state does not fit this learner, and nothing was loaded: "
                f"{'; '.join(sorted(faults))}."
            )
        return take

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        """({name: shape} of what a state must hold; None for any shape, what takes it over once that is so)."""
        wanted: dict[str, tuple | None] = {"counts": Whole((3,)), "since": Whole((3,)), "rate": None}
        rate = self._read(
            state, "rate", lambda code: self._rate if code == self._rate.code else self._as_rate(parse(code))
        )
        rate = self._rate if rate is None else rate
        wanted |= {name: memory.shape for name, memory in self._memories({"rate": rate}).items()}

        def take() -> None:
            self.samples, self.minibatches, self.sweeps = state["counts"].tolist()
            self._rate, self._since, self._lasting = rate, Counts(*state["since"].tolist()), None
            self._remember({"rate": rate}, state)

        return wanted, take

    def _read(self, state: Mapping[str, Any], name: str, reader: Callable[[str], Any]) -> Any:
        """What ``reader`` makes of the text in a state; None if there is none."""
        if not isinstance(state.get(name), Tensor):
            return None
        try:
            if state[name].dtype != "uint8":
                raise ValueError(f"it should be bytes, but is {state[name].dtype}")
            return reader(bytes(state[name].cpu().numpy()).decode())
        except (ValueError, TypeError, KeyError) as error:
            raise ShapeError(
                f"{self._name}.load_state_dict: {name} cannot be read, and nothing was loaded "
                f"({str(error).rstrip('.')})."
            ) from None

    @staticmethod
    def _remember(schedules: Mapping[str, Schedule], state: Mapping[str, Tensor]) -> None:
        for name, schedule in schedules.items():
            if schedule.memory:
                schedule.memory.update(zip(schedule.memory, state[f"{name}.memory"].tolist(), strict=True))

    def __repr__(self) -> str:
        return f"{self._name}({self._words()})"

    def _words(self) -> str:
        return f"rate {bare(self._rate)}, {len(self._named)} parameter{'s' if len(self._named) > 1 else ''}"


def bare(schedule: Schedule) -> str:
    return repr(schedule).removeprefix("<").removesuffix(">").removesuffix("; per minibatch")


def named_parameters(name: str, parameters: Any) -> dict[str, Tensor]:
    """{name: parameter} of what a learner was given; those without a name are called by their place."""
    if isinstance(parameters, Tensor | Module) or not isinstance(parameters, Iterable):
        hint = ", in a list or from model.parameters()"
        if callable(parameters) and not isinstance(parameters, Module):
            hint = "; call it, as model.parameters()"
        raise DtypeError(f"{name}: parameters should be several tensors{hint}, but {show(parameters)} came.")
    named: dict[str, Tensor] = {}
    seen: set[int] = set()
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
        if id(parameter) in seen:
            first = next(other for other, p in named.items() if p is parameter)
            raise RangeError(f"{name}: parameter {key} stands there twice, as {first} too; name it once.")
        if key in named:
            raise RangeError(f"{name}: two parameters are called {key}; names should differ.")
        named[key] = parameter
        seen.add(id(parameter))
    if not named:
        raise RangeError(f"{name}: parameters is empty; give those of a model, as model.parameters().")
    return named


class Whole(tuple):
    """The shape of what a state counts: whole numbers, 0 or more."""


def is_whole(value: Tensor) -> bool:
    """Whether it holds what has been counted."""
    return value.dtype.kind in "iu" and bool((value.cpu().numpy() >= 0).all())


def as_bytes(text: str) -> Tensor:
    """A text as a tensor of bytes, which a file of weights can hold."""
    return tensor(numpy.frombuffer(text.encode(), "uint8"))


LEARNERS_OWN = ("learning_rate", "reset_learning_rate", "samples", "minibatches", "sweeps", "counts", "rule")


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

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; see ``Learner.zero_grad``."""
        for learner in self.learners:
            learner.zero_grad(set_to_none)

    def step(self, n_samples: int | None = None, sweep_end: bool = False) -> bool:
        """A step of each learner one of whose parameters has a gradient; see ``Learner.step``."""
        found = [learner._from_backward(n_samples) for learner in self.learners]
        if not any(found):
            raise GradError("Learners.step: no parameter has a gradient; call backward() of the loss before step().")
        return self._learn([gradients or None for gradients in found], n_samples, sweep_end, True)

    def _learn(self, found: list[dict | None], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        """An update of each learner for which there is one; everything has been checked, so that none is left out."""
        learns = [
            learner._learn(gradients, n, sweep_end, are_means)
            for learner, gradients in zip(self.learners, found, strict=True)
            if gradients is not None
        ]
        return any(learns)

    def _share(self, gradients: dict[Tensor, Tensor], n: int, sweep_end: bool, are_means: bool) -> bool:
        """Hand each learner the gradients of its own parameters."""
        shares = [{p: gradients[p] for p in learner.parameters} for learner in self.learners]
        return self._learn(shares, n, sweep_end, are_means)

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
        found = [learner._from_caller(share, n_samples) for learner, share in zip(self.learners, shares, strict=True)]
        return self._learn(found, n_samples, sweep_end, False)

    def state_dict(self) -> dict[str, Tensor]:
        """Of each learner, its names behind its number: "0.counts"."""
        return {
            f"{i}.{name}": value
            for i, learner in enumerate(self.learners)
            for name, value in learner.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where others were; see ``Learner.load_state_dict``."""
        if not isinstance(state, Mapping):
            raise DtypeError(f"Learners.load_state_dict: {{name: tensor}} was expected, but {show(state)} came.")
        shares: list[dict[str, Any]] = [{} for _ in self.learners]
        for name, value in state.items():
            number, _, rest = str(name).partition(".")
            if not (number.isdecimal() and int(number) < len(shares)):
                raise ShapeError(
                    f"Learners.load_state_dict: {show(name)} was not expected: a name begins with the number of one of "
                    f"the {len(shares)} learners; nothing was loaded."
                )
            shares[int(number)][rest] = value
        takes = [learner._checked_state(share) for learner, share in zip(self.learners, shares, strict=True)]
        for take in takes:
            take()

    def __getattr__(self, name: str) -> Any:
        if name in GROUPS:
            raise AttributeError(f"Learners: there is no {name}; {GROUPS_TOLD}")
        if name in LEARNERS_OWN:
            raise AttributeError(
                f"Learners: each learner has {name} of its own; ask one of them, as in learners.learners[0].{name}."
            )
        raise AttributeError(f"a Learners has no attribute {name!r}.")

    def __repr__(self) -> str:
        return f"Learners([{', '.join(map(repr, self.learners))}])"
