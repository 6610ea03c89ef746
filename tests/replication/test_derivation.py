"""A committed run is derived again: to the last bit, stretch by stretch, and kept."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT, contents, where_compiled

from qagrel import InputError, train
from qagrel.replication import audit
from qagrel.replication.derivation import Derivation, committed_row, derivation, of_seed
from qagrel.trained import History

pytestmark = where_compiled("a run of digits takes long where nothing is compiled")

ROW = "q-agrel_learned_300-100_1"


def go_on(_: int) -> bool:
    return False


def derived(source: Derivation, last: int) -> History:
    history = None
    for stop in source.stops(last):
        history = source.advance(history, stop, go_on)
    assert history is not None
    return history


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("QAGREL_RESULTS_DIR", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Derivation]:
    """Derive the first epochs of a run once, for all tests, which leave its folder alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("QAGREL_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.delenv("QAGREL_RESULTS_DIR", raising=False)
        source = derivation(of_seed(committed_row("digits", ROW), 1))
        derived(source, 27)
        yield source


@pytest.fixture
def source(made: Derivation, tmp_path: Path) -> Derivation:
    """Return a copy that tests may damage."""
    shutil.copytree(made.folder, tmp_path / "kept")
    return replace(made, folder=tmp_path / "kept", say=pytest.fail)


def test_every_epoch_is_kept_at_first_then_every_fifth(made: Derivation) -> None:
    assert made.stops(3) == [1, 2, 3]
    assert made.stops(25) == [*range(1, 21), 25]
    assert made.stops(27) == [*range(1, 21), 25, 27]
    kept = sorted(int(path.stem) for path in made.folder.glob("*.npz"))
    assert kept == made.stops(27)


def test_the_stretches_make_the_run_that_was_never_interrupted(made: Derivation) -> None:
    whole = train(made.spec, made.dataset, on_epoch=lambda epoch: epoch["epoch"] >= 27)
    assert contents(made.at(27)) == contents(whole)


def test_a_run_to_its_end_has_the_committed_summary(source: Derivation) -> None:
    history = derived(source, source.n_epochs)
    assert history.status == source.run.summary["status"] == "converged"
    assert history.test_accuracy == source.run.summary["test_accuracy"]


def test_what_is_kept_is_not_trained_again(source: Derivation) -> None:
    trained: list[int] = []
    history = source.advance(None, 20, lambda epoch: bool(trained.append(epoch)))
    assert trained == []
    source.advance(history, 22, lambda epoch: bool(trained.append(epoch)))
    assert trained == [21, 22]


def test_a_run_that_is_stopped_is_kept_where_it_is(source: Derivation) -> None:
    history = source.advance(source.at(27), 30, lambda epoch: epoch == 28)
    assert history.n_epochs == 28
    assert contents(source.at(28)) == contents(history)


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_a_damaged_network_is_told_and_derived_again(source: Derivation, damage: bytes) -> None:
    path, sentences = source.folder / "0003.npz", list[str]()
    good = path.read_bytes()
    path.write_bytes(damage)
    with pytest.raises(InputError, match=r"0003\.npz is damaged"):
        source.at(3)
    replace(source, say=sentences.append).advance(source.at(2), 3, go_on)
    assert path.read_bytes() == good
    (sentence,) = sentences
    assert sentence.startswith(f"{path} is damaged")
    assert sentence.endswith(": it is trained again")


def test_a_network_of_another_epoch_is_refused(source: Derivation) -> None:
    shutil.copy(source.folder / "0004.npz", source.folder / "0003.npz")
    with pytest.raises(InputError, match="another run than its name says"):
        source.at(3)


def test_a_number_that_is_not_the_committed_one_is_told(source: Derivation) -> None:
    lines = source.run.epochs.copy()
    lines.loc[1, "angle_2"] += 1e-13
    changed = replace(source, run=replace(source.run, epochs=lines))
    changed.advance(None, 1, go_on)
    with pytest.raises(InputError, match=r"seed 1, epoch 2, angle_2: committed .*, derived "):
        changed.advance(None, 2, go_on)


def test_a_folder_that_cannot_be_written_is_told(source: Derivation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        replace(source, folder=tmp_path / "file/inside").advance(None, 1, go_on)


def test_an_unknown_row_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match=r"^row: 'q-agrel_learn_300_1' is .* did you mean"):
        committed_row("digits", "q-agrel_learn_300_1")


def test_an_unknown_seed_is_refused() -> None:
    with pytest.raises(InputError, match=r"^seed: 3 is not one of 0 to 2"):
        of_seed(committed_row("digits", ROW), 3)


def test_results_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAGREL_RESULTS_DIR", str(tmp_path))
    with pytest.raises(InputError, match=f"{ROW}.csv is not there"):
        committed_row("digits", ROW)


def test_missing_data_are_told(tmp_path: Path) -> None:
    run = of_seed(committed_row("digits", ROW), 0)
    lost: audit.Committed = replace(run, spec=run.spec.replace(dataset=str(tmp_path / "lost")))
    with pytest.raises(InputError, match="lost"):
        derivation(lost)
