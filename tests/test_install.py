"""The package alone, with the few packages that its engine needs, in an empty environment."""

import importlib.metadata as metadata
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from helpers import ROOT
from packaging.requirements import Requirement
from test_packaging import HEAVY

NEEDED_ALONE = ("dvc", "jupyter", "papermill", "matplotlib", "seaborn", "typst", "distributed")
REPLICATION = (
    ("table1",),
    ("study", "readings"),
    ("lr-range",),
    ("statistics",),
    ("notebook", "fig3_gating"),
    ("report",),
    ("audit",),
    ("bench",),
)


def closure(names: list[str]) -> set[str]:
    """Return the installed packages that these need, theirs included, by what they state."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name in found:
            continue
        found.add(name)
        needs = map(Requirement, metadata.requires(name) or [])
        names += [
            need.name.lower().replace("_", "-")
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return found


def link(name: str, folder: Path) -> None:
    """Make an installed package one of another environment too."""
    package = metadata.distribution(name)
    tops = {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}
    for top in tops:
        if not (folder / top).exists():
            (folder / top).symlink_to(Path(str(package.locate_file(top))).resolve())


def pip(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment with the package, and what it requires without any extra.

    Its packages are links to those of the environment that runs the tests, so that nothing is
    downloaded, and no package is there that nothing asked for.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    home = next(folder.glob("lib/python*/site-packages"))
    for name in closure(["qagrel"]) - {"qagrel"}:
        link(name, home)
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    done = pip("--python", folder, "install", *options, wheel(folder))
    assert done.returncode == 0, done.stderr
    return folder


def wheel(folder: Path) -> Path:
    """Build the package, with the builder that this environment has."""
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    done = pip("wheel", *options, "--wheel-dir", folder, ROOT)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("qagrel-*.whl")
    return built


def call(bare: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the bare environment, with nothing compiled, which would take long."""
    kept = {name: text for name, text in os.environ.items() if name[:6] not in ("QAGREL", "PYTHON")}
    return subprocess.run(
        [str(bare / "bin" / arguments[0]), *arguments[1:]],
        cwd=folder,
        env={**kept, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_engine_needs_few_packages() -> None:
    few = closure(["qagrel"])
    assert not few & {*NEEDED_ALONE, *HEAVY} - {"joblib"}
    assert len(few) < 35


def test_all_that_is_required_is_there(bare: Path) -> None:
    done = pip("--python", bare, "check")
    assert done.returncode == 0, done.stdout


def test_the_engine_trains_alone(bare: Path, tmp_path: Path) -> None:
    program = (
        "import numpy as np, qagrel\n"
        "X = np.eye(6); y = list('abcabc')\n"
        "spec = qagrel.RunSpec(hidden=(5,), validation_size=0, batch_size=2, max_epochs=2)\n"
        "print(qagrel.train(spec, qagrel.Dataset.from_arrays(X, y)).n_epochs)\n"
        "print(qagrel.QAgrelClassifier(max_epochs=1).fit(X, y).predict(X).shape)\n"
    )
    done = call(bare, tmp_path, "python", "-c", program)
    assert (done.stdout, done.stderr) == ("2\n(6,)\n", "")


def test_the_commands_of_the_engine_work_alone(bare: Path, tmp_path: Path) -> None:
    fields = ("--dataset", "digits", "--hidden", "2", "--max-epochs", "1", "--validation-size", "0")
    trained = call(bare, tmp_path, "qagrel", "train", *fields, "--out", "run.npz")
    assert trained.returncode == 0, trained.stderr
    for command in (("predict", "run.npz"), ("data", "info", "digits"), ("--help",)):
        done = call(bare, tmp_path, "qagrel", *command)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", REPLICATION, ids=lambda command: command[0])
def test_commands_of_the_replication_say_what_they_need(
    command: tuple[str, ...], bare: Path, tmp_path: Path
) -> None:
    done = call(bare, tmp_path, "qagrel", *command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "qagrel: the replication needs dvc, ipywidgets, jupyter, matplotlib"
    )
    assert done.stderr.endswith("pip install 'qagrel[replication]'\n")
    assert done.stderr.count("\n") == 1


def test_a_module_of_the_replication_says_what_it_needs(bare: Path, tmp_path: Path) -> None:
    done = call(bare, tmp_path, "python", "-c", "import qagrel; qagrel.plotting")
    assert "qagrel.plotting needs matplotlib: pip install 'qagrel[replication]'" in done.stderr
