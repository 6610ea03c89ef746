"""What happens inside learning: values of actions, classes found, rates, receptive fields."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qagrel.replication.statistics.curves import steepest_intervals
from qagrel.replication.statistics.estimates import Estimate, Moments, contrast

VALUES = ("right", "best_wrong", "other_wrong", "margin")


def value_course(measured: pd.DataFrame) -> pd.DataFrame:
    """Q-values over epochs: mean and standard deviation over seeds, a row a run and epoch.

    Parameters
    ----------
    measured : columns run, seed, epoch, right, best_wrong, other_wrong, margin (see
        `measures.q_values`).
    """
    course = measured.groupby(["run", "epoch"], sort=False)[list(VALUES)].agg(["mean", "std"])
    course.columns = ["_".join(names) for names in course.columns]
    return course.reset_index()


def explorative_share(measured: pd.DataFrame, first: int, last: int) -> Moments:
    """Share of wrong actions' change that comes from explorative choices, of epochs first to last.

    A change is a prediction error (Eq. 7) of a wrong action that was chosen: the sums of those of
    explorative choices over the sums of all, seed by seed.
    """
    among = measured[measured["epoch"].between(first, last)]
    sums = among.groupby("seed")[["change_greedy", "change_explored"]].sum()
    return Moments.of(sums["change_explored"] / sums.sum(axis="columns"))


def discovery_table(measured: pd.DataFrame) -> pd.DataFrame:
    """How classes were found, a row a run.

    Parameters
    ----------
    measured : columns run, seed and those of `measures.discoveries`; runs are named
        ``width, epsilon``.

    Returns
    -------
    Columns width, epsilon, n_seeds; found (percent of the classes), trials (geometric mean over
    seeds of the trial by which a class was found, mean over the classes found), lucky_first
    (percent of the classes whose first right answer was explorative), lucky (percent of the right
    answers up to the finding that were explorative), rival_fall (percent by which the value of the
    most chosen wrong action had fallen from its peak), rival and own (values of that action before
    the finding, and of the right one after it).
    """
    lines = []
    for run, group in measured.groupby("run", sort=False):
        width, epsilon = str(run).split(", ")
        found = group[group["found"].notna()]
        fall = 1 - found["rival_last"] / found["rival_peak"]
        lines.append(
            {
                "width": int(width),
                "epsilon": float(epsilon),
                "n_seeds": group["seed"].nunique(),
                "found": 100 * len(found) / len(group),
                "trials": float(np.exp(_log_trials(group).mean())),
                "lucky_first": 100 * group["first_right_explored"].mean(),
                "lucky": 100 * group["explored_before"].sum() / group["right_before"].sum(),
                "rival_fall": 100 * fall.mean(),
                "rival": found["rival_last"].mean(),
                "own": found["own_found"].mean(),
            }
        )
    return pd.DataFrame(lines)


def values_when_found(measured: pd.DataFrame) -> pd.DataFrame:
    """Values of the most chosen wrong and the right action, mean over a seed's found classes.

    Parameters
    ----------
    measured : as of `discovery_table`.

    Returns
    -------
    Columns width, epsilon, seed, rival_peak, rival_last, own_found (see `measures.discoveries`).
    """
    found = measured[measured["found"].notna()]
    columns = ["rival_peak", "rival_last", "own_found"]
    means = found.groupby(["run", "seed"], sort=False)[columns].mean().reset_index()
    names = means.pop("run").str.split(", ", expand=True)
    means.insert(0, "width", names[0].astype(int))
    means.insert(1, "epsilon", names[1].astype(float))
    return means


def slowing(measured: pd.DataFrame, run: str, reference: str) -> Estimate:
    """The logarithm of the ratio of the trials to find a class, `run` over `reference`, by seed."""
    one, other = (_log_trials(measured[measured["run"] == name]) for name in (run, reference))
    return contrast([(1.0, Moments.of((one - other).dropna()))])


def _log_trials(group: pd.DataFrame) -> "pd.Series[float]":
    """Logarithm of the mean trial of finding, by seed."""
    trials: pd.Series[float] = group.groupby("seed")["found"].mean()
    return trials.map(math.log)


def neighbour_correlation(fields: NDArray[Any], image_shape: Sequence[int]) -> float:
    """How alike the weights from neighbouring pixels are: about 0 where each is on its own.

    Parameters
    ----------
    fields : weights from the pixels, shape (units, pixels).
    image_shape : rows and columns of the image.

    Returns
    -------
    The correlation of a unit's weights from pixels above and beside each other, over all units.
    """
    pictures = fields.astype(float).reshape(-1, *image_shape)
    pairs = (
        (pictures[:, 1:], pictures[:, :-1]),
        (pictures[:, :, 1:], pictures[:, :, :-1]),
    )
    one, other = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    return float(np.corrcoef(one, other)[0, 1])


def rate_map(epochs: pd.DataFrame, factor: float) -> pd.DataFrame:
    """The steepest interval of every series of rates that was tried, by seed.

    Parameters
    ----------
    epochs : columns run, seed, epoch, learning_rate, error; runs are named
        ``rule, spacing, first to last, batch size``.
    factor : that an interval spans.

    Returns
    -------
    DataFrame
        Columns run, rule, spacing, start, end, batch_size, seed, low, high (see
        `curves.steepest_intervals`; NaN where a seed diverged too soon to have an interval).
    """
    parts = []
    for run, group in epochs.groupby("run", sort=False):
        rule, spacing, ends, batch = str(run).split(", ")
        start, end = map(float, ends.split(" to "))
        named = {"run": run, "rule": rule, "spacing": spacing, "start": start, "end": end}
        for seed, curve in group.dropna(subset=["error"]).groupby("seed"):
            spans = curve["learning_rate"].max() >= factor * curve["learning_rate"].min()
            interval = (
                steepest_intervals(curve, factor)
                if spans
                else pd.DataFrame({"seed": [seed], "low": np.nan, "high": np.nan})
            )
            parts.append(interval.assign(**named, batch_size=int(batch)))
    columns = ["run", "rule", "spacing", "start", "end", "batch_size", "seed", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]
