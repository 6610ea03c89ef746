"""Epochs: which rule is slower by which measure, and what the stopping rule makes of accuracies."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from qagrel.replication.figures.style import (
    BLACK,
    DOUBLE,
    GREEN,
    GREY,
    PURPLE,
    RULE_COLOURS,
    RULE_MARKERS,
    letter_panel,
    new_figure,
    plain_numbers,
    styled,
)
from qagrel.replication.statistics import Chain

LOSS_COLOURS = {"cross-entropy": RULE_COLOURS["error-bp"], "squared-error": GREEN}
LOSS_NAMES = {"cross-entropy": "cross-entropy", "squared-error": "squared error"}
RATE_MARKERS = {"lower": "v", "higher": "^", "own better": "o"}
RATE_NAMES = {
    "lower": "lower rate of both",
    "higher": "higher rate of both",
    "own better": "each rule's better rate",
}
FEEDBACK_COLOURS = {"symmetric": RULE_COLOURS["q-agrel"], "learned": PURPLE, "fixed": BLACK}
DASHED: Any = (0, (2, 1.5))


# --- slower by which measure ----------------------------------------------------------------


@styled
def slowness(ratios: pd.DataFrame) -> Figure:
    """The ratio of epochs, Q-AGREL over error-BP, by measure, loss and rates, with intervals.

    Parameters
    ----------
    ratios : as `statistics.epochs_by_measure` gives it.
    """
    figure = new_figure(DOUBLE, 0.37 * DOUBLE)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, letter, loss in zip(panels, "ab", LOSS_COLOURS, strict=True):
        ratio_points(axes, ratios[ratios["loss"] == loss], LOSS_COLOURS[loss])
        letter_panel(axes, letter, f"error-BP by the {LOSS_NAMES[loss]}")
    marks = [
        Line2D([], [], ls="", marker=marker, color=GREY, label=RATE_NAMES[rates])
        for rates, marker in RATE_MARKERS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def ratio_points(axes: Axes, ratios: pd.DataFrame, colour: str) -> None:
    """Ratios of one loss on a logarithmic axis, a line a measure; an arrow where it is a bound."""
    measures = list(dict.fromkeys(ratios["measure"]))
    shown = ratios[ratios["rates"].isin(list(RATE_MARKERS))]
    for line in shown.to_dict("records"):
        offset = 0.22 * (list(RATE_MARKERS).index(line["rates"]) - 1)
        height = measures.index(line["measure"]) + offset
        if np.isnan(line["ratio"]):
            continue
        axes.plot([line["low"], line["high"]], [height] * 2, color=colour, lw=0.8)
        marker = RATE_MARKERS[line["rates"]]
        axes.plot(line["ratio"], height, marker, color=colour, ms=3, mew=0.5)
        if line["bound"] in {"at least", "at most"}:
            arrow, end = (">", "high") if line["bound"] == "at least" else ("<", "low")
            axes.plot(line[end], height, arrow, color=colour, ms=3, mfc="none", mew=0.5)
    for height, measure in enumerate(measures):
        if shown.loc[shown["measure"] == measure, "ratio"].isna().all():
            axes.text(1.06, height, "not met by half of the runs", va="center")
    axes.axvline(1, color=BLACK, lw=0.6)
    for height in (0.5, 0.5 + sum(name.startswith("validation") for name in measures)):
        axes.axhline(height, color=GREY, lw=0.3)
    names = ["until the stopping rule" if name == "stop" else name for name in measures]
    axes.set_yticks(range(len(measures)), names)
    axes.set(ylim=(len(measures) - 0.5, -0.5), xscale="log")
    axes.set_xlabel("epochs of Q-AGREL over those of error-BP")
    plain_numbers(axes, (1, 2, 3, 5))
    axes.tick_params("y", length=0)


# --- the stopping rule ----------------------------------------------------------------------


@styled
def stopping(
    times: pd.DataFrame, curves: Mapping[str, pd.DataFrame], chains: Mapping[str, Chain]
) -> Figure:
    """Epochs seen against those that recorded accuracies give, and how many runs go on.

    Parameters
    ----------
    times : as `statistics.stopping_times` gives them.
    curves : the share of runs of a row that go on, as `statistics.going_on` gives it, by the row's
        name in `times`.
    chains : the same by the chain, by the same names.
    """
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    seen_and_expected(left, times)
    letter_panel(left, "a", "epochs until the stopping rule")
    lines = times.set_index("name").loc[list(curves)].reset_index().to_dict("records")
    for line in lines:
        survival_curve(right, curves[line["name"]], chains[line["name"]], _colour(line))
    last = max(chain.epochs[-1] for chain in chains.values())
    right.set(xlim=(0, last), ylim=(0, 1.03), xlabel="epoch", ylabel="share of runs that go on")
    networks = " and ".join(sorted({line["hidden"] for line in lines}))
    letter_panel(right, "b", f"runs that go on ({networks} units, lower rates)")
    figure.legend(handles=_stopping_legend(), loc="outside lower center", ncols=4)
    return figure


def seen_and_expected(axes: Axes, times: pd.DataFrame) -> None:
    """Mean and standard deviation of the epochs of each row, seen and by the chain."""
    for line in times.to_dict("records"):
        colour, spread = _colour(line), np.nan_to_num(line["std"])
        at, mean = line["chain_mean"], line["mean"]
        for x, y in (
            ([at, at], [max(mean - spread, 1.0), mean + spread]),
            ([max(at - line["chain_std"], 1.0), at + line["chain_std"]], [mean, mean]),
        ):
            axes.plot(x, y, color=colour, lw=0.5)
        face = "none" if line["n_cut_off"] else colour
        axes.plot(at, mean, RULE_MARKERS[line["rule"]], color=colour, mfc=face, ms=3, mew=0.6)
    limits = times[["mean", "chain_mean"]].min().min() / 1.4, times["mean"].max() * 1.4
    axes.plot(limits, limits, color=GREY, lw=0.5, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    axes.set(xlabel="expected from recorded accuracies", ylabel="seen")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")


def survival_curve(axes: Axes, curve: pd.DataFrame, chain: Chain, colour: str) -> None:
    """The share of runs that go on after each epoch: steps as seen, dashes by the chain."""
    axes.plot(curve["epoch"], curve["share"], color=colour, drawstyle="steps-post")
    epochs = np.concatenate([[0.0], chain.epochs])
    share = np.concatenate([[1.0], chain.survival])
    axes.plot(epochs, share, color=colour, ls=DASHED, lw=0.7)


def _colour(line: Mapping[Hashable, Any]) -> str:
    if line["rule"] == "q-agrel":
        return FEEDBACK_COLOURS[line["feedback"]]
    return LOSS_COLOURS[line["loss"]]


def _stopping_legend() -> list[Line2D]:
    looks: dict[str, dict[str, Any]] = {
        **{
            f"Q-AGREL, {feedback}": {"marker": RULE_MARKERS["q-agrel"], "color": colour}
            for feedback, colour in FEEDBACK_COLOURS.items()
        },
        **{
            f"error-BP, {LOSS_NAMES[loss]}": {"marker": RULE_MARKERS["error-bp"], "color": colour}
            for loss, colour in LOSS_COLOURS.items()
        },
        "row with runs that were cut off": {"marker": "o", "color": GREY, "mfc": "none", "ls": ""},
        "expected": {"color": GREY, "ls": DASHED, "lw": 0.7},
    }
    return [Line2D([], [], label=label, **look) for label, look in looks.items()]
