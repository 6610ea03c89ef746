"""Figs 1 to 3: what a network does in a trial, drawn from a `Trial` with the numbers it had.

Panels take an Axes, whose unit is then a millimetre on paper, and a trial.  Feedforward units and
synapses are grey, feedback green, learning orange; negative weights and changes are dashed.
"""

from collections.abc import Sequence
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
    VERMILLION,
    new_figure,
    styled,
)
from qagrel.trial import Trial

Point = npt.ArrayLike

FAINT, INK, LIT, LIT_GREEN = "#c8c8c8", "#4d4d4d", "#dddddd", "#9fd9c6"
RADIUS, SMALL = 3.2, 2.9  # of feedforward and feedback units
BELOW = np.array([0.0, -6.3])  # a node's feedback unit, seen from its feedforward unit
COLUMN, ROW = 17.0, 17.0  # between layers, and between the nodes of a layer
NOTES = 30.0  # width of notes beside a network
TEXT, LABEL = 5.5, 5.0  # points
DASHED = (0, (2.5, 1.2))
SOFT: Any = {"boxstyle": "square,pad=0.06", "fc": "white", "ec": "none"}


# --- Fig. 1 ---------------------------------------------------------------------------------


@styled
def overview(trial: Trial) -> Figure:
    """Fig. 1: a trial in five phases, and a key."""
    figure = new_figure(DOUBLE, 0.66 * DOUBLE)
    panels = figure.subplots(2, 3).ravel()
    draw = (feedforward_pass, action_selection, feedback_pass, prediction_error, synaptic_update)
    titles = ("feedforward pass", "action selection", "feedback", "prediction error", "update")
    for letter, title, axes, panel in zip("12345", titles, panels, draw, strict=False):
        panel(axes, trial)
        axes.set_title(f"{letter}  {title}")
    key(panels[5], trial)
    return figure


def feedforward_pass(axes: Axes, trial: Trial) -> None:
    """Activities in the units, weights on the connections (Eqs. 2 to 5)."""
    centres = _canvas(axes, trial)
    for layer, weights in enumerate(trial.weights):
        driven = np.outer(trial.activities[layer] > 0, np.ones(weights.shape[1], bool))
        _bundle(axes, centres[layer], centres[layer + 1], weights, INK, driven)
    _units(axes, trial, centres, range(len(centres)))


def action_selection(axes: Axes, trial: Trial) -> None:
    """The Q-values, and the one that the max-Boltzmann controller picks (Eq. 6)."""
    centres = _canvas(axes, trial)
    _wires(axes, centres)
    _units(axes, trial, centres, [len(centres) - 1])
    for z, (x, y) in zip(trial.signals[-1], centres[-1], strict=True):
        text = f"$z$ = {z:.0f}"
        axes.text(x, y + RADIUS + 1.5, text, ha="center", fontsize=TEXT)
    _ring(axes, centres[-1][trial.winner])


def feedback_pass(axes: Axes, trial: Trial) -> None:
    """From the winner down through the feedback connections, past open gates (Eqs. 10, 12)."""
    centres = _canvas(axes, trial)
    _units(axes, trial, centres, [])
    _ring(axes, centres[-1][trial.winner])
    for layer in range(len(centres) - 2, 0, -1):
        passed = np.outer(trial.signals[layer] != 0, trial.activities[layer] > 0)
        weights = trial.feedback_weights[layer].T
        above, below = centres[layer + 1] + BELOW, centres[layer] + BELOW
        _bundle(axes, above, below, weights, GREEN, passed, SMALL)
    _feedback_units(axes, trial, centres)


def prediction_error(axes: Axes, trial: Trial) -> None:
    """The reward, compared with the winner's value, and told to every synapse (Eq. 7)."""
    centres = _canvas(axes, trial)
    _wires(axes, centres)
    _units(axes, trial, centres, [len(centres) - 1])
    _ring(axes, centres[-1][trial.winner])
    middle = centres[-1][0, 0] / 2
    top = max(layer[:, 1].max() for layer in centres) + 4
    for left, right in pairwise(centres):
        x = (left[0, 0] + right[0, 0]) / 2
        _arrow(axes, (middle, top), (x, top - 14), VERMILLION, lw=0.8, ls=":")
    _boxed(axes, middle, top + 1, _delta(trial))


def synaptic_update(axes: Axes, trial: Trial) -> None:
    """The change of each weight, the same for the feedback that reciprocates it (Eqs. 8 to 13)."""
    centres = _canvas(axes, trial)
    for layer, changes in enumerate(trial.changes):
        _bundle(axes, centres[layer], centres[layer + 1], changes, VERMILLION, changes != 0)
    _units(axes, trial, centres, [])
    _ring(axes, centres[-1][trial.winner])


def key(axes: Axes, trial: Trial) -> None:
    """What the marks mean."""
    _blank(axes, (0, 60), (-9, 50))
    units = {
        "feedforward unit, above threshold: gate open": (RADIUS, LIT),
        "below threshold: gate closed": (RADIUS, "white"),
        "selected action": (RADIUS, LIT),
        "feedback unit of a node": (SMALL, LIT_GREEN),
    }
    for i, (text, (radius, fill)) in enumerate(units.items()):
        y = 46.0 - 9 * i
        _circle(axes, (5, y), radius, fill)
        axes.text(11, y, text, va="center", fontsize=TEXT)
    _ring(axes, (5, 28))
    arrows = {"weight": INK, "feedback weight": GREEN, "change of a weight": VERMILLION}
    for i, (text, colour) in enumerate(arrows.items()):
        y = 10.0 - 5 * i
        _arrow(axes, (1, y), (9, y), colour, lw=1.0)
        _arrow(axes, (11, y), (19, y), colour, lw=1.0, ls=DASHED)
        axes.text(21, y, f"{text}: positive, negative", va="center", fontsize=TEXT)
    settings = f"learning rate α = {trial.spec.learning_rate:g}, reward r = {trial.reward:g}"
    axes.text(1, -6, settings, va="center", fontsize=TEXT)


# --- Fig. 2 ---------------------------------------------------------------------------------


@styled
def local_information(trial: Trial, unit: int) -> Figure:
    """Fig. 2: the notation, and all that a unit of the first hidden layer knows and does."""
    figure = new_figure(DOUBLE, 0.41 * DOUBLE)
    left, right = figure.subplots(1, 2, width_ratios=(68, 115))
    notation(left, trial)
    left.set_title("a  notation")
    node_detail(right, trial, unit)
    right.set_title(f"b  unit {unit + 1} of the first hidden layer")
    return figure


def notation(axes: Axes, trial: Trial) -> None:
    """Symbols beside the units, and the values they have in them."""
    centres = _canvas(axes, trial)
    names = [r"x_{%d}", *(rf"y^{{({n})}}_{{%d}}" for n in range(1, len(centres) - 1)), "q_{%d}"]
    for layer, name in enumerate(names):
        for unit, (x, y) in enumerate(centres[layer], 1):
            axes.text(x, y + 4.0, f"${name % unit}$", ha="center", fontsize=TEXT)
    letters = "uvw" if len(centres) == 4 else ["w"] * (len(centres) - 1)
    for letter, left, right in zip(letters, centres, centres[1:], strict=False):
        x, y = (left[0, 0] + right[0, 0]) / 2, axes.get_ylim()[0] + 1.5
        axes.text(x - 2, y, f"${letter}$", ha="center", fontsize=7, color=INK)
        if left is not centres[0]:
            axes.text(x + 2, y, f"${letter}$′", ha="center", fontsize=7, color=GREEN)
    for below, above in pairwise(centres):
        _plain_bundle(axes, below, above, INK)
    for below, above in pairwise(centres[1:]):
        _plain_bundle(axes, above + BELOW, below + BELOW, GREEN)
    _units(axes, trial, centres, range(len(centres)))
    _feedback_units(axes, trial, centres)


def node_detail(axes: Axes, trial: Trial, unit: int) -> None:
    """Signals through a unit of the first hidden layer, forward above and feedback below."""
    _blank(axes, (0, 115), (-9, 60))
    frame = FancyBboxPatch((29, 8), 60, 47, boxstyle="round,pad=1", fc="#f6f6f6", ec=FAINT)
    frame.set_zorder(-1)
    axes.add_patch(frame)
    _forward_path(axes, trial, unit)
    _feedback_path(axes, trial, unit)
    _update_equations(axes, trial, unit)


def _forward_path(axes: Axes, trial: Trial, unit: int) -> None:
    inputs, weights = trial.activities[0], trial.weights[0][:, unit]
    total = float(trial.net_inputs[0][unit])
    heights = 43 + 11 * ((len(inputs) - 1) / 2 - np.arange(len(inputs)))
    starts = np.column_stack([np.full(len(inputs), 5.0), heights])
    _bundle(axes, starts, np.array([[38.0, 43.0]]), weights[:, None], INK, inputs[:, None] > 0)
    for i, (point, value) in enumerate(zip(starts, inputs, strict=True), 1):
        _circle(axes, point, RADIUS, LIT, number(value))
        axes.text(point[0], point[1] + 3.9, f"$x_{i}$", ha="center", fontsize=TEXT)
    _circle(axes, (38, 43), RADIUS, "white", "Σ")
    _arrow(axes, (41.2, 43), (53.5, 43), INK, lw=0.9)
    _note(axes, 47, 45, f"$a$ {_equals(total)}")
    _hinge(axes, 58, 43)
    _arrow(axes, (62.5, 43), (74.8, 43), INK, lw=0.9)
    _circle(axes, (78, 43), RADIUS, LIT if total > 0 else "white", number(max(total, 0)))
    axes.text(78, 47.5, "$y$", ha="center", fontsize=TEXT)
    _arrow(axes, (81.2, 43), (112, 43), INK, lw=0.9)
    _note(axes, 101, 45, "to layer 2")


def _feedback_path(axes: Axes, trial: Trial, unit: int) -> None:
    weights, sent = trial.feedback_weights[1][unit], trial.signals[1]
    opened = trial.gate(1, unit)
    heights = 18 + 11 * ((len(sent) - 1) / 2 - np.arange(len(sent)))
    starts = np.column_stack([np.full(len(sent), 110.0), heights])
    ends = np.array([[78.0, 18.0]])
    _bundle(axes, starts, ends, weights[:, None], GREEN, sent[:, None] != 0, SMALL)
    for point, value in zip(starts, sent, strict=True):
        _circle(axes, point, SMALL, LIT_GREEN if value else "white", number(value))
    axes.text(110, heights[0] + 4, "$fb$ of layer 2", ha="center", fontsize=TEXT, color=GREEN)
    _circle(axes, ends[0], SMALL, "white", "Σ")
    _arrow(axes, (75, 18), (62.5, 18), GREEN, lw=0.9)
    _note(axes, 69, 20, number(float(weights @ sent)), GREEN)
    gate = f"× $g$\\n= {int(opened)}".replace("\\n", "\n")
    axes.add_patch(FancyBboxPatch((54, 14), 8, 8, boxstyle="round,pad=0.3", fc="white", ec=GREEN))
    axes.text(58, 18, gate, ha="center", va="center", fontsize=TEXT, color=GREEN)
    _arrow(axes, (58, 38.5), (58, 22.8), BLACK, lw=0.9)
    sign = ">" if opened else "≤"
    _note(axes, 59, 30, f"$a$ {sign} 0: gate {'open' if opened else 'closed'}", BLACK, "left")
    _arrow(axes, (53.3, 18), (41, 18), GREEN if opened else FAINT, lw=0.9)
    received = float(trial.signals[0][unit])
    _circle(axes, (38, 18), SMALL, LIT_GREEN if received else "white", number(received))
    axes.text(38, 13, "$fb$", ha="center", fontsize=TEXT, color=GREEN)
    _arrow(axes, (36, 21), (27, 34), VERMILLION, lw=0.8, ls=":")
    _note(axes, 32.5, 28.5, "gates plasticity", VERMILLION, "left")


def _update_equations(axes: Axes, trial: Trial, unit: int) -> None:
    """The four factors of each change (Eq. 1), in numbers."""
    rate, delta = trial.spec.learning_rate, _signed(trial.delta)
    _boxed(axes, 14, 12, _delta(trial).replace("q =", "q\n="))
    y = 2.0
    for i, (x, change) in enumerate(
        zip(trial.activities[0], trial.changes[0][:, unit], strict=True), 1
    ):
        factors = f"{rate:g} · {delta} · {number(x)} · {_signed(trial.signals[0][unit])}"
        text = rf"$\Delta u_{{{i}}}$ = α δ $x_{i}$ $g$ $fb$ = {factors} {_equals(change)}"
        axes.text(1, y, text, va="center", fontsize=TEXT, color=VERMILLION)
        y -= 4.2
    y = 2.0
    own = trial.activities[1][unit]
    for k, (sent, change) in enumerate(
        zip(trial.signals[1], trial.changes[1][unit], strict=True), 1
    ):
        factors = f"{rate:g} · {delta} · {number(own)} · {_signed(sent)}"
        text = rf"$\Delta v_{{{k}}} = \Delta v$′$_{{{k}}}$ = {factors} {_equals(change)}"
        axes.text(64, y, text, va="center", fontsize=TEXT, color=VERMILLION)
        y -= 4.2


# --- Fig. 3 ---------------------------------------------------------------------------------


@styled
def gating(opened: Trial, closed: Trial, layer: int, unit: int) -> Figure:
    """Fig. 3: the same hidden unit with an open and with a closed gate."""
    figure = new_figure(DOUBLE, 0.37 * DOUBLE)
    left, right = figure.subplots(1, 2)
    for axes, trial, title in ((left, opened, "a  open gate"), (right, closed, "b  closed gate")):
        gate_panel(axes, trial, layer, unit)
        axes.set_title(title)
    return figure


def gate_panel(axes: Axes, trial: Trial, layer: int, unit: int) -> None:
    """One hidden unit amid its network: what it is sent, what it passes on, what it learns."""
    centres = _canvas(axes, trial, NOTES)
    _wires(axes, centres)
    node = centres[layer][[unit]]
    driven = trial.activities[layer - 1][:, None] > 0
    weights = trial.weights[layer - 1][:, [unit]]
    _bundle(axes, centres[layer - 1], node, weights, INK, driven)
    sends = trial.signals[layer][:, None] != 0
    back = trial.feedback_weights[layer][[unit]].T
    opened = trial.gate(layer, unit)
    colour = GREEN if opened else GREY
    _bundle(axes, centres[layer + 1] + BELOW, node + BELOW, back, colour, sends, SMALL)
    if not opened:
        x, y = 0.75 * node[0] + 0.25 * centres[layer + 1][trial.winner] + BELOW
        axes.text(x, y, "✕", ha="center", va="center", fontsize=8, color=BLACK, zorder=5)
    if layer > 1:
        down = trial.feedback_weights[layer - 1][:, [unit]].T
        passed = np.array([[opened]]) & (trial.activities[layer - 1] > 0)[None, :]
        _bundle(axes, node + BELOW, centres[layer - 1] + BELOW, down, GREEN, passed, SMALL)
    _units(axes, trial, centres, range(len(centres)))
    _feedback_units(axes, trial, centres)
    _ring(axes, centres[-1][trial.winner])
    _gate_notes(axes, trial, layer, unit, node[0])


def _gate_notes(axes: Axes, trial: Trial, layer: int, unit: int, node: Floats) -> None:
    total = float(trial.net_inputs[layer - 1][unit])
    text = f"$a$ {_equals(total)}\n$g$ = {int(trial.gate(layer, unit))}"
    axes.text(node[0] - 2.5, node[1] + RADIUS + 1, text, va="bottom", fontsize=TEXT)
    changes = "\n".join(number(change) for change in trial.changes[layer - 1][:, unit])
    text = f"{_delta(trial)}\n\nchanges of its\nsynapses:\n{changes}"
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    axes.text(right - NOTES, top - 6, text, va="top", fontsize=TEXT, color=VERMILLION)


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


def _blank(axes: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    axes.set(xlim=x, ylim=y, aspect="equal", anchor="NW")
    axes.set_axis_off()


def _canvas(axes: Axes, trial: Trial, margin: float = 0.0) -> list[Floats]:
    """Room for a network; returns the centres of the feedforward units, (units, 2) a layer.

    `margin` is what is left free on the right.
    """
    widths = [len(layer) for layer in trial.activities]
    height = ROW * (max(widths) - 1)
    _blank(axes, (-4.5, COLUMN * (len(widths) - 1) + 4.5 + margin), (-12, height + 9))
    centres = []
    for layer, width in enumerate(widths):
        y = height / 2 + ROW * ((width - 1) / 2 - np.arange(width))
        centres.append(np.column_stack([np.full(width, COLUMN * layer), y]))
    return centres


def _circle(axes: Axes, centre: Point, radius: float, fill: str, text: str = "") -> None:
    x, y = np.asarray(centre, float)
    axes.add_patch(Circle((x, y), radius, fc=fill, ec=INK, lw=0.6, zorder=4))
    axes.text(x, y, text, ha="center", va="center_baseline", fontsize=LABEL, zorder=5)


def _ring(axes: Axes, centre: Point) -> None:
    x, y = np.asarray(centre, float)
    axes.add_patch(Circle((x, y), RADIUS + 0.7, fill=False, ec=BLACK, lw=1.3, zorder=4))


def _boxed(axes: Axes, x: float, y: float, text: str) -> None:
    box: Any = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": VERMILLION, "lw": 0.8}
    axes.text(x, y, text, ha="center", fontsize=TEXT, bbox=box, zorder=6)


def _note(
    axes: Axes, x: float, y: float, text: str, colour: str = INK, align: Any = "center"
) -> None:
    axes.text(x, y, text, ha=align, color=colour, fontsize=TEXT, bbox=SOFT, zorder=3)


def _hinge(axes: Axes, x: float, y: float) -> None:
    """A box with the graph of ReLU."""
    box = FancyBboxPatch((x - 4, y - 4), 8, 8, boxstyle="round,pad=0.3", fc="white", ec=INK, lw=0.8)
    axes.add_patch(box)
    axes.plot([x - 3, x, x + 3], [y - 2, y - 2, y + 2.5], color=INK, lw=1)


def _arrow(axes: Axes, start: Point, end: Point, colour: str, **look: Any) -> None:
    first, last = (tuple(np.asarray(point, float)) for point in (start, end))
    shape: Any = {"arrowstyle": "-|>", "mutation_scale": 4.5, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(FancyArrowPatch(first, last, color=colour, **shape, **look))


def _between(start: Floats, end: Floats, radius: float) -> tuple[Floats, Floats]:
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
    radius: float = RADIUS,
) -> None:
    """Arrows from all units of a layer to all of another, each with its value on it.

    Parameters
    ----------
    values : shape (starts, ends); width and dashes of the arrows tell size and sign.
    shown : which arrows, of the same shape; the others are faint lines.
    """
    largest = np.abs(values).max() or 1.0
    for i, j in np.ndindex(*values.shape):
        first, last = _between(starts[i], ends[j], radius)
        if not shown[i, j]:
            axes.plot([first[0], last[0]], [first[1], last[1]], color=FAINT, lw=0.3, zorder=0)
            continue
        width = 0.35 + 0.9 * abs(values[i, j]) / largest
        _arrow(axes, first, last, colour, lw=width, ls="-" if values[i, j] >= 0 else DASHED)
        x, y = _label_place(starts[i], ends[j]).tolist()
        look: Any = {"ha": "center", "va": "center", "fontsize": LABEL, "color": colour}
        axes.text(x, y, number(float(values[i, j])), bbox=SOFT, zorder=3, **look)


def _label_place(start: Floats, end: Floats) -> Floats:
    """Where on an arrow its value stands: apart from those of the arrows that cross it."""
    rows = float(start[1] - end[1]) / ROW  # how far it falls
    shift = 0.1 if abs(rows) < 0.75 else 0.17 if abs(rows) < 1.25 else -0.25
    place: Floats = start + (0.5 + shift * np.sign(rows)) * (end - start)
    return place


def _plain_bundle(axes: Axes, starts: Floats, ends: Floats, colour: str) -> None:
    for start in starts:
        for end in ends:
            _arrow(axes, *_between(start, end, RADIUS), colour, lw=0.4, alpha=0.6)


def _wires(axes: Axes, centres: Sequence[Floats]) -> None:
    """Connections that play no part now."""
    for below, above in pairwise(centres):
        nothing = np.zeros((len(below), len(above)))
        _bundle(axes, below, above, nothing, FAINT, nothing > 0)


def _units(
    axes: Axes, trial: Trial, centres: Sequence[Floats], with_numbers: Sequence[int]
) -> None:
    """Feedforward units, in some layers with their activities; white where a gate is closed."""
    for layer, (points, values) in enumerate(zip(centres, trial.activities, strict=True)):
        for unit, (point, value) in enumerate(zip(points, values, strict=True)):
            is_hidden = 0 < layer < len(centres) - 1
            fill = "white" if is_hidden and not trial.gate(layer, unit) else LIT
            _circle(axes, point, RADIUS, fill, number(value) if layer in with_numbers else "")


def _feedback_units(axes: Axes, trial: Trial, centres: Sequence[Floats]) -> None:
    for points, values in zip(centres[1:], trial.signals, strict=True):
        for point, value in zip(points + BELOW, values, strict=True):
            _circle(axes, point, SMALL, LIT_GREEN if value else "white", number(value))
