"""How sure a figure of a run is: the block bootstrap, over stretches of the run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from random import Random
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pacemark.results.digest import Digest
from pacemark.results.statistics import percentile, rank, samples_beyond
from pacemark.workloads.objective import Basis

Numbers = NDArray[np.float64]
"""Whole numbers are exact in it up to 2^53."""

REPLICATES = 1000
SEED = 20260130
"""The same samples give the same interval, every time."""
CONFIDENCE = 95
"""Percent."""
LEAST_BEYOND = 5
"""Samples beyond a percentile on each side: with fewer a resample hardly moves it, and would seem sure."""
LEAST_UNITS = 8
"""Stretches of the run: fewer cannot tell how much one differs from another."""
MOST_UNITS = 120
RESOLUTION_MS = 1
"""JMeter records whole milliseconds, so a difference of two may be off by almost one, either way."""
_AT_ONCE = 100


@dataclass(frozen=True)
class Stretches:
    """A window in units of whole slices, of which resamples are drawn. Units are rows."""

    ms: NDArray[np.int64]
    """The latencies that were recorded, rising."""
    up_to: Numbers
    """By unit and latency: samples that took no longer."""

    @classmethod
    def of(cls, digest: Digest, basis: Basis = "elapsed") -> Self:
        """The samples of a digest whose latency is known."""
        units, _ = units_of(digest)
        cells = digest.cells.select(unit_of(digest), ms=pl.col(f"{basis}_ms").cast(pl.Int64), count="count")
        cells = cells.drop_nulls("ms").group_by("unit", "ms").agg(pl.col("count").sum())
        ms, column = np.unique(cells["ms"].to_numpy(), return_inverse=True)
        counts = np.zeros((units, len(ms)))
        counts[cells["unit"].to_numpy(), column] = cells["count"].to_numpy()
        return cls(ms, counts.cumsum(axis=1))

    def percentiles(self, resamples: Numbers, percents: Sequence[str]) -> dict[str, Numbers]:
        """Exact nearest-rank percentiles, one a resample; not a number where that drew no sample."""
        parts: dict[str, list[Numbers]] = {percent: [] for percent in percents}
        for start in range(0, len(resamples), _AT_ONCE):
            up_to = resamples[start : start + _AT_ONCE] @ self.up_to
            every = up_to[:, -1:] if len(self.ms) else np.zeros((len(up_to), 1))
            for percent in percents:
                parts[percent].append(self._at(up_to, every, percent))
        return {percent: np.concatenate(values) for percent, values in parts.items()}

    def _at(self, up_to: Numbers, every: Numbers, percent: str) -> Numbers:
        if not len(self.ms):
            return np.full(len(up_to), np.nan)
        share = Fraction(percent) / 100
        reached = up_to * share.denominator >= every * share.numerator
        return np.where(every[:, 0] > 0, self.ms[reached.argmax(axis=1)], np.nan)


@dataclass(frozen=True)
class Added:
    """What one side takes longer than the other at a percentile, milliseconds of ``elapsed``.

    The interval is None where there is too little to have one; then the figures are only what was seen.
    """

    before_ms: int
    after_ms: int
    low_ms: int | None = None
    high_ms: int | None = None

    @property
    def added_ms(self) -> int:
        return self.after_ms - self.before_ms


def added(before: Digest, after: Digest, percents: Sequence[str]) -> dict[str, Added | None]:
    """By percentile, how much longer ``after`` takes than ``before``, with a 95 % interval; None without
    samples on either side.

    Both are labels of one run over the same window, interleaved, so a second that is slow for one is slow for
    the other: each resample takes the same stretches of the run for both. The percentile interval of
    ``REPLICATES`` resamples of a circular block bootstrap, and ``RESOLUTION_MS`` on either side.
    """
    found: dict[str, Added | None] = {}
    for percent in percents:
        low, high = percentile(before, percent), percentile(after, percent)
        found[percent] = None if low is None or high is None else Added(low, high)
    sure = [
        percent
        for percent in percents
        if all(samples_beyond(side.count, percent) >= LEAST_BEYOND for side in (before, after))
    ]
    units, _ = units_of(before)
    if units < LEAST_UNITS or not sure:
        return found
    drawn = resamples(units)
    lower, higher = (Stretches.of(side).percentiles(drawn, sure) for side in (before, after))
    for percent in sure:
        values = np.sort(higher[percent] - lower[percent])
        seen = found[percent]
        if seen is not None and not np.isnan(values).any():
            tail = Fraction(100 - CONFIDENCE, 2)
            low, high = (int(values[rank(len(values), str(float(p))) - 1]) for p in (tail, 100 - tail))
            found[percent] = Added(seen.before_ms, seen.after_ms, low - RESOLUTION_MS, high + RESOLUTION_MS)
    return found


def units_of(digest: Digest) -> tuple[int, int]:
    """In how many units the window is divided, and how many slices one has; the last may have fewer."""
    first = int(digest.window.from_s // digest.slice_s)
    slices = max(1, math.ceil(round(digest.window.to_s / digest.slice_s - first, 6)))
    width = math.ceil(slices / MOST_UNITS)
    return math.ceil(slices / width), width


def unit_of(digest: Digest) -> pl.Expr:
    """The unit that a cell belongs to."""
    first = int(digest.window.from_s // digest.slice_s)
    units, width = units_of(digest)
    return ((pl.col("slice") - first) // width).clip(0, units - 1).alias("unit")


def block_length(units: int) -> int:
    """Units that stay together, so that what lasts for some seconds does: ceil(n^(1/3)), the order of Hall,
    Horowitz & Jing 1995 (doi:10.1093/biomet/82.3.561)."""
    return math.ceil(round(math.cbrt(units), 9))


@cache
def resamples(units: int) -> Numbers:
    """How often each unit (column) stands in each resample (row): blocks from anywhere, the end joined to
    the start (Politis & Romano 1992, "A circular block-resampling procedure for stationary data")."""
    chance = Random(SEED)  # noqa: S311  (resampling, not a secret)
    length = block_length(units)
    blocks = math.ceil(units / length)
    starts = np.array([[chance.randrange(units) for _ in range(blocks)] for _ in range(REPLICATES)])
    drawn = ((starts[:, :, None] + np.arange(length)) % units).reshape(REPLICATES, -1)[:, :units]
    times = np.zeros((REPLICATES, units))
    np.add.at(times, (np.arange(REPLICATES)[:, None], drawn), 1)
    times.flags.writeable = False
    return times
