"""The learning rules, phase by phase, as the paper tells them.

Notation.  Layer 0 is the input, layer L the output; b counts the trials of a block: a batch, or
a part of a large one.  Rows of matrices are padded with zeros to a multiple of `LANES` columns:
the layer's *stride*.

==============  ===========  ========================================  =======================
paper           equation     here                                      shape
==============  ===========  ========================================  =======================
x_i             2            ``active`` units of layer 0               a list a trial
u, v, w         2, 4, 5      ``weights``, a matrix a layer             (fan_in, stride)
u', v', w'      8, 10, 12    ``feedback``, stored like the weights     (fan_in, stride)
                             that they reciprocate
y_j, q_l        2 to 5       ``activity``                              (block, stride)
g_j             9, 11        unit j is in the ``active`` list          a list a trial
z_l, g_j fb_j   6, 9 to 14   ``signal``: z at layer L, g fb below      (block, stride)
r               7            ``reward``                                (block,)
delta           7            ``modulator``                             (block,)
alpha           8            ``rate``                                  scalar
==============  ===========  ========================================  =======================

A node has a feedforward unit, of a certain activity, and a feedback unit, of a certain signal.

Two choices tell the learning rules apart: what the output layer sends down and what modulates
plasticity (`receive_reward`, `receive_answer`), and the weights through which the signal travels
down (``feedback``, which *is* ``weights`` where feedback is symmetric).  All else is shared.

Sums over many synapses are in `loops`, everything else is here.  The arithmetic is IEEE's, every
sum has a fixed order, products fuse with additions where `loops` asks for it and nowhere else, and
kernels are deterministic functions of their arguments, random numbers included.
``tests/naive.py`` says the same a second time, slowly.
"""

import numpy as np

from qagrel.kernels.buffers import activities, signals
from qagrel.kernels.disturbances import disturb
from qagrel.kernels.elementary import exp, log
from qagrel.kernels.images import present
from qagrel.kernels.layout import CROSS_ENTROPY, Q_AGREL, SQUARED_ERROR, kernel, part
from qagrel.kernels.loops import change_layer, list_active, send_down, sum_inputs
from qagrel.kernels.optimizers import take_step


@kernel
def train_epoch(network, work, images, draws, payoffs, policy, rate, record):
    """Learn from the samples of ``draws.order``, batch by batch, a smaller last one included.

    The trials of a block go side by side through the five phases of the paper's Fig. 1, numbered
    as there.  What the output units send down does not depend on the prediction error, nor does
    this on the backward pass, so that one function starts phase 3 and does phase 4.
    """
    n_samples, is_plain = draws.order.size, work.velocity.size == 0
    for k in range((n_samples + work.batch - 1) // work.batch):
        start, stop = k * work.batch, min((k + 1) * work.batch, n_samples)
        for first in range(start, stop, work.block):
            n = min(work.block, stop - first)
            present(work, images, draws.order, first, n)
            forward(network, work, n)  # 1. feedforward pass
            select_actions(network, work, draws, first, n, policy)  # 2. action selection
            pay(work, draws, first, n, payoffs)
            if policy.rule == Q_AGREL:  # 4. prediction error; and what starts phase 3
                loss = receive_reward(network, work, n, record.loss[k])
            else:
                loss = receive_answer(network, work, n, record.loss[k], policy.loss)
            propagate_feedback(network, work, draws, first, n, policy)  # 3. backward pass
            modulate(network, work, n, (rate if is_plain else 1.0) / (stop - start))
            complete = is_plain and first + n == stop
            change_synapses(network, work, n, first > start, complete)  # 5. update
            record.loss[k] = loss
            count_choices(work, n, payoffs, record, k)
            if record.log.action.size > 0:
                log_trials(network, work, first, n, record.log)
        if not is_plain:
            take_step(network, work, policy, rate)


@kernel
def choose(network, work, images, order, choices):
    """choices[i] = the greedy action, the one of the largest Q-value, for sample order[i]."""
    output_layer = network.width.size - 1
    for first in range(0, order.size, work.block):
        n = min(work.block, order.size - first)
        present(work, images, order, first, n)
        forward(network, work, n)
        output = activities(network, work, output_layer)
        for b in range(n):
            choices[first + b] = best_action(output, b, network.width[output_layer])


@part
def count_choices(work, n, payoffs, record, k):
    """Count the choices by class and action, and in batch k the wrong ones and the rewards."""
    for b in range(n):
        target, chosen = work.target[b], work.chosen[b]
        record.confusion[target, chosen] += 1
        record.wrong[k] += not payoffs.right[target, chosen]
        record.reward[k] += work.reward[b]


@part
def log_trials(network, work, first, n, log):
    """Keep each trial's action, its reward, and the reward that was predicted, its Q-value q_s."""
    output = activities(network, work, network.width.size - 1)
    for b in range(n):
        log.action[first + b] = work.chosen[b]
        log.reward[first + b] = work.reward[b]
        log.value[first + b] = output[b, work.chosen[b]]


@part
def forward(network, work, n):
    """Weighted sums of the activities below, layer by layer (Eqs. 2, 4, 5); outputs are linear.

    Hidden units are rectified (ReLU, Eq. 3): those above threshold are listed as active, and their
    gate g_j is open.
    """
    output_layer = network.width.size - 1
    for layer in range(1, output_layer + 1):
        sum_inputs(network, work, layer, n)
        if layer < output_layer:
            list_active(network, work, layer, n)


@part
def select_actions(network, work, draws, first, n, policy):
    """Max-Boltzmann controller (Eq. 6): the greedy action, or with probability epsilon one drawn.

    It is drawn by the Boltzmann distribution over all actions, so that it may be the greedy one.
    Where epsilon is zero, as in error-backpropagation, every action is greedy.
    """
    n_actions = network.width[-1]
    output = activities(network, work, network.width.size - 1)
    for b in range(n):
        values, row = output, b
        if policy.novelty > 0:
            wish(output, b, n_actions, work, policy.novelty, first + b == 0)
            values, row = work.wish, 0
        if policy.epsilon > 0 and draws.explore[first + b] < policy.epsilon:
            uniform = draws.choose[first + b]
            work.chosen[b] = boltzmann_action(values, row, n_actions, policy.temperature, uniform)
        else:
            work.chosen[b] = best_action(values, row, n_actions)
        if policy.novelty > 0:
            work.waited[work.chosen[b]] = 0


@part
def wish(q, b, n_actions, work, novelty, is_first):
    """The values with what novelty adds: so much a trial since the action was last chosen.

    All actions wait from the first trial of an epoch on.
    """
    for action in range(n_actions):
        work.waited[action] = 0 if is_first else work.waited[action] + 1
        work.wish[0, action] = np.float64(q[b, action]) + novelty * work.waited[action]


@part
def best_action(q, b, n_actions):
    """Index of the largest of trial b's `n_actions` Q-values, the lowest index on a tie."""
    best = 0
    for action in range(1, n_actions):
        if q[b, action] > q[b, best]:
            best = action
    return best


@part
def boltzmann_action(q, b, n_actions, temperature, uniform):
    """Draw from P(l) = exp(q_l / T) / sum exp(q / T) (Eq. 6) by its cumulative distribution."""
    largest = q[b, best_action(q, b, n_actions)]
    total = 0.0
    for action in range(n_actions):
        total += exp(np.float64(q[b, action] - largest) / temperature)
    cumulative = 0.0
    for action in range(n_actions - 1):
        cumulative += exp(np.float64(q[b, action] - largest) / temperature)
        if uniform * total < cumulative:
            return action
    return n_actions - 1


@part
def pay(work, draws, first, n, payoffs):
    """The reward of each trial's action, given its class; with some probability swapped or omitted.

    In the paper the right action is rewarded with 1 and the others with 0 (r of Eq. 7), always.
    """
    for b in range(n):
        target, chosen = work.target[b], work.chosen[b]
        work.reward[b] = payoffs.reward[target, chosen]
        if payoffs.flip > 0 and draws.flip[first + b] < payoffs.flip:
            work.reward[b] = payoffs.swapped[target, chosen]
        if payoffs.omission > 0 and draws.omit[first + b] < payoffs.omission:
            work.reward[b] = 0.0


@part
def receive_reward(network, work, n, loss):
    """Q-AGREL: the selected unit sends one down, the others zero, and none an error (z of Eq. 8).

    The reward prediction error delta = r - q_s (Eq. 7) reaches all synapses alike, as a
    neuromodulator does.  Returns the loss with delta^2 / 2 of each trial added.
    """
    n_actions = network.width[-1]
    output = activities(network, work, network.width.size - 1)
    signal = signals(network, work, network.width.size - 1)
    for b in range(n):
        selected = work.chosen[b]
        for action in range(n_actions):
            signal[b, action] = action == selected
        work.modulator[b] = work.reward[b] - np.float64(output[b, selected])
        loss += 0.5 * (work.modulator[b] * work.modulator[b])
    return loss


@part
def receive_answer(network, work, n, loss, loss_code):
    """Error-backpropagation: each output sends minus its error down, target - q (Eq. 15).

    Where the loss is the cross-entropy, target - softmax(q).  No global factor modulates
    plasticity: it is 1.  Returns the loss with sum (q - target)^2 / 2, or the cross-entropy, of
    each trial added.
    """
    n_actions = network.width[-1]
    output = activities(network, work, network.width.size - 1)
    signal = signals(network, work, network.width.size - 1)
    for b in range(n):
        work.modulator[b] = 1.0
        target = work.target[b]
        if loss_code == CROSS_ENTROPY:
            log_total = softmax(output, b, n_actions, signal)
            loss += log_total - np.float64(output[b, target])
        for action in range(n_actions):
            answer = signal[b, action] if loss_code == CROSS_ENTROPY else output[b, action]
            signal[b, action] = (action == target) - answer
            if loss_code == SQUARED_ERROR:
                loss += 0.5 * np.float64(signal[b, action] * signal[b, action])
    return loss


@part
def softmax(q, b, n_actions, out):
    """out[b] = exp(q_l) / sum exp(q), in double precision inside; returns log(sum exp(q))."""
    largest = q[b, best_action(q, b, n_actions)]
    total = 0.0
    for action in range(n_actions):
        share = exp(np.float64(q[b, action] - largest))
        out[b, action] = share
        total += share
    for action in range(n_actions):
        out[b, action] = np.float64(out[b, action]) / total
    return log(total) + np.float64(largest)


@part
def propagate_feedback(network, work, draws, first, n, policy):
    """Feedback units of the hidden layers, fb_j = sum_k w'_kj g_k fb_k (Eqs. 10, 12, 14).

    What is kept of each is g_j fb_j: where the feedforward unit is silent, its gate is closed, the
    feedback unit passes nothing on and the synapses onto the unit do not change (Fig. 3).
    """
    for layer in range(network.width.size - 2, 0, -1):
        send_down(network, work, layer, n)
        disturb(network, work, layer, draws.noise, first, n, policy.noise)


@part
def modulate(network, work, n, rate):
    """Multiply each trial's signals by its delta, the learning rate and 1 / batch size."""
    for layer in range(1, network.width.size):
        signal = signals(network, work, layer)
        for b in range(n):
            factor = signal.dtype.type(rate * work.modulator[b])
            for column in range(signal.shape[1]):
                signal[b, column] *= factor


@part
def change_synapses(network, work, n, begun, complete):
    """Change weights by the sum over the batch of pre * post * fb * delta (Eqs. 1, 8 to 13).

    Here pre is the activity of the presynaptic unit, post the gate of the postsynaptic one, fb its
    feedback; rate and batch size are in `modulate`.  Feedback weights, where they learn, change by
    the same amounts (Eq. 8).
    """
    for layer in range(1, network.width.size):
        change_layer(network, work, layer, n, begun, complete)
