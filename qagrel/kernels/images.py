"""Images in the form that kernels read: without the pixels that are zero."""

import numpy as np
from numba import config, types
from numba.extending import overload

from qagrel.kernels.buffers import active_units
from qagrel.kernels.layout import STRICT, kernel, part
from qagrel.kernels.vectors import prefetch, read, write

CACHE_LINE = 16  # pixels of an image in a line of the cache


@kernel
def count_pixels(images, start):
    """start[s] = how many pixels of the images before s are not zero; images is (n, pixels)."""
    for s in range(images.shape[0]):
        count = 0
        for pixel in range(images.shape[1]):
            count += images[s, pixel] != 0
        start[s + 1] = start[s] + count


@kernel
def list_pixels(images, start, pixels):
    """Fill pixels of `Images` with the grey levels, or values, that are not zero."""
    for s in range(images.shape[0]):
        e = start[s]
        for pixel in range(images.shape[1]):
            if images[s, pixel] != 0:
                write(pixels, e, pixel, images[s, pixel])
                e += 1


def activity_of(activity, value):
    """How active a unit is: as the table says of a grey level; a value says it itself."""
    return activity[value] if isinstance(value, np.integer) else value


def _activity_of(activity, value):
    if isinstance(value, types.Integer):
        return lambda activity, value: activity[value]
    return lambda activity, value: value


if not config.DISABLE_JIT:
    overload(activity_of, jit_options=STRICT)(_activity_of)


@part
def present(work, images, order, first, n):
    """Put images order[first : first + n] on the input layer (x_i of Eq. 2).

    Samples come in random order, so their memory is asked for before it is needed.
    """
    for b in range(n):
        sample = order[first + b]
        for e in range(images.start[sample], images.start[sample + 1], CACHE_LINE):
            prefetch(images.pixel, e)
    active = active_units(work, 0)
    end = active.start[0]
    for b in range(n):
        sample = order[first + b]
        work.target[b] = images.label[sample]
        active.start[b] = end
        for e in range(images.start[sample], images.start[sample + 1]):
            unit, value = read(images.pixel, e)
            write(active.entry, end, unit, activity_of(images.activity, value))
            end += 1
        active.end[b] = end
