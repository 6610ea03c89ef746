"""Anyone's arrays: floats of any sign, labels of any kind, with a test set or without."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from helpers import RULES_AND_LOSSES, SMALL, contents, is_refused, where_compiled, work_in
from scipy.sparse import csr_array

import qagrel
from qagrel import Dataset, RunSpec, cli, datasets, sweep, train
from qagrel.errors import InputError

RUN = SMALL.replace(hidden=(9,), validation_size=0, stop_checks=2)
N, FEATURES = 40, 5


def table(seed: int = 0, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Samples of either sign, some of them zero, and two classes that a line tells apart."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((n, FEATURES))
    samples[rng.random((n, FEATURES)) < 0.1] = 0
    return samples, np.where(samples[:, 0] + samples[:, 1] > 0, "yes", "no")


@pytest.fixture
def arrays() -> Dataset:
    return Dataset.from_arrays(*table(), *table(1))


# --- samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_epochs_on_values_of_either_sign_agree_with_the_slow_author(
    rule: str, loss: str, precision: str
) -> None:
    """Runs of one epoch and of two: the slow author goes from the end of one to the other's."""
    samples, labels = table()
    data = Dataset.from_arrays(samples * 3, labels)
    spec = RUN.replace(rule=rule, loss=loss, precision=precision, feedback="learned", epsilon=0.0)
    spec = spec.replace(learning_rate=0.02)
    one, two = (train(spec.replace(max_epochs=n), data) for n in (1, 2))
    streams = np.random.SeedSequence(spec.seed).spawn(4)
    generator = np.random.default_rng(streams[2])
    orders = [generator.permutation(N).tolist() for _ in range(3)]  # the first is not used
    inputs = (samples * 3).astype(precision).tolist()
    settings = naive.Settings(rule, "learned", loss, 0.0)
    batches = naive.train_epoch(
        *([matrix.tolist() for matrix in given] for given in (one.weights, one.feedback_weights)),
        *(inputs, data.train_labels.tolist(), orders[2], spec.batch_size),
        *(spec.learning_rate, settings, [1.0] * N, [0.0] * N),
    )
    tolerance = 1e-9 if precision == "float64" else 1e-4
    for matrix, reference in zip(two.weights, batches[-1].weights, strict=True):
        np.testing.assert_allclose(matrix, reference, rtol=tolerance, atol=tolerance)
    assert one.predict(samples * 3).tolist() == [
        data.classes[i] for i in naive.choose([w.tolist() for w in one.weights], inputs)
    ]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        *((kind, "float64") for kind in ("float64", "float16", "int64", "int8", "uint16", "bool")),
        ("float32", "float32"),
        ("uint8", "uint8"),
    ],
)
def test_numbers_of_every_type_are_taken(dtype: str, kept: str) -> None:
    samples = np.eye(4, dtype=dtype)
    data = Dataset.from_arrays(samples, [0, 1, 0, 1])
    assert data.train_images.dtype == kept
    assert data.has_levels == (dtype == "uint8")
    np.testing.assert_array_equal(data.train_images, samples)


def test_values_are_not_quantised() -> None:
    samples, labels = table()
    data = Dataset.from_arrays(samples, labels)
    nudged = Dataset.from_arrays(samples * (1 + 1e-12), labels)
    spec = RUN.replace(precision="float64")
    assert contents(train(spec, data)) != contents(train(spec, nudged))


def test_bytes_are_the_images_that_files_hold(patches: Dataset, tmp_path: Path) -> None:
    """The same checksum, and so the same bits of any run."""
    datasets.export(patches, tmp_path)
    read = datasets.load_dataset(tmp_path, grey_max=255)
    images = [a.reshape(-1, 3, 4) for a in (patches.train_images, patches.test_images)]
    made = Dataset.from_arrays(
        images[0], patches.train_labels, images[1], patches.test_labels, grey_max=255
    )
    assert made.image_shape == (3, 4)
    assert made.sha256 == read.sha256
    ours, theirs = (train(SMALL, data) for data in (made, read))
    assert contents(ours)[1:] == contents(theirs)[1:]


def test_sparse_samples_are_unpacked() -> None:
    samples, labels = table()
    made = Dataset.from_arrays(csr_array(samples), labels)
    assert made.sha256 == Dataset.from_arrays(samples, labels).sha256


def test_arrays_are_copied_and_cannot_be_changed() -> None:
    samples, labels = table()
    data = Dataset.from_arrays(samples, labels)
    before = data.train_images.copy()
    samples[:] = 7
    np.testing.assert_array_equal(data.train_images, before)
    with pytest.raises(ValueError, match="read-only"):
        data.train_images[0] = 1


# --- labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "dog"),
        (-3, 1000),
        (0.5, 2.0),
        (False, True),
        (0, 1),
        ("", "é"),
    ],
    ids=str,
)
def test_labels_of_any_kind_come_back(names: tuple[Any, Any], tmp_path: Path) -> None:
    samples, labels = table()
    labels = np.array(names)[(labels == "yes").astype(int)]
    history = train(RUN.replace(max_epochs=30), Dataset.from_arrays(samples, labels))
    qagrel.save(history, tmp_path / "run.npz")
    loaded = qagrel.load(tmp_path / "run.npz")
    assert history.classes == loaded.classes == names
    assert {type(name) for name in loaded.classes} == {type(names[0])}
    assert (loaded.inputs, loaded.grey_max) == ("values", None)
    found = loaded.predict(samples)
    assert found.tolist() == history.predict(samples).tolist()
    assert (found == labels).mean() > 0.85


def test_256_classes_are_the_most() -> None:
    samples = np.random.default_rng(0).standard_normal((257, 2))
    data = Dataset.from_arrays(samples[:256], range(256))
    assert train(RUN.replace(max_epochs=1), data).confusion.shape == (1, 256, 256)
    with pytest.raises(InputError, match="257 different labels: give 2 to 256 classes"):
        Dataset.from_arrays(samples, range(257))


# --- what cannot be meant --------------------------------------------------------------------

SAMPLES, LABELS = table()
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "nan": ({"X_train": np.where(np.eye(N, FEATURES), np.nan, 1)}, r"X_train: nan at \[0, 0\]"),
    "infinity": ({"X_test": np.full((N, FEATURES), -np.inf)}, r"X_test: -inf at \[0, 0\]"),
    "texts": ({"X_train": np.full((N, FEATURES), "a")}, "X_train: .* no type of numbers"),
    "complex": ({"X_train": SAMPLES * 1j}, "X_train: complex128 is no type of numbers"),
    "ragged": ({"X_train": [[1, 2], [3]]}, "X_train: no array of numbers"),
    "one axis": ({"X_train": SAMPLES[0]}, r"X_train: of shape \(5,\)"),
    "none": ({"X_train": SAMPLES[:0]}, r"X_train: of shape \(0, 5\)"),
    "no features": ({"X_train": SAMPLES[:, :0]}, r"X_train: of shape \(40, 0\)"),
    "wide": ({"X_train": np.zeros((2, 2**16 + 1))}, "X_train: 65537 features .* 65536"),
    "labels too few": ({"y_train": LABELS[1:]}, r"y_train: of shape \(39,\), for 40 samples"),
    "labels of two axes": ({"y_test": LABELS[:, None]}, r"y_test: of shape \(40, 1\)"),
    "labels missing": ({"y_train": np.where(LABELS == "no", np.nan, 1)}, r"y_train: nan at \[\d"),
    "labels mixed": ({"y_train": np.array([1, "a"] * 20, object)}, "labels of the types int, str"),
    "labels none": ({"y_train": np.array([None, "a"] * 20)}, "of the types NoneType, str"),
    "dates": ({"y_train": np.zeros(N, "M8[D]")}, "y_train: labels of type datetime64"),
    "one class": ({"y_train": np.full(N, "yes")}, "y_train: 1 different labels, 'yes'"),
    "strange class": ({"y_test": np.full(N, "maybe")}, "y_test: label 'maybe' of sample 0"),
    "class of another kind": ({"y_test": np.zeros(N)}, "y_test: label 0.0 of sample 0"),
    "no test labels": ({"y_test": None}, "X_test, y_test: one is missing"),
    "other features": ({"X_test": SAMPLES[:, :3]}, r"X_test: samples of shape \(3,\)"),
    "other type": ({"X_test": np.ones((N, FEATURES), np.uint8)}, "X_train, X_test: one is bytes"),
    "scale of values": ({"grey_max": 255}, "grey_max: the samples of arrays are values"),
    "no name": ({"name": ""}, "name: '' is not possible"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_meant_is_refused_by_name_and_position(fault: str) -> None:
    changed, complaint = FAULTS[fault]
    given = {"X_train": SAMPLES, "y_train": LABELS, "X_test": SAMPLES, "y_test": LABELS}
    with pytest.raises(InputError, match=complaint) as refused:
        Dataset.from_arrays(**{**given, **changed})
    assert not re.search(r"ubyte|file|replace|\n", str(refused.value))


@pytest.mark.parametrize("field", ["train_images", "test_images"])
def test_arrays_put_in_by_hand_are_checked_too(arrays: Dataset, field: str) -> None:
    holed = getattr(arrays, field).copy()
    holed[3, 2] = np.inf
    with pytest.raises(InputError, match=rf"arrays: {field}: inf at \[3, 2\]"):
        dataclasses.replace(arrays, **{field: holed})


def test_a_value_beyond_the_precision_is_refused() -> None:
    data = Dataset.from_arrays([[1.0, 1e39], [0.0, 1.0]], [0, 1])
    with pytest.raises(InputError, match=r"1e\+39 at \[0, 1\] is too large for float32"):
        train(RUN.replace(precision="float32", batch_size=1), data)


@pytest.mark.parametrize("fields", [{"input_scale": "binary"}, {"grey_max": 3}], ids=str)
def test_values_have_no_scale_of_grey_levels(arrays: Dataset, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="values, not grey levels"):
        train(RUN.replace(**fields), arrays)


def test_samples_of_another_shape_are_not_predicted(arrays: Dataset) -> None:
    history = train(RUN, arrays)
    with pytest.raises(InputError, match=r"samples of shape \(2, 3\) do not fit .* 5 inputs"):
        history.predict(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"samples: nan at \[1, 0\]"):
        history.predict(np.array([[0.0] * 5, [np.nan] * 5]))


def test_no_files_are_made_of_values(arrays: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="keep other arrays with NumPy"):
        datasets.export(arrays, tmp_path)
    assert not list(tmp_path.iterdir())


# --- runs ------------------------------------------------------------------------------------


def test_without_a_test_set_there_is_no_test_accuracy(tmp_path: Path) -> None:
    history = train(RUN, Dataset.from_arrays(*table()))
    assert np.isnan(history.test_accuracy)
    qagrel.save(history, tmp_path / "run.npz")
    assert np.isnan(qagrel.load(tmp_path / "run.npz").test_accuracy)


def test_a_test_set_is_tested(arrays: Dataset) -> None:
    history = train(RUN, arrays)
    samples, labels = table(1)
    assert history.test_accuracy == pytest.approx(100 * (history.predict(samples) == labels).mean())


def test_without_validation_nothing_is_checked_and_nothing_stops(arrays: Dataset) -> None:
    history = train(RUN.replace(max_epochs=40, validation_every=1, stop_checks=1), arrays)
    assert (history.n_epochs, history.status) == (40, "max-epochs")
    assert history.epochs["validation_accuracy"].isna().all()
    assert history.confusion.sum() == 40 * N


@where_compiled("the fingerprint takes minutes")
def test_kept_runs_tell_arrays_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_in(tmp_path, monkeypatch)
    samples, labels = table()
    kinds = {
        "same": Dataset.from_arrays(samples, labels),
        "values": Dataset.from_arrays(samples + 1e-9, labels),
        "type": Dataset.from_arrays(samples.astype(np.float32), labels),
        "shape": Dataset.from_arrays(samples[:, None, :], labels),
        "classes": Dataset.from_arrays(samples, np.where(labels == "yes", "Yes", "No")),
        "test": Dataset.from_arrays(samples, labels, samples, labels),
    }
    spec = RUN.replace(dataset="arrays")
    assert len({sweep.run_key(spec, data) for data in kinds.values()}) == len(kinds)
    first = sweep.run(spec, kinds["same"])
    monkeypatch.setattr(sweep, "train", None)  # no run is trained any more
    again = sweep.run(spec, Dataset.from_arrays(samples, labels))
    np.testing.assert_equal(contents(again), contents(first))


@where_compiled("the fingerprint takes minutes")
def test_the_fingerprint_of_values_is_in_the_key_of_their_runs_only(
    arrays: Dataset, patches: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [sweep.run_key(RUN, data) for data in (arrays, patches)]
    monkeypatch.setattr(sweep, "fingerprint_of_values", lambda _: "another")
    changed = [sweep.run_key(RUN, data) for data in (arrays, patches)]
    assert [a == b for a, b in zip(keys, changed, strict=True)] == [False, True]


def test_the_command_line_says_that_files_cannot_be_predicted(
    arrays: Dataset, tmp_path: Path, run: Any
) -> None:
    qagrel.save(train(RUN, arrays), tmp_path / "run.npz")
    ended = run("predict", tmp_path / "run.npz", "--dataset", "digits")
    assert is_refused(ended)
    assert "was trained on values" in ended.err


def test_a_matrix_shows_labels_of_any_kind() -> None:
    text = cli._matrix(np.array([[10, 2], [3, 4]]), ("no", "perhaps"), ("no", "perhaps"))
    assert text.splitlines()[1].split() == ["true", "no", "perhaps"]


def test_the_scale_of_values_is_described(arrays: Dataset) -> None:
    facts = datasets.describe(arrays)
    assert facts["grey_max_from"] == "values, as they stand"
    assert facts["classes"] == ["no", "yes"]
    assert RunSpec(validation_size=0).validation_size == 0


def test_masked_samples_are_refused() -> None:
    samples = np.ma.masked_array(np.ones((4, 2)), mask=[[0, 0], [0, 1], [1, 1], [0, 0]])
    with pytest.raises(InputError, match="X_train: 3 of its entries are masked: drop"):
        Dataset.from_arrays(samples, [0, 1, 0, 1])
