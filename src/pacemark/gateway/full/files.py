"""The configuration files of the full stack's services."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pacemark.gateway.full.ports import GATEWAYS
from pacemark.gateway.spec import LOOPBACK
from pacemark.telemetry.live import JOB

SCRAPE_INTERVAL_S = 5
DATABASE = "mcp"
"""Name of the database, and of the user who owns it."""
CONNECTIONS_A_GATEWAY = (5, 5)
"""Pool and overflow of each gateway. PgBouncer, whose connections last as long as a client's session, needs
as many as all of them together, or all stands still."""
_IN_USE = 0.75
"""Of PgBouncer's pool, when the gateways' own are full: below the share from which on it counts as used up,
for then it is not PgBouncer that has no room."""

_NGINX = """\
daemon off;
{user}
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 16m;
    keepalive_requests 1000000;
    server_tokens off;
    log_format requests escape=json '{{"time":"$time_iso8601","msec":$msec,"status":$status,'
        '"method":"$request_method","path":"$uri","seconds":$request_time,"upstream":"$upstream_addr",'
        '"upstream_status":"$upstream_status","correlation_id":"$http_x_correlation_id",'
        '"traceparent":"$http_traceparent"}}';
    access_log {log} requests;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    {resolver}
    upstream gateways {{
        zone gateways 64k;
{gateways}
        keepalive 128;
    }}
    server {{
        listen {listen} backlog=4096;
        proxy_http_version 1.1;
        # With $host instead, event streams would name an address without the port.
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_connect_timeout 2s;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
        # Which gateway answered; of one that was asked in vain before it, both.
        add_header X-Upstream $upstream_addr always;
        location / {{ proxy_pass http://gateways; }}
        location ~ ^/(sse|mcp|servers/[^/]+/(sse|mcp))/?$ {{
            proxy_buffering off;
            proxy_pass http://gateways;
        }}
    }}
    server {{
        listen {status};
        access_log off;
        location = /status {{ stub_status; }}
    }}
}}
"""

_PGBOUNCER = """\
[databases]
{database} = host={server} port={server_port} dbname={database}

[pgbouncer]
listen_addr = {listen}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
admin_users = {database}
; Debian's 1.18 breaks the gateway's prepared statements in transaction mode.
pool_mode = session
default_pool_size = {pool}
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


def nginx_conf(folder: Path, log: Path, ports: Mapping[str, int], *, is_root: bool) -> str:
    """nginx in front of the gateways: its own files in ``folder``, a JSON line a request in ``log``."""
    return nginx_text(
        folder,
        log,
        gateways=[f"{LOOPBACK}:{ports['gateway'] + n}" for n in range(GATEWAYS)],
        listen=f"{LOOPBACK}:{ports['nginx']}",
        status=f"{LOOPBACK}:{ports['nginx-status']}",
        # As root its workers would be nobody's, who may not write there.
        user="user root;" if is_root else "",
    )


def nginx_text(
    folder: Path,
    log: Path,
    *,
    gateways: Iterable[str],
    listen: str,
    status: str,
    user: str = "",
    resolver: str = "",
) -> str:
    """The same for any addresses: the gateways', what is served, and its own figures (``/status``)."""
    servers = [f"        server {gateway} max_fails=1 fail_timeout=5s;" for gateway in gateways]
    text = _NGINX.format(
        user=user,
        folder=folder,
        log=log,
        resolver=resolver,
        gateways="\n".join(servers),
        listen=listen,
        status=status,
    )
    return "".join(line for line in text.splitlines(keepends=True) if line.strip())


def pgbouncer_ini(users: Path, ports: Mapping[str, int]) -> str:
    """A pool in session mode that all gateways' connections fit into."""
    return pgbouncer_text(
        users, LOOPBACK, ports["postgres"], listen=LOOPBACK, port=ports["pgbouncer"], gateways=GATEWAYS
    )


def pgbouncer_text(
    users: Path, server: str, server_port: int, *, listen: str, port: int, gateways: int
) -> str:
    """The same for any addresses and any number of gateways."""
    return _PGBOUNCER.format(
        database=DATABASE,
        server=server,
        server_port=server_port,
        listen=listen,
        port=port,
        users=users,
        pool=math.ceil(gateways * sum(CONNECTIONS_A_GATEWAY) / _IN_USE),
    )


def prometheus_config(ports: Mapping[str, int], token: Path, rules: Path, live: Path) -> dict[str, Any]:
    """It scrapes the gateways themselves, not nginx, which would give another one's figures each time.

    ``live`` is the file that says where a JMeter gives its figures, if any does.
    """

    def job(name: str, *targets: int, **more: Any) -> dict[str, Any]:
        return {
            "job_name": name,
            "static_configs": [{"targets": [f"{LOOPBACK}:{port}" for port in targets]}],
            **more,
        }

    gateways = [ports["gateway"] + n for n in range(GATEWAYS)]
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_INTERVAL_S}s",
            "scrape_timeout": f"{SCRAPE_INTERVAL_S}s",
            "evaluation_interval": f"{SCRAPE_INTERVAL_S}s",
        },
        "rule_files": [str(rules / "*.json")],
        "scrape_configs": [
            job(
                "mcpgateway",
                *gateways,
                metrics_path="/metrics/prometheus",
                authorization={"credentials_file": str(token)},
            ),
            job("postgres", ports["postgres-exporter"]),
            job("pgbouncer", ports["pgbouncer-exporter"]),
            job("redis", ports["redis-exporter"]),
            job("nginx", ports["nginx-exporter"]),
            job("processes", ports["process-exporter"]),
            job("prometheus", ports["prometheus"]),
            {"job_name": JOB, "file_sd_configs": [{"files": [str(live)], "refresh_interval": "5s"}]},
        ],
    }


def pool_exporter_config(ports: Mapping[str, int]) -> str:
    """Its password comes from the environment: the exporter replaces ``$(NAME)``, outside quotes alone."""
    dsn = f"postgresql://{DATABASE}:$(DATABASE_PASSWORD)@{LOOPBACK}:{ports['pgbouncer']}/pgbouncer"
    host = f"exporter_host: {LOOPBACK}\nexporter_port: {ports['pgbouncer-exporter']}\n"
    return f"{host}pgbouncers:\n  - dsn: {dsn}\n"


def process_groups() -> dict[str, Any]:
    """The process exporter's groups: the stack's services, JMeter, and all else; the first that fits."""

    def by_command(name: str, pattern: str) -> dict[str, Any]:
        return {"name": name, "cmdline": [pattern]}

    programs = ("postgres", "pgbouncer", "redis-server", "nginx", "prometheus")
    return {
        "process_names": [
            *({"name": name.removesuffix("-server"), "comm": [name]} for name in programs),
            by_command("gateway-{{.Matches.Port}}", r"mcpgateway\.main:app.*--port (?P<Port>\d+)"),
            by_command("{{.Matches.Name}}", r"pacemark\.gateway\.servers\.(?P<Name>\w+)"),
            by_command("jmeter", "ApacheJMeter"),
            by_command("exporters", "exporter"),
            by_command("pacemark", "pacemark"),
            by_command("other", ".+"),
        ]
    }


def write(path: Path, content: str | dict[str, Any]) -> Path:
    """Write it, a value as JSON, which all of them read as YAML; the path again."""
    text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
