"""Every claim of the paper, and the test that it is put to."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qagrel.replication.statistics.estimates import NAN, Check, Estimate, Moments, contrast
from qagrel.replication.statistics.evidence import Evidence, Finding
from qagrel.replication.statistics.learning import (
    backprop_finds_all_classes,
    classes_one_at_a_time,
    coincidence_finds_classes,
    forward_aligns,
    learned_further,
    learning_is,
    rate_range,
    rate_range_before,
    symmetry_emerges,
    wrong_values_fall_by_exploration,
    wrong_values_stay_close,
)
from qagrel.replication.statistics.paper import Claim, Paper
from qagrel.replication.statistics.rows import Row, Summary, Table, Terms, bound, pool, require

HIDDEN = ("300", "300-100")
AGREL_RATES, BACKPROP_RATES = (0.5, 1.0), (0.05, 0.1)  # matched by rank: lower, higher
FIXED_RATE = 0.1
GUESSING = 10.0  # percent, ten classes


def accuracy_on_par(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: the two rules are equally accurate, setting by setting."""
    margin = paper.rules.par_margin
    checks = []
    for agrel, backprop in _matched_pairs(table):
        difference = _accuracy(table, [(1, agrel), (-1, backprop)], paper)
        name = f"{agrel.name} less {backprop.name}"
        checks.append(Check(name, difference, -margin, margin, null=0.0))
    return Finding(checks)


def slower(table: Table, claim: Claim, paper: Paper) -> Finding:
    """Claim: epochs of Q-AGREL over those of error-BP, mean over settings, are in a range."""
    pairs = _matched_pairs(table)
    if not pairs:
        return Finding([])
    weight = 1 / len(pairs)
    terms = [term for q, bp in pairs for term in ((weight, q), (-weight, bp))]
    low, high = np.log(claim.paper["factor"])
    ratios = {q.name: table[q].epochs.mean / table[bp].epochs.mean for q, bp in pairs}
    check = _ratio("ratio of epochs", table, terms, paper, low, high)
    return Finding([check], {"ratios": ratios})


def second_layer_helps(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: 300-100 units are slightly more accurate than 300, with either rule."""
    most = paper.benchmark["300-100"] - paper.benchmark["300"]
    checks = []
    for rule, rates in (("q-agrel", AGREL_RATES), ("error-bp", BACKPROP_RATES)):
        one, two = ([Row(rule, "symmetric", h, rate) for rate in rates] for h in HIDDEN)
        terms = [*((0.5, row) for row in two), *((-0.5, row) for row in one)]
        if all(row in table for _, row in terms):
            checks.append(Check(f"{rule}, gain", _accuracy(table, terms, paper), 0.0, most))
    return Finding(checks)


def above_benchmark(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: rows with symmetric feedback beat the benchmark network of their size."""
    checks = [
        Check(row.name, _accuracy(table, [(1, row)], paper), low=paper.benchmark[row.hidden])
        for row in paper.table
        if row in table and row.feedback == "symmetric"
    ]
    return Finding(checks)


def learned_indistinguishable(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: learned feedback equals symmetric feedback in accuracy and epochs."""
    rows = [Row("q-agrel", "learned", h, rate) for h in HIDDEN for rate in AGREL_RATES]
    pairs = [(row, replace(row, feedback="symmetric")) for row in rows]
    pairs = [pair for pair in pairs if all(row in table for row in pair)]
    if not pairs:
        return Finding([])
    weight = 1 / len(pairs)
    terms = [term for row, other in pairs for term in ((weight, row), (-weight, other))]
    margin, ratio = paper.rules.accuracy_margin, math.log(paper.rules.epochs_ratio)
    accuracy = _accuracy(table, terms, paper)
    return Finding(
        [
            Check("accuracy, learned less symmetric", accuracy, -margin, margin, null=0.0),
            _ratio("epochs, learned over symmetric", table, terms, paper, -ratio, ratio, null=0.0),
        ],
        {"settings": [row.name for row, _ in pairs]},
    )


def fixed_less_accurate(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback is less accurate than symmetric feedback, with either rule."""
    margin = paper.rules.accuracy_margin
    return Finding(
        [
            Check(f"{rule}, fixed less symmetric", _accuracy(table, terms, paper), high=-margin)
            for rule, terms in _fixed_against_symmetric(table).items()
        ]
    )


def fixed_slower(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback takes many more epochs than symmetric feedback, with either rule."""
    factor = math.log(paper.rules.many_more_epochs)
    checks = [
        _ratio(f"{rule}, fixed over symmetric", table, terms, paper, low=factor)
        for rule, terms in _fixed_against_symmetric(table).items()
    ]
    return Finding(checks)


def _accuracy(table: Table, terms: Sequence[tuple[float, Row]], paper: Paper) -> Estimate:
    summaries = [(weight, table[row]) for weight, row in terms]
    return pool(summaries, "accuracy", paper.rules.pairing)


def _ratio(
    name: str,
    table: Table,
    terms: Sequence[tuple[float, Row]],
    paper: Paper,
    low: float = -math.inf,
    high: float = math.inf,
    null: float | None = None,
) -> Check:
    """A ratio of epochs between bounds, all three as logarithms."""
    return _ratio_check(name, [(w, table[row]) for w, row in terms], paper, low, high, null)


def _ratio_check(
    name: str, terms: Terms, paper: Paper, low: float, high: float, null: float | None = None
) -> Check:
    known = bound(terms) if paper.rules.cut_off == "bound" else ""
    estimate = pool(terms, "epochs", paper.rules.pairing)
    return Check(name, estimate, low, high, null, log=True, bound=known)


def _matched_pairs(table: Table) -> list[tuple[Row, Row]]:
    """Q-AGREL and error-BP with symmetric feedback, matched by network and rank of the rate."""
    pairs = [
        (Row("q-agrel", "symmetric", hidden, q), Row("error-bp", "symmetric", hidden, bp))
        for hidden in HIDDEN
        for q, bp in zip(AGREL_RATES, BACKPROP_RATES, strict=True)
    ]
    return [pair for pair in pairs if all(row in table for row in pair)]


def _fixed_against_symmetric(table: Table) -> dict[str, list[tuple[float, Row]]]:
    """Weights a rule: fixed feedback less the mean of both symmetric rates, mean over networks."""
    weighted = {}
    for rule, rates in (("q-agrel", AGREL_RATES), ("error-bp", BACKPROP_RATES)):
        networks = []
        for hidden in HIDDEN:
            fixed = Row(rule, "fixed", hidden, FIXED_RATE)
            symmetric = [Row(rule, "symmetric", hidden, rate) for rate in rates]
            known = [row for row in symmetric if row in table]
            if fixed in table and known:
                networks.append([(1.0, fixed), *((-1 / len(known), row) for row in known)])
        if networks:
            terms = [term for network in networks for term in network]
            weighted[rule] = [(weight / len(networks), row) for weight, row in terms]
    return weighted


def fixed_needs_lower_rate(evidence: Evidence, claim: Claim, paper: Paper) -> Finding:
    """Claim: at the rates of symmetric feedback, fixed feedback is worse than at 0.1."""
    base = claim.paper["learning_rate"]
    checks, diverged = [], {}
    for row, summary in sorted(evidence.high_rates.items()):
        lower = replace(row, learning_rate=base)
        if lower not in evidence.table or row.learning_rate not in claim.paper["too_high"]:
            continue
        terms = [(1.0, _guessing(summary)), (-1.0, _guessing(evidence.table[lower]))]
        name = f"{row.name} less {lower.name}"
        difference = pool(terms, "accuracy", paper.rules.pairing)
        checks.append(Check(name, difference, high=-paper.rules.accuracy_margin))
        diverged[row.name] = summary.n_diverged
    return Finding(checks, {"n_diverged": diverged})


def _guessing(summary: Summary) -> Summary:
    """All seeds as finished: a diverged network knows nothing, so it counts as guessing."""
    seeds = tuple(
        (seed, GUESSING, epochs, "max-epochs")
        if status == "diverged"
        else (seed, acc, epochs, status)
        for seed, acc, epochs, status in summary.seeds
    )
    accuracy = Moments.of(accuracy for _, accuracy, _, _ in seeds)
    return replace(summary, accuracy=accuracy, n_diverged=0, seeds=seeds)


def fresh_validation_stops_sooner(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: epochs are fewer where validation samples are drawn every epoch."""
    rows = [row for row in sorted(evidence.validation_draws) if row in evidence.table]
    if not rows:
        return Finding([])
    terms: list[tuple[float, Summary]] = []
    for row in rows:
        terms.append((1 / len(rows), evidence.table[row]))
        terms.append((-1 / len(rows), evidence.validation_draws[row]))
    name = "drawn every epoch over drawn once"
    check = _ratio_check(name, terms, paper, -math.inf, 0.0)
    return Finding([check], {"rows": [row.name for row in rows]})


def exact_equivalence(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: the Q-AGREL update is the gradient for the selected unit (no sampling involved)."""
    if evidence.equivalence is None:
        return Finding([])
    require(evidence.equivalence, ["hidden_layers", "relative_difference"], "equivalence")
    checks = []
    for depth, group in evidence.equivalence.groupby("hidden_layers"):
        worst = float(group["relative_difference"].max(skipna=False))
        exact = Estimate(worst, 0.0 if math.isfinite(worst) else NAN, math.inf)  # no sample
        checks.append(Check(f"{depth} hidden", exact, high=paper.rules.relative_difference))
    return Finding(checks)


def trial_by_trial(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: batches of one learn too: better than the benchmark network of the same size."""
    checks = [
        Check(row.name, contrast([(1.0, summary.tested("accuracy"))]), paper.benchmark[row.hidden])
        for row, summary in sorted(evidence.trial_by_trial.items())
        if row.hidden in paper.benchmark
    ]
    return Finding(checks)


TABLE_CLAIMS: dict[str, Callable[[Table, Claim, Paper], Finding]] = {
    "accuracy-on-par": accuracy_on_par,
    "slower-text": slower,
    "slower-abstract": slower,
    "second-layer-helps": second_layer_helps,
    "above-benchmark": above_benchmark,
    "learned-indistinguishable": learned_indistinguishable,
    "fixed-less-accurate": fixed_less_accurate,
    "fixed-slower": fixed_slower,
}
"""Claims that rest on rows of Table 1 alone, and so can be put to the paper's own rows too."""
RUN_CLAIMS: dict[str, Callable[[Evidence, Claim, Paper], Finding]] = {
    "symmetry-emerges": symmetry_emerges,
    "forward-aligns-with-fixed": forward_aligns,
    "wrong-values-stay-close": wrong_values_stay_close,
    "wrong-values-fall-by-exploration": wrong_values_fall_by_exploration,
    "fixed-needs-lower-rate": fixed_needs_lower_rate,
    "stepwise-learning": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"n_steps": (1.5, math.inf)}, paper.rules
    ),
    "classes-one-at-a-time": classes_one_at_a_time,
    "coincidence-finds-classes": coincidence_finds_classes,
    "new-class-overshoots": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"overshoot_share": (0.5, math.inf)}, paper.rules
    ),
    "smooth-error-bp": lambda evidence, _, paper: learning_is(
        evidence.backprop_steps, {"n_steps": (-math.inf, 1.5)}, paper.rules
    ),
    "error-bp-finds-all-classes": backprop_finds_all_classes,
    "rate-range-q-agrel": lambda evidence, claim, paper: rate_range(
        evidence, "q-agrel", claim, paper
    ),
    "rate-range-error-bp": lambda evidence, claim, paper: rate_range(
        evidence, "error-bp", claim, paper
    ),
    "fresh-validation-stops-sooner": fresh_validation_stops_sooner,
    "exact-equivalence": exact_equivalence,
    "trial-by-trial": trial_by_trial,
}
CLAIMS = {*TABLE_CLAIMS, *RUN_CLAIMS}
BEFORE: dict[str, Callable[[Evidence, Claim, Paper], Finding]] = {
    "classes-one-at-a-time": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps,
        {
            "classes_per_discovery": (-math.inf, paper.rules.classes_at_once),
            "steps_at_discoveries": (0.5, math.inf),
        },
        paper.rules,
    ),
    "rate-range-q-agrel": lambda evidence, claim, paper: rate_range_before(
        evidence.agrel_rates, claim, paper.rules
    ),
    "rate-range-error-bp": lambda evidence, claim, paper: rate_range_before(
        evidence.backprop_rates, claim, paper.rules
    ),
}
"""Tests as they were before an amendment that changed more than an entry of ``margins.yaml``."""
FURTHER: dict[str, Callable[[Evidence, Paper], dict[str, Any]]] = {
    "learned-indistinguishable": learned_further,
}
"""Numbers that go with a claim on Table 1, from runs beside it; no verdict rests on them."""
