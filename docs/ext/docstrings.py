"""Our docstrings for Napoleon: "name : meaning" on a line, where NumPy's have "name : type"."""

import re
from typing import Any

SECTIONS = {"Parameters", "Attributes"}
BEFORE_NAPOLEON = 400  # its own priority is 500


def spread(lines: list[str]) -> list[str]:
    """Lines in which the meaning of a parameter stands below its name, as Napoleon wants it."""
    section, spreading = "", []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", after):
            section = line.strip()
        found = re.fullmatch(r"(\S.*?) : (.*)", line)
        if section in SECTIONS and found:
            spreading += [found[1], f"    {found[2]}"]
        else:
            spreading.append(line)
    return spreading


def _process(_app: Any, what: str, _name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = spread(lines)
    if what == "property":
        lines.insert(0, "\\ ")  # else Napoleon takes all before a colon for a type


def setup(app: Any) -> dict[str, bool]:
    """Come before Napoleon."""
    app.connect("autodoc-process-docstring", _process, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True}
