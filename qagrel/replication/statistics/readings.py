"""Sensitivity to what the paper leaves unsaid: each reading as a replication of its own."""

import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics.claims import TABLE_CLAIMS
from qagrel.replication.statistics.comparison import table1
from qagrel.replication.statistics.estimates import Verdict, combine
from qagrel.replication.statistics.paper import Paper
from qagrel.replication.statistics.rows import ROW_COLUMNS, Row, Summary, require, row_of, summarise
from qagrel.replication.statistics.verdicts import claim_verdict

READING_COLUMNS = ["reading", "setting"]
DEFAULT = ("default", "")


def read_variants(runs: pd.DataFrame) -> dict[tuple[str, str], dict[Row, Summary]]:
    """Rows by reading and setting, each condensed over its seeds.

    Parameters
    ----------
    runs : a line a run, columns reading (such as epsilon), setting (such as 0.05), rule, feedback,
        hidden, learning_rate, and those of `summarise`.  The runs by all default readings have
        the reading "default" and an empty setting.

    Raises
    ------
    InputError
        When columns or the default runs are missing, or a row is not well formed.
    """
    require(runs, [*READING_COLUMNS, *ROW_COLUMNS], "sensitivity study")
    tidy = runs.assign(setting=runs["setting"].fillna("").astype(str))
    variants: dict[tuple[str, str], dict[Row, Summary]] = {}
    for keys, group in tidy.groupby([*READING_COLUMNS, *ROW_COLUMNS], sort=False):
        reading, setting, *row = keys
        rows = variants.setdefault((str(reading), str(setting)), {})
        rows[row_of(dict(zip(ROW_COLUMNS, row, strict=True)))] = summarise(group)
    if DEFAULT not in variants:
        raise InputError("sensitivity study: the runs by the default readings are missing")
    return variants


def sensitivity(runs: pd.DataFrame, paper: Paper, dataset: str) -> pd.DataFrame:
    """Which readings give the paper's numbers: each variant's rows in the form of `table1`.

    Every variant is a replication of its own, and so a family of its own for the correction.
    Columns reading and setting come first.  Parameters and errors: see `read_variants`.
    """
    parts = []
    for (reading, setting), table in read_variants(runs).items():
        part = table1(table, paper, dataset)
        part.insert(0, "reading", reading)
        part.insert(1, "setting", setting)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def conclusions(runs: pd.DataFrame, paper: Paper, dataset: str) -> pd.DataFrame:
    """Which of the claims on Table 1 hold under each reading, and which under all of them.

    A variant takes the place of the default runs in the rows that it has; the other rows stay,
    since a reading may concern one rule alone.  Claims are tested on the rows there are.

    Returns
    -------
    DataFrame
        Columns reading, setting and one verdict a claim; the last line, reading "all", combines
        the lines above it.
    """
    variants = read_variants(runs)
    claims = [claim for claim in paper.claims if claim.id in TABLE_CLAIMS]
    verdicts: dict[str, list[Verdict]] = {claim.id: [] for claim in claims}
    for table in variants.values():
        rows = {**variants[DEFAULT], **table}
        for claim in claims:
            finding = TABLE_CLAIMS[claim.id](rows, claim, paper)
            verdicts[claim.id].append(claim_verdict(claim, finding, dataset, paper.rules))
    lines = pd.DataFrame([*variants, ("all", "")], columns=READING_COLUMNS)
    columns = {name: [*map(str, found), str(combine(found))] for name, found in verdicts.items()}
    return lines.assign(**columns)
