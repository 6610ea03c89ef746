"""Q-AGREL with symmetric feedback, written in each framework as its users would.

Each contender is a class with the interface of `benchmarks.problem.Contender`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.problem import Contender

OURS = "qagrel"
AUTOGRAD, BY_HAND, JAX, NUMPY = "PyTorch autograd", "PyTorch by hand", "JAX", "NumPy"
KERAS = "TensorFlow (Keras)"

HOMES = {  # module of this package, class, and what must be installed
    OURS: ("ours", "Ours", "qagrel"),
    JAX: ("jax_peer", "JaxPeer", "jax"),
    NUMPY: ("numpy_peer", "NumpyPeer", "numpy"),
    BY_HAND: ("torch_peers", "TorchByHand", "torch"),
    AUTOGRAD: ("torch_peers", "TorchAutograd", "torch"),
    KERAS: ("keras_peer", "KerasPeer", "tensorflow"),
}


def missing(name: str) -> str | None:
    """Why a contender cannot run here, or None."""
    package = HOMES[name][2]
    return None if find_spec(package) else f"{package} is not installed"


def load(name: str) -> "type[Contender]":
    """The class of a contender."""
    module, contender, _ = HOMES[name]
    found: type[Contender] = getattr(import_module(f"benchmarks.peers.{module}"), contender)
    return found
