"""The paper's experiments as lists of RunSpecs: Table 1 and the studies beside it.

All their numbers live in `params.yaml`; a profile is a data set with what its size asks for.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qagrel import store
from qagrel.errors import InputError
from qagrel.rules import LOSSES
from qagrel.spec import RunSpec, nearest
from qagrel.training import History

if TYPE_CHECKING:
    import pandas as pd


class Profile(BaseModel):
    """A data set and how the experiments run on it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    n_seeds: int = Field(ge=1)
    table1: dict[str, Any]


class Params(BaseModel):
    """The content of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: list[str]
    squared_error_rows: list[str]
    profiles: dict[str, Profile]

    def profile(self, name: str) -> Profile:
        """A profile by its name (InputError if there is none)."""
        if name not in self.profiles:
            known = ", ".join(self.profiles)
            raise InputError(f"profile: {name!r} is not one of {known}{nearest(name, known)}")
        return self.profiles[name]


def read_params(path: str | os.PathLike[str] = "params.yaml") -> Params:
    """Read and check `params.yaml`; every row of every profile must make a RunSpec.

    Raises
    ------
    InputError
        When the file is missing, is not YAML, or holds a wrong name, type or value.
    """
    try:
        content = yaml.safe_load(store.read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    try:
        params = Params.model_validate(content)
        for name, profile in params.profiles.items():
            for row in (*params.rows, *params.squared_error_rows):
                row_spec(profile, row, 0)
            if not profile.table1.get("dataset"):
                raise InputError(f"profiles.{name}.table1 names no dataset")
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the whole file"
        raise InputError(f"{path}: {where}: {fault['msg'].lower()}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return params


def row_spec(profile: Profile, row: str, seed: int) -> RunSpec:
    """The run of one seed of a Table 1 row, by the row's name.

    A name reads rule_feedback_hidden_learning-rate, with the loss behind it where it is not the
    default: ``q-agrel_symmetric_300-100_1``, ``error-bp_fixed_300_0.1_squared-error``.
    """
    parts = row.split("_")
    try:
        rule, feedback, hidden, rate = parts[:4]
        units = tuple(int(n) for n in hidden.split("-"))
        learning_rate = float(rate)
        loss = {"loss": parts[4]} if parts[4:] else {}
        if len(parts) > 5 or (loss and loss["loss"] not in LOSSES):
            raise ValueError
    except ValueError:
        raise InputError(
            f"row: {row!r} does not read rule_feedback_hidden_learning-rate, as in "
            "'q-agrel_symmetric_300-100_1'"
        ) from None
    return RunSpec(
        **{
            **profile.table1,
            **loss,
            "rule": rule,
            "feedback": feedback,
            "hidden": units,
            "learning_rate": learning_rate,
            "seed": seed,
        }
    )


def row_specs(profile: Profile, row: str) -> list[RunSpec]:
    """The runs of all seeds of a Table 1 row."""
    return [row_spec(profile, row, seed) for seed in range(profile.n_seeds)]


def write_row(folder: Path, row: str, histories: Sequence[History]) -> None:
    """Write `<row>.csv`, every epoch of every seed, and `<row>-summary.csv`, a line a seed."""
    import pandas as pd

    ordered = sorted(histories, key=lambda history: history.spec.seed)
    epochs = [history.epochs.assign(seed=history.spec.seed) for history in ordered]
    long = pd.concat(epochs, ignore_index=True).dropna(axis="columns", how="all")
    columns = ["seed", *(name for name in long.columns if name != "seed")]
    store.write_csv(folder / f"{row}.csv", long[columns])
    store.write_csv(folder / f"{row}-summary.csv", summary(ordered))


def summary(histories: Sequence[History]) -> "pd.DataFrame":
    """A line a run: seed, n_epochs, test_accuracy (percent), status, diverged_at."""
    import pandas as pd

    return pd.DataFrame(
        {
            "seed": [history.spec.seed for history in histories],
            "n_epochs": [history.n_epochs for history in histories],
            "test_accuracy": [history.test_accuracy for history in histories],
            "status": [history.status for history in histories],
            "diverged_at": pd.array([history.diverged_at for history in histories], "Int64"),
        }
    )
