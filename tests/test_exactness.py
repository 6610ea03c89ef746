"""The same specification gives the same bits: on every CPU, compiled or not, today and later.

`python tests/test_exactness.py` writes golden.json anew, after a change that is meant to change
the numbers.
"""

import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import pytest
from helpers import where_compiled

from qagrel import History, RunSpec, store, sweep, train
from qagrel.datasets import data_dir

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden.json"
RESULTS = TESTS.parent / "results" / "fingerprint.json"
AVX2 = {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt"}
AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
TARGETS: dict[str, set[str]] = {  # CPU names of LLVM, and what their code needs
    "generic": set(),
    "haswell": AVX2,
    "znver3": AVX2 | {"sse4a", "vaes", "vpclmulqdq"},
    "skylake-avx512": AVX2 | AVX512,
}

compiled_only = where_compiled("about compiled code, and nothing is compiled")


def python(program: str, *arguments: str, cwd: Path = TESTS.parent, **environment: str) -> Any:
    """What a program, run by a new interpreter, prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def digest(history: History) -> str:
    """One hash of all numbers of a run."""
    records = [history.rows, history.confusion.tolist(), history.test_accuracy]
    digest = hashlib.sha256(json.dumps(records).encode())
    for matrix in (*history.weights, *history.feedback_weights):
        digest.update(matrix.tobytes())
    return digest.hexdigest()


# --- CPU targets -----------------------------------------------------------------------------

FINGERPRINT = """
import json
from numba.core.registry import cpu_target
from qagrel import sweep
_, cpu, features = cpu_target.target_context.codegen().magic_tuple()
print(json.dumps([cpu, features, sweep.fingerprint("float32", *sweep.OPTIONS)]))
"""


def missing(target: str) -> set[str]:
    """What a target's code needs and this CPU lacks: it would crash."""
    host = {name for name, there in llvm.get_host_cpu_features().items() if there}
    return TARGETS[target] - host


@pytest.fixture(scope="module")
def fingerprints(request: pytest.FixtureRequest) -> dict[str, Any]:
    """CPU name, features and fingerprint by target, as new interpreters compile it, two at a time.

    Compiled code is kept between test sessions, in a folder a target: processes that write to
    one folder for different targets can take each other's code for their own.
    """
    assert request.config.cache is not None

    def run(target: str, folder: Path) -> Any:
        features = ",".join(f"+{name}" for name in sorted(TARGETS[target]))
        environment = {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": features}
        return python(FINGERPRINT, NUMBA_CACHE_DIR=str(folder), **environment)

    targets = [target for target in TARGETS if not missing(target)]
    folders = [request.config.cache.mkdir(f"numba-{target}") for target in targets]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(targets, pool.map(run, targets, folders), strict=True))


@compiled_only
@pytest.mark.parametrize("target", TARGETS)
def test_every_cpu_gives_the_bits_of_this_one(target: str, fingerprints: dict[str, Any]) -> None:
    """Every rule and option, compiled for other CPUs; this one's own code runs in other tests."""
    if target not in fingerprints:
        pytest.skip(f"this CPU lacks {', '.join(sorted(missing(target)))}")
    cpu, features, fingerprint = fingerprints[target]
    assert cpu == target
    assert set(features.replace("+", "").split(",")) - {""} == TARGETS[target]
    assert fingerprint == sweep.fingerprint("float32", *sweep.OPTIONS)


# --- compiled or not -------------------------------------------------------------------------

SMALL_RUNS = """
import json, sys
sys.path.insert(0, "tests")
from test_exactness import small_runs
print(json.dumps(small_runs(sys.argv[1], sys.argv[2])))
"""


def small_runs(folder: str, precision: str) -> dict[str, str]:
    """Hashes of a few epochs by every rule, of what is quick where nothing is compiled."""
    base = RunSpec(
        dataset=folder,
        precision=precision,
        hidden=(9, 17),
        batch_size=7,
        max_epochs=3,
        validation_size=8,
        validation_every=2,
        epsilon=0.5,
        temperature=0.3,
        weight_range=0.5,
        learning_rate=0.1,
    )
    changes: dict[str, dict[str, Any]] = {
        f"{rule}, {loss}, {feedback}": {"rule": rule, "loss": loss, "feedback": feedback}
        for rule, loss in (
            ("q-agrel", "cross-entropy"),
            ("error-bp", "cross-entropy"),
            ("error-bp", "squared-error"),
        )
        for feedback in ("symmetric", "learned", "fixed")
    }
    changes["trial by trial"] = {"batch_size": 1, "hidden": (130,), "feedback": "learned"}
    payoff = ((1.0, 0.25), (0.0, -1.0), (0.1, 0.3))
    changes["distortion"] = {"distortion": "affine", "feedback": "learned"}
    changes["rewards"] = {"payoff": payoff, "reward_flip": 0.3, "reward_omission": 0.2}
    changes["tanh, adam, noise"] = {
        **{"activation": "tanh", "optimizer": "adam", "learning_rate": 0.01},
        **{"feedback": "learned", "feedback_noise": 0.5},
    }
    changes["leaky ReLU, momentum, correlation"] = {
        **{"activation": "leaky-relu", "optimizer": "momentum", "rule": "error-bp"},
        **{"feedback": "fixed", "feedback_correlation": 0.5},
    }
    changes["values"] = {"initial_q": 0.5, "novelty": 100.0, "feedback_silenced": 0.5}
    return {name: digest(train(base.replace(**change))) for name, change in changes.items()}


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_plain_python_gives_the_bits_of_compiled_code(
    precision: str, idx_folder: Callable[..., Path]
) -> None:
    folder = str(idx_folder(image_shape=(5, 5)))
    other = "0" if numba.config.DISABLE_JIT else "1"
    elsewhere = python(SMALL_RUNS, folder, precision, NUMBA_DISABLE_JIT=other)
    assert elsewhere == small_runs(folder, precision)


# --- golden numbers --------------------------------------------------------------------------


def golden_digits() -> str:
    """A few epochs of digits, by learned feedback."""
    spec = RunSpec(
        dataset="digits",
        feedback="learned",
        batch_size=10,
        max_epochs=4,
        validation_size=100,
        validation_every=2,
        drop_epoch=3,
    )
    return digest(train(spec))


def golden_mnist() -> str:
    """A hundred batches of MNIST, by symmetric feedback, and all its other images judged."""
    spec = RunSpec(dataset="mnist", max_epochs=1, validation_size=50_000, validation_every=1)
    return digest(train(spec))


@compiled_only
def test_the_fingerprint_is_that_of_the_results() -> None:
    assert sweep.fingerprint() == store.read_json(RESULTS)["fingerprint"]


@compiled_only
def test_the_golden_digits() -> None:
    assert golden_digits() == store.read_json(GOLDEN)["digits"]


@compiled_only
@pytest.mark.mnist
@pytest.mark.skipif(
    not (data_dir() / "mnist").is_dir(),
    reason="there is no folder mnist in data/, nor in QAGREL_DATA_DIR",
)
def test_the_golden_mnist() -> None:
    assert golden_mnist() == store.read_json(GOLDEN)["mnist"]


if __name__ == "__main__":
    store.write_json(GOLDEN, {"digits": golden_digits(), "mnist": golden_mnist()})
