"""Results -> figures.  Nothing here trains.

`style` (one for all figures), `plots` (Figs 4 to 6, Table 1), `epochs` (measures of slowness, the
stopping rule), `mechanisms` (Figs 7 and 8, values of wrong actions, how classes are found, series
of rates), `schematics` (Figs 1 to 3), `beyond` (what goes beyond the paper), and for the explorer
`inside` (a run and its network) and `walkthrough` (a trial of it).
"""

from qagrel.replication.figures import beyond
from qagrel.replication.figures.epochs import slowness, stopping
from qagrel.replication.figures.mechanisms import (
    alignment,
    finding_classes,
    learning_rate_map,
    receptive_fields,
    wrong_values,
)
from qagrel.replication.figures.plots import (
    class_selection,
    confusion_over_time,
    learning_rate_range,
    rewards,
    stepwise_reward,
    table1,
    table1_text,
    telling_epochs,
)
from qagrel.replication.figures.style import Saved, new_figure, save, styled

__all__ = [
    "Saved",
    "alignment",
    "beyond",
    "class_selection",
    "confusion_over_time",
    "finding_classes",
    "learning_rate_map",
    "learning_rate_range",
    "new_figure",
    "receptive_fields",
    "rewards",
    "save",
    "slowness",
    "stepwise_reward",
    "stopping",
    "styled",
    "table1",
    "table1_text",
    "telling_epochs",
    "wrong_values",
]
