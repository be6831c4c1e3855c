"""`gradschool doctor`: what is here, what is missing, and the command that mends it.

Each check returns findings. A finding that is "missing" stops something that every student needs and makes the command
fail; a "note" is worth reading and stops nothing.
"""

import csv
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from classroom import workspace as student_folder
from classroom.workspace import to_type, typed

DISTRIBUTION = "gradschool"
OLDEST_PYTHON = (3, 11)
CHROMIUM_VARIABLE = "GRADSCHOOL_CHROMIUM"
# In a notebook's folder a file of one of these names is imported instead of the package.
OURS = ("kernel", "widgets", "classroom")
THEIRS = ("numpy", "matplotlib", "ipywidgets", "IPython", "ipykernel", "cupy", "torch")


@dataclass(frozen=True)
class Finding:
    """One line of the report: the `subject`, one `sentence` about it, and the command that mends it, if one does."""

    state: Literal["good", "note", "missing"]
    subject: str
    sentence: str
    mend: str = ""


def examine(workspace: Path) -> Iterator[Finding]:
    """Every finding about this machine and the student's `workspace`, in the order in which a person mends them."""
    yield from python()
    yield from packages()
    yield from command()
    yield from notebook_kernel()
    yield from folder(workspace)
    yield from shadows(workspace)
    yield from gpu()
    yield from sandbox()
    yield from chromium()


def python() -> Iterator[Finding]:
    """The interpreter, against the oldest that works."""
    here = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(
            "missing", "Python", f"{here}; gradschool needs {oldest} or newer", "https://www.python.org/downloads/"
        )
    else:
        yield Finding("good", "Python", here)


def packages(requirements: list[str] | None = None) -> Iterator[Finding]:
    """The installed versions, against the ranges that gradschool declares."""
    if requirements is None:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    found = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        mend = typed(sys.executable, "-m", "pip", "install", wanted)
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("missing", requirement.name, f"not installed; gradschool needs {wanted}", mend)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} {version}")
        else:
            yield Finding("missing", requirement.name, f"{version} is installed; gradschool needs {wanted}", mend)
    if found:
        yield Finding("good", "packages", ", ".join(found))


def command() -> Iterator[Finding]:
    """Whether typing `gradschool` starts this Python's gradschool."""
    found = shutil.which(DISTRIBUTION)
    scripts = Path(sys.executable).parent
    if found and Path(found).parent == scripts:
        yield Finding("good", "command", found)
        return
    script = str(scripts / "activate")
    activate = typed("source", script) if os.name == "posix" else typed(script)
    sentence = f"`gradschool` starts {found}, of another Python" if found else "`gradschool` is not on the PATH"
    yield Finding("note", "command", sentence, activate if Path(script).exists() else f'export PATH="{scripts}:$PATH"')


def notebook_kernel() -> Iterator[Finding]:
    """Which Python a notebook gets when it is opened outside `gradschool lab`."""
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    others = {}
    for name in ("python3", DISTRIBUTION):
        if name in specs:
            program = specs[name]["spec"]["argv"][0]
            # jupyter_client puts the server's own interpreter in the place of a bare "python".
            if Path(program).name != program and not _is_this_python(program):
                others[name] = program
    for name, program in others.items():
        yield Finding(
            "note",
            "notebook kernel",
            f"the kernel {name!r} is another Python, {program}; `gradschool lab` uses this one all the same",
            _register(),
        )
    if not others:
        if DISTRIBUTION in specs:
            yield Finding("good", "notebook kernel", "this Python")
        else:
            sentence = "this Python; another notebook server must be told of it once"
            yield Finding("good", "notebook kernel", sentence, _register())


def folder(workspace: Path) -> Iterator[Finding]:
    """Whether the student's work can be kept."""
    if sentence := student_folder.obstacle(workspace):
        yield Finding("missing", "workspace", sentence, "gradschool lab --dir FOLDER")
    elif workspace.exists():
        yield Finding("good", "workspace", str(workspace))
    else:
        yield Finding("note", "workspace", f"{workspace} is not there yet", to_type(workspace, "lab"))


def shadows(workspace: Path) -> Iterator[Finding]:
    """Files in the workspace that a notebook beside them imports instead of the real package."""
    hidden = {*OURS, *THEIRS, *sys.stdlib_module_names}
    folders = [workspace, *sorted(path for path in workspace.glob("[0-9][0-9]_*") if path.is_dir())]
    clean = True
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            is_module = path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
            if is_module and path.stem in hidden:
                clean = False
                sentence = f"{path} is imported instead of the real {path.stem}: rename it"
                yield Finding(
                    "missing", "shadowed module", sentence, typed("mv", path, path.with_stem("my_" + path.stem))
                )
    for name in OURS:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parents[1] != _installed_at():
            clean = False
            where = spec.origin if spec else "nowhere"
            yield Finding(
                "missing", "shadowed module", f"`import {name}` finds {where} and not gradschool's own", _reinstall()
            )
    if clean:
        where = f"in {workspace} " if workspace.is_dir() else ""
        yield Finding("good", "own modules", f"nothing {where}hides a package")


def gpu() -> Iterator[Finding]:
    """Name, memory and driver by nvidia-smi; the CUDA runtime by CuPy. A GPU is never needed."""
    cards = list(_cards())
    for name, memory, driver in cards:
        yield Finding("good", "GPU", f"{name}, {memory}, driver {driver}")
    if not cards:
        yield Finding("note", "GPU", "no NVIDIA GPU answers; every lesson runs on the CPU")
    try:
        import cupy
    except ImportError as error:
        if cards:
            mend = typed(sys.executable, "-m", "pip", "install", _cupy_for(cards[0][2]))
            yield Finding("note", "CUDA", f"the kernel cannot use the GPU: {_first_line(error)}", mend)
        return
    try:
        runtime = cupy.cuda.runtime.runtimeGetVersion()
        driver_api = cupy.cuda.runtime.driverGetVersion()
        total = int(cupy.arange(10).sum())
    except (
        cupy.cuda.runtime.CUDARuntimeError,
        cupy.cuda.compiler.CompileException,
        ImportError,
        RuntimeError,
    ) as error:
        yield Finding("note", "CUDA", f"CuPy {cupy.__version__} is installed but cannot compute: {_first_line(error)}")
        return
    if total != 45:
        yield Finding(
            "note", "CUDA", f"CuPy {cupy.__version__} adds 0 to 9 to {total}: the driver or the card is faulty"
        )
        return
    text = f"CuPy {cupy.__version__}, CUDA runtime {_cuda(runtime)}, driver supports CUDA {_cuda(driver_api)}"
    yield Finding("good", "CUDA", text)


def sandbox() -> Iterator[Finding]:
    """How an answer is confined while it is checked, and what that does not stop."""
    from classroom import sandbox as confinement

    yield Finding("good", "sandbox", confinement.level())
    for sentence in confinement.not_stopped():
        yield Finding("note", "sandbox", sentence)


def chromium() -> Iterator[Finding]:
    """The browser of the tests; a student needs none of it."""
    found = find_chromium()
    if found:
        yield Finding("good", "Chromium", f"{found} (for the browser tests)")
    else:
        yield Finding("note", "Chromium", "not found; only the browser tests need it", chromium_mend())


def find_chromium() -> str | None:
    """The browser that the tests drive: GRADSCHOOL_CHROMIUM, one on the PATH, or the one playwright installed."""
    named = os.environ.get(CHROMIUM_VARIABLE)
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    if importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def chromium_mend() -> str:
    """The command that brings a Chromium to this machine."""
    if shutil.which("apt-get"):
        return "sudo apt-get install chromium"
    return typed(sys.executable, "-m", "playwright", "install", "chromium")


def _cards() -> Iterator[tuple[str, str, str]]:
    if shutil.which("nvidia-smi") is None:
        return
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return
    if answer.returncode == 0:
        for row in csv.reader(io.StringIO(answer.stdout), skipinitialspace=True):
            if len(row) == 3:
                yield row[0], row[1], row[2]


def _cupy_for(driver: str) -> str:
    """The wheel that a driver can run: CUDA 13 asks for driver 580."""
    major = driver.partition(".")[0]
    extra = "gpu" if major.isdigit() and int(major) >= 580 else "gpu-cuda12"
    lines = map(Requirement, importlib.metadata.requires(DISTRIBUTION) or [])
    (wheel,) = (line for line in lines if line.name.startswith("cupy") and line.marker.evaluate({"extra": extra}))
    return f"{wheel.name}[{','.join(wheel.extras)}]{wheel.specifier}"


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_this_python(program: str) -> bool:
    # Not resolved: the interpreters of two virtual environments are links to one file.
    return os.path.normcase(os.path.abspath(program)) == os.path.normcase(os.path.abspath(sys.executable))


def _installed_at() -> Path:
    return Path(__file__).resolve().parents[1]


def _register() -> str:
    return typed(sys.executable, "-m", "ipykernel", "install", "--user", "--name", DISTRIBUTION)


def _reinstall() -> str:
    """From where it was installed: pip notes down the folder or wheel, and nothing if it was an index."""
    noted = json.loads(importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    editable = ["--editable"] if noted.get("dir_info", {}).get("editable") else []
    pip = [sys.executable, "-m", "pip", "install", "--force-reinstall", "--no-deps"]
    return typed(*pip, *editable, noted.get("url", DISTRIBUTION))
