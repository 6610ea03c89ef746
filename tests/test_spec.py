"""RunSpec refuses what cannot be trained, and names a run the same way everywhere."""

import math
from typing import Any

import numpy as np
import pytest

from qagrel import InputError, RunSpec
from qagrel import spec as spec_module
from qagrel.spec import DEFAULTS_VERSION

INF, NAN = math.inf, math.nan

NO_TABLES: list[Any] = [
    *((), ((),), ((1.0,),), ((1.0, 0.0), (1.0,)), ((1.0, NAN),), ((INF, 0.0),)),
    *(1.0, "1,0;0,1", ("1,0",), (("1", "0"),), (1.0, 0.0), ((True, False),), ((None, 1.0),), {}),
]
POSSIBLE: dict[str, list[Any]] = {  # the outermost values, and every name
    "dataset": ["d"],
    "rule": ["q-agrel", "error-bp"],
    "feedback": ["symmetric", "learned", "fixed"],
    "hidden": [(1,), (300, 100), (6, 5, 4, 3, 2, 1), [30, 20]],
    "learning_rate": [5e-324, 1, 1e308],
    "seed": [0, 2**63 - 1],
    "batch_size": [1],
    "max_epochs": [1],
    "epsilon": [0, 1],
    "temperature": [5e-324, 1e308],
    "loss": ["cross-entropy", "squared-error"],
    "input_scale": ["grey", "binary"],
    "grey_max": [None, 1, 255],
    "distortion": ["none", "affine"],
    "distortion_range": [5e-324, 0.499],
    "weight_range": [5e-324, 1e308],
    "feedback_range": [5e-324, 1e308],
    "validation_size": [1],
    "validation_draw": ["epoch", "run"],
    "validation_every": [1],
    "stop_checks": [0, 1],
    "stop_decimals": [0, 6],
    "drop_epoch": [1],
    "drop_factor": [5e-324, 1e308],
    "learning_rate_end": [None, 1.0, 1e308],
    "learning_rate_spacing": ["geometric", "linear"],
    "precision": ["float32", "float64"],
    "payoff": [None, ((1e6, -1e6), (0.0, 5e-324)), ((0.5, 0.25, 1.0),), ((1.0,) * 256,) * 256],
    "payoff_switch": [None, 1],
    "payoff_after": [None, ((0.0, 1.0), (1.0, 0.0))],
    "reward_omission": [0, 1],
    "reward_flip": [0, 1],
    "initial_q": [None, 0, -1e6, 1e6],
    "novelty": [0, 5e-324, 1e6],
    "activation": ["relu", "leaky-relu", "tanh"],
    "optimizer": ["sgd", "momentum", "adam"],
    "momentum": [0, 1 - 2**-53],
    "feedback_correlation": [None, -1, 1],
    "feedback_noise": [0, 1e308],
    "feedback_silenced": [0, 1],
}
IMPOSSIBLE: dict[str, list[Any]] = {  # just outside, not finite, of another type
    "dataset": ["", None, 1],
    "rule": ["backprop", "Q-AGREL", "", None, 0],
    "feedback": ["random", None],
    "hidden": [(), (0,), (300, -1), (300.0,), (True,), ("300",), "300", 300.0, True, None],
    "learning_rate": [0, -1, NAN, INF, "1", None, True],
    "seed": [-1, 2**63, 0.0, "0", None, True],
    "batch_size": [0, -1, 1.0, "1", None],
    "max_epochs": [0, -1, 1.0, None],
    "epsilon": [-1e-9, 1 + 1e-9, NAN, "0.02", None],
    "temperature": [0, -1, NAN, INF, None],
    "loss": ["entropy", None],
    "input_scale": ["gray", None],
    "grey_max": [0, -1, 256, 16.0, "16", True],
    "distortion": ["elastic", "", None],
    "distortion_range": [0, -0.1, 0.5, NAN, INF, "0.1", None],
    "weight_range": [0, -0.05, NAN, INF, None],
    "feedback_range": [0, -0.05, NAN, INF, None],
    "validation_size": [-1, 1.0, None],
    "validation_draw": ["never", None],
    "validation_every": [0, -1, 1.0, None],
    "stop_checks": [-1, 1.0, None],
    "stop_decimals": [-1, 7, 1.0, None],
    "drop_epoch": [0, -1, 1.0, None],
    "drop_factor": [0, -1, NAN, INF, None],
    "learning_rate_end": [0, -1, NAN, INF, "1"],
    "learning_rate_spacing": ["log", None],
    "precision": ["float16", None],
    "payoff": [*NO_TABLES, ((1e6 + 1, 0),), ((1.0,) * 257,)],
    "payoff_switch": [0, -1, 1.0, "1", True],
    "payoff_after": NO_TABLES,
    "reward_omission": [-1e-9, 1 + 1e-9, NAN, "0.02", None],
    "reward_flip": [-1e-9, 1 + 1e-9, NAN, "0.02", None],
    "initial_q": [-1e6 - 1, 1e6 + 1, INF, NAN, "0", True],
    "novelty": [-1e-9, 1e6 + 1, INF, NAN, "0", None],
    "activation": ["sigmoid", "", None],
    "optimizer": ["Adam", "", None],
    "momentum": [-1e-9, 1.0, NAN, "0.9", None],
    "feedback_correlation": [-1 - 1e-9, 1 + 1e-9, NAN, "0"],
    "feedback_noise": [-1e-9, INF, NAN, "0", None],
    "feedback_silenced": [-1e-9, 1 + 1e-9, NAN, "0", None],
}
PARTNERS: dict[str, dict[str, Any]] = {  # what a field has no meaning without
    "payoff_switch": {"payoff_after": ((0.0, 1.0), (1.0, 0.0))},
    "payoff_after": {"payoff_switch": 2},
    "momentum": {"optimizer": "momentum"},
    "feedback_correlation": {"feedback": "fixed"},
    "distortion_range": {"distortion": "affine"},
}


def spec_with(field: str, value: Any) -> RunSpec:
    partners = {} if value is None else PARTNERS.get(field, {})
    return RunSpec(**{**partners, field: value})


def pairs(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(field, value) for field, values in table.items() for value in values]


@pytest.mark.parametrize("table", [POSSIBLE, IMPOSSIBLE], ids=["possible", "impossible"])
def test_the_tables_of_this_module_cover_every_field(table: dict[str, list[Any]]) -> None:
    assert set(table) == set(RunSpec.model_fields)


@pytest.mark.parametrize(("field", "value"), pairs(POSSIBLE))
def test_possible_values_are_kept(field: str, value: Any) -> None:
    expected = tuple(value) if isinstance(value, list) else value
    assert getattr(spec_with(field, value), field) == expected


@pytest.mark.parametrize(("field", "value"), pairs(IMPOSSIBLE))
def test_impossible_values_are_refused_by_the_name_of_their_field(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"\A{field}: .+\Z"):
        spec_with(field, value)


def test_a_wrong_name_of_a_choice_gets_all_names_and_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        RunSpec(feedback="symetric")
    assert str(caught.value) == (
        "feedback: 'symetric' is not one of symmetric, learned, fixed; did you mean 'symmetric'?"
    )


def test_an_unknown_field_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match="'lerning_rate'; did you mean 'learning_rate'"):
        RunSpec(lerning_rate=1)


def test_an_unknown_field_unlike_any_other_gets_no_hint() -> None:
    with pytest.raises(InputError, match=r"\Aunknown parameter 'zzz'\Z"):
        RunSpec(zzz=1)


def test_a_specification_cannot_change() -> None:
    spec = RunSpec()
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 1


# --- id -------------------------------------------------------------------------------------


def test_ids_never_change() -> None:
    # a run's id names its files: a new value here makes all results so far unfindable
    assert RunSpec().id == "7674a781fc38e94c"
    assert RunSpec(dataset="digits", hidden=(30,), learning_rate=0.5).id == "1d21a84b12ab05ad"


DEFAULTS: dict[str, Any] = {  # of version 1; a new field is added here, and the version stays
    "dataset": "mnist",
    "rule": "q-agrel",
    "feedback": "symmetric",
    "hidden": (300, 100),
    "learning_rate": 1.0,
    "seed": 0,
    "batch_size": 100,
    "max_epochs": 1000,
    "epsilon": 0.02,
    "temperature": 1.0,
    "loss": "cross-entropy",
    "input_scale": "grey",
    "grey_max": None,
    "distortion": "none",
    "distortion_range": 0.15,
    "weight_range": 0.05,
    "feedback_range": 0.05,
    "validation_size": 1000,
    "validation_draw": "epoch",
    "validation_every": 5,
    "stop_checks": 5,
    "stop_decimals": 1,
    "drop_epoch": 500,
    "drop_factor": 10.0,
    "learning_rate_end": None,
    "learning_rate_spacing": "geometric",
    "precision": "float32",
    "payoff": None,
    "payoff_switch": None,
    "payoff_after": None,
    "reward_omission": 0.0,
    "reward_flip": 0.0,
    "initial_q": None,
    "novelty": 0.0,
    "activation": "relu",
    "optimizer": "sgd",
    "momentum": 0.9,
    "feedback_correlation": None,
    "feedback_noise": 0.0,
    "feedback_silenced": 0.0,
}


@pytest.mark.parametrize("field", RunSpec.model_fields)
def test_defaults_are_those_of_their_version(field: str) -> None:
    assert field in DEFAULTS, f"{field} is new: write its default into this table"
    assert (RunSpec.model_fields[field].default, DEFAULTS_VERSION) == (DEFAULTS[field], 1), (
        f"the default of {field} has changed, and with it what the ids of kept runs mean: raise "
        "DEFAULTS_VERSION in qagrel/spec.py, and write both into this test"
    )


def test_another_version_of_the_defaults_makes_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    before = RunSpec().id
    monkeypatch.setattr(spec_module, "DEFAULTS_VERSION", DEFAULTS_VERSION + 1)
    assert RunSpec().id != before


def test_a_field_that_is_added_leaves_ids_alone() -> None:
    class Later(RunSpec):
        added: int = 7

    assert (Later().id, Later(seed=3).id) == (RunSpec().id, RunSpec(seed=3).id)
    assert Later(added=8).id != RunSpec().id


@pytest.mark.parametrize(("field", "value"), pairs(POSSIBLE))
def test_every_field_is_part_of_the_id(field: str, value: Any) -> None:
    spec = spec_with(field, value)
    assert (spec.id == RunSpec().id) == (spec == RunSpec())


@pytest.mark.parametrize(
    ("one", "other"),
    [({"learning_rate": 1}, {"learning_rate": 1.0}), ({"hidden": [9]}, {"hidden": (9,)})],
)
def test_equal_specifications_have_one_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert RunSpec(**one).id == RunSpec(**other).id


# --- replace --------------------------------------------------------------------------------


def test_replace_changes_what_is_named_and_keeps_the_rest() -> None:
    spec = RunSpec(hidden=(30,), epsilon=0.1)
    assert spec.replace(seed=7) == RunSpec(hidden=(30,), epsilon=0.1, seed=7)
    assert spec == RunSpec(hidden=(30,), epsilon=0.1)


@pytest.mark.parametrize("changes", [{"seed": -1}, {"sed": 1}])
def test_replace_checks_like_a_new_specification(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        RunSpec().replace(**changes)


# --- learning rate --------------------------------------------------------------------------


def test_the_rate_is_divided_from_the_drop_epoch_on() -> None:
    spec = RunSpec(learning_rate=0.5, drop_epoch=500, drop_factor=10)
    assert [spec.rate(epoch) for epoch in (1, 499, 500, 1000)] == [0.5, 0.5, 0.05, 0.05]


def test_a_geometric_rise_multiplies_by_the_same_factor_every_epoch() -> None:
    spec = RunSpec(learning_rate=0.01, learning_rate_end=100, max_epochs=5)
    rates = [spec.rate(epoch) for epoch in range(1, 6)]
    assert rates == [0.01, 0.1, 1.0, 10.0, 100.0]


def test_a_linear_rise_adds_the_same_amount_every_epoch() -> None:
    spec = RunSpec(
        learning_rate=1, learning_rate_end=3, max_epochs=5, learning_rate_spacing="linear"
    )
    assert [spec.rate(epoch) for epoch in range(1, 6)] == [1, 1.5, 2, 2.5, 3]


@pytest.mark.parametrize("spacing", ["geometric", "linear"])
def test_a_rise_of_a_single_epoch_begins_and_ends_at_the_lower_rate(spacing: str) -> None:
    spec = RunSpec(
        learning_rate=1, learning_rate_end=3, max_epochs=1, learning_rate_spacing=spacing
    )
    assert spec.rate(1) == 1


def test_a_rising_rate_does_not_drop() -> None:
    spec = RunSpec(learning_rate=1, learning_rate_end=2, max_epochs=1000, drop_epoch=500)
    assert spec.rate(500) > spec.rate(499)


# --- numbers of NumPy ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("seed", np.int64(3), 3),
        ("seed", np.uint64(2**63 - 1), 2**63 - 1),
        ("batch_size", np.uint32(7), 7),
        ("stop_checks", np.array(2), 2),
        ("learning_rate", np.float64(0.1), 0.1),
        ("learning_rate", np.float32(0.1), float(np.float32(0.1))),
        ("epsilon", np.int8(1), 1.0),
        ("dataset", np.str_("digits"), "digits"),
        ("hidden", 30, (30,)),
        ("hidden", np.int32(30), (30,)),
        ("hidden", np.array([300, 100]), (300, 100)),
        ("hidden", (np.int64(300), 100), (300, 100)),
    ],
)
def test_numbers_of_numpy_are_the_same_numbers_of_python(field: str, given: Any, kept: Any) -> None:
    spec = RunSpec(**{field: given})
    value = getattr(spec, field)
    assert (value, type(value)) == (kept, type(kept))
    assert {type(n) for n in spec.hidden} == {int}
    assert spec.id == RunSpec(**{field: kept}).id


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("seed", np.bool_(True)),
        ("seed", np.float64(3)),
        ("seed", np.uint64(2**63)),
        ("seed", np.array([3])),
        ("learning_rate", np.bool_(True)),
        ("learning_rate", np.float32("nan")),
        ("hidden", np.bool_(True)),
        ("hidden", [np.bool_(True)]),
        ("hidden", np.array([[300]])),
        ("hidden", np.array([300.0])),
    ],
)
def test_other_values_of_numpy_are_refused(field: str, given: Any) -> None:
    with pytest.raises(InputError, match=f"^{field}: .* is not possible"):
        RunSpec(**{field: given})
