"""The rows of Table 1 and what their seeds come to, ours and the paper's."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics.estimates import NAN, Estimate, Moments, contrast

STATUSES = ("converged", "max-epochs", "diverged")
ROW_COLUMNS = ["rule", "feedback", "hidden", "learning_rate"]
MEASURES = ("accuracy", "epochs")


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

    @property
    def n_cut_off(self) -> int:
        """Runs that had not met the stopping rule by the last epoch allowed."""
        met = self.n_seeds if self.n_converged is None else self.n_converged
        return self.n_seeds - met - self.n_diverged

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
    require(runs, ["seed", "n_epochs", "test_accuracy", "status"], "per-seed summary")
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


Terms = Sequence[tuple[float, Summary]]


def pool(terms: Terms, measure: str, pairing: str) -> Estimate:
    """The weighted sum of a measure over rows; epochs as logarithms of their means.

    Parameters
    ----------
    pairing : "seed": runs of one seed share initial weights and the order of samples, in every
        row, so a seed is one sample, of the sum over rows; "none": rows are independent, as those
        of the paper have to be taken, of which no seeds are known.
    """
    if pairing == "none" or not all(summary.seeds for _, summary in terms):
        return contrast([(weight, summary.tested(measure)) for weight, summary in terms])
    values = pd.DataFrame({i: _by_seed(summary, measure) for i, (_, summary) in enumerate(terms)})
    shared = values.dropna()  # the seeds that every row has
    means, weights = shared.mean(), np.array([weight for weight, _ in terms])
    value = float(weights @ (np.log(means) if measure == "epochs" else means))
    relative = shared / means if measure == "epochs" else shared  # delta method
    samples = Moments.of(relative.to_numpy() @ weights)
    selected = any(summary.n_diverged for _, summary in terms)
    spread = NAN if selected else samples.std / math.sqrt(samples.n or NAN)
    return Estimate(value, spread, samples.n - 1)


def _by_seed(summary: Summary, measure: str) -> pd.Series:
    position = 1 + MEASURES.index(measure)
    return pd.Series(
        {seed[0]: float(seed[position]) for seed in summary.seeds if seed[3] != "diverged"},
        dtype=float,
    )


def bound(terms: Terms) -> str:
    """What runs that were cut off make of a ratio of epochs.

    "at least" where they stand above its line only, "at most" where below, "unknown" where both,
    and "" where there are none.
    """
    signs = {weight > 0 for weight, summary in terms if summary.n_cut_off and weight}
    if len(signs) == 2:
        return "unknown"
    return {True: "at least", False: "at most"}[signs.pop()] if signs else ""


def row_of(record: Mapping[Any, Any]) -> Row:
    """The row that a line of a table is about, by its columns `ROW_COLUMNS`."""
    rule, feedback, hidden = (str(record[name]) for name in ROW_COLUMNS[:3])
    return Row(rule, feedback, hidden, float(record["learning_rate"]))


def require(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Refuse a table that lacks a column (InputError)."""
    missing = [name for name in columns if name not in frame]
    if missing:
        raise InputError(f"{what}: the column {missing[0]!r} is missing")
