"""One training run: RunSpec and data in, History out."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from qagrel import kernels, network
from qagrel.datasets import Dataset, dataset_of
from qagrel.errors import InputError
from qagrel.network import Floats, Ints
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, float]
SparseImages = tuple[kernels.Images, kernels.Images]


@dataclass
class History:
    """What a training run did.

    Attributes
    ----------
    spec : the run's complete description.
    rows : one record an epoch; `epochs` shows them as a table.
    confusion : counts of training choices, shape (epochs, classes, actions): [epoch, true class,
        selected action]; by the paper's rewards an action is the class that it names.
    batch_wrong, batch_loss, batch_size : per batch of every epoch, shape (epochs, batches);
        None unless asked for.
    batch_reward : likewise, where rewards are other than the paper's.
    weights, feedback_weights : matrices (fan_in, fan_out) a layer, feedback in the layout of the
        forward weights that it reciprocates (the first has no function: nothing is fed back to
        the input).
    test_accuracy : percent of the test samples, greedy; NaN if the run diverged.
    status : "converged" by the stopping rule, "max-epochs" or "diverged" (weights not finite).
    grey_max : grey level that stood for an activity of 1; None if unknown, as in files of format 1.
    classes : the label of each class, as in `Dataset.classes`.
    dataset_sha256 : `Dataset.sha256` of the data that it was trained on, None if unknown.
    """

    spec: RunSpec
    rows: list[Row] = field(default_factory=list)
    confusion: Ints = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    batch_wrong: Ints | None = None
    batch_loss: Floats | None = None
    batch_size: Ints | None = None
    batch_reward: Floats | None = None
    weights: list[Floats] = field(default_factory=list)
    feedback_weights: list[Floats] = field(default_factory=list)
    test_accuracy: float = float("nan")
    status: str = "max-epochs"
    grey_max: int | None = None
    classes: tuple[int, ...] = ()
    dataset_sha256: str | None = None

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

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which actions paid most for a class, shaped like `confusion`: [epoch, class, action]."""
        n_epochs, n_classes, _ = self.confusion.shape
        spec, epochs = self.spec, range(1, n_epochs + 1)
        return np.array([network.payoffs(spec, n_classes, epoch).right for epoch in epochs])

    @cached_property
    def epochs(self) -> "pd.DataFrame":
        """A row an epoch.

        Columns: epoch (from 1), learning_rate, reward (mean, Q-AGREL only), error (share of wrong
        choices in training), loss (mean), train_accuracy (percent, under the policy),
        validation_accuracy (percent, NaN where unchecked), optimal_reward (mean that the best
        policy would expect, where rewards are other than the paper's), and angle_2, angle_3, ...
        (degrees between the feedback and transposed forward weights into a layer, unless
        symmetric).
        """
        import pandas as pd

        return pd.DataFrame(self.rows)

    def predict(self, images: NDArray[np.uint8]) -> Ints:
        """The label of the class that the network selects for each image.

        Where the run has a `payoff`, it is the number of the action.  The network sees the images
        as it was trained to, by the run's scale.

        Parameters
        ----------
        images : grey levels of shape (n, pixels).

        Raises
        ------
        InputError
            When the images do not fit the network (`qagrel.predict`), or the run's scale is
            unknown.
        """
        if self.grey_max is None:
            raise InputError(
                "which grey level stood for an activity of 1 is not known of this run: "
                "set its grey_max"
            )
        chosen = network.predict(
            self.weights, images, grey_max=self.grey_max, input_scale=self.spec.input_scale
        )
        return np.array(self.classes)[chosen] if self.spec.payoff is None else chosen

    @cached_property
    def batches(self) -> "pd.DataFrame | None":
        """A row a batch: epoch, batch (both from 1), reward (Q-AGREL only), error, loss."""
        import pandas as pd

        if self.batch_wrong is None or self.batch_loss is None or self.batch_size is None:
            return None
        n_epochs, n_batches = self.batch_wrong.shape
        error = (self.batch_wrong / self.batch_size).ravel()
        reward = 1 - error if self.spec.rule in LEARN_BY_REWARD else np.nan
        if self.batch_reward is not None:
            reward = (self.batch_reward / self.batch_size).ravel()
        return pd.DataFrame(
            {
                "epoch": np.repeat(np.arange(1, n_epochs + 1), n_batches),
                "batch": np.tile(np.arange(1, n_batches + 1), n_epochs),
                "reward": reward,
                "error": error,
                "loss": (self.batch_loss / self.batch_size).ravel(),
            }
        )


def train(
    spec: RunSpec,
    dataset: Dataset | None = None,
    *,
    record_batches: bool = False,
    on_epoch: Callable[[Row], None] | None = None,
) -> History:
    """Train one network by the protocol of Section 3.

    Parameters
    ----------
    spec : the run.
    dataset : the data, if it is loaded already or made by hand; `History.spec` has its name.
    record_batches : keep wrong choices and loss of every batch (`History.batches`); the numbers
        of the run are the same either way.
    on_epoch : called with the record of each epoch; an exception that it raises ends the run.

    Raises
    ------
    InputError
        When the specification does not fit the data, or the data cannot be had.
    """
    spec, dataset = settle(spec, dataset)
    run = _Run(spec, dataset)
    history = History(
        spec,
        grey_max=dataset.grey_max,
        classes=dataset.classes,
        dataset_sha256=dataset.sha256,
    )
    confusions, records = [], []
    for record, row in run.epochs():
        history.rows.append(row)
        confusions.append(record.confusion)
        if record_batches:
            records.append(record)
        if on_epoch is not None:
            on_epoch(row)
    history.status = run.status
    history.confusion = np.array(confusions)
    if record_batches:
        history.batch_wrong = np.array([record.wrong for record in records])
        history.batch_loss = np.array([record.loss for record in records])
        history.batch_size = run.batch_sizes
        if spec.has_own_rewards:
            history.batch_reward = np.array([record.reward for record in records])
    history.weights = network.unpack(run.network, run.network.weights)
    history.feedback_weights = network.unpack(run.network, run.network.feedback)
    if history.status != "diverged":
        history.test_accuracy = run.test_accuracy()
    return history


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
    _check_payoffs(spec, dataset)
    if (level := dataset.largest_level["train"]) > dataset.grey_max:
        raise InputError(
            f"grey_max: {dataset.grey_max} is below the largest grey level of the training images "
            f"of {dataset.name}: choose {level} or more"
        )


def _check_payoffs(spec: RunSpec, dataset: Dataset) -> None:
    n_classes, n_actions = dataset.n_classes, spec.n_actions(dataset.n_classes)
    for name in ("payoff", "payoff_after"):
        table = getattr(spec, name) or ((0.0,) * n_actions,) * n_classes
        if (len(table), len(table[0])) != (n_classes, n_actions):
            raise InputError(
                f"{name}: {len(table)} rows of {len(table[0])} actions do not fit the {n_classes} "
                f"classes of {dataset.name}: give {n_classes} rows of {n_actions}"
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

    def __init__(self, spec: RunSpec, dataset: Dataset) -> None:
        self.spec, self.status = spec, "max-epochs"
        self.train_images, self.test_images = _sparse(dataset, spec.input_scale, spec.precision)
        self.n_samples, self.n_classes = len(dataset.train_images), dataset.n_classes
        # one stream for each purpose, so that every rule sees the same start and sample order
        streams = map(np.random.default_rng, np.random.SeedSequence(spec.seed).spawn(5))
        forward, feedback, self.orders, self.exploration, self.chances = streams
        self.n_actions = spec.n_actions(dataset.n_classes)
        self.payoffs = network.payoffs(spec, dataset.n_classes)
        widths = (dataset.train_images.shape[1], *spec.hidden, self.n_actions)
        weights = network.draw_weights(widths, spec.weight_range, forward, spec.precision)
        feedback_weights = None
        if spec.feedback != "symmetric":
            feedback_weights = network.draw_weights(
                widths, spec.feedback_range, feedback, spec.precision
            )
        self.network = network.pack(weights, feedback_weights, spec.feedback == "learned")
        self.work = network.workspace(self.network, spec.batch_size)
        self.policy = network.policy(spec)
        n_trained = self.n_samples - spec.validation_size
        firsts = np.arange(0, n_trained, spec.batch_size)
        self.batch_sizes = np.minimum(spec.batch_size, n_trained - firsts)
        self.fixed_order = self.orders.permutation(self.n_samples)
        self.checks: list[float] = []

    def epochs(self) -> Iterator[tuple[kernels.Record, Row]]:
        """Train epoch after epoch, until the run ends by one of its rules."""
        for epoch in range(1, self.spec.max_epochs + 1):
            self.payoffs = network.payoffs(self.spec, self.n_classes, epoch)
            held_out, trained = self._split()
            record = self._train(trained, self.spec.rate(epoch))
            row = self._row(epoch, record)
            if not np.isfinite(self.network.weights).all():
                self.status = "diverged"
            elif epoch % self.spec.validation_every == 0:
                row["validation_accuracy"] = self._accuracy(self.train_images, held_out)
                if epoch >= (self.spec.payoff_switch or 1):  # earlier ones are of another task
                    self.checks.append(round(row["validation_accuracy"], self.spec.stop_decimals))
                if should_stop(self.checks, self.spec.stop_checks):
                    self.status = "converged"
            yield record, row
            if self.status != "max-epochs":
                return

    def _split(self) -> tuple[Ints, Ints]:
        """Samples held out for validation, and the others in the order of training."""
        size = self.spec.validation_size
        if self.spec.validation_draw == "epoch":
            order = self.orders.permutation(self.n_samples)
            return order[:size], order[size:]
        held_out, others = self.fixed_order[:size], self.fixed_order[size:]
        return held_out, self.orders.permutation(others)

    def _train(self, order: Ints, rate: float) -> kernels.Record:
        explores = self.spec.rule in LEARN_BY_REWARD
        is_chancy = self.spec.reward_omission > 0 or self.spec.reward_flip > 0
        actions = self.exploration.random((2, order.size if explores else 0))
        chances = self.chances.random((2, order.size if is_chancy else 0))
        record = kernels.Record(
            np.zeros(self.batch_sizes.size, np.int64),
            np.zeros(self.batch_sizes.size),
            np.zeros(self.batch_sizes.size),
            np.zeros((self.n_classes, self.n_actions), np.int64),
        )
        draws = kernels.Draws(order, *actions, *chances)
        shared = self.network, self.work, self.train_images
        kernels.train_epoch(*shared, draws, self.payoffs, self.policy, rate, record)
        return record

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
        """Percent of the test samples that are classified rightly."""
        return self._accuracy(self.test_images, np.arange(self.test_images.label.size))


def should_stop(checks: list[Any], n_equal: int) -> bool:
    """Whether the last `n_equal` validation accuracies are the same; never if that is 0."""
    return 0 < n_equal <= len(checks) and len(set(checks[-n_equal:])) == 1
