"""What is measured: networks and batch sizes, and the ratios that this project sets itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.peers import AUTOGRAD, BY_HAND, JAX, NUMPY
from qagrel.spec import RunSpec

EPOCH = 59_000  # samples, as in Section 3
TURN = 1.0  # seconds that a turn of a usual peer is to take, at the most
PIXELS, CLASSES = 784, 10


def name_of(hidden: Sequence[int]) -> str:
    """Such as 300-100, or 6 x 2000."""
    if len(hidden) > 2 and len(set(hidden)) == 1:
        return f"{len(hidden)} x {hidden[0]}"
    return "-".join(map(str, hidden))


@dataclass(frozen=True)
class Case:
    """A network and a batch size.

    Attributes
    ----------
    trained : it starts from a network of some skill, else from initial weights, near which a
        tiny learning rate keeps it.
    weight_range : of the initial weights.
    """

    hidden: tuple[int, ...] = (300, 100)
    batch_size: int = 100
    trained: bool = True
    weight_range: float = 0.05

    @property
    def network(self) -> str:
        """Its name without the batch size."""
        return name_of(self.hidden)

    @property
    def label(self) -> str:
        """Its name."""
        return f"{self.network}, batch {self.batch_size}" + ("" if self.trained else ", untrained")

    def spec(self, rate: float, **changes: Any) -> RunSpec:
        """A run; `rate` is that of batches of 100 and more: smaller ones learn as much a trial."""
        settings = {
            "hidden": self.hidden,
            "batch_size": self.batch_size,
            "weight_range": self.weight_range,
            "learning_rate": rate * min(self.batch_size / 100, 1.0),
        }
        return RunSpec(**settings | changes)

    def multiply_adds(self) -> int:
        """Those of a trial where nothing is left out; nothing is fed back to the input."""
        sizes = [a * b for a, b in pairwise((PIXELS, *self.hidden, CLASSES))]
        return 3 * sum(sizes) - sizes[0]

    def n_samples(self, share: float) -> int:
        """Samples of a turn, in whole batches: an epoch, or what a peer does in `TURN`.

        By what peers were seen to need: 60 G multiply-adds a second where trials share weights;
        else 4 G, and 100 microseconds a layer to call what does them.
        """
        seconds = self.multiply_adds() / 60e9
        if self.batch_size < 30:
            seconds = self.multiply_adds() / 4e9 + 1e-4 * (len(self.hidden) + 1)
        n_samples = share * min(EPOCH, TURN / seconds)
        return max(int(n_samples) // self.batch_size, 1) * self.batch_size


def _grid_case(width: int, layers: int, batch_size: int) -> Case:
    """Six layers learn from wider initial weights only: those that keep activity as large."""
    weight_range = 0.05 if layers < 6 else round((6 / width) ** 0.5, 3)
    return Case((width,) * layers, batch_size, weight_range=weight_range)


WIDTHS, LAYERS, BATCHES = (50, 300, 1000, 2000), (1, 2, 6), (1, 100, 1000)
MAIN = Case()
AUTHORS = (1500, 1000, 500)  # the hidden layers of their later network
WIDE = Case(AUTHORS, 128)
PAPER_CASES = tuple(Case(batch_size=batch_size) for batch_size in BATCHES)
WIDE_CASES = (Case(AUTHORS, 128, trained=False), WIDE, Case((2000,), 128))
GRID = tuple(_grid_case(w, n, b) for w in WIDTHS for n in LAYERS for b in BATCHES)
AVX2_CASES = (*PAPER_CASES, WIDE)
PARTS_CASES = (*PAPER_CASES[:2], WIDE)  # what each part of the kernels brings
PROFILED = (MAIN, WIDE)  # by phase, and beside the floor

Target = tuple[float, float]  # at least, and at best

TARGETS: dict[Case, dict[str, Target]] = {  # times as fast as a peer
    PAPER_CASES[0]: {AUTOGRAD: (42, 55), BY_HAND: (10, 13), JAX: (5, 6.5)},
    PAPER_CASES[1]: {
        AUTOGRAD: (3.7, 4.5),
        BY_HAND: (2.8, 3.4),
        JAX: (2.4, 2.8),
        NUMPY: (2.6, 3.2),
    },
    PAPER_CASES[2]: {
        AUTOGRAD: (2.3, 2.8),
        BY_HAND: (2.1, 2.6),
        JAX: (1.9, 2.3),
        NUMPY: (2.1, 2.6),
    },
}
EVERY_PEER: dict[Case, Target] = {
    WIDE_CASES[0]: (1.45, 1.8),
    WIDE_CASES[1]: (1.45, 1.8),
    WIDE_CASES[2]: (2.5, 2.9),
}
GRID_TARGET: Target = (1.1, 1.5)
AVX2_TARGET: Target = (1.15, 1.4)
VARIANT_TARGET: Target = (1.15, 1.08)
THREADS_TARGET: Target = (1.9, 1.97)
FIRST_BATCH_TARGET: dict[str, Target] = {"compiled": (10, 6), "cached": (1, 0.6)}
MEMORY_TARGET: Target = (300, 250)


def target(label: str, peer: str) -> Target | None:
    """How many times as fast as a peer qagrel is to be in the case of this label."""
    for case in TARGETS:
        if case.label == label:
            return TARGETS[case].get(peer)
    return next((goal for case, goal in EVERY_PEER.items() if case.label == label), None)
