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


def test_a_class_that_was_never_found_counts_as_found_last() -> None:
    parts = [discoveries("a", seed, [100, np.nan]) for seed in range(2)]
    parts += [discoveries("b", seed, [100, 300]) for seed in range(2)]
    estimate = mechanisms.slowing(pd.concat(parts), "a", "b")
    assert estimate.value == pytest.approx(0)


def test_values_end_relative_to_the_right_one() -> None:
    lines = [
        {"run": "a", "seed": 0, "epoch": epoch, "right": 0.5, "best_wrong": wrong, "other_wrong": 0}
        for epoch, wrong in ((1, 0.4), (2, 0.25))
    ]
    (end,) = mechanisms.value_ends(pd.DataFrame(lines)).to_dict("records")
    assert end == {"run": "a", "seed": 0, "best_wrong": 0.5, "other_wrong": 0}


# --- findings in time ------------------------------------------------------------------------


def test_independent_events_are_as_uneven_as_chance() -> None:
    rng = np.random.default_rng(0)
    values = [mechanisms.unevenness(rng.random(10)) for _ in range(4000)]
    assert np.mean(values) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("times", "value"),
    [
        (range(10), 10 / 9 / 2),  # nine equal gaps
        ([0] * 5 + [7] * 5, 5),  # one gap is the whole span
        ([3, 3, 3], 1.5),  # no span: as uneven as can be
        ([1, 2], np.nan),
    ],
)
def test_the_unevenness_of_some_events(times: list[int], value: float) -> None:
    assert mechanisms.unevenness(list(times)) == pytest.approx(value, nan_ok=True)


def two_classes(correct: list[tuple[int, int]]) -> pd.DataFrame:
    """Batches of ten samples of each of two classes."""
    first, second = zip(*correct, strict=True)
    return pd.DataFrame(
        {
            "seed": 0,
            "batch": range(1, len(correct) + 1),
            "presented_0": 10,
            "presented_1": 10,
            "correct_0": first,
            "correct_1": second,
        }
    )


def test_blocks_are_sums_of_batches() -> None:
    table = mechanisms.blocks(two_classes([(1, 0), (2, 0), (5, 4)]), 2)
    assert table["block"].tolist() == [1, 2]
    assert table["correct_0"].tolist() == [3, 5]
    assert table["presented_1"].tolist() == [20, 10]


def test_what_the_new_class_brings_to_a_step() -> None:
    """The first class is found at once; with the second, it rises by a fifth, in one step."""
    batches = [(5, 0)] * 5 + [(7, 8)] * 5
    (line,) = mechanisms.one_at_a_time(two_classes(batches), 0.5, 1, 0.25).to_dict("records")
    assert (line["n_found"], line["span"], line["n_steps"]) == (2, 5, 1)
    assert line["new_share"] == pytest.approx(8 / 10)
    assert line["found_together"] == 1
    assert line["together_by_chance"] == pytest.approx(2 / (6 * (1 - (5 / 6) ** 2)))


def test_a_network_that_finds_nothing_has_no_shares() -> None:
    (line,) = mechanisms.one_at_a_time(two_classes([(1, 1)] * 4), 0.5, 1, 0.25).to_dict("records")
    assert (line["n_found"], line["n_steps"]) == (0, 0)
    assert np.isnan(line["new_share"])
    assert np.isnan(line["unevenness"])


# --- series of rates, and updates ------------------------------------------------------------


def test_the_map_of_rates_names_its_series() -> None:
    line = {"learning_rate": [0.5, 1.0, 1.5], "error": [0.9, 0.2, 0.1], "epoch": [1, 2, 3]}
    run = "error-bp, linear, 0.5 to 1.5, 100"
    found = mechanisms.rate_map(pd.DataFrame({"run": run, "seed": 4, **line}), 2)
    (entry,) = found.to_dict("records")
    assert (entry["rule"], entry["spacing"], entry["batch_size"]) == ("error-bp", "linear", 100)
    assert (entry["start"], entry["end"], entry["seed"]) == (0.5, 1.5, 4)
    assert (entry["low"], entry["high"]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_how_much_farther_weights_are_moved_is_a_ratio_by_seed() -> None:
    lines = [
        {"run": run, "seed": seed, "epoch": epoch, "moved_1": moved, "size_1": 1.0}
        for run, size in (("a", 3.0), ("b", 1.0))
        for seed in (0, 1)
        for epoch, moved in ((1, np.nan), (2, size), (3, size * (seed + 1)))
    ]
    (ratio,) = mechanisms.moved_more(pd.DataFrame(lines), "a", "b").items()
    assert ratio[0] == "moved_1"
    assert ratio[1].value == pytest.approx(math.log(3))


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
