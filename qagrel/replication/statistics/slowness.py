"""Which rule is slower, by which measure: the ratio of epochs, Q-AGREL over error-BP.

The paper compares epochs until its stopping rule.  Here the same ratio stands beside those of the
epochs until a given accuracy, in validation and in training, against both losses of error-BP.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from qagrel.replication.statistics.claims import AGREL_RATES, BACKPROP_RATES, HIDDEN
from qagrel.replication.statistics.estimates import NAN, rounded
from qagrel.replication.statistics.paper import Rules
from qagrel.replication.statistics.rows import Row, Summary, Table, bound, pool, require, summarise

LEVELS = (95.0, 97.0, 98.0, 99.0)  # percent
MEASURES = (
    "stop",
    *(f"{which} {level:g} %" for which in ("validation", "training") for level in LEVELS),
)
RATES = ("lower", "higher", "both", "own better", "own best")


@dataclass(frozen=True)
class Runs:
    """Rows of one table: their summaries, and every epoch of all seeds."""

    table: Table
    histories: Mapping[Row, pd.DataFrame]


def until(runs: Runs, measure: str) -> dict[Row, Summary]:
    """Rows as if each run had ended in the first epoch that meets a measure of `MEASURES`.

    A run that never met it counts as cut off in its last epoch.
    """
    if measure == "stop":
        return dict(runs.table)
    which, level, _ = measure.split()
    column = {"validation": "validation_accuracy", "training": "train_accuracy"}[which]
    found = {}
    for row, history in runs.histories.items():
        require(history, ["seed", "epoch", column], row.name)
        last = history.groupby("seed")["epoch"].max()
        met = history[history[column] >= float(level)].groupby("seed")["epoch"].min()
        status = np.where(last.index.isin(met.index), "converged", "max-epochs")
        lines = {"seed": last.index, "n_epochs": met.reindex(last.index).fillna(last).to_numpy()}
        found[row] = summarise(pd.DataFrame({**lines, "test_accuracy": 0.0, "status": status}))
    return found


def epochs_by_measure(agrel: Runs, backprop: Mapping[str, Runs], rules: Rules) -> pd.DataFrame:
    """The ratio of epochs by measure, loss and rates, with symmetric feedback.

    Parameters
    ----------
    agrel : the rows of Q-AGREL.
    backprop : those of error-BP, by loss.

    Returns
    -------
    DataFrame
        Columns measure (one of `MEASURES`), loss, rates (the lower ones of both rules, the higher
        ones, both, of each rule and network the rate of the two that is faster by this measure,
        or, where both rules have further rates, the fastest of all), n_pairs (of networks and
        rates); agrel_epochs and backprop_epochs (geometric means over pairs);
        agrel_met and backprop_met (shares of runs that met the measure); ratio, low and high
        (seed by seed); bound (see `rows.bound`).  The ratio is NaN where less than half of the
        runs of either rule met the measure.
    """
    records = []
    for measure in MEASURES:
        ours = until(agrel, measure)
        for loss, runs in backprop.items():
            theirs = until(runs, measure)
            for rates in RATES:
                pairs = list(_pairs(ours, theirs, rates))
                if pairs:
                    named = {"measure": measure, "loss": loss, "rates": rates}
                    records.append({**named, **_compared(pairs, rules)})
    return rounded(pd.DataFrame(records))


def _pairs(ours: Table, theirs: Table, rates: str) -> Iterator[tuple[Summary, Summary]]:
    matched = list(zip(AGREL_RATES, BACKPROP_RATES, strict=True))
    chosen = {"lower": matched[:1], "higher": matched[1:], "both": matched}.get(rates)
    for hidden in HIDDEN:
        if rates == "own best":
            yield from _best(ours, theirs, hidden)
            continue
        q = {r: ours.get(Row("q-agrel", "symmetric", hidden, r)) for r in AGREL_RATES}
        bp = {r: theirs.get(Row("error-bp", "symmetric", hidden, r)) for r in BACKPROP_RATES}
        if any(summary is None or summary.n_diverged for summary in (*q.values(), *bp.values())):
            continue
        if chosen is None:
            yield _faster(q.values()), _faster(bp.values())  # type: ignore[arg-type]
        else:
            yield from ((q[a], bp[b]) for a, b in chosen)  # type: ignore[misc]


def _best(ours: Table, theirs: Table, hidden: str) -> Iterator[tuple[Summary, Summary]]:
    """The fastest of all rates that a rule was tried at, where these are more than the paper's."""
    tried = [
        [
            summary
            for row, summary in table.items()
            if (row.rule, row.feedback, row.hidden) == (rule, "symmetric", hidden)
        ]
        for table, rule in ((ours, "q-agrel"), (theirs, "error-bp"))
    ]
    if min(map(len, tried)) > len(AGREL_RATES):
        agrel, backprop = ([s for s in side if not s.n_diverged] for side in tried)
        if agrel and backprop:
            yield _faster(agrel), _faster(backprop)


def _faster(summaries: Sequence[Summary]) -> Summary:
    return min(summaries, key=lambda summary: summary.epochs.mean)


def _compared(pairs: Sequence[tuple[Summary, Summary]], rules: Rules) -> dict[str, Any]:
    weight = 1 / len(pairs)
    terms = [term for q, bp in pairs for term in ((weight, q), (-weight, bp))]
    estimate = pool(terms, "epochs", rules.pairing)
    sides = list(zip(*pairs, strict=True))
    met = [float(np.mean([1 - s.n_cut_off / s.n_seeds for s in side])) for side in sides]
    epochs = [math.exp(np.mean([math.log(s.epochs.mean) for s in side])) for side in sides]
    ends = (estimate.value, *estimate.interval(rules.confidence))
    ratio, low, high = map(math.exp, ends) if min(met) >= 0.5 else (NAN, NAN, NAN)
    return {
        "n_pairs": len(pairs),
        "agrel_epochs": epochs[0],
        "backprop_epochs": epochs[1],
        "agrel_met": met[0],
        "backprop_met": met[1],
        "ratio": ratio,
        "low": low,
        "high": high,
        "bound": bound(terms),
    }
