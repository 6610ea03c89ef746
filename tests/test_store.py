"""Files are written whole or not at all, and nothing damaged is read."""

import contextlib
import hashlib
import io
import json
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from helpers import deterministic

from qagrel import store
from qagrel.errors import InputError

DETERMINISTIC = deterministic(max_examples=200)


# --- writing --------------------------------------------------------------------------------


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    store.write_bytes(tmp_path / "a" / "b", b"\0new")
    assert (tmp_path / "a" / "b").read_bytes() == b"\0new"


def test_a_file_is_replaced(tmp_path: Path) -> None:
    store.write_text(tmp_path / "a", "old\n")
    store.write_text(tmp_path / "a", "new\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new\n"}


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    store.write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    store.write_text(tmp_path / "a", "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(InputError, match=r"a cannot be written \(.+\): make room"):
            store.write_bytes(tmp_path / "a", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


@pytest.mark.parametrize("target", ["file/below", "folder"])
def test_an_impossible_target_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        store.write_text(tmp_path / target, "new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_an_interrupted_write_leaves_the_target_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    store.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_text(tmp_path / "a", "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_what_a_killed_writer_leaves_can_be_removed(tmp_path: Path) -> None:
    store.write_text(tmp_path / "a", "old")
    (tmp_path / ".b.part").touch()  # not ours
    program = (
        "import os, signal, sys; from qagrel import store\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.write_text(sys.argv[1], 'new')"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 3
    store.remove_leftovers(tmp_path)
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == {"a": "old", ".b.part": ""}


def test_the_module_loads_without_pandas() -> None:
    program = "import sys, qagrel.store; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- reading bytes and text -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["absent", "folder", "pipe", "x" * 300, "nul\0"])
def test_only_files_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="check the name"):
        store.read_bytes(tmp_path / name)


def test_a_file_is_read_up_to_its_bound_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"four")
    assert store.read_bytes(tmp_path / "a", max_bytes=4) == b"four"
    with pytest.raises(InputError, match="a is larger than 3 bytes"):
        store.read_bytes(tmp_path / "a", max_bytes=3)


def test_a_large_file_costs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.truncate(tmp_path / "a", 2**26)
    tracemalloc.start()
    with pytest.raises(InputError, match="a is larger than 1000 bytes"):
        store.read_bytes(tmp_path / "a", max_bytes=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    store.write_text(tmp_path / "a", "α\r\nβ\n")
    assert (tmp_path / "a").read_bytes() == "α\r\nβ\n".encode()
    assert store.read_text(tmp_path / "a") == "α\r\nβ\n"


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Bohté".encode("latin-1"))
    with pytest.raises(InputError, match=r"a is not UTF-8 text \(byte 4\)"):
        store.read_text(tmp_path / "a")


# --- JSON -----------------------------------------------------------------------------------


def test_json_keeps_order_and_digits(tmp_path: Path) -> None:
    content = {"b": 0.1, "a": [1, True, None, "é"]}
    store.write_json(tmp_path / "a", content)
    assert (tmp_path / "a").read_text() == (
        '{\n  "b": 0.1,\n  "a": [\n    1,\n    true,\n    null,\n    "é"\n  ]\n}\n'
    )
    assert store.read_json(tmp_path / "a") == content


def test_json_holds_numpy_values_and_nan_as_null(tmp_path: Path) -> None:
    content = {"a": np.float32(0.5), "b": (np.array([[1, 2]]), np.nan), "c": np.array([np.nan])}
    store.write_json(tmp_path / "a", content)
    assert store.read_json(tmp_path / "a") == {"a": 0.5, "b": [[[1, 2]], None], "c": [None]}


def test_infinity_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "a", [float("inf")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1"),
        ('{"a": 1,\n "b": }', "line 2"),
        ('{"a": 1', "line 1"),
        ("[1] [2]", "line 1"),
        ("[NaN]", "NaN is not"),
        ("[-Infinity]", "-Infinity is not"),
        ("9" * 5_000, "4300 digits"),
    ],
)
def test_broken_json_is_refused(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=f"a.json.*{where}"):
        store.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])  # how many Python can follow varies
@pytest.mark.parametrize("reader", [store.read_json, store.read_yaml])
def test_what_is_nested_too_deeply_is_refused_in_the_same_words_by_every_python(
    tmp_path: Path, reader: Callable[[Path], Any], depth: int
) -> None:
    (tmp_path / "a").write_text("[" * depth + "1" + "]" * depth)
    with pytest.raises(InputError, match="nested more than 100 deep"):
        reader(tmp_path / "a")


@pytest.mark.parametrize("reader", [store.read_json, store.read_yaml])
def test_what_is_nested_as_deeply_as_allowed_is_read(
    tmp_path: Path, reader: Callable[[Path], Any]
) -> None:
    text = '{"a": [' * 50 + "1" + "]}" * 50
    (tmp_path / "a").write_text(text)
    assert reader(tmp_path / "a") == json.loads(text)


# --- CSV ------------------------------------------------------------------------------------


def test_csv_has_no_index_and_the_shortest_digits(tmp_path: Path) -> None:
    table = pd.DataFrame({"epoch": [1, 2], "error": [0.1, np.nan], "rule": ["a,b", "NA"]})
    store.write_csv(tmp_path / "a", table)
    assert (tmp_path / "a").read_bytes() == b'epoch,error,rule\n1,0.1,"a,b"\n2,,NA\n'
    pd.testing.assert_frame_equal(store.read_csv(tmp_path / "a"), table)


@DETERMINISTIC
@hypothesis.given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_csv_gives_every_number_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    store.write_csv(path, pd.DataFrame({"a": values}))
    for columns in (None, {"a": float}):
        read = store.read_csv(path, columns)["a"].to_numpy(float)
        assert read.tobytes() == np.array(values, float).tobytes()


def test_csv_columns_have_the_type_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("seed,error,done,status\n1,1,True,1\n2,,False,\n")
    columns = {"seed": int, "error": float, "done": bool, "status": str}
    table = store.read_csv(tmp_path / "a", columns)
    assert table["seed"].tolist() == [1, 2]
    assert table["error"].tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)]
    assert table["done"].tolist() == [True, False]
    assert table["status"].tolist() == ["1", ""]


def test_types_of_other_columns_are_inferred(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a,b,c,d\n1,1,True,007x\n2,,False,\n")
    table = store.read_csv(tmp_path / "a")
    kinds = [table[name].dtype.kind for name in "abc"]
    assert kinds == ["i", "f", "b"]
    assert table["d"].tolist() == ["007x", ""]


def test_a_table_may_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("seed,error\n")
    assert store.read_csv(tmp_path / "a", {"seed": int}).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cut short"),
        ("\n", "line 1: columns without a name"),
        ("seed,error\n1,0.5\n2,0", "cut short"),
        ("seed,error\n1,0.5\n2\n", "line 3: 1 entries for 2 columns"),
        ("seed,error\n1,0.5,7\n", "line 2: 3 entries for 2 columns"),
        ("seed,error\n\n1,0.5\n", "line 2: 0 entries for 2 columns"),
        ("seed,seed\n1,0.5\n", "line 1: .* two of one name"),
        ("seed,\n1,0.5\n", "line 1: columns without a name"),
        ("error\n0.5\n", "line 1: there is no column 'seed'"),
        ("seed,error\n1,0.5\none,0.5\n", "line 3: seed is 'one', not of type int"),
        ("seed,error\n1.0,0.5\n", "line 2: seed is '1.0', not of type int"),
        ("seed,error\n,0.5\n", "line 2: seed is '', not of type int"),
        (f"seed,error\n{2**63},0.5\n", "line 2: seed is '9223372036854775808'"),
        ("seed,error\n1,0.5 %\n", "line 2: error is '0.5 %', not of type float"),
        ('seed,error\n"1\n2",0.5\n1,x\n', "line 3: seed is '1\\\\n2'"),
        ('seed,error\n1,"0.5"x\n', "line 2: not CSV"),
        ('seed,error\n1,"0.5\n', "not CSV"),
        ("seed,error\n1,0.5\0\n", "line 2: error is '0.5\\\\x00'"),
        ("seed,error\n1,1_0\n", "line 2: error is '1_0'"),
        ("seed,error\n1, 2\n", "line 2: error is ' 2'"),
    ],
)
def test_broken_csv_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=f"a.csv.*{complaint}"):
        store.read_csv(tmp_path / "a.csv", {"seed": int, "error": float})


@DETERMINISTIC
@hypothesis.given(st.text('a1.",\n\r -', max_size=40))
def test_any_text_is_a_table_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(text, newline="")
    with contextlib.suppress(InputError):
        table = store.read_csv(path)
        n_lines = text.count("\n") + text.count("\r")
        assert len(table) < n_lines
        assert all(table.columns)


# --- arrays ---------------------------------------------------------------------------------

ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "turned": np.arange(6.0).reshape(2, 3).T,
    "counts": np.arange(-2, 2),
    "bytes": np.arange(3, dtype=np.uint8),
    "number": np.array(0.1),
    "nothing": np.zeros((0, 4), np.float32),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    store.write_npz(tmp_path / "a.npz", ARRAYS)
    return tmp_path / "a.npz"


def same(arrays: dict[str, Any]) -> bool:
    return list(arrays) == list(ARRAYS) and all(
        arrays[name].dtype == ARRAYS[name].dtype and np.array_equal(arrays[name], ARRAYS[name])
        for name in ARRAYS
    )


def npy(header: str, values: bytes = b"") -> bytes:
    text = f"{header}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def test_arrays_come_back(archive: Path) -> None:
    assert same(store.read_npz(archive))


def test_arrays_that_are_read_cannot_be_changed(archive: Path) -> None:
    assert not any(array.flags.writeable for array in store.read_npz(archive).values())


def test_numpy_reads_our_archives(archive: Path) -> None:
    with np.load(archive, allow_pickle=False) as file:
        assert same(dict(file))


def test_archives_of_numpy_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", **ARRAYS)
    assert same(store.read_npz(tmp_path / "a.npz"))


def test_archives_are_the_same_bytes_everywhere(archive: Path) -> None:
    assert (
        hashlib.sha256(archive.read_bytes()).hexdigest()
        == "6b712d396a5ce185e52a55a61865de0c3415040049bd49c924d3872d33a52769"
    )


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.array([1j])])
def test_only_numbers_are_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"x: .* is no type of numbers"):
        store.write_npz(tmp_path / "a.npz", {"x": array})
    assert not list(tmp_path.iterdir())


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def test_nothing_in_an_archive_is_executed(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    np.savez(tmp_path / "a.npz", x=np.array([trap], object))
    with pytest.raises(InputError, match=r"a\.npz is damaged, or no archive of numbers"):
        store.read_npz(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(trap))
    with pytest.raises(InputError, match=r"b\.npz is damaged, or no archive of numbers"):
        store.read_npz(tmp_path / "b.npz")
    assert not trap.path.exists()


ONE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
BROKEN_ARCHIVES = {
    "empty": b"",
    "text": b"weights",
    "another name": zipped({"a.txt": npy(ONE, bytes(4))}),
    "a folder": zipped({"a/": b""}),
    "an empty member": zipped({"a.npy": b""}),
    "no array": zipped({"a.npy": b"weights"}),
    "unusual compression": zipped({"a.npy": npy(ONE, bytes(4))}, zipfile.ZIP_BZIP2),
    "objects": zipped({"a.npy": npy(ONE.replace("<f4", "|O"), bytes(4))}),
    "text array": zipped({"a.npy": npy(ONE.replace("<f4", "<U1"), bytes(4))}),
    "structured": zipped({"a.npy": npy(ONE.replace("'<f4'", "[('x', '<f4')]"), bytes(4))}),
    "unknown type": zipped({"a.npy": npy(ONE.replace("<f4", "<f3"), bytes(4))}),
    "code": zipped({"a.npy": npy(ONE.replace("(1,)", "exit()"), bytes(4))}),
    "negative size": zipped({"a.npy": npy(ONE.replace("(1,)", "(-1,)"), bytes(4))}),
    "too few values": zipped({"a.npy": npy(ONE, bytes(3))}),
    "half a value more": zipped({"a.npy": npy(ONE, bytes(6))}),
    "too many values": zipped({"a.npy": npy(ONE, bytes(8))}),
    "huge shape": zipped({"a.npy": npy(ONE.replace("1,", "999999999999, 999999999999"))}),
    "huge and empty": zipped({"a.npy": npy(ONE.replace("1,", ", ".join(["0"] + ["9" * 12] * 9)))}),
    "digits without end": zipped({"a.npy": npy(ONE.replace("1,", "1" * 60_000))}),
    "many dimensions": zipped({"a.npy": npy(ONE.replace("1,", ", ".join("1" * 99)), bytes(4))}),
    "wrong header size": zipped(
        {"a.npy": npy(ONE, bytes(4)).replace(b"\x01\x00", b"\x01\x00\0", 1)}
    ),
}


@pytest.mark.parametrize("damage", BROKEN_ARCHIVES)
def test_broken_archives_are_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "a.npz").write_bytes(BROKEN_ARCHIVES[damage])
    with pytest.raises(InputError, match=r"a\.npz is damaged, or no archive of numbers"):
        store.read_npz(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for _ in range(2):
            file.writestr("a.npy", npy(ONE, bytes(4)))
    with pytest.raises(InputError, match="different names"):
        store.read_npz(tmp_path / "a.npz")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.npy": npy(ONE, bytes(4))}))
    data[6] |= 1  # flag in the member's header ...
    data[data.index(b"PK\x01\x02") + 8] |= 1  # ... and in the directory
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        store.read_npz(tmp_path / "a.npz")


def test_a_truncated_archive_is_refused(archive: Path) -> None:
    data = archive.read_bytes()
    for size in range(0, len(data), 7):
        archive.write_bytes(data[:size])
        with pytest.raises(InputError):
            store.read_npz(archive)


def test_a_changed_byte_is_noticed_or_without_effect(archive: Path) -> None:
    data = archive.read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= (0x01, 0x80, 0xFF)[position % 3]
        archive.write_bytes(changed)
        with contextlib.suppress(InputError):
            assert same(store.read_npz(archive)), position


@pytest.mark.parametrize("lies", [False, True], ids=["honest", "lying"])
def test_a_zip_bomb_costs_no_memory(tmp_path: Path, lies: bool) -> None:
    size = 2**26
    data = zipped({"a.npy": npy(ONE, bytes(size))}, zipfile.ZIP_DEFLATED)
    if lies:
        true = struct.pack("<I", len(npy(ONE)) + size)
        assert data.count(true) == 2
        data = data.replace(true, struct.pack("<I", len(npy(ONE)) + 4))
    (tmp_path / "a.npz").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InputError, match="damaged" if lies else "more than 1000000"):
        store.read_npz(tmp_path / "a.npz", max_bytes=10**6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 10**6


def test_json_is_what_the_standard_library_reads(tmp_path: Path) -> None:
    store.write_json(tmp_path / "a", {"a": [0.1, np.nan]})
    assert json.loads((tmp_path / "a").read_text()) == {"a": [0.1, None]}
