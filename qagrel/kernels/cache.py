"""Compiled kernels, kept on disk from one process to the next.

Numba's own cache looks at the one source file in which a kernel stands, and trusts what it finds.
Here a file's name has a hash of all that its content depends on, every source of this folder
included, and the file begins with a hash of the rest: what is there and whole is right.  Where
nothing is, or nothing can be kept, kernels are compiled; what is amiss is said once, on stderr.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import serialize
from numba.core.compiler import CompileResult

from qagrel import store
from qagrel.errors import InputError, say_once

SOURCES = Path(__file__).parent
VERSIONS = sys.version, numba.__version__, llvmlite.__version__, np.__version__


def digest(*parts: object) -> str:
    """A short name for what has these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


STAMP = digest(*((path.name, path.read_bytes()) for path in sorted(SOURCES.glob("*.py"))))


SLOW = (
    "this processor has no fused multiply-add (those from before 2013, and virtual machines that "
    "hide it, have none), so training takes some forty times as long: the results are the same"
)


def lacks_fused(triple: str, _cpu: str, features: str) -> bool:
    """Whether code for a processor of Intel's kind does without its fused multiply-add."""
    return triple.startswith(("x86_64", "i686")) and not {"+fma", "+fma4"} & {*features.split(",")}


class Cache:
    """Keeps a function's compiled code; the methods are what a dispatcher of Numba calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function.__name__

    @property
    def cache_path(self) -> str:
        """The folder that is tried first, or nothing."""
        return str(next(folders(), ""))

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The code for these types of arguments and this processor, or None."""
        target.refresh()
        for folder in folders():
            content = read_whole(folder / self._name(signature, target))
            if content is not None:
                return CompileResult._rebuild(target, *pickle.loads(content))
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep code in the first folder that takes it; code of other sources there goes."""
        if lacks_fused(*compiled.target_context.codegen().magic_tuple()):
            say_once(SLOW)
        name = self._name(signature, compiled.target_context)
        content = serialize.dumps(compiled._reduce())
        reason = "there is no folder for it"
        for folder in folders():
            try:
                store.write_bytes(folder / name, hashlib.sha256(content).digest() + content)
            except InputError as error:
                reason = (
                    f"{folder}: {getattr(error.__cause__, 'strerror', 'a folder has its name')}"
                )
            else:
                return delete_others(folder)
        return say_once(
            f"compiled code cannot be kept ({reason}), so every start compiles it anew: "
            "name a folder for it in NUMBA_CACHE_DIR"
        )

    def _name(self, signature: Any, target: Any) -> str:
        key = digest(VERSIONS, target.codegen().magic_tuple(), str(signature))
        return f"qagrel-{STAMP}-{self.function}-{key}"


def folders() -> Iterator[Path]:
    """Where compiled code may be, the best place first: another clone has other places."""
    clone = f"qagrel-{digest(str(SOURCES))}"
    if numba.config.CACHE_DIR:
        yield Path(numba.config.CACHE_DIR) / clone
        return
    yield SOURCES / "__pycache__"
    with suppress(RuntimeError):  # nobody's home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        if Path(home).is_absolute():
            yield Path(home) / clone


def read_whole(path: Path) -> bytes | None:
    """What was written to a file, if it is there and undamaged."""
    try:
        data = store.read_bytes(path)
    except InputError:
        return None
    start = hashlib.sha256().digest_size
    if hashlib.sha256(data[start:]).digest() == data[:start]:
        return data[start:]
    return say_once(f"compiled code in {path.parent} is damaged: it is compiled anew")


def delete_others(folder: Path) -> None:
    """Delete code that was compiled from other sources, half-written files too."""
    for path in folder.glob("*qagrel-*"):
        if STAMP not in path.name:
            with suppress(OSError):
                path.unlink()
