"""Data sets by name or by folder: fetched, verified and read.

In the IDX form, each of a data set's four arrays is in a file of its own (`qagrel.idx`).
"""

import errno
import io
import os
import re
from contextlib import suppress
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from qagrel import store
from qagrel.arrays import frozen
from qagrel.dataset import Dataset
from qagrel.errors import InputError, say
from qagrel.folder import find, missing, read
from qagrel.idx import (
    FILES,
    REPLACE,
    idx_header,
    n_dims_of,
    parse_idx,
    sha256_of,
)
from qagrel.labels import are_counted, classes_of, numbered, spans
from qagrel.spec import RunSpec, nearest
from qagrel.subset import labels_in, split, take

CHECKSUMS = {  # SHA-256 of the files, decompressed: the compressed bytes differ between mirrors
    "digits": {
        "train-images-idx3-ubyte": (
            "88a655b5d92cda1e2a1d116bbe014582ab5dd746b82bee53783bf9adea4fd11c"
        ),
        "train-labels-idx1-ubyte": (
            "d279e9b4e90c897bf9342de3de0d4cbc8eccebacfb3b0116cf4826c0c8d0be1d"
        ),
        "t10k-images-idx3-ubyte": (
            "68d21aefda99bcb39215966f76c42a813596712d4bfdaa261dcdc8df73160f4e"
        ),
        "t10k-labels-idx1-ubyte": (
            "a601a3ea5c22cf2b9a8b485f6331bb95473b1e6ea7825822080bf9222fa5e6e0"
        ),
    },
    "mnist": {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

MAX_DOWNLOAD = 2**26


def data_dir() -> Path:
    """The folder of the data sets: QAGREL_DATA_DIR, else ``data`` in the working directory."""
    return store.place("QAGREL_DATA_DIR", "data")


def _home(name: str) -> Path:
    """The folder of a known data set, there or to be; torchvision writes its name in capitals."""
    folder, capitals = (data_dir() / spelling for spelling in (name, name.upper()))
    return capitals if capitals.is_dir() and not folder.is_dir() else folder


def load_dataset(
    name_or_path: str | os.PathLike[str], download: bool = True, *, grey_max: int | None = None
) -> Dataset:
    """Load a data set; its arrays are read-only.

    What is doubtful in it is said in a line on standard error.

    Parameters
    ----------
    name_or_path : ``digits`` (scikit-learn's, 8 x 8 pixels), ``mnist`` (from the folder
        ``mnist`` or ``MNIST`` of `data_dir`), or the path of a folder of the four IDX files,
        gzipped or not (`qagrel.folder` has their names).  Its classes are the labels that occur in
        training, in their order.  With some of them behind a colon, ``mnist:0-4`` or
        ``digits:0,3,8``, only their samples are taken (`qagrel.subset`).
    download : get missing files of ``mnist`` from a mirror.
    grey_max : the grey level that stands for an activity of 1; by default the largest one of the
        training images, those of other classes included.

    Raises
    ------
    InputError
        When there is no such data set or class, a file is missing or damaged, or the contents of
        ``mnist`` or ``digits`` are not what the published results were made from.
    """
    name = os.fspath(name_or_path)
    whole, listed = split(name)
    labels = None if listed is None else _labels(name, whole, listed)
    dataset = _known(whole, download) if whole in CHECKSUMS else _read_folder(whole, _folder(whole))
    assert dataset.grey_max is not None  # files hold grey levels
    if grey_max is None and dataset.grey_max < 255 and known_as(dataset) is None:
        say(
            f"{whole}: the largest grey level of its training images, {dataset.grey_max}, is taken "
            "for an activity of 1: set --grey-max, or grey_max, if it stands for another"
        )
    if labels is None and not are_counted(dataset.classes):
        say(
            f"{whole}: its labels are {spans(dataset.classes)}: the classes 0 to "
            f"{dataset.n_classes - 1} stand for them in this order"
        )
    one = grey_max or dataset.grey_max
    train, test = dataset.largest_level.values()
    if train <= one < test:  # training beyond it is refused, see `check_fit`
        say(
            f"{whole}: its test images go up to grey level {test}, beyond the {one} "
            "that stands for an activity of 1: set --grey-max, or grey_max, if that is wrong"
        )
    dataset = dataset.scaled(grey_max)
    return dataset if labels is None else take(dataset, labels, name)


def dataset_of(spec: RunSpec) -> Dataset:
    """Load the data of a run (`load_dataset`)."""
    return load_dataset(spec.dataset, grey_max=spec.grey_max)


def known_as(dataset: Dataset) -> str | None:
    """The name of the data set that these data are, by the checksums of all four files."""
    return next((n for n, sums in CHECKSUMS.items() if sums == dataset.checksums), None)


def _known(name: str, download: bool) -> Dataset:
    """A data set by name, its contents checked."""
    _say_what_is_shadowed(name)
    if name == "digits":
        dataset = _digits()
        remedy = "install the locked version of scikit-learn"
    else:
        if download:
            _fetch_missing(name)
        dataset = _read_folder(name, _home(name))
        remedy = f"remove it from {_home(name)} and run 'qagrel data fetch {name}'"
    for file, sha256 in dataset.checksums.items():
        if sha256 != CHECKSUMS[name][file]:
            raise InputError(
                f"{name}: {file} is not the original, its SHA-256 is {sha256}: {remedy}"
            )
    return dataset


def _say_what_is_shadowed(name: str) -> None:
    """Say that a folder in the working folder is not the data set of its name."""
    is_meant = name != "digits" and Path(name).resolve() == _home(name).resolve()
    if Path(name).is_dir() and not is_meant:
        say(f"{name} is the data set of that name, not the folder here: ./{name} names the folder")


def _labels(name: str, whole: str, listed: str) -> tuple[int, ...]:
    """The labels that a name lists; a folder that has this name is said to be another thing."""
    with suppress(OSError):  # no permission, name too long
        if Path(name).is_dir():
            say(f"{name} is some classes of {whole}, not the folder here: {name}/ names the folder")
    return labels_in(name, listed)


def verify(name_or_path: str | os.PathLike[str]) -> dict[str, str]:
    """Check a data set as it is on disk, and give the SHA-256 of each file, decompressed.

    Raises
    ------
    InputError
        As `load_dataset` does, of which it makes every check; it downloads nothing.
    """
    return load_dataset(name_or_path, download=False).checksums


def scale_origin(dataset: Dataset) -> str:
    """Where the grey level that stands for an activity of 1 comes from, in two words or more."""
    if not dataset.has_levels:
        return "values, as they stand"
    if dataset.grey_max != dataset.usual_level:
        return "set"
    if dataset.level_of_all is not None:
        return "largest of the training images of all classes"
    return "known data" if known_as(dataset) else "largest of the training images"


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a data set is, ready for JSON: samples by class, shape, scale, labels, checksums."""
    counts = {
        part: {"samples": labels.size, "per_class": np.bincount(labels, minlength=n).tolist()}
        for n in [dataset.n_classes]
        for part, labels in [("train", dataset.train_labels), ("test", dataset.test_labels)]
    }
    return {
        "name": dataset.name,
        "image_shape": list(dataset.image_shape),
        "grey_max": dataset.grey_max,
        "grey_max_from": scale_origin(dataset),
        "n_classes": dataset.n_classes,
        "classes": list(dataset.classes),
        **counts,
        "checksums": dataset.checksums,
        "sha256": dataset.sha256,
    }


def _folder(path: str) -> Path:
    try:
        if path and Path(path).is_dir():
            return Path(path)
        is_file = Path(path).is_file()
    except OSError as error:  # no permission, name too long
        raise InputError(f"{path} cannot be read ({error.strerror}): name a folder") from error
    if is_file:
        raise InputError(
            f"{path} is a file: name the folder that holds {', '.join(FILES.values())}, "
            "gzipped or not"
        )
    known, _, listed = path.partition(":")
    hint = nearest(path.lower(), CHECKSUMS)
    if listed and known in CHECKSUMS:
        hint = f"; some classes are listed as in {known}:0-4 or {known}:0,3,8"
    raise InputError(
        f"there is no data set and no folder {path!r}: give {' or '.join(CHECKSUMS)}, "
        f"or a folder of IDX files{hint}"
    )


def _digits() -> Dataset:
    """scikit-learn's digits: every fifth sample, counted class by class, is for testing.

    Its file is read without importing it, which would take longer than all else at the start.
    """
    home = find_spec("sklearn")
    assert home
    assert home.origin
    file = Path(home.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(file, np.uint8, delimiter=",")
    images, labels = table[:, :-1], table[:, -1]
    is_test = np.zeros(labels.size, bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    train_images, train_labels, test_images, test_labels = (
        frozen(np.ascontiguousarray(values[chosen], np.uint8))
        for chosen in (~is_test, is_test)
        for values in (images, labels)
    )
    return Dataset(
        *("digits", train_images, train_labels, test_images, test_labels, 16, 10, (8, 8)),
        from_files=True,
    )


def _read_folder(name: str, folder: Path) -> Dataset:
    copies = find(folder)
    for field in FILES:
        if field not in copies:
            fetch_it = f", or run 'qagrel data fetch {name}'" if name in CHECKSUMS else ""
            raise InputError(missing(folder, field, copies) + fetch_it)
    if name in CHECKSUMS:  # which tell whether the first is right
        copies = {field: found[:1] for field, found in copies.items()}
    train_images, train_labels, test_images, test_labels = (
        read(copies[field], field) for field in FILES
    )
    paths = {field: found[0] for field, found in copies.items()}
    image_shape = train_images.shape[1:]
    if test_images.shape[1:] != image_shape:
        raise InputError(
            f"{paths['test_images']}: its images have the shape {test_images.shape[1:]}, but the "
            f"training images {image_shape}: take both from the same source"
        )
    classes = classes_of(str(paths["train_labels"]), train_labels)
    return Dataset(
        name,
        train_images.reshape(len(train_images), -1),
        numbered(str(paths["train_labels"]), train_labels, classes),
        test_images.reshape(len(test_images), -1),
        numbered(str(paths["test_labels"]), test_labels, classes),
        grey_max=int(train_images.max()),
        n_classes=len(classes),
        image_shape=image_shape,
        classes=classes,
        from_files=True,
    )


# --- download -------------------------------------------------------------------------------


def fetch(name: str) -> list[Path]:
    """Download what is missing of a data set, and check all of it.

    Files are kept decompressed, so that they are the same bytes from every mirror.

    Returns
    -------
    The files that are new; none for ``digits``, which scikit-learn brings along.

    Raises
    ------
    InputError
        When the name is unknown, no mirror gives the file that was published, it cannot be
        written, or files that were there already are damaged.
    """
    if name not in CHECKSUMS:
        raise InputError(
            f"{name!r} cannot be fetched: give {' or '.join(CHECKSUMS)}"
            f"{nearest(name.lower(), CHECKSUMS)}"
        )
    new = [] if name == "digits" else _fetch_missing(name)
    verify(name)
    return new


def export(dataset: Dataset, folder: Path, force: bool = False) -> None:
    """Write a data set as decompressed IDX files, those that are there already excepted.

    Raises
    ------
    InputError
        When one is there with other content, unless by `force`, or the data are no images with
        bytes as labels; nothing is written then.
    """
    if not dataset.fits_files or len(dataset.image_shape) != 2 or not dataset.test_labels.size:
        raise InputError(
            f"{dataset.name}: IDX files hold images for training and for testing, in bytes, and "
            "labels from 0 to 255: keep other arrays with NumPy"
        )
    contents = {}
    for field, file in FILES.items():
        array, shape = dataset.content(field)
        contents[folder / file] = idx_header(shape) + array.tobytes()
    store.write_named(contents, "--into", force)


def _fetch_missing(name: str) -> list[Path]:
    folder = _home(name)
    there = find(folder)
    return [_fetch_file(name, field, folder) for field in FILES if field not in there]


def _fetch_file(name: str, field: str, folder: Path) -> Path:
    """Get one file from the first mirror that gives the original."""
    file = FILES[field]
    path, refusals = folder / file, []
    for mirror in MIRRORS:
        url = f"{mirror}{file}.gz"
        try:
            array = parse_idx(io.BytesIO(_download(url)), url, n_dims_of(field))
            if (sha256 := sha256_of(array, array.shape)) != CHECKSUMS[name][file]:
                raise InputError(f"{url}: not the original, its SHA-256 is {sha256}")
        except InputError as error:
            refusals.append(str(error).removesuffix(f": {REPLACE}"))
        else:
            store.write_bytes(path, idx_header(array.shape) + array.tobytes())
            return path
    raise InputError(
        f"{name}: {file} could not be downloaded ({'; '.join(refusals)}): "
        f"check the network, or copy it into {folder}"
    )


class _Bounded(io.BytesIO):
    """A buffer that refuses what no file of ours can be."""

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > MAX_DOWNLOAD:
            raise OSError(errno.EFBIG, f"more than {MAX_DOWNLOAD} bytes")
        return super().write(chunk)


def _download(url: str) -> bytes:
    """What a mirror answers, unchecked; nothing is written to disk."""
    import pooch
    from tqdm import tqdm

    buffer = _Bounded()
    file = url.rpartition("/")[2]
    # a total, so that pooch takes the bar for one; no bar where nobody watches
    with tqdm(desc=file, total=1, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        # no redirects: they could lead away from HTTPS
        get = pooch.HTTPDownloader(bar, chunk_size=2**16, timeout=30, allow_redirects=False)
        try:
            get(url, buffer, None)
        except (OSError, ValueError) as error:  # of requests, with pages of detail
            raise InputError(f"{url}: {_reason(error)}") from error
    return buffer.getvalue()


def _reason(error: Exception) -> str:
    """Why a download failed, in a few words: what the mirror or the proxy answered, if any did."""
    response = getattr(error, "response", None)
    if response is not None:
        answer = f"HTTP {response.status_code} {response.reason or ''}".strip()
        return f"{answer}, {_hint(response.status_code)}"
    reason = getattr(error, "strerror", None) or type(error).__name__
    refused = re.search(r"Tunnel connection failed: (\d+[ \w]*)", str(error))
    return f"{reason}, HTTP {refused[1]} from the proxy" if refused else reason


def _hint(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "try again later"
    is_gone = status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    return "it is not there any more" if is_gone else "it is not given to this machine"
