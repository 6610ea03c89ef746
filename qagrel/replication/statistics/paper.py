"""The paper as data: what it prints and claims, and the rules of comparing with it."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication.statistics.estimates import Moments
from qagrel.replication.statistics.rows import MEASURES, ROW_COLUMNS, Row, Summary, row_of


@dataclass(frozen=True)
class Rules:
    """The thresholds of ``margins.yaml``, where each has its reason."""

    dataset: str
    alpha: float
    confidence: float
    correction: str
    accuracy_margin: float
    epochs_ratio: float
    par_margin: float
    many_more_epochs: float
    discovery_share: float
    classes_at_once: float
    step_height: float
    overshoot: float
    overshoot_return: float
    rate_window: float
    aligned_angle: float
    relative_difference: float


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: where it stands, its numbers, and the rule that tests it."""

    id: str
    claim: str
    where: str
    data: str
    paper: dict[str, Any]
    rule: str


@dataclass(frozen=True)
class Paper:
    """What the paper prints: Table 1, the benchmark (percent by hidden layers), the claims."""

    table: dict[Row, Summary]
    benchmark: dict[str, float]
    claims: tuple[Claim, ...]
    rules: Rules


def read_paper(folder: Path) -> Paper:
    """Read the paper's numbers and claims and the rules of comparison.

    Parameters
    ----------
    folder : holds table1.csv, literature.csv, claims.yaml and margins.yaml.

    Raises
    ------
    InputError
        When a file is missing or not of the form that is expected.
    """
    literature = store.read_csv(folder / "literature.csv", {"hidden": str, "accuracy": float})
    return Paper(
        table=_read_table(folder / "table1.csv"),
        benchmark=dict(zip(literature["hidden"], literature["accuracy"], strict=True)),
        claims=_read_claims(folder / "claims.yaml"),
        rules=_read_rules(folder / "margins.yaml"),
    )


def _read_table(path: Path) -> dict[Row, Summary]:
    numbers = [f"{measure}_{part}" for measure in MEASURES for part in ("mean", "std")]
    types: dict[str, type] = {**dict.fromkeys(ROW_COLUMNS, str), "n_seeds": int}
    types |= dict.fromkeys(["learning_rate", *numbers], float)
    table = {}
    for record in store.read_csv(path, types).to_dict("records"):
        n = int(record["n_seeds"])
        accuracy, epochs = (
            Moments(float(record[f"{measure}_mean"]), float(record[f"{measure}_std"]), n)
            for measure in MEASURES
        )
        # Epochs without a standard deviation: the star of Table 1, no network converged.
        n_converged = 0 if math.isnan(epochs.std) else None
        table[row_of(record)] = Summary(accuracy, epochs, n, n_converged)
    return table


def _read_claims(path: Path) -> tuple[Claim, ...]:
    names = {item.name for item in fields(Claim)}
    entries = store.read_yaml(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: a list of claims is expected")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) != names:
            raise InputError(
                f"{path}: claim {number} must have the entries {', '.join(sorted(names))}"
            )
    if len({str(entry["id"]) for entry in entries}) < len(entries):
        raise InputError(f"{path}: a claim is listed twice")
    return tuple(Claim(**entry) for entry in entries)


def _read_rules(path: Path) -> Rules:
    kinds = {item.name: item.type for item in fields(Rules)}
    entries = store.read_yaml(path)
    if not isinstance(entries, dict) or set(entries) != set(kinds):
        raise InputError(f"{path}: exactly these entries are expected: {', '.join(kinds)}")
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"value", "why"}:
            raise InputError(f"{path}: {name} needs a value and a why")
        number = isinstance(entry["value"], int | float) and not isinstance(entry["value"], bool)
        if number != (kinds[name] is float) or (number and not 0 < entry["value"] < math.inf):
            raise InputError(f"{path}: {name} cannot be {entry['value']!r}")
    if entries["correction"]["value"] != "holm":
        raise InputError(f"{path}: the only correction that is implemented is 'holm'")
    return Rules(**{name: entry["value"] for name, entry in entries.items()})
