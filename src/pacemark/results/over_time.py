"""Figures of a digest over time: counts, rates and exact percentiles in buckets of whole slices."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl

from pacemark.results.cells import add_sums, moved
from pacemark.results.digest import Digest
from pacemark.results.outcomes import OK
from pacemark.results.record import Window
from pacemark.results.statistics import PERCENTS, at_share
from pacemark.workloads.objective import Basis

_OVER_TIME = {name: PERCENTS[name] for name in ("p50", "p95", "p99")} | {"max": "100"}


def timeline(
    digest: Digest, *, label: str | None = None, basis: Basis = "elapsed", max_points: int = 600
) -> pl.DataFrame:
    """The window in at most ``max_points`` buckets of whole slices, empty ones too.

    Columns: ``at_s`` (from the first sample), ``seconds``, ``count``, ``errors``, ``rate`` (a second),
    ``p50``, ``p95``, ``p99``, ``max`` (ms, exact in the bucket; null in an empty one), ``threads`` (the most
    at once; null where unknown). The first and the last bucket of a whole JTL are whole slices too, though
    the samples end somewhere in it.
    """
    (latencies,) = latency_timelines(digest, [label], basis=basis, max_points=max_points)
    counts = rate_timeline(digest, label=label, max_points=max_points)
    both = pl.concat((counts, latencies.select(*_OVER_TIME)), how="horizontal")
    return both.select("at_s", "seconds", "count", "errors", "rate", *_OVER_TIME, "threads")


def rate_timeline(digest: Digest, *, label: str | None = None, max_points: int = 600) -> pl.DataFrame:
    """``timeline`` without its latencies, which take most of its time."""
    buckets, width = _buckets(digest, max_points)
    shown = digest if label is None else digest.only(label)
    cells = shown.cells.with_columns(bucket=_bucket(digest, width))
    counts = cells.group_by("bucket").agg(
        pl.col("count").sum(), pl.col("count").filter(pl.col("outcome") != OK).sum().alias("errors")
    )
    threads = shown.sums.group_by(_bucket(digest, width)).agg(threads=pl.col("all_threads").max())
    known = pl.lit(None, dtype=pl.Int32) if "all_threads" in digest.absent else pl.col("threads")
    return (
        buckets.join(counts, on="bucket", how="left", maintain_order="left")
        .join(threads, on="bucket", how="left", maintain_order="left")
        .with_columns(pl.col("count", "errors").fill_null(0), known.alias("threads"))
        .with_columns(rate=pl.col("count") / (pl.col("seconds") * digest.runs))
        .select("at_s", "seconds", "count", "errors", "rate", "threads")
    )


def latency_timelines(
    digest: Digest, labels: Iterable[str | None], *, basis: Basis, max_points: int
) -> list[pl.DataFrame]:
    """The latencies of ``timeline``, of each label (None: all of them), from one pass over the samples."""
    buckets, width = _buckets(digest, max_points)
    named = (_bucket(digest, width), "label", f"{basis}_ms")
    cells = digest.cells.lazy().group_by(named).agg(pl.col("count").sum()).collect()
    frames = []
    for label in labels:
        mine = cells if label is None else cells.filter(pl.col("label") == label)
        found = _percentiles(mine, basis, _OVER_TIME)
        frames.append(buckets.join(found, on="bucket", how="left", maintain_order="left"))
    return frames


def gathered(digest: Digest, *, max_points: int = 600) -> Digest:
    """The same samples, each counted to the first slice of its bucket: fewer cells for several timelines.

    ``timeline`` and ``outcome_timeline`` say the same of it, given the same ``max_points``.
    """
    buckets, width = _buckets(digest, max_points)
    first = int(digest.window.from_s // digest.slice_s)
    end_s = first * digest.slice_s + float(buckets["seconds"].sum())
    window = Window(from_s=digest.window.from_s, to_s=end_s)
    to_first = (((pl.col("slice") - first) // width) * width + first).cast(pl.Int32)
    sums = add_sums([digest.sums.with_columns(slice=to_first)])
    return replace(digest, cells=moved(digest.cells, to_first), sums=sums, window=window)


def outcome_timeline(digest: Digest, *, label: str | None = None, max_points: int = 600) -> pl.DataFrame:
    """Samples by outcome over the buckets of ``timeline``: ``at_s``, ``outcome``, ``count``, no zeros."""
    buckets, width = _buckets(digest, max_points)
    cells = (digest if label is None else digest.only(label)).cells
    counts = cells.group_by(_bucket(digest, width), pl.col("outcome").cast(pl.String))
    table = counts.agg(pl.col("count").sum()).join(buckets, on="bucket").select("at_s", "outcome", "count")
    return table.sort("at_s", "outcome")


def _percentiles(cells: pl.DataFrame, basis: Basis, columns: Mapping[str, str]) -> pl.DataFrame:
    """Exact nearest-rank percentiles of each ``bucket``, in whole-number arithmetic."""
    table = cells.select("bucket", pl.col(f"{basis}_ms").alias("ms"), "count").drop_nulls("ms")
    table = table.group_by("bucket", "ms").agg(pl.col("count").sum()).sort("bucket", "ms")
    return table.group_by("bucket", maintain_order=True).agg(
        at_share(percent).alias(name) for name, percent in columns.items()
    )


def _buckets(digest: Digest, max_points: int) -> tuple[pl.DataFrame, int]:
    first = int(digest.window.from_s // digest.slice_s)
    newest = digest.cells.select(pl.col("slice").max().fill_null(first)).item()
    slices = max(newest - first + 1, math.ceil(round(digest.window.to_s / digest.slice_s - first, 6)))
    width = math.ceil(slices / max_points)
    buckets = pl.DataFrame({"bucket": range(math.ceil(slices / width))}, schema={"bucket": pl.Int32})
    start = pl.col("bucket") * width
    held = pl.min_horizontal(pl.lit(width), slices - start)
    return buckets.with_columns(
        at_s=((first + start) * digest.slice_s).cast(pl.Float64),
        seconds=(held * digest.slice_s).cast(pl.Float64),
    ), width


def _bucket(digest: Digest, width: int) -> pl.Expr:
    first = int(digest.window.from_s // digest.slice_s)
    return ((pl.col("slice") - first) // width).alias("bucket")
