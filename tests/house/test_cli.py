"""The gradschool command, as a person types it."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from classroom import cli, doctor, progress
from classroom import workspace as student_folder
from classroom.doctor import Finding

WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def gradschool(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), env=WIDE, prog_name="gradschool")


def shell(*arguments: str) -> subprocess.CompletedProcess:
    """The command in a process of its own, for what only the real one shows: streams and exit codes of errors."""
    command = [sys.executable, "-c", "from classroom.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **WIDE}, timeout=60)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list:
    """Instead of JupyterLab: a list of the commands and environments it would have been started with."""
    calls = []
    monkeypatch.setattr(
        student_folder, "run_lab", lambda command, environment: calls.append((command, environment)) or 0
    )
    return calls


def test_help_names_every_command_and_where_to_begin() -> None:
    text = gradschool("--help").output
    assert "Begin with gradschool lab" in text
    for name in ("lab", "lessons", "check", "reset", "doctor", "author"):
        assert f" {name} " in text


@pytest.mark.parametrize("name", ["lab", "lessons", "check", "reset", "doctor", "author build"])
def test_every_command_explains_itself(name: str) -> None:
    result = gradschool(*name.split(), "--help")
    assert result.exit_code == 0
    assert f"Usage: gradschool {name}" in result.output


PAGES = ["", "lab", "lessons", "check", "reset", "doctor", "author", "author build"]


@pytest.mark.parametrize("width", [60, 80, 120, 300])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_help_is_text_for_people(name: str, width: int) -> None:
    result = CliRunner().invoke(cli.app, [*name.split(), "--help"], env={**WIDE, "COLUMNS": str(width)})
    assert not set("<>{}╭│") & set(result.output)
    assert "[default" not in result.output
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert max(map(len, lines)) <= min(width, 100)
    options = [line.split("  ")[1] for line in lines[lines.index("Options") + 1 :] if line.startswith("  -")]
    assert options[-1] == "-h, --help"


def test_a_paragraph_of_help_breaks_only_at_the_edge_of_the_screen() -> None:
    lines = [line.rstrip() for line in gradschool("doctor", "--help").output.splitlines()]
    (start,) = (index for index, line in enumerate(lines) if line.startswith("It looks at"))
    assert lines[start].endswith("your workspace, files of yours that hide a")
    assert lines[start + 2] == ""


def test_usage_names_the_words_to_type() -> None:
    usage = {name: gradschool(*name.split(), "--help").output.splitlines()[0] for name in PAGES}
    assert usage["lab"].endswith("gradschool lab [LESSON] [OPTIONS]")
    assert usage["reset"].endswith("gradschool reset LESSON [EXERCISE] [OPTIONS]")
    assert usage["author build"].endswith("gradschool author build LESSON... [OPTIONS]")
    assert usage[""].endswith("gradschool COMMAND ...")
    assert "Usage: gradschool reset LESSON [EXERCISE] [OPTIONS]" in gradschool("reset").output


def test_version() -> None:
    from kernel.version import __version__

    assert gradschool("--version").output == f"gradschool {__version__}\n"


def test_lab_fills_the_workspace_and_opens_the_first_lesson(small_course: Path, workspace: Path, started: list) -> None:
    result = gradschool("lab", "--no-browser", "--port", "9999")
    assert result.exit_code == 0, result.output
    assert f"New in {workspace}: 00_first, 01_second" in result.output
    assert "Opening 00 A first lesson" in result.output
    ((command, environment),) = started
    assert command[:4] == [sys.executable, "-P", "-m", "jupyterlab"]
    assert "--LabApp.default_url=/lab/tree/00_first/lesson.ipynb" in command
    assert "--no-browser" in command
    assert "--ServerApp.port=9999" in command
    assert environment["GRADSCHOOL_WORKSPACE"] == str(workspace)
    again = gradschool("lab", "01")
    assert again.output.splitlines() == ["Opening 01 A second lesson; to stop, press Ctrl-C twice here."]
    assert "--no-browser" not in started[1][0]


def test_lab_takes_another_folder(
    small_course: Path, workspace: Path, started: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADSCHOOL_WORKSPACE", str(workspace))  # the command sets it, and this puts it back
    elsewhere = tmp_path / "elsewhere"
    assert gradschool("lab", "--dir", str(elsewhere)).exit_code == 0
    assert (elsewhere / "00_first" / "lesson.ipynb").is_file()
    assert not workspace.exists()
    assert started[0][1]["GRADSCHOOL_WORKSPACE"] == str(elsewhere)


def test_lab_tells_what_an_update_did(small_course: Path, workspace: Path, started: list) -> None:
    gradschool("lab")
    for folder, text in ((workspace, "mine"), (small_course, "theirs")):
        (folder / "00_first" / "data" / "numbers.csv").write_text(text)
    (workspace / "01_second" / "lesson.ipynb").unlink()
    output = gradschool("lab").output
    assert (
        "00_first/data/numbers.csv has a new version, and you changed yours: yours stays, "
        "the new one is 00_first/data/numbers-new-version.csv." in output
    )
    assert "01_second/lesson.ipynb was gone and is back." in output


def test_the_map_shows_minutes_points_and_progress(small_course: Path, workspace: Path) -> None:
    from classroom.verdict import Verdict

    assert "0 of 1" in gradschool("lessons").output
    progress.note(Verdict("double", "", "right", "", 2, 2))
    lines = [line.split() for line in gradschool("lessons").output.splitlines()]
    assert lines[1] == ["00", "A", "first", "lesson", "5", "2/2", "1", "of", "1", "✓"]
    assert lines[2] == ["01", "A", "second", "lesson", "40", "0/0", "to", "read"]
    assert lines[3] == ["together", "45", "2/2"]


def test_reset_says_where_the_old_version_is(small_course: Path, workspace: Path, started: list) -> None:
    gradschool("lab")
    notebook = workspace / "00_first" / "exercises.ipynb"
    content = nbformat.read(notebook, as_version=4)
    content.cells[1].source = "def double(x):\n    return x"
    nbformat.write(content, notebook)
    output = gradschool("reset", "00", "double").output
    kept = Path(output.split("What you had written is in ")[1].strip())
    assert nbformat.read(kept, as_version=4).cells[1].source.endswith("return x")
    assert "NotImplementedError" in nbformat.read(notebook, as_version=4).cells[1].source
    again = gradschool("reset", "00", "double")
    assert (again.exit_code, again.output) == (0, "Started over: double of lesson 00.\n")
    # As a shell passes a variable that was never set: the whole lesson is not meant.
    assert "there is no exercise ''" in shell("reset", "00", "").stderr
    assert gradschool("reset", "00").output == "Started over: all exercises of lesson 00.\n"
    assert len(list((workspace / "backups").iterdir())) == 1


def test_check_says_of_every_answer_what_is_wrong_with_it(small_course: Path, workspace: Path, started: list) -> None:
    gradschool("lab")
    notebook = workspace / "00_first" / "exercises.ipynb"
    content = nbformat.read(notebook, as_version=4)
    for source, code, said in [
        (content.cells[1].source, 1, "○ not attempted  Twice a number · 0/2 points"),
        ("def double(x):\n    return x * x", 1, "Double means x + x, not x times x: look at x = 3."),
        ("def double(x):\n    return x + x", 0, "✓ right  Twice a number · 2/2 points"),
    ]:
        content.cells[1].source = source
        nbformat.write(content, notebook)
        result = gradschool("check", "00")
        assert said in result.output
        assert result.exit_code == code
    assert "2/2" in gradschool("lessons").output
    assert gradschool("check").output.startswith("00 A first lesson")
    assert progress.read()[0]["double"].attempts == 3  # the empty cell was none


def test_check_goes_on_after_a_damaged_notebook(small_course: Path, workspace: Path, started: list) -> None:
    for folder, exercise in (("02_third", "twice"), ("03_fourth", "two_times")):
        shutil.copytree(small_course / "00_first", small_course / folder)
        for name in ("checks.py", "exercises.py", "exercises.ipynb"):
            file = small_course / folder / name
            file.write_text(file.read_text().replace("double", exercise))
    gradschool("lab")
    (workspace / "00_first" / "exercises.ipynb").write_text("{ broken")
    shutil.rmtree(workspace / "03_fourth")
    (workspace / "03_fourth").write_text("a file")
    notebook = workspace / "02_third" / "exercises.ipynb"
    content = nbformat.read(notebook, as_version=4)
    content.cells[1].source = "def twice(x):\n    return x + x"
    nbformat.write(content, notebook)
    result = shell("check")
    assert result.returncode == 1
    first, fourth = result.stderr.splitlines()
    assert f"00_first/exercises.ipynb cannot be read as a notebook; `gradschool reset 00 --dir '{workspace}'`" in first
    assert fourth == (
        f"✗ gradschool: {workspace}/03_fourth is a file, and a folder must stand there; move it away, then try again"
    )
    assert "✓ right  Twice a number · 2/2 points" in result.stdout


def test_check_of_a_workspace_without_exercises_says_how_to_get_them(small_course: Path, workspace: Path) -> None:
    workspace.mkdir(parents=True)
    result = shell("check")
    assert result.returncode == 1
    line = f"gradschool lab --dir '{workspace}'"
    assert result.stderr == f"✗ gradschool: {workspace} holds no exercises; `{line}` puts them there\n"


def test_check_says_when_an_attempt_could_not_be_counted(
    small_course: Path, workspace: Path, started: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradschool("lab")
    monkeypatch.setattr(progress, "note", lambda verdict: "Progress could not be kept (disk full).")
    assert "Progress could not be kept (disk full)." in gradschool("check", "00").output


def test_another_workspace_stays_in_what_is_to_be_typed(small_course: Path, workspace: Path, tmp_path: Path) -> None:
    """The variable of the test names the workspace `a student/gradschool`, with a space in it."""
    said = f"Your workspace will be {workspace}; `gradschool lab 00 --dir '{workspace}'` opens a lesson"
    assert said in gradschool("lessons").output
    workspace.mkdir(parents=True)
    assert f"Your workspace is {workspace}; " in gradschool("lessons").output
    for arguments in (["check"], ["check", "00"], ["reset", "00"], ["reset", "00", "double"]):
        result = shell(*arguments, "--dir", str(tmp_path / "mistyped"))
        sentence = f"there is no workspace at {tmp_path}/mistyped; `gradschool lab --dir {tmp_path}/mistyped` makes one"
        assert (result.returncode, result.stderr) == (1, f"✗ gradschool: {sentence}\n")
        assert "Started over" not in result.stdout
    assert not (tmp_path / "mistyped").exists()


def test_author_build_says_what_it_wrote(small_course: Path) -> None:
    twin = small_course / "01_second" / "lesson.py"
    twin.write_text(twin.read_text().replace("second", "2nd"))
    assert gradschool("author", "build", "second").output == "written  01_second/lesson.ipynb\n"
    assert gradschool("author", "build", "1").output == "unchanged  01_second/lesson.ipynb\n"


def test_errors_are_one_sentence_without_a_traceback(small_course: Path, workspace: Path, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    no_folder = f"{in_the_way} is a file, and a workspace is a folder; choose another with --dir"
    broken = workspace / "00_first" / "exercises.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("no notebook")
    magic = small_course / "01_second" / "lesson.py"
    magic.write_text(magic.read_text() + "\n# %%\n# %time\n")
    for arguments, sentence in [
        (["lab", "7"], "there is no lesson '7'; the lessons are 00_first, 01_second"),
        (["reset", "01"], "lesson 01_second has no exercises"),
        (["check", "01"], "lesson 01_second has no exercises"),
        (["lessons", "--dir", ""], "--dir names no folder; type one after it, or leave --dir out"),
        (
            ["lessons", "--dir", "~no-such-person/work"],
            "no home folder is known; name a workspace in GRADSCHOOL_WORKSPACE or with --dir: ~no-such-person/work",
        ),
        (
            ["author", "build", "01"],
            "lesson.py, cell 3, line 1: not plain Python (invalid syntax); a lesson holds no magics",
        ),
        (["lab", "--dir", str(in_the_way)], no_folder),
        (["reset", "00", "--dir", str(in_the_way / "sub")], no_folder),
        (["lessons", "--dir", str(in_the_way)], no_folder),
        (["check", "--dir", str(in_the_way)], no_folder),
        (["check", "00", "--dir", str(in_the_way)], no_folder),
        (
            ["check", "00"],
            f"{broken} cannot be read as a notebook; `gradschool reset 00 --dir '{workspace}'` puts a fresh one in its "
            "place and keeps yours in `backups`",
        ),
    ]:
        result = shell(*arguments)
        assert result.returncode == 1
        assert result.stderr == f"✗ gradschool: {sentence}\n"
        assert "Traceback" not in result.stdout


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✓"), ("cp1252", "+")])
def test_every_encoding_can_show_the_signs(workspace: Path, encoding: str, sign: str) -> None:
    environment = {**os.environ, **WIDE, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", "from classroom.cli import main; main()"]
    report = subprocess.run([*command, "doctor"], capture_output=True, env=environment, timeout=60)
    assert report.stdout.decode(encoding).split()[:2] == [sign, "Python"]
    mistake = subprocess.run([*command, "check", "9ö"], capture_output=True, env=environment, timeout=60)
    assert mistake.stderr.decode(encoding).startswith("✗" if sign == "✓" else "x")


def test_lab_starts_beside_a_file_that_hides_a_module(
    small_course: Path, workspace: Path, started: list, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('the student's own')")
    gradschool("lab")
    command, environment = started[0]
    version = subprocess.run(
        [*command, "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert version.returncode == 0, version.stderr


@pytest.mark.parametrize("port", ["0", "65536", "many", "-1", "80.5"])
def test_lab_refuses_a_port_that_is_none(small_course: Path, workspace: Path, started: list, port: str) -> None:
    result = gradschool("lab", "--port", port)
    assert result.exit_code == 2
    assert f"{port} is no port; a port is a whole number from 1 to 65535." in result.output
    assert not started


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    result = shell("lesons")
    assert result.returncode == 2
    assert "Did you mean 'lessons'?" in result.stderr


def test_doctor_ends_with_1_only_if_something_needed_is_missing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Finding("note", "GPU", "none here")
    missing = Finding("missing", "numpy", "not installed", "pip install numpy")
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([note]))
    assert gradschool("doctor").exit_code == 0
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([note, missing]))
    result = gradschool("doctor")
    assert result.exit_code == 1
    assert "pip install numpy" in result.output
    assert "1 thing you need" in result.output


def test_doctor_finds_this_environment_in_order(small_course: Path, workspace: Path) -> None:
    findings = list(doctor.examine(workspace))
    assert [finding for finding in findings if finding.state == "missing"] == []
    subjects = [finding.subject for finding in findings]
    for subject in ("Python", "packages", "command", "notebook kernel", "own modules", "GPU", "sandbox", "Chromium"):
        assert subject in subjects


def test_doctor_prints_a_command_in_one_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "python -m pip install " + "a-package " * 20
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([Finding("note", "it", "is long " * 20, long)]))
    result = CliRunner().invoke(cli.app, ["doctor"], env={**WIDE, "COLUMNS": "60"})
    assert f"  {long.strip()}" in [line.rstrip() for line in result.output.splitlines()]


def test_doctor_finds_a_workspace_that_keeps_nothing(tmp_path: Path) -> None:
    assert next(doctor.folder(tmp_path)).state == "good"
    assert next(doctor.folder(tmp_path / "new")).state == "note"
    (tmp_path / "file").write_text("")
    assert next(doctor.folder(tmp_path / "file")).state == "missing"
    report = gradschool("doctor", "--dir", str(tmp_path / "file"))
    assert report.exit_code == 1
    assert f"{tmp_path}/file is a file, and a workspace is a folder; choose another with --dir" in report.output
    assert "nothing hides a package" in report.output


def test_doctor_reinstalls_from_where_it_was_installed() -> None:
    assert doctor._reinstall().endswith(f"--no-deps --editable {Path(__file__).parents[2].as_uri()}")


def test_doctor_compares_versions_with_the_declared_ranges() -> None:
    lines = ["numpy>=99", "no-such-package>=1", "torch==0; extra == 'test'", "rich>=1"]
    old, absent, good = doctor.packages(lines)
    assert (old.state, old.subject) == ("missing", "numpy")
    assert old.mend.endswith("-m pip install 'numpy>=99'")
    assert absent.sentence == "not installed; gradschool needs no-such-package>=1"
    assert good.state == "good"
    assert good.sentence.startswith("rich ")
    assert "torch" not in good.sentence


@pytest.mark.parametrize(
    "name", ["kernel.py", "00_first/numpy.py", "00_first/random.py", "00_first/widgets/__init__.py"]
)
def test_doctor_finds_a_file_that_hides_a_package(workspace: Path, name: str) -> None:
    path = workspace / name
    path.parent.mkdir(parents=True)
    path.write_text("")
    (finding,) = (each for each in doctor.shadows(workspace) if each.state == "missing")
    hidden = path.parent if path.name == "__init__.py" else path
    assert finding.sentence == f"{hidden} is imported instead of the real {hidden.stem}: rename it"
    assert shlex.split(finding.mend) == ["mv", str(hidden), str(hidden.with_stem("my_" + hidden.stem))]


def test_doctor_finds_a_kernel_that_is_another_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("python3", "gradschool", "julia"):
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        program = {"python3": sys.executable, "gradschool": "/another/python", "julia": "/julia"}[name]
        (folder / "kernel.json").write_text(json.dumps({"argv": [program], "display_name": name, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    (finding,) = doctor.notebook_kernel()
    assert finding.state == "note"
    assert "the kernel 'gradschool' is another Python, /another/python" in finding.sentence
    assert finding.mend == f"{sys.executable} -m ipykernel install --user --name gradschool"


def test_doctor_reads_the_gpu_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text('#!/bin/sh\necho "NVIDIA H200, 143771 MiB, 570.1"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    first, *_ = doctor.gpu()
    assert first == Finding("good", "GPU", "NVIDIA H200, 143771 MiB, driver 570.1")
    fake.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert "every lesson runs on the CPU" in next(iter(doctor.gpu())).sentence


@pytest.mark.parametrize(
    ("driver", "wheel"), [("580.65.06", "cupy-cuda13x"), ("570.1", "cupy-cuda12x"), ("?", "cupy-cuda12x")]
)
def test_doctor_names_the_cupy_that_the_driver_can_run(
    driver: str, wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_cards", lambda: iter([("NVIDIA H200", "143771 MiB", driver)]))
    monkeypatch.setitem(sys.modules, "cupy", None)
    _, cuda = doctor.gpu()
    assert cuda.state == "note"
    assert f"-m pip install '{wheel}[ctk]<15,>=14.0'" in cuda.mend


def test_doctor_tells_a_cupy_that_computes_from_one_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    class CUDARuntimeError(RuntimeError):
        pass

    def refuse() -> int:
        raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected\nmore")

    runtime = SimpleNamespace(
        runtimeGetVersion=lambda: 13010, driverGetVersion=lambda: 13000, CUDARuntimeError=CUDARuntimeError
    )
    compiler = SimpleNamespace(CompileException=type("CompileException", (Exception,), {}))
    cupy = SimpleNamespace(
        __version__="14.0", arange=np.arange, cuda=SimpleNamespace(runtime=runtime, compiler=compiler)
    )
    monkeypatch.setattr(doctor, "_cards", lambda: iter([]))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    *_, cuda = doctor.gpu()
    assert cuda == Finding("good", "CUDA", "CuPy 14.0, CUDA runtime 13.1, driver supports CUDA 13.0")
    runtime.runtimeGetVersion = refuse
    *_, cuda = doctor.gpu()
    assert cuda.state == "note"
    assert cuda.sentence.endswith("cannot compute: cudaErrorNoDevice: no CUDA-capable device is detected")


def test_the_named_chromium_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(doctor.CHROMIUM_VARIABLE, "/my/chromium")
    assert doctor.find_chromium() == "/my/chromium"
