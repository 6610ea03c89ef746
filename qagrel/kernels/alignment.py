"""How well feedback is aligned with the weights that it reciprocates."""

import math

import numpy as np

from qagrel.kernels.elementary import arccos
from qagrel.kernels.layout import kernel


@kernel
def feedback_angles(network, degrees):
    """degrees[l] = angle between the feedback and transposed forward weights above layer l - 1."""
    for layer in range(2, network.width.size):
        end = network.start[layer] + network.width[layer - 1] * network.stride[layer]
        product, forward_square, feedback_square = 0.0, 0.0, 0.0
        for i in range(network.start[layer], end):
            w, f = network.weights[i], network.feedback[i]
            product += np.float64(w * f)
            forward_square += np.float64(w * w)
            feedback_square += np.float64(f * f)
        cosine = product / math.sqrt(forward_square * feedback_square)
        degrees[layer] = arccos(cosine) * 57.29577951308232
