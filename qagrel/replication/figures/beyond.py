"""Beyond the paper: a figure a question, from a number a run and seed (see `beyond.values`)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from qagrel.replication.figures.style import (
    BLACK,
    BLUE,
    DOUBLE,
    GREEN,
    GREY,
    MM,
    PURPLE,
    RULE_COLOURS,
    RULE_MARKERS,
    RULE_NAMES,
    VERMILLION,
    letter_panel,
    new_figure,
    styled,
)
from qagrel.replication.naming import named
from qagrel.replication.statistics import geometric

LETTERS = "abcdefgh"
DASHED: Any = (0, (2, 1.5))
Look = tuple[str, str, str, Any]  # name, colour, marker, line
NETWORK_LOOKS: dict[str, Look] = {  # by rule and feedback
    "q-agrel, symmetric": ("Q-AGREL, symmetric", BLUE, "o", "-"),
    "q-agrel, learned": ("Q-AGREL, learned", GREEN, "^", (0, (6, 1, 1, 1))),
    "q-agrel, fixed": ("Q-AGREL, fixed", PURPLE, "D", DASHED),
    "error-bp, symmetric": ("error-BP", VERMILLION, "s", (0, (5, 1.5))),
}
RATES = {"same": "one rate and loss", "own": "each rule's own"}
SHARE_LOOKS: list[tuple[str, str, Any]] = [  # by the share of right answers
    (BLUE, "o", "-"),
    (GREEN, "^", (0, (6, 1, 1, 1))),
    (VERMILLION, "s", (0, (5, 1.5))),
    (PURPLE, "D", DASHED),
]
ACCURACY = "test accuracy (%)"


class Settings(NamedTuple):
    """A panel with a line a setting: its title, a number a run and seed, and what these are.

    `log` is for what is compared as ratios; `rule` is that of runs whose names do not begin with
    one; `marks` are values of others, by the text beside them.
    """

    title: str
    table: pd.DataFrame
    unit: str
    log: bool = False
    rule: str = "q-agrel"
    marks: Mapping[str, float] = {}


@styled
def settings(panels: Sequence[Settings]) -> Figure:
    """Every seed's number, a line a setting, and the mean over seeds: two panels beside each other.

    Runs have the colour and marker of their rule.  Where ratios are compared, axes are logarithmic
    and means geometric.
    """
    rows = [panels[i : i + 2] for i in range(0, len(panels), 2)]
    heights = [max(panel.table["run"].nunique() for panel in row) + 2.5 for row in rows]
    figure = new_figure(DOUBLE, (8 + 5.5 * sum(heights)) * MM)
    grid = figure.subplots(
        len(rows), min(len(panels), 2), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, letter, panel in zip(grid.flat, LETTERS, panels, strict=False):
        setting_lines(axes, panel)
        letter_panel(axes, letter, panel.title)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return figure


def setting_lines(axes: Axes, panel: Settings) -> None:
    """One panel of `settings`."""
    runs = list(dict.fromkeys(panel.table["run"]))
    if panel.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=whole(panel), min_n_ticks=1))
    for i, run in enumerate(runs):
        rule = next((name for name in RULE_NAMES if run.startswith(name)), panel.rule)
        numbers = panel.table.loc[panel.table["run"] == run, "value"].to_numpy(float)
        spread = np.linspace(-0.22, 0.22, len(numbers)) if len(numbers) > 1 else np.zeros(1)
        look: Any = {"color": RULE_COLOURS[rule], "marker": RULE_MARKERS[rule], "ls": ""}
        axes.plot(numbers, i + spread, **look, ms=2.5, alpha=0.6, mew=0)
        mean = geometric(numbers) if panel.log else numbers.mean()
        axes.plot([mean, mean], [i - 0.36, i + 0.36], color=BLACK, lw=1.2)
    for text, value in panel.marks.items():
        axes.axvline(value, color=GREY, lw=0.7, ls=DASHED, zorder=0)
        inside: Any = {"xytext": (2, -2), "textcoords": "offset points", "va": "top"}
        beside = axes.get_xaxis_transform()
        axes.annotate(text, (value, 1), xycoords=beside, color=GREY, rotation=90, **inside)
    axes.margins(x=0.08)
    if whole(panel):
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, low // 1 + 0.3), max(high, high // 1 + 0.7))
    axes.set_yticks(range(len(runs)), [named(run) for run in runs])
    axes.set(ylim=(len(runs) - 0.5, -0.5), xlabel=panel.unit)
    axes.tick_params(axis="y", length=0)


def whole(panel: Settings) -> bool:
    """Whether all numbers of a panel are whole ones."""
    return bool((panel.table["value"] % 1 == 0).all())


def curve(
    axes: Axes, table: pd.DataFrame, look: Look, shift: float = 0.0, log: bool = False
) -> None:
    """Numbers of all seeds over x, and a line through their means.

    Parameters
    ----------
    table : columns x, value.
    shift : of the points, so that those of several curves stand beside each other.
    log : whether the values' axis is logarithmic, and the means geometric.
    """
    name, colour, marker, line = look
    means = table.groupby("x")["value"].agg(geometric if log else "mean")
    axes.plot(table["x"] + shift, table["value"], marker, color=colour, ms=2, alpha=0.5, mew=0)
    axes.plot(means.index + shift, means, color=colour, ls=line, marker=marker, label=name)
    if log:
        axes.set_yscale("log")


@styled
def depth(accuracies: pd.DataFrame) -> Figure:
    """Test accuracy by the number of hidden layers, a panel a range of initial weights.

    The last panel has the deepest networks, by that range.

    Parameters
    ----------
    accuracies : columns run, seed, value; runs are named ``layers, rule, feedback, range``.
    """
    parts = accuracies["run"].str.split(", ", expand=True)
    table = accuracies.assign(
        layers=parts[0].astype(int),
        network=parts[1] + ", " + parts[2],
        range=parts[3].astype(float),
    )
    deepest = table["layers"].max()
    depths = table.groupby("range")["layers"].nunique()
    ranges: list[float] = depths.index[depths > 1].tolist()
    figure = new_figure(DOUBLE, 66 * MM)
    *panels, last = figure.subplots(1, len(ranges) + 1, sharey=True, squeeze=False)[0]
    looks = {name: look for name, look in NETWORK_LOOKS.items() if name in set(table["network"])}
    for axes, letter, limit in zip(panels, LETTERS, ranges, strict=False):
        for i, (network, look) in enumerate(looks.items()):
            own = table[(table["network"] == network) & (table["range"] == limit)]
            curve(axes, own.assign(x=own["layers"]), look, 0.08 * (i - 1.5))
        letter_panel(axes, letter, f"initial weights ±{limit:g}")
        axes.set(xlabel="hidden layers", xticks=range(1, deepest + 1))
    for network, look in looks.items():
        own = table[(table["network"] == network) & (table["layers"] == deepest)]
        curve(last, own.assign(x=own["range"]), look)
    last.set(xlabel="range of initial weights (±)")
    letter_panel(last, LETTERS[len(panels)], f"{deepest} hidden layers")
    figure.axes[0].set(ylim=(0, 102), ylabel=ACCURACY)
    handles = last.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(looks))
    return figure


@styled
def classes(trials: pd.DataFrame, ratios: pd.DataFrame, measured: str) -> Figure:
    """Trials until most answers are right, by the number of classes, and their ratio by rule.

    Parameters
    ----------
    trials : columns run, seed, value; runs are named ``classes, rule, same`` or ``own``.
    ratios : columns rates, share, classes, seed, value (see `beyond.trial_ratios`).
    measured : what those trials are.
    """
    parts = trials["run"].str.split(", ", expand=True)
    table = trials.assign(x=parts[0].astype(int), rule=parts[1], rates=parts[2])
    shown = [rates for rates in RATES if rates in set(table["rates"])]
    figure = new_figure(DOUBLE, 110 * MM)
    panels = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    numbers = sorted(table["x"].unique())
    for i, (rates, (above, below)) in enumerate(zip(shown, panels.T, strict=True)):
        for rule, name in RULE_NAMES.items():
            own = table[(table["rates"] == rates) & (table["rule"] == rule)]
            curve(above, own, (name, RULE_COLOURS[rule], RULE_MARKERS[rule], "-"), log=True)
        letter_panel(above, LETTERS[i], RATES[rates])
        of_rates = ratios[ratios["rates"] == rates]
        for j, (share, own) in enumerate(of_rates.groupby("share")):
            colour, marker, line = SHARE_LOOKS[j]
            look = (f"{100 * float(str(share)):.0f} % right", colour, marker, line)
            curve(below, own.assign(x=own["classes"]), look, 0.12 * (j - 1.5), log=True)
        below.plot(numbers, [bits(n) for n in numbers], color=GREY, ls=":", label="bits told")
        below.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        below.yaxis.set_major_formatter("{x:g}")
        below.yaxis.set_minor_formatter("")
        letter_panel(below, LETTERS[len(shown) + i], f"ratio, {RATES[rates]}")
        below.set(xlabel="classes", xticks=numbers)
    panels[0, 0].set_ylabel(measured)
    panels[1, 0].set_ylabel("trials, Q-AGREL / error-BP")
    for row in panels:
        row[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def bits(n_classes: int) -> float:
    """What a teacher tells of `n_classes` equal ones, over what right or wrong tells at chance."""
    right = 1 / n_classes
    told = -right * math.log2(right) - (1 - right) * math.log2(1 - right)
    return math.log2(n_classes) / told


@styled
def feedback(accuracies: pd.DataFrame, lowest: float | None = None) -> Figure:
    """Test accuracy by how wrong the feedback is, a panel a kind of wrong.

    Parameters
    ----------
    accuracies : columns run, seed, value; runs are named ``symmetric``, ``correlation 0.5``,
        ``noise 1``, ``silenced 0.25`` and so on.
    lowest : where the scale begins; None: below all numbers.
    """
    kinds = {
        "correlation": ("fixed feedback", "initial correlation with forward weights", PURPLE),
        "noise": ("symmetric feedback with noise", "standard deviation (× the feedback)", BLUE),
        "silenced": ("symmetric feedback, units left out", "share of hidden units", GREEN),
    }
    symmetric = accuracies[accuracies["run"] == "symmetric"]
    parts = accuracies[accuracies["run"] != "symmetric"]["run"].str.split(" ", expand=True)
    table = accuracies.loc[parts.index].assign(kind=parts[0], x=parts[1].astype(float))
    figure = new_figure(DOUBLE, 62 * MM)
    panels = figure.subplots(1, len(kinds), sharey=True)
    for axes, letter, (kind, (title, label, colour)) in zip(
        panels, LETTERS, kinds.items(), strict=False
    ):
        own = table[table["kind"] == kind]
        if kind != "correlation":
            own = pd.concat([symmetric.assign(kind=kind, x=0.0), own])
        curve(axes, own, (title, colour, "o", "-"))
        axes.axhline(symmetric["value"].mean(), color=GREY, lw=0.7, ls=DASHED, zorder=0)
        axes.set_xlabel(label)
        letter_panel(axes, letter, title)
    panels[0].annotate(
        "symmetric",
        (0.02, symmetric["value"].mean()),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        color=GREY,
    )
    panels[0].set(ylabel=ACCURACY, ylim=(lowest, None))
    return figure
