"""Where a series of figures changed for good: E-divisive means, with a t-test, as in Apache Otava.

The divisive search is that of Matteson & James 2014 (doi:10.1080/01621459.2013.849605). Student's t instead
of its permutations, weak points first and their merging afterwards are Hunter's, now Apache Otava (Fleming,
Kołaczkowski et al. 2023, doi:10.1145/3578244.3583719), whose windows and levels these are. Otava itself wants
clients of BigQuery, Slack and PostgreSQL beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pacemark.results.student import cdf

WINDOW = 50
"""Points that are searched at a time: a change stays found, however long the series grows."""
LEVEL = 0.001
"""The t-test's p that a change point must stay below; a weak one ten times that."""
_WEAK = 10 * LEVEL

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ChangePoint:
    """From ``index`` on the figures are others: their means on both sides, up to the next change points."""

    index: int
    before: float
    after: float
    p: float


def change_points(values: Sequence[float], *, least: float = 0.0) -> list[ChangePoint]:
    """The points at which a series changed by more than ``least``, in the values' unit, in their order."""
    series = np.asarray(values, dtype=float)
    points = _weak_points(series)
    while points:
        found = _tested(series, points)
        doubtful = max(found, key=lambda point: point.p)
        smallest = min(found, key=lambda point: abs(point.after - point.before))
        if doubtful.p < LEVEL and abs(smallest.after - smallest.before) > least:
            return found
        points.remove((doubtful if doubtful.p >= LEVEL else smallest).index)
    return []


def _weak_points(series: Numbers) -> list[int]:
    """Candidates from windows that overlap by half."""
    found: set[int] = set()
    start = 0
    while start < len(series):
        inside = [start + index for index in _divided(series[start : start + WINDOW])]
        found.update(inside)
        start = max(start + WINDOW // 2, max(inside, default=0))
    return sorted(found)


def _divided(series: Numbers) -> list[int]:
    """Divide at the likeliest point of all parts, again and again, while that is weakly significant."""
    points: list[int] = []
    while candidates := [
        (*_likeliest(series[start:end]), start)
        for start, end in _parts(points, len(series))
        if end - start > 1
    ]:
        _, offset, start = max(candidates)
        point = start + offset
        fresh = sorted([*points, point])
        if _tested(series, fresh)[fresh.index(point)].p >= _WEAK:
            break
        points = fresh
    return points


def _likeliest(part: Numbers) -> tuple[float, int]:
    """The largest divergence between two neighbouring stretches X and Y of a part, the first from its start,
    and where Y begins: mn/(m+n) (2 E|X-Y| - E|X-X'| - E|Y-Y'|), formulas 5 to 7 of Matteson & James."""
    distances = np.abs(part[:, None] - part[None, :])
    sums = np.zeros((len(part) + 1, len(part) + 1))
    sums[1:, 1:] = distances.cumsum(axis=0).cumsum(axis=1)
    best = (-math.inf, 1)
    for split in range(1, len(part)):
        ends = np.arange(split + 1, len(part) + 1)
        n, m = split, ends - split
        across = sums[split, ends] - sums[split, split]
        first = sums[split, split] / max(1, n * (n - 1))
        second = (sums[ends, ends] - 2 * sums[split, ends] + sums[split, split]) / np.maximum(1, m * (m - 1))
        divergence = float((m * n / (m + n) * (2 * across / (m * n) - first - second)).max())
        best = max(best, (divergence, split))
    return best


def _tested(series: Numbers, points: Sequence[int]) -> list[ChangePoint]:
    parts = [series[start:end] for start, end in _parts(points, len(series))]
    return [
        ChangePoint(point, float(before.mean()), float(after.mean()), _chance(before, after))
        for point, before, after in zip(points, parts, parts[1:], strict=False)
    ]


def _chance(before: Numbers, after: Numbers) -> float:
    """The p of Student's t-test on two samples of one variance."""
    degrees = len(before) + len(after) - 2
    if degrees < 1:
        return 1.0
    apart = abs(float(before.mean() - after.mean()))
    squares = float(((before - before.mean()) ** 2).sum() + ((after - after.mean()) ** 2).sum())
    error = math.sqrt(squares / degrees * (1 / len(before) + 1 / len(after)))
    if error == 0:
        return 0.0 if apart else 1.0
    return 2 * (1 - cdf(apart / error, degrees))


def _parts(points: Sequence[int], end: int) -> list[tuple[int, int]]:
    return list(pairwise([0, *points, end]))
