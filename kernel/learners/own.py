"""Learners of one's own as classes: what Python can do, an update may do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy

from ..creation import tensor
from ..errors import DtypeError, GradError, show
from ..parameter import Parameter
from ..schedules import Counts, Schedule, require_flag
from ..tape import no_grad
from ..tensor import Tensor
from .learner import Learner

OF_EVERY_STATE = ("rate", "since")  # names that a state has for something else
NUMBERS = bool | int | float | numpy.generic


class UserLearner(Learner):
    """A learner whose update is written in Python: derive from it, and define ``update``.

    ``update(self, gradients, n_samples, sweep_end)`` gets {parameter: gradient}, sums over the samples, and changes the
    parameters as it likes. It returns True if it did and False if it left everything as it was; what it did is counted
    by itself. Checks of what comes in are done before.

    What it keeps from update to update are its attributes: numbers, arrays and tensors, and lists of them or dicts by
    parameter. ``state_dict`` holds them, and ``load_state_dict`` brings them back; other attributes are left alone, and
    so are those whose name begins with an underscore.

    Args:
        parameters: the parameters of a model.
        lr_schedule: the learning rate, a number or a schedule: ``self.learning_rate()`` is its value now.
        as_numpy: whether gradients come as NumPy arrays; otherwise as tensors on the parameter's device.

    ``step()`` hands over ``grad`` as it is, ``step(n)`` n times that.

    >>> class Descent(kernel.UserLearner):
    ...     def update(self, gradients, n_samples, sweep_end):
    ...         for p, g in gradients.items():
    ...             p.value = p.value - self.learning_rate() / n_samples * g
    ...         return True
    >>> w = kernel.Parameter([0.0])
    >>> learner = Descent([w], kernel.learning_rate_schedule(1, "minibatch"))
    >>> kernel.inspect_update(learner, minibatch_size=64, count=10)
    [array([-0.15625], dtype=float32)]
    """

    def __init_subclass__(cls) -> None:
        own = vars(cls).get("update")
        if own is None:
            return
        try:
            inspect.signature(own).bind("self", "gradients", "n_samples", "sweep_end")
        except TypeError:
            takes = inspect.signature(own) if callable(own) else show(own)
            raise DtypeError(
                f"{cls.__name__}.update should take (self, gradients, n_samples, sweep_end), but is {takes}."
            ) from None
        cls.update = _checked(own)

    def __init__(self, parameters: Iterable, lr_schedule: Any = 1, as_numpy: bool = True):
        super().__init__(parameters, lr_schedule)
        require_flag(self._name, "as_numpy", as_numpy)
        self._as_numpy, self._inside = as_numpy, False

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(Learner, name) or (name == "_rate" and not isinstance(value, Schedule)):
            raise AttributeError(
                f"{type(self).__name__}: every learner has {name}, which cannot be set; call yours something else."
            )
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if "_named" not in vars(self) and not name.startswith("__"):
            raise DtypeError(
                f"{type(self).__name__}: __init__ should begin with super().__init__(parameters, lr_schedule)."
            )
        return super().__getattr__(name)

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if type(self).update is Learner.update:
            raise DtypeError(f"{self._name}: a class derived from UserLearner must define update.")
        if self._inside:
            raise GradError(
                f"{self._name}.update: it calls itself by step() or super().update(); it has to change the parameters, "
                "as p.value = …."
            )
        given: dict[Tensor, Any] = {}
        for p, g in gradients.items():
            g = g.detach() * n if are_means and n else g.detach().clone()
            given[p] = g.cpu().numpy() if self._as_numpy else g
        self._inside = True
        try:
            with no_grad():
                done = self.update(given, int(n or 1), bool(sweep_end))
        finally:
            self._inside = False
        if not isinstance(done, bool | numpy.bool):
            raise DtypeError(
                f"{self._name}.update should return True, or False if it changed nothing, but returned {show(done)}."
            )
        if done:
            self._count(n, sweep_end)
        return bool(done)

    # --- state ---

    def _places(self) -> Iterator[tuple[str, Any, Any]]:
        """(name in a state, the dict or list where it stands, its key there) of what may be kept."""
        for attribute, value in vars(self).items():
            if attribute in Counts._fields or attribute.startswith("_"):
                continue
            if attribute in OF_EVERY_STATE and not isinstance(value, list | dict):
                yield f"self.{attribute}", vars(self), attribute
            elif isinstance(value, list):
                yield from ((f"{attribute}.{i}", value, i) for i in range(len(value)))
            elif isinstance(value, dict):
                yield from ((f"{name}.{attribute}", value, p) for name, p in self._named.items())
            else:
                yield attribute, vars(self), attribute

    def state_dict(self) -> dict[str, Tensor]:
        kept = {name: _entry(holder, key) for name, holder, key in self._places()}
        return super().state_dict() | {name: _saved(value) for name, value in kept.items() if _can_be_saved(value)}

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        wanted, take_counts = super()._loading(state)
        comes, goes = [], []
        for name, holder, key in self._places():
            now = _entry(holder, key)
            # A dict by parameter may be filled by the first update only.
            may_be_absent = isinstance(key, Tensor)
            if may_be_absent and now is None and name in state:
                wanted[name] = None
                comes.append((name, holder, key, None))
            elif may_be_absent and name not in state:
                goes += [(holder, key)] if _can_be_saved(now) else []
            elif _can_be_saved(now):
                wanted[name] = () if isinstance(now, NUMBERS) else tuple(now.shape)
                comes.append((name, holder, key, now))

        def take() -> None:
            take_counts()
            for holder, key in goes:
                del holder[key]
            for name, holder, key, now in comes:
                holder[key] = self._restored(state[name], now, key)

        return wanted, take

    def _restored(self, saved: Tensor, like: Any, key: Any) -> Any:
        """A value of a state as what it was: a number, an array or a tensor."""
        if isinstance(like, NUMBERS) or (like is None and not saved.ndim):
            return saved.item()
        if isinstance(like, Tensor) or (like is None and not self._as_numpy):
            return saved.detach().to((key if like is None else like).device).clone()
        return saved.detach().cpu().numpy().copy()


def _entry(holder: dict | list, key: Any) -> Any:
    return holder[key] if isinstance(holder, list) else holder.get(key)


def _can_be_saved(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not (isinstance(value, Parameter) or value.requires_grad)
    return isinstance(value, NUMBERS) or (isinstance(value, numpy.ndarray) and value.dtype.kind in "biuf")


def _saved(value: Any) -> Tensor:
    made = tensor(value, dtype="float64") if isinstance(value, float) else tensor(value)
    return made.detach().clone()


def _checked(own: Callable) -> Callable:
    """The ``update`` of a class, behind the checks and the counting of every learner."""

    @functools.wraps(own)
    def update(self: UserLearner, gradients: Mapping, n_samples: int, sweep_end: bool = False) -> bool:
        if self._inside:  # called by itself, or by the update of a class derived from it
            return own(self, gradients, n_samples, sweep_end)
        return Learner.update(self, gradients, n_samples, sweep_end)

    return update
