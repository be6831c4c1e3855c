"""Answers that try to get points, or to harm: each scores 0, and the parent lives."""

import os
import sys
import time
from pathlib import Path

import pytest

import kernel
from classroom import engine, program, sandbox
from classroom.cell import prepare
from classroom.spec import Case, Exercise
from classroom.verdict import Verdict

COURSE = Path(__file__).parent / "course"
WRONG = """
def softmax(logits):
    return logits * 0
"""
RIGHT = """
def softmax(logits):
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
"""

PATCHED = {
    "NumPy's comparisons": """
for name in ("allclose", "isclose", "array_equal", "array_equiv", "all", "any", "abs", "isnan"):
    setattr(np, name, lambda *arguments, **options: True)
np.testing.assert_allclose = lambda *arguments, **options: None
""",
    "NumPy's writing": "np.savez = lambda file, **arrays: file.write(b'right')\n",
    "NumPy's loading": "np.load = np.frombuffer = lambda *arguments, **options: {}\n",
    "the array's own operations": """
class Agreeable(np.ndarray):
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: np.ones(self.shape, bool)
    all = any = lambda self, *arguments, **options: True
kernel.zeros = lambda *arguments, **options: np.zeros(3).view(Agreeable)
""",
    "builtins": """
import builtins
for name in ("all", "any", "len", "isinstance", "getattr", "zip", "max", "abs"):
    setattr(builtins, name, lambda *arguments, **options: True)
""",
    "the kernel's Tensor": "kernel.Tensor.__eq__ = lambda self, other: True\nkernel.Tensor.numpy = lambda self: 1\n",
    "the worker's own functions": """
import __main__, sys
for module in (__main__, sys.modules.get("program")):
    for name in list(vars(module) if module else ()):
        if not name.startswith("__"):
            setattr(module, name, lambda *arguments, **options: True)
""",
    "json and struct": """
import json, struct
json.dumps = lambda *arguments, **options: '{"done": true}'
struct.pack = lambda *arguments: b""
""",
}


STEAL = f"""
text = open({str(COURSE / "00_sample" / "checks.py")!r}).read()
exec(text[text.index("def softmax") : text.index("def without_shift")], globals())
"""
DISARMED = {
    "the guard's tables": "import __main__\n__main__.READING_EVENTS = __main__.REFUSED_EVENTS = ()\n",
    "what makes a string of a path": "import os\nos.fsdecode = os.fspath = lambda path: kernel.__file__\n",
    "what follows links": "import posixpath\nposixpath._joinrealpath = lambda *parts: (kernel.__file__, True)\n",
    "isinstance": "import builtins\nbuiltins.isinstance = lambda *arguments: True\n",
    "a switch in a frame": """
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        for cell in getattr(value, "__closure__", None) or ():
            cell.cell_contents = False
    frame = frame.f_back
""",
    "a switch among all objects": """
import gc
for value in gc.get_objects():
    if getattr(value, "__name__", "") == "hook":
        value.__code__ = (lambda event, arguments: None).__code__
""",
    "a path that changes": """
class Path:
    asked = 0
    def __fspath__(self):
        self.asked += 1
        return TEXT if self.asked < 2 else kernel.__file__
TEXT, plainly = STOLEN, open
open = lambda path: plainly(Path())
""",
    "a string with methods of its own": """
class Path(str):
    startswith = __contains__ = lambda self, *arguments: True
    __add__ = lambda self, other: kernel.__file__
import io, os
open = lambda path: io.StringIO(os.read(os.open(Path(path), 0), 100_000).decode())
""",
    "another interpreter": """
import _xxsubinterpreters, io, os
def open(path):
    come, go = os.pipe()
    _xxsubinterpreters.run_string(
        _xxsubinterpreters.create(), f"import os; os.write({go}, open({path!r}).read().encode())"
    )
    return io.StringIO(os.read(come, 100_000).decode())
""",
    "a program started below subprocess": "import _posixsubprocess\n",
    "a database": "import sqlite3\nsqlite3.connect(STOLEN)\n",
}


@pytest.mark.parametrize("disarm", list(DISARMED.values()), ids=list(DISARMED))
def test_the_guard_cannot_be_talked_out_of_it(answer, disarm: str) -> None:
    """Below each attempt the reference is read and used: points would mean that the guard gave way."""
    stolen = f"STOLEN = {str(COURSE / '00_sample' / 'checks.py')!r}\n"
    verdict = answer("softmax", stolen + disarm + STEAL, seconds=3.0)
    assert (verdict.status, verdict.points) == ("wrong", 0), verdict


@pytest.mark.parametrize("patch", list(PATCHED.values()), ids=list(PATCHED))
def test_patching_everything_in_reach_earns_nothing(answer, patch: str) -> None:
    assert answer("softmax", patch + WRONG, seconds=3.0).points == 0


RIGGED = {
    "an object that equals everything": """
class Yes:
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = lambda self, *other: True
    shape, dtype, requires_grad = (1, 3), "float64", True
    __array__ = lambda self, *arguments, **options: np.zeros((1, 3))
def softmax(logits):
    return Yes()
""",
    "an array subclass": """
class Yes(np.ndarray):
    __eq__ = lambda self, other: True
def softmax(logits):
    return np.zeros((1, 3)).view(Yes)
""",
    "a Tensor subclass": """
class Yes(kernel.Tensor):
    __eq__ = __bool__ = lambda self, *other: True
def softmax(logits):
    return object.__new__(Yes)
""",
    "a number that equals everything": """
class Yes(float):
    __eq__ = lambda self, other: True
def softmax(logits):
    return Yes(1.0)
""",
    "a dict of everything": """
class Yes(dict):
    __getitem__ = __contains__ = __missing__ = lambda self, key: True
def softmax(logits):
    return Yes()
""",
    "a tuple of everything": """
class Yes(tuple):
    __eq__ = __contains__ = lambda self, other: True
    __iter__ = lambda self: iter([kernel.ones(1, 3)] * 100)
    __len__ = lambda self: 10**9
def softmax(logits):
    return Yes((logits,))
""",
    "a dict of the library with items of its own": """
from collections import defaultdict
class Yes(defaultdict):
    items = lambda self: [("all", "right")]
def softmax(logits):
    return Yes(int, {logits: logits})
""",
    "an array of objects, which only pickle can carry": """
class Evil:
    def __reduce__(self):
        return print, ("unpickled",)
def softmax(logits):
    return np.array([Evil()], dtype=object)
""",
    "a list that holds itself": "def softmax(logits):\n    x = []\n    x.append(x)\n    return x\n",
    "a number without end": "def softmax(logits):\n    return 10 ** 100_000\n",
}


@pytest.mark.parametrize("source", list(RIGGED.values()), ids=list(RIGGED))
def test_rigged_results_are_data_like_any_other(answer, source: str) -> None:
    verdict = answer("softmax", source)
    assert verdict.points == 0
    assert "unpickled" not in verdict.printed


FORGE = """
import io, json, os, struct
def frame(tree, **arrays):
    file = io.BytesIO()
    np.savez(file, tree=np.frombuffer(json.dumps(tree).encode(), np.uint8), **arrays)
    return file.getvalue()
def write(data):
    data = struct.pack(">Q", len(data)) + data
    for descriptor in range(3, 20):
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest):]
        except OSError:
            pass
def send(tree, **arrays):
    write(frame(tree, **arrays))
def everywhere(value):
    send({"loaded": True, "found": True, "exists": True, "defined": []})
    for case in range(6):
        send({"value": value, "gradients": None, "after": [None]})
    send({"done": True})
    os._exit(0)
"""
FORGED = {
    "a result in print": WRONG + 'print(\'{"status": "right", "points": 3}\')',
    "the end at once": FORGE + 'send({"done": True})\nos._exit(0)',
    "a loaded cell, results and the end": FORGE
    + """
send({"loaded": True, "found": True, "exists": True, "defined": []})
for case in range(6):
    send({"value": {"tensor": "a", "requires_grad": True}, "gradients": None, "after": []}, a=np.ones((1, 3)))
send({"done": True})
os._exit(0)
""",
    "a verdict": FORGE + 'send({"status": "right", "points": 3})\nsend({"done": True})\nos._exit(0)',
    "trees that are none": FORGE
    + """
send({"loaded": True, "found": True, "exists": True, "defined": []})
for tree in ([], {"value": {"tensor": 3}}, {"error": 5}, {"error": {"line": "x"}}, {"value": {"dict": [[1]]}}):
    send(tree)
send({"done": True})
os._exit(0)
""",
    "bytes of no meaning": FORGE
    + "for n in range(3, 20):\n    try:\n        os.write(n, b'\\xff' * 100)\n    except OSError:\n"
    "        pass\nos._exit(0)",
    "a tree a thousand deep": FORGE
    + """
data = b'{"list": [' * 5000 + b'1' + b']}' * 5000
class Text(bytes):
    encode = lambda self: self
json.dumps = lambda tree: Text(data)
send(None)
os._exit(0)
""",
    "messages of another order": FORGE
    + "send({'value': 3})\nsend({'loaded': True})\nsend({'done': True})\nos._exit(0)",
    "messages without end": FORGE
    + """
while True:
    send({"loaded": True, "found": True, "exists": True, "defined": []})
""",
    "a number too large for any array": FORGE + "everywhere(10**4000)",
    "a line of code that no cell has": FORGE
    + "send({'error': {'type': 'X', 'message': '', 'name': '', 'line': 10**4000, 'bases': []}})\nos._exit(0)",
    "lists as deep as Python bears": FORGE
    + "deep = 1\nfor _ in range(430):\n    deep = {'list': [deep]}\neverywhere(deep)",
    "a locked archive": FORGE
    + """
data = bytearray(frame({"value": 1}))
data[data.index(b"PK\\x01\\x02") + 8] |= 1
write(bytes(data))
os._exit(0)
""",
    "a million members": FORGE
    + """
member = b"PK\\x01\\x02" + bytes(24) + b"\\x01" + bytes(17) + b"a"
count = 60_000_000 // len(member)
write(member * count + struct.pack("<4s4H2LH", b"PK\\x05\\x06", 0, 0, 65535, 65535, count * len(member), 0, 0))
os._exit(0)
""",
    "headers that no array has": FORGE
    + """
import zipfile
file = io.BytesIO()
with zipfile.ZipFile(file, "w") as archive:
    for number, shape in enumerate(("(3L,)", "(0, 10**30)", "(0,)" + "," * 99, "-" * 3000 + "1", "(" * 900)):
        text = "{'descr': '<f8', 'fortran_order': False, 'shape': " + shape + ", }\\n"
        archive.writestr(str(number), b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(text)) + text.encode())
write(file.getvalue())
os._exit(0)
""",
    "a pickle": FORGE
    + """
class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/gradschool-unpickled",)
send({"value": {"array": "a"}, "gradients": None, "after": []}, a=np.array([Evil()], dtype=object))
send({"done": True})
os._exit(0)
""",
}


@pytest.mark.parametrize("source", list(FORGED.values()), ids=list(FORGED))
def test_forged_results_earn_nothing(answer, source: str) -> None:
    assert answer("softmax", source, seconds=3.0).points == 0
    assert not os.path.exists("/tmp/gradschool-unpickled")


LOUD = {
    "a long name": "Loud = type('x' * 500, (), {})\ndef softmax(logits):\n    return Loud()",
    "a name in two lines and red": "Loud = type('x\\n\\x1b[31m', (), {})\ndef softmax(logits):\n    return Loud()",
    "an error of a long name": "Loud = type('x' * 500, (Exception,), {})\ndef softmax(logits):\n    raise Loud()",
    "an error that clears the screen": "def softmax(logits):\n    raise ValueError('\\x1b[2J\\x07\\n' + 'x' * 5000)",
    "an error that has no text": """
class Loud(Exception):
    __str__ = lambda self: 1 / 0
def softmax(logits):
    raise Loud()
""",
    "an error that has no name": """
class Kind(type):
    __name__ = property(lambda self: 1 / 0)
class Loud(Exception, metaclass=Kind):
    pass
def softmax(logits):
    raise Loud()
""",
    "an error that answers nothing": """
class Loud(Exception):
    __getattribute__ = lambda self, name: 1 / 0
def softmax(logits):
    raise Loud()
""",
    "a long text": "def softmax(logits):\n    return 'x\\n' * 1_000_000",
    "half a character": "def softmax(logits):\n    return '\\udc80' * 100",
    "an array of many axes": "def softmax(logits):\n    return np.zeros((2,) * 22, np.int8)",
    "a list of many lists": "def softmax(x):\n    x = 1\n    for _ in range(5):\n        x = [x] * 10\n    return x",
    "bytes that are no text": "import os\nos.write(1, b'\\xff\\x1b[31m')\ndef softmax(logits):\n    return logits",
    "a channel that was closed": "import os\nos.closerange(3, 100)\ndef softmax(logits):\n    return logits",
}


@pytest.mark.parametrize("source", list(LOUD.values()), ids=list(LOUD))
def test_a_sentence_stays_one_sentence(answer, source: str) -> None:
    started = time.monotonic()
    verdict = answer("softmax", source)
    assert (verdict.status, verdict.points) == ("wrong", 0)
    assert verdict.sentence[0].isupper() or verdict.sentence.startswith("softmax ")
    assert verdict.sentence.endswith(".")
    assert len(verdict.sentence) < 650
    assert verdict.sentence.isprintable()
    assert all(len(text) < 2100 and "\x1b" not in text for _, text in verdict.table)
    assert time.monotonic() - started < 8


def in_softmax(lines: str, before: str = "") -> str:
    inside = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"{before}\ndef softmax(logits):\n{inside}    return logits\n"


ENDED = {
    "os._exit": (in_softmax("os._exit(0)", "import os"), "The cell ended its own process before softmax was done"),
    "os.abort": (in_softmax("os.abort()", "import os"), "The process that ran softmax crashed (signal 6)"),
    "a loop without end": (in_softmax("while True: pass"), "softmax did not finish within 1.5 seconds"),
    "a loop that catches everything": (
        in_softmax("while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
        "softmax did not finish within 1.5 seconds",
    ),
    "sleep": (in_softmax("time.sleep(100)", "import time"), "softmax did not finish within 1.5 seconds"),
    "a flood of prints": (in_softmax("while True: print('x' * 1000)"), "softmax printed more than 10 MB"),
    "a large result": (
        in_softmax("return kernel.zeros(20_000_000)"),
        "softmax returned more than 64 MB: the result should be as small as the example's.",
    ),
    "deep recursion in C": (
        in_softmax(
            "sys.setrecursionlimit(10**7)\nclass C:\n"
            "    def __getattr__(self, name): return getattr(self, name + 'x')\nC().x",
            "import sys",
        ),
        "",
    ),
}


@pytest.mark.parametrize(("source", "sentence"), list(ENDED.values()), ids=list(ENDED))
def test_a_run_that_does_not_come_to_its_end(answer, source: str, sentence: str) -> None:
    started = time.monotonic()
    verdict = answer("softmax", source, seconds=1.5)
    assert verdict.points == 0
    assert verdict.sentence.startswith(sentence)
    assert len(verdict.printed) < 30_000
    assert time.monotonic() - started < 15


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone, as sandbox.not_stopped() says")
@pytest.mark.parametrize(
    "lines", ["np.ones(10**9)", "x = bytearray(8 * 2**30)", "x = []\nwhile True: x.append([0] * 10**6)"]
)
def test_eight_gigabytes(answer, lines: str) -> None:
    verdict = answer("softmax", in_softmax(lines))
    assert verdict.points == 0
    assert verdict.sentence.startswith("softmax asks for more memory than an answer may use, which is 1 GB (line ")


REFUSED = {
    "import classroom": "import importlib\nimportlib.import_module('classroom')",
    "import the course": "import checks",
    "a path beside the kernel": "import os, sys\nsys.path.append(os.path.dirname(os.path.dirname(kernel.__file__)))\n"
    "from classroom import spec",
    "a path beside NumPy": "import os, sys\nsys.path.insert(0, os.path.dirname(os.path.dirname(np.__file__)))\n"
    "import matplotlib",
    "reading checks.py": f"open({str(COURSE / '00_sample' / 'checks.py')!r}).read()",
    "a path through the kernel": "open(kernel.__file__.replace('kernel/__init__', 'kernel/../classroom/spec')).read()",
    "walking the disk": "import os\nassert list(os.walk('/', onerror=lambda e: None))[5]",
    "listing the home": "import os\nos.listdir(os.path.expanduser('~'))",
    "globbing": "import glob\nassert glob.glob('/**/checks.py', recursive=True)[0]",
    "its own folder": "import os\nos.listdir('.')",
    "the parent's memory": "import os\nopen(f'/proc/{os.getppid()}/environ').read()",
    "its own settings": "import sys\nassert len(sys.argv) > 1",
    "writing a file": "open('result.npz', 'wb')",
    "a subprocess": "import subprocess\nsubprocess.run(['true'])",
    "the shell": "import os\nos.system('true')",
    "a fork": "import os\nos.fork()",
    "a program in its place": "import os\nos.execv('/bin/true', ['true'])",
    "killing the parent": "import os\nos.kill(os.getppid(), 9)",
    "stopping the parent by another name": "import os, signal\nchild = os.pidfd_open(os.getppid())\n"
    "signal.pidfd_send_signal(child, 0)",
    "the parent's files": "import os\nopen(f'/proc/{os.getppid()}/fd/0')",
    "a path that goes down and up": "import os\nopen(os.path.dirname(os.__file__) + '/../../etc/passwd')",
    "importing a file": f"from importlib.machinery import SourceFileLoader\n"
    f"SourceFileLoader('checks', {str(COURSE / '00_sample' / 'checks.py')!r}).load_module()",
    "a memory map": f"np.memmap({str(COURSE / '00_sample' / 'checks.py')!r}, np.uint8, 'r')[0]",
    "another process": "import multiprocessing\nmultiprocessing.Process(target=print).start()",
    "code made by hand": "(lambda: 0).__code__.replace(co_stacksize=0)",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', 1))",
    "C": "import ctypes\nctypes.CDLL(None).exit(0)",
    "higher limits": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "the reference among all objects": "import gc, types\nassert any(isinstance(each, types.FunctionType) and "
    "each.__name__ == 'without_shift' for each in gc.get_objects())",
    "the reference in a frame": """
import sys
frame, found = sys._getframe(), []
while frame:
    found += [value for value in frame.f_locals.values() if 'without' + '_shift' in str(value)]
    frame = frame.f_back
assert found""",
    "an environment": "import os\nassert 'GRADSCHOOL_COURSE' in os.environ",
}


@pytest.mark.parametrize("attempt", list(REFUSED.values()), ids=list(REFUSED))
def test_there_is_nothing_to_find(answer, attempt: str) -> None:
    """Each attempt ends in an error; had it succeeded, the right answer below it would earn the points."""
    verdict = answer("softmax", f"{attempt}\n{RIGHT}")
    assert (verdict.status, verdict.points) == ("wrong", 0), verdict
    assert verdict.sentence.split()[0] in ("softmax", "The")


def test_the_processes_of_an_answer_end_with_the_check(answer) -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + RIGHT
    started = time.monotonic()
    assert answer("softmax", source).status == "right"
    assert time.monotonic() - started < 10


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_child_that_was_left_behind_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """The guard refuses fork; were it got round, the process group would still end with the check."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import os, time\nos.write(1, bytes(8))\npid = os.fork()\n"
        "if pid:\n    os.write(2, str(pid).encode())\n    os._exit(0)\ntime.sleep(60)\n"
    )
    monkeypatch.setattr(sandbox, "HOUSE", tmp_path)
    with sandbox.Worker(seconds=1.0) as worker:
        outcome = worker.run({}, {})
    assert outcome.ended == "time"
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{outcome.printed}/stat") and time.monotonic() < deadline:
        # A killed process that nobody has waited for yet stays as a zombie, state Z.
        if Path(f"/proc/{outcome.printed}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not os.path.exists(f"/proc/{outcome.printed}")


def test_a_worker_that_cannot_start_says_so(answer, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "worker.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(sandbox, "HOUSE", tmp_path)
    verdict = answer("softmax", RIGHT)
    assert (verdict.status, verdict.points) == ("unavailable", 0)
    assert "gradschool doctor" in verdict.sentence


def test_the_level_is_said_with_what_it_does_not_stop() -> None:
    assert sandbox.level().startswith("Level ")
    assert all(sentence.endswith(".") for sentence in sandbox.not_stopped())


def test_the_folder_of_an_answer_is_gone_afterwards() -> None:
    with sandbox.Worker() as worker:
        assert os.path.isdir(worker.folder)
        assert not os.listdir(worker.folder)
    assert not os.path.exists(worker.folder)
    assert worker.process.returncode is not None


def product(first, second):
    return first * second


def product_cases(random, dtype):
    yield Case(*(kernel.tensor(random.normal(size=2), dtype=dtype, requires_grad=True) for _ in range(2)))


@pytest.mark.parametrize(
    ("part", "kept", "status"),
    [
        ("gradients", 2, "right"),
        ("gradients", 1, "wrong"),
        ("gradients", 0, "wrong"),
        ("after", 1, "wrong"),
        ("after", 0, "wrong"),
    ],
)
def test_what_a_forged_result_leaves_out_counts_as_wrong(part: str, kept: int, status: str) -> None:
    exercise = Exercise(
        product,
        title="Product",
        points=1,
        hints=("", "", ""),
        misconceptions=(),
        cases=product_cases,
        dtypes=("float64",),
    )
    arrays, trials = engine.make_trials(exercise, (), 1, "cpu")
    events = list(program.run(engine.job(exercise, (), exercise.reference.source, trials, "cpu"), arrays))
    events[1][0][part] = events[1][0][part][:kept]
    verdict = Verdict("product", "Product", "wrong", "", 0, 1)
    engine.judge(verdict, exercise, (), prepare("x"), sandbox.Outcome("done", events), arrays, trials, "cpu")
    assert verdict.status == status


def test_the_source_of_a_used_reference_cannot_be_read(answer) -> None:
    """crossentropy stands on softmax, whose solution is another exercise's."""
    source = """
import sys
frame, seen = sys._getframe(), ""
while frame:
    seen += str(frame.f_locals) + str(frame.f_globals)
    frame = frame.f_back
print("found" if "exponentials" + " =" in seen else "nothing")
"""
    assert answer("crossentropy", source).printed == "nothing\n"
