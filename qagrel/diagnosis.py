"""Whether a network has learnt: choices that depend on what is shown, beyond chance.

Counts are a confusion matrix, [class, action]; an action is right for a class or not.  Chance is
what the same actions, taken as often but blindly, would be right in: where the network always
takes the same, the share of the samples for which that is right, which is that of the largest
class at the most.  A number of right actions is beyond chance where fewer than one in a thousand
of blind networks would reach it (binomial test of all trials, Fisher's exact test of a class): so
what counts as more depends on how many trials there were.
"""

import numpy as np
from numpy.typing import NDArray

from qagrel.network import Ints

SIGNIFICANCE = 0.001


def unlearnt(confusion: Ints, right: NDArray[np.bool_]) -> Ints:
    """Numbers of the classes that are mostly got wrong, and no more often right than by chance.

    Parameters
    ----------
    confusion : counts of shape (classes, actions).
    right : which actions are right for which class, of the same shape.
    """
    shown, n_right = confusion.sum(axis=1), (confusion * right).sum(axis=1)
    missed = np.flatnonzero(2 * n_right < shown)
    if not n_right[missed].any():
        return missed
    from scipy.stats import hypergeom  # slow to import

    taken = right @ confusion.sum(axis=0)  # how often, for any class, what is right for this one
    tail = hypergeom.sf(n_right - 1, confusion.sum(), taken, shown)
    is_blind: NDArray[np.bool_] = tail[missed] >= SIGNIFICANCE
    return missed[is_blind]


def is_at_chance(confusion: Ints, right: NDArray[np.bool_]) -> bool:
    """Whether all right actions together are no more than chance gives."""
    from scipy.special import bdtrc  # slow to import

    n_right, total = int((confusion * right).sum()), int(confusion.sum())
    return bool(bdtrc(n_right - 1, total, chance_level(confusion, right)) >= SIGNIFICANCE)


def chance_level(confusion: Ints, right: NDArray[np.bool_]) -> float:
    """The share of right actions were they taken as often, but blindly."""
    shown, taken = confusion.sum(axis=1), confusion.sum(axis=0)
    return float(shown @ right @ taken / max(1, confusion.sum()) ** 2)
