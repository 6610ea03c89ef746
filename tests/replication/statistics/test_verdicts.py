"""What a verdict rests on, and what it was before its rule was amended."""

from dataclasses import replace
from typing import Any

import pytest
from examples import AGREL, BACKPROP, STARRED, ours_like_paper, seeds

from qagrel.replication.statistics import (
    Evidence,
    Moments,
    Paper,
    Row,
    Summary,
    Verdict,
    across_readings,
    bound,
    judge,
    pool,
    summarise,
)

LEARNED = replace(AGREL, feedback="learned")


def record(name: str, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    return next(entry for entry in judge(evidence, paper) if entry["id"] == name)


def with_epochs(epochs: list[int], statuses: str | list[str] = "converged") -> Summary:
    accuracies = [98.0 + i / 100 for i in range(len(epochs))]
    return summarise(seeds(accuracies, epochs, statuses))


# --- seed by seed ----------------------------------------------------------------------------


def test_rows_of_ours_are_compared_seed_by_seed() -> None:
    one, other = with_epochs([100, 200, 300]), with_epochs([101, 201, 301])
    paired = pool([(1, other), (-1, one)], "accuracy", "seed")
    assert (paired.value, paired.stderr, paired.df) == (0, 0, 2)
    apart = pool([(1, other), (-1, one)], "accuracy", "none")
    assert apart.stderr > 0


def test_a_seed_is_one_sample_however_many_rows_it_stands_in() -> None:
    row = with_epochs([100, 200, 300])
    four = pool([(1 / 4, row)] * 4, "epochs", "seed")
    single = pool([(1, row)], "epochs", "none")
    assert (four.value, four.stderr, four.df) == pytest.approx(
        (single.value, single.stderr, single.df)
    )


def test_only_the_seeds_that_all_rows_have_are_compared() -> None:
    ten, three = with_epochs([10 * i for i in range(1, 11)]), with_epochs([20, 30, 50])
    found = pool([(1, ten), (-1, three)], "epochs", "seed")
    assert found.df == 2
    assert found.value == pytest.approx(
        Moments(20, 0, 3).log().mean - Moments(100 / 3, 0, 3).log().mean
    )


def test_rows_of_the_paper_have_no_seeds_and_stay_unpaired(paper: Paper) -> None:
    terms = [(1.0, paper.table[AGREL]), (-1.0, paper.table[BACKPROP])]
    assert pool(terms, "accuracy", "seed") == pool(terms, "accuracy", "none")


def test_where_a_seed_diverged_nothing_is_tested() -> None:
    selected = with_epochs([100, 200, 7], ["converged", "converged", "diverged"])
    estimate = pool([(1, selected)], "epochs", "seed")
    assert estimate.value == pytest.approx(Moments(150, 0, 2).log().mean)
    assert not estimate.stderr >= 0


# --- runs that were cut off ------------------------------------------------------------------


def test_runs_that_were_cut_off_bound_a_ratio() -> None:
    whole, cut = with_epochs([100, 200]), with_epochs([100, 1000], ["converged", "max-epochs"])
    assert bound([(1, whole), (-1, whole)]) == ""
    assert bound([(1, cut), (-1, whole)]) == "at least"
    assert bound([(1, whole), (-1, cut)]) == "at most"
    assert bound([(1, cut), (-1, cut)]) == "unknown"


def test_a_lower_bound_does_not_refute_what_asks_for_more(paper: Paper) -> None:
    symmetric = with_epochs([600, 601, 602])
    fixed = with_epochs([999, 1000, 1000], ["converged", "max-epochs", "max-epochs"])
    table = {AGREL: symmetric, STARRED: fixed}
    found = record("fixed-slower", Evidence("mnist", table), paper)
    assert found["ours"]["values"][0]["bound"] == "at least"
    assert found["verdict"] == "inconclusive"
    assert found["amended"]["verdict"] == "differs"


# --- what a verdict rests on -----------------------------------------------------------------


def test_a_claim_that_the_papers_numbers_break_rests_on_them(paper: Paper) -> None:
    found = record("slower-abstract", Evidence("mnist", ours_like_paper(paper)), paper)
    assert (found["verdict"], found["rests_on"]) == ("differs", "the paper's own numbers")


def learned_rows(factor: float) -> dict[Row, Summary]:
    epochs = [150, 160, 155, 152, 158]
    rows = {AGREL: with_epochs(epochs)}
    return {**rows, LEARNED: with_epochs([round(factor * n) for n in epochs])}


@pytest.mark.parametrize(
    ("factor", "verdict", "rests_on"),
    [
        (1.0, "replicated", "our runs"),
        (1.4, "differs", "a threshold"),  # the range of epochs_ratio ends at 1.5
        (2.02, "differs", "our runs"),
    ],
)
def test_a_verdict_that_another_threshold_turns_rests_on_it(
    paper: Paper, factor: float, verdict: str, rests_on: str
) -> None:
    evidence = Evidence("mnist", learned_rows(factor))
    found = record("learned-indistinguishable", evidence, paper)
    assert (found["verdict"], found["rests_on"]) == (verdict, rests_on)
    moved = [{"threshold": "epochs_ratio", "value": 1.5, "verdict": "replicated"}]
    assert found["thresholds"] == (moved if rests_on == "a threshold" else [])


def test_no_verdict_rests_on_nothing(paper: Paper) -> None:
    for dataset in ("mnist", "digits"):
        untested = record("trial-by-trial", Evidence(dataset), paper)
        assert (untested["rests_on"], untested["thresholds"]) == (None, [])


def test_every_threshold_with_a_range_is_named_by_a_rule(paper: Paper) -> None:
    rules = " ".join(claim.rule for claim in paper.claims)
    assert {name for name in paper.ranges if name not in rules} == set()


def test_a_claim_that_was_not_amended_has_the_same_numbers_by_the_rules_before(
    paper: Paper,
) -> None:
    """What an amendment changed is said of the claim."""
    evidence = Evidence("mnist", {**ours_like_paper(paper), **learned_rows(1.1)})
    for now, before in zip(judge(evidence, paper), judge(evidence, paper.before), strict=True):
        if now["amended"] is None:
            assert now["ours"] == before["ours"]


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        (["replicated", "differs"], "not determined by the paper"),
        (["replicated", "inconclusive"], "inconclusive"),
        (["replicated", "replicated"], "replicated"),
        (["differs", "inconclusive"], "differs"),
    ],
)
def test_what_some_readings_give_and_others_do_not_the_paper_does_not_determine(
    verdicts: list[str], together: str
) -> None:
    assert across_readings([Verdict(verdict) for verdict in verdicts]) == together
