"""Activation functions, optimizers, novelty and disturbed feedback, which the paper leaves out."""

from typing import Any

import autograd.numpy as anp
import naive
import numpy as np
import pytest
from autograd import grad
from naive import Settings
from problems import N_CLASSES, Disturbed, Learner, Problem
from test_rule import HUGE_RATE, assert_same_epoch

from qagrel import network
from qagrel.kernels import activate, optimizers
from qagrel.rules import ACTIVATIONS

KINDS: dict[str, Settings] = {
    "leaky-relu": Settings(feedback="learned", activation="leaky-relu", epsilon=0.5),
    "tanh": Settings(feedback="fixed", activation="tanh", epsilon=0.5),
    "tanh, error-bp": Settings("error-bp", activation="tanh"),
    "momentum": Settings(feedback="learned", optimizer="momentum", momentum=0.8, epsilon=0.5),
    "adam": Settings(feedback="learned", optimizer="adam", epsilon=0.5),
    "adam, error-bp": Settings("error-bp", "fixed", optimizer="adam"),
    "novelty": Settings(novelty=0.07, epsilon=0.5),
    "novelty alone": Settings(novelty=0.2, epsilon=0.0),
    "noise": Disturbed(feedback="learned", epsilon=0.5, noise=0.7),
    "deaf": Disturbed(epsilon=0.5, deaf=True),
    "both, error-bp": Disturbed("error-bp", "fixed", noise=1.5, deaf=True),
    "all": Disturbed(
        feedback="learned",
        epsilon=0.5,
        novelty=0.1,
        activation="tanh",
        optimizer="adam",
        noise=0.5,
        deaf=True,
    ),
}


@pytest.mark.parametrize("batch_size", [1, 7, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_epochs_agree_with_the_slow_author(kind: str, batch_size: int) -> None:
    problem = Problem((17, 9, 5))
    ours = problem.learn(KINDS[kind], batch_size, 0.02)
    theirs = problem.learn_slowly(KINDS[kind], batch_size, 0.02)
    # Adam divides by the root of squares that may be small
    assert_same_epoch(ours, theirs, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_in_single_precision(kind: str) -> None:
    problem = Problem((65, 6), "float32")
    ours, theirs = (learn(KINDS[kind], 7, 0.01) for learn in (problem.learn, problem.learn_slowly))
    assert_same_epoch(ours, theirs, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_a_batch_give_the_bits_of_the_whole(kind: str) -> None:
    problem = Problem((130, 6), "float32")
    whole, parted = (Learner(problem, KINDS[kind], 16) for _ in range(2))
    parted.work = network.workspace(parted.network, 16, most=7, optimizer=KINDS[kind].optimizer)
    for learner in (whole, parted, whole, parted):
        learner.train(slice(None), 0.1)
    assert parted.network.weights.tobytes() == whole.network.weights.tobytes()
    assert parted.network.feedback.tobytes() == whole.network.feedback.tobytes()
    assert parted.confusion.tolist() == whole.confusion.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_stays_zero(kind: str) -> None:
    learner = Problem((17, 6), "float32").learn(KINDS[kind], 7, 0.1)
    padded = network.pack(learner.weights, learner.feedback)
    assert learner.network.weights.tobytes() == padded.weights.tobytes()


def gradient(problem: Problem, activation: str, loss: Any) -> list[Any]:
    """Gradient of the mean over the trials of loss(q)."""

    def mean_loss(weights: list[Any]) -> Any:
        y = anp.array(problem.inputs[problem.order])
        for matrix in weights[:-1]:
            a = anp.dot(y, matrix)
            y = {
                "leaky-relu": lambda a: anp.where(a > 0, a, 0.01 * a),
                "tanh": lambda a: 1.7159 * anp.tanh(2 / 3 * a),
            }[activation](a)
        return anp.sum(loss(anp.dot(y, weights[-1]))) / problem.order.size

    return grad(mean_loss)(problem.weights)


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
@pytest.mark.parametrize("hidden", [(9,), (17, 9, 5)], ids=str)
@pytest.mark.parametrize("activation", ["leaky-relu", "tanh"])
def test_the_gate_is_the_derivative(activation: str, hidden: tuple[int, ...], rule: str) -> None:
    """One update descends the error, by automatic differentiation."""
    problem = Problem(hidden)
    settings = Settings(rule, loss="squared-error", epsilon=0.5, activation=activation)
    learner = problem.learn(settings, problem.order.size, HUGE_RATE)
    labels, trial = problem.labels[problem.order], np.arange(problem.order.size)
    if rule == "q-agrel":
        selected = learner.chosen
        rewards = np.array(selected) == labels
        reference = gradient(
            problem, activation, lambda q: 0.5 * (rewards - q[trial, selected]) ** 2
        )
    else:
        target = np.eye(N_CLASSES)[labels]
        reference = gradient(problem, activation, lambda q: 0.5 * (q - target) ** 2)
    for new, old, theirs in zip(learner.weights, problem.weights, reference, strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose((new - old) / HUGE_RATE, -theirs, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("activation", ["leaky-relu", "tanh"])
def test_activities_agree_with_the_slow_author(activation: str) -> None:
    a = np.array([*np.linspace(-30, 30, 301), -np.inf, np.inf, np.nan, 1e-300, -0.0])
    y = np.zeros_like(a)
    activate(a, y, list(ACTIVATIONS).index(activation))
    expected = [naive.activity(each, activation) for each in a.tolist()]
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-16)


def test_every_action_is_chosen_where_novelty_is_large() -> None:
    """The one that has waited longest, whatever the values; without exploration they take turns."""
    problem = Problem((9,))
    learner = Learner(problem, Settings(novelty=1e6, epsilon=0.0), problem.order.size)
    learner.train(slice(None), 0.1)
    turns = [learner.chosen[i : i + N_CLASSES] for i in range(N_CLASSES, 15, N_CLASSES)]
    assert all(sorted(turn) == list(range(N_CLASSES)) for turn in turns)


def test_momentum_that_keeps_nothing_is_plain_descent() -> None:
    problem = Problem((17, 9))
    plain = problem.learn(Settings(feedback="learned", epsilon=0.5), 7, 0.1)
    settings = Settings(feedback="learned", epsilon=0.5, optimizer="momentum", momentum=0.0)
    for ours, theirs in zip(problem.learn(settings, 7, 0.1).weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


def test_adam_moves_every_synapse_alike_at_first() -> None:
    """By the learning rate, up or down, in its first step, where the change is not tiny."""
    problem = Problem((9,))
    learner = problem.learn(Settings("error-bp", optimizer="adam"), problem.order.size, 0.01)
    moved = np.abs(learner.weights[-1] - problem.weights[-1])
    assert np.isclose(moved, 0.01, rtol=1e-4).mean() > 0.9


def test_deaf_units_learn_nothing_from_below() -> None:
    """Weights onto them stay; those from them change."""
    problem = Problem((17, 9))
    learner = problem.learn(Disturbed(epsilon=0.5, deaf=True), 7, 0.1)
    deaf = problem.deaf[1, :17]
    assert deaf.any()
    assert not deaf.all()
    changed = (learner.weights[0] != problem.weights[0]).any(axis=0)
    assert not changed[deaf].any()
    assert changed[~deaf].any()


@pytest.mark.parametrize("exponent", [1, 2, 3, 10, 1000, 100_000])
@pytest.mark.parametrize("base", [0.9, 0.999])
def test_powers(base: float, exponent: int) -> None:
    power = getattr(optimizers.power, "py_func", optimizers.power)
    assert power(base, exponent) == pytest.approx(base**exponent, rel=1e-10)
