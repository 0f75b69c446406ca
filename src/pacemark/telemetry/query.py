"""What one figure of the system is: its PromQL, its unit, and from when on it counts as saturated."""

from dataclasses import dataclass
from typing import Literal

from pacemark.workloads.objective import Worst

Resource = Literal["gateway", "database", "pool", "redis", "nginx", "processor", "memory"]
"""What can be the first to saturate. ``pool`` is PgBouncer's."""

WINDOW = "$window"
"""Stands for the range of a ``rate``: four scrapes, Prometheus's own rule of thumb, in Grafana its
``$__rate_interval``."""
RECORDED_RATE = "pacemark:cpu_cores:used"
"""A rate that a recording rule makes, over ``RECORDED_RATE_S``."""
RECORDED_RATE_S = 20
"""Four scrapes."""
ALERT_WINDOW = "1m"
"""The request's."""


@dataclass(frozen=True)
class Limit:
    """From which value on a resource counts as saturated, and what to say of it then."""

    comparison: Literal[">", "<"]
    value: float
    """In the query's unit."""
    for_s: int
    """How long it must last."""
    meaning: str
    """What is wrong then, as a clause: ``the database's connections are nearly used up``."""

    def is_crossed_by(self, value: float) -> bool:
        """Whether a value is past the limit."""
        return value > self.value if self.comparison == ">" else value < self.value


@dataclass(frozen=True)
class Query:
    """One figure of the system over time."""

    name: str
    title: str
    resource: Resource
    promql: str
    """With ``$window`` for the range of a rate."""
    unit: str
    """``%``, ``ms``, ``MB``, ``1/s``, ``s`` or nothing, for a number."""
    by: str = ""
    """The label that tells its series apart, where there are several."""
    limit: Limit | None = None
    asked_as: str = ""
    """How the request wrote it, where that is one of its table's."""
    is_symptom: bool = False
    """Whether its limit tells that something is saturated, and not what."""
    is_shown: bool = True
    """Else it is kept for what is made from it."""
    note: str = ""
    """What it is not, where a reader could take it for that."""

    def over(self, window: str) -> str:
        """The PromQL with a range, as ``20s``."""
        return self.promql.replace(WINDOW, window)

    @property
    def is_rate(self) -> bool:
        """Whether its value is of a window that looks back, and not of an instant."""
        return WINDOW in self.promql or RECORDED_RATE in self.promql

    def kept(self, step: str, interval: str) -> str | None:
        """A gauge that has a limit, at its worst between two values ``step`` apart; None for others.

        ``step`` and ``interval``, that of the scrapes, are PromQL durations.
        """
        if self.is_rate or self.worst is None:
            return None
        return worst_between(self.promql, self.worst, step, interval)

    @property
    def worst(self) -> Worst | None:
        """Which of its values is the worst, where it has a limit."""
        if self.limit is None:
            return None
        return "max" if self.limit.comparison == ">" else "min"


def worst_between(promql: str, worst: Worst, step: str, interval: str) -> str:
    """Of an expression evaluated at each scrape, the worst between two values ``step`` apart."""
    return f"{worst}_over_time(({promql})[{step}:{interval}])"
