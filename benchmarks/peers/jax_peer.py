"""JAX: a whole epoch is one jitted scan, which takes over the buffers of the weights."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problem import Draws, Problem
from qagrel.network import Floats

Weights = list[jax.Array]


class JaxPeer:
    """The gradient of (q_s - r)^2 / 2 by `jax.grad`; weights are (fan_out, fan_in)."""

    def __init__(self, problem: Problem) -> None:
        spec = problem.spec
        jax.config.update("jax_enable_x64", spec.precision == "float64")
        self.batch_size = spec.batch_size
        self.images, self.labels = jnp.asarray(problem.images()), jnp.asarray(problem.labels())
        self.matrices = [jnp.array(w.T) for w in problem.weights]
        self.train = partial(
            train_epoch, rate=spec.learning_rate, epsilon=spec.epsilon, temperature=spec.temperature
        )

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        batches = [jnp.asarray(a).reshape(-1, self.batch_size) for a in draws]
        self.matrices, wrong = self.train(self.matrices, self.images, self.labels, batches)
        return int(jax.block_until_ready(wrong))

    def weights(self) -> list[Floats]:
        """The present weights, copied."""
        return [np.array(w.T) for w in self.matrices]


@partial(jax.jit, donate_argnames="weights", static_argnames=("rate", "epsilon", "temperature"))
def train_epoch(
    weights: Weights,
    images: jax.Array,
    labels: jax.Array,
    batches: list[jax.Array],
    *,
    rate: float,
    epsilon: float,
    temperature: float,
) -> tuple[Weights, jax.Array]:
    """Scan over the batches; returns the new weights and how many choices were wrong."""

    def step(weights: Weights, batch: list[jax.Array]) -> tuple[Weights, jax.Array]:
        order, explore, choose = batch
        exploration = explore < epsilon, choose, temperature
        gradients, wrong = jax.grad(batch_loss, has_aux=True)(
            weights, images[order], labels[order], exploration
        )
        return [w - rate * g for w, g in zip(weights, gradients, strict=True)], wrong

    weights, wrong = lax.scan(step, weights, batches)
    return weights, wrong.sum()


def batch_loss(
    weights: Weights,
    images: jax.Array,
    labels: jax.Array,
    exploration: tuple[jax.Array, jax.Array, float],
) -> tuple[jax.Array, jax.Array]:
    """Mean loss of the selected actions, and how many of them were wrong."""
    y = images
    for w in weights[:-1]:
        y = jax.nn.relu(y @ w.T)
    q = y @ weights[-1].T
    action = select(lax.stop_gradient(q), *exploration)
    value = jnp.take_along_axis(q, action[:, None], axis=1)[:, 0]
    reward = (action == labels).astype(q.dtype)
    return 0.5 * jnp.mean((value - reward) ** 2), (action != labels).sum()


def select(q: jax.Array, explore: jax.Array, choose: jax.Array, temperature: float) -> jax.Array:
    """The best action, or where a trial explores one drawn from the Boltzmann distribution."""
    cumulative = jax.nn.softmax(q / temperature).cumsum(axis=1)
    drawn = (choose[:, None] >= cumulative[:, :-1]).sum(axis=1)
    return jnp.where(explore, drawn, q.argmax(axis=1))
