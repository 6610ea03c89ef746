"""Random networks with samples to learn from, and what kernels and the slow author make of them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import naive
import numpy as np
from helpers import where_compiled
from naive import Settings
from numba import njit

from qagrel import kernels, network
from qagrel.rules import LEARN_BY_REWARD, LOSSES, RULES

# Rows are padded to multiples of 16, the registers, and cut into tiles of 7, 5, 3 and 1 of them:
# these need 1, 2, 4, 5, 6, 7 and 9.
HIDDEN = [(5,), (64, 16), (17, 5, 65), (6, 112, 5, 6), (6, 33, 6, 5, 96), (9, 6, 130, 6, 7, 8)]
N_SAMPLES, N_INPUTS, N_CLASSES = 16, 12, 5

compiled_only = where_compiled(
    "compares compiled code with its plain twin, and nothing is compiled"
)
strict = njit(error_model="numpy")


class Problem:
    """A random network, with samples to learn from; one image is black, some are left out."""

    def __init__(
        self,
        hidden: Sequence[int],
        precision: str = "float64",
        seed: int = 0,
        n_actions: int = N_CLASSES,
    ) -> None:
        rng = np.random.default_rng([len(hidden), seed])
        widths = (N_INPUTS, *hidden, n_actions)
        # weights large enough that six ReLU layers do not fall silent
        self.weights = [
            (rng.standard_normal((below, above)) * math.sqrt(2 / below)).astype(precision)
            for below, above in itertools.pairwise(widths)
        ]
        self.feedback = [rng.uniform(-0.5, 0.5, w.shape).astype(precision) for w in self.weights]
        grey = rng.integers(1, 256, (N_SAMPLES + 4, N_INPUTS), dtype=np.uint8)
        self.pixels = grey * (rng.random(grey.shape) < 0.6).astype(np.uint8)
        self.pixels[0] = 0
        self.labels = rng.integers(0, N_CLASSES, len(grey)).astype(np.uint8)
        levels = network.input_levels(255, "grey", precision)
        self.inputs = levels[self.pixels]
        self.images = network.sparse_images(self.pixels, self.labels, levels)
        self.order = rng.permutation(np.r_[0, 5 : len(grey)])
        self.draws = rng.random((4, self.order.size))  # explore, choose, omit, flip
        self.noise = rng.random((self.order.size, sum(hidden)), np.float32)
        self.deaf = rng.random((len(hidden) + 1, max(hidden))) < 0.3

    def learn(self, settings: Settings, batch_size: int, rate: float) -> "Learner":
        """What the kernels make of one epoch."""
        learner = Learner(self, settings, batch_size)
        learner.train(slice(None), rate)
        return learner

    def learn_slowly(self, settings: Settings, batch_size: int, rate: float) -> list[naive.Batch]:
        """What the slow second author makes of one epoch."""
        weights, feedback = ([m.tolist() for m in ms] for ms in (self.weights, self.feedback))
        samples = (self.inputs.tolist(), self.labels.tolist(), self.order.tolist())
        draws, factors = self.draws.tolist(), self.factors(settings)
        return naive.train_epoch(
            weights, feedback, *samples, batch_size, rate, settings, *draws, factors=factors
        )

    def factors(self, settings: "Disturbed | Settings") -> list[list[list[float]]]:
        """What the feedback to each unit is multiplied by, [trial][layer][unit]; or nothing."""
        if not isinstance(settings, Disturbed):
            return []
        widths = [0, *(w.shape[1] for w in self.weights[:-1])]
        ends = np.cumsum(widths)
        factors = 1 + settings.noise * math.sqrt(3) * (2 * self.noise.astype(float) - 1)
        layers = [
            (layer, factors[:, ends[layer - 1] : ends[layer]]) for layer in range(1, len(ends))
        ]
        heard = [
            np.where(self.deaf[layer, : own.shape[1]], 0, own) if settings.deaf else own
            for layer, own in layers
        ]
        return [[[], *(own[b].tolist() for own in heard)] for b in range(self.order.size)]


@dataclass(frozen=True)
class Disturbed(Settings):
    """Settings in which feedback is partly wrong."""

    noise: float = 0.0
    deaf: bool = False


def payoffs(settings: Settings) -> kernels.Payoffs:
    """What actions pay, by their definition."""
    n_actions = N_CLASSES if settings.payoff is None else len(settings.payoff[0])
    rows = [naive.payoffs(settings, label, n_actions) for label in range(N_CLASSES)]
    reward = np.array(rows)
    swapped = np.array([[max(row) + min(row) - r for r in row] for row in rows])
    right = np.array([[r == max(row) for r in row] for row in rows])
    return kernels.Payoffs(reward, swapped, right, settings.omission, settings.flip)


@dataclass
class Learner:
    """A network in the layout of the kernels, and what happened to it."""

    problem: Problem
    settings: Settings
    batch_size: int
    chosen: list[int] = field(default_factory=list)  # of the last batch

    def __post_init__(self) -> None:
        symmetric = self.settings.feedback == "symmetric"
        self.network = network.pack(
            self.problem.weights,
            None if symmetric else self.problem.feedback,
            self.settings.feedback == "learned",
            self.settings.activation,
        )
        if isinstance(self.settings, Disturbed) and self.settings.deaf:
            self.network = self.network._replace(deaf=self.problem.deaf)
        self.work = network.workspace(
            self.network, self.batch_size, optimizer=self.settings.optimizer
        )
        n_batches = -(-self.problem.order.size // self.batch_size)
        self.wrong, (self.loss, self.reward) = (
            np.zeros(n_batches, np.int64),
            np.zeros((2, n_batches)),
        )
        self.payoffs = payoffs(self.settings)
        self.confusion = np.zeros(self.payoffs.reward.shape, np.int64)

    def train(self, samples: slice, rate: float) -> None:
        """Learn from a part of the epoch that begins a batch."""
        p, s = self.problem, self.settings
        first = (samples.start or 0) // self.batch_size
        draws = kernels.Draws(p.order[samples], *(u[samples] for u in (*p.draws, p.noise)))
        record = network.record(self.network, 0, N_CLASSES)._replace(
            wrong=self.wrong[first:],
            loss=self.loss[first:],
            reward=self.reward[first:],
            confusion=self.confusion,
        )
        policy = kernels.Policy(
            list(RULES).index(s.rule),
            list(LOSSES).index(s.loss),
            s.epsilon if s.rule in LEARN_BY_REWARD else 0.0,
            s.temperature,
            s.novelty,
            s.momentum,
            s.noise if isinstance(s, Disturbed) else 0.0,
        )
        shared = self.network, self.work, p.images
        kernels.train_epoch(*shared, draws, self.payoffs, policy, rate, record)
        n_last = (draws.order.size - 1) % self.batch_size + 1
        self.chosen = self.work.chosen[:n_last].tolist()

    @property
    def weights(self) -> list[Any]:
        return network.unpack(self.network, self.network.weights)

    @property
    def feedback(self) -> list[Any]:
        return network.unpack(self.network, self.network.feedback)
