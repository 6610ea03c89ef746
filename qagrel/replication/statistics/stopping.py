"""The stopping rule as a chance event: when recorded accuracies alone would meet it.

A run ends when so many checks in a row give the same accuracy of validation samples that are drawn
anew for each check, nearly all of them trained on in other epochs.  So a check is a binomial draw:
n samples, each wrong with the chance that the network is wrong.  Equal draws in a row become likely
only as errors vanish, and when they occur is a matter of luck, which `stopping_chain` computes
exactly from the accuracies that were recorded.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qagrel.replication.statistics.estimates import NAN, rounded
from qagrel.replication.statistics.rows import ROW_COLUMNS, Row, Summary, require
from qagrel.spec import RunSpec

Floats = npt.NDArray[np.float64]
TAIL = 12.0  # standard deviations of a draw that are followed
LATE = 40  # from this epoch on, training accuracies rise by little


@dataclass(frozen=True)
class Chain:
    """When the stopping rule is met: the checks' epochs and the chance of each to end the run."""

    epochs: Floats
    chance: Floats

    @property
    def unfinished(self) -> float:
        """The chance that no check ends the run."""
        return max(0.0, round(1.0 - float(self.chance.sum()), 9))  # sums differ by platform

    @property
    def survival(self) -> Floats:
        """The chance that a run still goes on after each check."""
        return 1.0 - np.cumsum(self.chance)

    @property
    def mean(self) -> float:
        """Expected epochs of a run, one that is never ended counting all there are."""
        return float(self.chance @ self.epochs + self.unfinished * self.epochs[-1])

    @property
    def std(self) -> float:
        """Standard deviation of the epochs of a run."""
        square = self.chance @ self.epochs**2 + self.unfinished * self.epochs[-1] ** 2
        return float(np.sqrt(max(0.0, square - self.mean**2)))


def error_rate(history: pd.DataFrame, spec: RunSpec) -> Floats:
    """The chance of a wrong answer at each check, from what all seeds of a row recorded.

    The mean over the seeds that were still trained, made to fall by isotonic regression (weighted
    by how many they were), and from the last check of the last seed on as it was there.  A check
    is counted whether it ended a run or not, so ends do not bias it; what differs between seeds is
    left out.

    Parameters
    ----------
    history : columns seed, epoch, validation_accuracy (percent, NaN where there was no check).
    """
    from scipy import optimize  # slow to import

    require(history, ["seed", "epoch", "validation_accuracy"], "history")
    checks = history.dropna(subset=["validation_accuracy"]).groupby("epoch")["validation_accuracy"]
    when = np.arange(spec.validation_every, spec.max_epochs + 1, spec.validation_every)
    if not len(checks):
        return np.full(len(when), NAN)
    wrong = 1.0 - checks.mean() / 100
    falling = optimize.isotonic_regression(wrong, weights=checks.count(), increasing=False).x
    return np.asarray(np.interp(when, wrong.index, falling), np.float64)


def stopping_chain(wrong: Floats, spec: RunSpec) -> Chain:
    """When `spec`'s stopping rule is met if check i is wrong with the chance `wrong[i]` a sample.

    A Markov chain, exact but for draws of less than negligible chance: its state is the last
    accuracy and how many checks in a row have had it.
    """
    from scipy import stats  # slow to import

    n, n_equal = spec.validation_size, spec.stop_checks
    most = n * float(wrong.max())
    counts = np.arange(min(n, int(most + TAIL * np.sqrt(most) + TAIL)) + 1)
    percent = np.round(100 * (n - counts) / n, spec.stop_decimals)
    _, label = np.unique(percent, return_inverse=True)
    state = np.zeros((n_equal, label.max() + 1))  # [checks in a row less 1, accuracy]
    chance = np.zeros(len(wrong))
    for i, p in enumerate(wrong):
        draw = np.bincount(label, stats.binom.pmf(counts, n, p))
        others = state.sum() - state.sum(axis=0)  # the chance that the last accuracy was another
        state[1:] = state[:-1] * draw
        state[0] = draw if i == 0 else others * draw
        chance[i] = state[-1].sum()
        state[-1] = 0.0
    return Chain(spec.validation_every * np.arange(1.0, len(wrong) + 1), chance)


def chain_of(history: pd.DataFrame, spec: RunSpec) -> Chain | None:
    """The chain of a row's recorded accuracies; None where it has none, or no such rule."""
    wrong = error_rate(history, spec)
    return None if spec.stop_checks < 2 or np.isnan(wrong).any() else stopping_chain(wrong, spec)


def stopping_times(
    rows: Mapping[str, tuple[Row, Summary, pd.DataFrame, RunSpec]],
) -> pd.DataFrame:
    """Epochs that were seen beside those of the chain, a line a row.

    Returns
    -------
    DataFrame
        Columns name, rule, feedback, hidden, learning_rate, loss, validation_draw, n_seeds; epochs
        seen: mean, std, n_cut_off; of the chain: chain_mean, chain_std, chain_unfinished (share);
        late_accuracy: in training, percent, mean over seeds from epoch `LATE` to the first end of
        any run of the same rule, network, rate and loss, of whatever feedback (NaN: none so late).
    """
    records: list[dict[str, Any]] = []
    for name, (row, summary, history, spec) in rows.items():
        chain = chain_of(history, spec)
        if chain is None:
            continue
        records.append(
            {
                "name": name,
                **asdict(row),
                "loss": spec.loss if spec.rule == "error-bp" else "",
                "validation_draw": spec.validation_draw,
                "n_seeds": summary.n_seeds,
                "mean": summary.epochs.mean,
                "std": summary.epochs.std,
                "n_cut_off": summary.n_cut_off,
                "chain_mean": chain.mean,
                "chain_std": chain.std,
                "chain_unfinished": chain.unfinished,
                "late_accuracy": _late_accuracy(history, rows, row, spec),
            }
        )
    return rounded(pd.DataFrame(records))


def _late_accuracy(
    history: pd.DataFrame,
    rows: Mapping[str, tuple[Row, Summary, pd.DataFrame, RunSpec]],
    row: Row,
    spec: RunSpec,
) -> float:
    like = [
        min(end for _, _, end, _ in summary.seeds)
        for other, summary, _, others in rows.values()
        if replace(other, feedback=row.feedback) == row and others.loss == spec.loss
    ]
    late = history["epoch"].between(LATE, min(like))
    return float(history.loc[late, "train_accuracy"].mean())


def explained(times: pd.DataFrame) -> pd.DataFrame:
    """Ratios of epochs that were seen beside those that the chain gives, geometric means over rows.

    Parameters
    ----------
    times : as `stopping_times` gives them; runs of the study of readings have its name before a
        slash.

    Returns
    -------
    DataFrame
        Columns ratio (its name), n_rows, seen, chain.
    """
    keys = ["hidden", "rank"]
    read = times["name"].str.startswith("readings/")
    drawn = times[~read].copy()
    by_rate = drawn.groupby(["rule", "feedback", "hidden", "loss"])["learning_rate"]
    drawn["rank"] = by_rate.rank()
    default = times[times["name"].str.startswith("readings/default/")]
    once = times[read & (times["validation_draw"] == "run")]
    agrel = drawn[(drawn["rule"] == "q-agrel") & (drawn["feedback"] == "symmetric")]
    records = []
    for name, above, below, by in (
        *(
            (f"q-agrel over error-bp, {loss}", agrel, _symmetric_backprop(drawn, loss), keys)
            for loss in ("cross-entropy", "squared-error")
        ),
        ("learned over symmetric", drawn[drawn["feedback"] == "learned"], agrel, keys),
        ("validation drawn every epoch over once", default, once, [*ROW_COLUMNS, "loss"]),
    ):
        both = above.merge(below, on=by, suffixes=("", "_below"))
        ratios = {
            kind: float(np.exp(np.log(both[column] / both[f"{column}_below"]).mean()))
            for kind, column in (("seen", "mean"), ("chain", "chain_mean"))
        }
        records.append({"ratio": name, "n_rows": len(both), **ratios})
    return rounded(pd.DataFrame(records))


def _symmetric_backprop(times: pd.DataFrame, loss: str) -> pd.DataFrame:
    is_it = (times["rule"] == "error-bp") & (times["feedback"] == "symmetric")
    return times[is_it & (times["loss"] == loss)]
