"""One training run: RunSpec and data in, History out; or a History in, to go on from."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qagrel import kernels, network, triallog
from qagrel.dataset import Dataset
from qagrel.datasets import dataset_of
from qagrel.distortion import Distorter
from qagrel.epoch import Epoch, OnEpoch, Row, says_stop
from qagrel.errors import InputError
from qagrel.network import Floats, Ints
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.triallog import TrialLog

SparseImages = tuple[kernels.Images, kernels.Images]
# what may be otherwise in a run that goes on; its data are known by their checksum
MAY_CHANGE = ("dataset", "grey_max", "max_epochs", "stop_checks", "stop_decimals")


class _Done(NamedTuple):
    """What an epoch leaves: its row, what kernels counted, and the log of its trials, if any."""

    row: Row
    record: kernels.Record
    log: TrialLog | None


def train(
    spec: RunSpec,
    dataset: Dataset | None = None,
    *,
    initial: History | None = None,
    record_batches: bool = False,
    record_trials: bool = False,
    on_epoch: OnEpoch | None = None,
) -> History:
    """Train one network by the protocol of Section 3.

    Parameters
    ----------
    spec : the run.
    dataset : the data, if it is loaded already or made by hand; `History.spec` has its name.
    initial : a run to go on from, on the same data: what comes is, bit for bit, the run that was
        never interrupted, with all its epochs.  Only `max_epochs` and the stopping rule of the
        specification may differ.  What it recorded is recorded on.
    record_batches : keep wrong choices and loss of every batch (`History.batches`); the numbers
        of the run are the same either way.
    record_trials : keep every trial (`History.trials`), up to five million of some 25 bytes; the
        numbers of the run are the same either way.
    on_epoch : called after each epoch with an `Epoch`: its record, and what the weights are.
        If it returns True the run ends there, with the status "stopped" (what a progress bar's
        `update` returns should not be passed on: it may be True); an exception that it raises
        ends the run without a History.

    Raises
    ------
    InputError
        When the specification does not fit the data, the data cannot be had, `initial` cannot be
        gone on from in this way, or there are too many trials to keep.
    """
    _check_kinds(spec, dataset, initial)
    spec, dataset = settle(spec, dataset)
    if initial is not None:
        check_continues(initial, spec, dataset)
        _check_recorded(initial, record_batches, record_trials)
        record_batches = initial.batch_wrong is not None
        record_trials = initial.trial_log is not None
    if record_trials:
        triallog.check(spec, len(dataset.train_images) - spec.validation_size)
    run = _Run(spec, dataset, initial=initial, record_trials=record_trials)
    return run.train(record_batches, on_epoch)


def train_on(spec: RunSpec, dataset: Dataset, earlier: History | None) -> History:
    """Train an earlier network on, with whatever data; where there is none, a new one.

    The random streams go on too, so that no two calls draw the same numbers, and with them the
    seed, so that no two silence other units; epochs are counted anew.
    """
    if earlier is not None:
        spec = spec.replace(seed=earlier.spec.seed)
    return _Run(*settle(spec, dataset), earlier=earlier).train()


def _check_goes_on(trained: History, spec: RunSpec, widths: tuple[int, ...]) -> None:
    """Refuse to train on a network of another shape or kind (InputError)."""
    shape = (trained.weights[0].shape[0], *(matrix.shape[1] for matrix in trained.weights))
    if shape != widths:
        raise InputError(
            f"hidden: training cannot go on with layers of {widths} units, the network has "
            f"{shape}: keep its inputs, layers and classes, or train a new one"
        )
    for name in ("feedback", "activation", "optimizer", "initial_q", "feedback_correlation"):
        before, now = getattr(trained.spec, name), getattr(spec, name)
        if before != now:
            raise InputError(
                f"{name}: training cannot go on with {name} {now!r}, the network has {before!r}: "
                "keep it, or train a new one"
            )


def _check_kinds(spec: Any, dataset: Any, initial: Any) -> None:
    """Refuse what is no run, no data set or no history (InputError)."""
    for name, given, kind, remedy in [
        ("spec", spec, RunSpec, "give a RunSpec"),
        ("dataset", dataset, Dataset, "give a Dataset, or name it in RunSpec(dataset=...)"),
        ("initial", initial, History, "give a History, such as qagrel.load(path) does"),
    ]:
        if not isinstance(given, kind) and (name == "spec" or given is not None):
            raise InputError(f"{name}: {type(given).__name__} is not possible: {remedy}")


def _without_batches(record: kernels.Record) -> kernels.Record:
    return record._replace(wrong=None, loss=None, reward=None)


def _check_recorded(initial: History, batches: bool, trials: bool) -> None:
    """Refuse records of the later epochs only."""
    for name, wanted, kept in [
        ("record_batches", batches, initial.batch_wrong),
        ("record_trials", trials, initial.trial_log),
    ]:
        if wanted and kept is None:
            raise InputError(
                f"{name}: the run to go on from has no such records of its first epochs: leave it "
                "out, or train that run again with it"
            )


def check_continues(initial: History, spec: RunSpec, dataset: Dataset) -> None:
    """Refuse to go on from a run in another way than it would have gone on itself (InputError)."""
    if initial.status == "diverged":
        raise InputError(
            "initial: this run diverged, no run can go on from weights that are not finite: train "
            "with a smaller learning rate"
        )
    if initial.streams is None or initial.dataset_sha256 is None:
        raise InputError(
            "initial: the state of its random streams is not known, its file is of an earlier "
            "version, and no run can go on from it: train it again"
        )
    if initial.dataset_sha256 != dataset.sha256:
        raise InputError(
            f"initial: {dataset.name} is not what this run was trained on, its contents, scale or "
            "classes differ: go on with the same data"
        )
    for name in RunSpec.model_fields:
        before, now = getattr(initial.spec, name), getattr(spec, name)
        if before != now and name not in MAY_CHANGE:
            raise InputError(
                f"{name}: {now!r} is not the {before!r} of the run to go on from: only max_epochs, "
                "stop_checks and stop_decimals may differ"
            )
    if spec.learning_rate_end is not None:
        raise InputError(
            "learning_rate_end: a rate that rises up to the last epoch depends on which that is, "
            "so that no run can go on from such a one: train it anew"
        )
    if spec.max_epochs <= initial.n_epochs:
        raise InputError(
            f"max_epochs: {spec.max_epochs} is not more than the {initial.n_epochs} epochs of the "
            "run to go on from: choose more"
        )
    epochs, checked = checks_of(spec, initial.rows)
    for n, epoch in enumerate(epochs, start=1):
        if should_stop(checked[:n], spec.stop_checks):
            raise InputError(
                f"stop_checks: this stopping rule ends the run to go on from at epoch {epoch}, of "
                f"which it has {initial.n_epochs}: choose more checks, or 0 for none"
            )


def settle(spec: RunSpec, dataset: Dataset | None) -> tuple[RunSpec, Dataset]:
    """A run and its data, loaded if need be: the run has their name, they its scale.

    Raises
    ------
    InputError
        As `load_dataset` and `check_fit` do.
    """
    dataset = dataset_of(spec) if dataset is None else dataset.scaled(spec.grey_max)
    if spec.dataset != dataset.name:
        spec = spec.replace(dataset=dataset.name)
    check_fit(spec, dataset)
    return spec, dataset


def check_fit(spec: RunSpec, dataset: Dataset) -> None:
    """Refuse a specification that the data cannot serve (InputError)."""
    n_samples = len(dataset.train_images)
    remaining = n_samples - spec.validation_size
    if dataset.grey_max is None and spec.input_scale == "binary":
        raise InputError(
            f"input_scale: the samples of {dataset.name} are values, not grey levels (uint8): "
            "give grey, and 0 and 1 as values if they are to be binary"
        )
    if remaining < 1:
        raise InputError(
            f"validation_size: {spec.validation_size} samples cannot be held out of the "
            f"{n_samples} training samples of {dataset.name}: choose fewer"
        )
    if spec.batch_size > remaining:
        raise InputError(
            f"batch_size: {spec.batch_size} is more than the {remaining} training samples of "
            f"{dataset.name} that are left after validation: choose fewer"
        )
    _check_payoffs(spec, dataset)
    _check_distortion(spec, dataset)
    if dataset.grey_max is not None and (
        (level := dataset.largest_level["train"]) > dataset.grey_max
    ):
        raise InputError(
            f"grey_max: {dataset.grey_max} is below the largest grey level of the training images "
            f"of {dataset.name}: choose {level} or more"
        )


def _check_payoffs(spec: RunSpec, dataset: Dataset) -> None:
    n_classes, n_actions = dataset.n_classes, spec.n_actions(dataset.n_classes)
    for name in ("payoff", "payoff_after"):
        table = getattr(spec, name)
        if table is not None and (len(table), len(table[0])) != (n_classes, n_actions):
            raise InputError(
                f"{name}: {len(table)} rows of {len(table[0])} actions do not fit the {n_classes} "
                f"classes of {dataset.name}: give {n_classes} rows of {n_actions}"
            )


def _check_distortion(spec: RunSpec, dataset: Dataset) -> None:
    if spec.distortion == "none":
        return
    if not dataset.has_levels:
        raise InputError(
            f"distortion: the samples of {dataset.name} are values, not grey levels (uint8): give "
            "images, or none"
        )
    if len(dataset.image_shape) != 2 or len(set(dataset.image_shape)) != 1:
        raise InputError(
            f"distortion: the images of {dataset.name} are of the shape {dataset.image_shape}: "
            "give square ones, in as many rows as columns, or none"
        )


def _drawn_from(spec: RunSpec) -> list[str]:
    """The random streams that a run draws from every epoch."""
    noise = ["noise"] if spec.feedback_noise else []
    distortions = ["distortions"] if spec.distortion != "none" else []
    return ["orders", "exploration", "chances", *noise, *distortions]


_sparse_images: "WeakKeyDictionary[Dataset, dict[tuple[str, str], SparseImages]]" = (
    WeakKeyDictionary()
)  # made once for all runs that share a data set, and gone with it


def _sparse(dataset: Dataset, input_scale: str, precision: str) -> SparseImages:
    """Training and test images without their zeros."""
    made = _sparse_images.setdefault(dataset, {})
    if (input_scale, precision) not in made:
        levels = network.input_levels(dataset.grey_max, input_scale, precision)
        made[input_scale, precision] = (
            network.sparse_images(dataset.train_images, dataset.train_labels, levels),
            network.sparse_images(dataset.test_images, dataset.test_labels, levels),
        )
    return made[input_scale, precision]


class _Run:
    """The state of a run: network, random streams and validation checks so far.

    It begins anew; or with the network and the streams of an earlier run, on other data perhaps;
    or goes on from where `initial` ended.
    """

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        *,
        earlier: History | None = None,
        initial: History | None = None,
        record_trials: bool = False,
    ) -> None:
        self.spec, self.dataset, self.initial = spec, dataset, initial
        self.status, self.record_trials = "max-epochs", record_trials
        self.train_images, self.test_images = _sparse(dataset, spec.input_scale, spec.precision)
        self.n_samples, self.n_classes = len(dataset.train_images), dataset.n_classes
        self.streams = {name: network.stream(spec.seed, name) for name in _drawn_from(spec)}
        self.unused: dict[str, Any] = {}
        self.distorter = self._distorter()
        self.payoffs = network.payoffs(spec, dataset.n_classes)
        self.network = self._start(earlier or initial)
        self.work = network.workspace(self.network, spec.batch_size, optimizer=spec.optimizer)
        self._take_moments(earlier or initial)
        self.policy = network.policy(spec)
        n_trained = self.n_samples - spec.validation_size
        firsts = np.arange(0, n_trained, spec.batch_size)
        self.batch_sizes = np.minimum(spec.batch_size, n_trained - firsts)
        self._take_streams(earlier)
        self.fixed_order = self.streams["orders"].permutation(self.n_samples)
        self._take_streams(initial)
        self.checks = [] if initial is None else checks_of(spec, initial.rows)[1]

    def _start(self, trained: History | None) -> kernels.Network:
        """The network before the first epoch: drawn, or one that is trained."""
        spec, separate = self.spec, self.spec.feedback != "symmetric"
        n_actions = spec.n_actions(self.n_classes)
        widths = (self.dataset.train_images.shape[1], *spec.hidden, n_actions)
        back: Sequence[Floats] = []
        if trained is None:
            weights = self._draw("weights", widths, spec.weight_range)
            if separate:
                drawn = self._draw("feedback", widths, spec.feedback_range)
                back = network.correlated(spec, weights, drawn)
            if spec.initial_q is not None:
                images = self.train_images
                weights = network.start_at(spec.initial_q, weights, images, spec.activation)
        else:
            _check_goes_on(trained, spec, widths)
            weights, back = (
                [matrix.astype(spec.precision) for matrix in matrices]
                for matrices in (trained.weights, trained.feedback_weights)
            )
        return network.pack_for(spec, weights, back if separate else None)

    def _draw(self, purpose: str, widths: tuple[int, ...], weight_range: float) -> list[Floats]:
        generator = network.stream(self.spec.seed, purpose)
        return network.draw_weights(widths, weight_range, generator, self.spec.precision)

    def _take_moments(self, before: History | None) -> None:
        """Let the optimizer keep what it kept in a run, if there is one."""
        if before is not None and before.moments:
            for name, matrices in before.moments.items():
                network.fill(self.network, getattr(self.work, name), matrices)
            self.work.steps[0] = before.steps

    def _distorter(self) -> Distorter | None:
        if self.spec.distortion == "none":
            return None
        reach = self.spec.distortion_range
        return Distorter(self.dataset.train_images, self.train_images, reach)

    def _take_streams(self, before: History | None) -> None:
        """Go on where the streams of a run ended, if there is one.

        One that it did not draw from, of an option that is new, begins by the seed; one that is
        drawn from no longer is kept, for runs that go on from this one.
        """
        if before is not None:
            assert before.streams is not None
            self.unused |= before.streams
            for name in self.streams.keys() & before.streams.keys():
                self.streams[name].bit_generator.state = before.streams[name]

    def train(self, record_batches: bool = False, on_epoch: OnEpoch | None = None) -> History:
        """Train until the run ends or the callback stops it."""
        done = []
        for each in self.epochs():
            record = each.record if record_batches else _without_batches(each.record)
            done.append(each._replace(record=record))
            if on_epoch is not None and says_stop(on_epoch(Epoch(each.row, self.network))):
                self.stop()
        return self.history(done, record_batches)

    def epochs(self) -> Iterator[_Done]:
        """Train epoch after epoch, until the run ends by one of its rules or is stopped."""
        n_before = 0 if self.initial is None else self.initial.n_epochs
        for epoch in range(n_before + 1, self.spec.max_epochs + 1):
            self.payoffs = network.payoffs(self.spec, self.n_classes, epoch)
            held_out, trained = self._split()
            record, log = self._train(trained, self.spec.rate(epoch))
            row = self._row(epoch, record)
            if not self._is_finite():
                self.status = "diverged"
            elif self.spec.validation_size and epoch % self.spec.validation_every == 0:
                row["validation_accuracy"] = self._accuracy(self.train_images, held_out)
                self.checks += checks_of(self.spec, [row])[1]
                if should_stop(self.checks, self.spec.stop_checks):
                    self.status = "converged"
            self.is_over = self.status != "max-epochs" or epoch == self.spec.max_epochs
            yield _Done(row, record, log)
            if self.is_over:
                return

    def _is_finite(self) -> bool:
        """Whether the weights, and what the optimizer keeps of earlier batches, are numbers."""
        kept = [getattr(self.work, name) for name in network.MOMENTS[self.spec.optimizer]]
        arrays = (self.network.weights, self.network.feedback, *kept)
        return all(np.isfinite(array).all() for array in arrays)

    def stop(self) -> None:
        """End the run after this epoch, unless it ends there anyway."""
        if not self.is_over:
            self.status, self.is_over = "stopped", True

    def history(self, done: Sequence[_Done], record_batches: bool) -> History:
        """The run as it is now, the epochs of the one that it went on from included."""
        rows = [] if self.initial is None else self.initial.rows
        records = [each.record for each in done]
        history = History(
            self.spec,
            rows=[*rows, *(each.row for each in done)],
            confusion=self._all("confusion", [record.confusion for record in records]),
            trial_log=self._all_trials([each.log for each in done if each.log is not None]),
            weights=network.unpack(self.network, self.network.weights),
            feedback_weights=network.unpack(self.network, self.network.feedback),
            status=self.status,
            grey_max=self.dataset.grey_max,
            inputs="levels" if self.dataset.has_levels else "values",
            classes=self.dataset.classes,
            dataset_sha256=self.dataset.sha256,
            streams=self.unused
            | {name: dict(each.bit_generator.state) for name, each in self.streams.items()},
            moments={
                name: network.unpack(self.network, getattr(self.work, name))
                for name in network.MOMENTS[self.spec.optimizer]
            },
            steps=int(self.work.steps[0]),
        )
        if record_batches:
            history.batch_wrong = self._all("batch_wrong", [record.wrong for record in records])
            history.batch_loss = self._all("batch_loss", [record.loss for record in records])
            history.batch_size = self.batch_sizes
            if self.spec.has_own_rewards:
                history.batch_reward = self._all("batch_reward", [each.reward for each in records])
        if history.status != "diverged":
            history.test_accuracy = self.test_accuracy()
        return history

    def _all(self, name: str, new: list[NDArray[Any]]) -> NDArray[Any]:
        """A record of all epochs."""
        before = [] if self.initial is None else [getattr(self.initial, name)]
        return np.concatenate([*before, np.array(new)])

    def _all_trials(self, new: list[TrialLog]) -> TrialLog | None:
        before = None if self.initial is None else self.initial.trial_log
        return triallog.joined([*([] if before is None else [before]), *new]) if new else None

    def _split(self) -> tuple[Ints, Ints]:
        """Samples held out for validation, and the others in the order of training."""
        size = self.spec.validation_size
        if self.spec.validation_draw == "epoch":
            order = self.streams["orders"].permutation(self.n_samples)
            return order[:size], order[size:]
        held_out, others = self.fixed_order[:size], self.fixed_order[size:]
        return held_out, self.streams["orders"].permutation(others)

    def _train(self, order: Ints, rate: float) -> tuple[kernels.Record, TrialLog | None]:
        explores = self.spec.rule in LEARN_BY_REWARD
        is_chancy = self.spec.reward_omission > 0 or self.spec.reward_flip > 0
        actions = self.streams["exploration"].random((2, order.size if explores else 0))
        chances = self.streams["chances"].random((2, order.size if is_chancy else 0))
        n_logged = order.size if self.record_trials else 0
        record = network.record(self.network, self.batch_sizes.size, self.n_classes, n_logged)
        draws = kernels.Draws(order, *actions, *chances)
        if self.spec.feedback_noise:
            shape = (order.size, sum(self.spec.hidden))
            draws = draws._replace(noise=self.streams["noise"].random(shape, np.float32))
        images = self.train_images
        if self.distorter is not None:
            images = self.distorter.distort(order, self.streams["distortions"])
        shared = self.network, self.work, images
        kernels.train_epoch(*shared, draws, self.payoffs, self.policy, rate, record)
        if not self.record_trials:
            return record, None
        explored = draws.explore < self.policy.epsilon
        return record, triallog.of_epoch(order, self.train_images.label, explored, *record.log)

    def _row(self, epoch: int, record: kernels.Record) -> Row:
        n_trained = int(self.batch_sizes.sum())
        error = int(record.wrong.sum()) / n_trained
        row = {
            "epoch": epoch,
            "learning_rate": self.spec.rate(epoch),
            "reward": 1 - error if self.spec.rule in LEARN_BY_REWARD else float("nan"),
            "error": error,
            "loss": math.fsum(record.loss) / n_trained,
            "train_accuracy": 100 * (1 - error),
            "validation_accuracy": float("nan"),
        }
        if self.spec.has_own_rewards:
            earnable = record.confusion.sum(axis=1) * network.best_rewards(self.payoffs)
            row["reward"] = math.fsum(record.reward) / n_trained
            row["optimal_reward"] = math.fsum(earnable) / n_trained
        if self.spec.feedback != "symmetric":
            degrees = np.zeros(self.network.width.size)
            kernels.feedback_angles(self.network, degrees)
            row |= {f"angle_{layer}": degrees[layer] for layer in range(2, degrees.size)}
        return row

    def _accuracy(self, images: kernels.Images, order: Ints) -> float:
        """Percent of the samples for which, without exploration, a right action is selected."""
        choices = network.choose(self.network, self.work, images, order)
        return 100 * int(self.payoffs.right[images.label[order], choices].sum()) / order.size

    def test_accuracy(self) -> float:
        """Percent of the test samples that are classified rightly; NaN if there are none."""
        if not self.test_images.label.size:
            return math.nan
        return self._accuracy(self.test_images, np.arange(self.test_images.label.size))


def should_stop(checks: list[Any], n_equal: int) -> bool:
    """Whether the last `n_equal` validation accuracies are the same; never if that is 0."""
    return 0 < n_equal <= len(checks) and len(set(checks[-n_equal:])) == 1


def checks_of(spec: RunSpec, rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Epochs that the stopping rule looks at, and their validation accuracies, as it rounds them.

    Earlier ones than a switch of payoffs are of another task.
    """
    first = spec.payoff_switch or 1
    checked = [row for row in rows if row["epoch"] >= first]
    checked = [row for row in checked if not math.isnan(row["validation_accuracy"])]
    accuracies = [round(row["validation_accuracy"], spec.stop_decimals) for row in checked]
    return [row["epoch"] for row in checked], accuracies
