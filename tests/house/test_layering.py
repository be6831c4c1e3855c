"""Who may import whom: the kernel's layers, and what the kernel may use at all."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

KERNEL = Path(__file__).resolve().parents[2] / "kernel"

# A file imports from the lines above its own, and on its own line from the names to its left. A folder is one name.
LAYERS = (
    ("version", "tuning", "errors", "xp", "strict"),
    ("op", "ops"),
    ("apply", "operand", "functional", "metrics"),
    ("signature", "tape", "tensor", "creation", "initialisers", "parameter", "eager", "sparse", "symbol"),
    ("plan", "program", "executor", "graph", "sym", "drawing"),
    ("module", "layers", "function"),
    ("schedules", "learners"),
    ("trainer", "data", "serialize", "onnx", "check", "distributed", "compress", "serve"),
)
ORDER = {name: place for place, name in enumerate(name for layer in LAYERS for name in layer)}
STRANGERS = {("symbol", name) for name in ("tape", "tensor", "eager", "creation")}
# xp hands out every device by name; the test device loads when somebody asks for it.
ON_DEMAND = {("xp", "strict")}
FILES = sorted(KERNEL.rglob("*.py"))


def unit(path: Path) -> str:
    """The name in LAYERS that `path` belongs to: its folder in kernel/, or its own."""
    parts = path.relative_to(KERNEL).with_suffix("").parts
    return parts[0]


def imported(path: Path, house: Path = KERNEL) -> Iterator[tuple[str, bool]]:
    """Every module that `path` imports, by its full name, and whether that happens when the file is loaded."""
    package = (house.name, *path.relative_to(house).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_load = set()
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            at_load |= set(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            if module in ("kernel", "kernel.ops"):
                yield from ((f"{module}.{alias.name}", node in at_load) for alias in node.names)
            else:
                yield module, node in at_load


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(KERNEL)))
def test_a_kernel_file_imports_only_from_the_layers_below(path: Path) -> None:
    name = unit(path)
    if name == "__init__":
        return  # the front of the house names everything
    assert name in ORDER, f"kernel/{name} stands in no layer: give it a place in LAYERS and in docs/architecture.md"
    for module, at_load in imported(path):
        top, _, rest = module.partition(".")
        if top != "kernel":
            continue
        other = rest.partition(".")[0]
        assert other in ORDER, f"{path.name} imports {module}, which stands in no layer"
        if other == name or ((name, other) in ON_DEMAND and not at_load):
            continue
        assert ORDER[other] < ORDER[name], f"kernel/{name} imports {other}, which stands above it"
        assert (name, other) not in STRANGERS, f"{name} and {other} never import one another"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(KERNEL)))
def test_the_kernel_uses_numpy_and_the_standard_library(path: Path) -> None:
    for module, at_load in imported(path):
        top = module.partition(".")[0]
        if top in ("cupy", "cupyx"):
            assert unit(path) == "xp", f"{path.name} imports {top}: only xp.py knows CuPy"
            assert not at_load, "xp imports CuPy when a GPU is asked for, never when it is loaded"
        elif top in ("scipy", "safetensors"):
            assert not at_load, f"{path.name} imports {top} when it is loaded, not where it is used"
        else:
            assert top in {"kernel", "numpy", "__future__"} | sys.stdlib_module_names, f"{path.name} imports {module}"


WIDGETS = KERNEL.parent / "widgets"


@pytest.mark.parametrize("path", sorted(WIDGETS.rglob("*.py")), ids=lambda path: path.name)
def test_widgets_know_the_kernel_and_not_the_classroom(path: Path) -> None:
    for module, _ in imported(path, WIDGETS):
        assert module.partition(".")[0] != "classroom", f"widgets/{path.name} imports {module}"


def test_importing_the_kernel_loads_nothing_else() -> None:
    files = "{name: getattr(module, '__file__', None) for name, module in sys.modules.items()}"
    code = f"import json, sys, kernel; json.dump({files}, sys.stdout)"
    before = "import json, sys; json.dump(sorted(sys.modules), sys.stdout)"  # what the environment loads by itself
    loaded, already = (
        json.loads(subprocess.run([sys.executable, "-c", text], capture_output=True, check=True).stdout)
        for text in (code, before)
    )
    allowed = {"kernel", "numpy"} | sys.stdlib_module_names
    # What has no file is made by a module that has one: Cython's runtime, by NumPy.
    new = {name: file for name, file in loaded.items() if file and name not in already}
    assert {name: file for name, file in new.items() if name.partition(".")[0] not in allowed} == {}
