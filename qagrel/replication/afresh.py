"""Runs trained afresh for an audit, several at a time.

What the pipeline keeps is not looked at, since it may be what is audited.  Whole runs are kept in a
folder of their own until the audit that asked for them ends, so that an interrupted one goes on.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qagrel import history
from qagrel.dataset import Dataset
from qagrel.epoch import Epoch
from qagrel.replication import sweep
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.training import settle, train


def train_all(
    specs: Sequence[RunSpec], n_epochs: int | None = None, workers: int | None = None
) -> Iterator[History]:
    """Each run in its order, its first `n_epochs` or (None) the whole.

    Parameters
    ----------
    workers : how many at a time; by default as many as there are cores.
    """
    for spec in specs:
        sweep.arithmetic_of(spec)  # compiled and computed once, before the threads
    stop = threading.Event()
    with ThreadPoolExecutor(workers or sweep.n_workers()) as pool:
        try:
            runs = [pool.submit(_train, spec, n_epochs, stop) for spec in specs]
            for run in runs:
                yield run.result()
        finally:  # interrupted, or not asked for more: threads end with their epoch
            stop.set()
            pool.shutdown(cancel_futures=True)


def forget(specs: Sequence[RunSpec]) -> None:
    """Remove what was kept of these runs, as the audit that asked for them has ended."""
    for spec in specs:
        _path(*settle(spec, None)).unlink(missing_ok=True)


def _train(spec: RunSpec, n_epochs: int | None, stop: threading.Event) -> History:
    spec, dataset = settle(spec, None)
    path = _path(spec, dataset)

    def is_enough(epoch: Epoch) -> bool:
        return stop.is_set() or (n_epochs is not None and epoch["epoch"] >= n_epochs)

    with sweep.turn(path):
        if n_epochs is None and (kept := sweep.kept_in(path, spec, dataset)):
            return kept
        trained = train(spec, dataset, on_epoch=is_enough)
        if n_epochs is None and trained.status != "stopped":
            history.save(trained, path)
    return trained


def _path(spec: RunSpec, dataset: Dataset) -> Path:
    return sweep.state_folder().parent / "audit" / f"{sweep.run_key(spec, dataset)}.npz"
