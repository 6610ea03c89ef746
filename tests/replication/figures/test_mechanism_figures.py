"""Figures of the mechanisms show the data that they are given."""

import numpy as np
import pandas as pd
import pytest
from examples import how_found, mapped, texts, turning, valued
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qagrel.replication.figures import mechanisms
from qagrel.replication.statistics import Row, discovery_table, value_course, values_when_found

LEARNED = Row("q-agrel", "learned", "300-100", 1.0)
FIXED = Row("error-bp", "fixed", "300", 0.1)


def marked(axes: Axes, marker: str) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_marker() == marker]


# --- Fig. 7 ---------------------------------------------------------------------------------


def test_angles_are_those_of_each_seed_and_their_mean_while_all_go_on() -> None:
    axes = Figure().subplots()
    mechanisms.angle_curves(axes, turning(n_layers=1), 40.0)
    long, short, mean, right_angle, limit = axes.get_lines()
    assert long.get_ydata().tolist() == [80, 70, 60, 50, 40]
    assert short.get_ydata()[:4].tolist() == mean.get_ydata().tolist() == [80, 70, 60, 50]
    assert (right_angle.get_ydata()[0], limit.get_ydata()[0]) == (90.0, 40.0)


def test_kinds_of_feedback_have_a_line_of_panels_each_and_common_changes_are_of_the_learned() -> (
    None
):
    figure = mechanisms.alignment({LEARNED: turning(), FIXED: turning(1)}, 45.0, [1.0])
    learned, fixed = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "angle of learned feedback (°)",
        "angle of fixed feedback (°)",
    ]
    assert fixed.get_title(loc="left") == "b  error-BP\n300, α = 0.1"
    (mark,) = marked(learned, "<")
    assert mark.get_ydata()[0] == pytest.approx(60.0)  # the cosine of a common change of 1 is 1/2
    assert marked(fixed, "<") == []


# --- Fig. 8 ---------------------------------------------------------------------------------


def test_receptive_fields_stand_side_by_side_on_one_scale() -> None:
    weights = np.arange(30.0).reshape(5, 6)
    fields = {LEARNED: weights, FIXED: -weights / 10}
    figure = mechanisms.receptive_fields(fields, (2, 3), 10.0)
    one, other = (axes.get_images()[0] for axes in figure.axes[:2])
    assert one.get_clim() == other.get_clim() == (-10.0, 10.0)
    shown = np.ma.filled(one.get_array(), np.nan)
    assert shown[:2, :3].tolist() == weights[0].reshape(2, 3).tolist()
    assert shown[3:, :3].tolist() == weights[4].reshape(2, 3).tolist()
    assert np.isnan(shown[2]).all()
    assert np.isnan(shown[:, 3]).all()


@pytest.mark.parametrize(("bound", "extend"), [(10.0, "both"), (30.0, "neither")])
def test_the_scale_tells_where_weights_go_beyond_it(bound: float, extend: str) -> None:
    figure = mechanisms.receptive_fields({FIXED: np.arange(24.0).reshape(4, 6)}, (2, 3), bound)
    bar = figure.axes[0].get_images()[0].colorbar
    assert bar is not None
    assert bar.extend == extend
    assert "weight" in bar.ax.get_xlabel()


# --- values of wrong actions ----------------------------------------------------------------


def test_values_of_actions_are_means_over_seeds() -> None:
    axes = Figure().subplots()
    mechanisms.value_curves(axes, value_course(valued()))
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert lines["right action"] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert lines["best wrong action"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_shares_of_exploration_are_of_changes_and_of_choices() -> None:
    axes = Figure().subplots()
    mechanisms.explorative_changes(axes, valued())
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert lines["of the change of value"] == pytest.approx([2 / 8, 4 / 10, 6 / 12, 8 / 14])
    assert lines["of wrong choices"] == pytest.approx([10 / 40, 20 / 50, 30 / 60, 40 / 70])


# --- how classes are found ------------------------------------------------------------------


def test_what_was_found_is_shown_by_width_and_exploration() -> None:
    table, axes = discovery_table(how_found()), Figure().subplots()
    mechanisms.by_exploration(axes, table, "found")
    narrow, wide = axes.get_lines()
    assert (narrow.get_label(), wide.get_label()) == ("30 hidden units", "300 hidden units")
    assert (narrow.get_ydata().tolist(), wide.get_ydata().tolist()) == ([50, 50], [100, 100])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1"]


def test_trials_are_averaged_as_their_logarithms() -> None:
    parts = [discovery_table(own) for _, own in how_found().groupby("seed")]
    axes = Figure().subplots()
    mechanisms.by_exploration(axes, pd.concat(parts), "trials", logarithmic=True)
    narrow, _ = axes.get_lines()
    assert narrow.get_ydata() == pytest.approx([np.sqrt(100 * 200)] * 2)
    assert axes.get_yscale() == "log"


def test_values_when_a_class_is_found_are_those_of_the_rival_and_its_own() -> None:
    axes = Figure().subplots()
    mechanisms.values_when_found(axes, values_when_found(how_found()))
    peak, before, own = (marked(axes, marker)[0] for marker in "vo^")
    assert peak.get_ydata() == pytest.approx([0.4] * 4)
    assert before.get_ydata() == pytest.approx([0.2] * 4)
    assert own.get_ydata() == pytest.approx([0.55] * 4)
    assert {"30 hidden units", "300 hidden units"} <= set(texts(axes))


# --- series of rates ------------------------------------------------------------------------


def test_a_series_shows_its_start_and_its_steepest_interval() -> None:
    intervals, axes = mapped(), Figure().subplots()
    own = intervals[(intervals["rule"] == "q-agrel") & (intervals["start"] == 0.01)]
    mechanisms.steepest_bar(axes, own[own["batch_size"] == 100], 0.0, "blue", filled=False)
    start, whole, mean, centre = axes.get_lines()
    assert start.get_xdata()[0] == 0.01
    assert whole.get_xdata() == pytest.approx([0.01, 0.04])
    assert mean.get_xdata() == pytest.approx([0.01 * np.sqrt(2), 0.02 * np.sqrt(2)])
    assert centre.get_xdata()[0] == pytest.approx(0.02)
    assert centre.get_markerfacecolor() == "white"


def test_a_series_that_diverges_says_so_and_the_paper_has_its_band() -> None:
    figure = mechanisms.learning_rate_map(mapped(), {"q-agrel": (0.5, 1), "error-bp": (0.05, 0.1)})
    one, other = figure.axes
    assert "diverges at once" not in texts(one)
    assert texts(other).count("diverges at once") == 2
    (band,) = other.patches
    assert band.get_extents().transformed(other.transData.inverted()).x0 == pytest.approx(0.05)
    assert [label.get_text() for label in one.get_yticklabels()] == [
        "geometric, 0.01 to 10",
        "geometric, 0.5 to 10",
    ]
