"""Start the worker, give it a job, and take what comes back for data and nothing more.

A worker is a fresh Python (`-I -S -B`) with a clean environment, an empty folder and a process group of its own; a time
limit, and, where the system has them, limits on memory, processor time and file sizes; an audit hook against reading,
writing, starting programs and using the network. `level()` and `not_stopped()` say in words what that amounts to here.
"""

import contextlib
import io
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classroom.program import LARGEST_RESULT, PLAIN_KINDS, Arrays, to_bytes

MEMORY = 1 << 30
LARGEST_TREE = 1 << 18
MOST_ARRAYS = 1000
MOST_EVENTS = 1000
FLOOD = 10 << 20
PRINTED_KEPT = 20_000
START_SECONDS = 60.0

# Of the parent's environment only what a dynamic library may need to be found.
INHERITED = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", *(("PATH",) if os.name == "nt" else ()))
HOUSE = Path(__file__).resolve().parent

ENCRYPTED = 0x1
# The first lines of an array file as np.savez writes them. NumPy's own reader hands this text to Python's parser.
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<dtype>[<>|=][%s]\d{1,2})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>[\d, ]{0,600})\), \} *\n" % PLAIN_KINDS.encode(),
    re.DOTALL,
)


class Damaged(ValueError):
    """A result that is not what the worker writes."""


@dataclass
class Outcome:
    """What came out of one run.

    `ended` is "done", or why the run stopped before: "time", "flood", "large", "damaged", "start", "crash".
    """

    ended: str
    events: list[tuple[dict, Arrays]] = field(default_factory=list)
    printed: str = ""
    code: int | None = None
    seconds: float = 0.0


def level() -> str:
    """The confinement of this machine, in one sentence."""
    if sys.platform == "linux":
        return (
            "Level 2: answers run in a child process with an empty environment and folder, a time limit, and limits on "
            "memory, processor time and written files; an audit hook refuses files, programs and the network."
        )
    return (
        "Level 1: answers run in a child process with an empty environment and folder and a time limit; "
        "an audit hook refuses files, programs and the network."
    )


def not_stopped() -> list[str]:
    """What an answer written to do harm can still do here, each in one sentence."""
    sentences = [
        "Code that gets round Python's audit hook can read and change the files of the user who runs the check.",
        "Code that gets round Python's audit hook can open network connections, and start and end programs.",
        "An answer can ask whether a file exists, though not what is in it.",
    ]
    if sys.platform != "linux":
        sentences.append("Memory is not limited on this system: only the time limit ends an answer that fills it.")
    if os.name == "nt":
        sentences.append("A program started by an answer that gets round the audit hook outlives the check.")
    return sentences


class Worker:
    """A worker process, started at once, so that it imports NumPy while the parent makes the inputs.

    Arguments:
        seconds: wall-clock limit of the run, counted from the moment the job is handed over.
        memory: bytes of address space that the process may use.
    """

    def __init__(self, seconds: float = 10.0, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.folder = tempfile.mkdtemp(prefix="gradschool-answer-")
        settings = {
            "packages": {"numpy": str(Path(np.__file__).resolve().parents[1]), "kernel": str(HOUSE.parent)},
            "program": str(HOUSE / "program.py"),
            "memory": memory,
            "seconds": seconds,
        }
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {"HOME": self.folder, "TMPDIR": self.folder}
        # One thread each: the answer shares the machine with the student's own kernel, and BLAS buffers are memory.
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        group = {"start_new_session": True} if os.name == "posix" else {}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-u", "-X", "utf8", str(HOUSE / "worker.py"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment,
            bufsize=0,
            **group,
        )
        self._changed = threading.Condition()
        self._ready = False
        self._events: list[tuple[dict, Arrays]] = []
        self._ended = ""
        self._kept = bytearray()
        self._printed = 0
        self._readers = [
            threading.Thread(target=reader, daemon=True) for reader in (self._read_results, self._read_prints)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, job: dict, arrays: Arrays) -> Outcome:
        """Hand over the job, wait for its end or the limit, end the process with all that it started."""
        outcome = Outcome("start")
        self._wait(lambda: bool(self._ready or self._ended), START_SECONDS)
        if self._ready:
            started = time.monotonic()
            message = to_bytes(job, arrays)
            # A worker that is already gone shows itself as the end of its results.
            with contextlib.suppress(BrokenPipeError, OSError):
                self._write(struct.pack(">Q", len(message)) + message)
            finished = self._wait(lambda: bool(self._ended), self.seconds)
            outcome = Outcome(self._ended if finished else "time", seconds=time.monotonic() - started)
        self.close()
        outcome.code = self.process.returncode
        outcome.printed = self._text()
        outcome.events = list(self._events)
        return outcome

    def close(self) -> None:
        """End the process and its group; what it left running does not outlive the check."""
        if self.process.returncode is None:
            # The leader is not reaped before its group is killed, so its number cannot belong to anybody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "posix":
                    os.killpg(self.process.pid, signal.SIGKILL)
                else:
                    self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        for reader, pipe in zip(self._readers, (self.process.stdout, self.process.stderr), strict=True):
            reader.join(timeout=1.0)
            # A process that left the group may hold the other end for ever; its reader then keeps the pipe.
            if not reader.is_alive():
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, happened: Any, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(happened, seconds)

    def _start(self) -> None:
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def _end(self, how: str) -> None:
        with self._changed:
            self._ended = self._ended or how
            self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.process.stdin.fileno(), view) :]

    def _read_results(self) -> None:
        descriptor, buffer, total = self.process.stdout.fileno(), bytearray(), 0
        while part := os.read(descriptor, 1 << 16):
            total += len(part)
            if total > LARGEST_RESULT:
                return self._end("large")
            buffer += part
            while len(buffer) >= 8:
                size = struct.unpack(">Q", buffer[:8])[0]
                if size > LARGEST_RESULT or len(self._events) > MOST_EVENTS:
                    return self._end("large")
                if len(buffer) < 8 + size:
                    break
                message = bytes(buffer[8 : 8 + size])
                del buffer[: 8 + size]
                if not self._ready:
                    self._start()
                    continue
                try:
                    event = read(message)
                except Damaged:
                    return self._end("damaged")
                if event[0].get("done") is True:
                    return self._end("done")
                self._events.append(event)
        return self._end("crash")

    def _read_prints(self) -> None:
        descriptor = self.process.stderr.fileno()
        while part := os.read(descriptor, 1 << 16):
            self._printed += len(part)
            self._kept += part[: max(0, PRINTED_KEPT - len(self._kept))]
            if self._printed > FLOOD:
                return self._end("flood")
        return None

    def _text(self) -> str:
        text = self._kept.decode("utf-8", errors="replace")
        left_out = self._printed - len(self._kept)
        return text + (f"\n… and {left_out:,} more bytes" if left_out else "")


def read(message: bytes) -> tuple[dict, Arrays]:
    """Tree and arrays of one message from the worker, which anybody in the answer may have written.

    Every size is looked at before it is believed: the members are counted before the archive is opened, none is
    compressed, each header has to be the line that NumPy writes for plain numbers, and the tree is limited JSON.
    Errors: Damaged.
    """
    if message.count(zipfile.stringCentralDir) > MOST_ARRAYS:
        raise Damaged("too many arrays")
    try:
        with zipfile.ZipFile(io.BytesIO(message)) as archive:
            members = archive.infolist()
            # Members may overlap in the archive, and together be larger than it.
            if sum(max(member.file_size, member.compress_size) for member in members) > LARGEST_RESULT:
                raise Damaged("arrays larger than a result")
            arrays = {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
        text = arrays.pop("tree")
        if text.dtype != np.uint8 or text.ndim != 1 or text.size > LARGEST_TREE:
            raise Damaged("no tree")
        tree = json.loads(text.tobytes())
    except (
        *(zipfile.BadZipFile, EOFError, OSError, NotImplementedError),
        *(KeyError, TypeError, ValueError, OverflowError, RecursionError),
    ) as error:
        raise Damaged(str(error)) from error
    if not isinstance(tree, dict):
        raise Damaged("the tree is no event")
    return tree, arrays


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ENCRYPTED:
        raise Damaged(f"member {member.filename!r} is not as NumPy writes it")
    data = archive.read(member)
    header = HEADER.match(data)
    if header is None:
        raise Damaged("an array that NumPy would write otherwise")
    dtype = np.dtype(header["dtype"].decode())
    shape = [int(length) for length in header["shape"].split(b",") if length.strip()]
    if len(data) - header.end() != math.prod(shape) * dtype.itemsize:
        raise Damaged("an array whose data do not fill its shape")
    order = "F" if header["fortran"] == b"True" else "C"
    return np.frombuffer(data, dtype=dtype, offset=header.end()).reshape(shape, order=order)
