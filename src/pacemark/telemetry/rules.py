"""Prometheus's rules, made from the queries: what native stack and containers record alike, and the alerts.

As plain values: JSON is YAML, so a rule file may be either.
"""

from typing import Any

from pacemark.telemetry.queries import QUERIES
from pacemark.telemetry.query import ALERT_WINDOW, RECORDED_RATE, RECORDED_RATE_S, Query

Rules = dict[str, Any]
CPU_USED, CPU_ALL = RECORDED_RATE, "pacemark:cpu_cores:all"
MEMORY_USED, MEMORY_ALL = "pacemark:memory_bytes:used", "pacemark:memory_bytes:all"
RECEIVED, SENT = "pacemark:network_received_bytes:per_second", "pacemark:network_sent_bytes:per_second"
"""Of containers alone."""
_OTHER = {"service": "other"}
_EVERY = "5s"
_RATE = f"{RECORDED_RATE_S}s"

_UNSEEN: tuple[Rules, ...] = (
    {
        # Whose figures are gone crosses no limit.
        "alert": "ScrapeFailed",
        "expr": 'up{job!~"mcpgateway|jmeter"} < 1',
        "for": "15s",
        "labels": {"resource": "monitoring", "severity": "symptom"},
        "annotations": {
            "summary": "What Prometheus scrapes does not answer",
            "description": "{{ $labels.job }} at {{ $labels.instance }} cannot be scraped.",
        },
    },
    {
        # A container that ended is no target any more: its address has left the name's at once.
        "alert": "GatewayGone",
        "expr": 'count(up{job="mcpgateway"}) < max_over_time(count(up{job="mcpgateway"})[15m:15s])'
        ' or 0 * max_over_time(count(up{job="mcpgateway"})[15m:15s]) unless on () up{job="mcpgateway"}',
        "for": "5s",
        "labels": {"resource": "gateway", "severity": "saturation"},
        "annotations": {
            "summary": "A gateway is gone",
            "description": "{{ $value }} are left, fewer than there were within the last 15 minutes.",
        },
    },
)
"""Alerts on what no query of the table can see."""


def native_rules(cores: float, memory_bytes: int) -> Rules:
    """Recording rules fed by the process exporter, on a machine of so many cores and so much memory."""
    cpu = f"rate(namedprocess_namegroup_cpu_seconds_total[{_RATE}])"
    memory = 'namedprocess_namegroup_memory_bytes{memtype="proportionalResident"}'
    return _recording(
        {"record": CPU_USED, "expr": _by_service(cpu, "groupname")},
        {"record": CPU_ALL, "expr": f"vector({cores:g})"},
        {"record": MEMORY_USED, "expr": _by_service(memory, "groupname")},
        {"record": MEMORY_ALL, "expr": f"vector({memory_bytes})"},
    )


def container_rules() -> Rules:
    """The same, fed by cAdvisor: a service is one of compose's; ``other`` is the rest of the machine."""
    name = "container_label_com_docker_compose_service"
    cpu = f"rate(container_cpu_usage_seconds_total{{%s}}[{_RATE}])"
    memory = "container_memory_working_set_bytes{%s}"
    services, machine = f'{name}!=""', 'id="/"'
    received = f"rate(container_network_receive_bytes_total{{{services}}}[{_RATE}])"
    sent = f"rate(container_network_transmit_bytes_total{{{services}}}[{_RATE}])"
    return _recording(
        {"record": CPU_USED, "expr": _by_service(cpu % services, name)},
        {"record": CPU_USED, "expr": _rest(cpu % machine, cpu % services), "labels": _OTHER},
        {"record": CPU_ALL, "expr": "sum(machine_cpu_cores)"},
        {"record": MEMORY_USED, "expr": _by_service(memory % services, name)},
        {"record": MEMORY_USED, "expr": _rest(memory % machine, memory % services), "labels": _OTHER},
        {"record": MEMORY_ALL, "expr": "sum(machine_memory_bytes)"},
        {"record": RECEIVED, "expr": _by_service(received, name)},
        {"record": SENT, "expr": _by_service(sent, name)},
    )


def alert_rules() -> Rules:
    """An alert for each query that has a limit, with the request's window; and on what is gone."""
    rules = [_alert(query) for query in QUERIES if query.limit] + list(_UNSEEN)
    return {"groups": [{"name": "pacemark", "rules": rules}]}


def alert_name(query: Query) -> str:
    """``PoolWaiting`` of ``pool_waiting``; ``PoolDown`` of ``pool_up``."""
    name = query.name.removesuffix("_up")
    parts = name.split("_") + (["down"] if name != query.name else [])
    return "".join(part.capitalize() for part in parts)


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
            "description": f"{query.title}: no{of}."
            if query.name.endswith("_up")
            else f'{query.title}: {{{{ printf "%.4g" $value }}}}{unit}{of}, '
            f"the limit is {limit.value:g}{unit}.",
        },
    }


def _recording(*rules: Rules) -> Rules:
    return {"groups": [{"name": "pacemark-services", "interval": _EVERY, "rules": list(rules)}]}


def _by_service(promql: str, label: str) -> str:
    return f'sum by (service) (label_replace({promql}, "service", "$1", "{label}", "(.+)"))'


def _rest(machine: str, services: str) -> str:
    """What of the machine no service has. Read at two instants, they may seem to have more than it."""
    return f"clamp_min(sum({machine}) - sum({services}), 0)"
