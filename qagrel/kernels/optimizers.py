"""What the mean change of a batch does to the weights, where it is more than a step along it.

Each synapse keeps what it needs: a mean of its earlier changes (``velocity``), and of their squares
(``spread``).  Feedback weights that learn take the steps of the weights that they reciprocate.
"""

import math

import numpy as np

from qagrel.kernels.layout import part

MEAN, SQUARES, LEAST = 0.9, 0.999, 1e-8  # beta_1, beta_2 and epsilon of Kingma and Ba (2015)


@part
def take_step(network, work, policy, rate):
    """Change all weights after a batch, whose mean change is in ``work.change``."""
    work.steps[0] += 1
    if work.spread.size > 0:
        move_by_adam(work, rate)
    else:
        number = work.change.dtype.type
        move_by_momentum(work, number(rate), number(policy.momentum))
    second = network.start[2]  # nothing is fed back to the input
    for i in range(work.change.size):
        network.weights[i] += work.change[i]
    if network.learn_feedback:
        for i in range(second, work.change.size):
            network.feedback[i] += work.change[i]


@part
def move_by_momentum(work, rate, momentum):
    """Heavy ball (Polyak 1964): the velocity decays, takes up the change, and is the step."""
    for i in range(work.change.size):
        work.velocity[i] = momentum * work.velocity[i] + work.change[i]
        work.change[i] = rate * work.velocity[i]


@part
def move_by_adam(work, rate):
    """Algorithm 1 of Kingma and Ba (2015), in double precision within a step."""
    mean_left, squares_left = power(MEAN, work.steps[0]), power(SQUARES, work.steps[0])
    for i in range(work.change.size):
        change = np.float64(work.change[i])
        velocity = MEAN * np.float64(work.velocity[i]) + (1.0 - MEAN) * change
        spread = SQUARES * np.float64(work.spread[i]) + (1.0 - SQUARES) * (change * change)
        work.velocity[i], work.spread[i] = velocity, spread
        size = math.sqrt(spread / (1.0 - squares_left)) + LEAST
        work.change[i] = rate * (velocity / (1.0 - mean_left)) / size


@part
def power(base, exponent):
    """The base to a power, by squares and products: libraries differ in the last bit."""
    result = 1.0
    while exponent > 0:
        if exponent % 2 == 1:
            result *= base
        base *= base
        exponent //= 2
    return result
