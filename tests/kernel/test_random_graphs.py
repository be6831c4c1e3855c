"""The buffer plan against eager, on random graphs: whatever memory an executor uses again, no bit may change.

"Bit for bit" means: the same nodes, evaluated eagerly in the executor's order, with gradients added in the order of the
tape, the heads first and then from the newest node to the oldest.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import kernel
from kernel.op import ArrayType, Op, deliver, registry
from tests.kernel.random_graphs import VOCABULARY, Graph, Ref, as_tuple, evaluate, graph_of

GRAPHS, BLOCK = 400, 20

in_blocks = pytest.mark.parametrize("start", range(0, GRAPHS, BLOCK))


class seeds(Op):
    """A number whose gradient rule hands to each of the first half of its operands the one of the second half."""

    reads = ("operands",)

    def infer(*operands: ArrayType) -> tuple:
        return operands, (ArrayType((), numpy.dtype("float64")),)

    def forward(xp: Any, *operands: Any, out: Any = None) -> Any:
        return deliver(xp, xp.zeros((), "float64"), out)

    def vjp(i: int, xp: Any, g: Any, y: Any, *operands: Any) -> Any:
        return operands[i + len(operands) // 2]


del registry["seeds"]


def pull_back(outputs: list, heads: list) -> None:
    """Seed all outputs with their heads in one walk: one backward, in which the heads are what arrives first."""
    pairs = [(y, head) for y, head in zip(outputs, heads, strict=True) if y.requires_grad and head is not None]
    if pairs:
        kernel.apply(seeds, *(y for y, _ in pairs), *(head for _, head in pairs)).backward()


def each_seed(start: int, check: Callable[[int], None], stop: int = GRAPHS) -> None:
    """``check`` every graph of a block; the last one that is printed is the one that fails."""
    for seed in range(start, min(start + BLOCK, stop)):
        print(f"seed {seed}")
        print(graph_of(seed))
        check(seed)


def bits(tensor: Any) -> tuple:
    array = tensor.detach().cpu().numpy()
    return array.shape, array.dtype, array.tobytes()


def assert_same(found: Any, expected: Any, what: str) -> None:
    if bits(found) != bits(expected):
        found, expected = (t.detach().cpu().numpy() for t in (found, expected))
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), what
        numpy.testing.assert_array_equal(found, expected, err_msg=what)
        raise AssertionError(f"{what}: only the signs of zeros differ")


# --- the generator, by itself ---


def test_the_generator_makes_what_it_should():
    traits = collections.Counter(trait for seed in range(GRAPHS) for trait in graph_of(seed).traits)
    wanted = (
        "add sub mul div pow maximum minimum where cast gt logical_not reshape permute expand_dims squeeze getitem "
        "broadcast_to flip pad sum mean amax amin var norm logsumexp matmul linear dense einsum mv dot softmax "
        "log_softmax cumsum concatenate stack split max_with_index sort topk argmax gather embedding dropout conv2d "
        "max_pool2d avg_pool2d batch_norm layer_norm group_norm rnn lstm cross_entropy nll_loss mse_loss one_hot"
    )
    missing = [name for name in wanted.split() if not traits[name]]
    assert not missing
    common = {
        "an operand twice": 100,
        "a number on the left": 50,
        "a number on the right": 100,
        "a view of a view": 80,
        "floats of two dtypes": 50,
        "an early value late": 100,
        "an output twice": 30,
        "an output that is read": 80,
        "a variable as output": 40,
        "a view as output": 80,
        "an output without gradient": 10,
        "an output of several that nobody reads": 25,
        "dropout while training": 20,
        "norm while training": 10,
        "plus a constant": 10,
    }
    assert not {trait: traits[trait] for trait, least in common.items() if traits[trait] < least}
    sizes = [len(graph_of(seed).used()) for seed in range(GRAPHS)]
    assert min(sizes) >= 2 and numpy.median(sizes) > 12 and max(sizes) > 30
    assert sum(graph_of(seed).scalar for seed in range(GRAPHS)) > 30
    assert len(VOCABULARY) > 25


@in_blocks
def test_the_generator_makes_numbers_that_can_be_compared(start: int):
    """Values and gradients are finite for any data, always the same, and the heads do what a weighted sum does."""

    def check(seed: int) -> None:
        graph = graph_of(seed)
        gradients = []
        for seeded in (True, False):
            leaves = {name: leaf(kernel.from_numpy(array)) for name, array in graph.data(1).items()}
            values = evaluate(graph, leaves)
            outputs = [values[ref.node][ref.output] for ref in graph.outputs]
            heads = heads_for(graph, outputs)
            if seeded:
                pull_back(outputs, heads)
            else:
                pairs = [(y, head) for y, head in zip(outputs, heads, strict=True) if y.requires_grad]
                costs = [(y * head).sum().astype("float64") for y, head in pairs]
                if costs:
                    sum(costs[1:], costs[0]).backward()
            for y in itertools.chain.from_iterable(values):
                assert numpy.isfinite(y.detach().numpy()).all()
            gradients.append({name: t.grad for name, t in leaves.items()})
        for name, found in gradients[0].items():
            expected = gradients[1][name]
            assert (found is None) == (expected is None), name
            if found is not None:
                found, expected = found.numpy(), expected.numpy()
                assert numpy.isfinite(expected).all(), name
                tolerance = 1e-4 * max(abs(expected).max(initial=0), 1e-3)
                numpy.testing.assert_allclose(found, expected, rtol=1e-4, atol=tolerance, err_msg=name)

    each_seed(start, check)


def leaf(tensor: Any) -> Any:
    """The same memory as a leaf of its own, which requires a gradient if it can have one."""
    tensor = tensor.detach()
    return tensor.requires_grad_() if tensor.dtype.kind == "f" else tensor


def heads_for(graph: Graph, outputs: list, number: int = 0) -> list:
    """A random head for each output that has a gradient, in any memory layout; 1 if they are left out."""
    rng = numpy.random.default_rng((graph.seed, 50, number))
    heads = []
    for y in outputs:
        head = rng.uniform(-1, 1, y.shape) if not graph.scalar else numpy.ones(y.shape)
        head = head.astype(y.dtype) if y.dtype.kind == "f" else numpy.ones(y.shape, "float32")
        heads.append(kernel.from_numpy(head.copy("F") if rng.random() < 0.3 else head).to(y.device))
    return heads


# --- the executor ---


def symbol_of(graph: Graph, declare: bool) -> Any:
    """The graph as a symbol: the same calls, on variables. Shapes and dtypes are declared, or left to be found."""
    made: list[tuple] = []
    data = graph.data(0)
    for node in graph.nodes:
        if node.is_variable:
            array = data[node.name]
            known = {"shape": array.shape, "dtype": array.dtype} if declare else {}
            made.append((kernel.sym.Variable(node.name, **known),))
        else:
            made.append(node.call([made[x.node][x.output] if isinstance(x, Ref) else x for x in node.operands]))
    return kernel.sym.Group([made[ref.node][ref.output] for ref in graph.outputs])


class Bound:
    """A graph bound to arrays, one of the ways that there are."""

    def __init__(self, graph: Graph, device: str = "cpu"):
        self.graph = graph
        self.rng = rng = numpy.random.default_rng((graph.seed, 60))
        self.symbol = symbol_of(graph, declare=rng.random() < 0.5)
        self.states = self.symbol.list_auxiliary_states()
        self.names = self.symbol.list_arguments()
        data = graph.data(0)
        self.requests = {
            name: str(rng.choice(["write", "write", "add", "null"])) if data[name].dtype.kind == "f" else "null"
            for name in self.names
        }
        self.own_memory = rng.random() < 0.6
        if self.own_memory:
            self.executor = self._bind(data, device)
        else:
            self.executor = self._simple_bind(data, device)

    def _simple_bind(self, data: dict[str, numpy.ndarray], device: str) -> Any:
        return self.symbol.simple_bind(
            device=device,
            grad_req=self.requests,
            type_dict={name: data[name].dtype for name in self.names},
            **{name: data[name].shape for name in self.names},
        )

    def _bind(self, data: dict[str, numpy.ndarray], device: str) -> Any:
        tensors = {name: kernel.from_numpy(data[name]).to(device) for name in self.names}
        wanted = [name for name in self.names if self.requests[name] != "null"]
        slopes = {name: kernel.from_numpy(numpy.empty_like(data[name])).to(device) for name in wanted}
        args: Any = tensors
        requests: Any = self.requests
        if self.rng.random() < 0.5:
            args, requests = [tensors[name] for name in self.names], [self.requests[name] for name in self.names]
        states = [kernel.ones_like(t) for t in self._simple_bind(data, device).aux_arrays]
        return self.symbol.bind(device, args, args_grad=slopes, grad_req=requests, aux_states=states)

    def forward(self, number: int, is_train: bool) -> list:
        """A pass with the numbers of a data set, handed over with the call or written into the bound arrays."""
        data = {name: array for name, array in self.graph.data(number).items() if name in self.names}
        executor = self.executor
        given = {}
        for name, array in data.items():
            if self.rng.random() < 0.5:
                given[name] = array
            else:
                executor.arg_dict[name][...] = kernel.from_numpy(array).to(executor.arg_dict[name].device)
        before = {name: array.tobytes() for name, array in data.items()}
        self.states_before = {name: t.clone() for name, t in executor.aux_dict.items()}
        kernel.manual_seed(number)
        outputs = executor.forward(is_train=is_train, **given)
        assert before == {name: array.tobytes() for name, array in data.items()}
        for name, array in data.items():
            assert bits(executor.arg_dict[name])[2] == array.tobytes(), f"forward changed {name}"
        for name, state in executor.aux_dict.items():
            assert is_train or bits(state) == bits(self.states_before[name]), f"{name} is moved in use"
        return outputs

    def variable(self, node: Any, leaves: dict[str, Any]) -> Any:
        """What stands for a node without an operation, in the pass that was just made."""
        if node.role == "draw":
            return int(kernel.xp.default_generator.host.integers(2**63))
        if node.role == "auxiliary":
            return self.states_before[node.name]
        return leaves.get(node.name, node.value)

    def eager(self, number: int, is_train: bool) -> tuple[dict[str, Any], list]:
        """(leaves, outputs) of the same nodes, evaluated in the executor's order on the same memory."""
        executor = self.executor
        leaves = {}
        for name in self.names:
            tensor = executor.arg_dict[name].detach()
            leaves[name] = tensor.requires_grad_() if self.requests[name] != "null" else tensor
        done: dict[Any, tuple] = {}
        kernel.manual_seed(number)
        for node in executor.order(is_train):
            assert node not in done, f"{node.name} is computed twice"
            if node.op is None:
                done[node] = (self.variable(node, leaves),)
            else:
                operands = [done[x[0]][x[1]] if isinstance(x, tuple) else x for x in node.inputs]
                done[node] = as_tuple(kernel.apply(node.op, *operands, **node.attributes))
        if is_train:
            self._check_states(done)
        values = {name: y for node, found in done.items() for name, y in zip(names_of(node), found, strict=True)}
        assert len(values) == sum(map(len, done.values())), "two values have one name"
        return leaves, [values[name] for name in self.outputs_in_mode(is_train)]

    def _check_states(self, done: dict[Any, tuple]) -> None:
        """A pass in training has written to each state one of the values that nobody reads."""
        read = {x[0] for node in done for x in node.inputs if isinstance(x, tuple)}
        ends = {bits(y) for node, found in done.items() if node not in read for y in found}
        for name, state in self.executor.aux_dict.items():
            assert bits(state) in ends, f"{name} was not moved as the graph says"

    def outputs_in_mode(self, is_train: bool) -> list[str]:
        """The names of what the outputs are in this mode: an output that differs by mode is one of two others."""
        names = []
        for entry in self.symbol._entries:
            node, index = entry
            while node.op is not None and node.op.name == "by_mode":
                node, index = node.inputs[0 if is_train else 1]
            names.append(names_of(node)[index])
        return names


def names_of(node: Any) -> list[str]:
    """What the outputs of a node of a symbol are called."""
    if node.op is None:
        return [node.name]
    if node.op.outputs == 1:
        return [f"{node.name}_output"]
    count = len(node.attributes["sizes"]) if node.op.name == "split" else node.op.outputs
    return [f"{node.name}_output{k if count > 1 else ''}" for k in range(count)]


def compare(graph: Graph, device: str = "cpu") -> None:
    """Everything that the executor of one graph computes, in training and in use, with other numbers in between."""
    bound = Bound(graph, device)
    executor = bound.executor
    rng = bound.rng
    for name, slope in executor.grad_dict.items():
        if slope is not None:
            start = 1.5 if bound.requests[name] == "add" else numpy.nan
            slope[...] = kernel.full(slope.shape, start, dtype=slope.dtype, device=device)
    bound.forward(1, True)
    for number, is_train in ((2, False), (3, True), (4, True), (5, False), (6, True)):
        outputs = bound.forward(number, is_train)
        leaves, expected = bound.eager(number, is_train)
        assert len(outputs) == len(expected) == len(graph.outputs)
        for k, (y, wanted) in enumerate(zip(outputs, expected, strict=True)):
            assert_same(y, wanted, f"output {k}, is_train={is_train}, data {number}")
            assert_same(executor.outputs[k], wanted, f"executor.outputs[{k}]")
        if bound.own_memory and not graph.traits & {"dropout while training", "norm while training"}:
            plain = evaluate(graph, {n: kernel.from_numpy(array) for n, array in graph.data(number).items()})
            for y, ref in zip(outputs, graph.outputs, strict=True):
                found, wanted = y.cpu().numpy(), plain[ref.node][ref.output].numpy()
                numpy.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-3)
        if not is_train or number == 3:
            continue
        before = {name: t.clone() for name, t in executor.grad_dict.items() if t is not None}
        heads = heads_for(graph, expected, number)
        kept = [bits(head) for head in heads]
        values = [bits(y) for y in outputs]
        left_out = 0 if graph.scalar else 0.15
        given = [
            head if y.dtype.kind == "f" and rng.random() >= left_out else None
            for y, head in zip(outputs, heads, strict=True)
        ]
        pull_back(expected, given)
        executor.backward(*(() if graph.scalar and rng.random() < 0.8 else (given,)))
        assert kept == [bits(head) for head in heads], "backward changed a head"
        assert values == [bits(y) for y in outputs], "backward changed an output"
        for name in bound.names:
            assert bits(executor.arg_dict[name])[2] == graph.data(number)[name].tobytes(), f"backward changed {name}"
            slope, request = executor.grad_dict.get(name), bound.requests[name]
            if request == "null":
                assert slope is None
                continue
            g = leaves[name].grad
            g = kernel.zeros(slope.shape, dtype=slope.dtype, device=device) if g is None else g
            assert_same(slope, before[name] + g if request == "add" else g, f"gradient of {name} ({request})")


@in_blocks
def test_an_executor_computes_what_eager_computes(start: int):
    each_seed(start, lambda seed: compare(graph_of(seed)))


@pytest.mark.parametrize("start", range(0, 80, BLOCK))
def test_an_executor_on_the_strict_device(start: int):
    def check(seed: int) -> None:
        if "plus a constant" not in graph_of(seed).traits:  # which lies on the CPU
            compare(graph_of(seed), "strict")

    each_seed(start, check, stop=80)


# --- the plan, looked at from outside ---


def assert_nothing_is_overwritten(plan: Any) -> None:
    """No two rows that are alive at the same step lie in the same memory, unless one says that it is the other's."""
    rows = [row for row in plan.rows if row.offset is not None and row.bytes]
    by_name = {row.node: row for row in plan.rows}

    def memory_of(row: Any) -> Any:
        while row.place in ("in place", "view") and row.of in by_name:
            row = by_name[row.of]
        return row.node

    for row in rows:
        assert row.birth <= row.death, row
        assert row.offset >= 0 and row.offset + row.bytes <= plan.bytes, row
    for a, b in itertools.combinations(rows, 2):
        apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
        never_together = a.death < b.birth or b.death < a.birth
        assert apart or never_together or memory_of(a) == memory_of(b), f"{a}\n{b}\n{plan}"


class Memory:
    """Who wrote last to each part of the planned memory, while a pass is gone through on paper."""

    def __init__(self, bound: Bound, is_train: bool):
        self.rows = {row.node: row for row in bound.executor.plan(is_train).rows}
        self.order = [node for node in bound.executor.order(is_train) if node.op is not None]
        self.written: list[tuple[int, int, str]] = []

    def owner(self, name: str) -> Any:
        """The row that holds the numbers of a value, through views; None where its memory is not planned."""
        row = self.rows.get(name)
        while row is not None and row.place == "view":
            row = self.rows.get(row.of)
        return None if row is None or row.offset is None or not row.bytes else row

    def write(self, name: str) -> None:
        row = self.rows[name]
        if row.place in ("buffer", "in place") and row.bytes:
            begin, end = row.offset, row.offset + row.bytes
            apart = [part for part in self.written if part[1] <= begin or end <= part[0]]
            beside = [(b, min(e, begin), n) for b, e, n in self.written if b < begin < e]
            beside += [(max(b, end), e, n) for b, e, n in self.written if b < end < e]
            self.written = [*apart, *beside, (begin, end, name)]

    def check(self, name: str, when: str) -> None:
        row = self.owner(name)
        if row is not None:
            found = [n for b, e, n in self.written if b < row.offset + row.bytes and row.offset < e]
            assert found == [row.node], f"{when}: {name} should be there, but {found} is"

    def apart(self, name: str, others: list[str], when: str) -> None:
        """What is being written must not lie where what is being read lies, unless it says so."""
        row = self.owner(name)
        allowed = [row, None if row is None or row.place != "in place" else self.owner(row.of)]
        for other in map(self.owner, others):
            if row is not None and other is not None and other not in allowed:
                together = row.offset < other.offset + other.bytes and other.offset < row.offset + row.bytes
                assert not together, f"{when}: {name} is written over {other.node}"

    def go(self, outputs: list[str]) -> None:
        for step, node in enumerate(self.order):
            given = {i: names_of(x[0])[x[1]] for i, x in enumerate(node.inputs) if isinstance(x, tuple)}
            for i, name in given.items():
                self.check(name, f"{node.name} reads")
                cast = next((n for n in self.rows if n.startswith(f"{node.name}: {node.op.argument(i)} as ")), None)
                if cast is not None and not node.op.variadic:
                    self.apart(cast, list(given.values()), f"{node.name} converts")
                    self.write(cast)
                    given[i] = cast
            for i, name in given.items():
                self.check(name, f"{node.name} reads converted operand {i}")
            for name in names_of(node):
                row = self.rows[name]
                assert row.birth == step, row
                if row.place == "in place":
                    taken = self.owner(row.of)
                    assert row.of in given.values(), f"{row} takes what it does not read"
                    assert taken.bytes == row.bytes, f"{row} takes a part"
                    # NumPy would make a copy of an operand that it is about to overwrite; a GPU would not.
                    others = [name for name in given.values() if name != row.of and self.owner(name) == taken]
                    assert not others, f"{row} takes what {others} are views of"
                self.apart(name, list(given.values()), node.name)
                self.write(name)
        for name in outputs:
            if name in self.rows:
                self.check(name, "at the end")

    def check_what_rules_read(self, wanting: set[str], outputs: list[str]) -> None:
        """When the way back begins, all that the rules will look at must still be there."""
        needs: dict[Any, set[str]] = {}
        for node in self.order:
            names = [names_of(x[0])[x[1]] if isinstance(x, tuple) else None for x in node.inputs]
            rules = [bool(node.op.vjp if node.op.variadic else node.op.vjp[i]) for i in range(len(names))]
            wanted = [i for i, name in enumerate(names) if name in wanting and rules[i]]
            results = [name for name in names_of(node) if self.rows[name].dtype.kind == "f"]
            if wanted and results:
                wanting |= set(results)
                words = [node.op.reads[0 if node.op.variadic else i] for i in wanted] if node.op.reads else []
                needs[node] = {word for some in words for word in some.split()}
        reached = set(outputs) & wanting
        for node in reversed(self.order):
            if node in needs and reached.intersection(names_of(node)):
                names = [names_of(x[0])[x[1]] if isinstance(x, tuple) else None for x in node.inputs]
                reached |= wanting.intersection(names)
                for i, name in enumerate(names):
                    casts = any(n.startswith(f"{node.name}: {node.op.argument(i)} as ") for n in self.rows)
                    if name is not None and node.op.argument(i) in needs[node] and not casts:
                        self.check(name, f"on the way back {node.name} reads")
                for name in names_of(node) if "y" in needs[node] else ():
                    self.check(name, f"on the way back {node.name} reads its result")


@in_blocks
def test_a_plan_is_sound_and_saves_memory(start: int):
    def check(seed: int) -> None:
        bound = Bound(graph_of(seed))
        executor = bound.executor
        inference, training = executor.plan(False), executor.plan(True)
        for is_train, plan in ((False, inference), (True, training)):
            memory = Memory(bound, is_train)
            outputs = bound.outputs_in_mode(is_train)
            memory.go(outputs)
            if is_train:
                memory.check_what_rules_read({n for n, r in bound.requests.items() if r != "null"}, outputs)
            assert_nothing_is_overwritten(plan)
            assert 0 <= plan.bytes <= plan.naive_bytes
            assert len(str(plan).splitlines()) >= len(plan.rows)
        assert inference.bytes <= training.bytes

    each_seed(start, check)


def test_plans_save_memory_in_total():
    """Use needs less than training, and both need less than a buffer for every value."""
    total: collections.Counter[str] = collections.Counter()
    for seed in range(100):
        executor = Bound(graph_of(seed)).executor
        for name, is_train in (("inference", False), ("training", True)):
            plan = executor.plan(is_train)
            total[name] += plan.bytes
            total[f"{name} naive"] += plan.naive_bytes
    assert total["inference"] < total["training"] < total["training naive"]
    assert total["inference"] < 0.7 * total["inference naive"]
