"""Small pieces of Markdown."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; cells are taken as they are."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def number(value: Any, digits: int = 4) -> str:
    """A number as it is read, in so many significant digits; powers of ten for what is tiny."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value == int(value):
        return f"{int(value)}".replace("-", "−")
    written = f"{value:.{digits}g}"
    if "e" not in written:
        return written.replace("-", "−")
    factor, exponent = written.split("e")
    return f"{factor} × 10<sup>{int(exponent)}</sup>".replace("-", "−")


def interval(bounds: Sequence[Any] | None) -> str:
    """An interval in brackets; where it is open, the bound that it has."""
    if not bounds or all(bound is None for bound in bounds):
        return "–"
    low, high = bounds
    if low is None:
        return f"below {number(high)}"
    return f"above {number(low)}" if high is None else f"[{number(low)}, {number(high)}]"


def anything(value: Any, depth: int = 0) -> str:
    """Whatever JSON holds, as a list within lists: for keys that no page knows of."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        return "\n".join(_item(f"{readable(key)}", inner, depth) for key, inner in value.items())
    if isinstance(value, list) and not all(_is_plain(inner) for inner in value):
        return "\n".join(f"{indent}- {_inline(inner)}" for inner in value)
    return f"{indent}- {_inline(value)}"


def _item(name: str, value: Any, depth: int) -> str:
    indent = "  " * depth
    if isinstance(value, Mapping) or (
        isinstance(value, list) and not all(_is_plain(inner) for inner in value)
    ):
        return f"{indent}- {name}:\n{anything(value, depth + 1)}"
    return f"{indent}- {name}: {_inline(value)}"


def _inline(value: Any) -> str:
    if isinstance(value, list) and all(_is_plain(inner) for inner in value):
        return ", ".join(_inline(inner) for inner in value)
    if isinstance(value, Mapping | list):
        return f"`{json.dumps(value, ensure_ascii=False)}`"
    return number(value) if isinstance(value, int | float) else str(value)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


def readable(key: str) -> str:
    """A key of a file as words."""
    return key.replace("_", " ")
