"""Elementary functions against NumPy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from problems import strict

from qagrel.kernels import elementary


def mapping(function: Callable[[float], float]) -> Callable[[Any, Any], None]:
    """A compiled loop that calls a function for each number of an array."""

    @strict
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return loop


map_exp, map_log = mapping(elementary.exp), mapping(elementary.log)
map_arctan, map_arccos = mapping(elementary.arctan), mapping(elementary.arccos)


def mapped(function: Callable[[Any, Any], None], x: Any) -> Any:
    """A compiled function's values; plain NumPy numbers would warn where compiled ones do not."""
    out = np.full(x.size, np.nan)
    with np.errstate(all="ignore"):
        function(x, out)
    return out


def assert_close(ours: Any, numpys: Any, units: float) -> None:
    """Within so many units in the last place of NumPy's value."""
    off = np.abs(ours - numpys) / np.spacing(np.abs(numpys))
    assert off.max() <= units, f"{off.max()} units, at {off.argmax()}"


def test_exp_of_the_whole_range() -> None:
    """Down to the smallest denormal number, at -745.13, and beyond, where it is zero."""
    near_zero = -np.geomspace(1e-300, 1, 301)
    x = np.concatenate([np.linspace(-750, 0, 5001), near_zero, np.linspace(-746, -744, 201)])
    assert_close(mapped(map_exp, x), np.exp(x), units=1)


def test_exp_where_it_is_exact() -> None:
    x = np.array([0.0, -0.0, -746.0, -1e308, -math.inf, math.nan])
    assert mapped(map_exp, x).tolist() == [1, 1, 0, 0, 0, 0]


def test_log_of_the_whole_range() -> None:
    near_one = 1 + np.geomspace(2.0**-52, 1, 300)
    x = np.concatenate([np.geomspace(1, 1e308, 1001), near_one])
    np.testing.assert_allclose(mapped(map_log, x), np.log(x), rtol=1e-15, atol=1e-15)


def test_log_of_powers_of_two() -> None:
    x = 2.0 ** np.arange(0, 1024, 33)
    np.testing.assert_allclose(mapped(map_log, x), np.log(x), rtol=3e-16)
    assert mapped(map_log, np.ones(1)) == 0


def test_arctan_of_the_whole_range() -> None:
    x = np.concatenate([np.geomspace(1e-300, 1e300, 601), np.linspace(0, 5, 501), [math.inf]])
    np.testing.assert_allclose(mapped(map_arctan, x), np.arctan(x), rtol=1e-15)


def test_arccos_of_the_whole_range() -> None:
    x = np.concatenate([np.linspace(-1, 1, 1001), 1 - np.geomspace(1e-16, 1, 100)])
    np.testing.assert_allclose(mapped(map_arccos, x), np.arccos(x), rtol=2e-15)


def test_arccos_of_cosines_that_rounding_took_beyond_one() -> None:
    assert mapped(map_arccos, np.array([1 + 1e-15, -1 - 1e-15])).tolist() == [0, np.pi]
