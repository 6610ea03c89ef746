"""Beyond the paper: what was predicted of its open questions, and what the runs say.

A prediction compares one number, seed by seed, with bounds that were written down before the
first run.  It is *held* where the number is significantly within them, *contradicted* where it is
significantly outside, and else *inconclusive*; all predictions are one family (Holm).
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication import results
from qagrel.replication.experiments import Profile, check_name
from qagrel.replication.measures import SHARES
from qagrel.replication.statistics import Check, Moments, contrast, holm
from qagrel.replication.statistics.estimates import plain

REGISTERED = "registered.yaml"  # beside the predictions: when they were first committed
ALPHA, CONFIDENCE = 0.05, 0.95
CHANCE = 10.0  # percent: what a run that diverged has learnt of ten classes
SHARE = 0.95  # of right answers, of those that `measures.progress` knows
assert SHARE in SHARES

Text = Annotated[str, Field(min_length=1)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


# --- what a run comes to: one number a run and seed ------------------------------------------


def _accuracy(folder: Path, study: str) -> pd.DataFrame:
    """Test accuracy in percent; a run that diverged counts with chance."""
    _, lines = results.read_study(folder, study)
    values = lines["test_accuracy"].where(lines["status"] != "diverged", CHANCE)
    return lines[["run", "seed"]].assign(value=values)


def _epochs(folder: Path, study: str) -> pd.DataFrame:
    """Epochs until the stopping rule, as logarithms; a run that was cut off counts as it is."""
    _, lines = results.read_study(folder, study)
    return lines[["run", "seed"]].assign(value=np.log(lines["n_epochs"]))


def _found(folder: Path, study: str) -> pd.DataFrame:
    """How many classes were found (see `measures.discoveries`)."""
    measured = results.read_measured(folder, study)
    by_run = measured.groupby(["run", "seed"], sort=False)["found"]
    return by_run.count().rename("value").reset_index()


def _finding(folder: Path, study: str) -> pd.DataFrame:
    """The mean trial by which a class was found, as logarithm.

    A class that was never found counts as found in the last trial by which any was.
    """
    measured = results.read_measured(folder, study)
    found = measured["found"].fillna(measured["found"].max())
    by_run = found.groupby([measured["run"], measured["seed"]], sort=False).mean()
    return by_run.map(math.log).rename("value").reset_index()


def _trials(folder: Path, study: str) -> pd.DataFrame:
    """Trials until `SHARE` of the latest ones are right, as logarithms.

    Where that never was, the last trial by which any run had got so far.
    """
    measured = results.read_measured(folder, study)
    measured = measured[measured["share"] == SHARE]
    values = np.log(measured["trials"].fillna(measured["trials"].max()))
    return measured[["run", "seed"]].assign(value=values)


class Quantity(NamedTuple):
    """What is compared: how it is read, its unit, that of differences, and if these are ratios."""

    read: Callable[[Path, str], pd.DataFrame]
    unit: str
    difference: str
    log: bool = False


QUANTITIES = {
    "accuracy": Quantity(_accuracy, "%", "points"),
    "epochs": Quantity(_epochs, "epochs", "times the epochs", log=True),
    "found": Quantity(_found, "classes", "classes"),
    "finding": Quantity(_finding, "trials", "times the trials", log=True),
    "trials": Quantity(_trials, "trials", "times the trials", log=True),
}


# --- predictions -----------------------------------------------------------------------------


class Measured(BaseModel):
    """The number that a prediction is about: a weighted sum over runs, seed by seed.

    With a weight of 1 it is a run's own number, with 1 and -1 a difference; a ratio, where the
    quantity has logarithms.
    """

    model_config = STRICT

    study: Text
    quantity: Text
    runs: dict[str, int] = Field(min_length=1)


class Prediction(BaseModel):
    """What was predicted, why, and the rule by which the verdict falls."""

    model_config = STRICT

    id: Text
    question: Text
    prediction: Text
    why: Text
    measured: Measured
    above: Bound | None = None
    below: Bound | None = None
    threshold: Text

    @model_validator(mode="after")
    def _has_bounds(self) -> "Prediction":
        if self.above is None and self.below is None:
            raise ValueError("give it a bound, above or below or both")
        return self

    def check(self, values: pd.Series, log: bool) -> Check:
        """The test of a number a seed against the bounds."""
        low, high = (
            end if bound is None else math.log(bound) if log else bound
            for bound, end in ((self.above, -math.inf), (self.below, math.inf))
        )
        estimate = contrast([(1.0, Moments.of(values))])
        return Check(self.id, estimate, low, high, log=log)


class Predictions(BaseModel):
    """The content of the file of predictions."""

    model_config = STRICT

    questions: dict[str, Text]
    predictions: list[Prediction] = Field(min_length=1)


class Registered(BaseModel):
    """Where and when the predictions were first committed, and the hash of their file."""

    model_config = STRICT

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    date: Text
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def read_predictions(path: Path, profile: Profile) -> Predictions:
    """Read and check a file of predictions, which must be as it was registered.

    Raises
    ------
    InputError
        When it is no such file; when a prediction is about a question, study, run or quantity that
        there is not, or one identifier stands twice; or when the file is another than that whose
        hash stands beside it, in ``registered.yaml``.
    """
    read: Predictions = _validated(path, Predictions)
    registered: Registered = _validated(path.with_name(REGISTERED), Registered)
    if hashlib.sha256(store.read_bytes(path)).hexdigest() != registered.sha256:
        raise InputError(
            f"{path} is not as it was committed in {registered.commit}: restore it, since what is "
            "changed once there are results is no prediction"
        )
    ids = [prediction.id for prediction in read.predictions]
    for prediction in read.predictions:
        where = f"{path}: {prediction.id}"
        if ids.count(prediction.id) > 1:
            raise InputError(f"{where}: it is there twice: rename one")
        check_name(prediction.question, read.questions, f"{where}: question")
        check_name(prediction.measured.quantity, QUANTITIES, f"{where}: quantity")
        check_name(prediction.measured.study, profile.studies, f"{where}: study")
        for run in prediction.measured.runs:
            check_name(run, profile.study(prediction.measured.study).runs, f"{where}: run")
    return read


def _validated(path: Path, kind: type[BaseModel]) -> Any:
    try:
        return kind.model_validate(store.read_yaml(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        raise InputError(f"{path}: {where}: {fault['msg'].lower()}") from None


# --- verdicts --------------------------------------------------------------------------------


def judge(predictions: Sequence[Prediction], folder: Path) -> list[dict[str, Any]]:
    """The verdict on each prediction, from the studies that stand in `folder`.

    Returns
    -------
    A record a prediction: what it says, and value, low, high (the number with its interval; ratios,
    where the quantity has logarithms), unit, n_seeds, p (two-sided, of the bounds), p_corrected
    (Holm, over all predictions) and verdict.  Where a study was not made, its predictions are *not
    tested*.
    """
    checks = [_checked(prediction, folder) for prediction in predictions]
    p_values = [math.nan if check is None else p_value(check) for check in checks]
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
    found: Mapping[str, Any] = {"value": None, "low": None, "high": None, "n_seeds": 0}
    if check is not None:
        ends = (check.estimate.value, *check.estimate.interval(CONFIDENCE))
        value, low, high = map(check.shown, ends)
        n_seeds = round(check.estimate.df) + 1
        found = {"value": value, "low": low, "high": high, "n_seeds": n_seeds}
    quantity = QUANTITIES[prediction.measured.quantity]
    is_difference = sum(prediction.measured.runs.values()) == 0
    record: dict[str, Any] = plain(
        {
            **said,
            "unit": quantity.difference if is_difference else quantity.unit,
            **found,
            "p": p,
            "p_corrected": p_corrected,
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


# --- what notebooks show ---------------------------------------------------------------------


def values(folder: Path, study: str, quantity: str) -> pd.DataFrame:
    """A number a run and seed of a study: columns run, seed, value (see `QUANTITIES`)."""
    check_name(quantity, QUANTITIES, "quantity")
    table = QUANTITIES[quantity].read(folder, study)
    if QUANTITIES[quantity].log:
        table["value"] = np.exp(table["value"])
    return table[["run", "seed", "value"]]


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
