"""Every figure that the CNTK course on learners prints is printed by a cell of a lesson that nbval compares."""

from pathlib import Path

import nbformat
import pytest

COURSE = Path(__file__).parents[2] / "course"
# Where each figure stands, with words of its line; tests/kernel/test_seed_learners.py has them in float32.
FIGURES = [
    ("05_learners", "array([-0.5, -0.5], dtype=float32)"),
    ("05_learners", "array([-0.25, -0.25], dtype=float32)"),
    ("05_learners", "adadelta [-0.0099 -0.0099]"),
    ("05_learners", "adagrad [-0.3125 -0.3125]"),
    ("05_learners", "adam [-9.9203 -9.9203]"),
    ("05_learners", "adamax [-9.9227 -9.9227]"),
    ("05_learners", "fsadagrad [-8.8573 -8.8573]"),
    ("05_learners", "rmsprop [-0.3125 -0.3125]"),
    ("05_learners", "adadelta, rate 1004 [-9.9228 -9.9228]"),
    ("06_schedules", "[-0.5] with <0.5; per sample>"),
    ("06_schedules", "[-0.25] with <0.5; per minibatch>"),
    ("07_momentum", "momentum for a time constant of 300: 0.9672161004820059"),
    ("07_momentum", "its time constant again: 300.0"),
    ("07_momentum", "[-1.436 -1.436] [-1.436 -1.436] [-1.436 -1.436]"),
    ("08_own_learner", "[-0.5397 -0.5397]"),
    ("08_own_learner", "[-0.1562 -0.1562]"),
]


def compared(lesson: str) -> str:
    """What the code cells of a lesson print that nbval compares, with single spaces."""
    notebook = nbformat.read(COURSE / lesson / "lesson.ipynb", as_version=4)
    texts = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", ())):
            continue
        assert "NBVAL_" not in cell.source, "a tag says it, where this test sees it"
        texts += [output["text"] for output in cell.outputs if output.output_type == "stream"]
    return " ".join(" ".join(texts).split())


@pytest.mark.parametrize(("lesson", "figure"), FIGURES)
def test_a_figure_of_the_course_is_printed_and_compared(lesson: str, figure: str) -> None:
    assert figure in compared(lesson)
