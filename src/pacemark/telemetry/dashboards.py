"""Grafana's dashboards, made from the queries and from the live metrics' names: the request's six, and the
load test's own."""

from pacemark.telemetry.live import RESPONSE, SAMPLES, SLOTS_DUE, THREADS
from pacemark.telemetry.panels import WINDOW, Dashboard, Panel
from pacemark.telemetry.queries import BY_NAME
from pacemark.telemetry.rules import RECEIVED, SENT

REPLICATION_LAG = "pg_replication_lag_seconds"
OF_CONTAINERS = (RECEIVED, SENT, REPLICATION_LAG)
"""What only containers answer, of all that the panels ask."""

_OPERATIONS = "MCP .+|WS (ping|.+/.+)|SSE round trip"
"""Samplers of JSON-RPC through the gateway."""
_TOOLS = "(MCP|WS) tools/call|(gateway|fast_time|fast_test|benchmark) .+"
"""Samplers of tools, through the gateway or at the servers themselves."""


def _rate(metric: str, by: str, matching: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{matching}}}[{WINDOW}]))"


def _client(quantile: float, by: str = "", matching: str = "") -> str:
    """The client's percentile, in ms, as far as the buckets tell it."""
    labels = f"le, {by}" if by else "le"
    return f"1000 * histogram_quantile({quantile:g}, {_rate(f'{RESPONSE.name}_bucket', labels, matching)})"


def _of_labels(title: str, labels: str, quantile: float = 0.95) -> tuple[Panel, ...]:
    matching = f'label=~"{labels}"'
    failed = f'{matching},outcome!="ok"'
    return (
        Panel(title, [(_rate(SAMPLES.name, "label", matching), "{{label}}")], "1/s", _CLIENTS),
        Panel(
            f"{title}: P{100 * quantile:g}",
            [(_client(quantile, "label", matching), "{{label}}")],
            "ms",
            f"{_CLIENTS} Interpolated within a bucket.",
        ),
        Panel(
            f"{title}: errors",
            [(_rate(SAMPLES.name, "label, outcome", failed), "{{label}}: {{outcome}}")],
            "1/s",
            _CLIENTS,
        ),
    )


_CLIENTS = "As the load generator sees it, while it runs with its live figures."
_ERRORS = Panel(
    "Gateway's warnings and errors",
    [('{job="gateway", level=~"WARNING|ERROR|CRITICAL"}', "")],
    description="From Loki.",
    kind="logs",
)

DASHBOARDS = (
    Dashboard(
        "pacemark-gateway",
        "Gateway Performance",
        (
            Panel.of("http_requests", "http_unauthorized", title="HTTP requests"),
            Panel.of("http_errors"),
            Panel.of("http_p50", "http_p95", "http_p99", title="Latency, from the gateway's histogram"),
            Panel.of("gateway_up"),
            Panel.of("gateway_cpu"),
            Panel.of("gateway_memory"),
            Panel.of("gateway_files"),
            Panel.of("nginx_up"),
            Panel.of("nginx_requests"),
            Panel.of("nginx_connections"),
            _ERRORS,
        ),
    ),
    Dashboard(
        "pacemark-database",
        "Database Health",
        (
            Panel.of("db_up"),
            Panel.of("db_connections"),
            Panel.of("db_sessions"),
            Panel.of("db_query_time"),
            Panel.of("db_transaction", "db_left_open"),
            Panel.of("db_active_time"),
            Panel.of("db_cache_hits"),
            Panel(
                "How far the replica is behind",
                [(REPLICATION_LAG, "{{instance}}")],
                "s",
                "Of the performance stack; the first is never behind itself.",
            ),
        ),
    ),
    Dashboard(
        "pacemark-containers",
        "Container Resources",
        (
            Panel.of("cpu_all"),
            Panel.of("cpu"),
            Panel.of("memory_all"),
            Panel.of("memory"),
            Panel(
                "Received",
                [(RECEIVED, "{{service}}")],
                "B/s",
                "Of containers; natively there is no such figure.",
            ),
            Panel("Sent", [(SENT, "{{service}}")], "B/s", "Of containers; natively there is no such figure."),
        ),
    ),
    Dashboard(
        "pacemark-mcp",
        "MCP Protocol",
        (
            *_of_labels("JSON-RPC operations", _OPERATIONS),
            *_of_labels("Tool invocations", _TOOLS),
            Panel(
                "Requests to the gateway's protocol endpoints",
                [
                    (
                        _rate(
                            "http_requests_total", "handler", 'handler=~"/rpc|/mcp|/sse|/message|/servers/.+"'
                        ),
                        "{{handler}}",
                    )
                ],
                "1/s",
                "The gateway's own count. It has none by method or tool, nor of what goes over a WebSocket.",
            ),
        ),
    ),
    Dashboard(
        "pacemark-redis",
        "Redis Metrics",
        (
            Panel.of("redis_up"),
            Panel.of("redis_commands"),
            Panel.of("redis_command_time"),
            Panel.of("redis_hits"),
            Panel.of("redis_clients"),
            Panel.of("redis_memory"),
            Panel.of("redis_cpu"),
        ),
    ),
    Dashboard(
        "pacemark-pools",
        "Connection Pools",
        (
            Panel.of("pool_up"),
            Panel.of("pool_use"),
            Panel.of("pool_clients", "pool_waiting", title="PgBouncer's clients"),
            Panel.of("pool_longest_wait"),
            Panel.of("pool_cpu"),
            Panel.of("db_connections"),
            Panel.of("db_sessions"),
        ),
    ),
    Dashboard(
        "pacemark-load",
        "Load Test",
        (
            Panel(
                "Offered and served",
                [
                    (f"sum(rate({SLOTS_DUE.name}[{WINDOW}]))", "due"),
                    (f"sum(rate({SAMPLES.name}[{WINDOW}]))", "ended"),
                    (BY_NAME["http_requests"].over(WINDOW), "the gateway's count"),
                ],
                "1/s",
                "What the load profile makes due, what ended at the client, and what the gateway counts.",
            ),
            Panel(
                "Latency",
                [
                    *((_client(quantile), f"client P{100 * quantile:g}") for quantile in (0.5, 0.95, 0.99)),
                    (BY_NAME["http_p95"].over(WINDOW), "gateway P95"),
                ],
                "ms",
                "The client's counts from when a request was due; the gateway's has no waiting before it.",
            ),
            Panel(
                "Errors",
                [(_rate(SAMPLES.name, "outcome", 'outcome!="ok"'), "{{outcome}}")],
                "1/s",
                _CLIENTS,
            ),
            Panel.of("cpu_all"),
            Panel.of("gateway_cpu"),
            Panel(
                "Threads", [(f"sum by (state) ({THREADS.name})", "{{state}}")], "", "Of the load generator."
            ),
            Panel.of("db_connections", "pool_use", title="Connections of database and pool, of their limits"),
            Panel.of("pool_waiting"),
            Panel.of("db_query_time", "redis_command_time", title="Mean times behind the gateway"),
            Panel("Requests", [(_rate(SAMPLES.name, "label"), "{{label}}")], "1/s", _CLIENTS),
            Panel.of("memory"),
            Panel.of("gateway_up"),
            _ERRORS,
        ),
    ),
)
"""By the request's titles."""
