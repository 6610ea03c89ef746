"""What becomes of rows and conclusions under other readings of the paper."""

import pandas as pd
import pytest
from examples import AGREL, BACKPROP, seeds

from qagrel.errors import InputError
from qagrel.replication.statistics import Paper, Row, conclusions, sensitivity


def variant(
    reading: str, setting: str, row: Row, accuracies: list[float], epochs: list[int]
) -> pd.DataFrame:
    line = {
        "reading": reading,
        "setting": setting,
        "rule": row.rule,
        "feedback": row.feedback,
        "hidden": row.hidden,
        "learning_rate": row.learning_rate,
    }
    return seeds(accuracies, epochs).assign(**line)


@pytest.fixture
def study() -> pd.DataFrame:
    return pd.concat(
        [
            variant("default", "", AGREL, [98.2, 98.24, 98.28], [140, 150, 160]),
            variant("default", "", BACKPROP, [98.15, 98.17, 98.19], [46, 47, 48]),
            variant("input_scale", "binary", AGREL, [97.5, 97.6, 97.55], [140, 150, 160]),
            variant("epsilon", "0.1", AGREL, [98.2, 98.24, 98.28], [47, 48, 49]),
        ]
    )


def test_each_reading_is_compared_with_the_paper(paper: Paper, study: pd.DataFrame) -> None:
    frame = sensitivity(study, paper, "mnist").set_index(["reading", "setting", "rule"])
    assert frame.loc[("default", "", "q-agrel"), "accuracy_verdict"] == "replicated"
    assert frame.loc[("input_scale", "binary", "q-agrel"), "accuracy_verdict"] == "differs"
    assert frame.loc[("epsilon", "0.1", "q-agrel"), "epochs_verdict"] == "differs"
    assert len(frame) == 4


def test_a_reading_of_one_rule_is_judged_with_the_other_rules_default_rows(
    paper: Paper, study: pd.DataFrame
) -> None:
    frame = conclusions(study, paper, "mnist").set_index("reading")
    assert frame.loc["input_scale", "accuracy-on-par"] == "differs"
    assert frame.loc["input_scale", "slower-text"] == frame.loc["default", "slower-text"]
    assert frame.loc["epsilon", "slower-text"] == "differs"
    assert frame.loc["epsilon", "accuracy-on-par"] == "replicated"


def test_the_last_line_says_which_conclusions_hold_under_all_readings(
    paper: Paper, study: pd.DataFrame
) -> None:
    frame = conclusions(study, paper, "mnist").set_index("reading")
    assert frame.loc["all", "accuracy-on-par"] == "differs"
    assert frame.loc["all", "above-benchmark"] == "replicated"
    assert frame.loc["all", "fixed-slower"] == "not tested"


def test_a_study_on_other_data_is_not_compared(paper: Paper, study: pd.DataFrame) -> None:
    frame = conclusions(study, paper, "digits").set_index("reading")
    assert frame.loc["default", "accuracy-on-par"] == "not comparable"
    assert frame.loc["all", "accuracy-on-par"] == "not comparable"


def test_a_study_without_its_default_runs_is_refused(paper: Paper, study: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="default"):
        sensitivity(study[study["reading"] != "default"], paper, "mnist")
