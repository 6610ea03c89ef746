"""The angle between feedback and weights."""

import naive
import numpy as np
import pytest
from problems import Problem

from qagrel import kernels, network


def test_angles_agree_with_the_slow_author() -> None:
    problem = Problem((17, 6))
    net = network.pack(problem.weights, problem.feedback)
    degrees = np.zeros(net.width.size)
    kernels.feedback_angles(net, degrees)
    expected = [naive.angle(w, b) for w, b in zip(problem.weights, problem.feedback, strict=True)]
    np.testing.assert_allclose(degrees[2:], expected[1:], rtol=1e-13)


@pytest.mark.parametrize(("sign", "angle"), [(1.0, 0.0), (-1.0, 180.0)])
def test_angles_of_parallel_feedback(sign: float, angle: float) -> None:
    weights = Problem((17, 6)).weights
    net = network.pack(weights, [sign * w for w in weights])
    degrees = np.zeros(net.width.size)
    kernels.feedback_angles(net, degrees)
    np.testing.assert_allclose(degrees[2:], angle, atol=3e-6)
