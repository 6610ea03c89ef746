"""Where the kernel's time goes: `qagrel.kernels.train_epoch` with a clock between its phases.

A test holds the copy to the original: both must give the same weights, bit for bit.
"""

import ctypes
import time
from typing import Any

import numpy as np
from numba import njit

from benchmarks.peers.ours import Ours, kernel_draws
from benchmarks.problem import Draws, make_problem
from qagrel.kernels import rule
from qagrel.network import Ints
from qagrel.spec import RunSpec

PHASES = ("present", "forward", "select", "feedback", "update")

_clock_gettime = ctypes.CDLL(None).clock_gettime
_clock_gettime.argtypes = [ctypes.c_int, ctypes.c_void_p]
_MONOTONIC = time.CLOCK_MONOTONIC


@njit
def _lap(clock: Ints, spent: Ints, phase: int) -> None:
    """Add the nanoseconds since the last lap to a phase; clock is [seconds, nanoseconds]."""
    seconds, nanoseconds = clock[0], clock[1]
    _clock_gettime(_MONOTONIC, clock.ctypes)
    spent[phase] += (clock[0] - seconds) * 1_000_000_000 + clock[1] - nanoseconds


@njit(error_model="numpy")
def timed_epoch(network, work, images, draws, payoffs, policy, rate, spent):
    """An epoch of Q-AGREL in whole batches; spent[phase] grows by nanoseconds."""
    clock, n = np.zeros(2, np.int64), work.block
    _clock_gettime(_MONOTONIC, clock.ctypes)
    for first in range(0, draws.order.size, n):
        rule.present(work, images, draws.order, first, n)
        _lap(clock, spent, 0)
        rule.forward(network, work, n)
        _lap(clock, spent, 1)
        rule.select_actions(network, work, draws, first, n, policy)
        rule.pay(work, draws, first, n, payoffs)
        rule.receive_reward(network, work, n, 0.0)
        _lap(clock, spent, 2)
        rule.propagate_feedback(network, work, draws, first, n, policy)
        _lap(clock, spent, 3)
        rule.modulate(network, work, n, rate / n)
        rule.change_synapses(network, work, n, False, True)
        _lap(clock, spent, 4)


def train_timed(run: Ours, draws: Draws) -> dict[str, float]:
    """Train an epoch; returns seconds by phase."""
    spent = np.zeros(len(PHASES), np.int64)
    shared = run.network, run.work, run.images
    timed_epoch(*shared, kernel_draws(draws), run.payoffs, run.policy, run.rate, spent)
    return dict(zip(PHASES, (spent / 1e9).tolist(), strict=True))


def profile(spec: RunSpec, n_samples: int, start: str | None, rounds: int) -> dict[str, Any]:
    """Median seconds of each phase of an epoch."""
    problem = make_problem(spec, start=start)
    run = Ours(problem)
    laps = [train_timed(run, problem.draws(epoch, n_samples)) for epoch in range(rounds + 1)]
    return {phase: float(np.median([lap[phase] for lap in laps[1:]])) for phase in PHASES}
