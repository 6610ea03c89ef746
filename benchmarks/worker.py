"""One measurement in a process of its own: ``python -m benchmarks.worker MEASURE TASK``.

TASK is a JSON object, the arguments of the measurement; each answer is a line of JSON.  Nothing
is imported before the process is pinned to its core: libraries count cores when they load.
"""

import json
import os
import sys
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

Answer = dict[str, Any]


def main() -> None:
    """Take the measurement that the command line names."""
    measure, task = sys.argv[1], json.loads(sys.argv[2])
    core = task.pop("core")
    if core is not None:
        os.sched_setaffinity(0, {core})
    for answer in MEASURES[measure](**task):
        print(json.dumps(answer), flush=True)


def teach(spec: dict[str, Any], rates: list[float], path: str) -> Iterator[Answer]:
    """Train a network to some skill and put its weights into a file: where others start."""
    import numpy as np

    from benchmarks.floor import count
    from benchmarks.peers.ours import teach
    from qagrel.spec import RunSpec

    taught = teach(RunSpec(**spec), rates)
    if taught is None:
        yield {"rate": None}
        return
    problem, rate = taught
    np.savez(path, *problem.weights)
    yield {"rate": rate, "active": count(problem, 2000)["active"]}


def epochs(
    contender: str, spec: dict[str, Any], n_samples: int, start: str | None
) -> Iterator[Answer]:
    """Train an epoch for every line that arrives, after one that warms up."""
    import numpy as np

    from benchmarks.peers import load
    from benchmarks.problem import make_problem
    from qagrel.kernels import cache
    from qagrel.spec import RunSpec

    problem = make_problem(RunSpec(**spec), start=start)
    runner = load(contender)(problem)
    runner.epoch(problem.draws(0, n_samples))
    yield {"ready": contender, "kernels": cache.STAMP}
    for epoch, _ in enumerate(sys.stdin, 1):
        draws = problem.draws(epoch, n_samples)
        wall, cpu = perf_counter(), process_time()
        wrong = runner.epoch(draws)
        seconds, busy = perf_counter() - wall, process_time() - cpu
        if not all(np.isfinite(w).all() for w in runner.weights()):
            raise FloatingPointError(f"{contender}: weights are not finite after {spec}")
        yield {"seconds": seconds, "busy": busy / seconds, "error": wrong / n_samples}


def agreement(contender: str, spec: dict[str, Any], n_samples: int) -> Iterator[Answer]:
    """Whether a contender learns what qagrel learns."""
    from benchmarks.agreement import compare
    from qagrel.spec import RunSpec

    yield compare(contender, RunSpec(**spec), n_samples)


def threads(
    spec: dict[str, Any], n_samples: int, start: str | None, rounds: int
) -> Iterator[Answer]:
    """Throughput of two runs side by side on two threads, against one."""
    from benchmarks.threads import compare
    from qagrel.spec import RunSpec

    yield compare(RunSpec(**spec), n_samples, start, rounds)


def floor(spec: dict[str, Any], n_samples: int, start: str | None) -> Iterator[Answer]:
    """Multiply-adds needed, and how many a second this core can do."""
    from benchmarks.floor import measure
    from qagrel.spec import RunSpec

    yield measure(RunSpec(**spec), n_samples, start)


def needed(
    spec: dict[str, Any], n_samples: int, start: str | None, epochs: int
) -> Iterator[Answer]:
    """Multiply-adds needed, after some epochs of the run's own."""
    from dataclasses import replace

    from benchmarks.floor import count
    from benchmarks.peers.ours import Ours
    from benchmarks.problem import make_problem
    from qagrel.spec import RunSpec

    problem = make_problem(RunSpec(**spec), start=start)
    run = Ours(problem)
    for epoch in range(epochs):
        run.epoch(problem.draws(epoch, n_samples))
    yield count(replace(problem, weights=run.weights()), n_samples)


def phases(
    spec: dict[str, Any], n_samples: int, start: str | None, rounds: int
) -> Iterator[Answer]:
    """Seconds an epoch of each phase of the kernel."""
    from benchmarks.phases import profile
    from qagrel.spec import RunSpec

    yield profile(RunSpec(**spec), n_samples, start, rounds)


def first_batch(spec: dict[str, Any]) -> Iterator[Answer]:
    """Seconds from here to the first trained batch, part by part."""
    begin = perf_counter()
    from benchmarks.peers.ours import Ours
    from benchmarks.problem import make_problem
    from qagrel.datasets import load_dataset
    from qagrel.spec import RunSpec

    imported = perf_counter()
    run = RunSpec(**spec)
    dataset = load_dataset(run.dataset)
    loaded = perf_counter()
    problem = make_problem(run, dataset)
    Ours(problem).epoch(problem.draws(0, run.batch_size))
    trained = perf_counter()
    yield {"import": imported - begin, "data": loaded - imported, "kernels": trained - loaded}


def memory(command: list[str]) -> Iterator[Answer]:
    """Peak memory of a command; this process is small, for a child inherits its parent's peak."""
    import subprocess

    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with status {status}")
    unit = 1 if sys.platform == "darwin" else 1024
    yield {"megabytes": usage.ru_maxrss * unit / 1e6}


MEASURES = {
    measure.__name__: measure
    for measure in (teach, epochs, agreement, threads, floor, needed, phases, first_batch, memory)
}

if __name__ == "__main__":
    main()
