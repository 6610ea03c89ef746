"""What a callback sees of a run at the end of each epoch."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from qagrel import kernels, network
from qagrel.network import Floats

Row = dict[str, float]


class Epoch(Mapping[str, float]):
    """An epoch that has just been trained: a mapping, by the columns of `History.epochs`.

    Weights are those of the running network, not copies, and cannot be written to.  They change
    as the run goes on: what is to be kept of them has to be copied.
    """

    def __init__(self, record: Row, state: kernels.Network) -> None:
        self._record, self._state = record, state

    def __getitem__(self, column: str) -> float:
        return self._record[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._record)

    def __len__(self) -> int:
        return len(self._record)

    def __repr__(self) -> str:
        return f"Epoch({self._record})"

    @property
    def record(self) -> Row:
        """The row of `History.epochs`, copied."""
        return dict(self._record)

    @property
    def weights(self) -> list[Floats]:
        """The matrices (fan_in, fan_out), one a layer, as in `History.weights`; read-only."""
        return network.views(self._state, self._state.weights)

    @property
    def feedback_weights(self) -> list[Floats]:
        """The same of the feedback, as in `History.feedback_weights`; read-only."""
        return network.views(self._state, self._state.feedback)

    @property
    def angles(self) -> dict[int, float]:
        """Degrees between feedback and weights into each layer from 2 on, unless symmetric."""
        names = {f"angle_{layer}": layer for layer in range(2, self._state.width.size)}
        return {layer: self[name] for name, layer in names.items() if name in self}


OnEpoch = Callable[[Epoch], object]


def says_stop(answer: object) -> bool:
    """Whether a callback's answer ends the run: True does, and nothing else that is not false."""
    return isinstance(answer, bool | np.bool_) and bool(answer)
