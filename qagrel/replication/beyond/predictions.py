"""What was predicted: read, checked, and held against the commit that it was registered in."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication.beyond.quantities import QUANTITIES
from qagrel.replication.experiments import Profile, check_name, naming
from qagrel.replication.statistics import Check, Moments, contrast

REGISTERED = "registered.yaml"  # beside the predictions: when they were committed as they stand
HINDSIGHT = "hindsight.yaml"  # beside them too, and written later: why some failed

Text = Annotated[str, Field(min_length=1)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Measured(BaseModel):
    """The number that a prediction is about: a sum over runs, some of them taken off, by seed.

    With one run it is that run's own number, with 1 and -1 a difference; a ratio, where the
    quantity has logarithms.
    """

    model_config = STRICT

    study: Text
    quantity: Text
    runs: dict[str, Literal[1, -1]] = Field(min_length=1)


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
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError("nothing is above and below: give it an upper bound that is higher")
        return self

    def check(self, values: "pd.Series[float]") -> Check:
        """The test of a number a seed (see `values_by_seed`) against the bounds."""
        log = QUANTITIES[self.measured.quantity].log
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
    """Where and when the predictions were committed as they stand.

    With the hash of their file, and that of the runs that are to decide them.
    """

    model_config = STRICT

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    date: Text
    sha256: Sha256
    runs_sha256: Sha256


def read_predictions(path: Path, profile: Profile) -> Predictions:
    """Read and check a file of predictions, which must be as it was registered.

    Raises
    ------
    InputError
        When it is no such file; when a prediction is about a question, study, run or quantity that
        there is not, has a bound of a ratio that is not above 0 or a study of one seed, or one
        identifier stands twice; or when the file, or the runs of the profile,
        are others than those whose hashes stand beside it, in ``registered.yaml``.
    """
    read: Predictions = _validated(path, Predictions)
    registered: Registered = _validated(path.with_name(REGISTERED), Registered)
    if (found := hashlib.sha256(store.read_bytes(path)).hexdigest()) != registered.sha256:
        raise InputError(
            f"{path} is not as it was committed in {registered.commit} (its hash is {found}): "
            "restore it, since what is changed once there are results is no prediction"
        )
    if (found := runs_sha256(profile)) != registered.runs_sha256:
        raise InputError(
            f"params.yaml: the runs of the profile with {path} are not those that were registered "
            f"in {registered.commit} (their hash is {found}): restore them, and ask what is new in "
            "another profile"
        )
    ids = [prediction.id for prediction in read.predictions]
    for prediction in read.predictions:
        where = f"{path}: {prediction.id}"
        if ids.count(prediction.id) > 1:
            raise InputError(f"{where}: it is there twice: rename one")
        check_name(prediction.question, read.questions, f"{where}: question")
        _check_measured(prediction, profile, where)
    return read


def _check_measured(prediction: Prediction, profile: Profile, where: str) -> None:
    measured, bounds = prediction.measured, (prediction.above, prediction.below)
    check_name(measured.quantity, QUANTITIES, f"{where}: quantity")
    check_name(measured.study, profile.studies, f"{where}: study")
    study = profile.study(measured.study)
    for run in measured.runs:
        check_name(run, study.runs, f"{where}: run")
    if study.n_seeds < 2:
        raise InputError(f"{where}: a test needs two seeds at least, and its study has one")
    if QUANTITIES[measured.quantity].log and any(each is not None and each <= 0 for each in bounds):
        raise InputError(f"{where}: what is compared are ratios: give it bounds above 0")


def runs_sha256(profile: Profile) -> str:
    """The hash of what a profile says of its runs: their fields and their numbers of seeds."""
    said = profile.model_dump(mode="json", exclude={"predictions"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_hindsight(path: Path, predictions: Sequence[Prediction]) -> dict[str, str]:
    """Why predictions failed, as it was seen later, by identifier; nothing where nobody said.

    It stands in ``hindsight.yaml`` beside the file of predictions.  InputError where it is about
    a prediction that there is not.
    """
    path = path.with_name(HINDSIGHT)
    if not path.exists():
        return {}
    said: dict[str, str] = _validated(path, RootModel[dict[str, Text]]).root
    for name in said:
        check_name(name, [each.id for each in predictions], f"{path}: prediction")
    return said


def _validated(path: Path, kind: type[BaseModel]) -> Any:
    with naming(path):
        return kind.model_validate(store.read_yaml(path))
