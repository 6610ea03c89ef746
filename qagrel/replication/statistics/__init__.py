"""Histories -> estimates, comparison with the paper, verdicts.  Nothing here trains or writes.

What is compared with what, by which thresholds and why, is data: the files of the folder
``paper`` (`read_paper`).  The verdicts and how they are reached:

- *replicated*: the true value is significantly between the bounds (two one-sided tests).
- *differs*: it is not, and Welch's two-sided test finds a difference where the bounds are margins
  of equivalence; or the value is significantly outside bounds that are the claim itself.
- *inconclusive*: neither, or no test is possible: fewer than two seeds, or a missing standard
  deviation.  Where some seeds diverged, the finished ones are a selected sample, which no test is
  made on; a row of Table 1 differs if half of its seeds diverged.
- *not comparable*: the data are not those of the paper.
- *not tested*: the runs that it takes were not made.

One subject a file: `estimates` (samples, checks, verdicts), `rows` (of Table 1), `paper` (its
numbers, claims and our thresholds), `comparison` (Table 1 against the paper), `curves` (steps and
discoveries), `claims` (each with its test), `readings` (what the paper leaves unsaid).
"""

from qagrel.replication.statistics.claims import CLAIMS, TABLE_CLAIMS, Evidence, Finding, judge
from qagrel.replication.statistics.comparison import (
    Comparison,
    compare_row,
    comparisons,
    pooled_comparisons,
    table1,
)
from qagrel.replication.statistics.curves import (
    classes_of,
    discoveries,
    learning_profile,
    overshoots,
    steepest_interval,
    steepest_intervals,
    steps,
)
from qagrel.replication.statistics.estimates import (
    Check,
    Estimate,
    Moments,
    Verdict,
    combine,
    contrast,
    decide,
    holm,
    weigh,
)
from qagrel.replication.statistics.paper import Claim, Paper, Rules, read_paper
from qagrel.replication.statistics.readings import conclusions, read_variants, sensitivity
from qagrel.replication.statistics.rows import (
    MEASURES,
    ROW_COLUMNS,
    Row,
    Summary,
    Table,
    pool,
    summarise,
)

__all__ = [
    "CLAIMS",
    "MEASURES",
    "ROW_COLUMNS",
    "TABLE_CLAIMS",
    "Check",
    "Claim",
    "Comparison",
    "Estimate",
    "Evidence",
    "Finding",
    "Moments",
    "Paper",
    "Row",
    "Rules",
    "Summary",
    "Table",
    "Verdict",
    "classes_of",
    "combine",
    "compare_row",
    "comparisons",
    "conclusions",
    "contrast",
    "decide",
    "discoveries",
    "holm",
    "judge",
    "learning_profile",
    "overshoots",
    "pool",
    "pooled_comparisons",
    "read_paper",
    "read_variants",
    "sensitivity",
    "steepest_interval",
    "steepest_intervals",
    "steps",
    "summarise",
    "table1",
    "weigh",
]
