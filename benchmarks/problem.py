"""What every contender is given: data, initial weights and random numbers, the same for all."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from qagrel import network
from qagrel.datasets import Dataset, load_dataset
from qagrel.network import Floats, Ints
from qagrel.spec import RunSpec


class Draws(NamedTuple):
    """The random numbers of an epoch, each of shape (samples,).

    `order` holds the training samples in the order of presentation; a trial explores where
    `explore` is less than epsilon, and then `choose` picks its action by the cumulative
    distribution.
    """

    order: Ints
    explore: Floats
    choose: Floats


@dataclass(frozen=True)
class Problem:
    """A network to train, and the data.

    Attributes
    ----------
    spec : rule, network and batch size; a peer knows Q-AGREL with symmetric feedback only.
    dataset : images and labels.
    weights : initial matrices (fan_in, fan_out), one a layer after the input.
    """

    spec: RunSpec
    dataset: Dataset
    weights: list[Floats]

    def images(self) -> Floats:
        """Training images as activities in [0, 1], of shape (n, pixels)."""
        images = self.dataset.train_images.astype(self.spec.precision)
        images /= self.dataset.grey_max
        return images

    def labels(self) -> Ints:
        """Training labels, of shape (n,)."""
        return self.dataset.train_labels.astype(np.int64)

    def draws(self, epoch: int, n_samples: int) -> Draws:
        """The random numbers of an epoch of `n_samples` samples, a whole number of batches."""
        if n_samples % self.spec.batch_size:
            raise ValueError(f"{n_samples} samples are not whole batches, which JAX's scan needs")
        generator = np.random.default_rng([self.spec.seed, epoch])
        order = generator.permutation(len(self.dataset.train_labels))[:n_samples]
        explore, choose = generator.random((2, n_samples))
        return Draws(order, explore, choose)


class Contender(Protocol):
    """One implementation, with its own copy of the weights."""

    def __init__(self, problem: Problem) -> None: ...

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        ...

    def weights(self) -> list[Floats]:
        """The present weights, copied: matrices (fan_in, fan_out)."""
        ...


def make_problem(
    spec: RunSpec, dataset: Dataset | None = None, start: str | None = None
) -> Problem:
    """A problem that starts from the initial weights of Section 3, or from those of a file."""
    dataset = load_dataset(spec.dataset) if dataset is None else dataset
    if start is not None:
        with np.load(start) as given:
            return Problem(spec, dataset, [given[name] for name in given])
    widths = (dataset.train_images.shape[1], *spec.hidden, dataset.n_classes)
    generator = np.random.default_rng(spec.seed)
    weights = network.draw_weights(widths, spec.weight_range, generator, spec.precision)
    return Problem(spec, dataset, weights)
