"""What a student calls in a notebook, from the cells that were run to the box."""

import errno
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import IPython
import nbformat
import numpy as np
import pytest

import classroom
from classroom import clerk, notebook, progress
from classroom.box import Box, Listing, Table
from classroom.course import find_lesson
from classroom.lesson_check import check_lesson
from classroom.verdict import Verdict

RIGHT = """
def softmax(logits):
    exponentials = kernel.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
"""
WRONG = RIGHT.replace("axis=1", "axis=0")


def stored(name: str) -> progress.Record:
    return progress.read()[0].get(name, progress.Record())


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch, sample_course: Path) -> list[str]:
    """The cells that were run, in a notebook of the sample course."""
    history: list[str] = [""]
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=history))
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(notebook, "_runs_seen", [])
    monkeypatch.setattr(notebook, "_checked", {})
    return history


def run(cell: str, source: str) -> None:
    """What happens where a cell with an id is run, as in JupyterLab."""
    notebook._note_run(SimpleNamespace(raw_cell=source, cell_id=cell))


def test_the_answer_is_the_cell_as_it_was_last_run(cells: list[str]) -> None:
    assert notebook.last_cell("softmax") is None
    cells += ["from kernel import softmax", "print(softmax)"]
    assert notebook.last_cell("softmax") is None
    cells += [WRONG, RIGHT, "softmax(3)", "%%timeit\nsoftmax(3)", "check('softmax')"]
    assert notebook.last_cell("softmax") == RIGHT
    cells += ["def softmax(logits:\n    return"]
    assert notebook.last_cell("softmax") == cells[-1]
    cells += ["softmax: int = 3"]
    assert notebook.last_cell("softmax") == cells[-1]


def test_check_counts_and_keeps_the_best(cells: list[str]) -> None:
    box = classroom.check("softmax")
    assert box.sentence == "No cell that defines softmax was run in this session: run your answer's cell, then check."
    assert stored("softmax").attempts == 0
    cells.append(WRONG)
    box = classroom.check("softmax")
    assert box.status == "wrong"
    assert box.heading == "Not right yet · Probabilities from logits · 0 of 3 points"
    assert box.sentence == "Each column adds up to 1, not each row: the classes are axis 1."
    assert stored("softmax").misconception == "down_the_batch"
    cells.append(RIGHT)

    def softmax() -> None: ...

    assert classroom.check(softmax).heading == "Right · Probabilities from logits · 3 of 3 points"
    cells.append("def softmax(logits):\n    raise NotImplementedError('write your answer here')")
    assert classroom.check("softmax").status == "not attempted"
    assert stored("softmax") == progress.Record(attempts=2, points=3, solved=True)


def test_a_cell_that_was_not_run_again_is_told(cells: list[str]) -> None:
    remark = "No cell was run since the check before: after a change, run the cell and then check."
    cells.append(WRONG + "# first")
    assert remark not in classroom.check("softmax").parts
    cells.append("from classroom import hint\nhint('softmax')  # a command is no answer")
    assert remark in classroom.check("softmax").parts
    cells.append(WRONG + "# first")
    assert remark not in classroom.check("softmax").parts
    cells.append(RIGHT)
    classroom.check("softmax")
    assert remark not in classroom.check("softmax").parts


@pytest.mark.parametrize("instead", ["# I do not know", "x = 1", ""])
@pytest.mark.parametrize("answer", [RIGHT, WRONG])
def test_an_answer_that_its_cell_no_longer_holds_is_gone(cells: list[str], answer: str, instead: str) -> None:
    run("a", answer)
    run("b", "check('softmax')")
    assert classroom.check("softmax").status in ("right", "wrong")
    run("a", instead)
    run("b", "check('softmax')")
    box = classroom.check("softmax")
    assert box.status == "not attempted"
    assert box.sentence.startswith("No cell that defines softmax was run in this session")
    assert not any("since the check before" in part for part in box.parts if isinstance(part, str))
    assert stored("softmax").attempts == 1


def test_the_box_of_a_value_shows_the_entry_in_question(cells: list[str]) -> None:
    run("a", "promoted = {'int64 + float32': 'float64', 'bool + int64': 'int64', 'items': 3}")
    tables = [part for part in classroom.check("promoted").parts if isinstance(part, Table)]
    assert tables == [Table("You wrote", [["int64 + float32", "'float64'"]])]
    run("b", "half_life = 0.25")
    assert not any(isinstance(part, Table) for part in classroom.check("half_life").parts)


def test_an_answer_that_was_given_another_name_is_told(cells: list[str]) -> None:
    run("a", RIGHT)
    assert classroom.check("softmax").status == "right"
    run("a", RIGHT.replace("def softmax", "def soft_max"))
    assert "but one defines soft_max: name it softmax" in classroom.check("softmax").sentence
    run("c", WRONG)
    assert classroom.check("softmax").status == "wrong"
    run("c", "")
    cells.append(RIGHT)
    assert classroom.check("softmax").status == "right"


def test_the_shell_tells_which_cell_was_run() -> None:
    """In a real IPython: an answer from before the import, its cell with an id, and the cell emptied."""
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def run(source, cell):
    shell.run_cell(source, store_history=True, cell_id=cell).raise_error()
run("early = 1", "z")
run("from classroom import notebook", "y")
run("answer = 2", "a")
run("assert notebook.last_cell('early') == 'early = 1'", "b")
run("assert notebook.last_cell('answer') == 'answer = 2'", "b")
run("# gone", "a")
run("assert notebook.last_cell('answer') is None", "b")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(clerk.HOUSE))


@pytest.mark.parametrize("command", ["check", "hint", "solution", "reset"])
def test_a_command_without_a_name_lists_the_exercises(cells: list[str], command: str) -> None:
    box = getattr(classroom, command)()
    assert (box.status, box.heading) == ("unavailable", f"{command}()")
    assert box.sentence.startswith('Say which exercise you mean by its name in quotes, such as "softmax": the exer')


def test_the_exercises_listed_are_those_of_the_lesson_at_hand(
    monkeypatch: pytest.MonkeyPatch, cells: list[str]
) -> None:
    monkeypatch.delenv("GRADSCHOOL_COURSE")
    assert "softmax" in classroom.check("zzz").sentence
    cells += ["softmax = 3", "def slopes(x, y:", "import numpy as np\n\ndef slopes(x, y):\n    return x"]
    here = "the exercises of 02_autodiff are slopes, linear_vjp, accumulation, loop_slope, walk_back, frameworks."
    assert classroom.check("zzz").sentence == f"There is no exercise named 'zzz'; {here}"
    assert classroom.hint().sentence == f'Say which exercise you mean by its name in quotes, such as "slopes": {here}'
    cells.append("check('stack_channels')")
    assert "of 01_tensors are stack_channels" in classroom.check().sentence


@pytest.mark.parametrize("name", ["Softmax", "soft_max", "sofmax"])
def test_an_answer_under_another_name_is_found(cells: list[str], name: str) -> None:
    cells.append(RIGHT.replace("def softmax", f"def {name}"))
    assert classroom.check("softmax").sentence == (
        f"No cell that was run defines softmax, but one defines {name}: name it softmax, run it, then check."
    )


def test_what_a_course_prints_while_it_is_read_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lesson = tmp_path / "00_loud"
    lesson.mkdir()
    (lesson / "lesson.py").write_text(
        "# ---\n# jupyter:\n#   gradschool:\n#     title: Loud\n#     minutes: 1\n# ---\n"
    )
    (lesson / "checks.py").write_text("print('hello')\nexercises = []")
    monkeypatch.setenv("GRADSCHOOL_COURSE", str(tmp_path))
    assert classroom.check("softmax").sentence.endswith("the course has no exercises.")


def test_a_machine_that_can_start_nothing_more_is_told(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert classroom.check("softmax").sentence.startswith("The check could not start a Python of its own (Cannot all")


def test_hints_come_one_by_one_and_open_the_solution(cells: list[str]) -> None:
    cells.append(WRONG)
    locked = classroom.solution("softmax")
    assert locked.status == "not attempted"
    assert locked.sentence == "The solution opens with a right answer, or after 3 more attempts and 3 more hints."
    assert "exponentials" not in repr(locked)
    for number, sentence in enumerate(("Look at the formula.", "Look at the axis.", "It is one line."), start=1):
        box = classroom.hint("softmax")
        assert box.heading == f"Hint {number} of 3 · Probabilities from logits"
        assert box.sentence == sentence
    assert "Look at the axis." in repr(classroom.check("softmax"))
    assert classroom.hint("softmax").sentence == (
        "These are all the hints; the solution opens with a right answer, or after 2 more attempts."
    )
    classroom.check("softmax")
    classroom.check("softmax")
    assert 'solution("softmax")' in classroom.hint("softmax").sentence
    assert "exponentials" in repr(classroom.solution("softmax"))
    assert stored("softmax").solution_shown
    assert "points already earned stay earned" in classroom.reset("softmax").sentence
    assert stored("softmax") == progress.Record(solution_shown=True)
    cells.append(RIGHT)
    classroom.check("softmax")
    classroom.reset("softmax")
    assert stored("softmax") == progress.Record(points=3, solved=True, solution_shown=True)


def test_a_right_answer_opens_the_solution(cells: list[str]) -> None:
    progress.note(Verdict("half_life", "", "right", "", 1, 1))
    assert "half_life = half_life()" in repr(classroom.solution("half_life"))


@pytest.mark.parametrize("command", ["check", "hint", "solution", "reset"])
def test_an_unknown_name_gets_the_nearest(cells: list[str], command: str) -> None:
    box = getattr(classroom, command)("sofmax")
    assert box.status == "unavailable"
    assert box.sentence == "There is no exercise named 'sofmax'; did you mean 'softmax'?"
    assert "the exercises are softmax, crossentropy" in getattr(classroom, command)("zzz").sentence


def test_the_map_shows_every_exercise(cells: list[str]) -> None:
    progress.note(Verdict("softmax", "", "right", "", 3, 3))
    box = classroom.progress_map("00")
    assert box.sentence == "3 of 9 points."
    assert box.heading == "Progress · 00_sample"
    rows = {row[0]: row for row in box.parts[0].rows}
    assert rows["softmax"] == ("softmax", "✔ solved", "3 of 3", "1", "0 of 3")
    assert rows["rescale"][1] == "○ open"
    assert classroom.progress_map("17").sentence.startswith("No lesson begins with '17'")


def test_the_map_of_several_lessons_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = [{"name": name, "exercises": [{"name": f"in_{name}", "points": 2}]} for name in ("00_a", "01_b")]
    monkeypatch.setattr(classroom.notebook, "ask", lambda _: {"lessons": lessons})
    table = classroom.progress_map().parts[0]
    assert table.head[:2] == ("exercise", "lesson")
    assert [row[:2] for row in table.rows] == [("in_00_a", "00_a"), ("in_01_b", "01_b")]


def test_the_check_does_not_trust_the_notebook(
    cells: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A patched NumPy, a file named kernel.py and a changed path in the notebook's own process change nothing."""
    cells.append(WRONG)
    (tmp_path / "kernel.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "numpy.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(np, "allclose", lambda *arguments, **options: True)
    monkeypatch.setattr(np, "array_equal", lambda *arguments, **options: True)
    assert classroom.check("softmax").status == "wrong"
    cells.append(RIGHT)
    assert classroom.check("softmax").status == "right"


def test_damaged_progress_is_told_in_the_box(cells: list[str]) -> None:
    cells.append(RIGHT)
    file = progress.progress_file()
    file.parent.mkdir(parents=True)
    file.write_text("{")
    box = classroom.check("softmax")
    assert box.status == "right"
    assert "progress.damaged-1.json" in repr(box)


def test_a_lesson_with_a_mistake_is_no_fault_of_the_student(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lesson = tmp_path / "00_broken"
    lesson.mkdir()
    header = "# ---\n# jupyter:\n#   gradschool:\n#     title: Broken\n#     minutes: 1\n# ---\n"
    (lesson / "lesson.py").write_text(header)
    monkeypatch.setenv("GRADSCHOOL_COURSE", str(tmp_path))
    (lesson / "checks.py").write_text("exercises = 3")
    assert classroom.check("softmax").sentence.endswith("must define `exercises`, a list of Exercise.")
    (lesson / "checks.py").write_text("import nothing_of_that_name")
    box = classroom.check("softmax")
    assert box.status == "unavailable"
    assert box.sentence == (
        "The check itself stopped, which is no fault of your answer: "
        "ModuleNotFoundError: No module named 'nothing_of_that_name'"
    )


def test_a_check_that_hangs_is_stopped(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "PATIENCE", 0.5)
    monkeypatch.setattr(clerk, "START", "import time; time.sleep(60)")
    assert classroom.check("softmax").sentence == "The check gave no answer within 0.5 seconds and was stopped."


def test_an_interrupted_check_ends_politely(cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen] = []
    real = subprocess.Popen.communicate

    def interrupted(process: subprocess.Popen, *arguments: object, **options: object) -> object:
        if not started:
            started.append(process)
            raise KeyboardInterrupt
        return real(process, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    assert classroom.check("softmax").sentence == "The check was interrupted; nothing was counted."
    assert started[0].returncode is not None


def test_without_a_notebook_there_is_no_cell(monkeypatch: pytest.MonkeyPatch, sample_course: Path) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert classroom.check("softmax").status == "not attempted"


def test_importing_classroom_is_light() -> None:
    code = (
        "import sys; import classroom; assert 'numpy' not in sys.modules; from classroom import check; "
        "assert 'kernel' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(clerk.HOUSE))
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        _ = classroom.chekc


def code_cell(source: str, grade_id: str = "") -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source)
    if grade_id:
        cell.metadata["nbgrader"] = {"grade_id": grade_id, "solution": True, "schema_version": 3}
    return cell


def test_a_notebook_file_is_matched_by_grade_id_and_then_by_name(sample_course: Path, tmp_path: Path) -> None:
    file = tmp_path / "exercises.ipynb"
    other = WRONG + "\n# a draft below, never handed in"
    cells = [
        nbformat.v4.new_markdown_cell("# softmax"),
        code_cell(RIGHT, "softmax"),
        code_cell("half_life = 2.0"),
        code_cell("half_life = 0.5"),
        code_cell("def rescale(weights, rate):\n    return ("),
        code_cell(other),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    verdicts = {verdict.exercise: verdict for verdict in check_lesson(find_lesson("00"), file)}
    assert {name: verdict.status for name, verdict in verdicts.items()} == {
        "softmax": "right",
        "crossentropy": "not attempted",
        "rescale": "not attempted",
        "Scale": "not attempted",
        "promoted": "not attempted",
        "half_life": "right",
    }
    assert json.loads(json.dumps(verdicts["softmax"].to_dict()))["points"] == 3


class Outline(HTMLParser):
    """Tags, attributes and text of a piece of HTML; unbalanced tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: dict[str, str] = {}
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.open.append(tag)
        assert tag not in ("script", "img", "b")
        self.attributes |= dict(attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_of_a_student_becomes_html_or_a_terminal_code() -> None:
    evil = '<script>alert(1)</script><b>"\x1b[31m\x00\ud800'
    box = Box("wrong", evil, evil, (evil, Table(evil, [(evil, evil)], (evil, evil)), Listing(evil, evil)))
    outline = Outline(box._repr_html_())
    assert outline.text.count("<script>alert(1)</script><b>") == 10
    assert "\x1b" not in outline.text + repr(box)
    (outline.text + repr(box)).encode()
    assert "\x00" not in outline.text + repr(box)


def test_a_box_has_a_name_a_symbol_and_the_same_words_in_text() -> None:
    box = Box(
        "wrong",
        "Softmax",
        "The result is `nan`.",
        (Table("The case", [("got", "[[1 2]\n [3 4]]"), ("expected", "[0]")]), Listing("Printed:", "one\ntwo"), "Bye."),
    )
    outline = Outline(box._repr_html_())
    assert outline.attributes["role"] in ("group", "status")
    assert 'aria-label="Softmax"' in box._repr_html_()
    assert "<code>nan</code>" in box._repr_html_()
    assert repr(box) == (
        "✘ Softmax\n  The result is `nan`.\n  The case\n    got       [[1 2]\n               [3 4]]\n"
        "    expected  [0]\n  Printed:\n    one\n    two\n  Bye."
    )
    for word in ("✘", "Softmax", "The result is", "expected", "[3 4]", "one\ntwo", "Bye."):
        assert word in outline.text


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ground", ["#FFFFFF", "#111111"])
def test_borders_and_symbols_stand_out_in_both_themes(ground: str) -> None:
    from classroom.box import LOOKS

    for _, colour in LOOKS.values():
        light, dark = sorted((_luminance(colour), _luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3
    assert len({symbol for symbol, _ in LOOKS.values()}) == len(LOOKS)
