"""Kill sweeps, DVC and workers at random moments: a rerun must end as if nothing had happened.

    python tests/replication/fault_injection.py --tries 30 --seed 0

Every try starts from nothing, sends SIGKILL to one process at a moment drawn at random, gives the
same command again at once, and then compares with an undisturbed run: all results, all kept runs
and DVC's lock file, byte by byte, temporary files included; and no process of the try may be
left.  The killed process is, in turn: a sweep, the DVC that runs sweeps as stages, a stage's
sweep under DVC, a worker of a Dask cluster, and the sweep that such a cluster works for.

`--memory` measures the peak memory of one run and of all rows of a profile instead.
"""

import argparse
import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

BIN = Path(sys.executable).parent
QAGREL = [sys.executable, "-m", "qagrel"]
MARK = "QAGREL_TRY"  # in the environment of every process of a try, to find them all again
TIMEOUT = 300

ROWS = ["q-agrel_symmetric_300_0.5", "q-agrel_learned_300-100_1", "error-bp_fixed_300_0.1"]
SWEEP = ["table1", "--profile", "digits", *(word for row in ROWS for word in ("--row", row))]
PARAMS = {
    "rows": ROWS,
    "squared_error_rows": [],
    "profiles": {
        "digits": {
            "n_seeds": 4,
            "table1": {
                "dataset": "digits",
                "batch_size": 10,
                "validation_size": 100,
                "max_epochs": 150,
                "stop_checks": 0,
            },
            "studies": {},
        }
    },
}
PIPELINE = {
    "stages": {
        "row": {
            "foreach": ROWS,
            "do": {
                "cmd": f"{sys.executable} -m qagrel table1 --profile digits --row ${{item}}",
                "outs": [
                    {f"results/digits/runs/${{item}}{end}.csv": {"cache": False}}
                    for end in ("", "-summary")
                ],
            },
        }
    }
}


# --- a folder to work in --------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A folder with a small replication in it, and how commands run there."""

    folder: Path
    mark: str

    @classmethod
    def make(cls, folder: Path) -> "Place":
        folder.mkdir(parents=True)
        place = cls(folder, secrets.token_hex(8))
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
        (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
        subprocess.run([BIN / "dvc", "init", "-q", "--no-scm"], check=True, **place.options)
        return place

    @property
    def options(self) -> dict[str, object]:
        private = {
            name: str(self.folder / ".dvc" / "tmp" / name)
            for name in ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("QAGREL_")}
        environment = {**inherited, **private, "DVC_NO_ANALYTICS": "1", MARK: self.mark}
        return {"cwd": self.folder, "env": environment}

    def start(self, *command: object) -> subprocess.Popen[bytes]:
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            return subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # as from a terminal of its own
                **self.options,
            )

    def contents(self) -> dict[str, bytes]:
        """All that a rerun must bring back: results, kept runs, DVC's lock file."""
        folders = (self.folder / "results", self.folder / ".qagrel")
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        found = [path for path in found if path.suffix != ".lock"]  # of runs: empty, and stay
        found += self.folder.glob("dvc.lock")
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    def processes(self) -> dict[int, str]:
        """The living processes that were started here, and those that they started."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:  # else it is dead, and nobody has asked for its exit code yet
                        found[int(entry.name)] = command.strip()
        return found


# --- a cluster ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler and its workers, each a process on this machine."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@contextlib.contextmanager
def cluster(place: Place, n_workers: int = 2) -> Iterator[Cluster]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = place.start(*dask, "scheduler", *local, "--port", port)
    alone = [*local, "--nthreads", 1, "--no-nanny", "--local-directory", place.folder / "dask"]
    workers = [place.start(*dask, "worker", address, *alone) for _ in range(n_workers)]
    try:
        yield Cluster(address, workers)
    finally:
        for process in (scheduler, *workers):
            process.kill()
            process.wait()


# --- what is killed -------------------------------------------------------------------------


def a_sweep(place: Place, moment: float) -> None:
    process = place.start(*QAGREL, *SWEEP)
    kill_after(moment, process)
    assert place.start(*QAGREL, *SWEEP).wait(TIMEOUT) == 0


def dvc(place: Place, moment: float) -> None:
    """Its stage is an orphan now, and DVC starts again while that may still run."""
    process = place.start(BIN / "dvc", "repro")
    kill_after(moment, process)
    assert place.start(BIN / "dvc", "repro").wait(TIMEOUT) == 0


def a_stage(place: Place, moment: float) -> None:
    process = place.start(BIN / "dvc", "repro")
    time.sleep(moment)
    while process.poll() is None:
        stages = [pid for pid, command in place.processes().items() if "qagrel table1" in command]
        if stages:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stages[0], signal.SIGKILL)
            break
        time.sleep(0.05)
    process.wait(TIMEOUT)
    assert place.start(BIN / "dvc", "repro").wait(TIMEOUT) == 0


def a_worker(place: Place, moment: float) -> None:
    """The sweep itself goes on with the other worker."""
    with cluster(place) as dask:
        process = place.start(*QAGREL, *SWEEP, "--scheduler", dask.address)
        time.sleep(moment)
        dask.workers[0].kill()
        assert process.wait(TIMEOUT) == 0


def a_sweep_on_a_cluster(place: Place, moment: float) -> None:
    with cluster(place) as dask:
        process = place.start(*QAGREL, *SWEEP, "--scheduler", dask.address)
        kill_after(moment, process)
        assert place.start(*QAGREL, *SWEEP, "--scheduler", dask.address).wait(TIMEOUT) == 0


def kill_after(moment: float, process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
    process.kill()
    process.wait()


FAULTS: tuple[Callable[[Place, float], None], ...] = (
    *(a_sweep, dvc, a_stage, a_worker, a_sweep_on_a_cluster),
)


# --- tries ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Undisturbed:
    """What a command comes to when nothing happens, and how long it takes."""

    contents: dict[str, bytes]
    seconds: float


def undisturbed(folder: Path, command: list[object]) -> Undisturbed:
    place = Place.make(folder)
    start = time.monotonic()
    assert place.start(*command).wait(TIMEOUT) == 0, f"see {folder}.log"
    return Undisturbed(place.contents(), time.monotonic() - start)


def differences(place: Place, expected: dict[str, bytes]) -> list[str]:
    """What is not as after an undisturbed run: files, and processes that live on."""
    found = place.contents()
    names = sorted(expected.keys() | found.keys())
    wrong = [name for name in names if expected.get(name) != found.get(name)]
    deadline = time.monotonic() + 3
    while place.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    return wrong + [f"process {pid}: {command}" for pid, command in place.processes().items()]


def attempt(
    folder: Path, fault: Callable[[Place, float], None], moment: float, reference: Undisturbed
) -> list[str]:
    """One try in a new folder; what went wrong."""
    place = Place.make(folder)
    try:
        fault(place, moment)
        return differences(place, reference.contents)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return [f"the rerun failed ({error!r})"]
    finally:
        for pid in place.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def inject(folder: Path, tries: int, seed: int, report: Callable[[str], None] = print) -> int:
    """All tries; the number of those after which something was not as it should be."""
    generator = random.Random(seed)
    alone = undisturbed(folder / "sweep", [*QAGREL, *SWEEP])
    stages = undisturbed(folder / "dvc", [BIN / "dvc", "repro"])
    assert alone.contents == {k: v for k, v in stages.contents.items() if k != "dvc.lock"}
    for name, reference in (("a sweep", alone), ("dvc", stages)):
        report(f"undisturbed {name}: {reference.seconds:.1f} s, {len(reference.contents)} files")
    n_failed = 0
    for number in range(tries):
        fault = FAULTS[number % len(FAULTS)]
        reference = stages if fault in (dvc, a_stage) else alone
        moment = generator.uniform(0, reference.seconds)
        wrong = attempt(folder / f"try-{number}", fault, moment, reference)
        what = fault.__name__.replace("_", " ")
        report(f"try {number}: {what}, killed at {moment:.2f} s: {'; '.join(wrong) or 'the same'}")
        n_failed += bool(wrong)
        if not wrong:
            shutil.rmtree(folder / f"try-{number}")
    return n_failed


# --- memory ---------------------------------------------------------------------------------


def peak_memory(command: list[str], state: Path) -> tuple[float, float]:
    """Peak resident memory of a command (MB), and its time (s)."""
    folders = {"QAGREL_STATE_DIR": str(state), "QAGREL_RESULTS_DIR": str(state / "results")}
    start = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **folders}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_maxrss / 1024, time.monotonic() - start


def measure(profile: str) -> None:
    """Print what one run takes and what all rows of Table 1 take; in the project's folder."""
    row = "q-agrel_learned_300-100_1"
    sweep = [*QAGREL, "table1", "--profile", profile]
    with tempfile.TemporaryDirectory() as state:
        for name, command in {
            "one run": [*sweep, "--row", row, "--seed", "0", "--workers", "1"],
            "Table 1": sweep,
        }.items():
            megabytes, seconds = peak_memory(command, Path(state))
            print(f"{profile}, {name}: {megabytes:.0f} MB at the most, {seconds:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", metavar="PROFILE", help="measure this profile instead")
    given = parser.parse_args()
    if given.memory:
        measure(given.memory)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="qagrel-faults-"))
    n_failed = inject(folder, given.tries, given.seed)
    print(f"{given.tries} tries, {n_failed} failed" + (f": see {folder}" if n_failed else ""))
    if not n_failed:
        shutil.rmtree(folder)
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
