"""The paper as data: its numbers, its claims and our thresholds, checked as they are read."""

import csv
from pathlib import Path

import pytest
from examples import PAPER

from qagrel import store
from qagrel.errors import InputError
from qagrel.replication.statistics import read_paper


def test_the_papers_numbers_are_those_of_its_table() -> None:
    with (PAPER / "table1.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    # Sums of the columns as they stand in the paper.
    assert sum(float(row["accuracy_mean"]) for row in rows) == pytest.approx(1567.01)
    assert sum(float(row["accuracy_std"]) for row in rows) == pytest.approx(1.55)
    assert sum(int(row["epochs_mean"]) for row in rows) == 4592
    assert sum(int(row["epochs_std"] or 0) for row in rows) == 847
    assert [row["hidden"] for row in rows if row["note"]] == ["300-100"]


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("margins.yaml", "alpha:", "alhpa:", "exactly these entries"),
        ("margins.yaml", "value: 0.05", "value: -0.05", "alpha cannot be -0.05"),
        ("margins.yaml", "value: 0.05", "value: yes", "alpha cannot be True"),
        ("margins.yaml", "value: holm", "value: bonferroni", "'holm'"),
        ("margins.yaml", "range: [30, 60]", "range: [30]", "aligned_angle: a range has two ends"),
        ("margins.yaml", "range: [30, 60]", "range: [30, far]", "aligned_angle cannot be 'far'"),
        ("margins.yaml", "value: seed", "value: twins", "'seed', 'none'"),
        ("margins.yaml", "before: none", "since: none", "pairing cannot have 'since'"),
        ("margins.yaml", "  amended: Thresholds have ranges\n", "", "needs the title of the amend"),
        ("claims.yaml", "  before: >-", "  befor: >-", "claim 1 must have the entries"),
        ("claims.yaml", "  amended:\n    - Rows", "  open: x\n  was:\n    - Rows", "claim 1 must"),
        ("margins.yaml", "  value: mnist", "  value: [mnist", "not readable as YAML"),
        ("claims.yaml", "rule:", "rules:", "claim 1 must have the entries"),
        ("claims.yaml", "id: slower-text", "id: slower-abstract", "twice"),
        ("table1.csv", "97.86", "97,86", r"table1\.csv"),
        ("table1.csv", "epochs_mean", "epochs", "epochs_mean"),
        ("literature.csv", "95.3", "high", r"literature\.csv"),
    ],
)
def test_damaged_paper_files_are_refused(
    tmp_path: Path, name: str, old: str, new: str, complaint: str
) -> None:
    for file in PAPER.glob("*.*"):
        if file.suffix in {".csv", ".yaml"}:
            (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=complaint):
        read_paper(tmp_path)


def test_every_amendment_has_its_entry_in_the_ledger_and_every_entry_its_use() -> None:
    _, amendments = (PAPER / "ledger.md").read_text().split("\n# Amendments\n")
    titles = {part.split("\n")[0] for part in amendments.split("\n## ")[1:]}
    paper = read_paper(PAPER)
    margins = store.read_yaml(PAPER / "margins.yaml")
    used = {title for claim in paper.claims for title in claim.amended}
    used |= {entry["amended"] for entry in margins.values() if "amended" in entry}
    assert used == titles


def test_a_threshold_lies_within_its_range() -> None:
    paper = read_paper(PAPER)
    for name, (low, high) in paper.ranges.items():
        assert low < getattr(paper.rules, name) < high, name
