"""Lesson 09: a graph that runs step by step, the memory that was planned for it, and what eager calls would do instead.

What is shown is read from the kernel: the nodes and their order from `executor.order`, the places of the values from
`executor.plan`. The calls of the two time lines are counted by rules that stand in `eager_calls` and `graph_calls`.
"""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from kernel import sym
from widgets import style
from widgets.base import LOOK_HERE, Choice, Interactive, Slider
from widgets.figure import svg


@dataclass(frozen=True)
class Operation:
    """A node that computes: `after` are the numbers of the operations whose results it reads, `view` copies nothing."""

    name: str
    kind: str
    shape: tuple[int, ...]
    after: tuple[int, ...]
    view: bool


@dataclass(frozen=True)
class Area:
    """A piece of the planned memory: whose values lie in it, one after the other, and from which step to which.

    `names` begins with the value that the piece was planned for; `marks` says of each of the others whether it is
    written "in place" or is a "view".
    """

    names: tuple[str, ...]
    marks: tuple[str, ...]
    offset: int
    size: int
    birth: int
    death: int

    @property
    def title(self) -> str:
        """fc1 → relu1 where relu1 is computed in place, pool2 ⊃ flatten where flatten is a view."""
        signs = {"in place": " → ", "view": " ⊃ "}
        return self.names[0] + "".join(
            signs[mark] + name for name, mark in zip(self.names[1:], self.marks, strict=True)
        )


@dataclass(frozen=True)
class Bound:
    """A net that is bound for training or for use: what there is to know before it runs."""

    operations: tuple[Operation, ...]
    areas: tuple[Area, ...]
    training: bool
    steps: int
    planned: int
    naive: int
    kept_apart: int
    arguments: int


@dataclass(frozen=True)
class WorkbenchState:
    """A bound net after some of its steps; step 0 is before the first."""

    net: str
    bound: Bound
    step: int

    @property
    def backward(self) -> bool:
        return self.step > len(self.bound.operations)

    @property
    def current(self) -> int | None:
        """The number of the operation whose turn it is, on the way back too."""
        count = len(self.bound.operations)
        if not self.step:
            return None
        return 2 * count - self.step if self.backward else self.step - 1

    @property
    def alive(self) -> tuple[Area, ...]:
        """The pieces of memory that hold something at this step."""
        now = self.step - 1
        return tuple(area for area in self.bound.areas if self.step and area.birth <= now <= area.death)

    @property
    def freed(self) -> tuple[Area, ...]:
        """Those that nobody reads after this step."""
        return tuple(area for area in self.alive if area.death == self.step - 1)

    @property
    def in_use(self) -> int:
        return sum(area.size for area in self.alive)

    @property
    def notes(self) -> int:
        """How many results an eager pass would have on its tape by now."""
        count = len(self.bound.operations)
        if not self.bound.training:
            return 0
        return 2 * count - self.step if self.backward else self.step

    def calls(self, counted: Any) -> int:
        """What `counted`, `eager_calls` or `graph_calls`, says of all steps up to this one."""
        return sum(len(counted(self.bound, step)) for step in range(1, self.step + 1))


def mlp() -> sym.Symbol:
    """Two layers, as in the lesson."""
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=128, name="fc1")
    net = sym.Activation(net, act_type="relu", name="relu1")
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=10, name="fc2"), name="out")


def lenet() -> sym.Symbol:
    """Two convolutions and two layers, with tanh between."""
    net = sym.Variable("data")
    for number, filters in enumerate((20, 50), start=1):
        net = sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=f"conv{number}")
        net = sym.Activation(net, act_type="tanh", name=f"tanh{number}")
        net = sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name=f"pool{number}")
    net = sym.FullyConnected(sym.Flatten(net, name="flatten"), num_hidden=500, name="fc1")
    net = sym.Activation(net, act_type="tanh", name="tanh3")
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=10, name="fc2"), name="out")


def skip() -> sym.Symbol:
    """A layer that adds to what went in, so that h is read twice."""
    with sym.NameManager():
        net = sym.FullyConnected(sym.Variable("data"), num_hidden=64, name="fc1")
        h = sym.Activation(net, act_type="relu", name="h")
        net = sym.FullyConnected(h, num_hidden=64, name="fc2")
        net = sym.Activation(net + h, act_type="relu", name="relu2")
        return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=10, name="fc3"), name="out")


# By key: what the list says, the net, the shape of its data.
NETS = {
    "mlp": ("two layers", mlp, (100, 100)),
    "lenet": ("LeNet", lenet, (16, 1, 28, 28)),
    "skip": ("a skip connection", skip, (100, 100)),
}
MODES = {"training": "training", "use": "use, forward only"}


@functools.cache
def bound(net: str, mode: str) -> Bound:
    """A net of NETS, bound for a mode of MODES.

    >>> bound("mlp", "use").planned < bound("mlp", "training").planned < bound("mlp", "training").naive
    True
    """
    for control, key, keys in (("net", net, NETS), ("mode", mode, MODES)):
        if key not in keys:
            raise ValueError(f"{control}: there is no {key!r}; there are {', '.join(keys)}.")
    _, make, shape = NETS[net]
    training = mode == "training"
    symbol = make()
    executor = symbol.simple_bind(data=shape)
    plan, order = executor.plan(training), executor.order(training)
    rows = {row.node: row for row in plan.rows}
    number = {node: i for i, node in enumerate(node for node in order if node.op is not None)}
    operations = tuple(
        Operation(
            node.name,
            node.op.name,
            rows[node.output_name(0)].shape,
            tuple(sorted({number[x.node] for x in node.inputs if not isinstance(x, int | float) and x.node in number})),
            rows[node.output_name(0)].place == "view",
        )
        for node in number
    )
    return Bound(
        operations,
        _areas(plan.rows),
        training,
        plan.steps,
        plan.bytes,
        plan.naive_bytes,
        plan.residual_bytes,
        len(symbol.list_arguments()),
    )


def _areas(rows: Any) -> tuple[Area, ...]:
    """The planned pieces of memory, each with the values that share it."""
    by_name = {row.node: row for row in rows}

    def root(row: Any) -> Any:
        while row.of in by_name:
            row = by_name[row.of]
        return row

    areas = []
    for row in rows:
        if row.place == "buffer":
            sharing = [each for each in rows if each is not row and root(each) is row]
            areas.append(
                Area(
                    tuple(each.node.removesuffix("_output") for each in (row, *sharing)),
                    tuple(each.place for each in sharing),
                    row.offset,
                    row.bytes,
                    row.birth,
                    row.death,
                )
            )
    return tuple(areas)


FIND, MEMORY, COMPUTE, NOTE = "find out", "memory", "compute", "tape"


def eager_calls(bound: Bound, step: int) -> tuple[str, ...]:
    """What an eager call does for itself at a step: it finds out types and rules, asks for memory, computes, and notes
    the result on the tape, or takes it off.

    >>> eager_calls(bound("mlp", "training"), 1)
    ('find out', 'memory', 'compute', 'tape')
    """
    operations = bound.operations
    if step > len(operations):
        return (NOTE, MEMORY, COMPUTE)
    made = () if operations[step - 1].view else (MEMORY,)
    return (FIND, *made, COMPUTE, *((NOTE,) if bound.training else ()))


def graph_calls(bound: Bound, step: int) -> tuple[str, ...]:
    """What is left for an executor to do at a step: forward it computes, and a view is there already; on the way back
    rules make gradients as they go, so each is counted with a request for memory, though some need none.

    >>> graph_calls(bound("mlp", "training"), 1), graph_calls(bound("mlp", "training"), 8)
    (('compute',), ('memory', 'compute'))
    """
    operations = bound.operations
    if step > len(operations):
        return (MEMORY, COMPUTE)
    return () if operations[step - 1].view else (COMPUTE,)


def call_lines(net: str, passes: int) -> dict[str, list[str]]:
    """The calls of so many passes of training, one after the other, both ways; the graph's begin with binding it, which
    looks into every operation once and asks for one block of memory.

    >>> {name: len(calls) for name, calls in call_lines("mlp", 3).items()}
    {'eager': 84, 'graph': 41}
    """
    found = bound(net, "training")
    lines = {"eager": [], "graph": [FIND] * len(found.operations) + [MEMORY]}
    for _ in range(passes):
        for step in range(1, found.steps + 1):
            lines["eager"] += eager_calls(found, step)
            lines["graph"] += graph_calls(found, step)
    return lines


def workbench_state(net: str, mode: str, step: int) -> WorkbenchState:
    """A net after `step` steps; a step beyond its last is its last.

    Errors: ValueError, in words, for a net or a mode that there is not.

    >>> state = workbench_state("mlp", "training", 2)
    >>> state.bound.operations[state.current].name, [area.title for area in state.alive], state.notes
    ('relu1', ['fc1 → relu1'], 2)
    """
    found = bound(net, mode)
    return WorkbenchState(net, found, min(max(step, 0), found.steps))


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB".replace(",", " ")


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# Two figures of the lesson.

_LOOKS = {
    FIND: (style.PURPLE, "dots"),
    MEMORY: (style.ORANGE, "lines"),
    COMPUTE: (style.BLUE, ""),
    NOTE: (style.GREEN, "cross"),
}
_HATCHES = {FIND: "xxx", MEMORY: "///", COMPUTE: "", NOTE: "..."}


def draw_calls(axes: Axes, net: str, passes: int) -> None:
    """`call_lines` as two lines of boxes, a box for a call, the longer one above."""
    for floor, (name, calls) in zip((1, 0), call_lines(net, passes).items(), strict=True):
        for kind, hatch in _HATCHES.items():
            places = [at + 0.5 for at, call in enumerate(calls) if call == kind]
            look = {"color": _LOOKS[kind][0], "hatch": hatch, "edgecolor": "white", "lw": 0}
            axes.bar(places, 0.55 if kind == COMPUTE else 0.3, 0.86, floor, label=kind, **look)
        binding = len(bound(net, "training").operations) + 1 if name == "graph" else 0
        for number in range(passes):
            begins = binding + number * (len(calls) - binding) // passes
            axes.vlines(begins, floor - 0.14, floor, color=style.INK, lw=1)
            axes.text(begins + 0.6, floor - 0.05, f"pass {number + 1}", va="top", size=9)
        if binding:
            axes.text(0.2, floor - 0.05, "bind", va="top", size=9)
    axes.set(yticks=[0.15, 1.15], yticklabels=["graph", "eager"], ylim=(-0.25, 2.0), xlabel="calls so far")
    axes.set_xlim(left=0)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=11)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[: len(_HATCHES)], labels[: len(_HATCHES)], loc="upper right", ncols=len(_HATCHES))


def draw_plan(axes: Axes, plan: Any) -> None:
    """`executor.plan()` as rectangles over steps and addresses; in place and view are marked where they begin."""
    rows = {row.node: row for row in plan.rows}
    looks = {"buffer": ("#D3E9F7", ""), "in place": ("#F9DFA9", "//"), "view": ("#BFE5D8", "..")}
    for row in plan.rows:
        if row.place not in looks:
            continue
        root = row
        while root.of is not None:
            root = rows[root.of]
        length = 1 if root is not row else min(row.death + 1, plan.steps) - row.birth
        place = (row.birth, row.offset / 1000), length, root.bytes / 1000
        colour, hatch = looks[row.place]
        axes.add_patch(Rectangle(*place, fc=colour, ec=style.MUTED, hatch=hatch, lw=0))
        axes.add_patch(Rectangle(*place, fill=False, ec=style.INK, lw=1))
        if 13 * root.bytes > plan.bytes:
            middle = (row.offset + root.bytes / 2) / 1000
            around = {"fc": colour, "ec": "none", "pad": 0.6}
            upright = {"rotation": 90, "ha": "center", "va": "center", "size": 8.5}
            axes.text(row.birth + 0.5, middle, row.node.removesuffix("_output"), bbox=around, **upright)
    axes.set(xlim=(0, plan.steps), xlabel="step", xticks=range(0, plan.steps + 1, 2))
    axes.axhline(plan.bytes / 1000, color=style.VERMILLION, ls="--")
    axes.annotate(
        f"{plan.bytes / 1000:.0f} kB",
        (plan.steps, plan.bytes / 1000),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        color=style.DARK_VERMILLION,
    )


class GraphWorkbench(Interactive):
    """Choose a net, run it step by step, and watch its memory fill and empty.

    >>> GraphWorkbench().values
    {'net': 'mlp', 'mode': 'training', 'step': 0}
    """

    title = "A graph at work, step by step"

    def controls(self) -> Mapping[str, Any]:
        return {
            "net": Choice("net", "mlp", [(label, key) for key, (label, _, _) in NETS.items()]),
            "mode": Choice("mode", "training", [(label, key) for key, label in MODES.items()]),
            "step": Slider("step", 0, 0, bound("mlp", "training").steps, 1),
        }

    def actions(self) -> Mapping[str, Any]:
        return {
            "◂ Previous": lambda values: {"step": max(values["step"] - 1, 0)},
            "Next ▸": lambda values: {"step": min(values["step"] + 1, self.state(**values).bound.steps)},
            "To the end": lambda values: {"step": self.state(**values).bound.steps},
        }

    def state(self, *, net: str, mode: str, step: int) -> WorkbenchState:
        return workbench_state(net, mode, step)

    def set(self, **values: Any) -> None:
        """Move controls from code; another net, or another mode, starts from step 0."""
        now = self.values
        if any(key in values and values[key] != now[key] for key in ("net", "mode")):
            values = {"step": 0, **values}
        # The new net may have more steps than the old one; _show puts the limit where it belongs.
        field = self._fields["step"]
        field.max = max(field.max, values.get("step", 0))
        super().set(**values)

    def _changed(self, change: Any) -> None:
        if change["owner"] is not self._fields["step"] and not self._held:
            self.set(step=0)
        else:
            super()._changed(change)

    def _show(self) -> None:
        super()._show()
        self._fields["step"].max = self.state(**self.values).bound.steps

    def picture(self, state: WorkbenchState) -> str:
        return _svg(state)

    def alt(self, state: WorkbenchState) -> str:
        nodes = ", ".join(f"{op.name} {_shape(op.shape)}" for op in state.bound.operations)
        held = ", ".join(f"{area.title} at {area.offset}" for area in state.alive) or "nothing"
        return (
            f"A net of {len(state.bound.operations)} operations, {nodes}; its memory at step {state.step} holds {held};"
            f" below, the calls of an eager pass, {state.calls(eager_calls)} so far, and of the bound graph, "
            f"{state.calls(graph_calls)}."
        )

    def status(self, state: WorkbenchState) -> str:
        found = state.bound
        of = f"Step {state.step} of {found.steps}"
        if not state.step:
            return (
                f"{of}: bound for {MODES['training' if found.training else 'use']}; {len(found.operations)} operations "
                f"were looked into once, and {_kilobytes(found.planned)} of memory wait; press Next to run."
            )
        operation = found.operations[state.current]
        does = f"backward, the rules of {operation.name}" if state.backward else f"forward, {operation.name}"
        if not state.backward:
            does += f" gives {_shape(operation.shape)}" + (
                ", a view, and nothing is left to do" if operation.view else ""
            )
        else:
            does += " turn the gradient of its result into those of its operands"
        sentence = f"{of}, {does}; {_kilobytes(state.in_use)} of {_kilobytes(found.planned)} hold something"
        if state.freed:
            sentence += f"; after this nobody reads {_listed([area.names[-1] for area in state.freed])}"
        return f"{sentence}."

    def details(self, state: WorkbenchState) -> str:
        found = state.bound
        apart = f", and {_kilobytes(found.kept_apart)} that operations keep for their rules" if found.kept_apart else ""
        lines = [
            f"memory = {_kilobytes(found.planned)} planned, {_kilobytes(found.naive)} if each value had its own{apart}",
            f"calls  = eager {state.calls(eager_calls)}; graph {state.calls(graph_calls)}, after binding once",
            f"tape   = eager {state.notes} {'note' if state.notes == 1 else 'notes'}; graph none, its order is known",
        ]
        if state.alive:
            held = "; ".join(f"{area.title} {area.offset}–{area.offset + area.size}" for area in state.alive)
            lines.append(f"held   = {held}")
        return "\n".join(lines)


# The picture: one SVG in the ink of the white card it lies on, sizes in CSS pixels.

_WIDTH, _MARGIN = 580, 12
_TOP, _ROW = 44, 25
# The network ends, and the plan begins; between them stand the addresses.
_NET, _PLAN = 206, 262
_BOX = 9
_LANE = 4 * (_BOX + 1)
_LOWEST = 150
_PATTERNS = "".join(
    f'<pattern id="workbench-{name}" width="4" height="4" patternUnits="userSpaceOnUse">'
    f'<path d="{path}" stroke="{style.PAPER}" stroke-width="1.2" fill="none"/></pattern>'
    for name, path in (("dots", "M1.5 1.5h1M3.5 3.5h1"), ("lines", "M0 4L4 0"), ("cross", "M0 2H4M2 0V4"))
) + (
    '<pattern id="workbench-past" width="6" height="6" patternUnits="userSpaceOnUse">'
    f'<path d="M0 6L6 0" stroke="{style.MUTED}" stroke-opacity=".55" fill="none"/></pattern>'
)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: int = 400, size: int = 12) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}">'
        f"{html.escape(text)}</text>"
    )


def _svg(state: WorkbenchState) -> str:
    found = state.bound
    floor = _TOP + max(_LOWEST, _ROW * len(found.operations))
    width = (_WIDTH - _MARGIN - _PLAN) / found.steps
    lanes = floor + 44
    end = lanes + 2 * _LANE + 34 + 40
    parts = [f"<defs>{_PATTERNS}</defs>"]
    if state.step:
        x = _PLAN + width * (state.step - 1)
        parts.append(
            f'<rect class="{LOOK_HERE}" x="{x:.1f}" y="{_TOP - 6}" width="{width:.1f}" height="{end - _TOP - 32:g}" '
            f'fill="{style.VERMILLION}" fill-opacity=".12"/>'
        )
    parts += _network(state)
    parts += _memory(state, floor, width)
    parts += _lanes(state, lanes, width)
    parts += _legend(end)
    return svg(parts, _WIDTH, end + 14, font_size=12)


def _network(state: WorkbenchState) -> list[str]:
    parts = [_text(_MARGIN, 24, "The graph", weight=600, size=13)]
    now = state.step - 1
    for number, operation in enumerate(state.bound.operations):
        y = _TOP + _ROW * number + _ROW / 2
        if number == state.current:
            parts.append(
                f'<rect x="{_MARGIN}" y="{y - _ROW / 2 + 1:g}" width="{_NET - _MARGIN}" height="{_ROW - 2}" rx="5" '
                f'fill="{style.VERMILLION}" fill-opacity=".12" stroke="{style.VERMILLION}" stroke-width="2"/>'
            )
        for before in operation.after:
            top = _TOP + _ROW * before + _ROW / 2
            if before == number - 1:
                parts.append(f'<path d="M28 {top + 5:g}V{y - 5:g}" stroke="currentColor"/>')
            else:  # past the nodes between
                parts.append(f'<path d="M24 {top:g}C8 {top:g} 8 {y:g} 23 {y:g}" fill="none" stroke="currentColor"/>')
            parts.append(f'<path d="M28 {y - 4:g}l-3 -6h6z"/>' if before == number - 1 else "")
        done = state.step and now >= number
        fill = "currentColor" if done else style.PAPER
        parts.append(f'<circle cx="28" cy="{y:g}" r="4.5" fill="{fill}" stroke="currentColor"/>')
        arrow = " ▴" if number == state.current and state.backward else ""
        parts.append(_text(40, y + 4, operation.name + arrow, weight=700 if number == state.current else 400))
        parts.append(_text(_NET - 6, y + 4, _shape(operation.shape), "end", size=11))
    return parts


def _memory(state: WorkbenchState, floor: float, width: float) -> list[str]:
    found, now = state.bound, state.step - 1
    right = _WIDTH - _MARGIN
    scale = (floor - _TOP) / found.planned
    parts = [
        _text(_PLAN, 24, f"Its memory, {_kilobytes(found.planned)} in one block", weight=600, size=13),
        _text(_PLAN - 6, _TOP + 9, _kilobytes(found.planned), "end", size=11),
        _text(_PLAN - 6, floor, "0", "end", size=11),
    ]
    for area in found.areas:
        x, y = _PLAN + width * area.birth, floor - scale * (area.offset + area.size)
        wide = min(width * (area.death + 1 - area.birth), right - x)
        high = max(scale * area.size, 2.5)
        y = min(y, floor - high)
        place = f'x="{x + 0.5:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" height="{high:.1f}"'
        if area.birth > now:
            look = f'fill="none" stroke="{style.MUTED}" stroke-dasharray="3 2"'
        elif area.death < now:
            look = f'fill="url(#workbench-past)" stroke="{style.MUTED}"'
        else:
            look = f'fill="{style.SKY_BLUE}" fill-opacity=".55" stroke="{style.BLUE}" stroke-width="1.5"'
        parts.append(f"<rect {place} {look}/>")
        title = next((text for text in (area.title, area.names[0]) if 6.8 * len(text) + 8 < wide), "")
        if title and high >= 13:
            parts.append(_text(x + 5, y + high / 2 + 4, title, weight=600 if area in state.alive else 400, size=11))
    parts.append(f'<path d="M{_PLAN} {_TOP}V{floor:g}H{right}" fill="none" stroke="{style.MUTED}"/>')
    forward = _PLAN + width * len(found.operations)
    parts.append(_text((_PLAN + forward) / 2, floor + 18, "forward →", "middle"))
    if found.training:
        parts.append(
            f'<path d="M{forward:g} {_TOP - 6}V{floor + 22:g}" stroke="{style.MUTED}" stroke-dasharray="2 3"/>'
        )
        parts.append(_text((forward + right) / 2, floor + 18, "backward →", "middle"))
    return parts


def _lanes(state: WorkbenchState, top: float, width: float) -> list[str]:
    found = state.bound
    bind = f"bound once: {len(found.operations)} looked into"
    words = (
        ("Eager", f"{state.calls(eager_calls)} calls so far", eager_calls),
        ("Graph", f"{state.calls(graph_calls)} calls so far", graph_calls),
    )
    parts = []
    for lane, (name, count, counted) in enumerate(words):
        floor = top + _LANE * (lane + 1) + 6 * lane
        parts.append(_text(_MARGIN, floor - 22, name, weight=600, size=13))
        parts.append(_text(_MARGIN + 50, floor - 22, count))
        if counted is graph_calls:
            parts.append(_text(_MARGIN + 50, floor - 6, bind, size=11))
        parts.append(f'<path d="M{_PLAN} {floor:g}H{_WIDTH - _MARGIN}" stroke="{style.MUTED}"/>')
        for step in range(1, found.steps + 1):
            x = _PLAN + width * (step - 0.5)
            for place, kind in enumerate(counted(found, step)):
                parts.append(_call(x, floor - (_BOX + 1) * (place + 1), kind, min(width - 3, 22), step <= state.step))
    floor = top + 2 * _LANE + 34
    parts.append(_text(_MARGIN, floor - 6, "Tape", weight=600, size=13))
    notes = "nothing is recorded" if not found.training else f"{state.notes} note{'' if state.notes == 1 else 's'}"
    parts.append(_text(_MARGIN + 50, floor - 6, notes))
    parts.append(f'<path d="M{_PLAN} {floor:g}H{_WIDTH - _MARGIN}" stroke="{style.MUTED}"/>')
    for step in range(1, state.step + 1):
        high = 20 * WorkbenchState(state.net, found, step).notes / len(found.operations)
        if high:
            x = _PLAN + width * (step - 1) + 1.5
            parts.append(
                f'<rect x="{x:.1f}" y="{floor - high:.1f}" width="{width - 3:.1f}" height="{high:.1f}" '
                f'fill="{style.GREEN}"/>'
            )
    return parts


def _call(x: float, y: float, kind: str, width: float, done: bool) -> str:
    colour, pattern = _LOOKS[kind]
    place = f'x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BOX}"'
    over = f'<rect {place} fill="url(#workbench-{pattern})"/>' if pattern else ""
    return f'<g opacity="{1 if done else 0.3:g}"><rect {place} fill="{colour}"/>{over}</g>'


def _legend(y: float) -> list[str]:
    parts, x = [], float(_MARGIN)
    words = {FIND: "find out types and rules", MEMORY: "ask for memory", COMPUTE: "compute", NOTE: "tape"}
    for kind, text in words.items():
        parts.append(_call(x + 7, y - 9, kind, 14, True))
        parts.append(_text(x + 19, y, text, size=11))
        x += math.ceil(5.6 * len(text)) + 40
    return parts
