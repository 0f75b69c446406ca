"""Prometheus's rules, made from the queries: what native stack and containers record alike, and the alerts.

As plain values: JSON is YAML, so a rule file may be either.
"""

from typing import Any

from pacemark.telemetry.queries import ALERT_WINDOW, QUERIES, Query

Rules = dict[str, Any]
_EVERY = "5s"
_RATE = "20s"
"""Four scrapes."""


def native_rules(cores: int, memory_bytes: int) -> Rules:
    """Recording rules fed by the process exporter, on a machine of so many cores and so much memory."""
    cpu = f"rate(namedprocess_namegroup_cpu_seconds_total[{_RATE}])"
    memory = 'namedprocess_namegroup_memory_bytes{memtype="proportionalResident"}'
    return _recording(
        {
            "pacemark:cpu_cores:used": _by_service(cpu, "groupname"),
            "pacemark:cpu_cores:all": f"vector({cores})",
            "pacemark:memory_bytes:used": _by_service(memory, "groupname"),
            "pacemark:memory_bytes:all": f"vector({memory_bytes})",
        }
    )


def container_rules() -> Rules:
    """The same, fed by cAdvisor: a service is one of compose's."""
    name = "container_label_com_docker_compose_service"
    cpu = f'rate(container_cpu_usage_seconds_total{{{name}!=""}}[{_RATE}])'
    memory = f'container_memory_working_set_bytes{{{name}!=""}}'
    return _recording(
        {
            "pacemark:cpu_cores:used": _by_service(cpu, name),
            "pacemark:cpu_cores:all": "sum(machine_cpu_cores)",
            "pacemark:memory_bytes:used": _by_service(memory, name),
            "pacemark:memory_bytes:all": "sum(machine_memory_bytes)",
        }
    )


def alert_rules() -> Rules:
    """An alert for each query that has a limit, with the request's window of a minute."""
    return {"groups": [{"name": "pacemark", "rules": [_alert(query) for query in QUERIES if query.limit]}]}


def alert_name(query: Query) -> str:
    """``PoolWaiting`` of ``pool_waiting``."""
    return "".join(part.capitalize() for part in query.name.split("_"))


def _alert(query: Query) -> Rules:
    limit = query.limit
    assert limit is not None
    unit = f" {query.unit}" if query.unit else ""
    of = f" ({{{{ $labels.{query.by} }}}})" if query.by else ""
    return {
        "alert": alert_name(query),
        "expr": f"({query.over(ALERT_WINDOW)}) {limit.comparison} {limit.value:g}",
        "for": f"{limit.for_s}s",
        "labels": {"resource": query.resource, "severity": "symptom" if query.is_symptom else "saturation"},
        "annotations": {
            "summary": f"{limit.meaning[0].upper()}{limit.meaning[1:]}",
            "description": f"{query.title} is {{{{ $value | humanize }}}}{unit}{of}, "
            f"limit {limit.comparison} {limit.value:g}{unit}.",
        },
    }


def _recording(rules: dict[str, str]) -> Rules:
    named = [{"record": record, "expr": promql} for record, promql in rules.items()]
    return {"groups": [{"name": "pacemark-services", "interval": _EVERY, "rules": named}]}


def _by_service(promql: str, label: str) -> str:
    return f'sum by (service) (label_replace({promql}, "service", "$1", "{label}", "(.+)"))'
