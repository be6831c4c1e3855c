"""What an operation, a gradient and a hook may rely on: copies where copies are due, refusals in words."""

import contextvars
import functools
import threading

import numpy
import pytest

import kernel
from kernel import DtypeError, GradError, ShapeError
from kernel.op import ArrayType, Op, registry
from kernel.ops.elementwise import Unary


def leaf(data, **facts):
    return kernel.tensor(data, requires_grad=True, **facts)


def test_gradients_of_results_are_copies():
    x = leaf([1.0, 2.0])
    u, v = x * 1, x * 2
    given = kernel.tensor([1.0, 1.0])
    gu, gv, gy = kernel.grad((y := u + v), [u, v, y], given)
    gu.add_(1)
    gy.add_(5)
    assert gv.tolist() == [1, 1] and given.tolist() == [1, 1]


def test_a_hook_that_writes_changes_its_own_gradient_only():
    x = leaf([1.0, 2.0])
    u, v = x * 1, x * 2
    v.register_hook(lambda g: g.mul_(10))
    (u + v).sum().backward()
    assert x.grad.tolist() == [21, 21]


def test_grad_runs_the_hooks_of_what_is_asked_for():
    x = leaf([3.0])
    x.register_hook(lambda g: g * 5)
    y = x * 1
    y.register_hook(lambda g: g * 2)
    assert [g.item() for g in kernel.grad(y.sum(), [y, x])] == [2, 10]


def test_grad_in_stretched_memory_is_replaced():
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    x.grad = kernel.ones(1).expand(2)
    (x * z).sum().backward()
    assert x.grad.tolist() == [4, 5] and z.grad.tolist() == [1, 2]


def test_a_number_that_accumulates_stays_an_array():
    x = leaf(1.0)
    x.grad = leaf(1.0) * 2
    (x * 3).backward()
    assert x.grad.item() == 5 and x.grad.add_(1).item() == 6


def test_assigned_data_is_watched():
    x, y = leaf([1.0, 2.0]), kernel.tensor([1.0, 2.0])
    x.data = y
    z = (x * x).sum()
    y.add_(1)
    with pytest.raises(GradError, match=r"changed in place"):
        z.backward()


def test_single_elements_are_views():
    x = kernel.zeros(3)
    x[0].add_(1)
    x[1:][1].fill_(3)
    assert x.tolist() == [1, 0, 3]


def test_contiguous_of_a_strided_view():
    x = kernel.arange(6)[::2].contiguous()
    assert x.is_contiguous() and x.tolist() == [0, 2, 4]


@pytest.mark.parametrize("write", ("add_", "mul_", "fill_"))
def test_numbers_too_large_are_refused_in_words(write):
    with pytest.raises(DtypeError, match=rf"^{write}: "):
        getattr(kernel.zeros(2), write)(10**400)


def test_gelu_of_large_halves():
    x = leaf([-300.0, 60.0, 300.0], dtype="float16")
    y = kernel.gelu(x)
    y.sum().backward()
    assert y.tolist() == [0, 60, 300] and x.grad.tolist() == [0, 1, 1]


def test_no_classes_are_refused():
    for labels in (kernel.zeros(0, dtype="int64"), kernel.zeros(0, 0)):
        with pytest.raises(ShapeError, match=r"entropy: .*no class"):
            kernel.cross_entropy(kernel.zeros(0, 0), labels, reduction="sum")


def test_dtype_none_is_the_default():
    assert kernel.zeros(1, dtype=None).dtype == "float32"
    with pytest.raises(DtypeError, match=r"^astype: dtype None"):
        kernel.zeros(1).astype(None)


def test_devices_are_equal_to_their_names():
    here = kernel.ones(1).device
    assert here == "cpu" and here != "cuda:0" and here != 3 and {here: 1}["cpu"] == 1


@pytest.mark.parametrize("make", (kernel.tensor, kernel.Parameter))
def test_a_tensor_of_a_tensor_stays_on_its_device(make):
    assert make(kernel.ones(1, device="strict")).device == "strict"


def test_dim_may_be_a_numpy_number():
    assert kernel.max(kernel.tensor([[1.0, 5.0]]), numpy.int64(1))[1].tolist() == [1]


@pytest.mark.parametrize("index", (kernel.tensor([7]), kernel.tensor([-8]), [0], kernel.tensor([0.5])))
def test_assignment_refuses_an_index_in_words(index):
    with pytest.raises((ShapeError, DtypeError), match=r"^item assignment: "):
        kernel.zeros(3)[index] = 1.0


def test_no_grad_refuses_a_generator():
    with pytest.raises(GradError, match=r"no_grad: .*generator"):

        @kernel.no_grad()
        def numbers():
            yield 1


def test_slips_of_an_op_author_are_told():
    before = set(registry)
    x = leaf([1.0, 2.0])
    try:
        with pytest.raises(TypeError, match=r"too_few: vjp needs one rule"):

            class too_few(Op):
                def forward(xp, a, b, out=None): ...

        with pytest.raises(TypeError, match=r"no_out: forward needs an argument out"):

            class no_out(Op):
                def forward(xp, a): ...

        with pytest.raises(TypeError, match=r"too_many: vjp needs one rule"):

            class too_many(Unary):
                function, vjp = "exp", (None, None)

        class forgets(Op):
            vjp = (lambda xp, g, y, a: g * a,)

            def infer(a):
                return (a,), (a,)

            def forward(xp, a, out=None):
                return a * a

        with pytest.raises(TypeError, match=r"name it in the op's reads"):
            kernel.apply(forgets, x).sum().backward()

        class shrinks(Op):
            vjp = (lambda xp, g, y, a: g.sum(),)
            infer, forward = forgets.infer, forgets.forward

        with pytest.raises(ShapeError, match=r"ShrinksBackward: .*\(2,\)"):
            kernel.apply(shrinks, x).sum().backward()

        class masks(Op):
            """A residual that is a constant: second order sees it."""

            residuals = ("mask",)
            reads = ("x mask",)
            vjp = (lambda xp, g, y, x, mask: g * 2 * x * mask,)

            def infer(x):
                return (x,), (ArrayType(x.shape, x.dtype),)

            def forward(xp, x, out=None):
                mask = x > 1
                return (xp.multiply(x * x, mask, out=None if out is None else out[0]),), (mask,)

        g = kernel.grad(kernel.apply(masks, x).sum(), x, create_graph=True)
        assert g.tolist() == [0, 4] and kernel.grad(g.sum(), x).tolist() == [0, 2]
    finally:
        for name in set(registry) - before:
            del registry[name]


def test_an_op_that_is_one_function_of_xp_only_names_it():
    x = leaf([1.0, 4.0])
    try:

        class cube_root(Unary):
            function = "cbrt"
            reads = ("y",)
            vjp = (lambda xp, g, y, x: g / (3 * y * y),)

        class halved_root(cube_root):
            """Its own forward counts, not the function of the class above it."""

            def forward(xp, x, out=None):
                return xp.multiply(xp.cbrt(x), 0.5, out=out)

        assert numpy.allclose(kernel.apply(cube_root, x).tolist(), [1, 4 ** (1 / 3)])
        assert kernel.gradcheck(lambda x: kernel.apply(cube_root, x), x.double().detach().requires_grad_())
        assert numpy.allclose(kernel.apply(halved_root, x).tolist(), [0.5, 4 ** (1 / 3) / 2])
        assert cube_root.arguments == halved_root.arguments == ("x",)
        buffer = numpy.empty(2)
        assert cube_root.forward(numpy, numpy.array([8.0, 27.0]), out=buffer) is buffer and buffer.tolist() == [2, 3]
        with pytest.raises(TypeError):  # attributes that the operation does not have
            kernel.apply(cube_root, x, power=3)
    finally:
        for name in ("cube_root", "halved_root"):
            registry.pop(name, None)


def emptied(tensor) -> None:
    tensor.zero_()


def test_a_hook_that_writes_to_what_a_rule_still_needs_is_noticed():
    w, x = kernel.tensor([2.0, 3.0]), leaf([1.0, 1.0])
    z = (x * w) * 1.0
    z.register_hook(lambda g: emptied(w))
    with pytest.raises(GradError, match="MulBackward needs was changed in place"):
        z.sum().backward()
    assert x.grad is None


def test_a_hook_that_walks_part_of_the_same_history_is_noticed():
    x = leaf([1.0, 2.0])
    y = x * x
    total, part = (y * y).sum(), y.sum()
    walked = []

    def walk_once(g):
        if not walked:
            walked.append(True)
            part.backward()

    y.register_hook(walk_once)
    with pytest.raises(GradError, match="freed by an earlier backward"):
        total.backward()


def test_retain_grad_sees_what_hooks_have_made_whenever_they_came():
    x = leaf([1.0, 1.0])
    y = x * 1.0
    y.retain_grad()
    y.retain_grad()
    y.register_hook(lambda g: 10 * g)
    z = y.sum()
    kernel.grad(z, x, retain_graph=True)
    assert y.grad is None
    z.backward(retain_graph=True)
    assert y.grad.tolist() == x.grad.tolist() == [10, 10]
    z.backward()
    assert y.grad.tolist() == x.grad.tolist() == [20, 20]
    with pytest.raises(GradError, match="retain_grad: this tensor requires no gradient"):
        kernel.ones(2).retain_grad()


def test_a_retained_gradient_stays_away_when_backward_raises():
    x = leaf([1.0, 1.0])
    w = kernel.tensor([2.0, 2.0])
    y = (x * w) * 1.0
    y.retain_grad()
    y.register_hook(lambda g: emptied(w))
    with pytest.raises(GradError):
        y.sum().backward()
    assert y.grad is None and x.grad is None


def test_retain_grad_of_one_of_several_outputs():
    x = leaf([[1.0, 5.0], [7.0, 3.0]])
    values, _ = x.max(1)
    values.retain_grad()
    (values * values).sum().backward()
    assert values.grad.tolist() == [10, 14]


def test_the_same_input_twice_gets_two_gradients():
    x = leaf([1.0, 2.0])
    for create_graph in (False, True):
        a, b = kernel.grad((x * x).sum(), [x, x], create_graph=create_graph)
        a.detach().zero_()
        assert b.tolist() == [2, 4]


def test_what_the_engine_keeps_cannot_be_written_to():
    class doubles_its_gradient(Unary):
        function = "exp"
        reads = ("y",)

        def _rule(xp, g, y, x):
            g *= 2
            return g * y

        vjp = (_rule,)

    try:
        x = leaf([0.0])
        with pytest.raises(ValueError, match="read-only"):
            kernel.apply(doubles_its_gradient, x).backward()
    finally:
        del registry["doubles_its_gradient"]
    (x * 1.0).backward()
    assert x.grad.tolist() == [1]


def test_a_leaf_that_no_longer_wants_a_gradient_gets_none():
    x, w = leaf([1.0]), leaf([3.0])
    y = x * w
    x.requires_grad_(False)
    y.backward()
    assert x.grad is None and w.grad.tolist() == [1]


def test_data_replaced_after_use():
    x = leaf([1.0, 2.0])
    y = (x * x * x).sum()
    x.data = kernel.tensor([10.0, 20.0])
    assert kernel.grad(y, x, retain_graph=True).tolist() == [3, 12]  # of the values that were used, as in PyTorch
    with pytest.raises(GradError, match="data of a leaf was replaced"):
        kernel.grad(y, x, create_graph=True)


def test_a_half_gets_a_gradient_of_halves_in_the_second_order():
    h, s = leaf([1.0, 2.0], dtype="float16"), leaf([3.0, 4.0])
    once_more = h * 1.0
    slope = kernel.grad((once_more * s).sum(), s, create_graph=True)
    for input in (once_more, h):
        g = kernel.grad((slope * slope).sum(), input, retain_graph=True)
        assert g.dtype == kernel.float16 and g.tolist() == [2, 4]


def test_copy_refuses_what_it_cannot_record():
    x = leaf([1.0, 2.0])
    with pytest.raises(GradError, match=r"^copy_: the value requires a gradient"):
        kernel.zeros(2).copy_(x)
    with pytest.raises(ShapeError, match=r"^copy_: "):
        kernel.zeros(2).copy_(kernel.ones(3))


def test_a_generator_inside_no_grad_may_be_closed_by_another_thread():
    def generator():
        with kernel.no_grad():
            yield

    waiting = generator()
    contextvars.copy_context().run(next, waiting)
    failures = []
    closer = threading.Thread(target=lambda: failures.extend(error_of(waiting.close)))
    closer.start()
    closer.join()
    assert not failures and kernel.is_grad_enabled()


def error_of(call):
    try:
        call()
    except ValueError as error:  # of a token from another context
        return [error]
    return []


def test_no_grad_as_a_decorator_says_what_it_cannot_do():
    async def stream():
        yield 1

    def numbers():
        yield 1

    for function in (stream, functools.partial(numbers)):
        with pytest.raises(GradError, match="is a generator or coroutine"):
            kernel.no_grad()(function)
    with pytest.raises(GradError, match=r"@kernel.no_grad\(\), with parentheses"):

        @kernel.no_grad
        def step(): ...


def test_infinite_gradients_do_not_pass_a_closed_gate():
    for size in (1, 2000):  # there is a way for small and one for large arrays
        given = kernel.tensor([numpy.inf, 3.0] * size)
        for gate in (kernel.relu, lambda x: x.clip(0.0, 5.0), lambda x: kernel.maximum(x, kernel.zeros_like(x))):
            x = leaf([-1.0, 2.0] * size)
            gate(x).backward(given)
            assert x.grad.tolist() == [0, 3] * size


def test_small_results_of_sigmoid_and_softplus_keep_their_digits():
    x = leaf([-20.0, -80.0, 90.0])
    y = x.sigmoid()
    assert y.tolist() == pytest.approx([2.0611537e-09, 1.8048513e-35, 1], rel=1e-6)
    assert kernel.grad(y.log().sum(), x).tolist() == pytest.approx([1, 1, 0])
    assert kernel.grad(x.softplus().sum(), x).tolist() == pytest.approx([2.0611537e-09, 1.8048513e-35, 1], rel=1e-6)


def test_the_exponents_of_powers_at_their_edges():
    a = kernel.tensor([0.0, 2.0])
    b = leaf([0.5, 3.0])
    assert kernel.grad((a**b).sum(), b).tolist() == pytest.approx([0, 8 * 0.6931472])
    b = leaf([3.0])
    assert numpy.isnan(kernel.grad((-2.0) ** b, b).item())
    assert kernel.grad(0**b, b).item() == 0


def test_second_order_through_an_operand_that_is_converted():
    for wide, narrow in (("float64", "float32"), ("float32", "float16")):
        h, s = leaf([1.0, 2.0], dtype=narrow), leaf([3.0, 4.0], dtype=wide)
        first = kernel.grad((h * s * h).sum(), [h, s], create_graph=True)
        assert [g.tolist() for g in first] == [[6, 16], [1, 4]] and first[0].dtype == narrow
        assert kernel.grad(first[0].sum(), h).tolist() == [6, 8]


def test_a_hook_may_give_another_output_its_first_hook():
    x = leaf([1.0, 2.0])
    a, b = (x * 1).split(1)
    a.register_hook(lambda g: b.retain_grad())
    (a.sum() + b.sum()).backward()
    assert x.grad.tolist() == [1, 1]


def test_halves_in_large_counts():
    x = kernel.ones(70000, dtype="float16", requires_grad=True)
    small = float(numpy.float16(1 / 70000))
    for reduce in (kernel.mean, kernel.amax):
        assert kernel.grad(reduce(x), x)[:2].tolist() == pytest.approx([small] * 2, rel=0.1)
    logits = kernel.zeros(70000, 2, dtype="float16")
    half = kernel.full((70000, 2), 0.5, dtype="float16")
    for labels in (kernel.zeros(70000, dtype="int64"), half):
        assert kernel.cross_entropy(logits, labels).item() == pytest.approx(numpy.log(2), rel=1e-3)
    wide = kernel.full((20000, 4), 1 / 20000, dtype="float16").T
    assert kernel.cross_entropy(kernel.zeros(20000, 4, dtype="float16").T, wide, "none").tolist() == pytest.approx(
        [20000 * float(numpy.float16(1 / 20000)) * numpy.log(20000)] * 4, rel=2e-3
    )


@pytest.mark.parametrize("place", ("cpu", "strict"))
@pytest.mark.parametrize("dtype", ("float16", "uint8", "bool", "int32"))
def test_what_is_added_at_one_place_many_times(dtype: str, place: str):
    """Halves would stand still at 2048; CuPy adds neither bytes nor booleans."""
    many, first = kernel.ones(5000, dtype=dtype, device=place), kernel.zeros(5000, dtype="int64", device=place)
    expected = numpy.asarray(5000).astype(dtype).item()
    assert kernel.scatter_add(many, (first,), (2,)).tolist() == [expected, 0]
    assert kernel.scatter_add(many[:, None], (first,), (2, 1)).tolist() == [[expected], [0]]
    if dtype == "float16":
        row = kernel.ones(1, 1, dtype=dtype, device=place, requires_grad=True)
        for look in (lambda: kernel.embedding(first, row), lambda: row[first]):
            assert kernel.grad(look().sum(), row).tolist() == [[5000]]


@pytest.mark.parametrize("function", (kernel.softmax, kernel.log_softmax))
def test_gradients_of_long_softmaxes_of_halves(function):
    weight = numpy.linspace(1, 2, 8192)
    weight[0] = 100
    slopes = []
    for dtype in ("float16", "float64"):
        x = kernel.zeros(8192, 2, dtype=dtype, requires_grad=True)
        w = kernel.tensor(weight, dtype=dtype)
        slopes.append(kernel.grad(function(x, 0), x, kernel.stack([w, w], 1)).numpy().astype("float64"))
    assert numpy.allclose(*slopes, rtol=0.02, atol=0.02 * abs(slopes[1]).max())


def test_gates_let_pass_what_is_not_known_to_be_closed():
    a, b = leaf([numpy.nan, 1.0]), leaf([1.0, numpy.nan])
    for gate in (kernel.maximum, kernel.minimum):
        assert [g.tolist() for g in kernel.grad(gate(a, b).sum(), [a, b])] == [[1, 1], [1, 1]]
    for size in (1, 4000):
        x = leaf([numpy.nan] * size)
        assert kernel.grad(kernel.relu(x).sum(), x).tolist() == [1] * size


@pytest.mark.parametrize("number", (numpy.float64(0.25), numpy.float32(0.25), numpy.int64(1)))
def test_numbers_of_numpy_widen_nothing(number):
    x = kernel.ones(4, 3)
    for function in (
        lambda x, n: kernel.leaky_relu(x, n),
        lambda x, n: kernel.elu(x, n),
        lambda x, n: kernel.clip(x, 0, n),
        lambda x, n: kernel.pad(x, ((1, 1), (0, 0)), n),
        lambda x, n: kernel.batch_norm(x, eps=n),
        lambda x, n: kernel.batch_norm(x, None, None, kernel.zeros(3), kernel.ones(3), False, eps=n),
        lambda x, n: kernel.layer_norm(x, 3, eps=n),
        lambda x, n: kernel.group_norm(x, 3, eps=n),
        lambda x, n: kernel.huber_loss(x, 2 * x, n),
        lambda x, n: kernel.cosine_similarity(x, x, eps=n),
        lambda x, n: kernel.dropout(x, n),
    ):
        assert function(x, number).dtype == "float32"


def test_exponents_of_zero():
    a, b = leaf([2.0]), leaf([0.0])
    by_a, by_b = kernel.grad((a**b).sum(), [a, b], create_graph=True)
    assert by_a.tolist() == [0]
    assert kernel.grad(by_a, b, retain_graph=True).item() == kernel.grad(by_b, a).item() == 0.5
    far = leaf([numpy.inf])
    assert kernel.grad((far**b).sum(), far).tolist() == [0]


def test_softplus_at_infinity():
    x = leaf([numpy.inf])
    assert kernel.grad(kernel.softplus(x), x).tolist() == [1]
