import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qagrel import analysis
from qagrel.errors import InputError
from qagrel.replication.statistics import (
    Check,
    Claim,
    Estimate,
    Evidence,
    Moments,
    Row,
    Summary,
    Verdict,
    combine,
    compare_row,
    comparisons,
    conclusions,
    contrast,
    decide,
    discoveries,
    holm,
    judge,
    learning_profile,
    overshoots,
    pooled_comparisons,
    read_paper,
    sensitivity,
    steepest_interval,
    steps,
    summarise,
    table1,
    weigh,
)

FOLDER = Path(__file__).parents[1] / "paper"
AGREL = Row("q-agrel", "symmetric", "300-100", 1.0)
BACKPROP = Row("error-bp", "symmetric", "300-100", 0.1)
STARRED = Row("q-agrel", "fixed", "300-100", 0.1)


@pytest.fixture(scope="module")
def paper():
    return read_paper(FOLDER)


@pytest.fixture(scope="module")
def rules(paper):
    return paper.rules


def seeds(accuracies, epochs, status="converged"):
    n = len(accuracies)
    return pd.DataFrame(
        {
            "seed": range(n),
            "n_epochs": epochs if isinstance(epochs, list) else [epochs] * n,
            "test_accuracy": accuracies,
            "status": status if isinstance(status, list) else [status] * n,
        }
    )


def summary(accuracy, accuracy_std, epochs, epochs_std, n=10, n_converged=10, n_diverged=0):
    moments = Moments(accuracy, accuracy_std, n), Moments(epochs, epochs_std, n)
    return Summary(*moments, n, n_converged, n_diverged)


def ours_like_paper(paper, n_converged=10):
    """Our rows with the paper's numbers, and a spread where the paper prints none."""
    table = {}
    for row, printed in paper.table.items():
        epochs = replace(printed.epochs, std=printed.epochs.std if row != STARRED else 0.0)
        met = 0 if row == STARRED else n_converged
        table[row] = replace(printed, epochs=epochs, n_converged=met)
    return table


# --- statistics -----------------------------------------------------------------------------

spread = st.floats(0.01, 50)
count = st.integers(2, 30)


@given(st.floats(-100, 100), spread, count, st.floats(-100, 100), spread, count)
def test_a_contrast_of_two_means_is_welchs_test(m1, s1, n1, m2, s2, n2):
    estimate = contrast([(1, Moments(m1, s1, n1)), (-1, Moments(m2, s2, n2))])
    expected = stats.ttest_ind_from_stats(m1, s1, n1, m2, s2, n2, equal_var=False)
    assert estimate.p_differs(0) == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_the_interval_of_a_mean_is_that_of_students_t():
    values = [97.9, 98.1, 98.2, 98.4]
    expected = stats.t.interval(
        0.95, 3, np.mean(values), np.std(values, ddof=1) / 2
    )  # 2 = sqrt(4 values)
    assert contrast([(1, Moments.of(values))]).interval(0.95) == pytest.approx(expected)


def test_an_interval_of_known_numbers():
    # Mean 10, sd 2, n 16: 10 +- 2.13145 (t of 15 degrees, from tables) * 0.5
    low, high = contrast([(1, Moments(10, 2, 16))]).interval(0.95)
    assert (low, high) == pytest.approx((8.934275, 11.065725), abs=1e-5)


def test_equivalence_at_alpha_is_the_two_alpha_interval_inside_the_margins():
    estimate = contrast([(1, Moments(98.20, 0.1, 10)), (-1, Moments(98.12, 0.11, 10))])
    low, high = estimate.interval(0.90)
    margin = max(-low, high)
    inside = Check("", estimate, -margin * 1.0001, margin * 1.0001, null=0.0)
    outside = Check("", estimate, -margin * 0.9999, margin * 0.9999, null=0.0)
    assert inside.p_holds < 0.05 < outside.p_holds


def test_the_standard_error_of_a_log_mean_agrees_with_simulation():
    rng = np.random.default_rng(1)
    means = rng.normal(151, 45, (20_000, 10)).mean(axis=1)
    delta = contrast([(1, Moments(151, 45, 10).log())])
    assert delta.stderr == pytest.approx(np.log(means).std(), rel=0.03)


def test_pooling_four_differences_halves_the_standard_error():
    one = [(1, Moments(1.0, 0.3, 10)), (-1, Moments(0.8, 0.3, 10))]
    four = [(weight / 4, moments) for weight, moments in one * 4]
    assert contrast(four).stderr == pytest.approx(contrast(one).stderr / 2)


def test_holm_by_a_published_example():
    # Four tests: p (4, 3, 2, 1) times, never falling below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_stepping_down_rejects(p_values):
    alpha, remaining, rejected = 0.05, sorted(p_values), 0
    for position, p in enumerate(remaining):
        if p * (len(remaining) - position) >= alpha:
            break
        rejected += 1
    assert sum(p < alpha for p in holm(p_values)) == rejected


def test_holm_leaves_untested_members_out_of_the_family():
    corrected = holm([0.01, math.nan, 0.04])
    assert corrected[0] == pytest.approx(0.02)
    assert math.isnan(corrected[1])


def test_values_without_spread_are_judged_by_how_many_they_are():
    four, five = (contrast([(1, Moments(1.0, 0.0, n))]) for n in (4, 5))
    assert (four.p_above(0), five.p_above(0)) == (1 / 16, 1 / 32)
    assert (five.p_above(1), five.p_above(2), five.p_below(2)) == (0.5, 1.0, 1 / 32)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_values_give_no_p_value(n):
    estimate = contrast([(1, Moments.of([98.0] * n)), (-1, Moments(98.0, 0.1, 10))])
    check = Check("", estimate, -0.2, 0.2, null=0.0)
    assert math.isnan(check.p_holds)
    assert math.isnan(check.p_fails)


# --- verdict rules --------------------------------------------------------------------------


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
def test_one_checks_verdict(p_holds, p_fails, verdict):
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
def test_a_statement_holds_if_all_parts_hold_and_fails_if_one_fails(parts, verdict):
    names = {
        "R": Verdict.REPLICATED,
        "D": Verdict.DIFFERS,
        "I": Verdict.INCONCLUSIVE,
        "N": Verdict.NOT_TESTED,
    }
    assert combine([names[part] for part in parts]) is names[verdict]


def test_a_range_is_refuted_only_by_a_value_significantly_outside():
    def verdict(value):
        return weigh([Check("", Estimate(value, 0.1, 20), 2.0, 3.0)], 0.05)

    assert verdict(2.5) is Verdict.REPLICATED
    assert verdict(1.9) is Verdict.INCONCLUSIVE
    assert verdict(1.7) is Verdict.DIFFERS
    assert verdict(3.3) is Verdict.DIFFERS


def test_parts_that_may_refute_are_corrected_for_their_number():
    def verdict(n_parts):
        doubtful = Check("", Estimate(2.3, 1.0, 1e6), high=0.0)  # p = 0.011 one-sided, 0.021
        harmless = [Check("", Estimate(-9.0, 1.0, 1e6), high=0.0)] * (n_parts - 1)
        return weigh([doubtful, *harmless], 0.05)

    assert verdict(2) is Verdict.DIFFERS
    assert verdict(3) is Verdict.INCONCLUSIVE


# --- rows -----------------------------------------------------------------------------------


def test_a_summary_keeps_every_seed_and_counts_how_they_ended():
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
def test_impossible_seeds_are_refused(column, value, complaint):
    runs = seeds([98.1, 98.2], 100)
    runs.loc[1, column] = value
    with pytest.raises(InputError, match=complaint):
        summarise(runs)


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="'status'"):
        summarise(seeds([98.1], 100).drop(columns="status"))


def test_epochs_are_compared_as_a_ratio(paper, rules):
    ours = summary(98.24, 0.1, 302, 90)
    check = compare_row(ours, paper.table[AGREL], "epochs", rules).check
    assert check.shown(check.estimate.value) == pytest.approx(2.0)
    assert (check.shown(check.low), check.shown(check.high)) == pytest.approx((0.8, 1.25))


def test_the_verdicts_of_one_row(paper):
    def verdict(accuracy):
        frame = comparisons({AGREL: summary(accuracy, 0.05, 151, 10)}, paper, "mnist")
        return frame.set_index("measure").loc["accuracy", "verdict"]

    assert verdict(98.24) == "replicated"
    assert verdict(98.14) == "replicated"  # significant by Welch, yet within 0.2
    assert verdict(98.04) == "differs"
    assert verdict(97.5) == "differs"


def test_a_wide_spread_is_inconclusive(paper):
    frame = comparisons({AGREL: summary(98.2, 1.0, 160, 45)}, paper, "mnist")
    assert set(frame["verdict"]) == {"inconclusive"}


def test_a_single_seed_is_inconclusive(paper):
    ours = summarise(seeds([98.24], 151))
    assert set(comparisons({AGREL: ours}, paper, "mnist")["verdict"]) == {"inconclusive"}


@pytest.mark.parametrize(("n_diverged", "verdict"), [(4, "inconclusive"), (5, "differs")])
def test_diverged_seeds_never_replicate(paper, n_diverged, verdict):
    accuracies = [98.24, 98.25] * 5
    status = ["diverged"] * n_diverged + ["converged"] * (10 - n_diverged)
    ours = summarise(seeds(accuracies, [150, 152] * 5, status))
    assert set(comparisons({AGREL: ours}, paper, "mnist")["verdict"]) == {verdict}


@pytest.mark.parametrize(
    ("n_converged", "verdict"), [(0, "replicated"), (1, "inconclusive"), (10, "differs")]
)
def test_where_the_paper_prints_no_spread_convergence_is_compared(paper, n_converged, verdict):
    status = ["converged"] * n_converged + ["max-epochs"] * (10 - n_converged)
    ours = summarise(seeds([97.1, 97.2] * 5, 1000, status))
    frame = comparisons({STARRED: ours}, paper, "mnist").set_index("measure")
    assert frame.loc["epochs", "verdict"] == verdict


def test_our_spread_of_zero_is_compared_with_the_papers_spread(paper, rules):
    capped = replace(AGREL, feedback="fixed", hidden="300", learning_rate=0.1)
    ours = summarise(seeds([97.2, 97.3] * 5, 1000, "max-epochs"))
    comparison = compare_row(ours, paper.table[capped], "epochs", rules)
    assert comparison.check.estimate.stderr == pytest.approx(207 / 901 / math.sqrt(10))


def test_a_family_is_the_rows_of_one_measure(paper):
    frame = comparisons(ours_like_paper(paper), paper, "mnist")
    accuracy = frame[frame["measure"] == "accuracy"]
    assert accuracy["p_tost"].min() * 16 == pytest.approx(accuracy["p_tost_holm"].min(), rel=1e-4)
    epochs = frame[frame["measure"] == "epochs"]
    assert epochs["p_tost"].min() * 15 == pytest.approx(epochs["p_tost_holm"].min(), rel=1e-4)


def test_the_margin_at_which_a_row_would_be_equivalent(paper, rules):
    frame = comparisons({AGREL: summary(98.24, 0.1, 170, 45)}, paper, "mnist")
    within = frame.set_index("measure")["equivalent_within"]
    check = compare_row(summary(98.24, 0.1, 170, 45), paper.table[AGREL], "epochs", rules).check
    bound = math.log(within["epochs"])
    assert replace(check, low=-bound, high=bound).p_holds == pytest.approx(0.05, rel=1e-3)


def test_pooled_rows_decide_what_single_rows_cannot(paper):
    table = ours_like_paper(paper)
    single = comparisons(table, paper, "mnist").query("measure == 'epochs' and rule == 'q-agrel'")
    pooled = pooled_comparisons(table, paper, "mnist")
    pooled = pooled.set_index(["rule", "feedback", "measure"])["verdict"]
    assert set(single[single["feedback"] != "fixed"]["verdict"]) == {"inconclusive"}
    assert pooled["q-agrel", "symmetric", "epochs"] == "replicated"


def test_table_1_has_the_columns_and_rows_that_others_rely_on(paper):
    table = table1(ours_like_paper(paper), paper, "mnist")
    measures = ["accuracy_mean", "accuracy_std", "epochs_mean", "epochs_std"]
    row = ["rule", "feedback", "hidden", "learning_rate"]
    ours = ["n_seeds", *measures, "n_converged"]
    theirs = [f"paper_{name}" for name in measures]
    assert list(table.columns) == [*row, *ours, *theirs, "accuracy_verdict", "epochs_verdict"]
    assert [Row(*row) for row in table.iloc[:, :4].itertuples(index=False)] == list(paper.table)


def test_rows_come_in_the_papers_order(paper):
    table = ours_like_paper(paper)
    some = {row: table[row] for row in (BACKPROP, AGREL)}
    assert list(table1(some, paper, "mnist")["rule"]) == ["q-agrel", "error-bp"]


def test_a_row_that_the_paper_does_not_have_is_refused(paper):
    strange = replace(AGREL, learning_rate=0.3)
    with pytest.raises(InputError, match=r"q-agrel_symmetric_300-100_0\.3"):
        table1({strange: summary(98, 0.1, 100, 10)}, paper, "mnist")


def test_other_data_than_the_papers_are_not_compared(paper):
    table = ours_like_paper(paper)
    shown = table1(table, paper, "digits")
    assert {*shown["accuracy_verdict"], *shown["epochs_verdict"]} == {"not comparable"}
    assert set(pooled_comparisons(table, paper, "digits")["verdict"]) == {"not comparable"}
    verdicts = {claim["verdict"] for claim in judge(Evidence("digits", table), paper)}
    assert verdicts == {"not comparable", "not tested"}


# --- the paper as data ----------------------------------------------------------------------


def test_the_papers_numbers_are_those_of_its_table():
    with (FOLDER / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    # Sums of the columns as they stand in the paper.
    assert sum(float(row["accuracy_mean"]) for row in rows) == pytest.approx(1567.01)
    assert sum(float(row["accuracy_std"]) for row in rows) == pytest.approx(1.55)
    assert sum(int(row["epochs_mean"]) for row in rows) == 4592
    assert sum(int(row["epochs_std"] or 0) for row in rows) == 847
    assert [row["hidden"] for row in rows if row["note"]] == ["300-100"]


def test_every_claim_has_a_test_and_every_test_a_claim(paper):
    assert [claim.id for claim in paper.claims] == list(dict.fromkeys(c.id for c in paper.claims))
    assert {claim.id for claim in paper.claims} == analysis.CLAIMS


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("margins.yaml", "alpha:", "alhpa:", "exactly these entries"),
        ("margins.yaml", "value: 0.05", "value: -0.05", "alpha cannot be -0.05"),
        ("margins.yaml", "value: 0.05", "value: yes", "alpha cannot be True"),
        ("margins.yaml", "value: holm", "value: bonferroni", "'holm'"),
        ("margins.yaml", "  value: mnist", "  value: [mnist", "not readable as YAML"),
        ("claims.yaml", "rule:", "rules:", "claim 1 must have the entries"),
        ("claims.yaml", "id: slower-text", "id: slower-abstract", "twice"),
        ("table1.csv", "97.86", "97,86", r"table1\.csv"),
        ("table1.csv", "epochs_mean", "epochs", "epochs_mean"),
        ("literature.csv", "95.3", "high", r"literature\.csv"),
    ],
)
def test_damaged_paper_files_are_refused(tmp_path, name, old, new, complaint):
    for file in FOLDER.glob("*.*"):
        if file.suffix in {".csv", ".yaml"}:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=complaint):
        read_paper(tmp_path)


def test_a_claim_without_a_test_is_refused_with_a_hint(paper):
    unknown = replace(paper.claims[0], id="slower-texts")
    with pytest.raises(InputError, match=r"'slower-texts'.*did you mean 'slower-text'"):
        judge(Evidence("mnist"), replace(paper, claims=(unknown,)))


# --- curves ---------------------------------------------------------------------------------


def history(correct, selected=None, presented=100, seed=0):
    """A history of as many classes as the counts have columns: arrays (epochs, classes)."""
    correct = np.asarray(correct)
    selected = correct if selected is None else np.asarray(selected)
    frame = {"seed": seed, "epoch": np.arange(1, len(correct) + 1)}
    frame["error"] = 1 - correct.mean(axis=1) / 100
    for number in range(correct.shape[1]):
        frame[f"presented_{number}"] = presented
        frame[f"correct_{number}"] = correct[:, number]
        frame[f"selected_{number}"] = selected[:, number]
    return pd.DataFrame(frame)


def found_in(epochs, n_epochs=20):
    """Correct counts: nothing before a class's epoch, then 95 %, then 96, 97, at most 100 %."""
    when = np.arange(1, n_epochs + 1)[:, None] - np.array(epochs)
    return np.where(when < 0, 0, np.minimum(95 + when, 100))


def test_a_class_is_discovered_when_half_of_its_samples_are_right():
    found = discoveries(history([[49, 50, 0], [50, 20, 0], [90, 20, 49]]), 0.5)
    assert found["epoch"].tolist()[:2] == [2, 1]
    assert math.isnan(found["epoch"][2])


def test_a_class_that_is_not_presented_is_not_discovered():
    found = discoveries(history([[0], [0]], presented=0), 0.5)  # 0 of 0 samples right
    assert found["epoch"].isna().all()


def test_each_rise_after_a_standstill_is_a_step():
    curve = [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.5]
    assert steps(curve, 0.1, 0.025) == [2, 4, 7]


def test_a_curve_that_rises_ever_more_slowly_has_one_step_or_none():
    curve = 1 - 0.9 * np.exp(-np.arange(1, 20) / 2)
    assert steps(curve, 0.1, 0.025) == [0]
    assert steps(np.linspace(0.1, 0.2, 20), 0.1, 0.025) == []


def test_recovering_from_a_slump_is_no_step():
    assert steps([0.8, 0.9, 0.95, 0.3, 0.9, 0.96], 0.1, 0.025) == [0]


def test_two_rises_with_hardly_a_pause_between_are_one_step():
    assert len(steps([0.2, 0.29, 0.39], 0.1, 0.025)) == 1
    assert len(steps([0.2, 0.25, 0.35], 0.1, 0.025)) == 2


def test_ripples_lower_than_the_height_are_no_steps():
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
    selected, overshoot
):
    frame = history([[0], [90], [95]], [[count] for count in selected])
    assert overshoots(frame, 1.25, 0.1)["overshoot"].tolist() == [overshoot]


def test_the_profile_of_a_stepwise_network(rules):
    epochs = [1, 1, 3, 5, 7, 9, 11, 13, 15, 17]
    profile = learning_profile(history(found_in(epochs)), rules).iloc[0]
    assert profile["n_steps"] == 9
    assert profile["steps_at_discoveries"] == 1.0
    assert profile["discovery_epochs"] == 9 / 20
    assert profile["classes_per_discovery"] == pytest.approx(10 / 9)
    assert (profile["n_discovered"], profile["last_discovery"]) == (10, 17)


def test_a_step_without_a_discovery_is_not_linked(rules):
    correct = found_in([1] * 10)
    correct[:10] = 60  # all classes at 60 %, and from epoch 11 on at 100 %
    profile = learning_profile(history(correct), rules).iloc[0]
    assert (profile["n_steps"], profile["steps_at_discoveries"]) == (2, 0.5)


def test_a_class_never_found_leaves_the_last_discovery_open(rules):
    profile = learning_profile(history(found_in([1] * 9 + [99])), rules).iloc[0]
    assert profile["n_discovered"] == 9
    assert math.isnan(profile["last_discovery"])


def test_late_overshoots_leave_out_the_classes_found_at_once(rules):
    correct = found_in([1] * 5 + [4] * 5)
    selected = correct.copy()
    selected[0, :5], selected[3, 5] = 200, 130
    profile = learning_profile(history(correct, selected), rules).iloc[0]
    assert profile["overshoot_share"] == pytest.approx(0.6)
    assert profile["late_overshoot_share"] == pytest.approx(0.2)


def test_each_seed_has_its_own_profile(rules):
    both = pd.concat(
        [history(found_in([1] * 10), seed=3), history(found_in([1] * 5 + [6] * 5), seed=4)]
    )
    profile = learning_profile(both, rules).set_index("seed")
    assert profile["n_steps"].to_dict() == {3: 1, 4: 2}


def test_a_history_without_counts_is_refused(rules):
    frame = history(found_in([1, 2])).drop(columns="correct_1")
    with pytest.raises(InputError, match="correct_1"):
        learning_profile(frame, rules)


def test_the_steepest_interval_of_a_logistic_curve_is_around_its_middle():
    rates = np.geomspace(0.01, 10, 200)
    curve = 1 / (1 + np.exp(-4 * np.log(rates / 0.7)))
    low = steepest_interval(rates, curve, 2)
    assert low * math.sqrt(2) == pytest.approx(0.7, rel=0.02)


def test_a_fall_is_never_the_steepest_rise():
    rates = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert steepest_interval(rates, [0.1, 0.2, 0.5, 0.5, 0.0], 2) == pytest.approx(2.0)


def test_the_interval_may_end_at_the_last_rate():
    assert steepest_interval([0.25, 0.5, 1.0], [0, 0, 1], 2) == pytest.approx(0.5)


@pytest.mark.parametrize("rates", [[1.0], [1.0, 1.0], [2.0, 1.0], [1.0, 1.9]])
def test_a_range_too_short_for_the_interval_is_refused(rates):
    with pytest.raises(InputError, match="learning"):
        steepest_interval(rates, [0.5] * len(rates), 2)


# --- claims ---------------------------------------------------------------------------------


def verdicts(evidence, paper):
    return {record["id"]: record["verdict"] for record in judge(evidence, paper)}


def record(name, evidence, paper):
    return next(entry for entry in judge(evidence, paper) if entry["id"] == name)


def changed(paper, measure, change, **where):
    """Our rows like the paper's, the means of a measure changed in the rows described."""
    table = ours_like_paper(paper)
    for row, found in table.items():
        if all(getattr(row, name) == value for name, value in where.items()):
            moments = getattr(found, measure)
            moved = replace(moments, mean=change(moments.mean))
            table[row] = replace(found, **{measure: moved})
    return table


def test_the_verdicts_on_the_papers_own_numbers(paper):
    found = verdicts(Evidence("mnist", ours_like_paper(paper)), paper)
    tested = {name: verdict for name, verdict in found.items() if verdict != "not tested"}
    assert tested == {
        "accuracy-on-par": "replicated",
        "slower-text": "replicated",  # a factor of 2.36
        "slower-abstract": "differs",
        "second-layer-helps": "inconclusive",  # error-BP: a gain of -0.03
        "above-benchmark": "replicated",
        "learned-indistinguishable": "replicated",
        "fixed-less-accurate": "replicated",
        "fixed-slower": "replicated",
    }


def test_the_slow_down_is_the_geometric_mean_of_four_ratios(paper):
    found = record("slower-text", Evidence("mnist", ours_like_paper(paper)), paper)
    ratios = [249 / 146, 167 / 67, 214 / 94, 151 / 47]
    assert found["ours"]["values"][0]["value"] == pytest.approx(stats.gmean(ratios), rel=1e-5)
    assert list(found["ours"]["ratios"].values()) == pytest.approx(
        [ratios[0], ratios[2], ratios[1], ratios[3]], rel=1e-5
    )


@pytest.mark.parametrize(
    ("name", "measure", "change", "where"),
    [
        ("accuracy-on-par", "accuracy", lambda m: m - 0.6, {"rule": "q-agrel", "hidden": "300"}),
        ("slower-text", "epochs", lambda m: m / 2, {"rule": "q-agrel"}),
        ("second-layer-helps", "accuracy", lambda m: m - 0.5, {"hidden": "300-100"}),
        ("above-benchmark", "accuracy", lambda m: m - 3, {"rule": "error-bp"}),
        ("learned-indistinguishable", "accuracy", lambda m: m - 0.4, {"feedback": "learned"}),
        ("learned-indistinguishable", "epochs", lambda m: m * 1.6, {"feedback": "learned"}),
        ("fixed-less-accurate", "accuracy", lambda m: m + 0.5, {"feedback": "fixed"}),
        ("fixed-slower", "epochs", lambda m: m / 5, {"feedback": "fixed"}),
    ],
)
def test_a_claim_that_our_rows_contradict_differs(paper, name, measure, change, where):
    table = changed(paper, measure, change, **where)
    assert verdicts(Evidence("mnist", table), paper)[name] == "differs"


def test_only_networks_with_symmetric_feedback_are_held_against_the_benchmark(paper):
    found = record("above-benchmark", Evidence("mnist", ours_like_paper(paper)), paper)
    names = [check["name"] for check in found["test"]["checks"]]
    assert len(names) == 8
    assert all("_symmetric_" in name for name in names)


def test_fixed_feedback_with_nothing_to_compare_it_with_is_not_tested(paper):
    evidence = Evidence("mnist", {STARRED: summary(97.2, 0.1, 1000, 5)})
    assert verdicts(evidence, paper)["fixed-slower"] == "not tested"


def test_a_claim_on_table_1_shows_what_its_rule_says_of_the_papers_rows(paper):
    table = changed(paper, "epochs", lambda m: m / 2, rule="q-agrel")
    found = record("slower-text", Evidence("mnist", table), paper)
    assert (found["verdict"], found["paper"]["same_rule"]["verdict"]) == ("differs", "replicated")


def stepwise_histories(n=8):
    rows = [[1, 1 + shift, 3, 5, 7, 9, 11, 13, 15, 17] for shift in (0, 1) * (n // 2)]
    frames = []
    for seed, epochs in enumerate(rows):
        correct = found_in(epochs)
        selected = correct + np.where(np.diff(correct, axis=0, prepend=0) > 50, 60, 0)
        frames.append(history(correct, selected, seed=seed))
    return pd.concat(frames)


def smooth_histories(n=8):
    return pd.concat([history(found_in([1] * 6 + [2] * 4), seed=seed) for seed in range(n)])


STEP_CLAIMS = ("stepwise-learning", "classes-one-at-a-time", "new-class-overshoots")
SMOOTH_CLAIMS = ("smooth-error-bp", "error-bp-finds-all-classes")


def test_stepwise_and_smooth_learning_are_told_apart(paper):
    stepwise, smooth = stepwise_histories(), smooth_histories()
    as_claimed = Evidence("mnist", agrel_steps=stepwise, backprop_steps=smooth)
    found = verdicts(as_claimed, paper)
    assert {found[name] for name in (*STEP_CLAIMS, *SMOOTH_CLAIMS)} == {"replicated"}
    reversed_roles = Evidence("mnist", agrel_steps=smooth, backprop_steps=stepwise)
    found = verdicts(reversed_roles, paper)
    assert {found[name] for name in (*STEP_CLAIMS, *SMOOTH_CLAIMS)} == {"differs"}


def test_one_example_network_proves_nothing(paper):
    evidence = Evidence("mnist", agrel_steps=stepwise_histories().query("seed == 0"))
    found = verdicts(evidence, paper)
    assert {found[name] for name in STEP_CLAIMS} == {"inconclusive"}


def test_the_discovery_epochs_are_part_of_the_evidence(paper):
    evidence = Evidence("mnist", agrel_steps=stepwise_histories())
    found = record("classes-one-at-a-time", evidence, paper)["ours"]["discovered_in_epoch"]
    assert found["0"] == [1, 1, 3, 5, 7, 9, 11, 13, 15, 17]


@pytest.mark.parametrize(
    ("middle", "verdict"), [(0.7, "replicated"), (0.1, "differs"), (1.0, "inconclusive")]
)
def test_a_learning_rate_range_is_compared_with_the_papers(paper, middle, verdict):
    rates = np.geomspace(0.01, 10, 60)
    frames = []
    for seed, shift in enumerate((0.9, 0.95, 1.0, 1.05, 1.1)):
        reward = 1 / (1 + np.exp(-4 * np.log(rates / (middle * shift))))
        line = {"seed": seed, "learning_rate": rates, "error": 1 - reward}
        frames.append(pd.DataFrame(line))
    evidence = Evidence("mnist", agrel_rates=pd.concat(frames))
    assert verdicts(evidence, paper)["rate-range-q-agrel"] == verdict


@pytest.mark.parametrize(("final", "verdict"), [(20.0, "replicated"), (80.0, "differs")])
def test_learned_feedback_must_end_nearer_to_reciprocal_than_to_independent(paper, final, verdict):
    frames = [
        pd.DataFrame(
            {
                "seed": seed,
                "epoch": [1, 2],
                "angle_2": [89.0, 10.0],
                "angle_3": [88.0, final + seed / 10],
            }
        )
        for seed in range(5)
    ]
    row = replace(AGREL, feedback="learned")
    evidence = Evidence("mnist", learned={row: pd.concat(frames)})
    found = record("symmetry-emerges", evidence, paper)
    assert found["verdict"] == verdict
    assert found["ours"]["values"][0]["value"] == pytest.approx(final + 0.2)
    assert found["ours"]["angle_after_first_epoch"] == {row.name: 89.0}


def test_diverged_networks_speak_for_the_need_of_a_lower_rate(paper):
    high = replace(STARRED, learning_rate=0.5)
    good = summarise(seeds([97.1, 97.2] * 5, 900))
    diverged = summarise(seeds([math.nan] * 10, 3, "diverged"))
    for result, verdict in ((diverged, "replicated"), (good, "differs")):
        evidence = Evidence("mnist", {STARRED: good}, high_rates={high: result})
        assert verdicts(evidence, paper)["fixed-needs-lower-rate"] == verdict


@pytest.mark.parametrize(("epochs", "verdict"), [(300, "replicated"), (80, "differs")])
def test_validation_drawn_once_is_compared_row_by_row(paper, epochs, verdict):
    table = ours_like_paper(paper)
    evidence = Evidence("mnist", table, validation_draws={AGREL: summary(98, 0.1, epochs, 20)})
    assert verdicts(evidence, paper)["fresh-validation-stops-sooner"] == verdict


@pytest.mark.parametrize(
    ("worst", "verdict"), [(9e-11, "replicated"), (2e-10, "differs"), (math.nan, "inconclusive")]
)
@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_the_exact_equivalence_must_hold_at_every_depth_on_any_data(paper, dataset, worst, verdict):
    frame = pd.DataFrame({"hidden_layers": [1, 2, 2], "relative_difference": [1e-16, worst, 0.0]})
    found = verdicts(Evidence(dataset, equivalence=frame), paper)
    assert found["exact-equivalence"] == verdict


@pytest.mark.parametrize(("accuracy", "verdict"), [(97.9, "replicated"), (95.0, "differs")])
def test_batches_of_one_are_compared_with_the_benchmark_of_the_same_network(
    paper, accuracy, verdict
):
    table = {replace(AGREL, learning_rate=0.01): summary(accuracy, 0.2, 100, 20, n=3)}
    found = verdicts(Evidence("mnist", trial_by_trial=table), paper)
    assert found["trial-by-trial"] == verdict


def test_the_records_are_plain_json(paper):
    rates = pd.DataFrame({"seed": 0, "learning_rate": [0.1, 0.2, 0.4], "error": [0.9, 0.5, 0.4]})
    equal = pd.DataFrame({"hidden_layers": [1], "relative_difference": [0.0]})
    evidence = Evidence(
        "mnist",
        ours_like_paper(paper),
        agrel_steps=stepwise_histories(),
        agrel_rates=rates,
        equivalence=equal,
    )
    records = judge(evidence, paper)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    for entry in records:
        assert list(entry) == ["id", "claim", "paper", "ours", "test", "verdict"]


def test_a_numeric_claim_reads_its_bounds_from_the_papers_data(paper):
    claims = tuple(
        replace(claim, paper={"factor": [5, 6]}) if claim.id == "slower-text" else claim
        for claim in paper.claims
    )
    evidence = Evidence("mnist", ours_like_paper(paper))
    assert isinstance(claims[0], Claim)
    assert verdicts(evidence, replace(paper, claims=claims))["slower-text"] == "differs"


# --- sensitivity ----------------------------------------------------------------------------


def variant(reading, setting, row, accuracies, epochs):
    line = {
        "reading": reading,
        "setting": setting,
        "rule": row.rule,
        "feedback": row.feedback,
        "hidden": row.hidden,
        "learning_rate": row.learning_rate,
    }
    return seeds(accuracies, epochs).assign(**line)


@pytest.fixture
def study():
    return pd.concat(
        [
            variant("default", "", AGREL, [98.2, 98.24, 98.28], [140, 150, 160]),
            variant("default", "", BACKPROP, [98.15, 98.17, 98.19], [46, 47, 48]),
            variant("input_scale", "binary", AGREL, [97.5, 97.6, 97.55], [140, 150, 160]),
            variant("epsilon", "0.1", AGREL, [98.2, 98.24, 98.28], [47, 48, 49]),
        ]
    )


def test_each_reading_is_compared_with_the_paper(paper, study):
    frame = sensitivity(study, paper, "mnist").set_index(["reading", "setting", "rule"])
    assert frame.loc[("default", "", "q-agrel"), "accuracy_verdict"] == "replicated"
    assert frame.loc[("input_scale", "binary", "q-agrel"), "accuracy_verdict"] == "differs"
    assert frame.loc[("epsilon", "0.1", "q-agrel"), "epochs_verdict"] == "differs"
    assert len(frame) == 4


def test_a_reading_of_one_rule_is_judged_with_the_other_rules_default_rows(paper, study):
    frame = conclusions(study, paper, "mnist").set_index("reading")
    assert frame.loc["input_scale", "accuracy-on-par"] == "differs"
    assert frame.loc["input_scale", "slower-text"] == frame.loc["default", "slower-text"]
    assert frame.loc["epsilon", "slower-text"] == "differs"
    assert frame.loc["epsilon", "accuracy-on-par"] == "replicated"


def test_the_last_line_says_which_conclusions_hold_under_all_readings(paper, study):
    frame = conclusions(study, paper, "mnist").set_index("reading")
    assert frame.loc["all", "accuracy-on-par"] == "differs"
    assert frame.loc["all", "above-benchmark"] == "replicated"
    assert frame.loc["all", "fixed-slower"] == "not tested"


def test_a_study_on_other_data_is_not_compared(paper, study):
    frame = conclusions(study, paper, "digits").set_index("reading")
    assert frame.loc["default", "accuracy-on-par"] == "not comparable"
    assert frame.loc["all", "accuracy-on-par"] == "not comparable"


def test_a_study_without_its_default_runs_is_refused(paper, study):
    with pytest.raises(InputError, match="default"):
        sensitivity(study[study["reading"] != "default"], paper, "mnist")
