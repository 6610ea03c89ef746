"""Steps, discoveries, overshoots and the steepest part of a curve."""

import math

import numpy as np
import pandas as pd
import pytest
from examples import found_in, history

from qagrel.errors import InputError
from qagrel.replication.statistics import (
    Rules,
    common_change,
    discoveries,
    learning_profile,
    overshoots,
    steepest_interval,
    steps,
)


def test_a_class_is_discovered_when_half_of_its_samples_are_right() -> None:
    found = discoveries(history([[49, 50, 0], [50, 20, 0], [90, 20, 49]]), 0.5)
    assert found["epoch"].tolist()[:2] == [2, 1]
    assert math.isnan(found["epoch"][2])


def test_a_class_that_is_not_presented_is_not_discovered() -> None:
    found = discoveries(history([[0], [0]], presented=0), 0.5)  # 0 of 0 samples right
    assert found["epoch"].isna().all()


def test_each_rise_after_a_standstill_is_a_step() -> None:
    curve = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.5]
    assert steps(curve, 0.1, 0.025) == [2, 4, 7]


def test_a_curve_that_rises_ever_more_slowly_has_one_step_or_none() -> None:
    curve = 1 - 0.9 * np.exp(-np.arange(1, 20) / 2)
    assert steps(curve, 0.1, 0.025) == [0]
    assert steps(np.linspace(0.1, 0.2, 20), 0.1, 0.025) == []


def test_recovering_from_a_slump_is_no_step() -> None:
    assert steps([0.8, 0.9, 0.95, 0.3, 0.9, 0.96], 0.1, 0.025) == [0]


def test_two_rises_with_hardly_a_pause_between_are_one_step() -> None:
    assert len(steps([0.2, 0.29, 0.39], 0.1, 0.025)) == 1
    assert len(steps([0.2, 0.25, 0.35], 0.1, 0.025)) == 2


def test_ripples_lower_than_the_height_are_no_steps() -> None:
    curve = [0.8, 0.9, 0.9, 0.92, 0.92, 0.94]
    assert steps(curve, 0.1, 0.025) == [0]
    assert steps(curve, 0.1, 0.015) == [0, 3, 5]


@pytest.mark.parametrize(
    ("selected", "overshoot"),
    [
        ([0, 125, 110], True),  # just enough, and back within a tenth
        ([0, 124, 100], False),  # not high enough
        ([0, 200, 111], False),  # not back
        ([0, 200, 89], False),  # fallen below
        ([0, 200, 90], True),
    ],
)
def test_a_class_overshoots_if_it_is_chosen_too_often_and_then_as_often_as_it_occurs(
    selected: list[int], overshoot: bool
) -> None:
    frame = history([[0], [90], [95]], [[count] for count in selected])
    assert overshoots(frame, 1.25, 0.1)["overshoot"].tolist() == [overshoot]


def test_the_profile_of_a_stepwise_network(rules: Rules) -> None:
    epochs = [1, 1, 3, 5, 7, 9, 11, 13, 15, 17]
    profile = learning_profile(history(found_in(epochs)), rules).iloc[0]
    assert profile["n_steps"] == 9
    assert profile["steps_at_discoveries"] == 1.0
    assert profile["discovery_epochs"] == 9 / 20
    assert profile["classes_per_discovery"] == pytest.approx(10 / 9)
    assert (profile["n_discovered"], profile["last_discovery"]) == (10, 17)


def test_a_step_without_a_discovery_is_not_linked(rules: Rules) -> None:
    correct = found_in([1] * 10)
    correct[:10] = 60  # all classes at 60 %, and from epoch 11 on at 100 %
    profile = learning_profile(history(correct), rules).iloc[0]
    assert (profile["n_steps"], profile["steps_at_discoveries"]) == (2, 0.5)


def test_a_class_never_found_leaves_the_last_discovery_open(rules: Rules) -> None:
    profile = learning_profile(history(found_in([1] * 9 + [99])), rules).iloc[0]
    assert profile["n_discovered"] == 9
    assert math.isnan(profile["last_discovery"])


def test_late_overshoots_leave_out_the_classes_found_at_once(rules: Rules) -> None:
    correct = found_in([1] * 5 + [4] * 5)
    selected = correct.copy()
    selected[0, :5], selected[3, 5] = 200, 130
    profile = learning_profile(history(correct, selected), rules).iloc[0]
    assert profile["overshoot_share"] == pytest.approx(0.6)
    assert profile["late_overshoot_share"] == pytest.approx(0.2)


def test_each_seed_has_its_own_profile(rules: Rules) -> None:
    both = pd.concat(
        [history(found_in([1] * 10), seed=3), history(found_in([1] * 5 + [6] * 5), seed=4)]
    )
    profile = learning_profile(both, rules).set_index("seed")
    assert profile["n_steps"].to_dict() == {3: 1, 4: 2}


def test_a_history_without_counts_is_refused(rules: Rules) -> None:
    frame = history(found_in([1, 2])).drop(columns="correct_1")
    with pytest.raises(InputError, match="correct_1"):
        learning_profile(frame, rules)


def test_the_steepest_interval_of_a_logistic_curve_is_around_its_middle() -> None:
    rates = np.geomspace(0.01, 10, 200)
    curve = 1 / (1 + np.exp(-4 * np.log(rates / 0.7)))
    low = steepest_interval(rates, curve, 2)
    assert low * math.sqrt(2) == pytest.approx(0.7, rel=0.02)


def test_a_fall_is_never_the_steepest_rise() -> None:
    rates = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert steepest_interval(rates, [0.1, 0.2, 0.5, 0.5, 0.0], 2) == pytest.approx(2.0)


def test_the_interval_may_end_at_the_last_rate() -> None:
    assert steepest_interval([0.25, 0.5, 1.0], [0, 0, 1], 2) == pytest.approx(0.5)


def test_the_rise_from_guessing_belongs_to_the_first_interval() -> None:
    rates, curve = [1.0, 2.0, 4.0], [0.8, 0.8, 0.95]
    assert steepest_interval(rates, curve, 2) == pytest.approx(2.0)
    assert steepest_interval(rates, curve, 2, chance=0.1) == pytest.approx(1.0)


@pytest.mark.parametrize("rates", [[1.0], [1.0, 1.0], [2.0, 1.0], [1.0, 1.9]])
def test_a_range_too_short_for_the_interval_is_refused(rates: list[float]) -> None:
    with pytest.raises(InputError, match="learning"):
        steepest_interval(rates, [0.5] * len(rates), 2)


@pytest.mark.parametrize("size", [0.5, 1.0, 4.0])
def test_a_common_change_makes_an_angle_so_small(size: float) -> None:
    rng = np.random.default_rng(0)
    one, other, change = rng.standard_normal((3, 200_000))
    cosine = np.corrcoef(one + size * change, other + size * change)[0, 1]
    assert common_change(np.degrees(np.arccos(cosine))) == pytest.approx(size, rel=0.02)


def test_angles_at_the_ends_of_what_can_be() -> None:
    assert (common_change(90.0), common_change(120.0)) == (pytest.approx(0, abs=1e-6), 0)
    assert common_change(0.0) == math.inf
