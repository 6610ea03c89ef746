"""A committed run made again: its network at many epochs, checked against the record, and kept.

Committed results hold no weights.  But a run can be derived from its specification, bit for bit,
and stopped on the way: what it is then, a `History`, is kept in the state folder, shows the
network at that epoch, and is what the next stretch of the run goes on from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qagrel import datasets
from qagrel import history as files
from qagrel.dataset import Dataset
from qagrel.epoch import Epoch
from qagrel.errors import InputError, say
from qagrel.replication import audit, results, sweep
from qagrel.replication.audit import Committed
from qagrel.replication.experiments import read_params
from qagrel.spec import RunSpec, nearest
from qagrel.trained import History
from qagrel.training import settle, train

EACH_UNTIL, THEN_EVERY = 20, 5  # epochs to keep: most happens early


@dataclass(frozen=True)
class Derivation:
    """A committed run on its way to be derived again.

    Attributes
    ----------
    run : the committed records.
    folder : where networks are kept, each in a file named by its epoch: among them no network
        that other data, parameters or arithmetic made.
    say : told in a sentence of what is amiss but can be gone on from.
    """

    run: Committed
    spec: RunSpec
    dataset: Dataset
    folder: Path
    say: Callable[[str], None] = say

    @property
    def n_epochs(self) -> int:
        """Epochs that the committed run has."""
        return len(self.run.epochs)

    def stops(self, last: int) -> list[int]:
        """The epochs to keep on the way to the last one that is asked for."""
        early = range(1, EACH_UNTIL + 1)
        later = range(EACH_UNTIL + THEN_EVERY, last, THEN_EVERY)
        return [*(epoch for epoch in (*early, *later) if epoch < last), last]

    def advance(
        self, before: History | None, stop: int, on_epoch: Callable[[int], bool]
    ) -> History:
        """The run up to an epoch: the kept one if there is such, else derived now, and kept.

        Two processes that derive the same run take turns.

        Parameters
        ----------
        before : the run up to an earlier epoch, from which it goes on; None: from the beginning.
        on_epoch : called with the number of each epoch that is trained; if it returns True, the
            run is what it is by then.

        Raises
        ------
        InputError
            When a number is not the committed one, or the network cannot be kept.
        """
        with sweep.turn(self.folder / "run"):
            path = self._path(stop)
            history = sweep.kept_in(path, self.spec, self.dataset, stop, self.say)
            if history is None:

                def is_enough(epoch: Epoch) -> bool:
                    number = int(epoch["epoch"])
                    return on_epoch(number) or number >= stop

                history = train(self.spec, self.dataset, initial=before, on_epoch=is_enough)
                files.save(history, self._path(history.n_epochs))
        self._check(history)
        return history

    def at(self, epoch: int) -> History:
        """The run as it was kept at an epoch (InputError where it was not, or cannot be read)."""
        return sweep.load_kept(self._path(epoch), self.spec, self.dataset, epoch)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"{epoch:04}.npz"

    def _check(self, history: History) -> None:
        """Refuse a run with a number that is not the committed one."""
        if differences := audit.compare(self.run, history):
            raise InputError(
                f"{differences[0]}: data, parameters or code are not those of the committed "
                "results: take all from one version of the project"
            )


def committed_row(profile_name: str, row: str) -> list[Committed]:
    """The runs of a row of Table 1, as they were committed, by their seeds.

    Raises
    ------
    InputError
        When there is no such profile or row, or its results are not there.
    """
    params = read_params()
    profile = params.profile(profile_name)
    if row not in params.all_rows:
        raise InputError(f"row: {row!r} is not in params.yaml{nearest(row, params.all_rows)}")
    return list(audit.row_runs(results.results_folder(profile_name), profile, row))


def of_seed(runs: Sequence[Committed], seed: int) -> Committed:
    """One of a row's runs (InputError where there is none of this seed)."""
    if not 0 <= seed < len(runs):
        raise InputError(f"seed: {seed} is not one of 0 to {len(runs) - 1}")
    return runs[seed]


def derivation(run: Committed, say: Callable[[str], None] = say) -> Derivation:
    """What is needed to derive a committed run again (InputError where its data are missing)."""
    spec, dataset = settle(run.spec, datasets.dataset_of(run.spec))
    folder = sweep.state_folder().parent / "explorer" / sweep.run_key(spec, dataset)
    return Derivation(run, spec, dataset, folder, say)
