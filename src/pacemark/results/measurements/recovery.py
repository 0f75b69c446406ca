"""Recovery: how long after the load steps down until latency and errors are back."""

import math
from itertools import pairwise

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, PoolSeen, Subject, latency_columns
from pacemark.results.record import Chart, Column, Mark, Reason, Section, Series
from pacemark.results.recovery import (
    FACTOR,
    LEAST_SAMPLES,
    SLACK_MS,
    WINDOW_S,
    Stretch,
    inside,
    latency_limit_ms,
    seconds_until,
    windows,
)
from pacemark.results.statistics import outcome_counts, percentile
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Basis

REFUSED = "HTTP 503"
"""What a gateway answers that has no connection to spare, of its own or to its database; one that starts or
sheds load does too."""
LONG_S = 20 * WINDOW_S
"""From here on a point of the chart is a window; in a shorter run that would be too few points."""
STARVED = ("connect", "timeout")
"""Outcomes that a pool without a free connection can have, as other faults can."""
FULL = 100.0
"""Percent of a pool's connections."""


def measure(subject: Subject) -> Measurement:
    """``recovery`` and ``clearance`` in seconds from the step down, a section, and what became of the pool.

    Either is the start of the first window from which on all are back; 0 when none was ever not. A window
    is ``WINDOW_S`` long or as much longer as it takes to have ``LEAST_SAMPLES``; the last one has what is
    left. A figure that was not back by the end is bounded below by what was seen.
    """
    digest, load = subject.digest.without_lifetimes(), subject.load
    basis: Basis = "elapsed" if digest.cells["response_ms"].null_count() else "response"
    step_s = step_down(load)
    limit_ms = latency_limit_ms(inside(digest, subject.window.from_s, load.stages[0].seconds), basis)
    seen = list(windows(digest, basis, limit_ms or 0.0, step_s, load.duration_s))
    recovery, clearance = _judged(subject, seen, limit_ms, step_s)
    pool, is_good = _pool(digest, subject.pool)
    how = "unknown" if limit_ms is None else f"{limit_ms:g} ms: {FACTOR:g} x the baseline's + {SLACK_MS} ms"
    section = Section(
        title="Recovery",
        summary=_capital(f"{_words('P95', recovery)}; {_words('errors', clearance)}. {_capital(pool.text)}."),
        note=f"Latencies are {basis}. The step down is {step_s:.1f} s after the first sample. The P95 to "
        f"come back to is {how}. A window lasts {WINDOW_S} s, or longer until it has {LEAST_SAMPLES} "
        "samples.",
        columns=[
            Column(name="Phase"),
            Column(name="Asked", unit="/s"),
            Column(name="Rate", unit="/s"),
            *latency_columns(("P50", "P95", "P99"), counted_in="Samples"),
            Column(name="Errors", unit="%"),
            Column(name="Samples"),
        ],
        rows=_rows(subject, digest, basis),
        charts=[_chart(digest, basis, limit_ms, load.duration_s, _marks(load, step_s, recovery))],
    )
    own = {("recovery", "s"): recovery, ("clearance", "s"): clearance}
    return Measurement(own=own, sections=[section], reasons=[] if is_good else [pool])


def step_down(load: Load) -> float:
    """The second at which the rate first falls at once."""
    for (_, before), (start, stage) in pairwise(load.timeline()):
        if stage.from_per_s < before.to_per_s:
            return start
    raise ValueError("a load without a step down has no recovery")


def _judged(subject: Subject, seen: list[Stretch], limit_ms: float | None, step_s: float) -> tuple[Own, Own]:
    if subject.cut_short:
        why = Own(None, "the load ended before its time")
        return why, why
    if not seen:
        why = Own(None, f"fewer than {LEAST_SAMPLES} samples in {WINDOW_S} s or more after the step down")
        return why, why
    span_s = subject.load.duration_s - step_s
    clearance = _own(seconds_until(seen, lambda window: window.is_clear), span_s)
    if limit_ms is None:
        return Own(None, f"fewer than {LEAST_SAMPLES} samples before the spike"), clearance
    return _own(seconds_until(seen, lambda window: window.is_back), span_s), clearance


def _own(after_s: float | None, span_s: float) -> Own:
    if after_s is None:
        return Own(span_s, f"not back within {span_s:.3g} s", interval=(span_s, math.inf))
    return Own(after_s)


def _words(what: str, own: Own) -> str:
    verb = "was" if what == "P95" else "were"
    if own.value is None:
        return f"whether {what} came back is not judged: {own.why}"
    return f"{what} {verb} {own.why or f'back {own.value:.3g} s'} after the step down"


def _pool(digest: Digest, pool: PoolSeen | None) -> tuple[Reason, bool]:
    """Whether a pool ran out, and whether that is known not to be so: only its gauges can say that."""
    outcomes = outcome_counts(digest)
    told = _told(pool) if pool else "not measured"
    if refused := outcomes.get(REFUSED, 0):
        text = f"{refused} of {digest.count} requests were answered {REFUSED}, as by an exhausted pool"
        text += f"; PgBouncer's: {told}" if pool else ""
        return Reason(level="fail", text=text, remedy="see the pools' sizes and the gateway's log"), False
    starved = ", ".join(f"{outcomes[name]} {name}" for name in STARVED if name in outcomes)
    text = f"connection pool exhaustion: {told}"
    if pool is None:
        saw = f"no {REFUSED}, but {starved}" if starved else f"neither {REFUSED} nor time-outs"
        text += f": clients saw {saw}"
    elif starved:
        text += f"; but clients saw {starved}, and the gateway's own pool has no gauge"
    reason = Reason(level="warning", text=text, remedy="look at the gateway's and its database's pools")
    return reason, told.startswith("none,") and not starved


def _told(pool: PoolSeen) -> str:
    most = f"at most {pool.waiting:g}" if pool.waiting is not None else ""
    if pool.waits_s:
        return (
            f"clients waited for a connection from {pool.waits_s[0]:.0f} to {pool.waits_s[1]:.0f} s ({most})"
        )
    none = "none" if pool.is_whole else "none as far as was recorded"
    if most:
        return f"{none}, {most} clients waited"
    if pool.use is not None and pool.use < FULL:
        return f"{none}, at most {pool.use:.0f} % of the pool's connections were at work"
    return "all of the pool's connections were at work, whether clients waited is not measured"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _rows(subject: Subject, digest: Digest, basis: Basis) -> list[list[str | int | float | None]]:
    rows: list[list[str | int | float | None]] = []
    for start, stage in subject.load.timeline():
        # The first phase without the warm-up: that is what the others are compared with.
        phase = inside(digest, max(start, subject.window.from_s), start + stage.seconds)
        if phase is None or not phase.count:
            rows.append([stage.name, *[None] * 7])
            continue
        from_s, to_s = phase.window.from_s, phase.window.to_s
        rows.append(
            [
                stage.name,
                round(subject.load.due_between(from_s, to_s) / (to_s - from_s), 2),
                round(phase.count / (to_s - from_s), 2),
                *(percentile(phase, percent, basis=basis) for percent in ("50", "95", "99")),
                100 * phase.errors / phase.count,
                phase.count,
            ]
        )
    return rows


def _marks(load: Load, step_s: float, recovery: Own) -> list[Mark]:
    """The spike, from when the rate begins to rise, and the recovery after it."""
    rise_s = next(start for start, stage in load.timeline() if stage.to_per_s > load.stages[0].to_per_s)
    marks = [Mark(from_at=rise_s, to_at=step_s, text="spike")]
    if recovery.value is not None:
        text = "not recovered" if recovery.why else f"recovery, {recovery.value:.3g} s"
        marks.append(Mark(from_at=step_s, to_at=step_s + recovery.value, text=text))
    return marks


def _chart(digest: Digest, basis: Basis, limit_ms: float | None, end_s: float, marks: list[Mark]) -> Chart:
    width_s = math.ceil(WINDOW_S / digest.slice_s) * digest.slice_s if end_s >= LONG_S else digest.slice_s
    at_s = [float(start) for start in range(0, math.ceil(end_s), width_s)]
    p95 = [percentile(digest.between(start, start + width_s), "95", basis=basis) for start in at_s]
    series = [Series(name="P95", values=[None if value is None else float(value) for value in p95])]
    if limit_ms is not None:
        series.append(Series(name="back at", values=[round(limit_ms, 1)] * len(at_s)))
    return Chart(
        title="P95 over time",
        note=f"Of the requests that started in each {width_s} s stretch.",
        unit=f"{basis}, ms",
        at=at_s,
        series=series,
        marks=marks,
    )
