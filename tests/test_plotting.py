"""Figures show the data they are given, look alike, and are the same bytes every time."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, TRIAL
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from qagrel.replication.figures import plots, schematics, style
from qagrel.replication.statistics import Paper, Row, Summary, read_paper, summarise, table1
from qagrel.trial import Trial, find_trial, open_and_closed

N_CLASSES = 10


def epoch_records(n_epochs: int = 8) -> pd.DataFrame:
    """A network that finds a class in every epoch but the last, and never class 9."""
    epoch = np.arange(1, n_epochs + 1)
    error = 1 - epoch / (n_epochs + 2)
    frame = pd.DataFrame({"epoch": epoch, "error": error, "reward": 1 - error})
    frame["learning_rate"] = np.geomspace(0.01, 1, n_epochs)
    for number in range(N_CLASSES):
        frame[f"presented_{number}"] = 50
        frame[f"correct_{number}"] = np.where(epoch > number, 40, 0)
        frame[f"selected_{number}"] = np.where(epoch > number, 500 // np.minimum(epoch, 10), 0)
    return frame


def batch_records(epochs: pd.DataFrame, n_batches: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": np.repeat(epochs["epoch"], n_batches),
            "batch": np.tile(np.arange(1, n_batches + 1), len(epochs)),
            "error": np.repeat(epochs["error"], n_batches),
        }
    )


def found(n_epochs: int = 8) -> pd.DataFrame:
    epoch = [n + 1.0 if n < n_epochs else np.nan for n in range(N_CLASSES)]
    return pd.DataFrame({"seed": 0, "class": range(N_CLASSES), "epoch": epoch})


def both(value: object) -> dict[str, object]:
    return {"q-agrel": value, "error-bp": value}


@pytest.fixture(scope="module")
def paper() -> Paper:
    return read_paper(ROOT / "paper")


@pytest.fixture(scope="module")
def table(paper: Paper) -> dict[Row, Summary]:
    """Our rows as the paper has them, three seeds each; the first row has a diverged one."""
    rows = {}
    for i, (row, printed) in enumerate(paper.table.items()):
        runs = {
            "seed": [0, 1, 2],
            "n_epochs": [printed.epochs.mean - 5, printed.epochs.mean, printed.epochs.mean + 5],
            "test_accuracy": [printed.accuracy.mean - 0.1, printed.accuracy.mean, np.nan],
            "status": ["converged", "max-epochs", "diverged"],
        }
        if i:
            runs["test_accuracy"][2] = printed.accuracy.mean + 0.1
            runs["status"][2] = "converged"
        rows[row] = summarise(pd.DataFrame(runs).astype({"n_epochs": int}))
    return rows


@pytest.fixture(scope="module")
def trial() -> Trial:
    return find_trial(TRIAL, lambda t: t.reward == 1 and (t.activities[1] > 0).sum() == 2)


@pytest.fixture(scope="module")
def gates() -> tuple[int, Trial, Trial]:
    return open_and_closed(TRIAL.replace(hidden=(3, 1)), 2)


@pytest.fixture(scope="module")
def make(
    paper: Paper,
    table: dict[Row, Summary],
    trial: Trial,
    gates: tuple[int, Trial, Trial],
) -> dict[str, Callable[[], Figure]]:
    """Return what makes each figure."""
    epochs, counts = epoch_records(), np.eye(N_CLASSES, dtype=int)[None].repeat(8, axis=0)
    unit, opened, closed = gates
    return {
        "fig1": lambda: schematics.overview(trial),
        "fig2": lambda: schematics.local_information(trial, 0),
        "fig3": lambda: schematics.gating(opened, closed, 2, unit),
        "fig4": lambda: plots.learning_rate_range(both(epochs), both((0.1, 0.2)), both((0.5, 1))),
        "fig5": lambda: plots.stepwise_reward(
            both(epochs), both(batch_records(epochs)), both(found()), both([2, 5])
        ),
        "fig6": lambda: plots.class_selection(both(epochs), both(found())),
        "confusion": lambda: plots.confusion_over_time(both(counts), [1, 4, 8]),
        "table1": lambda: plots.table1(table, paper, seed=1),
    }


FIGURES = ["fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "confusion", "table1"]


@pytest.fixture(scope="module")
def figures(make: dict[str, Callable[[], Figure]]) -> dict[str, Figure]:
    return {name: make[name]() for name in FIGURES}


@pytest.fixture(scope="module")
def saved(
    figures: dict[str, Figure], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, style.Saved]:
    folder = tmp_path_factory.mktemp("figures")
    return {name: style.save(figures[name], folder, name) for name in FIGURES}


def texts(figure: Figure | Axes) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


# --- style and files ------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_two_columns_wide_and_fits_a_page(
    figures: dict[str, Figure], name: str
) -> None:
    width, height = figures[name].get_size_inches() * 25.4
    assert width == pytest.approx(183)
    assert height <= 170


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_too_small_to_read(figures: dict[str, Figure], name: str) -> None:
    shown = [text for text in figures[name].findobj(Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in shown) >= 5


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_lies_outside_the_picture(figures: dict[str, Figure], name: str) -> None:
    with style.style():
        figures[name].draw_without_rendering()
        page, drawn = figures[name].bbox, figures[name].get_tightbbox()
    inches = figures[name].dpi
    assert drawn.x0 * inches >= page.x0 - 1
    assert drawn.x1 * inches <= page.x1 + 1
    assert drawn.y0 * inches >= page.y0 - 1
    assert drawn.y1 * inches <= page.y1 + 1


def test_the_titles_stand_clear_of_the_marked_intervals() -> None:
    leftmost = both((0.01, 0.02))
    figure = plots.learning_rate_range(both(epoch_records()), leftmost, leftmost)
    for axes, title in zip(figure.axes, ("a  Q-AGREL", "b  error-BP"), strict=True):
        (text,) = [text for text in axes.findobj(Text) if text.get_text() == title]
        marks = [line.get_window_extent() for line in axes.lines]
        assert len(marks) == 3
        assert text.get_window_extent().count_overlaps(marks) == 0


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_data_give_the_same_bytes(
    saved: dict[str, style.Saved],
    make: dict[str, Callable[[], Figure]],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # would be written, were there a date
    again = style.save(make[name](), tmp_path, name)
    assert [path.suffix for path in again.paths] == [".svg", ".pdf", ".png"]
    for one, other in zip(saved[name].paths, again.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_figure_that_was_saved_before_is_the_same_bytes(
    saved: dict[str, style.Saved], figures: dict[str, Figure], tmp_path: Path
) -> None:
    again = style.save(figures["confusion"], tmp_path, "confusion")
    for one, other in zip(saved["confusion"].paths, again.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_files_name_neither_date_nor_program(saved: dict[str, style.Saved], name: str) -> None:
    for path in saved[name].paths:
        content = path.read_bytes()
        assert not re.search(rb"Matplotlib|matplotlib\.org|CreationDate|Software", content)
        assert not re.search(rb"dc:date|20\d\d-\d\d-\d\d", content)


def test_saved_figures_show_themselves_in_a_notebook(saved: dict[str, style.Saved]) -> None:
    picture = saved["fig4"]
    assert picture._repr_svg_() == picture.paths[0].read_text()
    assert repr(picture) == "fig4.svg, fig4.pdf, fig4.png"


def test_the_users_own_settings_neither_matter_nor_change(
    saved: dict[str, style.Saved], make: dict[str, Callable[[], Figure]], tmp_path: Path
) -> None:
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.grid": True}):
        own = style.save(make["fig4"](), tmp_path, "fig4")
        assert mpl.rcParams["font.size"] == 20
    assert saved["fig4"].paths[0].read_bytes() == own.paths[0].read_bytes()


# --- without colours ------------------------------------------------------------------------


def test_rules_differ_by_marker_too() -> None:
    assert len(set(style.RULE_MARKERS.values())) == len(style.RULE_COLOURS)


def test_ten_classes_differ_by_colour_and_line() -> None:
    assert len(set(style.CLASS_COLOURS)) * len(style.CLASS_LINES) == N_CLASSES


def test_colours_are_dark_enough_on_white() -> None:
    """Contrast of 2.5 or more, as WCAG counts it: visible in print, in grey too."""
    for colour in {*style.CLASS_COLOURS, *style.RULE_COLOURS.values()}:
        channels = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        luminance = np.dot([0.2126, 0.7152, 0.0722], channels)
        assert 1.05 / (luminance + 0.05) > 2.5


# --- what the panels show -------------------------------------------------------------------


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


# --- schematics -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.567, "0.57"), (-1.2, "−1.20"), (0.004, "≈0"), (-0.004, "≈0")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert schematics.number(value) == text


PHASES = [
    (schematics.feedforward_pass, lambda trial: trial.activities),
    (schematics.action_selection, lambda trial: trial.activities[-1:]),
    (schematics.feedback_pass, lambda trial: trial.signals),
    (schematics.prediction_error, lambda trial: trial.activities[-1:]),
    (schematics.synaptic_update, lambda trial: [c[c != 0] for c in trial.changes]),
]


@pytest.mark.parametrize(("draw", "numbers"), PHASES, ids=lambda f: getattr(f, "__name__", ""))
def test_a_phase_shows_the_numbers_of_the_trial(draw, numbers, trial: Trial) -> None:
    axes = Figure().subplots()
    draw(axes, trial)
    expected = [schematics.number(float(v)) for values in numbers(trial) for v in np.ravel(values)]
    shown = texts(axes)
    for text in set(expected):
        assert shown.count(text) >= expected.count(text)


def test_the_prediction_error_is_worked_out(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.prediction_error(axes, trial)
    delta = schematics.number(trial.delta)
    assert any(re.fullmatch(rf"δ = r − q = 1 − .* = {delta}", text) for text in texts(axes))


def test_a_node_shows_each_change_as_a_product(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.node_detail(axes, trial, 0)
    equations = [text for text in texts(axes) if "Delta" in text]
    assert len(equations) == 3 + 2
    for equation, change in zip(equations, trial.changes[0][:, 0], strict=False):
        assert equation.endswith(schematics.number(change).replace("≈", "≈ "))


def test_only_a_closed_gate_stops_the_feedback(gates: tuple[int, Trial, Trial]) -> None:
    unit, opened, closed = gates
    for trial, g, is_stopped in ((opened, 1, False), (closed, 0, True)):
        axes = Figure().subplots()
        schematics.gate_panel(axes, trial, 2, unit)
        assert any(text.endswith(f"$g$ = {g}") for text in texts(axes))
        assert ("✕" in texts(axes)) is is_stopped


@pytest.mark.parametrize("hidden", [(1,), (2, 3, 2), (3, 3, 3, 1)])
def test_networks_of_other_depths_can_be_drawn(hidden: tuple[int, ...]) -> None:
    trial = find_trial(TRIAL.replace(hidden=hidden), lambda t: t.reward == 1)
    axes = Figure().subplots()
    schematics.notation(axes, trial)
    assert r"$q_{3}$" in texts(axes)
    assert rf"$y^{{({len(hidden)})}}_{{{hidden[-1]}}}$" in texts(axes)


def test_the_detail_of_a_node_needs_no_second_hidden_layer() -> None:
    trial = find_trial(TRIAL.replace(hidden=(2,)), lambda t: t.reward == 1)
    axes = Figure().subplots()
    schematics.node_detail(axes, trial, 1)
    assert "to layer 2" in texts(axes)
