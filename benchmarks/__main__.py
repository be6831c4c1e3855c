"""`python -m benchmarks`: the table of ratios to PyTorch's eager mode, and the time of `import kernel`.

The two sides run in processes of their own and take turns; a figure is the median over the turns, a ratio the median of
one side over that of the other. Nothing else should be running on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import numpy
from rich.console import Console
from rich.table import Table

from .workloads import SIDES, TARGETS

ROOT = Path(__file__).resolve().parent.parent
TURN_SECONDS = 0.15
IMPORT_TARGET_MS = 120


class Side:
    """A running worker process."""

    def __init__(self, name: str, threads: int):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | limits,
        )

    def seconds(self, workload: str, steps: int) -> float:
        self.process.stdin.write(f"{workload} {steps}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the worker for {self.process.args[3]} ended while it ran {workload}")
        return float(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)


def measure(workload: str, sides: dict[str, Side], turns: int) -> dict[str, float]:
    """Microseconds a step, by side: the median over turns of about TURN_SECONDS each, taken alternately."""
    steps = {}
    for name, side in sides.items():
        side.seconds(workload, 20)  # first calls fill caches
        steps[name] = max(5, round(TURN_SECONDS / (side.seconds(workload, 50) / 50)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            times[name].append(side.seconds(workload, steps[name]) / steps[name] * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def import_milliseconds(turns: int = 9) -> float:
    """The median time of `import kernel` in a fresh interpreter, NumPy's share included."""
    program = "import time; t = time.perf_counter(); import kernel; print((time.perf_counter() - t) * 1000)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(turns)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"some of: {', '.join(TARGETS)} (all of them by default)")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    unknown = set(options.workloads) - set(TARGETS)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = options.workloads or list(TARGETS)
    try:
        import torch
    except ImportError:
        parser.error('the other side is PyTorch: pip install -e ".[test]"')

    console = Console(width=100)
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"NumPy {numpy.__version__}, torch {torch.__version__}; kernel as typed, torch default"
    )
    for threads in options.threads:
        table = Table(
            "workload", "kernel µs", "torch µs", "ratio", "target", title=f"{threads} thread(s), one training step"
        )
        sides = {name: Side(name, threads) for name in SIDES}
        for name in names:
            found = measure(name, sides, options.turns)
            ratio = found["kernel"] / found["torch"]
            target = f"≤ {TARGETS[name]}" if threads == 1 else ""
            table.add_row(name, f"{found['kernel']:.1f}", f"{found['torch']:.1f}", f"{ratio:.2f}", target)
        for side in sides.values():
            side.close()
        console.print(table)
    console.print(f"import kernel: {import_milliseconds():.0f} ms (target ≤ {IMPORT_TARGET_MS} ms)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
