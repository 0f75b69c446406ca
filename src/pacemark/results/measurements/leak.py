"""Leak: what grows in a long run, above all the gateway's memory."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import MB, Measurement, ProcessReading, Subject, latency_columns
from pacemark.results.record import Chart, Column, Mark, Section, Series
from pacemark.results.statistics import percentile
from pacemark.results.trend import Trend, trend
from pacemark.workloads.objective import Basis

SLICES = 24
"""The request's hours; at other scales as many slices of the run."""
SETTLING = 1 / 6
"""Share of the run that a process may take to settle: caches and pools fill, which is no leak."""
LEAST_READINGS = 3
"""Of a service in a slice, for a median that one of them cannot move."""
CHART_POINTS = 480
_UNITS = ((7200.0, 3600, "h"), (600.0, 60, "min"), (0.0, 1, "s"))
_NOT_OURS = (
    "memory is not measured: the gateway's processes were not started by Pacemark, and no Prometheus told of "
    "them (PROMETHEUS_URL)"
)


class Slice(NamedTuple):
    """A stretch of the run and its figures; None where there is none. Memory in MB, latency in ms."""

    from_s: float
    to_s: float
    memory: float | None
    connections: float | None
    p95: int | None
    errors: int
    samples: int

    @property
    def at_s(self) -> float:
        return (self.from_s + self.to_s) / 2


def measure(subject: Subject) -> Measurement:
    """``growth`` in percent over the whole run, and a section with the request's table.

    The growth is that of a robust line through the medians of ``SLICES`` slices of the run without the first
    ``SETTLING`` of it (see ``trend``), from the run's start to its end. A median of a slice evens out what
    garbage collection does within it; what it does over several slices is dependence between them, for which
    the interval becomes wider. Of several gateways the one that grows most is judged.
    """
    digest = subject.digest.without_lifetimes()
    basis: Basis = "elapsed" if digest.cells["response_ms"].null_count() else "response"
    edges = _edges(subject.load.duration_s, digest.slice_s)
    services = _gateways(subject.processes)
    slices = _slices(digest, basis, list(services.values()), edges)
    worst, own = _judged(subject, services)
    return Measurement(
        own={("growth", "%"): own},
        sections=[
            _section(
                subject,
                slices,
                basis,
                _summary(subject, slices, own),
                [
                    *_memory_charts(subject, services, slices, worst, own),
                    *_connections_charts(subject, services),
                    _p95_chart(subject, slices, basis),
                ],
            )
        ],
    )


def _gateways(readings: Iterable[ProcessReading]) -> dict[str, list[ProcessReading]]:
    found: dict[str, list[ProcessReading]] = {}
    for reading in readings:
        if reading.is_gateways:
            found.setdefault(reading.service, []).append(reading)
    return found


def _edges(duration_s: float, slice_s: int) -> list[tuple[float, float]]:
    """The slices of the run, on edges of the digest's: so its percentiles are exact in each."""
    steps = [float(round(duration_s * n / SLICES / slice_s) * slice_s) for n in range(SLICES + 1)]
    return [(start, end) for start, end in pairwise(steps) if start < end]


def _slices(
    digest: Digest,
    basis: Basis,
    services: Sequence[Sequence[ProcessReading]],
    edges: Sequence[tuple[float, float]],
) -> list[Slice]:
    found = []
    for start, end in edges:
        part = digest.between(start, end)
        inside = [[one for one in readings if start <= one.at_s < end] for readings in services]
        found.append(
            Slice(
                from_s=start,
                to_s=end,
                memory=_sum_of_medians(inside, lambda one: one.memory_bytes / MB),
                connections=_sum_of_medians(inside, lambda one: one.connections),
                p95=percentile(part, "95", basis=basis),
                errors=part.errors,
                samples=part.count,
            )
        )
    return found


def _sum_of_medians(
    services: Sequence[Sequence[ProcessReading]], value: Callable[[ProcessReading], float | None]
) -> float | None:
    values = [[found for one in readings if (found := value(one)) is not None] for readings in services]
    if not values or not all(values):
        return None
    return sum(median(one) for one in values)


def _settled_s(subject: Subject) -> float:
    return max(subject.window.from_s, subject.load.duration_s * SETTLING)


def _judged(subject: Subject, services: dict[str, list[ProcessReading]]) -> tuple[Trend | None, Own]:
    if not services:
        return None, Own(None, _NOT_OURS)
    if subject.cut_short:
        return None, Own(None, "the load ended before its time")
    judged = []
    for service, readings in services.items():
        line = _memory_trend(subject, readings)
        grown = line.growth(0, subject.load.duration_s) if line else None
        if line is None or grown is None:
            takes = f"it takes {LEAST_READINGS} in each of {SLICES // 2} slices"
            return None, Own(None, f"too few readings of {service}'s memory: {takes}")
        judged.append((grown[0], service, line, grown[1:]))
    value, service, line, interval = max(judged, key=lambda one: one[0])
    return line, Own(value, f"{service} {_slope(line)} an hour", interval)


def _memory_trend(subject: Subject, readings: Sequence[ProcessReading]) -> Trend | None:
    """Of the slices of which each has enough readings, or of slices of twice the width."""
    for slices in (SLICES, SLICES // 2):
        width_s = subject.load.duration_s / slices
        starts = (n * width_s for n in range(slices))
        settled = [start for start in starts if start >= _settled_s(subject) - 1e-6]
        inside = [[one for one in readings if start <= one.at_s < start + width_s] for start in settled]
        if min(map(len, inside), default=0) >= LEAST_READINGS:
            return trend([_middle(found) for found in inside])
    return None


def _middle(readings: Sequence[ProcessReading]) -> tuple[float, float]:
    """Their median instant, in seconds, and their median memory, in MB."""
    return median(one.at_s for one in readings), median(one.memory_bytes / MB for one in readings)


def _slope(line: Trend) -> str:
    slope, low, high = (_hourly(value) for value in (line.slope, line.low, line.high))
    return f"{slope} MB ({low} to {high} at 99 % confidence)"


def _hourly(per_s: float) -> str:
    hourly = per_s * 3600
    return f"{hourly:+.3g}" if abs(hourly) < 1000 or math.isinf(hourly) else f"{hourly:+,.0f}"


def _summary(subject: Subject, slices: Sequence[Slice], own: Own) -> str:
    if own.value is None:
        memory = f"Growth of memory is not judged: {own.why}"
    else:
        assert own.interval is not None
        memory = f"Memory: {_percent(own.value, own.interval)} over the run; {own.why}"
    settled = [one for one in slices if one.from_s >= _settled_s(subject)]
    others = [f"{name}: {_growth(subject, settled, of)}" for name, of in _OTHERS]
    return f"{memory}. {'. '.join(others)}."


_OTHERS: tuple[tuple[str, Callable[[Slice], float | None]], ...] = (
    ("P95", lambda one: one.p95),
    ("Connections", lambda one: one.connections),
)
"""What is shown to grow or not, and not judged."""


def _growth(subject: Subject, slices: Sequence[Slice], of: Callable[[Slice], float | None]) -> str:
    points = [(one.at_s, value) for one in slices if (value := of(one)) is not None]
    line = None if subject.cut_short else trend(points)
    grown = line.growth(0, subject.load.duration_s) if line else None
    return "not measured" if grown is None else f"{_percent(grown[0], grown[1:])} over the run"


def _percent(value: float, interval: tuple[float, float]) -> str:
    if not all(map(math.isfinite, interval)):
        return f"{value:+.3g} % (how sure that is cannot be said)"
    return f"{value:+.3g} % ({interval[0]:+.3g} to {interval[1]:+.3g} %)"


def _section(
    subject: Subject, slices: Sequence[Slice], basis: Basis, summary: str, charts: list[Chart]
) -> Section:
    _, seconds, unit = next(found for found in _UNITS if subject.load.duration_s >= found[0])
    widths = sorted({(one.to_s - one.from_s) / seconds for one in slices})
    width = " to ".join(f"{one:.3g}" for one in (*widths[:1], *widths[1:][-1:]))
    return Section(
        title="Growth",
        summary=summary,
        note=f"Slices of {width} {unit}. Memory is the gateway's resident set, connections its "
        f"established ones: medians of each slice. P95 is {basis}. Growth is of the slices after the first "
        f"{_settled_s(subject) / seconds:.3g} {unit}, in which a process settles.",
        columns=[
            Column(name="From", unit=unit),
            Column(name="Memory", unit="MB"),
            Column(name="Connections"),
            *latency_columns(("P95",), counted_in="Samples"),
            Column(name="Errors"),
            Column(name="Samples"),
        ],
        rows=[
            [
                f"{one.from_s / seconds:g}",
                None if one.memory is None else round(one.memory, 1),
                one.connections,
                one.p95,
                one.errors,
                one.samples,
            ]
            for one in slices
        ],
        charts=charts,
    )


def _memory_charts(
    subject: Subject,
    services: dict[str, list[ProcessReading]],
    slices: Sequence[Slice],
    worst: Trend | None,
    own: Own,
) -> list[Chart]:
    """Memory over time, the median of each point's readings, and the line of the gateway that grows most."""
    if not services:
        return []
    step_s, at_s = _grid(subject)
    series = _over_time(subject, services, lambda one: one.memory_bytes / MB)
    if len(services) == 1:
        middles: list[float | None] = [None] * len(at_s)
        for part in slices:
            middles[min(int(part.at_s / step_s), len(at_s) - 1)] = part.memory
        series.append(Series(name="slices", values=middles, has_dots_only=True))
    if worst is not None:
        series.append(Series(name="trend", values=[round(worst.at(at), 2) for at in at_s]))
    note = f"Resident set size, medians of each slice, and their trend: {own.why}."
    return [
        Chart(
            title="Memory over time",
            note=note if worst is not None else "Resident set size.",
            unit="MB",
            at=at_s,
            series=series,
            marks=_settling(subject),
        )
    ]


def _connections_charts(subject: Subject, services: dict[str, list[ProcessReading]]) -> list[Chart]:
    """Connections over time, where they were counted."""
    series = _over_time(subject, services, lambda one: one.connections)
    if all(value is None for one in series for value in one.values):
        return []
    note = (
        "Established TCP connections of each gateway: its clients', and its own to the database and others."
    )
    return [
        Chart(
            title="Connections over time",
            note=note,
            unit="connections",
            at=_grid(subject)[1],
            series=series,
            marks=_settling(subject),
        )
    ]


def _grid(subject: Subject) -> tuple[float, list[float]]:
    """The charts' step and instants, in seconds."""
    step_s = max(subject.load.duration_s / CHART_POINTS, 1.0)
    return step_s, [round(n * step_s, 3) for n in range(math.ceil(subject.load.duration_s / step_s))]


def _over_time(
    subject: Subject,
    services: dict[str, list[ProcessReading]],
    value: Callable[[ProcessReading], float | None],
) -> list[Series]:
    """Of each gateway, medians of each step."""
    step_s, at_s = _grid(subject)
    series = []
    for service, readings in services.items():
        points: list[list[float]] = [[] for _ in at_s]
        for one in readings:
            if 0 <= one.at_s < subject.load.duration_s and (found := value(one)) is not None:
                points[min(int(one.at_s / step_s), len(at_s) - 1)].append(found)
        values = [round(median(inside), 2) if inside else None for inside in points]
        series.append(Series(name=service, values=values))
    return series


def _p95_chart(subject: Subject, slices: Sequence[Slice], basis: Basis) -> Chart:
    settled = [one for one in slices if one.from_s >= _settled_s(subject)]
    points = [(one.at_s, float(one.p95)) for one in settled if one.p95 is not None]
    line = None if subject.cut_short else trend(points)
    series = [Series(name="P95", values=[one.p95 for one in slices])]
    if line is not None:
        series.append(Series(name="trend", values=[round(line.at(one.at_s), 2) for one in slices]))
    return Chart(
        title="P95 by slice",
        note=f"P95: {_growth(subject, settled, lambda one: one.p95)}.",
        unit=f"{basis}, ms",
        at=[one.at_s for one in slices],
        series=series,
        marks=_settling(subject),
    )


def _settling(subject: Subject) -> list[Mark]:
    return [Mark(from_at=0, to_at=_settled_s(subject), text="settling, not judged")]
