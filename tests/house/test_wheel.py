"""What is installed when gradschool is installed as a wheel."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True, timeout=100)
    (built,) = folder.glob("gradschool-*.whl")
    return built


def test_three_packages_and_the_lessons_are_installed_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"kernel", "widgets", "classroom"}
    course = {path.relative_to(ROOT) for path in (ROOT / "course").glob("[0-9][0-9]_*/*") if path.suffix != ".pyc"}
    expected = {f"classroom/{path}" for path in map(Path.as_posix, course) if (ROOT / path).is_file()}
    assert expected <= set(names)
    assert not any("__pycache__" in name or ".ipynb_checkpoints" in name for name in names)


def test_the_installed_command_finds_the_lessons(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "GRADSCHOOL_WORKSPACE": str(tmp_path / "mine")}
    environment.pop("GRADSCHOOL_COURSE", None)
    code = "import classroom, classroom.course as c; print(classroom.__file__); print(c.course_folder())"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == [str(site / "classroom" / "__init__.py"), str(site / "classroom" / "course")]
    listing = subprocess.run(
        [sys.executable, "-c", "from classroom.cli import main; main()", "lessons"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert listing.returncode == 0, listing.stderr
    assert "Minutes" in listing.stdout
