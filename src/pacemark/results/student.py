"""Student's t: how far the mean of a few values strays, measured by how much these values differ."""

import math
from functools import cache
from statistics import NormalDist

_TINY = 1e-300
_PRECISION = 1e-12


def cdf(t: float, degrees: float) -> float:
    """The share of Student's distribution below ``t``; ``degrees`` of freedom need not be whole.

    By the regularized incomplete beta function (NIST Handbook of Mathematical Functions 8.17.5).
    """
    tail = _beta_share(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
    return 1 - tail if t > 0 else tail


@cache
def quantile(share: float, degrees: float) -> float:
    """The ``t`` that this ``share`` of the distribution, above a half and below one, lies below."""
    low, high = 0.0, 1.0
    while cdf(high, degrees) < share:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle, degrees) < share else (low, middle)
    return high


def chi_square(share: float, degrees: float) -> float:
    """What this share of a chi-square distribution lies below, to a hundredth or so from 4 degrees of freedom
    on (Wilson & Hilferty 1931, doi:10.1073/pnas.17.12.684)."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(share) * math.sqrt(part)) ** 3)


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function; its continued fraction converges fast left of the mean."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_share(1 - x, b, a)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta)
    return front / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 8.17.22 of the same handbook, by Lentz's method."""
    value, c, d, step = 1.0, 1.0, 0.0, 0
    while True:
        step += 1
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1) < _PRECISION:
            return value
