"""Verdicts on predictions, from the studies that were run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.replication.beyond.answers import answers
from qagrel.replication.beyond.predictions import (
    Measured,
    Prediction,
    read_hindsight,
    read_predictions,
)
from qagrel.replication.beyond.quantities import QUANTITIES
from qagrel.replication.experiments import Profile, check_name
from qagrel.replication.statistics import Check, holm
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
    return min(1.0, 2 * check.p_holds, check.p_fails)


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
    return "held" if 2 * check.p_holds < check.p_fails else "contradicted"


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
    """Write ``verdicts.json``, on each prediction of a profile, and ``answers.json``.

    Returns the verdicts.
    """
    assert profile.predictions is not None
    path = Path(profile.predictions)
    predictions = read_predictions(path, profile).predictions
    hindsight = read_hindsight(path, predictions)
    verdicts = [
        {**verdict, "hindsight": hindsight.get(verdict["id"])}
        for verdict in judge(predictions, folder)
    ]
    store.write_json(folder / "verdicts.json", verdicts)
    store.write_json(folder / "answers.json", answers(folder))
    return verdicts
