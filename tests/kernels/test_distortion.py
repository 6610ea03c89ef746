"""Affine distortions of images against the slow author, and what any of them keeps."""

import naive
import numpy as np
import pytest
from numpy.typing import NDArray

from qagrel import kernels, load_dataset

IDENTITY = np.full(6, 0.5)
SIDES = [1, 2, 5, 8]

Grey = NDArray[np.uint8]


def images_of(n: int, side: int) -> Grey:
    """Images of noise, half of it black."""
    rng = np.random.default_rng(side)
    grey = rng.integers(0, 256, (n, side * side), dtype=np.uint8)
    return np.where(rng.random(grey.shape) < 0.5, grey, 0).astype(np.uint8)


def distorted(images: Grey, uniforms: NDArray[np.float64], reach: float = 0.15) -> Grey:
    """All images, each by its row of six uniform numbers."""
    n, side = len(images), round(images.shape[1] ** 0.5)
    images = images.view()
    images.flags.writeable = False
    out, framed = np.zeros_like(images), np.zeros((side + 3, side + 3))
    order = np.arange(n)
    kernels.distort(images, order, np.ascontiguousarray(uniforms.T), reach, framed, out)
    return out


@pytest.mark.parametrize("reach", [1e-9, 0.15, 0.499])
@pytest.mark.parametrize("side", SIDES)
def test_images_agree_with_the_slow_author(side: int, reach: float) -> None:
    check(side, reach, np.random.default_rng(1).random((12, 6)))


@pytest.mark.parametrize("reach", [0.125, 0.4375])
@pytest.mark.parametrize("side", SIDES)
def test_halves_are_rounded_up(side: int, reach: float) -> None:
    """In the outermost maps, in which numbers are exact, and many levels are halves."""
    check(side, reach, np.random.default_rng(1).integers(0, 3, (12, 6)) / 2)


def check(side: int, reach: float, uniforms: NDArray[np.float64]) -> None:
    """Compare the authors, to the last bit."""
    images = images_of(len(uniforms), side)
    for image, u, ours in zip(images, uniforms, distorted(images, uniforms, reach), strict=True):
        square = image.reshape(side, side).tolist()
        assert ours.reshape(side, side).tolist() == naive.distorted(square, reach, u.tolist())


@pytest.mark.parametrize("side", [*SIDES, 28])
def test_the_map_that_changes_nothing_changes_nothing(side: int) -> None:
    images = images_of(4, side)
    assert distorted(images, np.tile(IDENTITY, (4, 1))).tolist() == images.tolist()


# Worked out by hand: the image has five pixels a side, so that half a side times 0.4 is a pixel.
NUMBERED = np.arange(10, 260, 10, dtype=np.uint8)
BY_HAND = {
    "to the left": (2, [20, 30, 40, 50, 0]),
    "up": (5, [60, 70, 80, 90, 100]),
    "narrower": (0, [6, 18, 30, 42, 30]),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_the_first_row_by_hand(what: str) -> None:
    number, row = BY_HAND[what]
    uniforms = IDENTITY.copy()
    uniforms[number] = 1.0
    reach = 0.2 if what == "narrower" else 0.4
    assert distorted(NUMBERED[None], uniforms[None], reach)[0, :5].tolist() == row


def test_a_turn_and_a_shear_move_rows_the_other_way_at_the_bottom() -> None:
    """By b, what is above the centre comes from one side, what is below from the other."""
    uniforms = IDENTITY.copy()
    uniforms[1] = 1.0
    column = np.zeros((9, 9), np.uint8)
    column[:, 4] = 100
    image = distorted(column.reshape(1, 81), uniforms[None], 0.25).reshape(9, 9)
    assert image.argmax(axis=1)[[0, 4, 8]].tolist() == [5, 4, 3]


def test_only_the_samples_asked_for_are_written() -> None:
    images = images_of(5, 8)
    images.flags.writeable = False
    out = np.full_like(images, 7)
    order, framed = np.array([3, 1]), np.zeros((11, 11))
    kernels.distort(images, order, np.full((6, 2), 0.5), 0.15, framed, out)
    assert out[order].tolist() == images[order].tolist()
    assert (out[[0, 2, 4]] == 7).all()


def test_digits_keep_their_ink() -> None:
    """Of bright and dark, on the whole, within a tenth: little leaves the image."""
    images = load_dataset("digits").train_images[:200]
    uniforms = np.random.default_rng(0).random((200, 6))
    assert distorted(images, uniforms).mean() == pytest.approx(images.mean(), rel=0.1)


def test_levels_stay_within_those_of_the_image() -> None:
    images = np.full((50, 64), 255, np.uint8)
    uniforms = np.random.default_rng(0).random((50, 6))
    inner = distorted(images, uniforms).reshape(50, 8, 8)[:, 3:5, 3:5]
    assert (inner == 255).all()
