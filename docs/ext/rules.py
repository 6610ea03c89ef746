"""A page a learning rule: what it is, what its records hold, where it departs from the paper."""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from qagrel.replication.figures.style import RULE_NAMES
from qagrel.rules import FEEDBACKS, LEARN_BY_REWARD, LOSSES, RULES
from qagrel.spec import PAYING, RunSpec

from .markdown import readable, table

EXPLORING = ("epsilon", "temperature")  # fields of rules that learn by reward


def pages(results: Path, docs: Path, ledger: str) -> dict[str, str]:
    """The pages of all rules by their names, in the order of `RULES`."""
    columns = yaml.safe_load((docs / "columns.yaml").read_text(encoding="utf-8"))
    return {rule: _page(rule, results, columns, ledger) for rule in RULES}


def name_of(rule: str) -> str:
    """A rule as it is printed."""
    return RULE_NAMES.get(rule, rule)


def _page(rule: str, results: Path, columns: Mapping[str, str], ledger: str) -> str:
    by_reward = rule in LEARN_BY_REWARD
    taught = "by reward alone" if by_reward else "from the right answer, which it is told"
    parts = [
        f"# {name_of(rule)}",
        RULES[rule],
        f"It learns {taught}. On the command line and in Python it is `{rule}`:",
        f"```sh\nqagrel train --rule {rule} --dataset digits --hidden 100 --learning-rate 0.5 "
        "--batch-size 10 --validation-size 100 --max-epochs 60\n```",
        "How it runs, phase by phase, is in [the algorithm](../../rules/algorithm.md).",
        "## Kinds of feedback",
        table(
            ("`feedback`", "what it means"),
            ((f"`{name}`", meaning) for name, meaning in FEEDBACKS.items()),
        ),
    ]
    if not by_reward:
        named = ((f"`{name}`", meaning) for name, meaning in LOSSES.items())
        parts += ["## Losses", table(("`loss`", "what it means"), named)]
    own = _own_fields(rule)
    if own:
        parts += ["## Settings of its own", fields(own)]
    parts += ["## What its records hold", _columns(rule, results, columns)]
    parts += ["## Where it departs from the paper", _departures(rule, ledger)]
    return "\n\n".join(parts)


def _own_fields(rule: str) -> tuple[str, ...]:
    if rule in LEARN_BY_REWARD:
        return (*EXPLORING, *PAYING)
    return ("loss",)


def fields(names: tuple[str, ...] = tuple(RunSpec.model_fields)) -> str:
    """Fields of a run in a table: name, default, meaning."""
    return table(
        ("field", "default", "meaning"),
        (
            (
                f"`{name}`",
                f"`{RunSpec.model_fields[name].default!r}`",
                str(RunSpec.model_fields[name].description).replace("+-", "±"),
            )
            for name in names
        ),
    )


def columns_of(path: Path) -> list[str]:
    """The header of a CSV file, with the numbers of layers and classes as a letter."""
    with path.open(encoding="utf-8") as file:
        header = file.readline().strip().split(",")
    return list(dict.fromkeys(re.sub(r"_\d+$", "_n", name) for name in header))


def _columns(rule: str, results: Path, meanings: Mapping[str, str]) -> str:
    found = dict.fromkeys(
        column
        for path in sorted(results.glob(f"*/runs/{rule}_*.csv"))
        for column in columns_of(path)
    )
    if not found:
        return (
            "No run of it is among the committed results. A run's records are described at "
            "{py:attr}`qagrel.History.epochs`."
        )
    files = f"`results/<profile>/runs/{rule}_*.csv`"
    return (
        f"In {files}, a line a seed and epoch, and in the summaries beside them, a line a seed. "
        "A column is left out where it would be empty.\n\n"
        + table(
            ("column", "meaning"),
            ((f"`{name}`", meanings.get(name, readable(name))) for name in found),
        )
    )


def _departures(rule: str, ledger: str) -> str:
    """The entries of the ledger that name the rule or a setting of its own, then the others."""
    entries = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", ledger, re.MULTILINE | re.DOTALL)
    others = {other for other in RULES if other != rule}
    own, shared = [], []
    for title, text in entries:
        whole = f"{title}\n{text}"
        if _concerns(rule, whole):
            own.append((title, text))
        elif not any(_concerns(other, whole) for other in others):
            shared.append(title)

    def link(title: str) -> str:
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        return f"[{title}](../ledger.md#{anchor})"

    told = table(
        ("entry of the ledger", "the paper", "here"),
        ((link(title), _line(text, "Paper"), _line(text, "Here")) for title, text in own),
    )
    rest = ", ".join(map(link, shared))
    return f"{told}\n\nWhat all rules share: {rest}."


def _concerns(rule: str, text: str) -> bool:
    names = {rule, name_of(rule), *_own_fields(rule)}
    if name_of(rule).endswith("-BP"):
        names |= {name_of(rule).removesuffix("BP") + "backpropagation"}
    return any(re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) for name in names)


def _line(text: str, name: str) -> str:
    found = re.search(rf"^- \*\*{name}:\*\* (.+)$", text, re.MULTILINE)
    return found[1] if found else "–"
