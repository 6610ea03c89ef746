"""Figures 1 to 3 show the numbers of real trials."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from examples import texts
from helpers import TRIAL
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qagrel.replication.figures import schematics
from qagrel.trial import Trial, find_trial


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.567, "0.57"), (-1.2, "−1.20"), (0.004, "≈0"), (-0.004, "≈0")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert schematics.number(value) == text


PHASES = [
    (schematics.feedforward_pass, lambda trial: trial.activities),
    (schematics.action_selection, lambda trial: trial.activities[-1:]),
    (schematics.feedback_pass, lambda trial: trial.signals),
    (schematics.prediction_error, lambda trial: trial.activities[-1:]),
    (schematics.synaptic_update, lambda trial: [c[c != 0] for c in trial.changes]),
]


@pytest.mark.parametrize(("draw", "numbers"), PHASES, ids=lambda f: getattr(f, "__name__", ""))
def test_a_phase_shows_the_numbers_of_the_trial(
    draw: Callable[[Axes, Trial], None], numbers: Callable[[Trial], Any], trial: Trial
) -> None:
    axes = Figure().subplots()
    draw(axes, trial)
    expected = [schematics.number(float(v)) for values in numbers(trial) for v in np.ravel(values)]
    shown = texts(axes)
    for text in set(expected):
        assert shown.count(text) >= expected.count(text)


def test_the_prediction_error_is_worked_out(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.prediction_error(axes, trial)
    delta = schematics.number(trial.delta)
    assert any(re.fullmatch(rf"δ = r − q = 1 − .* = {delta}", text) for text in texts(axes))


def test_a_node_shows_each_change_as_a_product(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.node_detail(axes, trial, 0)
    equations = [text for text in texts(axes) if "Delta" in text]
    assert len(equations) == 3 + 2
    for equation, change in zip(equations, trial.changes[0][:, 0], strict=False):
        assert equation.endswith(schematics.number(change).replace("≈", "≈ "))


def test_only_a_closed_gate_stops_the_feedback(gates: tuple[int, Trial, Trial]) -> None:
    unit, opened, closed = gates
    for trial, g, is_stopped in ((opened, 1, False), (closed, 0, True)):
        axes = Figure().subplots()
        schematics.gate_panel(axes, trial, 2, unit)
        assert any(text.endswith(f"$g$ = {g}") for text in texts(axes))
        assert ("✕" in texts(axes)) is is_stopped


@pytest.mark.parametrize("hidden", [(1,), (2, 3, 2), (3, 3, 3, 1)])
def test_networks_of_other_depths_can_be_drawn(hidden: tuple[int, ...]) -> None:
    trial = find_trial(TRIAL.replace(hidden=hidden), lambda t: t.reward == 1)
    axes = Figure().subplots()
    schematics.notation(axes, trial)
    assert r"$q_{3}$" in texts(axes)
    assert rf"$y^{{({len(hidden)})}}_{{{hidden[-1]}}}$" in texts(axes)


def test_the_detail_of_a_node_needs_no_second_hidden_layer() -> None:
    trial = find_trial(TRIAL.replace(hidden=(2,)), lambda t: t.reward == 1)
    axes = Figure().subplots()
    schematics.node_detail(axes, trial, 1)
    assert "to layer 2" in texts(axes)
