"""Every jitted kernel: the learning rules phase by phase, and the vector loops below them.

Notation.  Layer 0 is the input, layer L the output; b counts the trials of a block: a batch, or
a part of a large one.  Rows of matrices are padded with zeros to a multiple of `LANES` columns:
the layer's *stride*.

==============  ===========  ========================================  =======================
paper           equation     here                                      shape
==============  ===========  ========================================  =======================
x_i             2            ``active`` units of layer 0               a list a trial
u, v, w         2, 4, 5      ``weights``, a matrix a layer             (fan_in, stride)
u', v', w'      8, 10, 12    ``feedback``, stored like the weights     (fan_in, stride)
                             that they reciprocate
y_j, q_l        2 to 5       ``activity``                              (block, stride)
g_j             9, 11        unit j is in the ``active`` list          a list a trial
z_l, fb_j       6, 10 to 14  ``signal``: z at layer L, fb below        (block, stride)
delta           7            ``modulator``                             (block,)
alpha           8            ``rate``                                  scalar
==============  ===========  ========================================  =======================

Two choices tell the learning rules apart: what the output layer sends down and what modulates
plasticity (`receive_reward`, `receive_answer`), and the matrix by which the signal travels
(``feedback``, which *is* ``weights`` where feedback is symmetric).  All else is shared.

The arithmetic is strict IEEE, and every sum has a fixed order, whatever the machine's vectors:
one accumulator a column in `multiply` and `change_layer`; ``LANES`` accumulators a unit, added
in halves, in `gather_feedback`.  Kernels are deterministic functions of their arguments,
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

LANES = 16  # numbers in a register: rows are padded to a multiple of this
CACHE_LINE = 16  # pixels of an image in a line of the cache
BAND = 128  # units whose weights, a tile wide, stay near the processor
BLOCK = 128  # trials whose signals, a tile wide, do
ROWS = 8  # units whose feedback is summed side by side

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

A pair, of type `pair_type`, says which unit (or which trial) and how active it is.
"""

Images = namedtuple("Images", "start pixel activity label")
Images.__doc__ = """Images without their zeros: sample s is pixel[start[s] : start[s + 1]].

Each says which pixel and its grey level; an input unit of that level is activity[level] active.
"""

Workspace = namedtuple(
    "Workspace",
    "batch block begin activity signal modulator target chosen active by_unit used reached change",
)
Workspace.__doc__ = """Buffers for a block of trials; layer l begins at begin[l] of the flat ones.

A batch of more than `BLOCK` trials is worked through in blocks, whose changes are summed.

active : Lists with start and end of shape (layers, block): the active units of each trial
by_unit : Lists, a row a unit: the trials in which it is active, for one layer at a time
used : uint32 (units,): the units whose row in by_unit is not empty
reached : int64 (block,): a place in each trial's list of active units, see `multiply_tile`
change : laid out like the weights: changes by the earlier blocks of a batch; where a batch is
    one block, the weights themselves, not used
"""

Synapses = namedtuple("Synapses", "weights feedback change learns begun complete")
Synapses.__doc__ = """The matrices of the synapses into a layer, and how far their batch is.

learns : whether feedback changes like the weights
begun : whether `change` holds the sums of earlier blocks
complete : whether this block is the batch's last, so that weights change
"""

Policy = namedtuple("Policy", "rule loss epsilon temperature")
Policy.__doc__ = """What to learn from an outcome, and how actions are selected (Eq. 6)."""

Draws = namedtuple("Draws", "order explore choose")
Draws.__doc__ = """The samples in order; for each, two uniform numbers that decide its action.

There are none of these where epsilon is zero.
"""

Record = namedtuple("Record", "wrong loss confusion")
Record.__doc__ = """Wrong choices and summed loss a batch; confusion[true class, selected]."""


def pair_type(index, value):
    """NumPy type of pairs, members index and value, of these types."""
    return np.dtype([("index", index), ("value", value)], align=True)


# ---------------------------------------------------------------------------------------------
# An epoch, batch by batch
# ---------------------------------------------------------------------------------------------


@kernel
def train_epoch(network, work, images, draws, policy, rate, record):
    """Learn from the samples of ``draws.order``, batch by batch, a smaller last one included.

    The trials of a block go side by side through the five phases of the paper's Fig. 1.
    """
    n_samples = draws.order.size
    for k in range((n_samples + work.batch - 1) // work.batch):
        start, stop = k * work.batch, min((k + 1) * work.batch, n_samples)
        for first in range(start, stop, work.block):
            n = min(work.block, stop - first)
            present(work, images, draws.order, first, n)
            forward(network, work, n)
            select_actions(network, work, draws, first, n, policy)
            if policy.rule == Q_AGREL:
                loss = receive_reward(network, work, n, record.loss[k])
            else:
                loss = receive_answer(network, work, n, record.loss[k], policy.loss)
            propagate_feedback(network, work, n)
            modulate(network, work, n, rate / (stop - start))
            change_synapses(network, work, n, first > start, first + n == stop)
            record.loss[k] = loss
            record.wrong[k] += count_choices(work, n, record.confusion)


@kernel
def choose(network, work, images, order, choices):
    """choices[i] = the class selected, without exploration, for sample order[i]."""
    output_layer = network.width.size - 1
    for first in range(0, order.size, work.block):
        n = min(work.block, order.size - first)
        present(work, images, order, first, n)
        forward(network, work, n)
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
        for e in range(images.start[sample], images.start[sample + 1], CACHE_LINE):
            prefetch(images.pixel, e)
    active = active_units(work, 0)
    end = active.start[0]
    for b in range(n):
        sample = order[first + b]
        work.target[b] = images.label[sample]
        active.start[b] = end
        for e in range(images.start[sample], images.start[sample + 1]):
            unit, level = read(images.pixel, e)
            write(active.entry, end, unit, images.activity[level])
            end += 1
        active.end[b] = end


@part
def count_choices(work, n, confusion):
    """Count the choices by true and selected class; returns how many were wrong."""
    wrong = 0
    for b in range(n):
        confusion[work.target[b], work.chosen[b]] += 1
        wrong += work.target[b] != work.chosen[b]
    return wrong


# 1. Feedforward pass


@part
def forward(network, work, n):
    """Activities layer by layer (Eqs. 2, 4, 5): ReLU in the hidden layers, linear outputs."""
    output_layer = network.width.size - 1
    for layer in range(1, output_layer + 1):
        activity = layer_rows(work.activity, network, work, layer)
        weights = weights_into(network.weights, network, layer)
        multiply(active_units(work, layer - 1), weights, n, activity, work.reached)
        if layer < output_layer:
            rectify(activity, n, network.width[layer], active_units(work, layer))


@part
def rectify(activity, n, width, active):
    """ReLU (Eq. 3): list the units above threshold, the ones whose gate is open (g_j)."""
    end = active.start[0]
    for b in range(n):
        active.start[b] = end
        for j in range(width):
            a = activity[b, j]
            write(active.entry, end, j, a)
            end += a > 0
        active.end[b] = end


# 2. Action selection


@part
def select_actions(network, work, draws, first, n, policy):
    """Max-Boltzmann controller (Eq. 6): the best action, or with chance epsilon a random one.

    Without epsilon, as in error-backpropagation, the choice is the largest output.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    for b in range(n):
        if policy.epsilon > 0 and draws.explore[first + b] < policy.epsilon:
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
def receive_reward(network, work, n, loss):
    """Q-AGREL: the winner sends one, the others zero: no error travels down (z of Eq. 10).

    All synapses learn the reward prediction error delta = r - q_s (Eq. 7).  Returns the loss
    with delta^2 / 2 of each trial added.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    signal = layer_rows(work.signal, network, work, network.width.size - 1)
    for b in range(n):
        selected = work.chosen[b]
        for action in range(n_actions):
            signal[b, action] = action == selected
        reward = 1.0 if selected == work.target[b] else 0.0
        work.modulator[b] = reward - np.float64(output[b, selected])
        loss += 0.5 * work.modulator[b] ** 2
    return loss


@part
def receive_answer(network, work, n, loss, loss_code):
    """Error-backpropagation: each output sends minus its error, target - q (Eq. 15).

    Where the loss is the cross-entropy, target - softmax(q).  Nothing else modulates plasticity.
    Returns the loss with sum (q - target)^2 / 2, or the cross-entropy, of each trial added.
    """
    n_actions = network.width[-1]
    output = layer_rows(work.activity, network, work, network.width.size - 1)
    signal = layer_rows(work.signal, network, work, network.width.size - 1)
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
def propagate_feedback(network, work, n):
    """Feedback units of the hidden layers, fb_j = g_j sum_k w'_kj fb_k (Eqs. 10, 12, 14).

    Only units with an open gate receive it, so closed ones pass nothing on (Fig. 3).
    """
    for layer in range(network.width.size - 2, 0, -1):
        above = layer_rows(work.signal, network, work, layer + 1)
        below = layer_rows(work.signal, network, work, layer)
        feedback = weights_into(network.feedback, network, layer + 1)
        gather_feedback(active_units(work, layer), feedback, n, above, below)


# 5. Change of the synapses


@part
def modulate(network, work, n, rate):
    """Multiply each trial's signals by its delta times the learning rate over the batch size."""
    for layer in range(1, network.width.size):
        signal = layer_rows(work.signal, network, work, layer)
        for b in range(n):
            factor = signal.dtype.type(rate * work.modulator[b])
            for column in range(signal.shape[1]):
                signal[b, column] *= factor


@part
def change_synapses(network, work, n, begun, complete):
    """Change w by the sum over the batch of pre * gate * delta * fb (Eqs. 1, 8-13).

    Feedback weights, where they learn, change by the same amounts (Eq. 8).
    """
    for layer in range(1, network.width.size):
        active = active_units(work, layer - 1)
        signal = layer_rows(work.signal, network, work, layer)
        synapses = synapses_into(network, work, layer, begun, complete)
        if work.batch == 1:
            change_by_one_trial(active, signal, synapses)
        else:
            change_layer(list_by_unit(active, n, work, synapses), work, signal, synapses)


@part
def list_by_unit(active, n, work, synapses):
    """Turn lists of units a trial into lists of trials a unit; returns how many are used."""
    trials, n_units, n_used = work.by_unit, synapses.weights.shape[0], 0
    several = synapses.begun or not synapses.complete
    for unit in range(n_units):
        trials.end[unit] = trials.start[unit]
    for b in range(n):
        for e in range(active.start[b], active.end[b]):
            unit, activity = read(active.entry, e)
            write(trials.entry, trials.end[unit], b, activity)
            trials.end[unit] += 1
    for unit in range(n_units):
        work.used[n_used] = unit
        n_used += several or trials.end[unit] > trials.start[unit]
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
def list_pixels(images, start, pixels):
    """Fill pixels of `Images` with the grey levels that are not zero."""
    for s in range(images.shape[0]):
        e = start[s]
        for pixel in range(images.shape[1]):
            if images[s, pixel] != 0:
                write(pixels, e, pixel, images[s, pixel])
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
# The three loops in which the time goes, a tile of columns at a time
# ---------------------------------------------------------------------------------------------


@part
def multiply(active, weights, n, out, reached):
    """out[b] = sum over active units j of y_j * weights[j], for n trials (Eqs. 2, 4, 5)."""
    column, columns = 0, weights.shape[1]
    while columns - column >= 7 * LANES:
        column = multiply_tile(zeros(weights, 7), active, weights, n, out, reached, column)
    if columns - column >= 5 * LANES:
        column = multiply_tile(zeros(weights, 5), active, weights, n, out, reached, column)
    if columns - column >= 3 * LANES:
        column = multiply_tile(zeros(weights, 3), active, weights, n, out, reached, column)
    while columns - column >= LANES:
        column = multiply_tile(zeros(weights, 1), active, weights, n, out, reached, column)


@inlined
def multiply_tile(zero, active, weights, n, out, reached, column):
    """`multiply` for the columns of one tile, a band of units at a time.

    reached[b] tells how far the list of trial b, in rising order of units, has been followed.
    """
    last = 0
    while last < weights.shape[0]:
        last += BAND
        for b in range(n):
            total = zero
            e, end = active.start[b], active.end[b]
            if last > BAND:
                total = load(out, b, column, zero)
                e = reached[b]
            while e < end:
                unit, activity = read(active.entry, e)
                if unit >= last:
                    break
                total = total + activity * load(weights, unit, column, zero)
                e += 1
            store(out, b, column, total)
            reached[b] = e
    return column + lanes(zero)


@part
def gather_feedback(active, feedback, n, above, below):
    """below[b, j] = feedback[j] . above[b] for the active units j of each trial, else zero."""
    for b in range(n):
        for column in range(0, below.shape[1], LANES):
            store(below, b, column, zeros(below, 1))
        end = active.end[b]
        for e in range(active.start[b], end, ROWS):
            total = zeros(above, ROWS)
            for column in range(0, above.shape[1], LANES):
                signal = repeat(load(above, b, column, zeros(above, 1)), ROWS)
                total = total + signal * load_rows(feedback, active.entry, e, end, column, total)
            store_sums(below, b, active.entry, e, end, total)


@part
def change_layer(n_used, work, signal, synapses):
    """weights[j] += sum over trials of y_j * signal[b]; the same for feedback[j] if it learns."""
    column, columns = 0, signal.shape[1]
    while columns - column >= 7 * LANES:
        column = change_tile(zeros(signal, 7), n_used, work, signal, synapses, column)
    if columns - column >= 5 * LANES:
        column = change_tile(zeros(signal, 5), n_used, work, signal, synapses, column)
    if columns - column >= 3 * LANES:
        column = change_tile(zeros(signal, 3), n_used, work, signal, synapses, column)
    while columns - column >= LANES:
        column = change_tile(zeros(signal, 1), n_used, work, signal, synapses, column)


@inlined
def change_tile(zero, n_used, work, signal, synapses, column):
    """`change_layer` for the columns of one tile."""
    trials, changes = work.by_unit, synapses.change
    weights, feedback, learns = synapses.weights, synapses.feedback, synapses.learns
    for u in range(n_used):
        unit = work.used[u]
        change = zero
        if synapses.begun:
            change = load(changes, unit, column, zero)
        for e in range(trials.start[unit], trials.end[unit]):
            b, activity = read(trials.entry, e)
            change = change + activity * load(signal, b, column, zero)
        if synapses.complete:
            add(weights, feedback, learns, unit, column, change)
        else:
            store(changes, unit, column, change)
    return column + lanes(zero)


@part
def change_by_one_trial(active, signal, synapses):
    """`change_layer` for a batch of one: weights[j] += y_j * signal[0] for the active units j."""
    weights, feedback, learns = synapses.weights, synapses.feedback, synapses.learns
    for e in range(active.start[0], active.end[0]):
        unit, activity = read(active.entry, e)
        for column in range(0, signal.shape[1], LANES):
            change = activity * load(signal, 0, column, zeros(signal, 1))
            add(weights, feedback, learns, unit, column, change)


@inlined
def add(weights, feedback, learns, unit, column, change):
    """Add a vector to a unit's weights, and to its feedback weights if they learn."""
    store(weights, unit, column, load(weights, unit, column, change) + change)
    if learns:
        store(feedback, unit, column, load(feedback, unit, column, change) + change)


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
    """The matrix (block, stride[layer]) of a layer's activities or signals."""
    columns = network.stride[layer]
    start = work.begin[layer]
    return view(flat, start, work.block, columns)


@part
def active_units(work, layer):
    """The lists of a layer's active units, one a trial."""
    return Lists(work.active.start[layer], work.active.end[layer], work.active.entry)


@part
def synapses_into(network, work, layer, begun, complete):
    """The synapses into a layer; nothing is fed back to the input, so the first has no feedback."""
    weights = weights_into(network.weights, network, layer)
    feedback = weights_into(network.feedback, network, layer)
    change = weights_into(work.change, network, layer)
    learns = network.learn_feedback and layer > 1
    return Synapses(weights, feedback, change, learns, begun, complete)


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


def lanes(vector):
    """How many numbers a vector holds."""
    return vector.size


def repeat(vector, registers):
    """The vector, of one register, `registers` (a literal) times."""
    return np.tile(vector, registers)


def load_rows(matrix, entries, e, end, column, like):
    """A register of each row that entries[e], entries[e + 1] ... name; the last of `end` again."""
    rows = [entries[min(e + i, end - 1)]["index"] for i in range(like.size // LANES)]
    return matrix[rows, column : column + LANES].reshape(-1)


def store_sums(matrix, row, entries, e, end, vector):
    """matrix[row, j] = sum of a register's lanes, added in halves, for the entries' indices j."""
    lanes = vector.reshape(-1, LANES)
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    for i in range(len(lanes)):
        matrix[row, entries[min(e + i, end - 1)]["index"]] = lanes[i, 0]


def read(entries, e):
    """The pair entries[e] of `Lists`: index and value."""
    return entries[e]["index"], entries[e]["value"]


def write(entries, e, index, value):
    """entries[e] = (index, value)."""
    entries[e]["index"] = index
    entries[e]["value"] = value


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


def _places(context, builder, given, arguments, vector):
    """Pointers to the registers' worths of numbers that begin at matrix[row, column]."""
    matrix = context.make_array(given[0])(context, builder, arguments[0])
    row, column = (
        context.cast(builder, argument, given, types.intp)
        for argument, given in zip(arguments[1:3], given[1:3], strict=True)
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
        places = _places(context, builder, signature.args, arguments, like)
        loaded = [builder.load(place, align=like.dtype.bitwidth // 8) for place in places]
        return _pack(context, builder, like, loaded)

    return like(matrix, row, column, like), generate


@intrinsic
def _store(typing, matrix, row, column, vector):
    def generate(context, builder, signature, arguments):
        for i, place in enumerate(_places(context, builder, signature.args, arguments, vector)):
            register = builder.extract_value(arguments[3], i)
            builder.store(register, place, align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(matrix, row, column, vector), generate


def _indices(context, builder, entries, arguments, n):
    """The indices of the `n` pairs from entries[e], with the last before `end` again and again."""
    buffer, e, end = arguments
    last = builder.sub(end, ir.Constant(ir.IntType(64), 1))
    for i in range(n):
        place = builder.add(e, ir.Constant(ir.IntType(64), i))
        place = builder.select(builder.icmp_signed("<", place, last), place, last)
        index, _ = _members(context, builder, entries, (buffer, place))
        yield builder.zext(builder.load(index), ir.IntType(64))


@intrinsic
def _lanes(typing, vector):
    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), vector.lanes)

    return types.intp(vector), generate


@intrinsic(prefer_literal=True)
def _repeat(typing, vector, registers):
    repeated = Vector(vector.dtype, registers.literal_value * LANES)

    def generate(context, builder, signature, arguments):
        register = builder.extract_value(arguments[0], 0)
        return _pack(context, builder, repeated, [register] * registers.literal_value)

    return repeated(vector, registers), generate


@intrinsic
def _load_rows(typing, matrix, entries, e, end, column, like):
    def generate(context, builder, signature, arguments):
        one = Vector(like.dtype, LANES)
        given = matrix, types.intp, types.intp
        registers = []
        for row in _indices(context, builder, entries, arguments[1:4], like.lanes // LANES):
            (place,) = _places(context, builder, given, (arguments[0], row, arguments[4]), one)
            registers.append(builder.load(place, align=like.dtype.bitwidth // 8))
        return _pack(context, builder, like, registers)

    return like(matrix, entries, types.intp, types.intp, types.intp, like), generate


@intrinsic
def _store_sums(typing, matrix, row, entries, e, end, vector):
    n = vector.lanes // LANES

    def generate(context, builder, signature, arguments):
        registers = [builder.extract_value(arguments[5], i) for i in range(n)]
        sums = _fold(builder, registers)
        array = context.make_array(matrix)(context, builder, arguments[0])
        n_columns = cgutils.unpack_tuple(builder, array.shape)[1]
        first = builder.mul(arguments[1], n_columns)
        for i, column in enumerate(_indices(context, builder, entries, arguments[2:5], n)):
            lane = builder.extract_element(sums, ir.Constant(ir.IntType(32), i))
            builder.store(lane, builder.gep(array.data, [builder.add(first, column)]))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, entries, types.intp, types.intp, vector), generate


def _fold(builder, registers):
    """The sum of each register's lanes, added in halves, side by side in one register."""
    width = LANES
    while width > 1:
        if len(registers) > 1:
            pairs = zip(registers[::2], registers[1::2], strict=True)
        else:
            pairs = [(registers[0], None)]
        registers = [_halve(builder, a, b, width) for a, b in pairs]
        width //= 2
    return registers[0]


def _halve(builder, a, b, width):
    """Add the halves of every `width` lanes of a and, where there is one, of b."""
    n = a.type.count if b is None else 2 * a.type.count
    halves = []
    for upper in (False, True):
        lanes = [lane for lane in range(n) if (lane % width >= width // 2) == upper]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        halves.append(builder.shuffle_vector(a, a if b is None else b, mask))
    return builder.fadd(*halves)


def _members(context, builder, entries, arguments):
    """Pointers to the index and the value of entries[e], for e >= 0."""
    buffer = context.make_array(entries)(context, builder, arguments[0])
    pair = builder.gep(buffer.data, [arguments[1]])
    bytes_of_pair = builder.bitcast(pair, ir.IntType(8).as_pointer())
    for member in ("index", "value"):
        offset = ir.Constant(ir.IntType(64), entries.dtype.offset(member))
        place = builder.gep(bytes_of_pair, [offset])
        member_type = context.get_value_type(entries.dtype.typeof(member))
        yield builder.bitcast(place, member_type.as_pointer())


@intrinsic
def _read(typing, entries, e):
    pair = types.Tuple((types.intp, entries.dtype.typeof("value")))

    def generate(context, builder, signature, arguments):
        index, value = _members(context, builder, entries, arguments)
        unit = builder.zext(builder.load(index), ir.IntType(64))
        return context.make_tuple(builder, pair, [unit, builder.load(value)])

    return pair(entries, types.intp), generate


@intrinsic
def _write(typing, entries, e, index, value):
    def generate(context, builder, signature, arguments):
        for place, member in zip(
            _members(context, builder, entries, arguments), arguments[2:], strict=True
        ):
            builder.store(member, place)
        return context.get_dummy_value()

    members = (entries.dtype.typeof(member) for member in ("index", "value"))
    return types.void(entries, types.intp, *members), generate


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


PLAIN = {
    f.__name__: f
    for f in (zeros, lanes, repeat, load, store, load_rows, store_sums, view, read, write, prefetch)
}
if not config.DISABLE_JIT:
    zeros, lanes, repeat, load, store = _zeros, _lanes, _repeat, _load, _store
    load_rows, store_sums = _load_rows, _store_sums
    view, read, write, prefetch = _view, _read, _write, _prefetch
