"""The committed results: what stands in `results/<profile>/`, written and read.

``runs/<row>.csv`` holds every epoch of every seed of a Table 1 row and ``runs/<row>-summary.csv``
a line a seed; ``studies/<name>.csv`` and ``-summary.csv`` are the same with a column for the
study's run, and ``-measured.csv`` is what a study measured inside its runs; ``table1.csv``,
``claims.json`` and their kin are what `write_statistics` makes of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qagrel import store
from qagrel.equivalence import equivalence
from qagrel.errors import InputError
from qagrel.replication import statistics
from qagrel.replication.experiments import Params, Profile, row_fields
from qagrel.spec import RunSpec
from qagrel.trained import History

# Columns that are always there, by their types; those of NETWORK and "run" stand in studies only.
EPOCHS = {"seed": int, "epoch": int, "learning_rate": float, "validation_accuracy": float}
SUMMARY = {
    "seed": int,
    "n_epochs": int,
    "test_accuracy": float,
    "status": str,
    "diverged_at": float,
}
NETWORK = {"rule": str, "feedback": str, "hidden": str, "learning_rate": float}


def results_folder(profile: str) -> Path:
    """Where a profile's results stand: `QAGREL_RESULTS_DIR`, else `results`, then its name."""
    return store.place("QAGREL_RESULTS_DIR", "results") / profile


def epoch_table(history: History, classes: bool = False) -> pd.DataFrame:
    """All records of a run, a line an epoch, its seed first; with `classes`, counts a class.

    These are selected_0, ..., correct_0, ..., presented_0, ...: how often each class (by a
    `payoff`, each action) was selected, and how often each class was answered rightly, and shown,
    in training.
    """
    table = history.epochs.copy()
    if classes:
        counts = {
            "selected": history.confusion.sum(axis=1),
            "correct": (history.confusion * history.right).sum(axis=2),
            "presented": history.confusion.sum(axis=2),
        }
        for name, count in counts.items():
            table[[f"{name}_{number}" for number in range(count.shape[1])]] = count
    table.insert(0, "seed", history.spec.seed)
    return table


def summary(histories: Sequence[History]) -> pd.DataFrame:
    """A line a run: seed, n_epochs, test_accuracy (percent), status, diverged_at."""
    return pd.DataFrame(
        {
            "seed": [history.spec.seed for history in histories],
            "n_epochs": [history.n_epochs for history in histories],
            "test_accuracy": [history.test_accuracy for history in histories],
            "status": [history.status for history in histories],
            "diverged_at": pd.array([history.diverged_at for history in histories], "Int64"),
        }
    )


def write_row(folder: Path, row: str, histories: Sequence[History]) -> None:
    """Write a row's files into `folder`/runs."""
    epochs = pd.concat([epoch_table(history) for history in histories], ignore_index=True)
    _write(folder / "runs", row, epochs, summary(histories))


def write_study(
    folder: Path, name: str, histories: Mapping[str, Sequence[History]], classes: bool
) -> None:
    """Write a study's files into `folder`/studies."""
    epochs, summaries = [], []
    for run, seeds in histories.items():
        for history in seeds:
            table = epoch_table(history, classes)
            table.insert(0, "run", run)
            epochs.append(table)
        row = pd.DataFrame({"run": run, **network(seeds[0].spec)}, index=range(len(seeds)))
        summaries.append(pd.concat([row, summary(seeds)], axis="columns"))
    _write(folder / "studies", name, pd.concat(epochs), pd.concat(summaries))


def write_measured(
    folder: Path, name: str, measured: Mapping[str, Sequence[tuple[History, pd.DataFrame]]]
) -> None:
    """Write what a study measured into `folder`/studies, run and seed before each line."""
    tables = []
    for run, seeds in measured.items():
        for history, table in seeds:
            if not table.empty:
                columns = {"run": run, "seed": history.spec.seed}
                tables.append(
                    pd.concat([pd.DataFrame(columns, table.index), table], axis="columns")
                )
    store.write_csv(folder / "studies" / f"{name}-measured.csv", pd.concat(tables))


def write_fields(folder: Path, histories: Mapping[str, History], n_units: int) -> Path:
    """Write the weights from the pixels to the first hidden units, by row, in half precision.

    Each array has the shape (units, pixels); `read_fields` gives them back.
    """
    path = folder / "receptive_fields.npz"
    fields = {row: history.weights[0].T[:n_units] for row, history in histories.items()}
    store.write_npz(path, {row: field.astype(np.float16) for row, field in fields.items()})
    return path


def read_fields(folder: Path) -> dict[str, NDArray[Any]]:
    """The receptive fields that `write_fields` wrote: (units, pixels) by row."""
    return store.read_npz(folder / "receptive_fields.npz")


def network(spec: RunSpec) -> dict[str, Any]:
    """What a study's summary says of a run besides its name: rule, feedback, hidden, rate."""
    fields = {name: getattr(spec, name) for name in NETWORK}
    return {**fields, "hidden": "-".join(map(str, spec.hidden))}


def _write(folder: Path, name: str, epochs: pd.DataFrame, summaries: pd.DataFrame) -> None:
    kept = (epochs.notna().any()) | (epochs.columns == "validation_accuracy")
    store.write_csv(folder / f"{name}.csv", epochs.loc[:, kept])
    store.write_csv(folder / f"{name}-summary.csv", summaries)


def read_summary(folder: Path, row: str) -> pd.DataFrame:
    """A row's per-seed summary (InputError where no runs can have left it)."""
    path = folder / "runs" / f"{row}-summary.csv"
    lines = store.read_csv(path, SUMMARY)
    with _naming(path):
        statistics.summarise(lines)
    return lines


def read_epochs(folder: Path, row: str) -> pd.DataFrame:
    """A row's records, a line a seed and epoch."""
    return _read_epochs(folder / "runs" / f"{row}.csv", EPOCHS)


def read_study(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A study's epochs and per-seed summaries (InputError where no runs can have left them)."""
    epochs = _read_epochs(folder / "studies" / f"{name}.csv", {"run": str, **EPOCHS})
    path = folder / "studies" / f"{name}-summary.csv"
    lines = store.read_csv(path, {"run": str, **NETWORK, **SUMMARY})
    with _naming(path):
        for _, group in lines.groupby("run"):
            statistics.summarise(group)
    return epochs, lines


def read_measured(folder: Path, name: str) -> pd.DataFrame:
    """What a study measured inside its runs: columns run, seed, and those of its measure."""
    path = folder / "studies" / f"{name}-measured.csv"
    return store.read_csv(path, {"run": str, "seed": int})


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A context in which what is refused is told by its file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}: restore it") from None


def _read_epochs(path: Path, columns: Mapping[str, type]) -> pd.DataFrame:
    table = store.read_csv(path, columns)
    for name in table.columns.difference(list(columns)):
        if table[name].dtype.kind not in "if":
            raise InputError(f"{path}: {name} is not a column of numbers: restore it")
    if table.columns.str.startswith("presented_").any():
        with _naming(path):
            statistics.classes_of(table)
    return table


def table_row(row: str) -> statistics.Row:
    """A row's name as `statistics` has it."""
    fields = row_fields(row)
    return statistics.Row(
        fields["rule"],
        fields["feedback"],
        "-".join(map(str, fields["hidden"])),
        fields["learning_rate"],
    )


def read_table(folder: Path, rows: Sequence[str]) -> dict[statistics.Row, statistics.Summary]:
    """The rows of a table from their per-seed summaries."""
    return {table_row(row): statistics.summarise(read_summary(folder, row)) for row in rows}


def read_evidence(folder: Path, params: Params, profile: Profile) -> statistics.Evidence:
    """All results of a profile that claims are tested on."""
    steps, _ = read_study(folder, "stepwise")
    rates, _ = read_study(folder, "learning-rate-range")
    _, readings = read_study(folder, "readings")
    drawn_once = readings[readings["run"].str.startswith("validation_draw=run/")]
    learned = {
        table_row(row): read_epochs(folder, row)
        for row in params.rows
        if row_fields(row)["feedback"] == "learned"
    }
    return statistics.Evidence(
        dataset=profile.dataset,
        table=read_table(folder, params.rows),
        agrel_steps=_run(steps, "q-agrel"),
        backprop_steps=_run(steps, "error-bp"),
        agrel_rates=_run(rates, "q-agrel"),
        backprop_rates=_run(rates, "error-bp"),
        high_rates=_rows(read_study(folder, "high-rates")[1]),
        learned=learned,
        equivalence=equivalence(),
        trial_by_trial=_rows(read_study(folder, "trial-by-trial")[1]),
        validation_draws=_rows(drawn_once),
    )


def _run(epochs: pd.DataFrame, name: str) -> pd.DataFrame:
    chosen = epochs[epochs["run"] == name].drop(columns="run")
    if chosen.empty:
        raise InputError(f"no run of the study is named {name!r}: compute the study again")
    return chosen.dropna(axis="columns", how="all")


def _rows(lines: pd.DataFrame) -> dict[statistics.Row, statistics.Summary]:
    table = {}
    for _, group in lines.groupby(statistics.ROW_COLUMNS, sort=False):
        rule, feedback, hidden, rate = (group[name].iloc[0] for name in statistics.ROW_COLUMNS)
        table[statistics.Row(rule, feedback, hidden, rate)] = statistics.summarise(group)
    return table


def reading_runs(folder: Path) -> pd.DataFrame:
    """The summaries of the readings study with columns reading and setting, as in `statistics`."""
    _, lines = read_study(folder, "readings")
    variant = lines["run"].str.split("/").str[0].str.split("=", n=1)
    lines["reading"] = variant.str[0]
    lines["setting"] = variant.str[1].fillna("")
    return lines


def write_statistics(folder: Path, params: Params, profile: Profile, paper_folder: Path) -> None:
    """Tables, comparisons and verdicts: everything that follows from the runs."""
    paper = statistics.read_paper(paper_folder)
    table = read_table(folder, params.rows)
    literal = read_table(folder, params.squared_error_rows)
    readings = reading_runs(folder)
    compared = statistics.table1(table, paper, profile.dataset)
    times = statistics.stopping_times(
        {**row_runs(folder, params, profile), **reading_histories(folder, profile)}
    )
    tables = {
        "table1": compared,
        "table1_squared_error": statistics.table1(literal, paper, profile.dataset),
        "comparisons": statistics.comparisons(table, paper, profile.dataset),
        "pooled_comparisons": statistics.pooled_comparisons(table, paper, profile.dataset),
        "readings": statistics.sensitivity(readings, paper, profile.dataset),
        "conclusions": statistics.conclusions(readings, paper, profile.dataset),
        "conclusions_before": statistics.conclusions(readings, paper.before, profile.dataset),
        "epochs_by_measure": slowness(folder, params, paper),
        "stopping": times,
        "stopping_ratios": statistics.explained(times),
        "finishing": finishing(folder, params, profile),
    }
    for name, made in tables.items():
        store.write_csv(folder / f"{name}.csv", made)
    claims = statistics.judge(read_evidence(folder, params, profile), paper)
    store.write_json(folder / "claims.json", claims)
    _write_metrics(folder / "metrics", metrics(compared, params.rows, claims))


RowRuns = dict[str, tuple[statistics.Row, statistics.Summary, pd.DataFrame, RunSpec]]


def row_runs(folder: Path, params: Params, profile: Profile) -> RowRuns:
    """Every row by its name: its summary, all its epochs, and the specification of a run."""
    return {
        row: (
            table_row(row),
            statistics.summarise(read_summary(folder, row)),
            read_epochs(folder, row),
            profile.row_specs(row)[0],
        )
        for row in params.all_rows
    }


def reading_histories(folder: Path, profile: Profile) -> RowRuns:
    """The same of the runs of the study of readings."""
    epochs, lines = read_study(folder, "readings")
    return {
        f"readings/{run}": (
            table_row(profile.study("readings").runs[run]["row"]),
            statistics.summarise(lines[lines["run"] == run]),
            epochs[epochs["run"] == run],
            specs[0],
        )
        for run, specs in profile.study_specs("readings").items()
    }


def slowness(folder: Path, params: Params, paper: statistics.Paper) -> pd.DataFrame:
    """The ratio of epochs, Q-AGREL over error-backpropagation by either loss, by measure."""
    ours, literal = (
        statistics.Runs(
            read_table(folder, rows), {table_row(row): read_epochs(folder, row) for row in rows}
        )
        for rows in (params.rows, params.squared_error_rows)
    )
    losses = {"cross-entropy": ours, "squared-error": literal}
    return statistics.epochs_by_measure(ours, losses, paper.rules)


def finishing(folder: Path, params: Params, profile: Profile) -> pd.DataFrame:
    """How many runs of each row finished, those by the literal squared error last."""
    parts = []
    for rows in (params.rows, params.squared_error_rows):
        runs = {
            table_row(row): (
                statistics.summarise(read_summary(folder, row)),
                profile.row_specs(row)[0],
            )
            for row in rows
        }
        losses = [spec.loss if spec.rule == "error-bp" else "" for _, spec in runs.values()]
        parts.append(statistics.finishing(runs).assign(loss=losses))
    return pd.concat(parts, ignore_index=True)


def metrics(
    table: pd.DataFrame, rows: Sequence[str], claims: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Headline numbers: accuracy and epochs of each row, and how many claims came out how."""
    means = table[["accuracy_mean", "epochs_mean"]].set_axis(["accuracy", "epochs"], axis="columns")
    lines: list[dict[Any, Any]] = means.round(3).to_dict("records")
    verdicts = pd.Series([claim["verdict"] for claim in claims]).value_counts().sort_index()
    return {
        **dict(zip(rows, lines, strict=True)),
        "claims": {str(name): int(n) for name, n in verdicts.items()},
    }


def _write_metrics(folder: Path, named: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a file each, which DVC shows as a line each; no other one stays."""
    for path in folder.glob("*.json"):
        if path.stem not in named:
            path.unlink()
    for name, values in named.items():
        store.write_json(folder / f"{name}.json", values)
