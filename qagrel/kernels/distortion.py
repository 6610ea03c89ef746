"""Affine distortions: images that are moved, scaled, rotated and sheared a little."""

from qagrel.kernels.layout import kernel, part


@kernel
def distort(images, order, uniforms, reach, framed, distorted):
    """distorted[s] = image s through an affine map of its own, for each s of `order`.

    LeCun et al. (1998), Section III, combine shifts, scaling, squeezing and shearing: planar
    affine maps.  Here each of a map's six numbers is drawn from within +- reach of what it is in
    the map that changes nothing.  With x to the right and y down from the centre, and h half the
    side, the pixel at (x, y) shows what was at

        x' = x + a x + b y + c h,    y' = y + d x + e y + f h,

    by bilinear interpolation of grey levels, rounded; beyond the image all is black.

    images, distorted : uint8 (n, side * side)
    uniforms : (6, order.size): where within their range a to f are, from 0 to 1
    framed : float64 (side + 3, side + 3), all 0: room for an image in a black frame
    """
    side = framed.shape[0] - 3
    centre, half = 0.5 * (side - 1), 0.5 * side
    for i in range(order.size):
        sample = order[i]
        for row in range(side):
            for column in range(side):
                framed[row + 1, column + 1] = images[sample, row * side + column]
        a, b, c = map_row(uniforms, 0, i, reach)
        d, e, f = map_row(uniforms, 3, i, reach)
        for row in range(side):
            y = row - centre
            for column in range(side):
                x = column - centre
                across = in_frame(x + a * x + b * y + c * half + centre, side)
                down = in_frame(y + d * x + e * y + f * half + centre, side)
                level = interpolated(framed, down, across)
                distorted[sample, row * side + column] = int(level + 0.5)


@part
def map_row(uniforms, first, i, reach):
    """Three of the six numbers of the map of the i-th image."""
    return (
        reach * (2.0 * uniforms[first, i] - 1.0),
        reach * (2.0 * uniforms[first + 1, i] - 1.0),
        reach * (2.0 * uniforms[first + 2, i] - 1.0),
    )


@part
def in_frame(place, side):
    """A row or column of an image, as one of the framed image; what is beyond is on the frame."""
    return min(max(place, -1.0), float(side)) + 1.0


@part
def interpolated(image, row, column):
    """The grey level at a place between four pixels, each weighed by its nearness."""
    top, left = int(row), int(column)
    down, right = row - top, column - left
    upper = (1.0 - right) * image[top, left] + right * image[top, left + 1]
    lower = (1.0 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    return (1.0 - down) * upper + down * lower
