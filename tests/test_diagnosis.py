"""What a network has not learnt, and what counts as chance."""

from typing import Any

import numpy as np
import pytest
from helpers import RULES_AND_LOSSES
from helpers import SMALL as SPEC

from qagrel import Dataset, RunSpec, diagnosis, train

IDENTITY = np.eye(3, dtype=bool)


def counts(*rows: list[int]) -> Any:
    return np.array(rows, np.int64)


def unlearnt(confusion: Any, right: Any = IDENTITY) -> list[int]:
    return diagnosis.unlearnt(confusion, right).tolist()


KNOWN = {
    "all right": (counts([100, 0, 0], [0, 100, 0], [0, 0, 100]), [], False),
    "one never chosen": (counts([95, 5, 0], [5, 95, 0], [50, 50, 0]), [2], False),
    "one met by exploring": (counts([97, 2, 1], [2, 97, 1], [50, 49, 1]), [2], False),
    "one begun": (counts([99, 1, 0], [1, 99, 0], [50, 40, 10]), [], False),
    "always the same": (counts([0, 100, 0], [0, 100, 0], [0, 100, 0]), [0, 2], True),
    "always the largest": (counts([900, 0, 0], [50, 0, 0], [50, 0, 0]), [1, 2], True),
    "blind": (counts([30, 40, 30], [32, 35, 33], [33, 37, 30]), [0, 1, 2], True),
    "below the largest, yet not blind": (
        counts([700, 100, 100], [0, 50, 0], [0, 0, 50]),
        [],
        False,
    ),
    "a class of one sample": (counts([99, 1, 0], [1, 99, 0], [0, 0, 1]), [], False),
    "a class that is not there": (counts([99, 1, 0], [1, 99, 0], [0, 0, 0]), [], False),
    "few trials": (counts([2, 1, 0], [1, 2, 0], [1, 0, 2]), [], True),
}


@pytest.mark.parametrize("case", KNOWN)
def test_what_is_not_learnt(case: str) -> None:
    confusion, classes, is_at_chance = KNOWN[case]
    assert unlearnt(confusion) == classes
    assert diagnosis.is_at_chance(confusion, IDENTITY) == is_at_chance


def test_more_trials_show_a_smaller_difference() -> None:
    """45 % right of three classes: of 60 trials that is chance, of 6,000 it is not."""
    few = counts([9, 6, 5], [5, 9, 6], [6, 5, 9])
    assert diagnosis.is_at_chance(few, IDENTITY)
    assert not diagnosis.is_at_chance(100 * few, IDENTITY)
    assert unlearnt(few) == [0, 1, 2]
    assert unlearnt(100 * few) == []


def test_chance_of_a_blind_network_is_what_it_gets() -> None:
    """Independent choices, 60, 30 and 10 % of each, for classes of 50, 30 and 20 %."""
    shown, taken = np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.3, 0.1])
    confusion = np.rint(10_000 * np.outer(shown, taken)).astype(np.int64)
    assert diagnosis.chance_level(confusion, IDENTITY) == pytest.approx(shown @ taken)
    assert diagnosis.is_at_chance(confusion, IDENTITY)


def test_blind_networks_are_almost_never_taken_for_others() -> None:
    """Of 2,000 of them two may be, by the level of significance."""
    generator = np.random.default_rng(0)
    shown = np.array([50, 30, 20])
    blind = [
        np.array([generator.multinomial(n, [0.5, 0.3, 0.2]) for n in shown]) for _ in range(2000)
    ]
    assert sum(not diagnosis.is_at_chance(confusion, IDENTITY) for confusion in blind) <= 6


def test_several_actions_may_be_right_for_a_class() -> None:
    """Two actions for four classes: right for the even ones, and for the odd ones."""
    right = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], bool)
    told = counts([90, 10], [10, 90], [90, 10], [50, 50])
    assert unlearnt(told, right) == []
    assert unlearnt(counts([90, 10], [10, 90], [10, 90], [10, 90]), right) == [2]
    assert diagnosis.is_at_chance(counts([90, 10], [90, 10], [90, 10], [90, 10]), right)


# --- runs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> RunSpec:
    """Return a run that never finds two classes, and stops below 80 %."""
    fields = {"hidden": (30,), "batch_size": 10, "validation_size": 100, "learning_rate": 0.5}
    return RunSpec(dataset="digits", max_epochs=20, **fields)


def test_a_run_says_which_classes_it_has_not_found(digits: RunSpec) -> None:
    history = train(digits)
    assert history.test_accuracy < 80
    assert history.unlearnt == (2, 8)
    assert history.warning == (
        "classes 2, 8 are not told from the others beyond chance: try more epochs, more hidden "
        "units, a larger weight_range, a larger epsilon, or another learning_rate"
    )


@pytest.mark.parametrize("change", [{"hidden": (100,)}, {"weight_range": 0.2}], ids=str)
def test_what_it_says_to_try_helps(digits: RunSpec, change: dict[str, Any]) -> None:
    history = train(digits.replace(max_epochs=60, **change))
    assert (history.unlearnt, history.warning) == ((), None)
    assert history.test_accuracy > 95


@pytest.mark.parametrize(("rule", "loss"), RULES_AND_LOSSES)
def test_a_run_at_chance_says_so(patches: Dataset, rule: str, loss: str) -> None:
    spec = SPEC.replace(rule=rule, loss=loss, learning_rate=1e-9, stop_checks=1, epsilon=0.0)
    history = train(spec, patches)
    assert history.status == "converged"
    assert history.warning is not None
    assert " % right in training is not significantly more than chance, " in history.warning
    assert ("epsilon" in history.warning) == (rule == "q-agrel")
    assert "epochs" not in history.warning


def test_a_diverged_run_has_nothing_more_to_say(patches: Dataset) -> None:
    with np.errstate(all="ignore"):
        history = train(SPEC.replace(learning_rate=1e200), patches)
    assert history.warning is None


def test_where_every_action_pays_alike_nothing_is_missed(patches: Dataset) -> None:
    history = train(SPEC.replace(payoff=((1.0, 1.0),) * 3), patches)
    assert history.warning is None
