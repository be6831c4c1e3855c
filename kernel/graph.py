"""Graphs as things to look at, to search, to keep in a file, and to compute step by step on tensors."""

from __future__ import annotations

import inspect
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy

from .apply import apply
from .creation import tensor
from .errors import DtypeError, FileError, show
from .op import NUMBERS, registry
from .parameter import Buffer, Parameter
from .program import specialise
from .symbol import ROLES, Entry, Node, Symbol, by_mode, finish, topological, variable
from .tape import no_grad
from .xp import default_generator

FORMAT, VERSION = "gradschool-symbol", 1


class Block:
    """A name for a part of a graph, where there is no layer to give it one; None where it is made of several."""

    def __init__(self, name: str | None):
        self.name = name


def title_of(layer: Any) -> str | None:
    """What the result of a layer or block alone is called; None of one that is made of others."""
    if isinstance(layer, Block):
        return layer.name
    return None if list(layer.children()) else type(layer).__name__


# --- computing, node by node ---


def evaluate(entries: Iterable[Entry], given: Mapping[Node, Any], training: bool = False) -> list[Any]:
    """The outputs, computed now, operation by operation, on tensors: eagerly, so that the tape records it.

    Args:
        entries: the outputs that are wanted.
        given: {variable: tensor}; variables that stand for a tensor need none.
        training: whether dropout drops and running statistics are updated.
    """
    outputs, updates, order = specialise(entries, training)
    values: dict[Entry, Any] = {}
    for node in order:
        if node.role == "draw":
            values[Entry(node, 0)] = int((node.value or default_generator).host.integers(2**63))
        elif node.op is None:
            values[Entry(node, 0)] = given.get(node, node.value)
        else:
            found = apply(node.op, *(values[x] if type(x) is Entry else x for x in node.inputs), **node.attributes)
            for k, result in enumerate(found if node.op.outputs > 1 else (found,)):
                values[Entry(node, k)] = result
    with no_grad():
        for target, entry in updates:
            given.get(target, target.value).copy_(values[entry])
    return [values[entry] for entry in outputs]


# --- searching ---


def find(symbol: Symbol, name: str) -> Any:
    """The symbol of the node with this name; None if there is none."""
    for node in symbol._nodes():
        if node.name == name:
            return symbol._of([Entry(node, k) for k in range(node.outputs)])
    return None


# --- files ---


def _tojson(self: Symbol) -> str:
    """The graph as text: nodes, operands, attributes and names; no numbers but those of constants.

    ``sym.load_json`` makes the symbol again.
    """
    return json.dumps(to_data(self._entries, {}), indent=1)


def to_data(entries: Iterable[Entry], kept: Mapping[Node, str], arguments: Iterable[Node] = ()) -> dict[str, Any]:
    """The graph as what JSON can spell.

    ``kept`` says under which name the values of a variable are kept elsewhere, ``arguments`` in which order they come.
    """
    nodes = topological([*(entry.node for entry in entries), *arguments])
    number = {node: i for i, node in enumerate(nodes)}

    def spelled(x: Any) -> Any:
        return [number[x.node], x.index] if type(x) is Entry else {"number": _encoded(x)}

    listed = []
    for node in nodes:
        entry: dict[str, Any] = {"op": None if node.op is None else node.op.name, "name": node.name}
        if node.op is None:
            shape, dtype = node.declared
            if node.value is not None and node.role != "draw":
                shape, dtype = node.value.shape, node.value.dtype
            entry |= {"role": node.role, "shape": _encoded(shape), "dtype": None if dtype is None else str(dtype)}
            if node in kept:
                entry |= {"kept": kept[node], "learned": node.value.requires_grad}
            elif node.role == "constant":
                # As attributes are spelled, for nan and infinity, which JSON has not; a list of plain numbers as it is.
                numbers = node.value.detach().cpu().numpy()
                finite = numbers.dtype.kind != "f" or bool(numpy.isfinite(numbers).all())
                entry["value"] = numbers.tolist() if finite else _encoded(numbers.ravel().tolist())
            if node.auto:
                entry["auto"] = True
        else:
            if node.op is not by_mode and registry.get(node.op.name) is not node.op:
                raise DtypeError(f"tojson: {node.name} is computed by {node.op.name}, which a file cannot name.")
            entry["inputs"] = [spelled(x) for x in node.inputs]
            entry["attributes"] = {key: _encoded(value) for key, value in node.attributes.items()}
        if node.layers and all(x.node in number for _, taken in node.layers for x in taken):
            entry["layers"] = [[title_of(layer), [spelled(x) for x in taken]] for layer, taken in node.layers]
        if node.updates:
            entry["updates"] = [[spelled(target), spelled(value)] for target, value in node.updates]
        if node.attr:
            entry["attr"] = node.attr
        listed.append(entry)
    heads = [[number[node], index] for node, index in entries]
    data = {"format": FORMAT, "version": VERSION, "nodes": listed, "heads": heads}
    return data | ({"arguments": [number[node] for node in arguments]} if arguments else {})


def _save(self: Symbol, path: str | os.PathLike) -> None:
    """Write ``tojson()`` to a file; ``sym.load`` reads it."""
    if not isinstance(path, str | os.PathLike):
        raise DtypeError(f"save: a path was expected, but {show(path)} came.")
    text = self.tojson()
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FileError(f"save: {path} cannot be written: {error.strerror}.") from None


Symbol.tojson, Symbol.save = _tojson, _save


def _encoded(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | numpy.integer):
        return int(value)
    if isinstance(value, float | numpy.floating):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, tuple | list):
        return {"tuple": [_encoded(item) for item in value]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, numpy.dtype) or (isinstance(value, type) and issubclass(value, numpy.generic)):
        return {"dtype": str(numpy.dtype(value))}
    raise DtypeError(f"tojson: an attribute {show(value)} cannot be spelled in a file.")


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tuple":
        return tuple(map(_decoded, inner))
    return {"float": float, "ellipsis": lambda _: Ellipsis, "dtype": numpy.dtype}[kind](inner)


def from_json(data: Any) -> Symbol:
    """The symbol that ``tojson`` spelled, given what ``json.loads`` made of the text."""
    return from_data(data, {})[0]


def from_data(data: Any, kept: Mapping[str, Any]) -> tuple[Symbol, list[Node]]:
    """(symbol, arguments in their order) that ``to_data`` spelled, given the values that are kept elsewhere."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FileError("load_json: this is no graph that symbol.tojson() wrote.")
    if not isinstance(data.get("version"), int) or data["version"] > VERSION:
        raise FileError(
            f"load_json: this graph is of version {show(data.get('version'))} of the format, and this kernel reads up "
            f"to {VERSION}; update gradschool."
        )
    nodes: list[Node] = []

    def entry(pair: Any) -> Any:
        if isinstance(pair, dict):
            number = _decoded(pair["number"])
            if type(number) not in NUMBERS:
                raise ValueError(f"{show(number)} is no number")
            return number
        node, index = nodes[_index(pair[0], len(nodes))], pair[1]
        return Entry(node, _index(index, node.outputs))

    where = "its nodes"
    try:
        for item in data["nodes"]:
            where = f"node {len(nodes)}"
            nodes.append(_node(item, entry, kept))
        where = "its heads"
        heads = [entry(pair) for pair in data["heads"]]
        if not heads or not all(type(head) is Entry for head in heads):
            raise ValueError("each must be the output of a node, and one there must be")
        symbol = Symbol(heads)
        where = "its arguments"
        arguments = [nodes[_index(i, len(nodes))] for i in data.get("arguments", ())]
        if any(node.op is not None or node.role != "argument" or node.value is not None for node in arguments):
            raise ValueError("each must be a variable that is given")
        return symbol, arguments
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, RecursionError, OverflowError) as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise FileError(f"load_json: {where} cannot be as tojson writes it: {said.rstrip('.')}.") from None


def _index(value: Any, size: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < size:
        raise ValueError(f"{show(value)} does not number anything that comes before it.")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is no name")
    return value


def _require_attributes(op: Any, attributes: Mapping[str, Any]) -> None:
    """Raise for values that no function here hands to ``op``, and that it therefore does not look at."""
    for name, parameter in inspect.signature(op.infer).parameters.items():
        if type(parameter.default) is bool and type(attributes.get(name, True)) is not bool:
            raise ValueError(f"{name} is {show(attributes[name])}, and not true or false")
    for part in attributes.get("pattern", ()):
        if isinstance(part, tuple):
            kind, *limits = part
            if kind != "slice" or len(limits) != 3 or not all(type(x) in (int, type(None)) for x in limits):
                raise ValueError(f"{show(part)} is no slice")
            if limits[2] is not None and limits[2] < 1:
                raise ValueError(f"{limits[2]} is no step of a slice")


def _node(item: dict, entry: Any, kept: Mapping[str, Any]) -> Node:
    if item["op"] is not None:
        op = by_mode if item["op"] == by_mode.name else registry.get(item["op"])
        if op is None:
            raise ValueError(f"there is no operation called {show(item['op'])} here.")
        attributes = {key: _decoded(value) for key, value in item["attributes"].items()}
        _require_attributes(op, attributes)
        node = Node(op, tuple(map(entry, item["inputs"])), attributes, _text(item["name"]))
        if not any(type(x) is Entry for x in node.inputs):
            raise ValueError("an operation needs an operand that is no number")
        node.updates = tuple((entry(target), entry(value)) for target, value in item.get("updates", ()))
        finish(node)
        for title, taken in item.get("layers", ()):
            node.layers += ((Block(None if title is None else _text(title)), tuple(map(entry, taken))),)
    elif item["role"] not in ROLES:
        raise ValueError(f"there is no role {show(item['role'])}.")
    elif item["role"] == "draw":
        node = Symbol._draw(None)._entries[0].node
        node.name = _text(item["name"])
    else:
        node = variable(item["name"], _decoded(item["shape"]), item["dtype"], item["role"])
        if "kept" in item:
            values = kept[item["kept"]]
            made = {"argument": Parameter, "auxiliary": Buffer, "constant": tensor}[item["role"]](values)
            node.value = made.requires_grad_(item["learned"]) if item["role"] == "argument" else made
        elif item["role"] == "constant":
            node.value = tensor(_decoded(item["value"]), dtype=item["dtype"]).reshape(_decoded(item["shape"]))
    node.auto = bool(item.get("auto", False))
    node.attr = {str(key): str(text) for key, text in item.get("attr", {}).items()}
    return node
