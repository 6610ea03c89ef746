"""Some classes of a data set: which samples they are, by which names, and where."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import SMALL, Ended, contents, idx_bytes, is_refused

from qagrel import Dataset, InputError, load, load_dataset, save, sweep, train
from qagrel.datasets import describe, export, scale_origin, verify
from qagrel.idx import FILES
from qagrel.subset import labels_in, split

Folder = Callable[..., Path]
Err = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "whole", "listed"),
    [
        ("mnist", "mnist", None),
        ("mnist:0-4", "mnist", "0-4"),
        ("digits:0,3,8", "digits", "0,3,8"),
        ("mnist:", "mnist", ""),
        ("some/folder:1,2", "some/folder", "1,2"),
        ("some/odd:folder", "some/odd:folder", None),
        ("some/odd:1/", "some/odd:1/", None),
        ("some/odd:1/:2-3", "some/odd:1/", "2-3"),
        ("some/odd:1:2-3", "some/odd:1", "2-3"),
        ("C:\\data\\mnist", "C:\\data\\mnist", None),
        ("C:\\data\\mnist:0-1", "C:\\data\\mnist", "0-1"),
        ("C:/", "C:/", None),
        (":0-4", ":0-4", None),
        ("mnist:0..4", "mnist:0..4", None),
    ],
)
def test_digits_commas_and_dashes_behind_the_last_colon_list_classes(
    name: str, whole: str, listed: str | None
) -> None:
    assert split(name) == (whole, listed)


@pytest.mark.parametrize(
    ("listed", "labels"),
    [
        ("0-4", (0, 1, 2, 3, 4)),
        ("0,3,8", (0, 3, 8)),
        ("0-1", (0, 1)),
        ("3-3,5", (3, 5)),
        ("0-2,4,6-7,255", (0, 1, 2, 4, 6, 7, 255)),
    ],
)
def test_lists_are_ranges_and_numbers(listed: str, labels: tuple[int, ...]) -> None:
    assert labels_in(f"mnist:{listed}", listed) == labels


NO_LIST = "lists no classes behind its colon: give such as 0-4 or 0,3,8, or put a slash"
NOT_RISING = "do not rise, each named once: give such as"
REFUSED = {
    **dict.fromkeys(["", ",", "-", "0-", "-3", "0,,3", "0-2-4", "3,", "0-9999999999"], NO_LIST),
    **dict.fromkeys(["4-0", "0-2,2-3", "0,0", "3,1", "0-4,2"], NOT_RISING),
    **dict.fromkeys(["3", "3-3"], "there is only one class to tell: give two at least"),
    "8-10": "10 is no class of digits, whose labels are 0 to 9: choose among these",
    "0,200-202": "200 to 202 is no class of digits",
}


@pytest.mark.parametrize("listed", REFUSED)
def test_what_cannot_be_taken_is_refused_in_a_sentence(listed: str) -> None:
    with pytest.raises(InputError, match=rf"\A'digits:{listed}':? [^\n]*{REFUSED[listed]}[^\n]*\Z"):
        load_dataset(f"digits:{listed}")


@pytest.mark.parametrize("name", ["nothing:0-4", "x" * 300 + ":0-4", "nul\0:0-4"])
def test_classes_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"no data set and no folder|name too long"):
        load_dataset(name)


def test_classes_that_are_listed_otherwise_get_a_hint() -> None:
    with pytest.raises(InputError, match=r"no folder 'mnist:0\.\.4'.* are listed as in mnist:0-4"):
        load_dataset("mnist:0..4")


def test_a_folder_whose_name_ends_in_a_list_has_a_slash_behind_it(
    idx_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Err
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd").mkdir()
    idx_folder().rename("odd:0-1")
    assert load_dataset("odd:0-1/").n_classes == 3
    assert capsys.readouterr().err == ""
    assert load_dataset("odd:0-1/:0-1").n_classes == 2
    with pytest.raises(InputError, match="odd holds no "):
        load_dataset("odd:0-1")
    said = "odd:0-1 is some classes of odd, not the folder here: odd:0-1/ names the folder"
    assert capsys.readouterr().err == f"qagrel: {said}\n"


# --- samples --------------------------------------------------------------------------------


@pytest.mark.parametrize(("listed", "labels"), [("0-4", [0, 1, 2, 3, 4]), ("0,3,8", [0, 3, 8])])
def test_the_samples_of_these_classes_come_in_their_order(
    digits: Dataset, listed: str, labels: list[int]
) -> None:
    some = load_dataset(f"digits:{listed}")
    assert (some.name, some.classes) == (f"digits:{listed}", tuple(labels))
    assert (some.n_classes, some.image_shape) == (len(labels), (8, 8))
    for part in ("train", "test"):
        images, numbers = (getattr(digits, f"{part}_{kind}") for kind in ("images", "labels"))
        kept = [n for n, number in enumerate(numbers) if number in labels]
        found = getattr(some, f"{part}_labels")
        assert getattr(some, f"{part}_images").tolist() == images[kept].tolist()
        assert found.tolist() == [labels.index(number) for number in numbers[kept]]
        assert some.labels_of(found).tolist() == numbers[kept].tolist()


def test_labels_are_those_of_the_files_whatever_their_numbers(
    idx_folder: Folder, capsys: Err
) -> None:
    folder = idx_folder()
    for part, n in (("train", 30), ("t10k", 12)):
        labels = np.array([5, 7, 9])[np.arange(n) % 3]
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    some = load_dataset(f"{folder}:5,9")
    assert some.classes == (5, 9)
    assert some.train_labels.tolist() == [0, 1] * 10
    assert capsys.readouterr().err == ""  # these were asked for by their labels
    with pytest.raises(InputError, match=r"0 to 1 is no class of .* whose labels are 5, 7, 9"):
        load_dataset(f"{folder}:0-1")


def test_the_scale_is_that_of_the_whole(idx_folder: Folder, capsys: Err) -> None:
    """Also where none of these classes has the largest level, or another one is set."""
    folder = idx_folder()
    labels = np.arange(30) % 3
    images = np.full((30, 4, 3), 100) + 50 * (labels == 2)[:, None, None]
    (folder / FILES["train_images"]).write_bytes(idx_bytes(images))
    some, chosen = load_dataset(f"{folder}:0-1"), load_dataset(f"{folder}:0-1", grey_max=200)
    assert (some.largest_level["train"], some.grey_max, chosen.grey_max) == (100, 150, 200)
    assert [scale_origin(each) for each in (some, chosen)] == [
        "largest of the training images of all classes",
        "set",
    ]
    said = f"qagrel: {folder}: the largest grey level of its training images, 150, is taken"
    assert capsys.readouterr().err.startswith(said)


def test_known_data_are_not_doubted(capsys: Err) -> None:
    assert load_dataset("digits:0-4").grey_max == 16
    assert capsys.readouterr().err == ""


def test_the_checksum_is_of_the_samples_taken(digits: Dataset) -> None:
    sums = {load_dataset(f"digits{some}").sha256 for some in ("", ":0-4", ":0-3", ":1-4")}
    assert len(sums) == 4
    assert load_dataset("digits:0-9").sha256 == digits.sha256
    assert load_dataset("digits:0-2").sha256 == load_dataset("digits:0,1,2").sha256


def test_a_class_that_is_not_tested_is_refused(idx_folder: Folder) -> None:
    folder = idx_folder(n_classes=4)
    (folder / FILES["test_labels"]).write_bytes(idx_bytes(np.arange(12) % 2))
    assert load_dataset(f"{folder}:1-3").n_classes == 3  # class 1 is
    with pytest.raises(InputError, match=r"none of the test images of .* is of these classes"):
        load_dataset(f"{folder}:2-3")


def test_arrays_are_copies_that_cannot_be_changed() -> None:
    some = load_dataset("digits:0-1")
    for field in FILES:
        array = getattr(some, field)
        assert array.base is None
        assert not array.flags.writeable


def test_the_whole_is_not_kept_and_not_copied(idx_folder: Folder) -> None:
    """Of memory, beside what any loading takes: the samples taken, and while loading the whole."""
    folder = idx_folder(n_train=3000, n_test=300, image_shape=(20, 20))
    load_dataset(folder)
    tracemalloc.start()
    some = load_dataset(f"{folder}:0-1")
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    taken = some.train_images.nbytes + some.test_images.nbytes
    assert taken == 2 / 3 * 3300 * 400
    assert held < taken + 50_000
    assert peak < taken + 3300 * 400 + 250_000


def test_a_copy_in_files_is_the_same_data(tmp_path: Path) -> None:
    some = load_dataset("digits:3,5,8")
    export(some, tmp_path)
    copy = load_dataset(tmp_path)
    assert (copy.sha256, copy.classes) == (some.sha256, (3, 5, 8))
    assert verify("digits:3,5,8") == copy.checksums


def test_a_description_has_the_labels(digits: Dataset) -> None:
    described = describe(load_dataset("digits:3,8"))
    counts = np.bincount(digits.train_labels)
    assert (described["name"], described["classes"]) == ("digits:3,8", [3, 8])
    assert described["train"]["per_class"] == counts[[3, 8]].tolist()


# --- runs -----------------------------------------------------------------------------------

SHORT = ["--hidden", "5", "--max-epochs", "2", "--validation-size", "5", "--batch-size", "5"]
SPEC = SMALL.replace(max_epochs=2, validation_size=5)


def test_a_run_names_its_classes(idx_folder: Folder, tmp_path: Path) -> None:
    name = f"{idx_folder(n_classes=4)}:1,3"
    spec, data = SPEC.replace(dataset=name), load_dataset(name)
    history = train(spec)
    assert (history.spec.dataset, history.classes) == (name, (1, 3))
    assert history.weights[-1].shape[1] == 2
    assert set(history.predict(data.test_images).tolist()) <= {1, 3}
    save(history, tmp_path / "run.npz")
    longer = train(spec.replace(max_epochs=4), initial=load(tmp_path / "run.npz"))
    assert contents(longer) == contents(train(spec.replace(max_epochs=4)))


def test_a_run_on_some_classes_does_not_go_on_with_others(idx_folder: Folder) -> None:
    folder = idx_folder()
    first = train(SPEC.replace(dataset=f"{folder}:0-1"))
    with pytest.raises(InputError, match=r":1-2 is not what this run was trained on"):
        train(SPEC.replace(dataset=f"{folder}:1-2", max_epochs=4), initial=first)


def test_a_sweep_keeps_runs_on_each(
    idx_folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(sweep, "fingerprint", lambda *_: "fingerprint")
    folder = idx_folder(n_classes=4)
    names = [f"{folder}{classes}" for classes in ("", ":0-2", ":0-1")]
    specs = [SPEC.replace(dataset=name) for name in names]
    runs = sweep.run_all(specs, workers=1)
    assert [run.confusion.shape[1] for run in runs] == [4, 3, 2]
    for spec, run in zip(specs, runs, strict=True):
        kept = sweep.kept(spec, load_dataset(spec.dataset))
        assert kept is not None
        assert contents(kept) == contents(run)


def test_the_command_line_takes_some_classes(
    run: Callable[..., Ended], idx_folder: Folder, tmp_path: Path
) -> None:
    name = f"{idx_folder(n_classes=4)}:1,3"
    trained = run("train", "--dataset", name, *SHORT, "--out", tmp_path, "--json")
    assert json.loads(trained.out)["classes"] == [1, 3]
    assert (info := run("data", "info", name).out).startswith(f"{name}: images of 4 x 3 pixels")
    assert "2 classes, labelled 1, 3" in info
    tested = run("predict", tmp_path / "run.npz")
    assert f"test images of {name})" in tested.out
    assert tested.err == ""
    ended = run("train", "--continue", tmp_path / "run.npz", "--max-epochs", "3", "--json")
    assert len(json.loads(ended.out)["epochs"]) == 3


def test_a_run_on_all_classes_is_tested_on_some(
    run: Callable[..., Ended], idx_folder: Folder, tmp_path: Path
) -> None:
    """Also where these have not the largest level, by which they are seen as in training."""
    folder = idx_folder()
    images = np.full((30, 4, 3), 255) - 50 * (np.arange(30) % 3 < 2)[:, None, None]
    (folder / FILES["train_images"]).write_bytes(idx_bytes(images))
    run("train", "--dataset", folder, *SHORT, "--out", tmp_path)
    tested = run("predict", tmp_path / "run.npz", "--dataset", f"{folder}:0-1")
    assert (tested.code, tested.err) == (0, "")


@pytest.mark.parametrize("command", ["train --dataset", "data info", "data verify"])
@pytest.mark.parametrize("listed", ["", "4-0", "3", "0-10"])
def test_the_command_line_refuses_before_any_work(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, command: str, listed: str
) -> None:
    monkeypatch.setattr("qagrel.training.train", lambda *_, **__: pytest.fail("training began"))
    assert is_refused(run(*command.split(), f"digits:{listed}"))
