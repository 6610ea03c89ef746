"""Epochs of runs that may be cut off: how many still go on after each epoch (Kaplan and Meier).

A run that had not met the stopping rule by the last epoch allowed, or diverged, is right-censored:
all that is known is that it would have taken longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from qagrel.replication.statistics.estimates import NAN, rounded
from qagrel.replication.statistics.rows import Row, Summary
from qagrel.spec import RunSpec

if TYPE_CHECKING:
    from scipy.stats import CensoredData


def censored(summaries: Sequence[Summary]) -> "CensoredData":
    """The epochs of all seeds, those that were cut off marked as such."""
    from scipy import stats  # slow to import

    seeds = [seed for summary in summaries for seed in summary.seeds]
    epochs, met = [seed[2] for seed in seeds], [seed[3] == "converged" for seed in seeds]
    return stats.CensoredData.right_censored(epochs, [not each for each in met])


def going_on(summary: Summary) -> pd.DataFrame:
    """The Kaplan-Meier estimate of the share of runs that go on: columns epoch, share.

    It starts at epoch 0 and ends where the last run ended or was cut off.
    """
    from scipy import stats  # slow to import

    curve = stats.ecdf(censored([summary])).sf
    lines = pd.DataFrame({"epoch": curve.quantiles, "share": curve.probabilities})
    start = pd.DataFrame({"epoch": [0.0], "share": [1.0]})
    return pd.concat([start, lines.astype(float)], ignore_index=True)


def finishing(rows: Mapping[Row, tuple[Summary, RunSpec]]) -> pd.DataFrame:
    """How many runs of each row finish, and whether symmetric feedback finishes sooner.

    Parameters
    ----------
    rows : of one loss.

    Returns
    -------
    DataFrame
        A line a row: its columns, n_seeds, n_diverged; drop_epoch and by_drop, the share of seeds
        that met the stopping rule before the rate dropped; max_epochs and finished, the share that
        met it at all; median, by Kaplan and Meier (NaN: half of the runs went on to the end);
        p_logrank, of equal curves here and in the rows of the same rule and network with symmetric
        feedback, both rates (NaN for those themselves, and where all runs were cut off).
    """
    records = []
    for row, (summary, spec) in rows.items():
        ends = [epochs for _, _, epochs, status in summary.seeds if status == "converged"]
        curve = going_on(summary)
        half = curve.loc[curve["share"] <= 0.5, "epoch"]
        records.append(
            {
                **asdict(row),
                "n_seeds": summary.n_seeds,
                "n_diverged": summary.n_diverged,
                "drop_epoch": spec.drop_epoch,
                "by_drop": sum(end < spec.drop_epoch for end in ends) / summary.n_seeds,
                "max_epochs": spec.max_epochs,
                "finished": len(ends) / summary.n_seeds,
                "median": float(half.min()) if len(half) else NAN,
                "p_logrank": _against_symmetric(row, rows),
            }
        )
    return rounded(pd.DataFrame(records))


def _against_symmetric(row: Row, rows: Mapping[Row, tuple[Summary, Any]]) -> float:
    from scipy import stats  # slow to import

    same = [
        summary
        for other, (summary, _) in rows.items()
        if (other.rule, other.hidden, other.feedback) == (row.rule, row.hidden, "symmetric")
    ]
    if row.feedback == "symmetric" or not any(summary.n_converged for summary in same):
        return NAN
    return float(stats.logrank(censored([rows[row][0]]), censored(same)).pvalue)
