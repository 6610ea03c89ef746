"""Data sets of some classes: ``mnist:0-4`` is what ``mnist`` has of the classes 0 to 4.

What is behind the last colon of a name lists classes where it is nothing but digits, commas and
dashes.  A folder whose own name ends like that is named with a slash behind it.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from qagrel.arrays import Array, frozen
from qagrel.dataset import Dataset
from qagrel.errors import InputError
from qagrel.idx import Bytes
from qagrel.labels import spans

LISTED = re.compile(r"(.+):([0-9,-]*)", re.DOTALL)
SPAN = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")


def split(name: str) -> tuple[str, str | None]:
    """The name of a whole data set, and the list of classes behind it, if there is one."""
    match = LISTED.fullmatch(name)
    return (match[1], match[2]) if match else (name, None)


def labels_in(name: str, text: str) -> tuple[int, ...]:
    """The labels of the classes that a name lists, rising: ``0-2,8`` are 0, 1, 2 and 8.

    Raises
    ------
    InputError
        When it is no such list, does not rise, or names less than two classes.
    """
    labels: list[int] = []
    for part in text.split(","):
        match = SPAN.fullmatch(part)
        if not match:
            raise InputError(
                f"{name!r} lists no classes behind its colon: give such as 0-4 or 0,3,8, or put a "
                "slash behind it if it is a folder's name"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last or first <= max(labels, default=-1):
            raise InputError(
                f"{name!r}: its classes do not rise, each named once: give such as 0-4 or 0,3,8"
            )
        labels += range(first, last + 1)
    if len(labels) == 1:
        raise InputError(f"{name!r}: there is only one class to tell: give two at least")
    return tuple(labels)


def take(whole: Dataset, labels: Sequence[int], name: str) -> Dataset:
    """The samples of some classes, by their labels, of a data set from files; copied.

    Their classes are numbered anew, in order.  The scale stays that of the whole.

    Raises
    ------
    InputError
        When a label is no class of the whole, or no sample of these classes is for testing.
    """
    if strange := sorted(set(labels) - set(whole.classes)):
        raise InputError(
            f"{name!r}: {spans(strange)} is no class of {whole.name}, whose labels are "
            f"{spans(whole.classes)}: choose among these"
        )
    numbers = np.searchsorted(whole.classes, labels)
    train, test = (np.isin(part, numbers) for part in (whole.train_labels, whole.test_labels))
    if not test.any():
        raise InputError(
            f"{name!r}: none of the test images of {whole.name} is of these classes: choose others"
        )
    renumbered = np.zeros(whole.n_classes, np.uint8)
    renumbered[numbers] = np.arange(len(labels))

    def numbered(labels: Bytes) -> Array:
        return frozen(renumbered[labels])

    return dataclasses.replace(
        whole,
        name=name,
        train_images=frozen(whole.train_images[train]),
        train_labels=numbered(whole.train_labels[train]),
        test_images=frozen(whole.test_images[test]),
        test_labels=numbered(whole.test_labels[test]),
        n_classes=len(labels),
        classes=tuple(labels),
        level_of_all=whole.largest_level["train"],
    )
