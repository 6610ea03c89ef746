"""A data set is found under the names that its files have in the wild, or refused by name."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Ended, idx_bytes

from qagrel import datasets, load_dataset
from qagrel.datasets import CHECKSUMS
from qagrel.errors import InputError
from qagrel.folder import NAME, find
from qagrel.idx import FILES

Folder = Callable[..., Path]
Rename = Callable[[str], str]
IMAGES, LABELS = FILES["train_images"], FILES["train_labels"]


def dotted(name: str) -> str:
    return name.replace("-idx", ".idx")


def renamed(folder: Path, rename: Rename) -> Path:
    """Give the files of a data set other names, of folders too."""
    for file in FILES.values():
        data = (folder / file).read_bytes()
        (folder / file).unlink()
        path = folder / rename(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return folder


FOUND: dict[str, Rename] = {
    "a dot": dotted,
    "a dot, gzipped": lambda name: dotted(name) + ".gz",
    "underscores": lambda name: name.replace("-", "_"),
    "upper case": str.upper,
    "upper case, gzipped": lambda name: f"{name}.GZ".replace(".GZ", ".gz").title(),
    "as text": lambda name: f"{name}.txt",
    "test for t10k": lambda name: name.replace("t10k", "test"),
    "EMNIST": lambda name: "emnist-letters-" + name.replace("t10k", "test") + ".gz",
    "a prefix with a dot": lambda name: f"fashion.{name}",
    "Kaggle": lambda name: f"{name}/{name}",
    "Kaggle, dotted": lambda name: f"{dotted(name)}/{dotted(name)}",
    "torchvision": lambda name: f"MNIST/raw/{name}",
    "raw": lambda name: f"raw/{name}",
    "torchvision, gzipped": lambda name: f"EMNIST/raw/emnist-digits-{name}.gz",
    "Kaggle in a folder": lambda name: f"archive/{name}/{dotted(name)}",
}


@pytest.mark.parametrize("names", FOUND)
def test_files_are_found_by_their_names_in_the_wild(idx_folder: Folder, names: str) -> None:
    folder = idx_folder()
    expected = load_dataset(folder)
    found = load_dataset(renamed(folder, FOUND[names]))
    assert found.checksums == expected.checksums


LIKELY = ["train-images-idx3-ubyte-idx3-ubyte", "my train-images", "train-images-idx1-ubyte"]
LIKELY += ["train-labels-idx2-int", "training-images-idx3-ubyte", "._train-images-idx3-ubyte"]


@pytest.mark.parametrize("name", LIKELY)
def test_other_names_are_not_taken_for_files_of_a_data_set(name: str) -> None:
    assert not NAME.fullmatch(name)


def test_copies_that_agree_are_one(idx_folder: Folder) -> None:
    """Torchvision leaves both forms; Kaggle has each file twice."""
    folder = idx_folder()
    expected = load_dataset(folder).sha256
    for file in FILES.values():
        data = (folder / file).read_bytes()
        (folder / f"{file}.gz").write_bytes(gzip.compress(data))
        (folder / dotted(file)).mkdir()
        (folder / dotted(file) / dotted(file)).write_bytes(data)
    assert [len(copies) for copies in find(folder).values()] == [3] * 4
    assert load_dataset(folder).sha256 == expected


@pytest.mark.parametrize("copy", [f"{LABELS}.gz", dotted(LABELS), f"{LABELS}/{LABELS}", "txt"])
def test_copies_that_differ_are_refused(idx_folder: Folder, copy: str) -> None:
    folder = idx_folder()
    path = folder / (f"{LABELS}.txt" if copy == "txt" else copy)
    if copy == f"{LABELS}/{LABELS}":
        (folder / LABELS).rename(folder / f"{LABELS}.gz")
        path.parent.mkdir()
    data = idx_bytes(np.arange(30) % 2)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    with pytest.raises(InputError, match=rf"{LABELS}\S* and \S*/{path.name}\S* differ: remove one"):
        load_dataset(folder)


def test_a_copy_that_is_damaged_is_refused(idx_folder: Folder) -> None:
    folder = idx_folder()
    (folder / f"{LABELS}.gz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=rf"{LABELS}\.gz: neither an IDX file"):
        load_dataset(folder)


def test_of_known_data_the_checksums_tell_which_copy_is_right(
    idx_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = idx_folder()
    monkeypatch.setitem(CHECKSUMS, "mnist", load_dataset(folder).checksums)
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path))
    folder.rename(tmp_path / "mnist")
    (tmp_path / "mnist" / f"{LABELS}.gz").write_bytes(b"never read")
    assert load_dataset("mnist", download=False).n_classes == 3


# --- several data sets ----------------------------------------------------------------------


def test_several_splits_in_a_folder_are_refused(idx_folder: Folder) -> None:
    folder = idx_folder()
    for file in FILES.values():
        data = (folder / file).read_bytes()
        (folder / file).unlink()
        for split in ("letters", "digits", "mnist"):
            (folder / f"emnist-{split}-{file}").write_bytes(data)
    splits = "emnist-digits, emnist-letters, emnist-mnist"
    complaint = rf"tiny holds several data sets \({splits}\): put the four files of one into a"
    with pytest.raises(InputError, match=complaint):
        load_dataset(folder)


def test_several_folders_of_data_are_refused(idx_folder: Folder) -> None:
    folder = idx_folder()
    for name in ("MNIST", "FashionMNIST"):
        (folder / name / "raw").mkdir(parents=True)
    for file in FILES.values():
        data = (folder / file).read_bytes()
        (folder / file).unlink()
        for name in ("MNIST", "FashionMNIST"):
            (folder / name / "raw" / file).write_bytes(data)
    with pytest.raises(InputError, match=r"\(FashionMNIST/raw, MNIST/raw\): name one of them"):
        load_dataset(folder)
    assert load_dataset(folder / "MNIST").n_classes == 3


def test_plain_names_come_before_those_of_another_split(idx_folder: Folder) -> None:
    folder = idx_folder()
    (folder / f"old-{LABELS}").write_bytes(b"never read")
    assert find(folder)["train_labels"] == [folder / LABELS]


def test_hidden_files_are_none_of_a_data_set(idx_folder: Folder) -> None:
    folder = idx_folder()
    (folder / f"._{LABELS}").write_bytes(b"of another system")
    (folder / ".trash").mkdir()
    assert find(folder)["train_labels"] == [folder / LABELS]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden")
def test_a_folder_within_that_cannot_be_read_is_passed_over(idx_folder: Folder) -> None:
    folder = renamed(idx_folder(), lambda name: f"raw/{name}")
    (folder / "closed").mkdir(mode=0)
    assert load_dataset(folder).n_classes == 3


# --- what is there instead ------------------------------------------------------------------

INSTEAD = {
    "an archive": (["archive.zip"], ", but archive.zip: unpack archive.zip there"),
    "another archive": (["a.txt", "MNIST.tar.gz"], ", but .*: unpack MNIST.tar.gz there"),
    "NumPy's": (["mnist.npz"], ", but mnist.npz: copy it there, rename what it is, or write IDX"),
    "tables": (
        ["mnist_train.csv", "mnist_test.csv"],
        ", but mnist_train.csv, mnist_test.csv: copy",
    ),
    "a browser's": (
        [f"{IMAGES} (1).gz", "z"],
        rf", but {IMAGES} \(1\).gz, z: copy it there, rename",
    ),
    "many files": ([f"{n}.png" for n in range(9)], ", but 0.png, 1.png, 2.png and 6 more: copy"),
    "nothing": ([], ": copy it there"),
    "a folder": (["images/x"], ", but images/: copy it there"),
}


@pytest.mark.parametrize("case", INSTEAD)
def test_what_is_there_instead_is_named(tmp_path: Path, case: str) -> None:
    names, complaint = INSTEAD[case]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with pytest.raises(InputError, match=rf"holds no {IMAGES} or {IMAGES}\.gz{complaint}"):
        load_dataset(tmp_path)


def test_labels_of_another_type_are_named(idx_folder: Folder) -> None:
    """Those of QMNIST, which has several numbers a sample."""
    folder = idx_folder()
    (folder / LABELS).rename(folder / "train-labels-idx2-int")
    with pytest.raises(InputError, match=f"no {LABELS} or {LABELS}.gz, but train-labels-idx2-int:"):
        load_dataset(folder)


@pytest.mark.parametrize("name", ["mnist.npz", "archive.zip", IMAGES])
def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"{name} is a file: name the folder that holds {IMAGES},"):
        load_dataset(tmp_path / name)


# --- a folder named like known data ---------------------------------------------------------


def test_a_folder_that_a_known_name_hides_is_told(
    run: Callable[..., Ended], idx_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = idx_folder()
    monkeypatch.chdir(folder.parent)
    folder.rename("digits")
    hidden, named = (run("data", "info", name) for name in ("digits", "./digits"))
    assert (hidden.code, named.code, named.err) == (0, 0, "")
    assert hidden.err == (
        "qagrel: digits is the data set of that name, not the folder here: ./digits names the "
        "folder\n"
    )
    assert hidden.out.startswith("digits: images of 8 x 8 pixels")
    assert named.out.startswith("./digits: images of 4 x 3 pixels")


def test_a_folder_that_is_the_known_data_is_not_told(
    idx_folder: Folder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = idx_folder()
    monkeypatch.setitem(CHECKSUMS, "mnist", load_dataset(folder).checksums)
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder.rename("mnist")
    assert datasets.verify("mnist")
    assert capsys.readouterr().err == ""


def test_known_data_are_found_where_torchvision_puts_them(
    idx_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = renamed(idx_folder(), lambda name: f"raw/{name}")
    monkeypatch.setitem(CHECKSUMS, "mnist", load_dataset(folder).checksums)
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path))
    folder.rename(tmp_path / "MNIST")
    assert datasets.fetch("mnist") == []
