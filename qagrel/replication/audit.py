"""Re-derive committed numbers: train committed runs afresh and compare every digit.

What an audit can find: a run file that was changed after DVC recorded it (`audit_lock`), a summary
that does not follow from its epochs (`audit_rules`), tables that do not follow from the runs
(`audit_statistics`).  Whoever alters all of these together is found by training again only, which
is why `Audited` says which runs were derived and which were not.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from qagrel import datasets, history, store
from qagrel.errors import InputError
from qagrel.replication import afresh, beyond, results, scratch
from qagrel.replication.experiments import Params, Profile
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec, nearest
from qagrel.trained import History
from qagrel.training import should_stop

LOCK = Path("dvc.lock")  # in the working directory, like the data
LOCK_BEYOND = Path("beyond/dvc.lock")  # of profiles that go beyond the paper
DERIVED = (
    *("table1.csv", "table1_squared_error.csv", "comparisons.csv", "pooled_comparisons.csv"),
    *("readings.csv", "conclusions.csv", "conclusions_before.csv", "epochs_by_measure.csv"),
    *("stopping.csv", "stopping_ratios.csv", "finishing.csv", "claims.json"),
)
DERIVED_BEYOND = ("verdicts.json", "answers.json")


@dataclass(frozen=True)
class Committed:
    """A committed run: its name, what made it, and its records."""

    name: str
    spec: RunSpec
    epochs: pd.DataFrame
    summary: pd.Series
    classes: bool = False

    @property
    def row(self) -> str:
        """The row, or study and run, that it is a seed of."""
        return self.name.rsplit(", seed", 1)[0]


@dataclass(frozen=True)
class Difference:
    """A number that does not come out as committed."""

    run: str
    epoch: int | None
    column: str
    committed: object
    derived: object

    def __str__(self) -> str:
        where = self.run if self.epoch is None else f"{self.run}, epoch {self.epoch}"
        return f"{where}, {self.column}: committed {self.committed}, derived {self.derived}"


def committed_runs(folder: Path, params: Params, profile: Profile) -> list[Committed]:
    """All runs of a profile whose results stand in `folder`, rows of Table 1 first."""
    return [*_row_runs(folder, params, profile), *_study_runs(folder, profile)]


def _row_runs(folder: Path, params: Params, profile: Profile) -> Iterator[Committed]:
    for row in params.all_rows:
        if any((folder / "runs" / f"{row}{end}.csv").exists() for end in ("", "-summary")):
            yield from row_runs(folder, profile, row)


def row_runs(folder: Path, profile: Profile, row: str) -> Iterator[Committed]:
    """The runs of a row of Table 1, a seed each (InputError where its results are not there)."""
    epochs, lines = results.read_epochs(folder, row), results.read_summary(folder, row)
    yield from _runs(row, profile.row_specs(row), epochs, lines, classes=False)


def _study_runs(folder: Path, profile: Profile) -> Iterator[Committed]:
    for name, study in profile.studies.items():
        if not any((folder / "studies" / f"{name}{end}.csv").exists() for end in ("", "-summary")):
            continue
        epochs, lines = results.read_study(folder, name)
        if unknown := {*epochs["run"], *lines["run"]} - set(study.runs):
            raise InputError(f"{name}: params.yaml has no run {min(unknown)!r}: restore its files")
        for run, specs in profile.study_specs(name).items():
            chosen, summaries = (table[table["run"] == run] for table in (epochs, lines))
            own = chosen.drop(columns="run")
            yield from _runs(f"{name}/{run}", specs, own, summaries, study.classes)


def _runs(
    name: str, specs: Sequence[RunSpec], epochs: pd.DataFrame, lines: pd.DataFrame, classes: bool
) -> Iterator[Committed]:
    expected = [spec.seed for spec in specs]
    if list(lines["seed"]) != expected or set(epochs["seed"]) != set(expected):
        raise InputError(f"{name}: the committed seeds are not {expected}, as params.yaml has them")
    for spec, (_, line) in zip(specs, lines.iterrows(), strict=True):
        own = epochs[epochs["seed"] == spec.seed].reset_index(drop=True)
        yield Committed(f"{name}, seed {spec.seed}", spec, own, line, classes)


def choose(
    runs: Sequence[Committed],
    names: Sequence[str],
    *,
    full: bool,
    number: int = 1,
    seed: int | None = None,
) -> list[Committed]:
    """The runs to derive: of the rows named, or of `number` rows drawn at random.

    Of each row it is the shortest run, or with `full` every seed; a name may also be that of one
    seed.  With `full` and no name they are all runs.

    Raises
    ------
    InputError
        When there are no runs, or none of that name.
    """
    if not runs:
        raise InputError("there are no committed runs to audit: run the pipeline first")
    rows: dict[str, list[Committed]] = {}
    for run in runs:
        rows.setdefault(run.row, []).append(run)
    if not names:
        drawn = random.Random(seed).sample(list(rows), min(number, len(rows)))
        names = list(rows) if full else drawn
    chosen = []
    for name in names:
        single = [run for run in runs if run.name == name]
        if not single and name not in rows:
            raise InputError(f"no committed run is named {name!r}{nearest(name, rows)}")
        whole = rows.get(name, single)
        chosen += whole if full else [min(whole, key=lambda run: len(run.epochs))]
    return chosen


def compare(run: Committed, trained: History) -> list[Difference]:
    """A run trained afresh against the committed one, exactly; of a part, its epochs."""
    derived = results.epoch_table(trained, run.classes)
    if trained.status == "stopped":
        return _compare(run, derived, run.epochs.head(trained.n_epochs))
    return [*_compare(run, derived, run.epochs), *_compare_summary(run, trained)]


def _compare(run: Committed, derived: pd.DataFrame, committed: pd.DataFrame) -> list[Difference]:
    if len(derived) != len(committed):
        return [Difference(run.name, None, "number of epochs", len(committed), len(derived))]
    differences = []
    for column in map(str, dict.fromkeys([*derived, *committed])):
        given, fresh = _numbers(committed, column), _numbers(derived, column)
        same = (given == fresh) | (given.isna() & fresh.isna())
        differences += [
            Difference(run.name, i + 1, column, given[i], fresh[i]) for i in given.index[~same]
        ]
    return sorted(differences, key=lambda difference: difference.epoch or 0)


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of a table; one that is absent, since there is nothing in it, is NaN."""
    return table[name] if name in table else pd.Series(float("nan"), index=table.index)


def _compare_summary(run: Committed, trained: History) -> list[Difference]:
    fresh = results.summary([trained]).iloc[0]
    differences = []
    for column in fresh.index:
        given, derived = run.summary[column], fresh[column]
        unknown = pd.isna(given), pd.isna(derived)
        if unknown != (True, True) and (any(unknown) or given != derived):
            differences.append(Difference(run.name, None, str(column), given, derived))
    return differences


def audit_rules(run: Committed) -> list[Difference]:
    """Whether the summary follows from the epochs by the rules of the protocol, untrained."""
    spec, epochs = run.spec, run.epochs
    numbered = list(range(1, len(epochs) + 1))
    counted = epochs["epoch"] >= (spec.payoff_switch or 1)
    accuracies = epochs.loc[counted, "validation_accuracy"].dropna()
    checks = [round(accuracy, spec.stop_decimals) for accuracy in accuracies]
    status = "max-epochs"
    if run.summary["status"] == "diverged":
        status = "diverged"
    elif should_stop(checks, spec.stop_checks):
        status = "converged"
    early = should_stop(checks[:-1], spec.stop_checks)
    facts: list[tuple[str, object, object]] = [
        ("epoch", list(epochs["epoch"]) == numbered and not early, True),
        ("n_epochs", run.summary["n_epochs"], len(epochs)),
        ("status", run.summary["status"], status),
        *_column_facts(run),
    ]
    if status == "max-epochs":
        facts.append(("n_epochs", len(epochs), spec.max_epochs))
    network = results.network(spec)  # which stands in a study's summary
    facts += [(name, run.summary[name], network[name]) for name in network if name in run.summary]
    rates = [
        Difference(run.name, e, "learning_rate", rate, spec.rate(e))
        for e, rate in zip(numbered, epochs["learning_rate"], strict=True)
        if rate != spec.rate(e)
    ]
    return [*(Difference(run.name, None, name, a, b) for name, a, b in facts if a != b), *rates[:1]]


def _column_facts(run: Committed) -> list[tuple[str, object, object]]:
    """That the epochs have the columns of their specification, unless the run diverged at once."""
    expected = {"seed", *history.columns(run.spec)} - {"validation_accuracy"}
    if run.spec.rule not in LEARN_BY_REWARD:
        expected.remove("reward")
    filled = _without_counts(run).dropna(axis="columns", how="all")
    found = set(map(str, filled)) - {"validation_accuracy"}
    missing = set() if run.summary["status"] == "diverged" else expected - found
    return [("columns", sorted(found), sorted(expected))] if missing | found - expected else []


def _without_counts(run: Committed) -> pd.DataFrame:
    """The epochs without counts a class, of a run that has them."""
    counts = run.epochs.columns.str.match("(selected|correct|presented)_") & run.classes
    return run.epochs.loc[:, ~counts]


def audit_statistics(
    folder: Path, params: Params, profile: Profile, paper_folder: Path
) -> list[Difference]:
    """Tables and verdicts made again from the committed runs, compared byte for byte."""
    with scratch.folder() as fresh:
        for part in ("runs", "studies"):
            (fresh / part).symlink_to((folder / part).resolve())
        if profile.predictions is None:
            results.write_statistics(fresh, params, profile, paper_folder)
        else:
            beyond.write_verdicts(fresh, profile)
        derived = DERIVED if profile.predictions is None else DERIVED_BEYOND
        metrics = {path.name for at in (folder, fresh) for path in at.glob("metrics/*.json")}
        return [
            Difference(name, None, "bytes", "as it stands", "another content")
            for name in (*derived, *(f"metrics/{name}" for name in sorted(metrics)))
            if not ((folder / name).exists() and (fresh / name).exists())
            or (folder / name).read_bytes() != (fresh / name).read_bytes()
        ]


def audit_lock(folder: Path, profile_name: str, lock: Path = LOCK) -> list[Difference]:
    """The files of the runs against the hashes that DVC recorded of them in ``dvc.lock``."""
    stages = store.read_yaml(lock)
    prefix, recorded = f"results/{profile_name}/", {}
    try:
        for stage in stages["stages"].values():
            for out in stage.get("outs", ()):
                if str(out["path"]).startswith(prefix):
                    recorded[out["path"].removeprefix(prefix)] = out["md5"]
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{lock} is not of the form that DVC gives it: restore it") from None
    parts = [folder / "data.json", *folder.glob("runs/*"), *folder.glob("studies/*")]
    found = {path.relative_to(folder).as_posix(): _md5(path) for path in parts}
    runs = {name for name in recorded if name.startswith(("runs/", "studies/"))}
    return [
        Difference(name, None, f"hash in {lock}", recorded.get(name), found.get(name))
        for name in sorted(found.keys() | runs)
        if recorded.get(name) != found.get(name)
    ]


def _md5(path: Path) -> str:
    return hashlib.md5(store.read_bytes(path), usedforsecurity=False).hexdigest()


def audit_data(folder: Path, profile: Profile) -> list[Difference]:
    """The description of the data, made again from them; their name is that of one machine."""
    committed = store.read_json(folder / "data.json")
    if not isinstance(committed, dict):
        raise InputError(f"{folder / 'data.json'} describes no data set: restore it")
    derived = datasets.describe(datasets.load_dataset(profile.dataset))
    return [
        Difference("data.json", None, name, committed.get(name), derived.get(name))
        for name in sorted(committed.keys() | derived.keys() - {"name"})
        if name != "name" and committed.get(name) != derived.get(name)
    ]


def derive(
    runs: Sequence[Committed],
    n_epochs: int | None,
    workers: int | None,
    report: Callable[[str], None],
) -> list[Difference]:
    """Train runs afresh and compare them, reporting each as it is done."""
    differences = []
    fresh = afresh.train_all([run.spec for run in runs], n_epochs, workers)
    for run, trained in zip(runs, fresh, strict=True):
        found = compare(run, trained)
        verdict = f"{len(found)} numbers differ" if found else "every number comes out as committed"
        report(f"{run.name}: {trained.n_epochs} of {len(run.epochs)} epochs: {verdict}")
        differences += found
    afresh.forget([run.spec for run in runs])
    return differences


def coverage(
    runs: Sequence[Committed], chosen: Sequence[Committed], n_epochs: int | None, drawn: bool
) -> Iterator[str]:
    """What an audit derived again and what it did not, in sentences."""
    n_rows, derived = len({run.row for run in runs}), {run.name for run in chosen}
    trained = sum(min(n_epochs or len(run.epochs), len(run.epochs)) for run in chosen)
    total = sum(len(run.epochs) for run in runs)
    named = ", ".join(sorted({run.row for run in chosen}))
    yield f"derived again by training: {trained:,} epochs, runs: {len(derived)} ({named})"
    yield "derived again from the committed runs: all tables and verdicts"
    left = len(runs) - len(derived)
    if not left and trained == total:
        yield "nothing is left that was not derived again"
        return
    yield (
        f"not derived again: {total - trained:,} of {total:,} epochs, {left} of {len(runs)} runs "
        "whole; that they are what training gives rests on the hashes in dvc.lock alone"
    )
    if drawn:
        number = len({run.row for run in chosen})
        yield (
            f"a row whose numbers were all altered, with its hashes and what follows from them, "
            f"was found by this audit with a chance of {number} in {n_rows}: "
            "'qagrel audit --full ROW' derives a row whole"
        )
