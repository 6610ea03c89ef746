"""Training as an estimator of scikit-learn: its conventions over `Dataset` and `training`."""

from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
from sklearn.utils.validation import check_is_fitted

from qagrel.arrays import Array
from qagrel.dataset import Dataset
from qagrel.errors import InputError
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec
from qagrel.trained import History
from qagrel.training import train_on

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # before scikit-learn 1.6

    def validate_data(estimator: Any, X: Any, y: Any = "no_validation", **checks: Any) -> Any:
        """Check the input, as estimators did themselves."""
        return estimator._validate_data(X, y, **checks)


# Fields of RunSpec that are no parameter: they follow from the data, are of images, have
# scikit-learn's name, or make actions of classes.
NOT_PARAMETERS = (
    *("dataset", "input_scale", "grey_max", "hidden", "seed"),
    *("distortion", "distortion_range"),
    *("payoff", "payoff_after", "payoff_switch"),
)
HELD_OUT = 10  # a validation sample in as many, where there are few


class QAgrelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network that learns to classify by trial and error: Q-AGREL, as scikit-learn's estimators.

    Features are the activities of the input as they stand: scale them, by `StandardScaler` for
    instance.  Sparse ones are unpacked.  There may be up to 256 classes.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer.
    fit_intercept : whether the input has one more unit, which is always 1: the paper's units have
        no thresholds, and tables whose features have a mean of zero ask for some.
    batch_size, validation_size : as in `RunSpec`; at the most as many samples as there are, and a
        tenth of them.
    warm_start : whether `fit` goes on from the weights of the last one.
    random_state : an integer is the seed of `RunSpec`; training that goes on keeps the first one.
    rule, feedback, learning_rate, max_epochs, epsilon, temperature, reward_omission, \
reward_flip, loss, weight_range, feedback_range, validation_draw, validation_every, stop_checks, \
stop_decimals, drop_epoch, drop_factor, learning_rate_end, learning_rate_spacing, activation, \
optimizer, momentum, initial_q, novelty, feedback_correlation, feedback_noise, \
feedback_silenced, precision : as in `RunSpec`.

    Attributes
    ----------
    classes_ : the labels, rising.
    history_ : the `History` of the last `fit` or `partial_fit`, with the weights.
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn.
    """

    classes_: Array
    history_: History

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        rule: str = "q-agrel",
        feedback: str = "symmetric",
        learning_rate: float = 0.1,
        batch_size: int = 10,
        max_epochs: int = 200,
        epsilon: float = 0.02,
        temperature: float = 1.0,
        reward_omission: float = 0.0,
        reward_flip: float = 0.0,
        loss: str = "cross-entropy",
        fit_intercept: bool = True,
        weight_range: float = 0.05,
        feedback_range: float = 0.05,
        validation_size: int = 0,
        validation_draw: str = "epoch",
        validation_every: int = 5,
        stop_checks: int = 5,
        stop_decimals: int = 1,
        drop_epoch: int = 500,
        drop_factor: float = 10.0,
        learning_rate_end: float | None = None,
        learning_rate_spacing: str = "geometric",
        activation: str = "relu",
        optimizer: str = "sgd",
        momentum: float = 0.9,
        initial_q: float | None = None,
        novelty: float = 0.0,
        feedback_correlation: float | None = None,
        feedback_noise: float = 0.0,
        feedback_silenced: float = 0.0,
        precision: str = "float32",
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rule = rule
        self.feedback = feedback
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.epsilon = epsilon
        self.temperature = temperature
        self.reward_omission = reward_omission
        self.reward_flip = reward_flip
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.weight_range = weight_range
        self.feedback_range = feedback_range
        self.validation_size = validation_size
        self.validation_draw = validation_draw
        self.validation_every = validation_every
        self.stop_checks = stop_checks
        self.stop_decimals = stop_decimals
        self.drop_epoch = drop_epoch
        self.drop_factor = drop_factor
        self.learning_rate_end = learning_rate_end
        self.learning_rate_spacing = learning_rate_spacing
        self.activation = activation
        self.optimizer = optimizer
        self.momentum = momentum
        self.initial_q = initial_q
        self.novelty = novelty
        self.feedback_correlation = feedback_correlation
        self.feedback_noise = feedback_noise
        self.feedback_silenced = feedback_silenced
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples (n, features) and their labels, until the run ends by its rules."""
        goes_on = self.warm_start and hasattr(self, "history_")
        X, y = self._checked(X, y, reset=not goes_on)
        classes = np.unique(y)
        if goes_on and not np.array_equal(classes, self.classes_):
            raise InputError(
                f"warm_start: the classes are {classes}, but they were {self.classes_}: give "
                "samples of the same, or warm_start=False"
            )
        if len(classes) < 2:
            raise InputError(f"y: all samples are of one class, {classes}: give two at least")
        self.classes_ = classes
        held_out = min(self.validation_size, len(X) // HELD_OUT)
        spec = self._spec(len(X), validation_size=held_out)
        self._train(spec, X, y, self.history_ if goes_on else None)
        self._n_epochs = self.history_.n_epochs
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train for one epoch more, on these samples, all of them.

        Parameters
        ----------
        classes : all labels that will ever come; needed in the first call.
        """
        if self.learning_rate_end is not None:
            raise InputError(
                "learning_rate_end: a rate that rises up to the last epoch needs all of them: call "
                "fit, or leave it None"
            )
        is_first = _check_partial_fit_first_call(self, classes)
        X, y = self._checked(X, y, reset=is_first)
        if (strange := np.setdiff1d(y, self.classes_)).size:
            raise InputError(f"y: {strange} are not in the classes, {self.classes_}: drop them")
        start = None if is_first else self.history_
        self._n_epochs = 0 if is_first else self._n_epochs
        left = max(1, self.drop_epoch - self._n_epochs)
        spec = self._spec(len(X), validation_size=0, max_epochs=1, drop_epoch=left)
        self._train(spec, X, y, start)
        self._n_epochs += 1
        return self

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset
        )
        check_classification_targets(y)
        return _inputs(X, self.fit_intercept), y

    def _spec(self, n_samples: int, **changes: Any) -> RunSpec:
        fields = {n: getattr(self, n) for n in RunSpec.model_fields if n not in NOT_PARAMETERS}
        spec = RunSpec(
            **{
                **fields,
                "dataset": "arrays",
                "hidden": self.hidden_layer_sizes,
                "seed": self._seed(),
                **changes,
            }
        )
        return spec.replace(batch_size=min(spec.batch_size, n_samples - spec.validation_size))

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _train(self, spec: RunSpec, X: Array, y: Array, start: History | None) -> None:
        numbers = np.searchsorted(self.classes_, y).astype(np.uint8)
        dataset = Dataset(
            name=spec.dataset,
            train_images=X,
            train_labels=numbers,
            test_images=X[:0],
            test_labels=numbers[:0],
            grey_max=None,
            n_classes=len(self.classes_),
            image_shape=X.shape[1:],
        )
        history = train_on(spec, dataset, start)
        if history.status == "diverged":
            raise InputError(
                f"learning_rate: {self.learning_rate} led to weights that are not finite: choose "
                "a smaller one, or standardise the features"
            )
        self.history_ = history

    def predict(self, X: Any) -> Array:
        """The label of the class with the largest Q-value, for each sample."""
        values = self._values(X)
        labels: Array = self.classes_[values.argmax(axis=1)]
        return labels

    def decision_function(self, X: Any) -> Array:
        """Q-values (n, classes); of two classes, by how much the second's is larger: (n,)."""
        values = self._values(X)
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def predict_proba(self, X: Any) -> Array:
        """How probable each class is.

        Of Q-AGREL, the policy: the class of the largest Q-value, or by the chance epsilon one of
        the Boltzmann distribution (Eq. 6).  Of error-bp, the softmax of the outputs, which the
        squared error does not train to be probabilities.
        """
        values, spec = self._values(X), self.history_.spec
        if spec.rule not in LEARN_BY_REWARD:
            return np.asarray(softmax(values, axis=1))
        probabilities: Array = spec.epsilon * softmax(values / spec.temperature, axis=1)
        probabilities[np.arange(len(values)), values.argmax(axis=1)] += 1 - spec.epsilon
        return probabilities

    def _values(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        has_intercept = len(self.history_.weights[0]) > self.n_features_in_
        return self.history_.q_values(_inputs(X, has_intercept)).astype(np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _inputs(X: Any, has_intercept: bool) -> Array:
    """Features as they meet the network, with a last one that is always 1 for the intercept."""
    X = X.toarray() if issparse(X) else X
    return np.pad(X, ((0, 0), (0, int(has_intercept))), constant_values=1)
