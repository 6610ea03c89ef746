"""Files: written whole or not at all, the same bytes for the same content, read with distrust.

A writer fills a temporary file beside its target and renames it, so that a reader, or a run
that follows a crash, sees the old content or the new one and nothing between.  A reader bounds
what it reads, executes nothing, and refuses what is damaged with an `InputError`.
"""

import contextlib
import csv
import io
import json
import math
import os
import re
import secrets
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
import yaml
from numpy.typing import NDArray

from qagrel.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]
MAX_BYTES = 2**28  # far above any result; a bound on what a wrong file can cost
MAX_TEXT = 2**25  # the same for text, which takes many times its size once it is read
MAX_YAML = 2**20  # which takes a second for every few thousand lines
MAX_NESTING = 100  # far above any file of ours; what Python can follow differs by its version
TOO_DEEP = f"brackets or indents are nested more than {MAX_NESTING} deep"
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.part")  # how write_bytes names temporary files


# --- places ---------------------------------------------------------------------------------


def place(variable: str, default: str) -> Path:
    """The folder that an environment variable names, ``~`` for the home; by default another.

    A variable that is set to nothing is not set.

    Raises
    ------
    InputError
        When it begins with a home that nobody knows.
    """
    given = os.environ.get(variable) or default
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise InputError(f"{variable}: {given!r} is in no known home: write the path out") from None


# --- bytes and text -------------------------------------------------------------------------


def write_bytes(path: StrPath, data: bytes) -> None:
    """Write a file atomically, making its folder where there is none.

    Raises
    ------
    InputError
        When it cannot be written (disk full, no permission, ...); the target is untouched then,
        and no temporary file remains.
    """
    path = Path(path)
    _check_ordinary(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): "
            "make room or choose another place"
        ) from error


def _check_ordinary(path: Path) -> None:
    """Refuse to put a file in the place of a folder, or, as root, of a device or a pipe."""
    if os.path.isdir(path):  # noqa: PTH112 -- False where Path.is_dir raises
        raise InputError(f"{path} cannot be written (it is a folder): name a file")
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 -- the same
        raise InputError(f"{path} cannot be written (it is no ordinary file): name another")


def read_bytes(path: StrPath, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file of at most `max_bytes` bytes (InputError otherwise)."""
    path = Path(path)
    try:
        if not path.is_file():  # opening a named pipe would wait for ever
            raise InputError(f"{path} is not there, or is not a file: check the name")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check the name"
        ) from error
    if len(data) > max_bytes:
        raise InputError(f"{path} is larger than {max_bytes} bytes: it is not a file of this kind")
    return data


def remove_leftovers(folder: StrPath) -> None:
    """Delete the temporary files that killed writers left in a folder.

    Only for the one who may write there alone: the temporary file of a live writer goes too.
    """
    for path in Path(folder).glob(".*.part"):
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_text(path: StrPath, text: str) -> None:
    """Write text as UTF-8, its line ends as they are; atomic, see `write_bytes`."""
    write_bytes(path, text.encode())


def read_text(path: StrPath, max_bytes: int = MAX_TEXT) -> str:
    """The text of a UTF-8 file, its line ends as they are (InputError where it is not that)."""
    try:
        return read_bytes(path, max_bytes).decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}): restore or rewrite it"
        ) from error


# --- places that a user names ---------------------------------------------------------------


def check_free(path: Path, option: str, force: bool = False) -> None:
    """Refuse a file that is there already, before any work (InputError), unless by `force`.

    Parameters
    ----------
    option : what named the file on the command line.
    """
    _check_ordinary(path)
    if os.path.islink(path):  # noqa: PTH114 -- see above; what it leads to stays as it is
        raise InputError(f"{path} is a link: give another {option}, or remove it")
    if os.path.isfile(path) and not force:  # noqa: PTH113 -- see above
        raise InputError(f"{path} is there: give another {option}, or --force to replace it")


def write_named(contents: Mapping[Path, bytes], option: str, force: bool = False) -> None:
    """Write files that a user named: all, or none where one is there with other content.

    A file that is there with the same content is left as it is.
    """
    new = {path: data for path, data in contents.items() if not _holds(path, data)}
    for path in new:
        check_free(path, option, force)
    for path, data in new.items():
        write_bytes(path, data)


def _holds(path: Path, data: bytes) -> bool:
    with contextlib.suppress(OSError):  # one that cannot be read holds something else
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    return False


@contextlib.contextmanager
def claimed(path: Path, option: str) -> Iterator[None]:
    """A place whose content takes long: while this lasts, no other process can claim it."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        with filelock.FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)  # within the turn: nobody waits for it
    except filelock.Timeout:
        raise InputError(
            f"another process is about to write {path}: give another {option}, or wait for it"
        ) from None


# --- JSON -----------------------------------------------------------------------------------


def json_bytes(content: Any) -> bytes:
    """JSON, keys in the order given; NumPy values become numbers and lists, NaN null.

    Raises
    ------
    ValueError
        When a number is infinite, which JSON cannot say.
    """
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def write_json(path: StrPath, content: Any) -> None:
    """Write JSON as `json_bytes` gives it; atomic, see `write_bytes`."""
    write_bytes(path, json_bytes(content))


def read_json(path: StrPath) -> Any:
    """The content of a JSON file (InputError where it is none, NaN and Infinity included)."""
    try:
        return _shallow(json.loads(read_text(path), parse_constant=_refuse_constant))
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}): restore or correct it"
        ) from error
    except RecursionError:
        raise InputError(f"{path}: {TOO_DEEP}: restore or correct it") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}): restore or correct it") from error


def _shallow(content: Any) -> Any:
    """The content of a file, where it is not nested so deeply that Python may give up later."""
    level = [content]
    for _ in range(MAX_NESTING + 1):
        level = [inner for outer in level for inner in _entries(outer)]
        if not level:
            return content
    raise RecursionError


def _entries(content: Any) -> Iterable[Any]:
    if isinstance(content, dict):
        return content.values()
    return content if isinstance(content, list) else ()


def _plain(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, np.ndarray | np.generic):
        return _plain(content.tolist())
    return None if isinstance(content, float) and math.isnan(content) else content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


# --- YAML -----------------------------------------------------------------------------------


class _YamlLoader(yaml.SafeLoader):
    """Plain data without aliases, by which a short file can stand for a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias, write it out", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping with no name twice, of which YAML itself keeps the last and says nothing."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            problem = f"a name twice among {', '.join(map(repr, mapping))}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return mapping


def read_yaml(path: StrPath) -> Any:
    """The content of a YAML file (InputError where it is none, or has aliases or a name twice)."""
    text = read_text(path, MAX_YAML)
    try:
        return _shallow(yaml.load(text, _YamlLoader))
    except RecursionError:
        raise InputError(f"{path}: not readable as YAML: {TOO_DEEP}: correct it") from None
    except (
        # all of them come from PyYAML, by the values that a text pretends to be
        *(yaml.YAMLError, ArithmeticError, AttributeError, LookupError),
        *(TypeError, ValueError),
    ) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML: {reason}: correct it") from error


# --- CSV ------------------------------------------------------------------------------------


def write_csv(path: StrPath, table: "pd.DataFrame") -> None:
    """Write a table without its index: shortest digits that give each number back, NaN empty."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_csv(path: StrPath, columns: Mapping[str, type] | None = None) -> "pd.DataFrame":
    """Read a table as `write_csv` writes it, numbers to the last bit.

    Parameters
    ----------
    columns : columns that must be there, each with the type of its entries: int, float (an
        empty entry is NaN), bool or str.  The types of other columns are inferred.

    Raises
    ------
    InputError
        When the file is no such table: the sentence names the file and the line.
    """
    import pandas as pd

    columns = columns or {}
    header, rows, lines = _records(path)
    if missing := [name for name in columns if name not in header]:
        raise _broken(path, 1, f"there is no column {missing[0]!r}")
    table = {}
    for position, name in enumerate(header):
        entries = [row[position] for row in rows]
        for kind in [columns[name]] if name in columns else _CONVERTERS:
            values = _convert(kind, entries)
            if len(values) == len(entries):
                break
        else:
            n = len(values)
            raise _broken(path, lines[n], f"{name} is {entries[n]!r}, not of type {kind.__name__}")
        table[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(table)


def _broken(path: StrPath, line: int, fault: str) -> InputError:
    return InputError(f"{path}, line {line}: {fault}: restore or correct it")


def _records(path: StrPath) -> tuple[list[str], list[list[str]], list[int]]:
    """Header and rows of a CSV file of the right form, and the line on which each row ends."""
    text = read_text(path)
    if not text.endswith("\n"):
        raise InputError(f"{path} does not end with a whole line, it was cut short: restore it")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise _broken(path, reader.line_num, f"not CSV ({error})") from error
    header = rows[0]
    if not header or not all(header) or len(set(header)) < len(header):
        raise _broken(path, 1, "columns without a name, or two of one name")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise _broken(path, line, f"{len(row)} entries for {len(header)} columns")
    return header, rows[1:], lines[1:]


def _convert(kind: type, entries: list[str]) -> list[Any]:
    """The entries as values of a type, up to the first that is not of it."""
    values = []
    with contextlib.suppress(KeyError, OverflowError, ValueError):
        for entry in entries:
            values.append(_CONVERTERS[kind](entry))  # noqa: PERF401 -- keep what came before
    return values


def _digits(entry: str) -> str:
    if re.search(r"[^-+.0-9a-zA-Z]", entry):  # Python's numbers may have spaces and _
        raise ValueError
    return entry


# In the order in which types are tried.  Not pandas' parsers: which of them give a number back
# to the last bit differs by version.
_CONVERTERS: dict[type, Callable[[str], Any]] = {
    int: lambda entry: np.int64(int(_digits(entry))),
    float: lambda entry: float(_digits(entry) or "nan"),
    bool: {"True": True, "False": False}.__getitem__,
    str: str,
}


# --- arrays ---------------------------------------------------------------------------------

# Of the NPY format (NumPy's documentation), only what `write_npz` uses: no objects, no text.
_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<|](?:[iu][1248]|f[248]))', "
    rb"'fortran_order': (True|False), 'shape': \(((?:\d{1,12}(?:, \d{1,12})*,?)?)\), \} *\n",
    re.DOTALL,
)


def write_npz(path: StrPath, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of numbers to a NumPy archive, the same bytes for the same arrays.

    Nothing is compressed, since compressed bytes differ between versions of zlib.

    Raises
    ------
    TypeError
        When an array does not hold integers or floating-point numbers.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            if array.dtype.kind not in "iuf":
                raise TypeError(f"{name}: {array.dtype} is no type of numbers")
            member = io.BytesIO()
            contents = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
            np.lib.format.write_array(member, contents, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")  # with the date that ZIP begins at
            entry.create_system = 3  # Unix, wherever this runs
            archive.writestr(entry, member.getvalue())
    write_bytes(path, buffer.getvalue())


def read_npz(path: StrPath, max_bytes: int = MAX_BYTES) -> dict[str, NDArray[Any]]:
    """The arrays of a NumPy archive of numbers, by name; they are read-only.

    Parameters
    ----------
    max_bytes : the most that the file, and all arrays together once unpacked, may take.

    Raises
    ------
    InputError
        When the file is damaged, larger, or holds anything but plain arrays of numbers.
    """
    data = read_bytes(path, max_bytes)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_members(members, max_bytes)
            return {
                member.filename.removesuffix(".npy"): _array(_unpack(archive, member))
                for member in members
            }
    except (
        *(EOFError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError),
        *(struct.error, zipfile.BadZipFile, zlib.error),
    ) as error:
        raise InputError(
            f"{path} is damaged, or no archive of numbers ({error}): restore or rewrite it"
        ) from error


def _check_members(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    """Refuse members by their announced sizes, before any is unpacked."""
    names = [member.filename for member in members]
    if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
        raise ValueError("its members are not arrays of different names")
    if any(member.extra or member.comment for member in members):
        raise ValueError("its directory holds more than arrays")  # or has swallowed some
    if any(member.compress_type not in _COMPRESSIONS for member in members):
        raise ValueError("unusual compression")
    if (total := sum(member.file_size for member in members)) > max_bytes:
        raise ValueError(f"{total} bytes unpacked are more than {max_bytes}")


_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return file.read(member.file_size)  # read() would unpack beyond it


def _array(data: bytes) -> NDArray[Any]:
    """The array in the bytes of an NPY file, without a copy; ValueError if they do not fit it."""
    header = _NPY_HEADER.match(data)
    if header is None or header.end() != 10 + int.from_bytes(data[8:10], "little"):
        raise ValueError("a member is not an array of numbers")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(size) for size in re.findall(rb"\d+", header[3]))
    values = np.frombuffer(data, dtype, offset=header.end())
    return values.reshape(shape, order="F" if header[2] == b"True" else "C")
