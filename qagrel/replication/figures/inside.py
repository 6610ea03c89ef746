"""A run and the inside of its network, as the explorer shows them: one panel a picture.

Each panel is drawn alone, a column wide, so that pictures stand beside each other on a wide
screen and below each other on a narrow one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from qagrel.replication.figures.plots import confusion_matrix
from qagrel.replication.figures.style import (
    BLACK,
    CLASS_COLOURS,
    CLASS_LINES,
    DOUBLE,
    GREY,
    RULE_COLOURS,
    letter_panel,
    new_figure,
    plain_numbers,
    styled,
)

Array = npt.NDArray[Any]
COLUMN = 89 / 25.4  # width in inches of a picture that stands alone
FIELDS = (5, 8)  # rows and columns of receptive fields
SIGNED: Any = "RdBu_r"  # from blue, negative, over white to red: told apart by every eye


@styled
def alone(panel: Callable[..., object], *data: Any, height: float = 0.68, **options: Any) -> Figure:
    """A panel by itself; its height is a share of its width."""
    figure = new_figure(COLUMN, height * COLUMN)
    panel(figure.subplots(), *data, **options)
    return figure


# --- the course of a run --------------------------------------------------------------------


@styled
def course(lines: pd.DataFrame, seed: int, rule: str) -> Figure:
    """A row's runs over their epochs: what is earned, what is known, and the feedback's angle.

    Parameters
    ----------
    lines : the committed records of all seeds, as `results.read_epochs` gives them.
    seed : the one that stands out.
    """
    panels: dict[str, Callable[..., None]] = {"reward": rewards_of, "accuracy": accuracies_of}
    if angles(lines):
        panels["feedback and weights"] = angles_of
    figure = new_figure(DOUBLE, 0.36 * DOUBLE)
    axes = figure.subplots(1, len(panels))
    for each, letter, (title, panel) in zip(axes, "abc", panels.items(), strict=False):
        panel(each, lines, seed, rule)
        letter_panel(each, letter, title)
    return figure


def rewards_of(
    axes: Axes, lines: pd.DataFrame, seed: int, rule: str, epoch: int | None = None
) -> None:
    """Reward of each epoch; of error-BP, which gets none, the share of right answers.

    Parameters
    ----------
    epoch : one to mark.
    """
    colour, right = RULE_COLOURS[rule], lines.assign(right=1 - lines["error"])
    _curves(axes, right, "right", seed, colour, label=f"seed {seed}")
    axes.plot([], [], color=colour, lw=0.5, alpha=0.5, label="the other seeds")
    name = "reward a trial" if rule == "q-agrel" else "1 − error"
    axes.set(ylim=(0, 1.03), ylabel=f"{name}, training")
    axes.legend(loc="lower right", frameon=True, framealpha=1, edgecolor="none")
    _over_epochs(axes, lines, epoch)


def accuracies_of(
    axes: Axes, lines: pd.DataFrame, seed: int, rule: str, epoch: int | None = None
) -> None:
    """Accuracy on the samples held out, where it was checked."""
    checked = lines.dropna(subset="validation_accuracy")
    _curves(axes, checked, "validation_accuracy", seed, RULE_COLOURS[rule], marker=".")
    axes.set(ylabel="validation accuracy (%)")
    axes.margins(y=0.06)
    _over_epochs(axes, lines, epoch)


def angles_of(
    axes: Axes, lines: pd.DataFrame, seed: int, _rule: str, epoch: int | None = None
) -> None:
    """Angle between feedback and transposed weights; 90 degrees is that of strangers."""
    for name, colour, line in zip(angles(lines), CLASS_COLOURS, CLASS_LINES * 2, strict=False):
        layer = int(name.removeprefix("angle_"))
        _curves(axes, lines, name, seed, colour, ls=line, label=f"layer {layer} to {layer - 1}")
    axes.axhline(90, color=GREY, lw=0.6, ls=":", zorder=0)
    axes.set(ylim=(0, 95), yticks=range(0, 91, 30), ylabel="angle of feedback (degrees)")
    axes.legend(loc="best")
    _over_epochs(axes, lines, epoch)


def angles(lines: pd.DataFrame) -> list[str]:
    """The columns of angles that a run has: none where feedback is symmetric."""
    return [str(name) for name in lines.columns if str(name).startswith("angle_")]


def _curves(
    axes: Axes, lines: pd.DataFrame, name: str, seed: int, colour: str, **look: Any
) -> None:
    """A curve a seed, all but one of them faint."""
    for number, own in lines.groupby("seed"):
        if number != seed:
            axes.plot(own["epoch"], own[name], color=colour, lw=0.5, alpha=0.3)
    own = lines[lines["seed"] == seed]
    axes.plot(own["epoch"], own[name], color=colour, lw=1.2, zorder=3, **look)


def _over_epochs(axes: Axes, lines: pd.DataFrame, epoch: int | None) -> None:
    """Epochs from 1, on a logarithmic axis: most happens early."""
    axes.set(xscale="log", xlim=(1, lines["epoch"].max()), xlabel="epoch")
    plain_numbers(axes, (1, 2, 5))
    if epoch is not None:
        axes.axvline(epoch, color=BLACK, lw=0.7, ls=(0, (4, 2)), zorder=2)


def class_shares(
    axes: Axes, shares: Array, classes: Sequence[Any], epoch: int, label: str, most: float = 1.0
) -> None:
    """A share of trials for each class and epoch, as a strip a class.

    Parameters
    ----------
    shares : shape (epochs, classes).
    epoch : one to mark.
    most : the share that is darkest.
    """
    n_epochs = len(shares)
    edges = np.arange(1, n_epochs + 2)  # a strip begins at its epoch
    strips = axes.pcolormesh(
        edges, np.arange(len(classes) + 1), shares.T, cmap="Greys", vmin=0, vmax=most
    )
    axes.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(len(classes), 0))
    axes.set(xlabel="epoch", ylabel="class")
    axes.set_yticks(np.arange(len(classes)) + 0.5, map(str, classes))
    axes.tick_params("y", length=0)
    plain_numbers(axes, (1, 2, 5))
    axes.axvline(epoch, color=RULE_COLOURS["error-bp"], lw=0.9, ls=(0, (4, 2)))
    bar = axes.figure.colorbar(strips, ax=axes)
    bar.set_label(label)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


# --- the inside of a network ----------------------------------------------------------------


def confusion(axes: Axes, counts: Array) -> None:
    """The choices of one epoch: shape (classes, actions)."""
    squares = confusion_matrix(axes, counts)
    axes.set(xlabel="selected class", ylabel="true class")
    bar = axes.figure.colorbar(squares, ax=axes)
    bar.set_label("share of the true class")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def receptive_fields(
    axes: Axes, weights: Array, units: Sequence[int], image_shape: Sequence[int]
) -> None:
    """The weights from the image into units of the first hidden layer, each as a picture.

    Parameters
    ----------
    weights : shape (pixels, units).
    units : which to show, from left to right and top to bottom, up to as many as there is room.
    """
    rows, columns = FIELDS
    shown = weights[:, units[: rows * columns]].T
    pictures = mosaic(shown.reshape(-1, *picture_shape(image_shape)), columns)
    largest = np.nanmax(np.abs(pictures))
    image = axes.imshow(pictures, cmap=SIGNED, vmin=-largest, vmax=largest, interpolation="nearest")
    axes.set_axis_off()
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", aspect=40, pad=0.03)
    bar.set_label("weight from the pixel")


def mosaic(pictures: Array, columns: int) -> Array:
    """Pictures of shape (n, height, width), so many in a row, with lines of NaN between them."""
    n, height, width = pictures.shape
    rows = -(-n // columns)
    whole = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for place, picture in enumerate(pictures):
        top, left = (place // columns) * (height + 1), (place % columns) * (width + 1)
        whole[top : top + height, left : left + width] = picture
    return whole


def picture_shape(image_shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of an image; what is none is a strip."""
    if len(image_shape) == 2:
        return image_shape[0], image_shape[1]
    return 1, int(np.prod(image_shape))


def active_units(axes: Axes, shares: Array, order: Array, classes: Sequence[Any]) -> None:
    """How often each unit of a hidden layer is above threshold, by the class that is shown.

    Parameters
    ----------
    shares : of the class's images, shape (classes, units).
    order : of the units, from left to right.
    """
    n_units = shares.shape[1]
    look: Any = {"cmap": "Greys", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    image = axes.imshow(shares[:, order], aspect="auto", **look)
    axes.set(xlabel=f"its {n_units} units", ylabel="class shown", xticks=[])
    axes.set_yticks(range(len(classes)), map(str, classes))
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(image, ax=axes)
    bar.set_label("images that activate the unit")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def by_favourite(shares: Array) -> Array:
    """The units of `active_units` in the order of the class that they answer to most."""
    favourite, strength = shares.argmax(axis=0), shares.max(axis=0)
    favourite[strength == 0] = len(shares)  # units that nothing activates come last
    order: Array = np.lexsort((-strength, favourite))
    return order
