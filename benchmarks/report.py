"""Results as Markdown tables, beside the targets of this project."""

from typing import Any

from benchmarks.peers import AUTOGRAD, BY_HAND, JAX, NUMPY, OURS

TARGETS = {  # (hidden, batch size, peer): how many times faster, at least and at best
    ((300, 100), 100, AUTOGRAD): (5.5, 7.5),
    ((300, 100), 100, BY_HAND): (5, 6.5),
    ((300, 100), 100, JAX): (2.7, 3.6),
    ((300, 100), 100, NUMPY): (4, 5),
    ((300,), 100, AUTOGRAD): (7.5, 9),
    ((300,), 100, JAX): (3.5, 4.5),
    ((300, 100), 1, AUTOGRAD): (40, 60),
    ((300, 100), 1, JAX): (6, 9),
    ((300, 100), 1000, AUTOGRAD): (4.5, 6),
    ((300, 100), 1000, JAX): (2, 3),
}
VARIANT_TARGET = (1.15, 1.08)
THREADS_TARGET = (1.9, 1.97)
FIRST_BATCH_TARGET = {"compiled": (6.0, 4.0), "cached": (1.0, 0.6)}
MEMORY_TARGET = (400, 250)

ONE_ROW, FOUR_ROWS = "strict, a row at a time", "strict, four rows at a time"
SGEMM = "OpenBLAS sgemm"

Row = tuple[str, ...]


def tables(results: dict[str, Any]) -> str:
    """All tables, each under a heading."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in machine["packages"].items() if v)
    parts = [
        f"{machine['cpu']}, Python {machine['python']}, {versions}; "
        f"load before: {machine['load_before']:.2f}"
        + ("; quick: not to be quoted" if results["quick"] else ""),
        "Seconds an epoch of 59,000 samples, one core; quartiles in brackets",
        table(
            ("hidden", "batch", "contender", "s/epoch", "qagrel is faster by", "target"),
            speed_rows(results),
        ),
        "Other measures",
        table(("measure", "here", "target"), other_rows(results)),
        "Multiply-adds of an epoch and the floor (batch 100)",
        table(
            (
                "hidden",
                "needed, G",
                "dense, G",
                "peak, G/s",
                "peak with fused multiply-add, G/s",
                "floor, s",
                "bound by loads, s",
                "reached, s",
                "share of floor",
            ),
            floor_rows(results),
        ),
        "Phases of the kernel (784-300-100-10, batch 100)",
        table(("phase", "ms/epoch", "share"), phase_rows(results)),
    ]
    return "\n\n".join(parts)


def table(head: Row, rows: list[Row]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def range_of(values: dict[str, float], digits: int) -> str:
    """Median and quartiles."""
    numbers = (f"{values[name]:.{digits}f}" for name in ("median", "q1", "q3"))
    return "{} ({}–{})".format(*numbers)


def goal(target: tuple[float, float] | None) -> str:
    """At least, and at best."""
    return "" if target is None else f"{target[0]:g} ({target[1]:g})"


def speed_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network, batch size and contender."""
    rows: list[Row] = []
    for case in results["speed"]:
        hidden, batch = tuple(case["hidden"]), case["batch_size"]
        for name, timing in case["contenders"].items():
            times = "" if name == OURS else f"{range_of(timing['ratio'], 2)}"
            aim = goal(TARGETS.get((hidden, batch, name)))
            label = "-".join(map(str, hidden))
            rows.append((label, str(batch), name, range_of(timing["seconds"], 3), times, aim))
    return rows


def other_rows(results: dict[str, Any]) -> list[Row]:
    """Variants, threads, first batch, memory."""
    variants = results["variants"]
    work = variants["q-agrel symmetric"]["needed"]
    rows: list[Row] = [
        (
            f"{name}, times symmetric Q-AGREL",
            f"{range_of(v['ratio'], 3)}: {v['needed'] / work:.3f} times the multiply-adds",
            goal(VARIANT_TARGET),
        )
        for name, v in variants.items()
        if name != "q-agrel symmetric"
    ]
    if results["threads"]:
        throughput = range_of(results["threads"]["throughput"], 2)
        rows.append(("throughput of two threads, runs", throughput, goal(THREADS_TARGET)))
    for kind, parts in results["first_batch"].items():
        total = range_of(parts["total"], 2)
        others = ", ".join(f"{n} {parts[n]['median']:.2f}" for n in ("import", "data", "kernels"))
        aim = goal(FIRST_BATCH_TARGET[kind])
        rows.append((f"first trained batch, {kind}, s", f"{total}: {others}", aim))
    megabytes = range_of(results["memory"]["megabytes"], 0)
    rows.append(("peak memory of a run, MB", megabytes, goal(MEMORY_TARGET)))
    return rows


def floor_of(results: dict[str, Any], hidden: list[int]) -> dict[str, float]:
    """Multiply-adds of a network, peak rates, and seconds: floor, bound by loads, reached.

    The floor is by the best rate of strict arithmetic: fused multiply-adds give other bits.
    """
    found = next(f for f in results["floor"] if f["hidden"] == hidden)
    speed = next(c for c in results["speed"] if c["hidden"] == hidden and c["batch_size"] == 100)
    peak = max(found["rates"][ONE_ROW], found["rates"][FOUR_ROWS])
    needed = found["needed"]["rows"]
    return {
        "needed": needed,
        "dense": found["needed"]["dense"],
        "peak": peak,
        "fused": found["rates"][SGEMM],
        "floor": needed / peak,
        "loads": needed / found["rates"][ONE_ROW],
        "reached": speed["contenders"][OURS]["seconds"]["median"],
    }


def floor_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network."""
    rows: list[Row] = []
    for found in results["floor"]:
        f = floor_of(results, found["hidden"])
        giga = (f"{f[name] / 1e9:.2f}" for name in ("needed", "dense", "peak", "fused"))
        seconds = (f"{f[name]:.3f}" for name in ("floor", "loads", "reached"))
        share = f"{100 * f['floor'] / f['reached']:.0f} %"
        label = "-".join(map(str, found["hidden"]))
        rows.append((label, *giga, *seconds, share))
    return rows


def phase_rows(results: dict[str, Any]) -> list[Row]:
    """A row a phase."""
    total = sum(results["phases"].values())
    return [
        (phase, f"{1000 * s:.1f}", f"{100 * s / total:.0f} %")
        for phase, s in results["phases"].items()
    ]
