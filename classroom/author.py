"""From text twins to notebooks: `gradschool author build`.

The twin (`lesson.py`, `exercises.py`, jupytext's percent format) is the source. Building executes it from top to bottom
and writes the `.ipynb` beside it. The same twin gives the same bytes: cell ids are kept, and whatever differs between
machines or runs (widget models, interpreter version, timings) is left out.
"""

import ast
import difflib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from classroom.course import CourseError, Lesson
from classroom.files import write_atomically
from classroom.saving import WIDGET_VIEW
from classroom.student import SolutionMarkerError, student_version

CELL_TIMEOUT_SECONDS = 60
_KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_PARSE_AS_A_NOTEBOOK_DOES = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class BuildError(CourseError):
    """A twin that cannot become a notebook; the message says which cell and what to do."""


def build(lesson: Lesson) -> dict[Path, bool]:
    """Execute every twin of `lesson` and write its notebook.

    Returns the notebooks written, in order, each with whether its bytes changed.
    """
    return {notebook: build_notebook(twin) for twin in lesson.twins for notebook in [twin.with_suffix(".ipynb")]}


def build_notebook(twin: Path) -> bool:
    """Execute one twin and write the notebook beside it; True if its bytes changed."""
    target = twin.with_suffix(".ipynb")
    before = target.read_text(encoding="utf-8") if target.is_file() else None
    notebook = read_twin(twin)
    keep_ids(notebook.cells, _cells_before(before) if before else [])
    for problem in lint(notebook):
        raise BuildError(f"{twin.name}, {problem}")
    execute(notebook, twin)
    for problem in clean(notebook):
        raise BuildError(f"{twin.name}, {problem}")
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    write_atomically(target, after.encode())
    return True


def read_twin(twin: Path) -> NotebookNode:
    """The notebook that `twin` describes, not executed."""
    import jupytext  # takes a second, which only an author should wait for

    notebook = jupytext.read(twin, fmt="py:percent")
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = dict(_KERNELSPEC)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def keep_ids(cells: Sequence[NotebookNode], old_cells: Sequence[NotebookNode]) -> None:
    """Give each of `cells` the id of the old cell that it was, and a new one, made from its text, if it is new."""
    kept: dict[int, str] = {}
    matcher = difflib.SequenceMatcher(None, _keys(old_cells), _keys(cells), autojunk=False)
    for operation, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if operation not in ("equal", "replace"):
            continue
        # An edited cell is the same cell: pair what was replaced in order, as long as the types agree.
        for old, new in zip(range(old_from, old_to), range(new_from, new_to), strict=False):
            if old_cells[old].cell_type == cells[new].cell_type:
                kept[new] = old_cells[old].id
    used = set(kept.values())
    for index, cell in enumerate(cells):
        if index not in kept:
            cell.id = next(name for name in _ids(cell) if name not in used)
            used.add(cell.id)
        else:
            cell.id = kept[index]


def lint(notebook: NotebookNode) -> Iterator[str]:
    """What is wrong with a notebook before it runs: magics, broken code, solution marks with no partner."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        try:
            tree = compile(cell.source, f"cell {number}", "exec", _PARSE_AS_A_NOTEBOOK_DOES, dont_inherit=True)
        except SyntaxError as error:
            yield f"cell {number}, line {error.lineno}: not plain Python ({error.msg}); a lesson holds no magics"
            continue
        if any(isinstance(node, ast.Name) and node.id == "get_ipython" for node in ast.walk(tree)):
            yield f"cell {number}: get_ipython() makes a lesson depend on its front end; write plain Python"
    try:
        student_version(notebook)
    except SolutionMarkerError as error:
        yield str(error)


def execute(notebook: NotebookNode, twin: Path) -> None:
    """Run all cells of `notebook` in a new kernel of this very Python, in the lesson's folder."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # With no folder to search, "python3" can only be the kernel of this interpreter.
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_TIMEOUT_SECONDS,
        coalesce_streams=True,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel warns that it talks over TCP, to this process alone
        store_widget_state=False,
        resources={"metadata": {"path": str(twin.parent)}},
    )
    with tempfile.TemporaryDirectory() as scratch:
        # The author's own progress and start-up files must not leave a trace in a lesson.
        env = {**os.environ, "GRADSCHOOL_WORKSPACE": scratch, "IPYTHONDIR": str(Path(scratch, "ipython"))}
        try:
            client.execute(env=env, cleanup_kc=True)
        except CellTimeoutError:
            raise BuildError(f"{twin.name}: a cell ran longer than {CELL_TIMEOUT_SECONDS} s; make it shorter") from None
        except DeadKernelError:
            raise BuildError(f"{twin.name}: the kernel died while the notebook ran") from None
        except CellExecutionError as error:
            raise BuildError(
                f"{twin.name}: a cell failed with {error.ename}: {error.evalue}\n{_where(notebook)}"
            ) from None


def clean(notebook: NotebookNode) -> Iterator[str]:
    """Take out of the outputs what no two machines share; yields what cannot be taken out and must be mended."""
    notebook.metadata["kernelspec"] = dict(_KERNELSPEC)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("widgets", None)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number}: it writes to stderr ({output.text.strip().splitlines()[-1]}); mend the warning"
            data = output.get("data", {})
            if data.pop(WIDGET_VIEW, None) is not None and set(data) <= {"text/plain"}:
                yield f"cell {number}: its widget has no static picture to show where widgets do not run"
            text = output.get("text", "") + data.get("text/plain", "")
            if "text/html" not in data and _MEMORY_ADDRESS.search(text):
                yield f"cell {number}: it prints a memory address, which differs in every run"


def differences(twin: Path) -> list[str]:
    """How the notebook beside `twin` departs from it, in source, type, metadata or execution counts; [] if nowhere."""
    target = twin.with_suffix(".ipynb")
    if not target.is_file():
        return [f"{target.name} is missing"]
    wanted, found = read_twin(twin), nbformat.read(target, as_version=4)
    problems = []
    if wanted.metadata != found.metadata:
        problems.append(f"the notebook's metadata are {dict(found.metadata)}, the twin says {dict(wanted.metadata)}")
    if len(wanted.cells) != len(found.cells):
        problems.append(f"the notebook has {len(found.cells)} cells, the twin {len(wanted.cells)}")
    for number, (a, b) in enumerate(zip(wanted.cells, found.cells, strict=False), start=1):
        departing = (what for what in ("cell_type", "source", "metadata") if a[what] != b[what])
        problems += [f"cell {number}: {what} differs" for what in departing]
    counts = [cell.execution_count for cell in found.cells if cell.cell_type == "code" and cell.source.strip()]
    if counts != list(range(1, len(counts) + 1)):
        problems.append(f"the execution counts are {counts}, not 1 to {len(counts)}")
    return problems


def _cells_before(notebook: str) -> list[NotebookNode]:
    try:
        return nbformat.reads(notebook, as_version=4).cells
    except ValueError:
        return []  # no JSON, as after a merge with conflicts: the twin is the source


def _keys(cells: Sequence[NotebookNode]) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in cells]


def _ids(cell: NotebookNode) -> Iterator[str]:
    for attempt in range(10_000):
        yield hashlib.sha256(json.dumps([cell.cell_type, cell.source, attempt]).encode()).hexdigest()[:8]


def _where(notebook: NotebookNode) -> str:
    failed = [cell for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", []))]
    return failed[-1].source if failed else ""
