"""Building notebooks from their text twins."""

from pathlib import Path

import nbformat
import pytest

from classroom import author, course
from classroom.student import NOT_WRITTEN, student_version, without_solutions


def write_lesson(folder: Path, *cells: str) -> Path:
    folder.mkdir(parents=True)
    twin = folder / "lesson.py"
    head = "# ---\n# jupyter:\n#   gradschool:\n#     title: T\n#     minutes: 1\n# ---\n"
    twin.write_text(head + "".join(f"\n# %%\n{cell}\n" for cell in cells))
    return twin


def test_building_again_changes_no_byte(small_course: Path) -> None:
    lesson = course.find_lesson("00")
    before = {path: path.read_bytes() for path in lesson.notebooks}
    assert list(author.build(lesson).values()) == [False, False]
    assert {path: path.read_bytes() for path in lesson.notebooks} == before


def test_a_lost_or_broken_notebook_is_rebuilt_byte_for_byte(small_course: Path) -> None:
    lesson = course.find_lesson("01")
    (notebook,) = lesson.notebooks
    before = notebook.read_bytes()
    notebook.unlink()
    assert author.build(lesson) == {notebook: True}
    assert notebook.read_bytes() == before
    notebook.write_text("<<<<<<< a merge with conflicts")
    assert author.build(lesson) == {notebook: True}
    assert notebook.read_bytes() == before


def test_a_built_notebook_agrees_with_its_twin(built_course: Path) -> None:
    twins = sorted(built_course.glob("*/lesson.py")) + sorted(built_course.glob("*/exercises.py"))
    assert len(twins) == 3
    for twin in twins:
        assert author.differences(twin) == []


def test_differences_name_the_cell_that_departs(small_course: Path) -> None:
    twin = small_course / "00_first" / "lesson.py"
    twin.write_text(twin.read_text().replace("np.arange(3)", "np.arange(4)").replace('tags=["figure"]', 'tags=["x"]'))
    assert author.differences(twin) == ["cell 2: source differs", "cell 3: metadata differs"]
    notebook = nbformat.read(twin.with_suffix(".ipynb"), as_version=4)
    notebook.cells[1].execution_count = 7
    nbformat.write(notebook, twin.with_suffix(".ipynb"))
    assert "execution counts are [7, 2, 3, 4], not 1 to 4" in author.differences(twin)[-1]


def test_saved_outputs_are_those_of_every_machine(built_course: Path) -> None:
    notebook = nbformat.read(built_course / "00_first" / "lesson.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].outputs[0].text == "[0 1 2]\n"
    assert "image/png" in code[1].outputs[0].data
    assert set(code[2].outputs[0].data) == {"text/plain", "text/html"}
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"gradschool", "kernelspec", "language_info"}
    assert all("execution" not in cell.metadata for cell in code)


def cells_with_ids(*cells: tuple[str, str, str]) -> list[nbformat.NotebookNode]:
    return [nbformat.from_dict({"cell_type": kind, "source": text, "id": name}) for kind, text, name in cells]


def test_an_edited_cell_keeps_its_id_and_a_new_one_gets_its_own() -> None:
    old = cells_with_ids(("markdown", "title", "a"), ("code", "x = 1", "b"), ("code", "print(x)", "c"))
    new = cells_with_ids(
        ("markdown", "title", ""), ("code", "x = 2", ""), ("code", "print(x)", ""), ("markdown", "end", "")
    )
    author.keep_ids(new, old)
    assert [cell.id for cell in new[:3]] == ["a", "b", "c"]
    assert new[3].id not in ("a", "b", "c", "")


def test_equal_cells_get_different_ids_and_a_moved_file_the_same_ones() -> None:
    ids = []
    for _ in range(2):
        cells = cells_with_ids(("code", "x", ""), ("code", "x", ""))
        author.keep_ids(cells, [])
        ids.append([cell.id for cell in cells])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("# %matplotlib inline", r"cell 1, line 1: not plain Python \(invalid syntax\); a lesson holds no magics"),
        ("# !ls", "a lesson holds no magics"),
        ("get_ipython()", r"cell 1: get_ipython\(\) makes a lesson depend"),
        ("### BEGIN SOLUTION\nx = 1", "cell 1: the line '### BEGIN SOLUTION' has no partner"),
        ("x = 1\n### END SOLUTION", "cell 1: the line '### END SOLUTION' has no partner"),
    ],
)
def test_a_twin_that_cannot_be_a_lesson_is_refused_before_it_runs(tmp_path: Path, cell: str, sentence: str) -> None:
    twin = write_lesson(tmp_path / "00_bad", cell)
    with pytest.raises(author.BuildError, match=sentence):
        author.build_notebook(twin)
    assert not twin.with_suffix(".ipynb").exists()


def test_a_failing_cell_is_shown_and_the_old_notebook_stays(small_course: Path) -> None:
    twin = small_course / "01_second" / "lesson.py"
    before = twin.with_suffix(".ipynb").read_bytes()
    twin.write_text(twin.read_text().replace('print("second")', '{}["gone"]'))
    with pytest.raises(author.BuildError, match=r"a cell failed with KeyError: 'gone'"):
        author.build_notebook(twin)
    assert twin.with_suffix(".ipynb").read_bytes() == before


def test_outputs_that_no_two_runs_share_are_refused() -> None:
    def problem(**output: object) -> list[str]:
        cell = nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output(**output)])
        return list(author.clean(nbformat.v4.new_notebook(cells=[cell])))

    assert (
        "writes to stderr (UserWarning: old)"
        in problem(output_type="stream", name="stderr", text="UserWarning: old")[0]
    )
    assert "memory address" in problem(output_type="stream", name="stdout", text="<f at 0x7f00>")[0]
    widget = {"text/plain": "Slider()", author.WIDGET_VIEW: {"model_id": "x"}}
    assert "no static picture" in problem(output_type="display_data", data=widget)[0]
    assert problem(output_type="display_data", data={**widget, "text/html": "<img>"}) == []


def test_the_students_version_holds_no_solution(built_course: Path) -> None:
    notebook = nbformat.read(built_course / "00_first" / "exercises.ipynb", as_version=4)
    assert notebook.cells[1].metadata.nbgrader.grade_id == "double"
    student = student_version(notebook)
    assert student.cells[1].source == (
        'def double(x):\n    """Twice x."""\n    if x is None:\n'
        '        raise NotImplementedError("write your answer here")\n'
        '    raise NotImplementedError("write your answer here")'
    )
    assert student.cells[1].metadata.deletable is False
    assert all(
        cell.outputs == [] and cell.execution_count is None for cell in student.cells if cell.cell_type == "code"
    )
    assert student.cells[2].source == notebook.cells[2].source
    assert "SOLUTION" in notebook.cells[1].source, "the author's notebook is left as it is"
    nbformat.validate(student)


@pytest.mark.parametrize(
    ("solution", "stub"),
    [
        ("half_life = 20.8  # log(2) / log(1 / 0.9672)", "half_life = ..."),
        ("first, second = (2, 3), 4", NOT_WRITTEN),
        (
            'promoted = {"int64 + float32": "float32", "bool + int64": kernel.int64}',
            'promoted = {\n    "int64 + float32": ...,\n    "bool + int64": ...,\n}',
        ),
        ("shape = {**other}", "shape = ..."),
        ("def f(x):\n    return x", NOT_WRITTEN),
        ("", NOT_WRITTEN),
    ],
)
def test_a_solution_at_the_margin_leaves_its_names_and_keys(solution: str, stub: str) -> None:
    assert (
        without_solutions(f"a = 1\n### BEGIN SOLUTION\n{solution}\n### END SOLUTION\nb = 2") == f"a = 1\n{stub}\nb = 2"
    )
