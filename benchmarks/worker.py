"""One side of a comparison, in a process of its own: prepares workloads, runs as many steps as it is told to.

Reads lines `time STEPS WORKLOAD` and answers each with the seconds that the steps took, or `memory STEPS WORKLOAD`, and
answers with the megabytes by which the process grew at its peak over what it was when the workload was prepared.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATUS, RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux


def resident(what: str) -> float:
    """Megabytes of memory that are resident now (VmRSS), or were at the peak since its last reset (VmHWM)."""
    return int(re.search(rf"{what}:\s+(\d+) kB", STATUS.read_text()).group(1)) / 1024


def seconds(step: Callable[[], list], steps: int, wait: Callable[[], None]) -> float:
    wait()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait()  # a GPU is told what to do, and does it later
    return time.perf_counter() - start


def growth(step: Callable[[], list], steps: int) -> float:
    before = resident("VmRSS")
    RESET_PEAK.write_text("5")
    for _ in range(steps):
        step()
    return resident("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=("kernel", "graph", "torch"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    if options.library == "torch":
        import torch

        from . import torch_side as side

        torch.set_num_threads(options.threads)
        workloads = side.workloads(options.device, options.tuned)
    elif options.library == "graph":
        from . import graph_side as side

        workloads = side.workloads(options.device)
    else:
        from . import kernel_side as side

        workloads = side.workloads(options.device)
    prepared: dict[str, Callable[[], list]] = {}
    for line in sys.stdin:
        order, steps, name = line.strip().split(" ", 2)
        if name not in prepared:
            prepared.clear()  # a large workload must not take memory from the next
            prepared[name] = workloads[name]()
        if order == "time":
            answer = seconds(prepared[name], int(steps), lambda: side.synchronise(options.device))
        else:
            answer = growth(prepared[name], int(steps))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
