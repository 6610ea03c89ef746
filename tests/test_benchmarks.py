"""The benchmark compares what learns the same, and says what it measured."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import SMALL, where_compiled

from benchmarks import (
    agreement,
    cases,
    floor,
    measures,
    peers,
    phases,
    plot,
    report,
    run,
    versions,
    worker,
    workers,
)
from benchmarks.cases import Case
from benchmarks.kept import Kept
from benchmarks.peers.ours import Ours
from benchmarks.problem import Problem, make_problem
from qagrel.datasets import data_dir, load_dataset
from qagrel.errors import InputError

# eager enough that within an epoch units close, classes are found and actions explored
SPEC = SMALL.replace(
    dataset="digits", hidden=(30, 20), batch_size=10, epsilon=0.1, weight_range=0.3
)
N_SAMPLES = 1000


def problem_of(**changes: Any) -> Problem:
    spec = SPEC.replace(**changes)
    return make_problem(spec, load_dataset(spec.dataset))


@pytest.fixture(params=[name for name in peers.HOMES if name != peers.OURS])
def peer(request: pytest.FixtureRequest) -> str:
    if reason := peers.missing(request.param):
        pytest.skip(f"{reason}: the peers have an environment of their own, see make bench")
    return request.param


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden": (30,)},
        {"batch_size": 1, "learning_rate": 0.05},
        {"batch_size": 100},
        {"epsilon": 1.0, "temperature": 0.5},
    ],
    ids=["two-hidden", "one-hidden", "trial-by-trial", "large-batch", "always-exploring"],
)
def test_a_peer_learns_what_qagrel_learns(peer: str, changes: dict[str, Any]) -> None:
    problem = problem_of(**changes)
    ours, theirs = Ours(problem), peers.load(peer)(problem)
    for epoch in range(2):
        draws = problem.draws(epoch, N_SAMPLES)
        assert theirs.epoch(draws) == ours.epoch(draws)
    assert agreement.distance(ours.weights(), theirs.weights(), problem.weights) < 1e-11


def test_the_task_is_learned_so_that_agreement_says_something() -> None:
    problem = problem_of()
    ours = Ours(problem)
    errors = [ours.epoch(problem.draws(epoch, N_SAMPLES)) / N_SAMPLES for epoch in range(2)]
    assert errors[1] < 0.6  # by chance 0.9


def test_agreement_fails_a_contender_that_learns_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slower(Ours):
        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.rate *= 0.99

    monkeypatch.setattr(agreement, "load", lambda _: Slower)
    assert not agreement.compare("slower", SPEC, N_SAMPLES)["agrees"]


def test_the_profiled_kernel_is_the_kernel() -> None:
    problem = problem_of(precision="float32")
    ours, timed = Ours(problem), Ours(problem)
    draws = problem.draws(0, N_SAMPLES)
    ours.epoch(draws)
    seconds = phases.train_timed(timed, draws)
    for a, b in zip(ours.weights(), timed.weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert set(seconds) == set(phases.PHASES)
    assert min(seconds.values()) > 0


@where_compiled("thousands of trials")
def test_a_taught_network_is_where_others_start(tmp_path: Path) -> None:
    spec = problem_of(precision="float32", weight_range=0.3).spec
    task: Any = {"spec": spec.model_dump(mode="json"), "path": str(tmp_path / "start.npz")}
    (answer,) = worker.teach(rates=[1e-9, 1.0, 2.0], **task)
    assert answer["rate"] == 1.0  # at the first it learns nothing
    start = make_problem(spec, start=task["path"])
    assert [w.shape for w in start.weights] == [(64, 30), (30, 20), (20, 10)]
    assert not np.array_equal(start.weights[0], make_problem(spec).weights[0])
    assert answer["active"] == floor.count(start, 2000)["active"]
    (nothing,) = worker.teach(rates=[1e-9], **task)
    assert nothing == {"rate": None}


def test_an_epoch_must_be_whole_batches() -> None:
    with pytest.raises(ValueError, match="whole batches"):
        problem_of(batch_size=100).draws(0, 150)


def test_needed_multiply_adds_of_a_small_network_counted_by_hand() -> None:
    problem = problem_of(hidden=(2,))
    image = np.zeros((1, 64), np.uint8)
    image[0, :3] = 16  # three pixels are not zero
    dataset = replace(problem.dataset, train_images=image, train_labels=np.zeros(1, np.uint8))
    first, last = np.zeros((64, 2)), np.ones((2, 10))
    first[:3, 0], first[:3, 1] = 1, -1  # one hidden unit is active, the other silent
    found = floor.count(Problem(problem.spec, dataset, [first, last]), n_samples=7)
    rows = {name: phase["rows"] / 7 for name, phase in found["phases"].items()}
    assert rows == {
        "forward 1": 6,
        "update 1": 6,
        "forward 2": 10,
        "update 2": 1,
        "feedback 1": 1,
    }
    assert found["units"] / 7 == 6 + 3 + 10 + 1 + 1
    assert found["dense"] / 7 == 64 * 2 * 2 + 20 * 3


def test_a_worker_that_fails_is_reported() -> None:
    with pytest.raises(RuntimeError, match="status 1"):
        workers.ask("floor", None, {"spec": {"hidden": "nonsense"}, "n_samples": 10})


# --- cases -----------------------------------------------------------------------------------


def test_the_grid_has_every_width_depth_and_batch_size() -> None:
    sizes = [(case.hidden[0], len(case.hidden), case.batch_size) for case in cases.GRID]
    assert len(set(sizes)) == len(sizes) == 4 * 3 * 3
    assert (2000, 6, 1000) in sizes


@pytest.mark.parametrize("share", [1.0, 0.1])
@pytest.mark.parametrize("case", [*cases.WIDE_CASES, *cases.GRID], ids=lambda case: case.label)
def test_a_turn_is_whole_batches_of_an_epoch_at_most(case: Case, share: float) -> None:
    n_samples = case.n_samples(share)
    assert n_samples % case.batch_size == 0
    assert case.batch_size <= n_samples <= cases.EPOCH


def test_multiply_adds_of_a_case_are_those_counted() -> None:
    problem = problem_of()
    digits = floor.count(problem, 1)["dense"]
    mnist = digits + 2 * 30 * (784 - 64)  # forward and update of the first layer
    assert Case((30, 20)).multiply_adds() == mnist


@pytest.mark.parametrize(("hidden", "name"), [((300, 100), "300-100"), ((50,) * 6, "6 x 50")])
def test_a_network_has_a_short_name(hidden: tuple[int, ...], name: str) -> None:
    assert cases.name_of(hidden) == name


def test_targets_are_of_cases_that_are_measured() -> None:
    labels = [case.label for case in measures.FULL.speed]
    assert {case.label for case in (*cases.TARGETS, *cases.EVERY_PEER)} == set(labels)
    assert cases.target("300-100, batch 100", peers.JAX) == (2.4, 2.8)
    assert cases.target("1500-1000-500, batch 128", peers.KERAS) == (1.45, 1.8)
    assert cases.target("300-100, batch 1", peers.NUMPY) is None


# --- what was measured is kept ---------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path))
    return tmp_path


def never() -> None:
    raise AssertionError("measured again")


@pytest.mark.usefixtures("state")
def test_an_interrupted_benchmark_goes_on_where_it_was() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    first = Kept("full", {"cpu": "this"})
    assert first("speed: 300-100", lambda: [1.5]) == [1.5]
    with pytest.raises(KeyboardInterrupt):
        first("memory", interrupted)
    second = Kept("full", {"cpu": "this"})
    assert second("speed: 300-100", never) == [1.5]
    assert second("memory", lambda: 7) == 7
    second.clear()
    assert Kept("full", {"cpu": "this"})("memory", lambda: 8) == 8


def test_what_another_machine_or_other_sources_measured_is_not_used(state: Path) -> None:
    Kept("full", {"cpu": "that"})("memory", lambda: 7)
    Kept("quick", {"cpu": "that"})("memory", lambda: 9)
    here = Kept("full", {"cpu": "this"})
    assert here("memory", lambda: 8) == 8
    assert sorted(p.name.split("-")[0] for p in (state / "bench").iterdir()) == ["full", "quick"]
    assert Kept("quick", {"cpu": "that"})("memory", never) == 9


# --- other versions --------------------------------------------------------------------------


@pytest.mark.parametrize("part", versions.PARTS)
def test_a_part_of_the_kernels_is_left_out(part: str, tmp_path: Path) -> None:
    versions.without(part, tmp_path)
    name = versions.PARTS[part][0]
    kernels = Path("qagrel", "kernels")
    for path in (versions.ROOT / kernels).glob("*.py"):
        same = (tmp_path / kernels / path.name).read_bytes() == path.read_bytes()
        assert same == (path.name != name)


def test_a_part_that_is_elsewhere_by_now_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(versions.PARTS, "gone", ("layout.py", "no such text", ""))
    with pytest.raises(ValueError, match="gone: 'no such text' is not in layout"):
        versions.without("gone", tmp_path)


def test_where_git_or_the_release_is_missing_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    assert versions.release(tmp_path) == f"commit {versions.RELEASE} is not in this clone"
    monkeypatch.setenv("PATH", "")
    assert versions.release(tmp_path) == "Git is not installed"


def test_the_last_release_is_taken_from_git(tmp_path: Path) -> None:
    command = ["git", "-C", str(versions.ROOT), "rev-parse", "--is-shallow-repository"]
    asked = subprocess.run(command, capture_output=True, text=True) if shutil.which("git") else None
    if asked is None or asked.stdout != "false\n":
        pytest.skip("the history is not here: there is no Git, or this is no whole clone")
    assert versions.release(tmp_path) is None
    kernels = Path("qagrel", "kernels", "loops.py")
    assert (tmp_path / kernels).read_bytes() != (versions.ROOT / kernels).read_bytes()
    assert (tmp_path / "benchmarks" / "worker.py").exists()


@where_compiled("two versions of compiled kernels")
def test_two_versions_take_turns(tmp_path: Path) -> None:
    """The kernels differ, what they learn does not: so the older ones can be of any release."""
    versions.without("loops of one trial", tmp_path)
    spec = SPEC.replace(batch_size=1, learning_rate=0.05, precision="float32")
    task = {"spec": spec.model_dump(mode="json"), "n_samples": 50, "start": None}
    ours = {"contender": peers.OURS, **task}
    entrants = {"all": workers.Entrant(ours), "without": workers.Entrant(ours, tmp_path)}
    answers = workers.take_turns(entrants, 2)
    assert answers["all"][0]["kernels"] != answers["without"][0]["kernels"]
    errors = [[lap["error"] for lap in given[1:]] for given in answers.values()]
    assert errors[0] == errors[1]
    found = workers.timings(answers, "all", scale=2.0)
    assert found["all"]["ratio"]["median"] == 1
    assert found["all"]["seconds"]["max"] == 2 * max(a["seconds"] for a in answers["all"][1:])


# --- tables and figure -----------------------------------------------------------------------

RATES = {report.FOUR_ROWS: 7e10, report.ONE_ROW: 5e10, report.SGEMM: 1e11}


def raced(case: Case, names: Sequence[str], seconds: Sequence[float]) -> dict[str, Any]:
    """What a comparison comes to whose contenders take these seconds, give or take a tenth."""
    timings = {
        name: {
            "seconds": workers.spread([0.9 * s, s, 1.1 * s]),
            "ratio": workers.spread([0.9 * s / seconds[0], s / seconds[0], 1.1 * s / seconds[0]]),
            "busy": 1.0,
            "error": 0.1,
        }
        for name, s in zip(names, seconds, strict=True)
    }
    return {
        "label": case.label,
        "hidden": list(case.hidden),
        "batch_size": case.batch_size,
        "trained": case.trained,
        "active": [0.2, 0.3, 0.5][: 1 + len(case.hidden)],
        "contenders": timings,
    }


def fake_results() -> dict[str, Any]:
    names, seconds = (peers.OURS, peers.JAX, peers.AUTOGRAD), (1.0, 2.5, 4.0)
    spread = workers.spread([1.0, 2.0, 3.0])
    timing = {"seconds": spread, "ratio": spread, "busy": 1.0, "error": 0.1}
    parts = dict.fromkeys(["total", "import", "data", "kernels"], spread)
    needed = {"rows": 7e9, "dense": 33e9}
    return {
        "machine": {"cpu": "a processor", "python": "3", "packages": {}, "load_before": 0.0},
        "quick": True,
        "absent": {peers.NUMPY: "it is not installed"},
        "speed": [raced(c, names, seconds) for c in (*cases.PAPER_CASES, *cases.WIDE_CASES)],
        "grid": [raced(c, names, (1.0, 1.0 + c.hidden[0] / 1e4, 4.0)) for c in cases.GRID],
        "avx2": {
            "absent": None,
            "release": versions.RELEASE,
            "cases": [
                raced(c, (measures.WHOLE, measures.RELEASED), (1.0, 1.2)) for c in cases.AVX2_CASES
            ],
        },
        "parts": [
            raced(c, (measures.WHOLE, "without copied tiles"), (1.0, 1.4))
            for c in cases.PARTS_CASES
        ],
        "variants": {
            "q-agrel symmetric": {**timing, "needed": 7e9},
            "q-agrel fixed": {**timing, "needed": 7.7e9},
        },
        "threads": {"throughput": spread},
        "first_batch": {"compiled": parts, "cached": parts},
        "memory": {"megabytes": spread},
        "phases": {c.label: {"forward": 0.1, "update": 0.2} for c in cases.PROFILED},
        "floor": {c.label: {"needed": needed, "rates": RATES} for c in cases.PROFILED},
        "minutes": 80.0,
    }


def test_the_tables_say_what_was_measured() -> None:
    text = report.tables(fake_results())
    for line in (
        "a processor, Python 3, ; load before: 0.00; 80 minutes; left out: NumPy, it is not "
        "installed; quick: not to be quoted",
        "| 300-100 | 100 | JAX | 2.500 (2.375–2.625) | 2.50 (2.38–2.62) | 2.4 (2.8) | yes |",
        "| 300-100 | 100 | PyTorch autograd | 4.000 (3.800–4.200) | 4.00 (3.80–4.20) | 3.7 (4.5) "
        "| yes |",
        "| 300-100 | 1 | JAX | 2.500 (2.375–2.625) | 2.50 (2.38–2.62) | 5 (6.5) | no |",
        "| 1500-1000-500, untrained | 128 | JAX | 2.500 (2.375–2.625) | 2.50 (2.38–2.62) "
        "| 1.45 (1.8) | at best |",
        "| 50 | 1 | 30 % | 1.000 | 1.00 |  |  | 4.00 |  | 1.00 (0.95–1.06), JAX | 1.1 (1.5) | no |",
        "| 2000-2000 | 100 | 40 % | 1.000 | 1.20 |  |  | 4.00 |  | 1.20 (1.14–1.26), JAX "
        "| 1.1 (1.5) | yes |",
        "| 300-100, batch 1 | 1.000 | 1.200 | 1.20 (1.14–1.26) | 1.15 (1.4) | yes |",
        "| 1500-1000-500, batch 128 | without copied tiles | 1.40 (1.33–1.47) |",
        "| 300-100, batch 100 | 7.00 | 33.00 | 100.00 | 100.00 | 0.070 | 0.140 | 1.000 | 7 % |",
        "| peak memory of a run, MB | 2 (2–2) | 300 (250) | at best |",
        "| 300-100, batch 100 | forward | 100.0 | 33 % |",
    ):
        assert line in text
    assert "2.000 (1.500–2.500): 1.100 times the multiply-adds" in text


def test_a_comparison_that_could_not_be_made_is_named() -> None:
    results = fake_results() | {"avx2": {"absent": "Git is not installed", "cases": []}}
    assert "Left out: Git is not installed." in report.tables(results)


def test_less_is_better_where_the_best_is_less() -> None:
    reached = [report.goal((10, 6), {"median": m})[1] for m in (11.0, 9.0, 5.0)]
    assert reached == ["no", "yes", "at best"]


def test_the_figure_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    results = json.loads(json.dumps(fake_results()))
    for name in ("a.json", "b.json"):
        plot.draw(results, tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second = ((tmp_path / (name + suffix)).read_bytes() for name in "ab")
        assert first == second


@pytest.mark.slow
@pytest.mark.mnist
@pytest.mark.skipif(not (data_dir() / "mnist").is_dir(), reason="the MNIST files are not here")
def test_a_small_benchmark_runs_from_beginning_to_end(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [peers.OURS, peers.NUMPY]
    monkeypatch.setattr(peers, "HOMES", {name: peers.HOMES[name] for name in names})
    case, few = cases.MAIN, {"rounds": 2, "few": 1, "share": 0.01}
    plan = measures.Plan(
        **few, speed=(case,), grid=cases.GRID[1:2], avx2=(case,), parts=(case,), profiled=(case,)
    )
    run.run(plan, quick=True, out=tmp_path / "small.json")
    results = json.loads((tmp_path / "small.json").read_text())
    assert [list(c["contenders"]) for c in (*results["speed"], *results["grid"])] == [names] * 2
    (parts,) = results["parts"]
    assert len({*parts["kernels"].values()}) == 1 + len(versions.PARTS)
    assert (tmp_path / "small.md").read_text() == report.tables(results) + "\n"
    assert (tmp_path / "small.png").exists()
    assert list((state / "bench").iterdir()) == []


SCRIPT = Path(run.__file__)


@pytest.mark.parametrize("how", [["-P", str(SCRIPT)], [str(SCRIPT)]])
def test_the_script_runs_from_anywhere(tmp_path: Path, how: Sequence[str]) -> None:
    """Without the folder of the project on the path, as where qagrel is installed as a copy."""
    done = subprocess.run(
        [sys.executable, *how, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--quick" in done.stdout


def test_without_an_environment_the_script_says_so_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("benchmark: no matplotlib in this environment: 'make bench' sets")


def test_the_results_of_others_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("mine")
    with pytest.raises(InputError, match=r"mine\.png is there: give another --out"):
        run.main(quick=True, out=tmp_path / "mine.json")
