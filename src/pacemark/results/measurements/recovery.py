"""Recovery: how long after the load steps down until latency and errors are back."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.outcomes import OK
from pacemark.results.record import Chart, Column, Reason, Section, Series
from pacemark.results.statistics import figures, percentile, rank
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Basis

WINDOW_S = 5
"""A window begins with each slice of the digest (a second, in runs up to an hour) and is this long."""
LEAST_SAMPLES = 100
"""A window of fewer is widened until it has as many; so many the baseline must have, too."""
FACTOR, SLACK_MS = 1.2, 5
"""P95 is back at 1.2 times the baseline's and 5 ms."""
CLEAR = 0.001
"""Errors are back below this share."""
REFUSED = "HTTP 503"
"""What a gateway answers that has no connection to spare, of its own or to its database."""
STARVED = ("connect", "timeout")
"""Outcomes that a pool without a free connection can have, as other faults can."""


class Window(NamedTuple):
    """A stretch of whole slices after the step down: samples, those within the limit, those that failed."""

    start_s: float
    samples: int
    within: int
    errors: int

    @property
    def is_back(self) -> bool:
        """Whether P95 (nearest rank) keeps the limit: whether as many samples do."""
        return self.within >= rank(self.samples, "95")

    @property
    def is_clear(self) -> bool:
        return self.errors < CLEAR * self.samples


def measure(subject: Subject) -> Measurement:
    """``recovery`` and ``clearance`` in seconds from the step down, a section, and what became of the pool.

    Either is the start of the first window from which on all are back; 0 when none was ever not. A window
    is ``WINDOW_S`` long or as much longer as it takes to have ``LEAST_SAMPLES``; the last one has what is
    left. A figure that was not back by the end is bounded below by what was seen.
    """
    digest, load = subject.digest.without_lifetimes(), subject.load
    basis: Basis = "elapsed" if digest.cells["response_ms"].null_count() else "response"
    step_s = step_down(load)
    baseline = (
        digest.between(subject.window.from_s, load.stages[0].seconds) if _has_baseline(subject) else None
    )
    limit_ms = None
    if baseline is not None and baseline.count >= LEAST_SAMPLES:
        limit_ms = FACTOR * (percentile(baseline, "95", basis=basis) or 0) + SLACK_MS
    seen = list(windows(digest, basis, limit_ms or 0.0, step_s, load.duration_s))
    recovery, clearance = _judged(subject, seen, limit_ms, step_s)
    pool_line, reason = _pool(digest)
    summary = f"{_sentence('P95', recovery)}; {_sentence('errors', clearance)}. {pool_line}"
    return Measurement(
        own={("recovery", "s"): recovery, ("clearance", "s"): clearance},
        sections=[_section(subject, digest, basis, limit_ms, step_s, summary)],
        reasons=[reason],
    )


def step_down(load: Load) -> float:
    """The second at which the rate first falls at once."""
    for (_, before), (start, stage) in pairwise(load.timeline()):
        if stage.from_per_s < before.to_per_s:
            return start
    raise ValueError("a load without a step down has no recovery")


def windows(digest: Digest, basis: Basis, limit_ms: float, step_s: float, end_s: float) -> Iterator[Window]:
    """The windows of whole slices in [step_s, end_s), by start; ``within`` are those up to ``limit_ms``.

    None when fewer than ``LEAST_SAMPLES`` are there.
    """
    slice_s = digest.slice_s
    first, last = math.ceil(step_s / slice_s - 1e-9), math.floor(end_s / slice_s + 1e-9)
    width = max(1, math.ceil(WINDOW_S / slice_s))
    # Whole milliseconds, so a hair above the limit is still the limit.
    within = (pl.col("count") * (pl.col(f"{basis}_ms") <= limit_ms + 1e-9)).sum()
    failed = pl.col("count").filter(pl.col("outcome") != OK).sum()
    table = digest.cells.group_by("slice").agg(
        pl.col("count").sum(), within.alias("within"), failed.alias("errors")
    )
    by_slice = {row[0]: row[1:] for row in table.iter_rows()}
    columns = zip(*(by_slice.get(n, (0, 0, 0)) for n in range(first, last)), strict=True)
    count, ok, errors = ([0, *accumulate(column)] for column in columns) if last > first else ([0],) * 3
    for start in range(last - first - width + 1):
        if count[-1] - count[start] < LEAST_SAMPLES:
            break
        end = max(start + width, bisect_left(count, count[start] + LEAST_SAMPLES))
        is_last = start == last - first - width or count[-1] - count[start + 1] < LEAST_SAMPLES
        end = last - first if is_last else end
        yield Window(
            start_s=max(0.0, (first + start) * slice_s - step_s),
            samples=count[end] - count[start],
            within=ok[end] - ok[start],
            errors=errors[end] - errors[start],
        )


def seconds_until(seen: Sequence[Window], holds: Callable[[Window], bool]) -> float | None:
    """The start of the first window from which on all hold, 0 when all do; None when the last does not."""
    if all(map(holds, seen)):
        return 0.0
    back = None
    for window in reversed(seen):
        if not holds(window):
            break
        back = window.start_s
    return back


def _has_baseline(subject: Subject) -> bool:
    return subject.window.from_s < subject.load.stages[0].seconds


def _judged(subject: Subject, seen: list[Window], limit_ms: float | None, step_s: float) -> tuple[Own, Own]:
    if subject.cut_short:
        none = Own(None, "the load ended before its time")
    elif not seen:
        none = Own(None, f"fewer than {LEAST_SAMPLES} samples after the step down")
    else:
        span_s = subject.load.duration_s - step_s
        clearance = _own(seconds_until(seen, lambda window: window.is_clear), span_s)
        if limit_ms is None:
            return Own(None, f"fewer than {LEAST_SAMPLES} samples before the spike"), clearance
        return _own(seconds_until(seen, lambda window: window.is_back), span_s), clearance
    return none, none


def _own(after_s: float | None, span_s: float) -> Own:
    if after_s is None:
        return Own(span_s, f"not back within {span_s:g} s", interval=(span_s, math.inf))
    return Own(after_s)


def _sentence(what: str, own: Own) -> str:
    verb = "was" if what == "P95" else "were"
    if own.value is None:
        return f"whether {what} came back is not judged: {own.why}"
    if own.interval:
        return f"{what} {verb} {own.why} after the step down"
    return f"{what} {verb} back {own.value:g} s after the step down"


def _pool(digest: Digest) -> tuple[str, Reason]:
    """Whether clients saw a pool run out. Its own gauges would have to say that it did not."""
    outcomes = figures(digest).outcomes
    if refused := outcomes.get(REFUSED, 0):
        text = f"connection pool exhaustion: {refused} of {digest.count} requests were answered {REFUSED}"
        return f"{text}.", Reason(
            level="fail", text=text, remedy="see the pools' sizes and the gateway's log"
        )
    starved = ", ".join(f"{outcomes[name]} {name}" for name in STARVED if name in outcomes) or "no time-outs"
    text = f"connection pool exhaustion: not measured: clients saw no {REFUSED} and {starved}"
    return f"{text}.", Reason(
        level="warning", text=text, remedy="look at the gateway's and its database's pools"
    )


def _section(
    subject: Subject, digest: Digest, basis: Basis, limit_ms: float | None, step_s: float, summary: str
) -> Section:
    limit = (
        ""
        if limit_ms is None
        else f" P95 is back at {limit_ms:g} ms or less: {FACTOR:g} x the baseline's + {SLACK_MS} ms."
    )
    return Section(
        title="Recovery",
        summary=summary[0].upper() + summary[1:],
        note=f"Latencies are {basis}. The step down is {step_s:g} s after the first sample.{limit} A window "
        f"lasts {WINDOW_S} s, or longer until it has {LEAST_SAMPLES} samples.",
        columns=[
            Column(name="Phase"),
            Column(name="Asked", unit="/s"),
            Column(name="Rate", unit="/s"),
            Column(name="P50", unit="ms"),
            Column(name="P95", unit="ms"),
            Column(name="P99", unit="ms"),
            Column(name="Errors", unit="%"),
        ],
        rows=[
            _row(subject, digest, basis, start, index)
            for index, (start, _) in enumerate(subject.load.timeline())
        ],
        charts=[_chart(digest, basis, limit_ms, subject.load.duration_s)],
    )


def _row(
    subject: Subject, digest: Digest, basis: Basis, start: float, index: int
) -> list[str | int | float | None]:
    stage = subject.load.stages[index]
    # The first phase without the warm-up: as it is compared with.
    from_s = max(start, subject.window.from_s) if index == 0 and _has_baseline(subject) else start
    to_s = start + stage.seconds
    phase = digest.between(from_s, to_s)
    seconds = phase.window.seconds
    return [
        stage.name,
        round(subject.load.due_between(from_s, to_s) / (to_s - from_s), 2),
        round(phase.count / seconds, 2),
        *(percentile(phase, percent, basis=basis) for percent in ("50", "95", "99")),
        100 * phase.errors / phase.count if phase.count else None,
    ]


def _chart(digest: Digest, basis: Basis, limit_ms: float | None, end_s: float) -> Chart:
    width_s = math.ceil(WINDOW_S / digest.slice_s) * digest.slice_s
    at_s = [float(start) for start in range(0, math.ceil(end_s), width_s)]
    p95 = [percentile(digest.between(start, start + width_s), "95", basis=basis) for start in at_s]
    series = [Series(name="P95", values=[None if value is None else float(value) for value in p95])]
    if limit_ms is not None:
        series.append(Series(name="back at", values=[limit_ms] * len(at_s)))
    return Chart(
        title="P95 over time", note=f"In windows of {width_s} s.", unit="ms", at_s=at_s, series=series
    )
