"""A log of every trial of a run: what was chosen, what was expected of it, and what came."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qagrel.errors import InputError
from qagrel.network import Ints
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec

if TYPE_CHECKING:
    import pandas as pd

MAX_TRIALS = 5_000_000  # of some 25 bytes, which makes 125 megabytes in memory and in the file


class TrialLog(NamedTuple):
    """Arrays of shape (epochs, trials an epoch), in the order of training."""

    sample: NDArray[Any]
    target: NDArray[Any]  # the sample's class, by its number
    action: NDArray[Any]
    reward: NDArray[Any]
    value: NDArray[Any]  # Q-value of the action, in the precision of the run
    explored: NDArray[Any]

    def table(self, classes: Sequence[Any], actions: NDArray[Any]) -> "pd.DataFrame":
        """A row a trial, see `History.trials`."""
        import pandas as pd

        n_epochs, n_trials = self.sample.shape
        flat = TrialLog(*(array.ravel() for array in self))
        return pd.DataFrame(
            {
                "epoch": np.repeat(np.arange(1, n_epochs + 1, dtype=np.int32), n_trials),
                "trial": np.tile(np.arange(1, n_trials + 1, dtype=np.int32), n_epochs),
                "sample": flat.sample,
                "class": np.array(classes)[flat.target],
                "action": actions[flat.action],
                "reward": flat.reward,
                "q_value": flat.value,
                "prediction_error": flat.reward - flat.value.astype(np.float64),  # Eq. 7
                "explored": flat.explored.astype(bool),
            }
        )


def layout(n_epochs: int, n_trials: int, precision: str) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Type and shape of each array of a log."""
    types = (np.uint32, np.uint16, np.uint16, np.float64, precision, np.uint8)
    return {
        name: (kind, (n_epochs, n_trials))
        for name, kind in zip(TrialLog._fields, types, strict=True)
    }


def joined(logs: Sequence[TrialLog]) -> TrialLog:
    """The epochs of several logs, one after another."""
    return TrialLog(*(np.concatenate(arrays) for arrays in zip(*logs, strict=True)))


def check(spec: RunSpec, n_trained: int) -> None:
    """Refuse to log a run without actions and rewards, or one that may be too long.

    Parameters
    ----------
    n_trained : trials an epoch.
    """
    if spec.rule not in LEARN_BY_REWARD:
        raise InputError(
            f"record_trials: a trial has an action and its reward, which {spec.rule!r} does not "
            "learn from: leave it out, or choose another rule"
        )
    if spec.max_epochs * n_trained > MAX_TRIALS:
        raise InputError(
            f"record_trials: {spec.max_epochs} epochs of {n_trained} trials are more than the "
            f"{MAX_TRIALS} that are kept: choose max_epochs of {MAX_TRIALS // n_trained} at the "
            "most"
        )


def of_epoch(
    order: Ints, labels: Ints, explored: NDArray[np.bool_], action: Any, reward: Any, value: Any
) -> TrialLog:
    """The log of one epoch, from its samples in order and what the kernels kept."""
    arrays = (order, labels[order], action, reward, value, explored)
    kinds = layout(1, order.size, value.dtype.name).values()
    return TrialLog(
        *(
            np.asarray(array, kind).reshape(shape)
            for array, (kind, shape) in zip(arrays, kinds, strict=True)
        )
    )
