"""The loops in which the time goes, against plain ones, bit for bit."""

import re
from typing import Any

import numpy as np
import pytest
from problems import compiled_only, strict

from qagrel import kernels, network
from qagrel.kernels import layout, loops

STRIDES = [16 * registers for registers in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 16)]


@strict
def run_multiply(active, weights, n, out, reached):
    loops.multiply(active, weights, n, out, reached)


@strict
def run_change(n_used, work, signal, synapses):
    loops.change_by_trials(n_used, work, signal, synapses)


@strict
def run_gather(active, feedback, n, above, below):
    loops.gather_feedback(active, feedback, n, above, below)


def random_lists(
    rng: np.random.Generator, counts: list[int], n_units: int, dtype: str
) -> kernels.Lists:
    """Rows of so many units each; between them unused places, as in the buffers of a batch."""
    start = np.arange(len(counts)) * n_units
    entry = np.zeros(len(counts) * n_units, kernels.pair_type(np.uint32, dtype))
    entry["value"] = rng.standard_normal(entry.size)
    for first, count in zip(start, counts, strict=True):
        entry["index"][first : first + count] = np.sort(rng.choice(n_units, count, replace=False))
    return kernels.Lists(start, start + counts, entry)


def pairs(lists: kernels.Lists, row: int) -> list[tuple[int, Any]]:
    """The pairs of one row."""
    entries = lists.entry[lists.start[row] : lists.end[row]]
    return list(zip(entries["index"].tolist(), entries["value"], strict=True))


def plain_sum(lists: kernels.Lists, row: int, matrix: Any) -> Any:
    """One accumulator a column; the pairs in order."""
    total = np.zeros(matrix.shape[1], matrix.dtype)
    for index, value in pairs(lists, row):
        total = total + value * matrix[index]
    return total


def plain_dot(a: Any, b: Any) -> Any:
    """An accumulator for every 16th product; then halves of them added to halves."""
    sums = np.zeros(16, a.dtype)
    for column in range(0, a.size, 16):
        sums = sums + a[column : column + 16] * b[column : column + 16]
    while sums.size > 1:
        sums = sums[: sums.size // 2] + sums[sums.size // 2 :]
    return sums[0]


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("n", [1, 6])
def test_multiply_is_a_plain_loop(n: int, stride: int, precision: str) -> None:
    """With units of three bands, the last one narrow; lists of none, of one and of all of them."""
    rng = np.random.default_rng(stride)
    n_units = 2 * layout.BAND + 9
    active = random_lists(rng, [50, 0, 1, 2, 3, n_units], n_units, precision)
    weights = rng.standard_normal((n_units, stride)).astype(precision)
    out = np.full((7, stride), 7, precision)
    run_multiply(active, weights, n, out, np.zeros(6, np.int64))
    plain = np.array([plain_sum(active, b, weights) for b in range(n)])
    assert out[:n].tobytes() == plain.tobytes()
    assert (out[n:] == 7).all()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("stride", STRIDES)
def test_change_by_trials_is_a_plain_loop(stride: int, learns: bool, precision: str) -> None:
    """Units 1, 2, 4 and 5 of 9 are used, in 1, 2, 4 and 5 of 6 trials."""
    rng = np.random.default_rng(stride)
    net = network.pack([np.zeros((6, 9), precision), np.zeros((9, 3), precision)])
    used = np.array([1, 2, 4, 5], np.uint32)
    work = network.workspace(net, 6)._replace(
        by_unit=random_lists(rng, [0, 1, 2, 0, 4, 5], 6, precision), used=used
    )
    signal = rng.standard_normal((6, stride)).astype(precision)
    weights, feedback = rng.standard_normal((2, 9, stride)).astype(precision)
    expected, expected_feedback = weights.copy(), feedback.copy()
    for unit in used:
        change = plain_sum(work.by_unit, unit, signal)
        expected[unit] += change
        expected_feedback[unit] += change * learns
    synapses = layout.Synapses(weights, feedback, weights, learns, begun=False, complete=True)
    run_change(used.size, work, signal, synapses)
    assert weights.tobytes() == expected.tobytes()
    assert feedback.tobytes() == expected_feedback.tobytes()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("stride", STRIDES)
def test_gather_feedback_is_a_plain_loop(stride: int, precision: str) -> None:
    """Trials of 0 to 16 active units, eight of which are taken at a time."""
    rng = np.random.default_rng(stride)
    active = random_lists(rng, [0, 1, 7, 8, 9, 16], 16, precision)
    feedback = rng.standard_normal((16, stride)).astype(precision)
    above = rng.standard_normal((6, stride)).astype(precision)
    below = np.full((7, 16), 7, precision)
    run_gather(active, feedback, 6, above, below)
    plain = np.zeros((6, 16), precision)
    for b in range(6):
        for unit, _ in pairs(active, b):
            plain[b, unit] = plain_dot(feedback[unit], above[b])
    assert below[:6].tobytes() == plain.tobytes()
    assert (below[6] == 7).all()


@compiled_only
def test_no_compiler_may_reorder_or_fuse_the_arithmetic() -> None:
    """Whatever CPU the code is for, it lacks the flags by which bits would depend on it."""
    test_multiply_is_a_plain_loop(1, 16, "float32")
    test_change_by_trials_is_a_plain_loop(16, True, "float32")
    test_gather_feedback_is_a_plain_loop(16, "float32")
    for function in (run_multiply, run_change, run_gather):
        [code, *_] = function.inspect_llvm().values()
        assert re.search(r"= fadd (<16 x )?(float|double)", code)
        assert not re.search(r"= f(add|sub|mul|div|neg) [a-z ]*(fast|contract|reassoc|arcp)", code)
        assert "llvm.fma" not in code
        assert "llvm.fmuladd" not in code
