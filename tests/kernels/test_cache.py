"""The cache of compiled kernels: never an old answer, a traceback or a false message."""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
from problems import compiled_only

from qagrel import errors
from qagrel.kernels import cache

PACKAGE = cache.SOURCES.parent
pytestmark = compiled_only

ANGLE = """
import json
import numpy as np
from qagrel import kernels
weights, feedback = np.array([0, 1.0, 0]), np.array([0, 1.0, 1])
shape = np.array([1, 1, 2]), np.array([1, 1, 2]), np.array([0, 0, 1])
degrees = np.zeros(3)
kernels.feedback_angles(kernels.Network(*shape, weights, feedback, False), degrees)
hits = sum(kernels.feedback_angles.stats.cache_hits.values())
print(json.dumps([round(degrees[2], 9), hits]))
"""


class Clone:
    """A copy of the package, run by new interpreters: the angle between (1, 0) and (1, 1)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("__pycache__")
        self.package = Path(shutil.copytree(PACKAGE, folder / "qagrel", ignore=ignored))
        self.environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}

    def run(self, **options: Any) -> tuple[float, int, list[str]]:
        """The angle, how often compiled code was found, and the lines on stderr."""
        done = subprocess.run(
            [sys.executable, "-c", ANGLE],
            cwd=self.folder,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            **options,
        )
        angle, hits = json.loads(done.stdout)
        return angle, hits, done.stderr.splitlines()

    @property
    def compiled(self) -> list[Path]:
        """The files of the cache, wherever they are in the folder."""
        return sorted(self.folder.rglob("qagrel-*-feedback_angles-*"))

    def places(self, *, tree: bool, home: str | None) -> None:
        """Leave no place for compiled code but the tree, if it can be written, and a home."""
        del self.environment["NUMBA_CACHE_DIR"]
        self.environment.pop("XDG_CACHE_HOME", None)
        self.environment.pop("HOME", None)
        if home is not None:
            self.environment["HOME"] = home
        if not tree:  # nobody, root neither, makes a folder where there is a file
            (self.package / "kernels" / "__pycache__").touch()
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone whose compiled code goes to a folder of its own."""
    return Clone(tmp_path)


def test_compiled_code_is_found_again(clone: Clone) -> None:
    assert clone.run() == (45, 0, [])
    assert clone.run() == (45, 1, [])


EDITS = {  # in each file something that changes what the angle comes to, or nothing at all
    "elementary.py": ("angle = 8.0 * x", "angle = 4.0 * x", 22.5),
    "alignment.py": ("* 57.29577951308232", "* 1.0", 0.785398163),
}


@pytest.mark.parametrize("name", sorted(path.name for path in cache.SOURCES.glob("*.py")))
def test_an_edit_of_any_file_is_seen(clone: Clone, name: str) -> None:
    """One call or two below the cached kernel, or beside it."""
    old, new, angle = EDITS.get(name, ("\n", "\n\n", 45))
    assert clone.run() == (45, 0, [])
    source = clone.package / "kernels" / name
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new, -1 if old.strip() else 1))
    assert clone.run() == (angle, 0, [])
    assert len(clone.compiled) == 1  # code of the old source is gone


def test_a_new_file_is_seen(clone: Clone) -> None:
    clone.run()
    (clone.package / "kernels" / "new.py").touch()
    assert clone.run()[:2] == (45, 0)


def test_two_clones_keep_their_code_apart(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Clone(tmp_path / "other")
    other.environment = clone.environment
    source = other.package / "kernels" / "elementary.py"
    source.write_text(source.read_text().replace(*EDITS["elementary.py"][:2]))
    assert [clone.run()[:2], other.run()[:2]] == [(45, 0), (22.5, 0)]
    assert [clone.run()[:2], other.run()[:2]] == [(45, 1), (22.5, 1)]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: data[:0],
    "short": lambda data: data[:20],
    "truncated": lambda data: data[:-1],
    "random": lambda data: bytes(range(256)) * (len(data) // 256),
    "flipped": lambda data: data[:-900] + bytes([data[-900] ^ 1]) + data[-899:],
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_code_is_compiled_anew(clone: Clone, damage: Callable[[bytes], bytes]) -> None:
    clone.run()
    (path,) = clone.compiled
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    sentence = f"qagrel: compiled code in {path.parent} is damaged: it is compiled anew"
    assert clone.run() == (45, 0, [sentence])
    assert clone.run() == (45, 1, [])


def test_a_damaged_cache_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    errors.say_once.cache_clear()
    for name in ("a", "b"):
        (tmp_path / name).touch()
        assert cache.read_whole(tmp_path / name) is None
    assert capsys.readouterr().err.count("\n") == 1


def test_code_of_another_version_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is another."""
    target = numba.core.registry.cpu_target.target_context
    name = cache.Cache(len)._name("signature", target)
    for i in range(len(cache.VERSIONS)):
        versions = (*cache.VERSIONS[:i], "other", *cache.VERSIONS[i + 1 :])
        monkeypatch.setattr(cache, "VERSIONS", versions)
        assert cache.Cache(len)._name("signature", target) != name
        monkeypatch.undo()
    assert cache.Cache(len)._name("signature", target) == name


@pytest.mark.parametrize("home", [None, "/dev/null", "relative"], ids=str)
def test_without_a_place_for_it_code_is_compiled_each_time(clone: Clone, home: str | None) -> None:
    """No HOME at all means the one that the system knows of the user, who may be nobody."""
    clone.places(tree=False, home=home)
    if home is None:
        clone.environment["XDG_CACHE_HOME"] = "/dev/null"
    before = sorted(clone.folder.rglob("*"))
    for _ in range(2):
        angle, hits, (sentence,) = clone.run()
        assert (angle, hits) == (45, 0)
        assert sentence.startswith("qagrel: compiled code cannot be kept (")
        assert sentence.endswith("anew: name a folder for it in NUMBA_CACHE_DIR")
    assert sorted(clone.folder.rglob("*")) == before


def test_a_home_takes_what_the_tree_does_not(clone: Clone) -> None:
    clone.places(tree=False, home=str(clone.folder / "home"))
    assert [clone.run(), clone.run()] == [(45, 0, []), (45, 1, [])]
    (path,) = clone.compiled
    assert path.parents[1] == clone.folder / "home" / ".cache"


def test_the_tree_comes_first(clone: Clone) -> None:
    clone.places(tree=True, home=str(clone.folder / "home"))
    assert [clone.run(), clone.run()] == [(45, 0, []), (45, 1, [])]
    assert not (clone.folder / "home").exists()


@pytest.fixture
def protected(clone: Clone) -> Iterator[Path]:
    """A folder for compiled code in which nothing can be written."""
    folder = clone.folder / "cache"
    folder.mkdir()
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_protected_folder_is_told(clone: Clone, protected: Path) -> None:
    angle, hits, (sentence,) = clone.run()
    assert (angle, hits) == (45, 0)
    assert str(protected) in sentence


def test_on_a_full_disk_code_is_compiled_each_time(clone: Clone) -> None:
    """As far as it can be tried: no file may grow beyond a thousand bytes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    for _ in range(2):
        angle, hits, (sentence,) = clone.run(preexec_fn=limit)
        assert (angle, hits) == (45, 0)
        assert "compiled code cannot be kept (" in sentence
        assert "File too large" in sentence
    assert list((clone.folder / "cache").rglob("*qagrel-*-*")) == []  # no half of a file


def test_a_folder_in_a_files_place_is_told(clone: Clone) -> None:
    clone.run()
    (path,) = clone.compiled
    path.unlink()
    path.mkdir()
    angle, hits, (sentence,) = clone.run()
    assert (angle, hits) == (45, 0)
    assert "a folder has its name" in sentence


def test_a_processor_without_fused_operations_is_told(clone: Clone) -> None:
    """Once, as code is compiled: the same numbers come, more slowly."""
    clone.environment |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    is_concerned = platform.machine() in ("x86_64", "AMD64", "i686")
    assert clone.run() == (45, 0, [f"qagrel: {cache.SLOW}"] * is_concerned)
    assert clone.run() == (45, 1, [])
    clone.environment["NUMBA_CPU_FEATURES"] = "+fma" if is_concerned else ""
    assert clone.run() == (45, 0, [])
