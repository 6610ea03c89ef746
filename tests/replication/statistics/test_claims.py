"""Each claim is replicated by data made for it, and differs on data made against it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from examples import AGREL, STARRED, found_in, history, ours_like_paper, seeds, summary
from scipy import stats

from qagrel.errors import InputError
from qagrel.replication.statistics import (
    CLAIMS,
    Claim,
    Evidence,
    Paper,
    Row,
    Summary,
    judge,
    summarise,
)


def test_every_claim_has_a_test_and_every_test_a_claim(paper: Paper) -> None:
    assert [claim.id for claim in paper.claims] == list(dict.fromkeys(c.id for c in paper.claims))
    assert {claim.id for claim in paper.claims} == CLAIMS


def test_a_claim_without_a_test_is_refused_with_a_hint(paper: Paper) -> None:
    unknown = replace(paper.claims[0], id="slower-texts")
    with pytest.raises(InputError, match=r"'slower-texts'.*did you mean 'slower-text'"):
        judge(Evidence("mnist"), replace(paper, claims=(unknown,)))


def verdicts(evidence: Evidence, paper: Paper) -> dict[str, str]:
    return {record["id"]: record["verdict"] for record in judge(evidence, paper)}


def record(name: str, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    return next(entry for entry in judge(evidence, paper) if entry["id"] == name)


def changed(
    paper: Paper, measure: str, change: Callable[[float], float], **where: str
) -> dict[Row, Summary]:
    """Our rows like the paper's, the means of a measure changed in the rows described."""
    table = ours_like_paper(paper)
    for row, found in table.items():
        if all(getattr(row, name) == value for name, value in where.items()):
            moments = getattr(found, measure)
            moved = replace(moments, mean=change(moments.mean))
            table[row] = replace(found, **{measure: moved})
    return table


def test_the_verdicts_on_the_papers_own_numbers(paper: Paper) -> None:
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


def test_the_slow_down_is_the_geometric_mean_of_four_ratios(paper: Paper) -> None:
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
def test_a_claim_that_our_rows_contradict_differs(
    paper: Paper, name: str, measure: str, change: Callable[[float], float], where: dict[str, str]
) -> None:
    table = changed(paper, measure, change, **where)
    assert verdicts(Evidence("mnist", table), paper)[name] == "differs"


def test_only_networks_with_symmetric_feedback_are_held_against_the_benchmark(paper: Paper) -> None:
    found = record("above-benchmark", Evidence("mnist", ours_like_paper(paper)), paper)
    names = [check["name"] for check in found["test"]["checks"]]
    assert len(names) == 8
    assert all("_symmetric_" in name for name in names)


def test_fixed_feedback_with_nothing_to_compare_it_with_is_not_tested(paper: Paper) -> None:
    evidence = Evidence("mnist", {STARRED: summary(97.2, 0.1, 1000, 5)})
    assert verdicts(evidence, paper)["fixed-slower"] == "not tested"


def test_a_claim_on_table_1_shows_what_its_rule_says_of_the_papers_rows(paper: Paper) -> None:
    table = changed(paper, "epochs", lambda m: m / 2, rule="q-agrel")
    found = record("slower-text", Evidence("mnist", table), paper)
    assert (found["verdict"], found["paper"]["same_rule"]["verdict"]) == ("differs", "replicated")


def stepwise_histories(n: int = 8) -> pd.DataFrame:
    rows = [[1, 1 + shift, 3, 5, 7, 9, 11, 13, 15, 17] for shift in (0, 1) * (n // 2)]
    frames = []
    for seed, epochs in enumerate(rows):
        correct = found_in(epochs)
        selected = correct + np.where(np.diff(correct, axis=0, prepend=0) > 50, 60, 0)
        frames.append(history(correct, selected, seed=seed))
    return pd.concat(frames)


def smooth_histories(n: int = 8) -> pd.DataFrame:
    return pd.concat([history(found_in([1] * 6 + [2] * 4), seed=seed) for seed in range(n)])


STEP_CLAIMS = ("stepwise-learning", "new-class-overshoots")


SMOOTH_CLAIMS = ("smooth-error-bp", "error-bp-finds-all-classes")


def test_stepwise_and_smooth_learning_are_told_apart(paper: Paper) -> None:
    stepwise, smooth = stepwise_histories(), smooth_histories()
    as_claimed = Evidence("mnist", agrel_steps=stepwise, backprop_steps=smooth)
    found = verdicts(as_claimed, paper)
    assert {found[name] for name in (*STEP_CLAIMS, *SMOOTH_CLAIMS)} == {"replicated"}
    reversed_roles = Evidence("mnist", agrel_steps=smooth, backprop_steps=stepwise)
    found = verdicts(reversed_roles, paper)
    assert {found[name] for name in (*STEP_CLAIMS, *SMOOTH_CLAIMS)} == {"differs"}


def test_one_example_network_proves_nothing(paper: Paper) -> None:
    evidence = Evidence("mnist", agrel_steps=stepwise_histories().query("seed == 0"))
    found = verdicts(evidence, paper)
    assert {found[name] for name in STEP_CLAIMS} == {"inconclusive"}


def test_the_discovery_epochs_are_part_of_the_evidence(paper: Paper) -> None:
    evidence = Evidence("mnist", agrel_steps=stepwise_histories())
    found = record("stepwise-learning", evidence, paper)["ours"]["discovered_in_epoch"]
    assert found["0"] == [1, 1, 3, 5, 7, 9, 11, 13, 15, 17]


@pytest.mark.parametrize(("final", "verdict"), [(20.0, "replicated"), (80.0, "differs")])
def test_learned_feedback_must_end_nearer_to_reciprocal_than_to_independent(
    paper: Paper, final: float, verdict: str
) -> None:
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
    first, second = found["ours"]["angles"]
    assert (first["row"], first["layer"], second["layer"]) == (row.name, 2, 3)
    assert (second["start"], second["first"]) == (90.0, 88.0)
    assert second["fall"] == pytest.approx(87.8 - final)


def test_diverged_networks_speak_for_the_need_of_a_lower_rate(paper: Paper) -> None:
    high = replace(STARRED, learning_rate=0.5)
    good = summarise(seeds([97.1, 97.2] * 5, 900))
    diverged = summarise(seeds([math.nan] * 10, 3, "diverged"))
    for result, verdict in ((diverged, "replicated"), (good, "differs")):
        evidence = Evidence("mnist", {STARRED: good}, high_rates={high: result})
        assert verdicts(evidence, paper)["fixed-needs-lower-rate"] == verdict


@pytest.mark.parametrize(("epochs", "verdict"), [(300, "replicated"), (80, "differs")])
def test_validation_drawn_once_is_compared_row_by_row(
    paper: Paper, epochs: int, verdict: str
) -> None:
    table = ours_like_paper(paper)
    evidence = Evidence("mnist", table, validation_draws={AGREL: summary(98, 0.1, epochs, 20)})
    assert verdicts(evidence, paper)["fresh-validation-stops-sooner"] == verdict


@pytest.mark.parametrize(
    ("worst", "verdict"), [(9e-11, "replicated"), (2e-10, "differs"), (math.nan, "inconclusive")]
)
@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_the_exact_equivalence_must_hold_at_every_depth_on_any_data(
    paper: Paper, dataset: str, worst: float, verdict: str
) -> None:
    frame = pd.DataFrame({"hidden_layers": [1, 2, 2], "relative_difference": [1e-16, worst, 0.0]})
    found = verdicts(Evidence(dataset, equivalence=frame), paper)
    assert found["exact-equivalence"] == verdict


@pytest.mark.parametrize(("accuracy", "verdict"), [(97.9, "replicated"), (95.0, "differs")])
def test_batches_of_one_are_compared_with_the_benchmark_of_the_same_network(
    paper: Paper, accuracy: float, verdict: str
) -> None:
    table = {replace(AGREL, learning_rate=0.01): summary(accuracy, 0.2, 100, 20, n=3)}
    found = verdicts(Evidence("mnist", trial_by_trial=table), paper)
    assert found["trial-by-trial"] == verdict


def test_the_records_are_plain_json(paper: Paper) -> None:
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
        names = [
            "id",
            "claim",
            "paper",
            "ours",
            "test",
            "verdict",
            "rests_on",
            "thresholds",
            "amended",
        ]
        assert list(entry) == names


def test_a_numeric_claim_reads_its_bounds_from_the_papers_data(paper: Paper) -> None:
    claims = tuple(
        replace(claim, paper={"factor": [5, 6]}) if claim.id == "slower-text" else claim
        for claim in paper.claims
    )
    evidence = Evidence("mnist", ours_like_paper(paper))
    assert isinstance(claims[0], Claim)
    assert verdicts(evidence, replace(paper, claims=claims))["slower-text"] == "differs"
