"""Take every measurement, one at a time, and write them down: ``python -m benchmarks.run``.

Each contender is a process on one core with one thread.  Contenders of a comparison take turns,
epoch by epoch, so that what slows the machine down for a while slows all of them; ratios are
taken within a round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python benchmarks/run.py` works as well
try:
    import numpy as np

    from benchmarks import machine, peers, plot, report
    from qagrel import store
    from qagrel.datasets import data_dir, load_dataset
    from qagrel.errors import InputError
    from qagrel.spec import RunSpec
except ModuleNotFoundError as error:
    sys.exit(f"benchmark: no {error.name} in this environment: 'make bench' sets one up")

Task = dict[str, Any]
Answer = dict[str, Any]

ROOT = Path(__file__).parent.parent
EPOCH = 59_000  # samples, as in Section 3
RESULTS = ROOT / "benchmarks" / "results.json"
SHAPES = ((300, 100), (300,))
BATCHES = (1, 100, 1000)
BASE = "q-agrel symmetric"
VARIANTS: dict[str, dict[str, Any]] = {  # what qagrel can train, and at which rate
    BASE: {},
    "q-agrel learned": {"feedback": "learned"},
    "q-agrel fixed": {"feedback": "fixed", "learning_rate": 0.1},
    "error-bp cross-entropy": {"rule": "error-bp", "learning_rate": 0.1},
    "error-bp squared-error": {
        "rule": "error-bp",
        "loss": "squared-error",
        "learning_rate": 0.05,
    },
}
BATCH_CURVE = (1, 3, 10, 30, 100, 300, 1000, 3000)
WIDTH_CURVE = (30, 77, 150, 300, 500, 1000)
DEPTH_CURVE = (1, 2, 3, 4, 5, 6)
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}


@dataclass(frozen=True)
class Plan:
    """How thorough a benchmark is."""

    rounds: int
    share: float  # of an epoch that is trained, and then scaled up

    def n_samples(self, batch_size: int) -> int:
        """Samples to train, in whole batches; a tenth where batches are small and peers slow."""
        share = self.share * (0.1 if batch_size < 30 else 1)
        return max(round(EPOCH * share) // batch_size, 1) * batch_size


def main(quick: bool = False, out: Path = RESULTS, force: bool = False) -> None:
    """Measure, write `out` and beside it the tables and the plot, and print the tables.

    Parameters
    ----------
    quick : few rounds of a tenth of an epoch: to see that all is well, not to quote.
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
    plan = Plan(rounds=3, share=0.1) if quick else Plan(rounds=11, share=1.0)
    begin = perf_counter()
    results = {"machine": machine.describe(ROOT), "quick": quick, **measure(plan)}
    results["minutes"] = (perf_counter() - begin) / 60
    store.write_json(out, results)
    plot.draw(results, out)
    tables = report.tables(results)
    store.write_text(out.with_suffix(".md"), tables + "\n")
    print(tables)


def measure(plan: Plan) -> dict[str, Any]:
    """Every measurement, by name."""
    absent = {name: reason for name in peers.HOMES if (reason := peers.missing(name))}
    for name, reason in absent.items():
        say(f"left out: {name}, {reason}")
    contenders = [name for name in peers.HOMES if name not in absent]
    return {
        "absent": absent,
        "agreement": agreement(contenders, plan),
        "speed": [
            compare(spec_of(hidden, batch_size), contenders, plan)
            for hidden, batch_size in product(SHAPES, BATCHES)
        ],
        "variants": variants(plan),
        "threads": two_threads(plan),
        "first_batch": first_batch(plan),
        "memory": memory(),
        "phases": phases(plan),
        "floor": [floor(hidden) for hidden in SHAPES],
        "curves": curves(plan, [n for n in (peers.OURS, peers.AUTOGRAD) if n in contenders]),
    }


def spec_of(hidden: Sequence[int] = (300, 100), batch_size: int = 100, **changes: Any) -> RunSpec:
    """A run whose learning rate a trial is the same for all small batches."""
    rate = 0.5 * min(batch_size / 100, 1.0)
    return RunSpec(
        **{"hidden": tuple(hidden), "batch_size": batch_size, "learning_rate": rate} | changes
    )


def task_of(plan: Plan, spec: RunSpec | None = None) -> Task:
    """What a worker needs to know to train."""
    spec = spec_of() if spec is None else spec
    return {"spec": spec.model_dump(mode="json"), "n_samples": plan.n_samples(spec.batch_size)}


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


# --- processes ------------------------------------------------------------------------------


class Worker:
    """A process of `benchmarks.worker` on a core, or on all of them for None.

    Used as a context: it ends with the block, by force if the block fails.
    """

    def __init__(
        self, measure: str, core: int | None, task: Task, env: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.worker",
                measure,
                json.dumps({"core": core, **task}),
            ],
            cwd=ROOT,
            env=os.environ
            | ONE_THREAD
            | {"QAGREL_DATA_DIR": str(data_dir().resolve())}
            | (env or {}),
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


def take_turns(tasks: dict[str, Task], rounds: int) -> dict[str, list[Answer]]:
    """Let workers train an epoch each, round after round: {task: answers}."""
    answers: dict[str, list[Answer]] = {name: [] for name in tasks}
    with ExitStack() as stack:
        workers = {}
        for name, task in tasks.items():  # one warms up after the other
            workers[name] = stack.enter_context(Worker("epochs", the_core(), task))
            workers[name].answer()
        for _ in range(rounds):
            for name, worker in workers.items():
                answers[name].append(worker.another())
    return answers


# --- measurements ---------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, quartiles and largest."""
    names = ("min", "q1", "median", "q3", "max")
    return dict(zip(names, np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist(), strict=True))


def timings(answers: dict[str, list[Answer]], base: str, scale: float) -> dict[str, Any]:
    """Seconds an epoch of each task, and how many times those of `base` within a round."""
    seconds = {name: [a["seconds"] * scale for a in given] for name, given in answers.items()}
    return {
        name: {
            "seconds": spread(values),
            "ratio": spread([v / b for v, b in zip(values, seconds[base], strict=True)]),
            "busy": min(a["busy"] for a in answers[name]),
            "error": answers[name][-1]["error"],
        }
        for name, values in seconds.items()
    }


def agreement(contenders: list[str], plan: Plan) -> list[dict[str, Any]]:
    """That every peer learns what we learn; a benchmark of other work would mean nothing."""
    checks = []
    for hidden, batch_size in product(SHAPES, BATCHES):
        task = task_of(plan, spec_of(hidden, batch_size))
        for name in contenders[1:]:
            say(f"does {name} learn the same? hidden {hidden}, batch {batch_size}")
            check = ask("agreement", the_core(), {"contender": name, **task})
            if not check["agrees"]:
                raise RuntimeError(f"{name} does not learn the same: {check}")
            checks.append(check)
    return checks


def compare(spec: RunSpec, contenders: list[str], plan: Plan) -> dict[str, Any]:
    """Contenders on one network and batch size."""
    say(f"speed: hidden {spec.hidden}, batch {spec.batch_size}")
    task = task_of(plan, spec)
    answers = take_turns({name: {"contender": name, **task} for name in contenders}, plan.rounds)
    return {
        "hidden": list(spec.hidden),
        "batch_size": spec.batch_size,
        "contenders": timings(answers, peers.OURS, EPOCH / task["n_samples"]),
    }


def variants(plan: Plan) -> dict[str, Any]:
    """The other rules, feedback regimes and losses, against symmetric Q-AGREL.

    They lead to networks of other activity, hence other work: it is counted half-way.
    """
    say("speed of rules, feedback regimes and losses")
    tasks = {
        name: {"contender": peers.OURS, **task_of(plan, spec_of(**changes))}
        for name, changes in VARIANTS.items()
    }
    answers = take_turns(tasks, plan.rounds)
    found = timings(answers, BASE, EPOCH / plan.n_samples(100))
    for name, changes in VARIANTS.items():
        task = task_of(plan, spec_of(**changes)) | {"epochs": 1 + plan.rounds // 2}
        found[name]["needed"] = ask("needed", the_core(), task)["rows"] * EPOCH / task["n_samples"]
    return found


def two_threads(plan: Plan) -> dict[str, Any] | None:
    """Throughput of two runs on two threads, in runs; None on a single core."""
    if len(os.sched_getaffinity(0)) < 2:
        return None
    say("two runs on two threads")
    seconds = ask("threads", None, task_of(plan) | {"rounds": plan.rounds})
    pairs = zip(seconds["one"], seconds["two"], strict=True)
    return {"throughput": spread([2 * one / two for one, two in pairs])}


def first_batch(plan: Plan) -> dict[str, Any]:
    """Seconds from the start of a process to its first trained batch: compiled, then cached."""
    say("first batch: compiling, and from the cache")
    task = {"spec": spec_of().model_dump(mode="json")}
    times: dict[str, list[dict[str, float]]] = {"compiled": [], "cached": []}
    for _ in range(min(plan.rounds, 5)):
        with tempfile.TemporaryDirectory() as cache:
            for kind in times:
                begin = perf_counter()
                parts = ask("first_batch", the_core(), task, {"NUMBA_CACHE_DIR": cache})
                times[kind].append({"total": perf_counter() - begin, **parts})
    return {
        kind: {part: spread([t[part] for t in given]) for part in given[0]}
        for kind, given in times.items()
    }


def memory() -> dict[str, Any]:
    """Peak memory of `qagrel train` on MNIST."""
    say("peak memory")
    command = [sys.executable, "-m", "qagrel", "train", "--max-epochs", "5"]
    peaks = [ask("memory", the_core(), {"command": command})["megabytes"] for _ in range(3)]
    return {"megabytes": spread(peaks)}


def phases(plan: Plan) -> dict[str, float]:
    """Seconds an epoch by phase of the kernel."""
    say("profile by phase")
    task = task_of(plan)
    seconds = ask("phases", the_core(), task | {"rounds": plan.rounds})
    return {phase: s * EPOCH / task["n_samples"] for phase, s in seconds.items()}


def floor(hidden: tuple[int, ...]) -> dict[str, Any]:
    """Multiply-adds needed, and how many a second the core can do."""
    say(f"floor: hidden {hidden}")
    spec = spec_of(hidden).model_dump(mode="json")
    return {"hidden": list(hidden), **ask("floor", the_core(), {"spec": spec, "n_samples": EPOCH})}


def curves(plan: Plan, contenders: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Cost over batch size, width (of two hidden layers) and depth (layers of 300)."""
    few = Plan(rounds=min(plan.rounds, 5), share=plan.share)
    specs = {
        "batch_size": {b: spec_of(batch_size=b) for b in BATCH_CURVE},
        "width": {w: spec_of((w, w)) for w in WIDTH_CURVE},
        "depth": {d: spec_of((300,) * d, weight_range=0.1) for d in DEPTH_CURVE},  # they learn
    }
    return {
        axis: [{"at": at, **point(spec, contenders, few)} for at, spec in points.items()]
        for axis, points in specs.items()
    }


def point(spec: RunSpec, contenders: list[str], plan: Plan) -> dict[str, Any]:
    """Seconds of one network, and its multiply-adds: dense, and those that are needed."""
    task = {"spec": spec.model_dump(mode="json"), "n_samples": EPOCH}
    needed = ask("needed", the_core(), task)
    multiply_adds = {kind: needed[kind] for kind in ("dense", "rows")}
    return {"multiply_adds": multiply_adds, **compare(spec, contenders, plan)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Speed and memory of qagrel and its peers.")
    parser.add_argument("--quick", action="store_true", help="few rounds of a tenth of an epoch")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    arguments = parser.parse_args()
    try:
        main(arguments.quick, arguments.out, arguments.force)
    except InputError as error:
        say(f"benchmark: {error}")
        sys.exit(2)
