"""The numbers of a trial are those that the naive implementation finds."""

import naive
import numpy as np
import pytest
from helpers import TRIAL
from numpy.testing import assert_allclose

from qagrel import InputError, RunSpec
from qagrel.trial import Trial, find_trial, open_and_closed, run_trial


def small(**changes: object) -> RunSpec:
    return TRIAL.replace(**{"hidden": (4, 3), **changes})


SPECS = [
    small(),
    small(seed=5, hidden=(3,)),
    small(feedback="symmetric", hidden=(5, 4, 3)),
    small(feedback="fixed", learning_rate=0.1),
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("number", range(5))
def test_the_trial_is_that_of_the_naive_implementation(spec: RunSpec, number: int) -> None:
    trial = run_trial(spec, number)
    weights = [matrix.tolist() for matrix in trial.weights]
    down = [matrix.tolist() for matrix in trial.feedback_weights]
    activities = naive.forward(weights, trial.activities[0].tolist())
    gates = naive.open_gates(activities)
    signals = naive.feedback_signals(down, gates, naive.one_hot(3, trial.winner))
    delta = trial.reward - activities[-1][trial.winner]
    increments = naive.trial_increments(activities, gates, signals, delta)
    for layer, matrix in enumerate(weights):
        assert_allclose(trial.activities[layer + 1], activities[layer + 1], atol=1e-12)
        net_inputs = naive.weighted_sums(matrix, activities[layer])
        assert_allclose(trial.net_inputs[layer], net_inputs, atol=1e-12)
        gated = np.multiply(gates[layer + 1], signals[layer])
        assert_allclose(trial.signals[layer], gated, atol=1e-12)
        changes = spec.learning_rate * np.array(increments[layer])
        assert_allclose(trial.changes[layer], changes, atol=1e-12)
    assert trial.delta == pytest.approx(delta, abs=1e-12)
    assert trial.reward == (trial.winner == trial.target)


def test_symmetric_feedback_is_the_weights() -> None:
    trial = run_trial(small(feedback="symmetric"))
    assert trial.feedback_weights is trial.weights


def test_learned_feedback_is_drawn_on_its_own() -> None:
    trial = run_trial(small())
    assert not np.array_equal(trial.feedback_weights[1], trial.weights[1])


def test_feedback_correlates_as_asked() -> None:
    """Wholly: it is the weights, of its own size."""
    trial = run_trial(small(feedback="fixed", feedback_correlation=1.0, feedback_range=0.5))
    for forward, back in zip(trial.weights, trial.feedback_weights, strict=True):
        assert_allclose(back, forward / 4, rtol=1e-14)


def test_other_trials_meet_the_same_network() -> None:
    first, second = run_trial(small(), 0), run_trial(small(), 1)
    assert np.array_equal(first.weights[0], second.weights[0])
    assert not np.array_equal(first.activities[0], second.activities[0])


def test_another_seed_gives_another_network() -> None:
    assert not np.array_equal(run_trial(small()).weights[0], run_trial(small(seed=1)).weights[0])


def test_the_signal_is_known_where_nothing_is_learnt() -> None:
    """A silent network without reward has delta 0, and still the winner sends its signal."""
    spec = small(hidden=(1,))
    trial = find_trial(spec, lambda t: t.delta == 0)
    assert trial.signals[-1].tolist() == naive.one_hot(3, trial.winner)


def test_the_number_of_units_can_be_chosen() -> None:
    trial = run_trial(small(), n_inputs=6, n_actions=2)
    assert [len(layer) for layer in trial.activities] == [6, 4, 3, 2]


def test_error_bp_has_no_trials() -> None:
    with pytest.raises(InputError, match="needs an action and a reward"):
        run_trial(small(rule="error-bp"))


def test_the_first_trial_that_is_wanted_is_found() -> None:
    found = find_trial(small(), lambda trial: trial.reward == 1)
    number = next(n for n in range(100) if run_trial(small(), n).reward == 1)
    assert np.array_equal(found.activities[0], run_trial(small(), number).activities[0])


def test_a_seed_whose_first_network_does_not_do_has_others() -> None:
    def is_another(trial: Trial) -> bool:
        return not np.array_equal(trial.weights[0], run_trial(small()).weights[0])

    found = find_trial(small(), is_another)
    assert np.array_equal(found.weights[0], run_trial(small(), draw=1).weights[0])


def test_a_trial_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qagrel.trial.N_NETWORKS", 2)
    with pytest.raises(InputError, match="100 trials of each of 2 networks with seed 7 "):
        find_trial(small(seed=7), lambda trial: trial.reward > 1)


@pytest.mark.parametrize("layer", [1, 2])
def test_a_gate_is_seen_open_and_closed(layer: int) -> None:
    unit, opened, closed = open_and_closed(small(), layer)
    assert opened.gate(layer, unit)
    assert opened.changes[layer - 1][:, unit].any()
    assert not closed.gate(layer, unit)
    assert not closed.changes[layer - 1][:, unit].any()
    for trial in (opened, closed):
        assert trial.reward == 1
        assert trial.delta > 0
        assert trial.activities[-1].any()


def test_gates_are_shown_in_trials_that_are_as_wanted() -> None:
    _, opened, closed = open_and_closed(small(), 2, lambda trial: trial.winner == 1)
    assert (opened.winner, closed.winner) == (1, 1)


def test_a_unit_without_neighbours_is_never_seen_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it silent, all outputs would be."""
    monkeypatch.setattr("qagrel.trial.N_NETWORKS", 2)
    with pytest.raises(InputError, match="do not show"):
        open_and_closed(small(hidden=(3, 1)), 2)


def test_a_gate_that_is_never_seen_closed_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one input, which is positive, the sign of its weight decides for ever."""
    monkeypatch.setattr("qagrel.trial.N_NETWORKS", 2)
    with pytest.raises(InputError, match="do not show"):
        open_and_closed(small(hidden=(1,)), 1, n_inputs=1)


@pytest.mark.parametrize("seed", range(20))
def test_any_seed_has_something_to_show(seed: int) -> None:
    spec = small(seed=seed, hidden=(3, 2))
    trial = find_trial(spec, lambda t: t.reward == 1 and (t.signals[0] != 0).sum() > 1)
    assert trial.spec.seed == seed
    unit, opened, closed = open_and_closed(spec, 2)
    assert (opened.gate(2, unit), closed.gate(2, unit)) == (True, False)
