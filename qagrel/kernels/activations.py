"""What hidden units make of their net input, where that is not ReLU: all units are then active.

The gate of a unit (g of Eqs. 9, 11) is the derivative of its activation function, which is told
from its activity.
"""

import math

import numpy as np

from qagrel.kernels.elementary import exp
from qagrel.kernels.layout import LEAKY_RELU, RELU, kernel, part
from qagrel.kernels.vectors import read, write

LEAK = 0.01
HEIGHT, STEEPNESS = 1.7159, 2.0 / 3.0  # of LeCun et al. (1998), Appendix A


@part
def output(a, activation):
    """Activity of a unit by its net input: ReLU, leaky ReLU, or 1.7159 tanh(2 a / 3)."""
    a = np.float64(a)
    if activation == RELU:
        return a if not a <= 0 else 0.0
    if activation == LEAKY_RELU:
        return a if a > 0 else LEAK * a
    if math.isnan(a):  # which `exp` takes for minus infinity
        return a
    power = exp(-2.0 * STEEPNESS * abs(a))
    y = HEIGHT * (1.0 - power) / (1.0 + power)
    return y if a > 0 else -y


@part
def slope(y, activation):
    """Derivative of the activation function where the activity is y."""
    y = np.float64(y)
    if activation == LEAKY_RELU:
        return 1.0 if y > 0 else LEAK
    return STEEPNESS * (HEIGHT * HEIGHT - y * y) / HEIGHT


@part
def list_all(activity, n, width, active, activation):
    """Fill the lists with what the first `width` units of n trials make of their net inputs."""
    end = active.start[0]
    for b in range(n):
        active.start[b] = end
        for j in range(width):
            write(active.entry, end, j, activity.dtype.type(output(activity[b, j], activation)))
            end += 1
        active.end[b] = end


@part
def gate(active, n, width, below, activation):
    """Multiply what each unit receives by the derivative; padding receives nothing."""
    for b in range(n):
        for j in range(below.shape[1]):
            received = 0.0
            if j < width:
                _, y = read(active.entry, active.start[b] + j)
                received = slope(y, activation) * np.float64(below[b, j])
            below[b, j] = received


@kernel
def activate(net_inputs, activities, activation):
    """Activities of a list of net inputs."""
    for i in range(net_inputs.size):
        activities[i] = output(net_inputs[i], activation)
