"""The paper as data: what it prints and claims, and the rules of comparing with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
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
    pairing: str
    cut_off: str
    accuracy_margin: float
    epochs_ratio: float
    par_margin: float
    many_more_epochs: float
    discovery_share: float
    discovery_batches: float
    classes_at_once: float
    step_height: float
    overshoot: float
    overshoot_return: float
    rate_window: float
    aligned_angle: float
    close_value: float
    mostly_explorative: float
    relative_difference: float


CHOICES = {"correction": ("holm",), "pairing": ("seed", "none"), "cut_off": ("bound", "ignored")}


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: where it stands, its numbers, and the rule that tests it.

    Attributes
    ----------
    open : what the paper leaves open that decides the verdict, if anything does.
    amended : the titles of the amendments in the ledger that changed the rule; `before` is what it
        said until then.
    """

    id: str
    claim: str
    where: str
    data: str
    paper: dict[str, Any]
    rule: str
    open: str = ""
    amended: tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True)
class Paper:
    """What the paper prints: Table 1, the benchmark (percent by hidden layers), the claims.

    Attributes
    ----------
    rules : by which it is compared with; `rules_before` are those before they were amended.
    ranges : from where to where a threshold could as well have been set, by its name.
    """

    table: dict[Row, Summary]
    benchmark: dict[str, float]
    claims: tuple[Claim, ...]
    rules: Rules
    rules_before: Rules
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def before(self) -> "Paper":
        """The same, compared with by the rules before they were amended."""
        return replace(self, rules=self.rules_before)


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
        **_read_rules(folder / "margins.yaml"),
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
    optional = {"open", "amended", "before"}
    names = {item.name for item in fields(Claim)} - optional
    entries = store.read_yaml(path)
    if not isinstance(entries, list):
        raise InputError(f"{path}: a list of claims is expected")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or set(entry) - optional != names:
            raise InputError(
                f"{path}: claim {number} must have the entries {', '.join(sorted(names))}, and may "
                f"have {', '.join(sorted(optional))}"
            )
        if ("amended" in entry) != ("before" in entry):
            raise InputError(f"{path}: claim {number}: what is amended needs its rule before")
        if not isinstance(entry.get("amended", []), list):
            raise InputError(f"{path}: claim {number}: amended must be a list of titles")
    if len({str(entry["id"]) for entry in entries}) < len(entries):
        raise InputError(f"{path}: a claim is listed twice")
    return tuple(
        Claim(**{**entry, "amended": tuple(entry.get("amended", ()))}) for entry in entries
    )


def _read_rules(path: Path) -> dict[str, Any]:
    """The fields of `Paper` that ``margins.yaml`` gives."""
    kinds = {item.name: item.type for item in fields(Rules)}
    entries = store.read_yaml(path)
    if not isinstance(entries, dict) or set(entries) != set(kinds):
        raise InputError(f"{path}: exactly these entries are expected: {', '.join(kinds)}")
    before: dict[str, Any] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not {"value", "why"} <= set(entry):
            raise InputError(f"{path}: {name} needs a value and a why")
        if unknown := set(entry) - {"value", "why", "range", "before", "amended"}:
            raise InputError(f"{path}: {name} cannot have {min(map(str, unknown))!r}")
        if "amended" not in entry and {"range", "before"} & set(entry):
            raise InputError(f"{path}: {name}: what was amended needs the title of the amendment")
        before[name] = entry.get("before", entry["value"])
        limits = entry.get("range", [entry["value"]] * 2)
        if not isinstance(limits, list) or len(limits) != 2:
            raise InputError(f"{path}: {name}: a range has two ends")
        for value in (entry["value"], before[name], *limits):
            _check_rule(path, name, value, kinds[name] is float)
        if "range" in entry:
            ranges[name] = (limits[0], limits[1])
    rules = Rules(**{name: entry["value"] for name, entry in entries.items()})
    return {"rules": rules, "rules_before": Rules(**before), "ranges": ranges}


def _check_rule(path: Path, name: str, value: object, is_number: bool) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    is_good = number == is_number and (not number or 0 < float(str(value)) < math.inf)
    if not is_good or (name in CHOICES and value not in CHOICES[name]):
        known = f": it is one of {', '.join(map(repr, CHOICES[name]))}" if name in CHOICES else ""
        raise InputError(f"{path}: {name} cannot be {value!r}{known}")
