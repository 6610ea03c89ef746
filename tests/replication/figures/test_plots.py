"""Figures 4 to 6 and Table 1 show the data that they are given."""

import numpy as np
import pandas as pd
import pytest
from examples import (
    N_CLASSES,
    batch_records,
    both,
    choices,
    epoch_records,
    found,
    paid,
    rising_rates,
    seeds,
    steepest,
    texts,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from qagrel.replication.figures import plots
from qagrel.replication.statistics import Paper, Row, Summary, summarise, table1


def curve(axes: Axes, index: int) -> tuple[np.ndarray, np.ndarray]:
    line = axes.get_lines()[index]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


@pytest.mark.parametrize(("rule", "measure"), [("q-agrel", "reward"), ("error-bp", "error")])
def test_a_rate_curve_is_the_measure_of_its_rule(rule: str, measure: str) -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.rate_curves(axes, epochs, rule)
    x, y = curve(axes, 0)
    assert x.tolist() == epochs["learning_rate"].tolist()
    assert y.tolist() == epochs[measure].tolist()
    assert axes.get_ylabel() == f"{measure} per epoch"


def test_rate_curves_are_seeds_and_their_mean_as_far_as_all_go() -> None:
    epochs, axes = rising_rates(), Figure().subplots()
    plots.rate_curves(axes, epochs, "q-agrel")
    lines = {line.get_label(): line for line in axes.get_lines()}
    seeds = [
        line for line in axes.get_lines() if line.get_linewidth() < 1 and len(line.get_xdata())
    ]
    for seed, line in enumerate(seeds):
        reward = epochs.loc[epochs["seed"] == seed, "reward"]
        assert line.get_ydata() == pytest.approx(reward)
    mean = lines["mean of 3 seeds"].get_ydata()
    assert mean == pytest.approx(0.9 * epoch_records()["reward"].head(6))
    ends = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in ends if len(line.get_xdata())] == [
        seeds[2].get_xdata()[-1]
    ]
    assert {"each seed", "a seed diverges"} <= set(lines)


def test_intervals_are_marked_on_average_and_from_end_to_end() -> None:
    axes = Figure().subplots()
    plots.mark_intervals(axes, "q-agrel", steepest(), (0.5, 1))
    assert {" steepest 0.1–0.2", " paper 0.5–1"} <= set(texts(axes))
    whole, mean, published = (curve(axes, i)[0] for i in range(3))
    assert whole.tolist() == [0.05, 0.4]
    assert mean == pytest.approx([0.1, 0.2])
    assert published.tolist() == [0.5, 1]


def test_batches_lie_within_their_epochs() -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.learning_curve(axes, epochs, batch_records(epochs), "q-agrel")
    (x, y), (middle, mean) = curve(axes, 0), curve(axes, 1)
    assert x.round().tolist() == batch_records(epochs)["epoch"].tolist()
    assert x.reshape(-1, 5).mean(axis=1) == pytest.approx(middle)
    assert middle.tolist() == epochs["epoch"].tolist()
    assert mean.tolist() == (1 - epochs["error"]).tolist()
    assert y.reshape(-1, 5).mean(axis=1) == pytest.approx(mean)


def test_discoveries_are_marked_in_both_panels() -> None:
    top, below = Figure().subplots(2, 1)
    plots.mark_discoveries(top, below, found(3))
    x, y = curve(top, 0)
    assert x.tolist() == [1, 2, 3]
    assert y.tolist() == [0, 1, 2]
    assert [line.get_xdata()[0] for line in below.get_lines()] == [1, 2, 3]


def test_figures_5_and_6_put_epochs_at_the_same_places(figures: dict[str, Figure]) -> None:
    panels = [axes for name in ("fig5", "fig6") for axes in figures[name].axes]
    assert {axes.get_xlim() for axes in panels} == {(0.5, 8.5)}


def test_every_mark_of_a_learning_curve_is_in_its_legend(figures: dict[str, Figure]) -> None:
    legend = figures["fig5"].axes[2].get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["reward per batch", "reward per epoch", "step", "class discovered"]


def test_steps_are_marked_above_the_curve() -> None:
    epochs, axes = epoch_records(), Figure().subplots()
    plots.mark_steps(axes, epochs, [1, 4])
    x, y = curve(axes, 0)
    assert x.tolist() == [2, 5]
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


@pytest.mark.parametrize("n_epochs", [1, 2, 8])
def test_discs_do_not_hide_each_other(n_epochs: int) -> None:
    """However many classes are discovered at once."""
    together = found().assign(epoch=lambda table: 1 + table["class"] % n_epochs)
    figure = plots.class_selection(both(epoch_records()), both(together))
    for axes in figure.axes:
        discs = [line for line in axes.get_lines() if line.get_markersize() == plots.DISC]
        assert len(discs) == N_CLASSES
        places = [axes.transData.transform(line.get_xydata()[0]) for line in discs]
        size = plots.DISC * figure.dpi / 72
        for i, place in enumerate(places):
            assert all(np.hypot(*(place - other)) > size for other in places[:i])
            assert axes.bbox.y0 <= place[1] <= axes.bbox.y1


def test_what_does_not_touch_is_not_moved() -> None:
    axes = Figure().subplots()
    points = [(0.1, 0.5), (0.5, 0.5), (0.9, 0.1)]
    assert plots.moved_apart(axes, points, 10) == pytest.approx(np.array(points))


def test_matrices_are_shown_where_classes_are_discovered() -> None:
    epochs = [1, 1, 2, 3, 4, 4, 5, 6, 9, np.nan]
    discovered = found().assign(epoch=epochs)
    assert plots.telling_epochs(discovered, 20) == [1, 2, 4, 5, 9]
    assert plots.telling_epochs(discovered.assign(epoch=np.nan), 20) == [20]


def test_a_confusion_matrix_shows_shares_of_the_true_class() -> None:
    axes = Figure().subplots()
    squares = plots.confusion_matrix(axes, np.array([[3, 1], [0, 8]]))
    corners = [path.get_extents().min.tolist() for path in squares.get_paths()]
    shown = dict(zip(map(tuple, corners), squares.get_array(), strict=True))
    assert shown == {(0, 0): 0.75, (1, 0): 0.25, (1, 1): 1.0}  # (selected, true)
    assert axes.yaxis_inverted()


def test_the_table_shows_every_seed_but_diverged_ones(
    table: dict[Row, Summary],
) -> None:
    first, second, *_ = table
    for row, n_points in ((first, 2), (second, 3)):
        axes = Figure().subplots()
        axes.set(xlim=(90, 100), ylim=(5, 0))
        plots.row_seeds(axes, 4, row, table[row], "accuracy", None)
        finished = [seed for seed in table[row].seeds if seed[3] != "diverged"]
        shown = [line.get_xdata()[0] for line in axes.get_lines()]
        assert shown == pytest.approx([seed[1] for seed in finished])
        assert len(shown) == n_points


def test_seeds_with_one_result_are_stacked_and_those_cut_off_counted() -> None:
    runs = seeds([98.0] * 5, [50, 50, 55, 80, 80], ["converged"] * 3 + ["max-epochs"] * 2)
    row, ours, axes = Row("q-agrel", "fixed", "300", 0.1), summarise(runs), Figure().subplots()
    axes.set(xlim=(0, 100), ylim=(2, 0))
    plots.row_seeds(axes, 1, row, ours, "epochs", None)
    places = [tuple(np.round(line.get_xydata()[0], 6)) for line in axes.get_lines()]
    assert sorted(x for x, _ in places) == [50, 50, 55, 80]
    assert len(set(places)) == 4
    assert texts(axes).count("2") == 1


def test_seeds_are_marked_by_their_number(table: dict[Row, Summary]) -> None:
    row, axes = list(table)[1], Figure().subplots()
    axes.set(xlim=(90, 100), ylim=(5, 0))
    plots.row_seeds(axes, 1, row, table[row], "accuracy", 1)
    faces = [line.get_markerfacecolor() for line in axes.get_lines()]
    assert [face == "none" for face in faces] == [True, False, True]


def test_the_table_shows_the_papers_mean_and_deviation(
    table: dict[Row, Summary], paper: Paper
) -> None:
    row, axes = next(iter(table)), Figure().subplots()
    plots.row_means(axes, 0, row, table[row], paper, "epochs")
    ends, mean = axes.get_lines()[-2:]
    assert ends.get_xdata() == pytest.approx([249 - 90, 249 + 90])
    assert mean.get_xdata()[0] == 249


def test_the_table_shows_our_mean_and_deviation(table: dict[Row, Summary], paper: Paper) -> None:
    row, axes = next(iter(table)), Figure().subplots()
    plots.row_means(axes, 0, row, table[row], paper, "accuracy")
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
    leftmost = pd.DataFrame({"seed": [0], "low": [0.01], "high": [0.02]})
    figure = plots.learning_rate_range(both(epoch_records()), both(leftmost), both((0.01, 0.02)))
    for axes, title in zip(figure.axes, ("a  Q-AGREL", "b  error-BP"), strict=True):
        (text,) = [text for text in axes.findobj(Text) if text.get_text() == title]
        marks = [line.get_window_extent() for line in axes.lines]
        assert len(marks) == 4
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
