"""Many runs: kept as they finish, taken up again, the same whatever the number of workers."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from helpers import SMALL, contents, where_compiled

from qagrel import Dataset, History, InputError, RunSpec, load_dataset, network, save, sweep, train
from qagrel.rules import RULES

compiled_only = where_compiled("the runs of the fingerprint take minutes where nothing is compiled")


@pytest.fixture
def spec(idx_folder: Callable[..., Path]) -> RunSpec:
    return SMALL.replace(
        dataset=str(idx_folder()),
        feedback="learned",
        max_epochs=3,
        validation_every=1,
        stop_checks=2,
        precision="float32",
    )


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept runs, at first not there; the fingerprint costs nothing."""
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(sweep, "fingerprint", lambda precision="float32": precision)
    return tmp_path / "state" / "runs"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the runs that are really trained."""
    seeds = []

    def note(spec: RunSpec, *arguments: Any, **options: Any) -> History:
        seeds.append(spec.seed)
        return train(spec, *arguments, **options)

    monkeypatch.setattr(sweep, "train", note)
    return seeds


def seeds_of(spec: RunSpec, n: int) -> list[RunSpec]:
    return [spec.replace(seed=seed) for seed in range(n)]


def files(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(state.glob("*.npz"))}


# --- one run ---------------------------------------------------------------------------------


def test_a_run_is_trained_once(spec: RunSpec, trained: list[int]) -> None:
    first, second = sweep.run(spec), sweep.run(spec)
    assert trained == [0]
    assert contents(first) == contents(second) == contents(train(spec))


def test_the_epochs_of_a_kept_run_are_told_too(spec: RunSpec, trained: list[int]) -> None:
    """A display of progress would stay at its beginning otherwise."""
    first: list[Any] = []
    second: list[Any] = []
    sweep.run(spec, on_epoch=first.append)
    sweep.run(spec, on_epoch=second.append)
    assert trained == [0]
    assert [row["epoch"] for row in first] == [row["epoch"] for row in second] != []


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"learning_rate": 1.0}, {"precision": "float64"}, {"max_epochs": 2}]
)
def test_another_spec_is_another_run(spec: RunSpec, state: Path, change: dict[str, Any]) -> None:
    sweep.run(spec)
    assert sweep.run(spec.replace(**change)).spec != spec
    assert len(files(state)) == 2


@pytest.mark.parametrize("field", ["train_images", "train_labels", "test_images", "test_labels"])
def test_other_data_make_another_run(
    spec: RunSpec, field: str, trained: list[int], state: Path
) -> None:
    dataset = load_dataset(spec.dataset)
    sweep.run(spec, dataset)
    sweep.run(spec, replace(dataset, **{field: getattr(dataset, field)[::-1].copy()}))
    assert trained == [0, 0]
    assert len(files(state)) == 2


def test_another_fingerprint_makes_another_run(
    spec: RunSpec, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep.run(spec)
    monkeypatch.setattr(sweep, "fingerprint", lambda _: "of other arithmetic")
    sweep.run(spec)
    assert trained == [0, 0]


def test_batches_are_trained_for_where_the_kept_run_has_none(
    spec: RunSpec, trained: list[int]
) -> None:
    assert sweep.run(spec).batches is None
    assert sweep.run(spec, record_batches=True).batches is not None
    assert sweep.run(spec, record_batches=True).batches is not None
    assert sweep.run(spec).batches is not None
    assert trained == [0, 0]


def test_a_diverged_run_is_kept(spec: RunSpec, trained: list[int]) -> None:
    with np.errstate(all="ignore"):
        first = sweep.run(spec.replace(learning_rate=1e30))
    second = sweep.run(spec.replace(learning_rate=1e30))
    assert trained == [0]
    assert first.diverged_at == second.diverged_at == 1
    assert np.isnan([first.test_accuracy, second.test_accuracy]).all()


def test_a_run_waits_for_another_process_that_trains_it(
    spec: RunSpec, trained: list[int], state: Path
) -> None:
    history = train(spec)
    path = state / f"{sweep.run_key(spec, load_dataset(spec.dataset))}.npz"
    state.mkdir(parents=True)
    found: list[History] = []
    waiting = threading.Thread(target=lambda: found.append(sweep.run(spec)))
    with filelock.FileLock(path.with_suffix(".lock")):
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        save(history, path)
    waiting.join(10)
    assert contents(found[0]) == contents(history)
    assert trained == []


def test_the_lock_of_a_killed_process_holds_nobody_up(spec: RunSpec, state: Path) -> None:
    state.mkdir(parents=True)
    path = state / f"{sweep.run_key(spec, load_dataset(spec.dataset))}.lock"
    path.touch()
    assert sweep.run(spec).n_epochs > 0


def change_a_byte(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda data: data[: len(data) // 2], change_a_byte, lambda _: b"no run"],
    ids=["empty", "cut short", "one byte changed", "something else"],
)
def test_a_damaged_kept_run_is_trained_again_which_is_said(
    spec: RunSpec,
    state: Path,
    trained: list[int],
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
) -> None:
    first = sweep.run(spec)
    [path] = state.glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert contents(sweep.run(spec)) == contents(first)
    assert trained == [0, 0]
    assert path.read_bytes() == whole
    said = capsys.readouterr().err
    assert said.startswith(f"qagrel: {path} is ")
    assert said.endswith(": it is trained again\n")
    assert said.count("\n") == 1


def test_a_kept_run_of_another_name_is_trained_again(
    spec: RunSpec, state: Path, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.run(spec)
    [path] = state.glob("*.npz")
    save(train(spec.replace(seed=1)), path)
    assert sweep.run(spec).spec == spec
    assert trained == [0, 0]
    assert "holds another run than its name says" in capsys.readouterr().err


def test_runs_are_kept_in_the_working_folder_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QAGREL_STATE_DIR")
    assert sweep.state_folder() == Path(".qagrel/runs")


# --- many runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, None])
def test_runs_come_back_in_order(spec: RunSpec, workers: int | None) -> None:
    specs = [
        spec.replace(seed=seed, max_epochs=epochs) for seed, epochs in ((3, 9), (1, 1), (2, 1))
    ]
    assert [h.spec for h in sweep.run_all(specs, workers=workers)] == specs


def test_the_number_of_workers_changes_no_byte(
    spec: RunSpec, state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    specs = seeds_of(spec, 6)
    alone = [contents(history) for history in sweep.run_all(specs, workers=1)]
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path / "other"))
    together = [contents(history) for history in sweep.run_all(specs, workers=3)]
    assert alone == together
    assert files(state) == files(tmp_path / "other" / "runs")
    assert len(files(state)) == 6


def test_finished_runs_are_not_trained_again(spec: RunSpec, trained: list[int]) -> None:
    first = sweep.run_all(seeds_of(spec, 3), workers=2)
    assert sorted(trained) == [0, 1, 2]
    again = sweep.run_all(seeds_of(spec, 4), workers=2)
    assert sorted(trained) == [0, 1, 2, 3]
    assert [contents(h) for h in again[:3]] == [contents(h) for h in first]


def test_a_run_that_is_asked_for_twice_is_trained_once(spec: RunSpec, trained: list[int]) -> None:
    first, second = sweep.run_all([spec, spec], workers=2)
    assert trained == [0]
    assert contents(first) == contents(second)


def test_several_data_sets_in_one_sweep(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, patches: Dataset
) -> None:
    known = {spec.dataset: load_dataset(spec.dataset), "patches": patches}
    monkeypatch.setattr(sweep, "dataset_of", lambda spec: known[spec.dataset])
    specs = [spec, spec.replace(dataset="patches")]
    histories = sweep.run_all(specs, workers=2)
    for history in histories:
        assert contents(history) == contents(train(history.spec, known[history.spec.dataset]))


def test_a_misfit_is_refused_before_any_work(spec: RunSpec, trained: list[int]) -> None:
    with pytest.raises(InputError, match="validation_size: 500"):
        sweep.run_all([spec, spec.replace(validation_size=500)], workers=1)
    assert trained == []


class BreakdownError(Exception):
    pass


def test_an_interrupted_sweep_keeps_what_is_finished(
    spec: RunSpec, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = sweep.train

    def break_down(spec: RunSpec, *arguments: Any, **options: Any) -> History:
        if spec.seed == 2:
            raise BreakdownError
        return note(spec, *arguments, **options)

    monkeypatch.setattr(sweep, "train", break_down)
    with pytest.raises(BreakdownError):
        sweep.run_all(seeds_of(spec, 4), workers=1)
    assert trained == [0, 1]
    monkeypatch.setattr(sweep, "train", note)
    sweep.run_all(seeds_of(spec, 4), workers=1)
    assert trained == [0, 1, 2, 3]


def test_a_breakdown_stops_the_other_runs(
    spec: RunSpec, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run would go on for ten seconds; it leaves nothing behind."""
    second_runs, ended = threading.Event(), []

    def stand_in(spec: RunSpec, _: Any, *, on_epoch: Any, **__: Any) -> None:
        if spec.seed == 0:
            second_runs.wait(10)
            raise BreakdownError
        try:
            for _ in range(1000):
                second_runs.set()
                on_epoch({})
                time.sleep(0.01)
            ended.append("at its end")
        except sweep.StoppedError:
            ended.append("stopped")
            raise

    monkeypatch.setattr(sweep, "train", stand_in)
    started = time.monotonic()
    with pytest.raises(BreakdownError):
        sweep.run_all(seeds_of(spec, 2), workers=2)
    while not ended and time.monotonic() < started + 20:
        time.sleep(0.01)
    assert ended == ["stopped"]
    assert files(state) == {}


def test_progress_ends_full(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though one run is there already and others end early."""
    bars = []

    class Bar(sweep.tqdm):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "disable": False})
            bars.append(self)

    monkeypatch.setattr(sweep, "tqdm", Bar)
    specs = [spec.replace(seed=seed, stop_checks=1) for seed in range(2)]
    specs.append(spec.replace(seed=2, stop_checks=0))
    sweep.run(specs[1])
    histories = sweep.run_all(specs, workers=2)
    assert [history.n_epochs for history in histories] == [1, 1, 3]
    assert bars[0].n == bars[0].total == 5


# --- on a cluster: see test_cluster.py -------------------------------------------------------


def test_a_cluster_needs_dask(spec: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # importing it fails
    with pytest.raises(InputError, match="Dask, which is not installed"):
        sweep.run_all([spec], scheduler="tcp://host:1")


# --- the fingerprint -------------------------------------------------------------------------

real_fingerprint = sweep.fingerprint


@compiled_only
def test_fingerprints_differ_by_precision() -> None:
    assert real_fingerprint("float64") != real_fingerprint("float32")


def test_an_option_is_in_the_fingerprint_of_the_runs_that_use_it(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "fingerprint", lambda *arguments: " ".join(arguments))
    cold = sweep.Option(lambda spec: spec.temperature < 1, [{"temperature": 0.5}])
    monkeypatch.setattr(sweep, "OPTIONS", {"cold": cold, "error-bp": sweep._of_rule("error-bp")})
    assert sweep.arithmetic_of(spec) == "float32"
    assert sweep.arithmetic_of(spec.replace(temperature=0.5)) == "float32 cold"
    assert sweep.arithmetic_of(spec.replace(rule="error-bp")) == "float32 error-bp"
    both = spec.replace(rule="error-bp", temperature=0.5, precision="float64")
    assert sweep.arithmetic_of(both) == "float64 cold error-bp"


def test_rules_beyond_the_papers_are_options() -> None:
    assert set(sweep.OPTIONS) >= set(RULES) - set(sweep.PAPER_RULES)


@compiled_only
def test_fingerprints_differ_by_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_of(option: sweep.Option) -> str:
        monkeypatch.setattr(sweep, "OPTIONS", {"new": option})
        return real_fingerprint.__wrapped__("float32", "new")

    small, large = (sweep.Option(lambda _: True, [{"epsilon": value}]) for value in (0.1, 0.9))
    found = {one_of(small), one_of(large), real_fingerprint("float32")}
    assert len(found) == 3
    assert one_of(small) in found


@compiled_only
@pytest.mark.parametrize("relative_change", [0.0, 1e-7])
def test_the_fingerprint_sees_the_last_bits(
    monkeypatch: pytest.MonkeyPatch, relative_change: float
) -> None:
    """Of the initial weights; without a change it is the same, however often it is computed."""
    draw_weights = network.draw_weights

    def changed(*arguments: Any) -> Any:
        return [w * w.dtype.type(1 + relative_change) for w in draw_weights(*arguments)]

    monkeypatch.setattr(network, "draw_weights", changed)
    same = real_fingerprint.__wrapped__() == real_fingerprint()
    assert same == (relative_change == 0)


# --- data made by hand, and another scale ----------------------------------------------------


def test_a_run_on_data_made_by_hand_is_kept_under_their_name(
    patches: Dataset, trained: list[int]
) -> None:
    spec = RunSpec(hidden=(5,), batch_size=4, max_epochs=3, validation_size=10)
    first, second = sweep.run(spec, patches), sweep.run(spec, patches)
    assert trained == [0]
    assert first.spec == second.spec == spec.replace(dataset="patches")
    kept = sweep.kept(spec, patches)
    assert kept is not None
    assert contents(kept) == contents(first)


def test_a_kept_run_on_other_data_is_trained_again(
    spec: RunSpec, state: Path, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = load_dataset(spec.dataset)
    sweep.run(spec, dataset)
    [path] = state.glob("*.npz")
    save(train(spec, replace(dataset, train_images=dataset.train_images[::-1].copy())), path)
    assert contents(sweep.run(spec)) == contents(train(spec))
    assert trained == [0, 0]
    assert "holds another run than its name says" in capsys.readouterr().err


def test_runs_of_one_sweep_may_differ_in_scale(spec: RunSpec) -> None:
    specs = [spec.replace(grey_max=grey_max) for grey_max in (None, 255)]
    specs.append(specs[0].replace(seed=1))
    for history, spec in zip(sweep.run_all(specs, workers=2), specs, strict=True):
        assert contents(history) == contents(train(spec))


# --- runs that were stopped ------------------------------------------------------------------


def test_a_sweep_goes_on_whatever_its_callback_returns(spec: RunSpec, state: Path) -> None:
    """A progress bar says True when it has drawn itself; what is kept under a key is whole."""
    history = sweep.run(spec, on_epoch=lambda _: True)
    assert history.status != "stopped"
    assert contents(history) == contents(train(spec))
    assert len(files(state)) == 1


def test_a_stopped_run_under_a_key_counts_for_nothing(
    spec: RunSpec, state: Path, trained: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.run(spec)
    (path,) = state.glob("*.npz")
    save(train(spec, on_epoch=lambda _: True), path)
    assert contents(sweep.run(spec)) == contents(train(spec))
    assert "holds another run than its name says" in capsys.readouterr().err
    assert trained == [0, 0]
