"""Results as Markdown tables, beside the targets of this project."""

from typing import Any

from benchmarks import cases
from benchmarks.cases import Target, name_of
from benchmarks.peers import HOMES, OURS

ONE_ROW, FOUR_ROWS = "a row at a time", "four rows at a time"
SGEMM = "OpenBLAS sgemm"

Row = tuple[str, ...]
PEERS = [name for name in HOMES if name != OURS]


def tables(results: dict[str, Any]) -> str:
    """All tables, each under a heading."""
    parts = [
        heading(results),
        "Seconds an epoch of 59,000 samples, one core; quartiles in brackets",
        table(
            ("hidden", "batch", "contender", "s/epoch", "qagrel is faster by", "target", "reached"),
            speed_rows(results),
        ),
        "How many times as fast qagrel is as each peer, over width, depth and batch size",
        table(
            (
                *("hidden", "batch", "active", "qagrel, s/epoch", *PEERS),
                *("the fastest peer", "target", "reached"),
            ),
            grid_rows(results),
        ),
        "Compiled for AVX2: times as fast as the kernels of the last release",
        avx2_part(results["avx2"]),
        "What the parts of the kernels bring: seconds without a part over seconds with all of them",
        table(("network", "part", "ratio"), part_rows(results)),
        "Other measures",
        table(("measure", "here", "target", "reached"), other_rows(results)),
        "Multiply-adds of an epoch and the floor",
        table(
            (
                "network",
                "needed, G",
                "dense, G",
                "peak, G/s",
                "of OpenBLAS, G/s",
                "floor, s",
                "bound by loads, s",
                "reached, s",
                "share of floor",
            ),
            floor_rows(results),
        ),
        "Phases of the kernels",
        table(("network", "phase", "ms/epoch", "share"), phase_rows(results)),
    ]
    return "\n\n".join(parts)


def heading(results: dict[str, Any]) -> str:
    """The machine, the software, and what was left out."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in machine["packages"].items() if v)
    text = (
        f"{machine['cpu']}, Python {machine['python']}, {versions}; "
        f"load before: {machine['load_before']:.2f}; {results['minutes']:.0f} minutes"
    )
    absent = "".join(f"; left out: {name}, {why}" for name, why in results["absent"].items())
    return text + absent + ("; quick: not to be quoted" if results["quick"] else "")


def table(head: Row, rows: list[Row]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def range_of(values: dict[str, float], digits: int) -> str:
    """Median and quartiles."""
    numbers = (f"{values[name]:.{digits}f}" for name in ("median", "q1", "q3"))
    return "{} ({}–{})".format(*numbers)


def goal(target: Target | None, values: dict[str, float]) -> Row:
    """At least, and at best; and which of them the median reaches."""
    if target is None:
        return "", ""
    least, best = target
    sign = 1 if best >= least else -1  # of some, less is better
    reached = ("no", "yes", "at best")[sum(sign * (values["median"] - t) >= 0 for t in target)]
    return f"{least:g} ({best:g})", reached


def speed_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network, batch size and contender."""
    rows: list[Row] = []
    for case in results["speed"]:
        network = name_of(case["hidden"]) + ("" if case["trained"] else ", untrained")
        for name, timing in case["contenders"].items():
            ratio = timing["ratio"]
            times = ("", "", "")
            if name != OURS:
                times = (range_of(ratio, 2), *goal(cases.target(case["label"], name), ratio))
            seconds = range_of(timing["seconds"], 3)
            rows.append((network, str(case["batch_size"]), name, seconds, *times))
    return rows


def fastest_peer(case: dict[str, Any]) -> str | None:
    """The peer that took the least time."""
    ratios = {n: t["ratio"]["median"] for n, t in case["contenders"].items() if n != OURS}
    return min(ratios, key=ratios.__getitem__, default=None)


def grid_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network and batch size: medians for every peer, with quartiles for the fastest."""
    rows: list[Row] = []
    for case in results["grid"]:
        timings = case["contenders"]
        network = name_of(case["hidden"]) + ("" if case["trained"] else ", untrained")
        hidden = (case["active"] or [])[1:]
        active = f"{100 * sum(hidden) / len(hidden):.0f} %" if hidden else ""
        ratios = (f"{timings[n]['ratio']['median']:.2f}" if n in timings else "" for n in PEERS)
        fastest = fastest_peer(case)
        end: Row = ("", "", "")
        if fastest:
            ratio = timings[fastest]["ratio"]
            end = (f"{range_of(ratio, 2)}, {fastest}", *goal(cases.GRID_TARGET, ratio))
        seconds = f"{timings[OURS]['seconds']['median']:.3f}"
        rows.append((network, str(case["batch_size"]), active, seconds, *ratios, *end))
    return rows


def avx2_part(found: dict[str, Any]) -> str:
    """A table, or why there is none."""
    if found["absent"]:
        return f"Left out: {found['absent']}."
    rows: list[Row] = []
    for case in found["cases"]:
        ours, old = case["contenders"].values()
        seconds = (f"{timing['seconds']['median']:.3f}" for timing in (ours, old))
        end = (range_of(old["ratio"], 2), *goal(cases.AVX2_TARGET, old["ratio"]))
        rows.append((case["label"], *seconds, *end))
    head = ("network", "s/epoch", f"{found['release']}, s/epoch", "ratio", "target", "reached")
    return table(head, rows)


def part_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network and part."""
    return [
        (case["label"], name, range_of(timing["ratio"], 2))
        for case in results["parts"]
        for name, timing in list(case["contenders"].items())[1:]
    ]


def other_rows(results: dict[str, Any]) -> list[Row]:
    """Variants, threads, first batch, memory."""
    variants = results["variants"]
    work = variants["q-agrel symmetric"]["needed"]
    rows: list[Row] = [
        (
            f"{name}, times symmetric Q-AGREL",
            f"{range_of(v['ratio'], 3)}: {v['needed'] / work:.3f} times the multiply-adds",
            *goal(cases.VARIANT_TARGET, v["ratio"]),
        )
        for name, v in variants.items()
        if name != "q-agrel symmetric"
    ]
    if results["threads"]:
        runs = results["threads"]["throughput"]
        aim = goal(cases.THREADS_TARGET, runs)
        rows.append(("throughput of two threads, runs", range_of(runs, 2), *aim))
    for kind, parts in results["first_batch"].items():
        total = parts["total"]
        others = ", ".join(f"{n} {parts[n]['median']:.2f}" for n in ("import", "data", "kernels"))
        aim = goal(cases.FIRST_BATCH_TARGET[kind], total)
        rows.append((f"first trained batch, {kind}, s", f"{range_of(total, 2)}: {others}", *aim))
    peak = results["memory"]["megabytes"]
    aim = goal(cases.MEMORY_TARGET, peak)
    rows.append(("peak memory of a run, MB", range_of(peak, 0), *aim))
    return rows


def floor_of(results: dict[str, Any], label: str) -> dict[str, float]:
    """Multiply-adds of a case, peak rates, and seconds: floor, bound by loads, reached."""
    found = results["floor"][label]
    speed = next(case for case in results["speed"] if case["label"] == label)
    needed = found["needed"]["rows"]
    peak = max(found["rates"].values())
    return {
        "needed": needed,
        "dense": found["needed"]["dense"],
        "peak": peak,
        "blas": found["rates"][SGEMM],
        "floor": needed / peak,
        "loads": needed / found["rates"][ONE_ROW],
        "reached": speed["contenders"][OURS]["seconds"]["median"],
    }


def floor_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network."""
    rows: list[Row] = []
    for label in results["floor"]:
        f = floor_of(results, label)
        giga = (f"{f[name] / 1e9:.2f}" for name in ("needed", "dense", "peak", "blas"))
        seconds = (f"{f[name]:.3f}" for name in ("floor", "loads", "reached"))
        share = f"{100 * f['floor'] / f['reached']:.0f} %"
        rows.append((label, *giga, *seconds, share))
    return rows


def phase_rows(results: dict[str, Any]) -> list[Row]:
    """A row a network and phase."""
    return [
        (label, phase, f"{1000 * s:.1f}", f"{100 * s / sum(phases.values()):.0f} %")
        for label, phases in results["phases"].items()
        for phase, s in phases.items()
    ]
