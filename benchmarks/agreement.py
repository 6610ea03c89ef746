"""Does a contender learn the same?  From the same start, with the same random numbers."""

from typing import Any

import numpy as np

from benchmarks.peers import load
from benchmarks.peers.ours import Ours
from benchmarks.problem import Contender, Problem, make_problem
from qagrel.network import Floats
from qagrel.spec import RunSpec

TOLERANCE = 1e-9  # distance in double precision
ERROR_TOLERANCE = 0.02  # difference in the share of wrong choices in single precision


def distance(first: list[Floats], second: list[Floats], start: list[Floats]) -> float:
    """How far two sets of weights are apart, as a share of the way that the first has come."""
    apart = sum(np.square(a - b).sum() for a, b in zip(first, second, strict=True))
    way = sum(np.square(a - s).sum() for a, s in zip(first, start, strict=True))
    return float(np.sqrt(apart / way))


def compare(name: str, spec: RunSpec, n_samples: int, n_epochs: int = 2) -> dict[str, Any]:
    """Train a contender and qagrel alike; the rules' every detail shows in double precision.

    In single precision, sums in another order differ in the last bits; sooner or later that
    turns one of a network's choices, and from then on it is another run of the same experiment,
    equal in accuracy only.
    """
    answer: dict[str, Any] = {"contender": name, "spec": spec.model_dump(mode="json")}
    for precision in ("float64", "float32"):
        problem = make_problem(spec.replace(precision=precision))
        ours, peer = Ours(problem), load(name)(problem)
        errors = [_errors(contender, problem, n_samples, n_epochs) for contender in (ours, peer)]
        apart = distance(ours.weights(), peer.weights(), problem.weights)
        answer[precision] = {"error": errors[0], "peer_error": errors[1], "distance": apart}
    same = answer["float64"]["distance"] < TOLERANCE
    alike = abs(answer["float32"]["error"] - answer["float32"]["peer_error"]) < ERROR_TOLERANCE
    return answer | {"agrees": same and alike}


def _errors(contender: Contender, problem: Problem, n_samples: int, n_epochs: int) -> float:
    """Share of wrong choices in the last of some epochs."""
    for epoch in range(n_epochs):
        wrong = contender.epoch(problem.draws(epoch, n_samples))
    return wrong / n_samples
