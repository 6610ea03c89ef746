"""What happens inside learning: values of actions, classes found, rates, receptive fields."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray

from qagrel.replication.statistics.curves import steepest_intervals, steps
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
    """The logarithm of the ratio of the trials to find a class, `run` over `reference`, by seed.

    A class that was never found counts as found in the last trial that found one in any run, which
    is earlier than it would have been.
    """
    found = measured["found"]
    measured = measured.assign(found=found.fillna(found.max()))
    one, other = (_log_trials(measured[measured["run"] == name]) for name in (run, reference))
    return contrast([(1.0, Moments.of((one - other).dropna()))])


def _log_trials(group: pd.DataFrame) -> "pd.Series[float]":
    """Logarithm of the mean trial of finding, by seed."""
    trials: pd.Series[float] = group.groupby("seed")["found"].mean()
    return trials.map(math.log)


def value_ends(measured: pd.DataFrame) -> pd.DataFrame:
    """Where values of wrong actions end, relative to that of the right one, in the last epoch.

    Returns
    -------
    A line a run and seed: run, seed, best_wrong and other_wrong, over the value of the right
    action.
    """
    last = measured.groupby(["run", "seed"], sort=False).last()
    ends = last[["best_wrong", "other_wrong"]].div(last["right"], axis="index")
    return ends.reset_index()


def blocks(measured: pd.DataFrame, size: int) -> pd.DataFrame:
    """Right choices by class in blocks of so many batches (see `measures.choices`).

    Returns
    -------
    Columns seed, block (from 1), presented_0, ..., correct_0, ...
    """
    counts = [name for name in measured if str(name).startswith(("presented_", "correct_"))]
    block = ((measured["batch"] - 1) // size + 1).rename("block")
    summed = measured.groupby([measured["seed"], block])[counts].sum()
    return summed.reset_index()


def one_at_a_time(measured: pd.DataFrame, share: float, size: int, height: float) -> pd.DataFrame:
    """Whether classes are found apart from each other, and what the new one brings.

    Parameters
    ----------
    measured : columns seed, batch, presented_0, ..., correct_0, ... (see `measures.choices`).
    share : a class is found in the first block with so many of its samples right.
    size : of a block, in batches.
    height : of a step of the reward from block to block (see `curves.steps`), in shares of a class.

    Returns
    -------
    DataFrame
        A line a seed: n_found; span (batches from the first to the last finding); unevenness of
        the gaps between findings (see `unevenness`); found_together, classes found in a block with
        a finding, and together_by_chance, what as many independent findings, uniform over the
        blocks of the span, would give; n_steps; new_share, how much of the rise in these steps,
        from before the block ahead to the block after, comes from classes found in these blocks.
    """
    lines = []
    for seed, group in blocks(measured, size).groupby("seed"):
        presented, correct = (
            group.filter(regex=rf"^{name}_\d+$").to_numpy(float)
            for name in ("presented", "correct")
        )  # (blocks, classes)
        is_found = (presented > 0) & (correct >= share * presented)
        when = np.where(is_found.any(axis=0), is_found.argmax(axis=0), -1)
        known = np.sort(when[when >= 0])
        gained = correct / presented.sum(axis=1, keepdims=True)  # by class, of the reward
        n_classes = gained.shape[1]
        at = np.array(steps(gained.sum(axis=1), 1 / n_classes, height / n_classes), int)
        guessing = np.full((2, n_classes), 1 / n_classes**2)  # before the first block
        course = np.concatenate([guessing, gained, gained[-1:]])
        rise = course[at + 3] - course[at]  # (steps, classes)
        is_new = (when >= 0) & (np.abs(when - at[:, np.newaxis]) <= 1)
        new, total = rise[is_new].sum(), rise.sum()
        extent = int(known[-1] - known[0]) if known.size else 0
        lines.append(
            {
                "seed": seed,
                "n_found": known.size,
                "span": size * extent,
                "unevenness": unevenness(known),
                "found_together": known.size / np.unique(known).size if known.size else np.nan,
                "together_by_chance": _together_by_chance(known.size, extent + 1),
                "n_steps": len(at),
                "new_share": new / total if total > 0 else np.nan,
            }
        )
    return pd.DataFrame(lines)


def unevenness(times: npt.ArrayLike) -> float:
    """How uneven the gaps between events are, over what independent events have on average.

    Greenwood's statistic (J. R. Stat. Soc. 109, 1946): the sum of the squares of gaps, each as a
    share of the span from the first event to the last.  Where events between these are independent
    and uniform, m gaps have 2 / (m + 1) on average, by which it is divided.  Below 1, events keep
    apart; above, they come together, up to (m + 1) / 2.  NaN for less than three events.

    Parameters
    ----------
    times : in any order and unit.
    """
    gaps = np.diff(np.sort(np.asarray(times, float)))
    if gaps.size < 2:
        return float("nan")
    span = gaps.sum()
    squares = float(((gaps / span) ** 2).sum()) if span > 0 else 1.0
    return squares * (gaps.size + 1) / 2


def _together_by_chance(n: int, places: int) -> float:
    """Events per place that has any, of n independent ones: n over the expected places."""
    return n / (places * (1 - (1 - 1 / places) ** n)) if n else np.nan


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
        for seed, records in group.groupby("seed"):
            curve = records.dropna(subset=["error"])
            spans = curve["learning_rate"].max() >= factor * curve["learning_rate"].min()
            interval = (
                steepest_intervals(curve, factor)
                if spans
                else pd.DataFrame({"seed": [seed], "low": np.nan, "high": np.nan})
            )
            parts.append(interval.assign(**named, batch_size=int(batch)))
    columns = ["run", "rule", "spacing", "start", "end", "batch_size", "seed", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]


def moved_more(measured: pd.DataFrame, run: str, reference: str) -> dict[str, Estimate]:
    """How much farther epochs move the weights into each layer in one run than in another.

    Parameters
    ----------
    measured : columns run, seed, epoch, moved_1, ... (see `measures.updates`).

    Returns
    -------
    The logarithm of the ratio, `run` over `reference`, geometric mean over epochs, by seed; for
    each column of `measured` that names a layer.
    """
    columns = [str(name) for name in measured if str(name).startswith("moved_")]
    logs = measured.set_index(["seed", "epoch"])[columns].astype(float).apply(np.log)
    is_run, is_reference = ((measured["run"] == name).to_numpy() for name in (run, reference))
    ratio = (logs[is_run] - logs[is_reference]).groupby("seed").mean()
    return {name: contrast([(1.0, Moments.of(ratio[name].dropna()))]) for name in columns}
