"""By how much a metric may change: the thresholds of a comparison, and their grammar."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError

ComparedMetric = Literal["p50", "p90", "p95", "p99", "mean", "throughput", "error"]
METRICS: tuple[ComparedMetric, ...] = get_args(ComparedMetric)
LimitUnit = Literal["%", "ms", "/s"]

LEAST_CHANGE_MS = 1
"""JMeter records whole milliseconds: a latency that moved by one may not have moved at all."""
_UNITS: Mapping[str, tuple[LimitUnit, ...]] = {"throughput": ("%", "/s"), "error": ("%",)}
_LATENCY_UNITS: tuple[LimitUnit, ...] = ("%", "ms")


class Threshold(BaseModel):
    """By how much a metric may get worse: relative (``%``) or absolute; for ``error`` percentage points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: ComparedMetric
    limit: Fraction
    unit: LimitUnit

    @classmethod
    def parse(cls, metric: str, text: str) -> Self:
        """Read ``10%``, ``20ms`` (latencies) or ``5/s`` (throughput) for one of the compared metrics.

        Raises:
            InputError: the metric or the text is none of these.
        """
        if metric not in METRICS:
            raise InputError(f"no threshold on '{metric}'", f"use {', '.join(METRICS)}")
        units = _UNITS.get(metric, _LATENCY_UNITS)
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|ms|/s)\s*", text)
        if match is None or match[2] not in units:
            examples = " or ".join(f"5{unit}" for unit in units)
            raise InputError(
                f"cannot read the threshold '{text}' on {metric}", f"write for example {examples}"
            )
        return cls.model_validate({"metric": metric, "limit": Fraction(match[1]), "unit": match[2]})

    def allowed(self, baseline: Fraction) -> Fraction:
        """The change that still counts as the same, in the metric's own unit; of a latency 1 ms or more."""
        if self.metric == "error":
            return self.limit
        limit = abs(baseline) * self.limit / 100 if self.unit == "%" else self.limit
        return limit if self.metric == "throughput" else max(limit, Fraction(LEAST_CHANGE_MS))

    def __str__(self) -> str:
        return f"{float(self.limit):g} percentage points" if self.metric == "error" else self._plain()

    def _plain(self) -> str:
        return f"{float(self.limit):g}{' ms' if self.unit == 'ms' else self.unit}"


DEFAULT_THRESHOLDS = (Threshold.parse("p95", "10%"), Threshold.parse("error", "0.5%"))


def parse_share(text: str) -> float:
    """Read ``12%`` as 0.12.

    Raises:
        InputError: it is no percentage above 0 and below 1000.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if match is None or not 0 < float(match[1]) < 1000:
        raise InputError(f"cannot read the noise '{text}'", "write for example 12%")
    return float(match[1]) / 100
