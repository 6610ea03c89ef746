"""Every claim of the paper, the test that it is put to, and its verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from qagrel.errors import InputError
from qagrel.replication.statistics.curves import discoveries, learning_profile, steepest_intervals
from qagrel.replication.statistics.estimates import (
    NAN,
    Check,
    Estimate,
    Moments,
    Verdict,
    contrast,
    holm,
    plain,
    weigh,
)
from qagrel.replication.statistics.paper import Claim, Paper, Rules
from qagrel.replication.statistics.rows import MEASURES, Row, Summary, Table, pool, require
from qagrel.spec import nearest

HIDDEN = ("300", "300-100")
AGREL_RATES, BACKPROP_RATES = (0.5, 1.0), (0.05, 0.1)  # matched by rank: lower, higher
FIXED_RATE = 0.1
GUESSING = 10.0  # percent, ten classes


@dataclass(frozen=True)
class Evidence:
    """The results of a profile that claims are tested on; None where runs were not made.

    Attributes
    ----------
    dataset : what the networks were trained on.
    table : the rows of Table 1.
    agrel_steps, backprop_steps : histories for Figs 5 and 6 (see `learning_profile`), best with
        ten seeds: a single example network cannot support a claim about the rule.
    agrel_rates, backprop_rates : histories while the learning rate is raised (Fig. 4).
    high_rates : fixed-feedback Q-AGREL, rows at the rates used with symmetric feedback.
    learned : histories of the learned-feedback rows, with columns seed, epoch, angle_2, ...
    equivalence : columns hidden_layers, relative_difference (largest difference between the
        Q-AGREL update and the gradient for the selected unit, over the largest change).
    trial_by_trial : Q-AGREL rows trained with batches of one.
    validation_draws : rows with validation samples drawn once a run.
    """

    dataset: str
    table: Table = field(default_factory=dict)
    agrel_steps: pd.DataFrame | None = None
    backprop_steps: pd.DataFrame | None = None
    agrel_rates: pd.DataFrame | None = None
    backprop_rates: pd.DataFrame | None = None
    high_rates: Table = field(default_factory=dict)
    learned: Mapping[Row, pd.DataFrame] = field(default_factory=dict)
    equivalence: pd.DataFrame | None = None
    trial_by_trial: Table = field(default_factory=dict)
    validation_draws: Table = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """The checks that test a claim (none: not tested) and numbers that go with them."""

    checks: list[Check]
    numbers: dict[str, Any] = field(default_factory=dict)


def accuracy_on_par(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: the two rules are equally accurate, setting by setting."""
    margin = paper.rules.par_margin
    checks = []
    for agrel, backprop in _matched_pairs(table):
        difference = pool(table, [(1, agrel), (-1, backprop)], "accuracy")
        name = f"{agrel.name} less {backprop.name}"
        checks.append(Check(name, difference, -margin, margin, null=0.0))
    return Finding(checks)


def slower(table: Table, claim: Claim, _: Paper) -> Finding:
    """Claim: epochs of Q-AGREL over those of error-BP, mean over settings, are in a range."""
    pairs = _matched_pairs(table)
    if not pairs:
        return Finding([])
    weight = 1 / len(pairs)
    terms = [term for q, bp in pairs for term in ((weight, q), (-weight, bp))]
    low, high = np.log(claim.paper["factor"])
    ratios = {q.name: table[q].epochs.mean / table[bp].epochs.mean for q, bp in pairs}
    check = Check("ratio of epochs", pool(table, terms, "epochs"), low, high, log=True)
    return Finding([check], {"ratios": ratios})


def second_layer_helps(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: 300-100 units are slightly more accurate than 300, with either rule."""
    most = paper.benchmark["300-100"] - paper.benchmark["300"]
    checks = []
    for rule, rates in (("q-agrel", AGREL_RATES), ("error-bp", BACKPROP_RATES)):
        one, two = ([Row(rule, "symmetric", h, rate) for rate in rates] for h in HIDDEN)
        terms = [*((0.5, row) for row in two), *((-0.5, row) for row in one)]
        if all(row in table for _, row in terms):
            checks.append(Check(f"{rule}, gain", pool(table, terms, "accuracy"), 0.0, most))
    return Finding(checks)


def above_benchmark(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: rows with symmetric feedback beat the benchmark network of their size."""
    checks = [
        Check(row.name, pool(table, [(1, row)], "accuracy"), low=paper.benchmark[row.hidden])
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
    accuracy, epochs = (pool(table, terms, measure) for measure in MEASURES)
    return Finding(
        [
            Check("accuracy, learned less symmetric", accuracy, -margin, margin, null=0.0),
            Check("epochs, learned over symmetric", epochs, -ratio, ratio, null=0.0, log=True),
        ],
        {"settings": [row.name for row, _ in pairs]},
    )


def fixed_less_accurate(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback is less accurate than symmetric feedback, with either rule."""
    margin = paper.rules.accuracy_margin
    return Finding(
        [
            Check(f"{rule}, fixed less symmetric", pool(table, terms, "accuracy"), high=-margin)
            for rule, terms in _fixed_against_symmetric(table).items()
        ]
    )


def fixed_slower(table: Table, _: Claim, paper: Paper) -> Finding:
    """Claim: fixed feedback takes many more epochs than symmetric feedback, with either rule."""
    factor = math.log(paper.rules.many_more_epochs)
    checks = [
        Check(f"{rule}, fixed over symmetric", pool(table, terms, "epochs"), low=factor, log=True)
        for rule, terms in _fixed_against_symmetric(table).items()
    ]
    return Finding(checks)


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
        checks.append(Check(name, contrast(terms), high=-paper.rules.accuracy_margin))
        diverged[row.name] = summary.n_diverged
    return Finding(checks, {"n_diverged": diverged})


def _guessing(summary: Summary) -> Moments:
    """Accuracy over all seeds: a diverged network knows nothing, so it counts as guessing."""
    return Moments.of(
        GUESSING if status == "diverged" else accuracy for _, accuracy, _, status in summary.seeds
    )


def symmetry_emerges(evidence: Evidence, _: Claim, paper: Paper) -> Finding:
    """Claim: learned feedback ends up aligned with the transposed forward weights."""
    checks, start = [], {}
    for row, history in sorted(evidence.learned.items()):
        angles = _largest_angles(history, row.name)
        final = contrast([(1.0, Moments.of(angles["last"]))])
        checks.append(Check(f"{row.name}, final angle", final, high=paper.rules.aligned_angle))
        start[row.name] = angles["first"].mean()
    return Finding(checks, {"angle_after_first_epoch": start})


def _largest_angles(history: pd.DataFrame, name: str) -> pd.DataFrame:
    """The largest angle over the layers in the first and last epoch: a line a seed."""
    columns = [str(column) for column in history.columns if str(column).startswith("angle_")]
    require(history, ["seed", *(columns or ["angle_2"])], name)
    by_seed = history.set_index("seed")[columns].max(axis=1).groupby(level="seed")
    return by_seed.agg(["first", "last"])


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
        Moments.of(learning_profile(history, rules)["last_discovery"])
        for history in (evidence.backprop_steps, evidence.agrel_steps)
    )
    earlier = contrast([(1.0, backprop), (-1.0, agrel)])
    check = Check("last discovery, error-bp less q-agrel", earlier, high=0.0)
    return replace(finding, checks=[*finding.checks, check])


def rate_range(history: pd.DataFrame | None, claim: Claim, rules: Rules) -> Finding:
    """Claims on Fig. 4: where a curve is steepest as the learning rate is raised."""
    if history is None:
        return Finding([])
    intervals = steepest_intervals(history, rules.rate_window)
    centres = np.log(intervals["low"] * intervals["high"]) / 2
    low, high = np.log(claim.paper["learning_rate"])
    estimate = contrast([(1.0, Moments.of(centres))])
    numbers = {
        "intervals": intervals.to_dict("records"),
        "range_tried": [history["learning_rate"].min(), history["learning_rate"].max()],
    }
    return Finding([Check("centre", estimate, low, high, log=True)], numbers)


def fresh_validation_stops_sooner(evidence: Evidence, _: Claim, __: Paper) -> Finding:
    """Claim: epochs are fewer where validation samples are drawn every epoch."""
    rows = [row for row in sorted(evidence.validation_draws) if row in evidence.table]
    if not rows:
        return Finding([])
    terms = []
    for row in rows:
        terms.append((1 / len(rows), evidence.table[row].tested("epochs")))
        terms.append((-1 / len(rows), evidence.validation_draws[row].tested("epochs")))
    check = Check("drawn every epoch over drawn once", contrast(terms), high=0.0, log=True)
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
    "fixed-needs-lower-rate": fixed_needs_lower_rate,
    "stepwise-learning": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"n_steps": (1.5, math.inf)}, paper.rules
    ),
    "classes-one-at-a-time": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps,
        {
            "classes_per_discovery": (-math.inf, paper.rules.classes_at_once),
            "steps_at_discoveries": (0.5, math.inf),
        },
        paper.rules,
    ),
    "new-class-overshoots": lambda evidence, _, paper: learning_is(
        evidence.agrel_steps, {"overshoot_share": (0.5, math.inf)}, paper.rules
    ),
    "smooth-error-bp": lambda evidence, _, paper: learning_is(
        evidence.backprop_steps, {"n_steps": (-math.inf, 1.5)}, paper.rules
    ),
    "error-bp-finds-all-classes": backprop_finds_all_classes,
    "rate-range-q-agrel": lambda evidence, claim, paper: rate_range(
        evidence.agrel_rates, claim, paper.rules
    ),
    "rate-range-error-bp": lambda evidence, claim, paper: rate_range(
        evidence.backprop_rates, claim, paper.rules
    ),
    "fresh-validation-stops-sooner": fresh_validation_stops_sooner,
    "exact-equivalence": exact_equivalence,
    "trial-by-trial": trial_by_trial,
}
CLAIMS = {*TABLE_CLAIMS, *RUN_CLAIMS}


def judge(evidence: Evidence, paper: Paper) -> list[dict[str, Any]]:
    """Every claim with its evidence and verdict: the records of ``claims.json``.

    A record has id, claim, paper (where it stands, its numbers and, for claims on Table 1, what
    the same rule says of the paper's own rows), ours (the values and further numbers), test (the
    rule and each check with its bounds and p-values) and verdict.  Numbers have six significant
    digits; what is unknown or infinite is None.

    Raises
    ------
    InputError
        When a claim has no test.
    """
    for claim in paper.claims:
        if claim.id not in CLAIMS:
            raise InputError(
                f"claims.yaml: no test is known for the claim {claim.id!r}: "
                f"correct its id{nearest(str(claim.id), CLAIMS)}"
            )
    return [_judge_claim(claim, evidence, paper) for claim in paper.claims]


def _judge_claim(claim: Claim, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    rules = paper.rules
    said: dict[str, Any] = {"where": claim.where, **claim.paper}
    if claim.id in TABLE_CLAIMS:
        finding = TABLE_CLAIMS[claim.id](evidence.table, claim, paper)
        own = TABLE_CLAIMS[claim.id](paper.table, claim, paper)
        verdict = str(weigh(own.checks, rules.alpha))
        said["same_rule"] = {"verdict": verdict, "values": _values(own, rules), **own.numbers}
    else:
        finding = RUN_CLAIMS[claim.id](evidence, claim, paper)
    record: dict[str, Any] = {
        "id": claim.id,
        "claim": claim.claim,
        "paper": said,
        "ours": {
            "dataset": evidence.dataset,
            "values": _values(finding, rules),
            **finding.numbers,
        },
        "test": {"rule": claim.rule, "alpha": rules.alpha, "checks": _tests(finding)},
        "verdict": str(claim_verdict(claim, finding, evidence.dataset, rules)),
    }
    return {name: plain(value) for name, value in record.items()}


def claim_verdict(claim: Claim, finding: Finding, dataset: str, rules: Rules) -> Verdict:
    """The verdict on a claim, which is given on the data that it speaks of only."""
    if not finding.checks:
        return Verdict.NOT_TESTED
    if claim.data != "any" and dataset != rules.dataset:
        return Verdict.NOT_COMPARABLE
    return weigh(finding.checks, rules.alpha)


def _values(finding: Finding, rules: Rules) -> list[dict[str, Any]]:
    return [
        {
            "name": check.name,
            "value": check.shown(check.estimate.value),
            "interval": [check.shown(end) for end in check.estimate.interval(rules.confidence)],
        }
        for check in finding.checks
    ]


def _tests(finding: Finding) -> list[dict[str, Any]]:
    fails = holm([check.p_fails for check in finding.checks])
    return [
        {
            "name": check.name,
            "between": [check.shown(check.low), check.shown(check.high)],
            "p_holds": check.p_holds,
            "p_fails": p_fails,
        }
        for check, p_fails in zip(finding.checks, fails, strict=True)
    ]
