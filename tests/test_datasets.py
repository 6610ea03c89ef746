"""Data sets come as they were published, or not at all."""

import contextlib
import dataclasses
import gzip
import hashlib
import http.server
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from helpers import deterministic, idx_bytes

from qagrel import datasets, idx
from qagrel.datasets import CHECKSUMS, FILES, Dataset, load_dataset
from qagrel.errors import InputError
from qagrel.folder import find
from qagrel.labels import spans

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = FILES.values()
ONE_IMAGE = idx_bytes(np.arange(6).reshape(1, 2, 3))

Folder = Callable[..., Path]


# --- digits ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_digits_are_split_evenly(digits: Dataset) -> None:
    n_train, n_test = np.bincount(digits.train_labels), np.bincount(digits.test_labels)
    assert (n_train.sum(), n_test.sum()) == (1437, 360)
    assert np.abs(n_test - (n_train + n_test) / 5).max() < 1


def test_digits_are_those_of_scikit_learn(digits: Dataset) -> None:
    from sklearn.datasets import load_digits

    ours = [
        np.column_stack([digits.train_images, digits.train_labels]),
        np.column_stack([digits.test_images, digits.test_labels]),
    ]
    theirs = np.column_stack(load_digits(return_X_y=True))
    assert sorted(np.concatenate(ours).tolist()) == sorted(theirs.tolist())


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**CHECKSUMS["digits"], LABELS: "0" * 64}
    monkeypatch.setitem(CHECKSUMS, "digits", changed)
    with pytest.raises(InputError, match=f"digits: {LABELS} is not the original.*scikit-learn"):
        load_dataset("digits")


def test_digits_need_no_fetching() -> None:
    assert datasets.fetch("digits") == []


# --- a folder of IDX files ------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzipped"])
def test_a_folder_is_read(idx_folder: Folder, compress: bool) -> None:
    folder = idx_folder(n_train=30, n_test=12, image_shape=(4, 3), n_classes=3, compress=compress)
    dataset = load_dataset(folder)
    assert dataset.name == str(folder)
    assert (dataset.image_shape, dataset.grey_max, dataset.n_classes) == ((4, 3), 255, 3)
    expected = np.random.default_rng(0).integers(0, 256, (30, 12))
    np.testing.assert_array_equal(dataset.train_images, expected)
    np.testing.assert_array_equal(dataset.train_labels, np.arange(30) % 3)
    assert dataset.test_images.shape == (12, 12)
    np.testing.assert_array_equal(dataset.test_labels, np.arange(12) % 3)


def test_the_decompressed_form_comes_first(idx_folder: Folder) -> None:
    folder = idx_folder()
    copy = folder / f"{IMAGES}.gz"
    copy.write_bytes(gzip.compress((folder / IMAGES).read_bytes()))
    assert find(folder)["train_images"] == [folder / IMAGES, copy]
    assert len(load_dataset(folder).train_images) == 30


@pytest.mark.parametrize("source", ["digits", "folder"])
def test_arrays_cannot_be_changed(idx_folder: Folder, source: str) -> None:
    dataset = load_dataset(source if source == "digits" else idx_folder())
    assert not any(getattr(dataset, field).flags.writeable for field in FILES)


def test_checksums_are_those_of_the_decompressed_files(idx_folder: Folder) -> None:
    folder = idx_folder(compress=True)
    expected = {
        file: hashlib.sha256(gzip.decompress((folder / f"{file}.gz").read_bytes())).hexdigest()
        for file in FILES.values()
    }
    assert datasets.verify(folder) == expected


def test_the_sha256_depends_on_all_that_training_sees(digits: Dataset) -> None:
    def changed(field: str) -> Dataset:
        array = getattr(digits, field).copy()
        array.flat[-1] ^= 1
        return dataclasses.replace(digits, **{field: array})

    others = [changed(field) for field in FILES]
    others.append(dataclasses.replace(digits, grey_max=15))
    others.append(dataclasses.replace(digits, n_classes=11, classes=()))
    others.append(dataclasses.replace(digits, image_shape=(4, 16)))
    assert len({dataset.sha256 for dataset in [digits, *others]}) == 8
    assert dataclasses.replace(digits, name="other").sha256 == digits.sha256


def test_a_description_counts_samples(idx_folder: Folder) -> None:
    described = datasets.describe(load_dataset(idx_folder(n_train=7, n_test=4)))
    assert described["train"] == {"samples": 7, "per_class": [3, 2, 2]}
    assert described["test"] == {"samples": 4, "per_class": [2, 1, 1]}
    assert described["image_shape"] == [4, 3]
    assert list(described["checksums"]) == list(FILES.values())


# --- damage ---------------------------------------------------------------------------------


def labels(*values: int) -> bytes:
    return idx_bytes(np.array(values))


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "empty": (IMAGES, lambda _: b"", "neither an IDX file"),
    "text": (IMAGES, lambda _: b"<html>404</html>", "neither an IDX file"),
    "wrong magic": (IMAGES, lambda d: b"\0\1" + d[2:], "neither an IDX file"),
    "floats": (IMAGES, lambda d: d[:2] + b"\x0d" + d[3:], "magic number is 0x00000d03"),
    "labels for images": (IMAGES, lambda _: labels(*range(3)), "magic number is 0x00000801"),
    "images for labels": (LABELS, lambda _: ONE_IMAGE, "magic number is 0x00000803"),
    "cut in the magic": (IMAGES, lambda d: d[:3], "magic number is 0x000008,"),
    "cut in the header": (IMAGES, lambda d: d[:15], "ends within its header"),
    "one byte short": (IMAGES, lambda d: d[:-1], "ends after 359 of 360"),
    "half": (IMAGES, lambda d: d[: len(d) // 2], "cut short|ends after"),
    "one byte long": (IMAGES, lambda d: d + b"\0", "goes on after its 360"),
    "no images": (IMAGES, lambda d: d[:4] + bytes(4) + d[8:], "so none"),
    "no pixels": (IMAGES, lambda d: d[:12] + bytes(4), "so none"),
    "huge": (IMAGES, lambda d: d[:4] + b"\xff" * 12 + d[16:], "are more than 1073741824"),
    "large": (IMAGES, lambda d: d[:4] + b"\0\1\0\0" + d[8:], "too many for its size"),
    "fewer labels": (LABELS, lambda _: labels(0, 1, 2), "but 3 labels"),
    "more labels": (LABELS, lambda _: labels(*[0, 1, 2] * 11), "but 33 labels"),
    "fewer test labels": (TEST_LABELS, lambda _: labels(0, 1, 2), "but 3 labels"),
    "label out of range": (LABELS, lambda d: d[:-1] + b"\x09", "label 9 of sample 29"),
    "test label out of range": (
        TEST_LABELS,
        lambda d: d[:-1] + b"\x03",
        "label 3, in 1 of 12 samples, first in sample 11",
    ),
    "another shape": (
        TEST_IMAGES,
        lambda _: idx_bytes(np.zeros((12, 3, 4))),
        r"shape \(3, 4\), but the training images \(4, 3\)",
    ),
}
GZIP_DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut in its header": (lambda d: d[:5], "cut short"),
    "cut in the data": (lambda d: d[: len(d) // 2], "cut short"),
    "cut in the checksum": (lambda d: d[:-6], "cut short"),
    "wrong checksum": (lambda d: d[:-8] + bytes(4) + d[-4:], "CRC"),
    "damaged data": (lambda d: d[:100] + bytes(100) + d[200:], "damaged"),
    "more behind": (lambda d: d + b"more", "Not a gzipped file"),
    "another method": (lambda d: d[:2] + b"\x07" + d[3:], "compression method"),
    "gzip in gzip": (lambda d: gzip.compress(d), "neither an IDX file"),
}


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused(idx_folder: Folder, damage: str, compress: bool) -> None:
    file, spoil, complaint = DAMAGE[damage]
    path = idx_folder(compress=compress) / (file + ".gz" * compress)
    if compress:
        path.write_bytes(gzip.compress(spoil(gzip.decompress(path.read_bytes()))))
    else:
        path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=complaint) as caught:
        load_dataset(path.parent)
    assert file in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", GZIP_DAMAGE)
def test_damaged_gzip_is_refused(idx_folder: Folder, damage: str) -> None:
    spoil, complaint = GZIP_DAMAGE[damage]
    path = idx_folder(compress=True) / f"{IMAGES}.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=f"{IMAGES}.*{complaint}"):
        load_dataset(path.parent)


@pytest.mark.parametrize("announced", [1, 2**26], ids=["one image", "more than unpacked"])
def test_a_gzip_bomb_costs_no_memory(tmp_path: Path, announced: int) -> None:
    path = tmp_path / "bomb"
    header = bytes([0, 0, 8, 1]) + struct.pack(">I", announced)
    path.write_bytes(gzip.compress(header + bytes(2**25), 1))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb: (goes on after its 1 values|ends after 33554432)"):
        idx.read_idx(path, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < announced + 5 * 2**20


def test_an_announced_size_beyond_what_gzip_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0x30, 0, 0, 0])))
    with pytest.raises(InputError, match="too many for its size"):
        idx.read_idx(path, 1)


DETERMINISTIC = deterministic(max_examples=300)
EDITS = st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=3)), max_size=4)
FORMS = st.sampled_from(["plain", "damaged, then gzipped", "gzipped, then damaged"])


@DETERMINISTIC
@hypothesis.given(EDITS, st.integers(0, 4), FORMS)
def test_any_bytes_are_an_array_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]], cut: int, form: str
) -> None:
    data = gzip.compress(ONE_IMAGE, mtime=0) if form.startswith("gzipped") else ONE_IMAGE
    for position, new in edits:
        data = data[:position] + new + data[position + len(new) :]
    data = data[: len(data) - cut]
    if form.endswith("gzipped"):
        data = gzip.compress(data, mtime=0)
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        array = idx.read_idx(path, 3)
        assert idx_bytes(array) == (data if form == "plain" else gzip.decompress(data))


# --- what is not there ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnst", "MNIST", "mnist/"])
def test_an_unknown_name_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(InputError, match=f"no folder '{name}': .*did you mean 'mnist'"):
        load_dataset(name)


@pytest.mark.parametrize("name", ["", "nothing/there", "nul\0", "x" * 300, __file__])
def test_what_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(
        InputError, match=r"no data set and no folder|name too long|is a file: name"
    ):
        load_dataset(name)


@pytest.mark.parametrize("file", FILES.values())
def test_a_missing_file_is_named(idx_folder: Folder, file: str) -> None:
    folder = idx_folder()
    (folder / file).unlink()
    (folder / file).mkdir()  # nor is a folder a file
    with pytest.raises(
        InputError, match=rf"tiny holds no {file} or {file}\.gz, but {file}/: copy it"
    ):
        load_dataset(folder)


def test_only_known_names_are_fetched() -> None:
    with pytest.raises(InputError, match="'fashion' cannot be fetched: give digits or mnist"):
        datasets.fetch("fashion")


def test_importing_takes_none_of_the_large_packages() -> None:
    program = (
        "import sys, qagrel.datasets\n"
        "large = {'sklearn', 'scipy', 'pooch', 'tqdm', 'pandas', 'requests'}\n"
        "sys.exit(bool(large & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- arrays made by hand --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "array", "complaint"),
    [
        ("train_images", np.zeros((1437, 64)), "train_images are float64"),
        ("train_images", np.zeros((1437, 63), np.uint8), r"shape \(1437, 63\)"),
        ("train_images", np.zeros((1437, 8, 8), np.uint8), r"shape \(1437, 8, 8\)"),
        ("test_labels", np.zeros(360, int), "test_labels are int64"),
        ("test_labels", np.zeros((360, 1), np.uint8), r"shape \(360, 1\)"),
        ("test_labels", np.zeros(359, np.uint8), "360 images in .* but 359 labels"),
        ("test_labels", np.full(360, 10, np.uint8), "label 10 of sample 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    digits: Dataset, field: str, array: np.ndarray, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        dataclasses.replace(digits, **{field: array})


def test_files_without_samples_are_refused(digits: Dataset) -> None:
    none = {"test_images": digits.test_images[:0], "test_labels": digits.test_labels[:0]}
    with pytest.raises(InputError, match="0 images"):
        dataclasses.replace(digits, **none)


def test_grey_levels_need_a_scale(digits: Dataset) -> None:
    with pytest.raises(InputError, match=r"train_images are uint8 .* give float32 or float64"):
        dataclasses.replace(digits, grey_max=None)


# --- fetching -------------------------------------------------------------------------------


class Mirrors:
    """Stands in for the network: `answers` holds the bytes, or the error, of each address."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.answers:
            raise InputError(f"{url}: ConnectionError")
        return self.answers[url]


@pytest.fixture
def mirrors(idx_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirrors:
    """Two mirrors that serve a tiny "mnist"; the data directory is empty."""
    monkeypatch.setenv("QAGREL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(datasets, "MIRRORS", ("https://one/", "https://two/"))
    folder, fake = idx_folder(), Mirrors()
    checksums = {}
    for file in FILES.values():
        data = (folder / file).read_bytes()
        checksums[file] = hashlib.sha256(data).hexdigest()
        fake.answers |= {
            f"https://{host}/{file}.gz": gzip.compress(data) for host in ("one", "two")
        }
    monkeypatch.setitem(CHECKSUMS, "mnist", checksums)
    monkeypatch.setattr(datasets, "_download", fake)
    return fake


def downloaded(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data").rglob("*") if path.is_file())


def test_mirrors_are_several_and_secure() -> None:
    assert len(set(datasets.MIRRORS)) >= 2
    assert all(mirror.startswith("https://") for mirror in datasets.MIRRORS)


def test_mnist_is_fetched_once(mirrors: Mirrors, tmp_path: Path) -> None:
    new = datasets.fetch("mnist")
    assert new == [tmp_path / "data" / "mnist" / file for file in FILES.values()]
    assert downloaded(tmp_path) == sorted(FILES.values())
    assert datasets.fetch("mnist") == []
    assert mirrors.asked == [f"https://one/{file}.gz" for file in FILES.values()]


def test_loading_fetches_what_is_missing(mirrors: Mirrors, tmp_path: Path) -> None:
    dataset = load_dataset("mnist")
    assert (dataset.name, len(dataset.train_images)) == ("mnist", 30)
    (tmp_path / "data" / "mnist" / LABELS).unlink()
    mirrors.asked.clear()
    assert load_dataset("mnist").sha256 == dataset.sha256
    assert mirrors.asked == [f"https://one/{LABELS}.gz"]


@pytest.mark.parametrize("use", [datasets.verify, lambda name: load_dataset(name, download=False)])
def test_nothing_is_fetched_unasked(mirrors: Mirrors, use: Callable[[str], object]) -> None:
    with pytest.raises(InputError, match=f"holds no {IMAGES} .*run 'qagrel data fetch mnist'"):
        use("mnist")
    assert not mirrors.asked


BAD_ANSWERS = {
    "nothing": b"",
    "a page": b"<html>sign in</html>",
    "other data": gzip.compress(idx_bytes(np.ones((30, 4, 3)))),
    "half": gzip.compress(idx_bytes(np.ones((30, 4, 3))))[:-20],
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_the_second_mirror_helps(mirrors: Mirrors, tmp_path: Path, answer: str) -> None:
    mirrors.answers[f"https://one/{IMAGES}.gz"] = BAD_ANSWERS[answer]
    assert len(datasets.fetch("mnist")) == 4
    assert f"https://two/{IMAGES}.gz" in mirrors.asked
    assert downloaded(tmp_path) == sorted(FILES.values())


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_only_the_original_is_kept(mirrors: Mirrors, tmp_path: Path, answer: str) -> None:
    for host in ("one", "two"):
        mirrors.answers[f"https://{host}/{LABELS}.gz"] = BAD_ANSWERS[answer]
    with pytest.raises(InputError, match=f"mnist: {LABELS} could not be downloaded"):
        datasets.fetch("mnist")
    assert downloaded(tmp_path) == [IMAGES]  # which came whole before


def test_without_network_one_sentence_says_so(mirrors: Mirrors, tmp_path: Path) -> None:
    mirrors.answers.clear()
    with pytest.raises(InputError) as caught:
        load_dataset("mnist")
    assert str(caught.value) == (
        f"mnist: {IMAGES} could not be downloaded (https://one/{IMAGES}.gz: ConnectionError; "
        f"https://two/{IMAGES}.gz: ConnectionError): check the network, or copy it into "
        f"{tmp_path / 'data' / 'mnist'}"
    )
    assert not downloaded(tmp_path)


def test_a_file_that_is_not_the_original_is_refused(mirrors: Mirrors, tmp_path: Path) -> None:
    datasets.fetch("mnist")
    path = tmp_path / "data" / "mnist" / IMAGES
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    for use in (datasets.fetch, datasets.verify, load_dataset):
        with pytest.raises(InputError, match=f"{IMAGES} is not the original.* remove it from"):
            use("mnist")
    assert len(mirrors.asked) == 4


def test_the_data_directory_is_data_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QAGREL_DATA_DIR", raising=False)
    assert datasets.data_dir() == Path("data")
    monkeypatch.setenv("QAGREL_DATA_DIR", "elsewhere")
    assert datasets.data_dir() == Path("elsewhere")


class Handler(http.server.BaseHTTPRequestHandler):
    """A mirror on this machine."""

    def do_GET(self) -> None:
        status, length, body = {
            "/whole": (200, 6, b"answer"),
            "/cut": (200, 100, b"answer"),
            "/large": (200, 3000, bytes(3000)),
            "/moved": (302, 4, b"gone"),
        }.get(self.path, (0, 0, b""))
        self.send_response(status or int(self.path[1:]))
        self.send_header("Content-Length", str(length))
        self.send_header("Location", "/whole")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "MAX_DOWNLOAD", 2000)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=[0.01]).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_a_download_is_what_the_mirror_sends(server: str) -> None:
    assert datasets._download(f"{server}/whole") == b"answer"


def test_a_redirect_is_not_followed(server: str) -> None:
    assert datasets._download(f"{server}/moved") == b"gone"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("404", "HTTP 404 Not Found, it is not there any more"),
        ("410", "HTTP 410 Gone, it is not there any more"),
        ("401", "HTTP 401 Unauthorized, it is not given to this machine"),
        ("403", "HTTP 403 Forbidden, it is not given to this machine"),
        ("429", "HTTP 429 Too Many Requests, try again later"),
        ("500", "HTTP 500 Internal Server Error, try again later"),
        ("503", "HTTP 503 Service Unavailable, try again later"),
        ("599", "HTTP 599, try again later"),
        ("cut", "ChunkedEncodingError"),
        ("large", "more than 2000 bytes"),
    ],
)
def test_a_failed_download_is_refused(server: str, page: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"/{page}: .*{reason}$"):
        datasets._download(f"{server}/{page}")


def test_a_proxy_that_refuses_is_told(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", server)
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(InputError, match=r"/file: ProxyError, HTTP 501 .* from the proxy$"):
        datasets._download("https://example.invalid/file")


def test_an_absent_server_is_told() -> None:
    with pytest.raises(InputError, match=r"/file: ConnectionError$"):
        datasets._download("http://127.0.0.1:1/file")


# --- the real one ---------------------------------------------------------------------------


@pytest.fixture
def real_mnist(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    shared = Path(__file__).parents[2] / "shared"
    if not (datasets.data_dir() / "mnist").is_dir() and (shared / "mnist").is_dir():
        monkeypatch.setenv("QAGREL_DATA_DIR", str(shared))
    if len(find(datasets.data_dir() / "mnist")) < len(FILES):
        pytest.skip("the four MNIST files are in neither the data directory nor ../shared")
    return load_dataset("mnist", download=False)


@pytest.mark.mnist
def test_mnist_is_whole(real_mnist: Dataset) -> None:
    assert real_mnist.train_images.shape == (60_000, 784)
    assert real_mnist.test_images.shape == (10_000, 784)
    assert real_mnist.n_classes == 10
    assert real_mnist.image_shape == (28, 28)
    assert np.bincount(real_mnist.test_labels)[[0, 1]].tolist() == [980, 1135]


# --- the scale ------------------------------------------------------------------------------

LARGEST = "is taken for an activity of 1: set --grey-max, or grey_max, if it stands for another"
Err = pytest.CaptureFixture[str]


@pytest.fixture
def written(tmp_path: Path) -> Folder:
    """Return a function that writes a data set, changed in some arrays, and gives its folder."""

    def write(dataset: Dataset, **changes: object) -> Path:
        datasets.export(dataclasses.replace(dataset, **changes), tmp_path / "written")
        return tmp_path / "written"

    return write


def test_known_data_in_a_folder_have_their_scale(
    digits: Dataset, written: Folder, capsys: Err
) -> None:
    found = load_dataset(written(digits))
    assert (found.grey_max, found.sha256) == (16, digits.sha256)
    assert datasets.scale_origin(found) == datasets.scale_origin(digits) == "known data"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("largest", [1, 100, 254, 255])
def test_the_scale_is_that_of_the_data_which_is_said_where_it_is_doubtful(
    patches: Dataset, written: Folder, capsys: Err, largest: int
) -> None:
    share = patches.train_images / patches.train_images.max()
    images = np.ceil(share * largest).astype(np.uint8)
    found = load_dataset(folder := written(patches, train_images=images, test_images=images[:15]))
    assert found.grey_max == largest
    assert datasets.describe(found)["grey_max_from"] == "largest of the training images"
    said = (
        f"qagrel: {folder}: the largest grey level of its training images, {largest}, {LARGEST}\n"
    )
    assert capsys.readouterr().err == ("" if largest == 255 else said)


def test_a_scale_that_is_set_is_not_doubted(patches: Dataset, written: Folder, capsys: Err) -> None:
    found = load_dataset(written(patches), grey_max=250)
    assert (found.grey_max, datasets.scale_origin(found)) == (250, "set")
    assert found.sha256 == patches.scaled(250).sha256
    assert capsys.readouterr().err == ""


def test_test_images_beyond_the_scale_are_told(
    patches: Dataset, written: Folder, capsys: Err
) -> None:
    brighter = patches.test_images.copy()
    brighter[0, 0] = 255
    folder = written(patches, test_images=brighter)
    level = load_dataset(folder).grey_max
    _, beyond = capsys.readouterr().err.splitlines()
    assert level == patches.train_images.max() < 255
    assert f"its test images go up to grey level 255, beyond the {level} that stands" in beyond


def test_a_scale_of_other_than_a_grey_level_is_refused() -> None:
    with pytest.raises(InputError, match=r"\Agrey_max: 0 is not possible"):
        load_dataset("digits", grey_max=0)


@pytest.mark.parametrize("part", ["train", "test"])
def test_black_images_are_refused(idx_folder: Folder, part: str) -> None:
    file = FILES[f"{part}_images"]
    path = idx_folder() / file
    path.write_bytes(path.read_bytes()[:16] + bytes(len(path.read_bytes()) - 16))
    with pytest.raises(InputError, match=f"the images in {file} are all black"):
        load_dataset(path.parent)


IMPOSSIBLE = {
    "name": ["", None, 1],
    "grey_max": [0, -1, 256, 300, float("nan"), 16.0, True, np.True_, "16"],
    "classes": [
        None,
        10,
        tuple(range(9)),
        (*range(9), 8),
        tuple(range(9, -1, -1)),
        (*range(9), "9"),
        (*range(9), 9.5),
    ],
    "n_classes": [1, 0, -1, 257, 10.0, True, None],
    "image_shape": [None, 8, (), (8.0, 8), (0, 64), (-8, -8), (True, 64), "88"],
    "train_images": [None, [[0]], np.zeros(5, np.uint8), np.uint8(1)],
    "test_labels": [None, [0], np.uint8(1)],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in IMPOSSIBLE for value in IMPOSSIBLE[field]]
)
def test_impossible_fields_are_refused_by_name(digits: Dataset, field: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"\A(digits: )?{field}(: | are )[^\n]+\Z"):
        dataclasses.replace(digits, **{field: value})


def test_numbers_of_numpy_are_numbers(digits: Dataset) -> None:
    numbers = {
        "grey_max": np.int64(16),
        "n_classes": np.uint8(10),
        "image_shape": [np.int32(8)] * 2,
    }
    found = dataclasses.replace(digits, **numbers)
    assert datasets.describe(found) == datasets.describe(digits)


# --- labels ---------------------------------------------------------------------------------


def with_labels(folder: Path, train: list[int], test: list[int]) -> Path:
    (folder / LABELS).write_bytes(labels(*train))
    (folder / TEST_LABELS).write_bytes(labels(*test))
    return folder


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ((1, 2, 3), "1 to 3"),
        ((0, 3, 8), "0, 3, 8"),
        ((3, 8), "3, 8"),
        ((0, 1, 2, 9), "0 to 2, 9"),
        ((0, 127, 128, 255), "0, 127 to 128, 255"),
    ],
)
def test_classes_are_the_labels_that_occur_in_training(
    idx_folder: Folder, capsys: Err, classes: tuple[int, ...], text: str
) -> None:
    k = len(classes)
    given = [[classes[i % k] for i in range(n)] for n in (30, 12)]
    folder = with_labels(idx_folder(), *given)
    found = load_dataset(folder, grey_max=255)
    assert (found.classes, found.n_classes) == (classes, k)
    assert found.train_labels.tolist() == [i % k for i in range(30)]
    assert found.labels_of(found.test_labels).tolist() == given[1]
    assert datasets.describe(found)["classes"] == list(classes)
    said = f"its labels are {text}: the classes 0 to {k - 1} stand for them in this order"
    assert capsys.readouterr().err == f"qagrel: {folder}: {said}\n"


def test_labels_in_another_order_are_counted_all_the_same(idx_folder: Folder, capsys: Err) -> None:
    folder = with_labels(idx_folder(), [2, 1, 0] * 10, [2, 2, 2] * 4)
    found = load_dataset(folder, grey_max=255)
    assert (found.classes, found.test_labels.tolist()) == ((0, 1, 2), [2] * 12)
    assert datasets.describe(found)["classes"] == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_checksums_and_copies_are_of_the_labels_as_they_came(
    idx_folder: Folder, tmp_path: Path
) -> None:
    folder = with_labels(idx_folder(), [5, 7, 9] * 10, [9, 7, 5] * 4)
    found = load_dataset(folder)
    datasets.export(found, tmp_path / "copy")
    for file in FILES.values():
        whole = (folder / file).read_bytes()
        assert (tmp_path / "copy" / file).read_bytes() == whole
        assert found.checksums[file] == hashlib.sha256(whole).hexdigest()


BAD_LABELS: dict[str, tuple[list[int], list[int], str]] = {
    "ignore in training": (
        [255, 0, 1] * 10,
        [0, 1] * 6,
        f"{LABELS}: label 255, in 10 of 30 samples, first in sample 0, reads as 'ignore': drop",
    ),
    "ignore among labels from 1": ([1, 2, 255] * 10, [1, 2] * 6, "reads as 'ignore'"),
    "a mask": ([0, 255] * 15, [0, 255] * 6, "reads as 'ignore': drop .* or give them another"),
    "nothing but ignore": ([255] * 30, [255] * 12, "label 255, in 30 of 30 samples"),
    "ignore in the test": (
        [0, 1, 2] * 10,
        [0, 1, 255] * 4,
        f"{TEST_LABELS}: label 255, in 4 of 12 samples, first in sample 2, is not in training",
    ),
    "one class": ([3] * 30, [3] * 12, f"{LABELS}: all 30 labels are 3: give samples of two"),
    "classes of the test only": (
        [0, 1, 4] * 10,
        [0, 2, 4, 3] * 3,
        f"{TEST_LABELS}: label 2 to 3, in 6 of 12 samples, first in sample 1, is not in training, "
        "where the labels are 0 to 1, 4: drop",
    ),
    "a damaged label": (
        [0, 1, 2] * 9 + [0, 1, 77],
        [0, 1, 2] * 4,
        f"{LABELS}: label 77 of sample 29 occurs only once, the labels are 0 to 2, 77: drop",
    ),
}


@pytest.mark.parametrize("fault", BAD_LABELS)
def test_labels_that_cannot_be_meant_are_refused_by_number(idx_folder: Folder, fault: str) -> None:
    train, test, complaint = BAD_LABELS[fault]
    with pytest.raises(InputError, match=complaint) as caught:
        load_dataset(with_labels(idx_folder(), train, test))
    assert "\n" not in str(caught.value)


def test_few_samples_a_class_are_no_damage(idx_folder: Folder) -> None:
    folder = with_labels(idx_folder(), list(range(10, 40)), list(range(10, 22)))
    assert load_dataset(folder).classes == tuple(range(10, 40))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([4], "4"), ([0, 1], "0 to 1"), ([0, 2, 3, 4, 9], "0, 2 to 4, 9")],
)
def test_numbers_in_words(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


def test_many_numbers_in_words_are_cut_short() -> None:
    assert spans(range(0, 40, 2)) == "0, 2, 4, 6, 8, 10, 12, 14 and 12 more"
