"""Beyond the paper: what was predicted of its open questions, and what the runs say.

A prediction compares one number, seed by seed, with bounds that were written down before the
first run.  It is *held* where the number is significantly within them, *contradicted* where it is
significantly outside, and else *inconclusive*; all predictions are one family (Holm), those
included whose runs were not made.

One subject a file: `quantities` (a number a run and seed), `predictions` (read and checked),
`verdicts` (on each), `answers` (to the questions, in numbers) and `telling` (all that, in
notebooks).
"""

from qagrel.replication.beyond.answers import answers, trial_ratios
from qagrel.replication.beyond.predictions import (
    HINDSIGHT,
    REGISTERED,
    Measured,
    Prediction,
    Predictions,
    read_hindsight,
    read_predictions,
    runs_sha256,
)
from qagrel.replication.beyond.quantities import QUANTITIES, SHARE, is_made, values
from qagrel.replication.beyond.telling import seen
from qagrel.replication.beyond.verdicts import ALPHA, judge, values_by_seed, write_verdicts

__all__ = [
    "ALPHA",
    "HINDSIGHT",
    "QUANTITIES",
    "REGISTERED",
    "SHARE",
    "Measured",
    "Prediction",
    "Predictions",
    "answers",
    "is_made",
    "judge",
    "read_hindsight",
    "read_predictions",
    "runs_sha256",
    "seen",
    "trial_ratios",
    "values",
    "values_by_seed",
    "write_verdicts",
]
