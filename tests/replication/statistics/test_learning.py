"""Claims on how learning goes, on tables whose outcome is plain."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from examples import STARRED, found_in, seeds

from qagrel.errors import InputError
from qagrel.replication.statistics import Evidence, Paper, Row, judge, summarise

N_SEEDS = 8


def record(name: str, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    return next(entry for entry in judge(evidence, paper) if entry["id"] == name)


def alone(paper: Paper, name: str) -> Paper:
    """The paper with one claim."""
    return replace(paper, claims=tuple(claim for claim in paper.claims if claim.id == name))


def verdict(name: str, evidence: Evidence, paper: Paper) -> str:
    (found,) = judge(evidence, alone(paper, name))
    return str(found["verdict"])


@pytest.mark.parametrize(
    "name",
    [
        *("wrong-values-stay-close", "wrong-values-fall-by-exploration"),
        *("classes-one-at-a-time", "coincidence-finds-classes"),
        *("rate-range-q-agrel", "rate-range-error-bp"),
    ],
)
def test_a_claim_whose_study_was_not_made_says_so(paper: Paper, name: str) -> None:
    found = record(name, Evidence("mnist"), paper)
    assert found["verdict"] == "not tested"
    assert found["ours"]["missing"].startswith("The study ")


# --- classes one at a time -------------------------------------------------------------------


def batches(found_by_seed: list[list[int]], n_batches: int = 300) -> pd.DataFrame:
    """Ten classes of a hundred samples a batch, each wholly right from its batch on."""
    tables = []
    for seed, found in enumerate(found_by_seed):
        correct = found_in([batch + 1 for batch in found], n_batches)
        table = pd.DataFrame({"run": "q-agrel", "seed": seed, "batch": range(1, n_batches + 1)})
        for number in range(10):
            table[f"presented_{number}"] = 100
            table[f"correct_{number}"] = correct[:, number]
        tables.append(table)
    return pd.concat(tables)


def test_classes_found_apart_are_found_one_at_a_time(paper: Paper) -> None:
    apart = [[30 * n + 3 * (seed % 2) * (n % 2) for n in range(10)] for seed in range(N_SEEDS)]
    evidence = Evidence("mnist", agrel_batches=batches(apart))
    found = record("classes-one-at-a-time", evidence, paper)
    assert found["verdict"] == "replicated"
    lines = found["ours"]["by_batch"]
    assert {line["n_found"] for line in lines} == {10}
    assert lines[0]["span"] == 270
    assert lines[0]["unevenness"] == pytest.approx(10 / 9 / 2, rel=1e-4)  # nine equal gaps
    assert lines[0]["found_together"] == 1


def test_classes_found_together_are_not(paper: Paper) -> None:
    together = [[30] * 5 + [200 + seed] * 5 for seed in range(N_SEEDS)]
    evidence = Evidence("mnist", agrel_batches=batches(together))
    assert verdict("classes-one-at-a-time", evidence, paper) == "differs"


def test_independent_discoveries_are_no_evidence(paper: Paper) -> None:
    rng = np.random.default_rng(5)
    scattered = [sorted(rng.integers(0, 280, 10).tolist()) for _ in range(10)]
    evidence = Evidence("mnist", agrel_batches=batches(scattered))
    found = record("classes-one-at-a-time", evidence, paper)
    gaps = found["test"]["checks"][0]
    assert gaps["p_holds"] > 0.05
    assert gaps["p_fails"] > 0.05


# --- how a class is found --------------------------------------------------------------------


def finding(slow: float, lucky: float, never: bool = False) -> pd.DataFrame:
    """Trials by which ten classes are found, by width and exploration."""
    tables = []
    for run, factor in (("300, 0", slow), ("300, 0.02", 1.0)):
        for seed in range(N_SEEDS):
            trials = factor * np.linspace(100, 1000, 10) * (1 + seed / 100)
            explored = np.arange(10) < 10 * lucky + seed % 2
            table = pd.DataFrame(
                {
                    "run": run,
                    "seed": seed,
                    "class": range(10),
                    "found": trials,
                    "first_right": 1,
                    "first_right_explored": explored.astype(float),
                    "right_before": 10,
                    "explored_before": 1,
                    "rival": 0,
                    "rival_peak": 0.4,
                    "rival_last": 0.1,
                    "own_first": 0.1,
                    "own_found": 0.2,
                }
            )
            if never and run == "300, 0":
                table.loc[9, "found"] = np.nan
            tables.append(table)
    return pd.concat(tables)


@pytest.mark.parametrize(
    ("slow", "lucky", "expected"),
    [(4, 0.8, "replicated"), (1, 0.8, "differs"), (4, 0.1, "differs")],
)
def test_a_class_found_by_coincidence_is_found_later_without(
    paper: Paper, slow: float, lucky: float, expected: str
) -> None:
    evidence = Evidence("mnist", finding=finding(slow, lucky))
    assert verdict("coincidence-finds-classes", evidence, paper) == expected


def test_a_class_never_found_makes_the_factor_a_bound(paper: Paper) -> None:
    evidence = Evidence("mnist", finding=finding(1, 0.8, never=True))
    found = record("coincidence-finds-classes", evidence, paper)
    assert found["ours"]["values"][1]["bound"] == "at least"
    assert found["verdict"] == "inconclusive"
    assert found["ours"]["without_over_with"][0]["width"] == 300


def test_a_study_without_the_papers_network_is_refused(paper: Paper) -> None:
    other = finding(1, 0.8).replace({"run": {"300, 0.02": "30, 0.02"}})
    with pytest.raises(InputError, match=r"finding-classes is named '300, 0\.02'"):
        record("coincidence-finds-classes", Evidence("mnist", finding=other), paper)


# --- values of wrong actions -----------------------------------------------------------------


def q_values(best_wrong: float, explored: float, backprop: float = 0.1) -> pd.DataFrame:
    """Thirty epochs, at whose end wrong values and shares of change are as given."""
    lines = []
    for run, wrong in (("q-agrel", best_wrong), ("error-bp", backprop)):
        for seed in range(N_SEEDS):
            for epoch in range(1, 31):
                share = explored if epoch > 20 else 0.0
                changes = {
                    "wrong_greedy": 9,
                    "change_greedy": -(1 - share) - 0.001 * seed,
                    "wrong_explored": 3,
                    "change_explored": -share,
                }
                lines.append(
                    {
                        "run": run,
                        "seed": seed,
                        "epoch": epoch,
                        "right": 0.8,
                        "best_wrong": 0.8 * wrong * (1 + seed / 100),
                        "other_wrong": 0.0,
                        "margin": 0.8 - 0.8 * wrong,
                        "accuracy": 97.0,
                        **(changes if run == "q-agrel" else {}),
                    }
                )
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("wrong", "backprop", "expected"),
    [(0.7, 0.1, "replicated"), (0.2, 0.1, "differs"), (0.7, 0.8, "differs")],
)
def test_wrong_values_end_near_the_right_one_and_nearer_than_those_of_error_bp(
    paper: Paper, wrong: float, backprop: float, expected: str
) -> None:
    evidence = Evidence("mnist", q_values=q_values(wrong, 0.9, backprop))
    found = record("wrong-values-stay-close", evidence, paper)
    assert found["verdict"] == expected
    assert [line["epoch"] for line in found["ours"]["last_epoch"]] == [30, 30]


@pytest.mark.parametrize(("share", "expected"), [(0.9, "replicated"), (0.1, "differs")])
def test_late_in_training_wrong_values_must_fall_by_exploration(
    paper: Paper, share: float, expected: str
) -> None:
    evidence = Evidence("mnist", q_values=q_values(0.7, share))
    found = record("wrong-values-fall-by-exploration", evidence, paper)
    assert found["verdict"] == expected
    assert found["ours"]["first_ten_epochs"] == 0
    counts = found["ours"]["wrong_choices_of_a_network_in_the_last_ten"]
    assert counts == {"greedy": 90, "explored": 30}


# --- fixed feedback --------------------------------------------------------------------------


@pytest.mark.parametrize(("final", "expected"), [(70.0, "replicated"), (95.0, "differs")])
def test_forward_weights_must_turn_towards_fixed_feedback_in_every_layer(
    paper: Paper, final: float, expected: str
) -> None:
    frames = [
        pd.DataFrame(
            {
                "seed": seed,
                "epoch": [1, 2],
                "angle_2": [90.0, final + seed / 10],
                "angle_3": [80.0, 20.0],
            }
        )
        for seed in range(N_SEEDS)
    ]
    evidence = Evidence("mnist", fixed={STARRED: pd.concat(frames)})
    found = record("forward-aligns-with-fixed", evidence, paper)
    assert found["verdict"] == expected
    assert [course["layer"] for course in found["ours"]["fixed_angles"]] == [2, 3]


# --- learning rates --------------------------------------------------------------------------


def rising(middle: float, first: float = 0.01, last: float = 10.0) -> pd.DataFrame:
    """The reward of five seeds while the rate is raised, steepest around a rate."""
    rates = np.geomspace(first, last, 60)
    frames = []
    for seed, shift in enumerate((0.9, 0.95, 1.0, 1.05, 1.1)):
        error = 0.9 / (1 + (rates / (middle * shift)) ** 4)
        epochs = range(1, 61)
        line = {"seed": seed, "epoch": epochs, "learning_rate": rates, "error": error}
        frames.append(pd.DataFrame(line))
    return pd.concat(frames)


def a_map(**middles: float) -> pd.DataFrame:
    """Series of Q-AGREL by their spacing, each with its steepest rate."""
    return pd.concat(
        rising(middle).assign(run=f"q-agrel, {spacing}, 0.01 to 10, 100")
        for spacing, middle in middles.items()
    )


@pytest.mark.parametrize(
    ("middle", "others", "expected"),
    [
        (0.7, {"geometric": 0.7, "linear": 0.72}, "replicated"),
        (0.1, {"geometric": 0.1, "linear": 0.2}, "differs"),
        (0.1, {"geometric": 0.1, "linear": 0.7}, "not determined by the paper"),
        (0.7, {"geometric": 1.0, "linear": 0.7}, "inconclusive"),
    ],
)
def test_a_learning_rate_range_is_compared_with_the_papers_by_many_series(
    paper: Paper, middle: float, others: dict[str, float], expected: str
) -> None:
    evidence = Evidence("mnist", agrel_rates=rising(middle), rate_map=a_map(**others))
    found = record("rate-range-q-agrel", evidence, paper)
    assert found["verdict"] == expected
    assert found["ours"]["n_series"] == 3
    before = {0.7: "replicated", 0.1: "differs"}[middle]
    assert found["amended"]["verdict"] == before


def test_a_series_whose_seeds_agree_needs_no_spread(paper: Paper) -> None:
    same = pd.concat(
        rising(0.7).query("seed == 2").assign(seed=seed, run=f"q-agrel, {name}, 0.01 to 10, 100")
        for seed in range(3)
        for name in ("geometric", "linear")
    )
    evidence = Evidence("mnist", agrel_rates=rising(0.7), rate_map=same)
    assert verdict("rate-range-q-agrel", evidence, paper) == "replicated"


@pytest.mark.parametrize("left", [0, 2])
def test_a_series_that_diverges_at_once_has_no_interval(paper: Paper, left: int) -> None:
    short = a_map(geometric=0.7)
    short.loc[(short["seed"] == 0) & (short["epoch"] > left), "error"] = np.nan
    evidence = Evidence("mnist", agrel_rates=rising(0.7), rate_map=short)
    found = record("rate-range-q-agrel", evidence, paper)
    assert [line["gives_the_papers"] for line in found["ours"]["series"]] == [
        "replicated",
        "inconclusive",
    ]


# --- learned feedback ------------------------------------------------------------------------


def test_more_seeds_and_updates_go_with_learned_feedback(paper: Paper) -> None:
    row = Row("q-agrel", "learned", "300-100", 1.0)
    many = {
        row: summarise(seeds([98.3 + seed / 100 for seed in range(9)], [80] * 9)),
        replace(row, feedback="symmetric"): summarise(
            seeds([98.2 + seed / 100 for seed in range(9)], [100] * 9)
        ),
    }
    lines = [
        {"run": run, "seed": seed, "epoch": epoch, "moved_1": moved, "moved_2": moved**2}
        for run, size in (("learned", 2.0), ("symmetric", 1.0))
        for seed in range(3)
        for epoch, moved in ((1, np.nan), (2, size), (3, 3 * size))
    ]
    evidence = Evidence("mnist", more_learned=many, updates=pd.DataFrame(lines))
    ours = record("learned-indistinguishable", evidence, paper)["ours"]
    (more,) = ours["more_seeds"]
    assert (more["row"], more["n_seeds"]) == (row.name, 9)
    assert more["accuracy"]["value"] == pytest.approx(0.1)
    assert more["epochs"]["value"] == pytest.approx(0.8)
    sizes = {line["layer"]: line["value"] for line in ours["updates_learned_over_symmetric"]}
    assert sizes == pytest.approx({1: 2, 2: 4})
    assert record("learned-indistinguishable", evidence, paper)["verdict"] == "not tested"


def test_the_records_are_plain_json(paper: Paper) -> None:
    evidence = Evidence(
        "mnist",
        agrel_rates=rising(0.7),
        rate_map=a_map(geometric=0.7),
        agrel_batches=batches([[10] * 10, [20] * 10]),
        q_values=q_values(0.7, 0.9),
        finding=finding(2, 0.8),
    )
    records = judge(evidence, paper)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
