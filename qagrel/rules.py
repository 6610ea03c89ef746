"""Learning rules, feedback regimes and losses by name, each with its meaning in a paragraph.

The position of a name is its integer code in `qagrel.kernels`.
"""

RULES = {
    "q-agrel": (
        "Trial and error: a max-Boltzmann controller picks one output unit (Eq. 6), which sends "
        "feedback down; a reward prediction error (Eq. 7), seen by all synapses, times the local "
        "feedback changes them (Eqs. 8-14). Only the value of the selected action is trained."
    ),
    "error-bp": (
        "Supervised error-backpropagation (Eqs. 15-18): a teacher gives the answer, and the "
        "errors of all output units travel down through the feedback weights."
    ),
}

LEARN_BY_REWARD = frozenset({"q-agrel"})  # the rules that explore, and whose epochs have a reward

FEEDBACKS = {
    "symmetric": "Feedback weights are the feedforward weights themselves (strict reciprocity).",
    "learned": (
        "Feedback weights start independently and change by the same amounts as the feedforward "
        "weights that they reciprocate (Eqs. 8-14: random feedback learning)."
    ),
    "fixed": "Feedback weights start independently and never change (feedback alignment).",
}

LOSSES = {
    "cross-entropy": "Softmax on the outputs and the negative log-likelihood of the true class.",
    "squared-error": "Half the summed squared error of the linear outputs (Eqs. 15-18).",
}

ACTIVATIONS = {
    "relu": "Nothing below threshold, the net input above it (Eq. 3).",
    "leaky-relu": "The same, and a hundredth of the net input below threshold.",
    "tanh": "1.7159 tanh(2 a / 3) of the net input a: the sigmoid of LeCun et al. (1998).",
}

OPTIMIZERS = {
    "sgd": "A batch moves the weights by the learning rate times its mean change (Eq. 8).",
    "momentum": "By the learning rate times a velocity, which decays and takes up the mean change.",
    "adam": "By the learning rate times a mean of changes over the root of that of their squares.",
}
