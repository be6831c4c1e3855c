"""Executors: a graph bound to arrays, ready to run forward and backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from .creation import tensor
from .errors import DeviceError, DtypeError, GradError, ShapeError, show
from .op import Kind, is_float, require_flag, spell
from .plan import Plan
from .program import Program
from .symbol import Node, Symbol, complete, infer_types, is_known
from .tape import no_grad
from .tensor import Tensor, _is_read_only, _of_kind
from .xp import Device
from .xp import device as device_of

REQUESTS = ("write", "add", "null")


class Executor:
    """A graph with arrays for its variables, and for their gradients.

    ``symbol.simple_bind`` and ``symbol.bind`` make one. The arrays are kernel tensors that stay the same objects: write
    to them (``executor.arg_dict["data"][:] = x``), run ``forward``, read ``outputs``. The next ``forward`` overwrites
    the outputs. Threads need an executor each.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=1, name="fc")
    >>> executor = net.simple_bind(data=(2, 3))
    >>> executor.copy_params_from({"fc_weight": kernel.ones(1, 3), "fc_bias": kernel.zeros(1)})
    >>> executor.forward(is_train=True, data=[[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    [tensor([[6.],
            [1.]])]
    >>> executor.backward(kernel.ones(2, 1))
    >>> executor.grad_dict["fc_weight"]
    tensor([[1., 2., 4.]])
    """

    def __init__(self, symbol: Symbol, device: Device, given: Mapping[Node, Tensor], gradients: Mapping[Node, Any]):
        self.symbol, self.device, self.entries = symbol, device, symbol._entries
        self._given, self.gradients = dict(given), dict(gradients)
        self._arguments, self._auxiliary = symbol._variables("argument"), symbol._variables("auxiliary")
        self._programs: dict[bool, Program] = {}
        self._last: Program | None = None
        self._seen: list[int] = []
        self._spent = False  # whether backward has been run since the last forward

    def tensor_of(self, node: Node) -> Tensor:
        """What a variable is bound to."""
        return self._given.get(node, node.value)

    # --- arrays ---

    @property
    def arg_arrays(self) -> list[Tensor]:
        """The tensors of the arguments, in the order of ``symbol.list_arguments()``."""
        return [self.tensor_of(node) for node in self._arguments]

    @property
    def grad_arrays(self) -> list[Tensor | None]:
        """The tensors that backward writes gradients to; None for an argument that wants none."""
        return [self.gradients[node][1] for node in self._arguments]

    @property
    def aux_arrays(self) -> list[Tensor]:
        """The tensors of the auxiliary states."""
        return [self.tensor_of(node) for node in self._auxiliary]

    @property
    def outputs(self) -> list[Tensor]:
        """What the last forward computed."""
        if self._last is None:
            raise GradError("outputs: there are none; call forward first.")
        return list(self._last.tensors)

    @property
    def arg_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of the arguments."""
        return {node.name: self.tensor_of(node) for node in self._arguments}

    @property
    def grad_dict(self) -> dict[str, Tensor | None]:
        """{name: gradient} of the arguments."""
        return {node.name: self.gradients[node][1] for node in self._arguments}

    @property
    def aux_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of the auxiliary states."""
        return {node.name: self.tensor_of(node) for node in self._auxiliary}

    @property
    def output_dict(self) -> dict[str, Tensor]:
        """{name: tensor} of what the last forward computed."""
        return dict(zip(self.symbol.list_outputs(), self.outputs, strict=True))

    # --- running ---

    def _program(self, training: bool) -> Program:
        program = self._programs.get(training)
        if program is not None:
            for t, array in program.stale:
                if t._array is not array:  # it was moved to another device, or given other data
                    break
            else:
                return program
        if self._last is program:
            self._last = None
        program = self._programs[training] = Program(self, training)
        return program

    def plan(self, is_train: bool = True) -> Plan:
        """What memory a pass takes and where each value lies; prints as a table.

        >>> from kernel import sym
        >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
        >>> net = sym.Activation(net, act_type="relu", name="relu")
        >>> net.simple_bind(data=(2, 4)).plan(is_train=False)
        value        shape   bytes  place                  steps
        fc_output    (2, 3)     24  at 0                   0-2
        relu_output  (2, 3)     24  in place of fc_output  1-2
        64 bytes planned; 128 if every value had its own.
        """
        require_flag("plan: is_train", is_train)
        return self._program(is_train).plan

    def order(self, is_train: bool = True) -> list[Node]:
        """The nodes in the order of computing, as a pass in training, or in use, runs them."""
        require_flag("order: is_train", is_train)
        return list(self._program(is_train).order)

    def forward(self, is_train: bool = False, **arrays: Any) -> list[Tensor]:
        """Compute the outputs from what the arrays hold now.

        Args:
            is_train: whether backward may follow, dropout drops and running statistics are updated.
            arrays: new contents of arguments, by name; they are copied.

        Returns ``outputs``.
        """
        require_flag("forward: is_train", is_train)
        if arrays:
            self._write("forward", arrays, self.arg_dict)
        program = self._program(bool(is_train))
        self._last = None  # should it fail half-way, the arrays hold neither the pass before nor this one
        program.forward()
        self._last, self._spent = program, False
        self._seen = [written[0] for written in program.written]
        return list(program.tensors)

    def backward(self, out_grads: Any = None) -> None:
        """Write (or add) the gradients of the arguments that want them to ``grad_arrays``.

        Args:
            out_grads: the gradient of each output, a tensor or an array, or a list of them; None in it for an output
                whose gradient is 0. It may be left out where every output is one number, or ends in a loss that has no
                use for it.
        """
        program = self._last
        if program is None or not program.training:
            raise GradError("backward: the last forward was not in training; call forward(is_train=True) first.")
        if program.spoilt:
            raise GradError(f"backward: {program.spoilt}.")
        if self._seen != [written[0] for written in program.written]:
            raise GradError(
                "backward: an argument or an output was written to after forward, and the gradient would mix the two; "
                "call forward again."
            )
        heads = self._heads(program, out_grads)
        if self._spent:
            raise GradError("backward: it has been run since the last forward and took its memory; call forward again.")
        self._spent = True
        with self.device.guard():
            program.backward(heads)

    def _heads(self, program: Program, out_grads: Any) -> list:
        if out_grads is None:
            if program.own_heads is None:
                raise GradError(program.why_no_heads)
            return program.own_heads
        given = list(out_grads) if isinstance(out_grads, list | tuple) else [out_grads]
        if len(given) != len(program.tensors):
            raise ShapeError(
                f"backward: there are {len(program.tensors)} outputs, but gradients for {len(given)} came."
            )
        names = self.symbol.list_outputs()
        heads = [self._given_head(*facts) for facts in zip(given, program.tensors, names, strict=True)]
        written = {_memory_of(t) for _, t in self.gradients.values() if t is not None}
        # A head in an array for a gradient may still be read when that is written to.
        heads = [head.clone() if head is not None and _memory_of(head) in written else head for head in heads]
        return [None if head is None else head._array for head in heads]

    def _given_head(self, gradient: Any, output: Tensor, name: str) -> Tensor | None:
        if gradient is None:
            return None
        given = gradient.detach() if isinstance(gradient, Tensor) else tensor(gradient, device=self.device)
        if given.device is not self.device:
            raise DeviceError(
                f"backward: the gradient of {name} is on {given.device}, not on {self.device}; use .to()."
            )
        if given.shape != output.shape:
            raise ShapeError(
                f"backward: the gradient of {name} should have shape {spell(output.shape)}, but it has shape "
                f"{spell(given.shape)}."
            )
        return given.astype(output.dtype)

    # --- contents ---

    def _write(self, what: str, arrays: Mapping[str, Any], into: Mapping[str, Tensor]) -> None:
        """Copy arrays into tensors by name, all or none."""
        values = {}
        for name, value in arrays.items():
            target = into.get(name)
            if target is None:
                raise ShapeError(f"{what}: there is nothing called {show(name)}; there are {', '.join(into)}.")
            value = value.detach() if isinstance(value, Tensor) else tensor(value, dtype=_dtype_for(value, target))
            if value.shape != target.shape:
                raise ShapeError(
                    f"{what}: {name} should have shape {spell(target.shape)}, but {spell(value.shape)} came; for other "
                    "shapes use executor.reshape(…)."
                )
            if is_float(value.dtype) and not is_float(target.dtype):
                raise DtypeError(f"{what}: {name} is {target.dtype}, but {value.dtype} came; convert it with .long().")
            values[name] = value.to(self.device)
        if len(values) > 1:  # a value may lie in what another one is written to, as where two arguments change places
            written = {id(into[name]._written) for name in values}
            values = {name: v.clone() if id(v._written) in written else v for name, v in values.items()}
        with no_grad():
            for name, value in values.items():
                into[name].copy_(value)

    def copy_params_from(
        self,
        arg_params: Mapping[str, Any],
        aux_params: Mapping[str, Any] | None = None,
        allow_extra_params: bool = False,
    ) -> None:
        """Copy values by name into arguments and auxiliary states; all of them, or nothing.

        Raises ShapeError for another shape and, unless ``allow_extra_params``, for a name that the graph has not got.
        """
        for given, into in ((arg_params, self.arg_dict), (aux_params or {}, self.aux_dict)):
            if not isinstance(given, Mapping):
                raise DtypeError(f"copy_params_from: {{name: values}} was expected, but {show(given)} came.")
            for name in given:
                if name not in into and not allow_extra_params:
                    raise ShapeError(
                        f"copy_params_from: there is nothing called {show(name)}; there are {', '.join(into)}. With "
                        "allow_extra_params=True what is not known is left out."
                    )
        everything = self.arg_dict | self.aux_dict
        wanted = {**arg_params, **(aux_params or {})}
        self._write("copy_params_from", {k: v for k, v in wanted.items() if k in everything}, everything)

    def reshape(self, partial_shaping: bool = False, **shapes: Any) -> Executor:
        """An executor of the same graph for other shapes; arrays whose shape stays are shared with this one.

        Args:
            partial_shaping: whether arguments that are not named may change their shape too.
            shapes: the new ones, by name.
        """
        require_flag("reshape: partial_shaping", partial_shaping)
        types, by_name = self._types_for(shapes, partial_shaping)
        given, gradients = {}, {}
        for node in (*self._arguments, *self._auxiliary):
            t, shape = self.tensor_of(node), types[node][0].shape
            if shape != t.shape and node.name not in by_name and not partial_shaping:
                raise ShapeError(
                    f"reshape: {node.name} would get shape {spell(shape)} for {spell(t.shape)}, though it was not "
                    "named; give its shape too, or allow it with partial_shaping=True."
                )
            given[node] = t if shape == t.shape else zeros_of(shape, t.dtype, self.device)
        for node, (request, gradient) in self.gradients.items():
            same = gradient is None or gradient.shape == given[node].shape
            new = gradient if same else zeros_of(given[node].shape, gradient.dtype, self.device)
            gradients[node] = (request, new)
        return Executor(self.symbol, self.device, given, gradients)

    def _types_for(self, shapes: Mapping[str, Any], partial: bool) -> tuple[dict, set]:
        """All types after a change of shapes: what is not named keeps its own as far as that still fits."""
        by_node, _ = self.symbol.by_node("reshape", shapes, {})
        dtypes = {node: self.tensor_of(node).dtype for node in (*self._arguments, *self._auxiliary)}
        types = infer_types((e.node for e in self.entries), by_node, dtypes)
        for node in (*self._arguments, *self._auxiliary):
            if not is_known(types[node][0].shape):
                by_node[node] = self.tensor_of(node).shape
        return infer_types((e.node for e in self.entries), by_node, dtypes), set(shapes)

    def __repr__(self) -> str:
        return f"<Executor of {', '.join(self.symbol.list_outputs())} on {self.device}>"


def _dtype_for(value: Any, target: Tensor) -> Any:
    """In which dtype plain numbers are read: the target's, unless that would lose what is behind the point."""
    try:
        kind = numpy.asarray(value).dtype.kind
    except ValueError:  # rows of several lengths, which tensor() refuses in words
        return None
    return target.dtype if kind in "iub" or is_float(target.dtype) else None


def zeros_of(shape: tuple, dtype: Any, device: Device) -> Tensor:
    """A tensor of zeros, off the tape."""
    with device.guard():
        return _of_kind(device.xp.zeros(shape, dtype), Kind.of(shape, dtype, device))


def _requests(symbol: Symbol, arguments: list[Node], grad_req: Any) -> dict[Node, str]:
    """What is to become of each argument's gradient."""
    if isinstance(grad_req, str):
        wanted = dict.fromkeys(arguments, grad_req)
    elif isinstance(grad_req, Mapping):
        names = {node.name for node in arguments}
        for name in grad_req:
            if name not in names:
                raise ShapeError(
                    f"bind: grad_req names {show(name)}, but there are {', '.join(symbol.list_arguments())}."
                )
        wanted = {node: grad_req.get(node.name, "null") for node in arguments}
    elif isinstance(grad_req, list | tuple) and len(grad_req) == len(arguments):
        wanted = dict(zip(arguments, grad_req, strict=True))
    else:
        raise DtypeError(
            f"bind: grad_req should be one of {', '.join(REQUESTS)}, a list of one for each of the {len(arguments)} "
            f"arguments, or {{name: request}}, but {show(grad_req)} came."
        )
    for node, request in wanted.items():
        if request not in REQUESTS:
            raise DtypeError(f"bind: grad_req of {node.name} must be {', '.join(REQUESTS)}, but {show(request)} came.")
    return wanted


def _simple_bind(
    self: Symbol, device: Any = None, grad_req: Any = "write", type_dict: Any = None, *, ctx: Any = None, **shapes: Any
) -> Executor:
    """An executor with new arrays of zeros, whose shapes follow from those of some arguments.

    Args:
        device: where it runs; MXNet calls it ``ctx``.
        grad_req: what backward does with the gradient of each argument: "write", "add" to what is there, or "null" for
            none; one for all, a list in the order of ``list_arguments()``, or {name: request}, "null" for the others.
        type_dict: {name: dtype}; float32 if nothing is said.
        shapes: of arguments, by name.

    Raises ShapeError where shapes do not fit, and where some do not follow from what was given, naming them.

    >>> from kernel import sym
    >>> net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    >>> [array.shape for array in net.simple_bind(data=(5, 4)).arg_arrays]
    [(5, 4), (3, 4), (3,)]
    """
    if device is not None and ctx is not None:
        raise DtypeError("simple_bind: device and ctx are two names of one argument; give one of them.")
    place = device_of("cpu" if device is None and ctx is None else ctx if device is None else device)
    if type_dict is not None and not isinstance(type_dict, Mapping):
        raise DtypeError(f"simple_bind: type_dict should be {{name: dtype}}, but {show(type_dict)} came.")
    arguments, auxiliary = self._variables("argument"), self._variables("auxiliary")
    requests = _requests(self, arguments, grad_req)
    types = infer_types((e.node for e in self._entries), *self.by_node("simple_bind", shapes, type_dict or {}))
    unknown = [
        f"{node.name} {spell(types[node][0].shape)}"
        for node in (*arguments, *auxiliary)
        if not is_known(types[node][0].shape)
    ]
    if unknown:
        given = ", ".join(f"{name}={shape}" for name, shape in shapes.items()) or "nothing"
        raise ShapeError(
            f"simple_bind: {given} was given, and from that the shapes of these arguments do not follow: "
            f"{', '.join(unknown)}; give more shapes."
        )
    given = {}
    for node in (*arguments, *auxiliary):
        complete(node, types[node][0].shape)
        given[node] = zeros_of(*types[node][0], place) if node.value is None else node.value
    _require_there(place, given)
    return _executor(self, place, given, requests, {})


def _bind(
    self: Symbol,
    device: Any,
    args: Any,
    args_grad: Any = None,
    grad_req: Any = "write",
    aux_states: Any = None,
) -> Executor:
    """An executor on arrays that are given, which it uses as they are.

    Args:
        device: where it runs, and where the arrays are.
        args: kernel tensors for the arguments: a list in the order of ``list_arguments()``, or {name: tensor}.
        args_grad: where gradients are written, likewise; made here where there is none and grad_req wants one.
        grad_req: as for ``simple_bind``.
        aux_states: tensors for the auxiliary states.
    """
    place = device_of(device)
    arguments, auxiliary = self._variables("argument"), self._variables("auxiliary")
    given = _by_node("args", arguments, args) | _by_node(
        "aux_states", auxiliary, {} if aux_states is None else aux_states
    )
    for node in (*arguments, *auxiliary):
        if node not in given and node.value is None:
            raise ShapeError(
                f"bind: nothing was given for {node.name}; there are "
                f"{', '.join(n.name for n in (*arguments, *auxiliary))}."
            )
    shapes = {node: t.shape for node, t in given.items()}
    types = infer_types((e.node for e in self._entries), shapes, {node: t.dtype for node, t in given.items()})
    for node in (*arguments, *auxiliary):
        complete(node, types[node][0].shape)
        given.setdefault(node, node.value)
    _require_there(place, given)
    gradients = _by_node("args_grad", arguments, {} if args_grad is None else args_grad)
    written = {f"state {node.name}": given[node] for node in auxiliary}
    written |= {f"the gradient of {node.name}": gradient for node, gradient in gradients.items()}
    _require_apart({f"argument {node.name}": given[node] for node in arguments}, written)
    for node, gradient in gradients.items():
        if gradient.shape != given[node].shape or gradient.dtype != given[node].dtype or gradient.device is not place:
            raise ShapeError(
                f"bind: the gradient of {node.name} should be {given[node].dtype} of shape "
                f"{spell(given[node].shape)} on {place}, but it is {gradient.dtype} of shape "
                f"{spell(gradient.shape)} on {gradient.device}."
            )
    return _executor(self, place, given, _requests(self, arguments, grad_req), gradients)


def _require_there(device: Device, given: Mapping[Node, Tensor]) -> None:
    for node, t in given.items():
        if t.device is not device:
            raise DeviceError(f"bind: {node.name} is on {t.device}, but the executor on {device}; use .to('{device}').")


def _require_apart(read: Mapping[str, Tensor], written: Mapping[str, Tensor]) -> None:
    """Raise if what a pass writes to cannot be written to, or is memory of something else."""
    known: dict[int, list] = {}  # by the memory that they are views of
    for name, t in read.items():
        known.setdefault(_memory_of(t), []).append((name, t))
    for name, t in written.items():
        if _is_read_only(t):
            raise GradError(
                f"bind: {name} would be written to memory that cannot be written to; give a copy, with .clone()."
            )
        beside = known.setdefault(_memory_of(t), [])
        for other, there in beside:
            if t.device.xp.may_share_memory(t._array, there._array):
                raise GradError(
                    f"bind: {name} would be written over {other}, with which it shares memory; give it memory of its "
                    "own."
                )
        beside.append((name, t))


def _memory_of(t: Tensor) -> int:
    """Which memory it is a view of, also where NumPy's arrays, or another library's, are views of that too."""
    owner = t._array
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    return id(owner)


def _by_node(what: str, nodes: list[Node], given: Any) -> dict[Node, Tensor]:
    """Tensors that were given by name, or as a list, by their variables."""
    if isinstance(given, Mapping):
        named = {node.name: node for node in nodes}
        for name in given:
            if name not in named:
                raise ShapeError(f"bind: {what} names {show(name)}, but there are {', '.join(named) or 'none'}.")
        found = {named[name]: t for name, t in given.items()}
    elif isinstance(given, list | tuple):
        if len(given) != len(nodes):
            names = ", ".join(node.name for node in nodes)
            raise ShapeError(f"bind: {what} should hold {len(nodes)} tensors ({names}), but {len(given)} came.")
        found = dict(zip(nodes, given, strict=True))
    else:
        raise DtypeError(f"bind: {what} should be a list of tensors or {{name: tensor}}, but {show(given)} came.")
    for node, t in found.items():
        if not (isinstance(t, Tensor) or (t is None and what == "args_grad")):
            raise DtypeError(f"bind: {node.name} should be a kernel tensor, but {show(t)} came; use kernel.tensor(…).")
    return {node: t for node, t in found.items() if t is not None}


def _executor(symbol: Symbol, device: Device, given: dict, requests: dict, gradients: dict) -> Executor:
    kept = {}
    for node, request in requests.items():
        t = given[node]
        kept[node] = (request, None)
        if request != "null":
            kept[node] = (request, gradients[node] if node in gradients else zeros_of(t.shape, t.dtype, device))
    return Executor(symbol, device, given, kept)


def _eval(self: Symbol, device: Any = "cpu", **arrays: Any) -> list[Tensor]:
    """The outputs for these arrays, as in use: bound, run forward once, and forgotten.

    >>> from kernel import sym
    >>> (sym.Variable("a") + 1).eval(a=[1.0, 2.0])
    [tensor([2., 3.])]
    """
    place = device_of(device)
    given = {
        name: x.detach().to(place) if isinstance(x, Tensor) else tensor(x, device=place) for name, x in arrays.items()
    }
    return self.bind(place, given, grad_req="null").forward()


Symbol.simple_bind, Symbol.bind, Symbol.eval = _simple_bind, _bind, _eval
