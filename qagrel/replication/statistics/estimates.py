"""Estimates from samples of seeds, the checks made on them, and verdicts.

The seed is the unit of replication.  Against the paper, inference rests on means, standard
deviations and numbers of seeds, which is all that it prints: `contrast` gives the weighted sum of
means with its standard error (Welch) and degrees of freedom (Welch-Satterthwaite).  Rows of ours
share their seeds; `rows.pool` takes each seed as one sample.  A `Check` asks whether the true value
lies between two bounds.  Epochs are compared as logarithms of their means (delta method), so that
differences are ratios.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

NAN = float("nan")


class Verdict(StrEnum):
    """What the results say about a number or a claim of the paper."""

    REPLICATED = "replicated"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    NOT_DETERMINED = "not determined by the paper"
    NOT_COMPARABLE = "not comparable"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Moments:
    """Mean, sample standard deviation (ddof = 1; NaN if unknown) and number of a sample."""

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Moments":
        """The moments of given values; a single value has no standard deviation.

        That of equal values is zero, however their mean is rounded.
        """
        sample = np.array(list(values), np.float64)
        if len(sample) > 1 and (sample == sample[0]).all():
            return cls(float(sample[0]), 0.0, len(sample))
        mean = float(sample.mean()) if len(sample) else NAN
        return cls(mean, float(sample.std(ddof=1)) if len(sample) > 1 else NAN, len(sample))

    def log(self) -> "Moments":
        """The logarithm of the mean, its spread by the delta method (sd / mean)."""
        return Moments(math.log(self.mean), self.std / self.mean, self.n)


def geometric(values: Iterable[float]) -> float:
    """The geometric mean of numbers that are compared as ratios."""
    return float(np.exp(np.log(np.array(list(values))).mean()))


Weighted = Sequence[tuple[float, "Moments"]]


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
    """The weighted sum of independent means; with weights 1 and -1, Welch's comparison of two."""
    return total(
        [
            Estimate(weight * m.mean, abs(weight) * m.std / math.sqrt(m.n or NAN), m.n - 1)
            for weight, m in terms
        ]
    )


def total(parts: Sequence[Estimate]) -> Estimate:
    """The sum of independent estimates, with the degrees of freedom of Welch and Satterthwaite."""
    value = math.fsum(part.value for part in parts)
    variance = math.fsum(part.stderr**2 for part in parts)
    if variance == 0:
        return Estimate(value, 0.0, sum(part.df for part in parts))
    spread = math.fsum(part.stderr**4 / part.df if part.df > 0 else NAN for part in parts)
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
    bound : "at least" or "at most" where the true value is known from one side only, as is that of
        a ratio with runs that were cut off; "unknown" where from neither.
    """

    name: str
    estimate: Estimate
    low: float = -math.inf
    high: float = math.inf
    null: float | None = None
    log: bool = False
    bound: str = ""

    @property
    def p_holds(self) -> float:
        """Two one-sided tests (TOST) of a value between the bounds."""
        return max(self._p_above(self.low), self._p_below(self.high))

    @property
    def p_fails(self) -> float:
        """The two-sided test that speaks against the statement."""
        low, high = (self.low, self.high) if self.null is None else (self.null, self.null)
        return 2 * min(self._p_below(low), self._p_above(high), 0.5)

    def _p_above(self, limit: float) -> float:
        """A test that a value known to be at most so large cannot pass, if there is a limit."""
        cut = self.bound in {"at most", "unknown"} and limit > -math.inf
        return 1.0 if cut else self.estimate.p_above(limit)

    def _p_below(self, limit: float) -> float:
        cut = self.bound in {"at least", "unknown"} and limit < math.inf
        return 1.0 if cut else self.estimate.p_below(limit)

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
    for unanimous in (Verdict.NOT_COMPARABLE, Verdict.NOT_DETERMINED, Verdict.REPLICATED):
        if all(verdict is unanimous for verdict in tested):
            return unanimous
    return Verdict.DIFFERS if Verdict.DIFFERS in tested else Verdict.INCONCLUSIVE


def across_readings(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a statement that was put to the test under several readings of the paper.

    Where it holds by some and fails by others, it is the paper that does not determine it.
    """
    if {Verdict.REPLICATED, Verdict.DIFFERS} <= set(verdicts):
        return Verdict.NOT_DETERMINED
    return combine(verdicts)


def weigh(checks: Sequence[Check], alpha: float) -> Verdict:
    """The verdict on a claim that several checks must all support."""
    fails = holm([check.p_fails for check in checks])
    pairs = zip(checks, fails, strict=True)
    return combine([decide(check.p_holds, p_fails, alpha) for check, p_fails in pairs])


def plain(value: Any) -> Any:
    """The same value as JSON knows it: plain types, six significant digits, None for no number."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return _round(float(value)) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _round(value: float) -> float:
    """Six significant digits: what lies beyond may differ by platform."""
    return float(f"{value:.6g}")


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with six significant digits."""
    return frame.map(lambda value: _round(value) if isinstance(value, float) else value)
