"""What can be said of a student's cell without running it."""

import ast
import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 200_000
MOST_NUMBERS = 8
# Calls of these stand in the cells of a notebook and mean nothing in the worker.
COMMANDS = {"check", "hint", "solution", "reset", "progress_map"}


@dataclass(frozen=True)
class Cell:
    """A cell made ready for the worker: `source` keeps its lines; `problem` and `line` say why it cannot be read."""

    source: str
    tree: ast.Module | None
    problem: str = ""
    line: int | None = None


def prepare(source: str) -> Cell:
    """Blank out magics, shell lines and calls of `check` and its like, then parse."""
    if len(source) > LONGEST:
        return Cell("", None, f"it is longer than {LONGEST:,} characters")
    lines = ["" if line.startswith(("%", "!")) else line for line in source.splitlines()]
    text = "\n".join(lines) + "\n"
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return Cell(text, None, error.msg, error.lineno)
    except (ValueError, RecursionError, MemoryError) as error:
        return Cell(text, None, str(error) or "it is nested too deeply")
    for statement in tree.body:
        if _is_command(statement):
            first, last = statement.lineno - 1, statement.end_lineno
            lines[first:last] = [""] * (last - first)
    text = "\n".join(lines) + "\n"
    return Cell(text, ast.parse(text))


def _is_command(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "classroom" and all(alias.name in COMMANDS for alias in statement.names)
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    function = statement.value.func
    return isinstance(function, ast.Name) and function.id in COMMANDS


def defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """The names that a cell defines at its top level (imports aside), with the statement that does so last."""
    names: dict[str, ast.stmt] = {}
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[statement.name] = statement
        elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found = (node for target in targets for node in ast.walk(target))
            names |= {node.id: statement for node in found if isinstance(node, ast.Name)}
    return names


def mentioned(source: str) -> list[str]:
    """The names that a cell defines, and those that it gives to `check` and its like: `check("softmax")`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = [statement.value for statement in tree.body if _is_command(statement) and isinstance(statement, ast.Expr)]
    arguments = [argument for call in calls for argument in call.args]
    told = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return [*told, *defined(tree)]


def names(source: str) -> set[str]:
    """Every name that a cell uses or binds; none where it cannot be parsed."""
    tree = prepare(source).tree
    nodes = list(ast.walk(tree)) if tree else []
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    return found | {node.arg for node in nodes if isinstance(node, ast.arg)} | set(defined(tree) if tree else ())


def borrowed(tree: ast.Module, forbidden: Iterable[str]) -> tuple[str, int] | None:
    """The first of the `forbidden` functions that a cell takes from a library or object, and its line; None if none."""
    forbidden = set(forbidden)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in forbidden:
            return ast.unparse(node) if isinstance(node.value, ast.Name) else f".{node.attr}", node.lineno
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name in forbidden:
                    return alias.name, node.lineno
    return None


def numbers(tree: ast.Module) -> list[float]:
    """The few numbers with a fraction or an exponent that a cell writes out, such as 1e-8 or 0.5."""
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    finite = [value for value in constants if type(value) is float and math.isfinite(value)]
    return list(dict.fromkeys(finite))[:MOST_NUMBERS]


def similar(name: str, candidates: Iterable[str]) -> str:
    """The candidate that `name` was probably meant to be, "" where none comes near; capitals do not count."""
    by_letters = {each.lower(): each for each in candidates if each != name}
    close = difflib.get_close_matches(name.lower(), by_letters, n=1, cutoff=0.75)
    return by_letters[close[0]] if close else ""


def is_stub(statement: ast.stmt) -> bool:
    """Whether a definition is still the stub of the notebook: only a docstring, `...`, `pass` or the marker."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return isinstance(statement.value, ast.Constant) and statement.value.value in (None, Ellipsis)
    if not isinstance(statement, ast.FunctionDef):
        return False
    return all(_says_nothing(each) for each in statement.body)


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Raise) and "NotImplementedError" in ast.unparse(statement)
