"""Table 1 against the paper: row by row, and pooled by rule and feedback."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics.estimates import (
    Check,
    Estimate,
    Moments,
    Verdict,
    contrast,
    decide,
    holm,
    rounded,
    total,
)
from qagrel.replication.statistics.paper import Paper, Rules
from qagrel.replication.statistics.rows import MEASURES, ROW_COLUMNS, Row, Summary, Table, pool


@dataclass(frozen=True)
class Comparison:
    """One measure of one row, ours against the paper's."""

    ours: Summary
    paper: Summary
    check: Check

    def verdict(self, p_holds: float, p_fails: float, alpha: float) -> Verdict:
        """The verdict by corrected p-values, or by a rule where these say nothing.

        Where no network of the paper met the stopping rule, its epochs have no spread to test
        against, and convergence is compared instead: replicated if none of ours met it (two
        seeds at least), differs if significantly more did (Fisher's exact test).
        """
        from scipy import stats  # slow to import

        ours, paper = self.ours, self.paper
        if 2 * ours.n_diverged >= ours.n_seeds:
            return Verdict.DIFFERS
        if self.check.log and paper.n_converged == 0 and ours.n_seeds > 1 and not ours.n_diverged:
            met = ours.n_converged or 0
            counts = [[met, ours.n_seeds - met], [0, paper.n_seeds]]
            return decide(1.0 if met else 0.0, stats.fisher_exact(counts).pvalue, alpha)
        return decide(p_holds, p_fails, alpha)


def compare_row(ours: Summary, paper: Summary, measure: str, rules: Rules) -> Comparison:
    """Our mean less the paper's (accuracy), or the ratio of both (epochs), with its test."""
    estimate = contrast([(1.0, ours.tested(measure)), (-1.0, paper.tested(measure))])
    return Comparison(ours, paper, _equivalence(estimate, measure, rules))


def _equivalence(estimate: Estimate, measure: str, rules: Rules) -> Check:
    log = measure == "epochs"
    margin = math.log(rules.epochs_ratio) if log else rules.accuracy_margin
    return Check(measure, estimate, -margin, margin, null=0.0, log=log)


def comparisons(table: Table, paper: Paper, dataset: str) -> pd.DataFrame:
    """Every row and measure against the paper, with interval, tests and verdict.

    Parameters
    ----------
    table : our rows; each must be one of the paper's.
    dataset : what ours were trained on; verdicts are given on the paper's data only.

    Returns
    -------
    DataFrame
        The row's columns, then measure, mean, std, low, high (interval of our mean), n_seeds,
        n_converged, n_diverged, paper_mean, paper_std, difference (for epochs: ratio) with
        difference_low and difference_high, p_welch, p_tost, both corrected (p_welch_holm,
        p_tost_holm), equivalent_within (the smallest margin, for epochs ratio, at which the
        uncorrected equivalence test would succeed) and verdict.  Rows in the paper's order.

    Raises
    ------
    InputError
        When a row is not in the paper.
    """
    rows = _paper_order(table, paper)
    records = []
    for measure in MEASURES:
        family = [compare_row(table[row], paper.table[row], measure, paper.rules) for row in rows]
        tests = _corrected([comparison.check for comparison in family], paper.rules)
        for row, comparison, test in zip(rows, family, tests, strict=True):
            verdict = comparison.verdict(
                test["p_tost_holm"], test["p_welch_holm"], paper.rules.alpha
            )
            records.append(
                {
                    **asdict(row),
                    "measure": measure,
                    **_means(comparison, measure, paper.rules),
                    **test,
                    "verdict": _on_paper_data(verdict, dataset, paper.rules),
                }
            )
    return rounded(pd.DataFrame(records))


def pooled_comparisons(table: Table, paper: Paper, dataset: str) -> pd.DataFrame:
    """Each rule and feedback regime against the paper, averaged over its rows.

    The average of several rows is more exact than one row: it can tell what single rows leave
    inconclusive.  Our rows share their seeds, each of which is one sample; the paper's are taken
    as independent of each other and of ours, since of them no seeds are known.  Columns rule,
    feedback, measure, n_rows, and from difference on those of `comparisons`, then verdict_before,
    by the rules before they were amended; the regimes are the family.
    """
    regimes: dict[tuple[str, str], list[Row]] = {}
    for row in _paper_order(table, paper):
        regimes.setdefault((row.rule, row.feedback), []).append(row)
    records = []
    for measure in MEASURES:
        tests, before = (
            _corrected([_regime(table, rows, measure, p) for rows in regimes.values()], p.rules)
            for p in (paper, paper.before)
        )
        for ((rule, feedback), rows), test, old in zip(regimes.items(), tests, before, strict=True):
            verdict, verdict_before = (
                _on_paper_data(
                    decide(t["p_tost_holm"], t["p_welch_holm"], p.rules.alpha), dataset, p.rules
                )
                for t, p in ((test, paper), (old, paper.before))
            )
            line = {"rule": rule, "feedback": feedback, "measure": measure, "n_rows": len(rows)}
            records.append({**line, **test, "verdict": verdict, "verdict_before": verdict_before})
    return rounded(pd.DataFrame(records))


def _regime(table: Table, rows: Sequence[Row], measure: str, paper: Paper) -> Check:
    """The mean over rows, ours less the paper's."""
    ours = pool([(1 / len(rows), table[row]) for row in rows], measure, paper.rules.pairing)
    theirs = contrast([(-1 / len(rows), paper.table[row].tested(measure)) for row in rows])
    return _equivalence(total([ours, theirs]), measure, paper.rules)


def _paper_order(table: Table, paper: Paper) -> list[Row]:
    for row in table:
        if row not in paper.table:
            raise InputError(f"{row.name} is not a row of the paper's Table 1")
    return [row for row in paper.table if row in table]


def _means(comparison: Comparison, measure: str, rules: Rules) -> dict[str, Any]:
    ours: Moments = getattr(comparison.ours, measure)
    theirs: Moments = getattr(comparison.paper, measure)
    low, high = contrast([(1.0, ours)]).interval(rules.confidence)
    return {
        "mean": ours.mean,
        "std": ours.std,
        "low": low,
        "high": high,
        "n_seeds": comparison.ours.n_seeds,
        "n_converged": comparison.ours.n_converged,
        "n_diverged": comparison.ours.n_diverged,
        "paper_mean": theirs.mean,
        "paper_std": theirs.std,
    }


def _corrected(family: Sequence[Check], rules: Rules) -> list[dict[str, float]]:
    """Differences and tests of a family of comparisons, with the corrected p-values."""
    tost = holm([check.p_holds for check in family])
    welch = holm([check.p_fails for check in family])
    records = []
    for check, p_tost, p_welch in zip(family, tost, welch, strict=True):
        low, high = check.estimate.interval(rules.confidence)
        within = max(map(abs, check.estimate.interval(1 - 2 * rules.alpha)))
        records.append(
            {
                "difference": check.shown(check.estimate.value),
                "difference_low": check.shown(low),
                "difference_high": check.shown(high),
                "p_welch": check.p_fails,
                "p_tost": check.p_holds,
                "p_welch_holm": p_welch,
                "p_tost_holm": p_tost,
                "equivalent_within": check.shown(within),
            }
        )
    return records


def _on_paper_data(verdict: Verdict, dataset: str, rules: Rules) -> str:
    return str(verdict if dataset == rules.dataset else Verdict.NOT_COMPARABLE)


def table1(table: Table, paper: Paper, dataset: str) -> pd.DataFrame:
    """Table 1: ours beside the paper's, a line a row, with the verdicts (see `comparisons`)."""
    compared = comparisons(table, paper, dataset)
    blocks = {
        measure: compared[compared["measure"] == measure].set_index(ROW_COLUMNS)
        for measure in MEASURES
    }
    accuracy, epochs = blocks["accuracy"], blocks["epochs"]
    return pd.DataFrame(
        {
            "n_seeds": accuracy["n_seeds"],
            "accuracy_mean": accuracy["mean"],
            "accuracy_std": accuracy["std"],
            "epochs_mean": epochs["mean"],
            "epochs_std": epochs["std"],
            "n_converged": accuracy["n_converged"],
            "paper_accuracy_mean": accuracy["paper_mean"],
            "paper_accuracy_std": accuracy["paper_std"],
            "paper_epochs_mean": epochs["paper_mean"],
            "paper_epochs_std": epochs["paper_std"],
            "accuracy_verdict": accuracy["verdict"],
            "epochs_verdict": epochs["verdict"],
        }
    ).reset_index()
