"""It keeps working: interruptions, killed processes, full disks, two at once, few cores.

Kills at random moments are in `fault_injection.py`; here it runs behind the marker `slow`.
"""

import contextlib
import copy
import errno
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fault_injection
import filelock
import pytest
import yaml
from helpers import QAGREL, SMALL, Ended, is_refused, where_compiled, work_in

from qagrel import RunSpec, load, load_dataset, sweep
from qagrel.replication import commands

ROWS = ["q-agrel_learned_20_1", "error-bp_symmetric_20_0.1"]
PARAMS: dict[str, Any] = {
    "rows": ROWS,
    "squared_error_rows": [],
    "profiles": {
        "small": {
            "n_seeds": 2,
            "table1": {"dataset": "digits", "validation_size": 100, "max_epochs": 6},
            "studies": {},
        }
    },
}
ALL_ROWS = ["table1", "--profile", "small", *(word for row in ROWS for word in ("--row", row))]

SPEC = SMALL.replace(dataset="digits", max_epochs=1)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc or the kernel")
pytestmark = [
    where_compiled("takes very long where nothing is compiled"),
    pytest.mark.usefixtures("compiled"),
]


class Place(NamedTuple):
    """A working folder with a small replication in it."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / ".qagrel" / "runs"

    def results(self) -> dict[str, bytes]:
        folder = self.folder / "results"
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def kept(self) -> dict[str, bytes]:
        found = self.runs.glob("*") if self.runs.exists() else ()
        return {path.name: path.read_bytes() for path in found if path.suffix != ".lock"}

    def change(self, rows: list[str] = ROWS, **fields: object) -> None:
        """Write params.yaml with these rows, and other values in fields of all runs."""
        params = copy.deepcopy(PARAMS)
        params["rows"] = rows
        params["profiles"]["small"]["table1"] |= fields
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(work_in(tmp_path, monkeypatch))
    place.change()
    return place


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that an undisturbed sweep over all rows leaves."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.folder)
        place.change()
        commands.table1("small", ROWS, workers=1)
    assert len(place.results()) == 4
    return place.results()


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


# --- interruptions ---------------------------------------------------------------------------


def test_an_interrupted_sweep_stops_at_once_and_keeps_what_is_finished(place: Place) -> None:
    """The runs of one row diverge at once, those of the other would go on for hours."""
    rows = ["q-agrel_learned_20_1e30", "q-agrel_learned_20_1"]
    place.change(rows=rows, max_epochs=10**6, stop_checks=0, batch_size=400)
    command = [*QAGREL, "table1", "--profile", "small", "--workers", "2"]
    command += [word for row in rows for word in ("--row", row)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(list(place.runs.glob("*.lock"))) == 4)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 5  # a second, where nothing else runs
    assert process.returncode == 130
    assert re.fullmatch("\nqagrel: stopped; .* kept: give the same command again to go on\n", err)
    assert len(place.kept()) == 2
    assert sorted(place.results()) == [f"{rows[0]}-summary.csv", f"{rows[0]}.csv"]


DVC_STAND_IN = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
time.sleep(60)
"""
TRAINER = """
import sys, time
{delay}
from qagrel import sweep
sweep._end_with_dvc()
print("started", file=sys.stderr, flush=True)
time.sleep({seconds})
print("at its end", file=sys.stderr, flush=True)
"""


@linux_only
@pytest.mark.parametrize(
    ("stage", "delay", "end"),
    [
        ({"DVC_STAGE": "row"}, "", "stopped, since DVC is gone"),
        ({"DVC_STAGE": "row"}, "time.sleep(1)", "stopped, since DVC is gone"),
        ({}, "", "at its end"),
    ],
    ids=["of DVC", "of DVC, killed before it began", "of nohup"],
)
def test_who_ends_with_its_parent(stage: dict[str, str], delay: str, end: str) -> None:
    trainer = TRAINER.format(delay=delay, seconds=3 if not stage else 30)
    parent = subprocess.Popen(
        [sys.executable, "-c", DVC_STAND_IN, trainer],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **stage},
        text=True,
        start_new_session=True,  # as in a terminal of its own
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    with parent:
        parent.stdout.readline()
        if not delay:
            assert parent.stderr.readline() == "started\n"
        parent.kill()
        said = parent.stderr.read()  # until the child has ended as well
    assert end in said
    assert "Traceback" not in said


@pytest.mark.slow
@linux_only
def test_thirty_kills_change_no_byte(tmp_path: Path) -> None:
    log: list[str] = []
    assert fault_injection.inject(tmp_path, tries=30, seed=0, report=log.append) == 0, log


# --- two at once -----------------------------------------------------------------------------


def test_two_sweeps_at_once_leave_the_same_files(place: Place, expected: dict[str, bytes]) -> None:
    both = [
        subprocess.Popen([*QAGREL, *ALL_ROWS], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert place.results() == expected
    assert len(place.kept()) == 4


def test_waiting_for_another_process_is_said_once(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = [SPEC.replace(seed=seed) for seed in range(2)]
    dataset = load_dataset("digits")
    place.runs.mkdir(parents=True)
    with contextlib.ExitStack() as turns:
        for spec in specs:
            name = f"{sweep.run_key(spec, dataset)}.lock"
            turns.enter_context(filelock.FileLock(place.runs / name, thread_local=False))
        threading.Timer(2.5, turns.close).start()
        histories = sweep.run_all(specs, workers=2)
    assert [history.spec for history in histories] == specs
    said = [line for line in capsys.readouterr().err.split("\n") if "qagrel" in line]
    assert said == ["qagrel: another process trains some of these runs: waiting for it"]


def test_an_interrupted_wait_ends(place: Place) -> None:
    place.runs.mkdir(parents=True)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with (
        filelock.FileLock(place.runs / f"{sweep.run_key(SPEC, load_dataset('digits'))}.lock"),
        pytest.raises(KeyboardInterrupt),
    ):
        sweep.run(SPEC, on_wait=interrupt)


# --- what is kept ----------------------------------------------------------------------------


def test_what_killed_writers_left_is_cleared_away(place: Place, expected: dict[str, bytes]) -> None:
    commands.table1("small", ROWS)
    kept = place.kept()
    path = min(place.runs.glob("*.npz"))
    path.unlink()
    for target in (path, place.folder / "results/small/runs/row.csv"):
        target.with_name(f".{target.name}.0123456789abcdef.part").write_text("half of it")
    other = path.with_name(".ffff.npz.0123456789abcdef.part")  # of a run that another may write
    other.touch()
    commands.table1("small", ROWS)
    assert place.results() == expected
    assert place.kept() == {**kept, other.name: b""}


# --- full disks ------------------------------------------------------------------------------


@contextlib.contextmanager
def file_limit(n_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [500, 20_000], ids=["results", "kept runs"])
def test_a_full_disk_is_told_and_truncates_nothing(
    place: Place, run: Callable[..., Ended], expected: dict[str, bytes], limit: int
) -> None:
    if limit == 500:
        sweep.run_all([s for row in ROWS for s in specs_of(row)])
    with file_limit(limit):
        ended = run(*ALL_ROWS)
    assert is_refused(ended)
    assert ended.out == ""
    assert "cannot be written (File too large): make room" in ended.err
    assert [name for name in place.kept() if name.endswith(".part")] == []
    assert set(place.results().values()) <= set(expected.values())
    assert run(*ALL_ROWS).code == 0
    assert place.results() == expected


def specs_of(row: str) -> list[RunSpec]:
    return commands.read_params().profile("small").row_specs(row)


@linux_only
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("size", [4, 40], ids="{} kB".format)
def test_a_small_disk(
    place: Place, run: Callable[..., Ended], expected: dict[str, bytes], size: int
) -> None:
    disk = place.folder / ".qagrel"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount")
    try:
        ended = run(*ALL_ROWS)
        assert is_refused(ended)
        assert ended.out == ""
        assert "(No space left on device): make room" in ended.err
        for path in place.runs.glob("*.npz"):
            assert load(path).status in ("converged", "max-epochs")
        assert [name for name in place.kept() if name.endswith(".part")] == []
        subprocess.run(["mount", "-o", "remount,size=9m", disk], check=True)
        assert run(*ALL_ROWS).code == 0
        assert place.results() == expected
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_wherever_it_shows(
    place: Place, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when what is compiled cannot be put into its cache."""

    def fail(_: str) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", "cache")

    monkeypatch.setattr(sweep, "fingerprint", fail)
    ended = run(*ALL_ROWS)
    assert (ended.code, ended.err) == (2, "qagrel: no space is left (cache): make room\n")
    assert place.results() == {}


def test_a_folder_that_cannot_be_written_is_told(
    place: Place, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "file").touch()
    monkeypatch.setenv("QAGREL_STATE_DIR", "file")
    ended = run(*ALL_ROWS)
    assert is_refused(ended)
    assert ended.out == ""
    assert "file/runs cannot be written (Not a directory)" in ended.err
    assert "QAGREL_STATE_DIR" in ended.err


# --- pieces of a sweep -----------------------------------------------------------------------


def test_runs_by_row_and_seed_are_collected_to_the_same_files(
    place: Place, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in ROWS:
        for seed in range(2):
            printed = commands.table1("small", [row], [seed])
            assert printed[["row", "seed"]].to_numpy().tolist() == [[row, seed]]
    assert place.results() == {}
    monkeypatch.setattr(sweep, "train", lambda *_, **__: pytest.fail("it was trained already"))
    commands.table1("small", ROWS)
    assert place.results() == expected


@pytest.mark.parametrize("seed", [2, -1])
def test_a_seed_beyond_the_profile_is_refused(
    place: Place, run: Callable[..., Ended], seed: int
) -> None:
    ended = run(*ALL_ROWS, "--seed", seed)
    assert (ended.code, ended.err) == (2, f"qagrel: seed: {seed} is not one of 0 to 1\n")
    assert place.kept() == {}


# --- resources -------------------------------------------------------------------------------


@linux_only
def test_workers_are_as_many_as_the_cores_this_process_may_use() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert sweep.n_workers() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= sweep.n_workers() <= len(before)


@linux_only
def test_workers_are_no_more_than_a_container_may_use() -> None:
    """The limit of a control group, where Linux shows it, seen by this process alone."""
    if sweep.n_workers() == 1:
        pytest.skip("one core cannot be limited to fewer")
    limit = "mount -t tmpfs tmpfs /sys/fs/cgroup && echo 100000 100000 > /sys/fs/cgroup/cpu.max"
    if subprocess.run(["unshare", "--mount", "sh", "-c", limit], capture_output=True).returncode:
        pytest.skip("no right to mount")
    count = f"{sys.executable} -c 'from qagrel import sweep; print(sweep.n_workers())'"
    command = ["unshare", "--mount", "sh", "-c", f"{limit} && {count}"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "1\n"


@pytest.mark.usefixtures("place")
def test_no_more_workers_than_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    load_dataset("digits")  # scikit-learn builds on joblib.Parallel as it is
    asked = []
    parallel = sweep.joblib.Parallel

    def note(workers: int, **options: Any) -> Any:
        asked.append(workers)
        return parallel(workers, **options)

    monkeypatch.setattr(sweep.joblib, "Parallel", note)
    specs = [SPEC.replace(seed=seed) for seed in range(2)]
    assert len(sweep.run_all(specs, workers=10**9)) == 2
    assert asked == [2]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_keeps_one_core_busy_and_no_more(workers: int) -> None:
    """The processor time of all threads, those of numerical libraries included."""
    base = RunSpec(dataset="digits", max_epochs=15, stop_checks=0, validation_size=100)
    specs = [base.replace(seed=seed) for seed in range(workers)]
    sweep.run_all([spec.replace(max_epochs=1) for spec in specs])  # loads what is compiled
    wall, busy = time.perf_counter(), time.process_time()
    sweep.run_all(specs, workers=workers)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    assert busy < 1.1 * workers * wall
