"""What several test modules use; fixtures are in `conftest.py`."""

import json
import re
import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numba
import numpy as np
import pytest

from qagrel import Dataset, History, RunSpec
from qagrel.rules import RULES

ROOT = Path(__file__).parents[1]
QAGREL = [sys.executable, "-m", "qagrel"]

RULES_AND_LOSSES = [  # every rule that there is; the loss matters to error-bp only
    *((rule, "cross-entropy") for rule in RULES),
    ("error-bp", "squared-error"),
]
REGIMES = ["symmetric", "learned", "fixed"]

# A run on the data set `patches` that takes milliseconds; tests change what they are about.
SMALL = RunSpec(
    dataset="patches",
    hidden=(9, 7),
    learning_rate=0.5,
    batch_size=7,
    max_epochs=4,
    epsilon=0.3,
    weight_range=0.5,
    feedback_range=0.4,
    validation_size=10,
    validation_every=2,
    stop_checks=0,
    precision="float64",
)
# A single trial in which much is to be seen: the weights are large, those of feedback others.
TRIAL = SMALL.replace(hidden=(3, 2), feedback="learned", weight_range=2.0, feedback_range=2.0)


def deterministic(max_examples: int) -> hypothesis.settings:
    """The same examples every time, however long they take."""
    return hypothesis.settings(
        derandomize=True, database=None, deadline=None, max_examples=max_examples
    )


def where_compiled(reason: str) -> pytest.MarkDecorator:
    """Leave a test out where nothing is compiled."""
    return pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason=reason)


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def is_refused(ended: Ended) -> bool:
    """Whether a command ended with one sentence of a length that can be read."""
    return ended.code == 2 and bool(re.fullmatch(r"qagrel: [^\n]{10,600}\n", ended.err))


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the working one, in which everything is kept: as a user's, who set nothing."""
    monkeypatch.chdir(folder)
    for name in ("QAGREL_STATE_DIR", "QAGREL_RESULTS_DIR", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    return folder


def contents(history: History) -> Any:
    """All that a run has, comparable bit for bit."""
    kept = [matrix for matrices in history.moments.values() for matrix in matrices]
    matrices = [w.tobytes() for w in (*history.weights, *history.feedback_weights, *kept)]
    numbers = (json.dumps(history.rows), history.confusion.tolist(), history.test_accuracy)
    left = history.streams, history.steps
    return history.spec, history.status, numbers, matrices, left


def dataset_from(
    name: str, images: np.ndarray, labels: np.ndarray, n_test: int, image_shape: tuple[int, int]
) -> Dataset:
    """A data set of 256 grey levels, whose last samples are those of the test."""
    return Dataset(
        name=name,
        train_images=images[:-n_test],
        train_labels=labels[:-n_test],
        test_images=images[-n_test:],
        test_labels=labels[-n_test:],
        grey_max=255,
        n_classes=max(2, int(labels.max()) + 1),
        image_shape=image_shape,
    )


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file has it."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
