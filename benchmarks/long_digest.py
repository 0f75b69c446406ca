"""A digest of hours or days of ten labels at 2,000 requests a second, made without its samples."""

import math
from statistics import NormalDist

import polars as pl

from pacemark.results.cells import CELL_SCHEMA, SUM_SCHEMA, add_cells, add_sums
from pacemark.results.digest import Digest
from pacemark.results.record import Window

RATE_PER_S, LABELS, MEDIAN_MS, SIGMA = 2000, 10, 150, 0.6
START_MS = 1_769_767_200_000
NAMES = [f"GET /resource-{number}" for number in range(LABELS)]


def digest_of(seconds: int, slice_s: int) -> Digest:
    """Lognormal latencies as whole counts, rounded by chance, every second one late by 1 ms."""
    normal = NormalDist(math.log(MEDIAN_MS), SIGMA)
    shares = [normal.cdf(math.log(ms + 0.5)) - normal.cdf(math.log(ms - 0.5)) for ms in range(1, 4000)]
    kinds = pl.DataFrame({"elapsed_ms": range(1, 4000), "share": shares})
    labels = pl.DataFrame({"label": NAMES})
    parts = [_cells(slices, slice_s, kinds, labels) for slices in _stretches(seconds // slice_s)]
    cells, window = add_cells(parts), Window(from_s=0, to_s=seconds)
    return Digest(
        cells=cells,
        sums=_sums(cells),
        start_ms=START_MS,
        end_ms=START_MS + 1000 * seconds,
        slice_s=slice_s,
        window=window,
        seconds=seconds,
    )


def _stretches(slices: int) -> list[range]:
    return [range(first, min(first + 60, slices)) for first in range(0, slices, 60)]


def _cells(slices: range, slice_s: int, kinds: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    every = pl.DataFrame({"slice": slices}).join(labels, how="cross").join(kinds, how="cross")
    chance = pl.struct("slice", "label", "elapsed_ms").hash(7) / 2.0**64
    count = (pl.col("share") * (RATE_PER_S / LABELS * slice_s) + chance).floor()
    cells = every.with_columns(count=count).filter(pl.col("count") > 0)
    cells = cells.with_columns(
        outcome=pl.lit("ok"),
        response_ms=pl.col("elapsed_ms") + (pl.col("elapsed_ms") % 2),
        waited=pl.lit(1),
    )
    return cells.select(pl.col(name).cast(kind) for name, kind in CELL_SCHEMA.items())


def _sums(cells: pl.DataFrame) -> pl.DataFrame:
    by_label = cells.group_by("slice", "label", "outcome").agg(bytes=pl.col("count").sum() * 350)
    sums = by_label.with_columns(new_connections=pl.lit(0), all_threads=pl.lit(400))
    return add_sums([sums.select(pl.col(name).cast(kind) for name, kind in SUM_SCHEMA.items())])
