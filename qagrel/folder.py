"""The files of a data set, found in a folder under the names that they have in the wild.

Besides MNIST's own names: a dot for a dash (``train-images.idx3-ubyte``), upper case, ``.txt`` at
the end, ``test`` for ``t10k``, a data set's name at the front (EMNIST's ``emnist-letters-``), a
folder of that name around each (Kaggle), and folders around all (torchvision's ``MNIST/raw``).
"""

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from qagrel.errors import InputError
from qagrel.idx import FILES, Bytes, n_dims_of, read_idx

NAME = re.compile(
    r"(?:(?P<prefix>[^.].*)[-_.])?(?P<part>train|t10k|test)[-_.]"
    r"(?P<kind>images(?=[-_.]idx3)|labels(?=[-_.]idx1))[-_.]idx[13][-_.]ubyte(\.txt)?(\.gz)?"
)
DEPTH = 2  # of folders in which to look
PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".7z", ".rar")
SHOWN = 3  # names of what is there instead

Copies = dict[str, list[Path]]  # the files of each array, the decompressed first


def find(folder: Path) -> Copies:
    """The files of each array that is there; more than one where there are copies.

    Raises
    ------
    InputError
        When the folder cannot be read, or holds several data sets.
    """
    try:
        return _search(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): check it") from error


def missing(folder: Path, field: str, found: Copies) -> str:
    """What to say where the file of an array is not in a folder: what is there, and what to do."""
    file, used = FILES[field], {path for paths in found.values() for path in paths}
    others = [path for path in _entries(folder) if path not in used]
    names = [f"{path.name}/" if path.is_dir() else path.name for path in others]
    names.sort(key=lambda name: -difflib.SequenceMatcher(None, file, name).ratio())
    holds = f"{folder} holds no {file} or {file}.gz"
    if not names:
        return f"{holds}: copy it there"
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" * (len(names) > SHOWN))
    if packed := [name for name in names if name.lower().endswith(PACKED)]:
        return f"{holds}, but {shown}: unpack {packed[0]} there"
    return f"{holds}, but {shown}: copy it there, rename what it is, or write IDX files of the data"


def read(paths: Sequence[Path], field: str) -> Bytes:
    """Read the array of a file and of its copies, which must agree (InputError)."""
    first, *others = (read_idx(path, n_dims_of(field)) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if first.shape != other.shape or (first != other).any():
            raise InputError(f"{paths[0]} and {path} differ: remove one of them")
    return first


def _search(folder: Path) -> Copies:
    """The data set in a folder, else the only one in the folders within it."""
    level = [folder]
    for _ in range(DEPTH + 1):
        found = {place: copies for place in level if (copies := _data_set(place))}
        if len(found) > 1:
            raise _choose(
                folder, (str(place.relative_to(folder)) for place in found), "name one of them"
            )
        if found:
            return next(iter(found.values()))
        level = [path for place in level for path in _folders(place)]
    return {}


def _data_set(folder: Path) -> Copies:
    """The files in a folder whose names differ in nothing but what they may."""
    by_prefix: dict[str, Copies] = {}
    for path in _entries(folder):
        if match := NAME.fullmatch(path.name.lower()):
            part = {"train": "train"}.get(match["part"], "test")
            copies = by_prefix.setdefault(match["prefix"] or "", {})
            copies.setdefault(f"{part}_{match['kind']}", []).extend(_files(path, match))
    by_prefix = {prefix: copies for prefix, copies in by_prefix.items() if any(copies.values())}
    if len(by_prefix) > 1 and "" not in by_prefix:
        raise _choose(folder, by_prefix, "put the four files of one into a folder of its own")
    copies = by_prefix.get("") or next(iter(by_prefix.values()), {})
    return {field: sorted(paths, key=_is_packed) for field, paths in copies.items() if paths}


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _files(path: Path, match: re.Match[str]) -> list[Path]:
    """The file itself, or those of the same array in a folder of that name."""
    if not path.is_dir():
        return [path]
    within = ((file, NAME.fullmatch(file.name.lower())) for file in _entries(path))
    same = match.group("part", "kind")
    return [f for f, m in within if m and m.group("part", "kind") == same and not f.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, hidden files excepted; nothing if it is not there."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, but those that cannot be read: nobody named them."""
    return [
        path for path in _entries(folder) if path.is_dir() and os.access(path, os.R_OK | os.X_OK)
    ]


def _choose(folder: Path, names: Iterable[str], how: str) -> InputError:
    return InputError(f"{folder} holds several data sets ({', '.join(sorted(names))}): {how}")
