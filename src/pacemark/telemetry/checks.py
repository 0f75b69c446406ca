"""The monitoring before a test: is what a run would ask there, and does it know the gateway?"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping

from pacemark.errors import InputError
from pacemark.gateway.connection import Connection
from pacemark.results.record import Finding
from pacemark.telemetry.dashboards import DASHBOARDS
from pacemark.telemetry.grafana import Grafana, GrafanaError
from pacemark.telemetry.loki import Loki, LokiError
from pacemark.telemetry.prometheus import Prometheus, PrometheusError
from pacemark.telemetry.queries import QUERIES
from pacemark.telemetry.recorder import SCRAPES_A_RATE, scrape_interval_s

_LATELY_S = 300
_OF_RULES = "give that Prometheus deploy/prometheus/rules/services.yml, which cAdvisor feeds"


def monitoring_findings(
    environ: Mapping[str, str], connection: Connection, loki_query: str
) -> Iterator[Finding]:
    """What Prometheus, Grafana and Loki say, of those whose URLs are set; nothing of the others."""
    if url := environ.get("PROMETHEUS_URL"):
        yield from _prometheus(url, environ.get("PROMETHEUS_TOKEN", ""), connection)
    if url := environ.get("GRAFANA_URL"):
        yield from _grafana(url, environ.get("GRAFANA_TOKEN", ""), connection)
    if (url := environ.get("LOKI_URL")) or environ.get("GRAFANA_URL"):
        yield _loki(url, environ, connection, loki_query)


def _prometheus(url: str, token: str, connection: Connection) -> Iterator[Finding]:
    try:
        with Prometheus(url, token, connection) as prometheus:
            targets = prometheus.targets()
            rate_s = SCRAPES_A_RATE * scrape_interval_s(prometheus, targets) if targets else 0
            told = {
                query: prometheus.now(query.over(f"{rate_s:g}s"))
                for query in QUERIES
                if targets and query.is_shown
            }
    except (PrometheusError, InputError) as error:
        yield _warning("prometheus", error.message, error.hint or "is it up, and PROMETHEUS_URL right?")
        return
    if not targets:
        yield _warning("prometheus", f"{url} scrapes nothing", "give it the gateway and the exporters")
        return
    jobs = Counter(target.job for target in targets)
    listed = ", ".join(f"{job} ({count})" for job, count in sorted(jobs.items()))
    yield Finding(name="prometheus", level="ok", detail=f"{url} scrapes {len(targets)} targets: {listed}")
    for target in targets:
        if target.is_missed:
            where = f"{target.job} {target.instance}"
            yield _warning("target", f"{where} is down: {target.error}", "is it up?")
    by_resource: dict[str, list[str]] = {}
    for query, lines in told.items():
        if not lines:
            by_resource.setdefault(query.resource, []).append(query.name)
        elif query.name.endswith("_up") and query.limit and any(not one.points[-1].value for one in lines):
            yield _warning("telemetry", query.limit.meaning, "its exporter is there: see what it serves")
    for resource, names in by_resource.items():
        yield _warning(
            "telemetry",
            f"nothing of the {resource}: {', '.join(names)}",
            _OF_RULES
            if resource in ("processor", "memory")
            else "have its exporter scraped; rates need two scrapes, and some traffic",
        )


def _grafana(url: str, token: str, connection: Connection) -> Iterator[Finding]:
    try:
        with Grafana(url, token, connection) as grafana:
            version, titles = grafana.version(), grafana.dashboards()
    except (GrafanaError, InputError) as error:
        yield _warning("grafana", error.message, error.hint)
        return
    yield Finding(name="grafana", level="ok", detail=f"{url} is well, version {version}")
    missing = [one.title for one in DASHBOARDS if one.title not in titles]
    if missing:
        yield _warning(
            "dashboards", f"Grafana lacks {', '.join(missing)}", "provision them from deploy/grafana"
        )
    else:
        yield Finding(name="dashboards", level="ok", detail=f"all {len(DASHBOARDS)} are there")


def _loki(url: str | None, environ: Mapping[str, str], connection: Connection, query: str) -> Finding:
    remedy = "is its agent (Promtail, Alloy) up?"
    now = time.time()
    try:
        loki = (
            Loki(url, environ.get("LOKI_TOKEN", ""), connection)
            if url
            else Loki.by_grafana(environ["GRAFANA_URL"], environ.get("GRAFANA_TOKEN", ""), connection)
        )
        with loki:
            labels = loki.labels(now - _LATELY_S)
            first = next(loki.lines(query, now - _LATELY_S, now), None)
    except (LokiError, InputError) as error:
        return _warning("loki", error.message, error.hint)
    if not labels:
        return _warning("loki", f"it has received no logs in the last {_LATELY_S // 60} min", remedy)
    if first is None:
        told = f"of {query} it has nothing of the last {_LATELY_S // 60} min"
        remedy = "send the gateway a request; does loki_query select its lines?"
        return _warning("loki", f"{told}; its labels are {', '.join(labels[:12])}", remedy)
    return Finding(
        name="loki", level="ok", detail=f"it receives logs, with the labels {', '.join(labels[:12])}"
    )


def _warning(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, level="warning", detail=detail, remedy=remedy)
