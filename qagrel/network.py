"""Weights, images and policies in the layout of the kernels; classification."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qagrel import kernels
from qagrel.arrays import check_finite, values
from qagrel.errors import InputError
from qagrel.rules import ACTIVATIONS, LEARN_BY_REWARD, LOSSES, RULES
from qagrel.spec import RunSpec

# one random stream for each purpose, so that every rule sees the same start and sample order
STREAMS = (
    *("weights", "feedback", "orders", "exploration", "chances"),
    *("distortions", "deaf", "noise"),
)
MOMENTS: dict[str, tuple[str, ...]] = {  # what an optimizer keeps of earlier batches
    "sgd": (),
    "momentum": ("velocity",),
    "adam": ("velocity", "spread"),
}
NOVELTY_TRIALS = 1000  # without an action, for which its value is raised by `novelty`

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random stream of a run that serves one purpose."""
    key = (STREAMS.index(purpose),)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw_weights(
    widths: Sequence[int], weight_range: float, generator: np.random.Generator, dtype: str
) -> list[Floats]:
    """Weights drawn uniformly from [-weight_range, weight_range] (Section 3).

    Parameters
    ----------
    widths : units of every layer, input and output included.

    Returns
    -------
    One matrix a layer after the input, each of shape (fan_in, fan_out).
    """
    return [
        ((2 * generator.random((fan_in, fan_out)) - 1) * weight_range).astype(dtype)
        for fan_in, fan_out in itertools.pairwise(widths)
    ]


def correlated(
    spec: RunSpec, weights: Sequence[Floats], drawn: Sequence[Floats]
) -> Sequence[Floats]:
    """Feedback weights that correlate, if a run says so, with those that they reciprocate.

    Their standard deviation is that of drawn ones; a single one may be up to 1.41 times the range.

    Parameters
    ----------
    weights, drawn : forward weights, and independent ones for the feedback, of the run's ranges.
    """
    if spec.feedback_correlation is None:
        return drawn
    scale = spec.feedback_range / spec.weight_range
    own, other = spec.feedback_correlation * scale, math.sqrt(1 - spec.feedback_correlation**2)
    return [
        (own * w.astype(np.float64) + other * u.astype(np.float64)).astype(w.dtype)
        for w, u in zip(weights, drawn, strict=True)
    ]


def start_at(
    initial_q: float, weights: Sequence[Floats], images: kernels.Images, activation: str
) -> list[Floats]:
    """Weights whose Q-values are `initial_q` in the mean over images and actions.

    The least change does it: each weight into the outputs is shifted in proportion to the mean
    activity of the unit from which it comes.

    Raises
    ------
    InputError
        When no image activates any unit of the last hidden layer.
    """
    *lower, last = weights
    n_images, blocks = images.label.size, []
    for network, work, order in _blocks(pack(weights, activation=activation), images):
        hidden = activated(by_layer(network, work, work.activity, order.size)[-2], activation)
        blocks.append([math.fsum(unit) for unit in hidden.T.tolist()])
    mean = [math.fsum(sums) / n_images for sums in zip(*blocks, strict=True)]  # (units,)
    size = math.fsum(y * y for y in mean)
    if not size > 0:
        raise InputError(
            "initial_q: no image activates the last hidden layer, whose weights would set the "
            "Q-values: choose a larger weight_range"
        )
    rows = zip(mean, last.tolist(), strict=True)
    now = math.fsum(y * w / last.shape[1] for y, row in rows for w in row)
    shift = (initial_q - now) / size * np.array(mean)[:, None]  # (units, 1)
    with np.errstate(over="ignore"):
        shifted = (last.astype(np.float64) + shift).astype(last.dtype)
    if not np.isfinite(shifted).all():
        raise InputError(
            f"initial_q: the weights that give {initial_q:g} are beyond {last.dtype}: choose a "
            "larger weight_range"
        )
    return [*lower, shifted]


def deaf_units(spec: RunSpec) -> NDArray[np.bool_]:
    """Hidden units that no feedback ever reaches, drawn by the seed: [layer, unit]; or nothing."""
    if spec.feedback_silenced == 0:
        return np.zeros((0, 0), np.bool_)
    deaf = np.zeros((len(spec.hidden) + 1, max(spec.hidden)), np.bool_)
    generator = stream(spec.seed, "deaf")
    for layer, (n_units, n) in enumerate(zip(spec.hidden, spec.silenced, strict=True), start=1):
        deaf[layer, generator.permutation(n_units)[:n]] = True
    return deaf


def pack_for(
    spec: RunSpec, weights: Sequence[Floats], feedback_weights: Sequence[Floats] | None
) -> kernels.Network:
    """`pack` for a run, with its activation function, and the units that no feedback reaches."""
    learns = spec.feedback == "learned"
    network = pack(weights, feedback_weights, learns, spec.activation)
    return network._replace(deaf=deaf_units(spec))


def pack(
    weights: Sequence[Floats],
    feedback_weights: Sequence[Floats] | None = None,
    learn_feedback: bool = False,
    activation: str = "relu",
) -> kernels.Network:
    """Lay matrices of shape (fan_in, fan_out) out for the kernels.

    Without feedback weights the feedback is symmetric: it *is* the forward weights.
    """
    width = np.array([weights[0].shape[0], *(w.shape[1] for w in weights)], np.int64)
    stride = -(-width // kernels.LANES) * kernels.LANES
    size = np.array([0, *(w.shape[0] * s for w, s in zip(weights, stride[1:], strict=True))])
    start = np.cumsum(size) - size
    code = list(ACTIVATIONS).index(activation)
    network = kernels.Network(width, stride, start, None, None, learn_feedback, code)
    flat = _flatten(network, weights)
    feedback = flat if feedback_weights is None else _flatten(network, feedback_weights)
    return network._replace(weights=flat, feedback=feedback)


def unpack(network: kernels.Network, flat: Floats) -> list[Floats]:
    """The matrices (fan_in, fan_out), copied from one of the network's flat buffers."""
    return [matrix.copy() for matrix in views(network, flat)]


def views(network: kernels.Network, flat: Floats) -> list[Floats]:
    """The matrices (fan_in, fan_out) in one of the network's flat buffers, to be read only."""
    # through a memoryview: a plain view of an array could be made writeable again
    locked = np.frombuffer(flat.data.toreadonly(), flat.dtype)
    return [matrix[:, :fan_out] for matrix, fan_out in _matrices(network, locked)]


def _flatten(network: kernels.Network, weights: Sequence[Floats]) -> Floats:
    fan_in, stride = network.width[:-1], network.stride[1:]
    flat = _aligned(int(fan_in @ stride), weights[0].dtype)
    fill(network, flat, weights)
    return flat


def fill(network: kernels.Network, flat: Floats, given: Sequence[Floats]) -> None:
    """Put matrices (fan_in, fan_out) into one of the network's flat buffers."""
    for (matrix, fan_out), new in zip(_matrices(network, flat), given, strict=True):
        matrix[:, :fan_out] = new


def _matrices(network: kernels.Network, flat: Floats) -> list[tuple[Floats, int]]:
    """Views (fan_in, stride) of a flat buffer, each with its number of true columns."""
    views = []
    for layer in range(1, network.width.size):
        rows, stride = network.width[layer - 1], network.stride[layer]
        start = network.start[layer]
        view = flat[start : start + rows * stride].reshape(rows, stride)
        views.append((view, int(network.width[layer])))
    return views


def workspace(
    network: kernels.Network, batch_size: int, most: int = kernels.BLOCK, optimizer: str = "sgd"
) -> kernels.Workspace:
    """Buffers for batches of up to `batch_size` trials, of which `most` are worked on at a time.

    Those in which the optimizer keeps its state say which one it is.
    """
    moments = MOMENTS[optimizer]
    dtype = network.weights.dtype
    n_blocks = -(-batch_size // most)
    block = -(-batch_size // n_blocks)
    begin = np.cumsum(np.append([0, 0], network.stride[1:] * block))  # none for the input
    pair = kernels.pair_type(np.uint32, dtype)
    widest = int(network.width.max())
    first = np.cumsum(np.append(0, network.width[:-1] * block))
    starts = np.repeat(first[:-1, None], block, axis=1)
    active = kernels.Lists(starts, starts.copy(), _aligned(int(first[-1]) + 1, pair))
    rows = np.arange(widest) * block
    by_unit = kernels.Lists(rows, rows.copy(), _aligned(widest * block, pair))
    most_above = int(network.width[2:].max(initial=0))
    empty = np.zeros(block, np.int64)
    senders = kernels.Lists(empty, empty.copy(), _aligned(block * most_above + 1, pair))
    return kernels.Workspace(
        batch=batch_size,
        block=block,
        begin=begin,
        activity=_aligned(int(begin[-1]), dtype),
        signal=_aligned(int(begin[-1]), dtype),
        modulator=np.zeros(block),
        target=np.zeros(block, np.int64),
        chosen=np.zeros(block, np.int64),
        reward=np.zeros(block),
        active=active,
        by_unit=by_unit,
        used=np.zeros(widest + 1, np.uint32),
        reached=np.zeros(block, np.int64),
        change=np.zeros_like(network.weights) if n_blocks > 1 or moments else network.weights,
        senders=senders,
        tile=_aligned(kernels.BLOCK * 7 * kernels.LANES, dtype),
        waited=np.zeros(network.width[-1], np.int64),
        wish=_aligned(int(network.stride[-1]), dtype).reshape(1, -1),
        velocity=_aligned(network.weights.size if "velocity" in moments else 0, dtype),
        spread=_aligned(network.weights.size if "spread" in moments else 0, dtype),
        steps=np.zeros(1, np.int64),
    )


def record(
    network: kernels.Network, n_batches: int, n_classes: int, n_logged: int = 0
) -> kernels.Record:
    """Empty counts for an epoch of so many batches; each trial is logged where there is room."""
    n_actions = int(network.width[-1])
    return kernels.Record(
        wrong=np.zeros(n_batches, np.int64),
        loss=np.zeros(n_batches),
        reward=np.zeros(n_batches),
        confusion=np.zeros((n_classes, n_actions), np.int64),
        log=kernels.Log(
            action=np.zeros(n_logged, np.uint16),
            reward=np.zeros(n_logged),
            value=np.zeros(n_logged, network.weights.dtype),
        ),
    )


def policy(spec: RunSpec) -> kernels.Policy:
    """The rule, the loss and the exploration of a run, as the kernels take them."""
    return kernels.Policy(
        list(RULES).index(spec.rule),
        list(LOSSES).index(spec.loss),
        spec.epsilon if spec.rule in LEARN_BY_REWARD else 0.0,
        spec.temperature,
        spec.novelty / NOVELTY_TRIALS,
        spec.momentum,
        spec.feedback_noise,
    )


def payoffs(spec: RunSpec, n_classes: int, epoch: int = 1) -> kernels.Payoffs:
    """What actions pay for each class in an epoch of a run, as the kernels take it."""
    table = spec.payoff_in(epoch)
    reward = np.eye(n_classes) if table is None else np.array(table)  # (classes, actions)
    highest, lowest = reward.max(axis=1, keepdims=True), reward.min(axis=1, keepdims=True)
    swapped, right = highest + lowest - reward, reward == highest
    return kernels.Payoffs(reward, swapped, right, spec.reward_omission, spec.reward_flip)


def best_rewards(payoffs: kernels.Payoffs) -> Floats:
    """The expected reward of the best action for each class: shape (classes,)."""
    earned = (1 - payoffs.flip) * payoffs.reward + payoffs.flip * payoffs.swapped
    best: Floats = ((1 - payoffs.omission) * earned).max(axis=1)
    return best


def _aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Zeros that begin at a multiple of 64 bytes, a cache line."""
    n_bytes = size * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + n_bytes].view(dtype)


def input_levels(grey_max: int | None, input_scale: str, dtype: str) -> Floats:
    """Activity x_i of an input unit for each grey level 0 to 255: shape (256,).

    There are none for values, where `grey_max` is None.  ``grey`` maps levels to [0, 1];
    ``binary`` to 0 or 1 by half the largest level (the paper calls its images binary, see the
    ledger of departures).
    """
    if grey_max is None:
        return np.zeros(0, dtype)
    level = np.arange(256) / grey_max
    return (level if input_scale == "grey" else level >= 0.5).astype(dtype)


def sparse_images(
    images: NDArray[Any],
    labels: NDArray[Any],
    activity: Floats,
    room: NDArray[Any] | None = None,
) -> kernels.Images:
    """Images (n, pixels) without their zeros; `activity` is what `input_levels` gave.

    Values, which need no levels, are cast to its type.  The list of pixels of images that are not
    needed any more is `room` for these, if it is as long.

    Raises
    ------
    InputError
        When an image has more pixels than a 16-bit number can count, or a value is beyond the
        type.
    """
    if images.dtype != np.uint8:
        images = _cast(images, activity.dtype)
    if images.shape[1] > 2**16:
        raise InputError(
            f"images of {images.shape[1]} pixels: the input layer has {2**16} units at the most, "
            "give smaller images"
        )
    images = images.view()
    images.flags.writeable = False  # one compiled version serves all
    start = np.zeros(len(images) + 1, np.int64)
    kernels.count_pixels(images, start)
    if room is not None and room.size >= start[-1]:
        pixel = room
    else:
        pixel = np.zeros(start[-1], kernels.pair_type(np.uint16, images.dtype))
    kernels.list_pixels(images, start, pixel)
    return kernels.Images(start, pixel, activity, labels.astype(np.int64))


def _cast(floats: Floats, dtype: Any) -> Floats:
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(floats, dtype)
    check_finite("samples", cast, floats)
    return cast


def presented(
    images: NDArray[Any],
    n_inputs: int,
    *,
    grey_max: int | None,
    input_scale: str,
    precision: str,
) -> kernels.Images:
    """Images without labels, (n, pixels), as a network of so many inputs is to see them.

    Where `grey_max` is None they are values, which need no scale.

    Raises
    ------
    InputError
        When the images are of another kind, or have not as many pixels as the network has inputs.
    """
    if grey_max is None:
        images = values("samples", images)
    elif images.dtype != np.uint8:
        raise InputError(
            f"images of type {images.dtype}: give grey levels as unsigned bytes (numpy.uint8)"
        )
    if images.ndim != 2 or images.shape[1] != n_inputs:
        kind, unit = ("samples", "values") if grey_max is None else ("images", "grey levels")
        raise InputError(
            f"{kind} of shape {images.shape} do not fit a network of {n_inputs} "
            f"inputs: give {unit} of shape (n, inputs)"
        )
    levels = input_levels(grey_max, input_scale, precision)
    return sparse_images(np.ascontiguousarray(images), np.zeros(len(images), np.uint8), levels)


def respond(
    weights: Sequence[Floats], images: kernels.Images, activation: str = "relu"
) -> Iterator[list[Floats]]:
    """What a network does with images, block by block, without exploration: nothing is learnt.

    Yields
    ------
    The activities of every layer, of shape (images, units): the input, the hidden layers, and the
    Q-values.
    """
    for network, work, order in _blocks(pack(weights, activation=activation), images):
        *hidden, values = by_layer(network, work, work.activity, order.size)
        inputs = dense(images, order, int(network.width[0]))
        yield [inputs, *(activated(a, activation) for a in hidden), values]


def _blocks(
    network: kernels.Network, images: kernels.Images
) -> Iterator[tuple[kernels.Network, kernels.Workspace, Ints]]:
    """Show a network images, block by block; the sums of each layer are in the workspace."""
    work, n_images = workspace(network, kernels.BLOCK), images.label.size
    for first in range(0, max(n_images, 1), work.block):
        order = np.arange(first, min(first + work.block, n_images))
        choose(network, work, images, order)
        yield network, work, order


def activated(net_inputs: Floats, activation: str) -> Floats:
    """Activities of hidden units by their net inputs, an array of any shape (Eq. 3)."""
    activities = np.zeros_like(net_inputs)
    kernels.activate(net_inputs.ravel(), activities.ravel(), list(ACTIVATIONS).index(activation))
    return activities


def by_layer(
    network: kernels.Network, work: kernels.Workspace, flat: Floats, n: int
) -> list[Floats]:
    """What a flat buffer of a block holds of its first n trials, (n, units) a layer, copied.

    The layers are those after the input.
    """
    matrices = []
    for layer in range(1, network.width.size):
        stride = int(network.stride[layer])
        rows = flat[work.begin[layer] :][: work.block * stride].reshape(work.block, stride)
        matrices.append(rows[:n, : network.width[layer]].copy())
    return matrices


def dense(images: kernels.Images, order: Ints, n_inputs: int) -> Floats:
    """Activities of the input units, (samples, units), for the samples of `order`."""
    dense = np.zeros((order.size, n_inputs), images.activity.dtype)
    levels = images.activity.size > 0  # else they are values
    for row, sample in enumerate(order):
        pixel = images.pixel[images.start[sample] : images.start[sample + 1]]
        dense[row, pixel["index"]] = images.activity[pixel["value"]] if levels else pixel["value"]
    return dense


def choose(
    network: kernels.Network, work: kernels.Workspace, images: kernels.Images, order: Ints
) -> Ints:
    """The actions that a network selects, without exploration, for the samples of `order`."""
    choices = np.zeros(order.size, np.int64)
    kernels.choose(network, work, images, order, choices)
    return choices
