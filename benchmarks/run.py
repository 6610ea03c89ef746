"""Take every measurement, one at a time, and write them down: ``python -m benchmarks.run``."""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python benchmarks/run.py` works as well
try:
    from benchmarks import machine, peers, plot, report
    from benchmarks.kept import Kept
    from benchmarks.measures import FULL, QUICK, Bench, Plan, say
    from qagrel import store
    from qagrel.datasets import load_dataset
    from qagrel.errors import InputError
except ModuleNotFoundError as error:
    sys.exit(f"benchmark: no {error.name} in this environment: 'make bench' sets one up")

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"


def main(quick: bool = False, out: Path = RESULTS, force: bool = False) -> None:
    """Measure, write `out` and beside it the tables and the plot, and print the tables.

    An interrupted benchmark goes on where it was, if the machine and the sources are the same.

    Parameters
    ----------
    quick : few rounds of a few small cases: to see that all is well, not to quote.
    out : the JSON file.
    force : replace files that are there; those of the benchmark itself are replaced anyway.

    Raises
    ------
    InputError
        When a file is there, MNIST cannot be had, or no core can be picked on this system.
    """
    for suffix in (out.suffix, ".md", ".png", ".svg"):
        store.check_free(out.with_suffix(suffix), "--out", force or out == RESULTS)
    if not hasattr(os, "sched_setaffinity"):
        raise InputError("this system cannot pin a process to a core: run the benchmark on Linux")
    load_dataset("mnist")  # missing data shows here, not in a worker
    run(QUICK if quick else FULL, quick, out)


def run(plan: Plan, quick: bool, out: Path) -> None:
    """Measure by a plan, and write what came out."""
    absent = {name: reason for name in peers.HOMES if (reason := peers.missing(name))}
    for name, reason in absent.items():
        say(f"left out: {name}, {reason}")
    here = machine.describe(ROOT)
    kept = Kept("quick" if quick else "full", here)
    load = kept("load", lambda: os.getloadavg()[0])
    bench = Bench(plan, kept, [name for name in peers.HOMES if name not in absent])
    results = {
        "machine": here | {"load_before": load},
        "quick": quick,
        "absent": absent,
        **bench.measure(),
        "minutes": kept.minutes,
    }
    store.write_json(out, results)
    plot.draw(results, out)
    tables = report.tables(results)
    store.write_text(out.with_suffix(".md"), tables + "\n")
    kept.clear()
    print(tables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speed and memory of qagrel and its peers.")
    parser.add_argument("--quick", action="store_true", help="few rounds of a few small cases")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    arguments = parser.parse_args()
    try:
        main(arguments.quick, arguments.out, arguments.force)
    except InputError as error:
        say(f"benchmark: {error}")
        sys.exit(2)
