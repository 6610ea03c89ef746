"""Verdicts on predictions, from small made-up studies, and the predictions of the project."""

import copy
import hashlib
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import ROOT
from scipy import stats

from qagrel import InputError, store
from qagrel.replication import beyond
from qagrel.replication.beyond import Measured, Prediction
from qagrel.replication.experiments import Profile, read_params

SEEDS = range(5)
NETWORK = {"rule": "q-agrel", "feedback": "symmetric", "hidden": "30", "learning_rate": 0.5}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make up a study: a list of values a run, for a column of its summary."""

    def write(study: str, column: str, runs: dict[str, list[float]], **others: Any) -> Path:
        lines = []
        for run, values in runs.items():
            for seed, value in enumerate(values):
                line = {"n_epochs": 20, "test_accuracy": 90.0, "status": "max-epochs"}
                line |= {"diverged_at": None, column: value}
                lines.append({"run": run, **NETWORK, "seed": seed, **line, **others})
        folder = tmp_path / "studies"
        store.write_csv(folder / f"{study}-summary.csv", pd.DataFrame(lines))
        epochs = pd.DataFrame(lines)[["run", "seed"]]
        epochs = epochs.assign(epoch=1, learning_rate=0.5, validation_accuracy=50.0)
        store.write_csv(folder / f"{study}.csv", epochs)
        return tmp_path

    return write


def predicted(
    name: str = "one", quantity: str = "accuracy", study: str = "made-up", **fields: Any
) -> Prediction:
    given: dict[str, Any] = {"above": 0.0, "runs": {"new": 1, "old": -1}, **fields}
    measured = Measured(study=study, quantity=quantity, runs=given.pop("runs"))
    texts = {"question": "depth", "prediction": "It rises.", "why": "So.", "threshold": "A sign."}
    return Prediction(id=name, measured=measured, **texts, **given)


OLD = [90.0, 91.0, 92.0, 90.5, 91.5]


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([1.0, 1.1, 0.9, 1.2, 0.8], "held"),
        ([-1.0, -1.1, -0.9, -1.2, -0.8], "contradicted"),
        ([1.0, -1.1, 0.9, -1.2, 0.8], "inconclusive"),
    ],
)
def test_a_verdict_falls_by_the_paired_difference(
    write: Write, gains: list[float], verdict: str
) -> None:
    new = [value + gain for value, gain in zip(OLD, gains, strict=True)]
    (found,) = beyond.judge(
        [predicted()], write("made-up", "test_accuracy", {"new": new, "old": OLD})
    )
    assert found["verdict"] == verdict
    assert found["value"] == pytest.approx(np.mean(gains))
    half = stats.t.ppf(0.975, 4) * np.std(gains, ddof=1) / math.sqrt(5)
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=1e-4)
    expected = stats.ttest_1samp(gains, 0).pvalue
    assert found["p"] == pytest.approx(expected, rel=1e-4)
    assert found["n_seeds"] == 5


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.5, 1.5, "held"), (1.5, 2.0, "contradicted"), (-2.0, 0.5, "contradicted")],
)
def test_a_number_is_held_between_two_bounds_and_contradicted_on_either_side(
    write: Write, low: float, high: float, verdict: str
) -> None:
    new = [value + gain for value, gain in zip(OLD, [1.0, 1.1, 0.9, 1.05, 0.95], strict=True)]
    folder = write("made-up", "test_accuracy", {"new": new, "old": OLD})
    assert beyond.judge([predicted(above=low, below=high)], folder)[0]["verdict"] == verdict


def test_one_family_of_all_predictions_is_corrected(write: Write) -> None:
    new = [value + gain for value, gain in zip(OLD, [1.0, 1.6, 0.4, 1.9, 0.1], strict=True)]
    folder = write("made-up", "test_accuracy", {"new": new, "old": OLD})
    alone = beyond.judge([predicted()], folder)
    crowd = beyond.judge([predicted(f"p{i}") for i in range(3)], folder)
    assert alone[0]["verdict"] == "held"
    assert {record["verdict"] for record in crowd} == {"inconclusive"}
    assert crowd[0]["p_corrected"] == pytest.approx(3 * alone[0]["p"], rel=1e-4)


def test_a_run_that_diverged_has_saved_no_epochs(write: Write) -> None:
    folder = write("made-up", "n_epochs", {"new": [50, 60, 70]})
    path = folder / "studies" / "made-up-summary.csv"
    table = store.read_csv(path).astype(object)
    table.loc[0, ["n_epochs", "test_accuracy", "status", "diverged_at"]] = [3, None, "diverged", 3]
    store.write_csv(path, table)
    assert beyond.values(folder, "made-up", "epochs")["value"].tolist() == pytest.approx(
        [70, 60, 70]
    )


def test_epochs_are_compared_as_ratios(write: Write) -> None:
    runs = {"new": [50, 55, 44, 61, 50], "old": [100, 111, 90, 120, 101]}
    folder = write("made-up", "n_epochs", runs)
    found = beyond.judge([predicted(quantity="epochs", above=0.4, below=0.67)], folder)[0]
    ratio = np.exp(np.mean(np.log(runs["new"])) - np.mean(np.log(runs["old"])))
    assert found["value"] == pytest.approx(ratio, rel=1e-5)
    assert found["low"] < ratio < found["high"]
    assert found["verdict"] == "held"


def test_a_run_that_diverged_has_the_accuracy_of_chance(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": [90.0, 90.5, 91.0, 91.5, 92.0]})
    path = folder / "studies" / "made-up-summary.csv"
    table = store.read_csv(path).astype(object)
    table.loc[0, ["test_accuracy", "status", "diverged_at"]] = [None, "diverged", 3]
    store.write_csv(path, table)
    values = beyond.values_by_seed(predicted(runs={"new": 1}).measured, folder)
    assert values.tolist() == [10.0, 90.5, 91.0, 91.5, 92.0]


def test_a_study_that_was_not_made_tests_nothing(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": OLD, "old": OLD})
    made, missing = beyond.judge([predicted(), predicted("two", study="other")], folder)
    assert made["verdict"] == "inconclusive"
    assert made["p_corrected"] == 1
    assert missing["verdict"] == "not tested"
    assert (missing["value"], missing["p"], missing["n_seeds"]) == (None, None, 0)


def measured(folder: Path, table: dict[str, list[Any]]) -> None:
    store.write_csv(folder / "studies" / "made-up-measured.csv", pd.DataFrame(table))


def test_classes_found_and_the_trials_that_it_took(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": [90.0, 90.0]})
    measured(
        folder,
        {
            "run": ["new"] * 6,
            "seed": [0] * 3 + [1] * 3,
            "class": [0, 1, 2] * 2,
            "found": [100, None, 400, 50, 100, 150],
        },
    )
    runs = {"new": 1}
    found = beyond.values_by_seed(predicted(quantity="found", runs=runs).measured, folder)
    assert found.tolist() == [2, 3]
    trials = beyond.values_by_seed(predicted(quantity="finding", runs=runs).measured, folder)
    assert np.exp(trials).tolist() == pytest.approx([300, 100])  # never: with the last, at 400


def test_trials_until_most_are_right(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": [90.0, 90.0]})
    measured(
        folder,
        {
            "run": ["new"] * 4,
            "seed": [0, 0, 1, 1],
            "share": [0.9, 0.95] * 2,
            "trials": [1000, 3000, 2000, None],
        },
    )
    trials = beyond.values_by_seed(predicted(quantity="trials", runs={"new": 1}).measured, folder)
    assert np.exp(trials).tolist() == pytest.approx([3000, 3000])


def test_a_run_that_the_study_has_not_is_named(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": OLD, "ald": OLD})
    with pytest.raises(InputError, match=r"run: 'old' is not one of .*; did you mean 'ald'"):
        beyond.judge([predicted()], folder)


# --- the file of predictions -----------------------------------------------------------------


@pytest.fixture(scope="module")
def profile() -> Profile:
    return read_params(ROOT / "params.yaml").profile("beyond")


@pytest.fixture
def content() -> dict[str, Any]:
    said = predicted(study="depth", runs={"1, q-agrel, symmetric, 0.05": 1})
    return {
        "questions": {"depth": "How deep?"},
        "predictions": [said.model_dump(exclude_none=True)],
    }


def registered(folder: Path, content: dict[str, Any], profile: Profile) -> Path:
    """The file of predictions, and the one beside it that has its hash and that of the runs."""
    path = folder / "predictions.yaml"
    path.write_text(yaml.safe_dump(content))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    noted = {"commit": "0" * 40, "date": "today", "sha256": sha256}
    noted["runs_sha256"] = beyond.runs_sha256(profile)
    (folder / "registered.yaml").write_text(yaml.safe_dump(noted))
    return path


def test_the_projects_predictions_are_as_they_were_first_committed(profile: Profile) -> None:
    assert profile.predictions == "beyond/predictions.yaml"
    read = beyond.read_predictions(ROOT / profile.predictions, profile)
    asked = {prediction.question for prediction in read.predictions}
    assert list(read.questions) == list(dict.fromkeys(p.question for p in read.predictions))
    assert len(asked) == 6


def test_the_commit_that_is_named_has_the_predictions_as_they_are() -> None:
    """Where the history is there: a copy without it cannot tell."""
    path = "beyond/predictions.yaml"
    commit = yaml.safe_load((ROOT / "beyond/registered.yaml").read_text())["commit"]
    git = ["git", "-C", str(ROOT)]
    shallow = subprocess.run([*git, "cat-file", "-e", commit], capture_output=True, check=False)
    if shallow.returncode:
        pytest.skip("the history is not here")
    first = subprocess.run([*git, "show", f"{commit}:{path}"], capture_output=True, check=True)
    assert first.stdout == (ROOT / path).read_bytes()
    is_ancestor = ["merge-base", "--is-ancestor", commit, "HEAD"]
    subprocess.run([*git, *is_ancestor], check=True)


def test_every_study_decides_a_prediction(profile: Profile) -> None:
    read = beyond.read_predictions(ROOT / str(profile.predictions), profile)
    assert {p.measured.study for p in read.predictions} == set(profile.studies)


def test_what_was_changed_later_is_no_prediction(
    tmp_path: Path, profile: Profile, content: dict[str, Any]
) -> None:
    path = registered(tmp_path, content, profile)
    beyond.read_predictions(path, profile)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match="is not as it was committed in 0000"):
        beyond.read_predictions(path, profile)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": "dept"}, "one: question: 'dept' is not one of depth; did you mean 'depth'"),
        ({"above": None}, "predictions.0: value error, give it a bound"),
        ({"below": "high"}, "predictions.0.below: input should be a valid number"),
        ({"rule": "none"}, "predictions.0.rule: extra inputs are not permitted"),
        ({"measured": {"quantity": "speed"}}, "one: quantity: 'speed' is not one of accuracy"),
        ({"measured": {"study": "deepth"}}, "one: study: 'deepth' is not one of .* 'depth'"),
        ({"measured": {"runs": {"7, q-agrel": 1}}}, "one: run: '7, q-agrel' is not one of "),
        ({"measured": {"runs": {"1, q-agrel": 2}}}, "runs.1, q-agrel: input should be 1 or -1"),
        ({"above": 1.0, "below": 1.0}, "predictions.0: value error, nothing is above and below"),
        ({"measured": {"quantity": "epochs"}}, "one: what is compared are ratios: .* above 0"),
    ],
)
def test_a_prediction_that_cannot_be_tested_is_refused(
    tmp_path: Path, profile: Profile, content: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    (prediction,) = content["predictions"]
    for name, value in change.items():
        if isinstance(value, dict):
            prediction[name] |= value
        else:
            prediction[name] = value
    with pytest.raises(InputError, match=said):
        beyond.read_predictions(registered(tmp_path, content, profile), profile)


def test_one_seed_decides_nothing(
    tmp_path: Path, profile: Profile, content: dict[str, Any]
) -> None:
    study = profile.study("depth").model_copy(update={"n_seeds": 1})
    alone = profile.model_copy(update={"studies": {"depth": study}})
    with pytest.raises(InputError, match="one: a test needs two seeds"):
        beyond.read_predictions(registered(tmp_path, content, alone), alone)


def test_seeds_that_are_missing_are_told(write: Write) -> None:
    folder = write("made-up", "test_accuracy", {"new": OLD[:3], "old": OLD})
    with pytest.raises(InputError, match="made-up: its runs have not the same seeds"):
        beyond.judge([predicted()], folder)


@pytest.mark.parametrize(
    ("quantity", "runs", "number", "unit"),
    [
        ("found", {"neither": 1}, "classes found: “the paper's rule”", "classes"),
        ("found", {"novelty 1": 1, "neither": -1}, "“novelty 1” − “the paper's rule”", "classes"),
        ("epochs", {"relu": 1, "tanh": -1}, "rule: “ReLU” / “tanh”", "times the epochs"),
        (
            "epochs",
            {"a": 1, "b": -1, "c": -1, "d": 1},
            ": “a” / “b” / “c” × “d”",
            "times the ratio",
        ),
    ],
)
def test_what_was_measured_is_told_in_words(
    tmp_path: Path, quantity: str, runs: dict[str, int], number: str, unit: str
) -> None:
    (found,) = beyond.judge([predicted(quantity=quantity, runs=runs)], tmp_path)
    assert found["number"].endswith(number)
    assert found["unit"] == unit


def test_other_runs_decide_nothing(
    tmp_path: Path, profile: Profile, content: dict[str, Any]
) -> None:
    path = registered(tmp_path, content, profile)
    more = profile.model_copy(update={"n_seeds": profile.n_seeds + 1})
    with pytest.raises(InputError, match="are not those that were registered in 0000"):
        beyond.read_predictions(path, more)


def test_hindsight_is_about_predictions_that_there_are(
    tmp_path: Path, profile: Profile, content: dict[str, Any]
) -> None:
    path = registered(tmp_path, content, profile)
    made = beyond.read_predictions(path, profile).predictions
    assert beyond.read_hindsight(path, made) == {}
    (tmp_path / "hindsight.yaml").write_text("one: It was otherwise.\n")
    assert beyond.read_hindsight(path, made) == {"one": "It was otherwise."}
    (tmp_path / "hindsight.yaml").write_text("ome: It was otherwise.\n")
    with pytest.raises(InputError, match="prediction: 'ome' is not one of one; did you mean"):
        beyond.read_hindsight(path, made)


def test_an_identifier_stands_once(
    tmp_path: Path, profile: Profile, content: dict[str, Any]
) -> None:
    content["predictions"] += copy.deepcopy(content["predictions"])
    with pytest.raises(InputError, match="one: it is there twice"):
        beyond.read_predictions(registered(tmp_path, content, profile), profile)
