"""What claims are tested on, and what their tests find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from qagrel.replication.statistics.estimates import Check, Verdict
from qagrel.replication.statistics.rows import Row, Table


@dataclass(frozen=True)
class Evidence:
    """The results of a profile that claims are tested on; None where runs were not made.

    Attributes
    ----------
    dataset : what the networks were trained on.
    table : the rows of Table 1.
    agrel_steps, backprop_steps : histories for Figs 5 and 6 (see `learning_profile`), best with
        ten seeds: a single example network cannot support a claim about the rule.
    agrel_rates, backprop_rates : histories while the learning rate is raised (Fig. 4).
    high_rates : fixed-feedback Q-AGREL, rows at the rates used with symmetric feedback.
    learned : histories of the learned-feedback rows, with columns seed, epoch, angle_2, ...
    equivalence : columns hidden_layers, relative_difference (largest difference between the
        Q-AGREL update and the gradient for the selected unit, over the largest change).
    trial_by_trial : Q-AGREL rows trained with batches of one.
    validation_draws : rows with validation samples drawn once a run.
    agrel_batches : right choices by class and batch in the runs of `agrel_steps` (see
        `measures.choices`).
    rate_map : histories while the rate is raised, by series (see `mechanisms.rate_map`).
    q_values : Q-values over epochs, of both rules (see `measures.q_values`).
    finding : how classes were found, by width and exploration (see `measures.discoveries`).
    fixed : histories of the rows with fixed feedback, with columns seed, epoch, angle_2, ...
    more_learned : rows with learned and with symmetric feedback, of more seeds than in Table 1.
    updates : how far epochs move the weights (see `measures.updates`), of runs ``learned`` and
        ``symmetric``.
    """

    dataset: str
    table: Table = field(default_factory=dict)
    agrel_steps: pd.DataFrame | None = None
    backprop_steps: pd.DataFrame | None = None
    agrel_rates: pd.DataFrame | None = None
    backprop_rates: pd.DataFrame | None = None
    high_rates: Table = field(default_factory=dict)
    learned: Mapping[Row, pd.DataFrame] = field(default_factory=dict)
    equivalence: pd.DataFrame | None = None
    trial_by_trial: Table = field(default_factory=dict)
    validation_draws: Table = field(default_factory=dict)
    agrel_batches: pd.DataFrame | None = None
    rate_map: pd.DataFrame | None = None
    q_values: pd.DataFrame | None = None
    finding: pd.DataFrame | None = None
    fixed: Mapping[Row, pd.DataFrame] = field(default_factory=dict)
    more_learned: Table = field(default_factory=dict)
    updates: pd.DataFrame | None = None


@dataclass(frozen=True)
class Finding:
    """The checks that test a claim (none: not tested) and numbers that go with them.

    `verdict` is given where it is reached in another way than from these checks, as is one across
    several readings of the paper (`estimates.across_readings`).
    """

    checks: list[Check]
    numbers: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None


def not_made(study: str) -> Finding:
    """What is found where the runs of a study are not there."""
    return Finding([], {"missing": f"The study {study} has not been made."})
