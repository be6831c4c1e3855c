"""Checks, hints and the gradschool command."""

from typing import Any

__all__ = ["check", "hint", "progress_map", "reset", "solution"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `gradschool --help` and a notebook's first cell need not wait for all of it.
    if name in __all__:
        from classroom import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'classroom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
