"""The files that describe the package agree with each other, and its modules keep their order."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = PROJECT["project"]["optional-dependencies"]
DIRECT = RUNTIME + [Requirement(line) for lines in EXTRAS.values() for line in lines]
LOCKS = ("requirements.lock", "requirements-oldest.lock")

# A module imports only from rows above its own; so no row needs what stands below it.
LAYERS = (
    {"errors", "kernels", "rules"},
    {"spec", "store", "idx"},
    {"labels", "folder"},
    {"datasets", "network"},
    {"training", "trial", "equivalence"},
    {"history", "experiments"},
    {"sweep"},
    {"analysis"},
    {"results", "notebooks"},
    {"audit", "plotting", "report"},
    {"schematics"},
    {"replication"},
    {"__init__"},
    {"cli"},
)
READERS = ("analysis", "plotting")  # they read results, and never train
MODULES = {path.stem: path for path in sorted((ROOT / "qagrel").glob("*.py"))}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def locked_versions(lock: str) -> dict[str, set[Version]]:
    """Return the versions of each package; some have one for older Pythons and one for newer."""
    versions: dict[str, set[Version]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), re.M):
        versions.setdefault(name, set()).add(Version(version))
    return versions


def canonical(requirement: Requirement) -> str:
    return requirement.name.lower().replace("_", "-")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_pinned_and_hashed(lock: str) -> None:
    requirement = r"[a-z0-9-]+==[\w.+!]+( ; [^\\\n]+)? \\\n"
    hashes = r"(    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=sha256:[0-9a-f]{64}\n"
    comments = r"( *#.*\n)*"
    pattern = rf"{comments}({requirement}{hashes}{comments})+"
    assert re.fullmatch(pattern, (ROOT / lock).read_text())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_path(lock: str) -> None:
    assert "/" not in (ROOT / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("requirement", DIRECT, ids=canonical)
def test_a_lock_satisfies_every_direct_dependency(lock: str, requirement: Requirement) -> None:
    versions = locked_versions(lock).get(canonical(requirement), set())
    assert versions
    assert all(version in requirement.specifier for version in versions)


@pytest.mark.parametrize("requirement", RUNTIME, ids=canonical)
def test_the_oldest_lock_holds_the_lower_bounds(requirement: Requirement) -> None:
    (bound,) = (part.version for part in requirement.specifier if part.operator == ">=")
    versions = locked_versions("requirements-oldest.lock")[canonical(requirement)]
    assert versions == {Version(bound)}


def test_one_range_of_pythons() -> None:
    versions = PROJECT["project"]["requires-python"]
    oldest = re.fullmatch(r">=(3\.\d+),<3\.\d+", versions)[1]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert f"python {versions}" in environment["dependencies"]
    assert f"qagrel needs Python {versions}" in (ROOT / "Makefile").read_text()
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")


def test_conda_installs_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["dependencies"][1:] == ["pip", {"pip": ["-r requirements.lock"]}]


def test_the_lock_holds_what_builds_the_package() -> None:
    (backend,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert locked_versions("requirements.lock")[canonical(backend)]


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["project"]["version"]
    assert citation["license"] == PROJECT["project"]["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Pozzi",
        "Bohté",
        "Roelfsema",
    ]
    assert "arXiv:1811.01768" in {identifier["value"] for identifier in paper["identifiers"]}


def imports_of(source: str) -> set[str]:
    """Return the modules of ours that a source imports anywhere in it, functions included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(filter(None, ["qagrel" if node.level else "", node.module]))
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        parts = [name.split(".") for name in names]
        found |= {_module(*rest) for package, *rest in parts if package == "qagrel"}
    return found


def _module(name: str = "__init__", *_: str) -> str:
    return name if name in MODULES else "__init__"


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy", set()),
        ("import qagrel", {"__init__"}),
        ("import qagrel.kernels as k", {"kernels"}),
        ("from qagrel import kernels, RunSpec", {"kernels", "__init__"}),
        ("from qagrel.kernels import update", {"kernels"}),
        ("from . import kernels", {"kernels"}),
        ("def f():\n    from .kernels import update", {"kernels"}),
    ],
)
def test_imports_are_found_in_every_form(source: str, modules: set[str]) -> None:
    assert imports_of(source) == modules


def test_every_module_has_its_layer() -> None:
    assert set(MODULES) - {"__main__"} <= set().union(*LAYERS)


@pytest.mark.parametrize("row", range(len(LAYERS)), ids=lambda row: "+".join(sorted(LAYERS[row])))
def test_imports_point_one_way(row: int) -> None:
    below = set().union(*LAYERS[:row])
    for name in LAYERS[row] & set(MODULES):
        if name != "__init__":  # it hands out the names of all layers
            assert imports_of(MODULES[name].read_text()) <= below, name


@pytest.mark.parametrize("reader", READERS)
def test_readers_of_results_cannot_train(reader: str) -> None:
    reached, ahead = set(), {reader} & set(MODULES)
    while ahead:
        reached |= ahead
        ahead = set().union(*(imports_of(MODULES[name].read_text()) for name in ahead)) - reached
    assert not reached & {"training", "sweep"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_sources_carry_no_outputs(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebooks_use_the_public_interface_only(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert imports_of(code) <= {"__init__"}
