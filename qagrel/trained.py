"""What a training run did, and what its network does: the History that `train` returns."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from qagrel import diagnosis, kernels, network
from qagrel.arrays import Array, Label
from qagrel.epoch import Row
from qagrel.errors import InputError
from qagrel.labels import spans
from qagrel.network import Floats, Ints
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec
from qagrel.trial import Scene, Trial, check_rule, play
from qagrel.triallog import TrialLog

if TYPE_CHECKING:
    import pandas as pd


@dataclass(repr=False)
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
    trial_log : every trial, None unless asked for; `trials` shows it as a table.
    weights, feedback_weights : matrices (fan_in, fan_out) a layer, feedback in the layout of the
        forward weights that it reciprocates (the first has no function: nothing is fed back to
        the input).
    test_accuracy : percent of the test samples, greedy; NaN if the run diverged or there were none.
    status : "converged" by the stopping rule, "max-epochs", "diverged" (weights, or `moments`, not
        finite), or "stopped" by the callback.
    inputs : "levels", grey levels of images, or "values", numbers taken as they stand.
    grey_max : grey level that stood for an activity of 1; None if unknown, as in files of format 1,
        and of values.
    classes : the label of each class, as in `Dataset.classes`.
    dataset_sha256 : `Dataset.sha256` of the data that it was trained on, None if unknown.
    streams : the state of each random stream at the end, by which the run can go on; None if
        unknown, as in files of format 1.
    moments : what the optimizer kept of earlier batches, matrices like the weights: "velocity", and
        "spread" of Adam; nothing by plain descent.
    steps : how many batches the optimizer has counted.
    """

    spec: RunSpec
    rows: list[Row] = field(default_factory=list)
    confusion: Ints = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    batch_wrong: Ints | None = None
    batch_loss: Floats | None = None
    batch_size: Ints | None = None
    batch_reward: Floats | None = None
    trial_log: TrialLog | None = None
    weights: list[Floats] = field(default_factory=list)
    feedback_weights: list[Floats] = field(default_factory=list)
    test_accuracy: float = float("nan")
    status: str = "max-epochs"
    grey_max: int | None = None
    inputs: Literal["levels", "values"] = "levels"
    classes: tuple[Label, ...] = ()
    dataset_sha256: str | None = None
    streams: dict[str, dict[str, Any]] | None = None
    moments: dict[str, list[Floats]] = field(default_factory=dict)
    steps: int = 0

    def __repr__(self) -> str:
        return (
            f"<History of {self.spec.rule} on {self.spec.dataset!r}: {self.n_epochs} epochs, "
            f"{self.status}, {self.test_accuracy:.2f} % of the test right>"
        )

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
        """The epoch after which its numbers were no longer finite, if any: see `status`."""
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

    def predict(self, images: Array) -> Array:
        """The label of the class that the network selects for each image, without exploration.

        Where the run has a `payoff`, it is the number of the action.  The network sees the images
        as it was trained to, by the run's scale.

        Parameters
        ----------
        images : grey levels, or values, of shape (n, pixels).

        Raises
        ------
        InputError
            When the images do not fit the network, the run's scale is unknown, or it diverged.
        """
        chosen: Array = self._names[self.q_values(images).argmax(axis=1)]
        return chosen

    def q_values(self, images: Array) -> Floats:
        """The outputs for each image, of shape (n, actions); parameters as for `predict`."""
        blocks = network.respond(self.weights, self.presented(images), self.spec.activation)
        return np.concatenate([layers[-1] for layers in blocks])

    def activities(self, images: Array) -> list[Floats]:
        """Activities (n, units) of every layer: input, hidden layers, and the Q-values.

        Parameters are those of `predict`.
        """
        blocks = network.respond(self.weights, self.presented(images), self.spec.activation)
        return [np.concatenate(layer) for layer in zip(*blocks, strict=True)]

    def presented(self, images: Array) -> kernels.Images:
        """Images as the kernels take them, by the run's scale and precision."""
        if self.status == "diverged":
            raise InputError(
                "the weights of this run are not finite, it diverged: train with a smaller "
                "learning rate"
            )
        if self.grey_max is None and self.inputs == "levels":
            raise InputError(
                "which grey level stood for an activity of 1 is not known of this run: "
                "set its grey_max"
            )
        images = np.asarray(images)
        return network.presented(
            images.reshape(len(images), -1) if images.ndim > 2 else images,
            self.weights[0].shape[0],
            grey_max=self.grey_max,
            input_scale=self.spec.input_scale,
            precision=self.spec.precision,
        )

    @cached_property
    def trials(self) -> "pd.DataFrame | None":
        """A row a trial; None unless the run was trained with `record_trials`.

        Columns: epoch, trial (both from 1), sample (its number in the training data), class and
        action (labels; the number of the action where the run has a `payoff`), reward, q_value
        (of the action, before the batch changes it), prediction_error (reward less Q-value,
        Eq. 7), and explored (whether the action was drawn at random, by Eq. 6, be it the best one
        or not; where it was not, novelty may still have raised it above the one of the highest
        value).
        """
        return None if self.trial_log is None else self.trial_log.table(self.classes, self._names)

    def run_trial(self, image: Array, label: Label, number: int = 0) -> Trial:
        """Show the network an image, and let it learn from what comes of its choice.

        It learns at the rate and by the payoff of the last epoch, but from this trial alone, by
        plain descent whatever the optimizer, without noise and novelty; the history stays as it is.

        Parameters
        ----------
        image : grey levels, or values, one a pixel.
        label : the right class, by its label.
        number : the seed of the exploration and of the chances of the reward.

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
        uniforms = np.random.default_rng(number).random((4, 1))
        scene = Scene(
            spec=self.spec,
            weights=self.weights,
            feedback_weights=None if self.spec.feedback == "symmetric" else self.feedback_weights,
            image=self.presented(np.asarray(image)[None]),
            draws=kernels.Draws(np.zeros(1, np.int64), *uniforms),
            payoffs=self._payoffs,
            rate=self.rows[-1]["learning_rate"],
        )
        return play(scene, self.classes.index(label))

    @property
    def unlearnt(self) -> tuple[Label, ...]:
        """Labels of the classes that, in the last epoch, were got right no more than by chance."""
        last = self.confusion[-1]
        return tuple(self.classes[n] for n in diagnosis.unlearnt(last, self._payoffs.right))

    @property
    def warning(self) -> str | None:
        """A sentence on what the network has not learnt, if anything, and what to try."""
        if self.status == "diverged" or self._payoffs.right.all():  # then nothing is to be learnt
            return None
        if diagnosis.is_at_chance(self.confusion[-1], self._payoffs.right):
            level = 100 * diagnosis.chance_level(self.confusion[-1], self._payoffs.right)
            found = f"{self.rows[-1]['train_accuracy']:.1f} % right in training"
            return f"{found} is not significantly more than chance, {level:.1f} %: {self._advice}"
        if self.unlearnt:
            many = len(self.unlearnt) > 1
            names = f"class{'es' * many} {spans(self.unlearnt)}"
            verb = "are" if many else "is"
            return f"{names} {verb} not told from the others beyond chance: {self._advice}"
        return None

    @property
    def _payoffs(self) -> kernels.Payoffs:
        """What actions paid in the last epoch."""
        return network.payoffs(self.spec, len(self.classes), self.n_epochs)

    @property
    def _names(self) -> Array:
        """What each action is called: the label of its class, or its number by a `payoff`."""
        n_actions = self.spec.n_actions(len(self.classes))
        return np.arange(n_actions) if self.spec.payoff else np.array(self.classes)

    @property
    def _advice(self) -> str:
        more = ["more epochs"] if self.status in ("max-epochs", "stopped") else []
        explore = ["a larger epsilon"] if self.spec.rule in LEARN_BY_REWARD else []
        scale = ["features of a smaller or larger scale"] if self.inputs == "values" else []
        tries = [*scale, *more, "more hidden units", "a larger weight_range", *explore]
        return f"try {', '.join(tries)}, or another learning_rate"

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
