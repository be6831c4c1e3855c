"""pyproject.toml, the conda files and the constraints say the same, and say what the code imports."""

import ast
import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec, Version, VersionSpec
from rattler.exceptions import InvalidMatchSpecError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_FILES = ("environment.yml", "environment-gpu.yml")
# What one package is called on either side.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "jupyter-client": "jupyter_client", "cupy-cuda13x": "cupy"}
# These come from PyPI in conda environments too, and are checked among the pip lines.
BY_PIP = {"axe-playwright-python", "playwright", "pytest-playwright"}
IMPORTS_OF = {
    "yaml": "pyyaml",
    "rattler": "py-rattler",
    "sklearn": "scikit-learn",
    "axe_playwright_python": "axe-playwright-python",
}
OURS = {"kernel", "widgets", "classroom", "tests", "benchmarks"}


def requirements(*extras: str) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    parsed = (Requirement(line) for line in lines)
    return {canonicalize_name(each.name): each for each in parsed if canonicalize_name(each.name) != "gradschool"}


EVERYWHERE = requirements("test-without-torch")
DECLARED = requirements("test-without-torch", "test", "gpu")


def conda(file: str) -> tuple[dict[str, str], list[str]]:
    """The conda specs of `file` by name, and its lines for pip."""
    entries = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    specs = [entry for entry in entries if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in entries if isinstance(entry, dict))
    return {spec.split()[0]: spec for spec in specs}, pip


@pytest.mark.parametrize("file", CONDA_FILES)
def test_only_conda_forge_is_asked(file: str) -> None:
    assert yaml.safe_load((ROOT / file).read_text())["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize("file", CONDA_FILES)
def test_every_conda_spec_parses_strictly_and_has_both_ends(file: str) -> None:
    specs, _ = conda(file)
    for name, text in specs.items():
        spec = MatchSpec(text, strict=True)
        assert spec.name.normalized == name.lower()
        assert name == "pip" or "<" in str(spec.version), f"{text} has no upper end"
        assert ">=" in str(spec.version), f"{text} has no lower end"


@pytest.mark.parametrize("file", CONDA_FILES)
def test_the_installed_versions_satisfy_the_conda_specs(file: str) -> None:
    specs, _ = conda(file)
    for name, requirement in EVERYWHERE.items():
        if name not in BY_PIP:
            spec = MatchSpec(specs[CONDA_NAMES.get(name, name)], strict=True)
            installed = importlib.metadata.version(requirement.name)
            assert VersionSpec(spec.version).matches(Version(installed)), f"{name} {installed} is outside {spec}"
    running = Version(".".join(map(str, sys.version_info[:3])))
    assert VersionSpec(MatchSpec(specs["python"], strict=True).version).matches(running)


@pytest.mark.parametrize("file", CONDA_FILES)
def test_conda_and_pip_give_the_same_ranges(file: str) -> None:
    specs, pip = conda(file)
    expected = dict(EVERYWHERE)
    if "gpu" in file:
        expected |= requirements("gpu")
    by_pip = {canonicalize_name(Requirement(line).name): Requirement(line) for line in pip if line != "-e ."}
    assert "-e ." in pip, "both files install the project itself"
    assert set(by_pip) == BY_PIP
    names = {CONDA_NAMES.get(name, name) for name in expected if name not in BY_PIP}
    assert set(specs) == names | {"python", "pip"} | ({"cuda-version"} if "gpu" in file else set())
    for name, requirement in expected.items():
        if name in BY_PIP:
            assert by_pip[name].specifier == requirement.specifier
        else:
            text = specs[CONDA_NAMES.get(name, name)].split(maxsplit=1)[1]
            assert SpecifierSet(text) == requirement.specifier, name


def test_the_gpu_file_is_the_other_one_and_the_gpu() -> None:
    (plain, pip), (gpu, gpu_pip) = map(conda, CONDA_FILES)
    assert gpu == plain | {name: gpu[name] for name in ("cupy", "cuda-version")}
    assert gpu_pip == pip


@pytest.mark.parametrize("extra", ["gpu", "gpu-cuda12"])
def test_the_gpu_extra_is_a_wheel_with_its_cuda(extra: str) -> None:
    (requirement,) = map(Requirement, PROJECT["optional-dependencies"][extra])
    assert requirement.name in ("cupy-cuda13x", "cupy-cuda12x")
    assert requirement.extras == {"ctk"}


def test_every_range_has_both_ends_and_the_installed_version_is_in_it() -> None:
    for name, requirement in EVERYWHERE.items():
        assert {clause.operator for clause in requirement.specifier} == {">=", "<"}, str(requirement)
        assert requirement.specifier.contains(importlib.metadata.version(name)), str(requirement)


def test_numpy_two_is_wanted_from_its_second_release_on() -> None:
    assert all(DECLARED["numpy"].specifier.contains(version) for version in ("2.1.1", "2.4.6", "2.5.5", "2.9"))
    assert not any(DECLARED["numpy"].specifier.contains(version) for version in ("1.26.4", "2.0.2", "3.0"))


def test_torch_is_no_part_of_what_a_student_installs() -> None:
    assert "torch" not in {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert str(DECLARED["torch"].specifier) == "==2.13.0"
    assert Requirement(PROJECT["optional-dependencies"]["test"][0]).extras == {"test-without-torch"}


def test_the_constraints_pin_every_declared_package_inside_its_range() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {}
    for line in lines:
        requirement = Requirement(line)
        (clause,) = requirement.specifier
        assert clause.operator == "==", line
        assert "+" not in clause.version, f"{line}: a local version is not on PyPI"
        pins[canonicalize_name(requirement.name)] = clause.version
    assert not any(name.startswith("nvidia") for name in pins), "a machine without a GPU installs these too"
    for name, requirement in requirements("test-without-torch", "test").items():
        assert requirement.specifier.contains(pins[name]), name


@pytest.mark.parametrize("folder", ["kernel", "widgets", "classroom", "tests", "benchmarks", "course"])
def test_every_import_is_declared(folder: str) -> None:
    local = {path.stem for path in (ROOT / folder).rglob("*.py")}
    declared = {name.partition("-cuda")[0] for name in DECLARED} | {"cupyx", "packaging"}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            else:
                continue
            for module in modules:
                top = module.partition(".")[0]
                if top in OURS | local | set(sys.stdlib_module_names):
                    continue
                name = canonicalize_name(IMPORTS_OF.get(top, top))
                assert name in declared, f"{path.relative_to(ROOT)} imports {module}, which is not declared"


@pytest.mark.parametrize("text", ["numpy >=2.0,,<3", "numpy => 2", "numpy >=2.0,<3 a b c"])
def test_a_conda_spec_that_conda_refuses_is_refused_here(text: str) -> None:
    with pytest.raises(InvalidMatchSpecError):
        MatchSpec(text, strict=True)
