"""One training run: the protocol of Section 3, what is recorded, and how a run can end."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import naive
import numpy as np
import pytest
from helpers import REGIMES, RULES_AND_LOSSES, contents, dataset_from
from helpers import SMALL as SPEC

from qagrel import Dataset, InputError, RunSpec, kernels, train, training
from qagrel.network import Ints

N_TRAINED = 38  # of 48 samples; five batches of 7 and one of 3


class Spy:
    """Notes what training hands to the kernels, and lets them work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.start: list[tuple[Any, Any]] = []  # weights and feedback before each epoch
        self.draws: list[kernels.Draws] = []
        self.payoffs: list[kernels.Payoffs] = []
        self.rates: list[float] = []
        self.images: list[kernels.Images] = []
        self.chosen_for: list[Ints] = []  # samples of each validation, and the test
        train_epoch, choose = kernels.train_epoch, kernels.choose

        def note_epoch(network: Any, work: Any, images: Any, draws: Any, *others: Any) -> None:
            self.start.append((network.weights.copy(), network.feedback.copy()))
            self.draws.append(draws)
            self.payoffs.append(others[0])
            self.rates.append(others[2])
            self.images.append(images)
            train_epoch(network, work, images, draws, *others)

        def note_choices(network: Any, work: Any, images: Any, order: Ints, choices: Ints) -> None:
            self.chosen_for.append(order)
            choose(network, work, images, order, choices)

        monkeypatch.setattr(kernels, "train_epoch", note_epoch)
        monkeypatch.setattr(kernels, "choose", note_choices)

    @property
    def orders(self) -> list[list[int]]:
        """The samples of each epoch, in order."""
        return [draws.order.tolist() for draws in self.draws]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


# --- the protocol ----------------------------------------------------------------------------


def test_the_papers_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60,000 samples 1,000 are held out, the others make 590 batches of 100.

    Every 5th epoch is checked; here all are the same, so the fifth check ends the run.
    """
    epochs, checks = [], []

    def train_epoch(_: Any, work: Any, __: Any, draws: Any, *others: Any) -> None:
        *_, rate, record = others
        epochs.append((draws.order.size, work.batch, record.wrong.size, rate))

    def choose(_: Any, __: Any, ___: Any, order: Ints, ____: Any) -> None:
        checks.append((len(epochs), order.size))

    monkeypatch.setattr(kernels, "train_epoch", train_epoch)
    monkeypatch.setattr(kernels, "choose", choose)
    images, labels = np.ones((60_009, 1), np.uint8), np.zeros(60_009, np.uint8)
    dataset = dataset_from("plain", images, labels, 9, (1, 1))
    history = train(RunSpec(dataset="plain"), dataset)
    assert set(epochs) == {(59_000, 100, 590, 1.0)}
    assert checks == [(5, 1000), (10, 1000), (15, 1000), (20, 1000), (25, 1000), (25, 9)]
    assert history.status == "converged"


@pytest.mark.parametrize("draw", ["epoch", "run"])
def test_each_epoch_trains_all_that_is_not_held_out(spy: Spy, patches: Dataset, draw: str) -> None:
    train(SPEC.replace(validation_draw=draw, validation_every=1), patches)
    for order, held_out in zip(spy.orders, spy.chosen_for[:-1], strict=True):
        assert len(order) == N_TRAINED
        assert sorted([*order, *held_out.tolist()]) == list(range(48))
    assert spy.chosen_for[-1].tolist() == list(range(15))  # the test
    assert len({tuple(order) for order in spy.orders}) == 4
    held_out_sets = {frozenset(held_out.tolist()) for held_out in spy.chosen_for[:-1]}
    assert len(held_out_sets) == (4 if draw == "epoch" else 1)


def test_every_sample_is_held_out_as_often(spy: Spy, patches: Dataset) -> None:
    """120 epochs hold each of 48 samples out 25 times, with a deviation of 4.4."""
    train(SPEC.replace(hidden=(1,), max_epochs=120), patches)
    times_trained = np.bincount(np.concatenate(spy.orders), minlength=48)
    np.testing.assert_allclose(120 - times_trained, 25, atol=4 * 4.4)


@pytest.mark.parametrize("validation_every", [1, 3, 5])
def test_validation_is_checked_every_so_many_epochs(
    patches: Dataset, validation_every: int
) -> None:
    epochs = train(SPEC.replace(validation_every=validation_every), patches).epochs
    checked = epochs.loc[epochs["validation_accuracy"].notna(), "epoch"]
    assert checked.tolist() == list(range(validation_every, 5, validation_every))


def test_validation_is_greedy_on_the_held_out_samples(spy: Spy, patches: Dataset) -> None:
    history = train(SPEC, patches)
    held_out = np.setdiff1d(np.arange(48), spy.orders[-1])
    right = history.predict(patches.train_images[held_out]) == patches.train_labels[held_out]
    assert history.rows[-1]["validation_accuracy"] == 10 * right.sum()
    assert right.any()


def test_the_test_is_greedy_on_the_test_samples(patches: Dataset) -> None:
    history = train(SPEC.replace(max_epochs=20), patches)
    right = history.predict(patches.test_images) == patches.test_labels
    assert history.test_accuracy == pytest.approx(100 * right.mean())
    assert history.test_accuracy > 60  # a third is chance


@pytest.mark.parametrize(("stop_checks", "stop_decimals"), [(1, 1), (2, 1), (3, 1), (2, 0), (4, 6)])
def test_equal_checks_end_a_run(patches: Dataset, stop_checks: int, stop_decimals: int) -> None:
    """At the first epoch at which the slow author would stop."""
    spec = SPEC.replace(max_epochs=60, stop_checks=stop_checks, stop_decimals=stop_decimals)
    history = train(spec, patches)
    checks = history.epochs["validation_accuracy"].dropna().tolist()
    stops = [
        naive.should_stop(checks[:n], stop_checks, stop_decimals) for n in range(1, len(checks) + 1)
    ]
    assert stops == [False] * (len(checks) - 1) + [True]
    assert history.n_epochs == 2 * len(checks)
    assert (history.status, history.converged) == ("converged", True)


@pytest.mark.parametrize("n_equal", [0, 1, 2, 5])
@pytest.mark.parametrize(
    "checks", [[], [98.1], [98.1, 98.1], [98.2, 98.1, 98.1], [98.1] * 5, [98.1, 98.2] * 3], ids=str
)
def test_the_stopping_rule_agrees_with_the_slow_author(checks: list[float], n_equal: int) -> None:
    assert training.should_stop(checks, n_equal) == naive.should_stop(checks, n_equal, 1)


def test_accuracies_are_compared_as_rounded(
    monkeypatch: pytest.MonkeyPatch, patches: Dataset
) -> None:
    """98.12 and 98.08 agree to one decimal, 98.12 and 98.16 do not."""
    accuracies = iter([98.12, 98.16, 98.12, 98.08, 50.0])
    monkeypatch.setattr(training._Run, "_accuracy", lambda *_: next(accuracies))
    history = train(SPEC.replace(max_epochs=20, stop_checks=2), patches)
    assert (history.n_epochs, history.test_accuracy) == (8, 50)


def test_without_stopping_a_run_ends_at_its_last_epoch(patches: Dataset) -> None:
    """Even if all checks are equal: nothing is learnt at this rate."""
    history = train(SPEC.replace(learning_rate=1e-9, validation_size=47, batch_size=1), patches)
    assert history.n_epochs == 4
    assert (history.status, history.converged, history.diverged_at) == ("max-epochs", False, None)


def test_the_rate_drops(spy: Spy, patches: Dataset) -> None:
    history = train(SPEC.replace(drop_epoch=3, drop_factor=4.0), patches)
    expected = [naive.dropped_rate(epoch, 0.5, 3, 4.0) for epoch in range(1, 5)]
    assert spy.rates == history.epochs["learning_rate"].tolist() == expected


@pytest.mark.parametrize("spacing", ["linear", "geometric"])
def test_the_rate_rises(spy: Spy, patches: Dataset, spacing: str) -> None:
    """A rate that is raised does not drop."""
    spec = SPEC.replace(learning_rate_end=3.0, learning_rate_spacing=spacing, drop_epoch=2)
    history = train(spec, patches)
    expected = [naive.rising_rate(epoch, 0.5, 3.0, 4, spacing) for epoch in range(1, 5)]
    np.testing.assert_allclose(spy.rates, expected, rtol=1e-11)
    assert spy.rates == history.epochs["learning_rate"].tolist()


# --- whole runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_runs_agree_with_the_slow_author(
    spy: Spy, patches: Dataset, rule: str, loss: str, regime: str
) -> None:
    """From the same weights, orders and random numbers: all records of all epochs."""
    history = train(SPEC.replace(rule=rule, loss=loss, feedback=regime), patches)
    start = train(SPEC.replace(feedback=regime, learning_rate=1e-300, max_epochs=1), patches)
    weights: Any = [w.tolist() for w in start.weights]
    feedback: Any = [w.tolist() for w in start.feedback_weights]
    inputs, labels = (patches.train_images / 255).tolist(), patches.train_labels.tolist()
    settings = naive.Settings(rule, regime, loss, 0.3)
    for epoch, draws in enumerate(spy.draws[:4]):
        order, *uniforms, _ = (array.tolist() for array in draws)  # the last is noise
        batches = naive.train_epoch(
            weights, feedback, inputs, labels, order, 7, 0.5, settings, *uniforms
        )
        weights, feedback = batches[-1].weights, batches[-1].feedback
        row = history.rows[epoch]
        selected = [action for batch in batches for action in batch.selected]
        confusion = naive.confusion([labels[i] for i in order], selected, 3)
        assert history.confusion[epoch].tolist() == confusion
        losses = [batch.loss * len(batch.selected) for batch in batches]
        assert row["loss"] == pytest.approx(math.fsum(losses) / N_TRAINED, rel=1e-10)
        if regime != "symmetric":
            angles = [naive.angle(w, b) for w, b in zip(weights, feedback, strict=True)]
            assert [row["angle_2"], row["angle_3"]] == pytest.approx(angles[1:], rel=1e-9)
    choices = naive.choose(weights, (patches.test_images / 255).tolist())
    accuracy = 100 * np.mean(choices == patches.test_labels)
    assert history.test_accuracy == pytest.approx(accuracy)
    for ours, theirs in zip(history.weights, weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(history.feedback_weights, feedback, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_every_rule_sees_the_same_start_and_order(
    monkeypatch: pytest.MonkeyPatch, patches: Dataset
) -> None:
    """Whatever else differs; feedback weights, where they are separate, are the same too."""
    changes: list[dict[str, Any]] = [
        *(
            {"rule": rule, "loss": loss, "feedback": f}
            for rule, loss in RULES_AND_LOSSES
            for f in REGIMES
        ),
        {"epsilon": 0.0, "temperature": 0.2},
        {"learning_rate": 0.01, "max_epochs": 2},
        {"input_scale": "binary", "validation_every": 1},
    ]
    weights, feedback, orders = set(), set(), set()
    for change in changes:
        spy, spec = Spy(monkeypatch), SPEC.replace(max_epochs=2).replace(**change)
        train(spec, patches)
        first_weights, first_feedback = spy.start[0]
        weights.add(first_weights.tobytes())
        orders.add(repr(spy.orders))
        if spec.feedback != "symmetric":
            feedback.add(first_feedback.tobytes())
    assert len(weights) == len(feedback) == len(orders) == 1
    assert weights != feedback


def test_seeds_differ_in_start_order_and_exploration(
    monkeypatch: pytest.MonkeyPatch, patches: Dataset
) -> None:
    spies = []
    for seed in (0, 1):
        spies.append(Spy(monkeypatch))
        train(SPEC.replace(seed=seed, feedback="fixed"), patches)
    first, second = spies
    assert first.orders != second.orders
    assert (first.draws[0].explore != second.draws[0].explore).all()
    for a, b in zip(first.start[0], second.start[0], strict=True):
        assert ((a != b) | (a == 0)).all()  # but for the padding


def test_explorations_differ_between_epochs(spy: Spy, patches: Dataset) -> None:
    train(SPEC, patches)
    uniforms = np.array([[d.explore, d.choose] for d in spy.draws])
    assert uniforms.shape == (4, 2, N_TRAINED)
    assert np.unique(uniforms).size == uniforms.size


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_initial_weights_fill_their_ranges(spy: Spy, patches: Dataset, precision: str) -> None:
    spec = SPEC.replace(hidden=(200,), feedback="fixed", learning_rate=1e-3, max_epochs=1)
    train(spec.replace(precision=precision), patches)
    weights, feedback = spy.start[0]
    assert weights.dtype == feedback.dtype == precision
    assert 0.49 < -weights.min() <= 0.5
    assert 0.49 < weights.max() <= 0.5
    assert 0.39 < -feedback.min() <= 0.4
    assert 0.39 < feedback.max() <= 0.4


@pytest.mark.parametrize(("scale", "levels"), [("binary", {0.0, 1.0}), ("grey", None)])
def test_inputs_are_scaled(
    spy: Spy, patches: Dataset, scale: str, levels: set[float] | None
) -> None:
    train(SPEC.replace(input_scale=scale), patches)
    values = set(spy.images[0].activity[spy.images[0].pixel["value"]].tolist())
    expected = set((patches.train_images[patches.train_images > 0] / 255).tolist())
    assert values == (levels or expected)


def test_a_run_without_a_dataset_loads_it(idx_folder: Callable[..., Path]) -> None:
    spec = SPEC.replace(dataset=str(idx_folder()))
    assert [w.shape for w in train(spec).weights] == [(12, 9), (9, 7), (7, 3)]


# --- records ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
def test_the_records_of_an_epoch_agree_with_each_other(
    spy: Spy, patches: Dataset, rule: str
) -> None:
    history = train(SPEC.replace(rule=rule), patches)
    assert history.confusion.shape == (4, 3, 3)
    assert history.n_epochs == len(history.epochs) == 4
    for epoch, (_, row) in enumerate(history.epochs.iterrows()):
        counts = history.confusion[epoch]
        presented = np.bincount(patches.train_labels[spy.orders[epoch]], minlength=3)
        assert counts.sum(axis=1).tolist() == presented.tolist()
        assert row["epoch"] == epoch + 1
        assert row["error"] == (N_TRAINED - np.trace(counts)) / N_TRAINED
        assert row["train_accuracy"] == pytest.approx(100 * np.trace(counts) / N_TRAINED)
        if rule == "q-agrel":
            assert row["reward"] == 1 - row["error"]
        else:
            assert math.isnan(row["reward"])


def test_the_columns_of_the_epoch_table(patches: Dataset) -> None:
    common = [
        *("epoch", "learning_rate", "reward", "error", "loss"),
        *("train_accuracy", "validation_accuracy"),
    ]
    assert list(train(SPEC, patches).epochs) == common
    fixed = train(SPEC.replace(feedback="fixed"), patches).epochs
    assert list(fixed) == [*common, "angle_2", "angle_3"]


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
def test_the_batches_of_a_run_add_up_to_its_epochs(patches: Dataset, rule: str) -> None:
    history = train(SPEC.replace(rule=rule), patches, record_batches=True)
    batches, sizes = history.batches, np.array([7, 7, 7, 7, 7, 3])
    assert batches is not None
    assert list(batches) == ["epoch", "batch", "reward", "error", "loss"]
    assert batches["epoch"].tolist() == np.repeat([1, 2, 3, 4], 6).tolist()
    assert batches["batch"].tolist() == [1, 2, 3, 4, 5, 6] * 4
    for name in ("error", "loss"):
        by_epoch = (batches[name].to_numpy().reshape(4, 6) @ sizes) / N_TRAINED
        np.testing.assert_allclose(by_epoch, history.epochs[name], rtol=1e-12)
    rewards = 1 - batches["error"] if rule == "q-agrel" else np.full(24, np.nan)
    np.testing.assert_array_equal(batches["reward"], rewards)


def test_batches_are_not_recorded_unless_asked_for(patches: Dataset) -> None:
    assert train(SPEC, patches).batches is None


def test_a_run_is_the_same_however_it_is_watched(patches: Dataset) -> None:
    spec, rows = SPEC.replace(precision="float32", feedback="learned"), []
    watched = train(spec, patches, record_batches=True, on_epoch=rows.append)
    assert contents(watched) == contents(train(spec, patches))
    assert rows == watched.rows


def test_an_exception_of_the_watcher_ends_the_run(spy: Spy, patches: Dataset) -> None:
    def watch(row: training.Row) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(SPEC, patches, on_epoch=watch)
    assert len(spy.draws) == 2


@pytest.mark.parametrize("regime", REGIMES)
def test_the_feedback_weights_of_a_history(patches: Dataset, regime: str) -> None:
    history = train(SPEC.replace(feedback=regime), patches)
    pairs = list(zip(history.weights, history.feedback_weights, strict=True))
    assert [(w.shape, b.shape) for w, b in pairs] == [(s, s) for s in ((12, 9), (9, 7), (7, 3))]
    assert [np.array_equal(w, b) for w, b in pairs] == [regime == "symmetric"] * 3


# --- divergence ------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_a_run_whose_weights_overflow_ends_as_diverged(
    patches: Dataset, rule: str, loss: str, precision: str
) -> None:
    """The rate is fine for two epochs."""
    spec = SPEC.replace(rule=rule, loss=loss, precision=precision, hidden=(9,), max_epochs=9)
    with np.errstate(all="ignore"):  # plain NumPy numbers, where nothing is compiled, warn
        history = train(spec.replace(drop_epoch=3, drop_factor=1e-200), patches)
    assert history.status == "diverged"
    assert history.diverged_at == history.n_epochs == 3
    assert not history.converged
    assert math.isnan(history.test_accuracy)
    assert not all(np.isfinite(w).all() for w in history.weights)
    assert all(math.isfinite(row["loss"]) for row in history.rows[:2])
    assert history.confusion.sum(axis=(1, 2)).tolist() == [N_TRAINED] * 3


def test_a_diverged_epoch_is_not_checked(spy: Spy, patches: Dataset) -> None:
    with np.errstate(all="ignore"):
        history = train(SPEC.replace(learning_rate=1e200, validation_every=1), patches)
    assert history.diverged_at == 1
    assert math.isnan(history.rows[0]["validation_accuracy"])
    assert spy.chosen_for == []


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation_size": 48}, "validation_size: 48 samples cannot be held out of the 48"),
        ({"validation_size": 1000}, "validation_size: 1000 samples cannot be held out"),
        ({"batch_size": 39}, "batch_size: 39 is more than the 38 training samples of patches"),
    ],
)
def test_a_spec_that_does_not_fit_the_data_is_refused_before_any_work(
    spy: Spy, patches: Dataset, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(SPEC.replace(**change), patches)
    assert spy.draws == []


@pytest.mark.parametrize("change", [{"validation_size": 47, "batch_size": 1}, {"batch_size": 38}])
def test_a_spec_that_just_fits_the_data_is_trained(
    patches: Dataset, change: dict[str, Any]
) -> None:
    assert train(SPEC.replace(**change), patches).n_epochs == 4


# --- what the data are -----------------------------------------------------------------------


def test_a_run_is_of_the_data_that_it_was_trained_on(patches: Dataset) -> None:
    history = train(RunSpec(hidden=(3,), max_epochs=1, batch_size=9, validation_size=8), patches)
    assert history.spec.dataset == "patches"
    assert (history.grey_max, history.dataset_sha256) == (255, patches.sha256)


def test_a_run_may_set_the_scale(patches: Dataset) -> None:
    dark = dataclasses.replace(
        patches, train_images=patches.train_images // 2, test_images=patches.test_images // 2
    )
    history, expected = train(SPEC.replace(grey_max=127), dark), train(SPEC, dark.scaled(127))
    assert contents(history)[1:] == contents(expected)[1:]
    assert contents(history)[1:] != contents(train(SPEC, dark))[1:]
    assert (history.grey_max, dark.grey_max) == (127, 255)
    assert history.dataset_sha256 == dark.scaled(127).sha256 != dark.sha256


def test_a_scale_that_the_training_images_go_beyond_is_refused(patches: Dataset) -> None:
    level = patches.largest_level["train"]
    complaint = rf"\Agrey_max: {level - 1} is below .* of patches: choose {level} or more\Z"
    with pytest.raises(InputError, match=complaint):
        train(SPEC.replace(grey_max=level - 1), patches)


@pytest.mark.parametrize("scale", ["grey", "binary"])
def test_a_run_predicts_as_it_was_trained_to_see(patches: Dataset, scale: str) -> None:
    history = train(SPEC.replace(input_scale=scale, max_epochs=20), patches.scaled(220))
    n_right = (history.predict(patches.test_images) == patches.test_labels).sum()
    assert 100 * n_right / 15 == history.test_accuracy


def test_a_run_of_unknown_scale_predicts_nothing(patches: Dataset) -> None:
    history = dataclasses.replace(train(SPEC, patches), grey_max=None)
    with pytest.raises(InputError, match="set its grey_max"):
        history.predict(patches.test_images)


def test_a_run_predicts_labels_as_they_came(patches: Dataset) -> None:
    history = train(SPEC, dataclasses.replace(patches, classes=(2, 5, 9)))
    numbered = train(SPEC, patches)
    assert (history.classes, numbered.classes) == ((2, 5, 9), (0, 1, 2))
    assert contents(history) == contents(numbered)
    expected = np.array([2, 5, 9])[numbered.predict(patches.test_images)]
    np.testing.assert_array_equal(history.predict(patches.test_images), expected)
