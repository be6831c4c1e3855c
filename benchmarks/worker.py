"""One side of a comparison, in a process of its own: prepares workloads, times as many steps as it is told to.

Reads lines `workload steps` and answers each with the seconds that the steps took.
"""

from __future__ import annotations

import sys
import time

from .workloads import SIDES


def main(side: str, threads: int) -> None:
    if side == "torch":
        import torch

        torch.set_num_threads(threads)
    workloads, prepared = SIDES[side](), {}
    for line in sys.stdin:
        name, steps = line.rsplit(" ", 1)
        if name not in prepared:
            prepared[name] = workloads[name]()
        step = prepared[name]
        start = time.perf_counter()
        for _ in range(int(steps)):
            step()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
