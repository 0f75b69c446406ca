"""Objectives (SLAs): what must hold of a run, and how one is written."""

import re
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError

Metric = Literal[
    "p50", "p90", "p95", "p99", "p999", "mean", "min", "max", "errors", "rate",
    "recovery", "clearance", "growth", "drops", "reconnections", "loss", "breaking_point", "direct_p95",
    "promql",
]  # fmt: skip
Comparison = Literal["<", "<=", ">", ">="]
Worst = Literal["max", "min"]
Basis = Literal["response", "elapsed"]
Unit = Literal["ms", "%", "/s", "s", "MB", ""]

OWN: dict[str, tuple[Unit, ...]] = {
    "recovery": ("s",),
    "clearance": ("s",),
    "growth": ("%",),
    "drops": ("%",),
    "reconnections": ("%",),
    "loss": ("%",),
    "breaking_point": ("/s", "%"),
    "direct_p95": ("ms",),
}
"""Metrics that only some workloads measure, with their units, the usual one first. Seconds from the step down
until P95 is back (recovery) and until errors are (clearance); memory gained in the run (growth); streams that
broke (drops), and those of them that came back (reconnections); messages without their reply (loss); the
highest rate held, in requests a second or of the highest that was asked for (breaking_point); the P95
response of the requests that go to the test servers and not through the gateway (direct_p95)."""

OF_RUNS = ("breaking_point", "recovery", "clearance", "growth")
"""Of these, what samples alone cannot tell: it takes the run's load, its probes or its processes."""

_UNITS: dict[str, tuple[Unit, ...]] = {
    "errors": ("%",),
    "rate": ("/s", "%"),
    **OWN,
    "promql": ("", "%", "ms", "s", "/s", "MB"),
}

_TEXT = re.compile(
    r"""^\s*(?:(?P<label>.+?)\s*:\s+)?
        (?:(?P<basis>response|elapsed)\s+)?
        (?P<metric>[a-z0-9_]+)\s*
        (?P<comparison><=|>=|<|>)\s*
        (?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|%|/s)?\s*$""",
    re.VERBOSE,
)

_PROMQL = re.compile(
    r"""^\s*promql\s+(?P<promql>\S.*?)\s*(?P<comparison><=|>=|<|>)\s*
        (?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|%|/s|MB)?\s*$""",
    re.VERBOSE | re.DOTALL,
)

GRAMMAR = "[LABEL: ][response|elapsed] METRIC <|<=|>|>= LIMIT[ms|s|%|/s]"
PROMQL_GRAMMAR = "promql EXPRESSION <|<=|>|>= LIMIT[ms|s|%|/s|MB]"


class Objective(BaseModel):
    """One limit on one metric, over all samples or those of one label.

    Latency metrics are in milliseconds. ``errors`` is the share of failed samples in percent. ``rate``
    is samples a second (unit ``/s``) or, with unit ``%``, the share of the rate that was asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric
    comparison: Comparison
    limit: float
    unit: Unit = "ms"
    basis: Basis = "response"
    label: str | None = None
    promql: str | None = None
    """What Prometheus is asked, for the metric of that name: an expression, or the name of one of telemetry's
    queries. The limit is for the worst value of any of its series in the measured window."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``GET /tools: response p95 < 200ms``, ``errors < 0.1%``, ``rate >= 95%`` or the like, or
        ``promql max(pg_stat_activity_count) < 80``.

        Without a unit, latencies are milliseconds, ``errors`` percent and ``rate`` requests a second.

        Raises:
            InputError: the text is not of that form; the message quotes it and says what would be.
        """
        if match := _PROMQL.match(text):
            return cls.model_validate(
                {
                    **match.groupdict(),
                    "metric": "promql",
                    "unit": match["unit"] or "",
                    "limit": match["limit"],
                }
            )
        match = _TEXT.match(text)
        metrics = [one for one in get_args(Metric) if one != "promql"]
        if match is None or match["metric"] not in metrics:
            raise InputError(
                f"cannot read the objective '{text}'",
                f"write {GRAMMAR}, where METRIC is one of {', '.join(metrics)}; or {PROMQL_GRAMMAR}",
            )
        metric, unit, limit = match["metric"], match["unit"], float(match["limit"])
        units = _UNITS.get(metric, ("ms",))
        default = units[0]
        if unit == "s" and default == "ms":
            unit, limit = "ms", limit * 1000
        if (unit or default) not in units:
            raise InputError(
                f"the objective '{text}' gives {metric} in '{unit}'", f"use {' or '.join(units)}"
            )
        return cls.model_validate(
            {
                "metric": metric,
                "comparison": match["comparison"],
                "limit": limit,
                "unit": unit or default,
                "basis": match["basis"] or "response",
                "label": match["label"],
            }
        )

    @property
    def is_latency(self) -> bool:
        """Whether the limit is in milliseconds."""
        return self.metric not in _UNITS

    @property
    def key(self) -> tuple[str, str | None]:
        """What it speaks of: an objective with the same key replaces another."""
        return (self.metric, self.of)

    @property
    def of(self) -> str | None:
        """The label or the PromQL expression; None where it is of all samples."""
        return self.promql or self.label

    @property
    def worst(self) -> Worst:
        """Which of several values is the worst: the highest of a limit from above, else the lowest."""
        return "max" if self.comparison in ("<", "<=") else "min"

    def allows(self, value: float) -> bool:
        """Whether a measured value, in this objective's unit, keeps the limit."""
        match self.comparison:
            case "<":
                return value < self.limit
            case "<=":
                return value <= self.limit
            case ">":
                return value > self.limit
            case ">=":
                return value >= self.limit

    def __str__(self) -> str:
        label = f"{self.label}: " if self.label else ""
        basis = f"{self.basis} " if self.is_latency else ""
        unit = f" {self.unit}" if self.unit in ("ms", "s", "MB") else self.unit
        asked = f" {self.promql}" if self.promql else ""
        return f"{label}{basis}{self.metric}{asked} {self.comparison} {self.limit:g}{unit}"
