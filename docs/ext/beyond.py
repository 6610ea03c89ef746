"""The page of what goes beyond the paper: what was predicted, and what came of it.

Predictions whose runs were not made are shown as they were written down.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from qagrel.replication.beyond import QUANTITIES

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
without that correction.

```sh
make beyond
```

trains all networks that it takes, which is some hours of two cores, and goes on where it was
stopped. [Another network, exploration or feedback](../howto/options.md) tells how to run one
question, or to ask one of your own.
"""


def page(root: Path) -> str:
    """The whole page: an overview, then a section a question."""
    said = yaml.safe_load((root / "beyond" / "predictions.yaml").read_text(encoding="utf-8"))
    known = yaml.safe_load((root / "beyond" / "registered.yaml").read_text(encoding="utf-8"))
    results = root / "results" / "beyond"
    verdicts = {each["id"]: each for each in _read(results / "verdicts.json", [])}
    predictions = [{**verdicts.get(each["id"], {}), **each} for each in said["predictions"]]
    answers = _read(results / "answers.json", {})
    overview = table(
        ("prediction", "verdict"),
        (
            (f"[{each['prediction'].strip()}](#{each['id']})", badge(_verdict(each)))
            for each in predictions
        ),
    )
    n = len(predictions)
    head = HEAD.format(date=known["date"], commit=known["commit"][:7], n=n, least=0.05 / n)
    parts = [head, overview]
    for number_of, (name, question) in enumerate(said["questions"].items(), start=1):
        own = [each for each in predictions if each["question"] == name]
        answer = [f"**In numbers.** {answers[name]}"] if name in answers else []
        figure = _figure(results, number_of)
        parts += [f"## {question.strip()}", *answer, *figure, *map(_section, own)]
    return "\n\n".join(parts) + "\n"


def _read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise


def _verdict(prediction: dict[str, Any]) -> str:
    return str(prediction.get("verdict", "not tested"))


def _figure(results: Path, question: int) -> Iterator[str]:
    for picture in sorted((results / "figures").glob(f"beyond_{question}_*.svg")):
        file = f"../../results/beyond/figures/{picture.name}"
        yield f"[![What the runs show]({file})](figures/beyond/{picture.stem}.ipynb)"


def _section(prediction: dict[str, Any]) -> str:
    measured = prediction["measured"]
    bounds = interval([prediction.get("above"), prediction.get("below")])
    lines = [
        ("quantity", f"{measured['quantity']} of {_runs(prediction)}, study `{measured['study']}`"),
        ("to be held", f"{bounds}. {prediction['threshold'].strip()}"),
    ]
    if prediction.get("value") is not None:
        found = interval([prediction["low"], prediction["high"]])
        lines.append(
            (
                "found",
                f"{number(prediction['value'])} {found} {prediction['unit']}, "
                f"{prediction['n_seeds']} seeds; corrected p = "
                f"{number(prediction['p_corrected'], 2)}",
            )
        )
    hindsight = prediction.get("hindsight")
    later = f"\n\nIn hindsight: {' '.join(hindsight.split())}" if hindsight else ""
    return (
        f"({prediction['id']})=\n### {prediction['prediction'].strip()}\n\n"
        f"{badge(_verdict(prediction))}\n\n{table(('', ''), lines)}\n\n"
        f"Why we thought so: {' '.join(prediction['why'].split())}{later}"
    )


def _runs(prediction: dict[str, Any]) -> str:
    """The runs that make the number: a difference, or a ratio."""
    measured = prediction["measured"]
    is_ratio = QUANTITIES[measured["quantity"]].log
    more, less = (" × ", " / ") if is_ratio else (" + ", " − ")
    signed = (
        f"{less if weight < 0 else more}`{run}`" for run, weight in measured["runs"].items()
    )
    return "".join(signed).removeprefix(more)
