"""Replication of Q-AGREL, a biologically plausible learning rule for deep networks.

>>> import qagrel
>>> spec = qagrel.RunSpec(dataset="digits", hidden=(30,), max_epochs=20)
>>> history = qagrel.train(spec)
>>> history.epochs.plot("epoch", "reward")

Every name is loaded when it is first used, so that importing the package takes milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qagrel import store, trial
    from qagrel.dataset import Dataset
    from qagrel.datasets import load_dataset
    from qagrel.epoch import Epoch
    from qagrel.errors import InputError
    from qagrel.estimator import QAgrelClassifier
    from qagrel.history import load, save
    from qagrel.replication import beyond, experiments, explorer, results, sweep
    from qagrel.replication import figures as plotting
    from qagrel.replication import statistics as analysis
    from qagrel.replication.figures import schematics
    from qagrel.spec import RunSpec
    from qagrel.trained import History
    from qagrel.training import train

    __version__: str

__all__ = [
    "Dataset",
    "Epoch",
    "History",
    "InputError",
    "QAgrelClassifier",
    "RunSpec",
    "__version__",
    "analysis",
    "beyond",
    "experiments",
    "explorer",
    "load",
    "load_dataset",
    "plotting",
    "results",
    "save",
    "schematics",
    "store",
    "sweep",
    "train",
    "trial",
]

_HOMES = {
    "Dataset": "dataset",
    "Epoch": "epoch",
    "History": "trained",
    "InputError": "errors",
    "QAgrelClassifier": "estimator",
    "RunSpec": "spec",
    "load": "history",
    "load_dataset": "datasets",
    "save": "history",
    "train": "training",
}
_MODULES = {
    "analysis": "replication.statistics",
    "beyond": "replication.beyond",
    "experiments": "replication.experiments",
    "explorer": "replication.explorer",
    "plotting": "replication.figures",
    "results": "replication.results",
    "schematics": "replication.figures.schematics",
    "store": "store",
    "sweep": "replication.sweep",
    "trial": "trial",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("importlib.metadata").version("qagrel")
    elif name in _MODULES:
        value = _module(name)
    elif name in _HOMES:
        value = getattr(import_module(f"qagrel.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'qagrel' has no attribute {name!r}")
    globals()[name] = value  # next time without coming here
    return value


def _module(name: str) -> Any:
    try:
        return import_module(f"qagrel.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"qagrel.{name} needs {error.name}: pip install 'qagrel[replication]'"
        ) from error


def __dir__() -> list[str]:
    return __all__
