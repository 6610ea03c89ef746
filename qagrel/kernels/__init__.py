"""All jitted code: `rule` is the learning rules, the rest is what they stand on.

- `rule`: the five phases of a trial, as the paper tells them; read this first;
- `loops`: the sums over synapses, in which the time goes;
- `images`: what is on the input layer;
- `activations`, `optimizers`, `disturbances`: what the paper leaves to others, see each;
- `distortion`: images moved, scaled, rotated and sheared;
- `alignment`: the angle between feedback and weights;
- `buffers`, `vectors`: places in memory, and registers;
- `elementary`: exp, log and arccos in plain arithmetic;
- `layout`: sizes, codes and named tuples; how kernels are compiled;
- `cache`: compiled kernels kept on disk.
"""

from qagrel.kernels.activations import activate
from qagrel.kernels.alignment import feedback_angles
from qagrel.kernels.distortion import distort
from qagrel.kernels.images import count_pixels, list_pixels
from qagrel.kernels.layout import (
    BLOCK,
    CROSS_ENTROPY,
    ERROR_BP,
    LANES,
    Q_AGREL,
    SQUARED_ERROR,
    Draws,
    Images,
    Lists,
    Log,
    Network,
    Payoffs,
    Policy,
    Record,
    Workspace,
    pair_type,
)
from qagrel.kernels.rule import choose, train_epoch

__all__ = [
    "BLOCK",
    "CROSS_ENTROPY",
    "ERROR_BP",
    "LANES",
    "Q_AGREL",
    "SQUARED_ERROR",
    "Draws",
    "Images",
    "Lists",
    "Log",
    "Network",
    "Payoffs",
    "Policy",
    "Record",
    "Workspace",
    "activate",
    "choose",
    "count_pixels",
    "distort",
    "feedback_angles",
    "list_pixels",
    "pair_type",
    "train_epoch",
]
