"""What a run comes to: one number a run and seed, which predictions are about."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from qagrel.replication import results
from qagrel.replication.experiments import check_name
from qagrel.replication.measures import SHARES
from qagrel.replication.statistics import geometric

CHANCE = 10.0  # percent: what a run that diverged has learnt of ten classes
SHARE = 0.95  # of right answers, of those that `measures.progress` knows
assert SHARE in SHARES


def _accuracy(folder: Path, study: str) -> pd.DataFrame:
    """Test accuracy in percent; a run that diverged counts with chance."""
    _, lines = results.read_study(folder, study)
    values = lines["test_accuracy"].where(lines["status"] != "diverged", CHANCE)
    return lines[["run", "seed"]].assign(value=values)


def _epochs(folder: Path, study: str) -> pd.DataFrame:
    """Epochs until the stopping rule; a run that was cut off counts as it is.

    One that diverged counts with the most epochs of any run.
    """
    _, lines = results.read_study(folder, study)
    epochs = lines["n_epochs"].where(lines["status"] != "diverged", lines["n_epochs"].max())
    return lines[["run", "seed"]].assign(value=epochs)


def _found(folder: Path, study: str) -> pd.DataFrame:
    """How many classes were found (see `measures.discoveries`)."""
    measured = results.read_measured(folder, study)
    by_run = measured.groupby(["run", "seed"], sort=False)["found"]
    return by_run.count().rename("value").reset_index()


def _finding(folder: Path, study: str) -> pd.DataFrame:
    """The mean trial by which a class was found.

    A class that was never found counts as found in the last trial by which any was.
    """
    measured = results.read_measured(folder, study)
    found = measured["found"].fillna(measured["found"].max())
    by_run = found.groupby([measured["run"], measured["seed"]], sort=False).mean()
    return by_run.rename("value").reset_index()


def _trials(folder: Path, study: str) -> pd.DataFrame:
    """Trials until `SHARE` of the latest ones are right (see `trials_by_share`)."""
    table = trials_by_share(folder, study)
    return table[table["share"] == SHARE]


def trials_by_share(folder: Path, study: str) -> pd.DataFrame:
    """Trials until a share of the latest ones is right: columns run, seed, share, value.

    Where that never was, the last trial by which any run had got so far.
    """
    measured = results.read_measured(folder, study)
    last = measured.groupby("share")["trials"].transform("max")
    return measured[["run", "seed", "share"]].assign(value=measured["trials"].fillna(last))


class Quantity(NamedTuple):
    """What is compared: how it is read, its name, its unit, that of differences, and its digits.

    Where `log` is set, ratios are compared instead of differences, and means are geometric.
    """

    read: Callable[[Path, str], pd.DataFrame]
    name: str
    unit: str
    difference: str
    digits: int
    log: bool = False

    def mean(self, values: Iterable[float]) -> float:
        """The mean of numbers as they are (not of logarithms)."""
        return geometric(values) if self.log else float(np.mean(list(values)))


QUANTITIES = {
    "accuracy": Quantity(_accuracy, "test accuracy (%)", "%", "points", 2),
    "epochs": Quantity(
        _epochs, "epochs until the stopping rule", "epochs", "times the epochs", 0, log=True
    ),
    "found": Quantity(_found, "classes found", "classes", "classes", 1),
    "finding": Quantity(
        _finding,
        "trials until a class is found, mean over classes",
        "trials",
        "times the trials",
        0,
        log=True,
    ),
    "trials": Quantity(
        _trials,
        f"trials until {100 * SHARE:g} % are right",
        "trials",
        "times the trials",
        0,
        log=True,
    ),
}


def values(folder: Path, study: str, quantity: str) -> pd.DataFrame:
    """A number a run and seed of a study: columns run, seed, value (see `QUANTITIES`)."""
    check_name(quantity, QUANTITIES, "quantity")
    return QUANTITIES[quantity].read(folder, study)[["run", "seed", "value"]]


def is_made(folder: Path, study: str) -> bool:
    """Whether a study's results stand in a profile's folder."""
    return (folder / "studies" / f"{study}-summary.csv").exists()
