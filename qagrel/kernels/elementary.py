"""Elementary functions in plain arithmetic: libraries differ in the last bit."""

import math

import numpy as np

from qagrel.kernels.layout import part

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_POWERS_OF_TWO = np.array([2.0**e if e >= -1074 else 0.0 for e in range(-1075, 1)])
_EXP_SERIES = tuple(1.0 / math.factorial(k) for k in range(13, -1, -1))


@part
def exp(x):
    """E to the power x for x <= 0, in double precision; 0 for what is not a number.

    x = k log 2 + r with |r| <= log(2) / 2; a Taylor series for e^r.
    """
    if not -745.2 < x <= 0.0:
        return 0.0
    k = int(x * 1.4426950408889634 - 0.5)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    series = 0.0
    for coefficient in _EXP_SERIES:
        series = series * r + coefficient
    return series * _POWERS_OF_TWO[k + 1075]


@part
def log(x):
    """Natural logarithm of x >= 1, in double precision: halve into [1, 2), then 2 artanh."""
    halvings = 0
    while 2.0 <= x < np.inf:
        x *= 0.5
        halvings += 1
    if x > 1.4142135623730951:
        x *= 0.5
        halvings += 1
    z = (x - 1.0) / (x + 1.0)
    series = 0.0
    for k in range(21, -1, -2):
        series = series * z * z + 1.0 / k
    return 2.0 * z * series + halvings * 0.6931471805599453


@part
def arccos(c):
    """Angle in radians whose cosine is c, by arccos(c) = 2 arctan(sqrt((1 - c) / (1 + c)))."""
    if c <= -1.0:
        return math.pi
    c = min(c, 1.0)
    return 2.0 * arctan(math.sqrt((1.0 - c) / (1.0 + c)))


@part
def arctan(x):
    """Arc tangent of x >= 0 in double precision: halve the angle three times, then a series."""
    inverse = x > 1.0
    if inverse:
        x = 1.0 / x
    for _ in range(3):
        x = x / (1.0 + math.sqrt(1.0 + x * x))
    series = 0.0
    for k in range(19, -1, -1):
        series = 1.0 / (2 * k + 1) - series * x * x
    angle = 8.0 * x * series
    return 1.5707963267948966 - angle if inverse else angle
