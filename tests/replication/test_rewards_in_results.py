"""Runs with rewards of their own as results: tables, statistics, audit, kept runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import SMALL

from qagrel import Dataset, InputError, results, sweep, train
from qagrel.replication import audit
from qagrel.replication.figures import plots
from qagrel.replication.statistics import discoveries, overshoots

GO = ((1.0, -0.5), (-1.0, 0.0), (0.25, 0.25))
MORE = ((0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 2.0), (1.0, 1.0, 0.0, 0.0))
TURNED = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
FIELDS: dict[str, dict[str, Any]] = {
    "fewer actions": {"payoff": GO, "reward_flip": 0.2},
    "more actions": {"payoff": MORE},
    "reversal": {"payoff_switch": 3, "payoff_after": TURNED},
}


@pytest.fixture(params=FIELDS)
def fields(request: pytest.FixtureRequest) -> dict[str, Any]:
    return FIELDS[request.param]


def test_counts_are_a_class_and_an_action(fields: dict[str, Any], patches: Dataset) -> None:
    history = train(SMALL.replace(**fields), patches)
    table = results.epoch_table(history, classes=True)
    n_actions = history.confusion.shape[2]
    selected = table[[f"selected_{action}" for action in range(n_actions)]].to_numpy()
    assert f"selected_{n_actions}" not in table
    assert selected.tolist() == history.confusion.sum(axis=1).tolist()
    correct = table[["correct_0", "correct_1", "correct_2"]].sum(axis=1)
    np.testing.assert_allclose(correct / 38, 1 - table["error"])
    assert discoveries(table, 0.0)["epoch"].tolist() == [1, 1, 1]


def test_selections_of_classes_are_compared_where_there_are_as_many(patches: Dataset) -> None:
    fewer, more, reversal = (
        results.epoch_table(train(SMALL.replace(**fields), patches), classes=True)
        for fields in FIELDS.values()
    )
    with pytest.raises(InputError, match="selected_2"):
        overshoots(fewer, 2, 0.5)
    assert len(overshoots(reversal, 2, 0.5)) == len(overshoots(more, 2, 0.5)) == 3


def test_a_study_is_written_read_and_audited(
    fields: dict[str, Any], patches: Dataset, tmp_path: Path
) -> None:
    """Its protocol, and every number trained afresh."""
    spec = SMALL.replace(max_epochs=60, stop_checks=2, **fields)
    results.write_study(tmp_path, "study", {"only": [train(spec, patches)]}, classes=True)
    epochs, lines = results.read_study(tmp_path, "study")
    own = epochs.drop(columns="run")
    run = audit.Committed("study/only, seed 0", spec, own, lines.iloc[0], classes=True)
    assert audit.audit_rules(run) == []
    part = train(spec, patches, on_epoch=lambda epoch: epoch["epoch"] == 3)
    assert audit.compare(run, train(spec, patches)) == audit.compare(run, part) == []
    assert "optimal_reward" in own


def test_a_run_that_stops_before_its_switch_breaks_the_protocol(patches: Dataset) -> None:
    spec = SMALL.replace(max_epochs=60, stop_checks=2)
    history = train(spec, patches)
    assert history.converged
    late = spec.replace(payoff_switch=59, payoff_after=TURNED)
    summary = results.summary([history]).iloc[0]
    epochs = results.epoch_table(history).assign(optimal_reward=1.0)
    found = audit.audit_rules(audit.Committed("run", late, epochs, summary))
    assert {difference.column for difference in found} == {"status", "n_epochs"}


def test_the_matrix_of_choices_has_a_column_an_action() -> None:
    axes = plots.new_figure(3, 3).subplots()
    plots.confusion_matrix(axes, np.array([[3, 1, 0], [0, 8, 1]]))
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 3), (2, 0))
    labels = [
        [text.get_text() for text in ticks]
        for ticks in (axes.get_xticklabels(), axes.get_yticklabels())
    ]
    assert labels == [["0", "1", "2"], ["0", "1"]]


def test_rewards_are_an_option_of_the_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "fingerprint", lambda *arguments: " ".join(arguments))
    assert sweep.arithmetic_of(SMALL) == "float64"
    for fields in (*FIELDS.values(), {"reward_omission": 0.1}):
        assert sweep.arithmetic_of(SMALL.replace(**fields)) == "float64 rewards"


def test_the_small_runs_of_the_option_use_every_field() -> None:
    used = pd.DataFrame(sweep.OPTIONS["rewards"].variants).columns
    assert {"payoff", "payoff_switch", "payoff_after", "reward_omission", "reward_flip"} <= {*used}
