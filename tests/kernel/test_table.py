"""Every operation against its row of the table: values, gradients, contract, devices, dtypes, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy
import pytest

import kernel
from kernel.op import ArrayType, Op, registry
from kernel.strict import StrictArray
from kernel.xp import device as device_of
from tests.kernel.table import TABLE, Refusal, Row, Sample, arrays_of

PRECISION = {"float64": 1e-12, "float32": 1e-6, "float16": 2e-3}
SMALL_FLOATS = ("float32", "float16")
WITHOUT_TWIN = {"element_max", "scatter_add"}  # operations that torch does not have
DIFFERENTIABLE = [name for name in TABLE if callable(registry[name].vjp) or any(registry[name].vjp)]

every_op = pytest.mark.parametrize("name", TABLE)
every_differentiable_op = pytest.mark.parametrize("name", DIFFERENTIABLE)
# A loss that ignores what comes from behind has not the derivative of its output for a gradient: torch is compared.
every_derivative = pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if not registry[name].is_loss])
needs_gpu = pytest.mark.skipif(not kernel.gpu_available(), reason="no GPU here")


# --- how an operation is called in these tests ---------------------------------------------------------------------


def floating(operand: Any) -> bool:
    return isinstance(operand, numpy.ndarray) and operand.dtype.kind == "f"


def in_dtype(sample: Sample, dtype: str) -> Sample:
    """The sample with its float arrays in another dtype."""
    operands = tuple(o.astype(dtype) if floating(o) else o for o in sample.operands)
    return Sample(operands, sample.attributes, sample.smooth, sample.whole)


def in_whole_numbers(sample: Sample, dtype: str) -> Sample:
    """The sample with whole numbers (none of them 0), or booleans, in the place of its floats."""

    def convert(operand: Any) -> Any:
        if not floating(operand):
            return operand
        rounded = numpy.rint(operand * 3)
        rounded = numpy.where(rounded == 0, 1, rounded)
        rounded = {"bool": rounded > 0, "uint8": abs(rounded)}.get(dtype, rounded)
        return numpy.asarray(rounded).astype(dtype)

    return Sample(tuple(map(convert, sample.operands)), sample.attributes)


def on(device: str, sample: Sample) -> dict[str, Any]:
    """The attributes of the sample; a transfer goes from the device to itself."""
    return {key: device if value == "cpu" else value for key, value in sample.attributes.items()}


def tensors_of(sample: Sample, device: str = "cpu", requires_grad: bool = False) -> list:
    return [
        kernel.tensor(o, device=device, requires_grad=requires_grad and floating(o))
        if isinstance(o, numpy.ndarray)
        else o
        for o in sample.operands
    ]


def as_tuple(result: Any) -> tuple:
    return result if isinstance(result, tuple) else (result,)


def host(tensor: Any) -> numpy.ndarray:
    return tensor.detach().cpu().numpy()


def run(name: str, sample: Sample, device: str = "cpu", operands: list | None = None) -> tuple:
    """The outputs of the operation, as tensors."""
    operands = tensors_of(sample, device) if operands is None else operands
    return as_tuple(kernel.apply(registry[name], *operands, **on(device, sample)))


def weights_for(outputs: tuple) -> list[numpy.ndarray]:
    """Fixed weights, one array for each output: they make one number of several."""
    rng = numpy.random.default_rng(3)
    return [numpy.asarray(rng.uniform(0.5, 1.5, output.shape)) for output in outputs]


def cost(outputs: tuple) -> Any:
    """The weighted sum of the outputs that are floats, None if there is none."""
    total = None
    for output, weight in zip(outputs, weights_for(outputs), strict=True):
        if output.dtype.kind == "f" and output.requires_grad:
            part = (output * kernel.tensor(weight.astype(output.dtype), device=output.device)).sum()
            total = part if total is None else total + part
    return total


def gradients(name: str, sample: Sample, device: str = "cpu") -> list:
    """The gradients of the cost with respect to the operands, None for one that has none."""
    operands = tensors_of(sample, device, requires_grad=True)
    total = cost(run(name, sample, device, operands))
    if total is not None:
        total.backward()
    return [getattr(operand, "grad", None) for operand in operands]


def moved(sample: Sample, position: int, direction: numpy.ndarray, step: float) -> Sample:
    operands = list(sample.operands)
    operands[position] = numpy.asarray(operands[position] + step * direction)
    return Sample(tuple(operands), sample.attributes)


@dataclass
class Call:
    """One call of an operation by hand, below the tensors: its arrays, its outputs and its gradient rules."""

    op: type[Op]
    xp: Any
    arrays: list
    attributes: dict[str, Any]
    outputs: tuple
    residuals: tuple
    g: Any

    @classmethod
    def make(cls, name: str, sample: Sample, device: str = "cpu") -> Call:
        op, place, attributes = registry[name], device_of(device), on(device, sample)
        arrays = [place.from_host(o) if isinstance(o, numpy.ndarray) else o for o in sample.operands]
        arrays = cast(op, place.xp, arrays, attributes)
        result = op.forward(place.xp, *arrays, **attributes)
        outputs, residuals = result if op.outputs > 1 or op.residuals else ((result,), ())
        parts = []
        for output, weight in zip(outputs, weights_for(outputs), strict=True):
            is_float = output.dtype.kind == "f"
            parts.append(place.from_host(weight.astype(output.dtype)) if is_float else None)
        return cls(op, place.xp, arrays, attributes, outputs, residuals, tuple(parts) if op.outputs > 1 else parts[0])

    @property
    def y(self) -> Any:
        return self.outputs if self.op.outputs > 1 else self.outputs[0]

    def rules(self) -> list[tuple[int, Any, set[str]]]:
        """(argument, its rule, what the rule says that it reads), of the arguments that have a gradient."""
        if all(part is None for part in as_tuple(self.g)):
            return []
        found = []
        for i, array in enumerate(self.arrays):
            rule = self.op.vjp if self.op.variadic else self.op.vjp[i]
            if rule is not None and getattr(array, "dtype", numpy.dtype(bool)).kind == "f":
                words = self.op.reads[0 if self.op.variadic else i].split() if self.op.reads else []
                found.append((i, rule, set(words)))
        return found

    def pull(self, i: int, rule: Any, replace: dict[str, Any] | None = None) -> Any:
        """The rule's answer, with stand-ins in the place of the arguments named in ``replace``."""
        replace = replace or {}
        names = [self.op.arguments[min(k, len(self.op.arguments) - 1)] for k in range(len(self.arrays))]
        arrays = [replace.get(n, (lambda a: a))(a) for n, a in zip(names, self.arrays, strict=True)]
        residuals = [replace.get(n, (lambda a: a))(a) for n, a in zip(self.op.residuals, self.residuals, strict=True)]
        y = replace.get("y", (lambda a: a))(self.y)
        arguments = (self.xp, self.g, y, *arrays, *residuals)
        if self.op.shared:
            arguments = (self.xp, self.op.shared(*arguments, **self.attributes), *arguments[2:])
        return rule(i, *arguments, **self.attributes) if self.op.variadic else rule(*arguments, **self.attributes)


def types_of(arrays: list) -> list[ArrayType]:
    return [ArrayType(a.shape, a.dtype) if hasattr(a, "shape") else ArrayType((), type(a)) for a in arrays]


def cast(op: type[Op], xp: Any, arrays: list, attributes: dict[str, Any]) -> list:
    """The arrays in the dtypes in which the operation computes; a number stays one beside an array of that dtype."""
    inputs, _ = op.infer(*types_of(arrays), **attributes)
    present = {t.dtype for array, t in zip(arrays, inputs, strict=True) if hasattr(array, "shape")}
    converted = []
    for array, t in zip(arrays, inputs, strict=True):
        if hasattr(array, "shape"):
            converted.append(array if array.dtype == t.dtype else array.astype(t.dtype))
        else:
            stays = t.dtype in present or t.dtype is type(array)
            converted.append(array if stays else xp.asarray(array, t.dtype))
    return converted


def assert_close(found: numpy.ndarray, expected: Any, tolerance: float, what: Any) -> None:
    expected = numpy.asarray(expected)
    assert found.shape == expected.shape, what
    if expected.dtype.kind == "f":
        expected = expected.astype("float64")
        numpy.testing.assert_allclose(
            found.astype("float64"), expected, rtol=tolerance, atol=tolerance, err_msg=str(what)
        )
    else:
        numpy.testing.assert_array_equal(found, expected, err_msg=str(what))


def smooth(row: Row) -> list[Sample]:
    return [sample for sample in row.samples if sample.smooth]


# --- the tests -----------------------------------------------------------------------------------------------------


def test_the_table_is_complete():
    assert set(TABLE) == set(registry)
    for name, row in TABLE.items():
        assert len(row.samples) >= 3, name
    without_twin = {name for name, row in TABLE.items() if row.twin is None}
    assert without_twin == WITHOUT_TWIN


@pytest.mark.parametrize("dtype", PRECISION)
@every_op
def test_values(name: str, dtype: str):
    """Equal to the reference in float64, within the dtype's precision; the dtype is kept."""
    row = TABLE[name]
    for sample in smooth(row):
        given = in_dtype(sample, dtype)
        exact = in_dtype(given, "float64")
        expected = as_tuple(row.reference(*exact.operands, **sample.attributes))
        found = run(name, given)
        assert len(found) == len(expected), sample
        for y, reference in zip(found, map(numpy.asarray, expected), strict=True):
            kinds = {"f": dtype, "b": "bool", "i": "int64"}
            if any(map(floating, sample.operands)) or reference.dtype.kind != "f":
                assert y.dtype == sample.attributes.get("dtype", kinds[reference.dtype.kind]), sample
            assert_close(host(y), reference, PRECISION.get(str(y.dtype), 0) * row.tolerance, sample)


@every_derivative
def test_gradients(name: str):
    """Equal to central differences of the reference along random directions, in float64, away from kinks."""
    row, step = TABLE[name], 1e-6
    rng = numpy.random.default_rng(5)
    compared = 0
    for sample in smooth(row):
        if row.gap is not None:
            assert row.gap(*sample.operands, **sample.attributes) > 100 * step, "the sample is too close to a kink"
        found = gradients(name, sample)
        for i, operand in enumerate(sample.operands):
            if found[i] is None:
                continue
            direction = rng.standard_normal(operand.shape)
            costs = []
            for sign in (1, -1):
                there = moved(sample, i, direction, sign * step)
                outputs = tuple(map(numpy.asarray, as_tuple(row.reference(*there.operands, **there.attributes))))
                costs.append(
                    sum(
                        (o * w).sum() for o, w in zip(outputs, weights_for(outputs), strict=True) if o.dtype.kind == "f"
                    )
                )
            slope = (costs[0] - costs[1]) / (2 * step)
            low_precision = sample.attributes.get("dtype") in SMALL_FLOATS  # a cast: its steps are too coarse
            if not low_precision:
                numpy.testing.assert_allclose(
                    (host(found[i]) * direction).sum(), slope, rtol=1e-6, atol=1e-6, err_msg=f"{sample}, operand {i}"
                )
            compared += operand.size > 0
    assert compared, "no sample has a gradient"


@every_differentiable_op
def test_second_order(name: str):
    """The gradient of the gradient, recorded with create_graph, equals central differences of the gradient."""
    step = 1e-5
    rng = numpy.random.default_rng(7)
    for sample in smooth(TABLE[name]):
        if registry[name].once:
            refuses_the_second_order(name, sample)
            continue
        plain = gradients(name, sample)
        wanted = [i for i, g in enumerate(plain) if g is not None and g.size]
        if not wanted:
            continue
        pushes = {i: numpy.asarray(rng.standard_normal(plain[i].shape)) for i in wanted}
        operands = tensors_of(sample, requires_grad=True)
        total = cost(run(name, sample, operands=operands))
        first = kernel.grad(total, [operands[i] for i in wanted], create_graph=True)
        for i, g in zip(wanted, first, strict=True):
            assert_close(host(g), host(plain[i]), 1e-12, sample)
        pushed = sum((g * kernel.tensor(pushes[i])).sum() for i, g in zip(wanted, first, strict=True))
        if pushed.requires_grad:
            pushed.backward()
        if sample.attributes.get("dtype") in SMALL_FLOATS:
            continue
        for i in wanted:
            direction = rng.standard_normal(sample.operands[i].shape)
            slopes = []
            for sign in (1, -1):
                there = gradients(name, moved(sample, i, direction, sign * step))
                slopes.append(sum((host(there[k]) * pushes[k]).sum() for k in wanted))
            second = 0.0 if operands[i].grad is None else (host(operands[i].grad) * direction).sum()
            numpy.testing.assert_allclose(
                second, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5, atol=1e-5, err_msg=f"{sample}, operand {i}"
            )


def refuses_the_second_order(name: str, sample: Sample) -> None:
    operands = tensors_of(sample, requires_grad=True)
    leaves = [o for o, g in zip(operands, gradients(name, sample), strict=True) if g is not None]
    with pytest.raises(kernel.GradError, match="once only"):
        kernel.grad(cost(run(name, sample, operands=operands)), leaves, create_graph=True)


@pytest.mark.oracle
@every_op
def test_parity_with_torch(name: str):
    """Values, dtypes and gradients are torch's, on kinks and ties too."""
    import torch

    row = TABLE[name]
    if row.twin is None:
        assert name in WITHOUT_TWIN
        return
    for dtype in ("float64", "float32"):
        for sample in (in_dtype(sample, dtype) for sample in row.samples):
            theirs = [
                torch.tensor(o, requires_grad=floating(o)) if isinstance(o, numpy.ndarray) else o
                for o in sample.operands
            ]
            expected = as_tuple(row.twin(torch, *theirs, **sample.attributes))
            ours = tensors_of(sample, requires_grad=True)
            found = run(name, sample, operands=ours)
            precision = 20 * PRECISION[dtype] * row.tolerance
            for y, reference in zip(found, expected, strict=True):
                values = reference.detach().numpy()
                if arrays_of(sample):
                    assert str(y.dtype) == str(values.dtype), sample
                coarse = PRECISION.get(str(values.dtype), 0)
                assert_close(host(y), values, max(precision, coarse), sample)
            total = cost(found)
            if total is None:
                continue
            total.backward()
            weights = weights_for(tuple(found))
            sum(
                (reference * torch.tensor(weight.astype(y.dtype))).sum()
                for y, reference, weight in zip(found, expected, weights, strict=True)
                if reference.dtype.is_floating_point and reference.requires_grad
            ).backward()
            for i, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
                if floating(sample.operands[i]):
                    reference = torch.zeros_like(other) if other.grad is None else other.grad
                    gradient = numpy.zeros(mine.shape) if mine.grad is None else host(mine.grad)
                    assert_close(gradient, reference.numpy(), precision, f"{sample}, gradient of operand {i}")


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ("int64", "int32", "uint8", "bool"))
@every_op
def test_whole_numbers_as_torch(name: str, dtype: str):
    """Where both take whole numbers or booleans in the place of floats, values and dtype are torch's."""
    import torch

    row = TABLE[name]
    if row.twin is None or not (row.boolean if dtype == "bool" else row.whole):
        return
    for sample in smooth(row):
        if not sample.whole or not any(map(floating, sample.operands)):
            continue
        given = in_whole_numbers(sample, dtype)
        theirs = [torch.tensor(o) if isinstance(o, numpy.ndarray) else o for o in given.operands]
        try:
            expected = as_tuple(row.twin(torch, *theirs, **given.attributes))
        except (RuntimeError, NotImplementedError):
            continue  # torch's mean, softmax and others want floats
        for y, reference in zip(run(name, given), expected, strict=True):
            assert str(y.dtype) == str(reference.numpy().dtype), (given, [o.dtype for o in arrays_of(given)])
            assert_close(host(y), reference.numpy(), 1e-4, given)


@pytest.mark.parametrize("dtype", ("int64", "int32", "uint8"))
@every_op
def test_whole_numbers(name: str, dtype: str):
    """Whole numbers give the reference's values, or are refused in words."""
    row = TABLE[name]
    for sample in smooth(row):
        if not sample.whole or not any(map(floating, sample.operands)):
            continue
        given = in_whole_numbers(sample, dtype)
        if not row.whole:
            if not any(map(floating, arrays_of(sample)[1:])):
                with pytest.raises(kernel.DtypeError, match=f"^{name}: .*float"):
                    run(name, given)
            continue
        exact = [
            o.astype("float64") if floating(original) else o
            for original, o in zip(sample.operands, given.operands, strict=True)
        ]
        expected = as_tuple(row.reference(*exact, **given.attributes))
        for y, reference in zip(run(name, given), expected, strict=True):
            values = numpy.asarray(reference)
            if y.dtype.kind in "iu":  # whole numbers wrap around, as everywhere
                values = values.astype("int64").astype(y.dtype)
            assert_close(host(y), values, 1e-5, given)


@pytest.mark.parametrize("layout", ("batch-last", "strided"))
@every_op
def test_memory_layout_does_not_matter(name: str, layout: str):
    """Fortran-ordered and strided memory give the same values and gradients; and the inputs stay as they were."""

    def laid_out(array: numpy.ndarray) -> numpy.ndarray:
        if layout == "batch-last":
            return numpy.array(array, order="F")
        wide = numpy.full(tuple(2 * size for size in array.shape), 99, array.dtype)
        view = wide[(*(slice(None, None, 2),) * array.ndim, ...)]
        view[...] = array
        return view

    for sample in smooth(TABLE[name]):
        memory = [laid_out(o) if isinstance(o, numpy.ndarray) else o for o in sample.operands]
        operands = [kernel.from_numpy(o) if isinstance(o, numpy.ndarray) else o for o in memory]
        for operand, o in zip(operands, sample.operands, strict=True):
            if floating(o):
                operand.requires_grad_()
        found = run(name, sample, operands=operands)
        for y, plain in zip(found, run(name, sample), strict=True):
            assert_close(host(y), host(plain), 1e-13, sample)
        total = cost(found)
        if total is not None:
            total.backward()
        for operand, plain in zip(operands, gradients(name, sample), strict=True):
            assert (getattr(operand, "grad", None) is None) == (plain is None)
            if plain is not None:
                assert_close(host(operand.grad), host(plain), 1e-13, sample)
        for now, before in zip(memory, sample.operands, strict=True):
            if isinstance(now, numpy.ndarray):
                numpy.testing.assert_array_equal(now, before, err_msg=f"{sample}: an input was changed")


@pytest.mark.parametrize("dtype", PRECISION)
@every_op
def test_out(name: str, dtype: str):
    """``out=`` is filled, whatever it held, with what the plain call returns, and is what comes back."""
    for sample in (in_dtype(sample, dtype) for sample in smooth(TABLE[name])):
        call = Call.make(name, sample)
        op = call.op
        layouts = ("K", "C")  # the layout of the plain result, bit for bit; and another one
        for order in layouts:
            buffers = tuple(numpy.empty_like(output, order=order, subok=False) for output in call.outputs)
            for buffer in buffers:
                buffer[...] = numpy.nan if buffer.dtype.kind == "f" else 1
            several = op.outputs > 1 or bool(op.residuals)
            out = buffers if several else buffers[0]
            result = op.forward(call.xp, *call.arrays, out=out, **call.attributes)
            for returned, buffer, plain in zip(result[0] if several else (result,), buffers, call.outputs, strict=True):
                assert returned is buffer, sample
                tolerance = 0 if order == "K" else {"float64": 1e-13}.get(dtype, PRECISION[dtype])
                numpy.testing.assert_allclose(buffer, plain, rtol=tolerance, atol=tolerance, err_msg=str(sample))


@every_op
def test_inplace(name: str):
    """An output may take over the buffer of the inputs that ``inplace`` names: the result is the same."""
    op = registry[name]
    for sample in smooth(TABLE[name]):
        call = Call.make(name, sample)
        for i in op.inplace:
            given, plain = call.arrays[i], call.outputs[0]
            if getattr(given, "size", None) != plain.size or given.dtype != plain.dtype:
                continue  # a buffer of another size or kind is not taken over
            if not op.view and given.shape != plain.shape:
                continue
            for order in "CF":
                arrays = list(call.arrays)
                arrays[i] = numpy.array(given, order=order)
                buffer = arrays[i].ravel(order="K").reshape(plain.shape, order="C" if op.view else order)
                assert numpy.shares_memory(buffer, arrays[i]) or not plain.size
                result = op.forward(call.xp, *arrays, out=buffer, **call.attributes)
                numpy.testing.assert_array_equal(result, plain, err_msg=f"{sample}, the buffer of operand {i}")
        if op.inplace == (0, 1) and call.arrays[0] is not None:
            x = numpy.array([0.5, 1.5, 2.0]) if call.outputs[0].dtype == "float64" else numpy.array([True, False])
            plain = op.forward(call.xp, x.copy(), x.copy())
            numpy.testing.assert_array_equal(op.forward(call.xp, x, x, out=x), plain, err_msg="both operands are out")


@pytest.mark.parametrize("dtype", ("float64", "float32"))
@pytest.mark.parametrize("name", [name for name in TABLE if registry[name].residuals])
def test_what_is_kept_for_the_rules_is_kept_for_them_alone(name: str, dtype: str):
    """No write to an operand or an output reaches a residual: the tape could not see it."""
    for sample in (in_dtype(sample, dtype) for sample in TABLE[name].samples):
        call = Call.make(name, sample)
        for residual in call.residuals:
            for other in (*call.outputs, *call.arrays):
                assert not numpy.may_share_memory(residual, other), sample


@pytest.mark.parametrize("dtype", ("float64", "float32", "float16", "int64", "int32", "uint8", "bool"))
@every_op
def test_infer_is_what_comes_out(name: str, dtype: str):
    row = TABLE[name]
    for sample in smooth(row):
        if dtype.startswith("float"):
            given = in_dtype(sample, dtype)
        elif sample.whole and (row.boolean if dtype == "bool" else row.whole):
            given = in_whole_numbers(sample, dtype)
        else:
            continue
        op = registry[name]
        types = types_of(list(given.operands))
        inputs, outputs = op.infer(*types, **given.attributes)
        assert [t.shape for t in inputs] == [t.shape for t in types], given
        found = run(name, given)
        assert len(outputs) == len(found)
        arrays = as_tuple(Call.make(name, given).outputs)
        for t, y, array in zip(outputs, found, arrays, strict=True):
            assert y.dtype == array.dtype == t.dtype, given
            if op.data_dependent:
                assert len(t.shape) == y.ndim and None in t.shape
                assert all(size in (None, actual) for size, actual in zip(t.shape, y.shape, strict=True))
            else:
                assert y.shape == t.shape, given
                assert all(type(size) is int for size in t.shape), given


def consistent(partial: tuple | None, known: tuple) -> bool:
    """Whether what was inferred from less does not contradict what is true."""
    if partial is None:
        return True
    return len(partial) == len(known) and all(p in (None, k) for p, k in zip(partial, known, strict=True))


@every_op
def test_infer_from_less(name: str):
    """With any size, or any whole shape, unknown, infer says nothing wrong; and it fills in what it returns."""
    op = registry[name]
    for sample in smooth(TABLE[name]):
        full = types_of(list(sample.operands))
        known_in, known_out = op.infer(*full, **sample.attributes)
        known_out = [t.shape for t in known_out]
        if op.data_dependent:
            known_out = [y.shape for y in run(name, sample)]
        arrays = [i for i, o in enumerate(sample.operands) if isinstance(o, numpy.ndarray)]
        cases = [{i: None} for i in arrays]
        cases += [dict.fromkeys(arrays)]
        cases += [
            {i: (*full[i].shape[:k], None, *full[i].shape[k + 1 :])} for i in arrays for k in range(len(full[i].shape))
        ]
        cases += [{i: (None,) * len(full[i].shape) for i in arrays}]
        for case in cases:
            types = [ArrayType(case.get(i, t.shape), t.dtype) for i, t in enumerate(full)]
            inputs, outputs = op.infer(*types, **sample.attributes)
            assert len(inputs) == len(full) and len(outputs) == len(known_out)
            for got, true in zip(inputs, known_in, strict=True):
                assert got.dtype == true.dtype and consistent(got.shape, true.shape), (sample, case, got)
            for got, true in zip(outputs, known_out, strict=True):
                assert consistent(got.shape, true), (sample, case, got)


@pytest.mark.parametrize("dtype", ("float64", "float32"))
@every_op
def test_strict_device(name: str, dtype: str):
    """On the strict device the same bits come out, through arrays that never leave it."""
    for sample in (in_dtype(sample, dtype) for sample in smooth(TABLE[name])):
        there, here = Call.make(name, sample, "strict"), Call.make(name, sample, "cpu")
        for y, expected in zip(there.outputs + there.residuals, here.outputs + here.residuals, strict=True):
            assert type(y) is StrictArray, f"{sample}: a {type(y).__name__} came out"
            numpy.testing.assert_array_equal(y.get(), expected, err_msg=str(sample))
        for (i, rule, _), (_, same, _) in zip(there.rules(), here.rules(), strict=True):
            g = there.pull(i, rule)
            assert type(g) is StrictArray, f"{sample}: the gradient of operand {i} is a {type(g).__name__}"
            numpy.testing.assert_array_equal(g.get(), here.pull(i, same), err_msg=str(sample))
        for y in run(name, sample, "strict"):
            assert str(y.device) == "strict" and type(y._array) is StrictArray
        for g, expected in zip(gradients(name, sample, "strict"), gradients(name, sample), strict=True):
            assert (g is None) == (expected is None)
            if g is not None:
                assert type(g._array) is StrictArray
                numpy.testing.assert_array_equal(host(g), host(expected), err_msg=str(sample))


@every_differentiable_op
def test_second_order_on_the_strict_device(name: str):
    """The recorded walk stays on the device too."""
    if registry[name].once:
        return
    for sample in smooth(TABLE[name]):
        operands = tensors_of(sample, "strict", requires_grad=True)
        total = cost(run(name, sample, "strict", operands))
        if total is None:
            continue
        leaves = [o for o, g in zip(operands, gradients(name, sample), strict=True) if g is not None]
        for g, plain in zip(
            kernel.grad(total, leaves, create_graph=True),
            [g for g in gradients(name, sample, "strict") if g is not None],
            strict=True,
        ):
            assert type(g._array) is StrictArray
            assert_close(host(g), host(plain), 1e-12, sample)


@pytest.mark.gpu
@needs_gpu
@every_op
def test_gpu(name: str):
    """On a GPU the same values and gradients come out, to rounding."""
    for dtype in ("float64", "float32"):
        for sample in (in_dtype(sample, dtype) for sample in smooth(TABLE[name])):
            precision = 20 * PRECISION[dtype] * TABLE[name].tolerance
            for y, expected in zip(run(name, sample, "gpu:0"), run(name, sample), strict=True):
                assert y.device.kind == "gpu" and y.dtype == expected.dtype
                assert_close(host(y), host(expected), precision, sample)
            for g, expected in zip(gradients(name, sample, "gpu:0"), gradients(name, sample), strict=True):
                assert (g is None) == (expected is None)
                if g is not None:
                    assert g.device.kind == "gpu"
                    assert_close(host(g), host(expected), precision, sample)


@pytest.mark.parametrize("dtype", SMALL_FLOATS)
@every_op
def test_no_other_float_appears(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch):
    """Of float32 or float16 operands nothing is computed in another float dtype, in between or in gradients.

    Except that halves are summed in single precision, where they would stand still or overflow.
    """
    made: set[str] = set()
    allowed = {dtype, "float32"}
    plain_init = StrictArray.__init__

    def watch(self: StrictArray, array: numpy.ndarray) -> None:
        made.add(str(array.dtype))
        plain_init(self, array)

    for sample in (in_dtype(sample, dtype) for sample in smooth(TABLE[name])):
        if "dtype" in sample.attributes or not any(map(floating, sample.operands)):
            continue
        call = Call.make(name, sample, "strict")
        with monkeypatch.context() as patch:
            patch.setattr(StrictArray, "__init__", watch)
            call.op.forward(call.xp, *call.arrays, **call.attributes)
            for i, rule, _ in call.rules():
                call.pull(i, rule)
        assert not made & ({"float16", "float32", "float64"} - allowed), (sample, made)
        operands = tensors_of(sample, requires_grad=True)
        total = cost(run(name, sample, operands=operands))
        if total is None:
            continue
        leaves = [o for o, g in zip(operands, gradients(name, sample), strict=True) if g is not None]
        for create_graph in (False,) if registry[name].once else (False, True):
            for g, leaf in zip(
                kernel.grad(total, leaves, create_graph=create_graph, retain_graph=True), leaves, strict=True
            ):
                assert g.dtype == dtype and g.shape == leaf.shape, sample


class Untouchable:
    """Knows its shape and dtype; whoever wants more gets a TypeError."""

    def __init__(self, array: Any):
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, len(array.shape)


def untouchable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(Untouchable, value))
    return Untouchable(value) if hasattr(value, "shape") else value


def touches(call: Call, i: int, rule: Any, word: str) -> bool:
    """Whether the rule fails without the argument called ``word``."""
    try:
        call.pull(i, rule, {word: untouchable})
    except (TypeError, AttributeError):
        return True
    return False


def lifted(call: Call) -> Call:
    """The call as the recorded walk sees it: tensors, the kernel's functions for xp, and no residuals."""

    def lift(array: Any) -> Any:
        return kernel.tensor(array.get(), device="strict") if isinstance(array, StrictArray) else array

    arrays, outputs = list(map(lift, call.arrays)), tuple(map(lift, call.outputs))
    g = tuple(map(lift, call.g)) if isinstance(call.g, tuple) else lift(call.g)
    return Call(call.op, kernel.functional, arrays, call.attributes, outputs, (None,) * len(call.residuals), g)


@every_differentiable_op
def test_reads_is_honest(name: str):
    """A rule needs of the arguments it does not list no more than shape and dtype, and each one that it lists."""
    op = registry[name]
    needed: dict[tuple[int, str], bool] = {}
    for sample in smooth(TABLE[name]):
        call = Call.make(name, sample, "strict")
        for i, rule, words in call.rules():
            expected = call.pull(i, rule)
            known = {*op.arguments, *op.residuals, "y"}
            stand_ins = {n: lambda a: ArrayType(a.shape, a.dtype) if hasattr(a, "shape") else a for n in op.arguments}
            stand_ins |= dict.fromkeys((*op.residuals, "y"), lambda a: None)
            found = call.pull(i, rule, {n: f for n, f in stand_ins.items() if n not in words})
            numpy.testing.assert_array_equal(found.get(), expected.get(), err_msg=str(sample))
            assert words <= known
            for word in words:
                key = (0 if op.variadic else i, word)
                if needed.get(key):
                    continue
                needed[key] = touches(call, i, rule, word)
                if not needed[key] and op.residuals:  # the recorded walk recomputes what was kept aside
                    needed[key] = touches(lifted(call), i, rule, word)
    assert all(needed.values()), f"declared, but not read: {[key for key, touched in needed.items() if not touched]}"


def refusals() -> list:
    return [
        pytest.param(name, refusal, id=f"{name}-{i}")
        for name, row in TABLE.items()
        for i, refusal in enumerate(row.refusals)
    ]


@pytest.mark.parametrize("device", ("cpu", "strict"))
@pytest.mark.parametrize(("name", "refusal"), refusals())
def test_refusals(name: str, refusal: Refusal, device: str):
    """A wrong call is refused in one sentence: the operation, the argument, what was expected and what came."""
    sample = Sample(refusal.operands, refusal.attributes)
    with pytest.raises(refusal.error) as caught:
        run(name, sample, device)
    message = str(caught.value)
    for word in refusal.words:
        assert word in message, message
    assert message.endswith(".") and "\n" not in message
    if refusal.error is not kernel.DeviceError:
        assert message.startswith(f"{name}: "), message


@every_op
def test_a_typo_in_an_attribute_raises(name: str):
    for sample in TABLE[name].samples[:1]:
        with pytest.raises(TypeError, match="axsi"):
            kernel.apply(registry[name], *tensors_of(sample), **sample.attributes, axsi=1)


def test_what_infer_fills_in():
    """From the known shapes to the unknown ones where the rule decides, and never through a broadcast."""

    def filled(name: str, *shapes: Any, dtypes: tuple = (), **attributes: Any) -> tuple:
        dtypes = dtypes or (numpy.dtype("float32"),) * len(shapes)
        inputs, _ = registry[name].infer(*map(ArrayType, shapes, dtypes), **attributes)
        return tuple(t.shape for t in inputs)

    whole = (numpy.dtype("float32"), numpy.dtype("int64"))
    assert filled("matmul", (5, 3), (None, 4)) == ((5, 3), (3, 4))
    assert filled("matmul", (5, None), (3, 4)) == ((5, 3), (3, 4))
    assert filled("mv", (5, None), (3,)) == ((5, 3), (3,))
    assert filled("mv", (5, 3), (None,)) == ((5, 3), (3,))
    assert filled("dot", (None,), (3,)) == ((3,), (3,))
    assert filled("linear", (5, 3), (4, None), (None,)) == ((5, 3), (4, 3), (4,))
    assert filled("linear", (5, 3), None, (4,)) == ((5, 3), (4, 3), (4,))
    assert filled("linear", (5, 3), (None, 4), (None,), transposed=True) == ((5, 3), (3, 4), (4,))
    assert filled("cross_entropy", (5, 3), None, dtypes=whole) == ((5, 3), (5,))
    assert filled("cross_entropy", (None, 3), (5,), dtypes=whole) == ((5, 3), (5,))
    assert filled("soft_cross_entropy", (5, 3), None) == ((5, 3), (5, 3))
    assert filled("soft_cross_entropy", (None, 3), (5, None)) == ((5, 3), (5, 3))
    assert filled("stack", (None, 3), (2, 3)) == ((2, 3), (2, 3))
    assert filled("add", (None, 3), (4, 3)) == ((None, 3), (4, 3))
    assert filled("where", (None, 3), (4, 3), (), dtypes=(numpy.dtype("bool"), *whole)) == ((None, 3), (4, 3), ())


def test_a_shape_that_depends_on_data_says_so():
    assert {name for name in TABLE if registry[name].data_dependent} == {"nonzero"}
