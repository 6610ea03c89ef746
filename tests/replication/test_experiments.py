"""The experiments of `params.yaml`."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

from qagrel import InputError, RunSpec
from qagrel.replication.experiments import Params, read_params, row_fields

PARAMS = ROOT / "params.yaml"


@pytest.fixture(scope="module")
def params() -> Params:
    return read_params(PARAMS)


# --- ours ------------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_papers_table(params: Params) -> None:
    fields = [row_fields(row) for row in params.rows]
    found = [(f["rule"], f["feedback"], f["hidden"], f["learning_rate"]) for f in fields]
    kinds = [
        *(("q-agrel", "symmetric", rate) for rate in (0.5, 1.0)),
        *(("error-bp", "symmetric", rate) for rate in (0.05, 0.1)),
        *(("q-agrel", "learned", rate) for rate in (0.5, 1.0)),
        ("q-agrel", "fixed", 0.1),
        ("error-bp", "fixed", 0.1),
    ]
    expected = itertools.product(kinds, [(300,), (300, 100)])
    assert found == [(rule, regime, hidden, rate) for (rule, regime, rate), hidden in expected]


def test_the_squared_error_rows_are_those_of_error_bp(params: Params) -> None:
    error_bp = [row for row in params.rows if row.startswith("error-bp")]
    assert params.squared_error_rows == [f"{row}_squared-error" for row in error_bp]
    assert params.all_rows == params.rows + params.squared_error_rows


def test_mnist_rows_follow_the_papers_protocol(params: Params) -> None:
    """Ten seeds, and the defaults of RunSpec, which are the paper's."""
    specs = params.profile("mnist").row_specs("q-agrel_learned_300-100_0.5")
    expected = RunSpec(feedback="learned", hidden=(300, 100), learning_rate=0.5)
    assert specs == [expected.replace(seed=seed) for seed in range(10)]


@pytest.mark.parametrize("profile", ["mnist", "digits"])
def test_all_runs_of_a_profile_use_its_data(params: Params, profile: str) -> None:
    chosen = params.profile(profile)
    rows = [chosen.row_specs(row) for row in params.all_rows]
    studies = [specs for name in chosen.studies for specs in chosen.study_specs(name).values()]
    assert {spec.dataset for specs in rows + studies for spec in specs} == {profile}
    assert len({spec.id for specs in rows for spec in specs}) == sum(map(len, rows))


def test_a_profile_that_goes_beyond_the_paper_has_studies_only(params: Params) -> None:
    beyond = params.profile("beyond")
    with pytest.raises(InputError, match=r"^this profile has studies only, and no rows of Table 1"):
        beyond.row_specs(params.rows[0])
    specs = [each[0] for name in beyond.studies for each in beyond.study_specs(name).values()]
    assert {spec.dataset.split(":")[0] for spec in specs} == {"mnist"}


# --- rows, profiles, studies -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("q-agrel_symmetric_300-100_1", ("q-agrel", "symmetric", (300, 100), 1.0, None)),
        ("error-bp_fixed_300_0.05", ("error-bp", "fixed", (300,), 0.05, None)),
        (
            "error-bp_fixed_5-4-3_1e-3_squared-error",
            ("error-bp", "fixed", (5, 4, 3), 1e-3, "squared-error"),
        ),
    ],
)
def test_a_rows_name_is_read(row: str, fields: tuple[Any, ...]) -> None:
    names = ["rule", "feedback", "hidden", "learning_rate", "loss"]
    expected = {name: value for name, value in zip(names, fields, strict=True) if value is not None}
    assert row_fields(row) == expected


@pytest.mark.parametrize(
    "row",
    [
        "",
        "q-agrel",
        "q-agrel_symmetric_300-100",
        "q-agrel_symmetric_300,100_1",
        "q-agrel_symmetric__1",
        "q-agrel_symmetric_300--100_1",
        "q-agrel_symmetric_300_fast",
        "error-bp_symmetric_300_1_entropy",
        "error-bp_symmetric_300_1_squared-error_2",
    ],
)
def test_a_row_that_reads_otherwise_is_refused(row: str) -> None:
    with pytest.raises(InputError, match=rf"^row: '{row}' does not read rule_feedback_hidden_"):
        row_fields(row)


def test_a_profile_and_a_study_that_are_not_there(params: Params) -> None:
    with pytest.raises(
        InputError,
        match=r"profile: 'mnits' is not one of mnist, digits, beyond; did you mean 'mnist'",
    ):
        params.profile("mnits")
    with pytest.raises(
        InputError, match=r"study: 'stepwize' is not one of .*; did you mean 'stepwise'"
    ):
        params.profile("digits").study("stepwize")


# --- other files -----------------------------------------------------------------------------

CONTENT = """
rows: [q-agrel_learned_4_0.5, error-bp_fixed_4-3_0.1]
squared_error_rows: [error-bp_fixed_4_0.1_squared-error]
profiles:
  tiny:
    n_seeds: 2
    table1: {dataset: digits, batch_size: 10, epsilon: 0.1}
    studies:
      rates:
        n_seeds: 3
        base: {max_epochs: 7, epsilon: 0.2}
        runs:
          slow: {row: q-agrel_fixed_6-5_0.01}
          fast: {row: q-agrel_fixed_6-5_0.01, learning_rate: 2.0, epsilon: 0.3}
          bare: {rule: error-bp}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes CONTENT with one text in place of another."""

    def make(old: str = "", new: str = "") -> Path:
        assert old in CONTENT
        path = tmp_path / "params.yaml"
        path.write_text(CONTENT.replace(old, new, 1))
        return path

    return make


def test_rows_take_the_fields_of_their_profile(write: Callable[..., Path]) -> None:
    specs = read_params(write()).profile("tiny").row_specs("error-bp_fixed_4_0.1_squared-error")
    expected = RunSpec(
        dataset="digits",
        rule="error-bp",
        feedback="fixed",
        hidden=(4,),
        learning_rate=0.1,
        loss="squared-error",
        batch_size=10,
        epsilon=0.1,
    )
    assert specs == [expected, expected.replace(seed=1)]


def test_studies_take_the_fields_of_profile_base_row_and_run(write: Callable[..., Path]) -> None:
    """What stands nearer to the run wins."""
    specs = read_params(write()).profile("tiny").study_specs("rates")
    common = RunSpec(dataset="digits", batch_size=10, max_epochs=7, epsilon=0.2)
    fixed = common.replace(feedback="fixed", hidden=(6, 5), learning_rate=0.01)
    assert {name: runs[0] for name, runs in specs.items()} == {
        "slow": fixed,
        "fast": fixed.replace(learning_rate=2.0, epsilon=0.3),
        "bare": common.replace(rule="error-bp"),
    }
    assert all([spec.seed for spec in runs] == [0, 1, 2] for runs in specs.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows:", "rows: [", "not readable as YAML: "),
        (CONTENT, "", "the whole file: "),
        (CONTENT, "- 1", "the whole file: "),
        ("rows:", "raws:", "rows: field required"),
        ("n_seeds: 2", "n_seeds: 0", "profiles.tiny.n_seeds: .*greater than or equal to 1"),
        ("n_seeds: 2", "n_seeds: two", "profiles.tiny.n_seeds: .*integer"),
        ("n_seeds: 2", "", "profiles.tiny.n_seeds: field required"),
        ("n_seeds: 2", "n_seeds: 2\n    seeds: 2", "profiles.tiny.seeds: extra inputs"),
        ("[q-agrel_learned_4_0.5", "[5", "rows.0: .*string"),
        ("dataset: digits, ", "", "profiles.tiny.table1: name a dataset"),
        ("dataset: digits", "dataset: 5", "profiles.tiny.table1: name a dataset"),
        ("batch_size: 10", "batch_size: ten", "profiles.tiny: batch_size: 'ten' is not possible"),
        ("batch_size", "batchsize", "profiles.tiny: unknown parameter 'batchsize'.* 'batch_size'"),
        ("table1: {", "table1: {seed: 1, ", "profiles.tiny: .*'seed'"),
        ("learned_4_0.5", "leaned_4_0.5", "profiles.tiny: feedback: 'leaned' .* mean 'learned'"),
        ("learned_4_0.5", "learned_4_0", "profiles.tiny: learning_rate: 0.0 is not possible"),
        ("learned_4_0.5", "learned_4", "profiles.tiny: row: 'q-agrel_learned_4' does not read"),
        ("n_seeds: 3", "n_seeds: 0", "profiles.tiny.studies.rates.n_seeds: "),
        ("max_epochs: 7", "max_epochs: -7", "profiles.tiny: max_epochs: -7 is not possible"),
        ("slow: {row", "slow: {line", "profiles.tiny: unknown parameter 'line'"),
        ("row: q-agrel_fixed_6-5_0.01}", "row: [1]}", "profiles.tiny: row: "),
        ("{rule: error-bp}", "{rule: error}", "profiles.tiny: rule: 'error' is not one of"),
        ("{rule: error-bp}", "5", "profiles.tiny.studies.rates.runs.bare: .*dictionary"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    write: Callable[..., Path], old: str, new: str, message: str
) -> None:
    path = write(old, new)
    with pytest.raises(InputError, match=f"(?s)^{path}: {message}") as caught:
        read_params(path)
    assert "\n" not in str(caught.value)


def test_a_profile_may_set_the_scale_of_its_data(write: Callable[..., Path]) -> None:
    profile = read_params(write("dataset: digits", "dataset: digits, grey_max: 20")).profile("tiny")
    assert profile.row_specs("q-agrel_learned_4_0.5")[0].grey_max == 20


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{tmp_path / 'params.yaml'} is not there"):
        read_params(tmp_path / "params.yaml")
