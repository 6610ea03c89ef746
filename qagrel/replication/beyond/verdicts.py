"""Verdicts on predictions, from the studies that were run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication.beyond.answers import answers
from qagrel.replication.beyond.predictions import (
    Measured,
    Prediction,
    read_hindsight,
    read_predictions,
)
from qagrel.replication.beyond.quantities import QUANTITIES, is_made, values
from qagrel.replication.experiments import Profile, check_name
from qagrel.replication.naming import named
from qagrel.replication.statistics import Check, holm
from qagrel.replication.statistics.estimates import plain

ALPHA, CONFIDENCE = 0.05, 0.95


def judge(predictions: Sequence[Prediction], folder: Path) -> list[dict[str, Any]]:
    """The verdict on each prediction, from the studies that stand in `folder`.

    Returns
    -------
    A record a prediction: what it says, and number (what was measured, in words), value, low, high
    (with its interval; ratios, where the quantity has logarithms), unit, n_seeds, p (two-sided, of
    the bounds), p_corrected (Holm, over all predictions) and verdict.  Where a study was not made,
    its predictions are *not tested*, but count in the family, so that what is held or contradicted
    stays so when it is made.

    Raises
    ------
    InputError
        When a study lacks a run that a prediction is about, or a seed of one.
    """
    checks = [_checked(prediction, folder) for prediction in predictions]
    p_values = [1.0 if check is None else p_value(check) for check in checks]
    corrected = holm(p_values)
    return [_record(*each) for each in zip(predictions, checks, p_values, corrected, strict=True)]


def values_by_seed(measured: Measured, folder: Path) -> "pd.Series[float]":
    """The number that a prediction is about, a seed each; its logarithm where ratios are compared.

    InputError where a run is missing, or a seed of one: run the study again.
    """
    wide = values(folder, measured.study, measured.quantity).pivot(
        index="seed", columns="run", values="value"
    )
    where = f"{folder}, study {measured.study}"
    for run in measured.runs:
        check_name(run, wide.columns, f"{where}: run")
    wide = wide[list(measured.runs)]
    if wide.isna().any(axis=None):
        raise InputError(f"{where}: its runs have not the same seeds: make it again")
    wide = wide.map(math.log) if QUANTITIES[measured.quantity].log else wide
    by_seed: pd.Series[float] = (wide * pd.Series(measured.runs)).sum(axis="columns")
    return by_seed


def p_value(check: Check) -> float:
    """The two-sided test that decides between held and contradicted."""
    return min(1.0, 2 * check.p_holds, check.p_fails)


def _checked(prediction: Prediction, folder: Path) -> Check | None:
    measured = prediction.measured
    if not is_made(folder, measured.study):
        return None
    return prediction.check(values_by_seed(measured, folder))


def _verdict(check: Check | None, p_corrected: float) -> str:
    if check is None:
        return "not tested"
    if not p_corrected < ALPHA:
        return "inconclusive"
    return "held" if 2 * check.p_holds < check.p_fails else "contradicted"


def _record(
    prediction: Prediction, check: Check | None, p: float, p_corrected: float
) -> dict[str, Any]:
    found: dict[str, Any] = {"value": None, "low": None, "high": None, "n_seeds": 0}
    found |= {"p": None, "p_corrected": None}
    if check is not None:
        ends = (check.estimate.value, *check.estimate.interval(CONFIDENCE))
        value, low, high = map(check.shown, ends)
        n_seeds = round(check.estimate.df) + 1
        found = {"value": value, "low": low, "high": high, "n_seeds": n_seeds}
        found |= {"p": p, "p_corrected": p_corrected}
    record: dict[str, Any] = plain(
        {
            **prediction.model_dump(),
            "number": _number(prediction.measured),
            "unit": _unit(prediction.measured),
            **found,
            "verdict": _verdict(check, p_corrected),
        }
    )
    return record


def _number(measured: Measured) -> str:
    """What a prediction is about, in words: *classes found: “novelty 1” − “the paper's rule”*."""
    quantity = QUANTITIES[measured.quantity]
    more, less = (" × ", " / ") if quantity.log else (" + ", " − ")
    signed = (f"{less if w < 0 else more}“{named(run)}”" for run, w in measured.runs.items())
    return f"{quantity.name}: {''.join(signed).removeprefix(more)}"


def _unit(measured: Measured) -> str:
    quantity, weights = QUANTITIES[measured.quantity], list(measured.runs.values())
    if sum(weights) != 0:
        return quantity.unit
    is_of_ratios = quantity.log and len(weights) > 2
    return "times the ratio" if is_of_ratios else quantity.difference


def write_verdicts(folder: Path, profile: Profile) -> list[dict[str, Any]]:
    """Write ``verdicts.json``, on each prediction of a profile, and ``answers.json``.

    Returns the verdicts.
    """
    assert profile.predictions is not None
    path = Path(profile.predictions)
    read = read_predictions(path, profile)
    predictions = read.predictions
    hindsight = read_hindsight(path, predictions)
    verdicts = [
        {**verdict, "hindsight": hindsight.get(verdict["id"])}
        for verdict in judge(predictions, folder)
    ]
    store.write_json(folder / "verdicts.json", verdicts)
    store.write_json(folder / "answers.json", answers(folder, read.questions))
    return verdicts
