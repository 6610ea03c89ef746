"""What the commands of the replication do: each step of the pipeline, by profile."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication import audit as audits
from qagrel.replication import beyond, results, statistics, sweep
from qagrel.replication import notebooks as figure_notebooks
from qagrel.replication.experiments import Profile, read_params
from qagrel.spec import nearest

PAPER = Path("paper")


def table1(
    profile_name: str,
    rows: Sequence[str] = (),
    seeds: Sequence[int] = (),
    workers: int | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Train rows of Table 1 (none named: all), and write each one's files.

    With `seeds`, only those runs are trained and kept, and nothing is written.

    Returns
    -------
    The table beside the paper's, where all of its rows were asked for; else a line a run.
    """
    params = read_params()
    profile = params.profile(profile_name)
    for row in rows:
        if row not in params.all_rows:
            raise InputError(f"row: {row!r} is not in params.yaml{nearest(row, params.all_rows)}")
    if beyond := [seed for seed in seeds if not 0 <= seed < profile.n_seeds]:
        raise InputError(f"seed: {beyond[0]} is not one of 0 to {profile.n_seeds - 1}")
    folder = results.results_folder(profile_name)
    lines = []
    for row in rows or params.rows:
        specs = profile.row_specs(row)
        chosen = [specs[seed] for seed in seeds] if seeds else specs
        histories = sweep.run_all(chosen, workers, scheduler, title=row)
        if not seeds:
            with _writing(folder / "runs"):
                results.write_row(folder, row, histories)
        lines.append(results.summary(histories).assign(row=row))
    if rows or seeds:
        columns = ["row", "seed", "n_epochs", "test_accuracy", "status"]
        return pd.concat(lines, ignore_index=True)[columns]
    paper = statistics.read_paper(PAPER)
    table = results.read_table(folder, params.rows)
    return statistics.table1(table, paper, profile.dataset)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """The turn to write results, where those of killed processes are cleared away first."""
    with sweep.turn(sweep.state_folder().parent / "results"):
        store.remove_leftovers(folder)
        yield


def study(
    name: str, profile_name: str, workers: int | None = None, scheduler: str | None = None
) -> None:
    """Train the runs of a study, and write its files.

    A study that measures inside its runs trains them here: there is one table more.  Where there
    are predictions, these come first.
    """
    profile = read_params().profile(profile_name)
    if profile.predictions is not None:
        beyond.read_predictions(Path(profile.predictions), profile)
    chosen, specs = profile.study(name), profile.study_specs(name)
    flat = [spec for seeds in specs.values() for spec in seeds]
    folder = results.results_folder(profile_name)
    if chosen.measure is None:
        histories = iter(sweep.run_all(flat, workers, scheduler, title=name))
        by_run = {run: [next(histories) for _ in seeds] for run, seeds in specs.items()}
    else:
        done = iter(sweep.measure_all(flat, chosen.measure, workers, title=name))
        measured = {run: [next(done) for _ in seeds] for run, seeds in specs.items()}
        by_run = {run: [each.history for each in seeds] for run, seeds in measured.items()}
    with _writing(folder / "studies"):
        results.write_study(folder, name, by_run, chosen.classes)
        if chosen.measure is not None:
            results.write_measured(folder, name, measured)


def fingerprint(profile_name: str | None = None) -> str:
    """The fingerprint of the paper's runs, or one of all options that a profile's studies use."""
    if profile_name is None:
        return sweep.fingerprint()
    profile = read_params().profile(profile_name)
    specs = [seeds[0] for name in profile.studies for seeds in profile.study_specs(name).values()]
    found = sorted({sweep.arithmetic_of(spec) for spec in specs})
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def fields(profile_name: str) -> Path:
    """Write the receptive fields of the first seed of each row that `params.yaml` names for it."""
    params = read_params()
    profile = params.profile(profile_name)
    specs = [profile.row_specs(row)[0] for row in params.receptive_fields.rows]
    histories = sweep.run_all(specs, title="receptive fields")
    folder = results.results_folder(profile_name)
    with _writing(folder):
        return results.write_fields(
            folder,
            dict(zip(params.receptive_fields.rows, histories, strict=True)),
            params.receptive_fields.units,
        )


def learning_rate_range(
    profile_name: str, workers: int | None = None, scheduler: str | None = None
) -> pd.DataFrame:
    """The study of Fig. 4, and the steepest interval of each run and seed."""
    study("learning-rate-range", profile_name, workers, scheduler)
    epochs, _ = results.read_study(results.results_folder(profile_name), "learning-rate-range")
    window = statistics.read_paper(PAPER).rules.rate_window
    parts = []
    for run, group in epochs.groupby("run", sort=False):
        curve = group.drop(columns="run").dropna(axis="columns", how="all")
        intervals = statistics.steepest_intervals(curve, window)
        intervals.insert(0, "run", run)
        parts.append(intervals)
    return pd.concat(parts, ignore_index=True)


def write_statistics(profile_name: str) -> list[dict[str, Any]]:
    """Write tables, comparisons and verdicts of a profile; returns its claims, or predictions."""
    params = read_params()
    profile = params.profile(profile_name)
    folder = results.results_folder(profile_name)
    if profile.predictions is not None:
        with _writing(folder):
            return beyond.write_verdicts(folder, profile)
    with _writing(folder):
        results.write_statistics(folder, params, profile, PAPER)
    claims: list[dict[str, Any]] = store.read_json(folder / "claims.json")
    return claims


def notebook(
    name: str,
    profile_name: str,
    parameters: Sequence[tuple[str, str]] = (),
    output: Path | None = None,
    force: bool = False,
) -> Path:
    """Run a figure's notebook with parameters as texts; returns where it was written.

    With an output or parameters, files that are there are not replaced, unless by `force`.
    """
    read_params().profile(profile_name)  # what is no profile leads to no folder
    stem = figure_notebooks.find(name).stem
    given = {"profile": profile_name, **figure_notebooks.parse(name, dict(parameters))}
    if output is None and parameters:
        output = Path(f"{stem}.ipynb")
    if output is None:
        output = results.results_folder(profile_name) / "notebooks" / f"{stem}.ipynb"
        given.setdefault("output_dir", str(results.results_folder(profile_name) / "figures"))
    else:
        given.setdefault("output_dir", str(output.parent))
        figure_notebooks.check_free(name, given, output, force)
    figure_notebooks.run(name, given, output)
    return output


def audit(
    profile_name: str,
    names: Sequence[str],
    report: Callable[[str], None],
    *,
    full: bool = False,
    number: int = 1,
    n_epochs: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> list[audits.Difference]:
    """Audit committed runs: files, protocol, statistics, and numbers trained afresh.

    Which runs are trained, and how much of them, see `audit.choose` and `audit.derive`.
    """
    params = read_params()
    profile: Profile = params.profile(profile_name)
    folder = results.results_folder(profile_name)
    runs = audits.committed_runs(folder, params, profile)
    chosen = audits.choose(runs, names, full=full, number=number, seed=seed)
    described = audits.audit_data(folder, profile)
    lock = audits.LOCK if profile.predictions is None else audits.LOCK_BEYOND
    changed = audits.audit_lock(folder, profile_name, lock)
    report(f"files of runs have the hashes in {lock}: {not changed}")
    broken = [found for run in runs for found in audits.audit_rules(run)]
    report(f"{len(runs)} committed runs follow the protocol's rules: {not broken}")
    stale = audits.audit_statistics(folder, params, profile, PAPER)
    report(f"tables and verdicts follow from the committed runs: {not stale}")
    differing = audits.derive(chosen, n_epochs, workers, report)
    for sentence in audits.coverage(runs, chosen, n_epochs, drawn=not (names or full)):
        report(sentence)
    return [*differing, *broken, *stale, *described, *changed]


def bench(quick: bool) -> None:
    """Run `benchmarks/` of the project's folder in this environment."""
    if not Path("benchmarks", "run.py").exists():
        raise InputError("benchmarks/run.py is not here: call this in the project's folder")
    command = [sys.executable, "-m", "benchmarks.run", *(["--quick"] if quick else [])]
    code = subprocess.run(command, check=False).returncode
    if code:
        raise InputError(f"the benchmark ended with exit code {code}: see its message above")
