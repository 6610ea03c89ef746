"""Vectors: compiled, against their plain Python twins, bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import compiled_only, strict

from qagrel import kernels
from qagrel.kernels import vectors
from qagrel.kernels.vectors import view  # Numba takes `vectors.view` for NumPy's


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that calls the Python in a compiled function, plain twins in hand."""

    def call(function: Any, *arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            for name, twin in vectors.PLAIN.items():
                patch.setattr(vectors, name, twin)
            patch.setitem(globals(), "view", vectors.PLAIN["view"])
            return function.py_func(*arguments)

    return call


def vector_function(registers: int) -> Any:
    @strict
    def function(a, b, number, out):
        zero = vectors.zeros(a, registers)
        vectors.store(out, 0, 0, zero)
        x, y = vectors.load(a, 1, 16, zero), vectors.load(b, 2, 5, zero)
        vectors.store(out, 1, 3, x + y)
        vectors.store(out, 2, 0, x * y)
        vectors.store(out, 3, 1, number * x + y * x + zero)

    return function


def rows_function(registers: int) -> Any:
    @strict
    def function(a, entries, out):
        """Add two columns of registers from the rows that entries[1:] name, sum and scatter."""
        total = vectors.zeros(a, registers)
        for column in (0, 16):
            once = vectors.load(a, 0, column, vectors.zeros(a, 1))
            many = vectors.repeat(once, registers)
            total = total + many * vectors.load_rows(a, entries, 1, entries.size, column, total)
        vectors.store_sums(out, 1, entries, 1, entries.size, total)
        out[0, 0] = vectors.lanes(total)

    return function


@strict
def copy_pairs(entries, copies):
    for e in range(entries.size):
        index, value = vectors.read(entries, e)
        vectors.write(copies, e, index, value)


@strict
def read_and_write_a_view(flat, start, rows, columns, out):
    matrix = view(flat, start, rows, columns)
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            out[row, column] = matrix[row, column]
            matrix[row, column] = -1


@compiled_only
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("registers", [1, 2, 3, 4, 8])
def test_vector_arithmetic(plainly: Callable[..., Any], registers: int, precision: str) -> None:
    rng = np.random.default_rng(registers)
    a, b = rng.standard_normal((2, 3, 160)).astype(precision)
    function, number = vector_function(registers), a.dtype.type(1.7)
    out, plain = np.full((2, 4, 160), 7, precision)
    function(a, b, number, out)
    plainly(function, a, b, number, plain)
    assert out.tobytes() == plain.tobytes()
    assert (plain != 7).sum() == 4 * 16 * registers


@compiled_only
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_entries", [2, 4, 9, 17])
@pytest.mark.parametrize("registers", [1, 2, 4, 8, 16])
def test_sums_of_rows(
    plainly: Callable[..., Any], registers: int, n_entries: int, precision: str
) -> None:
    """With fewer rows than registers, as many, and more."""
    rng = np.random.default_rng(n_entries)
    a = rng.standard_normal((20, 32)).astype(precision)
    entries = np.zeros(n_entries, kernels.pair_type(np.uint32, precision))
    entries["index"] = rng.choice(20, n_entries, replace=False)
    function, (out, plain) = rows_function(registers), np.full((2, 2, 20), 7, precision)
    function(a, entries, out)
    plainly(function, a, entries, plain)
    assert out.tobytes() == plain.tobytes()
    assert out[0, 0] == 16 * registers
    assert (plain[1] != 7).sum() == min(registers, n_entries - 1)


@compiled_only
@pytest.mark.parametrize("index", ["uint16", "uint32"])
@pytest.mark.parametrize("value", ["uint8", "float32", "float64"])
def test_pairs_are_read_and_written(plainly: Callable[..., Any], index: str, value: str) -> None:
    pair = kernels.pair_type(index, value)
    pairs = np.zeros(3, pair)
    pairs["index"], pairs["value"] = [0, 1, np.iinfo(index).max], [1, 0, 255]
    copies, plain = np.zeros((2, 3), pair)
    copy_pairs(pairs, copies)
    plainly(copy_pairs, pairs, plain)
    assert copies.tolist() == plain.tolist() == pairs.tolist()


@compiled_only
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_views_share_the_buffer(plainly: Callable[..., Any], precision: str) -> None:
    buffers, seen = np.tile(np.arange(20, dtype=precision), (2, 1)), np.zeros((2, 5, 2), precision)
    read_and_write_a_view(buffers[0], 3, 4, 2, seen[0])
    plainly(read_and_write_a_view, buffers[1], 3, 4, 2, seen[1])
    assert buffers.tolist() == [[0, 1, 2, *[-1] * 8, *range(11, 20)]] * 2
    assert seen.tolist() == [[[3, 4], [5, 6], [7, 8], [9, 10], [0, 0]]] * 2
