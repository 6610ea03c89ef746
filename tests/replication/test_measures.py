"""What studies measure inside their runs, against what the runs' own records say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qagrel import RunSpec, load_dataset, sweep, train
from qagrel.dataset import Dataset
from qagrel.replication import measures, results
from qagrel.replication.measures import MEASURES, RECENT

SPEC = RunSpec(
    dataset="digits",
    hidden=(12,),
    learning_rate=0.2,
    batch_size=10,
    max_epochs=6,
    validation_size=100,
    stop_checks=0,
    epsilon=0.2,
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trials(digits: Dataset) -> pd.DataFrame:
    """The log of every trial, and whether its action was right."""
    log = train(SPEC, digits, record_trials=True).trials
    return log.assign(right=log["class"] == log["action"], number=np.arange(1, len(log) + 1))


def ignore(_: object) -> None:
    """A callback that wants nothing."""


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_leaves_the_run_as_it_is(digits: Dataset, name: str) -> None:
    history, table = MEASURES[name](SPEC, digits, ignore)
    plain = train(SPEC, digits)
    assert history.epochs.equals(plain.epochs)
    assert [w.tobytes() for w in history.weights] == [w.tobytes() for w in plain.weights]
    assert history.trial_log is None
    assert len(table)


def test_choices_add_up_to_those_of_the_epochs(digits: Dataset) -> None:
    history, table = MEASURES["choices"](SPEC, digits, ignore)
    n_batches = -(-history.confusion[0].sum() // 10)
    assert table["batch"].tolist() == list(range(1, 6 * n_batches + 1))
    by_epoch = table.groupby((table["batch"] - 1) // n_batches).sum().drop(columns="batch")
    shown, right = np.hsplit(by_epoch.to_numpy(), 2)
    assert (shown == history.confusion.sum(axis=2)).all()
    assert (right == history.confusion.diagonal(axis1=1, axis2=2)).all()


def test_discoveries_are_those_of_the_log(digits: Dataset, trials: pd.DataFrame) -> None:
    """By plain loops over the trials of each class."""
    _, table = MEASURES["discoveries"](SPEC, digits, ignore)
    assert table["found"].notna().any()
    for line in table.itertuples():
        own = trials[trials["class"] == line[1]].reset_index()
        right = own["right"].tolist()
        n = next(
            (k for k in range(1, len(own) + 1) if sum(right[max(0, k - RECENT) : k]) >= RECENT / 2),
            None,
        )
        until = own if n is None else own[:n]
        hits = until[until["right"]]
        assert (np.isnan(line.found) and n is None) or line.found == own["number"][n - 1]
        assert line.right_before == len(hits)
        assert line.explored_before == hits["explored"].sum()
        assert line.own_first == pytest.approx(hits["q_value"][:RECENT].mean(), nan_ok=True)
        recent = until[-RECENT:]
        counts = recent.loc[~recent["right"], "action"].value_counts()
        assert counts[line.rival] == counts.max()
        rival = until.loc[until["action"] == line.rival, "q_value"].astype(float)
        assert line.rival_last == pytest.approx(rival[-RECENT:].mean())
        means = rival.rolling(min(RECENT, len(rival))).mean()
        assert line.rival_peak == pytest.approx(means.max())


def test_q_values_are_those_of_the_network(digits: Dataset, trials: pd.DataFrame) -> None:
    history, table = MEASURES["q-values"](SPEC, digits, ignore)
    values = history.q_values(digits.test_images)
    ranked = [
        (v[t], max(np.delete(v, t)), np.sort(np.delete(v, t))[:-1].mean())
        for v, t in zip(values.astype(float), digits.test_labels, strict=True)
    ]
    right, best, others = np.mean(ranked, axis=0)
    last = table.iloc[-1]
    assert last["right"] == pytest.approx(right)
    assert last["best_wrong"] == pytest.approx(best)
    assert last["other_wrong"] == pytest.approx(others)
    assert last["accuracy"] == pytest.approx(history.test_accuracy)
    wrong = trials[~trials["right"]]
    for name, chosen in (("explored", wrong["explored"]), ("greedy", ~wrong["explored"])):
        sums = wrong[chosen].groupby("epoch")["prediction_error"]
        assert table[f"wrong_{name}"].tolist() == sums.size().tolist()
        assert table[f"change_{name}"].to_numpy() == pytest.approx(sums.sum().to_numpy())


def test_q_values_of_error_backpropagation_know_no_exploration(digits: Dataset) -> None:
    spec = SPEC.replace(rule="error-bp", loss="squared-error", learning_rate=0.05)
    _, table = MEASURES["q-values"](spec, digits, ignore)
    assert list(table) == ["epoch", "right", "best_wrong", "other_wrong", "margin", "accuracy"]


def test_updates_add_up_to_the_way_of_the_weights(digits: Dataset) -> None:
    history, table = MEASURES["updates"](SPEC, digits, ignore)
    sizes = [np.linalg.norm(matrix.astype(float)) for matrix in history.weights]
    assert table.loc[5, ["size_1", "size_2"]].tolist() == pytest.approx(sizes)
    assert table["moved_1"].isna().tolist() == [True] + [False] * 5
    earlier = train(SPEC.replace(max_epochs=5), digits)
    moved = history.weights[0].astype(float) - earlier.weights[0]
    assert table.loc[5, "moved_1"] == pytest.approx(np.linalg.norm(moved))


def test_measured_runs_are_kept_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QAGREL_STATE_DIR", str(tmp_path))
    specs = [SPEC.replace(seed=seed) for seed in (0, 1)]
    first = sweep.measure_all(specs, "updates")
    monkeypatch.setitem(MEASURES, "updates", None)  # is not called again
    again = sweep.measure_all(specs, "updates")
    for one, other in zip(first, again, strict=True):
        assert one.history.epochs.equals(other.history.epochs)
        assert one.table.equals(other.table)
    results.write_measured(tmp_path, "study", {"a": first, "b": again})
    table = results.read_measured(tmp_path, "study")
    assert table["run"].tolist() == ["a"] * 12 + ["b"] * 12
    assert table["seed"].tolist() == ([0] * 6 + [1] * 6) * 2


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch) -> tuple[float, ...]:
    """Shares that a short run reaches, and one that it does not."""
    monkeypatch.setattr(measures, "SHARES", (0.15, 0.2, 0.99))
    return measures.SHARES


def test_progress_counts_greedy_trials_only(
    digits: Dataset, trials: pd.DataFrame, shares: tuple[float, ...]
) -> None:
    """The batch by which a share of the latest thousand trials was right, one batch at a time."""
    _, table = MEASURES["progress"](SPEC, digits, ignore)
    n_epoch = len(trials) // SPEC.max_epochs
    in_epoch = (trials["number"] - 1) % n_epoch
    batch = (trials["number"] - 1) // n_epoch * (n_epoch + 9) + in_epoch // SPEC.batch_size
    ends = trials.groupby(batch)["number"].max().tolist()
    starts = trials.groupby(batch)["number"].min().tolist()
    expected = dict.fromkeys(shares, np.nan)
    for last in range(99, len(ends)):  # a hundred batches of ten
        latest = trials["number"].between(starts[last - 99], ends[last]) & ~trials["explored"]
        share = trials["right"][latest].mean()
        for wanted in shares:
            if share >= wanted and np.isnan(expected[wanted]):
                expected[wanted] = ends[last]
    assert np.isfinite(list(expected.values())).tolist() == [True, True, False]
    assert table["share"].tolist() == list(shares)
    np.testing.assert_array_equal(table["trials"], list(expected.values()))


def test_progress_of_a_rule_that_is_told_the_answer(
    digits: Dataset, shares: tuple[float, ...]
) -> None:
    """By hand: the last batch of an epoch is smaller, and ten batches are counted."""
    spec = SPEC.replace(rule="error-bp", batch_size=100, learning_rate=1.0)
    history = train(spec, digits, record_batches=True)
    _, table = MEASURES["progress"](spec, digits, ignore)
    assert history.batch_wrong is not None
    assert history.batch_size is not None
    sizes = history.batch_size.tolist() * spec.max_epochs
    right = [size - n for size, n in zip(sizes, history.batch_wrong.ravel(), strict=True)]
    assert sizes[13] == 37
    first = next(
        end
        for end in range(10, len(sizes) + 1)
        if sum(right[end - 10 : end]) >= shares[1] * sum(sizes[end - 10 : end])
    )
    assert table["trials"].iloc[1] == sum(sizes[:first])
    assert np.isnan(table["trials"].iloc[2])
