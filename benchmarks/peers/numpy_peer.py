"""NumPy and OpenBLAS: matrix products into buffers that are made once."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs

from benchmarks.problem import Draws, Problem
from qagrel.network import Floats, Ints

Bools = NDArray[np.bool_]


class NumpyPeer:
    """Forward pass, choice, feedback and update written out."""

    def __init__(self, problem: Problem) -> None:
        spec = problem.spec
        self.spec, self.images, self.labels = spec, problem.images(), problem.labels()
        self.matrices = [w.copy() for w in problem.weights]
        widths = [len(self.matrices[0]), *(w.shape[1] for w in self.matrices)]
        self.layers = [np.zeros((spec.batch_size, n), spec.precision) for n in widths]
        self.signals = [np.zeros_like(layer) for layer in self.layers]
        self.gemm = get_blas_funcs("gemm", dtype=spec.precision)
        self.trials = np.arange(spec.batch_size)

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        batch_size = self.spec.batch_size
        explore = draws.explore < self.spec.epsilon
        labels, chosen = self.labels[draws.order], np.empty(draws.order.size, np.int64)
        for first in range(0, draws.order.size, batch_size):
            batch = slice(first, first + batch_size)
            self.forward(draws.order[batch])
            action = self.select(explore[batch], draws.choose[batch])
            self.learn(action, action == labels[batch])
            chosen[batch] = action
        return int((chosen != labels).sum())

    def forward(self, order: Ints) -> None:
        """ReLU layers and linear outputs for the samples of a batch."""
        np.take(self.images, order, axis=0, out=self.layers[0], mode="clip")
        for below, weights, layer in zip(
            self.layers[:-1], self.matrices, self.layers[1:], strict=True
        ):
            np.matmul(below, weights, out=layer)
            if layer is not self.layers[-1]:
                np.maximum(layer, 0, out=layer)

    def select(self, explore: Bools, choose: Floats) -> Ints:
        """The best action, or where a trial explores one drawn from the Boltzmann distribution."""
        q = self.layers[-1]
        action: Ints = q.argmax(axis=1)
        if explore.any():
            p = np.exp((q - q.max(axis=1, keepdims=True)) / self.spec.temperature)
            cumulative = p.cumsum(axis=1)
            drawn = (choose * cumulative[:, -1])[:, None] >= cumulative[:, :-1]
            action = np.where(explore, drawn.sum(axis=1), action)
        return action

    def learn(self, action: Ints, reward: Bools) -> None:
        """Change all weights by the gradient of (q_s - r)^2 / 2, averaged over the batch."""
        signal = self.signals[-1]
        signal[:] = 0
        delta: Floats = reward - self.layers[-1][self.trials, action]
        signal[self.trials, action] = delta * (self.spec.learning_rate / self.spec.batch_size)
        for layer in range(len(self.matrices) - 1, -1, -1):
            weights, y, above = self.matrices[layer], self.layers[layer], self.signals[layer + 1]
            if layer > 0:
                np.matmul(above, weights.T, out=self.signals[layer])
                self.signals[layer] *= y > 0
            # weights += y.T @ above in place: BLAS adds, but wants columns first, hence the .T
            self.gemm(1, above.T, y.T, beta=1, c=weights.T, overwrite_c=True, trans_b=True)

    def weights(self) -> list[Floats]:
        """The present weights, copied."""
        return [w.copy() for w in self.matrices]
