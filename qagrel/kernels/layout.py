"""What all kernels share: sizes, codes, how they are compiled, and the tuples that they are given.

Layer 0 is the input, layer L the output; b counts the trials of a block: a batch, or a part of a
large one.  Rows of matrices are padded with zeros to a multiple of `LANES` columns: the layer's
*stride*.
"""

from collections import namedtuple

import numpy as np
from numba import config, njit

from qagrel.kernels.cache import Cache

LANES = 16  # numbers in a register: rows are padded to a multiple of this
BAND = 96  # units whose weights, a tile wide, stay near the processor
BLOCK = 128  # trials whose signals, a tile wide, do
LONG = 512  # numbers in a row from which on rows of a tile lie too far apart, and are copied
ROWS = 8  # units that receive side by side where there is one trial

Q_AGREL, ERROR_BP = 0, 1
CROSS_ENTROPY, SQUARED_ERROR = 0, 1
RELU, LEAKY_RELU, TANH = 0, 1, 2

STRICT = {"nogil": True, "error_model": "numpy"}
BARE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **STRICT}
part = njit(**BARE)  # called by kernels
inlined = njit(inline="always", **BARE)  # copied into its caller, which is compiled sooner so


def kernel(function):
    """Compile a function that Python calls, and keep it for later processes."""
    compiled = njit(no_cfunc_wrapper=True, **STRICT)(function)
    if not config.DISABLE_JIT:
        compiled._cache = Cache(function)
    return compiled


Network = namedtuple(
    "Network",
    "width stride start weights feedback learn_feedback activation deaf",
    defaults=(RELU, np.zeros((0, 0), np.bool_)),
)
Network.__doc__ = """Layer l has width[l] units; the weights into it begin at start[l].

activation : of the hidden units
deaf : bool [layer, unit]: units that no feedback reaches; empty where it reaches all
"""

Lists = namedtuple("Lists", "start end entry")
Lists.__doc__ = """Sparse rows: row r holds the pairs entry[start[r] : end[r]].

A pair, of type `pair_type`, says which unit (or which trial) and how active it is.
"""

Images = namedtuple("Images", "start pixel activity label")
Images.__doc__ = """Images without their zeros: sample s is pixel[start[s] : start[s + 1]].

Each says which pixel and its grey level; an input unit of that level is activity[level] active.
Where samples are values, not grey levels, each is the activity itself, and the table is empty.
"""

Workspace = namedtuple(
    "Workspace",
    "batch block begin activity signal modulator target chosen reward active by_unit used reached "
    "change senders tile waited wish velocity spread steps",
)
Workspace.__doc__ = """Buffers for a block of trials; layer l begins at begin[l] of the flat ones.

A batch of more than `BLOCK` trials is worked through in blocks, whose changes are summed.

active : Lists with start and end of shape (layers, block): the active units of each trial
by_unit : Lists, a row a unit: the trials in which it is active, for one layer at a time
used : uint32 (units,): the units whose row in by_unit is not empty
reached : int64 (block,): a place in each trial's list of active units, see `multiply_tile`
senders : Lists, a row a trial: the signals of the layer above that are not zero
tile : as many rows of weights, or signals, as the nearest cache holds, a tile wide
change : laid out like the weights: changes by the earlier blocks of a batch; where a batch is
    one block, the weights themselves, not used
waited : int64 (actions,): trials since each action was chosen; wish : (1, stride): values with
    what novelty adds to them
velocity, spread, steps : what an optimizer keeps of earlier batches, see `optimizers`; both empty
    where there is none, and spread alone where it is momentum
"""

Synapses = namedtuple("Synapses", "weights feedback change learns begun complete")
Synapses.__doc__ = """The matrices of the synapses into a layer, and how far their batch is.

learns : whether feedback changes like the weights
begun : whether `change` holds the sums of earlier blocks
complete : whether this block is the batch's last, so that weights change
"""

Policy = namedtuple(
    "Policy",
    "rule loss epsilon temperature novelty momentum noise",
    defaults=(0.0, 0.0, 0.0),
)
Policy.__doc__ = """What to learn from an outcome, and how actions are selected (Eq. 6).

novelty : added to an action's value, while choosing, for each trial since it was last chosen
momentum : the share of its velocity that an optimizer of that name keeps
noise : standard deviation of what feedback is multiplied by, around 1
"""

Payoffs = namedtuple("Payoffs", "reward swapped right omission flip")
Payoffs.__doc__ = """What actions pay: reward[class, action], and swapped[class, action] by chance.

right : bool [class, action]: the actions that pay most for the class
omission, flip : chances that a reward is withheld, and that it is the swapped one
"""

Draws = namedtuple(
    "Draws", "order explore choose omit flip noise", defaults=(np.zeros((0, 0), np.float32),)
)
Draws.__doc__ = """The samples in order; for each, uniform numbers that decide what happens.

Two decide its action: there are none of these where epsilon is zero.  Two decide whether its
reward is withheld or swapped: there are none where both chances are zero.  One for each hidden
unit, layer by layer, disturbs the feedback to it: there are none where there is no noise.
"""

Record = namedtuple("Record", "wrong loss reward confusion log")
Record.__doc__ = """Wrong choices, summed loss and reward a batch; confusion[class, action]."""

Log = namedtuple("Log", "action reward value")
Log.__doc__ = (
    """Of each trial: the action, what came of it, its Q-value; empty unless it is kept."""
)


def pair_type(index, value):
    """NumPy type of pairs, members index and value, of these types."""
    return np.dtype([("index", index), ("value", value)], align=True)
