"""Processes that measure, each on one core with one thread, one at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from qagrel.datasets import data_dir

Task = dict[str, Any]
Answer = dict[str, Any]

ROOT = Path(__file__).parent.parent
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",
}
NOT_PASSED_ON = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}  # would choose NumPy's code for it


@dataclass(frozen=True)
class Entrant:
    """Who takes part in a comparison: what it is to do, and by which version of the package."""

    task: Task
    root: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)


class Worker:
    """A process of `benchmarks.worker` on a core, or on all of them for None.

    Used as a context: it ends with the block, by force if the block fails.
    """

    def __init__(
        self,
        measure: str,
        core: int | None,
        task: Task,
        env: dict[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        given = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        given |= ONE_THREAD | {"QAGREL_DATA_DIR": str(data_dir().resolve())} | (env or {})
        task = json.dumps({"core": core, **task})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", measure, task],
            cwd=root,
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.process.kill()
        self.process.communicate()  # closes the pipes and waits

    def answer(self) -> Answer:
        """The next line that the worker writes."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            raise RuntimeError(f"a worker ended with status {status}: its message is above")
        answer: Answer = json.loads(line)
        return answer

    def another(self) -> Answer:
        """Ask for one more epoch."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()


def ask(measure: str, core: int | None, task: Task, env: dict[str, str] | None = None) -> Answer:
    """The one answer of a worker."""
    with Worker(measure, core, task, env) as worker:
        return worker.answer()


def the_core() -> int:
    """The core to measure on: the last one, for systems do their own work on the first."""
    return max(os.sched_getaffinity(0))


def take_turns(entrants: dict[str, Entrant], rounds: int) -> dict[str, list[Answer]]:
    """Let workers train an epoch each, round after round; the first answer says who is ready."""
    answers: dict[str, list[Answer]] = {}
    with ExitStack() as stack:
        workers = {}
        for name, entrant in entrants.items():  # one warms up after the other
            worker = Worker("epochs", the_core(), entrant.task, entrant.env, entrant.root)
            workers[name] = stack.enter_context(worker)
            answers[name] = [workers[name].answer()]
        for _ in range(rounds):
            for name, worker in workers.items():
                answers[name].append(worker.another())
    return answers


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, quartiles and largest."""
    names = ("min", "q1", "median", "q3", "max")
    return dict(zip(names, np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist(), strict=True))


def timings(answers: dict[str, list[Answer]], base: str, scale: float) -> dict[str, Any]:
    """Seconds an epoch of each entrant, and how many times those of `base` within a round."""
    laps = {name: given[1:] for name, given in answers.items()}
    seconds = {name: [lap["seconds"] * scale for lap in given] for name, given in laps.items()}
    return {
        name: {
            "seconds": spread(values),
            "ratio": spread([v / b for v, b in zip(values, seconds[base], strict=True)]),
            "busy": min(lap["busy"] for lap in laps[name]),
            "error": laps[name][-1]["error"],
        }
        for name, values in seconds.items()
    }
