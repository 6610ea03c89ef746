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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock
import joblib
import numpy as np
from tqdm import tqdm

from qagrel import history as files
from qagrel.datasets import Dataset, load_dataset
from qagrel.spec import RunSpec
from qagrel.training import History, Row, check_fit, train


class Stopped(Exception):
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
    variants = [
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
    return joblib.cpu_count()


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
    path = state_folder() / f"{run_key(spec, dataset)}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if path.exists():
            history = files.load(path)
            if history.batch_wrong is not None or not record_batches:
                return history
        history = train(spec, dataset, record_batches=record_batches, on_epoch=on_epoch)
        files.save(history, path)
    return history


def run_all(specs: Sequence[RunSpec], *, workers: int | None = None) -> list[History]:
    """All runs, in order, several at a time, with one progress display on standard error."""
    datasets = {name: load_dataset(name) for name in {spec.dataset for spec in specs}}
    for spec in specs:
        check_fit(spec, datasets[spec.dataset])
    fingerprint()  # compiled and computed once, before the threads
    stop = threading.Event()

    with _Progress(specs) as progress:

        def one(i: int) -> tuple[int, History]:
            def on_epoch(row: Row) -> None:
                if stop.is_set():
                    raise Stopped
                progress.epoch(i)

            history = run(specs[i], datasets[specs[i].dataset], on_epoch=on_epoch)
            progress.finished(i, history.n_epochs)
            return i, history

        try:
            return _in_order(one, len(specs), workers or n_workers())
        finally:
            stop.set()


def _in_order(
    one: Callable[[int], tuple[int, History]], n_runs: int, workers: int
) -> list[History]:
    """Results of one(0), one(1), ... computed by threads: the kernels release the lock."""
    parallel = joblib.Parallel(n_jobs=workers, backend="threading", return_as="generator_unordered")
    results: Iterator[tuple[int, History]] = parallel(joblib.delayed(one)(i) for i in range(n_runs))
    histories = dict(results)
    return [histories[i] for i in range(n_runs)]


class _Progress:
    """Epochs of all runs on one bar; runs that end early make the rest look nearer."""

    def __init__(self, specs: Sequence[RunSpec]) -> None:
        self.lock = threading.Lock()
        self.done = [0] * len(specs)
        self.expected = [spec.max_epochs for spec in specs]
        self.finished_epochs: list[int] = []
        self.bar = tqdm(total=sum(self.expected), unit="epoch", smoothing=0.02, delay=0.5)

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
            self.finished_epochs.append(n_epochs)
            self.expected[i] = n_epochs
            self.bar.update(n_epochs - self.done[i])
            self.done[i] = n_epochs
            typical = int(np.mean(self.finished_epochs))
            self.bar.total = sum(
                min(limit, max(typical, done + 1)) if done < limit else limit
                for done, limit in zip(self.done, self.expected, strict=True)
            )
            self.bar.set_postfix_str(f"{len(self.finished_epochs)} of {len(self.done)} runs")
