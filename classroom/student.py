"""What a student is given: the author's notebook with every solution taken out, in the words of this machine's kernel.

A solution stands between the lines `### BEGIN SOLUTION` and `### END SOLUTION`. In a function or class it leaves one
line behind, a NotImplementedError in words. Where the answer is a value, assigned at the left margin, it leaves the
assignment with `...` for the value; of a dict to fill in it leaves the keys.
"""

from __future__ import annotations

import ast
import copy
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode  # takes most of a second, and is here for its name alone

KERNEL_DISPLAY_NAME = "Python 3 (gradschool)"
NOT_WRITTEN = 'raise NotImplementedError("write your answer here")'
_BEGIN = re.compile(r"(?P<indent>[ \t]*)### BEGIN SOLUTION[ \t]*")
_END = re.compile(r"[ \t]*### END SOLUTION[ \t]*")


class SolutionMarkerError(ValueError):
    """A solution that is opened and not closed, or closed and not opened; the message names the cell."""


def without_solutions(source: str) -> str:
    """`source` with the stub in place of each solution.

    >>> print(without_solutions("def double(x):\\n    ### BEGIN SOLUTION\\n    return 2 * x\\n    ### END SOLUTION"))
    def double(x):
        raise NotImplementedError("write your answer here")
    >>> print(without_solutions("### BEGIN SOLUTION\\nhalf_life = 20.8\\n### END SOLUTION"))
    half_life = ...
    """
    kept: list[str] = []
    solution: list[str] | None = None
    indent = ""
    for line in source.split("\n"):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if (begin and solution is not None) or (end and solution is None):
            raise SolutionMarkerError(f"the line {line.strip()!r} has no partner")
        if begin:
            solution, indent = [], begin["indent"]
        elif end:
            kept += [indent + NOT_WRITTEN] if indent else _stub(solution)
            solution = None
        else:
            (kept if solution is None else solution).append(line)
    if solution is not None:
        raise SolutionMarkerError("the line '### BEGIN SOLUTION' has no partner")
    return "\n".join(kept)


def student_version(notebook: NotebookNode) -> NotebookNode:
    """A copy of the author's `notebook` as a student opens it: no solutions, no outputs, answers not deletable."""
    student = copy.deepcopy(notebook)
    for number, cell in enumerate(student.cells, start=1):
        if cell.cell_type != "code":
            continue
        try:
            cell.source = without_solutions(cell.source)
        except SolutionMarkerError as error:
            raise SolutionMarkerError(f"cell {number}: {error}") from None
        cell.outputs = []
        cell.execution_count = None
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.metadata["deletable"] = False
    return student


def settled(notebook: NotebookNode) -> NotebookNode:
    """A copy of `notebook` with the metadata that JupyterLab gives it on opening, here and with the workspace's kernel.

    Without them JupyterLab changes the notebook as it opens it: an untouched lesson would count as not saved.
    """
    from ipykernel.ipkernel import IPythonKernel  # takes a while, which only a hand-out should wait for

    opened = copy.deepcopy(notebook)
    opened.metadata["kernelspec"] = {"display_name": KERNEL_DISPLAY_NAME, "language": "python", "name": "python3"}
    opened.metadata["language_info"] = copy.deepcopy(IPythonKernel.language_info)
    return opened


def _stub(solution: list[str]) -> list[str]:
    """What a solution at the left margin leaves: its assignments without their values, if it is nothing else."""
    source = "\n".join(solution)
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise SolutionMarkerError(f"the solution is not plain Python ({error.msg})") from None
    lines = []
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not all(isinstance(name, ast.Name) for name in statement.targets):
            return [NOT_WRITTEN]
        names = " = ".join(name.id for name in statement.targets)
        if isinstance(statement.value, ast.Dict) and None not in statement.value.keys:
            keys = (ast.get_source_segment(source, key) for key in statement.value.keys)
            lines += [f"{names} = {{", *(f"    {key}: ...," for key in keys), "}"]
        else:
            lines.append(f"{names} = ...")
    return lines or [NOT_WRITTEN]
