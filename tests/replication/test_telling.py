"""What notebooks tell of a question, from made-up studies."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from examples import beyond_results
from helpers import ROOT, work_in

from qagrel import InputError
from qagrel.replication import beyond

FOLDER = Path("results/beyond")
TABLE = pd.DataFrame({"run": ["initial-q 1", "neither"], "seed": [0, 0], "value": [0.5, 2.0]})
SHOWN = [("Classes", TABLE, "found")]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, in which the test works, with invented results of the profile."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    beyond_results(tmp_path / FOLDER, n_seeds=2)
    return work_in(tmp_path, monkeypatch)


def test_numbers_have_the_names_of_their_settings() -> None:
    text = beyond.seen("beyond", "optimism", SHOWN)
    assert "| initial Q 1 | 0.5 | – | 1 |" in text
    assert "| the paper's rule | 2.0 | – | 1 |" in text


def test_verdicts_on_a_question_are_told_with_their_bounds() -> None:
    path = FOLDER / "verdicts.json"
    verdicts = json.loads(path.read_text())
    (first, *others) = (each for each in verdicts if each["question"] == "depth")
    first |= {"verdict": "contradicted", "value": -1.5, "low": -2.0, "high": 0.0}
    first |= {"p_corrected": 0.00123}
    others[0]["value"] = None
    path.write_text(json.dumps(verdicts))
    told = [line for line in beyond.seen("beyond", "depth", []).splitlines() if line[:2] == "- "]
    assert len(told) == 1 + len(others)
    assert told[0].startswith(f"- **contradicted**: {first['prediction'].strip()} Found: −1.50 [")
    assert "[−2.00, 0.00] points; corrected p = 0.0012. It is held if below −50 (test" in told[0]
    assert "Its runs were not made." in told[1]


def test_where_nothing_was_predicted_it_is_a_first_look() -> None:
    assert "first look" in beyond.seen("digits", "optimism", SHOWN)
    assert "first look" not in beyond.seen("beyond", "optimism", SHOWN)


@pytest.mark.parametrize("name", ["verdicts.json", "answers.json"])
def test_verdicts_that_are_not_made_yet_are_asked_for(name: str) -> None:
    (FOLDER / name).unlink()
    with pytest.raises(InputError, match=rf"results/beyond/{name}"):
        beyond.seen("beyond", "optimism", SHOWN)
