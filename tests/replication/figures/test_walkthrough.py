"""A trial phase by phase shows what the network did, by whatever activation function."""

import naive
import numpy as np
import pytest
from helpers import TRIAL
from matplotlib.figure import Figure

from qagrel.replication.figures import walkthrough
from qagrel.rules import ACTIVATIONS
from qagrel.trial import Trial, run_trial


@pytest.fixture(params=ACTIVATIONS)
def trial(request: pytest.FixtureRequest) -> Trial:
    """Return one with units on both sides of zero."""
    made = run_trial(TRIAL.replace(activation=request.param, hidden=(9, 8)))
    assert all(0 < (sums > 0).sum() < sums.size for sums in made.net_inputs[:-1])
    return made


def test_the_value_afterwards_is_that_of_the_changed_network(trial: Trial) -> None:
    pairs = zip(trial.weights, trial.changes, strict=True)
    weights = [(w + change / trial.spec.batch_size).tolist() for w, change in pairs]
    values = naive.forward(weights, trial.activities[0].tolist(), trial.spec.activation)[-1]
    assert walkthrough.value_afterwards(trial) == pytest.approx(values[trial.winner], rel=1e-12)
    assert values[trial.winner] != trial.activities[-1][trial.winner]


def test_gates_are_shut_where_nothing_enters(trial: Trial) -> None:
    for layer, (activities, sent) in enumerate(
        zip(trial.activities[1:-1], trial.signals[:-1], strict=True), start=1
    ):
        axes = Figure().subplots()
        walkthrough.shut_gates(axes, trial, layer, walkthrough.field(activities.size))
        assert len(axes.patches) == (sent == 0).sum()


def test_the_gates_that_are_told_are_open(trial: Trial) -> None:
    told = walkthrough.told(trial, 1, "abc")
    for sent in trial.signals[:-1]:
        assert f"{np.count_nonzero(sent)} of {sent.size}" in told


def test_activities_below_zero_have_colours_of_their_own(trial: Trial) -> None:
    figure = walkthrough.walkthrough(trial, 1, (1, 3), "abc")
    for axes, activities in zip(figure.axes, trial.activities[:-1], strict=False):
        assert (axes.images[0].norm.vmin < 0) == (activities.min() < 0)
