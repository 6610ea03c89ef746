"""Every figure of the replication, drawn of what is made up."""

from collections.abc import Callable

import numpy as np
import pytest
from examples import (
    FIGURES,
    N_CLASSES,
    batch_records,
    both,
    choices,
    epoch_records,
    found,
    how_found,
    mapped,
    paid,
    rising_rates,
    seeds,
    steepest,
    turning,
    valued,
)
from helpers import TRIAL
from matplotlib.figure import Figure

from qagrel.replication.figures import mechanisms, plots, schematics, style
from qagrel.replication.statistics import (
    Paper,
    Row,
    Summary,
    discovery_table,
    summarise,
    value_course,
    values_when_found,
)
from qagrel.trial import Trial, find_trial, open_and_closed


@pytest.fixture(scope="session")
def table(paper: Paper) -> dict[Row, Summary]:
    """Our rows as the paper has them, three seeds each; the first row has a diverged one."""
    rows: dict[Row, Summary] = {}
    for row, printed in paper.table.items():
        accuracies = [printed.accuracy.mean + change for change in (-0.1, 0, 0.1)]
        epochs = [round(printed.epochs.mean) + change for change in (-5, 0, 5)]
        status = ["converged", "max-epochs", "converged"]
        if not rows:
            accuracies[2], status[2] = np.nan, "diverged"
        rows[row] = summarise(seeds(accuracies, epochs, status))
    return rows


@pytest.fixture(scope="session")
def trial() -> Trial:
    def wanted(t: Trial) -> bool:
        return t.reward == 1 and (t.activities[1] > 0).sum() == 2

    return find_trial(TRIAL, wanted, n_inputs=2)


@pytest.fixture(scope="session")
def gates() -> tuple[int, Trial, Trial]:
    return open_and_closed(TRIAL, 2)


@pytest.fixture(scope="session")
def make(
    paper: Paper,
    table: dict[Row, Summary],
    trial: Trial,
    gates: tuple[int, Trial, Trial],
) -> dict[str, Callable[[], Figure]]:
    """Return what makes each figure."""
    epochs, counts = epoch_records(), np.eye(N_CLASSES, dtype=int)[None].repeat(8, axis=0)
    unit, opened, closed = gates
    return {
        "fig1": lambda: schematics.overview(trial),
        "fig2": lambda: schematics.local_information(trial, 0),
        "fig3": lambda: schematics.gating(opened, closed, unit),
        "fig4": lambda: plots.learning_rate_range(
            both(rising_rates()), both(steepest()), both((0.5, 1))
        ),
        "fig5": lambda: plots.stepwise_reward(
            both(epochs), both(batch_records(epochs)), both(found()), both([2, 5])
        ),
        "fig6": lambda: plots.class_selection(both(epochs), both(found())),
        "fig7": lambda: mechanisms.alignment(
            {row: turning() for row in table if row.feedback != "symmetric"}, 45.0, [1.0]
        ),
        "fig8": lambda: mechanisms.receptive_fields(
            dict.fromkeys(list(table)[:4], np.linspace(-1, 1, 24 * 784).reshape(24, 784)),
            (28, 28),
            0.5,
        ),
        "finding": lambda: mechanisms.finding_classes(
            discovery_table(how_found()), values_when_found(how_found())
        ),
        "rate map": lambda: mechanisms.learning_rate_map(mapped(), both((0.5, 1))),
        "wrong values": lambda: mechanisms.wrong_values(both(value_course(valued())), valued()),
        "confusion": lambda: plots.confusion_over_time(both(counts), [1, 4, 8], both(found())),
        "rewards": lambda: plots.rewards(paid(epochs), choices(), 5),
        "table1": lambda: plots.table1(table, paper, seed=1),
    }


@pytest.fixture(scope="session")
def figures(make: dict[str, Callable[[], Figure]]) -> dict[str, Figure]:
    return {name: make[name]() for name in FIGURES}


@pytest.fixture(scope="session")
def saved(
    figures: dict[str, Figure], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, style.Saved]:
    folder = tmp_path_factory.mktemp("figures")
    return {name: style.save(figures[name], folder, name) for name in FIGURES}
