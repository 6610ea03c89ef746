"""One style for all figures: sizes, colours, names, panels and files.

Sizes are those of journals.  Colours are Okabe and Ito's, which colour-blind readers tell apart;
what they tell is told by line styles, markers or labels too, so that it survives print in grey.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from qagrel import store

P = ParamSpec("P")

MM = 1 / 25.4  # inches
DOUBLE = 180 * MM  # width of two journal columns, and of the report's text: printed as drawn
TEXT = 7  # points, the least of any text; of symbols with indices, more
BLACK, GREY, ORANGE, GREEN = "#000000", "#7f7f7f", "#E69F00", "#009E73"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

RULE_NAMES = {"q-agrel": "Q-AGREL", "error-bp": "error-BP"}
RULE_COLOURS = {"q-agrel": BLUE, "error-bp": VERMILLION}
RULE_MARKERS = {"q-agrel": "o", "error-bp": "s"}
FEEDBACK_NAMES = {
    "symmetric": "symmetric feedback",
    "learned": "learned feedback",
    "fixed": "fixed feedback",
}
CLASS_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, BLACK)  # with two line styles: ten classes
CLASS_LINES = ("-", (0, (3, 1.2)))
TASK_COLOURS = (BLUE, VERMILLION, GREEN)
TASK_LINES: tuple[Any, ...] = ("-", (0, (3, 1.2)), (0, (6, 1, 1, 1)))

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "figure.dpi": 300,
    # the same bytes for the same picture
    "svg.hashsalt": "qagrel",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "pdf.compression": 0,  # compressed bytes differ between versions of zlib
}
NO_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
RUN_LENGTH = 3  # zlib's strategy whose bytes depend least on its version


@contextmanager
def style() -> Iterator[None]:
    """The one style of all figures, for the length of a ``with`` block."""
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's own settings are
        mpl.rcParams.update(STYLE)
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function that makes a figure work in the style, and settle where its panels are.

    A layout that is worked out anew with each drawing would depend on what was drawn before.
    """

    @wraps(draw)
    def wrapper(*args: P.args, **options: P.kwargs) -> Figure:
        with style():
            figure = draw(*args, **options)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            return figure

    return wrapper


@dataclass(frozen=True)
class Saved:
    """The files of a figure; as the last value of a notebook's cell it shows the picture."""

    paths: tuple[Path, ...]

    def __repr__(self) -> str:
        return ", ".join(path.name for path in self.paths)

    def _repr_svg_(self) -> str:
        (path,) = (path for path in self.paths if path.suffix == ".svg")
        return store.read_text(path)


def save(figure: Figure, output_dir: store.StrPath, name: str) -> Saved:
    """Write a figure as `name`.svg, .pdf and .png, the same bytes for the same picture.

    Raises
    ------
    InputError
        When a file cannot be written.
    """
    paths = []
    for kind, metadata in NO_METADATA.items():
        options: Any = {"pil_kwargs": {"compress_type": RUN_LENGTH}} if kind == "png" else {}
        buffer = io.BytesIO()
        with style():
            figure.savefig(buffer, format=kind, metadata=metadata, **options)
        path = Path(output_dir) / f"{name}.{kind}"
        store.write_bytes(path, buffer.getvalue())
        paths.append(path)
    return Saved(tuple(paths))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches, that leaves its panels the room that labels need."""
    return Figure(figsize=(width, height), layout="constrained")


def letter_panel(axes: Axes, letter: str, title: str, height: float | None = None) -> None:
    """Title a panel, at a height where that does not go by what stands above it."""
    axes.set_title(f"{letter}  {title}", y=height)


def plain_numbers(axes: Axes, digits: Sequence[float]) -> None:
    """Mark these digits times powers of ten on a logarithmic axis, as they are usually written."""
    axes.xaxis.set_major_locator(LogLocator(subs=digits))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
