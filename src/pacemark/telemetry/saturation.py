"""What saturated, and what did so first."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pacemark.telemetry.queries import QUERIES, Limit, Query
from pacemark.telemetry.recorder import Telemetry

STARTUP_S = 30.0
"""JMeter's own start uses the processors, and a rate looks back: what began in so short a time before the
first sample is of the run."""


@dataclass(frozen=True)
class Saturation:
    """A figure that went past its limit and stayed there for as long as the limit says."""

    query: Query
    series: str
    at_s: float
    """Since when, in seconds from the first sample."""
    worst: float
    """In the query's unit, in the measured stretch."""

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
        return math.inf if limit.value == 0 else self.worst / limit.value


def saturations(
    telemetry: Telemetry, *, until_s: float, queries: Sequence[Query] = QUERIES
) -> list[Saturation]:
    """All that saturated up to ``until_s``: what was gone, then the first to saturate first, and at the end
    what was so before the load.

    Symptoms, such as the gateway's own latency, are left out: they say that something is saturated, not what.
    Of those that did so within one step of time the most severe comes first.
    """
    found = [
        one
        for query in queries
        if query.limit is not None and not query.is_symptom
        for one in _of(telemetry, query, until_s)
    ]
    step_s = 2 * telemetry.step_s
    found.sort(
        key=lambda one: (one.was_before, not one.is_gone, one.at_s // step_s, -one.severity, one.query.name)
    )
    return found


def _of(telemetry: Telemetry, query: Query, until_s: float) -> Iterator[Saturation]:
    limit = _limit(query)
    for series, points in telemetry.lines(query.name).items():
        inside = [(at_s, value) for at_s, value in points if at_s <= until_s]
        since = _since(inside, limit, telemetry.step_s)
        if since is None:
            continue
        values = [value for at_s, value in inside if at_s >= since and value is not None]
        worst = max(values) if limit.comparison == ">" else min(values)
        yield Saturation(query, series, since, worst)


def _since(points: Sequence[tuple[float, float | None]], limit: Limit, step_s: float) -> float | None:
    """When the first stretch begins that lasts as long as the limit says; a gap ends a stretch."""
    start = last = None
    for at_s, value in points:
        crossed = value is not None and limit.is_crossed_by(value)
        if not crossed or (last is not None and at_s - last > 1.5 * step_s):
            start = None
        if crossed:
            start = at_s if start is None else start
            if at_s - start >= limit.for_s and at_s >= 0:
                return start
        last = at_s
    return None


def _limit(query: Query) -> Limit:
    assert query.limit is not None
    return query.limit
