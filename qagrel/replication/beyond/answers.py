"""What the runs say of each question, in numbers: estimates, whatever was predicted.

An answer is a few sentences of means over seeds, geometric ones of what is compared as ratios.
Studies that were not made are left out of it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication import results
from qagrel.replication.beyond.quantities import QUANTITIES, trials_by_share, values
from qagrel.replication.naming import named
from qagrel.replication.statistics import geometric

CLOSE = 1.0  # point of accuracy: within it, a deep network is as good as one of two layers
AS_GOOD = 0.3  # points: within them, wrong feedback is as good as symmetric
LITERATURE = Path("paper") / "literature.csv"


def answers(folder: Path) -> dict[str, str]:
    """The answer to each question of `ANSWERS` whose studies were made."""
    texts = {question: " ".join(answer(folder)) for question, answer in ANSWERS.items()}
    return {question: text for question, text in texts.items() if text}


def means(folder: Path, study: str, quantity: str) -> "pd.Series[float]":
    """The mean over seeds by run; geometric where the quantity is compared as a ratio."""
    by_run = values(folder, study, quantity).groupby("run", sort=False)["value"]
    return by_run.agg(QUANTITIES[quantity].mean)


def _is_made(folder: Path, study: str) -> bool:
    return (folder / "studies" / f"{study}-summary.csv").exists()


def _each(values: "pd.Series[Any]", form: str) -> str:
    """Numbers with what they are of: *1.48 (initial Q 0.2), 0.51 (novelty 1)*."""
    return ", ".join(f"{_number(value, form)} ({named(str(run))})" for run, value in values.items())


def _number(value: Any, form: str) -> str:
    text = f"{value:{form}}"
    return text.lstrip("+-") if text.strip("+-0.") == "" else text.replace("-", "−")


def _optimism(folder: Path) -> Iterator[str]:
    if _is_made(folder, "optimism"):
        accuracy = means(folder, "optimism", "accuracy")
        yield (
            "In the network of Fig. 5, the trials until a class is found, over those of the "
            f"paper's rule: {_each(_ratios(folder, 'optimism', 'finding'), '.2f')}. Accuracy at "
            f"the end, in percent: {_each(accuracy, '.1f')}."
        )
    if _is_made(folder, "narrow"):
        found, accuracy = (means(folder, "narrow", quantity) for quantity in ("found", "accuracy"))
        yield (
            f"Of ten classes, networks of ten hidden units find {_each(found, '.1f')}; their "
            f"accuracy, in percent: {_each(accuracy, '.1f')}."
        )
    if _is_made(folder, "optimism-stop"):
        _, lines = results.read_study(folder, "optimism-stop")
        cut = int((lines["status"] == "max-epochs").sum())
        yield (
            "The epochs until the stopping rule, over those of the paper's rule: "
            f"{_each(_ratios(folder, 'optimism-stop', 'epochs'), '.2f')}; {cut} of {len(lines)} "
            "runs were cut off before."
        )


def _ratios(folder: Path, study: str, quantity: str) -> "pd.Series[float]":
    by_run = means(folder, study, quantity)
    return (by_run / by_run["neither"]).drop("neither")


def _depth(folder: Path) -> Iterator[str]:
    if not _is_made(folder, "depth"):
        return
    accuracy = means(folder, "depth", "accuracy")
    parts = accuracy.index.str.split(", ", n=1)
    table = pd.DataFrame({"layers": parts.str[0].astype(int), "setting": parts.str[1]})
    table["accuracy"] = accuracy.to_numpy()
    reached = {}
    for setting, group in table.groupby("setting", sort=False):
        two_layers = accuracy[f"2, {str(setting).rpartition(', ')[0]}, 0.05"]
        if len(group) > 1:
            reached[setting] = _reached(group, two_layers - CLOSE)
    yield (
        "Within a point of two layers at ±0.05, by the same rule and feedback, come networks of up "
        f"to so many layers, by their range of initial weights: {_each(pd.Series(reached), '')}."
    )
    deepest = table["layers"].max()
    last = table[table["layers"] == deepest].set_index("setting")["accuracy"]
    yield f"The accuracy of {deepest} layers, in percent: {_each(last, '.1f')}."


def _reached(group: pd.DataFrame, least: float) -> str:
    """The most layers up to which every network is at least so accurate."""
    enough = (group["accuracy"] >= least).cummin()
    return str(group["layers"][enough].max()) if enough.any() else "none"


def _activations(folder: Path) -> Iterator[str]:
    if _is_made(folder, "activations"):
        accuracy = means(folder, "activations", "accuracy")
        for rule in _first(accuracy):
            own = _of(accuracy, rule)
            change = (own - own["relu"]).drop("relu")
            yield (
                f"Against ReLU, accuracy under {named(rule)} changes by "
                f"{_each(change, '+.2f')} points."
            )
    if _is_made(folder, "lecun"):
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
    if not _is_made(folder, study):
        return
    accuracy = means(folder, study, "accuracy")
    for rule in _first(accuracy):
        own = _of(accuracy, rule)
        plain, distorted = (
            own[own.index.str.endswith(end)].rename(index=lambda run: run.split(", ")[0])
            for end in (", none", ", affine")
        )
        steps = (plain - plain["sgd"]).drop("sgd")
        yield (
            f"Distortions change the accuracy of {named(rule)} by "
            f"{_each(distorted - plain, '+.2f')} points, and optimizers without them by "
            f"{_each(steps, '+.2f')}; it is highest with "
            f"{named(str(own.idxmax()))}, at {own.max():.2f} %."
        )


def _classes(folder: Path) -> Iterator[str]:
    if not _is_made(folder, "classes"):
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


def trial_ratios(folder: Path) -> pd.DataFrame:
    """Trials of Q-AGREL over those of error-BP: columns rates, share, classes, seed, value."""
    table = trials_by_share(folder, "classes")
    parts = table["run"].str.split(", ", expand=True)
    table = table.assign(classes=parts[0].astype(int), rule=parts[1], rates=parts[2])
    wide = table.pivot(index=["rates", "share", "classes", "seed"], columns="rule", values="value")
    return (wide["q-agrel"] / wide["error-bp"]).rename("value").reset_index()


def _feedback(folder: Path) -> Iterator[str]:
    if not _is_made(folder, "feedback"):
        return
    accuracy = means(folder, "feedback", "accuracy")
    others = (accuracy - accuracy["symmetric"]).drop("symmetric")
    good = ", ".join(named(str(run)) for run in others[others > -AS_GOOD].index)
    yield (
        f"Symmetric feedback gets to {accuracy['symmetric']:.2f} %. Within {AS_GOOD:g} points of "
        f"it stay: {good or 'none of the others'}. What each costs, in points: "
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
