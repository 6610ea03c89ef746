"""Samples, checks of them and verdicts, against SciPy, tables and simulation."""

import math

import numpy as np
import pytest
from helpers import deterministic
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qagrel.replication.statistics import (
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

DETERMINISTIC = deterministic(max_examples=100)
spread = st.floats(0.01, 50)
count = st.integers(2, 30)


@DETERMINISTIC
@given(st.floats(-100, 100), spread, count, st.floats(-100, 100), spread, count)
def test_a_contrast_of_two_means_is_welchs_test(
    m1: float, s1: float, n1: int, m2: float, s2: float, n2: int
) -> None:
    estimate = contrast([(1, Moments(m1, s1, n1)), (-1, Moments(m2, s2, n2))])
    expected = stats.ttest_ind_from_stats(m1, s1, n1, m2, s2, n2, equal_var=False)
    assert estimate.p_differs(0) == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_the_interval_of_a_mean_is_that_of_students_t() -> None:
    values = [97.9, 98.1, 98.2, 98.4]
    expected = stats.t.interval(
        0.95, 3, np.mean(values), np.std(values, ddof=1) / 2
    )  # 2 = sqrt(4 values)
    assert contrast([(1, Moments.of(values))]).interval(0.95) == pytest.approx(expected)


def test_equal_values_have_no_spread() -> None:
    value = 98.88888888888889  # the mean of three is another number
    assert np.std([value] * 3) > 0
    assert Moments.of([value] * 3) == Moments(value, 0.0, 3)


def test_an_interval_of_known_numbers() -> None:
    # Mean 10, sd 2, n 16: 10 +- 2.13145 (t of 15 degrees, from tables) * 0.5
    low, high = contrast([(1, Moments(10, 2, 16))]).interval(0.95)
    assert (low, high) == pytest.approx((8.934275, 11.065725), abs=1e-5)


def test_equivalence_at_alpha_is_the_two_alpha_interval_inside_the_margins() -> None:
    estimate = contrast([(1, Moments(98.20, 0.1, 10)), (-1, Moments(98.12, 0.11, 10))])
    low, high = estimate.interval(0.90)
    margin = max(-low, high)
    inside = Check("", estimate, -margin * 1.0001, margin * 1.0001, null=0.0)
    outside = Check("", estimate, -margin * 0.9999, margin * 0.9999, null=0.0)
    assert inside.p_holds < 0.05 < outside.p_holds


def test_the_standard_error_of_a_log_mean_agrees_with_simulation() -> None:
    rng = np.random.default_rng(1)
    means = rng.normal(151, 45, (20_000, 10)).mean(axis=1)
    delta = contrast([(1, Moments(151, 45, 10).log())])
    assert delta.stderr == pytest.approx(np.log(means).std(), rel=0.03)


def test_pooling_four_differences_halves_the_standard_error() -> None:
    one = [(1, Moments(1.0, 0.3, 10)), (-1, Moments(0.8, 0.3, 10))]
    four = [(weight / 4, moments) for weight, moments in one * 4]
    assert contrast(four).stderr == pytest.approx(contrast(one).stderr / 2)


def test_holm_by_a_published_example() -> None:
    # Four tests: p (4, 3, 2, 1) times, never falling below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@DETERMINISTIC
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float]) -> None:
    alpha, remaining, rejected = 0.05, sorted(p_values), 0
    for position, p in enumerate(remaining):
        if p * (len(remaining) - position) >= alpha:
            break
        rejected += 1
    assert sum(p < alpha for p in holm(p_values)) == rejected


def test_holm_leaves_untested_members_out_of_the_family() -> None:
    corrected = holm([0.01, math.nan, 0.04])
    assert corrected[0] == pytest.approx(0.02)
    assert math.isnan(corrected[1])


def test_values_without_spread_are_judged_by_how_many_they_are() -> None:
    four, five = (contrast([(1, Moments(1.0, 0.0, n))]) for n in (4, 5))
    assert (four.p_above(0), five.p_above(0)) == (1 / 16, 1 / 32)
    assert (five.p_above(1), five.p_above(2), five.p_below(2)) == (0.5, 1.0, 1 / 32)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_values_give_no_p_value(n: int) -> None:
    estimate = contrast([(1, Moments.of([98.0] * n)), (-1, Moments(98.0, 0.1, 10))])
    check = Check("", estimate, -0.2, 0.2, null=0.0)
    assert math.isnan(check.p_holds)
    assert math.isnan(check.p_fails)


# --- verdicts ---


@pytest.mark.parametrize(
    ("p_holds", "p_fails", "verdict"),
    [
        (0.049, 0.9, Verdict.REPLICATED),
        (0.049, 0.001, Verdict.REPLICATED),  # a real difference, but within the margin
        (0.05, 0.049, Verdict.DIFFERS),
        (0.05, 0.05, Verdict.INCONCLUSIVE),
        (math.nan, math.nan, Verdict.INCONCLUSIVE),
    ],
)
def test_one_checks_verdict(p_holds: float, p_fails: float, verdict: Verdict) -> None:
    assert decide(p_holds, p_fails, 0.05) is verdict


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ("RR", "R"),
        ("RI", "I"),
        ("RD", "D"),
        ("ID", "D"),
        ("RN", "R"),
        ("N", "N"),
        ("", "N"),
    ],
)
def test_a_statement_holds_if_all_parts_hold_and_fails_if_one_fails(
    parts: str, verdict: str
) -> None:
    names = {
        "R": Verdict.REPLICATED,
        "D": Verdict.DIFFERS,
        "I": Verdict.INCONCLUSIVE,
        "N": Verdict.NOT_TESTED,
    }
    assert combine([names[part] for part in parts]) is names[verdict]


def test_a_range_is_refuted_only_by_a_value_significantly_outside() -> None:
    def verdict(value: float) -> Verdict:
        return weigh([Check("", Estimate(value, 0.1, 20), 2.0, 3.0)], 0.05)

    assert verdict(2.5) is Verdict.REPLICATED
    assert verdict(1.9) is Verdict.INCONCLUSIVE
    assert verdict(1.7) is Verdict.DIFFERS
    assert verdict(3.3) is Verdict.DIFFERS


def test_parts_that_may_refute_are_corrected_for_their_number() -> None:
    def verdict(n_parts: int) -> Verdict:
        doubtful = Check("", Estimate(2.3, 1.0, 1e6), high=0.0)  # p = 0.011 one-sided, 0.021
        harmless = [Check("", Estimate(-9.0, 1.0, 1e6), high=0.0)] * (n_parts - 1)
        return weigh([doubtful, *harmless], 0.05)

    assert verdict(2) is Verdict.DIFFERS
    assert verdict(3) is Verdict.INCONCLUSIVE
