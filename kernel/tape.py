"""The tape: what a computation leaves behind so that its gradient can be found, and the walk back over it.

Every recorded operation is a ``Node``. A node knows the operation, the nodes and leaf tensors that its operands came
from, and just those arrays that its gradient rules read. ``pull_back`` visits nodes from the newest to the oldest;
since an operand is always older than its result, that is a topological order.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

from .errors import GradError
from .op import ArrayType
from .signature import Signature
from .xp import Device

grad_enabled: contextvars.ContextVar[bool] = contextvars.ContextVar("grad_enabled", default=True)
serials = itertools.count()


_RUNS_ON = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


RETAINED = object()  # the key, among the hooks of a result, of a weak reference to the tensor that retains its gradient


class no_grad(contextlib.ContextDecorator):
    """Record nothing inside: ``with no_grad():`` or ``@no_grad()``. Other threads and tasks are not affected.

    Write it anew for each block: one object must not be entered by two threads at a time. Raises GradError over a
    generator or a coroutine, which runs on after the call that would be decorated.

    >>> import kernel
    >>> w = kernel.tensor([1.0], requires_grad=True)
    >>> with kernel.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5], requires_grad=True)
    """

    value = False

    def __init__(self, *misplaced: Any):
        if misplaced:
            name = type(self).__name__
            raise GradError(f"{name}: it takes no argument; as a decorator write @kernel.{name}(), with parentheses.")
        self._before: list[bool] = []

    def __call__(self, function: Callable) -> Callable:
        if any(asks(function) for asks in _RUNS_ON):
            name, what = type(self).__name__, getattr(function, "__name__", "this")
            raise GradError(
                f"{name}: {what} is a generator or coroutine, which runs on after its call has returned; write "
                f"`with kernel.{name}():` inside it."
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        self._before.append(grad_enabled.get())
        grad_enabled.set(self.value)

    def __exit__(self, *_: object) -> None:
        # Set, not reset by a token: a generator may be closed by another thread or task than the one that entered.
        grad_enabled.set(self._before.pop())

    def _recreate_cm(self) -> no_grad:
        return type(self)()  # for each call of a decorated function, in whichever thread


class enable_grad(no_grad):
    """Record again, inside a ``no_grad`` block.

    >>> import kernel
    >>> with kernel.no_grad(), kernel.enable_grad():
    ...     kernel.is_grad_enabled()
    True
    """

    value = True


def is_grad_enabled() -> bool:
    """Whether operations are being recorded here and now."""
    return grad_enabled.get()


class Node:
    """One recorded operation: what ``grad_fn`` is. Prints as <AddBackward>; its history is in ``next_functions``.

    ========== =====================================================================================================
    edges      for each operand that needs a gradient the place it came from: a leaf tensor, a node, or, of a node with
               several outputs the later ones, (node, which output)
    saved      what the rules read of the operands, an ArrayType for what they do not read; None when freed
    output     the result, if a rule reads it; ``residuals`` likewise
    reads      of every tensor that is read, [the serial of the last write in place]
    serial     the number of the node: an operand's is always smaller, that of a later write larger
    ========== =====================================================================================================
    """

    __slots__ = (
        "__weakref__",
        "edges",
        "hooks",
        "output",
        "reads",
        "record",
        "residuals",
        "saved",
        "serial",
    )

    @property
    def signature(self) -> Signature:
        """What is known of the call."""
        return self.record.signature

    @property
    def name(self) -> str:
        """PyTorch's kind of name for it: AddBackward for the op add."""
        return self.signature.backward_name

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """(node, which of its outputs) for each operand; a leaf shows as AccumulateGrad, a constant as None.

        >>> import kernel
        >>> x = kernel.tensor([2.0], requires_grad=True)
        >>> (x ** 2).log().grad_fn.next_functions[0][0].next_functions
        ((<AccumulateGrad>, 0), (None, 0))
        """
        edges = dict(zip(self.record.needs, self.edges, strict=True))
        found = []
        for i in range(len(self.signature.inputs)):
            origin = edges.get(i)
            parent, index = origin if isinstance(origin, tuple) else (origin, 0)
            found.append((parent if parent is None or isinstance(parent, Node) else AccumulateGrad(parent), index))
        return tuple(found)

    def parts(self, g: Any, lift: Callable | None = None) -> list:
        """Given the gradient ``g`` of the result, those of the operands that need one, in the order of ``edges``."""
        record = self.record
        if lift is None:
            saved, output = self.saved, self.output
            if self.residuals is not None:
                saved = (*saved, *self.residuals)
        else:
            if self.signature.op.once:
                raise GradError(
                    f"backward: {self.name} can be differentiated once only; leave create_graph out, or write the same "
                    "with operations that have second derivatives."
                )
            saved, output = _lifted(self, lift)
        return record.parts(g, output, saved, lift is not None)

    def check(self) -> None:
        """Raise unless everything that the rules read is still there, and unchanged."""
        if self.saved is None:
            raise GradError(
                f"backward: the values that {self.name} needs were freed by an earlier backward through it; call that "
                "earlier one with retain_graph=True, or compute the result again."
            )
        for written in self.reads:
            if written[0] > self.serial:
                raise GradError(
                    f"backward: a tensor that {self.name} needs was changed in place after it was used; change a copy "
                    "(.clone()), or write the new value to a new name."
                )


def place(node: Node, index: int) -> Any:
    """Where output ``index`` of ``node`` stands in a history: what ``edges`` hold, and how gradients are filed."""
    return (node, index) if index else node


_INNER = frozenset((Node, tuple))  # the types of the places that are not leaves


class AccumulateGrad:
    """The end of a history: the leaf tensor into whose ``grad`` the gradient goes."""

    __slots__ = ("variable",)
    next_functions = ()

    def __init__(self, variable: Any):
        self.variable = variable

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


def history(root: Any) -> list[Node]:
    """All nodes below a place, newest first; found without recursion, so that a chain may be as long as memory."""
    root = root[0] if type(root) is tuple else root
    if type(root) is not Node:
        return []
    found, seen = [root], {root}
    for node in found:
        for origin in node.edges:
            parent = origin[0] if type(origin) is tuple else origin
            if type(parent) is Node and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_age, reverse=True)
    return found


_age = operator.attrgetter("serial")


def pull_back(
    root: Any,
    gradient: Any,
    targets: set | None,
    retain: bool,
    lift: Callable | None,
    run_hooks: Callable[[dict, Any, Device], Any],
) -> dict[Any, Any]:
    """Carry the ``gradient`` of what stands at ``root`` back to the leaves (or to ``targets``); all are places.

    The result holds every leaf that was reached, and of the ``targets`` those inside the graph (without targets the
    tensors that retain their gradient). Works on arrays; or,
    where ``lift`` is given, on tensors made by ``lift(array, place, device)`` and with the kernel's own functions
    instead of xp, so that the walk is recorded in turn. Nothing is written to any tensor: the caller gets the
    gradients, whole or, where this raises, not at all.
    """
    order = history(root)
    for node in order:
        if node.saved is None:
            node.check()
        for written in node.reads:
            if written[0] > node.serial:
                node.check()
    gradients: dict[Any, Any] = {root: gradient}
    found: dict[Any, Any] = {}
    hooked = False
    for node in order:
        record = node.record
        g = gradients.pop(node, None) if record.single else _several_incoming(gradients, node)
        if g is None:
            continue
        if node.hooks is not None:
            g = _hooked(node, g, run_hooks, lift, found if targets is None else None)
            hooked = True
        if hooked:
            node.check()  # a hook may have written to what was still in order above
        if targets is not None:
            _capture(node, g, targets, found, lift)
        if not record.single:
            g = _completed(node, g, lift)
        if record.guard is None:
            _hand_on(node, g, gradients, lift)
        else:
            with record.guard():
                _hand_on(node, g, gradients, lift)
        if not retain and record.keeps:
            node.saved = node.output = node.residuals = None
    return gradients | found if found else gradients


def _hand_on(node: Node, g: Any, gradients: dict, lift: Callable | None) -> None:
    """Add to ``gradients`` what the gradient ``g`` of ``node`` means for its operands."""
    for origin, part in zip(node.edges, node.parts(g, lift), strict=True):
        if origin in gradients:
            part = gradients[origin] + part
        elif type(origin) not in _INNER and (lift or part is g or part.base is not None):
            # A leaf keeps what it gets and may be told to write into it: it must not share with anything.
            part = part.clone() if lift else part.copy("K")
        gradients[origin] = part


def _several_incoming(gradients: dict, node: Node) -> tuple | None:
    """The gradients that reach the outputs of ``node``, None for those that none reaches; None if none reaches any."""
    parts = tuple(gradients.pop(place(node, k), None) for k in range(len(node.signature.outputs)))
    return None if all(part is None for part in parts) else parts


def _completed(node: Node, parts: tuple, lift: Callable | None) -> tuple:
    """``parts`` with zeros for each float output that no gradient reached."""
    device, outputs = node.signature.device, node.signature.outputs
    completed = list(parts)
    for k, t in enumerate(outputs):
        if completed[k] is None and t.dtype.kind == "f":
            with device.guard():
                zeros = device.xp.zeros(t.shape, t.dtype)
            completed[k] = lift(zeros, None, device) if lift else zeros
    return tuple(completed)


def _hooked(node: Node, g: Any, run_hooks: Callable, lift: Callable | None, found: dict | None) -> Any:
    """``g`` after the hooks of the outputs that it reached; what a tensor retains of it goes into ``found``."""
    parts = list(g) if isinstance(g, tuple) else [g]
    for k, hooks in list(node.hooks.items()):  # a hook may add the first one of another output
        if parts[k] is None:
            continue
        parts[k] = run_hooks(hooks, parts[k], node.signature.device)
        tensor = hooks[RETAINED]() if RETAINED in hooks else None
        if tensor is not None and found is not None:
            with node.signature.device.guard():
                found[tensor] = parts[k].clone() if lift else parts[k].copy()
    return tuple(parts) if isinstance(g, tuple) else parts[0]


def _capture(node: Node, g: Any, targets: set, found: dict, lift: Callable | None) -> None:
    """Note a copy of what reached those outputs of ``node`` that are asked for: g itself travels on."""
    for k, part in enumerate(g if isinstance(g, tuple) else (g,)):
        if part is not None and place(node, k) in targets:
            with node.signature.device.guard():
                found[place(node, k)] = part.clone() if lift else part.copy()


def _lifted(node: Node, lift: Callable) -> tuple[list, Any]:
    """What ``node`` kept, as tensors that know where they came from; a float residual, which does not, as None."""
    edges = dict(zip(node.record.needs, node.edges, strict=True))
    home, device = node.signature.home, node.signature.device
    casts = dict(node.signature.casts)
    saved = [
        value if isinstance(value, ArrayType | int | float) or i in casts else lift(value, edges.get(i), home)
        for i, value in enumerate(node.saved)
    ]
    for i, dtype in casts.items():
        origin = edges.get(i)
        if isinstance(saved[i], ArrayType | int | float):
            continue
        if origin is None:
            saved[i] = lift(saved[i], None, home)
        else:
            # Kept converted, but the place is that of the operand as it came: the conversion is a step of the history.
            given = node.saved[i].astype(node.signature.inputs[i].dtype)
            saved[i] = (lift(given, origin, home) if type(origin) in _INNER else origin).astype(dtype)
    for residual in node.residuals or ():
        constant = residual is not None and residual.dtype.kind != "f"
        saved.append(lift(residual, None, home) if constant else None)
    output = node.output
    if isinstance(output, tuple):
        output = tuple(lift(array, place(node, k), device) for k, array in enumerate(output))
    elif output is not None:
        output = lift(output, node, device)
    return saved, output


def walk(node: Any) -> Iterator[Node]:
    """The nodes of a history from the newest to the oldest, as backward visits them.

    >>> import kernel
    >>> x = kernel.tensor([2.0], requires_grad=True)
    >>> list(walk((x * x + x).sum().grad_fn))
    [<SumBackward>, <AddBackward>, <MulBackward>]
    """
    yield from history(node)
