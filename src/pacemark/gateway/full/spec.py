"""The services of the full stack, in the order in which they start."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacemark.errors import SetupError
from pacemark.gateway.environment import GatewayEnvironment
from pacemark.gateway.full import files
from pacemark.gateway.full.files import CONNECTIONS_A_GATEWAY, DATABASE
from pacemark.gateway.full.ports import GATEWAYS
from pacemark.gateway.service import CommandProbe, HttpProbe, Service, Spec, TcpProbe
from pacemark.gateway.spec import (
    BENCHMARK_PORTS,
    GATEWAY,
    LOOPBACK,
    MEASURABLE,
    TEST_SERVERS,
    addressed,
    inherited,
    server,
)
from pacemark.machine import usable_cores, usable_memory
from pacemark.telemetry.rules import alert_rules, native_rules

NGINX = "nginx"
ACCESS_LOG = "nginx-access.log"
PROMETHEUS_DATA = "prometheus"
"""A JSON line a request, in the stack's directory."""
TOKEN_FILE = "scrape-token"  # noqa: S105
LIVE_TARGETS = "targets/jmeter.json"
"""Where Prometheus learns of a JMeter that gives live figures, in the stack's directory."""
_POSTGRES_USER = "postgres"
"""Whose PostgreSQL and PgBouncer are where we are root: both refuse to be root's."""
_SECRETS = ("JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET", "PLATFORM_ADMIN_PASSWORD")
OF_GATEWAYS = {
    # sessions of MCP and event streams, whichever gateway a request of theirs meets
    "CACHE_TYPE": "redis",
    "USE_STATEFUL_SESSIONS": "true",
    "MCPGATEWAY_SESSION_AFFINITY_ENABLED": "true",
    # each event stream holds one; by default there are 50
    "REDIS_MAX_CONNECTIONS": "1000",
    # a JSON line a request with its correlation id, for a few percent of the rate
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "json",
    # made once, straight in PostgreSQL
    "MCPGATEWAY_SKIP_MIGRATIONS": "true",
    "DB_POOL_CLASS": "queue",
    "DB_POOL_SIZE": str(CONNECTIONS_A_GATEWAY[0]),
    "DB_MAX_OVERFLOW": str(CONNECTIONS_A_GATEWAY[1]),
    "DB_POOL_TIMEOUT": "10",
    "DB_POOL_PRE_PING": "true",
}
"""Settings of each of several gateways on PostgreSQL and Redis."""


@dataclass(frozen=True)
class _Place:
    """Where the stack is."""

    home: Path
    """Configuration and logs."""
    served: Path
    """What PostgreSQL and PgBouncer keep, and their user may reach. Removed when all is down."""
    programs: Mapping[str, Path]
    ports: Mapping[str, int]
    env: Mapping[str, str]
    """What every service gets of the caller's environment."""

    @property
    def user(self) -> str:
        """Whose PostgreSQL and PgBouncer are; empty: the caller's."""
        return _POSTGRES_USER if os.geteuid() == 0 else ""

    def program(self, name: str) -> str:
        return str(self.programs[name])

    def url(self, name: str, offset: int = 0) -> str:
        return f"http://{LOOPBACK}:{self.ports[name] + offset}"


def database_secrets(password: str, ports: Mapping[str, int]) -> dict[str, str]:
    """By the names that services read: the password, and what has it in it."""

    def url(scheme: str, port: int, more: str = "") -> str:
        return f"{scheme}://{DATABASE}:{password}@{LOOPBACK}:{port}/{DATABASE}{more}"

    return {
        "DATABASE_PASSWORD": password,
        "PGPASSWORD": password,
        "DATABASE_URL": url("postgresql+psycopg", ports["pgbouncer"]),
        "DIRECT_DATABASE_URL": url("postgresql+psycopg", ports["postgres"]),
        "DATA_SOURCE_NAME": url("postgresql", ports["postgres"], "?sslmode=disable"),
    }


def full_spec(
    environment: GatewayEnvironment,
    pool_exporter: Path,
    programs: Mapping[str, Path],
    home: Path,
    ports: Mapping[str, int],
    admin_email: str,
    extra_env: Mapping[str, str],
    *,
    scrape_token: str,
    detached: bool,
    temporary: bool,
) -> Spec:
    """Write the configuration into ``home``, and tell the services.

    Raises:
        SetupError: we are root, and there is nobody whose PostgreSQL could be.
    """
    for folder in ("empty", "tmp", "rules", NGINX):
        (home / folder).mkdir()
    # Redis, PgBouncer and nginx log the local time without saying which that is.
    base = inherited() | {"HOME": str(home / "empty"), "TMPDIR": str(home / "tmp"), "TZ": "UTC"}
    place = _Place(home, _served(home), programs, ports, base)
    gateway_env = {
        **MEASURABLE,
        **OF_GATEWAYS,
        **base,
        **addressed(ports[NGINX]),
        "REDIS_URL": f"redis://{LOOPBACK}:{ports['redis']}/0",
        "PLATFORM_ADMIN_EMAIL": admin_email,
        **extra_env,
    }
    servers = [
        server(
            name,
            [ports[name] + n for n in range(BENCHMARK_PORTS if name == "benchmark" else 1)],
            home / "empty",
            base,
        )
        for name in TEST_SERVERS
    ]
    gateways = [_gateway(place, environment, gateway_env, n) for n in range(GATEWAYS)]
    return Spec(
        data_dir=home,
        detached=detached,
        remove_data_dir=temporary,
        remove_after=(place.served, place.home / PROMETHEUS_DATA),
        levels=(
            (_cluster(place), _redis(place), *servers),
            (_postgres(place),),
            (_database(place),),
            (_bootstrap(place, environment, gateway_env), _pgbouncer(place)),
            (*gateways, _prometheus(place, scrape_token), *_exporters(place, pool_exporter)),
            (_nginx(place),),
            (_nginx_exporter(place),),
        ),
    )


def _served(home: Path) -> Path:
    """A user may not reach what is in another's private folders, so root's stack has it elsewhere."""
    if os.geteuid() != 0:
        folder = home / "served"
        folder.mkdir(mode=0o700)
        return folder
    folder = Path(tempfile.mkdtemp(prefix="pacemark-", dir="/var/tmp"))
    try:
        shutil.chown(folder, _POSTGRES_USER, _POSTGRES_USER)
    except LookupError:
        folder.rmdir()
        raise SetupError(
            f"there is no user {_POSTGRES_USER}, and PostgreSQL refuses to be root's",
            "install the package postgresql, or be another user than root",
        ) from None
    return folder


def _task(place: _Place, name: str, *argv: str, **more: Any) -> Service:
    """A command that ends: what follows starts when it has."""
    env = {**place.env, **more.pop("env", {})}
    return Service(name=name, argv=argv, cwd=place.home / "empty", env=env, ends=True, probe=None, **more)


def _cluster(place: _Place) -> Service:
    """PostgreSQL's files. The password is in a file for as long as that takes."""
    script = (
        'umask 077; printf %s "$DATABASE_PASSWORD" > password; '
        '"$0" --pgdata=data --username="$1" --pwfile=password --auth=scram-sha-256 --encoding=UTF8 '
        "--locale=C; status=$?; rm -f password; exit $status"
    )
    return Service(
        name="postgres-files",
        argv=("sh", "-c", script, place.program("initdb"), DATABASE),
        cwd=place.served,
        env=dict(place.env) | {"HOME": str(place.served)},
        secret_env=("DATABASE_PASSWORD",),
        user=place.user,
        ends=True,
        probe=None,
    )


def _postgres(place: _Place) -> Service:
    port = str(place.ports["postgres"])
    given = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": "100",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_min_duration_statement": "500",
        "log_lock_waits": "on",
        "track_io_timing": "on",
    }
    settings = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
    psql = [place.program("psql"), "--no-psqlrc", "--host", LOOPBACK, "--port", port, "--username", DATABASE]
    return Service(
        name="postgres",
        argv=(place.program("postgres"), "-D", str(place.served / "data"), *settings),
        cwd=place.served,
        env=dict(place.env) | {"HOME": str(place.served)},
        # For the probe: PostgreSQL itself does not look at it.
        secret_env=("PGPASSWORD",),
        user=place.user,
        probe=CommandProbe(argv=(*psql, "--dbname", "postgres", "--command", "select 1")),
        stop_signal="INT",
        stop_s=20.0,
        url=f"postgresql://{LOOPBACK}:{port}",
    )


def _database(place: _Place) -> Service:
    connect = ("--host", LOOPBACK, "--port", str(place.ports["postgres"]), "--username", DATABASE)
    create = f"create database {DATABASE}"
    return _task(
        place,
        "database",
        *(place.program("psql"), "--no-psqlrc", *connect, "--dbname", "postgres", "--command", create),
        secret_env=("PGPASSWORD",),
    )


def _bootstrap(place: _Place, environment: GatewayEnvironment, env: Mapping[str, str]) -> Service:
    """The gateway's tables, made straight in PostgreSQL."""
    script = 'DATABASE_URL="$DIRECT_DATABASE_URL" exec "$0" -m mcpgateway.bootstrap_db'
    return _task(
        place,
        "tables",
        *("sh", "-c", script, str(environment.python)),
        env={**env, "MCPGATEWAY_SKIP_MIGRATIONS": "false"},
        secret_env=(*_SECRETS, "DIRECT_DATABASE_URL"),
        ready_s=180.0,
    )


def _pgbouncer(place: _Place) -> Service:
    """It reads passwords from a file alone."""
    users = place.served / "users.txt"
    config = files.write(place.served / "pgbouncer.ini", files.pgbouncer_ini(users, place.ports))
    script = (
        """umask 077; printf '"%s" "%s"\\n' "$1" "$DATABASE_PASSWORD" > users.txt; """
        'unset DATABASE_PASSWORD; exec "$0" "$2"'
    )
    return Service(
        name="pgbouncer",
        argv=("sh", "-c", script, place.program("pgbouncer"), DATABASE, str(config)),
        cwd=place.served,
        env=dict(place.env) | {"HOME": str(place.served)},
        secret_env=("DATABASE_PASSWORD",),
        user=place.user,
        probe=TcpProbe(host=LOOPBACK, port=place.ports["pgbouncer"]),
        url=f"postgresql://{LOOPBACK}:{place.ports['pgbouncer']}",
    )


def _redis(place: _Place) -> Service:
    port = str(place.ports["redis"])
    return Service(
        name="redis",
        argv=(
            *(place.program("redis-server"), "--port", port, "--bind", LOOPBACK),
            *("--save", "", "--appendonly", "no", "--dir", str(place.home / "tmp")),
        ),
        cwd=place.home / "empty",
        env=dict(place.env),
        probe=TcpProbe(host=LOOPBACK, port=int(port)),
        url=f"redis://{LOOPBACK}:{port}",
    )


def _gateway(place: _Place, environment: GatewayEnvironment, env: Mapping[str, str], n: int) -> Service:
    """One worker, on a port of its own: so each has figures of its own."""
    name, port = f"{GATEWAY}-{n + 1}", place.ports[GATEWAY] + n
    scratch = place.home / "tmp" / name
    scratch.mkdir()
    return Service(
        name=name,
        argv=(
            *(str(environment.python), "-m", "uvicorn", "mcpgateway.main:app"),
            *("--host", LOOPBACK, "--port", str(port), "--log-level", "error", "--no-access-log"),
            *("--timeout-graceful-shutdown", "3"),
        ),
        cwd=place.home / "empty",
        env={**env, "PORT": str(port), "TMPDIR": str(scratch)},
        secret_env=(*_SECRETS, "DATABASE_URL"),
        probe=HttpProbe(url=f"{place.url(GATEWAY, n)}/ready"),
        ready_s=180.0,
        url=place.url(GATEWAY, n),
    )


def _nginx(place: _Place) -> Service:
    folder = place.home / NGINX
    text = files.nginx_conf(folder, place.home / ACCESS_LOG, place.ports, is_root=os.geteuid() == 0)
    config = files.write(place.home / "nginx.conf", text)
    return Service(
        name=NGINX,
        argv=(place.program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(config)),
        cwd=place.home / "empty",
        env=dict(place.env),
        probe=HttpProbe(url=f"{place.url(NGINX)}/ready"),
        stop_signal="QUIT",
        url=place.url(NGINX),
    )


def _prometheus(place: _Place, scrape_token: str) -> Service:
    token = place.home / TOKEN_FILE
    token.touch(mode=0o600)
    token.write_text(scrape_token, encoding="utf-8")
    services = native_rules(usable_cores(), usable_memory())
    files.write(place.home / "rules" / "services.json", services)
    files.write(place.home / "rules" / "alerts.json", alert_rules())
    live = files.write(place.home / LIVE_TARGETS, "[]\n")
    config = files.write(
        place.home / "prometheus.json",
        files.prometheus_config(place.ports, token, place.home / "rules", live),
    )
    return Service(
        name="prometheus",
        argv=(
            *(place.program("prometheus"), f"--config.file={config}"),
            *(f"--storage.tsdb.path={place.home / PROMETHEUS_DATA}", "--log.level=warn"),
            f"--web.listen-address={LOOPBACK}:{place.ports['prometheus']}",
        ),
        cwd=place.home / "empty",
        env=dict(place.env),
        probe=HttpProbe(url=f"{place.url('prometheus')}/-/ready"),
        stop_s=20.0,
        url=place.url("prometheus"),
    )


def _exporters(place: _Place, pool_exporter: Path) -> list[Service]:
    pool = files.write(place.home / "pgbouncer-exporter.yml", files.pool_exporter_config(place.ports))
    groups = files.write(place.home / "process-exporter.json", files.process_groups())
    redis = f"redis://{LOOPBACK}:{place.ports['redis']}"
    return [
        _exporter(place, "postgres-exporter", "--web.listen-address={}", secret_env=("DATA_SOURCE_NAME",)),
        _exporter(place, "redis-exporter", "-web.listen-address={}", f"-redis.addr={redis}"),
        _exporter(place, "process-exporter", "-web.listen-address={}", f"-config.path={groups}"),
        _exporter(
            place,
            "pgbouncer-exporter",
            f"--config={pool}",
            program=str(pool_exporter),
            secret_env=("DATABASE_PASSWORD",),
        ),
    ]


def _nginx_exporter(place: _Place) -> Service:
    """After nginx: it ends where that is not up."""
    status = f"{place.url('nginx-status')}/status"
    return _exporter(place, "nginx-exporter", "-web.listen-address={}", f"-nginx.scrape-uri={status}")


def _exporter(
    place: _Place, name: str, *args: str, program: str = "", secret_env: tuple[str, ...] = ()
) -> Service:
    address = f"{LOOPBACK}:{place.ports[name]}"
    return Service(
        name=name,
        argv=(program or place.program(f"prometheus-{name}"), *(arg.format(address) for arg in args)),
        cwd=place.home / "empty",
        env=dict(place.env),
        secret_env=secret_env,
        probe=HttpProbe(url=f"{place.url(name)}/metrics"),
        url=f"{place.url(name)}/metrics",
    )
