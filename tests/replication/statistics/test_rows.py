"""The runs of a row of Table 1, condensed."""

import math
from typing import Any

import pytest
from examples import seeds

from qagrel.errors import InputError
from qagrel.replication.statistics import Moments, summarise


def test_a_summary_keeps_every_seed_and_counts_how_they_ended() -> None:
    runs = seeds([98.1, 98.3, math.nan], [100, 1000, 7], ["converged", "max-epochs", "diverged"])
    result = summarise(runs)
    assert result.accuracy == Moments(pytest.approx(98.2), pytest.approx(0.2 / math.sqrt(2)), 2)
    assert result.epochs.mean == 550
    assert (result.n_seeds, result.n_converged, result.n_diverged) == (3, 1, 1)
    assert result.seeds[1] == (1, 98.3, 1000, "max-epochs")


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("seed", 0, "only once"),
        ("status", "done", "'done'"),
        ("test_accuracy", 101.0, "percent"),
        ("test_accuracy", math.nan, "percent"),
        ("n_epochs", 0, "one epoch"),
    ],
)
def test_impossible_seeds_are_refused(column: str, value: Any, complaint: str) -> None:
    runs = seeds([98.1, 98.2], 100)
    runs.loc[1, column] = value
    with pytest.raises(InputError, match=complaint):
        summarise(runs)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="'status'"):
        summarise(seeds([98.1], 100).drop(columns="status"))
