"""Mechanisms: alignment of feedback, receptive fields, values of actions, classes found, rates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, PercentFormatter

from qagrel.replication.figures.inside import SIGNED, mosaic, picture_shape
from qagrel.replication.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREEN,
    GREY,
    MM,
    PURPLE,
    RULE_COLOURS,
    RULE_NAMES,
    VERMILLION,
    letter_panel,
    new_figure,
    plain_numbers,
    styled,
)
from qagrel.replication.statistics import RIGHT_ANGLE, Row

Array = npt.NDArray[Any]
DASHED: Any = (0, (2, 1.5))
LONG_DASHES: Any = (0, (5, 1.5))
LAYER_LOOKS: dict[int, tuple[str, Any]] = {
    2: (BLUE, "-"),
    3: (VERMILLION, LONG_DASHES),
    4: (GREEN, (0, (6, 1, 1, 1))),
}
ACTION_LOOKS: dict[str, tuple[str, str, Any]] = {  # a column: its name, colour and line
    "right": ("right action", BLUE, "-"),
    "best_wrong": ("best wrong action", VERMILLION, LONG_DASHES),
    "other_wrong": ("other wrong actions", BLACK, DASHED),
}
WIDTH_LOOKS = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"))
VALUE_LOOKS: dict[str, tuple[str, str, str]] = {  # a column: its name, colour and marker
    "rival_peak": ("rival (the wrong action chosen most), at its peak", VERMILLION, "v"),
    "rival_last": ("rival, before the class is found", BLACK, "o"),
    "own_found": ("right action, when it is found", BLUE, "^"),
}
FIELD_COLUMNS = 4
BORDER = "#bfbfbf"  # between receptive fields


# --- Fig. 7: alignment of feedback ----------------------------------------------------------


@styled
def alignment(
    histories: Mapping[Row, pd.DataFrame], limit: float, marks: Sequence[float]
) -> Figure:
    """Fig. 7: the angle between feedback and transposed forward weights, a panel a row.

    Parameters
    ----------
    histories : by row of Table 1, records of all seeds, with columns seed, epoch, angle_2, ...
        Rows of one kind of feedback stand side by side.
    limit : the threshold of "approximately reciprocal", in degrees.
    marks : sizes of a change that both matrices share, whose angles are marked where feedback is
        learned (see `statistics.common_change`).
    """
    kinds = list(dict.fromkeys(row.feedback for row in histories))
    groups = [[row for row in histories if row.feedback == kind] for kind in kinds]
    figure = new_figure(DOUBLE, (22 + 44 * len(kinds)) * MM)
    most = max(map(len, groups))
    grid = figure.subplots(len(kinds), most, sharex=True, sharey=True, squeeze=False)
    letters = iter("abcdefghijklmnop")
    for panels, kind, rows in zip(grid, kinds, groups, strict=True):
        for axes, row in zip(panels, rows, strict=False):
            angle_curves(axes, histories[row], limit)
            if kind == "learned":
                mark_common_changes(axes, marks)
            letter_panel(axes, next(letters), f"{RULE_NAMES[row.rule]}\n{_network(row)}")
            axes.tick_params(labelbottom=True)
        for axes in panels[len(rows) :]:
            axes.set_visible(False)
        panels[0].set_ylabel(f"angle of {kind} feedback (°)")
    last = max(history["epoch"].max() for history in histories.values())
    grid[0, 0].set(xscale="log", xlim=(1, last), ylim=(0, 95), yticks=[0, 30, 60, 90])
    plain_numbers(grid[0, 0], (1,))
    layers = sorted({layer for history in histories.values() for layer in _layers(history)})
    handles = [
        Line2D([], [], color=LAYER_LOOKS[n][0], ls=LAYER_LOOKS[n][1], label=f"into layer {n}")
        for n in layers
    ]
    handles += [
        Line2D([], [], color=GREY, lw=0.6, ls=":", label="independent weights"),
        Line2D([], [], color=BLACK, lw=0.6, ls=DASHED, label="threshold"),
        Line2D([], [], ls="", marker="<", color=GREY, label="common change, × the start"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def angle_curves(axes: Axes, history: pd.DataFrame, limit: float) -> None:
    """Angles over epochs, a colour a layer: thin of each seed, thick their mean while all go on."""
    for layer in _layers(history):
        colour, line = LAYER_LOOKS[layer]
        curves = history.pivot_table(f"angle_{layer}", "epoch", "seed")
        axes.plot(curves.index, curves.to_numpy(), color=colour, lw=0.4, alpha=0.7)
        mean = curves.dropna().mean(axis="columns")
        axes.plot(mean.index, mean, color=colour, ls=line, lw=1.1)
    axes.axhline(RIGHT_ANGLE, color=GREY, lw=0.6, ls=":")
    axes.axhline(limit, color=BLACK, lw=0.6, ls=DASHED)
    axes.set_xlabel("epoch")


def mark_common_changes(axes: Axes, sizes: Sequence[float]) -> None:
    """The angles that a common change gives which is so many times as large as the start."""
    beside = axes.get_yaxis_transform()
    for size in sizes:
        angle = np.degrees(np.arccos(size**2 / (1 + size**2)))
        axes.plot(1, angle, "<", color=GREY, ms=3, clip_on=False, transform=beside)
        axes.text(1.04, angle, f"{size:g}×", va="center", color=GREY, transform=beside)


def _network(row: Row) -> str:
    return f"{row.hidden}, α = {row.learning_rate:g}"


def _layers(history: pd.DataFrame) -> list[int]:
    names = [str(name) for name in history if str(name).startswith("angle_")]
    return [int(name.removeprefix("angle_")) for name in names if history[name].notna().any()]


# --- Fig. 8: receptive fields ---------------------------------------------------------------


@styled
def receptive_fields(
    fields: Mapping[Row, Array], image_shape: Sequence[int], bound: float
) -> Figure:
    """Fig. 8: the weights from the image into hidden units, a panel a row of Table 1, on one scale.

    Parameters
    ----------
    fields : weights of shape (units, pixels).
    image_shape : rows and columns of an image.
    bound : the weight, either way, at which the scale ends; larger ones have the colour of its end.
    """
    rows = max(-(-len(weights) // FIELD_COLUMNS) for weights in fields.values())
    height, width = picture_shape(image_shape)
    panel = (DOUBLE / MM - 6) / len(fields)  # in mm
    tall = panel * rows * height / (FIELD_COLUMNS * width)
    figure = new_figure(DOUBLE, (tall + 22) * MM)
    panels = figure.subplots(1, len(fields), squeeze=False)[0]
    colours = mpl.colormaps[SIGNED].with_extremes(bad=BORDER)
    for axes, letter, (row, weights) in zip(panels, "abcdefgh", fields.items(), strict=False):
        pictures = mosaic(weights.astype(float).reshape(-1, height, width), FIELD_COLUMNS)
        # "none" keeps a picture's own pixels in a PDF, where "nearest" multiplies them
        look: Any = {"vmin": -bound, "vmax": bound, "interpolation": "none"}
        image = axes.imshow(pictures, cmap=colours, **look)
        axes.set_axis_off()
        kind = f"{RULE_NAMES[row.rule]}, {row.feedback}"
        letter_panel(axes, letter, f"{kind}\n{_network(row)}")
    beyond = any(np.abs(weights).max() > bound for weights in fields.values())
    bar = figure.colorbar(
        image,
        ax=list(panels),
        orientation="horizontal",
        extend="both" if beyond else "neither",
        aspect=60,
        shrink=0.6,
        pad=0.03,
    )
    bar.set_label("weight (input to the unit from a pixel of the largest grey level)")
    return figure


# --- values of wrong actions ----------------------------------------------------------------


@styled
def wrong_values(courses: Mapping[str, pd.DataFrame], changes: pd.DataFrame) -> Figure:
    """Q-values of right and wrong actions over epochs, and what exploration has to do with it.

    Parameters
    ----------
    courses : by the panel's title, one run of those that `statistics.value_course` gives.
    changes : what was measured in runs that learn by reward (see `measures.q_values`).
    """
    figure = new_figure(DOUBLE, 62 * MM)
    *panels, last = figure.subplots(1, len(courses) + 1)
    for axes, letter, (title, course) in zip(panels, "abcdef", courses.items(), strict=False):
        if axes is not panels[0]:
            axes.sharey(panels[0])
        value_curves(axes, course)
        letter_panel(axes, letter, title)
    panels[0].set_ylabel("Q-value, mean over test images")
    explorative_changes(last, changes)
    letter_panel(last, "abcdefg"[len(panels)], "wrong actions, Q-AGREL")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=len(ACTION_LOOKS))
    figure.legend(*last.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure


def value_curves(axes: Axes, course: pd.DataFrame) -> None:
    """Q-values of one run's actions: mean over seeds, and a band of a standard deviation."""
    for column, (name, colour, line) in ACTION_LOOKS.items():
        mean, spread = course[f"{column}_mean"], course[f"{column}_std"].fillna(0)
        axes.fill_between(
            course["epoch"], mean - spread, mean + spread, color=colour, alpha=0.2, lw=0
        )
        axes.plot(course["epoch"], mean, color=colour, ls=line, label=name)
    for target in (0, 1):
        axes.axhline(target, color=GREY, lw=0.5, ls=":", zorder=0)
    axes.set(xlim=(1, course["epoch"].max()), xlabel="epoch")


def explorative_changes(axes: Axes, measured: pd.DataFrame) -> None:
    """Which share exploration has, epoch by epoch, in wrong choices and in the change they bring.

    Thin lines are seeds; thick ones of the counts and changes of all of them.
    """
    for what, name, colour, line in (
        ("change", "of the change of value", BLUE, "-"),
        ("wrong", "of wrong choices", GREY, LONG_DASHES),
    ):
        columns = [f"{what}_explored", f"{what}_greedy"]
        for _, own in measured.groupby("seed"):
            share = own[columns[0]] / own[columns].sum(axis="columns")
            axes.plot(own["epoch"], share, color=colour, lw=0.4, alpha=0.7)
        whole = measured.groupby("epoch")[columns].sum()
        share = whole[columns[0]] / whole.sum(axis="columns")
        axes.plot(whole.index, share, color=colour, ls=line, label=name)
    axes.set(xlim=(1, measured["epoch"].max()), ylim=(0, 1), xlabel="epoch")
    axes.set_ylabel("share that is explorative")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


# --- how classes are found ------------------------------------------------------------------


@styled
def finding_classes(tables: pd.DataFrame, values: pd.DataFrame) -> Figure:
    """How many classes are found, how soon, by which choice, and what the values were.

    Parameters
    ----------
    tables : as `statistics.discovery_table` gives it of each seed by itself, one below the other.
    values : columns width, epsilon, seed, and means over the classes that a seed found:
        rival_peak, rival_last, own_found (see `measures.discoveries`).
    """
    figure = new_figure(DOUBLE, 108 * MM)
    grid = figure.add_gridspec(2, 3, height_ratios=(1, 1.1))
    found, trials, lucky = (figure.add_subplot(grid[0, i]) for i in range(3))
    by_exploration(found, tables, "found")
    found.set(ylim=(0, 105), ylabel="classes found (%)")
    letter_panel(found, "a", "how many")
    by_exploration(trials, tables, "trials", logarithmic=True)
    trials.set(ylabel="trials until a class is found")
    letter_panel(trials, "b", "how soon")
    by_exploration(lucky, tables, "lucky_first")
    by_exploration(lucky, tables, "lucky", line=DASHED)
    lucky.set(ylim=(-3, 130), yticks=range(0, 101, 20), ylabel="explorative (%)")
    kinds = {"of first right answers": "-", "of all until it is found": DASHED}
    lines = [Line2D([], [], color=GREY, ls=line, label=name) for name, line in kinds.items()]
    lucky.legend(handles=lines, loc="upper left")
    letter_panel(lucky, "c", "by which choice")
    below = figure.add_subplot(grid[1, :])
    values_when_found(below, values)
    letter_panel(below, "d", "Q-values for images of the class", 1.1)
    handles, names = found.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def by_exploration(
    axes: Axes, tables: pd.DataFrame, column: str, line: Any = "-", logarithmic: bool = False
) -> None:
    """A column by exploration rate, a line a width: mean and standard deviation over seeds."""
    rates = sorted(tables["epsilon"].unique())
    widths = sorted(tables["width"].unique())
    for number, (width, (colour, marker)) in enumerate(zip(widths, WIDTH_LOOKS, strict=False)):
        own = tables[tables["width"] == width]
        own = own.assign(value=np.log(own[column]) if logarithmic else own[column])
        seeds = own.groupby("epsilon")["value"].agg(["mean", "std"]).reindex(rates)
        spread = seeds["std"].fillna(0)
        mean, low, high = seeds["mean"], seeds["mean"] - spread, seeds["mean"] + spread
        if logarithmic:
            mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
        at = np.arange(len(rates)) + 0.08 * (number - (len(widths) - 1) / 2)
        axes.vlines(at, low, high, color=colour, lw=0.6)
        axes.plot(at, mean, marker, ls=line, lw=0.8, color=colour, label=f"{width} hidden units")
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_xlabel("exploration rate ε")
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter("")


def values_when_found(axes: Axes, values: pd.DataFrame) -> None:
    """The rival's value at its peak and later, and the right action's, by width and exploration."""
    runs = values[["width", "epsilon"]].drop_duplicates().sort_values(["width", "epsilon"])
    widths = runs["width"].drop_duplicates().tolist()
    places = {
        (line.width, line.epsilon): place + widths.index(line.width)  # a gap between widths
        for place, line in enumerate(runs.itertuples())
    }
    for number, (column, (name, colour, marker)) in enumerate(VALUE_LOOKS.items()):
        seeds = values.groupby(["width", "epsilon"])[column].agg(["mean", "std"])
        at = np.array([places[run] for run in seeds.index]) + 0.22 * (number - 1)
        spread = seeds["std"].fillna(0)
        axes.vlines(at, seeds["mean"] - spread, seeds["mean"] + spread, color=colour, lw=0.6)
        axes.plot(at, seeds["mean"], marker, ls="", ms=4, color=colour, label=name)
    axes.set_xticks(list(places.values()), [f"{epsilon:g}" for _, epsilon in places])
    for width in widths:
        own = [place for (other, _), place in places.items() if other == width]
        look: Any = {"ha": "center", "va": "bottom", "transform": axes.get_xaxis_transform()}
        axes.text(float(np.mean(own)), 1.0, f"{width} hidden units", **look)
    axes.axhline(0, color=GREY, lw=0.5, ls=":", zorder=0)
    bottom, top = axes.get_ylim()
    axes.set(ylim=(bottom, top + 0.2 * (top - bottom)))  # room for the legend
    axes.legend(loc="upper left", ncols=len(VALUE_LOOKS), columnspacing=1, handletextpad=0.2)
    axes.set(xlabel="exploration rate ε", ylabel="Q-value")


# --- where the steepest rates lie -----------------------------------------------------------


@styled
def learning_rate_map(
    intervals: pd.DataFrame, published: Mapping[str, tuple[float, float]]
) -> Figure:
    """Where the interval of steepest change lies, by the series of rates, a panel a rule.

    Parameters
    ----------
    intervals : as `statistics.rate_map` gives them.
    published : the paper's intervals, by rule.
    """
    series = ["spacing", "start", "end"]
    known = intervals[series].drop_duplicates().sort_values(series, kind="stable")
    names = [f"{spacing}, {start:g} to {end:g}" for spacing, start, end in known.to_numpy()]
    places = {key: place for place, key in enumerate(map(tuple, known.to_numpy()))}
    batches = sorted(intervals["batch_size"].unique().tolist())
    figure = new_figure(DOUBLE, (34 + 5 * len(places) * len(batches)) * MM)
    panels = figure.subplots(1, len(published), sharex=True, sharey=True, squeeze=False)[0]
    for axes, letter, rule in zip(panels, "ab", published, strict=True):
        for key, own in intervals[intervals["rule"] == rule].groupby([*series, "batch_size"]):
            number = batches.index(key[-1])
            height = places[key[:-1]] + 0.3 * (number - (len(batches) - 1) / 2)
            steepest_bar(axes, own, height, RULE_COLOURS[rule], filled=number == 0)
        axes.axvspan(*published[rule], color=GREY, alpha=0.3, lw=0, zorder=0)
        axes.set_xlabel("learning rate α")
        letter_panel(axes, letter, RULE_NAMES[rule])
    axes.set(xscale="log", ylim=(len(places) - 0.5, -0.5))
    plain_numbers(axes, (1,))
    axes.set_yticks(range(len(places)), names)
    panels[0].set_ylabel("series of rates")
    faces = [BLACK, "white"]
    handles: list[Any] = [
        Line2D([], [], color=BLACK, marker="o", mfc=face, label=f"steepest, batches of {batch:,}")
        for batch, face in zip(batches, faces, strict=False)
    ]
    handles += [
        Line2D([], [], color=GREY, ls="", marker="|", ms=6, label="start of the series"),
        Patch(color=GREY, alpha=0.3, lw=0, label="the paper's interval"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def steepest_bar(
    axes: Axes, intervals: pd.DataFrame, height: float, colour: str, filled: bool
) -> None:
    """The seeds' mean interval with a mark at its centre, their range, and where rates begin."""
    start = float(intervals["start"].iloc[0])
    axes.plot(start, height, "|", color=GREY, ms=6)
    ends = intervals[["low", "high"]].dropna()
    if ends.empty:
        axes.text(1.2 * start, height, "diverges at once", va="center", color=colour)
        return
    low, high = np.exp(np.log(ends).mean()).tolist()
    axes.plot([ends["low"].min(), ends["high"].max()], [height] * 2, color=colour, lw=0.5)
    axes.plot([low, high], [height] * 2, color=colour, lw=2, solid_capstyle="butt")
    face = colour if filled else "white"
    axes.plot(math.sqrt(low * high), height, "o", color=colour, mfc=face, ms=4, zorder=3)
