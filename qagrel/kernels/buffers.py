"""Views of the flat buffers that hold the weights and what a block of trials does."""

from qagrel.kernels.layout import Lists, Synapses, part
from qagrel.kernels.vectors import view


@part
def weights_into(flat, network, layer):
    """The matrix (width[layer - 1], stride[layer]) of the weights into a layer."""
    rows, columns = network.width[layer - 1], network.stride[layer]
    start = network.start[layer]
    return view(flat, start, rows, columns)


@part
def activities(network, work, layer):
    """The matrix (block, stride[layer]) of a layer's activities; there is none for the input."""
    return view(work.activity, work.begin[layer], work.block, network.stride[layer])


@part
def signals(network, work, layer):
    """The matrix (block, stride[layer]) of the signals that a layer sends down."""
    return view(work.signal, work.begin[layer], work.block, network.stride[layer])


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
