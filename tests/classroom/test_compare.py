"""Comparison of plain data, and the reading of results that somebody else may have written."""

import functools
import io
import json
import struct
import zipfile
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from classroom.compare import difference, plain, same
from classroom.program import from_bytes, pack, to_bytes, unpack
from classroom.sandbox import LARGEST_RESULT, Damaged, read


def carried(value: object) -> object:
    """A value as it arrives in the parent."""
    arrays: dict[str, np.ndarray] = {}
    tree, back = read(to_bytes({"value": pack(value, arrays)}, arrays))
    return plain(tree["value"], back)


def parts(wanted: object, got: object, tolerance: float = 1e-5) -> str:
    """What kind of difference there is, "" for none."""
    one, other = carried(wanted), carried(got)
    found = difference(one, one, other, tolerance)
    return found.kind if found else ""


Pair = namedtuple("Pair", "x y")


class Rigged(dict):
    """A dict of one's own, which could answer anything."""


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("wanted", "got", "kind"),
    [
        (1.0, 1, ""),
        (1, 1.0, ""),
        (1.0, np.float32(1), ""),
        (1.0, np.array(1.0), ""),
        (1.0, kernel.tensor(1.0), ""),
        (1.0, [1.0], "type"),
        (1.0, np.ones(1), "shape"),
        (1.0, True, "type"),
        (True, np.bool_(True), ""),
        (True, 1, "type"),
        (True, False, "value"),
        ("a", " a ", ""),
        ("a", "b", "value"),
        ("float32", np.dtype("float32"), ""),
        ("float32", np.float32, ""),
        ((1, 2), [1, 2], ""),
        ((1, 2), Pair(1, 2), ""),
        ((1, 2), Pair(2, 1), "value"),
        ({"a": 1}, defaultdict(float, a=1), ""),
        ({"a": 1}, Counter("a"), ""),
        ({"a": 1}, OrderedDict(a=2), "value"),
        ({"a": 1}, Rigged(a=1), "type"),
        ((1, 2), (1, 2, 3), "shape"),
        ((1, 2), np.array([1, 2]), "type"),
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1}, {"b": 1}, "keys"),
        ({"a": 1}, {"a": 1, "b": 2}, "keys"),
        ({"a": 1}, {"a": ...}, "open"),
        (None, None, ""),
        (None, 0, "type"),
        (0, None, "type"),
        (np.ones(2), np.float64(1), "type"),
        (np.ones(2), kernel.ones(2), "type"),
        (np.ones(2), np.ones((2, 1)), "shape"),
        (np.ones(2), np.ones(2, np.float32), "dtype"),
        (np.ones(2, np.int64), np.ones(2, np.int32), ""),
        (np.ones(2, np.int64), np.ones(2), "dtype"),
        (np.ones(2, bool), np.ones(2, np.int64), "dtype"),
        (kernel.ones(2), kernel.ones(2), ""),
        (kernel.ones(2), kernel.ones(2) + 1e-6, ""),
        (kernel.ones(2), kernel.ones(2) + 1e-4, "value"),
        (np.array([1e6, 0.0]), np.array([1e6, 1.0]), ""),
        (np.array([1e6, 0.0]), np.array([1e6, 11.0]), "value"),
        (np.array([NAN, 1.0]), np.array([NAN, 1.0]), ""),
        (np.array([NAN, 1.0]), np.array([1.0, 1.0]), "value"),
        (np.array([1.0, 1.0]), np.array([NAN, 1.0]), "nan"),
        (np.array([INF]), np.array([INF]), ""),
        (np.array([INF]), np.array([-INF]), "nan"),
        (np.array([INF]), np.array([1e300]), "value"),
        (np.array([1.0]), np.array([INF]), "nan"),
        (np.zeros((0, 3)), np.zeros((0, 3)), ""),
        (np.array([1 + 1j]), np.array([1 - 1j]), "value"),
        (np.array([2**62]), np.array([2**62 + 1]), "value"),
    ],
)
def test_what_counts_as_the_same(wanted: object, got: object, kind: str) -> None:
    assert parts(wanted, got) == kind


def test_a_tensor_without_history_is_told() -> None:
    x = kernel.tensor([1.0], requires_grad=True)
    assert parts(x * 2, x.detach() * 2) == "type"
    assert parts(x.detach() * 2, x * 2) == ""


leaves = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.tuples(inside, inside)
        | st.dictionaries(st.text(max_size=3), inside, max_size=3)
    ),
    max_leaves=12,
)


@given(trees)
def test_every_value_comes_back_the_same(value: object) -> None:
    arrays: dict[str, np.ndarray] = {}
    tree, back = from_bytes(to_bytes(pack(value, arrays), arrays))
    assert repr(unpack(tree, back, "cpu")) == repr(value)
    assert same(carried(value), carried(value), 0.0)


def test_tensors_come_back_with_dtype_device_and_history() -> None:
    for device in ("cpu", "strict"):
        for dtype in ("float16", "float32", "float64", "int64", "bool"):
            given = kernel.tensor([[1, 0]], dtype=dtype)
            arrays: dict[str, np.ndarray] = {}
            back = unpack(pack(given, arrays), arrays, device)
            assert str(back.device) == device
            assert back.cpu().numpy().dtype.name == dtype
    leaf = kernel.tensor([1.0], requires_grad=True)
    arrays = {}
    assert unpack(pack(leaf, arrays), arrays, "cpu").requires_grad


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def array(descr: str, shape: object, data: bytes, version: bytes = b"\x01\x00") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


TREE = array("|u1", (2,), b"{}")


def test_what_the_helpers_of_this_file_write_can_be_read() -> None:
    tree, arrays = read(archive({"tree.npy": TREE, "a.npy": array("<f8", (1,), bytes(8))}))
    assert tree == {}
    assert arrays["a"].tolist() == [0.0]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no archive",
        archive({}),
        archive({"a.npy": TREE}),
        archive({"tree.npy": b"no array"}),
        archive({"tree.npy": array("|u1", (2,), b"[]")}),
        archive({"tree.npy": array("|u1", (1,), b"{")}),
        archive({"tree.npy": array("|u1", (1,), b"\xff")}),
        archive({"tree.npy": array("<f8", (1,), bytes(8))}),
        archive({"tree.npy": TREE}, zipfile.ZIP_DEFLATED),
        archive({"tree.npy": TREE, "a.npy": array("|O", (1,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (10**15,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (2,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (-1,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (1,), bytes(8), b"\x07\x00")}),
        archive({"tree.npy": TREE, "a.npy": array("<U9999999", (1,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("[('a', '<f8')]", (1,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f99", (1,), bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", "(1L,)", bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", "(" * 900, bytes(8))}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (0, 10**30), b"")}),
        archive({"tree.npy": TREE, "a.npy": array("<f8", (1,) * 70, bytes(8))}),
        archive({"tree.npy": TREE}).replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
        archive({"tree.npy": TREE, **{f"a{number}.npy": TREE for number in range(1001)}}),
        archive({"tree.npy": array("|u1", (10_000,), b"[" * 10_000)}),
        archive({"tree.npy": array("|u1", (10_010,), b'{"a": ' + b"9" * 10_003 + b"}")}),
    ],
)
def test_a_damaged_message_is_refused(message: bytes) -> None:
    with pytest.raises(Damaged):
        read(message)


def test_declared_sizes_are_looked_at_before_the_data() -> None:
    data = bytearray(archive({"tree.npy": TREE}))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", LARGEST_RESULT + 1)
    with pytest.raises(Damaged):
        read(bytes(data))


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        {"tensor": 3},
        {"tensor": "a", "requires_grad": False},
        {"array": ["a"]},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [1, 2]},
        {"scalar": "missing"},
        {"other": 3},
        2**63,
        functools.reduce(lambda inside, _: {"list": [inside]}, range(13), 1),
    ],
)
def test_a_tree_that_pack_does_not_write_is_refused(tree: object) -> None:
    with pytest.raises(Damaged):
        plain(tree, {})


def test_a_key_of_any_kind_is_a_key() -> None:
    key = {"tuple": [{"list": [1]}, {"tensor": "a", "requires_grad": False}]}
    tree = {"dict": [[key, 1], [{"other": "function"}, 2]]}
    assert len(plain(json.loads(json.dumps(tree)), {"a": np.ones(2)})) == 2
