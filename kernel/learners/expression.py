"""Learners of one's own as expressions: a function says, in symbols, what is to be assigned to what.

Where all that an assignment reads is elementwise and of one shape, it becomes a program, as the rules of ``rules.py``
do; what is not is computed operation by operation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from ..creation import full, tensor
from ..errors import DtypeError, GradError, RangeError, ShapeError, UnknownSizeError, show
from ..function import Function
from ..graph import evaluate
from ..op import DEFAULT_FLOAT, ArrayType, Op, promote, spell, unify
from ..ops import elementwise
from ..parameter import Parameter, Waiting
from ..schedules import effective_rate, is_number
from ..symbol import Entry, Node, Symbol, node_of, topological, variable
from ..tape import no_grad, serials
from ..tensor import Tensor
from .learner import Learner
from .rule import Program

# What a program can be made of; all else is computed operation by operation.
ELEMENTWISE = {op for op in vars(elementwise).values() if getattr(op, "function", None)} | {elementwise.pow}

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
        self._constants: list[Tensor] = []
        self._parts: list[_Part] = []
        self._others: list[tuple[Tensor, Entry]] = []

    @property
    def programs(self) -> list[Program]:
        """What the expression has become: a program for what belongs together, as a rule of a parameter."""
        self._kept()
        return [part.program for part in self._parts]

    def _build(self) -> list[tuple[Tensor, Entry]]:
        """[(tensor, what it is to get)], from calling the function on symbols, once."""
        owned = list(self._named.values())
        waiting = [name for name, p in self._named.items() if isinstance(p, Waiting)]
        if waiting:
            raise UnknownSizeError(
                f"universal: the parameters {', '.join(waiting)} have no size yet; call the model on data once."
            )
        self._gradients = [variable(f"gradient_{name}", p.shape, p.dtype) for name, p in self._named.items()]
        self._dtype = owned[0].dtype
        self._rate_node = variable("rate", (), self._dtype)
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
        own = {id(p) for p in owned}
        self._constants = [node.value for node in nodes if isinstance(node.value, Tensor) and id(node.value) not in own]
        self._parts, self._others = _compiled(targets)
        return targets

    def _learn(self, gradients: dict[Tensor, Tensor], n: int | None, sweep_end: bool, are_means: bool) -> bool:
        if self._targets is None:
            self._targets = self._build()
        first = next(iter(gradients))
        device, dtype = first.device, first.dtype
        for constant in self._constants:  # they follow the parameters
            wished = dtype if constant.dtype == self._dtype else constant.dtype
            if constant.device is not device or constant.dtype != wished:
                moved = constant.to(device).astype(wished)
                constant._array, constant._kind, constant._written = moved._array, moved._kind, moved._written
        self._dtype = dtype
        absent = [name for name, p in self._named.items() if p not in gradients]
        if absent:
            raise GradError(f"universal: the expression needs all gradients, but {', '.join(absent)} has none.")
        factor = n if are_means and n else 1
        given: dict[Node, Any] = {
            node: gradients[p].detach() * factor if factor != 1 else gradients[p].detach()
            for node, p in zip(self._gradients, self._named.values(), strict=True)
        }
        rate = effective_rate(self._rate.now(self.counts - self._since), self._rate.minibatch_size, n or 1)
        given[self._rate_node] = full((), rate, dtype=dtype, device=device)
        with no_grad():
            # Computed before anything is written: it may read what the programs write.
            values = evaluate([entry for _, entry in self._others], given) if self._others else []
            for part in self._parts:
                part.run(given)
            for (target, _), value in zip(self._others, values, strict=True):
                target.copy_(value)
        self._count(n, sweep_end)
        return True

    def _kept(self) -> dict[str, Tensor]:
        """What the expression keeps beside the parameters."""
        if self._targets is None:
            self._targets = self._build()
        own = {id(p) for p in self._named.values()}
        kept = [t for t, _ in self._targets if id(t) not in own]
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


# --- programs ---


class _Part:
    """Assignments that make one program.

    Args:
        targets: [(tensor, its assignment)].
        arrays: the variables that are shaped as the targets; numbers: those without axes.
    """

    def __init__(self, targets: list[tuple[Tensor, Entry]], arrays: list[Node], numbers: list[Node]):
        self._arrays, self._numbers = sorted(arrays, key=_letter, reverse=True), numbers
        self._written = [target for target, _ in targets]
        names = _names([*self._arrays, *numbers])
        order = [node for node in topological(entry.node for _, entry in targets) if node.op is not None]

        def formula(**symbols: Any) -> tuple:
            found = {Entry(node, 0): symbols[name] for node, name in names.items()}
            for node in order:
                operands = tuple(found[x] if type(x) is Entry else x for x in node.inputs)
                is_assignment = node.op is _assignment
                found[Entry(node, 0)] = operands[1] if is_assignment else Symbol._apply(node.op, operands, {})
            return tuple(found[entry] for _, entry in targets)

        written = [names[entry.node.inputs[0].node] for _, entry in targets]
        self.program = Program(formula, map(names.get, self._arrays), written, map(names.get, numbers))

    def run(self, given: Mapping[Node, Tensor]) -> None:
        kind = self._written[0]._kind
        arrays = [
            # A gradient that is the parameter itself must not change on the way.
            (given[node].clone() if self._is_written(given.get(node)) else given.get(node, node.value))._array
            for node in self._arrays
        ]
        self.program.run(kind, arrays, [given.get(node, node.value)._array for node in self._numbers])
        for written in self._written:
            written._written[0] = next(serials)

    def _is_written(self, gradient: Tensor | None) -> bool:
        return gradient is not None and any(gradient._written is t._written for t in self._written)


def _letter(node: Node) -> str:
    """What a variable is called in a program: w a parameter, g a gradient, a an array that is kept, c a number."""
    if node.value is None:
        return "g" if node.declared[0] else "rate"
    if isinstance(node.value, Parameter) or node.value.requires_grad:
        return "w"
    return "a" if node.value.ndim else "c"


def _names(nodes: list[Node]) -> dict[Node, str]:
    """{node: its letter, with a number where several have it}."""
    letters = [_letter(node) for node in nodes]
    return {
        node: letter if letters.count(letter) == 1 else f"{letter}{letters[: i + 1].count(letter)}"
        for i, (node, letter) in enumerate(zip(nodes, letters, strict=True))
    }


def _compiled(targets: list[tuple[Tensor, Entry]]) -> tuple[list[_Part], list[tuple[Tensor, Entry]]]:
    """(what becomes programs, the assignments that do not)."""
    # What reads an array that another one writes goes with it. A number, as a count of steps, is written at the end.
    place = {id(target): i for i, (target, _) in enumerate(targets) if target.ndim}
    joined = list(range(len(targets)))

    def group_of(i: int) -> int:
        while joined[i] != i:
            i = joined[i]
        return i

    for i in place.values():
        for node in topological([targets[i][1].node]):
            if node.op is None and id(node.value) in place:
                joined[group_of(place[id(node.value)])] = group_of(i)
    groups: dict[int, list[tuple[Tensor, Entry]]] = {}
    for i, target in enumerate(targets):
        groups.setdefault(group_of(i), []).append(target)
    parts, others = [], []
    for group in groups.values():
        part = _part_of(group)
        parts += [part] if part else []
        others += [] if part else group
    return parts, others


def _part_of(targets: list[tuple[Tensor, Entry]]) -> _Part | None:
    """The assignments as a part with a program; None if not all in it is elementwise, and of one shape and dtype."""
    like = targets[0][0]
    nodes = topological(entry.node for _, entry in targets)
    if not like.ndim or not all(_fits(node, like) for node in nodes):
        return None
    leaves = [node for node in nodes if node.op is None]
    arrays = [node for node in leaves if _type_of(node).shape]
    return _Part(targets, arrays, [node for node in leaves if node not in arrays])


def _fits(node: Node, like: Tensor) -> bool:
    kind = _type_of(node)
    if kind is None or kind.dtype != like.dtype or kind.shape not in (tuple(like.shape), ()) or node.attributes:
        return False
    if node.op is _assignment:
        return type(node.inputs[1]) is Entry
    return node.role != "draw" if node.op is None else node.op in ELEMENTWISE


def _type_of(node: Node) -> ArrayType | None:
    if node.op is None:
        shape, dtype = node.declared if node.value is None else (tuple(node.value.shape), node.value.dtype)
        return ArrayType(shape, dtype)
    return node.types[0] if node.types else None


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
