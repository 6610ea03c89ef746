"""The page of what goes beyond the paper: what was predicted, and what came of it.

Predictions whose runs were not made are shown as they were written down.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .claims import badge
from .markdown import interval, number, table

HEAD = """# Beyond the paper

Questions that the paper leaves open, by the same code. Nothing of it counts for the replication.
What we predicted was written down before the runs:
[`predictions.yaml`](../../beyond/predictions.yaml) as it is here was committed on {date}
({commit}), and neither runs nor verdicts are made for another file. A prediction is *held* where
its number is significantly within bounds that were set then, *contradicted* where it is
significantly outside, and else *inconclusive*; all of them are one family (Holm).

```sh
make beyond
```
"""


def page(root: Path) -> str:
    """The whole page: an overview, then a section a question."""
    said = yaml.safe_load((root / "beyond" / "predictions.yaml").read_text(encoding="utf-8"))
    known = yaml.safe_load((root / "beyond" / "registered.yaml").read_text(encoding="utf-8"))
    results = root / "results" / "beyond"
    verdicts = _verdicts(results / "verdicts.json")
    predictions = [{**verdicts.get(each["id"], {}), **each} for each in said["predictions"]]
    overview = table(
        ("prediction", "verdict"),
        (
            (f"[{each['prediction'].strip()}](#{each['id']})", badge(_verdict(each)))
            for each in predictions
        ),
    )
    parts = [HEAD.format(date=known["date"], commit=known["commit"][:7]), overview]
    for number_of, (name, question) in enumerate(said["questions"].items(), start=1):
        own = [each for each in predictions if each["question"] == name]
        parts += [f"## {question.strip()}", *_figure(results, number_of), *map(_section, own)]
    return "\n\n".join(parts) + "\n"


def _verdicts(path: Path) -> dict[str, dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {each["id"]: each for each in found}


def _verdict(prediction: dict[str, Any]) -> str:
    return str(prediction.get("verdict", "not tested"))


def _figure(results: Path, question: int) -> Iterator[str]:
    for picture in sorted((results / "figures").glob(f"beyond_{question}_*.svg")):
        file = f"../../results/beyond/figures/{picture.name}"
        yield f"[![What the runs show]({file})](figures/beyond/{picture.stem}.ipynb)"


def _section(prediction: dict[str, Any]) -> str:
    measured = prediction["measured"]
    runs = " ".join(f"{weight:+d} × `{run}`" for run, weight in measured["runs"].items())
    bounds = interval([prediction.get("above"), prediction.get("below")])
    lines = [
        ("quantity", f"{measured['quantity']}: {runs}, study `{measured['study']}`"),
        ("to be held", f"{bounds}. {prediction['threshold'].strip()}"),
    ]
    if prediction.get("value") is not None:
        found = interval([prediction["low"], prediction["high"]])
        lines.append(
            (
                "found",
                f"{number(prediction['value'])} {found} {prediction['unit']}, "
                f"{prediction['n_seeds']} seeds; p = {number(prediction['p_corrected'], 2)}",
            )
        )
    return (
        f"({prediction['id']})=\n### {prediction['prediction'].strip()}\n\n"
        f"{badge(_verdict(prediction))}\n\n{table(('', ''), lines)}\n\n"
        f"Why we thought so: {' '.join(prediction['why'].split())}"
    )
