"""Options beyond the paper in whole runs: what they begin with, and that they go on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import SMALL, contents

from qagrel import Dataset, InputError, RunSpec, load, network, save, train, training
from qagrel.spec import BEYOND
from qagrel.trial import run_trial

spec_of = SMALL.replace
SPECS = {
    "leaky-relu": spec_of(activation="leaky-relu", feedback="learned"),
    "tanh": spec_of(activation="tanh", rule="error-bp"),
    "momentum": spec_of(optimizer="momentum", learning_rate=0.1, feedback="learned"),
    "adam": spec_of(optimizer="adam", learning_rate=0.01),
    "initial_q": spec_of(initial_q=0.7),
    "novelty": spec_of(novelty=5.0),
    "correlation": spec_of(feedback="fixed", feedback_correlation=0.5),
    "noise": spec_of(feedback_noise=0.5, feedback="learned"),
    "silenced": spec_of(feedback_silenced=0.5),
    "distortion": spec_of(distortion="affine", validation_draw="run"),
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("option", SPECS)
def test_a_run_goes_on_as_if_never_interrupted(
    squares: Dataset, tmp_path: Path, option: str, precision: str
) -> None:
    """Through a file, after each epoch."""
    spec, path = SPECS[option].replace(precision=precision), tmp_path / "run.npz"
    whole = train(spec, squares)
    for n in range(1, spec.max_epochs):
        save(train(spec.replace(max_epochs=n), squares), path)
        later = train(spec, squares, initial=load(path))
        assert contents(later) == contents(whole)


DEFAULTS = {name: RunSpec.model_fields[name].default for name in BEYOND}
OF_A_STREAM = [
    n for n, s in SPECS.items() if training._drawn_from(s) != training._drawn_from(SMALL)
]


@pytest.mark.parametrize("option", OF_A_STREAM)
def test_an_option_may_be_new_where_training_goes_on(squares: Dataset, option: str) -> None:
    """It draws what it would from the first epoch on; all else goes on."""
    spec = SPECS[option]
    before, alone = train(spec.replace(**DEFAULTS), squares), train(spec, squares)
    later = training.train_on(spec, squares, before)
    assert before.streams is not None
    assert alone.streams is not None
    assert later.streams is not None
    new = alone.streams.keys() - before.streams.keys()
    assert len(new) == 1
    assert all(later.streams[name] == alone.streams[name] for name in new)
    assert later.streams["orders"] != alone.streams["orders"]


@pytest.mark.parametrize("option", OF_A_STREAM)
def test_an_option_that_pauses_draws_no_number_twice(squares: Dataset, option: str) -> None:
    spec = SPECS[option]
    first = train(spec, squares)
    paused = training.train_on(spec.replace(**DEFAULTS), squares, first)
    after, at_once = (training.train_on(spec, squares, each) for each in (paused, first))
    assert first.streams is not None
    assert after.streams is not None
    assert at_once.streams is not None
    own = first.streams.keys() - training._drawn_from(SMALL)
    assert own
    assert all(after.streams[name] == at_once.streams[name] for name in own)


@pytest.mark.parametrize("option", SPECS)
def test_an_option_changes_what_is_learnt(squares: Dataset, option: str) -> None:
    spec = SPECS[option]
    without = spec.replace(**DEFAULTS)
    assert without != spec
    assert contents(train(without, squares))[2:] != contents(train(spec, squares))[2:]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_run_that_overflows_has_diverged(
    patches: Dataset, tmp_path: Path, optimizer: str
) -> None:
    """Be it in its weights or, where Adam would stand still, in the squares of their changes."""
    samples = patches.train_images / 255 * 1e12
    data = Dataset.from_arrays(samples, patches.train_labels)
    spec = SMALL.replace(optimizer=optimizer, learning_rate=0.01, precision="float32")
    with np.errstate(all="ignore"):
        save(train(spec, data), tmp_path / "run.npz")
    assert load(tmp_path / "run.npz").status == "diverged"


def start(spec: RunSpec, dataset: Dataset | None = None) -> Any:
    """The run before its first epoch."""
    return training._Run(*training.settle(spec, dataset))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("initial_q", [-0.3, 0.0, 1.0])
def test_values_begin_at_their_mean(patches: Dataset, initial_q: float, activation: str) -> None:
    spec = SMALL.replace(initial_q=initial_q, activation=activation)
    run = start(spec, patches)
    weights = network.unpack(run.network, run.network.weights)
    values = [layers[-1] for layers in network.respond(weights, run.train_images, activation)]
    assert np.concatenate(values).mean() == pytest.approx(initial_q, abs=1e-12)
    plain = start(spec.replace(initial_q=None), patches)
    lower = network.unpack(plain.network, plain.network.weights)[:-1]
    assert all((a == b).all() for a, b in zip(weights[:-1], lower, strict=True))


def test_values_that_nothing_activates_are_refused(patches: Dataset) -> None:
    """The only unit of the last hidden layer is inhibited, or not at all, by the one below."""
    complaint = r"\Ainitial_q: no image activates the last hidden layer.*: choose a larger"
    with pytest.raises(InputError, match=complaint):
        [start(SMALL.replace(hidden=(1, 1), initial_q=1.0, seed=n), patches) for n in range(9)]


def test_values_that_no_weights_can_give_are_refused(patches: Dataset) -> None:
    spec = SMALL.replace(initial_q=1.0, weight_range=1e-22, precision="float32")
    with pytest.raises(InputError, match=r"\Ainitial_q: the weights that give 1 are beyond"):
        start(spec, patches)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.5, 0.9, 1.0])
def test_feedback_correlates_as_asked(correlation: float) -> None:
    spec = RunSpec(
        dataset="digits", feedback="fixed", feedback_correlation=correlation, feedback_range=0.2
    )
    run = start(spec)
    for forward, back in zip(
        network.unpack(run.network, run.network.weights),
        network.unpack(run.network, run.network.feedback),
        strict=True,
    ):
        found = np.corrcoef(forward.ravel(), back.ravel())[0, 1]
        assert found == pytest.approx(correlation, abs=0.06)
        assert back.std() == pytest.approx(0.2 / 3**0.5, rel=0.05)


def test_a_share_of_each_layer_is_silenced() -> None:
    spec = RunSpec(hidden=(30, 10), feedback_silenced=0.3)
    deaf = network.deaf_units(spec)
    assert deaf.sum(axis=1).tolist() == [0, 9, 3]
    assert not deaf[2, 10:].any()
    assert (network.deaf_units(spec.replace(learning_rate=0.1)) == deaf).all()
    assert (network.deaf_units(spec.replace(seed=1)) != deaf).any()
    assert network.deaf_units(spec.replace(feedback_silenced=0.0)).size == 0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"rule": "error-bp", "novelty": 1.0}, "novelty: error-bp is told the right answer"),
        ({"momentum": 0.5}, "momentum: it has no effect on the optimizer sgd"),
        ({"feedback_correlation": 0.5}, "feedback_correlation: symmetric feedback weights are"),
        ({"distortion_range": 0.3}, "distortion_range: it has no effect without a distortion"),
        ({"rule": "error-bp", "initial_q": 0.5}, "initial_q: error-bp learns from differences"),
        ({"feedback_silenced": 0.001}, "feedback_silenced: 0.001 of the units of a"),
        (
            {"feedback": "fixed", "feedback_correlation": 0.5, "initial_q": 0.5},
            "feedback_correlation: initial_q shifts the weights",
        ),
    ],
    ids=str,
)
def test_what_has_no_effect_or_another_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=rf"\A{complaint}"):
        RunSpec(**fields)


def test_a_trial_follows_the_activation_function() -> None:
    """And, of what is disturbed, the units that no feedback reaches."""
    spec = SMALL.replace(hidden=(5,), activation="tanh", feedback_silenced=0.4, optimizer="adam")
    trial = run_trial(spec)
    expected = 1.7159 * np.tanh(2 / 3 * trial.net_inputs[0])
    np.testing.assert_allclose(trial.activities[1], expected, rtol=1e-12)
    deaf = network.deaf_units(spec)[1]
    assert (trial.signals[0][deaf] == 0).all()
    assert (trial.changes[0][:, deaf] == 0).all()
    assert trial.signals[0][~deaf].all()
    assert trial.gate(1, 0)
