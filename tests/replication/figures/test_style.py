"""Figures look alike, can be read without colours, and are the same bytes every time."""

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from examples import FIGURES, N_CLASSES
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from qagrel.replication.figures import style


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_two_columns_wide_and_fits_a_page(
    figures: dict[str, Figure], name: str
) -> None:
    width, height = figures[name].get_size_inches() * 25.4
    assert width == pytest.approx(180)  # the report's pages too, so that it is not scaled
    assert height <= 170


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_too_small_to_read(figures: dict[str, Figure], name: str) -> None:
    shown = [text for text in figures[name].findobj(Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in shown) >= 7


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_lies_outside_the_picture(figures: dict[str, Figure], name: str) -> None:
    with style.style():
        figures[name].draw_without_rendering()
        page, drawn = figures[name].bbox, figures[name].get_tightbbox()
    inches = figures[name].dpi
    assert drawn.x0 * inches >= page.x0 - 1
    assert drawn.x1 * inches <= page.x1 + 1
    assert drawn.y0 * inches >= page.y0 - 1
    assert drawn.y1 * inches <= page.y1 + 1


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_data_give_the_same_bytes(
    saved: dict[str, style.Saved],
    make: dict[str, Callable[[], Figure]],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # would be written, were there a date
    again = style.save(make[name](), tmp_path, name)
    assert [path.suffix for path in again.paths] == [".svg", ".pdf", ".png"]
    for one, other in zip(saved[name].paths, again.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_figure_that_was_saved_before_is_the_same_bytes(
    saved: dict[str, style.Saved], figures: dict[str, Figure], tmp_path: Path
) -> None:
    again = style.save(figures["confusion"], tmp_path, "confusion")
    for one, other in zip(saved["confusion"].paths, again.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_files_name_neither_date_nor_program(saved: dict[str, style.Saved], name: str) -> None:
    for path in saved[name].paths:
        content = path.read_bytes()
        assert not re.search(rb"Matplotlib|matplotlib\.org|CreationDate|Software", content)
        assert not re.search(rb"dc:date|20\d\d-\d\d-\d\d", content)


def test_saved_figures_show_themselves_in_a_notebook(saved: dict[str, style.Saved]) -> None:
    picture = saved["fig4"]
    assert picture._repr_svg_() == picture.paths[0].read_text()
    assert repr(picture) == "fig4.svg, fig4.pdf, fig4.png"


def test_the_users_own_settings_neither_matter_nor_change(
    saved: dict[str, style.Saved], make: dict[str, Callable[[], Figure]], tmp_path: Path
) -> None:
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.grid": True}):
        own = style.save(make["fig4"](), tmp_path, "fig4")
        assert mpl.rcParams["font.size"] == 20
    assert saved["fig4"].paths[0].read_bytes() == own.paths[0].read_bytes()


# --- without colours ------------------------------------------------------------------------


def test_rules_differ_by_marker_too() -> None:
    assert len(set(style.RULE_MARKERS.values())) == len(style.RULE_COLOURS)


def test_ten_classes_differ_by_colour_and_line() -> None:
    assert len(set(style.CLASS_COLOURS)) * len(style.CLASS_LINES) == N_CLASSES


def test_colours_are_dark_enough_on_white() -> None:
    """Contrast of 2.5 or more, as WCAG counts it: visible in print, in grey too."""
    for colour in {*style.CLASS_COLOURS, *style.RULE_COLOURS.values()}:
        channels = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)
        ]
        luminance = np.dot([0.2126, 0.7152, 0.0722], channels)
        assert 1.05 / (luminance + 0.05) > 2.5
