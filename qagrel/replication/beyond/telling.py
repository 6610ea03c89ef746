"""How notebooks tell what was seen: tables, the answer, and what became of predictions."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication.beyond.quantities import QUANTITIES, Quantity
from qagrel.replication.beyond.verdicts import ALPHA
from qagrel.replication.experiments import read_params
from qagrel.replication.naming import named, written
from qagrel.replication.results import results_folder
from qagrel.replication.statistics import Moments

PREDICTED = """A prediction is held or contradicted where all seeds together say so, after
correction over all {n} predictions as one family, in which the smallest p has to be below
{least:.2g} before it is corrected; else it is inconclusive. Intervals, of 95 %, are without that
correction. What was predicted, why, and what pilots had shown stands in `beyond/predictions.yaml`,
which was committed before the runs."""
FIRST_LOOK = """This is a first look on another data set than that of the predictions in
`beyond/predictions.yaml`, which says nothing of it."""


def seen(profile: str, question: str, shown: Iterable[tuple[str, pd.DataFrame, str]]) -> str:
    """What the runs of a profile, by its name, say of a question, in Markdown.

    Parameters
    ----------
    shown : titles of tables with what is in them: a number a run and seed, of which quantity.

    Raises
    ------
    InputError
        When the profile has predictions, and no verdicts on them yet.
    """
    parts = ["\n".join([f"{title}:", "", *_table(table, of)]) for title, table, of in shown]
    if read_params().profile(profile).predictions is None:
        return "\n\n".join([*parts, FIRST_LOOK])
    folder = results_folder(profile)
    verdicts, answers = (
        store.read_json(folder / name) for name in ("verdicts.json", "answers.json")
    )
    answer = answers.get(question)
    told = [_line(each) for each in verdicts if each["question"] == question]
    parts += [*([f"**In short.** {answer}"] if answer else []), "\n".join(told)]
    return "\n\n".join([*parts, PREDICTED.format(n=len(verdicts), least=ALPHA / len(verdicts))])


def _table(table: pd.DataFrame, name: str) -> list[str]:
    """Mean and standard deviation over seeds, a line a run; geometric where ratios are compared."""
    quantity = QUANTITIES[name]
    mean, spread = ("geometric mean", "÷ ×") if quantity.log else ("mean", "standard deviation")
    lines = [f"| setting | {mean} | {spread} | seeds |", "| --- | ---: | ---: | ---: |"]
    for run, group in table.groupby("run", sort=False):
        cells = [named(str(run)), *_moments(group["value"], quantity), str(len(group))]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _moments(values: "pd.Series[float]", quantity: Quantity) -> tuple[str, str]:
    mean = f"{quantity.mean(values):,.{quantity.digits}f}"
    std = Moments.of(values.map(math.log) if quantity.log else values).std
    if math.isnan(std):
        return mean, "–"
    return mean, f"{math.exp(std):.2f}" if quantity.log else f"{std:.{quantity.digits}f}"


def _line(verdict: Mapping[str, Any]) -> str:
    """What became of a prediction."""
    return (
        f"- **{verdict['verdict']}**: {verdict['prediction'].strip()} {_found(verdict)} "
        f"It is held if {_bounds(verdict)} ({verdict['number']})."
    )


def _found(verdict: Mapping[str, Any]) -> str:
    if verdict["value"] is None:
        return "Its runs were not made."
    value, low, high = (written(verdict[name], ".2f") for name in ("value", "low", "high"))
    p = verdict["p_corrected"]
    return f"Found: {value} [{low}, {high}] {verdict['unit']}; corrected p = {p:.2g}."


def _bounds(verdict: Mapping[str, Any]) -> str:
    bounds = {name: verdict[name] for name in ("above", "below")}
    return " and ".join(
        f"{name} {written(bound, 'g')}" for name, bound in bounds.items() if bound is not None
    )
