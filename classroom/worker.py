"""The process in which a student's cell runs: started by `sandbox`, never imported.

It is started as `python -I -S -B worker.py SETTINGS`, with an environment, a folder and a process group of its own. A
job comes in by standard input, results go out by what was standard output, and whatever the cell prints goes to
standard error. Each message is eight bytes of length and an .npz (see `program`); the empty one says "ready".

What stands here decides nothing about right and wrong. The answer shares this process, so anything in it can be
patched; all that it reaches is its own result. Reference, misconceptions and comparison are elsewhere.
"""

import _signal
import importlib.machinery
import importlib.util
import json
import os
import signal
import struct
import sys

REFUSED_EVENTS = (
    "code.",
    "cpython.",
    "ctypes.",
    "fcntl.",
    "ftplib.",
    "gc.",
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
    "sqlite3.",
    "subprocess.",
    "syslog.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
    "winreg.",
    "_winapi.",
)
READING_EVENTS = ("open", "os.listdir", "os.scandir", "os.listdrives", "os.chdir")
# Extension modules that reach files, programs or other interpreters without an audit event.
REFUSED_MODULES = (
    "_curses",
    "_dbm",
    "_gdbm",
    "_interpreters",
    "_posixsubprocess",
    "_ssl",
    "_testcapi",
    "_testinternalcapi",
    "_tkinter",
    "_xxsubinterpreters",
    "readline",
)


class OnlyThese(importlib.machinery.PathFinder):
    """Finds the named packages where they are; beside them only the standard library can be imported."""

    def __init__(self, folders: dict[str, str]):
        self.folders = folders

    def find_spec(self, name, path=None, target=None):
        if path is None and name in self.folders:
            return importlib.machinery.PathFinder.find_spec(name, [self.folders[name]])
        return None


def guard(packages, kind=type, text=str, number=int, refusal=PermissionError):
    """A function that sets up an audit hook, which refuses what an answer has no business with.

    The hook trusts nothing that an answer can patch: no module, no builtin, no method of a class that can be derived
    from, no state that could be switched off; whatever it uses stands in its own closure. So a path counts by its
    letters alone, and one that is not an exact `str`, or steps up with `..`, is refused. It is a guard still and no
    confinement: code that works on CPython's own memory gets round it.
    """
    folders = {each for folder in (*sys.path, *packages) for each in (folder, os.path.realpath(folder))}
    readable = tuple(folder + os.sep for folder in folders)
    libraries = tuple(folder + os.sep for package in packages for folder in (package, os.path.realpath(package)))
    strangers = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    separator, refused, reading, modules = os.sep, REFUSED_EVENTS, READING_EVENTS, REFUSED_MODULES

    def may_read(path):
        if kind(path) is not text or ".." in path:
            return False
        inside = path + separator
        if inside.startswith(libraries):
            return True
        for stranger in strangers:
            if stranger in inside:
                return False
        return inside.startswith(readable)

    def name_of(path):
        return path if kind(path) is text else "what is no plain path"

    def hook(event, arguments):
        if event.startswith(refused):
            raise refusal(f"an answer may not use {event}")
        if event in reading:
            path = arguments[0] if arguments else None
            if kind(path) is number:
                return
            if not may_read(path):
                raise refusal(f"an answer may not read {name_of(path)}")
            if event == "open" and (arguments[2] or 0) & writing:
                raise refusal(f"an answer may not write {path}")
        elif event == "import":
            name, path = arguments[:2]
            if kind(name) is not text or name.rpartition(".")[2] in modules:
                raise refusal(f"an answer may not import {name_of(name)}")
            if path is not None and not may_read(path):
                raise refusal(f"an answer may not load {name_of(path)}")

    def arm(add=sys.addaudithook):
        add(hook)

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

    # The one way to signal another process that no audit event announces.
    for module in (signal, _signal):
        vars(module).pop("pidfd_send_signal", None)
    limit(settings["memory"], settings["seconds"])
    packages = [os.path.dirname(package.__file__) for package in (kernel, numpy)]

    def send(message: bytes, write=os.write, pack=struct.pack) -> None:
        view = memoryview(pack(">Q", len(message)) + message)
        while view:
            view = view[write(results, view) :]

    send(b"")
    (size,) = struct.unpack(">Q", read_exactly(0, 8))
    job, arrays = program.from_bytes(read_exactly(0, size))
    # input() then ends at once, instead of waiting for somebody who is not there.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    # Where an answer breaks what this process itself needs, no traceback of ours stands among its prints.
    sys.excepthook = lambda *exception: None
    to_bytes, flush, leave = program.to_bytes, (sys.stdout.flush, sys.stderr.flush), os._exit
    # No frame keeps the guard under a name: it would lead an answer to the hook.
    for tree, values in program.run(job, arrays, guard(packages)):
        send(to_bytes(tree, values))
    for each in flush:
        each()
    send(to_bytes({"done": True}, {}))
    # Threads that the answer started end here with the process.
    leave(0)


if __name__ == "__main__":
    main()
