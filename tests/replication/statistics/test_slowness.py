"""Ratios of epochs by measure, and runs that were cut off."""

import numpy as np
import pandas as pd
import pytest
from examples import AGREL, STARRED, seeds
from scipy import stats

from qagrel import RunSpec
from qagrel.replication.statistics import (
    Paper,
    Row,
    Runs,
    epochs_by_measure,
    finishing,
    going_on,
    summarise,
    until,
)


def runs(rule: str, rates: tuple[float, float], pace: float, n_epochs: int = 40) -> Runs:
    """Rows of four networks; accuracies rise to 100 %, the sooner the higher pace and rate."""
    table, histories = {}, {}
    for hidden in ("300", "300-100"):
        for rank, rate in enumerate(rates, 1):
            row, parts = Row(rule, "symmetric", hidden, rate), []
            for seed in range(3):
                epoch = np.arange(1, n_epochs + 1)
                accuracy = 100 * (1 - 0.5 ** (pace * rank * epoch * (1 + seed / 20)))
                checked = np.where(epoch % 5 == 0, accuracy, np.nan)
                lines = {"seed": seed, "epoch": epoch, "validation_accuracy": checked}
                parts.append(pd.DataFrame({**lines, "train_accuracy": accuracy}))
            histories[row] = pd.concat(parts)
            table[row] = summarise(seeds([98.0, 98.1, 98.2], [n_epochs] * 3))
    return Runs(table, histories)


FAST, SLOW = runs("q-agrel", (0.5, 1.0), 0.5), runs("error-bp", (0.05, 0.1), 0.25)


def test_runs_end_where_they_first_meet_an_accuracy() -> None:
    row = Row("q-agrel", "symmetric", "300", 0.5)
    found = until(FAST, "training 98 %")[row]
    # 0.5 ** (0.25 ... ) <= 0.02, so epoch 12 or sooner: log2(50) / 0.5 = 11.3
    assert [seed[2] for seed in found.seeds] == [12, 11, 11]
    assert [seed[2] for seed in until(FAST, "validation 98 %")[row].seeds] == [15, 15, 15]
    assert until(FAST, "stop") == FAST.table


def test_an_accuracy_that_was_never_met_cuts_a_run_off() -> None:
    short = runs("q-agrel", (0.5, 1.0), 0.05, n_epochs=20)
    found = until(short, "training 99 %")[Row("q-agrel", "symmetric", "300", 0.5)]
    assert (found.n_converged, found.epochs.mean) == (0, 20)


def test_the_ratio_of_twice_the_pace_is_a_half(paper: Paper) -> None:
    table = epochs_by_measure(FAST, {"cross-entropy": SLOW}, paper.rules)
    chosen = table[(table["measure"] == "training 99 %")].set_index("rates")
    assert chosen.loc["both", "ratio"] == pytest.approx(0.5, rel=0.06)
    assert chosen.loc["own better", "ratio"] == chosen.loc["higher", "ratio"]
    assert chosen["n_pairs"].to_dict() == {"lower": 2, "higher": 2, "both": 4, "own better": 2}
    assert (chosen["low"] <= chosen["ratio"]).all()


def test_the_best_of_all_rates_is_told_where_both_rules_have_more_than_two(paper: Paper) -> None:
    def further(runs: Runs, rule: str, rate: float, n_epochs: int) -> Runs:
        row = Row(rule, "symmetric", "300-100", rate)
        added = summarise(seeds([98.0, 98.1, 98.2], [n_epochs, n_epochs, n_epochs + 1]))
        return Runs({**runs.table, row: added}, runs.histories)

    ours, theirs = further(FAST, "q-agrel", 2.0, 30), further(SLOW, "error-bp", 0.2, 90)
    losses = {"cross-entropy": theirs, "squared-error": SLOW}
    table = epochs_by_measure(ours, losses, paper.rules)
    (line,) = table[table["rates"] == "own best"].query("measure == 'stop'").to_dict("records")
    assert (line["loss"], line["n_pairs"]) == ("cross-entropy", 1)
    assert line["agrel_epochs"] == pytest.approx(91 / 3, rel=1e-4)
    assert line["backprop_epochs"] == 40  # of its rates in Table 1: the further one is slower
    assert "own best" not in set(epochs_by_measure(FAST, losses, paper.rules)["rates"])


def test_a_measure_that_most_runs_missed_has_no_ratio(paper: Paper) -> None:
    short = runs("error-bp", (0.05, 0.1), 0.05, n_epochs=20)
    table = epochs_by_measure(FAST, {"cross-entropy": short}, paper.rules)
    line = table[(table["measure"] == "training 99 %") & (table["rates"] == "both")].iloc[0]
    assert np.isnan(line["ratio"])
    assert (line["bound"], line["backprop_met"]) == ("at most", 0)


# --- runs that were cut off ------------------------------------------------------------------

CUT = seeds([97.0] * 4, [600, 700, 1000, 1000], ["converged", "converged", *["max-epochs"] * 2])


def test_the_share_that_goes_on_is_kaplans_and_meiers() -> None:
    curve = going_on(summarise(CUT))
    assert curve["epoch"].tolist() == [0, 600, 700, 1000]
    assert curve["share"].tolist() == [1.0, 0.75, 0.5, 0.5]


def test_how_many_finish_and_whether_later_than_with_symmetric_feedback() -> None:
    symmetric = Row("q-agrel", "symmetric", STARRED.hidden, 0.5)
    fast = summarise(seeds([98.0] * 4, [150, 160, 170, 180]))
    rows = {symmetric: (fast, RunSpec()), STARRED: (summarise(CUT), RunSpec())}
    table = finishing(rows).set_index("feedback")
    assert table.loc["fixed", ["by_drop", "finished", "median"]].tolist() == [0.0, 0.5, 700.0]
    assert table.loc["symmetric", ["by_drop", "finished"]].tolist() == [1.0, 1.0]
    expected = stats.logrank(
        stats.CensoredData(uncensored=[600, 700], right=[1000, 1000]), [150, 160, 170, 180]
    )
    assert table.loc["fixed", "p_logrank"] == pytest.approx(expected.pvalue, rel=1e-5)
    assert np.isnan(table.loc["symmetric", "p_logrank"])


def test_rows_that_never_finish_have_no_median() -> None:
    never = summarise(seeds([97.0] * 3, 1000, "max-epochs"))
    line = finishing({AGREL: (never, RunSpec())}).iloc[0]
    assert (line["finished"], np.isnan(line["median"])) == (0.0, True)
