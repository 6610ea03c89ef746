"""A clone has the committed bytes, however git is set up to end lines."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def git(*arguments: str, folder: Path = ROOT, given: bytes = b"") -> bytes:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, check=True).stdout


TRACKED = [name.decode() for name in git("ls-files", "-z").split(b"\0")[:-1]]


def test_git_converts_no_tracked_file() -> None:
    asked = "\0".join(TRACKED).encode()
    told = git("check-attr", "--stdin", "-z", "text", "eol", "working-tree-encoding", given=asked)
    fields = told.decode().split("\0")[:-1]
    said = dict(zip(zip(fields[::3], fields[1::3], strict=True), fields[2::3], strict=True))
    assert {name for name, _ in said} == set(TRACKED)
    assert {said[name, "text"] for name in TRACKED} == {"unset"}
    assert {value for (_, kind), value in said.items() if kind != "text"} == {"unspecified"}


def test_lines_of_committed_text_end_in_one_way() -> None:
    """Git would no longer mend a file that was committed with other line ends."""
    texts = [name for name in TRACKED if Path(name).suffix not in {".npz", ".pdf", ".png"}]
    assert [name for name in texts if b"\r" in (ROOT / name).read_bytes()] == []


@pytest.mark.parametrize(
    "settings",
    [
        ["core.autocrlf=true"],
        ["core.eol=crlf", "core.autocrlf=false"],
    ],
    ids=" ".join,
)
def test_a_clone_has_the_committed_bytes(tmp_path: Path, settings: list[str]) -> None:
    options = [word for setting in settings for word in ("-c", setting)]
    git("clone", "-q", *options, str(ROOT), str(tmp_path / "clone"))
    listed = git("ls-tree", "-r", "-z", "HEAD", folder=tmp_path / "clone").split(b"\0")[:-1]
    hashes = {name.decode(): about.split()[2] for about, name in (e.split(b"\t") for e in listed)}
    found = git(
        *("hash-object", "--no-filters", "--stdin-paths"),
        folder=tmp_path / "clone",
        given="\n".join(hashes).encode(),
    )
    assert dict(zip(hashes, found.split(), strict=True)) == hashes
    assert git("status", "--porcelain", folder=tmp_path / "clone") == b""
