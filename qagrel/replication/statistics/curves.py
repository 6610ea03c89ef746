"""What curves show: steps, classes found, overshoots, and the steepest learning rates."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics.estimates import NAN
from qagrel.replication.statistics.paper import Rules
from qagrel.replication.statistics.rows import require

CHANCE = 0.1  # share of right answers by guessing among ten classes
RIGHT_ANGLE = 90.0  # degrees: what independent matrices are at, but for chance


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

    Classes are taken for actions, of which there must be as many.

    Returns
    -------
    DataFrame
        Columns seed, class, peak (the largest ratio), last (that of the last epoch), overshoot
        (the peak is at least `factor`, and the last within `tolerance` of 1).
    """
    records, classes = [], classes_of(history)
    require(history, [f"selected_{number}" for number in classes], "history")
    for seed, group in history.groupby("seed"):
        for number in classes:
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


def steepest_interval(
    rates: npt.ArrayLike, curve: npt.ArrayLike, factor: float, chance: float | None = None
) -> float:
    """The lower end r of the interval [r, factor r] in which a curve rises the most.

    The curve is taken as linear between its points on the logarithmic axis of rates, and every
    recorded rate whose interval lies within the range is tried; of equals, the lowest.

    Parameters
    ----------
    rates : learning rates, rising.
    curve : reward, or 1 - error, at each.
    chance : what the curve rises from in the first epoch, which the first interval is credited
        with; None: nothing is counted before the first point.

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
    before = np.interp(starts, axis, values)
    if chance is not None:
        before[0] = chance
    rise = np.interp(starts + width, axis, values) - before
    return float(np.exp(starts[rise.argmax()]))


def steepest_intervals(
    history: pd.DataFrame, factor: float, chance: float | None = CHANCE
) -> pd.DataFrame:
    """`steepest_interval` of each seed of a learning-rate range: columns seed, low, high.

    Parameters
    ----------
    history : columns seed, learning_rate, error, a line an epoch.
    chance : that the first rise is counted from.
    """
    require(history, ["seed", "learning_rate", "error"], "learning-rate range")
    records = []
    for seed, group in history.groupby("seed"):
        low = steepest_interval(group["learning_rate"], 1 - group["error"], factor, chance)
        records.append({"seed": seed, "low": low, "high": factor * low})
    return pd.DataFrame(records, columns=["seed", "low", "high"])


def angles_at_the_end(history: pd.DataFrame) -> pd.DataFrame:
    """The angles between feedback and transposed forward weights in each seed's last epoch.

    Parameters
    ----------
    history : columns seed, epoch, angle_2, ... (degrees), a line an epoch.
    """
    columns = [str(column) for column in history.columns if str(column).startswith("angle_")]
    require(history, ["seed", *(columns or ["angle_2"])], "learned feedback")
    return history.groupby("seed")[columns].last()


def angle_course(history: pd.DataFrame) -> list[dict[str, Any]]:
    """How the angle of each layer changes as learned feedback is trained, mean over seeds.

    Returns
    -------
    list
        A record a layer: layer; start (of independent weights); first, the angle after the first
        epoch; tenth, after ten; last, in the last epoch; fall, by how much it fell in the last ten
        epochs of each seed; common_change, what size of change the last angle amounts to (see
        `common_change`).
    """
    last = angles_at_the_end(history)
    by_seed = history.groupby("seed")
    records = []
    for column in map(str, last):
        earlier = by_seed[column].apply(lambda angles: angles.iloc[max(len(angles) - 11, 0)])
        angles = {
            "start": RIGHT_ANGLE,
            "first": by_seed[column].first().mean(),
            "tenth": history.loc[history["epoch"] == 10, column].mean(),
            "last": last[column].mean(),
            "fall": (earlier - last[column]).mean(),
        }
        layer = int(column.removeprefix("angle_"))
        records.append({"layer": layer, **angles, "common_change": common_change(angles["last"])})
    return records


def common_change(angle: float) -> float:
    """How large a change that two matrices share makes their angle so small, by itself.

    Two independent matrices of one size are at a right angle.  Where both change by the same
    matrix, k times as large as they are and at a right angle to both, the cosine of their angle is
    k^2 / (1 + k^2), whatever was learnt.

    Parameters
    ----------
    angle : degrees.

    Returns
    -------
    k, in units of the initial weights' norm.
    """
    cosine = math.cos(math.radians(angle))
    return math.sqrt(max(cosine, 0.0) / (1 - cosine)) if cosine < 1 else math.inf


def classes_of(history: pd.DataFrame) -> list[int]:
    """The classes that a history counts (InputError where counts are missing).

    Selections are counted by action, of which there may be more or fewer.
    """
    n_classes, n_actions = (
        sum(str(name).startswith(what) for name in history) or 1
        for what in ("presented_", "selected_")
    )
    numbers = {"presented": n_classes, "correct": n_classes, "selected": n_actions}
    names = [f"{what}_{number}" for what, n in numbers.items() for number in range(n)]
    require(history, ["seed", "epoch", "error", *names], "history")
    return list(range(n_classes))


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else NAN
