"""The learning rules a second time: slow, obvious, and sharing nothing with the package.

One short function an equation of the paper, on plain lists of Python floats (give arrays as
``.tolist()``).  Nothing is changed in place.  Sums are rounded once (`math.fsum`), so they favour
no order of summation.

With layers 0 (input) to L (output) and unit j in a layer, unit k in the layer above:

- ``weights[l][j][k]`` is the synapse from unit j of layer l to unit k of layer l + 1;
- ``feedback[l][j][k]`` is the one that reciprocates it, from unit k down to unit j.
  ``feedback[0]`` would end on the input, so it is never read and never changes;
- ``activities[l]`` and ``gates[l]`` belong to layer l, ``signals[l]`` and ``increments[l]`` to
  what lies above it: the units of layer l + 1, and the synapses into them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

Vector = Sequence[float]
Matrix = Sequence[Vector]
Matrices = Sequence[Matrix]


@dataclass(frozen=True)
class Settings:
    """How a network learns, by the names that RunSpec uses."""

    rule: str = "q-agrel"  # or "error-bp"
    feedback: str = "symmetric"  # or "learned", "fixed"
    loss: str = "cross-entropy"  # or "squared-error"; of error-bp only
    epsilon: float = 0.02
    temperature: float = 1.0
    payoff: Matrix | None = None  # [class][action]; 1 for the right action and 0 for others
    omission: float = 0.0
    flip: float = 0.0
    novelty: float = 0.0  # a trial
    activation: str = "relu"  # or "leaky-relu", "tanh"
    optimizer: str = "sgd"  # or "momentum", "adam"
    momentum: float = 0.9

    def __post_init__(self) -> None:
        assert self.rule in ("q-agrel", "error-bp"), self.rule
        assert self.feedback in ("symmetric", "learned", "fixed"), self.feedback
        assert self.loss in ("cross-entropy", "squared-error"), self.loss
        assert self.activation in ("relu", "leaky-relu", "tanh"), self.activation
        assert self.optimizer in ("sgd", "momentum", "adam"), self.optimizer


@dataclass(frozen=True)
class Outcome:
    """What one trial leads to, at the output layer."""

    selected: int
    loss: float
    modulator: float  # delta of Q-AGREL; -1 for error-BP, which descends its error
    reward: float  # of Q-AGREL; for error-BP 1 where the choice is right, else 0
    top: list[float]  # what the output units send down: z of Q-AGREL, e of error-BP


@dataclass(frozen=True)
class Moments:
    """What an optimizer keeps of earlier batches; nothing before the first."""

    n_batches: int = 0
    velocity: Matrices = ()
    spread: Matrices = ()


@dataclass(frozen=True)
class Batch:
    """What one batch did; weights and feedback are those after its update."""

    weights: Matrices
    feedback: Matrices
    increments: Matrices  # mean over the trials, not yet multiplied by the learning rate
    selected: list[int]  # the action chosen in each trial
    rewards: list[float]  # what it earned: in the paper 1 where it was right, else 0
    wrong: list[bool]  # whether another one pays more for the class
    loss: float  # mean over the trials
    moments: Moments


# 1. Feedforward pass


def relu(a: float) -> float:
    """Eq. 3."""
    return a if a > 0 else 0.0


def activity(a: float, activation: str) -> float:
    """y of a hidden unit by its net input."""
    if activation == "tanh":
        return 1.7159 * math.tanh(2 / 3 * a)
    return relu(a) if activation == "relu" else max(a, 0.01 * a)


def slope(y: float, activation: str) -> float:
    """dy / da of a hidden unit, by its activity: the gate."""
    if activation == "tanh":
        return 1.7159 * 2 / 3 * (1 - (y / 1.7159) ** 2)
    return 1.0 if y > 0 else {"relu": 0.0, "leaky-relu": 0.01}[activation]


def weighted_sums(weights: Matrix, below: Vector) -> list[float]:
    """a_k = sum_j w_jk y_j (Eqs. 2, 4, 5)."""
    n_above = len(weights[0])
    return [
        math.fsum(row[k] * y for row, y in zip(weights, below, strict=True)) for k in range(n_above)
    ]


def forward(weights: Matrices, x: Vector, activation: str = "relu") -> list[Vector]:
    """Activities of every layer (Eqs. 2-5): the input, ReLU hidden layers, linear Q-values."""
    activities = [x]
    for matrix in weights[:-1]:
        activities.append([activity(a, activation) for a in weighted_sums(matrix, activities[-1])])
    return [*activities, weighted_sums(weights[-1], activities[-1])]


def open_gates(activities: Sequence[Vector], activation: str = "relu") -> list[list[float]]:
    """g = 1 for a hidden unit that is active, else 0 (Eqs. 9, 11); 1 for linear outputs.

    Of other activation functions, their slopes.
    """
    hidden = [[slope(y, activation) for y in layer] for layer in activities[:-1]]
    return [*hidden, [1.0 for _ in activities[-1]]]


# 2. Action selection


def boltzmann_probabilities(q: Vector, temperature: float = 1.0) -> list[float]:
    """P_l = exp(q_l / T) / sum exp(q / T) (Eq. 6); less the largest q, lest it overflow."""
    powers = [math.exp((value - max(q)) / temperature) for value in q]
    return [power / math.fsum(powers) for power in powers]


def best_action(q: Vector) -> int:
    """The largest value's index, the lowest on a tie."""
    return list(q).index(max(q))


def draw_action(probabilities: Vector, u_select: float) -> int:
    """The first class whose cumulative probability exceeds u_select; the last if none does."""
    cumulative = 0.0
    for action, probability in enumerate(probabilities):
        cumulative += probability
        if cumulative > u_select:
            return action
    return len(probabilities) - 1


def select_action(q: Vector, settings: Settings, u_explore: float, u_select: float) -> int:
    """Max-Boltzmann controller: explore if u_explore < epsilon, else take the best action."""
    if u_explore < settings.epsilon:
        return draw_action(boltzmann_probabilities(q, settings.temperature), u_select)
    return best_action(q)


def waited(action: int, chosen: Sequence[int]) -> int:
    """Trials since an action was chosen; those of the epoch if it never was."""
    return [*reversed(chosen), action].index(action) + (action in chosen)


def wished(q: Vector, chosen: Sequence[int], novelty: float) -> list[float]:
    """The values by which an action is chosen, after those that were chosen in the epoch."""
    return [value + novelty * waited(action, chosen) for action, value in enumerate(q)]


# 3. What the outcome is


def one_hot(n: int, index: int) -> list[float]:
    """One at index, else zero: z of the winner, or the target outputs."""
    return [1.0 if unit == index else 0.0 for unit in range(n)]


def payoffs(settings: Settings, label: int, n_actions: int) -> Vector:
    """What each action pays for a class."""
    return one_hot(n_actions, label) if settings.payoff is None else settings.payoff[label]


def is_wrong(payoff: Vector, selected: int) -> bool:
    """Whether another action than the selected one pays more."""
    return any(other > payoff[selected] for other in payoff)


def reward_received(
    payoff: Vector, selected: int, settings: Settings, u_omit: float, u_flip: float
) -> float:
    """r: nothing if u_omit < omission; mirrored between the extremes if u_flip < flip."""
    if u_omit < settings.omission:
        return 0.0
    earned = payoff[selected]
    if u_flip < settings.flip:
        return max(payoff) - (earned - min(payoff))
    return earned


def best_expected_reward(payoff: Vector, omission: float, flip: float) -> float:
    """What the best action for a class earns on average: four outcomes, by their chances."""

    def expected(earned: float) -> float:
        mirrored = max(payoff) - (earned - min(payoff))
        outcomes = [
            (omission * flip, 0.0),
            (omission * (1 - flip), 0.0),
            ((1 - omission) * flip, mirrored),
            ((1 - omission) * (1 - flip), earned),
        ]
        return math.fsum(chance * reward for chance, reward in outcomes)

    return max(expected(earned) for earned in payoff)


def reward_prediction_error(reward: float, q_selected: float) -> float:
    """delta = r - q_s (Eq. 7)."""
    return reward - q_selected


def output_error(q: Vector, target: Vector, loss: str) -> list[float]:
    """e_l = dE / dq_l: q - t (Eq. 15), or softmax(q) - t where E is the cross-entropy."""
    answer = boltzmann_probabilities(q) if loss == "cross-entropy" else q
    return [a - t for a, t in zip(answer, target, strict=True)]


def squared_error(q: Vector, target: Vector) -> float:
    """E = sum_l (q_l - t_l)^2 / 2."""
    return 0.5 * math.fsum((a - t) ** 2 for a, t in zip(q, target, strict=True))


def cross_entropy(q: Vector, label: int) -> float:
    """E = -log softmax(q)[label], by way of log sum exp."""
    return max(q) + math.log(math.fsum(math.exp(value - max(q)) for value in q)) - q[label]


def outcome_q_agrel(
    q: Vector,
    label: int,
    settings: Settings,
    u_explore: float,
    u_select: float,
    u_omit: float = 1.0,
    u_flip: float = 1.0,
    chosen: Sequence[int] = (),
) -> Outcome:
    """The winner alone sends feedback; all learn from the reward (Eq. 7)."""
    values = wished(q, chosen, settings.novelty)
    selected = select_action(values, settings, u_explore, u_select)
    payoff = payoffs(settings, label, len(q))
    reward = reward_received(payoff, selected, settings, u_omit, u_flip)
    delta = reward_prediction_error(reward, q[selected])
    return Outcome(selected, 0.5 * delta**2, delta, reward, one_hot(len(q), selected))


def outcome_error_bp(q: Vector, label: int, loss: str) -> Outcome:
    """All outputs send their errors (Eqs. 15-18); the choice is the best action."""
    target = one_hot(len(q), label)
    value = cross_entropy(q, label) if loss == "cross-entropy" else squared_error(q, target)
    selected = best_action(q)
    return Outcome(selected, value, -1.0, target[selected], output_error(q, target, loss))


# 4. Backward pass


def feedback_signals(
    feedback: Matrices, gates: Sequence[Vector], top: Vector, factors: Sequence[Vector] = ()
) -> list[list[float]]:
    """fb_m = sum_q g_q v'_qm fb_q (Eqs. 10, 12, 14), or e of Eqs. 16-18; not yet gated by g_m.

    Disturbed feedback is multiplied by factors[layer][unit] where it arrives.
    """
    signals = [list(top)]
    for layer in range(len(feedback) - 1, 0, -1):
        sent = [g * fb for g, fb in zip(gates[layer + 1], signals[0], strict=True)]
        received = [
            math.fsum(f * s for f, s in zip(row, sent, strict=True)) for row in feedback[layer]
        ]
        if factors:
            received = [r * f for r, f in zip(received, factors[layer], strict=True)]
        signals.insert(0, received)
    return signals


# 5. Update of the synapses


def trial_increments(
    activities: Sequence[Vector], gates: Sequence[Vector], signals: Sequence[Vector], delta: float
) -> Matrices:
    """pre_j * g_k * delta * fb_k of every synapse (Eqs. 1, 8-13, 19-22; 15-18 with -1, e)."""
    layers = zip(activities[:-1], gates[1:], signals, strict=True)
    return [
        [[y * g * delta * fb for g, fb in zip(gate, signal, strict=True)] for y in pre]
        for pre, gate, signal in layers
    ]


def mean(trials: Sequence[Matrices]) -> Matrices:
    """Mean over the trials of each synapse's increment: divided by the batch's own size."""
    return [
        [
            [math.fsum(entries) / len(trials) for entries in zip(*rows, strict=True)]
            for rows in zip(*matrices, strict=True)
        ]
        for matrices in zip(*trials, strict=True)
    ]


def updated(matrix: Matrix, rate: float, increments: Matrix) -> Matrix:
    """Matrix plus learning rate times increments."""
    return [
        [w + rate * change for w, change in zip(row, changes, strict=True)]
        for row, changes in zip(matrix, increments, strict=True)
    ]


def updated_feedback(
    feedback: Matrices, rate: float, increments: Matrices, regime: str
) -> Matrices:
    """Learned feedback takes the increments of the weights it reciprocates, fixed takes none."""
    if regime == "fixed":
        return feedback
    above = zip(feedback[1:], increments[1:], strict=True)
    return [feedback[0], *(updated(matrix, rate, changes) for matrix, changes in above)]


# Optimizers


def map_synapses(function: Callable[..., float], *matrices: Matrices) -> list[list[list[float]]]:
    """Apply a function to the entries of matrices that belong to the same synapse."""
    return [
        [
            [function(*entries) for entries in zip(*rows, strict=True)]
            for rows in zip(*layers, strict=True)
        ]
        for layers in zip(*matrices, strict=True)
    ]


def direction(
    increments: Matrices, before: Moments, settings: Settings
) -> tuple[Matrices, Moments]:
    """What the learning rate multiplies; and what the optimizer keeps."""
    nothing = map_synapses(lambda _: 0.0, increments)
    velocity, spread = before.velocity or nothing, before.spread or nothing
    n = before.n_batches + 1
    if settings.optimizer == "momentum":
        velocity = map_synapses(lambda v, g: settings.momentum * v + g, velocity, increments)
        return velocity, Moments(n, velocity)
    if settings.optimizer == "adam":
        velocity = map_synapses(lambda v, g: 0.9 * v + 0.1 * g, velocity, increments)
        spread = map_synapses(lambda s, g: 0.999 * s + 0.001 * g**2, spread, increments)

        def step(v: float, s: float) -> float:
            return (v / (1 - 0.9**n)) / (math.sqrt(s / (1 - 0.999**n)) + 1e-8)

        return map_synapses(step, velocity, spread), Moments(n, velocity, spread)
    return increments, before


# A batch, an epoch


def train_batch(
    weights: Matrices,
    feedback: Matrices,
    inputs: Matrix,
    labels: Sequence[int],
    rate: float,
    settings: Settings,
    u_explore: Vector = (),
    u_select: Vector = (),
    u_omit: Vector = (),
    u_flip: Vector = (),
    *,
    factors: Sequence[Sequence[Vector]] = (),
    chosen: Sequence[int] = (),
    moments: Moments = Moments(),
) -> Batch:
    """One update from a batch of trials.

    Symmetric feedback is the weights themselves, before and after: `feedback` is then not read.
    Trial b uses u_explore[b] and u_select[b], and u_omit[b] and u_flip[b] if there are such;
    error-BP needs none.  The factors that disturb its feedback are factors[b][layer][unit];
    `chosen` are the actions of the epoch so far.
    """
    symmetric = settings.feedback == "symmetric"
    down = weights if symmetric else feedback
    outcomes, trials = [], []
    for b, (x, label) in enumerate(zip(inputs, labels, strict=True)):
        activities = forward(weights, x, settings.activation)
        if settings.rule == "q-agrel":
            chances = [u[b] for u in (u_explore, u_select, u_omit, u_flip) if u]
            so_far = [*chosen, *(earlier.selected for earlier in outcomes)]
            out = outcome_q_agrel(activities[-1], label, settings, *chances, chosen=so_far)
        else:
            out = outcome_error_bp(activities[-1], label, settings.loss)
        gates = open_gates(activities, settings.activation)
        signals = feedback_signals(down, gates, out.top, factors[b] if factors else ())
        trials.append(trial_increments(activities, gates, signals, out.modulator))
        outcomes.append(out)
    increments = mean(trials)
    steps, moments = direction(increments, moments, settings)
    new = [updated(w, rate, changes) for w, changes in zip(weights, steps, strict=True)]
    return Batch(
        weights=new,
        feedback=new if symmetric else updated_feedback(down, rate, steps, settings.feedback),
        increments=increments,
        selected=[out.selected for out in outcomes],
        rewards=[out.reward for out in outcomes],
        wrong=[
            is_wrong(payoffs(settings, label, len(out.top)), out.selected)
            for out, label in zip(outcomes, labels, strict=True)
        ],
        loss=math.fsum(out.loss for out in outcomes) / len(outcomes),
        moments=moments,
    )


def train_epoch(
    weights: Matrices,
    feedback: Matrices,
    inputs: Matrix,
    labels: Sequence[int],
    order: Sequence[int],
    batch_size: int,
    rate: float,
    settings: Settings,
    *uniforms: Vector,
    factors: Sequence[Sequence[Vector]] = (),
) -> list[Batch]:
    """The batches of an epoch; the last may be smaller, and holds the weights at the end.

    `order` lists the samples to learn from; uniforms[...][i] and factors[i] belong to order[i].
    """
    batches: list[Batch] = []
    moments, chosen = Moments(), list[int]()
    for first in range(0, len(order), batch_size):
        part = slice(first, first + batch_size)
        x, t = [inputs[i] for i in order[part]], [labels[i] for i in order[part]]
        drawn = [u[part] for u in uniforms]
        further = {"factors": factors[part], "chosen": chosen, "moments": moments}
        batch = train_batch(weights, feedback, x, t, rate, settings, *drawn, **further)
        weights, feedback, moments = batch.weights, batch.feedback, batch.moments
        chosen = [*chosen, *batch.selected]
        batches.append(batch)
    return batches


# What an epoch shows, where images are distorted


def seen_from(row: int, column: int, side: int, offsets: Sequence[Fraction]) -> list[Fraction]:
    """Row and column in the image, between its pixels, of what a pixel shows.

    offsets: by how much the map's numbers differ from those of the map that changes nothing, in
    the order of x' = x + a x + b y + c h, y' = y + d x + e y + f h; x and y are counted from the
    centre, to the right and down, and h is half the side.
    """
    a, b, c, d, e, f = offsets
    centre, h = Fraction(side - 1, 2), Fraction(side, 2)
    x, y = column - centre, row - centre
    return [y + d * x + e * y + f * h + centre, x + a * x + b * y + c * h + centre]


def grey_at(image: Sequence[Sequence[int]], row: Fraction, column: Fraction) -> Fraction:
    """Bilinear: pixels less than one row and one column away count by their nearness."""
    total = Fraction(0)
    for r, line in enumerate(image):
        for c, level in enumerate(line):
            if abs(r - row) < 1 and abs(c - column) < 1:
                total += level * (1 - abs(r - row)) * (1 - abs(c - column))
    return total


def distorted(
    image: Sequence[Sequence[int]], reach: float, uniforms: Sequence[float]
) -> list[list[int]]:
    """A square image through an affine map, in fractions; its levels are rounded, halves up."""
    offsets = [Fraction(reach) * (2 * Fraction(u) - 1) for u in uniforms]
    pixels = range(len(image))
    return [
        [
            math.floor(grey_at(image, *seen_from(r, c, len(image), offsets)) + Fraction(1, 2))
            for c in pixels
        ]
        for r in pixels
    ]


# Around the epochs


def choose(weights: Matrices, inputs: Matrix) -> list[int]:
    """The class selected for each input, without exploration."""
    return [best_action(forward(weights, x)[-1]) for x in inputs]


def confusion(
    labels: Sequence[int], selected: Sequence[int], n_classes: int, n_actions: int | None = None
) -> list[list[int]]:
    """counts[true class][selected action]; by default there are as many."""
    pairs, actions = list(zip(labels, selected, strict=True)), range(n_actions or n_classes)
    return [[pairs.count((t, s)) for s in actions] for t in range(n_classes)]


def angle(a: Matrix, b: Matrix) -> float:
    """Degrees between two matrices of one layout, as vectors of all their entries."""

    def dot(p: Matrix, q: Matrix) -> float:
        rows = zip(p, q, strict=True)
        return math.fsum(x * y for row in rows for x, y in zip(*row, strict=True))

    cosine = dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def should_stop(accuracies: Vector, checks: int, decimals: int) -> bool:
    """Whether the last `checks` accuracies (percent) agree to `decimals`; never for 0 checks."""
    last = [round(accuracy, decimals) for accuracy in accuracies][-checks:]
    return checks > 0 and len(last) == checks and last.count(last[0]) == checks


def dropped_rate(epoch: int, rate: float, drop_epoch: int, drop_factor: float) -> float:
    """Learning rate of an epoch, counted from 1: divided by drop_factor from drop_epoch on."""
    return rate / drop_factor if epoch >= drop_epoch else rate


def rising_rate(epoch: int, start: float, end: float, max_epochs: int, spacing: str) -> float:
    """Learning rate that rises from `start` in epoch 1 to `end` in epoch max_epochs."""
    steps = max_epochs - 1
    share = (epoch - 1) / steps if steps else 0.0
    return {
        "linear": start * (1 - share) + end * share,
        "geometric": math.exp(math.log(start) * (1 - share) + math.log(end) * share),
    }[spacing]
