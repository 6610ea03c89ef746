"""Results -> statistics, comparison with the paper, verdicts.  Nothing here trains or writes.

The seed is the unit of replication.  All inference rests on means, standard deviations and
numbers of seeds, which is all that the paper prints: `contrast` gives the weighted sum of means
with its standard error (Welch) and degrees of freedom (Welch-Satterthwaite), and a `Check` asks
whether its true value lies between two bounds.  Epochs are compared as logarithms of their means
(delta method), so that differences are ratios.

What is compared with what, by which thresholds and why, is data: the files of the folder
``paper`` (`read_paper`).  The verdicts and how they are reached:

- *replicated*: the true value is significantly between the bounds (two one-sided tests).
- *differs*: it is not, and Welch's two-sided test finds a difference where the bounds are margins
  of equivalence; or the value is significantly outside bounds that are the claim itself.
- *inconclusive*: neither, or no test is possible: fewer than two seeds, or a missing standard
  deviation.  Where some seeds diverged, the finished ones are a selected sample, which no test is
  made on; a row of Table 1 differs if half of its seeds diverged.
- *not comparable*: the data are not those of the paper.
- *not tested*: the runs that it takes were not made.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qagrel import store
from qagrel.errors import InputError

Weighted = Sequence[tuple[float, "Moments"]]

STATUSES = ("converged", "max-epochs", "diverged")
ROW_COLUMNS = ["rule", "feedback", "hidden", "learning_rate"]
MEASURES = ("accuracy", "epochs")
HIDDEN = ("300", "300-100")
AGREL_RATES, BACKPROP_RATES = (0.5, 1.0), (0.05, 0.1)  # matched by rank: lower, higher
FIXED_RATE = 0.1
GUESSING = 10.0  # percent, ten classes
NAN = float("nan")


class Verdict(StrEnum):
    """What the results say about a number or a claim of the paper."""

    REPLICATED = "replicated"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    NOT_TESTED = "not tested"


# --------------------------------------------------------------------------------------------
# Statistics


@dataclass(frozen=True)
class Moments:
    """Mean, sample standard deviation (ddof = 1; NaN if unknown) and number of a sample."""

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Moments":
        """The moments of given values; a single value has no standard deviation."""
        sample = np.array(list(values), np.float64)
        mean = float(sample.mean()) if len(sample) else NAN
        return cls(mean, float(sample.std(ddof=1)) if len(sample) > 1 else NAN, len(sample))

    def log(self) -> "Moments":
        """The logarithm of the mean, its spread by the delta method (sd / mean)."""
        return Moments(math.log(self.mean), self.std / self.mean, self.n)


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and the degrees of freedom of its t distribution.

    Without any spread (standard error 0) tests are sign tests of df + 1 equal values.
    """

    value: float
    stderr: float
    df: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided confidence interval."""
        from scipy import stats  # slow to import

        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.stderr
        return self.value - half, self.value + half

    def p_differs(self, null: float) -> float:
        """Two-sided test of a true value other than `null`."""
        return 2 * min(self.p_above(null), self.p_below(null), 0.5)

    def p_above(self, bound: float) -> float:
        """One-sided test of a true value above `bound`."""
        return self._p_positive(self.value - bound)

    def p_below(self, bound: float) -> float:
        """One-sided test of a true value below `bound`."""
        return self._p_positive(bound - self.value)

    def _p_positive(self, excess: float) -> float:
        from scipy import stats  # slow to import

        if self.stderr > 0 or math.isnan(self.stderr):
            return float(stats.t.sf(excess / self.stderr, self.df))
        if excess == 0:
            return 0.5
        # Equal values have no t-test; the sign test counts how many they are.
        return float(0.5 ** (self.df + 1)) if excess > 0 else 1.0


def contrast(terms: Weighted) -> Estimate:
    """The weighted sum of independent means.

    With weights 1 and -1 this is Welch's comparison of two means.  Runs of one seed share their
    initial weights and sample order across rules; taking them as independent errs on the side of
    wider intervals, and treats our numbers as the paper's must be treated.
    """
    value = math.fsum(weight * m.mean for weight, m in terms)
    parts = [(weight**2 * m.std**2 / m.n if m.n else NAN, m.n - 1) for weight, m in terms]
    variance = math.fsum(part for part, _ in parts)
    if variance == 0:
        return Estimate(value, 0.0, sum(df for _, df in parts))
    spread = math.fsum(part**2 / df if df > 0 else NAN for part, df in parts)
    return Estimate(value, math.sqrt(variance), variance**2 / spread)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of a family of p-values (Scand. J. Statist. 6, 1979); NaN stays out."""
    p = np.array(p_values, np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in p]


@dataclass(frozen=True)
class Check:
    """The statement that a true value lies between two bounds, and its test.

    Attributes
    ----------
    estimate : of the value; of its logarithm where `log` is set, like the bounds.
    null : the bounds are margins of equivalence around this value, and a significant difference
        from it speaks against the statement; None: a value significantly outside the bounds does.
    """

    name: str
    estimate: Estimate
    low: float = -math.inf
    high: float = math.inf
    null: float | None = None
    log: bool = False

    @property
    def p_holds(self) -> float:
        """Two one-sided tests (TOST) of a value between the bounds."""
        return max(self.estimate.p_above(self.low), self.estimate.p_below(self.high))

    @property
    def p_fails(self) -> float:
        """The two-sided test that speaks against the statement."""
        if self.null is not None:
            return self.estimate.p_differs(self.null)
        return 2 * min(self.estimate.p_below(self.low), self.estimate.p_above(self.high), 0.5)

    def shown(self, value: float) -> float:
        """A value as it is reported: ratios, not logarithms."""
        return math.exp(value) if self.log else value


def decide(p_holds: float, p_fails: float, alpha: float) -> Verdict:
    """The verdict on one check; a p-value that is NaN decides nothing."""
    if p_holds < alpha:
        return Verdict.REPLICATED
    return Verdict.DIFFERS if p_fails < alpha else Verdict.INCONCLUSIVE


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a statement of several parts: it holds if all do and fails if any does."""
    tested = [verdict for verdict in verdicts if verdict is not Verdict.NOT_TESTED]
    if not tested:
        return Verdict.NOT_TESTED
    for unanimous in (Verdict.NOT_COMPARABLE, Verdict.REPLICATED):
        if all(verdict is unanimous for verdict in tested):
            return unanimous
    return Verdict.DIFFERS if Verdict.DIFFERS in tested else Verdict.INCONCLUSIVE


def weigh(checks: Sequence[Check], alpha: float) -> Verdict:
    """The verdict on a claim that several checks must all support."""
    fails = holm([check.p_fails for check in checks])
    pairs = zip(checks, fails, strict=True)
    return combine([decide(check.p_holds, p_fails, alpha) for check, p_fails in pairs])


# --------------------------------------------------------------------------------------------
# Rows: ours and the paper's


@dataclass(frozen=True, order=True)
class Row:
    """A row of Table 1; `hidden` is written ``300-100``."""

    rule: str
    feedback: str
    hidden: str
    learning_rate: float

    @property
    def name(self) -> str:
        """The stem of the row's files."""
        return f"{self.rule}_{self.feedback}_{self.hidden}_{self.learning_rate:g}"


@dataclass(frozen=True)
class Summary:
    """The seeds of one row in numbers.

    Attributes
    ----------
    accuracy, epochs : percent and counts, over the seeds that did not diverge.
    n_seeds, n_converged, n_diverged : all seeds, those ended by the stopping rule, those that
        diverged; `n_converged` is None where the paper does not say.
    seeds : every seed: its number, accuracy, epochs and status; empty for the paper's rows.
    """

    accuracy: Moments
    epochs: Moments
    n_seeds: int
    n_converged: int | None
    n_diverged: int = 0
    seeds: tuple[tuple[int, float, int, str], ...] = ()

    def tested(self, measure: str) -> Moments:
        """The moments that tests use: epochs as logarithms, no spread if any seed diverged."""
        moments = self.accuracy if measure == "accuracy" else self.epochs.log()
        return replace(moments, std=NAN) if self.n_diverged else moments


Table = Mapping[Row, Summary]


def summarise(runs: pd.DataFrame) -> Summary:
    """Condense a row's per-seed summary: columns seed, n_epochs, test_accuracy, status.

    Raises
    ------
    InputError
        When columns are missing, there is no seed or one twice, a status is unknown, or the
        accuracy of a finished run is not a percentage.
    """
    _require(runs, ["seed", "n_epochs", "test_accuracy", "status"], "per-seed summary")
    if runs.empty or runs["seed"].duplicated().any():
        raise InputError("the per-seed summary needs at least one seed and each only once")
    unknown = set(runs["status"]) - set(STATUSES)
    if unknown:
        raise InputError(f"the status {min(map(str, unknown))!r} of a seed is none of {STATUSES}")
    finished = runs[runs["status"] != "diverged"]
    if not finished["test_accuracy"].between(0, 100).all() or (runs["n_epochs"] < 1).any():
        raise InputError("a finished seed needs an accuracy in percent and at least one epoch")
    columns = (runs["seed"], runs["test_accuracy"], runs["n_epochs"], runs["status"])
    return Summary(
        accuracy=Moments.of(finished["test_accuracy"]),
        epochs=Moments.of(finished["n_epochs"]),
        n_seeds=len(runs),
        n_converged=int((runs["status"] == "converged").sum()),
        n_diverged=len(runs) - len(finished),
        seeds=tuple(
            (int(seed), float(accuracy), int(epochs), str(status))
            for seed, accuracy, epochs, status in zip(*columns, strict=True)
        ),
    )


def pool(table: Table, terms: Iterable[tuple[float, Row]], measure: str) -> Estimate:
    """The weighted sum of a measure over rows of a table."""
    return contrast([(weight, table[row].tested(measure)) for weight, row in terms])


# --------------------------------------------------------------------------------------------
# The paper as data


@dataclass(frozen=True)
class Rules:
    """The thresholds of ``margins.yaml``, where each has its reason."""

    dataset: str
    alpha: float
    confidence: float
    correction: str
    accuracy_margin: float
    epochs_ratio: float
    par_margin: float
    many_more_epochs: float
    discovery_share: float
    classes_at_once: float
    step_height: float
    overshoot: float
    overshoot_return: float
    rate_window: float
    aligned_angle: float
    relative_difference: float


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: where it stands, its numbers, and the rule that tests it."""

    id: str
    claim: str
    where: str
    data: str
    paper: dict[str, Any]
    rule: str


@dataclass(frozen=True)
class Paper:
    """What the paper prints: Table 1, the benchmark (percent by hidden layers), the claims."""

    table: dict[Row, Summary]
    benchmark: dict[str, float]
    claims: tuple[Claim, ...]
    rules: Rules


def read_paper(folder: Path) -> Paper:
    """Read the paper's numbers and claims and the rules of comparison.

    Parameters
    ----------
    folder : holds table1.csv, literature.csv, claims.yaml and margins.yaml.

    Raises
    ------
    InputError
        When a file is missing or not of the form that is expected.
    """
    literature = store.read_csv(folder / "literature.csv", {"hidden": str, "accuracy": float})
    return Paper(
        table=_read_table(folder / "table1.csv"),
        benchmark=dict(zip(literature["hidden"], literature["accuracy"], strict=True)),
        claims=_read_claims(folder / "claims.yaml"),
        rules=_read_rules(folder / "margins.yaml"),
    )


def _read_table(path: Path) -> dict[Row, Summary]:
    numbers = [f"{measure}_{part}" for measure in MEASURES for part in ("mean", "std")]
    types: dict[str, type] = {**dict.fromkeys(ROW_COLUMNS, str), "n_seeds": int}
    types |= dict.fromkeys(["learning_rate", *numbers], float)
    table = {}
    for record in store.read_csv(path, types).to_dict("records"):
        n = int(record["n_seeds"])
        accuracy, epochs = (
            Moments(float(record[f"{measure}_mean"]), float(record[f"{measure}_std"]), n)
            for measure in MEASURES
        )
        # Epochs without a standard deviation: the star of Table 1, no network converged.
        n_converged = 0 if math.isnan(epochs.std) else None
        table[_row(record)] = Summary(accuracy, epochs, n, n_converged)
    return table


def _read_claims(path: Path) -> tuple[Claim, ...]:
    names = {item.name for item in fields(Claim)}
    entries = store.read_yaml(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: a list of claims is expected")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) != names or str(entry["id"]) not in CLAIMS:
            raise InputError(
                f"{path}: claim {number} must have a known id and the entries "
                f"{', '.join(sorted(names))}"
            )
    if len({entry["id"] for entry in entries}) < len(entries):
        raise InputError(f"{path}: a claim is listed twice")
    return tuple(Claim(**entry) for entry in entries)


def _read_rules(path: Path) -> Rules:
    kinds = {item.name: item.type for item in fields(Rules)}
    entries = store.read_yaml(path)
    if not isinstance(entries, dict) or set(entries) != set(kinds):
        raise InputError(f"{path}: exactly these entries are expected: {', '.join(kinds)}")
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"value", "why"}:
            raise InputError(f"{path}: {name} needs a value and a why")
        number = isinstance(entry["value"], int | float) and not isinstance(entry["value"], bool)
        if number != (kinds[name] is float) or (number and not 0 < entry["value"] < math.inf):
            raise InputError(f"{path}: {name} cannot be {entry['value']!r}")
    if entries["correction"]["value"] != "holm":
        raise InputError(f"{path}: the only correction that is implemented is 'holm'")
    return Rules(**{name: entry["value"] for name, entry in entries.items()})


def _row(record: Mapping[Any, Any]) -> Row:
    rule, feedback, hidden = (str(record[name]) for name in ROW_COLUMNS[:3])
    return Row(rule, feedback, hidden, float(record["learning_rate"]))


def _require(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    missing = [name for name in columns if name not in frame]
    if missing:
        raise InputError(f"{what}: the column {missing[0]!r} is missing")


# --------------------------------------------------------------------------------------------
# Table 1 against the paper


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
    return _rounded(pd.DataFrame(records))


def pooled_comparisons(table: Table, paper: Paper, dataset: str) -> pd.DataFrame:
    """Each rule and feedback regime against the paper, averaged over its rows.

    The average of several rows is more exact than one row: it can tell what single rows leave
    inconclusive.  Columns rule, feedback, measure, n_rows, and from difference on those of
    `comparisons`; the regimes are the family.
    """
    regimes: dict[tuple[str, str], list[Row]] = {}
    for row in _paper_order(table, paper):
        regimes.setdefault((row.rule, row.feedback), []).append(row)
    records = []
    for measure in MEASURES:
        checks = []
        for rows in regimes.values():
            ours = [(1 / len(rows), table[row].tested(measure)) for row in rows]
            theirs = [(-1 / len(rows), paper.table[row].tested(measure)) for row in rows]
            checks.append(_equivalence(contrast(ours + theirs), measure, paper.rules))
        tests = _corrected(checks, paper.rules)
        for ((rule, feedback), rows), test in zip(regimes.items(), tests, strict=True):
            verdict = decide(test["p_tost_holm"], test["p_welch_holm"], paper.rules.alpha)
            line = {"rule": rule, "feedback": feedback, "measure": measure, "n_rows": len(rows)}
            shown = _on_paper_data(verdict, dataset, paper.rules)
            records.append({**line, **test, "verdict": shown})
    return _rounded(pd.DataFrame(records))


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


# --------------------------------------------------------------------------------------------
# Curves


def discoveries(history: pd.DataFrame, share: float) -> pd.DataFrame:
    """When each class was discovered: the first epoch with `share` of its samples right.

    Parameters
    ----------
    history : columns seed, epoch, and presented_0.., correct_0.. a class (counts an epoch).

    Returns
    -------
    DataFrame
        Columns seed, class, epoch (NaN: never), a line a seed and class.
    """
    classes = classes_of(history)
    records = []
    for seed, group in history.groupby("seed"):
        epochs = group["epoch"].to_numpy()
        for number in classes:
            presented, correct = group[f"presented_{number}"], group[f"correct_{number}"]
            found = ((presented > 0) & (correct >= share * presented)).to_numpy()
            epoch = float(epochs[found.argmax()]) if found.any() else NAN
            records.append({"seed": seed, "class": number, "epoch": epoch})
    return pd.DataFrame(records, columns=["seed", "class", "epoch"])


def steps(curve: npt.ArrayLike, start: float, height: float) -> list[int]:
    """Where a learning curve steps up: positions of the peaks in its rise.

    The rise is that of the best value so far, beginning at `start`, so that recovering from a
    slump is no step.  A peak must stand out by `height` from the rises around it.  A curve that
    rises ever more slowly has at most one step; one that stalls and goes on has several.
    """
    from scipy import signal  # slow to import

    best = np.maximum.accumulate(np.concatenate(([start], np.asarray(curve, np.float64))))
    padded = np.concatenate(([0.0], np.diff(best), [0.0]))
    peaks, _ = signal.find_peaks(padded, prominence=height)
    return [int(peak) - 1 for peak in peaks]


def overshoots(history: pd.DataFrame, factor: float, tolerance: float) -> pd.DataFrame:
    """How often each class was chosen, relative to how often it occurred.

    Returns
    -------
    DataFrame
        Columns seed, class, peak (the largest ratio), last (that of the last epoch), overshoot
        (the peak is at least `factor`, and the last within `tolerance` of 1).
    """
    records = []
    for seed, group in history.groupby("seed"):
        for number in classes_of(history):
            presented = group[f"presented_{number}"]
            ratio = (group[f"selected_{number}"] / presented.where(presented > 0)).dropna()
            peak, last = (ratio.max(), ratio.iloc[-1]) if len(ratio) else (NAN, NAN)
            overshoot = bool(peak >= factor and round(abs(last - 1), 9) <= tolerance)
            line = {"seed": seed, "class": number, "peak": peak, "last": last}
            records.append({**line, "overshoot": overshoot})
    return pd.DataFrame(records, columns=["seed", "class", "peak", "last", "overshoot"])


def learning_profile(history: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """How stepwise each network learnt: the curve of Fig. 5 and the classes of Fig. 6.

    Parameters
    ----------
    history : columns seed, epoch, error, and selected_0.., correct_0.., presented_0.. a class.

    Returns
    -------
    DataFrame
        A line a seed: n_steps; steps_at_discoveries, the share of steps in an epoch with a
        discovery, and discovery_epochs, the share of such epochs, which is what chance would
        give; n_discovered; classes_per_discovery, classes found per epoch with a discovery;
        last_discovery, NaN if a class was never found; overshoot_share, of the classes found;
        late_overshoot_share, of those not found at once in the first epoch.  A share of nothing
        is NaN.
    """
    found = discoveries(history, rules.discovery_share)
    peaks = overshoots(history, rules.overshoot, rules.overshoot_return)
    classes = classes_of(history)
    records = []
    for seed, group in history.groupby("seed"):
        when = found.loc[found["seed"] == seed, "epoch"].to_numpy()
        over = peaks.loc[peaks["seed"] == seed, "overshoot"].to_numpy()
        height = rules.step_height / len(classes)
        at = steps(1 - group["error"].to_numpy(), 1 / len(classes), height)
        marked = group["epoch"].isin(when).to_numpy()
        known = ~np.isnan(when)
        records.append(
            {
                "seed": seed,
                "n_steps": len(at),
                "steps_at_discoveries": _share(marked[at]),
                "discovery_epochs": _share(marked),
                "n_discovered": int(known.sum()),
                "classes_per_discovery": known.sum() / marked.sum() if marked.any() else NAN,
                "last_discovery": float(when.max()),
                "overshoot_share": _share(over[known]),
                "late_overshoot_share": _share(over[when > group["epoch"].min()]),
            }
        )
    return pd.DataFrame(records)


def steepest_interval(rates: npt.ArrayLike, curve: npt.ArrayLike, factor: float) -> float:
    """The lower end r of the interval [r, factor r] in which a curve rises the most.

    The curve is taken as linear between its points on the logarithmic axis of rates, and every
    recorded rate whose interval lies within the range is tried; of equals, the lowest.

    Parameters
    ----------
    rates : learning rates, rising.
    curve : reward, or 1 - error, at each.

    Raises
    ------
    InputError
        When the rates do not rise or do not span the interval.
    """
    axis, values = np.log(np.asarray(rates, np.float64)), np.asarray(curve, np.float64)
    if len(axis) < 2 or (np.diff(axis) <= 0).any():
        raise InputError("a learning-rate range needs two rates or more, each above the last")
    width = math.log(factor)
    slack = 1e-9  # rounding of logarithms at the upper end
    starts = axis[axis + width <= axis[-1] + slack]
    if not len(starts):
        raise InputError(f"the learning rates must span a factor of {factor:g} at the least")
    rise = np.interp(starts + width, axis, values) - np.interp(starts, axis, values)
    return float(np.exp(starts[rise.argmax()]))


def steepest_intervals(history: pd.DataFrame, factor: float) -> pd.DataFrame:
    """`steepest_interval` of each seed of a learning-rate range: columns seed, low, high.

    Parameters
    ----------
    history : columns seed, learning_rate, error, a line an epoch.
    """
    _require(history, ["seed", "learning_rate", "error"], "learning-rate range")
    records = []
    for seed, group in history.groupby("seed"):
        low = steepest_interval(group["learning_rate"], 1 - group["error"], factor)
        records.append({"seed": seed, "low": low, "high": factor * low})
    return pd.DataFrame(records, columns=["seed", "low", "high"])


def classes_of(history: pd.DataFrame) -> list[int]:
    """The classes that a history counts (InputError where counts of one are missing)."""
    classes = range(sum(str(name).startswith("presented_") for name in history) or 1)
    counts = ("presented", "correct", "selected")
    names = [f"{what}_{number}" for what in counts for number in classes]
    _require(history, ["seed", "epoch", "error", *names], "history")
    return list(classes)


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else NAN


# --------------------------------------------------------------------------------------------
# Claims


@dataclass(frozen=True)
class Evidence:
    """The results of a profile that claims are tested on; None where runs were not made.

    Attributes
    ----------
    dataset : what the networks were trained on.
    table : the rows of Table 1.
    agrel_steps, backprop_steps : histories for Figs 5 and 6 (see `learning_profile`), best with
        ten seeds: a single example network cannot support a claim about the rule.
    agrel_rates, backprop_rates : histories while the learning rate is raised (Fig. 4).
    high_rates : fixed-feedback Q-AGREL, rows at the rates used with symmetric feedback.
    learned : histories of the learned-feedback rows, with columns seed, epoch, angle_2, ...
    equivalence : columns hidden_layers, relative_difference (largest difference between the
        Q-AGREL update and the gradient for the selected unit, over the largest change).
    trial_by_trial : Q-AGREL rows trained with batches of one.
    validation_draws : rows with validation samples drawn once a run.
    """

    dataset: str
    table: Table = field(default_factory=dict)
    agrel_steps: pd.DataFrame | None = None
    backprop_steps: pd.DataFrame | None = None
    agrel_rates: pd.DataFrame | None = None
    backprop_rates: pd.DataFrame | None = None
    high_rates: Table = field(default_factory=dict)
    learned: Mapping[Row, pd.DataFrame] = field(default_factory=dict)
    equivalence: pd.DataFrame | None = None
    trial_by_trial: Table = field(default_factory=dict)
    validation_draws: Table = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """The checks that test a claim (none: not tested) and numbers that go with them."""

    checks: list[Check]
    numbers: dict[str, Any] = field(default_factory=dict)


def accuracy_on_par(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: the two rules are equally accurate, setting by setting."""
    margin = paper.rules.par_margin
    checks = []
    for agrel, backprop in _matched_pairs(table):
        difference = pool(table, [(1, agrel), (-1, backprop)], "accuracy")
        name = f"{agrel.name} less {backprop.name}"
        checks.append(Check(name, difference, -margin, margin, null=0.0))
    return Finding(checks)


def slower(table: Table, claim: Claim, _: Paper) -> Finding:
    """Claim: epochs of Q-AGREL over those of error-BP, mean over settings, are in a range."""
    pairs = _matched_pairs(table)
    if not pairs:
        return Finding([])
    weight = 1 / len(pairs)
    terms = [term for q, bp in pairs for term in ((weight, q), (-weight, bp))]
    low, high = np.log(claim.paper["factor"])
    ratios = {q.name: table[q].epochs.mean / table[bp].epochs.mean for q, bp in pairs}
    check = Check("ratio of epochs", pool(table, terms, "epochs"), low, high, log=True)
    return Finding([check], {"ratios": ratios})


def second_layer_helps(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: 300-100 units are slightly more accurate than 300, with either rule."""
    most = paper.benchmark["300-100"] - paper.benchmark["300"]
    checks = []
    for rule, rates in (("q-agrel", AGREL_RATES), ("error-bp", BACKPROP_RATES)):
        one, two = ([Row(rule, "symmetric", h, rate) for rate in rates] for h in HIDDEN)
        terms = [*((0.5, row) for row in two), *((-0.5, row) for row in one)]
        if all(row in table for _, row in terms):
            checks.append(Check(f"{rule}, gain", pool(table, terms, "accuracy"), 0.0, most))
    return Finding(checks)


def above_benchmark(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: rows with symmetric feedback beat the benchmark network of their size."""
    checks = [
        Check(row.name, pool(table, [(1, row)], "accuracy"), low=paper.benchmark[row.hidden])
        for row in paper.table
        if row in table and row.feedback == "symmetric"
    ]
    return Finding(checks)


def learned_indistinguishable(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: learned feedback equals symmetric feedback in accuracy and epochs."""
    rows = [Row("q-agrel", "learned", h, rate) for h in HIDDEN for rate in AGREL_RATES]
    pairs = [(row, replace(row, feedback="symmetric")) for row in rows]
    pairs = [pair for pair in pairs if all(row in table for row in pair)]
    if not pairs:
        return Finding([])
    weight = 1 / len(pairs)
    terms = [term for row, other in pairs for term in ((weight, row), (-weight, other))]
    margin, ratio = paper.rules.accuracy_margin, math.log(paper.rules.epochs_ratio)
    accuracy, epochs = (pool(table, terms, measure) for measure in MEASURES)
    return Finding(
        [
            Check("accuracy, learned less symmetric", accuracy, -margin, margin, null=0.0),
            Check("epochs, learned over symmetric", epochs, -ratio, ratio, null=0.0, log=True),
        ],
        {"settings": [row.name for row, _ in pairs]},
    )


def fixed_less_accurate(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback is less accurate than symmetric feedback, with either rule."""
    margin = paper.rules.accuracy_margin
    return Finding(
        [
            Check(f"{rule}, fixed less symmetric", pool(table, terms, "accuracy"), high=-margin)
            for rule, terms in _fixed_against_symmetric(table).items()
        ]
    )


def fixed_slower(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback takes many more epochs than symmetric feedback, with either rule."""
    factor = math.log(paper.rules.many_more_epochs)
    checks = [
        Check(f"{rule}, fixed over symmetric", pool(table, terms, "epochs"), low=factor, log=True)
        for rule, terms in _fixed_against_symmetric(table).items()
    ]
    return Finding(checks)


def _matched_pairs(table: Table) -> list[tuple[Row, Row]]:
    """Q-AGREL and error-BP with symmetric feedback, matched by network and rank of the rate."""
    pairs = [
        (Row("q-agrel", "symmetric", hidden, q), Row("error-bp", "symmetric", hidden, bp))
        for hidden in HIDDEN
        for q, bp in zip(AGREL_RATES, BACKPROP_RATES, strict=True)
    ]
    return [pair for pair in pairs if all(row in table for row in pair)]


def _fixed_against_symmetric(table: Table) -> dict[str, list[tuple[float, Row]]]:
    """Weights a rule: fixed feedback less the mean of both symmetric rates, mean over networks."""
    weighted = {}
    for rule, rates in (("q-agrel", AGREL_RATES), ("error-bp", BACKPROP_RATES)):
        networks = []
        for hidden in HIDDEN:
            fixed = Row(rule, "fixed", hidden, FIXED_RATE)
            symmetric = [Row(rule, "symmetric", hidden, rate) for rate in rates]
            known = [row for row in symmetric if row in table]
            if fixed in table and known:
                networks.append([(1.0, fixed), *((-1 / len(known), row) for row in known)])
        if networks:
            terms = [term for network in networks for term in network]
            weighted[rule] = [(weight / len(networks), row) for weight, row in terms]
    return weighted


def fixed_needs_lower_rate(evidence: Evidence, claim: Claim, paper: Paper) -> Finding:
    """Claim: at the rates of symmetric feedback, fixed feedback is worse than at 0.1."""
    base = claim.paper["learning_rate"]
    checks, diverged = [], {}
    for row, summary in sorted(evidence.high_rates.items()):
        lower = replace(row, learning_rate=base)
        if lower not in evidence.table or row.learning_rate not in claim.paper["too_high"]:
            continue
        terms = [(1.0, _guessing(summary)), (-1.0, _guessing(evidence.table[lower]))]
        name = f"{row.name} less {lower.name}"
        checks.append(Check(name, contrast(terms), high=-paper.rules.accuracy_margin))
        diverged[row.name] = summary.n_diverged
    return Finding(checks, {"n_diverged": diverged})


def _guessing(summary: Summary) -> Moments:
    """Accuracy over all seeds: a diverged network knows nothing, so it counts as guessing."""
    return Moments.of(
        GUESSING if status == "diverged" else accuracy for _, accuracy, _, status in summary.seeds
    )


def symmetry_emerges(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: learned feedback ends up aligned with the transposed forward weights."""
    checks, start = [], {}
    for row, history in sorted(evidence.learned.items()):
        angles = _largest_angles(history, row.name)
        final = contrast([(1.0, Moments.of(angles["last"]))])
        checks.append(Check(f"{row.name}, final angle", final, high=paper.rules.aligned_angle))
        start[row.name] = angles["first"].mean()
    return Finding(checks, {"angle_after_first_epoch": start})


def _largest_angles(history: pd.DataFrame, name: str) -> pd.DataFrame:
    """The largest angle over the layers in the first and last epoch: a line a seed."""
    columns = [str(column) for column in history.columns if str(column).startswith("angle_")]
    _require(history, ["seed", *(columns or ["angle_2"])], name)
    by_seed = history.set_index("seed")[columns].max(axis=1).groupby(level="seed")
    return by_seed.agg(["first", "last"])


def learning_is(
    history: pd.DataFrame | None, bounds: Mapping[str, tuple[float, float]], rules: Rules
) -> Finding:
    """Claims on Figs 5 and 6: bounds of columns of `learning_profile`, averaged over seeds."""
    if history is None:
        return Finding([])
    profile = learning_profile(history, rules)
    checks = [
        Check(column, contrast([(1.0, Moments.of(profile[column]))]), low, high)
        for column, (low, high) in bounds.items()
    ]
    found = discoveries(history, rules.discovery_share).groupby("seed")["epoch"]
    discovered = {str(seed): epochs.tolist() for seed, epochs in found}
    numbers = {"profile": profile.to_dict("records"), "discovered_in_epoch": discovered}
    return Finding(checks, numbers)


def backprop_finds_all_classes(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: error-BP finds many classes at once, and the last one before Q-AGREL does."""
    if evidence.agrel_steps is None or evidence.backprop_steps is None:
        return Finding([])
    rules = paper.rules
    many = {"classes_per_discovery": (rules.classes_at_once, math.inf)}
    finding = learning_is(evidence.backprop_steps, many, rules)
    backprop, agrel = (
        Moments.of(learning_profile(history, rules)["last_discovery"])
        for history in (evidence.backprop_steps, evidence.agrel_steps)
    )
    earlier = contrast([(1.0, backprop), (-1.0, agrel)])
    check = Check("last discovery, error-bp less q-agrel", earlier, high=0.0)
    return replace(finding, checks=[*finding.checks, check])


def rate_range(history: pd.DataFrame | None, claim: Claim, rules: Rules) -> Finding:
    """Claims on Fig. 4: where a curve is steepest as the learning rate is raised."""
    if history is None:
        return Finding([])
    intervals = steepest_intervals(history, rules.rate_window)
    centres = np.log(intervals["low"] * intervals["high"]) / 2
    low, high = np.log(claim.paper["learning_rate"])
    estimate = contrast([(1.0, Moments.of(centres))])
    numbers = {
        "intervals": intervals.to_dict("records"),
        "range_tried": [history["learning_rate"].min(), history["learning_rate"].max()],
    }
    return Finding([Check("centre", estimate, low, high, log=True)], numbers)


def fresh_validation_stops_sooner(evidence: Evidence, _: Claim, __: Paper) -> Finding:
    """Claim: epochs are fewer where validation samples are drawn every epoch."""
    rows = [row for row in sorted(evidence.validation_draws) if row in evidence.table]
    if not rows:
        return Finding([])
    terms = []
    for row in rows:
        terms.append((1 / len(rows), evidence.table[row].tested("epochs")))
        terms.append((-1 / len(rows), evidence.validation_draws[row].tested("epochs")))
    check = Check("drawn every epoch over drawn once", contrast(terms), high=0.0, log=True)
    return Finding([check], {"rows": [row.name for row in rows]})


def exact_equivalence(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: the Q-AGREL update is the gradient for the selected unit (no sampling involved)."""
    if evidence.equivalence is None:
        return Finding([])
    _require(evidence.equivalence, ["hidden_layers", "relative_difference"], "equivalence")
    checks = []
    for depth, group in evidence.equivalence.groupby("hidden_layers"):
        worst = float(group["relative_difference"].max(skipna=False))
        exact = Estimate(worst, 0.0 if math.isfinite(worst) else NAN, math.inf)  # no sample
        checks.append(Check(f"{depth} hidden", exact, high=paper.rules.relative_difference))
    return Finding(checks)


def trial_by_trial(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: batches of one learn too: better than the benchmark network of the same size."""
    checks = [
        Check(row.name, contrast([(1.0, summary.tested("accuracy"))]), paper.benchmark[row.hidden])
        for row, summary in sorted(evidence.trial_by_trial.items())
        if row.hidden in paper.benchmark
    ]
    return Finding(checks)


TABLE_CLAIMS: dict[str, Callable[[Table, Claim, Paper], Finding]] = {
    "accuracy-on-par": accuracy_on_par,
    "slower-text": slower,
    "slower-abstract": slower,
    "second-layer-helps": second_layer_helps,
    "above-benchmark": above_benchmark,
    "learned-indistinguishable": learned_indistinguishable,
    "fixed-less-accurate": fixed_less_accurate,
    "fixed-slower": fixed_slower,
}
"""Claims that rest on rows of Table 1 alone, and so can be put to the paper's own rows too."""

RUN_CLAIMS: dict[str, Callable[[Evidence, Claim, Paper], Finding]] = {
    "symmetry-emerges": symmetry_emerges,
    "fixed-needs-lower-rate": fixed_needs_lower_rate,
    "stepwise-learning": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"n_steps": (1.5, math.inf)}, paper.rules
    ),
    "classes-one-at-a-time": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps,
        {
            "classes_per_discovery": (-math.inf, paper.rules.classes_at_once),
            "steps_at_discoveries": (0.5, math.inf),
        },
        paper.rules,
    ),
    "new-class-overshoots": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"overshoot_share": (0.5, math.inf)}, paper.rules
    ),
    "smooth-error-bp": lambda evidence, _, paper: learning_is(
        evidence.backprop_steps, {"n_steps": (-math.inf, 1.5)}, paper.rules
    ),
    "error-bp-finds-all-classes": backprop_finds_all_classes,
    "rate-range-q-agrel": lambda evidence, claim, paper: rate_range(
        evidence.agrel_rates, claim, paper.rules
    ),
    "rate-range-error-bp": lambda evidence, claim, paper: rate_range(
        evidence.backprop_rates, claim, paper.rules
    ),
    "fresh-validation-stops-sooner": fresh_validation_stops_sooner,
    "exact-equivalence": exact_equivalence,
    "trial-by-trial": trial_by_trial,
}
CLAIMS = {*TABLE_CLAIMS, *RUN_CLAIMS}


def judge(evidence: Evidence, paper: Paper) -> list[dict[str, Any]]:
    """Every claim with its evidence and verdict: the records of ``claims.json``.

    A record has id, claim, paper (where it stands, its numbers and, for claims on Table 1, what
    the same rule says of the paper's own rows), ours (the values and further numbers), test (the
    rule and each check with its bounds and p-values) and verdict.  Numbers have six significant
    digits; what is unknown or infinite is None.
    """
    return [_judge_claim(claim, evidence, paper) for claim in paper.claims]


def _judge_claim(claim: Claim, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    rules = paper.rules
    said: dict[str, Any] = {"where": claim.where, **claim.paper}
    if claim.id in TABLE_CLAIMS:
        finding = TABLE_CLAIMS[claim.id](evidence.table, claim, paper)
        own = TABLE_CLAIMS[claim.id](paper.table, claim, paper)
        verdict = str(weigh(own.checks, rules.alpha))
        said["same_rule"] = {"verdict": verdict, "values": _values(own, rules), **own.numbers}
    else:
        finding = RUN_CLAIMS[claim.id](evidence, claim, paper)
    record = {
        "id": claim.id,
        "claim": claim.claim,
        "paper": said,
        "ours": {
            "dataset": evidence.dataset,
            "values": _values(finding, rules),
            **finding.numbers,
        },
        "test": {"rule": claim.rule, "alpha": rules.alpha, "checks": _tests(finding)},
        "verdict": str(_claim_verdict(claim, finding, evidence.dataset, rules)),
    }
    plain: dict[str, Any] = _plain(record)
    return plain


def _claim_verdict(claim: Claim, finding: Finding, dataset: str, rules: Rules) -> Verdict:
    if not finding.checks:
        return Verdict.NOT_TESTED
    if claim.data != "any" and dataset != rules.dataset:
        return Verdict.NOT_COMPARABLE
    return weigh(finding.checks, rules.alpha)


def _values(finding: Finding, rules: Rules) -> list[dict[str, Any]]:
    return [
        {
            "name": check.name,
            "value": check.shown(check.estimate.value),
            "interval": [check.shown(end) for end in check.estimate.interval(rules.confidence)],
        }
        for check in finding.checks
    ]


def _tests(finding: Finding) -> list[dict[str, Any]]:
    fails = holm([check.p_fails for check in finding.checks])
    return [
        {
            "name": check.name,
            "between": [check.shown(check.low), check.shown(check.high)],
            "p_holds": check.p_holds,
            "p_fails": p_fails,
        }
        for check, p_fails in zip(finding.checks, fails, strict=True)
    ]


def _plain(value: Any) -> Any:
    """The same value as JSON knows it: plain types, six significant digits, None for no number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return _round(float(value)) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _round(value: float) -> float:
    """Six significant digits: what lies beyond may differ by platform."""
    return float(f"{value:.6g}")


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.map(lambda value: _round(value) if isinstance(value, float) else value)


# --------------------------------------------------------------------------------------------
# Sensitivity to what the paper leaves unsaid

READING_COLUMNS = ["reading", "setting"]
DEFAULT = ("default", "")


def read_variants(runs: pd.DataFrame) -> dict[tuple[str, str], dict[Row, Summary]]:
    """Rows by reading and setting, each condensed over its seeds.

    Parameters
    ----------
    runs : a line a run, columns reading (such as epsilon), setting (such as 0.05), rule, feedback,
        hidden, learning_rate, and those of `summarise`.  The runs by all default readings have
        the reading "default" and an empty setting.

    Raises
    ------
    InputError
        When columns or the default runs are missing, or a row is not well formed.
    """
    _require(runs, [*READING_COLUMNS, *ROW_COLUMNS], "sensitivity study")
    tidy = runs.assign(setting=runs["setting"].fillna("").astype(str))
    variants: dict[tuple[str, str], dict[Row, Summary]] = {}
    for keys, group in tidy.groupby([*READING_COLUMNS, *ROW_COLUMNS], sort=False):
        reading, setting, *row = keys
        rows = variants.setdefault((str(reading), str(setting)), {})
        rows[_row(dict(zip(ROW_COLUMNS, row, strict=True)))] = summarise(group)
    if DEFAULT not in variants:
        raise InputError("sensitivity study: the runs by the default readings are missing")
    return variants


def sensitivity(runs: pd.DataFrame, paper: Paper, dataset: str) -> pd.DataFrame:
    """Which readings give the paper's numbers: each variant's rows in the form of `table1`.

    Every variant is a replication of its own, and so a family of its own for the correction.
    Columns reading and setting come first.  Parameters and errors: see `read_variants`.
    """
    parts = []
    for (reading, setting), table in read_variants(runs).items():
        part = table1(table, paper, dataset)
        part.insert(0, "reading", reading)
        part.insert(1, "setting", setting)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def conclusions(runs: pd.DataFrame, paper: Paper, dataset: str) -> pd.DataFrame:
    """Which of the claims on Table 1 hold under each reading, and which under all of them.

    A variant takes the place of the default runs in the rows that it has; the other rows stay,
    since a reading may concern one rule alone.  Claims are tested on the rows there are.

    Returns
    -------
    DataFrame
        Columns reading, setting and one verdict a claim; the last line, reading "all", combines
        the lines above it.
    """
    variants = read_variants(runs)
    claims = [claim for claim in paper.claims if claim.id in TABLE_CLAIMS]
    verdicts: dict[str, list[Verdict]] = {claim.id: [] for claim in claims}
    for table in variants.values():
        rows = {**variants[DEFAULT], **table}
        for claim in claims:
            finding = TABLE_CLAIMS[claim.id](rows, claim, paper)
            verdicts[claim.id].append(_claim_verdict(claim, finding, dataset, paper.rules))
    lines = pd.DataFrame([*variants, ("all", "")], columns=READING_COLUMNS)
    columns = {name: [*map(str, found), str(combine(found))] for name, found in verdicts.items()}
    return lines.assign(**columns)
