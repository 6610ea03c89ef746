"""One training run: RunSpec and data in, History out; or a History in, to go on from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qagrel import diagnosis, kernels, network, triallog
from qagrel.datasets import Dataset, dataset_of
from qagrel.epoch import Epoch, OnEpoch, Row, says_stop
from qagrel.errors import InputError
from qagrel.labels import spans
from qagrel.network import Floats, Ints
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec
from qagrel.trial import Scene, Trial, check_rule, play
from qagrel.triallog import TrialLog

if TYPE_CHECKING:
    import pandas as pd

SparseImages = tuple[kernels.Images, kernels.Images]
# what may be otherwise in a run that goes on; its data are known by their checksum
MAY_CHANGE = ("dataset", "grey_max", "max_epochs", "stop_checks", "stop_decimals")


@dataclass
class History:
    """What a training run did.

    Attributes
    ----------
    spec : the run's complete description.
    rows : one record an epoch; `epochs` shows them as a table.
    confusion : counts of training choices, shape (epochs, classes, classes): [epoch, true class,
        selected class].
    batch_wrong, batch_loss, batch_size : per batch of every epoch, shape (epochs, batches);
        None unless asked for.
    weights, feedback_weights : matrices (fan_in, fan_out) a layer, feedback in the layout of the
        forward weights that it reciprocates (the first has no function: nothing is fed back to
        the input).
    test_accuracy : percent of the test samples, greedy; NaN if the run diverged.
    trial_log : every trial, None unless asked for; `trials` shows it as a table.
    status : "converged" by the stopping rule, "max-epochs", "diverged" (weights not finite), or
        "stopped" by the callback.
    grey_max : grey level that stood for an activity of 1; None if unknown, as in files of format 1.
    classes : the label of each class, as in `Dataset.classes`.
    dataset_sha256 : `Dataset.sha256` of the data that it was trained on, None if unknown.
    streams : the state of each random stream at the end, by which the run can go on; None if
        unknown, as in files of format 1.
    """

    spec: RunSpec
    rows: list[Row] = field(default_factory=list)
    confusion: Ints = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    batch_wrong: Ints | None = None
    batch_loss: Floats | None = None
    batch_size: Ints | None = None
    trial_log: TrialLog | None = None
    weights: list[Floats] = field(default_factory=list)
    feedback_weights: list[Floats] = field(default_factory=list)
    test_accuracy: float = float("nan")
    status: str = "max-epochs"
    grey_max: int | None = None
    classes: tuple[int, ...] = ()
    dataset_sha256: str | None = None
    streams: dict[str, dict[str, Any]] | None = None

    @property
    def n_epochs(self) -> int:
        """Epochs trained."""
        return len(self.rows)

    @property
    def converged(self) -> bool:
        """Whether the stopping rule ended the run."""
        return self.status == "converged"

    @property
    def diverged_at(self) -> int | None:
        """The epoch after which weights were no longer finite, if any."""
        return self.n_epochs if self.status == "diverged" else None

    @cached_property
    def epochs(self) -> "pd.DataFrame":
        """A row an epoch.

        Columns: epoch (from 1), learning_rate, reward (mean, Q-AGREL only), error (share of wrong
        choices in training), loss (mean), train_accuracy (percent, under the policy),
        validation_accuracy (percent, NaN where unchecked), and angle_2, angle_3, ... (degrees
        between the feedback and transposed forward weights into a layer, unless symmetric).
        """
        import pandas as pd

        return pd.DataFrame(self.rows)

    def predict(self, images: NDArray[np.uint8]) -> Ints:
        """The label of the class that the network selects for each image, without exploration.

        The network sees the images as it was trained to, by the run's scale.

        Parameters
        ----------
        images : grey levels of shape (n, pixels).

        Raises
        ------
        InputError
            When the images do not fit the network, the run's scale is unknown, or it diverged.
        """
        chosen: Ints = np.array(self.classes)[self.q_values(images).argmax(axis=1)]
        return chosen

    def q_values(self, images: NDArray[np.uint8]) -> Floats:
        """The outputs for each image, of shape (n, classes); parameters as for `predict`."""
        blocks = network.respond(self.weights, self.presented(images))
        return np.concatenate([layers[-1] for layers in blocks])

    def activities(self, images: NDArray[np.uint8]) -> list[Floats]:
        """Activities (n, units) of every layer: input, hidden layers, and the Q-values.

        Parameters are those of `predict`.
        """
        blocks = network.respond(self.weights, self.presented(images))
        return [np.concatenate(layer) for layer in zip(*blocks, strict=True)]

    def presented(self, images: NDArray[np.uint8]) -> kernels.Images:
        """Images as the kernels take them, by the run's scale and precision."""
        if self.status == "diverged":
            raise InputError(
                "the weights of this run are not finite, it diverged: train with a smaller "
                "learning rate"
            )
        if self.grey_max is None:
            raise InputError(
                "which grey level stood for an activity of 1 is not known of this run: "
                "set its grey_max"
            )
        return network.presented(
            images,
            self.weights[0].shape[0],
            grey_max=self.grey_max,
            input_scale=self.spec.input_scale,
            precision=self.spec.precision,
        )

    @cached_property
    def trials(self) -> "pd.DataFrame | None":
        """A row a trial; None unless the run was trained with `record_trials`.

        Columns: epoch, trial (both from 1), sample (its number in the training data), class and
        action (labels), reward, q_value (of the action, before the batch changes it),
        prediction_error (reward less Q-value, Eq. 7), and explored (whether the action was drawn
        at random, by Eq. 6, be it the best one or not).
        """
        return None if self.trial_log is None else self.trial_log.table(self.classes)

    def run_trial(self, image: NDArray[np.uint8], label: int, number: int = 0) -> Trial:
        """Show the network an image, and let it learn from what comes of its choice.

        It learns as in the last epoch, but from this trial alone, and the history stays as it is.

        Parameters
        ----------
        image : grey levels, one a pixel.
        label : the right class, by its label.
        number : the seed of the exploration: trials of other numbers may choose otherwise.

        Raises
        ------
        InputError
            When the rule does not learn by reward, the label is no class of the run, or as
            `predict` does.
        """
        check_rule(self.spec)
        if label not in self.classes:
            raise InputError(
                f"label: {label!r} is no class of this run, whose labels are "
                f"{spans(self.classes)}: choose one of them"
            )
        scene = Scene(
            spec=self.spec,
            weights=self.weights,
            feedback_weights=None if self.spec.feedback == "symmetric" else self.feedback_weights,
            image=self.presented(np.asarray(image)[None]),
            draws=kernels.Draws(
                np.zeros(1, np.int64), *np.random.default_rng(number).random((2, 1))
            ),
            rate=self.rows[-1]["learning_rate"],
        )
        return play(scene, self.classes.index(label))

    @property
    def unlearnt(self) -> tuple[int, ...]:
        """Labels of the classes that, in the last epoch, were got right no more than by chance."""
        last = self.confusion[-1]
        return tuple(self.classes[n] for n in diagnosis.unlearnt(last, self._right))

    @property
    def warning(self) -> str | None:
        """A sentence on what the network has not learnt, if anything, and what to try."""
        if self.status == "diverged":
            return None
        if diagnosis.is_at_chance(self.confusion[-1], self._right):
            level = 100 * diagnosis.chance_level(self.confusion[-1], self._right)
            found = f"{self.rows[-1]['train_accuracy']:.1f} % right in training"
            return f"{found} is not significantly more than chance, {level:.1f} %: {self._advice}"
        if self.unlearnt:
            many = len(self.unlearnt) > 1
            names = f"class{'es' * many} {spans(self.unlearnt)}"
            verb = "are" if many else "is"
            return f"{names} {verb} not told from the others beyond chance: {self._advice}"
        return None

    @property
    def _right(self) -> NDArray[np.bool_]:
        """Which action is right for which class."""
        return np.eye(*self.confusion.shape[1:], dtype=np.bool_)

    @property
    def _advice(self) -> str:
        more = ["more epochs"] if self.status in ("max-epochs", "stopped") else []
        explore = ["a larger epsilon"] if self.spec.rule in LEARN_BY_REWARD else []
        tries = [*more, "more hidden units", "a larger weight_range", *explore]
        return f"try {', '.join(tries)}, or another learning_rate"

    @cached_property
    def batches(self) -> "pd.DataFrame | None":
        """A row a batch: epoch, batch (both from 1), reward (Q-AGREL only), error, loss."""
        import pandas as pd

        if self.batch_wrong is None or self.batch_loss is None or self.batch_size is None:
            return None
        n_epochs, n_batches = self.batch_wrong.shape
        error = (self.batch_wrong / self.batch_size).ravel()
        return pd.DataFrame(
            {
                "epoch": np.repeat(np.arange(1, n_epochs + 1), n_batches),
                "batch": np.tile(np.arange(1, n_batches + 1), n_epochs),
                "reward": 1 - error if self.spec.rule in LEARN_BY_REWARD else np.nan,
                "error": error,
                "loss": (self.batch_loss / self.batch_size).ravel(),
            }
        )


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
        If it returns True the run ends there, with the status "stopped"; an exception that it
        raises ends the run without a History.

    Raises
    ------
    InputError
        When the specification does not fit the data, the data cannot be had, `initial` cannot be
        gone on from in this way, or there are too many trials to keep.
    """
    spec, dataset = settle(spec, dataset)
    if initial is not None:
        check_continues(initial, spec, dataset)
        _check_recorded(initial, record_batches, record_trials)
        record_batches = initial.batch_wrong is not None
        record_trials = initial.trial_log is not None
    if record_trials:
        triallog.check(spec, len(dataset.train_images) - spec.validation_size)
    run = _Run(spec, dataset, initial, record_trials)
    done = []
    for each in run.epochs():
        done.append(each if record_batches else each._replace(record=_without_batches(each.record)))
        if on_epoch is not None and says_stop(on_epoch(Epoch(each.row, run.network))):
            run.stop()
    return run.history(done, record_batches)


def _without_batches(record: kernels.Record) -> kernels.Record:
    return record._replace(wrong=None, loss=None)


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
    checked = checks_of(initial.rows, spec.stop_decimals)
    for n in range(1, len(checked) + 1):
        if should_stop(checked[:n], spec.stop_checks):
            raise InputError(
                f"stop_checks: this stopping rule ends the run to go on from at epoch "
                f"{n * spec.validation_every}, of which it has {initial.n_epochs}: choose more "
                "checks, or 0 for none"
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
    if (level := dataset.largest_level["train"]) > dataset.grey_max:
        raise InputError(
            f"grey_max: {dataset.grey_max} is below the largest grey level of the training images "
            f"of {dataset.name}: choose {level} or more"
        )


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
    """The state of a run: network, random streams and validation checks so far."""

    def __init__(
        self, spec: RunSpec, dataset: Dataset, initial: History | None, record_trials: bool
    ) -> None:
        self.spec, self.dataset, self.initial = spec, dataset, initial
        self.status, self.record_trials = "max-epochs", record_trials
        self.train_images, self.test_images = _sparse(dataset, spec.input_scale, spec.precision)
        self.n_samples = len(dataset.train_images)
        # one stream for each purpose, so that every rule sees the same start and sample order
        streams = np.random.SeedSequence(spec.seed).spawn(4)
        forward, feedback, self.orders, self.exploration = map(np.random.default_rng, streams)
        self.streams = {"orders": self.orders, "exploration": self.exploration}
        self.network = self._start(forward, feedback)
        self.work = network.workspace(self.network, spec.batch_size)
        self.policy = network.policy(spec)
        n_trained = self.n_samples - spec.validation_size
        firsts = np.arange(0, n_trained, spec.batch_size)
        self.batch_sizes = np.minimum(spec.batch_size, n_trained - firsts)
        self.fixed_order = self.orders.permutation(self.n_samples)
        self.checks: list[float] = []
        if initial is not None:
            self._go_on(initial)

    def _start(
        self, forward: np.random.Generator, feedback: np.random.Generator
    ) -> kernels.Network:
        """The network before the first epoch: drawn, or that of the run to go on from."""
        spec, separate = self.spec, self.spec.feedback != "symmetric"
        back: list[Floats] = []
        if self.initial is None:
            widths = (self.dataset.train_images.shape[1], *spec.hidden, self.dataset.n_classes)
            weights = network.draw_weights(widths, spec.weight_range, forward, spec.precision)
            if separate:
                back = network.draw_weights(widths, spec.feedback_range, feedback, spec.precision)
        else:
            weights, back = self.initial.weights, self.initial.feedback_weights
        return network.pack(weights, back if separate else None, spec.feedback == "learned")

    def _go_on(self, initial: History) -> None:
        """Take the state of a run at its end."""
        assert initial.streams is not None
        for name, stream in self.streams.items():
            stream.bit_generator.state = initial.streams[name]
        self.checks = checks_of(initial.rows, self.spec.stop_decimals)

    def epochs(self) -> Iterator[_Done]:
        """Train epoch after epoch, until the run ends by one of its rules or is stopped."""
        n_before = 0 if self.initial is None else self.initial.n_epochs
        for epoch in range(n_before + 1, self.spec.max_epochs + 1):
            held_out, trained = self._split()
            record, log = self._train(trained, self.spec.rate(epoch))
            row = self._row(epoch, record)
            if not np.isfinite(self.network.weights).all():
                self.status = "diverged"
            elif epoch % self.spec.validation_every == 0:
                row["validation_accuracy"] = self._accuracy(self.train_images, held_out)
                self.checks.append(round(row["validation_accuracy"], self.spec.stop_decimals))
                if should_stop(self.checks, self.spec.stop_checks):
                    self.status = "converged"
            self.is_over = self.status != "max-epochs" or epoch == self.spec.max_epochs
            yield _Done(row, record, log)
            if self.is_over:
                return

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
            classes=self.dataset.classes,
            dataset_sha256=self.dataset.sha256,
            streams={name: dict(each.bit_generator.state) for name, each in self.streams.items()},
        )
        if record_batches:
            history.batch_wrong = self._all("batch_wrong", [record.wrong for record in records])
            history.batch_loss = self._all("batch_loss", [record.loss for record in records])
            history.batch_size = self.batch_sizes
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
            order = self.orders.permutation(self.n_samples)
            return order[:size], order[size:]
        held_out, others = self.fixed_order[:size], self.fixed_order[size:]
        return held_out, self.orders.permutation(others)

    def _train(self, order: Ints, rate: float) -> tuple[kernels.Record, TrialLog | None]:
        explores = self.spec.rule in LEARN_BY_REWARD
        uniforms = self.exploration.random((2, order.size if explores else 0))
        n_logged = order.size if self.record_trials else 0
        record = network.record(self.network, self.batch_sizes.size, n_logged)
        draws = kernels.Draws(order, *uniforms)
        kernels.train_epoch(
            self.network, self.work, self.train_images, draws, self.policy, rate, record
        )
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
        if self.spec.feedback != "symmetric":
            degrees = np.zeros(self.network.width.size)
            kernels.feedback_angles(self.network, degrees)
            row |= {f"angle_{layer}": degrees[layer] for layer in range(2, degrees.size)}
        return row

    def _accuracy(self, images: kernels.Images, order: Ints) -> float:
        """Percent of the samples that are classified rightly, without exploration."""
        choices = network.choose(self.network, self.work, images, order)
        return 100 * int((choices == images.label[order]).sum()) / order.size

    def test_accuracy(self) -> float:
        """Percent of the test samples that are classified rightly."""
        return self._accuracy(self.test_images, np.arange(self.test_images.label.size))


def should_stop(checks: list[Any], n_equal: int) -> bool:
    """Whether the last `n_equal` validation accuracies are the same; never if that is 0."""
    return 0 < n_equal <= len(checks) and len(set(checks[-n_equal:])) == 1


def checks_of(rows: Sequence[Row], decimals: int) -> list[float]:
    """The validation accuracies that there are, rounded as the stopping rule compares them."""
    checks = (row["validation_accuracy"] for row in rows)
    return [round(accuracy, decimals) for accuracy in checks if not math.isnan(accuracy)]
