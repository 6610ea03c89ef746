"""Other versions of the package, in a folder each, to be measured beside this one.

The kernels of the last release, out of Git; and these kernels with a part of them left out, which
tells what the part brings.  A worker that is started in such a folder takes its package from there.
"""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import llvmlite.binding as llvm

ROOT = Path(__file__).parent.parent
RELEASE = "b6b514e"
PARTS = {  # file, what stands there once or more, and what stands there without the part
    "fused products": (
        "vectors.py",
        "_fused(builder) if c.dtype == types.float32 else _strict(builder)",
        "_strict(builder)",
    ),
    "copied tiles": ("layout.py", "LONG = 512 ", "LONG = 1 << 30 "),
    "loops of one trial": ("loops.py", "work.block == 1", "work.block == 0"),
}
AVX2 = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt")
AS_AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": ",".join(f"+{feature}" for feature in AVX2),
}


def lacks_avx2() -> str | None:
    """Why code for AVX2 cannot run here, or None."""
    host = llvm.get_host_cpu_features()
    absent = [feature for feature in AVX2 if not host.get(feature)]
    return f"this processor lacks {', '.join(absent)}" if absent else None


def release(folder: Path) -> str | None:
    """Put the last release into a folder; or say why that cannot be done."""
    command = ["git", "archive", RELEASE, "qagrel"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        return "Git is not installed"
    if done.returncode:
        return f"commit {RELEASE} is not in this clone"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    _add_benchmarks(folder)
    return None


def without(part: str, folder: Path) -> None:
    """Put this version, a part of its kernels left out, into a folder.

    Raises
    ------
    ValueError
        When the part is not where `PARTS` says.
    """
    name, text, instead = PARTS[part]
    shutil.copytree(ROOT / "qagrel", folder / "qagrel", ignore=_CACHES)
    path = folder / "qagrel" / "kernels" / name
    source = path.read_text()
    if text not in source:
        raise ValueError(f"{part}: {text!r} is not in {name}, see PARTS in {Path(__file__).name}")
    path.write_text(source.replace(text, instead))
    _add_benchmarks(folder)


_CACHES = shutil.ignore_patterns("__pycache__")


def _add_benchmarks(folder: Path) -> None:
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=_CACHES)
