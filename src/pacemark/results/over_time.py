"""Figures of a digest over time: counts, rates and exact percentiles in buckets of whole slices."""

import math
from collections.abc import Sequence

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.outcomes import OK
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
    counts = (
        _by_outcome(shown)
        .group_by(_bucket(digest, width))
        .agg(pl.col("count").sum(), pl.col("count").filter(pl.col("outcome") != OK).sum().alias("errors"))
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
    digest: Digest, labels: Sequence[str | None], *, basis: Basis, max_points: int
) -> list[pl.DataFrame]:
    """The latencies of ``timeline``, of each label (None: all of them), from one pass over the samples."""
    buckets, width = _buckets(digest, max_points)
    named = digest.cells.lazy().select("label", "count", bucket=_bucket(digest, width), ms=f"{basis}_ms")
    cells = _added(named.drop_nulls("ms"), "label").collect(engine="streaming")
    wanted = cells.filter(pl.col("label").is_in([label for label in labels if label is not None]))
    by_label = _percentiles(wanted, "label").partition_by("label", as_dict=True, include_key=False)
    found = {label: table for (label,), table in by_label.items()}
    found[None] = _percentiles(_added(cells.lazy()).collect())
    none = found[None].clear()
    return [
        buckets.join(found.get(label, none), on="bucket", how="left", maintain_order="left")
        for label in labels
    ]


def outcome_timeline(digest: Digest, *, label: str | None = None, max_points: int = 600) -> pl.DataFrame:
    """Samples by outcome over the buckets of ``timeline``: ``at_s``, ``outcome``, ``count``, no zeros."""
    buckets, width = _buckets(digest, max_points)
    shown = digest if label is None else digest.only(label)
    counts = _by_outcome(shown).group_by(_bucket(digest, width), pl.col("outcome").cast(pl.String))
    table = counts.agg(pl.col("count").sum()).join(buckets, on="bucket").select("at_s", "outcome", "count")
    return table.sort("at_s", "outcome")


def _by_outcome(digest: Digest) -> pl.DataFrame:
    """``slice``, ``outcome`` and ``count``: by plain columns in a quarter of the time, and few remain."""
    return digest.cells.group_by("slice", "outcome").agg(pl.col("count").sum())


def _added(cells: pl.LazyFrame, *keys: str) -> pl.LazyFrame:
    return cells.group_by(*keys, "bucket", "ms").agg(pl.col("count").sum())


def _percentiles(cells: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Exact nearest-rank percentiles of each ``bucket`` of ``keys``, in whole-number arithmetic."""
    # Groups keep the order of their rows.
    return (
        cells.sort("ms")
        .group_by(*keys, "bucket")
        .agg(at_share(percent).alias(name) for name, percent in _OVER_TIME.items())
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
