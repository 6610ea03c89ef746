"""dvc.yaml knows of every committed result, and what it says of plots can be drawn."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from helpers import ROOT

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
    assert {path: made[path] for path in committed if made[path] != 1} == {}


def test_dvc_draws_the_curves_of_both_profiles() -> None:
    dvc = Path(sys.prefix) / "bin" / "dvc"
    plots = json.loads(printed(dvc, "plots", "show", "--json"))["data"]
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
