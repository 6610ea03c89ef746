"""The kernels against the slow second author, automatic differentiation, NumPy and plain loops.

The inner parts of `qagrel.kernels` cannot be called from Python when they are compiled, so small
compiled functions call them here.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as anp
import naive
import numba
import numpy as np
import pytest
from autograd import grad
from naive import Settings
from numba import njit

from qagrel import kernels, network
from qagrel.kernels import view  # Numba takes `kernels.view` for NumPy's
from qagrel.replication.sweep import PAPER_RULES
from qagrel.rules import LEARN_BY_REWARD, LOSSES, RULES

RULES_AND_LOSSES = [  # every rule that there is; the loss matters to error-bp only
    *((rule, "cross-entropy") for rule in RULES),
    ("error-bp", "squared-error"),
]
REGIMES = ["symmetric", "learned", "fixed"]
DEPTHS = range(1, 7)
# Rows are padded to multiples of 16, the registers, and cut into tiles of 7, 5, 3 and 1 of them:
# these need 1, 2, 4, 5, 6, 7 and 9.
HIDDEN = [(5,), (64, 16), (17, 5, 65), (6, 112, 5, 6), (6, 33, 6, 5, 96), (9, 6, 130, 6, 7, 8)]
N_SAMPLES, N_INPUTS, N_CLASSES = 16, 12, 5

compiled_only = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT),
    reason="compares compiled code with its plain twin, and nothing is compiled",
)
strict = njit(error_model="numpy")


class Problem:
    """A random network, with samples to learn from; one image is black, some are left out."""

    def __init__(self, hidden: Sequence[int], precision: str = "float64", seed: int = 0) -> None:
        rng = np.random.default_rng([len(hidden), seed])
        widths = (N_INPUTS, *hidden, N_CLASSES)
        # weights large enough that six ReLU layers do not fall silent
        self.weights = [
            (rng.standard_normal((below, above)) * math.sqrt(2 / below)).astype(precision)
            for below, above in itertools.pairwise(widths)
        ]
        self.feedback = [rng.uniform(-0.5, 0.5, w.shape).astype(precision) for w in self.weights]
        grey = rng.integers(1, 256, (N_SAMPLES + 4, N_INPUTS), dtype=np.uint8)
        self.pixels = grey * (rng.random(grey.shape) < 0.6).astype(np.uint8)
        self.pixels[0] = 0
        self.labels = rng.integers(0, N_CLASSES, len(grey)).astype(np.uint8)
        levels = network.input_levels(255, "grey", precision)
        self.inputs = levels[self.pixels]
        self.images = network.sparse_images(self.pixels, self.labels, levels)
        self.order = rng.permutation(np.r_[0, 5 : len(grey)])
        self.explore, self.choose = rng.random((2, self.order.size))

    def learn(self, settings: Settings, batch_size: int, rate: float) -> "Learner":
        """What the kernels make of one epoch."""
        learner = Learner(self, settings, batch_size)
        learner.train(slice(None), rate)
        return learner

    def learn_slowly(self, settings: Settings, batch_size: int, rate: float) -> list[naive.Batch]:
        """What the slow second author makes of one epoch."""
        weights, feedback = ([m.tolist() for m in ms] for ms in (self.weights, self.feedback))
        samples = (self.inputs.tolist(), self.labels.tolist(), self.order.tolist())
        draws = (self.explore.tolist(), self.choose.tolist())
        return naive.train_epoch(weights, feedback, *samples, batch_size, rate, settings, *draws)


@dataclass
class Learner:
    """A network in the layout of the kernels, and what happened to it."""

    problem: Problem
    settings: Settings
    batch_size: int
    chosen: list[int] = field(default_factory=list)  # of the last batch

    def __post_init__(self) -> None:
        symmetric = self.settings.feedback == "symmetric"
        self.network = network.pack(
            self.problem.weights,
            None if symmetric else self.problem.feedback,
            self.settings.feedback == "learned",
        )
        self.work = network.workspace(self.network, self.batch_size)
        n_batches = -(-self.problem.order.size // self.batch_size)
        self.wrong, self.loss = np.zeros(n_batches, np.int64), np.zeros(n_batches)
        self.confusion = np.zeros((N_CLASSES, N_CLASSES), np.int64)

    def train(self, samples: slice, rate: float) -> None:
        """Learn from a part of the epoch that begins a batch."""
        p, s = self.problem, self.settings
        first = (samples.start or 0) // self.batch_size
        draws = kernels.Draws(p.order[samples], p.explore[samples], p.choose[samples])
        record = kernels.Record(self.wrong[first:], self.loss[first:], self.confusion)
        policy = kernels.Policy(
            list(RULES).index(s.rule),
            list(LOSSES).index(s.loss),
            s.epsilon if s.rule in LEARN_BY_REWARD else 0.0,
            s.temperature,
        )
        kernels.train_epoch(self.network, self.work, p.images, draws, policy, rate, record)
        n_last = (draws.order.size - 1) % self.batch_size + 1
        self.chosen = self.work.chosen[:n_last].tolist()

    @property
    def weights(self) -> list[Any]:
        return network.unpack(self.network, self.network.weights)

    @property
    def feedback(self) -> list[Any]:
        return network.unpack(self.network, self.network.feedback)


# --- whole epochs, against the slow second author --------------------------------------------


def assert_same_epoch(ours: Learner, theirs: list[naive.Batch], rtol: float, atol: float) -> None:
    """Every decision is the same; numbers agree within tolerances."""
    selected = [action for batch in theirs for action in batch.selected]
    labels = ours.problem.labels[ours.problem.order].tolist()
    assert ours.confusion.tolist() == naive.confusion(labels, selected, N_CLASSES)
    assert ours.wrong.tolist() == [batch.rewards.count(0.0) for batch in theirs]
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


def test_angles_agree_with_the_slow_author() -> None:
    problem = Problem((17, 6))
    net = network.pack(problem.weights, problem.feedback)
    degrees = np.zeros(net.width.size)
    kernels.feedback_angles(net, degrees)
    expected = [naive.angle(w, b) for w, b in zip(problem.weights, problem.feedback, strict=True)]
    np.testing.assert_allclose(degrees[2:], expected[1:], rtol=1e-13)


@pytest.mark.parametrize(("sign", "angle"), [(1.0, 0.0), (-1.0, 180.0)])
def test_angles_of_parallel_feedback(sign: float, angle: float) -> None:
    weights = Problem((17, 6)).weights
    net = network.pack(weights, [sign * w for w in weights])
    degrees = np.zeros(net.width.size)
    kernels.feedback_angles(net, degrees)
    np.testing.assert_allclose(degrees[2:], angle, atol=3e-6)


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
    kernels.feedback_angles(learner.network, first)
    for _ in range(100):
        learner.train(slice(None), 0.2)
    kernels.feedback_angles(learner.network, last)
    assert (last[2:] < first[2:] - 20).all()


# --- action selection ------------------------------------------------------------------------


@strict
def draw_actions(q, temperature, uniforms, actions):
    for i in range(uniforms.size):
        actions[i] = kernels.boltzmann_action(q, 1, q.shape[1] - 2, temperature, uniforms[i])


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


# --- elementary functions, against NumPy -----------------------------------------------------


@strict
def map_exp(x, out):
    for i in range(x.size):
        out[i] = kernels.exp(x[i])


@strict
def map_log(x, out):
    for i in range(x.size):
        out[i] = kernels.log(x[i])


@strict
def map_arctan(x, out):
    for i in range(x.size):
        out[i] = kernels.arctan(x[i])


@strict
def map_arccos(x, out):
    for i in range(x.size):
        out[i] = kernels.arccos(x[i])


@strict
def map_softmax(q, out, log_totals):
    for b in range(log_totals.size):
        log_totals[b] = kernels.softmax(q, b, q.shape[1], out)


def mapped(function: Callable[[Any, Any], None], x: Any) -> Any:
    """A compiled function's values; plain NumPy numbers would warn where compiled ones do not."""
    out = np.full(x.size, np.nan)
    with np.errstate(all="ignore"):
        function(x, out)
    return out


def assert_close(ours: Any, numpys: Any, units: float) -> None:
    """Within so many units in the last place of NumPy's value."""
    off = np.abs(ours - numpys) / np.spacing(np.abs(numpys))
    assert off.max() <= units, f"{off.max()} units, at {off.argmax()}"


def test_exp_of_the_whole_range() -> None:
    """Down to the smallest denormal number, at -745.13, and beyond, where it is zero."""
    near_zero = -np.geomspace(1e-300, 1, 301)
    x = np.concatenate([np.linspace(-750, 0, 5001), near_zero, np.linspace(-746, -744, 201)])
    assert_close(mapped(map_exp, x), np.exp(x), units=1)


def test_exp_where_it_is_exact() -> None:
    x = np.array([0.0, -0.0, -746.0, -1e308, -math.inf, math.nan])
    assert mapped(map_exp, x).tolist() == [1, 1, 0, 0, 0, 0]


def test_log_of_the_whole_range() -> None:
    near_one = 1 + np.geomspace(2.0**-52, 1, 300)
    x = np.concatenate([np.geomspace(1, 1e308, 1001), near_one])
    np.testing.assert_allclose(mapped(map_log, x), np.log(x), rtol=1e-15, atol=1e-15)


def test_log_of_powers_of_two() -> None:
    x = 2.0 ** np.arange(0, 1024, 33)
    np.testing.assert_allclose(mapped(map_log, x), np.log(x), rtol=3e-16)
    assert mapped(map_log, np.ones(1)) == 0


def test_arctan_of_the_whole_range() -> None:
    x = np.concatenate([np.geomspace(1e-300, 1e300, 601), np.linspace(0, 5, 501), [math.inf]])
    np.testing.assert_allclose(mapped(map_arctan, x), np.arctan(x), rtol=1e-15)


def test_arccos_of_the_whole_range() -> None:
    x = np.concatenate([np.linspace(-1, 1, 1001), 1 - np.geomspace(1e-16, 1, 100)])
    np.testing.assert_allclose(mapped(map_arccos, x), np.arccos(x), rtol=2e-15)


def test_arccos_of_cosines_that_rounding_took_beyond_one() -> None:
    assert mapped(map_arccos, np.array([1 + 1e-15, -1 - 1e-15])).tolist() == [0, np.pi]


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


# --- the three loops in which the time goes, against plain ones, bit for bit -----------------

STRIDES = [16 * registers for registers in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 16)]


@strict
def run_multiply(active, weights, n, out, reached):
    kernels.multiply(active, weights, n, out, reached)


@strict
def run_change(n_used, work, signal, synapses):
    kernels.change_layer(n_used, work, signal, synapses)


@strict
def run_gather(active, feedback, n, above, below):
    kernels.gather_feedback(active, feedback, n, above, below)


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
    n_units = 2 * kernels.BAND + 9
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
def test_change_layer_is_a_plain_loop(stride: int, learns: bool, precision: str) -> None:
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
    synapses = kernels.Synapses(weights, feedback, weights, learns, begun=False, complete=True)
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
    test_change_layer_is_a_plain_loop(16, True, "float32")
    test_gather_feedback_is_a_plain_loop(16, "float32")
    test_softmax_agrees_with_the_slow_author()
    for function in (run_multiply, run_change, run_gather, map_softmax):
        [code, *_] = function.inspect_llvm().values()
        assert re.search(r"= fadd (<16 x )?(float|double)", code)
        assert not re.search(r"= f(add|sub|mul|div|neg) [a-z ]*(fast|contract|reassoc|arcp)", code)
        assert "llvm.fma" not in code
        assert "llvm.fmuladd" not in code


# --- vectors: compiled, against their plain Python twins, bit for bit ------------------------


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that calls the Python in a compiled function, plain twins in hand."""

    def call(function: Any, *arguments: Any) -> Any:
        with monkeypatch.context() as patch:
            for name, twin in kernels.PLAIN.items():
                patch.setattr(kernels, name, twin)
            patch.setitem(globals(), "view", kernels.PLAIN["view"])
            return function.py_func(*arguments)

    return call


def vector_function(registers: int) -> Any:
    @strict
    def function(a, b, number, out):
        zero = kernels.zeros(a, registers)
        kernels.store(out, 0, 0, zero)
        x, y = kernels.load(a, 1, 16, zero), kernels.load(b, 2, 5, zero)
        kernels.store(out, 1, 3, x + y)
        kernels.store(out, 2, 0, x * y)
        kernels.store(out, 3, 1, number * x + y * x + zero)

    return function


def rows_function(registers: int) -> Any:
    @strict
    def function(a, entries, out):
        """Add two columns of registers from the rows that entries[1:] name, sum and scatter."""
        total = kernels.zeros(a, registers)
        for column in (0, 16):
            once = kernels.load(a, 0, column, kernels.zeros(a, 1))
            many = kernels.repeat(once, registers)
            total = total + many * kernels.load_rows(a, entries, 1, entries.size, column, total)
        kernels.store_sums(out, 1, entries, 1, entries.size, total)
        out[0, 0] = kernels.lanes(total)

    return function


@strict
def copy_pairs(entries, copies):
    for e in range(entries.size):
        index, value = kernels.read(entries, e)
        kernels.write(copies, e, index, value)


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
