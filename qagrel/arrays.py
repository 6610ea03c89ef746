"""Arrays of anyone's, as samples and labels: what is wrong in them is told by position."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qagrel.errors import InputError

MOST_FEATURES = 2**16  # what the 16 bits that name a feature in the kernels can tell apart
MOST_CLASSES = 256  # what the byte that is a sample's class can

Array = NDArray[Any]
Label = bool | int | float | str


def frozen(array: Array) -> Array:
    """The array, read-only from now on."""
    array.flags.writeable = False
    return array


def samples(name: str, given: Any) -> Array:
    """An own, read-only copy of samples, of shape (n, ...): grey levels, or finite floats.

    Bytes are grey levels and stay what they are; float32 stays too, all other numbers become
    float64.

    Raises
    ------
    InputError
        When there are no samples, or too many features, or one is no finite number.
    """
    array = _array(name, given.toarray() if hasattr(given, "toarray") else given)
    if array.ndim < 2 or 0 in array.shape:
        raise InputError(
            f"{name}: of shape {array.shape}: give at least one sample, in the shape (samples, "
            "features) or (samples, rows, columns)"
        )
    if (n_features := math.prod(array.shape[1:])) > MOST_FEATURES:
        raise InputError(
            f"{name}: {n_features} features a sample: give {MOST_FEATURES} at the most"
        )
    return frozen(array.copy(order="C") if array.dtype == np.uint8 else values(name, array))


def values(name: str, given: Any) -> Array:
    """Numbers of any type, bytes too, as a new array of finite floats."""
    array = _array(name, given)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: {array.dtype} is no type of numbers: give integers or floats")
    floats = array.astype(np.float32 if array.dtype == np.float32 else np.float64, order="C")
    check_finite(name, floats)
    return floats


def check_finite(name: str, values: Array, origin: Array | None = None) -> None:
    """Refuse what is not finite, by position; `origin` is what the values were before a cast."""
    if np.isfinite(values).all():
        return
    where = np.argwhere(~np.isfinite(values))[0].tolist()
    found = values[tuple(where)] if origin is None else origin[tuple(where)]
    reason = "no finite number" if origin is None else f"too large for {values.dtype}"
    remedy = "drop the sample or fill the gap" if origin is None else "scale it, or use float64"
    raise InputError(f"{name}: {found} at {where} is {reason}: {remedy}")


def labels(name: str, given: Any, n_samples: int) -> Array:
    """Labels, one a sample: numbers, truth values or texts.

    Raises
    ------
    InputError
        When their number or shape is another, or one is missing or of another kind.
    """
    array = _array(name, given)
    if array.dtype.kind == "O":
        array = _of_one_kind(name, array)
    if array.shape != (n_samples,):
        raise InputError(
            f"{name}: of shape {array.shape}, for {n_samples} samples: give one label a sample"
        )
    if array.dtype.kind not in "biufU":
        raise InputError(f"{name}: labels of type {array.dtype}: give numbers or texts")
    if array.dtype.kind == "f":
        check_finite(name, array)
    return array


def _array(name: str, given: Any) -> Array:
    if np.ma.is_masked(given):
        raise InputError(
            f"{name}: {int(np.ma.getmaskarray(given).sum())} of its entries are masked: drop these "
            "samples, or fill them"
        )
    try:
        array = np.asarray(given)
        if array.dtype.kind == "O" and array.ndim > 1:  # a table of mixed columns
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: no array of numbers ({error}): give one") from None
    return array


def _of_one_kind(name: str, array: Array) -> Array:
    """Labels that came as objects, in the type that they share."""
    kinds = {str if isinstance(label, str) else type(label) for label in array.ravel()}
    if kinds == {str} or all(issubclass(kind, int | float | np.number) for kind in kinds):
        return np.array(array.tolist())
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise InputError(f"{name}: labels of the types {names}: give numbers or texts, not both")


def classes_of(name: str, given: Array) -> tuple[Label, ...]:
    """The labels that occur in training, rising: a class each.

    Raises
    ------
    InputError
        When they are too few or too many.
    """
    classes: tuple[Label, ...] = tuple(np.unique(given).tolist())
    if not 2 <= len(classes) <= MOST_CLASSES:
        shown = f", {classes[0]!r}" if len(classes) == 1 else ""
        raise InputError(
            f"{name}: {len(classes)} different labels{shown}: give 2 to {MOST_CLASSES} classes"
        )
    return classes


def numbered(name: str, given: Array, classes: tuple[Label, ...]) -> Array:
    """The number of the class, counted from 0, of each label.

    Raises
    ------
    InputError
        When a label is no class.
    """
    known = np.array(classes)
    is_alike = (given.dtype.kind == "U") == (known.dtype.kind == "U")  # else 1 were like "1"
    strange = np.flatnonzero(~np.isin(given, known)) if is_alike else np.arange(given.size)
    if strange.size:
        raise InputError(
            f"{name}: label {given[strange[0]].item()!r} of sample {strange[0]} does not occur "
            "in training: drop such samples, or train with such too"
        )
    return frozen(np.searchsorted(known, given).astype(np.uint8))
