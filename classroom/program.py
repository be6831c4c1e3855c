"""Run one program on the cases of an exercise, and turn what it gives into plain data.

The same code runs a student's answer in the worker and the references and misconceptions in the parent. Values travel
as a tree of JSON beside named arrays (an .npz), never as pickle:

    None, True, 3, 2.5, "text"                        as themselves
    {"tensor": "a0", "requires_grad": false}          a kernel Tensor
    {"array": "a1"} · {"scalar": "a2"}                a NumPy array · a NumPy scalar
    {"list": [...]}                                   a list
    {"tuple": [...]}                                  a tuple, a namedtuple
    {"dict": [[key, value], ...]}                     a dict, a defaultdict, an OrderedDict, a Counter
    {"dtype": "float32"} · {"open": true}             a dtype · the `...` of a stub
    {"other": "function"}                             anything else, by the name of its type
"""

import io
import json
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import kernel

CELL = "<your cell>"
PLAIN_KINDS = "biufc"
DEEPEST = 12
LONGEST_TEXT = 10_000

LARGEST_RESULT = 64 << 20
# What counts as a dict; a class of the answer's own could be anything.
DICTS = (dict, defaultdict, OrderedDict, Counter)

Arrays = dict[str, np.ndarray]


class TooLarge(ValueError):
    """A result that is not worth carrying to the check."""


def pack(value: Any, arrays: Arrays, depth: int = 0) -> Any:
    """`value` as a tree of JSON; its arrays are added to `arrays`."""

    def keep(kind: str, array: np.ndarray, **more: Any) -> dict:
        if array.dtype.kind not in PLAIN_KINDS:
            return {"other": f"array of {array.dtype.name} values"}
        if array.nbytes > LARGEST_RESULT:
            raise TooLarge("a result that is too large")
        key = f"a{len(arrays)}"
        arrays[key] = np.array(array)
        return {kind: key, **more}

    if type(value) is str:
        return value[:LONGEST_TEXT]
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int and abs(value) < 2**63:
        return value
    if value is Ellipsis:
        return {"open": True}
    if isinstance(value, kernel.Tensor):
        return keep("tensor", value.detach().cpu().numpy(), requires_grad=bool(value.requires_grad))
    if isinstance(value, np.ndarray):
        return keep("array", np.asarray(value))
    if isinstance(value, np.generic):
        return keep("scalar", np.asarray(value))
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"dtype": value.__name__}
    if depth < DEEPEST:
        if type(value) is list:
            return {"list": [pack(item, arrays, depth + 1) for item in value]}
        # The classes' own methods, because a namedtuple is a class that the answer may have changed.
        if issubclass(type(value), tuple):
            return {"tuple": [pack(item, arrays, depth + 1) for item in tuple.__iter__(value)]}
        if type(value) in DICTS:
            items = [[pack(k, arrays, depth + 1), pack(v, arrays, depth + 1)] for k, v in dict.items(value)]
            return {"dict": items}
    return {"other": type(value).__name__}


def unpack(tree: Any, arrays: Arrays, device: str) -> Any:
    """The value that `pack` was given, its Tensors on `device`."""
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"tensor": key, "requires_grad": requires_grad}:
            array = arrays[key]
            return kernel.tensor(array, dtype=array.dtype.name, device=device, requires_grad=requires_grad)
        case {"array": key}:
            return np.array(arrays[key])
        case {"scalar": key}:
            return arrays[key][()]
        case {"dtype": name}:
            return np.dtype(name)
        case {"list": items}:
            return [unpack(item, arrays, device) for item in items]
        case {"tuple": items}:
            return tuple(unpack(item, arrays, device) for item in items)
        case {"dict": items}:
            return {unpack(k, arrays, device): unpack(v, arrays, device) for k, v in items}
    raise TypeError(f"an argument of a case cannot be {tree}; use tensors, arrays, numbers, strings, lists, dicts.")


def to_bytes(tree: Any, arrays: Arrays) -> bytes:
    """Tree and arrays as one .npz; the tree is its member `tree`, JSON in bytes."""
    buffer = io.BytesIO()
    text = json.dumps(tree).encode()
    np.savez(buffer, tree=np.frombuffer(text, dtype=np.uint8), **arrays)
    return buffer.getvalue()


def from_bytes(data: bytes) -> tuple[Any, Arrays]:
    """The inverse of `to_bytes`, for data that is trusted: the worker reading its job."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return json.loads(arrays.pop("tree").tobytes()), arrays


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """The fixed vector of the vector-Jacobian product that compares gradients: no two neighbours alike."""
    size = int(np.prod(shape))
    return (1.0 + 0.5 * np.cos(np.arange(size))).reshape(shape)


def run(job: dict, arrays: Arrays, arm: Callable[[], None] = lambda: None) -> Iterator[tuple[dict, Arrays]]:
    """Run the program of `job` and yield what happened, event by event, each with its own arrays.

    First `{"loaded": true, "found": ..., "defined": [...]}` or `{"error": ...}` and nothing more; then, for each case,
    `{"value", "gradients", "after"}` or `{"error"}`. `arm` is called once the trusted sources stand.
    """
    name, device = job["name"], job["device"]
    namespace, driver = _set_up(job)
    before = set(namespace)
    cases = [unpack(case, arrays, device) for case in job["cases"]]
    arm()
    del arm
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(job["source"], CELL, "exec"), namespace)
        except BaseException as error:  # SystemExit and KeyboardInterrupt are mistakes of the cell like any other.
            yield {"error": describe(error)}, {}
            return
        defined = sorted(key for key in set(namespace) - before if not key.startswith("__"))
        answer = namespace.get(name)
        found = name in namespace and (job["value"] or callable(answer))
        yield {"loaded": True, "found": found, "exists": name in namespace, "defined": defined[:50]}, {}
        if not found:
            return
        event: dict = {}
        for arguments in cases:
            results: Arrays = {}
            if "MemoryError" in event.get("error", {}).get("bases", ()):
                # To fill the memory once takes a second; the other cases would end no better.
                yield event, {}
                continue
            try:
                event = _call(answer, driver, arguments, job["value"], results)
            except BaseException as error:  # As above: the next case still runs.
                event, results = {"error": describe(error)}, {}
            yield event, results


def _set_up(job: dict) -> tuple[dict[str, Any], Callable | None]:
    """The namespace of the answer, and the driver; their sources leave the job, where an answer could read them."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for source in job.pop("prelude"):
        exec(compile(source, "<set-up>", "exec"), namespace)
    driver = job.pop("driver")
    if driver:
        exec(compile(driver["source"], "<set-up>", "exec"), namespace)
        driver = namespace.pop(driver["name"])
    namespace.pop(job["name"], None)
    return namespace, driver


def _call(answer: Any, driver: Callable | None, arguments: tuple, is_value: bool, arrays: Arrays) -> dict:
    if is_value:
        value = answer
    elif driver is None:
        value = answer(*arguments)
    else:
        value = driver(answer, *arguments)
    gradients = None
    leaves = [each for each in arguments if isinstance(each, kernel.Tensor) and each.requires_grad]
    packed = pack(value, arrays)
    if leaves and isinstance(value, kernel.Tensor) and value.requires_grad:
        dtype = arrays[packed["tensor"]].dtype.name
        seed = kernel.tensor(weights(value.shape), dtype=dtype, device=value.device)
        value.backward(seed)
        gradients = [pack(leaf.grad, arrays) for leaf in leaves]
    return {"value": packed, "gradients": gradients, "after": [pack(each, arrays) for each in arguments]}


def describe(error: BaseException) -> dict:
    """What a sentence needs to know of an error: its type, message, the missing name, the line in the cell."""
    description = {"type": "an error", "bases": [], "message": "", "name": "", "line": None}
    try:
        step = error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == CELL:
                description["line"] = step.tb_lineno
            step = step.tb_next
        if isinstance(error, SyntaxError) and error.filename == CELL:
            description["line"] = error.lineno
        description["bases"] = [str(each.__name__) for each in type(error).__mro__]
        description["type"] = description["bases"][0]
        description["name"] = str(getattr(error, "name", None) or "")[:200]
        message = error.msg if isinstance(error, SyntaxError) else error
        description["message"] = str(message)[:2000]
    except BaseException:  # The error is the answer's own, and so are its methods: what they raise is no news.
        description["message"] = "its message cannot be shown"
    return description
