"""Write data.js, from which the page learns: the digits, a run, and its random streams.

``python docs/teacher/make_data.py`` writes it anew; a test compares.
"""

import json
from pathlib import Path

import numpy as np

import qagrel
from qagrel.dataset import Dataset

SPEC = qagrel.RunSpec(
    dataset="digits",
    hidden=(16, 16),
    learning_rate=0.05,
    batch_size=1,
    max_epochs=1,
    weight_range=0.3,
    feedback_range=0.3,
    validation_size=0,
    stop_checks=0,
    drop_factor=1.0,  # the rate stays what it is, however long a reader plays
)
NAMES = ("hidden", "learning_rate", "epsilon", "weight_range", "feedback_range", "seed")
STREAMS = ("forward", "feedback", "orders", "exploration")  # in the order of `qagrel.train`
LEVELS = np.array([*"0123456789abcdefg"])


def content(spec: qagrel.RunSpec, dataset: Dataset) -> str:
    """The text of data.js.

    A pixel is a digit in base 17, an image 64 of them; a stream is the state and the increment of
    a PCG64.
    """
    states = [
        np.random.default_rng(seed).bit_generator.state["state"]
        for seed in np.random.SeedSequence(spec.seed).spawn(len(STREAMS))
    ]
    data = {
        "spec": {name: getattr(spec, name) for name in NAMES},
        "streams": {
            name: [str(state["state"]), str(state["inc"])]
            for name, state in zip(STREAMS, states, strict=True)
        },
        "labels": "".join(map(str, dataset.train_labels)),
        "images": "".join(LEVELS[dataset.train_images.ravel()]),
    }
    made_by = "// Made by docs/teacher/make_data.py; the images are those of scikit-learn's digits."
    return f"{made_by}\nconst DATA = {json.dumps(data, indent=1)};\n"


if __name__ == "__main__":
    path = Path(__file__).with_name("data.js")
    path.write_text(content(SPEC, qagrel.load_dataset("digits")), newline="\n")
