"""Our rows beside the paper's, each with its verdict."""

import math
from dataclasses import replace

import pytest
from examples import AGREL, BACKPROP, STARRED, ours_like_paper, seeds, summary

from qagrel.errors import InputError
from qagrel.replication.statistics import (
    Evidence,
    Paper,
    Row,
    Rules,
    compare_row,
    comparisons,
    judge,
    pooled_comparisons,
    summarise,
    table1,
)


def test_epochs_are_compared_as_a_ratio(paper: Paper, rules: Rules) -> None:
    ours = summary(98.24, 0.1, 302, 90)
    check = compare_row(ours, paper.table[AGREL], "epochs", rules).check
    assert check.shown(check.estimate.value) == pytest.approx(2.0)
    assert (check.shown(check.low), check.shown(check.high)) == pytest.approx((0.8, 1.25))


def test_the_verdicts_of_one_row(paper: Paper) -> None:
    def verdict(accuracy: float) -> object:
        frame = comparisons({AGREL: summary(accuracy, 0.05, 151, 10)}, paper, "mnist")
        return frame.set_index("measure").loc["accuracy", "verdict"]

    assert verdict(98.24) == "replicated"
    assert verdict(98.14) == "replicated"  # significant by Welch, yet within 0.2
    assert verdict(98.04) == "differs"
    assert verdict(97.5) == "differs"


def test_a_wide_spread_is_inconclusive(paper: Paper) -> None:
    frame = comparisons({AGREL: summary(98.2, 1.0, 160, 45)}, paper, "mnist")
    assert set(frame["verdict"]) == {"inconclusive"}


def test_a_single_seed_is_inconclusive(paper: Paper) -> None:
    ours = summarise(seeds([98.24], 151))
    assert set(comparisons({AGREL: ours}, paper, "mnist")["verdict"]) == {"inconclusive"}


@pytest.mark.parametrize(("n_diverged", "verdict"), [(4, "inconclusive"), (5, "differs")])
def test_diverged_seeds_never_replicate(paper: Paper, n_diverged: int, verdict: str) -> None:
    accuracies = [98.24, 98.25] * 5
    status = ["diverged"] * n_diverged + ["converged"] * (10 - n_diverged)
    ours = summarise(seeds(accuracies, [150, 152] * 5, status))
    assert set(comparisons({AGREL: ours}, paper, "mnist")["verdict"]) == {verdict}


@pytest.mark.parametrize(
    ("n_converged", "verdict"), [(0, "replicated"), (1, "inconclusive"), (10, "differs")]
)
def test_where_the_paper_prints_no_spread_convergence_is_compared(
    paper: Paper, n_converged: int, verdict: str
) -> None:
    status = ["converged"] * n_converged + ["max-epochs"] * (10 - n_converged)
    ours = summarise(seeds([97.1, 97.2] * 5, 1000, status))
    frame = comparisons({STARRED: ours}, paper, "mnist").set_index("measure")
    assert frame.loc["epochs", "verdict"] == verdict


def test_our_spread_of_zero_is_compared_with_the_papers_spread(paper: Paper, rules: Rules) -> None:
    capped = replace(AGREL, feedback="fixed", hidden="300", learning_rate=0.1)
    ours = summarise(seeds([97.2, 97.3] * 5, 1000, "max-epochs"))
    comparison = compare_row(ours, paper.table[capped], "epochs", rules)
    assert comparison.check.estimate.stderr == pytest.approx(207 / 901 / math.sqrt(10))


def test_a_family_is_the_rows_of_one_measure(paper: Paper) -> None:
    frame = comparisons(ours_like_paper(paper), paper, "mnist")
    accuracy = frame[frame["measure"] == "accuracy"]
    assert accuracy["p_tost"].min() * 16 == pytest.approx(accuracy["p_tost_holm"].min(), rel=1e-4)
    epochs = frame[frame["measure"] == "epochs"]
    assert epochs["p_tost"].min() * 15 == pytest.approx(epochs["p_tost_holm"].min(), rel=1e-4)


def test_the_margin_at_which_a_row_would_be_equivalent(paper: Paper, rules: Rules) -> None:
    frame = comparisons({AGREL: summary(98.24, 0.1, 170, 45)}, paper, "mnist")
    within = frame.set_index("measure")["equivalent_within"]
    check = compare_row(summary(98.24, 0.1, 170, 45), paper.table[AGREL], "epochs", rules).check
    bound = math.log(within["epochs"])
    assert replace(check, low=-bound, high=bound).p_holds == pytest.approx(0.05, rel=1e-3)


def test_pooled_rows_decide_what_single_rows_cannot(paper: Paper) -> None:
    table = ours_like_paper(paper)
    single = comparisons(table, paper, "mnist").query("measure == 'epochs' and rule == 'q-agrel'")
    pooled = pooled_comparisons(table, paper, "mnist")
    pooled = pooled.set_index(["rule", "feedback", "measure"])["verdict"]
    assert set(single[single["feedback"] != "fixed"]["verdict"]) == {"inconclusive"}
    assert pooled["q-agrel", "symmetric", "epochs"] == "replicated"


def test_table_1_has_the_columns_and_rows_that_others_rely_on(paper: Paper) -> None:
    table = table1(ours_like_paper(paper), paper, "mnist")
    measures = ["accuracy_mean", "accuracy_std", "epochs_mean", "epochs_std"]
    row = ["rule", "feedback", "hidden", "learning_rate"]
    ours = ["n_seeds", *measures, "n_converged"]
    theirs = [f"paper_{name}" for name in measures]
    assert list(table.columns) == [*row, *ours, *theirs, "accuracy_verdict", "epochs_verdict"]
    assert [Row(*row) for row in table.iloc[:, :4].itertuples(index=False)] == list(paper.table)


def test_rows_come_in_the_papers_order(paper: Paper) -> None:
    table = ours_like_paper(paper)
    some = {row: table[row] for row in (BACKPROP, AGREL)}
    assert list(table1(some, paper, "mnist")["rule"]) == ["q-agrel", "error-bp"]


def test_a_row_that_the_paper_does_not_have_is_refused(paper: Paper) -> None:
    strange = replace(AGREL, learning_rate=0.3)
    with pytest.raises(InputError, match=r"q-agrel_symmetric_300-100_0\.3"):
        table1({strange: summary(98, 0.1, 100, 10)}, paper, "mnist")


def test_other_data_than_the_papers_are_not_compared(paper: Paper) -> None:
    table = ours_like_paper(paper)
    shown = table1(table, paper, "digits")
    assert {*shown["accuracy_verdict"], *shown["epochs_verdict"]} == {"not comparable"}
    assert set(pooled_comparisons(table, paper, "digits")["verdict"]) == {"not comparable"}
    verdicts = {claim["verdict"] for claim in judge(Evidence("digits", table), paper)}
    assert verdicts == {"not comparable", "not tested"}
