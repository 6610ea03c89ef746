"""The report of what goes beyond the paper, from made-up studies."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from examples import beyond_results
from helpers import ROOT, work_in

from qagrel import InputError
from qagrel.replication import audit, commands, report, sweep
from qagrel.replication.experiments import read_params

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="200"></svg>'
FOLDER = Path("results/beyond")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, in which the test works, with invented results of the profile."""
    for name in ("params.yaml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("paper", "beyond"):
        shutil.copytree(ROOT / name, tmp_path / name)
    beyond_results(tmp_path / FOLDER, n_seeds=2)
    shutil.copy(ROOT / "results/mnist/data.json", tmp_path / FOLDER)
    figures = re.findall(r'"(beyond_\d_\w+)"', (tmp_path / "paper/beyond.typ").read_text())
    (tmp_path / FOLDER / "figures").mkdir()
    for name in figures:
        (tmp_path / FOLDER / "figures" / f"{name}.svg").write_text(BLANK)
    return work_in(tmp_path, monkeypatch)


def test_it_is_built_of_its_own_results_in_the_same_bytes(project: Path) -> None:
    path = report.build_report("beyond")
    assert project / path == project / FOLDER / "report.pdf"
    first = path.read_bytes()
    assert first.startswith(b"%PDF-")
    assert report.build_report("beyond").read_bytes() == first


@pytest.mark.parametrize("verdict", ["held", "contradicted", "inconclusive", "not tested"])
def test_it_has_words_for_every_verdict(project: Path, verdict: str) -> None:
    path = project / FOLDER / "verdicts.json"
    records = json.loads(path.read_text())
    for record in records:
        record["verdict"] = verdict
        if verdict == "not tested":
            record |= {"value": None, "low": None, "high": None, "p": None, "p_corrected": None}
    path.write_text(json.dumps(records))
    assert report.build_report("beyond").read_bytes().startswith(b"%PDF-")


def test_it_counts_the_studies_that_were_made(project: Path) -> None:
    folder = project / FOLDER
    profile = read_params().profile("beyond")
    assert set(report.studies_made(profile, folder)) == set(profile.studies)
    (folder / "studies" / "depth-summary.csv").unlink()
    assert set(report.studies_made(profile, folder)) == set(profile.studies) - {"depth"}
    for path in (folder / "studies").glob("*-summary.csv"):
        path.unlink()
    commands.write_statistics("beyond")
    assert json.loads((folder / "answers.json").read_text()) == {}
    assert report.build_report("beyond").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    "name", ["beyond/predictions.yaml", f"{FOLDER}/verdicts.json", "CITATION.cff"]
)
def test_what_it_is_made_of_is_named_where_it_is_missing(project: Path, name: str) -> None:
    (project / name).unlink()
    with pytest.raises(InputError, match=name):
        report.build_report("beyond")


def test_verdicts_are_written_for_a_profile_with_predictions(project: Path) -> None:
    (project / "beyond" / "hindsight.yaml").unlink(missing_ok=True)  # of what was made up nothing
    paths = [project / FOLDER / name for name in ("verdicts.json", "answers.json")]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    records = commands.write_statistics("beyond")
    assert [path.read_bytes() for path in paths] == before
    assert [record["id"] for record in records] == [each["id"] for each in json.loads(before[0])]


def test_an_audit_makes_verdicts_again_and_compares_files_with_their_own_lock(
    project: Path,
) -> None:
    params = read_params()
    given = (project / FOLDER, params, params.profile("beyond"), project / "paper")
    commands.write_statistics("beyond")
    assert audit.audit_statistics(*given) == []
    path = project / FOLDER / "verdicts.json"
    path.write_text(path.read_text().replace("inconclusive", "held", 1))
    assert [each.run for each in audit.audit_statistics(*given)] == ["verdicts.json"]

    study = f"{FOLDER}/studies/depth.csv"
    recorded = {"stages": {"study@depth": {"outs": [{"path": study, "md5": "0" * 32}]}}}
    audit.LOCK_BEYOND.write_text(yaml.safe_dump(recorded))
    found = audit.audit_lock(project / FOLDER, "beyond", audit.LOCK_BEYOND)
    assert "studies/depth.csv" in {each.run for each in found}
    assert {each.column for each in found} == {"hash in beyond/dvc.lock"}


def test_nothing_is_trained_for_predictions_that_were_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sweep, "run_all")
    path = project / "beyond" / "predictions.yaml"
    path.write_text(path.read_text().replace("above: 1.0", "above: 0.5", 1))
    with pytest.raises(InputError, match=r"beyond/predictions\.yaml is not as it was committed"):
        commands.study("depth", "beyond")


@pytest.mark.usefixtures("project")
def test_the_fingerprint_of_a_profile_is_of_all_options_that_its_studies_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def option(spec: object) -> str:
        return str(getattr(spec, changing))

    monkeypatch.setattr(sweep, "arithmetic_of", option)
    found = {}
    for changing in ("optimizer", "distortion", "dataset"):
        found[changing] = commands.fingerprint("beyond")
    assert len(set(found.values())) == 3
    changing = "optimizer"
    assert commands.fingerprint("beyond") == found["optimizer"]
