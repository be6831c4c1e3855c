"""Networks as function objects: CNTK's way to program, over the same graph.

A ``Function`` is a Symbol that can be called. On variables and on other functions it composes; on arrays it computes.
Its parameters are its members. It does not change, apart from their values.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import inspect
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy

from .creation import tensor
from .errors import DeviceError, DtypeError, GradError, ShapeError, UnknownSizeError, show
from .executor import Executor, zeros_of
from .functional import ones_like
from .graph import Block, evaluate, find, title_of
from .module import CLONES, Module
from .op import DTYPES, is_float, require_flag, spell
from .parameter import Owned, Parameter
from .program import specialise
from .symbol import (
    Entry,
    Node,
    Symbol,
    complete,
    copy_node,
    infer_types,
    name_for,
    node_of,
    substitute,
    variable,
)
from .tensor import Tensor
from .xp import Generator
from .xp import device as device_of

SPARSE = "sparse"  # the attribute of a variable that is fed with rows of mostly zeros
KEPT = 4  # executors, for as many shapes of a minibatch
TRACED = 64  # graphs that Python code made, for as many types of its arguments


class Function(Symbol):
    """A network, a layer, a loss: anything that maps arguments to one or several outputs.

    Args:
        function: Python code in kernel functions, a layer, or a module. It becomes a graph when it is called on
            variables, or on arrays, whose shapes it is then traced for.
        name: of the result.

    ``@Function`` above a definition does the same. What the call does depends on what it gets:

    * variables and functions: composes, and gives a Function;
    * NumPy arrays, lists, SciPy's sparse rows: computes, and gives NumPy arrays. The first axis is the minibatch; one
      sample alone gives one result;
    * kernel tensors: computes eagerly, so that ``backward()`` reaches tensors and parameters.

    ``training=True`` lets dropout drop and running statistics move. ``device=`` moves the parameters there first.

    >>> from kernel.layers import Dense
    >>> model = Dense(2)
    >>> @kernel.Function
    ... def criterion(data, label_one_hot):
    ...     z = model(data)
    ...     loss = kernel.cross_entropy_with_softmax(z, label_one_hot)
    ...     metric = kernel.classification_error(z, label_one_hot)
    ...     return loss, metric
    >>> x, y = kernel.input_variable(2), kernel.input_variable(2, is_sparse=True)
    >>> criterion(x, y)
    Composite(Tensor[2], SparseTensor[2]) -> Tuple[Tensor[1], Tensor[1]]
    >>> model(x)
    Dense(Tensor[2]) -> Tensor[2]
    >>> kernel.Function(lambda x: 2 * x)([[1.0, 2.0]])
    array([[2., 4.]], dtype=float32)
    """

    __slots__ = (
        "_executors",
        "_is_criterion",
        "_lock",
        "_of_function",
        "_order",
        "_ordered",
        "_owned",
        "_shapeless",
        "_traced",
    )

    def __init__(self, function: Callable, name: str | None = None):
        if isinstance(function, Symbol) or not callable(function):
            raise DtypeError(f"Function: a function or a layer was expected, but {show(function)} came.")
        if isinstance(function, type):
            raise DtypeError(
                f"Function: {function.__name__} is a class; make a layer of it, as {function.__name__}(…)."
            )
        if not isinstance(name, str | None):
            raise DtypeError(f"Function: name must be a text, but {show(name)} came.")
        self._begin()
        put = object.__setattr__
        put(self, "_of_function", (function, name))

    def _begin(self) -> None:
        put = object.__setattr__
        put(self, "_of_function", None)  # (Python code, name) of one that is traced when it is needed
        put(self, "_ordered", None)  # the arguments in the order of a signature; otherwise depth first
        put(self, "_shapeless", None)  # whether the Python code makes a graph of arguments of unknown shape
        put(self, "_owned", None)  # the parameters that it came to use first
        put(self, "_order", None)  # its nodes, once somebody has asked for them
        put(self, "_lock", threading.RLock())  # over what it keeps: one call at a time has an executor
        put(self, "_traced", collections.OrderedDict())  # by the types of the arguments
        put(self, "_executors", collections.OrderedDict())
        put(self, "_is_criterion", False)

    @classmethod
    def _of(cls, entries: Iterable[Entry], ordered: Iterable[Node] | None = None) -> Any:
        function = object.__new__(cls)
        function._begin()
        object.__setattr__(function, "_entries", tuple(entries))
        object.__setattr__(function, "_ordered", None if ordered is None else tuple(ordered))
        return function

    def __setattr__(self, name: str, value: Any) -> None:
        raise DtypeError(
            f"Function: it does not change, so {name} cannot be set; set the value of a parameter, as f.W.value = …, "
            "or make another one with clone(…)."
        )

    def __delattr__(self, name: str) -> None:
        raise DtypeError(f"Function: it does not change, so {name} cannot be deleted.")

    def __copy__(self) -> Function:
        return self  # it does not change

    def __reduce__(self) -> Any:
        raise DtypeError("pickle: a function is not pickled, since unpickling runs code; save it with f.save(path).")

    def __getattr__(self, name: str) -> Any:
        if name == "_entries":
            return self._trace_untyped()
        if name.startswith("_"):
            raise AttributeError(name)
        found = self._member(name)
        return super().__getattr__(name) if found is None else found

    def _member(self, name: str) -> Any:
        """A parameter, or a layer, under the name that it has in the layer that this is the result of."""
        if self._of_function is not None:
            holders = [self._of_function[0]]
        else:  # the outermost layer that each output is the result of
            nodes = dict.fromkeys(entry.node for entry in self._entries)
            layers = [[layer for layer, _ in node.layers if isinstance(layer, Module)] for node in nodes]
            holders = [some[-1] for some in layers if some]
        for holder in holders:
            found = getattr(holder, name, None) if isinstance(holder, Module) else None
            if isinstance(found, Owned | Module):
                return found
        if self._of_function is None:
            named = [n.value for n in self._nodes() if n.op is None and n.name.rpartition(".")[2] == name]
            owned = [value for value in named if isinstance(value, Owned)]
            if len(owned) == 1:
                return owned[0]
        return None

    # --- tracing ---

    def _signature(self) -> list[str]:
        """The names of what the Python code takes."""
        function, _ = self._of_function
        code = function.forward if isinstance(function, Module) else function
        try:
            parameters = inspect.signature(code).parameters.values()
        except (TypeError, ValueError):
            raise DtypeError(
                f"Function: what {show(function)} takes cannot be found out; wrap it in a lambda."
            ) from None
        required = [p for p in parameters if p.default is p.empty or p.kind is p.VAR_POSITIONAL]
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY) for p in required):
            raise DtypeError(f"Function: {show(function)} should take each argument by a name of its own, without *.")
        return [p.name for p in required]

    def _trace_untyped(self) -> tuple:
        """The graph for arguments of which nothing is known."""
        ordered = self._argument_nodes()
        try:
            traced = self._run([_variable_of(node) for node in ordered], ordered)
        except UnknownSizeError:
            raise UnknownSizeError(
                f"Function: what it computes depends on the shapes of {', '.join(self._signature())}; call it on "
                "variables with a shape, as f(kernel.input_variable(3)), or on arrays."
            ) from None
        object.__setattr__(self, "_entries", traced._entries)
        return traced._entries

    def _applied(self, entries: list[Entry], ordered: Iterable[Node] | None) -> Function:
        """What the Python code makes of these.

        It is run once for arguments of which nothing is known, and these are put in their place, so that layers that
        are made inside are made once. Where the shapes matter it is run again.
        """
        failure = None
        if self._shapeless is None:
            try:
                shapeless = not isinstance(self._of_function[0], Module) and bool(self._entries)
            except (ShapeError, DtypeError):
                shapeless = False
            object.__setattr__(self, "_shapeless", shapeless)
        if self._shapeless:
            given = dict(zip(self._argument_nodes(), entries, strict=True))
            try:
                return self._like(Function._of(substitute(self._entries, given), ordered))
            except (ShapeError, DtypeError) as error:
                failure = error
        made = self._run([Function._of([entry]) for entry in entries], ordered)
        owned = [node.value for node in (self if self._shapeless else made)._nodes() if isinstance(node.value, Owned)]
        if self._owned is None:
            object.__setattr__(self, "_owned", tuple(owned))
        ids = {id(node.value) for node in made._nodes()}
        if self._owned and not any(id(value) in ids for value in self._owned):
            raise failure or DtypeError(
                "Function: for other shapes its code makes other layers, with parameters of their own; make the layers "
                "outside of it, once."
            )
        return made

    def _like(self, made: Function) -> Function:
        """``made``, as a criterion if this is one."""
        if self._is_criterion:
            _check_criterion(made.outputs)
        object.__setattr__(made, "_is_criterion", self._is_criterion)
        return made

    def _run(self, arguments: list, ordered: Iterable[Node] | None) -> Function:
        """What the Python code makes of ``arguments``, as one Function."""
        function, name = self._of_function
        result = function(*arguments)
        several = result if isinstance(result, tuple | list) else (result,)
        for output in several:
            if not isinstance(output, Symbol):
                raise DtypeError(
                    f"Function: a function of the arguments should be returned, or several, but {show(output)} came; "
                    "compute with kernel's functions only."
                )
        if not several:
            raise DtypeError("Function: a function of the arguments should be returned, or several, but none came.")
        if self._is_criterion:
            _check_criterion(several)
        made = Function._of([entry for output in several for entry in output._entries], ordered)
        if name is not None and len(made._entries) == 1 and made._entries[0].node.op is not None:
            made._entries[0].node.name = name
        object.__setattr__(made, "_is_criterion", self._is_criterion)
        return made

    # --- calling ---

    def __call__(
        self, *inputs: Any, training: bool = False, device: Any = None, name: str | None = None, **by_name: Any
    ) -> Any:
        require_flag("Function: training", training)
        inputs = self._in_order(inputs, by_name)
        if any(isinstance(x, Symbol) for x in inputs):
            return self._compose(inputs, name)
        if device is not None:
            self._move(device)
        if any(isinstance(x, Tensor) or (hasattr(x, "indptr") and hasattr(x, "to_dense")) for x in inputs):
            return self._on_tensors(inputs, training, device)
        return self._on_arrays(inputs, training)

    def _in_order(self, inputs: tuple, by_name: Mapping[str, Any]) -> tuple:
        names = self._signature() if self._of_function is not None else [n.name for n in self._argument_nodes()]
        given = list(inputs)
        if len(given) > len(names):
            raise DtypeError(f"Function: it takes {', '.join(names) or 'nothing'}, but {len(given)} inputs came.")
        for key in by_name:
            if key not in names[len(given) :]:
                raise DtypeError(
                    f"Function: there is no argument {key} to be given by name; there are {', '.join(names)}."
                )
        for key in names[len(given) :]:
            if key not in by_name:
                raise DtypeError(
                    f"Function: it takes {', '.join(names)}, but nothing came for {key}; give every argument."
                )
            given.append(by_name[key])
        return tuple(given)

    def _compose(self, inputs: tuple, name: str | None) -> Function:
        """The same of other functions."""
        symbols = [x if isinstance(x, Symbol) else _constant(x) for x in inputs]
        entries = [symbol._single("Function") for symbol in symbols]
        ordered = [e.node for e in entries] if all(_is_free(e.node) for e in entries) else None
        if self._of_function is not None:
            made = self._applied(entries, ordered)
        else:
            given = dict(zip(self._argument_nodes(), entries, strict=True))
            made = self._like(Function._of(substitute(self._entries, given), ordered))
        if name is not None:
            name = name_for("Function", name)
            old = {entry.node for entry in (*entries, *self._entries)} if self._of_function is None else set()
            new = {entry.node for entry in made._entries} - old - {entry.node for entry in entries}
            for node in new if len(made) == 1 else ():
                node.name, node.auto = name, False
        return made

    def _typed(self, arrays: list) -> Function:
        """This function for arguments like ``arrays``: traced for them if it is Python code."""
        if self._of_function is None:
            return self
        key: tuple = tuple((array.shape[1:], array.dtype) for array in arrays)
        if isinstance(self._of_function[0], Module):
            key += tuple(module.training for module in self._of_function[0].modules())
        with self._lock:
            found = self._traced.get(key)
            if found is None:
                found = self._traced[key] = self._traced_for(arrays)
                while len(self._traced) > TRACED:
                    self._traced.popitem(last=False)
            self._traced.move_to_end(key)
        return found

    def _traced_for(self, arrays: list) -> Function:
        if any(not array.shape for array in arrays):
            raise ShapeError("Function: an array should have a first axis, the minibatch, but one of shape () came.")
        names = self._signature()
        ordered = [variable(n, (None, *a.shape[1:]), a.dtype) for n, a in zip(names, arrays, strict=True)]
        return self._applied([Entry(node, 0) for node in ordered], ordered)

    def _on_tensors(self, inputs: tuple, training: bool, device: Any) -> Any:
        place = next(x for x in inputs if hasattr(x, "device")).device if device is None else device_of(device)
        tensors = [x.to_dense() if hasattr(x, "to_dense") else x for x in inputs]
        tensors = [x if isinstance(x, Tensor) else tensor(_as_array(x), device=place) for x in tensors]
        if device is not None:
            tensors = [t.to(place) for t in tensors]
        typed = self._typed(tensors)
        given = {node: t.astype(_dtype_for(node, t)) for node, t in zip(typed._argument_nodes(), tensors, strict=True)}
        single = _one_samples({node: t.shape for node, t in given.items()}, typed is self)
        given = {node: t.unsqueeze(0) if node in single else t for node, t in given.items()}
        typed._settle({node: t.shape for node, t in given.items()})
        outputs = evaluate(typed._entries, given, training)
        if single:
            outputs = typed._without_batch(outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _on_arrays(self, inputs: tuple, training: bool) -> Any:
        arrays = [_as_array(x) for x in inputs]
        typed = self._typed(arrays)
        given = dict(zip(typed._argument_nodes(), arrays, strict=True))
        outputs, _ = typed._evaluate(given, training, even=typed is self)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _without_batch(self, outputs: list) -> list:
        """The outputs for the only sample; what has no axis of the minibatch stays as it is."""
        types = [node.types and node.types[index].shape for node, index in self._entries]
        alone = [y.ndim > 0 and not (shape and shape[0] is not None) for y, shape in zip(outputs, types, strict=True)]
        return [y[0] if strip else y for y, strip in zip(outputs, alone, strict=True)]

    def _evaluate(
        self, given: Mapping[Node, numpy.ndarray], training: bool, wrt: tuple[Node, ...] = (), even: bool = True
    ) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
        """(outputs, gradients of the first output, summed, with respect to ``wrt``), computed by an executor.

        ``even`` says whether all arguments must bring as many samples.
        """
        single = _one_samples({node: array.shape for node, array in given.items()}, even)
        arrays = {node: array[None] if node in single else array for node, array in given.items()}
        with self._passed(arrays, training, wrt) as (outputs, tensors):
            gradients = [_host(g) for g in tensors]
            found = [_host(y) for y in outputs]
        if single:
            found = self._without_batch(found)
            gradients = [g[0] if node in single else g for node, g in zip(wrt, gradients, strict=True)]
        return found, gradients

    @contextlib.contextmanager
    def _passed(
        self, arrays: Mapping[Node, numpy.ndarray], training: bool, wrt: tuple[Node, ...] = ()
    ) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """(outputs, gradients) of a pass, where they were computed: they are the executor's, and good inside alone."""
        with self._lock:
            executor = self._executor({node: array.shape for node, array in arrays.items()}, wrt, training)
            for node, array in arrays.items():
                target = executor.tensor_of(node)
                target[...] = _in_dtype(node, array)
            outputs = executor.forward(is_train=training or bool(wrt))
            if wrt:
                ones = ones_like(outputs[0])
                executor.backward([ones, *[None] * (len(outputs) - 1)])
            yield outputs, [executor.gradients[node][1] for node in wrt]

    def _executor(self, shapes: dict[Node, tuple], wrt: tuple[Node, ...], training: bool) -> Executor:
        """One for these shapes: an earlier one, if there is one."""
        dtypes = tuple(node.value.dtype for node in self._nodes() if isinstance(node.value, Tensor))
        key = tuple(shapes.items()), wrt, training, str(self._device()), dtypes
        executor = self._executors.get(key)
        if executor is None:
            types = self._settle(shapes)
            # Gradients of what is computed in use: the graph as it is in use, run as if in training.
            in_use = wrt and not training
            symbol = Symbol(specialise(self._entries, False)[0] if in_use else self._entries)
            place = self._device()
            given = {node: zeros_of(types[node][0].shape, types[node][0].dtype, place) for node in shapes}
            for node in wrt:
                if node not in shapes and node.value is None:
                    raise ShapeError(f"Function: nothing was given for {node.name}.")
            gradients = {node: ("write", None) for node in symbol._variables("argument")}
            for node in wrt:
                t = given.get(node, node.value)
                gradients[node] = ("write", zeros_of(t.shape, t.dtype, place))
            executor = self._executors[key] = Executor(symbol, place, given, gradients)
            while len(self._executors) > KEPT:
                self._executors.popitem(last=False)
        self._executors.move_to_end(key)
        return executor

    def _settle(self, shapes: Mapping[Node, tuple]) -> dict:
        """The types of everything, given the shapes of the arguments; parameters that waited for them are filled in."""
        for node, shape in shapes.items():
            _require_fits(node, shape)
        types = infer_types([*(entry.node for entry in self._entries), *shapes], shapes)  # some may be in no use
        for node in self._nodes():
            if node.op is None and node.role != "draw":
                complete(node, types[node][0].shape)
                if node.value is None and node not in shapes:
                    raise ShapeError(f"Function: nothing was given for {node.name}; give every argument.")
        return types

    def _device(self) -> Any:
        """Where its parameters are; the CPU if it has none."""
        return next(
            (n.value.device for n in self._nodes() if n.op is None and n.role != "draw" and n.value is not None), _CPU
        )

    def _move(self, device: Any) -> None:
        place = device_of(device)
        for node in self._nodes():
            if isinstance(node.value, Owned):
                node.value.move(place, None)
            elif isinstance(node.value, Tensor) and node.value.device is not place:
                raise DeviceError(
                    f"Function: the constant {node.name} is on {node.value.device} and cannot be moved to {place}; "
                    "make the function with a constant of that device."
                )

    def eval(self, arguments: Any = None, *, training: bool = False, device: Any = None) -> Any:
        """The outputs for {variable: array}: a NumPy array, or a tuple of them for several outputs.

        Args:
            arguments: {variable or its name: array}; of a function with one argument the array alone.
            training: whether dropout drops and running statistics move.
            device: where to compute; the parameters move there.

        Raises ShapeError that lists the variables that nothing was given for.

        >>> x = kernel.input_variable(2)
        >>> (x * x).eval({x: [[1.0, 2.0], [3.0, 4.0]]})
        array([[ 1.,  4.],
               [ 9., 16.]], dtype=float32)
        """
        require_flag("eval: training", training)
        if device is not None:
            self._move(device)
        typed, feed = self._fed("eval", arguments)
        outputs, _ = typed._evaluate(feed, training, even=typed is self)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def grad(
        self, at: Any = None, wrt: Any = None, outputs: bool = False, *, training: bool = False, device: Any = None
    ) -> Any:
        """The gradient of the first output, summed if it is not one number, at {variable: array}.

        Args:
            at: {variable or its name: array}; of a function with one argument the array alone.
            wrt: a variable or a parameter, or a list of them; all arguments of floats by default.
            outputs: whether to return (gradients, outputs).
            training, device: as for ``eval``.

        Returns an array for a single ``wrt``, otherwise {variable or parameter: array}.

        >>> x = kernel.input_variable(2)
        >>> (x * x).grad({x: [[1.0, 2.0]]})
        array([[2., 4.]], dtype=float32)
        """
        require_flag("grad: outputs", outputs)
        require_flag("grad: training", training)
        if device is not None:
            self._move(device)
        typed, feed = self._fed("grad", at)
        now = dict(zip(self._argument_nodes(), feed, strict=True))
        if wrt is None:
            types = infer_types(feed)
            keys = at if isinstance(at, Mapping) else self.arguments
            given = [x for x in keys if is_float(types[now[self._key("grad", x)]][0].dtype)]
        else:
            given = wrt if isinstance(wrt, list | tuple) else [wrt]
        nodes = tuple(typed._wanted(node_of(x) if isinstance(x, Tensor) else self._key("grad", x), now) for x in given)
        if not nodes:
            raise GradError(
                "grad: there is nothing to differentiate with respect to; name parameters, or variables of floats, as "
                "wrt."
            )
        if not is_float(infer_types([typed._entries[0].node])[typed._entries[0].node][typed._entries[0].index].dtype):
            raise GradError("grad: the first output is of whole numbers or booleans, which have no gradient.")
        found, gradients = typed._evaluate(feed, training, nodes, even=typed is self)
        result = (
            gradients[0]
            if len(nodes) == 1 and not isinstance(wrt, list | tuple)
            else dict(zip(given, gradients, strict=True))
        )
        values = found[0] if len(found) == 1 else tuple(found)
        return (result, values) if outputs else result

    def _wanted(self, node: Node, now: Mapping[Node, Node]) -> Node:
        """What is to be differentiated with respect to, if it can be; ``now`` says what stands for the arguments."""
        if node in now:
            node = now[node]
            dtype = infer_types([node])[node][0].dtype
            if not is_float(dtype):
                raise GradError(f"grad: {node.name} is {dtype}, and whole numbers and booleans have no gradient.")
            return node
        if node not in self._nodes():
            raise GradError(f"grad: the function does not depend on {node.name}.")
        if node.op is not None:
            raise GradError(
                f"grad: with respect to variables and parameters alone, but {node.name} is computed; call the function "
                "on kernel tensors, and use kernel.grad."
            )
        if node.role != "argument" or (node.value is not None and not _is_learned(node.value)):
            raise GradError(f"grad: {node.name} is a constant, or frozen, and has no gradient.")
        return node

    def _key(self, what: str, key: Any) -> Node:
        if isinstance(key, str):
            named = {node.name: node for node in self._argument_nodes()}
            if [node.name for node in self._argument_nodes()].count(key) > 1:
                raise ShapeError(f"{what}: several arguments are called {key}; give the variable itself.")
            if key not in named:
                raise ShapeError(
                    f"{what}: there is no argument called {show(key)}; there are {', '.join(named) or 'none'}."
                )
            return named[key]
        if isinstance(key, Owned):
            raise DtypeError(
                f"{what}: a parameter has its value already; give arrays for variables, and set it as p.value = …."
            )
        if not isinstance(key, Symbol):
            raise DtypeError(f"{what}: a variable, a parameter or a name was expected, but {show(key)} came.")
        return key._single(what).node

    def _fed(self, what: str, arguments: Any) -> tuple[Function, dict[Node, numpy.ndarray]]:
        """(this function for arrays like these, what was given for each of its arguments)."""
        feed = self._feed(what, arguments)
        typed = self._typed(list(feed.values()))
        return typed, dict(zip(typed._argument_nodes(), feed.values(), strict=True))

    def _feed(self, what: str, arguments: Any) -> dict[Node, numpy.ndarray]:
        """What was given for each argument, as arrays."""
        nodes = self._argument_nodes()
        if not isinstance(arguments, Mapping):
            given = () if arguments is None else arguments if isinstance(arguments, tuple) else (arguments,)
            if len(given) > len(nodes):
                names = ", ".join(node.name for node in nodes) or "nothing"
                raise ShapeError(f"{what}: it takes {names}, but {len(given)} arrays came.")
            if len(given) != len(nodes):
                self._refuse_feed(what, nodes[len(given) :])
            return {node: _as_array(x) for node, x in zip(nodes, given, strict=True)}
        feed: dict[Node, numpy.ndarray] = {}
        for key, value in arguments.items():
            node = self._key(what, key)
            if node in feed:
                raise DtypeError(f"{what}: {node.name} came twice, as a variable and by its name; give it once.")
            feed[node] = _as_array(value)
        for node in feed:
            if node not in nodes:
                raise ShapeError(
                    f"{what}: {node.name} is no argument of this function; there are "
                    f"{', '.join(n.name for n in nodes) or 'none'}."
                )
        missing = [node for node in nodes if node not in feed]
        if missing:
            self._refuse_feed(what, missing)
        return {node: feed[node] for node in nodes}

    def _refuse_feed(self, what: str, missing: list[Node]) -> None:
        names = ", ".join(f"{node.name}: {_type_in_words(node, 0)}" for node in missing)
        raise ShapeError(f"{what}: nothing was given for {names}; give {{variable: array}} for every argument.")

    # --- what it consists of ---

    def _nodes(self) -> list[Node]:
        if self._order is None:
            object.__setattr__(self, "_order", super()._nodes())
        return list(self._order)

    def _argument_nodes(self) -> list[Node]:
        if self._ordered is None and self._of_function is not None:
            object.__setattr__(self, "_ordered", tuple(variable(name) for name in self._signature()))
        if self._ordered is not None:
            return list(dict.fromkeys(self._ordered))
        return [node for node in self._nodes() if _is_free(node)]

    @property
    def arguments(self) -> tuple[Function, ...]:
        """The variables that must be given: in the order of the signature, or depth first."""
        return tuple(map(_variable_of, self._argument_nodes()))

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The parameters that are learned, from the output down: those of the last layer first.

        >>> from kernel.layers import Dense, Sequential
        >>> z = Sequential([Dense(4), Dense(2)])(kernel.input_variable(3))
        >>> [p.shape for p in z.parameters]
        [(4, 2), (2,), (3, 4), (4,)]
        """
        return tuple(n.value for n in self._from_the_output() if n.role == "argument" and _is_learned(n.value))

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The tensors that it computes with and that are not learned: constants, and parameters that are frozen."""
        fixed = [
            n for n in self._from_the_output() if n.role == "constant" or (n.role == "argument" and n.value is not None)
        ]
        return tuple(n.value for n in fixed if not _is_learned(n.value))

    @property
    def inputs(self) -> tuple[Function, ...]:
        """All variables: arguments, parameters and constants."""
        owned = [n for n in self._from_the_output() if n.value is not None]
        return self.arguments + tuple(map(_variable_of, owned))

    @property
    def outputs(self) -> tuple[Function, ...]:
        """Each output as a function of its own."""
        nodes = self._argument_nodes()
        found = [Function._of([entry]) for entry in self._entries]
        for one in found:
            below = set(one._nodes())
            object.__setattr__(one, "_ordered", tuple(node for node in nodes if node in below))
        return tuple(found)

    def _from_the_output(self) -> list[Node]:
        """Variables that stand for something, breadth first from the outputs."""
        queue = collections.deque(entry.node for entry in self._entries)
        seen, found = set(queue), []
        while queue:
            node = queue.popleft()
            if node.op is None and node.role != "draw":
                found.append(node)
            below = [x.node for x in node.inputs if type(x) is Entry]
            for child in sorted(below, key=lambda n: n.op is not None):  # its own parameters before what it works on
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
        return [node for node in found if node.value is not None]

    # --- making others ---

    def clone(self, method: str = "clone", substitutions: Mapping[Any, Any] | None = None) -> Function:
        """Another function of the same structure.

        Args:
            method: what becomes of the parameters: "share" uses the same ones, "clone" copies them, "freeze" makes them
                constants.
            substitutions: {variable or function inside: function} of what others are to stand in for.

        >>> from kernel.layers import Dense
        >>> f = Dense(2)(kernel.input_variable(3))
        >>> f.clone("share").W is f.W, f.clone("clone").W is f.W, f.clone("freeze").parameters
        (True, False, ())
        """
        if method not in CLONES:
            raise DtypeError(f'clone: method must be "share", "clone" or "freeze", but {show(method)} came.')
        given = self._substitutions("clone", substitutions)
        return self._with(given, None if method == "share" else {}, method == "freeze")

    def __deepcopy__(self, memo: dict) -> Function:
        if self._of_function is None:
            return self._with({}, memo, False)
        code, name = self._of_function
        made = Function(copy.deepcopy(code, memo), name)
        object.__setattr__(made, "_is_criterion", self._is_criterion)
        return made

    def _with(self, given: dict[Node, Entry], memo: dict | None, freeze: bool) -> Function:
        """The same with others in the place of nodes; unless ``memo`` is None, of copies of its parameters."""
        layers: dict[int, Any] = {}
        for node in self._nodes() if memo is not None else ():
            for layer, _ in node.layers:
                if isinstance(layer, Module):
                    layers[id(layer)] = copy.deepcopy(layer, memo)
            if node in given or not isinstance(node.value, Owned | Generator):
                continue
            value = copy.deepcopy(node.value, memo)
            if isinstance(value, Generator):
                twin = Symbol._draw(value)._entries[0].node
            else:
                twin = node_of(value)
                if freeze and isinstance(value, Parameter):
                    value.requires_grad_(False)
            twin.name, twin.auto = node.name, node.auto
            given[node] = Entry(twin, 0)
        made = Function._of(substitute(self._entries, given, layers), self._ordered_after(given))
        object.__setattr__(made, "_is_criterion", self._is_criterion)
        return made

    def _holds(self) -> Iterable[tuple[str, Any]]:
        """(name, layer or parameter) of what it computes with, for a module that holds it."""
        if self._of_function is not None:
            return [("layer", self._of_function[0])] if isinstance(self._of_function[0], Module) else []
        owned = [node.value for node in self._nodes() if isinstance(node.value, Owned)]
        return [(str(k), value) for k, value in enumerate(owned)]

    def _substitutions(self, what: str, given: Any) -> dict[Node, Entry]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise DtypeError(f"{what}: {{variable: function}} was expected, but {show(given)} came.")
        found, nodes = {}, set(self._nodes())
        for key, value in given.items():
            node = self._key(what, key)
            if node not in nodes:
                raise ShapeError(f"{what}: {node.name} does not come up in this function.")
            if not isinstance(value, Symbol):
                raise DtypeError(f"{what}: a function should stand in for {node.name}, but {show(value)} came.")
            if node.outputs > 1:
                raise ShapeError(f"{what}: {node.name} has {node.outputs} outputs, and nothing can stand in for one.")
            found[node] = value._single(what)
        return found

    def _ordered_after(self, given: Mapping[Node, Entry]) -> tuple | None:
        """The arguments in their order after a substitution, where it only put variables for variables."""
        if self._ordered is None or any(node in given and not _is_free(given[node].node) for node in self._ordered):
            return None
        return tuple(given[node].node if node in given else node for node in self._ordered)

    def replace_placeholders(self, substitutions: Mapping[Any, Any]) -> Function:
        """The same function with others in the place of its placeholders, or of any variables: a new one.

        >>> p = kernel.placeholder("p")
        >>> f = 2 * p + 1
        >>> f.replace_placeholders({p: kernel.input_variable(3, name="x")})
        Composite(x: Tensor[3]) -> Tensor[3]
        """
        given = self._substitutions("replace_placeholders", substitutions)
        for node in given:
            if not _is_free(node):
                raise ShapeError(f"replace_placeholders: {node.name} is no placeholder; use clone(…, substitutions).")
        return Function._of(substitute(self._entries, given), self._ordered_after(given))

    def find_by_name(self, name: str) -> Function | None:
        """The function inside whose node or block has this name; None if there is none."""
        return find(self, name)

    def as_block(self, name: str) -> Function:
        """The same function as one named thing: it prints under that name, and ``find_by_name`` finds it.

        >>> x = kernel.input_variable(2)
        >>> (kernel.exp(x) / 2).as_block("half")
        half(Tensor[2]) -> Tensor[2]
        """
        name = name_for("as_block", name)
        node, index = self._single("as_block")
        if node.op is None:
            raise ShapeError("as_block: a variable alone is no function to be given a name.")
        block = copy_node(node, name)
        block.layers = (*node.layers, (Block(name), tuple(Entry(n, 0) for n in self._argument_nodes())))
        return Function._of([Entry(block, index)], self._ordered)

    # --- print ---

    def __repr__(self) -> str:
        try:
            nodes = self._argument_nodes()
            outputs = [_type_in_words(node, index) for node, index in self._entries]
        except UnknownSizeError:  # the code needs shapes to be traced
            given = ", ".join(f"{name}: {UNKNOWN}" for name in self._signature())
            return f"Composite({given}) -> {UNKNOWN}"
        given = ", ".join(_type_in_words(n, 0) if n.auto else f"{n.name}: {_type_in_words(n, 0)}" for n in nodes)
        result = outputs[0] if len(outputs) == 1 else f"Tuple[{', '.join(outputs)}]"
        return f"{self._title(nodes)}({given}) -> {result}"

    def _title(self, nodes: list[Node]) -> str:
        """What it is called in print: a layer or an operation alone by its name, everything else Composite."""
        if len(self._entries) > 1:
            return "Composite"
        node = self._entries[0].node
        if node.op is None:
            if node.value is not None:
                return "Constant" if node.role == "constant" else "Parameter"
            return "Input" if nodes == [node] else "Composite"
        if node.layers:
            layer, inputs = node.layers[-1]
            alone = all(entry.node in nodes for entry in inputs)
            return (title_of(layer) if alone else None) or "Composite"
        if all(type(x) is not Entry or x.node.op is None for x in node.inputs):
            return "".join(part.capitalize() for part in node.op.name.split("_"))
        return "Composite"


_variables: weakref.WeakValueDictionary[Node, Function] = weakref.WeakValueDictionary()


def _variable_of(node: Node) -> Function:
    """A variable as a function, always the same object, so that it can be looked up in a dictionary."""
    found = _variables.get(node)
    if found is None:
        found = _variables[node] = Function._of([Entry(node, 0)])
    return found


UNKNOWN = "Sequence[tensor]"  # how a type prints of which nothing is known, as in CNTK
_CPU = device_of("cpu")


def _is_free(node: Node) -> bool:
    """Whether it is a variable that must be given."""
    return node.op is None and node.role == "argument" and node.value is None


def _is_learned(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _type_in_words(node: Node, index: int) -> str:
    """Tensor[28,28], without the axis of the minibatch; a single number for each sample is Tensor[1]."""
    if node.value is not None and node.role != "draw":
        shape = node.value.shape
        return f"Tensor[{','.join('?' if s is None else str(s) for s in shape or ())}]"
    if node.types is None or node.types[index].shape is None:
        return UNKNOWN
    shape = node.types[index].shape
    shape = shape[1:] if shape and shape[0] is None else shape
    kind = "SparseTensor" if node.attr.get(SPARSE) else "Tensor"
    return f"{kind}[{','.join('?' if s is None else str(s) for s in shape or (1,))}]"


def _check_criterion(outputs: Iterable) -> None:
    """Raise unless these can be (loss, metric)."""
    outputs = list(outputs)
    if len(outputs) not in (1, 2):
        raise DtypeError(f"criterion: (loss, metric) was expected, or the loss alone, but {len(outputs)} outputs came.")
    for what, output in zip(("loss", "metric"), outputs, strict=False):
        if len(output._entries) != 1:
            raise DtypeError(
                f"criterion: the {what} must have one output, but it has {len(output._entries)}; choose one, as "
                f"{what}[0]."
            )
    node, index = outputs[0]._entries[0]
    if node.types is not None and not is_float(node.types[index].dtype):
        raise DtypeError(
            f"criterion: the loss must be of a float dtype, to be differentiated, but it is {node.types[index].dtype}; "
            "perhaps loss and metric are the wrong way round."
        )


def criterion(function: Any) -> Function:
    """A Function of (features, labels) that gives (loss, metric), or the loss alone, and is checked for that.

    What is learned from is the loss; if it is not one number it is summed. The metric need not be differentiable. Each
    must have a single output.

    >>> from kernel.layers import Dense
    >>> model = Dense(2)
    >>> @kernel.criterion
    ... def measure(features, labels):
    ...     z = model(features)
    ...     return kernel.cross_entropy_with_softmax(z, labels), kernel.classification_error(z, labels)
    >>> loss, metric = measure([[1.0, 2.0]], [[0.0, 1.0]])
    """
    if isinstance(function, Function):
        if function._of_function is None:
            _check_criterion(function.outputs)
            made = Function._of(function._entries, function._argument_nodes())
        else:
            made = Function(*function._of_function)
    else:
        made = Function(function)
    object.__setattr__(made, "_is_criterion", True)
    return made


def input_variable(shape: Any, is_sparse: bool = False, dtype: Any = "float32", name: str = "") -> Function:
    """A variable that is fed with minibatches: arrays (N, *shape). The axis of the minibatch is not part of the shape.

    Args:
        shape: of one sample; () or a whole number will do.
        is_sparse: whether it is fed with sparse rows, such as one-hot labels. Dense ones are taken too.
        dtype: a float by default.
        name: what it is called in print.

    >>> kernel.input_variable((28, 28), name="images")
    Input(images: Tensor[28,28]) -> Tensor[28,28]
    """
    require_flag("input_variable: is_sparse", is_sparse)
    if not isinstance(name, str):
        raise DtypeError(f"input_variable: name must be a text, but {show(name)} came.")
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    node = variable(name_for("input", name or None), (None, *sizes), dtype)
    node.auto = not name
    if is_sparse:
        node.attr[SPARSE] = "true"
    return _variable_of(node)


def placeholder(name: str = "") -> Function:
    """A variable of which nothing is known yet; ``replace_placeholders`` or a call puts something in its place.

    >>> kernel.placeholder("x")
    Input(x: Sequence[tensor]) -> Sequence[tensor]
    """
    if not isinstance(name, str):
        raise DtypeError(f"placeholder: name must be a text, but {show(name)} came.")
    node = variable(name_for("placeholder", name or None))
    node.auto = not name
    return _variable_of(node)


def combine(*functions: Any) -> Function:
    """Several functions as one with several outputs.

    >>> x = kernel.input_variable(2, name="x")
    >>> kernel.combine([x + 1, x * 2])
    Composite(x: Tensor[2]) -> Tuple[Tensor[2], Tensor[2]]
    """
    if len(functions) == 1 and isinstance(functions[0], list | tuple):
        functions = tuple(functions[0])
    if not functions or not all(isinstance(f, Symbol) for f in functions):
        raise DtypeError(f"combine: a list of functions was expected, but {show(functions)} came.")
    return Function._of(entry for f in functions for entry in f._entries)


# --- arrays ---


def _as_array(x: Any) -> numpy.ndarray:
    """What came for an argument, as a NumPy array."""
    if isinstance(x, Tensor):
        return x.detach().cpu().numpy()
    if hasattr(x, "to_dense"):
        return x.to_dense().detach().cpu().numpy()
    if isinstance(x, list | tuple) and x and all(hasattr(row, "toarray") for row in x):
        x = numpy.concatenate([numpy.atleast_2d(row.toarray()) for row in x])  # SciPy's rows, one for each sample
    if hasattr(x, "toarray"):
        x = x.toarray()
    if isinstance(x, numpy.matrix):
        x = x.A
    return x if type(x) is numpy.ndarray and x.dtype in DTYPES else tensor(x).numpy()


def _constant(x: Any) -> Symbol:
    return Symbol([Entry(node_of(x if isinstance(x, Tensor) else tensor(x)), 0)])


def _host(t: Tensor) -> numpy.ndarray:
    return numpy.array(t.detach().cpu().numpy())


def _one_samples(shapes: Mapping[Node, tuple], even: bool) -> set[Node]:
    """The variables that got one sample alone, without the axis of the minibatch.

    Raises ShapeError for a shape that a variable cannot take and, if ``even``, unless all got as many samples.
    """
    single, counts = set(), {}
    for node, shape in shapes.items():
        declared = node.declared[0]
        if not declared or declared[0] is not None:
            continue
        if len(shape) == len(declared) - 1:
            _require_fits(node, (1, *shape), shape)
            single.add(node)
        else:
            _require_fits(node, shape)
        counts[node] = 1 if node in single else shape[0]
    if (even or single) and len(set(counts.values())) > 1:
        found = ", ".join(f"{node.name} {count}" for node, count in counts.items())
        raise ShapeError(
            f"Function: every argument should get as many samples, but they got: {found}; the first axis counts them."
        )
    return single


def _require_fits(node: Node, shape: tuple, came: tuple | None = None) -> None:
    declared = node.declared[0]
    if declared is None:
        return
    if len(shape) != len(declared) or any(d not in (None, s) for d, s in zip(declared, shape, strict=True)):
        sizes = ", ".join("N" if k == 0 and d is None else str(d) for k, d in enumerate(declared))
        raise ShapeError(
            f"Function: {node.name} takes arrays of shape ({sizes}{',' if len(declared) == 1 else ''}), N samples, but "
            f"one of shape {spell(shape if came is None else came)} came."
        )


def _dtype_for(node: Node, array: Any) -> Any:
    """The dtype in which an array is handed to the argument; whole numbers take no fractions."""
    wanted = node.declared[1] or array.dtype
    if is_float(array.dtype) and not is_float(wanted):
        raise DtypeError(f"Function: {node.name} takes {wanted}, but {array.dtype} came; convert it.")
    return wanted


def _in_dtype(node: Node, array: numpy.ndarray) -> numpy.ndarray:
    """An array in the dtype of the argument; whole numbers that do not fit into it are refused."""
    wanted = _dtype_for(node, array)
    if array.dtype == wanted:
        return array
    return tensor(array, wanted).numpy() if wanted.kind in "iu" else array.astype(wanted)
