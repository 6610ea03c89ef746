"""Many runs: side by side on all cores, with progress, kept one by one as they finish.

A finished run is kept in the state folder under a key made of its RunSpec, its data and a
*fingerprint* of the arithmetic: what the present code, libraries and machine make of a few small
runs of every rule.  So an interrupted sweep goes on where it was, and nothing that other
parameters, data or kernels computed is ever taken for a result.

Any process may be killed at any moment: what is kept is whole (`qagrel.store`), a lock ends with
its process, and a sweep ends with the DVC that started it.
"""

import contextlib
import functools
import hashlib
import importlib
import json
import os
import platform
import site
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from qagrel import history as files
from qagrel import store
from qagrel.dataset import Dataset
from qagrel.datasets import dataset_of, load_dataset
from qagrel.epoch import Epoch
from qagrel.errors import InputError, say, say_once
from qagrel.replication import measures
from qagrel.rules import ACTIVATIONS, FEEDBACKS, OPTIMIZERS, RULES
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.training import check_fit, settle, train

PAPER_RULES = ("q-agrel", "error-bp")
SECONDS_TO_CONNECT = 10  # to a scheduler
SECONDS_FOR_WORKERS = 30  # until it has one


class StoppedError(Exception):
    """A run was asked to end early."""


def state_folder() -> Path:
    """Where finished runs are kept: `QAGREL_STATE_DIR`, else `.qagrel` in the working folder."""
    return store.place("QAGREL_STATE_DIR", ".qagrel") / "runs"


def run_key(spec: RunSpec, dataset: Dataset) -> str:
    """What a finished run is kept under."""
    parts = [spec.id, dataset.sha256, arithmetic_of(spec)]
    if not dataset.has_levels:
        parts.append(fingerprint_of_values(spec.precision))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


class Option(NamedTuple):
    """What a run may use beyond the paper, and small runs that show what the code makes of it."""

    is_used: Callable[[RunSpec], bool]
    variants: Sequence[dict[str, Any]]  # fields of the small runs, see `fingerprint`


def _of_rule(rule: str) -> Option:
    variants = [{"rule": rule, "feedback": feedback} for feedback in FEEDBACKS]
    return Option(lambda spec: spec.rule == rule, variants)


# An option has its own small runs in the fingerprint of the runs that use it, and in no other: so
# a new one leaves what there is as it is, and nothing has to be trained again.
OPTIONS = {
    **{rule: _of_rule(rule) for rule in RULES if rule not in PAPER_RULES},
    "rewards": Option(
        lambda spec: spec.has_own_rewards,
        [
            {"payoff": ((1.0, 0.25, -1.0),) * 4 + ((0.0, 0.0, 2.0),) * 6, "feedback": "learned"},
            {"reward_omission": 0.2, "reward_flip": 0.3},
            {"payoff_switch": 3, "payoff_after": ((0.0, 1.0) * 5, (1.0, 0.0) * 5) * 5},
        ],
    ),
    "initial values": Option(
        lambda spec: spec.initial_q is not None,
        [{"initial_q": 0.5}, {"initial_q": -0.1, "hidden": (40,), "activation": "tanh"}],
    ),
    "novelty": Option(lambda spec: spec.novelty > 0, [{"novelty": 2.0}]),
    "activations": Option(
        lambda spec: spec.activation != "relu",
        [
            {"activation": activation, "rule": rule, "feedback": "learned"}
            for activation in ACTIVATIONS
            for rule in PAPER_RULES
        ],
    ),
    "optimizers": Option(
        lambda spec: spec.optimizer != "sgd",
        [
            {"optimizer": optimizer, "feedback": "learned", "learning_rate": 0.05}
            for optimizer in OPTIMIZERS
        ],
    ),
    "disturbed feedback": Option(
        lambda spec: (
            spec.feedback_correlation is not None
            or spec.feedback_noise > 0
            or spec.feedback_silenced > 0
        ),
        [
            {"feedback": "fixed", "feedback_correlation": 0.5},
            {"feedback_noise": 0.7, "feedback_silenced": 0.3},
        ],
    ),
    "distortion": Option(
        lambda spec: spec.distortion != "none",
        [
            {"distortion": "affine", "feedback": "learned"},
            {"distortion": "affine", "distortion_range": 0.3, "validation_draw": "run"},
        ],
    ),
}
BASE_VARIANTS: Sequence[dict[str, Any]] = (
    *(
        {"rule": rule, "feedback": feedback, "loss": loss}
        for rule, loss in (
            ("q-agrel", "cross-entropy"),
            ("error-bp", "cross-entropy"),
            ("error-bp", "squared-error"),
        )
        for feedback in FEEDBACKS
    ),
    {"hidden": (300,), "batch_size": 1, "learning_rate": 0.01},
    {"input_scale": "binary", "validation_draw": "run", "temperature": 0.1},
    {"hidden": (40, 30, 20), "learning_rate_end": 1.0},
)


def arithmetic_of(spec: RunSpec) -> str:
    """The fingerprint that a run depends on: that of the paper's runs and of its own options."""
    used = (name for name, option in OPTIONS.items() if option.is_used(spec))
    return fingerprint(spec.precision, *used)


@functools.cache
def fingerprint(precision: str = "float32", *options: str) -> str:
    """A hash of what small runs come to, bit by bit, with the code as it is.

    The runs are those of the paper's rules, and those of each option that is named.
    """
    variants = (*BASE_VARIANTS, *(v for name in options for v in OPTIONS[name].variants))
    return _digest(_small_dataset(), precision, variants)


@functools.cache
def fingerprint_of_values(precision: str) -> str:
    """The same of samples that are values, of either sign, not grey levels."""
    small = _small_dataset()
    values = small.train_images / np.float64(255) - 0.1
    dataset = Dataset.from_arrays(values, small.train_labels, name=small.name)
    return _digest(dataset, precision, [{"rule": rule, "feedback": "learned"} for rule in RULES])


def _digest(dataset: Dataset, precision: str, variants: Sequence[dict[str, Any]]) -> str:
    base = RunSpec(
        dataset=dataset.name,
        validation_size=40,
        batch_size=30,
        max_epochs=6,
        validation_every=2,
        stop_checks=2,
        drop_epoch=4,
        learning_rate=0.5,
        epsilon=0.2,
        precision=precision,
    )
    digest = hashlib.sha256()
    for variant in variants:
        history = train(base.replace(**variant), dataset)
        digest.update(json.dumps([history.rows, history.status, history.test_accuracy]).encode())
        for matrix in (*history.weights, *history.feedback_weights):
            digest.update(matrix.tobytes())
    return digest.hexdigest()


def _small_dataset() -> Dataset:
    """As wide as MNIST, as sparse, and small: noise around one blurred pattern a class."""
    generator = np.random.default_rng(0)
    labels = np.arange(250, dtype=np.uint8) % 10
    pattern = generator.random((10, 784)) < 0.2
    level = generator.integers(1, 256, (250, 784), dtype=np.uint8)
    images = (level * (pattern[labels] ^ (generator.random((250, 784)) < 0.05))).astype(np.uint8)
    return Dataset(
        name="fingerprint",
        train_images=images[:200],
        train_labels=labels[:200],
        test_images=images[200:],
        test_labels=labels[200:],
        grey_max=255,
        n_classes=10,
        image_shape=(28, 28),
    )


def n_workers() -> int:
    """Cores that this process may really use: affinity and container limits respected."""
    return int(joblib.cpu_count())


def run(
    spec: RunSpec,
    dataset: Dataset | None = None,
    *,
    record_batches: bool = False,
    on_epoch: Callable[[Mapping[str, float]], object] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
) -> History:
    """One run: the kept one if there is such, else trained now and kept.

    Two processes that want the same run at once take turns, and the second finds it done.

    Parameters
    ----------
    record_batches : see `qagrel.training.train`.
    on_epoch : called with the record of each epoch, those of a kept run too, so that a progress
        display ends where they do.  Whatever it returns, the run goes on to its own end: what is
        kept under a key is whole.
    on_wait : called every second while another process has its turn; an exception that it raises
        ends the waiting.
    """
    spec, dataset = settle(spec, dataset)
    path = _path(spec, dataset)
    with turn(path, on_wait):
        history = kept(spec, dataset)
        if history is not None and (history.batch_wrong is not None or not record_batches):
            for row in history.rows:
                on_epoch(row)
            return history

        def show(epoch: Epoch) -> None:
            on_epoch(epoch)

        history = train(spec, dataset, record_batches=record_batches, on_epoch=show)
        _keep(history, path)
    return history


class Measured(NamedTuple):
    """A run, and what was measured inside it."""

    history: History
    table: pd.DataFrame


def measured(
    spec: RunSpec,
    dataset: Dataset,
    measure: str,
    *,
    on_epoch: Callable[[Mapping[str, float]], object],
    on_wait: Callable[[], None],
) -> Measured:
    """One run with what a measure makes of it: kept ones if there are such, as `run` does.

    They are kept apart from other runs, under the sources of the measures too.
    """
    spec, dataset = settle(spec, dataset)
    path = state_folder() / f"{run_key(spec, dataset)}-{measure}-{_measures_stamp()}.npz"
    with turn(path, on_wait):
        is_whole = path.with_suffix(".csv").exists()
        history = kept_in(path, spec, dataset) if is_whole else None
        if history is not None:
            for row in history.rows:
                on_epoch(row)
        else:
            history, table = measures.MEASURES[measure](spec, dataset, on_epoch)
            store.write_csv(path.with_suffix(".csv"), table)
            _keep(history, path)
        return Measured(history, store.read_csv(path.with_suffix(".csv"), {}))


@functools.cache
def _measures_stamp() -> str:
    """A hash of the code that measures."""
    return hashlib.sha256(Path(measures.__file__).read_bytes()).hexdigest()[:8]


def kept(spec: RunSpec, dataset: Dataset) -> History | None:
    """The finished run of a specification on this data, if it was kept (see `kept_in`)."""
    spec, dataset = settle(spec, dataset)
    return kept_in(_path(spec, dataset), spec, dataset)


def kept_in(
    path: Path,
    spec: RunSpec,
    dataset: Dataset,
    n_epochs: int | None = None,
    say: Callable[[str], None] = say,
) -> History | None:
    """The run that a file keeps, if there is one: as `load_kept` has it.

    A file that is damaged, or holds another run, counts for nothing, which one sentence says.
    """
    if not path.exists():
        return None
    try:
        return load_kept(path, spec, dataset, n_epochs)
    except InputError as error:
        say(f"{str(error).rpartition(': ')[0]}: it is trained again")
        return None


def load_kept(path: Path, spec: RunSpec, dataset: Dataset, n_epochs: int | None = None) -> History:
    """The run that a file keeps, which has to be that of this specification on this data.

    Parameters
    ----------
    n_epochs : how many epochs it has by then; None: all, to its own end.

    Raises
    ------
    InputError
        When the file is missing or damaged, or holds another run.
    """
    history = files.load(path)
    is_so_far = history.status != "stopped" if n_epochs is None else history.n_epochs == n_epochs
    if (history.spec, history.dataset_sha256) != (spec, dataset.sha256) or not is_so_far:
        raise InputError(f"{path} holds another run than its name says: remove it")
    return history


def _path(spec: RunSpec, dataset: Dataset) -> Path:
    return state_folder() / f"{run_key(spec, dataset)}.npz"


def turn(
    path: Path, on_wait: Callable[[], None] = lambda: None
) -> contextlib.AbstractContextManager[Any]:
    """A context that one process at a time can be in, by the path of what it works on.

    The lock file beside that path stays behind, empty: were it removed, one process that waits
    for it and one that comes later could both go on.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_suffix(".lock"))
        while True:
            try:
                return lock.acquire(timeout=1)
            except filelock.Timeout:
                on_wait()
    except OSError as error:
        raise InputError(
            f"{path.parent} cannot be written ({error.strerror or error}): make room there, or "
            "name another folder in QAGREL_STATE_DIR"
        ) from error


def _keep(history: History, path: Path) -> None:
    """Keep a run whose turn this process has, without what killed writers left of it."""
    for leftover in path.parent.glob(f".{path.name}.*.part"):
        leftover.unlink(missing_ok=True)
    files.save(history, path)


def run_all(
    specs: Sequence[RunSpec],
    workers: int | None = None,
    scheduler: str | None = None,
    title: str = "",
) -> list[History]:
    """All runs, in order, several at a time, with one progress display on standard error.

    Parameters
    ----------
    workers : how many at a time; by default as many as there are cores.
    scheduler : address of a Dask scheduler; runs then go to its workers, and come back to be kept
        here. By default the one that Dask's own configuration names, if any, unless `workers` is
        given.
    title : what the progress display calls them.
    """
    _end_with_dvc()
    if scheduler is None and workers is None:
        scheduler = configured_scheduler()
    datasets = _datasets_of(specs)
    with _Progress(specs, title) as progress:
        if scheduler is not None:
            return _on_cluster(specs, datasets, scheduler, progress)
        return _on_threads(specs, datasets, _threads(specs, workers), progress, run)


def measure_all(
    specs: Sequence[RunSpec], measure: str, workers: int | None = None, title: str = ""
) -> list[Measured]:
    """`run_all` for `measured` runs, which are trained on this machine."""
    _end_with_dvc()
    datasets = _datasets_of(specs)
    with _Progress(specs, title) as progress:
        job = functools.partial(measured, measure=measure)
        return _on_threads(specs, datasets, _threads(specs, workers), progress, job)


def _datasets_of(specs: Sequence[RunSpec]) -> list[Dataset]:
    """The data of each run, which fit it; and the arithmetic's hash, before there are threads."""
    unlike = {(spec.dataset, spec.grey_max): spec for spec in specs}
    loaded = {key: dataset_of(spec) for key, spec in unlike.items()}
    datasets = [loaded[spec.dataset, spec.grey_max] for spec in specs]
    for spec, dataset in zip(specs, datasets, strict=True):
        check_fit(spec, dataset)
    for spec in specs:
        arithmetic_of(spec)  # compiled and computed once
    return datasets


def _threads(specs: Sequence[RunSpec], workers: int | None) -> int:
    return min(workers or n_workers(), max(len(specs), 1))


@functools.cache
def _end_with_dvc() -> None:
    """Where DVC runs this process as a stage, end it when DVC is gone: one killed tells nobody.

    The end may be abrupt, since what is kept is whole at any moment.
    """
    if "DVC_STAGE" in os.environ and os.name == "posix":
        threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = os.getppid()
    with contextlib.suppress(ProcessLookupError):
        # the parent that orphans get has a session of its own: DVC may be gone by now
        while os.getppid() == parent and os.getsid(parent) == os.getsid(0):
            time.sleep(0.5)
    try:
        say("stopped, since DVC is gone; finished runs are kept: the same command goes on")
    finally:  # the terminal may be gone too
        os._exit(130)


def _on_threads(
    specs: Sequence[RunSpec],
    datasets: Sequence[Dataset],
    workers: int,
    progress: "_Progress",
    job: Callable[..., Any],
) -> list[Any]:
    """Runs on threads, which share the data: the kernels release the interpreter's lock."""
    stop = threading.Event()
    threads = set()

    def go_on() -> None:
        if stop.is_set():
            raise StoppedError

    def one(i: int) -> Any:
        def on_epoch(_: Mapping[str, float]) -> None:
            go_on()
            progress.epoch(i)

        def on_wait() -> None:
            go_on()
            progress.wait()

        threads.add(threading.current_thread())
        go_on()
        done = job(specs[i], datasets[i], on_epoch=on_epoch, on_wait=on_wait)
        progress.finished(i, (done.history if isinstance(done, Measured) else done).n_epochs)
        return done

    parallel = joblib.Parallel(workers, backend="threading")
    try:
        return list(parallel(joblib.delayed(one)(i) for i in range(len(specs))))
    except BaseException:
        stop.set()
        for thread in threads - {threading.current_thread()}:
            thread.join()  # until the end of its epoch
        raise


def _on_cluster(
    specs: Sequence[RunSpec], datasets: Sequence[Dataset], scheduler: str, progress: "_Progress"
) -> list[History]:
    """Runs on the workers of a Dask cluster; those that are kept already are not sent."""
    histories, paths = {}, {}
    for i, spec in enumerate(specs):
        history = kept(spec, datasets[i])
        if history is None:
            paths[i] = _path(spec, datasets[i])
        else:
            histories[i] = history
            progress.finished(i, history.n_epochs)
    with (
        _cluster(scheduler),
        # joblib warns of what an interruption leaves undone
        warnings.catch_warnings(action="ignore", category=UserWarning),
    ):
        calls = (joblib.delayed(_remote)(i, specs[i], path.stem) for i, path in paths.items())
        parallel = joblib.Parallel(batch_size=1, return_as="generator_unordered")
        with contextlib.closing(parallel(calls)) as finished:
            for i, history in finished:
                with turn(paths[i]):
                    _keep(history, paths[i])
                histories[i] = history
                progress.finished(i, history.n_epochs)
    return [histories[i] for i in range(len(specs))]


def configured_scheduler() -> str | None:
    """The address of a scheduler in Dask's own configuration (`DASK_SCHEDULER_ADDRESS`), if any.

    Raises
    ------
    InputError
        When the configuration cannot be read, or Dask is not installed.
    """
    if not _is_dask_configured():
        return None  # without an import of Dask, which takes a third of a second
    try:
        address = importlib.import_module("dask.config").get("scheduler-address", None)
    except ImportError:
        address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    except ValueError as error:
        raise InputError(f"scheduler: Dask's configuration cannot be read ({error})") from error
    if not address:
        return None
    say_once(f"Dask's configuration names the scheduler {address}: runs go to its workers")
    return str(address)


def _is_dask_configured() -> bool:
    """Whether there is anything of which Dask makes its configuration."""
    folders = [Path(folder, "etc", "dask") for folder in ("/", sys.prefix, *site.PREFIXES)]
    folders.append(Path(os.path.expanduser("~/.config/dask")))  # noqa: PTH111 -- without HOME too
    has_variable = any(name.startswith("DASK_") for name in os.environ)
    return has_variable or any(folder.exists() for folder in folders)


@contextlib.contextmanager
def _cluster(scheduler: str) -> Iterator[None]:
    """A context in which joblib sends its calls to the workers of a Dask scheduler."""
    try:
        distributed = importlib.import_module("distributed")
        dask = importlib.import_module("joblib._dask")
    except ImportError:
        raise InputError(
            "a scheduler needs Dask, which is not installed: pip install 'qagrel[cluster]'"
        ) from None
    try:
        address = distributed.comm.resolve_address(scheduler)
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler: {scheduler!r} does not answer: {error}") from None

    class Backend(dask.DaskDistributedBackend):  # type: ignore[misc, name-defined]
        """Also a single worker gets the runs: joblib keeps here what has one place to go to."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            return int(max(2, super().effective_n_jobs(n_jobs)))

    try:
        with client, joblib.parallel_config(backend=Backend(client=client)):
            client.wait_for_workers(1, timeout=SECONDS_FOR_WORKERS)
            yield
    except (OSError, CancelledError, distributed.KilledWorker) as error:
        raise InputError(
            f"scheduler: {scheduler!r} has no workers, or lost them ({error}): look after the "
            "cluster, and give the same command again to go on"
        ) from error


def _remote(i: int, spec: RunSpec, key: str) -> tuple[int, History]:
    """One run on a worker, which has the code and the data itself."""
    try:
        dataset = _remote_dataset(spec.dataset, grey_max=spec.grey_max)
        if run_key(spec, dataset) != key:
            raise InputError(
                "other data, or other numbers computed, than on the machine that asks: give both "
                "the same data, version of qagrel and lock file, and start the workers again"
            )
        return i, train(spec, dataset)
    except InputError as error:
        raise InputError(f"worker on {platform.node()}: {error}") from error


_remote_dataset = functools.lru_cache(maxsize=1)(load_dataset)


class _Progress:
    """Epochs of all runs on one bar; runs that end early make the rest look nearer."""

    def __init__(self, specs: Sequence[RunSpec], title: str) -> None:
        self.lock = threading.Lock()
        self.done = [0] * len(specs)
        self.limit = [spec.max_epochs for spec in specs]
        self.lengths: list[int] = []
        self.waits = False
        self.bar = tqdm(
            desc=title, total=sum(self.limit), unit="epoch", smoothing=0.02, delay=0.5, disable=None
        )

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def epoch(self, i: int) -> None:
        """Run i trained one more epoch."""
        with self.lock:
            self.done[i] += 1
            self.bar.update()

    def wait(self) -> None:
        """A run is in the hands of another process, which is said once."""
        with self.lock:
            if not self.waits:
                say("another process trains some of these runs: waiting for it")
            self.waits = True

    def finished(self, i: int, n_epochs: int) -> None:
        """Run i is complete: the others may take as long as the finished ones did."""
        with self.lock:
            self.lengths.append(n_epochs)
            self.bar.update(n_epochs - self.done[i])
            self.done[i] = self.limit[i] = n_epochs
            typical = sum(self.lengths) // len(self.lengths)
            self.bar.total = sum(
                min(limit, max(typical, done))
                for done, limit in zip(self.done, self.limit, strict=True)
            )
            self.bar.set_postfix_str(f"{len(self.lengths)} of {len(self.done)} runs")
