"""Sweeps on a Dask cluster: a scheduler and two workers, each a process on this machine."""

import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from fault_injection import Cluster, Place, cluster
from helpers import QAGREL, Ended, where_compiled, work_in

from qagrel import sweep
from qagrel.replication import commands

pytest.importorskip("distributed")
pytestmark = [
    where_compiled("takes very long where nothing is compiled"),
    pytest.mark.usefixtures("compiled"),
    # of Dask and what it uses, in this process: not ours
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]
ROW = "q-agrel_learned_20_1"


@pytest.fixture
def run(run: Callable[..., Ended]) -> Callable[..., Ended]:
    """Return a function that trains the row in this process, or on a cluster."""
    return functools.partial(run, "table1", "--profile", "small", "--row", ROW)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("cluster"), "test")


@pytest.fixture(scope="module")
def dask(place: Place) -> Iterator[Cluster]:
    with cluster(place) as started:
        yield started


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder on this side, with its own data set."""
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    return work_in(tmp_path, monkeypatch)


def write_params(folder: Path, **fields: object) -> None:
    table1 = {"dataset": "digits", "validation_size": 100, "stop_checks": 0, **fields}
    params = {
        "rows": [ROW],
        "squared_error_rows": [],
        "profiles": {"small": {"n_seeds": 6, "table1": table1, "studies": {}}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def files(folder: Path) -> dict[str, bytes]:
    found = [*folder.glob("results/**/*.csv"), *folder.glob(".qagrel/runs/*.npz")]
    return {path.name: path.read_bytes() for path in found}


def test_data_of_other_contents_are_refused(
    place: Place, folder: Path, idx_folder: Callable[..., Path], run: Callable[..., Ended]
) -> None:
    """The one worker finds, by the same name, labels that are not those of this machine."""
    ours = idx_folder()
    theirs = shutil.copytree(ours, place.folder / ours.name)
    labels = theirs / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\1")
    write_params(folder, dataset=ours.name, validation_size=10, batch_size=5, max_epochs=2)
    with cluster(place, n_workers=1) as dask:
        ended = run("--scheduler", dask.address)
    assert ended.code == 2
    assert re.fullmatch(r"qagrel: worker on \S+: other data, or other numbers .+\n", ended.err)
    assert files(folder) == {}


def test_data_that_the_workers_do_not_have_are_named(
    dask: Cluster, folder: Path, idx_folder: Callable[..., Path], run: Callable[..., Ended]
) -> None:
    ours = idx_folder().rename(folder / "only-here")
    write_params(folder, dataset=ours.name, validation_size=10, batch_size=5, max_epochs=2)
    ended = run("--scheduler", dask.address)
    assert ended.code == 2
    assert re.fullmatch(r"qagrel: worker on \S+: there is no data set .+'only-here'.+\n", ended.err)


def test_finished_runs_are_not_sent(dask: Cluster, folder: Path, run: Callable[..., Ended]) -> None:
    write_params(folder, max_epochs=1)
    assert run("--seed", "1").code == 0
    (kept,) = folder.glob(".qagrel/runs/*.npz")
    written = kept.stat().st_mtime_ns
    assert run("--scheduler", dask.address).code == 0
    assert kept.stat().st_mtime_ns == written
    assert len(files(folder)) == 6 + 2


def test_a_killed_worker_changes_no_byte(
    dask: Cluster, folder: Path, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies when the first run has come back; the other takes over what it had begun."""
    write_params(folder, max_epochs=200, batch_size=10)
    kept = folder / ".qagrel" / "runs"

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not list(kept.glob("*.npz")) and time.monotonic() < deadline:
            time.sleep(0.01)
        dask.workers[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    ended = run("--scheduler", dask.address)
    killer.join()
    assert ended.code == 0, ended.err
    assert dask.workers[0].wait() != 0
    there = files(folder)
    assert len(there) == 6 + 2
    monkeypatch.setenv("QAGREL_STATE_DIR", "here")
    commands.table1("small", [ROW])
    assert files(folder) == there
    assert {path.name for path in (folder / "here/runs").glob("*.npz")} <= there.keys()


def test_a_cluster_without_workers_is_told(
    place: Place, folder: Path, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(folder, max_epochs=1)
    monkeypatch.setattr(sweep, "SECONDS_FOR_WORKERS", 1)
    with cluster(place, n_workers=0) as idle:
        ended = run("--scheduler", idle.address)
    assert ended.code == 2
    assert f"qagrel: scheduler: {idle.address!r} has no workers, or lost them" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1", "http://127.0.0.1:1", ""])
def test_an_address_without_a_scheduler_is_refused(
    folder: Path, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    write_params(folder, max_epochs=1)
    monkeypatch.setattr(sweep, "SECONDS_TO_CONNECT", 1)
    ended = run("--scheduler", address)
    assert ended.code == 2
    assert re.match(f"qagrel: scheduler: {address!r} does not answer: ", ended.err)
    assert ended.err.count("\n") == 1
    assert files(folder) == {}


def test_an_interrupted_sweep_on_a_cluster_stops(dask: Cluster, folder: Path) -> None:
    write_params(folder, max_epochs=5000, batch_size=100)
    command = [*QAGREL, "table1", "--profile", "small", "--row", ROW]
    process = subprocess.Popen(
        [*command, "--scheduler", dask.address], stderr=subprocess.PIPE, text=True
    )
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.fullmatch("\nqagrel: stopped; .* kept: give the same command again to go on\n", err)


# --- the address in Dask's own configuration ---------------------------------------------------


def configured(folder: Path, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """What a new process finds, with nothing configured but by these variables."""
    inherited = {name: text for name, text in os.environ.items() if name[:5] != "DASK_"}
    code += "; import sys; from qagrel import sweep; print(sweep.configured_scheduler())"
    code += "; print('dask' in sys.modules)"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code.strip("; ")],
        env={**inherited, "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
    )


def test_without_a_configuration_dask_is_not_even_imported(folder: Path) -> None:
    done = configured(folder)
    assert (done.stdout, done.stderr) == ("None\nFalse\n", "")


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"DASK_SCHEDULER_ADDRESS": "tcp://host:1"}, "tcp://host:1"),
        ({"DASK_SCHEDULER_ADDRESS": "8786"}, "8786"),
        ({"DASK_CONFIG": "dask.yaml"}, "tcp://from-yaml:1"),
        ({"DASK_CONFIG": "dask.yaml", "DASK_SCHEDULER_ADDRESS": "tcp://host:1"}, "tcp://host:1"),
        ({"DASK_SCHEDULER_ADDRESS": ""}, "None"),
        ({"DASK_TEMPORARY_DIRECTORY": "anywhere"}, "None"),
    ],
)
def test_the_address_is_the_one_that_dask_itself_would_take(
    folder: Path, variables: dict[str, str], address: str
) -> None:
    (folder / "dask.yaml").write_text("scheduler-address: tcp://from-yaml:1")
    done = configured(folder, **variables)
    assert done.stdout == f"{address}\nTrue\n"
    names = [f"qagrel: Dask's configuration names the scheduler {address}: runs go to its workers"]
    assert done.stderr.splitlines() == (names if address != "None" else [])


def test_the_users_own_configuration_counts(folder: Path) -> None:
    (folder / ".config" / "dask").mkdir(parents=True)
    (folder / ".config" / "dask" / "ours.yaml").write_text("scheduler-address: tcp://host:1")
    assert configured(folder).stdout == "tcp://host:1\nTrue\n"


def test_a_configuration_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "dask.yaml").write_text("[")
    done = configured(folder, DASK_CONFIG="dask.yaml")
    assert "InputError: scheduler: Dask's configuration cannot be read (A dask conf" in done.stderr


def test_an_address_without_dask_is_told(folder: Path) -> None:
    absent = "import sys; sys.modules['dask'] = None"
    done = configured(folder, absent, DASK_SCHEDULER_ADDRESS="tcp://host:1")
    assert done.stdout.splitlines()[0] == "tcp://host:1"  # which `_cluster` then refuses


def test_the_variable_alone_sends_runs_to_the_workers(
    dask: Cluster, folder: Path, run: Callable[..., Ended]
) -> None:
    """By `dvc repro` too; the bytes are those of runs trained here."""
    write_params(folder, max_epochs=2)
    assert run("--workers", "1").code == 0
    expected = files(folder)
    project = Place.make(folder / "project")
    write_params(project.folder, max_epochs=2)
    command = f"{sys.executable} -m qagrel table1 --profile small --row {ROW}"
    outs = [{f"results/small/runs/{ROW}{end}.csv": {"cache": False}} for end in ("", "-summary")]
    stages = {"stages": {"row": {"cmd": command, "outs": outs}}}
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(stages))
    options = project.options
    options["env"] = {**options["env"], "DASK_SCHEDULER_ADDRESS": dask.address}
    before = transitions(dask)
    dvc = [sys.executable, "-m", "dvc", "repro"]
    done = subprocess.run(dvc, **options, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Dask's configuration names the scheduler {dask.address}" in done.stderr
    assert files(project.folder) == expected
    assert transitions(dask) - before >= 6  # a run each, at the least


def transitions(dask: Cluster) -> int:
    """How often a task of the scheduler has changed its state."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(dask.address, set_as_default=False) as client:
        return int(
            client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
        )


def test_workers_that_are_asked_for_are_those_of_this_machine(
    folder: Path, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "configured_scheduler", lambda: "tcp://127.0.0.1:1")
    write_params(folder, max_epochs=1)
    assert run("--workers", "1").code == 0
    monkeypatch.setattr(sweep, "SECONDS_TO_CONNECT", 1)
    ended = run()
    assert ended.code == 2
    assert "qagrel: scheduler: 'tcp://127.0.0.1:1' does not answer" in ended.err
