"""Fixtures that several test modules share."""

import gzip
import signal
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import pytest
from helpers import Ended, dataset_from, idx_bytes

from qagrel import Dataset, cli, sweep

# A shell starts what runs in the background with interruptions ignored, by all it starts in turn:
# the tests that interrupt a process would wait for ever.  Likewise where a hangup is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def compiled() -> None:
    """All kernels are in the cache, so that no command says that it compiles them."""
    sweep.fingerprint()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[..., Ended]:
    """Return a function that runs a command in this process."""

    if not numba.config.DISABLE_JIT:
        request.getfixturevalue("compiled")

    def call(*args: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(arg) for arg in args], prog_name="qagrel")
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def idx_folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a small data set in IDX form and gives its folder."""

    def make(
        n_train: int = 30,
        n_test: int = 12,
        image_shape: tuple[int, int] = (4, 3),
        n_classes: int = 3,
        compress: bool = False,
    ) -> Path:
        folder = tmp_path / "tiny"
        folder.mkdir()
        generator = np.random.default_rng(0)
        for part, n in [("train", n_train), ("t10k", n_test)]:
            images = generator.integers(0, 256, (n, *image_shape))
            for name, array in [
                (f"{part}-images-idx3-ubyte", images),
                (f"{part}-labels-idx1-ubyte", np.arange(n) % n_classes),
            ]:
                data = idx_bytes(array)
                path = folder / (name + ".gz" * compress)
                path.write_bytes(gzip.compress(data, mtime=0) if compress else data)
        return folder

    return make


@pytest.fixture(scope="session")
def patches() -> Dataset:
    """Return a small data set that can be learnt: a third of the image is bright, by class."""
    generator = np.random.default_rng(0)
    labels = (np.arange(63) % 3).astype(np.uint8)
    bright = np.arange(12) // 4 == labels[:, None]
    images = generator.integers(0, 90, bright.shape) + 120 * bright
    images *= generator.random(bright.shape) < 0.8
    return dataset_from("patches", images.astype(np.uint8), labels, 15, (3, 4))


@pytest.fixture(scope="session")
def squares() -> Dataset:
    """Return three classes of square images, a bright row in each, that can be distorted."""
    rng = np.random.default_rng(0)
    labels = (np.arange(63) % 3).astype(np.uint8)
    bright = np.arange(25) // 5 == 1 + labels[:, None]
    images = (rng.integers(0, 90, bright.shape) + 120 * bright) * (rng.random(bright.shape) < 0.8)
    return dataset_from("squares", images.astype(np.uint8), labels, 15, (5, 5))
