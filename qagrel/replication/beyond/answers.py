"""What the runs say of each question, in numbers: estimates, whatever was predicted.

An answer is a few sentences of means over seeds, geometric ones of what is compared as ratios.
Studies that were not made are left out of it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication import results
from qagrel.replication.beyond.quantities import QUANTITIES, is_made, trials_by_share, values
from qagrel.replication.experiments import check_name
from qagrel.replication.measures import LATEST
from qagrel.replication.naming import named, written
from qagrel.replication.statistics import geometric

CLOSE = 1.0  # point of accuracy: within it, a deep network is as good as one of two layers
AS_GOOD = 0.3  # points: no more than them below, wrong feedback is as good as symmetric
LITERATURE = Path("paper") / "literature.csv"


def answers(folder: Path, questions: Iterable[str]) -> dict[str, str]:
    """The answer to each of these questions that `ANSWERS` knows and whose studies were made.

    InputError where a study lacks the run that the others are compared with.
    """
    known = {each: " ".join(ANSWERS[each](folder)) for each in questions if each in ANSWERS}
    return {question: text for question, text in known.items() if text}


def means(folder: Path, study: str, quantity: str) -> "pd.Series[float]":
    """The mean over seeds by run; geometric where the quantity is compared as a ratio."""
    by_run = values(folder, study, quantity).groupby("run", sort=False)["value"]
    return by_run.agg(QUANTITIES[quantity].mean)


def _each(values: "pd.Series[Any]", form: str) -> str:
    """Numbers with what they are of: *1.48 (initial Q 0.2), 0.51 (novelty 1)*."""
    return ", ".join(f"{written(value, form)} ({named(str(run))})" for run, value in values.items())


def _less(values: "pd.Series[float]", run: str) -> "pd.Series[float]":
    """What the other runs have more than this one."""
    check_name(run, values.index, "an answer compares with the run")
    return (values - values[run]).drop(run)


def _optimism(folder: Path) -> Iterator[str]:
    if is_made(folder, "optimism"):
        accuracy = means(folder, "optimism", "accuracy")
        yield (
            "In the network of Fig. 5, the trials until a class is found, over those of the "
            f"paper's rule: {_each(_ratios(folder, 'optimism', 'finding'), '.2f')}. Accuracy at "
            f"the end, in percent: {_each(accuracy, '.1f')}."
        )
    if is_made(folder, "narrow"):
        found, accuracy = (means(folder, "narrow", quantity) for quantity in ("found", "accuracy"))
        yield (
            f"Of ten classes, networks of ten hidden units find {_each(found, '.1f')}; their "
            f"accuracy, in percent: {_each(accuracy, '.1f')}."
        )
    if is_made(folder, "optimism-stop"):
        _, lines = results.read_study(folder, "optimism-stop")
        cut = int((lines["status"] == "max-epochs").sum())
        yield (
            "The epochs until the stopping rule, over those of the paper's rule: "
            f"{_each(_ratios(folder, 'optimism-stop', 'epochs'), '.2f')}; cut off before it: {cut} "
            f"of {len(lines)} runs."
        )


def _ratios(folder: Path, study: str, quantity: str) -> "pd.Series[float]":
    return _less(means(folder, study, quantity).map(math.log), "neither").map(math.exp)


def _depth(folder: Path) -> Iterator[str]:
    if not is_made(folder, "depth"):
        return
    accuracy = means(folder, "depth", "accuracy")
    parts = accuracy.index.str.split(", ", n=1)
    table = pd.DataFrame({"layers": parts.str[0].astype(int), "setting": parts.str[1]})
    table["accuracy"] = accuracy.to_numpy()
    reached = {}
    for setting, group in table.groupby("setting", sort=False):
        two_layers = f"2, {str(setting).rpartition(', ')[0]}, 0.05"
        if len(group) > 1:
            check_name(two_layers, accuracy.index, "an answer compares with the run")
            reached[setting] = _reached(group, accuracy[two_layers] - CLOSE)
    yield (
        "Within a point of two layers at ±0.05, by the same rule and feedback, come networks of up "
        f"to so many layers, by their range of initial weights: {_each(pd.Series(reached), '')}."
    )
    deepest = table["layers"].max()
    last = table[table["layers"] == deepest].set_index("setting")["accuracy"]
    yield f"The accuracy of {deepest} layers, in percent: {_each(last, '.1f')}."


def _reached(group: pd.DataFrame, least: float) -> str:
    """The most layers up to which every network of two or more is at least so accurate."""
    group = group[group["layers"] > 1]
    enough = (group["accuracy"] >= least).cummin()
    return str(group["layers"][enough].max()) if enough.any() else "none"


def _activations(folder: Path) -> Iterator[str]:
    if is_made(folder, "activations"):
        accuracy = means(folder, "activations", "accuracy")
        for rule in _first(accuracy):
            own = _of(accuracy, rule)
            change = _less(own, "relu")
            yield (
                f"Against ReLU, accuracy under {named(rule)} changes by "
                f"{_each(change, '+.2f')} points."
            )
    if is_made(folder, "lecun"):
        accuracy = means(folder, "lecun", "accuracy")
        theirs = store.read_csv(LITERATURE).set_index("hidden")["accuracy"]
        for hidden in _first(accuracy):
            yield (
                f"Where LeCun et al. (1998) report {theirs[hidden]:g} % for {hidden} hidden units, "
                "error-BP on the squared error, trial by trial, gets to "
                f"{_each(_of(accuracy, hidden), '.2f')}."
            )


def _first(values: "pd.Series[float]") -> list[str]:
    """How the names of runs begin, in their order."""
    return list(dict.fromkeys(run.split(", ")[0] for run in values.index))


def _of(values: "pd.Series[float]", beginning: str) -> "pd.Series[float]":
    """The runs whose names begin so, without that beginning."""
    own = values[values.index.str.startswith(f"{beginning}, ")]
    return own.rename(index=lambda run: run.removeprefix(f"{beginning}, "))


def _distortions(folder: Path) -> Iterator[str]:
    study = "distortions-and-optimizers"
    if not is_made(folder, study):
        return
    accuracy = means(folder, study, "accuracy")
    for rule in _first(accuracy):
        own = _of(accuracy, rule)
        plain, distorted = (
            own[own.index.str.endswith(end)].rename(index=lambda run: run.split(", ")[0])
            for end in (", none", ", affine")
        )
        steps = _less(plain, "sgd")
        yield (
            f"Distortions change the accuracy of {named(rule)} by "
            f"{_each(distorted - plain, '+.2f')} points, and optimizers without them by "
            f"{_each(steps, '+.2f')}; it is highest with "
            f"{named(str(own.idxmax()))}, at {own.max():.2f} %."
        )


def _classes(folder: Path) -> Iterator[str]:
    if not is_made(folder, "classes"):
        return
    keys = ["rates", "share", "classes"]
    ratios = trial_ratios(folder).groupby(keys)["value"].agg(geometric)
    for rates, said in (("same", "At one rate and loss"), ("own", "At their own rates and losses")):
        by_share = ratios.xs(rates).unstack("classes")
        parts = (
            f"{', '.join(f'{value:.1f}' for value in line)} until {100 * share:.0f} % are right"
            for share, line in zip(by_share.index, by_share.to_numpy(), strict=True)
        )
        yield (
            f"{said}, Q-AGREL takes so many times the trials of error-BP with "
            f"{', '.join(map(str, by_share.columns))} classes: {'; '.join(parts)}."
        )
    yield (
        f"No share is known before {LATEST:,} trials, which with few classes is much of what "
        "error-BP takes: there, the ratios are too small."
    )


def trial_ratios(folder: Path) -> pd.DataFrame:
    """Trials of Q-AGREL over those of error-BP: columns rates, share, classes, seed, value."""
    table = trials_by_share(folder, "classes")
    parts = table["run"].str.split(", ", expand=True)
    table = table.assign(classes=parts[0].astype(int), rule=parts[1], rates=parts[2])
    wide = table.pivot(index=["rates", "share", "classes", "seed"], columns="rule", values="value")
    return (wide["q-agrel"] / wide["error-bp"]).rename("value").reset_index()


def _feedback(folder: Path) -> Iterator[str]:
    if not is_made(folder, "feedback"):
        return
    accuracy = means(folder, "feedback", "accuracy")
    others = _less(accuracy, "symmetric")
    good = ", ".join(named(str(run)) for run in others[others > -AS_GOOD].index)
    yield (
        f"Symmetric feedback gets to {accuracy['symmetric']:.2f} %. No more than {AS_GOOD:g} "
        f"points below it stay: {good or 'none of the others'}. What each costs, in points: "
        f"{_each(-others, '.2f')}."
    )


ANSWERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "optimism": _optimism,
    "depth": _depth,
    "activations": _activations,
    "distortions": _distortions,
    "classes": _classes,
    "feedback": _feedback,
}
