"""Feedback that is partly wrong: noise on it, and units that it does not reach."""

import math

import numpy as np

from qagrel.kernels.buffers import signals
from qagrel.kernels.layout import part

SPREAD = math.sqrt(3.0)  # half the width of an even distribution whose standard deviation is 1


@part
def disturb(network, work, layer, noise, first, n, deviation):
    """Multiply what units receive by a number around 1, drawn evenly; deaf ones receive nothing."""
    below, width = signals(network, work, layer), network.width[layer]
    if deviation > 0:
        column = 0  # of the layer's first unit
        for lower in range(1, layer):
            column += network.width[lower]
        for b in range(n):
            for j in range(width):
                away = 2.0 * np.float64(noise[first + b, column + j]) - 1.0
                factor = 1.0 + deviation * SPREAD * away
                below[b, j] = np.float64(below[b, j]) * factor
    if network.deaf.size > 0:
        for b in range(n):
            for j in range(width):
                if network.deaf[layer, j]:
                    below[b, j] = 0.0
