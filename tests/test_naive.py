"""The slow second author is right: by hand, by automatic differentiation and by the paper's claims.

Hand-worked numbers are binary fractions wherever they can be, so that equality is exact.
"""

import ast
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import autograd.numpy as anp
import naive
import numpy as np
import pytest
from autograd import grad
from naive import Settings, train_batch

DEPTHS = range(1, 7)
N_TRIALS = 7
EXPLORING = Settings(epsilon=0.5)


class Problem:
    """A random network of a few units a layer, with a batch of trials for it."""

    def __init__(self, n_hidden: int, seed: int = 0) -> None:
        rng = np.random.default_rng([n_hidden, seed])
        widths = [5, *(7 + layer % 3 for layer in range(n_hidden)), 4]
        # weights large enough that six ReLU layers do not fall silent
        self.weights = [
            (rng.standard_normal((below, above)) * math.sqrt(2 / below)).tolist()
            for below, above in itertools.pairwise(widths)
        ]
        self.feedback = [rng.uniform(-1, 1, np.shape(w)).tolist() for w in self.weights]
        self.inputs = rng.uniform(0, 1, (N_TRIALS, widths[0])).tolist()
        self.labels = rng.integers(0, widths[-1], N_TRIALS).tolist()
        self.u_explore = rng.random(N_TRIALS).tolist()
        self.u_select = rng.random(N_TRIALS).tolist()

    def learn(
        self, settings: Settings, feedback: naive.Matrices | None = None, rate: float = 0.5
    ) -> naive.Batch:
        """One batch of all trials."""
        down = self.feedback if feedback is None else feedback
        trials = (self.inputs, self.labels)
        return train_batch(
            self.weights, down, *trials, rate, settings, self.u_explore, self.u_select
        )

    def gradient(self, loss: Callable[[Any], Any]) -> list[Any]:
        """Gradient of the mean over trials of loss(q), q of shape (trials, actions)."""

        def mean_loss(weights: list[Any]) -> Any:
            y = anp.array(self.inputs)
            for matrix in weights[:-1]:
                a = anp.dot(y, matrix)
                y = anp.where(a > 0, a, 0.0)
            return anp.sum(loss(anp.dot(y, weights[-1]))) / N_TRIALS

        return grad(mean_loss)([np.array(w) for w in self.weights])


def assert_descends(increments: naive.Matrices, gradient: Sequence[Any]) -> None:
    """Every layer's increments are minus its gradient, which is not zero, to a relative 1e-10."""
    assert len(increments) == len(gradient)
    for ours, reference in zip(increments, gradient, strict=True):
        assert np.abs(reference).max() > 0
        np.testing.assert_allclose(ours, -reference, rtol=1e-10, atol=0)


# Against automatic differentiation


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_q_agrel_descends_the_selected_units_error(n_hidden: int) -> None:
    problem = Problem(n_hidden)
    batch = problem.learn(EXPLORING)
    assert len(set(batch.selected)) > 1
    rewards = np.array(batch.selected) == problem.labels

    def loss(q: Any) -> Any:
        return 0.5 * (rewards - q[np.arange(N_TRIALS), batch.selected]) ** 2

    assert_descends(batch.increments, problem.gradient(loss))


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_error_bp_descends_the_squared_error(n_hidden: int) -> None:
    problem = Problem(n_hidden)
    target = np.eye(4)[problem.labels]
    batch = problem.learn(Settings(rule="error-bp", loss="squared-error"))
    assert_descends(batch.increments, problem.gradient(lambda q: 0.5 * (q - target) ** 2))


@pytest.mark.parametrize("n_hidden", DEPTHS)
def test_error_bp_descends_the_cross_entropy(n_hidden: int) -> None:
    problem = Problem(n_hidden)

    def loss(q: Any) -> Any:
        log_total = anp.log(anp.sum(anp.exp(q), axis=1))
        return log_total - q[np.arange(N_TRIALS), problem.labels]

    batch = problem.learn(Settings(rule="error-bp", loss="cross-entropy"))
    assert_descends(batch.increments, problem.gradient(loss))


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
def test_independent_feedback_is_not_the_gradient(rule: str) -> None:
    problem = Problem(2)
    exact = problem.learn(Settings(rule, epsilon=0.5))
    independent = problem.learn(Settings(rule, "fixed", epsilon=0.5))
    assert independent.increments[2] == exact.increments[2]  # the output layer needs no feedback
    assert independent.increments[1] != exact.increments[1]
    assert independent.increments[0] != exact.increments[0]


# Feedback regimes


@pytest.mark.parametrize("regime", ["fixed", "learned"])
@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
def test_reciprocal_feedback_gives_the_symmetric_update(rule: str, regime: str) -> None:
    problem = Problem(3)
    symmetric = problem.learn(Settings(rule, epsilon=0.5))
    reciprocal = problem.learn(Settings(rule, regime, epsilon=0.5), feedback=problem.weights)
    assert reciprocal.weights == symmetric.weights


def test_symmetric_feedback_is_the_new_weights() -> None:
    batch = Problem(2).learn(EXPLORING)
    assert batch.feedback == batch.weights


def test_fixed_feedback_stays() -> None:
    problem = Problem(2)
    assert problem.learn(Settings(feedback="fixed")).feedback == problem.feedback


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
def test_learned_feedback_keeps_its_difference_from_the_weights(rule: str) -> None:
    problem = Problem(3)
    batch = problem.learn(Settings(rule, "learned", epsilon=0.5))
    assert batch.feedback[0] == problem.feedback[0]
    for layer in range(1, 4):
        before = np.subtract(problem.feedback[layer], problem.weights[layer])
        after = np.subtract(batch.feedback[layer], batch.weights[layer])
        assert not np.array_equal(batch.feedback[layer], problem.feedback[layer])
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-14)


def test_learned_feedback_aligns() -> None:
    problem = Problem(2)
    weights: naive.Matrices = [(0.1 * np.array(w)).tolist() for w in problem.weights]
    feedback: naive.Matrices = [(0.1 * np.array(b)).tolist() for b in problem.feedback]
    first = [naive.angle(b, w) for b, w in zip(feedback, weights, strict=True)]
    settings = Settings("error-bp", "learned", "squared-error")
    for _ in range(200):
        batch = train_batch(weights, feedback, problem.inputs, problem.labels, 0.5, settings)
        weights, feedback = batch.weights, batch.feedback
    assert naive.angle(feedback[1], weights[1]) < first[1] - 10
    assert naive.angle(feedback[2], weights[2]) < first[2] - 10


# Locality


def test_only_the_selected_outputs_weights_change() -> None:
    """Eq. 8."""
    problem = Problem(2)
    batch = problem.learn(Settings(epsilon=0.3))
    changed = {
        unit
        for row, old in zip(batch.weights[-1], problem.weights[-1], strict=True)
        for unit in range(4)
        if row[unit] != old[unit]
    }
    assert changed == set(batch.selected)
    assert changed != set(range(4))


# Hidden layers (2, 2): unit 1 of the second one is silent, since its weights are negative.
SILENT = [
    [[0.5, 0.25], [0.25, 0.5]],
    [[0.5, -0.5], [0.25, -0.25]],
    [[0.5, 0.25], [0.5, 1.0]],
]
GREEDY = Settings(feedback="fixed", epsilon=0.0)


def learn_silent(feedback_from_silent: float, feedback_from_open: float) -> naive.Batch:
    from_above = [feedback_from_open, feedback_from_silent]
    feedback = [SILENT[0], [from_above, from_above], SILENT[2]]
    return train_batch(SILENT, feedback, [[1.0, 0.5]], [0], 1.0, GREEDY, [0.5], [0.5])


def test_weights_into_and_out_of_a_silent_unit_stay() -> None:
    batch = learn_silent(1.0, 1.0)
    into = [[row[0] != 0, row[1] != 0] for row in batch.increments[1]]
    assert into == [[True, False], [True, False]]
    assert batch.increments[2][0][0] != 0
    assert batch.increments[2][1] == [0.0, 0.0]


def test_a_silent_unit_passes_no_feedback() -> None:
    """Fig. 3: what it would send matters not; what an open unit sends does."""
    batch = learn_silent(1.0, 1.0)
    assert learn_silent(5.0, 1.0).increments == batch.increments
    assert learn_silent(1.0, 5.0).increments[0] == [
        [5 * change for change in row] for row in batch.increments[0]
    ]


# By hand: inputs (1, 2), hidden units (2), outputs (2)

#   a = (0.5 * 1 + 0.25 * 2, -1 * 1 + 0.25 * 2) = (1, -0.5), so y = (1, 0) and g = (1, 0)
#   q = (0.5 * 1, 0.25 * 1) = (0.5, 0.25)
X = [1.0, 2.0]
W = [[[0.5, -1.0], [0.25, 0.25]], [[0.5, 0.25], [3.0, 4.0]]]
B = [[[9.0, 9.0], [9.0, 9.0]], [[2.0, 8.0], [7.0, 7.0]]]  # feedback[0] must not matter


def learn_by_hand(settings: Settings, label: int, **draws: list[float]) -> naive.Batch:
    return train_batch(W, B, [X], [label], 2.0, settings, **draws)


def test_forward_by_hand() -> None:
    assert naive.forward(W, X) == [[1.0, 2.0], [1.0, 0.0], [0.5, 0.25]]


def test_gates_by_hand() -> None:
    assert naive.open_gates([[0.0, 3.0], [0.0, 0.5], [-1.0, 0.0]]) == [[0, 1], [0, 1], [1, 1]]


def test_rewarded_choice_by_hand() -> None:
    """Output 0 is best and right: delta = 1 - 0.5 = 0.5, loss = 0.125.

    Into the outputs: delta y z = 0.5 (1, 0) x (1, 0).  Hidden unit 0 receives fb = w_00 = 0.5;
    into it go delta x fb = 0.25 (1, 2).  Then the weights grow by rate 2 times that.
    """
    batch = learn_by_hand(Settings(), 0, u_explore=[0.5], u_select=[0.9])
    assert (batch.selected, batch.rewards, batch.loss) == ([0], [1.0], 0.125)
    assert batch.increments == [[[0.25, 0], [0.5, 0]], [[0.5, 0], [0, 0]]]
    assert batch.weights == [[[1.0, -1.0], [1.25, 0.25]], [[1.5, 0.25], [3.0, 4.0]]]


def test_explored_error_with_learned_feedback_by_hand() -> None:
    """P(0) = 1 / (1 + exp(-0.25)) = 0.56, so 0.9 selects output 1; wrong: delta = 0 - 0.25.

    Hidden unit 0 receives fb = B_01 = 8: into it go delta x fb = -0.25 * 8 (1, 2) = (-2, -4).
    """
    settings = Settings(feedback="learned", epsilon=0.1)
    batch = learn_by_hand(settings, 0, u_explore=[0.05], u_select=[0.9])
    assert (batch.selected, batch.rewards, batch.loss) == ([1], [0.0], 0.03125)
    assert batch.increments == [[[-2, 0], [-4, 0]], [[0, -0.25], [0, 0]]]
    assert batch.feedback == [B[0], [[2.0, 7.5], [7.0, 7.0]]]


def test_squared_error_by_hand() -> None:
    """e = (0.5, 0.25) - (0, 1) = (0.5, -0.75); loss = (0.25 + 0.5625) / 2.

    Into the outputs go -y e; hidden unit 0 has the error 0.5 * 0.5 - 0.25 * 0.75 = 0.0625.
    """
    batch = learn_by_hand(Settings("error-bp", loss="squared-error"), 1)
    assert (batch.selected, batch.rewards, batch.loss) == ([0], [0.0], 0.40625)
    assert batch.increments == [[[-0.0625, 0], [-0.125, 0]], [[-0.5, 0.75], [0, 0]]]


def test_cross_entropy_by_hand() -> None:
    """q = (0, log 3): softmax = (1/4, 3/4); for class 0 the loss is log 4, e = (-3/4, 3/4)."""
    q = [0.0, math.log(3)]
    assert naive.cross_entropy(q, 0) == pytest.approx(math.log(4), rel=1e-15)
    error = naive.output_error(q, [1.0, 0.0], "cross-entropy")
    assert error == pytest.approx([-0.75, 0.75], rel=1e-15)


def test_cross_entropy_of_large_values() -> None:
    assert naive.cross_entropy([1000.0, 0.0], 1) == 1000.0


def test_two_hidden_layers_by_hand() -> None:
    """Feedback passes both layers (Eqs. 10-12).

    x = 2, y1 = (1, 2), a2 = (1 * 1 - 0.25 * 2, 0.5 * 1 + 0.5 * 2), y2 = (0.5, 1.5),
    q = 0.5 + 0.375 = 0.875 of a network with one output, which is right: delta = 0.125.
    fb2 = (4, 2); fb1 = (1 * 4 + 2 * 2, -1 * 4 + 3 * 2) = (8, 2).
    """
    weights = [[[0.5, 1.0]], [[1.0, 0.5], [-0.25, 0.5]], [[1.0], [0.25]]]
    feedback = [[[0.0, 0.0]], [[1.0, 2.0], [-1.0, 3.0]], [[4.0], [2.0]]]
    batch = train_batch(weights, feedback, [[2.0]], [0], 1.0, GREEDY, [0.5], [0.5])
    assert batch.increments == [
        [[0.125 * 2 * 8, 0.125 * 2 * 2]],
        [[0.125 * 1 * 4, 0.125 * 1 * 2], [0.125 * 2 * 4, 0.125 * 2 * 2]],
        [[0.125 * 0.5], [0.125 * 1.5]],
    ]


def test_a_batch_is_averaged_by_hand() -> None:
    """One weight, 0.5, straight to one output: q = (0.5, 1), delta = (0.5, 0).

    The increments delta x are (0.5, 0), their mean 0.25; the losses 0.125 and 0.
    """
    batch = train_batch([[[0.5]]], [[[0.0]]], [[1.0], [2.0]], [0, 0], 2.0, GREEDY, [1, 1], [0, 0])
    assert batch.increments == [[[0.25]]]
    assert batch.weights == [[[1.0]]]
    assert batch.loss == 0.0625


def test_an_epoch_by_hand() -> None:
    """The same network, rate 1, samples x = (1, 2, 4) in the order 2, 0, 1 by twos.

    Batch 1: q = (2, 0.5), delta = (-1, 0.5), mean of delta x = (-4 + 0.5) / 2 = -1.75, w = -1.25.
    Batch 2, of one trial: q = -2.5, delta = 3.5, delta x = 7, w = 5.75.
    """
    inputs, order = [[1.0], [2.0], [4.0]], [2, 0, 1]
    first, second = naive.train_epoch(
        [[[0.5]]], [[[0.0]]], inputs, [0, 0, 0], order, 2, 1.0, GREEDY, [1, 1, 1], [0, 0, 0]
    )
    assert (first.weights, first.loss) == ([[[-1.25]]], (0.5 + 0.125) / 2)
    assert (second.weights, second.loss) == ([[[5.75]]], 3.5**2 / 2)


def test_an_epoch_hands_weights_labels_and_draws_to_its_batches() -> None:
    problem, settings = Problem(2), Settings(feedback="learned", epsilon=0.5)
    order = [6, 2, 0, 4, 3]
    weights: naive.Matrices = problem.weights
    feedback: naive.Matrices = problem.feedback
    expected = []
    for samples, draws in (([6, 2], [0, 1]), ([0, 4], [2, 3]), ([3], [4])):
        batch = train_batch(
            weights,
            feedback,
            [problem.inputs[i] for i in samples],
            [problem.labels[i] for i in samples],
            0.5,
            settings,
            [problem.u_explore[i] for i in draws],
            [problem.u_select[i] for i in draws],
        )
        weights, feedback = batch.weights, batch.feedback
        expected.append(batch)
    epoch = naive.train_epoch(
        problem.weights,
        problem.feedback,
        problem.inputs,
        problem.labels,
        order,
        2,
        0.5,
        settings,
        problem.u_explore,
        problem.u_select,
    )
    assert epoch == expected


# Action selection


def test_boltzmann_probabilities_by_hand() -> None:
    """exp q = (1, 2, 4) at temperature 1, (1, sqrt 2, 2) at 2."""
    q = [0.0, math.log(2), math.log(4)]
    assert naive.boltzmann_probabilities(q) == pytest.approx([1 / 7, 2 / 7, 4 / 7], rel=1e-14)
    total = 3 + math.sqrt(2)
    warm = [1 / total, math.sqrt(2) / total, 2 / total]
    assert naive.boltzmann_probabilities(q, 2.0) == pytest.approx(warm, rel=1e-14)


def test_boltzmann_probabilities_of_large_values() -> None:
    assert naive.boltzmann_probabilities([1000.0, 1000.0, 0.0]) == [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("u_select", "action"),
    [(0.0, 0), (0.2499, 0), (0.25, 1), (0.7499, 1), (0.75, 2), (0.9999, 2)],
)
def test_draw_action_by_hand(u_select: float, action: int) -> None:
    """Cumulative probabilities 0.25, 0.75, 1: the first that exceeds u_select."""
    assert naive.draw_action([0.25, 0.5, 0.25], u_select) == action


def test_draw_action_skips_impossible_actions() -> None:
    assert naive.draw_action([0.0, 1.0, 0.0], 0.0) == 1


def test_draw_action_takes_the_last_if_rounding_leaves_none() -> None:
    assert naive.draw_action([0.25, 0.25, 0.25], 0.8) == 2


@pytest.mark.parametrize(("u_explore", "action"), [(0.0999, 0), (0.1, 2), (0.9, 2)])
def test_exploration_below_epsilon(u_explore: float, action: int) -> None:
    assert naive.select_action([0.0, 0.5, 1.0], Settings(epsilon=0.1), u_explore, 0.0) == action


def test_exploration_uses_the_temperature() -> None:
    """P(0) = 1 / (1 + e) = 0.27 at temperature 1, 1 / (1 + exp 0.1) = 0.48 at 10."""
    hot, cold = Settings(epsilon=1, temperature=10), Settings(epsilon=1)
    assert naive.select_action([0.0, 1.0], hot, 0.5, 0.4) == 0
    assert naive.select_action([0.0, 1.0], cold, 0.5, 0.4) == 1


def test_ties_go_to_the_lowest_index() -> None:
    assert naive.best_action([0.0, 1.0, 1.0]) == 1


# Around the epochs


def test_choose_is_greedy() -> None:
    """q of x = (1, 2) is (0.5, 0.25); of (0, 4), y = (1, 1) and q = (3.5, 4.25)."""
    assert naive.choose(W, [X, [0.0, 4.0]]) == [0, 1]


def test_confusion_counts_true_by_selected() -> None:
    assert naive.confusion([0, 0, 1, 0], [1, 1, 1, 0], 3) == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("other", "degrees"),
    [
        ([[2.0, 0.0], [0.0, 0.0]], 0.0),
        ([[1.0, 0.0], [1.0, 0.0]], 45.0),
        ([[1.0, 1.0], [1.0, 1.0]], 60.0),
        ([[0.0, 0.0], [3.0, 0.0]], 90.0),
        ([[-1.0, 0.0], [0.0, 0.0]], 180.0),
    ],
)
def test_angle_by_hand(other: naive.Matrix, degrees: float) -> None:
    assert naive.angle([[1.0, 0.0], [0.0, 0.0]], other) == pytest.approx(degrees, rel=1e-14)


def test_angle_of_proportional_matrices_whose_cosine_rounds_above_one() -> None:
    assert naive.angle([[0.1, 0.5]], [[3 * 0.1, 3 * 0.5]]) == 0.0


@pytest.mark.parametrize(
    ("accuracies", "stops"),
    [
        ([98.14, 98.1, 98.06], True),
        ([97.0, 98.1, 98.1, 98.1], True),
        ([98.1, 98.1], False),
        ([98.1, 98.16, 98.1], False),
        ([98.1, 98.1, 98.1, 98.2], False),
        ([], False),
    ],
)
def test_stopping_by_hand(accuracies: list[float], stops: bool) -> None:
    assert naive.should_stop(accuracies, checks=3, decimals=1) is stops


def test_stopping_by_whole_percents() -> None:
    assert naive.should_stop([97.6, 98.4], checks=2, decimals=0)


@pytest.mark.parametrize("accuracies", [[], [98.1, 98.1]])
def test_no_checks_never_stop(accuracies: list[float]) -> None:
    assert not naive.should_stop(accuracies, checks=0, decimals=1)


def test_dropped_rate_by_hand() -> None:
    rates = [naive.dropped_rate(epoch, 0.5, 3, 10) for epoch in (1, 2, 3, 4)]
    assert rates == [0.5, 0.5, 0.05, 0.05]


@pytest.mark.parametrize(
    ("spacing", "rates"), [("linear", [2.0, 5.0, 8.0]), ("geometric", [2.0, 4.0, 8.0])]
)
def test_rising_rate_by_hand(spacing: str, rates: list[float]) -> None:
    rising = [naive.rising_rate(epoch, 2.0, 8.0, 3, spacing) for epoch in (1, 2, 3)]
    assert rising == pytest.approx(rates, rel=1e-14)


def test_rising_rate_of_a_single_epoch() -> None:
    assert naive.rising_rate(1, 0.5, 4.0, 1, "linear") == 0.5


@pytest.mark.parametrize(
    "names", [["no-rule"], ["q-agrel", "no-feedback"], ["q-agrel", "fixed", "no-loss"]]
)
def test_unknown_names_are_refused(names: list[Any]) -> None:
    with pytest.raises(AssertionError, match=names[-1]):
        Settings(*names)


def test_naive_shares_nothing_with_the_package() -> None:
    imported = set()
    for node in ast.walk(ast.parse(Path(naive.__file__).read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    assert imported == {"math", "collections.abc", "dataclasses", "fractions"}
