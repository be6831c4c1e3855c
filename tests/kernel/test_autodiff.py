"""The tape: what backward finds, what it keeps, what it refuses, and that it neither leaks nor aliases."""

from __future__ import annotations

import asyncio
import copy
import gc
import threading
import weakref
from typing import Any

import numpy
import pytest

import kernel
from kernel import GradError, ShapeError
from kernel.ops.elementwise import Unary
from kernel.tape import Node


def leaf(data: Any, **options: Any) -> Any:
    return kernel.tensor(data, requires_grad=True, **options)


def values(x: Any) -> list:
    return x.detach().tolist()


# --- what backward finds --------------------------------------------------------------------------------------------


def test_the_seed_differentiates_a_square():
    x = leaf([2.0])
    assert x.grad is None and x.grad_fn is None and x.is_leaf
    y = x**2
    assert values(y.data) == [4.0] and y.grad is None and repr(y.grad_fn) == "<PowBackward>" and not y.is_leaf
    y.backward()
    assert values(x.data) == [2.0] and values(x.grad) == [4.0]


def test_python_control_flow():
    x = leaf([2.0])
    y = x
    while y < 10:
        y = y**2
    y.backward()
    assert values(y) == [16.0] and values(x.grad) == [32.0]


def test_a_tensor_used_twice_gets_both_gradients():
    x = leaf([3.0])
    (x * x + x).backward()
    assert values(x.grad) == [7.0]


def test_diamonds_are_walked_once():
    """Forty doublings: walked path by path this would never end."""
    x = leaf(1.0)
    y = x
    for _ in range(40):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**40


def test_gradients_accumulate():
    x = leaf([1.0, 2.0])
    for n in (1, 2, 3):
        (x * 3).sum().backward()
        assert values(x.grad) == [3.0 * n] * 2
    x.grad.zero_()
    (x * 3).sum().backward()
    assert values(x.grad) == [3.0, 3.0]


def test_broadcast_operands_get_gradients_of_their_own_shape():
    a, b, c = leaf(numpy.ones((2, 3))), leaf(numpy.ones((3, 1, 1))), leaf(2.0)
    (a * b * c).sum().backward()
    assert a.grad.shape == (2, 3) and b.grad.shape == (3, 1, 1) and c.grad.shape == ()
    assert values(b.grad) == [[[12.0]]] * 3 and c.grad.item() == 18.0 and values(a.grad)[0][0] == 6.0


def test_only_what_requires_a_gradient_gets_one():
    x, y, constant = leaf([1.0]), leaf([2.0]), kernel.tensor([3.0])
    z = x * constant + y.detach()
    z.backward()
    assert values(x.grad) == [3.0] and y.grad is None and constant.grad is None
    assert not (constant * 2).requires_grad and not y.detach().requires_grad


def test_a_gradient_has_the_dtype_of_its_tensor():
    half, single, double = leaf([1.0], dtype="float16"), leaf([1.0]), leaf([1.0], dtype="float64")
    (half * single * double).sum().backward()
    assert [str(x.grad.dtype) for x in (half, single, double)] == ["float16", "float32", "float64"]


def test_backward_with_a_gradient():
    x = leaf([1.0, 1.0])
    (x**2).backward(kernel.tensor([1.0, 10.0]))
    assert values(x.grad) == [2.0, 20.0]


def test_backward_of_a_leaf_is_the_gradient_itself():
    x = leaf([1.0, 2.0])
    x.backward(kernel.tensor([3.0, 4.0]))
    assert values(x.grad) == [3.0, 4.0]


def test_whole_numbers_carry_no_gradient():
    x = leaf([1.5, 2.5])
    assert not x.long().requires_grad and not (x > 2).requires_grad and not x.argmax().requires_grad
    values_, index = x.max(0)
    assert values_.requires_grad and not index.requires_grad
    assert x.long().grad_fn is None and index.grad_fn is None


def test_the_index_of_max_can_be_used_and_its_values_differentiated():
    x = leaf([[1.0, 5.0], [7.0, 3.0]])
    top, index = x.max(1)
    assert index.numpy().tolist() == [1, 0]
    top.sum().backward()
    assert values(x.grad) == [[0.0, 1.0], [1.0, 0.0]]


def test_several_outputs_each_get_their_gradient():
    x = leaf(numpy.arange(6.0))
    first, _, third = x.split(2)
    (first * 2 + third * 3).sum().backward()
    assert values(x.grad) == [2.0, 2.0, 0.0, 0.0, 3.0, 3.0]


def test_history_is_readable():
    s = leaf([[0.2, 0.8]])
    loss = -kernel.gather(s, 1, kernel.tensor([[1]])).log().mean()
    names = []
    node = loss.grad_fn
    while node is not None:
        names.append(repr(node))
        node = node.next_functions[0][0] if node.next_functions else None
    assert names == ["<NegBackward>", "<MeanBackward>", "<LogBackward>", "<GatherBackward>", "<AccumulateGrad>"]
    (end, _) = loss.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0].next_functions[0]
    assert end.variable is s
    assert (s * 2).grad_fn.next_functions[1] == (None, 0)


# --- second backward, retain_graph, errors --------------------------------------------------------------------------


def test_second_backward_of_the_seed():
    """A sum reads nothing, so it may run again: 1, 2, 3."""
    x = leaf([1.0, 1.0])
    y = x.sum()
    y.backward(retain_graph=True)
    assert values(x.grad) == [1.0, 1.0]
    y.backward()
    assert values(x.grad) == [2.0, 2.0]
    y.backward()
    assert values(x.grad) == [3.0, 3.0]


def test_second_backward_through_a_power_is_refused_in_words():
    x = leaf([2.0])
    y = x**2
    y.backward()
    with pytest.raises(GradError, match=r"PowBackward.*freed.*retain_graph=True"):
        y.backward()
    assert values(x.grad) == [4.0], "a backward that raises changes no gradient"


def test_retain_graph():
    x = leaf([2.0])
    y = x**2
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad) == [8.0]


def test_a_shared_part_is_freed_by_the_first_backward():
    x = leaf([2.0])
    shared = x.exp()
    (shared * 2).backward()
    with pytest.raises(GradError, match="freed"):
        (shared * 3).backward()


def test_a_failed_backward_changes_nothing():
    x, w = leaf([2.0]), leaf([1.0])
    y = x**2
    y.backward()
    before = values(x.grad)
    with pytest.raises(GradError):
        (y + w).backward()
    assert values(x.grad) == before and w.grad is None


@pytest.mark.parametrize("wrong", (0, 0.0, [0.0], numpy.zeros(1), kernel.ones(2), kernel.ones(1, dtype="float64")))
def test_a_grad_that_takes_no_gradient(wrong: Any):
    """`w.grad = 0` is what many write for `w.grad = None`."""
    x, w = leaf([1.0]), leaf([2.0])
    w.grad = wrong
    with pytest.raises(GradError, match=r"grad of a leaf is.*None"):
        (x * w).backward()
    assert x.grad is None


def test_non_scalar_is_refused_in_words():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradError, match=r"backward: .*\(2,\).*\.sum\(\)"):
        (x * 2).backward()
    leaf([[3.0]]).backward()  # one element is enough


def test_nothing_recorded_is_refused_in_words():
    with pytest.raises(GradError, match=r"backward: .*requires_grad=True"):
        kernel.tensor([1.0]).backward()
    x = leaf([1.0])
    with kernel.no_grad():
        y = x * 2
    with pytest.raises(GradError, match="no_grad"):
        y.backward()


def test_gradient_of_the_wrong_shape():
    x = leaf([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        (x * 2).backward(kernel.ones(3))
    with pytest.raises(ShapeError, match=r"\(2,\).*\(1,\)"):
        (x * 2).backward(kernel.ones(1))


def test_grad_of_an_independent_tensor():
    x, y = leaf([1.0]), leaf([1.0])
    with pytest.raises(GradError, match="input 1"):
        kernel.grad((x * 2).sum(), [x, y])


def test_grad_leaves_no_trace():
    x, w = leaf([2.0]), leaf([3.0])
    y = x * w
    (slope,) = kernel.grad(y, [x])
    assert values(slope) == [3.0] and x.grad is None and w.grad is None


def test_grad_with_respect_to_something_in_between():
    x = leaf([2.0])
    between = x**2
    y = between * 5
    dx, dbetween, dy = kernel.grad(y, [x, between, y])
    assert values(dx) == [20.0] and values(dbetween) == [5.0] and values(dy) == [1.0]


# --- in place -------------------------------------------------------------------------------------------------------


def test_a_leaf_is_not_written_in_place():
    x = leaf([1.0, 2.0])
    for write in (
        lambda: x.add_(1),
        lambda: x.zero_(),
        lambda: x.__setitem__(0, 5.0),
        lambda: x.__iadd__(1),
        lambda: x.fill_(2),
        lambda: x.copy_(kernel.zeros(2)),
    ):
        with pytest.raises(GradError, match=r"leaf requires a gradient.*no_grad"):
            write()
    assert values(x) == [1.0, 2.0]


def test_a_leaf_is_written_under_no_grad():
    x = leaf([1.0, 2.0])
    with kernel.no_grad():
        x -= 0.5
        x[0] = 7.0
    assert values(x) == [7.0, 1.5] and x.requires_grad and x.is_leaf


def test_a_value_that_backward_needs_must_not_change():
    x, w = leaf([2.0]), kernel.tensor([3.0])
    y = x * w
    w.add_(1)
    with pytest.raises(GradError, match=r"MulBackward.*changed in place.*clone"):
        y.backward()
    assert x.grad is None


def test_a_leaf_changed_under_no_grad_is_noticed():
    x = leaf([2.0])
    y = x**3
    with kernel.no_grad():
        x += 1
    with pytest.raises(GradError, match="changed in place"):
        y.backward()


def test_a_value_that_backward_does_not_need_may_change():
    x, w = leaf([2.0]), kernel.tensor([3.0])
    y = x + w
    w.add_(1)
    y.backward()
    assert values(x.grad) == [1.0]


@pytest.mark.parametrize(
    "view",
    (
        lambda w: w[0],
        lambda w: w.reshape(4),
        lambda w: w.view(4),
        lambda w: w.T,
        lambda w: w.detach(),
        lambda w: w.expand_dims(0),
        lambda w: w.split(1)[0],
        lambda w: w[None, ..., :1],
        lambda w: w.flatten(),
    ),
)
def test_views_share_the_version_counter(view: Any):
    x, w = leaf(numpy.ones((2, 2))), kernel.ones(2, 2, dtype="float64")
    y = (x * w).sum()
    view(w).add_(1)
    with pytest.raises(GradError, match="changed in place"):
        y.backward()
    y = (x * view(w).sum()).sum()  # a view written through its base
    w.mul_(2)
    y.backward()  # the sum is a value of its own
    y = (view(w).exp() * x[0, 0]).sum()
    y.backward()


def test_a_view_read_by_backward_is_noticed_through_its_base():
    x, w = leaf([1.0, 2.0]), kernel.ones(2, 2)
    y = (x * w[0]).sum()
    w[1] = 5.0  # one storage, one counter: it cannot tell which part was written
    with pytest.raises(GradError, match="changed in place"):
        y.backward()


def test_a_copy_has_a_counter_of_its_own():
    for separate in (
        lambda w: w.clone(),
        lambda w: w + 0,
        lambda w: w[kernel.tensor([0, 1])],
        lambda w: w.T.reshape(4),
    ):
        x, w = leaf([2.0]), kernel.ones(2, 2)
        y = (x * w.sum()).sum() + (w * x).sum()
        separate(w).add_(1)
        y.backward()
        assert values(x.grad) == [8.0]


def test_a_result_that_backward_needs_must_not_change():
    x = leaf([1.0])
    y = x.exp()
    with kernel.no_grad():
        y.mul_(2)
    with pytest.raises(GradError, match=r"ExpBackward.*changed in place"):
        y.backward()


def test_augmented_assignment_of_a_result_makes_a_new_tensor():
    x = leaf([2.0])
    y = first = x * 3
    y += 1
    y *= 2
    y.backward()
    assert y is not first and values(first) == [6.0] and values(x.grad) == [6.0]


def test_an_operand_that_requires_a_gradient_cannot_be_written():
    x, target = leaf([1.0]), kernel.zeros(1)
    with pytest.raises(GradError, match="add_"):
        target.add_(x)
    with pytest.raises(GradError, match="item assignment"):
        target[0] = x[0]
    target[0] = x.detach()[0]
    assert values(target) == [1.0]


# --- aliasing -------------------------------------------------------------------------------------------------------


def shares(*tensors: Any) -> bool:
    arrays = [t._array for t in tensors]
    return any(numpy.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[i + 1 :])


@pytest.mark.parametrize(
    "f",
    (
        lambda x, w: x + w,
        lambda x, w: (x + w) * 1.0,
        lambda x, w: x.reshape(2, 1) + w.reshape(2, 1),
        lambda x, w: kernel.where(kernel.tensor([True, True]), x, w),
        lambda x, w: kernel.concatenate([x, w])[:2] + kernel.concatenate([x, w])[2:],
        lambda x, w: x.clone() + w.T,
        lambda x, w: kernel.stack([x, w]).sum(axis=0),
        lambda x, w: x.broadcast_to(2) + w.broadcast_to(1, 2)[0],
        lambda x, w: x.expand_dims(0).squeeze(0) + w.permute(0),
        lambda x, w: x.astype("float64").astype("float32") + w,
        lambda x, w: x,
    ),
)
@pytest.mark.parametrize("create_graph", (False, True))
def test_gradients_share_no_memory(f: Any, create_graph: bool):
    x, w, given = leaf([1.0, 2.0]), leaf([3.0, 4.0]), kernel.tensor([5.0, 6.0])
    y = f(x, w)
    y.backward(given.reshape(y.shape), create_graph=create_graph)
    grads = [t.grad for t in (x, w) if t.grad is not None]
    assert not shares(given, x, w, *grads)
    with kernel.no_grad():
        for g in grads:
            g.zero_()
    assert values(given) == [5.0, 6.0]


def test_accumulating_does_not_write_into_what_a_hook_saw():
    x, seen = leaf([1.0]), []
    x.register_hook(seen.append)
    for _ in range(3):
        (x * 2).backward()
    assert [values(g) for g in seen] == [[2.0]] * 3 and values(x.grad) == [6.0]


def test_accumulating_does_not_write_into_what_a_hook_returned():
    x, replacement = leaf([1.0]), kernel.tensor([10.0])
    x.register_hook(lambda g: replacement)
    (x * 2).backward()
    (x * 2).backward()
    assert values(x.grad) == [20.0] and values(replacement) == [10.0]
    x.grad.zero_()
    assert values(replacement) == [10.0]


def test_retained_gradients_are_their_own():
    x, given = leaf([1.0, 2.0]), kernel.tensor([1.0, 1.0])
    y = x * 1.0
    y.retain_grad()
    z = y + 0.0
    z.retain_grad()
    z.backward(given)
    assert not shares(given, x.grad, y.grad, z.grad)
    y.grad.zero_()
    assert values(given) == [1.0, 1.0] and values(x.grad) == [1.0, 1.0]


def test_the_gradient_from_grad_is_a_copy():
    x, given = leaf([1.0, 2.0]), kernel.tensor([1.0, 1.0])
    found = kernel.grad(x + 0.0, x, gradient=given)
    assert not shares(found, given)


# --- hooks ----------------------------------------------------------------------------------------------------------


def test_a_hook_of_a_leaf_sees_and_replaces():
    x, seen = leaf([1.0]), []
    remove = x.register_hook(lambda g: seen.append(values(g)))
    other = x.register_hook(lambda g: g * 10)
    (x * 3).backward()
    assert seen == [[3.0]] and values(x.grad) == [30.0]
    remove()
    other()
    other()  # removing twice does no harm
    x.grad = None
    (x * 3).backward()
    assert len(seen) == 1 and values(x.grad) == [3.0]


def test_a_hook_inside_the_graph_sees_the_whole_gradient_and_replaces_it():
    x, seen = leaf([1.0]), []
    y = x * 2
    remove = y.register_hook(lambda g: seen.append(values(g)))
    y.register_hook(lambda g: g * 100)
    (y * 3 + y * 4).backward(retain_graph=True)
    assert seen == [[7.0]] and values(x.grad) == [1400.0]
    remove()
    (y * 1).backward()
    assert len(seen) == 1


def test_a_hook_of_one_of_several_outputs():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    first, second = x.split(2)
    second.register_hook(lambda g: g * 10)
    (first.sum() + second.sum()).backward()
    assert values(x.grad) == [1.0, 1.0, 10.0, 10.0]


def test_a_hook_runs_once_for_each_backward_and_in_order():
    x, seen = leaf([1.0]), []
    x.register_hook(lambda g: seen.append("first"))
    x.register_hook(lambda g: seen.append("second"))
    (x * x * x).backward()
    assert seen == ["first", "second"]


@pytest.mark.parametrize("wrong", (lambda g: kernel.ones(3), lambda g: 5.0, lambda g: "text", lambda g: g.double()))
@pytest.mark.parametrize("inside", (False, True))
def test_what_a_hook_returns_is_checked(wrong: Any, inside: bool):
    x = leaf([1.0])
    y = x * 2
    (y if inside else x).register_hook(wrong)
    with pytest.raises(GradError, match=r"hook: .*returned"):
        y.backward()
    assert x.grad is None


def test_a_hook_that_raises_leaves_all_gradients_as_they_were():
    x, w = leaf([1.0]), leaf([2.0])
    x.register_hook(lambda g: kernel.ones(3))
    w.register_hook(lambda g: kernel.ones(3))
    with pytest.raises(GradError):
        (x * w).backward()
    assert x.grad is None and w.grad is None


def test_a_hook_needs_a_gradient():
    with pytest.raises(GradError, match="register_hook"):
        kernel.ones(1).register_hook(print)


def test_retain_grad():
    x = leaf([1.0])
    y = x * 2
    y.retain_grad()
    (y * 5).backward()
    assert values(y.grad) == [5.0]


# --- no_grad --------------------------------------------------------------------------------------------------------


def test_no_grad_and_enable_grad_nest():
    x = leaf([1.0])
    with kernel.no_grad():
        assert not kernel.is_grad_enabled() and not (x * 2).requires_grad
        with kernel.enable_grad():
            assert kernel.is_grad_enabled() and (x * 2).requires_grad
        assert not kernel.is_grad_enabled()
    assert kernel.is_grad_enabled()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), kernel.no_grad():
        _ = 1 / 0
    assert kernel.is_grad_enabled()


def test_no_grad_as_a_decorator_of_a_recursive_function():
    @kernel.no_grad()
    def depth(n: int) -> bool:
        return depth(n - 1) if n else kernel.is_grad_enabled()

    assert depth(3) is False and kernel.is_grad_enabled()


def test_no_grad_concerns_its_own_thread_only():
    """A widget's callback in another thread must not switch off the gradients of the student's cell."""
    inside, done, seen = threading.Event(), threading.Event(), {}

    def other() -> None:
        seen["at first"] = kernel.is_grad_enabled()
        with kernel.no_grad():
            inside.set()
            done.wait(10)
            seen["inside"] = kernel.is_grad_enabled()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    x = leaf([1.0])
    y = x * 2
    assert kernel.is_grad_enabled() and y.requires_grad
    done.set()
    thread.join()
    y.backward()
    assert seen == {"at first": True, "inside": False} and values(x.grad) == [2.0]


def test_a_new_thread_begins_with_gradients_on():
    seen = []
    with kernel.no_grad():
        thread = threading.Thread(target=lambda: seen.append(kernel.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_no_grad_concerns_its_own_task_only():
    async def main() -> list:
        entered, checked = asyncio.Event(), asyncio.Event()

        async def without() -> bool:
            with kernel.no_grad():
                entered.set()
                await checked.wait()
                return kernel.is_grad_enabled()

        async def recording() -> bool:
            await entered.wait()
            recorded = (leaf([1.0]) * 2).requires_grad
            checked.set()
            return recorded

        return await asyncio.gather(without(), recording())

    assert asyncio.run(main()) == [False, True]


# --- higher order ---------------------------------------------------------------------------------------------------


def test_third_order():
    x = leaf(2.0)
    first = kernel.grad(x**4, x, create_graph=True)
    second = kernel.grad(first, x, create_graph=True)
    third = kernel.grad(second, x, create_graph=True)
    fourth = kernel.grad(third, x)
    assert [g.item() for g in (first, second, third, fourth)] == [32.0, 48.0, 48.0, 24.0]


def test_third_order_of_a_chain_of_functions():
    x = leaf(0.3, dtype="float64")
    y = (x.sin() * x.exp()).tanh()
    found = [y.item()]
    for _ in range(3):
        y = kernel.grad(y, x, create_graph=True)
        found.append(y.item())

    def f(t: Any) -> Any:
        return numpy.tanh(numpy.sin(t) * numpy.exp(t))

    h = 1e-2
    grid = f(0.3 + h * numpy.arange(-3, 4))
    assert found[1] == pytest.approx((grid @ [-1, 9, -45, 0, 45, -9, 1]) / (60 * h), rel=1e-8)
    assert found[2] == pytest.approx((grid @ [2, -27, 270, -490, 270, -27, 2]) / (180 * h**2), rel=1e-6)
    assert found[3] == pytest.approx((grid @ [1, -8, 13, 0, -13, 8, -1]) / (8 * h**3), rel=1e-4)


def test_backward_with_create_graph_records_the_gradient():
    x = leaf([3.0])
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad and values(x.grad) == [27.0]
    slope = x.grad
    x.grad = None
    slope.backward()
    assert values(x.grad) == [18.0]


def test_the_penalty_of_a_gradient():
    """The gradient's own size in the cost, as a Wasserstein critic has it."""
    w, x = leaf([[1.0, 2.0]]), leaf([[0.5], [0.25]])
    y = (w @ x).tanh().sum()
    gx = kernel.grad(y, x, create_graph=True)
    (gx**2).sum().backward()
    t = numpy.tanh(1.0)
    outer = 1 - t**2
    expected = 2 * outer**2 * numpy.array([1.0, 2.0]) + 5 * 2 * outer * (-2 * t * outer) * numpy.array([0.5, 0.25])
    numpy.testing.assert_allclose(w.grad.numpy()[0], expected, rtol=1e-5)


# What both libraries spell alike, made of what the random programs below draw from.
STEPS = {
    "exp": lambda lib, a: a.exp() * 0.1,
    "tanh": lambda lib, a: a.tanh(),
    "square": lambda lib, a: a * a,
    "power": lambda lib, a: (a * a + 1) ** 0.5,
    "sum": lambda lib, a: lib.sum(a, 1, keepdim=True) + a,
    "transpose": lambda lib, a: a.T,
    "rows": lambda lib, a: a[lib.tensor([1, 0, 1])],
    "column": lambda lib, a: a[:, :1] * a,
    "softmax": lambda lib, a: lib.softmax(a, 1),
    "max": lambda lib, a: lib.max(a, 1)[0].unsqueeze(1) * a,
    "concatenate": lambda lib, a: lib.cat([a, a * 2], 1),
    "stack": lambda lib, a: lib.stack([a, a * 2], 1)[:, 0],
    "product": lambda lib, a: a @ a.T,
    "variance": lambda lib, a: lib.var(a, 1, keepdim=True) + a,
    "split": lambda lib, a: lib.split(a, 2, 1)[0] * lib.split(a, 2, 1)[-1].mean(),
    "outer": lambda lib, a: a.reshape(-1, 1) * a.reshape(1, -1)[:, :2],
    "where": lambda lib, a: lib.where(a > 0.1, a, a * 0.3),
    "norm": lambda lib, a: a / a.norm(),
    "clip": lambda lib, a: a.clip(-0.7, 0.9),
    "flip": lambda lib, a: lib.flip(a, (0,)) + a,
    "maximum": lambda lib, a: lib.maximum(a, a.T[:1, :1]),
}


@pytest.mark.oracle
def test_random_programs_as_torch():
    """Gradients of first and second order of 60 programs that nobody thought of."""
    import torch

    for seed in range(60):
        rng = numpy.random.default_rng(seed)
        data, push = rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
        x, theirs = leaf(data), torch.tensor(data, requires_grad=True)
        a, b, program = x, theirs, []
        for name in rng.choice(sorted(STEPS), 5):
            if min(a.shape) < 2 or a.numel() > 500:
                break
            a, b = STEPS[name](kernel, a), STEPS[name](torch, b)
            program.append(str(name))
        weight = rng.normal(size=a.shape)
        first = kernel.grad((a * kernel.tensor(weight)).sum(), x, create_graph=True)
        (expected,) = torch.autograd.grad((b * torch.tensor(weight)).sum(), theirs, create_graph=True)
        numpy.testing.assert_allclose(
            first.detach().numpy(), expected.detach().numpy(), rtol=1e-7, atol=1e-9, err_msg=f"{seed}: {program}"
        )
        pushed, expected_push = (first * kernel.tensor(push)).sum(), (expected * torch.tensor(push)).sum()
        second = numpy.zeros((2, 2))
        if pushed.requires_grad:
            pushed.backward()
            second = second if x.grad is None else x.grad.numpy()
        (expected,) = (
            torch.autograd.grad(expected_push, theirs, allow_unused=True) if expected_push.grad_fn else (None,)
        )
        expected = numpy.zeros((2, 2)) if expected is None else expected.numpy()
        numpy.testing.assert_allclose(second, expected, rtol=1e-6, atol=1e-8, err_msg=f"{seed}: {program}")


# --- long chains, memory --------------------------------------------------------------------------------------------


def test_a_chain_of_20000_operations():
    """Neither the walk nor the deallocation may recurse."""
    x = leaf(1.0, dtype="float64")
    y = x
    for _ in range(10_000):
        y = y * 1.0001 + 0.0
    y.backward()
    assert x.grad.item() == pytest.approx(1.0001**10_000)
    node = weakref.ref(y.grad_fn)
    del y
    gc.collect()
    assert node() is None


def test_a_chain_of_20000_operations_dies_without_a_walk():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    node = weakref.ref(y.grad_fn)
    del y
    gc.collect()
    assert node() is None


def test_a_recorded_walk_over_a_long_chain():
    x = leaf(1.0, dtype="float64")
    y = x
    for _ in range(3_000):
        y = y * 1.001
    slope = kernel.grad(y, x, create_graph=True)
    assert slope.item() == pytest.approx(1.001**3_000)


def alive() -> tuple[int, int]:
    gc.collect()
    tensors = nodes = 0
    for thing in gc.get_objects():
        kind = type(thing)
        tensors += kind is kernel.Tensor
        nodes += kind is Node
    return tensors, nodes


@pytest.mark.parametrize("retain", (False, True))
def test_memory_is_constant_over_training_steps(retain: bool):
    generator = kernel.Generator(0)
    w = kernel.randn(4, 3, generator=generator, requires_grad=True)
    b = kernel.zeros(4, requires_grad=True)
    w.register_hook(lambda g: g * 1.0)
    x, labels = kernel.randn(8, 3, generator=generator), kernel.arange(8).astype("int64") * 0

    def step() -> None:
        loss = kernel.cross_entropy(kernel.linear(x, w, b).relu(), labels)
        w.grad = b.grad = None
        loss.backward(retain_graph=retain)
        with kernel.no_grad():
            w.sub_(0.1 * w.grad)
            b.sub_(0.1 * b.grad)

    step()
    gc.collect()
    gc.disable()  # what cycles would hold shows at once
    try:
        counts = []
        for i in range(200):
            step()
            if i in (10, 199):
                counts.append(len([t for t in gc.get_objects() if type(t) in (kernel.Tensor, Node)]))
    finally:
        gc.enable()
    assert counts[0] == counts[1]


def test_a_graph_is_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        x = leaf(numpy.ones(3))
        y = (x.exp() * x).sum()
        node = weakref.ref(y.grad_fn)
        y.backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def test_backward_frees_what_it_kept():
    x = leaf(numpy.ones(3))
    y = x.exp()
    kept = weakref.ref(y)
    total = (y * y).sum()
    del y
    total.backward()
    assert kept() is None and total.grad_fn.next_functions[0][0].saved is None


# --- copies ---------------------------------------------------------------------------------------------------------


def test_deep_copies():
    x = leaf([1.0, 2.0])
    twin = copy.deepcopy(x)
    assert twin.requires_grad and twin.is_leaf and values(twin) == [1.0, 2.0] and not shares(x, twin)
    (twin * 2).sum().backward()
    assert x.grad is None and values(twin.grad) == [2.0, 2.0]
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(GradError, match=r"detach\(\)\.clone\(\)"):
        copy.deepcopy(x * 2)
    parameter = copy.deepcopy(kernel.Parameter([1.0]))
    assert type(parameter) is kernel.Parameter and parameter.requires_grad


def test_clone_is_differentiable_and_a_copy():
    x = leaf([1.0])
    y = x.clone()
    (y * 3).backward()
    assert values(x.grad) == [3.0] and not shares(x, y)
    z = copy.copy(kernel.ones(2))
    assert values(z) == [1.0, 1.0]


# --- gradcheck and operations from outside --------------------------------------------------------------------------


@pytest.fixture
def planted() -> Any:
    """An operation whose gradient rule is wrong by a factor of 2."""

    class planted_cube(Unary):
        reads = ("x",)
        vjp = (lambda xp, g, y, x: g * (6 * x * x),)

        def forward(xp, x, out=None):
            return xp.power(x, 3, out=out)

    yield planted_cube
    del kernel.op.registry["planted_cube"]


def test_gradcheck_catches_a_planted_error(planted: Any):
    x = kernel.tensor([0.5, 2.0])
    assert kernel.gradcheck(lambda x: x**3, x)
    with pytest.raises(GradError, match=r"input 0 has slope .* finite differences give"):
        kernel.gradcheck(lambda x: kernel.apply(planted, x), x)


def test_gradcheck_catches_a_missing_gradient():
    with pytest.raises(GradError, match="input 0"):
        kernel.gradcheck(lambda x: x.detach() * x, kernel.tensor([1.0, 2.0]))


def test_an_operation_from_outside(planted: Any):
    assert kernel.op.registry["planted_cube"] is planted
    x = leaf([1.0, 2.0])
    y = kernel.apply(planted, x)
    assert repr(y.grad_fn) == "<PlantedCubeBackward>" and values(y) == [1.0, 8.0]
    y.sum().backward()
    assert values(x.grad) == [6.0, 24.0]
    with pytest.raises(TypeError, match="planted_cube exists already"):
        type("planted_cube", (Unary,), {"forward": lambda xp, x, out=None: x})


def test_a_declaration_that_contradicts_itself_is_refused():
    def forward(xp: Any, x: Any, out: Any = None) -> Any:
        return x

    with pytest.raises(TypeError, match="reads names"):
        type("unread", (Unary,), {"forward": forward, "reads": ("z",), "vjp": (lambda xp, g, y, x: g,)})
    with pytest.raises(TypeError, match="reads needs one string per rule"):
        type("unread", (Unary,), {"forward": forward, "reads": ("x", "x"), "vjp": (lambda xp, g, y, x: g,)})
    assert "unread" not in kernel.op.registry


@pytest.mark.oracle
def test_indexing_with_repeated_indices_as_torch():
    import torch

    data = numpy.arange(12.0).reshape(4, 3)
    index = [0, 0, 3, -1, 0]
    ours, theirs = leaf(data), torch.tensor(data, requires_grad=True)
    weights = numpy.arange(15.0).reshape(5, 3)
    (ours[kernel.tensor(index)] * kernel.tensor(weights)).sum().backward()
    (theirs[torch.tensor(index)] * torch.tensor(weights)).sum().backward()
    numpy.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())
    ours.grad = theirs.grad = None
    mask = data % 2 == 0
    (ours[kernel.tensor(mask)] ** 2).sum().backward()
    (theirs[torch.tensor(mask)] ** 2).sum().backward()
    numpy.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())
