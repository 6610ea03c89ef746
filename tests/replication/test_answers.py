"""Answers to the questions beyond the paper: their numbers, from made-up studies."""

from pathlib import Path
from typing import Any

import pytest
from examples import beyond_results

from qagrel import InputError, store
from qagrel.replication import beyond

FOLDER = "studies"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    beyond_results(tmp_path, n_seeds=2)
    return tmp_path


def rewrite(folder: Path, name: str, column: str, values: dict[str, Any], other: Any) -> None:
    """Give all seeds of a run the same number, and `other` to those of all other runs."""
    path = folder / FOLDER / f"{name}.csv"
    table = store.read_csv(path)
    store.write_csv(
        path, table.assign(**{column: [values.get(run, other) for run in table["run"]]})
    )


def answer_to(folder: Path, question: str) -> str:
    return beyond.answers(folder, [question])[question]


def test_every_question_has_an_answer(folder: Path) -> None:
    questions = [each["question"] for each in store.read_json(folder / "verdicts.json")]
    asked = list(dict.fromkeys(questions))
    assert list(beyond.answers(folder, asked)) == asked


def test_other_questions_and_other_runs_have_none(folder: Path) -> None:
    assert beyond.answers(folder, ["weather"]) == {}
    path = folder / FOLDER / "feedback-summary.csv"
    table = store.read_csv(path)
    store.write_csv(path, table.assign(run=table["run"].replace("symmetric", "whole")))
    with pytest.raises(InputError, match="compares with the run: 'symmetric' is not one of whole"):
        beyond.answers(folder, ["feedback"])


def test_depth_is_what_all_networks_up_to_it_reach(folder: Path) -> None:
    good = {f"{n}, q-agrel, symmetric, 0.05": 97.5 for n in (3, 6)}
    good["2, q-agrel, symmetric, 0.05"] = 98.0
    rewrite(folder, "depth-summary", "test_accuracy", good, 50.0)
    answer = answer_to(folder, "depth")
    assert "3 (Q-AGREL, symmetric, 0.05)" in answer
    assert "none (Q-AGREL, symmetric, 0.1)" in answer
    assert "6 layers, in percent: 97.5 (Q-AGREL, symmetric, 0.05), 50.0 (Q-AGREL, learned" in answer


def test_what_wrong_feedback_costs(folder: Path) -> None:
    found = {"symmetric": 98.0, "noise 1": 97.8, "noise 2": 97.0, "correlation 1": 98.5}
    rewrite(folder, "feedback-summary", "test_accuracy", found, 90.0)
    answer = answer_to(folder, "feedback")
    assert "No more than 0.3 points below it stay: correlation 1, noise 1. What" in answer
    assert "0.20 (noise 1), 1.00 (noise 2), 8.00 (silenced 0.25)" in answer


def test_optimism_is_told_over_the_papers_rule(folder: Path) -> None:
    rewrite(folder, "optimism-stop-summary", "n_epochs", {"neither": 100, "novelty 1": 80}, 125)
    rewrite(folder, "optimism-stop-summary", "status", {"neither": "max-epochs"}, "converged")
    answer = answer_to(folder, "optimism")
    assert (
        "paper's rule: 1.25 (initial Q 0.2), 0.80 (novelty 1); cut off before it: 2 of 6 runs"
        in answer
    )


def test_gains_and_losses_have_their_sign_and_none_has_not(folder: Path) -> None:
    found = {"q-agrel, relu": 97.0, "q-agrel, leaky-relu": 97.001, "q-agrel, tanh": 96.0}
    rewrite(folder, "activations-summary", "test_accuracy", found, 97.5)
    answer = answer_to(folder, "activations")
    assert "under Q-AGREL changes by 0.00 (leaky ReLU), −1.00 (tanh) points" in answer


def test_the_price_of_trial_and_error_is_a_geometric_mean_of_ratios(folder: Path) -> None:
    path = folder / FOLDER / "classes-measured.csv"
    table = store.read_csv(path)
    table["trials"] = 1000
    table.loc[table["run"].eq("2, q-agrel, same") & table["seed"].eq(0), "trials"] = 2000
    table.loc[table["run"].eq("2, q-agrel, same") & table["seed"].eq(1), "trials"] = 8000
    store.write_csv(path, table)
    answer = answer_to(folder, "classes")
    assert "5, 7, 10 classes: 4.0, 1.0, 1.0, 1.0, 1.0 until 80 % are right" in answer


def test_a_share_that_was_never_reached_counts_with_the_last_trial_of_any(folder: Path) -> None:
    path = folder / FOLDER / "classes-measured.csv"
    table = store.read_csv(path).astype({"trials": float})
    last = table.loc[table["share"].eq(0.97) & table.index.to_series().gt(3), "trials"].max()
    table.loc[3, "trials"] = None  # the first run's, of 97 %
    store.write_csv(path, table)
    ratios = beyond.trial_ratios(folder)
    first = table.loc[3, ["run", "seed", "share"]]
    assert first["share"] == 0.97
    other = table[(table["run"] == "2, error-bp, same") & (table["share"] == 0.97)]
    ratio = last / float(other.loc[other["seed"] == first["seed"], "trials"].iloc[0])
    own = ratios[(ratios["classes"] == 2) & (ratios["rates"] == "same") & (ratios["share"] == 0.97)]
    assert own.loc[own["seed"] == first["seed"], "value"].item() == pytest.approx(ratio)
