"""The benchmark compares what learns the same, and says what it measured."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import SMALL

from benchmarks import agreement, floor, peers, phases, plot, report, run
from benchmarks.peers.ours import Ours
from benchmarks.problem import Problem, make_problem
from qagrel.datasets import load_dataset
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
        run.ask("floor", None, {"spec": {"hidden": "nonsense"}, "n_samples": 10})


RATES = {report.FOUR_ROWS: 7e10, report.ONE_ROW: 5e10, report.SGEMM: 1e11}


def fake_results() -> dict[str, Any]:
    spread = run.spread([1.0, 2.0, 3.0])
    timing = {"seconds": spread, "ratio": spread, "busy": 1.0, "error": 0.1}
    timings = dict.fromkeys([peers.OURS, peers.AUTOGRAD], timing)
    speed = [
        {"hidden": hidden, "batch_size": batch, "contenders": timings}
        for hidden in ([300, 100], [300])
        for batch in (1, 100)
    ]
    points = [
        {"at": at, "multiply_adds": {"dense": 3e10, "rows": 7e9}, **speed[0]} for at in (1, 2)
    ]
    parts = dict.fromkeys(["total", "import", "data", "kernels"], spread)
    return {
        "machine": {"cpu": "a processor", "python": "3", "packages": {}, "load_before": 0.0},
        "quick": True,
        "speed": speed,
        "variants": {
            "q-agrel symmetric": {**timing, "needed": 7e9},
            "q-agrel fixed": {**timing, "needed": 7.7e9},
        },
        "threads": {"throughput": spread},
        "first_batch": {"compiled": parts, "cached": parts},
        "memory": {"megabytes": spread},
        "phases": {"forward": 0.1, "update": 0.2},
        "floor": [
            {"hidden": h, "needed": {"rows": 7e9, "dense": 33e9}, "rates": RATES}
            for h in ([300, 100], [300])
        ],
        "curves": dict.fromkeys(plot.AXES, points),
    }


def test_the_tables_say_what_was_measured() -> None:
    text = report.tables(fake_results())
    assert "| 300-100 | 100 | PyTorch autograd | 2.000 (1.500–2.500) | 2.00 (1.50–2.50) |" in text
    assert "| 300-100 | 7.00 | 33.00 | 70.00 | 100.00 | 0.100 | 0.140 | 2.000 | 5 % |" in text
    assert "2.000 (1.500–2.500): 1.100 times the multiply-adds" in text
    assert "not to be quoted" in text


def test_the_figure_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    results = json.loads(json.dumps(fake_results()))
    for name in ("a.json", "b.json"):
        plot.draw(results, tmp_path / name)
    for suffix in (".svg", ".png"):
        first, second = ((tmp_path / (name + suffix)).read_bytes() for name in "ab")
        assert first == second


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
    assert done.stderr.startswith("benchmark: no numpy in this environment: 'make bench' sets")


def test_the_results_of_others_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_text("mine")
    with pytest.raises(InputError, match=r"mine\.png is there: give another --out"):
        run.main(quick=True, out=tmp_path / "mine.json")
