"""Prometheus's HTTP API, as far as telemetry needs it (https://prometheus.io/docs/prometheus/latest/querying/api)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import httpx

from pacemark.errors import PacemarkError
from pacemark.gateway.client import json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.telemetry.client import client_of
from pacemark.telemetry.live import JOB

MOST_POINTS = 10_000
"""Of one series in one answer; Prometheus refuses more than 11,000."""
_TIMEOUT_S = 10.0
_DURATION = re.compile(r"(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_USUAL_INTERVAL_S = 15.0


class PrometheusError(PacemarkError):
    """It could not be asked, or did not answer as it should."""


class QueryError(PrometheusError):
    """It answers, and refuses this query."""


class Point(NamedTuple):
    """A value at an instant of epoch seconds; not-a-number for a ratio of nothing."""

    at: float
    value: float


@dataclass(frozen=True)
class Line:
    """One series: its labels, and its points in the order of time."""

    labels: Mapping[str, str]
    points: list[Point]


@dataclass(frozen=True)
class Target:
    """Something that is scraped."""

    job: str
    instance: str
    is_up: bool
    interval_s: float
    error: str
    """What went wrong at the last scrape, empty when nothing did."""

    @property
    def is_missed(self) -> bool:
        """Whether a scrape failed that should not: a JMeter answers while it works, if it was asked to."""
        return not self.is_up and bool(self.error) and self.job != JOB


class Prometheus:
    """Asks one Prometheus. A ``token`` is sent as a bearer's.

    Raises:
        InputError: the URL is none.
    """

    def __init__(self, url: str, token: str = "", connection: Connection = DIRECT) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url, self._http = client_of("PROMETHEUS_URL", url, headers, connection, _TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def now(self, promql: str, at: float | None = None) -> list[Line]:
        """An instant query at ``at`` (epoch seconds; now): a point a series.

        Raises:
            QueryError: the query is refused.
            PrometheusError: no answer came.
        """
        given = {"query": promql} | ({} if at is None else {"time": f"{at:.3f}"})
        data = self._asked("/api/v1/query", given)
        if data.get("resultType") == "scalar":
            return [Line({}, [_point(data["result"])])]
        return [Line(row["metric"], [_point(row["value"])]) for row in data["result"]]

    def over(self, promql: str, start: float, end: float, step_s: float) -> list[Line]:
        """A range query from ``start`` to ``end`` (epoch seconds, both included), a point every ``step_s``.

        Raises:
            QueryError: the query is refused.
            PrometheusError: no answer came.
        """
        found: dict[tuple[tuple[str, str], ...], Line] = {}
        while start <= end:
            last = min(end, start + (MOST_POINTS - 1) * step_s)
            given = {"query": promql, "start": f"{start:.3f}", "end": f"{last:.3f}", "step": f"{step_s:g}"}
            for row in self._asked("/api/v1/query_range", given)["result"]:
                key = tuple(sorted(row["metric"].items()))
                line = found.setdefault(key, Line(row["metric"], []))
                line.points.extend(map(_point, row["values"]))
            start = last + step_s
        return list(found.values())

    def targets(self) -> list[Target]:
        """What it scrapes.

        Raises:
            PrometheusError: no answer came.
        """
        found = self._asked("/api/v1/targets", {"state": "active"}, verb="GET")["activeTargets"]
        return [
            Target(
                job=str(row.get("labels", {}).get("job", row.get("scrapePool", ""))),
                instance=str(row.get("labels", {}).get("instance", "")),
                is_up=row.get("health") == "up",
                interval_s=duration_s(str(row.get("scrapeInterval", ""))),
                error=str(row.get("lastError", ""))[:200],
            )
            for row in found
        ]

    def _asked(self, path: str, given: Mapping[str, str], verb: str = "POST") -> Any:
        try:
            # By POST an expression may be of any length.
            response = (
                self._http.post(path, data=given) if verb == "POST" else self._http.get(path, params=given)
            )
        except httpx.TimeoutException:
            raise PrometheusError(f"{self.url} did not answer within {_TIMEOUT_S:g} s") from None
        except httpx.HTTPError as error:
            raise PrometheusError(f"{self.url}: {error}") from None
        answer = json_of(response)
        if isinstance(answer, dict) and answer.get("status") == "success":
            return answer["data"]
        said = answer.get("error") if isinstance(answer, dict) else None
        if said and response.status_code in (400, 422):
            raise QueryError(f"Prometheus refuses the query: {str(said)[:200]}")
        raise PrometheusError(
            f"{self.url}{path} answered HTTP {response.status_code}"
            + (f": {str(said)[:200]}" if said else "")
        )


def duration_s(text: str) -> float:
    """Seconds of a duration as Prometheus writes scrape intervals: ``5s``, ``1m30s``, ``500ms``."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return _USUAL_INTERVAL_S
    minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return minutes * 60 + seconds + milliseconds / 1000


def _point(pair: tuple[float, str]) -> Point:
    value = float(pair[1])
    return Point(float(pair[0]), value if math.isfinite(value) else math.nan)
