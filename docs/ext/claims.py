"""The page of the claims, from `claims.json` of each profile and what `paper/` says of them.

A claim or a key that this page knows nothing of is shown too, as it stands.
"""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .markdown import anything, interval, number, table

VERDICTS = (
    *("replicated", "differs", "inconclusive"),
    *("not determined by the paper", "not comparable", "not tested"),
)
COURSES = {"first": ("first", 0), "fall": ("fall", 1), "change": ("common_change", 1)}  # of angles
FIGURES = {  # the report's names, and ours
    **{"slowness": "slowness", "stopping": "stopping_rule", "values": "wrong_values"},
    **{"alignment": "fig7_alignment", "fields": "fig8_receptive_fields"},
    **{"finding": "finding_classes", "map": "learning_rate_map"},
}
SHORT = 6  # values that are shown unasked
HEAD = """# The claims

Each claim of the paper, in our words, with what it asks for, what we found, and the verdict. All
of it is read from `results/{profile}/claims.json`. How a verdict is reached, and the thresholds
with their reasons, written before the runs, are in [`paper/margins.yaml`](../../paper/margins.yaml)
and [`paper/claims.yaml`](../../paper/claims.yaml). *p holds* is the chance of numbers as good as
ours or better if the claim were false, *p fails* of numbers as bad or worse if it were true: a
check holds, or is broken, where that is below α.

This makes all verdicts again from the committed runs, and trains some of these afresh:

```sh
qagrel audit --profile {profile}
```
"""


def page(results: Path, paper: Path, profile: str, beside: str) -> str:
    """The whole page: an overview, then a section a claim."""
    claims = _read(results / profile)
    other = {claim["id"]: claim.get("verdict", "–") for claim in _read(results / beside)}
    discussion = yaml.safe_load((paper / "discussion.yaml").read_text(encoding="utf-8"))
    counted = {name: sum(claim["verdict"] == name for claim in claims) for name in VERDICTS}
    sums = ", ".join(f"{n} {name}" for name, n in counted.items() if n)
    overview = table(
        ("claim", f"verdict on {profile}", f"on {beside}"),
        (
            (
                f"[{claim['claim']}](#{claim['id']})",
                badge(claim["verdict"]),
                other.get(claim["id"], "–"),
            )
            for claim in claims
        ),
    )
    terms = further_terms(results / profile, claims)
    sections = [section(claim, discussion.get(claim["id"], {}), terms) for claim in claims]
    sections = [_with_links(text, profile) for text in sections]
    return "\n\n".join(
        [HEAD.format(profile=profile), f"**{len(claims)} claims: {sums}.**", overview, *sections]
    )


def _read(folder: Path) -> list[dict[str, Any]]:
    path = folder / "claims.json"
    claims: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return claims


def badge(verdict: str) -> str:
    """A verdict in its colour, and in words."""
    kind = verdict.replace(" ", "-")
    return f'<span class="verdict verdict-{kind}">{verdict}</span>'


def further_terms(folder: Path, claims: list[dict[str, Any]]) -> dict[str, str]:
    """What else the report's sentences on claims name, beside their own values (`tables.typ`)."""
    terms = {}
    with (folder / "stopping_ratios.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            terms[f'chained("{line["ratio"]}")'] = _fixed(line["chain"], 2)
    angles = next((c["ours"]["angles"] for c in claims if "angles" in c.get("ours", {})), [])
    for term, (name, digits) in COURSES.items():
        known = sorted(line[name] for line in angles if line[name] is not None)
        ends = dict.fromkeys(_fixed(end, digits) for end in known[:1] + known[-1:])
        terms[term] = " to ".join(ends) or "not defined"
    return terms


def _counts(ours: Mapping[str, Any]) -> dict[str, str]:
    """Whole numbers that go with a claim, as its sentences name them."""
    return {f'n("{name}")': str(n) for name, n in ours.items() if isinstance(n, int)}


def _fixed(value: Any, digits: int) -> str:
    return (
        f"{float(value):.{digits}f}".replace("-", "−") if value not in (None, "") else "not defined"
    )


def _with_links(text: str, profile: str) -> str:
    """The report's references to figures, as links."""
    for name, ours in FIGURES.items():
        text = text.replace(f"@fig-{name}", f"[figure](figures/{profile}/{ours}.ipynb)")
    return text


def section(
    claim: Mapping[str, Any], discussion: Mapping[str, Any], terms: Mapping[str, str]
) -> str:
    """One claim with its evidence."""
    paper, ours, test = (dict(claim.get(key) or {}) for key in ("paper", "ours", "test"))
    own = dict(paper.pop("same_rule", None) or {})
    parts = [
        f"({claim['id']})=\n## {claim['claim']}",
        badge(claim["verdict"]),
        told(discussion, claim["verdict"], ours, terms),
    ]
    if where := paper.pop("where", None):
        parts.append(f"**Where in the paper.** {where}.")
    if paper:
        parts.append(f"**What it says there.**\n\n{anything(paper)}")
    if rule := test.pop("rule", None):
        parts.append(f"**The test.** {rule}")
    if values := ours.pop("values", None):
        found = _values(values, test.pop("checks", None) or [])
        parts.append(folded("What we found", found, len(values)))
    rest = {key: value for key, value in {**ours, **test}.items() if value not in (None, [], {})}
    if rest:
        parts.append(anything(rest))
    if own.get("values"):
        heading = f"The paper's own rows, by the same test: {own.pop('verdict', '–')}"
        parts.append(folded(heading, _values(own["values"], []), len(own["values"])))
    known = {"id", "claim", "paper", "ours", "test", "verdict"}
    if more := {key: value for key, value in claim.items() if key not in known}:
        parts.append(f"**Further.**\n\n{anything(more)}")
    return "\n\n".join(part for part in parts if part)


def folded(title: str, text: str, length: int) -> str:
    """A part that a reader can open and close; open where it is short."""
    opened = " open" if length <= SHORT else ""
    return f"<details{opened}><summary>{title}</summary>\n\n{text}\n\n</details>"


def _values(values: list[dict[str, Any]], checks: list[dict[str, Any]]) -> str:
    """Values with their intervals, each beside the check of its name."""
    by_name = {check.get("name"): check for check in checks}
    names = [value.get("name") for value in values]
    lines = [
        (
            f"`{value.get('name', '–')}`",
            number(value.get("value")),
            interval(value.get("interval")),
            *_check(by_name.get(value.get("name"))),
        )
        for value in values
    ]
    lines += [
        (f"`{name}`", "–", "–", *_check(check))
        for name, check in by_name.items()
        if name not in names
    ]
    header = ("", "value", "95 % interval", "asked for", "p holds", "p fails")
    width = len(header) if checks else 3
    return table(header[:width], (line[:width] for line in lines))


def _check(check: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if check is None:
        return "–", "–", "–"
    bounds = interval(check.get("between"))
    return bounds, number(check.get("p_holds"), 2), number(check.get("p_fails"), 2)


def told(
    discussion: Mapping[str, Any],
    verdict: str,
    ours: Mapping[str, Any],
    terms: Mapping[str, str],
) -> str:
    """What the report says of a claim under its verdict, from Typst's markup and what we found.

    Nothing where the text has markup that is not known here: then the report has it alone.
    """
    digits, values = discussion.get("digits"), ours.get("values") or []
    by_name = {value.get("name"): value for value in values}

    def written(value: Any) -> str:
        if value is None:
            return "not defined"
        return number(value, 2) if digits == "power" else f"{value:.{digits}f}".replace("-", "−")

    def named(found: re.Match[str]) -> str:
        value = by_name[found[1]]
        bounds = [bound for bound in value.get("interval") or [] if bound is not None]
        shown = f" [{', '.join(map(written, bounds))}]" if len(bounds) == 2 else ""
        return written(value.get("value")) + shown

    text = str(discussion.get(verdict) or "")
    if not set(re.findall(r'#v\("(.+?)"\)', text)) <= set(by_name):
        return ""
    text = re.sub(r'#v\("(.+?)"\)', named, text)
    known = sorted(value["value"] for value in values if value.get("value") is not None)
    ends = dict.fromkeys(map(written, (known[0], known[-1]))) if known else ["not defined"]
    text = text.replace("#span", " to ".join(ends))
    for term, written_out in {**terms, **_counts(ours)}.items():
        text = text.replace(f"#{term}", written_out)
    return "" if re.search(r"#\w|\$", text) else text
