"""A trend that outliers do not bend, and where the true one lies although readings depend on one another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, median

LEAST_POINTS = 10
"""Fewer have no interval worth the name (Gilbert 1987, 16.4.2, gives tables below that)."""
_Z_99 = NormalDist().inv_cdf(0.995)
_Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Trend:
    """A straight line through points, and the steepest fall and rise that go with them at 99 % confidence.

    ``slope``, ``low`` and ``high`` are in units of y per unit of x; ``low`` and ``high`` may be infinite.
    """

    slope: float
    low: float
    high: float
    points: tuple[tuple[float, float], ...]

    def at(self, x: float, slope: float | None = None) -> float:
        """The line at ``x``; with ``slope``, the line of that slope that fits best."""
        steep = self.slope if slope is None else slope
        return median(y - steep * (at - x) for at, y in self.points)

    def growth(self, from_x: float, to_x: float) -> tuple[float, float, float] | None:
        """By how many percent of what it was at ``from_x`` the line has grown by ``to_x``: the best estimate
        and its interval. None where there was nothing to grow from."""
        if self.at(from_x) <= 0:
            return None
        best, low, high = (self._grown(slope, from_x, to_x) for slope in (self.slope, self.low, self.high))
        return best, low, high

    def _grown(self, slope: float, from_x: float, to_x: float) -> float:
        level = self.at(from_x, slope) if math.isfinite(slope) else 0.0
        # A rise so steep that it began with nothing is beyond any percentage.
        return 100 * slope * (to_x - from_x) / level if level > 0 else math.copysign(math.inf, slope)


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """The trend of points (x, y), sorted by x; None with fewer than ``LEAST_POINTS``.

    The slope is the median of those between any two points (Theil 1950; Sen 1968, doi
    10.1080/01621459.1968.10480934): up to 29 % of the points may be anything. Its interval is Sen's, between
    two of these slopes by the normal approximation of Kendall's S, whose variance n(n-1)(2n+5)/18 holds for
    independent points. It is multiplied by what the dependence of the points' ranks around the line costs
    (Hamed and Rao 1998, doi 10.1016/S0022-1694(97)00125-X, formula 13), where that is more than 1.
    """
    n = len(points)
    if n < LEAST_POINTS:
        return None
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
    slope = median(slopes)
    variance = n * (n - 1) * (2 * n + 5) / 18 * _dependence([y - slope * x for x, y in points])
    below = math.floor((len(slopes) - _Z_99 * math.sqrt(variance)) / 2)
    low, high = (slopes[below - 1], slopes[-below]) if below >= 1 else (-math.inf, math.inf)
    return Trend(slope, low, high, tuple(points))


def _dependence(residuals: Sequence[float]) -> float:
    """By what the variance of S grows as residuals resemble those before them; at least 1."""
    n = len(residuals)
    ranks = _ranks(residuals)
    mean = sum(ranks) / n
    spread = sum((rank - mean) ** 2 for rank in ranks)
    if not spread:
        return 1.0
    total = 0.0
    # Beyond a quarter of the points an autocorrelation is of too few pairs to be known.
    for lag in range(1, n // 4 + 1):
        pairs = zip(ranks, ranks[lag:], strict=False)
        correlation = sum((a - mean) * (b - mean) for a, b in pairs) / spread
        if abs(correlation) > _Z_95 / math.sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation
    return max(1.0, 1 + 2 * total / (n * (n - 1) * (n - 2)))


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, equal values sharing the mean of theirs."""
    order = sorted(values)
    first: dict[float, int] = {}
    for index, value in enumerate(order):
        first.setdefault(value, index)
    counts = {value: order.count(value) for value in first}
    return [first[value] + (counts[value] + 1) / 2 for value in values]
