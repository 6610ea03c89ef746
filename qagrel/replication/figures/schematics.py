"""Figs 1 to 3: what a network does in a trial, drawn from a `Trial` with the numbers it had.

Panels take an Axes, whose unit is a millimetre on paper, and a trial.  Feedforward units and
synapses are grey, feedback green, learning orange; negative weights and changes are dashed.
Networks of more than three units a layer, or of other depths, are drawn smaller, not their text.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from qagrel.network import Floats
from qagrel.replication.figures.style import (
    BLACK,
    DOUBLE,
    GREEN,
    GREY,
    MM,
    TEXT,
    VERMILLION,
    letter_panel,
    styled,
)
from qagrel.trial import Trial

Point = npt.ArrayLike

FAINT, INK, LIT, LIT_GREEN = "#c8c8c8", "#4d4d4d", "#dddddd", "#9fd9c6"
RADIUS = 4.0  # of units: a number of two decimals fits
BELOW = np.array([0.0, -2 * RADIUS])  # a node's feedback unit, seen from its feedforward unit
COLUMN, ROW = 24.0, 18.0  # between layers, and between the nodes of a layer
SYMBOL = TEXT + 2  # points, so that indices can be read
NEARER = 0.6  # how far along an arrow its number stands, see `_label_place`
DASHED = (0, (2.5, 1.2))
SOFT: Any = {"boxstyle": "square,pad=0.06", "fc": "white", "ec": "none"}


# --- Fig. 1 ---------------------------------------------------------------------------------


@styled
def overview(trial: Trial) -> Figure:
    """Fig. 1: a trial in five phases, and a key."""
    figure, height = Figure(figsize=(DOUBLE, 130 * MM)), 59
    rows = (
        (66, ((0, 81, feedforward_pass), (85, 33, action_selection), (123, 57, feedback_pass))),
        (0, ((0, 38, prediction_error), (43, 81, synaptic_update), (129, 51, key))),
    )
    titles = ("feedforward pass", "action selection", "feedback", "prediction error", "update", "")
    panels = [(x, y, width, draw) for y, row in rows for x, width, draw in row]
    for number, title, (x, y, width, draw) in zip("12345 ", titles, panels, strict=True):
        axes = _panel(figure, x, y, width, height)
        draw(axes, trial)
        letter_panel(axes, number, title)
    return figure


def feedforward_pass(axes: Axes, trial: Trial) -> None:
    """Activities in the units, weights on the connections (Eqs. 2 to 5)."""
    centres, layers = _canvas(axes, trial)
    for layer, weights in enumerate(trial.weights):
        driven = np.outer(trial.activities[layer] != 0, np.ones(weights.shape[1], bool))
        _bundle(axes, centres[layer], centres[layer + 1], weights, INK, driven)
    _units(axes, trial, centres, layers, with_numbers=True)


def action_selection(axes: Axes, trial: Trial) -> None:
    """The Q-values, and the one that the max-Boltzmann controller picks (Eq. 6)."""
    centres, layers = _canvas(axes, trial, first=len(trial.weights) - 1)
    _wires(axes, centres, layers)
    _units(axes, trial, centres, layers, with_numbers=True)
    for z, (x, y) in zip(trial.signals[-1], centres[-1], strict=True):
        axes.text(x, y + RADIUS + 1.5, f"$z$ = {z:.0f}", ha="center")
    _ring(axes, centres[-1][trial.winner])
    is_best = trial.winner == trial.activities[-1].argmax()
    text = "the largest $q$ wins" if is_best else "explored: a random one"
    axes.text(axes.get_xlim()[1], axes.get_ylim()[0] + 1, text, ha="right")


def feedback_pass(axes: Axes, trial: Trial) -> None:
    """From the winner down through the feedback connections, past open gates (Eqs. 10, 12)."""
    centres, layers = _canvas(axes, trial, first=1)
    _units(axes, trial, centres, layers)
    _ring(axes, centres[-1][trial.winner])
    for layer in range(len(centres) - 2, 0, -1):
        passed = np.outer(trial.signals[layer] != 0, trial.gates(layer))
        weights = trial.feedback_weights[layer].T
        above, below = centres[layer + 1] + BELOW, centres[layer] + BELOW
        _bundle(axes, above, below, weights, GREEN, passed)
    _feedback_units(axes, trial, centres, layers)


def prediction_error(axes: Axes, trial: Trial) -> None:
    """The reward, compared with the winner's value, and told to every synapse (Eq. 7)."""
    centres, layers = _canvas(axes, trial, first=len(trial.weights), margin=29)
    _units(axes, trial, centres, layers, with_numbers=True)
    winner = centres[-1][trial.winner]
    _ring(axes, winner)
    middle = centres[-1][0, 0] + 19
    top, bottom = (centres[-1][end, 1] for end in (0, -1))
    for height in np.linspace(top, bottom, 4):
        end = (middle + 14, height)
        _arrow(axes, (middle, winner[1]), end, VERMILLION, lw=0.8, ls=":")
    _boxed(axes, middle, winner[1], _delta(trial).replace(" = ", "\n= ").replace("\n= r", " = r"))
    axes.text(middle + 15, bottom - 6, "to all synapses", ha="right", color=VERMILLION)


def synaptic_update(axes: Axes, trial: Trial) -> None:
    """The change of each weight, the same for the feedback that reciprocates it (Eqs. 8 to 13)."""
    centres, layers = _canvas(axes, trial)
    for layer, changes in enumerate(trial.changes):
        _bundle(axes, centres[layer], centres[layer + 1], changes, VERMILLION, changes != 0)
    _units(axes, trial, centres, layers)
    _ring(axes, centres[-1][trial.winner])


def key(axes: Axes, trial: Trial) -> None:
    """What the marks mean."""
    _blank(axes, (0, 51), (-13, 46))
    units = {
        "unit, gate open": LIT,
        "unit below threshold:\ngate closed": "white",
        "selected action": LIT,
        "feedback unit": LIT_GREEN,
    }
    for i, (text, fill) in enumerate(units.items()):
        y = 41.0 - 9.5 * i
        _circle(axes, (5, y), fill)
        axes.text(12, y, text, va="center")
    _ring(axes, (5, 22))
    arrows = {"weight": INK, "feedback weight": GREEN, "change of a weight": VERMILLION}
    for i, (text, colour) in enumerate(arrows.items()):
        y = 4.0 - 4.5 * i
        _arrow(axes, (1, y), (9, y), colour, lw=1.0)
        axes.text(12, y, text, va="center")
    axes.text(0, -10, "dashed: negative", va="center")
    settings = f"α = {trial.spec.learning_rate:g}, $r$ = {trial.reward:g}"
    axes.text(27, -10, settings, va="center")


# --- Fig. 2 ---------------------------------------------------------------------------------


@styled
def local_information(trial: Trial, unit: int) -> Figure:
    """Fig. 2: the notation, and all that a unit of the first hidden layer knows and does."""
    n_changes = len(trial.activities[0]) + len(trial.signals[1])
    table = 5.0 * (n_changes + 1)
    figure = Figure(figsize=(DOUBLE, (table + 82) * MM))
    panels = (
        (_panel(figure, 0, table + 9, 61, 67), "a", "notation"),
        (_panel(figure, 66, table + 9, 114, 67), "b", f"unit {unit + 1} of the first hidden layer"),
        (_panel(figure, 0, 0, 180, table), "c", "what its synapses change by"),
    )
    notation(panels[0][0], trial)
    node_detail(panels[1][0], trial, unit)
    update_table(panels[2][0], trial, unit)
    for axes, letter, title in panels:
        letter_panel(axes, letter, title)
    return figure


def notation(axes: Axes, trial: Trial) -> None:
    """Symbols above the units, and the values they have in them."""
    centres, layers = _canvas(axes, trial, row=22, column=17)
    names = [r"x_{%d}", *(rf"y^{{({n})}}_{{%d}}" for n in range(1, len(centres) - 1)), "q_{%d}"]
    for layer, name in enumerate(names):
        for unit, (x, y) in enumerate(centres[layer], 1):
            text = f"${name % unit}$"
            axes.text(x, y + RADIUS + 1.2, text, ha="center", fontsize=SYMBOL, zorder=5)
    letters = "uvw" if len(centres) == 4 else ["w"] * (len(centres) - 1)
    for letter, left, right in zip(letters, centres, centres[1:], strict=False):
        x, y = (left[0, 0] + right[0, 0]) / 2, axes.get_ylim()[0]
        axes.text(x - 2, y, f"${letter}$", ha="center", fontsize=SYMBOL, color=INK)
        if left is not centres[0]:
            axes.text(x + 2, y, f"${letter}$′", ha="center", fontsize=SYMBOL, color=GREEN)
    for below, above in pairwise(centres):
        _plain_bundle(axes, below, above, INK)
    for below, above in pairwise(centres[1:]):
        _plain_bundle(axes, above + BELOW, below + BELOW, GREEN)
    _units(axes, trial, centres, layers, with_numbers=True)
    _feedback_units(axes, trial, centres, layers)


def node_detail(axes: Axes, trial: Trial, unit: int) -> None:
    """Signals through a unit of the first hidden layer, forward above and feedback below."""
    _blank(axes, (0, 114), (-4, 63))
    frame = FancyBboxPatch((31, 3), 56, 55, boxstyle="round,pad=1", fc="#f6f6f6", ec=FAINT)
    frame.set_zorder(-1)
    axes.add_patch(frame)
    _forward_path(axes, trial, unit)
    _feedback_path(axes, trial, unit)
    _boxed(axes, 14, 12, _delta(trial).replace("q =", "q\n="))


def _forward_path(axes: Axes, trial: Trial, unit: int) -> None:
    inputs, weights = trial.activities[0], trial.weights[0][:, unit]
    total = float(trial.net_inputs[0][unit])
    heights = 44 + 15 * ((len(inputs) - 1) / 2 - np.arange(len(inputs)))
    starts = np.column_stack([np.full(len(inputs), 5.0), heights])
    _bundle(axes, starts, np.array([[38.0, 44.0]]), weights[:, None], INK, inputs[:, None] != 0)
    for i, (point, value) in enumerate(zip(starts, inputs, strict=True), 1):
        _circle(axes, point, LIT, number(value))
        axes.text(point[0], point[1] + RADIUS + 1.2, f"$x_{i}$", ha="center", fontsize=SYMBOL)
    _circle(axes, (38, 44), "white", "Σ")
    _arrow(axes, (42, 44), (53.5, 44), INK, lw=0.9)
    _note(axes, 47.5, 46, f"$a$ {_equals(total)}")
    _hinge(axes, 58, 44)
    _arrow(axes, (62.5, 44), (74, 44), INK, lw=0.9)
    fill = LIT if trial.gate(1, unit) else "white"
    _circle(axes, (78, 44), fill, number(float(trial.activities[1][unit])))
    axes.text(78, 44 + RADIUS + 1.2, "$y$", ha="center", fontsize=SYMBOL)
    _arrow(axes, (82, 44), (113, 44), INK, lw=0.9)
    _note(axes, 101, 46, "to layer 2")


def _feedback_path(axes: Axes, trial: Trial, unit: int) -> None:
    weights, sent = trial.feedback_weights[1][unit], trial.signals[1]
    opened = trial.gate(1, unit)
    heights = 15 + 12 * ((len(sent) - 1) / 2 - np.arange(len(sent)))
    starts = np.column_stack([np.full(len(sent), 109.0), heights])
    ends = np.array([[78.0, 15.0]])
    _bundle(axes, starts, ends, weights[:, None], GREEN, sent[:, None] != 0)
    for point, value in zip(starts, sent, strict=True):
        _circle(axes, point, LIT_GREEN if value else "white", number(value))
    axes.text(113, heights[0] + RADIUS + 1.5, "$fb$ of layer 2", ha="right", color=GREEN)
    _circle(axes, ends[0], "white", "Σ")
    _arrow(axes, (74, 15), (63.5, 15), GREEN, lw=0.9)
    _note(axes, 68.5, 17, number(float(weights @ sent)), GREEN)
    gate = f"× $g$\n= {int(opened)}"
    axes.add_patch(FancyBboxPatch((53.5, 11), 9, 8, boxstyle="round,pad=0.3", fc="white", ec=GREEN))
    axes.text(58, 15, gate, ha="center", va="center", color=GREEN)
    _arrow(axes, (58, 39.5), (58, 19.8), BLACK, lw=0.9)
    sign = ">" if opened else "≤"
    _note(axes, 59.5, 31, f"$a$ {sign} 0:", BLACK, "left")
    _note(axes, 59.5, 27.5, f"gate {'open' if opened else 'closed'}", BLACK, "left")
    _arrow(axes, (52.8, 15), (42, 15), GREEN if opened else FAINT, lw=0.9)
    received = float(trial.signals[0][unit])
    _circle(axes, (38, 15), LIT_GREEN if received else "white", number(received))
    axes.text(38, 6.5, "$fb$", ha="center", color=GREEN)
    _arrow(axes, (36, 19), (27, 36), VERMILLION, lw=0.8, ls=":")
    _note(axes, 34, 30.5, "gates", VERMILLION, "left")
    _note(axes, 34, 27, "plasticity", VERMILLION, "left")


def update_table(axes: Axes, trial: Trial, unit: int) -> None:
    """The factors of each change of a node's synapses (Eq. 1), a line a synapse."""
    table = axes.get_window_extent().height / axes.get_window_extent().width * 180
    _blank(axes, (0, 180), (0, table))
    columns = (64, 88, 115, 139, 165)  # where the numbers end
    heads = ("learning rate α", "prediction error δ", "activity", "gated feedback", "change")
    own, synapses = trial.activities[1][unit], []
    inputs, fan_in = trial.activities[0], trial.changes[0][:, unit]
    for i, (x, change) in enumerate(zip(inputs, fan_in, strict=True), 1):
        name = rf"$\Delta u_{i}$, from $x_{i}$ to this unit"
        synapses.append((name, x, trial.signals[0][unit], change))
    for k, (sent, change) in enumerate(zip(trial.signals[1], trial.changes[1][unit], strict=True)):
        name = rf"$\Delta v_{k + 1} = \Delta v$′$_{k + 1}$, to layer 2 and back"
        synapses.append((name, own, sent, change))
    look: Any = {"ha": "right", "va": "center"}
    for x, head in zip(columns, heads, strict=True):
        axes.text(x, table - 2.5, head, color=GREY, **look)
    for line, (name, came, sent, change) in enumerate(synapses, 1):
        y = table - 2.5 - 5 * line
        axes.text(0, y, name, va="center", fontsize=SYMBOL - 1, color=VERMILLION)
        factors = (trial.spec.learning_rate, trial.delta, came, sent)
        shown = [f"{factors[0]:g}", *(number(float(value)) for value in factors[1:])]
        for x, text in zip(columns, [*shown, _equals(float(change))], strict=True):
            axes.text(x, y, text, color=VERMILLION, **look)
        for x in columns[:3]:
            axes.text(x + 4, y, "×", color=VERMILLION, **look)


# --- Fig. 3 ---------------------------------------------------------------------------------


@styled
def gating(opened: Trial, closed: Trial, unit: int) -> Figure:
    """Fig. 3: the same unit of the last hidden layer with an open and with a closed gate."""
    figure = Figure(figsize=(DOUBLE, 83 * MM))
    for x, letter, trial in ((0, "a", opened), (92, "b", closed)):
        axes = _panel(figure, x, 0, 88, 78)
        gate_panel(axes, trial, unit)
        letter_panel(axes, letter, "open gate" if letter == "a" else "closed gate")
    return figure


def gate_panel(axes: Axes, trial: Trial, unit: int) -> None:
    """One hidden unit: what it is sent, what it passes on, and what each synapse changes by."""
    layer = len(trial.weights) - 1
    centres, layers = _canvas(axes, trial, first=layer - 1, column=37, row=20, bottom=16)
    _wires(axes, centres, layers)
    below, node, above = centres[layer - 1], centres[layer][[unit]], centres[-1][[trial.winner]]
    opened, colour = trial.gate(layer, unit), GREEN if trial.gate(layer, unit) else GREY
    driven = trial.activities[layer - 1][:, None] != 0
    fan_in, fan_out = trial.weights[layer - 1][:, [unit]], trial.weights[layer][[unit]]
    changed, changes_out = trial.changes[layer - 1][:, [unit]], trial.changes[layer][[unit]]
    winner = [trial.winner]
    _bundle(axes, below, node, fan_in, INK, driven, changes=changed, place=0.34)
    _bundle(
        *(axes, node, above, fan_out[:, winner], INK, np.array([[opened]])),
        changes=changes_out[:, winner],
        place=0.34,
    )
    back, always = trial.feedback_weights[layer][[unit]][:, winner], np.array([[True]])
    _bundle(axes, above + BELOW, node + BELOW, back, colour, always, place=0.37)
    if not opened:
        x, y = _between(above[0] + BELOW, node[0] + BELOW, RADIUS + 2.5)[1]
        axes.text(x, y, "✕", ha="center", va="center", fontsize=TEXT + 3, color=BLACK, zorder=5)
    if layer > 1:
        down = trial.feedback_weights[layer - 1][:, [unit]].T
        passed = opened & trial.gates(layer - 1)[None, :]
        _bundle(axes, node + BELOW, below + BELOW, down, GREEN, passed, place=0.37)
    _units(axes, trial, centres, layers, with_numbers=True)
    _feedback_units(axes, trial, centres, [n for n in layers if n > 0])
    _ring(axes, centres[-1][trial.winner])
    _gate_notes(axes, trial, layer, unit, node[0])


def _gate_notes(axes: Axes, trial: Trial, layer: int, unit: int, node: Floats) -> None:
    total, opened = float(trial.net_inputs[layer - 1][unit]), trial.gate(layer, unit)
    text = f"$a$ {_equals(total)}, $g$ = {int(opened)}"
    axes.text(node[0], node[1] + BELOW[1] - RADIUS - 1, text, va="top", ha="center")
    (left, right), bottom = axes.get_xlim(), axes.get_ylim()[0]
    _boxed(axes, left + 23, bottom + 5, _delta(trial))
    rate = f"α = {trial.spec.learning_rate:g}\n"
    note = "Δ: change of a synapse" if opened else "this unit learns nothing"
    axes.text(right, bottom + 5, rate + note, ha="right", va="center", color=VERMILLION)


# --- numbers --------------------------------------------------------------------------------


def number(value: float) -> str:
    """Two decimals, with a true minus; zero is 0, what rounds to it ≈0."""
    if value == 0:
        return "0"
    return f"{value:.2f}".replace("-", "−") if abs(value) >= 0.005 else "≈0"


def _signed(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"


def _equals(value: float) -> str:
    text = number(value)
    return f"≈ {text[1:]}" if text.startswith("≈") else f"= {text}"


def _delta(trial: Trial) -> str:
    value = float(trial.activities[-1][trial.winner])
    return f"δ = r − q = {trial.reward:g} − {_signed(value)} = {number(trial.delta)}"


# --- parts ----------------------------------------------------------------------------------


def _panel(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place of a figure, all in millimetres."""
    across, up = figure.get_size_inches() / MM
    return figure.add_axes((x / across, y / up, width / across, height / up))


def _blank(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set(xlim=x, ylim=y, aspect="equal", anchor="NW")
    axes.set_axis_off()


def _canvas(
    axes: Axes,
    trial: Trial,
    first: int = 0,
    *,
    margin: float = 0.0,
    bottom: float = 1.0,
    column: float = COLUMN,
    row: float = ROW,
) -> tuple[list[Floats], range]:
    """Room for the layers of a network from `first` on.

    `margin` is what is left free on the right, `bottom` below.

    Returns
    -------
    The centres of the feedforward units of all layers, (units, 2) a layer, and which are shown.
    """
    widths = [len(layer) for layer in trial.activities]
    height, rim = row * (max(widths) - 1), RADIUS + 0.5
    sides = (column * first - rim, column * (len(widths) - 1) + rim + margin)
    _blank(axes, sides, (BELOW[1] - RADIUS - bottom, height + RADIUS + 6))
    centres = []
    for layer, width in enumerate(widths):
        y = height / 2 + row * ((width - 1) / 2 - np.arange(width))
        centres.append(np.column_stack([np.full(width, column * layer), y]))
    return centres, range(first, len(widths))


def _circle(axes: Axes, centre: Point, fill: str, text: str = "") -> None:
    x, y = np.asarray(centre, float)
    axes.add_patch(Circle((x, y), RADIUS, fc=fill, ec=INK, lw=0.6, zorder=4))
    axes.text(x, y, text, ha="center", va="center_baseline", zorder=5)


def _ring(axes: Axes, centre: Point) -> None:
    x, y = np.asarray(centre, float)
    axes.add_patch(Circle((x, y), RADIUS, fill=False, ec=BLACK, lw=1.8, zorder=4.5))


def _boxed(axes: Axes, x: float, y: float, text: str) -> None:
    box: Any = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": VERMILLION, "lw": 0.8}
    axes.text(x, y, text, ha="center", va="center", bbox=box, zorder=6)


def _note(
    axes: Axes, x: float, y: float, text: str, colour: str = INK, align: Any = "center"
) -> None:
    axes.text(x, y, text, ha=align, color=colour, zorder=3)


def _hinge(axes: Axes, x: float, y: float) -> None:
    """A box with the graph of ReLU."""
    box = FancyBboxPatch((x - 4, y - 4), 8, 8, boxstyle="round,pad=0.3", fc="white", ec=INK, lw=0.8)
    axes.add_patch(box)
    axes.plot([x - 3, x, x + 3], [y - 2, y - 2, y + 2.5], color=INK, lw=1)


def _arrow(axes: Axes, start: Point, end: Point, colour: str, **look: Any) -> None:
    first, last = (tuple(np.asarray(point, float)) for point in (start, end))
    shape: Any = {"arrowstyle": "-|>", "mutation_scale": 4.5, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(first, last, color=colour, **shape, **look))


def _between(start: Floats, end: Floats, radius: float = RADIUS) -> tuple[Floats, Floats]:
    """The ends of a line between the rims of two circles."""
    unit = (end - start) / np.hypot(*(end - start))
    return start + radius * unit, end - radius * unit


def _bundle(
    axes: Axes,
    starts: Floats,
    ends: Floats,
    values: Floats,
    colour: str,
    shown: npt.NDArray[np.bool_],
    *,
    changes: Floats | None = None,
    place: float | None = None,
) -> None:
    """Arrows from all units of a layer to all of another, each with its value on it.

    Parameters
    ----------
    values : shape (starts, ends); width and dashes of the arrows tell size and sign.
    shown : which arrows, of the same shape; the others are faint lines.
    changes : what the values change by, to be written below them.
    place : how far along the arrows the numbers stand, if not where `_label_place` says.
    """
    largest = np.abs(values).max() or 1.0
    place = _label_place(len(starts), len(ends)) if place is None else place
    look: Any = {"ha": "center", "va": "center", "bbox": SOFT, "zorder": 3}
    for i, j in np.ndindex(*values.shape):
        first, last = _between(starts[i], ends[j])
        if not shown[i, j]:
            axes.plot([first[0], last[0]], [first[1], last[1]], color=FAINT, lw=0.3, zorder=0)
            continue
        width = 0.35 + 0.9 * abs(values[i, j]) / largest
        _arrow(axes, first, last, colour, lw=width, ls="-" if values[i, j] >= 0 else DASHED)
        x, y = (starts[i] + place * (ends[j] - starts[i])).tolist()
        if changes is None:
            axes.text(x, y, number(float(values[i, j])), color=colour, **look)
        else:
            axes.text(x, y + 1.6, number(float(values[i, j])), color=colour, **look)
            axes.text(x, y - 1.6, f"Δ {number(float(changes[i, j]))}", color=VERMILLION, **look)


def _label_place(n_starts: int, n_ends: int) -> float:
    """How far along its arrow a value stands: nearer to the layer with more units.

    There the arrows between layers of up to three units are apart from each other, by a fifth of
    the distance of units or more.
    """
    return NEARER if n_starts <= n_ends else 1 - NEARER


def _plain_bundle(axes: Axes, starts: Floats, ends: Floats, colour: str) -> None:
    for start in starts:
        for end in ends:
            _arrow(axes, *_between(start, end), colour, lw=0.4, alpha=0.6)


def _wires(axes: Axes, centres: Sequence[Floats], layers: Sequence[int]) -> None:
    """Connections that play no part now, between the layers shown."""
    for below, above in pairwise(centres[layer] for layer in layers):
        nothing = np.zeros((len(below), len(above)))
        _bundle(axes, below, above, nothing, FAINT, nothing > 0)


def _units(
    axes: Axes,
    trial: Trial,
    centres: Sequence[Floats],
    layers: Iterable[int],
    with_numbers: bool = False,
) -> None:
    """Feedforward units, with their activities if asked for; white where a gate is closed."""
    for layer in layers:
        for unit, (point, value) in enumerate(
            zip(centres[layer], trial.activities[layer], strict=True)
        ):
            is_hidden = 0 < layer < len(centres) - 1
            fill = "white" if is_hidden and not trial.gate(layer, unit) else LIT
            _circle(axes, point, fill, number(value) if with_numbers else "")


def _feedback_units(
    axes: Axes, trial: Trial, centres: Sequence[Floats], layers: Iterable[int]
) -> None:
    """The feedback unit of each node, with its activity; the input has none."""
    for layer in layers:
        if layer == 0:
            continue
        values = trial.signals[layer - 1]
        for point, value in zip(centres[layer] + BELOW, values, strict=True):
            _circle(axes, point, LIT_GREEN if value else "white", number(value))
