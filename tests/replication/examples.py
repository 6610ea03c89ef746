"""Runs, rows and curves made up, for statistics and figures."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from helpers import ROOT
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from qagrel import store
from qagrel.replication import beyond, results
from qagrel.replication.experiments import read_params
from qagrel.replication.measures import SHARES
from qagrel.replication.statistics import Moments, Paper, Row, Summary

PAPER = ROOT / "paper"
N_CLASSES = 10
FIGURES = [
    *("fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8"),
    *("confusion", "finding", "rate map", "rewards", "table1", "wrong values"),
]
AGREL = Row("q-agrel", "symmetric", "300-100", 1.0)
BACKPROP = Row("error-bp", "symmetric", "300-100", 0.1)
STARRED = Row("q-agrel", "fixed", "300-100", 0.1)


def beyond_results(folder: Path, n_seeds: int = 3) -> None:
    """Invent the studies of the profile beyond, and the verdicts that follow, in its folder."""
    profile = read_params(ROOT / "params.yaml").profile("beyond")
    generator = np.random.default_rng(0)
    for name, study in profile.studies.items():
        runs: list[dict[str, Any]] = []
        measured: list[dict[str, Any]] = []
        for run, specs in profile.study_specs(name).items():
            for spec in specs[:n_seeds]:
                seed = {"run": run, "seed": spec.seed}
                ending = {"n_epochs": int(generator.integers(50, 90)), "status": "converged"}
                accuracy = {"test_accuracy": generator.uniform(90, 98), "diverged_at": None}
                runs.append({**seed, **results.network(spec), **ending, **accuracy})
                if study.measure == "discoveries":
                    trials = generator.integers(1000, 90000, N_CLASSES)
                    measured += [seed | {"class": i, "found": n} for i, n in enumerate(trials)]
                elif study.measure == "progress":
                    trials = np.sort(generator.integers(1000, 90000, len(SHARES)))
                    pairs = zip(SHARES, trials, strict=True)
                    measured += [seed | {"share": share, "trials": n} for share, n in pairs]
        summaries = pd.DataFrame(runs)
        epochs = summaries[["run", "seed", "learning_rate"]]
        epochs = epochs.assign(epoch=1, validation_accuracy=90.0)
        store.write_csv(folder / "studies" / f"{name}-summary.csv", summaries)
        store.write_csv(folder / "studies" / f"{name}.csv", epochs)
        if measured:
            store.write_csv(folder / "studies" / f"{name}-measured.csv", pd.DataFrame(measured))
    read = beyond.read_predictions(ROOT / str(profile.predictions), profile)
    verdicts = [{**each, "hindsight": None} for each in beyond.judge(read.predictions, folder)]
    store.write_json(folder / "verdicts.json", verdicts)
    store.write_json(folder / "answers.json", beyond.answers(folder, read.questions))


def seeds(
    accuracies: list[float], epochs: int | list[int], status: str | list[str] = "converged"
) -> pd.DataFrame:
    n = len(accuracies)
    return pd.DataFrame(
        {
            "seed": range(n),
            "n_epochs": epochs if isinstance(epochs, list) else [epochs] * n,
            "test_accuracy": accuracies,
            "status": status if isinstance(status, list) else [status] * n,
        }
    )


def summary(
    accuracy: float,
    accuracy_std: float,
    epochs: float,
    epochs_std: float,
    n: int = 10,
    n_converged: int = 10,
    n_diverged: int = 0,
) -> Summary:
    moments = Moments(accuracy, accuracy_std, n), Moments(epochs, epochs_std, n)
    return Summary(*moments, n, n_converged, n_diverged)


def ours_like_paper(paper: Paper, n_converged: int = 10) -> dict[Row, Summary]:
    """Our rows with the paper's numbers, and a spread where the paper prints none."""
    table = {}
    for row, printed in paper.table.items():
        epochs = replace(printed.epochs, std=printed.epochs.std if row != STARRED else 0.0)
        met = 0 if row == STARRED else n_converged
        table[row] = replace(printed, epochs=epochs, n_converged=met)
    return table


def history(
    correct: npt.ArrayLike,
    selected: npt.ArrayLike | None = None,
    presented: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """A history of as many classes as the counts have columns: arrays (epochs, classes)."""
    correct = np.asarray(correct)
    selected = correct if selected is None else np.asarray(selected)
    frame = {"seed": seed, "epoch": np.arange(1, len(correct) + 1)}
    frame["error"] = 1 - correct.mean(axis=1) / 100
    for number in range(correct.shape[1]):
        frame[f"presented_{number}"] = presented
        frame[f"correct_{number}"] = correct[:, number]
        frame[f"selected_{number}"] = selected[:, number]
    return pd.DataFrame(frame)


def found_in(epochs: list[int], n_epochs: int = 20) -> np.ndarray:
    """Correct counts: nothing before a class's epoch, then 95 %, then 96, 97, at most 100 %."""
    when = np.arange(1, n_epochs + 1)[:, None] - np.array(epochs)
    return np.where(when < 0, 0, np.minimum(95 + when, 100))


def epoch_records(n_epochs: int = 8) -> pd.DataFrame:
    """A network that finds a class in every epoch but the last, and never class 9."""
    epoch, found = np.arange(1, n_epochs + 1)[:, None], np.arange(N_CLASSES)
    correct = np.where(epoch > found, 40, 0)
    selected = np.where(epoch > found, 500 // np.minimum(epoch, 10), 0)
    frame = history(correct, selected, presented=50)
    frame["error"] = 1 - frame["epoch"] / (n_epochs + 2)
    frame["reward"] = 1 - frame["error"]
    frame["learning_rate"] = np.geomspace(0.01, 1, n_epochs)
    return frame


def rising_rates() -> pd.DataFrame:
    """Three seeds while the rate is raised, the last of which diverges after six epochs."""
    seeds = [epoch_records().assign(seed=seed) for seed in range(3)]
    for seed, records in enumerate(seeds):
        records["reward"] *= 1 - 0.1 * seed
        records["error"] = 1 - records["reward"]
    return pd.concat([*seeds[:2], seeds[2].head(6)], ignore_index=True)


def steepest() -> pd.DataFrame:
    """Intervals of three seeds, with ends whose geometric means are 0.1 and 0.2."""
    low = np.array([0.05, 0.1, 0.2])
    return pd.DataFrame({"seed": range(3), "low": low, "high": 2 * low})


def batch_records(epochs: pd.DataFrame, n_batches: int = 5) -> pd.DataFrame:
    """As many batches an epoch, each with the error of the epoch."""
    return pd.DataFrame(
        {
            "epoch": np.repeat(epochs["epoch"], n_batches),
            "batch": np.tile(np.arange(1, n_batches + 1), len(epochs)),
            "error": np.repeat(epochs["error"], n_batches),
        }
    )


def found(n_epochs: int = 8) -> pd.DataFrame:
    """The epochs in which the network of `epoch_records` finds its classes."""
    epoch = [n + 1.0 if n < n_epochs else np.nan for n in range(N_CLASSES)]
    return pd.DataFrame({"seed": 0, "class": range(N_CLASSES), "epoch": epoch})


def paid(epochs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Two tasks, in the second of which half of the rewards are withheld."""
    certain = epochs.assign(optimal_reward=1.0)
    by_chance = epochs.assign(optimal_reward=0.5, reward=epochs["reward"] / 2)
    return {"certain": certain, "by chance": by_chance}


def choices(n_epochs: int = 8) -> pd.DataFrame:
    """A network that gives up what was right before epoch 5 for what is right then."""
    epoch = np.arange(1, n_epochs + 1)
    before = np.where(epoch < 5, 0.9, 0.1)
    return pd.DataFrame({"epoch": epoch, "before": before, "after": 0.95 - before})


def turning(n_layers: int = 2, seeds: int = 2) -> pd.DataFrame:
    """Angles that fall from 80 degrees, by 10 an epoch and 5 a layer; seeds end one by one."""
    parts = []
    for seed in range(seeds):
        epoch = np.arange(1, 6 - seed)
        angles = {f"angle_{2 + layer}": 90.0 - 10 * epoch - 5 * layer for layer in range(n_layers)}
        parts.append(pd.DataFrame({"seed": seed, "epoch": epoch, **angles}))
    return pd.concat(parts, ignore_index=True)


def valued(n_seeds: int = 2) -> pd.DataFrame:
    """Q-values and wrong choices of a rule that learns by reward, four epochs a seed."""
    epoch = np.arange(1, 5)
    means = {"right": epoch / 5, "best_wrong": epoch / 10, "other_wrong": 0.0, "margin": epoch / 10}
    counts = {"wrong_greedy": 30, "wrong_explored": 10 * epoch}
    changes = {"change_greedy": -6.0, "change_explored": -2.0 * epoch}
    return pd.concat(
        pd.DataFrame({"run": "q-agrel", "seed": s, "epoch": epoch, **means, **counts, **changes})
        for s in range(n_seeds)
    )


def how_found() -> pd.DataFrame:
    """How classes were found, two seeds of two widths and exploration rates; one class never."""
    parts = []
    for width, epsilon in ((30, 0.0), (30, 0.1), (300, 0.0), (300, 0.1)):
        for seed in range(2):
            lines = {
                "class": [0, 1],
                "found": [100.0 * (1 + seed), np.nan if width == 30 else 400.0],
                "first_right_explored": [float(epsilon > 0), 0.0],
                **{"right_before": 10, "explored_before": int(50 * epsilon)},
                **{"rival_peak": 0.4, "rival_last": 0.2, "own_found": 0.5 + 0.1 * seed},
            }
            parts.append(pd.DataFrame({"run": f"{width}, {epsilon:g}", "seed": seed, **lines}))
    return pd.concat(parts, ignore_index=True)


def mapped() -> pd.DataFrame:
    """Steepest intervals of two series and batch sizes; one series of error-BP diverges."""
    lines: list[dict[str, Any]] = []
    for rule, start, batch in itertools.product(("q-agrel", "error-bp"), (0.01, 0.5), (100, 1000)):
        series = {"rule": rule, "spacing": "geometric", "start": start, "end": 10.0}
        for seed in range(2):
            low = np.nan if (rule, start) == ("error-bp", 0.5) else start * 2**seed
            lines.append({**series, "batch_size": batch, "seed": seed, "low": low, "high": 2 * low})
    return pd.DataFrame(lines)


def both(value: Any) -> dict[str, Any]:
    """The same of both rules."""
    return {"q-agrel": value, "error-bp": value}


def texts(figure: Figure | Axes) -> list[str]:
    """All that can be read in a figure or a panel."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
