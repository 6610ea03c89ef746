"""Values of wrong actions and discoveries, on tables whose outcome is plain."""

import math

import numpy as np
import pandas as pd
import pytest

from qagrel.replication.statistics import mechanisms


def test_the_course_of_values_is_a_mean_over_seeds() -> None:
    lines = [
        {"run": run, "seed": seed, "epoch": epoch, **dict.fromkeys(mechanisms.VALUES, seed + epoch)}
        for run in ("b", "a")
        for seed in (0, 2)
        for epoch in (1, 2)
    ]
    course = mechanisms.value_course(pd.DataFrame(lines))
    assert course["run"].tolist() == ["b", "b", "a", "a"]
    assert course["margin_mean"].tolist() == [2, 3, 2, 3]
    assert course["right_std"].tolist() == [math.sqrt(2)] * 4


def test_the_explorative_share_is_of_sums() -> None:
    table = pd.DataFrame(
        {
            "seed": [0, 0, 0, 1],
            "epoch": [1, 2, 3, 2],
            "change_greedy": [-100, -2, -1, -1],
            "change_explored": [0, -1, -2, -3],
        }
    )
    share = mechanisms.explorative_share(table, 2, 3)
    assert (share.mean, share.n) == (pytest.approx((0.5 + 0.75) / 2), 2)


def discoveries(run: str, seed: int, found: list[float], lucky: float = 0) -> pd.DataFrame:
    """What `measures.discoveries` might say of a run."""
    n = len(found)
    return pd.DataFrame(
        {
            "run": run,
            "seed": seed,
            "class": range(n),
            "found": found,
            "first_right": 1,
            "first_right_explored": [lucky] + [0.0] * (n - 1),
            "right_before": 10,
            "explored_before": 1,
            "rival": 0,
            "rival_peak": 0.4,
            "rival_last": 0.1,
            "own_first": 0.1,
            "own_found": 0.2,
        }
    )


def test_discoveries_are_counted_by_run() -> None:
    table = pd.concat(
        [
            discoveries("30, 0.02", 0, [100, 300], lucky=1),
            discoveries("30, 0.02", 1, [800, np.nan]),
            discoveries("300, 0", 0, [50, 150]),
        ]
    )
    small, large = mechanisms.discovery_table(table).to_dict("records")
    assert (small["width"], small["epsilon"], small["n_seeds"]) == (30, 0.02, 2)
    assert (small["found"], large["found"]) == (75, 100)
    assert small["trials"] == pytest.approx(math.sqrt(200 * 800))
    assert (small["lucky_first"], small["lucky"]) == (25, 10)
    assert small["rival_fall"] == pytest.approx(75)
    assert (small["rival"], small["own"]) == (pytest.approx(0.1), pytest.approx(0.2))


def test_slowing_is_a_ratio_seed_by_seed() -> None:
    parts = [discoveries("a", seed, [200 * (seed + 1)]) for seed in range(4)]
    parts += [discoveries("b", seed, [100 * (seed + 1)]) for seed in range(4)]
    estimate = mechanisms.slowing(pd.concat(parts), "a", "b")
    assert estimate.value == pytest.approx(math.log(2))
    assert estimate.stderr == pytest.approx(0, abs=1e-12)


def test_values_are_averaged_over_the_classes_that_a_seed_found() -> None:
    table = discoveries("30, 0.02", 0, [100, 300, np.nan]).assign(own_found=[0.2, 0.4, 9.0])
    (line,) = mechanisms.values_when_found(table).to_dict("records")
    assert (line["width"], line["epsilon"], line["seed"]) == (30, 0.02, 0)
    assert line["own_found"] == pytest.approx(0.3)
    assert (line["rival_peak"], line["rival_last"]) == (pytest.approx(0.4), pytest.approx(0.1))


def test_smooth_fields_have_neighbours_alike_and_random_ones_do_not() -> None:
    row, column = np.mgrid[:8, :8]
    smooth = np.stack([row + column, row - column]).reshape(2, 64)
    assert mechanisms.neighbour_correlation(smooth, (8, 8)) > 0.9
    noise = np.random.default_rng(0).normal(size=(50, 64))
    assert abs(mechanisms.neighbour_correlation(noise, (8, 8))) < 0.05


def test_the_map_of_rates_has_a_line_a_series_and_seed() -> None:
    rates = np.array([0.1, 0.2, 0.4])
    curve = pd.DataFrame({"epoch": [1, 2, 3], "learning_rate": rates, "error": [0.8, 0.3, 0.2]})
    runs = [
        curve.assign(run="q-agrel, geometric, 0.1 to 0.4, 10", seed=0),
        curve.head(1).assign(run="error-bp, linear, 0.1 to 0.4, 10", seed=0),
    ]
    one, other = mechanisms.rate_map(pd.concat(runs), 2).to_dict("records")
    series = ("rule", "spacing", "start", "end", "batch_size")
    assert [one[name] for name in series] == ["q-agrel", "geometric", 0.1, 0.4, 10]
    assert (one["low"], one["high"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert np.isnan(other["low"])
