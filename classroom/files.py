"""Writing a file whole or not at all, and one process at a time."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

if os.name == "nt":
    import msvcrt
else:
    import fcntl


def write_atomically(target: Path, data: bytes) -> None:
    """Write `data`, so that a crash leaves the old file or the new one; an equal file is not touched."""
    if target.is_file() and target.read_bytes() == data:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # The process number keeps two commands that run at once from writing into one another's half.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, target)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until no other process holds `file`, and hold it; the system lets go of it when a process ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as held:
        # Some network folders know no locks; there two writers at the same moment may lose one of two attempts.
        with contextlib.suppress(OSError):
            if os.name == "nt":
                msvcrt.locking(held.fileno(), msvcrt.LK_LOCK, 1)
            else:
                fcntl.flock(held, fcntl.LOCK_EX)
        yield
