"""The rules against the slow second author, automatic differentiation, and what the paper says."""

import ast
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import naive
import numpy as np
import pytest
from autograd import grad
from helpers import REGIMES, RULES_AND_LOSSES
from naive import Settings
from problems import HIDDEN, N_CLASSES, Learner, Problem, strict

from qagrel import network
from qagrel.kernels import feedback_angles
from qagrel.kernels import rule as phases
from qagrel.replication.sweep import PAPER_RULES
from qagrel.rules import RULES

DEPTHS = range(1, 7)

# --- whole epochs, against the slow second author --------------------------------------------


def assert_same_epoch(ours: Learner, theirs: list[naive.Batch], rtol: float, atol: float) -> None:
    """Every decision is the same; numbers agree within tolerances."""
    selected = [action for batch in theirs for action in batch.selected]
    labels = ours.problem.labels[ours.problem.order].tolist()
    n_actions = ours.confusion.shape[1]
    assert ours.confusion.tolist() == naive.confusion(labels, selected, N_CLASSES, n_actions)
    assert ours.wrong.tolist() == [batch.wrong.count(True) for batch in theirs]
    rewards = [math.fsum(batch.rewards) for batch in theirs]
    np.testing.assert_allclose(ours.reward, rewards, rtol=1e-12, atol=1e-15)
    assert ours.chosen == theirs[-1].selected
    losses = [batch.loss * len(batch.selected) for batch in theirs]
    np.testing.assert_allclose(ours.loss, losses, rtol=rtol)
    matrices = zip(
        (*ours.weights, *ours.feedback), (*theirs[-1].weights, *theirs[-1].feedback), strict=True
    )
    for matrix, reference in matrices:
        assert np.isfinite(reference).all()
        np.testing.assert_allclose(matrix, reference, rtol=rtol, atol=atol)


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_epochs_agree_with_the_slow_author(
    rule: str, loss: str, regime: str, hidden: tuple[int, ...], batch_size: int
) -> None:
    """Trial by trial, and in batches of 7, 7 and 2; in double precision."""
    problem, settings = Problem(hidden), Settings(rule, regime, loss, 0.5, 0.7)
    ours = problem.learn(settings, batch_size, 0.02)
    theirs = problem.learn_slowly(settings, batch_size, 0.02)
    assert_same_epoch(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("batch_size", [3, 5, 16, 30])
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_epochs_of_other_batch_sizes(rule: str, loss: str, batch_size: int) -> None:
    """With one trial left, in one batch, and in a batch that is never filled."""
    problem, settings = Problem((17, 6)), Settings(rule, "learned", loss, 0.5, 0.7)
    ours = problem.learn(settings, batch_size, 0.02)
    theirs = problem.learn_slowly(settings, batch_size, 0.02)
    assert_same_epoch(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("hidden", [(130,), (17, 65, 5)], ids=str)
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_epochs_in_single_precision(
    rule: str, loss: str, regime: str, hidden: tuple[int, ...]
) -> None:
    """Weights are of the order of 1, rounded at 6e-8 in each of three updates."""
    problem, settings = Problem(hidden, "float32"), Settings(rule, regime, loss, 0.5, 0.7)
    ours, theirs = problem.learn(settings, 7, 0.1), problem.learn_slowly(settings, 7, 0.1)
    assert {w.dtype for w in ours.weights} == {np.dtype("float32")}
    assert_same_epoch(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_every_decision_batch_by_batch(rule: str, loss: str) -> None:
    problem, settings = Problem((9, 7)), Settings(rule, "learned", loss, 0.5, 0.7)
    learner, chosen = Learner(problem, settings, 7), []
    for first in range(0, problem.order.size, 7):
        learner.train(slice(first, first + 7), 0.1)
        chosen += learner.chosen
    theirs = problem.learn_slowly(settings, 7, 0.1)
    assert chosen == [action for batch in theirs for action in batch.selected]
    whole = problem.learn(settings, 7, 0.1)
    assert learner.network.weights.tobytes() == whole.network.weights.tobytes()
    assert learner.loss.tobytes() == whole.loss.tobytes()


@pytest.mark.parametrize("batch_size", [16, 30])
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_blocks_of_a_batch_give_the_bits_of_the_whole(
    rule: str, loss: str, regime: str, batch_size: int
) -> None:
    """A batch of 16 trials in blocks of 6, 6 and 4; twice, so that nothing is left of the first."""
    problem, settings = Problem((130, 6), "float32"), Settings(rule, regime, loss, 0.5, 0.7)
    whole, parted = (Learner(problem, settings, batch_size) for _ in range(2))
    parted.work = network.workspace(parted.network, batch_size, most=7)
    assert parted.work.block < 8 < whole.work.block
    for learner in (whole, parted, whole, parted):
        learner.train(slice(None), 0.1)
    assert parted.network.weights.tobytes() == whole.network.weights.tobytes()
    assert parted.network.feedback.tobytes() == whole.network.feedback.tobytes()
    assert parted.loss.tobytes() == whole.loss.tobytes()
    assert parted.wrong.tolist() == whole.wrong.tolist()
    assert parted.confusion.tolist() == whole.confusion.tolist()


def test_choices_agree_with_the_slow_author() -> None:
    """All samples, by batches whose last one is smaller."""
    problem = Problem((17, 6))
    net = network.pack(problem.weights)
    order = np.arange(len(problem.labels))
    choices = network.choose(net, network.workspace(net, 7), problem.images, order)
    expected = naive.choose([w.tolist() for w in problem.weights], problem.inputs.tolist())
    assert choices.tolist() == expected
    assert len(set(expected)) > 2


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_padding_stays_zero(precision: str) -> None:
    learner = Problem((17, 6), precision).learn(Settings(feedback="learned", epsilon=0.5), 7, 0.1)
    padded = network.pack(learner.weights, learner.feedback)
    assert learner.network.weights.tobytes() == padded.weights.tobytes()
    assert learner.network.feedback.tobytes() == padded.feedback.tobytes()


# --- one update, against automatic differentiation -------------------------------------------

HUGE_RATE = 2.0**30  # the old weights are lost in rounding beside the change, not it beside them


def increments(settings: Settings, problem: Problem) -> tuple[list[Any], list[int]]:
    """Change of every weight a unit of the rate, from one batch; and what was selected."""
    learner = problem.learn(settings, problem.order.size, HUGE_RATE)
    changes = [
        (new - old) / HUGE_RATE for new, old in zip(learner.weights, problem.weights, strict=True)
    ]
    return changes, learner.chosen


def gradient(problem: Problem, loss: Callable[[Any], Any]) -> list[Any]:
    """Gradient of the mean over the trials of loss(q), q of shape (trials, classes)."""

    def mean_loss(weights: list[Any]) -> Any:
        y = anp.array(problem.inputs[problem.order])
        for matrix in weights[:-1]:
            a = anp.dot(y, matrix)
            y = anp.where(a > 0, a, 0.0)
        return anp.sum(loss(anp.dot(y, weights[-1]))) / problem.order.size

    return grad(mean_loss)(problem.weights)


def assert_descends(changes: Sequence[Any], reference: Sequence[Any]) -> None:
    """Every layer's changes are minus its gradient, which is not zero."""
    for ours, theirs in zip(changes, reference, strict=True):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, -theirs, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_q_agrel_descends_the_selected_units_error(n_hidden: int) -> None:
    problem = Problem(HIDDEN[n_hidden - 1])
    changes, selected = increments(Settings(epsilon=0.5), problem)
    rewards = np.array(selected) == problem.labels[problem.order]
    assert 0 < rewards.sum() < rewards.size
    trial = np.arange(rewards.size)
    reference = gradient(problem, lambda q: 0.5 * (rewards - q[trial, selected]) ** 2)
    assert_descends(changes, reference)


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_error_bp_descends_the_squared_error(n_hidden: int) -> None:
    problem = Problem(HIDDEN[n_hidden - 1])
    changes, _ = increments(Settings("error-bp", loss="squared-error"), problem)
    target = np.eye(N_CLASSES)[problem.labels[problem.order]]
    assert_descends(changes, gradient(problem, lambda q: 0.5 * (q - target) ** 2))


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_error_bp_descends_the_cross_entropy(n_hidden: int) -> None:
    problem = Problem(HIDDEN[n_hidden - 1])
    changes, _ = increments(Settings("error-bp", loss="cross-entropy"), problem)
    trial, labels = np.arange(problem.order.size), problem.labels[problem.order]

    def loss(q: Any) -> Any:
        return anp.log(anp.sum(anp.exp(q), axis=1)) - q[trial, labels]

    assert_descends(changes, gradient(problem, loss))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("regime", ["fixed", "learned"])
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_reciprocal_feedback_gives_the_symmetric_update(
    rule: str, loss: str, regime: str, precision: str
) -> None:
    """Bit for bit, in one update."""
    problem = Problem((17, 5, 65), precision)
    n = problem.order.size
    symmetric = problem.learn(Settings(rule, loss=loss, epsilon=0.5), n, 0.1)
    problem.feedback = problem.weights
    reciprocal = problem.learn(Settings(rule, regime, loss, epsilon=0.5), n, 0.1)
    assert reciprocal.network.weights.tobytes() == symmetric.network.weights.tobytes()


# --- properties that the paper states --------------------------------------------------------


def test_only_the_selected_outputs_weights_change() -> None:
    """Eq. 8."""
    problem = Problem((9, 7), seed=1)
    learner = problem.learn(Settings(epsilon=0.3), problem.order.size, 0.1)
    changed = (learner.weights[-1] != problem.weights[-1]).any(axis=0)
    assert set(np.flatnonzero(changed)) == set(learner.chosen)
    assert not changed.all()


def problem_with_silent_units() -> Problem:
    """In the second hidden layer unit 3 is excited by all below it, 4 inhibited, 5 neither."""
    problem = Problem((9, 7))
    problem.weights[1][:, 3] = np.abs(problem.weights[1][:, 3])
    problem.weights[1][:, 4] = -np.abs(problem.weights[1][:, 4])
    problem.weights[1][:, 5] = 0
    return problem


@pytest.mark.parametrize("rule", list(RULES))
def test_weights_into_and_out_of_silent_units_stay(rule: str) -> None:
    problem = problem_with_silent_units()
    weights = [w.tolist() for w in problem.weights]
    trials = [naive.forward(weights, x)[2] for x in problem.inputs[problem.order].tolist()]
    active = [any(trial[unit] > 0 for trial in trials) for unit in range(7)]
    assert active[3:6] == [True, False, False]
    learner = problem.learn(Settings(rule, "fixed", epsilon=0.5), problem.order.size, 0.1)
    into = (learner.weights[1] != problem.weights[1]).any(axis=0)
    out = (learner.weights[2] != problem.weights[2]).any(axis=1)
    assert into.tolist() == out.tolist() == active


@pytest.mark.parametrize("rule", list(RULES))
def test_a_silent_unit_passes_no_feedback(rule: str) -> None:
    """Fig. 3: what it would send down does not matter; what an active unit sends does."""
    settings = Settings(rule, "fixed", epsilon=0.5)

    def learn(sender: int, factor: float) -> Any:
        problem = problem_with_silent_units()
        problem.feedback[1][:, sender] *= factor
        return problem.learn(settings, problem.order.size, 0.1).weights[0]

    unchanged = learn(4, 1.0)
    np.testing.assert_array_equal(learn(4, 5.0), unchanged)
    assert (learn(3, 5.0) != unchanged).any()


@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_learned_feedback_keeps_its_difference_from_the_weights(rule: str, loss: str) -> None:
    """To rounding, through a whole epoch; feedback to the input, which there is not, stays."""
    problem = Problem((17, 5, 65))
    learner = problem.learn(Settings(rule, "learned", loss, 0.5), 1, 0.1)
    assert learner.feedback[0].tobytes() == problem.feedback[0].tobytes()
    for layer in range(1, 4):
        assert (learner.feedback[layer] != problem.feedback[layer]).any()
        before = problem.feedback[layer] - problem.weights[layer]
        after = learner.feedback[layer] - learner.weights[layer]
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_fixed_feedback_stays(rule: str, loss: str) -> None:
    learner = Problem((17, 6)).learn(Settings(rule, "fixed", loss, 0.5), 7, 0.1)
    for matrix, before in zip(learner.feedback, learner.problem.feedback, strict=True):
        assert matrix.tobytes() == before.tobytes()


def test_symmetric_feedback_is_the_weights() -> None:
    learner = Problem((17, 6)).learn(Settings(epsilon=0.5), 7, 0.1)
    assert np.shares_memory(learner.network.feedback, learner.network.weights)


@pytest.mark.parametrize(
    ("rule", "loss"), [(rule, loss) for rule, loss in RULES_AND_LOSSES if rule in PAPER_RULES]
)
def test_learned_feedback_aligns(rule: str, loss: str) -> None:
    """The shared changes come to outweigh the difference at the start, by the paper's rules."""
    problem = Problem((17, 9))
    problem.weights, problem.feedback = (
        [0.1 * m for m in ms] for ms in (problem.weights, problem.feedback)
    )
    learner = Learner(problem, Settings(rule, "learned", loss, 0.1), 4)
    first, last = np.zeros(4), np.zeros(4)
    feedback_angles(learner.network, first)
    for _ in range(100):
        learner.train(slice(None), 0.2)
    feedback_angles(learner.network, last)
    assert (last[2:] < first[2:] - 20).all()


# --- action selection ------------------------------------------------------------------------


@strict
def draw_actions(q, temperature, uniforms, actions):
    for i in range(uniforms.size):
        actions[i] = phases.boltzmann_action(q, 1, q.shape[1] - 2, temperature, uniforms[i])


def actions_of(q: Sequence[float], uniforms: Any, temperature: float = 1.0) -> Any:
    """Actions drawn for values in the second row of a matrix with two columns of padding."""
    matrix = np.full((2, len(q) + 2), 1e9)
    matrix[1, :-2] = q
    actions = np.zeros(len(uniforms), np.int64)
    draw_actions(matrix, temperature, np.array(uniforms), actions)
    return actions


@pytest.mark.parametrize("temperature", [0.1, 1.0, 20.0])
@pytest.mark.parametrize(
    "q", [[0.2, -0.5, 1.0, 0.2], [800.0, 801.0, 790.0], [-1e3, 0.0, -0.1]], ids=str
)
def test_actions_follow_the_boltzmann_distribution(q: list[float], temperature: float) -> None:
    """Evenly spaced uniforms meet each action as often as Eq. 6 says, to one in a thousand."""
    actions = actions_of(q, (np.arange(1000) + 0.5) / 1000, temperature)
    counts = np.bincount(actions, minlength=len(q))
    expected = np.multiply(1000, naive.boltzmann_probabilities(q, temperature))
    np.testing.assert_allclose(counts, expected, atol=1)


@pytest.mark.parametrize(
    ("q", "lowest", "highest"),
    [
        ([0.0, 0.0, 0.0], 0, 2),
        ([-1e9, 0.0, 0.0], 1, 2),
        ([0.0, 0.0, -1e9], 0, 1),
        ([-1e9, 0.0, -1e9], 1, 1),
        ([-math.inf, 0.0, 0.0], 1, 2),
    ],
    ids=str,
)
def test_extreme_uniforms_select_possible_actions(
    q: list[float], lowest: int, highest: int
) -> None:
    assert actions_of(q, [0.0, np.nextafter(1, 0)]).tolist() == [lowest, highest]


def test_a_uniform_selects_the_first_action_whose_cumulative_probability_exceeds_it() -> None:
    """Cumulative probabilities 1/4, 2/4, 3/4: exact in binary."""
    edges = np.array([0.25, 0.5, 0.75])
    assert actions_of([3.0] * 4, np.nextafter(edges, 0)).tolist() == [0, 1, 2]
    assert actions_of([3.0] * 4, edges).tolist() == [1, 2, 3]


@strict
def map_softmax(q, out, log_totals):
    for b in range(log_totals.size):
        log_totals[b] = phases.softmax(q, b, q.shape[1], out)


def test_softmax_agrees_with_the_slow_author() -> None:
    rng = np.random.default_rng(0)
    q = np.array([*rng.normal(size=(20, 5)), [1e3, 0, 0, 0, -1e3], [-1e4] * 5, [7e2] * 5])
    shares, log_totals = np.zeros_like(q), np.zeros(len(q))
    map_softmax(q, shares, log_totals)
    expected = [naive.boltzmann_probabilities(row) for row in q.tolist()]
    np.testing.assert_allclose(shares, expected, rtol=1e-14)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-15)
    losses = [naive.cross_entropy(row, 0) for row in q.tolist()]
    np.testing.assert_allclose(log_totals - q[:, 0], losses, rtol=1e-13, atol=1e-15)


# --- how the rule is written ------------------------------------------------------------------

BELOW = {  # all that the rule may use of what is below it
    *("Q_AGREL", "CROSS_ENTROPY", "SQUARED_ERROR", "kernel", "part"),  # layout
    *("activities", "signals"),  # buffers
    *("present", "sum_inputs", "list_active", "send_down", "change_layer"),  # images, loops
    *("exp", "log"),  # elementary
    *("disturb", "take_step"),  # disturbances, optimizers
}


def test_the_rule_uses_few_names_of_what_is_below_it() -> None:
    tree = ast.parse(Path(phases.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(node in tree.body for node in imports)
    modules = {
        alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names
    }
    assert modules == {"numpy"}
    froms = [node for node in imports if isinstance(node, ast.ImportFrom)]
    assert all(re.fullmatch(r"qagrel\.kernels\.\w+", node.module or "") for node in froms)
    assert {alias.name for node in froms for alias in node.names} == BELOW
    assert all(alias.asname is None for node in froms for alias in node.names)


def test_the_rule_uses_numpy_for_a_number_type_only() -> None:
    tree = ast.parse(Path(phases.__file__).read_text())
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "np"]
    wanted = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "float64"
    ]
    assert {id(node) for node in used} == {id(node) for node in wanted}
