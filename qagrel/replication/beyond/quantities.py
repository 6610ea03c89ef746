"""What a run comes to: one number a run and seed, which predictions are about."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from qagrel.replication import results
from qagrel.replication.experiments import check_name
from qagrel.replication.measures import SHARES

CHANCE = 10.0  # percent: what a run that diverged has learnt of ten classes
SHARE = 0.95  # of right answers, of those that `measures.progress` knows
assert SHARE in SHARES


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


def values(folder: Path, study: str, quantity: str) -> pd.DataFrame:
    """A number a run and seed of a study: columns run, seed, value (see `QUANTITIES`)."""
    check_name(quantity, QUANTITIES, "quantity")
    table = QUANTITIES[quantity].read(folder, study)
    if QUANTITIES[quantity].log:
        table["value"] = np.exp(table["value"])
    return table[["run", "seed", "value"]]
