"""The files that a row or a study leaves."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from helpers import ROOT, SMALL

from qagrel import Dataset, results, store, train
from qagrel.replication.experiments import read_params

SPEC = SMALL.replace(feedback="fixed", hidden=(5, 4))
COLUMNS = [
    *("seed", "epoch", "learning_rate", "reward", "error", "loss"),
    *("train_accuracy", "validation_accuracy", "angle_2", "angle_3"),
]
SUMMARY = ["seed", "n_epochs", "test_accuracy", "status", "diverged_at"]


def test_the_files_of_a_row(tmp_path: Path, patches: Dataset) -> None:
    histories = [train(SPEC.replace(seed=seed), patches) for seed in (0, 1)]
    results.write_row(tmp_path, "some-row", histories)
    epochs = store.read_csv(tmp_path / "runs" / "some-row.csv")
    assert list(epochs) == COLUMNS
    assert epochs["seed"].tolist() == [0] * 4 + [1] * 4
    both = pd.concat([history.epochs for history in histories], ignore_index=True)
    pd.testing.assert_frame_equal(epochs.drop(columns="seed"), both, check_exact=True)
    lines = results.read_summary(tmp_path, "some-row")
    assert list(lines) == SUMMARY
    assert lines["seed"].tolist() == [0, 1]
    assert lines["n_epochs"].tolist() == [4, 4]
    assert lines["test_accuracy"].tolist() == [h.test_accuracy for h in histories]
    assert lines["status"].tolist() == ["max-epochs"] * 2
    assert lines["diverged_at"].isna().all()


def test_error_bp_has_no_reward_and_symmetric_feedback_no_angle(
    tmp_path: Path, patches: Dataset
) -> None:
    spec = SPEC.replace(rule="error-bp", feedback="symmetric")
    results.write_row(tmp_path, "row", [train(spec, patches)])
    assert list(store.read_csv(tmp_path / "runs" / "row.csv")) == [
        name for name in COLUMNS if name != "reward" and not name.startswith("angle")
    ]


def test_a_diverged_run_in_a_summary(tmp_path: Path, patches: Dataset) -> None:
    good = train(SPEC, patches)
    bad = replace(good, spec=SPEC.replace(seed=1), status="diverged", test_accuracy=np.nan)
    results.write_row(tmp_path, "row", [good, bad])
    text = (tmp_path / "runs" / "row-summary.csv").read_text()
    assert text.splitlines()[1:] == [f"0,4,{good.test_accuracy},max-epochs,", "1,4,,diverged,4"]


def test_the_files_of_a_study(tmp_path: Path, patches: Dataset) -> None:
    runs = {"300": SPEC, "error-bp": SPEC.replace(rule="error-bp", hidden=(4,))}
    histories = {
        name: [train(spec.replace(seed=seed), patches) for seed in (0, 1)]
        for name, spec in runs.items()
    }
    results.write_study(tmp_path, "some-study", histories, classes=True)
    epochs, lines = results.read_study(tmp_path, "some-study")
    counts = [f"{what}_{n}" for what in ("selected", "correct", "presented") for n in range(3)]
    assert set(epochs) == {"run", *COLUMNS, *counts}
    assert epochs["run"].tolist() == ["300"] * 8 + ["error-bp"] * 8
    first = epochs.query("run == 'error-bp' and seed == 1 and epoch == 2").iloc[0]
    confusion = histories["error-bp"][1].confusion[1]
    expected = [*confusion.sum(axis=0), *np.diagonal(confusion), *confusion.sum(axis=1)]
    assert first[counts].tolist() == expected
    assert list(lines) == ["run", "rule", "feedback", "hidden", "learning_rate", *SUMMARY]
    assert lines["run"].tolist() == ["300", "300", "error-bp", "error-bp"]
    assert lines["hidden"].tolist() == ["5-4", "5-4", "4", "4"]


def test_a_study_without_classes_counts_none(tmp_path: Path, patches: Dataset) -> None:
    results.write_study(tmp_path, "study", {"only": [train(SPEC, patches)]}, classes=False)
    assert list(results.read_study(tmp_path, "study")[0]) == ["run", *COLUMNS]


FURTHER = ("agrel_batches", "rate_map", "q_values", "finding", "more_learned", "updates")


def test_the_evidence_of_further_studies_and_that_without_them(tmp_path: Path) -> None:
    params = read_params(ROOT / "params.yaml")
    profile = params.profile("digits")
    folder = shutil.copytree(ROOT / "results" / "digits", tmp_path / "digits")
    evidence = results.read_evidence(folder, params, profile)
    assert all(len(getattr(evidence, name)) for name in FURTHER)
    assert {row.feedback for row in evidence.fixed} == {"fixed"}
    n_readings = len(results.reading_runs(folder))
    for study in ("wrong-values", "finding-classes", "learning-rate-map", "learned-feedback"):
        (folder / "studies" / f"{study}.csv").unlink()
        (folder / "studies" / f"{study}-measured.csv").unlink(missing_ok=True)
    for study in ("stepwise", "updates"):
        (folder / "studies" / f"{study}-measured.csv").unlink()
    (folder / "studies" / "feedback-range.csv").unlink()
    evidence = results.read_evidence(folder, params, profile)
    assert [getattr(evidence, name) for name in FURTHER] == [None, None, None, None, {}, None]
    assert 0 < len(results.reading_runs(folder)) < n_readings
