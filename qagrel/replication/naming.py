"""Settings of studies, and numbers, as a reader has them."""

import re

READABLE = {
    "q-agrel": "Q-AGREL",
    "error-bp": "error-BP",
    "neither": "the paper's rule",
    "initial-q": "initial Q",
    "relu": "ReLU",
    "leaky-relu": "leaky ReLU",
    "sgd": "SGD",
    "adam": "Adam",
    "affine": "distorted",
}


def named(run: str) -> str:
    """The name of a setting: `initial-q 0.5` is *initial Q 0.5*."""
    run = run.replace(", none", "")
    for code, name in READABLE.items():
        run = re.sub(rf"(?<![\w-]){code}(?![\w-])", name, run)
    return run


def written(value: float, form: str) -> str:
    """A number in a text: with a minus sign that is one, and none before a zero."""
    text = f"{value:{form}}"
    return text.lstrip("+-") if text.strip("+-0.") == "" else text.replace("-", "−")
