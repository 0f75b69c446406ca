"""The gateway's own count of requests, to hold against the samples."""

import time
from collections import Counter
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ConfigDict

from pacemark.gateway.client import GatewayClient, GatewayError

_REQUESTS = "http_requests_total"
_STARTED = "process_start_time_seconds"
_CLOCK_S = 2.0
"""By how much the gateway's clock may differ; the preflight warns of more."""


class Counters(BaseModel):
    """Requests that a gateway answered since it started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: dict[str, int]
    """By method and handler (``GET /tools``), over every status."""
    started: tuple[float, ...] = ()
    """When each process that was asked started, in seconds since 1970; empty where several workers share
    their counters."""
    read_at: float = 0.0
    """When they were read, in seconds since 1970."""

    def restarted_since(self, before: "Counters") -> bool:
        """Whether a process started after an earlier reading; where the processes are the same or not told,
        whether a count fell. One that is new and older is another of several that answer at the same URL."""
        if self.started == before.started:
            return any(self.requests.get(name, 0) < count for name, count in before.requests.items())
        new = set(self.started) - set(before.started)
        return any(start > before.read_at - _CLOCK_S for start in new)

    def since(self, before: "Counters") -> dict[str, int]:
        """Requests counted since an earlier reading, by method and handler; those without any left out.

        A gateway that restarted in between has lost its count, and another process has one of its own:
        compare ``started`` first.
        """
        grown = {name: count - before.requests.get(name, 0) for name, count in self.requests.items()}
        return {name: count for name, count in grown.items() if count}


def read_counters(client: GatewayClient) -> Counters | None:
    """Read ``/metrics/prometheus``; None when the gateway does not count (``ENABLE_METRICS`` is off).

    The reading itself is counted too, under ``GET /metrics/prometheus``, from the next reading on.

    Raises:
        GatewayError: no answer, or another one than 200, 404 or 503.
    """
    response = client.get("/metrics/prometheus")
    if response.status_code in (404, 503):
        return None
    if response.status_code != 200:
        raise GatewayError(
            f"GET {client.url}/metrics/prometheus answered HTTP {response.status_code}",
            "the token must be accepted there too",
        )
    return parse_counters(response.text)


def parse_counters(text: str) -> Counters:
    """Read the Prometheus text format.

    Raises:
        GatewayError: it is not of that format.
    """
    requests: Counter[str] = Counter()
    started: list[float] = []
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == _REQUESTS:
                    requests[f"{sample.labels['method']} {sample.labels['handler']}"] += int(sample.value)
                elif sample.name == _STARTED:
                    started.append(sample.value)
    except (ValueError, KeyError) as error:
        raise GatewayError(f"the gateway's metrics cannot be read: {error}") from None
    return Counters(requests=dict(requests), started=tuple(started), read_at=time.time())


def together(readings: Sequence[Counters]) -> Counters:
    """Of several processes, what they counted in all."""
    requests: Counter[str] = Counter()
    for one in readings:
        requests.update(one.requests)
    return Counters(
        requests=dict(requests),
        started=tuple(start for one in readings for start in one.started),
        read_at=min((one.read_at for one in readings), default=0.0),
    )
