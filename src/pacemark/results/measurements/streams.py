"""Event streams: how many were open, how many broke and came back, and how long what came over them took."""

from collections.abc import Sequence

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, Subject, latency_columns
from pacemark.results.outcomes import OK
from pacemark.results.record import Chart, Column, Reason, Section, Series
from pacemark.results.statistics import percentile
from pacemark.workloads.streams import (
    CONNECT,
    FIRST_EVENT,
    OUTAGE_LIFETIME,
    RECONNECT,
    ROUND_TRIP,
    SILENCE,
    STREAM_LIFETIME,
)

_OPENINGS = (CONNECT, RECONNECT)
_ROWS: tuple[tuple[str, Sequence[str]], ...] = (
    ("until the headers", _OPENINGS),
    ("until the first event", (FIRST_EVENT,)),
    ("round trip, post to reply", (ROUND_TRIP,)),
    ("longest silence of a stream", (SILENCE,)),
    ("lifetime of a stream", (STREAM_LIFETIME,)),
    ("outage, drop to open again", (OUTAGE_LIFETIME,)),
)
_NOTE = (
    "Over the whole run, ramp-up included; percentiles are of what succeeded. A drop is a stream that ended "
    "though we did not end it. A silence is a time without a byte from the server. A stream whose other end "
    "vanished without a word counts as open: its messages fail."
)


def measure(subject: Subject) -> Measurement:
    """Drops in percent of the streams that were opened; those that came back, of what was tried again."""
    digest = subject.digest
    opened = _count(digest, _OPENINGS, ok=True)
    dropped = _count(digest, (STREAM_LIFETIME,), ok=False)
    back = _count(digest, (OUTAGE_LIFETIME,), ok=True)
    away = _count(digest, (OUTAGE_LIFETIME,), ok=False)
    ended = dropped + _count(digest, (STREAM_LIFETIME,), ok=True)
    untried = dropped - back - away
    drops = Own(100 * dropped / opened) if opened else Own(None, "no stream was opened")
    tried = back + away
    return Measurement(
        own={("drops", "%"): drops, ("reconnections", "%"): _reconnections(dropped, back, tried)},
        sections=[_section(digest, opened, dropped, back, tried)],
        reasons=list(_reasons(untried, opened - ended)),
    )


def _reconnections(dropped: int, back: int, tried: int) -> Own:
    if tried:
        return Own(100 * back / tried)
    if dropped:
        return Own(None, "the load ended before a retry was due")
    return Own(None, "no stream was dropped", is_moot=True)


def open_streams(digest: Digest) -> tuple[list[float], list[int]]:
    """How many streams were open at the end of each slice: its start in seconds, and the number.

    A stream is open from the end of its ``SSE connect`` or ``SSE reconnect`` until the end of its lifetime.
    Both are known to a slice, as samples are by their start.
    """
    opens = _of(digest, _OPENINGS, ok=True).select("slice", "elapsed_ms", change="count")
    ends = _of(digest, (STREAM_LIFETIME,)).select("slice", "elapsed_ms", change=-pl.col("count"))
    changes = pl.concat([opens, ends]).with_columns(
        at=pl.col("slice") + pl.col("elapsed_ms") // (1000 * digest.slice_s)
    )
    if not changes.height:
        return [], []
    steps = dict(changes.group_by("at").agg(pl.col("change").sum()).iter_rows())
    instants, numbers, level = [], [], 0
    for slice_ in range(max(steps) + 1):
        level += steps.get(slice_, 0)
        instants.append(float(slice_ * digest.slice_s))
        numbers.append(level)
    return instants, numbers


def _section(digest: Digest, opened: int, dropped: int, back: int, tried: int) -> Section:
    instants, numbers = open_streams(digest)
    summary = (
        f"At most {_streams(max(numbers, default=0))} open at once. {opened:,} were opened, "
        f"{dropped:,} of them dropped{f' ({100 * dropped / opened:.2g} %)' if opened else ''}"
    )
    if tried:
        summary += f"; {back:,} of {tried:,} that were tried again came back"
    chart = Chart(
        title="Open streams",
        note=f"At the end of each {digest.slice_s} s stretch.",
        unit="streams",
        at=instants,
        series=[Series(name="open", values=[float(number) for number in numbers])],
    )
    return Section(
        title="Event streams",
        summary=summary + ".",
        note=_NOTE,
        columns=[
            Column(name="Time"),
            Column(name="Succeeded"),
            Column(name="Failed"),
            *latency_columns(("p50", "p95", "p99", "Max"), counted_in="Succeeded"),
        ],
        rows=[_row(digest, name, labels) for name, labels in _ROWS],
        charts=[chart] if instants else [],
    )


def _row(digest: Digest, name: str, labels: Sequence[str]) -> list[str | int | float | None]:
    good = Digest(
        cells=_of(digest, labels, ok=True),
        start_ms=digest.start_ms,
        end_ms=digest.end_ms,
        slice_s=digest.slice_s,
        window=digest.window,
    )
    percentiles = [percentile(good, percent) for percent in ("50", "95", "99", "100")]
    return [name, good.count, _count(digest, labels, ok=False), *percentiles]


def _reasons(untried: int, unended: int) -> list[Reason]:
    reasons = []
    if untried > 0:
        text = f"{_streams(untried)} dropped so late that the load ended before a retry was due"
        reasons.append(Reason(level="warning", text=text))
    if unended > 0:
        text = f"{_streams(unended)} open when the run was cut short: how long they would last is unknown"
        reasons.append(Reason(level="warning", text=text))
    return reasons


def _streams(count: int) -> str:
    return f"{count:,} stream{'s' * (count != 1)}"


def _of(digest: Digest, labels: Sequence[str], *, ok: bool | None = None) -> pl.DataFrame:
    mine = digest.cells.filter(pl.col("label").cast(pl.String).is_in(list(labels)))
    if ok is None:
        return mine
    return mine.filter((pl.col("outcome") == OK) == ok)


def _count(digest: Digest, labels: Sequence[str], *, ok: bool) -> int:
    return int(_of(digest, labels, ok=ok)["count"].sum())
