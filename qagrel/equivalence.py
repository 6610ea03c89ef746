"""The paper's central claim, tested: one Q-AGREL update is a step down the gradient of delta^2 / 2.

The gradient is worked out here on its own, with NumPy's matrix products, and compared with what
the kernels do to the weights (Eqs. 15-22).
"""

import numpy as np
import pandas as pd

from qagrel import kernels, network
from qagrel.network import Floats
from qagrel.spec import RunSpec, Table

DEPTHS = range(1, 7)
N_TRIALS, N_CLASSES = 20, 10
RESOLUTION = 1e-14  # what is smaller belongs to the matrix product of the machine at hand


def equivalence(payoff: Table | None = None) -> pd.DataFrame:
    """Update against gradient for networks of 1 to 6 hidden layers, in double precision.

    Parameters
    ----------
    payoff : rewards by class and action, for ten classes; by default 1 for the right action and 0
        for others.

    Returns
    -------
    DataFrame
        A line a depth: hidden_layers, and relative_difference, the largest difference between
        the change of a weight and the negative gradient, over the largest change, rounded up
        to a multiple of 1e-14: the digits of round-off differ by machine.
    """
    return pd.DataFrame(
        {
            "hidden_layers": list(DEPTHS),
            "relative_difference": [_relative_difference(depth, payoff) for depth in DEPTHS],
        }
    )


def _relative_difference(depth: int, payoff: Table | None) -> float:
    """One update on a batch of random images against the mean gradient over its trials."""
    generator = np.random.default_rng(depth)
    spec = RunSpec(epsilon=0.5, payoff=payoff)
    hidden = (int(n) for n in generator.integers(10, 40, depth))
    widths = (60, *hidden, spec.n_actions(N_CLASSES))
    weights = network.draw_weights(widths, 0.5, generator, "float64")
    grey = generator.integers(1, 256, (N_TRIALS, widths[0]), dtype=np.uint8)
    images = grey * (generator.random(grey.shape) < 0.4).astype(np.uint8)
    labels = generator.integers(0, N_CLASSES, N_TRIALS).astype(np.uint8)
    uniforms = generator.random((2, N_TRIALS))

    levels = network.input_levels(255, "grey", "float64")
    net = network.pack(weights)
    work = network.workspace(net, N_TRIALS)
    sparse = network.sparse_images(images, labels, levels)
    draws = kernels.Draws(np.arange(N_TRIALS), *uniforms, *uniforms)
    payoffs = network.payoffs(spec, N_CLASSES)
    record = network.record(net, 1, N_CLASSES)
    kernels.train_epoch(net, work, sparse, draws, payoffs, network.policy(spec), 1.0, record)

    rewards = np.eye(N_CLASSES) if payoff is None else np.array(payoff)
    gradient = _gradient(weights, levels[images], rewards[labels, work.chosen], work.chosen)
    changes = [
        new - old for new, old in zip(network.unpack(net, net.weights), weights, strict=True)
    ]
    largest = max(float(np.abs(change).max()) for change in changes)
    differences = [np.abs(c + g).max() for c, g in zip(changes, gradient, strict=True)]
    return float(np.ceil(max(differences) / largest / RESOLUTION)) * RESOLUTION


def _gradient(
    weights: list[Floats], inputs: Floats, rewards: Floats, chosen: network.Ints
) -> list[Floats]:
    """Mean gradient of (r - q_s)^2 / 2 by the chain rule (Eqs. 15-18 with e_s = q_s - r alone)."""
    activity = [inputs]
    for matrix in weights[:-1]:
        activity.append(np.maximum(activity[-1] @ matrix, 0))
    values = activity[-1] @ weights[-1]
    error = np.zeros_like(values)
    trial = np.arange(len(rewards))
    error[trial, chosen] = values[trial, chosen] - rewards
    gradient: list[Floats] = []
    for below, matrix in zip(reversed(activity), reversed(weights), strict=True):
        gradient.append(below.T @ error / len(rewards))
        error = (error @ matrix.T) * (below > 0)
    return gradient[::-1]
