"""Two runs at once, each on a thread of the same process: kernels let go of Python's lock."""

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from benchmarks.peers.ours import Ours
from benchmarks.problem import Draws, make_problem
from qagrel.spec import RunSpec


def compare(spec: RunSpec, n_samples: int, start: str | None, rounds: int) -> dict[str, Any]:
    """Seconds of one run and of two at once, in turn: {"one": [...], "two": [...]}."""
    problem = make_problem(spec, start=start)
    runs = [Ours(problem), Ours(problem)]
    runs[1].images = runs[0].images  # one copy of the data, as in the package
    seconds: dict[str, list[float]] = {"one": [], "two": []}
    with ThreadPoolExecutor(2) as pool:
        _together(pool, runs, problem.draws(0, n_samples))
        for epoch in range(1, rounds + 1):
            draws = problem.draws(epoch, n_samples)
            seconds["one"].append(_together(pool, runs[:1], draws))
            seconds["two"].append(_together(pool, runs, draws))
    return seconds


def _together(pool: ThreadPoolExecutor, runs: list[Ours], draws: Draws) -> float:
    """Seconds until each run has trained three epochs."""

    def train(run: Ours) -> None:
        for _ in range(3):
            run.epoch(draws)

    begin = perf_counter()
    list(pool.map(train, runs))
    return perf_counter() - begin
