"""Training images as the epochs of a run see them that distorts them, anew in each."""

import math

import numpy as np

from qagrel import kernels, network
from qagrel.idx import Bytes
from qagrel.network import Ints

N_NUMBERS = 6  # of an affine map


class Distorter:
    """Makes distorted images, those of every epoch in the same memory.

    Parameters
    ----------
    images : grey levels of square images, shape (n, pixels).
    plain : the same without their zeros, as the kernels take them.
    reach : how far the numbers of an affine map are from those of the one that changes nothing,
        at the most (`kernels.distort`).
    """

    def __init__(self, images: Bytes, plain: kernels.Images, reach: float) -> None:
        side = math.isqrt(images.shape[1])
        self.images, self.plain, self.reach = images.view(), plain, reach
        self.images.flags.writeable = False  # one compiled version serves all
        self.framed = np.zeros((side + 3, side + 3))
        self.distorted = np.zeros_like(images)
        self.room = plain.pixel[:0]

    def distort(self, order: Ints, stream: np.random.Generator) -> kernels.Images:
        """Images whose samples in `order` are distorted; the others are what they were before."""
        uniforms = stream.random((N_NUMBERS, order.size))
        kernels.distort(self.images, order, uniforms, self.reach, self.framed, self.distorted)
        labels, activity = self.plain.label, self.plain.activity
        made = network.sparse_images(self.distorted, labels, activity, self.room)
        self.room = made.pixel
        return made
