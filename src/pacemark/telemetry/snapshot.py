"""``metrics_snapshot.json``: every series of the stack with its value at the end of the measured window."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacemark.telemetry.log_lines import cleaned
from pacemark.telemetry.prometheus import Line, Prometheus, PrometheusError

SNAPSHOT_FILE = "metrics_snapshot.json"
MOST_SERIES = 50_000
"""About 15 MB of JSON; the full stack has 4,000, and a Prometheus that a company shares may have millions."""
_SIZES = "sum by (job) (scrape_samples_scraped)"
"""How many series each job had at its last scrape: what all of them would be is not asked for that."""
_THEIR_OWN = '__name__!~"go_.*|promhttp_.*|prometheus_.*|scrape_.*"'
"""What exporters and Prometheus say of themselves."""
_RULES = '{__name__=~"pacemark:.+"}'
"""Recording rules have no job."""


@dataclass(frozen=True)
class Snapshot:
    """What was read; ``rows`` as Prometheus itself answers an instant query."""

    at: float = 0.0
    """In epoch seconds."""
    rows: Sequence[Mapping[str, Any]] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Jobs that were too large, with how many series they had."""
    why_not: str = ""
    """Why it is not whole, empty when it is."""

    def save(self, path: Path) -> None:
        """Write it in the form of Prometheus's answers, so that what reads those reads it too."""
        data = {"resultType": "vector", "result": self.rows}
        own = {"at": self.at, "left_out": self.left_out, "why_not": self.why_not}
        text = json.dumps({"status": "success", "data": data, "pacemark": own}, separators=(",", ":"))
        path.write_text(text.replace('{"metric":', '\n{"metric":') + "\n", encoding="utf-8")


def snapshot(prometheus: Prometheus, at: float, most: int = MOST_SERIES) -> Snapshot:
    """All series at an instant (epoch seconds), at most ``most``: job by job, the smaller jobs first.

    Never raises for what Prometheus answers: what was read before it failed is told, and why.
    """
    rows: list[dict[str, Any]] = []
    left_out: dict[str, int] = {}
    try:
        sizes = {line.labels.get("job", ""): int(line.points[0].value) for line in prometheus.now(_SIZES, at)}
        selectors = [_RULES]
        for job, size in sorted(sizes.items(), key=lambda one: one[1]):
            if size > most:
                left_out[job] = size
                continue
            most -= size
            selectors.append(f"{{job={json.dumps(job, ensure_ascii=False)},{_THEIR_OWN}}}")
        for selector in selectors:
            rows += map(_row, prometheus.now(selector, at))
    except PrometheusError as error:
        return Snapshot(at, rows, left_out, error.message)
    return Snapshot(at, rows, left_out)


def _row(line: Line) -> dict[str, Any]:
    # A label may hold a whole query, with what is secret in it.
    labels = {name: cleaned(value) for name, value in line.labels.items()}
    at, value = line.points[0]
    return {"metric": labels, "value": [at, f"{value:.17g}"]}
