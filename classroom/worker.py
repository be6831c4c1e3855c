"""The process in which a student's cell runs: started by `sandbox`, never imported.

It is started as `python -I -S -B worker.py SETTINGS`, with an environment, a folder and a process group of its own. A
job comes in by standard input, results go out by what was standard output, and whatever the cell prints goes to
standard error. Each message is eight bytes of length and an .npz (see `program`); the empty one says "ready".

What stands here decides nothing about right and wrong. The answer shares this process, so anything in it can be
patched; all that it reaches is its own result. Reference, misconceptions and comparison are elsewhere.
"""

import importlib.machinery
import importlib.util
import json
import os
import struct
import sys

REFUSED_EVENTS = (
    "ctypes.",
    "fcntl.",
    "ftplib.",
    "http.",
    "mmap.",
    "msvcrt.",
    "nntplib.",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.",
    "resource.",
    "shutil.",
    "signal.",
    "smtplib.",
    "socket.",
    "subprocess.",
    "syslog.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
    "winreg.",
    "_winapi.",
)
READING_EVENTS = ("open", "os.listdir", "os.scandir", "os.listdrives", "os.chdir")


class OnlyThese(importlib.machinery.PathFinder):
    """Finds the named packages where they are; beside them only the standard library can be imported."""

    def __init__(self, folders: dict[str, str]):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is None and name in self.folders:
            return importlib.machinery.PathFinder.find_spec(name, [self.folders[name]])
        return None


def guard(packages: list[str]):
    """An audit hook that refuses what an answer has no business with, and the function that arms it.

    It is a guard, not a confinement: it stops mistakes and simple tricks, and code that works on CPython's own memory
    gets round it.
    """
    real, separator = os.path.realpath, os.sep
    readable = tuple(real(folder) + separator for folder in (*sys.path, *packages))
    libraries = tuple(real(folder) + separator for folder in packages)
    strangers = (f"{separator}site-packages{separator}", f"{separator}dist-packages{separator}")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    armed = False

    def may_read(path) -> bool:
        if path is None:
            return False
        path = real(os.fsdecode(path))
        inside = path + separator
        if inside.startswith(libraries):
            return True
        return inside.startswith(readable) and not any(folder in inside for folder in strangers)

    def hook(event, arguments):
        if not armed:
            return
        if event.startswith(REFUSED_EVENTS):
            raise PermissionError(f"an answer may not use {event}")
        if event in READING_EVENTS and not isinstance(arguments[0] if arguments else None, int):
            path = arguments[0] if arguments else None
            if not may_read(path):
                raise PermissionError(f"an answer may not read {path if path is not None else 'this folder'}")
            if event == "open" and (arguments[2] or 0) & writing:
                raise PermissionError(f"an answer may not write {path}")
        elif event == "import" and arguments[1] is not None and not may_read(arguments[1]):
            raise PermissionError(f"an answer may not load {arguments[1]}")

    def arm():
        nonlocal armed
        armed = True

    sys.addaudithook(hook)
    return arm


def limit(memory: int, seconds: float) -> None:
    """Limits of the operating system, where it has them; sandbox.level() says so."""
    try:
        import resource
    except ImportError:
        return
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(seconds) + 5),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):
            # macOS knows RLIMIT_AS by name and refuses to set it.
            continue


def read_exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError("the job ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main() -> None:
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [""]
    results = os.dup(1)
    os.dup2(2, 1)

    sys.meta_path.append(OnlyThese(settings["packages"]))
    import numpy

    import kernel

    spec = importlib.util.spec_from_file_location("program", settings["program"])
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    limit(settings["memory"], settings["seconds"])
    arm = guard([os.path.dirname(package.__file__) for package in (kernel, numpy)])

    def send(message: bytes, write=os.write, pack=struct.pack) -> None:
        view = memoryview(pack(">Q", len(message)) + message)
        while view:
            view = view[write(results, view) :]

    send(b"")
    (size,) = struct.unpack(">Q", read_exactly(0, 8))
    job, arrays = program.from_bytes(read_exactly(0, size))
    # input() then ends at once, instead of waiting for somebody who is not there.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    to_bytes, flush, leave = program.to_bytes, (sys.stdout.flush, sys.stderr.flush), os._exit
    for tree, values in program.run(job, arrays, arm):
        send(to_bytes(tree, values))
    for each in flush:
        each()
    send(to_bytes({"done": True}, {}))
    # Threads that the answer started end here with the process.
    leave(0)


if __name__ == "__main__":
    main()
