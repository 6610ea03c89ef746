"""Many runs: side by side on all cores, with progress, kept one by one as they finish.

A finished run is kept in the state folder under a key made of its RunSpec, its data and a
*fingerprint* of the arithmetic: what the present code, libraries and machine make of a few small
runs of every rule.  So an interrupted sweep goes on where it was, and nothing that other
parameters, data or kernels computed is ever taken for a result.
"""

import functools
import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import filelock
import joblib
import numpy as np
from tqdm import tqdm

from qagrel import history as files
from qagrel.datasets import Dataset, load_dataset
from qagrel.errors import InputError
from qagrel.spec import RunSpec
from qagrel.training import History, Row, check_fit, train


class StoppedError(Exception):
    """A run was asked to end early."""


def state_folder() -> Path:
    """Where finished runs are kept: `QAGREL_STATE_DIR`, else `.qagrel` in the working folder."""
    return Path(os.environ.get("QAGREL_STATE_DIR", ".qagrel")) / "runs"


def run_key(spec: RunSpec, dataset: Dataset) -> str:
    """What a finished run is kept under."""
    parts = [spec.id, dataset.sha256, fingerprint(spec.precision)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@functools.cache
def fingerprint(precision: str = "float32") -> str:
    """A hash of what small runs of every rule come to, bit by bit, with the code as it is."""
    dataset = _small_dataset()
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
    variants: list[dict[str, Any]] = [
        {"rule": rule, "feedback": feedback, "loss": loss}
        for rule, loss in (
            ("q-agrel", "cross-entropy"),
            ("error-bp", "cross-entropy"),
            ("error-bp", "squared-error"),
        )
        for feedback in ("symmetric", "learned", "fixed")
    ]
    variants += [
        {"hidden": (300,), "batch_size": 1, "learning_rate": 0.01},
        {"input_scale": "binary", "validation_draw": "run", "temperature": 0.1},
        {"hidden": (40, 30, 20), "learning_rate_end": 1.0},
    ]
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
    on_epoch: Callable[[Row], None] | None = None,
) -> History:
    """One run: the kept one if there is such, else trained now and kept.

    Two processes that want the same run at once take turns, and the second finds it done.
    """
    dataset = load_dataset(spec.dataset) if dataset is None else dataset
    check_fit(spec, dataset)
    path = _path(spec, dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        history = kept(spec, dataset)
        if history is not None and (history.batch_wrong is not None or not record_batches):
            return history
        history = train(spec, dataset, record_batches=record_batches, on_epoch=on_epoch)
        files.save(history, path)
    return history


def kept(spec: RunSpec, dataset: Dataset) -> History | None:
    """The finished run of a specification on this data, if it was kept."""
    path = _path(spec, dataset)
    return files.load(path) if path.exists() else None


def _path(spec: RunSpec, dataset: Dataset) -> Path:
    return state_folder() / f"{run_key(spec, dataset)}.npz"


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
        here.
    title : what the progress display calls them.
    """
    datasets = {name: load_dataset(name) for name in {spec.dataset for spec in specs}}
    for spec in specs:
        check_fit(spec, datasets[spec.dataset])
    fingerprint()  # compiled and computed once, before the threads
    with _Progress(specs, title) as progress:
        if scheduler is not None:
            return _on_cluster(specs, datasets, scheduler, progress)
        return _on_threads(specs, datasets, workers or n_workers(), progress)


def _on_threads(
    specs: Sequence[RunSpec], datasets: dict[str, Dataset], workers: int, progress: "_Progress"
) -> list[History]:
    """Runs on threads, which share the data: the kernels release the interpreter's lock."""
    stop = threading.Event()

    def one(i: int) -> tuple[int, History]:
        def on_epoch(_: Row) -> None:
            if stop.is_set():
                raise StoppedError
            progress.epoch(i)

        if stop.is_set():
            raise StoppedError
        return i, run(specs[i], datasets[specs[i].dataset], on_epoch=on_epoch)

    parallel = joblib.Parallel(workers, backend="threading", return_as="generator_unordered")
    histories = {}
    try:
        for i, history in parallel(joblib.delayed(one)(i) for i in range(len(specs))):
            histories[i] = history
            progress.finished(i, history.n_epochs)
    finally:
        stop.set()
    return [histories[i] for i in range(len(specs))]


def _on_cluster(
    specs: Sequence[RunSpec], datasets: dict[str, Dataset], scheduler: str, progress: "_Progress"
) -> list[History]:
    """Runs on the workers of a Dask cluster; those that are kept already are not sent."""
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "a scheduler needs Dask, which is not installed: pip install 'qagrel[cluster]'"
        ) from None
    histories, missing = {}, []
    for i, spec in enumerate(specs):
        history = kept(spec, datasets[spec.dataset])
        if history is None:
            missing.append(i)
        else:
            histories[i] = history
            progress.finished(i, history.n_epochs)
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler: {scheduler!r} does not answer: {error}") from None
    with client, joblib.parallel_config(backend="dask", client=client):
        parallel = joblib.Parallel(return_as="generator_unordered")
        for i, there, history in parallel(joblib.delayed(_remote)(i, specs[i]) for i in missing):
            if there != fingerprint(specs[i].precision):
                raise InputError(
                    "a worker of the cluster computes other numbers than this machine: "
                    "give it the same version of qagrel and its lock file"
                )
            files.save(history, _path(specs[i], datasets[specs[i].dataset]))
            histories[i] = history
            progress.finished(i, history.n_epochs)
    return [histories[i] for i in range(len(specs))]


def _remote(i: int, spec: RunSpec) -> tuple[int, str, History]:
    """One run on a worker, which has the code and the data itself."""
    return i, fingerprint(spec.precision), train(spec)


class _Progress:
    """Epochs of all runs on one bar; runs that end early make the rest look nearer."""

    def __init__(self, specs: Sequence[RunSpec], title: str) -> None:
        self.lock = threading.Lock()
        self.done = [0] * len(specs)
        self.limit = [spec.max_epochs for spec in specs]
        self.lengths: list[int] = []
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
