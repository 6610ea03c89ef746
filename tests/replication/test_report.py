"""The report: made of the results alone, in the same bytes, refused where anything is missing."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typst
import yaml
from helpers import ROOT, work_in

from qagrel import InputError, RunSpec, store
from qagrel.replication import report

PAPER = ROOT / "paper"
CLAIMS: list[str] = [claim["id"] for claim in yaml.safe_load((PAPER / "claims.yaml").read_text())]
DISCUSSION: dict[str, Any] = yaml.safe_load((PAPER / "discussion.yaml").read_text())
DECIDED = ("replicated", "differs", "inconclusive")
UNDETERMINED = "not determined by the paper"
BLANK = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="200">'
    '<path d="M0 0L500 200" stroke="black"/></svg>'
)

Edit = Callable[[str, str, str], None]


def charts() -> list[str]:
    """The figures that the report asks for."""
    return re.findall(r'#chart\("(\w+)"\)', (PAPER / "report.typ").read_text())


def copy_results(folder: Path) -> Path:
    """Copy what the report reads of the committed digits results, with blank figures."""
    source = ROOT / "results" / "digits"
    for path in (*source.glob("*.csv"), *source.glob("*.json"), *source.glob("runs/*-summary.csv")):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / "figures").mkdir()
    for name in charts():
        (folder / "figures" / f"{name}.svg").write_text(BLANK)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, in which the test works, with results of the profile digits."""
    for name in ("params.yaml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(PAPER, tmp_path / "paper")
    copy_results(tmp_path / "results" / "digits")
    return work_in(tmp_path, monkeypatch)


@pytest.fixture
def edit(project: Path) -> Edit:
    """Return a function that puts one text in the place of another, in its first line."""

    def replace(name: str, old: str, new: str) -> None:
        path = project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace


def build(profile: str = "digits") -> bytes:
    return report.build_report(profile).read_bytes()


def judge_all(project: Path, verdict: str, only: Sequence[str] = CLAIMS) -> None:
    """Make results of the profile mnist, in which every claim, or only some, has this verdict."""
    folder = copy_results(project / "results" / "mnist")
    data = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps({**data, "name": "mnist"}))
    claims = json.loads((folder / "claims.json").read_text())
    for claim in claims:
        claim["verdict"] = verdict if claim["id"] in only else "inconclusive"
        for value in claim["ours"]["values"]:
            value["value"] = 1.5 if value["value"] is None else value["value"]
    (folder / "claims.json").write_text(json.dumps(claims))


# --- what is built ---------------------------------------------------------------------------


def test_the_report_is_a_pdf_beside_the_results(project: Path) -> None:
    path = report.build_report("digits")
    assert project / path == project / "results" / "digits" / "report.pdf"
    assert path.read_bytes().startswith(b"%PDF-")


def test_the_same_bytes_come_out_wherever_the_results_stand(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build()
    shutil.copytree(project / "results", project / "elsewhere" / "results")
    monkeypatch.setenv("QAGREL_RESULTS_DIR", str(project / "elsewhere" / "results"))
    path = report.build_report("digits")
    assert path.is_relative_to(project / "elsewhere")
    assert path.read_bytes() == first


def test_the_report_has_no_date_and_names_no_folder(project: Path) -> None:
    pdf = build()
    assert b"CreationDate" not in pdf
    assert b"ModDate" not in pdf
    assert str(project).encode() not in pdf


@pytest.mark.parametrize("verdict", [*DECIDED, "not comparable", "not tested"])
def test_every_claim_has_its_text_under_every_verdict(project: Path, verdict: str) -> None:
    judge_all(project, verdict)
    assert build("mnist").startswith(b"%PDF-")


def test_claims_without_further_studies_have_their_text_too(project: Path) -> None:
    judge_all(project, "differs")
    with_studies = build("mnist")
    path = project / "results" / "mnist" / "claims.json"
    claims = json.loads(path.read_text())
    further = ["more_seeds", "updates_learned_over_symmetric", "by_width", "series", "by_batch"]
    for claim in claims:
        for name in further:
            claim["ours"].pop(name, None)
    path.write_text(json.dumps(claims))
    assert build("mnist") != with_studies


def test_a_claim_that_was_not_tested_says_which_study_is_missing(project: Path) -> None:
    judge_all(project, "not tested", ["wrong-values-stay-close"])
    before = build("mnist")
    path = project / "results" / "mnist" / "claims.json"
    claims = json.loads(path.read_text())
    for claim in claims:
        claim["ours"]["missing"] = "The study of something has not been made."
    path.write_text(json.dumps(claims))
    assert build("mnist") != before


def test_what_the_paper_does_not_determine_has_its_text_where_that_can_be(project: Path) -> None:
    only = [name for name, texts in DISCUSSION.items() if UNDETERMINED in texts]
    assert only == ["rate-range-q-agrel", "rate-range-error-bp"]
    judge_all(project, UNDETERMINED, only)
    assert build("mnist").startswith(b"%PDF-")


def test_the_text_follows_the_verdict(edit: Edit) -> None:
    edit("results/digits/claims.json", '"verdict": "not comparable"', '"verdict": "differs"')
    broken = 'differs: >-\n    #panic("this text was chosen")'
    edit("paper/discussion.yaml", "differs: >-", broken)
    with pytest.raises(InputError, match="this text was chosen"):
        build()


@pytest.mark.skipif(
    not hasattr(typst, "compile_with_warnings"), reason="this version of Typst keeps warnings"
)
def test_typst_has_nothing_to_warn_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def keep_warnings(*arguments: Any, **options: Any) -> bytes:
        pdf, warnings = typst.compile_with_warnings(*arguments, **options)
        found.extend(warnings)
        return bytes(pdf)

    monkeypatch.setattr(typst, "compile", keep_warnings)
    judge_all(project, "replicated")
    build("mnist")
    assert [str(warning) for warning in found] == []


@pytest.mark.parametrize(("profile", "most"), [("digits", 11), ("mnist", 13)])
def test_a_committed_report_is_no_book(profile: str, most: int) -> None:
    path = ROOT / "results" / profile / "report.pdf"
    if not path.exists():
        pytest.skip(f"there is no report of {profile} yet")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) <= most


# --- every number comes from the results -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("table1.csv", "accuracy_mean"),
        ("table1.csv", "accuracy_std"),
        ("table1.csv", "epochs_mean"),
        ("table1.csv", "paper_epochs_mean"),
        ("table1_squared_error.csv", "accuracy_mean"),
        ("comparisons.csv", "difference"),
        ("comparisons.csv", "difference_high"),
        ("pooled_comparisons.csv", "difference_low"),
        ("readings.csv", "accuracy_mean"),
        ("readings.csv", "epochs_std"),
        ("stopping_ratios.csv", "chain"),
    ],
)
def test_the_report_shows_the_tables(project: Path, name: str, column: str) -> None:
    before = build()
    path = project / "results" / "digits" / name
    table = store.read_csv(path)
    table[column] = table[column].astype(float)
    table.loc[0, column] = 12.34
    store.write_csv(path, table)
    assert build() != before


def test_the_report_shows_how_many_runs_with_fixed_feedback_finished(project: Path) -> None:
    before = build()
    path = project / "results" / "digits" / "finishing.csv"
    table = store.read_csv(path)
    table.loc[table["feedback"] == "fixed", "finished"] = 0.34
    store.write_csv(path, table)
    assert build() != before


@pytest.mark.parametrize(
    ("name", "keys", "number"),
    [
        ("claims.json", (0, "ours", "values", 0, "value"), 12.34),
        ("claims.json", (1, "ours", "values", 0, "interval", 1), 12.34),
        ("claims.json", (1, "paper", "factor", 1), 12.34),
        ("claims.json", (1, "test", "checks", 0, "between", 1), 12.34),
        ("data.json", ("train", "samples"), 1234),
    ],
)
def test_the_report_shows_the_claims_and_the_data(
    project: Path, name: str, keys: tuple[Any, ...], number: float
) -> None:
    before = build()
    path = project / "results" / "digits" / name
    content = part = json.loads(path.read_text())
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = number
    path.write_text(json.dumps(content))
    assert build() != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("paper/margins.yaml", "value: 1.25", "value: 1.26"),
        ("paper/margins.yaml", "value: 0.95", "value: 0.94"),
        ("params.yaml", "drop_epoch: 40", "drop_epoch: 41"),
        ("CITATION.cff", "The qagrel authors", "Somebody else"),
    ],
)
def test_the_report_shows_the_protocol(edit: Edit, name: str, old: str, new: str) -> None:
    before = build()
    edit(name, old, new)
    assert build() != before


def test_the_version_is_the_one_to_cite(edit: Edit) -> None:
    before = build()
    edit("CITATION.cff", "\nversion: ", "\nversion: 9")
    assert build() != before


def test_no_number_is_typed_into_the_text() -> None:
    text = (PAPER / "report.typ").read_text()
    for pattern in (
        r"//.*",
        r'"[^"]*"',  # strings: names of files, and commands
        r"\$[^$]*\$",  # the equations
        r"`[^`]*`",
        r"@\w+",  # references
        r"\b(Eqs?\.|Figs?\.|Tables?|Section)\s\d+((,| to| and)\s\d+)*",  # places in the paper
        r"\b(level: |at\()\d",  # code
        r"[\d.]+(pt|em|fr|%)",  # lengths
    ):
        text = re.sub(pattern, "", text)
    numbers = re.findall(r"(?<![\w-])\d[\d.,]*\b", text)
    assert set(numbers) <= {"0", "1"}  # of the equations' explanations


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_text_on_a_claim_holds_no_number(claim: str) -> None:
    texts = " ".join(DISCUSSION[claim][verdict] for verdict in DECIDED)
    assert not re.search(r"\d", re.sub(r'#v\("[^"]*"\)', "", texts))


def test_every_claim_is_discussed() -> None:
    assert list(DISCUSSION) == CLAIMS
    for texts in DISCUSSION.values():
        assert {"digits", "unit", *DECIDED} == set(texts) - {UNDETERMINED}


# --- what is missing stops the build ---------------------------------------------------------


@pytest.mark.parametrize("name", charts())
def test_a_missing_figure_is_named(project: Path, name: str) -> None:
    (project / "results" / "digits" / "figures" / f"{name}.svg").unlink()
    with pytest.raises(InputError, match=rf"results/digits/figures/{name}\.svg is not there"):
        build()


@pytest.mark.parametrize(
    "name",
    [
        *("claims.json", "data.json", "table1.csv", "table1_squared_error.csv", "comparisons.csv"),
        *("pooled_comparisons.csv", "readings.csv", "conclusions.csv", "conclusions_before.csv"),
        *("epochs_by_measure.csv", "stopping.csv", "stopping_ratios.csv", "finishing.csv"),
        "runs/error-bp_fixed_300_0.1-summary.csv",
    ],
)
def test_a_missing_file_is_named(project: Path, name: str) -> None:
    (project / "results" / "digits" / name).unlink()
    with pytest.raises(InputError, match=rf"results/digits/{re.escape(name)} is not there"):
        build()


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("claims.json", '"id": "trial-by-trial"', '"id": "x"', "no verdict on 'trial-by-trial'"),
        ("table1.csv", "q-agrel,symmetric,300,0.5", "q-agrel,x,300,0.5", "has not one line of"),
        ("table1.csv", ",97.86,", ",many,", "paper_accuracy_mean is 'many', which is no number"),
        ("table1.csv", ",97.86,", ",,", "paper_accuracy_mean is missing"),
        ("table1.csv", ",accuracy_mean,", ",accuracy,", "has no accuracy_mean"),
        ("comparisons.csv", ",difference,", ",gap,", "has no difference"),
        ("conclusions.csv", "default,", "usual,", "has not one line of default"),
        ("runs/error-bp_fixed_300_0.1-summary.csv", "max-epochs", "converged", "disagree"),
        ("claims.json", '"verdict": "not comparable"', '"verdict": "true"', "has no true"),
        ("claims.json", "[", "[[", "not JSON|failed to parse JSON"),
        ("figures/table1.svg", "<svg", "svg", "failed to parse"),
    ],
)
def test_a_fault_in_the_results_is_one_sentence(
    edit: Edit, name: str, old: str, new: str, sentence: str
) -> None:
    edit(f"results/digits/{name}", old, new)
    with pytest.raises(InputError, match=sentence) as caught:
        build()
    assert str(caught.value).startswith("results/digits/report.pdf cannot be built: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("verdict", ["replicated", "differs"])
def test_a_decided_claim_needs_its_number(project: Path, verdict: str) -> None:
    path = project / "results" / "digits" / "claims.json"
    claims = json.loads(path.read_text())
    claims[0]["verdict"] = verdict
    claims[0]["ours"]["values"][0]["value"] = None
    path.write_text(json.dumps(claims))
    with pytest.raises(InputError, match=f"{claims[0]['id']}, .* value is missing"):
        build()


def test_a_fault_leaves_the_last_report_as_it_was(project: Path) -> None:
    before = build()
    (project / "results" / "digits" / "claims.json").unlink()
    with pytest.raises(InputError):
        build()
    assert (project / "results" / "digits" / "report.pdf").read_bytes() == before


def test_a_fault_in_the_source_shows_its_place(edit: Edit) -> None:
    edit("paper/report.typ", "= What was claimed", "= What was #claimed-by-nobody")
    with pytest.raises(RuntimeError, match=r"(?s)claimed-by-nobody.*report\.typ:"):
        build()


def test_an_unknown_profile_is_refused(project: Path) -> None:
    assert project.exists()
    with pytest.raises(InputError, match=r"profile: 'digit' .* did you mean 'digits'"):
        build("digit")


def test_another_folder_than_the_project_is_refused(project: Path) -> None:
    shutil.rmtree(project / "paper")
    with pytest.raises(InputError, match="paper is not there: call this in the project's folder"):
        build()


# --- the ledger ------------------------------------------------------------------------------


def ledger() -> dict[str, dict[str, str]]:
    """Return the entries of the ledger by title, as this test reads them."""
    departures, _ = (PAPER / "ledger.md").read_text().split("\n# Amendments\n")
    _, *parts = departures.split("\n## ")
    entries = {}
    for part in parts:
        title, *lines = filter(None, part.split("\n"))
        entries[title] = dict(
            re.findall(r"^- \*\*(\w+):\*\* (.+)$", "\n".join(lines), re.MULTILINE)
        )
        assert len(entries[title]) == len(lines), title
    return entries


@pytest.mark.parametrize("title", ledger())
def test_an_entry_of_the_ledger_is_complete(title: str) -> None:
    assert list(ledger()[title]) == ["Paper", "Here", "Evidence", "Literal"]


@pytest.mark.parametrize("title", ledger())
def test_the_parameters_that_the_ledger_names_exist(title: str) -> None:
    for code in re.findall(r"`([^`]+)`", ledger()[title]["Literal"]):
        if code.endswith(".csv"):
            continue
        name, _, value = code.partition("=")
        assert name in RunSpec.model_fields, code
        if value:
            RunSpec(**{name: yaml.safe_load(value)})


def test_defaults_that_the_ledger_names_are_the_defaults() -> None:
    for entry in ledger().values():
        for code in re.findall(r"`(\w+=[^`]+)`, the default", entry["Literal"]):
            name, value = code.split("=")
            assert getattr(RunSpec(), name) == yaml.safe_load(value), code


def test_the_ledger_gives_the_exploration_rate_that_is_used() -> None:
    assert ledger()["Exploration rate"]["Here"] == f"ε = {RunSpec().epsilon}."


def test_every_reading_that_was_tried_is_in_the_ledger() -> None:
    profiles = yaml.safe_load((ROOT / "params.yaml").read_text())["profiles"]
    tried = {
        run.split("=")[0]
        for profile in profiles.values()
        for run in profile["studies"].get("readings", {"runs": {}})["runs"]
        if "=" in run
    }
    named = {
        code
        for entry in ledger().values()
        for code in re.findall(r"`(\w+)=?", entry["Evidence"] + entry["Literal"])
    }
    assert tried <= named


def test_a_ledger_of_another_form_is_refused(edit: Edit) -> None:
    edit("paper/ledger.md", "- **Here:** ", "- Here: ")
    with pytest.raises(InputError, match=r"paper/ledger\.md, 'Exploration rate': not of the form"):
        build()
