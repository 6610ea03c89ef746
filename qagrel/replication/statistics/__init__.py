"""Histories -> estimates, comparison with the paper, verdicts.  Nothing here trains or writes.

What is compared with what, by which thresholds and why, is data: the files of the folder
``paper`` (`read_paper`).  The verdicts and how they are reached:

- *replicated*: the true value is significantly between the bounds (two one-sided tests).
- *differs*: it is not, and Welch's two-sided test finds a difference where the bounds are margins
  of equivalence; or the value is significantly outside bounds that are the claim itself.
- *not determined by the paper*: it holds by some readings of what the paper leaves open, and fails
  by others.
- *inconclusive*: neither, or no test is possible: fewer than two seeds, or a missing standard
  deviation.  Where some seeds diverged, the finished ones are a selected sample, which no test is
  made on; a row of Table 1 differs if half of its seeds diverged.
- *not comparable*: the data are not those of the paper.
- *not tested*: the runs that it takes were not made.

One subject a file: `estimates` (samples, checks, verdicts), `rows` (of Table 1), `paper` (its
numbers, claims and our thresholds), `comparison` (Table 1 against the paper), `curves` (steps,
discoveries, angles), `mechanisms` (values of wrong actions, how classes are found, series of
rates, receptive fields), `evidence` (what claims are tested on), `claims` (each with its test),
`learning` (those on how learning goes), `verdicts` (on each, what it rests on, what it was before
an amendment),
`readings` (what the paper leaves unsaid), `slowness` (by which measure), `stopping` (the stopping
rule as a chance event), `survival` (runs that are cut off).
"""

from qagrel.replication.statistics.claims import CLAIMS, TABLE_CLAIMS
from qagrel.replication.statistics.comparison import (
    Comparison,
    compare_row,
    comparisons,
    pooled_comparisons,
    table1,
)
from qagrel.replication.statistics.curves import (
    RIGHT_ANGLE,
    angle_course,
    classes_of,
    common_change,
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
    across_readings,
    combine,
    contrast,
    decide,
    geometric,
    holm,
    total,
    weigh,
)
from qagrel.replication.statistics.evidence import Evidence, Finding
from qagrel.replication.statistics.mechanisms import (
    discovery_table,
    explorative_share,
    neighbour_correlation,
    rate_map,
    slowing,
    value_course,
    values_when_found,
)
from qagrel.replication.statistics.paper import Claim, Paper, Rules, read_paper
from qagrel.replication.statistics.readings import conclusions, read_variants, sensitivity
from qagrel.replication.statistics.rows import (
    MEASURES,
    ROW_COLUMNS,
    Row,
    Summary,
    Table,
    bound,
    pool,
    summarise,
)
from qagrel.replication.statistics.slowness import RATES, Runs, epochs_by_measure, until
from qagrel.replication.statistics.stopping import (
    Chain,
    chain_of,
    error_rate,
    explained,
    stopping_chain,
    stopping_times,
)
from qagrel.replication.statistics.survival import finishing, going_on
from qagrel.replication.statistics.verdicts import judge

__all__ = [
    "CLAIMS",
    "MEASURES",
    "RATES",
    "RIGHT_ANGLE",
    "ROW_COLUMNS",
    "TABLE_CLAIMS",
    "Chain",
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
    "Runs",
    "Summary",
    "Table",
    "Verdict",
    "across_readings",
    "angle_course",
    "bound",
    "chain_of",
    "classes_of",
    "combine",
    "common_change",
    "compare_row",
    "comparisons",
    "conclusions",
    "contrast",
    "decide",
    "discoveries",
    "discovery_table",
    "epochs_by_measure",
    "error_rate",
    "explained",
    "explorative_share",
    "finishing",
    "geometric",
    "going_on",
    "holm",
    "judge",
    "learning_profile",
    "neighbour_correlation",
    "overshoots",
    "pool",
    "pooled_comparisons",
    "rate_map",
    "read_paper",
    "read_variants",
    "sensitivity",
    "slowing",
    "steepest_interval",
    "steepest_intervals",
    "steps",
    "stopping_chain",
    "stopping_times",
    "summarise",
    "table1",
    "total",
    "until",
    "value_course",
    "values_when_found",
    "weigh",
]
