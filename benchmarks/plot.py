"""The benchmark as a figure: peers, cost over batch size, width and depth, and phases."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from benchmarks import report
from benchmarks.peers import AUTOGRAD, BY_HAND, JAX, NUMPY, OURS
from qagrel import store

COLOURS = {  # of Okabe and Ito, told apart by colour-blind readers too; and a marker each
    OURS: ("#000000", "o"),
    JAX: ("#0072B2", "s"),
    NUMPY: ("#009E73", "^"),
    BY_HAND: ("#E69F00", "D"),
    AUTOGRAD: ("#D55E00", "v"),
}
STYLE: dict[str, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "qagrel",
}
AXES = {
    "batch_size": "Batch size",
    "width": "Units in each of two hidden layers",
    "depth": "Hidden layers of 300 units",
}
MOSAIC: list[Any] = [
    ["speed"] * 3,
    list(AXES),
    ["phases"] * 3,
]


def draw(results: dict[str, Any], out: Path) -> None:
    """Write the figure beside `out`, as PNG and SVG."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(7.2, 7.2), layout="constrained")
        rows = figure.subplot_mosaic(MOSAIC, height_ratios=[3, 3, 1.2])
        draw_speed(rows["speed"], results["speed"])
        for axis, label in AXES.items():
            if axis != "batch_size":
                rows[axis].sharey(rows["batch_size"])
            draw_curve(rows[axis], results["curves"][axis], label)
        draw_phases(rows["phases"], results)
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
            file = io.BytesIO()
            figure.savefig(file, format=suffix[1:], dpi=200, metadata=metadata)
            store.write_bytes(out.with_suffix(suffix), file.getvalue())


def draw_speed(axes: Axes, cases: list[dict[str, Any]]) -> None:
    """Seconds an epoch of every contender: medians, with whiskers at the quartiles."""
    for name, (colour, marker) in COLOURS.items():
        found = [(i, c["contenders"][name]) for i, c in enumerate(cases) if name in c["contenders"]]
        if not found:
            continue
        offset = (list(COLOURS).index(name) - 2) * 0.12
        seconds = [timing["seconds"] for _, timing in found]
        median = [s["median"] for s in seconds]
        below = [s["median"] - s["q1"] for s in seconds]
        above = [s["q3"] - s["median"] for s in seconds]
        places = [i + offset for i, _ in found]
        axes.errorbar(places, median, [below, above], fmt=marker, color=colour, ms=4, label=name)
    labels = [f"784-{'-'.join(map(str, c['hidden']))}-10\nbatch {c['batch_size']}" for c in cases]
    axes.set_xticks(range(len(cases)), labels)
    axes.set_yscale("log")
    axes.set_ylabel("Seconds an epoch")
    axes.legend(frameon=False, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1))


def draw_curve(axes: Axes, points: list[dict[str, Any]], label: str) -> None:
    """Picoseconds a multiply-add over one of the network's sizes.

    Dense multiply-adds for all; dashed, for ours, those that are needed.
    """
    places = [point["at"] for point in points]
    for name, kind, line in [(OURS, "rows", "--"), *((name, "dense", "-") for name in COLOURS)]:
        if name not in points[0]["contenders"]:
            continue
        cost = [
            1e12 * point["contenders"][name]["seconds"]["median"] / point["multiply_adds"][kind]
            for point in points
        ]
        colour, marker = COLOURS[name]
        axes.plot(places, cost, line, color=colour, marker=marker, ms=4, lw=1)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.set_xticks(places, [str(place) for place in places], rotation=60)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)
    axes.set_ylabel("ps a multiply-add")


def draw_phases(axes: Axes, results: dict[str, Any]) -> None:
    """Milliseconds an epoch by phase, end to end, and the floor."""
    colours = ("#CC79A7", "#56B4E9", "#F0E442", "#E69F00", "#009E73", "#0072B2", "#D55E00")
    begin = 0.0
    for i, (phase, seconds) in enumerate(results["phases"].items()):
        axes.barh(0, 1000 * seconds, left=begin, color=colours[i % len(colours)], label=phase)
        begin += 1000 * seconds
    floor = 1000 * report.floor_of(results, [300, 100])["floor"]
    axes.axvline(floor, color="black", ls="--", lw=1, label="floor")
    axes.set_yticks([])
    axes.set_xlabel("Milliseconds an epoch (784-300-100-10, batch 100)")
    axes.legend(frameon=False, ncols=8, loc="lower center", bbox_to_anchor=(0.5, 1))
