"""Small tasks of the containers: ``python -m pacemark.gateway.full.tasks secrets|token|register|status``.

* ``secrets FILE`` writes fresh random secrets for ``docker compose``, unless the file is there.
* ``token FILE`` writes Prometheus's token, from ``JWT_SECRET_KEY``.
* ``register NAME=URL...`` makes MCP servers known to the gateway at ``GATEWAY_URL``.
* ``status [FILE]`` says which of the stack's doors answer; ports may have been moved in that file.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from pacemark.errors import Exit, InputError, PacemarkError
from pacemark.gateway.client import GatewayClient
from pacemark.gateway.register import register
from pacemark.gateway.spec import Secrets
from pacemark.gateway.token import Credentials
from pacemark.telemetry.prometheus import Prometheus, PrometheusError

TOKEN_S = 90 * 24 * 3600.0
"""Longer than any soak test; ``make monitoring-up`` writes a new one each time."""
_REGISTER_S = 60.0
_ANSWER_S = 5.0


class Door(NamedTuple):
    """Where a service answers."""

    variable: str
    """That says its URL; without it, it is on this machine."""
    port_variable: str
    port: int
    path: str
    """What to ask."""


DOORS = {
    "gateway": Door("GATEWAY_URL", "NGINX_PORT", 8080, "/health"),
    "prometheus": Door("PROMETHEUS_URL", "PROMETHEUS_PORT", 9090, "/-/ready"),
    "grafana": Door("GRAFANA_URL", "GRAFANA_PORT", 3000, "/api/health"),
    "loki": Door("LOKI_URL", "LOKI_PORT", 3100, "/ready"),
    "fast_time": Door("FAST_TIME_SERVER_URL", "FAST_TIME_PORT", 8888, "/health"),
    "fast_test": Door("FAST_TEST_SERVER_URL", "FAST_TEST_PORT", 8880, "/health"),
}


def write_secrets(path: Path) -> bool:
    """Write fresh secrets that only the caller can read; False, and nothing, when the file is there.

    They stay as they are then: PostgreSQL keeps its password in its volume.
    """
    fresh = Secrets.fresh().environment | {
        "DATABASE_PASSWORD": secrets.token_urlsafe(24),
        "GRAFANA_ADMIN_PASSWORD": secrets.token_urlsafe(24),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in fresh.items())
    return True


def write_token(path: Path, environ: Mapping[str, str]) -> None:
    """Write a token that lives ``TOKEN_S``, for whoever reaches the file: its folder is Prometheus's own.

    Raises:
        InputError: the environment has no ``JWT_SECRET_KEY``.
    """
    path.unlink(missing_ok=True)
    path.write_text(_credentials(environ, TOKEN_S).token, encoding="utf-8")
    path.chmod(0o444)


def register_servers(servers: Iterable[str], environ: Mapping[str, str]) -> str:
    """Register each ``NAME=URL`` that is not yet; the virtual server's id.

    Raises:
        InputError: the environment lacks the gateway's URL or secret.
        SetupError: the gateway refused.
    """
    named = dict(one.split("=", 1) for one in servers)
    if not (url := environ.get("GATEWAY_URL")):
        raise InputError("GATEWAY_URL is not set", "set it to the gateway's URL")
    with GatewayClient(url, _credentials(environ, 0), timeout_s=_REGISTER_S) as client:
        return register(client, named)


def status(environ: Mapping[str, str]) -> dict[str, str]:
    """By door, and by each target of Prometheus that is down: what is wrong, empty where nothing is."""
    found = {name: _wrong(_url(name, environ) + DOORS[name].path) for name in DOORS}
    if not found["prometheus"]:
        try:
            with Prometheus(_url("prometheus", environ)) as prometheus:
                down = [target for target in prometheus.targets() if target.is_missed]
        except PrometheusError as error:
            return found | {"prometheus": str(error)}
        found |= {f"target {target.job} {target.instance}": target.error for target in down}
    return found


def _url(name: str, environ: Mapping[str, str]) -> str:
    door = DOORS[name]
    default = f"http://localhost:{environ.get(door.port_variable) or door.port}"
    return (environ.get(door.variable) or default).rstrip("/")


def _wrong(url: str) -> str:
    try:
        answered = httpx.get(url, timeout=_ANSWER_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{url}: {error}"
    return "" if answered == httpx.codes.OK else f"{url} answered HTTP {answered}"


def _credentials(environ: Mapping[str, str], seconds: float) -> Credentials:
    credentials = Credentials.from_environment(environ, seconds=seconds)
    if credentials is None:
        raise InputError("JWT_SECRET_KEY is not set", "run `make compose-secrets` for deploy/compose/.env")
    return credentials


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(description="Tasks of the containers.")
    tasks = parser.add_subparsers(dest="task", required=True)
    for name in ("secrets", "token"):
        tasks.add_parser(name).add_argument("file", type=Path)
    tasks.add_parser("status").add_argument("file", type=Path, nargs="?")
    tasks.add_parser("register").add_argument("server", nargs="+", metavar="NAME=URL")
    given = parser.parse_args(argv)
    try:
        if given.task == "secrets":
            write_secrets(given.file)
        elif given.task == "token":
            write_token(given.file, os.environ)
        elif given.task == "status":
            return _say(status({**_moved(given.file), **os.environ}))
        else:
            register_servers(given.server, os.environ)
    except PacemarkError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return Exit.PASS


def _moved(path: Path | None) -> dict[str, str]:
    """The ports that a file for ``docker compose`` sets."""
    if path is None or not path.is_file():
        return {}
    lines = [line.strip().partition("=") for line in path.read_text(encoding="utf-8").splitlines()]
    return {name: value for name, _, value in lines if name.endswith("_PORT")}


def _say(found: Mapping[str, str]) -> int:
    for name, wrong in found.items():
        sys.stdout.write(f"{name:<12} {wrong or 'ok'}\n")
    return Exit.INVALID if any(found.values()) else Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
