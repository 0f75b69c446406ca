"""What Prometheus is asked: one table, from which recorder, alert rules, dashboards and reference are made.

Container figures come from recording rules (``pacemark:...``), which cAdvisor feeds in compose and the
process exporter natively, so that one query serves both.
"""

from pacemark.telemetry.query import Limit, Query

_NOT_THE_LOAD = 'handler!~"/metrics/prometheus|/ready"'
"""Scrapes, and the probes of a load balancer."""
_DATABASE = 'datname="mcp"'
_POOL = 'database="mcp"'

# PgBouncer's exporters differ in their names: first that of prometheus-community, then that of PyPI.
_QUERY_SECONDS = (
    f"rate(pgbouncer_stats_queries_duration_seconds_total{{{_POOL}}}[$window])"
    f" or rate(pgbouncer_stats_queries_duration_microseconds_total{{{_POOL}}}[$window]) / 1e6"
)
_QUERY_COUNT = (
    f"rate(pgbouncer_stats_queries_pooled_total{{{_POOL}}}[$window])"
    f" or rate(pgbouncer_stats_queries_total{{{_POOL}}}[$window])"
)
_POOL_SIZE = (
    'pgbouncer_databases_pool_size{name="mcp"} or pgbouncer_databases_database_pool_size{database="mcp"}'
)


def _requests(status: str = "") -> str:
    """Requests a second, of all or of those whose status matches."""
    matched = f',status=~"{status}"' if status else ""
    return f"sum(rate(http_requests_total{{{_NOT_THE_LOAD}{matched}}}[$window]))"


def _share(part: str, whole: str) -> str:
    return f"100 * {part} / {whole}"


QUERIES = (
    # the gateway's own figures
    Query(
        "http_requests",
        "HTTP requests",
        "gateway",
        _requests(),
        "1/s",
        asked_as="rate(http_requests_total[1m])",
    ),
    Query(
        "http_errors",
        "HTTP 5xx answers",
        "gateway",
        _share(f"({_requests('5..')} or 0 * {_requests()})", _requests()),
        "%",
        limit=Limit(">", 1, 10, "the gateway answers 5xx"),
        is_symptom=True,
        asked_as='rate(http_requests_total{status=~"5.."}[1m])',
        note="a gateway without its database answers 401; connections cut at a run's end count as 500 here",
    ),
    Query(
        "http_unauthorized",
        "HTTP 401 answers",
        "gateway",
        f"{_requests('401')} or 0 * {_requests()}",
        "1/s",
        note="with a valid token: the gateway cannot ask its database",
    ),
    *(
        Query(
            f"http_p{percent}",
            f"Gateway's P{percent}, from its histogram",
            "gateway",
            f"1000 * histogram_quantile({percent / 100:g}, "
            "sum by (le) (rate(http_request_duration_highr_seconds_bucket[$window])))",
            "ms",
            limit=Limit(">", 500, 10, "the gateway takes long to answer") if percent == 95 else None,
            is_symptom=True,
            asked_as="histogram_quantile(0.95, http_request_duration_seconds_bucket)"
            if percent == 95
            else "",
            note="interpolated within a bucket, scrapes included, without the wait before the gateway",
        )
        for percent in (50, 95, 99)
    ),
    Query(
        "gateway_up",
        "Gateway answers its scrape",
        "gateway",
        'up{job="mcpgateway"}',
        "",
        by="instance",
        limit=Limit("<", 1, 5, "a gateway process does not answer"),
        is_symptom=True,
        note="one that waits for its database in its event loop does not answer either",
    ),
    Query(
        "gateway_start",
        "When the gateway started",
        "gateway",
        'process_start_time_seconds{job="mcpgateway"}',
        "s",
        by="instance",
        is_shown=False,
    ),
    Query(
        "gateway_cpu",
        "Gateway's CPU, of one core",
        "gateway",
        '100 * rate(process_cpu_seconds_total{job="mcpgateway"}[$window])',
        "%",
        by="instance",
        limit=Limit(">", 80, 10, "a gateway's event loop is busy: one worker can use one core"),
    ),
    Query(
        "gateway_cpu_time",
        "Gateway's processor time since its start",
        "gateway",
        'process_cpu_seconds_total{job="mcpgateway"}',
        "s",
        by="instance",
        is_shown=False,
    ),
    Query(
        "gateway_memory",
        "Gateway's memory",
        "gateway",
        'process_resident_memory_bytes{job="mcpgateway"} / 1e6',
        "MB",
        by="instance",
    ),
    Query(
        "gateway_files",
        "Gateway's file descriptors, of its limit",
        "gateway",
        '100 * process_open_fds{job="mcpgateway"} / process_max_fds{job="mcpgateway"}',
        "%",
        by="instance",
        limit=Limit(">", 80, 10, "a gateway's file descriptors are nearly used up"),
    ),
    # the database
    Query(
        "db_up",
        "PostgreSQL answers its exporter",
        "database",
        "pg_up",
        "",
        by="instance",
        limit=Limit("<", 1, 5, "PostgreSQL does not answer"),
    ),
    Query(
        "db_sessions",
        "Database sessions by state",
        "database",
        f"sum by (state) (pg_stat_activity_count{{{_DATABASE}}})",
        "",
        by="state",
        asked_as="pg_stat_activity_count",
    ),
    Query(
        "db_connections",
        "Database connections, of PostgreSQL's limit",
        "database",
        _share(f"sum(pg_stat_activity_count{{{_DATABASE}}})", "max(pg_settings_max_connections)"),
        "%",
        limit=Limit(">", 80, 10, "the database's connections are nearly used up"),
    ),
    Query(
        "db_transaction",
        "Longest transaction",
        "database",
        f'max(pg_stat_activity_max_tx_duration{{{_DATABASE},state!~"idle.*"}})',
        "s",
        limit=Limit(">", 5, 5, "a transaction holds on for long: a lock, or a slow query"),
    ),
    Query(
        "db_left_open",
        "Longest transaction that waits for its client",
        "database",
        f'max(pg_stat_activity_max_tx_duration{{{_DATABASE},state=~"idle in transaction.*"}})',
        "s",
        limit=Limit(">", 5, 5, "a transaction waits for its client, a gateway, to go on"),
        is_symptom=True,
        note="what its gateway waits for, or that it hangs; others may wait for what the transaction holds",
    ),
    Query(
        "db_active_time",
        "Sessions at work in the database, on average",
        "database",
        # The exporters' names: Debian 12's, in milliseconds, and that of the current ones.
        f"sum(rate(pg_stat_database_active_time{{{_DATABASE}}}[$window])) / 1000"
        f" or sum(rate(pg_stat_database_active_time_seconds_total{{{_DATABASE}}}[$window]))",
        "",
    ),
    Query(
        "db_query_time",
        "Mean time of a query",
        "database",
        f"1000 * sum({_QUERY_SECONDS}) / sum({_QUERY_COUNT})",
        "ms",
        # Measured: 0.2 to 0.6 ms where nothing is wrong. A request of the gateway's makes ten and more.
        limit=Limit(">", 5, 10, "queries are slow"),
        note="as PgBouncer sees it, so with what lies between it and PostgreSQL; of queries that ended",
    ),
    Query(
        "db_cache_hits",
        "Blocks found in PostgreSQL's cache",
        "database",
        _share(
            f"sum(rate(pg_stat_database_blks_hit{{{_DATABASE}}}[$window]))",
            f"(sum(rate(pg_stat_database_blks_hit{{{_DATABASE}}}[$window]))"
            f" + sum(rate(pg_stat_database_blks_read{{{_DATABASE}}}[$window])))",
        ),
        "%",
        limit=Limit("<", 90, 30, "the database reads from disk"),
    ),
    # PgBouncer
    Query(
        "pool_up",
        "PgBouncer answers its exporter",
        "pool",
        "pgbouncer_up",
        "",
        by="instance",
        limit=Limit("<", 1, 5, "PgBouncer does not answer"),
    ),
    Query(
        "pool_clients",
        "Clients of PgBouncer that have a connection",
        "pool",
        f"sum(pgbouncer_pools_client_active_connections{{{_POOL}}})",
        "",
        asked_as="pgbouncer_pools_cl_active",
    ),
    Query(
        "pool_use",
        "PgBouncer's connections at work, of its pool",
        "pool",
        _share(
            f"sum(pgbouncer_pools_server_active_connections{{{_POOL}}})",
            f"max({_POOL_SIZE})",
        ),
        "%",
        limit=Limit(">", 80, 10, "PgBouncer's pool is nearly used up"),
    ),
    Query(
        "pool_waiting",
        "Clients that wait for PgBouncer's pool",
        "pool",
        f"sum(pgbouncer_pools_client_waiting_connections{{{_POOL}}})",
        "",
        limit=Limit(">", 0, 5, "clients wait for a connection of PgBouncer's pool"),
    ),
    Query(
        "pool_longest_wait",
        "Longest wait for PgBouncer's pool",
        "pool",
        f"max(pgbouncer_pools_client_maxwait_seconds{{{_POOL}}})",
        "s",
        limit=Limit(">", 1, 5, "clients wait long for a connection of PgBouncer's pool"),
    ),
    Query(
        "pool_cpu",
        "PgBouncer's CPU, of one core",
        "pool",
        '100 * sum(pacemark:cpu_cores:used{service="pgbouncer"})',
        "%",
        limit=Limit(">", 90, 10, "PgBouncer is busy: it can use one core"),
    ),
    # Redis
    Query(
        "redis_up",
        "Redis answers its exporter",
        "redis",
        "redis_up",
        "",
        by="instance",
        limit=Limit("<", 1, 5, "Redis does not answer"),
    ),
    Query(
        "redis_commands",
        "Redis commands",
        "redis",
        "sum(rate(redis_commands_total[$window]))",
        "1/s",
        asked_as="redis_commands_total",
    ),
    Query(
        "redis_command_time",
        "Mean time of a Redis command",
        "redis",
        "1000 * sum(rate(redis_commands_duration_seconds_total[$window]))"
        " / sum(rate(redis_commands_total[$window]))",
        "ms",
        limit=Limit(">", 10, 10, "Redis is slow"),
        note="as Redis counts it, without the network and without waiting for its one thread",
    ),
    Query(
        "redis_hits",
        "Keys found in Redis",
        "redis",
        _share(
            "sum(rate(redis_keyspace_hits_total[$window]))",
            "(sum(rate(redis_keyspace_hits_total[$window]))"
            " + sum(rate(redis_keyspace_misses_total[$window])))",
        ),
        "%",
        note="look-ups of revoked tokens miss by design",
    ),
    Query("redis_clients", "Clients of Redis", "redis", "sum(redis_connected_clients)", ""),
    Query("redis_memory", "Redis's memory", "redis", "sum(redis_memory_used_bytes) / 1e6", "MB"),
    Query(
        "redis_cpu",
        "CPU of Redis's main thread",
        "redis",
        "100 * max(rate(redis_cpu_user_main_thread_seconds_total[$window])"
        " + rate(redis_cpu_sys_main_thread_seconds_total[$window]))",
        "%",
        limit=Limit(">", 90, 10, "Redis is busy: all commands have one thread"),
    ),
    # nginx
    Query(
        "nginx_up",
        "nginx answers its exporter",
        "nginx",
        "nginx_up",
        "",
        by="instance",
        limit=Limit("<", 1, 5, "nginx does not answer"),
    ),
    Query(
        "nginx_requests",
        "Requests through nginx",
        "nginx",
        "sum(rate(nginx_http_requests_total[$window]))",
        "1/s",
    ),
    Query("nginx_connections", "Connections to nginx", "nginx", "sum(nginx_connections_active)", ""),
    # processes or containers
    Query(
        "cpu",
        "CPU of the machine, by service",
        "processor",
        "100 * sum by (service) (pacemark:cpu_cores:used) / scalar(max(pacemark:cpu_cores:all))",
        "%",
        by="service",
        asked_as="container_cpu_usage_seconds_total",
    ),
    Query(
        "cpu_all",
        "CPU of the machine",
        "processor",
        "100 * sum(pacemark:cpu_cores:used) / scalar(max(pacemark:cpu_cores:all))",
        "%",
        limit=Limit(">", 80, 10, "the machine's processors are busy"),
    ),
    Query(
        "memory",
        "Memory, by service",
        "memory",
        "sum by (service) (pacemark:memory_bytes:used) / 1e6",
        "MB",
        by="service",
        asked_as="container_memory_usage_bytes",
        note="each process's own share of pages that several hold",
    ),
    Query(
        "memory_all",
        "Memory of the machine",
        "memory",
        "100 * sum(pacemark:memory_bytes:used) / scalar(max(pacemark:memory_bytes:all))",
        "%",
        limit=Limit(">", 85, 10, "the machine's memory is nearly used up"),
    ),
)

_BUCKETS = "http_request_duration_highr_seconds_bucket"
HISTOGRAM = f"sum by (le) ({_BUCKETS}) - sum by (le) ({_BUCKETS} offset $window)"
"""The gateway's own latencies over a window, by the buckets' upper bounds in seconds.

No ``increase``: that extrapolates a bucket which was empty at the start less far than one which was not, and
so makes slow requests out of none.
"""

BY_NAME = {query.name: query for query in QUERIES}
