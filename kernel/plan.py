"""The buffer plan: which values of a graph may lie in the same memory.

A pass is a sequence of steps: one for each node forward and, in training, one for each node backward. A value is born
at the step that computes it and dies at the last step that reads it; which gradient rules read it, their ``reads`` say.
Two values that are never alive together may share memory, and an operation whose operand dies in the very step may
write its result over it (``inplace``). All that is decided once, from shapes and facts of operations.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable
from typing import Any, NamedTuple

ALIGNMENT = 64  # bytes: where vector instructions and caches like an array to begin
MANY = 400  # values: with more, only the way whose time does not grow with their square is taken


class Value:
    """One array that comes up in a pass.

    ========== =====================================================================================================
    name       of the output of the node; ``type`` is its shape and dtype
    size       bytes
    birth      the step that computes it; ``death`` the last one that reads it or, where it has memory of its own,
               whatever lies there
    place      "buffer": planned memory; "in place": the memory of ``of``, which dies as this is born; "view": a view
               of ``of``; "operation": made by the operation itself at each step; "residual": that too, for the rules
    of         the value whose memory it shares, None if it has its own
    offset     where its memory begins, in bytes; None if it is not planned
    ========== =====================================================================================================
    """

    __slots__ = ("_below", "birth", "death", "name", "of", "offset", "place", "size", "type")

    def __init__(self, name: str, kind: Any, size: int, birth: int):
        self.name, self.type, self.size = name, kind, size
        self.birth = self.death = birth
        self.place, self.of, self.offset = "buffer", None, None
        self._below: Value | None = None  # ``of``, or what that in turn lies in: the way to the root is kept short

    @property
    def root(self) -> Value:
        """The value whose memory it is."""
        root = self
        while root._below is not None:
            root = root._below
        value = self
        while value is not root:
            value._below, value = root, value._below
        return root

    def lie_in(self, place: str, of: Value) -> None:
        """Take the memory of another value: as a "view" of it, or "in place"."""
        self.place, self.of, self._below = place, of, of
        self.root.read(self.death)

    def read(self, step: int) -> None:
        """Note that ``step`` reads it: its memory must last until then."""
        self.death = max(self.death, step)
        root = self.root
        root.death = max(root.death, step)


class Row(NamedTuple):
    """A line of a plan's report: a value, alive from step ``birth`` to ``death``; a view takes no bytes of its own."""

    node: str
    shape: tuple[int, ...]
    dtype: Any
    bytes: int
    place: str
    of: str | None
    offset: int | None
    birth: int
    death: int


def allocate(values: Iterable[Value]) -> int:
    """Give each value of place "buffer" an offset; returns how many bytes of memory there must be.

    Neither of two simple ways is always the better one, so both are tried: in the order of birth, and largest first.
    """
    buffers = [v for v in values if v.place == "buffer"]
    offsets, size = _by_birth(buffers)
    if len(buffers) <= MANY:
        other, other_size = _by_size(buffers)
        if other_size < size:
            offsets, size = other, other_size
    for value, offset in offsets.items():
        value.offset = offset
    return size


def _aligned(value: Value) -> int:
    return -(-value.size // ALIGNMENT) * ALIGNMENT


def _by_birth(buffers: list[Value]) -> tuple[dict[Value, int], int]:
    """In the order of birth, each into the smallest gap that holds it; what dies leaves a gap, and gaps join."""
    gaps: list[tuple[int, int]] = []  # (offset, size), by offset
    alive: list[tuple[int, int, int]] = []  # (death, offset, size), the first to die at the front
    offsets, end = {}, 0
    for value in sorted(buffers, key=lambda v: v.birth):
        while alive and alive[0][0] < value.birth:
            _, offset, size = heapq.heappop(alive)
            _release(gaps, offset, size)
        size = _aligned(value)
        fitting = min((gap for gap in gaps if gap[1] >= size), key=lambda gap: gap[1], default=None)
        if fitting is not None:
            gaps.remove(fitting)
            offset = fitting[0]
            if fitting[1] > size:
                bisect.insort(gaps, (offset + size, fitting[1] - size))
        else:
            offset = gaps.pop()[0] if gaps and sum(gaps[-1]) == end else end
            end = offset + size
        offsets[value] = offset
        heapq.heappush(alive, (value.death, offset, size))
    return offsets, end


def _by_size(buffers: list[Value]) -> tuple[dict[Value, int], int]:
    """The largest first, each as low as those before it that are alive with it leave room."""
    offsets: dict[Value, int] = {}
    end = 0
    for value in sorted(buffers, key=lambda v: -v.size):
        size, offset = _aligned(value), 0
        together = [v for v in offsets if v.birth <= value.death and value.birth <= v.death]
        for other in sorted(together, key=offsets.__getitem__):
            if offsets[other] >= offset + size:
                break
            offset = max(offset, offsets[other] + _aligned(other))
        offsets[value] = offset
        end = max(end, offset + size)
    return offsets, end


def _release(gaps: list[tuple[int, int]], offset: int, size: int) -> None:
    """Add a gap, joined to its neighbours."""
    if not size:
        return
    at = bisect.bisect(gaps, (offset, size))
    if at < len(gaps) and gaps[at][0] == offset + size:
        size += gaps.pop(at)[1]
    if at and sum(gaps[at - 1]) == offset:
        offset, before = gaps.pop(at - 1)
        size += before
    bisect.insort(gaps, (offset, size))


class Plan:
    """What memory a pass takes, in bytes, and where each value lies; prints as a table.

    ============== =================================================================================================
    bytes          planned memory, in one block
    naive_bytes    what the same values would take, each in memory of its own
    residual_bytes what operations keep for their gradient rules beside their results
    gradient_bytes the most that gradients take at a time on the way back; rules make them as they go
    total_bytes    planned memory, residuals and gradients
    rows           a Row for each value
    steps          how many there are, forward and backward
    ============== =================================================================================================
    """

    def __init__(self, values: list[Value], size: int, gradient_bytes: int, steps: int):
        self.values, self.bytes, self.gradient_bytes, self.steps = values, size, gradient_bytes, steps
        self.naive_bytes = sum(_aligned(v) for v in values if v.place in ("buffer", "in place"))
        self.residual_bytes = sum(v.size for v in values if v.place in ("operation", "residual"))
        self.total_bytes = self.bytes + self.residual_bytes + self.gradient_bytes

    @property
    def rows(self) -> list[Row]:
        """A line for each value, in the order of computing."""
        rows = []
        for v in self.values:
            of = None if v.of is None else v.of.name
            place = (0 if v.place == "view" else v.size, v.place, of, v.root.offset, v.birth, v.death)
            rows.append(Row(v.name, v.type.shape, v.type.dtype, *place))
        return rows

    def __repr__(self) -> str:
        lines = [("value", "shape", "bytes", "place", "steps")]
        for row in self.rows:
            place = row.place if row.of is None else f"{row.place} of {row.of}"
            if row.place == "buffer":
                place = f"at {row.offset}"
            lines.append((row.node, str(row.shape), f"{row.bytes:,}", place, f"{row.birth}-{row.death}"))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            f"{a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}  {d:{widths[3]}}  {e}".rstrip()
            for a, b, c, d, e in lines
        ]
        text.append(f"{self.bytes:,} bytes planned; {self.naive_bytes:,} if every value had its own.")
        if self.residual_bytes or self.gradient_bytes:
            text.append(
                f"{self.residual_bytes:,} made by the operations themselves; gradients take up to "
                f"{self.gradient_bytes:,} at a time."
            )
        return "\n".join(text)
