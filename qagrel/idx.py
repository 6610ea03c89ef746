"""IDX files: the form that MNIST came in, found in a folder and read with distrust.

An IDX file is a magic number (two zero bytes, the code of unsigned bytes, the number of
dimensions), the size of every dimension as a big-endian 32-bit integer, and the values.
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qagrel.arrays import frozen
from qagrel.errors import InputError

Bytes = NDArray[np.uint8]

FILES = {  # each array of a data set and its file, to whose name ".gz" may be added
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
MAX_BYTES = 2**30  # of one array, 20 times MNIST's: a bound on what a wrong header can cost
UNSIGNED_BYTES = 0x08  # type code
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_RATIO = 1032  # the most bytes that one byte of gzip can stand for
CHUNK = 2**20
REPLACE = "replace it with a whole copy"


def n_dims_of(field: str) -> int:
    """Dimensions of an array in its file."""
    return 3 if field.endswith("images") else 1


def read_idx(path: Path, n_dims: int) -> Bytes:
    """Read an IDX file of unsigned bytes, gzipped or not, into a read-only array.

    Memory is the array's, whatever a damaged file announces or unpacks to.

    Raises
    ------
    InputError
        When the file is unreadable or damaged, or the array is empty, has other than `n_dims`
        dimensions or more than `MAX_BYTES` values.
    """
    try:
        with path.open("rb") as file:
            return parse_idx(file, str(path), n_dims)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): {REPLACE}") from error


def parse_idx(file: BinaryIO, where: str, n_dims: int) -> Bytes:
    """Read what `read_idx` does from an open file; `where` names it in complaints."""
    most = file.seek(0, os.SEEK_END)
    file.seek(0)
    is_packed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if is_packed:
        most *= DEFLATE_RATIO
    stream = gzip.GzipFile(fileobj=file) if is_packed else file
    try:
        shape = _read_header(stream, where, n_dims)
        if math.prod(shape) > MAX_BYTES:
            raise InputError(f"{where}: {shape} values are more than {MAX_BYTES}: give fewer")
        if math.prod(shape) > most:
            raise InputError(
                f"{where}: damaged or cut short (its header announces {shape} values, too many "
                f"for its size): {REPLACE}"
            )
        values = _read_values(stream, where, math.prod(shape))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{where}: damaged or cut short ({error}): {REPLACE}") from error
    return frozen(values.reshape(shape))


def _read_header(stream: BinaryIO | gzip.GzipFile, where: str, n_dims: int) -> tuple[int, ...]:
    header = stream.read(4 + 4 * n_dims)
    if header[:2] != bytes(2):
        raise InputError(f"{where}: neither an IDX file nor a gzipped one: {REPLACE}")
    if header[2:4] != bytes([UNSIGNED_BYTES, n_dims]):
        raise InputError(
            f"{where}: its magic number is 0x{header[:4].hex()}, not "
            f"0x0000{UNSIGNED_BYTES:02x}{n_dims:02x} for unsigned bytes in {n_dims} dimensions: "
            "replace it with the right file"
        )
    if len(header) < 4 + 4 * n_dims:
        raise InputError(f"{where}: ends within its header: {REPLACE}")
    shape = struct.unpack(f">{n_dims}I", header[4:])
    if 0 in shape:
        raise InputError(f"{where}: its header announces {shape} values, so none: {REPLACE}")
    return shape


def _read_values(stream: BinaryIO | gzip.GzipFile, where: str, size: int) -> Bytes:
    """Exactly `size` bytes, read in pieces into the array that is returned."""
    values = np.empty(size, np.uint8)
    filled = 0
    while chunk := stream.read(min(CHUNK, size - filled)):
        values[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    if filled < size:
        raise InputError(f"{where}: ends after {filled} of {size} values: {REPLACE}")
    if stream.read(1):  # which also makes gzip compare its checksum
        raise InputError(f"{where}: goes on after its {size} values: {REPLACE}")
    return values


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The head of the IDX file of an array of this shape."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTES, len(shape), *shape)


def sha256_of(array: Bytes, shape: tuple[int, ...]) -> str:
    """SHA-256 of the IDX file of an array of this shape."""
    digest = hashlib.sha256(idx_header(shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
