"""Figures of what goes beyond the paper: what is drawn, from made-up studies."""

import math
from pathlib import Path

import pandas as pd
import pytest
from examples import beyond_results

from qagrel.replication import beyond as results
from qagrel.replication import naming
from qagrel.replication.figures import beyond
from qagrel.replication.figures.beyond import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("beyond")
    beyond_results(made, n_seeds=2)
    return made


def test_every_seed_and_the_mean_stand_in_the_line_of_their_setting() -> None:
    table = pd.DataFrame(
        {"run": ["error-bp, sgd, none"] * 2 + ["initial-q 1"], "value": [90.0, 92.0, 80.0]}
    )
    figure = beyond.settings([Settings("one", table, "accuracy", marks={"theirs": 85.0})])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "error-BP, SGD",
        "initial Q 1",
    ]
    points, mean, single, *_ = axes.lines
    assert list(points.get_xdata()) == [90.0, 92.0]
    assert list(mean.get_xdata()) == [91.0, 91.0]
    assert list(single.get_xdata()) == [80.0]
    assert points.get_marker() != single.get_marker()
    assert axes.texts[0].get_text() == "theirs"
    low, high = axes.get_xlim()
    assert low < 80 < 92 < high


def test_settings_of_equal_whole_numbers_have_whole_ticks() -> None:
    table = pd.DataFrame({"run": ["a", "b"], "value": [10.0, 10.0]})
    (axes,) = beyond.settings([Settings("one", table, "classes")]).axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [10]


def test_means_of_what_is_compared_as_ratios_are_geometric() -> None:
    table = pd.DataFrame({"run": ["a", "a"], "value": [100.0, 400.0]})
    (axes,) = beyond.settings([Settings("one", table, "epochs", log=True)]).axes
    assert axes.get_xscale() == "log"
    assert list(axes.lines[1].get_xdata()) == pytest.approx([200.0, 200.0])


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("q-agrel, leaky-relu", "Q-AGREL, leaky ReLU"),
        ("error-bp, relu", "error-BP, ReLU"),
        ("adam, affine", "Adam, distorted"),
        ("momentum, none", "momentum"),
        ("neither", "the paper's rule"),
        ("300-100, tanh", "300-100, tanh"),
    ],
)
def test_settings_are_named_as_readers_have_them(code: str, name: str) -> None:
    assert naming.named(code) == name


def test_depth_has_a_panel_a_range_and_the_deepest_networks(folder: Path) -> None:
    table = results.values(folder, "depth", "accuracy")
    figure = beyond.depth(table)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["a  initial weights ±0.05", "b  initial weights ±0.1", "c  6 hidden layers"]
    line = figure.axes[0].get_lines()[1]
    own = table[table["run"].str.fullmatch(r"\d, q-agrel, symmetric, 0\.05")]
    assert list(line.get_ydata()) == pytest.approx(own.groupby("run")["value"].mean().tolist())


def test_depth_of_one_depth_alone(folder: Path) -> None:
    table = results.values(folder, "depth", "accuracy")
    figure = beyond.depth(table[table["run"].str.startswith("6")])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a  6 hidden layers"]


def test_the_ratio_of_trials_is_by_seed(folder: Path) -> None:
    table = results.values(folder, "classes", "trials")
    figure = beyond.classes(table, results.trial_ratios(folder), "trials until it knows")
    assert figure.axes[0].get_ylabel() == "trials until it knows"
    *_, same, own = figure.axes
    points = same.get_lines()[4]  # of the third share, 95 %: each has seeds and a mean
    wide = table.pivot(index="seed", columns="run", values="value")
    expected = wide["2, q-agrel, same"] / wide["2, error-bp, same"]
    assert list(points.get_ydata())[: len(expected)] == pytest.approx(expected.tolist())
    labels = [text.get_text() for text in own.get_legend().get_texts()]
    assert labels == ["80 % right", "90 % right", "95 % right", "97 % right", "bits told"]


def test_bits_of_a_teacher_over_those_of_a_reward() -> None:
    assert beyond.bits(2) == 1
    at_ten = math.log2(10) / (0.1 * math.log2(10) + 0.9 * math.log2(10 / 9))
    assert beyond.bits(10) == pytest.approx(at_ten)
    assert at_ten == pytest.approx(7.08, abs=0.01)  # as the predictions say


def test_feedback_that_is_right_is_where_nothing_is_wrong(folder: Path) -> None:
    table = results.values(folder, "feedback", "accuracy")
    figure = beyond.feedback(table, lowest=50.0)
    mean = table.loc[table["run"] == "symmetric", "value"].mean()
    for axes in figure.axes[1:]:
        line = axes.get_lines()[1]
        assert line.get_xdata()[0] == 0
        assert line.get_ydata()[0] == pytest.approx(mean)
    assert figure.axes[0].get_ylim()[0] == 50
