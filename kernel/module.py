"""Modules: what a network is made of. A module holds parameters and other modules, and says what it computes.

A module finds what it holds by looking at its own attributes, in the order in which they were set: parameters, buffers
and modules, also in lists, tuples and dictionaries. Nothing is registered, so nothing can be forgotten; but a plain
tensor is no parameter. A parameter or module that is held in two places is one thing with two names: it is shared.
"""

from __future__ import annotations

import copy
import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy

from .creation import tensor
from .errors import DtypeError, ShapeError, show
from .initialisers import as_initialiser, by_name
from .op import is_float, spell
from .parameter import Buffer, Owned, Parameter, Waiting
from .symbol import Symbol, note_layer
from .tape import no_grad
from .tensor import Tensor, destination
from .xp import Generator

CLONES = ("share", "clone", "freeze")
_HOOKS = ("_before", "_after", "_graph_name")  # the attributes that are neither part of the network nor copied with it


class Module:
    """The base class of everything that computes with parameters. Subclass it, hold what is needed, define forward.

    >>> from kernel import layers
    >>> class Scorer(kernel.Module):
    ...     def __init__(self):
    ...         self.hidden = layers.Linear(4, 8)
    ...         self.scores = layers.Linear(8, 3)
    ...
    ...     def forward(self, x):
    ...         return self.scores(kernel.relu(self.hidden(x)))
    >>> net = Scorer()
    >>> net
    Scorer(
      (hidden): Linear(in_features=4, out_features=8, bias=True)
      (scores): Linear(in_features=8, out_features=3, bias=True)
    )
    >>> [p.shape for p in net.parameters()]
    [(8, 4), (8,), (3, 8), (3,)]
    >>> net(kernel.ones(5, 4)).shape
    (5, 3)
    """

    training: bool = True
    _types: tuple | None = None  # what the first call took and gave
    _graph_name: str | None = None  # what its parameters are called after in graphs
    _before: dict | None = None  # hooks
    _after: dict | None = None

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; a subclass says it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(self, …), so it computes nothing.")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if self._before:
            for hook in list(self._before.values()):
                changed = hook(self, inputs)
                if changed is not None:
                    inputs = changed if isinstance(changed, tuple) else (changed,)
        output = self.forward(*inputs, **options)
        if self._after:
            for hook in list(self._after.values()):
                changed = hook(self, inputs, output)
                output = output if changed is None else changed
        if isinstance(output[0] if type(output) is tuple and output else output, Symbol):
            note_layer(self, (*inputs, *options.values()), output)
            return output
        if self._types is None:
            self._types = (_types_of(inputs), _types_of(output if isinstance(output, tuple) else (output,)))
        return output

    # --- what it holds ---

    def _held(self) -> Iterator[tuple[str, Any]]:
        """(name, thing) of every parameter, buffer and module among the attributes."""
        for name, value in tuple(vars(self).items()):  # whoever goes over them may set another
            if name not in _HOOKS:
                yield from _inside(name, value)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules that this one holds itself."""
        return ((name, value) for name, value in self._held() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The modules that this one holds itself."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of this one, whose name is "", and of all below; each module once.

        >>> net = kernel.layers.Sequential([kernel.layers.Linear(2, 3), kernel.relu])
        >>> [name for name, _ in net.named_modules()]
        ['', '0', '1']
        """
        return _once(self._paths(), Module)

    def modules(self) -> Iterator[Module]:
        """This module and all below, each once."""
        return (module for _, module in self.named_modules())

    def _paths(self, name: str = "", above: tuple = ()) -> Iterator[tuple[str, Module]]:
        """(name, module) of this one and all below, under every name that they have."""
        yield name, self
        for child_name, child in self.named_children():
            # One that holds a module above it would be walked for ever.
            if not any(child is module for module in (*above, self)):
                yield from child._paths(f"{name}.{child_name}" if name else child_name, (*above, self))

    def _owned(self) -> Iterator[tuple[str, Owned]]:
        """(name, parameter or buffer) under every name that it has: what the state consists of."""
        seen: dict[str, Owned] = {}
        for path, module in self._paths():
            for name, value in module._held():
                if isinstance(value, Owned):
                    whole = f"{path}.{name}" if path else name
                    if seen.setdefault(whole, value) is not value:
                        raise DtypeError(
                            f"{type(self).__name__}: two parameters are called {whole}; give the keys of a dictionary, "
                            "or the attributes, other names."
                        )
                    yield whole, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) of this module and all below, each parameter once, under its first name."""
        return _once(self._owned(), Parameter)

    def parameters(self) -> Iterator[Parameter]:
        """The parameters of this module and all below, each once: what a learner is given."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """(name, buffer) of this module and all below, each once."""
        return _once(self._owned(), Buffer)

    def buffers(self) -> Iterator[Buffer]:
        """The buffers of this module and all below, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module) and value is self:
            raise DtypeError(f"{type(self).__name__}: a module cannot hold itself as {name}.")
        object.__setattr__(self, name, value)

    # --- all of it at once ---

    def train(self, mode: bool = True) -> Module:
        """Compute as in training: dropout drops, batch normalisation normalises by the batch. Returns the module."""
        if not isinstance(mode, bool):
            raise DtypeError(f"train: True or False was expected, but {show(mode)} came; this only sets the mode.")
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Module:
        """Compute as in use: nothing drops, running statistics normalise. Returns the module.

        >>> net = kernel.layers.Dropout(0.5).eval()
        >>> net(kernel.ones(3))
        tensor([1., 1., 1.])
        """
        return self.train(False)

    def to(self, target: Any) -> Module:
        """Every parameter and buffer on another device or, those that are floats, in another dtype; in place.

        The parameters stay the same objects, so a learner that holds them need not be told. Their gradients move along.
        Returns the module.

        >>> net = kernel.layers.Linear(2, 1).to("float64")
        >>> net.weight.dtype
        dtype('float64')
        """
        there, dtype = destination(target)
        if dtype is not None and not is_float(dtype):
            raise DtypeError(f"to: parameters are floats, so float16, float32 or float64 was expected, not {dtype}.")
        for _, owned in _once(self._owned(), Owned):
            owned.move(there, dtype if is_float(owned.dtype) else None)
        return self

    def cpu(self) -> Module:
        """``to("cpu")``."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> Module:
        """``to("gpu:0")``, or another GPU."""
        return self.to(f"gpu:{index}")

    gpu = cuda

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call ``function`` on every module below, each once and after what it holds, and then on this one.

        Returns the module.
        """
        if not callable(function):
            raise DtypeError(f"apply: a function of a module was expected, but {show(function)} came.")
        for module in list(self._from_below(set())):
            function(module)
        return self

    def _from_below(self, seen: set[int]) -> Iterator[Module]:
        seen.add(id(self))
        for child in self.children():
            if id(child) not in seen:
                yield from child._from_below(seen)
        yield self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, value: bool = True) -> Module:
        """Want, or no longer want, the gradients of all parameters. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(value)
        return self

    def initialise(self, initialiser: Any, generator: Generator | None = None) -> Module:
        """Begin afresh: give every parameter the numbers of ``initialiser``, in place. Returns the module.

        Args:
            initialiser: a number, one of ``kernel.initialisers``, or {pattern: initialiser} over the parameters' names,
                of which the first that matches counts.
            generator: where random numbers come from.

        >>> net = kernel.layers.Linear(2, 3)
        >>> net = net.initialise({"*weight": kernel.initialisers.uniform(-0.1, 0.1), "*bias": 0})
        >>> net.bias.tolist()
        [0.0, 0.0, 0.0]
        """
        chosen = as_initialiser(initialiser)
        named = dict(self.named_parameters())
        if isinstance(chosen, by_name):
            for name in named:
                chosen.of(name)  # before any number is drawn: all names have a pattern, or nothing changes
        for name, parameter in named.items():
            parameter.initialise(chosen, generator, name)
        return self

    # --- state ---

    def state_dict(self) -> dict[str, Tensor]:
        """{name: values} of every parameter and buffer: copies, which later training does not change.

        What is shared appears under each of its names.

        >>> list(kernel.layers.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        return {name: owned.detach().clone() for name, owned in self._owned()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Take over values by name; in place, and all or none.

        Args:
            state: {name: values}, with tensors or arrays, as ``state_dict`` gives it. PyTorch's is understood too.
            strict: whether every name must be there and no other.

        Returns (the names that were missing, the names that were not expected), both empty when strict. Raises
        ShapeError, which lists what is missing, not expected or of another shape; nothing is changed then.

        >>> a, b = kernel.layers.Linear(2, 3), kernel.layers.Linear(2, 3)
        >>> b.load_state_dict(a.state_dict())
        ([], [])
        >>> bool((a.weight == b.weight).all())
        True
        """
        if not isinstance(state, Mapping):
            raise DtypeError(f"load_state_dict: {{name: values}} was expected, but {show(state)} came.")
        mine = dict(self._owned())
        missing = [name for name in mine if name not in state]
        extra = [name for name in state if name not in mine]
        values: dict[Owned, Tensor] = {}
        faults = []
        for name, owned in mine.items():
            if name not in state:
                continue
            try:
                value = _values(name, state[name])
            except DtypeError as error:
                faults.append(str(error).rstrip("."))
                continue
            wanted = values[owned].shape if owned in values else owned.shape  # under another name of what is shared
            if not _fits(value.shape, wanted):
                faults.append(f"{name} should have shape {spell(wanted)}, but has {spell(value.shape)}")
            elif is_float(value.dtype) != is_float(owned.dtype):
                faults.append(f"{name} should be {owned.dtype}, but is {value.dtype}")
            else:
                values[owned] = value
        if strict:
            faults += [f"{name} is missing" for name in missing]
            faults += [f"{show(name)} was not expected" for name in extra]
        if faults:
            raise ShapeError(
                f"load_state_dict: the state does not fit this {type(self).__name__}, and nothing was loaded: "
                f"{'; '.join(sorted(faults))}."
            )
        with no_grad():
            for owned, value in values.items():
                if isinstance(owned, Waiting):
                    owned.fill(value)
                else:
                    owned.copy_(value)
        return missing, extra

    def clone(self, method: str = "clone", replace: Mapping[str, Module] | None = None) -> Module:
        """Another module of the same structure: the way to edit one that cannot be changed.

        Args:
            method: what becomes of parameters and buffers: "share" uses the same ones, "clone" copies them, "freeze"
                copies them and learns them no more.
            replace: {name: module} of modules that others are to stand in for, as they are.

        Hooks stay behind.

        >>> from kernel.layers import Dense, Sequential
        >>> net = Sequential([Dense(4), Dense(2)])
        >>> other = net.clone("share", replace={"1": Dense(3)})
        >>> other(kernel.ones(1, 5)).shape, net(kernel.ones(1, 5)).shape, other[0] is net[0], other[0].W is net[0].W
        ((1, 3), (1, 2), False, True)
        """
        if method not in CLONES:
            raise DtypeError(f'clone: method must be "share", "clone" or "freeze", but {show(method)} came.')
        replace = {} if replace is None else replace
        if not isinstance(replace, Mapping):
            raise DtypeError(f"clone: replace should be {{name: module}}, but {show(replace)} came.")
        memo: dict[int, Any] = {}
        named = dict(self._paths())
        for name, module in replace.items():
            if name not in named or not name:
                known = ", ".join(filter(None, named)) or "none"
                raise ShapeError(f"clone: there is no module {show(name)} to replace; there are {known}.")
            if not isinstance(module, Module):
                raise DtypeError(f"clone: a module should stand in for {show(name)}, but {show(module)} came.")
            memo[id(named[name])] = module
        if method == "share":
            memo |= {id(owned): owned for _, owned in self._owned()}
        result = copy.deepcopy(self, memo)
        if method == "freeze":
            given = {parameter for module in replace.values() for parameter in module.parameters()}
            for parameter in result.parameters():
                if parameter not in given:
                    parameter.requires_grad_(False)
        return result

    # --- hooks ---

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple], Any]) -> Callable[[], None]:
        """Call ``hook(module, inputs)`` before every forward; what it returns, unless None, takes the inputs' place.

        Returns a function that takes the hook away again.
        """
        self._before = self._before or {}
        return _hang("register_forward_pre_hook", self._before, hook)

    def register_forward_hook(self, hook: Callable[[Module, tuple, Any], Any]) -> Callable[[], None]:
        """Call ``hook(module, inputs, output)`` after every forward; what it returns, unless None, is the output.

        Returns a function that takes the hook away again.

        >>> layer, seen = kernel.layers.Linear(2, 3), []
        >>> remove = layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
        >>> _ = layer(kernel.ones(4, 2))
        >>> remove()
        >>> seen
        [(4, 3)]
        """
        self._after = self._after or {}
        return _hang("register_forward_hook", self._after, hook)

    # --- print ---

    @property
    def types(self) -> str:
        """What it takes and gives, without the axis of the batch, as its first call showed it.

        >>> layer = kernel.layers.Dense(2)
        >>> layer.types
        'Dense(?) -> ?'
        >>> _ = layer(kernel.ones(8, 5))
        >>> layer.types
        'Dense(Tensor[5]) -> Tensor[2]'
        """
        if self._types is None:
            return f"{type(self).__name__}(?) -> ?"
        inputs, outputs = self._types
        given = ", ".join(outputs) if len(outputs) == 1 else f"Tuple[{', '.join(outputs)}]"
        return f"{type(self).__name__}({', '.join(inputs)}) -> {given}"

    def extra_repr(self) -> str:
        """What stands in the parentheses of its repr; a subclass says it."""
        return ""

    @reprlib.recursive_repr("(…)")
    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        name, extra = type(self).__name__, self.extra_repr()
        if not lines:
            return f"{name}({extra})"
        return "\n".join([f"{name}(", *([f"  {extra}"] if extra else []), *lines, ")"])

    def __reduce__(self) -> Any:
        raise DtypeError(
            f"pickle: a {type(self).__name__} is not pickled, since unpickling runs code; save its values with "
            "kernel.save(module, path)."
        )

    def __copy__(self) -> Module:
        return self.clone("share")

    def __deepcopy__(self, memo: dict) -> Module:
        result = object.__new__(type(self))
        memo[id(self)] = result
        for name, value in vars(self).items():
            if name not in _HOOKS:
                object.__setattr__(result, name, copy.deepcopy(value, memo))
        return result


def _inside(name: str, value: Any, above: tuple = ()) -> Iterator[tuple[str, Any]]:
    """What is held in an attribute, its name completed by the place in a list, tuple or dictionary."""
    if isinstance(value, Owned | Module):
        yield name, value
    elif isinstance(value, Symbol):
        for key, entry in value._holds():
            yield from _inside(f"{name}.{key}", entry)
    elif isinstance(value, list | tuple | dict) and not any(value is container for container in above):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _inside(f"{name}.{key}", entry, (*above, value))


def _once(named: Iterator[tuple[str, Any]], kind: type) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for name, value in named:
        if isinstance(value, kind) and id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _values(name: str, value: Any) -> Tensor:
    """What a state holds under a name, as a tensor of its own."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    value = value.detach() if hasattr(value, "detach") else value  # PyTorch's parameters refuse NumPy otherwise
    if not hasattr(value, "__array__"):
        raise DtypeError(f"{name} should be a tensor or an array, but is {show(value)}")
    try:
        return tensor(numpy.asarray(value))
    except (DtypeError, TypeError) as error:  # PyTorch's of another device, or of a dtype that NumPy has not
        raise DtypeError(f"{name} is no array of numbers ({str(error).rstrip('.')})") from None


def _fits(found: tuple, wanted: tuple | None) -> bool:
    return wanted is None or (
        len(found) == len(wanted) and all(w in (None, f) for f, w in zip(found, wanted, strict=True))
    )


def _hang(name: str, hooks: dict, hook: Callable) -> Callable[[], None]:
    if not callable(hook):
        raise DtypeError(f"{name}: a function was expected, but {show(hook)} came.")
    key = object()
    hooks[key] = hook
    return lambda: hooks.pop(key, None) and None


def _types_of(values: tuple) -> tuple[str, ...]:
    """Types in words, without the axis of the batch: Tensor[5]."""
    found = []
    for value in values:
        shape = getattr(value, "shape", None)
        sizes = "?" if shape is None else ", ".join("?" if s is None else str(s) for s in shape[1:])
        found.append(f"{type(value).__name__}[{sizes}]" if shape is not None else type(value).__name__)
    return tuple(found)
