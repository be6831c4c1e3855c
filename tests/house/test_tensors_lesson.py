"""What lesson 01 says of memory, floats and devices holds of the kernel as it is."""

import ast
from pathlib import Path

import numpy as np
import pytest

import kernel
from classroom import spec

LESSON = Path(__file__).parents[2] / "course" / "01_tensors"
ANSWERS = {exercise.name: exercise.function for exercise in spec.load(LESSON / "checks.py")}


def test_the_recorded_text_is_what_the_lesson_prints_on_the_strict_device() -> None:
    lesson = ast.parse((LESSON / "lesson.py").read_text(encoding="utf-8"))
    tour = next(each for each in lesson.body if isinstance(each, ast.FunctionDef) and each.name == "tour")
    names = {"kernel": kernel}
    exec(compile(ast.Module([tour], []), "tour", "exec"), names)
    origin, _, recorded = (LESSON / "data" / "gpu.txt").read_text(encoding="utf-8").partition("\n\n")
    assert recorded == names["tour"]("strict") + "\n"
    assert "no GPU was at hand" in origin


@pytest.mark.parametrize(("code", "kind"), ANSWERS["view_or_copy"]().items())
def test_a_view_is_seen_in_both_and_a_copy_in_one(code: str, kind: str) -> None:
    x = kernel.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    names = {"kernel": kernel, "x": x, "a": x.numpy(), "far": x.to("strict")}
    result = eval(code, names)
    result[...] = 100.0
    source = names["far"] if code.startswith("far") else x
    assert (100.0 in np.array(source.tolist())) == (kind == "view")


def test_the_float_facts_are_what_the_kernel_says() -> None:
    tenth, fifth, third = kernel.tensor([0.1, 0.2, 0.3], dtype=kernel.float64)
    with np.errstate(over="ignore"):
        beyond = kernel.tensor(70000.0).half().item()
    assert ANSWERS["float_facts"]() == {
        "bits of single precision": 8 * kernel.float32.itemsize,
        "bits of double precision": 8 * kernel.float64.itemsize,
        "largest float16": np.finfo(kernel.float16).max,
        "70000 in float16": beyond,
        "2049 in float16": kernel.tensor(2049.0).half().item(),
        "0.1 + 0.2 == 0.3 in float64": bool(tenth + fifth == third),
        "dtype of kernel.from_numpy(np.ones(5))": str(kernel.from_numpy(np.ones(5)).dtype),
        "dtype of kernel.tensor([1, 2]) / 2": str((kernel.tensor([1, 2]) / 2).dtype),
    }
