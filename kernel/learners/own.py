"""Learners of one's own: as an expression of kernel functions, or as a class in Python.

``universal`` takes a function that says, in symbols, what is to be assigned to what. ``UserLearner`` is a class to
derive from, with an ``update`` in any Python.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy

from ..creation import full, tensor
from ..errors import DtypeError, GradError, RangeError, ShapeError, UnknownSizeError, show
from ..function import Function
from ..graph import evaluate
from ..op import DEFAULT_FLOAT, ArrayType, Op, promote, spell, unify
from ..parameter import Parameter, Waiting
from ..schedules import Counts, effective_rate, is_number
from ..symbol import Entry, Node, Symbol, node_of, topological, variable
from ..tape import no_grad
from ..tensor import Tensor
from .learner import Learner

NUMBERS = bool | int | float | numpy.generic

_made: ContextVar[list | None] = ContextVar("_made", default=None)  # assignments of the update that is being built


class _assignment(Op, register=False):
    """The value that a tensor is to get at the end of an update."""

    name = "assign"
    arguments = ("target", "value")
    vjp = (None, None)

    def infer(target: ArrayType, value: ArrayType):
        dtype = promote(target.dtype, value.dtype)
        if dtype != target.dtype:
            raise DtypeError(f"argument value is {dtype}, but the target is {target.dtype}; convert the value.")
        shape = unify("argument value", value.shape, target.shape, "the target has it") if value.shape else target.shape
        return (target, ArrayType(value.shape and shape, dtype)), (ArrayType(shape, dtype),)

    def forward(xp, target, value, out=None):
        result = xp.empty_like(target) if out is None else out
        result[...] = value
        return result


def assign(target: Symbol, value: Any) -> Any:
    """Say what ``target`` is to get: a step of an update, which ``universal`` carries out.

    Args:
        target: a parameter as ``universal`` hands it over, or a ``constant``, which then is none any more.
        value: an expression of its shape, or a number.

    Returns the value as an expression, to go on computing with.
    """
    if isinstance(target, Tensor):
        raise DtypeError(
            "assign: target is a tensor, and what is computed of it alone is computed at once, not at every update; "
            "take the parameters as the function gets them, and kernel.constant(…) for what is kept."
        )
    node = target._single("assign: target").node if isinstance(target, Symbol) else None
    if node is None or node.op is not None or node.value is None:
        raise DtypeError(f"assign: target should be a parameter or a constant, but {show(target)} came.")
    result = Symbol._apply(_assignment, (target, value), {})
    made = _made.get()
    if made is not None:
        made.append(result._entries[0].node)
    return result


def constant(value: Any, shape: tuple | None = None, dtype: Any = None, device: Any = "cpu") -> Function:
    """A tensor as a node of a graph: a number everywhere in ``shape``, or the values of an array.

    What an update of one's own keeps from step to step begins so: what is computed of a constant belongs to the graph,
    while what is computed of a tensor alone is a tensor.

    >>> squares = kernel.constant(1e-6, shape=(2,))
    >>> squares.shape, squares + 1
    ((2,), Add() -> Tensor[2])
    """
    if is_number(value):
        made = full(shape or (), value, dtype=dtype or DEFAULT_FLOAT, device=device)
    else:
        made = tensor(value, dtype=dtype).to(device).detach().clone()
        if shape is not None and made.shape != tuple(shape):
            raise ShapeError(f"constant: value has shape {spell(made.shape)}, but shape says {spell(tuple(shape))}.")
    return Function._of_tensor(made)


def _symbol(node: Node) -> Symbol:
    return Function._of([Entry(node, 0)])


class Universal(Learner):
    """A learner whose update is an expression; ``universal`` makes it."""

    def __init__(self, update: Callable, parameters: Iterable, lr: Any = None):
        if not callable(update):
            raise DtypeError(f"universal: a function of (parameters, gradients) was expected, but {show(update)} came.")
        self._update, self._takes_rate = update, _takes_rate(update)
        if lr is not None and not self._takes_rate:
            raise RangeError(
                "universal: a learning rate came, but the function does not ask for it; give it a third argument, as "
                "(parameters, gradients, rate)."
            )
        super().__init__(parameters, 1 if lr is None else lr, name="universal")
        self._gradients: list[Node] = []
        self._rate_node: Node | None = None
        self._targets: list[tuple[Tensor, Entry]] | None = None

    def _build(self) -> list[tuple[Tensor, Entry]]:
        """[(tensor, what it is to get)], from calling the function on symbols, once."""
        owned = list(self._named.values())
        waiting = [name for name, p in self._named.items() if isinstance(p, Waiting)]
        if waiting:
            raise UnknownSizeError(
                f"universal: the parameters {', '.join(waiting)} have no size yet; call the model on data once."
            )
        self._gradients = [variable(f"gradient_{name}", p.shape, p.dtype) for name, p in self._named.items()]
        self._rate_node = variable("rate", (), owned[0].dtype)
        symbols = [[_symbol(node) for node in nodes] for nodes in (map(node_of, owned), self._gradients)]
        token = _made.set([])
        try:
            made = self._update(*symbols, *([_symbol(self._rate_node)] if self._takes_rate else []))
            assignments = _made.get()
        finally:
            _made.reset(token)
        outputs = made if isinstance(made, list | tuple) else [made]
        if not all(isinstance(output, Symbol) for output in outputs):
            raise DtypeError(
                "universal: the function should return assignments, made by kernel.assign and put together by "
                f"kernel.combine or in a list, but {show(made)} came."
            )
        nodes = topological(entry.node for output in outputs for entry in output._entries)
        targets = [(node.inputs[0].node.value, Entry(node, 0)) for node in nodes if node.op is _assignment]
        for i, (target, _) in enumerate(targets):
            if any(target is other for other, _ in targets[:i]):
                raise RangeError(
                    "universal: a tensor is assigned to twice, but an update gives each one new value; does one "
                    "constant serve two parameters? Make one for each of them."
                )
        for name, p in self._named.items():
            if not any(p is target for target, _ in targets):
                raise RangeError(
                    f"universal: the function assigns nothing to parameter {name}; use kernel.assign(p, …)."
                )
        reached = set(nodes)
        for node in assignments:
            if node not in reached:
                raise RangeError(
                    f"universal: an assignment to a tensor of shape {spell(node.inputs[0].node.value.shape)} is "
                    "neither returned nor computed with, so it would never be made; return it too."
                )
        return targets

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if self._targets is None:
            self._targets = self._build()
        device = next(iter(gradients)).device
        for kept in self._kept().values():  # what it keeps follows the parameters
            if kept.device is not device:
                moved = kept.to(device)
                kept._array, kept._kind, kept._written = moved._array, moved._kind, moved._written
        absent = [name for name, p in self._named.items() if p not in gradients]
        if absent:
            raise GradError(f"universal: the expression needs all gradients, but {', '.join(absent)} has none.")
        factor = n if are_means and n else 1
        given: dict[Node, Any] = {
            node: gradients[p].detach() * factor if factor != 1 else gradients[p].detach()
            for node, p in zip(self._gradients, self._named.values(), strict=True)
        }
        rate = effective_rate(self._rate.now(self.counts - self._since), self._rate.minibatch_size, n or 1)
        given[self._rate_node] = full((), rate, dtype=self._rate_node.declared[1], device=device)
        with no_grad():
            values = evaluate([entry for _, entry in self._targets], given)
            for (target, _), value in zip(self._targets, values, strict=True):
                target.copy_(value)
        self._count(n, sweep_end)
        return True

    def _kept(self) -> dict[str, Tensor]:
        """What the expression keeps beside the parameters."""
        if self._targets is None:
            self._targets = self._build()
        kept = [t for t, _ in self._targets if not any(t is p for p in self._named.values())]
        return {f"kept.{i}": t for i, t in enumerate(kept)}

    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() | {name: t.detach().clone() for name, t in self._kept().items()}

    def _loading(self, state: Mapping[str, Any]) -> tuple[dict[str, tuple | None], Callable[[], None]]:
        wanted, take_counts = super()._loading(state)
        kept = self._kept()

        def take() -> None:
            take_counts()
            with no_grad():
                for name, t in kept.items():
                    t.copy_(state[name])

        return wanted | {name: tuple(t.shape) for name, t in kept.items()}, take


def _takes_rate(update: Callable) -> bool:
    """Whether a function asks for the rate, beside parameters and gradients."""
    signature = inspect.signature(update)
    for arguments in ((None, None, None), (None, None)):
        try:
            given = signature.bind(*arguments).arguments
        except TypeError:
            continue
        # An argument with a default, or a * for the rest, takes a rate without asking for it.
        third = list(signature.parameters.values())[2:3]
        return len(given) == 3 and third[0].default is third[0].empty
    raise DtypeError(
        f"universal: the function should take (parameters, gradients), or (parameters, gradients, rate), but takes "
        f"{signature}."
    )


def universal(update_function: Callable, parameters: Iterable, lr: Any = None) -> Universal:
    """A learner from an expression.

    Args:
        update_function: (parameters, gradients) → assignments. Both are lists of symbols; it is called once, and what
            it builds is carried out at every update. Wherever a tensor stands in it, its value before the update is
            meant; all assignments are made together, at the end. With a third argument it gets the learning rate.
        parameters: the parameters of a model.
        lr: for a function that takes the rate: a number or a schedule; 1 by default.

    In ``update`` the gradients are sums over the samples; ``step()`` hands over ``grad`` as it is, ``step(n)`` n times
    that.

    >>> def rmsprop(parameters, gradients):
    ...     squares = [kernel.constant(1e-6, p.shape, p.dtype) for p in parameters]
    ...     steps = []
    ...     for p, g, s in zip(parameters, gradients, squares):
    ...         s = kernel.assign(s, 0.999 * s + 0.001 * g * g)
    ...         steps.append(kernel.assign(p, p - 0.01 * g / kernel.sqrt(s)))
    ...     return kernel.combine(steps)
    >>> w = kernel.Parameter([0.0])
    >>> kernel.inspect_update(kernel.universal(rmsprop, [w]), minibatch_size=10, count=2)[0].round(4)
    array([-0.5397], dtype=float32)
    """
    return Universal(update_function, parameters, lr)


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
        self._as_numpy, self._inside = as_numpy, False

    def __getattr__(self, name: str) -> Any:
        if "_named" not in vars(self) and not name.startswith("__"):
            raise DtypeError(
                f"{type(self).__name__}: __init__ should begin with super().__init__(parameters, lr_schedule)."
            )
        raise AttributeError(f"a {type(self).__name__} has no attribute {name!r}.")

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if type(self).update is Learner.update:
            raise DtypeError(f"{self._name}: a class derived from UserLearner must define update.")
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
            if isinstance(value, list):
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
