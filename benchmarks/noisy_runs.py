"""Runs as a gateway leaves them, made up: bursty and correlated within a run, an offset from run to run."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from pacemark.results.cells import CELL_SCHEMA
from pacemark.results.digest import Digest
from pacemark.results.outcomes import OK
from pacemark.results.record import Window


@dataclass(frozen=True)
class Gateway:
    """Lognormal latencies whose level sways from second to second, jumps in bursts, and differs by run.

    Deviations are of the logarithm of the latency: 0.06 is 6 %. The sizes are measured: see compare.py.
    """

    median_ms: float = 20
    sigma: float = 0.5
    offset: float = 0.06
    """Of the whole of a run against another."""
    tail: float = 0
    """Of ``sigma`` of a run against another's: runs differ more at P99 than at P50."""
    sway: float = 0.14
    """Of a second against another, as long as no burst is."""
    keeps: float = 0.5
    """Correlation of a second's level with that of the second before it."""
    bursts_per_min: float = 1.0
    burst_s: float = 1.3
    """How long one lasts in the mean; its end is as likely in any second."""
    burst_factor: float = 2.4

    def slower(self, factor: float) -> Self:
        """The same, all latencies multiplied."""
        return type(self)(**{**self.__dict__, "median_ms": self.median_ms * factor})

    def run(
        self, chance: np.random.Generator, *, seconds: int = 60, rate: int = 200, labels: int = 1
    ) -> Digest:
        """A run of so many requests a second, spread evenly over labels that share its level."""
        level = chance.normal(0, self.offset) + self._levels(chance, seconds)
        second = np.repeat(np.arange(seconds), rate)
        sigma = max(0.0, self.sigma + chance.normal(0, self.tail)) if self.tail else self.sigma
        elapsed = self.median_ms * np.exp(level[second] + chance.normal(0, sigma, len(second)))
        samples = pl.DataFrame(
            {
                "slice": second,
                "label": np.arange(len(second)) % labels,
                "elapsed_ms": elapsed.astype(np.int64),
            }
        )
        return _digest(samples, seconds)

    def _levels(self, chance: np.random.Generator, seconds: int) -> np.ndarray:
        fresh = chance.normal(0, self.sway, seconds)
        levels = np.empty(seconds)
        levels[0] = fresh[0]
        for second in range(1, seconds):
            levels[second] = self.keeps * levels[second - 1] + (1 - self.keeps**2) ** 0.5 * fresh[second]
        return levels + np.log(self.burst_factor) * self._in_burst(chance, seconds)

    def _in_burst(self, chance: np.random.Generator, seconds: int) -> np.ndarray:
        inside = np.zeros(seconds)
        for start in np.flatnonzero(chance.random(seconds) < self.bursts_per_min / 60):
            inside[start : start + chance.geometric(1 / self.burst_s)] = 1
        return inside


def _digest(samples: pl.DataFrame, seconds: int) -> Digest:
    counted = samples.group_by("slice", "label", "elapsed_ms").agg(count=pl.len())
    label = pl.format("GET /{}", "label")
    cells = counted.with_columns(label=label, outcome=pl.lit(OK), response_ms=None, waited=None).select(
        pl.col(name).cast(kind) for name, kind in CELL_SCHEMA.items()
    )
    return Digest(
        cells=cells.sort(list(CELL_SCHEMA)[:-1]),
        start_ms=0,
        end_ms=seconds * 1000,
        slice_s=1,
        window=Window(from_s=0, to_s=seconds),
        seconds=seconds,
    )
