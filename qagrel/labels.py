"""Labels as they come in a file, and the classes that are made of them.

Every label that occurs in training is a class, whatever its number: the classes are counted from 0
in the order of their labels, and the labels are kept to show.
"""

from collections.abc import Sequence

import numpy as np

from qagrel.arrays import Label, frozen
from qagrel.errors import InputError
from qagrel.idx import Bytes

IGNORE = 255  # stands for "no class" where annotators left a sample out
MANY = 5  # samples; a class of as many, in the middle of all, makes a single one look damaged

SHOWN = 8  # numbers, or spans of them, in a sentence


def classes_of(where: str, labels: Bytes) -> tuple[int, ...]:
    """The labels that occur in training, in order.

    Raises
    ------
    InputError
        When there is only one, one reads as "ignore this sample", or one is likely damaged.
    """
    found, counts = np.unique(labels, return_counts=True)
    classes = tuple(found.tolist())
    if classes[-1] == IGNORE and not any(IGNORE // 2 < label < IGNORE for label in classes):
        raise InputError(
            f"{where}: label {IGNORE}, in {counts[-1]} of {labels.size} samples, first in sample "
            f"{labels.argmax()}, reads as 'ignore': drop these samples and their images, or give "
            "them another label if it is a class"
        )
    if len(classes) == 1:
        raise InputError(
            f"{where}: all {labels.size} labels are {classes[0]}: give samples of two classes at "
            "least"
        )
    if not are_counted(classes) and counts.min() == 1 and np.median(counts) >= MANY:
        lone = classes[np.flatnonzero(counts == 1)[-1]]
        raise InputError(
            f"{where}: label {lone} of sample {(labels == lone).argmax()} occurs only once, the "
            f"labels are {spans(classes)}: drop the sample if it is damaged, or add others like it"
        )
    return classes


def numbered(where: str, labels: Bytes, classes: Sequence[int]) -> Bytes:
    """The number of the class, counted from 0, of each label.

    Raises
    ------
    InputError
        When a label is no class.
    """
    strange = labels[~np.isin(labels, classes)]
    if strange.size:
        raise InputError(
            f"{where}: label {spans(np.unique(strange).tolist())}, in {strange.size} of "
            f"{labels.size} samples, first in sample {(labels == strange[0]).argmax()}, is not in "
            f"training, where the labels are {spans(classes)}: drop these samples and their "
            "images, or train with such too"
        )
    if are_counted(classes):
        return labels
    return frozen(np.searchsorted(classes, labels).astype(np.uint8))


def are_counted(classes: Sequence[Label]) -> bool:
    """Whether labels are the numbers of their classes: 0, 1, 2 and so on."""
    return [(type(c), c) for c in classes] == [(int, n) for n in range(len(classes))]


def spans(labels: Sequence[Label]) -> str:
    """Labels in rising order, in words: ``0 to 4, 7, 9``, or ``cat, dog``."""
    numbers = [label for label in labels if type(label) is int]
    words = _spans(numbers) if len(numbers) == len(labels) else list(map(str, labels))
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def _spans(labels: Sequence[int]) -> list[str]:
    starts = [n for i, n in enumerate(labels) if not i or n != labels[i - 1] + 1]
    ends = [n for i, n in enumerate(labels) if n + 1 not in labels[i + 1 : i + 2]]
    return [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
