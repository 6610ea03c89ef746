"""Every jitted kernel: the learning rules phase by phase, and the vector loops below them.

Notation.  Layer 0 is the input, layer L the output; b counts the trials of a batch.  Rows of
matrices are padded with zeros to a multiple of `LANES` columns: the layer's *stride*.

==============  ===========  ========================================  =======================
paper           equation     here                                      shape
==============  ===========  ========================================  =======================
x_i             2            ``active`` units of layer 0               a list a trial
u, v, w         2, 4, 5      ``weights``, a matrix a layer             (fan_in, stride)
u', v', w'      8, 10, 12    ``feedback``, stored like the weights     (fan_in, stride)
                             that they reciprocate
y_j, q_l        2 to 5       ``activity``                              (batch, stride)
g_j             9, 11        unit j is in the ``active`` list          a list a trial
z_l, fb_j       6, 10 to 14  ``signal``: z at layer L, fb below        (batch, stride)
delta           7            ``modulator``                             (batch,)
alpha           8            ``rate``                                  scalar
==============  ===========  ========================================  =======================

Two choices tell the learning rules apart: what the output layer sends down and what modulates
plasticity (`receive_reward`, `receive_answer`), and the matrix by which the signal travels
(``feedback``, which *is* ``weights`` where feedback is symmetric).  All else is shared.

The arithmetic is strict IEEE, and every sum has a fixed order, whatever the machine's vectors:
one accumulator a column in `multiply` and `update_layer`; ``LANES`` accumulators a unit, added
in halves, in `propagate_feedback`.  Kernels are deterministic functions of their arguments,
random numbers included.
"""

import math
import operator
from collections import namedtuple

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.arrayobj import populate_array

LANES = 16  # numbers in a vector: rows are padded to a multiple of this
CACHE_LINE = 8  # entries of a list in a line of the cache
TILE = 4 * LANES  # columns whose sums stay in registers
BAND = 128  # units whose weights, a tile wide, stay in the first cache

Q_AGREL, ERROR_BP = 0, 1
CROSS_ENTROPY, SQUARED_ERROR = 0, 1

STRICT = {"nogil": True, "error_model": "numpy"}
kernel = njit(cache=True, no_cfunc_wrapper=True, **STRICT)  # called from Python
BARE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **STRICT}
part = njit(**BARE)  # called by kernels
inlined = njit(inline="always", **BARE)  # copied into its caller, which is compiled sooner so

Network = namedtuple("Network", "width stride start weights feedback learn_feedback")
Network.__doc__ = """Layer l has width[l] units; the weights into it begin at start[l]."""

Lists = namedtuple("Lists", "start end entry")
Lists.__doc__ = """Sparse rows: row r holds the pairs entry[start[r] : end[r]].

A pair, of type `entry_type`, says which unit (or which trial) and how active it is.
"""

Images = namedtuple("Images", "start entry label")
Images.__doc__ = """Images without their zeros: sample s is entry[start[s] : start[s + 1]]."""

Workspace = namedtuple(
    "Workspace", "batch begin activity signal modulator target chosen active by_unit used reached"
)
Workspace.__doc__ = """Buffers of one batch; layer l begins at begin[l] of the flat ones.

active : Lists with start and end of shape (layers, batch): the active units of each trial
by_unit : Lists, a row a unit: the trials in which it is active, for one layer at a time
used : uint32 (units,): the units whose row in by_unit is not empty
reached : int64 (batch,): a place in each trial's list of active units, see `multiply_tile`
"""

Policy = namedtuple("Policy", "rule loss epsilon temperature")
Policy.__doc__ = """What to learn from an outcome, and how actions are selected (Eq. 6)."""

Draws = namedtuple("Draws", "order explore choose")
Draws.__doc__ = """The samples in order; for each, two uniform numbers that decide its action."""

Record = namedtuple("Record", "wrong loss confusion")
Record.__doc__ = """Wrong choices and summed loss a batch; confusion[true class, selected]."""


def entry_type(dtype):
    """NumPy type of the pairs in `Lists`, for activities of type `dtype`."""
    return np.dtype([("index", np.uint32), ("value", dtype)], align=True)


# ---------------------------------------------------------------------------------------------
# An epoch, batch by batch
# ---------------------------------------------------------------------------------------------


@kernel
def train_epoch(network, work, images, draws, policy, rate, record):
    """Learn from the samples of ``draws.order``, batch by batch, a smaller last one included.

    The trials of a batch go side by side through the five phases of the paper's Fig. 1.
    """
    n_samples = draws.order.size
    for k in range((n_samples + work.batch - 1) // work.batch):
        first = k * work.batch
        n = min(work.batch, n_samples - first)
        present(work, images, draws.order, first, n)
        forward(network, work, images, n)
        select_actions(network, work, draws, first, n, policy)
        if policy.rule == Q_AGREL:
            record.loss[k] = receive_reward(network, work, n)
        else:
            record.loss[k] = receive_answer(network, work, n, policy.loss)
        propagate_feedback(network, work, images, n)
        update_weights(network, work, images, n, rate)
        for b in range(n):
            record.confusion[work.target[b], work.chosen[b]] += 1
            record.wrong[k] += work.target[b] != work.chosen[b]


@kernel
def choose(network, work, images, order, choices):
    """choices[i] = the class selected, without exploration, for sample order[i]."""
    output_layer = network.width.size - 1
    for first in range(0, order.size, work.batch):
        n = min(work.batch, order.size - first)
        present(work, images, order, first, n)
        forward(network, work, images, n)
        output = layer_rows(work.activity, network, work, output_layer)
        for b in range(n):
            choices[first + b] = best_action(output, b, network.width[output_layer])


@part
def present(work, images, order, first, n):
    """Put images order[first : first + n] on the input layer (x_i of Eq. 2).

    Samples come in random order, so their memory is asked for before it is needed.
    """
    for b in range(n):
        sample = order[first + b]
        start, end = images.start[sample], images.start[sample + 1]
        work.active.start[0, b] = start
        work.active.end[0, b] = end
        work.target[b] = images.label[sample]
        for e in range(start, end, CACHE_LINE):
            prefetch(images.entry, e)


# 1. Feedforward pass


@part
def forward(network, work, images, n):
    """Activities layer by layer (Eqs. 2, 4, 5): ReLU in the hidden layers, linear outputs."""
    output_layer = network.width.size - 1
    for layer in range(1, output_layer + 1):
        activity = layer_rows(work.activity, network, work, layer)
        weights = weights_into(network.weights, network, layer)
        multiply(active_units(work, images, layer - 1), weights, n, activity, work.reached)
        if layer < output_layer:
            rectify(activity, n, network.width[layer], active_units(work, images, layer))


@part
def rectify(activity, n, width, active):
    """ReLU (Eq. 3): list the units above threshold, the ones whose gate is open (g_j)."""
    end = active.start[0]
    for b in range(n):
        active.start[b] = end
        for j in range(width):
            a = activity[b, j]
            active.entry[end]["index"] = j
            active.entry[end]["value"] = a
            end += a > 0
        active.end[b] = end


# 2. Action selection


@part
def select_actions(network, work, draws, first, n, policy):
    """Max-Boltzmann controller (Eq. 6): the best action, or with chance epsilon a random one.

    Error-backpropagation does not explore: its choice is the largest output.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    for b in range(n):
        if policy.rule == Q_AGREL and draws.explore[first + b] < policy.epsilon:
            uniform = draws.choose[first + b]
            work.chosen[b] = boltzmann_action(output, b, n_actions, policy.temperature, uniform)
        else:
            work.chosen[b] = best_action(output, b, n_actions)


@part
def best_action(q, b, n_actions):
    """Index of the largest of trial b's `n_actions` values, the lowest index on a tie."""
    best = 0
    for action in range(1, n_actions):
        if q[b, action] > q[b, best]:
            best = action
    return best


@part
def boltzmann_action(q, b, n_actions, temperature, uniform):
    """Draw from P(l) = exp(q_l / T) / sum exp(q / T) (Eq. 6) by its cumulative distribution."""
    largest = q[b, best_action(q, b, n_actions)]
    total = 0.0
    for action in range(n_actions):
        total += exp(np.float64(q[b, action] - largest) / temperature)
    cumulative = 0.0
    for action in range(n_actions - 1):
        cumulative += exp(np.float64(q[b, action] - largest) / temperature)
        if uniform * total < cumulative:
            return action
    return n_actions - 1


# 3. What the output layer sends down, and what modulates plasticity: here the rules differ


@part
def receive_reward(network, work, n):
    """Q-AGREL: the winner sends one, the others zero: no error travels down (z of Eq. 10).

    All synapses learn the reward prediction error delta = r - q_s (Eq. 7).  Returns the summed
    loss, delta^2 / 2.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    signal = layer_rows(work.signal, network, work, network.width.size - 1)
    loss = 0.0
    for b in range(n):
        selected = work.chosen[b]
        for action in range(n_actions):
            signal[b, action] = action == selected
        reward = 1.0 if selected == work.target[b] else 0.0
        work.modulator[b] = reward - np.float64(output[b, selected])
        loss += 0.5 * work.modulator[b] ** 2
    return loss


@part
def receive_answer(network, work, n, loss_code):
    """Error-backpropagation: each output sends minus its error, target - q (Eq. 15).

    Where the loss is the cross-entropy, target - softmax(q).  Nothing else modulates plasticity.
    Returns the summed loss, sum (q - target)^2 / 2 or the cross-entropy.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    signal = layer_rows(work.signal, network, work, network.width.size - 1)
    loss = 0.0
    for b in range(n):
        work.modulator[b] = 1.0
        target = work.target[b]
        if loss_code == CROSS_ENTROPY:
            log_total = softmax(output, b, n_actions, signal)
            loss += log_total - np.float64(output[b, target])
        for action in range(n_actions):
            answer = signal[b, action] if loss_code == CROSS_ENTROPY else output[b, action]
            signal[b, action] = (action == target) - answer
            if loss_code == SQUARED_ERROR:
                loss += 0.5 * np.float64(signal[b, action] * signal[b, action])
    return loss


@part
def softmax(q, b, n_actions, out):
    """out[b] = exp(q_l) / sum exp(q), in double precision inside; returns log(sum exp(q))."""
    largest = q[b, best_action(q, b, n_actions)]
    total = 0.0
    for action in range(n_actions):
        share = exp(np.float64(q[b, action] - largest))
        out[b, action] = share
        total += share
    for action in range(n_actions):
        out[b, action] = np.float64(out[b, action]) / total
    return log(total) + np.float64(largest)


# 4. Backward pass


@part
def propagate_feedback(network, work, images, n):
    """Feedback units of the hidden layers, fb_j = g_j sum_k w'_kj fb_k (Eqs. 10, 12, 14).

    Only units with an open gate receive it, so closed ones pass nothing on (Fig. 3).
    """
    for layer in range(network.width.size - 2, 0, -1):
        above = layer_rows(work.signal, network, work, layer + 1)
        below = layer_rows(work.signal, network, work, layer)
        feedback = weights_into(network.feedback, network, layer + 1)
        gather_feedback(active_units(work, images, layer), feedback, n, above, below)


# 5. Update of the synapses


@part
def update_weights(network, work, images, n, rate):
    """Change w by rate * mean over the batch of pre * gate * delta * fb (Eqs. 1, 8-13).

    Feedback weights, where they learn, change by the same amounts (Eq. 8).
    """
    for layer in range(network.width.size - 1, 0, -1):
        signal = layer_rows(work.signal, network, work, layer)
        modulate(signal, n, work.modulator, rate)
        active = active_units(work, images, layer - 1)
        weights = weights_into(network.weights, network, layer)
        feedback = weights_into(network.feedback, network, layer)
        learns = network.learn_feedback and layer > 1
        if n == 1:
            update_by_one_trial(active, signal, weights, feedback, learns)
        else:
            n_used = list_by_unit(active, n, network.width[layer - 1], work.by_unit, work.used)
            update_layer(n_used, work, signal, weights, feedback, learns)
            for u in range(n_used):
                work.by_unit.end[work.used[u]] = work.by_unit.start[work.used[u]]


@part
def modulate(signal, n, modulator, rate):
    """Multiply each trial's signal by its delta times the learning rate over the batch size."""
    for b in range(n):
        factor = signal.dtype.type(rate / n * modulator[b])
        for column in range(signal.shape[1]):
            signal[b, column] *= factor


@part
def list_by_unit(active, n, n_units, trials, used):
    """Turn lists of units a trial into lists of trials a unit; returns how many are used."""
    for b in range(n):
        for e in range(active.start[b], active.end[b]):
            unit = active.entry[e]["index"]
            place = trials.end[unit]
            trials.entry[place]["index"] = b
            trials.entry[place]["value"] = active.entry[e]["value"]
            trials.end[unit] = place + 1
    n_used = 0
    for unit in range(n_units):
        used[n_used] = unit
        n_used += trials.end[unit] > trials.start[unit]
    return n_used


# ---------------------------------------------------------------------------------------------
# Before and after an epoch
# ---------------------------------------------------------------------------------------------


@kernel
def count_pixels(images, start):
    """start[s] = how many pixels of the images before s are not zero; images is (n, pixels)."""
    for s in range(images.shape[0]):
        count = 0
        for pixel in range(images.shape[1]):
            count += images[s, pixel] != 0
        start[s + 1] = start[s] + count


@kernel
def list_pixels(images, activity, start, entry):
    """Fill the entries of `Images`: activity[level] for the grey levels that are not zero."""
    for s in range(images.shape[0]):
        e = start[s]
        for pixel in range(images.shape[1]):
            if images[s, pixel] != 0:
                entry[e]["index"] = pixel
                entry[e]["value"] = activity[images[s, pixel]]
                e += 1


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


# ---------------------------------------------------------------------------------------------
# The three loops in which the time goes
# ---------------------------------------------------------------------------------------------


@part
def multiply(active, weights, n, out, reached):
    """out[b] = sum over active units j of y_j * weights[j], for n trials (Eqs. 2, 4, 5)."""
    band, done = BAND, 0
    if n == 1:  # nothing serves a second trial, so tiles are fewer and wider
        band = weights.shape[0]
        done = weights.shape[1] // (2 * TILE) * (2 * TILE)
        for column in range(0, done, 2 * TILE):
            multiply_tile(zeros(weights, 8), active, weights, band, n, out, reached, column)
    whole = weights.shape[1] // TILE * TILE
    for column in range(done, whole, TILE):
        multiply_tile(zeros(weights, 4), active, weights, band, n, out, reached, column)
    rest = weights.shape[1] - whole
    if rest == 3 * LANES:
        multiply_tile(zeros(weights, 3), active, weights, band, n, out, reached, whole)
    elif rest == 2 * LANES:
        multiply_tile(zeros(weights, 2), active, weights, band, n, out, reached, whole)
    elif rest == LANES:
        multiply_tile(zeros(weights, 1), active, weights, band, n, out, reached, whole)


@inlined
def multiply_tile(zero, active, weights, band, n, out, reached, column):
    """`multiply` for the columns of one tile, a band of units at a time.

    reached[b] tells how far the list of trial b, in rising order of units, has been followed.
    """
    last = 0
    while last < weights.shape[0]:
        last += band
        for b in range(n):
            total = zero
            e, end = active.start[b], active.end[b]
            if last > band:
                total = load(out, b, column, zero)
                e = reached[b]
            while e < end:
                entry = active.entry[e]
                unit = entry["index"]
                if unit >= last:
                    break
                total = total + entry["value"] * load(weights, unit, column, zero)
                e += 1
            store(out, b, column, total)
            reached[b] = e


@part
def update_layer(n_units, work, signal, weights, feedback, learns):
    """weights[j] += sum over trials of y_j * signal[b]; the same for feedback[j] if it learns.

    The last tile comes first: it is the one that `multiply` left in the cache.
    """
    whole = weights.shape[1] // TILE * TILE
    rest = weights.shape[1] - whole
    if rest == 3 * LANES:
        update_tile(zeros(signal, 3), n_units, work, signal, weights, feedback, learns, whole)
    elif rest == 2 * LANES:
        update_tile(zeros(signal, 2), n_units, work, signal, weights, feedback, learns, whole)
    elif rest == LANES:
        update_tile(zeros(signal, 1), n_units, work, signal, weights, feedback, learns, whole)
    for column in range(whole - TILE, -1, -TILE):
        update_tile(zeros(signal, 4), n_units, work, signal, weights, feedback, learns, column)


@inlined
def update_tile(zero, n_units, work, signal, weights, feedback, learns, column):
    """`update_layer` for the columns of one tile."""
    for u in range(n_units):
        unit = work.used[u]
        change = zero
        for e in range(work.by_unit.start[unit], work.by_unit.end[unit]):
            entry = work.by_unit.entry[e]
            change = change + entry["value"] * load(signal, entry["index"], column, zero)
        store(weights, unit, column, load(weights, unit, column, zero) + change)
        if learns:
            store(feedback, unit, column, load(feedback, unit, column, zero) + change)


@part
def update_by_one_trial(active, signal, weights, feedback, learns):
    """`update_layer` for a batch of one: weights[j] += y_j * signal[0] for the active units j."""
    zero = zeros(signal, 1)
    for e in range(active.start[0], active.end[0]):
        entry = active.entry[e]
        unit = entry["index"]
        for column in range(0, weights.shape[1], LANES):
            change = entry["value"] * load(signal, 0, column, zero)
            store(weights, unit, column, load(weights, unit, column, zero) + change)
            if learns:
                store(feedback, unit, column, load(feedback, unit, column, zero) + change)


@part
def gather_feedback(active, feedback, n, above, below):
    """below[b, j] = feedback[j] . above[b] for the active units j of each trial, else zero."""
    for b in range(n):
        for column in range(below.shape[1]):
            below[b, column] = 0
        first, end = active.start[b], active.end[b]
        for e in range(first, end, 4):
            j0 = active.entry[e]["index"]
            j1 = active.entry[min(e + 1, end - 1)]["index"]
            j2 = active.entry[min(e + 2, end - 1)]["index"]
            j3 = active.entry[min(e + 3, end - 1)]["index"]
            f0, f1, f2, f3 = dot_4_rows(feedback, j0, j1, j2, j3, above, b)
            below[b, j0] = f0
            below[b, j1] = f1
            below[b, j2] = f2
            below[b, j3] = f3


@part
def dot_4_rows(feedback, j0, j1, j2, j3, above, b):
    """Four rows of `feedback`, each times above[b]: four chains of sums hide their latency."""
    zero = zeros(above, 1)
    f0, f1, f2, f3 = zero, zero, zero, zero
    for column in range(0, above.shape[1], LANES):
        fb = load(above, b, column, zero)
        f0 = f0 + load(feedback, j0, column, zero) * fb
        f1 = f1 + load(feedback, j1, column, zero) * fb
        f2 = f2 + load(feedback, j2, column, zero) * fb
        f3 = f3 + load(feedback, j3, column, zero) * fb
    return add_lanes(f0), add_lanes(f1), add_lanes(f2), add_lanes(f3)


# ---------------------------------------------------------------------------------------------
# Views of the flat buffers
# ---------------------------------------------------------------------------------------------


@part
def weights_into(flat, network, layer):
    """The matrix (width[layer - 1], stride[layer]) of the weights into a layer."""
    rows, columns = network.width[layer - 1], network.stride[layer]
    start = network.start[layer]
    return view(flat, start, rows, columns)


@part
def layer_rows(flat, network, work, layer):
    """The matrix (batch, stride[layer]) of a layer's activities or signals."""
    columns = network.stride[layer]
    start = work.begin[layer]
    return view(flat, start, work.batch, columns)


@part
def active_units(work, images, layer):
    """The lists of a layer's active units, one a trial."""
    lists = work.active
    entry = images.entry if layer == 0 else lists.entry
    return Lists(lists.start[layer], lists.end[layer], entry)


# ---------------------------------------------------------------------------------------------
# Elementary functions in plain arithmetic: libraries differ in the last bit
# ---------------------------------------------------------------------------------------------

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_POWERS_OF_TWO = np.array([2.0**e if e >= -1074 else 0.0 for e in range(-1075, 1)])
_EXP_SERIES = tuple(1.0 / math.factorial(k) for k in range(13, -1, -1))


@part
def exp(x):
    """E to the power x for x <= 0, in double precision; 0 for what is not a number.

    x = k log 2 + r with |r| <= log(2) / 2; a Taylor series for e^r.
    """
    if not -745.2 < x <= 0.0:
        return 0.0
    k = int(x * 1.4426950408889634 - 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    series = 0.0
    for coefficient in _EXP_SERIES:
        series = series * r + coefficient
    return series * _POWERS_OF_TWO[k + 1075]


@part
def log(x):
    """Natural logarithm of x >= 1, in double precision: halve into [1, 2), then 2 artanh."""
    halvings = 0
    while 2.0 <= x < np.inf:
        x *= 0.5
        halvings += 1
    if x > 1.4142135623730951:
        x *= 0.5
        halvings += 1
    z = (x - 1.0) / (x + 1.0)
    series = 0.0
    for k in range(21, -1, -2):
        series = series * z * z + 1.0 / k
    return 2.0 * z * series + halvings * 0.6931471805599453


@part
def arccos(c):
    """Angle in radians whose cosine is c, by arccos(c) = 2 arctan(sqrt((1 - c) / (1 + c)))."""
    if c <= -1.0:
        return math.pi
    c = min(c, 1.0)
    return 2.0 * arctan(math.sqrt((1.0 - c) / (1.0 + c)))


@part
def arctan(x):
    """Arc tangent of x >= 0 in double precision: halve the angle three times, then a series."""
    inverse = x > 1.0
    if inverse:
        x = 1.0 / x
    for _ in range(3):
        x = x / (1.0 + math.sqrt(1.0 + x * x))
    series = 0.0
    for k in range(19, -1, -1):
        series = 1.0 / (2 * k + 1) - series * x * x
    angle = 8.0 * x * series
    return 1.5707963267948966 - angle if inverse else angle


# ---------------------------------------------------------------------------------------------
# Vectors: `lanes` numbers held in registers, with strict + and *
# ---------------------------------------------------------------------------------------------
# In plain Python (JIT off) a vector is a NumPy array, and the functions below are their own
# reference; compiled, each becomes one LLVM instruction on a vector type.


def zeros(matrix, registers):
    """A vector of zeros, `registers` (a literal) times `LANES` long, of the matrix's type."""
    return np.zeros(registers * LANES, matrix.dtype)


def load(matrix, row, column, like):
    """matrix[row, column : column + lanes] as a vector; the matrix is C-contiguous."""
    return matrix[row, column : column + like.size].copy()


def store(matrix, row, column, vector):
    """matrix[row, column : column + lanes] = vector."""
    matrix[row, column : column + vector.size] = vector


def add_lanes(vector):
    """Sum of the lanes (a power of two), added in halves."""
    while vector.size > 1:
        vector = vector[: vector.size // 2] + vector[vector.size // 2 :]
    return vector[0]


def prefetch(array, i):
    """Bring array[i] nearer to the processor; changes nothing."""


def view(flat, start, rows, columns):
    """The matrix (rows, columns) that begins at `start` of the flat buffer."""
    return flat[start : start + rows * columns].reshape(rows, columns)


class Vector(types.Type):
    """Numba's type of a vector of `lanes` numbers: an array of registers of `LANES` each."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        number = manager.lookup(vector.dtype).get_value_type()
        registers = ir.ArrayType(ir.VectorType(number, LANES), vector.lanes // LANES)
        super().__init__(manager, vector, registers)


def _places(context, builder, signature, arguments, vector):
    """Pointers to the registers' worths of numbers that begin at matrix[row, column]."""
    matrix = context.make_array(signature.args[0])(context, builder, arguments[0])
    row, column = (
        context.cast(builder, argument, given, types.intp)
        for argument, given in zip(arguments[1:3], signature.args[1:3], strict=True)
    )
    n_columns = cgutils.unpack_tuple(builder, matrix.shape)[1]
    place = builder.gep(matrix.data, [builder.add(builder.mul(row, n_columns), column)])
    register = context.get_value_type(vector).element.as_pointer()
    step = ir.Constant(ir.IntType(64), LANES)
    for _ in range(vector.lanes // LANES):
        yield builder.bitcast(place, register)
        place = builder.gep(place, [step])


def _pack(context, builder, vector, registers):
    """A vector from its registers."""
    packed = ir.Constant(context.get_value_type(vector), ir.Undefined)
    for i, register in enumerate(registers):
        packed = builder.insert_value(packed, register, i)
    return packed


def _each(context, builder, vector, operation, operands):
    """Apply an operation register by register."""
    registers = [
        operation(*(builder.extract_value(operand, i) for operand in operands))
        for i in range(vector.lanes // LANES)
    ]
    return _pack(context, builder, vector, registers)


@intrinsic(prefer_literal=True)
def _zeros(typing, matrix, registers):
    vector = Vector(matrix.dtype, registers.literal_value * LANES)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(vector), None)

    return vector(matrix, registers), generate


@intrinsic
def _view(typing, flat, start, rows, columns):
    matrix_type = types.Array(flat.dtype, 2, "C")

    def generate(context, builder, signature, arguments):
        buffer = context.make_array(flat)(context, builder, arguments[0])
        begin, *shape = (
            context.cast(builder, argument, given, types.intp)
            for argument, given in zip(arguments[1:], signature.args[1:], strict=True)
        )
        size = context.get_constant(types.intp, flat.dtype.bitwidth // 8)
        matrix = context.make_array(matrix_type)(context, builder)
        populate_array(
            matrix,
            data=builder.gep(buffer.data, [begin]),
            shape=shape,
            strides=[builder.mul(shape[1], size), size],
            itemsize=size,
            meminfo=None,  # borrowed: the flat buffer outlives its views
        )
        return matrix._getvalue()

    return matrix_type(flat, start, rows, columns), generate


@intrinsic
def _load(typing, matrix, row, column, like):
    def generate(context, builder, signature, arguments):
        places = _places(context, builder, signature, arguments, like)
        loaded = [builder.load(place, align=like.dtype.bitwidth // 8) for place in places]
        return _pack(context, builder, like, loaded)

    return like(matrix, row, column, like), generate


@intrinsic
def _store(typing, matrix, row, column, vector):
    def generate(context, builder, signature, arguments):
        for i, place in enumerate(_places(context, builder, signature, arguments, vector)):
            register = builder.extract_value(arguments[3], i)
            builder.store(register, place, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(matrix, row, column, vector), generate


@intrinsic
def _add_lanes(typing, vector):
    if vector.lanes != LANES:
        return None  # one register, no more

    def generate(context, builder, signature, arguments):
        half, value = LANES, builder.extract_value(arguments[0], 0)
        while half > 1:
            half //= 2
            low, high = (
                builder.shuffle_vector(
                    value, value, ir.Constant(ir.VectorType(ir.IntType(32), half), list(lanes))
                )
                for lanes in (range(half), range(half, 2 * half))
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.dtype(vector), generate


@intrinsic
def _prefetch(typing, array, i):
    def generate(context, builder, signature, arguments):
        buffer = context.make_array(array)(context, builder, arguments[0])
        byte = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        place = builder.bitcast(builder.gep(buffer.data, [arguments[1]]), byte)
        builder.call(function, [place, flag(0), flag(3), flag(1)])  # to read, keep, data
        return context.get_dummy_value()

    return types.void(array, i), generate


@infer_global(operator.add)
class _VectorPlusVector(AbstractTemplate):
    def generic(self, arguments, keywords):
        a, b = arguments
        return signature(a, a, b) if isinstance(a, Vector) and a == b else None


@lower_builtin(operator.add, Vector, Vector)
def _add(context, builder, signature, arguments):
    return _each(context, builder, signature.return_type, builder.fadd, arguments)


@infer_global(operator.mul)
class _NumberTimesVector(AbstractTemplate):
    def generic(self, arguments, keywords):
        a, b = arguments
        return signature(b, a, b) if isinstance(b, Vector) and a in (b, b.dtype) else None


@lower_builtin(operator.mul, Vector, Vector)
def _multiply(context, builder, signature, arguments):
    return _each(context, builder, signature.return_type, builder.fmul, arguments)


@lower_builtin(operator.mul, types.Float, Vector)
def _scale(context, builder, signature, arguments):
    vector, (number, values) = signature.return_type, arguments
    undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    register = builder.shuffle_vector(first, first, lane_0)
    copies = _pack(context, builder, vector, [register] * (vector.lanes // LANES))
    return _each(context, builder, vector, builder.fmul, (copies, values))


PLAIN = {f.__name__: f for f in (zeros, load, store, add_lanes, view, prefetch)}
if not config.DISABLE_JIT:
    zeros, load, store, add_lanes = _zeros, _load, _store, _add_lanes
    view, prefetch = _view, _prefetch
