"""The command line: `qagrel VERB`, those of the engine here, the replication's beside it.

Every command imports what it needs when it runs, so that `qagrel --help` answers at once.
"""

import functools
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from qagrel.console import (
    Group,
    Interrupted,
    MainGroup,
    compiles,
    force_option,
    json_option,
    to_json,
)
from qagrel.errors import InputError
from qagrel.replication.cli import COMMANDS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from qagrel.arrays import Label
    from qagrel.dataset import Dataset
    from qagrel.epoch import Epoch, Row
    from qagrel.network import Ints
    from qagrel.spec import RunSpec
    from qagrel.trained import History


COMMANDLINE = click.core.ParameterSource.COMMANDLINE


# --- qagrel ---------------------------------------------------------------------------------


@click.group(cls=MainGroup, context_settings={"max_content_width": 100})
@click.version_option(package_name="qagrel", message="%(prog)s %(version)s")
def main() -> None:
    """Replicate Q-AGREL, a biologically plausible learning rule (Pozzi et al., 2018)."""


for command in COMMANDS:
    main.add_command(command)


# --- options for the fields of RunSpec ------------------------------------------------------


class SpecCommand(click.Command):
    """A command with an option for every field of RunSpec besides its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """All options, those of RunSpec first."""
        return [*_spec_options(), *super().get_params(ctx)]


@functools.cache
def _spec_options() -> tuple[click.Option, ...]:
    from qagrel.spec import RunSpec

    return tuple(_option(name, field) for name, field in RunSpec.model_fields.items())


def _option(name: str, field: "FieldInfo") -> click.Option:
    """The option of a field; RunSpec itself checks what is given, choices too."""
    from qagrel.spec import Table

    kinds: dict[Any, Any] = {int: int, int | None: int, float: float, float | None: float}
    kinds[Table | None] = _table
    names = [name for name in get_args(field.annotation) if isinstance(name, str)]
    if is_widths := isinstance(field.default, tuple):
        kinds[field.annotation] = _widths
    forms = {_widths: "N,N,...", _table: "R,R,...;R,R,..."}
    kind = kinds.get(field.annotation, str)
    return click.Option(
        [f"--{name.replace('_', '-')}"],
        type=kind,
        default=",".join(map(str, field.default)) if is_widths else field.default,
        show_default=True,
        metavar=forms.get(kind, "|".join(names) or None),
        help=field.description,
    )


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(units) for units in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of layer sizes such as 300,100") from None


def _table(text: str) -> tuple[tuple[float, ...], ...]:
    try:
        return tuple(tuple(map(float, row.split(","))) for row in text.split(";"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no table of rewards such as '1,0;0,1'") from None


# --- qagrel train ---------------------------------------------------------------------------


@main.command(cls=SpecCommand)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER|FILE",
    help="save the run as FOLDER/run.npz and run.csv, or as FILE.npz and FILE.csv",
)
@force_option
@click.option("--record-batches", is_flag=True, help="keep reward or error of every batch too")
@click.option("--record-trials", is_flag=True, help="keep action, reward and so on of every trial")
@click.option(
    "--continue",
    "start",
    type=click.Path(path_type=Path),
    metavar="RUN.npz",
    help="go on from a saved run, whose options hold unless others are given",
)
@json_option
@compiles
def train(
    out: Path | None,
    force: bool,
    record_batches: bool,
    record_trials: bool,
    start: Path | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Train one network and test it."""
    from qagrel import datasets, training

    spec, initial = _start(start, fields)
    with ExitStack() as claim:
        paths = {} if out is None else claim.enter_context(_reserved(out, force))
        dataset = datasets.dataset_of(spec)
        begin = time.perf_counter()
        with _progress(spec.max_epochs, [] if initial is None else initial.rows) as show:
            history = training.train(
                spec,
                dataset,
                initial=initial,
                record_batches=record_batches,
                record_trials=record_trials,
                on_epoch=show,
            )
        results = _results(history, time.perf_counter() - begin)
        try:
            saved = _save(history, paths, force)
        finally:  # what cannot be saved is shown at least
            click.echo(to_json(results) if as_json else _summary(history, results))
    if saved and not as_json:
        click.echo(_line("saved", ", ".join(map(click.format_filename, saved))))


def _start(path: Path | None, fields: dict[str, Any]) -> "tuple[RunSpec, History | None]":
    """What to train, and the saved run to go on from, if any: its fields hold unless given anew."""
    from qagrel import history
    from qagrel.spec import RunSpec

    if path is None:
        return RunSpec(**fields), None
    initial, context = history.load(path), click.get_current_context()
    given = [name for name in fields if context.get_parameter_source(name) is COMMANDLINE]
    return initial.spec.replace(**{name: fields[name] for name in given}), initial


@contextmanager
def _reserved(out: Path, force: bool) -> "Iterator[dict[str, Path]]":
    """The files of a run, checked before any work to be new and writable, and no other's."""
    from qagrel import store

    is_file = out.suffix in (".npz", ".csv") and not out.is_dir()
    stem = out.with_suffix("") if is_file else out / "run"
    endings = {
        "run": ".npz",
        "epochs": ".csv",
        "batches": "-batches.csv",
        "trials": "-trials.csv",
    }
    paths = {kind: stem.with_name(stem.name + ending) for kind, ending in endings.items()}
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for path in paths.values():
            store.check_free(path, "--out", force)
            # a trial, with a name as long as the temporary ones of `store.write_bytes`
            prefix, suffix = f".{path.name}.", ".writable.part"
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=suffix):
                pass
    except OSError as error:
        raise InputError(
            f"{out} cannot be written to ({error.strerror}): give another --out"
        ) from error
    with store.claimed(paths["run"], "--out"):
        yield paths


@contextmanager
def _progress(max_epochs: int, before: "Sequence[Row]") -> "Iterator[Callable[[Epoch], None]]":
    """A live bar on stderr, where that is a terminal; what it gives takes each epoch's record."""
    from tqdm import tqdm

    with tqdm(
        total=max_epochs,
        initial=len(before),
        bar_format="epoch {n_fmt} of at most {total_fmt} |{bar}| {desc}at most {remaining} left",
        disable=None,  # unless on a terminal
        dynamic_ncols=True,
        leave=False,  # the summary follows
    ) as bar:
        rows = [*before]

        def show(epoch: "Epoch") -> None:
            rows.append(epoch.record)
            bar.set_description_str(f"{_state(rows)}, ", refresh=False)
            bar.update()

        try:
            yield show
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped after {len(rows)} epochs; nothing of this run was saved: "
                "the same command starts it again and gives the same numbers"
            ) from None


def _state(rows: "Sequence[Row]") -> str:
    """Where a run is: reward or error of its last epoch, and the last validation accuracy."""
    kind = "error" if math.isnan(rows[-1]["reward"]) else "reward"
    return f"{kind} {rows[-1][kind]:.3f}, validation {_percent(_last_check(rows))}"


def _last_check(rows: "Sequence[Row]") -> float:
    checks = (row["validation_accuracy"] for row in reversed(rows))
    return next((accuracy for accuracy in checks if not math.isnan(accuracy)), math.nan)


def _percent(accuracy: float) -> str:
    return "not measured" if math.isnan(accuracy) else f"{accuracy:.2f} %"


def _save(history: "History", paths: dict[str, Path], force: bool) -> list[Path]:
    """Write the run, its table of epochs, and those of its batches and trials; the files."""
    from qagrel import history as histories
    from qagrel import store

    if not paths:
        return []
    for path in paths.values():  # which may have come while it trained
        store.check_free(path, "--out", force)
    histories.save(history, paths["run"])
    for table in ("epochs", "batches", "trials"):
        if (rows := getattr(history, table)) is None:
            paths.pop(table).unlink(missing_ok=True)  # of a run that this one replaces
        else:
            store.write_csv(paths[table], rows)
    return list(paths.values())


def _results(history: "History", seconds: float) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "id": history.spec.id,
        "spec": history.spec.model_dump(mode="json"),
        "grey_max": history.grey_max,
        "classes": list(history.classes),
        "status": history.status,
        "n_epochs": history.n_epochs,
        "diverged_at": history.diverged_at,
        "validation_accuracy": _last_check(history.rows),
        "test_accuracy": history.test_accuracy,
        "unlearnt": list(history.unlearnt),
        "warning": history.warning,
        "seconds": seconds,
        "epochs": history.rows,
    }


def _summary(history: "History", results: dict[str, Any]) -> str:
    """A screen of text on a run."""
    spec, last = history.spec, history.rows[-1]
    widths = [history.weights[0].shape[0], *spec.hidden, history.weights[-1].shape[1]]
    endings = {
        "converged": "then the stopping rule was met",
        "max-epochs": "as many as allowed, before the stopping rule was met",
        "diverged": "then its numbers were no longer finite: the run diverged",
    }
    lines = {"epochs": f"{history.n_epochs}, {endings[history.status]}"}
    if spec.has_own_rewards:
        best = f"the best policy expects {last['optimal_reward']:.3f}"
        lines["reward"] = f"{last['reward']:.3f} a trial in the last epoch; {best}"
    lines |= {
        "validation accuracy": _percent(results["validation_accuracy"]),
        "test accuracy": _percent(history.test_accuracy),
        **({} if history.warning is None else {"not learnt": history.warning}),
        "time": f"{results['seconds']:.1f} s",
    }
    for name, degrees in last.items():
        if name.startswith("angle_"):
            layer = name.removeprefix("angle_")
            lines[f"angle in layer {layer}"] = f"{degrees:.1f} degrees from feedback to weights"
    network = "-".join(map(str, widths))
    title = f"{spec.rule} with {spec.feedback} feedback, {network}, on {spec.dataset}"
    rates = f"learning rate {spec.learning_rate:g}, seed {spec.seed}"
    return "\n".join([f"{title}, {rates}", *(_line(*line) for line in lines.items())])


def _line(name: str, text: str) -> str:
    return f"  {name:<20} {text}"


# --- qagrel predict -------------------------------------------------------------------------


@main.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--dataset", help="name, or folder of IDX files  [default: what it was trained on]")
@json_option
@compiles
def predict(weights: Path, dataset: str | None, as_json: bool) -> None:
    """Classify the test images of a data set with a saved run.

    WEIGHTS is the .npz file that 'qagrel train --out' wrote. Where the run has a payoff, actions
    are chosen, and right is what pays most.
    """
    from qagrel import datasets, history

    run = history.load(weights)
    if run.status == "diverged":
        raise InputError(f"{weights}: this run diverged: train with a smaller learning rate")
    if run.inputs == "values":
        raise InputError(
            f"{weights}: this run was trained on values, which no folder of images holds: call "
            "predict of the loaded run in Python"
        )
    data = datasets.load_dataset(dataset or run.spec.dataset, grey_max=run.grey_max)
    if run.grey_max is None:  # of an earlier format
        run.grey_max = data.grey_max
    confusion = _confusion(run, data)
    _say_what_is_unlike(run, data, named=dataset is not None)
    n_right, n_samples = int(confusion[run.right[-1]].sum()), int(confusion.sum())
    accuracy = 100 * n_right / n_samples
    if as_json:
        results = {"dataset": data.name, "n_samples": n_samples, "accuracy": accuracy}
        labels = list(run.classes)
        click.echo(to_json({**results, "classes": labels, "confusion": confusion.tolist()}))
    else:
        click.echo(f"{accuracy:.2f} % ({n_right} of {n_samples} test images of {data.name})\n")
        actions = run.classes if run.spec.payoff is None else range(confusion.shape[1])
        click.echo(_matrix(confusion, run.classes, actions))


def _say_what_is_unlike(run: "History", data: "Dataset", named: bool) -> None:
    """Say where a run sees other data than those that it was trained on otherwise than they are."""
    from qagrel.errors import say

    if run.dataset_sha256 in (None, data.sha256):
        return
    if not named:
        say(f"{data.name}: its contents are not those that the run was trained on: they changed")
    elif run.grey_max and (level := data.usual_level) != data.grey_max:
        how = "darker" if level < run.grey_max else "brighter"
        say(
            f"{data.name}: its grey levels end at {level}, but in the run {run.grey_max} stood for "
            f"an activity of 1: it sees these images {how}"
        )


def _confusion(run: "History", data: "Dataset") -> "Ints":
    """Counts of test images, [true class, selected action]."""
    import numpy as np

    from qagrel.labels import spans

    if strange := sorted(set(data.classes) - set(run.classes)):
        raise InputError(
            f"{data.name} has the labels {spans(strange)}, but those of the run are "
            f"{spans(run.classes)}: choose data like those that it was trained on"
        )
    true = np.searchsorted(run.classes, data.labels_of(data.test_labels))
    selected = run.predict(data.test_images)
    if run.spec.payoff is None:  # they are labels, else numbers of actions
        selected = np.searchsorted(run.classes, selected)
    n_classes = len(run.classes)
    confusion = np.zeros((n_classes, run.spec.n_actions(n_classes)), np.int64)
    np.add.at(confusion, (true, selected), 1)
    return confusion


def _matrix(confusion: "Ints", classes: "Sequence[Label]", actions: "Sequence[Label]") -> str:
    """A confusion matrix with a heading and the label of its class before each row."""
    width = max(len(str(entry)) for entry in (confusion.max(), *classes, *actions)) + 2
    counted = zip(classes, confusion, strict=True)
    rows = [["true", *actions], *([label, *counts] for label, counts in counted)]
    lines = [f"{head:>4}" + "".join(f"{n:>{width}}" for n in row) for head, *row in rows]
    return "\n".join([f"{'':<4}{'':<{width - 1}}selected", *lines])


# --- qagrel data ----------------------------------------------------------------------------

name_argument = click.argument("name", required=False)


@main.group(cls=Group)
def data() -> None:
    """Get, check and describe data sets.

    NAME is 'digits', 'mnist' or the folder of a data set in the IDX form, with some classes behind
    a colon (mnist:0-4) or without; without NAME, every data set known by name is meant. What is
    fetched has all its classes; with --into, it may be some of them.
    """


@data.command()
@name_argument
@click.option("--into", type=click.Path(path_type=Path), help="put decompressed files there")
@force_option
def fetch(name: str | None, into: Path | None, force: bool) -> None:
    """Download what is missing, and check all of it."""
    from qagrel import datasets

    if into is not None:
        if into.exists() and not into.is_dir():
            raise InputError(f"{into} is a file: give a folder to --into")
        dataset = datasets.load_dataset(name or "mnist")
        datasets.export(dataset, into, force)
        is_original = datasets.known_as(dataset) is not None
        click.echo(f"{into}: complete" + ", and the original contents" * is_original)
        return
    for each in _named(name):
        new = datasets.fetch(each)
        for path in new:
            click.echo(f"new: {click.format_filename(path)}")
        click.echo(f"{each}: complete, and the original contents")


@data.command()
@name_argument
def verify(name: str | None) -> None:
    """Check the files on disk, and print their SHA-256 (decompressed)."""
    from qagrel import datasets

    for each in _named(name):
        dataset = datasets.load_dataset(each, download=False)
        for file, sha256 in dataset.checksums.items():
            click.echo(f"{sha256}  {file}")
        known = datasets.known_as(dataset)
        contents = "the original contents" + (f" of {known}" if known != each else "")
        click.echo(f"{each}: complete, and {contents if known else 'undamaged'}")


@data.command()
@name_argument
@click.option("--out", type=click.Path(path_type=Path), help="write them to a JSON file")
@click.option(
    "--grey-max",
    type=int,
    help="grey level of activity 1  [default: the largest in training]",
)
@force_option
@json_option
def info(
    name: str | None, out: Path | None, grey_max: int | None, force: bool, as_json: bool
) -> None:
    """Describe samples, classes, scale and contents.

    Without NAME, JSON holds an object for every data set, by its name.
    """
    from qagrel import datasets, store

    loaded = {
        each: datasets.load_dataset(each, download=False, grey_max=grey_max)
        for each in _named(name)
    }
    described = {each: datasets.describe(dataset) for each, dataset in loaded.items()}
    content = described if name is None else described[name]
    if out is not None:
        store.write_named({out: store.json_bytes(content)}, "--out", force)
    elif as_json:
        click.echo(to_json(content))
    else:
        for each, dataset in loaded.items():
            click.echo(_description(dataset, described[each]))


def _named(name: str | None) -> list[str]:
    from qagrel import datasets

    return list(datasets.CHECKSUMS) if name is None else [name]


def _description(dataset: "Dataset", facts: dict[str, Any]) -> str:
    """What a data set holds, on a few lines."""
    from qagrel import datasets
    from qagrel.labels import are_counted, spans

    rows, columns = facts["image_shape"]
    lines = [
        f"{facts['name']}: images of {rows} x {columns} pixels, grey levels up to "
        f"{max(dataset.largest_level.values())}, {facts['n_classes']} classes"
    ]
    if not are_counted(dataset.classes):
        lines[0] += f", labelled {spans(facts['classes'])}"
    for part in ("train", "test"):
        counts = facts[part]["per_class"]
        lines.append(
            f"  {part:<6} {facts[part]['samples']} samples, {min(counts)} to {max(counts)} a class"
        )
    scale = f"level {dataset.grey_max} is an activity of 1 ({datasets.scale_origin(dataset)})"
    return "\n".join([*lines, f"  scale  {scale}", f"  sha256 {facts['sha256']}"])
