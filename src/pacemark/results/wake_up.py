"""Lateness of slots: whose fault it was that a request started late, or never."""

import polars as pl

from pacemark.results.digest import NO_SLOT, Digest
from pacemark.results.statistics import rank
from pacemark.workloads.load import Load


def late_wake_up_p95_ms(digest: Digest) -> float | None:
    """P95, nearest rank, of how late threads that waited idle started their request, in milliseconds.

    None where the samples do not tell, as those of a plan that is not ours.
    """
    idle = digest.cells.filter(pl.col("waited") == 1)
    late = idle.select(pl.col("response_ms") - pl.col("elapsed_ms"), "count").rename({"response_ms": "ms"})
    late = late.group_by("ms").agg(pl.col("count").sum()).sort("ms")
    total = int(late["count"].sum())
    if not total:
        return None
    reached = late.filter(pl.col("count").cum_sum() >= rank(total, "95"))
    return float(reached["ms"][0])


def overdue_share(digest: Digest) -> float | None:
    """Share of the requests whose slot was overdue when a thread became free: all threads were busy.

    None where the samples do not tell.
    """
    known = digest.cells.filter(pl.col("waited") < NO_SLOT)
    total = int(known["count"].sum())
    return float(known.filter(pl.col("waited") == 0)["count"].sum()) / total if total else None


def waiting_share(digest: Digest, load: Load, *, whole: Digest | None = None) -> float | None:
    """How busy with waiting for replies the threads were while requests that were due did not start.

    For each slice of the digest's window the shortfall is what was due less what started, and the waiting
    is requests in flight (each sample from its start, taken as the middle of its slice, for its elapsed
    time) over the stage's threads, at most 1. The share is the mean of the waiting, weighted by shortfall.
    A reply that was awaited since before the window counts only where ``whole`` has the run's other samples.
    None when nothing fell short.
    """
    first = int(digest.window.from_s // digest.slice_s)
    slices = range(first, max(first + 1, int(-(-digest.window.to_s // digest.slice_s))))
    asked_for = digest.cells.filter(pl.col("waited").ne_missing(NO_SLOT))
    started = dict(asked_for.group_by("slice").agg(pl.col("count").sum()).iter_rows())
    in_flight = _in_flight(whole or digest)
    short = waiting = 0.0
    level = sum(change for n, change in in_flight.items() if n < first)
    for n in slices:
        level += in_flight.get(n, 0.0)
        due = load.due_between(n * digest.slice_s, (n + 1) * digest.slice_s)
        missing = max(0.0, due - started.get(n, 0))
        short += missing
        threads = load.threads_at((n + 0.5) * digest.slice_s)
        waiting += missing * min(1.0, max(0.0, level) / threads)
    return waiting / short if short >= 1 else None


def _in_flight(digest: Digest) -> dict[int, float]:
    """By slice, the change of the mean number of requests in flight from the slice before."""
    # Only slice and elapsed matter here, by which cells are sorted: a tenth of the rows at little cost.
    place = pl.col("slice").cast(pl.Int64) * (1 << 32) + pl.col("elapsed_ms")
    every = digest.cells.lazy().select("slice", "elapsed_ms", "count", place=place.set_sorted())
    first, count = pl.col("slice", "elapsed_ms").first(), pl.col("count").sum()
    cells = every.group_by("place").agg(first, count).collect()
    begins = pl.col("slice") + 0.5
    ends = begins + pl.col("elapsed_ms") / (1000 * digest.slice_s)
    steps = pl.concat(
        [
            cells.select(at=begins, weight=pl.col("count").cast(pl.Float64)),
            cells.select(at=ends, weight=-pl.col("count").cast(pl.Float64)),
        ]
    )
    # A step inside a slice counts there for the rest of the slice, and whole from the next one on.
    inside = pl.col("at") - pl.col("at").floor()
    parts = pl.concat(
        [
            steps.select(slice=pl.col("at").floor().cast(pl.Int64), weight=pl.col("weight") * (1 - inside)),
            steps.select(slice=pl.col("at").floor().cast(pl.Int64) + 1, weight=pl.col("weight") * inside),
        ]
    )
    return dict(parts.group_by("slice").agg(pl.col("weight").sum()).iter_rows())
