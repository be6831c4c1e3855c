"""A small language for update rules: lines such as `v = 0.9*v + g` and `w = w - rate*v`, read and never run as Python.

A line gives a name a value made of numbers, names, + - * / ** and a few functions. `w` is the parameter, `g` its
gradient, `rate` the learning rate, and `t` counts the steps from 1. A name that is read before a line gives it a value
is state: it begins with 0 and is kept from step to step. Every mistake is told in a sentence, with the place.
"""

from __future__ import annotations

import ast
import copy
import difflib
import keyword
import math
import operator
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import kernel
from kernel.learners import Program

GIVEN = ("w", "g", "rate", "t")
FUNCTIONS = {name: getattr(kernel, name) for name in ("sqrt", "abs", "sign", "maximum", "minimum", "exp", "log")}
LONGEST, MOST_LINES = 200, 20
_LARGEST = 1e300
_TWO = ("maximum", "minimum")
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_OF_NUMBERS = {
    "sqrt": math.sqrt,
    "abs": abs,
    "maximum": max,
    "minimum": min,
    "exp": math.exp,
    "log": math.log,
    "sign": lambda x: float((x > 0) - (x < 0)),
}
# What the code of `Formula.code` calls its own things.
_TAKEN = ("kernel", "zip", "steps", "parameters", "gradients", "update", "learner", "model")
_EXAMPLE = "w = w - rate*g"
_TYPED_AS = {"−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "←": "=", "²": "**2", "√": "sqrt"}
_NO_CONDITIONS = "there are no conditions and loops here; sign, maximum and minimum can stand for many of them."


class RuleError(ValueError):
    """A mistake in a rule: where it is, and what it is."""


@dataclass(frozen=True)
class Formula:
    """An update rule: its lines, as (name, expression), and the names of its state."""

    lines: tuple[tuple[str, ast.expr], ...]
    state: tuple[str, ...]

    def __call__(self, w: Any, g: Any, rate: Any, t: Any, **state: Any) -> tuple:
        """(new w, new states in the order of `state`), of numbers, tensors or symbols.

        >>> read("v = 0.5*v + g; w = w - rate*v")(1.0, 2.0, rate=0.1, t=1, v=4.0)
        (0.6, 4.0)
        """
        names = {"w": w, "g": g, "rate": rate, "t": t, **state}
        for name, expression in self.lines:
            names[name] = _value(expression, names)
        return tuple(names[name] for name in ("w", *self.state))

    @cached_property
    def program(self) -> Program:
        """The calls that compute it in place.

        >>> print(read("w -= rate*g").program.python)
        def update(s1, w, g, rate, t):
            multiply(rate, g, out=s1)
            subtract(w, s1, out=w)
        """

        def formula(**names: Any) -> tuple:
            # A plain number takes the shape of what it is to replace.
            return tuple(
                0 * names[name] + value if isinstance(value, int | float) else value
                for name, value in zip(("w", *self.state), self(**names), strict=True)
            )

        return Program(formula, ("w", "g", *self.state), ("w", *self.state), ("rate", "t"))

    def code(self, rate: float) -> str:
        """The same rule as a learner of one's own, in Python.

        >>> print(read("v = 0.9*v + g; w = w - rate*v").code(0.1))
        def update(parameters, gradients, rate):
            steps = []
            for w, g in zip(parameters, gradients):
                v = kernel.constant(0, w.shape, w.dtype)
                v = kernel.assign(v, 0.9 * v + g)
                w = kernel.assign(w, w - rate * v)
                steps += [v, w]
            return steps
        <BLANKLINE>
        learner = kernel.universal(update, model.parameters(), lr=0.1)
        """
        kept = (*self.state, "w")
        assigned = [name for name, _ in self.lines]
        counts = any(node.id == "t" for _, expression in self.lines for node in _names_in(expression))
        body = [f"{name} = kernel.constant(0, w.shape, w.dtype)" for name in self.state]
        body += ["t = kernel.constant(0, dtype=w.dtype)", "t = kernel.assign(t, t + 1)"] if counts else []
        # What gets several values in a step is assigned to by the last of them.
        body += [f"old_{name} = {name}" for name in kept if assigned.count(name) > 1]
        for i, (name, expression) in enumerate(self.lines):
            value = ast.unparse(_Qualified().visit(copy.deepcopy(expression)))
            if name in kept and name not in assigned[i + 1 :]:
                target = f"old_{name}" if assigned.count(name) > 1 else name
                value = f"kernel.assign({target}, {value})"
            body.append(f"{name} = {value}")
        body.append(f"steps += [{', '.join((*(['t'] if counts else []), *kept))}]")
        lines = [
            "def update(parameters, gradients, rate):",
            "    steps = []",
            "    for w, g in zip(parameters, gradients):",
            *(f"        {line}" for line in body),
            "    return steps",
            "",
            f"learner = kernel.universal(update, model.parameters(), lr={rate:g})",
        ]
        return "\n".join(lines)


class _Qualified(ast.NodeTransformer):
    """Functions by their whole name: kernel.sqrt."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        node.func = ast.Attribute(ast.Name("kernel", ast.Load()), node.func.id, ast.Load())
        return node


def read(text: str) -> Formula:
    """The rule that is written in a text: lines, or parts of a line with ; between them.

    Raises RuleError, a ValueError, whose sentence says where the mistake is and what to write.

    >>> read("v = 0.9*v + g\\nw = w - rate*v").state
    ('v',)
    >>> read("w = w - rate*sqr(g)")
    Traceback (most recent call last):
    ...
    widgets.update_rules.RuleError: column 14: there is no function sqr; did you mean sqrt?
    """
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise RuleError(f"A rule has at most {MOST_LINES} lines, and this one has {len(lines)}.")
    steps = []
    for number, line in enumerate(lines):
        where = f"line {number + 1}, " if len(lines) > 1 else ""
        for statement in _statements(line, where):
            steps.append((where, *_assignment(statement, where)))
    if not any(name == "w" for _, name, _ in steps):
        raise RuleError(f"No line gives w a new value: let one begin with w = , as in {_EXAMPLE}.")
    state = _state(steps)
    return Formula(tuple((name, expression) for _, name, expression in steps), state)


def _statements(line: str, where: str) -> list[ast.stmt]:
    """What Python's parser makes of a line, with columns as a reader counts them."""
    line = line.partition("#")[0].rstrip()
    stripped = line.lstrip()
    indent = len(line) - len(stripped)
    if len(line) > LONGEST:
        raise RuleError(f"{where}column {LONGEST + 1}: a line has at most {LONGEST} characters; use several.")
    for column, letter in enumerate(line, 1):
        if letter in _TYPED_AS:
            raise RuleError(f"{where}column {column}: write {_TYPED_AS[letter]} in the place of {letter}.")
    powers_of_ten = re.sub(r"\d[eE][-+]?\d", lambda found: "0" * len(found[0]), line)
    if found := re.search(r"(?<![\w.])(\d+\.?\d*|\.\d+)([^\W\d]|\()", powers_of_ten):
        number = line[slice(*found.span(1))]
        raise RuleError(f"{where}column {found.start(2) + 1}: write * after {number}, or it is no product.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(stripped).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = min(getattr(error, "offset", None) or 1, len(stripped) + 1)
        raise RuleError(f"{where}{_syntax(error, line, indent + offset)}") from None
    for statement in statements:
        for node in ast.walk(statement):
            if hasattr(node, "col_offset"):  # Python counts bytes
                node.col_offset = indent + len(stripped.encode()[: node.col_offset].decode(errors="ignore"))
    return statements


def _syntax(error: Exception, line: str, column: int) -> str:
    """Python's complaint, in the words of this language."""
    word = next((found for found in re.finditer(r"\w+", line) if keyword.iskeyword(found[0])), None)
    said = str(getattr(error, "msg", ""))
    if word and word[0] in ("if", "else", "and", "or", "not", "for", "while"):
        return f"column {word.start() + 1}: {_NO_CONDITIONS}"
    if word:
        return f"column {word.start() + 1}: {word[0]} is a word of Python's own; take another name."
    if "was never closed" in said:
        return f"column {column}: this bracket is opened and never closed."
    if "unmatched" in said:
        return f"column {column}: this bracket is closed and was never opened."
    if line.endswith(("=", "+", "-", "*", "/", "(", ",")):
        return f"column {len(line) + 1}: the line ends too soon; what comes after {line[-1]}?"
    return f"column {column}: this is not understood; a line looks like {_EXAMPLE}, with a * in every product."


def _assignment(statement: ast.stmt, where: str) -> tuple[str, ast.expr]:
    """(the name, the value) of one line."""

    def refuse(node: ast.AST, sentence: str) -> RuleError:
        return RuleError(f"{where}column {getattr(node, 'col_offset', 0) + 1}: {sentence}")

    match statement:
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
            pass
        case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
            old = ast.copy_location(ast.Name(name, ast.Load()), target)
            value = ast.copy_location(ast.BinOp(old, op, value), target)
        case ast.Expr(value=ast.Compare(ops=[ast.Eq()])):
            raise refuse(statement, "== compares; write = once to give a name a value.")
        case ast.Expr():
            raise refuse(statement, f"give the result a name, as in {_EXAMPLE}.")
        case ast.Assign(targets=[*_, target]):
            raise refuse(target, "one name should stand on the left of one =.")
        case ast.If() | ast.For() | ast.While():
            raise refuse(statement, _NO_CONDITIONS)
        case _:
            raise refuse(statement, f"only lines that give a name a value are understood, as {_EXAMPLE}.")
    if name == "t":
        raise refuse(target, "t counts the steps by itself; take another name.")
    if name in FUNCTIONS or name in _TAKEN:
        raise refuse(target, f"{name} has a meaning already; take another name.")
    return name, _checked(value, refuse)


def _checked(node: ast.expr, refuse: Any) -> ast.expr:
    """The expression, functions of numbers computed; names are looked at later, when all lines are known."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if abs(value) > _LARGEST:
                raise refuse(node, "this number is too large.")
            return ast.copy_location(ast.Constant(value if abs(value) < 2**31 else float(value)), node)
        case ast.Name():
            return node
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            made = ast.UnaryOp(op, _checked(operand, refuse))
        case ast.BinOp(op=ast.BitXor()):
            raise refuse(node, "a power is written with **, as in g**2; ^ is none.")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            made = ast.BinOp(_checked(left, refuse), op, _checked(right, refuse))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=named):
            made = _checked_call(node, name, given, named, refuse)
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Attribute(attr=name):
            raise refuse(node, f"nothing stands before a dot here: write sqrt(a), not np.sqrt(a), and no .{name}.")
        case ast.Call():
            raise refuse(node, "a * is missing before this bracket.")
        case ast.Compare() | ast.IfExp() | ast.BoolOp():
            raise refuse(node, _NO_CONDITIONS)
        case _:
            raise refuse(node, "only numbers, names, + - * / ** and functions are understood.")
    ast.copy_location(made, node)
    return _folded(made, node, refuse)


def _checked_call(node: ast.Call, name: str, given: list, named: list, refuse: Any) -> ast.Call:
    if name not in FUNCTIONS:
        if name in GIVEN or len(name) == 1:
            raise refuse(node, f"{name} is no function; a product is written {name}*(…).")
        close = difflib.get_close_matches({"max": "maximum", "min": "minimum"}.get(name, name), FUNCTIONS, 1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(FUNCTIONS)}."
        raise refuse(node, f"there is no function {name}; {known}")
    wanted, example = (2, f"{name}(a, b)") if name in _TWO else (1, f"{name}(a)")
    if named or len(given) != wanted or any(isinstance(value, ast.Starred) for value in given):
        raise refuse(node, f"{name} takes {('one value', 'two values')[wanted - 1]}, as in {example}.")
    return ast.Call(node.func, [_checked(value, refuse) for value in given], [])


def _folded(made: ast.expr, node: ast.expr, refuse: Any) -> ast.expr:
    """What holds no name must be a number; a function of numbers is replaced by its value."""
    if next(_names_in(made), None):
        return made
    try:
        value = _value(made, {})
    except (ArithmeticError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not abs(value) <= _LARGEST:
        raise refuse(node, f"{ast.unparse(made)} is no number.")
    return ast.copy_location(ast.Constant(value), node) if isinstance(made, ast.Call) else made


def _names_in(node: ast.expr) -> Iterator[ast.Name]:
    """The names that an expression reads, from left to right; those of functions are none."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Name):
            yield part
        waiting.extend(reversed(part.args if isinstance(part, ast.Call) else list(ast.iter_child_nodes(part))))


def _state(steps: list[tuple[str, str, ast.expr]]) -> tuple[str, ...]:
    """The names that are read before a line gives them a value; those that no line does are refused."""
    known, assigned, state = set(GIVEN), {name for _, name, _ in steps}, []
    for where, name, expression in steps:
        for node in _names_in(expression):
            if node.id in known:
                continue
            if node.id not in assigned:
                raise RuleError(f"{where}column {node.col_offset + 1}: {_unknown(node.id, assigned)}")
            state.append(node.id)
            known.add(node.id)
        known.add(name)
    return tuple(state)


def _unknown(name: str, assigned: set[str]) -> str:
    if name in FUNCTIONS:
        return f"{name} is a function; what of? Write {name}(…)."
    names = (*GIVEN, *sorted(assigned - set(GIVEN)))
    close = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]}?" if close else f"the names are {', '.join(names)}."
    return f"no line gives {name} a value; {hint}"


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression comes to, of numbers, tensors or symbols."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, names)
            return -value if isinstance(op, ast.USub) else value
        case ast.Call(func=ast.Name(id=name), args=given):
            values = [_value(value, names) for value in given]
            are_numbers = all(isinstance(value, int | float) for value in values)
            return (_OF_NUMBERS if are_numbers else FUNCTIONS)[name](*values)
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _value(left, names), _value(right, names)
            if isinstance(op, ast.Pow) and isinstance(one, int) and isinstance(other, int):
                one = float(one)  # a whole number to a whole power can fill the memory
            return _OPERATORS[type(op)](one, other)
    raise AssertionError(f"{ast.dump(node)} was let through")
