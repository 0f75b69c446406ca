"""What JMeter itself says while it runs, on a Prometheus endpoint: the names that ``jmx/live.groovy`` and the
listener give and that dashboards ask for.

Seconds and totals as Prometheus's naming has them; ``label`` is a sampler's name (``GET /tools``) and
``outcome`` is ``ok``, ``HTTP 503`` and alike, ``no answer``, or ``check failed``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

JOB = "jmeter"
"""The scrape job of the endpoint."""


@dataclass(frozen=True)
class LiveMetric:
    """One metric of the listener."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


SAMPLES = LiveMetric("jmeter_samples_total", "counter", ("label", "outcome"), "Samples that ended.")
RESPONSE = LiveMetric(
    "jmeter_response_seconds",
    "histogram",
    ("label",),
    "Time to the answer since the request was due: elapsed, and how late it started where that is known. "
    "Labels that end in 'lifetime' have none.",
)
THREADS = LiveMetric(
    "jmeter_threads",
    "gauge",
    ("state",),
    "Threads that were started, are active, and are finished; after the load, of what keeps the endpoint up.",
)
SLOTS_DUE = LiveMetric(
    "jmeter_slots_due_total",
    "counter",
    (),
    "Requests that the load profile has made due: the offered load. None where think time makes the rate.",
)

LIVE_METRICS = (SAMPLES, RESPONSE, THREADS, SLOTS_DUE)
THREAD_STATES = ("started", "active", "finished")


@contextmanager
def scraped(targets: Path | None, port: int | None, host: str) -> Iterator[None]:
    """Have the Prometheus that reads ``targets`` (file_sd) scrape ``host:port`` for so long.

    Without one of the two nothing happens: whoever else scrapes it has been told where.
    """
    if targets is None or port is None:
        yield
        return
    _tell(targets, [f"{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"])  # noqa: S104
    try:
        yield
    finally:
        # The stack may have gone meanwhile.
        if targets.parent.is_dir():
            _tell(targets, [])


def _tell(targets: Path, instances: list[str]) -> None:
    new = targets.with_suffix(".new")
    new.write_text(json.dumps([{"targets": instances}] if instances else []) + "\n", encoding="utf-8")
    new.replace(targets)  # whole, whenever it is read
