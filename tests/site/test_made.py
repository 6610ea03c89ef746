"""What pages are made of: claims of any shape, docstrings, links, columns, Vega's scripts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import ROOT
from playwright.sync_api import Browser

sys.path.insert(0, str(ROOT / "docs"))

from ext import beyond, claims, docstrings, made, markdown, mathml, rules, vega

from qagrel.replication.beyond import judge, read_predictions
from qagrel.replication.experiments import read_params
from qagrel.rules import LEARN_BY_REWARD, RULES

NEW = {
    "id": "not-known",
    "claim": "A claim that nobody has heard of.",
    "verdict": "of a new kind",
    "paper": {"where": "Nowhere", "range": [1, 2], "deep": {"list": [{"a": 1}]}},
    "ours": {"values": [{"name": "x", "value": None, "interval": [None, 2]}], "power": 0.8},
    "test": {"rule": "Any.", "checks": [{"name": "y", "between": [0, None]}]},
    "pre_registered": {"by": "a test"},
}


def test_a_claim_that_no_page_knows_is_shown_with_all_its_keys(tmp_path: Path) -> None:
    for profile, found in (("mnist", [NEW]), ("digits", [])):
        (tmp_path / profile).mkdir()
        (tmp_path / profile / "claims.json").write_text(json.dumps(found))
        (tmp_path / profile / "stopping_ratios.csv").write_text("ratio,n_rows,seen,chain\n")
    page = claims.page(tmp_path, ROOT / "paper", "mnist", "digits")
    for told in ("nobody has heard", "of a new kind", "Nowhere", "range: 1, 2", "pre registered"):
        assert told in page
    assert "| `x` | – | below 2 | – | – | – |" in page
    assert "| `y` | – | – | above 0 | – | – |" in page


def test_a_claim_without_evidence_is_shown() -> None:
    bare = {"id": "bare", "claim": "It is so.", "verdict": "not tested"}
    assert "## It is so." in claims.section(bare, {}, {})


def test_predictions_are_shown_with_and_without_their_runs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "beyond", tmp_path / "beyond")
    results = tmp_path / "results" / "beyond"
    results.mkdir(parents=True)
    profile = read_params(ROOT / "params.yaml").profile("beyond")
    said = read_predictions(ROOT / "beyond" / "predictions.yaml", profile).predictions
    verdicts = [{**each, "hindsight": None} for each in judge(said, results)]
    (results / "verdicts.json").write_text(json.dumps(verdicts))
    (results / "answers.json").write_text("{}")
    before = beyond.page(tmp_path)
    assert before.count(">not tested<") == 2 * len(said)
    assert all(f"({each.id})=" in before and each.prediction.strip() in before for each in said)
    verdicts[0] |= {"value": 1.25, "low": 1.0, "high": 1.5, "unit": "classes", "n_seeds": 10}
    verdicts[0] |= {"verdict": "contradicted", "p_corrected": 0.003, "hindsight": "It was late."}
    (results / "verdicts.json").write_text(json.dumps(verdicts))
    (results / "answers.json").write_text(json.dumps({said[0].question: "Three of ten."}))
    after = beyond.page(tmp_path)
    assert after.count(">contradicted<") == 2
    assert "| found | 1.25 [1, 1.5] classes, 10 seeds; corrected p = 0.003 |" in after
    assert "In hindsight: It was late." in after
    assert "**In numbers.** Three of ten." in after


def test_what_the_report_says_has_the_claims_own_numbers() -> None:
    values = [
        {"name": "a", "value": -0.281, "interval": [-0.39, -0.17]},
        {"name": "b", "value": 1.0, "interval": None},
    ]
    text = {"digits": 2, "differs": 'It is #v("a"), all in all #span.'}
    assert (
        claims.told(text, "differs", {"values": values}, {})
        == "It is −0.28 [−0.39, −0.17], all in all −0.28 to 1.00."
    )
    counted = {"digits": 2, "differs": 'In #n("n_seen") of them.'}
    assert claims.told(counted, "differs", {"n_seen": 3}, {}) == "In 3 of them."
    assert claims.told({"digits": 2, "differs": "#unknown(1)"}, "differs", {}, {}) == ""


def test_every_verdict_of_the_report_can_be_told() -> None:
    """Markup that is new in the discussion is to be learnt here too."""
    discussion = yaml.safe_load((ROOT / "paper" / "discussion.yaml").read_text())
    folder = ROOT / "results" / "mnist"
    found = json.loads((folder / "claims.json").read_text())
    terms = claims.further_terms(folder, found)
    for claim in found:
        texts = discussion[claim["id"]]
        if texts.get(claim["verdict"]):
            assert claims.told(texts, claim["verdict"], claim["ours"], terms), claim["id"]


def test_meanings_of_parameters_come_to_stand_below_their_names() -> None:
    given = ["It is.", "", "Parameters", "----------", "n : how many,", "    at the most."]
    assert docstrings.spread(given)[4:] == ["n", "    how many,", "    at the most."]


@pytest.mark.parametrize(
    ("link", "made_of_it"),
    [
        ("[a](paper/ledger.md)", "[a](../made/ledger.md)"),
        ("[a](paper/ledger.md#scale)", "[a](../made/ledger.md#scale)"),
        ("[a](README.md)", "[a](../index.md)"),
        ("[a](benchmarks/)", "[a](../made/benchmarks.md)"),
        ("[a](params.yaml)", "[a](../../params.yaml)"),
        ("[a](https://example.org/a)", "[a](https://example.org/a)"),
        ("[a](#below)", "[a](#below)"),
    ],
)
def test_links_lead_to_the_page_of_a_document(link: str, made_of_it: str) -> None:
    assert made.relink(link, ROOT, ROOT / "docs" / "howto") == made_of_it


def test_every_column_of_the_results_has_a_meaning() -> None:
    meanings = yaml.safe_load((ROOT / "docs" / "columns.yaml").read_text())
    ids = {claim["id"] for claim in yaml.safe_load((ROOT / "paper" / "claims.yaml").read_text())}
    for folder in ("", "/runs", "/studies"):
        for path in ROOT.glob(f"results/*{folder}/*.csv"):
            assert set(rules.columns_of(path)) <= {*meanings, *ids}, path.name


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_page_and_departures(rule: str) -> None:
    ledger = (ROOT / "paper" / "ledger.md").read_text()
    page = rules.pages(ROOT / "results", ROOT / "docs", ledger)[rule]
    own = "Exploration rate" if rule in LEARN_BY_REWARD else "Loss of error-backpropagation"
    assert f"| [{own}]" in page
    assert RULES[rule] in page


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3, "3"),
        (-0.5, "−0.5"),
        (1.23456e-7, "1.235 × 10<sup>−7</sup>"),
        (None, "–"),
        (True, "True"),
    ],
)
def test_numbers_are_written_as_they_are_read(value: object, written: str) -> None:
    assert markdown.number(value) == written


def test_equations_need_no_script() -> None:
    assert mathml.convert(r"\delta = r - q_s").startswith("<math")


def test_dvcs_page_is_the_one_that_the_locked_scripts_make() -> None:
    assert vega.DVC_PAGE.read_text(encoding="utf-8") == vega.dvc_page()


def test_dvcs_plots_are_drawn_without_a_network(chromium: Browser, tmp_path: Path) -> None:
    dvc = Path(sys.prefix) / "bin" / "dvc"
    subprocess.run([dvc, "plots", "show", "-q", "--out", tmp_path], cwd=ROOT, check=True)
    context = chromium.new_context(offline=True)
    context.set_default_timeout(120_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url))
    page.goto((tmp_path / "index.html").as_uri())
    page.locator("svg.marks").nth(7).wait_for()
    assert faults == [(tmp_path / "index.html").as_uri()]
    context.close()
