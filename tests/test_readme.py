"""What README.md, CONTRIBUTING.md and the pages of docs/ tell readers to do, done word for word.

The comment before a block of commands says who runs it: ``test``, here, in a copy of what the
commands need; ``mnist``, the same, where the MNIST files are; ``ci``, the script `.ci/run`.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import ROOT

from qagrel.datasets import data_dir

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if not {"made", "_build"} & set(path.relative_to(ROOT).parts)
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *PAGES)
NEEDED = (
    *(".dvc/.gitignore", ".dvc/config", ".dvc/plots", ".gitignore", "dvc.lock", "dvc.yaml"),
    *("CITATION.cff", "notebooks", "paper", "params.yaml"),
    *("results/digits", "results/fingerprint.json"),
)
BLOCK = re.compile(r"^(?:<!-- run: (\w+) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, who runs it, and what it is."""

    document: str
    runner: str
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}: {self.code.splitlines()[-1]}"


def blocks(language: str, *runners: str) -> list[Block]:
    found = (
        Block(document, *groups)
        for document in DOCUMENTS
        for groups in BLOCK.findall((ROOT / document).read_text())
    )
    return [b for b in found if b.language == language and (not runners or b.runner in runners)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the commands need, committed, with this environment as its own."""
    folder = tmp_path_factory.mktemp("clone")
    for name in NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "qagrel").symlink_to(ROOT / "qagrel")
    (folder / ".venv").symlink_to(sys.prefix)
    author = ("-c", "user.name=A Reader", "-c", "user.email=reader@example.org")
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "A clone"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def run(command: list[str], clone: Path, **variables: str) -> str:
    """What a command prints; it must succeed."""
    environment = {name: text for name, text in os.environ.items() if name[:7] != "QAGREL_"}
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=clone,
        env={**environment, "PATH": path, "MPLBACKEND": "agg", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def shell(block: Block, clone: Path, **variables: str) -> str:
    return run(["bash", "-euo", "pipefail", "-c", block.code], clone, **variables)


def test_somebody_runs_every_command() -> None:
    assert {block.runner for block in blocks("sh")} == {"test", "mnist", "ci"}
    assert {block.language for block in (*blocks("sh"), *blocks("python"))} == {"sh", "python"}
    for document in DOCUMENTS:
        languages = {language for _, language, _ in BLOCK.findall((ROOT / document).read_text())}
        assert languages <= {"sh", "python"}  # nothing hides in a block of another kind


@pytest.mark.parametrize("block", blocks("sh", "ci"), ids=str)
def test_ci_runs_the_commands_that_are_left_to_it(block: Block) -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for line in block.code.splitlines():
        assert re.search(rf"^\s*{re.escape(line)}(\s|$)", script, re.MULTILINE), line


@pytest.mark.parametrize("block", blocks("sh", "test"), ids=str)
def test_the_commands_work(block: Block, clone: Path) -> None:
    shell(block, clone)


@pytest.mark.mnist
@pytest.mark.skipif(not (data_dir() / "mnist").is_dir(), reason="the MNIST files are not here")
@pytest.mark.parametrize("block", blocks("sh", "mnist"), ids=str)
def test_the_commands_work_on_mnist(block: Block, clone: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(data_dir().resolve())
    assert "complete" in shell(block, clone, HOME=str(tmp_path))


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_the_lines_of_python_learn_something(block: Block, clone: Path) -> None:
    printed = run([sys.executable, "-c", block.code], clone)
    accuracies = [float(text) for text in re.findall(r"([\d.]+) %", printed)]
    assert len(accuracies) >= 2
    assert min(accuracies) > 90


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_the_python_is_ten_lines_at_the_most(block: Block) -> None:
    assert len(list(filter(None, block.code.splitlines()))) <= 10


def test_the_verdicts_told_are_those_of_the_results() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    found = re.search(
        r"Of its (\d+) claims, (\d+) are replicated, (\d+) are not, (\d+) are not determined by "
        r"the paper, and (\d+) remain open",
        readme,
    )
    results = ROOT / "results" / "mnist"
    claims = json.loads((results / "claims.json").read_text())
    verdicts = [claim["verdict"] for claim in claims]
    kinds = ("replicated", "differs", "not determined by the paper", "inconclusive")
    numbers = [verdicts.count(name) for name in kinds]
    assert found is not None
    assert [int(number) for number in found.groups()] == [len(verdicts), *numbers]
    grounds = re.search(
        r"Of the (\d+) that are not, (\d+) is not borne out by the paper's own numbers either .*?, "
        r"(\d+) turn on where a threshold .*?, and (\d+) are contradicted by our runs",
        readme,
    )
    rests = [claim["rests_on"] for claim in claims if claim["verdict"] == "differs"]
    names = ("the paper's own numbers", "a threshold", "our runs")
    assert grounds is not None
    assert [int(n) for n in grounds.groups()] == [len(rests), *(rests.count(n) for n in names)]
    rows = csv.DictReader((results / "table1.csv").read_text().splitlines())
    accuracy, epochs = zip(
        *((row["accuracy_verdict"], row["epochs_verdict"]) for row in rows), strict=True
    )
    assert set(accuracy) == {"replicated"}
    told = re.search(r"Of its (\d+) numbers of epochs, (\d+) are replicated; for (\d+)", readme)
    numbers = [len(epochs), epochs.count("replicated"), epochs.count("inconclusive")]
    assert told is not None
    assert [int(number) for number in told.groups()] == numbers


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_within_the_text_are_run_too(document: str) -> None:
    lines = [line for block in blocks("sh") for line in block.code.splitlines()]
    commands = re.findall(
        r"`((?:dvc|make|pip|python|qagrel) [^`]+)`", (ROOT / document).read_text()
    )
    for command in commands:
        assert any(line.startswith(command) for line in lines), command


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_the_text_links_to_is_there(document: str) -> None:
    """What is made for the site is left to the tests of the site."""
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https://|#)([^)\s#]+)[^)\s]*\)", text):
        path = (ROOT / document).parent / target
        assert path.exists() or "made/" in target, target


def test_the_pythons_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest, above = re.findall(r"3\.(\d+)", project["requires-python"])
    assert f"Python 3.{oldest} to 3.{int(above) - 1}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_number_is_left_to_be_filled_in(document: str) -> None:
    assert not re.findall(r"«\w+»", (ROOT / document).read_text())


def test_the_ratios_told_are_those_of_the_results() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    path = ROOT / "results" / "mnist" / "epochs_by_measure.csv"
    table = list(csv.DictReader(path.read_text().splitlines()))
    lines = {(line["measure"], line["loss"]): line for line in table if line["rates"] == "both"}
    told = re.search(r"takes ([\d.]+) times the epochs .*? and at most ([\d.]+) times", readme)
    cross, squared = (lines["stop", loss] for loss in ("cross-entropy", "squared-error"))
    assert told is not None
    assert told.groups() == (f"{float(cross['ratio']):.1f}", f"{float(squared['ratio']):.2f}")
    assert squared["bound"] == "at most"
    for (measure, _), line in lines.items():
        if measure in {"validation 97 %", "validation 98 %", "validation 99 %"}:
            assert float(line["high"]) < 1
    best = re.search(r"and ([\d.]+) times those .*? to 98 and 99 %", readme)
    own = {
        f"{float(line['ratio']):.1f}"
        for line in table
        if (line["rates"], line["loss"]) == ("own best", "cross-entropy")
        and line["measure"] in {"validation 98 %", "validation 99 %"}
    }
    assert best is not None
    assert {best[1]} == own
