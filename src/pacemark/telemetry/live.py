"""What JMeter itself says while it runs, on a Prometheus endpoint: the names that its listener gives and that
dashboards ask for.

Seconds and totals as Prometheus's naming has them; ``label`` is a sampler's name (``GET /tools``) and
``outcome`` is ``ok`` or a category of error.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

JOB = "jmeter"
"""The scrape job of the endpoint."""

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)
"""Upper bounds of the histogram's buckets; the request's objectives (50, 200, 300, 500 ms) are among them."""


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
    "Time to the answer since the request was due: elapsed, and how late it started where that is known.",
)
THREADS = LiveMetric("jmeter_threads", "gauge", ("state",), "Threads that are active, and that are finished.")
SLOTS_DUE = LiveMetric(
    "jmeter_slots_due_total", "counter", (), "Requests that the load profile has made due: the offered load."
)

LIVE_METRICS = (SAMPLES, RESPONSE, THREADS, SLOTS_DUE)
THREAD_STATES = ("active", "finished")
