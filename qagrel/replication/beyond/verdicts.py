"""Verdicts on predictions, from the studies that were run, and how notebooks tell them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication.beyond.predictions import Measured, Prediction, read_predictions
from qagrel.replication.beyond.quantities import QUANTITIES
from qagrel.replication.experiments import Profile, check_name
from qagrel.replication.statistics import Check, Moments, holm
from qagrel.replication.statistics.estimates import plain

ALPHA, CONFIDENCE = 0.05, 0.95


def judge(predictions: Sequence[Prediction], folder: Path) -> list[dict[str, Any]]:
    """The verdict on each prediction, from the studies that stand in `folder`.

    Returns
    -------
    A record a prediction: what it says, and value, low, high (the number with its interval; ratios,
    where the quantity has logarithms), unit, n_seeds, p (two-sided, of the bounds), p_corrected
    (Holm, over all predictions) and verdict.  Where a study was not made, its predictions are *not
    tested*, but count in the family, so that what is held or contradicted stays so when it is made.
    """
    checks = [_checked(prediction, folder) for prediction in predictions]
    p_values = [1.0 if check is None else p_value(check) for check in checks]
    corrected = holm(p_values)
    return [_record(*each) for each in zip(predictions, checks, p_values, corrected, strict=True)]


def values_by_seed(measured: Measured, folder: Path) -> pd.Series:
    """The number that a prediction is about, a seed each that all of its runs have."""
    table = QUANTITIES[measured.quantity].read(folder, measured.study)
    wide = table.pivot(index="seed", columns="run", values="value")
    for run in measured.runs:
        check_name(run, wide.columns, f"{folder}, {measured.study}: run")
    weights = pd.Series(measured.runs, dtype=float)
    by_seed: pd.Series = (wide[list(weights.index)] * weights).sum(axis="columns", skipna=False)
    return by_seed.dropna()


def p_value(check: Check) -> float:
    """The two-sided test that decides between held and contradicted."""
    return min(1.0, 2 * min(check.p_holds, _p_outside(check)))


def _p_outside(check: Check) -> float:
    """The one-sided test of a value outside the bounds, on the side that it is nearer to."""
    estimate = check.estimate
    return min(estimate.p_below(check.low), estimate.p_above(check.high))


def _checked(prediction: Prediction, folder: Path) -> Check | None:
    measured = prediction.measured
    if not (folder / "studies" / f"{measured.study}-summary.csv").exists():
        return None
    log = QUANTITIES[measured.quantity].log
    return prediction.check(values_by_seed(measured, folder), log)


def _verdict(check: Check | None, p_corrected: float) -> str:
    if check is None:
        return "not tested"
    if not p_corrected < ALPHA:
        return "inconclusive"
    return "held" if check.p_holds < _p_outside(check) else "contradicted"


def _record(
    prediction: Prediction, check: Check | None, p: float, p_corrected: float
) -> dict[str, Any]:
    said = prediction.model_dump()
    found: dict[str, Any] = {"value": None, "low": None, "high": None, "n_seeds": 0}
    found |= {"p": None, "p_corrected": None}
    if check is not None:
        ends = (check.estimate.value, *check.estimate.interval(CONFIDENCE))
        value, low, high = map(check.shown, ends)
        n_seeds = round(check.estimate.df) + 1
        found = {"value": value, "low": low, "high": high, "n_seeds": n_seeds}
        found |= {"p": p, "p_corrected": p_corrected}
    quantity = QUANTITIES[prediction.measured.quantity]
    is_difference = sum(prediction.measured.runs.values()) == 0
    record: dict[str, Any] = plain(
        {
            **said,
            "unit": quantity.difference if is_difference else quantity.unit,
            **found,
            "verdict": _verdict(check, p_corrected),
        }
    )
    return record


def write_verdicts(folder: Path, profile: Profile) -> list[dict[str, Any]]:
    """Write ``verdicts.json``: the verdict on each prediction of a profile; returns them."""
    assert profile.predictions is not None
    path = Path(profile.predictions)
    verdicts = judge(read_predictions(path, profile).predictions, folder)
    store.write_json(folder / "verdicts.json", verdicts)
    return verdicts


def summary_lines(table: pd.DataFrame, digits: int) -> list[str]:
    """A table of Markdown: mean and standard deviation over seeds, a line a run of `values`."""
    lines = ["| setting | mean | standard deviation | seeds |", "| --- | ---: | ---: | ---: |"]
    for run, group in table.groupby("run", sort=False):
        found = Moments.of(group["value"])
        spread = "–" if math.isnan(found.std) else f"{found.std:,.{digits}f}"
        lines.append(f"| {run} | {found.mean:,.{digits}f} | {spread} | {found.n} |")
    return lines


def verdict_lines(folder: Path, question: str) -> list[str]:
    """What became of the predictions on a question, a line of Markdown each.

    None where ``verdicts.json`` is not there, as of profiles without predictions.
    """
    path = folder / "verdicts.json"
    if not path.exists():
        return []
    verdicts = [each for each in store.read_json(path) if each["question"] == question]
    return [
        f"- **{each['verdict']}**: {each['prediction']} Found: {_number(each)}; to be held, "
        f"{_bounds(each)}; p = {_power(each['p_corrected'])}."
        for each in verdicts
    ]


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
