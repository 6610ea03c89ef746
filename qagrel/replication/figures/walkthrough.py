"""A trial of a trained network, phase by phase: too many units to draw one by one.

Each layer is a field of squares, a square a unit; above stands what travels upwards, below what
travels down and what changes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from qagrel.network import activated
from qagrel.replication.figures.inside import COLUMN, SIGNED, picture_shape
from qagrel.replication.figures.schematics import number
from qagrel.replication.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    styled,
)
from qagrel.trial import Trial

Array = npt.NDArray[Any]
PHASES = ("feedforward pass", "action selection", "feedback", "prediction error", "update")
SENT: Any = "PRGn"  # feedback: from purple, negative, over white to green
CLOSED = "#d9d9d9"  # a closed gate


@styled
def walkthrough(
    trial: Trial, phase: int, image_shape: Sequence[int], classes: Sequence[Any]
) -> Figure:
    """A trial up to a phase, counted from 1."""
    n_layers = len(trial.activities)
    figure = Figure(figsize=(COLUMN, 0.7 * COLUMN))
    place = {"left": 0.08, "right": 0.98, "bottom": 0.02, "top": 0.92}  # the same in all phases
    upper, lower = figure.subplots(2, n_layers, gridspec_kw={**place, "wspace": 0.2, "hspace": 0.4})
    fields = [picture_shape(image_shape), *(field(len(a)) for a in trial.activities[1:-1])]
    names = ["image", *(f"layer {layer}" for layer in range(1, n_layers - 1))]
    for layer, (shape, name) in enumerate(zip(fields, names, strict=True)):
        activities = trial.activities[layer]
        squares(upper[layer], activities, shape, "Greys" if activities.min() >= 0 else SIGNED)
        upper[layer].set_title(name, fontweight="normal", loc="center")
        going_down(lower[layer], trial, layer, phase, shape)
    values(upper[-1], trial, phase, classes)
    outputs_below(lower[-1], trial, phase, classes)
    heights = {0.7: "activity", 0.22: ("", "", *["feedback"] * 2, "change of synapses")[phase - 1]}
    for height, name in heights.items():
        figure.text(0.02, height, name, rotation=90, va="center")
    if phase >= 4:
        text = f"δ = r − q = {trial.reward:g} − {_signed(trial.activities[-1][trial.winner])}"
        box: Any = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": VERMILLION, "lw": 0.8}
        figure.text(0.38, 0.49, f"{text} = {number(trial.delta)}", ha="center", bbox=box)
    return figure


def _signed(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"


def field(n_units: int) -> tuple[int, int]:
    """Rows and columns of about a square with room for so many units."""
    rows = int(np.sqrt(n_units))
    return rows, -(-n_units // rows)


def squares(
    axes: Axes, values: Array, shape: tuple[int, int], cmap: Any, largest: float | None = None
) -> None:
    """A square a unit; those of a colour map with two signs are white at zero."""
    room = np.full(shape[0] * shape[1], np.nan)
    room[: values.size] = values
    bound = float(np.nanmax(np.abs(room))) if largest is None else largest
    is_signed = cmap in (SIGNED, SENT)
    axes.imshow(
        room.reshape(shape),
        cmap=cmap,
        vmin=-bound if is_signed else 0,
        vmax=bound or 1,
        interpolation="nearest",
    )
    frame(axes)


def frame(axes: Axes) -> None:
    """No ticks, and a thin line around."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=GREY, linewidth=0.5)


def going_down(axes: Axes, trial: Trial, layer: int, phase: int, shape: tuple[int, int]) -> None:
    """What a layer, the image is layer 0, is sent from above, or how its synapses change."""
    if phase == 5:
        squares(axes, change_at(trial, layer), shape, SIGNED)
    elif phase >= 3 and layer > 0:
        squares(axes, trial.signals[layer - 1], shape, SENT)
        shut_gates(axes, trial, layer, shape)
    else:
        axes.set_axis_off()


def change_at(trial: Trial, layer: int) -> Array:
    """The changes of the synapses at each unit, summed: those that end there.

    Of the pixels, those that begin there.
    """
    change: Array = trial.changes[0].sum(axis=1) if layer == 0 else trial.changes[layer - 1].sum(0)
    return change


def shut_gates(axes: Axes, trial: Trial, layer: int, shape: tuple[int, int]) -> None:
    """Units whose gates are closed, in grey: no feedback enters there."""
    for unit in np.flatnonzero(~trial.gates(layer)).tolist():
        row, column = divmod(unit, shape[1])
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, fc=CLOSED, ec="none")
        axes.add_patch(square)


def values(axes: Axes, trial: Trial, phase: int, classes: Sequence[Any]) -> None:
    """The Q-values, and from the second phase on the selected action."""
    q = trial.activities[-1]
    chosen = np.arange(len(q)) == (trial.winner if phase >= 2 else -1)
    axes.barh(range(len(q)), q, color=np.where(chosen, BLUE, GREY).tolist(), height=0.8)
    axes.axvline(0, color=BLACK, lw=0.5)
    axes.set_yticks(range(len(q)), map(str, classes))
    axes.set(
        ylim=(len(q) - 0.4, -0.6), xlim=(min(-0.25, q.min()), max(1.1, q.max())), xticks=[0, 1]
    )
    axes.tick_params("y", length=0, labelsize=6)
    axes.set_title("value q", fontweight="normal", loc="center")
    if phase >= 2:
        axes.get_yticklabels()[trial.winner].set(fontweight="bold", color=BLUE)


def outputs_below(axes: Axes, trial: Trial, phase: int, classes: Sequence[Any]) -> None:
    """What the outputs send down, then the prediction error, then how their synapses change."""
    if phase == 1:
        axes.set_axis_off()
        return
    bars = change_at(trial, len(trial.activities) - 1) if phase == 5 else trial.signals[-1]
    bound = float(np.abs(bars).max()) or 1.0
    colour = GREEN if phase < 5 else VERMILLION
    axes.barh(range(len(bars)), bars / bound, color=colour, height=0.8)
    axes.axvline(0, color=BLACK, lw=0.5)
    axes.set_yticks(range(len(bars)), map(str, classes))
    axes.set(ylim=(len(bars) - 0.4, -0.6), xlim=(-1.1, 1.1), xticks=[])
    axes.tick_params("y", length=0, labelsize=6)
    axes.set_title("sent down" if phase < 5 else "change", fontweight="normal", loc="center")


def told(trial: Trial, phase: int, classes: Sequence[Any]) -> str:
    """What happens in a phase, in words."""
    tell = (_told_forward, _told_selection, _told_feedback, _told_error, _told_update)[phase - 1]
    return f"{phase} of {len(PHASES)}, {PHASES[phase - 1]}: {tell(trial, classes)}"


def _told_forward(trial: Trial, _: Sequence[Any]) -> str:
    gates = [trial.gates(layer) for layer in range(1, len(trial.activities) - 1)]
    counts = [f"{each.sum()} of {len(each)}" for each in gates]
    where = "above threshold" if trial.spec.activation == "relu" else "up or down"
    return (
        f"the image drives {' and '.join(counts)} hidden units {where}, "
        "whose gates are open; the outputs estimate what each answer is worth."
    )


def _told_selection(trial: Trial, classes: Sequence[Any]) -> str:
    q = trial.activities[-1]
    how = "the highest value" if trial.winner == int(q.argmax()) else "by exploration"
    return (
        f"the answer is {classes[trial.winner]}, {how}, q = {number(float(q[trial.winner]))}. "
        "It alone sends a signal down."
    )


def _told_feedback(trial: Trial, _: Sequence[Any]) -> str:
    counts = [f"{np.count_nonzero(s)} of {len(s)}" for s in trial.signals[:-1]]
    return (
        f"the signal goes down by the {trial.spec.feedback} feedback weights and reaches "
        f"{' and '.join(counts)} hidden units, green where it is positive, purple where it is "
        "negative; closed gates, grey, let nothing in."
    )


def _told_error(trial: Trial, classes: Sequence[Any]) -> str:
    verdict = "right" if trial.winner == trial.target else f"wrong, it is {classes[trial.target]}"
    than = "more" if trial.delta > 0 else "less"
    return (
        f"{classes[trial.winner]} is {verdict}: the reward is {trial.reward:g}, {than} than the "
        f"value had it, and all synapses are told of δ = {number(trial.delta)}."
    )


def _told_update(trial: Trial, classes: Sequence[Any]) -> str:
    n_changed = sum(np.count_nonzero(change) for change in trial.changes)
    n_synapses = sum(change.size for change in trial.changes)
    return (
        f"{n_changed} of {n_synapses} synapses change, by the product of the activity below, the "
        "signal from above and δ; red: they grow, blue: they shrink. In training such changes are "
        f"averaged over a batch of {trial.spec.batch_size}; this trial's share alone would let the "
        f"network hold {classes[trial.winner]} to be worth q = {number(value_afterwards(trial))}."
    )


def value_afterwards(trial: Trial) -> float:
    """What the selected action is worth once the network has learnt a batch's share of it."""
    share = 1 / trial.spec.batch_size
    pairs = zip(trial.weights, trial.changes, strict=True)
    *hidden, last = (weights + share * change for weights, change in pairs)
    activity = trial.activities[0]
    for weights in hidden:
        activity = activated(activity @ weights, trial.spec.activation)
    return float(activity @ last[:, trial.winner])
