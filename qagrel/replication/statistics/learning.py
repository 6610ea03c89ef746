"""Claims on how learning goes: steps and classes, rates, values of wrong actions, alignment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics import mechanisms
from qagrel.replication.statistics.curves import (
    RIGHT_ANGLE,
    angle_course,
    angles_at_the_end,
    discoveries,
    learning_profile,
    steepest_intervals,
)
from qagrel.replication.statistics.estimates import (
    Check,
    Estimate,
    Moments,
    Verdict,
    across_readings,
    contrast,
)
from qagrel.replication.statistics.evidence import Evidence, Finding, not_made
from qagrel.replication.statistics.paper import Claim, Paper, Rules
from qagrel.replication.statistics.rows import bound, pool

WIDTH, EPSILON = 300, 0.02  # of the paper's network, and by our reading
LATE = 10  # epochs


def symmetry_emerges(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: learned feedback ends up aligned with the transposed forward weights."""
    checks, courses = [], []
    for row, history in sorted(evidence.learned.items()):
        last = angles_at_the_end(history)
        final = contrast([(1.0, Moments.of(last.max(axis="columns")))])
        checks.append(Check(f"{row.name}, final angle", final, high=paper.rules.aligned_angle))
        courses += [{"row": row.name, **course} for course in angle_course(history)]
    return Finding(checks, {"angles": courses})


def learning_is(
    history: pd.DataFrame | None, bounds: Mapping[str, tuple[float, float]], rules: Rules
) -> Finding:
    """Claims on Figs 5 and 6: bounds of columns of `learning_profile`, averaged over seeds."""
    if history is None:
        return Finding([])
    profile = learning_profile(history, rules)
    checks = [
        Check(column, contrast([(1.0, Moments.of(profile[column]))]), low, high)
        for column, (low, high) in bounds.items()
    ]
    found = discoveries(history, rules.discovery_share).groupby("seed")["epoch"]
    discovered = {str(seed): epochs.tolist() for seed, epochs in found}
    numbers = {"profile": profile.to_dict("records"), "discovered_in_epoch": discovered}
    return Finding(checks, numbers)


def backprop_finds_all_classes(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: error-BP finds many classes at once, and the last one before Q-AGREL does."""
    if evidence.agrel_steps is None or evidence.backprop_steps is None:
        return Finding([])
    rules = paper.rules
    many = {"classes_per_discovery": (rules.classes_at_once, math.inf)}
    finding = learning_is(evidence.backprop_steps, many, rules)
    backprop, agrel = (
        learning_profile(history, rules).set_index("seed")["last_discovery"]
        for history in (evidence.backprop_steps, evidence.agrel_steps)
    )
    if rules.pairing == "seed" and set(backprop.index) == set(agrel.index):
        earlier = contrast([(1.0, Moments.of(backprop - agrel))])
    else:
        earlier = contrast([(1.0, Moments.of(backprop)), (-1.0, Moments.of(agrel))])
    check = Check("last discovery, error-bp less q-agrel", earlier, high=0.0)
    return replace(finding, checks=[*finding.checks, check])


def classes_one_at_a_time(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: discoveries keep apart, and the class found brings the step in reward."""
    if evidence.agrel_batches is None:
        return not_made("stepwise, measured by batch,")
    rules = paper.rules
    profile = mechanisms.one_at_a_time(
        evidence.agrel_batches,
        rules.discovery_share,
        round(rules.discovery_batches),
        rules.step_height,
    )
    apart, brought = (
        contrast([(1.0, Moments.of(profile[name]))]) for name in ("unevenness", "new_share")
    )
    checks = [Check("unevenness", apart, high=1.0), Check("new_share", brought, low=0.5)]
    return Finding(checks, {"by_batch": profile.to_dict("records")})


def rate_range_before(history: pd.DataFrame | None, claim: Claim, rules: Rules) -> Finding:
    """Claims on Fig. 4 by one series of rates, its first epoch left out."""
    if history is None:
        return Finding([])
    return _centre(history, steepest_intervals(history, rules.rate_window, None), claim)


def rate_range(evidence: Evidence, rule: str, claim: Claim, paper: Paper) -> Finding:
    """Claims on Fig. 4: where a curve is steepest as the rate is raised, by many series of rates.

    The check is that of the study of Fig. 4; the verdict is across all series.
    """
    window = paper.rules.rate_window
    history = evidence.agrel_rates if rule == "q-agrel" else evidence.backprop_rates
    if history is None:
        return not_made("learning-rate-range")
    if evidence.rate_map is None:
        return not_made("learning-rate-map")
    own = steepest_intervals(history, window)
    tried = mechanisms.rate_map(evidence.rate_map, window)
    parts = {"of Fig. 4": own}
    parts |= {
        str(run).removeprefix(f"{rule}, "): group
        for run, group in tried[tried["rule"] == rule].groupby("run", sort=False)
    }
    series = []
    verdicts = []
    for name, intervals in parts.items():
        verdicts.append(_gives(intervals, claim))
        ends = {end: math.exp(np.log(intervals[end]).mean()) for end in ("low", "high")}
        series.append({"series": name, **ends, "gives_the_papers": str(verdicts[-1])})
    finding = _centre(history, own, claim)
    n = verdicts.count(Verdict.REPLICATED)
    numbers = {**finding.numbers, "n_series": len(series), "n_giving": n, "series": series}
    return replace(finding, numbers=numbers, verdict=across_readings(verdicts))


def _centres(intervals: pd.DataFrame) -> "pd.Series[float]":
    """Logarithms of the centres of intervals."""
    products: pd.Series[float] = intervals["low"] * intervals["high"]
    return products.map(math.log) / 2


def _centre(history: pd.DataFrame, intervals: pd.DataFrame, claim: Claim) -> Finding:
    low, high = np.log(claim.paper["learning_rate"])
    estimate = contrast([(1.0, Moments.of(_centres(intervals)))])
    numbers = {
        "intervals": intervals.to_dict("records"),
        "range_tried": [history["learning_rate"].min(), history["learning_rate"].max()],
    }
    return Finding([Check("centre", estimate, low, high, log=True)], numbers)


def _gives(intervals: pd.DataFrame, claim: Claim) -> Verdict:
    """Whether the centre of every seed lies in the paper's interval, or that of every seed out.

    No t-test: seeds often agree exactly, since only recorded rates are tried.
    """
    centres = _centres(intervals)
    low, high = np.log(claim.paper["learning_rate"])
    slack = 1e-9  # rounding of logarithms
    inside = centres.between(low - slack, high + slack)
    if inside.all():
        return Verdict.REPLICATED
    some = inside.any() or centres.isna().any()
    return Verdict.INCONCLUSIVE if some else Verdict.DIFFERS


def wrong_values_stay_close(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: wrong actions' values end just below the right one's, those of error-BP far below."""
    if evidence.q_values is None:
        return not_made("wrong-values")
    ends = mechanisms.value_ends(evidence.q_values)
    agrel, backprop = (
        _of_run(ends, name, "wrong-values").set_index("seed")["best_wrong"]
        for name in ("q-agrel", "error-bp")
    )
    close = contrast([(1.0, Moments.of(agrel))])
    closer = contrast([(1.0, Moments.of((agrel - backprop).dropna()))])
    course = mechanisms.value_course(evidence.q_values).groupby("run", sort=False)
    return Finding(
        [
            Check("q-agrel, best wrong over right", close, low=paper.rules.close_value),
            Check("q-agrel less error-bp", closer, low=0.0),
        ],
        {"last_epoch": course.last().reset_index().to_dict("records")},
    )


def wrong_values_fall_by_exploration(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: late in training, wrong actions' values fall where exploration picks them."""
    if evidence.q_values is None:
        return not_made("wrong-values")
    measured = _of_run(evidence.q_values, "q-agrel", "wrong-values")
    last = int(measured["epoch"].max())
    late, early = (
        mechanisms.explorative_share(measured, first, end)
        for first, end in ((last - LATE + 1, last), (1, LATE))
    )
    chosen = measured[measured["epoch"] > last - LATE]
    n_seeds = chosen["seed"].nunique()
    numbers = {
        "first_ten_epochs": early.mean,
        "wrong_choices_of_a_network_in_the_last_ten": {
            name: chosen[f"wrong_{name}"].sum() / n_seeds for name in ("greedy", "explored")
        },
    }
    check = Check("last ten epochs", contrast([(1.0, late)]), low=paper.rules.mostly_explorative)
    return Finding([check], numbers)


def coincidence_finds_classes(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: classes are found by explorative choices that happen to be right."""
    if evidence.finding is None:
        return not_made("finding-classes")
    measured = evidence.finding
    of_paper = _of_run(measured, f"{WIDTH}, {EPSILON:g}", "finding-classes")
    lucky = of_paper.groupby("seed")["first_right_explored"].mean()
    factor = math.log(paper.rules.epochs_ratio)
    without, known = _without_exploration(measured, WIDTH)
    table = mechanisms.discovery_table(measured)
    ratios = []
    for width in sorted(table["width"].unique()):
        ratio, ratio_bound = _without_exploration(measured, int(width))
        ratios.append(
            {
                "width": width,
                **_shown(ratio, paper.rules.confidence, log=True),
                **({"bound": ratio_bound} if ratio_bound else {}),
            }
        )
    return Finding(
        [
            Check("first right answers", contrast([(1.0, Moments.of(lucky))]), low=0.5),
            Check("without over with", without, low=factor, log=True, bound=known),
        ],
        {"without_over_with": ratios, "by_width": table.to_dict("records")},
    )


def _without_exploration(measured: pd.DataFrame, width: int) -> tuple[Estimate, str]:
    """The ratio of trials to find a class, and what classes that were never found make of it."""
    runs = [f"{width}, {epsilon:g}" for epsilon in (0, EPSILON)]
    missing = [
        bool(_of_run(measured, run, "finding-classes")["found"].isna().any()) for run in runs
    ]
    known = {(True, False): "at least", (False, True): "at most", (True, True): "unknown"}
    ratio = mechanisms.slowing(measured, *runs)
    return ratio, known.get((missing[0], missing[1]), "")


def forward_aligns(evidence: Evidence, _: Claim, __: Paper) -> Finding:
    """Claim: forward weights turn towards feedback weights that are fixed."""
    checks, courses = [], []
    for row, history in sorted(evidence.fixed.items()):
        last = angles_at_the_end(history)
        final = contrast([(1.0, Moments.of(last.max(axis="columns")))])
        checks.append(Check(f"{row.name}, final angle", final, high=RIGHT_ANGLE))
        for course in angle_course(history):
            del course["common_change"]  # fixed weights share no change
            courses.append({"row": row.name, **course})
    return Finding(checks, {"fixed_angles": courses})


def learned_further(evidence: Evidence, paper: Paper) -> dict[str, Any]:
    """More seeds of learned against symmetric feedback, and whether updates are larger."""
    rules, table = paper.rules, evidence.more_learned
    seeds = []
    for row, summary in sorted(table.items()):
        other = table.get(replace(row, feedback="symmetric"))
        if row.feedback != "learned" or other is None:
            continue
        terms = [(1.0, summary), (-1.0, other)]
        known = bound(terms)
        seeds.append(
            {
                "row": row.name,
                "n_seeds": min(summary.n_seeds, other.n_seeds),
                "accuracy": _shown(pool(terms, "accuracy", rules.pairing), rules.confidence),
                "epochs": {
                    **_shown(pool(terms, "epochs", rules.pairing), rules.confidence, log=True),
                    **({"bound": known} if known else {}),
                },
            }
        )
    found: dict[str, Any] = {"more_seeds": seeds} if seeds else {}
    if evidence.updates is not None:
        ratios = mechanisms.moved_more(evidence.updates, "learned", "symmetric")
        found["updates_learned_over_symmetric"] = [
            {
                "layer": int(name.removeprefix("moved_")),
                **_shown(ratio, rules.confidence, log=True),
            }
            for name, ratio in ratios.items()
        ]
    return found


def _shown(estimate: Estimate, confidence: float, log: bool = False) -> dict[str, Any]:
    ends: Sequence[float] = (estimate.value, *estimate.interval(confidence))
    value, low, high = (math.exp(end) for end in ends) if log else ends
    return {"value": value, "interval": [low, high]}


def _of_run(measured: pd.DataFrame, run: str, study: str) -> pd.DataFrame:
    chosen = measured[measured["run"] == run]
    if chosen.empty:
        raise InputError(f"no run of the study {study} is named {run!r}: compute it again")
    return chosen
