"""TensorFlow, which the rule's authors use: dense layers of Keras and a gradient of its own.

The unit of the selected action sends delta down, the others nothing; `tf.GradientTape` takes that
through the ReLU layers.  An epoch is one graph, so that Python runs no batch.
"""

import tensorflow as tf

from benchmarks.problem import Draws, Problem
from qagrel.network import Floats

Exploration = tuple[tf.Tensor, tf.Tensor]


class KerasPeer:
    """A `keras.Sequential` of dense layers without biases, changed by plain gradient descent."""

    def __init__(self, problem: Problem) -> None:
        spec = problem.spec
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.spec = spec
        self.images = tf.constant(problem.images())
        self.labels = tf.constant(problem.labels())
        layers = [
            tf.keras.layers.Dense(units, activation, use_bias=False, dtype=spec.precision)
            for units, activation in zip(
                (*spec.hidden, problem.dataset.n_classes),
                [*["relu"] * len(spec.hidden), None],
                strict=True,
            )
        ]
        inputs = tf.keras.Input((self.images.shape[1],), dtype=spec.precision)
        self.model = tf.keras.Sequential([inputs, *layers])
        self.model.set_weights(problem.weights)
        self.variables = [weights.value for weights in self.model.trainable_variables]
        compiles = spec.batch_size < 30  # XLA: large products are no faster by it
        self.train = tf.function(self.learn, jit_compile=compiles)

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        batches = [tf.reshape(array, (-1, self.spec.batch_size)) for array in draws]
        return int(self.train(*batches))

    def learn(self, order: tf.Tensor, explore: tf.Tensor, choose: tf.Tensor) -> tf.Tensor:
        """Learn from all batches; returns how many choices were wrong."""
        explores, wrong = explore < self.spec.epsilon, tf.constant(0, tf.int64)
        for k in tf.range(tf.shape(order)[0]):
            images, labels = tf.gather(self.images, order[k]), tf.gather(self.labels, order[k])
            wrong += self.batch(images, labels, (explores[k], choose[k]))
        return wrong

    def batch(self, images: tf.Tensor, labels: tf.Tensor, exploration: Exploration) -> tf.Tensor:
        """Learn from one batch; returns how many choices were wrong."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.variables)
            q = self.model(images, training=True)
        action = self.select(q, exploration)
        selected = tf.one_hot(action, q.shape[1], dtype=q.dtype)
        reward = tf.cast(action == labels, q.dtype)[:, None]
        error = selected * (q - reward) / self.spec.batch_size
        gradients = tape.gradient(q, self.variables, output_gradients=error)
        for weights, gradient in zip(self.variables, gradients, strict=True):
            weights.assign_sub(self.spec.learning_rate * gradient)
        return tf.math.count_nonzero(action != labels)

    def select(self, q: tf.Tensor, exploration: Exploration) -> tf.Tensor:
        """Max-Boltzmann: the best action, or where a trial explores one drawn by softmax."""
        explore, choose = exploration
        best = tf.argmax(q, 1)

        def drawn() -> tf.Tensor:
            cumulative = tf.cumsum(tf.nn.softmax(q / self.spec.temperature), 1)
            beyond = choose[:, None] >= tf.cast(cumulative[:, :-1], choose.dtype)
            return tf.where(explore, tf.math.count_nonzero(beyond, 1), best)

        return tf.cond(tf.reduce_any(explore), drawn, lambda: best)

    def weights(self) -> list[Floats]:
        """The present weights, copied."""
        return [weights.numpy().copy() for weights in self.variables]
