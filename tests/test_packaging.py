"""The files that describe the package agree with each other, and its modules keep their order."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = PROJECT["project"]["optional-dependencies"]
SUPPORTED = RUNTIME + [Requirement(line) for line in EXTRAS["replication"]]
MOST_LINES = 650  # of a module
# the locks, each with the extras that it holds; the site's comes on top of the first
LOCKS = {
    "requirements.lock": ("replication", "cluster", "test"),
    "requirements-oldest.lock": ("replication", "cluster", "test"),
    "requirements-site.lock": ("site",),
}
DIRECT = [
    (lock, requirement)
    for lock, extras in LOCKS.items()
    for requirement in [*RUNTIME, *(Requirement(line) for name in extras for line in EXTRAS[name])]
]

# A module imports only from rows above its own; so no row needs what stands below it.
KERNELS = (
    {"kernels.cache"},
    {"kernels.layout"},
    {"kernels.elementary", "kernels.vectors"},
    {"kernels.activations", "kernels.buffers", "kernels.optimizers"},
    {"kernels.distortion", "kernels.disturbances", "kernels.images", "kernels.loops"},
    {"kernels.alignment", "kernels.rule"},
    {"kernels"},
)
ENGINE = (
    {"errors", "process", "rules"},
    {"arrays", "spec", "store"},
    {"idx"},
    {"console", "folder", "labels"},
    *KERNELS,
    {"dataset", "network"},
    {"distortion", "subset"},
    {"datasets"},
    {"diagnosis", "epoch", "trial", "triallog", "equivalence"},
    {"trained"},
    {"training"},
    {"history"},
    {"estimator"},
)
STATISTICS = (
    {"statistics.estimates"},
    {"statistics.rows"},
    {"statistics.paper"},
    {"statistics.comparison", "statistics.curves", "statistics.evidence"},
    {"statistics.mechanisms"},
    {"statistics.learning"},
    {"statistics.claims", "statistics.stopping", "statistics.survival"},
    {"statistics.slowness", "statistics.verdicts"},
    {"statistics.readings"},
    {"statistics"},
)
FIGURES = (
    {"figures.style"},
    {"figures.beyond", "figures.epochs", "figures.plots", "figures.schematics"},
    {"figures.inside"},
    {"figures.mechanisms", "figures.walkthrough"},
    {"figures"},
)
WING = (
    {"measures", "naming", "packages", "scratch"},
    {"experiments", "sweep"},
    *STATISTICS,
    *FIGURES,
    {"afresh", "results", "notebooks"},
    {"beyond.quantities"},
    {"beyond.answers", "beyond.predictions"},
    {"beyond.verdicts"},
    {"beyond.telling"},
    {"beyond"},
    {"audit", "report"},
    {"derivation"},
    {"commands", "explorer"},
    {"cli"},
)
LAYERS = (
    *ENGINE,
    *({f"replication.{name}" for name in row} for row in WING),
    {"__init__"},
    {"cli"},
)
READERS = ("replication.statistics", "replication.figures")  # of results: they never train
# what the wing may load and the engine may not
HEAVY = (
    "dvc",
    "ipywidgets",
    "papermill",
    "nbformat",
    "jupyter_client",
    "matplotlib",
    "seaborn",
    "joblib",
    "typst",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "qagrel").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "qagrel").rglob("*.py"))}
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


def test_every_extra_is_in_a_lock() -> None:
    assert set().union(*LOCKS.values()) == set(EXTRAS)


def test_the_locks_of_one_environment_agree() -> None:
    first, on_top = (locked_versions(f"requirements{end}.lock") for end in ("", "-site"))
    assert {
        name: on_top[name] for name in set(first) & set(on_top) if first[name] != on_top[name]
    } == {}


@pytest.mark.parametrize(
    ("lock", "requirement"), DIRECT, ids=lambda value: str(getattr(value, "name", value))
)
def test_a_lock_satisfies_every_direct_dependency(lock: str, requirement: Requirement) -> None:
    versions = locked_versions(lock).get(canonical(requirement), set())
    assert versions
    assert all(version in requirement.specifier for version in versions)


@pytest.mark.parametrize("requirement", SUPPORTED, ids=canonical)
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
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(filter(None, ["qagrel" if node.level else "", node.module]))
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {_module(name) for name in names if name.split(".")[0] == "qagrel"}
    return found


def _module(name: str) -> str:
    """Return the innermost module of ours on the way to a name."""
    parts = name.split(".")[1:]
    known = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((module for module in known if module in MODULES), "__init__")


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
        ("from qagrel.replication import sweep", {"replication.sweep"}),
        ("from qagrel.replication.statistics import Row", {"replication.statistics"}),
    ],
)
def test_imports_are_found_in_every_form(source: str, modules: set[str]) -> None:
    assert imports_of(source) == modules


def test_every_module_has_its_layer() -> None:
    rooms = {"__main__", "replication"}  # a door, and a folder that holds nothing itself
    assert set(MODULES) - rooms == set().union(*LAYERS)


@pytest.mark.parametrize("row", range(len(LAYERS)), ids=lambda row: "+".join(sorted(LAYERS[row])))
def test_imports_point_one_way(row: int) -> None:
    below = set().union(*LAYERS[:row])
    for name in LAYERS[row]:
        if name != "__init__":  # it hands out the names of all layers
            assert imports_of(MODULES[name].read_text()) <= below, name


def test_the_engine_loads_nothing_of_the_replication() -> None:
    names = ", ".join(f"qagrel.{name}" for row in ENGINE for name in sorted(row))
    # scikit-learn, of which the estimator is made, loads joblib itself
    wing = {"qagrel.replication", *HEAVY} - {"joblib"}
    code = f"import {names}, sys; print([name for name in {wing} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("reader", READERS)
def test_readers_of_results_cannot_train(reader: str) -> None:
    ahead = {name for name in MODULES if name == reader or name.startswith(f"{reader}.")}
    reached: set[str] = set()
    while ahead:
        reached |= ahead
        ahead = set().union(*(imports_of(MODULES[name].read_text()) for name in ahead)) - reached
    assert not reached & {"training", "replication.sweep"}


@pytest.mark.parametrize("folder", ["qagrel", "benchmarks", "docs"])
def test_no_module_is_long(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {str(path): n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_modules_of_the_benchmark_make_no_circle() -> None:
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            if name.startswith("benchmarks")
        }
        for path in (ROOT / "benchmarks").rglob("*.py")
    }
    order = TopologicalSorter({name: needs & set(graph) for name, needs in graph.items()})
    order.prepare()  # raises CycleError


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
