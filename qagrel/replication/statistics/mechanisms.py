"""What happens inside learning: values of wrong actions, how classes are found, series of rates."""

import math

import numpy as np
import pandas as pd

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


def slowing(measured: pd.DataFrame, run: str, reference: str) -> Estimate:
    """The logarithm of the ratio of the trials to find a class, `run` over `reference`, by seed."""
    one, other = (_log_trials(measured[measured["run"] == name]) for name in (run, reference))
    return contrast([(1.0, Moments.of((one - other).dropna()))])


def _log_trials(group: pd.DataFrame) -> "pd.Series[float]":
    """Logarithm of the mean trial of finding, by seed."""
    trials: pd.Series[float] = group.groupby("seed")["found"].mean()
    return trials.map(math.log)
