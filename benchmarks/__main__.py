"""`python -m benchmarks`: the table of ratios to PyTorch's eager mode, peak memory, and the time of `import kernel`.

Four sides run in processes of their own and take turns: the kernel as it is typed and tuned, PyTorch as it comes and
tuned. A figure is the median over the turns, a ratio the median of one side over that of the other. Then executors take
turns with the kernel's own eager steps. Nothing else should be running on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

import numpy
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from kernel import gpu_available, tuning

from . import graph_side, kernel_side
from .workloads import DENSE, GRAPH_TARGETS, TARGETS

ROOT = Path(__file__).resolve().parent.parent
TURN_SECONDS = 0.15
IMPORT_TARGET_MS = 120
MEMORY_WORKLOAD, WARM_UP = "f 1024", "f 64"
SIDES = {
    ("kernel", "typed"): [],
    ("kernel", "tuned"): ["--tuned"],
    ("torch", "default"): [],
    ("torch", "tuned"): ["--tuned"],
}
GRAPH_SIDES = {("graph", "typed"): [], ("graph", "tuned"): ["--tuned"]} | {
    key: options for key, options in SIDES.items() if key[0] == "kernel"
}
PAIRS = [(ours, theirs) for ours in ("typed", "tuned") for theirs in ("default", "tuned")]
# What a user may have set for the libraries or for malloc would be in every column.
OURS_TO_SET = re.compile("OPENBLAS_|OMP_|MKL_|MALLOC_|GLIBC_TUNABLES|GOTO_NUM_THREADS")


def environment(threads: int, tuned: bool) -> dict[str, str]:
    """Without the user's settings for speed, so that "typed" is what the machine does by itself."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    plain = {name: value for name, value in os.environ.items() if not OURS_TO_SET.match(name)}
    return plain | limits | (tuning.settings(plain) if tuned else {})


class Side:
    """A running worker process."""

    def __init__(self, library: str, kind: str, threads: int, device: str = "cpu"):
        options = (SIDES | GRAPH_SIDES)[library, kind]
        self.name = f"{library} {kind}"
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.worker",
                library,
                *options,
                f"--threads={threads}",
                f"--device={device}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(threads, tuned=bool(options)),
        )

    def ask(self, order: str, steps: int, workload: str) -> float:
        """Seconds for `time`, megabytes for `memory`."""
        self.process.stdin.write(f"{order} {steps} {workload}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the worker for {self.name} ended while it ran {workload}")
        return float(answer)

    def calibrate(self, workload: str) -> int:
        """How many steps make a turn."""
        self.ask("time", 3, workload)  # first calls fill caches
        once = self.ask("time", 2, workload) / 2
        if once < TURN_SECONDS / 20:
            once = self.ask("time", 50, workload) / 50
        return max(1, round(TURN_SECONDS / once))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)


def measure(workload: str, sides: dict[tuple, Side], turns: int) -> dict[tuple, float]:
    """Seconds a step, by side: the median over turns of about TURN_SECONDS each, taken alternately."""
    steps = {key: side.calibrate(workload) for key, side in sides.items()}
    times: dict[tuple, list[float]] = {key: [] for key in sides}
    for _ in range(turns):
        for key, side in sides.items():
            times[key].append(side.ask("time", steps[key], workload) / steps[key])
    return {key: statistics.median(values) for key, values in times.items()}


def duration(seconds: float) -> str:
    """Microseconds, or milliseconds from one on.

    >>> duration(12.34e-6), duration(0.012345)
    ('12.3 µs', '12.3 ms')
    """
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def verdict(workload: str, found: dict[tuple, float]) -> str:
    """The targets of a workload, each with the pair that it names and whether it was reached."""
    parts = []
    for target in TARGETS[workload]:
        ratio = found["kernel", target.kernel] / found["torch", target.torch]
        missed = "" if ratio <= target.ratio else ", missed"
        parts.append(f"{target.kernel} / {target.torch} ≤ {target.ratio}{missed}")
    return "; ".join(parts)


def speed(names: list[str], threads: int, turns: int, device: str) -> Table:
    """The table of one number of threads, or of a GPU."""
    title = f"{threads} thread{'s' if threads > 1 else ''}" if device == "cpu" else "GPU"
    table = Table(title=f"{title}, one training step; ratios: kernel / torch", box=MARKDOWN)
    for heading in ("workload", *map(" ".join, SIDES), *map(" / ".join, PAIRS)):
        table.add_column(heading, justify="left" if heading == "workload" else "right")
    judged = device == "cpu" and threads == 1
    if judged:
        table.add_column("target")
    sides = {key: Side(*key, threads, device) for key in SIDES}
    for name in names:
        found = measure(name, sides, turns)
        ratios = [f"{found['kernel', ours] / found['torch', theirs]:.2f}" for ours, theirs in PAIRS]
        last = [verdict(name, found)] if judged else []
        table.add_row(name, *(duration(found[key]) for key in SIDES), *ratios, *last)
    for side in sides.values():
        side.close()
    return table


def graphs(names: list[str], threads: int, turns: int) -> Table:
    """The executor's step against the eager one, and what it plans against what the eager one holds."""
    title = f"{threads} thread{'s' if threads > 1 else ''}, one training step; ratios: executor / eager"
    table = Table(title=title, box=MARKDOWN)
    headings = ("executor typed", "executor tuned", "eager typed", "eager tuned", "typed", "tuned", "target")
    for heading in ("workload", *headings, "planned bytes", "eager peak bytes"):
        table.add_column(heading, justify="left" if heading == "workload" else "right")
    sides = {key: Side(*key, threads) for key in GRAPH_SIDES}
    for name in names:
        found = measure(name, sides, turns)
        ratios = [found["graph", kind] / found["kernel", kind] for kind in ("typed", "tuned")]
        target = GRAPH_TARGETS[name]
        missed = "" if max(ratios) <= target or threads > 1 else ", missed"
        sizes = [f"{size:,}" for size in planned_against_eager(name)]
        times = [duration(found[key]) for key in GRAPH_SIDES]
        table.add_row(name, *times, *(f"{ratio:.2f}" for ratio in ratios), f"≤ {target}{missed}", *sizes)
    for side in sides.values():
        side.close()
    return table


def planned_against_eager(name: str) -> tuple[int, int]:
    """(bytes that the executor of a workload plans for a step, the most that an eager step holds at a time)."""
    maker = {"f 64": lambda: graph_side.lenet(64), "f 1024": lambda: graph_side.lenet(1024)}.get(name)
    executor = graph_side.dense(*DENSE[name][:2]) if maker is None else maker()
    return graph_side.planned_bytes(executor), graph_side.peak_bytes(kernel_side.workloads("cpu")[name]())


def memory(processes: int = 5) -> Table:
    """By how much a fresh process grows at most in three steps of a large workload: the median over processes.

    A small workload runs before, so that what the libraries load for their code is not counted.
    """
    table = Table(
        title=f"{MEMORY_WORKLOAD}: peak memory of a training step beyond its prepared state, one thread", box=MARKDOWN
    )
    found: dict[tuple, list[float]] = {key: [] for key in SIDES}
    for _ in range(processes):
        for key in SIDES:
            side = Side(*key, threads=1)
            side.ask("time", 3, WARM_UP)
            found[key].append(side.ask("memory", 3, MEMORY_WORKLOAD))
            side.close()
    for key in SIDES:
        table.add_column(" ".join(key), justify="right")
    table.add_row(*(f"{statistics.median(values):.0f} MB" for values in found.values()))
    return table


def import_milliseconds(turns: int = 9) -> float:
    """The median time of `import kernel` in a fresh interpreter, NumPy's share included; compiled once before."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = "import time; t = time.perf_counter(); import kernel; print((time.perf_counter() - t) * 1000)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
        for _ in range(1 + turns)
    ]
    return statistics.median(float(run.stdout) for run in runs[1:])


def openblas_core() -> str:
    """For which processor OpenBLAS computes here, as it says itself."""
    told = subprocess.run(
        [sys.executable, "-c", "import numpy"],
        env=environment(1, tuned=False) | {"OPENBLAS_VERBOSE": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    core = re.search(r"Core: (\w+)", told.stderr)
    return f"OpenBLAS for {core.group(1)}" if core else "another library than OpenBLAS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"some of: {', '.join(TARGETS)} (all of them by default)")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--gpu", action="store_true", help="only the table of the GPU, which comes last otherwise")
    parser.add_argument("--graphs", action="store_true", help="only the tables of executors against eager steps")
    options = parser.parse_args()
    unknown = set(options.workloads) - set(TARGETS)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = options.workloads or list(TARGETS)
    try:
        import torch
    except ImportError:
        parser.error('the other side is PyTorch: pip install -e ".[test]"')

    console = Console(width=200)  # the tables are Markdown, to be pasted into docs/performance.md
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"NumPy {numpy.__version__} ({openblas_core()}), torch {torch.__version__}"
    )
    tuned = ", ".join(f"{name}={value}" for name, value in tuning.settings({}).items())
    console.print(f"tuned: {tuned or 'nothing to set on this system'}; torch also channels_last", highlight=False)
    if not options.gpu:
        for threads in options.threads:
            if not options.graphs:
                console.print(speed(names, threads, options.turns, "cpu"))
            known = [name for name in names if name in GRAPH_TARGETS]
            if known:
                console.print(graphs(known, threads, options.turns))
        if options.graphs:
            return 0
        if MEMORY_WORKLOAD in names:
            console.print(memory() if sys.platform == "linux" else "peak memory: only Linux tells it")
        console.print(f"import kernel: {import_milliseconds():.0f} ms (target ≤ {IMPORT_TARGET_MS} ms)")
    if gpu_available() and torch.cuda.is_available():
        console.print(speed(names, 1, options.turns, "cuda:0"))
    else:
        console.print("no GPU here" if not gpu_available() else "no GPU that torch can use here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
