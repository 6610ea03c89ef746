"""Rewards as data: what a run makes of payoffs, a reversal, and the chances of a reward."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from helpers import SMALL, TRIAL, contents, where_compiled
from test_training import Spy

from qagrel import (
    Dataset,
    History,
    InputError,
    RunSpec,
    equivalence,
    load,
    network,
    save,
    train,
    training,
)
from qagrel.history import columns
from qagrel.trial import run_trial

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
TURNED = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
GO = ((1.0, -0.5), (-1.0, 0.0), (0.25, 0.25))  # three classes: to go, not to go, all the same
N_TRAINED = 38

spec_of = SMALL.replace
SPECS = {
    "payoff": spec_of(payoff=GO, feedback="learned"),
    "omission": spec_of(reward_omission=0.3),
    "flip": spec_of(payoff=GO, reward_flip=0.3),
    "both": spec_of(reward_omission=0.2, reward_flip=0.4, feedback="fixed"),
    "reversal": spec_of(payoff_switch=3, payoff_after=TURNED),
    "all": spec_of(
        payoff=GO,
        payoff_switch=2,
        payoff_after=GO[::-1],
        reward_omission=0.2,
        reward_flip=0.1,
        precision="float32",
    ),
}


long = where_compiled("hundreds of epochs, which take seconds where nothing is compiled")


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


# --- a whole run ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPECS)
def test_a_run_agrees_with_the_slow_author(name: str, spy: Spy, patches: Dataset) -> None:
    """From the same weights and random numbers: what was chosen, earned and could be earned."""
    spec = SPECS[name].replace(precision="float64")
    history = train(spec, patches)
    start = train(spec.replace(learning_rate=1e-300, max_epochs=1), patches)
    weights: Any = [w.tolist() for w in start.weights]
    feedback: Any = [w.tolist() for w in start.feedback_weights]
    inputs, labels = (patches.train_images / 255).tolist(), patches.train_labels.tolist()
    for epoch, draws in enumerate(spy.draws[: history.n_epochs]):
        table = spec.payoff_after if epoch + 1 >= (spec.payoff_switch or 99) else spec.payoff
        chances = spec.reward_omission, spec.reward_flip
        settings = naive.Settings(
            "q-agrel", spec.feedback, "cross-entropy", 0.3, 1.0, table, *chances
        )
        order, *uniforms, _ = (array.tolist() for array in draws)  # the last is noise
        batches = naive.train_epoch(
            weights, feedback, inputs, labels, order, 7, 0.5, settings, *uniforms
        )
        weights, feedback = batches[-1].weights, batches[-1].feedback
        selected = [action for batch in batches for action in batch.selected]
        shown = [labels[i] for i in order]
        n_actions = len(weights[-1][0])
        assert history.confusion[epoch].tolist() == naive.confusion(shown, selected, 3, n_actions)
        payoffs = [naive.payoffs(settings, label, n_actions) for label in range(3)]
        best = [naive.best_expected_reward(payoff, *chances) for payoff in payoffs]
        row = history.rows[epoch]
        rewards = [reward for batch in batches for reward in batch.rewards]
        assert row["reward"] == pytest.approx(np.mean(rewards), rel=1e-12, abs=1e-15)
        assert row["optimal_reward"] == pytest.approx(np.mean([best[label] for label in shown]))
        wrong = [wrong for batch in batches for wrong in batch.wrong]
        assert row["error"] == sum(wrong) / N_TRAINED
        assert row["train_accuracy"] == 100 * (1 - row["error"])
    choices = naive.choose(weights, (patches.test_images / 255).tolist())
    pairs = zip(patches.test_labels.tolist(), choices, strict=True)
    right = [not naive.is_wrong(payoffs[label], choice) for label, choice in pairs]
    assert history.test_accuracy == pytest.approx(100 * np.mean(right))


def test_the_papers_rewards_written_out_give_the_bits_of_the_default(patches: Dataset) -> None:
    default, written = train(SMALL, patches), train(spec_of(payoff=IDENTITY), patches)
    for ours, theirs in zip(written.weights, default.weights, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    np.testing.assert_allclose(written.epochs["reward"], default.epochs["reward"], rtol=1e-15)
    assert (written.epochs["optimal_reward"] == 1).all()
    assert "optimal_reward" not in default.epochs


@pytest.mark.parametrize("name", ["omission", "flip", "both"])
def test_chances_are_a_stream_of_their_own(name: str, spy: Spy, patches: Dataset) -> None:
    """Weights, orders and explorations are those of a run whose rewards are certain."""
    spec = SPECS[name]
    train(spec, patches)
    train(spec.replace(reward_omission=0, reward_flip=0), patches)
    chancy, certain = spy.draws[:4], spy.draws[4:]
    assert spy.start[0][0].tobytes() == spy.start[4][0].tobytes()
    for one, other in zip(chancy, certain, strict=True):
        for field in ("order", "explore", "choose"):
            assert getattr(one, field).tolist() == getattr(other, field).tolist()
        assert (one.omit.size, other.omit.size, other.flip.size) == (N_TRAINED, 0, 0)
    numbers = np.array([[d.explore, d.choose, d.omit, d.flip] for d in chancy])
    assert np.unique(numbers).size == numbers.size


def test_the_chance_of_one_leaves_the_draws_of_the_other(spy: Spy, patches: Dataset) -> None:
    for chances in ({"reward_flip": 0.3}, {"reward_flip": 0.3, "reward_omission": 0.2}):
        train(spec_of(max_epochs=1, **chances), patches)
    assert spy.draws[0].flip.tolist() == spy.draws[1].flip.tolist()


def test_what_is_always_withheld_is_never_earned(patches: Dataset) -> None:
    epochs = train(spec_of(payoff=GO, reward_omission=1), patches).epochs
    assert (epochs[["reward", "optimal_reward"]] == 0).all(axis=None)


def test_what_is_always_swapped_is_the_opposite(patches: Dataset) -> None:
    """Of a class's payoffs the highest becomes the lowest: the weights are those of that task."""
    swapped = tuple(tuple(max(row) + min(row) - r for r in row) for row in GO)
    flipped = train(spec_of(payoff=GO, reward_flip=1), patches)
    opposite = train(spec_of(payoff=swapped), patches)
    for ours, theirs in zip(flipped.weights, opposite.weights, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert flipped.epochs["optimal_reward"].tolist() == opposite.epochs["optimal_reward"].tolist()


@long
def test_chances_are_met_as_often_as_they_say(patches: Dataset) -> None:
    """Of a right answer in 300 epochs, within five standard errors."""
    everything = ((1.0, 1.0),) * 3  # is right
    spec = spec_of(max_epochs=300, payoff=everything, reward_omission=0.3)
    reward = train(spec, patches).epochs["reward"].mean()
    assert reward == pytest.approx(0.7, abs=0.021)


@long
@pytest.mark.parametrize("flip", [0.0, 0.2])
def test_a_trained_network_earns_what_the_best_policy_would(patches: Dataset, flip: float) -> None:
    chances = {"reward_flip": flip, "reward_omission": 0.1}
    spec = spec_of(hidden=(30, 20), max_epochs=150, epsilon=0.02, learning_rate=0.3, **chances)
    last = train(spec, patches).epochs.tail(50)
    assert last["optimal_reward"].mean() == pytest.approx(0.9 * (1 - flip))
    assert last["reward"].mean() == pytest.approx(0.9 * (1 - flip), abs=0.05)


# --- reversal -------------------------------------------------------------------------------


@long
def test_a_reversal_is_learnt_anew(patches: Dataset) -> None:
    """Accuracy is by the payoffs of the epoch, at the end by those after the switch."""
    reversal = {"payoff_switch": 80, "payoff_after": TURNED}
    spec = spec_of(hidden=(30, 20), learning_rate=0.1, max_epochs=200, **reversal)
    history = train(spec, patches)
    accuracy = history.epochs["train_accuracy"]
    assert accuracy[70:79].mean() > 80
    assert accuracy[79] < 40
    assert accuracy[190:].mean() > 80
    assert history.test_accuracy > 80
    chosen = history.predict(patches.test_images)
    assert np.mean(chosen == (patches.test_labels + 1) % 3) > 0.8


def test_no_check_before_the_switch_ends_a_run(
    patches: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However equal they are: here all checks are the same."""
    monkeypatch.setattr(training._Run, "_accuracy", lambda *_: 50.0)
    spec = spec_of(stop_checks=2, max_epochs=20)
    assert train(spec, patches).n_epochs == 4
    assert train(spec.replace(payoff_switch=7, payoff_after=TURNED), patches).n_epochs == 10


# --- records --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPECS)
def test_the_columns_are_those_of_the_file(name: str, patches: Dataset) -> None:
    history = train(SPECS[name], patches)
    assert tuple(history.epochs) == columns(history.spec)
    assert "optimal_reward" in history.epochs


@pytest.mark.parametrize("name", SPECS)
def test_a_run_comes_back_whole(name: str, patches: Dataset, tmp_path: Path) -> None:
    history = train(SPECS[name], patches, record_batches=True)
    save(history, tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert contents(back) == contents(history)
    assert back.batches is not None
    assert back.batches.equals(history.batches)
    assert back.right.tolist() == history.right.tolist()


def test_batches_have_the_rewards_received(patches: Dataset) -> None:
    history = train(SPECS["flip"], patches, record_batches=True)
    assert history.batches is not None
    assert history.batch_size is not None
    sums = history.batches["reward"].to_numpy().reshape(4, -1) * history.batch_size
    np.testing.assert_allclose(sums.sum(axis=1) / N_TRAINED, history.epochs["reward"])


def test_a_payoff_that_does_not_fit_the_classes_of_a_file_is_refused(
    patches: Dataset, tmp_path: Path
) -> None:
    history = train(SPECS["payoff"], patches)
    history.spec = history.spec.replace(payoff=GO[:2])
    save(history, tmp_path / "run.npz")
    with pytest.raises(InputError, match="payoff: it has not a row for each of 3 classes"):
        load(tmp_path / "run.npz")


def test_right_actions_pay_most(patches: Dataset) -> None:
    """Ties are all right; after the switch others are."""
    right = train(SPECS["all"], patches).right
    assert right.shape == (4, 3, 2)
    assert right[0].tolist() == [[True, False], [False, True], [True, True]]
    assert right[1].tolist() == right[3].tolist() == right[0].tolist()[::-1]


def test_predictions_are_actions_where_there_is_a_payoff(patches: Dataset) -> None:
    labelled = dataclasses.replace(patches, classes=(10, 20, 30))
    by_class, by_action = (
        train(spec_of(max_epochs=30, **fields), labelled) for fields in ({}, {"payoff": IDENTITY})
    )
    named, counted = (run.predict(patches.test_images) for run in (by_class, by_action))
    assert named.tolist() == (10 * (counted + 1)).tolist()


# --- what is refused ------------------------------------------------------------------------

REVERSAL: dict[str, Any] = {"payoff_switch": 5, "payoff_after": IDENTITY}
IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "payoff of a teacher": ({"payoff": IDENTITY}, "payoff: error-bp is told the right answer"),
    "omission of a teacher": ({"reward_omission": 0.1}, "reward_omission: error-bp is told"),
    "flip of a teacher": ({"reward_flip": 0.1}, "reward_flip: error-bp is told"),
    "reversal of a teacher": (REVERSAL, "payoff_switch: error-bp is told"),
    "a switch to nothing": (
        {"rule": "q-agrel", "payoff_switch": 5},
        "payoff_switch: it has no effect without payoff_after: give both or neither",
    ),
    "no switch": (
        {"rule": "q-agrel", "payoff_after": IDENTITY},
        "payoff_after: it has no effect without payoff_switch: give both or neither",
    ),
    "other actions after": (
        {"rule": "q-agrel", "payoff": GO, **REVERSAL},
        "payoff_after: it has 3 classes and 3 actions, but payoff has 3 and 2: give both",
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_rewards_are_refused_in_a_sentence(case: str) -> None:
    fields, sentence = IMPOSSIBLE[case]
    with pytest.raises(InputError) as caught:
        RunSpec(**{"rule": "error-bp", **fields})
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"payoff": GO[:2]}, "payoff: 2 rows of 2 actions do not fit the 3 classes of patches"),
        (
            {"payoff_switch": 2, "payoff_after": GO},
            "payoff_after: 3 rows of 2 actions do not fit the 3 classes of patches: "
            "give 3 rows of 3",
        ),
    ],
)
def test_payoffs_that_do_not_fit_the_data_are_refused(
    fields: dict[str, Any], sentence: str, patches: Dataset
) -> None:
    with pytest.raises(InputError) as caught:
        train(spec_of(**fields), patches)
    assert str(caught.value).startswith(sentence)


def test_a_large_table_is_refused_in_a_short_sentence() -> None:
    with pytest.raises(InputError) as caught:
        RunSpec(payoff=[[2e6] * 256] * 256)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "given",
    [
        np.array(GO),
        [list(row) for row in GO],
        [np.array(row) for row in GO],
        tuple(tuple(np.float64(r) for r in row) for row in GO),
    ],
)
def test_a_table_may_come_in_any_sequence(given: Any) -> None:
    spec = RunSpec(payoff=given)
    assert spec.payoff == GO
    assert {type(r) for row in spec.payoff for r in row} == {float}
    assert spec == RunSpec(**json.loads(json.dumps(spec.model_dump(mode="json"))))


def test_zero_has_no_sign() -> None:
    one, other = RunSpec(payoff=((1.0, -0.0),)), RunSpec(payoff=((1, 0),))
    assert one.id == other.id
    assert math.copysign(1, RunSpec(reward_flip=-0.0).reward_flip) == 1


# --- the best reward, by hand ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("omission", "flip", "expected"),
    [
        (0.0, 0.0, [1.0, 0.0, 0.25]),
        (0.5, 0.0, [0.5, 0.0, 0.125]),
        (0.0, 0.25, [0.625, -0.25, 0.25]),  # 1 and -1/2, 0 and -1: three to one
        (0.0, 1.0, [1.0, 0.0, 0.25]),  # then the other action is the best
        (0.5, 0.25, [0.3125, -0.125, 0.125]),
    ],
)
def test_the_best_reward_by_hand(omission: float, flip: float, expected: list[float]) -> None:
    spec = RunSpec(payoff=GO, reward_omission=omission, reward_flip=flip)
    best = network.best_rewards(network.payoffs(spec, 3))
    np.testing.assert_allclose(best, expected)


# --- the gradient, a trial ------------------------------------------------------------------


def test_the_update_is_the_gradient_whatever_is_paid() -> None:
    generator = np.random.default_rng(0)
    for n_actions in (2, 10, 17):
        table = tuple(map(tuple, generator.normal(size=(10, n_actions)).tolist()))
        assert equivalence.equivalence(table)["relative_difference"].max() <= 2e-14


@pytest.mark.parametrize("number", range(8))
def test_a_trial_pays_what_the_run_says(number: int) -> None:
    trial = run_trial(TRIAL.replace(payoff=GO, epsilon=0.5), number)
    assert (len(trial.activities[-1]), len(trial.signals[-1])) == (2, 2)
    assert trial.reward == GO[trial.target][trial.winner]
    assert trial.delta == pytest.approx(trial.reward - trial.activities[-1][trial.winner])
    assert trial.signals[-1].tolist() == pytest.approx(naive.one_hot(2, trial.winner))


def test_the_reward_of_a_trial_may_be_withheld_or_swapped() -> None:
    certain, withheld, swapped = (
        run_trial(TRIAL.replace(**chance), 3)
        for chance in ({}, {"reward_omission": 1}, {"reward_flip": 1})
    )
    assert (withheld.winner, swapped.winner) == (certain.winner,) * 2
    assert (withheld.reward, swapped.reward) == (0, 1 - certain.reward)


def test_a_run_without_rewards_of_its_own_keeps_its_head(patches: Dataset) -> None:
    history: History = train(SMALL, patches, record_batches=True)
    assert history.batch_reward is None
    assert not history.spec.has_own_rewards
