"""Weights and images in the layout of the kernels, and classification by a trained network."""

import itertools
from typing import Any

import naive
import numpy as np
import pytest

from qagrel import network
from qagrel.errors import InputError
from qagrel.kernels import BLOCK, LANES

WIDTHS = (7, 16, 5, 17, 3)


def drawn(precision: str = "float32", widths: tuple[int, ...] = WIDTHS, seed: int = 0) -> list[Any]:
    return network.draw_weights(widths, 0.5, np.random.default_rng(seed), precision)


# --- initial weights -------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_matrix_a_layer(precision: str) -> None:
    weights = drawn(precision)
    assert [w.shape for w in weights] == list(itertools.pairwise(WIDTHS))
    assert {w.dtype.name for w in weights} == {precision}


def test_weights_are_uniform_within_their_range() -> None:
    """Each tenth of [-0.05, 0.05] holds a tenth of 100,000 weights, give or take four sigma."""
    weights = network.draw_weights((500, 200), 0.05, np.random.default_rng(0), "float64")[0]
    counts, _ = np.histogram(weights, bins=10, range=(-0.05, 0.05))
    assert counts.sum() == weights.size
    np.testing.assert_allclose(counts, 10_000, atol=4 * np.sqrt(100_000 * 0.09))


def test_weights_of_a_generator_are_the_same_in_both_precisions() -> None:
    for single, double in zip(drawn("float32"), drawn("float64"), strict=True):
        np.testing.assert_array_equal(single, double.astype("float32"))


# --- layout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_packed_matrices_come_back(precision: str) -> None:
    weights, feedback = drawn(precision), drawn(precision, seed=1)
    net = network.pack(weights, feedback)
    for flat, matrices in ((net.weights, weights), (net.feedback, feedback)):
        assert flat.dtype == precision
        for out, matrix in zip(network.unpack(net, flat), matrices, strict=True):
            np.testing.assert_array_equal(out, matrix)


def test_rows_are_padded_with_zeros() -> None:
    weights = drawn()
    net = network.pack(weights)
    assert net.width.tolist() == list(WIDTHS)
    assert net.stride.tolist() == [16, 16, 16, 32, 16]
    assert not (net.stride % LANES).any()
    n_weights = sum(w.size for w in weights)
    assert net.weights.size > n_weights
    assert np.count_nonzero(net.weights) == n_weights
    second_row = net.weights[net.start[3] + net.stride[3] :][: net.stride[3]]
    np.testing.assert_array_equal(second_row, [*weights[2][1], *[0] * 15])


def test_without_feedback_weights_feedback_is_symmetric() -> None:
    net = network.pack(drawn())
    assert net.feedback is net.weights
    assert not net.learn_feedback


def test_packing_and_unpacking_copy() -> None:
    weights = drawn()
    net = network.pack(weights, weights)
    network.unpack(net, net.weights)[0][:] = 9
    net.weights[:] = 8
    assert (network.unpack(net, net.feedback)[0] == weights[0]).all()
    assert (weights[0] != 8).all()


def test_buffers_begin_at_a_cache_line() -> None:
    net = network.pack(drawn(), drawn())
    work = network.workspace(net, 3)
    flat = (net.weights, net.feedback, work.activity, work.signal)
    assert [a.ctypes.data % 64 for a in (*flat, work.active.entry, work.by_unit.entry)] == [0] * 6


# --- inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("grey_max", "first_on"), [(255, 128), (16, 8)])
def test_input_levels(grey_max: int, first_on: int) -> None:
    grey = network.input_levels(grey_max, "grey", "float64")
    assert grey.shape == (256,)
    assert grey[[0, grey_max]].tolist() == [0, 1]
    assert np.allclose(np.diff(grey), 1 / grey_max)
    binary = network.input_levels(grey_max, "binary", "float64")
    assert binary.tolist() == [0] * first_on + [1] * (256 - first_on)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_sparse_images_hold_what_is_not_zero(precision: str) -> None:
    images = np.array([[0, 51, 0, 255], [0, 0, 0, 0], [102, 0, 0, 0]], np.uint8)
    levels = network.input_levels(255, "grey", precision)
    sparse = network.sparse_images(images, np.array([2, 0, 1], np.uint8), levels)
    assert sparse.start.tolist() == [0, 2, 2, 3]
    assert sparse.pixel["index"].tolist() == [1, 3, 0]
    expected = np.array([0.2, 1, 0.4]).astype(precision)
    np.testing.assert_array_equal(sparse.activity[sparse.pixel["value"]], expected)
    assert sparse.label.tolist() == [2, 0, 1]
    assert images.flags.writeable


def test_sparse_images_take_the_room_of_others() -> None:
    """Where it is long enough; what is left of them lies behind the end."""
    levels = network.input_levels(255, "grey", "float32")
    images, label = np.array([[7, 0, 8, 9]], np.uint8), np.zeros(1, np.uint8)
    longer = network.sparse_images(images, label, levels)
    shorter = network.sparse_images(images[:, :3].copy(), label, levels, longer.pixel)
    assert shorter.pixel is longer.pixel
    assert shorter.start.tolist() == [0, 2]
    assert shorter.pixel["value"][:2].tolist() == [7, 8]
    again = network.sparse_images(images, label, levels, longer.pixel[:2])
    assert again.pixel["value"].tolist() == [7, 8, 9]


def test_images_too_large_to_count_their_pixels_are_refused() -> None:
    levels = network.input_levels(255, "grey", "float32")
    label, images = np.zeros(1, np.uint8), np.ones((1, 2**16), np.uint8)
    assert network.sparse_images(images, label, levels).pixel["index"][-1] == 2**16 - 1
    with pytest.raises(InputError, match="images of 65537 pixels: the input layer has 65536"):
        network.sparse_images(np.ones((1, 2**16 + 1), np.uint8), label, levels)


# --- what a network does with images ---------------------------------------------------------


def random_images(n: int, n_pixels: int = 7) -> Any:
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (n, n_pixels), dtype=np.uint8)


def presented(images: Any, precision: str = "float32", **changes: Any) -> Any:
    fields = {"grey_max": 255, "input_scale": "grey", "precision": precision, **changes}
    return network.presented(images, WIDTHS[0], **fields)


def respond(weights: list[Any], images: Any) -> list[Any]:
    blocks = list(network.respond(weights, images))
    assert len(blocks) == max(1, -(-images.label.size // BLOCK))
    return [np.concatenate(layer) for layer in zip(*blocks, strict=True)]


@pytest.mark.parametrize("n", [0, 1, 128, 270])
def test_activities_agree_with_the_slow_author(n: int) -> None:
    weights, images = drawn("float64"), random_images(n)
    layers = respond(weights, presented(images, "float64"))
    assert [layer.shape for layer in layers] == [(n, width) for width in WIDTHS]
    matrices = [w.tolist() for w in weights]
    for sample, image in enumerate(images / 255):
        expected = naive.forward(matrices, image.tolist())
        for ours, theirs in zip(layers, expected, strict=True):
            np.testing.assert_allclose(ours[sample], theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("grey_max", "input_scale"), [(16, "grey"), (255, "binary")])
def test_images_are_scaled(grey_max: int, input_scale: str) -> None:
    images = np.minimum(random_images(60), grey_max)
    levels = images / grey_max if input_scale == "grey" else (images >= 128).astype(float)
    scaled = presented(images, "float64", grey_max=grey_max, input_scale=input_scale)
    np.testing.assert_array_equal(respond(drawn("float64"), scaled)[0], levels)


def test_activities_are_in_the_precision_of_the_run() -> None:
    images = random_images(60)
    single = respond(drawn("float32"), presented(images, "float32"))
    double = respond([w.astype("f8") for w in drawn("float32")], presented(images, "float64"))
    assert {layer.dtype.name for layer in single} == {"float32"}
    for ours, theirs in zip(single, double, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_images_in_an_array_that_is_not_contiguous() -> None:
    weights, images = drawn(), random_images(60)
    whole = respond(weights, presented(images))[-1]
    np.testing.assert_array_equal(respond(weights, presented(images[::2]))[-1], whole[::2])
    reordered = np.asfortranarray(images)
    reordered.flags.writeable = False
    np.testing.assert_array_equal(respond(weights, presented(reordered))[-1], whole)


@pytest.mark.parametrize("shape", [(5, 6), (5, 8), (7,), (5, 7, 1)], ids=str)
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"images of shape \(.*\) do not fit a network of 7"):
        presented(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "images",
    [np.full((2, 7), 0.9), np.full((2, 7), 300), np.full((2, 7), -1)],
    ids=["activities", "too high", "negative"],
)
def test_images_that_are_no_grey_levels_are_refused(images: Any) -> None:
    with pytest.raises(InputError, match="grey levels"):
        presented(images)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_views_show_the_matrices_and_can_never_be_written_to(precision: str) -> None:
    net = network.pack(drawn(precision))
    views = network.views(net, net.weights)
    for view, matrix in zip(views, drawn(precision), strict=True):
        np.testing.assert_array_equal(view, matrix)
        assert np.shares_memory(view, net.weights)
        for array in (view, view.base):
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.flags.writeable = True
