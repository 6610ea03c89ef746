"""The loops in which the time goes, against plain ones, bit for bit."""

import re
from typing import Any

import numpy as np
import pytest
from problems import compiled_only, strict

from qagrel import kernels, network
from qagrel.kernels import layout, loops, vectors

# From 32 on, rows are so long that tiles are copied.
STRIDES = [16 * registers for registers in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 16, 32, 37)]


@strict
def run_multiply(active, weights, n, out, work):
    loops.multiply(active, weights, n, out, work)


@strict
def run_multiply_one(active, weights, out):
    loops.multiply_one(active, weights, out)


@strict
def run_change(n_used, n, work, signal, synapses):
    loops.change_by_trials(n_used, n, work, signal, synapses)


@strict
def run_multiply_turned(senders, feedback, n, out, work):
    loops.multiply_turned(senders, feedback, n, out, work)


@strict
def run_gather(active, senders, feedback, below):
    loops.gather(active, senders, feedback, below)


def workspace(n: int, precision: str) -> kernels.Workspace:
    """Buffers for blocks of n trials."""
    net = network.pack([np.zeros((6, 9), precision), np.zeros((9, 3), precision)])
    return network.workspace(net, n)


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
    """One accumulator a column; the pairs in order; each product fused with its addition."""
    total = np.zeros(matrix.shape[1], matrix.dtype)
    for index, value in pairs(lists, row):
        total = vectors.PLAIN["fma"](value, matrix[index], total)
    return total


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
    run_multiply(active, weights, n, out, workspace(6, precision))
    plain = np.array([plain_sum(active, b, weights) for b in range(n)])
    assert out[:n].tobytes() == plain.tobytes()
    assert (out[n:] == 7).all()
    run_multiply_one(active, weights, out)
    assert out[0].tobytes() == plain[0].tobytes()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("stride", STRIDES)
def test_change_by_trials_is_a_plain_loop(stride: int, learns: bool, precision: str) -> None:
    """Units 1, 2, 4 and 5 of 9 are used, in 1, 2, 4 and 5 of 6 trials."""
    rng = np.random.default_rng(stride)
    used = np.array([1, 2, 4, 5], np.uint32)
    work = workspace(6, precision)._replace(
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
    run_change(used.size, 6, work, signal, synapses)
    assert weights.tobytes() == expected.tobytes()
    assert feedback.tobytes() == expected_feedback.tobytes()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("above", [16, 112, 208])
@pytest.mark.parametrize("stride", STRIDES)
def test_multiply_turned_is_a_plain_loop(stride: int, above: int, precision: str) -> None:
    """With senders of up to three bands, and fewer units below than their stride."""
    rng = np.random.default_rng(stride)
    n_units = stride - 5
    senders = random_lists(rng, [above, 0, 1, 2, 3, 9], above, precision)
    feedback = rng.standard_normal((n_units, above)).astype(precision)
    out = np.full((7, stride), 7, precision)
    run_multiply_turned(senders, feedback, 6, out, workspace(6, precision))
    turned = np.ascontiguousarray(feedback.T)
    plain = np.array([plain_sum(senders, b, turned) for b in range(6)])
    assert out[:6, :n_units].tobytes() == plain.tobytes()
    assert (out[6] == 7).all()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_active", [0, 1, 7, 8, 9, 16])
def test_gather_is_a_plain_loop(n_active: int, precision: str) -> None:
    """One trial: eight active units at a time, the last group perhaps not full."""
    rng = np.random.default_rng(n_active)
    active = random_lists(rng, [n_active], 20, precision)
    senders = random_lists(rng, [23], 40, precision)
    feedback = rng.standard_normal((20, 48)).astype(precision)
    below = np.full((1, 32), 7, precision)
    run_gather(active, senders, feedback, below)
    sums = plain_sum(senders, 0, np.ascontiguousarray(feedback.T))
    plain = np.zeros((1, 32), precision)
    for unit, _ in pairs(active, 0):
        plain[0, unit] = sums[unit]
    assert below.tobytes() == plain.tobytes()


@compiled_only
def test_products_fuse_where_they_are_meant_to_and_nowhere_else() -> None:
    """Whatever CPU the code is for, it lacks the flags by which bits would depend on it."""
    for precision in ("float32", "float64"):
        test_multiply_is_a_plain_loop(1, 16, precision)
        test_change_by_trials_is_a_plain_loop(16, True, precision)
        test_multiply_turned_is_a_plain_loop(16, 16, precision)
        test_gather_is_a_plain_loop(1, precision)
    for function in (run_multiply, run_multiply_one, run_change, run_multiply_turned, run_gather):
        for signature, code in function.inspect_llvm().items():
            single = "float32" in str(signature)
            assert not re.search(r"= f[a-z]+ [a-z ]*(fast|contract|reassoc|arcp)", code)
            assert "llvm.fmuladd" not in code
            assert ("llvm.fma." in code) == single
            assert bool(re.search(r"= fmul <", code)) != single
