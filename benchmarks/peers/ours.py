"""qagrel itself: its kernels, called as `qagrel.train` calls them, and what they train first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.problem import Draws, Problem, make_problem
from qagrel import kernels, network
from qagrel.network import Floats
from qagrel.spec import RunSpec


class Ours:
    """Any rule, feedback regime and loss."""

    def __init__(self, problem: Problem) -> None:
        spec, dataset = problem.spec, problem.dataset
        self.rate = spec.learning_rate
        levels = network.input_levels(dataset.grey_max, spec.input_scale, spec.precision)
        self.images = network.sparse_images(dataset.train_images, dataset.train_labels, levels)
        feedback = None
        if spec.feedback != "symmetric":
            widths = (problem.weights[0].shape[0], *(w.shape[1] for w in problem.weights))
            generator = np.random.default_rng([spec.seed, 1])
            feedback = network.draw_weights(widths, spec.feedback_range, generator, spec.precision)
        self.network = network.pack(problem.weights, feedback, spec.feedback == "learned")
        self.work = network.workspace(self.network, spec.batch_size)
        self.policy, self.payoffs = network.policy(spec), network.payoffs(spec, dataset.n_classes)

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        n_batches, n_classes = -(-draws.order.size // self.work.batch), len(self.payoffs.reward)
        record = network.record(self.network, n_batches, n_classes)
        shared = self.network, self.work, self.images
        kernels.train_epoch(
            *shared, kernel_draws(draws), self.payoffs, self.policy, self.rate, record
        )
        return int(record.wrong.sum())

    def weights(self) -> list[Floats]:
        """The present weights, copied."""
        return network.unpack(self.network, self.network.weights)


def kernel_draws(draws: Draws) -> kernels.Draws:
    """The random numbers of an epoch as the kernels take them: rewards are certain."""
    return kernels.Draws(*draws, np.zeros(0), np.zeros(0))


def teach(spec: RunSpec, rates: Sequence[float]) -> tuple[Problem, float] | None:
    """A problem that starts from a network of some skill, and the first rate that led to it.

    Speed depends on how many units are active, and networks spend their time trained.  None if
    the network learns at none of the rates.
    """
    for rate in rates:
        problem = make_problem(spec.replace(batch_size=100, learning_rate=rate))
        run, n_samples = Ours(problem), len(problem.dataset.train_labels) // 100 * 100
        for epoch in range(2):
            wrong = run.epoch(problem.draws(epoch, n_samples))
        weights = run.weights()
        if wrong < 0.75 * n_samples and all(np.isfinite(matrix).all() for matrix in weights):
            return replace(problem, weights=weights), rate
    return None
