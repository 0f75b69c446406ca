"""How sure a difference of percentiles is: the block bootstrap, over stretches of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.statistics import percentile, rank, samples_beyond

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
    the other: each resample takes the same stretches of the run for both. Circular block bootstrap (Politis &
    Romano 1992, "A circular block-resampling procedure for stationary data"): blocks of neighbouring units,
    ceil(n^(1/3)) long (the order of Hall, Horowitz & Jing 1995, doi:10.1093/biomet/82.3.561), so that what
    lasts for some seconds stays together; the percentile interval of ``REPLICATES`` resamples, and
    ``RESOLUTION_MS`` on either side.
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
    units, width = _units(before)
    if units < LEAST_UNITS or not sure:
        return found
    differences = _resampled(before, after, units, width, sure)
    for percent in sure:
        values = sorted(differences[percent].drop_nulls())
        seen = found[percent]
        if seen is not None and len(values) == REPLICATES:
            tail = Fraction(100 - CONFIDENCE, 2)
            low, high = (values[rank(len(values), str(float(p))) - 1] for p in (tail, 100 - tail))
            found[percent] = Added(seen.before_ms, seen.after_ms, low - RESOLUTION_MS, high + RESOLUTION_MS)
    return found


def _units(digest: Digest) -> tuple[int, int]:
    """In how many units the window is divided, and how many slices one has; the last may have fewer."""
    first = int(digest.window.from_s // digest.slice_s)
    slices = max(1, math.ceil(round(digest.window.to_s / digest.slice_s - first, 6)))
    width = math.ceil(slices / MOST_UNITS)
    return math.ceil(slices / width), width


def _resampled(
    before: Digest, after: Digest, units: int, width: int, percents: Sequence[str]
) -> pl.DataFrame:
    """A column for each percentile, a row for each resample: its difference."""
    chance = Random(SEED)  # noqa: S311  (resampling, not a secret)
    first = int(before.window.from_s // before.slice_s)
    sides = [_counts(side, first, width) for side in (before, after)]
    parts = []
    for start in range(0, REPLICATES, _AT_ONCE):
        weights = _weights(chance, units, range(start, min(start + _AT_ONCE, REPLICATES)))
        low, high = (_percentiles(side, weights, percents) for side in sides)
        both = low.join(high, on="replicate", suffix="_after")
        parts.append(both.select((pl.col(f"{p}_after") - pl.col(p)).alias(p) for p in percents))
    return pl.concat(parts)


def _counts(digest: Digest, first: int, width: int) -> pl.DataFrame:
    cells = digest.cells.select(
        unit=(pl.col("slice") - first) // width, ms=pl.col("elapsed_ms").cast(pl.Int64), count="count"
    )
    return cells.group_by("unit", "ms").agg(pl.col("count").sum())


def _weights(chance: Random, units: int, replicates: range) -> pl.DataFrame:
    """How often each unit stands in each resample: blocks from anywhere, the end joined to the start."""
    length = math.ceil(round(units ** (1 / 3), 9))
    rows = []
    for replicate in replicates:
        times = [0] * units
        for drawn in range(math.ceil(units / length)):
            start = chance.randrange(units)
            for step in range(min(length, units - drawn * length)):
                times[(start + step) % units] += 1
        rows += [(replicate, unit, n) for unit, n in enumerate(times) if n]
    schema = {"replicate": pl.Int32, "unit": pl.Int32, "times": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _percentiles(counts: pl.DataFrame, weights: pl.DataFrame, percents: Sequence[str]) -> pl.DataFrame:
    """Nearest-rank percentiles of each resample, in whole-number arithmetic."""
    drawn = weights.join(counts, on="unit").group_by("replicate", "ms")
    table = drawn.agg((pl.col("times") * pl.col("count")).sum().alias("count")).sort("replicate", "ms")
    up_to, every = pl.col("count").cum_sum(), pl.col("count").sum()

    def at(percent: str) -> pl.Expr:
        share = Fraction(percent) / 100
        return pl.col("ms").filter(up_to * share.denominator >= every * share.numerator).first()

    return table.group_by("replicate", maintain_order=True).agg(at(p).alias(p) for p in percents)
