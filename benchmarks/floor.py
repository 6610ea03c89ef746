"""The floor: multiply-adds that cannot be left out, over those that a core does in a second."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numba import njit

from benchmarks.problem import Problem, make_problem
from benchmarks.report import FOUR_ROWS, ONE_ROW, SGEMM
from qagrel.kernels import LANES
from qagrel.kernels.vectors import fma, load, store, zeros
from qagrel.network import Floats
from qagrel.spec import RunSpec

Block = Callable[..., None]

# Widths of the blocks below.  A fused operation takes four cycles, and two can begin in each: fewer
# sums than seven or eight, and a row at a time would be bound by that wait, not by its loads.
ONE, FOUR = (6, 7, 8), (2, 3, 4, 5)
IN_L1, IN_L2 = 48, 784  # their rows of weights: 24 or 400 KB, where they are widest


def measure(spec: RunSpec, n_samples: int, start: str | None) -> dict[str, Any]:
    """Multiply-adds an epoch of `n_samples`, and rates a second."""
    return {"needed": count(make_problem(spec, start=start), n_samples), "rates": rates()}


def count(problem: Problem, n_samples: int) -> dict[str, Any]:
    """Multiply-adds of an epoch, by phase and layer, and in all.

    ``dense`` counts every connection of a layer.  ``rows`` leaves out the row of weights of a
    unit that is silent (forward and update) or whose gate is closed (feedback): what vectors can
    leave out, and the floor.  ``units`` also leaves out connections whose *other* end is shut.
    Only the selected unit's column of the last matrix takes part in feedback and update.
    """
    images = problem.images()[: min(n_samples, 10_000)]
    active = [images != 0]
    for weights in problem.weights[:-1]:
        images = np.maximum(images @ weights, 0)
        active.append(images > 0)
    open_units = [layer.sum(axis=1, dtype=float) for layer in active]
    widths = [len(problem.weights[0]), *(w.shape[1] for w in problem.weights)]
    totals: dict[str, Any] = {"phases": {}, "dense": 0.0, "rows": 0.0, "units": 0.0}
    for name, dense, rows, units in _terms(widths, open_units):
        phase = {
            "dense": dense * n_samples,
            "rows": float(np.mean(rows)) * n_samples,
            "units": float(np.mean(units)) * n_samples,
        }
        totals["phases"][name] = phase
        for kind, number in phase.items():
            totals[kind] += number
    totals["active"] = [float(n.mean()) / w for n, w in zip(open_units, widths[:-1], strict=True)]
    return totals


def _terms(widths: list[int], active: list[Floats]) -> list[tuple[str, float, Any, Any]]:
    """For each phase and layer: multiply-adds a trial, dense, by rows and by units."""
    terms = []
    last = len(widths) - 1
    for layer in range(1, last + 1):
        pre, fan_in, fan_out = active[layer - 1], widths[layer - 1], widths[layer]
        dense = float(fan_in * fan_out)
        post = active[layer] if layer < last else np.ones_like(pre)
        terms.append((f"forward {layer}", dense, pre * fan_out, pre * fan_out))
        changed = fan_out if layer < last else 1
        terms.append((f"update {layer}", dense, pre * changed, pre * post))
        if layer > 1:
            terms.append((f"feedback {layer - 1}", dense, pre * changed, pre * post))
    return terms


def rates() -> dict[str, float]:
    """Multiply-adds a second: the most of our blocks, loads included, and of BLAS; all fuse.

    One row at a time is how sparse rows are added up; it is bound by loads, from the first cache
    or, where a tile of weights is larger than that, from the second.
    """
    one = [(_one_row(registers), 1, registers) for registers in ONE]
    four = [(_four_rows(registers), 4, registers) for registers in FOUR]
    return {
        FOUR_ROWS: max(_rate_of_block(*block, IN_L1) for block in four),
        ONE_ROW: max(_rate_of_block(*block, IN_L1) for block in one),
        f"{ONE_ROW}, from L2": max(_rate_of_block(*block, IN_L2) for block in one),
        SGEMM: _rate_of_sgemm(),
    }


def _one_row(registers: int) -> Block:
    """A kernel: out[0] += sum of values[0, i] * weights[i], `registers` vectors wide."""

    @njit(error_model="numpy")
    def block(values: Floats, weights: Floats, out: Floats, repeats: int) -> None:
        for _ in range(repeats):
            a = load(out, 0, 0, zeros(out, registers))
            for i in range(weights.shape[0]):
                a = fma(values[0, i], load(weights, i, 0, a), a)
            store(out, 0, 0, a)

    return block


def _four_rows(registers: int) -> Block:
    """The same for four rows of values and out: each row of weights is loaded once for all."""

    @njit(error_model="numpy")
    def block(values: Floats, weights: Floats, out: Floats, repeats: int) -> None:
        zero = zeros(out, registers)
        for _ in range(repeats):
            a, b = load(out, 0, 0, zero), load(out, 1, 0, zero)
            c, d = load(out, 2, 0, zero), load(out, 3, 0, zero)
            for i in range(weights.shape[0]):
                w = load(weights, i, 0, zero)
                a = fma(values[0, i], w, a)
                b = fma(values[1, i], w, b)
                c = fma(values[2, i], w, c)
                d = fma(values[3, i], w, d)
            store(out, 0, 0, a)
            store(out, 1, 0, b)
            store(out, 2, 0, c)
            store(out, 3, 0, d)

    return block


def _rate_of_block(block: Block, n_out: int, registers: int, n_rows: int) -> float:
    """Multiply-adds a second of a kernel on `n_rows` rows of weights, the best of some tries."""
    values = np.full((n_out, n_rows), 1e-3, np.float32)
    weights, out = _ones(n_rows, registers * LANES), _ones(n_out, registers * LANES)
    size = n_out * weights.size
    repeats = 100_000_000 // size
    block(values, weights, out, 1)
    return size * repeats / _least_seconds(block, values, weights, out, repeats)


def _ones(*shape: int) -> Floats:
    """An array that begins with a cache line."""
    raw = np.ones(int(np.prod(shape)) + LANES, np.float32)
    first = -raw.ctypes.data % 64 // raw.itemsize
    return raw[first : first + raw.size - LANES].reshape(shape)


def _rate_of_sgemm() -> float:
    """Multiply-adds a second of NumPy's matrix product, the best of some tries."""
    a = np.random.default_rng(0).random((768, 768), dtype=np.float32)
    out = a @ a
    return float(a.shape[0]) ** 3 / _least_seconds(np.matmul, a, a, out)


def _least_seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Seconds of the quickest of twenty calls."""
    seconds = []
    for _ in range(20):
        begin = perf_counter()
        function(*arguments)
        seconds.append(perf_counter() - begin)
    return min(seconds)
