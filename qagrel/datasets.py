"""Data sets as plain arrays: fetch, verify, read.

A data set is four arrays, each a file in the IDX form that MNIST came in: a magic number (two
zero bytes, the code of unsigned bytes, the number of dimensions), the size of every dimension
as a big-endian 32-bit integer, and the values.
"""

import errno
import gzip
import hashlib
import io
import math
import os
import re
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qagrel import store
from qagrel.errors import InputError
from qagrel.spec import nearest

Bytes = NDArray[np.uint8]

FILES = {  # each array of a data set and its file, to whose name ".gz" may be added
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
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

MAX_BYTES = 2**30  # of one array, 20 times MNIST's: a bound on what a wrong header can cost
MAX_DOWNLOAD = 2**26
UNSIGNED_BYTES = 0x08  # type code
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_RATIO = 1032  # the most bytes that one byte of gzip can stand for
CHUNK = 2**20
REPLACE = "replace it with a whole copy"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test samples.

    Attributes
    ----------
    name : as it was asked for.
    train_images, test_images : grey levels, uint8 of shape (n, rows * columns).
    train_labels, test_labels : classes, uint8 of shape (n,).
    grey_max : the grey level that stands for an activity of 1.
    n_classes : number of classes; they are counted from 0.
    image_shape : (rows, columns).

    Raises
    ------
    InputError
        When the arrays do not fit each other, or a label is not a class.
    """

    name: str
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    grey_max: int
    n_classes: int
    image_shape: tuple[int, int]

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            self._check(part, getattr(self, f"{part}_images"), getattr(self, f"{part}_labels"))

    def _check(self, part: str, images: Bytes, labels: Bytes) -> None:
        images_file, labels_file = FILES[f"{part}_images"], FILES[f"{part}_labels"]
        n_pixels = math.prod(self.image_shape)
        if images.dtype != np.uint8 or images.shape[1:] != (n_pixels,):
            raise InputError(
                f"{self.name}: {part}_images are {images.dtype} of shape {images.shape}: "
                f"give uint8 of shape (n, {n_pixels})"
            )
        if labels.dtype != np.uint8 or labels.ndim != 1:
            raise InputError(
                f"{self.name}: {part}_labels are {labels.dtype} of shape {labels.shape}: "
                "give uint8 of shape (n,)"
            )
        if labels.size != len(images) or not labels.size:
            raise InputError(
                f"{self.name}: {len(images)} images in {images_file} but {labels.size} labels in "
                f"{labels_file}: take both from the same source"
            )
        if (highest := int(labels.max())) >= self.n_classes:
            raise InputError(
                f"{self.name}: label {highest} of sample {labels.argmax()} in {labels_file} is out "
                f"of range, the classes are 0 to {self.n_classes - 1}: {REPLACE}"
            )

    @cached_property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of each array's file, decompressed, by its name."""
        return {
            FILES[field]: _sha256(array, (len(array), *self.image_shape)[: _n_dims(field)])
            for field, array in vars(self).items()
            if field in FILES
        }

    @cached_property
    def sha256(self) -> str:
        """One SHA-256 for all that training sees: contents, shapes, grey levels, classes."""
        parts = [*self.checksums.values(), str(self.grey_max), str(self.n_classes)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# --- by name or by folder -------------------------------------------------------------------


def data_dir() -> Path:
    """The folder of the data sets: QAGREL_DATA_DIR, else ``data`` in the working directory."""
    return Path(os.environ.get("QAGREL_DATA_DIR") or "data")


def load_dataset(name_or_path: str | os.PathLike[str], download: bool = True) -> Dataset:
    """Load a data set; its arrays are read-only.

    Parameters
    ----------
    name_or_path : ``digits`` (scikit-learn's, 8 x 8 pixels), ``mnist`` (from the folder
        ``mnist`` of `data_dir`), or the path of a folder of the four IDX files, gzipped or not,
        whose classes are 0 to the highest training label.
    download : get missing files of ``mnist`` from a mirror.

    Raises
    ------
    InputError
        When there is no such data set, a file is missing or damaged, or the contents of
        ``mnist`` or ``digits`` are not what the published results were made from.
    """
    name = os.fspath(name_or_path)
    if name not in CHECKSUMS:
        return _read_folder(name, _folder(name))
    if name == "digits":
        dataset = _digits()
        remedy = "install the locked version of scikit-learn"
    else:
        if download:
            _fetch_missing(name)
        dataset = _read_folder(name, data_dir() / name)
        remedy = f"remove it from {data_dir() / name} and run 'qagrel data fetch {name}'"
    for file, sha256 in dataset.checksums.items():
        if sha256 != CHECKSUMS[name][file]:
            raise InputError(
                f"{name}: {file} is not the original, its SHA-256 is {sha256}: {remedy}"
            )
    return dataset


def verify(name_or_path: str | os.PathLike[str]) -> dict[str, str]:
    """Check a data set as it is on disk, and give the SHA-256 of each file, decompressed.

    Raises
    ------
    InputError
        As `load_dataset` does, of which it makes every check; it downloads nothing.
    """
    return load_dataset(name_or_path, download=False).checksums


def describe(dataset: Dataset) -> dict[str, Any]:
    """Numbers of samples, in all and of each class, shape and checksums, ready for JSON."""
    counts = {
        part: {"samples": labels.size, "per_class": np.bincount(labels, minlength=n).tolist()}
        for n in [dataset.n_classes]
        for part, labels in [("train", dataset.train_labels), ("test", dataset.test_labels)]
    }
    return {
        "name": dataset.name,
        "image_shape": list(dataset.image_shape),
        "grey_max": dataset.grey_max,
        "n_classes": dataset.n_classes,
        **counts,
        "checksums": dataset.checksums,
        "sha256": dataset.sha256,
    }


def _folder(path: str) -> Path:
    try:
        if path and Path(path).is_dir():
            return Path(path)
    except OSError as error:  # no permission, name too long
        raise InputError(f"{path} cannot be read ({error.strerror}): name a folder") from error
    raise InputError(
        f"there is no data set and no folder {path!r}: give {' or '.join(CHECKSUMS)}, "
        f"or a folder of IDX files{nearest(path.lower(), CHECKSUMS)}"
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
        _frozen(np.ascontiguousarray(values[chosen], np.uint8))
        for chosen in (~is_test, is_test)
        for values in (images, labels)
    )
    return Dataset("digits", train_images, train_labels, test_images, test_labels, 16, 10, (8, 8))


def _read_folder(name: str, folder: Path) -> Dataset:
    paths = _find(folder)
    for field, file in FILES.items():
        if field not in paths:
            fetch_it = f" or run 'qagrel data fetch {name}'" if name in CHECKSUMS else ""
            raise InputError(f"{folder} holds no {file} or {file}.gz: copy it there{fetch_it}")
    train_images, train_labels, test_images, test_labels = (
        read_idx(paths[field], _n_dims(field)) for field in FILES
    )
    image_shape = train_images.shape[1:]
    if test_images.shape[1:] != image_shape:
        raise InputError(
            f"{paths['test_images']}: its images have the shape {test_images.shape[1:]}, but the "
            f"training images {image_shape}: take both from the same source"
        )
    return Dataset(
        name,
        train_images.reshape(len(train_images), -1),
        train_labels,
        test_images.reshape(len(test_images), -1),
        test_labels,
        grey_max=255,
        n_classes=_count_classes(paths["train_labels"], train_labels),
        image_shape=(image_shape[0], image_shape[1]),
    )


def _count_classes(path: Path, labels: Bytes) -> int:
    """Classes from 0 to the highest label; refused where most of them have no sample.

    A damaged label would otherwise add output units that no sample ever rewards.
    """
    n_classes = int(labels.max()) + 1
    n_present = np.unique(labels).size
    if 2 * n_present < n_classes:
        raise InputError(
            f"{path}: label {n_classes - 1} of sample {labels.argmax()} is out of range, only "
            f"{n_present} classes have samples: number the classes from 0, or {REPLACE}"
        )
    return n_classes


def _find(folder: Path) -> dict[str, Path]:
    """The file of each array in a folder, decompressed if there are both forms."""
    try:
        return {
            field: folder / name
            for field, file in FILES.items()
            for name in (f"{file}.gz", file)
            if (folder / name).is_file()
        }
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): check it") from error


def _frozen(array: Bytes) -> Bytes:
    array.flags.writeable = False
    return array


def _n_dims(field: str) -> int:
    return 3 if field.endswith("images") else 1


# --- IDX files ------------------------------------------------------------------------------


def read_idx(path: Path, n_dims: int) -> Bytes:
    """Read an IDX file of unsigned bytes, gzipped or not, into a read-only array.

    Memory is the array's, whatever a damaged file announces or unpacks to.

    Raises
    ------
    InputError
        When the file is unreadable or damaged, or the array is empty, has other than `n_dims`
        dimensions or more than `MAX_BYTES` values.
    """
    try:
        with path.open("rb") as file:
            return _parse_idx(file, str(path), n_dims)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): {REPLACE}") from error


def _parse_idx(file: BinaryIO, where: str, n_dims: int) -> Bytes:
    most = file.seek(0, os.SEEK_END)
    file.seek(0)
    is_packed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if is_packed:
        most *= DEFLATE_RATIO
    stream = gzip.GzipFile(fileobj=file) if is_packed else file
    try:
        shape = _read_header(stream, where, n_dims)
        if math.prod(shape) > MAX_BYTES:
            raise InputError(f"{where}: {shape} values are more than {MAX_BYTES}: give fewer")
        if math.prod(shape) > most:
            raise InputError(
                f"{where}: damaged or cut short (its header announces {shape} values, too many "
                f"for its size): {REPLACE}"
            )
        values = _read_values(stream, where, math.prod(shape))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{where}: damaged or cut short ({error}): {REPLACE}") from error
    return _frozen(values.reshape(shape))


def _read_header(stream: BinaryIO | gzip.GzipFile, where: str, n_dims: int) -> tuple[int, ...]:
    header = stream.read(4 + 4 * n_dims)
    if header[:2] != bytes(2):
        raise InputError(f"{where}: neither an IDX file nor a gzipped one: {REPLACE}")
    if header[2:4] != bytes([UNSIGNED_BYTES, n_dims]):
        raise InputError(
            f"{where}: its magic number is 0x{header[:4].hex()}, not "
            f"0x0000{UNSIGNED_BYTES:02x}{n_dims:02x} for unsigned bytes in {n_dims} dimensions: "
            "replace it with the right file"
        )
    if len(header) < 4 + 4 * n_dims:
        raise InputError(f"{where}: ends within its header: {REPLACE}")
    shape = struct.unpack(f">{n_dims}I", header[4:])
    if 0 in shape:
        raise InputError(f"{where}: its header announces {shape} values, so none: {REPLACE}")
    return shape


def _read_values(stream: BinaryIO | gzip.GzipFile, where: str, size: int) -> Bytes:
    """Exactly `size` bytes, read in pieces into the array that is returned."""
    values = np.empty(size, np.uint8)
    filled = 0
    while chunk := stream.read(min(CHUNK, size - filled)):
        values[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    if filled < size:
        raise InputError(f"{where}: ends after {filled} of {size} values: {REPLACE}")
    if stream.read(1):  # which also makes gzip compare its checksum
        raise InputError(f"{where}: goes on after its {size} values: {REPLACE}")
    return values


def _idx_header(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTES, len(shape), *shape)


def _sha256(array: Bytes, shape: tuple[int, ...]) -> str:
    """SHA-256 of the IDX file of an array of this shape."""
    digest = hashlib.sha256(_idx_header(shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
        When one is there with other content, unless by `force`; nothing is written then.
    """
    contents = {}
    for field, file in FILES.items():
        array = getattr(dataset, field)
        if field.endswith("images"):
            array = array.reshape(-1, *dataset.image_shape)
        contents[folder / file] = _idx_header(array.shape) + array.tobytes()
    store.write_named(contents, "--into", force)


def _fetch_missing(name: str) -> list[Path]:
    folder = data_dir() / name
    there = _find(folder)
    return [_fetch_file(name, field, folder) for field in FILES if field not in there]


def _fetch_file(name: str, field: str, folder: Path) -> Path:
    """Get one file from the first mirror that gives the original."""
    file = FILES[field]
    path, refusals = folder / file, []
    for mirror in MIRRORS:
        url = f"{mirror}{file}.gz"
        try:
            array = _parse_idx(io.BytesIO(_download(url)), url, _n_dims(field))
            if (sha256 := _sha256(array, array.shape)) != CHECKSUMS[name][file]:
                raise InputError(f"{url}: not the original, its SHA-256 is {sha256}")
        except InputError as error:
            refusals.append(str(error).removesuffix(f": {REPLACE}"))
        else:
            store.write_bytes(path, _idx_header(array.shape) + array.tobytes())
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
