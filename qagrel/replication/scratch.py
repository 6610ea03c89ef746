"""Temporary folders that go with their process, however it ends.

A process that is killed cannot clear up after itself: the next one does.  Whoever makes a folder
holds a lock in it, which ends with the process, so that a folder without a holder is a leftover.
"""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from qagrel.errors import InputError

LOCK = ".scratch.lock"
SHORT = ("/tmp", "/var/tmp", "/dev/shm")  # where the usual place will not do


@contextlib.contextmanager
def folder(for_sockets: bool = False) -> Iterator[Path]:
    """A new temporary folder, gone when the context ends; leftovers beside it go first.

    Parameters
    ----------
    for_sockets : it will hold sockets, whose paths may have about a hundred bytes: where the
        temporary folder of this machine (TMPDIR) is too deep for that, another place is taken.

    Raises
    ------
    InputError
        When there is no such place.
    """
    places = _places()
    for place in places:
        _remove_leftovers(place)
        with contextlib.suppress(OSError):
            made, lock = _make(place)
            if not for_sockets or _holds_sockets(made):
                break
            _remove(made, lock)
    else:
        raise InputError(
            f"no temporary folder can be made in {', '.join(places)}: make room there, or name "
            "another place, with a short path, in TMPDIR"
        )
    try:
        yield made
    finally:
        _remove(made, lock)


def _places() -> list[str]:
    with contextlib.suppress(FileNotFoundError):  # none is writable, not even the working folder
        return list(dict.fromkeys([tempfile.gettempdir(), *SHORT]))
    return list(SHORT)


def _make(place: str) -> tuple[Path, filelock.BaseFileLock]:
    made = Path(tempfile.mkdtemp(prefix="qagrel-", dir=place))
    lock = filelock.FileLock(made / LOCK)
    with contextlib.suppress(OSError, NotImplementedError):  # of a disk that knows no locks
        lock.acquire(timeout=1)
    return (made, lock) if made.exists() else _make(place)  # taken for a leftover before its lock


def _remove(made: Path, lock: filelock.BaseFileLock) -> None:
    lock.release()
    shutil.rmtree(made, ignore_errors=True)


def _holds_sockets(made: Path) -> bool:
    """Whether a socket can be made there: its path is short enough, and the disk of that kind."""
    path = made / "socket-0"  # as long as the names that Jupyter gives
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as trial:
        trial.bind(os.fspath(path))
        path.unlink()
        return True
    return False


def _remove_leftovers(place: str) -> None:
    for path in Path(place).glob(f"qagrel-*/{LOCK}"):
        lock = filelock.FileLock(path)
        # held by a process that lives, or another user's
        with contextlib.suppress(OSError, NotImplementedError):
            lock.acquire(timeout=0)
            _remove(path.parent, lock)
