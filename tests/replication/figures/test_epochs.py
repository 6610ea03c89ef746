"""Slowness and the stopping rule, drawn of what is made up."""

import numpy as np
import pandas as pd
import pytest
from examples import texts
from matplotlib.figure import Figure

from qagrel.replication.figures import epochs
from qagrel.replication.statistics import Chain

RATIO = {"measure": "stop", "loss": "cross-entropy", "rates": "lower", "bound": ""}
RATIO |= {"ratio": 2.0, "low": 1.5, "high": 2.5}
MISSED = {**RATIO, "measure": "training 99 %", "ratio": np.nan, "low": np.nan, "high": np.nan}
TIME = {"name": "a", "rule": "q-agrel", "feedback": "symmetric", "hidden": "300", "loss": ""}
TIME |= {"mean": 150.0, "std": 50.0, "chain_mean": 140.0, "chain_std": 45.0, "n_cut_off": 0}


def test_a_ratio_has_its_interval_and_a_bound_its_arrow() -> None:
    axes = Figure().subplots()
    lines = [RATIO, {**RATIO, "rates": "higher", "bound": "at most"}, MISSED]
    epochs.ratio_points(axes, pd.DataFrame(lines), "black")
    drawn = [line for line in axes.get_lines() if line.get_marker() != "None"]
    assert [line.get_marker() for line in drawn] == ["v", "^", "<"]
    assert [float(line.get_xdata()[0]) for line in drawn] == [2.0, 2.0, 1.5]
    assert "not met by half of the runs" in texts(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "until the stopping rule",
        "training 99 %",
    ]


def test_both_losses_have_their_panel() -> None:
    figure = epochs.slowness(pd.DataFrame([RATIO, {**RATIO, "loss": "squared-error"}]))
    assert {"a  error-BP by the cross-entropy", "b  error-BP by the squared error"} <= {
        axes.get_title(loc="left") for axes in figure.axes
    }


@pytest.mark.parametrize(("n_cut_off", "face"), [(0, "#0072B2"), (3, "none")])
def test_a_row_with_runs_that_were_cut_off_is_hollow(n_cut_off: int, face: str) -> None:
    axes = Figure().subplots()
    epochs.seen_and_expected(axes, pd.DataFrame([{**TIME, "n_cut_off": n_cut_off}]))
    (mark,) = (line for line in axes.get_lines() if line.get_marker() == "o")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (140.0, 150.0)
    assert mark.get_markerfacecolor() == face


def test_runs_that_go_on_are_steps_beside_what_is_expected() -> None:
    curve = pd.DataFrame({"epoch": [0.0, 5.0, 10.0], "share": [1.0, 0.5, 0.0]})
    chain = Chain(np.array([5.0, 10.0]), np.array([0.4, 0.6]))
    figure = epochs.stopping(pd.DataFrame([TIME]), {"a": curve}, {"a": chain})
    seen, expected = figure.axes[1].get_lines()
    assert seen.get_drawstyle() == "steps-post"
    assert seen.get_ydata().tolist() == [1.0, 0.5, 0.0]
    assert expected.get_ydata() == pytest.approx([1.0, 0.6, 0.0])
    assert "b  runs that go on (300 units, lower rates)" in {
        axes.get_title(loc="left") for axes in figure.axes
    }
