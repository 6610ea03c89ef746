"""The machine and the software that numbers belong to."""

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    *("numpy", "scipy", "numba", "llvmlite"),
    *("torch", "jax", "jaxlib", "tensorflow", "tensorflow-cpu", "keras"),
)


def describe(root: Path) -> dict[str, Any]:
    """Processor, system, versions, and the sources by their hashes."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = dict(reversed([[part.strip() for part in line.split(":", 1)] for line in lines if line]))
    flags = cpu.get("flags", "").split()
    return {
        "cpu": cpu.get("model name", platform.machine()),
        "family": f"{cpu.get('cpu family', '?')}/{cpu.get('model', '?')}",
        "vectors": [flag for flag in ("sse4_2", "avx2", "fma", "avx512f") if flag in flags],
        "cores": os.cpu_count(),
        "cache_kib": _caches(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "kernels_sha256": _hash((root / "qagrel/kernels").glob("*.py")),
        "benchmarks_sha256": _hash((root / "benchmarks").rglob("*.py")),
    }


def _caches() -> dict[str, int]:
    """Size of each data cache of the first core, in KiB, as far as the system says."""
    sizes = {}
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (cache / "type").read_text().strip() != "Instruction":
            level = (cache / "level").read_text().strip()
            sizes[f"L{level}"] = int((cache / "size").read_text().strip().removesuffix("K"))
    return sizes


def _hash(sources: Iterable[Path]) -> str:
    """One hash of some files."""
    texts = b"".join(path.read_bytes() for path in sorted(sources))
    return hashlib.sha256(texts).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
