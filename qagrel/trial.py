"""One trial of a network in all its numbers: what each unit and each synapse did.

The kernels do the work, on a batch of one; here their buffers are read out.  The trial stands by
itself: it is learnt from by plain descent, whatever the optimizer, and without noise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qagrel import kernels, network
from qagrel.errors import InputError
from qagrel.network import Floats
from qagrel.rules import LEARN_BY_REWARD
from qagrel.spec import RunSpec

GREY_LEVELS = 10  # inputs are tenths, which are short to print
N_NETWORKS, N_TRIALS = 100, 100  # how many are searched for a trial with a certain property


@dataclass(frozen=True)
class Trial:
    """A trial of Q-AGREL.

    Lists are indexed by layer, as the weights of a `History` are: ``weights[l]`` are the synapses
    from layer l (the input is layer 0) to layer l + 1, and ``net_inputs[l]`` and ``signals[l]``
    belong to the units of layer l + 1, on which they end.

    Attributes
    ----------
    activities : x, y of the hidden layers and the Q-values (Eqs. 2-5), a vector a layer.
    net_inputs : the sums a that ReLU is applied to; of the outputs, the Q-values themselves.
    weights, feedback_weights : before the update, shape (fan_in, fan_out), the latter in the
        layout of the weights that they reciprocate.
    changes : of the weights (Eqs. 8-13), by plain descent; the feedback weights change by the
        same amounts where they learn, but nothing is fed back to the input.
    signals : fb of the hidden layers (Eqs. 10, 12) and z of the outputs (1 for the winner).
    winner, target : the selected action, and the class of the input: by the paper's rewards the
        action that is right.
    reward, delta : the outcome and its prediction error (Eq. 7).
    """

    spec: RunSpec
    activities: list[Floats]
    net_inputs: list[Floats]
    weights: list[Floats]
    feedback_weights: Sequence[Floats]
    changes: list[Floats]
    signals: list[Floats]
    winner: int
    target: int
    reward: float
    delta: float

    def gates(self, layer: int) -> NDArray[np.bool_]:
        """Which gates of a hidden layer are open (g of Eqs. 9, 11); layers count from 1.

        Other activation functions than ReLU never close them quite.
        """
        return (self.activities[layer] > 0) | (self.spec.activation != "relu")

    def gate(self, layer: int, unit: int) -> bool:
        """Whether the gate of a hidden unit is open, see `gates`."""
        return bool(self.gates(layer)[unit])


def run_trial(
    spec: RunSpec, number: int = 0, draw: int = 0, *, n_inputs: int = 3, n_actions: int = 3
) -> Trial:
    """Show an untrained network an input, and let it learn from what comes of its choice.

    Parameters
    ----------
    spec : hidden layers, learning rate, policy, kind of feedback, ranges and correlation of the
        initial weights, payoffs and the chances of rewards, and the seed of these; what concerns
        the data and the course of training has no effect, as `initial_q`, a mean over training
        images, and `novelty`, which counts trials.
    number : the seed of the input (tenths from 0 to 1), its class, the exploration and the
        chances of the reward; trials of other numbers meet the same network.
    draw : which of the seed's networks it is.
    n_actions : as many as classes; where the run has a `payoff`, that says how many there are.

    Raises
    ------
    InputError
        When the rule does not learn by reward.
    """
    check_rule(spec)
    n_classes = n_actions if spec.payoff is None else len(spec.payoff)
    n_actions = spec.n_actions(n_classes)
    weights, feedback_weights = _draw_network(spec, draw, (n_inputs, *spec.hidden, n_actions))
    generator = np.random.default_rng([spec.seed, draw, number])
    grey = generator.integers(0, GREY_LEVELS, n_inputs, np.uint8, endpoint=True)
    target = int(generator.integers(n_classes))
    draws = kernels.Draws(np.zeros(1, np.int64), *generator.random((4, 1)))
    levels = network.input_levels(GREY_LEVELS, "grey", "float64")
    image = network.sparse_images(grey[None, :], np.zeros(1, np.uint8), levels)
    payoffs, rate = network.payoffs(spec, n_classes), spec.learning_rate
    scene = Scene(spec, weights, feedback_weights, image, draws, payoffs, rate)
    return play(scene, target)


def check_rule(spec: RunSpec) -> None:
    """Refuse a rule that does not learn by reward (InputError)."""
    if spec.rule not in LEARN_BY_REWARD:
        raise InputError(f"rule: a trial needs an action and a reward, {spec.rule!r} has neither")


@dataclass(frozen=True)
class Scene:
    """A network, what it is shown, and the random numbers that decide what it does."""

    spec: RunSpec
    weights: list[Floats]
    feedback_weights: Sequence[Floats] | None
    image: kernels.Images  # one
    draws: kernels.Draws
    payoffs: kernels.Payoffs
    rate: float


def play(scene: Scene, target: int) -> Trial:
    """Show the network the image, and let it learn; `target` is the class of the image."""
    net, work = _learn(scene, target)
    sums = _vectors(net, work, work.activity)
    winner, delta = int(work.chosen[0]), float(work.modulator[0])
    reward, after = float(work.reward[0]), network.unpack(net, net.weights)
    # The kernel leaves the signals times alpha and delta.  They do not depend on the outcome, so
    # they are read after the greater surprise of a reward of 1 and none: its delta is never zero.
    surprise = np.full(scene.payoffs.reward.shape, float(sums[-1][winner] < 0.5))
    certain = scene.payoffs._replace(reward=surprise, omission=0.0, flip=0.0)
    net, work = _learn(replace(scene, payoffs=certain), target)
    scale = work.signal.dtype.type(scene.rate * float(work.modulator[0]))  # rounded as there
    weights, feedback_weights = scene.weights, scene.feedback_weights
    return Trial(
        spec=scene.spec,
        activities=[
            network.dense(scene.image, scene.draws.order, int(net.width[0]))[0],
            *(network.activated(a, scene.spec.activation) for a in sums[:-1]),
            sums[-1],
        ],
        net_inputs=sums,
        weights=weights,
        feedback_weights=weights if feedback_weights is None else feedback_weights,
        changes=[new - old for new, old in zip(after, weights, strict=True)],
        signals=[vector / scale for vector in _vectors(net, work, work.signal)],
        winner=winner,
        target=target,
        reward=reward,
        delta=delta,
    )


def _draw_network(
    spec: RunSpec, draw: int, widths: tuple[int, ...]
) -> tuple[list[Floats], Sequence[Floats] | None]:
    streams = np.random.SeedSequence([spec.seed, draw]).spawn(2)
    forward, feedback = map(np.random.default_rng, streams)
    weights = network.draw_weights(widths, spec.weight_range, forward, "float64")
    if spec.feedback == "symmetric":
        return weights, None
    drawn = network.draw_weights(widths, spec.feedback_range, feedback, "float64")
    return weights, network.correlated(spec, weights, drawn)


def _learn(scene: Scene, target: int) -> tuple[kernels.Network, kernels.Workspace]:
    """The network and the kernels' buffers after an epoch of a single trial."""
    spec = scene.spec
    net = network.pack_for(spec, scene.weights, scene.feedback_weights)
    work = network.workspace(net, 1)  # of no optimizer
    image = scene.image._replace(label=np.array([target]))
    record = network.record(net, 1, len(scene.payoffs.reward))
    policy = network.policy(spec)._replace(noise=0.0)
    kernels.train_epoch(net, work, image, scene.draws, scene.payoffs, policy, scene.rate, record)
    return net, work


def _vectors(net: kernels.Network, work: kernels.Workspace, flat: Floats) -> list[Floats]:
    """The values of each layer after the input, from a flat buffer of a batch of one."""
    return [rows[0] for rows in network.by_layer(net, work, flat, 1)]


def find_trial(spec: RunSpec, wanted: Callable[[Trial], bool], **shape: int) -> Trial:
    """The first trial that is as wanted, of the seed's first network that has any.

    Parameters
    ----------
    shape : numbers of inputs and actions, as for `run_trial`.

    Raises
    ------
    InputError
        When a hundred trials of a hundred networks are not.
    """
    for trials in _networks(spec, shape):
        for trial in trials:
            if wanted(trial):
                return trial
    raise _not_found(spec)


def open_and_closed(
    spec: RunSpec, layer: int, wanted: Callable[[Trial], bool] = lambda _: True, **shape: int
) -> tuple[int, Trial, Trial]:
    """A unit of a hidden layer, a trial in which its gate is open, and one in which it is closed.

    They are found in the seed's first network that shows both: its first such unit, and the first
    trial of each kind that is as wanted, better rewarded than expected, and in which the layer
    below and the outputs are active: so that a closed gate alone stops learning, and other units
    answer.

    Parameters
    ----------
    shape : numbers of inputs and actions, as for `run_trial`.

    Raises
    ------
    InputError
        When a hundred trials of a hundred networks do not show both.
    """
    for trials in _networks(spec, shape):
        instructive = [t for t in trials if _can_teach(t, layer) and wanted(t)]
        for unit in range(spec.hidden[layer - 1]):
            first: dict[bool, Trial] = {}
            for trial in instructive:
                first.setdefault(trial.gate(layer, unit), trial)
            if len(first) == 2:
                return unit, first[True], first[False]
    raise _not_found(spec)


def _can_teach(trial: Trial, layer: int) -> bool:
    """Whether synapses onto a layer would change, were the gates there open."""
    is_active = trial.activities[layer - 1].any() and trial.activities[-1].any()
    return bool(is_active and trial.reward > 0 and trial.delta > 0)


def _networks(spec: RunSpec, shape: dict[str, int]) -> Iterator[Iterator[Trial]]:
    """The trials of one network after another."""
    for draw in range(N_NETWORKS):
        yield (run_trial(spec, number, draw, **shape) for number in range(N_TRIALS))


def _not_found(spec: RunSpec) -> InputError:
    return InputError(
        f"seed: {N_TRIALS} trials of each of {N_NETWORKS} networks with seed {spec.seed} and "
        f"hidden layers {spec.hidden} do not show what is asked for: choose others"
    )
