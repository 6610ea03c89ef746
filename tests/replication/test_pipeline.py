"""dvc.yaml knows of every committed result, and what it says of plots can be drawn."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from helpers import ROOT

DVC = Path(sys.prefix) / "bin" / "dvc"
KINDS = ["table1", "validation", "learning-rate-range", "stepwise"]


def printed(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what DVC imports: not ours
def test_each_committed_result_is_what_one_stage_makes() -> None:
    with Repo(str(ROOT)) as pipeline:
        outs = [out for stage in pipeline.index.stages for out in stage.outs]
        made = Counter(Path(out.fs_path).relative_to(ROOT).as_posix() for out in outs)
    committed = printed("git", "ls-files", "results").splitlines()
    assert {"results/digits/data.json", "results/mnist/data.json"} <= set(committed)
    makers = {path: made[path] + made[Path(path).parent.as_posix()] for path in committed}
    assert {path: n for path, n in makers.items() if n != 1} == {}


def test_dvc_draws_the_curves_of_both_profiles() -> None:
    plots = json.loads(printed(DVC, "plots", "show", "--json"))["data"]
    assert list(plots) == [f"{profile}-{kind}" for profile in ("digits", "mnist") for kind in KINDS]
    drawn = {name: plot["content"] for name, pictures in plots.items() for plot in pictures}
    assert {f"digits-{kind}" for kind in KINDS} <= set(drawn)  # others may be to come
    for picture in drawn.values():
        assert len(picture["data"]["values"]) > 30
        assert "<DVC_METRIC" not in json.dumps(picture)  # what dvc left unfilled


@pytest.mark.parametrize("profile", ["digits", "mnist"])
def test_the_described_data_are_those_of_the_runs(profile: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())["profiles"][profile]
    described = json.loads((ROOT / "results" / profile / "data.json").read_text())
    assert described["name"] == params["table1"]["dataset"]


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A folder with the pipeline, and a file in it that is nobody's output."""
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("digits/data.json", "mnist/data.json", "fingerprint.json"):
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (tmp_path / "mine.csv").write_text("mine")
    subprocess.run([DVC, "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("section", "row"),
    [
        ("rows", "x; touch sprung"),
        ("rows", "x'; touch sprung; '"),
        ("rows", "../../../mine"),
        ("squared_error_rows", "$(touch sprung)"),
        ("squared_error_rows", "../../../mine"),
    ],
)
def test_a_row_whatever_its_name_runs_and_removes_nothing(
    pipeline: Path, section: str, row: str
) -> None:
    """DVC itself reads the names, before `qagrel` can refuse them."""
    params = yaml.safe_load((pipeline / "params.yaml").read_text())
    params[section] = [row]
    params["receptive_fields"]["rows"] = []  # which names rows that there are
    (pipeline / "params.yaml").write_text(yaml.safe_dump(params))
    stage = {"rows": "row", "squared_error_rows": "squared-error-row"}[section]
    done = subprocess.run(
        [DVC, "repro", "--single-item", f"{stage}@digits-{row}"],
        cwd=pipeline,
        env={**os.environ, "PATH": os.pathsep.join([str(DVC.parent), os.environ["PATH"]])},
        capture_output=True,
        text=True,
    )
    assert f"row: {row!r} does not read rule_feedback_hidden_learning-rate" in done.stderr
    assert done.returncode != 0
    assert (pipeline / "mine.csv").read_text() == "mine"
    assert not list(pipeline.rglob("sprung"))


def test_no_command_of_the_pipeline_takes_a_text_of_params_unquoted() -> None:
    """A matrix over names of params.yaml takes them as DVC quotes them: ``${item}``, whole."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        keys = [key for key, values in stage.get("matrix", {}).items() if isinstance(values, str)]
        assert not any(f"${{item.{key}}}" in stage["cmd"] for key in keys), stage["cmd"]
        literal = {"${item}", *(f"${{item.{key}}}" for key in stage.get("matrix", {}))}
        assert set(re.findall(r"\$\{[^}]*\}", stage["cmd"])) <= literal


def test_what_goes_beyond_the_paper_hangs_on_the_same_kernels() -> None:
    """Both fingerprints are of the same sources, as every module of the kernels is one."""
    paper, beyond = (
        yaml.safe_load((ROOT / name).read_text())["stages"]["fingerprint"]["deps"]
        for name in ("dvc.yaml", "beyond/dvc.yaml")
    )
    kernels = {f"qagrel/kernels/{path.name}" for path in (ROOT / "qagrel/kernels").glob("*.py")}
    assert kernels <= set(paper) == set(beyond)
