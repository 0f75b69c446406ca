"""Coordinated omission, corrected after the fact from the interval at which a thread should have sent.

A thread that waits for a reply sends nothing meanwhile, so a closed load records one slow sample where users
would have met many. Where our pacing made the load, response time has measured that. Of samples from
elsewhere it can only be estimated, as HdrHistogram does (``recordValueWithExpectedInterval``,
https://github.com/HdrHistogram/HdrHistogram, G. Tene): a sample of ``v`` ms adds those of ``v - interval``,
``v - 2 x interval`` and so on, down to ``interval``, that would have been sent while it was waited for.

That takes an interval longer than requests usually take. A thread that waits for each reply has threads =
rate x (elapsed + idle time) (J. D. C. Little 1961, doi 10.1287/opre.9.3.383), so threads / rate is no less
than elapsed, unless a freeze is in it: therefore the median is asked. Below it the usual sample would add
smaller ones, and the correction would find lower percentiles than were measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl
from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError
from pacemark.results.cells import add_cells
from pacemark.results.digest import Digest
from pacemark.results.record import LatencyFigures, Window
from pacemark.results.statistics import latency_figures, percentile

MOST_ADDED = 200_000_000
"""Rows that the expansion may make; more say that the interval is no thread's."""
_AT_ONCE = 2_000_000


class Corrected(BaseModel):
    """Latencies with what was not sent, never to be mixed with measured ones. ``count`` of each includes the
    samples that the correction added."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected_interval_ms: float
    total: LatencyFigures
    labels: dict[str, LatencyFigures]
    slower: list[str] = []
    """Labels that usually take longer than the interval: theirs are too low."""


def corrected(digest: Digest, interval_ms: float) -> Digest:
    """The digest with the samples that were never sent, counted by ``response``.

    Measured are its ``elapsed_ms``, which the added cells do not have: so its counts, rates and errors mean
    nothing, its response latencies are the corrected ones. An added sample belongs to the label and outcome
    of the one it waited for, and to the slice in which it would have been sent, which is known to a slice.

    Args:
        interval_ms: between two requests of one thread, which is threads / rate. It holds only where the
            rate was constant.

    Raises:
        InputError: the samples tell when they were due, which is better than an estimate, or the interval is
            so short that there would be too many.
    """
    _refuse_measured(digest)
    cells = digest.cells.with_columns(response_ms="elapsed_ms")
    added = pl.col("elapsed_ms") / interval_ms
    cells = cells.with_columns(_added=(added + 1e-9).floor().cast(pl.Int64) - 1)
    rows = int(cells.filter(pl.col("_added") > 0)["_added"].sum())
    if rows > MOST_ADDED:
        raise InputError(
            f"an interval of {interval_ms:g} ms would add {rows:.3g} kinds of samples",
            "give the time between two requests of one thread: threads / rate",
        )
    parts = [_summed(part, interval_ms, digest.slice_s) for part in _stretches(cells)]
    return replace(digest, cells=add_cells([cells, *parts]))


@dataclass(frozen=True)
class Correction:
    """``digest`` is the whole recording, ``measured`` the window, ``figures`` those of it; all corrected."""

    digest: Digest
    measured: Digest
    figures: Corrected


def correct(digest: Digest, interval_ms: float, window: Window | None = None) -> Correction:
    """The corrected latencies of a window, in all and by label.

    Raises:
        InputError: as ``corrected``; or the interval is shorter than half of the window's requests took.
    """
    _refuse_measured(digest)
    raw = (digest.between(window.from_s, window.to_s) if window else digest).without_lifetimes()
    median_ms = percentile(raw, "50")
    if median_ms is not None and interval_ms < median_ms:
        raise InputError(
            f"an expected interval of {interval_ms:g} ms is less than the median, {median_ms} ms, and no "
            "thread that waits for its replies sends that often",
            "give the time between two requests of one thread: threads / rate, not 1 / rate",
        )
    every = corrected(digest, interval_ms)
    measured = every.between(window.from_s, window.to_s) if window else every
    figures = Corrected(
        expected_interval_ms=interval_ms,
        total=_estimated(measured.without_lifetimes()),
        labels={label: _estimated(one) for label, one in measured.by_label(digest.labels).items()},
        slower=[label for label, one in raw.by_label().items() if (percentile(one, "50") or 0) > interval_ms],
    )
    return Correction(every, measured, figures)


def _refuse_measured(digest: Digest) -> None:
    if digest.tells_response:
        raise InputError(
            "these samples tell when each request was due, so response times are measured",
            "leave --expected-interval out",
        )


def _estimated(part: Digest) -> LatencyFigures:
    """Added samples were reckoned from the others: they make no percentile rest on more."""
    found, measured = latency_figures(part, "response"), latency_figures(part, "elapsed")
    return found.model_copy(update={"too_few": measured.too_few})


def _stretches(cells: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The cells that add samples, in stretches that make some ``_AT_ONCE`` rows each."""
    slow = cells.filter(pl.col("_added") > 0)
    stretch = pl.col("_added").cum_sum() // _AT_ONCE
    yield from slow.with_columns(_stretch=stretch).partition_by("_stretch", include_key=False)


def _summed(slow: pl.DataFrame, interval_ms: float, slice_s: int) -> pl.DataFrame:
    missed = slow.lazy().with_columns(_nth=pl.int_ranges(1, pl.col("_added") + 1)).explode("_nth")
    later_ms = pl.col("_nth") * interval_ms
    return (
        missed.with_columns(
            slice=(pl.col("slice") + (later_ms / (1000 * slice_s)).floor()).cast(pl.Int32),
            response_ms=(pl.col("elapsed_ms") - later_ms).round().cast(pl.Int32),
            elapsed_ms=pl.lit(None, dtype=pl.Int32),
        )
        .group_by("slice", "label", "outcome", "elapsed_ms", "response_ms", "waited")
        .agg(pl.col("count").sum())
        .collect()
    )
