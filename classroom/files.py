"""Writing a file whole or not at all."""

import os
from pathlib import Path


def write_atomically(target: Path, data: bytes) -> None:
    """Write `data`, so that a crash leaves the old file or the new one; an equal file is not touched."""
    if target.is_file() and target.read_bytes() == data:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two commands that run at once from writing into one another's half.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    part.write_bytes(data)
    os.replace(part, target)
