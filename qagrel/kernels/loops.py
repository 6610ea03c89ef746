"""The loops in which the time goes, a tile of columns at a time; each serves a phase of `rule`.

Every sum has a fixed order, whatever the machine's vectors: one accumulator a column in
`multiply` and `change_tile`; ``LANES`` accumulators a unit, added in halves, in
`gather_feedback`.
"""

from qagrel.kernels.buffers import (
    active_units,
    activities,
    signals,
    synapses_into,
    weights_into,
)
from qagrel.kernels.layout import BAND, LANES, inlined, part
from qagrel.kernels.vectors import (
    fma,
    lanes,
    load,
    read,
    scatter,
    store,
    turn,
    turn_listed,
    view,
    where_positive,
    write,
    zeros,
)

# --- forward ---------------------------------------------------------------------------------


@part
def sum_inputs(network, work, layer, n):
    """What the active units of the layer below add up to in each unit of a layer."""
    weights = weights_into(network.weights, network, layer)
    out = activities(network, work, layer)
    multiply(active_units(work, layer - 1), weights, n, out, work.reached)


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
                total = fma(activity, load(weights, unit, column, zero), total)
                e += 1
            store(out, b, column, total)
            reached[b] = e
    return column + lanes(zero)


@part
def list_active(network, work, layer, n):
    """List a layer's units above threshold, trial by trial."""
    rectify(activities(network, work, layer), n, network.width[layer], active_units(work, layer))


@part
def rectify(activity, n, width, active):
    """Fill the lists with what is above zero in the first `width` columns of n trials."""
    end = active.start[0]
    for b in range(n):
        active.start[b] = end
        for j in range(width):
            a = activity[b, j]
            write(active.entry, end, j, a)
            end += a > 0
        active.end[b] = end


# --- feedback --------------------------------------------------------------------------------


@part
def send_down(network, work, layer, n):
    """What the signals above a layer add up to in each of its active units."""
    above, below = signals(network, work, layer + 1), signals(network, work, layer)
    feedback = weights_into(network.feedback, network, layer + 1)
    list_senders(above, n, network.width[layer + 1], work.senders)
    if n == 1:
        gather(active_units(work, layer), work.senders, feedback, work.turned, below)
    else:
        turned = view(work.turned, 0, above.shape[1], below.shape[1])
        turn_all(feedback, turned)
        multiply(work.senders, turned, n, below, work.reached)
        close_gates(activities(network, work, layer), n, below)


@part
def list_senders(signal, n, width, senders):
    """List what is not zero in the first `width` columns of n trials."""
    for b in range(n):
        end = b * width
        senders.start[b] = end
        for k in range(width):
            write(senders.entry, end, k, signal[b, k])
            end += signal[b, k] != 0
        senders.end[b] = end


@part
def turn_all(feedback, turned):
    """turned = the transpose of the feedback weights."""
    for row in range(0, turned.shape[1], LANES):
        for column in range(0, turned.shape[0], LANES):
            turn(feedback, row, column, turned, column, row)


@part
def close_gates(activity, n, below):
    """Units that are not above threshold receive nothing."""
    for b in range(n):
        for column in range(0, below.shape[1], LANES):
            gate = load(activity, b, column, zeros(below, 1))
            store(below, b, column, where_positive(gate, load(below, b, column, gate)))


@part
def gather(active, senders, feedback, flat, below):
    """`send_down` for one trial: only the weights of active units are turned."""
    none = zeros(below, 1)
    for column in range(0, below.shape[1], LANES):
        store(below, 0, column, none)
    turned = view(flat, 0, feedback.shape[1], LANES)
    end = active.end[0]
    for e in range(active.start[0], end, LANES):
        for column in range(0, feedback.shape[1], LANES):
            turn_listed(feedback, active.entry, e, end, column, turned, column)
        total = none
        for s in range(senders.start[0], senders.end[0]):
            unit, sent = read(senders.entry, s)
            total = fma(sent, load(turned, unit, 0, none), total)
        scatter(total, below, 0, active.entry, e, end)


# --- change ----------------------------------------------------------------------------------


@part
def change_layer(network, work, layer, n, begun, complete):
    """Add to the synapses into a layer what the block's n trials ask for, see `Synapses`."""
    active, signal = active_units(work, layer - 1), signals(network, work, layer)
    synapses = synapses_into(network, work, layer, begun, complete)
    if work.batch == 1:
        change_by_one_trial(active, signal, synapses)
    else:
        change_by_trials(list_by_unit(active, n, work, synapses), work, signal, synapses)


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


@part
def change_by_trials(n_used, work, signal, synapses):
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
    """`change_by_trials` for the columns of one tile."""
    trials, changes = work.by_unit, synapses.change
    weights, feedback, learns = synapses.weights, synapses.feedback, synapses.learns
    for u in range(n_used):
        unit = work.used[u]
        change = zero
        if synapses.begun:
            change = load(changes, unit, column, zero)
        for e in range(trials.start[unit], trials.end[unit]):
            b, activity = read(trials.entry, e)
            change = fma(activity, load(signal, b, column, zero), change)
        if synapses.complete:
            add(weights, feedback, learns, unit, column, change)
        else:
            store(changes, unit, column, change)
    return column + lanes(zero)


@part
def change_by_one_trial(active, signal, synapses):
    """`change_by_trials` for a batch of one: weights[j] += y_j * signal[0]."""
    weights, feedback, learns = synapses.weights, synapses.feedback, synapses.learns
    for e in range(active.start[0], active.end[0]):
        unit, activity = read(active.entry, e)
        for column in range(0, signal.shape[1], LANES):
            none = zeros(signal, 1)
            change = fma(activity, load(signal, 0, column, none), none)
            add(weights, feedback, learns, unit, column, change)


@inlined
def add(weights, feedback, learns, unit, column, change):
    """Add a vector to a unit's weights, and to its feedback weights if they learn."""
    store(weights, unit, column, load(weights, unit, column, change) + change)
    if learns:
        store(feedback, unit, column, load(feedback, unit, column, change) + change)
