"""The paper's experiments as named runs: Table 1 and the studies beside it.

All their numbers live in `params.yaml`; a profile is a data set with what its size asks for.
"""

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication.measures import MEASURES
from qagrel.rules import LOSSES
from qagrel.spec import RunSpec, nearest

PARAMS = "params.yaml"  # in the working folder, like the data
ROW_NAME = re.compile(r"[a-z-]+_[a-z-]+_[0-9-]+_[0-9.e+-]+(_[a-z-]+)?")  # also of its files
Seeds = Annotated[int, Field(ge=1, le=1000)]
# of what gives files their names, within their folder: no way out of it, nothing for a shell
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
RowName = Annotated[str, Field(max_length=100)]  # and of the form that `row_fields` checks


class Study(BaseModel):
    """Named runs that answer one question, each with several seeds.

    `classes` asks for the counts a class in its records: they are ten times as long.  `measure`
    names what is measured inside each run, by a function of `measures`, for a table of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    n_seeds: Seeds
    base: dict[str, Any]
    runs: dict[str, dict[str, Any]] = Field(min_length=1)
    classes: bool = False
    measure: str | None = None

    @field_validator("measure")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in MEASURES:
            raise ValueError(
                f"{name!r} is not one of {', '.join(MEASURES)}{nearest(name, MEASURES)}"
            )
        return name


class Profile(BaseModel):
    """A data set and how the experiments run on it.

    `predictions` names the file of what was predicted of its studies: such a profile goes beyond
    the paper, so it has no rows of Table 1, and its verdicts are on predictions, not on claims.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    n_seeds: Seeds
    table1: dict[str, Any]
    studies: dict[FileName, Study]
    predictions: str | None = None

    @property
    def dataset(self) -> str:
        """The data set's name or folder."""
        return str(self.table1["dataset"])

    def row_specs(self, row: str) -> list[RunSpec]:
        """The runs of all seeds of a Table 1 row (see `row_fields` for its name).

        InputError where the profile has no rows.
        """
        if self.predictions is not None:
            raise InputError("this profile has studies only, and no rows of Table 1")
        fields = {**self.table1, **row_fields(row)}
        return [RunSpec(**fields, seed=seed) for seed in range(self.n_seeds)]

    def study(self, name: str) -> Study:
        """A study by its name (InputError if there is none)."""
        check_name(name, self.studies, "study")
        return self.studies[name]

    def study_specs(self, name: str) -> dict[str, list[RunSpec]]:
        """The runs of all seeds of each named run of a study."""
        study = self.study(name)
        return {
            run: [RunSpec(**self._fields(study, given), seed=seed) for seed in range(study.n_seeds)]
            for run, given in study.runs.items()
        }

    def _fields(self, study: Study, given: dict[str, Any]) -> dict[str, Any]:
        changes = {name: value for name, value in given.items() if name != "row"}
        row = row_fields(given["row"]) if "row" in given else {}
        return {**self.table1, **study.base, **row, **changes}


class Fields(BaseModel):
    """Of which rows receptive fields are kept, and of how many hidden units."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: list[RowName]
    units: Annotated[int, Field(ge=1, le=100)]


class Params(BaseModel):
    """The content of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: list[RowName]
    squared_error_rows: list[RowName]
    receptive_fields: Fields = Fields(rows=[], units=1)
    profiles: dict[FileName, Profile]

    @property
    def all_rows(self) -> list[str]:
        """The rows of Table 1, then those by the literal squared error."""
        return [*self.rows, *self.squared_error_rows]

    def profile(self, name: str) -> Profile:
        """A profile by its name (InputError if there is none)."""
        check_name(name, self.profiles, "profile")
        return self.profiles[name]


def check_name(name: str, known: Iterable[str], kind: str) -> None:
    """Refuse a name that is not among those known, with a hint at the nearest (InputError)."""
    names = list(known)
    if name not in names:
        raise InputError(f"{kind}: {name!r} is not one of {', '.join(names)}{nearest(name, names)}")


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """A context in which what a model refuses of a file is told by its file and place."""
    try:
        yield
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        raise InputError(f"{path}: {where}: {fault['msg'].lower()}") from None


def read_params(path: str | os.PathLike[str] = PARAMS) -> Params:
    """Read and check `params.yaml`; every run of every profile must make a RunSpec.

    Raises
    ------
    InputError
        When the file is missing, is not YAML, or holds a wrong name, type or value; or when two
        names would give one file.
    """
    if path == PARAMS and not os.path.lexists(PARAMS):
        raise InputError(
            f"there is no {PARAMS} in this folder: the command works in the folder of a clone of "
            "the project, so go there first"
        )
    with naming(path):
        params = Params.model_validate(store.read_yaml(path))
    if twice := [row for row in params.all_rows if params.all_rows.count(row) > 1]:
        raise InputError(f"{path}: rows: {twice[0]!r} is listed twice: remove one")
    for row in params.receptive_fields.rows:
        check_name(row, params.all_rows, f"{path}: receptive_fields.rows")
    for name, profile in params.profiles.items():
        for study, part in itertools.product(profile.studies, ("summary", "measured")):
            if f"{study}-{part}" in profile.studies:
                raise InputError(
                    f"{path}: profiles.{name}.studies: '{study}-{part}' is a file of {study!r}: "
                    "give the study another name"
                )
    for name, profile in params.profiles.items():
        if not isinstance(profile.table1.get("dataset"), str):
            raise InputError(f"{path}: profiles.{name}.table1: name a dataset")
        try:
            for row in params.all_rows if profile.predictions is None else ():
                profile.row_specs(row)
            for study in profile.studies:
                profile.study_specs(study)
        except InputError as error:
            raise InputError(f"{path}: profiles.{name}: {error}") from None
        except TypeError as error:  # a field given twice, such as a seed
            raise InputError(f"{path}: profiles.{name}: {error}") from None
    return params


def row_fields(row: str) -> dict[str, Any]:
    """The fields of a RunSpec that a row's name gives.

    A name reads rule_feedback_hidden_learning-rate, with the loss behind it where it is not the
    default: ``q-agrel_symmetric_300-100_1``, ``error-bp_fixed_300_0.1_squared-error``.
    """
    try:
        if not ROW_NAME.fullmatch(str(row)):
            raise ValueError
        rule, feedback, hidden, rate, *loss = str(row).split("_")
        if len(loss) > 1 or any(name not in LOSSES for name in loss):
            raise ValueError
        return {
            "rule": rule,
            "feedback": feedback,
            "hidden": tuple(int(n) for n in hidden.split("-")),
            "learning_rate": float(rate),
            **({"loss": loss[0]} if loss else {}),
        }
    except ValueError:
        raise InputError(
            f"row: {row!r} does not read rule_feedback_hidden_learning-rate, as in "
            "'q-agrel_symmetric_300-100_1'"
        ) from None
