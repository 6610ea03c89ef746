"""The measurements of the benchmark, one function each.

Contenders of a comparison take turns, epoch by epoch, so that what slows the machine down for a
while slows all of them; ratios are taken within a round.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import cases, peers, versions
from benchmarks.cases import EPOCH, MAIN, WIDE, Case
from benchmarks.kept import Kept
from benchmarks.workers import Answer, Entrant, Task, ask, spread, take_turns, the_core, timings

RATES = (0.5, 0.1, 0.02)  # at the first of these that it learns at, a network is taught
HOLDS = 0.1  # measured at so much of that rate, so that it stays as it is
STILL = 1e-6  # and at this rate it stays untrained
BASE = "q-agrel symmetric"
VARIANTS: dict[str, dict[str, Any]] = {  # what qagrel can train, and at which rate
    BASE: {"learning_rate": 0.5},
    "q-agrel learned": {"feedback": "learned", "learning_rate": 0.5},
    "q-agrel fixed": {"feedback": "fixed", "learning_rate": 0.1},
    "error-bp cross-entropy": {"rule": "error-bp", "learning_rate": 0.1},
    "error-bp squared-error": {
        "rule": "error-bp",
        "loss": "squared-error",
        "learning_rate": 0.05,
    },
}
WHOLE, RELEASED = "these kernels", "the last release"
AGREEMENT = [(case, 0.5, 10_000) for case in cases.PAPER_CASES] + [(WIDE, 0.02, 1280)]


@dataclass(frozen=True)
class Plan:
    """How thorough a benchmark is, and what it measures."""

    rounds: int
    few: int  # rounds where there are many cases
    share: float  # of a turn's samples
    speed: Sequence[Case]
    grid: Sequence[Case]
    avx2: Sequence[Case]
    parts: Sequence[Case]
    profiled: Sequence[Case]


FULL = Plan(
    rounds=11,
    few=7,
    share=1.0,
    speed=(*cases.PAPER_CASES, *cases.WIDE_CASES),
    grid=cases.GRID,
    avx2=cases.AVX2_CASES,
    parts=cases.PARTS_CASES,
    profiled=cases.PROFILED,
)
QUICK = Plan(
    rounds=3,
    few=2,
    share=0.1,
    speed=(*cases.PAPER_CASES, cases.WIDE_CASES[0]),
    grid=[case for case in cases.GRID if case.hidden[0] == 50 and case.batch_size == 100],
    avx2=(MAIN,),
    parts=cases.PAPER_CASES[:2],
    profiled=(MAIN,),
)


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Bench:
    """A benchmark: its plan, what it has measured, and who takes part."""

    plan: Plan
    kept: Kept
    contenders: Sequence[str]

    def measure(self) -> dict[str, Any]:
        """Every measurement, by name."""
        plan, kept = self.plan, self.kept
        return {
            "agreement": self.agreement(),
            "speed": [self.compare(case, plan.rounds) for case in plan.speed],
            "grid": [self.compare(case, plan.few) for case in plan.grid],
            "avx2": self.avx2(),
            "parts": [self.parts(case) for case in plan.parts],
            "variants": kept("variants", self.variants),
            "threads": kept("threads", self.two_threads),
            "first_batch": kept("first batch", self.first_batch),
            "memory": kept("memory", memory),
            "phases": {case.label: self.phases(case) for case in plan.profiled},
            "floor": {case.label: self.floor(case) for case in plan.profiled},
        }

    # --- where networks start ------------------------------------------------------------------

    def start(self, case: Case) -> Answer:
        """A trained network's weights and the rate that led there, the same for all who train it.

        One that learned at no rate has the rate None, and is measured as it began.
        """
        name = f"start {case.network} {case.weight_range}"
        path = self.kept.path(name, ".npz")

        def taught() -> Answer:
            say(f"a network of some skill: {case.network}")
            path.parent.mkdir(parents=True, exist_ok=True)
            spec = case.spec(RATES[0]).model_dump(mode="json")
            return ask("teach", the_core(), {"spec": spec, "rates": RATES, "path": str(path)})

        answer = self.kept(name, taught) if case.trained else {"rate": None}
        return answer | {"path": None if answer["rate"] is None else str(path)}

    def task(self, case: Case, **changes: Any) -> Task:
        """What a worker needs to know to train."""
        start = self.start(case)
        rate = STILL if start["rate"] is None else HOLDS * start["rate"]
        return {
            "spec": case.spec(rate, **changes).model_dump(mode="json"),
            "n_samples": case.n_samples(self.plan.share),
            "start": start["path"],
        }

    # --- comparisons ---------------------------------------------------------------------------

    def agreement(self) -> list[Answer]:
        """That every peer learns what we learn; a benchmark of other work would mean nothing."""
        checks = []
        for case, rate, n_samples in AGREEMENT:
            whole = max(int(self.plan.share * n_samples) // case.batch_size, 1) * case.batch_size
            spec = case.spec(rate).model_dump(mode="json")
            for name in self.contenders[1:]:
                task = {"contender": name, "spec": spec, "n_samples": whole}
                checks.append(self.kept(f"agreement {case.label} {name}", partial(agree, task)))
        return checks

    def compare(self, case: Case, rounds: int) -> dict[str, Any]:
        """Contenders on one network and batch size."""
        task = self.task(case)
        entrants = {name: Entrant({"contender": name, **task}) for name in self.contenders}
        return self.kept(f"speed {case.label}", partial(self.race, case, task, entrants, rounds))

    def race(
        self, case: Case, task: Task, entrants: dict[str, Entrant], rounds: int
    ) -> dict[str, Any]:
        """What came of entrants who take turns; ratios are to the first."""
        say(f"speed: {case.label}: {', '.join(entrants)}")
        answers = take_turns(entrants, rounds)
        first = next(iter(entrants))
        return {
            "label": case.label,
            "hidden": list(case.hidden),
            "batch_size": case.batch_size,
            "trained": task["start"] is not None,
            "active": self.start(case).get("active"),
            "n_samples": task["n_samples"],
            "learning_rate": task["spec"]["learning_rate"],
            "multiply_adds": case.multiply_adds() * EPOCH,
            "kernels": {name: given[0]["kernels"] for name, given in answers.items()},
            "contenders": timings(answers, first, EPOCH / task["n_samples"]),
        }

    def avx2(self) -> dict[str, Any]:
        """These kernels and those of the last release, for AVX2; or why they cannot be compared."""
        with tempfile.TemporaryDirectory() as scratch:
            old = Path(scratch, "release")
            reason = versions.lacks_avx2() or versions.release(old)
            if reason:
                say(f"left out: kernels of the last release for AVX2, {reason}")
                return {"absent": reason, "cases": []}
            env = versions.AS_AVX2 | {"NUMBA_CACHE_DIR": str(Path(scratch, "cache"))}
            found = []
            for case in self.plan.avx2:
                task = self.task(case)
                ours = {"contender": peers.OURS, **task}
                entrants = {WHOLE: Entrant(ours, env=env), RELEASED: Entrant(ours, old, env)}
                race = partial(self.race, case, task, entrants, self.plan.rounds)
                found.append(self.kept(f"avx2 {case.label}", race))
        return {"absent": None, "release": versions.RELEASE, "cases": found}

    def parts(self, case: Case) -> dict[str, Any]:
        """These kernels against the same, each with a part left out."""
        task = self.task(case)
        ours = {"contender": peers.OURS, **task}

        def race() -> dict[str, Any]:
            with tempfile.TemporaryDirectory() as scratch:
                entrants = {WHOLE: Entrant(ours)}
                for part in versions.PARTS:
                    root = Path(scratch, part.replace(" ", "-"))
                    versions.without(part, root)
                    cache = {"NUMBA_CACHE_DIR": str(Path(scratch, "cache"))}
                    entrants[f"without {part}"] = Entrant(ours, root, cache)
                return self.race(case, task, entrants, self.plan.rounds)

        return self.kept(f"parts {case.label}", race)

    # --- qagrel itself -------------------------------------------------------------------------

    def variants(self) -> dict[str, Any]:
        """The other rules, feedback regimes and losses, against symmetric Q-AGREL.

        They lead to networks of other activity, hence other work: it is counted half-way.
        """
        say("speed of rules, feedback regimes and losses")
        rounds = self.plan.rounds
        tasks = {name: self.task(MAIN, **changes) for name, changes in VARIANTS.items()}
        entrants = {n: Entrant({"contender": peers.OURS, **task}) for n, task in tasks.items()}
        scale = EPOCH / MAIN.n_samples(self.plan.share)
        found = timings(take_turns(entrants, rounds), BASE, scale)
        for name, task in tasks.items():
            counted = ask("needed", the_core(), task | {"epochs": 1 + rounds // 2})
            found[name]["needed"] = counted["rows"] * scale
        return found

    def two_threads(self) -> dict[str, Any] | None:
        """Throughput of two runs on two threads, in runs; None on a single core."""
        if len(os.sched_getaffinity(0)) < 2:
            return None
        say("two runs on two threads")
        seconds = ask("threads", None, self.task(MAIN) | {"rounds": self.plan.rounds})
        pairs = zip(seconds["one"], seconds["two"], strict=True)
        return {"throughput": spread([2 * one / two for one, two in pairs])}

    def first_batch(self) -> dict[str, Any]:
        """Seconds from the start of a process to its first trained batch: compiled, then cached."""
        say("first batch: compiling, and from the cache")
        task = {"spec": MAIN.spec(RATES[0]).model_dump(mode="json")}
        times: dict[str, list[dict[str, float]]] = {"compiled": [], "cached": []}
        for _ in range(self.plan.few):
            with tempfile.TemporaryDirectory() as cache:
                for kind in times:
                    begin = perf_counter()
                    parts = ask("first_batch", the_core(), task, {"NUMBA_CACHE_DIR": cache})
                    times[kind].append({"total": perf_counter() - begin, **parts})
        return {
            kind: {part: spread([t[part] for t in given]) for part in given[0]}
            for kind, given in times.items()
        }

    def phases(self, case: Case) -> dict[str, float]:
        """Seconds an epoch by phase of the kernel."""
        task = self.task(case) | {"rounds": self.plan.rounds}

        def profile() -> dict[str, float]:
            say(f"profile by phase: {case.label}")
            seconds = ask("phases", the_core(), task)
            return {phase: s * EPOCH / task["n_samples"] for phase, s in seconds.items()}

        return self.kept(f"phases {case.label}", profile)

    def floor(self, case: Case) -> Answer:
        """Multiply-adds needed, and how many a second the core can do."""
        task = self.task(case) | {"n_samples": EPOCH}

        def measure() -> Answer:
            say(f"floor: {case.label}")
            return ask("floor", the_core(), task)

        return self.kept(f"floor {case.label}", measure)


def agree(task: Task) -> Answer:
    """Whether a contender learns the same.

    Raises
    ------
    RuntimeError
        When it does not.
    """
    name = task["contender"]
    say(f"does {name} learn the same? {task['spec']['hidden']}, batch {task['spec']['batch_size']}")
    check = ask("agreement", the_core(), task)
    if not check["agrees"]:
        raise RuntimeError(f"{name} does not learn the same: {check}")
    return check


def memory() -> dict[str, Any]:
    """Peak memory of `qagrel train` on MNIST."""
    say("peak memory")
    command = [sys.executable, "-m", "qagrel", "train", "--max-epochs", "5"]
    peaks = [ask("memory", the_core(), {"command": command})["megabytes"] for _ in range(3)]
    return {"megabytes": spread(peaks)}
