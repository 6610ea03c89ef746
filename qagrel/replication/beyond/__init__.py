"""Beyond the paper: what was predicted of its open questions, and what the runs say.

A prediction compares one number, seed by seed, with bounds that were written down before the
first run.  It is *held* where the number is significantly within them, *contradicted* where it is
significantly outside, and else *inconclusive*; all predictions are one family (Holm), those
included whose runs were not made.

One subject a file: `quantities` (a number a run and seed), `predictions` (read and checked),
`verdicts` (on each).
"""

from qagrel.replication.beyond.predictions import (
    REGISTERED,
    Measured,
    Prediction,
    Predictions,
    read_predictions,
)
from qagrel.replication.beyond.quantities import QUANTITIES, values
from qagrel.replication.beyond.verdicts import (
    judge,
    summary_lines,
    values_by_seed,
    verdict_lines,
    write_verdicts,
)

__all__ = [
    "QUANTITIES",
    "REGISTERED",
    "Measured",
    "Prediction",
    "Predictions",
    "judge",
    "read_predictions",
    "summary_lines",
    "values",
    "values_by_seed",
    "verdict_lines",
    "write_verdicts",
]
