"""The verbs of the replication: `qagrel table1`, `qagrel audit` and their kin.

Each imports what it needs when it runs.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from qagrel.console import compiles, force_option

profile_option = click.option(
    "--profile", default="digits", show_default=True, help="section of params.yaml"
)
workers_option = click.option(
    "--workers", type=click.IntRange(1), help="runs side by side  [default: the cores there are]"
)
scheduler_option = click.option(
    "--scheduler",
    help="address of a Dask scheduler to run on  [default: that of Dask's configuration, if it "
    "names one and --workers is not given]",
)


def replicates(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command ask first for the packages that the engine does without."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> None:
        from qagrel.replication.packages import check_packages

        check_packages()
        command(**options)

    return wrapper


@click.command()
@profile_option
@click.option("--row", "rows", multiple=True, help="such as q-agrel_symmetric_300-100_1")
@click.option("--seed", "seeds", type=int, multiple=True, help="train these, collect nothing")
@workers_option
@scheduler_option
@replicates
@compiles
def table1(
    profile: str,
    rows: Sequence[str],
    seeds: Sequence[int],
    workers: int | None,
    scheduler: str | None,
) -> None:
    """Train rows of Table 1 and print what came out.

    Finished runs are kept, so that the same command goes on after an interruption. With --seed,
    runs are only kept, for a later call without it to collect: one job a run on a cluster.
    """
    from qagrel.replication import commands

    table = commands.table1(profile, rows, seeds, workers, scheduler)
    click.echo(table.to_string(index=False))


@click.command()
@click.argument("name")
@profile_option
@workers_option
@scheduler_option
@replicates
@compiles
def study(name: str, profile: str, workers: int | None, scheduler: str | None) -> None:
    """Train the runs of a study in params.yaml."""
    from qagrel.replication import commands

    commands.study(name, profile, workers, scheduler)


@click.command("lr-range")
@profile_option
@workers_option
@scheduler_option
@replicates
@compiles
def lr_range(profile: str, workers: int | None, scheduler: str | None) -> None:
    """Learning-rate range test: where the curves are steepest."""
    from qagrel.replication import commands

    click.echo(commands.learning_rate_range(profile, workers, scheduler).to_string(index=False))


@click.command()
@profile_option
@replicates
def statistics(profile: str) -> None:
    """Write tables and verdicts from the runs of a profile."""
    from qagrel.replication import commands

    for claim in commands.write_statistics(profile):
        click.echo(f"{claim['verdict']:<15}{claim.get('claim') or claim['prediction']}")


@click.command()
@click.argument("name")
@profile_option
@click.option(
    "-p",
    "parameters",
    multiple=True,
    type=(str, str),
    help="NAME VALUE of a parameter, such as 0.5, 300,100, true or null",
)
@click.option("--output", type=click.Path(path_type=Path), help="where the executed notebook goes")
@force_option
@replicates
def notebook(
    name: str,
    profile: str,
    parameters: Sequence[tuple[str, str]],
    output: Path | None,
    force: bool,
) -> None:
    """Run a figure's notebook.

    Without --output and -p, its results go where the pipeline puts them; else the figures go
    beside the executed notebook, and replace only what the same command left there.
    """
    # a grammar of addresses, which no notebook needs: jsonschema builds it for a second
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from qagrel.replication import commands

    click.echo(f"wrote {commands.notebook(name, profile, parameters, output, force)}")


@click.command()
@profile_option
@replicates
@compiles
def fields(profile: str) -> None:
    """Keep the weights from the pixels to some hidden units.

    The runs are the first seeds of the rows that params.yaml names; those that are kept are not
    trained again.
    """
    from qagrel.replication import commands

    click.echo(f"wrote {commands.fields(profile)}")


@click.command()
@profile_option
@replicates
def report(profile: str) -> None:
    """Build the report of a profile, a PDF, from its results."""
    from qagrel.replication.report import build_report

    click.echo(f"wrote {build_report(profile)}")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="write it to a JSON file")
@click.option("--profile", help="of the options too that its studies use beyond the paper")
@force_option
@compiles
def fingerprint(out: Path | None, profile: str | None, force: bool) -> None:
    """Hash what the code makes of small runs of the paper's rules.

    While the hash stays the same, so does every number of every run: only another one asks for
    training again.
    """
    from qagrel import store
    from qagrel.replication import commands

    found = {"fingerprint": commands.fingerprint(profile)}
    if out is not None:
        store.write_named({out: store.json_bytes(found)}, "--out", force)
    else:
        click.echo(found["fingerprint"])


@click.command()
@click.argument("rows", nargs=-1, metavar="[ROW]...")
@profile_option
@click.option("--full", is_flag=True, help="every seed of the rows, without a ROW all runs")
@click.option(
    "--rows", "number", type=click.IntRange(1), default=1, show_default=True, help="rows to draw"
)
@click.option("--epochs", type=click.IntRange(1), help="only the first of each run")
@click.option("--seed", type=int, help="of the random choice")
@click.option("--run", "named", multiple=True, help="the same as ROW")
@workers_option
@replicates
@compiles
def audit(
    rows: Sequence[str],
    profile: str,
    full: bool,
    number: int,
    epochs: int | None,
    seed: int | None,
    named: Sequence[str],
    workers: int | None,
) -> None:
    """Train committed runs afresh and compare all numbers.

    ROW is a row of Table 1, study/run, or one seed of either; without one, a row is drawn. Its
    shortest run is derived whole, with --full every seed: interrupted, the same command goes on.
    First the files of all runs are compared with their hashes in dvc.lock, and tables and
    verdicts are made again. Exits with 1 where anything differs.
    """
    from qagrel.replication import commands

    differences = commands.audit(
        profile,
        [*rows, *named],
        click.echo,
        full=full,
        number=number,
        n_epochs=epochs,
        seed=seed,
        workers=workers,
    )
    for difference in differences[:20]:
        click.echo(f"differs: {difference}")
    if differences:
        raise click.exceptions.Exit(1)
    click.echo("audit passed: every number that was derived again is the committed one")


@click.command()
@click.option("--quick", is_flag=True, help="few repetitions: to try it out")
@replicates
def bench(quick: bool) -> None:
    """Speed and memory beside other frameworks: see make bench."""
    from qagrel.replication import commands

    commands.bench(quick)


COMMANDS = (
    table1,
    study,
    lr_range,
    fields,
    statistics,
    notebook,
    report,
    fingerprint,
    audit,
    bench,
)
