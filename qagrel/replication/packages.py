"""The packages that the replication needs beyond the engine's: the extra `replication`."""

import re
from importlib import metadata

from qagrel.errors import InputError

EXTRA = "replication"


def check_packages() -> None:
    """Refuse to go on where a package of the extra is missing.

    Raises
    ------
    InputError
        With the names of the missing ones.
    """
    if missing := [name for name in packages() if not _is_installed(name)]:
        raise InputError(
            f"the replication needs {', '.join(missing)}, which the engine does without: call "
            f"'make setup' in a clone of the project, or pip install 'qagrel[{EXTRA}]'"
        )


def packages() -> list[str]:
    """The names of the extra's packages, as the installed project states them."""
    lines = metadata.requires("qagrel") or []
    ours = [line for line in lines if re.search(rf"extra\s*==\s*['\"]{EXTRA}['\"]", line)]
    return [match[0] for line in ours if (match := re.match(r"[\w.-]+", line))]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
