"""The settings that a launcher adds: what they are, that they act, and that the user's own win."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from kernel import tuning

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's here")

PAGES = 2**22 // 4096
FAULTS = """
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    [bytearray(2**22) for _ in range(5)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(settings: dict[str, str]) -> int:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", FAULTS], env=plain | settings, capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


@on_glibc
def test_large_arrays_come_from_memory_that_is_kept():
    """Twenty times five blocks of 4 MB: a page fault for each page of each of them, or for each page once."""
    assert page_faults({}) > 50 * PAGES
    assert page_faults(tuning.settings({})) < 10 * PAGES


@on_glibc
def test_one_setting_without_the_other_does_not_do_it():
    both = tuning.settings({})
    assert set(both) == set(tuning.MALLOC)
    assert page_faults({"MALLOC_MMAP_THRESHOLD_": both["MALLOC_MMAP_THRESHOLD_"]}) > 50 * PAGES


@pytest.mark.parametrize(
    "theirs", [{"MALLOC_TOP_PAD_": "0"}, {"MALLOC_ARENA_MAX": "1"}, {"GLIBC_TUNABLES": "glibc.malloc.check=3"}]
)
def test_the_users_own_settings_win(theirs: dict[str, str]):
    assert tuning.settings(theirs) == {}


def test_another_malloc_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert tuning.settings({}) == {}
