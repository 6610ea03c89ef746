"""Rewards other than the paper's, in the kernels: by the slow author, and down the gradient."""

import autograd.numpy as anp
import naive
import numpy as np
import pytest
from helpers import REGIMES
from naive import Settings
from problems import HIDDEN, N_CLASSES, Learner, Problem
from test_rule import assert_descends, assert_same_epoch, gradient, increments

from qagrel import network

FEWER = (  # actions than classes, of which two may be equally good
    *((1.0, 0.5, -2.0), (0.0, 0.0, 3.0), (0.25, 0.25, 0.25)),
    *((-1.0, -4.0, -2.0), (0.0, 1.0, 0.5)),
)
MORE = tuple(tuple(float((c + 2 * a) % 7) for a in range(N_CLASSES + 3)) for c in range(N_CLASSES))
PAYOFFS = {"paper's": None, "fewer": FEWER, "more": MORE}
CHANCES = [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.3, 0.6), (1.0, 0.5), (0.0, 1.0)]


def settings(
    payoff: str, regime: str = "learned", omission: float = 0.0, flip: float = 0.0
) -> Settings:
    return Settings("q-agrel", regime, "cross-entropy", 0.5, 0.7, PAYOFFS[payoff], omission, flip)


def problem(payoff: str, hidden: tuple[int, ...] = (17, 6), precision: str = "float64") -> Problem:
    table = PAYOFFS[payoff]
    return Problem(hidden, precision, n_actions=N_CLASSES if table is None else len(table[0]))


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("chances", CHANCES, ids=str)
@pytest.mark.parametrize("payoff", PAYOFFS)
def test_every_decision_is_that_of_the_slow_author(
    payoff: str, chances: tuple[float, float], batch_size: int
) -> None:
    how, task = settings(payoff, "learned", *chances), problem(payoff)
    ours, theirs = (learn(how, batch_size, 0.02) for learn in (task.learn, task.learn_slowly))
    assert_same_epoch(ours, theirs, rtol=1e-10, atol=1e-13)  # type: ignore[arg-type]


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("payoff", PAYOFFS)
def test_single_precision_agrees_with_the_slow_author(payoff: str, regime: str) -> None:
    how, task = settings(payoff, regime, 0.2, 0.3), problem(payoff, (17, 65, 5), "float32")
    ours, theirs = task.learn(how, 7, 0.02), task.learn_slowly(how, 7, 0.02)
    assert_same_epoch(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("payoff", ["fewer", "more"])
def test_the_update_descends_the_error_of_the_expected_payoff(
    payoff: str, hidden: tuple[int, ...]
) -> None:
    """Of (r - q_s)^2 / 2, with what was received for r: some of it swapped, some withheld."""
    task, how = problem(payoff, hidden), settings(payoff, "symmetric", 0.2, 0.3)
    changes, selected = increments(how, task)
    labels, (_, _, u_omit, u_flip) = task.labels[task.order].tolist(), task.draws.tolist()
    table = PAYOFFS[payoff]
    assert table is not None
    rewards = np.array(
        [
            naive.reward_received(table[label], action, how, *u)
            for label, action, *u in zip(labels, selected, u_omit, u_flip, strict=True)
        ]
    )
    assert len(set(rewards)) > 2
    trial = np.arange(rewards.size)

    def loss(q: anp.ndarray) -> anp.ndarray:
        return 0.5 * (rewards - q[trial, selected]) ** 2

    assert_descends(changes, gradient(task, loss))


@pytest.mark.parametrize("payoff", PAYOFFS)
def test_blocks_of_a_batch_give_the_bits_of_the_whole(payoff: str) -> None:
    """The rewards of a batch are summed in the order of its trials, wherever it is cut."""
    how, task = settings(payoff, "learned", 0.2, 0.3), problem(payoff, (130, 6), "float32")
    task.draws[:, ::3] /= 3
    whole, parted = Learner(task, how, 16), Learner(task, how, 16)
    parted.work = network.workspace(parted.network, 16, most=7)
    for learner in (whole, parted):
        learner.payoffs.reward[:] *= 0.1  # not exact in binary: the order of a sum shows
        learner.train(slice(None), 0.1)
    assert parted.reward.tobytes() == whole.reward.tobytes() != np.zeros(1).tobytes()
    assert parted.network.weights.tobytes() == whole.network.weights.tobytes()
