"""An update rule, and the program that it becomes: the same numbers, in place, in blocks, and in C."""

import contextlib
import ctypes
import inspect
import math
import shutil
import subprocess
import tracemalloc

import numpy
import pytest

import kernel
from kernel.learners import Program, Rule, RuleLearner, rules
from kernel.learners.rule import BLOCK
from kernel.op import Kind
from kernel.xp import device

CPU, STRICT = device("cpu"), device("strict")
RULES = {name: getattr(rules, name) for name in rules.__all__}
# What a rule may be told; each takes what it asks for.
HYPER = {
    "rate": 0.03,
    "momentum": 0.9,
    "gain": 0.1,
    "inside": 0.7,
    "dampening": 0.2,
    "variance": 0.99,
    "fresh": 0.01,
    "epsilon": 1e-6,
    "inner_epsilon": 1e-7,
    "epsilon_hat": 0,
    "rate_decay": 0.01,
    "momentum_decay": 0.004,
    "rho": 0.95,
    "alpha": 0.9,
    "gamma": 0.9,
    "inc": 1.2,
    "dec": 0.7,
    "max": 6.0,
    "min": 0.001,
    "averaged": 1,
    "samples": 8,
}


def program_of(rule: type[Rule]) -> Program:
    arrays = ("w", "g", *rule.state)
    numbers = [name for name in inspect.signature(rule.update).parameters if name not in arrays]
    return Program(rule.update, arrays, ("w", *rule.state), numbers)


def kind_of(array, place=CPU) -> Kind:
    return Kind.of(array.shape, array.dtype, place)


def random_formula(rng: numpy.random.Generator, targets: int):
    """A formula of three arrays and two numbers, made at random, which uses its results again and again."""
    binary = (kernel.add, kernel.sub, kernel.mul, kernel.maximum, kernel.minimum, lambda a, b: b / (1 + kernel.abs(a)))
    unary = (kernel.abs, kernel.sign, lambda a: -a, kernel.tanh, lambda a: kernel.sqrt(kernel.abs(a)))
    choices = [(int(rng.integers(3)), rng.random(2), rng.integers(8)) for _ in range(int(rng.integers(2, 14)))]
    ends = rng.random(targets)
    with_mean = rng.random() < 0.2

    def formula(w, g, m, rate, gain):
        pool = [w, g, m, rate * w, gain * g]
        for form, places, which in choices:
            a, b = (pool[int(place * len(pool))] for place in places)
            if form == 0:
                pool.append(unary[which % len(unary)](a))
            elif form == 1:
                pool.append(binary[which % len(binary)](a, b))
            else:
                pool.append(binary[which % len(binary)](a, (rate, gain, 0.5, 2)[which % 4]))
        if with_mean:
            pool.append(pool[-1] * kernel.mean(pool[-2]))
        return tuple(pool[int(end * len(pool))] for end in ends)

    return formula


@pytest.mark.parametrize("seed", range(400))
def test_a_program_computes_what_its_formula_says(seed):
    rng = numpy.random.default_rng(seed)
    targets = ("w", "m", "g")[: int(rng.integers(1, 4))]
    formula = random_formula(rng, len(targets))
    order = "F" if seed % 3 == 0 else "C"
    arrays = [numpy.asarray(rng.standard_normal((4, 3)), "float32", order=order) for _ in range(3)]
    numbers = [0.3, -1.7]
    expected = formula(*(kernel.tensor(array) for array in arrays), *numbers)
    program = Program(formula, ("w", "g", "m"), targets, ("rate", "gain"))
    for place in (CPU, STRICT):
        given = [place.from_host(array) for array in arrays]
        program.run(kind_of(arrays[0], place), given, numbers)
        results = dict(zip(("w", "g", "m"), map(place.to_host, given), strict=True))
        for name, value in zip(targets, expected, strict=True):
            numpy.testing.assert_array_equal(results[name], value.numpy(), err_msg=program.python)
        for name, array in zip(("w", "g", "m"), arrays, strict=True):
            if name not in targets:
                numpy.testing.assert_array_equal(results[name], array)


def steps(rule: type[Rule], shape: tuple, count: int = 4, dtype: str = "float32"):
    """(parameter, gradients, the numbers of each step, the final parameter and state by calling the pure rule)."""
    rng = numpy.random.default_rng(0)
    param = rng.standard_normal(shape).astype(dtype)
    gradients = [rng.standard_normal(shape).astype(dtype) for _ in range(count)]
    w, numbers = kernel.tensor(param), []
    state = rule.begin(w)
    for t, gradient in enumerate(gradients, 1):
        hyper = {**HYPER, **{name: state[name] for name in rule.memory}, "step": t}
        numbers.append(rule.numbers(**{name: hyper[name] for name in rule.asks}))
        w, state = rule(w, kernel.tensor(gradient), state, {**HYPER, "step": t})
    return param, gradients, numbers, w, state


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.steps_for])
def test_where_a_rule_need_not_count_steps_its_numbers_stay(name):
    rule = RULES[name]

    def at(step: int, **hyper: float) -> dict[str, float]:
        return rule.numbers(**{name: {**HYPER, **hyper, "step": step}[name] for name in rule.asks})

    none = dict.fromkeys(rule.steps_for, 0)
    assert at(1, **none) == at(2, **none) == at(99, **none)
    assert at(1) != at(2), "otherwise the step matters"


def test_what_is_said_of_a_rules_numbers_is_not_said_of_those_of_a_subclass():
    class slower(rules.momentum):
        def numbers(rate, momentum, inside, step):
            return {"rate": rate / step, "momentum": momentum, "inside": inside}

    class the_same(rules.momentum):
        pass

    assert (slower.steps_for, the_same.steps_for) == ((), ("dampening",))
    w = kernel.Parameter([0.0])
    learner = RuleLearner([w], 1.0, slower, {"momentum": 0.0, "inside": 1.0}, means=True)
    for _ in range(3):
        w.grad = kernel.ones(1)
        learner.step()
    assert w.value == pytest.approx(-(1 + 1 / 2 + 1 / 3))


def test_a_parameter_whose_first_gradient_comes_late_takes_it_whole():
    """Dampening leaves out the first step of each parameter, also where another one is at its second."""
    late = kernel.schedules.Steps([0.0, 0.5, 0.5], unit="minibatch")
    for dampening in (0.5, late):
        one, two = kernel.Parameter([0.0]), kernel.Parameter([0.0])
        learner = kernel.SGD([one, two], lr=1.0, momentum=0.5, dampening=dampening)
        one.grad = kernel.ones(1)
        learner.step()
        two.grad = kernel.ones(1)
        learner.step()
        # v = 1, then 0.5 + 0.5 · 1
        assert (one.value, two.value) == (-2.0, -1.0)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, BLOCK), (BLOCK + 7,)], ids=str)
def test_a_rule_run_in_place_is_the_pure_rule(name, shape):
    rule = RULES[name]
    param, gradients, numbers, w, state = steps(rule, shape)
    program = program_of(rule)
    arrays = [param.copy(), *(numpy.full_like(param, value) for value in rule.state.values())]
    for gradient, values in zip(gradients, numbers, strict=True):
        before = gradient.copy()
        ordered = [arrays[0], gradient, *arrays[1:]]
        program.run(kind_of(param), ordered, [values[number] for number in program.numbers])
        numpy.testing.assert_array_equal(gradient, before)
    for found, expected in zip(arrays, [w, *(state[key] for key in rule.state)], strict=True):
        # In blocks numbers meet in the same operations, so that nothing may differ.
        numpy.testing.assert_array_equal(found, expected.numpy())


@pytest.mark.parametrize("name", RULES)
def test_of_empty_parameters_nothing_is_computed(name):
    """A mean of nothing would be no number, and NumPy would warn."""
    program, empty = program_of(RULES[name]), numpy.zeros((0, 3), "float32")
    program.run(kind_of(empty), [empty] * len(program.arrays), [0.5] * len(program.numbers))


def test_rows_of_a_matrix_in_another_order_are_computed_in_blocks_too():
    rng = numpy.random.default_rng(0)
    param = numpy.asfortranarray(rng.standard_normal((300, 700)).astype("float32"))
    gradient = rng.standard_normal((300, 700)).astype("float32")
    program = program_of(rules.sgd)
    expected = param - numpy.float32(0.5) * gradient
    program.run(kind_of(param), [param, gradient], [0.5])
    numpy.testing.assert_array_equal(param, expected)


def test_a_slice_of_a_larger_array_alone_is_written_to():
    whole = numpy.zeros((6, 8), "float32")
    part = whole[1:5:2, ::3]
    program_of(rules.sgd).run(kind_of(part), [part, numpy.ones_like(part)], [1.0])
    assert whole.sum() == -part.size
    assert (part == -1).all()


C_MAIN = """
#include <tgmath.h>
#define T(x) ((float)(x))
typedef float T_;
void update(int count{arguments}) {{
  for (int i = 0; i < count; i++) {{
    {reads}
    {body}
    {writes}
  }}
}}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if program_of(rule).c])
def test_the_program_in_c_computes_the_same(name, tmp_path):
    """What a GPU compiles is compiled for the CPU: one text, one element, one type."""
    rule = RULES[name]
    param, gradients, numbers, w, state = steps(rule, (257,))
    program = program_of(rule)
    reads = [f"float x_{array} = p_{array}[i];" for array in program.arrays]
    text = C_MAIN.format(
        arguments="".join(f", float *p_{array}" for array in program.arrays)
        + "".join(f", float x_{number}" for number in program.numbers),
        reads="\n    ".join(reads),
        body=program.c.replace("\nT t", "\nfloat t").replace("T t0", "float t0", 1),
        writes="\n    ".join(f"p_{array}[i] = x_{array};" for array in program.targets),
    )
    (tmp_path / "update.c").write_text(text)
    library = tmp_path / "update.so"
    # -ffp-contract=off: no product and sum in one rounding, which NumPy has not.
    flags = ["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-lm"]
    subprocess.run(["gcc", str(tmp_path / "update.c"), "-o", str(library), *flags], check=True)
    update = ctypes.CDLL(str(library)).update
    arrays = {"w": param.copy()} | {key: numpy.full_like(param, value) for key, value in rule.state.items()}
    for gradient, values in zip(gradients, numbers, strict=True):
        arrays["g"] = gradient.copy()
        pointers = [arrays[array].ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for array in program.arrays]
        update(param.size, *pointers, *(ctypes.c_float(values[number]) for number in program.numbers))
    for key, expected in {"w": w, **{key: state[key] for key in rule.state}}.items():
        numpy.testing.assert_allclose(arrays[key], expected.numpy(), rtol=2e-7, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if program_of(rule).c is None])
def test_only_rules_with_a_mean_have_no_text_in_c(name):
    assert "mean" in program_of(RULES[name]).python


def test_a_device_with_kernels_gets_one_for_the_whole_update():
    """The way to a GPU: a namespace that notes what it is asked to compile, and whether this GPU is the current one."""
    made, current = [], []

    class ElementwiseKernel:
        def __init__(self, inputs, outputs, body, name):
            assert current
            made.append((inputs, outputs, body, name))

        def __call__(self, *given):
            assert current
            made.append(given)

    @contextlib.contextmanager
    def guard(place):
        current.append(place)
        yield
        current.pop()

    names = type("Names", (), {"ElementwiseKernel": ElementwiseKernel})
    place = type("Place", (), {"xp": names, "kind": "gpu", "guard": guard})()
    kind = Kind((3,), numpy.dtype("float32"))
    kind.device = place
    program = program_of(rules.momentum)
    program.run(kind, ["w", "g", "v"], [0.1, 0.9, 1.0])
    program.run(kind, ["w", "g", "v"], [0.1, 0.9, 1.0])
    (inputs, outputs, body, _), *calls = made
    assert (inputs, outputs) == ("T x_g, T x_rate, T x_momentum, T x_inside", "T x_w, T x_v")
    assert body == program.c
    assert calls == [("g", 0.1, 0.9, 1.0, "w", "v")] * 2  # one launch for each update


def test_scratch_of_a_rule_without_a_kernel_lies_on_the_gpu_of_its_arrays():
    """Rules with a mean go call by call: their scratch arrays are made, and their calls, where this GPU is current."""
    current, calls = [], []

    @contextlib.contextmanager
    def guard(place):
        current.append(place)
        yield
        current.pop()

    def noting(function):
        def call(*given, **options):
            assert current
            calls.append(function)
            return function(*given, **options)

        return call

    names = vars(CPU.xp) | {name: noting(getattr(CPU.xp, name)) for name in ("empty", "multiply", "sqrt", "subtract")}
    place = type("Place", (), {"xp": type(CPU.xp)(**names), "kind": "gpu", "guard": guard})()
    kind = Kind((3,), numpy.dtype("float32"))
    kind.device = place
    param, [gradient], [values], w, _ = steps(rules.averaged_adagrad, (3,), count=1)
    program = program_of(rules.averaged_adagrad)
    program.run(kind, [param, gradient, numpy.zeros_like(param)], [values[name] for name in program.numbers])
    numpy.testing.assert_array_equal(param, w.numpy())
    assert {numpy.empty, numpy.multiply, numpy.sqrt, numpy.subtract} <= set(calls)


LEARNERS = {
    "sgd": lambda p: kernel.SGD(p),
    "momentum": lambda p: kernel.SGD(p, momentum=0.9),
    **{name: getattr(kernel, name) for name in ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta")},
    "RMSprop": kernel.RMSprop,
    "Lion": kernel.Lion,
    "nesterov": lambda p: kernel.nesterov(p, 0.1, 0.9),
    "fsadagrad": lambda p: kernel.fsadagrad(p, 0.1, 0.9),
    "adagrad": lambda p: kernel.adagrad(p, 0.1),
    "rmsprop": lambda p: kernel.rmsprop(p, 0.1, 0.9, 1.2, 0.7, 6, 0.01),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_an_update_of_a_million_parameters_takes_no_memory(name):
    params = [kernel.Parameter(kernel.ones(250, 200)) for _ in range(20)]
    for p in params:
        p.grad = kernel.full((250, 200), 0.5)
    learner = LEARNERS[name](params)
    learner.step(1)
    learner.step(1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        learner.step(1)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 20_000  # one parameter alone has 200,000 bytes
    assert after - before < 20_000


def test_multiplying_by_one_is_left_out():
    formula = rules.momentum.update
    arrays, numbers = ("w", "g", "v"), ("rate", "momentum", "inside")
    plain = Program(formula, arrays, ("w", "v"), numbers)
    shorter = Program(formula, arrays, ("w", "v"), numbers, ones=("inside",))
    assert plain.python.count("multiply") == 3
    assert shorter.python.count("multiply") == 2
    first, second = ([numpy.full(3, value, "float32") for value in (1, 2, 3)] for _ in range(2))
    plain.run(kind_of(first[0]), first, [0.1, 0.9, 1.0])
    shorter.run(kind_of(first[0]), second, [0.1, 0.9, 1.0])
    numpy.testing.assert_array_equal(first, second)


def test_halves_are_computed_in_single_precision():
    """The square of 1e-4 is 0 as a half, and Adam would divide by epsilon alone."""
    w = kernel.Parameter(kernel.zeros(4, dtype="float16"))
    w.grad = kernel.full((4,), 1e-4, dtype="float16")
    kernel.Adam([w], lr=0.5).step()
    assert w.dtype == "float16"
    numpy.testing.assert_allclose(w.value, -0.5, atol=2e-3)


def test_to_a_device_that_is_no_processor_a_large_array_goes_whole():
    """Blocks are for the processor's cache; to a GPU each of them would be a launch."""
    program = Program(lambda w, g: (w - kernel.tanh(g),), "wg", "w", [])
    for place, parts in ((CPU, 3), (STRICT, 1)):
        calls, xp = [], place.xp
        counted = type(xp)(
            **{**vars(xp), "tanh": lambda *a, xp=xp, calls=calls, **o: calls.append(1) or xp.tanh(*a, **o)}
        )
        other = type("Place", (), {"xp": counted, "kind": place.kind, "guard": lambda self: contextlib.nullcontext()})()
        kind = Kind((3 * BLOCK,), numpy.dtype("float32"))
        kind.device = other
        program.run(kind, [place.from_host(numpy.ones(3 * BLOCK, "float32")) for _ in range(2)], [])
        assert len(calls) == parts


def test_a_formula_may_name_infinity():
    program = Program(lambda w, g: (w - kernel.minimum(g, math.inf),), "wg", "w", [])
    w, g = numpy.ones(3, "float32"), numpy.ones(3, "float32")
    program.run(kind_of(w), [w, g], [])
    assert (w == 0).all()
    assert program.c is None  # where infinity has no name


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
def test_every_operation_with_a_text_in_c_computes_the_same(tmp_path):
    """One formula of all of them, in C and in place."""
    ops = [op for op in kernel.op.registry.values() if op.c]
    assert len(ops) >= 16

    def formula(w, g, rate):
        found = w
        for op in ops:
            given = (abs(found) + rate,) if len(op.arguments) == 1 else (abs(found) + rate, g)
            found = found + kernel.apply(op, *given) / len(ops)
        return (found + g**2,)

    rng = numpy.random.default_rng(0)
    w, g = (rng.standard_normal(100).astype("float32") for _ in range(2))
    program = Program(formula, "wg", "w", ["rate"])
    body = program.c.replace("\nT t", "\nfloat t").replace("T t0", "float t0", 1)
    text = C_MAIN.format(
        arguments=", float *p_w, float *p_g, float x_rate",
        reads="float x_w = p_w[i], x_g = p_g[i];",
        body=body,
        writes="p_w[i] = x_w;",
    )
    (tmp_path / "all.c").write_text(text)
    flags = ["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-lm"]
    subprocess.run(["gcc", str(tmp_path / "all.c"), "-o", str(tmp_path / "all.so"), *flags], check=True)
    compiled = w.copy()
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for array in (compiled, g)]
    ctypes.CDLL(str(tmp_path / "all.so")).update(w.size, *pointers, ctypes.c_float(0.5))
    program.run(kind_of(w), [w, g], [0.5])
    numpy.testing.assert_allclose(compiled, w, rtol=1e-5)


def test_learners_of_one_rule_share_its_program_and_not_its_scratch():
    """What one computes must not stand where another, in another thread, computes at the same time."""
    made = []
    for _ in range(2):
        w = kernel.Parameter(kernel.ones(5))
        w.grad = kernel.ones(5)
        learner = kernel.Adam([w])
        learner.step()
        (program,) = learner._programs.values()
        made.append(program)
    first, second = made
    assert first is not second and first._order is second._order
    (mine,), (other,) = first._memory.values(), second._memory.values()
    assert not any(numpy.shares_memory(a, b) for a in mine for b in other)
