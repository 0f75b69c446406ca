"""What saturated, and what did so first."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pacemark.telemetry.queries import QUERIES
from pacemark.telemetry.query import RECORDED_RATE, RECORDED_RATE_S, Limit, Query
from pacemark.telemetry.recorder import Telemetry

STARTUP_S = 30.0
"""JMeter's own start uses the processors: what began in so short a time before the first sample is of the
run, if it goes on in it."""
TOGETHER_STEPS = 2
"""So many scrapes apart two cannot be told to have come one after the other."""


@dataclass(frozen=True)
class Saturation:
    """A figure that went past its limit and stayed there for as long as the limit says."""

    query: Query
    series: str
    at_s: float
    """Since when, in seconds from the first sample; of a rate, which looks back, reckoned from its course."""
    until_s: float | None
    """Until when; None where it had not ended with the load."""
    worst: float
    """In the query's unit, in that stretch and any later one."""

    @property
    def was_before(self) -> bool:
        """Whether it was so before the load began."""
        return self.at_s < -STARTUP_S

    @property
    def is_gone(self) -> bool:
        """Whether it is no longer there, which outranks being busy."""
        return self.query.name.endswith("_up")

    @property
    def severity(self) -> float:
        """How far past the limit, as a ratio: infinite for what is not there at all."""
        limit = _limit(self.query)
        if limit.comparison == "<":
            return math.inf if self.worst == 0 else limit.value / self.worst
        return self.worst / max(limit.value, 1.0)  # of a limit of none, how many


def saturations(
    telemetry: Telemetry, *, until_s: float, queries: Sequence[Query] = QUERIES
) -> list[Saturation]:
    """All that saturated up to ``until_s``: what was gone, then the first to saturate first, and at the end
    what was so before the load.

    Symptoms, such as the gateway's own latency, are left out: they say that something is saturated, not what.
    Of those that did so within two steps of time of the first of them the most severe comes first.
    """
    found = [
        one
        for query in queries
        if query.limit is not None and not query.is_symptom
        for one in _of(telemetry, query, until_s)
    ]
    found.sort(key=lambda one: (one.was_before, not one.is_gone, one.at_s, one.query.name))
    ranked: list[Saturation] = []
    while found:
        first = found[0]
        together = [
            one
            for one in found
            if (one.was_before, one.is_gone) == (first.was_before, first.is_gone)
            and one.at_s - first.at_s <= TOGETHER_STEPS * telemetry.step_s
        ]
        ranked += sorted(together, key=lambda one: -one.severity)
        found = found[len(together) :]
    return ranked


def symptoms(telemetry: Telemetry, *, until_s: float) -> list[Saturation]:
    """What went past its limit up to ``until_s`` and says only that something saturated, the first first."""
    asked = (query for query in QUERIES if query.limit is not None and query.is_symptom)
    found = [one for query in asked for one in _of(telemetry, query, until_s)]
    return sorted(found, key=lambda one: one.at_s)


def _of(telemetry: Telemetry, query: Query, until_s: float) -> Iterator[Saturation]:
    limit = _limit(query)
    back_s = _looks_back_s(telemetry, query)
    for series, points in telemetry.lines(query.name).items():
        inside = [(at_s, value) for at_s, value in points if at_s <= until_s]
        stretch = _stretch(inside, limit, telemetry.step_s, back_s)
        if stretch is None:
            continue
        start, end = stretch
        values = [value for at_s, value in inside if at_s >= start and value is not None]
        worst = max(values) if limit.comparison == ">" else min(values)
        goes_on = end + 1.5 * telemetry.step_s > until_s
        since = _began(inside, start, end, limit, back_s)
        yield Saturation(query, series, since, None if goes_on else end, worst)


def _looks_back_s(telemetry: Telemetry, query: Query) -> float:
    if not query.is_rate:
        return 0.0
    return RECORDED_RATE_S if RECORDED_RATE in query.promql else telemetry.rate_s


def _stretch(
    points: Sequence[tuple[float, float | None]], limit: Limit, step_s: float, back_s: float
) -> tuple[float, float] | None:
    """The first stretch that lasts as long as the limit says, and into the load; a gap ends a stretch.

    What a rate says of ``back_s`` seconds is of the load once they are all in it; so it is with what the one
    value of a step says, where steps are longer than the limit's time and one past it suffices.
    """
    for_s = float(limit.for_s)
    if step_s > for_s:
        for_s, back_s = 0.0, max(back_s, step_s)
    start = last = None
    found: tuple[float, float] | None = None
    for at_s, value in points:
        crossed = value is not None and limit.is_crossed_by(value)
        if not crossed or (last is not None and at_s - last > 1.5 * step_s):
            if found:
                return found
            start = None
        if crossed:
            start = at_s if start is None else start
            if at_s - start >= for_s and at_s >= back_s:
                found = (start, at_s)
        last = at_s
    return found


def _began(
    points: Sequence[tuple[float, float | None]], start: float, end: float, limit: Limit, back_s: float
) -> float:
    """When it began: from there on a rate rises for ``back_s``, and evenly if all came at once."""
    before = [
        value
        for at_s, value in points
        if start - back_s <= at_s < start and value is not None and not limit.is_crossed_by(value)
    ]
    if not before:
        return start
    values = [value for at_s, value in points if start <= at_s <= end and value is not None]
    from_value, to_value = before[0], max(values) if limit.comparison == ">" else min(values)
    share = (limit.value - from_value) / (to_value - from_value)
    return start - back_s * min(max(share, 0.0), 1.0)


def _limit(query: Query) -> Limit:
    assert query.limit is not None
    return query.limit
