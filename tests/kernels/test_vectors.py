"""Vectors: compiled, against their plain Python twins, bit for bit."""

from collections.abc import Callable
from fractions import Fraction
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
        vectors.store(out, 2, 0, vectors.fma(x, y, x))
        vectors.store(out, 3, 1, vectors.where_positive(x, vectors.fma(number, x, y) + zero))
        out[3, 0] = vectors.lanes(zero)

    return function


def rows_function(n: int) -> Any:
    @strict
    def function(a, entries, out):
        """Add two columns of the rows that entries[1:] name, and scatter the sums."""
        total = vectors.apart(a, n)
        for column in (3, 16):
            given = vectors.load_rows(a, entries, 1, entries.size, column, total)
            total = vectors.fma(a[0, column], given, total)
        vectors.scatter(total, out, 1, entries, 1, entries.size)

    return function


@strict
def turn_block(a, row, column, out):
    vectors.turn(a, row, column, out, 2, 5)


@strict
def fuse(a, b, c, out):
    zero = vectors.zeros(a, 1)
    for column in range(0, a.shape[1], 16):
        x, y, z = (
            vectors.load(a, 0, column, zero),
            vectors.load(b, 0, column, zero),
            vectors.load(c, 0, column, zero),
        )
        vectors.store(out, 0, column, vectors.fma(x, y, z))


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
    assert plain[3, 0] == 16 * registers
    assert (plain != 7).sum() == 4 * 16 * registers + 1


@compiled_only
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_entries", [2, 4, 9, 17])
def test_columns_of_rows(plainly: Callable[..., Any], n_entries: int, precision: str) -> None:
    """With fewer rows than registers, as many, and more."""
    rng = np.random.default_rng(n_entries)
    a = rng.standard_normal((20, 32)).astype(precision)
    entries = np.zeros(n_entries, kernels.pair_type(np.uint32, precision))
    entries["index"] = rng.choice(20, n_entries, replace=False)
    function, (out, plain) = rows_function(8), np.full((2, 2, 20), 7, precision)
    function(a, entries, out)
    plainly(function, a, entries, plain)
    assert out.tobytes() == plain.tobytes()
    assert (plain[1] != 7).sum() == min(8, n_entries - 1)


@compiled_only
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("row", [0, 4, 16])
def test_blocks_are_turned(plainly: Callable[..., Any], row: int, precision: str) -> None:
    """The last of 20 rows is taken again where there is none."""
    a = np.random.default_rng(row).standard_normal((20, 48)).astype(precision)
    out, plain = np.full((2, 20, 23), 7, precision)
    turn_block(a, row, 16, out)
    plainly(turn_block, a, row, 16, plain)
    assert out.tobytes() == plain.tobytes()
    there = min(16, 20 - row)
    assert (out[2:18, 5 : 5 + there] == a[row : row + there, 16:32].T).all()
    assert (plain == 7).sum() == 20 * 23 - 16 * 16


def triples() -> Any:
    """Numbers a, b, c in single precision for which rounding a * b + c once is a matter of care."""
    rng = np.random.default_rng(0)
    n = 4096
    a, b, c = rng.standard_normal((3, n)).astype(np.float32)
    scale = np.float32(2.0) ** rng.integers(-75, 64, n).astype(np.float32)
    with np.errstate(over="ignore"):
        a, b = a * scale, b * scale  # products that underflow, and that overflow
        c[: n // 4] = -(a * b)[: n // 4]  # nearly all cancels
    c[n // 4 : n // 2] *= np.float32(2.0) ** rng.integers(-149, 100, n // 4).astype(np.float32)
    a[: n // 16] = np.float32(1) + np.float32(2.0**-12)  # halfway between two numbers, or nearly
    b[: n // 16] = np.float32(1) + rng.integers(-2, 3, n // 16).astype(np.float32) * 2.0**-12
    c[: n // 16] = rng.integers(-2, 3, n // 16) * 2.0**-48 + rng.integers(-2, 3, n // 16)
    c[-64:] = [np.inf, -np.inf, np.nan, 0.0] * 16
    return a[None], b[None], c[None]


def once_rounded(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    """a * b + c of finite numbers, rounded to the nearest single, to even on a tie."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return a * b + c  # the sign of a zero
    guess = np.float32(exact.numerator / exact.denominator)
    if np.isinf(guess):
        guess = np.copysign(np.finfo(np.float32).max, guess)
    near = [np.nextafter(guess, np.float32(way)) for way in (-np.inf, np.inf)]

    def distance(x: np.float32) -> tuple[Fraction, int]:
        value = Fraction(float(x)) if np.isfinite(x) else Fraction(2) ** 128
        return abs(value - exact), int(x.view(np.int32)) % 2

    best = min([guess, *near], key=distance)
    return best if best != 0 else np.copysign(best, np.float32(1 if exact > 0 else -1))


def test_fused_products_are_rounded_once() -> None:
    """Compiled and plain, against exact fractions: ties, cancellation, underflow, overflow."""
    a, b, c = triples()
    out = np.zeros_like(a)
    fuse(a, b, c, out)
    assert np.array_equal(out, vectors.PLAIN["fma"](a, b, c), equal_nan=True)
    finite = np.isfinite(c) & np.isfinite(a) & np.isfinite(b)
    with np.errstate(all="ignore"):
        exact = [once_rounded(*each) for each in zip(a[finite], b[finite], c[finite], strict=True)]
        twice = (a * b + c)[finite]
    assert out[finite].tobytes() == np.array(exact).tobytes()
    assert (twice != out[finite]).mean() > 0.1  # else these numbers show nothing


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
