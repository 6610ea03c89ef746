"""Results -> figures: one function a panel, and for each figure one that arranges them.

Panels take an Axes and data; figures take data and give a Figure, to be handed to `save`.
"""

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
Interval = tuple[float, float]


# --- Fig. 4: learning-rate range ------------------------------------------------------------


@styled
def learning_rate_range(
    histories: Mapping[str, pd.DataFrame],
    steepest: Mapping[str, Interval],
    published: Mapping[str, Interval],
) -> Figure:
    """Fig. 4: reward of Q-AGREL and error of error-BP while the learning rate is raised.

    Parameters
    ----------
    histories : a rule's records of epochs, as `History.epochs`.
    steepest, published : a rule's interval of steepest change, ours and the paper's.
    """
    figure = new_figure(DOUBLE, 0.38 * DOUBLE)
    panels = figure.subplots(1, len(histories), squeeze=False)[0]
    for axes, letter, rule in zip(panels, "ab", histories, strict=False):
        rate_curve(axes, histories[rule], rule, steepest[rule], published[rule])
        letter_panel(axes, letter, RULE_NAMES[rule], 1.13)  # above the marked intervals
    return figure


def rate_curve(
    axes: Axes, epochs: pd.DataFrame, rule: str, steepest: Interval, published: Interval
) -> None:
    """Reward (Q-AGREL) or error (error-BP) of each epoch against its learning rate."""
    measure = "reward" if rule == "q-agrel" else "error"
    colour = RULE_COLOURS[rule]
    axes.axvspan(*steepest, color=colour, alpha=0.18, lw=0)
    axes.plot(
        epochs["learning_rate"], epochs[measure], color=colour, marker=RULE_MARKERS[rule], zorder=3
    )
    axes.set(xscale="log", ylim=(0, 1), xlabel="learning rate α", ylabel=f"{measure} per epoch")
    rates = epochs["learning_rate"]
    plain_numbers(axes, (1,) if rates.max() > 100 * rates.min() else (1, 2, 5))
    where = axes.get_xaxis_transform()
    for interval, name, ink, height in (
        (steepest, "steepest", colour, 1.10),
        (published, "paper", BLACK, 1.03),
    ):
        axes.plot(interval, [height] * 2, "|-", color=ink, transform=where, clip_on=False, ms=4)
        label = f" {name} {interval[0]:.2g}–{interval[1]:.2g}"
        axes.text(interval[1], height, label, color=ink, transform=where, va="center", fontsize=6)


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
    figure = new_figure(DOUBLE, 0.46 * DOUBLE)
    grid = figure.subplots(
        2, len(histories), sharex="col", sharey="row", squeeze=False, height_ratios=(1.1, 3)
    )
    for (top, axes), letter, rule in zip(grid.T, "ab", histories, strict=False):
        mark_discoveries(top, axes, discovered[rule])
        learning_curve(axes, histories[rule], batches[rule], rule)
        axes.tick_params("y", labelleft=True)
        mark_steps(axes, histories[rule], steps[rule])
        axes.legend(loc="lower right")
        letter_panel(top, letter, RULE_NAMES[rule])
    grid[0, 0].set_ylabel("class\ndiscovered")
    return figure


def learning_curve(axes: Axes, epochs: pd.DataFrame, batches: pd.DataFrame, rule: str) -> None:
    """Share of rewarded (rightly classified) trials; an epoch's mean stands at its middle."""
    n_batches = batches["batch"].max()
    when = batches["epoch"] - 1 + (batches["batch"] - 0.5) / n_batches
    name = "reward" if rule == "q-agrel" else "1 − error"
    axes.plot(when, 1 - batches["error"], color=GREY, lw=0.4, alpha=0.8, label=f"{name} per batch")
    axes.plot(
        epochs["epoch"] - 0.5,
        1 - epochs["error"],
        color=RULE_COLOURS[rule],
        marker=RULE_MARKERS[rule],
        label=f"{name} per epoch",
    )
    axes.set(xlim=(0, epochs["epoch"].max()), ylim=(0, 1.03), xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def mark_discoveries(top: Axes, below: Axes, discovered: pd.DataFrame) -> None:
    """The epoch in which each class is discovered, with a line down through the panel below."""
    found = discovered.dropna()
    top.plot(found["epoch"] - 0.5, found["class"], "o", color=BLACK, ms=2.5)
    for epoch in found["epoch"].unique().tolist():
        for axes in (top, below):
            axes.axvline(epoch - 0.5, color=GREY, lw=0.4, ls=":", zorder=0)
    classes = discovered["class"].tolist()
    top.set(ylim=(max(classes) + 0.7, min(classes) - 0.7), yticks=classes)
    top.tick_params("y", labelsize=5, length=0)
    top.tick_params("x", length=0)
    top.spines["bottom"].set_visible(False)


def mark_steps(axes: Axes, epochs: pd.DataFrame, steps: Sequence[int]) -> None:
    """A triangle above each epoch in which the curve steps up."""
    at = epochs.iloc[list(steps)]
    axes.plot(
        at["epoch"] - 0.5, 1 - at["error"] + 0.06, ls="", marker="v", color=BLACK, label="step"
    )


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
    figure = new_figure(DOUBLE, 0.34 * DOUBLE * len(histories))
    rows = figure.subplots(len(histories), 2, sharex=True, squeeze=False)
    shares = {rule: _class_shares(epochs) for rule, epochs in histories.items()}
    most = max(selected.max() for selected, _ in shares.values())
    for row, letters, (rule, epochs) in zip(rows, ("ab", "cd"), histories.items(), strict=False):
        found = discovered[rule].sort_values("class")["epoch"].to_numpy()
        for axes, share, top in zip(row, shares[rule], (1.05 * most, 1.02), strict=True):
            class_curves(axes, epochs["epoch"].to_numpy(), share, found, top)
        row[0].set_ylabel("selections of the class")
        row[1].set_ylabel("samples of the class recognised")
        for axes, letter in zip(row, letters, strict=True):
            letter_panel(axes, letter, RULE_NAMES[rule])
    for axes in rows[-1]:
        axes.set_xlabel("epoch")
    dot = Line2D([], [], ls="", marker="o", color=GREY, label="class discovered")
    lines = [
        Line2D([], [], label=str(number), **_class_line(number)) for number in range(len(found))
    ]
    figure.legend(handles=[*lines, dot], loc="outside lower center", ncols=len(found) + 1)
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


def class_curves(
    axes: Axes, epoch: Array, shares: Array, discovered: Array, top: float = 1.0
) -> None:
    """A share of trials, a line a class, with its number in a dot where it is discovered.

    Parameters
    ----------
    shares : shape (epochs, classes).
    discovered : the epoch of each class, NaN if it never was.
    top : the upper end of the axis.
    """
    for number, (share, found) in enumerate(zip(shares.T, discovered, strict=True)):
        axes.plot(epoch, share, **_class_line(number))
        if found in epoch:
            height = share[epoch == found].item()
            look: Any = {"mec": "white", "mew": 0.4, "clip_on": False, "zorder": 4 + number}
            axes.plot(found, height, "o", color=_class_line(number)["color"], ms=6, **look)
            place: Any = {"ha": "center", "va": "center_baseline", "zorder": 4 + number}
            axes.text(found, height, str(number), color="white", fontsize=5, **place)
    axes.set(xlim=(epoch[0], epoch[-1]), ylim=(0, top))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


@styled
def confusion_over_time(confusions: Mapping[str, Array], epochs: Sequence[int]) -> Figure:
    """Confusion matrices of the training choices in chosen epochs, a row a rule.

    Parameters
    ----------
    confusions : counts [epoch, true class, selected class] a rule.
    epochs : the epochs to show, counted from 1.
    """
    figure = new_figure(DOUBLE, len(confusions) * DOUBLE / len(epochs) + 0.35)
    grid = figure.subplots(len(confusions), len(epochs), squeeze=False, sharex=True, sharey=True)
    for row, (rule, counts) in zip(grid, confusions.items(), strict=True):
        for axes, epoch in zip(row, epochs, strict=True):
            image = confusion_matrix(axes, counts[epoch - 1])
            axes.set_title(f"{RULE_NAMES[rule]}, epoch {epoch}", fontsize=6, fontweight="normal")
        row[0].set_ylabel("true class")
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
    axes.tick_params(length=0, labelsize=5)
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
    figure = new_figure(DOUBLE, 0.38 * DOUBLE)
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
    figure = new_figure(DOUBLE, 0.155 * len(lines) + 0.75)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, letter, measure in zip(panels, "ab", MEASURES, strict=True):
        for height, line in enumerate(lines):
            if isinstance(line, Row):
                row_points(axes, height, line, table[line], paper, measure, seed)
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
    figure.legend(handles=_table_legend(seed), loc="outside lower center", ncols=3)
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


def row_points(
    axes: Axes,
    height: int,
    row: Row,
    ours: Summary,
    paper: Paper,
    measure: str,
    seed: int | None,
) -> None:
    """One row of the table: seeds and our mean, and below them the paper's; standard deviations."""
    colour = RULE_COLOURS[row.rule]
    for number, accuracy, epochs, status in ours.seeds:
        if status == "diverged":
            continue
        marker = "o" if status == "converged" else "^"
        face = colour if number == seed else "none"
        value = accuracy if measure == "accuracy" else epochs
        axes.plot(value, height - 0.22, marker, mec=colour, mfc=face, mew=0.5, ms=2.8, alpha=0.8)
    _bar(axes, height + 0.05, getattr(ours, measure), RULE_MARKERS[row.rule], colour)
    if row in paper.table:
        _bar(axes, height + 0.3, getattr(paper.table[row], measure), "D", BLACK)


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
            axes.text(left, height, f" ◂ {accuracy:g}", va="center", fontsize=6)
        else:
            axes.plot(accuracy, height, "x", color=BLACK, ms=4)
    axes.set_xlim(left=left)


def _table_legend(seed: int | None) -> list[Line2D]:
    """Handles for what the marks mean, apart from colours."""
    marks: dict[str, dict[str, Any]] = {
        "a seed of ours that converged": {"marker": "o", "mfc": "none", "mec": GREY, "ls": ""},
        "one that was cut off at the last epoch allowed": {
            "marker": "^",
            "mfc": "none",
            "mec": GREY,
            "ls": "",
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
