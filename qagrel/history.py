"""A finished run as one file: save a History, and load it with distrust.

The file is an archive of plain arrays (`qagrel.store`): a head in JSON that describes the run
and the sizes of all that follows, the columns of the epoch table, the confusion counts, the
weights, the log of trials if there is one, and a checksum over everything.  Equal histories give
equal bytes.
"""

import hashlib
import itertools
import json
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qagrel import store, triallog
from qagrel.arrays import Label
from qagrel.errors import InputError
from qagrel.network import MOMENTS
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.triallog import TrialLog

Arrays = dict[str, NDArray[Any]]
Layout = dict[str, tuple[Any, tuple[int, ...]]]  # type and shape by name

COLUMNS = (
    *("epoch", "learning_rate", "reward", "error"),
    *("loss", "train_accuracy", "validation_accuracy"),
)


class _Place(BaseModel):
    """Where a PCG64 generator is, as NumPy has it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    state: int = Field(ge=0, lt=2**128)
    inc: int = Field(ge=0, lt=2**128)


class _Stream(BaseModel):
    """The state of a random stream, as NumPy has it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    bit_generator: Literal["PCG64"]
    state: _Place
    has_uint32: int = Field(ge=0, le=1)
    uinteger: int = Field(ge=0, lt=2**32)


class _Head(BaseModel):
    """What the arrays of a saved run do not say themselves."""

    model_config = ConfigDict(strict=True, extra="forbid")

    format: Literal["qagrel run 1", "qagrel run 2"] = "qagrel run 2"
    spec: dict[str, Any]
    status: Literal["converged", "max-epochs", "diverged", "stopped"]
    # None: diverged, or no test samples
    test_accuracy: float | None = Field(ge=0, le=100, allow_inf_nan=False)
    n_epochs: int = Field(ge=1)
    n_inputs: int = Field(ge=1)
    n_classes: int = Field(ge=1)
    n_batches: int | None = Field(ge=1)  # None: batches were not recorded
    # not in format 1
    grey_max: int | None = Field(None, ge=1, le=255)
    inputs: Literal["levels", "values"] = "levels"
    # of one kind; None: 0, 1, 2 and so on
    classes: list[Label] | None = None
    dataset_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    streams: dict[str, _Stream] | None = None
    n_trials: int | None = Field(None, ge=1)  # an epoch; None: trials were not recorded


def save(history: History, path: store.StrPath) -> None:
    """Save a run, weights and records included, to be loaded by `load`.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    arrays: Arrays = {"head": _head(history)}
    arrays |= {f"epochs.{name}": _column(history, name) for name in columns(history.spec)}
    arrays["confusion"] = history.confusion
    arrays |= _numbered("weights", history.weights)
    if history.spec.feedback != "symmetric":  # else it is the forward weights
        arrays |= _numbered("feedback_weights", history.feedback_weights)
    for name, matrices in history.moments.items():
        arrays |= _numbered(name, matrices)
    if history.moments:
        arrays["steps"] = np.array([history.steps])
    for name in ("batch_wrong", "batch_loss", "batch_size", "batch_reward"):
        if (values := getattr(history, name)) is not None:
            arrays[name] = values
    if history.trial_log is not None:
        arrays |= {f"trials.{name}": a for name, a in history.trial_log._asdict().items()}
    store.write_npz(path, {**arrays, "sha256": _checksum(arrays)})


def load(path: store.StrPath) -> History:
    """Load a run that `save` saved.

    Raises
    ------
    InputError
        When the file is missing, damaged, changed, or no saved run.
    """
    arrays = store.read_npz(path)
    try:
        return _history(arrays)
    except ValueError as error:
        raise InputError(
            f"{path} is not a saved run ({error}): restore it, or train and save again"
        ) from error


def _head(history: History) -> NDArray[np.uint8]:
    head = _Head(
        spec=history.spec.model_dump(mode="json"),
        status=cast(Any, history.status),
        test_accuracy=None if np.isnan(history.test_accuracy) else history.test_accuracy,
        n_epochs=history.n_epochs,
        n_inputs=history.weights[0].shape[0],
        n_classes=history.confusion.shape[1],
        n_batches=None if history.batch_size is None else history.batch_size.size,
        grey_max=history.grey_max,
        inputs=history.inputs,
        classes=list(history.classes),
        dataset_sha256=history.dataset_sha256,
        streams=cast(Any, history.streams),
        n_trials=None if history.trial_log is None else history.trial_log.sample.shape[1],
    )
    text = json.dumps(head.model_dump(), sort_keys=True)
    return np.frombuffer(text.encode(), np.uint8)


def columns(spec: RunSpec) -> tuple[str, ...]:
    """Columns of the epoch table; feedback that is no other than the weights has no angle."""
    layers = range(2, len(spec.hidden) + 2) if spec.feedback != "symmetric" else ()
    best = ("optimal_reward",) if spec.has_own_rewards else ()
    return (*COLUMNS, *best, *(f"angle_{layer}" for layer in layers))


def _column(history: History, name: str) -> NDArray[Any]:
    dtype = np.int64 if name == "epoch" else np.float64
    return np.array([row[name] for row in history.rows], dtype)


def _numbered(name: str, matrices: list[Any]) -> Arrays:
    return {f"{name}.{layer}": matrix for layer, matrix in enumerate(matrices, start=1)}


def _checksum(arrays: Arrays) -> NDArray[np.uint8]:
    """SHA-256 of the names, types, shapes and values of arrays."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{name} {little.dtype.str} {array.shape}\n".encode())
        digest.update(little.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _history(arrays: Arrays) -> History:
    """The run in the arrays of a file; ValueError, without naming the file, if there is none."""
    head = _parse_head(arrays)
    spec = RunSpec(**head.spec)
    _check_layout(arrays, _layout(head, spec))
    if spec.payoff is not None and len(spec.payoff) != head.n_classes:
        raise ValueError(f"payoff: it has not a row for each of {head.n_classes} classes")
    classes: Any = list(range(head.n_classes)) if head.classes is None else head.classes
    alike = len({type(label) for label in classes}) == 1
    if len(classes) != head.n_classes or not alike or classes != sorted(set(classes)):
        raise ValueError(f"classes: it has not {head.n_classes} different ones, rising")
    feedback = "weights" if spec.feedback == "symmetric" else "feedback_weights"
    weights, feedback_weights = (
        [arrays[f"{name}.{layer}"].copy() for layer in range(1, len(spec.hidden) + 2)]
        for name in ("weights", feedback)
    )
    moments = {
        name: [arrays[f"{name}.{layer}"].copy() for layer in range(1, len(spec.hidden) + 2)]
        for name in MOMENTS[spec.optimizer]
    }
    if head.status != "diverged" and not all(
        np.isfinite(matrix).all()
        for matrix in itertools.chain(weights, feedback_weights, *moments.values())
    ):
        raise ValueError("its weights, or what its optimizer keeps, are not all finite numbers")
    if head.test_accuracy is not None and head.status == "diverged":
        raise ValueError("a run has a test accuracy only unless it diverged")
    if (_checksum({n: a for n, a in arrays.items() if n != "sha256"}) != arrays["sha256"]).any():
        raise ValueError("its contents were changed, they do not fit their checksum")
    table = {name: arrays[f"epochs.{name}"].tolist() for name in columns(spec)}
    return History(
        spec=spec,
        rows=[dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)],
        confusion=arrays["confusion"].copy(),
        batch_wrong=arrays.get("batch_wrong"),
        batch_loss=arrays.get("batch_loss"),
        batch_size=arrays.get("batch_size"),
        batch_reward=arrays.get("batch_reward"),
        trial_log=_trial_log(arrays, head, spec),
        weights=weights,
        feedback_weights=feedback_weights,
        test_accuracy=float("nan") if head.test_accuracy is None else head.test_accuracy,
        status=head.status,
        grey_max=head.grey_max,
        inputs=head.inputs,
        classes=tuple(classes),
        dataset_sha256=head.dataset_sha256,
        streams=None if head.streams is None else head.model_dump()["streams"],
        moments=moments,
        steps=int(arrays["steps"][0]) if moments else 0,
    )


def _trial_log(arrays: Arrays, head: _Head, spec: RunSpec) -> TrialLog | None:
    if head.n_trials is None:
        return None
    log = TrialLog(*(arrays[f"trials.{name}"] for name in TrialLog._fields))
    n_actions = spec.n_actions(head.n_classes)
    if log.target.max() >= head.n_classes or log.action.max() >= n_actions:
        raise ValueError("trials: a class or an action is out of range")
    return log


def _parse_head(arrays: Arrays) -> _Head:
    if "head" not in arrays or arrays["head"].dtype != np.uint8:
        raise ValueError("it has no head")
    try:
        return _Head.model_validate_json(arrays["head"].tobytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "head"
        raise ValueError(f"{where}: {fault['msg']}") from error


def _layout(head: _Head, spec: RunSpec) -> Layout:
    """Type and shape of every array that a run with this head consists of."""
    n_actions = spec.n_actions(head.n_classes)
    widths = (head.n_inputs, *spec.hidden, n_actions)
    shapes = itertools.pairwise(widths)
    floats, counts = np.float64, np.int64
    layout: Layout = {
        "sha256": (np.uint8, (32,)),
        "confusion": (counts, (head.n_epochs, head.n_classes, n_actions)),
    }
    for name in columns(spec):
        layout[f"epochs.{name}"] = (counts if name == "epoch" else floats, (head.n_epochs,))
    for layer, shape in enumerate(shapes, start=1):
        layout[f"weights.{layer}"] = (spec.precision, shape)
        if spec.feedback != "symmetric":
            layout[f"feedback_weights.{layer}"] = (spec.precision, shape)
        for name in MOMENTS[spec.optimizer]:
            layout[f"{name}.{layer}"] = (spec.precision, shape)
    if MOMENTS[spec.optimizer]:
        layout["steps"] = (counts, (1,))
    if head.n_batches is not None:
        by_batch = (head.n_epochs, head.n_batches)
        layout |= {"batch_wrong": (counts, by_batch), "batch_loss": (floats, by_batch)}
        layout["batch_size"] = (counts, (head.n_batches,))
        if spec.has_own_rewards:
            layout["batch_reward"] = (floats, by_batch)
    if head.n_trials is not None:
        log = triallog.layout(head.n_epochs, head.n_trials, spec.precision)
        layout |= {f"trials.{name}": kind for name, kind in log.items()}
    return layout


def _check_layout(arrays: Arrays, layout: Layout) -> None:
    for name in arrays.keys() - layout.keys() - {"head"}:
        raise ValueError(f"it holds an unknown array {name!r}")
    for name, (dtype, shape) in layout.items():
        if name not in arrays:
            raise ValueError(f"its array {name!r} is missing")
        found = arrays[name]
        if found.dtype != dtype or found.shape != shape:
            raise ValueError(
                f"{name} is {found.dtype} of shape {found.shape}, "
                f"not {np.dtype(dtype)} of shape {shape}"
            )
