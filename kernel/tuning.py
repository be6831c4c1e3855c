"""Settings of the environment with which arrays are faster, for whoever starts a Python: they take effect as it loads.

Importing the kernel changes nothing. A launcher adds ``settings()`` to the environment of the process that it starts;
``gradschool lab`` does, and the benchmarks have a column with it and one without.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

# Up to so many bytes, glibc's malloc takes memory from its own heap and keeps what is freed. By default it hands the
# memory of several large arrays back as soon as they are gone, so that the next ones cost a page fault for every 4096
# bytes: sums and products of arrays of 0.1 to 4 MB then take six to ten times as long, of larger ones twice.
KEPT = 2**30
MALLOC = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")  # one without the other makes it slower


def settings(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to add to ``environ`` before Python starts; none where malloc is not glibc's, or the user set it.

    >>> sorted(settings({"MALLOC_TRIM_THRESHOLD_": "131072"}))
    []
    """
    chosen = any(name.startswith("MALLOC_") for name in environ) or "glibc.malloc" in environ.get("GLIBC_TUNABLES", "")
    if chosen or platform.libc_ver()[0] != "glibc":
        return {}
    return dict.fromkeys(MALLOC, str(KEPT))
