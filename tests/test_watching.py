"""A run that is watched, stopped, gone on from, and asked what it knows."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from helpers import REGIMES, RULES_AND_LOSSES, contents
from helpers import SMALL as SPEC
from numpy.testing import assert_allclose, assert_array_equal

from qagrel import Dataset, Epoch, History, InputError, RunSpec, load, save, train
from qagrel.triallog import MAX_TRIALS

FORMAT_1 = Path(__file__).parent / "run-format-1.npz"
N_TRAINED = 38  # of 48 samples

# --- watched ---------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
def test_a_callback_sees_the_weights_of_its_epoch(patches: Dataset, regime: str) -> None:
    """Those of a run that ended there."""
    seen: list[Any] = []

    def watch(epoch: Epoch) -> None:
        copies = [[w.copy() for w in ws] for ws in (epoch.weights, epoch.feedback_weights)]
        seen.append((epoch.record, epoch.angles, *copies))

    spec = SPEC.replace(feedback=regime, max_epochs=3)
    history = train(spec, patches, on_epoch=watch)
    for n, (record, angles, weights, feedback) in enumerate(seen, start=1):
        ended = train(spec.replace(max_epochs=n), patches)
        np.testing.assert_equal(record, history.rows[n - 1])
        for ours, theirs in ((weights, ended.weights), (feedback, ended.feedback_weights)):
            assert [w.tobytes() for w in ours] == [w.tobytes() for w in theirs]
        layers = {} if regime == "symmetric" else {n: record[f"angle_{n}"] for n in (2, 3)}
        assert angles == layers
    assert len(seen) == 3


def test_an_epoch_is_a_mapping_of_its_record(patches: Dataset) -> None:
    epochs: list[Epoch] = []
    history = train(SPEC.replace(max_epochs=2), patches, on_epoch=epochs.append)
    assert list(epochs[0]) == list(history.epochs)
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert dict(epochs[1]) == epochs[1].record == history.rows[1]


def test_a_callback_cannot_change_a_run(patches: Dataset) -> None:
    def meddle(epoch: Epoch) -> None:
        epoch.record["reward"] = 7
        for matrix in (*epoch.weights, *epoch.feedback_weights):
            with pytest.raises(ValueError, match="read-only"):
                matrix[0, 0] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                matrix.flags.writeable = True

    spec = SPEC.replace(feedback="learned")
    assert contents(train(spec, patches, on_epoch=meddle)) == contents(train(spec, patches))


def test_looking_at_weights_copies_nothing(patches: Dataset) -> None:
    """The views that were taken in the first epoch show what the last one made."""
    views: list[Any] = []
    history = train(SPEC, patches, on_epoch=lambda epoch: views.append(epoch.weights))
    assert [w.tobytes() for w in views[0]] == [w.tobytes() for w in history.weights]


# --- stopped ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_that_returns_true_ends_the_run(patches: Dataset, answer: Any) -> None:
    history = train(SPEC, patches, on_epoch=lambda epoch: epoch["epoch"] == 3 and answer)
    assert (history.status, history.n_epochs, history.converged) == ("stopped", 3, False)
    assert contents(history)[2:] == contents(train(SPEC.replace(max_epochs=3), patches))[2:]


@pytest.mark.parametrize("answer", [None, False, 0, 1, "yes", [1], np.ones(2)], ids=str)
def test_no_other_answer_ends_a_run(patches: Dataset, answer: Any) -> None:
    assert train(SPEC, patches, on_epoch=lambda _: answer).status == "max-epochs"


@pytest.mark.parametrize(
    ("change", "status"), [({}, "max-epochs"), ({"stop_checks": 1}, "converged")]
)
def test_a_run_that_ends_anyway_is_not_stopped(
    patches: Dataset, change: dict[str, Any], status: str
) -> None:
    spec = SPEC.replace(max_epochs=2, **change)
    assert train(spec, patches, on_epoch=lambda epoch: epoch["epoch"] == 2).status == status


def test_a_stopped_run_comes_back_from_its_file(patches: Dataset, tmp_path: Path) -> None:
    history = train(SPEC, patches, on_epoch=lambda _: True)
    save(history, tmp_path / "run.npz")
    assert load(tmp_path / "run.npz").status == "stopped"


# --- gone on from ----------------------------------------------------------------------------


@pytest.fixture
def through_a_file(tmp_path: Path) -> Callable[[History], History]:
    """Return a function that saves a run and loads it."""

    def pass_on(history: History) -> History:
        save(history, tmp_path / "between.npz")
        return load(tmp_path / "between.npz")

    return pass_on


@pytest.fixture
def in_bytes(tmp_path: Path) -> Callable[[History], bytes]:
    """Return a function that gives all that a run has, as its file does."""

    def give(history: History) -> bytes:
        save(history, tmp_path / "whole.npz")
        return (tmp_path / "whole.npz").read_bytes()

    return give


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("draw", ["epoch", "run"])
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_a_run_goes_on_as_if_never_interrupted(
    patches: Dataset,
    through_a_file: Callable[[History], History],
    in_bytes: Callable[[History], bytes],
    rule: str,
    loss: str,
    regime: str,
    draw: str,
    precision: str,
) -> None:
    """Interrupted at every epoch, by its end or by a callback: the very same file."""
    fields = {"rule": rule, "loss": loss, "feedback": regime, "validation_draw": draw}
    spec = SPEC.replace(max_epochs=5, drop_epoch=3, precision=precision, **fields)
    records = {"record_batches": True, "record_trials": rule != "error-bp"}
    whole = in_bytes(train(spec, patches, **records))
    for n in range(1, 5):
        ended = train(spec.replace(max_epochs=n), patches, **records)
        stopped = train(spec, patches, **records, on_epoch=lambda e, n=n: e["epoch"] == n)
        assert (ended.status, stopped.status) == ("max-epochs", "stopped")
        for first in (ended, stopped):
            assert in_bytes(train(spec, patches, initial=through_a_file(first))) == whole


@pytest.mark.parametrize("batch_size", [1, 300])
def test_a_run_of_small_or_large_batches_goes_on_too(
    in_bytes: Callable[[History], bytes], batch_size: int
) -> None:
    """Trial by trial, and in batches of several blocks whose changes are summed."""
    fields = {"batch_size": batch_size, "validation_size": 1000, "feedback": "learned"}
    spec = SPEC.replace(dataset="digits", max_epochs=3, learning_rate=0.01, **fields)
    first = train(spec.replace(max_epochs=2))
    assert in_bytes(train(spec, initial=first)) == in_bytes(train(spec))


def test_a_run_goes_on_epoch_by_epoch(
    patches: Dataset, in_bytes: Callable[[History], bytes]
) -> None:
    spec = SPEC.replace(max_epochs=6, stop_checks=2)
    whole = train(spec, patches)
    history = train(spec.replace(max_epochs=1), patches)
    for n in range(2, whole.n_epochs + 1):
        history = train(spec.replace(max_epochs=n), patches, initial=history)
    assert in_bytes(dataclasses.replace(history, spec=spec)) == in_bytes(whole)


def test_checks_before_an_interruption_count(patches: Dataset) -> None:
    """Nothing is learnt at this rate, so that three checks agree at epoch 6."""
    spec = SPEC.replace(learning_rate=1e-9, stop_checks=3, max_epochs=20, validation_draw="run")
    first = train(spec.replace(max_epochs=5), patches)
    history = train(spec, patches, initial=first)
    assert (history.status, history.n_epochs) == ("converged", 6)


def test_a_converged_run_goes_on_by_another_stopping_rule(
    patches: Dataset, in_bytes: Callable[[History], bytes]
) -> None:
    spec = SPEC.replace(stop_checks=1, max_epochs=6)
    first, longer = train(spec, patches), spec.replace(stop_checks=0)
    assert (first.status, first.n_epochs) == ("converged", 2)
    assert in_bytes(train(longer, patches, initial=first)) == in_bytes(train(longer, patches))


def test_the_run_that_is_gone_on_from_stays_as_it_is(
    patches: Dataset, in_bytes: Callable[[History], bytes]
) -> None:
    first = train(SPEC, patches, record_trials=True)
    before = in_bytes(first)
    train(SPEC.replace(max_epochs=6), patches, initial=first)
    assert in_bytes(first) == before


def test_a_callback_of_a_later_part_is_told_of_its_own_epochs(patches: Dataset) -> None:
    told: list[Any] = []
    first = train(SPEC.replace(max_epochs=2), patches)
    train(SPEC, patches, initial=first, on_epoch=lambda epoch: told.append(epoch["epoch"]))
    assert told == [3, 4]


def test_what_the_data_are_called_does_not_matter(patches: Dataset) -> None:
    first = train(SPEC.replace(max_epochs=2), patches)
    moved = dataclasses.replace(patches, name="elsewhere")
    history = train(SPEC.replace(grey_max=255), moved, initial=first)
    assert contents(history)[2:] == contents(train(SPEC, patches))[2:]
    assert history.spec.dataset == "elsewhere"


OTHER: dict[str, Any] = {
    **{"rule": "error-bp", "feedback": "fixed", "hidden": (9, 8), "learning_rate": 0.25},
    **{"seed": 1, "batch_size": 6, "epsilon": 0.2, "temperature": 2.0, "loss": "squared-error"},
    **{"input_scale": "binary", "weight_range": 0.4, "feedback_range": 0.3, "validation_size": 9},
    **{"validation_draw": "run", "validation_every": 1, "drop_epoch": 9, "drop_factor": 2.0},
    **{"payoff": ((1.0, 0.0, 0.5),) * 3, "reward_omission": 0.1, "reward_flip": 0.1},
    **{"learning_rate_end": 1.0, "learning_rate_spacing": "linear", "precision": "float32"},
    **{"initial_q": 0.5, "novelty": 1.0, "activation": "tanh", "optimizer": "adam"},
    **{"feedback_noise": 0.5, "feedback_silenced": 0.5, "feedback_correlation": 0.5},
    **{"momentum": 0.5, "payoff_switch": 4, "payoff_after": ((1.0, 0.0, 0.0),) * 3},
}
SWITCH = {"payoff_switch": 3, "payoff_after": ((0.0, 1.0, 0.0),) * 3}
PARTNERS: dict[str, dict[str, Any]] = {  # what a field has no meaning without
    **{"payoff_switch": SWITCH, "payoff_after": SWITCH},
    **{"momentum": {"optimizer": "momentum"}, "feedback_correlation": {"feedback": "fixed"}},
}
MAY_DIFFER = {"dataset", "grey_max", "max_epochs", "stop_checks", "stop_decimals"}
ELSEWHERE = {"distortion", "distortion_range"}  # of square images, in `test_distorted`


@pytest.mark.parametrize("field", sorted(RunSpec.model_fields.keys() - MAY_DIFFER - ELSEWHERE))
def test_another_specification_is_refused(patches: Dataset, field: str) -> None:
    spec = SPEC.replace(**PARTNERS.get(field, {}))
    first = train(spec.replace(max_epochs=2), patches)
    with pytest.raises(InputError, match=rf"\A{field}: .* is not the .* of the run to go on from"):
        train(spec.replace(**{field: OTHER[field]}), patches, initial=first)


def changed(patches: Dataset, name: str) -> Dataset:
    if name == "labels":
        labels = patches.test_labels.copy()
        labels[0] = 1 - labels[0] // 2
        return dataclasses.replace(patches, test_labels=labels)
    return (
        patches.scaled(240)
        if name == "scale"
        else dataclasses.replace(patches, n_classes=4, classes=())
    )


@pytest.mark.parametrize("change", ["labels", "scale", "classes"])
def test_other_data_are_refused(patches: Dataset, change: str) -> None:
    first = train(SPEC.replace(max_epochs=2), patches)
    with pytest.raises(InputError, match="patches is not what this run was trained on"):
        train(SPEC, changed(patches, change), initial=first)


def test_a_rate_that_rises_to_the_end_is_refused(patches: Dataset) -> None:
    spec = SPEC.replace(learning_rate_end=1.0)
    first = train(spec, patches, on_epoch=lambda _: True)
    with pytest.raises(InputError, match=r"\Alearning_rate_end: .* depends on which that is"):
        train(spec, patches, initial=first)


@pytest.mark.parametrize("max_epochs", [1, 4])
def test_no_more_epochs_than_there_are_is_refused(patches: Dataset, max_epochs: int) -> None:
    first = train(SPEC, patches)
    with pytest.raises(InputError, match=rf"\Amax_epochs: {max_epochs} is not more than the 4 "):
        train(SPEC.replace(max_epochs=max_epochs), patches, initial=first)


@pytest.mark.parametrize("n_first", [2, 4])
def test_a_stopping_rule_that_would_have_ended_the_run_is_refused(
    patches: Dataset, n_first: int
) -> None:
    first = train(SPEC.replace(max_epochs=n_first), patches)
    complaint = rf"\Astop_checks: .* at epoch 2, of which it has {n_first}: "
    with pytest.raises(InputError, match=complaint):
        train(SPEC.replace(max_epochs=9, stop_checks=1), patches, initial=first)


def test_a_diverged_run_is_not_gone_on_from(patches: Dataset) -> None:
    with np.errstate(all="ignore"):
        first = train(SPEC.replace(learning_rate=1e200), patches)
    with pytest.raises(InputError, match="this run diverged"):
        train(first.spec.replace(max_epochs=9), patches, initial=first)


def test_a_run_of_the_first_format_is_not_gone_on_from() -> None:
    old = load(FORMAT_1)
    with pytest.raises(InputError, match="its file is of an earlier version"):
        train(old.spec.replace(max_epochs=9), initial=old)


@pytest.mark.parametrize("name", ["record_batches", "record_trials"])
def test_records_that_the_first_part_has_not_are_refused(patches: Dataset, name: str) -> None:
    first = train(SPEC.replace(max_epochs=2), patches)
    with pytest.raises(InputError, match=rf"\A{name}: .* has no such records of its first epochs"):
        train(SPEC, patches, initial=first, **{name: True})


# --- asked -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["grey", "binary"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_activities_are_those_of_the_slow_author(
    patches: Dataset, precision: str, scale: str
) -> None:
    """From the inputs that the network was trained on, to the Q-values."""
    data = patches.scaled(220)
    history = train(SPEC.replace(precision=precision, input_scale=scale), data)
    layers = history.activities(data.test_images)
    levels = data.test_images / 220 if scale == "grey" else (data.test_images >= 110) * 1.0
    weights: Any = [w.tolist() for w in history.weights]
    expected = [naive.forward(weights, x) for x in levels.tolist()]
    assert [layer.dtype.name for layer in layers] == [precision] * 4
    for layer, values in enumerate(layers):
        assert_allclose(values, [each[layer] for each in expected], rtol=1e-4, atol=1e-5)
    assert_array_equal(history.q_values(data.test_images), layers[-1])
    chosen = np.array(data.classes)[layers[-1].argmax(axis=1)]
    assert_array_equal(history.predict(data.test_images), chosen)


def test_a_diverged_run_answers_nothing(patches: Dataset) -> None:
    with np.errstate(all="ignore"):
        history = train(SPEC.replace(learning_rate=1e200), patches)
    for ask in (history.predict, history.q_values, history.activities):
        with pytest.raises(InputError, match="this run are not finite, it diverged"):
            ask(patches.test_images)


# --- a trial of a trained network ------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("regime", REGIMES)
def test_a_trial_is_what_the_trained_network_does(
    patches: Dataset, regime: str, precision: str
) -> None:
    spec = SPEC.replace(feedback=regime, precision=precision, epsilon=0.0, drop_epoch=3)
    history = train(spec, dataclasses.replace(patches, classes=(2, 5, 9)))
    image, label = patches.test_images[4], 5
    trial = history.run_trial(image, label)
    for ours, theirs in zip(trial.activities, history.activities(image[None]), strict=True):
        assert_array_equal(ours, theirs[0], strict=True)
    assert trial.winner == trial.activities[-1].argmax()
    assert (trial.target, trial.reward) == (1, float(trial.winner == 1))
    assert trial.delta == trial.reward - float(trial.activities[-1][trial.winner])
    assert trial.signals[-1].tolist() == naive.one_hot(3, trial.winner)
    activities: Any = [a.tolist() for a in trial.activities]
    gates = naive.open_gates(activities)
    down: Any = [w.tolist() for w in history.feedback_weights]
    signals = naive.feedback_signals(down, gates, naive.one_hot(3, trial.winner))
    for layer, increments in enumerate(
        naive.trial_increments(activities, gates, signals, trial.delta)
    ):
        rate = 0.05  # since the third epoch
        changes = rate * np.array(increments)
        assert_allclose(
            trial.changes[layer], changes, atol=1e-6 if precision == "float32" else 1e-14
        )
        gated = np.multiply(gates[layer + 1], signals[layer])
        assert_allclose(trial.signals[layer], gated, rtol=1e-5, atol=1e-6)


def test_trials_of_other_numbers_explore_otherwise(patches: Dataset) -> None:
    history = train(SPEC.replace(epsilon=1.0), patches)
    image = patches.test_images[0]
    winners = [history.run_trial(image, 0, number).winner for number in range(30)]
    assert set(winners) == {0, 1, 2}
    assert winners == [history.run_trial(image, 0, number).winner for number in range(30)]


def test_a_trial_leaves_the_history_as_it_is(patches: Dataset) -> None:
    history = train(SPEC, patches)
    before = contents(history)
    history.run_trial(patches.test_images[0], 0)
    assert contents(history) == before


def test_a_trial_of_another_label_is_refused(patches: Dataset) -> None:
    history = train(SPEC, patches)
    with pytest.raises(InputError, match=r"\Alabel: 3 is no class .* labels are 0 to 2: "):
        history.run_trial(patches.test_images[0], 3)


def test_a_rule_without_rewards_has_no_trial(patches: Dataset) -> None:
    history = train(SPEC.replace(rule="error-bp"), patches)
    with pytest.raises(InputError, match="'error-bp' has neither"):
        history.run_trial(patches.test_images[0], 0)


# --- the log of all trials -------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 38])
@pytest.mark.parametrize("regime", REGIMES)
def test_the_log_is_that_of_the_slow_author(patches: Dataset, regime: str, batch_size: int) -> None:
    """Who stood before the network at every trial, batch by batch, with the same random numbers."""
    spec = SPEC.replace(feedback=regime, batch_size=batch_size, max_epochs=2, epsilon=0.5)
    history = train(spec, patches, record_trials=True)
    log = history.trials
    assert log is not None
    assert list(log) == [
        *("epoch", "trial", "sample", "class", "action", "reward"),
        *("q_value", "prediction_error", "explored"),
    ]
    assert_array_equal(log["epoch"], np.repeat([1, 2], N_TRAINED))
    assert_array_equal(log["trial"], np.tile(np.arange(1, N_TRAINED + 1), 2))
    assert_array_equal(log["class"], patches.train_labels[log["sample"]])
    assert_array_equal(log["reward"], log["action"] == log["class"])
    assert_allclose(log["prediction_error"], log["reward"] - log["q_value"], rtol=1e-15)
    weights: Any = [w.tolist() for w in train(spec.replace(learning_rate=1e-300), patches).weights]
    feedback: Any = None
    if regime != "symmetric":
        start = train(spec.replace(learning_rate=1e-300), patches)
        feedback = [w.tolist() for w in start.feedback_weights]
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(spec.seed).spawn(4)]
    settings = naive.Settings("q-agrel", regime, "cross-entropy", 0.5)
    inputs = patches.train_images / 255
    for epoch in range(2):
        explore, choose = streams[3].random((2, N_TRAINED))
        rows = log[log["epoch"] == epoch + 1].reset_index(drop=True)
        assert_array_equal(rows["explored"], explore < 0.5)
        for first in range(0, N_TRAINED, batch_size):
            part = rows.iloc[first : first + batch_size]
            x = inputs[part["sample"]].tolist()
            values = [naive.forward(weights, each)[-1] for each in x]
            expected = [q[a] for q, a in zip(values, part["action"], strict=True)]
            assert_allclose(part["q_value"], expected, rtol=1e-9)
            uniforms = [u[first : first + batch_size].tolist() for u in (explore, choose)]
            labels = part["class"].tolist()
            batch = naive.train_batch(weights, feedback, x, labels, 0.5, settings, *uniforms)
            assert part["action"].tolist() == batch.selected
            weights, feedback = batch.weights, batch.feedback


def test_a_run_is_the_same_whether_logged_or_not(patches: Dataset) -> None:
    spec = SPEC.replace(precision="float32", feedback="learned")
    logged = train(spec, patches, record_trials=True)
    assert contents(logged) == contents(train(spec, patches))
    assert train(spec, patches).trials is None


def test_a_batch_of_several_blocks_is_logged_whole(patches: Dataset) -> None:
    """As the same run without a second block, whose choices the confusion counts."""
    many = {
        name: np.repeat(getattr(patches, name), 10, axis=0)
        for name in ("train_images", "train_labels")
    }
    data = dataclasses.replace(patches, **many)
    history = train(SPEC.replace(batch_size=470, max_epochs=1), data, record_trials=True)
    assert history.trials is not None
    counts = history.trials.groupby(["class", "action"]).size().unstack(fill_value=0)
    assert_array_equal(counts, history.confusion[0])
    assert history.trials["reward"].mean() == pytest.approx(history.rows[0]["reward"], rel=1e-12)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_log_comes_back_from_a_file(
    patches: Dataset, through_a_file: Callable[[History], History], precision: str
) -> None:
    data = dataclasses.replace(patches, classes=(2, 5, 9))
    history = train(SPEC.replace(precision=precision), data, record_trials=True)
    back = through_a_file(history)
    assert history.trials is not None
    assert back.trials is not None
    assert back.trials.equals(history.trials)
    assert set(history.trials["class"]) == {2, 5, 9}
    assert history.trials["q_value"].dtype == precision


def test_too_many_trials_are_refused_before_any_work(patches: Dataset) -> None:
    most = MAX_TRIALS // N_TRAINED
    with pytest.raises(InputError, match=rf"choose max_epochs of {most} at the most"):
        train(SPEC.replace(max_epochs=most + 1), patches, record_trials=True)


def test_no_log_of_a_rule_without_rewards(patches: Dataset) -> None:
    with pytest.raises(InputError, match=r"\Arecord_trials: .* which 'error-bp' does not learn"):
        train(SPEC.replace(rule="error-bp"), patches, record_trials=True)


# --- other rewards, and values ---------------------------------------------------------------

REWARDS = {
    "payoff": ((1.0, 0.0), (-1.0, 0.5), (0.0, 0.25)),
    "payoff_after": ((0.0, 1.0), (1.0, 0.0), (0.5, 0.0)),
    "payoff_switch": 3,
    "reward_omission": 0.2,
    "reward_flip": 0.3,
}


@pytest.mark.parametrize("n_first", [1, 2, 3, 4])
def test_a_run_of_other_rewards_goes_on_as_if_never_interrupted(
    patches: Dataset,
    through_a_file: Callable[[History], History],
    in_bytes: Callable[[History], bytes],
    n_first: int,
) -> None:
    """Before, at and after the switch; chances have a stream of their own."""
    spec = SPEC.replace(max_epochs=5, validation_every=1, **REWARDS)
    records = {"record_batches": True, "record_trials": True}
    first = through_a_file(train(spec.replace(max_epochs=n_first), patches, **records))
    assert in_bytes(train(spec, patches, initial=first)) == in_bytes(
        train(spec, patches, **records)
    )


def test_checks_before_a_switch_end_nothing(patches: Dataset) -> None:
    """The stopping rule looks at the later task alone, in the part that goes on too."""
    rates = {"learning_rate": 1e-9, "validation_draw": "run", "validation_every": 1}
    spec = SPEC.replace(max_epochs=9, stop_checks=3, **rates, **REWARDS)
    first = train(spec.replace(max_epochs=4), patches)
    assert (first.status, first.n_epochs) == ("max-epochs", 4)
    assert train(spec, patches, initial=first).n_epochs == 5
    with pytest.raises(
        InputError, match="ends the run to go on from at epoch 3, of which it has 4"
    ):
        train(spec.replace(stop_checks=1), patches, initial=first)


def test_the_log_has_the_rewards_that_there_were(patches: Dataset) -> None:
    """Rewards of each epoch sum up to its record; without chance they are those of the table."""
    data = dataclasses.replace(patches, classes=(2, 5, 9))
    chancy = train(SPEC.replace(**REWARDS), data, record_trials=True)
    assert chancy.trials is not None
    means = chancy.trials.groupby("epoch")["reward"].mean()
    assert_allclose(means, chancy.epochs["reward"], rtol=1e-12)
    certain = SPEC.replace(**REWARDS | {"reward_omission": 0.0, "reward_flip": 0.0})
    log = train(certain, data, record_trials=True).trials
    assert log is not None
    classes = np.searchsorted([2, 5, 9], log["class"])
    tables = np.array([REWARDS["payoff"], REWARDS["payoff_after"]])
    paid = tables[(log["epoch"] >= 3).astype(int), classes, log["action"]]
    assert_array_equal(log["reward"], paid)


def test_a_trial_of_other_rewards(patches: Dataset) -> None:
    """By the payoffs of the last epoch, those after the switch."""
    certain = REWARDS | {"reward_omission": 0.0, "reward_flip": 0.0}
    history = train(SPEC.replace(epsilon=0.0, **certain), patches)
    for image, label in zip(patches.test_images, patches.test_labels.tolist(), strict=True):
        trial = history.run_trial(image, label)
        assert trial.reward == REWARDS["payoff_after"][label][trial.winner]
        assert trial.winner == history.predict(image[None])[0]


def test_other_rewards_are_learnt_or_not(patches: Dataset) -> None:
    """Every action is right for some class; a class is unlearnt by the actions that pay most."""
    table = ((1.0, 0.0), (0.0, 1.0), (1.0, 0.0))
    learnt = train(SPEC.replace(payoff=table, max_epochs=60, epsilon=0.1), patches)
    assert (learnt.unlearnt, learnt.warning) == ((), None)
    blind = train(SPEC.replace(payoff=table, learning_rate=1e-9), patches)
    assert blind.warning is not None
    assert "not significantly more than chance" in blind.warning


def test_a_run_of_values_is_asked_and_gone_on_from(in_bytes: Callable[[History], bytes]) -> None:
    """Features of any sign, in single precision, and labels that are words."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((60, 5))
    data = Dataset.from_arrays(values, np.array(["ash", "elm", "oak"])[np.arange(60) % 3])
    spec = SPEC.replace(precision="float32", max_epochs=4)
    first = train(spec.replace(max_epochs=2), data, record_trials=True)
    history = train(spec, data, initial=first)
    assert in_bytes(history) == in_bytes(train(spec, data, record_trials=True))
    assert_array_equal(history.activities(values)[0], values.astype(np.float32))
    assert_array_equal(history.q_values(values), history.activities(values)[-1])
    assert set(history.predict(values)) <= {"ash", "elm", "oak"}
    assert history.trials is not None
    assert set(history.trials["class"]) == {"ash", "elm", "oak"}
    trial = history.run_trial(values[7], "elm")
    assert_array_equal(trial.activities[-1], history.q_values(values[7:8])[0])
    with pytest.raises(
        InputError, match="'yew' is no class of this run, whose labels are ash, elm"
    ):
        history.run_trial(values[7], "yew")
    assert set(history.unlearnt) <= {"ash", "elm", "oak"}


# --- what is no run, no data set and no history ---------------------------------------------


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((SPEC, "digits"), "dataset: str is not possible: give a Dataset, or name it in RunSpec"),
        ((SPEC, (1, 2)), "dataset: tuple is not possible"),
        (({"hidden": 8},), "spec: dict is not possible: give a RunSpec"),
        ((None,), "spec: NoneType is not possible"),
    ],
)
def test_what_is_of_another_kind_is_refused(given: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        train(*given)


def test_a_path_is_no_history(patches: Dataset) -> None:
    with pytest.raises(InputError, match=r"initial: str is not possible: .*qagrel\.load"):
        train(SPEC, patches, initial="run.npz")  # type: ignore[arg-type]


def test_runs_and_data_show_themselves_in_a_line(patches: Dataset) -> None:
    history = train(SPEC, patches)
    assert repr(patches) == (
        "<Dataset 'patches': 48 training and 15 test samples of 12 features, 3 classes>"
    )
    assert repr(history).startswith("<History of q-agrel on 'patches': 4 epochs, max-epochs, ")
    with pytest.raises(InputError, match=r"dataset: <Dataset '.* is not possible"):
        RunSpec(dataset=patches)


def test_images_need_not_be_flattened(patches: Dataset) -> None:
    history = train(SPEC, patches)
    images = patches.test_images.reshape(-1, *patches.image_shape)
    assert (history.q_values(images) == history.q_values(patches.test_images)).all()
