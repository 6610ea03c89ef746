"""Figures 1 to 3 show the numbers of real trials."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from examples import texts
from helpers import TRIAL
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from qagrel.replication.figures import schematics
from qagrel.rules import ACTIVATIONS
from qagrel.trial import Trial, find_trial, run_trial


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


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_arrows_are_drawn_where_something_passes(activation: str) -> None:
    """Upwards from units that are active, be it below zero, and downwards through open gates."""
    shown = run_trial(TRIAL.replace(activation=activation, hidden=(5, 4)))
    assert all((sums < 0).any() for sums in shown.net_inputs[:-1])
    up = sum(
        np.count_nonzero(came) * weights.shape[1]
        for came, weights in zip(shown.activities, shown.weights, strict=False)
    )
    pairs = zip(shown.signals[:-1], shown.signals[1:], strict=True)
    down = sum(np.count_nonzero(above) * np.count_nonzero(below) for below, above in pairs)
    for draw, expected in ((schematics.feedforward_pass, up), (schematics.feedback_pass, down)):
        axes = Figure().subplots()
        draw(axes, shown)
        arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
        assert len(arrows) == expected


def test_the_prediction_error_is_worked_out(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.prediction_error(axes, trial)
    delta = schematics.number(trial.delta)
    shown = [text.replace("\n", " ") for text in texts(axes)]
    assert any(re.fullmatch(rf"δ = r − q = 1 − .* = {delta}", text) for text in shown)


def test_a_table_works_out_each_change_of_a_node(trial: Trial) -> None:
    axes = Figure().subplots()
    schematics.update_table(axes, trial, 0)
    shown = [text for text in texts(axes) if text not in ("", "×")]
    heads, lines = shown[:5], np.array(shown[5:]).reshape(-1, 6)
    assert heads[-1] == "change"
    came, sent = [*trial.activities[0], *[trial.activities[1][0]] * 2], trial.signals
    changes = [*trial.changes[0][:, 0], *trial.changes[1][0]]
    feedback = [*[sent[0][0]] * 2, *sent[1]]
    for line, *numbers in zip(lines, came, feedback, changes, strict=True):
        assert line[1:3].tolist() == ["0.5", schematics.number(trial.delta)]
        activity, signal, change = map(schematics.number, numbers)
        assert line[3:].tolist() == [activity, signal, f"= {change}".replace("= ≈", "≈ ")]


def test_only_a_closed_gate_stops_the_feedback(gates: tuple[int, Trial, Trial]) -> None:
    unit, opened, closed = gates
    for trial, g, is_stopped in ((opened, 1, False), (closed, 0, True)):
        axes = Figure().subplots()
        schematics.gate_panel(axes, trial, unit)
        assert any(text.endswith(f"$g$ = {g}") for text in texts(axes))
        assert ("✕" in texts(axes)) is is_stopped


def test_the_changes_of_the_watched_synapses_are_written_below_their_weights(
    gates: tuple[int, Trial, Trial],
) -> None:
    unit, *trials = gates
    for trial in trials:
        axes = Figure().subplots()
        schematics.gate_panel(axes, trial, unit)
        shown = texts(axes)
        for weight, change, came in zip(
            *(trial.weights[1][:, unit], trial.changes[1][:, unit], trial.activities[1]),
            strict=True,
        ):
            written = (schematics.number(weight), f"Δ {schematics.number(change)}")
            assert (came > 0) == (written in pairwise(shown))


@pytest.mark.parametrize("name", ["fig1", "fig2", "fig3"])
def test_numbers_do_not_collide(name: str, figures: dict[str, Figure]) -> None:
    numbers = [
        text.get_window_extent()
        for axes in figures[name].axes
        for text in axes.texts
        if re.fullmatch("(Δ )?[−≈]?[0-9.]+", text.get_text())
    ]
    assert len(numbers) > 20
    for i, box in enumerate(numbers):
        assert box.padded(-2).count_overlaps(numbers[:i]) == 0


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
