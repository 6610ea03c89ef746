"""Results -> figures: one function a panel, and for each figure one that arranges them.

Panels take an Axes and data; figures take data and give a Figure, to be handed to `save`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from qagrel.replication.figures.style import (
    BLACK,
    BLUE,
    CLASS_COLOURS,
    CLASS_LINES,
    DOUBLE,
    FEEDBACK_NAMES,
    GREY,
    MM,
    RULE_COLOURS,
    RULE_MARKERS,
    RULE_NAMES,
    TASK_COLOURS,
    TASK_LINES,
    VERMILLION,
    letter_panel,
    new_figure,
    plain_numbers,
    styled,
)
from qagrel.replication.statistics import MEASURES, Moments, Paper, Row, Summary

Array = npt.NDArray[Any]
DISC, SEED = 8.5, 2.0  # points across: a class's disc with its number, a seed's mark
Interval = tuple[float, float]


# --- Fig. 4: learning-rate range ------------------------------------------------------------


@styled
def learning_rate_range(
    histories: Mapping[str, pd.DataFrame],
    steepest: Mapping[str, pd.DataFrame],
    published: Mapping[str, Interval],
) -> Figure:
    """Fig. 4: reward of Q-AGREL and error of error-BP while the learning rate is raised.

    Parameters
    ----------
    histories : a rule's records: columns seed, epoch, learning_rate, reward, error.
    steepest : a rule's intervals of steepest change, as `statistics.steepest_intervals` gives them.
    published : those of the paper.
    """
    figure = new_figure(DOUBLE, 80 * MM)
    panels = figure.subplots(1, len(histories), squeeze=False)[0]
    for axes, letter, rule in zip(panels, "ab", histories, strict=False):
        rate_curves(axes, histories[rule], rule)
        mark_intervals(axes, rule, steepest[rule], published[rule])
        letter_panel(axes, letter, RULE_NAMES[rule], 1.16)  # above the marked intervals
        axes.legend(loc="best")
    return figure


def rate_curves(axes: Axes, epochs: pd.DataFrame, rule: str) -> None:
    """Reward (Q-AGREL) or error (error-BP) of each epoch against its rate: seeds and their mean.

    The mean goes as far as all seeds do: what diverged has no more records.
    """
    measure = "reward" if rule == "q-agrel" else "error"
    colour, rates = RULE_COLOURS[rule], epochs["learning_rate"]
    curves = epochs.pivot_table(measure, "learning_rate", "seed")
    n_seeds = curves.shape[1]
    for i, seed in enumerate(curves):
        known = curves[seed].dropna()
        if n_seeds > 1:
            label = "" if i else "each seed"
            axes.plot(known.index, known, color=colour, lw=0.5, alpha=0.6, label=label)
        if len(known) < len(curves):
            axes.plot(known.index[-1], known.iloc[-1], "x", color=BLACK, ms=4, zorder=4)
    mean = curves.dropna().mean(axis="columns")
    name = f"mean of {n_seeds} seeds" if n_seeds > 1 else f"{measure} of one seed"
    axes.plot(mean.index, mean, color=colour, marker=RULE_MARKERS[rule], label=name, zorder=3)
    if curves.isna().any(axis=None):
        axes.plot([], [], "x", color=BLACK, ms=4, label="a seed diverges")
    axes.set(xscale="log", ylim=(0, 1), xlabel="learning rate α", ylabel=f"{measure} per epoch")
    plain_numbers(axes, (1,) if rates.max() > 100 * rates.min() else (1, 2, 5))


def mark_intervals(axes: Axes, rule: str, steepest: pd.DataFrame, published: Interval) -> None:
    """Where the curve is steepest: on average (a bar), in any seed (thin lines), in the paper."""
    colour, where = RULE_COLOURS[rule], axes.get_xaxis_transform()
    ends = np.exp(np.log(steepest[["low", "high"]]).mean()).tolist()
    axes.axvspan(*ends, color=colour, alpha=0.15, lw=0)
    whole = [steepest["low"].min(), steepest["high"].max()]
    look: Any = {"transform": where, "clip_on": False}
    axes.plot(whole, [1.11] * 2, color=colour, lw=0.5, **look)
    for interval, name, ink, height in (
        (ends, "steepest", colour, 1.11),
        (published, "paper", BLACK, 1.04),
    ):
        axes.plot(interval, [height] * 2, "|-", color=ink, ms=4, lw=1.4, **look)
        label = f" {name} {interval[0]:.2g}–{interval[1]:.2g}"
        right = whole[1] if name == "steepest" else interval[1]
        axes.text(right, height, label, color=ink, transform=where, va="center")


# --- Fig. 5: stepwise learning --------------------------------------------------------------


@styled
def stepwise_reward(
    histories: Mapping[str, pd.DataFrame],
    batches: Mapping[str, pd.DataFrame],
    discovered: Mapping[str, pd.DataFrame],
    steps: Mapping[str, Sequence[int]],
) -> Figure:
    """Fig. 5: reward of Q-AGREL and 1 - error of error-BP, batch by batch and epoch by epoch.

    Parameters
    ----------
    histories, batches : a rule's records of epochs and of batches, as `History` has them.
    discovered : a rule's classes and epochs, as `statistics.discoveries` gives them.
    steps : positions of a rule's steps, as `statistics.steps` gives them.
    """
    figure = new_figure(DOUBLE, 105 * MM)
    grid = figure.subplots(
        2, len(histories), sharex="col", sharey="row", squeeze=False, height_ratios=(1, 2)
    )
    for (top, axes), letter, rule in zip(grid.T, "ab", histories, strict=False):
        mark_discoveries(top, axes, discovered[rule])
        learning_curve(axes, histories[rule], batches[rule], rule)
        axes.tick_params("y", labelleft=True)
        mark_steps(axes, histories[rule], steps[rule])
        axes.plot([], [], color=GREY, lw=0.6, ls=":", marker="o", mfc=BLACK, mec=BLACK, ms=2.5)
        axes.lines[-1].set_label("class discovered")
        axes.legend(loc="lower right")
        letter_panel(top, letter, RULE_NAMES[rule])
    grid[0, 0].set_ylabel("class\ndiscovered")
    return figure


def learning_curve(axes: Axes, epochs: pd.DataFrame, batches: pd.DataFrame, rule: str) -> None:
    """Share of rewarded (rightly classified) trials, a batch and an epoch at a time."""
    n_batches = batches["batch"].max()
    when = batches["epoch"] - 0.5 + (batches["batch"] - 0.5) / n_batches
    name = "reward" if rule == "q-agrel" else "1 − error"
    axes.plot(when, 1 - batches["error"], color=GREY, lw=0.4, alpha=0.8, label=f"{name} per batch")
    axes.plot(
        epochs["epoch"],
        1 - epochs["error"],
        color=RULE_COLOURS[rule],
        marker=RULE_MARKERS[rule],
        label=f"{name} per epoch",
    )
    axes.set(ylim=(0, 1.03), ylabel=name)
    epoch_axis(axes, epochs["epoch"])
    axes.set_xlabel("epoch")


def epoch_axis(axes: Axes, epochs: pd.Series) -> None:
    """From the first epoch's beginning to the last one's end; its number is an epoch's middle."""
    axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def mark_discoveries(top: Axes, below: Axes, discovered: pd.DataFrame) -> None:
    """The epoch in which each class is discovered, with a line down through the panel below."""
    found = discovered.dropna()
    top.plot(found["epoch"], found["class"], "o", color=BLACK, ms=2.5)
    for epoch in found["epoch"].unique().tolist():
        for axes in (top, below):
            axes.axvline(epoch, color=GREY, lw=0.6, ls=":", zorder=0)
    classes = discovered["class"].tolist()
    top.set(ylim=(max(classes) + 0.7, min(classes) - 0.7), yticks=classes)
    top.tick_params("y", length=0)
    top.tick_params("x", length=0)
    top.spines["bottom"].set_visible(False)


def mark_steps(axes: Axes, epochs: pd.DataFrame, steps: Sequence[int]) -> None:
    """A triangle above each epoch in which the curve steps up."""
    at = epochs.iloc[list(steps)]
    axes.plot(at["epoch"], 1 - at["error"] + 0.06, ls="", marker="v", color=BLACK, label="step")


# --- Fig. 6: class selection ----------------------------------------------------------------


@styled
def class_selection(
    histories: Mapping[str, pd.DataFrame], discovered: Mapping[str, pd.DataFrame]
) -> Figure:
    """Fig. 6: how often each class is selected, and how many of its samples are recognised.

    Parameters
    ----------
    histories : a rule's records, with columns presented_0, selected_0, correct_0, ... a class.
    discovered : a rule's classes and epochs, as `statistics.discoveries` gives them.
    """
    figure = new_figure(DOUBLE, 70 * MM * len(histories))
    rows = figure.subplots(len(histories), 2, sharex=True, squeeze=False)
    shares = {rule: _class_shares(epochs) for rule, epochs in histories.items()}
    most = max(selected.max() for selected, _ in shares.values())
    for row, letters, (rule, epochs) in zip(rows, ("ab", "cd"), histories.items(), strict=False):
        for axes, share, top in zip(row, shares[rule], (1.05 * most, 1.02), strict=True):
            class_curves(axes, epochs["epoch"], share, top)
        row[0].set_ylabel("selections of the class")
        row[1].set_ylabel("samples of the class recognised")
        for axes, letter in zip(row, letters, strict=True):
            letter_panel(axes, letter, RULE_NAMES[rule])
    for axes in rows[-1]:
        axes.set_xlabel("epoch")
    dot = Line2D([], [], ls="", marker="o", ms=DISC, color=GREY, label="class discovered")
    n_classes = max(len(found) for found in discovered.values())
    lines = [Line2D([], [], label=str(n), **_class_line(n)) for n in range(n_classes)]
    figure.legend(
        handles=[*lines, dot],
        loc="outside lower center",
        ncols=n_classes + 1,
        handlelength=1.7,
        columnspacing=1.4,
    )
    figure.draw_without_rendering()  # where the panels are tells which discs would touch
    for row, (rule, epochs) in zip(rows, histories.items(), strict=True):
        found = discovered[rule].sort_values("class")["epoch"].to_numpy()
        for axes, share in zip(row, shares[rule], strict=True):
            class_discs(axes, epochs["epoch"].to_numpy(), share, found)
    return figure


def _class_shares(epochs: pd.DataFrame) -> tuple[Array, Array]:
    """How much of all selections each class got, and how much of each was recognised."""
    n_classes = sum(str(name).startswith("presented_") for name in epochs.columns)
    selected, correct, presented = (
        epochs[[f"{what}_{number}" for number in range(n_classes)]].to_numpy()
        for what in ("selected", "correct", "presented")
    )
    return selected / presented.sum(axis=1, keepdims=True), correct / presented


def _class_line(number: int) -> dict[str, Any]:
    """How the line of a class looks."""
    return {"color": CLASS_COLOURS[number % 5], "ls": CLASS_LINES[number // 5 % 2], "lw": 0.8}


def class_curves(axes: Axes, epochs: pd.Series, shares: Array, top: float = 1.0) -> None:
    """A share of trials, shape (epochs, classes), a line a class, up to `top`."""
    for number, share in enumerate(shares.T):
        axes.plot(epochs, share, **_class_line(number))
    axes.set_ylim(0, top)
    epoch_axis(axes, epochs)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def class_discs(axes: Axes, epoch: Array, shares: Array, discovered: Array) -> None:
    """The number of each class in a disc, where its curve was when it was discovered.

    Discs that would touch are moved up or down, and tied to their places by a line.

    Parameters
    ----------
    shares : shape (epochs, classes).
    discovered : the epoch of each class, NaN if it never was.
    """
    classes = [number for number, found in enumerate(discovered) if found in epoch]
    points = [(discovered[n], shares[epoch == discovered[n], n].item()) for n in classes]
    places = moved_apart(axes, points, DISC + 0.8)
    look: Any = {"marker": "o", "mec": "white", "mew": 0.4, "clip_on": False, "zorder": 5}
    for number, point, place in zip(classes, points, places, strict=True):
        colour = _class_line(number)["color"]
        axes.plot(*zip(point, place, strict=True), color=colour, lw=0.5, zorder=4)
        axes.plot(*place, color=colour, ms=DISC, **look)
        text: Any = {"ha": "center", "va": "center_baseline", "zorder": 6}
        axes.text(place[0], place[1], str(number), color="white", **text)


def moved_apart(
    axes: Axes, points: Sequence[tuple[float, float]], size: float, upwards: bool = False
) -> Array:
    """Points, each moved up or down as little as keeps it clear of those before it.

    Parameters
    ----------
    points : pairs x, y in the units of the axes, whose limits and place are settled.
    size : in points of print, how far apart their middles are to be.
    upwards : whether none may go down.

    Returns
    -------
    The pairs, shape (points, 2); all within the axes where there is room.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not points:
        return np.empty((0, 2))
    size *= figure.dpi / 72
    bottom, top = axes.bbox.y0 + size / 2, axes.bbox.y1 - size / 2
    placed: list[tuple[float, float]] = []
    for x, y in axes.transData.transform(points).tolist():
        near = [(v, np.sqrt(size**2 - (u - x) ** 2)) for u, v in placed if abs(u - x) < size]
        tried = [min(max(y, bottom), top), *(v + side * gap for v, gap in near for side in (1, -1))]
        free = [h for h in tried if all(abs(h - v) > 0.999 * gap for v, gap in near)]
        lowest = y if upwards else bottom
        inside = [h for h in free if lowest - 1e-6 <= h <= top + 1e-6]
        placed.append((x, min(inside or free, key=lambda h: abs(h - y))))
    moved: Array = axes.transData.inverted().transform(placed)
    return moved


def telling_epochs(discovered: pd.DataFrame, n_epochs: int) -> list[int]:
    """The epochs in which the 1st, 3rd, 5th, ... and the last class were discovered.

    The last of all `n_epochs` where no class ever was.
    """
    found = discovered["epoch"].dropna().sort_values().astype(int).tolist()
    return sorted({*found[::2], *found[-1:]}) or [n_epochs]


@styled
def confusion_over_time(
    confusions: Mapping[str, Array],
    epochs: Sequence[int],
    discovered: Mapping[str, pd.DataFrame],
) -> Figure:
    """Confusion matrices of the training choices in chosen epochs, a row a rule.

    Parameters
    ----------
    confusions : counts [epoch, true class, selected class] a rule.
    epochs : the epochs to show, counted from 1.
    discovered : a rule's classes and epochs, as `statistics.discoveries` gives them.
    """
    side = min((DOUBLE - 32 * MM) / len(epochs), 42 * MM)
    figure = new_figure(DOUBLE, len(confusions) * (side + 6 * MM) + 8 * MM)
    grid = figure.subplots(len(confusions), len(epochs), squeeze=False, sharex=True, sharey=True)
    for row, (rule, counts) in zip(grid, confusions.items(), strict=True):
        for axes, epoch in zip(row, epochs, strict=True):
            image = confusion_matrix(axes, counts[epoch - 1])
            n_found = (discovered[rule]["epoch"] <= epoch).sum()
            axes.set_title(f"epoch {epoch}: {n_found} found", fontweight="normal", loc="center")
        row[0].set_ylabel(f"{RULE_NAMES[rule]}\ntrue class")
    for axes in grid[-1]:
        axes.set_xlabel("selected class")
    bar = figure.colorbar(image, ax=grid, shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("share of the true class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def confusion_matrix(axes: Axes, counts: Array) -> PatchCollection:
    """The share of each true class (a row) that got each answer (a column)."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = np.nonzero(shares >= 0.005)  # others are as good as white
    corners = np.column_stack([columns, rows]).tolist()
    squares = [Rectangle((x, y), 1, 1) for x, y in corners]
    image = PatchCollection(squares, cmap="Greys", edgecolor="face", linewidth=0.1)
    image.set(array=shares[rows, columns], clim=(0, 1))
    axes.add_collection(image)
    n_classes, n_actions = counts.shape
    axes.set(aspect="equal", xlim=(0, n_actions), ylim=(n_classes, 0))
    axes.set_xticks(np.arange(n_actions) + 0.5, map(str, range(n_actions)))
    axes.set_yticks(np.arange(n_classes) + 0.5, map(str, range(n_classes)))
    axes.tick_params(length=0, pad=2)
    axes.spines[["top", "right"]].set_visible(True)
    return image


# --- rewards beyond the paper ---------------------------------------------------------------


@styled
def rewards(tasks: Mapping[str, pd.DataFrame], choices: pd.DataFrame, switch: int) -> Figure:
    """What networks earn where rewards are a matter of chance, and how one meets a reversal.

    Parameters
    ----------
    tasks : a task's records of epochs, as `History.epochs`, with what the best policy would earn.
    choices : columns epoch, and before, after: the shares of trials in which the action was
        selected that is right before the switch, and after it.
    switch : the epoch from which other actions pay.
    """
    figure = new_figure(DOUBLE, 75 * MM)
    left, right = figure.subplots(1, 2)
    reward_curves(left, tasks)
    letter_panel(left, "a", "rewards by chance")
    reversal_curves(right, choices, switch)
    letter_panel(right, "b", "reversal")
    return figure


def reward_curves(axes: Axes, tasks: Mapping[str, pd.DataFrame]) -> None:
    """The mean reward of each epoch, and what the best policy would expect, a task a colour."""
    for (name, epochs), colour, line in zip(tasks.items(), TASK_COLOURS, TASK_LINES, strict=False):
        axes.plot(epochs["epoch"], epochs["reward"], color=colour, ls=line, label=name)
        axes.plot(epochs["epoch"], epochs["optimal_reward"], color=BLACK, ls=":", lw=0.7, zorder=0)
    axes.plot([], [], color=BLACK, ls=":", lw=0.7, label="expected of the best policy")
    n_epochs = max(epochs["epoch"].max() for epochs in tasks.values())
    axes.set(xlim=(0, n_epochs), ylim=(0, 1.03), xlabel="epoch", ylabel="reward a trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right")


def reversal_curves(axes: Axes, choices: pd.DataFrame, switch: int) -> None:
    """How often the actions are selected that are right before the switch, and after it."""
    epoch, names = choices["epoch"], {"before": "old right answer", "after": "new right answer"}
    for (when, name), colour, line in zip(names.items(), TASK_COLOURS, TASK_LINES, strict=False):
        axes.plot(epoch, choices[when], color=colour, ls=line, label=name)
    axes.axvline(switch - 0.5, color=GREY, lw=0.7, zorder=0, label="switch")
    axes.set(xlim=(0, epoch.max()), ylim=(0, 1.03), xlabel="epoch", ylabel="share of trials")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="center", bbox_to_anchor=(0.28, 0.5))  # between the curves


# --- Table 1 --------------------------------------------------------------------------------


@styled
def table1(table: Mapping[Row, Summary], paper: Paper, seed: int | None = None) -> Figure:
    """Every seed's accuracy and epochs, and mean and standard deviation, ours and the paper's.

    Parameters
    ----------
    table : our rows, in the order in which they are shown.
    seed : one whose points are marked in every row: it has the same initial weights in each.
    """
    lines = _table_lines(list(table), paper)
    figure = new_figure(DOUBLE, (5.95 * len(lines) + 26) * MM)
    panels = figure.subplots(1, 2, sharey=True)
    rows = [(height, row) for height, row in enumerate(lines) if isinstance(row, Row)]
    for axes, letter, measure in zip(panels, "ab", MEASURES, strict=True):
        for height, row in rows:
            row_means(axes, height, row, table[row], paper, measure)
            seeds = [seed for seed in table[row].seeds if seed[3] != "diverged"]
            column = 1 + MEASURES.index(measure)
            axes.update_datalim([(seed[column], height) for seed in seeds])
        axes.autoscale_view()
        title = "test accuracy" if measure == "accuracy" else "epochs of training"
        letter_panel(axes, letter, title)
    benchmark_points(panels[0], lines, paper)
    panels[0].set(xlabel="accuracy (%)", ylim=(len(lines) - 0.5, -0.7))
    panels[0].set_xlim(right=min(panels[0].get_xlim()[1], 100))
    panels[0].set_yticks(range(len(lines)), [_line_label(line) for line in lines])
    for tick, line in zip(panels[0].get_yticklabels(), lines, strict=True):
        is_heading = isinstance(line, str) and not line.startswith(" ")
        tick.set_fontweight("bold" if is_heading else "normal")
    panels[1].set(xlabel="epochs", xscale="log")
    plain_numbers(panels[1], (1, 2, 5))
    for axes in panels:
        axes.tick_params("y", length=0)
        axes.grid(axis="x", lw=0.3, color="#dddddd")
        axes.set_axisbelow(True)
    figure.legend(handles=_table_legend(seed), loc="outside lower center", ncols=2)
    figure.draw_without_rendering()  # where the panels are tells which seeds would touch
    for axes, measure in zip(panels, MEASURES, strict=True):
        for height, row in rows:
            row_seeds(axes, height, row, table[row], measure, seed)
    return figure


def _table_lines(rows: Sequence[Row], paper: Paper) -> list[Row | str]:
    """Rows under headings of their feedback, and at the end networks of the literature."""
    lines: list[Row | str] = []
    for feedback, heading in FEEDBACK_NAMES.items():
        group = [row for row in rows if row.feedback == feedback]
        lines += [heading, *group] if group else []
    return [*lines, "LeCun et al. (1998), error-BP", *(f"  {name}" for name in paper.benchmark)]


def _line_label(line: Row | str) -> str:
    if isinstance(line, str):
        return line
    return f"{RULE_NAMES[line.rule]}, {line.hidden}, α = {line.learning_rate:g}"


def row_means(axes: Axes, height: int, row: Row, ours: Summary, paper: Paper, measure: str) -> None:
    """Our mean, and below it the paper's, with standard deviations."""
    _bar(
        axes, height + 0.08, getattr(ours, measure), RULE_MARKERS[row.rule], RULE_COLOURS[row.rule]
    )
    if row in paper.table:
        _bar(axes, height + 0.27, getattr(paper.table[row], measure), "D", BLACK)


def row_seeds(
    axes: Axes, height: int, row: Row, ours: Summary, measure: str, marked: int | None
) -> None:
    """Every seed above its row's means, stacked where they would touch; `marked` is one of them.

    In epochs, those that were cut off are one mark, with their number beside it: they all have the
    same, and how many they would have needed is not known.
    """
    colour = RULE_COLOURS[row.rule]
    seeds = [seed for seed in ours.seeds if seed[3] != "diverged"]
    base = height - 0.16
    if measure == "epochs":
        cut = [seed for seed in seeds if seed[3] != "converged"]
        seeds = [seed for seed in seeds if seed[3] == "converged"]
        for epochs, count in Counter(seed[2] for seed in cut).items():
            face = colour if (marked, epochs) in [(seed[0], seed[2]) for seed in cut] else "none"
            axes.plot(epochs, base, "^", mec=colour, mfc=face, mew=0.5, ms=SEED)
            look: Any = {"textcoords": "offset points", "va": "center", "color": colour}
            axes.annotate(str(count), (epochs, base), (3, 0), **look)
    values = [seed[1] if measure == "accuracy" else seed[2] for seed in seeds]
    points = sorted(zip(values, [base] * len(values), seeds, strict=True))
    places = moved_apart(axes, [(x, y) for x, y, _ in points], SEED + 0.4, upwards=True)
    for (x, y), (_, _, (number, _, _, status)) in zip(places, points, strict=True):
        face = colour if number == marked else "none"
        marker = "o" if status == "converged" else "^"
        axes.plot(x, y, marker, mec=colour, mfc=face, mew=0.5, ms=SEED)


def _bar(axes: Axes, height: float, of: Moments, marker: str, colour: str) -> None:
    """A mean, with a line of a standard deviation to either side."""
    std = np.nan_to_num(of.std)
    axes.plot([of.mean - std, of.mean + std], [height] * 2, color=colour, lw=1)
    axes.plot(of.mean, height, marker, color=colour, ms=2.5 if marker == "D" else 3.5)


def benchmark_points(axes: Axes, lines: Sequence[Row | str], paper: Paper) -> None:
    """The accuracies that the literature gives; as numbers where they lie off the axis."""
    left = axes.get_xlim()[0]
    for name, accuracy in paper.benchmark.items():
        height = lines.index(f"  {name}")
        if accuracy < left:
            axes.text(left, height, f" ◂ {accuracy:g}", va="center")
        else:
            axes.plot(accuracy, height, "x", color=BLACK, ms=4)
    axes.set_xlim(left=left)


def _table_legend(seed: int | None) -> list[Line2D]:
    """Handles for what the marks mean, apart from colours."""
    hollow: dict[str, Any] = {"mfc": "none", "mec": GREY, "ls": "", "ms": SEED}
    marks: dict[str, dict[str, Any]] = {
        "a seed of ours that converged": {"marker": "o", **hollow},
        "cut off at the last epoch allowed (b: how many)": {"marker": "^", **hollow},
        "literature, as the paper cites it (◂ left of the axis)": {
            **{"marker": "x", "color": BLACK, "ms": 4, "ls": ""}
        },
        "our mean ± standard deviation (Q-AGREL)": {"marker": "o", "color": BLUE},
        "our mean ± standard deviation (error-BP)": {"marker": "s", "color": VERMILLION},
        "the paper's mean ± standard deviation (MNIST)": {"marker": "D", "color": BLACK, "ms": 2.5},
    }
    if seed is not None:
        marks[f"seed {seed}"] = {"marker": "o", "color": GREY, "ls": ""}
    return [Line2D([], [], label=label, **look) for label, look in marks.items()]


def table1_text(table: pd.DataFrame, paper: Paper) -> pd.DataFrame:
    """Table 1 to be read: ours beside the paper's as mean (standard deviation), then literature.

    Parameters
    ----------
    table : as `statistics.table1` gives it.
    """
    lines = []
    for row in table.to_dict("records"):
        means = {
            f"{measure}, {whose}": _mean_and_std(
                row[f"{prefix}{measure}_mean"], row[f"{prefix}{measure}_std"], decimals
            )
            for measure, decimals in (("accuracy", 2), ("epochs", 0))
            for whose, prefix in (("ours", ""), ("paper", "paper_"))
        }
        verdicts = {f"{measure}, verdict": row[f"{measure}_verdict"] for measure in MEASURES}
        named = {name: row[name] for name in ("rule", "feedback", "hidden")}
        numbers = {"α": f"{row['learning_rate']:g}", "seeds": str(row["n_seeds"])}
        lines.append({**named, **numbers, **means, **verdicts})
    literature = [
        {"rule": "error-bp", "feedback": "LeCun et al. (1998)", "hidden": name}
        | {"accuracy, paper": f"{accuracy:.2f}"}
        for name, accuracy in paper.benchmark.items()
    ]
    return pd.DataFrame([*lines, *literature]).fillna("")


def _mean_and_std(mean: float, std: float, decimals: int) -> str:
    spread = "–" if np.isnan(std) else f"{std:.{decimals}f}"
    return f"{mean:.{decimals}f} ({spread})"
