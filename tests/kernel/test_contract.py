"""What an operation, a gradient and a hook may rely on: copies where copies are due, refusals in words."""

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
