"""What the package is called, its version and date, the same wherever they stand."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from helpers import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CODEMETA: dict[str, Any] = json.loads((ROOT / "codemeta.json").read_text())
ZENODO: dict[str, Any] = json.loads((ROOT / ".zenodo.json").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
VERSION = re.compile(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)\n\nFingerprint `(\w{64})`", re.M)
PAPER = "10.48550/arXiv.1811.01768"


def test_one_version() -> None:
    versions = (CITATION["version"], CODEMETA["version"], ZENODO["version"])
    assert set(versions) == {PROJECT["version"]} == {VERSION.findall(CHANGELOG)[0][0]}


def test_one_date() -> None:
    dates = (CITATION["date-released"], CODEMETA["datePublished"], ZENODO["publication_date"])
    assert set(dates) == {VERSION.findall(CHANGELOG)[0][1]}


def test_one_title_and_one_description() -> None:
    assert CITATION["title"] == CODEMETA["name"] == ZENODO["title"]
    assert PROJECT["description"] == CODEMETA["description"] == ZENODO["description"]
    assert CITATION["title"].startswith(f"{PROJECT['name']}: ")


def test_the_same_authors_words_and_licence() -> None:
    names = [author["name"] for author in PROJECT["authors"]]
    for authors in (CITATION["authors"], CODEMETA["author"], ZENODO["creators"]):
        assert [author["name"] for author in authors] == names
    for described in (CITATION, CODEMETA, ZENODO):
        assert described["keywords"] == PROJECT["keywords"]
    assert CITATION["license"] == PROJECT["license"]
    assert CODEMETA["license"].endswith(f"/{PROJECT['license']}")
    assert ZENODO["license"] == PROJECT["license"].lower()


def test_the_same_pythons() -> None:
    assert CODEMETA["runtimePlatform"] == f"Python {PROJECT['requires-python']}"


def test_the_same_paper() -> None:
    (paper,) = CITATION["references"]
    assert PAPER in {identifier["value"] for identifier in paper["identifiers"]}
    assert CODEMETA["referencePublication"]["@id"] == f"https://doi.org/{PAPER}"
    assert CODEMETA["referencePublication"]["name"] == paper["title"]
    assert [found["identifier"] for found in ZENODO["related_identifiers"]] == [PAPER]


def test_every_version_says_which_numbers_it_gave() -> None:
    titles = re.findall(r"^## .*$", CHANGELOG, re.MULTILINE)
    assert len(VERSION.findall(CHANGELOG)) == len(titles)


def test_the_newest_version_gave_the_numbers_that_are_committed() -> None:
    committed = json.loads((ROOT / "results" / "fingerprint.json").read_text())["fingerprint"]
    assert VERSION.findall(CHANGELOG)[0][2] == committed


@pytest.mark.parametrize("folder", [".binder", ".github/workflows"])
def test_what_runs_elsewhere_installs_what_is_locked(folder: str) -> None:
    files = [path for path in (ROOT / folder).iterdir() if path.name != "ci.yml"]
    text = "\n".join(path.read_text() for path in files)
    assert "requirements.lock" in text
    assert "--no-deps --no-build-isolation --editable ." in text
