"""The stopping rule as a chain of draws, against draws that are really made."""

import math

import numpy as np
import pandas as pd
import pytest
from examples import AGREL, seeds

from qagrel import RunSpec
from qagrel.replication.statistics import (
    Row,
    chain_of,
    error_rate,
    explained,
    stopping,
    stopping_chain,
    stopping_times,
    summarise,
)
from qagrel.training import should_stop

SPEC = RunSpec(max_epochs=100, validation_size=50, stop_checks=3)  # a check every fifth epoch


def drawn(wrong: np.ndarray, spec: RunSpec, rng: np.random.Generator) -> tuple[list[float], int]:
    """The checks of one run whose answers are wrong by these chances, and its last epoch."""
    checks: list[float] = []
    for p in wrong:
        accuracy = 100 - 100 * rng.binomial(spec.validation_size, p) / spec.validation_size
        checks.append(round(accuracy, spec.stop_decimals))
        if should_stop(checks, spec.stop_checks):
            break
    return checks, spec.validation_every * len(checks)


@pytest.mark.parametrize("fields", [{}, {"stop_checks": 2}, {"stop_decimals": 0}])
def test_the_chain_is_what_draws_come_to(fields: dict[str, int]) -> None:
    spec = SPEC.replace(**fields)
    wrong, rng = np.linspace(0.1, 0.001, 20), np.random.default_rng(1)
    ends = np.array([drawn(wrong, spec, rng)[1] for _ in range(2000)])
    chain = stopping_chain(wrong, spec)
    assert chain.mean == pytest.approx(ends.mean(), rel=0.03)
    assert chain.std == pytest.approx(ends.std(), rel=0.06)


def test_without_errors_the_first_checks_end_a_run() -> None:
    chain = stopping_chain(np.zeros(20), SPEC)
    assert (chain.mean, chain.std, chain.unfinished) == (15.0, 0.0, 0.0)


def test_two_equal_draws_by_hand() -> None:
    spec = SPEC.replace(validation_size=1, stop_checks=2, max_epochs=15)
    chain = stopping_chain(np.full(3, 0.25), spec)
    same = 0.25**2 + 0.75**2
    assert chain.chance == pytest.approx([0, same, 0.25 * 0.75**2 + 0.75 * 0.25**2])
    assert chain.survival[-1] == pytest.approx(chain.unfinished) == pytest.approx(0.1875)


def records(n_seeds: int, wrong: np.ndarray, spec: RunSpec) -> pd.DataFrame:
    rng, parts = np.random.default_rng(2), []
    for seed in range(n_seeds):
        checks, last = drawn(wrong, spec, rng)
        epoch = np.arange(1, last + 1)
        accuracy = pd.Series(np.nan, index=epoch)
        accuracy[spec.validation_every * np.arange(1, len(checks) + 1)] = checks
        lines = {"seed": seed, "epoch": epoch, "validation_accuracy": accuracy.to_numpy()}
        parts.append(pd.DataFrame({**lines, "train_accuracy": 99.0}))
    return pd.concat(parts, ignore_index=True)


def test_the_chance_of_an_error_is_found_again_from_what_was_recorded() -> None:
    wrong = np.linspace(0.1, 0.02, 20)
    found = error_rate(records(200, wrong, SPEC.replace(stop_checks=20)), SPEC)
    assert found == pytest.approx(wrong, abs=0.006)
    assert (np.diff(found) <= 0).all()


def test_a_row_without_checks_has_no_chain() -> None:
    history = records(1, np.zeros(20), SPEC).assign(validation_accuracy=math.nan)
    assert chain_of(history, SPEC) is None


def test_epochs_seen_stand_beside_those_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "LATE", 5)
    rows = {}
    learned = Row("q-agrel", "learned", AGREL.hidden, AGREL.learning_rate)
    for row, wrong in ((AGREL, np.linspace(0.1, 0.004, 20)), (learned, np.linspace(0.1, 0, 20))):
        history = records(30, wrong, SPEC)
        ends = history.groupby("seed")["epoch"].max().tolist()
        summary = summarise(seeds([98.0] * 30, ends))
        rows[row.name] = (row, summary, history, SPEC)
    times = stopping_times(rows)
    assert times["mean"].to_numpy() == pytest.approx(times["chain_mean"].to_numpy(), rel=0.1)
    assert times["late_accuracy"].tolist() == [99.0, 99.0]
    ratios = explained(times).set_index("ratio").loc["learned over symmetric"]
    assert ratios["n_rows"] == 1
    assert ratios["seen"] == pytest.approx(times["mean"][1] / times["mean"][0], rel=1e-5)
    assert ratios["chain"] < 1
