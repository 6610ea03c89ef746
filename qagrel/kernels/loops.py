"""The loops in which the time goes, a tile of columns at a time; each serves a phase of `rule`.

Every sum has one accumulator, which takes up products in rising order of units or trials, each
fused with its addition (`vectors.fma`): so bits depend on nothing but the numbers, and what adds
nothing is skipped.  Where rows are long, those of a tile are copied into the nearest cache first.
"""

from qagrel.kernels.activations import gate, list_all
from qagrel.kernels.buffers import (
    active_units,
    activities,
    signals,
    synapses_into,
    weights_into,
)
from qagrel.kernels.layout import BAND, LANES, LONG, RELU, ROWS, inlined, part
from qagrel.kernels.vectors import (
    apart,
    fma,
    lanes,
    load,
    load_rows,
    read,
    scatter,
    store,
    turn,
    view,
    where_positive,
    write,
    zeros,
)

# --- forward ---------------------------------------------------------------------------------


@part
def sum_inputs(network, work, layer, n):
    """What the active units of the layer below add up to in each unit of a layer."""
    weights, out = weights_into(network.weights, network, layer), activities(network, work, layer)
    if work.block == 1:
        multiply_one(active_units(work, layer - 1), weights, out)
    else:
        multiply(active_units(work, layer - 1), weights, n, out, work)


@part
def multiply(active, weights, n, out, work):
    """out[b] = sum over active units j of y_j * weights[j], for n trials (Eqs. 2, 4, 5)."""
    column, columns = 0, weights.shape[1]
    while columns - column >= 7 * LANES:
        column = multiply_tile(zeros(weights, 7), active, weights, n, out, work, column)
    if columns - column >= 5 * LANES:
        column = multiply_tile(zeros(weights, 5), active, weights, n, out, work, column)
    if columns - column >= 3 * LANES:
        column = multiply_tile(zeros(weights, 3), active, weights, n, out, work, column)
    while columns > column:
        column = multiply_tile(zeros(weights, 1), active, weights, n, out, work, column)


@part
def multiply_one(active, weights, out):
    """`multiply` for one trial."""
    column, columns = 0, weights.shape[1]
    while columns - column >= 7 * LANES:
        column = follow(zeros(weights, 7), active, weights, out, column)
    if columns - column >= 5 * LANES:
        column = follow(zeros(weights, 5), active, weights, out, column)
    if columns - column >= 3 * LANES:
        column = follow(zeros(weights, 3), active, weights, out, column)
    while columns > column:
        column = follow(zeros(weights, 1), active, weights, out, column)


@inlined
def follow(zero, active, weights, out, column):
    """`multiply_one` for the columns of one tile."""
    total = zero
    for e in range(active.start[0], active.end[0]):
        unit, activity = read(active.entry, e)
        total = fma(activity, load(weights, unit, column, zero), total)
    store(out, 0, column, total)
    return column + lanes(zero)


@inlined
def multiply_tile(zero, active, weights, n, out, work, column):
    """`multiply` for the columns of one tile, a band of units at a time."""
    tile, is_copied = view(work.tile, 0, BAND, lanes(zero)), weights.shape[1] >= LONG
    for low in range(0, weights.shape[0], BAND):
        rows, first, begin = weights, 0, column
        if is_copied:
            rows, first, begin = tile, low, 0
            for row in range(min(BAND, weights.shape[0] - low)):
                store(tile, row, 0, load(weights, low + row, column, zero))
        add_band(zero, active, low, rows, first, begin, n, out, column, work.reached)
    return column + lanes(zero)


@inlined
def add_band(zero, active, low, rows, first, begin, n, out, column, reached):
    """Add to out[b] what the units of a band send; the tile is rows[unit - first, begin:].

    reached[b] tells how far the list of trial b, in rising order of units, has been followed.
    """
    for b in range(n):
        total = zero
        e, end = active.start[b], active.end[b]
        if low > 0:
            total = load(out, b, column, zero)
            e = reached[b]
        while e < end:
            unit, activity = read(active.entry, e)
            if unit >= low + BAND:
                break
            total = fma(activity, load(rows, unit - first, begin, zero), total)
            e += 1
        store(out, b, column, total)
        reached[b] = e


@part
def list_active(network, work, layer, n):
    """List a layer's active units, trial by trial: with ReLU, those above threshold."""
    net_inputs, active = activities(network, work, layer), active_units(work, layer)
    if network.activation == RELU:
        rectify(net_inputs, n, network.width[layer], active)
    else:
        list_all(net_inputs, n, network.width[layer], active, network.activation)


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
    if work.block == 1:
        gather(active_units(work, layer), work.senders, feedback, below)
    else:
        multiply_turned(work.senders, feedback, n, below, work)
        if network.activation == RELU:
            close_gates(activities(network, work, layer), n, below)
    if network.activation != RELU:
        gate(active_units(work, layer), n, network.width[layer], below, network.activation)


@part
def list_senders(signal, n, width, senders):
    """List what is not zero in the first `width` columns of n trials."""
    end = 0
    for b in range(n):
        senders.start[b] = end
        for k in range(width):
            write(senders.entry, end, k, signal[b, k])
            end += signal[b, k] != 0
        senders.end[b] = end


@part
def multiply_turned(senders, feedback, n, out, work):
    """out[b] = sum over sending units k of fb_k * feedback[:, k] (Eqs. 10, 12, 14)."""
    column, columns = 0, out.shape[1]
    while columns - column >= 7 * LANES:
        column = turned_tile(zeros(out, 7), senders, feedback, n, out, work, column)
    if columns - column >= 5 * LANES:
        column = turned_tile(zeros(out, 5), senders, feedback, n, out, work, column)
    if columns - column >= 3 * LANES:
        column = turned_tile(zeros(out, 3), senders, feedback, n, out, work, column)
    while columns > column:
        column = turned_tile(zeros(out, 1), senders, feedback, n, out, work, column)


@inlined
def turned_tile(zero, senders, feedback, n, out, work, column):
    """`multiply_turned` for the columns of one tile; weights are turned as they are copied."""
    tile = view(work.tile, 0, BAND, lanes(zero))
    for low in range(0, feedback.shape[1], BAND):
        for row in range(0, min(BAND, feedback.shape[1] - low), LANES):
            for unit in range(0, lanes(zero), LANES):
                turn(feedback, column + unit, low + row, tile, row, unit)
        add_band(zero, senders, low, tile, low, 0, n, out, column, work.reached)
    return column + lanes(zero)


@part
def close_gates(activity, n, below):
    """Units that are not above threshold receive nothing (g of Eqs. 9, 11)."""
    for b in range(n):
        for column in range(0, below.shape[1], LANES):
            own = load(activity, b, column, zeros(below, 1))
            store(below, b, column, where_positive(own, load(below, b, column, own)))


@part
def gather(active, senders, feedback, below):
    """`multiply_turned` for one trial: only the weights of active units are read."""
    for column in range(0, below.shape[1], LANES):
        store(below, 0, column, zeros(below, 1))
    end = active.end[0]
    for e in range(active.start[0], end, ROWS):
        total = apart(below, ROWS)
        for s in range(senders.start[0], senders.end[0]):
            k, sent = read(senders.entry, s)
            total = fma(sent, load_rows(feedback, active.entry, e, end, k, total), total)
        scatter(total, below, 0, active.entry, e, end)


# --- change ----------------------------------------------------------------------------------


@part
def change_layer(network, work, layer, n, begun, complete):
    """Add to the synapses into a layer what the block's n trials ask for, see `Synapses`."""
    active, signal = active_units(work, layer - 1), signals(network, work, layer)
    synapses = synapses_into(network, work, layer, begun, complete)
    if work.batch == 1 and complete:
        change_by_one_trial(active, signal, synapses)
    else:
        n_used = list_by_unit(active, n, work, synapses)
        change_by_trials(n_used, n, work, signal, synapses)


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
def change_by_trials(n_used, n, work, signal, synapses):
    """weights[j] += sum over trials of y_j * signal[b]; the same for feedback[j] if it learns."""
    column, columns = 0, signal.shape[1]
    if columns < LONG:
        while columns - column >= 7 * LANES:
            column = change_tile(zeros(signal, 7), n_used, n, work, signal, synapses, column)
        if columns - column >= 5 * LANES:
            column = change_tile(zeros(signal, 5), n_used, n, work, signal, synapses, column)
    while columns - column >= 3 * LANES:
        column = change_tile(zeros(signal, 3), n_used, n, work, signal, synapses, column)
    while columns > column:
        column = change_tile(zeros(signal, 1), n_used, n, work, signal, synapses, column)


@inlined
def change_tile(zero, n_used, n, work, signal, synapses, column):
    """`change_by_trials` for the columns of one tile."""
    trials, rows, begin = work.by_unit, signal, column
    if signal.shape[1] >= LONG:
        rows, begin = view(work.tile, 0, n, lanes(zero)), 0
        for b in range(n):
            store(rows, b, 0, load(signal, b, column, zero))
    for u in range(n_used):
        unit = work.used[u]
        change = zero
        if synapses.begun:
            change = load(synapses.change, unit, column, zero)
        for e in range(trials.start[unit], trials.end[unit]):
            b, activity = read(trials.entry, e)
            change = fma(activity, load(rows, b, begin, zero), change)
        if synapses.complete:
            add(synapses, unit, column, change)
        else:
            store(synapses.change, unit, column, change)
    return column + lanes(zero)


@part
def change_by_one_trial(active, signal, synapses):
    """`change_by_trials` for a batch of one: weights[j] += y_j * signal[0]."""
    none = zeros(signal, 1)
    for e in range(active.start[0], active.end[0]):
        unit, activity = read(active.entry, e)
        for column in range(0, signal.shape[1], LANES):
            add(synapses, unit, column, fma(activity, load(signal, 0, column, none), none))


@inlined
def add(synapses, unit, column, change):
    """Add a vector to a unit's weights, and to its feedback weights if they learn."""
    weights, feedback = synapses.weights, synapses.feedback
    store(weights, unit, column, load(weights, unit, column, change) + change)
    if synapses.learns:
        store(feedback, unit, column, load(feedback, unit, column, change) + change)
