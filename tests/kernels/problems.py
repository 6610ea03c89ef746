"""Random networks with samples to learn from, and what kernels and the slow author make of them."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import naive
import numba
import numpy as np
import pytest
from naive import Settings
from numba import njit

from qagrel import kernels, network
from qagrel.rules import LEARN_BY_REWARD, LOSSES, RULES

RULES_AND_LOSSES = [  # every rule that there is; the loss matters to error-bp only
    *((rule, "cross-entropy") for rule in RULES),
    ("error-bp", "squared-error"),
]
REGIMES = ["symmetric", "learned", "fixed"]
# Rows are padded to multiples of 16, the registers, and cut into tiles of 7, 5, 3 and 1 of them:
# these need 1, 2, 4, 5, 6, 7 and 9.
HIDDEN = [(5,), (64, 16), (17, 5, 65), (6, 112, 5, 6), (6, 33, 6, 5, 96), (9, 6, 130, 6, 7, 8)]
N_SAMPLES, N_INPUTS, N_CLASSES = 16, 12, 5

compiled_only = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT),
    reason="compares compiled code with its plain twin, and nothing is compiled",
)
strict = njit(error_model="numpy")


class Problem:
    """A random network, with samples to learn from; one image is black, some are left out."""

    def __init__(self, hidden: Sequence[int], precision: str = "float64", seed: int = 0) -> None:
        rng = np.random.default_rng([len(hidden), seed])
        widths = (N_INPUTS, *hidden, N_CLASSES)
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
        self.explore, self.choose = rng.random((2, self.order.size))

    def learn(self, settings: Settings, batch_size: int, rate: float) -> "Learner":
        """What the kernels make of one epoch."""
        learner = Learner(self, settings, batch_size)
        learner.train(slice(None), rate)
        return learner

    def learn_slowly(self, settings: Settings, batch_size: int, rate: float) -> list[naive.Batch]:
        """What the slow second author makes of one epoch."""
        weights, feedback = ([m.tolist() for m in ms] for ms in (self.weights, self.feedback))
        samples = (self.inputs.tolist(), self.labels.tolist(), self.order.tolist())
        draws = (self.explore.tolist(), self.choose.tolist())
        return naive.train_epoch(weights, feedback, *samples, batch_size, rate, settings, *draws)


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
        )
        self.work = network.workspace(self.network, self.batch_size)
        n_batches = -(-self.problem.order.size // self.batch_size)
        self.wrong, self.loss = np.zeros(n_batches, np.int64), np.zeros(n_batches)
        self.confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)

    def train(self, samples: slice, rate: float) -> None:
        """Learn from a part of the epoch that begins a batch."""
        p, s = self.problem, self.settings
        first = (samples.start or 0) // self.batch_size
        draws = kernels.Draws(p.order[samples], p.explore[samples], p.choose[samples])
        record = network.record(self.network, 0)._replace(
            wrong=self.wrong[first:], loss=self.loss[first:], confusion=self.confusion
        )
        policy = kernels.Policy(
            list(RULES).index(s.rule),
            list(LOSSES).index(s.loss),
            s.epsilon if s.rule in LEARN_BY_REWARD else 0.0,
            s.temperature,
        )
        kernels.train_epoch(self.network, self.work, p.images, draws, policy, rate, record)
        n_last = (draws.order.size - 1) % self.batch_size + 1
        self.chosen = self.work.chosen[:n_last].tolist()

    @property
    def weights(self) -> list[Any]:
        return network.unpack(self.network, self.network.weights)

    @property
    def feedback(self) -> list[Any]:
        return network.unpack(self.network, self.network.feedback)
