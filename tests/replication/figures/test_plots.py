"""Figures 4 to 6 and Table 1 show the data that they are given."""

import numpy as np
import pytest
from examples import (
    N_CLASSES,
    batch_records,
    both,
    choices,
    epoch_records,
    found,
    paid,
    texts,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from qagrel.replication.figures import plots
from qagrel.replication.statistics import Paper, Row, Summary, table1


def curve(axes: Axes, index: int) -> tuple[np.ndarray, np.ndarray]:
    line = axes.get_lines()[index]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


@pytest.mark.parametrize(("rule", "measure"), [("q-agrel", "reward"), ("error-bp", "error")])
def test_a_rate_curve_is_the_measure_of_its_rule(rule: str, measure: str) -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.rate_curve(axes, epochs, rule, (0.1, 0.2), (0.5, 1))
    x, y = curve(axes, 0)
    assert x.tolist() == epochs["learning_rate"].tolist()
    assert y.tolist() == epochs[measure].tolist()
    assert axes.get_ylabel() == f"{measure} per epoch"


def test_a_rate_curve_marks_both_intervals() -> None:
    axes = Figure().subplots()
    plots.rate_curve(axes, epoch_records(), "q-agrel", (0.1, 0.2), (0.5, 1))
    assert {" steepest 0.1–0.2", " paper 0.5–1"} <= set(texts(axes))
    assert [curve(axes, i)[0].tolist() for i in (1, 2)] == [[0.1, 0.2], [0.5, 1]]


def test_batches_lie_within_their_epochs() -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.learning_curve(axes, epochs, batch_records(epochs), "q-agrel")
    (x, y), (middle, mean) = curve(axes, 0), curve(axes, 1)
    assert np.ceil(x).tolist() == batch_records(epochs)["epoch"].tolist()
    assert middle.tolist() == [epoch - 0.5 for epoch in epochs["epoch"]]
    assert mean.tolist() == (1 - epochs["error"]).tolist()
    assert y.reshape(-1, 5).mean(axis=1) == pytest.approx(mean)


def test_discoveries_are_marked_in_both_panels() -> None:
    top, below = Figure().subplots(2, 1)
    plots.mark_discoveries(top, below, found(3))
    x, y = curve(top, 0)
    assert x.tolist() == [0.5, 1.5, 2.5]
    assert y.tolist() == [0, 1, 2]
    assert [line.get_xdata()[0] for line in below.get_lines()] == [0.5, 1.5, 2.5]


def test_steps_are_marked_above_the_curve() -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.mark_steps(axes, epochs, [1, 4])
    x, y = curve(axes, 0)
    assert x.tolist() == [1.5, 4.5]
    assert (y > 1 - epochs["error"].iloc[[1, 4]]).all()


def test_class_curves_are_shares() -> None:
    figure = plots.class_selection(both(epoch_records()), both(found()))
    selected, recognised = figure.axes[:2]
    first = epoch_records()["selected_0"] / 500
    assert curve(selected, 0)[1] == pytest.approx(first.to_numpy())
    assert curve(recognised, 0)[1] == pytest.approx(np.full(8, 0.8))
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [*map(str, range(N_CLASSES)), "class discovered"]


def test_a_confusion_matrix_shows_shares_of_the_true_class() -> None:
    axes = Figure().subplots()
    squares = plots.confusion_matrix(axes, np.array([[3, 1], [0, 8]]))
    corners = [path.get_extents().min.tolist() for path in squares.get_paths()]
    shown = dict(zip(map(tuple, corners), squares.get_array(), strict=True))
    assert shown == {(0, 0): 0.75, (1, 0): 0.25, (1, 1): 1.0}  # (selected, true)
    assert axes.yaxis_inverted()


def test_the_table_shows_every_seed_but_diverged_ones(
    table: dict[Row, Summary], paper: Paper
) -> None:
    first, second, *_ = table
    for row, n_points in ((first, 2), (second, 3)):
        axes = Figure().subplots()
        plots.row_points(axes, 4, row, table[row], paper, "accuracy", None)
        seeds = [line for line in axes.get_lines() if line.get_ydata()[0] == pytest.approx(3.78)]
        finished = [seed for seed in table[row].seeds if seed[3] != "diverged"]
        assert [line.get_xdata()[0] for line in seeds] == [seed[1] for seed in finished]
        assert len(seeds) == n_points


def test_the_table_shows_the_papers_mean_and_deviation(
    table: dict[Row, Summary], paper: Paper
) -> None:
    row, axes = next(iter(table)), Figure().subplots()
    plots.row_points(axes, 0, row, table[row], paper, "epochs", None)
    ends, mean = axes.get_lines()[-2:]
    assert ends.get_xdata() == pytest.approx([249 - 90, 249 + 90])
    assert mean.get_xdata()[0] == 249


def test_the_table_shows_our_mean_and_deviation(table: dict[Row, Summary], paper: Paper) -> None:
    row, axes = next(iter(table)), Figure().subplots()
    plots.row_points(axes, 0, row, table[row], paper, "accuracy", None)
    ends, mean = axes.get_lines()[-4:-2]
    ours = table[row].accuracy
    assert ends.get_xdata() == pytest.approx([ours.mean - ours.std, ours.mean + ours.std])
    assert mean.get_xdata()[0] == ours.mean


def test_literature_off_the_axis_is_written_out(figures: dict[str, Figure]) -> None:
    assert " ◂ 95.3" in texts(figures["table1"])


def test_the_table_in_words(table: dict[Row, Summary], paper: Paper) -> None:
    text = plots.table1_text(table1(table, paper, "mnist"), paper).set_index("hidden")
    assert len(text) == len(paper.table) + len(paper.benchmark)
    row = text.iloc[1]
    assert row["accuracy, ours"] == "98.12 (0.10)"
    assert row["accuracy, paper"] == "98.12 (0.11)"
    assert row["epochs, paper"] == "167 (46)"
    assert row["seeds"] == "3"
    assert text.loc["500-150", "accuracy, paper"] == "97.05"
    assert "999 (–)" in set(text["epochs, paper"])


def test_the_titles_stand_clear_of_the_marked_intervals() -> None:
    leftmost = both((0.01, 0.02))
    figure = plots.learning_rate_range(both(epoch_records()), leftmost, leftmost)
    for axes, title in zip(figure.axes, ("a  Q-AGREL", "b  error-BP"), strict=True):
        (text,) = [text for text in axes.findobj(Text) if text.get_text() == title]
        marks = [line.get_window_extent() for line in axes.lines]
        assert len(marks) == 3
        assert text.get_window_extent().count_overlaps(marks) == 0


# --- rewards ---------------------------------------------------------------------------------


def test_reward_curves_stand_beside_the_best_policy() -> None:
    axes, tasks = Figure().subplots(), paid(epoch_records())
    plots.reward_curves(axes, tasks)
    for number, epochs in enumerate(tasks.values()):
        assert curve(axes, 2 * number)[1].tolist() == epochs["reward"].tolist()
        assert curve(axes, 2 * number + 1)[1].tolist() == epochs["optimal_reward"].tolist()
    legend = axes.get_legend()
    assert legend is not None
    assert texts(axes)[-3:] == ["certain", "by chance", "expected of the best policy"]


def test_reversal_curves_cross_at_the_switch() -> None:
    axes, shares = Figure().subplots(), choices()
    plots.reversal_curves(axes, shares, 5)
    (x, before), (_, after), (switch, _) = (curve(axes, i) for i in range(3))
    assert x.tolist() == shares["epoch"].tolist()
    assert (before.tolist(), after.tolist()) == (
        shares["before"].tolist(),
        shares["after"].tolist(),
    )
    assert switch.tolist() == [4.5, 4.5]
    assert (before > after).tolist() == (x < switch[0]).tolist()


def test_tasks_differ_by_line_too(figures: dict[str, Figure]) -> None:
    for axes in figures["rewards"].axes:
        looks = [line.get_linestyle() for line in axes.get_lines()[:2]]
        assert len(set(looks)) == 2
