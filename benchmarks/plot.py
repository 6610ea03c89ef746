"""The benchmark as a figure: all peers, the fastest of them over sizes, and phases."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks import report
from benchmarks.cases import name_of
from benchmarks.peers import AUTOGRAD, BY_HAND, JAX, KERAS, NUMPY, OURS
from qagrel import store

COLOURS = {  # of Okabe and Ito, told apart by colour-blind readers too; and a marker each
    OURS: ("#000000", "o"),
    JAX: ("#0072B2", "s"),
    NUMPY: ("#009E73", "^"),
    BY_HAND: ("#E69F00", "D"),
    AUTOGRAD: ("#D55E00", "v"),
    KERAS: ("#CC79A7", "P"),
}
DEPTHS = (("#56B4E9", "o"), ("#0072B2", "s"), ("#000000", "D"))
PHASES = ("#CC79A7", "#56B4E9", "#F0E442", "#E69F00", "#009E73")
STYLE: dict[str, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "qagrel",
}


def draw(results: dict[str, Any], out: Path) -> None:
    """Write the figure beside `out`, as PNG and SVG."""
    batches = sorted({case["batch_size"] for case in results["grid"]})
    mosaic: list[Any] = [["speed"] * len(batches), batches, ["phases"] * len(batches)]
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(7.2, 7.2), layout="constrained")
        rows = figure.subplot_mosaic(mosaic, height_ratios=[3, 2.6, 1])
        draw_speed(rows["speed"], results["speed"])
        for batch_size in batches:
            if batch_size != batches[0]:
                rows[batch_size].sharey(rows[batches[0]])
                rows[batch_size].tick_params(labelleft=False)
            given = [case for case in results["grid"] if case["batch_size"] == batch_size]
            draw_grid(rows[batch_size], given)
        rows[batches[0]].set_ylabel("Time of the fastest peer\nover that of qagrel")
        handles = rows[batches[0]].get_legend_handles_labels()
        rows[batches[-1]].legend(
            *handles, title="Hidden\nlayers", frameon=False, loc="upper left", bbox_to_anchor=(1, 1)
        )
        draw_phases(rows["phases"], results)
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None})):
            file = io.BytesIO()
            figure.savefig(file, format=suffix[1:], dpi=200, metadata=metadata)
            store.write_bytes(out.with_suffix(suffix), file.getvalue())


def draw_speed(axes: Axes, cases: list[dict[str, Any]]) -> None:
    """Seconds an epoch of every contender: medians, with whiskers at the quartiles."""
    for i, (name, (colour, marker)) in enumerate(COLOURS.items()):
        found = [(x, c["contenders"][name]) for x, c in enumerate(cases) if name in c["contenders"]]
        if found:
            places = [x + (i - 2.5) * 0.11 for x, _ in found]
            seconds = [timing["seconds"] for _, timing in found]
            draw_medians(axes, places, seconds, fmt=marker, color=colour, label=name)
    axes.set_xticks(range(len(cases)), [_tick(case) for case in cases])
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("Seconds an epoch")
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))


def _tick(case: dict[str, Any]) -> str:
    end = "" if case["trained"] else "\nuntrained"
    return f"{name_of(case['hidden'])}\nbatch {case['batch_size']}{end}"


def draw_medians(
    axes: Axes, places: list[Any], spreads: list[dict[str, float]], **style: Any
) -> None:
    """Points at medians, with whiskers at the quartiles."""
    median = [s["median"] for s in spreads]
    below = [s["median"] - s["q1"] for s in spreads]
    above = [s["q3"] - s["median"] for s in spreads]
    axes.errorbar(places, median, [below, above], ms=4, lw=1, **style)


def draw_grid(axes: Axes, cases: list[dict[str, Any]]) -> None:
    """How many times as long the fastest peer takes, over width, a line a depth."""
    depths = sorted({len(case["hidden"]) for case in cases})
    for depth, (colour, marker) in zip(depths, DEPTHS, strict=False):
        points = []
        for case in cases:
            fastest = report.fastest_peer(case)
            if len(case["hidden"]) == depth and fastest:
                points.append((case["hidden"][0], case["contenders"][fastest]["ratio"]))
        if points:
            places, ratios = zip(*points, strict=True)
            style = {"fmt": f"{marker}-", "color": colour, "label": str(depth)}
            draw_medians(axes, list(places), list(ratios), **style)
    axes.axhline(1, color="#888888", ls="--", lw=1)
    axes.set(xscale="log", yscale="log", title=f"Batch {cases[0]['batch_size']}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    widths = sorted({case["hidden"][0] for case in cases})
    axes.set_xticks(widths, [f"{width:,}" for width in widths], rotation=60)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Units in each hidden layer")


def draw_phases(axes: Axes, results: dict[str, Any]) -> None:
    """The share of each phase in an epoch, and a mark where the floor is: a bar a network."""
    labels = list(results["phases"])
    for y, label in enumerate(labels):
        begin, total = 0.0, sum(results["phases"][label].values())
        for colour, (phase, seconds) in zip(PHASES, results["phases"][label].items(), strict=False):
            share = 100 * seconds / total
            name = phase if y == 0 else None
            axes.barh(y, share, left=begin, color=colour, height=0.6, label=name)
            begin += share
        found = report.floor_of(results, label)
        floor = 100 * found["floor"] / found["reached"]
        axes.plot(
            [floor] * 2, [y - 0.4, y + 0.4], color="black", lw=2, label=None if y else "floor"
        )
    axes.set_yticks(range(len(labels)), [label.replace(", ", "\n") for label in labels])
    axes.invert_yaxis()
    axes.set_xlabel("Percent of an epoch of qagrel")
    axes.legend(frameon=False, ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1))
