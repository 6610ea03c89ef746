"""A data set: samples and labels, for training and for testing, as arrays that fit each other."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qagrel import arrays
from qagrel.arrays import MOST_CLASSES, Array, Label
from qagrel.errors import InputError
from qagrel.idx import FILES, REPLACE, Bytes, sha256_of
from qagrel.labels import are_counted

FLOATS = ("float32", "float64")  # of samples that are values


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test samples.

    Attributes
    ----------
    name : as it was asked for.
    train_images, test_images : grey levels, uint8 of shape (n, features); or values, float32 or
        float64, that are activities of the input as they stand.  There may be no test samples.
    train_labels, test_labels : numbers of classes, counted from 0, uint8 of shape (n,).
    grey_max : the grey level that stands for an activity of 1, from 1 to 255; None of values.
    n_classes : number of classes.
    image_shape : of one sample: (rows, columns), or (features,).
    classes : the label of each class as it came, rising; by default its number.
    from_files : whether the arrays came from files, of which complaints then speak.
    level_of_all : the largest grey level in training of the data set of which these are some
        classes; None of a whole one.

    Raises
    ------
    InputError
        When the arrays do not fit each other, a label is not a class, all images of a part are
        black, or another field is impossible.
    """

    name: str
    train_images: Array
    train_labels: Bytes
    test_images: Array
    test_labels: Bytes
    grey_max: int | None
    n_classes: int
    image_shape: tuple[int, ...]
    classes: tuple[Label, ...] = ()
    from_files: bool = False
    level_of_all: int | None = None

    def __post_init__(self) -> None:
        self._settle("name", _text("name", self.name))
        self._settle("image_shape", _image_shape(self.image_shape))
        self._settle("n_classes", _whole("n_classes", self.n_classes, 2, MOST_CLASSES))
        self._settle("classes", _classes(self.classes, self.n_classes))
        for part in ("train", "test"):
            for kind in ("images", "labels"):
                self._check_type(f"{part}_{kind}")
            self._check(part, getattr(self, f"{part}_images"), getattr(self, f"{part}_labels"))
        if self.has_levels:
            self._settle("grey_max", _whole("grey_max", self.grey_max, 1, 255))

    @classmethod
    def from_arrays(
        cls,
        X_train: Any,
        y_train: Any,
        X_test: Any = None,
        y_test: Any = None,
        *,
        name: str = "arrays",
        grey_max: int | None = None,
    ) -> "Dataset":
        """A data set of arrays, which are copied.

        Parameters
        ----------
        X_train, X_test : samples of shape (n, features), (n, rows, columns) or more; up to 65,536
            features.  Bytes (uint8) are grey levels.  All other numbers, of any sign and range,
            are the activities of the input as they stand, in the run's precision: scale them as
            for any network.
        y_train, y_test : a label a sample, numbers or texts; 2 to 256 of them occur in training,
            and are the classes in rising order.
        name : for messages and files.
        grey_max : the grey level that stands for an activity of 1; by default the largest one of
            the training samples.

        Raises
        ------
        InputError
            When an array cannot be meant, or they do not fit each other; by name and position.
        """
        train, labels = _part("train", X_train, y_train)
        if (X_test is None) != (y_test is None):
            raise InputError("X_test, y_test: one is missing: give both, or neither")
        classes = arrays.classes_of("y_train", labels)
        test, test_labels = train[:0], labels[:0]
        if X_test is not None:
            test, test_labels = _part("test", X_test, y_test)
            _check_alike(train, test)
        if grey_max is None and train.dtype == np.uint8:
            grey_max = max(int(train.max()), 1)
        elif train.dtype != np.uint8 and grey_max is not None:
            raise _no_levels("grey_max", name)
        return cls(
            name=name,
            train_images=train.reshape(len(train), -1),
            train_labels=arrays.numbered("y_train", labels, classes),
            test_images=test.reshape(len(test), train[0].size),
            test_labels=arrays.numbered("y_test", test_labels, classes),
            grey_max=grey_max,
            n_classes=len(classes),
            image_shape=train.shape[1:],
            classes=classes,
        )

    @property
    def has_levels(self) -> bool:
        """Whether samples are grey levels, of which `grey_max` is an activity of 1, not values."""
        return bool(self.train_images.dtype == np.uint8)

    def __repr__(self) -> str:
        return (
            f"<Dataset {self.name!r}: {len(self.train_labels)} training and "
            f"{len(self.test_labels)} test samples of {math.prod(self.image_shape)} features, "
            f"{self.n_classes} classes>"
        )

    def _settle(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def _check_type(self, field: str) -> None:
        array = getattr(self, field)
        inner = (math.prod(self.image_shape),) if field.endswith("images") else ()
        types = FLOATS if inner and self.grey_max is None else ("uint8",)
        if not isinstance(array, np.ndarray):
            found = type(array).__name__
        elif array.dtype.name not in types or not array.ndim or array.shape[1:] != inner:
            found = f"{array.dtype} of shape {array.shape}"
        else:
            return
        wanted = f"(n, {inner[0]})" if inner else "(n,)"
        raise InputError(
            f"{self.name}: {field} are {found}: give {' or '.join(types)} of shape {wanted}"
        )

    def _check(self, part: str, images: Array, labels: Bytes) -> None:
        images_name, labels_name = (
            FILES[field] if self.from_files else field
            for field in (f"{part}_images", f"{part}_labels")
        )
        remedy = REPLACE if self.from_files else "check the array"
        needed = part == "train" or self.from_files
        if labels.size != len(images) or (needed and not labels.size):
            raise InputError(
                f"{self.name}: {len(images)} images in {images_name} but {labels.size} labels in "
                f"{labels_name}: take both from the same source"
            )
        if (highest := int(labels.max(initial=0))) >= self.n_classes:
            raise InputError(
                f"{self.name}: label {highest} of sample {labels.argmax()} in {labels_name} is out "
                f"of range, the classes are 0 to {self.n_classes - 1}: {remedy}"
            )
        if not self.has_levels:
            arrays.check_finite(f"{self.name}: {images_name}", images)
        elif labels.size and not self.largest_level[part]:
            raise InputError(
                f"{self.name}: the images in {images_name} are all black, every grey level is 0: "
                f"{remedy}"
            )

    @cached_property
    def largest_level(self) -> dict[str, int]:
        """The largest grey level in the images of each part; none of values."""
        if not self.has_levels:
            return {}
        parts = {"train": self.train_images, "test": self.test_images}
        return {part: int(images.max(initial=0)) for part, images in parts.items()}

    @property
    def usual_level(self) -> int:
        """The grey level that stands for an activity of 1 unless another is set."""
        return self.level_of_all or self.largest_level["train"]

    def scaled(self, grey_max: int | None) -> "Dataset":
        """These data with another grey level for an activity of 1; None keeps it."""
        if grey_max is None or grey_max == self.grey_max:
            return self
        if not self.has_levels:
            raise _no_levels("grey_max", self.name)
        return dataclasses.replace(self, grey_max=grey_max)

    @cached_property
    def fits_files(self) -> bool:
        """Whether files of the IDX form can hold these data: samples and labels are bytes."""
        return self.has_levels and all(type(c) is int and 0 <= c <= 255 for c in self.classes)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each array's file, decompressed, by its name; or of each array, by its own."""
        if not self.fits_files:
            return {field: _digest(getattr(self, field)) for field in FILES}
        return {FILES[field]: sha256_of(*self.content(field)) for field in FILES}

    def content(self, field: str) -> tuple[Bytes, tuple[int, ...]]:
        """What the file of an array holds, labels as they came, and its shape there."""
        array: Bytes = getattr(self, field)
        if field.endswith("images"):
            return array, (len(array), *self.image_shape)
        return self.labels_of(array), array.shape

    def labels_of(self, numbers: Bytes) -> Array:
        """The labels, as they came, of classes by their numbers."""
        if are_counted(self.classes):
            return numbers
        return np.array(self.classes, np.uint8 if self.fits_files else None)[numbers]

    @cached_property
    def sha256(self) -> str:
        """One SHA-256 for all that training sees: contents, types, shapes, scale, classes."""
        parts = [*self.checksums.values(), str(self.grey_max), str(self.n_classes)]
        if not self.fits_files:
            parts.append(json.dumps([self.image_shape, self.classes]))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _part(part: str, given_samples: Any, given_labels: Any) -> tuple[Array, Array]:
    """Samples and labels of a part of the data."""
    samples = arrays.samples(f"X_{part}", given_samples)
    return samples, arrays.labels(f"y_{part}", given_labels, len(samples))


def _check_alike(train: Array, test: Array) -> None:
    if test.shape[1:] != train.shape[1:]:
        raise InputError(
            f"X_test: samples of shape {test.shape[1:]}, but in X_train they are "
            f"{train.shape[1:]}: give both the same features"
        )
    if (train.dtype == np.uint8) != (test.dtype == np.uint8):
        raise InputError(
            "X_train, X_test: one is bytes, which are grey levels, the other is not: give both "
            "in the same type"
        )


def _no_levels(field: str, name: str) -> InputError:
    return InputError(
        f"{field}: the samples of {name} are values, not grey levels (uint8): leave it out"
    )


def _digest(array: Array) -> str:
    """SHA-256 of an array: type, shape and values."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{little.dtype.str} {array.shape}\n".encode())
    digest.update(little.data)
    return digest.hexdigest()


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{field}: {value!r} is not possible: give a text")
    return value


def _image_shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or not value:
        raise InputError(
            f"image_shape: {value!r} is not possible: give (rows, columns) or (features,)"
        )
    return tuple(_whole("image_shape", size, 1, arrays.MOST_FEATURES) for size in value)


def _classes(value: Any, n_classes: int) -> tuple[Label, ...]:
    given = value or range(n_classes) if isinstance(value, tuple | list) else ()
    labels: tuple[Label, ...] = tuple(getattr(c, "tolist", lambda c=c: c)() for c in given)
    kinds = {type(label) for label in labels}
    if (
        len(labels) != n_classes
        or kinds not in ({bool}, {int}, {float}, {str})
        or list(labels) != sorted(set(labels))
    ):
        raise InputError(
            f"classes: {value!r} is not possible: give {n_classes} different labels, rising"
        )
    return labels


def _whole(field: str, value: Any, least: int, most: int) -> int:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or not least <= value <= most:
        raise InputError(
            f"{field}: {value!r} is not possible: give a whole number from {least} to {most}"
        )
    return int(value)
