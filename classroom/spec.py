"""What an exercise is: the format of a lesson's `checks.py`.

A lesson folder `course/NN_name/` holds one `checks.py`, ordinary Python, that defines a list named `exercises`. The
right answer and the wrong ones are functions, and a wrong one carries, as its docstring, the sentence for the student:

    import kernel

    from classroom.spec import Case, Exercise


    def softmax(logits):
        shifted = kernel.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)


    def without_shift(logits):
        \"\"\"exp(1000) is inf and inf/inf is nan: subtract each row's largest logit before the exponential.\"\"\"
        exponentials = kernel.exp(logits)
        return exponentials / exponentials.sum(axis=1, keepdims=True)


    def softmax_cases(random, dtype):
        yield Case(kernel.tensor([[1.0, 2.0, 3.0]], dtype=dtype))  # public: the student sees its values
        yield Case(kernel.tensor(random.normal(size=(4, 5)), dtype=dtype, requires_grad=True))
        yield Case(kernel.tensor(1000 * random.normal(size=(2, 3)), dtype=dtype), note="large logits")


    exercises = [
        Exercise(
            softmax,
            title="Probabilities from logits",
            points=3,
            cases=softmax_cases,
            misconceptions=(without_shift, ...),
            hints=("...", "...", "..."),
        ),
    ]

The student writes a function of the reference's name and parameters, and calls `check("softmax")`. Reference, wrong
answers and the student's cell are run as source text: after the exercise's `setup` and the references that it `uses`,
in a namespace of their own. So each of them must stand alone: names from elsewhere in checks.py are not there.

A wrong answer may leave one number free, as a keyword-only parameter: it is tried with its default and then with the
numbers that stand in the student's cell, so that one function recognises every small number added in a logarithm:

    def tiny_added(logits, labels, *, tiny=1e-8):
        \"\"\"A small number added inside the logarithm puts a ceiling on the loss: use logsumexp.\"\"\"
        ...

Arguments are what they are in the Case: a kernel Tensor arrives as a Tensor (rebuilt on the device of the check), a
NumPy array as an array, and numbers, strings, None, tuples, lists and dicts of these as themselves. If an argument is a
Tensor with `requires_grad=True`, the gradient of the answer with respect to it is compared too.

An exercise whose answer is a value (a number, a string, a dict to fill in) has no cases: its reference is a function
without parameters that returns the value, the student's cell assigns the name, and the stub in the notebook is `...`:

    def promoted():                      # student: promoted = {"int64 + float32": ..., "bool + int64": ...}
        return {"int64 + float32": "float32", "bool + int64": "int64"}

    def numpy_rule():
        \"\"\"NumPy widens to float64 here; the kernel, like PyTorch, keeps the dtype of the floating operand.\"\"\"
        return {"int64 + float32": "float64"}

    Exercise(promoted, title="...", points=1, misconceptions=(numpy_rule, ...), hints=(...))

There a wrong dict may name only some of the keys; it is recognised when the student's entries agree on all of these.

A function's stub in the student's notebook is `raise NotImplementedError("write your answer here")`.
"""

import ast
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from classroom.cell import numbers

SETUP = "import math\nimport numpy as np\nimport kernel\n"
TOLERANCE = {"float64": 1e-9, "float32": 1e-5, "float16": 1e-3}

CaseGenerator = Callable[[np.random.Generator, str], "Iterable[Case]"]


class SpecError(ValueError):
    """A checks.py that does not say what it must, in a sentence for its author."""


class Case:
    """One call of the answer: `Case(first, second, note="large logits")`.

    Arguments:
        arguments: the positional arguments; Tensors, arrays, numbers, strings, None and tuples, lists, dicts of these.
        note: what is special about this case, shown to the student when it is the one that fails.
    """

    def __init__(self, *arguments: Any, note: str = "") -> None:
        self.arguments = arguments
        self.note = note

    def __repr__(self) -> str:
        return f"Case({', '.join(map(repr, self.arguments))}, note={self.note!r})"


@dataclass(frozen=True)
class Program:
    """A function or class as source text: its name, its source and its docstring in one line.

    `free` names the keyword-only parameter that stands for a number of the student's own choice, "" if none does.
    """

    name: str
    source: str
    sentence: str
    free: str = ""

    @classmethod
    def of(cls, function: Callable) -> "Program":
        """The program that defines `function`, read from its file."""
        source = _source_of(function)
        sentence = " ".join((inspect.getdoc(function) or "").split())
        return cls(function.__name__, source, sentence, next(iter(getattr(function, "__kwdefaults__", None) or ()), ""))

    def binding(self, name: str, number: float | None = None) -> str:
        """Source that defines `name` as this program does, whatever it is called itself."""
        source = self.source if name == self.name else f"{self.source}\n{name} = {self.name}\n"
        return source if number is None else f"{source}\n{name}.__kwdefaults__[{self.free!r}] = {number!r}\n"

    def numbers_to_try(self, cell: ast.Module | None) -> list[float | None]:
        """What may stand for the free number: those that the student's cell has; None for the program as it is."""
        return [None, *(numbers(cell) if self.free and cell else ())]


@dataclass(frozen=True)
class Exercise:
    """One exercise; see the head of this module for the whole format.

    Arguments:
        function: the reference (a function or class). Its name is the exercise's name, unique in the course; its
            parameters are the signature that the student keeps.
        title: a few words for the box and the map.
        points: what a right answer earns; there is no part of them.
        hints: three, from a nudge to nearly the line itself.
        misconceptions: at least four wrong answers, each with its sentence as docstring.
        cases: generator of cases from a numpy Generator and a dtype name; None where the answer is a value.
        public: how many of the first cases are fixed (they ignore `random`) and may be shown with their values.
        uses: names of earlier exercises whose references stand before the answer.
        setup: source that runs first; what the lesson's own first cell imports for the student.
        driver: a function `driver(answer, *arguments)`, run beside the answer, whose result is compared instead of
            `answer(*arguments)`; for classes, for views and copies, for anything that needs more than one call.
        mutates: parameters that the answer is meant to change in place; they are compared after the call.
        dtypes: the dtypes in which every case is run.
        devices: where the reference works; a check runs on the first, the tests on all.
        wide_reference: expect the values of the reference in float64; False where the dtype's rounding is the point.
        without: functions and methods by name that an answer may not use, since they are what it is to do itself.
        choices: the words to choose from, where a value's strings are such; capitals do not count, and another word is
            told so.
        tolerance: largest difference by dtype, relative to the larger of 1 and the largest expected magnitude.
        seconds: wall-clock limit of the whole run.
    """

    function: Callable
    title: str
    points: int
    hints: tuple[str, str, str]
    misconceptions: tuple[Callable, ...]
    cases: CaseGenerator | None = None
    public: int = 1
    uses: tuple[str, ...] = ()
    setup: str = SETUP
    driver: Callable | None = None
    mutates: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float64", "float32")
    devices: tuple[str, ...] = ("cpu", "strict")
    wide_reference: bool = True
    without: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    tolerance: dict[str, float] = field(default_factory=TOLERANCE.copy)
    seconds: float = 10.0

    # The sources are read while the file on disk is the one that was imported; an editor may change it later.
    reference: Program = field(init=False)
    wrong: tuple[Program, ...] = field(init=False)
    drive: Program | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", Program.of(self.function))
        object.__setattr__(self, "wrong", tuple(Program.of(function) for function in self.misconceptions))
        object.__setattr__(self, "drive", Program.of(self.driver) if self.driver else None)
        self._validate()

    @property
    def name(self) -> str:
        """What the student defines, and what `check` is called with."""
        return self.reference.name

    @property
    def is_value(self) -> bool:
        """True where the answer is a named value and not a function."""
        return self.cases is None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments of a case, as the box shows them."""
        names = tuple(inspect.signature(self.driver or self.function).parameters)
        return names[1:] if self.driver else names

    @property
    def signature(self) -> str:
        """`softmax(logits)`, or the bare name of a value."""
        return self.name if self.is_value else f"{self.name}{inspect.signature(self.function)}"

    def generate(self, seed: int, dtype: str) -> list[Case]:
        """The cases of one run; the same seed and dtype give the same cases."""
        if self.cases is None:
            return [Case()]
        return list(self.cases(np.random.default_rng(seed), dtype))

    def solution(self) -> str:
        """The reference as a student's cell would hold it."""
        if not self.is_value:
            return self.reference.source
        return f"{self.reference.source}\n{self.name} = {self.name}()\n"

    def _validate(self) -> None:
        if len(self.hints) != 3:
            raise SpecError(f"exercise {self.name} has {len(self.hints)} hints; give a ladder of three.")
        if self.is_value and inspect.signature(self.function).parameters:
            raise SpecError(f"exercise {self.name} takes arguments but has no cases; give cases=.")
        for program in self.wrong:
            if not program.sentence:
                raise SpecError(f"misconception {program.name} of {self.name} needs a docstring: the sentence to show.")
        names = [program.name for program in self.wrong]
        if len({self.name, *names}) != 1 + len(names):
            raise SpecError(f"the programs of exercise {self.name} need different names; they are {names}.")
        unknown = set(self.mutates) - set(self.parameters)
        if unknown:
            raise SpecError(
                f"exercise {self.name} cannot mutate {sorted(unknown)}: its parameters are {self.parameters}."
            )


def _source_of(function: Callable) -> str:
    """The lines that define a function or class, as `inspect.getsource` finds them, but each file is read once."""
    file = inspect.getsourcefile(function)
    lines, definitions = _definitions(file, os.stat(file).st_mtime_ns)
    key = function.__qualname__ if isinstance(function, type) else function.__code__.co_firstlineno
    begin, end = definitions[key]
    return textwrap.dedent("".join(lines[begin - 1 : end]))


@lru_cache(16)
def _definitions(file: str, changed: int) -> tuple[list[str], dict[str | int, tuple[int, int]]]:
    """The lines of a file, and (first line, last line) of what it defines: functions by their line, classes by name."""
    text = Path(file).read_text(encoding="utf-8")
    found: dict[str | int, tuple[int, int]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name if isinstance(node, ast.ClassDef) else begin] = (begin, node.end_lineno)
    return text.splitlines(keepends=True), found


def load(file: Path) -> list[Exercise]:
    """The exercises of one checks.py; read again only when the file has changed.

    Errors: SpecError when the file defines no list named `exercises`.
    """
    found = file.stat()
    return list(_loaded(file, found.st_mtime_ns, found.st_size))


@lru_cache(64)
def _loaded(file: Path, changed: int, size: int) -> list[Exercise]:
    module = ModuleType(f"gradschool_checks_{file.parent.name}")
    module.__file__ = str(file)
    # inspect finds the source of a class through its module's entry here.
    sys.modules[module.__name__] = module
    # Compiled here and not imported, because an import would leave a __pycache__ in the course.
    exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)
    exercises = getattr(module, "exercises", None)
    if not isinstance(exercises, list) or not all(isinstance(exercise, Exercise) for exercise in exercises):
        raise SpecError(f"{file} must define `exercises`, a list of Exercise.")
    return exercises
