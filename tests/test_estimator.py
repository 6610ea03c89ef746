"""QAgrelClassifier keeps scikit-learn's conventions, and learns the tables that it is given."""

import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qagrel import Dataset, QAgrelClassifier, RunSpec, estimator, network, train
from qagrel.errors import InputError

# parameters whose defaults are not RunSpec's, which are those of MNIST: tables are small
OTHER_DEFAULTS = {
    "learning_rate": 0.1,
    "batch_size": 10,
    "max_epochs": 200,
    "validation_size": 0,  # as MLPClassifier, which does not stop early either
}
OWN = {
    "hidden_layer_sizes": (100,),  # MLPClassifier's
    "fit_intercept": True,
    "warm_start": False,
    "random_state": None,
}
FEW = {"max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray]:
    samples, numbers = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(samples), np.array(["setosa", "vers", "virg"])[numbers]


# --- conventions -----------------------------------------------------------------------------


@parametrize_with_checks(
    [
        QAgrelClassifier(),
        QAgrelClassifier(feedback="learned", precision="float64"),
        QAgrelClassifier(rule="error-bp", feedback="fixed", loss="squared-error"),
    ]
)
def test_the_conventions_of_scikit_learn_are_kept(estimator: Any, check: Any) -> None:
    check(estimator)


def test_parameters_are_the_fields_of_a_run() -> None:
    parameters = inspect.signature(QAgrelClassifier).parameters
    fields = {name: f.default for name, f in RunSpec.model_fields.items()}
    assert set(estimator.NOT_PARAMETERS) <= set(fields)
    shared = {n: d for n, d in fields.items() if n not in estimator.NOT_PARAMETERS}
    assert {n: p.default for n, p in parameters.items()} == {**shared, **OTHER_DEFAULTS, **OWN}


def test_what_is_given_is_only_stored() -> None:
    given = {"rule": "no such rule", "hidden_layer_sizes": [-1], "batch_size": None}
    made = QAgrelClassifier(**given)
    assert {name: made.get_params()[name] for name in given} == given


@pytest.mark.parametrize(
    ("parameter", "complaint"),
    [
        ({"rule": "q-agrl"}, "rule: 'q-agrl' is not one of .*did you mean 'q-agrel'"),
        ({"hidden_layer_sizes": (0,)}, "hidden: .* a hidden layer has 1 to 65536 units"),
        ({"validation_size": -1}, "validation_size: -1 is not possible"),
        ({"learning_rate": 1e6}, "learning_rate: .* not finite: choose a smaller one"),
        ({"random_state": -1}, "seed: -1 is not possible"),
    ],
)
def test_what_is_impossible_is_refused_by_fit(
    iris: Any, parameter: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        QAgrelClassifier(**{**FEW, **parameter}).fit(*iris)


def test_importing_the_package_loads_no_scikit_learn() -> None:
    program = "import sys, qagrel; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- training --------------------------------------------------------------------------------


def test_it_is_the_engine_that_trains(iris: Any) -> None:
    """An integer as random state is the seed, and the intercept one more feature."""
    samples, labels = iris
    fitted = QAgrelClassifier(max_epochs=3, random_state=5).fit(samples, labels)
    data = Dataset.from_arrays(np.c_[samples, np.ones(len(samples))], labels)
    assert fitted.history_.spec.seed == 5
    history = train(fitted.history_.spec, data)
    pd.testing.assert_frame_equal(fitted.history_.epochs, history.epochs)
    for ours, theirs in zip(fitted.history_.weights, history.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(fitted.predict(samples), history.predict(data.train_images))


@pytest.mark.parametrize("rule", ["q-agrel", "error-bp"])
@pytest.mark.parametrize("feedback", ["symmetric", "learned", "fixed"])
def test_every_kind_of_network_learns_a_table(rule: str, feedback: str) -> None:
    made = make_pipeline(
        StandardScaler(), QAgrelClassifier(rule=rule, feedback=feedback, random_state=0)
    )
    assert cross_val_score(made, *load_iris(return_X_y=True), cv=3).mean() > 0.92


def test_batches_and_validation_are_clipped_to_the_data() -> None:
    samples, labels = make_moons(25, random_state=0)
    made = QAgrelClassifier(batch_size=100, validation_size=1000, **FEW).fit(samples, labels)
    spec = made.history_.spec
    assert (spec.batch_size, spec.validation_size) == (23, 2)


def test_thresholds_are_the_weights_of_one_more_input() -> None:
    """Without them what a network selects does not depend on how long a vector is."""
    samples = np.random.default_rng(0).uniform(0, 4, (200, 1))
    labels = samples[:, 0] > 2
    with_, without = (
        QAgrelClassifier(fit_intercept=each, random_state=0).fit(samples, labels)
        for each in (True, False)
    )
    assert with_.score(samples, labels) > 0.9
    assert len(set(without.predict(samples))) == 1
    assert with_.n_features_in_ == without.n_features_in_ == 1


def test_states_of_numpy_are_taken_as_random_states(iris: Any) -> None:
    one, same, other = (
        QAgrelClassifier(max_epochs=1, random_state=np.random.RandomState(n)).fit(*iris)
        for n in (1, 1, 2)
    )
    assert one.history_.spec == same.history_.spec != other.history_.spec


# --- going on --------------------------------------------------------------------------------


def test_partial_fits_learn_from_batch_after_batch(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(random_state=0)
    order = np.random.default_rng(0).permutation(len(labels))
    for _ in range(60):
        for part in np.split(order, 3):
            made.partial_fit(samples[part], labels[part], classes=np.unique(labels))
    assert made.score(samples, labels) > 0.9


def test_partial_fits_draw_other_numbers_each_time(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(epsilon=1.0, random_state=0, learning_rate=1e-30)
    chosen = [
        made.partial_fit(samples, labels, classes=np.unique(labels)).history_.confusion.tolist()
        for _ in range(2)
    ]
    assert chosen[0] != chosen[1]


def test_classes_may_come_later(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(**FEW).partial_fit(samples[:60], labels[:60], np.unique(labels))
    assert made.decision_function(samples).shape == (150, 3)
    with pytest.raises(InputError, match=r"y: \['other'\] are not in the classes"):
        made.partial_fit(samples[:2], ["setosa", "other"])


def test_the_rate_drops_in_the_epoch_that_is_due(iris: Any) -> None:
    made = QAgrelClassifier(drop_epoch=3, learning_rate=0.1, drop_factor=2.0)
    rates = [
        made.partial_fit(*iris, classes=np.unique(iris[1])).history_.rows[0]["learning_rate"]
        for _ in range(4)
    ]
    assert rates == [0.1, 0.1, 0.05, 0.05]


@pytest.mark.parametrize("feedback", ["symmetric", "learned", "fixed"])
def test_a_warm_start_goes_on_from_the_weights(iris: Any, feedback: str) -> None:
    fields = {"feedback": feedback, "max_epochs": 1, "learning_rate": 1e-12, "random_state": 0}
    cold, warm = (QAgrelClassifier(warm_start=each, **fields) for each in (False, True))
    for made in (cold, warm):
        made.set_params(learning_rate=0.1, random_state=0).fit(*iris)
        first = made.history_
        made.set_params(learning_rate=1e-12, random_state=1).fit(*iris)
        kept = np.allclose(first.weights[0], made.history_.weights[0], rtol=0, atol=1e-7)
        kept_feedback = np.allclose(first.feedback_weights[1], made.history_.feedback_weights[1])
        assert kept == kept_feedback == (made is warm)


def test_a_warm_start_with_other_classes_or_layers_is_refused(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(warm_start=True, **FEW).fit(samples, labels)
    with pytest.raises(InputError, match="warm_start: the classes are"):
        made.fit(samples[:100], labels[:100])
    with pytest.raises(InputError, match="hidden: training cannot go on"):
        made.set_params(hidden_layer_sizes=(7,)).fit(samples, labels)
    made.set_params(hidden_layer_sizes=(100,), precision="float64").fit(samples, labels)
    assert made.history_.weights[0].dtype == np.float64


@pytest.mark.parametrize("going_on", ["fit", "partial_fit"])
def test_units_are_silenced_for_good(iris: Any, going_on: str) -> None:
    """Whatever the random state: what comes from below is never learnt there, elsewhere it is."""
    made = QAgrelClassifier(activation="tanh", feedback_silenced=0.5, max_epochs=1, warm_start=True)
    made.set_params(random_state=np.random.RandomState(0)).fit(*iris)
    deaf = network.deaf_units(made.history_.spec)[1]
    for _ in range(2):
        before = made.history_.weights[0]
        getattr(made, going_on)(*iris)
        stayed = (made.history_.weights[0] == before).all(axis=0)
        np.testing.assert_array_equal(stayed, deaf)


# --- predicting ------------------------------------------------------------------------------


def test_probabilities_of_error_bp_are_the_softmax(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(rule="error-bp", temperature=0.1, **FEW).fit(samples, labels)
    expected = softmax(made.decision_function(samples), axis=1)
    np.testing.assert_allclose(made.predict_proba(samples), expected)


def test_values_are_those_of_the_outputs(iris: Any) -> None:
    """In plain matrices: a ReLU layer, then linear outputs."""
    samples, labels = iris
    made = QAgrelClassifier(**FEW).fit(samples, labels)
    first, second = made.history_.weights
    hidden = np.maximum(np.c_[samples, np.ones(150)] @ first, 0)
    np.testing.assert_allclose(made.decision_function(samples), hidden @ second, atol=1e-6)


def test_two_classes_have_one_value() -> None:
    samples, labels = make_moons(60, random_state=0)
    made = QAgrelClassifier(**FEW).fit(samples, labels)
    assert made.decision_function(samples).shape == (60,)
    np.testing.assert_array_equal(made.decision_function(samples) > 0, made.predict(samples) == 1)


def test_nothing_is_predicted_before_training(iris: Any) -> None:
    for call in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(QAgrelClassifier(), call)(iris[0])


# --- in company ------------------------------------------------------------------------------


def test_a_grid_is_searched_in_a_pipeline(iris: Any) -> None:
    made = make_pipeline(StandardScaler(), QAgrelClassifier(random_state=0))
    grid = {"qagrelclassifier__max_epochs": [1, 50]}
    search = GridSearchCV(made, grid, cv=3).fit(*iris)
    assert search.best_params_ == {"qagrelclassifier__max_epochs": 50}


def test_pickles_and_clones(iris: Any) -> None:
    samples, labels = iris
    made = QAgrelClassifier(**FEW).fit(samples, labels)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(made.decision_function(samples), again.decision_function(samples))
    copied = clone(made)
    assert copied.get_params() == made.get_params()
    assert not hasattr(copied, "history_")


def test_tables_give_their_features_names(iris: Any) -> None:
    samples, labels = iris
    table = pd.DataFrame(samples, columns=list("abcd"))
    made = QAgrelClassifier(**FEW).fit(table, pd.Series(labels))
    assert made.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        made.predict(table[list("dcba")])


def test_sparse_samples_are_the_same_samples(iris: Any) -> None:
    samples, labels = iris
    dense, sparse = (
        QAgrelClassifier(**FEW).fit(each, labels) for each in (samples, csr_array(samples))
    )
    np.testing.assert_array_equal(
        dense.decision_function(csr_array(samples)), sparse.decision_function(samples)
    )


# --- what is changed between two calls ------------------------------------------------------


@pytest.mark.parametrize("before", [False, True])
def test_a_warm_start_with_other_inputs_is_refused(iris: Any, before: bool) -> None:
    made = QAgrelClassifier(max_epochs=1, warm_start=True, fit_intercept=before).fit(*iris)
    with pytest.raises(InputError, match="hidden: training cannot go on with layers of"):
        made.set_params(fit_intercept=not before).fit(*iris)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("feedback", "fixed"), ("activation", "tanh"), ("optimizer", "adam")],
        *[("initial_q", 0.5), ("feedback_correlation", 0.5)],
    ],
)
def test_a_warm_start_of_another_kind_is_refused(iris: Any, name: str, value: Any) -> None:
    made = QAgrelClassifier(max_epochs=1, warm_start=True, feedback="learned").fit(*iris)
    with pytest.raises(InputError, match=f"{name}: training cannot go on with {name} {value!r}"):
        made.set_params(**{name: value}).fit(*iris)


def test_predictions_are_those_of_what_was_fitted(iris: Any) -> None:
    made = QAgrelClassifier(max_epochs=3, random_state=0).fit(*iris)
    before = made.predict_proba(iris[0])
    made.set_params(temperature=50.0, epsilon=1.0, fit_intercept=False)
    assert (made.predict_proba(iris[0]) == before).all()


def test_probabilities_are_the_policy(iris: Any) -> None:
    made = QAgrelClassifier(max_epochs=3, epsilon=0.3, temperature=0.5, random_state=0).fit(*iris)
    values = made.decision_function(iris[0])
    boltzmann = np.exp(values / 0.5) / np.exp(values / 0.5).sum(axis=1, keepdims=True)
    greedy = np.eye(3)[values.argmax(axis=1)]
    assert made.predict_proba(iris[0]) == pytest.approx(0.3 * boltzmann + 0.7 * greedy)


def test_a_rate_that_rises_is_no_matter_of_single_epochs(iris: Any) -> None:
    made = QAgrelClassifier(learning_rate_end=1.0)
    with pytest.raises(InputError, match=r"learning_rate_end: .* call fit"):
        made.partial_fit(*iris, classes=[0, 1, 2])


def test_the_rate_stays_dropped_when_training_goes_on(iris: Any) -> None:
    made = QAgrelClassifier(max_epochs=3, drop_epoch=2).fit(*iris).partial_fit(*iris)
    assert made.history_.rows[-1]["learning_rate"] == pytest.approx(0.01)
