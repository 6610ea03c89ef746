"""Results -> figures.  Nothing here trains.

`style` (one for all figures), `plots` (Figs 4 to 6, Table 1), `epochs` (measures of slowness, the
stopping rule, angles), `schematics` (Figs 1 to 3), and for the explorer `inside` (a run and its
network) and `walkthrough` (a trial of it).
"""

from qagrel.replication.figures.epochs import angles, slowness, stopping
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
    "angles",
    "class_selection",
    "confusion_over_time",
    "learning_rate_range",
    "new_figure",
    "rewards",
    "save",
    "slowness",
    "stepwise_reward",
    "stopping",
    "styled",
    "table1",
    "table1_text",
    "telling_epochs",
]
