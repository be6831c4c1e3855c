"""Modules: what they hold and under which names, sharing, states, copies, hooks, and parameters that wait."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy
import pytest

import kernel
from kernel import Buffer, DeviceError, DtypeError, GradError, Parameter, ShapeError, UnknownSizeError, layers
from kernel.layers import BatchNorm, Dense, Dropout, Linear, Sequential

Couple = namedtuple("Couple", "left right")


class SimpleNet(kernel.Module):
    def __init__(self):
        self.lin1 = Linear(2, 12)
        self.lin2 = Linear(12, 3)

    def forward(self, x):
        return self.lin2(kernel.relu(self.lin1(x)))


class Everything(kernel.Module):
    """Holds things in every way that there is, and does not call super().__init__."""

    def __init__(self):
        self.scale = Parameter([2.0])
        self.plain = kernel.ones(3)  # no parameter
        self.steps = [Linear(1, 1, bias=False), kernel.relu, [Parameter([1.0]), {"deep": Buffer([0.0])}]]
        self.count = Buffer([0.0])
        self.named = {"in": Linear(1, 1, bias=False), 7: Parameter([3.0])}
        self.couple = Couple(Parameter([4.0]), None)
        self.text, self.number, self.function, self.nothing = "weight", 5, math.sin, None
        self.frozen = Parameter([5.0], requires_grad=False)

    def forward(self, x):
        return x * self.scale


class Twice(kernel.Module):
    """One layer under two names, and one parameter of it under a third."""

    def __init__(self, size: int | None = 3):
        self.first = Linear(size, 3, bias=False)
        self.again = self.first
        self.weight = self.first.weight

    def forward(self, x):
        return self.again(self.first(x)) + (x @ self.weight)


def names(named: Any) -> list[str]:
    return [name for name, _ in named]


def values(module: kernel.Module) -> list:
    return [owned.tolist() for owned in (*module.parameters(), *module.buffers())]


def begun(*sizes: int) -> Linear:
    """A linear layer whose weights are 1 and whose bias is 0."""
    return Linear(*sizes).initialise({"*weight": 1, "*bias": 0})


# --- what it holds -------------------------------------------------------------------------------------------------


def test_own_things_come_first_in_the_order_in_which_they_were_set():
    net = Everything()
    parameters = ["scale", "steps.2.0", "named.7", "couple.0", "frozen", "steps.0.weight", "named.in.weight"]
    assert names(net.named_parameters()) == parameters
    assert names(net.named_buffers()) == ["steps.2.1.deep", "count"]
    assert names(net.named_modules()) == ["", "steps.0", "named.in"]
    assert names(net.named_children()) == ["steps.0", "named.in"]
    own = ["scale", "steps.2.0", "steps.2.1.deep", "count", "named.7", "couple.0", "frozen"]
    assert list(net.state_dict()) == [*own, "steps.0.weight", "named.in.weight"]
    assert [p.requires_grad for p in net.parameters()] == [True] * 4 + [False] + [True] * 2
    assert next(net.modules()) is net and [*net.children()] == [net.steps[0], net.named["in"]]
    net.plain = Parameter([1.0])
    assert "plain" in net.state_dict(), "found as soon as it is one, at the place of the attribute"
    del net.plain
    assert names(net.named_parameters()) == parameters


def test_what_is_set_while_going_over_the_names_changes_nothing():
    net = SimpleNet()
    for name, _ in net.named_parameters():
        setattr(net, name.replace(".", "_"), 1)
    assert len(list(net.parameters())) == 4


def test_shared_things_are_one_with_several_names():
    net = Twice()
    assert names(net.named_parameters()) == ["weight"] and list(net.parameters()) == [net.weight]
    assert names(net.named_modules()) == ["", "first"]
    assert list(net.state_dict()) == ["weight", "first.weight", "again.weight"]
    x = kernel.tensor([[1.0, 2.0, 3.0]])
    w = kernel.tensor(net.weight.tolist(), requires_grad=True)
    net(x).sum().backward()
    (kernel.linear(kernel.linear(x, w), w) + x @ w).sum().backward()
    numpy.testing.assert_allclose(net.weight.grad.numpy(), w.grad.numpy(), rtol=1e-5)
    before = net.weight.tolist()
    with kernel.no_grad():
        for parameter in net.parameters():
            parameter -= 0.5 * parameter.grad
    assert net.first.weight.tolist() == net.again.weight.tolist() == net.weight.tolist() != before


def test_separate_objects_share_nothing():
    a, b = Linear(2, 2), Linear(2, 2)
    net = Sequential(a, b, a)
    assert len(list(net.parameters())) == 4
    assert list(net.state_dict()) == [f"{i}.{which}" for i in range(3) for which in ("weight", "bias")]


def test_circles_are_walked_once():
    net = SimpleNet()
    net.lin1.parent = net
    net.circle = [net.lin2]
    net.circle.append(net.circle)
    assert names(net.named_modules()) == ["", "lin1", "lin2"]
    assert list(net.state_dict())[:2] == ["lin1.weight", "lin1.bias"]
    assert "(parent): (…)" in repr(net)
    other = net.clone()
    assert other.lin1.parent is other and not net.eval().lin1.training
    with pytest.raises(DtypeError, match="a module cannot hold itself as own"):
        net.own = net


@dataclasses.dataclass
class Record(kernel.Module):
    """A data class has an == of its own, and no hash."""

    layer: kernel.Module
    copies: list


def test_a_module_may_be_a_data_class():
    net = Record(Linear(1, 2), [Linear(1, 2), Linear(2, 1)])
    assert names(net.eval().named_modules()) == ["", "layer", "copies.0", "copies.1"] and not net.copies[1].training


def test_a_module_without_forward_and_one_without_a_call():
    with pytest.raises(NotImplementedError, match=r"^Module defines no forward\(self, …\), so it computes nothing"):
        kernel.Module()(1)
    assert not list(kernel.Module().parameters()) and repr(kernel.Module()) == "Module()"
    assert kernel.Module().state_dict() == {} and kernel.Module().load_state_dict({}) == ([], [])


# --- all of it at once ---------------------------------------------------------------------------------------------


def test_train_and_eval_reach_every_module():
    net = Sequential(Dense(2), Sequential(Dropout(0.5), BatchNorm()))
    assert net.training and net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())
    net[1].eval()
    assert net.training and not net[1][0].training
    with pytest.raises(DtypeError, match=r"^train: True or False was expected, but .* came; this only sets the mode"):
        net.train([1.0, 2.0])


def test_gradients_of_all_parameters():
    net = SimpleNet()
    net(kernel.ones(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert net.requires_grad_(False) is net and not net(kernel.ones(4, 2)).requires_grad
    net.lin2.requires_grad_()
    net(kernel.ones(4, 2)).sum().backward()
    assert [p.grad is not None for p in net.parameters()] == [False, False, True, True]


def test_apply_goes_from_below_and_meets_each_once():
    inner = Sequential(Linear(1, 1), Linear(1, 1))
    net, order = Sequential(inner, Linear(1, 1), inner), []
    assert net.apply(order.append) is net
    assert [id(m) for m in order] == [id(m) for m in (inner[0], inner[1], inner, net[1], net)]
    with pytest.raises(DtypeError, match=r"^apply: a function of a module was expected, but 3 came"):
        net.apply(3)


@pytest.mark.parametrize("target", ("strict", "float64", kernel.DoubleTensor, kernel.float64, "like"))
def test_to_moves_in_place_what_learners_hold(target: Any):
    """Parameters stay the objects that they were, their gradients go along, and training goes on."""
    net = Sequential(Linear(2, 3), BatchNorm(3), Linear(3, 1))
    learned, kept = list(net.parameters()), [*net.buffers()]
    net(kernel.tensor([[1.0, 2.0], [2.0, 0.0], [3.0, 1.0]])).sum().backward()
    before = values(net), [p.grad.tolist() for p in learned]
    dtype = kernel.float32 if target == "strict" else kernel.float64
    there = kernel.zeros(1, dtype=dtype, device="cpu" if dtype == kernel.float64 else "strict")
    assert net.to(there if target == "like" else target) is net
    assert all(a is b for a, b in zip(learned, net.parameters(), strict=True))
    assert all(a is b for a, b in zip(kept, net.buffers(), strict=True))
    assert (values(net), [p.grad.tolist() for p in learned]) == before
    for tensor in (*learned, *(p.grad for p in learned), *kept):
        assert tensor.device == there.device and tensor.dtype in (dtype, kernel.int64)
    assert [b.dtype for b in kept] == [dtype, dtype, kernel.int64], "a count stays a whole number"
    x = kernel.tensor([[1.0, 2.0], [2.0, 0.0]], dtype=dtype, device=there.device)
    net(x).sum().backward()
    with kernel.no_grad():
        for parameter in learned:
            parameter -= 0.1 * parameter.grad
    assert values(net) != before[0]


def test_to_refuses_what_is_no_place_and_no_float():
    for module in (SimpleNet(), layers.ReLU(), Linear(3)):
        for target, error in (("int64", DtypeError), ("nowhere", DeviceError), (None, DtypeError), (bool, DtypeError)):
            before = repr(module)
            with pytest.raises(error):
                module.to(target)
            assert repr(module) == before
    net = Linear(2, 1)
    y = net(kernel.ones(1, 2)).sum()
    net.to("float64")
    with pytest.raises(GradError, match="a leaf is float64 now, but was float32 when it was used"):
        y.backward()
    assert net.weight.grad is None


def test_where_a_parameter_is_made_it_may_wait():
    net = Sequential(Linear(3), BatchNorm()).to("strict").to("float64")
    y = net(kernel.ones(4, 2, dtype="float64", device="strict"))
    assert y.device == "strict" and {str(p.dtype) for p in net.parameters()} == {"float64"}
    y.sum().backward()
    assert net[0].weight.grad.device == "strict"


def test_initialise_goes_by_names():
    net = SimpleNet()
    net.initialise({"lin1.weight": 1, "*weight": 2, "*": 0})
    assert [p.mean().item() for p in net.parameters()] == [1, 0, 2, 0]
    draw = kernel.initialisers.uniform(-0.1, 0.1)
    net.initialise({"*weight": draw, "*bias": 0}, kernel.Generator(3))
    again = SimpleNet().initialise({"*weight": draw, "*bias": 0}, kernel.Generator(3))
    assert values(net) == values(again) and net.lin1.weight.abs().max().item() <= 0.1
    lazy = Linear(3).initialise({"*weight": 4, "bias": 5})
    assert lazy(kernel.ones(1, 2)).tolist() == [[13, 13, 13]]
    for wrong in ("uniform", None, {"*": "uniform"}, int):
        with pytest.raises(DtypeError, match=r"^an initialiser must be a number, an array, .* such as uniform\(0.1\)"):
            net.initialise(wrong)


# --- states --------------------------------------------------------------------------------------------------------


def test_a_state_is_a_copy():
    net = SimpleNet()
    state = net.state_dict()
    assert all(type(v) is kernel.Tensor and not v.requires_grad for v in state.values())
    with kernel.no_grad():
        net.lin1.weight.zero_()
    assert state["lin1.weight"].abs().sum().item() > 0
    net.load_state_dict(state)
    state["lin1.weight"].zero_()
    assert net.lin1.weight.abs().sum().item() > 0, "what was loaded is a copy too"
    lazy, state = Linear(3), Linear(2, 3).initialise(1).state_dict()
    lazy.load_state_dict(state)
    state["weight"].zero_()
    assert lazy.weight.mean().item() == 1
    pair = Sequential(Linear(2, 2).initialise(1), Linear(2, 2).initialise(2))
    crossed = {f"{1 - i}.{name}": p.detach() for i in (0, 1) for name, p in pair[i].named_parameters()}
    pair.load_state_dict(crossed)
    assert [p.mean().item() for p in pair.parameters()] == [2, 2, 1, 1], "also if it is a view of the module itself"


def test_loading_keeps_the_objects_and_their_memory():
    net, other = SimpleNet(), SimpleNet()
    learned, view = list(net.parameters()), net.lin1.weight.detach()
    held = [p.detach().numpy() for p in learned]
    assert net.load_state_dict({k: v.numpy() for k, v in other.state_dict().items()}) == ([], [])
    assert all(a is b for a, b in zip(learned, net.parameters(), strict=True)) and values(net) == values(other)
    assert view.tolist() == other.lin1.weight.tolist() and held[3].tolist() == other.lin2.bias.tolist()
    net.to("strict").load_state_dict({k: v.double() for k, v in SimpleNet().initialise(2).state_dict().items()})
    assert net.lin1.weight.device == "strict" and net.lin1.weight.dtype == kernel.float32
    assert net.lin1.weight.mean().item() == 2
    y = other(kernel.ones(1, 2)).sum()
    other.load_state_dict(SimpleNet().state_dict())
    with pytest.raises(GradError, match="was changed in place"):
        y.backward()


def test_everything_that_does_not_fit_is_listed_and_nothing_is_loaded():
    net = Sequential(Linear(2, 3), BatchNorm(3), Linear(3, 2, bias=False), Linear(2, 2))
    before = values(net)
    state = net.state_dict()
    state = {name: value + 1 for name, value in state.items()}
    del state["0.bias"], state["3.weight"]
    state |= {
        "0.weight": kernel.ones(2, 3),
        "1.weight": numpy.array(["a"]),
        "1.bias": [1.0, 2.0, 3.0],
        "1.num_batches_tracked": kernel.ones(),
        "1.running_mean": kernel.tensor([1, 2, 3]),
        "2.bias": kernel.ones(2),
        5: kernel.ones(1),
    }
    with pytest.raises(ShapeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    assert message.startswith("load_state_dict: the state does not fit this Sequential, and nothing was loaded: ")
    for part in (
        "0.bias is missing",
        "3.weight is missing",
        "'2.bias' was not expected",
        "5 was not expected",
        "0.weight should have shape (3, 2), but has (2, 3)",
        "1.weight is no array of numbers",
        "1.bias should be a tensor or an array, but is [1.0, 2.0, 3.0]",
        "1.num_batches_tracked should be int64, but is float32",
        "1.running_mean should be float32, but is int64",
    ):
        assert part in message
    assert message.endswith(".") and "\n" not in message and values(net) == before
    with pytest.raises(ShapeError, match="shape") as caught:
        net.load_state_dict(state, strict=False)
    assert "missing" not in str(caught.value) and values(net) == before
    assert net.load_state_dict({"0.bias": kernel.ones(3), "x": kernel.ones(1)}, strict=False) == (
        [name for name in net.state_dict() if name != "0.bias"],
        ["x"],
    )
    assert net[0].bias.tolist() == [1, 1, 1]
    for wrong in (None, [("0.bias", 1)], "state", net):
        with pytest.raises(DtypeError, match=r"^load_state_dict: \{name: values\} was expected"):
            net.load_state_dict(wrong)


def test_a_state_fills_in_what_waits():
    """Whatever the initialiser would have made of that size; and without taking random numbers."""
    net = Sequential(Dense(3, init=numpy.ones((9, 3))), Linear(2))
    other = Sequential(Dense(3), Linear(2))
    other(kernel.ones(1, 5))
    kernel.manual_seed(0)
    expected = kernel.rand(1).item()
    kernel.manual_seed(0)
    assert net.load_state_dict(other.state_dict()) == ([], []) and values(net) == values(other)
    assert kernel.rand(1).item() == expected
    lazy = Linear(3)
    with pytest.raises(ShapeError, match=r"weight should have shape \(3, \?\), but has \(4, 5\)"):
        lazy.load_state_dict({"weight": kernel.ones(4, 5), "bias": kernel.ones(3)})
    assert lazy.weight.shape == (3, None) and lazy.bias.tolist() == [0, 0, 0]


def test_a_shared_parameter_needs_one_shape_under_all_names():
    for make in (Twice, lambda: Twice(None)):
        net = make()
        state = {name: kernel.ones(3, 3) for name in ("weight", "first.weight")} | {"again.weight": kernel.ones(3, 2)}
        with pytest.raises(ShapeError, match=r"again.weight should have shape \(3, 3\), but has \(3, 2\)"):
            net.load_state_dict(state)
        net.load_state_dict(state | {"again.weight": kernel.zeros(3, 3)})
        assert net.weight.tolist() == net.first.weight.tolist() == [[0] * 3] * 3, "the last one counts"


@pytest.mark.oracle
def test_what_pytorch_calls_a_state_loads_too():
    import torch

    theirs, ours = torch.nn.Linear(2, 3), Linear(2, 3)
    ours.load_state_dict(dict(theirs.named_parameters()))
    assert ours.bias.tolist() == theirs.bias.tolist()
    with pytest.raises(ShapeError, match=r"weight is no array of numbers .*BFloat16"):
        ours.load_state_dict(theirs.bfloat16().state_dict())


# --- copies --------------------------------------------------------------------------------------------------------


def test_clone_and_deepcopy_share_nothing():
    net = Sequential(Linear(2, 3), BatchNorm(3), Dropout(0.5, seed=1), Twice())
    net(kernel.tensor([[1.0, 2.0], [0.0, 1.0]])).sum().backward()
    for other in (net.clone(), copy.deepcopy(net), net.clone("clone")):
        assert values(other) == values(net) and list(other.state_dict()) == list(net.state_dict())
        assert not {*net.parameters(), *net.buffers()} & {*other.parameters(), *other.buffers()}
        assert other[3].first is other[3].again and other[3].first.weight is other[3].weight, "sharing inside stays"
        assert other[0].weight.grad.tolist() == net[0].weight.grad.tolist()
        with kernel.no_grad():
            other[0].weight.zero_()
            other[0].weight.grad.zero_()
        assert net[0].weight.abs().sum().item() > 0 and net[0].weight.grad.abs().sum().item() > 0


def test_clone_share_shares_every_parameter():
    net = Sequential(Linear(2, 3), BatchNorm())
    for other in (net.clone("share"), copy.copy(net)):
        assert other is not net and other[0] is not net[0]
        held, held_there = ([*m.parameters(), *m.buffers()] for m in (net, other))
        assert len(held) == 7 and all(a is b for a, b in zip(held, held_there, strict=True))
        other.eval()
        assert net.training and net[1].training, "the mode is not shared"
    net.clone("share")(kernel.ones(4, 2))
    assert net[1].running_mean.shape == (3,), "what waits is found for both"


def test_clone_freeze_learns_no_more():
    net = Sequential(Linear(2, 3), Linear(2))
    frozen = net.clone("freeze")
    new = Sequential(Linear(3, 4))
    grown = net.clone("freeze", replace={"1": new})
    for other in (frozen, grown):
        x = kernel.ones(1, 2, requires_grad=True)
        other(x).sum().backward()
        assert x.grad is not None, "gradients pass through"
    assert [p.requires_grad for p in frozen.parameters()] == [False] * 4 and frozen[1].weight.shape == (2, 3)
    assert [p.requires_grad for p in grown.parameters()] == [False] * 2 + [True] * 2, "what stands in still learns"
    assert grown[1] is new and new[0].weight.grad is not None
    assert all(p.requires_grad for p in net.parameters()) and net[1].weight.shape == (2, None)


def test_clone_replaces_modules_by_name():
    inner = Linear(3, 3)
    net = Sequential(Linear(2, 3), Sequential(inner, kernel.tanh, inner), Linear(3, 1))
    other = net.clone("share", replace={"1.0": layers.Identity(), "2": Linear(3, 5)})
    assert isinstance(other[1][0], layers.Identity) and other[1][2] is other[1][0], "everywhere where it was"
    assert other(kernel.ones(1, 2)).shape == (1, 5) and net(kernel.ones(1, 2)).shape == (1, 1)
    assert other[0].weight is net[0].weight
    for replace, words in (
        ({"7": inner}, "there is no module '7' to replace; there are 0, 1, 1.0, 1.1, 1.2, 2"),
        ({"": inner}, "there is no module ''"),
        ({"0": kernel.relu}, "a module should stand in for '0', but"),
        ([inner], "replace should be {name: module}, but"),
    ):
        with pytest.raises((ShapeError, DtypeError)) as caught:
            net.clone(replace=replace)
        assert str(caught.value).startswith(f"clone: {words}")
    with pytest.raises(DtypeError, match=r'^clone: method must be "share", "clone" or "freeze", but .copy. came'):
        net.clone("copy")


def test_nothing_is_pickled():
    for thing in (SimpleNet(), Linear(3), Parameter([1.0]), Linear(3).weight):
        with pytest.raises(DtypeError, match=r"^pickle: "):
            pickle.dumps(thing)
    with pytest.raises(DtypeError, match=r"kernel\.save\(module, path\)"):
        pickle.dumps(SimpleNet())


# --- hooks ---------------------------------------------------------------------------------------------------------


def test_hooks_see_and_change_what_goes_in_and_out():
    net, seen = begun(2, 1), []
    x = kernel.ones(1, 2)
    removals = [
        net.register_forward_pre_hook(lambda module, inputs: seen.append((module is net, inputs[0] is x))),
        net.register_forward_pre_hook(lambda module, inputs: inputs[0] * 3),
        net.register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,)),
        net.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].tolist(), output.tolist()))),
        net.register_forward_hook(lambda module, inputs, output: -output),
    ]
    assert net(x).tolist() == [[-8]] and seen == [(True, True), ([[4.0, 4.0]], [[8.0]])]
    for remove in removals[1:3]:
        assert remove() is None
        remove()
    assert net(x).tolist() == [[-2]]
    assert net.clone("share")(x).tolist() == [[2]], "hooks stay behind"
    assert list(net.state_dict()) == ["weight", "bias"] and "hook" not in repr(net)


def test_a_hook_that_is_a_module_is_no_part_of_the_network():
    net = Linear(1, 1)

    class Watch(kernel.Module):
        def forward(self, *_):
            return None

    net.register_forward_hook(Watch())
    net.register_forward_pre_hook(Watch())
    assert names(net.named_modules()) == [""] and repr(net) == "Linear(in_features=1, out_features=1, bias=True)"


def test_a_hook_may_remove_itself_and_one_that_raises_leaves_the_module_usable():
    net, calls = begun(1, 1), []

    def once(module: kernel.Module, inputs: tuple, output: Any) -> None:
        calls.append(1)
        remove()

    def fail(module: kernel.Module, inputs: tuple) -> None:
        raise ZeroDivisionError("mine")

    remove = net.register_forward_hook(once)
    stop = net.register_forward_pre_hook(fail)
    with pytest.raises(ZeroDivisionError, match="mine"):
        net(kernel.ones(1, 1))
    stop()
    assert [net(kernel.ones(1, 1)).tolist() for _ in "12"] == [[[1]]] * 2 and calls == [1]
    for register in (net.register_forward_hook, net.register_forward_pre_hook):
        with pytest.raises(DtypeError, match=r"^register_forward_.*hook: a function was expected, but 3 came"):
            register(3)


# --- print ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    (
        (
            SimpleNet,
            "SimpleNet(\n" + "".join(f"  ({name}): {layer!r}\n" for name, layer in SimpleNet().named_children()) + ")",
        ),
        (
            lambda: Linear(5, 7),
            "Linear(in_features=5, out_features=7, bias=True)",
        ),
        (
            lambda: Sequential(Linear(2, bias=False), kernel.relu, lambda x: x, [Sequential(Dense(3), Dropout(0.5))]),
            """Sequential(
  (0): Linear(in_features=?, out_features=2, bias=False)
  (1): Activation(relu)
  (2): Activation(<lambda>)
  (3): Sequential(
    (0): Dense(3)
    (1): Dropout(0.5)
  )
)""",
        ),
        (
            Everything,
            """Everything(
  (steps.0): Linear(in_features=1, out_features=1, bias=False)
  (named.in): Linear(in_features=1, out_features=1, bias=False)
)""",
        ),
        (
            lambda: Dense(3, activation=layers.LeakyReLU(), map_rank=1),
            """Dense(
  3, map_rank=1
  (activation): LeakyReLU(slope=0.01)
)""",
        ),
        (lambda: Sequential(), "Sequential()"),
    ),
)
def test_print_is_a_tree(make: Callable, text: str):
    assert repr(make()) == text


def test_types_are_those_of_the_first_call():
    net = Sequential(Dense(4), Dense(2))
    assert net.types == "Sequential(?) -> ?"
    with pytest.raises(DtypeError):
        net("images")
    assert net.types == "Sequential(?) -> ?", "a call that failed shows nothing"
    net(kernel.ones(8, 28, 28))
    assert net.types == "Sequential(Tensor[28, 28]) -> Tensor[2]" and net[1].types == "Dense(Tensor[4]) -> Tensor[2]"
    net(kernel.ones(3, 28, 28))
    assert net.types == "Sequential(Tensor[28, 28]) -> Tensor[2]"
    assert net.clone().types == net.types

    class Pair(kernel.Module):
        def forward(self, x, times):
            return x, x * times

    pair = Pair()
    pair(kernel.SparseTensor.one_hot(kernel.tensor([1]), 4).to_dense(), 2)
    assert pair.types == "Pair(Tensor[4], int) -> Tuple[Tensor[4], Tensor[4]]"


# --- parameters that wait ------------------------------------------------------------------------------------------

ONES = kernel.ones(4, 5)
# How the first operation finds the size: (the parameter's shape, the operation, the shape in the end).
COMPLETIONS: dict[str, tuple[tuple, Callable[[Any], Any], tuple]] = {
    "linear": ((3, None), lambda w: kernel.linear(ONES, w), (3, 5)),
    "linear's bias": ((None,), lambda w: kernel.linear(ONES, kernel.ones(3, 5), w), (3,)),
    "dense": ((None, None, 3), lambda w: kernel.dense(kernel.ones(2, 4, 5), w), (4, 5, 3)),
    "matmul": ((None, 3), lambda w: ONES @ w, (5, 3)),
    "matmul from the left": ((2, None), lambda w: w @ ONES, (2, 4)),
    "mv": ((None,), lambda w: kernel.mv(ONES, w), (5,)),
    "dot": ((None,), lambda w: kernel.dot(ONES[0], w), (5,)),
    "einsum": ((None, 2), lambda w: kernel.einsum("nk,km->nm", ONES, w), (5, 2)),
    "conv1d": ((6, None, 3), lambda w: kernel.conv1d(kernel.ones(1, 4, 9), w, groups=2), (6, 2, 3)),
    "conv2d": ((6, None, 3, 3), lambda w: kernel.conv2d(kernel.ones(1, 4, 9, 9), w, groups=2), (6, 2, 3, 3)),
    "conv2d's bias": (
        (None,),
        lambda w: kernel.conv2d(kernel.ones(1, 1, 3, 3), kernel.ones(2, 1, 1, 1), w),
        (2,),
    ),
    "conv_transpose2d": (
        (None, 2, 3, 3),
        lambda w: kernel.conv_transpose2d(kernel.ones(1, 4, 3, 3), w, groups=2),
        (4, 2, 3, 3),
    ),
    "batch_norm's scale": ((None,), lambda w: kernel.batch_norm(kernel.randn(4, 5), w), (5,)),
    "group_norm's scale": ((None,), lambda w: kernel.group_norm(kernel.randn(4, 6), 2, w), (6,)),
    "layer_norm's scale": ((None,), lambda w: kernel.layer_norm(kernel.randn(4, 5), 5, w), (5,)),
    "sparse @": ((None, 2), lambda w: kernel.SparseTensor.one_hot(kernel.tensor([0, 4]), 5) @ w, (5, 2)),
    "linear, sparse": (
        (2, None),
        lambda w: kernel.linear(kernel.SparseTensor.one_hot(kernel.tensor([0, 4]), 5), w),
        (2, 5),
    ),
}


@pytest.mark.parametrize("recorded", (True, False))
@pytest.mark.parametrize("name", COMPLETIONS)
def test_the_first_operation_finds_the_size(name: str, recorded: bool):
    shape, function, found = COMPLETIONS[name]
    waiting = Parameter.later(shape, 1.0)
    held = [waiting]
    with kernel.enable_grad() if recorded else kernel.no_grad():
        y = function(waiting)
    assert waiting.shape == found and type(waiting) is Parameter and held[0] is waiting
    assert waiting.tolist() == kernel.ones(*found).tolist() and waiting.requires_grad
    assert y.requires_grad is recorded
    if recorded:
        y.sum().backward()
        assert waiting.grad.shape == found
    function(waiting)


def test_a_buffer_waits_too_and_learns_nothing():
    waiting = Buffer.later((None,), 2)
    assert repr(waiting) == "Buffer of shape (?,), waiting for its size" and not waiting.requires_grad
    kernel.dot(kernel.ones(3), waiting)
    assert type(waiting) is Buffer and waiting.tolist() == [2, 2, 2]


def test_what_is_known_of_one_that_waits():
    waiting = Parameter.later((3, None), 1, "linear", "float64", "strict")
    assert (waiting.shape, waiting.dtype, waiting.device, waiting.ndim) == ((3, None), kernel.float64, "strict", 2)
    assert waiting.requires_grad and waiting.is_leaf and waiting.grad is None and isinstance(waiting, Parameter)
    assert repr(waiting) == f"{waiting}" == "Parameter of shape (3, ?), waiting for its size"
    assert repr(Parameter.later(None)) == "Parameter of unknown shape, waiting for its size"
    assert type(Parameter.later((3, 2))) is Parameter, "nothing to wait for"
    assert next(Linear(3).named_parameters())[0] == "weight"


@pytest.mark.parametrize(
    "use",
    (
        len,
        list,
        float,
        bool,
        kernel.tensor,
        Parameter,
        lambda w: w + 1,
        lambda w: w @ w,
        lambda w: w[0],
        lambda w: w.T,
        lambda w: w.sum(),
        lambda w: w.detach(),
        lambda w: w.tolist(),
        lambda w: w.size,
        lambda w: w.zero_(),
        lambda w: w.copy_(kernel.ones(3, 2)),
        lambda w: w.add_(1),
        lambda w: w.backward(),
        lambda w: w.double(),
        lambda w: w.to("strict"),
        lambda w: w == 1,
        lambda w: kernel.conv2d(kernel.ones(1, 1, 2, 2), w.reshape(1, 1, 1, 1)),
        lambda w: setattr(w, "data", kernel.ones(3, 2)),
    ),
)
def test_values_that_are_not_there_are_not_used(use: Callable):
    for shape in ((3, None), None):
        waiting = Parameter.later(shape)
        before = repr(waiting)
        with pytest.raises(UnknownSizeError) as caught:
            use(waiting)
        assert "call the module on data once, or name the input size where the layer is made." in str(caught.value)
        assert repr(waiting) == before and waiting.grad is None


def test_a_state_with_unknown_sizes_is_refused():
    with pytest.raises(UnknownSizeError, match=r"a parameter of shape \(3, \?\) has no values yet"):
        Sequential(Linear(2, 2), Linear(3)).state_dict()


def test_layers_that_share_one_that_waits():
    a, b = Linear(3, bias=False), Linear(3, bias=False)
    b.weight = a.weight
    net = Sequential(a, b)
    assert len(list(net.parameters())) == 1 and net(kernel.ones(1, 3)).shape == (1, 3)
    assert a.weight is b.weight and a.weight.shape == (3, 3)
    c, d = Linear(3, bias=False), Linear(3, bias=False)
    d.weight = c.weight
    with pytest.raises(
        ShapeError, match=r"weight should have shape \(\?, 3\) because x has shape \(1, 3\), but it has"
    ):
        Sequential(c, d)(kernel.ones(1, 4))
    waiting = Parameter.later((None,), kernel.initialisers.normal(1.0))
    kernel.manual_seed(0)
    once = kernel.initialisers.normal(1.0)((2,)).tolist()
    kernel.manual_seed(0)
    with pytest.raises(UnknownSizeError):
        kernel.dot(waiting, waiting)
    kernel.einsum("i,i,i->i", kernel.ones(2), waiting, waiting)
    assert waiting.tolist() == once, "drawn once"


def test_a_first_call_that_fails_leaves_nothing_half_made():
    """All that an operation finds is filled in, or nothing of it."""
    weight, bias = Parameter.later((3, None), 1), Parameter.later((None,), numpy.ones(7))
    for call, error in (
        (lambda: kernel.linear(ONES, weight, bias), ShapeError),  # the bias is to begin with seven
        (lambda: kernel.linear(kernel.ones(4, 5, device="strict"), weight), DeviceError),
        (lambda: kernel.linear(kernel.tensor(2.0), weight), ShapeError),
        (lambda: kernel.linear(numpy.ones((4, 5)), weight), DtypeError),
    ):
        with pytest.raises(error):
            call()
        assert weight.shape == (3, None) and bias.shape == (None,)
    for layer, wrong, good in (
        (layers.Conv1d(None, 4, 3, groups=2), kernel.ones(1, 3, 9), kernel.ones(1, 4, 9)),
        (layers.Conv1d(None, 4, 5), kernel.ones(1, 50, 3), kernel.ones(1, 3, 50)),
        (layers.Conv2d(None, 4, 5), kernel.ones(1, 50, 50, 3), kernel.ones(1, 3, 50, 50)),
        (BatchNorm(), kernel.ones(1, 5), kernel.ones(4, 3)),
        (layers.GroupNorm(2), kernel.ones(4, 3), kernel.ones(4, 6)),
        (layers.LayerNorm(), kernel.ones(4, 5, device="strict"), kernel.ones(4, 6)),
        (Dense(3), kernel.ones(5), kernel.ones(4, 5)),
        (Dense(3), kernel.ones(4, 5, device="strict"), kernel.ones(4, 6)),
    ):
        before = repr(layer)
        with pytest.raises((ShapeError, DtypeError, DeviceError)):
            layer(wrong)
        assert repr(layer) == before
        layer(good)


def test_copies_of_what_waits_wait_for_themselves():
    layer = Linear(3).initialise(2)
    layer.weight.requires_grad_(False)
    for other in (copy.deepcopy(layer), layer.clone()):
        assert other(kernel.ones(1, 4)).tolist() == [[10, 10, 10]]
        assert not other.weight.requires_grad and other.bias.requires_grad
    copy.deepcopy(layer).to("float64").initialise(7)
    assert layer.weight.dtype == kernel.float32
    assert layer.weight.shape == (3, None) and copy.copy(layer.weight).shape == (3, None)
    assert layer.clone("share").weight is layer.weight
    assert layer(kernel.ones(1, 4)).tolist() == [[10, 10, 10]]


def test_a_parameter_is_a_leaf_that_learns():
    data = numpy.ones(2, "float32")
    parameter = Parameter(data)
    data[0] = 5
    assert parameter.tolist() == [1, 1] and parameter.requires_grad and parameter.is_leaf, "its numbers are its own"
    assert repr(parameter) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert Parameter(kernel.ones(2, dtype="float64", device="strict")).device == "strict"
    assert type(parameter * 2) is kernel.Tensor and type(copy.deepcopy(parameter)) is Parameter
    with pytest.raises(DtypeError, match="only floats have a gradient, but this tensor is int64"):
        Parameter([1, 2])
    assert Buffer([1, 2]).dtype == kernel.int64


def test_two_parameters_of_one_name_are_refused():
    class Confused(kernel.Module):
        def __init__(self):
            self.parts = {1: layers.Linear(2, 2), "1": layers.Linear(2, 2)}

    for ask in (lambda m: m.state_dict(), lambda m: list(m.parameters())):
        with pytest.raises(kernel.DtypeError, match=r"Confused: two parameters are called parts\.1\.weight; give"):
            ask(Confused())


def test_initialising_by_patterns_that_do_not_cover_all_changes_nothing():
    net = layers.Linear(2, 3)
    before = net.state_dict()
    with pytest.raises(kernel.DtypeError, match=r"no pattern of '\*weight' matches the name 'bias'"):
        net.initialise({"*weight": 5})
    assert all((net.state_dict()[name] == value).all() for name, value in before.items())
