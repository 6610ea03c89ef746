"""The page of what goes beyond the paper: what was predicted, and what came of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from qagrel.replication.beyond import ALPHA

from .claims import badge
from .markdown import interval, number, table

HEAD = """# Beyond the paper

Questions that the paper leaves open, by the same code. Nothing of it counts for the replication.
What we predicted was written down before the runs:
[`predictions.yaml`](../../beyond/predictions.yaml) as it is here was committed on {date}
({commit}), and neither runs nor verdicts are made for another file, nor for other runs. A
prediction is *held* where its number is significantly within bounds that were set then,
*contradicted* where it is significantly outside, and else *inconclusive*; all {n} are one family
(Holm), in which the smallest p has to be below {least:.2g} before it is corrected. Intervals are
without that correction. Some settings without options are runs of the replication, and were known
before: see [`registered.yaml`](../../beyond/registered.yaml).

```sh
make beyond
```

trains all networks that it takes, which is some hours of two cores, and goes on where it was
stopped. [Another network, exploration or feedback](../howto/options.md) tells how to run one
question, or to ask one of your own.
"""


def page(root: Path) -> str:
    """The whole page: an overview, then a section a question."""
    questions = yaml.safe_load(_text(root / "beyond" / "predictions.yaml"))["questions"]
    known = yaml.safe_load(_text(root / "beyond" / "registered.yaml"))
    results = root / "results" / "beyond"
    verdicts = json.loads(_text(results / "verdicts.json"))
    answers = json.loads(_text(results / "answers.json"))
    overview = table(
        ("prediction", "verdict"),
        (
            (f"[{each['prediction'].strip()}](#{each['id']})", badge(each["verdict"]))
            for each in verdicts
        ),
    )
    n = len(verdicts)
    head = HEAD.format(date=known["date"], commit=known["commit"][:7], n=n, least=ALPHA / n)
    parts = [head, overview]
    for number_of, (name, question) in enumerate(questions.items(), start=1):
        own = [each for each in verdicts if each["question"] == name]
        answer = [f"**In numbers.** {answers[name]}"] if name in answers else []
        figure = _figure(results, number_of)
        parts += [f"## {question.strip()}", *answer, *figure, *map(_section, own)]
    return "\n\n".join(parts) + "\n"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _figure(results: Path, question: int) -> Iterator[str]:
    for picture in sorted((results / "figures").glob(f"beyond_{question}_*.svg")):
        file = f"../../results/beyond/figures/{picture.name}"
        yield f"[![What the runs show]({file})](figures/beyond/{picture.stem}.ipynb)"


def _section(verdict: dict[str, Any]) -> str:
    bounds = interval([verdict["above"], verdict["below"]])
    lines = [
        ("quantity", f"{verdict['number']} (study `{verdict['measured']['study']}`)"),
        ("to be held", f"{bounds}. {verdict['threshold'].strip()}"),
    ]
    if verdict["value"] is not None:
        found = interval([verdict["low"], verdict["high"]])
        p = number(verdict["p_corrected"], 2)
        lines.append(
            (
                "found",
                f"{number(verdict['value'])} {found} {verdict['unit']}, "
                f"{verdict['n_seeds']} seeds; corrected p = {p}",
            )
        )
    hindsight = verdict["hindsight"]
    later = f"\n\nIn hindsight: {' '.join(hindsight.split())}" if hindsight else ""
    return (
        f"({verdict['id']})=\n### {verdict['prediction'].strip()}\n\n"
        f"{badge(verdict['verdict'])}\n\n{table(('', ''), lines)}\n\n"
        f"Why we thought so: {' '.join(verdict['why'].split())}{later}"
    )
