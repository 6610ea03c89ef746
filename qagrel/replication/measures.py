"""What a study measures inside its runs: each measure trains a run, and makes a table of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from qagrel import network
from qagrel.dataset import Dataset
from qagrel.epoch import Epoch
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.training import train
from qagrel.triallog import TrialLog

OnEpoch = Callable[[Epoch], object]
Measure = Callable[[RunSpec, Dataset, OnEpoch], tuple[History, pd.DataFrame]]
RECENT = 50  # presentations of a class over which its share of right answers is taken
SHARES = (0.8, 0.9, 0.95, 0.97)  # of right answers
LATEST = 1000  # trials of which that share is asked for


def choices(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, pd.DataFrame]:
    """Right choices by class, batch by batch, of a rule that learns by reward.

    A row a batch: batch (from 1, over the whole run), presented_0, ... and correct_0, ...: how
    often each class was shown, and was answered rightly.  Of other rules there are no rows.
    """
    history, log = _logged(spec, dataset, on_epoch)
    numbers = range(dataset.n_classes)
    names = [f"{count}_{number}" for count in ("presented", "correct") for number in numbers]
    if log is None:
        return history, pd.DataFrame(columns=["batch", *names])
    right = history.right[0]  # [class, action]
    lines: list[list[int]] = []
    for target, action in zip(log.target, log.action, strict=True):
        for first in range(0, target.size, spec.batch_size):
            batch = slice(first, first + spec.batch_size)
            is_right = right[target[batch], action[batch]]
            presented = np.bincount(target[batch], minlength=len(right))
            correct = np.bincount(target[batch][is_right], minlength=len(right))
            lines.append([len(lines) + 1, *presented, *correct])
    return history, pd.DataFrame(lines, columns=["batch", *names])


def discoveries(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, pd.DataFrame]:
    """How each class was found, a row a class, of a rule that learns by reward.

    Columns: class; found (the trial, from 1 over the whole run, from which on at least half of
    its last 50 presentations were answered rightly; empty where that never was);
    first_right (the trial of its first right answer) and first_right_explored (whether that
    choice was explorative); right_before and explored_before (right answers up to `found`, and
    how many of them were explorative); rival (the wrong action that was chosen most for it in the
    50 presentations before); rival_peak and rival_last (the rival's Q-value for images of the
    class: the largest mean of 50 successive choices up to then, and the mean of the last 50);
    own_first and own_found (the Q-value of its right action: in its first 50 right answers, or as
    many as there are up to `found`, and in the first 50 from then on).
    """
    history, log = _logged(spec, dataset, on_epoch)
    assert log is not None, "discoveries are of rules that learn by reward"
    right = history.right[0]
    flat = TrialLog(*(array.ravel() for array in log))
    lines = []
    for number in range(len(right)):
        trials = np.flatnonzero(flat.target == number)
        own = TrialLog(*(array[trials] for array in flat))
        lines.append({"class": number, **_discovery(own, trials, right[number])})
    return history, pd.DataFrame(lines)


def _discovery(own: TrialLog, trials: Any, right: Any) -> dict[str, float]:
    """What `discoveries` says of one class, from the log of its presentations alone."""
    is_right = right[own.action]
    recent = np.convolve(is_right, np.ones(RECENT, int))[: is_right.size]
    reached = np.flatnonzero(recent >= RECENT / 2)
    n = int(reached[0]) + 1 if reached.size else is_right.size  # presentations up to `found`
    hits = np.flatnonzero(is_right)
    before = hits[hits < n]
    wrong = own.action[max(0, n - RECENT) : n][~is_right[max(0, n - RECENT) : n]]
    rival = int(np.bincount(wrong).argmax()) if wrong.size else -1
    rival_values = own.value[:n][own.action[:n] == rival].astype(float)
    after = hits[hits >= n] if reached.size else hits[:0]
    return {
        "found": trials[n - 1] + 1 if reached.size else np.nan,
        "first_right": trials[hits[0]] + 1 if hits.size else np.nan,
        "first_right_explored": float(own.explored[hits[0]]) if hits.size else np.nan,
        "right_before": before.size,
        "explored_before": int(own.explored[before].sum()),
        "rival": rival,
        "rival_peak": _running_means(rival_values).max() if rival_values.size else np.nan,
        "rival_last": _mean(rival_values[-RECENT:]),
        "own_first": _mean(own.value[before[:RECENT]]),
        "own_found": _mean(own.value[after[:RECENT]]),
    }


def _mean(values: Any) -> float:
    return float(values.astype(float).mean()) if values.size else np.nan


def _running_means(values: Any) -> Any:
    """Means of `RECENT` successive numbers, or the mean of all where there are fewer."""
    n = min(RECENT, values.size)
    sums = np.cumsum(np.append(0.0, values))
    return (sums[n:] - sums[:-n]) / n


def q_values(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, pd.DataFrame]:
    """Q-values of right and wrong actions for the test images, a row an epoch.

    Columns: epoch; right, best_wrong, other_wrong: means over test images of the Q-value of the
    right action, of the best wrong one, and of the remaining ones; margin: the mean of right less
    best wrong; accuracy (percent).  Where the rule learns by reward: wrong_greedy and
    wrong_explored, how often in training a wrong action was chosen, greedily and by exploration;
    change_greedy and change_explored, the sums of the prediction errors (Eq. 7) of these choices:
    what drives the values of wrong actions.
    """
    images = network.presented(
        dataset.test_images,
        dataset.test_images.shape[1],
        grey_max=dataset.grey_max,
        input_scale=spec.input_scale,
        precision=spec.precision,
    )
    lines: list[dict[str, float]] = []

    def watch(epoch: Epoch) -> None:
        values = np.concatenate(
            [layers[-1] for layers in network.respond(epoch.weights, images, spec.activation)]
        )
        lines.append({"epoch": epoch["epoch"], **_values_of(values, dataset.test_labels)})
        on_epoch(epoch)

    history, log = _logged(spec, dataset, watch)
    table = pd.DataFrame(lines)
    if log is not None:
        is_wrong = ~history.right[0][log.target, log.action]
        error = log.reward - log.value.astype(float)
        for name, by in (("greedy", ~log.explored.astype(bool)), ("explored", log.explored)):
            chosen = is_wrong & by.astype(bool)
            table[f"wrong_{name}"] = chosen.sum(axis=1)
            table[f"change_{name}"] = (error * chosen).sum(axis=1)
    return history, table


def _values_of(values: Any, labels: Any) -> dict[str, float]:
    values = values.astype(float)
    each = np.arange(labels.size)
    right = values[each, labels]
    wrong = values.copy()
    wrong[each, labels] = -np.inf
    best = wrong.max(axis=1)
    others = (values.sum(axis=1) - right - best) / max(values.shape[1] - 2, 1)
    return {
        "right": right.mean(),
        "best_wrong": best.mean(),
        "other_wrong": others.mean(),
        "margin": (right - best).mean(),
        "accuracy": 100 * float((right > best).mean()),
    }


def updates(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, pd.DataFrame]:
    """How far an epoch moves the weights into each layer, a row an epoch.

    Columns: epoch; moved_1, ...: Frobenius norm of the change of the weights into layer 1, ...
    in this epoch; size_1, ...: that of the weights after it.
    """
    lines: list[dict[str, float]] = []
    before: list[Sequence[Any]] = []

    def watch(epoch: Epoch) -> None:
        now = [matrix.astype(float) for matrix in epoch.weights]
        line = {"epoch": epoch["epoch"]}
        for layer, matrix in enumerate(now, start=1):
            moved = np.linalg.norm(matrix - before[-1][layer - 1]) if before else np.nan
            line |= {f"moved_{layer}": float(moved), f"size_{layer}": float(np.linalg.norm(matrix))}
        before[:] = [now]
        lines.append(line)
        on_epoch(epoch)

    return train(spec, dataset, on_epoch=watch), pd.DataFrame(lines)


def progress(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, pd.DataFrame]:
    """After how many trials so much of the latest ones was right, a row a share of `SHARES`.

    Columns: share; trials (from the first of the run to the end of the first batch by which that
    share of the latest 1,000 trials, in whole batches, was answered rightly; empty where that
    never was).  Where the rule learns by reward, explorative choices count for nothing: what is
    measured is what the network knows.
    """

    def go_on(epoch: Epoch) -> None:
        on_epoch(epoch)

    is_logged = spec.rule in LEARN_BY_REWARD
    history = train(spec, dataset, record_batches=True, record_trials=is_logged, on_epoch=go_on)
    assert history.batch_wrong is not None
    assert history.batch_size is not None
    trials = np.tile(history.batch_size, history.n_epochs)
    counted, right = trials, trials - history.batch_wrong.ravel()
    log, history.trial_log = history.trial_log, None
    if log is not None:
        is_greedy = log.explored == 0
        is_right = history.right[0][log.target, log.action]
        first = np.arange(0, is_right.shape[1], spec.batch_size)
        counted, right = (
            np.add.reduceat(each, first, axis=1, dtype=int).ravel()
            for each in (is_greedy, is_greedy & is_right)
        )
    n = min(-(-LATEST // spec.batch_size), trials.size)  # batches
    latest = np.convolve(right, np.ones(n, int), "valid") / np.convolve(
        counted, np.ones(n, int), "valid"
    )
    ends = np.cumsum(trials)[n - 1 :]
    reached = [np.flatnonzero(latest >= share) for share in SHARES]
    lines = {"share": SHARES, "trials": [ends[at[0]] if at.size else np.nan for at in reached]}
    return history, pd.DataFrame(lines)


MEASURES: dict[str, Measure] = {
    "choices": choices,
    "discoveries": discoveries,
    "q-values": q_values,
    "updates": updates,
    "progress": progress,
}


def _logged(spec: RunSpec, dataset: Dataset, on_epoch: OnEpoch) -> tuple[History, TrialLog | None]:
    """A run and the log of its trials, where its rule learns from rewards."""

    def go_on(epoch: Epoch) -> None:
        on_epoch(epoch)

    is_logged = spec.rule in LEARN_BY_REWARD
    history = train(spec, dataset, record_trials=is_logged, on_epoch=go_on)
    log, history.trial_log = history.trial_log, None
    return history, log
