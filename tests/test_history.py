"""A saved run comes back whole, and nothing else is taken for one."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import SMALL

from qagrel import (
    Dataset,
    History,
    InputError,
    history,
    load,
    load_dataset,
    save,
    store,
    train,
)

Arrays = dict[str, np.ndarray]

BASE = SMALL.replace(dataset="digits", hidden=(6, 5), max_epochs=6, precision="float32")
SPECS = {
    "symmetric": BASE,
    "learned": BASE.replace(feedback="learned", precision="float64"),
    "fixed": BASE.replace(rule="error-bp", feedback="fixed", learning_rate=0.1, hidden=(7,)),
    "diverged": BASE.replace(learning_rate=1e30),
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    whole = load_dataset("digits")
    few = {
        f"{part}_{kind}": getattr(whole, f"{part}_{kind}")[::20]
        for part in ("train", "test")
        for kind in ("images", "labels")
    }
    return dataclasses.replace(whole, **few)


def train_one(name: str, dataset: Dataset) -> History:
    with np.errstate(all="ignore"):  # without the JIT, NumPy warns of what overflows
        return train(
            SPECS[name],
            dataset,
            record_batches=name in ("learned", "diverged"),
            record_trials=name == "learned",
        )


@pytest.fixture(scope="module", params=SPECS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(name: str, dataset: Dataset) -> History:
    trained = train_one(name, dataset)
    assert (trained.status == "diverged") == (name == "diverged")
    return trained


@pytest.fixture(scope="module")
def arrays(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    path = tmp_path_factory.mktemp("whole") / "run.npz"
    save(train_one("learned", dataset), path)
    return store.read_npz(path)


def test_a_run_comes_back_whole(run: History, tmp_path: Path) -> None:
    save(run, tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert (back.spec, back.status, back.n_epochs) == (run.spec, run.status, run.n_epochs)
    assert back.diverged_at == run.diverged_at
    np.testing.assert_equal(back.test_accuracy, run.test_accuracy)
    np.testing.assert_array_equal(back.confusion, run.confusion, strict=True)
    for name in ("weights", "feedback_weights"):
        pairs = zip(getattr(back, name), getattr(run, name), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("table", ["epochs", "batches", "trials"])
def test_the_tables_of_a_run_come_back_whole(run: History, table: str, tmp_path: Path) -> None:
    save(run, tmp_path / "run.npz")
    expected, found = getattr(run, table), getattr(load(tmp_path / "run.npz"), table)
    assert found is expected is None or found.equals(expected)


def test_the_same_run_gives_the_same_bytes(
    name: str, run: History, dataset: Dataset, tmp_path: Path
) -> None:
    again = train_one(name, dataset)
    save(run, tmp_path / "one.npz")
    save(again, tmp_path / "two.npz")
    save(load(tmp_path / "one.npz"), tmp_path / "three.npz")
    one, two, three = ((tmp_path / f"{n}.npz").read_bytes() for n in ("one", "two", "three"))
    assert one == two == three


def test_a_place_that_cannot_be_written_is_refused(run: History, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        save(run, tmp_path / "file" / "run.npz")


# --- what is no saved run -------------------------------------------------------------------


def replaced(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: change(arrays[name])}


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def headed(**changes: Any) -> Callable[[Arrays], Arrays]:
    """Change fields of the head, or of the specification in it."""

    def change(head: np.ndarray) -> np.ndarray:
        fields = json.loads(head.tobytes())
        for name, value in changes.items():
            of_spec = name in fields["spec"] and name not in fields
            (fields["spec"] if of_spec else fields)[name] = value
        return as_bytes(json.dumps(fields))

    return replaced("head", change)


def streamed(**changes: Any) -> Callable[[Arrays], Arrays]:
    """Change the state of a stream."""

    def change(head: np.ndarray) -> np.ndarray:
        fields = json.loads(head.tobytes())
        fields["streams"]["orders"] |= changes
        return as_bytes(json.dumps(fields))

    return replaced("head", change)


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def with_entry(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Change one entry of an array."""

    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array.flat[1] = value
        return array

    return change


def with_head(text: str) -> Callable[[Arrays], Arrays]:
    return replaced("head", lambda _: as_bytes(text))


FAULTS: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "no head": (without("head"), "it has no head"),
    "head of floats": (replaced("head", lambda head: head.astype(float)), "it has no head"),
    "head is not JSON": (with_head("{"), "head: Invalid JSON"),
    "head is not UTF-8": (replaced("head", lambda _: np.array([255], np.uint8)), "Invalid JSON"),
    "head is a list": (with_head("[]"), "head: "),
    "deep head": (with_head("[" * 10**6), "head: Invalid JSON"),
    "unknown field": (headed(surprise=1), "surprise: "),
    "other format": (headed(format="qagrel run 0"), "format: "),
    "unknown status": (headed(status="done"), "status: "),
    "accuracy over 100": (headed(test_accuracy=100.1), "test_accuracy: "),
    "accuracy not finite": (headed(test_accuracy=float("nan")), "test_accuracy: "),
    "no accuracy": (headed(test_accuracy=None), "checksum"),
    "accuracy, but diverged": (headed(status="diverged"), "unless it diverged"),
    "no epochs": (headed(n_epochs=0), "n_epochs: "),
    "more epochs": (headed(n_epochs=7), r"of shape \(6"),
    "huge number of inputs": (headed(n_inputs=10**30), "weights.1 is float64"),
    "batches denied": (headed(n_batches=None), "unknown array 'batch_"),
    "specification is a list": (headed(spec=[]), "spec: "),
    "misspelt parameter": (headed(spec={"sed": 1}), "did you mean 'seed'"),
    "impossible parameter": (headed(epsilon=2), "epsilon: 2 is not possible"),
    "other layers": (headed(hidden=[6, 4]), "weights.2 is float64"),
    "fewer layers": (headed(hidden=[6]), "unknown array|weights.2 is"),
    "other feedback": (headed(feedback="symmetric"), "unknown array"),
    "other precision": (headed(precision="float32"), "is float64 .*, not float32"),
    "other seed": (headed(seed=1), "checksum"),
    "other scale": (headed(grey_max=17), "checksum"),
    "a class too few": (headed(classes=[0, 1]), "it has not 10 different ones"),
    "a class twice": (headed(classes=[0, *range(9)]), "it has not 10 different ones"),
    "other classes": (headed(classes=[*range(9), 77]), "checksum"),
    "classes of another kind": (headed(classes="0"), "classes: "),
    "impossible scale": (headed(grey_max=0), "grey_max: "),
    "no checksum of data": (headed(dataset_sha256="x"), "dataset_sha256: "),
    "other data": (headed(dataset_sha256="0" * 64), "checksum"),
    "streams of another kind": (headed(streams=[]), "streams: "),
    "a generator of another kind": (streamed(bit_generator="MT19937"), "streams.orders.bit_"),
    "a state that is no number": (streamed(state={"state": "1", "inc": 1}), "streams.orders.state"),
    "a state too large": (streamed(state={"state": 2**128, "inc": 1}), "streams.orders.state"),
    "another state": (streamed(state={"state": 2**127, "inc": 1}), "checksum"),
    "no state": (headed(streams=None), "checksum"),
    "trials denied": (headed(n_trials=None), "unknown array 'trials."),
    "fewer trials": (headed(n_trials=5), r"not uint32 of shape \(6, 5\)"),
    "another action": (replaced("trials.action", with_entry(11)), "checksum"),
    "another Q-value": (replaced("trials.value", with_entry(9)), "checksum"),
    "other status": (headed(status="converged"), "checksum"),
    "other accuracy": (headed(test_accuracy=99.9), "checksum"),
    "array missing": (without("feedback_weights.2"), "'feedback_weights.2' is missing"),
    "column missing": (without("epochs.angle_3"), "'epochs.angle_3' is missing"),
    "no checksum": (without("sha256"), "'sha256' is missing"),
    "array unknown": (lambda arrays: {**arrays, "x": np.ones(1)}, "unknown array 'x'"),
    "weights turned": (replaced("weights.1", np.transpose), r"shape \(6, 64\), not .*\(64, 6\)"),
    "weights as integers": (replaced("weights.1", lambda w: w.astype(int)), "weights.1 is int64"),
    "weights of other bytes": (replaced("weights.1", lambda w: w.astype("f4")), "float32"),
    "NaN weight": (replaced("weights.2", with_entry(np.nan)), "not all finite"),
    "infinite feedback weight": (
        replaced("feedback_weights.1", with_entry(np.inf)),
        "not all finite",
    ),
    "another weight": (replaced("weights.2", with_entry(0.5)), "checksum"),
    "another reward": (replaced("epochs.reward", with_entry(1)), "checksum"),
    "another count": (replaced("confusion", with_entry(-1)), "checksum"),
    "another batch size": (replaced("batch_size", with_entry(0)), "checksum"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_saved_run_is_refused(fault: str, arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    change, reason = FAULTS[fault]
    store.write_npz(path, change(arrays))
    with pytest.raises(InputError, match=reason) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is not a saved run (")
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused_even_with_their_checksum(
    arrays: Arrays, tmp_path: Path
) -> None:
    changed = replaced("weights.1", with_entry(np.nan))(without("sha256")(arrays))
    store.write_npz(tmp_path / "run.npz", {**changed, "sha256": history._checksum(changed)})
    with pytest.raises(InputError, match="not all finite"):
        load(tmp_path / "run.npz")


@pytest.mark.parametrize("name", ["trials.action", "trials.target"])
def test_a_log_of_impossible_actions_is_refused_even_with_its_checksum(
    arrays: Arrays, tmp_path: Path, name: str
) -> None:
    changed = replaced(name, with_entry(10))(without("sha256")(arrays))
    store.write_npz(tmp_path / "run.npz", {**changed, "sha256": history._checksum(changed)})
    with pytest.raises(InputError, match="trials: a class or an action is out of range"):
        load(tmp_path / "run.npz")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was executed",))


def test_a_pickle_is_refused_and_not_executed(arrays: Arrays, tmp_path: Path) -> None:
    contents = {**arrays, "epochs.loss": np.array([Bomb()], object)}
    np.savez(tmp_path / "run.npz", **contents)
    with pytest.raises(InputError):
        load(tmp_path / "run.npz")


def test_no_flipped_byte_changes_a_run(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    store.write_npz(path, arrays)
    whole = path.read_bytes()
    generator, n_refused = np.random.default_rng(0), 0
    for position in generator.integers(0, len(whole), 200).tolist():
        damaged = bytearray(whole)
        damaged[position] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        try:
            found = load(path)
        except InputError:
            n_refused += 1
        else:  # a byte without a meaning, such as a date in the archive
            save(found, path)
            assert path.read_bytes() == whole
    assert n_refused > 100


def test_no_cut_file_is_taken_for_a_run(arrays: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    store.write_npz(path, arrays)
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 50, dtype=int).tolist():
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load(path)


@pytest.mark.parametrize("contents", [b"", b"text", b"PK\x05\x06" + bytes(18)])
def test_other_files_are_refused(contents: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.npz").write_bytes(contents)
    with pytest.raises(InputError, match=r"run\.npz"):
        load(tmp_path / "run.npz")


def test_a_plain_numpy_archive_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, weights=np.ones(3))
    (tmp_path / "run.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="it has no head"):
        load(tmp_path / "run.npz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        load(tmp_path / "run.npz")


# --- formats --------------------------------------------------------------------------------

FORMAT_1 = Path(__file__).parent / "run-format-1.npz"


def test_the_scale_and_the_data_come_back(run: History, dataset: Dataset, tmp_path: Path) -> None:
    save(run, tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert (back.grey_max, back.dataset_sha256) == (16, dataset.sha256)
    assert back.classes == tuple(range(10))


def test_a_run_of_the_first_format_is_loaded_without_its_scale() -> None:
    old = load(FORMAT_1)
    assert (old.spec.dataset, old.spec.hidden, old.n_epochs) == ("digits", (2,), 2)
    assert old.classes == tuple(range(10))
    assert old.spec.grey_max is old.grey_max is old.dataset_sha256 is None


def test_a_run_of_the_first_format_can_be_saved_again(tmp_path: Path) -> None:
    old = load(FORMAT_1)
    save(old, tmp_path / "run.npz")
    again = load(tmp_path / "run.npz")
    assert (again.spec, again.grey_max, again.dataset_sha256) == (old.spec, None, None)
    assert again.epochs.equals(old.epochs)
