"""How notebooks tell what was seen: tables, the answer, and what became of predictions."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication.beyond.answers import answers
from qagrel.replication.beyond.quantities import QUANTITIES, Quantity
from qagrel.replication.beyond.verdicts import ALPHA
from qagrel.replication.statistics import Moments

PREDICTED = """A prediction is held or contradicted where all seeds together say so, after
correction over all {n} predictions as one family, in which the smallest p has to be below
{least:.2g} before it is corrected; else it is inconclusive. Intervals, of 95 %, are without that
correction. What was predicted, why, and what pilots had shown stands in `beyond/predictions.yaml`,
which was committed before the runs."""
FIRST_LOOK = """This is a first look on another data set than that of the predictions in
`beyond/predictions.yaml`, which says nothing of it."""


def seen(folder: Path, question: str, shown: Iterable[tuple[str, pd.DataFrame, str]]) -> str:
    """What the runs of a profile say of a question, in Markdown.

    Parameters
    ----------
    shown : titles of tables with what is in them: a number a run and seed, of which quantity.
    """
    parts = ["\n".join([f"{title}:", "", *_table(table, of)]) for title, table, of in shown]
    path = folder / "verdicts.json"
    if not path.exists():
        return "\n\n".join([*parts, FIRST_LOOK])
    verdicts = store.read_json(path)
    answer = answers(folder).get(question)
    told = [_line(each) for each in verdicts if each["question"] == question]
    parts += [*([f"**In short.** {answer}"] if answer else []), "\n".join(told)]
    return "\n\n".join([*parts, PREDICTED.format(n=len(verdicts), least=ALPHA / len(verdicts))])


def _table(table: pd.DataFrame, name: str) -> list[str]:
    """Mean and standard deviation over seeds, a line a run; geometric where ratios are compared."""
    quantity = QUANTITIES[name]
    mean, spread = ("geometric mean", "÷ ×") if quantity.log else ("mean", "standard deviation")
    lines = [f"| setting | {mean} | {spread} | seeds |", "| --- | ---: | ---: | ---: |"]
    for run, group in table.groupby("run", sort=False):
        cells = [str(run), *_moments(group["value"], quantity), str(len(group))]
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
        f"- **{verdict['verdict']}**: {verdict['prediction'].strip()} Found: {_number(verdict)}; "
        f"to be held, {_bounds(verdict)}; corrected p = {_power(verdict['p_corrected'])}."
    )


def _number(verdict: Mapping[str, Any]) -> str:
    if verdict["value"] is None:
        return "nothing yet"
    value, low, high = (f"{verdict[name]:.2f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}] {verdict['unit']}"


def _bounds(verdict: Mapping[str, Any]) -> str:
    parts = [
        f"{name} {verdict[name]:g}" for name in ("above", "below") if verdict[name] is not None
    ]
    return " and ".join(parts)


def _power(p: float | None) -> str:
    return "–" if p is None else f"{p:.2g}"
