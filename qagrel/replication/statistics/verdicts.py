"""The verdict on every claim, what it rests on, and what it was before the rule was amended."""

import re
from dataclasses import replace
from typing import Any

from qagrel.errors import InputError
from qagrel.replication.statistics.claims import (
    BEFORE,
    CLAIMS,
    FURTHER,
    RUN_CLAIMS,
    TABLE_CLAIMS,
)
from qagrel.replication.statistics.estimates import Verdict, holm, plain, weigh
from qagrel.replication.statistics.evidence import Evidence, Finding
from qagrel.replication.statistics.paper import Claim, Paper, Rules
from qagrel.spec import nearest

NO_VERDICT = (Verdict.NOT_COMPARABLE, Verdict.NOT_TESTED)


def judge(evidence: Evidence, paper: Paper) -> list[dict[str, Any]]:
    """Every claim with its evidence and verdict: the records of ``claims.json``.

    A record has id, claim, paper (where it stands, its numbers and, for claims on Table 1, what
    the same rule says of the paper's own rows), ours (the values and further numbers), test (the
    rule and each check with its bounds and p-values) and verdict; then rests_on (see `_rests_on`),
    thresholds (those within whose range the verdict changes) and amended (the amendments that
    changed the rule, and the rule, values and verdict before; None if there are none).  Numbers
    have six significant digits; what is unknown or infinite is None.

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
    own = None
    if claim.id in TABLE_CLAIMS:
        finding = TABLE_CLAIMS[claim.id](paper.table, claim, paper)
        own = weigh(finding.checks, rules.alpha)
        said["same_rule"] = {
            "verdict": str(own),
            "values": _values(finding, rules),
            **finding.numbers,
        }
    finding = _find(claim, evidence, paper)
    verdict = claim_verdict(claim, finding, evidence.dataset, rules)
    moved = [] if verdict in NO_VERDICT else _moved(claim, evidence, paper, verdict)
    record: dict[str, Any] = {
        "id": claim.id,
        "claim": claim.claim,
        "paper": said,
        "ours": {
            "dataset": evidence.dataset,
            "values": _values(finding, rules),
            **finding.numbers,
            **(FURTHER[claim.id](evidence, paper) if claim.id in FURTHER else {}),
        },
        "test": {"rule": claim.rule, "alpha": rules.alpha, "checks": _tests(finding)},
        "verdict": str(verdict),
        "rests_on": _rests_on(claim, verdict, own, bool(moved)),
        "thresholds": moved,
        "amended": _before(claim, evidence, paper) if claim.amended else None,
    }
    return {name: plain(value) for name, value in record.items()}


def _find(claim: Claim, evidence: Evidence, paper: Paper, before: bool = False) -> Finding:
    """What the claim's test finds; `before`, as it was before it was amended."""
    if before and claim.id in BEFORE:
        return BEFORE[claim.id](evidence, claim, paper)
    if claim.id in TABLE_CLAIMS:
        return TABLE_CLAIMS[claim.id](evidence.table, claim, paper)
    return RUN_CLAIMS[claim.id](evidence, claim, paper)


def _before(claim: Claim, evidence: Evidence, paper: Paper) -> dict[str, Any]:
    """The amendments of a claim, and what came out by its rule before them."""
    finding = _find(claim, evidence, paper.before, before=True)
    verdict = claim_verdict(claim, finding, evidence.dataset, paper.rules_before)
    return {
        "by": list(claim.amended),
        "rule": claim.before,
        "values": _values(finding, paper.rules_before),
        "verdict": str(verdict),
    }


def _moved(
    claim: Claim, evidence: Evidence, paper: Paper, verdict: Verdict
) -> list[dict[str, Any]]:
    """The verdicts that other values of single thresholds give, where they are others.

    A threshold that a claim depends on is named in its rule.
    """
    moved = []
    for name, ends in paper.ranges.items():
        if not re.search(rf"\b{name}\b", claim.rule):
            continue
        for value in ends:
            changed: dict[str, Any] = {name: value}
            rules = replace(paper.rules, **changed)
            finding = _find(claim, evidence, replace(paper, rules=rules))
            found = claim_verdict(claim, finding, evidence.dataset, rules)
            if found is not verdict:
                moved.append({"threshold": name, "value": value, "verdict": str(found)})
    return moved


def _rests_on(claim: Claim, verdict: Verdict, own: Verdict | None, moved: bool) -> str | None:
    """What a verdict rests on first of all: the first of these that is so.

    - "the paper's own numbers": by the same rule, they do not fulfil the claim either;
    - "what the paper leaves open";
    - "a threshold": another value of it, within its range, gives another verdict;
    - "our runs".
    """
    if verdict in NO_VERDICT:
        return None
    if verdict is own and verdict is not Verdict.REPLICATED:
        return "the paper's own numbers"
    if verdict is Verdict.NOT_DETERMINED or (claim.open and verdict is not Verdict.REPLICATED):
        return "what the paper leaves open"
    return "a threshold" if moved else "our runs"


def claim_verdict(claim: Claim, finding: Finding, dataset: str, rules: Rules) -> Verdict:
    """The verdict on a claim, which is given on the data that it speaks of only."""
    if not finding.checks:
        return Verdict.NOT_TESTED
    if claim.data != "any" and dataset != rules.dataset:
        return Verdict.NOT_COMPARABLE
    if finding.verdict is not None:
        return finding.verdict
    return weigh(finding.checks, rules.alpha)


def _values(finding: Finding, rules: Rules) -> list[dict[str, Any]]:
    return [
        {
            "name": check.name,
            "value": check.shown(check.estimate.value),
            "interval": [check.shown(end) for end in check.estimate.interval(rules.confidence)],
            **({"bound": check.bound} if check.bound else {}),
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
