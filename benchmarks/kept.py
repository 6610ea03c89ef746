"""Finished measurements, kept so that an interrupted benchmark goes on where it was."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from qagrel import store


class Kept:
    """Measurements taken under the same conditions, each in a file of its own.

    Attributes
    ----------
    folder : where they are, with what else belongs to them.
    minutes : what those that were asked for took, whether now or earlier.
    """

    def __init__(self, kind: str, conditions: Any) -> None:
        stamp = hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()[:16]
        home = store.place("QAGREL_STATE_DIR", ".qagrel") / "bench"
        self.folder = (home / f"{kind}-{stamp}").resolve()
        self.minutes = 0.0
        for other in home.glob(f"{kind}-*"):  # of other sources, or from another machine
            if other.resolve() != self.folder:
                shutil.rmtree(other)

    def path(self, name: str, suffix: str) -> Path:
        """The file of a measurement, or of what it made."""
        return self.folder / (re.sub(r"[^\w.]+", "-", name) + suffix)

    def __call__(self, name: str, measure: Callable[[], Any]) -> Any:
        """What was measured under a name; it is measured now if it has not been."""
        path = self.path(name, ".json")
        if not path.exists():
            begin = perf_counter()
            answer = measure()
            store.write_json(path, {"answer": answer, "minutes": (perf_counter() - begin) / 60})
        found = store.read_json(path)
        self.minutes += found["minutes"]
        return found["answer"]

    def clear(self) -> None:
        """Forget them: the next benchmark measures anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
